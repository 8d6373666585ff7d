//! Journals in which `covered`, `recalled` and `retired` records are well made and wrong: what they
//! say of a payment must be what its records have made of it, and where those were put away it
//! counts from there on.

use host::offline::{Check, VerifyReport};
use journal::sim_disk::SimDisk;
use scheme::{Amount, PaymentId, ResponseCode};
use switch::hub::flows::Completion;
use switch::hub::{HubConfig, Kept, Payment, Status};
use switch::record::{Fact, Reversed};
use switch::{Hub, Record};

use crate::forged::{Tale, day, only, refused};
use crate::world::World;

/// A purchase as its `opened` and `closed` say it.
fn plain(tale: &mut Tale, minor: u64) -> Kept {
    let place = tale.opened(minor);
    let at = tale.0[place].0;
    let opened = tale.open(place).clone();
    let mut payment = Payment::opened(&opened, at);
    let (_, closed) = tale.close(place);
    payment.close(closed);
    let record = place as u64 + 1;
    Kept { payment, preauth: None, original: opened.original, opened: record, last: record }
}

/// A payment as all the records make it.
fn made(world: &World, tale: &Tale, id: PaymentId) -> Kept {
    let mut hub = Hub::new(HubConfig {
        timers: world.config.timers,
        zone: world.config.zone.clone(),
        cutover_s: 0,
        net_at_cutover: true,
        in_flight_max: 1,
        window_payments: usize::MAX,
        new_payments_max: usize::MAX,
        cash: true,
        engine: switch::hub::Answers::AtOnce,
    });
    for (at, fact) in &tale.0 {
        hub.apply(&Record { at: *at, fact: fact.clone() });
    }
    hub.state().kept(id).unwrap()
}

fn push(tale: &mut Tale, fact: Fact) -> usize {
    let at = tale.0[tale.0.len() - 1].0;
    tale.0.push((at, fact));
    tale.0.len() - 1
}

/// The reversal of a payment, in the words of the one that there was.
fn undone(tale: &mut Tale, kept: &Kept, minor: u64) -> Fact {
    let (_, reversed) = tale.reversal();
    let mut advice = reversed.advice;
    advice.stan = scheme::Stan::new(900_001).unwrap();
    let returned = Amount::new(minor).unwrap();
    Fact::Reversed(Reversed { id: kept.payment.id, returned, advice, ..reversed.clone() })
}

/// The day, covered; then the purchase of 7.00 is in hand again.
fn recalled() -> (World, Tale, usize, Kept) {
    let (world, mut tale) = day();
    let kept = plain(&mut tale, 700);
    let record = tale.0.len() as u64;
    push(&mut tale, Fact::Covered { record });
    let place = push(&mut tale, Fact::Recalled(Box::new(kept.clone())));
    let fact = undone(&mut tale, &kept, 700);
    push(&mut tale, fact);
    let report = world.verify(&mut tale.in_segments(64 * 1024, None));
    assert!(report.ok, "{report:?}");
    (world, tale, place, kept)
}

#[test]
fn a_recalled_payment_that_was_another_is_refused() {
    let (world, tale, place, kept) = recalled();
    let check = |change: &dyn Fn(&mut Kept), what: &str| {
        let (mut other, mut kept) = (tale.clone(), kept.clone());
        change(&mut kept);
        other.0[place].1 = Fact::Recalled(Box::new(kept));
        refused(&world, &other, Check::Payments, place, what);
    };
    let amount = |minor| Amount::new(minor).unwrap();
    let another = "is recalled as one that";
    check(&|kept| kept.payment.seen.amount = amount(701), another);
    check(&|kept| kept.payment.status = Status::Declined, another);
    check(&|kept| kept.payment.status = Status::Voided, another);
    check(&|kept| kept.payment.returned = amount(1), another);
    check(&|kept| kept.payment.reversed = true, another);
    check(&|kept| kept.original = Some(kept.payment.id), another);
    // What no reckoning of money tells.
    check(&|kept| kept.payment.code = ResponseCode::of(b"51"), "was another");
    check(&|kept| kept.payment.reversal_acknowledged = true, "was another");
    check(&|kept| kept.payment.issuer = None, "was another");
    check(&|kept| kept.payment.at.0 += 1000, "was another");
    check(&|kept| kept.opened += 1, "was another");
    check(&|kept| kept.opened -= 1, "was another");
    check(&|kept| kept.opened += 1000, "since record");
    let unknown = PaymentId::new(kept.payment.id.get() ^ (1 << 77)).unwrap();
    check(&|kept| kept.payment.id = unknown, "was never opened");
    check(&|kept| kept.payment.status = Status::Pending, "is recalled, and is under way");
}

/// Only a hub that began with a snapshot of the first versions has numbered payments afresh, and
/// those were before anything was covered.
#[test]
fn a_payment_that_came_after_something_was_covered_has_its_own_record() {
    let (world, mut tale) = day();
    tale.0.insert(2, (tale.0[1].0, Fact::Covered { record: 1 }));
    let kept = plain(&mut tale, 700);
    let record = tale.0.len() as u64;
    push(&mut tale, Fact::Covered { record });
    let place = push(&mut tale, Fact::Recalled(Box::new(kept.clone())));
    assert!(world.verify(&mut tale.in_segments(64 * 1024, None)).ok);
    for opened in [kept.opened - 1, 1] {
        let other = Kept { opened, ..kept.clone() };
        tale.0[place].1 = Fact::Recalled(Box::new(other));
        refused(&world, &tale, Check::Payments, place, "was another");
    }
}

#[test]
fn a_payment_is_recalled_when_only_history_has_it_and_then_always() {
    let (world, tale, place, kept) = recalled();
    let mut twice = tale.clone();
    let again = twice.0[place].clone();
    twice.0.insert(place + 1, again);
    refused(&world, &twice, Check::Payments, place + 1, "recalled while in hand");
    let mut never = tale.clone();
    never.0.remove(place);
    refused(&world, &never, Check::Payments, place, "changes, and was not recalled");
    let mut uncovered = tale.clone();
    uncovered.0.remove(place - 1);
    refused(&world, &uncovered, Check::Payments, place - 1, "recalled while in hand");
    // The refund of one that history has changes it too.
    let mut refund = tale.clone();
    let of = refund.opened(500);
    let mut opened = refund.open(of).clone();
    opened.original = Some(kept.payment.id);
    refund.0[place].1 = Fact::Opened(opened);
    refund.0.truncate(place + 1);
    let report = world.verify(&mut refund.in_segments(64 * 1024, None));
    assert!(!report.ok && report.damage[0].from_record == place as u64 + 1, "{report:?}");
}

#[test]
fn a_retired_payment_that_was_another_is_refused() {
    let (world, mut tale) = day();
    // The pre-authorisation of 100.00 that was completed with 80.00, as the hub would retire it.
    let id = plain(&mut tale, 10_000).payment.id;
    let kept = made(&world, &tale, id);
    assert_eq!(kept.preauth.unwrap().completion.unwrap().amount.minor(), 8000);
    let record = tale.0.len() as u64;
    push(&mut tale, Fact::Covered { record });
    let place = push(&mut tale, Fact::Retired(Box::new(kept.clone())));
    let report = world.verify(&mut tale.in_segments(64 * 1024, None));
    assert!(report.ok, "{report:?}");
    let check = |change: &dyn Fn(&mut Kept), what: &str| {
        let (mut other, mut kept) = (tale.clone(), kept.clone());
        change(&mut kept);
        other.0[place].1 = Fact::Retired(Box::new(kept));
        refused(&world, &other, Check::Payments, place, what);
    };
    let completion = |kept: &mut Kept, change: &dyn Fn(&mut Completion)| {
        change(kept.preauth.as_mut().unwrap().completion.as_mut().unwrap());
    };
    let more = Amount::new(8001).unwrap();
    check(&|kept| completion(kept, &|done| done.amount = more), "is retired as one that");
    check(&|kept| kept.preauth = None, "is retired as one that");
    check(&|kept| kept.payment.status = Status::Reversed, "is retired as one that");
    let stan = scheme::Stan::new(999_999).unwrap();
    check(&|kept| completion(kept, &|done| done.stan = stan), "was another");
    check(&|kept| kept.preauth.as_mut().unwrap().expires.0 += 1, "was another");
    check(&|kept| kept.opened -= 1, "was another");
    let unknown = PaymentId::new(kept.payment.id.get() ^ (1 << 77)).unwrap();
    check(&|kept| kept.payment.id = unknown, "was never opened");
    // One that is held is not over.
    let mut held = tale.clone();
    let kept = plain(&mut held, 4000);
    held.0[place].1 = Fact::Retired(Box::new(kept));
    refused(&world, &held, Check::Payments, place, "is retired, and is");
}

#[test]
fn what_is_covered_was_written_and_becomes_more() {
    let (world, tale, place, _) = recalled();
    for record in [place as u64, place as u64 + 1, place as u64 + 900] {
        let mut ahead = tale.clone();
        ahead.0[place - 1].1 = Fact::Covered { record };
        refused(&world, &ahead, Check::Payments, place - 1, "is covered, after 0 was");
    }
    for record in [place as u64 - 1, 7] {
        let mut back = tale.clone();
        let at = push(&mut back, Fact::Covered { record });
        refused(&world, &back, Check::Payments, at, "is covered, after");
    }
}

/// The same, and what is before the recalled record has been put away.
fn put_away(tale: &Tale, place: usize, world: &World) -> SimDisk {
    let mut tale = tale.clone();
    // Between the day and what follows: segments that nothing happens in.
    let terminal = tale.place(|fact| matches!(fact, Fact::Terminal { .. }));
    let idle = (tale.0[place - 1].0, tale.0[terminal].1.clone());
    let rest = tale.0.split_off(place);
    tale.0.extend(std::iter::repeat_n(idle, 140));
    tale.0.extend(rest);
    let mut disk = tale.in_segments(8 * 1024, None);
    let sealed = journal::index::sealed(&mut disk).unwrap();
    let wanted = |one: &&journal::index::Sealed| one.last_record < place as u64 + 140;
    let last = sealed.iter().rev().find(wanted).unwrap();
    assert!(last.last_record > place as u64, "{sealed:?}");
    let state = world.state_after(&mut disk, last.last_record);
    journal::anchor(&mut disk, last.number, &state).unwrap();
    assert!(journal::retire(&mut disk, last.number).unwrap() >= 2);
    disk
}

fn verified(world: &World, tale: &Tale, place: usize) -> VerifyReport {
    world.verify(&mut put_away(tale, place, world))
}

#[test]
fn a_recalled_payment_whose_records_were_put_away_counts_from_there_on() {
    let (world, tale, place, kept) = recalled();
    let report = verified(&world, &tale, place);
    assert!(report.ok && report.first_record > 1 && report.checked.unjudged == 1, "{report:?}");
    // It was taken over: a second reversal, or one of more than it was, is refused.
    let mut more = tale.clone();
    more.0[place + 1].1 = undone(&mut more.clone(), &kept, 701);
    let end = more.0.len() as u64 + 140;
    only(&verified(&world, &more, place), Check::Payments, end, "returns more than was posted");
    let mut twice = tale.clone();
    let again = undone(&mut twice.clone(), &kept, 700);
    push(&mut twice, again);
    only(&verified(&world, &twice, place), Check::Payments, end + 1, "reversed a second time");
    let mut never = tale.clone();
    never.0.remove(place);
    only(&verified(&world, &never, place), Check::Payments, end - 1, "and was never opened");
    // Whoever retires one has it in hand.
    let mut retired = tale.clone();
    retired.0[place].1 = Fact::Retired(Box::new(kept));
    only(&verified(&world, &retired, place), Check::Payments, end - 1, "was never opened");
}
