//! `Books`: the ledger in memory, exact and deterministic.
//!
//! A batch goes through `batch` (timestamps, chains), each event through `open` (accounts),
//! `movement` (transfers) or `resolution` (posts, voids, expiry), and what is remembered of it
//! lies in `memory`. Balances change in one place, `change`, so that a broken chain can be
//! undone and the state hash stays true.

mod batch;
mod hash;
mod memory;
mod movement;
mod open;
mod recall;
mod replay;
mod resolution;
mod snapshot;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scheme::Timestamp;

use crate::limits::NS_PER_S;
use crate::{Account, AccountStatus, Transfer, TransferFlags, TransferStatus};
use batch::Undo;
use memory::{Entry, Memory, State, row_number};
pub use snapshot::SnapshotError;

/// How much room `Books` takes at once, so that it need not pause to grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capacity {
    /// Accounts.
    pub accounts: usize,
    /// Transfers whose ids are remembered, at about 72 bytes each.
    pub transfers: usize,
}

/// The ledger in memory.
///
/// What it answers is a function of the sequence of batches and their `now` alone.
#[derive(Clone, Debug, Default)]
pub struct Books {
    accounts: Vec<Account>,
    rows: HashMap<u128, u32, FixedState>,
    memory: Memory,
    /// Open pending transfers that have a timeout: when they expire, and their row.
    expiries: BTreeSet<(u64, u32)>,
    /// The newest timestamp given out, or the newest `now`, whichever is later.
    last: u64,
    /// How to take back what the chain in progress did.
    undo: Vec<Undo>,
    in_chain: bool,
    open_pending: u64,
}

impl Books {
    /// Books without any account.
    pub fn new() -> Self {
        Self::default()
    }

    /// Books with room.
    pub fn with_capacity(capacity: Capacity) -> Self {
        Self {
            accounts: Vec::with_capacity(capacity.accounts),
            rows: HashMap::with_capacity_and_hasher(capacity.accounts, FixedState::default()),
            memory: Memory::with_capacity(capacity.transfers),
            ..Self::default()
        }
    }

    /// Books that remember the ids of so many transfers, the newest, and of all open ones: of what
    /// is older the caller makes sure that it does not come again, or brings it back before.
    pub fn with_window(transfers: usize) -> Self {
        let mut books = Self::default();
        books.set_window(transfers);
        books
    }

    /// From now on as [`Self::with_window`].
    pub fn set_window(&mut self, transfers: usize) {
        self.memory.set_window(transfers);
    }

    /// Memory for so many more transfers, in hand before they come.
    pub fn make_room(&mut self, transfers: usize) {
        self.memory.make_room(transfers);
    }

    /// Creates accounts; `out` then holds one status per event, in their order.
    pub fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) {
        self.run(now, events, out);
    }

    /// Creates transfers; `out` then holds one status per event, in their order. Pending transfers
    /// whose timeout has passed at `now` are released first.
    pub fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) {
        self.run(now, events, out);
    }

    /// Releases the pending transfers whose timeout has passed at `now`. Every batch begins with
    /// it; alone it serves a caller that wants the balances to be true while nothing happens.
    pub fn expire(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// When the next pending transfer expires, if any has a timeout.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _)| Timestamp(*at))
    }

    /// An account as it stands.
    pub fn account(&self, id: u128) -> Option<Account> {
        self.rows.get(&id).map(|row| self.accounts[*row as usize])
    }

    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> Vec<Account> {
        let mut accounts = self.accounts.clone();
        accounts.sort_unstable_by_key(|account| account.id);
        accounts
    }

    /// A transfer as it happened: with the amount that moved, and, of a post or void, with what it
    /// took from its pending transfer. `None` also for an id that failed.
    pub fn transfer(&self, id: u128) -> Option<Transfer> {
        let row = self.memory.find(id)?;
        (self.memory.get(row).state != State::Failed).then(|| self.unfold(row))
    }

    /// The open pending transfers, in the order in which they happened.
    pub fn pending(&self) -> impl Iterator<Item = Transfer> {
        let rows = self.memory.rows();
        rows.filter(|(_, entry)| entry.state == State::Pending).map(|(row, _)| self.unfold(row))
    }

    /// How many pending transfers are open.
    pub fn open_pending(&self) -> u64 {
        self.open_pending
    }

    /// How many ids of transfers are remembered, failed ones included.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// The newest timestamp given out, or the newest `now`, whichever is later.
    pub fn last(&self) -> Timestamp {
        Timestamp(self.last)
    }

    /// A hash of all accounts and all open pending transfers, reckoned when it is asked for.
    ///
    /// Timestamps are not part of it, but for when a hold expires: books replayed in other batches
    /// are the same books. It finds faults, it does not resist an attacker.
    pub fn state_hash(&self) -> u128 {
        let sum = |hashes: &mut dyn Iterator<Item = u128>| hashes.fold(0, u128::wrapping_add);
        let pending = self.memory.rows().filter(|(_, entry)| entry.state == State::Pending);
        let accounts = sum(&mut self.accounts.iter().map(hash::account));
        let pending = sum(&mut pending.map(|(row, entry)| self.pending_hash(row, entry)));
        accounts.wrapping_add(pending.rotate_left(64))
    }

    /// What a row says: a transfer as it happened, or an id that failed.
    pub(crate) fn entered(&self, row: u32) -> Result<Transfer, u128> {
        let entry = self.memory.get(row);
        if entry.state == State::Failed { Err(entry.id) } else { Ok(self.unfold(row)) }
    }

    fn unfold(&self, row: u32) -> Transfer {
        let entry = self.memory.get(row);
        let debit = &self.accounts[entry.debit as usize];
        let user = self.memory.user(row);
        let resolves = entry.flags.intersects(RESOLVING);
        Transfer {
            id: entry.id,
            debit_account_id: debit.id,
            credit_account_id: self.accounts[entry.credit as usize].id,
            amount: entry.amount,
            pending_id: if resolves { self.memory.get(entry.link).id } else { 0 },
            user_data_128: user.wide,
            user_data_64: user.long,
            user_data_32: user.short,
            timeout: if resolves { 0 } else { entry.link },
            ledger: debit.ledger,
            code: entry.code,
            flags: entry.flags,
            timestamp: entry.timestamp,
        }
    }

    /// The account of a row.
    fn account_at(&self, row: u32) -> &Account {
        &self.accounts[row as usize]
    }

    /// The one place where an existing account changes.
    fn change(&mut self, row: u32, change: impl FnOnce(&mut Account)) {
        let place = &mut self.accounts[row as usize];
        if self.in_chain {
            self.undo.push(Undo::Account { row, before: *place });
        }
        change(place);
    }

    /// Adds an account that is not there yet.
    fn add_account(&mut self, account: Account) {
        let row = row_number(self.accounts.len());
        self.accounts.push(account);
        self.rows.insert(account.id, row);
        if self.in_chain {
            self.undo.push(Undo::NewAccount);
        }
    }

    /// The share of an open pending transfer in the state hash.
    fn pending_hash(&self, row: u32, entry: &Entry) -> u128 {
        hash::pending(
            entry,
            self.memory.user(row),
            self.account_at(entry.debit).id,
            self.account_at(entry.credit).id,
            expires_at(entry),
        )
    }

    /// Counts a transfer among the open pending ones.
    fn hold(&mut self, row: u32) {
        if let Some(at) = expires_at(self.memory.get(row)) {
            self.expiries.insert((at, row));
        }
        self.open_pending = self.open_pending.saturating_add(1);
    }

    /// Takes a transfer out of the open pending ones.
    fn release(&mut self, row: u32, entry: &Entry) {
        if let Some(at) = expires_at(entry) {
            self.expiries.remove(&(at, row));
        }
        self.open_pending = self.open_pending.saturating_sub(1);
    }
}

/// The flags of a transfer that resolves a pending one.
const RESOLVING: TransferFlags = TransferFlags::POST_PENDING.union(TransferFlags::VOID_PENDING);

/// When a pending transfer expires, if ever.
fn expires_at(entry: &Entry) -> Option<u64> {
    let has_timeout = entry.flags.contains(TransferFlags::PENDING) && entry.link != 0;
    let timeout_ns = u64::from(entry.link).saturating_mul(NS_PER_S);
    has_timeout.then(|| entry.timestamp.saturating_add(timeout_ns))
}
