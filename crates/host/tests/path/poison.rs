//! What a role died of is refused when it comes again, and only that.

use host::poison::{InHand, Poisons};
use wire::iso8583::{Dialect, Message};

use crate::world::{World, field};

/// A card of Harbour Bank, 100002.
const CARD: &str = "9408020000000015";

fn hand(peer: &str, message: &Message) -> InHand {
    let mut bytes = Vec::new();
    Dialect::builtin("iso87-ascii").unwrap().encode(message, &mut bytes).unwrap();
    InHand::new(peer.to_owned(), &bytes)
}

fn input(peer: &str, message: &Message) -> Poisons {
    let hand = hand(peer, message);
    Poisons { inputs: [(hand.peer, hand.hash)].into(), ..Poisons::default() }
}

#[test]
fn a_station_refuses_the_message_that_it_died_of_and_no_other() {
    let mut world = World::start();
    let deadly = world.purchase("000101", CARD, "000000001250");
    world.refuse_at_station(input("terminal PYO00001", &deadly));
    let line = world.terminal();
    let answer = world.ask(line, &deadly);
    assert_eq!((field(&answer, 39), field(&answer, 44)), ("96", "FAULT"));
    let other = world.purchase("000102", CARD, "000000001250");
    assert_eq!(field(&world.ask(line, &other), 39), "00");
    // The same from somebody else is not it.
    let mut foreign = deadly.clone();
    foreign.set(41, b"PYO00002");
    assert_eq!(field(&world.ask(line, &foreign), 39), "00");
    world.audit();
}

#[test]
fn what_a_role_died_of_reading_is_not_read_again_whoever_sends_it() {
    let mut world = World::start();
    let deadly = world.purchase("000101", CARD, "000000001250");
    let unread = || Poisons { unread: [hand("", &deadly).hash].into(), ..Poisons::default() };
    world.refuse_at_station(unread());
    world.refuse_at_hub(unread());
    let terminal = world.terminal();
    let bank = world.signed_on("100001");
    for line in [terminal, bank] {
        world.send(line, &deadly);
        world.settle();
        assert_eq!((world.answered(line), world.is_open(line)), (0, true));
    }
    assert_eq!(world.overview().findings, 1, "the hub's");
    // Neither link is hurt.
    let other = world.purchase("000102", CARD, "000000000700");
    assert_eq!(field(&world.ask(terminal, &other), 39), "00");
    let echo = world.echo("000103");
    assert_eq!(field(&world.ask(bank, &echo), 39), "00");
    world.audit();
}

#[test]
fn a_fenced_terminal_is_refused_all_that_it_sends() {
    let mut world = World::start();
    let fenced = ["terminal PYO00001".to_owned()].into();
    world.refuse_at_station(Poisons { fenced, ..Poisons::default() });
    let line = world.terminal();
    for stan in ["000101", "000102"] {
        let purchase = world.purchase(stan, CARD, "000000001250");
        assert_eq!(field(&world.ask(line, &purchase), 39), "96");
    }
    let mut other = world.purchase("000103", CARD, "000000001250");
    other.set(41, b"PYO00002");
    assert_eq!(field(&world.ask(line, &other), 39), "00");
}

#[test]
fn a_hub_refuses_the_message_of_a_bank_that_it_died_of_with_a_finding() {
    let mut world = World::start();
    let mut deadly = world.purchase("000101", CARD, "000000001250");
    deadly.set(41, b"HOST0001");
    deadly.set(42, b"HOST-SHOP-00001");
    world.refuse_at_hub(input("bank 100001", &deadly));
    let line = world.signed_on("100001");
    let answer = world.ask(line, &deadly);
    assert_eq!((field(&answer, 39), field(&answer, 44)), ("96", "FAULT"));
    assert_eq!(world.overview().findings, 1);
    let mut other = deadly.clone();
    other.set(11, b"000102");
    other.set(4, b"000000000700");
    assert_eq!(field(&world.ask(line, &other), 39), "00");
    // Its trunk and its stations go on.
    let terminal = world.terminal();
    let purchase = world.purchase("000103", CARD, "000000000800");
    assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
    world.audit();
}
