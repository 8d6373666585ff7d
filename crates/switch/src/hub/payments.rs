//! Payments in memory: those under way, those in no index yet, and the newest of the others.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use scheme::{
    Amount, ApprovalCode, BusinessDate, ParticipantId, PaymentId, Reason, ResponseCode, RetailerId,
    Rrn, Stan, TerminalId, Timestamp, Token,
};

use super::kept::Kept;
use super::table::{Chaining, Key, Life, Table};
use crate::fingerprint::{Fingerprint, Mark};
use crate::limits::{FORGET_PER_TURN, FOUND_PAYMENTS_MAX};
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

/// The table, its fingerprint, and who in it may change.
///
/// A payment is *open* while anything may still change it of itself; then it waits until history
/// covers its last record, and is *cold* from then on: it may be let go, and a record recalls it
/// before it changes. What is cold follows from records alone, so that a replay, whatever it has
/// let go, has all that a later record changes. The fingerprint counts all payments that ever were.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    table: Table,
    fingerprint: Fingerprint,
    /// Everything up to this record can be read back.
    covered: u64,
    /// Rows of those that are open, by the records that opened them.
    open: BTreeMap<u64, u32>,
    /// The last records of those that are not, with their rows; some have changed since.
    closing: VecDeque<(u64, u32)>,
    /// The next of `open` that may be retired; none once all were looked at.
    sweep: Option<u64>,
}

impl Payments {
    /// Memory for so many more payments, in hand before they come.
    pub(crate) fn make_room(&mut self, payments: usize) {
        self.table.make_room(payments);
    }

    /// Leaves for later what no record needs: see [`Recovering`](super::Recovering).
    pub(crate) fn leave_chains(&mut self) {
        self.table.leave_chains();
    }

    /// What was left, in two halves: each is to be run and given back.
    pub(crate) fn take_chains(&mut self) -> [Chaining; 2] {
        self.table.take_chains()
    }

    /// What was left is made.
    pub(crate) fn put_chains(&mut self, made: [Chaining; 2]) {
        self.table.put_chains(made);
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

    /// Every payment in memory but those read back, in the order in which they came.
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

    /// Everything up to this record can be read back.
    pub fn covered(&self) -> u64 {
        self.covered
    }

    /// How many are open, or in no index yet.
    pub fn new_ones(&self) -> usize {
        self.open.len().saturating_add(self.closing.len())
    }

    /// How many are over and in no index yet.
    pub fn unindexed(&self) -> usize {
        self.closing.len()
    }

    /// Whether history alone has a payment, which is to be recalled before it changes.
    pub fn is_cold(&self, id: PaymentId) -> bool {
        self.table.life(id).is_some_and(|(life, _)| self.cold(life))
    }

    fn cold(&self, life: Life) -> bool {
        !life.open && life.last <= self.covered
    }

    /// A new payment, that this record opened or refused.
    pub(crate) fn insert(&mut self, payment: Payment, record: u64, open: bool) {
        // An id is derived from the match key K1, and a K1 match is never a new payment.
        assert!(self.get(payment.id).is_none(), "payment {} exists already", payment.id);
        let mark = Mark::of(&payment);
        self.fingerprint = self.fingerprint.and(mark.fingerprint());
        let life = Life { mark, opened: record, last: record, open, ..Life::default() };
        let row = self.table.insert(payment, life);
        self.enlist(life, row);
    }

    fn enlist(&mut self, life: Life, row: u32) {
        if life.open {
            self.open.insert(life.opened, row);
        } else {
            self.closing.push_back((life.last, row));
        }
    }

    /// Changes a payment by a record.
    pub(crate) fn change(&mut self, id: PaymentId, record: u64, change: impl FnOnce(&mut Payment)) {
        if let Some((payment, life, _)) = self.table.get_mut(id) {
            change(payment);
            let before = core::mem::replace(&mut life.mark, Mark::of(payment));
            let (before, after) = (before.fingerprint(), life.mark.fingerprint());
            self.fingerprint = self.fingerprint.without(before).and(after);
            life.last = record;
            life.retired = false;
        }
    }

    /// Whether a payment's last record says all of it, and whether any record did.
    pub(crate) fn is_told(&self, id: PaymentId) -> (bool, bool) {
        let life = self.table.life(id).map(|(life, _)| life).unwrap_or_default();
        (life.retired, life.told)
    }

    /// A payment is open, or no more.
    pub(crate) fn set_open(&mut self, id: PaymentId, open: bool) {
        let Some((_, life, row)) = self.table.get_mut(id) else { return };
        let (was, now) = (life.open, *life);
        life.open = open;
        if open && !was {
            self.open.insert(now.opened, row);
            self.table.keep_found(row, now.opened);
        } else if was && !open {
            self.open.remove(&now.opened);
        }
        if !open {
            self.closing.push_back((now.last, row));
        }
    }

    /// A payment is in hand again, as history has it.
    pub(crate) fn recall(&mut self, kept: &Kept, record: u64) {
        let id = kept.payment.id;
        if self.get(id).is_none() {
            let life = Life { opened: kept.opened, ..Life::default() };
            let mark = Mark::of(&kept.payment);
            self.table.insert_old(kept.payment.clone(), Life { mark, ..life });
        }
        if let Some((_, life, row)) = self.table.get_mut(id) {
            (life.last, life.retired, life.told) = (record, false, true);
            let opened = life.opened;
            self.table.keep_found(row, opened);
        }
    }

    /// A payment's last record says all of it.
    pub(crate) fn retire(&mut self, id: PaymentId, record: u64) {
        if let Some((_, life, _)) = self.table.get_mut(id) {
            (life.last, life.retired, life.told) = (record, true, true);
        }
    }

    /// Everything up to this record can be read back.
    pub(crate) fn cover(&mut self, record: u64) {
        self.covered = self.covered.max(record);
        while self.closing.front().is_some_and(|(last, _)| *last <= self.covered) {
            self.closing.pop_front();
        }
        self.sweep = Some(0);
    }

    /// Some of those that stay open though all of them can be read back, each once after every
    /// [`Self::cover`].
    pub(crate) fn rested(&mut self, most: usize) -> Vec<PaymentId> {
        let (table, covered) = (&self.table, self.covered);
        let Some(from) = self.sweep.take().filter(|from| *from <= covered) else {
            return Vec::new();
        };
        let looked: Vec<_> = self.open.range(from..=covered).take(most).collect();
        self.sweep =
            looked.last().filter(|_| looked.len() == most).map(|(n, _)| n.saturating_add(1));
        let rested = looked.into_iter().filter_map(|(_, row)| table.at_row(*row));
        rested.filter(|(_, life)| life.last <= covered).map(|(payment, _)| payment.id).collect()
    }

    /// Takes in what was read back; whether it was not there.
    pub(crate) fn find(&mut self, kept: &Kept) -> bool {
        let (id, life) = (kept.payment.id, Life::default());
        if self.get(id).is_some() {
            return false;
        }
        let mark = Mark::of(&kept.payment);
        let life = Life { mark, opened: kept.opened, last: kept.last, ..life };
        self.table.insert_found(kept.payment.clone(), life);
        true
    }

    /// Whether there may be something to let go.
    pub(crate) fn may_forget(&self, window: usize) -> bool {
        self.table.len() > self.new_ones().saturating_add(window) || self.table.has_more()
    }

    /// Lets cold payments go: all old ones, those read back beyond their number, and of the others
    /// the oldest beyond the window; a few at a time, and none that is `held`. The caller hears of
    /// each that goes.
    pub(crate) fn forget(
        &mut self,
        window: usize,
        held: impl Fn(PaymentId) -> bool,
        mut goes: impl FnMut(&Payment),
    ) {
        if let Some((payment, life)) = self.table.old() {
            if !self.cold(life) || held(payment.id) {
                self.table.keep_old();
            } else if let Some(payment) = self.table.pop_old() {
                goes(&payment);
            }
        }
        while let Some(payment) = self.table.forget_found(FOUND_PAYMENTS_MAX) {
            goes(&payment);
        }
        for _ in 0..FORGET_PER_TURN {
            if self.table.len() <= self.new_ones().saturating_add(window) {
                return;
            }
            let Some((payment, life)) = self.table.first() else { return };
            if !life.open && !self.cold(life) {
                return;
            } else if life.open || held(payment.id) {
                let row = self.table.keep_first();
                // One that is not open is cold, and in no list.
                if let Some(row) = row.filter(|_| life.open) {
                    self.open.insert(life.opened, row);
                }
            } else if let Some(payment) = self.table.pop_first() {
                goes(&payment);
            }
        }
    }

    /// What is not cold, in the order in which it came.
    pub(super) fn hot(&self) -> Vec<(&Payment, Life)> {
        let open = self.open.values().copied();
        let closing = self.closing.iter().filter(|(last, row)| {
            let life = self.table.at_row(*row).map(|(_, life)| life);
            let waits = |life: Life| life.last == *last && !life.open && life.last > self.covered;
            life.is_some_and(waits)
        });
        let rows = open.chain(closing.map(|(_, row)| *row));
        let mut hot: Vec<_> = rows.filter_map(|row| self.table.at_row(row)).collect();
        hot.sort_unstable_by_key(|(_, life)| life.opened);
        hot.dedup_by_key(|(_, life)| life.opened);
        hot
    }

    /// Rows of all that are not cold, and of some that are; some more than once.
    pub(super) fn hot_rows(&self) -> Vec<u32> {
        let closing = self.closing.iter().filter(|(last, _)| *last > self.covered);
        self.open.values().copied().chain(closing.map(|(_, row)| *row)).collect()
    }

    /// The row of a payment.
    pub(super) fn row_of(&self, id: PaymentId) -> Option<u32> {
        self.table.life(id).map(|(_, row)| row)
    }

    /// The payment of a row, and what is known beside it.
    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        self.table.at_row(row)
    }

    /// A snapshot has the payment of a row.
    pub(super) fn set_copied(&mut self, row: u32, by: u32) {
        if let Some((_, life)) = self.table.row_mut(row) {
            life.copied = by;
        }
    }

    /// Begins to put back what a snapshot kept.
    pub(crate) fn restore(&mut self, covered: u64) {
        self.covered = covered;
        self.sweep = Some(0);
    }

    /// Ends it.
    pub(crate) fn restored(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = fingerprint;
        self.closing.make_contiguous().sort_unstable();
    }

    /// Puts back one that was not cold, as open; each came after the one before.
    pub(crate) fn restore_hot(&mut self, kept: &Kept, (retired, told): (bool, bool)) {
        let open = true;
        let mark = Mark::of(&kept.payment);
        let (opened, last) = (kept.opened, kept.last);
        let life = Life { mark, opened, last, open, retired, told, ..Life::default() };
        let payment = kept.payment.clone();
        let old = kept.opened <= self.covered;
        let row = if old {
            self.table.insert_old(payment, life)
        } else {
            self.table.insert(payment, life)
        };
        self.enlist(life, row);
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
pub(super) mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use scheme::{CardRef, LocalTime, MonthTime, Mti, Processing, RetailerId, Sealed};

    use super::*;
    use crate::record::Opened;

    pub(in crate::hub) fn payment(id: u128, stan: u32, rrn: &[u8; 12], at: u64) -> Payment {
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

    /// Against a plain list: chains stay in order whatever comes, goes, stays or is read back, and
    /// rows that were given up are used again. Nothing that is not cold ever goes.
    #[test]
    fn r_match_chains_are_the_lists_that_they_stand_for() {
        let mut payments = Payments::default();
        let mut list: Vec<(Kept, bool)> = vec![];
        let (mut gone, mut back): (Vec<Kept>, Vec<PaymentId>) = (vec![], vec![]);
        let (mut dice, mut old_most) = (1u64, 0);
        for step in 0..1_200u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let stan = (dice >> 33) as u32 % 5;
            let rrn = if dice >> 60 == 0 { b"000000000001" } else { b"000000000002" };
            // Some come at once, and the highest id is not always the last of them.
            let new = payment(u128::from((step ^ 1) + 1), stan, rrn, step / 4);
            let (opened, open) = (2 * step + 1, step.is_multiple_of(11));
            payments.insert(new.clone(), opened, open);
            let kept = Kept { payment: new, preauth: None, original: None, opened, last: opened };
            list.push((kept, open));
            if let Some((kept, open)) = list
                .iter_mut()
                .find(|(kept, open)| *open && kept.opened + 400 < opened && dice >> 61 == 1)
            {
                let id = kept.payment.id;
                payments.change(id, opened + 1, |payment| payment.status = Status::Declined);
                payments.set_open(id, false);
                (kept.payment.status, kept.last, *open) = (Status::Declined, opened + 1, false);
            }
            if step % 3 == 0 {
                let covered = opened.saturating_sub(60);
                payments.cover(covered);
                let mut went = vec![];
                payments.forget(5, |_| false, |payment| went.push(payment.id));
                for (kept, open) in list.extract_if(.., |(kept, _)| went.contains(&kept.payment.id))
                {
                    assert!(!open && kept.last <= covered);
                    back.retain(|id| *id != kept.payment.id);
                    gone.push(kept);
                }
                // Those that were open for long go one at a time.
                let over = list.iter().filter(|(kept, open)| {
                    let at_once = kept.last == kept.opened;
                    at_once && !open && kept.last < covered && !back.contains(&kept.payment.id)
                });
                assert!(over.count() < 60);
            }
            if dice >> 62 == 2 && !gone.is_empty() {
                // Where it came, among those that it came with.
                let kept = gone.remove((dice >> 40) as usize % gone.len());
                assert!(payments.find(&kept) && !payments.find(&kept));
                back.push(kept.payment.id);
                list.push((kept, false));
                list.sort_by_key(|(kept, _)| kept.opened);
                if dice >> 59 & 1 == 1 {
                    let kept =
                        list.iter_mut().find(|(kept, _)| Some(&kept.payment.id) == back.last());
                    let (kept, open) = kept.unwrap();
                    payments.recall(kept, opened + 1);
                    payments.set_open(kept.payment.id, true);
                    (kept.last, *open) = (opened + 1, true);
                    back.pop();
                }
            }
            old_most = old_most.max(payments.table.len() - payments.new_ones().min(60));
            agree(&payments, &list, &back, (rrn, stan), step, dice);
        }
        assert!(old_most > 8, "{old_most}");
        assert!(list.len() < 600, "{} of 1,200 are left", list.len());
        assert!(list.iter().all(|(kept, _)| payments.get(kept.payment.id) == Some(&kept.payment)));
        assert!(gone.iter().all(|kept| payments.get(kept.payment.id).is_none()));
        let mut hot: Vec<_> = payments.hot().iter().map(|(payment, _)| payment.id).collect();
        let covered = payments.covered();
        let not_cold = list.iter().filter(|(kept, open)| *open || kept.last > covered);
        let mut expected: Vec<_> = not_cold.map(|(kept, _)| kept.payment.id).collect();
        hot.sort_unstable();
        expected.sort_unstable();
        assert_eq!(hot, expected);
    }

    /// Two reference numbers whose keys share a chain, as their hashes are alike in what is kept of
    /// them: each is asked for alone.
    #[test]
    fn r_match_keys_that_share_a_chain_are_told_apart() {
        let rrns = [*b"000001035722", *b"000001113010"];
        let bank = ParticipantId::new(7).unwrap();
        let kept = rrns.map(|rrn| Key::Reference(bank, Rrn::new(&rrn).unwrap()).kept_of_hash());
        assert_eq!(kept[0], kept[1], "they share no chain any more: look for another two");
        let mut payments = Payments::default();
        for id in 1..=6u64 {
            let rrn = &rrns[usize::from(id.is_multiple_of(3))];
            payments.insert(payment(u128::from(id), 1, rrn, id), id, false);
        }
        let found = rrns.map(|rrn| {
            let found = payments.by_reference(bank, Rrn::new(&rrn).unwrap());
            found.map(|payment| payment.id.get() >> 4).collect::<Vec<_>>()
        });
        assert_eq!(found, [vec![5, 4, 2, 1], vec![6, 3]]);
    }

    /// Chains that are made at the end are those that were made on the way, those that came, went,
    /// and stayed alike.
    #[test]
    fn r_match_chains_made_late_are_the_same() {
        let (mut now, mut late) = (Payments::default(), Payments::default());
        for step in 0..1_000u64 {
            let stan = u32::try_from(step * step % 7).unwrap();
            let new = payment(u128::from(step + 1), stan, b"000000000001", step);
            if step == 10 {
                late.leave_chains();
            }
            for payments in [&mut now, &mut late] {
                payments.insert(new.clone(), step + 1, step.is_multiple_of(50));
                payments.cover(step.saturating_sub(step % 40));
                payments.forget(usize::from(step < 700) * 300, |_| false, |_| {});
            }
        }
        let mut halves = late.take_chains();
        halves.iter_mut().for_each(Chaining::run);
        late.put_chains(halves);
        let seen = payment(1, 0, b"000000000001", 0).seen;
        let (bank, terminal, retailer) = (seen.acquirer, seen.terminal, seen.retailer);
        let ids = |found: Vec<&Payment>| found.iter().map(|p| p.id).collect::<Vec<_>>();
        let mut all = 0;
        for stan in 0..7 {
            let of = |payments: &Payments| {
                let token = Token(u128::from(stan));
                let by_stan = payments.by_stan(bank, terminal, Stan::new(stan).unwrap());
                let by_card = payments.by_card(bank, retailer, token);
                (ids(by_stan.collect()), ids(by_card.collect()))
            };
            assert_eq!(of(&now), of(&late));
            all += of(&late).0.len();
        }
        assert!(all < 400 && all == late.len(), "{all} of {}", late.len());
        let alike = |payments: &Payments| ids(payments.by_reference(bank, seen.rrn).collect());
        assert_eq!(alike(&late).len(), all);
        assert_eq!(alike(&now), alike(&late));
        // They go on alike.
        for payments in [&mut now, &mut late] {
            payments.insert(payment(5_000, 3, b"000000000001", 2_000), 2_000, false);
            payments.cover(1_900);
            (0..500).for_each(|_| payments.forget(100, |_| false, |_| {}));
        }
        assert_eq!(alike(&now), alike(&late));
        assert!(alike(&now).len() < 200);
    }

    fn agree(
        payments: &Payments,
        list: &[(Kept, bool)],
        back: &[PaymentId],
        (rrn, stan): (&[u8; 12], u32),
        step: u64,
        dice: u64,
    ) {
        let seen = list[0].0.payment.seen;
        let (bank, terminal, retailer) = (seen.acquirer, seen.terminal, seen.retailer);
        let ids = |found: Vec<&Payment>| found.iter().map(|p| p.id).collect::<Vec<_>>();
        let newest_first = |of: &dyn Fn(&Seen) -> bool| {
            let all = list.iter().rev().map(|(kept, _)| &kept.payment);
            all.filter(|p| of(&p.seen)).map(|p| p.id).collect::<Vec<_>>()
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
        let own = list.iter().map(|(kept, _)| &kept.payment).filter(|p| !back.contains(&p.id));
        let own: Vec<_> = own.collect();
        assert_eq!(ids(payments.iter().collect()), ids(own.clone()));
        let until = Timestamp((step / 4).saturating_sub(dice >> 58));
        let mut before: Vec<_> = own.into_iter().filter(|p| p.at <= until).collect();
        before.sort_by_key(|p| core::cmp::Reverse((p.at, p.id)));
        assert_eq!(ids(payments.latest(|p| p.at <= until).collect()), ids(before));
    }
}
