//! Sets of data elements, asked for every element of every message.

/// A set of data elements from 1 to 128: one bit for each, the lowest for DE1.
pub(crate) struct Elements([u64; 2]);

impl Elements {
    /// These elements. What is none makes a constant of it that does not compile.
    pub(crate) const fn of(elements: &[u8]) -> Self {
        let mut bits = [0; 2];
        let mut at = 0;
        while at < elements.len() {
            let (word, bit) = place(elements[at]);
            bits[word] |= bit;
            at += 1;
        }
        Self(bits)
    }

    /// Whether it is among them.
    pub(crate) const fn has(&self, de: u8) -> bool {
        let (word, bit) = place(de);
        word < self.0.len() && self.0[word] & bit != 0
    }
}

const fn place(de: u8) -> (usize, u64) {
    let place = de.wrapping_sub(1);
    ((place >> 6) as usize, 1 << (place & 63))
}
