//! Hashes of keys that stand on disks (`docs/formats/index.md`): the same on every machine and for
//! ever.

/// The hash of a key: of its kind and its words. Each word is mixed in by a multiplication, as is
/// the end. It spreads; it does not resist somebody who looks for two keys of one hash.
pub fn key_hash(kind: u8, words: &[u64]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 32)
    };
    let hash = words.iter().fold(mix(MULTIPLIER, u64::from(kind)), |hash, word| mix(hash, *word));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values, computed by another program (Python).
    #[test]
    fn keys_are_the_same_for_ever() {
        assert_eq!(key_hash(1, &[]), 0xae00_5a7f_4119_3ff1);
        assert_eq!(key_hash(1, &[2, 3]), 0xb14d_d0e3_d7a3_1fef);
        assert_ne!(key_hash(1, &[2, 3]), key_hash(1, &[3, 2]));
        assert_ne!(key_hash(1, &[2]), key_hash(2, &[2]));
    }
}
