//! The records of one future frame.
use crate::format::{
    ENVELOPE_BYTES, FRAME_HEADER_BYTES, FrameHeader, Hash, put_u16, put_u32, seal_frame,
};
use crate::limits::{FRAME_BYTES_MAX, RECORD_BYTES_MAX};
use alloc::vec::Vec;
use core::fmt;

/// Records on their way into one frame. Its buffer has the header's room in front, so that the
/// frame is finished in place; [`Batch::reset`] keeps the buffer.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    time_ns: u64,
    records: u32,
    end: usize,
    expected: Option<u64>,
    /// Header room, records, and after sealing the padding.
    frame: Vec<u8>,
}

/// Why a record did not go into a batch. The batch is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The frame would be longer than [`FRAME_BYTES_MAX`].
    Full,
    /// The payload is longer than [`RECORD_BYTES_MAX`].
    RecordTooLong,
    /// The record's time lies before the frame's.
    TimeBeforeFrame,
    /// The record's time lies more than `u32::MAX` microseconds after the frame's.
    TimeTooLate,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the frame has no room for this record",
            Self::RecordTooLong => "the record's payload is longer than 65,535 bytes",
            Self::TimeBeforeFrame => "the record's time lies before its frame's",
            Self::TimeTooLate => "the record's time lies over 71 minutes after its frame's",
        })
    }
}

impl core::error::Error for BatchError {}

impl Batch {
    /// An empty batch of that time (nanoseconds, kept to the microsecond).
    #[must_use]
    pub fn new(time_ns: u64) -> Self {
        let mut batch = Self::default();
        batch.reset(time_ns);
        batch
    }

    /// Empties it for a frame of that time, keeping its memory.
    pub fn reset(&mut self, time_ns: u64) {
        self.time_ns = whole_micros(time_ns);
        self.records = 0;
        self.expected = None;
        self.frame.clear();
        self.frame.resize(FRAME_HEADER_BYTES, 0);
        self.end = FRAME_HEADER_BYTES;
    }

    /// Adds a record of the caller's `kind` in `version` of that kind. Its time comes back to the
    /// microsecond, rounded down.
    pub fn push(
        &mut self,
        kind: u8,
        version: u8,
        time_ns: u64,
        payload: &[u8],
    ) -> Result<(), BatchError> {
        self.push_with(kind, version, time_ns, |bytes| bytes.extend_from_slice(payload))
    }

    /// As [`Batch::push`], for a payload that `write` appends to the buffer it is given. `write`
    /// must only append.
    pub fn push_with(
        &mut self,
        kind: u8,
        version: u8,
        time_ns: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), BatchError> {
        self.push_within(FRAME_BYTES_MAX, kind, version, time_ns, write)
    }

    /// As [`Batch::push_with`], for a frame of at most `frame_bytes_max`.
    pub(crate) fn push_within(
        &mut self,
        frame_bytes_max: usize,
        kind: u8,
        version: u8,
        time_ns: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), BatchError> {
        let since =
            whole_micros(time_ns).checked_sub(self.time_ns).ok_or(BatchError::TimeBeforeFrame)?;
        let micros =
            u32::try_from(since.wrapping_div(1000)).map_err(|_| BatchError::TimeTooLate)?;
        self.frame.truncate(self.end);
        let start = self.end.saturating_add(ENVELOPE_BYTES);
        self.frame.resize(start, 0);
        write(&mut self.frame);
        assert!(self.frame.len() >= start, "the writer of a payload only appends");
        let length = self.frame.len().saturating_sub(start);
        let refusal = if length > RECORD_BYTES_MAX {
            Some(BatchError::RecordTooLong)
        } else if self.frame.len() > frame_bytes_max.min(FRAME_BYTES_MAX) {
            Some(BatchError::Full)
        } else {
            None
        };
        let (Ok(length), None) = (u16::try_from(length), refusal) else {
            self.frame.truncate(self.end);
            return Err(refusal.unwrap_or(BatchError::RecordTooLong));
        };
        let envelope = &mut self.frame[self.end..start];
        put_u16(envelope, 0, length);
        envelope[2] = kind;
        envelope[3] = version;
        put_u32(envelope, 4, micros);
        self.end = self.frame.len();
        // Can't wrap: 4 MiB hold fewer than 2^20 envelopes.
        self.records = self.records.saturating_add(1);
        Ok(())
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.records
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The length of the frame so far, header included, without padding, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.end
    }

    /// Its time, nanoseconds.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.time_ns
    }

    /// Says which number its first record must get; the writer refuses it out of turn.
    pub fn expect_first_record(&mut self, number: u64) {
        self.expected = Some(number);
    }

    /// The frame as it was last written, with header and padding: what a standby is sent.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub(crate) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Makes it the frame of these values; fills in what the batch itself knows.
    pub(crate) fn seal(&mut self, header: &mut FrameHeader, block: usize) -> Hash {
        self.frame.truncate(self.end);
        header.time_ns = self.time_ns;
        header.records = self.records;
        header.length = small(self.end.saturating_sub(FRAME_HEADER_BYTES));
        header.frame_bytes = small(crate::format::round_up(self.end, block));
        seal_frame(&mut self.frame, header, block)
    }
}

fn whole_micros(time_ns: u64) -> u64 {
    time_ns.wrapping_div(1000).wrapping_mul(1000)
}

/// Lengths within a frame: at most [`FRAME_BYTES_MAX`] and one block, far below 4 GiB.
fn small(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
