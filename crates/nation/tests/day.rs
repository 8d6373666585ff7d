//! A day and a night of the example nation, with the delays, accounts, refills and cutover of its
//! own file: it still approves, and positions stay balanced.

use nation::{Scenario, run};

/// A tenth of a payment a second, of two hundred times the money.
const RATE_PER_1000_S: u64 = 100;
/// A quarter of the example's caps (5,000,000.00), minor units.
const BALANCED: u64 = 125_000_000;

/// `NATION_RATE`, payments in 1000 s; `up` makes 20,000.
fn rate() -> u64 {
    let asked = std::env::var("NATION_RATE").ok();
    asked.and_then(|rate| rate.parse().ok()).unwrap_or(RATE_PER_1000_S)
}

#[test]
fn after_a_day_and_a_night_the_nation_still_pays() {
    let outcome = run(&Scenario::example(1, 24, rate()));
    let stats = outcome.stats;
    println!("{stats:#?} {:#?}", outcome.coverage);
    let came = |what| outcome.coverage.get(what).copied().unwrap_or(0);
    assert!(came("refund") > 0 && came("completion") > 0, "every flow comes");
    assert_eq!(outcome.broken, []);
    assert!(stats.simulated_ms > 24 * 3_600_000);
    assert!(stats.payments > 24 * 3_600 * rate() / 1_000 * 9 / 10, "{stats:?}");
    let (asked, approved) = (stats.purchases, stats.purchases_approved);
    println!("{approved} of {asked} purchases approved");
    assert!(approved * 100 >= asked * 98, "{stats:?}");
    println!("the furthest position was {} minor units from zero", stats.furthest_minor);
    assert!(stats.furthest_minor < BALANCED, "{stats:?}");
}
