//! Payments out of their time: those that are open while younger ones have gone, and those that
//! were read back from history.
//!
//! A payment stands in one row; a row that was given up is used again. Payments that share a key
//! are a chain from the newest to the oldest through their rows. The old stand in the order in
//! which they came; those that were read back are in their chains alone.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use ledger::SpreadTable;
use scheme::PaymentId;

use super::{KINDS, Key, Kind, Life, NONE, hash_of};
use crate::hub::payments::Payment;
use crate::limits::PAYMENTS_OF_PIECE;

/// The neighbours of a row in a chain.
#[derive(Clone, Copy, Debug)]
struct Links {
    newer: u32,
    older: u32,
}

const ALONE: Links = Links { newer: NONE, older: NONE };

#[derive(Clone, Debug)]
struct Row {
    payment: Option<Payment>,
    life: Life,
    links: [Links; KINDS.len()],
}

/// Those out of their time.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    pieces: Vec<Vec<Row>>,
    free: Vec<u32>,
    /// Those that are open while younger ones have gone, in the order in which they came.
    old: Vec<u32>,
    /// Which of `old` is looked at next.
    turn: usize,
    /// Those that were read back, in that order; they are not in `old`.
    found: VecDeque<(u32, PaymentId)>,
    by_id: SpreadTable,
    /// The newest row of each chain.
    chains: [SpreadTable; KINDS.len()],
    /// Whether chains are left for later.
    unchained: bool,
}

impl Aside {
    /// See [`super::Table::leave_chains`].
    pub(super) fn leave_chains(&mut self) {
        self.unchained = true;
        self.chains = Default::default();
        for row in self.rows().collect::<Vec<_>>() {
            KINDS.into_iter().for_each(|kind| self.set_links(row, kind, ALONE));
        }
    }

    /// See [`super::Table::put_chains`].
    pub(super) fn make_chains(&mut self) {
        self.unchained = false;
        let (mut hashes, mut by_parts) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let hash = |row: u32| self.payment(row).map(|payment| Key::of(payment, kind).hash());
            hashes.clear();
            hashes.extend(self.rows().filter_map(|row| Some((hash(row)?, row))));
            SpreadTable::by_parts(hashes.iter().copied(), &mut by_parts);
            for (hash, row) in &by_parts {
                self.link(*row, kind, *hash);
            }
        }
    }

    /// All rows in use.
    fn rows(&self) -> impl Iterator<Item = u32> {
        let found = self.found.iter().map(|(row, _)| row);
        self.old.iter().chain(found).copied()
    }

    /// The payment of a row, and what is known beside it.
    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        let row = row_at(&self.pieces, row)?;
        Some((row.payment.as_ref()?, row.life))
    }

    pub(super) fn row_mut(&mut self, row: u32) -> Option<(&mut Payment, &mut Life)> {
        let Row { payment, life, .. } = row_mut(&mut self.pieces, row)?;
        Some((payment.as_mut()?, life))
    }

    /// How many are old.
    pub(super) fn len(&self) -> usize {
        self.old.len()
    }

    /// The old, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        self.old.iter().filter_map(|row| self.payment(*row))
    }

    /// The old one that came so many places after the first.
    pub(super) fn nth(&self, place: usize) -> Option<&Payment> {
        self.payment(*self.old.get(place)?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.old.is_empty() && self.found.is_empty()
    }

    /// Those that share a key, the newest first.
    pub(super) fn chain(&self, key: Key, hash: u64) -> impl Iterator<Item = &Payment> {
        let of_key = |row| self.payment(row).is_some_and(|payment| key.is_of(payment));
        let newest = self.chains[key.kind() as usize].find(hash, of_key);
        let older = move |row: &u32| self.links(*row, key.kind()).map(|links| links.older);
        core::iter::successors(newest, older)
            .take_while(|row| *row != NONE)
            .filter_map(|row| self.payment(row))
    }

    /// Puts an old one where it belongs among them.
    pub(super) fn insert_old(&mut self, payment: Payment, life: Life) -> u32 {
        let row = self.put(payment, life);
        self.place_old(row, life.opened);
        row
    }

    /// Puts one that was read back.
    pub(super) fn insert_found(&mut self, payment: Payment, life: Life) -> u32 {
        let id = payment.id;
        let row = self.put(payment, life);
        self.found.push_back((row, id));
        row
    }

    /// One that was read back is in hand again: it is old now.
    pub(super) fn keep_found(&mut self, row: u32, opened: u64) {
        let before = self.found.len();
        self.found.retain(|(found, _)| *found != row);
        if self.found.len() < before {
            self.place_old(row, opened);
        }
    }

    /// Lets go what was read back, the first first, beyond so many.
    pub(super) fn forget_found(&mut self, most: usize) -> Option<Payment> {
        if self.found.len() <= most {
            return None;
        }
        let (row, _) = self.found.pop_front()?;
        self.take(row)
    }

    fn put(&mut self, payment: Payment, life: Life) -> u32 {
        let (id, hashes) = (payment.id, KINDS.map(|kind| Key::of(&payment, kind).hash()));
        let row = self.place(Row { payment: Some(payment), life, links: [ALONE; KINDS.len()] });
        if !self.unchained {
            KINDS.into_iter().zip(hashes).for_each(|(kind, hash)| self.link(row, kind, hash));
        }
        let hash = hash_of(&id);
        self.by_id.insert(hash, row);
        row
    }

    fn place_old(&mut self, row: u32, opened: u64) {
        let place = self.old.partition_point(|old| {
            row_at(&self.pieces, *old).is_some_and(|old| old.life.opened < opened)
        });
        self.old.insert(place, row);
    }

    /// One of the old: each comes round in its turn.
    pub(super) fn old(&self) -> Option<(&Payment, Life)> {
        self.old.get(self.turn).and_then(|row| self.at_row(*row))
    }

    /// It stays.
    pub(super) fn keep_old(&mut self) {
        self.turn = self.turn.saturating_add(1);
        if self.turn >= self.old.len() {
            self.turn = 0;
        }
    }

    /// Takes it out.
    pub(super) fn pop_old(&mut self) -> Option<Payment> {
        self.old.get(self.turn)?;
        let row = self.old.remove(self.turn);
        if self.turn >= self.old.len() {
            self.turn = 0;
        }
        self.take(row)
    }

    fn take(&mut self, row: u32) -> Option<Payment> {
        if !self.unchained {
            KINDS.into_iter().for_each(|kind| self.unlink(row, kind));
        }
        let payment = row_mut(&mut self.pieces, row)?.payment.take()?;
        self.by_id.remove(hash_of(&payment.id), row);
        self.free.push(row);
        Some(payment)
    }

    pub(super) fn find(&self, hash: u64, id: PaymentId) -> Option<u32> {
        self.by_id.find(hash, |row| self.payment(row).is_some_and(|payment| payment.id == id))
    }

    fn payment(&self, row: u32) -> Option<&Payment> {
        at(&self.pieces, row)
    }

    fn links(&self, row: u32, kind: Kind) -> Option<Links> {
        row_at(&self.pieces, row).map(|row| row.links[kind as usize])
    }

    /// A row for a payment: one that was given up, or a new one.
    fn place(&mut self, new: Row) -> u32 {
        if let Some(row) = self.free.pop() {
            if let Some(old) = row_mut(&mut self.pieces, row) {
                *old = new;
            }
            return row;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PAYMENTS_OF_PIECE) {
            self.pieces.push(Vec::with_capacity(PAYMENTS_OF_PIECE));
        }
        let before = self.pieces.len().saturating_sub(1).saturating_mul(PAYMENTS_OF_PIECE);
        let piece = self.pieces.last_mut().expect("one was pushed if none had room");
        let row = before.saturating_add(piece.len());
        piece.push(new);
        u32::try_from(row).expect("memory ends before the rows do: 2^32 payments are a TiB")
    }

    /// Puts a row into its chain: before all others, for it came last (and if it did not, where it
    /// belongs).
    fn link(&mut self, row: u32, kind: Kind, hash: u64) {
        let chain = &self.chains[kind as usize];
        let Some(newest) = chain.find(hash, |other| self.is_alike(row, other, kind)) else {
            return self.chains[kind as usize].insert(hash, row);
        };
        let came = |row| row_at(&self.pieces, row).map(|row| row.life.opened);
        let own = came(row);
        let (mut newer, mut older) = (NONE, newest);
        while older != NONE && came(older) > own {
            newer = older;
            older = self.links(older, kind).map_or(NONE, |links| links.older);
        }
        self.set_links(row, kind, Links { newer, older });
        self.join(newer, row, kind);
        self.join(row, older, kind);
        if newer == NONE {
            self.chains[kind as usize].replace(hash, newest, row);
        }
    }

    /// Whether another row has the same key.
    fn is_alike(&self, row: u32, other: u32, kind: Kind) -> bool {
        let key = self.payment(row).map(|payment| Key::of(payment, kind));
        row != other && key.zip(self.payment(other)).is_some_and(|(key, other)| key.is_of(other))
    }

    fn unlink(&mut self, row: u32, kind: Kind) {
        let Some(Links { newer, older }) = self.links(row, kind) else { return };
        if newer != NONE {
            return self.join(newer, older, kind);
        }
        let Some(hash) = self.payment(row).map(|payment| Key::of(payment, kind).hash()) else {
            return;
        };
        if older == NONE {
            return self.chains[kind as usize].remove(hash, row);
        }
        self.join(NONE, older, kind);
        self.chains[kind as usize].replace(hash, row, older);
    }

    /// Makes two rows neighbours.
    fn join(&mut self, newer: u32, older: u32, kind: Kind) {
        if let Some(row) = row_mut(&mut self.pieces, newer) {
            row.links[kind as usize].older = older;
        }
        if let Some(row) = row_mut(&mut self.pieces, older) {
            row.links[kind as usize].newer = newer;
        }
    }

    fn set_links(&mut self, row: u32, kind: Kind, links: Links) {
        if let Some(row) = row_mut(&mut self.pieces, row) {
            row.links[kind as usize] = links;
        }
    }
}

fn at(pieces: &[Vec<Row>], row: u32) -> Option<&Payment> {
    row_at(pieces, row).and_then(|row| row.payment.as_ref())
}

fn row_at(pieces: &[Vec<Row>], row: u32) -> Option<&Row> {
    let row = row as usize;
    pieces.get(row / PAYMENTS_OF_PIECE)?.get(row % PAYMENTS_OF_PIECE)
}

fn row_mut(pieces: &mut [Vec<Row>], row: u32) -> Option<&mut Row> {
    let row = row as usize;
    pieces.get_mut(row / PAYMENTS_OF_PIECE)?.get_mut(row % PAYMENTS_OF_PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::payments::tests::payment;

    /// Three old ones that share all their keys.
    fn three() -> (Aside, Vec<Payment>) {
        let mut aside = Aside::default();
        let came = |number| payment(number, 7, b"000000000001", 1);
        let all: Vec<Payment> = (1..=3).map(came).collect();
        for (one, opened) in all.iter().zip(1..) {
            aside.insert_old(one.clone(), Life { opened, ..Life::default() });
        }
        (aside, all)
    }

    #[test]
    fn whichever_of_a_chain_goes_the_others_are_found() {
        for gone in 0..3 {
            let (mut aside, all) = three();
            (0..gone).for_each(|_| aside.keep_old());
            let went = aside.pop_old().unwrap().id;
            assert_eq!(went, all[gone].id);
            for kind in KINDS {
                let key = Key::of(&all[0], kind);
                let chain: Vec<_> = aside.chain(key, key.hash()).map(|one| one.id).collect();
                let others = all.iter().rev().map(|one| one.id).filter(|id| *id != went);
                assert_eq!(chain, others.collect::<Vec<_>>(), "{kind:?} without {gone}");
            }
            assert_eq!(aside.by_id.find(hash_of(&went), |_| true), None, "it is in no index");
        }
    }

    #[test]
    fn behind_the_last_of_the_old_the_first_has_its_turn() {
        let (mut aside, all) = three();
        for turn in 0..7 {
            assert_eq!(aside.old().unwrap().0.id, all[turn % 3].id);
            aside.keep_old();
        }
        aside.keep_old();
        assert_eq!(aside.pop_old().unwrap().id, all[2].id);
        assert_eq!(aside.old().unwrap().0.id, all[0].id);
    }
}
