//! R-ACCOUNTS: refunds. The acquirer pays, under its own cap; nothing goes back twice.

use ledger::chart;
use scheme::{Currency, PaymentId, RetailerId, Rrn, transfer_id_of_record};
use switch::hub::{AdviceKind, Input, Status};
use switch::record::{Fact, FindingKind};
use switch::{OriginalRef, PeerId, Request};

use crate::rig::{A, B, C, CAP, DAY, HOUR, Rig, SECOND, amount, bank, card, shop, terminal};

fn limits(rig: &mut Rig, each: u64, day: u64) {
    let fact =
        Fact::Retailer { retailer: shop(A), refund_max: amount(each), refund_day_max: amount(day) };
    rig.drive(Input::Business(fact));
}

/// A refund that names nothing.
fn unlinked(rig: &mut Rig, minor: u64) -> Request {
    let any = rig.purchase();
    Request { original: None, ..rig.refund(&any, minor) }
}

/// A purchase of 10.00, posted.
fn bought(rig: &mut Rig) -> (Request, PaymentId) {
    let first = rig.purchase();
    let id = rig.pay(&first);
    (first, id)
}

#[test]
fn r_accounts_a_linked_refund_goes_from_acquirer_to_issuer() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 400);
    let ticket = rig.send(refund.clone());
    // While it is in flight the acquirer holds, and the cardholder's bank has nothing yet.
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("nothing", [1000, -1000, 0]));
    let ask = rig.asks.last().unwrap().clone();
    assert_eq!((ask.issuer, ask.seen.processing.transaction()), (bank(B), 20));
    rig.issuer_says("00");
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [600, -600, 0]));
    assert_eq!((rig.status(id), rig.payment(id).returned), (Status::Posted, amount(400)));
    assert_eq!(rig.status(ask.id), Status::Posted);
    assert_eq!((rig.findings(), rig.advices.len()), (0, 0));
    // The first answer again, and nothing moves twice.
    let again = rig.send(rig.again(&refund));
    assert_eq!((rig.said(again).as_str(), rig.nets()), ("00", [600, -600, 0]));
}

/// R-MATCH: a refund's id is made of its record's kind and number, not of what it carries.
#[test]
fn r_match_refunds_have_ids_of_their_own() {
    let mut rig = Rig::new();
    let (first, _) = bought(&mut rig);
    let number = rig.records.len() as u64;
    let refund = rig.refund(&first, 400);
    let id = rig.pay(&refund);
    assert_eq!(id, PaymentId::of_transfer(transfer_id_of_record(16, number)));
    assert_ne!(id, crate::rig::candidate(&rig.payment(id).seen));
    // Refused ones too.
    let more = rig.refund(&first, 601);
    let number = rig.records.len() as u64;
    rig.send(more);
    let declined = rig.records.iter().rev().find_map(|record| match &record.fact {
        Fact::Declined(declined) => Some(declined.clone()),
        _ => None,
    });
    let declined = declined.unwrap();
    assert_eq!(declined.id, PaymentId::of_transfer(transfer_id_of_record(16, number)));
}

#[test]
fn r_accounts_refunds_never_return_more_than_was_posted() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    for (minor, said) in [(1001, "57 REFUND RULE"), (600, "00"), (401, "57 REFUND RULE")] {
        let refund = rig.refund(&first, minor);
        let ticket = rig.send(refund);
        if said == "00" {
            rig.issuer_says("00");
        }
        assert_eq!(rig.said(ticket), said, "{minor}");
    }
    // One in flight counts, and counts no more when it came to nothing.
    let one = rig.refund(&first, 400);
    rig.send(one);
    let two = rig.refund(&first, 1);
    let ticket = rig.send(two);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    rig.issuer_says("51");
    let rest = rig.refund(&first, 400);
    rig.pay(&rest);
    assert_eq!((rig.nets(), rig.payment(id).returned), ([0, 0, 0], amount(1000)));
    assert_eq!(rig.status(id), Status::Posted, "returned in full, but not by reversal");
    let again = rig.send(rig.again(&first));
    assert_eq!(rig.said(again), "00");
}

/// Two refunds of one payment before the engine has answered the first.
#[test]
fn r_accounts_refunds_in_one_turn_share_what_is_left() {
    let mut rig = Rig::new();
    let (first, _) = bought(&mut rig);
    let refunds = [600, 600].map(|minor| rig.refund(&first, minor));
    let station = PeerId::Station(scheme::StationId(1));
    let inputs = refunds.map(|refund| rig.input(station, refund));
    let asks = rig.asks.len();
    rig.drive_together(inputs.to_vec());
    assert_eq!(rig.asks.len(), asks + 1);
    // A refund and a reversal: whichever comes first.
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let (undo, refund) = (rig.reversal(&first), rig.refund(&first, 600));
    let inputs = vec![rig.input(station, undo), rig.input(station, refund)];
    rig.drive_together(inputs);
    assert_eq!((rig.status(id), rig.nets()), (Status::Reversed, [0, 0, 0]));
    assert_eq!(rig.asks.len(), 1);
}

#[test]
fn r_accounts_a_refund_is_found_from_any_till_of_the_shop_with_the_same_card() {
    let named = |first: &Request| OriginalRef {
        mti: 200,
        stan: first.stan.get(),
        transmitted: first.transmitted.number(),
        acquirer: A,
        forwarding: 0,
    };
    let mut rig = Rig::new();
    let rrn = Rrn::new(b"TILL00000007").unwrap();
    let first = Request { rrn, rrn_sent: true, ..rig.purchase() };
    rig.pay(&first);
    let till = terminal("PYO00002");
    let by_de90 =
        Request { terminal: till, original: Some(named(&first)), ..rig.refund(&first, 100) };
    rig.pay(&by_de90);
    let by_de37 = Request { terminal: till, rrn, rrn_sent: true, ..unlinked(&mut rig, 50) };
    rig.pay(&by_de37);
    // A repeat had a DE7 of its own, which came first or last: the trace number and the card tell.
    let original = Some(OriginalRef { transmitted: 101_000_000, ..named(&first) });
    let by_de11 = Request { original, ..rig.refund(&first, 50) };
    rig.pay(&by_de11);
    for (what, bad) in [
        ("another card", Request { card: Some(card(B, 2)), ..rig.refund(&first, 1) }),
        ("another card by DE37", Request { card: Some(card(C, 1)), ..by_de37.clone() }),
        ("another DE11", {
            let original = Some(OriginalRef { stan: 999_999, ..named(&first) });
            Request { original, ..rig.refund(&first, 1) }
        }),
        ("another DE7 and another card", {
            let original = Some(OriginalRef { transmitted: 101_000_000, ..named(&first) });
            Request { original, card: Some(card(B, 2)), ..rig.refund(&first, 1) }
        }),
        ("nothing", unlinked(&mut rig, 1)),
    ] {
        let fresh = rig.purchase();
        let bad = Request { stan: fresh.stan, local: fresh.local, ..bad };
        let ticket = rig.send(bad);
        assert_eq!(rig.said(ticket), "57 REFUND RULE", "{what}");
    }
    // Another shop's till does not find it.
    let other = Request {
        acquirer: bank(C),
        terminal: terminal("PSG00001"),
        retailer: shop(C),
        ..rig.refund(&first, 1)
    };
    let ticket = rig.send(other);
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("57 REFUND RULE", [800, -800, 0]));
}

/// On a bank's link DE41 and DE42 are any: what no register knows is a shop too.
#[test]
fn r_accounts_a_refund_is_found_from_any_till_that_no_register_knows() {
    let mut rig = Rig::new();
    let link = PeerId::Bank(bank(A));
    let (one, two) = (terminal("COUNTER1"), terminal("COUNTER2"));
    let retailer = RetailerId::new(b"COUNTERS").unwrap();
    let pay = |rig: &mut Rig, request: Request| {
        let ticket = rig.send_from(link, Request { retailer, ..request });
        rig.issuer_says("00");
        assert_eq!(rig.said(ticket), "00");
        rig.asks.last().unwrap().id
    };
    let first = Request { terminal: one, rrn_sent: true, ..rig.purchase() };
    let bought = pay(&mut rig, first.clone());
    let hold = Request { terminal: one, ..rig.preauth() };
    pay(&mut rig, hold.clone());
    let done = Request { retailer, ..rig.completion(&hold, 600) };
    let ticket = rig.send_from(link, done.clone());
    assert_eq!(rig.said(ticket), "00");
    let named = |original: OriginalRef, changed: u32| {
        Some(OriginalRef { transmitted: original.transmitted + changed, ..original })
    };
    let by_de90 = Request { terminal: two, ..rig.refund(&first, 100) };
    let by_de37 =
        Request { terminal: two, rrn: first.rrn, rrn_sent: true, ..rig.refund(&first, 90) };
    let by_de37 = Request { original: None, ..by_de37 };
    let by_de11 = Request { terminal: two, ..rig.refund(&first, 80) };
    let by_de11 = Request { original: named(by_de11.original.unwrap(), 1), ..by_de11 };
    let of_completion = Request { terminal: two, ..rig.refund(&done, 70) };
    for request in [by_de90.clone(), by_de37.clone(), by_de11, of_completion] {
        pay(&mut rig, request);
    }
    assert_eq!((rig.payment(bought).returned, rig.nets()), (amount(270), [1260, -1260, 0]));
    let other_shop = RetailerId::new(b"COUNTERZ").unwrap();
    for (what, bad) in [
        ("another shop", Request { retailer: other_shop, ..by_de90.clone() }),
        ("another card", Request { retailer, card: Some(card(B, 2)), ..by_de90.clone() }),
        ("more than is left", Request { retailer, amount: amount(731), ..by_de90 }),
        ("another card by DE37", Request { retailer, card: Some(card(B, 2)), ..by_de37.clone() }),
        ("more by DE37", Request { retailer, amount: amount(731), ..by_de37 }),
    ] {
        // What names a payment is no unlinked refund, whatever those may take.
        let fact = Fact::Retailer {
            retailer: bad.retailer,
            refund_max: amount(999),
            refund_day_max: amount(9_999),
        };
        rig.drive(Input::Business(fact));
        let fresh = rig.purchase();
        let bad = Request { stan: fresh.stan, local: fresh.local, ..bad };
        let ticket = rig.send_from(link, bad);
        assert_eq!(rig.said(ticket), "57 REFUND RULE", "{what}");
    }
}

#[test]
fn r_accounts_only_posted_purchases_are_refunded() {
    let mut rig = Rig::new();
    let declined = rig.purchase();
    rig.send(declined.clone());
    rig.issuer_says("51");
    let (reversed, _) = bought(&mut rig);
    let undo = rig.reversal(&reversed);
    rig.send(undo);
    let open = rig.purchase();
    rig.send(open.clone());
    let processing = scheme::Processing::new(10_000).unwrap();
    let cash = Request { processing, ..rig.purchase() };
    rig.pay(&cash);
    let (bought, _) = bought(&mut rig);
    let refund = rig.refund(&bought, 10);
    rig.pay(&refund);
    for original in [declined, reversed, open, cash, refund] {
        let bad = rig.refund(&original, 5);
        let ticket = rig.send(bad);
        assert_eq!(rig.said(ticket), "57 REFUND RULE", "{original:?}");
    }
}

#[test]
fn r_accounts_an_unlinked_refund_needs_limits_of_its_retailer() {
    let mut rig = Rig::new();
    let none = unlinked(&mut rig, 1);
    let ticket = rig.send(none);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    limits(&mut rig, 100, 250);
    let over = unlinked(&mut rig, 101);
    let ticket = rig.send(over);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    let exact = unlinked(&mut rig, 100);
    rig.pay(&exact);
    // In flight it counts; declined, late and reversed it does not.
    let held = unlinked(&mut rig, 100);
    rig.send(held);
    let more = unlinked(&mut rig, 51);
    let ticket = rig.send(more);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    rig.issuer_says("05");
    let late = unlinked(&mut rig, 100);
    rig.send(late);
    rig.pass(15 * SECOND);
    let undo = rig.reversal(&exact);
    rig.send(undo);
    assert_eq!(rig.nets(), [0, 0, 0]);
    for (minor, said) in [(100, "00"), (100, "00"), (51, "57 REFUND RULE"), (50, "00")] {
        let refund = unlinked(&mut rig, minor);
        let ticket = rig.send(refund);
        if said == "00" {
            rig.issuer_says("00");
        }
        assert_eq!(rig.said(ticket), said, "{minor}");
    }
    // A new business day has a new sum.
    rig.pass(13 * HOUR);
    let next = unlinked(&mut rig, 100);
    rig.pay(&next);
}

#[test]
fn r_accounts_the_day_of_unlinked_refunds_counts_those_proposed() {
    let mut rig = Rig::new();
    limits(&mut rig, 100, 150);
    let station = PeerId::Station(scheme::StationId(1));
    let inputs = (0..2).map(|_| unlinked(&mut rig, 100)).collect::<Vec<_>>();
    let inputs = inputs.into_iter().map(|refund| rig.input(station, refund)).collect();
    rig.drive_together(inputs);
    assert_eq!(rig.asks.len(), 1);
}

#[test]
fn r_accounts_a_refund_is_paid_under_the_acquirers_cap() {
    let mut rig = Rig::new();
    let first = Request { amount: amount(CAP), ..rig.purchase() };
    rig.pay(&first);
    // The acquirer has spent what it took.
    let spent = Request {
        acquirer: bank(B),
        terminal: terminal("NAM00001"),
        retailer: shop(B),
        card: Some(card(A, 1)),
        amount: amount(2 * CAP - 10),
        ..rig.purchase()
    };
    rig.pay(&spent);
    let refund = rig.refund(&first, 11);
    let ticket = rig.send(refund.clone());
    assert_eq!(rig.said(ticket), "91 CAP");
    let again = rig.send(rig.again(&refund));
    assert_eq!(rig.said(again), "91 CAP");
    let fits = rig.refund(&first, 10);
    rig.pay(&fits);
    // A reversal goes whole to the overcap account, which then blocks refunds too.
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.found(FindingKind::Overcap)), ("00", 1));
    let (more, _) = bought(&mut rig);
    assert!(rig.hub.state().position(bank(A)).overcap > 0);
    let blocked = rig.refund(&more, 1);
    let ticket = rig.send(blocked);
    assert_eq!(rig.said(ticket), "91 CAP");
}

#[test]
fn r_accounts_on_us_refunds_stay_in_the_house() {
    let mut rig = Rig::new();
    rig.cap(A, 0);
    let own = Request { card: Some(card(A, 1)), ..rig.purchase() };
    rig.pay(&own);
    let refund = rig.refund(&own, 300);
    rig.pay(&refund);
    let issued = chart::onus_issued(bank(A), Currency::KPW);
    assert_eq!((rig.balance(issued), rig.nets()), (-700, [0, 0, 0]));
    let undo = rig.reversal(&refund);
    rig.send(undo);
    assert_eq!(rig.balance(issued), -1000);
}

#[test]
fn r_reversal_after_a_refund_returns_the_rest_with_a_finding() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 300);
    rig.pay(&refund);
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo.clone());
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [0, 0, 0]));
    assert_eq!((rig.status(id), rig.payment(id).returned), (Status::Reversed, amount(1000)));
    assert_eq!(rig.found(FindingKind::ReversalAfterRefund), 1);
    let advice = rig.advices.last().unwrap().clone();
    assert_eq!((advice.kind, advice.actual), (AdviceKind::Reversal, Some(amount(300))));
    rig.send(rig.again(&undo));
    assert_eq!((rig.nets(), rig.findings()), ([0, 0, 0], 1));
    let more = rig.refund(&first, 1);
    let ticket = rig.send(more);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    // What is being refunded is not returned either.
    let mut rig = Rig::new();
    let (first, _) = bought(&mut rig);
    let refund = rig.refund(&first, 1000);
    rig.send(refund);
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [1000, -1000, 0]));
    assert_eq!(rig.found(FindingKind::ReversalAfterRefund), 1);
    rig.issuer_says("00");
    assert_eq!(rig.nets(), [0, 0, 0]);
}

/// DE95: the original less the actual amount goes back, as far as refunds have left it.
#[test]
fn r_reversal_of_part_after_a_refund() {
    for (refunded, actual, stays) in [(300, 600, 300), (300, 100, 0), (300, 999, 699)] {
        let mut rig = Rig::new();
        let (first, id) = bought(&mut rig);
        let refund = rig.refund(&first, refunded);
        rig.pay(&refund);
        let undo = Request { actual: Some(amount(actual)), ..rig.reversal(&first) };
        rig.send(undo);
        assert_eq!(rig.nets(), [stays, -stays, 0], "{actual}");
        let expected = if stays == 0 { Status::Reversed } else { Status::Posted };
        assert_eq!(rig.status(id), expected);
        assert_eq!(rig.found(FindingKind::ReversalAfterRefund), 1);
    }
}

#[test]
fn r_reversal_of_a_refund_gives_the_shop_its_money_back() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 400);
    let refunded = rig.pay(&refund);
    let undo = rig.reversal(&refund);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.nets()), ("00", [1000, -1000, 0]));
    assert_eq!((rig.status(refunded), rig.payment(id).returned), (Status::Reversed, amount(0)));
    let advice = rig.advices.last().unwrap().clone();
    assert_eq!((advice.id, advice.issuer, advice.seen.amount), (refunded, bank(B), amount(400)));
    // All of it may be refunded again.
    let whole = rig.refund(&first, 1000);
    rig.pay(&whole);
    assert_eq!(rig.nets(), [0, 0, 0]);
}

#[test]
fn r_reversal_of_a_refund_in_flight_frees_what_it_counted() {
    let mut rig = Rig::new();
    let (first, _) = bought(&mut rig);
    let refund = rig.refund(&first, 1000);
    let one = rig.send(refund.clone());
    let undo = rig.reversal(&refund);
    rig.send(undo);
    assert_eq!(rig.said(one), "94 REVERSED");
    let whole = rig.refund(&first, 1000);
    rig.pay(&whole);
    assert_eq!(rig.nets(), [0, 0, 0]);
}

/// With its refund undone a payment is no more returned in full.
#[test]
fn r_reversal_of_a_refund_after_the_reversal_of_its_payment() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 400);
    rig.pay(&refund);
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!((rig.status(id), rig.nets()), (Status::Reversed, [0, 0, 0]));
    let undo = rig.reversal(&refund);
    rig.send(undo);
    assert_eq!((rig.status(id), rig.nets()), (Status::Posted, [400, -400, 0]));
    let again = rig.send(rig.again(&first));
    assert_eq!(rig.said(again), "00");
    let rest = rig.refund(&first, 400);
    rig.pay(&rest);
    assert_eq!(rig.nets(), [0, 0, 0]);
}

/// DE90 means what it says: what cannot be refunded is no unlinked refund either.
#[test]
fn r_accounts_a_refund_of_what_cannot_be_refunded_is_not_unlinked() {
    let mut rig = Rig::new();
    limits(&mut rig, 1000, 1000);
    let (first, _) = bought(&mut rig);
    let refund = rig.refund(&first, 10);
    rig.pay(&refund);
    let other_card = Request { card: Some(card(B, 2)), ..rig.refund(&first, 1) };
    let of_refund = rig.refund(&refund, 1);
    let too_much = rig.refund(&first, 991);
    for bad in [other_card, of_refund, too_much] {
        let ticket = rig.send(bad);
        assert_eq!(rig.said(ticket), "57 REFUND RULE");
    }
    let unknown = Request { original: None, ..rig.refund(&first, 5) };
    rig.pay(&unknown);
}

/// The cardholder's bank has spent what the refund brought: its overcap account pays.
#[test]
fn r_accounts_a_reversed_refund_may_need_the_issuers_overcap() {
    let mut rig = Rig::new();
    let first = Request { amount: amount(CAP), ..rig.purchase() };
    rig.pay(&first);
    let refund = rig.refund(&first, 500);
    rig.pay(&refund);
    let spend = Request { amount: amount(500), ..rig.purchase() };
    rig.pay(&spend);
    let undo = rig.reversal(&refund);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.hub.state().position(bank(B)).overcap), ("00", 500));
    let finding = rig.records.iter().find_map(|record| match &record.fact {
        Fact::Finding(finding) if finding.kind == FindingKind::Overcap => finding.participant,
        _ => None,
    });
    assert_eq!(finding, Some(bank(B)));
}

#[test]
fn r_crash_a_refund_in_flight_is_voided_and_counts_no_more() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 1000);
    rig.send(refund.clone());
    rig.crash();
    rig.sign_on(A);
    rig.sign_on(B);
    assert_eq!(rig.hub.state().flows().refunding(id), amount(0));
    let again = rig.send(rig.again(&refund));
    assert_eq!(rig.said(again), "91 RESTARTED");
    let whole = rig.refund(&first, 1000);
    rig.pay(&whole);
    assert_eq!(rig.nets(), [0, 0, 0]);
}

/// However long ago a payment was, a refund that names it may return what is left of it, no more;
/// one that names nothing has limits. What memory lets go leaves nothing behind there.
#[test]
fn r_match_a_refund_may_name_a_payment_of_long_ago() {
    let mut rig = Rig::new();
    limits(&mut rig, 1000, 1000);
    let (first, _) = bought(&mut rig);
    let refund = rig.refund(&first, 10);
    let refunded = rig.pay(&refund);
    rig.pass(3 * DAY);
    for _ in 0..2 {
        let later = rig.purchase();
        rig.pay(&later);
    }
    if crate::WINDOW.is_some() {
        assert_eq!(rig.hub.state().flows().original_of(refunded), None);
        assert_eq!(rig.hub.state().payments().get(refunded), None);
    }
    let too_much = rig.refund(&first, 991);
    let ticket = rig.send(too_much);
    assert_eq!(rig.said(ticket), "57 REFUND RULE");
    let named = rig.refund(&first, 500);
    let id = rig.pay(&named);
    let undo = rig.reversal(&named);
    rig.send(undo);
    assert_eq!(rig.status(id), Status::Reversed);
    let named = rig.refund(&first, 990);
    rig.pay(&named);
    let unnamed = unlinked(&mut rig, 10);
    rig.pay(&unnamed);
}

/// A shop's bank that owes on its overcap account refunds nothing, even within what room it has.
#[test]
fn r_accounts_an_overcap_blocks_refunds() {
    let mut rig = Rig::new();
    let small = Request { amount: amount(100), ..rig.purchase() };
    rig.pay(&small);
    let first = Request { amount: amount(CAP - 100), ..rig.purchase() };
    rig.pay(&first);
    let spent = Request {
        acquirer: bank(B),
        terminal: terminal("NAM00001"),
        retailer: shop(B),
        card: Some(card(A, 1)),
        amount: amount(2 * CAP - 10),
        ..rig.purchase()
    };
    rig.pay(&spent);
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!(rig.hub.state().position(bank(A)).room, 10);
    let refund = rig.refund(&small, 5);
    let ticket = rig.send(refund);
    assert_eq!(rig.said(ticket), "91 CAP");
    // The cardholder's bank may owe: it is the one that is paid.
    let other = Request { card: Some(card(A, 1)), ..rig.purchase() };
    let other =
        Request { acquirer: bank(C), terminal: terminal("PSG00001"), retailer: shop(C), ..other };
    let ticket = rig.send(other);
    assert_eq!(rig.said(ticket), "91 CAP");
}

/// The reversal arrives in the very turn in which a refund in flight comes to nothing.
#[test]
fn r_reversal_in_the_turn_in_which_a_refund_ends() {
    let mut rig = Rig::new();
    let (first, id) = bought(&mut rig);
    let refund = rig.refund(&first, 400);
    rig.send(refund);
    rig.jump(15 * SECOND);
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo);
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Reversed));
    assert_eq!((rig.nets(), rig.findings()), ([0, 0, 0], 0));
}
