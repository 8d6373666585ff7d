//! Copying a journal up to a moment: what a backup is. The copy is the same bytes, and ends with
//! its head as a journal does that was stopped there.
use crate::anchor::{anchor_name, anchors};
use crate::damage::{Damage, Flaw};
use crate::disk::{Disk, DiskError};
use crate::format::{BLOCK_BYTES_MAX, FrameHeader, HEAD_FILE, HeadSlot};
use crate::limits::PIECE_BYTES;
use crate::open::head_lost;
use crate::retire::copy_whole;
use crate::snapshot::{Snapshot, newest_first, snapshot_name};
use crate::tail::damage_at;
use crate::verify::{Extent, VerifyError};
use crate::walk::{
    HeadRead, Position, SegmentFile, Step, Walk, contradicts, load_segments, missing_segment,
    read_head,
};
use crate::writer::replace_head;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// How much of a journal is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Beside a running writer up to its head, or to the end.
    pub extent: Extent,
    /// No frame with a record that is later, nanoseconds.
    pub record_ns: u64,
}

impl Until {
    /// All of it.
    pub const fn all(extent: Extent) -> Self {
        Self { extent, record_ns: u64::MAX }
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The last record, 0 = none.
    pub record: u64,
    /// The last frame, 0 = none.
    pub frame: u64,
    /// When the last frame was begun, nanoseconds.
    pub time_ns: u64,
    /// Bytes of frames and segment headers.
    pub bytes: u64,
}

/// Why a journal could not be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyError {
    /// It could not be read.
    Source(VerifyError),
    /// What is to be copied is damaged.
    Damaged(Damage),
    /// The copy could not be written.
    Target(DiskError),
    /// There is something where the copy is to be.
    NotEmpty,
    /// What was read back of a copied file is not what was written.
    Differs {
        /// The file.
        file: String,
    },
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "{error}"),
            Self::Damaged(damage) => write!(f, "the journal is damaged: {damage}"),
            Self::Target(error) => write!(f, "the copy can't be written: {error}"),
            Self::NotEmpty => f.write_str("there is something where the copy is to be"),
            Self::Differs { file } => write!(f, "the copy of {file} is not what was written"),
        }
    }
}

impl core::error::Error for CopyError {}

impl From<DiskError> for CopyError {
    fn from(error: DiskError) -> Self {
        Self::Source(VerifyError::Disk(error))
    }
}

/// Copies a journal onto an empty disk, believing nothing. Writes nothing to the source.
pub fn copy<S: Disk, T: Disk>(
    mut source: S,
    mut target: T,
    until: Until,
) -> Result<Copied, CopyError> {
    if !target.list().map_err(CopyError::Target)?.is_empty() {
        return Err(CopyError::NotEmpty);
    }
    let head = match read_head(&mut source)? {
        HeadRead::Found(head) => head.newest,
        HeadRead::Absent => return Err(CopyError::Source(VerifyError::Absent)),
        HeadRead::Broken => return Err(CopyError::Damaged(head_lost())),
        HeadRead::Newer(version) => {
            let file = HEAD_FILE.into();
            return Err(CopyError::Source(VerifyError::Newer { file, version }));
        }
    };
    // The head before the list: segments made later are not needed to reach its frame.
    let mut names = source.list()?;
    names.sort_unstable();
    let segments = load_segments(&mut source, &names)?;
    if let Some(damage) = missing_segment(&segments, &head) {
        return Err(CopyError::Damaged(damage));
    }
    let found = walk(&mut source, &segments, &head, until)?;
    let mut copied = Copied {
        record: found.at.record.saturating_sub(1),
        frame: found.at.sequence.saturating_sub(1),
        time_ns: found.at.time_ns,
        bytes: 0,
    };
    for (file, end) in segments.iter().zip(&found.ends) {
        copy_file(&mut source, &mut target, file, *end)?;
        copied.bytes = copied.bytes.saturating_add(*end);
    }
    copy_snapshot(&mut source, &mut target, &names, &head, copied.record)?;
    for record in anchors(&names) {
        copy_whole(&mut source, &mut target, &anchor_name(record))?;
    }
    let last = segments.get(found.at.index);
    let slot = HeadSlot {
        generation: 0,
        stopped: true,
        frame: copied.frame,
        record: copied.record,
        segment: last.map_or(head.segment, |file| file.number),
        end: found.at.offset,
        time_ns: found.at.time_ns,
        hash: found.at.previous,
        ..head
    };
    replace_head(&mut target, slot).map_err(CopyError::Target)?;
    Ok(copied)
}

/// Where the copy ends, and how much of each segment belongs to it.
struct Found {
    at: Position,
    ends: Vec<u64>,
}

fn walk<S: Disk>(
    source: &mut S,
    segments: &[SegmentFile],
    head: &HeadSlot,
    until: Until,
) -> Result<Found, CopyError> {
    let damaged = |damage| Err(CopyError::Damaged(damage));
    let Some(start) = segments.first().and_then(|file| Some(Position::start(0, file.valid()?)))
    else {
        let at = Position { index: 0, offset: 0, ..Position::default() };
        return damaged(damage_at(source, segments, head, at, Flaw::SegmentHeader)?);
    };
    let mut found = Found { at: start, ends: vec![start.offset] };
    let mut walk = Walk::new(segments, start);
    loop {
        if until.extent == Extent::UpToHead && walk.at.sequence > head.frame {
            return Ok(found);
        }
        let before = walk.at;
        let flaw = match walk.next(source)? {
            Step::Frame(frame) => {
                if let Some(flaw) = contradicts(head, segments, &frame, &walk.at) {
                    return damaged(damage_at(source, segments, head, before, flaw)?);
                }
                if is_later(&walk, &frame, until) {
                    return Ok(found);
                }
                found.at = walk.at;
                found.ends.resize(walk.at.index.saturating_add(1), 0);
                if let Some(end) = found.ends.last_mut() {
                    *end = walk.at.offset;
                }
                continue;
            }
            Step::Newer(version) => {
                let file = segments.get(walk.at.index).map(|file| file.name.clone());
                let file = file.unwrap_or_default();
                return Err(CopyError::Source(VerifyError::Newer { file, version }));
            }
            Step::Broken(flaw) => flaw,
            Step::End => Flaw::FramesMissing,
        };
        // What follows the head was acknowledged to nobody: the copy does without it.
        if walk.at.sequence > head.frame {
            return Ok(found);
        }
        return damaged(damage_at(source, segments, head, walk.at, flaw)?);
    }
}

fn is_later(walk: &Walk<'_>, frame: &FrameHeader, until: Until) -> bool {
    let last = walk.records(frame).last().map_or(frame.time_ns, |record| record.time_ns);
    last > until.record_ns
}

/// The first `end` bytes of a segment; the rest of it stays zero.
fn copy_file<S: Disk, T: Disk>(
    source: &mut S,
    target: &mut T,
    file: &SegmentFile,
    end: u64,
) -> Result<(), CopyError> {
    let bytes = file.valid().map_or(file.len, |header| header.segment_bytes);
    target.create(&file.name, bytes).map_err(CopyError::Target)?;
    copy_bytes(source, target, &file.name, end)
}

fn copy_bytes<S: Disk, T: Disk>(
    source: &mut S,
    target: &mut T,
    name: &str,
    end: u64,
) -> Result<(), CopyError> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0u64;
    while offset < end {
        let want = end.saturating_sub(offset).min(PIECE_BYTES as u64);
        let want = usize::try_from(want).unwrap_or(PIECE_BYTES);
        let read = source.read(name, offset, &mut piece[..want])?;
        if read == 0 {
            break;
        }
        target.write(name, offset, &piece[..read]).map_err(CopyError::Target)?;
        offset = offset.saturating_add(read as u64);
    }
    target.sync(name).map_err(CopyError::Target)
}

/// The newest snapshot that holds and belongs to what is copied: without one the copy opens too,
/// only later.
fn copy_snapshot<S: Disk, T: Disk>(
    source: &mut S,
    target: &mut T,
    names: &[String],
    head: &HeadSlot,
    record: u64,
) -> Result<(), CopyError> {
    for snapshot in newest_first(names).into_iter().filter(|snapshot| *snapshot <= record) {
        // A running writer may have removed it since the list was made.
        let Ok(Some(_)) = Snapshot::read(source, head.node, snapshot) else { continue };
        let name = snapshot_name(snapshot);
        let len = source.len(&name)?.unwrap_or(0);
        debug_assert!(len.is_multiple_of(BLOCK_BYTES_MAX as u64));
        target.create(&name, len).map_err(CopyError::Target)?;
        return copy_bytes(source, target, &name, len);
    }
    Ok(())
}
