//! R-ACCOUNTS: caps, overcap, on-us.

use ledger::chart;
use scheme::{Currency, StationId};
use switch::hub::{Input, Status};
use switch::record::{Fact, FindingKind};
use switch::{PeerId, Request};

use crate::rig::{A, B, C, CAP, Rig, SECOND, amount, bank, card, shop, terminal};

fn of(rig: &mut Rig, minor: u64) -> Request {
    Request { amount: amount(minor), ..rig.purchase() }
}

/// A purchase by a card of `issuer` at the shop of B, on B's own link.
fn at_b(rig: &mut Rig, issuer: u64, minor: u64) -> Request {
    Request {
        acquirer: bank(B),
        terminal: terminal("NAM00001"),
        retailer: shop(B),
        card: Some(card(issuer, 1)),
        ..of(rig, minor)
    }
}

#[test]
fn r_accounts_the_cap_exactly_met_and_one_over() {
    let mut rig = Rig::new();
    let all = of(&mut rig, CAP);
    rig.pay(&all);
    let one = of(&mut rig, 1);
    let ticket = rig.send(one.clone());
    assert_eq!(rig.said(ticket), "91 CAP");
    assert_eq!(rig.nets(), [1_000_000, -1_000_000, 0]);
    let again = rig.send(rig.again(&one));
    assert_eq!(rig.said(again), "91 CAP");
    // A refused request keeps no sealed number: nobody will be told of it.
    let declined = rig.records.iter().find_map(|record| match &record.fact {
        Fact::Declined(declined) => Some(declined.clone()),
        _ => None,
    });
    let sealed = declined.unwrap().seen.card.unwrap().sealed;
    assert!(sealed.bytes().is_empty());
}

#[test]
fn r_accounts_a_hold_takes_room_and_a_pending_credit_gives_none() {
    let mut rig = Rig::new();
    let all = of(&mut rig, CAP);
    rig.send(all);
    let one = of(&mut rig, 1);
    let ticket = rig.send(one);
    assert_eq!(rig.said(ticket), "91 CAP");
    // B's pending spending is A's pending income: no room for A.
    let by_a = at_b(&mut rig, A, CAP + 1);
    let ticket = rig.send(by_a);
    assert_eq!(rig.said(ticket), "91 CAP");
    rig.issuer_says("51");
    let one = of(&mut rig, 1);
    rig.pay(&one);
}

#[test]
fn r_accounts_income_is_room() {
    let mut rig = Rig::new();
    let first = of(&mut rig, CAP);
    rig.pay(&first);
    let by_a = at_b(&mut rig, A, 2 * CAP);
    rig.pay(&by_a);
    assert_eq!(rig.nets(), [-1_000_000, 1_000_000, 0]);
    let by_a = at_b(&mut rig, A, 1);
    let ticket = rig.send(by_a);
    assert_eq!(rig.said(ticket), "91 CAP");
}

#[test]
fn r_accounts_on_us_is_outside_the_cap() {
    let mut rig = Rig::new();
    rig.cap(A, 0);
    let own = Request { card: Some(card(A, 1)), ..of(&mut rig, 5000) };
    let id = rig.pay(&own);
    let issued = chart::onus_issued(bank(A), Currency::KPW);
    let acquired = chart::onus_acquired(bank(A), Currency::KPW);
    assert_eq!((rig.balance(issued), rig.balance(acquired)), (-5000, 5000));
    assert_eq!(rig.nets(), [0, 0, 0]);
    let undo = rig.reversal(&own);
    rig.send(undo);
    assert_eq!((rig.balance(issued), rig.status(id)), (0, Status::Reversed));
    assert_eq!(rig.findings(), 0);
}

/// A has spent what it was paid, and must return it: overcap, a block, and the repayment.
fn in_overcap() -> (Rig, Request) {
    let mut rig = Rig::new();
    let first = of(&mut rig, 600_000);
    rig.pay(&first);
    let spent = at_b(&mut rig, A, 1_500_000);
    rig.pay(&spent);
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo);
    assert_eq!(rig.said(ticket), "00");
    (rig, first)
}

fn overcap(rig: &Rig, id: u64) -> i128 {
    -rig.balance(chart::overcap(bank(id), Currency::KPW))
}

#[test]
fn r_accounts_a_reversal_that_does_not_fit_goes_whole_to_overcap() {
    let (mut rig, _) = in_overcap();
    assert_eq!((overcap(&rig, A), rig.found(FindingKind::Overcap)), (600_000, 1));
    assert_eq!(rig.nets(), [-1_500_000, 1_500_000, 0]);
    // New holds of A are blocked, even within what room there is; others are not.
    assert_eq!(rig.hub.state().position(bank(A)).room, 100_000);
    let one = at_b(&mut rig, A, 1);
    let ticket = rig.send(one);
    assert_eq!(rig.said(ticket), "91 CAP");
    let own = Request { card: Some(card(A, 2)), ..of(&mut rig, 1) };
    rig.pay(&own);
    let other = of(&mut rig, 100);
    rig.pay(&other);
}

#[test]
fn r_accounts_overcap_is_repaid_as_room_appears() {
    let (mut rig, _) = in_overcap();
    // Part: what there is goes, and the block stays.
    let income = of(&mut rig, 200_000);
    rig.pay(&income);
    assert_eq!(overcap(&rig, A), 300_000);
    let one = at_b(&mut rig, A, 1);
    let ticket = rig.send(one);
    assert_eq!(rig.said(ticket), "91 CAP");
    // The rest, and one unit more: the block ends.
    let income = of(&mut rig, 300_001);
    rig.pay(&income);
    assert_eq!((overcap(&rig, A), rig.hub.state().position(bank(A)).room), (0, 1));
    let one = at_b(&mut rig, A, 1);
    rig.pay(&one);
}

#[test]
fn r_accounts_room_for_a_repayment_from_a_cap_and_from_a_void() {
    let (mut rig, _) = in_overcap();
    rig.cap(A, CAP + 100_000);
    assert_eq!(overcap(&rig, A), 400_000);
    rig.cap(A, 2 * CAP);
    assert_eq!(overcap(&rig, A), 0);
    // Lowering below what is used fails, and nothing is recorded.
    let records = rig.written();
    rig.cap(A, 1);
    assert_eq!(rig.written(), records);
}

/// Two holds end in one turn, and each gives room to an overcap that owes more than one of them.
#[test]
fn r_accounts_room_from_two_voids_in_one_turn() {
    let mut rig = Rig::new();
    let first = of(&mut rig, 900_000);
    rig.pay(&first);
    let spent = at_b(&mut rig, A, 1_800_000);
    rig.pay(&spent);
    for minor in [40_000, 60_000] {
        let held = at_b(&mut rig, A, minor);
        rig.send(held);
    }
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!(overcap(&rig, A), 900_000);
    rig.jump(15 * SECOND);
    let other = Request { card: Some(card(C, 1)), ..of(&mut rig, 1) };
    rig.send(other);
    assert_eq!(overcap(&rig, A), 800_000);
    assert_eq!(rig.hub.state().position(bank(A)).room, 0);
}

/// Room appears between the refusal of a return and its second way, by the overcap account: the
/// records must still be such that a replay is refused where the live engine was.
#[test]
fn r_accounts_nothing_comes_between_a_refusal_and_the_overcap() {
    if crate::WINDOW.is_some() {
        // What is looked up first does not come in one turn with the rest.
        return;
    }
    let mut rig = Rig::new();
    let first = of(&mut rig, 600_000);
    rig.pay(&first);
    let spent = at_b(&mut rig, A, 1_500_000);
    rig.pay(&spent);
    let open = of(&mut rig, 700_000);
    rig.send(open);
    let undo = rig.reversal(&first);
    let undo = rig.input(PeerId::Station(StationId(1)), undo);
    let approval = rig.answer_to(rig.asks.last().unwrap(), "00");
    rig.drive_together(vec![undo, Input::IssuerAnswer(approval)]);
    assert_eq!(rig.found(FindingKind::Overcap), 1);
    assert_eq!((overcap(&rig, A), rig.nets()), (0, [-800_000, 800_000, 0]));
}
