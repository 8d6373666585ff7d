//! A hash map that never pauses: many small maps, each of which grows on its own, so that the
//! longest pause is that of one part and not of the whole (a map of two million entries takes 100
//! ms to double). The order of iteration is that of the parts: fixed by the hash, never random.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::limits::SPREAD_PARTS;

/// A map in parts.
#[derive(Clone, Debug)]
pub struct SpreadMap<K, V> {
    parts: Vec<HashMap<K, V, FixedState>>,
    len: usize,
}

impl<K, V> Default for SpreadMap<K, V> {
    fn default() -> Self {
        let mut parts = Vec::with_capacity(SPREAD_PARTS);
        parts.resize_with(SPREAD_PARTS, HashMap::default);
        Self { parts, len: 0 }
    }
}

impl<K: Hash + Eq, V> SpreadMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.parts[part_of_key(key)].get(key)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.parts[part_of_key(key)].get_mut(key)
    }

    /// Puts a value and gives back the one that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let replaced = self.parts[part_of_key(&key)].insert(key, value);
        self.len = self.len.saturating_add(usize::from(replaced.is_none()));
        replaced
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.parts[part_of_key(key)].remove(key);
        self.len = self.len.saturating_sub(usize::from(removed.is_some()));
        removed
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn part_of_key<K: Hash>(key: &K) -> usize {
    part_of(FixedState::default().hash_one(key))
}

/// The part that a hash belongs to. A map finds its place by the lowest bits of a hash and tags it
/// with the highest: the part comes from those between.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is below SPREAD_PARTS")]
pub(crate) fn part_of(hash: u64) -> usize {
    ((hash >> 40) % SPREAD_PARTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map() {
        let mut map = SpreadMap::default();
        for key in 0..10_000u64 {
            assert_eq!(map.insert(key, key + 1), None);
        }
        assert_eq!(map.insert(7, 70), Some(8));
        assert_eq!(map.len(), 10_000);
        for key in (0..10_000).step_by(2) {
            assert_eq!(map.remove(&key), Some(key + 1));
        }
        assert_eq!((map.remove(&0), map.len(), map.is_empty()), (None, 5_000, false));
        *map.get_mut(&9).unwrap() = 90;
        let kept: Vec<_> = (0..12).filter_map(|key| map.get(&key).copied()).collect();
        assert_eq!(kept, [2, 4, 6, 70, 90, 12]);
    }

    /// No part holds much more than its share, or the pause would be as long as of one map.
    #[test]
    fn keys_spread_evenly() {
        let mut map = SpreadMap::default();
        for key in 0..256_000u128 {
            map.insert(key << 40, ());
        }
        let largest = map.parts.iter().map(HashMap::len).max().unwrap();
        assert!(largest < 1_300, "{largest} of 256,000 in one of 256 parts");
    }
}
