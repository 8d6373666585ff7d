//! R-TOMB: reversals that come before what they reverse.

use scheme::{MonthTime, Rrn, Stan};
use switch::limits::TOMBSTONES_PER_TERMINAL_MAX;
use switch::record::FindingKind;
use switch::{Hub, Request};

use crate::rig::{B, DAY, HOUR, MINUTE, Rig, SECOND, amount, card, config, mti, terminal};

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
    let made = rig.hub.state().tombstone_count(first.acquirer, first.terminal);
    assert_eq!((made, rig.found(FindingKind::UnknownOriginal)), (1, 1));
    // The original's own repeats are refused too, and leave no record.
    let before = rig.written();
    for number in [200, 201] {
        let again = Request { mti: mti(number), ..rig.again(&first) };
        let ticket = rig.send(again);
        assert_eq!(rig.said(ticket), BURIED);
    }
    assert_eq!(rig.written(), before);
}

/// A purchase that the hub never saw, and its reversal without a card: only DE11 and DE7 of DE90,
/// or DE37, lead from one to the other.
fn unseen(rig: &mut Rig) -> (Request, Request) {
    let first = rig.purchase();
    let undo = Request { card: None, ..rig.reversal(&first) };
    (first, undo)
}

fn buried(rig: &mut Rig, first: &Request) -> bool {
    let ticket = rig.send(rig.again(first));
    let said = rig.said(ticket);
    assert!(said == BURIED || said == NEW, "{said}");
    said == BURIED
}

#[test]
fn r_tomb_is_found_again_after_a_snapshot_and_let_go_under_both_keys() {
    let mut rig = Rig::new();
    let (by_stan, undo) = unseen(&mut rig);
    rig.send(undo);
    let (mut by_rrn, mut undo) = unseen(&mut rig);
    by_rrn.rrn_sent = true;
    (undo.original, undo.rrn_sent) = (None, true);
    rig.send(undo);
    for first in [&by_stan, &by_rrn] {
        assert!(buried(&mut rig, first));
    }
    let mut body = Vec::new();
    rig.hub.snapshot(&mut body);
    let mut hub = Hub::new(config());
    hub.restore(&body).unwrap();
    let (a, t) = (by_stan.acquirer, by_stan.terminal);
    for state in [rig.hub.state(), hub.state()] {
        assert_eq!(state.tombstones_by_stan(a, t, by_stan.stan).count(), 1);
        assert_eq!(state.tombstones_by_stan(a, t, by_rrn.stan).count(), 0, "only by DE37");
        assert_eq!(state.tombstones_by_rrn(a, t, by_rrn.rrn).count(), 1);
        assert_eq!(state.tombstones_by_rrn(a, t, by_stan.rrn).count(), 0, "its DE37 was not sent");
        assert_eq!(state.tombstones_by_stan(a, terminal("PYO00002"), by_stan.stan).count(), 0);
        assert_eq!(state.tombstone_count(a, t), 2);
    }
    // The next payment after seven days lets them go.
    rig.jump(7 * DAY + 1);
    let next = rig.purchase();
    rig.send(next);
    let state = rig.hub.state();
    assert_eq!(state.tombstones_by_stan(a, t, by_stan.stan).count(), 0);
    assert_eq!(state.tombstones_by_rrn(a, t, by_rrn.rrn).count(), 0);
    assert_eq!(state.tombstone_count(a, t), 0);
}

/// Beyond the bound a terminal loses its own oldest, and nobody else's. The rig compares replays,
/// also across a snapshot in the middle; receipts out of order show that the order kept in it is
/// that of arrival.
#[test]
fn r_tomb_beyond_the_bound_a_terminal_forgets_its_own_oldest() {
    let max = TOMBSTONES_PER_TERMINAL_MAX;
    let mut rig = Rig::new();
    let at_other = |request: Request| Request { terminal: terminal("PYO00002"), ..request };
    let (other, undo) = unseen(&mut rig);
    let other = at_other(other);
    rig.send(at_other(undo));
    let mut firsts = Vec::new();
    for n in 0..max + 3 {
        assert_eq!(rig.found(FindingKind::TooManyTombstones), u64::from(n >= max), "after {n}");
        let (mut first, mut undo) = unseen(&mut rig);
        (undo.rrn_sent, first.rrn_sent) = (true, true);
        let late = u64::try_from(n * 7919 % 1000).unwrap();
        undo.first_received = scheme::Timestamp(rig.now.0 - late * 1_000_000_000);
        rig.send(undo);
        firsts.push(first);
    }
    assert_eq!(rig.found(FindingKind::UnknownOriginal), u64::try_from(max).unwrap() + 4);
    assert_eq!(rig.found(FindingKind::TooManyTombstones), 1, "once");
    let state = rig.hub.state();
    assert_eq!(state.tombstone_count(other.acquirer, firsts[0].terminal), max);
    assert_eq!(state.tombstone_count(other.acquirer, other.terminal), 1);
    let known = |first: &Request, kept: usize| {
        let (a, t) = (first.acquirer, first.terminal);
        assert_eq!(state.tombstones_by_stan(a, t, first.stan).count(), kept, "{}", first.stan);
        assert_eq!(state.tombstones_by_rrn(a, t, first.rrn).count(), kept, "{}", first.rrn);
    };
    for (n, first) in firsts.iter().enumerate() {
        known(first, usize::from(n >= 3));
    }
    assert!(buried(&mut rig, &other), "another terminal's is older, and stays");
    assert!(buried(&mut rig, &firsts[3]));
    assert!(!buried(&mut rig, &firsts[2]));
}

/// A look-up goes through those alike, not through all: this ends at once.
#[test]
fn r_tomb_20_000_unknown_reversals_of_one_terminal() {
    let mut rig = Rig::new();
    let (_, undo) = unseen(&mut rig);
    for n in 1..=20_000 {
        let mut undo = undo.clone();
        let named = undo.original.as_mut().unwrap();
        (named.stan, named.transmitted) = (n, named.transmitted + n % 60);
        undo.stan = Stan::new(n).unwrap();
        rig.send(undo);
    }
    let count = rig.hub.state().tombstone_count(undo.acquirer, undo.terminal);
    assert_eq!(count, TOMBSTONES_PER_TERMINAL_MAX);
    assert_eq!(rig.found(FindingKind::UnknownOriginal), 20_000);
    assert_eq!(rig.found(FindingKind::TooManyTombstones), 1);
}
