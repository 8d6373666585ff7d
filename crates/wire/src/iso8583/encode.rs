//! A message to bytes.

use std::fmt;

use super::ElementType;
use super::content::{first_wrong, hex_of_bits};
use super::dialect::{Dialect, Encoding, Length, Rule};
use super::message::{Bits, Message, place};
use super::sound;
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
        self.put(message, message.present(), [0; 2], out)
    }

    /// Writes the elements of `bitmap` but those of `later`, whose bits alone are written.
    pub(super) fn put(
        &self,
        message: &Message,
        bitmap: Bits,
        later: Bits,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if let Some(refused) = message.refused() {
            let (length, max) = (refused.length as usize, usize::from(refused.room));
            let kind = EncodeErrorKind::TooLong { length, max };
            return Err(EncodeError { de: refused.de, kind });
        }
        let before = out.len();
        let due = [bitmap[0] & !later[0], bitmap[1] & !later[1]];
        out.reserve(message.values().len() + OVERHEAD);
        out.extend_from_slice(&message.mti().digits());
        self.put_bitmap(bitmap[0] | u64::from(bitmap[1] != 0), out);
        if bitmap[1] != 0 {
            self.put_bitmap(bitmap[1], out);
        }
        let elements = out.len();
        if sound::write(self, message, due, out).is_some() {
            return Ok(());
        }
        out.truncate(elements);
        let put = self.put_carefully(message, due, out);
        if put.is_err() {
            out.truncate(before);
        }
        put
    }

    /// The elements one by one, to pad what is short and to say which of them is wrong.
    #[cold]
    pub(super) fn put_carefully(
        &self,
        message: &Message,
        due: Bits,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        for (de, value) in message.fields() {
            let (half, place) = place(de);
            if due[half] >> place & 1 == 1 {
                put_element(self.rule(de), value, out).map_err(|kind| EncodeError { de, kind })?;
            }
        }
        Ok(())
    }

    /// DE1 or DE65 is the lowest bit.
    fn put_bitmap(&self, bits: u64, out: &mut Vec<u8>) {
        let bits = bits.reverse_bits();
        match self.bitmap() {
            Encoding::Binary => out.extend_from_slice(&bits.to_be_bytes()),
            Encoding::Ascii | Encoding::Hex => out.extend_from_slice(&hex_of_bits(bits)),
        }
    }
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
pub(super) fn put_number(number: usize, digits: u8, out: &mut Vec<u8>) {
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
