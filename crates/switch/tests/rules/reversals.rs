//! R-REVERSAL: always acknowledged; they count once, in time, from the right place.

use switch::hub::Status;
use switch::record::{Fact, FindingKind};
use switch::{PeerId, Request};

use crate::rig::{A, B, DAY, Event, Rig, SECOND, amount, bank, card, code, mti, terminal};

#[test]
fn r_reversal_returns_a_posted_payment() {
    for number in [400, 401, 420, 421] {
        let mut rig = Rig::new();
        let first = rig.purchase();
        let id = rig.pay(&first);
        assert_eq!(rig.nets(), [1000, -1000, 0]);
        let undo = Request { mti: mti(number), ..rig.reversal(&first) };
        let ticket = rig.send(undo);
        assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Reversed));
        assert_eq!(rig.nets(), [0, 0, 0]);
        let advice = rig.advices[0].clone();
        assert_eq!((advice.code, advice.actual), (code("22"), None));
        assert_eq!(advice.original, rig.asks[0].trace);
        assert!(!rig.payment(id).reversal_acknowledged);
        rig.acknowledge(&advice, "00");
        assert!(rig.payment(id).reversal_acknowledged);
        assert_eq!(rig.findings(), 0);
    }
}

/// The record stands before the answer and the advice, so that both wait for the disk.
#[test]
fn r_record_nothing_leaves_before_its_record() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.events.clear();
    let one = rig.send(first.clone());
    rig.issuer_says("00");
    let undo = rig.reversal(&first);
    let two = rig.send(undo);
    let expected = [
        Event::Record,
        Event::Ask,
        Event::Record,
        Event::Answer(one),
        Event::Record,
        Event::Answer(two),
        Event::Advise,
    ];
    assert_eq!(rig.events, expected);
    assert_eq!(rig.asks[0].line, crate::rig::B);
}

#[test]
fn r_reversal_twice_moves_nothing() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let undo = rig.reversal(&first);
    rig.send(undo.clone());
    let records = rig.written();
    for number in [420, 421, 400] {
        let ticket = rig.send(Request { mti: mti(number), ..rig.again(&undo) });
        assert_eq!(rig.said(ticket), "00");
    }
    assert_eq!((rig.nets(), rig.written(), rig.advices.len()), ([0, 0, 0], records, 1));
}

#[test]
fn r_reversal_of_part_returns_the_rest() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let undo = Request { actual: Some(amount(300)), ..rig.reversal(&first) };
    rig.send(undo.clone());
    assert_eq!(rig.nets(), [300, -300, 0]);
    assert_eq!((rig.status(id), rig.payment(id).returned), (Status::Posted, amount(700)));
    let advice = &rig.advices[0];
    assert_eq!((advice.code, advice.actual), (code("32"), Some(amount(300))));
    // The rest cannot be asked for a second time, and the payment still stands.
    let rest = rig.reversal(&first);
    rig.send(rest);
    assert_eq!(rig.nets(), [300, -300, 0]);
    let again = rig.send(rig.again(&first));
    assert_eq!(rig.said(again), "00");
}

#[test]
fn r_reversal_of_an_impossible_part_is_a_finding() {
    for actual in [1000, 1001, 2_000_000] {
        let mut rig = Rig::new();
        let first = rig.purchase();
        let id = rig.pay(&first);
        let undo = Request { actual: Some(amount(actual)), ..rig.reversal(&first) };
        let ticket = rig.send(undo);
        assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
        assert_eq!(rig.found(FindingKind::AmountMismatch), 1, "{actual}");
    }
}

#[test]
fn r_reversal_that_shows_another_card_moves_nothing() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let undo = Request { card: Some(card(B, 9)), ..rig.reversal(&first) };
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    assert_eq!(rig.found(FindingKind::CardMismatch), 1);
    // One that shows none is found by DE90 and counts.
    let undo = Request { card: None, ..rig.reversal(&first) };
    rig.send(undo);
    assert_eq!(rig.status(id), Status::Reversed);
}

#[test]
fn r_reversal_too_late_or_of_another_amount_is_a_finding() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let undo = rig.reversal(&first);
    let ticket = rig.send(Request { amount: amount(999), ..undo });
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    assert_eq!(rig.found(FindingKind::AmountMismatch), 1);
    rig.jump(DAY + 1);
    let late = rig.reversal(&first);
    let ticket = rig.send(late);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    assert_eq!(rig.found(FindingKind::LateReversal), 1);
    // Exactly 24 hours is in time.
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    rig.jump(DAY);
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!(rig.status(id), Status::Reversed);
}

#[test]
fn r_reversal_from_elsewhere_moves_nothing() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let other = Request { terminal: terminal("PYO00002"), ..rig.reversal(&first) };
    let ticket = rig.send(other);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    let foreign = Request { acquirer: bank(B), ..rig.reversal(&first) };
    let ticket = rig.send_from(PeerId::Bank(bank(B)), foreign);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    assert_eq!(rig.found(FindingKind::UnknownOriginal), 2);
    // A peer that may not speak for the terminal at all is refused.
    let undo = rig.reversal(&first);
    let ticket = rig.send_from(PeerId::Bank(bank(B)), undo);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("58 TERMINAL", Status::Posted));
}

#[test]
fn r_reversal_in_flight_ends_the_payment() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let one = rig.send(first.clone());
    let undo = Request { reason: Some(code("17")), ..rig.reversal(&first) };
    let two = rig.send(undo);
    assert_eq!((rig.said(one).as_str(), rig.said(two).as_str()), ("94 REVERSED", "00"));
    let id = rig.asks[0].id;
    assert_eq!(rig.status(id), Status::Reversed);
    assert_eq!((rig.advices.len(), rig.advices[0].code), (1, code("17")));
    // The approval comes too late, and is what the advice undoes.
    rig.issuer_says("00");
    assert_eq!((rig.status(id), rig.nets()), (Status::Reversed, [0, 0, 0]));
    rig.pass(14 * SECOND);
    let three = rig.send(rig.again(&first));
    assert_eq!(rig.said(three), "94 REVERSED");
    assert_eq!((rig.asks.len(), rig.advices.len()), (1, 1));
}

#[test]
fn r_reversal_of_a_declined_or_voided_payment_moves_nothing() {
    let mut rig = Rig::new();
    let declined = rig.purchase();
    rig.send(declined.clone());
    rig.issuer_says("51");
    let voided = rig.purchase();
    rig.send(voided.clone());
    rig.pass(15 * SECOND);
    let refused = Request { card_valid: false, ..rig.purchase() };
    rig.send(refused.clone());
    let records = rig.written();
    for request in [declined, voided, refused] {
        let undo = rig.reversal(&request);
        let ticket = rig.send(undo);
        assert_eq!(rig.said(ticket), "00");
    }
    assert_eq!((rig.written(), rig.nets()), (records, [0, 0, 0]));
    assert_eq!(rig.advices.len(), 1, "only the voided one was ever owed");
}

/// The reversal arrives in the very turn in which the issuer is late, under another trace number.
#[test]
fn r_reversal_in_the_turn_of_the_deadline() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let one = rig.send(first.clone());
    let undo = rig.reversal(&first);
    rig.jump(15 * SECOND);
    let two = rig.send(Request { original: None, rrn_sent: true, ..undo });
    assert_eq!((rig.said(one).as_str(), rig.said(two).as_str()), ("91 ISSUER LATE", "00"));
    assert_eq!(rig.status(rig.asks[0].id), Status::Voided);
}

#[test]
fn r_reversal_belongs_to_the_terminal_of_the_payment() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let undo = rig.reversal(&first);
    rig.send(undo);
    let reversed: Vec<_> =
        rig.records.iter().filter(|record| matches!(record.fact, Fact::Reversed(_))).collect();
    assert_eq!(reversed.len(), 1);
    assert_eq!(rig.payment(rig.asks[0].id).seen.acquirer, bank(A));
}
