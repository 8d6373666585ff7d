//! Fixed-width printable text, the shape of DE37, DE38, DE41 and DE42.

use core::fmt;

/// Printable ASCII of exactly `N` characters, padded on the right with spaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixedText<const N: usize>([u8; N]);

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// Longer than the field, by this many characters in all.
    TooLong(usize),
    /// A byte outside printable ASCII, at this position.
    NotPrintable(usize),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(n) => write!(f, "{n} characters are too many"),
            Self::NotPrintable(at) => write!(f, "character {at} is not printable ASCII"),
        }
    }
}

impl core::error::Error for TextError {}

impl<const N: usize> FixedText<N> {
    /// All spaces: the field is absent.
    pub const BLANK: Self = Self([b' '; N]);

    /// Takes up to `N` printable characters; shorter text is padded with spaces.
    pub fn new(text: &[u8]) -> Result<Self, TextError> {
        if text.len() > N {
            return Err(TextError::TooLong(text.len()));
        }
        let mut bytes = [b' '; N];
        bytes[..text.len()].copy_from_slice(text);
        // All of them, without stopping at the first: that is several at a time.
        let printable = bytes.iter().fold(true, |all, b| all & (0x20..=0x7e).contains(b));
        if !printable {
            let at = text.iter().position(|b| !(0x20..=0x7e).contains(b));
            return Err(TextError::NotPrintable(at.unwrap_or(0)));
        }
        Ok(Self(bytes))
    }

    /// All `N` characters, padding included: the field as it stands on the wire.
    pub fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The text without its padding.
    pub fn as_str(&self) -> &str {
        // The constructor admits ASCII alone, so the bytes are always UTF-8.
        core::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches(' ')
    }

    /// Whether there is nothing but padding.
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(|b| *b == b' ')
    }
}

impl<const N: usize> Default for FixedText<N> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
