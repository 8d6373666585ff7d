//! R-RECORD, R-FIELDS: balance enquiries move nothing and leave no record.

use scheme::Processing;
use switch::hub::{Count, Input};
use switch::record::FindingKind;
use switch::{Carried, Request};

use crate::rig::{A, B, Rig, SECOND, amount, card, config, mti};

#[test]
fn r_record_a_balance_enquiry_is_asked_answered_and_forgotten() {
    let mut rig = Rig::new();
    let records = rig.written();
    let balance = rig.balance_of();
    let one = rig.send(balance.clone());
    let ask = rig.asks.last().unwrap().clone();
    assert_eq!((ask.seen.processing.transaction(), ask.line, ask.id.get()), (31, B, 0));
    // Copies wait with it.
    let two = rig.send(Request { mti: mti(201), ..rig.again(&balance) });
    assert_eq!(rig.asks.len(), 1);
    let mut carried = Carried::NONE;
    carried.push(54, b"1001408C000000012345");
    let answer = switch::hub::IssuerAnswer { carried, ..rig.answer_to(&ask, "00") };
    rig.drive(Input::IssuerAnswer(answer.clone()));
    for ticket in [one, two] {
        let answer = rig.answered(ticket).unwrap();
        assert_eq!((answer.code.as_str(), answer.approval.is_blank()), ("00", true));
        assert_eq!(answer.business_date, Some(rig.date()));
        assert_eq!(answer.carried.iter().next(), Some((54, b"1001408C000000012345".as_slice())));
    }
    rig.drive(Input::IssuerAnswer(answer));
    assert_eq!(rig.counts, [Count::Repeat, Count::Enquiry, Count::StrayAnswer]);
    // A repeat asks again.
    rig.send(rig.again(&balance));
    assert_eq!((rig.asks.len(), rig.written(), rig.nets()), (2, records, [0, 0, 0]));
}

#[test]
fn r_record_refusals_of_balance_enquiries_are_no_records() {
    let mut rig = Rig::new();
    let records = rig.written();
    let bad = [
        ("14 CARD NUMBER", Request { card_valid: false, ..rig.balance_of() }),
        ("54 EXPIRED", Request { expiry: Some(2001), ..rig.balance_of() }),
        ("41 LOST", Request { card: Some(card(B, 100)), ..rig.balance_of() }),
        ("30 FORMAT", Request { amount: amount(1), ..rig.balance_of() }),
        ("12 NOT SUPPORTED", Request { mti: mti(100), ..rig.balance_of() }),
    ];
    for (said, request) in bad {
        let ticket = rig.send(request);
        assert_eq!(rig.said(ticket), said);
    }
    rig.sign_off(B);
    let balance = rig.balance_of();
    let ticket = rig.send(balance);
    assert_eq!((rig.said(ticket).as_str(), rig.written()), ("91 ISSUER DOWN", records));
}

#[test]
fn r_time_a_silent_issuer_is_told_nothing_of_an_enquiry() {
    let mut rig = Rig::new();
    let balance = rig.balance_of();
    let ticket = rig.send(balance);
    rig.pass(15 * SECOND - 1);
    assert_eq!(rig.said(ticket), "nothing");
    rig.pass(1);
    assert_eq!(rig.said(ticket), "91 ISSUER LATE");
    rig.issuer_says("00");
    assert_eq!((rig.advices.len(), rig.findings()), (0, 0));
    assert_eq!(rig.counts.last(), Some(&Count::StrayAnswer));
}

#[test]
fn r_link_an_answer_to_an_enquiry_must_agree() {
    let mut rig = Rig::new();
    let balance = rig.balance_of();
    let ticket = rig.send(balance);
    let ask = rig.asks.last().unwrap().clone();
    let good = rig.answer_to(&ask, "00");
    let other = Processing::new(0).unwrap();
    for bad in [
        switch::hub::IssuerAnswer { amount: amount(1), ..good.clone() },
        switch::hub::IssuerAnswer { processing: other, ..good.clone() },
        switch::hub::IssuerAnswer { bank: crate::rig::bank(A), ..good.clone() },
    ] {
        rig.drive(Input::IssuerAnswer(bad));
        assert_eq!(rig.said(ticket), "nothing");
    }
    rig.drive(Input::IssuerAnswer(good));
    assert_eq!(rig.said(ticket), "00");
}

#[test]
fn r_de39_enquiries_are_refused_before_purchases_are() {
    let mut rig = Rig::new();
    let most = config().in_flight_max / 2;
    for n in 0..=most {
        let balance = rig.balance_of();
        let ticket = rig.send(balance);
        assert_eq!(rig.said(ticket), if n < most { "nothing" } else { "96 OVERLOAD" }, "{n}");
    }
    for _ in 0..config().in_flight_max {
        let purchase = rig.purchase();
        let ticket = rig.send(purchase);
        assert_eq!(rig.said(ticket), "nothing");
    }
    rig.pass(15 * SECOND);
    let balance = rig.balance_of();
    rig.send(balance);
    rig.issuer_says("00");
    assert_eq!(rig.found(FindingKind::UnknownOriginal), 0);
}

/// The same key with other content, also between kinds (R-MATCH).
#[test]
fn r_match_an_enquiry_shares_the_keys_of_payments() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let balance = rig.balance_of();
    let same = Request { stan: first.stan, local: first.local, ..balance.clone() };
    let ticket = rig.send(same);
    assert_eq!(rig.said(ticket), "94 DUPLICATE");
    rig.send(balance.clone());
    let other = Request { card: Some(card(B, 2)), ..rig.again(&balance) };
    let ticket = rig.send(other);
    assert_eq!(rig.said(ticket), "94 DUPLICATE");
}

#[test]
fn r_crash_an_enquiry_is_forgotten() {
    let mut rig = Rig::new();
    let balance = rig.balance_of();
    let ticket = rig.send(balance);
    rig.crash();
    rig.sign_on(B);
    assert_eq!((rig.said(ticket).as_str(), rig.advices.len()), ("nothing", 0));
}
