//! Payments in memory, found by id, by DE11, by DE37 and by card, in the order in which they came.
//!
//! Those that came last stand in a [`Window`], whose first goes at no cost. Those that stay while
//! younger ones go, and those that were read back, stand [`Aside`]: all of them came before all of
//! the window. A row has a number, which names it until its payment goes or is put aside.

mod aside;
mod chains;
mod passing;
mod ring;
mod span;
mod window;

use core::hash::BuildHasher;

use foldhash::fast::FixedState;
use ledger::Recent;
use scheme::{ParticipantId, PaymentId, RetailerId, Rrn, Stan, TerminalId, Token};

use self::aside::Aside;
pub use self::chains::Chaining;
use self::window::Window;
use super::payments::Payment;
use crate::fingerprint::Mark;

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

    /// Which chain of its kind it belongs to.
    #[cfg(test)]
    pub(super) fn kept_of_hash(self) -> (usize, u32) {
        ledger::SpreadTable::kept_of(self.hash())
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

/// What the table knows of a payment beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Life {
    /// Of its part in the fingerprint, which would else be reckoned again for every change.
    pub(super) mark: Mark,
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

/// Numbers of rows aside have this bit, those of the window do not.
const ASIDE: u32 = 1 << 31;

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    window: Window,
    aside: Aside,
    recent: Recent,
    /// Whether chains are left for later.
    unchained: bool,
}

impl Table {
    /// From now on leaves all chains for later: nothing asks for them while records are read back,
    /// some rows end before that is over, and made at once they cost a fraction.
    pub(super) fn leave_chains(&mut self) {
        self.unchained = true;
        self.window.leave_chains();
        self.aside.leave_chains();
    }

    /// The chains that were left, in two halves: each is to be run, wherever there is time, and
    /// given to [`Self::put_chains`]. No payment comes or goes meanwhile.
    pub(super) fn take_chains(&mut self) -> [Chaining; 2] {
        let [a, b, c, d] = KINDS;
        [[a, b], [c, d]].map(|kinds| self.window.take_chains(&kinds))
    }

    /// All chains are there, and none is left for later from now on.
    pub(super) fn put_chains(&mut self, made: [Chaining; 2]) {
        self.unchained = false;
        made.into_iter().for_each(|made| self.window.put_chains(made));
        self.aside.make_chains();
    }

    /// Memory for so many more payments, in hand: see [`ledger::SpreadTable::make_room`].
    pub(super) fn make_room(&mut self, payments: usize) {
        self.window.make_room(payments);
    }

    pub(super) fn get(&self, id: PaymentId) -> Option<&Payment> {
        self.at_row(self.find(id)?).map(|(payment, _)| payment)
    }

    /// A payment, to be changed, what is known beside it, to be changed with it, and its row.
    pub(super) fn get_mut(&mut self, id: PaymentId) -> Option<(&mut Payment, &mut Life, u32)> {
        let row = self.find(id)?;
        let (payment, life) = self.row_mut(row)?;
        Some((payment, life, row))
    }

    /// What is known of a payment beside it, and its row.
    pub(super) fn life(&self, id: PaymentId) -> Option<(Life, u32)> {
        let row = self.find(id)?;
        self.at_row(row).map(|(_, life)| (life, row))
    }

    /// The payment of a row, and what is known beside it.
    pub(super) fn at_row(&self, row: u32) -> Option<(&Payment, Life)> {
        match row.checked_sub(ASIDE) {
            Some(row) => self.aside.at_row(row),
            None => self.window.at_row(row),
        }
    }

    /// The same, to be changed.
    pub(super) fn row_mut(&mut self, row: u32) -> Option<(&mut Payment, &mut Life)> {
        match row.checked_sub(ASIDE) {
            Some(row) => self.aside.row_mut(row),
            None => self.window.row_mut(row),
        }
    }

    /// How many there are, without those that were read back.
    pub(super) fn len(&self) -> usize {
        self.aside.len().saturating_add(self.window.len())
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Payment> {
        self.aside.iter().chain(self.window.iter())
    }

    /// That which came so many places after the first.
    pub(super) fn nth(&self, place: usize) -> Option<&Payment> {
        match place.checked_sub(self.aside.len()) {
            Some(place) => self.window.nth(place),
            None => self.aside.nth(place),
        }
    }

    /// Whether there are others than those of the window.
    pub(super) fn has_more(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Those that share a key, the newest first.
    pub(super) fn chain(&self, key: Key) -> impl Iterator<Item = &Payment> {
        assert!(!self.unchained, "nobody asks a hub that is on its way back");
        let hash = key.hash();
        self.window.chain(key, hash).chain(self.aside.chain(key, hash))
    }

    /// Puts a payment that is not there yet, behind all others.
    pub(super) fn insert(&mut self, payment: Payment, life: Life) -> u32 {
        let id = payment.id;
        let row = self.window.push(payment, life);
        self.recent.put(hash_of(&id), row);
        row
    }

    /// Puts one that came before all of the window.
    pub(super) fn insert_old(&mut self, payment: Payment, life: Life) -> u32 {
        self.aside.insert_old(payment, life) | ASIDE
    }

    /// Puts one that was read back.
    pub(super) fn insert_found(&mut self, payment: Payment, life: Life) {
        self.aside.insert_found(payment, life);
    }

    /// One that was read back is in hand again: it is old now.
    pub(super) fn keep_found(&mut self, row: u32, opened: u64) {
        if let Some(row) = row.checked_sub(ASIDE) {
            self.aside.keep_found(row, opened);
        }
    }

    /// Lets go what was read back, the first first, beyond so many.
    pub(super) fn forget_found(&mut self, most: usize) -> Option<Payment> {
        self.aside.forget_found(most)
    }

    /// The payment that came first of the window.
    pub(super) fn first(&self) -> Option<(&Payment, Life)> {
        self.window.first()
    }

    /// The first is old from now on; its new row.
    pub(super) fn keep_first(&mut self) -> Option<u32> {
        let (payment, life) = self.window.pop()?;
        Some(self.insert_old(payment, life))
    }

    /// Takes the first out.
    pub(super) fn pop_first(&mut self) -> Option<Payment> {
        self.window.pop().map(|(payment, _)| payment)
    }

    /// One of the old: each comes round in its turn.
    pub(super) fn old(&self) -> Option<(&Payment, Life)> {
        self.aside.old()
    }

    /// It stays.
    pub(super) fn keep_old(&mut self) {
        self.aside.keep_old();
    }

    /// Takes it out.
    pub(super) fn pop_old(&mut self) -> Option<Payment> {
        self.aside.pop_old()
    }

    fn find(&self, id: PaymentId) -> Option<u32> {
        let hash = hash_of(&id);
        let is_it = |row| self.at_row(row).is_some_and(|(payment, _)| payment.id == id);
        let found = self.recent.find(hash, is_it).or_else(|| self.window.find(hash, id));
        found.or_else(|| self.aside.find(hash, id).map(|row| row | ASIDE))
    }
}
