//! A shop that does everything: what each kind of message carries, and what follows what. A bank's
//! own terminals are the same tills.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod rig;

use std::collections::{BTreeMap, BTreeSet};

use parties::Shop;
use parties::shop::{Kind, Manners, Outcome, Seen, ShopConfig};
use rig::{Party, Rig, elements, mti, purchase, with};
use scheme::{Iin, ParticipantId, StationId, Zone};
use wire::iso8583::Message;

fn config(manners: Manners) -> ShopConfig {
    let issuers = ["940801", "940803"].map(|iin| Iin::new(iin).unwrap()).to_vec();
    let acquirer = ParticipantId::new(100_002).unwrap();
    let zone = Zone::fixed(9 * 3600);
    let mut config = ShopConfig::example(StationId(1), "PYO", acquirer, issuers, zone, 11).unwrap();
    config.rate_per_1000_s = 100_000;
    config.manners = manners;
    config.times.complete_within_ms = 2_000;
    config
}

fn shop(manners: Manners) -> Rig {
    let mut rig = Rig::new(Party::Shop(Box::new(Shop::new(config(manners)))));
    rig.advance(0);
    rig
}

fn quiet() -> Manners {
    Manners { walk_away: 0, repeat: 0, cancel: 0, ..Manners::everyday() }
}

/// Approves everything, but for what `code` says otherwise.
fn answer(request: &Message, code: &str) -> Message {
    let mut answer = request.clone();
    answer.set_mti(request.mti().answer().unwrap());
    for de in [14, 38, 90, 95] {
        answer.remove(de);
    }
    let stan = request.text(11).unwrap();
    let rrn = request.text(37).map_or(format!("RRN000{stan}"), str::to_owned);
    let answer = with(answer, &[(39, code), (37, &rrn)]);
    if code == "00" { with(answer, &[(38, stan)]) } else { answer }
}

/// Answers all that is sent for so long, and gives all of it back.
fn run(rig: &mut Rig, ms: u64, code: impl Fn(&Message) -> &'static str) -> Vec<Message> {
    let mut all = Vec::new();
    for _ in 0..ms / 10 {
        rig.advance(10);
        loop {
            let sent: Vec<_> = std::mem::take(&mut rig.sent);
            if sent.is_empty() {
                break;
            }
            for (_, conn, request) in sent {
                if request.mti().class() == scheme::MtiClass::Network {
                    continue;
                }
                rig.receive_on(conn, &answer(&request, code(&request)));
                all.push(request);
            }
        }
    }
    all
}

fn transaction(message: &Message) -> (u16, &str) {
    (message.mti().number(), message.text(3).unwrap().get(..2).unwrap())
}

#[test]
fn r_fields_every_kind_carries_what_a_terminal_must_send() {
    let mut rig = shop(quiet());
    let sent = run(&mut rig, 30_000, |_| "00");
    let mut kinds: BTreeMap<(u16, String), BTreeSet<Vec<u8>>> = BTreeMap::new();
    for message in &sent {
        let (number, code) = transaction(message);
        kinds.entry((number, code.to_owned())).or_default().insert(elements(message));
    }
    let base = vec![2, 3, 4, 7, 11, 12, 13, 14, 32, 41, 42, 49];
    let plus = |extra: &[u8]| {
        let mut all: Vec<u8> = base.iter().chain(extra).copied().collect();
        all.sort_unstable();
        all
    };
    let without_4: Vec<u8> = base.iter().copied().filter(|de| *de != 4).collect();
    let shapes = |message: (u16, &str)| kinds.get(&(message.0, message.1.to_owned())).unwrap();
    assert_eq!(*shapes((200, "00")), BTreeSet::from([base.clone()]));
    assert_eq!(*shapes((200, "01")), BTreeSet::from([base.clone()]));
    assert_eq!(*shapes((200, "31")), BTreeSet::from([without_4]));
    assert_eq!(*shapes((100, "00")), BTreeSet::from([base.clone()]));
    // By DE90 or by DE37; a completion by DE38 as well.
    assert_eq!(*shapes((200, "20")), BTreeSet::from([plus(&[90]), plus(&[37])]));
    assert_eq!(*shapes((220, "00")), BTreeSet::from([plus(&[90]), plus(&[37]), plus(&[38])]));
    // A part goes back: DE39 32 and DE95.
    let part: Vec<_> = sent.iter().filter(|m| m.mti() == mti(420)).collect();
    assert!(!part.is_empty() && part.iter().all(|m| m.text(39) == Some("32") && m.has(95)));
    let of_a_hundred = |n: usize| 100 * n / sent.len();
    let purchases = sent.iter().filter(|m| transaction(m) == (200, "00")).count();
    assert!((60..85).contains(&of_a_hundred(purchases)), "{purchases} of {}", sent.len());
}

#[test]
fn a_refund_names_a_purchase_of_the_shop_and_never_asks_for_more_than_is_left() {
    let mut rig = shop(Manners { refund: 400, preauth: 0, cancel_part: 0, ..quiet() });
    let sent = run(&mut rig, 20_000, |_| "00");
    let seen: Vec<Seen> = rig.shop().drain_seen().collect();
    let mut left: BTreeMap<_, u64> = BTreeMap::new();
    for one in seen.iter().filter(|one| one.kind == Kind::Purchase) {
        assert_eq!((one.outcome, one.original), (Outcome::Approved, None));
        left.insert((one.terminal, one.stan), one.amount.minor());
    }
    let refunds: Vec<_> = seen.iter().filter(|one| one.kind == Kind::Refund).collect();
    assert!(refunds.len() > 100, "{}", refunds.len());
    for refund in &refunds {
        let rest = left.get_mut(&refund.original.unwrap()).unwrap();
        *rest = rest.checked_sub(refund.amount.minor()).unwrap();
    }
    assert!(refunds.iter().any(|one| one.original.unwrap().0 != one.terminal), "any till");
    // DE90 is MTI, DE11 and DE7 of the purchase and its acquirer.
    let named = sent.iter().find(|m| transaction(m) == (200, "20") && m.has(90)).unwrap();
    let data = named.text(90).unwrap();
    let of = sent.iter().find(|m| m.text(11) == data.get(4..10)).unwrap();
    assert_eq!(data.get(..4), Some("0200"));
    assert_eq!(data.get(10..20), of.text(7));
    assert_eq!(data.get(20..), Some("0000010000200000000000"));
    assert_eq!(of.get(2), named.get(2), "the same card");
}

#[test]
fn a_completion_follows_its_preauthorisation_and_is_repeated_until_it_is_acknowledged() {
    let mut rig = shop(Manners { preauth: 1000, cash: 0, refund: 0, balance: 0, ..quiet() });
    rig.advance(1);
    rig.shop().stop();
    let sent = run(&mut rig, 100, |_| "00");
    assert!(sent.iter().all(|m| m.mti() == mti(100)));
    assert!(!rig.shop().is_idle(), "completions are to come");
    // Nobody answers: 0220, then 0221 alike, for ever.
    rig.advance(2_000);
    let first = rig.taken();
    assert_eq!(first.len(), sent.len());
    assert!(first.iter().all(|m| m.mti() == mti(220)));
    assert_eq!(rig.shop().owed().count(), sent.len());
    rig.advance(35_000);
    let again = rig.taken();
    assert_eq!(again.len(), sent.len());
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(again.mti(), mti(221));
        assert_eq!(again.text(11), first.text(11));
    }
    for message in &again {
        rig.receive(&answer(
            message,
            if message.text(11) == again[0].text(11) { "13" } else { "00" },
        ));
    }
    assert!(rig.shop().is_idle());
    let seen: Vec<Seen> = rig.shop().drain_seen().collect();
    for completion in seen.iter().filter(|one| one.kind == Kind::Completion) {
        let hold = seen.iter().find(|one| Some((one.terminal, one.stan)) == completion.original);
        let hold = hold.unwrap();
        assert_eq!(hold.kind, Kind::Preauth);
        assert!(completion.amount <= hold.amount && !completion.amount.is_zero());
    }
    let declined = |one: &&Seen| matches!(one.outcome, Outcome::Declined(_));
    assert_eq!(seen.iter().filter(declined).count(), 1);
}

#[test]
fn r_reversal_a_part_that_stays_is_written_down() {
    let mut rig =
        shop(Manners { cancel: 0, cancel_part: 1000, reverse_twice: 1000, ..Manners::PURCHASES });
    let sent = run(&mut rig, 2_000, |_| "00");
    let seen: Vec<Seen> = rig.shop().drain_seen().collect();
    for one in &seen {
        let reversal = sent.iter().find(|m| {
            m.mti() == mti(420)
                && m.get(90)
                    .is_some_and(|data| data.get(4..10) == Some(one.stan.to_string().as_bytes()))
        });
        let Some(reversal) = reversal else { continue };
        assert!(matches!(one.outcome, Outcome::ReversedInPart(code) if code.is_approved()));
        let kept: u64 = reversal.text(95).unwrap().get(..12).unwrap().parse().unwrap();
        assert_eq!(one.kept.minor(), kept);
        assert!(kept > 0 && kept < one.amount.minor());
    }
    let repeats = sent.iter().filter(|m| m.mti() == mti(421)).count();
    assert!(seen.len() > 100 && repeats >= seen.len(), "each is sent twice");
}

#[test]
fn a_balance_without_an_answer_is_not_reversed() {
    let mut rig = shop(Manners { balance: 1000, ..quiet() });
    rig.advance(1);
    rig.shop().stop();
    assert!(rig.taken().iter().all(|m| transaction(m) == (200, "31")));
    rig.advance(36_000);
    assert!(rig.taken().is_empty());
    let mut seen = rig.shop().drain_seen();
    assert!(seen.all(|one| one.outcome == Outcome::Unknown && one.amount.is_zero()));
}

#[test]
fn staff_err_when_they_are_told_to() {
    let errs = Manners {
        refund: 300,
        refund_over: 300,
        refund_unlinked: 100,
        complete_over: 300,
        complete_twice: 300,
        complete_nothing: 300,
        ..quiet()
    };
    let mut rig = shop(errs);
    run(&mut rig, 30_000, |_| "00");
    let seen: Vec<Seen> = rig.shop().drain_seen().collect();
    let amounts: BTreeMap<_, _> =
        seen.iter().map(|one| ((one.terminal, one.stan), one.amount)).collect();
    let of = |kind| seen.iter().filter(move |one| one.kind == kind);
    let above = |one: &&Seen| one.original.is_some_and(|of| one.amount > amounts[&of]);
    assert!(of(Kind::Refund).any(|one| one.original.is_none()), "unlinked");
    assert!(of(Kind::Refund).filter(above).count() > 5);
    assert!(of(Kind::Completion).filter(above).count() > 5);
    assert!(of(Kind::Completion).filter(|one| one.original.is_none()).count() > 5);
    let mut completed: BTreeMap<_, u32> = BTreeMap::new();
    for one in of(Kind::Completion).filter(|one| !above(one)) {
        *completed.entry(one.original).or_default() += 1;
    }
    assert!(completed.iter().any(|(of, count)| of.is_some() && *count == 2));
}

/// R-LINK: a bank asks for its own terminals on the link on which it answers.
#[test]
fn r_link_a_bank_with_a_counter_asks_and_answers_on_the_same_connections() {
    let mut rig = Rig::bank(|bank| bank.counter = Some(Box::new(config(quiet()))));
    assert!(rig.host().signed_on() == 2);
    let sent = run(&mut rig, 10_000, |_| "00");
    assert!(sent.len() > 500 && sent.iter().all(|m| m.text(32) == Some("100002")));
    let lines: BTreeSet<_> = rig.lines.keys().copied().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(rig.code(&purchase(1, 1)), "00", "and it is an issuer still");
    rig.host_mut().stop();
    // What that question cost an answer ends as well.
    run(&mut rig, 40_000, |_| "00");
    assert!(rig.host().is_idle() && rig.host().unanswered() == 0);
    let seen = rig.host_mut().drain_seen();
    assert!(seen.iter().all(|one| one.acquirer.get() == 100_002));
    let kinds: BTreeSet<_> = seen.iter().map(|one| one.kind).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    assert_eq!(rig.host().counts().unasked, 0);
    assert_eq!(rig.host().acquired().unmatched, 0);
}
