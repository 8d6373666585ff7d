//! The hash of a set of things, kept up to date as members come, change and go.

use core::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

const LOW: FixedState = FixedState::with_seed(0x424f_4e47_5355_0001);
const HIGH: FixedState = FixedState::with_seed(0x424f_4e47_5355_0002);

/// A sum of 128-bit hashes: equal sets have equal fingerprints in whatever order they were built.
/// It compares a live machine with its replay; it is no defence against a forger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    fn of(member: &impl Hash) -> u128 {
        (u128::from(HIGH.hash_one(member)) << 64) | u128::from(LOW.hash_one(member))
    }

    /// A member came.
    pub fn add(&mut self, member: &impl Hash) {
        self.0 = self.0.wrapping_add(Self::of(member));
    }

    /// A member went.
    pub fn remove(&mut self, member: &impl Hash) {
        self.0 = self.0.wrapping_sub(Self::of(member));
    }

    /// The union of two sets.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

/// A value whose every change is reflected in a fingerprint.
#[derive(Clone, Debug, Default)]
pub struct Fingerprinted<T> {
    value: T,
}

impl<T: Hash> Fingerprinted<T> {
    /// Wraps a value; its hash is computed when asked for.
    pub fn new(value: T) -> Self {
        Self { value }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Its fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut one = Fingerprint::default();
        one.add(&self.value);
        one
    }
}
