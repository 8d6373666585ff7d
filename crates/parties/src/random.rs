//! Chance from a seed: the same seed, the same choices, on every machine.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A seeded source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Pcg64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included; `low` when they are the wrong way round.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low);
        // The bias of a remainder is below 2^-32 for the spans that parties use.
        let pick = self.0.next_u64();
        low + span.checked_add(1).map_or(pick, |n| pick % n)
    }

    /// Whether a thing that happens this often out of 1000 times happens now.
    pub(crate) fn per_mille(&mut self, chance: u16) -> bool {
        chance > 0 && self.between(0, 999) < u64::from(chance)
    }

    /// One of a list that is not empty.
    pub(crate) fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let last = list.len().checked_sub(1)?;
        list.get(usize::try_from(self.between(0, last as u64)).unwrap_or(0))
    }
}
