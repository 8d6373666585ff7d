//! A bank's connections form one link that carries both directions (R-LINK).

use wire::iso8583::Message;

use crate::world::{World, field};

/// A card of Harbour Bank, 100002.
const CARD: &str = "9408020000000015";

/// A purchase as the host of First Bank sends it, for a terminal that the register does not have.
fn acquired(world: &World, stan: &str) -> Message {
    let mut purchase = world.purchase(stan, CARD, "000000000500");
    purchase.set(41, b"HOST0001");
    purchase.set(42, b"HOST-SHOP-00001");
    purchase
}

/// An issuer's approval.
fn approval(request: &Message) -> Message {
    let mut answer = Message::new(request.mti().answer().unwrap());
    for de in [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49] {
        answer.set(de, request.get(de).unwrap());
    }
    answer.set(38, b"000777");
    answer.set(39, b"00");
    answer
}

#[test]
fn r_link_requests_are_spread_and_answered_on_any_connection() {
    let mut world = World::start();
    let terminal = world.terminal();
    let lines = [world.signed_on("100002"), world.signed_on("100002")];
    let overview = world.overview();
    assert_eq!(overview.banks[1].connections, 3, "{overview:?}");
    // Three requests, one on each connection, in turn; ours are answered on the other one.
    let mut asked = 0;
    for (at, stan) in ["000501", "000502", "000503"].iter().enumerate() {
        let amount = format!("{:012}", 700 + at);
        world.send(terminal, &world.purchase(stan, CARD, &amount));
        world.settle();
        for (line, other) in [(lines[0], lines[1]), (lines[1], lines[0])] {
            if let Some(request) = world.next(line) {
                assert_eq!((request.mti().number(), field(&request, 4)), (200, amount.as_str()));
                world.send(other, &approval(&request));
                world.settle();
                asked += 1;
            }
        }
        let answer = world.next(terminal).unwrap();
        assert_eq!((field(&answer, 11), field(&answer, 39)), (*stan, "00"), "{answer:?}");
    }
    assert_eq!(asked, 2);
    world.audit();
}

#[test]
fn r_link_a_connection_that_is_not_signed_on_answers_nothing() {
    let mut world = World::start();
    let terminal = world.terminal();
    let line = world.signed_on("100002");
    let silent = world.bank_line();
    let mut request = None;
    // Two in a row: one of them is asked on our connection.
    for stan in ["000511", "000512"] {
        world.send(terminal, &world.purchase(stan, CARD, &format!("{:0>12}", &stan[3..])));
        world.settle();
        request = request.or(world.next(line));
    }
    let request = request.unwrap();
    while world.next(terminal).is_some() {}
    world.send(silent, &approval(&request));
    world.settle();
    assert_eq!(world.next(terminal).as_ref().map(|m| field(m, 39)), None);
    // Nor does one that has signed off.
    let mut off = world.sign_on("100002");
    off.set(70, b"002");
    let gone = world.signed_on("100002");
    assert_eq!(field(&world.ask(gone, &off), 39), "00");
    world.send(gone, &approval(&request));
    world.settle();
    assert_eq!(world.next(terminal).as_ref().map(|m| field(m, 39)), None);
    // Nor does another bank's.
    let other = world.signed_on("100003");
    world.send(other, &approval(&request));
    world.settle();
    assert_eq!(world.next(terminal).as_ref().map(|m| field(m, 39)), None);
    world.pass(16_000);
    let late = world.next(terminal).unwrap();
    assert_eq!(field(&late, 39), "91");
}

#[test]
fn r_link_a_bank_acquires_on_its_link() {
    let mut world = World::start();
    let early = world.bank_line();
    let refused = world.ask(early, &acquired(&world, "000600"));
    assert_eq!((field(&refused, 39), field(&refused, 41)), ("91", "HOST0001"));

    let line = world.signed_on("100001");
    let purchase = acquired(&world, "000601");
    let approved = world.ask(line, &purchase);
    assert_eq!((approved.mti().number(), field(&approved, 39)), (210, "00"), "{approved:?}");
    for echoed in [2, 3, 4, 7, 11, 12, 13, 32, 41, 42, 49] {
        assert_eq!(approved.text(echoed), purchase.text(echoed), "DE{echoed}");
    }
    assert!(approved.has(15) && approved.has(38), "{approved:?}");
    let rrn = field(&approved, 37).to_owned();
    assert!(rrn.len() == 12 && rrn.starts_with("6326"), "the hub fills in DE37: {rrn}");
    assert_eq!(world.balance("100002", "position"), "-5.00");
    assert_eq!(world.balance("100001", "position"), "5.00");

    // Its repeat gets the same answer, on another connection too.
    let second = world.signed_on("100001");
    let mut repeat = purchase.clone();
    repeat.set_mti(repeat.mti().repeat());
    let again = world.ask(second, &repeat);
    assert_eq!((field(&again, 39), field(&again, 37)), ("00", rrn.as_str()));

    // A terminal of another acquirer is not its to speak for; nor is a registered one's retailer.
    let mut foreign = acquired(&world, "000602");
    foreign.set(32, b"100002");
    assert_eq!(field(&world.ask(line, &foreign), 39), "58");
    let mut registered = acquired(&world, "000603");
    registered.set(41, b"PYO00001");
    assert_eq!(field(&world.ask(line, &registered), 39), "03");

    // Reversals: 0400 is answered by 0410.
    let mut reversal = world.reversal_of(&purchase, "000604");
    reversal.set_mti(scheme::Mti::new(400).unwrap());
    let undone = world.ask(line, &reversal);
    assert_eq!((undone.mti().number(), field(&undone, 39)), (410, "00"));
    assert_eq!(world.balance("100001", "position"), "0.00");
    world.pass(1000);
    assert_eq!(world.owed(), 0);
    world.audit();
}

/// R-MATCH: DE37 is unique within an acquirer, however many messages one read brings.
#[test]
fn r_match_the_hub_makes_each_reference_number_once() {
    let mut world = World::start();
    let line = world.signed_on("100001");
    let mut bytes = Vec::new();
    for at in 1..=20 {
        let mut purchase = acquired(&world, &format!("0006{at:02}"));
        purchase.set(4, format!("{at:012}").as_bytes());
        bytes.extend(world.framed(&purchase));
    }
    world.raw(line, &bytes);
    world.settle();
    let mut numbers = std::collections::BTreeSet::new();
    while let Some(answer) = world.next(line) {
        assert_eq!(field(&answer, 39), "00");
        numbers.insert(field(&answer, 37).to_owned());
    }
    assert_eq!(numbers.len(), 20);
}

#[test]
fn r_link_an_answer_goes_on_another_connection_when_its_own_is_gone() {
    let mut world = World::start();
    let asking = world.signed_on("100001");
    let issuing = world.signed_on("100002");
    world.mute_banks(true);
    let mut request = None;
    for stan in ["000611", "000612"] {
        let mut purchase = acquired(&world, stan);
        purchase.set(4, format!("{stan:0>12}").as_bytes());
        world.send(asking, &purchase);
        world.settle();
        request = request.or(world.next(issuing));
    }
    let request = request.unwrap();
    world.cut(asking);
    let standing = world.signed_on("100001");
    world.send(issuing, &approval(&request));
    world.settle();
    let answer = world.next(standing).unwrap();
    assert_eq!((field(&answer, 39), field(&answer, 41)), ("00", "HOST0001"));
    assert_eq!(field(&answer, 38), "000777");
}

#[test]
fn r_link_a_connection_that_misses_an_echo_takes_no_turns() {
    let mut world = World::start();
    let terminal = world.terminal();
    let line = world.signed_on("100002");
    // It is silent for 30 s, is sent an echo, and leaves it alone for 10 s.
    world.pass(41_000);
    assert_eq!(world.overview().banks[1].connections, 1);
    while world.next(line).is_some() {}
    for stan in ["000621", "000622", "000623"] {
        let amount = format!("{stan:0>12}");
        let answer = world.ask(terminal, &world.purchase(stan, CARD, &amount));
        assert_eq!(field(&answer, 39), "00", "the other one is asked");
    }
    assert!(world.next(line).is_none());
    world.send(line, &world.echo("000002"));
    world.settle();
    assert_eq!(world.overview().banks[1].connections, 2, "it speaks again");
}

#[test]
fn r_link_a_bank_has_sixty_four_connections_at_most() {
    let mut world = World::start();
    for _ in 0..63 {
        world.signed_on("100003");
    }
    let line = world.bank_line();
    world.send(line, &world.sign_on("100003"));
    world.settle();
    assert!(!world.is_open(line));
    // Another bank is not concerned.
    world.signed_on("100004");
}
