//! `NaiveModel`, `Books` and `Embedded` side by side. The same with a real server beside them:
//! `adapters/ledger-tigerbeetle/tests/server`.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod expiry;
mod notation;
mod rivals;
#[path = "../model/swarm.rs"]
mod swarm;

use rivals::{Seen, ours, run};

/// Seeds of one run.
const SEEDS: u64 = 40;

#[test]
fn engines_of_this_crate_agree() {
    let seeds = match std::env::var("DIFFERENTIAL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).collect(),
    };
    let mut seen = Seen::default();
    for seed in seeds {
        if let Err(difference) = run(seed, &ours, &mut seen) {
            panic!("{difference}");
        }
    }
}

#[test]
fn engines_of_this_crate_let_holds_expire_alike() {
    expiry::run(0..SEEDS, &ours, |_| (), &mut Seen::default()).unwrap();
}
