//! Reading segments frame by frame, believing nothing: every frame must hold by itself and
//! continue the one before. Shared by recovery and verification.
use crate::damage::{Damage, Flaw};
use crate::disk::{Disk, DiskError};
use crate::format::{
    BLOCK_BYTES_MAX, Block, FrameHeader, HEAD_BYTES, HEAD_FILE, Hash, HeadError, HeadFile,
    HeadSlot, HeaderRead, Parsed, Records, SegmentHeader, is_zero, parse_frame, round_up,
    segment_name, segment_number,
};
use crate::limits::{PIECE_BYTES, RECOVERY_READ_BYTES};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A segment file as it was found.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Its length, bytes.
    pub(crate) len: u64,
    pub(crate) header: HeaderRead,
}

impl SegmentFile {
    /// Its header, if it is in use and the header holds.
    pub(crate) fn valid(&self) -> Option<&SegmentHeader> {
        match &self.header {
            HeaderRead::Valid(header) => Some(header),
            HeaderRead::Zero | HeaderRead::Broken | HeaderRead::Newer(_) => None,
        }
    }
}

/// All segments among `names`, in order, with their headers.
pub(crate) fn load_segments<D: Disk>(
    disk: &mut D,
    names: &[String],
) -> Result<Vec<SegmentFile>, DiskError> {
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut segments = Vec::with_capacity(numbers.len());
    let mut block = vec![0; BLOCK_BYTES_MAX];
    for number in numbers {
        let name = segment_name(number);
        let len = disk.len(&name)?.unwrap_or(0);
        let read = disk.read(&name, 0, &mut block)?;
        let mut header = SegmentHeader::read(&block[..read.min(block.len())]);
        // A header in another file's place was misdirected.
        if let HeaderRead::Valid(found) = &header
            && found.number != number
        {
            header = HeaderRead::Broken;
        }
        segments.push(SegmentFile { number, name, len, header });
    }
    Ok(segments)
}

/// Where a walk stands, and what the next frame must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which of the segments.
    pub(crate) index: usize,
    /// Where in its file.
    pub(crate) offset: u64,
    /// The next frame.
    pub(crate) sequence: u64,
    /// The next record.
    pub(crate) record: u64,
    /// The hash of the last frame.
    pub(crate) previous: Hash,
    /// The epoch in force.
    pub(crate) epoch: u64,
    /// The time of the last frame, nanoseconds.
    pub(crate) time_ns: u64,
}

impl Position {
    /// The start of a segment.
    pub(crate) fn start(index: usize, header: &SegmentHeader) -> Self {
        Self {
            index,
            offset: header.block.bytes() as u64,
            sequence: header.first_frame,
            record: header.first_record,
            previous: header.previous,
            epoch: header.epoch,
            time_ns: header.time_ns,
        }
    }

    /// Just before a frame that is believed although what was before it can't be read.
    pub(crate) fn before(index: usize, offset: u64, frame: &FrameHeader) -> Self {
        Self {
            index,
            offset,
            sequence: frame.sequence,
            record: frame.first_record,
            previous: frame.previous,
            epoch: frame.epoch,
            time_ns: frame.time_ns,
        }
    }
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next frame, which holds; the position is behind it. Its hash is `previous` now.
    Frame(FrameHeader),
    /// Something that is not the next frame; the position is before it.
    Broken(Flaw),
    /// A frame of a newer version.
    Newer(u16),
    /// Unwritten space in the last segment in use.
    End,
}

/// Walks over `segments`.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    segments: &'a [SegmentFile],
    pub(crate) at: Position,
    window: Window,
    /// Where the last frame stands in the window.
    frame: (usize, usize),
}

impl<'a> Walk<'a> {
    /// Starts at a position in a segment whose header holds.
    pub(crate) fn new(segments: &'a [SegmentFile], at: Position) -> Self {
        Self { segments, at, window: Window::default(), frame: (0, 0) }
    }

    /// Goes on at a position, with what an earlier walk over the same segments had in memory.
    pub(crate) fn go_on(segments: &'a [SegmentFile], at: Position, window: Window) -> Self {
        Self { segments, at, window, frame: (0, 0) }
    }

    /// Where it is, and what it has in memory.
    pub(crate) fn into_parts(self) -> (Position, Window) {
        (self.at, self.window)
    }

    /// The records of the frame that [`Walk::next`] returned last.
    pub(crate) fn records(&self, header: &FrameHeader) -> Records<'_> {
        Records::new(header, &self.window.bytes[self.frame.0..self.frame.1])
    }

    /// The next step.
    pub(crate) fn next<D: Disk>(&mut self, disk: &mut D) -> Result<Step, DiskError> {
        loop {
            let segments = self.segments;
            let Some(segment) = segments.get(self.at.index) else {
                return Ok(Step::End);
            };
            let Some(header) = segment.valid() else {
                return Ok(Step::End);
            };
            let parsed = self.parse(disk, segment, header)?;
            let block = header.block.bytes() as u64;
            match parsed {
                Parsed::Frame(frame) => return Ok(self.take(frame)),
                Parsed::Newer(version) => return Ok(Step::Newer(version)),
                Parsed::Broken | Parsed::More(_) => return Ok(Step::Broken(Flaw::FrameBroken)),
                Parsed::Zero => {}
            }
            let next_index = self.at.index.saturating_add(1);
            let Some(next) = segments.get(next_index).and_then(SegmentFile::valid) else {
                return Ok(Step::End);
            };
            if segment.len != header.segment_bytes {
                return Ok(Step::Broken(Flaw::SegmentLength));
            }
            debug_assert!(self.at.offset.is_multiple_of(block));
            if let Some((first, _)) = written(disk, &segment.name, self.at.offset, segment.len)? {
                self.at.offset = first;
                return Ok(Step::Broken(Flaw::UnwrittenNotZero));
            }
            let continues = next.first_frame == self.at.sequence
                && next.first_record == self.at.record
                && next.previous == self.at.previous
                && next.epoch >= self.at.epoch
                && next.node == header.node
                && next.number == segment.number.saturating_add(1);
            if !continues {
                return Ok(Step::Broken(Flaw::SegmentOutOfPlace));
            }
            let time_ns = self.at.time_ns.max(next.time_ns);
            self.at = Position { time_ns, ..Position::start(next_index, next) };
        }
    }

    /// What stands at the position; beyond the segment's last block it is nothing.
    fn parse<D: Disk>(
        &mut self,
        disk: &mut D,
        segment: &SegmentFile,
        header: &SegmentHeader,
    ) -> Result<Parsed, DiskError> {
        let block = header.block.bytes();
        let room = header.segment_bytes.saturating_sub(self.at.offset);
        if room < block as u64 {
            return Ok(Parsed::Zero);
        }
        let bytes = self.window.fill(disk, self.at.index, segment, self.at.offset, block)?;
        if bytes.len() < block {
            // The file is short. What is left of the block may be the start of a frame.
            return Ok(if is_zero(bytes) { Parsed::Zero } else { Parsed::Broken });
        }
        let mut parsed = parse_frame(bytes, block);
        if let Parsed::More(want) = parsed
            && want as u64 <= room
        {
            let offset = self.at.offset;
            let bytes = self.window.fill(disk, self.at.index, segment, offset, want)?;
            parsed = parse_frame(bytes, block);
        }
        Ok(match parsed {
            Parsed::Frame(frame) if u64::from(frame.frame_bytes) > room => Parsed::Broken,
            parsed => parsed,
        })
    }

    /// Checks that a whole frame is the next one, and goes behind it.
    fn take(&mut self, frame: FrameHeader) -> Step {
        if frame.sequence != self.at.sequence || frame.first_record != self.at.record {
            return Step::Broken(Flaw::FrameOutOfPlace);
        }
        if frame.previous != self.at.previous {
            return Step::Broken(Flaw::ChainBroken);
        }
        if frame.epoch < self.at.epoch {
            return Step::Broken(Flaw::EpochBack);
        }
        let start = self.window.index_of(self.at.offset);
        let frame_bytes = usize::try_from(frame.frame_bytes).unwrap_or(0);
        self.frame = (start, start.saturating_add(frame_bytes));
        self.at = Position {
            index: self.at.index,
            offset: self.at.offset.saturating_add(u64::from(frame.frame_bytes)),
            sequence: frame.sequence.saturating_add(1),
            record: frame.last_record().saturating_add(1),
            previous: Hash::of(&self.window.bytes[self.frame.0..self.frame.1]),
            epoch: frame.epoch,
            time_ns: frame.time_ns,
        };
        Step::Frame(frame)
    }
}

/// A piece of one file in memory.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Which segment; `None` = nothing is in memory.
    index: Option<usize>,
    base: u64,
    /// How much of `bytes` was read.
    len: usize,
    bytes: Vec<u8>,
    /// How much is read at once, if that is more than a piece.
    ahead: usize,
}

impl Window {
    /// One that reads so much at once.
    pub(crate) fn ahead(bytes: usize) -> Self {
        Self { ahead: bytes, ..Self::default() }
    }

    /// Nothing is in its memory any more, and so much is read at once.
    pub(crate) fn forget(&mut self, ahead: usize) {
        (self.index, self.len, self.ahead) = (None, 0, ahead);
    }

    /// Bytes of memory that it has.
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    /// The bytes from `offset` on: at least `want`, fewer only at the end of the file.
    pub(crate) fn fill<D: Disk>(
        &mut self,
        disk: &mut D,
        index: usize,
        file: &SegmentFile,
        offset: u64,
        want: usize,
    ) -> Result<&[u8], DiskError> {
        let (name, len) = (&file.name, file.len);
        let end = offset.saturating_add(want as u64);
        let have = self.base.saturating_add(self.len as u64);
        if self.index != Some(index) || offset < self.base || end > have {
            self.index = None;
            let rest = usize::try_from(len.saturating_sub(offset)).unwrap_or(PIECE_BYTES);
            let most = self.ahead.max(PIECE_BYTES);
            let rest = round_up(rest, BLOCK_BYTES_MAX).min(most);
            let ask = want.max(rest);
            if self.bytes.len() < ask {
                self.bytes = vec![0; ask];
            }
            self.len = disk.read(name, offset, &mut self.bytes[..ask])?.min(ask);
            self.index = Some(index);
            self.base = offset;
        }
        let start = self.index_of(offset).min(self.len);
        Ok(&self.bytes[start..self.len])
    }

    /// Where `offset` of the file is in memory.
    fn index_of(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }
}

/// The first byte that is not zero in `from..to` of a file, and the one behind the last; `from` is
/// a whole number of blocks.
pub(crate) fn written<D: Disk>(
    disk: &mut D,
    name: &str,
    from: u64,
    to: u64,
) -> Result<Option<(u64, u64)>, DiskError> {
    let mut found: Option<(u64, u64)> = None;
    let piece = to.saturating_sub(from).next_multiple_of(BLOCK_BYTES_MAX as u64);
    let most = RECOVERY_READ_BYTES;
    let mut buf = vec![0; usize::try_from(piece).unwrap_or(most).min(most)];
    let mut offset = from;
    while offset < to {
        let read = disk.read(name, offset, &mut buf)?;
        if read == 0 {
            break;
        }
        let bytes = &buf[..read.min(buf.len())];
        if !is_zero(bytes) {
            let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0) as u64;
            let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
            let first = found.map_or(offset.saturating_add(first), |(first, _)| first);
            found = Some((first, offset.saturating_add(last).saturating_add(1)));
        }
        offset = offset.saturating_add(read as u64);
    }
    Ok(found)
}

/// The first whole frame at a block boundary in `from..to` of a segment whose sequence is at least
/// `sequence`, with its offset.
pub(crate) fn find_frame<D: Disk>(
    disk: &mut D,
    segment: &SegmentFile,
    block: Block,
    from: u64,
    to: u64,
    sequence: u64,
) -> Result<Option<(u64, FrameHeader)>, DiskError> {
    let block = block.bytes();
    let mut window = Window::default();
    let mut offset = from.next_multiple_of(block as u64);
    while offset < to {
        let mut parsed = parse_frame(window.fill(disk, 0, segment, offset, block)?, block);
        if let Parsed::More(want) = parsed {
            parsed = parse_frame(window.fill(disk, 0, segment, offset, want)?, block);
        }
        if let Parsed::Frame(frame) = parsed
            && frame.sequence >= sequence
        {
            return Ok(Some((offset, frame)));
        }
        offset = offset.saturating_add(block as u64);
    }
    Ok(None)
}

/// The head file as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadRead {
    Found(HeadFile),
    Absent,
    Broken,
    Newer(u16),
}

/// Reads the head.
pub(crate) fn read_head<D: Disk>(disk: &mut D) -> Result<HeadRead, DiskError> {
    let Some(len) = disk.len(HEAD_FILE)? else {
        return Ok(HeadRead::Absent);
    };
    let mut bytes = vec![0; HEAD_BYTES];
    let read = disk.read(HEAD_FILE, 0, &mut bytes)?;
    if len != HEAD_BYTES as u64 || read != HEAD_BYTES {
        return Ok(HeadRead::Broken);
    }
    Ok(match HeadFile::read(&bytes) {
        Ok(head) => HeadRead::Found(head),
        Err(HeadError::Broken) => HeadRead::Broken,
        Err(HeadError::Newer(version)) => HeadRead::Newer(version),
    })
}

/// What a frame that continues the chain contradicts in the head, if anything. `at` is the
/// position behind the frame.
pub(crate) fn contradicts(
    head: &HeadSlot,
    segments: &[SegmentFile],
    frame: &FrameHeader,
    at: &Position,
) -> Option<Flaw> {
    // The head may have been written when the next segment was in use but still empty.
    let in_use = segments.get(at.index).is_some_and(|file| file.number == head.segment);
    let disagrees = frame.sequence == head.frame
        && (at.previous != head.hash
            || frame.last_record() != head.record
            || (in_use && at.offset != head.end));
    if disagrees {
        Some(Flaw::HeadDisagrees)
    } else if frame.sequence > head.frame && frame.epoch < head.epoch {
        Some(Flaw::EpochBack)
    } else {
        None
    }
}

/// The first gap in the numbers of the segments that are kept, as damage.
pub(crate) fn missing_segment(segments: &[SegmentFile], head: &HeadSlot) -> Option<Damage> {
    let mut expected = head.oldest;
    for file in segments.iter().filter(|file| file.number >= head.oldest) {
        if file.number != expected {
            break;
        }
        expected = expected.saturating_add(1);
    }
    let last = segments.last().map_or(0, |file| file.number).max(head.segment);
    if expected > last {
        return None;
    }
    Some(of_segment(segments, head, expected, Flaw::SegmentMissing))
}

/// The first of the segments before the one in use whose header does not hold, as damage.
pub(crate) fn broken_header(segments: &[SegmentFile], head: &HeadSlot) -> Option<Damage> {
    let mut before =
        segments.iter().filter(|file| (head.oldest..head.segment).contains(&file.number));
    let broken = before.find(|file| file.valid().is_none())?;
    Some(of_segment(segments, head, broken.number, Flaw::SegmentHeader))
}

/// What is lost with a whole segment.
fn of_segment(segments: &[SegmentFile], head: &HeadSlot, number: u64, flaw: Flaw) -> Damage {
    let before = segments.iter().rev().find(|file| file.number < number);
    let after = segments.iter().find(|file| file.number > number).and_then(SegmentFile::valid);
    let first = before.and_then(SegmentFile::valid).map_or(1, |header| header.first_record);
    Damage {
        file: segment_name(number),
        offset: 0,
        frame: after.map_or(head.frame, |header| header.first_frame.saturating_sub(1)),
        from_record: first,
        to_record: Some(after.map_or(head.record, |header| header.first_record.saturating_sub(1))),
        flaw,
    }
}
