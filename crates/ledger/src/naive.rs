//! The same rules a second time: lists, linear scans, whole copies. Slow on purpose, so that it can
//! be checked against the rules by reading; `Books` is checked against it.
//!
//! It shares with `Books` the shapes and the numbers of the statuses, and nothing else. Each rule
//! is a row "if this holds, that is the answer", and the first row that holds wins.

use alloc::vec::Vec;
use core::convert::Infallible;

use scheme::Timestamp;

use crate::limits::{NS_PER_S, TIMESTAMP_MAX};
use crate::{
    Account, AccountFlags as A, AccountStatus, Engine, Transfer, TransferFlags as T, TransferStatus,
};

/// What became of a transfer that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Open,
    Posted,
    Voided,
    Expired,
}

/// The ledger as plain lists.
#[derive(Clone, Debug, Default)]
pub struct NaiveModel {
    accounts: Vec<Account>,
    transfers: Vec<(Transfer, Fate)>,
    failed_ids: Vec<u128>,
    last: u64,
}

/// The status of the first rule that holds.
fn first<S: Copy>(rules: &[(bool, S)]) -> Option<S> {
    rules.iter().find(|(holds, _)| *holds).map(|(_, status)| *status)
}

/// One's own value, or the other where one has none.
fn own_or<N: Copy + PartialEq + Default>(own: N, other: N) -> N {
    if own == N::default() { other } else { own }
}

fn expiry(transfer: &Transfer) -> Option<u64> {
    let wait = u64::from(transfer.timeout).saturating_mul(NS_PER_S);
    (wait != 0).then(|| transfer.timestamp.saturating_add(wait))
}

impl NaiveModel {
    /// A ledger without any account.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates accounts: one status per event.
    pub fn create_accounts(&mut self, now: Timestamp, events: &[Account]) -> Vec<AccountStatus> {
        let linked: Vec<bool> = events.iter().map(|e| e.flags.contains(A::LINKED)).collect();
        let import = events.first().is_some_and(|e| e.flags.contains(A::IMPORTED));
        let run = |model: &mut Self, index: usize, timestamp: u64| {
            let event = &events[index];
            #[rustfmt::skip] // One rule a line.
            let status = first(&[
                (event.flags.contains(A::IMPORTED), AccountStatus::ImportedEventNotExpected),
                (import, AccountStatus::ImportedEventExpected),
                (event.timestamp != 0, AccountStatus::TimestampMustBeZero),
            ]);
            status.unwrap_or_else(|| model.create_account(event, timestamp))
        };
        let special = [
            AccountStatus::Ok,
            AccountStatus::LinkedEventFailed,
            AccountStatus::LinkedEventChainOpen,
        ];
        self.batch(now, &linked, special, run, |_, _, _| ())
    }

    /// Creates transfers: one status per event.
    pub fn create_transfers(&mut self, now: Timestamp, events: &[Transfer]) -> Vec<TransferStatus> {
        let linked: Vec<bool> = events.iter().map(|e| e.flags.contains(T::LINKED)).collect();
        let import = events.first().is_some_and(|e| e.flags.contains(T::IMPORTED));
        let run = |model: &mut Self, index: usize, timestamp: u64| {
            let event = &events[index];
            #[rustfmt::skip] // One rule a line.
            let status = first(&[
                (event.flags.contains(T::IMPORTED), TransferStatus::ImportedEventNotExpected),
                (import, TransferStatus::ImportedEventExpected),
                (event.timestamp != 0, TransferStatus::TimestampMustBeZero),
            ]);
            status.unwrap_or_else(|| model.create_transfer(event, timestamp))
        };
        let special = [
            TransferStatus::Ok,
            TransferStatus::LinkedEventFailed,
            TransferStatus::LinkedEventChainOpen,
        ];
        let refused = |model: &mut Self, index: usize, status: TransferStatus| {
            // The numbers of the seven refusals that may have passed by the next time.
            if [21, 22, 25, 54, 55, 65, 66].contains(&status.number()) {
                model.failed_ids.push(events[index].id);
            }
        };
        self.batch(now, &linked, special, run, refused)
    }

    /// An account as it stands.
    pub fn account(&self, id: u128) -> Option<Account> {
        self.accounts.iter().find(|a| a.id == id).copied()
    }

    /// A transfer as it happened.
    pub fn transfer(&self, id: u128) -> Option<Transfer> {
        self.find(id).map(|(transfer, _)| *transfer)
    }

    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> Vec<Account> {
        let mut accounts = self.accounts.clone();
        accounts.sort_by_key(|a| a.id);
        accounts
    }

    /// The open pending transfers, in the order in which they happened.
    pub fn pending(&self) -> Vec<Transfer> {
        let open = self
            .transfers
            .iter()
            .filter(|(t, fate)| t.flags.contains(T::PENDING) && *fate == Fate::Open);
        open.map(|(t, _)| *t).collect()
    }

    /// Cuts a batch into chains (an event alone is a chain of one) and runs each: all of it stays,
    /// or what was before it comes back.
    fn batch<S: Copy + PartialEq>(
        &mut self,
        now: Timestamp,
        linked: &[bool],
        [ok, chain_failed, chain_open]: [S; 3],
        run: impl Fn(&mut Self, usize, u64) -> S,
        refused: impl Fn(&mut Self, usize, S),
    ) -> Vec<S> {
        let mut statuses = Vec::new();
        if linked.is_empty() {
            return statuses;
        }
        let start = self.last.max(now.0);
        self.last = start;
        self.expire(start);
        while statuses.len() < linked.len() {
            let begin = statuses.len();
            let tail = linked[begin..].iter().position(|l| !l);
            let end = tail.map_or(linked.len(), |n| begin.saturating_add(n).saturating_add(1));
            let before = self.clone();
            let mut bad = None;
            for index in begin..end {
                let is_open_end = tail.is_none() && index.saturating_add(1) == end;
                self.last = self.last.saturating_add(1);
                if is_open_end || bad.is_some() {
                    statuses.push(if is_open_end { chain_open } else { chain_failed });
                    bad = bad.or(Some(index));
                    continue;
                }
                let status = run(self, index, self.last);
                statuses.push(status);
                if status != ok {
                    bad = Some(index);
                }
            }
            let Some(bad) = bad else { continue };
            let last = self.last;
            *self = before;
            self.last = last;
            statuses[begin..bad].fill(chain_failed);
            refused(self, bad, statuses[bad]);
        }
        statuses
    }

    fn expire(&mut self, now: u64) {
        for index in 0..self.transfers.len() {
            let (transfer, fate) = self.transfers[index];
            let due = expiry(&transfer).is_some_and(|at| at <= now);
            if fate == Fate::Open && transfer.flags.contains(T::PENDING) && due {
                self.transfers[index].1 = Fate::Expired;
                self.unhold(&transfer, true);
            }
        }
    }

    /// Takes a hold off both accounts; `reopen` also undoes what it had closed.
    fn unhold(&mut self, held: &Transfer, reopen: bool) {
        for account in &mut self.accounts {
            let mut closes = T::NONE;
            if account.id == held.debit_account_id {
                account.debits_pending = account.debits_pending.saturating_sub(held.amount);
                closes = T::CLOSING_DEBIT;
            }
            if account.id == held.credit_account_id {
                account.credits_pending = account.credits_pending.saturating_sub(held.amount);
                closes = T::CLOSING_CREDIT;
            }
            if reopen && closes != T::NONE && held.flags.contains(closes) {
                account.flags = account.flags.without(A::CLOSED);
            }
        }
    }

    fn find(&self, id: u128) -> Option<&(Transfer, Fate)> {
        self.transfers.iter().find(|(t, _)| t.id == id)
    }

    fn create_account(&mut self, a: &Account, timestamp: u64) -> AccountStatus {
        use AccountStatus as S;
        let both = A::DEBITS_MUST_NOT_EXCEED_CREDITS | A::CREDITS_MUST_NOT_EXCEED_DEBITS;
        let there = self.account(a.id);
        let e = there.unwrap_or_default();
        let exists = there.is_some();
        #[rustfmt::skip] // One rule a line.
        let refusal = first(&[
            (a.flags.bits() > 0x3f, S::ReservedFlag),
            (a.id == 0, S::IdMustNotBeZero),
            (a.id == u128::MAX, S::IdMustNotBeIntMax),
            (exists && a.flags != e.flags, S::ExistsWithDifferentFlags),
            (exists && a.user_data_128 != e.user_data_128, S::ExistsWithDifferentUserData128),
            (exists && a.user_data_64 != e.user_data_64, S::ExistsWithDifferentUserData64),
            (exists && a.user_data_32 != e.user_data_32, S::ExistsWithDifferentUserData32),
            (exists && a.ledger != e.ledger, S::ExistsWithDifferentLedger),
            (exists && a.code != e.code, S::ExistsWithDifferentCode),
            (exists, S::Exists),
            (a.flags.contains(both), S::FlagsAreMutuallyExclusive),
            (a.debits_pending != 0, S::DebitsPendingMustBeZero),
            (a.debits_posted != 0, S::DebitsPostedMustBeZero),
            (a.credits_pending != 0, S::CreditsPendingMustBeZero),
            (a.credits_posted != 0, S::CreditsPostedMustBeZero),
            (a.ledger == 0, S::LedgerMustNotBeZero),
            (a.code == 0, S::CodeMustNotBeZero),
        ]);
        if refusal.is_none() {
            self.accounts.push(Account { timestamp, ..*a });
        }
        refusal.unwrap_or(S::Ok)
    }

    fn create_transfer(&mut self, t: &Transfer, timestamp: u64) -> TransferStatus {
        use TransferStatus as S;
        #[rustfmt::skip] // One rule a line.
        let refusal = first(&[
            (t.flags.bits() > 0x1ff, S::ReservedFlag),
            (t.id == 0, S::IdMustNotBeZero),
            (t.id == u128::MAX, S::IdMustNotBeIntMax),
        ]);
        let resolves = t.flags.contains(T::POST_PENDING) || t.flags.contains(T::VOID_PENDING);
        if let Some(status) = refusal {
            status
        } else if let Some(there) = NaiveModel::transfer(self, t.id) {
            self.compare(t, &there)
        } else if self.failed_ids.contains(&t.id) {
            S::IdAlreadyFailed
        } else if resolves {
            self.resolve(t, timestamp)
        } else {
            self.plain(t, timestamp)
        }
    }

    fn compare(&self, t: &Transfer, e: &Transfer) -> TransferStatus {
        use TransferStatus as S;
        let mut asked = *t;
        let mut amount_differs = t.amount != e.amount;
        if t.flags.contains(T::BALANCING_DEBIT) || t.flags.contains(T::BALANCING_CREDIT) {
            amount_differs = t.amount < e.amount;
        }
        let resolves = t.flags.contains(T::POST_PENDING) || t.flags.contains(T::VOID_PENDING);
        if let (true, Some((p, _))) = (resolves, self.find(e.pending_id)) {
            asked.debit_account_id = own_or(t.debit_account_id, e.debit_account_id);
            asked.credit_account_id = own_or(t.credit_account_id, e.credit_account_id);
            asked.ledger = own_or(t.ledger, e.ledger);
            asked.code = own_or(t.code, e.code);
            asked.user_data_128 = own_or(t.user_data_128, p.user_data_128);
            asked.user_data_64 = own_or(t.user_data_64, p.user_data_64);
            asked.user_data_32 = own_or(t.user_data_32, p.user_data_32);
            amount_differs = match (t.flags.contains(T::VOID_PENDING), t.amount) {
                (true, 0) | (false, u128::MAX) => e.amount != p.amount,
                (true | false, amount) => amount != e.amount,
            };
        }
        let t = asked;
        #[rustfmt::skip] // One rule a line.
        let difference = first(&[
            (t.flags != e.flags, S::ExistsWithDifferentFlags),
            (t.pending_id != e.pending_id, S::ExistsWithDifferentPendingId),
            (t.timeout != e.timeout, S::ExistsWithDifferentTimeout),
            (t.debit_account_id != e.debit_account_id, S::ExistsWithDifferentDebitAccountId),
            (t.credit_account_id != e.credit_account_id, S::ExistsWithDifferentCreditAccountId),
            (amount_differs, S::ExistsWithDifferentAmount),
            (t.user_data_128 != e.user_data_128, S::ExistsWithDifferentUserData128),
            (t.user_data_64 != e.user_data_64, S::ExistsWithDifferentUserData64),
            (t.user_data_32 != e.user_data_32, S::ExistsWithDifferentUserData32),
            (t.ledger != e.ledger, S::ExistsWithDifferentLedger),
            (t.code != e.code, S::ExistsWithDifferentCode),
        ]);
        difference.unwrap_or(S::Exists)
    }

    fn plain(&mut self, t: &Transfer, timestamp: u64) -> TransferStatus {
        use TransferStatus as S;
        let pending = t.flags.contains(T::PENDING);
        let closes = t.flags.contains(T::CLOSING_DEBIT) || t.flags.contains(T::CLOSING_CREDIT);
        let (debit, credit) = (self.account(t.debit_account_id), self.account(t.credit_account_id));
        let d = debit.unwrap_or_default();
        let c = credit.unwrap_or_default();
        let amount = balanced(t, &d, &c);
        #[rustfmt::skip] // One rule a line.
        let refusal = first(&[
            (t.debit_account_id == 0, S::DebitAccountIdMustNotBeZero),
            (t.debit_account_id == u128::MAX, S::DebitAccountIdMustNotBeIntMax),
            (t.credit_account_id == 0, S::CreditAccountIdMustNotBeZero),
            (t.credit_account_id == u128::MAX, S::CreditAccountIdMustNotBeIntMax),
            (t.debit_account_id == t.credit_account_id, S::AccountsMustBeDifferent),
            (t.pending_id != 0, S::PendingIdMustBeZero),
            (!pending && t.timeout != 0, S::TimeoutReservedForPendingTransfer),
            (!pending && closes, S::ClosingTransferMustBePending),
            (t.ledger == 0, S::LedgerMustNotBeZero),
            (t.code == 0, S::CodeMustNotBeZero),
            (debit.is_none(), S::DebitAccountNotFound),
            (credit.is_none(), S::CreditAccountNotFound),
            (d.ledger != c.ledger, S::AccountsMustHaveTheSameLedger),
            (t.ledger != d.ledger, S::TransferMustHaveTheSameLedgerAsAccounts),
            (d.flags.contains(A::CLOSED), S::DebitAccountAlreadyClosed),
            (c.flags.contains(A::CLOSED), S::CreditAccountAlreadyClosed),
        ]);
        let refusal = refusal.or_else(|| too_much(t, amount, timestamp, &d, &c));
        if let Some(status) = refusal {
            return status;
        }
        self.transfers.push((Transfer { amount, timestamp, ..*t }, Fate::Open));
        for account in &mut self.accounts {
            let closing = if account.id == d.id {
                T::CLOSING_DEBIT
            } else if account.id == c.id {
                T::CLOSING_CREDIT
            } else {
                continue;
            };
            let sum = match (account.id == d.id, pending) {
                (true, true) => &mut account.debits_pending,
                (true, false) => &mut account.debits_posted,
                (false, true) => &mut account.credits_pending,
                (false, false) => &mut account.credits_posted,
            };
            *sum = sum.saturating_add(amount);
            if t.flags.contains(closing) {
                account.flags = account.flags | A::CLOSED;
            }
        }
        S::Ok
    }

    fn resolve(&mut self, t: &Transfer, timestamp: u64) -> TransferStatus {
        use TransferStatus as S;
        let post = t.flags.contains(T::POST_PENDING);
        let voids = t.flags.contains(T::VOID_PENDING);
        let foreign = T::PENDING.bits() | 0b1111_0000;
        let found = self.find(t.pending_id).copied();
        let (p, fate) = found.unwrap_or((Transfer::default(), Fate::Open));
        let d = self.account(p.debit_account_id).unwrap_or_default();
        let c = self.account(p.credit_account_id).unwrap_or_default();
        let amount = match (voids, t.amount) {
            (true, 0) | (false, u128::MAX) => p.amount,
            (true | false, amount) => amount,
        };
        let differs = |own: u128, other: u128| own != 0 && own != other;
        let late = expiry(&p).is_some_and(|at| at <= timestamp);
        #[rustfmt::skip] // One rule a line.
        let refusal = first(&[
            (post && voids, S::FlagsAreMutuallyExclusive),
            (t.flags.bits() & foreign != 0, S::FlagsAreMutuallyExclusive),
            (t.pending_id == 0, S::PendingIdMustNotBeZero),
            (t.pending_id == u128::MAX, S::PendingIdMustNotBeIntMax),
            (t.pending_id == t.id, S::PendingIdMustBeDifferent),
            (t.timeout != 0, S::TimeoutReservedForPendingTransfer),
            (found.is_none(), S::PendingTransferNotFound),
            (!p.flags.contains(T::PENDING), S::PendingTransferNotPending),
            (differs(t.debit_account_id, d.id), S::PendingTransferHasDifferentDebitAccountId),
            (differs(t.credit_account_id, c.id), S::PendingTransferHasDifferentCreditAccountId),
            (differs(t.ledger.into(), p.ledger.into()), S::PendingTransferHasDifferentLedger),
            (differs(t.code.into(), p.code.into()), S::PendingTransferHasDifferentCode),
            (amount > p.amount, S::ExceedsPendingTransferAmount),
            (voids && amount < p.amount, S::PendingTransferHasDifferentAmount),
            (fate == Fate::Posted, S::PendingTransferAlreadyPosted),
            (fate == Fate::Voided, S::PendingTransferAlreadyVoided),
            (fate == Fate::Expired || late, S::PendingTransferExpired),
            (post && d.flags.contains(A::CLOSED), S::DebitAccountAlreadyClosed),
            (post && c.flags.contains(A::CLOSED), S::CreditAccountAlreadyClosed),
        ]);
        if let Some(status) = refusal {
            return status;
        }
        self.settle(t, &p, amount, timestamp);
        S::Ok
    }

    /// Writes down a post or void that nothing speaks against.
    fn settle(&mut self, t: &Transfer, p: &Transfer, amount: u128, timestamp: u64) {
        let voids = t.flags.contains(T::VOID_PENDING);
        for (transfer, fate) in &mut self.transfers {
            if transfer.id == p.id {
                *fate = if voids { Fate::Voided } else { Fate::Posted };
            }
        }
        self.unhold(p, voids);
        if !voids {
            for account in &mut self.accounts {
                if account.id == p.debit_account_id {
                    account.debits_posted = account.debits_posted.saturating_add(amount);
                }
                if account.id == p.credit_account_id {
                    account.credits_posted = account.credits_posted.saturating_add(amount);
                }
            }
        }
        let written = Transfer {
            amount,
            timestamp,
            id: t.id,
            pending_id: p.id,
            flags: t.flags,
            timeout: 0,
            user_data_128: own_or(t.user_data_128, p.user_data_128),
            user_data_64: own_or(t.user_data_64, p.user_data_64),
            user_data_32: own_or(t.user_data_32, p.user_data_32),
            ..*p
        };
        self.transfers.push((written, Fate::Open));
    }
}

/// What a transfer moves between two accounts.
fn balanced(t: &Transfer, debit: &Account, credit: &Account) -> u128 {
    let debits = debit.debits_posted.saturating_add(debit.debits_pending);
    let credits = credit.credits_posted.saturating_add(credit.credits_pending);
    let mut most = Vec::from([t.amount]);
    if t.flags.contains(T::BALANCING_DEBIT) {
        most.push(debit.credits_posted.saturating_sub(debits));
    }
    if t.flags.contains(T::BALANCING_CREDIT) {
        most.push(credit.debits_posted.saturating_sub(credits));
    }
    most.into_iter().min().unwrap_or(0)
}

/// Why an amount does not fit two accounts, or a timeout not the calendar.
fn too_much(
    t: &Transfer,
    amount: u128,
    timestamp: u64,
    d: &Account,
    c: &Account,
) -> Option<TransferStatus> {
    use TransferStatus as S;
    let pending = t.flags.contains(T::PENDING);
    let full = |sums: &[u128]| {
        let sum = sums.iter().try_fold(amount, |sum, part| sum.checked_add(*part));
        sum.is_none()
    };
    let above = |sums: [u128; 2], limit: u128| {
        let sum = sums.iter().fold(amount, |sum, part| sum.saturating_add(*part));
        sum > limit
    };
    let debits = [d.debits_pending, d.debits_posted];
    let credits = [c.credits_pending, c.credits_posted];
    let capped = d.flags.contains(A::DEBITS_MUST_NOT_EXCEED_CREDITS);
    let floored = c.flags.contains(A::CREDITS_MUST_NOT_EXCEED_DEBITS);
    let ends = expiry(&Transfer { timestamp, ..*t }).unwrap_or(timestamp);
    #[rustfmt::skip] // One rule a line.
    let refusal = first(&[
        (pending && full(&[d.debits_pending]), S::OverflowsDebitsPending),
        (pending && full(&[c.credits_pending]), S::OverflowsCreditsPending),
        (full(&[d.debits_posted]), S::OverflowsDebitsPosted),
        (full(&[c.credits_posted]), S::OverflowsCreditsPosted),
        (full(&debits), S::OverflowsDebits),
        (full(&credits), S::OverflowsCredits),
        (ends > TIMESTAMP_MAX, S::OverflowsTimeout),
        (capped && above(debits, d.credits_posted), S::ExceedsCredits),
        (floored && above(credits, c.debits_posted), S::ExceedsDebits),
    ]);
    refusal
}

impl Engine for NaiveModel {
    type Error = Infallible;

    fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), Infallible> {
        *out = NaiveModel::create_accounts(self, now, events);
        Ok(())
    }

    fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), Infallible> {
        *out = NaiveModel::create_transfers(self, now, events);
        Ok(())
    }

    fn account(&self, id: u128) -> Result<Option<Account>, Infallible> {
        Ok(NaiveModel::account(self, id))
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, Infallible> {
        Ok(NaiveModel::transfer(self, id))
    }
}
