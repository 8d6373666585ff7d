//! The trunk: a station's link to the hub (`docs/formats/trunk.md`, R-TRUNK).
//!
//! [`Frame`] is the format, [`payload`] what frames hold, [`Link`] the session of either side:
//! sequence, acknowledgement, credit, heartbeat, and what is sent again after a cut. Delivery is at
//! least once and in order; effect exactly once, because money is idempotent by payment id.

mod link;
pub mod payload;

use std::fmt;

pub use link::{Link, LinkEvent, LinkTimers};

use crate::limits::TRUNK_FRAME_MAX;

/// The version that this program writes; it reads this one and the one before.
pub const VERSION: u16 = 1;
/// Bytes before the payload, length included.
const HEADER: usize = 32;
const CRC: usize = 4;

/// What a frame is about. Numbers are never reused; from 100 on, one with its high bit set may be
/// ignored by whoever does not know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u16)]
pub enum Kind {
    /// Who speaks, since when, and how far it has heard the other.
    Hello = 1,
    /// A terminal's request.
    Request = 2,
    /// The hub's answer.
    Answer = 3,
    /// Acknowledgement and credit, when there is nothing else to send.
    Acknowledge = 5,
    /// I am here, and this is the last heartbeat of yours that I heard.
    Heartbeat = 10,
    /// A reversal or an advice: what tells of something is never refused for overload.
    Reversal = 14,
    /// A request that was answered without the hub: nothing is left of it but its number.
    Withdraw = 16,
    /// How a station is, in its own judgement (R-FIRES).
    StationStatus = 19,
}

impl Kind {
    fn of(number: u16) -> Option<Self> {
        [
            Self::Hello,
            Self::Request,
            Self::Answer,
            Self::Acknowledge,
            Self::Heartbeat,
            Self::Reversal,
            Self::Withdraw,
            Self::StationStatus,
        ]
        .into_iter()
        .find(|kind| *kind as u16 == number)
    }

    /// Whether frames of this kind are numbered, acknowledged and sent again.
    pub const fn is_sequenced(self) -> bool {
        matches!(self, Self::Request | Self::Answer | Self::Reversal | Self::Withdraw)
    }
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is about.
    pub kind: Kind,
    /// The sender's epoch.
    pub epoch: u64,
    /// Its number since the sender's start; 0 for kinds that are not sequenced.
    pub sequence: u64,
    /// The last frame of the other side whose decision is durable here.
    pub acknowledged: u64,
    /// The rest.
    pub payload: Vec<u8>,
}

/// Why bytes are no trunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrunkError {
    /// A length below the header or above the limit.
    Length(u32),
    /// The checksum is wrong.
    Checksum,
    /// A version that this program does not speak.
    Version(u16),
    /// A kind that it does not know and may not ignore.
    Kind(u16),
    /// The payload cannot be read.
    Payload(&'static str),
    /// A number is missing between the last frame and this one.
    Gap {
        /// What was expected.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The other side works in another epoch than the one that is in force.
    Epoch {
        /// Its epoch.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// A frame before the hello.
    NoHello,
    /// More than was allowed.
    Credit,
}

impl fmt::Display for TrunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "a frame of {length} bytes"),
            Self::Checksum => f.write_str("a wrong checksum"),
            Self::Version(version) => write!(f, "version {version} of the trunk's format"),
            Self::Kind(kind) => write!(f, "a frame of unknown kind {kind}"),
            Self::Payload(what) => write!(f, "{what} cannot be read"),
            Self::Gap { expected, found } => {
                write!(f, "frame {found} came where {expected} was expected")
            }
            Self::Epoch { theirs, ours } => {
                write!(f, "epoch {theirs}, where epoch {ours} is in force")
            }
            Self::NoHello => f.write_str("a frame before the hello"),
            Self::Credit => f.write_str("more frames than were allowed"),
        }
    }
}

impl std::error::Error for TrunkError {}

impl Frame {
    /// Appends the frame's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let length = HEADER - 4 + self.payload.len() + CRC;
        // A payload is one message, far below the limit (`limits`).
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(self.kind as u16).to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.acknowledged.to_le_bytes());
        out.extend_from_slice(&self.payload);
        let crc = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// Reads one frame from the front of `bytes`: the frame (none for a kind that may be ignored)
    /// and how long it was; nothing when more bytes are needed.
    pub fn read(bytes: &[u8]) -> Result<Option<(Option<Self>, usize)>, TrunkError> {
        let Some(prefix) = bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        let announced = u32::from_le_bytes(*prefix);
        let total = usize::try_from(announced).unwrap_or(usize::MAX).saturating_add(4);
        if !(HEADER + CRC..=TRUNK_FRAME_MAX).contains(&total) {
            return Err(TrunkError::Length(announced));
        }
        let Some(whole) = bytes.get(..total) else {
            return Ok(None);
        };
        let (covered, crc) = whole.split_at(total - CRC);
        if crc32c::crc32c(covered).to_le_bytes() != crc {
            return Err(TrunkError::Checksum);
        }
        let word = |at: usize| u16::from_le_bytes([covered[at], covered[at + 1]]);
        let version = word(4);
        if version != VERSION {
            return Err(TrunkError::Version(version));
        }
        let number = word(6);
        let Some(kind) = Kind::of(number) else {
            let ignorable = number >= 0x8000;
            return if ignorable { Ok(Some((None, total))) } else { Err(TrunkError::Kind(number)) };
        };
        let frame = Self {
            kind,
            epoch: long(covered, 8),
            sequence: long(covered, 16),
            acknowledged: long(covered, 24),
            payload: covered[HEADER..].to_vec(),
        };
        Ok(Some((Some(frame), total)))
    }
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}
