//! Which segments are a journal's own, judged before any record is given: of one that is another
//! journal's everything holds by itself, and only its neighbours tell. What bounds it: of each
//! sealed segment only the last frame is read, unless that one does not fit.
use crate::damage::Flaw;
use crate::disk::{Disk, DiskError};
use crate::format::{
    BLOCK_BYTES_MAX, FrameHeader, Hash, HeadSlot, HeaderRead, Parsed, SegmentHeader, parse_frame,
    segment_name,
};
use crate::limits::{HOLE_NAMES_MAX, SEAM_READ_BYTES};
use crate::walk::{Position, SegmentFile, Step, Walk, written};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::slice;

/// The segments of a journal as a verification believes them.
#[derive(Debug)]
pub(super) struct Standing {
    /// In order. A header that is not believed counts as broken.
    pub(super) segments: Vec<SegmentFile>,
    /// What is wrong with each as a whole.
    flaws: Vec<Option<Flaw>>,
}

impl Standing {
    pub(super) fn new<D: Disk>(
        disk: &mut D,
        segments: Vec<SegmentFile>,
        head: Option<&HeadSlot>,
    ) -> Result<Self, DiskError> {
        let in_use = segments.iter().rev().find_map(SegmentFile::valid).copied();
        let last =
            head.map_or(in_use.as_ref().map_or(0, |header| header.number), |head| head.segment);
        let flaws = vec![None; segments.len()];
        let mut standing = Self { segments, flaws };
        for index in 0..standing.segments.len() {
            let file = &standing.segments[index];
            let other = head.zip(file.valid()).filter(|(head, header)| head.node != header.node);
            let flaw = match other {
                Some(_) => Some(Flaw::SegmentForeign),
                None if file.valid().is_some() || file.number > last => None,
                None => Some(header_flaw(disk, file, in_use.as_ref())?),
            };
            standing.deny(index, flaw);
        }
        standing.deny_strangers(disk, head, last)?;
        Ok(standing)
    }

    fn deny(&mut self, index: usize, flaw: Option<Flaw>) {
        if let (Some(_), Some(file)) = (flaw, self.segments.get_mut(index)) {
            file.header = HeaderRead::Broken;
            self.flaws[index] = flaw;
        }
    }

    /// Denies whole segments that continue nothing, in favour of what the head names and of the
    /// longest of the others.
    fn deny_strangers<D: Disk>(
        &mut self,
        disk: &mut D,
        head: Option<&HeadSlot>,
        last: u64,
    ) -> Result<(), DiskError> {
        let mut runs: Vec<Run> = Vec::new();
        for (index, file) in self.segments.iter().enumerate() {
            let Some(header) = file.valid().filter(|header| header.number <= last) else {
                continue;
            };
            let before = runs.last_mut().filter(|run| run.last.saturating_add(1) == index);
            let seam = match &before {
                Some(run) => seam(disk, &self.segments[run.last], header)?,
                None => Seam::Gap,
            };
            match before {
                Some(run) if seam == Seam::Fits => run.last = index,
                Some(_) | None => {
                    runs.push(Run { first: index, last: index, seam, trust: Trust::Unknown })
                }
            }
        }
        if runs.len() < 2 {
            return Ok(());
        }
        if let (Some(run), Some(head)) = (runs.last_mut(), head) {
            run.trust = trust(disk, &self.segments[run.last], head)?;
        }
        // Of two that are as good the later: without the earlier one nothing of it is given.
        runs.sort_by_key(|run| Reverse((run.trust, run.len(), run.first)));
        let mut kept: Vec<Run> = Vec::new();
        for run in runs {
            if kept.iter().all(|other| self.agree(run, *other)) {
                kept.push(run);
                continue;
            }
            for index in run.first..=run.last {
                self.deny(index, Some(Flaw::SegmentForeign));
            }
        }
        Ok(())
    }

    /// Whether two runs can be of one journal: where damage or a gap is between them, and room for
    /// what is missing.
    fn agree(&self, one: Run, other: Run) -> bool {
        let (before, after) = if one.first < other.first { (one, other) } else { (other, one) };
        let header = |index: usize| self.segments.get(index).and_then(SegmentFile::valid);
        let (Some(last), Some(first)) = (header(before.last), header(after.first)) else {
            return true;
        };
        let are_beside = before.last.saturating_add(1) == after.first;
        is_later(last, first) && (!are_beside || after.seam == Seam::Gap)
    }

    /// What is not there, or not believed, of the segments `from..to`.
    pub(super) fn wrong<D: Disk>(
        &self,
        disk: &mut D,
        from: u64,
        to: u64,
    ) -> Result<Vec<(String, Flaw)>, DiskError> {
        let mut wrong = Vec::new();
        let mut next = from;
        for (file, flaw) in self.segments.iter().zip(&self.flaws) {
            if !(from..to).contains(&file.number) {
                continue;
            }
            hole(disk, next, file.number, &mut wrong)?;
            next = file.number.saturating_add(1);
            let unread = file.valid().is_none().then_some(Flaw::SegmentHeader);
            wrong.extend(flaw.or(unread).map(|flaw| (file.name.clone(), flaw)));
        }
        hole(disk, next, to, &mut wrong)?;
        Ok(wrong)
    }
}

/// Segments that continue each other, by index.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    last: usize,
    /// What is before it.
    seam: Seam,
    trust: Trust,
}

/// What the head says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    /// Its frame is not in it, and should be.
    Contradicted,
    Unknown,
    /// Its frame is in it.
    Named,
}

impl Run {
    fn len(self) -> usize {
        self.last.saturating_sub(self.first)
    }
}

/// Names the segments `from..to`, none of which is in the directory as a file.
fn hole<D: Disk>(
    disk: &mut D,
    from: u64,
    to: u64,
    wrong: &mut Vec<(String, Flaw)>,
) -> Result<(), DiskError> {
    let mut missing = from;
    let end = |wrong: &mut Vec<(String, Flaw)>, missing: u64, next: u64| {
        let last = next.saturating_sub(1);
        if missing < last {
            wrong.push((segment_name(missing), Flaw::SegmentsMissing { last }));
        } else if missing == last {
            wrong.push((segment_name(missing), Flaw::SegmentMissing));
        }
    };
    for number in (from..to).take(HOLE_NAMES_MAX) {
        let name = segment_name(number);
        // There, and not in the list of files.
        if disk.len(&name)?.is_some() {
            end(wrong, missing, number);
            wrong.push((name, Flaw::SegmentNoFile));
            missing = number.saturating_add(1);
        }
    }
    end(wrong, missing, to);
    Ok(())
}

/// Why a segment's header is not believed.
fn header_flaw<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    other: Option<&SegmentHeader>,
) -> Result<Flaw, DiskError> {
    let mut block = vec![0; BLOCK_BYTES_MAX];
    let read = disk.read(&file.name, 0, &mut block)?.min(block.len());
    if let HeaderRead::Valid(header) = SegmentHeader::read(&block[..read]) {
        return Ok(Flaw::SegmentOf { number: header.number });
    }
    Ok(match other {
        Some(other) if file.len < other.block.bytes() as u64 => {
            Flaw::SegmentBytes { bytes: file.len, of: other.segment_bytes }
        }
        Some(_) | None => Flaw::SegmentHeader,
    })
}

/// Whether numbers and epoch of a segment are behind those of an earlier one.
fn is_later(before: &SegmentHeader, after: &SegmentHeader) -> bool {
    after.first_frame > before.first_frame
        && after.first_record > before.first_record
        && after.epoch >= before.epoch
}

/// What two segments that follow each other say of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seam {
    /// The later one names the hash of the earlier one's last frame.
    Fits,
    /// Nothing: something between them is missing or does not hold.
    Gap,
    /// They are not of one journal.
    Breaks,
}

/// Judges the seam between a segment and the next header: frames that do not hold say nothing, and
/// frames at the end may have been lost if there was room for them.
fn seam<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    next: &SegmentHeader,
) -> Result<Seam, DiskError> {
    let Some(header) = file.valid() else { return Ok(Seam::Gap) };
    if !is_later(header, next) {
        return Ok(Seam::Breaks);
    }
    if next.number != header.number.saturating_add(1) {
        return Ok(Seam::Gap);
    }
    let last = next.first_frame.saturating_sub(1);
    let found = find_back(disk, file, header, last)?;
    if found.is_some_and(|(frame, hash)| {
        frame.last_record().saturating_add(1) == next.first_record && hash == next.previous
    }) {
        return Ok(Seam::Fits);
    }
    let Some(end) = end_of(disk, file, header)? else { return Ok(Seam::Gap) };
    let block = header.block.bytes() as u64;
    let room = file.len.saturating_sub(end.offset).checked_div(block).unwrap_or(0);
    let lost = |from: u64, to: u64| to.checked_sub(from);
    let frames = lost(end.sequence, next.first_frame);
    let records = lost(end.record, next.first_record);
    let may_be = |(frames, records)| frames <= room && frames <= records;
    Ok(if frames.zip(records).is_some_and(may_be) { Seam::Gap } else { Seam::Breaks })
}

/// Where the frames of a segment end that holds from its first byte to its last.
fn end_of<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    header: &SegmentHeader,
) -> Result<Option<Position>, DiskError> {
    let mut walk = Walk::new(slice::from_ref(file), Position::start(0, header));
    let step = loop {
        match walk.next(disk)? {
            Step::Frame(_) => {}
            step @ (Step::Broken(_) | Step::Newer(_) | Step::End) => break step,
        }
    };
    let whole = step == Step::End
        && file.len == header.segment_bytes
        && written(disk, &file.name, walk.at.offset, file.len)?.is_none();
    Ok(whole.then_some(walk.at))
}

/// Whether a segment holds the frame that the head names, or is to begin with the next.
fn trust<D: Disk>(disk: &mut D, file: &SegmentFile, head: &HeadSlot) -> Result<Trust, DiskError> {
    let Some(header) = file.valid().filter(|header| header.number == head.segment) else {
        return Ok(Trust::Unknown);
    };
    let holds = if header.first_frame == head.frame.saturating_add(1) {
        header.previous == head.hash
    } else {
        let found = find_back(disk, file, header, head.frame)?;
        found.is_some_and(|(_, hash)| hash == head.hash)
    };
    Ok(match holds {
        true => Trust::Named,
        // Where something does not hold it may have been there.
        false if end_of(disk, file, header)?.is_none() => Trust::Unknown,
        false => Trust::Contradicted,
    })
}

/// The frame of that number and its hash, looked for from the end of a segment; `None` if it does
/// not hold, or one before it stands behind its place.
fn find_back<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    header: &SegmentHeader,
    sequence: u64,
) -> Result<Option<(FrameHeader, Hash)>, DiskError> {
    let block = header.block.bytes();
    let piece = SEAM_READ_BYTES as u64;
    let mut buf = vec![0; SEAM_READ_BYTES];
    let mut start = file.len.next_multiple_of(piece).saturating_sub(piece);
    loop {
        let read = disk.read(&file.name, start, &mut buf)?.min(buf.len());
        for at in (0..read).step_by(block).rev() {
            let said = buf[..read].get(at..at.saturating_add(block));
            let said = said.and_then(|first| FrameHeader::plausible(first, block));
            let Some(said) = said.filter(|said| said.sequence <= sequence) else { continue };
            let mut whole = vec![0; usize::try_from(said.frame_bytes).unwrap_or(0)];
            let offset = start.saturating_add(at as u64);
            if offset.saturating_add(whole.len() as u64) > file.len
                || disk.read(&file.name, offset, &mut whole)? != whole.len()
            {
                continue;
            }
            if let Parsed::Frame(frame) = parse_frame(&whole, block) {
                let found = frame.sequence == sequence;
                return Ok(found.then(|| (frame, Hash::of(&whole))));
            }
        }
        if start == 0 {
            return Ok(None);
        }
        start = start.saturating_sub(piece);
    }
}
