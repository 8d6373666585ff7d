//! Indexes beside sealed segments (`docs/formats/index.md`): where in a segment the records of a
//! key are.
//!
//! How things flow: once the head names a later segment, a [`Build`] reads a sealed one piece by
//! piece, asks its caller for the keys of each record, and writes the index under a temporary name,
//! synced and renamed. [`Index`] finds a key: a page of the filter, a page of entries, then
//! [`Index::frame`] reads the frame, whose checksum is verified again. What bounds it: the segment.
//! An index says nothing that its segment does not: a lost or damaged one is built again, and
//! [`check`] compares one with its segment. A key is 64 bits that are
//! evenly spread. Deliberately absent: what it is made of, and which records
//! belong to a payment.
mod build;
mod format;
mod read;
mod room;
mod sort;

pub use build::{Build, Progress};
pub use format::{Span, Summary, index_name, index_number};
pub use read::{Frame, Index, IndexError};
pub use room::Room;

use crate::disk::{Disk, DiskError};
use crate::format::{RecordView, segment_name};
use crate::walk::{HeadRead, SegmentFile, load_segments, read_head};
use alloc::vec;
use alloc::vec::Vec;

/// The name while an index is written.
pub(crate) const INDEX_TEMP: &str = "index.tmp";

/// Spans of time that a caller keeps of each segment, beside the records' own.
pub const SPANS: usize = 3;

/// What a caller says of a record.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub(crate) keys: Vec<u64>,
    pub(crate) recent: Vec<u64>,
    pub(crate) spans: [Span; SPANS],
    pub(crate) tags: Vec<u64>,
}

impl Keys {
    /// As new, in the same memory.
    fn empty(&mut self) {
        self.keys.clear();
        self.recent.clear();
        self.spans = Default::default();
        self.tags.clear();
    }

    /// The record is to be found by this key.
    pub fn key(&mut self, key: u64) {
        self.keys.push(key);
    }

    /// The same, and the key is also one of the list that [`Index::recent`] gives back whole.
    pub fn recent(&mut self, key: u64) {
        self.keys.push(key);
        self.recent.push(key);
    }

    /// A value of the caller's that the index keeps the first and last of.
    pub fn span(&mut self, which: usize, value: u64) {
        if let Some(span) = self.spans.get_mut(which) {
            span.take(value);
        }
    }

    /// Something that occurs in the segment, told once whatever the number of its records: an
    /// account. At most [`format::TAGS_MAX`] of a segment are kept.
    pub fn tag(&mut self, tag: u64) {
        if !self.tags.contains(&tag) && self.tags.len() < format::TAGS_MAX {
            self.tags.push(tag);
        }
    }
}

/// What finds the keys of a record. Its `version` is written into each index, and one of another
/// version is built again.
pub trait KeysOf {
    /// The version of what it finds.
    fn version(&self) -> u16;
    /// Says what a record is to be found by.
    fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys);
}

/// A segment that is sealed for good.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Sealed {
    /// The segment.
    pub number: u64,
    /// Its last record.
    pub last_record: u64,
}

/// The segments that are sealed for good, in order: the head names a later one, so that a frame in
/// that one was acknowledged, and no crash makes one of these the last again.
///
/// Damaged where one between the oldest that the head names and the one in use is not there, or
/// its header does not hold: what the others have is then not all.
pub fn sealed<D: Disk>(disk: &mut D) -> Result<Vec<Sealed>, IndexError> {
    let HeadRead::Found(head) = read_head(disk)? else {
        return Ok(Vec::new());
    };
    let before = active(disk)?;
    let names = disk.list()?;
    let segments = load_segments(disk, &names)?;
    let mut sealed = Vec::new();
    let mut expected = head.newest.oldest;
    let kept = segments.iter().filter(|file| (head.newest.oldest..=before).contains(&file.number));
    for file in kept {
        let header = file.valid().filter(|_| file.number == expected);
        let Some(header) = header else { break };
        if let Some(last) = sealed.last_mut() {
            let Sealed { last_record, .. } = last;
            *last_record = header.first_record.saturating_sub(1);
        }
        sealed.push(Sealed { number: file.number, last_record: 0 });
        expected = expected.saturating_add(1);
    }
    if expected <= before {
        return Err(IndexError::Damaged { file: segment_name(expected), offset: 0 });
    }
    // The one in use is none.
    sealed.pop();
    Ok(sealed)
}

/// The segment in use: the last that the head names a frame of. One that was taken into use and
/// that nobody has entered yet is none: its header may be lost. So a cut between the two never
/// makes a segment that was sealed one that is not.
pub fn active<D: Disk>(disk: &mut D) -> Result<u64, DiskError> {
    let HeadRead::Found(head) = read_head(disk)? else {
        return Ok(0);
    };
    let segment = head.newest.segment;
    let segments = load_segments(disk, &[segment_name(segment)])?;
    let begun = segments.first().and_then(SegmentFile::valid);
    let entered = begun.is_some_and(|header| head.newest.frame >= header.first_frame);
    Ok(if entered { segment } else { segment.saturating_sub(1) })
}

/// The first record that is kept: of the oldest segment that the head names; 0 without one.
pub fn first_record<D: Disk>(disk: &mut D) -> Result<u64, DiskError> {
    let HeadRead::Found(head) = read_head(disk)? else {
        return Ok(0);
    };
    let segments = load_segments(disk, &[segment_name(head.newest.oldest)])?;
    Ok(segments.first().and_then(SegmentFile::valid).map_or(0, |header| header.first_record))
}

/// The segments that have an index, good or not, in order.
pub fn list<D: Disk>(disk: &mut D) -> Result<Vec<u64>, DiskError> {
    let mut numbers: Vec<u64> = disk.list()?.iter().filter_map(|name| index_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Builds the index of a sealed segment in one go; durable when it returns.
pub fn build<D: Disk>(disk: &mut D, number: u64, keys: &dyn KeysOf) -> Result<Summary, IndexError> {
    let mut build = Build::start(disk, number, keys, Room::default())?;
    loop {
        if let Progress::Done(summary) = build.step(disk, keys)? {
            return Ok(summary);
        }
    }
}

/// Whether an index is of another version, of the format or of the caller's keys: it is no damage,
/// and is built again.
pub fn is_other<D: Disk>(disk: &mut D, number: u64, version: u16) -> Result<bool, DiskError> {
    let name = format::index_name(number);
    let mut page = vec![0; format::PAGE_BYTES];
    let there = disk.len(&name)?.is_some() && disk.read(&name, 0, &mut page)? == page.len();
    Ok(there && Summary::is_other(&page, version))
}

/// Whether the index of a segment is, byte for byte, what its segment makes.
pub fn check<D: Disk>(disk: &mut D, number: u64, keys: &dyn KeysOf) -> Result<bool, IndexError> {
    let mut build = Build::start(disk, number, keys, Room::default())?;
    build.compare();
    loop {
        match build.step(disk, keys)? {
            Progress::More => {}
            Progress::Done(_) => return Ok(true),
            Progress::Differs => return Ok(false),
        }
    }
}
