//! Which bytes an element may hold, in canonical form.

use super::ElementType;

/// Where the first byte stands that a value of this type may not hold.
pub(super) fn first_wrong(kind: ElementType, value: &[u8]) -> Option<usize> {
    match kind {
        ElementType::N => find(value, are_digits),
        ElementType::Xn => match value {
            [] => Some(0),
            [sign, digits @ ..] if is_sign(*sign) => find(digits, are_digits).map(|at| at + 1),
            [..] => Some(0),
        },
        ElementType::An | ElementType::Ans => find(value, are_printable),
        ElementType::Z => find(value, are_track),
        ElementType::B => None,
    }
}

/// Where the first byte stands that is no hexadecimal digit, of either case.
pub(super) fn first_not_hex(digits: &[u8]) -> Option<usize> {
    find(digits, are_hex)
}

/// The value of a hexadecimal digit; of anything else, something below 16.
pub(super) const fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10) & 0x0f,
    }
}

/// Eight bytes that are each looked at as a number of their own.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each.
const HIGH: u64 = 0x80 * LOW;

/// Values are short and almost always right: eight bytes at a time, and the first wrong one is
/// searched only when there is one. No content has `0` among its wrong bytes.
#[inline]
fn find(value: &[u8], are_right: impl Fn(u64) -> bool) -> Option<usize> {
    let eight = |eight: &[u8; 8]| u64::from_le_bytes(*eight);
    let four = |four: &[u8; 4]| u64::from(u32::from_le_bytes(*four));
    // The last eight, or four, once more, so that no rest is left.
    let right = if let Some(last) = value.last_chunk::<8>() {
        let (eights, _) = value.as_chunks::<8>();
        are_right(eight(last)) & eights.iter().all(|next| are_right(eight(next)))
    } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
        are_right(four(first) | four(last) << 32)
    } else {
        let zeros = 0x30 * LOW;
        are_right(value.iter().fold(zeros, |all, byte| all << 8 | u64::from(*byte)))
    };
    if right { None } else { first(value, are_right) }
}

#[cold]
fn first(value: &[u8], are_right: impl Fn(u64) -> bool) -> Option<usize> {
    let zeros = 0x30 * LOW;
    value.iter().position(|byte| !are_right(zeros << 8 | u64::from(*byte)))
}

/// 0x30 to 0x39: less 0x30 (which changes no other byte, for it is an exclusive or) at most 9.
fn are_digits(eight: u64) -> bool {
    let value = eight ^ (0x30 * LOW);
    (value | value.wrapping_add(0x76 * LOW)) & HIGH == 0
}

/// 0x20 to 0x7e. Sums stay within their byte where no byte has its highest bit.
fn are_printable(eight: u64) -> bool {
    let above = eight | eight.wrapping_add(LOW);
    let from_space = eight.wrapping_add(0x60 * LOW);
    above & HIGH == 0 && from_space & HIGH == HIGH
}

/// The track 2 and 3 set of ISO/IEC 7811 (column 3 of ASCII: digits `:;<=>?`) and D, which many
/// terminals write for the separator.
fn are_track(eight: u64) -> bool {
    let column = eight ^ (0x30 * LOW);
    let other = eight ^ (u64::from(b'D') * LOW);
    // The highest bit of a byte says that it is not of that kind.
    let not_column = column | column.wrapping_add(0x70 * LOW);
    let not_other = other | (other & !HIGH).wrapping_add(0x7f * LOW);
    let ascii = eight & HIGH == 0;
    ascii && not_column & not_other & HIGH == 0
}

fn are_hex(eight: u64) -> bool {
    eight.to_le_bytes().iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

/// Credit or debit.
fn is_sign(byte: u8) -> bool {
    matches!(byte, b'C' | b'D')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same byte by byte, for every byte in every place of every length.
    fn check(kind: ElementType, right: u8, is_right: fn(u8) -> bool) {
        for length in 1..=40 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut value = vec![right; length];
                    value[place] = byte;
                    let expected = (!is_right(byte)).then_some(place);
                    assert_eq!(first_wrong(kind, &value), expected, "{length} {place} {byte}");
                }
            }
        }
        assert_eq!(first_wrong(kind, &[]), None);
    }

    #[test]
    fn eight_at_a_time_is_as_one_by_one() {
        check(ElementType::N, b'7', |byte| byte.is_ascii_digit());
        check(ElementType::Ans, b'~', |byte| (0x20..0x7f).contains(&byte));
        check(ElementType::Z, b'=', |byte| (0x30..0x40).contains(&byte) || byte == b'D');
    }

    #[test]
    fn two_wrong_bytes_do_not_hide_each_other() {
        for first in 0..=255 {
            for second in 0..=255 {
                let value = [b'0', first, second, b'0', b'0', b'0', b'0', b'0', b'0'];
                let wrong = value.iter().position(|byte| !byte.is_ascii_digit());
                assert_eq!(first_wrong(ElementType::N, &value), wrong, "{first} {second}");
                let wrong = value.iter().position(|byte| !(0x20..0x7f).contains(byte));
                assert_eq!(first_wrong(ElementType::An, &value), wrong, "{first} {second}");
            }
        }
    }
}
