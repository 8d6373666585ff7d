//! A 128-bit key and the number that names it.

use core::fmt;

use zeroize::Zeroizing;

/// The number of a key; sealed data carries it, so that an older key can be found again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(pub u16);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A clear AES-128 key. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key128(Zeroizing<[u8; 16]>);

impl Key128 {
    /// A new key of 16 bytes that the caller took from the operating system's random source.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// The clear bytes, for this crate's ciphers and key files alone.
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Key128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key128")
    }
}
