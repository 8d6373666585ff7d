//! The bytes of an index: pages of 4,096 bytes, each with its own checksum.
use crate::format::{
    Block, FORMAT_VERSION, Hash, NodeId, crc_around, is_zero, put, put_u16, put_u32, put_u64, take,
    u16_at, u32_at, u64_at,
};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::SPANS;

/// Length of a page.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Where the checksum of a page stands: at its end.
pub(crate) const PAGE_CRC: usize = PAGE_BYTES - 4;
/// Bytes of an entry: the key, and the frame's offset in units of 512 bytes.
pub(crate) const ENTRY_BYTES: usize = 12;
/// Entries of a page.
pub(crate) const ENTRIES_OF_PAGE: usize = PAGE_CRC / ENTRY_BYTES;
/// Words of a page of fences or of recent keys.
pub(crate) const WORDS_OF_PAGE: usize = PAGE_CRC / 8;
/// Bits of a page of the filter.
pub(crate) const BITS_OF_PAGE: u64 = (PAGE_CRC as u64) * 8;
/// Bits of the filter for each entry: about one false answer in a hundred.
const BITS_PER_ENTRY: u64 = 10;
/// Bits that each key sets.
const PROBES: u64 = 7;
/// Tags of one segment: accounts of a nation's banks, some six each.
pub(crate) const TAGS_MAX: usize = 450;
/// Smallest block of a segment: offsets of frames are multiples of it.
pub(crate) const UNIT: u64 = 512;

const MAGIC: [u8; 4] = *b"BgIx";
const VERSION: usize = 4;
const KEYS: usize = 6;
const BLOCK: usize = 8;
const TAGS: usize = 12;
const SEGMENT: usize = 16;
const FIRST_FRAME: usize = 24;
const LAST_FRAME: usize = 32;
const FIRST_RECORD: usize = 40;
const LAST_RECORD: usize = 48;
const END: usize = 56;
const NODE: usize = 64;
const LAST_HASH: usize = 80;
const ENTRIES: usize = 112;
const RECENT: usize = 120;
const TIMES: usize = 128;
const SPANS_AT: usize = 144;
const TAGS_AT: usize = 256;
const _: () = assert!(SPANS_AT + 16 * SPANS <= TAGS_AT);
const _: () = assert!(TAGS_AT + 8 * TAGS_MAX <= PAGE_CRC);

/// The first and the last of some values; none yet when the first is after the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: u64::MAX, last: 0 }
    }
}

impl Span {
    /// Takes a value in.
    pub fn take(&mut self, value: u64) {
        self.first = self.first.min(value);
        self.last = self.last.max(value);
    }
}

/// What an index says of itself and its segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The version of its caller's keys.
    pub keys: u16,
    /// The segment.
    pub segment: u64,
    /// The segment's first frame.
    pub first_frame: u64,
    /// Its last.
    pub last_frame: u64,
    /// The segment's first record.
    pub first_record: u64,
    /// Its last.
    pub last_record: u64,
    /// When its first and last record were made, nanoseconds.
    pub times: Span,
    /// The caller's own spans.
    pub spans: [Span; SPANS],
    /// What occurs in it, in the order in which it occurred first.
    pub tags: Vec<u64>,
    /// Entries.
    pub entries: u64,
    /// Recent keys.
    pub recent: u64,
    pub(crate) block: Block,
    /// Where the segment's frames end.
    pub(crate) end: u64,
    pub(crate) node: NodeId,
    /// SHA-256 of the segment's last frame: what the next segment names.
    pub(crate) last_hash: Hash,
}

impl Summary {
    pub(crate) fn to_page(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE_BYTES];
        put(&mut page, 0, &MAGIC);
        put_u16(&mut page, VERSION, FORMAT_VERSION);
        put_u16(&mut page, KEYS, self.keys);
        put_u32(&mut page, BLOCK, if self.block == Block::B512 { 512 } else { 4096 });
        put_u32(&mut page, TAGS, u32::try_from(self.tags.len()).unwrap_or(0));
        for (at, value) in [
            (SEGMENT, self.segment),
            (FIRST_FRAME, self.first_frame),
            (LAST_FRAME, self.last_frame),
            (FIRST_RECORD, self.first_record),
            (LAST_RECORD, self.last_record),
            (END, self.end),
            (ENTRIES, self.entries),
            (RECENT, self.recent),
        ] {
            put_u64(&mut page, at, value);
        }
        put(&mut page, NODE, &self.node.0);
        put(&mut page, LAST_HASH, &self.last_hash.0);
        for (n, span) in core::iter::once(&self.times).chain(&self.spans).enumerate() {
            let at = TIMES.saturating_add(n.saturating_mul(16));
            put_u64(&mut page, at, span.first);
            put_u64(&mut page, at.saturating_add(8), span.last);
        }
        for (n, tag) in self.tags.iter().take(TAGS_MAX).enumerate() {
            put_u64(&mut page, TAGS_AT.saturating_add(n.saturating_mul(8)), *tag);
        }
        close(&mut page);
        page
    }

    /// `None` where it is no header of this version that holds.
    pub(crate) fn read(page: &[u8]) -> Option<Self> {
        if !holds(page) || page[..4] != MAGIC || u16_at(page, VERSION) != FORMAT_VERSION {
            return None;
        }
        let span =
            |at: usize| Span { first: u64_at(page, at), last: u64_at(page, at.saturating_add(8)) };
        let mut spans = [Span::default(); SPANS];
        for (n, place) in spans.iter_mut().enumerate() {
            *place = span(SPANS_AT.saturating_add(n.saturating_mul(16)));
        }
        let tags = usize::try_from(u32_at(page, TAGS)).ok().filter(|tags| *tags <= TAGS_MAX)?;
        let tag = |n: usize| u64_at(page, TAGS_AT.saturating_add(n.saturating_mul(8)));
        let summary = Self {
            keys: u16_at(page, KEYS),
            segment: u64_at(page, SEGMENT),
            first_frame: u64_at(page, FIRST_FRAME),
            last_frame: u64_at(page, LAST_FRAME),
            first_record: u64_at(page, FIRST_RECORD),
            last_record: u64_at(page, LAST_RECORD),
            times: span(TIMES),
            spans,
            tags: (0..tags).map(tag).collect(),
            entries: u64_at(page, ENTRIES),
            recent: u64_at(page, RECENT),
            block: Block::from_bytes(u64::from(u32_at(page, BLOCK)))?,
            end: u64_at(page, END),
            node: NodeId(take(page, NODE)),
            last_hash: Hash(take(page, LAST_HASH)),
        };
        // The canonical bytes of the values are the only ones accepted: what is reserved is zero.
        (summary.to_page() == page).then_some(summary)
    }

    /// Whether it is a header that holds, of another version of the format or of the caller's keys.
    pub(crate) fn is_other(page: &[u8], keys: u16) -> bool {
        let versions = |page: &[u8]| (u16_at(page, VERSION), u16_at(page, KEYS));
        holds(page) && page[..4] == MAGIC && versions(page) != (FORMAT_VERSION, keys)
    }

    pub(crate) fn layout(&self) -> Layout {
        let entries = self.entries.div_ceil(ENTRIES_OF_PAGE as u64);
        Layout {
            filter: self.entries.saturating_mul(BITS_PER_ENTRY).div_ceil(BITS_OF_PAGE),
            fences: entries.div_ceil(WORDS_OF_PAGE as u64),
            entries,
            recent: self.recent.div_ceil(WORDS_OF_PAGE as u64),
        }
    }
}

/// How many pages each part has; the header is the first page, and the parts follow in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) filter: u64,
    pub(crate) fences: u64,
    pub(crate) entries: u64,
    pub(crate) recent: u64,
}

impl Layout {
    pub(crate) fn filter_page(self) -> u64 {
        1
    }

    pub(crate) fn fences_page(self) -> u64 {
        self.filter_page().saturating_add(self.filter)
    }

    pub(crate) fn entries_page(self) -> u64 {
        self.fences_page().saturating_add(self.fences)
    }

    pub(crate) fn recent_page(self) -> u64 {
        self.entries_page().saturating_add(self.entries)
    }

    pub(crate) fn pages(self) -> u64 {
        self.recent_page().saturating_add(self.recent)
    }

    pub(crate) fn bytes(self) -> u64 {
        offset_of(self.pages())
    }

    /// The page of the filter that a key belongs to.
    pub(crate) fn filter_page_of(self, key: u64) -> u64 {
        let part = u128::from(key).saturating_mul(u128::from(self.filter)) >> 64;
        u64::try_from(part).unwrap_or(0)
    }
}

/// Where a page begins.
pub(crate) fn offset_of(page: u64) -> u64 {
    page.saturating_mul(PAGE_BYTES as u64)
}

/// The bits of a key within its page of the filter.
fn bits_of(key: u64) -> impl Iterator<Item = (usize, u8)> {
    // The page was chosen by the highest bits; these come from all of them.
    let mixed = key.wrapping_mul(0xd6e8_feb8_6659_fd93);
    let (first, step) = (mixed >> 32, (mixed & 0xffff_ffff) | 1);
    (0..PROBES).map(move |n| {
        let bit = first.wrapping_add(n.wrapping_mul(step)).checked_rem(BITS_OF_PAGE).unwrap_or(0);
        (usize::try_from(bit / 8).unwrap_or(0), 1u8 << (bit % 8))
    })
}

/// Adds a key to its page of the filter.
pub(crate) fn filter_add(page: &mut [u8], key: u64) {
    for (byte, bit) in bits_of(key) {
        page[byte] |= bit;
    }
}

/// Whether a key may be among those added to its page of the filter.
pub(crate) fn filter_has(page: &[u8], key: u64) -> bool {
    bits_of(key).all(|(byte, bit)| page[byte] & bit != 0)
}

/// Puts the checksum of a page into its place.
pub(crate) fn close(page: &mut [u8]) {
    let crc = crc_around(page, PAGE_CRC);
    put_u32(page, PAGE_CRC, crc);
}

/// Whether a page is whole and its checksum holds.
pub(crate) fn holds(page: &[u8]) -> bool {
    page.len() == PAGE_BYTES
        && !is_zero(page)
        && crc_around(page, PAGE_CRC) == u32_at(page, PAGE_CRC)
}

/// The file of a segment's index.
#[must_use]
pub fn index_name(number: u64) -> String {
    format!("{number:010}.idx")
}

/// The number of the segment whose index the file `name` is, if it is one.
#[must_use]
pub fn index_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".idx")?;
    if digits.len() != 10 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|number| *number > 0)
}
