//! What trunk frames hold. A clear PAN stands in requests: the station has it from the terminal,
//! the hub needs it for the issuer, and outside `demo` the trunk is encrypted.

use keys::{CardVault, Expiry};
use scheme::{
    Amount, ApprovalCode, BusinessDate, LocalTime, MonthTime, Mti, Pan, ParticipantId, PaymentSeed,
    Processing, ResponseCode, Stan, StationId, Timestamp, Zone,
};
use switch::{Answer, Carried, OriginalRef, Reader, Request, Writer};

use super::TrunkError;
use crate::SEAL_KIND;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The station; 0 for the hub.
    pub station: StationId,
    /// The sender's start number: another one means that it has forgotten what was under way.
    pub start: u64,
    /// The start number of the receiver that the sender last spoke with; 0 for none.
    pub heard_start: u64,
    /// The last frame that it heard of that start.
    pub heard: u64,
    /// The number of the first frame that it will send to somebody who has heard none.
    pub next: u64,
    /// The last frame that the receiver may send.
    pub credit: u64,
}

impl Hello {
    /// The payload.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(42);
        let mut w = Writer(&mut out);
        w.u16(self.station.0).u64(self.start).u64(self.heard_start).u64(self.heard);
        w.u64(self.next).u64(self.credit);
        out
    }

    /// What [`Hello::write`] wrote.
    pub fn read(payload: &[u8]) -> Result<Self, TrunkError> {
        let mut r = Reader::new(payload);
        let mut read = || -> Result<Self, switch::Corrupt> {
            let hello = Self {
                station: StationId(r.u16("station")?),
                start: r.u64("start")?,
                heard_start: r.u64("start heard")?,
                heard: r.u64("heard")?,
                next: r.u64("next")?,
                credit: r.u64("credit")?,
            };
            r.finish()?;
            Ok(hello)
        };
        read().map_err(|e| TrunkError::Payload(e.what))
    }
}

/// Alive, and how far the other side has been heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// The sender's count.
    pub count: u64,
    /// The last count that it heard from the receiver.
    pub heard: u64,
    /// The last frame that the receiver may send.
    pub credit: u64,
}

impl Heartbeat {
    /// The payload.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        Writer(&mut out).u64(self.count).u64(self.heard).u64(self.credit);
        out
    }

    /// What [`Heartbeat::write`] wrote.
    pub fn read(payload: &[u8]) -> Result<Self, TrunkError> {
        let mut r = Reader::new(payload);
        let mut read = || -> Result<Self, switch::Corrupt> {
            let heartbeat =
                Self { count: r.u64("count")?, heard: r.u64("heard")?, credit: r.u64("credit")? };
            r.finish()?;
            Ok(heartbeat)
        };
        read().map_err(|e| TrunkError::Payload(e.what))
    }
}

/// DE38, among the carried fields of a request.
const APPROVAL: u8 = 38;
/// How a station is, in its own judgement, every two seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StationStatus {
    /// Its fires by R-FIRES, 0 to 5.
    pub fires: u8,
    /// Why: one bit for each line of the rule that holds (`docs/formats/trunk.md`).
    pub reasons: u32,
    /// The station's clock when it was sent.
    pub sent: Timestamp,
    /// Terminals connected.
    pub terminals: u32,
    /// Payments answered per second over the last minute, thousandths.
    pub payments_milli: u32,
    /// Approved in the last minute.
    pub approved: u32,
    /// Answered otherwise in the last minute.
    pub declined: u32,
    /// Those of the declined that were answered 91 or 96.
    pub unavailable: u32,
    /// The p99 of their latency, ms; 0 without any.
    pub p99_ms: u32,
    /// Reversals and advices that it owes the hub.
    pub saf_depth: u32,
    /// How long the oldest of them has been owed, s.
    pub saf_oldest_s: u32,
}

impl StationStatus {
    /// The payload.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(45);
        let mut w = Writer(&mut out);
        w.u8(self.fires).u32(self.reasons).u64(self.sent.0).u32(self.terminals);
        w.u32(self.payments_milli).u32(self.approved).u32(self.declined).u32(self.unavailable);
        w.u32(self.p99_ms).u32(self.saf_depth).u32(self.saf_oldest_s);
        out
    }

    /// What [`StationStatus::write`] wrote.
    pub fn read(payload: &[u8]) -> Result<Self, TrunkError> {
        let mut r = Reader::new(payload);
        let mut read = || -> Result<Self, switch::Corrupt> {
            let status = Self {
                fires: r.checked("fires", Reader::u8, |fires| (fires <= 5).then_some(fires))?,
                reasons: r.u32("reasons")?,
                sent: Timestamp(r.u64("clock")?),
                terminals: r.u32("terminals")?,
                payments_milli: r.u32("rate")?,
                approved: r.u32("approved")?,
                declined: r.u32("declined")?,
                unavailable: r.u32("unavailable")?,
                p99_ms: r.u32("p99")?,
                saf_depth: r.u32("owed")?,
                saf_oldest_s: r.u32("oldest owed")?,
            };
            r.finish()?;
            Ok(status)
        };
        read().map_err(|e| TrunkError::Payload(e.what))
    }
}

const RRN_SENT: u8 = 1;
const CARD: u8 = 2;
const CARD_VALID: u8 = 4;
const PIN: u8 = 8;
const ORIGINAL: u8 = 16;
const ACTUAL: u8 = 32;
const REASON: u8 = 64;
const EXPIRY: u8 = 128;

/// A request as payload. A card that this node's key cannot open is left out, and the hub refuses
/// the request as one without a card.
pub fn write_request(ticket: u64, request: &Request, vault: &CardVault) -> Vec<u8> {
    let clear = request
        .card
        .as_ref()
        .and_then(|card| vault.pan(card, request.candidate.get(), SEAL_KIND).ok());
    let expiry = clear.and_then(|(_, expiry)| expiry);
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(request.rrn_sent, RRN_SENT)
        | flag(clear.is_some(), CARD)
        | flag(request.card_valid, CARD_VALID)
        | flag(request.has_pin, PIN)
        | flag(request.original.is_some(), ORIGINAL)
        | flag(request.actual.is_some(), ACTUAL)
        | flag(request.reason.is_some(), REASON)
        | flag(expiry.is_some(), EXPIRY);
    let mut out = Vec::with_capacity(192);
    let mut w = Writer(&mut out);
    w.u64(ticket).u8(flags).u16(request.mti.number()).u40(request.acquirer.get());
    w.text(&request.terminal).text(&request.retailer).u32(request.stan.get());
    w.u32(request.transmitted.number()).u32(request.local.number()).text(&request.rrn);
    w.u32(request.processing.get()).u40(request.amount.minor()).u16(request.currency);
    w.u40(request.forwarding).u64(request.first_received.0).u32(request.age_ms);
    if let Some((pan, _)) = &clear {
        w.short(pan.digits());
    }
    if let Some(digits) = expiry {
        w.bytes(&digits);
    }
    if let Some(original) = &request.original {
        w.u16(original.mti).u32(original.stan).u32(original.transmitted);
        w.u40(original.acquirer).u40(original.forwarding);
    }
    if let Some(actual) = request.actual {
        w.u40(actual.minor());
    }
    if let Some(reason) = request.reason {
        w.bytes(&reason.bytes());
    }
    // DE38 rides with the carried fields: few messages have one.
    if request.approval.is_blank() {
        put_carried(&mut w, &request.carried);
    } else {
        let mut carried = request.carried.clone();
        carried.push(APPROVAL, request.approval.bytes());
        put_carried(&mut w, &carried);
    }
    out
}

/// What [`write_request`] wrote, its card sealed again under this node's key.
pub fn read_request(
    payload: &[u8],
    zone: &Zone,
    vault: &CardVault,
) -> Result<(u64, Request), TrunkError> {
    let mut r = Reader::new(payload);
    request(&mut r, zone, vault).map_err(|e| TrunkError::Payload(e.what))
}

fn request(
    r: &mut Reader<'_>,
    zone: &Zone,
    vault: &CardVault,
) -> Result<(u64, Request), switch::Corrupt> {
    let ticket = r.u64("ticket")?;
    let flags = r.u8("flags")?;
    let mti = r.checked("MTI", Reader::u16, Mti::new)?;
    let acquirer = r.checked("acquirer", Reader::u40, ParticipantId::new)?;
    let (terminal, retailer) = (r.text("terminal")?, r.text("retailer")?);
    let stan = r.checked("DE11", Reader::u32, Stan::new)?;
    let transmitted = r.checked("DE7", Reader::u32, MonthTime::new)?;
    let local = r.checked("local time", Reader::u32, LocalTime::new)?;
    let rrn = r.text("DE37")?;
    let processing = r.checked("DE3", Reader::u32, Processing::new)?;
    let amount = r.checked("DE4", Reader::u40, Amount::new)?;
    let (currency, forwarding) = (r.u16("DE49")?, r.u40("DE33")?);
    let first_received = Timestamp(r.u64("first receipt")?);
    let age_ms = r.u32("age")?;
    let seed = PaymentSeed { acquirer, terminal, stan, local };
    let candidate = seed.id(zone.local(first_received));
    let pan = match flags & CARD {
        0 => None,
        _ => Some(r.checked("DE2", Reader::short, |digits| Pan::parse(digits).ok())?),
    };
    let expiry: Option<Expiry> = match flags & EXPIRY {
        0 => None,
        _ => Some(r.checked("DE14", |r, what| r.take(4, what), |d| d.try_into().ok())?),
    };
    let original = if flags & ORIGINAL != 0 { Some(get_original(r)?) } else { None };
    let actual = match flags & ACTUAL {
        0 => None,
        _ => Some(r.checked("DE95", Reader::u40, Amount::new)?),
    };
    let reason = get_reason(r, flags)?;
    let (mut carried, mut approval) = (Carried::NONE, ApprovalCode::BLANK);
    each_carried(r, |r, de, value| {
        if de == APPROVAL {
            approval = ApprovalCode::new(value).map_err(|_| r.corrupt("DE38"))?;
        } else {
            carried.push(de, value);
        }
        Ok(())
    })?;
    r.finish()?;
    let card = pan.map(|pan| vault.reference(&pan, expiry, candidate.get(), SEAL_KIND));
    let request = Request {
        mti,
        acquirer,
        terminal,
        retailer,
        stan,
        transmitted,
        local,
        rrn,
        rrn_sent: flags & RRN_SENT != 0,
        processing,
        amount,
        currency,
        card,
        card_valid: flags & CARD_VALID != 0,
        expiry: expiry.and_then(|digits| scheme::number(&digits)?.try_into().ok()),
        forwarding,
        has_pin: flags & PIN != 0,
        original,
        actual,
        reason,
        approval,
        first_received,
        age_ms,
        candidate,
        carried,
    };
    Ok((ticket, request))
}

fn get_reason(r: &mut Reader<'_>, flags: u8) -> Result<Option<ResponseCode>, switch::Corrupt> {
    if flags & REASON == 0 {
        return Ok(None);
    }
    r.checked("DE39", |r, what| r.take(2, what), ResponseCode::new).map(Some)
}

fn get_original(r: &mut Reader<'_>) -> Result<OriginalRef, switch::Corrupt> {
    Ok(OriginalRef {
        mti: r.u16("DE90")?,
        stan: r.u32("DE90")?,
        transmitted: r.u32("DE90")?,
        acquirer: r.u40("DE90")?,
        forwarding: r.u40("DE90")?,
    })
}

/// An answer as payload.
pub fn write_answer(ticket: u64, answer: &Answer) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let mut w = Writer(&mut out);
    w.u64(ticket).bytes(&answer.code.bytes()).text(&answer.text).text(&answer.approval);
    w.text(&answer.rrn).u16(answer.business_date.map_or(0, |date| date.0));
    put_carried(&mut w, &answer.carried);
    out
}

/// What [`write_answer`] wrote.
pub fn read_answer(payload: &[u8]) -> Result<(u64, Answer), TrunkError> {
    let mut r = Reader::new(payload);
    let mut read = || -> Result<(u64, Answer), switch::Corrupt> {
        let ticket = r.u64("ticket")?;
        let answer = Answer {
            code: r.checked("DE39", |r, what| r.take(2, what), ResponseCode::new)?,
            text: r.text("DE44")?,
            approval: r.text("DE38")?,
            rrn: r.text("DE37")?,
            business_date: Some(BusinessDate(r.u16("DE15")?)).filter(|date| date.0 != 0),
            carried: get_carried(&mut r)?,
        };
        r.finish()?;
        Ok((ticket, answer))
    };
    read().map_err(|e| TrunkError::Payload(e.what))
}

fn put_carried(w: &mut Writer<'_>, carried: &Carried) {
    // A message has at most 128 data elements.
    let count = u8::try_from(carried.iter().count()).unwrap_or(u8::MAX);
    w.u8(count);
    for (de, value) in carried.iter().take(usize::from(count)) {
        w.u8(de).long(value);
    }
}

fn get_carried(r: &mut Reader<'_>) -> Result<Carried, switch::Corrupt> {
    let mut carried = Carried::NONE;
    each_carried(r, |_, de, value| {
        carried.push(de, value);
        Ok(())
    })?;
    Ok(carried)
}

/// Tells of every carried field, in the order in which they stand.
fn each_carried<'p>(
    r: &mut Reader<'p>,
    mut found: impl FnMut(&Reader<'p>, u8, &[u8]) -> Result<(), switch::Corrupt>,
) -> Result<(), switch::Corrupt> {
    for _ in 0..r.u8("carried fields")? {
        let de =
            r.checked("carried field", Reader::u8, |de| (2..=128).contains(&de).then_some(de))?;
        let value = r.long("carried field")?;
        found(r, de, value)?;
    }
    Ok(())
}
