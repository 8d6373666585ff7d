//! Payments that are still of interest: under way, or inside the match window.

use scheme::{
    Amount, ApprovalCode, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, Rrn, Stan,
    TerminalId, Timestamp,
};

use super::table::{Key, Table};
use crate::fingerprint::Fingerprint;
use crate::record::{Closed, Declined, Opened, Outcome, Reversed, Seen};
use crate::request::{Text25, Trace, text25};

/// Where a payment stands (R-ACCOUNTS, "Statuses").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// Under way: the hold stands.
    Pending,
    /// The money has moved.
    Posted,
    /// The hold was released after the issuer was asked, without a usable answer.
    Voided,
    /// Returned in full by reversal.
    Reversed,
    /// Refused, by us or by the issuer.
    Declined,
}

/// A payment, as durable records have made it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The request as first received.
    pub seen: Seen,
    /// Whose card it is, where that is known.
    pub issuer: Option<ParticipantId>,
    /// DE11 and DE7 of the request to the issuer, if one was sent.
    pub trace: Option<Trace>,
    /// Where it stands.
    pub status: Status,
    /// DE39 of its first answer.
    pub code: ResponseCode,
    /// DE44 of its first answer.
    pub text: Text25,
    /// DE38; blank unless approved.
    pub approval: ApprovalCode,
    /// The hub's business date at the hold or the refusal.
    pub business_date: BusinessDate,
    /// The settlement cycle.
    pub cycle: u32,
    /// What has gone back so far.
    pub returned: Amount,
    /// Whether its one reversal has come.
    pub reversed: bool,
    /// Whether the issuer has acknowledged the reversal advice.
    pub reversal_acknowledged: bool,
    /// When the hub took it in.
    pub at: Timestamp,
}

impl Payment {
    /// A payment whose hold stands.
    pub fn opened(opened: &Opened, at: Timestamp) -> Self {
        Self {
            id: opened.id,
            seen: opened.seen,
            issuer: Some(opened.issuer),
            trace: Some(opened.trace),
            status: Status::Pending,
            code: ResponseCode::APPROVED,
            text: Text25::BLANK,
            approval: ApprovalCode::BLANK,
            business_date: opened.business_date,
            cycle: opened.cycle,
            returned: Amount::ZERO,
            reversed: false,
            reversal_acknowledged: false,
            at,
        }
    }

    /// A payment that we refused.
    pub fn declined(declined: &Declined, at: Timestamp) -> Self {
        Self {
            id: declined.id,
            seen: declined.seen,
            issuer: declined.issuer,
            trace: None,
            status: Status::Declined,
            code: declined.reason.response_code(),
            text: text25(declined.reason.text()),
            approval: ApprovalCode::BLANK,
            business_date: declined.business_date,
            cycle: declined.cycle,
            returned: Amount::ZERO,
            reversed: false,
            reversal_acknowledged: false,
            at,
        }
    }

    /// The issuer answered, or did not.
    pub fn close(&mut self, closed: &Closed) {
        match closed.outcome {
            Outcome::Held { approval, text } => {
                self.approval = approval;
                self.text = text;
            }
            Outcome::Posted { approval, text } => {
                self.status = Status::Posted;
                self.code = ResponseCode::APPROVED;
                self.approval = approval;
                self.text = text;
            }
            Outcome::Declined { code, text } => {
                self.status = Status::Declined;
                self.code = code;
                self.text = text;
            }
            Outcome::Voided { reason, .. } => {
                self.status = Status::Voided;
                self.code = reason.response_code();
                self.text = text25(reason.text());
            }
        }
    }

    /// A pre-authorisation was completed.
    pub fn complete(&mut self) {
        // One that had expired is an approval again.
        if self.status == Status::Voided {
            self.text = Text25::BLANK;
        }
        self.status = Status::Posted;
        self.code = ResponseCode::APPROVED;
    }

    /// Its reversal counted, of what was `posted`.
    pub fn reverse(&mut self, reversed: &Reversed, posted: Amount) {
        self.reversed = true;
        if reversed.in_flight {
            self.status = Status::Reversed;
            self.code = Reason::Reversed.response_code();
            self.text = text25(Reason::Reversed.text());
            return;
        }
        self.returned = self.returned.checked_add(reversed.returned).unwrap_or(self.returned);
        if self.returned == posted {
            self.status = Status::Reversed;
        }
    }
}

/// The table, and its fingerprint.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    table: Table,
    fingerprint: Fingerprint,
}

impl Payments {
    /// A payment by its id.
    pub fn get(&self, id: PaymentId) -> Option<&Payment> {
        self.table.get(id)
    }

    /// Payments with this acquirer, terminal and DE11, newest first.
    pub fn by_stan(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        stan: Stan,
    ) -> impl Iterator<Item = &Payment> {
        self.table.chain(Key::Stan(acquirer, terminal, stan))
    }

    /// How many payments share an acquirer, terminal and DE11.
    pub fn count_by_stan(&self, a: ParticipantId, t: TerminalId, stan: Stan) -> usize {
        self.by_stan(a, t, stan).count()
    }

    /// Payments with this acquirer, terminal and DE37, newest first.
    pub fn by_rrn(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        rrn: Rrn,
    ) -> impl Iterator<Item = &Payment> {
        self.table.chain(Key::Rrn(acquirer, terminal, rrn))
    }

    /// Every payment in the window, in the order in which they came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        self.table.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The set of payments.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn insert(&mut self, payment: Payment) {
        // An id is derived from the match key K1, and a K1 match is never a new payment.
        assert!(self.get(payment.id).is_none(), "payment {} exists already", payment.id);
        let mark = Fingerprint::of(&payment);
        self.fingerprint = self.fingerprint.and(mark);
        self.table.insert(payment, mark);
    }

    pub(crate) fn change(&mut self, id: PaymentId, change: impl FnOnce(&mut Payment)) {
        if let Some((payment, mark)) = self.table.get_mut(id) {
            change(payment);
            let before = core::mem::replace(mark, Fingerprint::of(payment));
            self.fingerprint = self.fingerprint.without(before).and(*mark);
        }
    }

    /// Lets payments go that came before `horizon`, in order, up to the first that came later.
    /// One that must still be `kept` stays, and is looked at again when it comes round; of each
    /// that goes the caller is told.
    pub(crate) fn forget(
        &mut self,
        horizon: Timestamp,
        mut kept: impl FnMut(&Payment) -> bool,
        mut goes: impl FnMut(&Payment),
    ) {
        while let Some(payment) = self.table.first().filter(|payment| payment.at < horizon) {
            if kept(payment) {
                return self.table.keep_first();
            }
            let Some((payment, mark)) = self.table.pop_first() else { return };
            self.fingerprint = self.fingerprint.without(mark);
            goes(&payment);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use scheme::{LocalTime, MonthTime, Mti, Processing, RetailerId};

    use super::*;
    use crate::record::Opened;

    fn payment(id: u128, stan: u32, rrn: &[u8; 12], at: u64) -> Payment {
        let bank = ParticipantId::new(7).unwrap();
        let seen = Seen {
            mti: Mti::new(200).unwrap(),
            acquirer: bank,
            terminal: TerminalId::new(b"PYO00001").unwrap(),
            retailer: RetailerId::default(),
            stan: Stan::new(stan).unwrap(),
            transmitted: MonthTime::default(),
            local: LocalTime::default(),
            rrn: Rrn::new(rrn).unwrap(),
            rrn_sent: true,
            processing: Processing::new(0).unwrap(),
            amount: Amount::ZERO,
            currency: 408,
            card: None,
            forwarding: 0,
            station: None,
            first_received: Timestamp(at),
        };
        let trace = Trace { stan: seen.stan, transmitted: seen.transmitted };
        let (business_date, cycle) = (BusinessDate::default(), 1);
        let id = PaymentId::of_transfer(id << 4);
        let opened = Opened { id, seen, issuer: bank, trace, business_date, cycle, original: None };
        Payment::opened(&opened, Timestamp(at))
    }

    /// Against a plain list: chains stay in order whatever comes, goes, or is kept, and rows that
    /// were given up are used again.
    #[test]
    fn r_match_chains_are_the_lists_that_they_stand_for() {
        let mut payments = Payments::default();
        let mut list: Vec<Payment> = vec![];
        let mut dice = 1u64;
        for step in 0..1_200u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let stan = (dice >> 33) as u32 % 5;
            let rrn = if dice >> 60 == 0 { b"000000000001" } else { b"000000000002" };
            let at = step + (dice >> 40) % 3;
            let new = payment(u128::from(step) + 1, stan, rrn, at);
            payments.insert(new.clone());
            list.push(new);
            if step % 3 == 0 {
                let horizon = Timestamp(step.saturating_sub(40));
                let kept = |p: &Payment| p.at.0.is_multiple_of(11);
                payments.forget(horizon, kept, |_| {});
                while let Some(first) = list.first().cloned().filter(|p| p.at < horizon) {
                    list.remove(0);
                    if kept(&first) {
                        list.push(first);
                        break;
                    }
                }
            }
            let (bank, terminal) = (list[0].seen.acquirer, list[0].seen.terminal);
            let ids = |found: Vec<&Payment>| found.iter().map(|p| p.id).collect::<Vec<_>>();
            let mut alike: Vec<_> = list.iter().filter(|p| p.seen.stan.get() == stan).collect();
            alike.sort_by_key(|p| core::cmp::Reverse((p.at, p.id)));
            let found = payments.by_stan(bank, terminal, Stan::new(stan).unwrap()).collect();
            assert_eq!(ids(found), ids(alike), "step {step}");
            let mut alike: Vec<_> = list.iter().filter(|p| p.seen.rrn.bytes() == rrn).collect();
            alike.sort_by_key(|p| core::cmp::Reverse((p.at, p.id)));
            let found = payments.by_rrn(bank, terminal, Rrn::new(rrn).unwrap()).collect();
            assert_eq!(ids(found), ids(alike), "step {step}");
            assert_eq!(ids(payments.iter().collect()), ids(list.iter().collect()));
        }
        assert!(list.len() < 400, "{} of 1,200 are left", list.len());
        assert!(list.iter().all(|p| payments.get(p.id) == Some(p)));
        assert_eq!(payments.get(PaymentId::of_transfer(1 << 4)), None);
    }
}
