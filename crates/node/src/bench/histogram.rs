//! Times in buckets that are at most 1/128 of their value wide.

/// Buckets of one power of two, as a power of two.
const FINE: u32 = 7;
/// Enough for 2^64 ns.
const BUCKETS: usize = ((64 - FINE as usize) + 1) << FINE;

/// How often each time was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one time, ns.
    pub fn add(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest, ns.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The time, ns, that this many of a thousand do not exceed; the bucket's upper end, so never
    /// better than what was seen. 0 of nothing.
    pub fn per_mille(&self, part: u64) -> u64 {
        let wanted = (self.total * part).div_ceil(1000).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(place).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(ns: u64) -> usize {
    let shift = (u64::BITS - FINE - 1).saturating_sub(ns.leading_zeros());
    ((shift as usize) << FINE) + (ns >> shift) as usize
}

/// The longest time of a bucket.
fn upper(place: usize) -> u64 {
    let shift = (place >> FINE).saturating_sub(1) as u32;
    let first = (place - ((shift as usize) << FINE)) as u64;
    (u128::from(first + 1) << shift).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_its_bucket_and_buckets_are_narrow() {
        let mut times: Vec<u64> = (0..5000).collect();
        times.extend((0..64).flat_map(|n| [1u64 << n, (1 << n) + 1, (1u64 << n) - 1]));
        times.push(u64::MAX);
        for ns in times {
            let (place, end) = (bucket(ns), upper(bucket(ns)));
            assert!(end >= ns && end - ns <= ns / 128, "{ns}: {place} ends at {end}");
            assert!(place == 0 || upper(place - 1) < ns, "{ns}");
        }
    }

    #[test]
    fn percentiles_of_a_thousand_known_times() {
        let mut seen = Histogram::default();
        assert_eq!((seen.per_mille(500), seen.max()), (0, 0));
        (1..=1000).rev().for_each(|us| seen.add(us * 1000));
        for (part, us) in [(1, 1), (500, 500), (990, 990), (999, 999), (1000, 1000)] {
            let found = seen.per_mille(part);
            assert!((us * 1000..=us * 1008).contains(&found), "{part}: {found}");
        }
        assert_eq!((seen.total(), seen.max()), (1000, 1_000_000));
    }
}
