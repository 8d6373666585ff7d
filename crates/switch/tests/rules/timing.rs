//! R-TIME and store and forward: deadlines to the microsecond, and what issuers are owed.

use scheme::Timestamp;
use switch::Request;
use switch::hub::{Count, Input, Status};
use switch::record::{Fact, FindingKind};

use crate::rig::{A, B, Event, MINUTE, Rig, SECOND, amount, bank, code, terminal};

#[test]
fn r_time_an_answer_at_its_deadline_is_late() {
    for (early_us, end) in [(1, Status::Posted), (0, Status::Voided)] {
        let mut rig = Rig::new();
        let first = rig.purchase();
        let ticket = rig.send(first);
        rig.now = Timestamp(rig.now.plus_ms(15 * SECOND).0 - early_us * 1000);
        rig.issuer_says("00");
        let id = rig.asks[0].id;
        assert_eq!(rig.status(id), end);
        let late = end == Status::Voided;
        assert_eq!(rig.said(ticket), if late { "91 ISSUER LATE" } else { "00" });
        assert_eq!(rig.counts.contains(&Count::StrayAnswer), late);
        assert_eq!(rig.advices.len(), usize::from(late));
        assert!(rig.advices.iter().all(|advice| advice.code == code("68")));
        assert_eq!(rig.nets()[0], if late { 0 } else { 1000 });
    }
}

/// R-TIME: the advice is durable before the answer for lack of an answer leaves.
#[test]
fn r_time_the_advice_is_durable_before_the_91() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let ticket = rig.send(first);
    rig.events.clear();
    rig.pass(15 * SECOND);
    assert_eq!(rig.events, [Event::Record, Event::Answer(ticket), Event::Advise]);
    assert_eq!(rig.hub.state().advice_count(), 1);
}

#[test]
fn r_link_an_answer_that_disagrees_is_no_answer() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let ticket = rig.send(first);
    let good = rig.answer_to(&rig.asks[0], "00");
    let mut wrong = vec![good.clone(); 6];
    wrong[0].processing = scheme::Processing::new(1).unwrap();
    wrong[1].amount = amount(1001);
    wrong[2].terminal = terminal("PYO00002");
    wrong[3].bank = bank(A);
    wrong[4].trace.stan = scheme::Stan::new(99).unwrap();
    wrong[5].trace.transmitted = scheme::MonthTime::new(101_000_000).unwrap();
    for (n, answer) in wrong.into_iter().enumerate() {
        rig.counts.clear();
        rig.drive(Input::IssuerAnswer(answer));
        assert_eq!(
            (rig.said(ticket), rig.counts.clone()),
            ("nothing".into(), vec![Count::StrayAnswer]),
            "{n}"
        );
    }
    rig.drive(Input::IssuerAnswer(good.clone()));
    assert_eq!(rig.said(ticket), "00");
    rig.counts.clear();
    rig.drive(Input::IssuerAnswer(good));
    assert_eq!(rig.counts, [Count::StrayAnswer]);
}

#[test]
fn r_de39_what_issuers_may_say() {
    let ends = [
        ("00", Status::Posted),
        ("05", Status::Declined),
        ("51", Status::Declined),
        ("91", Status::Declined),
        ("N7", Status::Declined),
        ("08", Status::Voided),
        ("09", Status::Voided),
        ("10", Status::Voided),
        ("11", Status::Voided),
        ("16", Status::Voided),
        ("85", Status::Voided),
    ];
    for (said, end) in ends {
        let mut rig = Rig::new();
        let first = rig.purchase();
        let ticket = rig.send(first);
        rig.issuer_says(said);
        assert_eq!(rig.status(rig.asks[0].id), end, "{said}");
        let voided = end == Status::Voided;
        assert_eq!(rig.said(ticket), if voided { "91 ISSUER ANSWER" } else { said });
        assert_eq!(rig.found(FindingKind::IssuerCode), u64::from(voided));
        let owed: Vec<_> = rig.advices.iter().map(|advice| advice.code.to_string()).collect();
        assert_eq!(owed, if voided { vec!["22"] } else { vec![] }, "a malfunction is suspected");
    }
}

/// A payment that is voided, its advice on its way.
fn owed() -> Rig {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.send(first);
    rig.pass(15 * SECOND);
    rig
}

fn sent_at(rig: &Rig) -> Vec<u64> {
    let first = rig.advices[0].at;
    rig.advices.iter().map(|advice| advice.at.ms_since(first) / 1000).collect()
}

#[test]
fn r_time_repeats_of_an_advice_and_the_finding() {
    let mut rig = owed();
    rig.pass(10 * MINUTE - 1);
    assert_eq!(rig.found(FindingKind::AdviceStuck), 0);
    rig.pass(1);
    assert_eq!(rig.found(FindingKind::AdviceStuck), 1, "exactly after ten minutes");
    rig.pass(20 * MINUTE);
    assert_eq!(sent_at(&rig), [0, 15, 45, 105, 225, 525, 825, 1125, 1425, 1725]);
    let repeats: Vec<bool> = rig.advices.iter().map(|advice| advice.repeat).collect();
    assert!(!repeats[0] && repeats[1..].iter().all(|repeat| *repeat));
    assert!(rig.advices.iter().all(|advice| advice.trace == rig.advices[0].trace));
    assert_eq!(rig.found(FindingKind::AdviceStuck), 1);
    rig.acknowledge(&rig.advices[3].clone(), "00");
    let sent = rig.advices.len();
    rig.pass(20 * MINUTE);
    assert_eq!((rig.advices.len(), rig.hub.state().advice_count()), (sent, 0));
}

#[test]
fn r_time_a_silent_bank_is_found_after_ten_minutes() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.send(first);
    rig.sign_off(B);
    rig.pass(15 * SECOND + 10 * MINUTE);
    assert_eq!((rig.advices.len(), rig.found(FindingKind::AdviceStuck)), (0, 1));
    // A restart does not find it a second time.
    rig.crash();
    rig.pass(20 * MINUTE);
    assert_eq!(rig.found(FindingKind::AdviceStuck), 1);
}

#[test]
fn r_reversal_findings_about_an_issuer_name_it() {
    let mut rig = owed();
    rig.pass(10 * MINUTE);
    rig.acknowledge(&rig.advices[0].clone(), "12");
    let first = rig.purchase();
    rig.send(first);
    rig.issuer_says("10");
    let mut named = Vec::new();
    for record in &rig.records {
        if let Fact::Finding(finding) = &record.fact {
            named.push((finding.kind, finding.participant));
        }
    }
    let b = Some(bank(B));
    let expected = [
        (FindingKind::AdviceStuck, b),
        (FindingKind::AdviceRefused, b),
        (FindingKind::IssuerCode, b),
    ];
    assert_eq!(named, expected);
}

#[test]
fn r_reversal_any_acknowledgement_ends_it_but_only_00_in_silence() {
    for (said, found) in [("00", 0), ("12", 1), ("94", 1)] {
        let mut rig = owed();
        rig.acknowledge(&rig.advices[0].clone(), said);
        assert_eq!(rig.found(FindingKind::AdviceRefused), found);
        assert_eq!(rig.hub.state().advice_count(), 0);
        assert_eq!(rig.nets(), [0, 0, 0]);
        rig.counts.clear();
        rig.acknowledge(&rig.advices[0].clone(), said);
        assert_eq!(rig.counts, [Count::StrayAcknowledgement]);
    }
}

#[test]
fn r_reversal_back_off_counts_only_while_signed_on() {
    let mut rig = owed();
    rig.pass(20 * SECOND);
    assert_eq!(rig.advices.len(), 2);
    rig.sign_off(B);
    rig.pass(MINUTE);
    assert_eq!(rig.advices.len(), 2);
    rig.sign_on(B);
    assert_eq!(rig.advices.len(), 3);
    assert!(rig.advices[2].repeat);
    // A second connection sends nothing that is not due.
    rig.drive(Input::Line { bank: bank(B), line: 77, signed_on: true });
    assert_eq!(rig.advices.len(), 3);
    // One of two connections goes: the schedule goes on.
    rig.sign_off(B);
    rig.pass(MINUTE);
    assert_eq!(rig.advices.len(), 4);
    assert_eq!(rig.advices[3].line, 77);
}

#[test]
fn r_reversal_sign_on_sends_all_in_order() {
    let mut rig = Rig::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let first = rig.purchase();
        rig.send(first);
        ids.push(rig.asks.last().unwrap().id);
        rig.pass(SECOND);
    }
    rig.sign_off(B);
    rig.pass(20 * SECOND);
    assert!(rig.advices.is_empty());
    rig.sign_on(B);
    let sent: Vec<_> = rig.advices.iter().map(|advice| (advice.id, advice.repeat)).collect();
    assert_eq!(sent, ids.iter().map(|id| (*id, false)).collect::<Vec<_>>());
    // After a crash nobody knows what was sent: all of it goes as 0421, in order.
    rig.crash();
    rig.sign_on(B);
    let sent: Vec<_> = rig.advices.iter().map(|advice| (advice.id, advice.repeat)).collect();
    assert_eq!(sent, ids.iter().map(|id| (*id, true)).collect::<Vec<_>>());
}

/// Several issuers are late at once, and a request comes in the same turn whose hold is refused:
/// each result of the engine belongs to its own decision.
#[test]
fn r_time_many_deadlines_and_a_request_in_one_turn() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let one = rig.send(first.clone());
    let second = rig.purchase();
    let two = rig.send(second);
    rig.jump(15 * SECOND);
    let huge = Request { amount: amount(1_500_000), stan: first.stan, ..rig.purchase() };
    let three = rig.send(huge);
    assert_eq!(rig.said(one), "91 ISSUER LATE");
    assert_eq!(rig.said(two), "91 ISSUER LATE");
    assert_eq!(rig.said(three), "91 CAP");
}
