//! `Embedded`: `Books` with a journal of their own, for callers that want only a ledger: a bank's
//! own book, the bench, conformance. (The switch has one journal for everything and drives `Books`
//! itself.)
//!
//! A batch is answered by `Books`, then what it did becomes one frame, and only when that is
//! durable does the caller get the answer. A batch that did nothing writes nothing. Records say
//! what happened, never what was asked: accounts, transfers with amount and timestamp, ids that
//! failed, expiries. After any error of the disk nothing more is answered: open it again.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use journal::{Batch, BatchError, Disk, Fault, OpenError, Options, Recovery, Replay, Writer};
use scheme::Timestamp;

use crate::codec::{
    ACCOUNT_BYTES, Bytes, TRANSFER_BYTES, get_account, get_transfer, put_account, put_transfer,
};
use crate::limits::BATCH_MAX;
use crate::{Account, AccountStatus, Books, Engine, Transfer, TransferStatus};

/// The kinds of records in an embedded ledger's journal; numbers are never reused.
const ACCOUNT: u8 = 1;
const TRANSFER: u8 = 2;
const FAILED: u8 = 3;
const EXPIRE: u8 = 4;
/// The version of all of them.
const VERSION: u8 = 1;

/// Why an embedded ledger gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddedError {
    /// The batch has more events than `limits::BATCH_MAX`; nothing happened.
    BatchTooLong {
        /// How many it has.
        events: usize,
    },
    /// The journal failed; what the batch did may or may not be found when it is opened again.
    Journal(Fault),
    /// The frame could not be made; as `Journal`.
    Frame(BatchError),
    /// An earlier error: open the ledger again.
    Stopped,
}

impl fmt::Display for EmbeddedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BatchTooLong { events } => {
                write!(f, "a batch of {events} events; at most {BATCH_MAX} are taken")
            }
            Self::Journal(fault) => write!(f, "{fault}"),
            Self::Frame(error) => write!(f, "{error}"),
            Self::Stopped => f.write_str("the ledger stopped at an earlier error: open it again"),
        }
    }
}

impl core::error::Error for EmbeddedError {}

/// A ledger with a journal of its own.
#[derive(Debug)]
pub struct Embedded<D: Disk> {
    books: Books,
    writer: Writer<D>,
    batch: Batch,
    stopped: bool,
}

impl<D: Disk> Embedded<D> {
    /// Opens the ledger in a directory, or makes one there, and brings back all that was durable.
    pub fn open(disk: D, options: Options, now: Timestamp) -> Result<(Self, Recovery), OpenError> {
        let mut books = Books::new();
        let (writer, recovery) =
            journal::open(disk, options, now.0, &mut |found| replay(&mut books, found))?;
        books.replayed();
        let embedded = Self { books, writer, batch: Batch::new(now.0), stopped: false };
        Ok((embedded, recovery))
    }

    /// The books, as durable as the last answer. After an error they may be ahead of the journal.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Writes a snapshot of all, so that opening need not replay what is before it.
    pub fn snapshot(&mut self, now: Timestamp) -> Result<(), EmbeddedError> {
        self.refuse_if_stopped()?;
        let mut bytes = Vec::new();
        self.books.encode(&mut bytes);
        let record = self.writer.mark().record;
        let written = self.writer.write_snapshot(record, now.0, bytes);
        self.stopped |= self.writer.failed().is_some();
        written.map_err(EmbeddedError::Journal)
    }

    /// Stops cleanly and gives the disk back.
    pub fn stop(self, now: Timestamp) -> Result<D, EmbeddedError> {
        self.refuse_if_stopped()?;
        self.writer.stop(now.0).map_err(EmbeddedError::Journal)
    }

    /// Leaves as a kill would, and gives the disk back.
    pub fn into_disk(self) -> D {
        self.writer.into_disk()
    }

    fn refuse_if_stopped(&self) -> Result<(), EmbeddedError> {
        if self.stopped { Err(EmbeddedError::Stopped) } else { Ok(()) }
    }

    /// Begins a frame, with the expiries that the batch begins with.
    fn begin(&mut self, now: Timestamp, events: usize) -> Result<(), EmbeddedError> {
        self.refuse_if_stopped()?;
        if events > BATCH_MAX {
            return Err(EmbeddedError::BatchTooLong { events });
        }
        let at = self.books.last().max(now);
        self.batch.reset(at.0);
        if events > 0 && self.books.is_due(at) {
            self.put(EXPIRE, &at.0.to_le_bytes())?;
        }
        Ok(())
    }

    fn put(&mut self, kind: u8, payload: &[u8]) -> Result<(), EmbeddedError> {
        let time_ns = self.batch.time_ns();
        let pushed = self.batch.push(kind, VERSION, time_ns, payload);
        self.stop_at(pushed.map_err(EmbeddedError::Frame))
    }

    /// Makes what the batch did durable.
    fn commit(&mut self, now: Timestamp) -> Result<(), EmbeddedError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let appended = self.writer.append(&mut self.batch);
        self.stop_at(appended.map_err(EmbeddedError::Journal))?;
        let published = self.writer.publish_head(now.0);
        self.stop_at(published.map_err(EmbeddedError::Journal))
    }

    fn stop_at<T>(&mut self, result: Result<T, EmbeddedError>) -> Result<T, EmbeddedError> {
        self.stopped |= result.is_err();
        result
    }
}

impl<D: Disk> Engine for Embedded<D> {
    type Error = EmbeddedError;

    fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), EmbeddedError> {
        self.begin(now, events.len())?;
        self.books.create_accounts(now, events, out);
        for (event, status) in events.iter().zip(out.iter()) {
            let created = status.is_ok().then(|| self.books.account(event.id)).flatten();
            if let Some(account) = created {
                let mut payload = Vec::with_capacity(ACCOUNT_BYTES);
                put_account(&mut payload, &account);
                self.put(ACCOUNT, &payload)?;
            }
        }
        self.commit(now)
    }

    fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), EmbeddedError> {
        self.begin(now, events.len())?;
        self.books.create_transfers(now, events, out);
        let mut payload = Vec::with_capacity(TRANSFER_BYTES);
        for (event, status) in events.iter().zip(out.iter()) {
            if status.is_transient() {
                self.put(FAILED, &event.id.to_le_bytes())?;
            }
            let happened = status.is_ok().then(|| self.books.transfer(event.id)).flatten();
            if let Some(transfer) = happened {
                payload.clear();
                put_transfer(&mut payload, &transfer);
                self.put(TRANSFER, &payload)?;
            }
        }
        self.commit(now)
    }

    fn account(&self, id: u128) -> Result<Option<Account>, EmbeddedError> {
        self.refuse_if_stopped()?;
        Ok(self.books.account(id))
    }

    fn transfer(&self, id: u128) -> Result<Option<Transfer>, EmbeddedError> {
        self.refuse_if_stopped()?;
        Ok(self.books.transfer(id))
    }
}

/// Takes one thing that the journal gives back.
fn replay(books: &mut Books, found: Replay<'_>) -> Result<(), String> {
    let record = match found {
        Replay::Snapshot { bytes, .. } => {
            *books = Books::new();
            *books = Books::decode(bytes).map_err(|error| error.to_string())?;
            return Ok(());
        }
        Replay::Record(record) => record,
        Replay::End => return Ok(()),
    };
    let mut bytes = Bytes(record.payload);
    match (record.kind, record.version, record.payload.len()) {
        (ACCOUNT, VERSION, ACCOUNT_BYTES) => {
            let account = get_account(&mut bytes).ok_or("an account with a reserved field set")?;
            books.replay_account(&account).map_err(|status| status.to_string())
        }
        (TRANSFER, VERSION, TRANSFER_BYTES) => {
            let transfer = get_transfer(&mut bytes);
            books.replay_transfer(&transfer).map_err(|status| status.to_string())
        }
        (FAILED, VERSION, 16) => {
            books.replay_failed(bytes.u128());
            Ok(())
        }
        (EXPIRE, VERSION, 8) => {
            books.expire(Timestamp(bytes.u64()));
            Ok(())
        }
        (kind, version, length) => Err(alloc::format!(
            "kind {kind}, version {version}, {length} bytes: not a record of a ledger"
        )),
    }
}
