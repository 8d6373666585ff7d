//! A frame: header, records, padding, all under one CRC32C, chained by SHA-256.
use super::{
    FORMAT_VERSION, Hash, crc_around, is_zero, put, put_u16, put_u32, put_u64, round_up, take,
    u16_at, u32_at, u64_at,
};
use crate::limits::FRAME_BYTES_MAX;
use alloc::vec::Vec;

/// Length of a frame's header, bytes.
pub(crate) const FRAME_HEADER_BYTES: usize = 96;
/// Length of a record's envelope, bytes.
pub(crate) const ENVELOPE_BYTES: usize = 8;

const MAGIC: [u8; 4] = *b"BgFr";
const VERSION: usize = 4;
const RESERVED_A: usize = 6;
const EPOCH: usize = 8;
const SEQUENCE: usize = 16;
const FIRST_RECORD: usize = 24;
const TIME: usize = 32;
const RECORDS: usize = 40;
const LENGTH: usize = 44;
const PREVIOUS: usize = 48;
const FRAME_BYTES: usize = 80;
const RESERVED_B: usize = 84;
const CRC: usize = 92;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The epoch in which it was written.
    pub epoch: u64,
    /// Its number: frames count from 1 without gaps.
    pub sequence: u64,
    /// The number of its first record: records count from 1 without gaps.
    pub first_record: u64,
    /// How many records it holds, at least one.
    pub records: u32,
    /// Length of the records with their envelopes, bytes.
    pub length: u32,
    /// Length on disk with header and padding, bytes.
    pub frame_bytes: u32,
    /// When it was begun, nanoseconds, a whole number of microseconds.
    pub time_ns: u64,
    /// SHA-256 of the whole frame before, zero for the first.
    pub previous: Hash,
}

impl FrameHeader {
    /// The number of its last record.
    #[must_use]
    pub fn last_record(&self) -> u64 {
        self.first_record.saturating_add(u64::from(self.records)).saturating_sub(1)
    }

    pub(super) fn write(&self, bytes: &mut [u8]) {
        put(bytes, 0, &MAGIC);
        put_u16(bytes, VERSION, FORMAT_VERSION);
        put_u16(bytes, RESERVED_A, 0);
        put_u64(bytes, EPOCH, self.epoch);
        put_u64(bytes, SEQUENCE, self.sequence);
        put_u64(bytes, FIRST_RECORD, self.first_record);
        put_u64(bytes, TIME, self.time_ns);
        put_u32(bytes, RECORDS, self.records);
        put_u32(bytes, LENGTH, self.length);
        put(bytes, PREVIOUS, &self.previous.0);
        put_u32(bytes, FRAME_BYTES, self.frame_bytes);
        put_u64(bytes, RESERVED_B, 0);
    }

    /// What the first block says of a frame that may be torn, if its lengths agree.
    pub(crate) fn plausible(first: &[u8], block: usize) -> Option<Self> {
        let whole = first.get(..FRAME_HEADER_BYTES)?;
        let header = Self::read(whole);
        let length = usize::try_from(header.length).ok()?;
        let frame_bytes = round_up(FRAME_HEADER_BYTES.saturating_add(length), block);
        let agrees = usize::try_from(header.frame_bytes) == Ok(frame_bytes);
        (whole.starts_with(&MAGIC) && agrees).then_some(header)
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            epoch: u64_at(bytes, EPOCH),
            sequence: u64_at(bytes, SEQUENCE),
            first_record: u64_at(bytes, FIRST_RECORD),
            records: u32_at(bytes, RECORDS),
            length: u32_at(bytes, LENGTH),
            frame_bytes: u32_at(bytes, FRAME_BYTES),
            time_ns: u64_at(bytes, TIME),
            previous: Hash(take(bytes, PREVIOUS)),
        }
    }
}

/// What stands at a place where a frame may begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Only zeros in the first block: nothing was written here.
    Zero,
    /// The header asks for this many bytes to go on; given fewer.
    More(usize),
    /// A whole frame whose checksum holds.
    Frame(FrameHeader),
    /// Something else.
    Broken,
    /// A whole frame of a newer format version.
    Newer(u16),
}

/// Reads what stands at the start of `bytes`, at least one block. A frame is believed only if its
/// checksum holds over header, records and padding.
pub(crate) fn parse_frame(bytes: &[u8], block: usize) -> Parsed {
    if bytes.len() < block || block < FRAME_HEADER_BYTES {
        return Parsed::Broken;
    }
    if is_zero(&bytes[..block]) {
        return Parsed::Zero;
    }
    if bytes[..4] != MAGIC {
        return Parsed::Broken;
    }
    let version = u16_at(bytes, VERSION);
    let header = FrameHeader::read(bytes);
    let Ok(frame_bytes) = usize::try_from(header.frame_bytes) else {
        return Parsed::Broken;
    };
    if !(block..=FRAME_BYTES_MAX).contains(&frame_bytes) || !frame_bytes.is_multiple_of(block) {
        return Parsed::Broken;
    }
    let Some(frame) = bytes.get(..frame_bytes) else {
        return Parsed::More(frame_bytes);
    };
    if crc_around(frame, CRC) != u32_at(frame, CRC) {
        return Parsed::Broken;
    }
    if version > FORMAT_VERSION {
        return Parsed::Newer(version);
    }
    if well_formed(&header, frame, block) { Parsed::Frame(header) } else { Parsed::Broken }
}

/// Version 1: reserved fields zero, at least one record, length and padding agree.
fn well_formed(header: &FrameHeader, frame: &[u8], block: usize) -> bool {
    let Ok(length) = usize::try_from(header.length) else {
        return false;
    };
    let end = FRAME_HEADER_BYTES.saturating_add(length);
    u16_at(frame, VERSION) == FORMAT_VERSION
        && u16_at(frame, RESERVED_A) == 0
        && u64_at(frame, RESERVED_B) == 0
        && header.records > 0
        && header.first_record > 0
        && header.first_record.checked_add(u64::from(header.records)).is_some()
        && round_up(end, block) == frame.len()
        && frame.get(end..).is_some_and(is_zero)
        && Records::new(header, frame).well_formed()
}

/// Finishes a frame in place: `frame` holds room for the header and then the records. Pads to
/// `block`, writes header and checksum, and returns the frame's SHA-256.
pub(crate) fn seal_frame(frame: &mut Vec<u8>, header: &FrameHeader, block: usize) -> Hash {
    frame.resize(round_up(frame.len(), block), 0);
    header.write(frame);
    let crc = crc_around(frame, CRC);
    put_u32(frame, CRC, crc);
    Hash::of(frame)
}

/// One record as it stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// The frame that holds it.
    pub frame: u64,
    /// That frame's epoch.
    pub epoch: u64,
    /// Its time in nanoseconds, a whole number of microseconds.
    pub time_ns: u64,
    /// The caller's kind.
    pub kind: u8,
    /// The version of that kind.
    pub version: u8,
    /// The caller's bytes.
    pub payload: &'a [u8],
}

/// The records of a frame, in order.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    header: FrameHeader,
    rest: &'a [u8],
    index: u32,
}

impl<'a> Records<'a> {
    /// The records of `frame`, whose header is `header`.
    pub(crate) fn new(header: &FrameHeader, frame: &'a [u8]) -> Self {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let end = FRAME_HEADER_BYTES.saturating_add(length);
        Self { header: *header, rest: frame.get(FRAME_HEADER_BYTES..end).unwrap_or(&[]), index: 0 }
    }

    /// Whether the envelopes fill the frame exactly, with as many records as the header says.
    fn well_formed(mut self) -> bool {
        while self.next().is_some() {}
        self.rest.is_empty() && self.index == self.header.records
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    fn next(&mut self) -> Option<RecordView<'a>> {
        let (envelope, rest) = self.rest.split_at_checked(ENVELOPE_BYTES)?;
        let (payload, rest) = rest.split_at_checked(usize::from(u16_at(envelope, 0)))?;
        let micros = u64::from(u32_at(envelope, 4));
        let view = RecordView {
            number: self.header.first_record.saturating_add(u64::from(self.index)),
            frame: self.header.sequence,
            epoch: self.header.epoch,
            time_ns: self.header.time_ns.saturating_add(micros.saturating_mul(1000)),
            kind: envelope[2],
            version: envelope[3],
            payload,
        };
        self.rest = rest;
        self.index = self.index.checked_add(1)?;
        Some(view)
    }
}
