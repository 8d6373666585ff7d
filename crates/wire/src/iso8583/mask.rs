//! What people may see of a value (R-SECRETS).

use std::fmt;

/// A canonical value, masked by its data element.
pub(super) struct Masked<'a> {
    pub(super) de: u8,
    pub(super) value: &'a [u8],
}

/// Shortest PAN (DE2) of which first eight and last four are shown: one digit stays hidden.
const PAN_SHOWN: usize = 13;

/// Tracks, expiry, PIN, keys, MACs, and the private elements that may carry any of them.
fn is_secret(de: u8) -> bool {
    matches!(de, 14 | 34..=36 | 45..=48 | 52 | 53 | 55..=64 | 105..=128)
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { de, value } = *self;
        if de == 2 && value.len() >= PAN_SHOWN && value.iter().all(u8::is_ascii_digit) {
            let (first, last) = (&value[..8], &value[value.len() - 4..]);
            return write!(f, "{}..{}", first.escape_ascii(), last.escape_ascii());
        }
        if de == 2 || is_secret(de) {
            return write!(f, "[{}]", value.len());
        }
        if value.iter().all(|b| (0x20..=0x7e).contains(b)) {
            return write!(f, "{}", value.escape_ascii());
        }
        value.iter().try_for_each(|b| write!(f, "{b:02X}"))
    }
}
