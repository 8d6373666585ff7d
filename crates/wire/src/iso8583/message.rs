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
    /// The lowest bit is DE1 (never set here), the highest DE128.
    present: u128,
    /// The first is 0, for the element before which there is none.
    ends: [u16; DE_COUNT + 1],
    bytes: Vec<u8>,
    refused: Option<Refused>,
}

/// The last value that found no room in its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub(super) de: u8,
    /// Its bytes.
    pub(super) length: usize,
    /// The bytes that there was room for.
    pub(super) room: usize,
}

impl Message {
    /// A message without elements.
    pub fn new(mti: Mti) -> Self {
        Self { mti, present: 0, ends: [0; DE_COUNT + 1], bytes: Vec::new(), refused: None }
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
        self.present & bit(de) != 0
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
        if bit(de) == 0 {
            debug_assert!(false, "DE{de} is not a data element");
            return;
        }
        let span = self.span(de);
        let room = MESSAGE_BYTES_MAX - (self.bytes.len() - span.len());
        if value.len() > room {
            self.remove(de);
            self.refused = Some(Refused { de, length: value.len(), room });
            return;
        }
        if self.refused.is_some_and(|refused| refused.de == de) {
            self.refused = None;
        }
        if self.present >> (de - 1) == 0 {
            // Above all that are there, as when a message is made in order.
            self.make_room(value.len());
            self.bytes.extend_from_slice(value);
            self.ends[usize::from(de)] = self.total();
        } else {
            self.resize(de, value.len());
            self.bytes[span.start..span.start + value.len()].copy_from_slice(value);
        }
        self.present |= bit(de);
    }

    /// Removes an element; whether it was there. Its bytes are overwritten.
    pub fn remove(&mut self, de: u8) -> bool {
        if !self.has(de) {
            return false;
        }
        self.resize(de, 0);
        self.present &= !bit(de);
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
        let mut start = 0;
        ones(self.present).map(move |de| {
            let end = usize::from(self.ends[usize::from(de)]);
            let value = &self.bytes[start..end];
            start = end;
            (de, value)
        })
    }

    /// All elements, ascending, as places in [`Self::values`]: one ends where the next begins.
    pub(super) fn spans(&self) -> impl Iterator<Item = (u8, Range<usize>)> {
        let mut start = 0;
        ones(self.present).map(move |de| {
            let end = usize::from(self.ends[usize::from(de)]);
            (de, std::mem::replace(&mut start, end)..end)
        })
    }

    /// All values, one behind the other.
    pub(super) fn values(&self) -> &[u8] {
        &self.bytes
    }

    /// The value that found no room, if there was one.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// The bitmap as on the wire, DE1 highest; DE1 itself is never set.
    pub(super) fn bitmap(&self) -> u128 {
        self.present.reverse_bits()
    }

    /// Bytes of all values.
    pub(super) fn value_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where the value of `de` stands, or would.
    fn span(&self, de: u8) -> Range<usize> {
        let below = self.present & (bit(de) - 1);
        let before = (u128::BITS - below.leading_zeros()) as usize;
        let start = usize::from(self.ends[before]);
        let end = if self.has(de) { usize::from(self.ends[usize::from(de)]) } else { start };
        start..end
    }

    /// Bytes of all values: a message is never longer than a frame may be.
    fn total(&self) -> u16 {
        self.bytes.len() as u16
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
        let above = self.present & !(bit(de) | (bit(de) - 1));
        for above in ones(above) {
            let end = &mut self.ends[usize::from(above)];
            *end = end.wrapping_add(added);
        }
        self.ends[usize::from(de)] = (span.start + length) as u16;
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
        let ends = |message: &Self, de: u8| message.ends[usize::from(de)];
        self.mti == other.mti
            && self.present == other.present
            && self.refused == other.refused
            && self.bytes == other.bytes
            && ones(self.present).all(|de| ends(self, de) == ends(other, de))
    }
}

impl Eq for Message {}

/// Fills a message in ascending order from one frame, which needs no moving. Elements that stand
/// side by side in the frame are copied together.
pub(super) struct Filling<'b> {
    message: Message,
    frame: &'b [u8],
    /// Read, and not copied yet.
    run: Range<usize>,
}

impl<'b> Filling<'b> {
    /// No elements yet, and room for that many bytes of values.
    pub(super) fn new(mti: Mti, frame: &'b [u8], room: usize) -> Self {
        let mut message = Message::new(mti);
        message.bytes.reserve_exact(room);
        Self { message, frame, run: 0..0 }
    }

    /// Adds an element, which must be above all that were added, as it stands in the frame.
    pub(super) fn push(&mut self, de: u8, at: Range<usize>) {
        if self.run.end == at.start {
            self.run.end = at.end;
        } else {
            self.copy();
            self.run = at;
        }
        self.end(de);
    }

    /// Adds an element whose value is given in hexadecimal digits, which must be such.
    pub(super) fn push_hex(&mut self, de: u8, digits: &[u8]) {
        self.copy();
        let bytes = digits.chunks_exact(2).map(|pair| {
            super::content::hex_digit(pair[0]) << 4 | super::content::hex_digit(pair[1])
        });
        self.message.bytes.extend(bytes);
        self.end(de);
    }

    /// The message with what was added.
    pub(super) fn finish(mut self) -> Message {
        self.copy();
        self.message
    }

    fn copy(&mut self) {
        self.message.bytes.extend_from_slice(&self.frame[self.run.clone()]);
        self.run = 0..0;
    }

    fn end(&mut self, de: u8) {
        // All of it comes from one frame.
        self.message.ends[usize::from(de)] = self.message.total() + self.run.len() as u16;
        self.message.present |= bit(de);
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

/// The bit of a data element, 0 for what is none.
fn bit(de: u8) -> u128 {
    if (2..=128).contains(&de) { 1 << (u32::from(de) - 1) } else { 0 }
}

/// The data elements of a bitmap as on the wire, ascending.
pub(super) fn elements(bitmap: u128) -> impl Iterator<Item = u8> {
    ones(bitmap.reverse_bits())
}

fn ones(bits: u128) -> impl Iterator<Item = u8> {
    let mut rest = bits;
    std::iter::from_fn(move || {
        let de = rest.trailing_zeros() as u8 + 1;
        let found = (rest != 0).then_some(de);
        rest &= rest.wrapping_sub(1);
        found
    })
}
