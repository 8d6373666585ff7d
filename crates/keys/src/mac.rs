//! Message authentication (R-MAC): AES-128-CMAC (NIST SP 800-38B), leftmost 8 bytes, in DE64 or
//! DE128. One key per link and direction.

use core::fmt;

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac as _};

use crate::key::Key128;
use crate::limits::MAC_LEN;

/// The MAC of a message: DE64 or DE128, b 64.
pub type MacCode = [u8; MAC_LEN];

/// One direction's MAC key. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Mac {
    keyed: Cmac<Aes128>,
}

impl Mac {
    /// Takes the key of one direction of one link.
    pub fn new(key: &Key128) -> Self {
        Self { keyed: Cmac::new(key.bytes().into()) }
    }

    /// The MAC over `parts` as if they were one: the bytes as sent, from MTI to before the MAC.
    pub fn sign(&self, parts: &[&[u8]]) -> MacCode {
        let full = self.full(parts);
        let mut code = [0; MAC_LEN];
        code.copy_from_slice(&full[..MAC_LEN]);
        code
    }

    /// Whether `claimed` is the MAC over `parts`; takes the same time wherever it differs.
    pub fn verify(&self, parts: &[&[u8]], claimed: &[u8]) -> bool {
        // A shorter claim must not pass by matching a shorter prefix.
        claimed.len() == MAC_LEN && self.over(parts).verify_truncated_left(claimed).is_ok()
    }

    /// All 16 bytes of the CMAC.
    pub(crate) fn full(&self, parts: &[&[u8]]) -> [u8; 16] {
        self.over(parts).finalize().into_bytes().into()
    }

    fn over(&self, parts: &[&[u8]]) -> Cmac<Aes128> {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac")
    }
}

/// The two keys of one link, as one of its sides holds them (R-MAC: one key per direction).
#[derive(Clone, Debug)]
pub struct LinkMac {
    /// For what this side sends.
    pub sign: Mac,
    /// For what this side receives.
    pub verify: Mac,
}

impl LinkMac {
    /// The hub's side, of the key for what the bank sends and the key for what the hub sends.
    pub fn hub_side(from_bank: &Key128, to_bank: &Key128) -> Self {
        Self { sign: Mac::new(to_bank), verify: Mac::new(from_bank) }
    }

    /// The bank's side of the same two keys.
    pub fn bank_side(from_bank: &Key128, to_bank: &Key128) -> Self {
        Self { sign: Mac::new(from_bank), verify: Mac::new(to_bank) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../tests/vectors/cmac-aes128.txt");

    fn hex(text: &str) -> Vec<u8> {
        let text = text.trim_start_matches('-');
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn r_mac_published_vectors() {
        let mut seen = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split(' ').collect();
            let key = Key128::from_random(hex(parts[1]).try_into().unwrap());
            let (message, expected) = (hex(parts[2]), hex(parts[3]));
            let mac = Mac::new(&key);
            assert_eq!(mac.full(&[&message]).to_vec(), expected, "{}", parts[0]);
            assert_eq!(mac.sign(&[&message]).to_vec(), expected[..8], "{}", parts[0]);
            assert!(mac.verify(&[&message], &expected[..8]), "{}", parts[0]);
            // Cut anywhere, the parts are one message.
            for cut in 0..=message.len() {
                let (head, tail) = message.split_at(cut);
                assert_eq!(mac.full(&[head, tail]).to_vec(), expected, "cut at {cut}");
            }
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn r_mac_any_flipped_bit_and_any_other_length_fails() {
        let mac = Mac::new(&Key128::from_random([7; 16]));
        let code = mac.sign(&[b"0200", b"..."]);
        for bit in 0..64 {
            let mut bad = code;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!mac.verify(&[b"0200..."], &bad), "bit {bit}");
        }
        let full = mac.full(&[b"0200..."]);
        for len in (0..=16).filter(|len| *len != MAC_LEN) {
            assert!(!mac.verify(&[b"0200..."], &full[..len]), "{len} bytes");
        }
        assert!(mac.verify(&[b"0200..."], &code));
        assert!(!Mac::new(&Key128::from_random([8; 16])).verify(&[b"0200..."], &code));
    }
}
