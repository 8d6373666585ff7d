//! An index of rows that never pauses: many small tables, each of which grows on its own, so that
//! the longest pause is that of one part and not of the whole (a map of two million entries takes
//! 100 ms to double). What the rows hold, their owner knows.

use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::limits::{PART_ROWS_MIN, RECENT_ROWS, SPREAD_PARTS};

/// Numbers of rows by the hash of what they hold. Beside each stands a part of its hash, so that no
/// row is touched when a part grows, and hardly ever one that is not the one.
#[derive(Clone, Debug)]
pub struct SpreadTable {
    parts: Vec<HashTable<(u32, u32)>>,
}

impl Default for SpreadTable {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl SpreadTable {
    /// Room for that many rows.
    pub fn with_capacity(rows: usize) -> Self {
        let share = rows.checked_div(SPREAD_PARTS).unwrap_or(0);
        let mut parts = Vec::with_capacity(SPREAD_PARTS);
        parts.resize_with(SPREAD_PARTS, || HashTable::with_capacity(share));
        Self { parts }
    }

    /// Room for so many more rows, its memory in hand: the first touch of memory is the system's
    /// work, milliseconds at a time, and belongs to a start and not to a payment.
    pub fn make_room(&mut self, rows: usize) {
        let share = rows.div_ceil(SPREAD_PARTS);
        for part in &mut self.parts {
            let room = part.len().saturating_add(share);
            let mut roomy = HashTable::with_capacity(room);
            for tag in (0..u32::MAX).take(room) {
                roomy.insert_unique(mixed(tag), (tag, 0), |(tag, _)| mixed(*tag));
            }
            roomy.clear();
            for (tag, row) in part.drain() {
                roomy.insert_unique(mixed(tag), (tag, row), |(tag, _)| mixed(*tag));
            }
            *part = roomy;
        }
    }

    /// How many rows it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// The row of that hash that is the one.
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let found = |(known, row): &(u32, u32)| *known == tag && is_it(*row);
        self.parts[part_of(hash)].find(mixed(tag), found).map(|(_, row)| *row)
    }

    /// Adds a row.
    pub fn insert(&mut self, hash: u64, row: u32) {
        let tag = tag_of(hash);
        self.parts[part_of(hash)].insert_unique(mixed(tag), (tag, row), |(tag, _)| mixed(*tag));
    }

    /// Adds a row where others end without being taken out: those that are not `alive` go when the
    /// part would have to grow, all at once, so that the end of a row costs nothing.
    pub fn insert_over(&mut self, hash: u64, row: u32, alive: impl Fn(u32) -> bool) {
        let part = &mut self.parts[part_of(hash)];
        if part.len() == part.capacity() {
            part.retain(|(_, row)| alive(*row));
            // Grown while half of it is alive, or it would be looked through too soon again.
            let room = part.len().max(PART_ROWS_MIN);
            part.reserve(room, |(tag, _)| mixed(*tag));
        }
        self.insert(hash, row);
    }

    /// Puts a row in the place of another of the same hash.
    pub fn replace(&mut self, hash: u64, row: u32, by: u32) {
        let tag = tag_of(hash);
        let found = self.parts[part_of(hash)].find_mut(mixed(tag), |known| *known == (tag, row));
        if let Some((_, known)) = found {
            *known = by;
        }
    }

    /// Puts rows and their hashes in the order of the parts that they belong to: many rows at once
    /// are best put in part by part, as one part is near the processor and the whole is not.
    pub fn by_parts(rows: impl Iterator<Item = (u64, u32)> + Clone, sorted: &mut Vec<(u64, u32)>) {
        let mut places = [0usize; SPREAD_PARTS];
        rows.clone().for_each(|(hash, _)| {
            let share = &mut places[part_of(hash)];
            *share = share.saturating_add(1);
        });
        let mut all = 0usize;
        for place in &mut places {
            let share = core::mem::replace(place, all);
            all = all.saturating_add(share);
        }
        sorted.clear();
        sorted.resize(all, (0, 0));
        for row in rows {
            let place = &mut places[part_of(row.0)];
            sorted[*place] = row;
            *place = place.saturating_add(1);
        }
    }

    /// What is kept of a hash: rows with the same cannot be told apart by it.
    pub fn kept_of(hash: u64) -> (usize, u32) {
        (part_of(hash), tag_of(hash))
    }

    /// Takes a row out.
    pub fn remove(&mut self, hash: u64, row: u32) {
        let tag = tag_of(hash);
        let part = &mut self.parts[part_of(hash)];
        if let Ok(found) = part.find_entry(mixed(tag), |known| *known == (tag, row)) {
            found.remove();
        }
    }
}

/// The rows that came last, before the index of all: what is settled was opened a moment ago, and
/// an index of millions is far from the processor. It only ever guesses; the row itself tells,
/// which is not touched unless the tag of its hash is the same.
#[derive(Clone, Debug)]
pub struct Recent {
    rows: Vec<(u32, u32)>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { rows: alloc::vec![(0, u32::MAX); RECENT_ROWS] }
    }
}

impl Recent {
    /// The row of that hash, if it is the one.
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (tag, row) = self.rows.get(place_of(hash)).copied()?;
        (tag == tag_of(hash) && is_it(row)).then_some(row)
    }

    /// Puts a row before others of its place.
    pub fn put(&mut self, hash: u64, row: u32) {
        if let Some(place) = self.rows.get_mut(place_of(hash)) {
            *place = (tag_of(hash), row);
        }
    }
}

/// The place of a hash among the recent.
fn place_of(hash: u64) -> usize {
    let [.., a, b] = hash.to_be_bytes();
    usize::from(u16::from_be_bytes([a, b])) % RECENT_ROWS
}

/// The part that a hash belongs to.
fn part_of(hash: u64) -> usize {
    usize::from(hash.to_le_bytes()[7])
}

/// What is kept of a hash: none of the bits that name the part.
fn tag_of(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A tag as the hash that a table wants: its place by the lowest bits, its mark by the highest.
fn mixed(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

const _: () = assert!(RECENT_ROWS <= 65_536, "a place is named by two bytes of the hash");
const _: () = assert!(SPREAD_PARTS == 256, "a part is named by one byte of the hash");

#[cfg(test)]
mod tests {
    use core::hash::BuildHasher;

    use foldhash::fast::FixedState;

    use super::*;

    fn hash(row: u32) -> u64 {
        FixedState::default().hash_one(u128::from(row) << 40)
    }

    #[test]
    fn a_row_is_found_until_it_is_replaced_or_removed() {
        let mut table = SpreadTable::default();
        for row in 0..10_000 {
            table.insert(hash(row), row);
        }
        for row in (0..10_000).step_by(2) {
            table.remove(hash(row), row);
        }
        table.replace(hash(9), 9, 90_000);
        let found = |row: u32| table.find(hash(row), |known| known == row || known == row * 10_000);
        assert_eq!((found(2), found(7), found(9)), (None, Some(7), Some(90_000)));
        assert_eq!((1..10_000).filter(|row| found(*row).is_some()).count(), 5_000);
    }

    /// Rows that are over go by themselves, no other does, and nothing grows beyond what is alive.
    #[test]
    fn rows_that_are_over_make_room() {
        let mut table = SpreadTable::default();
        for row in 0..100_000u32 {
            let first = row.saturating_sub(10_000);
            table.insert_over(hash(row), row, |row| row >= first);
            let last = first + (row - first) / 2;
            assert_eq!(table.find(hash(last), |known| known == last), Some(last));
        }
        let room: usize = table.parts.iter().map(HashTable::capacity).sum();
        assert!(room < 60_000, "{room} for 10,000");
        assert!((90_000..100_000).all(|row| table.find(hash(row), |known| known == row).is_some()));
    }

    #[test]
    fn room_holds_nothing_and_is_enough() {
        let mut table = SpreadTable::default();
        table.make_room(10_000);
        let room = |table: &SpreadTable| table.parts.iter().map(HashTable::capacity).sum::<usize>();
        let before = room(&table);
        assert!(before >= 10_000 && (0..256).all(|tag| table.find(tag, |_| true).is_none()));
        for row in 0..10_000 {
            table.insert(hash(row), row);
        }
        assert_eq!(room(&table), before, "nothing grew");
        table.make_room(100_000);
        assert!(room(&table) >= 110_000);
        assert!((0..10_000).all(|row| table.find(hash(row), |known| known == row).is_some()));
    }

    #[test]
    fn rows_by_parts_are_all_rows_each_part_in_its_order() {
        let rows: Vec<_> = (0..5_000).map(|row| (hash(row * 7), row)).collect();
        let mut expected = rows.clone();
        expected.sort_by_key(|(hash, _)| part_of(*hash));
        let mut sorted = alloc::vec![(9, 9)];
        SpreadTable::by_parts(rows.iter().copied(), &mut sorted);
        assert_eq!(sorted, expected);
        SpreadTable::by_parts(core::iter::empty(), &mut sorted);
        assert_eq!(sorted, []);
    }

    /// No part holds much more than its share, or the pause would be as long as of one table.
    #[test]
    fn rows_spread_evenly() {
        let mut table = SpreadTable::default();
        for row in 0..256_000 {
            table.insert(hash(row), row);
        }
        let largest = table.parts.iter().map(HashTable::len).max().unwrap();
        assert!(largest < 1_300, "{largest} of 256,000 in one of 256 parts");
    }
}
