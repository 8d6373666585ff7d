//! Transfers that move or hold money between two accounts.

use super::batch::Undo;
use super::memory::{Entry, State, UserData};
use super::{Books, RESOLVING};
use crate::limits::{NS_PER_S, TIMESTAMP_MAX};
use crate::{Account, AccountFlags, Transfer, TransferFlags, TransferStatus};

/// The rows of a transfer's two accounts.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) debit: u32,
    pub(super) credit: u32,
}

/// The two accounts of a transfer as they stand.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) debit: &'a Account,
    pub(super) credit: &'a Account,
}

impl Books {
    /// Lets one transfer happen, or says why not.
    pub(super) fn transfer_event(
        &mut self,
        wanted: &Transfer,
        timestamp: u64,
    ) -> Result<(), TransferStatus> {
        if wanted.flags.has_reserved() {
            return Err(TransferStatus::ReservedFlag);
        }
        if wanted.id == 0 {
            return Err(TransferStatus::IdMustNotBeZero);
        }
        if wanted.id == u128::MAX {
            return Err(TransferStatus::IdMustNotBeIntMax);
        }
        if let Some(row) = self.memory.find(wanted.id) {
            return Err(self.compare(wanted, row));
        }
        if wanted.flags.intersects(RESOLVING) {
            self.resolve(wanted, timestamp)
        } else {
            self.move_or_hold(wanted, timestamp)
        }
    }

    fn move_or_hold(&mut self, wanted: &Transfer, timestamp: u64) -> Result<(), TransferStatus> {
        check_fields(wanted)?;
        let pair = self.pair(wanted)?;
        let sides = self.sides(pair);
        let amount = amount_to_move(wanted, sides);
        check_sums(wanted.flags.contains(TransferFlags::PENDING), amount, sides)?;
        check_timeout(wanted, timestamp)?;
        check_limits(amount, sides)?;

        let pending = wanted.flags.contains(TransferFlags::PENDING);
        let row = self.remember(
            Entry {
                id: wanted.id,
                amount,
                timestamp,
                debit: pair.debit,
                credit: pair.credit,
                link: wanted.timeout,
                user: 0,
                code: wanted.code,
                flags: wanted.flags,
                state: if pending { State::Pending } else { State::Final },
            },
            UserData::of(wanted),
        );
        if pending {
            self.hold(row);
        }
        let closes_debit = wanted.flags.contains(TransferFlags::CLOSING_DEBIT);
        let closes_credit = wanted.flags.contains(TransferFlags::CLOSING_CREDIT);
        self.change(pair.debit, |debit| {
            let debits = if pending { &mut debit.debits_pending } else { &mut debit.debits_posted };
            *debits = sum(*debits, amount);
            if closes_debit {
                debit.flags = debit.flags.union(AccountFlags::CLOSED);
            }
        });
        self.change(pair.credit, |credit| {
            let credits =
                if pending { &mut credit.credits_pending } else { &mut credit.credits_posted };
            *credits = sum(*credits, amount);
            if closes_credit {
                credit.flags = credit.flags.union(AccountFlags::CLOSED);
            }
        });
        Ok(())
    }

    /// Both accounts, if this transfer may touch them.
    fn pair(&self, wanted: &Transfer) -> Result<Pair, TransferStatus> {
        let row = |id: u128| self.rows.get(&id).copied();
        let debit = row(wanted.debit_account_id).ok_or(TransferStatus::DebitAccountNotFound)?;
        let credit = row(wanted.credit_account_id).ok_or(TransferStatus::CreditAccountNotFound)?;
        let pair = Pair { debit, credit };
        let sides = self.sides(pair);
        if sides.debit.ledger != sides.credit.ledger {
            Err(TransferStatus::AccountsMustHaveTheSameLedger)
        } else if wanted.ledger != sides.debit.ledger {
            Err(TransferStatus::TransferMustHaveTheSameLedgerAsAccounts)
        } else {
            check_open(sides)?;
            Ok(pair)
        }
    }

    /// The accounts of two rows. They are read where they stand: a copy of a whole account that was
    /// changed a moment ago waits until the change is out of the processor.
    pub(super) fn sides(&self, pair: Pair) -> Sides<'_> {
        Sides { debit: self.account_at(pair.debit), credit: self.account_at(pair.credit) }
    }

    /// Remembers a transfer with its user data.
    pub(super) fn remember(&mut self, entry: Entry, user: UserData) -> u32 {
        if self.in_chain {
            self.undo.push(Undo::NewTransfer);
        }
        self.memory.push(entry, user)
    }

    /// How a transfer that has the wanted id differs from the one wanted.
    fn compare(&self, wanted: &Transfer, row: u32) -> TransferStatus {
        let entry = self.memory.get(row);
        if entry.state == State::Failed {
            return TransferStatus::IdAlreadyFailed;
        }
        let there = self.unfold(row);
        if wanted.flags != there.flags {
            return TransferStatus::ExistsWithDifferentFlags;
        }
        if wanted.pending_id != there.pending_id {
            return TransferStatus::ExistsWithDifferentPendingId;
        }
        if wanted.timeout != there.timeout {
            return TransferStatus::ExistsWithDifferentTimeout;
        }
        let wanted = if wanted.flags.intersects(RESOLVING) {
            self.with_defaults(wanted, entry.link)
        } else {
            *wanted
        };
        compare_rest(&wanted, &there)
    }
}

impl UserData {
    /// The caller's own fields.
    pub(super) fn of(transfer: &Transfer) -> Self {
        Self {
            wide: transfer.user_data_128,
            long: transfer.user_data_64,
            short: transfer.user_data_32,
        }
    }
}

fn compare_rest(wanted: &Transfer, there: &Transfer) -> TransferStatus {
    const BALANCING: TransferFlags =
        TransferFlags::BALANCING_DEBIT.union(TransferFlags::BALANCING_CREDIT);
    // A balancing transfer names the most that it may move: any bound that what it moved keeps
    // is the same request.
    let other_amount = if wanted.flags.intersects(BALANCING) {
        wanted.amount < there.amount
    } else {
        wanted.amount != there.amount
    };
    if wanted.debit_account_id != there.debit_account_id {
        TransferStatus::ExistsWithDifferentDebitAccountId
    } else if wanted.credit_account_id != there.credit_account_id {
        TransferStatus::ExistsWithDifferentCreditAccountId
    } else if other_amount {
        TransferStatus::ExistsWithDifferentAmount
    } else if wanted.user_data_128 != there.user_data_128 {
        TransferStatus::ExistsWithDifferentUserData128
    } else if wanted.user_data_64 != there.user_data_64 {
        TransferStatus::ExistsWithDifferentUserData64
    } else if wanted.user_data_32 != there.user_data_32 {
        TransferStatus::ExistsWithDifferentUserData32
    } else if wanted.ledger != there.ledger {
        TransferStatus::ExistsWithDifferentLedger
    } else if wanted.code != there.code {
        TransferStatus::ExistsWithDifferentCode
    } else {
        TransferStatus::Exists
    }
}

/// What can be said of a transfer without looking at any account.
fn check_fields(wanted: &Transfer) -> Result<(), TransferStatus> {
    const CLOSING: TransferFlags =
        TransferFlags::CLOSING_DEBIT.union(TransferFlags::CLOSING_CREDIT);
    let pending = wanted.flags.contains(TransferFlags::PENDING);
    if wanted.debit_account_id == 0 {
        Err(TransferStatus::DebitAccountIdMustNotBeZero)
    } else if wanted.debit_account_id == u128::MAX {
        Err(TransferStatus::DebitAccountIdMustNotBeIntMax)
    } else if wanted.credit_account_id == 0 {
        Err(TransferStatus::CreditAccountIdMustNotBeZero)
    } else if wanted.credit_account_id == u128::MAX {
        Err(TransferStatus::CreditAccountIdMustNotBeIntMax)
    } else if wanted.credit_account_id == wanted.debit_account_id {
        Err(TransferStatus::AccountsMustBeDifferent)
    } else if wanted.pending_id != 0 {
        Err(TransferStatus::PendingIdMustBeZero)
    } else if !pending && wanted.timeout != 0 {
        Err(TransferStatus::TimeoutReservedForPendingTransfer)
    } else if !pending && wanted.flags.intersects(CLOSING) {
        Err(TransferStatus::ClosingTransferMustBePending)
    } else if wanted.ledger == 0 {
        Err(TransferStatus::LedgerMustNotBeZero)
    } else if wanted.code == 0 {
        Err(TransferStatus::CodeMustNotBeZero)
    } else {
        Ok(())
    }
}

/// Refuses a closed account.
pub(super) fn check_open(sides: Sides<'_>) -> Result<(), TransferStatus> {
    if sides.debit.flags.contains(AccountFlags::CLOSED) {
        Err(TransferStatus::DebitAccountAlreadyClosed)
    } else if sides.credit.flags.contains(AccountFlags::CLOSED) {
        Err(TransferStatus::CreditAccountAlreadyClosed)
    } else {
        Ok(())
    }
}

/// What moves: the amount, or what the accounts have left if that is less and the transfer
/// balances.
fn amount_to_move(wanted: &Transfer, sides: Sides<'_>) -> u128 {
    let mut amount = wanted.amount;
    if wanted.flags.contains(TransferFlags::BALANCING_DEBIT) {
        let debits = sum(sides.debit.debits_posted, sides.debit.debits_pending);
        amount = amount.min(sides.debit.credits_posted.saturating_sub(debits));
    }
    if wanted.flags.contains(TransferFlags::BALANCING_CREDIT) {
        let credits = sum(sides.credit.credits_posted, sides.credit.credits_pending);
        amount = amount.min(sides.credit.debits_posted.saturating_sub(credits));
    }
    amount
}

/// Refuses what a sum could not hold. Pending and posted together must fit too, so that a post
/// never overflows.
fn check_sums(pending: bool, amount: u128, sides: Sides<'_>) -> Result<(), TransferStatus> {
    let overflows = |sum: u128| sum.checked_add(amount).is_none();
    let Sides { debit, credit } = sides;
    if pending && overflows(debit.debits_pending) {
        Err(TransferStatus::OverflowsDebitsPending)
    } else if pending && overflows(credit.credits_pending) {
        Err(TransferStatus::OverflowsCreditsPending)
    } else if overflows(debit.debits_posted) {
        Err(TransferStatus::OverflowsDebitsPosted)
    } else if overflows(credit.credits_posted) {
        Err(TransferStatus::OverflowsCreditsPosted)
    } else if overflows(sum(debit.debits_pending, debit.debits_posted)) {
        Err(TransferStatus::OverflowsDebits)
    } else if overflows(sum(credit.credits_pending, credit.credits_posted)) {
        Err(TransferStatus::OverflowsCredits)
    } else {
        Ok(())
    }
}

fn check_timeout(wanted: &Transfer, timestamp: u64) -> Result<(), TransferStatus> {
    let timeout_ns = u64::from(wanted.timeout).saturating_mul(NS_PER_S);
    if timestamp.saturating_add(timeout_ns) > TIMESTAMP_MAX {
        return Err(TransferStatus::OverflowsTimeout);
    }
    Ok(())
}

fn check_limits(amount: u128, sides: Sides<'_>) -> Result<(), TransferStatus> {
    let Sides { debit, credit } = sides;
    let debits = sum(sum(debit.debits_pending, debit.debits_posted), amount);
    let credits = sum(sum(credit.credits_pending, credit.credits_posted), amount);
    let capped = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    let floored = AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS;
    if debit.flags.contains(capped) && debits > debit.credits_posted {
        Err(TransferStatus::ExceedsCredits)
    } else if credit.flags.contains(floored) && credits > credit.debits_posted {
        Err(TransferStatus::ExceedsDebits)
    } else {
        Ok(())
    }
}

/// A sum that `check_sums` has shown to fit.
pub(super) fn sum(a: u128, b: u128) -> u128 {
    a.checked_add(b)
        .expect("pending and posted together fit: no transfer passes check_sums otherwise")
}
