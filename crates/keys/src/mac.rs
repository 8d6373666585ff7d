//! Message authentication (R-MAC): AES-128-CMAC (NIST SP 800-38B), leftmost 8 bytes, in DE64 or
//! DE128. One key per link and direction.
//!
//! A payment has four of them at the hub. The mode is written out here, over the cipher of the
//! crate `aes`, because the crate `cmac` derives both subkeys anew for every MAC and goes through
//! memory byte by byte between the blocks, which takes twice the time. Tests compare the two.

use core::fmt;

use aes::Aes128;
use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
    KeyInit, consts::U16,
};
use zeroize::Zeroizing;

use crate::key::Key128;
use crate::limits::MAC_LEN;

/// The MAC of a message: DE64 or DE128, b 64.
pub type MacCode = [u8; MAC_LEN];

/// Bytes of a block of the cipher.
const BLOCK: usize = 16;

/// One direction's MAC key. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Mac {
    cipher: Aes128,
    /// K1 and K2 of SP 800-38B: for a last block that is whole, and for one that is padded.
    subkeys: Zeroizing<[[u8; BLOCK]; 2]>,
}

impl Mac {
    /// Takes the key of one direction of one link.
    pub fn new(key: &Key128) -> Self {
        let cipher = Aes128::new(key.bytes().into());
        let mut zero = Zeroizing::new([0; BLOCK]);
        cipher.encrypt_block((&mut *zero).into());
        let first = doubled(&zero);
        Self { cipher, subkeys: Zeroizing::new([first, doubled(&first)]) }
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
        let Ok(claimed) = MacCode::try_from(claimed) else { return false };
        u64::from_ne_bytes(claimed) ^ u64::from_ne_bytes(self.sign(parts)) == 0
    }

    /// All 16 bytes of the CMAC.
    pub(crate) fn full(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        let mut code = [0; BLOCK];
        let chain = Chain { subkeys: &self.subkeys, parts, code: &mut code };
        self.cipher.encrypt_with_backend(chain);
        code
    }
}

/// A block times x in the field of SP 800-38B, 5.3.
fn doubled(block: &[u8; BLOCK]) -> [u8; BLOCK] {
    let number = u128::from_be_bytes(*block);
    let carry = if number >> 127 == 1 { 0x87 } else { 0 };
    (number << 1 ^ carry).to_be_bytes()
}

/// All blocks of one MAC, within one call of the cipher.
struct Chain<'a> {
    subkeys: &'a [[u8; BLOCK]; 2],
    parts: &'a [&'a [u8]],
    code: &'a mut [u8; BLOCK],
}

impl BlockSizeUser for Chain<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chain<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut state = [0; BLOCK];
        let next = |state: &mut [u8; BLOCK], block: &[u8; BLOCK]| {
            let mut mixed: Block<B> = xor(state, block).into();
            backend.encrypt_block((&mut mixed).into());
            *state = mixed.into();
        };
        // Bytes that may be the last block, which only the end of all parts says. Of a card they
        // are digits.
        let (mut held, mut length) = (Zeroizing::new([0; BLOCK]), 0);
        for part in self.parts {
            let (joined, rest) = part.split_at(part.len().min(BLOCK - length));
            held[length..length + joined.len()].copy_from_slice(joined);
            length += joined.len();
            if rest.is_empty() {
                continue;
            }
            next(&mut state, &held);
            let (blocks, last) = rest.split_at((rest.len() - 1) / BLOCK * BLOCK);
            for block in blocks.as_chunks().0 {
                next(&mut state, block);
            }
            held[..last.len()].copy_from_slice(last);
            length = last.len();
        }
        let whole = length == BLOCK;
        if !whole {
            held[length..].fill(0);
            held[length] = 0x80;
        }
        let last = xor(&held, &self.subkeys[usize::from(!whole)]);
        next(&mut state, &last);
        *self.code = state;
    }
}

fn xor(left: &[u8; BLOCK], right: &[u8; BLOCK]) -> [u8; BLOCK] {
    core::array::from_fn(|at| left[at] ^ right[at])
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

    /// Messages of every length up to ten blocks, cut in two and in three.
    #[test]
    fn r_mac_is_the_cmac_of_the_crate_cmac() {
        use cmac::{Cmac, KeyInit, Mac as _};
        let message: Vec<u8> = (0..160u8).map(|n| n.wrapping_mul(37)).collect();
        for (key, length) in [(1, 0..=160), (0xb6, 0..=40)] {
            let mac = Mac::new(&Key128::from_random([key; 16]));
            for message in length.map(|length| &message[..length]) {
                let mut theirs = Cmac::<Aes128>::new(&[key; 16].into());
                theirs.update(message);
                let expected: [u8; 16] = theirs.finalize().into_bytes().into();
                assert_eq!(mac.full(&[message]), expected, "{}", message.len());
                for cut in 0..=message.len() {
                    let (head, tail) = message.split_at(cut);
                    let (middle, tail) = tail.split_at(tail.len() / 3);
                    assert_eq!(mac.full(&[head, middle, tail, &[]]), expected, "{cut}");
                }
            }
        }
        let mac = Mac::new(&Key128::from_random([3; 16]));
        assert_eq!(mac.full(&[b"", b""]), mac.full(&[]));
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
