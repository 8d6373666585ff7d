//! `Embedded`: `Books` with a journal of their own, for callers that want only a ledger: a bank's
//! own book, the bench, conformance. (The switch has one journal for everything and drives `Books`
//! itself.)
//!
//! A batch is answered by `Books`, then what it did becomes one frame, and only when that is
//! durable does the caller get the answer. A batch that did nothing writes nothing. Records say
//! what happened, never what was asked: accounts, transfers with amount and timestamp, ids that
//! failed, expiries. After any error of the disk nothing more is answered: open it again.
//!
//! Memory does not grow with history: ids are kept in a window, older ones are found by the indexes
//! of sealed segments (`history`) and brought back before a batch that may mean them. A start reads
//! the snapshot that is written for each segment and what is behind it.

mod history;
mod indexer;
mod records;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use journal::index::IndexError;
use journal::limits::PIECE_BYTES;
use journal::{Batch, BatchError, Disk, Fault, OpenError, Options, Recovery, Replay};
use journal::{Work, Writer};
use scheme::Timestamp;

use crate::codec::{put_account, put_transfer};
use crate::limits::{BATCH_MAX, INDEX_PACE, INDEX_PIECES, ROWS_OF_LOOK, WINDOW_EMBEDDED};
use crate::{Account, AccountStatus, Books, Engine, Transfer, TransferFlags, TransferStatus};
use history::History;
pub use indexer::{IndexMaker, Indexer};
use records::{ACCOUNT, EXPIRE, Entered, FAILED, TRANSFER, VERSION, read, resolved_by};

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
    /// What is older than the window can't be read, or the index that would find it not be
    /// written; as `Journal`.
    History(IndexError),
    /// The history has a transfer that could not have happened; nothing happened.
    Impossible {
        /// The transfer.
        id: u128,
    },
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
            Self::History(error) => write!(f, "{error}"),
            Self::Impossible { id } => {
                write!(f, "the journal's transfer {id} could not have happened: verify the journal")
            }
            Self::Stopped => f.write_str("the ledger stopped at an earlier error: open it again"),
        }
    }
}

impl core::error::Error for EmbeddedError {}

/// A ledger with a journal of its own. The indexes of sealed segments it makes itself, in step with
/// its batches, or has made by another [`Indexer`].
#[derive(Debug)]
pub struct Embedded<D: Disk, I = IndexMaker> {
    books: Books,
    window: Window,
    history: History<I>,
    writer: Writer<D>,
    batch: Batch,
    segment_bytes: u64,
    /// The segment in use, and the one before which all are known to be sealed for good.
    segment: u64,
    sealed_before: u64,
    /// The row of the batch's first transfer.
    row: u32,
    /// What the building of indexes is owed for the bytes written.
    credit: u64,
    checkpoint: Option<Checkpoint>,
    /// Whether a snapshot is being written.
    snapshotting: bool,
    stopped: bool,
}

/// Which rows of the books an index can find again.
#[derive(Debug, Default)]
struct Window {
    /// Up to which record there were the rows before that one.
    marks: VecDeque<(u64, u32)>,
    /// The first row that no index covers.
    uncovered: u32,
}

/// The state as a segment began: what its predecessors' indexes don't say.
#[derive(Debug)]
struct Checkpoint {
    /// The last record of the segment before.
    sealed: u64,
    /// The last record that the state holds.
    record: u64,
    bytes: Vec<u8>,
}

impl<D: Disk> Embedded<D> {
    /// Opens the ledger in a directory, or makes one there, and brings back all that was durable.
    pub fn open(disk: D, options: Options, now: Timestamp) -> Result<(Self, Recovery), OpenError> {
        Self::open_with_window(disk, options, WINDOW_EMBEDDED, now)
    }

    /// The same with another number of transfers whose ids are kept in memory, besides those of
    /// segments that have no index yet; what is older is read back where an event may mean it.
    pub fn open_with_window(
        disk: D,
        options: Options,
        transfers: usize,
        now: Timestamp,
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_with(disk, options, transfers, IndexMaker::default(), now)
    }
}

impl<D: Disk, I: Indexer<D>> Embedded<D, I> {
    /// The same with somebody else who makes the indexes.
    pub fn open_with(
        mut disk: D,
        options: Options,
        transfers: usize,
        indexer: I,
        now: Timestamp,
    ) -> Result<(Self, Recovery), OpenError> {
        let opened = History::open(&mut disk, indexer);
        let mut history = opened.map_err(|error| unreadable(1, error))?;
        let covered = history.covered();
        let mut replay =
            Rebuild { books: Books::new(), window: Window::default(), covered, transfers };
        replay.begin(Books::new());
        let opened = journal::open(disk, options, now.0, &mut |found| replay.take(found));
        let Rebuild { mut books, mut window, .. } = replay;
        let (mut writer, recovery) = opened?;
        let held = recovery.snapshot_used.unwrap_or(0);
        // What the snapshot does not hold was to be found by an index.
        history.complete(writer.disk_mut(), held).map_err(|error| unreadable(held, error))?;
        if history.knows_less_than(writer.segment()) {
            let why = "segments before it are not known to be sealed: what they hold would be lost";
            return Err(OpenError::Refused { record: held, why: why.to_string() });
        }
        window.cover(&mut books, history.covered());
        let segment = writer.segment();
        let embedded = Self {
            books,
            window,
            history,
            batch: Batch::new(now.0),
            segment_bytes: options.segment_bytes,
            segment,
            sealed_before: 0,
            row: 0,
            writer,
            credit: 0,
            checkpoint: None,
            snapshotting: false,
            stopped: false,
        };
        Ok((embedded, recovery))
    }

    /// The books, as durable as the last answer: of transfers those in the window, and all that are
    /// open. After an error they may be ahead of the journal.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The last durable record of the journal.
    pub fn last_record(&self) -> u64 {
        self.writer.mark().record
    }

    /// Writes a snapshot, so that opening need not replay what is before it. One is also written
    /// for each segment by itself.
    pub fn snapshot(&mut self, now: Timestamp) -> Result<(), EmbeddedError> {
        self.refuse_if_stopped()?;
        while self.snapshotting {
            self.snapshot_step()?;
        }
        let mut bytes = Vec::new();
        self.books.encode_from(self.window.uncovered, &mut bytes);
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

    /// The disk, for what a simulation does to it.
    pub fn disk_mut(&mut self) -> &mut D {
        self.writer.disk_mut()
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
        self.row = self.books.next_row();
        if events > 0 && self.books.is_due(at) {
            self.put(EXPIRE, |bytes| bytes.extend_from_slice(&at.0.to_le_bytes()))?;
        }
        Ok(())
    }

    /// Brings back what these events may mean and is older than the window.
    fn recall(&mut self, events: &[Transfer]) -> Result<(), EmbeddedError> {
        let meant = |event: &Transfer| [Some(event.id), resolved_by(event)];
        let ids = events.iter().flat_map(meant).flatten();
        let ids = ids.filter(|id| self.history.may_hold(*id) && !self.books.remembers(*id));
        let ids = ordered(ids.collect());
        if ids.is_empty() {
            return Ok(());
        }
        let mut found = Found::default();
        self.find(&ids, &[], &mut found)?;
        // A hold and its end go together.
        let holds = found.by_id.values().filter_map(hold_of);
        let holds = ordered(holds.filter(|hold| !self.books.remembers(*hold)).collect());
        let missing: Vec<u128> =
            holds.iter().filter(|hold| !found.by_id.contains_key(hold)).copied().collect();
        self.find(&missing, &holds, &mut found)?;
        for id in &found.failed {
            self.books.recall_failed(*id);
        }
        for (id, transfer) in &found.by_id {
            let recalled = match resolved_by(transfer) {
                Some(hold) if found.by_id.contains_key(&hold) => Some(()),
                Some(_) => None,
                None => self.books.recall(transfer, found.ends.get(id)),
            };
            let recalled = recalled.ok_or(EmbeddedError::Impossible { id: *id });
            self.stop_at(recalled)?;
        }
        self.row = self.books.next_row();
        Ok(())
    }

    /// Adds what history knows of these ids and of the ends of these holds.
    fn find(
        &mut self,
        ids: &[u128],
        holds: &[u128],
        found: &mut Found,
    ) -> Result<(), EmbeddedError> {
        let asked = self.history.find(self.writer.disk_mut(), ids, holds, &mut |entered| {
            found.take(entered);
        });
        self.stop_at(asked.map_err(EmbeddedError::History))
    }

    fn put(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), EmbeddedError> {
        let time_ns = self.batch.time_ns();
        let pushed = self.batch.push_with(kind, VERSION, time_ns, write);
        self.stop_at(pushed.map_err(EmbeddedError::Frame))
    }

    /// Makes what the batch did durable.
    fn commit(&mut self, now: Timestamp) -> Result<(), EmbeddedError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let appended = self.writer.append(&mut self.batch);
        let appended = self.stop_at(appended.map_err(EmbeddedError::Journal))?;
        let published = self.writer.publish_head(now.0);
        self.stop_at(published.map_err(EmbeddedError::Journal))?;
        if self.segment != self.writer.segment() {
            self.segment = self.writer.segment();
            self.mark_segment(appended.first_record.saturating_sub(1), appended.last_record);
        }
        self.index_some(appended.bytes)?;
        // The next segment is made ahead first, and faster than this one is filled.
        let pieces = appended.bytes.saturating_mul(2).div_ceil(PIECE_BYTES as u64);
        for _ in 0..=pieces {
            if self.snapshotting {
                self.snapshot_step()?;
            }
        }
        Ok(())
    }

    /// Keeps the state at the beginning of a segment: small, as most is found by indexes.
    fn mark_segment(&mut self, sealed: u64, record: u64) {
        self.window.marks.push_back((sealed, self.row));
        let mut bytes = Vec::new();
        self.books.encode_from(self.row, &mut bytes);
        self.checkpoint = Some(Checkpoint { sealed, record, bytes });
    }

    /// Carries on with the index of a sealed segment, in step with the filling of the next.
    fn index_some(&mut self, bytes: u64) -> Result<(), EmbeddedError> {
        if self.sealed_before != self.segment && self.writer.seals_earlier() {
            self.sealed_before = self.segment;
            let looked = self.history.refresh(self.writer.disk_mut());
            self.stop_at(looked.map_err(EmbeddedError::History))?;
            if self.history.is_late() {
                self.index_step(true)?;
            }
        }
        let pieces = self.segment_bytes.div_ceil(PIECE_BYTES as u64).saturating_add(INDEX_PIECES);
        let credit = bytes.saturating_mul(pieces).saturating_mul(INDEX_PACE);
        self.credit = self.credit.saturating_add(credit);
        while self.credit >= self.segment_bytes && self.history.is_behind() {
            self.credit = self.credit.saturating_sub(self.segment_bytes);
            self.index_step(false)?;
        }
        if !self.history.is_behind() {
            self.credit = 0;
        }
        Ok(())
    }

    fn index_step(&mut self, wait: bool) -> Result<(), EmbeddedError> {
        let step = self.history.step(self.writer.disk_mut(), wait);
        if self.stop_at(step.map_err(EmbeddedError::History))? {
            self.window.cover(&mut self.books, self.history.covered());
            self.begin_snapshot()?;
        }
        Ok(())
    }

    /// Begins to write the state at the beginning of a segment, once the indexes know the rest.
    fn begin_snapshot(&mut self) -> Result<(), EmbeddedError> {
        let covered = self.history.covered();
        let Some(checkpoint) = self.checkpoint.take_if(|state| state.sealed <= covered) else {
            return Ok(());
        };
        let Checkpoint { record, bytes, .. } = checkpoint;
        let time_ns = self.batch.time_ns();
        match self.writer.begin_snapshot(record, time_ns, bytes) {
            Ok(()) => self.snapshotting = true,
            // Without one, more is replayed.
            Err(Fault::NoSpace | Fault::SnapshotTooLarge | Fault::SnapshotBusy) => {}
            Err(fault) => return self.stop_at(Err(EmbeddedError::Journal(fault))),
        }
        Ok(())
    }

    fn snapshot_step(&mut self) -> Result<(), EmbeddedError> {
        match self.writer.maintain() {
            Ok(work) => self.snapshotting = work == Work::More,
            Err(Fault::NoSpace) => self.snapshotting = false,
            Err(fault) => return self.stop_at(Err(EmbeddedError::Journal(fault))),
        }
        Ok(())
    }

    fn stop_at<T>(&mut self, result: Result<T, EmbeddedError>) -> Result<T, EmbeddedError> {
        self.stopped |= result.is_err();
        result
    }
}

impl<D: Disk, I: Indexer<D>> Engine for Embedded<D, I> {
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
                self.put(ACCOUNT, |bytes| put_account(bytes, &account))?;
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
        self.recall(events)?;
        self.books.create_transfers(now, events, out);
        // Each of them has taken a row, in the order in which they happened.
        let mut row = self.row;
        while row != self.books.next_row() {
            match self.books.entered(row) {
                Ok(transfer) => self.put(TRANSFER, |bytes| put_transfer(bytes, &transfer))?,
                Err(id) => self.put(FAILED, |bytes| bytes.extend_from_slice(&id.to_le_bytes()))?,
            }
            row = row.wrapping_add(1);
        }
        self.commit(now)
    }

    fn account(&self, id: u128) -> Result<Option<Account>, EmbeddedError> {
        self.refuse_if_stopped()?;
        Ok(self.books.account(id))
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, EmbeddedError> {
        self.refuse_if_stopped()?;
        if self.books.remembers(id) || !self.history.may_hold(id) {
            return Ok(self.books.transfer(id));
        }
        let mut found = Found::default();
        self.find(&[id], &[], &mut found)?;
        Ok(found.by_id.get(&id).copied())
    }
}

/// What history knows of some ids.
#[derive(Default)]
struct Found {
    by_id: BTreeMap<u128, Transfer>,
    /// Posts and voids by their pending transfers.
    ends: BTreeMap<u128, Transfer>,
    failed: Vec<u128>,
}

impl Found {
    fn take(&mut self, entered: Entered) {
        match entered {
            Entered::Transfer(transfer) => {
                self.by_id.insert(transfer.id, transfer);
                if let Some(hold) = resolved_by(&transfer) {
                    self.ends.insert(hold, transfer);
                }
            }
            Entered::Failed(id) => self.failed.push(id),
            Entered::Account(_) | Entered::Expired(_) => {}
        }
    }
}

/// The pending transfer that a transfer is, or has resolved.
fn hold_of(transfer: &Transfer) -> Option<u128> {
    let is_hold = transfer.flags.contains(TransferFlags::PENDING);
    resolved_by(transfer).or(is_hold.then_some(transfer.id))
}

/// In order, each once.
fn ordered(mut ids: Vec<u128>) -> Vec<u128> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn unreadable(record: u64, error: IndexError) -> OpenError {
    match error {
        IndexError::Disk(error) => OpenError::Disk(error),
        IndexError::Damaged { .. } => OpenError::Refused { record, why: error.to_string() },
    }
}

impl Window {
    /// Lets the books forget what can be found again.
    fn cover(&mut self, books: &mut Books, covered: u64) {
        while let Some((_, row)) = self.marks.pop_front_if(|(record, _)| *record <= covered) {
            self.uncovered = row;
        }
        books.keep_from(self.uncovered);
    }
}

/// The books as the journal gives them back.
struct Rebuild {
    books: Books,
    window: Window,
    /// The last record that an index can find.
    covered: u64,
    transfers: usize,
}

impl Rebuild {
    fn begin(&mut self, books: Books) {
        self.books = books;
        self.books.set_window(self.transfers);
        self.window = Window::default();
        self.window.cover(&mut self.books, 0);
    }

    /// Takes one thing that the journal gives back.
    fn take(&mut self, found: Replay<'_>) -> Result<(), String> {
        match found {
            Replay::Snapshot { record, bytes } => {
                self.begin(Books::new());
                self.begin(Books::decode(bytes).map_err(|error| error.to_string())?);
                self.look(record);
            }
            Replay::Record(record) => {
                self.enter(read(&record)?)?;
                if record.number.is_multiple_of(ROWS_OF_LOOK) {
                    self.look(record.number);
                }
            }
            Replay::End => {}
        }
        Ok(())
    }

    /// Forgets what can be found again.
    fn look(&mut self, record: u64) {
        self.window.marks.push_back((record, self.books.next_row()));
        self.window.cover(&mut self.books, self.covered);
        self.books.forget();
    }

    fn enter(&mut self, entered: Entered) -> Result<(), String> {
        match entered {
            Entered::Account(account) => {
                self.books.replay_account(&account).map_err(|status| status.to_string())
            }
            Entered::Transfer(transfer) => {
                self.books.replay_transfer(&transfer).map_err(|status| status.to_string())
            }
            Entered::Failed(id) => {
                self.books.replay_failed(id);
                Ok(())
            }
            Entered::Expired(at) => {
                self.books.expire(at);
                Ok(())
            }
        }
    }
}
