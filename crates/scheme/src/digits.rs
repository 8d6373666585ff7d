//! Numbers as decimal digits and back, without an allocation: a payment has dozens of them.

/// The last `N` decimal digits, with leading zeros.
pub fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut text = [b'0'; N];
    let mut rest = number;
    for part in text.rchunks_mut(8) {
        let eight = eight_digits(rest % 100_000_000);
        part.copy_from_slice(&eight[8_usize.saturating_sub(part.len())..]);
        rest /= 100_000_000;
    }
    text
}

/// The digits of a number below 100,000,000, all at once: its halves, their halves and those of
/// these side by side in one integer, each divided by multiplying with a reciprocal that is exact
/// for as many digits.
#[expect(clippy::arithmetic_side_effects, reason = "every part stays within its bits")]
const fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((pairs - 10 * tens) << 8);
    (ones + 0x3030_3030_3030_3030).to_le_bytes()
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
        // Every four digits, in both halves.
        for four in 0..10_000 {
            let number = four * 10_000 + (9_999 - four);
            assert_eq!(digits::<8>(number), format!("{number:08}").as_bytes());
        }
        assert_eq!(digits::<20>(u64::MAX), *b"18446744073709551615");
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
