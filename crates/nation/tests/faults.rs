//! One fault at a time, under load, in an otherwise peaceful nation.

use nation::scenario::{Fault, LinkId, Place, Planned, Scenario, Way};
use nation::{Outcome, alone, run};

const HUB: Place = Place::Hub;
const STATION: Place = Place::Station(1);
const BANK: Place = Place::Bank(1);

fn link(place: Place) -> LinkId {
    LinkId::of(place).expect("the hub alone has no cable of its own")
}

/// Runs it with some seeds; each must end whole, and somebody must have been paid.
fn check(faults: &[(u64, Fault)], mut look: impl FnMut(&Outcome)) {
    for seed in 0..2 {
        let planned =
            faults.iter().map(|(at_ms, fault)| Planned { at_ms: *at_ms, fault: *fault }).collect();
        let scenario = Scenario { rate_per_1000_s: 20_000, ..alone(seed, planned) };
        let outcome = run(&scenario);
        assert_eq!(outcome.broken, [], "seed {seed}");
        assert!(outcome.stats.approved > 40, "seed {seed}: {:?}", outcome.stats);
        for (_, fault) in faults {
            assert!(outcome.coverage.contains_key(fault.name()), "seed {seed}: {fault:?}");
        }
        look(&outcome);
    }
}

fn restarted(times: u64) -> impl FnMut(&Outcome) {
    move |outcome| {
        assert_eq!(outcome.stats.restarts, times);
        assert_eq!(outcome.coverage.get("restart"), Some(&times));
    }
}

#[test]
fn the_hub_loses_power_under_load() {
    let fault = Fault::Power { place: HUB, down_ms: 700 };
    check(&[(1_500, fault), (3_500, fault)], restarted(2));
}

#[test]
fn the_hub_is_killed_under_load() {
    let fault = Fault::Kill { place: HUB, down_ms: 150 };
    check(&[(1_000, fault), (2_000, fault), (3_000, fault)], restarted(3));
}

#[test]
fn the_hub_loses_power_in_the_middle_of_a_write() {
    let fault = |ops| Fault::PowerInWrite { place: HUB, ops };
    check(&[(1_000, fault(0)), (2_500, fault(1)), (4_000, fault(7))], |outcome| {
        assert_eq!(outcome.coverage.get("power went in a write"), Some(&3));
    });
}

#[test]
fn the_hubs_disk_fails() {
    // An error that its history meets costs look-ups; one that a commit meets stops the role.
    let faults: Vec<_> =
        (0..7u64).map(|n| (1_000 + 430 * n, Fault::DiskError { place: HUB, ops: n })).collect();
    check(&faults, |outcome| {
        assert!(outcome.coverage.contains_key("role halted"));
    });
}

#[test]
fn a_station_loses_power() {
    let fault = Fault::Power { place: STATION, down_ms: 500 };
    check(&[(1_500, fault), (3_000, fault)], restarted(2));
}

#[test]
fn a_bank_loses_power() {
    let fault = Fault::Power { place: BANK, down_ms: 500 };
    check(&[(1_500, fault), (3_000, fault)], restarted(2));
}

#[test]
fn a_trunk_is_cut_and_comes_back() {
    let fault = Fault::Cut { link: link(STATION), ms: 1_500, half_open: false };
    check(&[(1_500, fault)], |outcome| {
        assert!(outcome.stats.declined > 0, "a cut trunk refuses");
        assert!(outcome.coverage.contains_key("trunk_closed"));
    });
}

#[test]
fn a_trunk_is_silent_one_way() {
    for way in [Way::Forth, Way::Back] {
        let fault = Fault::Silence { link: link(STATION), way, ms: 1_500 };
        check(&[(1_500, fault)], |outcome| {
            assert!(outcome.stats.declined > 0, "a one-way cut shows");
        });
    }
}

#[test]
fn a_trunk_is_half_open() {
    let fault = Fault::Cut { link: link(STATION), ms: 0, half_open: true };
    check(&[(1_500, fault), (3_000, fault)], |_| {});
}

#[test]
fn a_bank_link_clogs() {
    let fault = Fault::Clog { link: link(BANK), ms: 2_500, factor: 800 };
    check(&[(1_500, fault)], |outcome| {
        assert!(outcome.stats.declined > 0, "an issuer that is late is voided");
    });
}

#[test]
fn a_bank_link_is_cut() {
    let fault = Fault::Cut { link: link(BANK), ms: 1_500, half_open: true };
    check(&[(1_500, fault)], |_| {});
}

#[test]
fn wall_clocks_jump() {
    for by_ms in [-300_000, -2_000, 2_000, 300_000] {
        let jump = |place| Fault::ClockJump { place, by_ms };
        check(&[(1_500, jump(HUB)), (3_000, jump(STATION))], |outcome| {
            let refused = outcome.stats.payments - outcome.stats.approved;
            assert!(refused * 10 < outcome.stats.payments, "a jump moves no timer");
            assert_eq!(outcome.coverage.get("clock_off"), Some(&2));
        });
    }
}

#[test]
fn the_hub_stands_still() {
    check(&[(1_500, Fault::Pause { place: HUB, ms: 1_200 })], |_| {});
    check(&[(1_500, Fault::Pause { place: HUB, ms: 3_000 })], |_| {});
}
