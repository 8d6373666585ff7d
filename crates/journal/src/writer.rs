//! The one writer of a journal: frames, segments, head, snapshots.
//!
//! One frame is in flight: `append` writes, syncs and returns. A disk error, out of space apart,
//! is final: the writer refuses everything from then on, because after a failed sync nothing is
//! known about the file. Only opening the journal anew finds out what is durable.
//!
//! The segment after the active one is made ahead, a bounded piece at a time: by
//! [`Writer::maintain`] between commits, and by `append` itself in step with the filling of the
//! active segment, so that a change of segment finds it ready.
use crate::batch::Batch;
use crate::disk::{Disk, DiskError};
use crate::format::{
    Block, FrameHeader, HEAD_BYTES, HEAD_FILE, HEAD_TEMP, Hash, HeadSlot, NodeId, SegmentHeader,
    round_up, segment_name, size_is_sane,
};
use crate::limits::{
    FRAME_BYTES_MAX, HEAD_EVERY_NS, PIECE_BYTES, SEGMENT_BYTES, SEGMENT_NUMBER_MAX,
};
use crate::snapshot::{SNAPSHOT_TEMP, SnapshotJob, SnapshotStep};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// How a journal is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether an empty directory is made a journal.
    pub create: bool,
    /// Whose journal it is.
    pub node: NodeId,
    /// The block of new segments (`journal.block`).
    pub block: Block,
    /// The length of new segments, bytes, a whole number of blocks.
    pub segment_bytes: u64,
    /// How often the head is written at most, nanoseconds.
    pub head_every_ns: u64,
}

impl Options {
    /// The defaults for that node.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            create: true,
            node,
            block: Block::B512,
            segment_bytes: SEGMENT_BYTES,
            head_every_ns: HEAD_EVERY_NS,
        }
    }

    pub(crate) fn sane(&self) -> bool {
        size_is_sane(self.segment_bytes, self.block)
    }
}

/// The last durable frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The epoch in force.
    pub epoch: u64,
    /// The frame's sequence, 0 = none.
    pub frame: u64,
    /// Its last record, 0 = none.
    pub record: u64,
    /// Its time, nanoseconds.
    pub time_ns: u64,
    /// Its SHA-256, zero = none.
    pub hash: Hash,
}

/// A frame that has become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its first record.
    pub first_record: u64,
    /// Its last record.
    pub last_record: u64,
    /// Its sequence.
    pub frame: u64,
    /// Its length on disk, bytes.
    pub bytes: u64,
}

/// What [`Writer::maintain`] has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing, or nothing that is possible now.
    Idle,
    /// Another piece.
    More,
}

/// Why the writer did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk failed now. What was being written may or may not be there; the writer is done.
    Disk(DiskError),
    /// The disk had failed before: open the journal anew.
    Refused(DiskError),
    /// No space for the next segment or the snapshot. Nothing was written; it may be tried again.
    NoSpace,
    /// A batch without records.
    EmptyBatch,
    /// The frame does not fit a segment.
    FrameTooLarge,
    /// The batch was made for another first record.
    OutOfTurn {
        /// The number that the batch expected.
        expected: u64,
        /// The next number of the journal.
        next: u64,
    },
    /// An epoch below the one in force.
    EpochBack {
        /// The epoch given.
        given: u64,
        /// The epoch in force.
        current: u64,
    },
    /// A snapshot of records that are not durable.
    SnapshotAhead {
        /// The snapshot's last record.
        record: u64,
        /// The last durable record.
        durable: u64,
    },
    /// The snapshot is over its limit.
    SnapshotTooLarge,
    /// Another snapshot is being written.
    SnapshotBusy,
    /// Ten digits of segment numbers are used up.
    SegmentsExhausted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::Refused(error) => {
                write!(f, "the journal stopped at an earlier error and must be reopened: {error}")
            }
            Self::NoSpace => f.write_str("no space for the next segment or snapshot"),
            Self::EmptyBatch => f.write_str("the batch holds no record"),
            Self::FrameTooLarge => f.write_str("the frame is larger than a segment can hold"),
            Self::OutOfTurn { expected, next } => {
                write!(f, "the batch begins with record {expected}, the journal is at {next}")
            }
            Self::EpochBack { given, current } => {
                write!(f, "epoch {given} is over; the journal is in epoch {current}")
            }
            Self::SnapshotAhead { record, durable } => {
                write!(f, "a snapshot at record {record}, but only {durable} are durable")
            }
            Self::SnapshotTooLarge => f.write_str("the snapshot is over its limit"),
            Self::SnapshotBusy => f.write_str("another snapshot is being written"),
            Self::SegmentsExhausted => f.write_str("the segment numbers are used up"),
        }
    }
}

impl core::error::Error for Fault {}

/// The segment in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) header: SegmentHeader,
    /// Where the next frame goes.
    pub(crate) offset: u64,
}

/// The segment after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spare {
    Missing,
    Filling { filled: u64 },
    Ready,
}

/// Writes a journal. See the module's header.
#[derive(Clone, Debug)]
pub struct Writer<D> {
    disk: D,
    options: Options,
    failed: Option<DiskError>,
    mark: Mark,
    active: Active,
    spare: Spare,
    no_space: bool,
    head: HeadSlot,
    head_at_ns: u64,
    snapshot: Option<SnapshotJob>,
    /// The memory of the last one that was written, if somebody wants it.
    snapshot_memory: Option<Vec<u8>>,
    keeps_memory: bool,
    zeros: Vec<u8>,
}

impl<D: Disk> Writer<D> {
    /// A writer at the end of what recovery found; `head` is the head as it stands on disk.
    pub(crate) fn at(
        disk: D,
        options: Options,
        mark: Mark,
        active: Active,
        head: HeadSlot,
        now_ns: u64,
    ) -> Self {
        Self {
            disk,
            options,
            failed: None,
            mark,
            active,
            spare: Spare::Missing,
            no_space: false,
            head,
            head_at_ns: now_ns,
            snapshot: None,
            snapshot_memory: None,
            keeps_memory: false,
            zeros: Vec::new(),
        }
    }

    /// Makes the batch the next frame. Durable when it returns `Ok`; after [`Fault::Disk`] it may
    /// or may not be found at the next opening. Every other fault leaves the journal as it was.
    pub fn append(&mut self, batch: &mut Batch) -> Result<Appended, Fault> {
        self.admit(batch)?;
        let mut frame_bytes = self.frame_bytes(batch);
        let used = self.active.offset.saturating_add(frame_bytes);
        if used > self.active.header.segment_bytes {
            self.rotate(batch.time_ns())?;
            frame_bytes = self.frame_bytes(batch);
        } else if self.spare_lags(used) {
            self.prepare_piece()?;
        }
        let mut header = FrameHeader {
            epoch: self.mark.epoch,
            sequence: self.mark.frame.saturating_add(1),
            first_record: self.mark.record.saturating_add(1),
            previous: self.mark.hash,
            records: 0,
            length: 0,
            frame_bytes: 0,
            time_ns: 0,
        };
        let hash = batch.seal(&mut header, self.active.header.block.bytes());
        let name = segment_name(self.active.header.number);
        let written = self.disk.write(&name, self.active.offset, batch.frame());
        self.guard(written)?;
        let synced = self.disk.sync(&name);
        self.guard(synced)?;
        self.active.offset = self.active.offset.saturating_add(frame_bytes);
        self.mark = Mark {
            epoch: header.epoch,
            frame: header.sequence,
            record: header.last_record(),
            time_ns: header.time_ns,
            hash,
        };
        Ok(Appended {
            first_record: header.first_record,
            last_record: self.mark.record,
            frame: self.mark.frame,
            bytes: frame_bytes,
        })
    }

    /// Does one bounded piece of the work that can wait: filling the next segment, writing a
    /// snapshot. For idle moments between commits, until it says [`Work::Idle`].
    pub fn maintain(&mut self) -> Result<Work, Fault> {
        self.refuse_if_failed()?;
        if self.spare != Spare::Ready {
            self.prepare_piece()?;
            if !self.no_space {
                return Ok(Work::More);
            }
        }
        let Some(mut job) = self.snapshot.take() else {
            return Ok(Work::Idle);
        };
        match job.step(&mut self.disk) {
            Ok(SnapshotStep::More) => self.snapshot = Some(job),
            Ok(SnapshotStep::Done) if self.keeps_memory => {
                self.snapshot_memory = Some(job.into_memory());
            }
            Ok(SnapshotStep::Done) => {}
            Err(error) if error.is_full() => {
                let removed = remove_if_there(&mut self.disk, SNAPSHOT_TEMP);
                self.guard(removed)?;
                return Err(Fault::NoSpace);
            }
            Err(error) => self.guard(Err(error))?,
        }
        Ok(Work::More)
    }

    /// From now on the memory of written snapshots is kept for [`Writer::take_snapshot_memory`].
    pub fn keep_snapshot_memory(&mut self) {
        self.keeps_memory = true;
    }

    /// The memory of a snapshot's body that has been written meanwhile, for the next one: whoever
    /// makes it need not touch new memory.
    pub fn take_snapshot_memory(&mut self) -> Option<Vec<u8>> {
        self.snapshot_memory.take()
    }

    /// Whether the next segment exists or can be made, as far as is known: while it is false,
    /// refuse what can be refused. Each [`Writer::maintain`] tries again.
    #[must_use]
    pub fn has_room_ahead(&self) -> bool {
        !self.no_space && self.failed.is_none()
    }

    /// Names the last durable frame in the head, if the head is older and its last writing is
    /// `head_every_ns` ago. Call it at least that often while frames are written.
    pub fn publish_head(&mut self, now_ns: u64) -> Result<(), Fault> {
        self.refuse_if_failed()?;
        let due = self.head_at_ns.saturating_add(self.options.head_every_ns) <= now_ns;
        if !due || self.head.frame == self.mark.frame {
            return Ok(());
        }
        let slot = self.next_slot(now_ns, false);
        let written = self.disk.write(HEAD_FILE, slot.offset(), &slot.to_bytes());
        self.guard(written)?;
        let synced = self.disk.sync(HEAD_FILE);
        self.guard(synced)?;
        self.head = slot;
        self.head_at_ns = now_ns;
        Ok(())
    }

    /// Takes a higher epoch into force, durably: all frames from now on carry it.
    pub fn start_epoch(&mut self, epoch: u64, now_ns: u64) -> Result<(), Fault> {
        self.refuse_if_failed()?;
        if epoch < self.mark.epoch {
            return Err(Fault::EpochBack { given: epoch, current: self.mark.epoch });
        }
        if epoch > self.mark.epoch {
            self.mark.epoch = epoch;
            self.replace_head(now_ns, false)?;
        }
        Ok(())
    }

    /// Begins a snapshot of the caller's state after `record`; [`Writer::maintain`] carries on.
    pub fn begin_snapshot(
        &mut self,
        record: u64,
        now_ns: u64,
        payload: Vec<u8>,
    ) -> Result<(), Fault> {
        self.refuse_if_failed()?;
        if record > self.mark.record {
            return Err(Fault::SnapshotAhead { record, durable: self.mark.record });
        }
        if self.snapshot.is_some() {
            return Err(Fault::SnapshotBusy);
        }
        let job = SnapshotJob::new(self.options.node, record, self.mark.epoch, now_ns, payload)
            .ok_or(Fault::SnapshotTooLarge)?;
        match job.create(&mut self.disk) {
            Ok(()) => self.snapshot = Some(job),
            Err(error) if error.is_full() => return Err(Fault::NoSpace),
            Err(error) => self.guard(Err(error))?,
        }
        Ok(())
    }

    /// Writes a snapshot in one go: durable when it returns.
    pub fn write_snapshot(
        &mut self,
        record: u64,
        now_ns: u64,
        payload: Vec<u8>,
    ) -> Result<(), Fault> {
        self.begin_snapshot(record, now_ns, payload)?;
        while self.snapshot.is_some() {
            self.maintain()?;
        }
        Ok(())
    }

    /// The last durable frame.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The segment in use.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.active.header.number
    }

    /// Whether the segments before the one in use are sealed for good: the head names a frame in
    /// it (see [`crate::index::sealed`]).
    #[must_use]
    pub fn seals_earlier(&self) -> bool {
        let Active { header, .. } = self.active;
        self.head.segment == header.number && self.head.frame >= header.first_frame
    }

    /// The error that stopped this writer, if one did.
    #[must_use]
    pub fn failed(&self) -> Option<&DiskError> {
        self.failed.as_ref()
    }

    /// Stops cleanly: the head names the last frame and says that nothing follows it.
    pub fn stop(mut self, now_ns: u64) -> Result<D, Fault> {
        self.refuse_if_failed()?;
        self.replace_head(now_ns, true)?;
        Ok(self.disk)
    }

    /// Leaves without stopping cleanly, as a kill would, and gives the disk back.
    #[must_use]
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// The disk, for what a simulation does to it.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    fn admit(&self, batch: &Batch) -> Result<(), Fault> {
        self.refuse_if_failed()?;
        if batch.is_empty() {
            return Err(Fault::EmptyBatch);
        }
        let next = self.mark.record.saturating_add(1);
        if let Some(expected) = batch.expected().filter(|expected| *expected != next) {
            return Err(Fault::OutOfTurn { expected, next });
        }
        let blocks = [self.active.header.block, self.options.block];
        let block = blocks.iter().map(|block| block.bytes()).max().unwrap_or(0);
        let frame_bytes = round_up(batch.bytes(), block);
        let room = self.options.segment_bytes.saturating_sub(block as u64);
        if frame_bytes > FRAME_BYTES_MAX || frame_bytes as u64 > room {
            return Err(Fault::FrameTooLarge);
        }
        Ok(())
    }

    fn frame_bytes(&self, batch: &Batch) -> u64 {
        round_up(batch.bytes(), self.active.header.block.bytes()) as u64
    }

    /// Whether the next segment is less far made than the active one will be filled.
    fn spare_lags(&self, used: u64) -> bool {
        let filled = match self.spare {
            Spare::Ready => return false,
            Spare::Missing => 0,
            Spare::Filling { filled } => filled,
        };
        // Segments are at most 2^30 bytes, so the products fit.
        let spare = u128::from(filled).saturating_mul(u128::from(self.active.header.segment_bytes));
        let active = u128::from(used).saturating_mul(u128::from(self.options.segment_bytes));
        !self.no_space && spare <= active
    }

    /// Goes over to the next segment: header durable first, so that a frame never stands behind
    /// a header that is not there.
    fn rotate(&mut self, time_ns: u64) -> Result<(), Fault> {
        let number = self.active.header.number.saturating_add(1);
        if number > SEGMENT_NUMBER_MAX {
            return Err(Fault::SegmentsExhausted);
        }
        while self.spare != Spare::Ready {
            self.prepare_piece()?;
            if self.no_space {
                return Err(Fault::NoSpace);
            }
        }
        let header = SegmentHeader {
            block: self.options.block,
            number,
            segment_bytes: self.options.segment_bytes,
            first_frame: self.mark.frame.saturating_add(1),
            first_record: self.mark.record.saturating_add(1),
            epoch: self.mark.epoch,
            time_ns,
            node: self.options.node,
            previous: self.mark.hash,
        };
        let written = write_header(&mut self.disk, &header);
        self.guard(written)?;
        self.active = Active { header, offset: header.block.bytes() as u64 };
        self.spare = Spare::Missing;
        Ok(())
    }

    /// One piece of making the next segment. Out of space is noted, not a fault.
    fn prepare_piece(&mut self) -> Result<(), Fault> {
        let number = self.active.header.number.saturating_add(1);
        if number > SEGMENT_NUMBER_MAX {
            return Ok(());
        }
        match self.prepare_step(&segment_name(number)) {
            Ok(spare) => {
                self.spare = spare;
                self.no_space = false;
                Ok(())
            }
            Err(error) if error.is_full() => {
                self.no_space = true;
                Ok(())
            }
            Err(error) => self.guard(Err(error)),
        }
    }

    fn prepare_step(&mut self, name: &str) -> Result<Spare, DiskError> {
        let segment_bytes = self.options.segment_bytes;
        match self.spare {
            Spare::Ready => Ok(Spare::Ready),
            Spare::Missing => {
                // What an earlier run made ahead may be half filled: it is made anew.
                remove_if_there(&mut self.disk, name)?;
                self.disk.create(name, segment_bytes)?;
                Ok(Spare::Filling { filled: 0 })
            }
            Spare::Filling { filled } if filled < segment_bytes => {
                if self.zeros.is_empty() {
                    self.zeros = vec![0; PIECE_BYTES];
                }
                let piece = segment_bytes.saturating_sub(filled).min(PIECE_BYTES as u64);
                let zeros = usize::try_from(piece).unwrap_or(PIECE_BYTES);
                self.disk.write(name, filled, &self.zeros[..zeros])?;
                Ok(Spare::Filling { filled: filled.saturating_add(piece) })
            }
            Spare::Filling { .. } => {
                self.disk.sync(name)?;
                self.disk.sync_dir()?;
                Ok(Spare::Ready)
            }
        }
    }

    fn next_slot(&self, now_ns: u64, stopped: bool) -> HeadSlot {
        HeadSlot {
            generation: self.head.generation.saturating_add(1),
            stopped,
            epoch: self.mark.epoch,
            frame: self.mark.frame,
            record: self.mark.record,
            segment: self.active.header.number,
            end: self.active.offset,
            time_ns: now_ns,
            oldest: self.head.oldest,
            node: self.options.node,
            hash: self.mark.hash,
        }
    }

    /// Makes the whole head anew, both slots alike.
    fn replace_head(&mut self, now_ns: u64, stopped: bool) -> Result<(), Fault> {
        let slot = self.next_slot(now_ns, stopped);
        match replace_head(&mut self.disk, slot) {
            Ok(written) => self.head = written,
            Err(error) => self.guard(Err(error))?,
        }
        self.head_at_ns = now_ns;
        Ok(())
    }

    fn refuse_if_failed(&self) -> Result<(), Fault> {
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(Fault::Refused(error.clone())),
        }
    }

    /// Lets no error be forgotten.
    fn guard(&mut self, result: Result<(), DiskError>) -> Result<(), Fault> {
        result.map_err(|error| {
            self.failed = Some(error.clone());
            Fault::Disk(error)
        })
    }
}

fn remove_if_there<D: Disk>(disk: &mut D, name: &str) -> Result<(), DiskError> {
    if disk.len(name)?.is_some() { disk.remove(name) } else { Ok(()) }
}

/// Writes the header block of a prepared segment, durably.
fn write_header<D: Disk>(disk: &mut D, header: &SegmentHeader) -> Result<(), DiskError> {
    let name = segment_name(header.number);
    disk.write(&name, 0, &header.to_block())?;
    disk.sync(&name)
}

/// Makes the whole head anew under another name and renames it, so that no crash can leave a slot
/// torn that was whole: a head that says "stopped" always has two whole slots. Returns the newer.
pub(crate) fn replace_head<D: Disk>(disk: &mut D, slot: HeadSlot) -> Result<HeadSlot, DiskError> {
    remove_if_there(disk, HEAD_TEMP)?;
    disk.create(HEAD_TEMP, HEAD_BYTES as u64)?;
    let second = HeadSlot { generation: slot.generation.saturating_add(1), ..slot };
    let mut bytes = vec![0; HEAD_BYTES];
    for slot in [slot, second] {
        let at = usize::try_from(slot.offset()).unwrap_or(0);
        crate::format::put(&mut bytes, at, &slot.to_bytes());
    }
    disk.write(HEAD_TEMP, 0, &bytes)?;
    disk.sync(HEAD_TEMP)?;
    disk.rename(HEAD_TEMP, HEAD_FILE)?;
    disk.sync_dir()?;
    Ok(second)
}
