//! DE32 as digits, without an allocation.

use scheme::{ParticipantId, digits};

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
    fn an_institution_has_the_digits_of_its_display() {
        for code in [1, 100_001, 99_999_999_999] {
            let bank = ParticipantId::new(code).unwrap();
            assert_eq!(Institution::of(bank).text(), bank.to_string().as_bytes());
        }
    }
}
