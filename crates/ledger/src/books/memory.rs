//! The transfers whose ids are remembered: what duplicates, posts and look-ups need, 64 bytes each.
//!
//! With a window, the oldest go once there are more than it holds, a piece at a time. Of what went,
//! those stay apart that are open, and pending ones as long as what resolved them is in the window.
//! Everything outside asks by id or by row and keeps rows only for pending transfers that are open.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::RESOLVING;
use crate::TransferFlags;
use crate::limits::{ROWS_MAX, ROWS_OF_PIECE};
use crate::spread::{Recent, SpreadTable};

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
///
/// Nothing in it is moved as it grows: rows stand in pieces, ids in an index of many parts.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// The newest transfers, by their rows from `first` on.
    pieces: VecDeque<Vec<Entry>>,
    /// The first row of the pieces. Rows are numbered around: those in memory are far fewer.
    first: u32,
    /// What stays of those before.
    old: BTreeMap<u32, Entry>,
    /// Most pieces; none: all stay.
    window: Option<usize>,
    /// Pieces for those to come, their memory in hand.
    spare: Vec<Vec<Entry>>,
    users: Vec<UserData>,
    rows: SpreadTable,
    recent: Recent,
    hasher: FixedState,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Memory {
    /// Room for the ids of that many transfers.
    pub(super) fn with_capacity(transfers: usize) -> Self {
        let rows = SpreadTable::with_capacity(transfers);
        Self {
            pieces: VecDeque::new(),
            first: 0,
            old: BTreeMap::new(),
            window: None,
            spare: Vec::new(),
            recent: Recent::default(),
            users: Vec::new(),
            rows,
            hasher: FixedState::default(),
        }
    }

    /// Memory for so many more transfers, in hand: see [`SpreadTable::make_room`].
    pub(super) fn make_room(&mut self, transfers: usize) {
        self.rows.make_room(transfers);
        for _ in 0..transfers.div_ceil(ROWS_OF_PIECE) {
            let mut piece = Vec::with_capacity(ROWS_OF_PIECE);
            piece.resize(ROWS_OF_PIECE, Entry::failed(0));
            piece.clear();
            self.spare.push(piece);
        }
    }

    /// Keeps the ids of about so many transfers, the newest; those of open ones always.
    pub(super) fn set_window(&mut self, transfers: usize) {
        self.window = Some(transfers.div_ceil(ROWS_OF_PIECE).max(1));
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.in_pieces().saturating_add(self.old.len())
    }

    fn in_pieces(&self) -> usize {
        let last = self.pieces.back().map_or(0, Vec::len);
        self.pieces.len().saturating_sub(1).saturating_mul(ROWS_OF_PIECE).saturating_add(last)
    }

    /// The row of the next transfer.
    fn next_row(&self) -> u32 {
        self.first.wrapping_add(row_number(self.in_pieces()))
    }

    /// The row of the newest transfer.
    pub(super) fn newest(&self) -> u32 {
        self.next_row().wrapping_sub(1)
    }

    /// Lets the oldest go that are beyond the window. Not within a chain, which may be taken back.
    pub(super) fn forget(&mut self) {
        while self.window.is_some_and(|window| self.pieces.len() > window) {
            let Some(mut piece) = self.pieces.pop_front() else { return };
            for entry in piece.drain(..) {
                let row = self.first;
                self.first = row.wrapping_add(1);
                match entry.state {
                    State::Pending | State::Posted | State::Voided => {
                        self.old.insert(row, entry);
                    }
                    State::Final | State::Expired | State::Failed => self.unname(row, entry.id),
                }
                if entry.flags.intersects(RESOLVING) && entry.state == State::Final {
                    self.forget_old(entry.link);
                }
            }
            self.spare.push(piece);
        }
    }

    /// One that stayed though it was old is over.
    pub(super) fn forget_old(&mut self, row: u32) {
        if let Some(entry) = self.old.remove(&row) {
            self.unname(row, entry.id);
        }
    }

    fn unname(&mut self, row: u32, id: u128) {
        let hash = self.hasher.hash_one(id);
        self.rows.remove(hash, row);
    }

    /// All of them with their rows, in the order in which they happened.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let newer = self.pieces.iter().flatten().zip(0u32..);
        let newer = newer.map(|(entry, n)| (self.first.wrapping_add(n), entry));
        self.old.iter().map(|(row, entry)| (*row, entry)).chain(newer)
    }

    /// All of them, in the order in which they happened.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.old.values().chain(self.pieces.iter().flatten())
    }

    pub(super) fn users(&self) -> &[UserData] {
        &self.users
    }

    /// The row of an id.
    pub(super) fn find(&self, id: u128) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let is_it = |row| self.row(row).is_some_and(|entry| entry.id == id);
        self.recent.find(hash, is_it).or_else(|| self.rows.find(hash, is_it))
    }

    /// The transfer of a row that `find` or `push` gave.
    pub(super) fn get(&self, row: u32) -> &Entry {
        self.row(row).expect("rows are given by `find` and `push`, and kept while they are used")
    }

    /// The transfer of a row that may not be there.
    pub(super) fn row(&self, row: u32) -> Option<&Entry> {
        let place = row.wrapping_sub(self.first) as usize;
        let entry =
            self.pieces.get(place / ROWS_OF_PIECE).and_then(|p| p.get(place % ROWS_OF_PIECE));
        entry.or_else(|| self.old.get(&row))
    }

    pub(super) fn set_state(&mut self, row: u32, state: State) {
        let place = row.wrapping_sub(self.first) as usize;
        let piece = self.pieces.get_mut(place / ROWS_OF_PIECE);
        let entry = piece.and_then(|piece| piece.get_mut(place % ROWS_OF_PIECE));
        if let Some(entry) = entry.or_else(|| self.old.get_mut(&row)) {
            entry.state = state;
        }
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
        let row = self.next_row();
        let hash = self.hasher.hash_one(entry.id);
        match self.pieces.back_mut().filter(|piece| piece.len() < ROWS_OF_PIECE) {
            Some(piece) => piece.push(entry),
            None => {
                let mut piece = self.spare.pop().unwrap_or_default();
                piece.reserve_exact(ROWS_OF_PIECE);
                piece.push(entry);
                self.pieces.push_back(piece);
            }
        }
        self.rows.insert(hash, row);
        self.recent.put(hash, row);
        row
    }

    /// Forgets the newest transfer, as its chain was broken, and the user data kept since there
    /// were `users` of them.
    pub(super) fn pop(&mut self, users: usize) {
        let Some(piece) = self.pieces.back_mut() else {
            return;
        };
        let Some(entry) = piece.pop() else {
            return;
        };
        if piece.is_empty() {
            self.pieces.pop_back();
        }
        let row = self.next_row();
        let hash = self.hasher.hash_one(entry.id);
        self.rows.remove(hash, row);
        self.users.truncate(users);
    }

    /// Remembers an id as failed.
    pub(super) fn fail(&mut self, id: u128) {
        self.push(Entry::failed(id));
    }

    /// Begins again with the user data of a snapshot and room for its transfers.
    pub(super) fn restore(&mut self, transfers: usize, users: Vec<UserData>) {
        let window = self.window;
        *self = Self { window, ..Self::with_capacity(transfers) };
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
