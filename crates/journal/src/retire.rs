//! Putting sealed segments away: copied to an archive whole and read back, and only then removed
//! here, with an anchor in their place.
//!
//! The order is what keeps every record somewhere: the anchor durable and read back; then the head
//! names the first segment that stays; then files go, the oldest first; then older anchors and
//! snapshots, from which nothing could be replayed. A crash between two of these leaves a journal
//! that opens and verifies as before; its next opening ends what was begun ([`finish`]).
use crate::anchor::{Anchor, Place, anchor_name, anchors, write_anchor};
use crate::copy::CopyError;
use crate::disk::{Disk, DiskError};
use crate::format::{HEAD_FILE, Hash, HeadSlot, HeaderRead, segment_name};
use crate::limits::{ANCHOR_BYTES_MAX, PIECE_BYTES};
use crate::open::head_lost;
use crate::snapshot::{newest_first, snapshot_name};
use crate::verify::VerifyError;
use crate::walk::{HeadRead, SegmentFile, load_segments, missing_segment, read_head};
use crate::writer::replace_head;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use sha2::{Digest, Sha256};

/// A segment that is never written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub number: u64,
    /// Its file.
    pub file: String,
    /// The file's length, bytes.
    pub bytes: u64,
    /// Its first frame.
    pub first_frame: u64,
    /// Its last frame.
    pub last_frame: u64,
    /// Its first record.
    pub first_record: u64,
    /// Its last record.
    pub last_record: u64,
    /// SHA-256 of the frame before its first.
    pub previous: Hash,
    /// SHA-256 of its last frame.
    pub last: Hash,
    /// When it was taken into use, nanoseconds.
    pub from_ns: u64,
    /// When the next one was: no record of it is later.
    pub until_ns: u64,
}

/// What can be put away of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Sealed segments that are kept, oldest first.
    pub sealed: Vec<Sealed>,
    /// Whether the journal was stopped cleanly, so that segments may be removed.
    pub stopped: bool,
    /// The oldest segment that is kept.
    pub oldest: u64,
}

/// Why segments were not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetireError {
    /// The journal could not be read.
    Source(VerifyError),
    /// It is damaged.
    Damaged(crate::Damage),
    /// It was not stopped cleanly: start its role and stop it.
    NotStopped,
    /// That segment is not sealed, or is not there.
    NotSealed {
        /// Its number.
        segment: u64,
    },
    /// The state is over its limit, bytes.
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// What was read back of the anchor is not what was written.
    NotWritten,
}

impl fmt::Display for RetireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "{error}"),
            Self::Damaged(damage) => write!(f, "the journal is damaged: {damage}"),
            Self::NotStopped => f.write_str("the journal was not stopped cleanly"),
            Self::NotSealed { segment } => write!(f, "segment {segment} is not sealed"),
            Self::TooLarge { bytes } => {
                write!(f, "a state of {bytes} bytes, the limit is {ANCHOR_BYTES_MAX}")
            }
            Self::NotWritten => {
                f.write_str("the anchor that was read back is not what was written")
            }
        }
    }
}

impl core::error::Error for RetireError {}

impl From<DiskError> for RetireError {
    fn from(error: DiskError) -> Self {
        Self::Source(VerifyError::Disk(error))
    }
}

/// The sealed segments of a journal, and whether they may be removed. Changes nothing.
pub fn shelf<D: Disk>(disk: &mut D) -> Result<Shelf, RetireError> {
    let (head, segments) = look(disk)?;
    let mut shelf = Shelf { sealed: Vec::new(), stopped: head.stopped, oldest: head.oldest };
    let kept = segments.iter().filter(|file| file.number >= head.oldest);
    let next = kept.clone().skip(1);
    for (file, next) in kept.zip(next) {
        let (Some(header), Some(next)) = (file.valid(), next.valid()) else { break };
        // The head of a running journal may be older than its last segment.
        if next.number > head.segment {
            break;
        }
        shelf.sealed.push(Sealed {
            number: header.number,
            file: file.name.clone(),
            bytes: file.len,
            first_frame: header.first_frame,
            last_frame: next.first_frame.saturating_sub(1),
            first_record: header.first_record,
            last_record: next.first_record.saturating_sub(1),
            previous: header.previous,
            last: next.previous,
            from_ns: header.time_ns,
            until_ns: next.time_ns,
        });
    }
    Ok(shelf)
}

fn look<D: Disk>(disk: &mut D) -> Result<(HeadSlot, Vec<SegmentFile>), RetireError> {
    let head = match read_head(disk)? {
        HeadRead::Found(head) if head.newest.stopped && head.broken_slot.is_some() => {
            return Err(RetireError::Damaged(head_lost()));
        }
        HeadRead::Found(head) => head.newest,
        HeadRead::Absent => return Err(RetireError::Source(VerifyError::Absent)),
        HeadRead::Broken => return Err(RetireError::Damaged(head_lost())),
        HeadRead::Newer(version) => {
            let file = HEAD_FILE.into();
            return Err(RetireError::Source(VerifyError::Newer { file, version }));
        }
    };
    let mut names = disk.list()?;
    names.sort_unstable();
    let segments = load_segments(disk, &names)?;
    if let Some(damage) = missing_segment(&segments, &head) {
        return Err(RetireError::Damaged(damage));
    }
    for file in &segments {
        if let HeaderRead::Newer(version) = file.header {
            let file = file.name.clone();
            return Err(RetireError::Source(VerifyError::Newer { file, version }));
        }
    }
    Ok((head, segments))
}

/// Copies a file of a journal whole, syncs it, and reads it back; returns the SHA-256 of it, which
/// the copy has too.
pub fn copy_whole<S: Disk, T: Disk>(
    source: &mut S,
    target: &mut T,
    name: &str,
) -> Result<Hash, CopyError> {
    let missing = || DiskError {
        kind: crate::DiskErrorKind::NotFound,
        op: crate::DiskOp::Len,
        name: name.into(),
        detail: String::new(),
    };
    let len = source.len(name)?.ok_or_else(missing)?;
    target.create(name, len).map_err(CopyError::Target)?;
    let mut hash = Sha256::new();
    each_piece(source, name, len, &mut |offset, piece| {
        hash.update(piece);
        // New files read as zero.
        if crate::format::is_zero(piece) { Ok(()) } else { target.write(name, offset, piece) }
    })
    .map_err(|(error, is_source)| match is_source {
        true => CopyError::from(error),
        false => CopyError::Target(error),
    })?;
    target.sync(name).map_err(CopyError::Target)?;
    let ours = Hash(hash.finalize().into());
    if file_hash(target, name).map_err(CopyError::Target)? != Some(ours) {
        return Err(CopyError::Differs { file: name.into() });
    }
    Ok(ours)
}

/// SHA-256 of a whole file; `None` if there is none.
pub fn file_hash<D: Disk>(disk: &mut D, name: &str) -> Result<Option<Hash>, DiskError> {
    let Some(len) = disk.len(name)? else { return Ok(None) };
    let mut hash = Sha256::new();
    let read = each_piece(disk, name, len, &mut |_, piece| {
        hash.update(piece);
        Ok(())
    });
    read.map_err(|(error, _)| error)?;
    Ok(Some(Hash(hash.finalize().into())))
}

/// What takes a piece of a file, and where it stands.
type Take<'a> = dyn FnMut(u64, &[u8]) -> Result<(), DiskError> + 'a;

/// Gives a file piece by piece; an error comes with whether the file itself could not be read.
fn each_piece<D: Disk>(
    disk: &mut D,
    name: &str,
    len: u64,
    take: &mut Take<'_>,
) -> Result<(), (DiskError, bool)> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0u64;
    while offset < len {
        let read = disk.read(name, offset, &mut piece).map_err(|error| (error, true))?;
        let read = read.min(piece.len());
        if read == 0 {
            break;
        }
        take(offset, &piece[..read]).map_err(|error| (error, false))?;
        offset = offset.saturating_add(read as u64);
    }
    Ok(())
}

/// Writes the anchor that stands for all segments up to `through`: `state` is the caller's after
/// their last record. Removes nothing; returns the file's name.
pub fn anchor<D: Disk>(disk: &mut D, through: u64, state: &[u8]) -> Result<String, RetireError> {
    let (_, place) = boundary(disk, through)?;
    write_at(disk, &place, state)
}

/// The same, written elsewhere: beside the copies of those segments.
pub fn anchor_beside<S: Disk, T: Disk>(
    source: &mut S,
    target: &mut T,
    through: u64,
    state: &[u8],
) -> Result<String, RetireError> {
    let (_, place) = boundary(source, through)?;
    write_at(target, &place, state)
}

fn write_at<D: Disk>(disk: &mut D, place: &Place, state: &[u8]) -> Result<String, RetireError> {
    if state.len() as u64 > ANCHOR_BYTES_MAX {
        return Err(RetireError::TooLarge { bytes: state.len() as u64 });
    }
    if !write_anchor(disk, place, state)? {
        return Err(RetireError::NotWritten);
    }
    Ok(anchor_name(place.record))
}

/// The file of the anchor after `record`, and the state that it holds; `None` if it is not there or
/// does not hold.
pub fn anchored<D: Disk>(
    disk: &mut D,
    record: u64,
) -> Result<Option<(String, Vec<u8>)>, DiskError> {
    let found = Anchor::read(disk, record)?;
    Ok(found.map(|found| (anchor_name(record), found.payload().to_vec())))
}

/// The oldest segment that a journal keeps, as its head says; `None` where no head can be read.
pub fn oldest<D: Disk>(disk: &mut D) -> Result<Option<u64>, DiskError> {
    match read_head(disk)? {
        HeadRead::Found(head) => Ok(Some(head.newest.oldest)),
        HeadRead::Absent | HeadRead::Broken | HeadRead::Newer(_) => Ok(None),
    }
}

/// The place before each segment of a directory whose header holds, in order.
pub fn places<D: Disk>(disk: &mut D) -> Result<Vec<Place>, DiskError> {
    let names = disk.list()?;
    let segments = load_segments(disk, &names)?;
    Ok(segments.iter().filter_map(SegmentFile::valid).map(Place::before).collect())
}

/// Where the anchors of a directory stand that hold, the first of them first.
pub fn stands<D: Disk>(disk: &mut D) -> Result<Vec<Place>, DiskError> {
    let mut places = Vec::new();
    for record in anchors(&disk.list()?).into_iter().rev() {
        places.extend(Anchor::read(disk, record)?.map(|anchor| anchor.place));
    }
    Ok(places)
}

/// Removes all segments up to `through`, for which [`anchor`] has written an anchor. Only in a
/// journal that was stopped cleanly and that nobody opens meanwhile. Returns how many went.
pub fn retire<D: Disk>(disk: &mut D, through: u64) -> Result<u64, RetireError> {
    let (head, place) = boundary(disk, through)?;
    if !head.stopped {
        return Err(RetireError::NotStopped);
    }
    let found = Anchor::read(disk, place.record)?;
    if found.is_none_or(|found| found.place != place) {
        return Err(RetireError::NotWritten);
    }
    let oldest = through.saturating_add(1);
    if head.oldest < oldest {
        let generation = head.generation.saturating_add(1);
        replace_head(disk, HeadSlot { generation, oldest, ..head })?;
    }
    Ok(sweep(disk, &place)?)
}

/// The head, and the place behind the last frame of a sealed segment.
fn boundary<D: Disk>(disk: &mut D, through: u64) -> Result<(HeadSlot, Place), RetireError> {
    let (head, segments) = look(disk)?;
    let not_sealed = RetireError::NotSealed { segment: through };
    if through == 0 || through >= head.segment {
        return Err(not_sealed);
    }
    let next = through.saturating_add(1);
    let next = segments.iter().find(|file| file.number == next).and_then(SegmentFile::valid);
    next.map(|header| (head, Place::before(header))).ok_or(not_sealed)
}

/// Ends a removal that was begun: whatever the head no longer counts among what is kept goes, if
/// the anchor that stands for it holds. Returns the segments that are left.
pub(crate) fn finish<D: Disk>(
    disk: &mut D,
    segments: Vec<SegmentFile>,
    head: &HeadSlot,
) -> Result<Vec<SegmentFile>, DiskError> {
    let first = segments.iter().find(|file| file.number == head.oldest);
    let Some(header) = first.and_then(SegmentFile::valid) else { return Ok(segments) };
    let has_left = segments.first().is_some_and(|file| file.number < head.oldest);
    let place = Place::before(header);
    let has_older = anchors(&disk.list()?).iter().any(|record| *record < place.record);
    if (has_left || has_older) && Anchor::of(disk, header)?.is_some() {
        sweep(disk, &place)?;
        return Ok(segments.into_iter().filter(|file| file.number >= head.oldest).collect());
    }
    Ok(segments)
}

/// Removes what an anchor stands for: segments and what was made of them, then older states.
fn sweep<D: Disk>(disk: &mut D, place: &Place) -> Result<u64, DiskError> {
    let mut names = disk.list()?;
    names.sort_unstable();
    let mut segments = 0u64;
    let mut gone = false;
    for name in names.iter().filter(|name| stands_for(name).is_some_and(|n| n <= place.segment)) {
        disk.remove(name)?;
        gone = true;
        if name.ends_with(".seg") {
            segments = segments.saturating_add(1);
        }
    }
    if gone {
        disk.sync_dir()?;
    }
    let older = |record: &u64| *record < place.record;
    let states = anchors(&names).into_iter().filter(older).map(anchor_name);
    let snapshots = newest_first(&names).into_iter().filter(older).map(snapshot_name);
    let states: Vec<String> = states.chain(snapshots).collect();
    for name in &states {
        disk.remove(name)?;
    }
    if !states.is_empty() {
        disk.sync_dir()?;
    }
    Ok(segments)
}

/// The segment that a file belongs to: its own, or an index beside it.
fn stands_for(name: &str) -> Option<u64> {
    let (digits, _) = name.split_once('.')?;
    let number: u64 = digits.parse().ok()?;
    (digits.len() == 10 && number > 0 && name.starts_with(&segment_name(number)[..10]))
        .then_some(number)
}
