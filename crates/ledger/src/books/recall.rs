//! What had left the window and is brought back, because an event may mean it: from then on it is
//! remembered as if it had happened just now, so that the same rules decide. It moves nothing.

use super::Books;
use super::memory::{Entry, State, UserData};
use crate::{Transfer, TransferFlags};

impl Books {
    /// Whether an id is remembered, also as failed.
    pub(crate) fn remembers(&self, id: u128) -> bool {
        self.memory.find(id).is_some()
    }

    /// The row of the next transfer: what comes from now on has this row or a later one.
    pub(crate) fn next_row(&self) -> u32 {
        self.memory.next_row()
    }

    /// Keeps the transfers from a row on, whatever the window.
    pub(crate) fn keep_from(&mut self, row: u32) {
        self.memory.keep_from(row);
    }

    /// Lets go what is beyond the window.
    pub(crate) fn forget(&mut self) {
        self.memory.forget();
    }

    /// Brings back an id that failed.
    pub(crate) fn recall_failed(&mut self, id: u128) {
        self.memory.fail(id);
    }

    /// Brings back a transfer that is over, of a pending one also its post or void, if it did not
    /// expire. `None`: no batch could have made it.
    pub(crate) fn recall(&mut self, transfer: &Transfer, end: Option<&Transfer>) -> Option<()> {
        let state = match end {
            _ if !transfer.flags.contains(TransferFlags::PENDING) => State::Final,
            Some(end) if end.flags.contains(TransferFlags::POST_PENDING) => State::Posted,
            Some(_) => State::Voided,
            None => State::Expired,
        };
        let hold = self.entry_of(transfer, transfer.timeout, state)?;
        let row = self.memory.push(hold, UserData::of(transfer));
        if let Some(end) = end {
            let end_entry = self.entry_of(end, row, State::Final)?;
            self.memory.push(end_entry, UserData::of(end));
        }
        Some(())
    }

    fn entry_of(&self, transfer: &Transfer, link: u32, state: State) -> Option<Entry> {
        Some(Entry {
            id: transfer.id,
            amount: transfer.amount,
            timestamp: transfer.timestamp,
            debit: *self.rows.get(&transfer.debit_account_id)?,
            credit: *self.rows.get(&transfer.credit_account_id)?,
            link,
            user: 0,
            code: transfer.code,
            flags: transfer.flags,
            state,
        })
    }
}
