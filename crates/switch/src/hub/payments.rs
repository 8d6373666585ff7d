//! Payments that are still of interest: under way, or inside the match window.

use alloc::vec::Vec;

use scheme::{
    Amount, ApprovalCode, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, RetailerId,
    Rrn, Stan, TerminalId, Timestamp, Token,
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
    /// Memory for so many more payments, in hand before they come.
    pub(crate) fn make_room(&mut self, payments: usize) {
        self.table.make_room(payments);
    }

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

    /// Payments with this acquirer and DE37 at any terminal, newest first.
    pub fn by_reference(
        &self,
        acquirer: ParticipantId,
        rrn: Rrn,
    ) -> impl Iterator<Item = &Payment> {
        self.table.chain(Key::Reference(acquirer, rrn))
    }

    /// Payments with this card at any till of a shop, newest first.
    pub fn by_card(
        &self,
        acquirer: ParticipantId,
        retailer: RetailerId,
        token: Token,
    ) -> impl Iterator<Item = &Payment> {
        self.table.chain(Key::Card(acquirer, retailer, Some(token)))
    }

    /// Those that came last at first (of those that came at once, by id), from the last on of which
    /// `came` is true: it must be true of every one that came before.
    pub fn latest(&self, came: impl Fn(&Payment) -> bool) -> impl Iterator<Item = &Payment> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            if self.table.nth(middle).is_some_and(&came) {
                from = middle.saturating_add(1);
            } else {
                to = middle;
            }
        }
        Latest { table: &self.table, left: from, at_once: Vec::new() }
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

    /// Lets payments go that came before `horizon`, in order, up to the first that must still be
    /// `kept`. Those that were kept are looked at again, one at a time; of each that goes the
    /// caller is told.
    pub(crate) fn forget(
        &mut self,
        horizon: Timestamp,
        mut kept: impl FnMut(&Payment) -> bool,
        mut goes: impl FnMut(&Payment),
    ) {
        if let Some(payment) = self.table.old() {
            if kept(payment) {
                self.table.keep_old();
            } else if let Some((payment, mark)) = self.table.pop_old() {
                self.fingerprint = self.fingerprint.without(mark);
                goes(&payment);
            }
        }
        while let Some(payment) = self.table.first().filter(|payment| payment.at < horizon) {
            if kept(payment) {
                return self.table.keep_first();
            }
            let Some((payment, mark)) = self.table.pop_first() else { return };
            self.fingerprint = self.fingerprint.without(mark);
            goes(&payment);
        }
    }

    /// How many of the first are kept beyond their time, and which of them is looked at next.
    pub(crate) fn kept(&self) -> (usize, usize) {
        self.table.kept()
    }

    /// Puts back what [`Self::kept`] said.
    pub(crate) fn keep(&mut self, kept: (usize, usize)) {
        self.table.keep(kept);
    }
}

/// From the last back to the first.
struct Latest<'a> {
    table: &'a Table,
    /// How many have not been looked at.
    left: usize,
    /// Those that came at the same time, the highest id last.
    at_once: Vec<&'a Payment>,
}

impl<'a> Iterator for Latest<'a> {
    type Item = &'a Payment;

    fn next(&mut self) -> Option<&'a Payment> {
        if self.at_once.is_empty() {
            let place = self.left.checked_sub(1)?;
            let at = self.table.nth(place)?.at;
            let before = |left: usize| self.table.nth(left.checked_sub(1)?);
            while let Some(payment) = before(self.left).filter(|payment| payment.at == at) {
                self.at_once.push(payment);
                self.left = self.left.saturating_sub(1);
            }
            self.at_once.sort_unstable_by_key(|payment| payment.id);
        }
        self.at_once.pop()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use scheme::{CardRef, LocalTime, MonthTime, Mti, Processing, RetailerId, Sealed};

    use super::*;
    use crate::record::Opened;

    fn payment(id: u128, stan: u32, rrn: &[u8; 12], at: u64) -> Payment {
        let bank = ParticipantId::new(7).unwrap();
        let card = CardRef {
            first8: 94_080_100,
            last4: 4444,
            pan_len: 16,
            token: Token(u128::from(stan)),
            sealed: Sealed::EMPTY,
        };
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
            card: Some(card),
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
        let mut kept_most = 0;
        for step in 0..1_200u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let stan = (dice >> 33) as u32 % 5;
            let rrn = if dice >> 60 == 0 { b"000000000001" } else { b"000000000002" };
            // Some come at once, and the highest id is not always the last of them.
            let new = payment(u128::from((step ^ 1) + 1), stan, rrn, step / 4);
            payments.insert(new.clone());
            list.push(new);
            if step % 3 == 0 {
                let horizon = Timestamp((step / 4).saturating_sub(40));
                let is_kept = |p: &Payment| p.at.0.is_multiple_of(11) && p.at.0 + 90 > step / 4;
                let mut gone = vec![];
                payments.forget(horizon, is_kept, |payment| gone.push(payment.id));
                assert!(list.iter().filter(|p| gone.contains(&p.id)).all(|p| !is_kept(p)));
                list.retain(|payment| !gone.contains(&payment.id));
                assert!(list.iter().filter(|p| p.at < horizon && !is_kept(p)).count() < 60);
            }
            kept_most = kept_most.max(payments.kept().0);
            let (bank, terminal) = (list[0].seen.acquirer, list[0].seen.terminal);
            let retailer = list[0].seen.retailer;
            let ids = |found: Vec<&Payment>| found.iter().map(|p| p.id).collect::<Vec<_>>();
            let newest_first = |of: &dyn Fn(&Seen) -> bool| {
                list.iter().rev().filter(|p| of(&p.seen)).map(|p| p.id).collect::<Vec<_>>()
            };
            let (asked, number) = (Rrn::new(rrn).unwrap(), Stan::new(stan).unwrap());
            let found = payments.by_stan(bank, terminal, number).collect();
            assert_eq!(ids(found), newest_first(&|seen| seen.stan == number), "step {step}");
            let alike = newest_first(&|seen| seen.rrn == asked);
            assert_eq!(ids(payments.by_rrn(bank, terminal, asked).collect()), alike);
            assert_eq!(ids(payments.by_reference(bank, asked).collect()), alike);
            let token = Token(u128::from(stan));
            let found = payments.by_card(bank, retailer, token).collect();
            assert_eq!(ids(found), newest_first(&|seen| seen.stan == number));
            assert_eq!(ids(payments.iter().collect()), ids(list.iter().collect()));
            let until = Timestamp((step / 4).saturating_sub(dice >> 58));
            let mut before: Vec<_> = list.iter().filter(|p| p.at <= until).collect();
            before.sort_by_key(|p| core::cmp::Reverse((p.at, p.id)));
            assert_eq!(ids(payments.latest(|p| p.at <= until).collect()), ids(before));
        }
        assert!(kept_most > 8, "{kept_most}");
        assert!(list.len() < 400, "{} of 1,200 are left", list.len());
        assert!(list.iter().all(|p| payments.get(p.id) == Some(p)));
        assert_eq!(payments.get(PaymentId::of_transfer(1 << 4)), None);
    }
}
