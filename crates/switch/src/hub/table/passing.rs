//! An index of rows that pass: they come in the order of their numbers and end in that order,
//! without a word to the index. What is over is written over.
//!
//! Rows stand in buckets of one cache line, and a row is in the first bucket from its home on that
//! had room when it came. So a look-up touches one line, hardly ever two, and a new row that line
//! again. Buckets are gathered in parts that grow each on its own, a little at a time: nothing
//! pauses for the whole.

use alloc::vec::Vec;

use ledger::SpreadTable;
use ledger::limits::SPREAD_PARTS;

use super::NONE;
use super::span::Span;

/// Rows of a bucket.
const ROWS: usize = 7;

/// So many rows to a bucket, in 256ths, let the first part grow, and one more for each part behind
/// it: they do not all grow at once.
const CROWDED: usize = 7 * 256 / 2;

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    tags: [u32; ROWS],
    rows: [u32; ROWS],
    /// The last row that found no room here and went on: as long as it is there, others may be.
    beyond: u32,
}

const EMPTY: Bucket = Bucket { tags: [0; ROWS], rows: [NONE; ROWS], beyond: NONE };

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    fn find(&self, tag: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        (0..ROWS).find(|place| self.tags[*place] == tag && is_it(self.rows[*place]))
    }

    /// Puts a row where there is none, or one that is over. Of those nothing is left, or a number
    /// that is given again could be taken for theirs.
    fn put(&mut self, tag: u32, row: u32, span: Span) -> bool {
        let mut vacant = None;
        for place in (0..ROWS).rev() {
            if !span.has(self.rows[place]) {
                self.rows[place] = NONE;
                vacant = Some(place);
            }
        }
        let Some(place) = vacant else { return false };
        (self.tags[place], self.rows[place]) = (tag, row);
        true
    }
}

/// The buckets of one part.
#[derive(Clone, Debug, Default)]
struct Part {
    buckets: Vec<Bucket>,
}

impl Part {
    /// The buckets from a tag's home on, each once.
    fn places(&self, tag: u32) -> impl Iterator<Item = usize> + use<> {
        let len = self.buckets.len();
        let home = (u64::from(mixed(tag)).saturating_mul(len as u64) >> 32) as usize;
        (home..len).chain(0..home)
    }

    fn find(&self, tag: u32, span: Span, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        for place in self.places(tag) {
            let bucket = &self.buckets[place];
            if let Some(found) = bucket.find(tag, &is_it) {
                return Some(bucket.rows[found]);
            }
            if !span.has(bucket.beyond) {
                break;
            }
        }
        None
    }

    /// Puts a row in the place of one that is there with the same tag, which it gives.
    fn replace(&mut self, tag: u32, row: u32, span: Span) -> Option<u32> {
        for place in self.places(tag) {
            let bucket = &mut self.buckets[place];
            if let Some(found) = bucket.find(tag, |row| span.has(row)) {
                let before = core::mem::replace(&mut bucket.rows[found], row);
                self.lead_to(tag, place, row);
                return Some(before);
            }
            if !span.has(bucket.beyond) {
                break;
            }
        }
        None
    }

    /// Puts a row; there is room.
    fn put(&mut self, tag: u32, row: u32, span: Span) -> bool {
        for place in self.places(tag) {
            if self.buckets[place].put(tag, row, span) {
                self.lead_to(tag, place, row);
                return true;
            }
        }
        false
    }

    /// Whoever looks for the row goes on from its home to this place.
    fn lead_to(&mut self, tag: u32, place: usize, row: u32) {
        for before in self.places(tag).take_while(|before| *before != place) {
            self.buckets[before].beyond = row;
        }
    }

    /// As many buckets, at least; all rows that are not over, in the order of their numbers.
    fn grow(&mut self, buckets: usize, span: Span) {
        let mut rows: Vec<(u32, u32)> = Vec::new();
        for bucket in self.buckets.drain(..) {
            let all = bucket.tags.into_iter().zip(bucket.rows);
            rows.extend(all.filter(|(_, row)| span.has(*row)));
        }
        // What stands beyond its home is the last that came, which lasts longest.
        rows.sort_unstable_by_key(|(_, row)| span.place(*row));
        self.buckets.resize(buckets.max(rows.len().div_ceil(ROWS)), EMPTY);
        for (tag, row) in rows {
            assert!(self.put(tag, row, span), "there are as many places as rows");
        }
    }
}

/// The index.
#[derive(Clone, Debug)]
pub(super) struct PassingTable {
    parts: Vec<Part>,
}

impl Default for PassingTable {
    fn default() -> Self {
        Self { parts: alloc::vec![Part::default(); SPREAD_PARTS] }
    }
}

impl PassingTable {
    /// Room for so many more rows, its memory in hand: see [`SpreadTable::make_room`].
    pub(super) fn make_room(&mut self, rows: usize, span: Span) {
        let share = rows.saturating_add(span.len as usize).div_ceil(SPREAD_PARTS);
        let buckets = (share.saturating_mul(256) / CROWDED).saturating_add(1);
        for part in self.parts.iter_mut().filter(|part| part.buckets.len() < buckets) {
            part.grow(buckets, span);
        }
    }

    /// The row of that hash that is the one; none that is over is it.
    pub(super) fn find(&self, hash: u64, span: Span, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (part, tag) = SpreadTable::kept_of(hash);
        self.parts[part].find(tag, span, |row| span.has(row) && is_it(row))
    }

    /// Adds a row, the last of the span.
    pub(super) fn insert(&mut self, hash: u64, row: u32, span: Span) {
        let (number, tag) = SpreadTable::kept_of(hash);
        let part = &mut self.parts[number];
        let (len, share) = (part.buckets.len(), span.len as usize / SPREAD_PARTS);
        let enough = share.saturating_mul(256) / (CROWDED + SPREAD_PARTS);
        let larger = len.saturating_add(len / 4).saturating_add(1).max(enough);
        if share >= len.saturating_mul(CROWDED.saturating_add(number)) / 256 {
            part.grow(larger, span);
        }
        if !part.put(tag, row, span) {
            part.grow(larger, span);
            assert!(part.put(tag, row, span), "it has grown");
        }
    }

    /// Puts a row, the last of the span, in the place of one whose hash is alike in the part that
    /// is kept, and gives that one; or adds it.
    pub(super) fn put(&mut self, hash: u64, row: u32, span: Span) -> Option<u32> {
        let (part, tag) = SpreadTable::kept_of(hash);
        let before = self.parts[part].replace(tag, row, span);
        if before.is_none() {
            self.insert(hash, row, span);
        }
        before
    }
}

/// All bits of a tag in its highest ones, which choose the bucket.
fn mixed(tag: u32) -> u32 {
    tag.wrapping_mul(0x9e37_79b1)
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, VecDeque};

    use super::super::span::NUMBERS;
    use super::*;

    /// Dice of one seed.
    struct Dice(u64);

    impl Dice {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            self.0 ^ (self.0 >> 29)
        }
    }

    /// Against a list: rows with many hashes or with few, of all parts or of one, which is crowded
    /// then, in windows that grow and shrink, over the end of the numbers.
    #[test]
    fn r_match_a_row_is_found_until_it_is_over() {
        let all = u64::MAX;
        let shapes = [
            (1 << 40, all, 2_000),
            (300, all, 1_000),
            (1 << 40, all >> 8, 150),
            (60, all >> 8, 150),
            (1, all, 90),
        ];
        for (seed, (hashes, of, most)) in (0..24).flat_map(|seed| shapes.map(|shape| (seed, shape)))
        {
            let mut dice = Dice(seed);
            let (mut each, mut newest) = (PassingTable::default(), PassingTable::default());
            let mut span = Span { first: NUMBERS - 700, len: 0 };
            let mut list = VecDeque::new();
            if seed % 2 == 0 {
                each.make_room(most / 2, span);
                newest.make_room(most * 2, span);
            }
            for step in 0..4_000usize {
                let window = if step / 900 % 2 == 0 { most } else { most / 5 };
                let hash = (dice.next() % hashes).wrapping_mul(0x9e37_79b9_7f4a_7c15) & of;
                let row = span.push();
                each.insert(hash, row, span);
                let last = |hash: u64, list: &VecDeque<(u64, u32)>| {
                    let mut alike = list.iter().rev().filter(|(known, _)| *known == hash);
                    alike.next().map(|(_, row)| *row)
                };
                let before = newest.put(hash, row, span);
                assert_eq!(before, last(hash, &list), "seed {seed} step {step}");
                list.push_back((hash, row));
                while list.len() > window {
                    list.pop_front();
                    span.pop();
                }
                let (hash, row) = list[(dice.next() >> 40) as usize % list.len()];
                assert_eq!(each.find(hash, span, |found| found == row), Some(row), "{seed}");
                assert_eq!(newest.find(hash, span, |_| true), last(hash, &list), "{seed} {step}");
                let nobody = dice.next() | 1 << 55;
                assert_eq!(each.find(nobody, span, |_| true), None, "seed {seed} step {step}");
            }
            for (hash, row) in &list {
                assert_eq!(each.find(*hash, span, |found| found == *row), Some(*row), "{seed}");
            }
        }
    }

    /// Rows that stand crowded after their part has grown are found as those before them end.
    #[test]
    fn what_stood_in_a_part_that_grew_is_found_until_it_is_over() {
        for seed in 0..50 {
            let (mut part, mut dice) = (Part::default(), Dice(seed));
            let mut span = Span::default();
            part.grow(10, span);
            let mut tags = VecDeque::new();
            for _ in 0..64 {
                let (tag, row) = ((dice.next() >> 32) as u32, span.push());
                assert!(part.put(tag, row, span));
                tags.push_back((tag, row));
            }
            part.grow(10, span);
            while tags.pop_front().is_some() {
                span.pop();
                for (tag, row) in &tags {
                    assert_eq!(part.find(*tag, span, |found| found == *row), Some(*row), "{seed}");
                }
            }
        }
    }

    /// A number that comes round again is not taken for the row that had it before.
    #[test]
    fn numbers_given_again_are_not_those_before() {
        for grown in [false, true] {
            let mut table = PassingTable::default();
            let hash = |n: u64| n << 32 | 7;
            let mut span = Span { first: 10, len: 0 };
            for n in 0..5 {
                let row = span.push();
                table.insert(hash(n), row, span);
            }
            (0..5).for_each(|_| span.pop());
            if grown {
                table.make_room(4_000, span);
            } else {
                // Another row of the same bucket, when those are over.
                let row = span.push();
                table.insert(hash(0), row, span);
            }
            // All numbers have passed, and theirs are in use again.
            let again = Span { first: 9, len: 6 };
            for n in 1..5 {
                assert_eq!(table.find(hash(n), again, |_| true), None, "{n}");
            }
        }
    }

    /// What is over is written over: nothing grows beyond what is there at once.
    #[test]
    fn it_stays_as_large_as_what_is_there() {
        let (mut table, mut dice) = (PassingTable::default(), Dice(5));
        let mut span = Span::default();
        let mut sizes = BTreeMap::new();
        for n in 0..200_000u32 {
            let row = span.push();
            table.insert(dice.next() << 20 ^ dice.next(), row, span);
            if span.len > 20_000 {
                span.pop();
            }
            let buckets: usize = table.parts.iter().map(|part| part.buckets.len()).sum();
            sizes.insert(n / 50_000, buckets * ROWS);
        }
        assert_eq!(sizes[&1], sizes[&3], "it has not grown since");
        assert!((20_000..60_000).contains(&sizes[&3]), "{sizes:?}");
    }

    #[test]
    fn room_is_enough() {
        let (mut table, mut dice) = (PassingTable::default(), Dice(9));
        let mut span = Span { first: 3, len: 0 };
        table.make_room(50_000, span);
        let buckets = |table: &PassingTable| -> usize {
            table.parts.iter().map(|part| part.buckets.len()).sum()
        };
        let before = buckets(&table);
        for _ in 0..50_000 {
            let row = span.push();
            table.insert(dice.next() << 20 ^ dice.next(), row, span);
        }
        assert_eq!(buckets(&table), before);
    }
}
