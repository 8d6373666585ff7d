//! Rows that follow each other: new ones come behind all others, the first goes first. They stand
//! in pieces, so that nothing is moved as their number grows.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::limits::PAYMENTS_OF_PIECE;

/// The rows, by their places: that of the first is 0.
#[derive(Clone, Debug)]
pub(super) struct Ring<T> {
    /// All but the last are full.
    pieces: VecDeque<Vec<T>>,
    /// Rows of the first piece that went already.
    gone: usize,
    len: usize,
    /// Pieces for those to come, their memory in hand.
    spare: Vec<Vec<T>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { pieces: VecDeque::new(), gone: 0, len: 0, spare: Vec::new() }
    }
}

impl<T: Clone> Ring<T> {
    /// Memory for so many more rows, in hand: `like` is what is written into it.
    pub(super) fn make_room(&mut self, rows: usize, like: &T) {
        for _ in 0..rows.div_ceil(PAYMENTS_OF_PIECE) {
            let mut piece = Vec::with_capacity(PAYMENTS_OF_PIECE);
            piece.resize(PAYMENTS_OF_PIECE, like.clone());
            piece.clear();
            self.spare.push(piece);
        }
    }

    /// So many rows like this one behind all others.
    pub(super) fn extend(&mut self, rows: usize, like: &T) {
        (0..rows).for_each(|_| self.push(like.clone()));
    }
}

impl<T> Ring<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        let (piece, place) = self.stands(place);
        self.pieces.get(piece)?.get(place)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (piece, place) = self.stands(place);
        self.pieces.get_mut(piece)?.get_mut(place)
    }

    /// All of them, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.pieces.iter().flatten().skip(self.gone)
    }

    /// Puts a row behind all others.
    pub(super) fn push(&mut self, row: T) {
        if self.pieces.back().is_none_or(|piece| piece.len() == PAYMENTS_OF_PIECE) {
            let spare = self.spare.pop();
            self.pieces.push_back(spare.unwrap_or_else(|| Vec::with_capacity(PAYMENTS_OF_PIECE)));
        }
        self.pieces.back_mut().expect("one was pushed if none had room").push(row);
        self.len = self.len.saturating_add(1);
    }

    /// The first goes. What it held is given back with its piece, or overwritten.
    pub(super) fn pop(&mut self) {
        if self.len == 0 {
            return;
        }
        self.len = self.len.saturating_sub(1);
        self.gone = self.gone.saturating_add(1);
        if self.gone == PAYMENTS_OF_PIECE
            && let Some(mut piece) = self.pieces.pop_front()
        {
            self.gone = 0;
            piece.clear();
            self.spare.push(piece);
        }
    }

    /// The piece of a place, and where in it.
    fn stands(&self, place: usize) -> (usize, usize) {
        let place = self.gone.saturating_add(place);
        (place / PAYMENTS_OF_PIECE, place % PAYMENTS_OF_PIECE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever comes and goes, places count from the first, and no piece is kept that is not
    /// needed.
    #[test]
    fn places_count_from_the_first() {
        let mut ring = Ring::default();
        ring.make_room(300, &0);
        assert_eq!((ring.len(), ring.spare.len()), (0, 2));
        for row in 0..10_000usize {
            ring.push(row);
            if row >= 700 {
                ring.pop();
            }
            let first = (row + 1).saturating_sub(700).max(row.saturating_sub(699));
            assert_eq!((ring.get(0), ring.get(row - first)), (Some(&first), Some(&row)));
            assert_eq!(ring.get(row - first + 1), None);
        }
        assert_eq!(ring.len(), 700);
        assert!(ring.iter().copied().eq(9_300..10_000));
        assert!(ring.pieces.len() + ring.spare.len() <= 5, "{}", ring.spare.len());
        *ring.get_mut(3).unwrap() = 7;
        assert_eq!(ring.get(3), Some(&7));
    }

    #[test]
    fn an_empty_ring_stays_empty() {
        let mut ring = Ring::<u8>::default();
        ring.pop();
        assert_eq!((ring.len(), ring.get(0)), (0, None));
        ring.extend(2, &9);
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [9, 9]);
    }
}
