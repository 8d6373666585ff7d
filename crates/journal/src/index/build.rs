//! Makes an index out of its segment, a bounded piece at a time: takes in a piece of it, or sorts
//! or writes a part of the entries, each a millisecond of work. Everything is under a temporary
//! name until it is whole and synced.
use super::format::{
    ENTRIES_OF_PAGE, ENTRY_BYTES, PAGE_BYTES, Span, Summary, UNIT, WORDS_OF_PAGE, close,
    filter_add, index_name, offset_of,
};
use super::read::IndexError;
use super::{INDEX_TEMP, Keys, KeysOf};
use crate::disk::Disk;
use crate::format::{put, put_u32, put_u64, segment_name};
use crate::limits::{INDEX_READ_BYTES, PIECE_BYTES};
use crate::walk::{Position, SegmentFile, Step, Walk, Window, load_segments};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Parts of the entries, by the highest bits of their keys: one is sorted, or written, in one step.
const PARTS: usize = 64;

/// Bytes of a segment for each entry, about: five entries of a payment of 220 bytes and more.
const BYTES_OF_ENTRY: u64 = 40;

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
    window: Window,
    parts: Vec<Vec<(u64, u32)>>,
    found: Keys,
    summary: Summary,
    stage: Stage,
    /// The file that it is written to, or compared with.
    target: Target,
    writing: Pages,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Reading,
    Sorting { part: usize },
    Writing { part: usize },
    Closing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Write,
    Compare,
}

/// What is written of the entries so far.
#[derive(Debug, Default)]
struct Pages {
    filter: Vec<u8>,
    fences: Vec<u64>,
    /// Entries that do not fill a page yet.
    open: Vec<(u64, u32)>,
    /// Pages of entries written.
    written: u64,
}

impl Build {
    /// Begins with a sealed segment ([`super::sealed`]).
    pub fn start<D: Disk>(
        disk: &mut D,
        number: u64,
        keys: &dyn KeysOf,
    ) -> Result<Self, IndexError> {
        let segments = load_segments(disk, &[segment_name(number)])?;
        let header = segments.first().and_then(SegmentFile::valid);
        let header = *header.ok_or_else(|| damaged(number, 0))?;
        let at = Position::start(0, &header);
        // Memory that need not be moved while it fills.
        let room = header.segment_bytes.checked_div(BYTES_OF_ENTRY.saturating_mul(PARTS as u64));
        let room = usize::try_from(room.unwrap_or(0)).unwrap_or(0);
        let parts = core::iter::repeat_with(|| Vec::with_capacity(room)).take(PARTS).collect();
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
            window: Window::ahead(INDEX_READ_BYTES),
            parts,
            found: Keys::default(),
            summary,
            stage: Stage::Reading,
            target: Target::Write,
            writing: Pages::default(),
        })
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
            Stage::Closing => self.close(disk),
        }
    }

    fn read<D: Disk>(&mut self, disk: &mut D, keys: &dyn KeysOf) -> Result<Progress, IndexError> {
        let until = self.at.offset.saturating_add(PIECE_BYTES as u64);
        // What was read beyond the last frame of a step is the beginning of the next.
        let window = core::mem::take(&mut self.window);
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
                        keys.keys_of(&record, &mut self.found);
                        for key in self.found.keys.drain(..) {
                            self.parts[part_of(key)].push((key, place));
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
        (self.at, self.window) = walk.into_parts();
        if ended {
            self.window = Window::default();
            self.stage = Stage::Sorting { part: 0 };
        }
        Ok(Progress::More)
    }

    fn sort_part<D: Disk>(&mut self, disk: &mut D, part: usize) -> Result<Progress, IndexError> {
        match self.parts.get_mut(part) {
            Some(entries) => {
                entries.sort_unstable();
                // Frames of one key stand once.
                entries.dedup();
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
        summary.spans = self.found.spans;
        summary.tags = core::mem::take(&mut self.found.tags);
        summary.entries = self.parts.iter().map(|part| part.len() as u64).sum();
        summary.recent = self.found.recent.len() as u64;
        let layout = summary.layout();
        if self.target == Target::Write {
            if disk.len(INDEX_TEMP)?.is_some() {
                disk.remove(INDEX_TEMP)?;
            }
            disk.create(INDEX_TEMP, layout.bytes())?;
        }
        let pages = usize::try_from(layout.filter).unwrap_or(0);
        self.writing.filter = vec![0; pages.saturating_mul(PAGE_BYTES)];
        self.stage = Stage::Writing { part: 0 };
        Ok(())
    }

    fn write_part<D: Disk>(&mut self, disk: &mut D, part: usize) -> Result<Progress, IndexError> {
        let Some(entries) = self.parts.get_mut(part).map(core::mem::take) else {
            self.stage = Stage::Closing;
            return Ok(Progress::More);
        };
        let layout = self.summary.layout();
        let writing = &mut self.writing;
        for (key, _) in &entries {
            let page = usize::try_from(layout.filter_page_of(*key)).unwrap_or(0);
            let from = page.saturating_mul(PAGE_BYTES);
            filter_add(&mut writing.filter[from..from.saturating_add(PAGE_BYTES)], *key);
        }
        writing.open.extend(entries);
        let next = part.saturating_add(1);
        let last = next == PARTS;
        let mut whole = writing.open.len() / ENTRIES_OF_PAGE;
        if last && writing.open.len() > whole.saturating_mul(ENTRIES_OF_PAGE) {
            whole = whole.saturating_add(1);
        }
        let rest = whole.saturating_mul(ENTRIES_OF_PAGE).min(writing.open.len());
        let mut bytes = Vec::with_capacity(whole.saturating_mul(PAGE_BYTES));
        for entries in writing.open[..rest].chunks(ENTRIES_OF_PAGE) {
            writing.fences.push(entries.first().map_or(0, |(key, _)| *key));
            bytes.extend_from_slice(&page_of_entries(entries));
        }
        writing.open.drain(..rest);
        let at = layout.entries_page().saturating_add(writing.written);
        writing.written = writing.written.saturating_add(whole as u64);
        self.stage = Stage::Writing { part: next };
        self.put(disk, at, &bytes)
    }

    /// Filter, fences, recent keys, then the header; then the name.
    fn close<D: Disk>(&mut self, disk: &mut D) -> Result<Progress, IndexError> {
        let layout = self.summary.layout();
        let mut filter = core::mem::take(&mut self.writing.filter);
        filter.chunks_mut(PAGE_BYTES).for_each(close);
        let fences = pages_of_words(&self.writing.fences);
        let recent = pages_of_words(&self.found.recent);
        for (page, bytes) in [
            (layout.filter_page(), filter),
            (layout.fences_page(), fences),
            (layout.recent_page(), recent),
            (0, self.summary.to_page()),
        ] {
            if self.put(disk, page, &bytes)? == Progress::Differs {
                return Ok(Progress::Differs);
            }
        }
        let name = index_name(self.summary.segment);
        match self.target {
            Target::Write => {
                disk.sync(INDEX_TEMP)?;
                disk.rename(INDEX_TEMP, &name)?;
                disk.sync_dir()?;
            }
            Target::Compare if disk.len(&name)? != Some(layout.bytes()) => {
                return Ok(Progress::Differs);
            }
            Target::Compare => {}
        }
        Ok(Progress::Done(self.summary.clone()))
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

fn part_of(key: u64) -> usize {
    usize::from(key.to_be_bytes()[0]) * PARTS / 256
}

fn page_of_entries(entries: &[(u64, u32)]) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    for (n, (key, place)) in entries.iter().enumerate() {
        let at = n.saturating_mul(ENTRY_BYTES);
        put_u64(&mut page, at, *key);
        put_u32(&mut page, at.saturating_add(8), *place);
    }
    close(&mut page);
    page
}

fn pages_of_words(words: &[u64]) -> Vec<u8> {
    let pages = words.len().div_ceil(WORDS_OF_PAGE);
    let mut bytes = Vec::with_capacity(pages.saturating_mul(PAGE_BYTES));
    for words in words.chunks(WORDS_OF_PAGE) {
        let mut page = vec![0; PAGE_BYTES];
        for (n, word) in words.iter().enumerate() {
            put(&mut page, n.saturating_mul(8), &word.to_le_bytes());
        }
        close(&mut page);
        bytes.extend_from_slice(&page);
    }
    bytes
}

fn damaged(number: u64, offset: u64) -> IndexError {
    IndexError::Damaged { file: segment_name(number) as String, offset }
}
