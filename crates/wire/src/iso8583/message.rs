//! A message: its type and its data elements, in one flat buffer.
//!
//! The values stand in the buffer in ascending order without gaps. `ends` says where the value of
//! an element that is there ends; it begins where the one before it ends. What `ends` says of
//! absent elements means nothing, so that nothing need be kept up for them.
//! Bytes that leave the message (replaced, removed, outgrown) are overwritten at once.

use std::fmt;
use std::ops::Range;

use scheme::Mti;

use super::mask::Masked;
use crate::limits::{DE_COUNT, MESSAGE_BYTES_MAX};

/// A message in canonical form: text elements as ASCII characters, type b as raw bytes.
///
/// Two messages are equal when type, elements and values are. `Debug` masks what R-SECRETS
/// names: cards as first eight and last four digits, tracks, PIN and private data as lengths.
#[derive(Clone)]
pub struct Message {
    mti: Mti,
    /// DE1 is never set here.
    present: Bits,
    ends: Ends,
    bytes: Vec<u8>,
    refused: Option<Refused>,
}

/// The last value that found no room in its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub(super) de: u8,
    /// Its bytes; of 4 GiB and more, as many as 32 bits say.
    pub(super) length: u32,
    /// The bytes that there was room for.
    pub(super) room: u16,
}

/// A set of data elements: DE1 is the lowest bit of the first, DE65 of the second.
pub(super) type Bits = [u64; 2];

/// Something of every data element, in the same order.
pub(super) type Ends = [[u16; HALF]; 2];

/// Elements that one bitmap tells of.
pub(super) const HALF: usize = DE_COUNT / 2;

impl Message {
    /// A message without elements.
    pub fn new(mti: Mti) -> Self {
        Self { mti, present: [0; 2], ends: [[0; HALF]; 2], bytes: Vec::new(), refused: None }
    }

    /// Message type indicator.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Changes the message type alone.
    pub fn set_mti(&mut self, mti: Mti) {
        self.mti = mti;
    }

    /// Whether the element is there; it may be empty.
    pub fn has(&self, de: u8) -> bool {
        let (half, place) = place(de);
        self.present[half] >> place & 1 != 0
    }

    /// The canonical value of an element.
    pub fn get(&self, de: u8) -> Option<&[u8]> {
        self.has(de).then(|| &self.bytes[self.span(de)])
    }

    /// The value as text; `None` when absent or not UTF-8.
    pub fn text(&self, de: u8) -> Option<&str> {
        self.get(de).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Sets or replaces DE2 to DE128. The value is not looked at; [`super::Dialect::encode`] does,
    /// and refuses a message whose values together are longer than any frame: the one that found
    /// no room is absent.
    ///
    /// DE0 and DE1 are not elements and there is none above 128: a programming error, which a
    /// debug assertion catches and which otherwise changes nothing.
    pub fn set(&mut self, de: u8, value: &[u8]) {
        let (half, place) = place(de);
        if (half, place) == NOWHERE {
            debug_assert!(false, "DE{de} is not a data element");
            return;
        }
        let total = self.bytes.len() + value.len();
        let has_room = total <= self.bytes.capacity().min(MESSAGE_BYTES_MAX);
        if has_room && self.is_above_all(half, place) && self.refused.is_none() {
            // As when a message is made in order.
            self.append(half, place, value);
        } else {
            self.insert(de, value);
        }
    }

    /// The message with those of its elements alone.
    pub fn only(&self, keep: impl Fn(u8) -> bool) -> Self {
        let mut kept = Self::new(self.mti);
        kept.make_room(self.bytes.len());
        for ((half, place), at) in self.places() {
            if keep(number(half, place)) {
                kept.append(half, place, &self.bytes[at]);
            }
        }
        kept
    }

    /// Adds an element above all that are there; there must be room in a message.
    fn append(&mut self, half: usize, place: usize, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends[half][place] = self.bytes.len() as u16;
        self.present[half] |= 1 << place;
    }

    /// [`Self::set`], wherever the element stands and whether there is room or not.
    fn insert(&mut self, de: u8, value: &[u8]) {
        let span = self.span(de);
        let room = MESSAGE_BYTES_MAX - (self.bytes.len() - span.len());
        if value.len() > room {
            self.remove(de);
            let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
            // Less than the room of an empty message.
            self.refused = Some(Refused { de, length, room: room as u16 });
            return;
        }
        if self.refused.is_some_and(|refused| refused.de == de) {
            self.refused = None;
        }
        self.resize(de, value.len());
        self.bytes[span.start..span.start + value.len()].copy_from_slice(value);
        let (half, place) = place(de);
        self.present[half] |= 1 << place;
    }

    /// Removes an element; whether it was there. Its bytes are overwritten.
    pub fn remove(&mut self, de: u8) -> bool {
        if !self.has(de) {
            return false;
        }
        self.resize(de, 0);
        let (half, place) = place(de);
        self.present[half] &= !(1 << place);
        true
    }

    /// Overwrites the bytes of an element with zeros and removes it (R-SECRETS: DE52 and others).
    /// No copy of them stays in this message; the received frame is its holder's to wipe.
    pub fn wipe(&mut self, de: u8) {
        if self.has(de) {
            let span = self.span(de);
            self.bytes[span].fill(0);
            self.remove(de);
        }
    }

    /// All elements, ascending.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.places().map(|((half, place), at)| (number(half, place), &self.bytes[at]))
    }

    /// All elements, ascending, and where in [`Self::values`] they are: one ends where the next
    /// begins.
    fn places(&self) -> impl Iterator<Item = ((usize, usize), Range<usize>)> {
        let mut start = 0;
        ones(self.present).map(move |(half, place)| {
            let end = usize::from(self.ends[half][place]);
            ((half, place), std::mem::replace(&mut start, end)..end)
        })
    }

    /// Which elements are there.
    pub(super) fn present(&self) -> Bits {
        self.present
    }

    /// Where in [`Self::values`] the value of each element ends that is there.
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// All values, one behind the other.
    pub(super) fn values(&self) -> &[u8] {
        &self.bytes
    }

    /// The value that found no room, if there was one.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Where the value of `de` stands, or would.
    fn span(&self, de: u8) -> Range<usize> {
        let (half, place) = place(de);
        let below = self.present[half] & !(u64::MAX << place);
        let start = match (half, below, self.present[0]) {
            (0, 0, _) | (_, 0, 0) => 0,
            (_, 0, before) => self.ends[0][highest(before)],
            (_, below, _) => self.ends[half][highest(below)],
        };
        let end = if self.has(de) { self.ends[half][place] } else { start };
        usize::from(start)..usize::from(end)
    }

    /// Whether neither this element is there nor any above.
    fn is_above_all(&self, half: usize, place: usize) -> bool {
        let beyond = if half == 0 { self.present[1] } else { 0 };
        self.present[half] >> place | beyond == 0
    }

    /// Makes the room of `de` that long and moves what stands behind it; the room's content is
    /// whatever was there. There must be so much.
    fn resize(&mut self, de: u8, length: usize) {
        let span = self.span(de);
        let (old_total, tail) = (self.bytes.len(), self.bytes.len() - span.end);
        let total = span.start + length + tail;
        if length > span.len() {
            self.make_room(length - span.len());
            self.bytes.resize(total, 0);
        }
        self.bytes.copy_within(span.end..old_total, span.start + length);
        if length < span.len() {
            self.bytes[total..].fill(0);
            self.bytes.truncate(total);
        }
        let added = (length as u16).wrapping_sub(span.len() as u16);
        let (half, place) = place(de);
        let mut from_here = self.present;
        from_here[half] &= u64::MAX << place;
        if half == 1 {
            from_here[0] = 0;
        }
        for (half, place) in ones(from_here) {
            let end = &mut self.ends[half][place];
            *end = end.wrapping_add(added);
        }
        self.ends[half][place] = (span.start + length) as u16;
    }

    /// Lets the buffer hold that many bytes more. The old one is overwritten before it is given
    /// back.
    fn make_room(&mut self, more: usize) {
        let total = self.bytes.len() + more;
        if total > self.bytes.capacity() {
            let mut bytes = Vec::with_capacity(total.max(2 * self.bytes.capacity()).max(256));
            bytes.extend_from_slice(&self.bytes);
            self.bytes.fill(0);
            self.bytes = bytes;
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.mti == other.mti
            && self.present == other.present
            && self.refused == other.refused
            && self.bytes == other.bytes
            && self.places().eq(other.places())
    }
}

impl Eq for Message {}

/// Fills a message in ascending order, which needs no moving.
pub(super) struct Filling(Message);

impl Filling {
    /// No elements yet, and room for that many bytes of values.
    pub(super) fn new(mti: Mti, room: usize) -> Self {
        let mut message = Message::new(mti);
        message.bytes.reserve_exact(room);
        Self(message)
    }

    /// Adds bytes of values, of one element or of more that stand side by side.
    #[inline]
    pub(super) fn push(&mut self, values: &[u8]) {
        self.0.bytes.extend_from_slice(values);
    }

    /// Adds bytes that are given in hexadecimal digits, which must be such.
    pub(super) fn push_hex(&mut self, digits: &[u8]) {
        self.0.bytes.extend(digits.chunks_exact(2).map(|pair| {
            super::content::hex_digit(pair[0]) << 4 | super::content::hex_digit(pair[1])
        }));
    }

    /// Bytes that were added.
    pub(super) fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// An element, by its half and its place there, ends so far from the first; what was added of
    /// it and after it, and all that will be, is within one frame.
    #[inline]
    pub(super) fn end(&mut self, half: usize, place: usize, end: usize) {
        self.0.ends[half][place] = end as u16;
    }

    /// The message with these elements, of each of which the end was told.
    #[inline]
    pub(super) fn finish(mut self, present: Bits) -> Message {
        self.0.present = present;
        self.0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.mti)?;
        let mut map = f.debug_map();
        for (de, value) in self.fields() {
            map.entry(&de, &format_args!("{}", Masked { de, value }));
        }
        map.finish()
    }
}

/// DE1's place, which no element has.
const NOWHERE: (usize, usize) = (0, 0);

/// The half that a data element is in, and its place there; [`NOWHERE`] for what is no element.
pub(super) fn place(de: u8) -> (usize, usize) {
    match de {
        2..=128 => (usize::from(de > 64), usize::from(de - 1) % HALF),
        _ => NOWHERE,
    }
}

/// The place of the highest of these elements, of which there must be one.
fn highest(bits: u64) -> usize {
    63 - (bits | 1).leading_zeros() as usize
}

/// The data elements of a bitmap as on the wire, DE1 highest, ascending.
pub(super) fn elements(bitmap: u128) -> impl Iterator<Item = u8> {
    let halves = [(bitmap >> 64) as u64, bitmap as u64].map(u64::reverse_bits);
    ones(halves).map(|(half, place)| number(half, place))
}

/// The element at a place of a half.
pub(super) fn number(half: usize, place: usize) -> u8 {
    // At most 128.
    (HALF * half + place + 1) as u8
}

/// Halves and places, ascending.
pub(super) fn ones(bits: Bits) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = bits;
    std::iter::from_fn(move || {
        let half = usize::from(rest[0] == 0);
        let place = rest[half].trailing_zeros() as usize % HALF;
        let found = (rest[half] != 0).then_some((half, place));
        rest[half] &= rest[half].wrapping_sub(1);
        found
    })
}
