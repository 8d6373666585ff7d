//! A message in words, for people with a message in hand.

use std::fmt;

use super::content::hex_digit;
use super::decode::{DecodeErrorKind, MTI_LENGTH, Sink, read_mti, walk};
use super::dialect::{Dialect, Encoding, Rule};
use super::mask::Masked;
use super::message::elements;

/// Which part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Message type indicator.
    Mti,
    /// Primary bitmap: DE1 to DE64.
    PrimaryBitmap,
    /// Secondary bitmap: DE65 to DE128.
    SecondaryBitmap,
    /// A data element.
    Element(u8),
    /// What follows the last element.
    Rest,
}

/// What is wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// As [`Dialect::decode`] says it.
    pub kind: DecodeErrorKind,
    /// Byte from the start of the message.
    pub offset: usize,
}

/// One part of a message, in words.
#[derive(Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which.
    pub part: Part,
    /// Its first byte, from the start of the message.
    pub offset: usize,
    /// Its bytes, a length indicator included.
    pub length: usize,
    /// As the dialect names it.
    pub name: String,
    /// Which bytes belong here, in words.
    pub rule: String,
    /// The bytes themselves, **not masked**: for whoever brought them. Not in `Debug`.
    pub raw: Vec<u8>,
    /// What they say, masked; empty where something is wrong.
    pub value: String,
    /// What is wrong here; then this is the last part, and `raw` has all the rest.
    pub wrong: Option<Wrong>,
}

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explained")
            .field("part", &self.part)
            .field("offset", &self.offset)
            .field("length", &self.length)
            .field("name", &self.name)
            .field("rule", &self.rule)
            .field("value", &self.value)
            .field("wrong", &self.wrong)
            .finish_non_exhaustive()
    }
}

/// Every part up to the first that is wrong. All bytes are in exactly one part.
pub fn explain(dialect: &Dialect, bytes: &[u8]) -> Vec<Explained> {
    let mut explaining = Explaining { dialect, bytes, at: 0, parts: Vec::new() };
    let walked = read_mti(bytes).and_then(|mti| {
        explaining.add(Part::Mti, mti.to_string(), MTI_LENGTH);
        walk(dialect, bytes, &mut explaining)
    });
    if let Err(fault) = walked {
        let part = match (fault.kind, fault.de, explaining.parts.len()) {
            (DecodeErrorKind::TrailingData, _, _) => Part::Rest,
            (_, 0, _) => Part::Mti,
            (_, 1, 1) => Part::PrimaryBitmap,
            (_, 1, _) => Part::SecondaryBitmap,
            (_, de, _) => Part::Element(de),
        };
        explaining.add(part, String::new(), bytes.len());
        if let Some(last) = explaining.parts.last_mut() {
            last.wrong = Some(Wrong { kind: fault.kind, offset: fault.offset });
        }
    }
    explaining.parts
}

struct Explaining<'a> {
    dialect: &'a Dialect,
    bytes: &'a [u8],
    at: usize,
    parts: Vec<Explained>,
}

impl Explaining<'_> {
    fn add(&mut self, part: Part, value: String, end: usize) {
        let raw = self.bytes[self.at..end].to_vec();
        let (name, rule) = self.words(part);
        self.parts.push(Explained {
            part,
            offset: self.at,
            length: raw.len(),
            name,
            rule,
            raw,
            value,
            wrong: None,
        });
        self.at = end;
    }

    fn words(&self, part: Part) -> (String, String) {
        let bitmap = match self.dialect.bitmap() {
            Encoding::Binary => "8 bytes, one bit for each element",
            Encoding::Ascii | Encoding::Hex => {
                "16 hexadecimal characters, one bit for each element"
            }
        };
        let (name, rule) = match part {
            Part::Mti => ("Message type indicator", "4 digits"),
            Part::PrimaryBitmap => ("Bitmap, primary", bitmap),
            Part::SecondaryBitmap => ("Bitmap, secondary", bitmap),
            Part::Element(de) => {
                let name = self.dialect.field(de).name.clone();
                return (name, self.dialect.rule(de).words());
            }
            Part::Rest => ("After the last element", "nothing"),
        };
        (name.to_owned(), rule.to_owned())
    }
}

impl Sink for Explaining<'_> {
    fn bitmap(&mut self, bits: u64, end: usize) {
        let primary = self.parts.len() == 1;
        let (part, bits) = if primary {
            (Part::PrimaryBitmap, u128::from(bits) << 64)
        } else {
            (Part::SecondaryBitmap, u128::from(bits))
        };
        let names: Vec<String> = elements(bits)
            .map(|de| if de == 1 { "secondary bitmap".to_owned() } else { format!("DE{de}") })
            .collect();
        self.add(part, names.join(", "), end);
    }

    fn element(&mut self, de: u8, rule: Rule, value: &[u8], end: usize) {
        let canonical = match rule.encoding {
            Encoding::Ascii | Encoding::Binary => value.to_vec(),
            Encoding::Hex => value
                .chunks_exact(2)
                .map(|pair| hex_digit(pair[0]) << 4 | hex_digit(pair[1]))
                .collect(),
        };
        let value = Masked { de, value: &canonical }.to_string();
        self.add(Part::Element(de), value, end);
    }
}
