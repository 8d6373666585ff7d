//! R-DE39: a request with several faults is refused for the first; R-RECORD: what is a record.

use scheme::{LocalTime, Processing, RetailerId};
use switch::hub::Count;
use switch::record::{Fact, FindingKind};
use switch::{PeerId, Request};

use crate::rig::{A, B, C, Rig, SECOND, amount, bank, card, mti, shop, terminal};

type Fault = (&'static str, bool, fn(&mut Request));

/// Faults in order of precedence: DE39 and DE44, whether it is a record, and how to make it.
const FAULTS: [Fault; 12] = [
    ("58 TERMINAL", false, |r| r.terminal = terminal("XXX00001")),
    ("58 NO PIN", false, |r| r.has_pin = true),
    ("03 RETAILER", false, |r| r.retailer = RetailerId::new(b"OTHER").unwrap()),
    ("12 NOT SUPPORTED", false, |r| r.processing = Processing::new(260_000).unwrap()),
    ("12 CURRENCY", false, |r| r.currency = 840),
    ("12 CLOCK", false, |r| r.local = LocalTime::new(101_000_000).unwrap()),
    ("13 AMOUNT ZERO", true, |r| r.amount = amount(0)),
    ("14 CARD NUMBER", true, |r| r.card_valid = false),
    ("15 NO ISSUER", true, |r| r.card.as_mut().unwrap().first8 = 12_345_678),
    ("54 EXPIRED", true, |r| r.expiry = Some(2610)),
    ("41 LOST", true, |r| r.card.as_mut().unwrap().token = card(B, 100).token),
    ("92 NO ROUTE", true, |r| r.card.as_mut().unwrap().first8 = 94_080_900),
];

#[test]
fn r_de39_order_of_precedence() {
    for (at, (said, recorded, _)) in FAULTS.iter().enumerate() {
        let mut rig = Rig::new();
        // The least important first: of two that exclude each other, the more important wins.
        let mut request = rig.purchase();
        for (_, _, fault) in FAULTS[at..].iter().rev() {
            fault(&mut request);
        }
        let before = rig.written();
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), *said);
        assert_eq!(rig.written() - before, usize::from(*recorded), "{said}");
        assert!(rig.asks.is_empty());
    }
}

#[test]
fn r_de39_one_fault_at_a_time() {
    for (said, recorded, fault) in FAULTS {
        let mut rig = Rig::new();
        let mut request = rig.purchase();
        fault(&mut request);
        let before = rig.written();
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), said);
        assert_eq!(rig.written() - before, usize::from(recorded), "{said}");
    }
}

#[test]
fn r_de39_amounts_expiry_and_issuers_at_their_edges() {
    let mut rig = Rig::new();
    let over = Request { amount: amount(crate::rig::AMOUNT_MAX + 1), ..rig.purchase() };
    let ticket = rig.send(over);
    assert_eq!(rig.said(ticket), "13 AMOUNT LIMIT");
    let most = Request { amount: amount(crate::rig::AMOUNT_MAX), ..rig.purchase() };
    let ticket = rig.send(most);
    assert_eq!(rig.said(ticket), "91 CAP");
    for (expiry, expired) in [(2611, false), (2610, true), (2511, true), (2701, false)] {
        let request = Request { expiry: Some(expiry), ..rig.purchase() };
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket) == "54 EXPIRED", expired, "{expiry}");
    }
    rig.sign_off(C);
    let request = Request { card: Some(card(C, 1)), ..rig.purchase() };
    let ticket = rig.send(request);
    assert_eq!(rig.said(ticket), "91 ISSUER DOWN");
}

#[test]
fn r_de39_matching_comes_before_the_rest() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    // A repeat gets its record, whatever has become wrong since.
    rig.sign_off(B);
    let repeat = Request { retailer: shop(C), expiry: Some(2001), ..rig.again(&first) };
    let ticket = rig.send(repeat);
    assert_eq!(rig.said(ticket), "00");
    let conflict = Request { amount: amount(0), ..rig.again(&first) };
    let ticket = rig.send(conflict);
    assert_eq!(rig.said(ticket), "94 DUPLICATE");
}

#[test]
fn r_de39_message_types_that_are_not_supported() {
    for number in [102, 105, 202, 205, 1200, 2200, 500, 600] {
        let mut rig = Rig::new();
        let request = Request { mti: mti(number), ..rig.purchase() };
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), "12 NOT SUPPORTED", "{number:04}");
    }
}

#[test]
fn r_de39_terminals_and_who_speaks_for_them() {
    let mut rig = Rig::new();
    // Another station's terminal.
    let other = Request {
        acquirer: bank(B),
        terminal: terminal("NAM00001"),
        retailer: shop(B),
        ..rig.purchase()
    };
    let ticket = rig.send_from(PeerId::Station(scheme::StationId(1)), other.clone());
    assert_eq!(rig.said(ticket), "58 TERMINAL");
    // DE32 is not the terminal's acquirer.
    let foreign = Request { acquirer: bank(C), ..other.clone() };
    let ticket = rig.send(foreign);
    assert_eq!(rig.said(ticket), "58 TERMINAL");
    // On a bank link DE32 must be that bank; a registered terminal keeps its retailer.
    let ticket = rig.send_from(PeerId::Bank(bank(A)), other.clone());
    assert_eq!(rig.said(ticket), "58 TERMINAL");
    let wrong = Request { retailer: shop(A), ..other.clone() };
    let ticket = rig.send_from(PeerId::Bank(bank(B)), wrong);
    assert_eq!(rig.said(ticket), "03 RETAILER");
    let ticket = rig.send_from(PeerId::Bank(bank(B)), Request { card: Some(card(A, 1)), ..other });
    assert_eq!((rig.said(ticket).as_str(), rig.asks.len()), ("nothing", 1));
}

#[test]
fn r_de39_overload_refuses_purchases_but_no_reversals() {
    let mut rig = Rig::new();
    let posted = rig.purchase();
    rig.pay(&posted);
    let mut first = None;
    for _ in 0..crate::rig::config().in_flight_max {
        let request = rig.purchase();
        first.get_or_insert(request.clone());
        rig.send(request);
    }
    let more = rig.purchase();
    let ticket = rig.send(more);
    assert_eq!(rig.said(ticket), "96 OVERLOAD");
    let undo = rig.reversal(&posted);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [0, 0, 0]));
    let undo = rig.reversal(&first.unwrap());
    rig.send(undo);
    let more = rig.purchase();
    rig.pay(&more);
}

#[test]
fn r_trunk_a_request_of_25_seconds_gets_no_hold() {
    for (age_ms, asked) in [(24_999, 1), (25_000, 0), (60_000, 0)] {
        let mut rig = Rig::new();
        let request = Request { age_ms, ..rig.purchase() };
        let records = rig.written();
        let ticket = rig.send(request);
        assert_eq!(rig.asks.len(), asked, "{age_ms}");
        if asked == 0 {
            assert_eq!((rig.said(ticket).as_str(), rig.written()), ("91 TRUNK DOWN", records));
        }
    }
}

#[test]
fn r_accounts_an_advice_that_completes_nothing_moves_nothing() {
    let mut rig = Rig::new();
    for (n, number) in [220, 221, 120].into_iter().enumerate() {
        let advice = Request { mti: mti(number), ..rig.purchase() };
        let ticket = rig.send(advice);
        assert_eq!(rig.said(ticket), "00");
        assert_eq!(rig.found(FindingKind::UnmatchedAdvice), n as u64 + 1);
    }
    assert_eq!((rig.asks.len(), rig.nets()), (0, [0, 0, 0]));
}

#[test]
fn r_record_what_is_a_record_and_what_is_only_counted() {
    let mut rig = Rig::new();
    let before = rig.records.len();
    let first = rig.purchase();
    rig.pay(&first);
    let of_payment = rig.records[before..].iter().filter_map(|record| match record.fact {
        Fact::Covered { .. } | Fact::Proposed(_) | Fact::Dropped => None,
        ref fact => Some(matches!(fact, Fact::Opened(_))),
    });
    let kinds: Vec<bool> = of_payment.collect();
    assert_eq!(kinds, [true, false], "an approved payment is two records");
    let records = rig.written();
    rig.counts.clear();
    rig.send(rig.again(&first));
    rig.send(Request { amount: amount(5), ..rig.again(&first) });
    assert_eq!(rig.written(), records);
    assert_eq!(rig.counts, [Count::Repeat, Count::Refused(scheme::Reason::Duplicate)]);
    rig.pass(SECOND);
    assert_eq!(rig.written(), records);
}

type Defect = (&'static str, fn(&mut Rig, &mut Request));

/// Every refusal of ours that a request can meet at the hub, in the order of R-DE39, and what
/// brings it about. 30 is told by `interchange`; of an enquiry's own 30 there is a test below.
const DEFECTS: [Defect; 20] = [
    ("96 OVERLOAD", |rig, _| {
        for _ in rig.hub.in_flight()..crate::rig::config().in_flight_max {
            let card = Some(card(C, 1));
            let other = Request { card, amount: amount(1), ..rig.purchase() };
            rig.send(other);
        }
    }),
    ("58 TERMINAL", |_, r| r.terminal = terminal("NAM00001")),
    ("58 NO PIN", |_, r| r.has_pin = true),
    ("94 DUPLICATE", |rig, r| {
        let (stan, local) = (r.stan, r.local);
        let other = Request { stan, local, card: Some(card(C, 1)), ..rig.purchase() };
        let transmitted = scheme::MonthTime::new(1_121_000_000).unwrap();
        rig.pay(&Request { transmitted, ..other });
    }),
    ("94 REVERSED", |rig, r| {
        let undo = rig.reversal(&Request { retailer: shop(A), ..r.clone() });
        rig.send(undo);
    }),
    ("03 RETAILER", |_, r| r.retailer = RetailerId::new(b"OTHER").unwrap()),
    ("12 NOT SUPPORTED", |_, r| r.mti = mti(202)),
    ("12 CURRENCY", |_, r| r.currency = 840),
    ("12 CLOCK", |_, r| r.local = LocalTime::new(101_000_000).unwrap()),
    ("13 AMOUNT LIMIT", |_, r| r.amount = amount(crate::rig::AMOUNT_MAX + 1)),
    ("14 CARD NUMBER", |_, r| r.card_valid = false),
    ("15 NO ISSUER", |_, r| r.card.as_mut().unwrap().first8 = 12_345_678),
    ("54 EXPIRED", |_, r| r.expiry = Some(2610)),
    ("41 LOST", |_, r| r.card.as_mut().unwrap().token = card(B, 100).token),
    ("92 NO ROUTE", |_, r| r.card.as_mut().unwrap().first8 = 94_080_900),
    ("57 REFUND RULE", |_, r| r.processing = Processing::new(200_000).unwrap()),
    ("91 ISSUER DOWN", |rig, _| rig.sign_off(B)),
    ("91 CAP", |rig, _| rig.cap(B, 0)),
    ("51", |_, _| {}),
    ("nothing", |_, _| {}),
];

/// A request with two defects that follow each other is refused for the first.
#[test]
fn r_de39_of_two_refusals_the_earlier_one_counts() {
    for pair in DEFECTS.windows(2) {
        let [(said, first), (other, second)] = pair else { panic!("a window of two") };
        let mut rig = Rig::new();
        let mut request = rig.purchase();
        second(&mut rig, &mut request);
        first(&mut rig, &mut request);
        let asked = rig.asks.len();
        let ticket = rig.send(request);
        if *said == "51" {
            rig.issuer_says("51");
        } else {
            assert_eq!(rig.asks.len(), asked, "{said} and {other}: the issuer was asked");
        }
        assert_eq!(rig.said(ticket), *said, "{said} and {other}");
    }
}

#[test]
fn r_de39_hot_cards_each_have_their_code() {
    for (reason, said) in [
        (scheme::Reason::Lost, "41 LOST"),
        (scheme::Reason::Stolen, "43 STOLEN"),
        (scheme::Reason::Restricted, "62 RESTRICTED"),
    ] {
        let mut rig = Rig::new();
        let token = card(B, 1).token;
        rig.drive(switch::hub::Input::Business(Fact::HotCard { token, reason }));
        for make in [Rig::purchase, Rig::preauth, Rig::balance_of] {
            let request = make(&mut rig);
            let ticket = rig.send(request);
            assert_eq!(rig.said(ticket), said);
        }
    }
}

#[test]
fn r_de39_what_is_malformed_comes_before_who_sends_it() {
    let mut rig = Rig::new();
    let wrong = Request { amount: amount(1), ..rig.balance_of() };
    let foreign = Request { terminal: terminal("NAM00001"), ..wrong.clone() };
    let ticket = rig.send_from(PeerId::Station(scheme::StationId(1)), foreign);
    assert_eq!(rig.said(ticket), "30 FORMAT");
    (DEFECTS[0].1)(&mut rig, &mut wrong.clone());
    let ticket = rig.send(wrong);
    assert_eq!(rig.said(ticket), "96 OVERLOAD");
}

/// Cash and cashback only where the configuration says so (profile `demo`).
#[test]
fn r_secrets_cash_without_a_pin_only_in_the_demo() {
    for processing in [10_000, 90_000] {
        let processing = Processing::new(processing).unwrap();
        let mut rig = Rig::new();
        let cash = Request { processing, ..rig.purchase() };
        let id = rig.pay(&cash);
        assert_eq!(rig.nets(), [1000, -1000, 0]);
        let part = Request { actual: Some(amount(400)), ..rig.reversal(&cash) };
        rig.send(part);
        assert_eq!((rig.nets(), rig.payment(id).returned), ([400, -400, 0], amount(600)));
        let mut rig = Rig::without_cash();
        let cash = Request { processing, ..rig.purchase() };
        let ticket = rig.send(cash);
        assert_eq!(rig.said(ticket), "12 NOT SUPPORTED");
    }
}

/// A bank that has signed off gets nothing, and what was asked before may still be answered.
#[test]
fn r_link_a_bank_that_signs_off() {
    let mut rig = Rig::new();
    let open = rig.purchase();
    let one = rig.send(open);
    rig.sign_off(B);
    for make in [Rig::purchase, Rig::preauth, Rig::balance_of] {
        let request = make(&mut rig);
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), "91 ISSUER DOWN");
    }
    rig.issuer_says("00");
    assert_eq!((rig.said(one).as_str(), rig.nets()), ("00", [1000, -1000, 0]));
    rig.sign_on(B);
    let again = rig.purchase();
    rig.pay(&again);
}

/// R-LINK: the acquirer vouches for its terminals, in every kind of payment.
#[test]
fn r_link_an_acquirers_host_does_every_kind() {
    let mut rig = Rig::new();
    let peer = PeerId::Bank(bank(C));
    let at = |r: Request| Request {
        acquirer: bank(C),
        terminal: terminal("C-TILL-9"),
        retailer: RetailerId::new(b"ANY SHOP").unwrap(),
        ..r
    };
    let paid = |rig: &mut Rig, request: &Request| {
        let ticket = rig.send_from(peer, request.clone());
        rig.issuer_says("00");
        assert_eq!(rig.said(ticket), "00", "{request:?}");
    };
    let first = at(rig.purchase());
    paid(&mut rig, &first);
    let refund = at(rig.refund(&first, 300));
    paid(&mut rig, &refund);
    let hold = at(rig.preauth());
    paid(&mut rig, &hold);
    let done = at(rig.completion(&hold, 500));
    let ticket = rig.send_from(peer, done);
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [0, -1200, 1200]));
    let balance = at(rig.balance_of());
    paid(&mut rig, &balance);
    // On-us, too.
    let own = Request { card: Some(card(C, 1)), ..at(rig.purchase()) };
    paid(&mut rig, &own);
    assert_eq!(rig.nets(), [0, -1200, 1200]);
    // Another bank, or a station, does not speak for it.
    for peer in [PeerId::Bank(bank(A)), PeerId::Station(scheme::StationId(1))] {
        for request in [at(rig.purchase()), at(rig.reversal(&first)), at(rig.completion(&hold, 1))]
        {
            let ticket = rig.send_from(peer, request);
            assert_eq!(rig.said(ticket), "58 TERMINAL");
        }
    }
}

/// Two acquirers at one station share neither trace numbers nor payments.
#[test]
fn r_match_acquirers_at_one_station_are_apart() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let other = Request {
        acquirer: bank(C),
        terminal: terminal("PSG00001"),
        retailer: shop(C),
        ..rig.again(&first)
    };
    rig.pay(&other);
    assert_eq!(rig.nets(), [1000, -2000, 1000]);
    let undo = rig.reversal(&other);
    rig.send(undo);
    assert_eq!(rig.nets(), [1000, -1000, 0]);
}
