//! Tells one seed: `NATION_STORY=17 cargo test -p nation --test story -- --nocapture`.

use nation::{Scenario, run_told};

#[test]
fn a_run_can_be_told() {
    let seed = std::env::var("NATION_STORY").ok().and_then(|seed| seed.parse().ok());
    let scenario = seed.map_or_else(|| Scenario::peaceful(1), Scenario::draw);
    let (outcome, story) = run_told(&scenario);
    assert!(story.iter().any(|line| line.contains("0200 ")));
    assert!(!story.iter().any(|line| line.contains("940801000")), "a card number is told");
    if seed.is_some() {
        println!("{scenario:#?}\n{}", story.join("\n"));
        println!("{:#?}\n{:#?}", outcome.stats, outcome.broken);
    }
}
