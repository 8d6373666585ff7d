//! Rows of payments, found by id, by DE11, by DE37 and by card, in the order in which they came.
//!
//! A payment stands in one row and is never moved while the table grows; an index holds the
//! numbers of rows alone. Payments that share a key are a chain from the newest to the oldest,
//! through their rows; a row that was given up is used again. Those that are open while younger
//! ones have gone stand in a list of their own before the others, so that both lists are in order;
//! those that were read back from history are in their chains alone.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::fast::FixedState;
use ledger::{Recent, SpreadTable};
use scheme::{ParticipantId, PaymentId, RetailerId, Rrn, Stan, TerminalId, Token};

use super::payments::Payment;
use crate::fingerprint::Fingerprint;
use crate::limits::PAYMENTS_OF_PIECE;

/// No row.
const NONE: u32 = u32::MAX;

/// By what payments are chained.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// Acquirer, terminal, DE11.
    Stan(ParticipantId, TerminalId, Stan),
    /// Acquirer, terminal, DE37.
    Rrn(ParticipantId, TerminalId, Rrn),
    /// Acquirer, DE37: at any terminal.
    Reference(ParticipantId, Rrn),
    /// Acquirer, retailer, card: at any till of the shop.
    Card(ParticipantId, RetailerId, Option<Token>),
}

/// A kind of keys: the place of its chain in a row, and of its index in the table.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Stan,
    Rrn,
    Reference,
    Card,
}

/// All kinds, each in its place.
const KINDS: [Kind; 4] = [Kind::Stan, Kind::Rrn, Kind::Reference, Kind::Card];

impl Key {
    fn of(payment: &Payment, kind: Kind) -> Self {
        let seen = &payment.seen;
        match kind {
            Kind::Stan => Self::Stan(seen.acquirer, seen.terminal, seen.stan),
            Kind::Rrn => Self::Rrn(seen.acquirer, seen.terminal, seen.rrn),
            Kind::Reference => Self::Reference(seen.acquirer, seen.rrn),
            Kind::Card => {
                Self::Card(seen.acquirer, seen.retailer, seen.card.map(|card| card.token))
            }
        }
    }

    fn hash(self) -> u64 {
        match self {
            Self::Stan(acquirer, terminal, stan) => {
                hash_of(&(acquirer, number(terminal.bytes()), stan))
            }
            Self::Rrn(acquirer, terminal, rrn) => {
                hash_of(&(acquirer, number(terminal.bytes()), number(rrn.bytes())))
            }
            Self::Reference(acquirer, rrn) => hash_of(&(acquirer, number(rrn.bytes()))),
            Self::Card(acquirer, retailer, token) => {
                hash_of(&(acquirer, number(retailer.bytes()), token))
            }
        }
    }

    fn is_of(self, payment: &Payment) -> bool {
        let seen = &payment.seen;
        let at = |acquirer, terminal| seen.acquirer == acquirer && seen.terminal == terminal;
        match self {
            Self::Stan(acquirer, terminal, stan) => at(acquirer, terminal) && seen.stan == stan,
            Self::Rrn(acquirer, terminal, rrn) => at(acquirer, terminal) && seen.rrn == rrn,
            Self::Reference(acquirer, rrn) => seen.acquirer == acquirer && seen.rrn == rrn,
            Self::Card(acquirer, retailer, token) => {
                seen.acquirer == acquirer
                    && seen.retailer == retailer
                    && seen.card.map(|card| card.token) == token
            }
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Stan(..) => Kind::Stan,
            Self::Rrn(..) => Kind::Rrn,
            Self::Reference(..) => Kind::Reference,
            Self::Card(..) => Kind::Card,
        }
    }
}

/// A short text as a number, which is hashed at once and not byte by byte.
fn number<const N: usize>(text: &[u8; N]) -> u128 {
    const { assert!(N <= 16, "a number of 16 bytes holds the text") };
    let mut bytes = [0; 16];
    bytes[..N].copy_from_slice(text);
    u128::from_le_bytes(bytes)
}

fn hash_of(key: &impl core::hash::Hash) -> u64 {
    FixedState::default().hash_one(key)
}

/// The neighbours of a row in a chain.
#[derive(Clone, Copy, Debug)]
struct Links {
    newer: u32,
    older: u32,
}

const ALONE: Links = Links { newer: NONE, older: NONE };

/// What the table knows of a payment beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Life {
    /// The payment's own fingerprint, which would else be reckoned again for every change.
    pub(super) mark: Fingerprint,
    /// The record that opened or refused it.
    pub(super) opened: u64,
    /// The record that changed it last.
    pub(super) last: u64,
    /// Whether it may change without being recalled.
    pub(super) open: bool,
    /// Whether its last record says all of it.
    pub(super) retired: bool,
    /// Whether any record did, so that those which made it do not any more.
    pub(super) told: bool,
    /// The last snapshot that has it.
    pub(super) copied: u32,
}

#[derive(Clone, Debug)]
struct Row {
    payment: Option<Payment>,
    life: Life,
    links: [Links; KINDS.len()],
}

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pieces: Vec<Vec<Row>>,
    free: Vec<u32>,
    /// Those that are open while younger ones have gone, in the order in which they came: before
    /// all of `order`.
    old: Vec<u32>,
    /// Which of `old` is looked at next.
    turn: usize,
    order: VecDeque<u32>,
    /// Those that were read back, in that order; they are in neither list.
    found: VecDeque<(u32, PaymentId)>,
    by_id: SpreadTable,
    recent: Recent,
    /// Pieces for those to come, their memory in hand.
    spare: Vec<Vec<Row>>,
    /// The newest row of each chain.
    chains: [SpreadTable; KINDS.len()],
    /// Whether chains are left for later.
    unchained: bool,
}

impl Table {
    /// From now on leaves all chains for later: nothing asks for them while records are read back,
    /// some rows end before that is over, and made at once they cost a fraction.
    pub(super) fn leave_chains(&mut self) {
        self.unchained = true;
        self.chains = Default::default();
        for row in self.rows().collect::<Vec<_>>() {
            KINDS.into_iter().for_each(|kind| self.set_links(row, kind, ALONE));
        }
    }

    /// Makes all chains, and leaves none from now on.
    pub(super) fn make_chains(&mut self) {
        self.unchained = false;
        let (mut hashes, mut by_parts) = (Vec::with_capacity(self.len()), Vec::new());
        for kind in KINDS {
            let hash = |row: u32| self.payment(row).map(|payment| Key::of(payment, kind).hash());
            hashes.clear();
            hashes.extend(self.rows().filter_map(|row| Some((hash(row)?, row))));
            SpreadTable::by_parts(&hashes, &mut by_parts);
            for (hash, row) in &by_parts {
                self.link(*row, kind, *hash);
            }
        }
    }

    /// All rows in use.
    fn rows(&self) -> impl Iterator<Item = u32> {
        let found = self.found.iter().map(|(row, _)| row);
        self.old.iter().chain(&self.order).chain(found).copied()
    }

    /// Memory for so many more payments, in hand: see [`SpreadTable::make_room`].
    pub(super) fn make_room(&mut self, payments: usize) {
        self.by_id.make_room(payments);
        for chain in &mut self.chains {
            chain.make_room(payments);
        }
        let mut places = VecDeque::with_capacity(payments);
        places.resize(payments, NONE);
        places.clear();
        places.append(&mut self.order);
        self.order = places;
        for _ in 0..payments.div_ceil(PAYMENTS_OF_PIECE) {
            let mut piece = Vec::with_capacity(PAYMENTS_OF_PIECE);
            let nobody = Row { payment: None, life: Life::default(), links: [ALONE; KINDS.len()] };
            piece.resize(PAYMENTS_OF_PIECE, nobody);
            piece.clear();
            self.spare.push(piece);
        }
    }

    pub(super) fn get(&self, id: PaymentId) -> Option<&Payment> {
        self.payment(self.find(id)?)
    }

    /// A payment, to be changed, what is known beside it, to be changed with it, and its row.
    pub(super) fn get_mut(&mut self, id: PaymentId) -> Option<(&mut Payment, &mut Life, u32)> {
        let row = self.find(id)?;
        let Row { payment, life, .. } = row_mut(&mut self.pieces, row)?;
        Some((payment.as_mut()?, life, row))
    }

    /// What is known of a payment beside it, and its row.
    pub(super) fn life(&self, id: PaymentId) -> Option<(Life, u32)> {
        let row = self.find(id)?;
        row_at(&self.pieces, row).map(|found| (found.life, row))
    }

    /// The payment of a row, and what is known beside it.
    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        let row = row_at(&self.pieces, row)?;
        Some((row.payment.as_ref()?, row.life))
    }

    /// What is known of the payment of a row beside it, to be changed.
    pub(super) fn life_at(&mut self, row: u32) -> Option<&mut Life> {
        row_mut(&mut self.pieces, row).map(|row| &mut row.life)
    }

    /// How many there are, without those that were read back.
    pub(super) fn len(&self) -> usize {
        self.old.len().saturating_add(self.order.len())
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        self.old.iter().chain(&self.order).filter_map(|row| self.payment(*row))
    }

    /// That which came so many places after the first.
    pub(super) fn nth(&self, place: usize) -> Option<&Payment> {
        let row = match place.checked_sub(self.old.len()) {
            Some(place) => self.order.get(place),
            None => self.old.get(place),
        };
        self.payment(*row?)
    }

    /// Whether there are others than those in order.
    pub(super) fn has_more(&self) -> bool {
        !self.old.is_empty() || !self.found.is_empty()
    }

    /// Those that share a key, the newest first.
    pub(super) fn chain(&self, key: Key) -> impl Iterator<Item = &Payment> {
        assert!(!self.unchained, "nobody asks a hub that is on its way back");
        let of_key = |row| self.payment(row).is_some_and(|payment| key.is_of(payment));
        let newest = self.chains[key.kind() as usize].find(key.hash(), of_key);
        let older = move |row: &u32| self.links(*row, key.kind()).map(|links| links.older);
        core::iter::successors(newest, older)
            .take_while(|row| *row != NONE)
            .filter_map(|row| self.payment(row))
    }

    /// Puts a payment that is not there yet, behind all others.
    pub(super) fn insert(&mut self, payment: Payment, life: Life) -> u32 {
        let row = self.put(payment, life);
        self.order.push_back(row);
        row
    }

    /// Puts one that came before all that are in order, where it belongs among the old.
    pub(super) fn insert_old(&mut self, payment: Payment, life: Life) -> u32 {
        let row = self.put(payment, life);
        self.place_old(row, life.opened);
        row
    }

    /// Puts one that was read back.
    pub(super) fn insert_found(&mut self, payment: Payment, life: Life) {
        let id = payment.id;
        let row = self.put(payment, life);
        self.found.push_back((row, id));
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
        self.recent.put(hash, row);
        row
    }

    fn place_old(&mut self, row: u32, opened: u64) {
        let place = self.old.partition_point(|old| {
            row_at(&self.pieces, *old).is_some_and(|old| old.life.opened < opened)
        });
        self.old.insert(place, row);
    }

    /// The payment that came first of those that are in order.
    pub(super) fn first(&self) -> Option<(&Payment, Life)> {
        self.order.front().and_then(|row| self.at_row(*row))
    }

    /// The first is old from now on.
    pub(super) fn keep_first(&mut self) {
        if let Some(row) = self.order.pop_front() {
            let opened = row_at(&self.pieces, row).map_or(0, |row| row.life.opened);
            self.place_old(row, opened);
        }
    }

    /// Takes the first out.
    pub(super) fn pop_first(&mut self) -> Option<Payment> {
        let row = self.order.pop_front()?;
        self.take(row)
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

    fn find(&self, id: PaymentId) -> Option<u32> {
        let hash = hash_of(&id);
        let is_it = |row| self.payment(row).is_some_and(|payment| payment.id == id);
        self.recent.find(hash, is_it).or_else(|| self.by_id.find(hash, is_it))
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
            let spare = self.spare.pop();
            self.pieces.push(spare.unwrap_or_else(|| Vec::with_capacity(PAYMENTS_OF_PIECE)));
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
