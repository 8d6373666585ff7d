//! The payments that came last, in the order in which they came.
//!
//! They are numbered as they come, and their rows stand in that order, so that the first can go
//! without a word to any index: a number before the first is nobody's, whoever still holds it.
//! Indexes drop such numbers when they would have to grow. Payments that share a key are a chain
//! from the newest to the oldest, each row holding the number of the older one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use ledger::SpreadTable;
use scheme::PaymentId;

use super::{KINDS, Key, Kind, Life, NONE, hash_of};
use crate::hub::payments::Payment;
use crate::limits::PAYMENTS_OF_PIECE;

/// Numbers go round: those of a window are far fewer.
const NUMBERS: u32 = 1 << 31;
const _: () = assert!((NUMBERS as usize).is_multiple_of(PAYMENTS_OF_PIECE));

#[derive(Clone, Debug)]
struct Row {
    /// There is one in every row in use.
    payment: Option<Payment>,
    life: Life,
    /// The next older one in each chain.
    older: [u32; KINDS.len()],
}

/// The window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// The first number; rows follow each other in pieces from its place in the first piece on.
    span: Span,
    pieces: VecDeque<Vec<Row>>,
    /// Pieces for those to come, their memory in hand.
    spare: Vec<Vec<Row>>,
    by_id: SpreadTable,
    /// The newest number of each chain.
    chains: [SpreadTable; KINDS.len()],
    /// Whether chains are left for later.
    unchained: bool,
}

/// The numbers in use.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    first: u32,
    len: u32,
}

impl Span {
    /// How far behind the first a number in use is.
    fn place(self, number: u32) -> Option<u32> {
        let place = number.wrapping_sub(self.first) % NUMBERS;
        (number < NUMBERS && place < self.len).then_some(place)
    }

    fn number(self, place: u32) -> u32 {
        self.first.wrapping_add(place) % NUMBERS
    }

    /// Where a number in use stands: piece, and place in it.
    fn stands(self, number: u32) -> Option<(usize, usize)> {
        let place = self.place(number)? as usize;
        let skipped = self.first as usize % PAYMENTS_OF_PIECE;
        let place = skipped.saturating_add(place);
        Some((place / PAYMENTS_OF_PIECE, place % PAYMENTS_OF_PIECE))
    }
}

impl Window {
    /// See [`super::Table::leave_chains`].
    pub(super) fn leave_chains(&mut self) {
        self.unchained = true;
        self.chains = Default::default();
    }

    /// See [`super::Table::make_chains`].
    pub(super) fn make_chains(&mut self) {
        self.unchained = false;
        let (mut hashes, mut by_parts) = (Vec::with_capacity(self.len()), Vec::new());
        for kind in KINDS {
            let hash = |row: u32| self.payment(row).map(|payment| Key::of(payment, kind).hash());
            hashes.clear();
            let numbers = (0..self.span.len).map(|place| self.span.number(place));
            hashes.extend(numbers.filter_map(|row| Some((hash(row)?, row))));
            SpreadTable::by_parts(&hashes, &mut by_parts);
            for (hash, row) in &by_parts {
                self.link(*row, kind, *hash);
            }
        }
    }

    /// See [`super::Table::make_room`].
    pub(super) fn make_room(&mut self, payments: usize) {
        self.by_id.make_room(payments);
        for chain in &mut self.chains {
            chain.make_room(payments);
        }
        for _ in 0..payments.div_ceil(PAYMENTS_OF_PIECE) {
            let mut piece = Vec::with_capacity(PAYMENTS_OF_PIECE);
            let (life, older) = (Life::default(), [NONE; KINDS.len()]);
            piece.resize(PAYMENTS_OF_PIECE, Row { payment: None, life, older });
            piece.clear();
            self.spare.push(piece);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.span.len as usize
    }

    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        self.row(row).and_then(|row| Some((row.payment.as_ref()?, row.life)))
    }

    pub(super) fn row_mut(&mut self, row: u32) -> Option<(&mut Payment, &mut Life)> {
        let (piece, place) = self.span.stands(row)?;
        let row = self.pieces.get_mut(piece)?.get_mut(place)?;
        Some((row.payment.as_mut()?, &mut row.life))
    }

    /// That which came so many places after the first.
    pub(super) fn nth(&self, place: usize) -> Option<&Payment> {
        let place = u32::try_from(place).ok().filter(|place| *place < self.span.len)?;
        self.payment(self.span.number(place))
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        (0..self.span.len).filter_map(|place| self.payment(self.span.number(place)))
    }

    pub(super) fn find(&self, hash: u64, id: PaymentId) -> Option<u32> {
        self.by_id.find(hash, |row| self.payment(row).is_some_and(|payment| payment.id == id))
    }

    /// Those that share a key, the newest first.
    pub(super) fn chain(&self, key: Key, hash: u64) -> impl Iterator<Item = &Payment> {
        let of_key = |row| self.payment(row).is_some_and(|payment| key.is_of(payment));
        let kind = key.kind() as usize;
        let newest = self.chains[kind].find(hash, of_key).and_then(|row| self.row(row));
        let older = move |row: &&Row| self.row(row.older[kind]);
        core::iter::successors(newest, older).filter_map(|row| row.payment.as_ref())
    }

    /// Puts a payment behind all others.
    pub(super) fn push(&mut self, payment: Payment, life: Life) -> u32 {
        let hashes = KINDS.map(|kind| Key::of(&payment, kind).hash());
        let hash = hash_of(&payment.id);
        if self.pieces.back().is_none_or(|piece| piece.len() == PAYMENTS_OF_PIECE) {
            let spare = self.spare.pop();
            self.pieces.push_back(spare.unwrap_or_else(|| Vec::with_capacity(PAYMENTS_OF_PIECE)));
        }
        let piece = self.pieces.back_mut().expect("one was pushed if none had room");
        let payment = Some(payment);
        piece.push(Row { payment, life, older: [NONE; KINDS.len()] });
        let row = self.span.number(self.span.len);
        self.span.len = self.span.len.saturating_add(1);
        assert!(self.span.len < NUMBERS, "memory ends before the numbers do");
        let span = self.span;
        self.by_id.insert_over(hash, row, |row| span.place(row).is_some());
        if !self.unchained {
            KINDS.into_iter().zip(hashes).for_each(|(kind, hash)| self.link(row, kind, hash));
        }
        row
    }

    /// The one that came first.
    pub(super) fn first(&self) -> Option<(&Payment, Life)> {
        self.at_row(self.span.first)
    }

    /// Takes it out.
    pub(super) fn pop(&mut self) -> Option<(Payment, Life)> {
        let (piece, place) = self.span.stands(self.span.first)?;
        let row = self.pieces.get_mut(piece)?.get_mut(place)?;
        let gone = (row.payment.take()?, row.life);
        self.span = Span { first: self.span.number(1), len: self.span.len.saturating_sub(1) };
        let piece_ends = (self.span.first as usize).is_multiple_of(PAYMENTS_OF_PIECE);
        if piece_ends && let Some(mut piece) = self.pieces.pop_front() {
            piece.clear();
            self.spare.push(piece);
        }
        Some(gone)
    }

    fn row(&self, row: u32) -> Option<&Row> {
        let (piece, place) = self.span.stands(row)?;
        self.pieces.get(piece)?.get(place)
    }

    fn payment(&self, row: u32) -> Option<&Payment> {
        self.row(row).and_then(|row| row.payment.as_ref())
    }

    /// Puts a row before all others of its chain: it came last.
    fn link(&mut self, row: u32, kind: Kind, hash: u64) {
        let Some(key) = self.payment(row).map(|payment| Key::of(payment, kind)) else { return };
        let alike =
            |other| row != other && self.payment(other).is_some_and(|payment| key.is_of(payment));
        let newest = self.chains[kind as usize].find(hash, alike);
        let span = self.span;
        let Some(newest) = newest else {
            let alive = |row| span.place(row).is_some();
            return self.chains[kind as usize].insert_over(hash, row, alive);
        };
        self.chains[kind as usize].replace(hash, newest, row);
        if let Some((piece, place)) = span.stands(row)
            && let Some(row) = self.pieces.get_mut(piece).and_then(|piece| piece.get_mut(place))
        {
            row.older[kind as usize] = newest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round() {
        let span = Span { first: NUMBERS - 2, len: 300 };
        let numbers: Vec<u32> = (0..300).map(|place| span.number(place)).collect();
        assert_eq!(numbers[..4], [NUMBERS - 2, NUMBERS - 1, 0, 1]);
        for (place, number) in (0..).zip(&numbers) {
            assert_eq!(span.place(*number), Some(place));
        }
        for nobody in [298, NUMBERS - 3, NUMBERS, u32::MAX] {
            assert_eq!((span.place(nobody), span.stands(nobody)), (None, None));
        }
        // The last two of a piece, a whole piece, the rest.
        let last = PAYMENTS_OF_PIECE - 1;
        let stands = [NUMBERS - 1, 0, 255, 256].map(|number| span.stands(number));
        assert_eq!(stands, [Some((0, last)), Some((1, 0)), Some((1, last)), Some((2, 0))]);
    }
}
