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

/// What may stand in an element, of those that are looked at together: side by side, elements of
/// one kind and the lengths between them are one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits.
    Digits,
    /// Printable ASCII.
    Printable,
    /// Track characters.
    Track,
    /// Any byte.
    Any,
    /// What is looked at by itself.
    Apart,
}

/// Whether every byte of a stretch may stand there; of [`Form::Apart`] nothing is looked at.
pub(super) fn is_right(form: Form, stretch: &[u8]) -> bool {
    match form {
        Form::Digits if stretch.len() < WIDE => find(stretch, are_digits).is_none(),
        Form::Digits => are_all(stretch, |byte| byte.wrapping_sub(b'0') < 10),
        Form::Printable if stretch.len() < WIDE => find(stretch, are_printable).is_none(),
        Form::Printable => are_all(stretch, |byte| byte.wrapping_sub(b' ') < 0x5f),
        Form::Track if stretch.len() < WIDE => find(stretch, are_track).is_none(),
        Form::Track => are_all(stretch, |byte| byte & 0xf0 == 0x30 || byte == b'D'),
        Form::Any | Form::Apart => true,
    }
}

/// Bytes that are looked at together in a long stretch.
const WIDE: usize = 16;

/// Written so that the compiler looks at sixteen bytes at a time; there must be as many.
#[inline]
fn are_all(stretch: &[u8], is_right: impl Fn(u8) -> bool) -> bool {
    let (wides, _) = stretch.as_chunks::<WIDE>();
    let mut wrong = [0; WIDE];
    // The last ones once more, so that no rest is left.
    for wide in wides.iter().chain(stretch.last_chunk()) {
        for (wrong, byte) in wrong.iter_mut().zip(wide) {
            *wrong |= u8::from(!is_right(*byte));
        }
    }
    wrong == [0; WIDE]
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

/// Digits, and A to F in either case.
fn are_hex(eight: u64) -> bool {
    let digit = eight ^ (0x30 * LOW);
    let letter = (eight | (0x20 * LOW)) ^ (0x60 * LOW);
    let (low_digit, low_letter) = (digit & !HIGH, letter & !HIGH);
    // The highest bit of a byte says that it is not of that kind.
    let not_digit = digit | low_digit.wrapping_add(0x76 * LOW);
    let letter_at_least_1 = low_letter.wrapping_add(0x7f * LOW);
    let not_letter = letter | !letter_at_least_1 | low_letter.wrapping_add(0x79 * LOW);
    not_digit & not_letter & HIGH == 0
}

/// The bits that sixteen hexadecimal digits say, which must be such.
pub(super) fn bits_of_hex(digits: &[u8; 16]) -> u64 {
    let (eights, _) = digits.as_chunks::<8>();
    eights.iter().fold(0, |bits, eight| {
        let eight = u64::from_be_bytes(*eight);
        let letters = eight >> 6 & LOW;
        let digits = (eight & (0x0f * LOW)) + 9 * letters;
        let pairs = (digits >> 4 | digits) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs >> 8 | pairs) & 0x0000_ffff_0000_ffff;
        bits << 32 | (fours >> 16 | fours) & 0xffff_ffff
    })
}

/// Sixteen hexadecimal digits in upper case.
pub(super) fn hex_of_bits(bits: u64) -> [u8; 16] {
    let halves = [bits >> 32, bits & 0xffff_ffff].map(|half| {
        let fours = (half << 16 | half) & 0x0000_ffff_0000_ffff;
        let pairs = (fours << 8 | fours) & 0x00ff_00ff_00ff_00ff;
        let digits = (pairs << 4 | pairs) & (0x0f * LOW);
        let letters = (digits + 0x06 * LOW) >> 4 & LOW;
        (digits + 0x30 * LOW + letters * 7).to_be_bytes()
    });
    let mut text = [0; 16];
    text.copy_from_slice(halves.as_flattened());
    text
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
    fn hexadecimal_is_read_and_written_as_the_standard_library_does() {
        for at in 0..16 {
            for byte in 0..=255 {
                let mut digits = *b"0123456789aBcDeF";
                digits[at] = byte;
                let wrong = (!byte.is_ascii_hexdigit()).then_some(at);
                assert_eq!(first_not_hex(&digits), wrong, "{at} {byte}");
                if wrong.is_none() {
                    let text = std::str::from_utf8(&digits).unwrap();
                    let bits = u64::from_str_radix(text, 16).unwrap();
                    assert_eq!(bits_of_hex(&digits), bits, "{text}");
                    assert_eq!(hex_of_bits(bits), *format!("{bits:016X}").as_bytes());
                }
            }
        }
    }

    /// Every byte in every place of stretches as long as one, two and three looks and some more.
    #[test]
    fn a_stretch_is_right_when_each_of_its_bytes_is() {
        let forms = [
            (Form::Digits, ElementType::N, b'7'),
            (Form::Printable, ElementType::Ans, b'~'),
            (Form::Track, ElementType::Z, b'='),
            (Form::Any, ElementType::B, 0xff),
        ];
        for (form, kind, right) in forms {
            for length in [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33] {
                assert!(is_right(form, &vec![right; length]), "{form:?} {length}");
                for place in 0..length {
                    for byte in 0..=255 {
                        let mut stretch = vec![right; length];
                        stretch[place] = byte;
                        let expected = first_wrong(kind, &stretch).is_none();
                        assert_eq!(is_right(form, &stretch), expected, "{form:?} {length} {byte}");
                    }
                }
            }
        }
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
