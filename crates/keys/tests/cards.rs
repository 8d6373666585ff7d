//! Tokens, sealed cards, the ring, the vault and key files, seen from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use keys::file::{self, KeyFileFault};
use keys::limits::RING_MAX;
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, RingError, TokenKey, UnsealError};
use scheme::{Pan, Sealed};

const VECTORS: &str = include_str!("vectors/cards.txt");

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn counting(from: u8) -> Key128 {
    Key128::from_random(std::array::from_fn(|at| from + at as u8))
}

fn vault() -> CardVault {
    let ring = CardRing::new(vec![CardKey::new(KeyId(7), counting(0x10))]).unwrap();
    CardVault::new(TokenKey::new(counting(0)), ring)
}

fn pan(text: &str) -> Pan {
    Pan::parse(text.as_bytes()).unwrap()
}

#[test]
fn r_secrets_tokens_and_sealed_cards_have_the_written_layout() {
    let vault = vault();
    let mut seen = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split(' ').collect();
        let card = pan(parts[0]);
        let expiry: Option<[u8; 4]> = parts[1].as_bytes().try_into().ok();
        let payment = u128::from_str_radix(parts[2], 16).unwrap();
        let kind: u8 = parts[3].parse().unwrap();
        let reference = vault.reference(&card, expiry, payment, kind);
        assert_eq!(format!("{:032x}", reference.token.0), parts[4]);
        assert_eq!(reference.sealed.bytes(), hex(parts[5]));
        assert_eq!(vault.pan(&reference, payment, kind), Ok((card, expiry)));
        assert_eq!(usize::from(reference.pan_len), parts[0].len());
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn r_secrets_tokens_are_one_to_a_card_and_one_to_a_nation() {
    let (one, two) = (TokenKey::new(counting(0)), TokenKey::new(counting(1)));
    let (a, b) = (pan("9408010000000016"), pan("9408010000000024"));
    assert_eq!(one.token(&a), TokenKey::new(counting(0)).token(&a));
    assert_ne!(one.token(&a), one.token(&b));
    assert_ne!(one.token(&a), two.token(&a));
    assert_eq!(*one.for_trunk(), std::array::from_fn(|at| at as u8));
}

#[test]
fn r_secrets_every_length_of_pan_comes_back() {
    let key = CardKey::new(KeyId(1), counting(9));
    for len in 10..=19 {
        let card = pan(&"9876543210987654321"[..len]);
        for expiry in [None, Some(*b"3112"), Some(*b"0001")] {
            let sealed = key.seal(&card, expiry, 0x50, 3);
            assert_eq!(key.unseal(&sealed, 0x50, 3), Ok((card, expiry)), "{len}");
        }
        // What is no expiry must not become one.
        let sealed = key.seal(&card, Some(*b"31x2"), 0x50, 3);
        assert_eq!(key.unseal(&sealed, 0x50, 3), Ok((card, None)));
    }
}

#[test]
fn r_secrets_a_flipped_bit_another_payment_or_kind_does_not_open() {
    let key = CardKey::new(KeyId(7), counting(0x10));
    let sealed = key.seal(&pan("9408010000000016"), Some(*b"3112"), 0xabc0, 4);
    let bytes = sealed.bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let result = key.unseal(&Sealed::new(&bad).unwrap(), 0xabc0, 4);
        let expected = match bit / 8 {
            0..2 => UnsealError::UnknownKey(KeyId(u16::from_be_bytes([bad[0], bad[1]]))),
            _ => UnsealError::Forged(KeyId(7)),
        };
        assert_eq!(result, Err(expected), "bit {bit}");
    }
    let forged = Err(UnsealError::Forged(KeyId(7)));
    assert_eq!(key.unseal(&sealed, 0xabd0, 4), forged);
    assert_eq!(key.unseal(&sealed, 0xabc0, 5), forged);
    // Seconds and kind both reach the nonce: exchanging their bits must not give the same card.
    assert_eq!(key.unseal(&sealed, 0xabc1, 5), forged);
    for len in 0..bytes.len() {
        let cut = Sealed::new(&bytes[..len]).unwrap();
        let error = key.unseal(&cut, 0xabc0, 4).unwrap_err();
        let too_short = len < 2 + 8 + 16;
        assert_eq!(error == UnsealError::Length(len), too_short, "{len}");
    }
}

#[test]
fn r_secrets_an_older_key_opens_and_the_newest_seals() {
    let old = CardKey::new(KeyId(1), counting(1));
    let new = CardKey::new(KeyId(2), counting(2));
    let card = pan("9408010000000016");
    let sealed = old.seal(&card, None, 0x10, 1);
    let ring = CardRing::new(vec![old.clone(), new.clone()]).unwrap();
    assert_eq!(ring.unseal(&sealed, 0x10, 1), Ok((card, None)));
    let (token, moved) = (TokenKey::new(counting(0)), ring.clone());
    let reference = CardVault::new(token, moved).reference(&card, None, 0x10, 1);
    assert_eq!(reference.sealed.bytes()[..2], [0, 2]);
    let alone = CardRing::new(vec![new.clone()]).unwrap();
    let unknown = Err(UnsealError::UnknownKey(KeyId(1)));
    assert_eq!(alone.unseal(&sealed, 0x10, 1), unknown);
    assert_eq!(CardRing::new(vec![]).unwrap_err(), RingError::Empty);
    let twice = CardRing::new(vec![old, new.clone(), new]).unwrap_err();
    assert_eq!(twice, RingError::Twice(KeyId(2)));
    let many = (0..=RING_MAX as u16).map(|id| CardKey::new(KeyId(id), counting(0)));
    let error = CardRing::new(many.collect()).unwrap_err();
    assert_eq!(error, RingError::TooMany(RING_MAX + 1));
}

#[test]
fn r_secrets_debug_shows_no_key_and_no_card() {
    let vault = vault();
    let reference = vault.reference(&pan("9408019876543216"), Some(*b"3112"), 0x10, 1);
    let shown = format!(
        "{vault:?} {reference:?} {:?} {:?}",
        vault.token_key().key(),
        keys::Mac::new(&counting(0x10))
    );
    for secret in ["101112", "16, 17", "000102", "0, 1, 2", "98765", "765432", "3112"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn key_files_read_what_they_print() {
    let keys = [(KeyId(1), counting(0)), (KeyId(65535), counting(0xe0))];
    let text = file::print(keys.iter().map(|(id, key)| (*id, key)));
    assert_eq!(
        text.as_str(),
        "1:000102030405060708090a0b0c0d0e0f\n65535:e0e1e2e3e4e5e6e7e8e9eaebecedeeef\n"
    );
    let read = file::parse(&format!("# card keys\n\n{}", text.to_uppercase())).unwrap();
    let again = file::print(read.iter().map(|(id, key)| (*id, key)));
    assert_eq!(again, text);
}

#[test]
fn key_files_name_the_line_and_column_of_a_fault_and_repeat_no_key() {
    let good = "1:000102030405060708090a0b0c0d0e0f\n";
    let cases: &[(&str, usize, usize, KeyFileFault)] = &[
        ("", 0, 0, KeyFileFault::NoKey),
        ("# only words\n", 0, 0, KeyFileFault::NoKey),
        ("\n000102\n", 2, 0, KeyFileFault::NoColon),
        (":00\n", 1, 1, KeyFileFault::Id),
        ("+1:00\n", 1, 1, KeyFileFault::Id),
        ("65536:00\n", 1, 1, KeyFileFault::Id),
        ("12:0001\n", 1, 4, KeyFileFault::KeyLength(4)),
        ("12:00g1\n", 1, 6, KeyFileFault::NotHex),
        ("1: 000102030405060708090a0b0c0d0e\n", 1, 3, KeyFileFault::NotHex),
    ];
    for (text, line, column, fault) in cases {
        let error = file::parse(text).unwrap_err();
        assert_eq!((error.line, error.column), (*line, *column), "{text:?}");
        assert_eq!(error.fault, *fault, "{text:?}");
    }
    let error = file::parse(&good.repeat(2)).unwrap_err();
    assert_eq!(error.to_string(), "2: key 1 stands on an earlier line");
    let many: String = (0..17).map(|id| good.replacen('1', &id.to_string(), 1)).collect();
    assert_eq!(file::parse(&many).unwrap_err().fault, KeyFileFault::TooManyKeys);
    let long = "#".repeat(keys::limits::KEY_FILE_MAX + 1);
    assert_eq!(file::parse(&long).unwrap_err().fault, KeyFileFault::TooLong);
}
