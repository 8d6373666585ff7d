//! A message: its type and its data elements, in one flat buffer.
//!
//! The values stand in the buffer in ascending order without gaps, so element `de` reaches from
//! `ends[de - 1]` to `ends[de]`; an absent one is empty there and has no bit in `present`.
//! Bytes that leave the message (replaced, removed, outgrown) are overwritten at once.

use std::fmt;

use scheme::Mti;

use super::mask::Masked;
use crate::limits::DE_COUNT;

/// A message in canonical form: text elements as ASCII characters, type b as raw bytes.
///
/// Two messages are equal when type, elements and values are. `Debug` masks what R-SECRETS
/// names: cards as first eight and last four digits, tracks, PIN and private data as lengths.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    mti: Mti,
    /// The lowest bit is DE1 (never set here), the highest DE128.
    present: u128,
    ends: [u32; DE_COUNT + 1],
    bytes: Vec<u8>,
}

impl Message {
    /// A message without elements.
    pub fn new(mti: Mti) -> Self {
        Self { mti, present: 0, ends: [0; DE_COUNT + 1], bytes: Vec::new() }
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

    /// Sets or replaces DE2 to DE128. The value is not looked at; [`super::Dialect::encode`] does.
    ///
    /// DE0 and DE1 are not elements and there is none above 128: a programming error, which a
    /// debug assertion catches and which otherwise changes nothing.
    pub fn set(&mut self, de: u8, value: &[u8]) {
        if bit(de) == 0 {
            debug_assert!(false, "DE{de} is not a data element");
            return;
        }
        let span = self.span(de);
        if self.resize(de, value.len()) {
            self.bytes[span.start..span.start + value.len()].copy_from_slice(value);
            self.present |= bit(de);
        }
    }

    /// Removes an element; whether it was there. Its bytes are overwritten.
    pub fn remove(&mut self, de: u8) -> bool {
        if !self.has(de) {
            return false;
        }
        self.present &= !bit(de);
        self.resize(de, 0)
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
        ones(self.present).map(|de| (de, &self.bytes[self.span(de)]))
    }

    /// The bitmap as on the wire, DE1 highest; DE1 itself is never set.
    pub(super) fn bitmap(&self) -> u128 {
        self.present.reverse_bits()
    }

    /// Bytes of all values.
    pub(super) fn value_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn span(&self, de: u8) -> std::ops::Range<usize> {
        let de = usize::from(de);
        self.ends[de - 1] as usize..self.ends[de] as usize
    }

    /// Makes the room of `de` that long and moves what stands behind it; the room's content is
    /// whatever was there. False, and nothing changed, beyond 4 GiB.
    fn resize(&mut self, de: u8, length: usize) -> bool {
        let span = self.span(de);
        let (old_total, tail) = (self.bytes.len(), self.bytes.len() - span.end);
        let Ok(new_total) = u32::try_from(span.start + length + tail) else {
            debug_assert!(false, "a message above 4 GiB");
            return false;
        };
        if length > span.len() {
            self.grow(new_total as usize);
        }
        self.bytes.copy_within(span.end..old_total, span.start + length);
        if length < span.len() {
            self.bytes[new_total as usize..].fill(0);
            self.bytes.truncate(new_total as usize);
        }
        let added = (length as u32).wrapping_sub(span.len() as u32);
        for end in &mut self.ends[usize::from(de)..] {
            *end = end.wrapping_add(added);
        }
        true
    }

    /// Lengthens the buffer with zeros. The old one is overwritten before it is given back.
    fn grow(&mut self, total: usize) {
        if total > self.bytes.capacity() {
            let mut bytes = Vec::with_capacity(total.max(2 * self.bytes.capacity()).max(256));
            bytes.extend_from_slice(&self.bytes);
            self.bytes.fill(0);
            self.bytes = bytes;
        }
        self.bytes.resize(total, 0);
    }
}

/// Fills a message in ascending order, which needs no moving.
pub(super) struct Filling {
    message: Message,
    /// The first element whose end is not written yet.
    next: usize,
}

impl Filling {
    /// No elements yet, and room for that many bytes of values.
    pub(super) fn new(mti: Mti, room: usize) -> Self {
        let mut message = Message::new(mti);
        message.bytes.reserve_exact(room);
        Self { message, next: 1 }
    }

    /// Adds an element, which must be above all that were added.
    pub(super) fn push(&mut self, de: u8, value: &[u8]) {
        self.before(de);
        self.message.bytes.extend_from_slice(value);
    }

    /// Adds an element whose value is given in hexadecimal digits, which must be such.
    pub(super) fn push_hex(&mut self, de: u8, digits: &[u8]) {
        self.before(de);
        let bytes = digits.chunks_exact(2).map(|pair| {
            super::content::hex_digit(pair[0]) << 4 | super::content::hex_digit(pair[1])
        });
        self.message.bytes.extend(bytes);
    }

    /// The message with what was added.
    pub(super) fn finish(mut self) -> Message {
        let total = self.total();
        self.message.ends[self.next..].fill(total);
        self.message
    }

    fn before(&mut self, de: u8) {
        let total = self.total();
        self.message.ends[self.next..usize::from(de)].fill(total);
        self.next = usize::from(de);
        self.message.present |= bit(de);
    }

    /// A message is no longer than its frame, which is far below 4 GiB.
    fn total(&self) -> u32 {
        self.message.bytes.len() as u32
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
