//! Judging the end of a journal: clean, torn by the write that was in flight, or damaged.
use crate::damage::{Cut, Damage, Flaw};
use crate::disk::{Disk, DiskError};
use crate::format::{BLOCK_BYTES_MAX, Block, FrameHeader, HeadSlot, HeaderRead, SegmentHeader};
use crate::limits::{FRAME_BYTES_MAX, PIECE_BYTES};
use crate::walk::{Position, SegmentFile, Step, find_frame, written};
use alloc::vec;

/// What the end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing behind the last frame.
    Clean,
    /// What one unacknowledged write left.
    Torn(Cut),
    /// Anything else.
    Damaged(Damage),
}

/// Judges a walk that stopped at `at` with `step` (not a frame).
pub(crate) fn judge<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    head: &HeadSlot,
    at: Position,
    step: Step,
) -> Result<Tail, DiskError> {
    let Some(active) = segments.get(at.index) else {
        return Ok(Tail::Clean);
    };
    let Some(header) = active.valid() else {
        return Ok(Tail::Clean);
    };
    let flaw = match step {
        Step::Broken(flaw) => Some(flaw),
        Step::End | Step::Frame(_) | Step::Newer(_) => None,
    };
    let next = segments.get(at.index.saturating_add(1));
    let sealed = next.is_some_and(|next| next.valid().is_some());
    if sealed || at.sequence <= head.frame || flaw.is_some_and(|flaw| flaw != Flaw::FrameBroken) {
        let flaw = flaw.unwrap_or(Flaw::FramesMissing);
        return Ok(Tail::Damaged(damage_at(disk, segments, head, at, flaw)?));
    }
    let mut torn = match judge_active(disk, active, header, head, at)? {
        Tail::Damaged(damage) => return Ok(Tail::Damaged(damage)),
        Tail::Torn(cut) => Some(cut),
        Tail::Clean => None,
    };
    for (distance, file) in segments.iter().skip(at.index.saturating_add(1)).enumerate() {
        match judge_ahead(disk, file, head, at)? {
            Tail::Clean if distance == 0 => {}
            Tail::Torn(cut) if distance == 0 => torn = torn.or(Some(cut)),
            // Only one segment is made ahead.
            Tail::Clean | Tail::Torn(_) => {
                return Ok(Tail::Damaged(untouched(file, 0, at, Flaw::SegmentHeader)));
            }
            Tail::Damaged(damage) => return Ok(Tail::Damaged(damage)),
        }
    }
    Ok(torn.map_or(Tail::Clean, Tail::Torn))
}

/// The space behind the last frame of the active segment.
fn judge_active<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    header: &SegmentHeader,
    head: &HeadSlot,
    at: Position,
) -> Result<Tail, DiskError> {
    let extent = written(disk, &file.name, at.offset, file.len)?;
    let short = file.len < header.segment_bytes;
    if file.len > header.segment_bytes || (head.stopped && short) {
        return Ok(Tail::Damaged(untouched(file, file.len, at, Flaw::SegmentLength)));
    }
    let end = match extent {
        None if !short => return Ok(Tail::Clean),
        None => at.offset.min(file.len),
        Some((first, _)) if head.stopped => {
            return Ok(Tail::Damaged(untouched(file, first, at, Flaw::UnwrittenNotZero)));
        }
        Some((_, end)) => end,
    };
    if let Some((_, later)) = find_frame(disk, file, header.block, at.offset, end, 0)? {
        let to_record = Some(later.first_record.saturating_sub(1));
        return Ok(Tail::Damaged(Damage {
            to_record,
            ..untouched(file, at.offset, at, Flaw::FrameBroken)
        }));
    }
    let most = at.offset.saturating_add(frame_in_flight(disk, file, header, at)?);
    if end > most {
        return Ok(Tail::Damaged(untouched(file, most, at, Flaw::UnwrittenNotZero)));
    }
    let end = if short { header.segment_bytes } else { end };
    Ok(Tail::Torn(Cut {
        file: file.name.clone(),
        offset: at.offset,
        bytes: end.saturating_sub(at.offset),
        frame: at.sequence,
    }))
}

/// How long the frame in flight was: as its header says, if that was written, else the longest.
fn frame_in_flight<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    header: &SegmentHeader,
    at: Position,
) -> Result<u64, DiskError> {
    let mut block = vec![0; header.block.bytes()];
    let read = disk.read(&file.name, at.offset, &mut block)?;
    let first = &block[..read.min(block.len())];
    let said = FrameHeader::plausible(first, block.len()).filter(|frame| {
        frame.sequence == at.sequence
            && frame.first_record == at.record
            && frame.previous == at.previous
    });
    Ok(said.map_or(FRAME_BYTES_MAX as u64, |frame| u64::from(frame.frame_bytes)))
}

/// A file behind the active segment. After a kill it may hold whatever its making left, or a torn
/// header block: it will be made anew. A whole frame in it means that it was in use.
fn judge_ahead<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    head: &HeadSlot,
    at: Position,
) -> Result<Tail, DiskError> {
    let Some((first, end)) = written(disk, &file.name, 0, file.len)? else {
        return Ok(Tail::Clean);
    };
    if head.stopped {
        let flaw = match file.header {
            HeaderRead::Zero => Flaw::UnwrittenNotZero,
            HeaderRead::Broken | HeaderRead::Valid(_) | HeaderRead::Newer(_) => Flaw::SegmentHeader,
        };
        return Ok(Tail::Damaged(untouched(file, first, at, flaw)));
    }
    for block in [Block::B512, Block::B4096] {
        if let Some((offset, _)) = find_frame(disk, file, block, 0, end, 0)? {
            return Ok(Tail::Damaged(untouched(file, offset, at, Flaw::SegmentHeader)));
        }
    }
    Ok(Tail::Torn(Cut { file: file.name.clone(), offset: 0, bytes: end, frame: at.sequence }))
}

/// Damage at a position, with the last record that is touched as far as it can be known: the one
/// before the next whole frame, before the next segment, or the one that the head names.
pub(crate) fn damage_at<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    head: &HeadSlot,
    at: Position,
    flaw: Flaw,
) -> Result<Damage, DiskError> {
    let Some(file) = segments.get(at.index) else {
        return Ok(Damage {
            file: "".into(),
            offset: at.offset,
            frame: at.sequence,
            from_record: at.record,
            to_record: None,
            flaw,
        });
    };
    let found = resume(disk, segments, at)?;
    let to_record = match found {
        Some(next) => Some(next.record.saturating_sub(1)),
        None if head.record >= at.record => Some(head.record),
        None => None,
    };
    Ok(Damage { to_record, ..untouched(file, at.offset, at, flaw) })
}

/// Where a walk can go on behind damage at `at`: the next whole frame of this segment, or the next
/// segment whose header holds.
pub(crate) fn resume<D: Disk>(
    disk: &mut D,
    segments: &[SegmentFile],
    at: Position,
) -> Result<Option<Position>, DiskError> {
    let Some(file) = segments.get(at.index) else {
        return Ok(None);
    };
    let Some(header) = file.valid() else {
        return Ok(None);
    };
    // Behind the place itself: a whole frame that stands there is the damage.
    let from = at.offset.saturating_add(1);
    let found = find_frame(disk, file, header.block, from, file.len, at.sequence)?;
    if let Some((offset, frame)) = found {
        return Ok(Some(Position::before(at.index, offset, &frame)));
    }
    let later = segments.iter().enumerate().skip(at.index.saturating_add(1));
    Ok(later
        .filter_map(|(index, file)| file.valid().map(|header| Position::start(index, header)))
        .find(|position| position.record >= at.record))
}

/// Damage that touches no record.
pub(crate) fn untouched(file: &SegmentFile, offset: u64, at: Position, flaw: Flaw) -> Damage {
    Damage {
        file: file.name.clone(),
        offset,
        frame: at.sequence,
        from_record: at.record,
        to_record: Some(at.record.saturating_sub(1)),
        flaw,
    }
}

/// Makes a torn tail unwritten space again, durably, before anything is written behind it.
pub(crate) fn repair<D: Disk>(
    disk: &mut D,
    file: &SegmentFile,
    cut: &Cut,
) -> Result<(), DiskError> {
    let segment_bytes = file.valid().map_or(file.len, |header| header.segment_bytes);
    if file.len < segment_bytes {
        disk.truncate(&cut.file, segment_bytes)?;
    }
    let end = cut.offset.saturating_add(cut.bytes).next_multiple_of(BLOCK_BYTES_MAX as u64);
    zero_fill(disk, &cut.file, cut.offset, end.min(segment_bytes))?;
    disk.sync(&cut.file)
}

/// Writes zeros over `from..to`, whole blocks.
pub(crate) fn zero_fill<D: Disk>(
    disk: &mut D,
    name: &str,
    from: u64,
    to: u64,
) -> Result<(), DiskError> {
    let zeros = vec![0; PIECE_BYTES];
    let mut offset = from;
    while offset < to {
        let piece = to.saturating_sub(offset).min(PIECE_BYTES as u64);
        disk.write(name, offset, &zeros[..usize::try_from(piece).unwrap_or(PIECE_BYTES)])?;
        offset = offset.saturating_add(piece);
    }
    Ok(())
}
