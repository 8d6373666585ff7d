//! R-MATCH: which payment a message speaks of.

use scheme::{LocalTime, MonthTime, Processing, Rrn, Stan};
use switch::Request;
use switch::hub::Status;
use switch::record::FindingKind;

use crate::rig::{B, DAY, HOUR, MINUTE, MORNING, Rig, SECOND, amount, bank, card, mti, terminal};

fn later(rig: &mut Rig, first: &Request, ms: u64) -> Request {
    rig.jump(ms);
    Request { local: rig.local(), transmitted: rig.now.month_time(), ..rig.again(first) }
}

/// The same content with another DE12 but the first one's DE13, whatever the day.
fn later_same_date(rig: &mut Rig, first: &Request, ms: u64) -> Request {
    rig.jump(ms);
    let local = LocalTime::new(first.local.number() + 1).unwrap();
    Request { local, ..rig.again(first) }
}

fn sent_rrn(request: Request, rrn: &str) -> Request {
    Request { rrn: Rrn::new(rrn.as_bytes()).unwrap(), rrn_sent: true, ..request }
}

#[test]
fn r_match_k1_and_k4_equal_is_a_repeat() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    for number in [200, 201] {
        let again = Request { mti: mti(number), ..rig.again(&first) };
        let ticket = rig.send(again);
        assert_eq!(rig.said(ticket), "00");
        assert_eq!(rig.answered(ticket).unwrap().approval.as_str(), "A1B2C3");
        rig.jump(HOUR);
    }
    assert_eq!(rig.asks.len(), 1);
    assert_eq!(rig.nets(), [1000, -1000, 0]);
}

#[test]
fn r_match_k1_equal_with_other_content_is_94() {
    let mut rig = Rig::new();
    let first = sent_rrn(rig.purchase(), "000000000001");
    rig.pay(&first);
    let others = [
        Request { amount: amount(1001), ..first.clone() },
        Request { card: Some(card(B, 2)), ..first.clone() },
        Request { processing: Processing::new(10_000).unwrap(), ..first.clone() },
        sent_rrn(first.clone(), "000000000002"),
        Request { mti: mti(201), amount: amount(1001), ..first.clone() },
    ];
    for other in others {
        let ticket = rig.send(other);
        assert_eq!(rig.said(ticket), "94 DUPLICATE");
    }
    // The digits of DE3 that pass through are not its content.
    let ticket = rig.send(Request { processing: Processing::new(1000).unwrap(), ..first });
    assert_eq!(rig.said(ticket), "00");
    assert_eq!(rig.asks.len(), 1);
}

#[test]
fn r_match_k4_within_five_minutes_is_a_repeat() {
    for (gap, asked) in [(5 * MINUTE - 1, 1), (5 * MINUTE, 1), (5 * MINUTE + 1, 2)] {
        let mut rig = Rig::new();
        let first = rig.purchase();
        rig.pay(&first);
        let second = later(&mut rig, &first, gap);
        let ticket = rig.send(second);
        assert_eq!(rig.asks.len(), asked, "{gap} ms");
        let expected = if asked == 1 { "00" } else { "nothing" };
        assert_eq!(rig.said(ticket), expected, "{gap} ms");
    }
}

#[test]
fn r_match_k4_of_an_xxx1_within_24_hours() {
    for (gap, asked) in [(DAY - 1, 1), (DAY, 1), (DAY + 1, 2)] {
        let mut rig = Rig::new();
        let first = rig.purchase();
        rig.pay(&first);
        let second = later_same_date(&mut rig, &first, gap);
        rig.send(Request { mti: mti(201), ..second });
        assert_eq!(rig.asks.len(), asked, "{gap} ms");
    }
    // A plain 0200 after so long is a new payment.
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let second = later_same_date(&mut rig, &first, HOUR);
    rig.send(second);
    assert_eq!(rig.asks.len(), 2);
}

#[test]
fn r_match_k4_over_midnight_only_within_60_minutes() {
    for (gap, asked) in [(HOUR - 1, 1), (HOUR, 1), (HOUR + 1, 2)] {
        let mut rig = Rig::new();
        rig.pass(13 * HOUR + 30 * MINUTE);
        let first = rig.purchase();
        rig.pay(&first);
        let second = later(&mut rig, &first, gap);
        assert_ne!(second.local.date(), first.local.date());
        rig.send(Request { mti: mti(201), ..second });
        assert_eq!(rig.asks.len(), asked, "{gap} ms");
    }
}

#[test]
fn r_match_k4_never_between_sent_de37_that_differ() {
    let cases = [
        (Some("000000000001"), Some("000000000002"), 2),
        (Some("000000000001"), Some("000000000001"), 1),
        (Some("000000000001"), None, 1),
        (None, Some("000000000001"), 1),
    ];
    for (one, two, asked) in cases {
        let mut rig = Rig::new();
        let with = |request: Request, rrn: Option<&str>| match rrn {
            Some(rrn) => sent_rrn(request, rrn),
            None => request,
        };
        let plain = rig.purchase();
        let first = with(plain.clone(), one);
        rig.pay(&first);
        let second = later(&mut rig, &plain, SECOND);
        rig.send(with(second, two));
        assert_eq!(rig.asks.len(), asked, "{one:?} and {two:?}");
    }
}

#[test]
fn r_match_k4_is_about_trace_card_kind_and_amount() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let second = later(&mut rig, &first, MINUTE);
    let others = [
        Request { amount: amount(1001), ..second.clone() },
        Request { card: Some(card(B, 2)), local: at(&second, 1), ..second.clone() },
        Request { stan: Stan::new(900).unwrap(), ..second.clone() },
        Request { terminal: terminal("PYO00002"), ..second },
    ];
    for (n, other) in others.into_iter().enumerate() {
        rig.send(other);
        assert_eq!(rig.asks.len(), n + 2, "other {n}");
    }
}

fn at(request: &Request, seconds: u32) -> LocalTime {
    MonthTime::new(request.local.number() + seconds).unwrap()
}

#[test]
fn r_match_an_unknown_xxx1_is_a_first_request() {
    let mut rig = Rig::new();
    let first = Request { mti: mti(201), ..rig.purchase() };
    let id = rig.pay(&first);
    assert_eq!(rig.status(id), Status::Posted);
    assert_eq!(rig.payment(id).seen.mti, mti(200));
}

#[test]
fn r_match_two_candidates_the_newest_and_a_finding() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let old = rig.pay(&first);
    let second = later(&mut rig, &first, 10 * MINUTE);
    let new = rig.pay(&second);
    // A repeat that fits both gets the newest one's answer, and somebody should know.
    let third = later(&mut rig, &first, MINUTE * 10);
    let ticket = rig.send(Request { mti: mti(201), ..third.clone() });
    assert_eq!((rig.said(ticket).as_str(), rig.asks.len()), ("00", 2));
    assert_eq!(rig.found(FindingKind::TwoCandidates), 1);
    // A reversal without DE90 and DE37 fits both.
    let ticket = rig.send(Request { mti: mti(400), ..third });
    assert_eq!(rig.said(ticket), "00");
    assert_eq!((rig.status(old), rig.status(new)), (Status::Posted, Status::Reversed));
    assert_eq!(rig.found(FindingKind::TwoCandidates), 2);
}

#[test]
fn r_match_a_repeat_in_flight_waits_and_the_issuer_is_asked_once() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let one = rig.send(first.clone());
    rig.pass(2 * SECOND);
    let two = rig.send(Request { mti: mti(201), ..rig.again(&first) });
    let second = later(&mut rig, &first, SECOND);
    let three = rig.send(second);
    assert_eq!((rig.said(one), rig.said(two)), ("nothing".into(), "nothing".into()));
    rig.issuer_says("51");
    for ticket in [one, two, three] {
        assert_eq!(rig.said(ticket), "51");
    }
    assert_eq!(rig.asks.len(), 1);
    let four = rig.send(rig.again(&first));
    assert_eq!(rig.said(four), "51");
}

#[test]
fn r_match_a_repeat_gets_the_first_answer_or_94_reversed() {
    let mut rig = Rig::new();
    let posted = rig.purchase();
    rig.pay(&posted);
    let voided = rig.purchase();
    rig.send(voided.clone());
    rig.pass(16 * SECOND);
    let undo = rig.reversal(&posted);
    rig.send(undo);
    let again = rig.send(rig.again(&posted));
    assert_eq!(rig.said(again), "94 REVERSED");
    let again = rig.send(rig.again(&voided));
    assert_eq!(rig.said(again), "91 ISSUER LATE");
    let refused = Request { amount: amount(0), ..rig.purchase() };
    for _ in 0..2 {
        let ticket = rig.send(refused.clone());
        assert_eq!(rig.said(ticket), "13 AMOUNT ZERO");
    }
}

/// A terminal whose clock is a day ahead may send the same message again two days later: the clock
/// is right both times, and the ledger knows the id for ever.
#[test]
fn r_match_k1_is_known_as_long_as_its_clock_passes() {
    let mut rig = Rig::new();
    let ahead = rig.now.plus_ms(DAY - SECOND);
    let local = crate::rig::config().zone.local(ahead).month_time();
    let first = Request { local, ..rig.purchase() };
    rig.pay(&first);
    for _ in 0..3 {
        rig.jump(15 * HOUR);
        let other = rig.purchase();
        rig.pay(&other);
    }
    let ticket = rig.send(rig.again(&first));
    assert_eq!(rig.said(ticket), "00");
    rig.jump(10 * HOUR);
    let other = rig.purchase();
    rig.pay(&other);
    let ticket = rig.send(rig.again(&first));
    assert_eq!(rig.said(ticket), "12 CLOCK");
}

#[test]
fn r_match_k2_is_trace_and_de7_with_de3_and_class() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let good = rig.reversal(&first);
    let named = good.original.unwrap();
    let wrong = [
        switch::OriginalRef { transmitted: named.transmitted + 1, ..named },
        switch::OriginalRef { mti: 100, ..named },
        switch::OriginalRef { stan: named.stan + 500, ..named },
        switch::OriginalRef { acquirer: B, ..named },
        switch::OriginalRef { forwarding: 7, ..named },
    ];
    // Without a card K4 cannot find what K2 missed.
    for original in wrong {
        let other = Request { original: Some(original), card: None, ..good.clone() };
        let ticket = rig.send(other);
        assert_eq!(rig.said(ticket), "00");
        assert_eq!(rig.status(id), Status::Posted, "{original:?}");
    }
    let other_kind = Processing::new(200_000).unwrap();
    rig.send(Request { processing: other_kind, card: None, ..good.clone() });
    assert_eq!(rig.status(id), Status::Posted);
    rig.send(Request { terminal: terminal("PYO00002"), ..good.clone() });
    assert_eq!(rig.status(id), Status::Posted);
    // One tombstone for each trace number, DE7, kind and terminal.
    assert_eq!(rig.found(FindingKind::UnknownOriginal), 5);
    rig.send(Request { card: None, ..good });
    assert_eq!(rig.status(id), Status::Reversed);
}

#[test]
fn r_fields_de90_parts_of_zero_match_anything() {
    let zero = |f: fn(&mut switch::OriginalRef)| {
        let mut rig = Rig::new();
        let first = Request { forwarding: 5, ..rig.purchase() };
        let id = rig.pay(&first);
        let mut undo = rig.reversal(&first);
        let mut named = undo.original.unwrap();
        (named.acquirer, named.forwarding) = (first.acquirer.get(), 5);
        f(&mut named);
        undo.original = Some(named);
        undo.card = None;
        rig.send(undo);
        rig.status(id)
    };
    assert_eq!(zero(|_| ()), Status::Reversed);
    assert_eq!(zero(|n| n.mti = 0), Status::Reversed);
    assert_eq!(zero(|n| n.transmitted = 0), Status::Reversed);
    assert_eq!(zero(|n| (n.acquirer, n.forwarding) = (0, 0)), Status::Reversed);
    assert_eq!(zero(|n| n.forwarding = 6), Status::Posted);
}

#[test]
fn r_match_k3_finds_by_reference_number() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    // The station made the number; the terminal read it in the answer and sends it back.
    let undo = Request { original: None, card: None, ..rig.reversal(&first) };
    let ticket = rig.send(undo.clone());
    assert_eq!((rig.said(ticket).as_str(), rig.status(id)), ("00", Status::Posted));
    let undo = sent_rrn(undo, first.rrn.as_str());
    let other_kind = Processing::new(90_000).unwrap();
    rig.send(Request { processing: other_kind, ..undo.clone() });
    assert_eq!(rig.status(id), Status::Posted);
    rig.send(undo);
    assert_eq!(rig.status(id), Status::Reversed);
}

#[test]
fn r_match_k4_of_a_reversal_within_24_hours() {
    for (gap, end) in
        [(DAY - 1, Status::Reversed), (DAY, Status::Reversed), (DAY + 1, Status::Posted)]
    {
        let mut rig = Rig::new();
        let first = rig.purchase();
        let id = rig.pay(&first);
        let second = later_same_date(&mut rig, &first, gap);
        rig.send(Request { mti: mti(400), ..second });
        assert_eq!(rig.status(id), end, "{gap} ms");
    }
}

#[test]
fn r_match_windows_run_between_first_receipts() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    let undo = rig.reversal(&first);
    // The trunk was cut for a day after the station had taken the reversal in.
    rig.jump(DAY + HOUR);
    rig.send(undo);
    assert_eq!(rig.status(id), Status::Reversed);
    assert_eq!(rig.findings(), 0);
    assert!(rig.payment(id).seen.first_received == MORNING);
}

#[test]
fn r_match_an_acquirer_on_its_own_link() {
    let mut rig = Rig::new();
    let request = Request { terminal: terminal("TILL0001"), ..rig.purchase() };
    let peer = switch::PeerId::Bank(bank(crate::rig::A));
    let ticket = rig.send_from(peer, request.clone());
    rig.issuer_says("00");
    assert_eq!(rig.said(ticket), "00");
    let undo = rig.reversal(&request);
    rig.send_from(peer, undo);
    assert_eq!(rig.nets(), [0, 0, 0]);
}
