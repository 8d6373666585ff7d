//! Money: integer minor units and the currency whose exponent gives them meaning.

use alloc::string::String;
use core::fmt;

use crate::limits::AMOUNT_MAX;

/// An amount of minor units that a message can carry (DE4, n 12). Never negative, never a float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(u64);

/// Why an amount was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Not digits with at most one point.
    Syntax,
    /// More decimals than the currency has.
    TooPrecise,
    /// More than twelve digits of minor units.
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "an amount is digits with at most one point, as in 12.50",
            Self::TooPrecise => "more decimals than the currency has",
            Self::TooLarge => "more than twelve digits of minor units",
        })
    }
}

impl core::error::Error for AmountError {}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `None` above twelve digits.
    pub const fn new(minor: u64) -> Option<Self> {
        if minor <= AMOUNT_MAX { Some(Self(minor)) } else { None }
    }

    /// Minor units.
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless a message could not carry it.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, unless it would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// A currency: ISO 4217 numeric code and alphabetic code, with its number of decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    numeric: u16,
    exponent: u8,
    alpha: [u8; 3],
}

impl Currency {
    /// The won of the example nation (ISO 4217 408, exponent 2).
    pub const KPW: Self = Self { numeric: 408, exponent: 2, alpha: *b"KPW" };

    /// A currency as the configuration names it: three capitals, three digits, 0 to 4 decimals.
    pub fn new(alpha: &str, numeric: u16, exponent: u8) -> Option<Self> {
        let letters: [u8; 3] = alpha.as_bytes().try_into().ok()?;
        let valid = letters.iter().all(u8::is_ascii_uppercase)
            && (1..=999).contains(&numeric)
            && exponent <= 4;
        valid.then_some(Self { numeric, exponent, alpha: letters })
    }

    /// ISO 4217 numeric code (DE49, n 3).
    pub const fn numeric(self) -> u16 {
        self.numeric
    }

    /// Decimals of the minor unit.
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    /// ISO 4217 alphabetic code.
    pub fn alpha(&self) -> &str {
        core::str::from_utf8(&self.alpha).unwrap_or_default()
    }

    fn scale(self) -> u64 {
        10u64.pow(u32::from(self.exponent))
    }

    /// Reads `12.50` into minor units.
    pub fn parse(self, text: &str) -> Result<Amount, AmountError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let lone_point = text.ends_with('.');
        if whole.is_empty() || lone_point || !digits(whole) || !digits(decimals) {
            return Err(AmountError::Syntax);
        }
        if decimals.len() > usize::from(self.exponent) {
            return Err(AmountError::TooPrecise);
        }
        let mut minor = 0u64;
        let padding = usize::from(self.exponent).saturating_sub(decimals.len());
        let zeros = core::iter::repeat_n(b'0', padding);
        for digit in whole.bytes().chain(decimals.bytes()).chain(zeros) {
            minor = minor
                .checked_mul(10)
                .and_then(|m| m.checked_add(u64::from(digit.saturating_sub(b'0'))))
                .filter(|m| *m <= AMOUNT_MAX)
                .ok_or(AmountError::TooLarge)?;
        }
        Ok(Amount(minor))
    }

    /// Minor units as a decimal string in this currency's exponent; the sign is kept.
    pub fn format(self, minor: i128) -> String {
        let sign = if minor < 0 { "-" } else { "" };
        let scale = u128::from(self.scale());
        let magnitude = minor.unsigned_abs();
        let whole = magnitude.checked_div(scale).unwrap_or(magnitude);
        let decimals = magnitude.checked_rem(scale).unwrap_or(0);
        match self.exponent {
            0 => alloc::format!("{sign}{whole}"),
            width => alloc::format!("{sign}{whole}.{decimals:0width$}", width = usize::from(width)),
        }
    }

    /// An amount as a decimal string.
    pub fn show(self, amount: Amount) -> String {
        self.format(i128::from(amount.minor()))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.alpha(), self.numeric, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_are_exact() {
        let kpw = Currency::KPW;
        for (text, minor) in [("12.50", 1250), ("0.01", 1), ("7", 700), ("7.5", 750)] {
            assert_eq!(kpw.parse(text), Ok(Amount(minor)), "{text}");
        }
        for text in ["", ".5", "5.", "1,5", "-1", "1.2.3", "+1", " 1"] {
            assert_eq!(kpw.parse(text), Err(AmountError::Syntax), "{text}");
        }
        assert_eq!(kpw.parse("0.001"), Err(AmountError::TooPrecise));
        assert_eq!(kpw.parse("10000000000.00"), Err(AmountError::TooLarge));
        assert_eq!(kpw.parse("9999999999.99"), Ok(Amount(AMOUNT_MAX)));
        assert_eq!(kpw.format(-5), "-0.05");
        assert_eq!(kpw.format(500_000_001), "5000000.01");
        assert_eq!(Currency::new("JPY", 392, 0).map(|jpy| jpy.format(12)).as_deref(), Some("12"));
    }
}
