//! Card tokens (R-SECRETS): a keyed 128-bit value that stands for a card, the same nation-wide.

use core::fmt;

use scheme::{Pan, Token};
use zeroize::Zeroizing;

use crate::key::Key128;
use crate::mac::Mac;

/// Separates tokens from anything else that the same key might ever be used for.
const DOMAIN: &[u8] = b"bongsu card token 1\0";

/// The nation's token key; it reaches stations in the trunk hello. Wiped when dropped.
#[derive(Clone)]
pub struct TokenKey {
    key: Key128,
    mac: Mac,
}

impl TokenKey {
    /// The nation's token key.
    pub fn new(key: Key128) -> Self {
        let mac = Mac::new(&key);
        Self { key, mac }
    }

    /// The token of a card: AES-128-CMAC over a domain tag and the PAN's digits.
    pub fn token(&self, pan: &Pan) -> Token {
        Token(u128::from_be_bytes(self.mac.full(&[DOMAIN, pan.digits()])))
    }

    /// The key, for the key file.
    pub fn key(&self) -> &Key128 {
        &self.key
    }

    /// The clear key, for the trunk hello that carries it to a station, and for nothing else.
    pub fn for_trunk(&self) -> Zeroizing<[u8; 16]> {
        Zeroizing::new(*self.key.bytes())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}
