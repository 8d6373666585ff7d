//! The transfers whose ids are remembered: what duplicates, posts and look-ups need, 64 bytes each.
//!
//! With a window, the oldest go once there are more than it holds, but for those that the owner
//! keeps. Of what went, those stay apart that are open, and pending ones as long as what resolved
//! them is in the window. Everything outside asks by id or by row and keeps rows only for pending
//! transfers that are open.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

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
    /// Place of its user data in its piece plus one, 0 when all three are 0.
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
    /// The newest transfers, by their rows from `first` on; all pieces but the last are full.
    pieces: VecDeque<Piece>,
    /// The first row of the pieces. Rows are numbered around: those in memory are far fewer.
    first: u32,
    /// Rows of the first piece that went already.
    gone: usize,
    /// What stays of those before.
    old: HashMap<u32, (Entry, UserData), FixedState>,
    /// Most rows of the pieces; none: all stay.
    window: Option<usize>,
    /// Rows from this one on stay whatever the window, where one is named.
    kept_from: Option<u32>,
    /// Pieces for those to come, their memory in hand.
    spare: Vec<Piece>,
    rows: SpreadTable,
    recent: Recent,
    hasher: FixedState,
}

/// Some transfers in the order in which they happened, and the user data of those that have any.
#[derive(Clone, Debug, Default)]
struct Piece {
    entries: Vec<Entry>,
    users: Vec<UserData>,
}

impl Piece {
    /// The user data of one of its entries.
    fn user_of(&self, entry: &Entry) -> UserData {
        let row = entry.user.checked_sub(1);
        row.and_then(|row| self.users.get(row as usize)).copied().unwrap_or_default()
    }
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
            gone: 0,
            old: HashMap::default(),
            window: None,
            kept_from: None,
            spare: Vec::new(),
            recent: Recent::default(),
            rows,
            hasher: FixedState::default(),
        }
    }

    /// Memory for so many more transfers, in hand: see [`SpreadTable::make_room`].
    pub(super) fn make_room(&mut self, transfers: usize) {
        self.rows.make_room(transfers);
        for _ in 0..transfers.div_ceil(ROWS_OF_PIECE) {
            let mut entries = Vec::with_capacity(ROWS_OF_PIECE);
            entries.resize(ROWS_OF_PIECE, Entry::failed(0));
            entries.clear();
            self.spare.push(Piece { entries, users: Vec::new() });
        }
    }

    /// Keeps the ids of so many transfers, the newest; those of open ones always.
    pub(super) fn set_window(&mut self, transfers: usize) {
        self.window = Some(transfers);
    }

    /// Keeps the rows from this one on, whatever the window.
    pub(super) fn keep_from(&mut self, row: u32) {
        self.kept_from = Some(row);
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.in_pieces().saturating_add(self.old.len())
    }

    fn in_pieces(&self) -> usize {
        self.rows_of_pieces().saturating_sub(self.gone)
    }

    /// Rows of the pieces, those that went included.
    fn rows_of_pieces(&self) -> usize {
        let last = self.pieces.back().map_or(0, |piece| piece.entries.len());
        self.pieces.len().saturating_sub(1).saturating_mul(ROWS_OF_PIECE).saturating_add(last)
    }

    /// The row of the next transfer.
    pub(super) fn next_row(&self) -> u32 {
        self.first.wrapping_add(row_number(self.rows_of_pieces()))
    }

    /// The row of the newest transfer.
    pub(super) fn newest(&self) -> u32 {
        self.next_row().wrapping_sub(1)
    }

    /// Lets the oldest go that are beyond the window. Not within a chain, which may be taken back.
    pub(super) fn forget(&mut self) {
        let Some(window) = self.window else { return };
        while self.in_pieces() > window && self.oldest_may_go() {
            self.forget_oldest();
        }
    }

    /// Whether the oldest row of the pieces is none of those that stay.
    fn oldest_may_go(&self) -> bool {
        let Some(kept_from) = self.kept_from else { return true };
        let before = kept_from.wrapping_sub(self.oldest());
        (1..=ROWS_MAX / 2).contains(&before)
    }

    /// The oldest row of the pieces.
    fn oldest(&self) -> u32 {
        self.first.wrapping_add(row_number(self.gone))
    }

    fn forget_oldest(&mut self) {
        let row = self.oldest();
        let Some(piece) = self.pieces.front() else { return };
        let Some(entry) = piece.entries.get(self.gone).copied() else { return };
        let user = piece.user_of(&entry);
        match entry.state {
            State::Pending | State::Posted | State::Voided => {
                self.old.insert(row, (entry, user));
            }
            // Its id goes from the index by itself: see `SpreadTable::insert_over`.
            State::Final | State::Expired | State::Failed => {}
        }
        if entry.flags.intersects(RESOLVING) && entry.state == State::Final {
            self.forget_old(entry.link);
        }
        self.gone = self.gone.saturating_add(1);
        if self.gone == ROWS_OF_PIECE
            && let Some(mut piece) = self.pieces.pop_front()
        {
            self.first = self.first.wrapping_add(row_number(ROWS_OF_PIECE));
            self.gone = 0;
            piece.entries.clear();
            piece.users.clear();
            self.spare.push(piece);
        }
    }

    /// One that stayed though it was old is over.
    pub(super) fn forget_old(&mut self, row: u32) {
        self.old.remove(&row);
    }

    /// All of them with their rows, in the order in which they happened.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let newer = self.pieces.iter().flat_map(|piece| &piece.entries).zip(0u32..);
        let newer = newer.skip(self.gone).map(|(entry, n)| (self.first.wrapping_add(n), entry));
        let mut old: Vec<_> = self.old.iter().map(|(row, (entry, _))| (*row, entry)).collect();
        old.sort_unstable_by_key(|(row, _)| row.wrapping_sub(self.oldest()));
        old.into_iter().chain(newer)
    }

    /// Whether a row is this one or a later one.
    pub(super) fn is_from(&self, from: u32, row: u32) -> bool {
        let next = self.next_row();
        let since = next.wrapping_sub(from);
        (1..=since).contains(&next.wrapping_sub(row))
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
        match self.place(row) {
            Some((piece, place)) => self.pieces.get(piece)?.entries.get(place),
            None => self.old.get(&row).map(|(entry, _)| entry),
        }
    }

    /// The piece of a row and the place in it, if it is one of those in the pieces.
    fn place(&self, row: u32) -> Option<(usize, usize)> {
        let place = row.wrapping_sub(self.first) as usize;
        let there = place >= self.gone && place < self.rows_of_pieces();
        there.then_some((place / ROWS_OF_PIECE, place % ROWS_OF_PIECE))
    }

    pub(super) fn set_state(&mut self, row: u32, state: State) {
        let entry = match self.place(row) {
            Some((piece, place)) => {
                self.pieces.get_mut(piece).and_then(|piece| piece.entries.get_mut(place))
            }
            None => self.old.get_mut(&row).map(|(entry, _)| entry),
        };
        if let Some(entry) = entry {
            entry.state = state;
        }
    }

    /// The user data of a row.
    pub(super) fn user(&self, row: u32) -> UserData {
        let Some((piece, place)) = self.place(row) else {
            return self.old.get(&row).map(|(_, user)| *user).unwrap_or_default();
        };
        let piece = self.pieces.get(piece);
        let user = piece.and_then(|piece| Some(piece.user_of(piece.entries.get(place)?)));
        user.unwrap_or_default()
    }

    /// Remembers a transfer whose id is new, with its user data; nothing is kept of nothing.
    pub(super) fn push(&mut self, mut entry: Entry, user: UserData) -> u32 {
        let row = self.next_row();
        let hash = self.hasher.hash_one(entry.id);
        if self.pieces.back().is_none_or(|piece| piece.entries.len() == ROWS_OF_PIECE) {
            let mut piece = self.spare.pop().unwrap_or_default();
            piece.entries.reserve_exact(ROWS_OF_PIECE);
            self.pieces.push_back(piece);
        }
        if let Some(piece) = self.pieces.back_mut() {
            entry.user = 0;
            if user != UserData::default() {
                piece.users.push(user);
                entry.user = row_number(piece.users.len());
            }
            piece.entries.push(entry);
        }
        let (first, old) = (self.oldest(), &self.old);
        let since = row.wrapping_sub(first);
        let alive = |row: u32| row.wrapping_sub(first) <= since || old.contains_key(&row);
        self.rows.insert_over(hash, row, alive);
        self.recent.put(hash, row);
        row
    }

    /// Forgets the newest transfer, as its chain was broken.
    pub(super) fn pop(&mut self) {
        let Some(piece) = self.pieces.back_mut() else {
            return;
        };
        let Some(entry) = piece.entries.pop() else {
            return;
        };
        if entry.user != 0 {
            piece.users.pop();
        }
        if piece.entries.is_empty() {
            self.pieces.pop_back();
        }
        let row = self.next_row();
        self.rows.remove(self.hasher.hash_one(entry.id), row);
    }

    /// Remembers an id as failed.
    pub(super) fn fail(&mut self, id: u128) {
        self.push(Entry::failed(id), UserData::default());
    }

    /// Begins again with room for the transfers of a snapshot.
    pub(super) fn restore(&mut self, transfers: usize) {
        let window = self.window;
        *self = Self { window, ..Self::with_capacity(transfers) };
    }
}

/// A table's length as the number of its next row.
pub(super) fn row_number(len: usize) -> u32 {
    u32::try_from(len)
        .ok()
        .filter(|row| *row <= ROWS_MAX)
        .expect("memory ends before the rows do: 2^32 rows of 64 bytes are 256 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u128) -> Entry {
        Entry { state: State::Final, ..Entry::failed(id) }
    }

    fn user(id: u128) -> UserData {
        UserData { wide: id, ..UserData::default() }
    }

    /// Rows, user data and index are those of the window, however much went through it.
    #[test]
    fn what_went_takes_no_memory() {
        let mut memory = Memory::default();
        memory.set_window(100);
        for id in 1..=200_000 {
            memory.push(entry(id), user(id));
            memory.forget();
        }
        assert_eq!((memory.len(), memory.old.len()), (100, 0));
        assert!(memory.pieces.len() <= 2 && memory.spare.len() <= 2);
        assert!(memory.rows.len() < 60_000, "{} in the index", memory.rows.len());
        assert!(memory.pieces.iter().all(|piece| piece.users.len() <= ROWS_OF_PIECE));
        let newest = memory.find(199_950).unwrap();
        assert_eq!(memory.user(newest), user(199_950));
        assert_eq!(memory.find(199_900), None);
    }

    /// Nor does a chain that breaks, over and over.
    #[test]
    fn what_was_taken_back_takes_no_memory() {
        let mut memory = Memory::default();
        memory.push(entry(1), user(1));
        for id in 2..10_000 {
            memory.push(entry(id), user(id));
            memory.pop();
        }
        assert_eq!((memory.len(), memory.rows.len(), memory.pieces.len()), (1, 1, 1));
        assert_eq!(memory.pieces[0].users.len(), 1);
        assert_eq!(memory.user(0), user(1));
    }
}
