//! Sealed cards (R-SECRETS): PAN and expiry under the node's journal key.
//!
//! Layout: key id (2 bytes, big-endian), AES-128-GCM-SIV ciphertext, tag (16 bytes). Plaintext: PAN
//! length (1), PAN as BCD with a trailing F when odd, expiry YYMM as BCD or FFFF. Payment id and
//! record kind are authenticated and make the nonce. A nonce may repeat with other content (a
//! repeat seals the same card again), hence the misuse-resistant SIV mode (RFC 8452): a repeated
//! nonce shows at most that two sealed cards are equal.

use core::fmt;

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes128GcmSiv, Nonce};
use scheme::limits::{PAN_MAX, PAN_MIN, SEALED_MAX};
use scheme::{Pan, Sealed};
use zeroize::Zeroizing;

use crate::key::{Key128, KeyId};
use crate::limits::{KEY_ID_LEN, PLAIN_MAX, RING_MAX, TAG_LEN};

/// Expiry as DE14 has it: four ASCII digits, YYMM.
pub type Expiry = [u8; 4];

/// Why a sealed card could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsealError {
    /// Shorter than key id, the shortest card and tag, so it was never ours; holds its bytes.
    Length(usize),
    /// Sealed under a key that the ring does not hold.
    UnknownKey(KeyId),
    /// Altered, or sealed for another payment or record kind, or under another key of this number.
    Forged(KeyId),
    /// Authentic, but not a card: written by a program that we do not know.
    NotACard(KeyId),
}

impl fmt::Display for UnsealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "{bytes} bytes are no sealed card"),
            Self::UnknownKey(id) => write!(
                f,
                "sealed under card key {id}, which is not in the ring: add it to the key file"
            ),
            Self::Forged(id) => {
                write!(f, "card key {id} does not open it: altered, or sealed for another record")
            }
            Self::NotACard(id) => write!(f, "card key {id} opens it, but it holds no card"),
        }
    }
}

impl std::error::Error for UnsealError {}

/// One journal key for cards. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct CardKey {
    id: KeyId,
    key: Key128,
    aead: Aes128GcmSiv,
}

impl CardKey {
    /// A key and its number.
    pub fn new(id: KeyId, key: Key128) -> Self {
        let aead = Aes128GcmSiv::new(key.bytes().into());
        Self { id, key, aead }
    }

    /// Its number.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The clear key, for the key file.
    pub fn key(&self) -> &Key128 {
        &self.key
    }

    /// Seals a card for one record. `None` as expiry means that the message had no DE14.
    ///
    /// An `expiry` that is not four digits is sealed as absent: the PAN alone can reverse.
    pub fn seal(&self, pan: &Pan, expiry: Option<Expiry>, payment: u128, kind: u8) -> Sealed {
        let mut sealed = [0; SEALED_MAX];
        let plain_len = plain_len(pan.digits().len());
        let (id, body) = sealed.split_at_mut(KEY_ID_LEN);
        id.copy_from_slice(&self.id.0.to_be_bytes());
        let (plain, rest) = body.split_at_mut(plain_len);
        write_plain(plain, pan, expiry);
        let tag = self
            .aead
            .encrypt_inout_detached(&nonce(payment, kind), &associated(payment, kind), plain.into())
            .expect("the cipher refuses only texts over 64 GiB");
        rest[..TAG_LEN].copy_from_slice(&tag);
        Sealed::new(&sealed[..KEY_ID_LEN + plain_len + TAG_LEN])
            .expect("limits.rs asserts that the longest card fits")
    }

    /// Opens what [`CardKey::seal`] sealed for the same payment and record kind.
    pub fn unseal(
        &self,
        sealed: &Sealed,
        payment: u128,
        kind: u8,
    ) -> Result<(Pan, Option<Expiry>), UnsealError> {
        let (id, cipher, tag) = parts(sealed)?;
        if id != self.id {
            return Err(UnsealError::UnknownKey(id));
        }
        let mut plain = Zeroizing::new([0; PLAIN_MAX]);
        let plain =
            plain.get_mut(..cipher.len()).ok_or(UnsealError::Length(sealed.bytes().len()))?;
        plain.copy_from_slice(cipher);
        self.aead
            .decrypt_inout_detached(
                &nonce(payment, kind),
                &associated(payment, kind),
                (&mut *plain).into(),
                tag.into(),
            )
            .map_err(|_| UnsealError::Forged(id))?;
        read_plain(plain).ok_or(UnsealError::NotACard(id))
    }
}

impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardKey {}", self.id)
    }
}

/// Why keys do not make a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// No key at all.
    Empty,
    /// More than [`RING_MAX`].
    TooMany(usize),
    /// Two keys with this number.
    Twice(KeyId),
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no key"),
            Self::TooMany(keys) => write!(f, "{keys} keys, at most {RING_MAX} fit a ring"),
            Self::Twice(id) => write!(f, "key {id} is there twice"),
        }
    }
}

impl std::error::Error for RingError {}

/// The card keys of a node: the last one seals, all of them unseal.
#[derive(Clone, Debug)]
pub struct CardRing {
    keys: Vec<CardKey>,
}

impl CardRing {
    /// Keys in the order of their coming; the last is current.
    pub fn new(keys: Vec<CardKey>) -> Result<Self, RingError> {
        if keys.is_empty() {
            return Err(RingError::Empty);
        }
        if keys.len() > RING_MAX {
            return Err(RingError::TooMany(keys.len()));
        }
        for (place, key) in keys.iter().enumerate() {
            if keys[..place].iter().any(|earlier| earlier.id == key.id) {
                return Err(RingError::Twice(key.id));
            }
        }
        Ok(Self { keys })
    }

    /// The key that seals.
    pub fn current(&self) -> &CardKey {
        self.keys.last().expect("new() refuses an empty ring")
    }

    /// All keys, oldest first.
    pub fn keys(&self) -> &[CardKey] {
        &self.keys
    }

    /// Opens a card with the key that it names.
    pub fn unseal(
        &self,
        sealed: &Sealed,
        payment: u128,
        kind: u8,
    ) -> Result<(Pan, Option<Expiry>), UnsealError> {
        let (id, _, _) = parts(sealed)?;
        self.keys
            .iter()
            .find(|key| key.id == id)
            .ok_or(UnsealError::UnknownKey(id))?
            .unseal(sealed, payment, kind)
    }
}

type Parts<'a> = (KeyId, &'a [u8], &'a [u8; TAG_LEN]);

fn parts(sealed: &Sealed) -> Result<Parts<'_>, UnsealError> {
    let bytes = sealed.bytes();
    let wrong = UnsealError::Length(bytes.len());
    let (id, body) = bytes.split_first_chunk::<KEY_ID_LEN>().ok_or(wrong)?;
    let (cipher, tag) = body.split_last_chunk::<TAG_LEN>().ok_or(wrong)?;
    if !(plain_len(PAN_MIN)..=PLAIN_MAX).contains(&cipher.len()) {
        return Err(wrong);
    }
    Ok((KeyId(u16::from_be_bytes(*id)), cipher, tag))
}

/// The id's 96 hashed bits, with its seconds and the record kind folded in.
fn nonce(payment: u128, kind: u8) -> Nonce {
    let id = payment.to_be_bytes();
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&id[4..]);
    for (byte, second) in nonce.iter_mut().zip(&id[..4]) {
        *byte ^= second;
    }
    nonce[11] ^= kind;
    nonce.into()
}

fn associated(payment: u128, kind: u8) -> [u8; 17] {
    let mut associated = [kind; 17];
    associated[..16].copy_from_slice(&payment.to_be_bytes());
    associated
}

const fn plain_len(digits: usize) -> usize {
    1 + digits.div_ceil(2) + 2
}

const FILL: u8 = 0xf;

fn write_plain(plain: &mut [u8], pan: &Pan, expiry: Option<Expiry>) {
    let digits = pan.digits();
    // A PAN has at most 19 digits, so its length is one byte.
    plain[0] = u8::try_from(digits.len()).unwrap_or(u8::MAX);
    let expiry_at = plain.len() - 2;
    for (byte, pair) in plain[1..expiry_at].iter_mut().zip(digits.chunks(2)) {
        let low = pair.get(1).map_or(FILL, |digit| digit - b'0');
        *byte = ((pair[0] - b'0') << 4) | low;
    }
    let expiry = expiry.filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let packed = expiry.map_or([0xff; 2], |e| {
        [((e[0] - b'0') << 4) | (e[1] - b'0'), ((e[2] - b'0') << 4) | (e[3] - b'0')]
    });
    plain[expiry_at..].copy_from_slice(&packed);
}

fn read_plain(plain: &[u8]) -> Option<(Pan, Option<Expiry>)> {
    let (len, rest) = plain.split_first()?;
    let (packed, expiry) = rest.split_last_chunk::<2>()?;
    let len = usize::from(*len);
    if len > PAN_MAX || len.div_ceil(2) != packed.len() {
        return None;
    }
    let mut digits = Zeroizing::new([0; 2 * PAN_MAX.div_ceil(2)]);
    for (pair, byte) in digits.chunks_mut(2).zip(packed) {
        pair.copy_from_slice(&unpacked(*byte));
    }
    if len % 2 == 1 && digits[len] != b'0' + FILL {
        return None;
    }
    let pan = Pan::parse(&digits[..len]).ok()?;
    if *expiry == [0xff; 2] {
        return Some((pan, None));
    }
    let ([y1, y0], [m1, m0]) = (unpacked(expiry[0]), unpacked(expiry[1]));
    let expiry = [y1, y0, m1, m0];
    expiry.iter().all(u8::is_ascii_digit).then_some((pan, Some(expiry)))
}

fn unpacked(byte: u8) -> [u8; 2] {
    [b'0' + (byte >> 4), b'0' + (byte & 0xf)]
}
