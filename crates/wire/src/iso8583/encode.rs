//! A message to bytes.

use std::fmt;

use super::ElementType;
use super::content::first_wrong;
use super::dialect::{Dialect, Encoding, Length, Rule};
use super::message::Message;
use crate::limits::LENGTH_DIGITS_MAX;

/// Why a value can't be written; counts in characters (bytes for type b).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// Longer than the element may be.
    TooLong {
        /// What the value has.
        length: usize,
        /// What the element may have.
        max: usize,
    },
    /// Shorter than a fixed element that is not padded.
    TooShort {
        /// What the value has.
        length: usize,
        /// What the element has.
        fixed: usize,
    },
    /// A byte that the element's type does not allow, at this place in the value.
    InvalidContent {
        /// From 0.
        at: usize,
    },
}

/// Which element can't be written, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Data element.
    pub de: u8,
    /// Why.
    pub kind: EncodeErrorKind,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let de = self.de;
        match self.kind {
            EncodeErrorKind::TooLong { length, max } => {
                write!(f, "DE{de} is {length} long, at most {max} are allowed")
            }
            EncodeErrorKind::TooShort { length, fixed } => {
                write!(f, "DE{de} is {length} long, exactly {fixed} are needed")
            }
            EncodeErrorKind::InvalidContent { at } => {
                write!(f, "DE{de} holds something that its type does not allow at {at}")
            }
        }
    }
}

impl std::error::Error for EncodeError {}

/// Room for message type, bitmaps, lengths and padding of most messages, so that `out` grows once.
const OVERHEAD: usize = 128;

impl Dialect {
    /// Appends the message to `out`, which is untouched on error.
    ///
    /// A text value (an, ans) shorter than its fixed element is padded with spaces on the right;
    /// any other that is too short is refused, for a number that lost digits must not become
    /// another number. The secondary bitmap is written only when DE65 to DE128 need it.
    pub fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.put(message, message.bitmap(), 0, out)
    }

    /// Writes the elements of `bitmap` but those of `later`, whose bits alone are written. In both
    /// DE1 is the highest bit.
    pub(super) fn put(
        &self,
        message: &Message,
        bitmap: u128,
        later: u128,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if let Some(refused) = message.refused() {
            let kind = EncodeErrorKind::TooLong { length: refused.length, max: refused.room };
            return Err(EncodeError { de: refused.de, kind });
        }
        let before = out.len();
        let due = (bitmap & !later).reverse_bits();
        let (primary, secondary) = ((bitmap >> 64) as u64, bitmap as u64);
        out.reserve(message.value_bytes() + OVERHEAD);
        out.extend_from_slice(&message.mti().digits());
        if secondary == 0 {
            self.put_bitmap(primary, out);
        } else {
            self.put_bitmap(primary | 1 << 63, out);
            self.put_bitmap(secondary, out);
        }
        // Elements that are written as they stand, side by side: copied together.
        let mut run = 0..0;
        for (de, at) in message.spans() {
            if due >> (u32::from(de) - 1) & 1 == 0 {
                continue;
            }
            let (rule, value) = (self.rule(de), &message.values()[at.clone()]);
            if is_verbatim(rule, value) {
                if run.end != at.start {
                    out.extend_from_slice(&message.values()[run]);
                    run = at.clone();
                }
                run.end = at.end;
                continue;
            }
            out.extend_from_slice(&message.values()[std::mem::replace(&mut run, 0..0)]);
            if let Err(kind) = put_element(rule, value, out) {
                out.truncate(before);
                return Err(EncodeError { de, kind });
            }
        }
        out.extend_from_slice(&message.values()[run]);
        Ok(())
    }

    fn put_bitmap(&self, bits: u64, out: &mut Vec<u8>) {
        match self.bitmap() {
            Encoding::Binary => out.extend_from_slice(&bits.to_be_bytes()),
            Encoding::Ascii | Encoding::Hex => put_hex(&bits.to_be_bytes(), out),
        }
    }
}

/// Whether an element is written as it is: whole, of the right content, nothing before or behind.
fn is_verbatim(rule: Rule, value: &[u8]) -> bool {
    matches!(rule.length, Length::Fixed)
        && matches!(rule.encoding, Encoding::Ascii | Encoding::Binary)
        && value.len() == usize::from(rule.max)
        && first_wrong(rule.kind, value).is_none()
}

fn put_element(rule: Rule, value: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeErrorKind> {
    let (length, max) = (value.len(), usize::from(rule.max));
    if length > max {
        return Err(EncodeErrorKind::TooLong { length, max });
    }
    if let Some(at) = first_wrong(rule.kind, value) {
        return Err(EncodeErrorKind::InvalidContent { at });
    }
    let padding = match rule.length {
        Length::Fixed => max - length,
        Length::Variable { digits } => {
            put_number(length, digits, out);
            0
        }
    };
    if padding > 0 && !is_padded(rule.kind) {
        return Err(EncodeErrorKind::TooShort { length, fixed: max });
    }
    match rule.encoding {
        Encoding::Ascii | Encoding::Binary => out.extend_from_slice(value),
        Encoding::Hex => put_hex(value, out),
    }
    if padding > 0 {
        out.resize(out.len() + padding, b' ');
    }
    Ok(())
}

fn is_padded(kind: ElementType) -> bool {
    match kind {
        ElementType::An | ElementType::Ans => true,
        ElementType::N | ElementType::Xn | ElementType::Z | ElementType::B => false,
    }
}

/// Decimal digits, leading zeros included; the dialect has checked that they are enough.
fn put_number(number: usize, digits: u8, out: &mut Vec<u8>) {
    let digit = |unit: usize| b'0' + (number / unit % 10) as u8;
    match digits {
        2 => out.extend_from_slice(&[digit(10), digit(1)]),
        3 => out.extend_from_slice(&[digit(100), digit(10), digit(1)]),
        _ => {
            let text = [digit(1000), digit(100), digit(10), digit(1)];
            out.extend_from_slice(&text[LENGTH_DIGITS_MAX - usize::from(digits)..]);
        }
    }
}

pub(super) fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let pair = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let pairs: [[u8; 2]; 8] = std::array::from_fn(|at| pair(&eight[at]));
        out.extend_from_slice(pairs.as_flattened());
    }
    for byte in rest {
        out.extend_from_slice(&pair(byte));
    }
}
