//! An account: four sums, and what they may not do.

use crate::flags::flag_set;

flag_set! {
    /// What an account may not do, and how its creation is linked.
    AccountFlags {
        /// Succeeds or fails together with the next event of the batch.
        LINKED = 1 << 0,
        /// Posted and pending debits together never exceed posted credits.
        DEBITS_MUST_NOT_EXCEED_CREDITS = 1 << 1,
        /// Posted and pending credits together never exceed posted debits.
        CREDITS_MUST_NOT_EXCEED_DEBITS = 1 << 2,
        /// A remote engine keeps every balance that the account ever had. Accepted, without effect.
        HISTORY = 1 << 3,
        /// Brings its own timestamp. `Books` refuses it.
        IMPORTED = 1 << 4,
        /// Takes no transfer but the voiding of a pending one.
        CLOSED = 1 << 5,
    }
}

/// An account. Sums are in minor units of the ledger's currency and only ever grow, but for the
/// pending ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// Chosen by the caller; neither 0 nor `u128::MAX`.
    pub id: u128,
    /// Debits held by open pending transfers, in minor units.
    pub debits_pending: u128,
    /// Debits that happened, in minor units.
    pub debits_posted: u128,
    /// Credits held by open pending transfers, in minor units.
    pub credits_pending: u128,
    /// Credits that happened, in minor units.
    pub credits_posted: u128,
    /// The caller's own.
    pub user_data_128: u128,
    /// The caller's own.
    pub user_data_64: u64,
    /// The caller's own.
    pub user_data_32: u32,
    /// Which accounts may trade with each other: one number per currency; not 0.
    pub ledger: u32,
    /// What kind of account it is; not 0.
    pub code: u16,
    /// What it may not do.
    pub flags: AccountFlags,
    /// When it was created, in nanoseconds since 1970; 0 in a request.
    pub timestamp: u64,
}

impl Account {
    /// Posted credits less posted debits, in minor units.
    ///
    /// Saturates beyond ±2^127, which no sum of amounts of ours comes near.
    pub fn balance(&self) -> i128 {
        let magnitude = |d: u128| i128::try_from(d).unwrap_or(i128::MAX);
        match self.credits_posted.checked_sub(self.debits_posted) {
            Some(credit) => magnitude(credit),
            None => {
                magnitude(self.debits_posted.saturating_sub(self.credits_posted)).saturating_neg()
            }
        }
    }
}
