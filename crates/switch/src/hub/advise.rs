//! Store and forward to issuers: what they are owed is durable; when it is sent is not.
//!
//! First sends go in the order in which they came to be owed; repeats never hold anything up.
//! Back-off counts only while the bank is signed on, and every sign-on sends at once all that is
//! due (R-REVERSAL).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use scheme::{ApprovalCode, Mti, ParticipantId, ResponseCode, Timestamp};

use super::payments::Payment;
use super::state::Told;
use super::{AdviceKind, Count, Effect, Effects, Hub};
use crate::record::{Fact, FindingKind, Seen};
use crate::request::Trace;

/// When which advice is sent next; forgotten in a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    due: BTreeSet<(Timestamp, u64)>,
    /// When which advice will have waited for too long, signed on or not.
    stuck: BTreeSet<(Timestamp, u64)>,
    items: BTreeMap<u64, Item>,
    /// The first advice that has never been looked at.
    fresh: u64,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    bank: ParticipantId,
    /// How often it was sent.
    sent: u32,
    due: Option<Timestamp>,
    /// Whether it may have been sent before a crash.
    recovered: bool,
}

impl Schedule {
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn next_stuck(&self) -> Option<Timestamp> {
        self.stuck.first().map(|(at, _)| *at)
    }

    /// The bank is gone: nothing of its is due until it signs on.
    pub(super) fn pause(&mut self, bank: ParticipantId) {
        for (number, item) in &mut self.items {
            if item.bank == bank
                && let Some(due) = item.due.take()
            {
                self.due.remove(&(due, *number));
            }
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(Item { due: Some(due), .. }) = self.items.remove(&number) {
            self.due.remove(&(due, number));
        }
    }
}

impl Hub {
    /// Sends what has just come to be owed.
    pub(super) fn advise_new(&mut self, out: &mut Effects) {
        let made = self.state.scalars().advices_made;
        while self.schedule.fresh < made {
            let number = self.schedule.fresh;
            self.schedule.fresh = number.saturating_add(1);
            let Some(bank) = self.state.advice(number).map(|advice| advice.bank) else {
                continue;
            };
            let item = Item { bank, sent: 0, due: None, recovered: false };
            self.schedule.items.insert(number, item);
            self.watch(number);
            if self.lines(bank) > 0 {
                self.advise(number, out);
            }
        }
    }

    /// After recovery: everything owed may have been sent before.
    pub(super) fn schedule_recovered(&mut self) {
        let known: Vec<(u64, ParticipantId)> =
            self.state.advices().map(|(number, advice)| (number, advice.bank)).collect();
        for (number, bank) in known {
            let item = Item { bank, sent: 0, due: None, recovered: true };
            self.schedule.items.entry(number).or_insert(item);
            self.watch(number);
        }
        self.schedule.fresh = self.state.scalars().advices_made;
    }

    /// The bank has signed on: all that is owed goes at once.
    pub(super) fn advise_all(&mut self, bank: ParticipantId, out: &mut Effects) {
        let owed: Vec<u64> = self
            .schedule
            .items
            .iter()
            .filter(|(_, item)| item.bank == bank && item.due.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in owed {
            self.advise(number, out);
        }
    }

    /// Repeats that are due.
    pub(super) fn advise_due(&mut self, out: &mut Effects) {
        while let Some((at, number)) = self.schedule.due.first().copied() {
            if at > self.now {
                return;
            }
            self.schedule.due.remove(&(at, number));
            self.advise(number, out);
        }
    }

    fn advise(&mut self, number: u64, out: &mut Effects) {
        let Some(advice) = self.state.advice(number).cloned() else {
            self.schedule.forget(number);
            return;
        };
        let Some(payment) = self.state.payments().get(advice.payment).cloned() else {
            return;
        };
        let Some((seen, original)) = self.speaks_of(&payment, advice.of) else {
            return;
        };
        let Some(line) = self.pick_line(advice.bank) else {
            return;
        };
        let Some(item) = self.schedule.items.get_mut(&number) else {
            return;
        };
        let repeat = item.sent > 0 || item.recovered;
        item.sent = item.sent.saturating_add(1);
        let due = self.now.plus_ms(self.config.timers.advice_gap_ms(item.sent));
        item.due = Some(due);
        self.schedule.due.insert((due, number));

        let completion = advice.of == Told::Completion;
        out.push(Effect::Advise {
            kind: if completion { AdviceKind::Completion } else { AdviceKind::Reversal },
            line,
            id: payment.id,
            sealed_as: self.sealed_as(payment.id, &payment.seen),
            seen,
            issuer: advice.bank,
            original,
            trace: advice.trace,
            code: advice.code,
            actual: advice.actual,
            approval: if completion { payment.approval } else { ApprovalCode::BLANK },
            repeat,
        });
    }

    /// The message that an advice speaks of, with the amount that it had or has, and its trace.
    fn speaks_of(&self, payment: &Payment, of: Told) -> Option<(Seen, Trace)> {
        let asked = payment.trace?;
        let Some(done) = self.state.flows().completion(payment.id) else {
            return Some((payment.seen, asked));
        };
        match of {
            Told::Reversal => Some((payment.seen, asked)),
            Told::Completion => Some((Seen { amount: done.amount, ..payment.seen }, asked)),
            Told::CompletionReversal => {
                let mti = Mti::new(220)?;
                Some((Seen { mti, amount: done.amount, ..payment.seen }, done.advice))
            }
        }
    }

    /// An advice that waits for too long will be found, once in its life.
    fn watch(&mut self, number: u64) {
        if let Some(advice) = self.state.advice(number).filter(|advice| !advice.found) {
            let at = advice.since.plus_ms(self.config.timers.advice_finding_ms);
            self.schedule.stuck.insert((at, number));
        }
    }

    pub(super) fn advise_stuck(&mut self, out: &mut Effects) {
        while let Some((at, number)) = self.schedule.stuck.first().copied() {
            if at > self.now {
                return;
            }
            self.schedule.stuck.remove(&(at, number));
            if let Some(payment) = self.state.advice(number).map(|advice| advice.payment) {
                self.find(FindingKind::AdviceStuck, Some(payment), out);
            }
        }
    }

    /// Any well-formed acknowledgement ends the item; a code other than 00 is a finding.
    pub(super) fn advice_answer(
        &mut self,
        bank: ParticipantId,
        trace: Trace,
        code: ResponseCode,
        out: &mut Effects,
    ) {
        let Some(number) = self.state.advice_number(bank, trace) else {
            out.push(Effect::Count(Count::StrayAcknowledgement));
            return;
        };
        let payment = self.state.advice(number).map(|advice| advice.payment);
        self.schedule.forget(number);
        self.commit(Fact::Discharged { bank, trace, code }, out);
        if !code.is_approved() {
            self.find(FindingKind::AdviceRefused, payment, out);
        }
    }
}
