//! What a journal gives back: things that happened, each with its own timestamp. They go through
//! the same rules as when they were new, so a record that could not have happened is refused.

use scheme::Timestamp;

use super::Books;
use crate::{Account, AccountStatus, Transfer, TransferStatus};

impl Books {
    /// Whether a pending transfer expires at `now`.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next_expiry().is_some_and(|at| at <= now)
    }

    /// An account that was created.
    pub(crate) fn replay_account(&mut self, account: &Account) -> Result<(), AccountStatus> {
        self.last = self.last.max(account.timestamp);
        self.open_account(&Account { timestamp: 0, ..*account }, account.timestamp)
    }

    /// A transfer that happened.
    pub(crate) fn replay_transfer(&mut self, transfer: &Transfer) -> Result<(), TransferStatus> {
        self.last = self.last.max(transfer.timestamp);
        self.transfer_event(&Transfer { timestamp: 0, ..*transfer }, transfer.timestamp)
    }

    /// An id that failed.
    pub(crate) fn replay_failed(&mut self, id: u128) {
        if self.memory.find(id).is_none() {
            self.memory.fail(id);
        }
    }
}
