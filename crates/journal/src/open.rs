//! Recovery: the newest good snapshot, the records after it, the torn tail, the writer.
use crate::anchor::{ANCHOR_TEMP, Anchor, anchor_name};
use crate::damage::{Cut, Damage, Flaw};
use crate::disk::{Disk, DiskError};
use crate::format::{
    FORMAT_VERSION, HEAD_FILE, HEAD_TEMP, Hash, HeadFile, HeadSlot, HeaderRead, NodeId, RecordView,
    SegmentHeader, segment_name, segment_number,
};
use crate::index::INDEX_TEMP;
use crate::limits::RECOVERY_READ_BYTES;
use crate::retire;
use crate::snapshot::{SNAPSHOT_TEMP, Snapshot, newest_first, snapshot_name};
use crate::tail::{Tail, damage_at, judge, repair, untouched, zero_fill};
use crate::walk::{
    HeadRead, Position, SegmentFile, Step, Walk, Window, broken_header, contradicts, load_segments,
    missing_segment, read_head, written,
};
use crate::writer::{Active, Mark, Options, Writer, replace_head};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The first segment's name while it is made.
const SEGMENT_TEMP: &str = "segment.tmp";

/// What recovery gives to the caller, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay<'a> {
    /// The state after `record`, as the caller wrote it. If it can't be used, return an error and
    /// start from nothing: the older snapshot comes next, or every record from the first.
    Snapshot {
        /// The last record that the state holds.
        record: u64,
        /// The caller's bytes.
        bytes: &'a [u8],
    },
    /// The next record.
    Record(RecordView<'a>),
    /// Every record was given, and nothing has been changed yet: the last moment to refuse.
    End,
}

/// What was found while opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records given to the caller.
    pub records: u64,
    /// Frames read.
    pub frames: u64,
    /// The torn tail that was cut: report it as a finding.
    pub cut: Option<Cut>,
    /// The record of the snapshot that was used.
    pub snapshot_used: Option<u64>,
    /// Snapshot files that did not hold, or that the caller refused: report them.
    pub snapshots_refused: Vec<String>,
    /// What the head said.
    pub head: HeadFound,
}

/// The head as recovery found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadFound {
    /// None: the journal was made now.
    #[default]
    New,
    /// The journal had been stopped cleanly.
    Stopped,
    /// The journal had been killed.
    Running {
        /// The last frame that the head named.
        frame: u64,
        /// Whether one slot was torn: report it.
        slot_torn: bool,
    },
}

/// Why a journal could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The disk failed.
    Disk(DiskError),
    /// Acknowledged records are damaged: the journal stays as it is.
    Damaged(Damage),
    /// There is no journal and none was to be made.
    Absent,
    /// The journal is another node's.
    WrongNode {
        /// Whose it is.
        found: NodeId,
    },
    /// Written by a newer version of the format.
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u16,
    },
    /// The caller could not take a record.
    Refused {
        /// Which.
        record: u64,
        /// The caller's words.
        why: String,
    },
    /// The options contradict themselves: the segment's length is no whole number of blocks.
    Options,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::Damaged(damage) => write!(f, "the journal is damaged: {damage}"),
            Self::Absent => f.write_str("there is no journal here"),
            Self::WrongNode { found } => write!(f, "this is the journal of {found}"),
            Self::Newer { file, version } => {
                write!(
                    f,
                    "{file} has format version {version}, this program reads up to {FORMAT_VERSION}"
                )
            }
            Self::Refused { record, why } => write!(f, "record {record}: {why}"),
            Self::Options => f.write_str("a segment must be a whole number of blocks"),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Opens a journal: gives the newest good snapshot and then every later record to `replay`, cuts
/// a torn tail, and returns the writer. Reads history only from the snapshot on; [`crate::verify`]
/// reads all of it.
pub fn open<D: Disk>(
    mut disk: D,
    options: Options,
    now_ns: u64,
    replay: &mut dyn FnMut(Replay<'_>) -> Result<(), String>,
) -> Result<(Writer<D>, Recovery), OpenError> {
    if !options.sane() {
        return Err(OpenError::Options);
    }
    let names = tidy(&mut disk)?;
    let segments = load_segments(&mut disk, &names)?;
    let head = match read_head(&mut disk)? {
        HeadRead::Found(head) => head,
        HeadRead::Newer(version) => {
            return Err(OpenError::Newer { file: HEAD_FILE.into(), version });
        }
        HeadRead::Broken => return Err(OpenError::Damaged(head_lost())),
        HeadRead::Absent if never_used(&mut disk, &names, &segments)? => {
            return format(disk, options, now_ns, &segments);
        }
        HeadRead::Absent => return Err(OpenError::Damaged(head_lost())),
    };
    check_identity(&segments, &head, &options)?;
    let segments = retire::finish(&mut disk, segments, &head.newest)?;
    let mut recovery = Recovery { head: found(&head), ..Recovery::default() };
    let start = start(&mut disk, &names, &segments, &head.newest, replay, &mut recovery)?;
    let end = replay_from(&mut disk, &segments, &head.newest, start, replay, &mut recovery)?;
    clear_tail(&mut disk, &segments, &head.newest, end, recovery.cut.as_ref())?;
    resume_writing(disk, options, now_ns, &segments, &head.newest, end)
        .map(|writer| (writer, recovery))
}

/// Removes what a killed run was still making, and brings to the medium what it left in a cache,
/// so that what is read from now on is durable.
fn tidy<D: Disk>(disk: &mut D) -> Result<Vec<String>, OpenError> {
    for temp in [HEAD_TEMP, SNAPSHOT_TEMP, SEGMENT_TEMP, INDEX_TEMP, ANCHOR_TEMP] {
        if disk.len(temp)?.is_some() {
            disk.remove(temp)?;
        }
    }
    let mut names = disk.list()?;
    names.sort_unstable();
    // Only the active segment and the one made ahead can hold unsynced writes.
    for name in names.iter().rev().filter(|name| segment_number(name).is_some()).take(2) {
        disk.sync(name)?;
    }
    if names.iter().any(|name| name == HEAD_FILE) {
        disk.sync(HEAD_FILE)?;
    }
    Ok(names)
}

pub(crate) fn head_lost() -> Damage {
    Damage {
        file: HEAD_FILE.into(),
        offset: 0,
        frame: 0,
        from_record: 1,
        to_record: None,
        flaw: Flaw::HeadLost,
    }
}

/// Whether there is no journal yet: nothing, or what an interrupted making of one left.
fn never_used<D: Disk>(
    disk: &mut D,
    names: &[String],
    segments: &[SegmentFile],
) -> Result<bool, OpenError> {
    if !newest_first(names).is_empty() {
        return Ok(false);
    }
    match segments {
        [] => Ok(true),
        [only] if only.number == 1 => match only.valid() {
            Some(header) => {
                let from = header.block.bytes() as u64;
                Ok(written(disk, &only.name, from, only.len)?.is_none())
            }
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// Makes the directory a journal: the first segment under another name, then its name, then the
/// head. So a journal without a head has one segment, whole and without a frame: never used.
fn format<D: Disk>(
    mut disk: D,
    options: Options,
    now_ns: u64,
    segments: &[SegmentFile],
) -> Result<(Writer<D>, Recovery), OpenError> {
    if !options.create {
        return Err(OpenError::Absent);
    }
    for file in segments {
        disk.remove(&file.name)?;
    }
    let header = SegmentHeader {
        block: options.block,
        number: 1,
        segment_bytes: options.segment_bytes,
        first_frame: 1,
        first_record: 1,
        epoch: 0,
        time_ns: now_ns,
        node: options.node,
        previous: Hash::default(),
    };
    disk.create(SEGMENT_TEMP, options.segment_bytes)?;
    zero_fill(&mut disk, SEGMENT_TEMP, 0, options.segment_bytes)?;
    disk.write(SEGMENT_TEMP, 0, &header.to_block())?;
    disk.sync(SEGMENT_TEMP)?;
    disk.rename(SEGMENT_TEMP, &segment_name(1))?;
    disk.sync_dir()?;
    let offset = header.block.bytes() as u64;
    let slot = HeadSlot {
        segment: 1,
        oldest: 1,
        end: offset,
        time_ns: now_ns,
        node: options.node,
        ..HeadSlot::default()
    };
    let head = replace_head(&mut disk, slot)?;
    let active = Active { header, offset };
    let writer = Writer::at(disk, options, Mark::default(), active, head, now_ns);
    Ok((writer, Recovery::default()))
}

fn found(head: &HeadFile) -> HeadFound {
    if head.newest.stopped {
        HeadFound::Stopped
    } else {
        HeadFound::Running { frame: head.newest.frame, slot_torn: head.broken_slot.is_some() }
    }
}

/// Whose journal it is, in which version, and whether all of it is there.
fn check_identity(
    segments: &[SegmentFile],
    head: &HeadFile,
    options: &Options,
) -> Result<(), OpenError> {
    let nodes = segments.iter().filter_map(SegmentFile::valid).map(|header| header.node);
    for node in core::iter::once(head.newest.node).chain(nodes) {
        if node != options.node {
            return Err(OpenError::WrongNode { found: node });
        }
    }
    for file in segments {
        if let HeaderRead::Newer(version) = file.header {
            return Err(OpenError::Newer { file: file.name.clone(), version });
        }
    }
    let damage = missing_segment(segments, &head.newest);
    if let Some(damage) = damage.or_else(|| broken_header(segments, &head.newest)) {
        return Err(OpenError::Damaged(damage));
    }
    match head.broken_slot {
        Some(offset) if head.newest.stopped => {
            Err(OpenError::Damaged(head_slot_broken(&head.newest, offset)))
        }
        Some(_) | None => Ok(()),
    }
}

/// A slot of the head that does not hold although the journal was stopped cleanly.
pub(crate) fn head_slot_broken(head: &HeadSlot, offset: u64) -> Damage {
    Damage {
        file: HEAD_FILE.into(),
        offset,
        frame: head.frame,
        from_record: head.record.saturating_add(1),
        to_record: Some(head.record),
        flaw: Flaw::HeadSlot,
    }
}

/// Gives the newest good snapshot to the caller and says where the walk begins.
fn start<D: Disk>(
    disk: &mut D,
    names: &[String],
    segments: &[SegmentFile],
    head: &HeadSlot,
    replay: &mut dyn FnMut(Replay<'_>) -> Result<(), String>,
    recovery: &mut Recovery,
) -> Result<Position, OpenError> {
    // From an older one nothing could be replayed: what followed it was put away.
    let first =
        segments.iter().find_map(SegmentFile::valid).map_or(1, |header| header.first_record);
    for record in newest_first(names).into_iter().filter(|r| r.saturating_add(1) >= first) {
        let taken = match Snapshot::read(disk, head.node, record)? {
            None => Err(String::new()),
            Some(found) => replay(Replay::Snapshot { record, bytes: found.payload() }),
        };
        if taken.is_ok() {
            recovery.snapshot_used = Some(record);
            break;
        }
        recovery.snapshots_refused.push(snapshot_name(record));
    }
    if recovery.snapshot_used.is_none() && first > 1 {
        recovery.snapshot_used = from_anchor(disk, segments, replay, recovery)?;
    }
    let next = recovery.snapshot_used.unwrap_or(0).saturating_add(1);
    let headers = segments.iter().enumerate();
    let start = headers
        .filter_map(|(index, file)| file.valid().map(|header| Position::start(index, header)))
        .take_while(|position| position.record <= next)
        .last();
    start.ok_or_else(|| {
        let first = segments.iter().find_map(SegmentFile::valid);
        let broken = segments.first().is_some_and(|file| file.valid().is_none());
        OpenError::Damaged(Damage {
            file: segments.first().map_or_else(|| segment_name(1), |file| file.name.clone()),
            offset: 0,
            frame: first.map_or(1, |header| header.first_frame),
            from_record: next,
            to_record: first.map(|header| header.first_record.saturating_sub(1)),
            flaw: if broken { Flaw::SegmentHeader } else { Flaw::HistoryMissing },
        })
    })
}

/// Gives the state that stands for removed segments.
fn from_anchor<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    replay: &mut dyn FnMut(Replay<'_>) -> Result<(), String>,
    recovery: &mut Recovery,
) -> Result<Option<u64>, OpenError> {
    let Some(header) = segments.first().and_then(SegmentFile::valid) else { return Ok(None) };
    let record = header.first_record.saturating_sub(1);
    let taken = Anchor::of(disk, header)?
        .is_some_and(|found| replay(Replay::Snapshot { record, bytes: found.payload() }).is_ok());
    if !taken {
        recovery.snapshots_refused.push(anchor_name(record));
    }
    Ok(taken.then_some(record))
}

/// Gives every record behind the snapshot to the caller, and judges the end. Returns the position
/// behind the last frame.
fn replay_from<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    head: &HeadSlot,
    start: Position,
    replay: &mut dyn FnMut(Replay<'_>) -> Result<(), String>,
    recovery: &mut Recovery,
) -> Result<Position, OpenError> {
    let skip = recovery.snapshot_used.unwrap_or(0);
    let mut walk = Walk::go_on(segments, start, Window::ahead(RECOVERY_READ_BYTES));
    loop {
        let before = walk.at;
        match walk.next(disk)? {
            Step::Frame(frame) => {
                if let Some(flaw) = contradicts(head, segments, &frame, &walk.at) {
                    let damage = damage_at(disk, segments, head, before, flaw)?;
                    return Err(OpenError::Damaged(damage));
                }
                recovery.frames = recovery.frames.saturating_add(1);
                for record in walk.records(&frame).filter(|record| record.number > skip) {
                    recovery.records = recovery.records.saturating_add(1);
                    let number = record.number;
                    replay(Replay::Record(record))
                        .map_err(|why| OpenError::Refused { record: number, why })?;
                }
            }
            Step::Newer(version) => {
                let file = segments.get(walk.at.index).map(|file| file.name.clone());
                return Err(OpenError::Newer { file: file.unwrap_or_default(), version });
            }
            step @ (Step::Broken(_) | Step::End) => {
                match judge(disk, segments, head, walk.at, step)? {
                    Tail::Damaged(damage) => return Err(OpenError::Damaged(damage)),
                    Tail::Torn(cut) => recovery.cut = Some(cut),
                    Tail::Clean => {}
                }
                let end = behind_snapshot(segments, walk.at, skip)?;
                let record = skip.max(walk.at.record.saturating_sub(1));
                replay(Replay::End).map_err(|why| OpenError::Refused { record, why })?;
                return Ok(end);
            }
        }
    }
}

/// A snapshot of records that the journal does not hold means that the journal has lost them.
fn behind_snapshot(
    segments: &[SegmentFile],
    at: Position,
    snapshot: u64,
) -> Result<Position, OpenError> {
    match segments.get(at.index) {
        Some(file) if at.record <= snapshot => Err(OpenError::Damaged(Damage {
            to_record: Some(snapshot),
            ..untouched(file, at.offset, at, Flaw::SnapshotAhead)
        })),
        Some(_) | None => Ok(at),
    }
}

/// Makes a torn tail unwritten space again, and removes what a killed run had made ahead: whether
/// that was finished, or its header half written, is not known.
fn clear_tail<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    head: &HeadSlot,
    end: Position,
    cut: Option<&Cut>,
) -> Result<(), OpenError> {
    if let (Some(cut), Some(active)) = (cut, segments.get(end.index))
        && cut.file == active.name
    {
        repair(disk, active, cut)?;
    }
    let ahead = segments.get(end.index.saturating_add(1)..).unwrap_or(&[]);
    if !head.stopped && !ahead.is_empty() {
        for file in ahead {
            disk.remove(&file.name)?;
        }
        disk.sync_dir()?;
    }
    Ok(())
}

/// Names the recovered end in a new head, so that it is acknowledged from now on, and gives the
/// writer.
fn resume_writing<D: Disk>(
    mut disk: D,
    options: Options,
    now_ns: u64,
    segments: &[SegmentFile],
    head: &HeadSlot,
    at: Position,
) -> Result<Writer<D>, OpenError> {
    let Some(header) = segments.get(at.index).and_then(SegmentFile::valid) else {
        return Err(OpenError::Damaged(head_lost()));
    };
    let mark = Mark {
        epoch: at.epoch.max(head.epoch),
        frame: at.sequence.saturating_sub(1),
        record: at.record.saturating_sub(1),
        time_ns: at.time_ns,
        hash: at.previous,
    };
    let slot = HeadSlot {
        generation: head.generation.saturating_add(1),
        stopped: false,
        epoch: mark.epoch,
        frame: mark.frame,
        record: mark.record,
        segment: header.number,
        end: at.offset,
        time_ns: now_ns,
        oldest: head.oldest,
        node: options.node,
        hash: mark.hash,
    };
    let head = replace_head(&mut disk, slot)?;
    let active = Active { header: *header, offset: at.offset };
    Ok(Writer::at(disk, options, mark, active, head, now_ns))
}
