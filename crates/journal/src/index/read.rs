//! Finds keys in an index, and the frames that they stand for in its segment. Trusts nothing: each
//! page and each frame is checked as it is read.
use super::INDEX_TEMP;
use super::format::{
    ENTRIES_OF_PAGE, ENTRY_BYTES, Layout, PAGE_BYTES, Summary, UNIT, WORDS_OF_PAGE, filter_has,
    holds, index_name, offset_of,
};
use crate::disk::{Disk, DiskError};
use crate::format::{BLOCK_BYTES_MAX, FrameHeader, Parsed, RecordView, Records, parse_frame};
use crate::format::{segment_name, u32_at, u64_at};
use crate::limits::{FRAME_READ_BYTES, WARM_PAGES};
use crate::walk::{SegmentFile, load_segments};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Why an index could not be built or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// The disk failed.
    Disk(DiskError),
    /// What stands there does not hold: an index is to be built again, a segment is damaged.
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "{error}"),
            Self::Damaged { file, offset } => {
                write!(
                    f,
                    "{file} does not hold at byte {offset}; an index is built again by itself"
                )
            }
        }
    }
}

impl core::error::Error for IndexError {}

impl From<DiskError> for IndexError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// A frame that holds.
#[derive(Clone, Debug)]
pub struct Frame {
    header: FrameHeader,
    bytes: Vec<u8>,
}

impl Frame {
    /// Its records, in their order.
    pub fn records(&self) -> impl Iterator<Item = RecordView<'_>> {
        Records::new(&self.header, &self.bytes)
    }
}

/// The index of one sealed segment.
#[derive(Clone, Debug)]
pub struct Index {
    summary: Summary,
    layout: Layout,
    /// Filter and fences, where they are kept in memory.
    warm: Option<Warm>,
    /// Their first pages, while they are on their way there.
    warming: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Warm {
    filter: Vec<u8>,
    fences: Vec<u64>,
}

impl Index {
    /// Opens the index of a segment; `None` if it is not there, does not hold, is of other keys, or
    /// is not of the segment as it is.
    pub fn open<D: Disk>(disk: &mut D, number: u64, keys: u16) -> Result<Option<Self>, DiskError> {
        let name = index_name(number);
        let Some(len) = disk.len(&name)? else {
            return Ok(None);
        };
        let mut page = vec![0; PAGE_BYTES];
        let read = disk.read(&name, 0, &mut page)?;
        let Some(summary) = Summary::read(&page[..read.min(PAGE_BYTES)]) else {
            return Ok(None);
        };
        let layout = summary.layout();
        let next = number.saturating_add(1);
        let segments = load_segments(disk, &[segment_name(number), segment_name(next)])?;
        let header = |number: u64| {
            segments.iter().find(|file| file.number == number).and_then(SegmentFile::valid)
        };
        let same = header(number).is_some_and(|header| {
            header.first_frame == summary.first_frame
                && header.first_record == summary.first_record
                && header.node == summary.node
                && header.block == summary.block
        });
        let sealed = header(next).is_some_and(|next| {
            next.previous == summary.last_hash
                && next.first_record == summary.last_record.saturating_add(1)
        });
        let fits = summary.segment == number && summary.keys == keys && len == layout.bytes();
        Ok((same && sealed && fits).then_some(Self {
            summary,
            layout,
            warm: None,
            warming: Vec::new(),
        }))
    }

    /// What it says of itself.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Bytes that it would take to keep filter and fences in memory.
    #[must_use]
    pub fn warm_bytes(&self) -> u64 {
        offset_of(self.layout.filter.saturating_add(self.layout.fences))
    }

    /// Whether filter and fences are in memory.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.warm.is_some()
    }

    /// Reads filter and fences into memory, so that a key that is not here costs no read.
    pub fn warm<D: Disk>(&mut self, disk: &mut D) -> Result<(), IndexError> {
        while !self.warm_on(disk)? {}
        Ok(())
    }

    /// A part of that, [`WARM_PAGES`] at most, after those that were read before. Says whether all
    /// are there now.
    pub fn warm_on<D: Disk>(&mut self, disk: &mut D) -> Result<bool, IndexError> {
        if self.warm.is_some() {
            return Ok(true);
        }
        // Dropped on an error: the next call begins again.
        let mut pages = core::mem::take(&mut self.warming);
        if pages.is_empty() {
            pages.reserve_exact(usize::try_from(self.warm_bytes()).unwrap_or(0));
        }
        let before = (pages.len() / PAGE_BYTES) as u64;
        let left = self.layout.filter.saturating_add(self.layout.fences).saturating_sub(before);
        let from = self.layout.filter_page().saturating_add(before);
        pages.extend(self.pages(disk, from, left.min(WARM_PAGES))?);
        let whole = left <= WARM_PAGES;
        if whole {
            let filter = usize::try_from(offset_of(self.layout.filter)).unwrap_or(0);
            let fences = words(pages.get(filter..).unwrap_or_default(), self.layout.entries);
            pages.truncate(filter);
            self.warm = Some(Warm { filter: pages, fences });
        } else {
            self.warming = pages;
        }
        Ok(whole)
    }

    /// With what it was made of.
    pub(super) fn warmed(self, filter: Vec<u8>, fences: Vec<u64>) -> Self {
        Self { warm: Some(Warm { filter, fences }), ..self }
    }

    /// Gives the memory back.
    pub fn cool(&mut self) {
        self.warm = None;
        self.warming = Vec::new();
    }

    /// The recent keys, in the order of their records.
    pub fn recent<D: Disk>(&self, disk: &mut D) -> Result<Vec<u64>, IndexError> {
        let mut keys = Vec::new();
        self.add_recent(disk, &mut Vec::new(), &mut keys)?;
        Ok(keys)
    }

    /// Puts them behind others, and what was read of the disk into `pages`: for who reads many. On
    /// an error nothing is put.
    pub fn add_recent<D: Disk>(
        &self,
        disk: &mut D,
        pages: &mut Vec<u8>,
        keys: &mut Vec<u64>,
    ) -> Result<(), IndexError> {
        self.pages_into(disk, self.layout.recent_page(), self.layout.recent, pages)?;
        add_words(pages, self.summary.recent, keys);
        Ok(())
    }

    /// Adds the places of the frames that hold a key, oldest first, `most` at most.
    pub fn find<D: Disk>(
        &self,
        disk: &mut D,
        key: u64,
        most: usize,
        places: &mut Vec<u64>,
    ) -> Result<(), IndexError> {
        if self.layout.entries == 0 || !self.may_hold(disk, key)? {
            return Ok(());
        }
        let mut page = self.first_page_of(disk, key)?;
        let end = self.layout.entries_page().saturating_add(self.layout.entries);
        let most = places.len().saturating_add(most);
        while page < end {
            let bytes = self.pages(disk, page, 1)?;
            let before = self.layout.entries_page();
            let number = page.saturating_sub(before).saturating_mul(ENTRIES_OF_PAGE as u64);
            let left = usize::try_from(self.summary.entries.saturating_sub(number)).unwrap_or(0);
            for n in 0..left.min(ENTRIES_OF_PAGE) {
                let at = n.saturating_mul(ENTRY_BYTES);
                let found = u64_at(&bytes, at);
                if found > key || places.len() >= most {
                    return Ok(());
                }
                if found == key {
                    let place = u64::from(u32_at(&bytes, at.saturating_add(8)));
                    places.push(place.saturating_mul(UNIT));
                }
            }
            page = page.saturating_add(1);
        }
        Ok(())
    }

    /// Gives the records of the frame at a place that [`Index::find`] named.
    pub fn frame<D: Disk>(
        &self,
        disk: &mut D,
        place: u64,
        visit: &mut dyn FnMut(&RecordView<'_>),
    ) -> Result<(), IndexError> {
        self.read_frame(disk, place)?.records().for_each(|record| visit(&record));
        Ok(())
    }

    /// The frame itself, for who looks at it more than once.
    pub fn read_frame<D: Disk>(&self, disk: &mut D, place: u64) -> Result<Frame, IndexError> {
        let name = segment_name(self.summary.segment);
        let block = self.summary.block.bytes();
        let mut want = self.frame_bytes_about();
        // Once to learn its length, if it is longer than most, and once to read it.
        for _ in 0..2 {
            let mut bytes = vec![0; want];
            let read = disk.read(&name, place, &mut bytes)?;
            match parse_frame(&bytes[..read.min(want)], block) {
                Parsed::Frame(header) => return Ok(Frame { header, bytes }),
                Parsed::More(more) => want = more.next_multiple_of(BLOCK_BYTES_MAX),
                Parsed::Zero | Parsed::Broken | Parsed::Newer(_) => break,
            }
        }
        Err(IndexError::Damaged { file: name, offset: place })
    }

    /// What most frames of the segment fit into: twice their average.
    fn frame_bytes_about(&self) -> usize {
        let summary = &self.summary;
        let frames = summary.last_frame.saturating_sub(summary.first_frame).saturating_add(1);
        let twice = summary.end.saturating_mul(2).checked_div(frames).unwrap_or(0);
        let twice = usize::try_from(twice).unwrap_or(usize::MAX);
        twice.clamp(BLOCK_BYTES_MAX, FRAME_READ_BYTES).next_multiple_of(BLOCK_BYTES_MAX)
    }

    fn may_hold<D: Disk>(&self, disk: &mut D, key: u64) -> Result<bool, IndexError> {
        let page = self.layout.filter_page_of(key);
        if let Some(warm) = &self.warm {
            let from = usize::try_from(offset_of(page)).unwrap_or(0);
            let page = warm.filter.get(from..from.saturating_add(PAGE_BYTES));
            return Ok(page.is_some_and(|page| filter_has(page, key)));
        }
        let page = self.pages(disk, self.layout.filter_page().saturating_add(page), 1)?;
        Ok(filter_has(&page, key))
    }

    /// The first page that may hold a key: the last whose first key is lower, or the first of all.
    fn first_page_of<D: Disk>(&self, disk: &mut D, key: u64) -> Result<u64, IndexError> {
        let before = if let Some(warm) = &self.warm {
            warm.fences.partition_point(|fence| *fence < key) as u64
        } else {
            let fences = self.pages(disk, self.layout.fences_page(), self.layout.fences)?;
            words(&fences, self.layout.entries).partition_point(|fence| *fence < key) as u64
        };
        Ok(self.layout.entries_page().saturating_add(before.saturating_sub(1)))
    }

    /// Whole pages, each of which holds.
    fn pages<D: Disk>(&self, disk: &mut D, page: u64, count: u64) -> Result<Vec<u8>, IndexError> {
        let mut pages = Vec::new();
        self.pages_into(disk, page, count, &mut pages)?;
        Ok(pages)
    }

    /// The same, in the memory of others.
    fn pages_into<D: Disk>(
        &self,
        disk: &mut D,
        page: u64,
        count: u64,
        pages: &mut Vec<u8>,
    ) -> Result<(), IndexError> {
        let name = index_name(self.summary.segment);
        let bytes = usize::try_from(offset_of(count)).unwrap_or(0);
        if pages.capacity() == 0 {
            *pages = vec![0; bytes];
        }
        pages.resize(bytes, 0);
        let read = disk.read(&name, offset_of(page), pages)?;
        let broken = pages.chunks(PAGE_BYTES).position(|page| !holds(page));
        match broken {
            None if read == bytes => Ok(()),
            broken => {
                let page = page.saturating_add(broken.unwrap_or(0) as u64);
                Err(IndexError::Damaged { file: name, offset: offset_of(page) })
            }
        }
    }

    /// Takes a damaged index away, so that it is built again.
    pub fn remove<D: Disk>(disk: &mut D, number: u64) -> Result<(), DiskError> {
        for name in [INDEX_TEMP.into(), index_name(number)] {
            if disk.len(&name)?.is_some() {
                disk.remove(&name)?;
            }
        }
        disk.sync_dir()
    }
}

/// The words of whole pages, `count` at most.
fn words(pages: &[u8], count: u64) -> Vec<u64> {
    let mut words = Vec::new();
    add_words(pages, count, &mut words);
    words
}

/// Puts them behind others.
fn add_words(pages: &[u8], count: u64, words: &mut Vec<u64>) {
    let mut left = usize::try_from(count).unwrap_or(0);
    words.reserve(left.min(pages.len() / 8));
    for page in pages.chunks(PAGE_BYTES) {
        let here = left.min(WORDS_OF_PAGE);
        words.extend(page.chunks_exact(8).take(here).map(|word| u64_at(word, 0)));
        left = left.saturating_sub(here);
    }
}
