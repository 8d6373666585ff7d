//! The numbers of the window's rows. They go round: those in use are far fewer.

pub(super) const NUMBERS: u32 = 1 << 31;

/// The numbers in use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) len: u32,
}

impl Span {
    /// How far behind the first a number in use is.
    pub(super) fn place(self, number: u32) -> Option<u32> {
        let place = number.wrapping_sub(self.first) % NUMBERS;
        (number < NUMBERS && place < self.len).then_some(place)
    }

    /// Whether a number is in use.
    pub(super) fn has(self, number: u32) -> bool {
        self.place(number).is_some()
    }

    /// The number of a place.
    pub(super) fn number(self, place: u32) -> u32 {
        self.first.wrapping_add(place) % NUMBERS
    }

    /// One more behind all others: its number.
    pub(super) fn push(&mut self) -> u32 {
        let number = self.number(self.len);
        self.len = self.len.saturating_add(1);
        assert!(self.len < NUMBERS, "memory ends before the numbers do");
        number
    }

    /// The first is over.
    pub(super) fn pop(&mut self) {
        *self = Self { first: self.number(1), len: self.len.saturating_sub(1) };
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn numbers_go_round() {
        let mut span = Span { first: NUMBERS - 2, len: 299 };
        assert_eq!(span.push(), 297);
        let numbers: Vec<u32> = (0..300).map(|place| span.number(place)).collect();
        assert_eq!(numbers[..4], [NUMBERS - 2, NUMBERS - 1, 0, 1]);
        for (place, number) in (0..).zip(&numbers) {
            assert_eq!(span.place(*number), Some(place));
        }
        for nobody in [298, NUMBERS - 3, NUMBERS, u32::MAX] {
            assert!(!span.has(nobody));
        }
        (0..3).for_each(|_| span.pop());
        assert_eq!((span.place(1), span.place(0), span.place(297)), (Some(0), None, Some(296)));
    }
}
