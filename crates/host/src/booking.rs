//! What a hub asks of a ledger that is not in its process, and what that answers.

use ledger::{Account, AccountStatus, Transfer, TransferStatus};

/// A batch for the ledger, at most `switch::limits::ENGINE_LATER_BATCH_MAX` long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Booking {
    /// Accounts to create.
    Accounts(Vec<Account>),
    /// Transfers to create.
    Transfers(Vec<Transfer>),
}

/// One status for each event of a [`Booking`], in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Booked {
    /// What became of the accounts.
    Accounts(Vec<AccountStatus>),
    /// What became of the transfers.
    Transfers(Vec<TransferStatus>),
}
