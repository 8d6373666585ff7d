//! Pre-authorisations after their approval: completed once (0220), or expired by the hub's timer
//! (R-ACCOUNTS).
//!
//! An advice posts only if it completes a known pre-authorisation: up to what was held. Everything
//! else that one says is acknowledged, moves nothing and is a finding, but for more than was held,
//! which is refused (13).

use alloc::vec::Vec;

use scheme::{Amount, CardRef, PaymentId, Reason, Rrn};

use super::payments::{Payment, Status};
use super::{Count, Effect, Effects, Hub, Input, Next, matching};
use crate::limits::EXPIRIES_PER_TURN;
use crate::record::{Completed, Fact, FindingKind, Outcome};
use crate::request::{Answer, Carried, ReplyTo, Request};

/// What a completion that found its pre-authorisation does.
enum Ruling {
    /// It was done before: the first answer again.
    Repeat,
    /// Nothing, and somebody should know.
    Finding(FindingKind),
    /// Refused.
    Refuse(Reason, Option<FindingKind>),
    /// It posts; `late` when the hold has expired.
    Post { late: bool },
}

impl Hub {
    pub(super) fn advice_in(&mut self, from: ReplyTo, request: Request, out: &mut Effects) {
        if !self.speaks_for(from.peer, &request) {
            self.refuse(from, Reason::Terminal, request.rrn, out);
            return;
        }
        if request.has_pin {
            self.refuse(from, Reason::Pin, request.rrn, out);
            return;
        }
        let financial = request.mti.class() == scheme::MtiClass::Financial;
        let found = matching::preauth(&self.state, &request).filter(|_| financial);
        let Some(found) = found else {
            self.unmatched_advice(from, &request, out);
            return;
        };
        let (payment, ambiguous) = (found.payment, found.ambiguous);
        let (id, seen) = (payment.id, payment.seen);
        let key = (seen.acquirer, seen.terminal, seen.stan);
        let ruling = self.rule_completion(payment, &request);
        // Found by other means than DE90's trace number: it waits behind what is being decided.
        if let Some(waiting) = self.behind.get_mut(&key) {
            waiting.push(Input::Request { from, request });
            return;
        }
        if ambiguous {
            self.find(FindingKind::TwoCandidates, Some(id), out);
        }
        // Without a DE37 of its own it is known by that of its pre-authorisation.
        let rrn = if request.rrn_sent { request.rrn } else { seen.rrn };
        match ruling {
            Ruling::Repeat => {
                out.push(Effect::Count(Count::Repeat));
                self.confirm(from, rrn, id, out);
            }
            Ruling::Finding(kind) => {
                self.find(kind, Some(id), out);
                out.push(Effect::Answer { to: from, answer: Answer::acknowledgement(rrn) });
            }
            Ruling::Refuse(reason, finding) => {
                if let Some(kind) = finding {
                    self.find(kind, Some(id), out);
                }
                self.refuse(from, reason, rrn, out);
            }
            Ruling::Post { late } => {
                let next = Next::Confirm { to: from, rrn };
                self.complete(id, &request, late, next, out);
            }
        }
    }

    /// An advice that completes nothing: acknowledged, not posted.
    fn unmatched_advice(&mut self, from: ReplyTo, request: &Request, out: &mut Effects) {
        if matching::is_buried(&self.state, &self.config.timers, request) {
            self.refuse(from, Reason::Reversed, request.rrn, out);
            return;
        }
        self.find_message(FindingKind::UnmatchedAdvice, request, out);
        out.push(Effect::Answer { to: from, answer: Answer::acknowledgement(request.rrn) });
    }

    fn rule_completion(&self, payment: &Payment, request: &Request) -> Ruling {
        let flows = self.state.flows();
        let other_card = |card: CardRef| payment.seen.card.is_some_and(|c| c.token != card.token);
        if request.card.is_some_and(other_card) {
            return Ruling::Finding(FindingKind::CardMismatch);
        }
        if let Some(done) = flows.completion(payment.id) {
            let same = done.stan == request.stan
                || (request.mti.is_repeat()
                    && request.first_received.ms_since(done.first_received)
                        <= self.config.timers.repeat_ms);
            if same && done.amount == request.amount {
                // Undone in the meantime: said, as of any approval.
                return match payment.status {
                    Status::Reversed => Ruling::Refuse(Reason::Reversed, None),
                    Status::Pending | Status::Posted | Status::Voided | Status::Declined => {
                        Ruling::Repeat
                    }
                };
            }
        }
        if request.currency != payment.seen.currency {
            return Ruling::Refuse(Reason::Currency, None);
        }
        if request.amount.is_zero() {
            return Ruling::Refuse(Reason::AmountZero, None);
        }
        if request.amount > payment.seen.amount {
            return Ruling::Refuse(Reason::AmountLimit, Some(FindingKind::OverCompletion));
        }
        if matching::is_buried(&self.state, &self.config.timers, request) {
            return Ruling::Refuse(Reason::Reversed, None);
        }
        let Some(preauth) = flows.preauth(payment.id) else {
            return Ruling::Finding(FindingKind::UnmatchedAdvice);
        };
        match payment.status {
            Status::Pending => Ruling::Post { late: false },
            Status::Posted => Ruling::Finding(FindingKind::CompletedAlready),
            Status::Voided => {
                let late = request.first_received.ms_since(preauth.expires);
                if late <= self.config.timers.late_completion_ms {
                    Ruling::Post { late: true }
                } else {
                    Ruling::Finding(FindingKind::LateCompletion)
                }
            }
            Status::Reversed if preauth.completion.is_some() => {
                Ruling::Finding(FindingKind::CompletedAlready)
            }
            Status::Reversed | Status::Declined => Ruling::Finding(FindingKind::UnmatchedAdvice),
        }
    }

    fn complete(
        &mut self,
        id: PaymentId,
        request: &Request,
        late: bool,
        next: Next,
        out: &mut Effects,
    ) {
        let Some(payment) = self.state.payments().get(id) else { return };
        let (issuer, seen) = (payment.issuer, payment.seen);
        let Some(issuer) = issuer else { return };
        let completed = Completed {
            id,
            amount: request.amount,
            late,
            overcap: false,
            stan: request.stan,
            transmitted: request.transmitted,
            rrn: request.rrn,
            first_received: request.first_received,
            advice: self.trace(issuer),
        };
        let key = (seen.acquirer, seen.terminal, seen.stan);
        self.propose(Fact::Completed(completed), next, Some(key), out);
    }

    /// The issuer has no room any more for what its hold had secured: its overcap account pays.
    pub(super) fn complete_by_overcap(
        &mut self,
        completed: Completed,
        next: Next,
        out: &mut Effects,
    ) {
        let payment = self.state.payments().get(completed.id);
        let key = payment.map(|p| (p.seen.acquirer, p.seen.terminal, p.seen.stan));
        let issuer = payment.and_then(|p| p.issuer);
        self.find_overcap(completed.id, issuer, out);
        let by_overcap = Fact::Completed(Completed { overcap: true, ..completed });
        self.propose_first(by_overcap, next, key, out);
    }

    /// The answer to a completion that posted, the first time and again.
    pub(super) fn confirm(&mut self, to: ReplyTo, rrn: Rrn, id: PaymentId, out: &mut Effects) {
        let Some(payment) = self.state.payments().get(id) else { return };
        let answer = Answer {
            approval: payment.approval,
            business_date: Some(payment.business_date),
            ..Answer::acknowledgement(rrn)
        };
        out.push(Effect::Answer { to, answer });
    }

    /// Holds that nothing has completed in time are released, and their issuers told.
    pub(super) fn expire_holds(&mut self, out: &mut Effects) {
        let Some((first, _)) = self.state.flows().next_expiry() else { return };
        if first > self.now {
            return;
        }
        let due: Vec<PaymentId> = self
            .state
            .flows()
            .expiring(self.now)
            .filter(|id| !self.is_proposed(*id))
            .take(EXPIRIES_PER_TURN)
            .collect();
        for id in due {
            let Some(issuer) = self.issuer_of(id) else { continue };
            let advice = self.trace(issuer);
            let outcome = Outcome::Voided { reason: Reason::HoldExpired, advice };
            self.close(id, outcome, Carried::NONE, out);
        }
    }

    /// What a completion posted, or is to post, of a pre-authorisation; of others all.
    pub(super) fn posted(&self, payment: &Payment) -> Amount {
        self.state.flows().posted(payment)
    }
}
