//! A payment's story is every record of it, in order, and nothing of any other.

use host::story::{Story, What};
use host::view::PaymentFilter;
use scheme::PaymentId;

use crate::CARD;
use crate::world::{World, field};

fn told(story: &Story) -> Vec<&'static str> {
    let name = |what: &What| match what {
        What::Opened => "opened",
        What::Refused { .. } => "refused",
        What::Held { .. } => "held",
        What::Posted { .. } => "posted",
        What::Declined { .. } => "declined",
        What::Voided { .. } => "voided",
        What::Completed { .. } => "completed",
        What::Reversed { .. } => "reversed",
        What::Refund { .. } => "refund",
        What::Acknowledged { .. } => "acknowledged",
        What::Finding { .. } => "finding",
    };
    story.steps.iter().map(|step| name(&step.what)).collect()
}

#[test]
fn a_reversed_payments_story_goes_to_the_banks_acknowledgement() {
    let mut world = World::start();
    let terminal = world.terminal();
    for stan in ["000601", "000603"] {
        let other = world.purchase(stan, CARD, "000000000500");
        assert_eq!(field(&world.ask(terminal, &other), 39), "00");
    }
    let purchase = world.purchase("000602", CARD, "000000001250");
    let approved = world.ask(terminal, &purchase);
    let reversal = world.reversal_of(&purchase, "000604");
    assert_eq!(field(&world.ask(terminal, &reversal), 39), "00");
    world.pass(1000);
    let payment = world.payments().into_iter().find(|p| p.stan == "000602").unwrap();
    let story = world.story(payment);
    assert_eq!(told(&story), ["opened", "posted", "reversed", "acknowledged"]);
    assert!(story.complete && story.first_received.is_some());
    let moves: Vec<_> = story.steps.iter().flat_map(|step| &step.moves).collect();
    let ways: Vec<_> = moves
        .iter()
        .map(|moved| (moved.leg, moved.debit.as_str(), moved.credit.as_str(), &moved.amount[..]))
        .collect();
    let (issuer, acquirer) = ("position:100002", "position:100001");
    assert_eq!(
        ways,
        [
            ("hold", issuer, acquirer, "12.50"),
            ("post", issuer, acquirer, "12.50"),
            ("return", acquirer, issuer, "12.50"),
        ]
    );
    let What::Posted { approval } = &story.steps[1].what else { panic!("{story:?}") };
    assert_eq!(approval, field(&approved, 38));
    let records: Vec<_> = story.steps.iter().map(|step| step.record).collect();
    assert!(records.windows(2).all(|pair| pair[0] < pair[1]), "{records:?}");
    // The advice that is acknowledged is the one that was owed.
    assert_eq!(story.steps[2].trace, story.steps[3].trace);
}

#[test]
fn a_payment_without_an_answer_is_voided_and_its_reversal_stays_owed() {
    let mut world = World::start();
    let terminal = world.terminal();
    world.mute_banks(true);
    let purchase = world.purchase("000605", CARD, "000000000700");
    world.send(terminal, &purchase);
    world.pass(16_000);
    assert_eq!(world.answered(terminal), 1);
    let payment = world.payments().remove(0);
    let story = world.story(payment);
    assert_eq!(told(&story), ["opened", "voided"]);
    assert_eq!(story.steps[1].moves[0].leg, "void");
    let What::Voided { code, text } = &story.steps[1].what else { panic!("{story:?}") };
    assert_eq!((code.as_str(), text.as_str()), ("91", "ISSUER LATE"));
}

/// Pages of a list hold every payment once, in one order; times and ids narrow it.
#[test]
fn pages_of_a_list_hold_every_payment_once() {
    let mut world = World::start();
    let terminal = world.terminal();
    for stan in 701..=705 {
        let purchase = world.purchase(&format!("{stan:06}"), CARD, "000000000500");
        assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
        world.pass(1000);
    }
    let all = world.payments();
    let id = |text: &str| PaymentId::of_transfer(u128::from_str_radix(text, 16).unwrap());
    let mut paged = Vec::new();
    let mut after = None;
    for _ in 0..10 {
        let filter = PaymentFilter { limit: 2, after, ..PaymentFilter::default() };
        let page = world.payments_that(filter);
        let Some(last) = page.last() else { break };
        after = Some((last.at, id(&last.id)));
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let (newest, middle) = (&all[0], &all[2]);
    let from = PaymentFilter { from: Some(middle.at), limit: 9, ..PaymentFilter::default() };
    assert_eq!(world.payments_that(from), all[..3]);
    let to = PaymentFilter { to: Some(middle.at), limit: 9, ..PaymentFilter::default() };
    assert_eq!(world.payments_that(to), all[3..]);
    let one = PaymentFilter { id: Some(id(&newest.id)), limit: 9, ..PaymentFilter::default() };
    assert_eq!(world.payments_that(one), all[..1]);
    let other = PaymentFilter { stan: Some(701), id: Some(id(&newest.id)), ..Default::default() };
    assert_eq!(world.payments_that(other), []);
}
