//! What some payments have beyond the rest: the life of a pre-authorisation, and what refunds
//! return. Part of the durable state; kept beside the table of payments so that a purchase pays
//! nothing for it.
//!
//! A pre-authorisation and a linked refund are here as long as their payments are in memory. What
//! linked refunds have in flight is reckoned from them. A retailer's day counts unlinked refunds
//! only, those in flight too.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use scheme::{
    Amount, ApprovalCode, BusinessDate, MonthTime, ParticipantId, PaymentId, RetailerId, Rrn, Stan,
    TerminalId, Timestamp,
};

use super::payments::Payment;
use crate::fingerprint::Fingerprint;
use crate::record::{Completed, Opened, Reversed};
use crate::request::Trace;

/// A pre-authorisation that the issuer has approved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PreAuth {
    /// When its hold is released if nothing completes it.
    pub expires: Timestamp,
    /// Until when it is remembered.
    pub keep_until: Timestamp,
    /// What completed it.
    pub completion: Option<Completion>,
}

/// What completed a pre-authorisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Completion {
    /// How much was posted.
    pub amount: Amount,
    /// DE11 of the completion.
    pub stan: Stan,
    /// DE7 of the completion.
    pub transmitted: MonthTime,
    /// DE37 of the completion.
    pub rrn: Rrn,
    /// Its first receipt at our first hop.
    pub first_received: Timestamp,
    /// DE11 and DE7 of the advice to the issuer.
    pub advice: Trace,
}

/// What a retailer has refunded without naming a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RefundDay {
    /// On this business date.
    pub date: BusinessDate,
    /// How much, refunds in flight included.
    pub amount: Amount,
}

type TerminalKey = (ParticipantId, TerminalId);
type Till = (ParticipantId, RetailerId);

/// The tables.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// Of all pre-authorisations and linked refunds that ever were.
    marks: Fingerprint,
    preauths: BTreeMap<PaymentId, PreAuth>,
    /// Refund to the payment that it returns.
    linked: BTreeMap<PaymentId, PaymentId>,
    days: BTreeMap<Till, RefundDay>,
    /// Reckoned from `linked`: what is being returned of a payment.
    refunding: BTreeMap<PaymentId, Amount>,
    /// Holds whose end the hub's timer brings.
    expiring: BTreeSet<(Timestamp, PaymentId)>,
    /// Pre-authorisations of a terminal whose hold stands, those in flight too.
    open: BTreeMap<TerminalKey, usize>,
    by_approval: BTreeMap<(TerminalKey, ApprovalCode), Vec<PaymentId>>,
    by_completion: BTreeMap<(TerminalKey, Stan), Vec<PaymentId>>,
}

/// Of pre-authorisations and linked refunds all that ever were.
impl Hash for Flows {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.marks.0, &self.days).hash(state);
    }
}

impl Flows {
    /// A pre-authorisation, once the issuer has approved it.
    pub fn preauth(&self, id: PaymentId) -> Option<&PreAuth> {
        self.preauths.get(&id)
    }

    /// What completed a pre-authorisation.
    pub fn completion(&self, id: PaymentId) -> Option<&Completion> {
        self.preauths.get(&id)?.completion.as_ref()
    }

    /// How much of a payment was, or is to be, posted.
    pub fn posted(&self, payment: &Payment) -> Amount {
        let whole = payment.seen.amount;
        if !payment.seen.is_preauth() {
            return whole;
        }
        self.completion(payment.id).map_or(whole, |completion| completion.amount)
    }

    /// What refunds in flight are returning of a payment.
    pub fn refunding(&self, id: PaymentId) -> Amount {
        self.refunding.get(&id).copied().unwrap_or_default()
    }

    /// The payment that a linked refund returns.
    pub fn original_of(&self, refund: PaymentId) -> Option<PaymentId> {
        self.linked.get(&refund).copied()
    }

    /// What a retailer has refunded on a business date without naming a payment.
    pub fn refunded_on(&self, till: (ParticipantId, RetailerId), date: BusinessDate) -> Amount {
        let day = self.days.get(&till).filter(|day| day.date == date);
        day.map_or(Amount::ZERO, |day| day.amount)
    }

    /// The hold that ends first by time, and when.
    pub fn next_expiry(&self) -> Option<(Timestamp, PaymentId)> {
        self.expiring.first().copied()
    }

    /// Holds that have come to their end by time, those that ended first at first.
    pub fn expiring(&self, now: Timestamp) -> impl Iterator<Item = PaymentId> {
        self.expiring.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Approved pre-authorisations of a terminal with this DE38, oldest first.
    pub fn by_approval(
        &self,
        terminal: (ParticipantId, TerminalId),
        code: ApprovalCode,
    ) -> &[PaymentId] {
        self.by_approval.get(&(terminal, code)).map_or(&[], Vec::as_slice)
    }

    /// Pre-authorisations of a terminal that a message with this DE11 completed, oldest first.
    pub fn by_completion(&self, terminal: (ParticipantId, TerminalId), stan: Stan) -> &[PaymentId] {
        self.by_completion.get(&(terminal, stan)).map_or(&[], Vec::as_slice)
    }

    /// How many pre-authorisations of a terminal have a hold that stands, those in flight too.
    pub fn open_preauths(&self, terminal: (ParticipantId, TerminalId)) -> usize {
        self.open.get(&terminal).copied().unwrap_or_default()
    }

    pub(super) fn preauth_opened(&mut self, terminal: TerminalKey) {
        let open = self.open.entry(terminal).or_default();
        *open = open.saturating_add(1);
    }

    pub(super) fn preauth_ended(&mut self, terminal: TerminalKey) {
        let Some(open) = self.open.get_mut(&terminal) else { return };
        *open = open.saturating_sub(1);
        if *open == 0 {
            self.open.remove(&terminal);
        }
    }

    pub(super) fn hold(&mut self, payment: &Payment, preauth: PreAuth) {
        self.marks.add(&(payment.id, preauth));
        self.index(payment, preauth);
        if preauth.completion.is_none() {
            self.expiring.insert((preauth.expires, payment.id));
        }
    }

    fn index(&mut self, payment: &Payment, preauth: PreAuth) {
        let terminal = (payment.seen.acquirer, payment.seen.terminal);
        self.preauths.insert(payment.id, preauth);
        let alike = self.by_approval.entry((terminal, payment.approval)).or_default();
        alike.push(payment.id);
        if let Some(completion) = preauth.completion {
            let alike = self.by_completion.entry((terminal, completion.stan)).or_default();
            alike.push(payment.id);
        }
    }

    /// The hold is gone: completed, reversed or expired.
    pub(super) fn released(&mut self, id: PaymentId) {
        if let Some(preauth) = self.preauths.get(&id) {
            self.expiring.remove(&(preauth.expires, id));
        }
    }

    pub(super) fn complete(&mut self, payment: &Payment, completed: &Completed, keep: Timestamp) {
        let Some(preauth) = self.preauths.get_mut(&payment.id) else { return };
        self.expiring.remove(&(preauth.expires, payment.id));
        self.marks.remove(&(payment.id, *preauth));
        preauth.keep_until = preauth.keep_until.max(keep);
        preauth.completion = Some(Completion {
            amount: completed.amount,
            stan: completed.stan,
            transmitted: completed.transmitted,
            rrn: completed.rrn,
            first_received: completed.first_received,
            advice: completed.advice,
        });
        self.marks.add(&(payment.id, *preauth));
        let terminal = (payment.seen.acquirer, payment.seen.terminal);
        self.by_completion.entry((terminal, completed.stan)).or_default().push(payment.id);
    }

    pub(super) fn refund_opened(&mut self, opened: &Opened) {
        let amount = opened.seen.amount;
        let Some(original) = opened.original else {
            let till = (opened.seen.acquirer, opened.seen.retailer);
            let nothing = RefundDay { date: opened.business_date, amount: Amount::ZERO };
            let day = self.days.entry(till).or_insert(nothing);
            if day.date != opened.business_date {
                *day = nothing;
            }
            day.amount = day.amount.checked_add(amount).unwrap_or(day.amount);
            return;
        };
        self.marks.add(&(opened.id, original));
        self.linked.insert(opened.id, original);
        self.add_refunding(original, amount);
    }

    /// A refund came to nothing, or was posted: it is in flight no more.
    pub(super) fn refund_closed(&mut self, refund: &Payment, posted: bool) {
        match self.linked.get(&refund.id).copied() {
            Some(original) => self.take_refunding(original, refund.seen.amount),
            None if !posted => self.give_day_back(refund, refund.seen.amount),
            None => {}
        }
    }

    /// A posted refund was reversed.
    pub(super) fn refund_reversed(&mut self, refund: &Payment, reversed: &Reversed) {
        if !self.linked.contains_key(&refund.id) {
            self.give_day_back(refund, reversed.returned);
        }
    }

    fn give_day_back(&mut self, refund: &Payment, amount: Amount) {
        let till = (refund.seen.acquirer, refund.seen.retailer);
        let day = self.days.get_mut(&till).filter(|day| day.date == refund.business_date);
        if let Some(day) = day {
            day.amount = day.amount.checked_sub(amount).unwrap_or_default();
        }
    }

    fn add_refunding(&mut self, original: PaymentId, amount: Amount) {
        let sum = self.refunding.entry(original).or_default();
        *sum = sum.checked_add(amount).unwrap_or(*sum);
    }

    fn take_refunding(&mut self, original: PaymentId, amount: Amount) {
        if let Some(sum) = self.refunding.get_mut(&original) {
            *sum = sum.checked_sub(amount).unwrap_or_default();
            if sum.is_zero() {
                self.refunding.remove(&original);
            }
        }
    }

    /// A payment is forgotten, and all that is known of it here.
    pub(super) fn forget(&mut self, payment: &Payment) {
        let id = payment.id;
        if payment.seen.is_refund() {
            self.linked.remove(&id);
        }
        let Some(preauth) = self.preauths.remove(&id) else { return };
        self.expiring.remove(&(preauth.expires, id));
        let terminal = (payment.seen.acquirer, payment.seen.terminal);
        unlink(&mut self.by_approval, &(terminal, payment.approval), id);
        if let Some(completion) = preauth.completion {
            unlink(&mut self.by_completion, &(terminal, completion.stan), id);
        }
    }

    pub(super) fn marks(&self) -> Fingerprint {
        self.marks
    }

    /// What a snapshot knew of all of them.
    pub(super) fn restore_marks(&mut self, marks: Fingerprint) {
        self.marks = marks;
    }

    pub(super) fn days(&self) -> impl ExactSizeIterator<Item = (Till, RefundDay)> {
        self.days.iter().map(|(till, day)| (*till, *day))
    }

    /// Puts back what a snapshot kept of a pre-authorisation.
    pub(super) fn restore_preauth(&mut self, payment: &Payment, preauth: PreAuth, held: bool) {
        self.index(payment, preauth);
        if held {
            self.expiring.insert((preauth.expires, payment.id));
        }
    }

    /// Puts back what a snapshot kept of a linked refund.
    pub(super) fn restore_linked(
        &mut self,
        refund: &Payment,
        original: PaymentId,
        in_flight: bool,
    ) {
        self.linked.insert(refund.id, original);
        if in_flight {
            self.add_refunding(original, refund.seen.amount);
        }
    }

    /// Puts back what a snapshot kept of a retailer's day.
    pub(super) fn restore_day(&mut self, till: (ParticipantId, RetailerId), day: RefundDay) {
        self.days.insert(till, day);
    }
}

fn unlink<K: Ord>(index: &mut BTreeMap<K, Vec<PaymentId>>, key: &K, id: PaymentId) {
    if let Some(ids) = index.get_mut(key) {
        ids.retain(|known| *known != id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
