//! Identities: participants, stations, terminals, retailers, and the numbers that messages carry.

use core::fmt;

use crate::limits::INSTITUTION_MAX;
use crate::text::FixedText;

/// A participant (a bank that settles): its institution code, DE32, n..11.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ParticipantId(u64);

impl ParticipantId {
    /// The institution code; `None` above eleven digits or for zero, which means "absent".
    pub const fn new(code: u64) -> Option<Self> {
        if code == 0 || code > INSTITUTION_MAX { None } else { Some(Self(code)) }
    }

    /// The code as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.0)
    }
}

/// A base station: its place in the nation's list, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StationId(pub u16);

/// A terminal: DE41, ans 8. Unique only within its acquirer.
pub type TerminalId = FixedText<8>;
/// A retailer (card acceptor): DE42, ans 15.
pub type RetailerId = FixedText<15>;
/// Retrieval reference number: DE37, an 12. Unique only within an acquirer.
pub type Rrn = FixedText<12>;
/// Approval code: DE38, an 6.
pub type ApprovalCode = FixedText<6>;

/// Systems trace audit number: DE11, n 6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Stan(u32);

impl Stan {
    /// The largest trace number.
    pub const MAX: u32 = 999_999;

    /// `None` above six digits.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// A counter folded into 1..=999999; zero is left to mean "absent" in DE90.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 999,999")]
    #[expect(clippy::arithmetic_side_effects, reason = "a remainder plus one cannot overflow")]
    pub const fn from_counter(counter: u64) -> Self {
        Self((counter % Self::MAX as u64) as u32 + 1)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Issuer identification number: the leading 1 to 8 digits of a PAN, as a routing prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Iin {
    digits: u32,
    len: u8,
}

impl Iin {
    /// A prefix of one to eight digits.
    #[expect(clippy::arithmetic_side_effects, reason = "eight digits fit 32 bits")]
    #[expect(clippy::cast_possible_truncation, reason = "the length is at most 8")]
    pub fn new(digits: &str) -> Option<Self> {
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = digits.bytes().fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
        Some(Self { digits: number, len: digits.len() as u8 })
    }

    /// How many digits the prefix has.
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Never: a prefix has at least one digit.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether a card whose first eight digits are `first8` begins with this prefix.
    pub fn matches(self, first8: u32) -> bool {
        let shift = 10u32.pow(8u32.saturating_sub(u32::from(self.len)));
        first8.checked_div(shift) == Some(self.digits)
    }
}

impl fmt::Display for Iin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.digits, width = usize::from(self.len))
    }
}
