//! The payments that came last, in the order in which they came.
//!
//! They are numbered as they come, and their rows stand in that order, so that the first can go
//! without a word to any index: a number before the first is nobody's, whoever still holds it.
//! Indexes write over such numbers.

use alloc::vec::Vec;

use scheme::PaymentId;

use super::chains::{Chaining, Chains};
use super::passing::PassingTable;
use super::ring::Ring;
use super::span::Span;
use super::{KINDS, Key, Kind, Life, hash_of};
use crate::hub::payments::Payment;

#[derive(Clone, Debug)]
struct Row {
    /// There is one in every row in use.
    payment: Option<Payment>,
    life: Life,
}

// The first touch of each is a good part of what a recovery takes.
const _: () = assert!(size_of::<Row>() <= 320);

/// The window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    span: Span,
    rows: Ring<Row>,
    by_id: PassingTable,
    chains: [Chains; KINDS.len()],
}

impl Window {
    /// See [`super::Table::leave_chains`].
    pub(super) fn leave_chains(&mut self) {
        let payments = self.rows.iter().filter_map(|row| row.payment.as_ref());
        for kind in KINDS {
            let hashes = payments.clone().map(|payment| Key::of(payment, kind).hash());
            self.chains[kind as usize].leave(hashes);
        }
    }

    /// See [`super::Table::take_chains`].
    pub(super) fn take_chains(&mut self, kinds: &[Kind]) -> Chaining {
        let take = |kind: &Kind| {
            let kind = *kind as usize;
            (kind, core::mem::take(&mut self.chains[kind]))
        };
        let kinds: Vec<_> = kinds.iter().map(take).collect();
        Chaining { span: self.span, kinds }
    }

    /// See [`super::Table::put_chains`].
    pub(super) fn put_chains(&mut self, made: Chaining) {
        for (kind, chains) in made.kinds {
            self.chains[kind] = chains;
        }
    }

    /// See [`super::Table::make_room`].
    pub(super) fn make_room(&mut self, payments: usize) {
        self.by_id.make_room(payments, self.span);
        self.chains.iter_mut().for_each(|chains| chains.make_room(payments, self.span));
        self.rows.make_room(payments, &Row { payment: None, life: Life::default() });
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        self.row(row).and_then(|row| Some((row.payment.as_ref()?, row.life)))
    }

    pub(super) fn row_mut(&mut self, row: u32) -> Option<(&mut Payment, &mut Life)> {
        let row = self.rows.get_mut(self.span.place(row)? as usize)?;
        Some((row.payment.as_mut()?, &mut row.life))
    }

    /// That which came so many places after the first.
    pub(super) fn nth(&self, place: usize) -> Option<&Payment> {
        self.rows.get(place)?.payment.as_ref()
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        (0..self.len()).filter_map(|place| self.nth(place))
    }

    pub(super) fn find(&self, hash: u64, id: PaymentId) -> Option<u32> {
        let is_it = |row| self.payment(row).is_some_and(|payment| payment.id == id);
        self.by_id.find(hash, self.span, is_it)
    }

    /// Those that share a key, the newest first.
    pub(super) fn chain(&self, key: Key, hash: u64) -> impl Iterator<Item = &Payment> {
        let rows = self.chains[key.kind() as usize].rows(hash, self.span);
        rows.filter_map(|row| self.payment(row)).filter(move |payment| key.is_of(payment))
    }

    /// Puts a payment behind all others.
    pub(super) fn push(&mut self, payment: Payment, life: Life) -> u32 {
        let hashes = KINDS.map(|kind| Key::of(&payment, kind).hash());
        let hash = hash_of(&payment.id);
        self.rows.push(Row { payment: Some(payment), life });
        let row = self.span.push();
        let span = self.span;
        self.by_id.insert(hash, row, span);
        self.chains.iter_mut().zip(hashes).for_each(|(chains, hash)| chains.push(hash, span));
        row
    }

    /// The one that came first.
    pub(super) fn first(&self) -> Option<(&Payment, Life)> {
        self.at_row(self.span.first)
    }

    /// Takes it out.
    pub(super) fn pop(&mut self) -> Option<(Payment, Life)> {
        let row = self.rows.get_mut(0)?;
        let gone = (row.payment.take()?, row.life);
        self.span.pop();
        self.rows.pop();
        self.chains.iter_mut().for_each(Chains::pop);
        Some(gone)
    }

    fn row(&self, row: u32) -> Option<&Row> {
        self.rows.get(self.span.place(row)? as usize)
    }

    fn payment(&self, row: u32) -> Option<&Payment> {
        self.row(row).and_then(|row| row.payment.as_ref())
    }
}
