//! Reversals (R-REVERSAL): always acknowledged, and they count once, from the original's terminal,
//! within 24 h, for the original's amount.

use scheme::{Amount, CardRef, MtiClass, PaymentId, Reason, ResponseCode};

use super::matching::{self, named_class};
use super::payments::{Payment, Status};
use super::{Effect, Effects, Hub, Input, Next};
use crate::limits::TOMBSTONES_PER_TERMINAL_MAX;
use crate::record::{Fact, Finding, FindingKind, Reversed, Tombstone};
use crate::request::{Answer, ReplyTo, Request};

/// What a reversal that found its original does.
enum Ruling {
    /// Nothing, and that is in order.
    Nothing,
    /// Nothing, and somebody should know.
    Finding(FindingKind),
    /// The payment is still under way: it ends now.
    Stop,
    /// This much goes back; somebody should know if there is something odd about it.
    Return(Amount, Option<FindingKind>),
}

impl Hub {
    pub(super) fn reversal(&mut self, from: ReplyTo, reversal: &Request, out: &mut Effects) {
        if !self.speaks_for(from.peer, reversal) {
            self.refuse(from, Reason::Terminal, reversal.rrn, out);
            return;
        }
        let timers = self.config.timers;
        let Some(original) = matching::original(&self.state, &timers, reversal) else {
            let waiting =
                self.proposed_original(reversal).and_then(|key| self.behind.get_mut(&key));
            if let Some(waiting) = waiting {
                waiting.push(Input::Request { from, request: reversal.clone() });
                return;
            }
            self.unknown_original(from, reversal, out);
            return;
        };
        let (id, seen) = (original.payment.id, original.payment.seen);
        // Found under another trace number than its own: it waits behind the payment's decision.
        let key = (seen.acquirer, seen.terminal, seen.stan);
        if let Some(waiting) = self.behind.get_mut(&key) {
            waiting.push(Input::Request { from, request: reversal.clone() });
            return;
        }
        if let Some(waiting) = self.ending_refund(id).and_then(|key| self.behind.get_mut(&key)) {
            waiting.push(Input::Request { from, request: reversal.clone() });
            return;
        }
        let rrn = seen.rrn;
        let ruling = self.rule(original.payment, reversal);
        if original.ambiguous {
            self.find(FindingKind::TwoCandidates, Some(id), out);
        }
        let acknowledge = Next::Acknowledge { to: from, rrn };
        match ruling {
            Ruling::Nothing => {
                out.push(Effect::Answer { to: from, answer: Answer::acknowledgement(rrn) });
            }
            Ruling::Finding(kind) => {
                self.find(kind, Some(id), out);
                out.push(Effect::Answer { to: from, answer: Answer::acknowledgement(rrn) });
            }
            Ruling::Stop => self.reverse(id, Amount::ZERO, true, reversal, acknowledge, out),
            Ruling::Return(amount, finding) => {
                if let Some(kind) = finding {
                    self.find(kind, Some(id), out);
                }
                self.reverse(id, amount, false, reversal, acknowledge, out);
            }
        }
    }

    fn rule(&self, original: &Payment, reversal: &Request) -> Ruling {
        let completion = self.state.flows().completion(original.id);
        let names_hold = named_class(reversal.original) == Some(MtiClass::Authorisation);
        if completion.is_some() && names_hold {
            return Ruling::Finding(FindingKind::CompletedAlready);
        }
        let amount = self.state.flows().posted(original);
        let first = completion.map_or(original.seen.first_received, |done| done.first_received);
        if reversal.first_received.ms_since(first) > self.config.timers.repeat_ms {
            return Ruling::Finding(FindingKind::LateReversal);
        }
        if reversal.amount != amount {
            return Ruling::Finding(FindingKind::AmountMismatch);
        }
        // DE90 and DE37 find the payment whatever card the reversal shows; another card's holder
        // has no claim on it.
        let other_card = |card: CardRef| original.seen.card.is_some_and(|c| c.token != card.token);
        if reversal.card.is_some_and(other_card) {
            return Ruling::Finding(FindingKind::CardMismatch);
        }
        if original.reversed {
            return Ruling::Nothing;
        }
        match original.status {
            Status::Declined | Status::Voided | Status::Reversed => Ruling::Nothing,
            // A hold cannot be released in part: it stays whole for its completion.
            Status::Pending
                if self.state.flows().preauth(original.id).is_some()
                    && reversal.actual.is_some_and(|actual| !actual.is_zero()) =>
            {
                Ruling::Finding(FindingKind::AmountMismatch)
            }
            Status::Pending => Ruling::Stop,
            Status::Posted => self.rule_posted(original, amount, reversal.actual),
        }
    }

    /// What goes back of a posted payment: all but DE95, as far as refunds have left it.
    fn rule_posted(&self, original: &Payment, posted: Amount, actual: Option<Amount>) -> Ruling {
        let wanted = posted.checked_sub(actual.unwrap_or(Amount::ZERO));
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_zero()) else {
            return Ruling::Finding(FindingKind::AmountMismatch);
        };
        let rest = self.refundable(original).unwrap_or_default();
        if rest == posted {
            return Ruling::Return(wanted, None);
        }
        let finding = FindingKind::ReversalAfterRefund;
        match wanted.min(rest) {
            none if none.is_zero() => Ruling::Finding(finding),
            some => Ruling::Return(some, Some(finding)),
        }
    }

    fn reverse(
        &mut self,
        id: PaymentId,
        returned: Amount,
        in_flight: bool,
        reversal: &Request,
        next: Next,
        out: &mut Effects,
    ) {
        let Some(payment) = self.state.payments().get(id) else {
            return;
        };
        let (issuer, seen, posted) = (payment.issuer, payment.seen, self.posted(payment));
        let Some(issuer) = issuer else { return };
        let partial = !in_flight && returned != posted;
        let reversed = Reversed {
            id,
            returned,
            overcap: false,
            in_flight,
            code: advice_code(reversal.reason, partial),
            advice: self.trace(issuer),
        };
        let key = (seen.acquirer, seen.terminal, seen.stan);
        if in_flight {
            self.stop_clock(id);
        }
        self.propose(Fact::Reversed(reversed), next, Some(key), out);
    }

    /// Whoever was paid has no room for what must go back: its overcap account pays (R-ACCOUNTS).
    pub(super) fn reverse_by_overcap(&mut self, reversed: Reversed, next: Next, out: &mut Effects) {
        let payment = self.state.payments().get(reversed.id);
        let key = payment.map(|p| (p.seen.acquirer, p.seen.terminal, p.seen.stan));
        let payee = payment.and_then(|p| Some(p.seen.payee(p.issuer?)));
        self.find_overcap(reversed.id, payee, out);
        let by_overcap = Fact::Reversed(Reversed { overcap: true, ..reversed });
        self.propose_first(by_overcap, next, key, out);
    }

    /// Kept as a tombstone, so that an original that arrives later is refused (R-TOMB).
    fn unknown_original(&mut self, from: ReplyTo, reversal: &Request, out: &mut Effects) {
        let (acquirer, terminal) = (reversal.acquirer, reversal.terminal);
        let stan = matching::stan_of(reversal);
        let known = self
            .state
            .tombstones_by_stan(acquirer, terminal, stan)
            .any(|tombstone| matching::same_reversal(tombstone, reversal));
        if !known {
            let named = reversal.original.filter(|original| original.stan != 0);
            let before = self.state.tombstone_count(acquirer, terminal);
            self.commit(
                Fact::Tombstone(Tombstone {
                    acquirer,
                    terminal,
                    stan,
                    transmitted: named.map_or(0, |original| original.transmitted),
                    mti: named.map_or(0, |original| original.mti),
                    rrn: reversal.rrn_sent.then_some(reversal.rrn),
                    transaction: reversal.processing.transaction(),
                    amount: reversal.amount,
                    token: reversal.card.map(|card| card.token),
                    first_received: reversal.first_received,
                    local: reversal.local,
                }),
                out,
            );
            self.find_message(FindingKind::UnknownOriginal, reversal, out);
            // Once, when the bound is reached; not for each one beyond it.
            if before.saturating_add(1) == TOMBSTONES_PER_TERMINAL_MAX {
                self.find_message(FindingKind::TooManyTombstones, reversal, out);
            }
        }
        let answer = Answer::acknowledgement(reversal.rrn);
        out.push(Effect::Answer { to: from, answer });
    }

    /// A finding about a message that fits no payment.
    pub(super) fn find_message(&mut self, kind: FindingKind, message: &Request, out: &mut Effects) {
        let finding = Finding {
            kind,
            payment: None,
            participant: Some(message.acquirer),
            original: message.original,
        };
        self.commit(Fact::Finding(finding), out);
    }
}

/// DE39 of the 0420 to the issuer: the terminal's own reason where it is one, 32 for a part.
fn advice_code(reason: Option<ResponseCode>, partial: bool) -> ResponseCode {
    if partial {
        return ResponseCode::of(b"32");
    }
    reason
        .filter(|code| [*b"17", *b"22", *b"68"].contains(&code.bytes()))
        .unwrap_or(ResponseCode::of(b"22"))
}
