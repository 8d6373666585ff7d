//! Numbers as digits, without an allocation: every payment writes a dozen of them.

use scheme::ParticipantId;

/// The last `N` decimal digits, with leading zeros.
pub(crate) fn digits<const N: usize>(number: u64) -> [u8; N] {
    let mut text = [b'0'; N];
    let mut rest = number;
    for place in text.iter_mut().rev() {
        // A remainder of ten fits a byte.
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

/// DE32, n..11: an institution's digits without leading zeros.
pub(crate) struct Institution([u8; 11]);

impl Institution {
    pub(crate) fn of(participant: ParticipantId) -> Self {
        Self(digits(participant.get()))
    }

    pub(crate) fn text(&self) -> &[u8] {
        let first = self.0.iter().position(|digit| *digit != b'0').unwrap_or(10);
        &self.0[first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_display() {
        for number in [0, 7, 1250, 999_999_999_999] {
            assert_eq!(digits::<12>(number), format!("{number:012}").as_bytes());
        }
        for code in [1, 100_001, 99_999_999_999] {
            let bank = ParticipantId::new(code).unwrap();
            assert_eq!(Institution::of(bank).text(), bank.to_string().as_bytes());
        }
    }
}
