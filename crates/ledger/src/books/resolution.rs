//! What ends a pending transfer: a post, a void, or time.

use super::batch::Undo;
use super::memory::{Entry, State, UserData};
use super::movement::{Pair, check_open, sum};
use super::{Books, RESOLVING, expires_at};
use crate::{AccountFlags, Transfer, TransferFlags, TransferStatus};

impl Books {
    /// Posts or voids a pending transfer, or says why not.
    pub(super) fn resolve(
        &mut self,
        wanted: &Transfer,
        timestamp: u64,
    ) -> Result<(), TransferStatus> {
        check_fields(wanted)?;
        let row = self
            .memory
            .find(wanted.pending_id)
            .filter(|row| self.memory.get(*row).state != State::Failed)
            .ok_or(TransferStatus::PendingTransferNotFound)?;
        let hold = *self.memory.get(row);
        let filled = self.with_defaults(wanted, row);
        self.check_same(&filled, row)?;
        check_unresolved(&hold, timestamp)?;
        let voids = wanted.flags.contains(TransferFlags::VOID_PENDING);
        if !voids {
            check_open(self.sides(Pair { debit: hold.debit, credit: hold.credit }))?;
        }

        self.remember(
            Entry {
                id: wanted.id,
                amount: filled.amount,
                timestamp,
                debit: hold.debit,
                credit: hold.credit,
                link: row,
                user: 0,
                code: hold.code,
                flags: wanted.flags,
                state: State::Final,
            },
            UserData::of(&filled),
        );
        self.end(row, &hold, if voids { State::Voided } else { State::Posted });
        self.give_back(&hold, if voids { None } else { Some(filled.amount) });
        Ok(())
    }

    /// Takes a held amount off the pending sums and adds what is posted of it; what is not posted
    /// opens again what its hold had closed.
    fn give_back(&mut self, hold: &Entry, posted: Option<u128>) {
        let less = |sum: u128| {
            sum.checked_sub(hold.amount).expect("a pending sum holds every open pending transfer")
        };
        let reopens = |closing| posted.is_none() && hold.flags.contains(closing);
        self.change(hold.debit, |debit| {
            debit.debits_pending = less(debit.debits_pending);
            debit.debits_posted = sum(debit.debits_posted, posted.unwrap_or(0));
            if reopens(TransferFlags::CLOSING_DEBIT) {
                debit.flags = debit.flags.without(AccountFlags::CLOSED);
            }
        });
        self.change(hold.credit, |credit| {
            credit.credits_pending = less(credit.credits_pending);
            credit.credits_posted = sum(credit.credits_posted, posted.unwrap_or(0));
            if reopens(TransferFlags::CLOSING_CREDIT) {
                credit.flags = credit.flags.without(AccountFlags::CLOSED);
            }
        });
    }

    /// Lets expire what is due.
    pub(super) fn expire_due(&mut self) {
        while let Some((at, row)) = self.expiries.first().copied() {
            if at > self.last {
                return;
            }
            let hold = *self.memory.get(row);
            self.end(row, &hold, State::Expired);
            // One beyond the window stayed only as long as it was open.
            self.memory.forget_old(row);
            self.give_back(&hold, None);
        }
    }

    /// A post or void with everything that it left open taken from its pending transfer.
    pub(super) fn with_defaults(&self, wanted: &Transfer, row: u32) -> Transfer {
        let hold = self.unfold(row);
        let or = |own: u128, other: u128| if own == 0 { other } else { own };
        let whole = if wanted.flags.contains(TransferFlags::VOID_PENDING) { 0 } else { u128::MAX };
        let user_data_64 = match wanted.user_data_64 {
            0 => hold.user_data_64,
            own => own,
        };
        let user_data_32 = match wanted.user_data_32 {
            0 => hold.user_data_32,
            own => own,
        };
        Transfer {
            debit_account_id: or(wanted.debit_account_id, hold.debit_account_id),
            credit_account_id: or(wanted.credit_account_id, hold.credit_account_id),
            amount: if wanted.amount == whole { hold.amount } else { wanted.amount },
            user_data_128: or(wanted.user_data_128, hold.user_data_128),
            user_data_64,
            user_data_32,
            ledger: if wanted.ledger == 0 { hold.ledger } else { wanted.ledger },
            code: if wanted.code == 0 { hold.code } else { wanted.code },
            ..*wanted
        }
    }

    /// Refuses a post or void that says other things than its pending transfer.
    fn check_same(&self, filled: &Transfer, row: u32) -> Result<(), TransferStatus> {
        let there = self.unfold(row);
        if !there.flags.contains(TransferFlags::PENDING) {
            return Err(TransferStatus::PendingTransferNotPending);
        }
        let voids = filled.flags.contains(TransferFlags::VOID_PENDING);
        if filled.debit_account_id != there.debit_account_id {
            Err(TransferStatus::PendingTransferHasDifferentDebitAccountId)
        } else if filled.credit_account_id != there.credit_account_id {
            Err(TransferStatus::PendingTransferHasDifferentCreditAccountId)
        } else if filled.ledger != there.ledger {
            Err(TransferStatus::PendingTransferHasDifferentLedger)
        } else if filled.code != there.code {
            Err(TransferStatus::PendingTransferHasDifferentCode)
        } else if filled.amount > there.amount {
            Err(TransferStatus::ExceedsPendingTransferAmount)
        } else if voids && filled.amount < there.amount {
            Err(TransferStatus::PendingTransferHasDifferentAmount)
        } else {
            Ok(())
        }
    }

    /// Takes a transfer out of the pending ones, for good unless its chain breaks.
    fn end(&mut self, row: u32, hold: &Entry, state: State) {
        self.release(row, hold);
        self.memory.set_state(row, state);
        if self.in_chain {
            self.undo.push(Undo::Resolved { row });
        }
    }
}

/// What can be said of a post or void without looking for its pending transfer.
fn check_fields(wanted: &Transfer) -> Result<(), TransferStatus> {
    const FOREIGN: TransferFlags = TransferFlags::PENDING
        .union(TransferFlags::BALANCING_DEBIT)
        .union(TransferFlags::BALANCING_CREDIT)
        .union(TransferFlags::CLOSING_DEBIT)
        .union(TransferFlags::CLOSING_CREDIT);
    if wanted.flags.contains(RESOLVING) || wanted.flags.intersects(FOREIGN) {
        Err(TransferStatus::FlagsAreMutuallyExclusive)
    } else if wanted.pending_id == 0 {
        Err(TransferStatus::PendingIdMustNotBeZero)
    } else if wanted.pending_id == u128::MAX {
        Err(TransferStatus::PendingIdMustNotBeIntMax)
    } else if wanted.pending_id == wanted.id {
        Err(TransferStatus::PendingIdMustBeDifferent)
    } else if wanted.timeout != 0 {
        Err(TransferStatus::TimeoutReservedForPendingTransfer)
    } else {
        Ok(())
    }
}

/// Refuses what has ended. A hold that expires within the batch counts as ended from its instant
/// on, though its money comes back only before the next batch.
fn check_unresolved(hold: &Entry, timestamp: u64) -> Result<(), TransferStatus> {
    match hold.state {
        State::Posted => Err(TransferStatus::PendingTransferAlreadyPosted),
        State::Voided => Err(TransferStatus::PendingTransferAlreadyVoided),
        State::Expired => Err(TransferStatus::PendingTransferExpired),
        State::Pending | State::Final | State::Failed => match expires_at(hold) {
            Some(at) if at <= timestamp => Err(TransferStatus::PendingTransferExpired),
            Some(_) | None => Ok(()),
        },
    }
}
