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
        let before = rig.records.len();
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), *said);
        assert_eq!(rig.records.len() - before, usize::from(*recorded), "{said}");
        assert!(rig.asks.is_empty());
    }
}

#[test]
fn r_de39_one_fault_at_a_time() {
    for (said, recorded, fault) in FAULTS {
        let mut rig = Rig::new();
        let mut request = rig.purchase();
        fault(&mut request);
        let before = rig.records.len();
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), said);
        assert_eq!(rig.records.len() - before, usize::from(recorded), "{said}");
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
        let records = rig.records.len();
        let ticket = rig.send(request);
        assert_eq!(rig.asks.len(), asked, "{age_ms}");
        if asked == 0 {
            assert_eq!((rig.said(ticket).as_str(), rig.records.len()), ("91 TRUNK DOWN", records));
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
    let kinds: Vec<bool> =
        rig.records[before..].iter().map(|r| matches!(r.fact, Fact::Opened(_))).collect();
    assert_eq!(kinds, [true, false], "an approved payment is two records");
    let records = rig.records.len();
    rig.counts.clear();
    rig.send(rig.again(&first));
    rig.send(Request { amount: amount(5), ..rig.again(&first) });
    assert_eq!(rig.records.len(), records);
    assert_eq!(rig.counts, [Count::Repeat, Count::Refused(scheme::Reason::Duplicate)]);
    rig.pass(SECOND);
    assert_eq!(rig.records.len(), records);
}
