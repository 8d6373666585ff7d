//! The hub's durable state: what its records have made. Only [`State::apply`] changes it.

mod proposed;
mod tombstones;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::Hash;

use ledger::{TransferFlags, chart};
use scheme::{
    Amount, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, Rrn, Stan, TerminalId,
    Timestamp,
};

use super::flows::{Flows, PreAuth};
use super::kept::Kept;
use super::payments::{Payment, Payments, Status};
use super::snapshot::{Body, Copies};
use crate::business::Directory;
use crate::fingerprint::{Fingerprint, Fingerprinted};
use crate::legs::{self, Implied};
use crate::limits::TOMBSTONES_PER_TERMINAL_MAX;
use crate::record::{
    Closed, Completed, Fact, FindingKind, Outcome, Part, Record, Reversed, Tombstone,
};
use crate::request::Trace;
use crate::timers::Timers;
use proposed::Proposed;
pub(super) use proposed::goes_by_overcap;
use tombstones::Tombstones;

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
    /// What it tells of.
    pub of: Told,
}

/// What an advice tells an issuer of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Told {
    /// The request is undone, or a part of it (0420).
    Reversal,
    /// The pre-authorisation is completed (0220).
    Completion,
    /// The completion is undone, or a part of it (0420).
    CompletionReversal,
}

/// Single values of the state.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Scalars {
    pub(crate) records: u64,
    /// Everything up to this record can be read back.
    pub(crate) covered: u64,
    pub(crate) epoch: u64,
    pub(crate) cycle: u32,
    pub(crate) business_date: BusinessDate,
    pub(crate) advices_made: u64,
    pub(crate) positions: BTreeMap<ParticipantId, Position>,
    pub(crate) last_stan: BTreeMap<ParticipantId, Stan>,
    pub(crate) findings: BTreeMap<FindingKind, u64>,
}

/// The hub's durable state.
#[derive(Clone, Debug)]
pub struct State {
    timers: Timers,
    directory: Directory,
    payments: Payments,
    tombstones: Tombstones,
    /// In the order in which they came to be owed.
    advices: BTreeMap<u64, Advice>,
    advice_of: BTreeMap<(ParticipantId, Trace), u64>,
    /// How many each payment is owed.
    owed: BTreeMap<PaymentId, usize>,
    flows: Fingerprinted<Flows>,
    scalars: Fingerprinted<Scalars>,
    sets: Fingerprint,
    proposed: Proposed,
    /// What the last record moves.
    implied: Vec<Implied>,
    pub(super) copies: Copies,
}

impl State {
    pub(crate) fn new(timers: Timers) -> Self {
        Self {
            timers,
            directory: Directory::default(),
            payments: Payments::default(),
            tombstones: Tombstones::default(),
            advices: BTreeMap::new(),
            advice_of: BTreeMap::new(),
            owed: BTreeMap::new(),
            flows: Fingerprinted::default(),
            scalars: Fingerprinted::default(),
            sets: Fingerprint::default(),
            proposed: Proposed::default(),
            implied: Vec::new(),
            copies: Copies::default(),
        }
    }

    /// Takes a record. Decides nothing.
    pub(crate) fn apply(&mut self, record: &Record) {
        self.copy_before(&record.fact);
        let answers = self.move_money(&record.fact) || legs::has_accounts(&record.fact);
        self.directory.apply(&record.fact);
        let scalars = self.scalars.get_mut();
        scalars.records = scalars.records.saturating_add(1);
        let number = scalars.records;
        match &record.fact {
            Fact::Opened(opened) => {
                scalars.last_stan.insert(opened.issuer, opened.trace.stan);
                if opened.seen.is_refund() {
                    self.flows.get_mut().refund_opened(opened);
                } else if opened.seen.is_preauth() {
                    let terminal = (opened.seen.acquirer, opened.seen.terminal);
                    self.flows.get_mut().preauth_opened(terminal);
                }
                self.payments.insert(Payment::opened(opened, record.at), number, true);
                if let Some(original) = opened.original {
                    self.settle(original);
                }
                self.forget_tombstones(record.at);
            }
            Fact::Declined(declined) => {
                let payment = Payment::declined(declined, record.at);
                self.payments.insert(payment, number, false);
                self.forget_tombstones(record.at);
            }
            Fact::Closed(closed) => self.close(closed, record.at),
            Fact::Reversed(reversed) => self.reverse(reversed, record.at),
            Fact::Completed(completed) => self.complete(completed, record.at),
            Fact::Proposed(fact) => self.propose(fact),
            Fact::Dropped => self.answered(),
            Fact::Recalled(kept) => self.recall(kept),
            Fact::Retired(kept) => {
                self.payments.retire(kept.payment.id, number);
                self.settle(kept.payment.id);
            }
            Fact::Covered { record } => {
                scalars.covered = scalars.covered.max(*record);
                self.payments.cover(*record);
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
            | Fact::Changed { .. }
            | Fact::Removed(_)
            | Fact::Retailer { .. }
            | Fact::OvercapRepaid { .. }
            | Fact::Netted { .. } => {}
        }
        if answers {
            self.answered();
        }
    }

    fn close(&mut self, closed: &Closed, at: Timestamp) {
        if let Outcome::Voided { reason, advice } = closed.outcome {
            let code = why_voided(reason);
            self.owe(closed.id, Told::Reversal, advice, code, None, at);
        }
        self.change_open(closed.id, |payment| payment.close(closed));
        let Some(payment) = self.payments.get(closed.id) else { return };
        if payment.seen.is_preauth() {
            self.close_preauth(closed, at);
        } else if payment.seen.is_refund() {
            let posted = payment.status == Status::Posted;
            let (id, amount) = (payment.id, payment.seen.amount);
            self.flows.get_mut().refund_closed(payment, posted);
            let original = self.flows.get().original_of(id);
            if posted && let Some(original) = original {
                let number = self.records();
                self.payments.change(original, number, |payment| {
                    let returned = payment.returned.checked_add(amount);
                    payment.returned = returned.unwrap_or(payment.returned);
                });
            }
            if let Some(original) = original {
                self.settle(original);
            }
        }
        self.settle(closed.id);
    }

    /// A payment is open as long as something may still change it of itself, and until its records
    /// say all of it.
    fn settle(&mut self, id: PaymentId) {
        let Some(payment) = self.payments.get(id) else { return };
        let (retired, told) = self.payments.is_told(id);
        let settled = retired || !told && self.is_plain(payment);
        let open = !settled || self.is_in_use(payment);
        self.payments.set_open(id, open);
    }

    /// Whether its `opened` and `closed`, or its `declined`, say all of a payment.
    fn is_plain(&self, payment: &Payment) -> bool {
        matches!(payment.status, Status::Posted | Status::Declined)
            && !payment.reversed
            && !payment.reversal_acknowledged
            && payment.returned.is_zero()
            && self.flows.get().preauth(payment.id).is_none()
    }

    /// Whether something is under way that changes a payment.
    fn is_in_use(&self, payment: &Payment) -> bool {
        payment.status == Status::Pending
            || self.owed.contains_key(&payment.id)
            || self.proposed.changes(payment.id)
            || !self.flows.get().refunding(payment.id).is_zero()
    }

    /// Those that are over and can be read back, but for their end: a few at a time.
    pub(crate) fn rested(&mut self, most: usize) -> Vec<PaymentId> {
        let mut rested = self.payments.rested(most);
        rested.retain(|id| self.payments.get(*id).is_some_and(|p| !self.is_in_use(p)));
        rested
    }

    fn put_flows(&mut self, kept: &Kept) {
        if let Some(preauth) = kept.preauth {
            let held = kept.payment.status == Status::Pending;
            self.flows.get_mut().restore_preauth(&kept.payment, preauth, held);
        }
        if let Some(original) = kept.original {
            let in_flight = kept.payment.status == Status::Pending;
            self.flows.get_mut().restore_linked(&kept.payment, original, in_flight);
        }
    }

    fn recall(&mut self, kept: &Kept) {
        let is_new = self.payments.get(kept.payment.id).is_none();
        self.payments.recall(kept, self.records());
        if is_new {
            self.put_flows(kept);
        }
        self.payments.set_open(kept.payment.id, true);
    }

    /// Takes in a payment that was read back.
    pub(crate) fn find(&mut self, kept: &Kept) {
        if self.payments.find(kept) {
            self.put_flows(kept);
        }
    }

    /// Lets cold payments go, none that is `held`, and none while a snapshot is under way.
    pub(crate) fn forget(&mut self, window: usize, held: impl Fn(PaymentId) -> bool) {
        if self.copies.is_under_way() {
            return;
        }
        let mut gone = Vec::new();
        self.payments.forget(window, held, |payment| {
            if payment.seen.is_refund() || payment.seen.is_preauth() {
                gone.push(payment.clone());
            }
        });
        for payment in gone {
            self.flows.get_mut().forget(&payment);
        }
    }

    /// A change that may end a payment: a pre-authorisation that was open is counted no more.
    fn change_open(&mut self, id: PaymentId, change: impl FnOnce(&mut Payment)) {
        let was_open = self.payments.get(id).is_some_and(is_open_preauth);
        let number = self.records();
        self.payments.change(id, number, change);
        let ended = self.payments.get(id).filter(|payment| was_open && !is_open_preauth(payment));
        let Some(payment) = ended else { return };
        let terminal = (payment.seen.acquirer, payment.seen.terminal);
        self.flows.get_mut().preauth_ended(terminal);
    }

    fn close_preauth(&mut self, closed: &Closed, at: Timestamp) {
        let Some(payment) = self.payments.get(closed.id) else { return };
        match closed.outcome {
            Outcome::Held { .. } => {
                let expires = at.plus_ms(self.timers.preauth_ms);
                let late = expires.plus_ms(self.timers.late_completion_ms);
                // A station's advice may be days on its way, and is judged by its first receipt.
                let keep_until = late.plus_ms(self.timers.tombstone_ms);
                let preauth = PreAuth { expires, keep_until, completion: None };
                self.flows.get_mut().hold(payment, preauth);
            }
            Outcome::Posted { .. } | Outcome::Declined { .. } | Outcome::Voided { .. } => {
                self.flows.get_mut().released(closed.id);
            }
        }
    }

    fn reverse(&mut self, reversed: &Reversed, at: Timestamp) {
        let Some(payment) = self.payments.get(reversed.id) else { return };
        let (seen, was_refund) = (payment.seen, payment.seen.is_refund());
        let completed = self.flows.get().completion(reversed.id).is_some();
        let posted = self.flows.get().posted(payment);
        let actual = posted
            .checked_sub(reversed.returned)
            .filter(|actual| !actual.is_zero() && !reversed.in_flight);
        let told = if completed { Told::CompletionReversal } else { Told::Reversal };
        if seen.is_preauth() {
            self.flows.get_mut().released(reversed.id);
        } else if was_refund && reversed.in_flight {
            self.flows.get_mut().refund_closed(payment, false);
        } else if was_refund {
            self.flows.get_mut().refund_reversed(payment, reversed);
            if let Some(original) = self.flows.get().original_of(reversed.id) {
                let number = self.records();
                self.payments.change(original, number, |payment| {
                    let returned = payment.returned.checked_sub(reversed.returned);
                    payment.returned = returned.unwrap_or_default();
                    // With its refund undone it is no more returned in full.
                    if payment.status == Status::Reversed {
                        payment.status = Status::Posted;
                    }
                });
            }
        }
        self.owe(reversed.id, told, reversed.advice, reversed.code, actual, at);
        self.change_open(reversed.id, |payment| payment.reverse(reversed, posted));
        if let Some(original) = self.flows.get().original_of(reversed.id) {
            self.settle(original);
        }
        self.settle(reversed.id);
    }

    fn complete(&mut self, completed: &Completed, at: Timestamp) {
        // It can be refunded and reversed like any payment of now.
        let keep = at.plus_ms(self.timers.window_ms);
        if let Some(payment) = self.payments.get(completed.id) {
            self.flows.get_mut().complete(payment, completed, keep);
        }
        self.change_open(completed.id, Payment::complete);
        let told = Told::Completion;
        self.owe(completed.id, told, completed.advice, ResponseCode::APPROVED, None, at);
        self.settle(completed.id);
    }

    /// Whether there was any to move, or to be refused.
    fn move_money(&mut self, fact: &Fact) -> bool {
        let mut implied = core::mem::take(&mut self.implied);
        implied.clear();
        legs::transfers(self, fact, &mut implied);
        let any = !implied.is_empty();
        for Implied { transfer, refused } in &implied {
            if *refused {
                continue;
            }
            let amount = i128::try_from(transfer.amount).unwrap_or(0);
            if transfer.flags.contains(TransferFlags::PENDING) {
                self.moved(transfer.debit_account_id, |p| {
                    p.room = p.room.saturating_sub(amount);
                    p.held = p.held.saturating_add(amount);
                });
            } else if transfer.pending_id != 0 {
                self.release(transfer.pending_id, transfer.flags, transfer.amount);
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
        self.implied = implied;
        any
    }

    /// What the last record moves.
    pub(super) fn implied(&self) -> &[Implied] {
        &self.implied
    }

    /// A hold ends: `posted` of it, at most all, goes to the payee; the rest back to the payer.
    fn release(&mut self, hold: u128, flags: TransferFlags, posted: u128) {
        let Some(payment) = self.payments.get(PaymentId::of_transfer(hold)) else {
            return;
        };
        let Some(issuer) = payment.issuer else { return };
        let amount = i128::from(payment.seen.amount.minor());
        let route = legs::route(&payment.seen, issuer, self.directory.currency);
        let posts = flags.contains(TransferFlags::POST_PENDING);
        let posted = i128::try_from(posted).unwrap_or(amount).min(amount);
        let posted = if posts { posted } else { 0 };
        self.moved(route.from, |p| {
            p.held = p.held.saturating_sub(amount);
            p.room = p.room.saturating_add(amount).saturating_sub(posted);
        });
        self.moved(route.to, |p| p.room = p.room.saturating_add(posted));
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
        of: Told,
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
        let advice = Advice { bank, payment: id, trace, code, actual, since, found: false, of };
        self.sets.add(&advice);
        let owed = self.owed.entry(id).or_default();
        *owed = owed.saturating_add(1);
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
        if advice.of != Told::Completion {
            let number = self.records();
            let told = |payment: &mut Payment| payment.reversal_acknowledged = true;
            self.payments.change(advice.payment, number, told);
        }
        if let Some(owed) = self.owed.get_mut(&advice.payment) {
            *owed = owed.saturating_sub(1);
            if *owed == 0 {
                self.owed.remove(&advice.payment);
            }
        }
        self.settle(advice.payment);
    }

    /// Lets go what no later message can match. Driven by record times, so that a replay forgets
    /// the same.
    fn forget_tombstones(&mut self, now: Timestamp) {
        let before = |ms: u64| Timestamp(now.0.saturating_sub(ms.saturating_mul(1_000_000)));
        let horizon = before(self.timers.tombstone_ms);
        while let Some(gone) = self.tombstones.pop_before(horizon) {
            self.sets.remove(&gone);
        }
    }

    fn bury(&mut self, tombstone: Tombstone) {
        let terminal = (tombstone.acquirer, tombstone.terminal);
        if self.tombstones.count(terminal) >= TOMBSTONES_PER_TERMINAL_MAX
            && let Some(gone) = self.tombstones.pop_of(terminal)
        {
            self.sets.remove(&gone);
        }
        self.sets.add(&tombstone);
        self.tombstones.push(tombstone);
    }

    /// The payments that a decision changes, which must be in memory.
    pub fn changed_by(&self, fact: &Fact) -> [Option<PaymentId>; 2] {
        let flows = self.flows.get();
        match fact.part() {
            Some(Part::Opened(opened)) => [opened.original, None],
            Some(Part::Closed(closed)) => [Some(closed.id), flows.original_of(closed.id)],
            Some(Part::Reversed(reversed)) => [Some(reversed.id), flows.original_of(reversed.id)],
            Some(Part::Completed(completed)) => [Some(completed.id), None],
            Some(Part::Declined(_) | Part::Whole(_)) | None => [None, None],
        }
    }

    /// Pre-authorisations and refunds.
    pub fn flows(&self) -> &Flows {
        self.flows.get()
    }

    /// The business part.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Memory for so many more payments, in hand before they come.
    pub(super) fn make_room(&mut self, payments: usize) {
        self.payments.make_room(payments);
    }

    /// For those that take records alone.
    pub(super) fn payments_mut(&mut self) -> &mut Payments {
        &mut self.payments
    }

    /// Payments under way and in the match window.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Reversals whose original has not come, with this acquirer, terminal and DE11 of the
    /// original, in the order in which they came.
    pub fn tombstones_by_stan(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        stan: Stan,
    ) -> impl Iterator<Item = &Tombstone> {
        self.tombstones.by_stan((acquirer, terminal, stan))
    }

    /// The same by the DE37 that they were sent with.
    pub fn tombstones_by_rrn(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        rrn: Rrn,
    ) -> impl Iterator<Item = &Tombstone> {
        self.tombstones.by_rrn((acquirer, terminal, rrn))
    }

    /// How many a terminal has, [`TOMBSTONES_PER_TERMINAL_MAX`] at most.
    pub fn tombstone_count(&self, acquirer: ParticipantId, terminal: TerminalId) -> usize {
        self.tombstones.count((acquirer, terminal))
    }

    /// All of them in the order in which they came, from which [`Self::restore`] makes the same.
    pub(crate) fn all_tombstones(&self) -> Vec<&Tombstone> {
        self.tombstones.in_order()
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
            .and(self.flows.fingerprint())
            .and(self.proposed.fingerprint())
    }

    pub(crate) fn scalars(&self) -> &Scalars {
        self.scalars.get()
    }

    /// Puts back what a snapshot kept.
    pub(crate) fn restore(&mut self, body: Body) {
        let Body { scalars, directory, payments, order, tombstones, advices, flows, .. } = body;
        let payments = || order.iter().filter_map(|place| payments.get(*place));
        self.directory = directory;
        self.payments.restore(scalars.covered);
        for (kept, told) in payments() {
            if is_open_preauth(&kept.payment) {
                let terminal = (kept.payment.seen.acquirer, kept.payment.seen.terminal);
                self.flows.get_mut().preauth_opened(terminal);
            }
            self.payments.restore_hot(kept, *told);
            self.put_flows(kept);
        }
        for (till, day) in flows.days {
            self.flows.get_mut().restore_day(till, day);
        }
        self.flows.get_mut().restore_marks(flows.marks);
        for tombstone in tombstones {
            self.bury(tombstone);
        }
        for (number, advice) in advices {
            self.sets.add(&advice);
            let owed = self.owed.entry(advice.payment).or_default();
            *owed = owed.saturating_add(1);
            self.advice_of.insert((advice.bank, advice.trace), number);
            self.advices.insert(number, advice);
        }
        self.scalars = Fingerprinted::new(scalars);
        for fact in &body.proposed {
            self.propose(fact);
        }
        for (kept, _) in payments() {
            self.settle(kept.payment.id);
        }
        self.payments.restored(body.fingerprint);
    }
}

fn is_open_preauth(payment: &Payment) -> bool {
    payment.seen.is_preauth() && payment.status == Status::Pending
}

/// DE39 of the advice that a void owes: 22 where the issuer's answer made no sense, 68 where none
/// came in time (R-DE39).
fn why_voided(reason: Reason) -> ResponseCode {
    ResponseCode::of(if reason == Reason::IssuerAnswer { b"22" } else { b"68" })
}

fn owner(account: u128, kind: chart::Kind) -> Option<ParticipantId> {
    chart::AccountName::of(account).filter(|name| name.kind == kind)?.participant
}
