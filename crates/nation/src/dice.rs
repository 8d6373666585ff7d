//! Chance from a seed: the same seed, the same choices, on every machine.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A seeded source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Pcg64);

impl Dice {
    /// `purpose` separates sources of one seed, so that one more throw here moves nothing there.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut mixed = seed ^ 0x9E37_79B9_7F4A_7C15;
        for byte in purpose.bytes() {
            mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        }
        Self(Pcg64::seed_from_u64(mixed))
    }

    /// From `low` to `high`, both included; `low` when they are the wrong way round.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low);
        let pick = self.0.next_u64();
        // The bias of a remainder is below 2^-24 for the spans that are drawn here.
        low + span.checked_add(1).map_or(pick, |n| pick % n)
    }

    /// As `between`, for both signs.
    pub(crate) fn signed(&mut self, reach: u64) -> i64 {
        let pick = i64::try_from(self.between(0, 2 * reach)).unwrap_or(0);
        pick - i64::try_from(reach).unwrap_or(0)
    }

    /// Below `bound`; 0 when there is nothing below it.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let last = (bound as u64).saturating_sub(1);
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// Whether a thing that happens this often out of 1000 times happens now.
    pub(crate) fn per_mille(&mut self, chance: u16) -> bool {
        chance > 0 && self.between(0, 999) < u64::from(chance)
    }

    /// One of a list.
    pub(crate) fn one_of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(self.below(list.len())).copied()
    }
}
