//! What turns a clear card into what may be kept, and back (R-SECRETS).

use scheme::{CardRef, Pan};

use crate::card::{CardRing, Expiry, UnsealError};
use crate::token::TokenKey;

/// A node's token key and card keys together.
#[derive(Clone, Debug)]
pub struct CardVault {
    token: TokenKey,
    ring: CardRing,
}

impl CardVault {
    /// The nation's token key and this node's card keys.
    pub fn new(token: TokenKey, ring: CardRing) -> Self {
        Self { token, ring }
    }

    /// All that is kept of a card, sealed for one record of one payment.
    pub fn reference(&self, pan: &Pan, expiry: Option<Expiry>, payment: u128, kind: u8) -> CardRef {
        CardRef {
            first8: pan.first8(),
            last4: pan.last4(),
            // A PAN has at most 19 digits.
            pan_len: u8::try_from(pan.digits().len()).unwrap_or(u8::MAX),
            token: self.token.token(pan),
            sealed: self.ring.current().seal(pan, expiry, payment, kind),
        }
    }

    /// The clear card of a reference that was sealed for this payment and record kind.
    pub fn pan(
        &self,
        card: &CardRef,
        payment: u128,
        kind: u8,
    ) -> Result<(Pan, Option<Expiry>), UnsealError> {
        self.ring.unseal(&card.sealed, payment, kind)
    }

    /// The token key, for matching without sealing and for the trunk hello.
    pub fn token_key(&self) -> &TokenKey {
        &self.token
    }

    /// The same card keys under another token key: a station learns the nation's from the hub.
    pub fn with_token_key(self, token: TokenKey) -> Self {
        Self { token, ring: self.ring }
    }

    /// The card keys.
    pub fn ring(&self) -> &CardRing {
        &self.ring
    }
}
