//! Without faults, nothing but payments happens.

use nation::{Scenario, run};

#[test]
fn a_nation_at_peace_pays() {
    let outcome = run(&Scenario::peaceful(1));
    for (at_ms, violation) in &outcome.broken {
        println!("at {at_ms} ms: {violation}");
    }
    println!("{:#?} {:#?}", outcome.stats, outcome.coverage);
    assert!(outcome.broken.is_empty());
    let stats = outcome.stats;
    assert!(stats.payments > 50, "{stats:?}");
    assert_eq!(stats.approved + stats.reversed, stats.payments, "{stats:?}");
    assert_eq!(stats.restarts, 0);
}
