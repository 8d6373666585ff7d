//! A shop alone against a scripted station.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod rig;

use std::collections::BTreeSet;

use parties::shop::{Manners, Outcome, Seen, ShopConfig};
use parties::{ConnId, Event, Shop};
use rig::{Party, Rig, START, elements, mti, with};
use scheme::{Iin, Pan, ParticipantId, ResponseCode, StationId, Timestamp, Zone};
use wire::iso8583::Message;

/// Nobody walks away, repeats or cancels: every payment without an answer is reversed.
const REVERSE: Manners = Manners {
    walk_away: 0,
    repeat: 0,
    repeats_max: 2,
    cancel: 0,
    new_time_in_repeat: 0,
    new_local_in_repeat: 0,
    new_stan_in_reversal: 0,
    ..Manners::PURCHASES
};

fn shop(change: impl FnOnce(&mut ShopConfig)) -> Rig {
    let issuers = ["940801", "940802", "940803", "940804"];
    let mut config = ShopConfig::example(
        StationId(1),
        "PYO",
        ParticipantId::new(100_001).unwrap(),
        issuers.iter().map(|iin| Iin::new(iin).unwrap()).collect(),
        Zone::fixed(9 * 3600),
        11,
    )
    .unwrap();
    config.manners = REVERSE;
    change(&mut config);
    let mut rig = Rig::new(Party::Shop(Box::new(Shop::new(config))));
    rig.advance(0);
    rig
}

/// One payment, without an answer yet; then no more start.
fn one_payment(change: impl FnOnce(&mut ShopConfig)) -> (Rig, Message) {
    let mut rig = shop(|config| {
        config.rate_per_1000_s = 1_000;
        change(config);
    });
    rig.shop().stop();
    let mut sent = rig.taken();
    assert_eq!(sent.len(), 1);
    (rig, sent.remove(0))
}

fn answer(request: &Message, code: &str) -> Message {
    let mut answer = request.clone();
    answer.set_mti(request.mti().answer().unwrap());
    for de in [14, 90] {
        answer.remove(de);
    }
    let answer = with(answer, &[(39, code), (37, "626500000001")]);
    if code == "00" { with(answer, &[(38, "A00001")]) } else { answer }
}

fn seen(rig: &mut Rig) -> Vec<Seen> {
    rig.shop().drain_seen().collect()
}

fn code(code: &[u8; 2]) -> ResponseCode {
    ResponseCode::of(code)
}

#[test]
fn r_fields_a_purchase_carries_what_a_terminal_must_send() {
    let mut rig = shop(|c| c.rate_per_1000_s = 200_000);
    rig.shop();
    for _ in 0..100 {
        rig.advance(100);
        let sent: Vec<_> = std::mem::take(&mut rig.sent);
        for (_, conn, request) in sent {
            rig.receive_on(conn, &answer(&request, "00"));
            check_purchase(&request);
        }
    }
    let all = seen(&mut rig);
    assert!(all.len() > 1_900, "{}", all.len());
    assert!(all.iter().all(|s| s.outcome == Outcome::Approved && s.approved));
    let issuers: BTreeSet<_> = all.iter().map(|s| s.issuer.to_string()).collect();
    let accounts: BTreeSet<_> = all.iter().map(|s| s.account).collect();
    let terminals: BTreeSet<_> = all.iter().map(|s| s.terminal).collect();
    assert_eq!((issuers.len(), accounts.len(), terminals.len()), (4, 75, 9));
    assert_eq!((accounts.first(), accounts.last()), (Some(&21), Some(&95)));
    let traces: BTreeSet<_> = all.iter().map(|s| (s.terminal, s.stan)).collect();
    assert_eq!(traces.len(), all.len());
}

fn check_purchase(request: &Message) {
    assert_eq!(request.mti(), mti(200));
    assert_eq!(elements(request), [2, 3, 4, 7, 11, 12, 13, 14, 32, 41, 42, 49]);
    let pan = Pan::parse(request.get(2).unwrap()).unwrap();
    assert_eq!(pan.check(), Ok(()));
    assert_eq!(pan.digits().len(), 16);
    let amount: u64 = request.text(4).unwrap().parse().unwrap();
    assert!((100..=6_000).contains(&amount), "{amount}");
    assert_eq!(request.text(32), Some("100001"));
    assert_eq!(request.text(42), Some("PYO-SHOP-000001"));
    assert_eq!(request.text(49), Some("408"));
    let terminal = request.text(41).unwrap();
    assert!(("PYO00011"..="PYO00019").contains(&terminal), "{terminal}");
}

#[test]
fn r_fields_de7_is_utc_and_de12_and_13_are_local() {
    let (_, request) = one_payment(|_| {});
    // 1,790,000,000 s = 2026-09-21T14:13:20Z.
    assert_eq!(request.text(7), Some("0921141320"));
    assert_eq!(request.text(13), Some("0921"));
    assert_eq!(request.text(12), Some("231320"));
}

#[test]
fn rate_is_steady_and_no_burst_follows_a_pause() {
    let mut rig = shop(|c| {
        c.rate_per_1000_s = 20_000;
        c.in_flight_max = 10_000;
    });
    rig.advance(10_000);
    let times: Vec<Timestamp> = rig.sent.iter().map(|(at, _, _)| *at).collect();
    assert_eq!(times.len(), 201);
    assert!(times.windows(2).all(|w| w[1].ms_since(w[0]) == 50));
    rig.sent.clear();
    // Held up for 5 s: at most one payment is made up for, 100 are lost.
    rig.now = rig.now.plus_ms(5_000);
    rig.event(Event::Timeout);
    assert!(rig.sent.len() <= 1, "{}", rig.sent.len());
    rig.advance(1_000);
    assert!((20..=21).contains(&rig.sent.len()), "{}", rig.sent.len());
    rig.shop().set_rate(0);
    rig.sent.clear();
    rig.advance(5_000);
    assert_eq!(rig.sent.len(), 0);
}

#[test]
fn in_flight_is_bounded_and_nothing_starts_without_a_connection() {
    let mut rig = shop(|c| {
        c.rate_per_1000_s = 100_000;
        c.in_flight_max = 5;
    });
    rig.advance(1_000);
    assert_eq!(rig.sent.len(), 5);
    let (_, conn, request) = rig.sent[0].clone();
    rig.receive_on(conn, &answer(&request, "51"));
    rig.advance(1_000);
    assert_eq!(rig.sent.len(), 6);
    rig.peer_is_up = false;
    for conn in rig.lines.keys().copied().collect::<Vec<_>>() {
        rig.lines.remove(&conn);
        rig.event(Event::Closed { conn });
    }
    assert_eq!(seen(&mut rig).len(), 1);
    rig.advance(10_000);
    assert_eq!((rig.sent.len(), rig.shop().unanswered()), (6, 5));
}

#[test]
fn r_time_a_terminal_waits_35_s_and_then_reverses_until_acknowledged() {
    let (mut rig, request) = one_payment(|_| {});
    rig.advance(34_999);
    assert_eq!(rig.taken().len(), 0);
    rig.advance(1);
    let first = rig.taken().remove(0);
    assert_eq!(first.mti(), mti(420));
    let carried = [2, 3, 4, 7, 11, 12, 13, 32, 39, 41, 42, 49, 90];
    assert_eq!(elements(&first), carried);
    for de in [2, 3, 4, 11, 12, 13, 32, 41, 42, 49] {
        assert_eq!(first.get(de), request.get(de), "DE{de}");
    }
    assert_eq!(first.text(39), Some("68"));
    let (stan, at) = (request.text(11).unwrap(), request.text(7).unwrap());
    let original = format!("0200{stan}{at}0000010000100000000000");
    assert_eq!(first.text(90), Some(original.as_str()));
    assert_eq!(rig.shop().owed().count(), 1);
    assert_eq!(rig.shop().owed().next().unwrap().outcome, Outcome::ReversalOwed);
    // Without end, and alike: 0421 keeps the 0420's DE11 and DE7.
    rig.advance(10 * 35_000);
    let repeats = rig.taken();
    assert_eq!(repeats.len(), 10);
    for repeat in &repeats {
        assert_eq!(repeat.mti(), mti(421));
        let mut as_first = repeat.clone();
        as_first.set_mti(mti(420));
        assert_eq!(as_first, first);
    }
    assert_eq!(seen(&mut rig), []);
    rig.receive(&answer(&first, "00"));
    let ended = seen(&mut rig);
    assert_eq!(ended[0].outcome, Outcome::Reversed(code(b"00")));
    assert_eq!((ended[0].stan.to_string().as_str(), ended[0].approved), (stan, false));
    assert!(rig.shop().is_idle());
    rig.advance(100_000);
    assert_eq!(rig.taken().len(), 0);
}

#[test]
fn r_match_a_repeat_has_the_same_de11_12_13_and_may_have_a_new_de7() {
    for new_time in [0, 1000] {
        let (mut rig, request) = one_payment(|c| {
            c.manners.repeat = 1000;
            c.manners.new_time_in_repeat = new_time;
        });
        rig.advance(70_000);
        let repeats = rig.taken();
        assert_eq!(repeats.len(), 2);
        for repeat in &repeats {
            assert_eq!(repeat.mti(), mti(201));
            let same_time = repeat.get(7) == request.get(7);
            assert_eq!(same_time, new_time == 0);
            let mut as_first = repeat.clone();
            as_first.set_mti(mti(200));
            as_first.set(7, request.get(7).unwrap());
            assert_eq!(as_first, request);
        }
        // After the last repeat it is reversed, under the first request's DE7.
        rig.advance(35_000);
        let reversal = rig.taken().remove(0);
        assert_eq!(reversal.mti(), mti(420));
        assert_eq!(&reversal.text(90).unwrap()[10..20], request.text(7).unwrap());
    }
    let (mut rig, request) = one_payment(|c| c.manners.repeat = 1000);
    rig.advance(35_000);
    let repeat = rig.taken().remove(0);
    rig.receive(&answer(&repeat, "00"));
    let ended = seen(&mut rig);
    assert_eq!(ended[0].outcome, Outcome::Approved);
    assert_eq!(ended[0].rrn.as_str(), "626500000001");
    assert_eq!(ended[0].approval.as_str(), "A00001");
    assert_eq!(
        ended[0].amount.minor().to_string(),
        request.text(4).unwrap().trim_start_matches('0')
    );
}

#[test]
fn r_reversal_some_terminals_give_it_a_new_de11() {
    let (mut rig, request) = one_payment(|c| c.manners.new_stan_in_reversal = 1000);
    rig.advance(70_000);
    let sent = rig.taken();
    assert_eq!(sent.len(), 2);
    for reversal in &sent {
        assert_ne!(reversal.get(11), request.get(11));
        assert_ne!(reversal.get(12), request.get(12));
        assert_eq!(&reversal.text(90).unwrap()[4..10], request.text(11).unwrap());
        assert_eq!(reversal.get(11), sent[0].get(11));
        assert_eq!(reversal.get(7), sent[0].get(7));
    }
    // An answer under the old number is not its acknowledgement.
    let mut stray = answer(&sent[0], "00");
    stray.set(11, request.get(11).unwrap());
    rig.receive(&stray);
    assert_eq!(seen(&mut rig), []);
    rig.receive(&answer(&sent[1], "00"));
    assert_eq!(seen(&mut rig)[0].outcome, Outcome::Reversed(code(b"00")));
}

#[test]
fn r_time_a_late_answer_to_a_payment_being_reversed_is_no_approval() {
    let (mut rig, request) = one_payment(|_| {});
    rig.advance(35_000);
    let reversal = rig.taken().remove(0);
    rig.receive(&answer(&request, "00"));
    assert_eq!((seen(&mut rig), rig.shop().owed().count()), (vec![], 1));
    assert_eq!(rig.shop().counts().unmatched, 1);
    rig.receive(&answer(&reversal, "21"));
    let ended = seen(&mut rig);
    assert_eq!(ended[0].outcome, Outcome::Reversed(code(b"21")));
    assert!(!ended[0].approved);
}

#[test]
fn shops_walk_away_cancel_and_are_declined() {
    let (mut rig, request) = one_payment(|c| c.manners.walk_away = 1000);
    rig.advance(35_000);
    assert_eq!(seen(&mut rig)[0].outcome, Outcome::Unknown);
    rig.receive(&answer(&request, "00"));
    rig.advance(100_000);
    assert_eq!((rig.taken().len(), seen(&mut rig).len()), (0, 0));

    let (mut rig, request) = one_payment(|c| c.manners.cancel = 1000);
    rig.receive(&answer(&request, "00"));
    let reversal = rig.taken().remove(0);
    assert_eq!(reversal.text(39), Some("17"));
    assert_eq!(reversal.text(37), Some("626500000001"));
    rig.receive(&answer(&reversal, "00"));
    let ended = seen(&mut rig);
    assert_eq!(ended[0].outcome, Outcome::Reversed(code(b"00")));
    assert!(ended[0].approved, "it was approved before");

    let (mut rig, request) = one_payment(|_| {});
    rig.receive(&answer(&request, "91"));
    assert_eq!(seen(&mut rig)[0].outcome, Outcome::Declined(code(b"91")));
    rig.advance(100_000);
    assert_eq!(rig.taken().len(), 0);
}

#[test]
fn answers_for_another_terminal_trace_or_amount_are_no_answers() {
    let (mut rig, request) = one_payment(|_| {});
    for (de, value) in [(41, "PYO00001"), (11, "999999"), (4, "000000000001")] {
        rig.receive(&with(answer(&request, "00"), &[(de, value)]));
    }
    let mut wrong_type = answer(&request, "00");
    wrong_type.set_mti(mti(430));
    rig.receive(&wrong_type);
    assert_eq!((seen(&mut rig).len(), rig.shop().counts().unmatched), (0, 4));
    rig.receive(&answer(&request, "00"));
    assert_eq!(seen(&mut rig).len(), 1);
}

#[test]
fn an_owed_reversal_goes_out_soon_after_the_station_is_back() {
    let (mut rig, _) = one_payment(|_| {});
    rig.peer_is_up = false;
    for conn in rig.lines.keys().copied().collect::<Vec<ConnId>>() {
        rig.lines.remove(&conn);
        rig.event(Event::Closed { conn });
    }
    rig.advance(120_000);
    assert_eq!((rig.taken().len(), rig.shop().owed().count()), (0, 1));
    rig.peer_is_up = true;
    rig.advance(6_000);
    let sent = rig.taken();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].mti().first(), mti(420));
}

#[test]
fn the_same_seed_sends_the_same_and_a_restarted_shop_does_not_repeat_itself() {
    let run = |start: Timestamp, seed: u64| {
        let mut rig = shop(|c| c.rate_per_1000_s = 0);
        let config = ShopConfig {
            rate_per_1000_s: 20_000,
            manners: Manners::default(),
            seed,
            ..rig.shop().config().clone()
        };
        let mut rig = Rig::new(Party::Shop(Box::new(Shop::new(config))));
        rig.now = start;
        rig.advance(90_000);
        rig.taken()
    };
    let first = run(START, 11);
    assert_eq!(first, run(START, 11));
    assert_ne!(first, run(START, 12));
    let traces = |messages: &[Message]| -> BTreeSet<(Vec<u8>, Vec<u8>)> {
        let trace = |m: &Message| (m.get(41).unwrap().to_vec(), m.get(11).unwrap().to_vec());
        messages.iter().map(trace).collect()
    };
    let later = run(START.plus_ms(91_000), 11);
    let (early, later) = (traces(&first), traces(&later));
    assert_eq!(early.intersection(&later).count(), 0);
    assert!(early.len() > 500, "{}", early.len());
}

#[test]
fn r_secrets_debug_shows_no_card() {
    let (mut rig, request) = one_payment(|_| {});
    let shown = format!("{:?}", rig.shop());
    assert!(!shown.contains(request.text(2).unwrap()));
    let bytes = &request.get(2).unwrap()[8..12];
    assert!(!shown.contains(&format!("{bytes:?}").replace(['[', ']'], "")));
}
