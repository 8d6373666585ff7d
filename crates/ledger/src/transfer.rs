//! A transfer: one debit and one credit of the same amount.

use crate::flags::flag_set;

flag_set! {
    /// What a transfer does.
    TransferFlags {
        /// Succeeds or fails together with the next event of the batch.
        LINKED = 1 << 0,
        /// Holds the amount until it is posted, voided or expired.
        PENDING = 1 << 1,
        /// Posts the pending transfer `pending_id`, in full or in part.
        POST_PENDING = 1 << 2,
        /// Releases the pending transfer `pending_id`.
        VOID_PENDING = 1 << 3,
        /// Moves at most what the debit account has left below its limit.
        BALANCING_DEBIT = 1 << 4,
        /// Moves at most what the credit account has left below its limit.
        BALANCING_CREDIT = 1 << 5,
        /// Closes the debit account while this pending transfer is open or posted.
        CLOSING_DEBIT = 1 << 6,
        /// Closes the credit account while this pending transfer is open or posted.
        CLOSING_CREDIT = 1 << 7,
        /// Brings its own timestamp. `Books` refuses it.
        IMPORTED = 1 << 8,
    }
}

/// A transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Transfer {
    /// Chosen by the caller, once and for ever; neither 0 nor `u128::MAX`.
    pub id: u128,
    /// Who pays. A post or void may leave it 0.
    pub debit_account_id: u128,
    /// Who is paid. A post or void may leave it 0.
    pub credit_account_id: u128,
    /// In minor units of the ledger's currency; 0 is allowed. A post of `u128::MAX` and a void of
    /// 0 mean the whole pending amount; a balancing transfer moves at most this.
    pub amount: u128,
    /// The pending transfer that a post or void names; else 0.
    pub pending_id: u128,
    /// The caller's own; a post or void that leaves it 0 takes the pending transfer's.
    pub user_data_128: u128,
    /// The caller's own; a post or void that leaves it 0 takes the pending transfer's.
    pub user_data_64: u64,
    /// The caller's own; a post or void that leaves it 0 takes the pending transfer's.
    pub user_data_32: u32,
    /// Seconds until a pending transfer expires by itself; 0 is never.
    pub timeout: u32,
    /// The ledger of both accounts; a post or void may leave it 0.
    pub ledger: u32,
    /// Why money moves; not 0, but a post or void may leave it 0.
    pub code: u16,
    /// What it does.
    pub flags: TransferFlags,
    /// When it happened, in nanoseconds since 1970; 0 in a request.
    pub timestamp: u64,
}
