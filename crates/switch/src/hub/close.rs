//! The end of a payment under way: the issuer's answer, or none in time (R-TIME, R-CRASH).

use alloc::vec::Vec;

use scheme::{ParticipantId, PaymentId, Reason, ResponseCode};

use super::payments::Status;
use super::{Count, Effect, Effects, Hub, IssuerAnswer, Next};
use crate::record::{Closed, Fact, FindingKind, Outcome};
use crate::request::Carried;

/// What an issuer's DE39 means (R-DE39).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Approves,
    Declines,
    /// A code that no issuer may use: voided, a reversal is owed, and a finding.
    Unusable,
}

fn verdict(code: ResponseCode) -> Verdict {
    let [tens, ones] = code.bytes();
    if code.is_approved() {
        return Verdict::Approves;
    }
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return Verdict::Declines;
    }
    match (tens, ones) {
        (b'0', b'8') | (b'1', b'0' | b'1' | b'6') | (b'8', b'5') | (b'0', b'9') => {
            Verdict::Unusable
        }
        _ => Verdict::Declines,
    }
}

impl Hub {
    pub(super) fn issuer_answer(&mut self, answer: IssuerAnswer, out: &mut Effects) {
        let Some(answer) = self.enquiry_answer(answer, out) else { return };
        let asked = self.asked.get(&(answer.bank, answer.trace)).copied();
        let Some(id) = asked.filter(|id| self.agrees(*id, &answer)) else {
            out.push(Effect::Count(Count::StrayAnswer));
            return;
        };
        // While the engine is asked to close it, what came first stands.
        if !self.stop_clock(id) {
            out.push(Effect::Count(Count::StrayAnswer));
            return;
        }
        let IssuerAnswer { code, approval, text, carried, bank, .. } = answer;
        let outcome = match verdict(code) {
            Verdict::Approves if self.is_preauth(id) => Outcome::Held { approval, text },
            Verdict::Approves => Outcome::Posted { approval, text },
            Verdict::Declines => Outcome::Declined { code, text },
            Verdict::Unusable => {
                self.find(FindingKind::IssuerCode, Some(id), out);
                Outcome::Voided { reason: Reason::IssuerAnswer, advice: self.trace(bank) }
            }
        };
        self.close(id, outcome, carried, out);
    }

    /// The issuer's time is over, one way or another; `false` when it was before.
    pub(super) fn stop_clock(&mut self, id: PaymentId) -> bool {
        let deadline = self.flights.get_mut(&id).and_then(|flight| flight.deadline.take());
        deadline.is_some_and(|deadline| self.deadlines.remove(&(deadline, id)))
    }

    /// An answer must agree on DE3, 4 and 41 with what was asked; otherwise it is no answer.
    fn agrees(&self, id: PaymentId, answer: &IssuerAnswer) -> bool {
        self.state.payments().get(id).is_some_and(|payment| {
            payment.seen.processing == answer.processing
                && payment.seen.amount == answer.amount
                && payment.seen.terminal == answer.terminal
        })
    }

    /// The deadline has come: an answer exactly now is late.
    pub(super) fn issuer_late(&mut self, id: PaymentId, out: &mut Effects) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.deadline = None;
        }
        let Some(issuer) = self.issuer_of(id) else {
            return;
        };
        let advice = self.trace(issuer);
        let outcome = Outcome::Voided { reason: Reason::IssuerLate, advice };
        self.close(id, outcome, Carried::NONE, out);
    }

    /// After recovery: a hold without an outcome is released and its issuer told, whatever the
    /// issuer may have answered; nobody is asked a second time.
    pub(super) fn resolve(&mut self, out: &mut Effects) {
        let open: Vec<PaymentId> = self
            .state
            .payments()
            .iter()
            .filter(|payment| payment.status == Status::Pending)
            // A hold that the issuer has approved waits for its completion.
            .filter(|payment| self.state.flows().preauth(payment.id).is_none())
            // What its end is has been decided.
            .filter(|payment| !self.is_proposed(payment.id))
            .map(|payment| payment.id)
            .collect();
        for id in open {
            self.close_restarted(id, out);
        }
        self.schedule_recovered();
        self.begin_calendar(out);
    }

    /// Nobody knows what the issuer has answered, if it was asked: the hold is released and the
    /// issuer told.
    pub(super) fn close_restarted(&mut self, id: PaymentId, out: &mut Effects) {
        let Some(issuer) = self.issuer_of(id) else { return };
        let advice = self.trace(issuer);
        let outcome = Outcome::Voided { reason: Reason::Restarted, advice };
        self.close(id, outcome, Carried::NONE, out);
    }

    fn is_preauth(&self, id: PaymentId) -> bool {
        self.state.payments().get(id).is_some_and(|payment| payment.seen.is_preauth())
    }

    pub(super) fn close(
        &mut self,
        id: PaymentId,
        outcome: Outcome,
        carried: Carried,
        out: &mut Effects,
    ) {
        let key =
            self.state.payments().get(id).map(|p| (p.seen.acquirer, p.seen.terminal, p.seen.stan));
        let next = Next::AnswerWaiters { carried };
        self.propose(Fact::Closed(Closed { id, outcome }), next, key, out);
    }

    pub(super) fn issuer_of(&self, id: PaymentId) -> Option<ParticipantId> {
        self.state.payments().get(id).and_then(|payment| payment.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-DE39: from the issuer only 00 approves; 01-07, 12-15, 17-99 and letters decline; 08, 10,
    /// 11, 16, 85 and unknown codes are voided.
    #[test]
    fn issuer_codes() {
        for number in 0..100u8 {
            let code = ResponseCode::of(&[b'0' + number / 10, b'0' + number % 10]);
            let expected = match number {
                0 => Verdict::Approves,
                8 | 9 | 10 | 11 | 16 | 85 => Verdict::Unusable,
                1..=7 | 12..=15 | 17..=99 => Verdict::Declines,
                _ => unreachable!("two digits"),
            };
            assert_eq!(verdict(code), expected, "{code}");
        }
        assert_eq!(verdict(ResponseCode::of(b"N7")), Verdict::Declines);
    }
}
