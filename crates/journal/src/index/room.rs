//! The memory of a build, kept from one segment to the next: taken anew it would cost more of the
//! processor than all the sorting, as each page comes cleared.
//!
//! What bounds it: [`crate::limits::INDEX_ROOM_BYTES`] is kept, more goes back.
use super::Keys;
use super::build::PARTS;
use crate::limits::{INDEX_READ_BYTES, INDEX_ROOM_BYTES};
use crate::walk::Window;
use alloc::vec::Vec;

/// Bytes of a segment for each entry, about: five entries of a payment of 220 bytes and more.
const BYTES_OF_ENTRY: u64 = 40;

/// Memory for a build.
#[derive(Debug, Default)]
pub struct Room {
    /// What was read of the segment.
    pub(super) window: Window,
    /// The entries, by the highest bits of their keys.
    pub(super) parts: Vec<Vec<(u64, u32)>>,
    /// What its caller says of the records.
    pub(super) found: Keys,
    pub(super) filter: Vec<u8>,
    pub(super) fences: Vec<u64>,
    /// Entries that do not fill a page yet; before any is written, where parts are sorted.
    pub(super) open: Vec<(u64, u32)>,
    /// What is written next.
    pub(super) pages: Vec<u8>,
}

impl Room {
    /// Makes it fit for a segment of so many bytes: it need not be moved while it fills.
    pub(super) fn make(&mut self, segment_bytes: u64) {
        let each = segment_bytes.checked_div(BYTES_OF_ENTRY.saturating_mul(PARTS as u64));
        let each = usize::try_from(each.unwrap_or(0)).unwrap_or(0);
        self.parts.resize_with(PARTS, Vec::new);
        self.parts.iter_mut().for_each(|part| part.reserve(each));
        self.window.forget(INDEX_READ_BYTES);
    }

    /// Bytes of memory that it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries = |of: &Vec<(u64, u32)>| of.capacity().saturating_mul(size_of::<(u64, u32)>());
        let words = self.found.recent.capacity().saturating_add(self.fences.capacity());
        let parts = self.parts.iter().map(entries).fold(entries(&self.open), usize::saturating_add);
        [self.window.room(), self.filter.capacity(), self.pages.capacity()]
            .into_iter()
            .fold(parts.saturating_add(words.saturating_mul(8)), usize::saturating_add)
    }

    /// Without what was in it, or none where it has grown beyond what is kept.
    pub(super) fn empty(mut self) -> Self {
        if self.bytes() > INDEX_ROOM_BYTES {
            return Self::default();
        }
        let Self { window: _, parts, found, filter, fences, open, pages } = &mut self;
        parts.iter_mut().for_each(Vec::clear);
        found.empty();
        filter.clear();
        fences.clear();
        open.clear();
        pages.clear();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One segment of a gigabyte, and a small one after it: what the first took goes back.
    #[test]
    fn what_has_grown_beyond_what_is_kept_goes_back() {
        let mut room = Room::default();
        room.make(64 << 20);
        let made = room.bytes();
        assert!(made > 20 << 20 && made < INDEX_ROOM_BYTES, "{made}");
        room = room.empty();
        assert_eq!(room.bytes(), made, "kept");
        room.make(1 << 30);
        assert!(room.bytes() > INDEX_ROOM_BYTES);
        assert_eq!(room.empty().bytes(), 0);
    }
}
