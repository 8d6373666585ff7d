//! R-FIRES over the whole path: what a station says of itself, what the hub shows of it, and what
//! either counts.

use host::Health;
use host::fires::{Known, Reason};

use scheme::Mti;

use crate::CARD;
use crate::world::{World, field};

const WELL: Health = Health { disk_free_percent: Known::Is(60), certificate_days: Known::NotHere };

fn approved(world: &mut World, terminal: u64, stan: &str) {
    let purchase = world.purchase(stan, CARD, "000000001250");
    let answer = world.ask(terminal, &purchase);
    assert_eq!(field(&answer, 39), "00");
}

/// Fires of station 1 as the hub shows them, and why.
fn shown(world: &mut World) -> (u8, Vec<Reason>) {
    let overview = world.overview();
    let station = overview.stations.iter().find(|station| station.name == "pyongyang").unwrap();
    (station.fires.number, station.fires.reasons.clone())
}

#[test]
fn r_fires_a_station_is_well_only_with_a_payment_and_known_facts() {
    let mut world = World::start();
    assert_eq!(shown(&mut world).0, 2);
    assert!(shown(&mut world).1.contains(&Reason::DiskNotKnown));
    world.health(WELL);
    world.pass(2000);
    assert_eq!(shown(&mut world), (2, vec![Reason::NoPayment]));
    let terminal = world.terminal();
    approved(&mut world, terminal, "000501");
    world.pass(2000);
    assert_eq!(shown(&mut world), (1, vec![Reason::Payment]));
    let overview = world.overview();
    assert_eq!((overview.stations[0].name.as_str(), overview.fires.number), ("nampo", 0));
    let station = overview.stations.iter().find(|s| s.name == "pyongyang").unwrap();
    assert_eq!((station.terminals_online, station.terminals), (Some(1), 20));
    assert_eq!(station.window.map(|window| window.approved), Some(1));
    world.pass(60_000);
    assert_eq!(shown(&mut world), (2, vec![Reason::NoPayment]));
    world.health(Health { disk_free_percent: Known::Is(19), ..WELL });
    world.pass(2000);
    assert_eq!(shown(&mut world), (2, vec![Reason::Disk, Reason::NoPayment]));
}

#[test]
fn r_fires_a_silent_station_is_dark_at_the_hub_and_isolated_on_its_own_page() {
    let mut world = World::start();
    world.health(WELL);
    let terminal = world.terminal();
    approved(&mut world, terminal, "000502");
    world.pass(2000);
    assert_eq!(world.station_overview().fires.number, 1);
    world.stifle_trunk(true);
    world.pass(7500);
    assert_eq!(shown(&mut world).0, 1, "not yet ten seconds");
    world.pass(3000);
    assert_eq!(shown(&mut world), (0, vec![Reason::Silent]));
    assert!(world.overview().stations.iter().all(|station| station.window.is_none()));
    let own = world.station_overview();
    assert_eq!((own.fires.number, own.fires.reasons[0]), (4, Reason::TrunkCut));
    let refused = world.purchase("000503", CARD, "000000000100");
    assert_eq!(field(&world.ask(terminal, &refused), 39), "91");
    let window = world.station_overview().window;
    assert_eq!((window.approved, window.declined, window.unavailable), (1, 1, 1));
}

#[test]
fn r_fires_a_bank_that_is_gone_is_three_fires_at_every_station() {
    let mut world = World::start();
    world.health(WELL);
    let terminal = world.terminal();
    approved(&mut world, terminal, "000504");
    world.pass(2000);
    world.kill_bank(4);
    world.pass(2000);
    let (fires, reasons) = shown(&mut world);
    assert_eq!((fires, reasons[0]), (3, Reason::BankDown));
    assert_eq!(world.station_overview().fires.number, 1, "a station does not see the banks");
}

/// What the pages count is what the books hold, before and after a restart.
#[test]
fn the_day_counts_what_is_posted_and_survives_a_restart() {
    let mut world = World::start();
    let terminal = world.terminal();
    approved(&mut world, terminal, "000505");
    approved(&mut world, terminal, "000506");
    let empty = world.card(2, 98);
    let declined = world.purchase("000507", &empty, "000000001250");
    assert_eq!(field(&world.ask(terminal, &declined), 39), "51");
    let undone = world.purchase("000508", CARD, "000000000700");
    assert_eq!(field(&world.ask(terminal, &undone), 39), "00");
    let reversal = world.reversal_of(&undone, "000509");
    assert_eq!(field(&world.ask(terminal, &reversal), 39), "00");
    world.pass(1000);
    let live = world.overview();
    assert_eq!((live.day.approved, live.day.declined, live.day.reversed), (3, 1, 1));
    assert_eq!((live.day.amount.as_str(), live.day.returned.as_str()), ("32.00", "7.00"));
    assert_eq!((live.window.approved, live.window.declined), (3, 1));
    let bank = live.banks.iter().find(|bank| bank.id == "100002").unwrap();
    assert_eq!((bank.net_position.as_str(), bank.cap.as_str()), ("-25.00", "5000000.00"));
    assert_eq!(bank.room, "4999975.00");
    world.restart_hub();
    let again = world.overview();
    assert_eq!(again.day, live.day);
    assert_eq!(again.window.approved, 0, "the last minute begins anew");
}

/// The hub's own log tells of a station that stands still: R-TRUNK's 3 s and 8 s.
#[test]
fn r_trunk_the_hubs_log_tells_of_a_station_that_stands_still() {
    let mut world = World::start();
    world.pass(2000);
    assert!(world.logged("trunk").is_empty());
    world.freeze_station();
    let line = |state: &str| [("station", "pyongyang".to_owned()), ("state", state.to_owned())];
    world.pass(3100);
    assert_eq!(world.logged("trunk"), [&line("suspect")]);
    world.pass(10_000);
    assert_eq!(world.logged("trunk"), [&line("suspect"), &line("cut")]);
}

/// Whoever reads of a finding in the log can go to the terminal that it came from.
#[test]
fn a_finding_about_no_payment_names_participant_terminal_and_trace() {
    let mut world = World::start();
    let terminal = world.terminal();
    let never = world.purchase("000506", CARD, "000000000100");
    let mut reversal = world.reversal_of(&never, "000507");
    reversal.remove(90);
    reversal.set(37, b"632699999999");
    assert_eq!(field(&world.ask(terminal, &reversal), 39), "00");
    let mut advice = world.purchase("000508", CARD, "000000000100");
    advice.set_mti(Mti::new(220).unwrap());
    assert_eq!(field(&world.ask(terminal, &advice), 39), "00");
    let found = world.logged("finding");
    for (values, kind, stan) in
        [(found[0], "unknown_original", "000507"), (found[1], "unmatched_advice", "000508")]
    {
        for (name, value) in
            [("kind", kind), ("participant", "100001"), ("terminal", "PYO00001"), ("stan", stan)]
        {
            assert!(values.contains(&(name, value.to_owned())), "{name} in {values:?}");
        }
    }
}
