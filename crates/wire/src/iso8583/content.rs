//! Which bytes an element may hold, in canonical form.

use super::ElementType;

/// Where the first byte stands that a value of this type may not hold.
pub(super) fn first_wrong(kind: ElementType, value: &[u8]) -> Option<usize> {
    match kind {
        ElementType::N => find(value, is_digit),
        ElementType::Xn => match value {
            [] => Some(0),
            [sign, digits @ ..] if is_sign(*sign) => find(digits, is_digit).map(|at| at + 1),
            [..] => Some(0),
        },
        ElementType::An | ElementType::Ans => find(value, is_printable),
        ElementType::Z => find(value, is_track),
        ElementType::B => None,
    }
}

/// Where the first byte stands that is no hexadecimal digit, of either case.
pub(super) fn first_not_hex(digits: &[u8]) -> Option<usize> {
    find(digits, |b| b.is_ascii_hexdigit())
}

/// The value of a hexadecimal digit; of anything else, something below 16.
pub(super) const fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10) & 0x0f,
    }
}

/// Values are short and almost always right: eight bytes at a time, and the first wrong one is
/// searched only when there is one.
fn find(value: &[u8], is_right: impl Fn(u8) -> bool) -> Option<usize> {
    let (eights, rest) = value.as_chunks::<8>();
    let right = |eight: &[u8; 8]| eight.iter().fold(true, |all, b| all & is_right(*b));
    if eights.iter().all(right) && rest.iter().all(|b| is_right(*b)) {
        return None;
    }
    value.iter().position(|b| !is_right(*b))
}

fn is_digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10
}

/// Credit or debit.
fn is_sign(byte: u8) -> bool {
    matches!(byte, b'C' | b'D')
}

fn is_printable(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f
}

/// The track 2 and 3 set of ISO/IEC 7811 (columns 3 of ASCII: digits `:;<=>?`) and D, which many
/// terminals write for the separator.
fn is_track(byte: u8) -> bool {
    byte.wrapping_sub(0x30) < 0x10 || byte == b'D'
}
