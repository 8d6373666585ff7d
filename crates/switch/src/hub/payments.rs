//! Payments that are still of interest: under way, or inside the match window.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::Hash;

use ledger::SpreadMap;
use scheme::{
    Amount, ApprovalCode, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, Rrn, Stan,
    TerminalId, Timestamp,
};

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

type StanKey = (ParticipantId, TerminalId, Stan);
type RrnKey = (ParticipantId, TerminalId, Rrn);

/// Payments that share a key, in the order in which they came. Nearly always it is one, which
/// needs no allocation.
#[derive(Clone, Debug)]
struct Ids {
    first: PaymentId,
    others: Vec<PaymentId>,
}

impl Ids {
    fn iter(&self) -> impl DoubleEndedIterator<Item = &PaymentId> {
        core::iter::once(&self.first).chain(&self.others)
    }

    fn len(&self) -> usize {
        self.others.len().saturating_add(1)
    }

    fn insert(&mut self, place: usize, id: PaymentId) {
        match place.checked_sub(1) {
            Some(place) => self.others.insert(place, id),
            None => self.others.insert(0, core::mem::replace(&mut self.first, id)),
        }
    }

    /// Takes an id out; whether none is left.
    fn remove(&mut self, id: PaymentId) -> bool {
        if self.first == id {
            if self.others.is_empty() {
                return true;
            }
            self.first = self.others.remove(0);
        } else {
            self.others.retain(|known| *known != id);
        }
        false
    }
}

/// The table, its match keys, and the order in which payments leave the window.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    by_id: SpreadMap<PaymentId, Payment>,
    by_stan: SpreadMap<StanKey, Ids>,
    by_rrn: SpreadMap<RrnKey, Ids>,
    window: VecDeque<PaymentId>,
    fingerprint: Fingerprint,
}

impl Payments {
    /// A payment by its id.
    pub fn get(&self, id: PaymentId) -> Option<&Payment> {
        self.by_id.get(&id)
    }

    /// Payments with this acquirer, terminal and DE11, newest first.
    pub fn by_stan(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        stan: Stan,
    ) -> impl Iterator<Item = &Payment> {
        let ids = self.by_stan.get(&(acquirer, terminal, stan));
        ids.into_iter().flat_map(Ids::iter).rev().filter_map(|id| self.by_id.get(id))
    }

    /// How many payments share an acquirer, terminal and DE11.
    pub fn count_by_stan(&self, a: ParticipantId, t: TerminalId, stan: Stan) -> usize {
        self.by_stan.get(&(a, t, stan)).map_or(0, Ids::len)
    }

    /// Payments with this acquirer, terminal and DE37, newest first.
    pub fn by_rrn(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        rrn: Rrn,
    ) -> impl Iterator<Item = &Payment> {
        let ids = self.by_rrn.get(&(acquirer, terminal, rrn));
        ids.into_iter().flat_map(Ids::iter).rev().filter_map(|id| self.by_id.get(id))
    }

    /// Every payment in the window, in the order in which they came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        self.window.iter().filter_map(|id| self.by_id.get(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The set of payments.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn insert(&mut self, payment: Payment) {
        let (seen, id, at) = (payment.seen, payment.id, payment.at);
        self.fingerprint.add(&payment);
        let replaced = self.by_id.insert(id, payment);
        // An id is derived from the match key K1, and a K1 match is never a new payment.
        assert!(replaced.is_none(), "payment {id} exists already");
        let stan_key = (seen.acquirer, seen.terminal, seen.stan);
        link(&self.by_id, &mut self.by_stan, stan_key, at, id);
        let rrn_key = (seen.acquirer, seen.terminal, seen.rrn);
        link(&self.by_id, &mut self.by_rrn, rrn_key, at, id);
        self.window.push_back(id);
    }

    pub(crate) fn change(&mut self, id: PaymentId, change: impl FnOnce(&mut Payment)) {
        if let Some(payment) = self.by_id.get_mut(&id) {
            self.fingerprint.remove(payment);
            change(payment);
            self.fingerprint.add(payment);
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
        for _ in 0..self.window.len() {
            let Some(id) = self.window.front().copied() else {
                return;
            };
            let Some(payment) = self.by_id.get(&id) else {
                return;
            };
            if payment.at >= horizon {
                return;
            }
            self.window.pop_front();
            if kept(payment) {
                self.window.push_back(id);
                return;
            }
            self.fingerprint.remove(payment);
            goes(payment);
            let seen = payment.seen;
            unlink(&mut self.by_stan, &(seen.acquirer, seen.terminal, seen.stan), id);
            unlink(&mut self.by_rrn, &(seen.acquirer, seen.terminal, seen.rrn), id);
            self.by_id.remove(&id);
        }
    }
}

/// Adds an id in the order in which payments came. That is the end, but for a snapshot, which
/// holds them in the order in which they will be forgotten.
fn link<K: Hash + Eq>(
    by_id: &SpreadMap<PaymentId, Payment>,
    index: &mut SpreadMap<K, Ids>,
    key: K,
    at: Timestamp,
    id: PaymentId,
) {
    let Some(ids) = index.get_mut(&key) else {
        index.insert(key, Ids { first: id, others: Vec::new() });
        return;
    };
    let before = |known: &&PaymentId| {
        by_id.get(known).is_none_or(|payment| (payment.at, payment.id) <= (at, id))
    };
    let place = ids.iter().take_while(before).count();
    ids.insert(place, id);
}

fn unlink<K: Hash + Eq>(index: &mut SpreadMap<K, Ids>, key: &K, id: PaymentId) {
    if index.get_mut(key).is_some_and(|ids| ids.remove(id)) {
        index.remove(key);
    }
}
