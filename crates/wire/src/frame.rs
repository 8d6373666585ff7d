//! Frames: a length, then that many bytes.
//!
//! Bytes go in as they come ([`Deframer::push`]), whole payloads come out ([`Deframer::next`]).
//! A length of zero or above the limit can't be skipped safely, so it ends the stream: every
//! further `next` answers the same error. Deliberately absent: timeouts for half a frame, which
//! belong to whoever has the clock; it asks [`Deframer::buffered`].

use std::fmt;

use crate::limits::BE2_FRAME_MAX;

/// How a frame tells its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Two bytes, big-endian, not counting themselves.
    Be2,
}

impl Framing {
    /// Bytes of the length itself.
    pub const fn header(self) -> usize {
        match self {
            Self::Be2 => 2,
        }
    }

    /// Most payload bytes that the length can say.
    pub const fn max(self) -> usize {
        match self {
            Self::Be2 => BE2_FRAME_MAX,
        }
    }
}

/// Why a stream can't be cut further, or a payload not framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length is zero, or there is no payload.
    Empty,
    /// The length is above the limit; both in bytes of payload.
    TooLong {
        /// What the length says.
        length: usize,
        /// What is allowed.
        max: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a frame without payload"),
            Self::TooLong { length, max } => {
                write!(f, "a frame of {length} bytes, at most {max} are allowed")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Cuts a stream into frames. Holds what was pushed and not yet taken: when the caller takes all
/// frames after each push, at most one frame of the largest size.
pub struct Deframer {
    framing: Framing,
    max_frame: usize,
    bytes: Vec<u8>,
    taken: usize,
    failed: Option<FrameError>,
}

impl Deframer {
    /// `max_frame` is the largest payload in bytes; what the framing itself can't say is no limit.
    pub fn new(framing: Framing, max_frame: usize) -> Self {
        Self {
            framing,
            max_frame: max_frame.min(framing.max()),
            bytes: Vec::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Takes bytes as they came. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole payload, `None` when more bytes are needed. The error is final.
    #[expect(
        clippy::should_implement_trait,
        reason = "a payload borrows the buffer, which an Iterator can't express"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let rest = &self.bytes[self.taken..];
        let length = match (self.framing, rest) {
            (Framing::Be2, [high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
            (Framing::Be2, [] | [_]) => return Ok(None),
        };
        if let Err(error) = check(length, self.max_frame) {
            self.failed = Some(error);
            self.bytes = Vec::new();
            self.taken = 0;
            return Err(error);
        }
        let start = self.taken + self.framing.header();
        if self.bytes.len() < start + length {
            return Ok(None);
        }
        self.taken = start + length;
        Ok(Some(&self.bytes[start..start + length]))
    }

    /// Bytes that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.bytes.len() - self.taken
    }
}

impl fmt::Debug for Deframer {
    /// Counts alone: the bytes are messages, with cards in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deframer")
            .field("framing", &self.framing)
            .field("max_frame", &self.max_frame)
            .field("buffered", &self.buffered())
            .field("failed", &self.failed)
            .finish()
    }
}

/// Appends one frame to `out`, which is untouched on error.
pub fn write_frame(framing: Framing, payload: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    check(payload.len(), framing.max())?;
    match framing {
        Framing::Be2 => {
            let length = u16::try_from(payload.len())
                .map_err(|_| FrameError::TooLong { length: payload.len(), max: BE2_FRAME_MAX })?;
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    Ok(())
}

fn check(length: usize, max: usize) -> Result<(), FrameError> {
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_forgotten() {
        let mut deframer = Deframer::new(Framing::Be2, 16);
        for round in 0..1_000 {
            // One frame and the first byte of the next, so that something always waits.
            let piece: &[u8] = if round == 0 { &[0, 2, 7, 7, 0] } else { &[2, 7, 7, 0] };
            deframer.push(piece);
            assert_eq!(deframer.next(), Ok(Some(&[7, 7][..])));
            assert_eq!(deframer.next(), Ok(None));
            assert_eq!(deframer.buffered(), 1);
            assert!(deframer.bytes.len() <= 5);
        }
    }
}
