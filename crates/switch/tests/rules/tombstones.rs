//! R-TOMB: reversals that come before what they reverse.

use scheme::{MonthTime, Rrn};
use switch::Request;
use switch::record::FindingKind;

use crate::rig::{B, DAY, HOUR, MINUTE, Rig, SECOND, amount, card, mti};

/// The reversal arrives, then its original `gap` ms later.
fn out_of_order(gap: u64, change: impl Fn(&mut Request, &mut Request)) -> String {
    let mut rig = Rig::new();
    let mut first = rig.purchase();
    let mut undo = rig.reversal(&first);
    change(&mut undo, &mut first);
    let ticket = rig.send(undo);
    assert_eq!(rig.said(ticket), "00");
    assert_eq!(rig.found(FindingKind::UnknownOriginal), 1);
    rig.jump(gap);
    let ticket = rig.send(rig.again(&first));
    let said = rig.said(ticket);
    assert_eq!(rig.asks.is_empty(), said.starts_with("94"), "{said}");
    said
}

const BURIED: &str = "94 REVERSED";
const NEW: &str = "nothing";

#[test]
fn r_tomb_by_k2() {
    assert_eq!(out_of_order(SECOND, |undo, _| undo.card = None), BURIED);
    // Another DE7: another message.
    let other = |undo: &mut Request, first: &mut Request| {
        undo.card = None;
        first.transmitted = MonthTime::new(first.transmitted.number() + 1).unwrap();
    };
    assert_eq!(out_of_order(SECOND, other), NEW);
    // Another kind of DE3, another class in DE90.
    let class = |undo: &mut Request, _: &mut Request| {
        undo.original.as_mut().unwrap().mti = 100;
        undo.card = None;
    };
    assert_eq!(out_of_order(SECOND, class), NEW);
    // DE7 not said: any message sent before the reversal came.
    let unsaid = |undo: &mut Request, _: &mut Request| {
        undo.original.as_mut().unwrap().transmitted = 0;
        undo.card = None;
    };
    assert_eq!(out_of_order(SECOND, unsaid), BURIED);
}

#[test]
fn r_tomb_by_k3() {
    let by_rrn = |undo: &mut Request, first: &mut Request| {
        undo.original = None;
        undo.card = None;
        for request in [undo, first] {
            request.rrn = Rrn::new(b"000000000077").unwrap();
            request.rrn_sent = true;
        }
    };
    assert_eq!(out_of_order(SECOND, by_rrn), BURIED);
    let other = |undo: &mut Request, first: &mut Request| {
        by_rrn(undo, first);
        first.rrn = Rrn::new(b"000000000078").unwrap();
    };
    assert_eq!(out_of_order(SECOND, other), NEW);
}

/// Without DE90 and DE37: trace number, card, kind and amount.
fn by_content(undo: &mut Request, first: &mut Request) {
    undo.original = None;
    undo.stan = first.stan;
}

#[test]
fn r_tomb_by_k4() {
    assert_eq!(out_of_order(SECOND, by_content), BURIED);
    let changes: [fn(&mut Request); 3] = [
        |first| first.amount = amount(1001),
        |first| first.card = Some(card(B, 2)),
        |first| first.stan = scheme::Stan::new(900).unwrap(),
    ];
    for change in changes {
        let other = |undo: &mut Request, first: &mut Request| {
            by_content(undo, first);
            change(first);
        };
        assert_eq!(out_of_order(SECOND, other), NEW);
    }
    // Two sent reference numbers that differ.
    let differ = |undo: &mut Request, first: &mut Request| {
        by_content(undo, first);
        (undo.rrn_sent, first.rrn_sent) = (true, true);
        first.rrn = Rrn::new(b"000000000078").unwrap();
    };
    assert_eq!(out_of_order(SECOND, differ), NEW);
}

#[test]
fn r_tomb_by_k4_only_an_original_sent_before_the_reversal_came() {
    let sent = |seconds: u32| {
        move |undo: &mut Request, first: &mut Request| {
            by_content(undo, first);
            first.transmitted = MonthTime::new(undo.transmitted.number() + seconds).unwrap();
        }
    };
    assert_eq!(out_of_order(SECOND, sent(0)), BURIED);
    assert_eq!(out_of_order(SECOND, sent(1)), NEW);
}

#[test]
fn r_tomb_by_k4_on_another_day_only_within_60_minutes() {
    let day_before = |undo: &mut Request, first: &mut Request| {
        by_content(undo, first);
        let next = undo.local.number() + 1_000_000;
        undo.local = MonthTime::new(next).unwrap();
    };
    assert_eq!(out_of_order(HOUR, day_before), BURIED);
    assert_eq!(out_of_order(HOUR + 1, day_before), NEW);
    assert_eq!(out_of_order(DAY - MINUTE, by_content), BURIED);
}

#[test]
fn r_tomb_is_kept_for_seven_days() {
    let ahead = |undo: &mut Request, first: &mut Request| {
        undo.card = None;
        first.local = MonthTime::new(first.local.number() + 7_000_000).unwrap();
    };
    assert_eq!(out_of_order(7 * DAY, ahead), BURIED);
    assert_eq!(out_of_order(7 * DAY + 1, ahead), NEW);
}

#[test]
fn r_tomb_a_repeat_of_the_reversal_makes_no_second() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let undo = rig.reversal(&first);
    for number in [420, 421, 421] {
        let again = Request { mti: mti(number), ..rig.again(&undo) };
        let ticket = rig.send(again);
        assert_eq!(rig.said(ticket), "00");
        rig.pass(15 * SECOND);
    }
    let made = rig.hub.state().tombstones(first.acquirer, first.terminal).count();
    assert_eq!((made, rig.found(FindingKind::UnknownOriginal)), (1, 1));
    // The original's own repeats are refused too, and leave no record.
    let before = rig.records.len();
    for number in [200, 201] {
        let again = Request { mti: mti(number), ..rig.again(&first) };
        let ticket = rig.send(again);
        assert_eq!(rig.said(ticket), BURIED);
    }
    assert_eq!(rig.records.len(), before);
}
