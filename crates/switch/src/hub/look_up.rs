//! Messages that may mean a payment that only history has: they wait for a look-up, and are then
//! decided as if nothing had ever been let go, by the same code (R-MATCH).
//!
//! What was found joins the payments in memory. A message is looked up at most once for each key;
//! those that share its match key wait behind it, in order.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use scheme::{MtiClass, MtiFunction, Reason, Timestamp, TransactionKind};

use super::{Effect, Effects, Gone, Hub, Input, MatchKey, matching};
use crate::history::{HistoryKey, Indexed, Latest};
use crate::hub::Kept;
use crate::limits::{LOOK_UP_MS, LOOK_UPS_MAX, RETIRE_PER_TURN};
use crate::record::Fact;
use crate::request::{ReplyTo, Request};

/// A message that waits.
#[derive(Clone, Debug)]
struct Waiting {
    from: ReplyTo,
    request: Request,
    key: MatchKey,
    /// What was asked for, before and now.
    asked: Vec<HistoryKey>,
    /// What was found before: it may have been let go again.
    found: Vec<Kept>,
    until: Timestamp,
}

/// Those under way.
#[derive(Clone, Debug, Default)]
pub(super) struct LookUps {
    waiting: BTreeMap<u64, Waiting>,
    keys: BTreeSet<MatchKey>,
    next: u64,
}

impl LookUps {
    /// Whether a message with this key waits.
    pub(super) fn has(&self, key: &MatchKey) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first deadline: numbers rise with time.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.until)
    }

    fn take(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.keys.remove(&waiting.key);
        Some(waiting)
    }
}

impl Hub {
    /// Asks history for what a message may mean, if memory may not have all of it; whether the
    /// message waits now, or was refused.
    pub(super) fn looks_up(
        &mut self,
        from: ReplyTo,
        request: &Request,
        before: (&[HistoryKey], &[Kept]),
        out: &mut Effects,
    ) -> bool {
        let (asked, found) = before;
        let mut wanted = self.wanted(from, request);
        wanted.retain(|key| !asked.contains(key));
        if wanted.is_empty() {
            return false;
        }
        if !request.mti.tells() && self.look_ups.len() >= LOOK_UPS_MAX {
            self.refuse(from, Reason::History, request.rrn, out);
            return true;
        }
        let key = (request.acquirer, request.terminal, matching::waits_at(request));
        self.behind.entry(key).or_default();
        self.look_ups.keys.insert(key);
        let number = self.look_ups.next;
        self.look_ups.next = number.saturating_add(1);
        let since = self.look_up_since(request);
        out.push(Effect::FindInHistory { number, keys: wanted.clone(), since });
        wanted.extend_from_slice(asked);
        let waiting = Waiting {
            from,
            request: request.clone(),
            key,
            asked: wanted,
            found: found.to_vec(),
            until: self.now.plus_ms(LOOK_UP_MS),
        };
        self.look_ups.waiting.insert(number, waiting);
        true
    }

    /// Records older than this say nothing of what a message may mean.
    fn look_up_since(&self, request: &Request) -> Timestamp {
        let refund = request.processing.kind() == Some(TransactionKind::Refund);
        // A pre-authorisation may be repeated as long as it is remembered.
        let preauth = request.mti.class() == MtiClass::Authorisation;
        if refund || preauth || request.mti.function() == MtiFunction::Advice {
            return Timestamp::default();
        }
        let from = self.now.min(request.first_received);
        let window_ns = self.config.timers.window_ms.saturating_mul(1_000_000);
        Timestamp(from.0.saturating_sub(window_ns))
    }

    /// What a message is to be looked up by.
    fn wanted(&self, from: ReplyTo, request: &Request) -> Vec<HistoryKey> {
        if self.gone.is_empty() || !self.speaks_for(from.peer, request) {
            return Vec::new();
        }
        if request.mti.class() == MtiClass::Reversal {
            return self.wanted_of_reversal(request);
        }
        if request.mti.function() == MtiFunction::Advice {
            return self.wanted_of_advice(request);
        }
        if self.before_matching(from, request).is_some() {
            return Vec::new();
        }
        self.wanted_of_request(request)
    }

    /// A first request is looked up only if the filter knows its trace number, within the times in
    /// which anything could be the same.
    fn wanted_of_request(&self, request: &Request) -> Vec<HistoryKey> {
        let mut wanted = Vec::new();
        let timers = &self.config.timers;
        let window =
            if request.mti.is_repeat() { timers.repeat_ms } else { timers.same_content_ms };
        let received = request.first_received.seconds().saturating_sub(window / 1000);
        let local = request.local.nearest_seconds(self.config.zone.local(request.first_received));
        let key = HistoryKey::Stan(request.acquirer, request.terminal, request.stan);
        // A second for what whole seconds leave out.
        let alike = |at: &Latest| at.received.saturating_add(1) >= received || at.local >= local;
        if matching::same_moment(&self.state, timers, request).is_none()
            && self.gone.may_hold(key.hash(), alike)
        {
            wanted.push(key);
        }
        let named = request.original.filter(|original| original.stan != 0);
        let refund = request.processing.kind() == Some(TransactionKind::Refund);
        if refund && (named.is_some() || request.rrn_sent) {
            let (acquirer, terminal) = (request.acquirer, request.terminal);
            if request.rrn_sent {
                wanted.push(HistoryKey::Rrn(acquirer, request.rrn));
            }
            if named.is_some() {
                let stan = matching::stan_of(request);
                wanted.push(HistoryKey::Stan(acquirer, terminal, stan));
                // From any till of the shop.
                wanted.extend(
                    request
                        .card
                        .map(|card| HistoryKey::Card(acquirer, request.retailer, card.token, stan)),
                );
            }
        }
        wanted
    }

    fn wanted_of_reversal(&self, request: &Request) -> Vec<HistoryKey> {
        let timers = &self.config.timers;
        let mut wanted = self.wanted_by_name(request);
        // What DE90 names in memory is what is meant, and nothing that history has is so named.
        let by_name = matching::named_original(&self.state, timers, request).is_some();
        if request.rrn_sent && !(by_name && wanted.is_empty()) {
            wanted.push(HistoryKey::Rrn(request.acquirer, request.rrn));
        }
        // A refund that is undone gives back to the payment that it refunded.
        let original = matching::original(&self.state, timers, request);
        let of = original.and_then(|found| self.state.flows().original_of(found.payment.id));
        if let Some(of) = of.filter(|of| self.state.payments().get(*of).is_none()) {
            wanted.push(HistoryKey::Id(of));
        }
        wanted
    }

    fn wanted_of_advice(&self, request: &Request) -> Vec<HistoryKey> {
        if request.has_pin || request.mti.class() != MtiClass::Financial {
            return Vec::new();
        }
        let mut wanted = self.wanted_by_name(request);
        let by_name = matching::named_preauth(&self.state, request).is_some();
        if by_name && wanted.is_empty() {
            return wanted;
        }
        if request.rrn_sent {
            wanted.push(HistoryKey::Rrn(request.acquirer, request.rrn));
        }
        if let Some(card) = request.card.filter(|_| !request.approval.is_blank()) {
            wanted.push(HistoryKey::Hold(request.acquirer, request.retailer, card.token));
        }
        wanted
    }

    fn wanted_by_name(&self, request: &Request) -> Vec<HistoryKey> {
        let stan = matching::stan_of(request);
        let key = HistoryKey::Stan(request.acquirer, request.terminal, stan);
        if self.gone.may_hold(key.hash(), |_| true) { alloc::vec![key] } else { Vec::new() }
    }

    /// What history has. A look-up that failed, or that nobody waits for any more, changes nothing.
    pub(super) fn found_in_history(
        &mut self,
        number: u64,
        found: Option<Vec<Kept>>,
        out: &mut Effects,
    ) {
        let Some(mut waiting) = self.look_ups.take(number) else { return };
        let Some(found) = found else {
            return self.give_up(waiting, out);
        };
        waiting.found.extend(found);
        for kept in &waiting.found {
            self.state.find(kept);
        }
        let Waiting { from, request, key, asked, found, .. } = waiting;
        let decided_now = self.proposals.iter().any(|proposal| proposal.key == Some(key));
        if decided_now {
            let behind = self.behind.entry(key).or_default();
            behind.insert(0, Input::Request { from, request });
            return;
        }
        let behind = self.behind.remove(&key).unwrap_or_default();
        self.decide(from, request, (&asked, &found), out);
        for input in behind {
            self.take(input, out);
        }
    }

    /// No answer in time, or none at all: refused (96), whatever it is; nothing was changed.
    fn give_up(&mut self, waiting: Waiting, out: &mut Effects) {
        self.refuse(waiting.from, Reason::History, waiting.request.rrn, out);
        self.let_through(Some(waiting.key), out);
    }

    pub(super) fn look_ups_late(&mut self, out: &mut Effects) {
        while let Some((number, waiting)) = self.look_ups.waiting.first_key_value() {
            if waiting.until > self.now {
                return;
            }
            let number = *number;
            if let Some(waiting) = self.look_ups.take(number) {
                self.give_up(waiting, out);
            }
        }
    }

    /// Whether there are so many payments that history does not have yet that no new one fits.
    pub(super) fn has_too_many_new(&self) -> bool {
        self.state.payments().new_ones() >= self.config.new_payments_max
    }

    /// A segment can be read back.
    pub(super) fn indexed(&mut self, indexed: &Indexed, out: &mut Effects) {
        self.gone.add(indexed);
        if indexed.record > self.state.payments().covered() {
            self.commit(Fact::Covered { record: indexed.record }, out);
        }
        if indexed.whole {
            self.gone.is_whole();
        }
    }

    /// What a start has found in the indexes: all that is covered is in it, or in its rest.
    pub fn remember(&mut self, gone: Gone) {
        self.gone = gone;
    }

    /// Says all of those payments that are over and would else stay in memory for ever.
    pub(super) fn retire(&mut self, out: &mut Effects) {
        for id in self.state.rested(RETIRE_PER_TURN) {
            if self.is_proposed(id) || self.refunding(id).is_none_or(|sum| !sum.is_zero()) {
                continue;
            }
            if let Some(kept) = self.state.kept(id) {
                self.commit(Fact::Retired(alloc::boxed::Box::new(own(kept))), out);
            }
        }
    }

    /// Lets cold payments go, but for those about which something is being decided.
    pub(super) fn forget(&mut self) {
        let window = self.config.window_payments;
        if !self.state.payments().may_forget(window) {
            return;
        }
        let mut held = BTreeSet::new();
        for proposal in &self.proposals {
            let id = proposal.fact.payment();
            held.extend(id);
            held.extend(id.and_then(|id| self.state.flows().original_of(id)));
            if let Fact::Opened(opened) = &proposal.fact {
                held.extend(opened.original);
            }
        }
        self.state.forget(window, |id| held.contains(&id));
    }

    /// Says all of what a fact is about to change and only history has.
    pub(super) fn recall_for(&mut self, fact: &Fact, out: &mut Effects) {
        for id in self.state.changed_by(fact).into_iter().flatten() {
            if self.state.payments().is_cold(id)
                && let Some(kept) = self.state.kept(id)
            {
                self.commit(Fact::Recalled(alloc::boxed::Box::new(own(kept))), out);
            }
        }
    }
}

/// As a record has it, which is itself the last that changed the payment.
fn own(kept: Kept) -> Kept {
    Kept { last: kept.opened, ..kept }
}
