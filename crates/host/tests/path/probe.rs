//! The synthetic payment (R-FIRES): the whole path, there and back, where nobody shops.

use host::fires::{Known, Reason};
use host::view::PaymentView;
use host::{Health, ProbeCard};

use crate::CARD;
use crate::world::{World, field};

const WELL: Health = Health { disk_free_percent: Known::Is(60), certificate_days: Known::NotHere };
const PROBE: u32 = 96;
const BLOCKED: u32 = 99;

/// Cards of that account at each of the banks.
fn cards(world: &World, account: u32) -> Vec<ProbeCard> {
    let card = |bank| ProbeCard {
        issuer: scheme::ParticipantId::new(100_000 + bank as u64).unwrap(),
        pan: scheme::Pan::parse(world.card(bank, account).as_bytes()).unwrap(),
        expiry: *b"3112",
    };
    (1..=4).map(card).collect()
}

/// An answer takes two seconds.
fn slow_banks(bank: &mut parties::bank::BankConfig) {
    (bank.faults.delay_min_ms, bank.faults.delay_max_ms) = (2_000, 2_000);
}

fn probed(world: &mut World, account: u32) {
    let cards = cards(world, account);
    world.probe_with(cards);
}

fn synthetic(world: &mut World) -> Vec<PaymentView> {
    world.payments().into_iter().filter(|payment| payment.synthetic).collect()
}

fn shown(world: &mut World) -> (u8, Vec<Reason>) {
    let overview = world.overview();
    let station = overview.stations.iter().find(|station| station.name == "pyongyang").unwrap();
    (station.fires.number, station.fires.reasons.clone())
}

#[test]
fn r_fires_synthetic_payments_keep_an_idle_station_at_one_fire() {
    let mut world = World::start();
    world.health(WELL);
    probed(&mut world, PROBE);
    world.pass(60_000);
    assert_eq!(shown(&mut world), (1, vec![Reason::Payment]));
    for _ in 0..8 {
        world.pass(10_000);
        assert_eq!(shown(&mut world).0, 1);
    }
    let payments = synthetic(&mut world);
    assert_eq!(payments.len(), world.payments().len());
    // After 20 s from the start, and every 30 s from then on; each bank in its turn.
    assert_eq!(payments.len(), 5, "at 20, 50, 80, 110 and 140 s");
    let issuers: Vec<_> = payments.iter().rev().filter_map(|p| p.issuer.as_deref()).collect();
    assert_eq!(issuers, ["100001", "100002", "100003", "100004", "100001"]);
    for pair in payments.windows(2) {
        assert!(pair[0].at.ms_since(pair[1].at) >= 30_000, "{pair:?}");
    }
    for payment in &payments {
        assert_eq!((payment.terminal.as_str(), payment.amount.as_str()), ("PYO00020", "0.01"));
        assert_eq!((payment.status, payment.returned.as_str()), ("reversed", "0.01"));
        assert!(payment.reversal_acknowledged);
    }
    // In no total, at the hub and at the station; and nothing is left of it in any book.
    for overview in [world.overview(), world.station_overview()] {
        assert_eq!((overview.approved, overview.declined, overview.refused), (0, 0, 0));
        assert_eq!((overview.window.approved, overview.window.declined), (0, 0));
        assert!(overview.minutes.iter().all(|minute| minute.approved == 0));
        assert_eq!((overview.saf_depth, overview.findings), (0, 0));
    }
    let hub = world.overview();
    assert_eq!((hub.day.approved, hub.day.reversed), (0, 0));
    assert!(hub.banks.iter().all(|bank| bank.net_position == "0.00" && bank.held == "0.00"));
    let probe = world.station_overview().probe.unwrap();
    assert_eq!((probe.cards, probe.failed), (4, None));
    assert!(probe.succeeded_ms.is_some_and(|ms| ms < 30_000));
    world.audit();
}

#[test]
fn r_fires_two_burn_when_synthetic_payments_stop_succeeding() {
    let mut world = World::start();
    world.health(WELL);
    probed(&mut world, PROBE);
    world.pass(40_000);
    assert_eq!(shown(&mut world).0, 1);
    probed(&mut world, BLOCKED);
    world.pass(95_000);
    assert_eq!(shown(&mut world), (2, vec![Reason::NoPayment]));
    let own = world.station_overview();
    assert_eq!(own.fires.reasons, [Reason::NoPayment]);
    assert_eq!(
        own.probe
            .unwrap()
            .failed
            .unwrap()
            .split_once(": ")
            .map(|(_, said)| said.to_owned())
            .as_deref(),
        Some("62")
    );
    // A declined one moved nothing, and nothing goes up for it.
    assert!(synthetic(&mut world).iter().any(|p| p.status == "declined"));
    let hub = world.overview();
    assert_eq!((hub.declined, hub.day.declined, hub.findings), (0, 0, 0));
    assert_eq!(world.station_overview().saf_depth, 0);
    probed(&mut world, PROBE);
    world.pass(32_000);
    assert_eq!(shown(&mut world), (1, vec![Reason::Payment]));
}

#[test]
fn r_fires_no_synthetic_payment_where_real_ones_succeed() {
    let mut world = World::start();
    world.health(WELL);
    probed(&mut world, PROBE);
    let terminal = world.terminal();
    for turn in 0..10 {
        let purchase = world.purchase(&format!("{:06}", 700 + turn), CARD, "000000001250");
        assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
        world.pass(25_000);
    }
    let before = synthetic(&mut world).len();
    assert!(before <= 1, "the one before the first purchase");
    // A declined one is no success.
    let empty = world.card(2, 98);
    let declined = world.purchase("000720", &empty, "000000001250");
    assert_eq!(field(&world.ask(terminal, &declined), 39), "51");
    world.pass(6_000);
    assert_eq!(synthetic(&mut world).len(), before + 1);
    assert_eq!(world.overview().approved, 10);
}

#[test]
fn r_fires_a_bank_that_is_away_is_passed_over() {
    let mut world = World::start();
    world.health(WELL);
    probed(&mut world, PROBE);
    world.kill_bank(2);
    world.pass(20_000);
    for _ in 0..30 {
        world.pass(10_000);
        let own = world.station_overview();
        assert_eq!(own.fires.number, 1, "{:?}", own.probe);
    }
    let failed = synthetic(&mut world).into_iter().filter(|p| p.status != "reversed").count();
    assert!(failed <= 1, "{failed}");
}

/// The reversal is durable before the payment goes up, so that no crash leaves it posted.
#[test]
fn r_fires_a_synthetic_payment_that_a_crash_cuts_off_is_reversed() {
    let mut world = World::with_banks(slow_banks);
    probed(&mut world, PROBE);
    while world.overview().in_flight == 0 {
        world.pass(10);
    }
    assert_eq!(world.station_overview().saf_depth, 0, "not owed while it is under way");
    world.stifle_trunk(true);
    world.pass(3_000);
    assert_eq!(synthetic(&mut world)[0].status, "posted");
    world.stifle_trunk(false);
    world.restart_station();
    world.pass(5_000);
    let payments = synthetic(&mut world);
    assert_eq!((payments.len(), payments[0].status), (1, "reversed"));
    assert!(payments[0].reversal_acknowledged);
    assert_eq!((world.station_overview().saf_depth, world.findings()), (0, 0));
    world.audit();
}

/// A cut trunk: the reversal waits at the station, and nothing more is tried.
#[test]
fn r_fires_a_synthetic_payment_without_an_answer_is_reversed() {
    let mut world = World::with_banks(slow_banks);
    probed(&mut world, PROBE);
    while world.overview().in_flight == 0 {
        world.pass(10);
    }
    world.stifle_trunk(true);
    world.pass(60_000);
    let own = world.station_overview();
    assert_eq!((own.saf_depth, own.fires.number), (1, 4));
    assert_eq!((own.approved, own.declined, own.refused), (0, 0, 0));
    assert_eq!(synthetic(&mut world).len(), 1);
    world.stifle_trunk(false);
    world.pass(20_000);
    assert_eq!(synthetic(&mut world).last().unwrap().status, "reversed");
    world.audit();
}
