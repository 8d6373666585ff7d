//! Anchors: what stands in the place of segments that were removed. The caller's state after the
//! last record of them, and the number and hash of the last frame, so that what stays is recovered
//! and verified from there on, and continues the chain of what was put away.
use crate::disk::{Disk, DiskError};
use crate::format::{
    FORMAT_VERSION, Hash, NodeId, SegmentHeader, number_of, put, put_u16, put_u64, round_up, take,
    u64_at,
};
use crate::limits::{ANCHOR_BYTES_MAX, PIECE_BYTES};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The name while it is written.
pub(crate) const ANCHOR_TEMP: &str = "anchor.tmp";

const HEADER_BYTES: usize = 4096;
const _: () = assert!(ANCHOR_BYTES_MAX.is_multiple_of(HEADER_BYTES as u64));
const MAGIC: [u8; 4] = *b"BgAn";
const VERSION: usize = 4;
const RECORD: usize = 8;
const EPOCH: usize = 16;
const TIME: usize = 24;
const LENGTH: usize = 32;
const NODE: usize = 40;
const SUM: usize = 56;
const FRAME: usize = 88;
const SEGMENT: usize = 96;
const PREVIOUS: usize = 104;

/// The file of an anchor after `record`.
#[must_use]
pub fn anchor_name(record: u64) -> String {
    format!("anchor-{record:020}.anc")
}

/// The record in an anchor's file name, if it is one.
pub(crate) fn anchor_record(name: &str) -> Option<u64> {
    number_of(name.strip_prefix("anchor-")?.strip_suffix(".anc")?, 20)
}

/// The records of all anchors, newest first.
pub(crate) fn anchors(names: &[String]) -> Vec<u64> {
    let mut records: Vec<u64> = names.iter().filter_map(|name| anchor_record(name)).collect();
    records.sort_unstable_by(|a, b| b.cmp(a));
    records
}

/// A place between two segments, as the header of the one behind it says, and an anchor that stands
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The last record before it, 0 = none.
    pub record: u64,
    /// The last frame before it, 0 = none.
    pub frame: u64,
    /// SHA-256 of that frame.
    pub hash: Hash,
    /// The epoch in force.
    pub epoch: u64,
    /// When the segment behind it was taken into use, nanoseconds.
    pub time_ns: u64,
    /// The segment before it, 0 = none.
    pub segment: u64,
    /// Whose journal it is.
    pub node: NodeId,
}

impl Place {
    /// Before the first frame of a segment.
    pub(crate) fn before(header: &SegmentHeader) -> Self {
        Self {
            record: header.first_record.saturating_sub(1),
            frame: header.first_frame.saturating_sub(1),
            hash: header.previous,
            epoch: header.epoch,
            time_ns: header.time_ns,
            segment: header.number.saturating_sub(1),
            node: header.node,
        }
    }

    fn header(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put_u16(&mut bytes, VERSION, FORMAT_VERSION);
        put_u64(&mut bytes, RECORD, self.record);
        put_u64(&mut bytes, EPOCH, self.epoch);
        put_u64(&mut bytes, TIME, self.time_ns);
        put_u64(&mut bytes, LENGTH, length as u64);
        put(&mut bytes, NODE, &self.node.0);
        put_u64(&mut bytes, FRAME, self.frame);
        put_u64(&mut bytes, SEGMENT, self.segment);
        put(&mut bytes, PREVIOUS, &self.hash.0);
        bytes
    }
}

/// An anchor that was read and whose hash holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) place: Place,
    bytes: Vec<u8>,
    length: usize,
}

impl Anchor {
    /// The caller's bytes.
    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..HEADER_BYTES.saturating_add(self.length)).unwrap_or(&[])
    }

    /// Reads the anchor after `record`; `None` if it does not hold.
    pub(crate) fn read<D: Disk>(disk: &mut D, record: u64) -> Result<Option<Self>, DiskError> {
        let read = read(disk, &anchor_name(record))?;
        Ok(read.filter(|anchor| anchor.place.record == record))
    }

    /// The one that stands before a segment, if it is there and holds.
    pub(crate) fn of<D: Disk>(
        disk: &mut D,
        header: &SegmentHeader,
    ) -> Result<Option<Self>, DiskError> {
        let place = Place::before(header);
        let found = Self::read(disk, place.record)?;
        Ok(found.filter(|anchor| anchor.place == place))
    }
}

fn read<D: Disk>(disk: &mut D, name: &str) -> Result<Option<Anchor>, DiskError> {
    let file_bytes = disk.len(name)?.unwrap_or(0);
    let most = ANCHOR_BYTES_MAX.saturating_add(HEADER_BYTES as u64);
    let whole = file_bytes.is_multiple_of(HEADER_BYTES as u64);
    let (true, true, Ok(file_bytes)) =
        (whole, (1..=most).contains(&file_bytes), usize::try_from(file_bytes))
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; file_bytes];
    if disk.read(name, 0, &mut bytes)? != file_bytes {
        return Ok(None);
    }
    Ok(check(bytes))
}

fn check(bytes: Vec<u8>) -> Option<Anchor> {
    let place = Place {
        record: u64_at(&bytes, RECORD),
        frame: u64_at(&bytes, FRAME),
        hash: Hash(take(&bytes, PREVIOUS)),
        epoch: u64_at(&bytes, EPOCH),
        time_ns: u64_at(&bytes, TIME),
        segment: u64_at(&bytes, SEGMENT),
        node: NodeId(take(&bytes, NODE)),
    };
    let length = usize::try_from(u64_at(&bytes, LENGTH)).ok()?;
    let mut found = bytes.get(..HEADER_BYTES)?.to_vec();
    let sum: [u8; 32] = take(&found, SUM);
    put(&mut found, SUM, &[0; 32]);
    let mut hash = Sha256::new();
    hash.update(&found);
    hash.update(&bytes[HEADER_BYTES..]);
    let holds = <[u8; 32]>::from(hash.finalize()) == sum
        && found == place.header(length)
        && bytes.len() == HEADER_BYTES.checked_add(round_up(length, HEADER_BYTES))?;
    holds.then_some(Anchor { place, bytes, length })
}

/// Writes an anchor, durably, and reads it back before it gets its name: false if what is read is
/// not what was written. One of that name that holds already is left as it is.
pub(crate) fn write_anchor<D: Disk>(
    disk: &mut D,
    place: &Place,
    payload: &[u8],
) -> Result<bool, DiskError> {
    let is_this = |found: Option<Anchor>| {
        found.is_some_and(|found| found.place == *place && found.payload() == payload)
    };
    let name = anchor_name(place.record);
    if is_this(Anchor::read(disk, place.record)?) {
        return Ok(true);
    }
    let mut header = place.header(payload.len());
    let mut padded = payload.to_vec();
    padded.resize(round_up(payload.len(), HEADER_BYTES), 0);
    let mut hash = Sha256::new();
    hash.update(&header);
    hash.update(&padded);
    put(&mut header, SUM, &<[u8; 32]>::from(hash.finalize()));
    if disk.len(ANCHOR_TEMP)?.is_some() {
        disk.remove(ANCHOR_TEMP)?;
    }
    disk.create(ANCHOR_TEMP, HEADER_BYTES.saturating_add(padded.len()) as u64)?;
    let mut offset = HEADER_BYTES as u64;
    for piece in padded.chunks(PIECE_BYTES) {
        disk.write(ANCHOR_TEMP, offset, piece)?;
        offset = offset.saturating_add(piece.len() as u64);
    }
    disk.write(ANCHOR_TEMP, 0, &header)?;
    disk.sync(ANCHOR_TEMP)?;
    if !is_this(read(disk, ANCHOR_TEMP)?) {
        disk.remove(ANCHOR_TEMP)?;
        return Ok(false);
    }
    disk.rename(ANCHOR_TEMP, &name)?;
    disk.sync_dir()?;
    Ok(true)
}
