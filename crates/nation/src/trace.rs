//! The hash of a whole run: everything that every machine was told and answered, in order.

/// Two runs of one seed must end with the same value. No cryptography: nobody attacks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trace {
    a: u64,
    b: u64,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { a: 0x243F_6A88_85A3_08D3, b: 0x1319_8A2E_0370_7344 }
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.a = (self.a ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        self.b =
            (self.b.rotate_left(23) ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ (self.a >> 32);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    pub(crate) fn wide(&mut self, word: u128) {
        self.bytes(&word.to_le_bytes());
    }

    pub(crate) fn value(self) -> u128 {
        (u128::from(self.a) << 64) | u128::from(self.b)
    }
}
