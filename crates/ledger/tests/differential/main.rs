//! `NaiveModel`, `Books` and `Embedded` side by side. The same with a real server beside them:
//! `adapters/ledger-tigerbeetle/tests/server`.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod expiry;
mod notation;
mod rivals;
#[path = "../model/swarm.rs"]
mod swarm;

use ledger::{Account, Transfer, TransferStatus};
use rivals::{Rival, Seen, ours, run};
use scheme::Timestamp;
use swarm::Batch;

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

/// An engine that knows nothing of limits.
struct Generous(Box<dyn Rival>);

impl Rival for Generous {
    fn name(&self) -> &'static str {
        "generous"
    }

    fn give(&mut self, now: Timestamp, batch: &Batch) -> Vec<u32> {
        let mut statuses = self.0.give(now, batch);
        if matches!(batch, Batch::Transfers(_)) {
            let limit = TransferStatus::ExceedsCredits.number();
            statuses.iter_mut().filter(|status| **status == limit).for_each(|status| *status = 0);
        }
        statuses
    }

    fn accounts(&mut self, ids: &[u128]) -> Vec<Account> {
        self.0.accounts(ids)
    }

    fn transfers(&mut self, ids: &[u128]) -> Vec<Transfer> {
        self.0.transfers(ids)
    }
}

/// A difference is found, and told in the few events that make it.
#[test]
fn a_difference_is_found_and_shrunk() {
    let new = |widest: usize| {
        let mut rivals = ours(widest);
        rivals.truncate(2);
        let generous = Generous(rivals.remove(1));
        rivals.push(Box::new(generous));
        rivals
    };
    let found = (0..SEEDS).find_map(|seed| run(seed, &new, &mut Seen::default()).err()).unwrap();
    let (_, case) = found.split_once("== seed").unwrap();
    let lines: Vec<&str> = case.lines().skip(1).collect();
    assert!(lines.len() <= 3, "{found}");
    assert!(lines[lines.len() - 1].ends_with(" -> exceeds_credits"), "{found}");
    assert!(found.contains("naive model has Some(54), generous has Some(0)"), "{found}");
}
