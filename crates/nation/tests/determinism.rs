//! R19: the same scenario twice is the same run, to the last byte.

use nation::{Scenario, run};

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in 1_000..1_010 {
        let scenario = Scenario::draw(seed);
        assert_eq!(scenario, Scenario::draw(seed));
        assert_eq!(run(&scenario), run(&scenario), "seed {seed}");
    }
}

#[test]
fn other_seeds_are_other_runs() {
    let hashes: std::collections::BTreeSet<u128> =
        (0..5).map(|seed| run(&Scenario::peaceful(seed)).hash).collect();
    assert_eq!(hashes.len(), 5);
}
