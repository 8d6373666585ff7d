//! `Books` as bytes and back (`docs/formats/ledger.md`): accounts, user data, remembered transfers.
//!
//! Reading trusts nothing: whatever a batch relies on - rows that are there, sums that hold every
//! open pending transfer, ids that are unique - is checked, so that no bytes make `Books` panic.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use super::memory::{Entry, State, UserData, row_number};
use super::{Books, RESOLVING};
use crate::TransferFlags;
use crate::codec::{ACCOUNT_BYTES, Bytes, get_account, put_account};

/// The first bytes of a snapshot.
const MAGIC: [u8; 4] = *b"BOOK";
/// The version that is written; every older one stays readable.
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 28;
const USER_BYTES: usize = 28;
const ENTRY_BYTES: usize = 61;

/// Why bytes are no snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotError {
    /// It does not begin as a snapshot does.
    NotASnapshot,
    /// It was written by a newer release.
    Newer {
        /// Its version.
        version: u16,
    },
    /// It is longer or shorter than its counts say.
    Length,
    /// An account is impossible.
    Account {
        /// Its place, from 0.
        row: u32,
    },
    /// A remembered transfer is impossible.
    Transfer {
        /// Its place, from 0.
        row: u32,
    },
    /// An account's pending sums are not those of its open pending transfers.
    Pending {
        /// The account's place, from 0.
        row: u32,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => f.write_str("not a snapshot of books"),
            Self::Newer { version } => write!(
                f,
                "books of version {version}; this release reads up to {VERSION}: use a newer one"
            ),
            Self::Length => f.write_str("books longer or shorter than their counts say"),
            Self::Account { row } => write!(f, "account {row} of the books is impossible"),
            Self::Transfer { row } => write!(f, "transfer {row} of the books is impossible"),
            Self::Pending { row } => {
                write!(f, "account {row} of the books holds other than its open pending transfers")
            }
        }
    }
}

impl core::error::Error for SnapshotError {}

impl Books {
    /// Appends the books as bytes: little-endian, self-contained, the same for the same books.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_those(&self.memory.rows().collect::<Vec<_>>(), out);
    }

    /// The same with the open pending transfers alone, of all that are remembered.
    pub fn encode_open(&self, out: &mut Vec<u8>) {
        self.encode_from(self.memory.next_row(), out);
    }

    /// The same with the transfers from a row on; of those before it the open pending ones, and
    /// those that a transfer from it on has resolved.
    pub(crate) fn encode_from(&self, row: u32, out: &mut Vec<u8>) {
        let is_new = |other: u32| self.memory.is_from(row, other);
        let newer = self.memory.rows().filter(|(other, _)| is_new(*other));
        let resolved: BTreeSet<u32> = newer.filter_map(|(_, entry)| link_of(entry)).collect();
        let those = self.memory.rows().filter(|(other, entry)| {
            entry.state == State::Pending || is_new(*other) || resolved.contains(other)
        });
        self.encode_those(&those.collect::<Vec<_>>(), out);
    }

    fn encode_those(&self, entries: &[(u32, &Entry)], out: &mut Vec<u8>) {
        // Rows are numbered anew, as who reads them will number them; a hold and its end that have
        // the same user data name one row of it.
        let rows: BTreeMap<u32, u32> = entries.iter().map(|(row, _)| *row).zip(0..).collect();
        let mut users: Vec<UserData> = Vec::new();
        let mut those: Vec<Entry> = Vec::with_capacity(entries.len());
        for (row, entry) in entries {
            let mut entry = **entry;
            let user = self.memory.user(*row);
            let hold = link_of(&entry).and_then(|link| rows.get(&link)).copied();
            let same = hold.and_then(|hold| those.get(hold as usize));
            let same = same.map_or(0, |hold| hold.user);
            entry.link = hold.unwrap_or(entry.link);
            entry.user = if user == UserData::default() {
                0
            } else if named(&users, same) == Some(user) {
                same
            } else {
                users.push(user);
                row_number(users.len())
            };
            those.push(entry);
        }
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.last.to_le_bytes());
        for count in [self.accounts.len(), users.len(), those.len()] {
            out.extend_from_slice(&row_number(count).to_le_bytes());
        }
        for row in &self.accounts {
            put_account(out, row);
        }
        for user in users {
            out.extend_from_slice(&user.wide.to_le_bytes());
            out.extend_from_slice(&user.long.to_le_bytes());
            out.extend_from_slice(&user.short.to_le_bytes());
        }
        for entry in &those {
            put_entry(out, entry);
        }
    }

    /// Reads books that `encode` wrote; nothing may follow them.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut header = Bytes(bytes);
        if header.take::<4>() != Some(MAGIC) {
            return Err(SnapshotError::NotASnapshot);
        }
        let version = header.u16();
        if version != VERSION {
            return Err(SnapshotError::Newer { version });
        }
        let reserved = header.u16();
        let mut books = Self { last: header.u64(), ..Self::default() };
        let counts = [header.u32(), header.u32(), header.u32()];
        if reserved != 0 || length_of(counts) != Some(bytes.len()) {
            return Err(SnapshotError::Length);
        }
        let mut rows = header;
        let [accounts, users, entries] = counts;
        for row in 0..accounts {
            books.read_account(&mut rows).ok_or(SnapshotError::Account { row })?;
        }
        let users: Vec<UserData> = (0..users).map(|_| get_user(&mut rows)).collect();
        books.memory.restore(entries as usize);
        let mut held = Vec::from_iter((0..accounts).map(|_| (0, 0)));
        for row in 0..entries {
            books
                .read_entry(&mut rows, &users, &mut held)
                .ok_or(SnapshotError::Transfer { row })?;
        }
        for (row, sums) in held.into_iter().enumerate() {
            let row = row_number(row);
            let account = books.account_at(row);
            if (account.debits_pending, account.credits_pending) != sums {
                return Err(SnapshotError::Pending { row });
            }
        }
        Ok(books)
    }

    fn read_account(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let account = get_account(bytes)?;
        let sound = !matches!(account.id, 0 | u128::MAX)
            && !self.rows.contains_key(&account.id)
            && !account.flags.has_reserved()
            && account.timestamp <= self.last
            && account.debits_pending.checked_add(account.debits_posted).is_some()
            && account.credits_pending.checked_add(account.credits_posted).is_some();
        sound.then(|| self.add_account(account))
    }

    /// Reads one remembered transfer and adds what it holds to the sums of its accounts.
    fn read_entry(
        &mut self,
        bytes: &mut Bytes<'_>,
        users: &[UserData],
        held: &mut [(u128, u128)],
    ) -> Option<()> {
        let entry = get_entry(bytes)?;
        let user = if entry.user == 0 { UserData::default() } else { named(users, entry.user)? };
        let unique = !matches!(entry.id, 0 | u128::MAX) && self.memory.find(entry.id).is_none();
        if !unique || !self.is_sound(&entry) {
            return None;
        }
        let row = self.memory.push(entry, user);
        if entry.state == State::Pending {
            let debits = &mut held.get_mut(entry.debit as usize)?.0;
            *debits = debits.checked_add(entry.amount)?;
            let credits = &mut held.get_mut(entry.credit as usize)?.1;
            *credits = credits.checked_add(entry.amount)?;
            self.hold(row);
        }
        Some(())
    }

    /// Whether a batch could have left this transfer behind the ones before it.
    fn is_sound(&self, entry: &Entry) -> bool {
        if entry.state == State::Failed {
            let nothing = Entry { id: entry.id, ..Entry::failed(0) };
            return *entry == nothing;
        }
        let account = |row: u32| self.accounts.get(row as usize).copied();
        let (Some(debit), Some(credit)) = (account(entry.debit), account(entry.credit)) else {
            return false;
        };
        let pending = entry.flags.contains(TransferFlags::PENDING);
        let resolved = |row: u32| {
            let hold = self.memory.row(row);
            hold.is_some_and(|hold| matches!(hold.state, State::Posted | State::Voided))
        };
        let link = if entry.flags.intersects(RESOLVING) {
            !pending && resolved(entry.link)
        } else {
            pending || entry.link == 0
        };
        link && entry.debit != entry.credit
            && debit.ledger == credit.ledger
            && pending == (entry.state != State::Final)
            && !entry.flags.has_reserved()
            && (1..=self.last).contains(&entry.timestamp)
    }
}

/// The row of the pending transfer that a transfer has resolved.
fn link_of(entry: &Entry) -> Option<u32> {
    entry.flags.intersects(RESOLVING).then_some(entry.link)
}

/// The user data of a row plus one, as an entry names it.
fn named(users: &[UserData], user: u32) -> Option<UserData> {
    users.get(user.checked_sub(1)? as usize).copied()
}

/// How long a snapshot of that many accounts, user data and transfers is.
fn length_of([accounts, users, entries]: [u32; 3]) -> Option<usize> {
    let of = |count: u32, size: usize| (count as usize).checked_mul(size);
    of(accounts, ACCOUNT_BYTES)?
        .checked_add(of(users, USER_BYTES)?)?
        .checked_add(of(entries, ENTRY_BYTES)?)?
        .checked_add(HEADER_BYTES)
}

fn get_user(bytes: &mut Bytes<'_>) -> UserData {
    UserData { wide: bytes.u128(), long: bytes.u64(), short: bytes.u32() }
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.extend_from_slice(&entry.id.to_le_bytes());
    out.extend_from_slice(&entry.amount.to_le_bytes());
    out.extend_from_slice(&entry.timestamp.to_le_bytes());
    for word in [entry.debit, entry.credit, entry.link, entry.user] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&entry.code.to_le_bytes());
    out.extend_from_slice(&entry.flags.bits().to_le_bytes());
    out.push(entry.state as u8);
}

/// `None` where the state is no state.
fn get_entry(bytes: &mut Bytes<'_>) -> Option<Entry> {
    Some(Entry {
        id: bytes.u128(),
        amount: bytes.u128(),
        timestamp: bytes.u64(),
        debit: bytes.u32(),
        credit: bytes.u32(),
        link: bytes.u32(),
        user: bytes.u32(),
        code: bytes.u16(),
        flags: TransferFlags::from_bits(bytes.u16()),
        state: State::from_number(bytes.take::<1>().unwrap_or_default()[0])?,
    })
}

#[cfg(test)]
mod tests {
    use scheme::Timestamp;

    use super::*;
    use crate::{Account, Transfer, TransferStatus};

    /// What begins behind a hold has the hold if it has its end.
    #[test]
    fn an_end_comes_with_its_hold() {
        let mut books = Books::new();
        let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
        books.create_accounts(Timestamp(1), &[account(1), account(2)], &mut Vec::new());
        let hold = |id| Transfer {
            id,
            debit_account_id: 1,
            credit_account_id: 2,
            amount: 5,
            user_data_64: 6,
            ledger: 1,
            code: 1,
            flags: TransferFlags::PENDING,
            ..Transfer::default()
        };
        let end = |id, pending_id, flags| Transfer { id, pending_id, flags, ..Transfer::default() };
        let before = [hold(7), hold(8), hold(9), end(10, 9, TransferFlags::VOID_PENDING)];
        let mut statuses = Vec::new();
        books.create_transfers(Timestamp(1), &before, &mut statuses);
        let row = books.next_row();
        let after = [end(11, 7, TransferFlags::VOID_PENDING)];
        books.create_transfers(Timestamp(1), &after, &mut statuses);
        let mut bytes = Vec::new();
        books.encode_from(row, &mut bytes);
        let mut back = Books::decode(&bytes).unwrap();
        assert_eq!((back.remembered(), back.open_pending()), (3, 1));
        assert_eq!(back.state_hash(), books.state_hash());
        back.create_transfers(Timestamp(2), &[after[0], hold(7), hold(8)], &mut statuses);
        assert_eq!(statuses, [TransferStatus::Exists; 3]);
    }
}
