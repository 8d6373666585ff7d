//! Cards. A clear PAN lives only in a message on its way through; what is kept is a [`CardRef`].

use core::fmt;

use crate::limits::{PAN_MAX, PAN_MIN, SEALED_MAX};

/// A primary account number in the clear (DE2). Prints masked; wiping it is `keys`' business.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pan {
    digits: [u8; PAN_MAX],
    len: u8,
}

/// Why a PAN was refused (DE39 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanError {
    /// Fewer than 10 or more than 19 characters.
    Length,
    /// Something other than a digit.
    NotDigits,
    /// The Luhn check digit (ISO/IEC 7812-1 Annex B) is wrong.
    CheckDigit,
}

impl Pan {
    /// Takes digits of the right length; the check digit is not looked at.
    pub fn parse(text: &[u8]) -> Result<Self, PanError> {
        if !(PAN_MIN..=PAN_MAX).contains(&text.len()) {
            return Err(PanError::Length);
        }
        if !text.iter().all(u8::is_ascii_digit) {
            return Err(PanError::NotDigits);
        }
        let mut digits = [0; PAN_MAX];
        digits[..text.len()].copy_from_slice(text);
        Ok(Self { digits, len: u8::try_from(text.len()).map_err(|_| PanError::Length)? })
    }

    /// Checks the Luhn digit.
    pub fn check(&self) -> Result<(), PanError> {
        /// The cross sum of twice a digit.
        const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
        let sum = self.digits().iter().rev().enumerate().fold(0u8, |sum, (place, digit)| {
            let value = digit.wrapping_sub(b'0');
            let doubled = DOUBLED[usize::from(value % 10)];
            // Nineteen digits: at most 171.
            sum.wrapping_add(if place.is_multiple_of(2) { value } else { doubled })
        });
        if sum.is_multiple_of(10) { Ok(()) } else { Err(PanError::CheckDigit) }
    }

    /// The digits, as ASCII.
    pub fn digits(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// The first eight digits, as a number: what routing looks at.
    pub fn first8(&self) -> u32 {
        self.digits()[..8].iter().fold(0, |n, b| fold_digit(n, *b))
    }

    /// The last four digits, as a number: what a receipt shows.
    pub fn last4(&self) -> u16 {
        let tail = &self.digits()[usize::from(self.len).saturating_sub(4)..];
        u16::try_from(tail.iter().fold(0, |n, b| fold_digit(n, *b))).unwrap_or(0)
    }
}

fn fold_digit(number: u32, digit: u8) -> u32 {
    number.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}..{:04}", self.first8(), self.last4())
    }
}

/// A keyed 128-bit value that stands for a card nation-wide, for matching alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Token(pub u128);

/// PAN and expiry, sealed under a node's journal key; opaque to everything but `keys`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    bytes: [u8; SEALED_MAX],
    len: u8,
}

impl Sealed {
    /// Nothing sealed: the card is known by reference alone.
    pub const EMPTY: Self = Self { bytes: [0; SEALED_MAX], len: 0 };

    /// `None` when longer than [`SEALED_MAX`].
    pub fn new(sealed: &[u8]) -> Option<Self> {
        let mut bytes = [0; SEALED_MAX];
        bytes.get_mut(..sealed.len())?.copy_from_slice(sealed);
        Some(Self { bytes, len: u8::try_from(sealed.len()).ok()? })
    }

    /// The ciphertext.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed[{}]", self.len)
    }
}

/// All that is kept of a card: enough to route, to match, to show, and (sealed) to reverse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CardRef {
    /// First eight digits of the PAN.
    pub first8: u32,
    /// Last four digits of the PAN.
    pub last4: u16,
    /// Length of the PAN in digits.
    pub pan_len: u8,
    /// Matching token.
    pub token: Token,
    /// PAN and expiry, sealed.
    pub sealed: Sealed,
}

impl CardRef {
    /// The PAN as people may see it: first eight, stars, last four.
    pub fn masked(&self) -> alloc::string::String {
        let stars = usize::from(self.pan_len).saturating_sub(12);
        alloc::format!("{:08}{:*<stars$}{:04}", self.first8, "", self.last4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_of_the_example_nation() {
        // Source: the example nation's first cards; 4111... is the well-known test number.
        for pan in ["9408010000000016", "9408020000000015", "4111111111111111"] {
            assert_eq!(Pan::parse(pan.as_bytes()).unwrap().check(), Ok(()), "{pan}");
        }
        let wrong = Pan::parse(b"9408010000000017").unwrap();
        assert_eq!(wrong.check(), Err(PanError::CheckDigit));
        assert_eq!(Pan::parse(b"123456789"), Err(PanError::Length));
        assert_eq!(Pan::parse(b"94080100000000x6"), Err(PanError::NotDigits));
    }

    #[test]
    fn debug_output_never_shows_the_middle_digits() {
        let pan = Pan::parse(b"9408019876543216").unwrap();
        assert_eq!(alloc::format!("{pan:?}"), "94080198..3216");
    }
}
