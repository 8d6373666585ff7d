//! Sorts a part of the entries: its keys are evenly spread, so that they are first laid into small
//! heaps by their next bits; half as dear as comparing all of them with each other.
//!
//! What bounds it: nothing is assumed of the keys, and where they are not spread one heap is sorted
//! as any other.
use super::build::PARTS;
use alloc::vec::Vec;

/// Heaps of a part: a dozen entries in each, of a segment of 64 MiB.
const HEAPS: usize = 2048;
/// Entries for which heaps pay: some for each.
const FEW: usize = 4 * HEAPS;
/// Bits of a key that choose its part, and below them its heap.
const PART_BITS: u32 = PARTS.ilog2();
const HEAP_BITS: u32 = HEAPS.ilog2();
const _: () = assert!(PARTS.is_power_of_two() && HEAPS.is_power_of_two());

/// The part that a key belongs to.
pub(super) fn part_of(key: u64) -> usize {
    bits(key, 0, PART_BITS)
}

/// Sorts a part, in which each entry stands once. `spare` is memory for it, left empty.
pub(super) fn sort(entries: &mut Vec<(u64, u32)>, spare: &mut Vec<(u64, u32)>) {
    if entries.len() < FEW {
        entries.sort_unstable();
    } else {
        sort_in_heaps(entries, spare);
    }
    // Frames of one key stand once.
    entries.dedup();
}

fn sort_in_heaps(entries: &mut [(u64, u32)], spare: &mut Vec<(u64, u32)>) {
    let heap_of = |key: u64| bits(key, PART_BITS, HEAP_BITS);
    let mut ends = [0usize; HEAPS];
    for (key, _) in entries.iter() {
        let end = &mut ends[heap_of(*key)];
        *end = end.saturating_add(1);
    }
    let mut before = 0usize;
    for end in &mut ends {
        let count = core::mem::replace(end, before);
        before = before.saturating_add(count);
    }
    spare.resize(entries.len(), (0, 0));
    for entry in entries.iter() {
        let end = &mut ends[heap_of(entry.0)];
        spare[*end] = *entry;
        *end = end.saturating_add(1);
    }
    let mut from = 0;
    for to in ends {
        spare[from..to].sort_unstable();
        from = to;
    }
    // Back, and not exchanged: each keeps memory of its own size.
    entries.copy_from_slice(spare);
    spare.clear();
}

/// So many bits of a key, behind the first of it.
fn bits(key: u64, behind: u32, count: u32) -> usize {
    let shifted = (key << behind) >> (u64::BITS.saturating_sub(count));
    usize::try_from(shifted).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the standard library sorts, whatever the keys.
    #[test]
    fn it_sorts_as_any_other() {
        let mut word = 88_172_645_463_325_252u64;
        let mut random = || {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word
        };
        let mut spare = Vec::new();
        let few = [(0, 0), (1, 0), (FEW - 1, u64::MAX), (100, 0xff)];
        let many = [(FEW, u64::MAX), (9_000, u64::MAX), (9_000, 0xff), (9_000, 0xff << 40)];
        for (length, mask) in few.into_iter().chain(many) {
            for part in [0, 17, 63] {
                let low = u64::MAX >> PART_BITS;
                let key = |word: u64| (part << (64 - PART_BITS)) | (word & mask & low);
                let entry = |_| (key(random()), u32::try_from(random() % 5).unwrap());
                let mut entries: Vec<(u64, u32)> = (0..length).map(entry).collect();
                let mut right = entries.clone();
                right.sort_unstable();
                right.dedup();
                assert!(entries.iter().all(|(key, _)| part_of(*key) as u64 == part));
                sort(&mut entries, &mut spare);
                assert!(entries == right, "{length} of {mask:x}");
                assert!(spare.is_empty());
            }
        }
    }
}
