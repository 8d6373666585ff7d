//! R-MAC: what is verified before it is believed, and what is signed.
#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use interchange::{Incoming, Session};
use keys::{Key128, LinkMac};
use scheme::Mti;
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

const DIALECTS: [&str; 2] = ["iso87-ascii", "iso87-ascii-bin"];

/// Messages and their MACs under the key 00010203...0f, as two programs of other people have made
/// them: PyPI cryptography 48.0.0 (`CMAC(AES(key))`) and OpenSSL 3.0.19
/// (`openssl mac -cipher AES-128-CBC -macopt hexkey:... CMAC`), both with the same result.
const SIGNED: [(&str, &str); 2] = [
    ("080082200001000000000400000000000001112203300000000106100002001", "0DCE3F6B6F844BCC"),
    ("02103220000002800001000000000000001250112203300000004200PYO00001", "AD8A01FB427FE494"),
];

fn counting_key() -> Key128 {
    Key128::from_random(std::array::from_fn(|place| u8::try_from(place).unwrap()))
}

fn other_key() -> Key128 {
    Key128::from_random([7; 16])
}

fn session(mac: LinkMac) -> Session {
    let dialects = DIALECTS.iter().filter_map(|name| Dialect::builtin(name)).collect();
    let mut session = Session::new(dialects, 8);
    session.authenticate(mac);
    session
}

/// The hub's and the bank's side of a link.
fn link() -> (LinkMac, LinkMac) {
    let (from_bank, to_bank) = (counting_key(), other_key());
    (LinkMac::hub_side(&from_bank, &to_bank), LinkMac::bank_side(&from_bank, &to_bank))
}

fn push(session: &mut Session, payload: &[u8]) -> Incoming {
    let mut bytes = Vec::new();
    write_frame(Framing::Be2, payload, &mut bytes).unwrap();
    session.push(&bytes);
    session.take().unwrap()
}

fn framed(session: &Session, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.frame(message, &mut bytes);
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    assert_eq!(length, bytes.len() - 2);
    bytes.split_off(2)
}

fn message(mti: u16, fields: &[(u8, &str)]) -> Message {
    let mut message = Message::new(Mti::new(mti).unwrap());
    for (de, value) in fields {
        message.set(*de, value.as_bytes());
    }
    message
}

const SIGN_ON: [(u8, &str); 4] = [(7, "1122033000"), (11, "000001"), (32, "100002"), (70, "001")];
const ANSWER: [(u8, &str); 6] = [
    (3, "000000"),
    (4, "000000001250"),
    (7, "1122033000"),
    (11, "000042"),
    (39, "00"),
    (41, "PYO00001"),
];

#[test]
fn r_mac_messages_that_other_programs_have_signed() {
    let messages = [message(800, &SIGN_ON), message(210, &ANSWER)];
    for ((text, mac), expected) in SIGNED.into_iter().zip(messages) {
        let payload = format!("{text}{mac}");
        let Incoming::Message(mut read) = push(&mut session(link().0), payload.as_bytes()) else {
            unreachable!("{payload} is not taken");
        };
        // Ours is the same to the byte.
        let signed = framed(&session(link().1), &expected);
        assert_eq!(String::from_utf8(signed).unwrap(), payload);
        assert!(read.remove(64) ^ read.remove(128), "one MAC");
        assert_eq!(*read, expected);
        // Lower-case digits are the same MAC.
        let lower = format!("{text}{}", mac.to_lowercase());
        assert!(matches!(push(&mut session(link().0), lower.as_bytes()), Incoming::Message(_)));
    }
}

#[test]
fn r_mac_any_changed_bit_any_cut_and_any_addition_is_no_message() {
    for (name, request) in
        DIALECTS.iter().flat_map(|d| [(d, message(800, &SIGN_ON)), (d, message(210, &ANSWER))])
    {
        let (hub, bank) = link();
        let dialect = Dialect::builtin(name).unwrap();
        let mut sender = Session::new(vec![dialect], 1);
        sender.authenticate(bank);
        let signed = framed(&sender, &request);
        let judge = |payload: &[u8]| {
            let mut receiver = Session::new(vec![dialect], 1);
            receiver.authenticate(hub.clone());
            // The dialect is fixed by a good message first.
            assert!(matches!(push(&mut receiver, &signed), Incoming::Message(_)));
            push(&mut receiver, payload)
        };
        for bit in 0..signed.len() * 8 {
            let mut changed = signed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // A hexadecimal digit of the MAC in the other case says the same.
            if changed.eq_ignore_ascii_case(&signed) && bit / 8 >= signed.len() - 16 {
                continue;
            }
            assert!(matches!(judge(&changed), Incoming::BadMac), "bit {bit} in {name}");
        }
        for cut in 1..signed.len() {
            assert!(matches!(judge(&signed[..cut]), Incoming::BadMac), "cut at {cut} in {name}");
            assert!(matches!(judge(&signed[cut..]), Incoming::BadMac), "from {cut} in {name}");
        }
        let longer = [&signed[..], b"0"].concat();
        assert!(matches!(judge(&longer), Incoming::BadMac));
    }
}

#[test]
fn r_mac_each_direction_has_its_own_key() {
    let (hub, bank) = link();
    let signed = framed(&session(bank.clone()), &message(800, &SIGN_ON));
    // Sent back to the bank it is nobody's.
    assert!(matches!(push(&mut session(bank), &signed), Incoming::BadMac));
    assert!(matches!(push(&mut session(hub), &signed), Incoming::Message(_)));
}

#[test]
fn r_mac_the_mac_stands_where_the_rule_wants_it_and_nowhere_else() {
    let (hub, bank) = link();
    let ascii = Dialect::builtin("iso87-ascii").unwrap();
    let sign = |mut message: Message, de: u8| {
        message.set(de, &[0; 8]);
        let mut bytes = Vec::new();
        ascii.encode(&message, &mut bytes).unwrap();
        bytes.truncate(bytes.len() - 16);
        let code = bank.sign.sign(&[&bytes]);
        ascii.put_mac(&code, &mut bytes);
        bytes
    };
    let taken =
        |payload: &[u8]| matches!(push(&mut session(hub.clone()), payload), Incoming::Message(_));
    assert!(taken(&sign(message(210, &ANSWER), 64)));
    assert!(!taken(&sign(message(210, &ANSWER), 128)), "nothing from DE65 to DE127 is there");
    assert!(taken(&sign(message(800, &SIGN_ON), 128)));
    // A plain message, and one whose last field merely holds the right bytes.
    let mut plain = Vec::new();
    ascii.encode(&message(210, &ANSWER), &mut plain).unwrap();
    assert!(!taken(&plain));
    let mut text = message(210, &[(11, "000042")]);
    text.set(63, &[b'0'; 16]);
    let mut bytes = Vec::new();
    ascii.encode(&text, &mut bytes).unwrap();
    bytes.truncate(bytes.len() - 16);
    let code = bank.sign.sign(&[&bytes]);
    ascii.put_mac(&code, &mut bytes);
    assert!(!taken(&bytes), "DE63 is no MAC");
}

#[test]
fn r_mac_a_malformed_message_with_a_good_mac_is_refused_and_without_it_is_nothing() {
    let (hub, bank) = link();
    let ascii = Dialect::builtin("iso87-ascii").unwrap();
    let mut receiver = session(hub);
    let good = framed(&session(bank.clone()), &message(800, &SIGN_ON));
    assert!(matches!(push(&mut receiver, &good), Incoming::Message(_)));
    let mut request = message(200, &ANSWER[..4]);
    request.set(64, &[0; 8]);
    let mut bytes = Vec::new();
    ascii.encode(&request, &mut bytes).unwrap();
    bytes.truncate(bytes.len() - 16);
    // DE4 holds a letter.
    bytes[26] = b'x';
    let unsigned = [&bytes[..], &[b'0'; 16]].concat();
    assert!(matches!(push(&mut receiver, &unsigned), Incoming::BadMac));
    let code = bank.sign.sign(&[&bytes]);
    ascii.put_mac(&code, &mut bytes);
    // Nothing could be read up to the trace number: the connection cannot be answered.
    assert!(matches!(push(&mut receiver, &bytes), Incoming::Close(_)));
}

#[test]
fn r_mac_another_links_mac_does_not_pass_through() {
    let (hub, bank) = link();
    let mut carried = message(210, &ANSWER);
    carried.set(64, &[0xAA; 8]);
    let signed = framed(&session(bank.clone()), &carried);
    assert_eq!(signed, framed(&session(bank), &message(210, &ANSWER)));
    assert!(matches!(push(&mut session(hub), &signed), Incoming::Message(_)));
}
