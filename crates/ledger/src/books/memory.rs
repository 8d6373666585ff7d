//! The transfers whose ids are remembered: what duplicates, posts and look-ups need, 64 bytes each.
//!
//! This is the seam for a bounded window of ids: everything outside asks by id or by row and keeps
//! rows only for pending transfers that are open.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::TransferFlags;
use crate::limits::ROWS_MAX;

/// What has become of a remembered transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum State {
    /// It moved money at once; there is nothing to resolve.
    Final = 0,
    /// It holds money.
    Pending = 1,
    /// It was pending and is posted.
    Posted = 2,
    /// It was pending and is voided.
    Voided = 3,
    /// It was pending and its timeout passed.
    Expired = 4,
    /// It never happened; its id is not to be used again.
    Failed = 5,
}

impl State {
    /// The state of a number, as a snapshot has it.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Final, Self::Pending, Self::Posted, Self::Voided, Self::Expired, Self::Failed]
            .into_iter()
            .find(|state| *state as u8 == number)
    }
}

/// A remembered transfer. The ledger is its accounts' own and is not repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) id: u128,
    pub(super) amount: u128,
    pub(super) timestamp: u64,
    /// Row of the debit account.
    pub(super) debit: u32,
    /// Row of the credit account.
    pub(super) credit: u32,
    /// Of a pending transfer its timeout in seconds, of a post or void the row of its pending
    /// transfer: no transfer has both.
    pub(super) link: u32,
    /// Row of its user data plus one, 0 when all three are 0.
    pub(super) user: u32,
    pub(super) code: u16,
    pub(super) flags: TransferFlags,
    pub(super) state: State,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Entry {
    /// What is remembered of an id that failed: that alone.
    pub(super) const fn failed(id: u128) -> Self {
        Self {
            id,
            amount: 0,
            timestamp: 0,
            debit: 0,
            credit: 0,
            link: 0,
            user: 0,
            code: 0,
            flags: TransferFlags::NONE,
            state: State::Failed,
        }
    }
}

/// The caller's own fields of a transfer; most transfers have none, many share their hold's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct UserData {
    pub(super) wide: u128,
    pub(super) long: u64,
    pub(super) short: u32,
}

/// All remembered transfers, in the order in which they happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    entries: Vec<Entry>,
    users: Vec<UserData>,
    rows: HashTable<u32>,
    hasher: FixedState,
}

impl Memory {
    /// Room for that many transfers without a pause to grow.
    pub(super) fn with_capacity(transfers: usize) -> Self {
        Self {
            entries: Vec::with_capacity(transfers),
            users: Vec::new(),
            rows: HashTable::with_capacity(transfers),
            hasher: FixedState::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn users(&self) -> &[UserData] {
        &self.users
    }

    /// The row of an id.
    pub(super) fn find(&self, id: u128) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        self.rows.find(hash, |row| self.entries[*row as usize].id == id).copied()
    }

    /// The transfer of a row that `find` or `push` gave.
    pub(super) fn get(&self, row: u32) -> &Entry {
        &self.entries[row as usize]
    }

    pub(super) fn set_state(&mut self, row: u32, state: State) {
        self.entries[row as usize].state = state;
    }

    /// The user data of an entry's `user`.
    pub(super) fn user(&self, user: u32) -> UserData {
        user.checked_sub(1)
            .and_then(|row| self.users.get(row as usize))
            .copied()
            .unwrap_or_default()
    }

    /// Keeps user data and gives its row plus one; nothing is kept of nothing.
    pub(super) fn push_user(&mut self, user: UserData) -> u32 {
        if user == UserData::default() {
            return 0;
        }
        self.users.push(user);
        row_number(self.users.len())
    }

    /// Remembers a transfer whose id is new.
    pub(super) fn push(&mut self, entry: Entry) -> u32 {
        let row = row_number(self.entries.len());
        let hash = self.hasher.hash_one(entry.id);
        self.entries.push(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.rows.insert_unique(hash, row, |row| hasher.hash_one(entries[*row as usize].id));
        row
    }

    /// Forgets the newest transfer, as its chain was broken, and the user data kept since there
    /// were `users` of them.
    pub(super) fn pop(&mut self, users: usize) {
        let Some(entry) = self.entries.pop() else {
            return;
        };
        let row = row_number(self.entries.len());
        let hash = self.hasher.hash_one(entry.id);
        if let Ok(found) = self.rows.find_entry(hash, |r| *r == row) {
            found.remove();
        }
        self.users.truncate(users);
    }

    /// Remembers an id as failed.
    pub(super) fn fail(&mut self, id: u128) {
        self.push(Entry::failed(id));
    }

    /// Begins again with the user data of a snapshot and room for its transfers.
    pub(super) fn restore(&mut self, transfers: usize, users: Vec<UserData>) {
        *self = Self::with_capacity(transfers);
        self.users = users;
    }
}

/// A table's length as the number of its next row.
pub(super) fn row_number(len: usize) -> u32 {
    u32::try_from(len)
        .ok()
        .filter(|row| *row <= ROWS_MAX)
        .expect("memory ends before the rows do: 2^32 rows of 64 bytes are 256 GiB")
}
