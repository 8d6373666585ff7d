//! The hub's durable state: what its records have made. Only [`State::apply`] changes it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ledger::{TransferFlags, chart};
use scheme::{
    Amount, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, Stan, TerminalId,
    Timestamp,
};

use super::payments::{Payment, Payments, Status};
use crate::business::Directory;
use crate::fingerprint::{Fingerprint, Fingerprinted};
use crate::legs::{self, Implied};
use crate::record::{Fact, FindingKind, Outcome, Record, Tombstone};
use crate::request::Trace;
use crate::timers::Timers;

/// A participant's money, as the hub reckons it beside the ledger: to know when an overcap can be
/// repaid and what a netting moves. The ledger decides; `ledger verify` compares the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Position {
    /// What new holds may still take: credits posted less debits posted and pending.
    pub room: i128,
    /// Held for payments under way.
    pub held: i128,
    /// Owed on the overcap account.
    pub overcap: i128,
}

/// An advice that an issuer has not acknowledged yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Advice {
    /// The issuer.
    pub bank: ParticipantId,
    /// The payment that it is about.
    pub payment: PaymentId,
    /// DE11 and DE7 of the advice and all its repeats.
    pub trace: Trace,
    /// DE39: why.
    pub code: ResponseCode,
    /// DE95: what really was paid, when only a part goes back.
    pub actual: Option<Amount>,
    /// When it came to be owed.
    pub since: Timestamp,
    /// Whether it has been found to wait for too long.
    pub found: bool,
}

/// Single values of the state.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Scalars {
    pub(crate) records: u64,
    pub(crate) epoch: u64,
    pub(crate) cycle: u32,
    pub(crate) business_date: BusinessDate,
    pub(crate) advices_made: u64,
    pub(crate) positions: BTreeMap<ParticipantId, Position>,
    pub(crate) last_stan: BTreeMap<ParticipantId, Stan>,
    pub(crate) findings: BTreeMap<FindingKind, u64>,
}

type TerminalKey = (ParticipantId, TerminalId);

/// The hub's durable state.
#[derive(Clone, Debug)]
pub struct State {
    timers: Timers,
    directory: Directory,
    payments: Payments,
    tombstones: HashMap<TerminalKey, Vec<Tombstone>, FixedState>,
    tombstone_order: BTreeSet<(Timestamp, TerminalKey)>,
    /// In the order in which they came to be owed.
    advices: BTreeMap<u64, Advice>,
    advice_of: BTreeMap<(ParticipantId, Trace), u64>,
    scalars: Fingerprinted<Scalars>,
    sets: Fingerprint,
}

impl State {
    pub(crate) fn new(timers: Timers) -> Self {
        Self {
            timers,
            directory: Directory::default(),
            payments: Payments::default(),
            tombstones: HashMap::default(),
            tombstone_order: BTreeSet::new(),
            advices: BTreeMap::new(),
            advice_of: BTreeMap::new(),
            scalars: Fingerprinted::default(),
            sets: Fingerprint::default(),
        }
    }

    /// Takes a record. Decides nothing.
    pub(crate) fn apply(&mut self, record: &Record) {
        self.move_money(&record.fact);
        self.directory.apply(&record.fact);
        let scalars = self.scalars.get_mut();
        scalars.records = scalars.records.saturating_add(1);
        match &record.fact {
            Fact::Opened(opened) => {
                scalars.last_stan.insert(opened.issuer, opened.trace.stan);
                self.payments.insert(Payment::opened(opened, record.at));
                self.forget(record.at);
            }
            Fact::Declined(declined) => {
                self.payments.insert(Payment::declined(declined, record.at));
                self.forget(record.at);
            }
            Fact::Closed(closed) => {
                if let Outcome::Voided { reason, advice } = closed.outcome {
                    self.owe(closed.id, advice, why_voided(reason), None, record.at);
                }
                self.payments.change(closed.id, |payment| payment.close(closed));
            }
            Fact::Reversed(reversed) => {
                let amount = self.payments.get(reversed.id).map(|payment| payment.seen.amount);
                let actual = amount
                    .and_then(|amount| amount.checked_sub(reversed.returned))
                    .filter(|actual| !actual.is_zero() && !reversed.in_flight);
                self.owe(reversed.id, reversed.advice, reversed.code, actual, record.at);
                self.payments.change(reversed.id, |payment| payment.reverse(reversed));
            }
            Fact::Tombstone(tombstone) => self.bury(tombstone.clone()),
            Fact::Discharged { bank, trace, .. } => self.discharge(*bank, *trace),
            Fact::Finding(finding) => {
                let count = scalars.findings.entry(finding.kind).or_default();
                *count = count.saturating_add(1);
                if finding.kind == FindingKind::AdviceStuck {
                    self.found_stuck(finding.payment);
                }
            }
            Fact::Epoch { epoch } => scalars.epoch = *epoch,
            Fact::Cutover { cycle, date } => {
                scalars.cycle = *cycle;
                scalars.business_date = *date;
            }
            Fact::Nation { .. }
            | Fact::Station { .. }
            | Fact::Participant { .. }
            | Fact::Route { .. }
            | Fact::Terminal { .. }
            | Fact::Cap { .. }
            | Fact::HotCard { .. }
            | Fact::OvercapRepaid { .. }
            | Fact::Netted { .. } => {}
        }
    }

    fn move_money(&mut self, fact: &Fact) {
        let mut implied = Vec::new();
        legs::transfers(self, fact, &mut implied);
        for Implied { transfer, refused } in implied {
            if refused {
                continue;
            }
            let amount = i128::try_from(transfer.amount).unwrap_or(0);
            if transfer.flags.contains(TransferFlags::PENDING) {
                self.moved(transfer.debit_account_id, |p| {
                    p.room = p.room.saturating_sub(amount);
                    p.held = p.held.saturating_add(amount);
                });
            } else if transfer.pending_id != 0 {
                self.release(transfer.pending_id, transfer.flags);
            } else {
                self.moved(transfer.debit_account_id, |p| {
                    p.room = p.room.saturating_sub(amount);
                });
                self.moved(transfer.credit_account_id, |p| {
                    p.room = p.room.saturating_add(amount);
                });
                self.moved_overcap(transfer.debit_account_id, amount);
                self.moved_overcap(transfer.credit_account_id, amount.saturating_neg());
            }
        }
    }

    /// A hold ends: posted to the acquirer, or given back to the issuer.
    fn release(&mut self, hold: u128, flags: TransferFlags) {
        let Some(payment) = self.payments.get(PaymentId::of_transfer(hold)) else {
            return;
        };
        let Some(issuer) = payment.issuer else { return };
        let amount = i128::from(payment.seen.amount.minor());
        let route = legs::route(issuer, payment.seen.acquirer, self.directory.currency);
        let posted = flags.contains(TransferFlags::POST_PENDING);
        self.moved(route.from, |p| {
            p.held = p.held.saturating_sub(amount);
            if !posted {
                p.room = p.room.saturating_add(amount);
            }
        });
        if posted {
            self.moved(route.to, |p| p.room = p.room.saturating_add(amount));
        }
    }

    fn moved(&mut self, account: u128, change: impl FnOnce(&mut Position)) {
        if let Some(owner) = owner(account, chart::Kind::Position) {
            change(self.scalars.get_mut().positions.entry(owner).or_default());
        }
    }

    fn moved_overcap(&mut self, account: u128, amount: i128) {
        if let Some(owner) = owner(account, chart::Kind::Overcap) {
            let position = self.scalars.get_mut().positions.entry(owner).or_default();
            position.overcap = position.overcap.saturating_add(amount);
        }
    }

    fn owe(
        &mut self,
        id: PaymentId,
        trace: Trace,
        code: ResponseCode,
        actual: Option<Amount>,
        since: Timestamp,
    ) {
        let Some(bank) = self.payments.get(id).and_then(|payment| payment.issuer) else {
            return;
        };
        let scalars = self.scalars.get_mut();
        scalars.last_stan.insert(bank, trace.stan);
        let number = scalars.advices_made;
        scalars.advices_made = number.saturating_add(1);
        let advice = Advice { bank, payment: id, trace, code, actual, since, found: false };
        self.sets.add(&advice);
        self.advices.insert(number, advice);
        self.advice_of.insert((bank, trace), number);
    }

    fn found_stuck(&mut self, payment: Option<PaymentId>) {
        let owed = self.advices.values_mut();
        for advice in owed.filter(|advice| Some(advice.payment) == payment) {
            self.sets.remove(&*advice);
            advice.found = true;
            self.sets.add(&*advice);
        }
    }

    fn discharge(&mut self, bank: ParticipantId, trace: Trace) {
        let Some(number) = self.advice_of.remove(&(bank, trace)) else {
            return;
        };
        let Some(advice) = self.advices.remove(&number) else {
            return;
        };
        self.sets.remove(&advice);
        self.payments.change(advice.payment, |payment| payment.reversal_acknowledged = true);
    }

    /// Lets go what no later message can match. Driven by record times, so that a replay forgets
    /// the same.
    fn forget(&mut self, now: Timestamp) {
        let before = |ms: u64| Timestamp(now.0.saturating_sub(ms.saturating_mul(1_000_000)));
        let owed = &self.advices;
        let kept = |payment: &Payment| {
            payment.status == Status::Pending
                || (payment.reversed || payment.status == Status::Voided)
                    && !payment.reversal_acknowledged
                    && owed.values().any(|advice| advice.payment == payment.id)
        };
        self.payments.forget(before(self.timers.window_ms), kept);
        let horizon = before(self.timers.tombstone_ms);
        while let Some((since, key)) = self.tombstone_order.first().copied() {
            if since >= horizon {
                return;
            }
            self.tombstone_order.pop_first();
            let Some(tombstones) = self.tombstones.get_mut(&key) else {
                continue;
            };
            for gone in tombstones.extract_if(.., |t| t.first_received < horizon) {
                self.sets.remove(&gone);
            }
            if tombstones.is_empty() {
                self.tombstones.remove(&key);
            }
        }
    }

    fn bury(&mut self, tombstone: Tombstone) {
        let key = (tombstone.acquirer, tombstone.terminal);
        self.sets.add(&tombstone);
        self.tombstone_order.insert((tombstone.first_received, key));
        self.tombstones.entry(key).or_default().push(tombstone);
    }

    /// The business part.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Payments under way and in the match window.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Reversals of a terminal whose original has not come, newest first.
    pub fn tombstones(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
    ) -> impl Iterator<Item = &Tombstone> {
        self.tombstones.get(&(acquirer, terminal)).into_iter().flatten().rev()
    }

    /// All of them, each terminal's oldest first, in the order in which they are forgotten.
    pub(crate) fn all_tombstones(&self) -> Vec<&Tombstone> {
        let mut all: Vec<_> = self.tombstones.values().flatten().collect();
        all.sort_by_key(|tombstone| {
            (tombstone.first_received, tombstone.acquirer, tombstone.terminal, tombstone.stan)
        });
        all
    }

    /// Advices that issuers owe an acknowledgement for, with their numbers, in order.
    pub fn advices(&self) -> impl Iterator<Item = (u64, &Advice)> {
        self.advices.iter().map(|(number, advice)| (*number, advice))
    }

    /// One of them.
    pub fn advice(&self, number: u64) -> Option<&Advice> {
        self.advices.get(&number)
    }

    /// The number of the advice that a bank knows by this trace.
    pub fn advice_number(&self, bank: ParticipantId, trace: Trace) -> Option<u64> {
        self.advice_of.get(&(bank, trace)).copied()
    }

    /// How many advices are owed.
    pub fn advice_count(&self) -> usize {
        self.advices.len()
    }

    /// A participant's money.
    pub fn position(&self, participant: ParticipantId) -> Position {
        self.scalars.get().positions.get(&participant).copied().unwrap_or_default()
    }

    /// The last DE11 that a record gave a bank.
    pub fn last_stan(&self, bank: ParticipantId) -> Option<Stan> {
        self.scalars.get().last_stan.get(&bank).copied()
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.scalars.get().epoch
    }

    /// The settlement cycle; 0 before the first.
    pub fn cycle(&self) -> u32 {
        self.scalars.get().cycle
    }

    /// The business date.
    pub fn business_date(&self) -> BusinessDate {
        self.scalars.get().business_date
    }

    /// How many records have made this state.
    pub fn records(&self) -> u64 {
        self.scalars.get().records
    }

    /// How many findings of each kind.
    pub fn findings(&self) -> &BTreeMap<FindingKind, u64> {
        &self.scalars.get().findings
    }

    /// Everything that two equal states have in common.
    pub fn fingerprint(&self) -> Fingerprint {
        self.sets
            .and(self.payments.fingerprint())
            .and(self.directory.fingerprint())
            .and(self.scalars.fingerprint())
    }

    pub(crate) fn scalars(&self) -> &Scalars {
        self.scalars.get()
    }

    /// Puts back what a snapshot kept.
    pub(crate) fn restore(
        &mut self,
        scalars: Scalars,
        directory: Directory,
        payments: Vec<Payment>,
        tombstones: Vec<Tombstone>,
        advices: Vec<(u64, Advice)>,
    ) {
        self.directory = directory;
        for payment in payments {
            self.payments.insert(payment);
        }
        for tombstone in tombstones {
            self.bury(tombstone);
        }
        for (number, advice) in advices {
            self.sets.add(&advice);
            self.advice_of.insert((advice.bank, advice.trace), number);
            self.advices.insert(number, advice);
        }
        self.scalars = Fingerprinted::new(scalars);
    }
}

/// DE39 of the advice that a void owes: 22 where the issuer's answer made no sense, 68 where none
/// came in time (R-DE39).
fn why_voided(reason: Reason) -> ResponseCode {
    ResponseCode::of(if reason == Reason::IssuerAnswer { b"22" } else { b"68" })
}

fn owner(account: u128, kind: chart::Kind) -> Option<ParticipantId> {
    chart::AccountName::of(account).filter(|name| name.kind == kind)?.participant
}
