//! What the hub asks of its engine, and what follows from the answers.
//!
//! A decision that needs accounts or moves money is *proposed*. One batch is under way at the
//! engine and the next forms, so that answers come in the order of proposals whatever they lead to.
//! An engine in this process answers before anything else happens. One that answers later may have
//! done what it was asked while the hub dies, so each decision is a record before the engine is
//! asked about it, and is asked about again, first and in the same order, after a recovery: ids
//! make that harmless (`docs/decisions/0012-an-engine-that-answers-later.md`).
//!
//! What bounds it: [`ENGINE_BATCH_MAX`] or [`ENGINE_LATER_BATCH_MAX`] of a batch, and
//! [`PROPOSALS_MAX`] or [`ENGINE_SLOW_MS`] before new payments are refused; what may not be
//! refused is bounded by the credit of its links.

use alloc::vec::Vec;

use ledger::{AccountStatus, TransferStatus};
use scheme::{PaymentId, Reason, Timestamp};

use super::state::goes_by_overcap;
use super::{Effect, Effects, Flight, Hub, Input, MatchKey, Next};
use crate::legs;
use crate::limits::{ENGINE_BATCH_MAX, ENGINE_LATER_BATCH_MAX, ENGINE_SLOW_MS, PROPOSALS_MAX};
use crate::record::{Fact, Outcome, Part};
use crate::request::{Carried, ReplyTo, Request, text25};

/// When the engine answers what it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answers {
    /// Before the next input: it is in this process.
    AtOnce,
    /// After other inputs, and perhaps only to the hub that comes after this one: it is a cluster.
    Later,
}

/// A decision that the engine has been asked about, or will be.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) fact: Fact,
    /// Of [`Hub::proposed`]; none where it is asked for accounts.
    pub(super) transfers: usize,
    pub(super) next: Next,
    pub(super) key: Option<MatchKey>,
    /// Whether a record says so already.
    recorded: bool,
}

impl Hub {
    /// Asks the engine for what `fact` implies; commits it at once when that is nothing.
    pub(super) fn propose(
        &mut self,
        fact: Fact,
        next: Next,
        key: Option<MatchKey>,
        out: &mut Effects,
    ) {
        self.implied.clear();
        legs::transfers(&self.state, &fact, &mut self.implied);
        // A refused transfer has been asked for already: its refusal led to this fact.
        self.implied.retain(|leg| !leg.refused);
        let transfers = self.implied.len();
        if transfers == 0 && !legs::has_accounts(&fact) {
            self.settle(fact, next, out);
            return;
        }
        if let Some(key) = key {
            self.behind.entry(key).or_default();
        }
        self.proposed.extend(self.implied.iter().map(|leg| leg.transfer));
        self.proposals.push_back(Proposal { fact, transfers, next, key, recorded: false });
    }

    /// Brings what was proposed last, beyond these many, before all else that waits: the second way
    /// of what the engine has just refused, so that a replay meets the refusal too; a netting,
    /// which was reckoned without what waits.
    pub(super) fn put_first(&mut self, waiting: usize) {
        // Or the next answer of the engine would be taken for this one's: see `ask_engine`.
        assert!(self.asked_engine == 0, "nothing is put before what the engine is asked about");
        let new = self.proposals.len().saturating_sub(waiting);
        let transfers = self.proposals.iter().skip(waiting).map(|new| new.transfers).sum();
        self.proposed.rotate_right(transfers);
        self.proposals.rotate_right(new);
    }

    /// The second way of what the engine has just refused.
    pub(super) fn propose_first(
        &mut self,
        fact: Fact,
        next: Next,
        key: Option<MatchKey>,
        out: &mut Effects,
    ) {
        let waiting = self.proposals.len();
        self.propose(fact, next, key, out);
        self.put_first(waiting);
    }

    /// Asks the engine about what is proposed, unless it is being asked.
    pub(super) fn ask_engine(&mut self, out: &mut Effects) {
        if self.asked_engine > 0 || self.proposals.is_empty() {
            return;
        }
        let most = match self.config.engine {
            Answers::AtOnce => ENGINE_BATCH_MAX,
            Answers::Later => ENGINE_LATER_BATCH_MAX,
        };
        let mut transfers = 0usize;
        for proposal in &self.proposals {
            let more = transfers.saturating_add(proposal.transfers);
            // Accounts are asked for by themselves.
            if more > most || proposal.transfers == 0 {
                break;
            }
            transfers = more;
            self.asked_engine = self.asked_engine.saturating_add(1);
            // One that may be refused and go on by the overcap account ends its batch: nothing may
            // come between its refusal and what follows, or a replay would not be refused.
            if may_go_by_overcap(&proposal.fact) {
                break;
            }
        }
        self.asked_at = self.now;
        if transfers == 0 {
            self.asked_engine = 1;
        }
        if self.config.engine == Answers::Later {
            self.record_proposals(out);
        }
        if transfers > 0 {
            out.push(Effect::Transfers(self.proposed.drain(..transfers).collect()));
        } else if let Some(proposal) = self.proposals.front() {
            let mut accounts = Vec::new();
            legs::accounts(&self.state, &proposal.fact, &mut accounts);
            out.push(Effect::Accounts(accounts));
        }
    }

    /// Before a cluster may have done something, a record says what.
    fn record_proposals(&mut self, out: &mut Effects) {
        for place in 0..self.asked_engine {
            let Some(proposal) = self.proposals.get_mut(place) else { return };
            if core::mem::replace(&mut proposal.recorded, true) {
                continue;
            }
            let fact = proposal.fact.clone();
            // What it changes is in hand, whatever becomes of it.
            self.recall_for(&fact, out);
            self.commit(Fact::Proposed(alloc::boxed::Box::new(fact)), out);
        }
    }

    /// What was under way when the hub that was here before ended: before anything else is asked.
    pub(super) fn take_up(&mut self, out: &mut Effects) {
        if !self.proposals.is_empty() {
            return;
        }
        let left: Vec<Fact> = self.state.proposed().cloned().collect();
        for fact in left {
            let (next, seen) = if let Fact::Opened(opened) = &fact {
                (Next::Restarted, Some(&opened.seen))
            } else {
                let next = if is_business(&fact) { Next::Business } else { Next::Nothing };
                let payment = fact.payment().and_then(|id| self.state.payments().get(id));
                (next, payment.map(|payment| &payment.seen))
            };
            let key = seen.map(|seen| (seen.acquirer, seen.terminal, seen.stan));
            self.propose(fact, next, key, out);
            if let Some(last) = self.proposals.back_mut() {
                last.recorded = true;
            }
        }
    }

    pub(super) fn transfer_results(&mut self, results: &[TransferStatus], out: &mut Effects) {
        let mut rest = results;
        while let Some(left) = self.asked_engine.checked_sub(1) {
            self.asked_engine = left;
            let Some(mut proposal) = self.proposals.pop_front() else { return };
            let own = rest.split_off(..proposal.transfers);
            // The host answers every transfer of a batch, or the books and the state part ways.
            let own = own.expect("the engine answers every transfer that it was asked for");
            let refused = own.iter().copied().find(|status| *status != TransferStatus::Ok);
            let key = proposal.key;
            if let Fact::Opened(opened) = &mut proposal.fact {
                // The cycle is that in which the hold becomes durable (R-TIME).
                opened.business_date = self.state.business_date();
                opened.cycle = self.state.cycle();
            }
            match refused {
                None => self.settle(proposal.fact, proposal.next, out),
                Some(status) => self.refused(proposal, status, out),
            }
            self.let_through(key, out);
        }
        self.do_business(out);
        self.between_batches(out);
    }

    pub(super) fn account_results(&mut self, results: &[AccountStatus], out: &mut Effects) {
        let fine =
            |status: &AccountStatus| matches!(status, AccountStatus::Ok | AccountStatus::Exists);
        // The chart of accounts gives each id one shape, so nothing else can stand in the way.
        assert!(
            results.iter().all(fine),
            "the ledger refused an account of the chart: {results:?}"
        );
        self.asked_engine = 0;
        let Some(proposal) = self.proposals.pop_front() else { return };
        self.settle(proposal.fact, proposal.next, out);
        self.do_business(out);
        self.between_batches(out);
    }

    /// What is due and needs the engine, while it is asked about nothing.
    pub(super) fn between_batches(&mut self, out: &mut Effects) {
        // What a record has proposed already goes before all else, and so does the second way of a
        // refused decision.
        let urgent = |first: &Proposal| first.recorded || goes_by_overcap(&first.fact);
        if self.asked_engine > 0 || self.proposals.front().is_some_and(urgent) {
            return;
        }
        self.expire_holds(out);
        if self.cutover_at.is_some_and(|at| at <= self.now) {
            self.cut_over(out);
        }
    }

    /// Takes a change of the business part. Each is decided by what those before it have made.
    pub(super) fn business(&mut self, input: Input, out: &mut Effects) {
        self.take_up(out);
        self.business.push_back(input);
        self.do_business(out);
    }

    fn do_business(&mut self, out: &mut Effects) {
        while !self.business.is_empty()
            && !self.proposals.iter().any(|one| matches!(one.next, Next::Business))
        {
            match self.business.pop_front() {
                Some(Input::Business(fact)) => self.propose(fact, Next::Business, None, out),
                Some(Input::Resolve) => self.resolve(out),
                Some(_) | None => return,
            }
        }
    }

    /// The engine refused a transfer. Only a limit may be met; anything else means that the books
    /// and the state disagree, and going on would make it worse.
    fn refused(&mut self, proposal: Proposal, status: TransferStatus, out: &mut Effects) {
        if let (true, Fact::Opened(opened)) = (used_before(status), &proposal.fact) {
            // The ledger remembers ids for longer than the match window lasts.
            self.drop_proposal(out);
            if let Next::Ask { from, .. } = &proposal.next {
                self.refuse(*from, Reason::Duplicate, opened.seen.rrn, out);
            }
            return;
        }
        assert!(
            status == TransferStatus::ExceedsCredits,
            "the ledger refused with {status:?}, which no proposal can meet: {:?}",
            proposal.fact
        );
        match (proposal.fact, proposal.next) {
            (Fact::Opened(opened), Next::Ask { from, .. }) => {
                self.decline_cap(Some(from), opened, out);
            }
            (Fact::Opened(opened), _) => self.decline_cap(None, opened, out),
            (Fact::Reversed(reversed), next) => self.reverse_by_overcap(reversed, next, out),
            (Fact::Completed(completed), next) => self.complete_by_overcap(completed, next, out),
            (Fact::Cap { .. } | Fact::OvercapRepaid { .. }, _) => self.drop_proposal(out),
            (fact, _) => {
                assert!(!moves_unlimited(&fact), "no limit stands in the way of {fact:?}");
                self.drop_proposal(out);
            }
        }
    }

    /// Nothing follows from what the engine refused.
    fn drop_proposal(&mut self, out: &mut Effects) {
        if self.state.proposed().next().is_some() {
            self.commit(Fact::Dropped, out);
        }
    }

    pub(super) fn let_through(&mut self, key: Option<MatchKey>, out: &mut Effects) {
        let Some(key) = key else { return };
        let again = self.proposals.iter().any(|proposal| proposal.key == Some(key));
        if again || self.look_ups.has(&key) {
            return;
        }
        for input in self.behind.remove(&key).unwrap_or_default() {
            self.take(input, out);
        }
    }

    /// Whether the engine has so much to do, or is so slow, that a new payment would wait in vain.
    pub(super) fn engine_is_slow(&self) -> bool {
        if self.config.engine == Answers::AtOnce {
            return false;
        }
        let slow = self.asked_engine > 0 && self.now.ms_since(self.asked_at) >= ENGINE_SLOW_MS;
        slow || self.proposals.len() >= PROPOSALS_MAX
    }

    /// Whether a hold came so late that what is left of the hub's time is less than an issuer's.
    pub(super) fn is_too_late(&self, since: Timestamp) -> bool {
        let timers = &self.config.timers;
        let most = timers.hub_answer_ms.saturating_sub(timers.issuer_answer_ms);
        self.now.ms_since(since) >= most
    }

    /// The hold came too late: it is released, and nobody is asked.
    pub(super) fn release_late(&mut self, from: ReplyTo, id: PaymentId, out: &mut Effects) {
        let waiters = alloc::vec![from];
        self.flights.insert(id, Flight { waiters, deadline: None });
        let reason = Reason::Ledger;
        let outcome =
            Outcome::Declined { code: reason.response_code(), text: text25(reason.text()) };
        self.close(id, outcome, Carried::NONE, out);
    }

    /// Where a reversal waits whose original is still being decided, and which names it by DE37
    /// alone.
    pub(super) fn proposed_original(&self, reversal: &Request) -> Option<MatchKey> {
        let named = |fact: &Fact| {
            let Fact::Opened(opened) = fact else { return false };
            let seen = &opened.seen;
            (seen.acquirer, seen.terminal) == (reversal.acquirer, reversal.terminal)
                && seen.rrn == reversal.rrn
        };
        let wanted = |one: &&Proposal| reversal.rrn_sent && named(&one.fact);
        let key = self.proposals.iter().find(wanted)?.key;
        key.filter(|key| self.behind.contains_key(key))
    }

    /// Whether a proposal about this payment is under way.
    pub(super) fn is_proposed(&self, id: PaymentId) -> bool {
        self.proposals.iter().any(|proposal| proposal.fact.payment() == Some(id))
    }
}

/// Whether a fact belongs to the business part.
fn is_business(fact: &Fact) -> bool {
    matches!(fact, Fact::Nation { .. } | Fact::Participant { .. } | Fact::Cap { .. })
}

/// Whether a fact that meets a limit goes on by the overcap account.
fn may_go_by_overcap(fact: &Fact) -> bool {
    match fact.part() {
        Some(Part::Reversed(reversed)) => !reversed.overcap,
        Some(Part::Completed(completed)) => completed.late && !completed.overcap,
        Some(Part::Opened(_) | Part::Declined(_) | Part::Closed(_) | Part::Whole(_)) | None => {
            false
        }
    }
}

/// Whether the engine says that an id is known to it.
fn used_before(status: TransferStatus) -> bool {
    status == TransferStatus::IdAlreadyFailed || status.name().starts_with("exists")
}

/// Whether a fact's transfers debit no limited account, so that no limit can refuse them.
fn moves_unlimited(fact: &Fact) -> bool {
    matches!(fact, Fact::Closed(_) | Fact::Completed(_))
}
