//! R-MAC and R-LINK with certificates: who may say what, and what a broken MAC leads to.

use host::{Door, PeerName};
use interchange::trunk::{Link, LinkTimers};
use scheme::{ParticipantId, StationId, Timestamp};

use super::CARD;
use super::world::{World, field};

fn bank(id: u64) -> ParticipantId {
    ParticipantId::new(id).unwrap()
}

#[test]
fn r_mac_a_payment_under_macs_and_certificates() {
    let mut world = World::secured();
    let terminal = world.terminal();
    let approved = world.ask(terminal, &world.purchase("000101", CARD, "000000001250"));
    assert_eq!(field(&approved, 39), "00", "{approved:?}");
    assert!(!approved.has(64) && !approved.has(128), "a link's MAC stays on the link");
    assert_eq!(world.metric("bongsu_bad_macs_total"), 0);
    world.audit();
}

#[test]
fn r_mac_a_bad_mac_on_an_answer_is_no_answer_but_a_timeout_and_a_reversal() {
    let mut world = World::secured();
    let terminal = world.terminal();
    world.to_damage = 1;
    // Approved by the bank, and not believed.
    world.send(terminal, &world.purchase("000102", CARD, "000000001250"));
    world.pass(14_000);
    assert_eq!(world.answered(terminal), 0, "never a decline");
    world.pass(2000);
    let answer = world.next(terminal).unwrap();
    assert_eq!(field(&answer, 39), "91", "{answer:?}");
    assert_eq!(world.metric("bongsu_bad_macs_total"), 1);
    world.pass(2000);
    assert_eq!(world.balance("100002", "position"), "0.00");
    assert_eq!(world.metric("bongsu_advices_owed"), 0, "the bank has acknowledged the reversal");
    world.audit();
}

#[test]
fn r_mac_a_bad_mac_on_a_request_holds_nothing_answers_nothing_and_three_close_the_link() {
    let mut world = World::secured();
    let line = world.under_certificate(Door::Banks, PeerName::Bank(bank(100_001)));
    world.raw(line, &world.signed(bank(100_001), &world.sign_on("100001")));
    world.settle();
    let answer = world.next(line).unwrap();
    assert_eq!(field(&answer, 39), "00", "{answer:?}");
    assert!(answer.has(128), "signed, and DE70 wants it behind");
    let purchase = world.purchase("000103", CARD, "000000001250");
    // Of another bank's key, or without a MAC; the first is out of the minute of the third.
    for (place, bytes) in [
        world.signed(bank(100_003), &purchase),
        world.framed(&purchase),
        world.framed(&purchase),
        world.signed(bank(100_003), &purchase),
    ]
    .into_iter()
    .enumerate()
    {
        if place == 1 {
            world.pass(40_000);
            world.raw(line, &world.signed(bank(100_001), &world.echo("000104")));
            world.pass(25_000);
        }
        world.raw(line, &bytes);
        world.settle();
        let answers = std::iter::from_fn(|| world.next(line));
        assert_eq!(answers.filter(|m| m.mti().number() == 210).count(), 0);
        assert_eq!(world.is_open(line), place < 3, "the third within a minute closes");
    }
    assert_eq!(world.metric("bongsu_bad_macs_total"), 4);
    assert_eq!(world.metric("bongsu_payments_in_flight"), 0);
    assert_eq!(world.balance("100002", "position"), "0.00");
    world.audit();
}

#[test]
fn r_link_a_sign_on_for_another_bank_than_the_certificates_is_refused() {
    let mut world = World::secured();
    let line = world.under_certificate(Door::Banks, PeerName::Bank(bank(100_001)));
    world.raw(line, &world.signed(bank(100_001), &world.sign_on("100002")));
    world.settle();
    assert!(!world.is_open(line));
    let honest = world.under_certificate(Door::Banks, PeerName::Bank(bank(100_001)));
    world.raw(honest, &world.signed(bank(100_001), &world.sign_on("100001")));
    world.settle();
    assert_eq!(field(&world.next(honest).unwrap(), 39), "00");
}

#[test]
fn r_link_a_door_takes_only_those_whom_it_knows() {
    let mut world = World::secured();
    let station = |name: &str| PeerName::Station(name.to_owned());
    let terminal = |name: &str| PeerName::Terminal(name.to_owned());
    for (door, identity, taken) in [
        (Door::Banks, PeerName::Bank(bank(100_001)), true),
        (Door::Banks, PeerName::Bank(bank(999_999)), false),
        (Door::Banks, station("nampo"), false),
        (Door::Banks, PeerName::Hub, false),
        (Door::Trunk, station("nampo"), true),
        (Door::Trunk, station("nowhere"), false),
        (Door::Trunk, PeerName::Bank(bank(100_001)), false),
        (Door::Terminals, terminal("pyo00001"), true),
        (Door::Terminals, PeerName::Bank(bank(100_001)), false),
        (Door::Terminals, station("pyongyang"), false),
    ] {
        let line = world.under_certificate(door, identity.clone());
        assert_eq!(world.is_open(line), taken, "{door:?} {identity}");
    }
}

#[test]
fn r_trunk_a_hello_for_another_station_than_the_certificates_is_refused() {
    let mut world = World::secured();
    for (claimed, taken) in [(2, true), (3, false)] {
        let line = world.under_certificate(Door::Trunk, PeerName::Station("nampo".to_owned()));
        let timers = LinkTimers { heartbeat_ms: 1000, suspect_ms: 3000, cut_ms: 8000 };
        let mut link = Link::new(StationId(claimed), 1, 0, timers);
        let mut hello = Vec::new();
        link.connect(Timestamp::default(), &mut hello);
        world.raw(line, &hello);
        world.deafen(line);
        world.settle();
        assert_eq!(world.is_open(line), taken, "station {claimed}");
    }
}

#[test]
fn r_link_a_certified_terminal_uses_only_what_its_certificate_names() {
    let mut world = World::secured();
    let retailer = PeerName::Retailer("pyo-shop-000001".to_owned());
    for (identity, code) in [
        (PeerName::Terminal("pyo00001".to_owned()), "00"),
        (PeerName::Terminal("pyo00002".to_owned()), "58"),
        (retailer, "00"),
        (PeerName::Retailer("nam-shop-000001".to_owned()), "58"),
    ] {
        let line = world.under_certificate(Door::Terminals, identity.clone());
        let stan = format!("{:06}", 200 + line);
        let answer = world.ask(line, &world.purchase(&stan, CARD, "000000000100"));
        assert_eq!(field(&answer, 39), code, "{identity}");
    }
    world.audit();
}
