//! What the hub knows, without reading, of payments that history holds: a filter of trace numbers,
//! in generations of which each knows the latest times of its messages. It is in no record and no
//! state hash; a start fills it from the indexes.
//!
//! It never says no of a payment that is there. Of one that is not each generation says maybe a few
//! times in a thousand, and that costs a look-up.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use crate::history::{Indexed, Latest};
use crate::limits::{GONE_GENERATIONS, GONE_KEYS_OF_GENERATION};

/// Words of a block: one line of a cache.
const BLOCK: usize = 8;
/// Bits that a key sets in its block.
const PROBES: u32 = 7;
/// Keys of a generation; few where it is tested how one follows the other.
const KEYS: usize = if cfg!(test) { 8_192 } else { GONE_KEYS_OF_GENERATION };
/// Bits a key: with twelve one purchase in fifty of a busy hub was looked up for nothing.
const BITS: u64 = 16;
/// Blocks of a generation.
const BLOCKS: u64 = (KEYS as u64) * BITS / 512;

#[derive(Clone, Debug)]
struct Generation {
    words: Vec<u64>,
    keys: usize,
    latest: Latest,
}

/// From so many keys on they are put in the order of their blocks first: the whole filter is far
/// from the processor, a part of it is near.
const MANY: usize = if cfg!(test) { 1 << 11 } else { 1 << 14 };

/// The filter.
#[derive(Clone, Debug, Default)]
pub struct Gone {
    /// The newest first.
    generations: VecDeque<Generation>,
    /// The latest times of what is in no generation; none when all are.
    rest: Option<Latest>,
    /// Whether there is more that may be of any time, until [`Gone::is_whole`].
    unknown: bool,
    /// Whether it was said that all there is has been taken in.
    told: bool,
}

impl Gone {
    /// There may be anything.
    pub(super) fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    /// Whether no payment is in history.
    pub(super) fn is_empty(&self) -> bool {
        self.generations.is_empty() && self.rest.is_none() && !self.unknown
    }

    /// Whether anything was said of what there is.
    pub(super) fn is_told(&self) -> bool {
        self.told || !self.is_empty()
    }

    /// There may be more than what was taken in, of any time, until it is told.
    pub fn is_not_whole(&mut self) {
        self.unknown = true;
    }

    /// All there is has been taken in, or is in the rest.
    pub fn is_whole(&mut self) {
        (self.unknown, self.told) = (false, true);
    }

    /// There may be more than what was taken in, no later than this.
    pub fn and_rest(&mut self, rest: Latest) {
        self.rest = Some(self.rest.unwrap_or_default().and(rest));
    }

    /// Takes in what was indexed, after what is older.
    pub fn add(&mut self, indexed: &Indexed) {
        let Indexed { latest, keys, .. } = indexed;
        for keys in keys.chunks(KEYS) {
            let room = |generation: &Generation| generation.keys.saturating_add(keys.len()) <= KEYS;
            if !self.generations.front().is_some_and(room) {
                self.begin();
            }
            let Some(generation) = self.generations.front_mut() else { return };
            generation.keys = generation.keys.saturating_add(keys.len());
            generation.latest = generation.latest.and(*latest);
            if keys.len() < MANY {
                keys.iter().for_each(|key| generation.set(*key));
            } else {
                by_blocks(keys).into_iter().for_each(|key| generation.set(key));
            }
        }
    }

    fn begin(&mut self) {
        if self.generations.len() >= GONE_GENERATIONS
            && let Some(oldest) = self.generations.pop_back()
        {
            self.and_rest(oldest.latest);
        }
        let words = usize::try_from(BLOCKS).unwrap_or(0).saturating_mul(BLOCK);
        let latest = Latest::default();
        self.generations.push_front(Generation { words: vec![0; words], keys: 0, latest });
    }

    /// Whether a key may be in history, among payments whose times may be `of_interest`.
    pub fn may_hold(&self, key: u64, of_interest: impl Fn(&Latest) -> bool) -> bool {
        let (block, bits) = place_of(key);
        let held = self.generations.iter().filter(|one| of_interest(&one.latest)).any(|one| {
            let words = &one.words[block..block.saturating_add(BLOCK)];
            bits.iter().all(|bit| words[usize::from(bit / 64)] & (1 << (bit % 64)) != 0)
        });
        held || self.unknown || self.rest.as_ref().is_some_and(of_interest)
    }
}

impl Generation {
    fn set(&mut self, key: u64) {
        let (block, bits) = place_of(key);
        let words = &mut self.words[block..block.saturating_add(BLOCK)];
        for bit in bits {
            words[usize::from(bit / 64)] |= 1 << (bit % 64);
        }
    }
}

/// The same keys, those of near blocks together.
fn by_blocks(keys: &[u64]) -> Vec<u64> {
    // The block is chosen by the highest bits.
    let part = |key: &u64| key.to_be_bytes()[0];
    let mut next = [0usize; 256];
    for key in keys {
        let next = &mut next[usize::from(part(key))];
        *next = next.saturating_add(1);
    }
    let mut before = 0usize;
    for next in &mut next {
        let here = core::mem::replace(next, before);
        before = before.saturating_add(here);
    }
    let mut sorted = vec![0; keys.len()];
    for key in keys {
        let next = &mut next[usize::from(part(key))];
        sorted[*next] = *key;
        *next = next.saturating_add(1);
    }
    sorted
}

/// Where a key's bits are: the first word of its block, and the bits in it.
fn place_of(key: u64) -> (usize, [u16; PROBES as usize]) {
    let block = u128::from(key).saturating_mul(u128::from(BLOCKS)) >> 64;
    let block = usize::try_from(block).unwrap_or(0).saturating_mul(BLOCK);
    // The block was chosen by the highest bits; these come from all of them.
    let mixed = key.wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mut bits = [0; PROBES as usize];
    for (n, bit) in (0..PROBES).zip(&mut bits) {
        let nine = mixed.rotate_left(n.wrapping_mul(9)) & 511;
        *bit = u16::try_from(nine).unwrap_or(0);
    }
    (block, bits)
}

#[cfg(test)]
mod tests {
    use scheme::key_hash;

    use super::*;

    fn indexed(keys: core::ops::Range<u64>, at: u64) -> Indexed {
        let latest = Latest { received: at, local: at };
        let keys = keys.map(|n| key_hash(9, &[n])).collect();
        Indexed { record: 0, latest, keys, whole: false }
    }

    #[test]
    fn r_match_what_is_there_is_never_denied_and_little_else_is_looked_for() {
        let mut gone = Gone::default();
        assert!(gone.is_empty());
        let of = KEYS as u64;
        let parts = (GONE_GENERATIONS as u64).saturating_add(2).saturating_mul(4);
        for part in 0..parts {
            gone.add(&indexed(part * of / 4..(part + 1) * of / 4, part));
        }
        let has = |n: u64, from: u64| gone.may_hold(key_hash(9, &[n]), |at| at.received >= from);
        let kept = parts * of / 4;
        // Two generations were given up: of those only the times are known.
        let first = 2 * of;
        assert!((first..kept).step_by(7).all(|n| has(n, 8)));
        assert!(has(3, 7), "not denied, though its generation is gone");
        assert!(!gone.may_hold(key_hash(9, &[kept]), |at| at.received > parts));
        let falsely = (kept..kept + 20_000).filter(|n| has(*n, 8)).count();
        assert!(falsely < 20_000 * 15 / 1000, "{falsely} of 20,000 that are not there");
    }
}
