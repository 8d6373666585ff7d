//! A dialect: how each part of a message stands on the wire, for all 128 data elements.
//!
//! What a part may be encoded as is data (`docs/formats/dialects.md`); [`Encoding`] has what the
//! dialects of today need, and a new one (BCD, EBCDIC) is a new variant that the compiler then
//! asks for wherever bytes are read or written.

use std::fmt;
use std::sync::LazyLock;

use super::dialect_file::DialectError;
use super::sound::{self, Steps};
use crate::limits::DE_COUNT;

/// What an element may hold (the types of ISO 8583:1987).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// n: digits.
    N,
    /// x+n: C or D, then digits; the length counts the sign.
    Xn,
    /// an: letters and digits. Any printable ASCII is taken, for common packagers check none and
    /// pad with spaces.
    An,
    /// ans: printable ASCII.
    Ans,
    /// z: track 2 and 3 characters (`0`-`9 : ; < = > ?`, and D for the separator).
    Z,
    /// b: bytes.
    B,
}

impl ElementType {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::N, Self::Xn, Self::An, Self::Ans, Self::Z, Self::B];

    /// As the standard and the dialect files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::N => "n",
            Self::Xn => "x+n",
            Self::An => "an",
            Self::Ans => "ans",
            Self::Z => "z",
            Self::B => "b",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::N => "digits",
            Self::Xn => "characters: C or D, then digits",
            Self::An | Self::Ans => "printable characters",
            Self::Z => "track characters",
            Self::B => "bytes",
        }
    }
}

/// How long an element is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always as long as its maximum.
    Fixed,
    /// Preceded by its length.
    Variable {
        /// Digits of the length: 2 for LL, 3 for LLL.
        digits: u8,
    },
}

/// How a part of a message stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One ASCII character each.
    Ascii,
    /// Two hexadecimal ASCII characters for a byte; written in upper case, read in either.
    Hex,
    /// The bytes themselves.
    Binary,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ascii, Self::Hex, Self::Binary];

    /// As the dialect files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Hex => "hex",
            Self::Binary => "binary",
        }
    }
}

/// One data element of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the standard names it.
    pub name: String,
    /// What it may hold.
    pub kind: ElementType,
    /// Fixed, or with how many digits of length.
    pub length: Length,
    /// Longest value, in characters; bytes for type b.
    pub max: u16,
    /// Where it differs from its type's encoding.
    pub(super) encoding: Option<Encoding>,
}

impl Field {
    /// In the notation of the standard and the dialect files: `n6`, `n..19`, `b8`.
    pub fn format(&self) -> String {
        let dots = match self.length {
            Length::Fixed => 0,
            Length::Variable { digits } => usize::from(digits),
        };
        format!("{}{:.<dots$}{}", self.kind.name(), "", self.max)
    }
}

/// What decoding and encoding look at, for one element: small, so that all lie close together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) kind: ElementType,
    pub(super) length: Length,
    pub(super) max: u16,
    pub(super) encoding: Encoding,
}

impl Rule {
    /// Bytes on the wire of that many characters (bytes for type b).
    pub(super) fn wire_bytes(self, units: usize) -> usize {
        match self.encoding {
            Encoding::Ascii | Encoding::Binary => units,
            Encoding::Hex => 2 * units,
        }
    }

    /// The rule in words, for people.
    pub(super) fn words(self) -> String {
        let (max, what) = (self.max, self.kind.words());
        let written = match self.encoding {
            Encoding::Ascii | Encoding::Binary => "",
            Encoding::Hex => ", each written as 2 hexadecimal characters",
        };
        match self.length {
            Length::Fixed => format!("{max} {what}{written}"),
            Length::Variable { digits } => {
                format!("up to {max} {what}{written}, after their count in {digits} digits")
            }
        }
    }
}

/// How one kind of peer writes ISO 8583:1987.
pub struct Dialect {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) encodings: Encodings,
    fields: Vec<Field>,
    rules: [Rule; DE_COUNT + 1],
    /// What of the rules a message that is right needs.
    steps: Steps,
}

/// The encodings of a dialect, by part. Message type and lengths are ASCII digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encodings {
    pub(super) bitmap: Encoding,
    /// In the order of [`ElementType::ALL`].
    pub(super) types: [Encoding; ElementType::ALL.len()],
}

impl Dialect {
    /// Reads a dialect file; `docs/formats/dialects.md` has its keys. All problems at once.
    pub fn parse(toml: &str) -> Result<Self, DialectError> {
        super::dialect_file::parse(toml)
    }

    /// A dialect of `dialects/`, by its name.
    pub fn builtin(name: &str) -> Option<&'static Self> {
        match name {
            "iso87-ascii" => Some(&ISO87_ASCII),
            "iso87-ascii-bin" => Some(&ISO87_ASCII_BIN),
            _ => None,
        }
    }

    /// The names of the dialects of `dialects/`.
    pub fn builtin_names() -> &'static [&'static str] {
        &["iso87-ascii", "iso87-ascii-bin"]
    }

    /// Its name, as configuration uses it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line on what it is.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the dialect says of an element. 0 is the message type and 1 the bitmap; above 128
    /// there is none, which a debug assertion catches, and 128 stands in.
    pub fn field(&self, de: u8) -> &Field {
        debug_assert!(usize::from(de) <= DE_COUNT, "DE{de} is not a data element");
        &self.fields[usize::from(de).min(DE_COUNT)]
    }

    /// `fields` has the message type, the bitmap, and DE2 to DE128, in order.
    pub(super) fn new(
        name: String,
        title: String,
        encodings: Encodings,
        fields: Vec<Field>,
    ) -> Self {
        assert_eq!(fields.len(), DE_COUNT + 1, "the file reader fills every place");
        let rules: [Rule; DE_COUNT + 1] = std::array::from_fn(|de| {
            let field = &fields[de];
            Rule {
                kind: field.kind,
                length: field.length,
                max: field.max,
                encoding: field.encoding.unwrap_or(encodings.of(field.kind)),
            }
        });
        let steps = sound::steps(|de| rules[usize::from(de)]);
        Self { name, title, encodings, fields, rules, steps }
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn bitmap(&self) -> Encoding {
        self.encodings.bitmap
    }

    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(super) fn rule(&self, de: u8) -> Rule {
        self.rules[usize::from(de).min(DE_COUNT)]
    }
}

impl Encodings {
    pub(super) fn of(&self, kind: ElementType) -> Encoding {
        self.types[kind as usize]
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name)
    }
}

static ISO87_ASCII: LazyLock<Dialect> =
    LazyLock::new(|| built_in(include_str!("../../../../dialects/iso87-ascii.toml")));

static ISO87_ASCII_BIN: LazyLock<Dialect> =
    LazyLock::new(|| built_in(include_str!("../../../../dialects/iso87-ascii-bin.toml")));

fn built_in(toml: &str) -> Dialect {
    Dialect::parse(toml).expect("a test reads every file of dialects/ before it is shipped")
}
