//! The hub's durable state as bytes: the body of a journal snapshot
//! (`docs/formats/records.md`, "Snapshot").
//!
//! Layout, little-endian: version u16; single values; the business records; caps; payments in the
//! order in which they came; tombstones; advices; pre-authorisations; linked refunds; retailers'
//! days; how many of the first payments are kept beyond their time, and which of those is looked at
//! next (u32 each). Each list begins with its length (u32).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use scheme::{
    Amount, BusinessDate, MonthTime, ParticipantId, PaymentId, ResponseCode, Stan, Timestamp,
};

use super::flows::{Completion, Flows, PreAuth, RefundDay};
use super::payments::{Payment, Status};
use super::state::{Advice, FlowsKept, Position, Scalars, State, Told};
use crate::business::Directory;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::fingerprint::Fingerprint;
use crate::record::{self, Fact, FindingKind, Tombstone, get_seen, put_seen};
use crate::request::Trace;

/// 2 adds what an advice tells of, and pre-authorisations, linked refunds and retailers' days; 3
/// payments in the order in which they came, and how many of them are kept beyond their time.
const VERSION: u16 = 3;

/// Why a snapshot's body was refused.
pub type SnapshotError = Corrupt;

impl super::Hub {
    /// The durable state as bytes.
    pub fn snapshot(&self, out: &mut Vec<u8>) {
        let state = &self.state;
        let mut w = Writer(out);
        w.u16(VERSION);
        put_scalars(&mut w, state.scalars());
        w.u128(state.directory().fingerprint().0);
        put_facts(&mut w, &state.directory().facts());
        count(&mut w, state.directory().caps.len());
        for (participant, cap) in &state.directory().caps {
            w.u40(participant.get()).u40(cap.minor());
        }
        count(&mut w, state.payments().len());
        for payment in state.payments().iter() {
            put_payment(&mut w, payment);
        }
        let tombstones = state.all_tombstones();
        count(&mut w, tombstones.len());
        for tombstone in tombstones {
            put_fact(&mut w, &Fact::Tombstone(tombstone.clone()));
        }
        count(&mut w, state.advice_count());
        for (number, advice) in state.advices() {
            w.u64(number).u40(advice.bank.get()).u128(advice.payment.get());
            put_trace(&mut w, advice.trace);
            w.bytes(&advice.code.bytes()).u40(advice.actual.map_or(0, Amount::minor));
            w.u64(advice.since.0).u8(u8::from(advice.found)).u8(advice.of as u8);
        }
        put_flows(&mut w, state.flows());
        let (old, turn) = state.payments().kept();
        count(&mut w, old);
        count(&mut w, turn);
    }

    /// Puts the state back; only for a hub without a past.
    pub fn restore(&mut self, body: &[u8]) -> Result<(), SnapshotError> {
        let mut r = Reader::new(body);
        let version = r.u16("version")?;
        if !(1..=VERSION).contains(&version) {
            return Err(r.corrupt("a snapshot of a newer version"));
        }
        let scalars = get_scalars(&mut r)?;
        let directory = get_directory(&mut r)?;
        let payments = list(&mut r, get_payment)?;
        let tombstones = list(&mut r, get_tombstone)?;
        let advices = list(&mut r, |r| get_advice(r, version))?;
        let mut flows = if version == 1 { FlowsKept::default() } else { get_flows(&mut r)? };
        if version >= 3 {
            flows.old = get_kept(&mut r, payments.len())?;
        }
        r.finish()?;
        // The clock may have been set back since.
        let latest = payments.iter().map(|payment| payment.at).max();
        self.now = self.now.max(latest.unwrap_or_default());
        let mut state = State::new(self.config.timers);
        state.restore(scalars, directory, payments, tombstones, advices, flows);
        self.state = state;
        Ok(())
    }
}

fn count(w: &mut Writer<'_>, len: usize) {
    w.u32(u32::try_from(len).unwrap_or(u32::MAX));
}

fn list<T>(
    r: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let len = r.u32("length of a list")?;
    // Not preallocated: the length is not trusted before its items are there.
    let mut items = Vec::new();
    for _ in 0..len {
        items.push(item(r)?);
    }
    Ok(items)
}

fn put_fact(w: &mut Writer<'_>, fact: &Fact) {
    let mut payload = Vec::new();
    let (kind, version) = record::encode(fact, &mut payload);
    w.u8(kind).u8(version).long(&payload);
}

fn get_fact(r: &mut Reader<'_>) -> Result<Fact, Corrupt> {
    let (kind, version) = (r.u8("kind")?, r.u8("version")?);
    record::decode(kind, version, r.long("record")?)
}

fn put_facts(w: &mut Writer<'_>, facts: &[Fact]) {
    count(w, facts.len());
    for fact in facts {
        put_fact(w, fact);
    }
}

fn get_directory(r: &mut Reader<'_>) -> Result<Directory, Corrupt> {
    let fingerprint = Fingerprint(r.u128("directory fingerprint")?);
    let mut directory = Directory::default();
    for fact in list(r, get_fact)? {
        directory.apply(&fact);
    }
    let caps = list(r, |r| {
        let participant = r.checked("participant", Reader::u40, ParticipantId::new)?;
        Ok((participant, r.checked("cap", Reader::u40, Amount::new)?))
    })?;
    directory.caps = caps.into_iter().collect();
    directory.restore_fingerprint(fingerprint);
    Ok(directory)
}

fn put_scalars(w: &mut Writer<'_>, scalars: &Scalars) {
    w.u64(scalars.records).u64(scalars.epoch).u32(scalars.cycle).u16(scalars.business_date.0);
    w.u64(scalars.advices_made);
    count(w, scalars.positions.len());
    for (participant, position) in &scalars.positions {
        w.u40(participant.get());
        for value in [position.room, position.held, position.overcap] {
            w.bytes(&value.to_le_bytes());
        }
    }
    count(w, scalars.last_stan.len());
    for (participant, stan) in &scalars.last_stan {
        w.u40(participant.get()).u32(stan.get());
    }
    count(w, scalars.findings.len());
    for (kind, number) in &scalars.findings {
        w.u8(*kind as u8).u64(*number);
    }
}

fn get_scalars(r: &mut Reader<'_>) -> Result<Scalars, Corrupt> {
    let participant =
        |r: &mut Reader<'_>| r.checked("participant", Reader::u40, ParticipantId::new);
    let signed = |r: &mut Reader<'_>| -> Result<i128, Corrupt> {
        Ok(i128::from_le_bytes(r.u128("position")?.to_le_bytes()))
    };
    Ok(Scalars {
        records: r.u64("records")?,
        epoch: r.u64("epoch")?,
        cycle: r.u32("cycle")?,
        business_date: BusinessDate(r.u16("business date")?),
        advices_made: r.u64("advices")?,
        positions: list(r, |r| {
            let position = |r: &mut Reader<'_>| -> Result<Position, Corrupt> {
                Ok(Position { room: signed(r)?, held: signed(r)?, overcap: signed(r)? })
            };
            Ok((participant(r)?, position(r)?))
        })?
        .into_iter()
        .collect::<BTreeMap<_, _>>(),
        last_stan: list(r, |r| Ok((participant(r)?, r.checked("DE11", Reader::u32, Stan::new)?)))?
            .into_iter()
            .collect(),
        findings: list(r, |r| {
            let kind = |number| FindingKind::ALL.into_iter().find(|kind| *kind as u8 == number);
            Ok((r.checked("finding", Reader::u8, kind)?, r.u64("number")?))
        })?
        .into_iter()
        .collect(),
    })
}

fn put_payment(w: &mut Writer<'_>, payment: &Payment) {
    w.u128(payment.id.get());
    put_seen(w, &payment.seen);
    let flags = u8::from(payment.reversed)
        | (u8::from(payment.reversal_acknowledged) << 1)
        | (u8::from(payment.trace.is_some()) << 2);
    w.u8(flags).u40(payment.issuer.map_or(0, ParticipantId::get)).u8(status_number(payment.status));
    if let Some(trace) = payment.trace {
        put_trace(w, trace);
    }
    w.bytes(&payment.code.bytes()).text(&payment.text).text(&payment.approval);
    w.u16(payment.business_date.0).u32(payment.cycle).u40(payment.returned.minor());
    w.u64(payment.at.0);
}

fn get_payment(r: &mut Reader<'_>) -> Result<Payment, Corrupt> {
    let id = r.checked("payment id", Reader::u128, PaymentId::new)?;
    let seen = get_seen(r)?;
    let flags = r.u8("flags")?;
    Ok(Payment {
        id,
        seen,
        issuer: ParticipantId::new(r.u40("issuer")?),
        status: r.checked("status", Reader::u8, status_of)?,
        trace: if flags & 4 != 0 { Some(get_trace(r)?) } else { None },
        code: r.checked("code", |r, what| r.take(2, what), ResponseCode::new)?,
        text: r.text("text")?,
        approval: r.text("approval code")?,
        business_date: BusinessDate(r.u16("business date")?),
        cycle: r.u32("cycle")?,
        returned: r.checked("returned", Reader::u40, Amount::new)?,
        reversed: flags & 1 != 0,
        reversal_acknowledged: flags & 2 != 0,
        at: Timestamp(r.u64("time")?),
    })
}

const STATUSES: [Status; 5] =
    [Status::Pending, Status::Posted, Status::Voided, Status::Reversed, Status::Declined];

fn status_number(status: Status) -> u8 {
    match status {
        Status::Pending => 0,
        Status::Posted => 1,
        Status::Voided => 2,
        Status::Reversed => 3,
        Status::Declined => 4,
    }
}

fn status_of(number: u8) -> Option<Status> {
    STATUSES.get(usize::from(number)).copied()
}

fn get_tombstone(r: &mut Reader<'_>) -> Result<Tombstone, Corrupt> {
    match get_fact(r)? {
        Fact::Tombstone(tombstone) => Ok(tombstone),
        _ => Err(r.corrupt("tombstone")),
    }
}

fn get_advice(r: &mut Reader<'_>, version: u16) -> Result<(u64, Advice), Corrupt> {
    let number = r.u64("number of an advice")?;
    let advice = Advice {
        bank: r.checked("bank", Reader::u40, ParticipantId::new)?,
        payment: r.checked("payment id", Reader::u128, PaymentId::new)?,
        trace: get_trace(r)?,
        code: r.checked("code", |r, what| r.take(2, what), ResponseCode::new)?,
        actual: Amount::new(r.u40("actual amount")?).filter(|amount| !amount.is_zero()),
        since: Timestamp(r.u64("time")?),
        found: r.u8("found")? != 0,
        of: if version == 1 { Told::Reversal } else { r.checked("advice", Reader::u8, told)? },
    };
    Ok((number, advice))
}

fn told(number: u8) -> Option<Told> {
    [Told::Reversal, Told::Completion, Told::CompletionReversal]
        .into_iter()
        .find(|told| *told as u8 == number)
}

fn put_flows(w: &mut Writer<'_>, flows: &Flows) {
    count(w, flows.preauths().len());
    for (id, preauth) in flows.preauths() {
        w.u128(id.get()).u64(preauth.expires.0).u64(preauth.keep_until.0);
        w.u8(u8::from(preauth.completion.is_some()));
        if let Some(done) = &preauth.completion {
            w.u40(done.amount.minor()).u32(done.stan.get()).u32(done.transmitted.number());
            w.text(&done.rrn).u64(done.first_received.0);
            put_trace(w, done.advice);
        }
    }
    count(w, flows.linked().len());
    for (refund, original) in flows.linked() {
        w.u128(refund.get()).u128(original.get());
    }
    count(w, flows.days().len());
    for ((acquirer, retailer), day) in flows.days() {
        w.u40(acquirer.get()).text(&retailer).u16(day.date.0).u40(day.amount.minor());
    }
}

fn get_flows(r: &mut Reader<'_>) -> Result<FlowsKept, Corrupt> {
    let id = |r: &mut Reader<'_>| r.checked("payment id", Reader::u128, PaymentId::new);
    Ok(FlowsKept {
        preauths: list(r, |r| Ok((id(r)?, get_preauth(r)?)))?,
        linked: list(r, |r| Ok((id(r)?, id(r)?)))?,
        days: list(r, |r| {
            let acquirer = r.checked("acquirer", Reader::u40, ParticipantId::new)?;
            let retailer = r.text("retailer")?;
            let date = BusinessDate(r.u16("business date")?);
            let amount = r.checked("amount", Reader::u40, Amount::new)?;
            Ok(((acquirer, retailer), RefundDay { date, amount }))
        })?,
        old: (0, 0),
    })
}

fn get_kept(r: &mut Reader<'_>, payments: usize) -> Result<(usize, usize), Corrupt> {
    let (old, turn) = (r.u32("payments kept")? as usize, r.u32("next of them")? as usize);
    if old > payments || turn > 0 && turn >= old {
        return Err(r.corrupt("payments kept"));
    }
    Ok((old, turn))
}

fn get_preauth(r: &mut Reader<'_>) -> Result<PreAuth, Corrupt> {
    let (expires, keep_until) = (r.u64("expiry")?, r.u64("end")?);
    let completion = match r.u8("completed")? {
        0 => None,
        _ => Some(Completion {
            amount: r.checked("amount", Reader::u40, Amount::new)?,
            stan: r.checked("DE11", Reader::u32, Stan::new)?,
            transmitted: r.checked("DE7", Reader::u32, MonthTime::new)?,
            rrn: r.text("reference number")?,
            first_received: Timestamp(r.u64("first receipt")?),
            advice: get_trace(r)?,
        }),
    };
    let (expires, keep_until) = (Timestamp(expires), Timestamp(keep_until));
    Ok(PreAuth { expires, keep_until, completion })
}

fn put_trace(w: &mut Writer<'_>, trace: Trace) {
    w.u32(trace.stan.get()).u32(trace.transmitted.number());
}

fn get_trace(r: &mut Reader<'_>) -> Result<Trace, Corrupt> {
    Ok(Trace {
        stan: r.checked("DE11", Reader::u32, Stan::new)?,
        transmitted: r.checked("DE7", Reader::u32, MonthTime::new)?,
    })
}
