//! What can be wrong with a journal, and where.
use alloc::string::String;
use core::fmt;

/// A place where the journal is not what was written. The records `from_record..=to_record` cannot
/// be read or believed; if `to_record` is the one before `from_record`, no record is touched and
/// the damage lies between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where in the file, bytes.
    pub offset: u64,
    /// The frame that is damaged, or that would follow at this place; 0 = no frame is touched, or
    /// which is not known.
    pub frame: u64,
    /// The first record that is touched.
    pub from_record: u64,
    /// The last record that is touched, if it is known.
    pub to_record: Option<u64>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A frame's checksum, magic or length does not hold.
    FrameBroken,
    /// A whole frame in the wrong place: its sequence or first record is not the next.
    FrameOutOfPlace,
    /// A frame that does not name the hash of the frame before it.
    ChainBroken,
    /// A frame of a lower epoch than the one before it.
    EpochBack,
    /// The journal ends before the frame that the head names.
    FramesMissing,
    /// The head names another frame of the same sequence.
    HeadDisagrees,
    /// Bytes that are not zero where nothing was written.
    UnwrittenNotZero,
    /// A segment's header does not hold.
    SegmentHeader,
    /// A segment's header does not continue the segment before.
    SegmentOutOfPlace,
    /// A whole segment that continues nothing here: another journal's, or of another time.
    SegmentForeign,
    /// The header of another segment.
    SegmentOf {
        /// The one whose header it is.
        number: u64,
    },
    /// A segment between others, or the oldest that the head names, is not there.
    SegmentMissing,
    /// The same, and those after it.
    SegmentsMissing {
        /// The last of them.
        last: u64,
    },
    /// A segment's name, and no file.
    SegmentNoFile,
    /// A segment file has not its length.
    SegmentLength,
    /// The same, and its length.
    SegmentBytes {
        /// What it has.
        bytes: u64,
        /// What it should have.
        of: u64,
    },
    /// There is no head file, or neither of its slots holds.
    HeadLost,
    /// One slot of the head does not hold, though the journal was stopped cleanly.
    HeadSlot,
    /// A snapshot's hash, header or length does not hold.
    Snapshot,
    /// A snapshot of records that the journal does not hold.
    SnapshotAhead,
    /// Records before the first that can be replayed are gone and no snapshot covers them.
    HistoryMissing,
    /// The anchor that stands for removed segments is not there or does not hold.
    AnchorLost,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::SegmentOf { number } => {
                return write!(f, "this is segment {number}, which stands in another's place");
            }
            Self::SegmentsMissing { last } => {
                return write!(f, "all segments from here to {last} are missing");
            }
            Self::SegmentBytes { bytes, of } => {
                return write!(f, "the segment file has {bytes} bytes and should have {of}");
            }
            Self::FrameBroken => "the frame's checksum does not hold",
            Self::FrameOutOfPlace => "a frame stands where another belongs",
            Self::ChainBroken => "the frame does not continue the hash chain",
            Self::EpochBack => "the frame is of an epoch that had ended",
            Self::FramesMissing => "acknowledged frames are missing",
            Self::HeadDisagrees => "the head names another frame of this number",
            Self::UnwrittenNotZero => "unwritten space is not zero",
            Self::SegmentHeader => "the segment's header does not hold",
            Self::SegmentOutOfPlace => "the segment does not continue the one before",
            Self::SegmentForeign => "the segment is not of this journal",
            Self::SegmentMissing => "a segment is missing",
            Self::SegmentNoFile => "this is no file",
            Self::SegmentLength => "the segment file has not its length",
            Self::HeadLost => "the head file is missing or wholly damaged",
            Self::HeadSlot => "a slot of the head file does not hold",
            Self::Snapshot => "the snapshot does not hold",
            Self::SnapshotAhead => "the snapshot covers records that the journal has not",
            Self::HistoryMissing => "older records are gone and no snapshot covers them",
            Self::AnchorLost => "the anchor that stands for older segments is missing or damaged",
        };
        f.write_str(what)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {} (", self.file, self.offset, self.flaw)?;
        match self.to_record {
            None => write!(f, "records from {} on", self.from_record)?,
            Some(to) if to < self.from_record => write!(f, "after record {to}")?,
            Some(to) if to == self.from_record => write!(f, "record {to}")?,
            Some(to) => write!(f, "records {} to {to}", self.from_record)?,
        }
        match self.frame {
            0 => f.write_str(")"),
            frame => write!(f, ", frame {frame})"),
        }
    }
}

/// A torn tail: what a write left that was in flight when the power went. Never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Where the torn bytes begin.
    pub offset: u64,
    /// How many bytes there are up to the last that is not zero, or up to the file's proper
    /// length if the file is short.
    pub bytes: u64,
    /// The frame that was being written.
    pub frame: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at byte {}: {} bytes of the unacknowledged frame {} cut",
            self.file, self.offset, self.bytes, self.frame
        )
    }
}
