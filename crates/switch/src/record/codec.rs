//! Byte layouts of the hub's records. `docs/formats/records.md` is the same in words.

use alloc::boxed::Box;
use alloc::vec::Vec;

use scheme::{
    Amount, ApprovalCode, BusinessDate, CardRef, Currency, Iin, LocalTime, MonthTime, Mti,
    ParticipantId, PaymentId, Processing, Reason, ResponseCode, RetailerId, Rrn, Sealed, Stan,
    StationId, Timestamp, Token,
};

use super::{
    Closed, Completed, Declined, Fact, Finding, FindingKind, Opened, Outcome, Part, Removed,
    Reversed, Seen, Tombstone,
};
use crate::bytes::{Corrupt, Reader, Writer};
use crate::hub::kept::{get_kept, put_kept};
use crate::request::{OriginalRef, Trace};

/// The first version of every kind.
const VERSION: u8 = 1;
/// `opened` of a linked refund, and `closed` of an approved pre-authorisation. Every other is still
/// written as the first version.
const VERSION_2: u8 = 2;

const NATION: u8 = 1;
const STATION: u8 = 2;
const PARTICIPANT: u8 = 3;
const ROUTE: u8 = 4;
const TERMINAL: u8 = 5;
const CAP: u8 = 6;
const HOT_CARD: u8 = 7;
const EPOCH: u8 = 8;
const CHANGED: u8 = 9;
const REMOVED: u8 = 10;
const RETAILER: u8 = 11;
const OPENED: u8 = 16;
const DECLINED: u8 = 17;
const CLOSED: u8 = 18;
const REVERSED: u8 = 19;
const TOMBSTONE: u8 = 20;
const DISCHARGED: u8 = 21;
const FINDING: u8 = 22;
const OVERCAP_REPAID: u8 = 23;
const CUTOVER: u8 = 24;
const NETTED: u8 = 25;
const COMPLETED: u8 = 26;
const COVERED: u8 = 27;
const RECALLED: u8 = 28;
const RETIRED: u8 = 29;
const PROPOSED: u8 = 30;
const DROPPED: u8 = 31;

/// Whether a record of this kind begins with the id of a payment that it is a part of.
pub(crate) fn is_of_payment(kind: u8) -> bool {
    matches!(kind, OPENED | DECLINED | CLOSED | RECALLED | RETIRED)
}

/// Whether a record of this kind is a finding.
pub fn is_finding(kind: u8) -> bool {
    kind == FINDING
}

/// Whether a record of this kind says a payment's request.
pub(crate) fn says_request(kind: u8) -> bool {
    matches!(kind, OPENED | DECLINED | RECALLED | RETIRED)
}

/// Whether a record of this kind begins with the id of a payment and names nothing else.
pub(crate) fn says_id_alone(kind: u8) -> bool {
    matches!(kind, CLOSED | REVERSED | COMPLETED)
}

/// Appends a fact's payload; returns its kind and version for the envelope.
pub fn encode(fact: &Fact, out: &mut Vec<u8>) -> (u8, u8) {
    let mut w = Writer(out);
    let kind = match fact {
        Fact::Nation { name, currency, amount_max } => {
            w.u16(currency.numeric()).u8(currency.exponent()).bytes(currency.alpha().as_bytes());
            w.u40(amount_max.minor()).short(name.as_bytes());
            NATION
        }
        Fact::Station { id, code, name } => {
            w.u16(id.0).bytes(code).short(name.as_bytes());
            STATION
        }
        Fact::Participant { id, name } => {
            w.u40(id.get()).short(name.as_bytes());
            PARTICIPANT
        }
        Fact::Route { iin, issuer } => {
            w.short(alloc::format!("{iin}").as_bytes()).u40(issuer.get());
            ROUTE
        }
        Fact::Terminal { acquirer, terminal, station, retailer } => {
            w.u40(acquirer.get()).text(terminal).u16(station.0).text(retailer);
            TERMINAL
        }
        Fact::Cap { participant, amount, transfer } => {
            w.u40(participant.get()).u40(amount.minor()).u128(*transfer);
            CAP
        }
        Fact::HotCard { token, reason } => {
            w.u128(token.0).u8(reason.number());
            HOT_CARD
        }
        Fact::Epoch { epoch } => {
            w.u64(*epoch);
            EPOCH
        }
        Fact::Changed { author, records } => {
            w.u32(*records).short(author.as_bytes());
            CHANGED
        }
        Fact::Removed(removed) => {
            put_removed(&mut w, removed);
            REMOVED
        }
        Fact::Retailer { retailer, refund_max, refund_day_max } => {
            w.text(retailer).u40(refund_max.minor()).u40(refund_day_max.minor());
            RETAILER
        }
        payment => return (encode_payment(payment, &mut w), version_of(payment)),
    };
    (kind, VERSION)
}

fn version_of(fact: &Fact) -> u8 {
    let newer = match fact.part() {
        Some(Part::Opened(opened)) => opened.original.is_some(),
        Some(Part::Closed(closed)) => matches!(closed.outcome, Outcome::Held { .. }),
        Some(Part::Declined(_) | Part::Reversed(_) | Part::Completed(_) | Part::Whole(_))
        | None => false,
    };
    if newer { VERSION_2 } else { VERSION }
}

fn encode_payment(fact: &Fact, w: &mut Writer<'_>) -> u8 {
    match fact {
        Fact::Opened(Opened { id, seen, issuer, trace, business_date, cycle, original }) => {
            w.u128(id.get());
            put_seen(w, seen);
            w.u40(issuer.get());
            put_trace(w, *trace);
            w.u16(business_date.0).u32(*cycle);
            if let Some(original) = original {
                w.u128(original.get());
            }
            OPENED
        }
        Fact::Declined(Declined { id, seen, reason, issuer, business_date, cycle }) => {
            w.u128(id.get());
            put_seen(w, seen);
            w.u8(reason.number()).u40(issuer.map_or(0, ParticipantId::get));
            w.u16(business_date.0).u32(*cycle);
            DECLINED
        }
        Fact::Closed(Closed { id, outcome }) => {
            w.u128(id.get());
            match outcome {
                Outcome::Posted { approval, text } => w.u8(1).text(approval).text(text),
                Outcome::Declined { code, text } => w.u8(2).bytes(&code.bytes()).text(text),
                Outcome::Voided { reason, advice } => {
                    w.u8(3).u8(reason.number());
                    put_trace(w, *advice)
                }
                Outcome::Held { approval, text } => w.u8(4).text(approval).text(text),
            };
            CLOSED
        }
        Fact::Reversed(Reversed { id, returned, overcap, in_flight, code, advice }) => {
            w.u128(id.get()).u40(returned.minor());
            w.u8(u8::from(*overcap) | (u8::from(*in_flight) << 1)).bytes(&code.bytes());
            put_trace(w, *advice);
            REVERSED
        }
        Fact::Completed(completed) => {
            put_completed(w, completed);
            COMPLETED
        }
        Fact::Tombstone(tombstone) => {
            put_tombstone(w, tombstone);
            TOMBSTONE
        }
        other => encode_other(other, w),
    }
}

fn encode_other(fact: &Fact, w: &mut Writer<'_>) -> u8 {
    match fact {
        Fact::Discharged { bank, trace, code } => {
            w.u40(bank.get());
            put_trace(w, *trace).bytes(&code.bytes());
            DISCHARGED
        }
        Fact::Finding(finding) => {
            put_finding(w, finding);
            FINDING
        }
        Fact::OvercapRepaid { participant, amount, transfer } => {
            w.u40(participant.get()).u40(amount.minor()).u128(*transfer);
            OVERCAP_REPAID
        }
        Fact::Cutover { cycle, date } => {
            w.u32(*cycle).u16(date.0);
            CUTOVER
        }
        Fact::Netted { participant, amount, paid_out, transfer } => {
            w.u40(participant.get()).u40(amount.minor()).u8(u8::from(*paid_out)).u128(*transfer);
            NETTED
        }
        Fact::Covered { record } => {
            w.u64(*record);
            COVERED
        }
        Fact::Recalled(kept) => {
            put_kept(w, kept);
            RECALLED
        }
        Fact::Retired(kept) => {
            put_kept(w, kept);
            RETIRED
        }
        Fact::Proposed(fact) => {
            let mut payload = Vec::new();
            let (kind, version) = encode(fact, &mut payload);
            w.u8(kind).u8(version).bytes(&payload);
            PROPOSED
        }
        Fact::Dropped => DROPPED,
        Fact::Opened(_)
        | Fact::Declined(_)
        | Fact::Closed(_)
        | Fact::Reversed(_)
        | Fact::Completed(_)
        | Fact::Tombstone(_) => unreachable!("payments are laid out by `encode_payment`"),
        Fact::Nation { .. }
        | Fact::Station { .. }
        | Fact::Participant { .. }
        | Fact::Route { .. }
        | Fact::Terminal { .. }
        | Fact::Cap { .. }
        | Fact::HotCard { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Retailer { .. }
        | Fact::Epoch { .. } => unreachable!("business records are laid out by `encode`"),
    }
}

/// Reads the payload of a record of this kind and version.
pub fn decode(kind: u8, version: u8, payload: &[u8]) -> Result<Fact, Corrupt> {
    let mut r = Reader::new(payload);
    let newest = if matches!(kind, OPENED | CLOSED) { VERSION_2 } else { VERSION };
    if !(VERSION..=newest).contains(&version) {
        return Err(r.corrupt("a record of a newer version"));
    }
    let fact = match kind {
        OPENED => Fact::Opened(Opened {
            id: payment_id(&mut r)?,
            seen: get_seen(&mut r)?,
            issuer: participant(&mut r)?,
            trace: get_trace(&mut r)?,
            business_date: BusinessDate(r.u16("business date")?),
            cycle: r.u32("cycle")?,
            original: if version == VERSION_2 { Some(payment_id(&mut r)?) } else { None },
        }),
        DECLINED => Fact::Declined(Declined {
            id: payment_id(&mut r)?,
            seen: get_seen(&mut r)?,
            reason: reason(&mut r)?,
            issuer: ParticipantId::new(r.u40("issuer")?),
            business_date: BusinessDate(r.u16("business date")?),
            cycle: r.u32("cycle")?,
        }),
        CLOSED => Fact::Closed(get_closed(&mut r, version)?),
        REVERSED => Fact::Reversed(get_reversed(&mut r)?),
        COMPLETED => Fact::Completed(get_completed(&mut r)?),
        TOMBSTONE => Fact::Tombstone(get_tombstone(&mut r)?),
        DISCHARGED => Fact::Discharged {
            bank: participant(&mut r)?,
            trace: get_trace(&mut r)?,
            code: code(&mut r)?,
        },
        FINDING => Fact::Finding(get_finding(&mut r)?),
        COVERED => Fact::Covered { record: r.u64("record")? },
        RECALLED => Fact::Recalled(Box::new(get_kept(&mut r)?)),
        RETIRED => Fact::Retired(Box::new(get_kept(&mut r)?)),
        PROPOSED => Fact::Proposed(Box::new(get_proposed(&mut r)?)),
        DROPPED => Fact::Dropped,
        other => decode_business(other, &mut r)?,
    };
    r.finish()?;
    Ok(fact)
}

/// A decision behind its kind and version; one that is itself about proposals is none.
fn get_proposed(r: &mut Reader<'_>) -> Result<Fact, Corrupt> {
    let (kind, version) = (r.u8("kind")?, r.u8("version")?);
    if matches!(kind, PROPOSED | DROPPED) {
        return Err(r.corrupt("a decision that is none"));
    }
    let rest = r.rest();
    decode(kind, version, rest)
}

fn decode_business(kind: u8, r: &mut Reader<'_>) -> Result<Fact, Corrupt> {
    Ok(match kind {
        NATION => {
            let (numeric, exponent) = (r.u16("currency")?, r.u8("exponent")?);
            let at = r.corrupt("currency");
            let alpha = core::str::from_utf8(r.take(3, "currency")?).map_err(|_| at)?;
            Fact::Nation {
                currency: Currency::new(alpha, numeric, exponent).ok_or(at)?,
                amount_max: amount(r)?,
                name: r.name("name")?,
            }
        }
        STATION => Fact::Station {
            id: StationId(r.u16("station")?),
            code: r.checked("station code", |r, what| r.take(2, what), |c| c.try_into().ok())?,
            name: r.name("name")?,
        },
        PARTICIPANT => Fact::Participant { id: participant(r)?, name: r.name("name")? },
        ROUTE => Fact::Route {
            iin: r.checked("IIN", Reader::name, |digits| Iin::new(&digits))?,
            issuer: participant(r)?,
        },
        TERMINAL => Fact::Terminal {
            acquirer: participant(r)?,
            terminal: r.text("terminal")?,
            station: StationId(r.u16("station")?),
            retailer: r.text("retailer")?,
        },
        CAP => Fact::Cap {
            participant: participant(r)?,
            amount: amount(r)?,
            transfer: r.u128("transfer")?,
        },
        HOT_CARD => Fact::HotCard { token: Token(r.u128("token")?), reason: reason(r)? },
        EPOCH => Fact::Epoch { epoch: r.u64("epoch")? },
        CHANGED => Fact::Changed { records: r.u32("records")?, author: r.name("author")? },
        REMOVED => Fact::Removed(get_removed(r)?),
        RETAILER => Fact::Retailer {
            retailer: r.text("retailer")?,
            refund_max: amount(r)?,
            refund_day_max: amount(r)?,
        },
        OVERCAP_REPAID => Fact::OvercapRepaid {
            participant: participant(r)?,
            amount: amount(r)?,
            transfer: r.u128("transfer")?,
        },
        CUTOVER => {
            Fact::Cutover { cycle: r.u32("cycle")?, date: BusinessDate(r.u16("business date")?) }
        }
        NETTED => Fact::Netted {
            participant: participant(r)?,
            amount: amount(r)?,
            paid_out: r.u8("direction")? == 1,
            transfer: r.u128("transfer")?,
        },
        _ => return Err(r.corrupt("a record of an unknown kind")),
    })
}

fn put_removed(w: &mut Writer<'_>, removed: &Removed) {
    match removed {
        Removed::Station { id } => w.u8(1).u16(id.0),
        Removed::Terminal { acquirer, terminal } => w.u8(2).u40(acquirer.get()).text(terminal),
        Removed::Route { iin } => w.u8(3).short(alloc::format!("{iin}").as_bytes()),
        Removed::HotCard { token } => w.u8(4).u128(token.0),
        Removed::Retailer { retailer } => w.u8(5).text(retailer),
    };
}

fn get_removed(r: &mut Reader<'_>) -> Result<Removed, Corrupt> {
    Ok(match r.u8("what is removed")? {
        1 => Removed::Station { id: StationId(r.u16("station")?) },
        2 => Removed::Terminal { acquirer: participant(r)?, terminal: r.text("terminal")? },
        3 => Removed::Route { iin: r.checked("IIN", Reader::name, |digits| Iin::new(&digits))? },
        4 => Removed::HotCard { token: Token(r.u128("token")?) },
        5 => Removed::Retailer { retailer: r.text("retailer")? },
        _ => return Err(r.corrupt("what is removed")),
    })
}

/// A request as first received.
pub(crate) fn put_seen(w: &mut Writer<'_>, seen: &Seen) {
    let card = seen.card.is_some();
    let flags = u8::from(seen.rrn_sent) | (u8::from(card) << 1);
    w.u8(flags).u16(seen.mti.number()).u40(seen.acquirer.get()).text(&seen.terminal);
    w.text(&seen.retailer).u32(seen.stan.get()).u32(seen.transmitted.number());
    w.u32(seen.local.number()).text(&seen.rrn).u32(seen.processing.get());
    w.u40(seen.amount.minor()).u16(seen.currency).u40(seen.forwarding);
    w.u16(seen.station.map_or(0, |s| s.0)).u64(seen.first_received.0);
    if let Some(card) = &seen.card {
        w.u32(card.first8).u16(card.last4).u8(card.pan_len).u128(card.token.0);
        w.short(card.sealed.bytes());
    }
}

/// What [`put_seen`] wrote.
pub(crate) fn get_seen(r: &mut Reader<'_>) -> Result<Seen, Corrupt> {
    let flags = r.u8("flags")?;
    Ok(Seen {
        mti: r.checked("MTI", Reader::u16, Mti::new)?,
        acquirer: participant(r)?,
        terminal: r.text("terminal")?,
        retailer: r.text::<15>("retailer").map(|text: RetailerId| text)?,
        stan: stan(r)?,
        transmitted: month_time(r)?,
        local: r.checked("local time", Reader::u32, LocalTime::new)?,
        rrn: r.text::<12>("reference number").map(|text: Rrn| text)?,
        rrn_sent: flags & 1 != 0,
        processing: r.checked("processing code", Reader::u32, Processing::new)?,
        amount: amount(r)?,
        currency: r.u16("currency")?,
        forwarding: r.u40("forwarding institution")?,
        station: Some(StationId(r.u16("station")?)).filter(|id| id.0 != 0),
        first_received: Timestamp(r.u64("first receipt")?),
        card: if flags & 2 != 0 { Some(get_card(r)?) } else { None },
    })
}

fn get_card(r: &mut Reader<'_>) -> Result<CardRef, Corrupt> {
    Ok(CardRef {
        first8: r.u32("IIN")?,
        last4: r.u16("last four digits")?,
        pan_len: r.u8("PAN length")?,
        token: Token(r.u128("token")?),
        sealed: r.checked("sealed card", Reader::short, Sealed::new)?,
    })
}

fn get_closed(r: &mut Reader<'_>, version: u8) -> Result<Closed, Corrupt> {
    let id = payment_id(r)?;
    let outcome = match r.u8("outcome")? {
        4 if version == VERSION_2 => Outcome::Held {
            approval: r.text::<6>("approval code").map(|text: ApprovalCode| text)?,
            text: r.text("text")?,
        },
        1 => Outcome::Posted {
            approval: r.text::<6>("approval code").map(|text: ApprovalCode| text)?,
            text: r.text("text")?,
        },
        2 => Outcome::Declined { code: code(r)?, text: r.text("text")? },
        3 => Outcome::Voided { reason: reason(r)?, advice: get_trace(r)? },
        _ => return Err(r.corrupt("outcome")),
    };
    Ok(Closed { id, outcome })
}

fn get_reversed(r: &mut Reader<'_>) -> Result<Reversed, Corrupt> {
    let (id, returned, flags) = (payment_id(r)?, amount(r)?, r.u8("flags")?);
    Ok(Reversed {
        id,
        returned,
        overcap: flags & 1 != 0,
        in_flight: flags & 2 != 0,
        code: code(r)?,
        advice: get_trace(r)?,
    })
}

fn put_completed(w: &mut Writer<'_>, completed: &Completed) {
    let flags = u8::from(completed.late) | (u8::from(completed.overcap) << 1);
    w.u128(completed.id.get()).u40(completed.amount.minor()).u8(flags);
    w.u32(completed.stan.get()).u32(completed.transmitted.number()).text(&completed.rrn);
    w.u64(completed.first_received.0);
    put_trace(w, completed.advice);
}

fn get_completed(r: &mut Reader<'_>) -> Result<Completed, Corrupt> {
    let (id, amount, flags) = (payment_id(r)?, amount(r)?, r.u8("flags")?);
    Ok(Completed {
        id,
        amount,
        late: flags & 1 != 0,
        overcap: flags & 2 != 0,
        stan: stan(r)?,
        transmitted: month_time(r)?,
        rrn: r.text::<12>("reference number").map(|text: Rrn| text)?,
        first_received: Timestamp(r.u64("first receipt")?),
        advice: get_trace(r)?,
    })
}

fn put_tombstone(w: &mut Writer<'_>, tombstone: &Tombstone) {
    w.u40(tombstone.acquirer.get()).text(&tombstone.terminal).u32(tombstone.stan.get());
    w.u32(tombstone.transmitted).u16(tombstone.mti).u8(tombstone.transaction);
    w.u40(tombstone.amount.minor()).u64(tombstone.first_received.0);
    w.u32(tombstone.local.number());
    w.text(&tombstone.rrn.unwrap_or_default()).u128(tombstone.token.map_or(0, |t| t.0));
}

fn get_tombstone(r: &mut Reader<'_>) -> Result<Tombstone, Corrupt> {
    Ok(Tombstone {
        acquirer: participant(r)?,
        terminal: r.text("terminal")?,
        stan: stan(r)?,
        transmitted: r.u32("DE7")?,
        mti: r.u16("MTI")?,
        transaction: r.u8("processing code")?,
        amount: amount(r)?,
        first_received: Timestamp(r.u64("first receipt")?),
        local: r.checked("local time", Reader::u32, LocalTime::new)?,
        rrn: Some(r.text::<12>("reference number")?).filter(|rrn| !rrn.is_blank()),
        token: Some(Token(r.u128("token")?)).filter(|token| token.0 != 0),
    })
}

fn put_finding(w: &mut Writer<'_>, finding: &Finding) {
    w.u8(finding.kind as u8).u128(finding.payment.map_or(0, PaymentId::get));
    w.u40(finding.participant.map_or(0, ParticipantId::get))
        .u8(u8::from(finding.original.is_some()));
    if let Some(original) = &finding.original {
        put_original(w, original);
    }
}

fn get_finding(r: &mut Reader<'_>) -> Result<Finding, Corrupt> {
    let kind = |number| FindingKind::ALL.into_iter().find(|kind| *kind as u8 == number);
    Ok(Finding {
        kind: r.checked("finding", Reader::u8, kind)?,
        payment: r
            .checked("payment id", Reader::u128, PaymentId::new)
            .map(Some)?
            .filter(|id| id.get() != 0),
        participant: ParticipantId::new(r.u40("participant")?),
        original: match r.u8("flags")? {
            0 => None,
            _ => Some(get_original(r)?),
        },
    })
}

/// DE90 in 20 bytes.
pub(crate) fn put_original(w: &mut Writer<'_>, original: &OriginalRef) {
    w.u16(original.mti).u32(original.stan).u32(original.transmitted);
    w.u40(original.acquirer).u40(original.forwarding);
}

/// What [`put_original`] wrote.
pub(crate) fn get_original(r: &mut Reader<'_>) -> Result<OriginalRef, Corrupt> {
    Ok(OriginalRef {
        mti: r.u16("MTI")?,
        stan: r.u32("DE11")?,
        transmitted: r.u32("DE7")?,
        acquirer: r.u40("DE32")?,
        forwarding: r.u40("DE33")?,
    })
}

fn put_trace<'a, 'b>(w: &'a mut Writer<'b>, trace: Trace) -> &'a mut Writer<'b> {
    w.u32(trace.stan.get()).u32(trace.transmitted.number())
}

fn get_trace(r: &mut Reader<'_>) -> Result<Trace, Corrupt> {
    Ok(Trace { stan: stan(r)?, transmitted: month_time(r)? })
}

fn payment_id(r: &mut Reader<'_>) -> Result<PaymentId, Corrupt> {
    r.checked("payment id", Reader::u128, PaymentId::new)
}

fn participant(r: &mut Reader<'_>) -> Result<ParticipantId, Corrupt> {
    r.checked("participant", Reader::u40, ParticipantId::new)
}

fn amount(r: &mut Reader<'_>) -> Result<Amount, Corrupt> {
    r.checked("amount", Reader::u40, Amount::new)
}

fn stan(r: &mut Reader<'_>) -> Result<Stan, Corrupt> {
    r.checked("DE11", Reader::u32, Stan::new)
}

fn month_time(r: &mut Reader<'_>) -> Result<MonthTime, Corrupt> {
    r.checked("DE7", Reader::u32, MonthTime::new)
}

fn reason(r: &mut Reader<'_>) -> Result<Reason, Corrupt> {
    r.checked("reason", Reader::u8, Reason::from_number)
}

fn code(r: &mut Reader<'_>) -> Result<ResponseCode, Corrupt> {
    r.checked("response code", |r, what| r.take(2, what), ResponseCode::new)
}
