//! Inputs out of a corpus: changed a little, cut, spliced, or nothing but chance. Deterministic.

/// Longest input that is made, bytes.
const INPUT_MAX: usize = 4096;

/// Values that sit at the edges of what is read: lengths, digits, bitmaps.
const EDGES: [u8; 12] = [0, 1, b'0', b'9', b'F', b'f', b'A', b' ', b'=', 0x7f, 0x80, 0xff];

pub(super) struct Mutator<'s> {
    seeds: &'s [Vec<u8>],
    state: u64,
    input: Vec<u8>,
}

impl<'s> Mutator<'s> {
    pub(super) fn new(seeds: &'s [Vec<u8>], seed: u64) -> Self {
        Self { seeds, state: seed, input: Vec::with_capacity(INPUT_MAX) }
    }

    /// The next input.
    pub(super) fn next(&mut self) -> &[u8] {
        self.input.clear();
        if self.below(16) == 0 {
            let length = self.below(300);
            for _ in 0..length {
                let byte = self.byte();
                self.input.push(byte);
            }
        } else {
            let seed = self.below(self.seeds.len());
            self.input.extend_from_slice(&self.seeds[seed]);
            // Often one change only: most of them then go deep.
            for _ in 0..1 + self.below(2) * self.below(4) {
                self.mutate();
            }
        }
        self.input.truncate(INPUT_MAX);
        &self.input
    }

    fn mutate(&mut self) {
        let length = self.input.len();
        if length == 0 {
            let byte = self.byte();
            return self.input.push(byte);
        }
        let at = self.below(length);
        let other = self.below(length);
        match self.below(12) {
            0 => self.input[at] ^= 1 << self.below(8),
            1 => self.input[at] = EDGES[self.below(EDGES.len())],
            // A digit for a digit: the frame stays whole and says something else.
            2 | 8..=11 if self.input[at].is_ascii_digit() => {
                self.input[at] = b'0' + (self.byte() % 10);
            }
            2 | 8..=11 => self.input[at] = self.byte(),
            3 => self.input.truncate(at),
            4 => self.input.swap(at, other),
            5 => {
                let byte = self.byte();
                self.input.insert(at, byte);
            }
            6 => {
                let end = (at + 1 + self.below(8)).min(length);
                self.input.drain(at..end);
            }
            _ => {
                // The tail of another one.
                let donor = &self.seeds[self.below(self.seeds.len())];
                let from = self.below(donor.len() + 1);
                self.input.truncate(at);
                self.input.extend_from_slice(&donor[from..]);
            }
        }
    }

    fn byte(&mut self) -> u8 {
        self.random().to_le_bytes()[0]
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.random() % bound).unwrap_or(0)
    }

    /// splitmix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
