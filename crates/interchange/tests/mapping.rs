//! R-FIELDS: messages to requests, answers to messages, and what issuers are sent.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use interchange::{Incoming, Place, Register, SEAL_KIND, Session, Source, issuer, to_request};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use scheme::{
    Amount, ApprovalCode, BusinessDate, MonthTime, Mti, ParticipantId, Reason, ResponseCode,
    RetailerId, Rrn, Stan, TerminalId, Timestamp, Zone,
};
use switch::record::Seen;
use switch::{Answer, Carried, OriginalRef, Request, Text25, Trace};
use wire::frame::{Deframer, Framing, write_frame};
use wire::iso8583::{Dialect, Message};

const PAN: &[u8] = b"9408020000000015";
/// 2026-11-22 10:00:00 nine hours east.
const NOW: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600);

fn vault() -> CardVault {
    let key = CardKey::new(KeyId(1), Key128::from_random([7; 16]));
    CardVault::new(TokenKey::new(Key128::from_random([9; 16])), CardRing::new(vec![key]).unwrap())
}

fn bank(code: u64) -> ParticipantId {
    ParticipantId::new(code).unwrap()
}

fn register() -> Register {
    let entry = |acquirer, terminal: &[u8], retailer: &[u8]| {
        let terminal = TerminalId::new(terminal).unwrap();
        (bank(acquirer), terminal, RetailerId::new(retailer).unwrap())
    };
    Register::new([
        entry(100_001, b"PYO00001", b"PYO-SHOP-000001"),
        entry(100_001, b"TWICE001", b"SHOP-1"),
        entry(100_002, b"TWICE001", b"SHOP-2"),
    ])
}

fn purchase() -> Message {
    let mut message = Message::new(Mti::new(200).unwrap());
    for (de, value) in [
        (2, PAN),
        (3, b"000000".as_slice()),
        (4, b"000000001250"),
        (7, b"1122010000"),
        (11, b"000001"),
        (41, b"PYO00001"),
    ] {
        message.set(de, value);
    }
    message
}

fn reversal() -> Message {
    let mut message = purchase();
    message.set_mti(Mti::new(420).unwrap());
    message.remove(2);
    message.set(90, b"020000000111220100000000010000100000000007");
    message
}

fn read(message: &Message) -> Result<Request, Reason> {
    let register = register();
    read_from(message, Source::Terminal(&register))
}

fn read_from(message: &Message, source: Source<'_>) -> Result<Request, Reason> {
    let (zone, vault) = (Zone::fixed(9 * 3600), vault());
    to_request(message, &Place { now: NOW, zone: &zone, currency: 408, vault: &vault, source })
}

fn with(mut message: Message, de: u8, value: &[u8]) -> Message {
    message.set(de, value);
    message
}

fn without(mut message: Message, de: u8) -> Message {
    assert!(message.remove(de));
    message
}

#[test]
fn r_fields_each_mandatory_field_missing_is_30() {
    for de in [2, 3, 4, 7, 11, 41] {
        assert_eq!(read(&without(purchase(), de)), Err(Reason::Format), "DE{de}");
    }
    for de in [3, 4, 7, 11, 41] {
        assert_eq!(read(&without(reversal(), de)), Err(Reason::Format), "DE{de} of a reversal");
    }
    assert_eq!(read(&reversal()).unwrap().card, None);
}

/// A completion names its pre-authorisation by DE90, DE37 or DE38; a request is somebody's card.
#[test]
fn r_fields_an_advice_needs_no_card() {
    for (mti, needs) in [(100, true), (101, true), (200, true), (201, true), (220, false)] {
        let mut message = without(purchase(), 2);
        message.set_mti(Mti::new(mti).unwrap());
        let read = read(&message).map(|request| request.card);
        assert_eq!(read, if needs { Err(Reason::Format) } else { Ok(None) }, "{mti}");
    }
    for mti in [120, 121, 221] {
        let mut message = without(purchase(), 2);
        message.set_mti(Mti::new(mti).unwrap());
        assert!(read(&message).is_ok(), "{mti}");
    }
}

#[test]
fn r_fields_garbage_in_a_field_is_30() {
    let cases: [(u8, &[u8]); 15] = [
        (3, b"00000x"),
        (4, b"+00000001250"),
        (4, b""),
        (7, b"1322010000"),
        (7, b"112201000"),
        (11, b"00000x"),
        (12, b"250000"),
        (13, b"0230"),
        (14, b"31x2"),
        (32, b"1000x1"),
        (33, b"x"),
        (49, b"+08"),
        (2, b"94080200000000x5"),
        (37, b"tab\there"),
        (42, b"sixteen chars is 1"),
    ];
    for (de, value) in cases {
        assert_eq!(read(&with(purchase(), de, value)), Err(Reason::Format), "DE{de}");
    }
}

/// R-DE39: 30 comes before 58.
#[test]
fn r_de39_malformed_before_an_unknown_terminal() {
    let unknown = with(purchase(), 41, b"XXX00001");
    assert_eq!(read(&unknown), Err(Reason::Terminal));
    let cases: [(u8, &[u8]); 7] =
        [(3, b"x"), (12, b"990000"), (14, b"x"), (33, b"x"), (49, b"x"), (90, b"x"), (95, b"x")];
    for (de, value) in cases {
        let message = with(unknown.clone(), de, value);
        assert_eq!(read(&message), Err(Reason::Format), "DE{de}");
    }
}

#[test]
fn r_fields_absent_fields_are_filled() {
    let request = read(&purchase()).unwrap();
    assert_eq!(request.local, MonthTime::new(1_122_100_000).unwrap());
    assert_eq!((request.acquirer, request.currency), (bank(100_001), 408));
    assert_eq!(request.retailer.as_str(), "PYO-SHOP-000001");
    assert!(request.rrn.is_blank() && !request.rrn_sent);
    assert_eq!((request.first_received, request.age_ms), (NOW, 0));
    // One of DE12 and DE13 alone.
    let request = read(&with(purchase(), 12, b"235959")).unwrap();
    assert_eq!(request.local, MonthTime::new(1_122_235_959).unwrap());
    // What was sent stands.
    let mut message = with(purchase(), 37, b"000000000001");
    for (de, value) in [(13, b"1121".as_slice()), (32, b"100001"), (42, b"ANOTHER"), (49, b"840")] {
        message.set(de, value);
    }
    let request = read(&message).unwrap();
    assert_eq!((request.local.date(), request.currency), (1121, 840));
    assert_eq!((request.rrn.as_str(), request.rrn_sent), ("000000000001", true));
    assert_eq!(request.retailer.as_str(), "ANOTHER");
}

#[test]
fn r_link_terminals_of_two_acquirers() {
    let twice = with(purchase(), 41, b"TWICE001");
    assert_eq!(read(&twice), Err(Reason::Terminal));
    let second = read(&with(twice.clone(), 32, b"100002")).unwrap();
    assert_eq!((second.acquirer, second.retailer.as_str()), (bank(100_002), "SHOP-2"));
    assert_eq!(read(&with(twice, 32, b"100003")), Err(Reason::Terminal));
    // A bank vouches for its terminals, whatever they are called.
    let unknown = with(purchase(), 41, b"XXX00001");
    let request = read_from(&unknown, Source::Bank(bank(100_003))).unwrap();
    assert_eq!((request.acquirer, request.retailer.is_blank()), (bank(100_003), true));
}

#[test]
fn r_fields_cards() {
    let good = read(&purchase()).unwrap();
    assert!(good.card_valid);
    let card = good.card.unwrap();
    assert_eq!((card.first8, card.last4, card.pan_len), (94_080_200, 15, 16));
    let (pan, _) = vault().pan(&card, good.candidate.get(), SEAL_KIND).unwrap();
    assert_eq!(pan.digits(), PAN);
    // The track alone; DE2 wins over it.
    let track = with(without(purchase(), 2), 35, b"9408020000000015=31121011234");
    let request = read(&track).unwrap();
    assert_eq!((request.card.unwrap().token, request.expiry), (card.token, Some(3112)));
    let both = read(&with(purchase(), 35, b"9408010000000016=2512")).unwrap();
    assert_eq!(both.card.unwrap().token, card.token);
    assert_eq!(read(&with(purchase(), 14, b"2612")).unwrap().expiry, Some(2612));
    // Luhn, and lengths that no card has.
    let wrong = read(&with(purchase(), 2, b"9408020000000016")).unwrap();
    assert!(!wrong.card_valid && wrong.card.is_some());
    for digits in [b"940802015".as_slice(), b"94080200000000000015"] {
        let short = read(&with(purchase(), 2, digits)).unwrap();
        assert!(!short.card_valid && short.card.is_none());
    }
}

#[test]
fn r_secrets_what_is_never_carried() {
    let mut message = with(purchase(), 52, b"12345678");
    for (de, value) in [(22, b"051".as_slice()), (55, b"chip"), (60, b"private")] {
        message.set(de, value);
    }
    let request = read(&message).unwrap();
    assert!(request.has_pin && !read(&purchase()).unwrap().has_pin);
    let carried: Vec<u8> = request.carried.iter().map(|(de, _)| de).collect();
    assert_eq!(carried, [22, 55, 60]);
    let reversal = read(&with(reversal(), 60, b"private")).unwrap();
    assert_eq!(reversal.carried, Carried::NONE);
}

#[test]
fn r_fields_balance_needs_no_amount() {
    let balance = without(with(purchase(), 3, b"310000"), 4);
    assert_eq!(read(&balance).unwrap().amount, Amount::ZERO);
}

#[test]
fn r_fields_de90_and_de95() {
    let request = read(&with(reversal(), 39, b"17")).unwrap();
    let named = OriginalRef {
        mti: 200,
        stan: 1,
        transmitted: 1_122_010_000,
        acquirer: 100_001,
        forwarding: 7,
    };
    assert_eq!((request.original, request.actual), (Some(named), None));
    assert_eq!(request.reason, ResponseCode::new(b"17"));
    let zeros = read(&with(reversal(), 90, &[b'0'; 42])).unwrap();
    assert_eq!(zeros.original, Some(OriginalRef::default()));
    for garbage in [&[b'0'; 41][..], &[b'0'; 43], &[b'9'; 42], &[b'x'; 42], &[0xff; 42], b""] {
        assert_eq!(read(&with(reversal(), 90, garbage)), Err(Reason::Format), "{garbage:?}");
    }
    let part = b"000000000300000000000000C00000000C00000000";
    assert_eq!(read(&with(reversal(), 95, part)).unwrap().actual, Amount::new(300));
    for garbage in [b"+00000000300".as_slice(), b"00000000030", b"", b"00000000030x", &[0xff; 42]] {
        assert_eq!(read(&with(reversal(), 95, garbage)), Err(Reason::Format), "{garbage:?}");
    }
}

/// Sends a request through a session and answers it: the message on the wire.
fn answered(request: &Message, answer: &Answer) -> Message {
    let dialect = Dialect::builtin("iso87-ascii").unwrap();
    let (mut bytes, mut framed) = (Vec::new(), Vec::new());
    dialect.encode(request, &mut bytes).unwrap();
    write_frame(Framing::Be2, &bytes, &mut framed).unwrap();
    let mut session = Session::new(vec![dialect], 4);
    session.push(&framed);
    let Some(Incoming::Message(message)) = session.take() else { panic!("unreadable") };
    let filled = read(&message).unwrap();
    assert!(session.expect_answer(5, &message, &filled));
    let mut out = Vec::new();
    assert!(session.answer(5, answer, &mut out));
    assert!(!session.answer(5, answer, &mut Vec::new()), "answered twice");
    let mut deframer = Deframer::new(Framing::Be2, 8192);
    deframer.push(&out);
    dialect.decode(deframer.next().unwrap().unwrap()).unwrap()
}

fn elements(message: &Message) -> Vec<u8> {
    message.fields().map(|(de, _)| de).collect()
}

fn approval() -> Answer {
    let mut carried = Carried::NONE;
    carried.push(54, b"0002408D000000001000");
    carried.push(4, b"000000009999");
    Answer {
        code: ResponseCode::APPROVED,
        text: Text25::new(b"THANK YOU").unwrap(),
        approval: ApprovalCode::new(b"A1B2C3").unwrap(),
        rrn: Rrn::new(b"6326PY000001").unwrap(),
        business_date: Some(BusinessDate(20_779)),
        carried,
    }
}

#[test]
fn r_fields_an_answer_echoes_and_adds() {
    let mut request = purchase();
    for (de, value) in [(12, b"100000".as_slice()), (13, b"1122"), (22, b"051"), (32, b"100001")] {
        request.set(de, value);
    }
    for (de, value) in [(35, b"9408020000000015=3112".as_slice()), (42, b"PYO-SHOP-000001")] {
        request.set(de, value);
    }
    request.set(49, b"408");
    let answer = answered(&request, &approval());
    assert_eq!(answer.mti().number(), 210);
    let expected = [2, 3, 4, 7, 11, 12, 13, 15, 32, 37, 38, 39, 41, 42, 44, 49, 54];
    assert_eq!(elements(&answer), expected);
    assert_eq!(answer.get(4), Some(&b"000000001250"[..]), "the request's own amount");
    assert_eq!((answer.text(15), answer.text(37)), (Some("1122"), Some("6326PY000001")));
    // Balances only in an 0210.
    for (mti, balances) in [(100, false), (101, false), (201, true), (220, false)] {
        request.set_mti(Mti::new(mti).unwrap());
        assert_eq!(answered(&request, &approval()).has(54), balances, "{mti}");
    }
    // DE38 only with an approval.
    let declined = Answer { code: ResponseCode::new(b"51").unwrap(), ..approval() };
    assert!(!answered(&request, &declined).has(38));
    let refused = answered(&purchase(), &Answer::refusal(Reason::Card, Rrn::BLANK));
    // What the station filled in is in the answer too.
    assert_eq!(elements(&refused), [2, 3, 4, 7, 11, 12, 13, 32, 39, 41, 42, 44, 49]);
    let filled = [32, 42, 49].map(|de| refused.text(de).unwrap());
    assert_eq!(filled, ["100001", "PYO-SHOP-000001", "408"]);
    let undone = answered(&reversal(), &Answer::acknowledgement(Rrn::BLANK));
    let expected = vec![3, 4, 7, 11, 12, 13, 32, 39, 41, 42, 49];
    assert_eq!((undone.mti().number(), elements(&undone)), (430, expected));
}

/// R-MATCH: DE37 as sent is echoed, whatever the payment's own is.
#[test]
fn r_match_a_sent_de37_is_echoed() {
    let request = with(purchase(), 37, b"TERMINAL0001");
    assert_eq!(answered(&request, &approval()).text(37), Some("TERMINAL0001"));
}

fn seen(request: &Request) -> Seen {
    Seen {
        mti: request.mti,
        acquirer: request.acquirer,
        terminal: request.terminal,
        retailer: request.retailer,
        stan: request.stan,
        transmitted: request.transmitted,
        local: request.local,
        rrn: Rrn::new(b"6326PY000001").unwrap(),
        rrn_sent: false,
        processing: request.processing,
        amount: request.amount,
        currency: request.currency,
        card: request.card,
        forwarding: 7,
        station: None,
        first_received: request.first_received,
    }
}

fn trace(stan: u32) -> Trace {
    Trace { stan: Stan::new(stan).unwrap(), transmitted: MonthTime::new(1_122_010_001).unwrap() }
}

#[test]
fn r_link_issuers_get_the_hubs_own_de11_and_de7() {
    let request = read(&with(purchase(), 22, b"051")).unwrap();
    let seen = seen(&request);
    let id = request.candidate;
    let ask = issuer::ask(&vault(), id, &seen, trace(77), &request.carried).unwrap();
    assert_eq!(
        (ask.mti().number(), ask.text(11), ask.text(7)),
        (200, Some("000077"), Some("1122010001"))
    );
    assert_eq!(elements(&ask), [2, 3, 4, 7, 11, 12, 13, 22, 32, 37, 41, 42, 49]);
    assert_eq!((ask.get(2), ask.text(12)), (Some(PAN), Some("100000")));
    let mut advice = issuer::Advice {
        id,
        seen: &seen,
        original: trace(77),
        trace: trace(78),
        code: ResponseCode::new(b"68").unwrap(),
        actual: None,
        repeat: false,
    };
    let first = issuer::advise(&vault(), &advice).unwrap();
    assert_eq!(first.mti().number(), 420);
    assert_eq!(elements(&first), [2, 3, 4, 7, 11, 12, 13, 32, 37, 39, 41, 42, 49, 90]);
    // DE90 is rewritten to this link's values.
    assert_eq!(first.text(90), Some("020000007711220100010000010000100000000007"));
    advice.repeat = true;
    advice.actual = Amount::new(300);
    let again = issuer::advise(&vault(), &advice).unwrap();
    assert_eq!((again.mti().number(), again.text(11)), (421, first.text(11)));
    assert_eq!(again.text(95), Some("000000000300000000000000C00000000C00000000"));
    // A card sealed for another payment opens nothing.
    advice.id = scheme::PaymentId::new(16).unwrap();
    assert!(issuer::advise(&vault(), &advice).is_err());
}

#[test]
fn r_link_an_answer_without_what_names_it_is_no_answer() {
    let mut good = purchase();
    good.set_mti(Mti::new(210).unwrap());
    for (de, value) in [(38, b"A1B2C3".as_slice()), (39, b"00"), (54, b"balance")] {
        good.set(de, value);
    }
    let answer = issuer::answer(bank(100_002), &good).unwrap();
    assert_eq!((answer.trace.stan.get(), answer.amount), (1, Amount::new(1250).unwrap()));
    assert_eq!(answer.approval.as_str(), "A1B2C3");
    for de in [3, 4, 7, 11, 39, 41] {
        assert_eq!(issuer::answer(bank(100_002), &without(good.clone(), de)), None, "DE{de}");
    }
    for de in [7, 11, 39] {
        assert_eq!(issuer::acknowledgement(&without(good.clone(), de)), None, "DE{de}");
    }
}
