//! Indexes beside sealed segments (`docs/formats/index.md`): where in a segment the records of a
//! key are.
//!
//! How things flow: once the head names a later segment, a [`Build`] reads a sealed one piece by
//! piece, asks its caller for the keys of each record, and writes the index under a temporary name,
//! synced and renamed. [`Index`] finds a key: a page of the filter, a page of entries, then
//! [`Index::frame`] gives the frame, whose checksum is verified again. What bounds it: the segment.
//! An index says nothing that its segment does not: a lost or damaged one is built again, and
//! [`check`] compares one with its segment. Deliberately absent: what a key is, and which records
//! belong to a payment.
mod build;
mod format;
mod read;

pub use build::{Build, Progress};
pub use format::{Span, Summary, index_number};
pub use read::{Index, IndexError};

use crate::disk::{Disk, DiskError};
use crate::format::RecordView;
use crate::walk::{HeadRead, SegmentFile, load_segments, read_head};
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

/// The hash of a key: of its kind and its words, the same on every machine and for ever. Each word
/// is mixed in by a multiplication, as is the end.
#[must_use]
pub fn key(kind: u8, words: &[u64]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 32)
    };
    let hash = words.iter().fold(mix(MULTIPLIER, u64::from(kind)), |hash, word| mix(hash, *word));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The segments that are sealed for good, in order: the head names a later one, so that a frame in
/// that one was acknowledged, and no crash makes one of these the last again.
pub fn sealed<D: Disk>(disk: &mut D) -> Result<Vec<u64>, DiskError> {
    let HeadRead::Found(head) = read_head(disk)? else {
        return Ok(Vec::new());
    };
    // An empty segment in use was entered by nobody yet: its header may be lost.
    let names = disk.list()?;
    let segments = load_segments(disk, &names)?;
    let active = segments.iter().find(|file| file.number == head.newest.segment);
    let begun = active.and_then(SegmentFile::valid);
    let entered = begun.is_some_and(|header| head.newest.frame >= header.first_frame);
    let numbers = segments.iter().filter(|file| file.valid().is_some()).map(|file| file.number);
    let before = if entered { head.newest.segment } else { 0 };
    Ok(numbers.filter(|number| (head.newest.oldest..before).contains(number)).collect())
}

/// The segments that have an index, good or not, in order.
pub fn list<D: Disk>(disk: &mut D) -> Result<Vec<u64>, DiskError> {
    let mut numbers: Vec<u64> = disk.list()?.iter().filter_map(|name| index_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Builds the index of a sealed segment in one go; durable when it returns.
pub fn build<D: Disk>(disk: &mut D, number: u64, keys: &dyn KeysOf) -> Result<Summary, IndexError> {
    let mut build = Build::start(disk, number, keys)?;
    loop {
        if let Progress::Done(summary) = build.step(disk, keys)? {
            return Ok(summary);
        }
    }
}

/// Whether the index of a segment is, byte for byte, what its segment makes.
pub fn check<D: Disk>(disk: &mut D, number: u64, keys: &dyn KeysOf) -> Result<bool, IndexError> {
    let mut build = Build::start(disk, number, keys)?;
    build.compare();
    loop {
        match build.step(disk, keys)? {
            Progress::More => {}
            Progress::Done(_) => return Ok(true),
            Progress::Differs => return Ok(false),
        }
    }
}
