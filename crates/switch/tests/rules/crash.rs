//! R-CRASH: whatever prefix of the records survives.

use switch::Request;
use switch::hub::Status;
use switch::record::Fact;

use crate::rig::{A, B, C, HOUR, Rig, SECOND, amount, card, code, sound};

/// A busy ten seconds: one payment in every state, reversals, an overcap, a cutover.
fn busy() -> Rig {
    let mut rig = Rig::new();
    let paid = rig.purchase();
    rig.pay(&paid);
    let declined = rig.purchase();
    rig.send(declined);
    rig.issuer_says("51");
    let part = Request { amount: amount(900_000), ..rig.purchase() };
    rig.pay(&part);
    let over = Request { amount: amount(900_000), ..rig.purchase() };
    rig.send(over);
    let undo = Request { actual: Some(amount(1)), ..rig.reversal(&part) };
    rig.send(undo);
    let late = rig.purchase();
    rig.send(late);
    rig.pass(12 * HOUR);
    rig.acknowledge(&rig.advices[0].clone(), "00");
    let undo = rig.reversal(&paid);
    rig.send(undo.clone());
    let unknown = rig.purchase();
    let undo = rig.reversal(&unknown);
    rig.send(undo);
    for issuer in [A, B, C] {
        let open = Request { card: Some(card(issuer, 3)), ..rig.purchase() };
        rig.send(open);
    }
    rig
}

#[test]
fn r_crash_every_prefix_of_the_records() {
    let rig = busy();
    for kept in 0..=rig.records.len() {
        let mut after = rig.recovered(kept, rig.now.plus_ms(SECOND));
        let pending = |rig: &Rig| {
            let payments = rig.hub.state().payments();
            let mut ending = rig.hub.state().proposed().filter_map(|fact| match fact {
                Fact::Closed(closed) => Some(closed.id),
                _ => None,
            });
            // What was decided of it before stands.
            let open = payments.iter().filter(|p| p.status == Status::Pending);
            open.filter(|p| ending.all(|id| id != p.id)).cloned().collect::<Vec<_>>()
        };
        let open = pending(&after);
        after.drive(switch::hub::Input::Resolve);
        assert!(pending(&after).is_empty() && after.asks.is_empty() && after.answers.is_empty());
        assert_eq!(after.books.open_pending(), 0);
        sound(&after.hub, &after.books);
        for payment in &open {
            assert_eq!(after.status(payment.id), Status::Voided);
            let owed: Vec<_> = after
                .hub
                .state()
                .advices()
                .filter(|(_, advice)| advice.payment == payment.id)
                .map(|(_, advice)| advice.code)
                .collect();
            assert_eq!(owed, [code("68")]);
        }
        // Replaying what recovery itself has written changes nothing more.
        let resolved = after.written();
        after.crash();
        assert_eq!(after.written(), resolved, "kept {kept}");
    }
}

#[test]
fn r_crash_a_repeat_gets_91_and_nobody_is_asked_again() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.send(first.clone());
    rig.crash();
    rig.sign_on(B);
    let advice = rig.advices[0].clone();
    assert_eq!((rig.advices.len(), advice.code, advice.repeat), (1, code("68"), false));
    assert_eq!(advice.line, B);
    let ticket = rig.send(rig.again(&first));
    assert_eq!(rig.said(ticket), "91 RESTARTED");
    assert!(rig.asks.is_empty());
    // A late approval from before the crash is a stray.
    let undo = rig.reversal(&first);
    let ticket = rig.send(undo);
    assert_eq!(rig.said(ticket), "00");
    assert_eq!(rig.nets(), [0, 0, 0]);
}

#[test]
fn r_crash_posted_stays_posted() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    let id = rig.pay(&first);
    rig.crash();
    let ticket = rig.send(rig.again(&first));
    assert_eq!(rig.said(ticket), "00");
    assert_eq!(rig.answered(ticket).unwrap().approval.as_str(), "A1B2C3");
    let undo = rig.reversal(&first);
    rig.send(undo);
    assert_eq!((rig.status(id), rig.nets()), (Status::Reversed, [0, 0, 0]));
}

/// Trace numbers after a restart are none that may have been used before it.
#[test]
fn r_crash_trace_numbers_go_on() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let before = rig.asks[0].trace.stan;
    rig.crash();
    rig.sign_on(B);
    let second = rig.purchase();
    rig.pay(&second);
    assert_eq!(rig.asks[0].trace.stan.get(), before.get() + 1001);
}

#[test]
fn r_crash_the_window_keeps_its_order() {
    // An old payment whose advice is still owed goes to the end of the queue of those to be
    // forgotten, but stays older than its namesake of the next day.
    let mut rig = Rig::new();
    let first = rig.purchase();
    let old = rig.pay(&first);
    let undo = rig.reversal(&first);
    rig.send(undo);
    rig.sign_off(B);
    rig.jump(40 * HOUR);
    let second = Request { stan: first.stan, ..rig.purchase() };
    rig.sign_on(B);
    let new = rig.pay(&second);
    rig.jump(20 * HOUR);
    for _ in 0..4 {
        let other = rig.purchase();
        rig.pay(&other);
    }
    if crate::WINDOW.is_some() {
        // What was let go has no order here.
        return;
    }
    let order = |rig: &Rig| -> Vec<_> {
        let seen = &rig.payment(old).seen;
        let payments = rig.hub.state().payments();
        payments.by_stan(seen.acquirer, seen.terminal, seen.stan).map(|p| p.id).collect()
    };
    assert_eq!(order(&rig), [new, old]);
    let (mut body, mut again) = (Vec::new(), switch::Hub::new(crate::rig::config()));
    rig.hub.snapshot(&mut body);
    again.restore(&body).unwrap();
    let seen = rig.payment(old).seen;
    let payments = again.state().payments();
    let restored: Vec<_> =
        payments.by_stan(seen.acquirer, seen.terminal, seen.stan).map(|p| p.id).collect();
    assert_eq!(restored, [new, old]);
    let kinds = rig.records.iter().filter(|r| matches!(r.fact, Fact::Reversed(_))).count();
    assert_eq!(kinds, 1);
}

#[test]
fn a_damaged_snapshot_is_an_error() {
    let rig = busy();
    let mut body = Vec::new();
    rig.hub.snapshot(&mut body);
    for cut in 0..body.len() {
        let mut hub = switch::Hub::new(crate::rig::config());
        assert!(hub.restore(&body[..cut]).is_err(), "cut at {cut}");
    }
    body.push(0);
    assert!(switch::Hub::new(crate::rig::config()).restore(&body).is_err());
}

/// A snapshot of version 1 knew neither holds nor refunds; it is the same without their lists.
#[test]
fn r_crash_a_snapshot_of_an_earlier_version_is_restored() {
    let mut rig = Rig::new();
    let first = rig.purchase();
    rig.pay(&first);
    let open = rig.purchase();
    rig.send(open);
    // Written by the release that wrote version 3: it ends with two numbers, version 2 with three
    // lists.
    let mut body = include_bytes!("../fixtures/hub-snapshot-3.bin").to_vec();
    let lists = body.split_off(body.len() - 20);
    assert_eq!((&body[..2], &lists[..]), ([3, 0].as_slice(), [0; 20].as_slice()));
    let mut again = switch::Hub::new(crate::rig::config());
    for (version, length) in [(3, 20), (2, 12), (1, 0)] {
        body[0] = version;
        again.restore(&[&body[..], &lists[..length]].concat()).unwrap();
        for payment in rig.hub.state().payments().iter() {
            assert_eq!(again.state().payments().get(payment.id), Some(payment));
        }
        if crate::WINDOW.is_none() {
            assert_eq!(again.state_hash(), rig.hub.state_hash());
        }
        // And it goes on as a snapshot of this release.
        let mut newest = Vec::new();
        again.snapshot(&mut newest);
        assert_eq!(newest[..2], [5, 0]);
        let mut once_more = switch::Hub::new(crate::rig::config());
        once_more.restore(&newest).unwrap();
        assert_eq!(once_more.state_hash(), again.state_hash());
    }
    // A newer one is refused, and so is one that ends early or late.
    for (version, cut) in [(6, 0), (5, 0), (4, 0), (1, 1), (2, 0), (3, 0)] {
        body[0] = version;
        assert!(again.restore(&body[..body.len() - cut]).is_err(), "{version} {cut}");
    }
}
