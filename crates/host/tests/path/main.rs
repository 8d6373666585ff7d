//! The whole path in one thread without a clock or a wire: a terminal's bytes through a station and
//! the hub to a simulated bank and back, over journals on simulated disks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod acquirers;
mod channels;
mod cluster;
mod damage;
mod fires;
mod forged;
mod indexes;
mod kinds;
mod limits;
mod links;
mod poison;
mod probe;
mod recalled;
#[path = "../matrix/shared.rs"]
mod shared;
mod story;
mod world;

use world::{World, field};

/// A card of Harbour Bank (the example nation), at a shop of First Bank.
const CARD: &str = "9408020000000015";

#[test]
fn a_first_payment_is_posted_repeated_and_reversed() {
    let mut world = World::start();
    let terminal = world.terminal();
    let purchase = world.purchase("000101", CARD, "000000001250");
    let approved = world.ask(terminal, &purchase);
    assert_eq!(field(&approved, 39), "00", "{approved:?}");
    assert_eq!(approved.mti().number(), 210);
    for echoed in [2, 3, 4, 7, 11, 12, 13, 32, 41, 42, 49] {
        let sent = purchase.text(echoed);
        if sent.is_some() {
            assert_eq!(approved.text(echoed), sent, "DE{echoed}");
        }
    }
    assert!(approved.has(15) && approved.has(37) && approved.has(38), "{approved:?}");
    assert_eq!(world.balance("100002", "position"), "-12.50");
    assert_eq!(world.balance("100001", "position"), "12.50");

    let mut repeat = purchase.clone();
    repeat.set_mti(repeat.mti().repeat());
    let again = world.ask(terminal, &repeat);
    assert_eq!(field(&again, 39), "00");
    assert_eq!(field(&again, 37), field(&approved, 37));
    assert_eq!(field(&again, 38), field(&approved, 38));

    let reversal = world.reversal_of(&purchase, "000102");
    let undone = world.ask(terminal, &reversal);
    assert_eq!((undone.mti().number(), field(&undone, 39)), (430, "00"));
    assert_eq!(world.balance("100002", "position"), "0.00");

    let late = world.ask(terminal, &repeat);
    assert_eq!((field(&late, 39), field(&late, 44)), ("94", "REVERSED"));
    world.audit();
}

#[test]
fn a_declined_purchase_moves_nothing() {
    let mut world = World::start();
    let terminal = world.terminal();
    let empty = world.card(2, 98);
    let purchase = world.purchase("000201", &empty, "000000001250");
    let declined = world.ask(terminal, &purchase);
    assert_eq!(field(&declined, 39), "51");
    assert!(!declined.has(38));
    assert_eq!(world.balance("100002", "position"), "0.00");
    world.audit();
}

#[test]
fn an_echo_is_answered_by_the_station() {
    let mut world = World::start();
    let terminal = world.terminal();
    let answer = world.ask(terminal, &world.echo("000301"));
    assert_eq!((answer.mti().number(), field(&answer, 39)), (810, "00"));
    assert_eq!((field(&answer, 11), field(&answer, 70)), ("000301", "301"));
}

#[test]
fn r_crash_a_hub_that_dies_between_hold_and_answer_owes_the_bank_a_reversal() {
    let mut world = World::start();
    let terminal = world.terminal();
    world.mute_banks(true);
    let purchase = world.purchase("000401", CARD, "000000000700");
    world.send(terminal, &purchase);
    world.settle();
    assert_eq!(world.pending("100002"), "7.00");
    world.restart_hub();
    world.mute_banks(false);
    world.pass(60_000);
    assert_eq!(world.pending("100002"), "0.00");
    assert_eq!(world.balance("100002", "position"), "0.00");
    let mut repeat = purchase.clone();
    repeat.set_mti(repeat.mti().repeat());
    let terminal = world.terminal();
    let answer = world.ask(terminal, &repeat);
    assert_eq!(field(&answer, 39), "91");
    assert_eq!(world.owed(), 0, "the bank has acknowledged the reversal");
    world.audit();
}

/// A busy connection is never idle in the middle of its frames: each read may end inside one.
#[test]
fn r_time_a_connection_whose_frames_are_cut_anywhere_stays_open() {
    let mut world = World::start();
    let terminal = world.terminal();
    let frame = world.framed(&world.echo("000001"));
    world.raw(terminal, &frame[..20]);
    for _ in 0..150 {
        world.pass(100);
        let mut rest = frame[20..].to_vec();
        rest.extend_from_slice(&frame[..20]);
        world.raw(terminal, &rest);
    }
    world.pass(100);
    assert_eq!(world.answered(terminal), 150, "15 s of half frames, each completed in 0.1 s");
    // One that is never completed closes the connection after ten seconds.
    world.pass(9000);
    assert!(world.is_open(terminal));
    world.pass(2000);
    assert!(!world.is_open(terminal));
}
