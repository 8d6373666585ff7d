//! A second reckoning of a hub's journal, beside the hub and its books: every account's sums, every
//! hold, and what each payment has come to, from the records alone. `ledger verify` takes each
//! record through it first, so that a journal that is well made and wrong is refused at the record
//! that is wrong, and by the name of the rule that it breaks.
//!
//! What bounds it: what is open, accounts, and [`AUDIT_ENDED_MAX`] payments that have ended; a
//! record about one that ended before those is let through and counted. So is what a `recalled`
//! record says of a payment whose own records were put away; from there on it is judged by that.
//! Deliberately absent: the ledger's other rules, which `Books` keeps beside it, and who was right
//! to ask for what.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ledger::{Account, AccountFlags, Books, Transfer, TransferFlags, chart};
use scheme::{Amount, Currency, PaymentId, PaymentSeed, Timestamp};
use switch::Hub;
use switch::hub::{Kept, Payment, Status};
use switch::legs::Implied;
use switch::record::{Closed, Completed, Fact, Opened, Outcome, Reversed, Seen};

use super::check::{Broken, Check, Checked};
use crate::limits::AUDIT_ENDED_MAX;

/// Debits and credits, pending and posted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Sums {
    debits_pending: u128,
    debits_posted: u128,
    credits_pending: u128,
    credits_posted: u128,
}

impl Sums {
    fn of(account: &Account) -> Self {
        Self {
            debits_pending: account.debits_pending,
            debits_posted: account.debits_posted,
            credits_pending: account.credits_pending,
            credits_posted: account.credits_posted,
        }
    }
}

/// Money that is held.
#[derive(Clone, Copy, Debug)]
struct Hold {
    debit: u128,
    credit: u128,
    amount: u128,
}

/// Where a payment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stand {
    /// The issuer is asked.
    Asked,
    /// A pre-authorisation, approved.
    Held,
    Posted,
    Voided,
    Declined,
    Reversed,
}

/// What is known of a payment, in minor units.
#[derive(Clone, Copy, Debug)]
struct Known {
    stand: Stand,
    is_preauth: bool,
    is_reversed: bool,
    /// What was asked for.
    amount: u64,
    posted: u64,
    returned: u64,
    /// What linked refunds in flight are returning.
    refunding: u64,
}

impl Known {
    fn opened(seen: &Seen) -> Self {
        Self {
            stand: Stand::Asked,
            is_preauth: seen.is_preauth(),
            is_reversed: false,
            amount: seen.amount.minor(),
            posted: 0,
            returned: 0,
            refunding: 0,
        }
    }

    /// As a record says that a payment stands that is over.
    fn told(kept: &Kept) -> Self {
        let Kept { payment, preauth, .. } = kept;
        let completed = preauth.and_then(|preauth| preauth.completion);
        let amount = payment.seen.amount.minor();
        let stand = match payment.status {
            Status::Pending if preauth.is_some() => Stand::Held,
            Status::Pending => Stand::Asked,
            Status::Posted => Stand::Posted,
            Status::Voided => Stand::Voided,
            Status::Declined => Stand::Declined,
            Status::Reversed => Stand::Reversed,
        };
        let is_posted = match stand {
            Stand::Posted => true,
            // Of what was posted, or in flight.
            Stand::Reversed => !payment.returned.is_zero(),
            Stand::Asked | Stand::Held | Stand::Voided | Stand::Declined => false,
        };
        let posted = completed.map_or(amount, |completion| completion.amount.minor());
        Self {
            stand,
            is_preauth: payment.seen.is_preauth(),
            is_reversed: payment.reversed,
            amount,
            posted: if is_posted { posted } else { 0 },
            returned: payment.returned.minor(),
            refunding: 0,
        }
    }

    /// Whether these are one payment as it stands.
    fn is_as(&self, other: &Self) -> bool {
        let sums = |known: &Self| (known.amount, known.posted, known.returned);
        let is = |known: &Self| (known.stand, known.is_preauth, known.is_reversed);
        is(self) == is(other) && sums(self) == sums(other)
    }

    fn is_open(&self) -> bool {
        matches!(self.stand, Stand::Asked | Stand::Held)
    }

    fn left(&self) -> u64 {
        self.posted.saturating_sub(self.returned).saturating_sub(self.refunding)
    }
}

/// The second reckoning.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    accounts: BTreeMap<u128, Sums>,
    holds: BTreeMap<u128, Hold>,
    payments: HashMap<u128, Known, FixedState>,
    /// Linked refunds and what they return, while both are known.
    originals: HashMap<u128, u128, FixedState>,
    /// Payments that have ended, the first of them first.
    ended: VecDeque<u128>,
    /// Whether payments may have been forgotten here.
    is_partial: bool,
    /// Whether payments may have ended before the first record that is read.
    is_continued: bool,
    /// Up to which record everything is said to be readable from indexes.
    covered: u64,
    pub(crate) counts: Checked,
}

impl Audit {
    /// Goes on from a state that stands before the first record that is read.
    pub(crate) fn from_state(hub: &Hub, books: &Books) -> Self {
        let covered = hub.state().payments().covered();
        let mut audit = Self { is_continued: true, covered, ..Self::default() };
        for account in books.accounts() {
            audit.accounts.insert(account.id, Sums::of(&account));
        }
        for hold in books.pending() {
            audit.holds.insert(hold.id, held(&hold));
        }
        let flows = hub.state().flows();
        for payment in hub.state().payments().iter() {
            let id = payment.id.get();
            let known = audit.known_of(hub, payment);
            if !known.is_open() {
                audit.ended.push_back(id);
            }
            audit.payments.insert(id, known);
            if let Some(original) = flows.original_of(payment.id) {
                audit.originals.insert(id, original.get());
            }
        }
        audit
    }

    fn known_of(&self, hub: &Hub, payment: &Payment) -> Known {
        let flows = hub.state().flows();
        let is_preauth = payment.seen.is_preauth();
        let (stand, is_posted) = match payment.status {
            Status::Pending if flows.preauth(payment.id).is_some() => (Stand::Held, false),
            Status::Pending => (Stand::Asked, false),
            Status::Posted => (Stand::Posted, true),
            Status::Voided => (Stand::Voided, false),
            Status::Declined => (Stand::Declined, false),
            // Of what was posted, or in flight.
            Status::Reversed => (Stand::Reversed, !payment.returned.is_zero()),
        };
        let posted = if is_posted { flows.posted(payment) } else { Amount::ZERO };
        Known {
            stand,
            is_preauth,
            is_reversed: payment.reversed,
            amount: payment.seen.amount.minor(),
            posted: posted.minor(),
            returned: payment.returned.minor(),
            refunding: flows.refunding(payment.id).minor(),
        }
    }

    /// Takes a record and what it implies, before anybody else does.
    pub(crate) fn take(
        &mut self,
        (number, at): (u64, Timestamp),
        fact: &Fact,
        accounts: &[Account],
        legs: &[Implied],
    ) -> Result<(), Broken> {
        for account in accounts {
            self.accounts.entry(account.id).or_default();
        }
        self.judge((number, at), fact)?;
        for leg in legs {
            if leg.refused {
                self.refused(&leg.transfer)?;
            } else {
                self.moves(&leg.transfer)?;
            }
        }
        self.forget();
        Ok(())
    }

    /// What a record says of its payment must follow from what that has come to.
    fn judge(&mut self, (number, at): (u64, Timestamp), fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::Opened(opened) => self.opened(at, opened),
            Fact::Declined(declined) => {
                self.is_new(at, declined.id, &declined.seen)?;
                let mut known = Known::opened(&declined.seen);
                known.stand = Stand::Declined;
                self.payments.insert(declined.id.get(), known);
                self.ended.push_back(declined.id.get());
                Ok(())
            }
            Fact::Closed(closed) => self.closed(closed),
            Fact::Completed(completed) => self.completed(completed),
            Fact::Reversed(reversed) => self.reversed(reversed),
            Fact::Covered { record } => self.covered(number, *record),
            Fact::Recalled(kept) => self.told(number, kept, true),
            Fact::Retired(kept) => self.told(number, kept, false),
            Fact::Nation { .. }
            | Fact::Station { .. }
            | Fact::Participant { .. }
            | Fact::Route { .. }
            | Fact::Terminal { .. }
            | Fact::Cap { .. }
            | Fact::HotCard { .. }
            | Fact::Changed { .. }
            | Fact::Removed(_)
            | Fact::Retailer { .. }
            | Fact::Epoch { .. }
            | Fact::Tombstone(_)
            | Fact::Discharged { .. }
            | Fact::Finding(_)
            | Fact::OvercapRepaid { .. }
            | Fact::Cutover { .. }
            | Fact::Proposed(_)
            | Fact::Dropped
            | Fact::Netted { .. } => Ok(()),
        }
    }

    /// An id is assigned once, and is made of what the request carries; a refund's is its own.
    fn is_new(&mut self, at: Timestamp, id: PaymentId, seen: &Seen) -> Result<(), Broken> {
        self.counts.payments = self.counts.payments.saturating_add(1);
        if self.payments.contains_key(&id.get()) {
            return Err(payments(id, "comes a second time"));
        }
        let Seen { acquirer, terminal, stan, local, .. } = *seen;
        let seed = PaymentSeed { acquirer, terminal, stan, local };
        if !seen.is_refund() && seed.id(scheme::Zone::fixed(0).local(at)) != id {
            return Err(payments(id, "has another id than its keys make (R-MATCH)"));
        }
        Ok(())
    }

    fn opened(&mut self, at: Timestamp, opened: &Opened) -> Result<(), Broken> {
        let Opened { id, seen, original, .. } = opened;
        self.is_new(at, *id, seen)?;
        if let Some(original) = original {
            let amount = seen.amount.minor();
            let of = original.get();
            match self.payments.get_mut(&of) {
                Some(known) if known.stand != Stand::Posted => {
                    return Err(payments(*id, "refunds a payment that is not posted"));
                }
                Some(known) if amount > known.left() => {
                    return Err(payments(*id, "refunds more than is left of its payment"));
                }
                Some(known) => known.refunding = known.refunding.saturating_add(amount),
                None => self.unknown(*id, "refunds a payment that is not there")?,
            }
            self.originals.insert(id.get(), of);
        }
        self.payments.insert(id.get(), Known::opened(seen));
        Ok(())
    }

    fn closed(&mut self, closed: &Closed) -> Result<(), Broken> {
        let id = closed.id;
        let Some(known) = self.payments.get_mut(&id.get()) else {
            return Err(pairing(id, "ends, and was never opened"));
        };
        let (asked, held) = (known.stand == Stand::Asked, known.stand == Stand::Held);
        let fits = match closed.outcome {
            Outcome::Posted { .. } => asked && !known.is_preauth,
            Outcome::Held { .. } => asked && known.is_preauth,
            Outcome::Declined { .. } => asked,
            Outcome::Voided { .. } => asked || held,
        };
        if !fits {
            let what = format!("ends as {}, and {}", outcome_name(&closed.outcome), known.said());
            return Err(pairing(id, &what));
        }
        known.stand = match closed.outcome {
            Outcome::Posted { .. } => Stand::Posted,
            Outcome::Held { .. } => Stand::Held,
            Outcome::Declined { .. } => Stand::Declined,
            Outcome::Voided { .. } => Stand::Voided,
        };
        let (amount, stand) = (known.amount, known.stand);
        if stand == Stand::Posted {
            known.posted = amount;
        }
        if stand != Stand::Held {
            self.refund_ended(id, amount, stand == Stand::Posted);
            self.ended.push_back(id.get());
        }
        Ok(())
    }

    /// A linked refund is in flight no more; if it was posted, so much of its payment is returned.
    fn refund_ended(&mut self, refund: PaymentId, amount: u64, is_posted: bool) {
        let Some(original) = self.originals.get(&refund.get()) else { return };
        let Some(known) = self.payments.get_mut(original) else { return };
        known.refunding = known.refunding.saturating_sub(amount);
        if is_posted {
            known.returned = known.returned.saturating_add(amount);
        }
    }

    fn completed(&mut self, completed: &Completed) -> Result<(), Broken> {
        let Completed { id, amount, late, .. } = *completed;
        let Some(known) = self.payments.get_mut(&id.get()) else {
            return self.unknown(id, "is completed, and was never opened");
        };
        let fits = if late { known.stand == Stand::Voided } else { known.stand == Stand::Held };
        if !fits || !known.is_preauth {
            let what = format!("is completed, and {}", known.said());
            return Err(pairing(id, &what));
        }
        if amount.minor() > known.amount {
            return Err(payments(id, "is completed for more than was held"));
        }
        known.stand = Stand::Posted;
        known.posted = amount.minor();
        self.ended.push_back(id.get());
        Ok(())
    }

    fn reversed(&mut self, reversed: &Reversed) -> Result<(), Broken> {
        let id = reversed.id;
        let Some(known) = self.payments.get_mut(&id.get()) else {
            return self.unknown(id, "is reversed, and was never opened");
        };
        if known.is_reversed {
            return Err(payments(id, "is reversed a second time"));
        }
        known.is_reversed = true;
        if reversed.in_flight {
            if !known.is_open() {
                let what = format!("is reversed in flight, and {}", known.said());
                return Err(pairing(id, &what));
            }
            known.stand = Stand::Reversed;
            let amount = known.amount;
            self.refund_ended(id, amount, false);
            self.ended.push_back(id.get());
            return Ok(());
        }
        let returned = reversed.returned.minor();
        if known.stand != Stand::Posted {
            let what = format!("is reversed, and {}", known.said());
            return Err(payments(id, &what));
        }
        if returned > known.posted.saturating_sub(known.returned) {
            return Err(payments(id, "returns more than was posted"));
        }
        known.returned = known.returned.saturating_add(returned);
        if known.returned == known.posted {
            known.stand = Stand::Reversed;
        }
        self.refund_reversed(id, returned);
        Ok(())
    }

    /// With its refund undone a payment is no more returned.
    fn refund_reversed(&mut self, refund: PaymentId, returned: u64) {
        let Some(original) = self.originals.get(&refund.get()) else { return };
        let Some(known) = self.payments.get_mut(original) else { return };
        known.returned = known.returned.saturating_sub(returned);
        if known.stand == Stand::Reversed {
            known.stand = Stand::Posted;
        }
    }

    /// What can be read back was written before, and becomes more.
    fn covered(&mut self, number: u64, record: u64) -> Result<(), Broken> {
        if record >= number || record <= self.covered {
            let what = format!("record {record} is covered, after {} was", self.covered);
            return Err(Broken { check: Check::Payments, what });
        }
        self.covered = record;
        Ok(())
    }

    /// A record that says all of a payment says what has become of it, and that it is over. One
    /// whose own records were put away is from here on what it says.
    fn told(&mut self, number: u64, kept: &Kept, is_recalled: bool) -> Result<(), Broken> {
        let how = if is_recalled { "recalled" } else { "retired" };
        let id = kept.payment.id;
        let said = Known::told(kept);
        let wrong = |what: String| Err(payments(id, &what));
        if said.is_open() || kept.opened >= number {
            return wrong(format!("is {how}, and {} since record {}", said.said(), kept.opened));
        }
        let Some(known) = self.payments.get(&id.get()).copied() else {
            if self.is_continued && is_recalled {
                self.counts.unjudged = self.counts.unjudged.saturating_add(1);
            } else {
                self.unknown(id, &format!("is {how}, and was never opened"))?;
            }
            self.payments.insert(id.get(), said);
            self.ended.push_back(id.get());
            self.originals.extend(kept.original.map(|original| (id.get(), original.get())));
            return Ok(());
        };
        if known.refunding > 0 {
            return wrong(format!("is {how}, and a part of it is being refunded"));
        }
        let original = self.originals.get(&id.get()).copied();
        let is_same = known.is_as(&said) && original == kept.original.map(PaymentId::get);
        if is_same {
            return Ok(());
        }
        wrong(format!("is {how} as one that {}, and {}", said.said(), known.said()))
    }

    /// A record about a payment that is not known here.
    fn unknown(&mut self, id: PaymentId, what: &str) -> Result<(), Broken> {
        if self.is_partial {
            self.counts.unjudged = self.counts.unjudged.saturating_add(1);
            return Ok(());
        }
        Err(payments(id, what))
    }

    /// The engine refused it, so it must not have fitted.
    fn refused(&self, transfer: &Transfer) -> Result<(), Broken> {
        let debit = transfer.debit_account_id;
        let mut sums = self.accounts.get(&debit).copied().unwrap_or_default();
        // Whether it were held or posted, it would count alike.
        sums.debits_posted = plus(sums.debits_posted, transfer.amount);
        if over(debit, &sums).is_none() {
            let what = format!(
                "transfer {:032x} is said to be refused, and there was room for it",
                transfer.id
            );
            return Err(Broken { check: Check::Limits, what });
        }
        Ok(())
    }

    fn moves(&mut self, transfer: &Transfer) -> Result<(), Broken> {
        self.counts.transfers = self.counts.transfers.saturating_add(1);
        if transfer.flags.intersects(TransferFlags::POST_PENDING.union(TransferFlags::VOID_PENDING))
        {
            return self.resolves(transfer);
        }
        let Transfer { id, debit_account_id: debit, credit_account_id: credit, amount, .. } =
            *transfer;
        if debit == credit {
            return Err(conservation(id, "debits the account that it credits"));
        }
        if transfer.flags.contains(TransferFlags::PENDING) {
            let hold = held(transfer);
            self.counts.holds = self.counts.holds.saturating_add(1);
            if self.holds.insert(id, hold).is_some() {
                let what = format!("hold {id:032x} is made a second time");
                return Err(Broken { check: Check::Pairing, what });
            }
            self.change(id, debit, |sums| sums.debits_pending = plus(sums.debits_pending, amount))?;
            return self.change(id, credit, |sums| {
                sums.credits_pending = plus(sums.credits_pending, amount)
            });
        }
        self.change(id, debit, |sums| sums.debits_posted = plus(sums.debits_posted, amount))?;
        self.change(id, credit, |sums| sums.credits_posted = plus(sums.credits_posted, amount))
    }

    /// The end of a hold: all of it is released, and so much of it posted.
    fn resolves(&mut self, transfer: &Transfer) -> Result<(), Broken> {
        let id = transfer.id;
        let Some(hold) = self.holds.remove(&transfer.pending_id) else {
            let hold = transfer.pending_id;
            let what = format!("transfer {id:032x} ends hold {hold:032x}, which does not stand");
            return Err(Broken { check: Check::Pairing, what });
        };
        let posts = transfer.flags.contains(TransferFlags::POST_PENDING);
        let posted = match (posts, transfer.amount) {
            (false, _) => 0,
            (true, u128::MAX) => hold.amount,
            (true, amount) if amount > hold.amount => {
                let what = format!("transfer {id:032x} posts more than was held");
                return Err(Broken { check: Check::Pairing, what });
            }
            (true, amount) => amount,
        };
        self.change(id, hold.debit, |sums| {
            sums.debits_pending = sums.debits_pending.saturating_sub(hold.amount);
            sums.debits_posted = plus(sums.debits_posted, posted);
        })?;
        self.change(id, hold.credit, |sums| {
            sums.credits_pending = sums.credits_pending.saturating_sub(hold.amount);
            sums.credits_posted = plus(sums.credits_posted, posted);
        })
    }

    /// Changes an account, which must be there, and stay within its limit.
    fn change(
        &mut self,
        transfer: u128,
        account: u128,
        change: impl FnOnce(&mut Sums),
    ) -> Result<(), Broken> {
        let Some(sums) = self.accounts.get_mut(&account) else {
            return Err(conservation(transfer, "moves money of an account that nobody opened"));
        };
        change(sums);
        match over(account, sums) {
            None => Ok(()),
            Some(what) => {
                let what = format!("with transfer {transfer:032x}, {what}");
                Err(Broken { check: Check::Limits, what })
            }
        }
    }

    /// Lets the payments go that ended first.
    fn forget(&mut self) {
        while self.ended.len() > AUDIT_ENDED_MAX {
            let Some(id) = self.ended.pop_front() else { return };
            // One that was completed late stands here twice; the second time it is gone.
            if self.payments.get(&id).is_some_and(|known| !known.is_open()) {
                self.payments.remove(&id);
                self.originals.remove(&id);
                self.is_partial = true;
            }
        }
    }

    /// What differs at the end between this reckoning, the books and the hub's own.
    pub(crate) fn compare(&self, hub: &Hub, books: &Books) -> Vec<Broken> {
        let mut wrong = Vec::new();
        self.compare_accounts(books, hub.state().directory().currency, &mut wrong);
        let mut open = 0u64;
        for hold in books.pending() {
            open = open.saturating_add(1);
            let id = PaymentId::of_transfer(hold.id);
            let known = self.payments.get(&id.get());
            if !self.holds.contains_key(&hold.id) || !known.is_some_and(Known::is_open) {
                wrong.push(pairing(id, "is not under way, and its hold stands"));
            }
        }
        let under_way = self.payments.values().filter(|known| known.is_open()).count() as u64;
        if under_way != open {
            let what = format!("{under_way} payments are under way, and {open} holds stand");
            wrong.push(Broken { check: Check::Pairing, what });
        }
        for payment in hub.state().payments().iter() {
            let Some(known) = self.payments.get(&payment.id.get()) else {
                if !self.is_partial {
                    wrong.push(payments(payment.id, "was never opened"));
                }
                continue;
            };
            let found = self.known_of(hub, payment);
            let (ours, hubs) = ((known.stand, known.returned), (found.stand, found.returned));
            if ours != hubs {
                let what = format!(
                    "{} by its transfers, and {} by the hub's state",
                    known.said(),
                    found.said()
                );
                wrong.push(payments(payment.id, &what));
            }
        }
        wrong
    }

    fn compare_accounts(&self, books: &Books, currency: Currency, wrong: &mut Vec<Broken>) {
        let accounts = books.accounts();
        if accounts.len() != self.accounts.len() {
            let what = format!(
                "the books have {} accounts, the records make {}",
                accounts.len(),
                self.accounts.len()
            );
            wrong.push(Broken { check: Check::Conservation, what });
        }
        for account in accounts {
            let ours = self.accounts.get(&account.id).copied().unwrap_or_default();
            let books = Sums::of(&account);
            if ours != books {
                let balance = |sums: &Sums| {
                    let signed = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
                    currency.format(signed(sums.credits_posted) - signed(sums.debits_posted))
                };
                let what = format!(
                    "{} is at {} in the books and at {} by its transfers",
                    name(account.id),
                    balance(&books),
                    balance(&ours)
                );
                wrong.push(Broken { check: Check::Conservation, what });
            }
        }
    }
}

impl Known {
    fn said(&self) -> String {
        let stand = match self.stand {
            Stand::Asked => "is under way",
            Stand::Held => "is held",
            Stand::Posted => "is posted",
            Stand::Voided => "is voided",
            Stand::Declined => "is declined",
            Stand::Reversed => "is reversed",
        };
        if self.returned == 0 {
            return stand.to_owned();
        }
        format!("{stand} with {} of {} returned", self.returned, self.posted)
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Posted { .. } => "posted",
        Outcome::Held { .. } => "held",
        Outcome::Declined { .. } => "declined",
        Outcome::Voided { .. } => "voided",
    }
}

fn held(transfer: &Transfer) -> Hold {
    Hold {
        debit: transfer.debit_account_id,
        credit: transfer.credit_account_id,
        amount: transfer.amount,
    }
}

fn plus(sum: u128, amount: u128) -> u128 {
    sum.saturating_add(amount)
}

/// How far an account is beyond its limit, in words; what is pending gives no room.
fn over(account: u128, sums: &Sums) -> Option<String> {
    let flags = chart::AccountName::of(account)?.kind.flags();
    let limited = |flag, own: [u128; 2], other: u128| {
        let own = own[0].saturating_add(own[1]);
        flags.contains(flag).then(|| own.saturating_sub(other)).filter(|over| *over > 0)
    };
    let debits = [sums.debits_posted, sums.debits_pending];
    let credits = [sums.credits_posted, sums.credits_pending];
    let over =
        limited(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS, debits, sums.credits_posted).or(
            limited(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS, credits, sums.debits_posted),
        )?;
    Some(format!("{} is {over} minor units beyond its limit", name(account)))
}

fn name(account: u128) -> String {
    chart::AccountName::of(account)
        .map_or_else(|| format!("{account:032x}"), |name| name.to_string())
}

fn payments(id: PaymentId, what: &str) -> Broken {
    Broken { check: Check::Payments, what: format!("payment {id} {what}") }
}

fn pairing(id: PaymentId, what: &str) -> Broken {
    Broken { check: Check::Pairing, what: format!("payment {id} {what}") }
}

fn conservation(transfer: u128, what: &str) -> Broken {
    Broken { check: Check::Conservation, what: format!("transfer {transfer:032x} {what}") }
}
