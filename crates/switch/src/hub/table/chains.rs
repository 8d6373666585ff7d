//! Rows of the window that share a key, each a chain from the newest to the oldest.
//!
//! A chain is told by a part of its key's hash, so that none but the chain's own memory is touched
//! when a row comes. Two keys may share a chain; who walks it looks at each row's own key.

use alloc::vec::Vec;

use ledger::SpreadTable;

use super::NONE;
use super::passing::PassingTable;
use super::ring::Ring;
use super::span::Span;

/// The chains of one kind of keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    /// The newest number of each.
    newest: PassingTable,
    /// The next older number, by the place of the row.
    older: Ring<u32>,
    /// Hashes of the rows' keys by their places, while chains are left for later.
    left: Option<Ring<u64>>,
}

impl Chains {
    /// See [`super::Table::make_room`].
    pub(super) fn make_room(&mut self, rows: usize, span: Span) {
        self.newest.make_room(rows, span);
        self.older.make_room(rows, &NONE);
    }

    /// Leaves all for later: the rows' keys have these hashes.
    pub(super) fn leave(&mut self, hashes: impl Iterator<Item = u64>) {
        let mut left = Ring::default();
        hashes.for_each(|hash| left.push(hash));
        *self = Self { left: Some(left), ..Self::default() };
    }

    /// Makes what was left, part by part: the whole index is far from the processor, one part is
    /// near.
    pub(super) fn make(&mut self, span: Span) {
        let Some(left) = self.left.take() else { return };
        let mut by_parts = Vec::new();
        let numbers = (0..).map(|place| span.number(place));
        SpreadTable::by_parts(left.iter().copied().zip(numbers), &mut by_parts);
        self.older.extend(left.len(), &NONE);
        drop(left);
        for (hash, number) in by_parts {
            let before = self.newest.put(hash, number, span);
            let older = span.place(number).and_then(|place| self.older.get_mut(place as usize));
            if let Some((before, older)) = before.zip(older) {
                *older = before;
            }
        }
    }

    /// The last row of the span has a key of this hash.
    pub(super) fn push(&mut self, hash: u64, span: Span) {
        if let Some(left) = &mut self.left {
            return left.push(hash);
        }
        let number = span.number(span.len.saturating_sub(1));
        let before = self.newest.put(hash, number, span);
        self.older.push(before.unwrap_or(NONE));
    }

    /// The first row goes.
    pub(super) fn pop(&mut self) {
        match &mut self.left {
            Some(left) => left.pop(),
            None => self.older.pop(),
        }
    }

    /// Rows whose keys may have this hash, all that have it among them, the newest first.
    pub(super) fn rows(&self, hash: u64, span: Span) -> impl Iterator<Item = u32> {
        let newest = self.newest.find(hash, span, |_| true);
        core::iter::successors(newest, move |number| {
            let older = self.older.get(span.place(*number)? as usize)?;
            span.has(*older).then_some(*older)
        })
    }
}

/// Chains that were left for later, to be made wherever there is time.
#[derive(Debug, Default)]
pub struct Chaining {
    pub(super) span: Span,
    pub(super) kinds: Vec<(usize, Chains)>,
}

impl Chaining {
    /// Makes them.
    pub fn run(&mut self) {
        for (_, chains) in &mut self.kinds {
            chains.make(self.span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows come and go; chains that were left for later are those that were made at once.
    #[test]
    fn chains_made_late_are_those_made_at_once() {
        let (mut now, mut late) = (Chains::default(), Chains::default());
        let mut span = Span { first: super::super::span::NUMBERS - 500, len: 0 };
        let hash = |number: u64| ((number * number % 7) << 56) | (number % 3);
        late.leave(core::iter::empty());
        for number in 0..2_000 {
            span.len += 1;
            now.push(hash(number), span);
            late.push(hash(number), span);
            if span.len > 300 {
                span.pop();
                now.pop();
                late.pop();
            }
        }
        late.make(span);
        let mut all = 0;
        for n in 0..21 {
            let (a, b) = (now.rows(hash(n), span), late.rows(hash(n), span));
            let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
            assert_eq!(a, b);
            let places: Vec<_> = a.iter().map(|number| span.place(*number).unwrap()).collect();
            assert!(places.is_sorted_by(|newer, older| newer > older));
            let own = |place: u32| hash(1_700 + u64::from(place)) == hash(n);
            assert!((0..300).rev().filter(|place| own(*place)).eq(places));
            all += a.len();
        }
        assert!(all >= 300, "{all}");
    }
}
