//! Bugs planted in the world: an auditor that finds none of them would be worth nothing.

use nation::audit::Violation;
use nation::scenario::{Cheat, Fault, Place, Planned, Planted, Scenario};
use nation::{alone, run_caught};

const SEEDS: std::ops::Range<u64> = 0..100;

/// In how many of 100 seeds a violation of one of these kinds comes.
fn found(scenario: impl Fn(u64) -> Scenario, kinds: &[&str]) -> usize {
    let finds = |seed: &u64| {
        let outcome = run_caught(&scenario(*seed));
        outcome.broken.iter().any(|(_, broken)| kinds.contains(&broken.name()))
    };
    SEEDS.filter(finds).count()
}

fn planted(seed: u64, planted: Planted) -> Scenario {
    let scenario = alone(seed, Vec::new());
    let mut manners = scenario.manners;
    manners.cancel = 300;
    // Short runs: what is planted is there from the first payment on.
    let rate_per_1000_s = 20_000;
    let (fault_ms, calm_ms) = (2_500, 500);
    Scenario { planted: Some(planted), manners, rate_per_1000_s, fault_ms, calm_ms, ..scenario }
}

#[test]
fn a_skipped_sync_is_found() {
    let scenario = |seed| {
        let power = Fault::Power { place: Place::Hub, down_ms: 200 };
        let faults = [700, 1_100, 1_500, 1_900, 2_300];
        let faults = faults.map(|at_ms| Planned { at_ms: at_ms + seed, fault: power });
        Scenario { faults: faults.to_vec(), ..planted(seed, Planted::SkippedSync(2)) }
    };
    let kinds = ["journal damaged", "replay differs", "approval not posted once"];
    let found = found(scenario, &kinds);
    assert!(found >= 60, "{found} of 100");
}

#[test]
fn a_bank_that_acknowledges_reversals_and_undoes_nothing_is_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::FalseAcknowledgement));
    assert_eq!(found(scenario, &["bank's book differs"]), 100);
}

#[test]
fn reversals_that_never_arrive_are_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::SwallowReversals));
    assert_eq!(found(scenario, &["not drained"]), 100);
}

#[test]
fn a_bank_that_debits_twice_is_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::DoubleDebit));
    assert_eq!(found(scenario, &["bank's book differs", "bank's book is wrong in itself"]), 100);
}

#[test]
fn a_posting_published_twice_is_found() {
    let scenario = |seed| planted(seed, Planted::PublishedTwice);
    assert_eq!(found(scenario, &["approval not posted once"]), 100);
}

#[test]
fn without_a_planted_bug_nothing_is_found() {
    for seed in SEEDS {
        let mut honest = planted(seed, Planted::PublishedTwice);
        honest.planted = None;
        let broken: Vec<(u64, Violation)> = run_caught(&honest).broken;
        assert_eq!(broken, [], "seed {seed}");
    }
}
