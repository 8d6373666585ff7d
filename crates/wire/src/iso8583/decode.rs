//! Bytes to a message.
//!
//! A message that is right is read in one go ([`super::sound`]). For all others one walk over the
//! bytes serves [`Dialect::decode`] and [`super::explain`]: it reads bitmaps and elements in order,
//! checks each, and tells a [`Sink`] what it found.

use std::fmt;

use scheme::Mti;

use super::content::{first_not_hex, first_wrong, hex_digit};
use super::dialect::{Dialect, Encoding, Length, Rule};
use super::message::{Bits, Filling, Message, elements, place};
use super::sound;
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGE_SLACK};

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DecodeErrorKind {
    /// Fewer than four characters.
    TruncatedMti,
    /// A message type that is not four digits.
    BadMti,
    /// The bytes end inside a bitmap.
    TruncatedBitmap,
    /// A bitmap with something other than hexadecimal digits.
    BadBitmap,
    /// The bytes end inside a length indicator.
    TruncatedLength,
    /// A length indicator that is not digits.
    BadLength,
    /// A length above what the element may have.
    LengthOverMax,
    /// The bytes end inside an element.
    TruncatedField,
    /// A byte that the element's type does not allow.
    InvalidContent,
    /// Bytes after the last element.
    TrailingData,
    /// The frame around the message is wrong, for those that read frames; or the bytes are more
    /// than any frame may hold.
    Framing,
    /// Well formed, but against a rule about messages. Not found by decoding: for those that know
    /// the rules.
    MessageRule,
}

impl DecodeErrorKind {
    /// The name that scripts rely on (`bongsu message decode`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::TruncatedMti => "truncated_mti",
            Self::BadMti => "bad_mti",
            Self::TruncatedBitmap => "truncated_bitmap",
            Self::BadBitmap => "bad_bitmap",
            Self::TruncatedLength => "truncated_length",
            Self::BadLength => "bad_length",
            Self::LengthOverMax => "length_over_max",
            Self::TruncatedField => "truncated_field",
            Self::InvalidContent => "invalid_content",
            Self::TrailingData => "trailing_data",
            Self::Framing => "framing",
            Self::MessageRule => "message_rule",
        }
    }

    /// The same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::TruncatedMti => "the message ends inside its type",
            Self::BadMti => "the message type is not four digits",
            Self::TruncatedBitmap => "the message ends inside a bitmap",
            Self::BadBitmap => "a bitmap with something other than hexadecimal digits",
            Self::TruncatedLength => "the message ends inside the element's length",
            Self::BadLength => "the element's length is not digits",
            Self::LengthOverMax => "the element's length is above what it may have",
            Self::TruncatedField => "the message ends inside the element",
            Self::InvalidContent => "a byte that the element's type does not allow",
            Self::TrailingData => "bytes after the last element",
            Self::Framing => "the frame is wrong",
            Self::MessageRule => "against a rule about messages",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why bytes are no message, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where, as data element: 0 is the message type, 1 a bitmap; for trailing data the last
    /// element read.
    pub de: Option<u8>,
    /// Where, as byte from the start of the message: the first wrong byte, or the start of the
    /// part that is cut short or whose length is wrong.
    pub offset: usize,
    /// What was read before the error, for an answer with DE39 30; `None` when the message type
    /// itself could not be read.
    pub partial: Option<Box<Message>>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.kind.words();
        match self.de {
            Some(de @ 2..) => write!(f, "DE{de} at byte {}: {words}", self.offset),
            Some(0 | 1) | None => write!(f, "at byte {}: {words}", self.offset),
        }
    }
}

impl std::error::Error for DecodeError {}

impl Dialect {
    /// Reads one whole message. Allocates one buffer for all values, and the partial message of
    /// an error.
    pub fn decode(&self, bytes: &[u8]) -> Result<Message, DecodeError> {
        let mti = read_mti(bytes).map_err(|fault| fault.error(None))?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            let fault = fault(DecodeErrorKind::Framing, 0, MESSAGE_BYTES_MAX);
            return Err(fault.error(Some(Message::new(mti))));
        }
        match sound::read(self, mti, bytes) {
            Some(message) => Ok(message),
            None => self.decode_carefully(mti, bytes),
        }
    }

    /// The same element by element, to say which of them is wrong and where.
    #[cold]
    pub(super) fn decode_carefully(&self, mti: Mti, bytes: &[u8]) -> Result<Message, DecodeError> {
        let filling = Filling::new(mti, bytes.len() + MESSAGE_SLACK);
        let mut found = Found { filling, present: [0; 2] };
        let walked = walk(self, bytes, &mut found);
        let message = found.filling.finish(found.present);
        match walked {
            Ok(()) => Ok(message),
            Err(fault) => Err(fault.error(Some(message))),
        }
    }
}

/// The first dialect, in the order given, that decodes the whole first frame of a connection,
/// and its message; `None`: close the connection (R-LINK).
pub fn recognise<'d>(dialects: &[&'d Dialect], frame: &[u8]) -> Option<(&'d Dialect, Message)> {
    dialects.iter().find_map(|dialect| Some((*dialect, dialect.decode(frame).ok()?)))
}

/// What a walk tells of what it found, in the order of the bytes.
pub(super) trait Sink {
    /// The primary (DE2 to 64) or secondary bitmap; bits as in the message, DE1 highest.
    fn bitmap(&mut self, bits: u64, end: usize);
    /// An element: `value` as on the wire, its length indicator before it.
    fn element(&mut self, de: u8, rule: Rule, value: &[u8], end: usize);
}

/// Where and why a walk stopped.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: DecodeErrorKind,
    pub(super) de: u8,
    pub(super) offset: usize,
}

impl Fault {
    fn error(self, partial: Option<Message>) -> DecodeError {
        DecodeError {
            kind: self.kind,
            de: Some(self.de),
            offset: self.offset,
            partial: partial.map(Box::new),
        }
    }
}

/// Bytes of the message type.
pub(super) const MTI_LENGTH: usize = 4;

pub(super) fn read_mti(bytes: &[u8]) -> Result<Mti, Fault> {
    let digits = bytes.get(..MTI_LENGTH).ok_or(fault(DecodeErrorKind::TruncatedMti, 0, 0))?;
    Mti::parse(digits).ok_or_else(|| {
        let at = digits.iter().position(|b| !b.is_ascii_digit());
        fault(DecodeErrorKind::BadMti, 0, at.unwrap_or(0))
    })
}

/// Reads all that follows the message type, which must be there.
pub(super) fn walk(dialect: &Dialect, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Fault> {
    let mut at = MTI_LENGTH;
    let primary = read_bitmap(dialect.bitmap(), bytes, &mut at)?;
    sink.bitmap(primary, at);
    let mut bits = u128::from(primary) << 64;
    if primary >> 63 == 1 {
        let secondary = read_bitmap(dialect.bitmap(), bytes, &mut at)?;
        sink.bitmap(secondary, at);
        bits = bits << 1 >> 1 | u128::from(secondary);
    }

    let mut last = 1;
    for de in elements(bits) {
        let rule = dialect.rule(de);
        let value = read_element(de, rule, bytes, &mut at)?;
        sink.element(de, rule, value, at);
        last = de;
    }
    if at < bytes.len() {
        return Err(fault(DecodeErrorKind::TrailingData, last, at));
    }
    Ok(())
}

fn read_bitmap(encoding: Encoding, bytes: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let start = *at;
    let cut_short = fault(DecodeErrorKind::TruncatedBitmap, 1, start);
    match encoding {
        Encoding::Binary => {
            let raw = bytes[start..].first_chunk::<8>().ok_or(cut_short)?;
            *at = start + 8;
            Ok(u64::from_be_bytes(*raw))
        }
        Encoding::Ascii | Encoding::Hex => {
            let digits = bytes[start..].first_chunk::<16>().ok_or(cut_short)?;
            if let Some(wrong) = first_not_hex(digits) {
                return Err(fault(DecodeErrorKind::BadBitmap, 1, start + wrong));
            }
            *at = start + 16;
            Ok(digits.iter().fold(0, |bits, d| bits << 4 | u64::from(hex_digit(*d))))
        }
    }
}

/// The value as on the wire, its content checked.
fn read_element<'b>(
    de: u8,
    rule: Rule,
    bytes: &'b [u8],
    at: &mut usize,
) -> Result<&'b [u8], Fault> {
    let (start, units) = match rule.length {
        Length::Fixed => (*at, usize::from(rule.max)),
        Length::Variable { digits } => {
            let digits = usize::from(digits);
            let indicator = bytes.get(*at..*at + digits).ok_or(fault(
                DecodeErrorKind::TruncatedLength,
                de,
                *at,
            ))?;
            let units = read_number(indicator).ok_or(fault(DecodeErrorKind::BadLength, de, *at))?;
            if units > usize::from(rule.max) {
                return Err(fault(DecodeErrorKind::LengthOverMax, de, *at));
            }
            (*at + digits, units)
        }
    };
    let value = bytes.get(start..start + rule.wire_bytes(units)).ok_or(fault(
        DecodeErrorKind::TruncatedField,
        de,
        start,
    ))?;
    let wrong = match rule.encoding {
        Encoding::Ascii | Encoding::Binary => first_wrong(rule.kind, value),
        Encoding::Hex => first_not_hex(value),
    };
    if let Some(wrong) = wrong {
        return Err(fault(DecodeErrorKind::InvalidContent, de, start + wrong));
    }
    *at = start + value.len();
    Ok(value)
}

fn read_number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + usize::from(digit))
    })
}

fn fault(kind: DecodeErrorKind, de: u8, offset: usize) -> Fault {
    Fault { kind, de, offset }
}

/// What was found of a message.
struct Found {
    filling: Filling,
    present: Bits,
}

impl Sink for Found {
    fn bitmap(&mut self, _bits: u64, _end: usize) {}

    fn element(&mut self, de: u8, rule: Rule, value: &[u8], _end: usize) {
        match rule.encoding {
            Encoding::Ascii | Encoding::Binary => self.filling.push(value),
            Encoding::Hex => self.filling.push_hex(value),
        }
        let (half, place) = place(de);
        self.filling.end(half, place, self.filling.len());
        self.present[half] |= 1 << place;
    }
}
