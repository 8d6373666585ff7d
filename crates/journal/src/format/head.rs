//! The head file: two slots, each naming the last acknowledged frame, written in turn.
use super::{
    FORMAT_VERSION, Hash, NodeId, crc_around, put, put_u16, put_u32, put_u64, take, u16_at, u32_at,
    u64_at,
};
use alloc::vec;
use alloc::vec::Vec;

/// The file's name.
pub(crate) const HEAD_FILE: &str = "head";
/// Its name while it is made anew.
pub(crate) const HEAD_TEMP: &str = "head.tmp";
/// Length of a slot, bytes: the largest block, so that writing one cannot damage the other.
pub(crate) const SLOT_BYTES: usize = 4096;
/// Length of the file, bytes.
pub(crate) const HEAD_BYTES: usize = 8192;

const MAGIC: [u8; 4] = *b"BgHd";
const VERSION: usize = 4;
const FLAGS: usize = 6;
const GENERATION: usize = 8;
const EPOCH: usize = 16;
const FRAME: usize = 24;
const RECORD: usize = 32;
const SEGMENT: usize = 40;
const END: usize = 48;
const TIME: usize = 56;
const OLDEST: usize = 64;
const NODE: usize = 72;
const HASH: usize = 88;
const CRC: usize = 124;
const FLAG_STOPPED: u16 = 1;

/// One slot: the last acknowledged frame when it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadSlot {
    /// Which writing of the head this is; slot = generation modulo 2.
    pub(crate) generation: u64,
    pub(crate) stopped: bool,
    pub(crate) epoch: u64,
    /// The frame, 0 = none yet.
    pub(crate) frame: u64,
    /// Its last record, 0 = none yet.
    pub(crate) record: u64,
    /// The segment in use.
    pub(crate) segment: u64,
    /// Where the next frame goes in it.
    pub(crate) end: u64,
    pub(crate) time_ns: u64,
    /// The oldest segment that is kept.
    pub(crate) oldest: u64,
    pub(crate) node: NodeId,
    /// The frame's SHA-256.
    pub(crate) hash: Hash,
}

impl HeadSlot {
    /// Where the slot stands in the file.
    pub(crate) fn offset(&self) -> u64 {
        if self.generation.is_multiple_of(2) { 0 } else { SLOT_BYTES as u64 }
    }

    /// The slot's bytes.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; SLOT_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put_u16(&mut bytes, VERSION, FORMAT_VERSION);
        put_u16(&mut bytes, FLAGS, if self.stopped { FLAG_STOPPED } else { 0 });
        put_u64(&mut bytes, GENERATION, self.generation);
        put_u64(&mut bytes, EPOCH, self.epoch);
        put_u64(&mut bytes, FRAME, self.frame);
        put_u64(&mut bytes, RECORD, self.record);
        put_u64(&mut bytes, SEGMENT, self.segment);
        put_u64(&mut bytes, END, self.end);
        put_u64(&mut bytes, TIME, self.time_ns);
        put_u64(&mut bytes, OLDEST, self.oldest);
        put(&mut bytes, NODE, &self.node.0);
        put(&mut bytes, HASH, &self.hash.0);
        let crc = crc_around(&bytes, CRC);
        put_u32(&mut bytes, CRC, crc);
        bytes
    }

    fn read(bytes: &[u8]) -> SlotRead {
        if bytes.len() != SLOT_BYTES
            || bytes[..4] != MAGIC
            || crc_around(bytes, CRC) != u32_at(bytes, CRC)
        {
            return SlotRead::Broken;
        }
        let version = u16_at(bytes, VERSION);
        if version > FORMAT_VERSION {
            return SlotRead::Newer(version);
        }
        let slot = Self {
            generation: u64_at(bytes, GENERATION),
            stopped: u16_at(bytes, FLAGS) & FLAG_STOPPED != 0,
            epoch: u64_at(bytes, EPOCH),
            frame: u64_at(bytes, FRAME),
            record: u64_at(bytes, RECORD),
            segment: u64_at(bytes, SEGMENT),
            end: u64_at(bytes, END),
            time_ns: u64_at(bytes, TIME),
            oldest: u64_at(bytes, OLDEST),
            node: NodeId(take(bytes, NODE)),
            hash: Hash(take(bytes, HASH)),
        };
        if slot.to_bytes() == bytes { SlotRead::Valid(slot) } else { SlotRead::Broken }
    }
}

enum SlotRead {
    Valid(HeadSlot),
    Broken,
    Newer(u16),
}

/// The head as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadFile {
    /// The newest valid slot.
    pub(crate) newest: HeadSlot,
    /// Where the other slot is, if it is not valid.
    pub(crate) broken_slot: Option<u64>,
}

/// Why no head could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// Neither slot is valid, or the file has not its length.
    Broken,
    /// Written by a newer format version.
    Newer(u16),
}

impl HeadFile {
    /// Reads the whole file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, HeadError> {
        if bytes.len() != HEAD_BYTES {
            return Err(HeadError::Broken);
        }
        let (first, second) = bytes.split_at(SLOT_BYTES);
        let mut newest: Option<HeadSlot> = None;
        let mut broken_slot = None;
        for (place, slot) in [(0, first), (SLOT_BYTES as u64, second)] {
            match HeadSlot::read(slot) {
                SlotRead::Newer(version) => return Err(HeadError::Newer(version)),
                // A slot in the other's place was misdirected: it is as good as broken.
                SlotRead::Valid(slot) if slot.offset() == place => {
                    if newest.is_none_or(|other| other.generation < slot.generation) {
                        newest = Some(slot);
                    }
                }
                SlotRead::Valid(_) | SlotRead::Broken => broken_slot = Some(place),
            }
        }
        newest.map(|newest| Self { newest, broken_slot }).ok_or(HeadError::Broken)
    }
}
