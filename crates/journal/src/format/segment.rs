//! The first block of a segment file, and its name.
use super::{
    Block, FORMAT_VERSION, Hash, NodeId, crc_around, is_zero, number_of, put, put_u16, put_u32,
    put_u64, take, u16_at, u32_at, u64_at,
};
use crate::limits::{SEGMENT_BLOCKS_MIN, SEGMENT_BYTES_MAX, SEGMENT_NUMBER_MAX};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const MAGIC: [u8; 4] = *b"BgSg";
const VERSION: usize = 4;
const BLOCK: usize = 8;
const NUMBER: usize = 16;
const SEGMENT_BYTES: usize = 24;
const FIRST_FRAME: usize = 32;
const FIRST_RECORD: usize = 40;
const EPOCH: usize = 48;
const TIME: usize = 56;
const NODE: usize = 64;
const PREVIOUS: usize = 80;
const CRC: usize = 124;

/// What a segment says of itself, written when it is taken into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) block: Block,
    pub(crate) number: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) first_frame: u64,
    pub(crate) first_record: u64,
    pub(crate) epoch: u64,
    pub(crate) time_ns: u64,
    pub(crate) node: NodeId,
    /// SHA-256 of the last frame of the segment before.
    pub(crate) previous: Hash,
}

/// What stands in the first block of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRead {
    Valid(SegmentHeader),
    /// All zero as far as it was read: prepared, not in use.
    Zero,
    Broken,
    Newer(u16),
}

impl SegmentHeader {
    /// The header block.
    pub(crate) fn to_block(self) -> Vec<u8> {
        let mut bytes = vec![0; self.block.bytes()];
        put(&mut bytes, 0, &MAGIC);
        put_u16(&mut bytes, VERSION, FORMAT_VERSION);
        put_u32(&mut bytes, BLOCK, if self.block == Block::B512 { 512 } else { 4096 });
        put_u64(&mut bytes, NUMBER, self.number);
        put_u64(&mut bytes, SEGMENT_BYTES, self.segment_bytes);
        put_u64(&mut bytes, FIRST_FRAME, self.first_frame);
        put_u64(&mut bytes, FIRST_RECORD, self.first_record);
        put_u64(&mut bytes, EPOCH, self.epoch);
        put_u64(&mut bytes, TIME, self.time_ns);
        put(&mut bytes, NODE, &self.node.0);
        put(&mut bytes, PREVIOUS, &self.previous.0);
        let crc = crc_around(&bytes, CRC);
        put_u32(&mut bytes, CRC, crc);
        bytes
    }

    /// Reads the header from the first bytes of a file: the largest block, or less if the file is
    /// shorter.
    pub(crate) fn read(bytes: &[u8]) -> HeaderRead {
        if is_zero(bytes.get(..Block::B512.bytes()).unwrap_or(bytes)) {
            return HeaderRead::Zero;
        }
        if bytes.len() < Block::B512.bytes() || bytes[..4] != MAGIC {
            return HeaderRead::Broken;
        }
        let Some(block) = Block::from_bytes(u64::from(u32_at(bytes, BLOCK))) else {
            return HeaderRead::Broken;
        };
        let Some(bytes) = bytes.get(..block.bytes()) else {
            return HeaderRead::Broken;
        };
        if crc_around(bytes, CRC) != u32_at(bytes, CRC) {
            return HeaderRead::Broken;
        }
        let version = u16_at(bytes, VERSION);
        if version > FORMAT_VERSION {
            return HeaderRead::Newer(version);
        }
        let header = Self {
            block,
            number: u64_at(bytes, NUMBER),
            segment_bytes: u64_at(bytes, SEGMENT_BYTES),
            first_frame: u64_at(bytes, FIRST_FRAME),
            first_record: u64_at(bytes, FIRST_RECORD),
            epoch: u64_at(bytes, EPOCH),
            time_ns: u64_at(bytes, TIME),
            node: NodeId(take(bytes, NODE)),
            previous: Hash(take(bytes, PREVIOUS)),
        };
        // The canonical bytes of the values are the only ones accepted: reserved fields are zero.
        if header.to_block() == bytes && header.sane() {
            HeaderRead::Valid(header)
        } else {
            HeaderRead::Broken
        }
    }

    fn sane(&self) -> bool {
        size_is_sane(self.segment_bytes, self.block)
            && self.number > 0
            && self.first_frame > 0
            && self.first_record > 0
    }
}

/// Whether a segment may have that length.
pub(crate) fn size_is_sane(segment_bytes: u64, block: Block) -> bool {
    let block = block.bytes() as u64;
    segment_bytes.is_multiple_of(block)
        && segment_bytes <= SEGMENT_BYTES_MAX
        && segment_bytes >= block.saturating_mul(SEGMENT_BLOCKS_MIN)
}

/// The file of segment `number`.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:010}.seg")
}

/// The number of the segment in the file `name`, if it is one.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = number_of(name.strip_suffix(".seg")?, 10);
    number.filter(|number| (1..=SEGMENT_NUMBER_MAX).contains(number))
}
