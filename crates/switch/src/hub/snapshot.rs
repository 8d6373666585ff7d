//! The hub's durable state as bytes: the body of a journal snapshot
//! (`docs/formats/records.md`, "Snapshot").
//!
//! Layout, little-endian: version u16; single values; the business records; caps; the fingerprints
//! of all payments and all their lives; the payments that are not cold; tombstones; advices;
//! retailers' days. Each list begins with its length (u32).
//!
//! It is made at once, or a few payments at a time while others are made (`copy`).

mod copy;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use scheme::{Amount, BusinessDate, ParticipantId, PaymentId, ResponseCode, Stan, Timestamp};

use super::flows::{Flows, RefundDay};
use super::gone::Gone;
use super::kept::{Kept, get_kept, get_payment, get_preauth, get_trace, put_kept, put_trace};
use super::state::{Advice, Position, Scalars, State, Told};
use crate::business::Directory;
use crate::bytes::{Corrupt, Reader, Writer};
use crate::fingerprint::Fingerprint;
use crate::record::{self, Fact, FindingKind, Tombstone};

/// 2 adds what an advice tells of, and pre-authorisations, linked refunds and retailers' days; 3
/// payments in the order in which they came, and how many of them are kept beyond their time; 4
/// leaves out what history has, and puts what a payment has beside it behind it; 5 has payments in
/// any order; 6 adds what an engine that answers later is asked about, and is written only where
/// there is such.
const VERSION: u16 = 6;
const NOTHING_PROPOSED: u16 = 5;
/// The first that leaves out what history has.
const COVERED: u16 = 4;

/// Why a snapshot's body was refused.
pub type SnapshotError = Corrupt;

pub(super) use copy::Copies;

impl super::Hub {
    /// The durable state as bytes.
    pub fn snapshot(&self, out: &mut Vec<u8>) {
        let state = &self.state;
        let mut w = Writer(out);
        put_head(&mut w, state);
        let hot = state.payments().hot();
        count(&mut w, hot.len());
        for (payment, life) in hot {
            put_hot(&mut w, &state.kept_of(payment, life), (life.retired, life.told));
        }
        put_tail(&mut w, state);
    }

    /// Puts the state back; only for a hub without a past.
    pub fn restore(&mut self, body: &[u8]) -> Result<(), SnapshotError> {
        let mut r = Reader::new(body);
        let version = r.u16("version")?;
        if !(1..=VERSION).contains(&version) {
            return Err(r.corrupt("a snapshot of a newer version"));
        }
        let scalars = get_scalars(&mut r, version)?;
        let directory = get_directory(&mut r)?;
        let Parts { payments, fingerprint, tombstones, advices, flows } = if version < COVERED {
            get_older(&mut r, version, scalars.records)?
        } else {
            get_newest(&mut r)?
        };
        let proposed = if version < VERSION { Vec::new() } else { list(&mut r, get_fact)? };
        r.finish()?;
        // A payment is long: its number is put in order, and not the payment.
        let mut order: Vec<(u64, usize)> =
            payments.iter().zip(0..).map(|((kept, _), place)| (kept.opened, place)).collect();
        order.sort_unstable();
        // The clock may have been set back since.
        let latest = payments.iter().map(|(kept, _)| kept.payment.at).max();
        self.now = self.now.max(latest.unwrap_or_default());
        let mut state = State::new(self.config.timers);
        let covered = scalars.covered;
        state.restore(Body {
            scalars,
            directory,
            payments,
            order: order.into_iter().map(|(_, place)| place).collect(),
            fingerprint,
            tombstones,
            advices,
            flows,
            proposed,
        });
        self.state = state;
        self.gone = if covered > 0 { Gone::unknown() } else { Gone::default() };
        Ok(())
    }
}

/// What stands before the payments.
fn put_head(w: &mut Writer<'_>, state: &State) {
    let any = state.proposed().next().is_some();
    w.u16(if any { VERSION } else { NOTHING_PROPOSED });
    put_scalars(w, state.scalars());
    w.u128(state.directory().fingerprint().0);
    put_facts(w, &state.directory().facts());
    count(w, state.directory().caps.len());
    for (participant, cap) in &state.directory().caps {
        w.u40(participant.get()).u40(cap.minor());
    }
    w.u128(state.payments().fingerprint().0).u128(state.flows().marks().0);
}

/// What stands behind them.
fn put_tail(w: &mut Writer<'_>, state: &State) {
    let tombstones = state.all_tombstones();
    count(w, tombstones.len());
    for tombstone in tombstones {
        put_fact(w, &Fact::Tombstone(tombstone.clone()));
    }
    count(w, state.advice_count());
    for (number, advice) in state.advices() {
        w.u64(number).u40(advice.bank.get()).u128(advice.payment.get());
        put_trace(w, advice.trace);
        w.bytes(&advice.code.bytes()).u40(advice.actual.map_or(0, Amount::minor));
        w.u64(advice.since.0).u8(u8::from(advice.found)).u8(advice.of as u8);
    }
    put_days(w, state.flows());
    let proposed: Vec<Fact> = state.proposed().cloned().collect();
    if !proposed.is_empty() {
        put_facts(w, &proposed);
    }
}

fn get_newest(r: &mut Reader<'_>) -> Result<Parts, Corrupt> {
    let fingerprint = Fingerprint(r.u128("payments fingerprint")?);
    let marks = Fingerprint(r.u128("flows fingerprint")?);
    let payments = list(r, get_hot)?;
    let tombstones = list(r, get_tombstone)?;
    let advices = list(r, |r| get_advice(r, VERSION))?;
    let days = list(r, get_day)?;
    Ok(Parts { payments, fingerprint, tombstones, advices, flows: FlowsKept { marks, days } })
}

fn count(w: &mut Writer<'_>, len: usize) {
    w.u32(u32::try_from(len).unwrap_or(u32::MAX));
}

fn list<T>(
    r: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let len = r.u32("length of a list")?;
    // The length is not trusted before its items are there: twice what is left bounds the memory,
    // as items are written in at least half of what they take.
    let most = r.left().saturating_mul(2).checked_div(size_of::<T>()).unwrap_or(0);
    let mut items = Vec::with_capacity(most.min(usize::try_from(len).unwrap_or(usize::MAX)));
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
    w.u64(scalars.records)
        .u64(scalars.covered)
        .u64(scalars.epoch)
        .u32(scalars.cycle)
        .u16(scalars.business_date.0);
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

fn get_scalars(r: &mut Reader<'_>, version: u16) -> Result<Scalars, Corrupt> {
    let participant =
        |r: &mut Reader<'_>| r.checked("participant", Reader::u40, ParticipantId::new);
    let signed = |r: &mut Reader<'_>| -> Result<i128, Corrupt> {
        Ok(i128::from_le_bytes(r.u128("position")?.to_le_bytes()))
    };
    Ok(Scalars {
        records: r.u64("records")?,
        covered: if version >= COVERED { r.u64("covered")? } else { 0 },
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

/// What a snapshot of an older version kept: payments by themselves, and lists of what they have
/// beside. None of them was covered, and each may have changed last with the last record.
fn get_older(r: &mut Reader<'_>, version: u16, records: u64) -> Result<Parts, Corrupt> {
    let mut payments = list(r, get_payment)?;
    let tombstones = list(r, get_tombstone)?;
    let advices = list(r, |r| get_advice(r, version))?;
    let id = |r: &mut Reader<'_>| r.checked("payment id", Reader::u128, PaymentId::new);
    let (mut preauths, mut linked) = (BTreeMap::new(), BTreeMap::new());
    let mut days = Vec::new();
    if version > 1 {
        preauths = list(r, |r| Ok((id(r)?, get_preauth(r)?)))?.into_iter().collect();
        linked = list(r, |r| Ok((id(r)?, id(r)?)))?.into_iter().collect();
        days = list(r, get_day)?;
    }
    if version == 3 {
        // How many were kept beyond their time.
        let (_, _) = (r.u32("payments kept")?, r.u32("next of them")?);
    }
    let fingerprints = payments.iter().map(Fingerprint::of);
    let fingerprint = fingerprints.fold(Fingerprint::default(), Fingerprint::and);
    let mut marks = Fingerprint::default();
    preauths.iter().for_each(|entry| marks.add(&entry));
    linked.iter().for_each(|entry| marks.add(&entry));
    // Before version 3 those kept beyond their time stood behind newer ones.
    payments.sort_by_key(|payment| payment.at);
    let kept = payments.into_iter().zip(1..).map(|(payment, opened)| {
        let id = payment.id;
        let (preauth, original) = (preauths.get(&id).copied(), linked.get(&id).copied());
        (Kept { payment, preauth, original, opened, last: records }, (false, false))
    });
    let flows = FlowsKept { marks, days };
    Ok(Parts { payments: kept.collect(), fingerprint, tombstones, advices, flows })
}

/// What a snapshot keeps.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) scalars: Scalars,
    pub(crate) directory: Directory,
    /// Those that are not cold; whether the last record of each says all of it, and whether any
    /// did.
    pub(crate) payments: Vec<(Kept, (bool, bool))>,
    /// Their places, in the order in which they came.
    pub(crate) order: Vec<usize>,
    /// Of all payments that ever were.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) tombstones: Vec<Tombstone>,
    pub(crate) advices: Vec<(u64, Advice)>,
    pub(crate) flows: FlowsKept,
    /// The oldest first.
    pub(crate) proposed: Vec<Fact>,
}

/// What a snapshot keeps of [`Flows`] beside the payments.
#[derive(Debug, Default)]
pub(crate) struct FlowsKept {
    pub(crate) marks: Fingerprint,
    pub(crate) days: Vec<((ParticipantId, scheme::RetailerId), RefundDay)>,
}

struct Parts {
    payments: Vec<(Kept, (bool, bool))>,
    fingerprint: Fingerprint,
    tombstones: Vec<Tombstone>,
    advices: Vec<(u64, Advice)>,
    flows: FlowsKept,
}

fn put_days(w: &mut Writer<'_>, flows: &Flows) {
    count(w, flows.days().len());
    for ((acquirer, retailer), day) in flows.days() {
        w.u40(acquirer.get()).text(&retailer).u16(day.date.0).u40(day.amount.minor());
    }
}

fn get_day(
    r: &mut Reader<'_>,
) -> Result<((ParticipantId, scheme::RetailerId), RefundDay), Corrupt> {
    let acquirer = r.checked("acquirer", Reader::u40, ParticipantId::new)?;
    let retailer = r.text("retailer")?;
    let date = BusinessDate(r.u16("business date")?);
    let amount = r.checked("amount", Reader::u40, Amount::new)?;
    Ok(((acquirer, retailer), RefundDay { date, amount }))
}

fn put_hot(w: &mut Writer<'_>, kept: &Kept, (retired, told): (bool, bool)) {
    put_kept(w, kept);
    w.u64(kept.last).u8(u8::from(retired) | (u8::from(told) << 1));
}

fn get_hot(r: &mut Reader<'_>) -> Result<(Kept, (bool, bool)), Corrupt> {
    let kept = get_kept(r)?;
    let last = r.u64("last record")?;
    let flags = r.u8("flags")?;
    Ok((Kept { last, ..kept }, (flags & 1 != 0, flags & 2 != 0)))
}
