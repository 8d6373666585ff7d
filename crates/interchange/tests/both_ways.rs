//! What must hold for every payment that goes through, of every kind and with any fields: what the
//! issuer is sent is what the acquirer sent, and what the acquirer gets is what the issuer said
//! (R-FIELDS).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use interchange::trunk::payload::{read_answer, read_request, write_answer, write_request};
use interchange::{Place, SEAL_KIND, Session, Source, issuer, to_request};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use proptest::collection::btree_map;
use proptest::prelude::*;
use scheme::{ApprovalCode, BusinessDate, MonthTime, Mti, ParticipantId, Stan, Timestamp, Zone};
use switch::record::Seen;
use switch::{Answer, Request, Trace};
use wire::frame::{Deframer, Framing};
use wire::iso8583::{Dialect, Message};

/// 2026-11-22 10:00:00 nine hours east.
const NOW: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600);
const PAN: &str = "9408020000000015";
/// Everything that an acquirer may say of a payment, in the standard's lengths.
const LOCAL: [(u8, &str); 7] = [
    (12, "235958"),
    (13, "1121"),
    (32, "100001"),
    (33, "99"),
    (37, "TERMINAL0001"),
    (42, "PYO-SHOP-000001"),
    (49, "408"),
];

fn vault(key: u8) -> CardVault {
    let key = CardKey::new(KeyId(1), Key128::from_random([key; 16]));
    CardVault::new(TokenKey::new(Key128::from_random([9; 16])), CardRing::new(vec![key]).unwrap())
}

/// Fields that pass through, each as long as the dialect wants it.
fn passengers() -> impl Strategy<Value = BTreeMap<u8, Vec<u8>>> {
    let dialect = Dialect::builtin("iso87-ascii").unwrap();
    let known = [2, 3, 4, 7, 11, 12, 13, 15, 32, 33, 37, 38, 41, 42, 49, 52, 64, 90, 95, 128];
    let free: Vec<u8> = (14..128).filter(|de| !known.contains(de) && *de != 35).collect();
    btree_map(proptest::sample::select(free), any::<u8>(), 0..12).prop_map(move |picked| {
        let value = |de: u8, seed: u8| {
            let mut message = Message::new(Mti::new(200).unwrap());
            // The shortest run of one digit that the dialect takes, as it comes out of a frame.
            for length in 1..64 {
                message.set(de, &vec![b'0' + seed % 10; length]);
                let mut bytes = Vec::new();
                if dialect.encode(&message, &mut bytes).is_ok() {
                    return dialect.decode(&bytes).unwrap().get(de).unwrap().to_vec();
                }
            }
            Vec::new()
        };
        let passengers = picked.iter().map(|(de, seed)| (*de, value(*de, *seed)));
        passengers.filter(|(_, value)| !value.is_empty()).collect()
    })
}

#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    said: BTreeMap<u8, Vec<u8>>,
    free: BTreeMap<u8, Vec<u8>>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let kind = proptest::sample::select(vec![
        (100, "000000"),
        (101, "000000"),
        (200, "000000"),
        (200, "012000"),
        (201, "200030"),
        (200, "310000"),
        (200, "092000"),
    ]);
    let said = proptest::sample::subsequence(LOCAL.to_vec(), 0..=LOCAL.len());
    (kind, said, passengers(), 1u64..999_999_999_999, 1u32..999_999).prop_map(
        |((mti, processing), said, free, amount, stan)| {
            let mut message = Message::new(Mti::new(mti).unwrap());
            let mut all: BTreeMap<u8, Vec<u8>> =
                said.iter().map(|(de, value)| (*de, value.as_bytes().to_vec())).collect();
            let fixed = [(2, PAN), (3, processing), (7, "1122010000"), (41, "PYO00001")];
            all.extend(fixed.map(|(de, value)| (de, value.as_bytes().to_vec())));
            all.insert(4, format!("{amount:012}").into_bytes());
            all.insert(11, format!("{stan:06}").into_bytes());
            for (de, value) in all.iter().chain(&free) {
                message.set(*de, value);
            }
            // Never passed on, whatever they hold.
            message.set(52, b"12345678");
            message.set(15, b"0101");
            Sent { message, said: all, free }
        },
    )
}

/// At a station, over its trunk, and at the hub.
fn at_the_hub(message: &Message) -> Request {
    let zone = Zone::fixed(9 * 3600);
    let (station, hub) = (vault(7), vault(8));
    let register = interchange::Register::new([(
        ParticipantId::new(100_001).unwrap(),
        scheme::TerminalId::new(b"PYO00001").unwrap(),
        scheme::RetailerId::new(b"PYO-SHOP-000001").unwrap(),
    )]);
    let source = Source::Terminal(&register);
    let place = Place { now: NOW, zone: &zone, currency: 408, vault: &station, source };
    let request = to_request(message, &place).unwrap();
    let (ticket, arrived) =
        read_request(&write_request(9, &request, &station), &zone, &hub).unwrap();
    assert_eq!(ticket, 9);
    // All but the card is the same; the card is sealed anew, and is the same card.
    let card = arrived.card.unwrap();
    assert_eq!(arrived, Request { card: Some(card), ..request.clone() });
    assert_eq!(card.token, request.card.unwrap().token);
    arrived
}

fn trace() -> Trace {
    Trace { stan: Stan::new(77).unwrap(), transmitted: MonthTime::new(1_122_010_001).unwrap() }
}

fn seen(request: &Request) -> Seen {
    request.seen(None)
}

/// The answer to a message, from the bytes on the acquirer's wire.
fn answered(message: &Message, request: &Request, answer: &Answer) -> Message {
    let dialect = Dialect::builtin("iso87-ascii").unwrap();
    let mut session = Session::new(vec![dialect], 1);
    assert!(session.expect_answer(1, message, request));
    let mut out = Vec::new();
    assert!(session.answer(1, answer, &mut out));
    let mut deframer = Deframer::new(Framing::Be2, 8192);
    deframer.push(&out);
    dialect.decode(deframer.next().unwrap().unwrap()).unwrap()
}

fn elements(message: &Message) -> BTreeMap<u8, Vec<u8>> {
    message.fields().map(|(de, value)| (de, value.to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r_fields_the_issuer_is_sent_what_the_acquirer_sent(sent in sent()) {
        let request = at_the_hub(&sent.message);
        prop_assert!(request.has_pin);
        let ask =
            issuer::ask(&vault(8), request.candidate, &seen(&request), trace(), &request.carried);
        let ask = ask.unwrap();
        prop_assert_eq!(ask.mti(), request.mti.first());
        // What the station fills in, then what the acquirer said, then what passes, then the hub's.
        let filled = [
            (12, "100000"), (13, "1122"), (32, "100001"), (42, "PYO-SHOP-000001"), (49, "408"),
        ];
        let mut expected: BTreeMap<u8, Vec<u8>> =
            filled.iter().map(|(de, value)| (*de, value.as_bytes().to_vec())).collect();
        expected.extend(sent.said);
        expected.extend(sent.free);
        expected.insert(7, b"1122010001".to_vec());
        expected.insert(11, b"000077".to_vec());
        prop_assert_eq!(elements(&ask), expected);
    }

    #[test]
    fn r_fields_the_acquirer_gets_what_the_issuer_said(
        sent in sent(), free in passengers(), approved in any::<bool>(),
    ) {
        let request = at_the_hub(&sent.message);
        let ask =
            issuer::ask(&vault(8), request.candidate, &seen(&request), trace(), &request.carried);
        // An issuer that sends back all it got, and more.
        let mut reply = ask.unwrap();
        reply.set_mti(reply.mti().answer().unwrap());
        for (de, value) in &free {
            reply.set(*de, value);
        }
        reply.set(15, b"0101");
        reply.set(35, b"9408020000000015=3112");
        reply.set(38, b"A1B2C3");
        reply.set(39, if approved { b"00" } else { b"51" });
        reply.set(54, b"0002408C000000001000");
        let bank = ParticipantId::new(100_002).unwrap();
        let heard = issuer::answer(bank, &reply).unwrap();
        prop_assert_eq!((heard.trace, heard.amount), (trace(), request.amount));
        prop_assert!(heard.carried.iter().all(|(de, _)| de != 2 && de != 35));

        let answer = Answer {
            code: heard.code,
            text: heard.text,
            approval: heard.approval,
            rrn: request.rrn,
            business_date: Some(BusinessDate(20_779)),
            carried: heard.carried,
        };
        let (_, answer) = read_answer(&write_answer(1, &answer)).unwrap();
        let got = answered(&sent.message, &request, &answer);

        let echoed = [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
        let mut got = elements(&got);
        for de in echoed {
            if let Some(value) = sent.said.get(&de) {
                prop_assert_eq!(got.get(&de), Some(value), "DE{}", de);
            }
            got.remove(&de);
        }
        prop_assert_eq!(got.remove(&15), Some(b"1122".to_vec()));
        prop_assert_eq!(got.remove(&38).is_some(), approved);
        let code = if approved { b"00" } else { b"51" };
        prop_assert_eq!(got.remove(&39), Some(code.to_vec()));
        prop_assert_eq!(got.remove(&54).is_some(), request.mti.first().number() == 200);
        // The rest is the issuer's own, and no card's.
        for (de, value) in &got {
            prop_assert_eq!(reply.get(*de), Some(value.as_slice()), "DE{}", de);
            prop_assert!(![14, 36, 45, 52, 64, 90, 128].contains(de), "DE{}", de);
        }
    }

    /// DE90 names what the issuer knows, in this link's values; parts that were absent are zero.
    #[test]
    fn r_fields_de90_of_an_advice_is_this_links(sent in sent(), repeat in any::<bool>()) {
        let request = at_the_hub(&sent.message);
        let seen = seen(&request);
        let approval = ApprovalCode::new(b"A1B2C3").unwrap();
        let own = Trace { stan: Stan::new(78).unwrap(), ..trace() };
        let completion = issuer::Completion {
            id: request.candidate, seen: &seen, original: trace(), trace: own, approval, repeat,
        };
        let message = issuer::complete(&vault(8), &completion).unwrap();
        prop_assert_eq!(message.mti().number(), if repeat { 221 } else { 220 });
        let forwarding = if sent.said.contains_key(&33) { "00000000099" } else { "00000000000" };
        let named =
            format!("{}000077112201000100000100001{forwarding}", request.mti.first());
        prop_assert_eq!(message.text(90), Some(named.as_str()));
        prop_assert_eq!((message.text(11), message.text(38)), (Some("000078"), Some("A1B2C3")));
        let mut expected = vec![2, 3, 4, 7, 11, 12, 13, 32, 38, 41, 42, 49, 90];
        if sent.said.contains_key(&37) {
            expected.insert(8, 37);
        }
        let got: Vec<u8> = message.fields().map(|(de, _)| de).collect();
        prop_assert_eq!(got, expected);
        prop_assert!(request.card.is_some_and(|card| vault(8)
            .pan(&card, request.candidate.get(), SEAL_KIND).is_ok()));
    }
}
