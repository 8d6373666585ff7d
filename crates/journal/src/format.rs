//! The byte layouts of frames, segment headers and the head: bytes to values and back, no policy.
//! `docs/formats/journal.md` is the contract; all integers are little-endian.
mod frame;
mod head;
mod le;
mod segment;

pub(crate) use frame::{
    ENVELOPE_BYTES, FRAME_HEADER_BYTES, Parsed, Records, parse_frame, seal_frame,
};
pub use frame::{FrameHeader, RecordView};
pub(crate) use head::{HEAD_BYTES, HEAD_FILE, HEAD_TEMP, HeadError, HeadFile, HeadSlot};
pub(crate) use le::{put, put_u16, put_u32, put_u64, take, u16_at, u32_at, u64_at};
pub(crate) use segment::{HeaderRead, SegmentHeader, segment_name, segment_number, size_is_sane};

use core::fmt;
use sha2::{Digest, Sha256};

/// The version of every layout that this code writes. It reads all versions up to it.
pub(crate) const FORMAT_VERSION: u16 = 1;

/// The largest block of any segment: what is read to learn a segment's own.
pub(crate) const BLOCK_BYTES_MAX: usize = 4096;

/// The unit of writing. A write is assumed to damage nothing outside its own blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Block {
    /// 512 bytes: disks that promise whole logical sectors.
    #[default]
    B512,
    /// 4,096 bytes: disks that rewrite a larger physical sector and may lose all of it.
    B4096,
}

impl Block {
    /// The length in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }

    /// The block of that many bytes, if it is one.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        match bytes {
            512 => Some(Self::B512),
            4096 => Some(Self::B4096),
            _ => None,
        }
    }
}

/// A SHA-256 value.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose journal it is: a name of the role, 16 bytes, zero-filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    /// The id of a name of at most 16 bytes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut id = [0; 16];
        id.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self(id))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// CRC32C (Castagnoli) over `bytes` without the four at `hole`, where the sum itself stands.
pub(crate) fn crc_around(bytes: &[u8], hole: usize) -> u32 {
    let (before, after) = bytes.split_at(hole.min(bytes.len()));
    let after = after.get(4..).unwrap_or(&[]);
    crc32c::crc32c_append(crc32c::crc32c(before), after)
}

/// Whether all bytes are zero. Compares memory with memory, so that 64 MiB take milliseconds.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; BLOCK_BYTES_MAX] = [0; BLOCK_BYTES_MAX];
    bytes.chunks(BLOCK_BYTES_MAX).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// The number in a file's name, where it has exactly so many digits.
pub(crate) fn number_of(digits: &str, width: usize) -> Option<u64> {
    let plain = digits.len() == width && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// `bytes` rounded up to a whole number of `block`s (a power of two).
pub(crate) const fn round_up(bytes: usize, block: usize) -> usize {
    bytes.saturating_add(block.saturating_sub(1)) & !block.saturating_sub(1)
}
