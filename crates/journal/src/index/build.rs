//! Makes an index out of its segment, a bounded piece at a time: takes in a piece of it, or sorts
//! or writes a part of the entries, each a millisecond of work. Everything is under a temporary
//! name until it is whole and synced.
use super::format::{
    ENTRIES_OF_PAGE, ENTRY_BYTES, PAGE_BYTES, Span, Summary, UNIT, WORDS_OF_PAGE, close,
    filter_add, index_name, offset_of,
};
use super::read::{Index, IndexError};
use super::room::Room;
use super::sort::{part_of, sort};
use super::{INDEX_TEMP, KeysOf};
use crate::disk::{Disk, DiskError};
use crate::format::{put_u32, put_u64, segment_name};
use crate::limits::PIECE_BYTES;
use crate::walk::{Position, SegmentFile, Step, Walk, load_segments};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Parts of the entries, by the highest bits of their keys: one is sorted, or written, in one step.
pub(super) const PARTS: usize = 64;

/// Pages of the other parts that are written in one step.
const PAGES_OF_PIECE: usize = PIECE_BYTES / PAGE_BYTES;

/// What a step left to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Another step.
    More,
    /// The index is durable.
    Done(Summary),
    /// The index that is there is another: only said of one that is compared.
    Differs,
}

/// An index being built.
#[derive(Debug)]
pub struct Build {
    segments: Vec<SegmentFile>,
    at: Position,
    room: Room,
    summary: Summary,
    stage: Stage,
    /// The file that it is written to, or compared with.
    target: Target,
    /// Pages of entries written.
    written: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Reading,
    Sorting {
        part: usize,
    },
    Writing {
        part: usize,
    },
    /// What stands beside the entries, from a page of it on; behind the last the header.
    Closing {
        rest: Option<Rest>,
        from: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rest {
    Filter,
    Fences,
    Recent,
}

impl Rest {
    fn next(self) -> Option<Self> {
        match self {
            Self::Filter => Some(Self::Fences),
            Self::Fences => Some(Self::Recent),
            Self::Recent => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Write,
    Compare,
}

impl Build {
    /// Begins with a sealed segment ([`super::sealed`]), in the memory of the build before.
    pub fn start<D: Disk>(
        disk: &mut D,
        number: u64,
        keys: &dyn KeysOf,
        mut room: Room,
    ) -> Result<Self, IndexError> {
        let segments = load_segments(disk, &[segment_name(number)])?;
        let header = segments.first().and_then(SegmentFile::valid);
        let header = *header.ok_or_else(|| damaged(number, 0))?;
        let at = Position::start(0, &header);
        room.make(header.segment_bytes);
        let summary = Summary {
            keys: keys.version(),
            segment: number,
            first_frame: header.first_frame,
            last_frame: 0,
            first_record: header.first_record,
            last_record: 0,
            times: Span::default(),
            spans: Default::default(),
            tags: Vec::new(),
            entries: 0,
            recent: 0,
            block: header.block,
            end: 0,
            node: header.node,
            last_hash: header.previous,
        };
        Ok(Self {
            segments,
            at,
            room,
            summary,
            stage: Stage::Reading,
            target: Target::Write,
            written: 0,
        })
    }

    /// Opens the index that it made, which is durable, with filter and fences in memory as they
    /// were written: nothing of them is read back. Damaged if what stands there is another, or not
    /// of the segment as it is.
    pub fn open<D: Disk>(&mut self, disk: &mut D) -> Result<Index, IndexError> {
        let Summary { segment, keys, .. } = self.summary;
        let index = Index::open(disk, segment, keys)?;
        let made = index.filter(|index| *index.summary() == self.summary);
        let file = || IndexError::Damaged { file: index_name(segment), offset: 0 };
        let Room { filter, fences, .. } = &mut self.room;
        Ok(made.ok_or_else(file)?.warmed(core::mem::take(filter), core::mem::take(fences)))
    }

    /// The recent keys of the index that it made, in the order of their records.
    #[must_use]
    pub fn recent(&self) -> &[u64] {
        &self.room.found.recent
    }

    /// Ends it, done or not, and gives its memory to the next.
    #[must_use]
    pub fn into_room(self) -> Room {
        self.room.empty()
    }

    /// Compares with the index that is there instead of writing it.
    pub(super) fn compare(&mut self) {
        self.target = Target::Compare;
    }

    /// The segment.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.summary.segment
    }

    /// Does one bounded piece.
    pub fn step<D: Disk>(
        &mut self,
        disk: &mut D,
        keys: &dyn KeysOf,
    ) -> Result<Progress, IndexError> {
        match self.stage {
            Stage::Reading => self.read(disk, keys),
            Stage::Sorting { part } => self.sort_part(disk, part),
            Stage::Writing { part } => self.write_part(disk, part),
            Stage::Closing { rest, from } => self.close(disk, rest, from),
        }
    }

    fn read<D: Disk>(&mut self, disk: &mut D, keys: &dyn KeysOf) -> Result<Progress, IndexError> {
        let until = self.at.offset.saturating_add(PIECE_BYTES as u64);
        // What was read beyond the last frame of a step is the beginning of the next.
        let window = core::mem::take(&mut self.room.window);
        let Room { parts, found, .. } = &mut self.room;
        let mut walk = Walk::go_on(&self.segments, self.at, window);
        let ended = loop {
            let frame_at = walk.at.offset;
            if frame_at >= until {
                break false;
            }
            match walk.next(disk)? {
                Step::Frame(frame) => {
                    let place = u32::try_from(frame_at / UNIT).unwrap_or(u32::MAX);
                    for record in walk.records(&frame) {
                        self.summary.times.take(record.time_ns);
                        keys.keys_of(&record, found);
                        for key in found.keys.drain(..) {
                            parts[part_of(key)].push((key, place));
                        }
                    }
                    self.summary.last_frame = frame.sequence;
                    self.summary.last_record = frame.last_record();
                }
                Step::End => break true,
                Step::Broken(_) | Step::Newer(_) => {
                    return Err(damaged(self.summary.segment, walk.at.offset));
                }
            }
        };
        (self.at, self.room.window) = walk.into_parts();
        if ended {
            if self.target == Target::Write && !self.is_at_its_end(disk)? {
                return Err(damaged(self.summary.segment, self.at.offset));
            }
            self.stage = Stage::Sorting { part: 0 };
        }
        Ok(Progress::More)
    }

    /// Whether the next segment goes on where the frames of this one end: zeros in the place of a
    /// frame that was lost look like its end.
    fn is_at_its_end<D: Disk>(&self, disk: &mut D) -> Result<bool, DiskError> {
        let next = segment_name(self.summary.segment.saturating_add(1));
        let next = load_segments(disk, &[next])?;
        Ok(next.first().and_then(SegmentFile::valid).is_some_and(|next| {
            next.first_frame == self.at.sequence
                && next.first_record == self.at.record
                && next.previous == self.at.previous
        }))
    }

    fn sort_part<D: Disk>(&mut self, disk: &mut D, part: usize) -> Result<Progress, IndexError> {
        let Room { parts, open, .. } = &mut self.room;
        match parts.get_mut(part) {
            Some(entries) => {
                sort(entries, open);
                self.stage = Stage::Sorting { part: part.saturating_add(1) };
            }
            None => self.lay_out(disk)?,
        }
        Ok(Progress::More)
    }

    /// Everything is known of how long the index will be.
    fn lay_out<D: Disk>(&mut self, disk: &mut D) -> Result<(), IndexError> {
        let summary = &mut self.summary;
        summary.end = self.at.offset;
        summary.last_hash = self.at.previous;
        let Room { parts, found, filter, .. } = &mut self.room;
        summary.spans = found.spans;
        summary.tags = core::mem::take(&mut found.tags);
        summary.entries = parts.iter().map(|part| part.len() as u64).sum();
        summary.recent = found.recent.len() as u64;
        let layout = summary.layout();
        if self.target == Target::Write {
            if disk.len(INDEX_TEMP)?.is_some() {
                disk.remove(INDEX_TEMP)?;
            }
            disk.create(INDEX_TEMP, layout.bytes())?;
        }
        let pages = usize::try_from(layout.filter).unwrap_or(0);
        filter.resize(pages.saturating_mul(PAGE_BYTES), 0);
        self.stage = Stage::Writing { part: 0 };
        Ok(())
    }

    fn write_part<D: Disk>(&mut self, disk: &mut D, part: usize) -> Result<Progress, IndexError> {
        let Room { parts, filter, fences, open, pages, .. } = &mut self.room;
        let Some(entries) = parts.get_mut(part) else {
            filter.chunks_mut(PAGE_BYTES).for_each(close);
            self.stage = Stage::Closing { rest: Some(Rest::Filter), from: 0 };
            return Ok(Progress::More);
        };
        let layout = self.summary.layout();
        for (key, _) in entries.iter() {
            let page = usize::try_from(layout.filter_page_of(*key)).unwrap_or(0);
            let from = page.saturating_mul(PAGE_BYTES);
            filter_add(&mut filter[from..from.saturating_add(PAGE_BYTES)], *key);
        }
        open.append(entries);
        let next = part.saturating_add(1);
        let last = next == PARTS;
        let mut whole = open.len() / ENTRIES_OF_PAGE;
        if last && open.len() > whole.saturating_mul(ENTRIES_OF_PAGE) {
            whole = whole.saturating_add(1);
        }
        let rest = whole.saturating_mul(ENTRIES_OF_PAGE).min(open.len());
        blank(pages, whole);
        let chunks = open[..rest].chunks(ENTRIES_OF_PAGE);
        for (entries, page) in chunks.zip(pages.chunks_mut(PAGE_BYTES)) {
            fences.push(entries.first().map_or(0, |(key, _)| *key));
            fill_with_entries(page, entries);
        }
        open.drain(..rest);
        let at = layout.entries_page().saturating_add(self.written);
        self.written = self.written.saturating_add(whole as u64);
        self.stage = Stage::Writing { part: next };
        self.put(disk, at, &self.room.pages)
    }

    /// A piece of filter, fences and recent keys; the header when all else is written; then the
    /// name.
    fn close<D: Disk>(
        &mut self,
        disk: &mut D,
        mut rest: Option<Rest>,
        mut from: usize,
    ) -> Result<Progress, IndexError> {
        let mut room = PAGES_OF_PIECE;
        while let Some(now) = rest {
            let there = self.pages_of(now);
            let to = from.saturating_add(room).min(there);
            room = room.saturating_sub(to.saturating_sub(from));
            if self.write_rest(disk, now, from..to)? == Progress::Differs {
                return Ok(Progress::Differs);
            }
            (rest, from) = if to < there { (rest, to) } else { (now.next(), 0) };
            if room == 0 {
                self.stage = Stage::Closing { rest, from };
                return Ok(Progress::More);
            }
        }
        if self.put(disk, 0, &self.summary.to_page())? == Progress::Differs {
            return Ok(Progress::Differs);
        }
        let name = index_name(self.summary.segment);
        match self.target {
            Target::Write => {
                disk.sync(INDEX_TEMP)?;
                disk.rename(INDEX_TEMP, &name)?;
                disk.sync_dir()?;
            }
            Target::Compare if disk.len(&name)? != Some(self.summary.layout().bytes()) => {
                return Ok(Progress::Differs);
            }
            Target::Compare => {}
        }
        Ok(Progress::Done(self.summary.clone()))
    }

    fn pages_of(&self, rest: Rest) -> usize {
        let layout = self.summary.layout();
        let pages = match rest {
            Rest::Filter => layout.filter,
            Rest::Fences => layout.fences,
            Rest::Recent => layout.recent,
        };
        usize::try_from(pages).unwrap_or(usize::MAX)
    }

    fn write_rest<D: Disk>(
        &mut self,
        disk: &mut D,
        rest: Rest,
        which: Range<usize>,
    ) -> Result<Progress, IndexError> {
        let layout = self.summary.layout();
        let piece = |of: usize| which.start.saturating_mul(of)..which.end.saturating_mul(of);
        let at = |first: u64| first.saturating_add(which.start as u64);
        let Room { fences, found, pages, .. } = &mut self.room;
        let (first, words) = match rest {
            Rest::Filter => {
                let filter = &self.room.filter[piece(PAGE_BYTES)];
                return self.put(disk, at(layout.filter_page()), filter);
            }
            Rest::Fences => (layout.fences_page(), &*fences),
            Rest::Recent => (layout.recent_page(), &found.recent),
        };
        pages_of_words(pages, words_of(words, piece(WORDS_OF_PAGE)));
        self.put(disk, at(first), &self.room.pages)
    }

    fn put<D: Disk>(&self, disk: &mut D, page: u64, bytes: &[u8]) -> Result<Progress, IndexError> {
        if bytes.is_empty() {
            return Ok(Progress::More);
        }
        match self.target {
            Target::Write => disk.write(INDEX_TEMP, offset_of(page), bytes)?,
            Target::Compare => {
                let name = index_name(self.summary.segment);
                let mut there = vec![0; bytes.len()];
                if disk.len(&name)?.is_none()
                    || disk.read(&name, offset_of(page), &mut there)? != bytes.len()
                    || there != bytes
                {
                    return Ok(Progress::Differs);
                }
            }
        }
        Ok(Progress::More)
    }
}

/// So many pages of zeros.
fn blank(pages: &mut Vec<u8>, count: usize) {
    pages.clear();
    pages.resize(count.saturating_mul(PAGE_BYTES), 0);
}

fn fill_with_entries(page: &mut [u8], entries: &[(u64, u32)]) {
    for (n, (key, place)) in entries.iter().enumerate() {
        let at = n.saturating_mul(ENTRY_BYTES);
        put_u64(page, at, *key);
        put_u32(page, at.saturating_add(8), *place);
    }
    close(page);
}

/// Those of a range that there are.
fn words_of(words: &[u64], range: Range<usize>) -> &[u64] {
    &words[range.start.min(words.len())..range.end.min(words.len())]
}

fn pages_of_words(pages: &mut Vec<u8>, words: &[u64]) {
    blank(pages, words.len().div_ceil(WORDS_OF_PAGE));
    for (words, page) in words.chunks(WORDS_OF_PAGE).zip(pages.chunks_mut(PAGE_BYTES)) {
        for (n, word) in words.iter().enumerate() {
            put_u64(page, n.saturating_mul(8), *word);
        }
        close(page);
    }
}

fn damaged(number: u64, offset: u64) -> IndexError {
    IndexError::Damaged { file: segment_name(number) as String, offset }
}
