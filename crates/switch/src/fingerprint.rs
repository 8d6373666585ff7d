//! The hash of a set of things, kept up to date as members come, change and go.

use core::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

const SEED: FixedState = FixedState::with_seed(0x424f_4e47_5355_0001);
/// Spreads 64 bits over 128, so that a sum of many does not wrap into their lowest ones.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A sum of hashes: equal sets have equal fingerprints in whatever order they were built.
/// It compares a live machine with its replay; it is no defence against a forger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of a set of one.
    pub fn of(member: &impl Hash) -> Self {
        Mark::of(member).fingerprint()
    }

    /// A member came.
    pub fn add(&mut self, member: &impl Hash) {
        *self = self.and(Self::of(member));
    }

    /// A member went.
    pub fn remove(&mut self, member: &impl Hash) {
        *self = self.without(Self::of(member));
    }

    /// The union of two sets.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The set without that part of it.
    pub fn without(self, part: Self) -> Self {
        Self(self.0.wrapping_sub(part.0))
    }
}

/// The fingerprint of a set of one in half the room: what is kept beside each of millions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark(u64);

impl Mark {
    /// The mark of a member.
    pub(crate) fn of(member: &impl Hash) -> Self {
        Self(SEED.hash_one(member))
    }

    /// The fingerprint of the set of it alone.
    pub(crate) fn fingerprint(self) -> Fingerprint {
        Fingerprint(u128::from(self.0).wrapping_mul(SPREAD))
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
