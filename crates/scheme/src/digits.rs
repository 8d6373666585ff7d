//! Numbers as decimal digits and back, without an allocation: a payment has dozens of them.

/// The last `N` decimal digits, with leading zeros.
#[expect(clippy::arithmetic_side_effects, reason = "remainders below 100 and 10")]
pub fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut text = [b'0'; N];
    let mut rest = number;
    let (first, pairs) = text.as_rchunks_mut::<2>();
    for pair in pairs.iter_mut().rev() {
        let two = (rest % 100) as u8;
        *pair = [b'0' + two / 10, b'0' + two % 10];
        rest /= 100;
    }
    if let [first] = first {
        *first = b'0' + (rest % 10) as u8;
    }
    text
}

/// The number that decimal digits say; `None` without any, with anything else among them, or above
/// what 64 bits hold.
#[expect(clippy::arithmetic_side_effects, reason = "eighteen digits fit 64 bits")]
pub fn number(text: &[u8]) -> Option<u64> {
    let mut number = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = if text.len() <= 18 {
            number * 10 + u64::from(digit)
        } else {
            u64::checked_add(u64::checked_mul(number, 10)?, digit.into())?
        };
    }
    (!text.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn digits_are_those_of_display() {
        for number in [0, 7, 10, 99, 100, 1250, 999_999_999_999] {
            assert_eq!(digits::<12>(number), format!("{number:012}").as_bytes());
            assert_eq!(digits::<13>(number), format!("{number:013}").as_bytes());
        }
        assert_eq!(digits::<3>(1_234_567), *b"567");
        assert_eq!(digits::<2>(1_234_567), *b"67");
    }

    #[test]
    fn a_number_is_what_the_standard_library_reads_of_digits_alone() {
        let texts = [
            "",
            "0",
            "007",
            "18446744073709551615",
            "18446744073709551616",
            "+1",
            "1 ",
            "000000000000000000000000000001",
            "99999999999999999999",
            "12/3",
            "12:3",
            "a",
        ];
        for text in texts {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let expected = text.parse().ok().filter(|_| plain);
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }
}
