//! What an engine that answers later is asked: what comes before it, what behind it, and what
//! becomes of what it refuses.

use std::collections::VecDeque;

use ledger::chart;
use scheme::{BusinessDate, Currency, PaymentId};
use switch::Request;
use switch::hub::Effect;
use switch::limits::{ENGINE_SLOW_MS, PROPOSALS_MAX};
use switch::record::Fact;

use crate::rig::{A, B, C, CAP, HOUR, Rig, SECOND, amount, bank, card, shop, terminal};

const TODAY: BusinessDate = BusinessDate(20_779);

/// From here on the engine answers when the test says so.
fn hold(rig: &mut Rig) {
    rig.held = Some(VecDeque::new());
}

/// A purchase by a card of C.
fn by_c(rig: &mut Rig) -> Request {
    Request { card: Some(card(C, 1)), ..rig.purchase() }
}

#[test]
fn what_the_engine_refuses_is_over() {
    let mut rig = Rig::new();
    let paid = rig.purchase();
    rig.pay(&paid);
    // Below what B has used.
    rig.cap(B, 1);
    assert!(rig.records.iter().any(|record| record.fact == Fact::Dropped));
    assert_eq!(rig.hub.state().proposed().count(), 0);
    rig.crash();
    assert_eq!(rig.hub.state().proposed().count(), 0, "nothing is asked again");
    assert_eq!(rig.hub.state().directory().caps[&bank(B)], amount(CAP));
    for id in [A, B, C] {
        rig.sign_on(id);
    }
    let more = rig.purchase();
    rig.pay(&more);
    assert_eq!(rig.nets(), [2000, -2000, 0]);
}

#[test]
fn r_time_what_waits_over_the_cut_belongs_to_the_new_cycle() {
    let mut rig = Rig::new();
    rig.pass(12 * HOUR - SECOND);
    hold(&mut rig);
    for _ in 0..2 {
        let request = by_c(&mut rig);
        rig.send(request);
    }
    // The cut is due, and waits for the first; the second waits for the cut.
    rig.pass(2 * SECOND);
    assert_eq!(rig.hub.state().cycle(), 1);
    while rig.engine_answers() {}
    let when = |id: PaymentId| (rig.payment(id).business_date, rig.payment(id).cycle);
    let when: Vec<_> = rig.asks.iter().map(|ask| when(ask.id)).collect();
    assert_eq!(when, [(TODAY, 1), (TODAY.next(), 2)]);
}

#[test]
fn r_crash_what_was_asked_before_a_crash_is_answered_before_the_cut() {
    for did in [false, true] {
        let mut rig = Rig::new();
        let paid = rig.purchase();
        rig.pay(&paid);
        rig.pass(12 * HOUR - SECOND);
        hold(&mut rig);
        let request = by_c(&mut rig);
        rig.send(request);
        rig.jump(2 * SECOND);
        rig.crash_beside_engine(did);
        while rig.engine_answers() {}
        let of = |fact: &dyn Fn(&Fact) -> bool| {
            rig.records.iter().rposition(|record| fact(&record.fact)).unwrap()
        };
        let opened = of(&|fact| matches!(fact, Fact::Opened(_)));
        let netted = of(&|fact| matches!(fact, Fact::Netted { .. }));
        assert!(opened < netted, "{opened} {netted}");
        assert_eq!((rig.hub.state().cycle(), rig.nets()), (2, [0, 0, 0]));
    }
}

#[test]
fn r_accounts_the_second_way_of_what_is_refused_comes_before_what_waits() {
    let mut rig = Rig::new();
    let first = Request { amount: amount(600_000), ..rig.purchase() };
    rig.pay(&first);
    let spent = Request {
        acquirer: bank(B),
        terminal: terminal("NAM00001"),
        retailer: shop(B),
        card: Some(card(A, 1)),
        amount: amount(1_500_000),
        ..rig.purchase()
    };
    rig.pay(&spent);
    hold(&mut rig);
    let undo = rig.reversal(&first);
    let undone = rig.send(undo);
    let other = by_c(&mut rig);
    rig.send(other);
    // A has not enough to give back.
    assert!(rig.engine_answers());
    let Some(Effect::Transfers(asked)) = rig.held.as_ref().unwrap().front() else { panic!() };
    let overcap = chart::overcap(bank(A), Currency::KPW);
    assert_eq!(asked[0].debit_account_id, overcap, "{asked:?}");
    while rig.engine_answers() {}
    assert_eq!(rig.said(undone), "00");
    assert_eq!(rig.balance(overcap), -600_000);
    assert_eq!(rig.asks.len(), 3, "then the other's issuer is asked");
}

#[test]
fn a_new_payment_does_not_wait_for_an_engine_that_is_slow() {
    let mut rig = Rig::new();
    hold(&mut rig);
    let first = rig.purchase();
    rig.send(first.clone());
    rig.jump(ENGINE_SLOW_MS - 1);
    let second = by_c(&mut rig);
    let waits = rig.send(second);
    rig.jump(1);
    let (records, third) = (rig.written(), by_c(&mut rig));
    let refused = rig.send(third);
    assert_eq!(rig.said(refused), "96 LIMIT LEDGER RETRY 5");
    assert_eq!((rig.written(), rig.answered(waits)), (records, None));
    // What may not be refused waits.
    let undo = rig.reversal(&first);
    let undone = rig.send(undo);
    assert_eq!(rig.answered(undone), None);
    while rig.engine_answers() {}
    assert_eq!(rig.said(undone), "00");
    let fourth = by_c(&mut rig);
    rig.send(fourth);
    assert!(rig.engine_answers(), "it is taken again");
}

#[test]
fn only_so_many_decisions_wait_for_an_engine() {
    let mut rig = Rig::new();
    hold(&mut rig);
    let one_more = |rig: &mut Rig| {
        let request = Request { amount: amount(1), ..by_c(rig) };
        rig.send(request)
    };
    let waiting: Vec<u64> = (0..PROPOSALS_MAX).map(|_| one_more(&mut rig)).collect();
    assert!(waiting.iter().all(|ticket| rig.answered(*ticket).is_none()));
    let refused = one_more(&mut rig);
    assert_eq!(rig.said(refused), "96 LIMIT LEDGER RETRY 5");
}

/// What is left of the hub's 25 s must do for an issuer's 15.
#[test]
fn r_time_a_hold_that_came_too_late_is_released_and_no_issuer_is_asked() {
    for (ms, asked) in [(10 * SECOND - 1, 1), (10 * SECOND, 0)] {
        let mut rig = Rig::new();
        hold(&mut rig);
        let request = rig.purchase();
        let ticket = rig.send(request);
        rig.jump(ms);
        while rig.engine_answers() {}
        assert_eq!((rig.asks.len(), rig.hub.in_flight()), (asked, asked), "after {ms} ms");
        let said = if asked == 0 { "96 LIMIT LEDGER RETRY 5" } else { "nothing" };
        assert_eq!(rig.said(ticket), said);
    }
}
