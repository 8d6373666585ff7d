//! A hub that is killed goes on with its history: segments that are sealed after the start become
//! indexes, and what was paid before is found through them.

use std::time::{Duration, Instant};

use ::nation::audit::{Ask, Claim, End};
use host::config::EXAMPLE;

use crate::clients::{Clients, Flows, Load};
use crate::nation::Nation;

/// Few at once, so that each payment has frames of its own and two thousand fill a segment twice.
const LOAD: Load = Load { terminals: 5, flows: Flows::Purchases, rate: 450, stan: 0 };
/// How long a segment may take: machines are busy with other tests.
const PATIENCE: Duration = Duration::from_secs(180);

/// Every frame fills 4 KiB, so that a segment is soon full, and next to nothing stays in memory of
/// what has an index.
fn config() -> String {
    let limits = EXAMPLE.replacen("[limits]", "[limits]\nwindow_payments = 1", 1);
    format!("{limits}\n[journal]\nhub_segment_mib = 8\nblock = 4096\n")
}

#[test]
fn a_killed_hub_goes_on_indexing_and_finds_what_was_paid_before() {
    let nation = Nation::start("history", &config());
    let before = Clients::start(nation.terminals(), LOAD);
    eventually("the first index", || !indexed(&nation).is_empty());
    let old = before.stop();

    let after = Clients::start(nation.terminals(), Load { stan: 500_000, ..LOAD });
    after.wait_for_approvals(20, PATIENCE);
    let (had, last) = (indexed(&nation), in_use(&nation));
    nation.kill("hub");
    eventually("an index of what is sealed since", || indexed(&nation).contains(&last));
    let has = indexed(&nation);
    assert!((1..=last).all(|number| has.contains(&number)), "{had:?}, then {has:?}");
    drop(after.stop());

    let plain: Vec<_> = old.iter().filter(|claim| is_plain(claim)).take(50).collect();
    assert_eq!(plain.len(), 50);
    plain.into_iter().for_each(|claim| is_found(&nation, claim));
    nation.remove();
}

/// Posted, and never touched again.
fn is_plain(claim: &Claim) -> bool {
    claim.ask == Ask::Purchase && claim.end == End::Approved
}

fn is_found(nation: &Nation, claim: &Claim) {
    let said = nation.look_up(claim.rrn);
    assert_eq!(said["complete"], true, "{said}");
    let payments = said["payments"].as_array().unwrap();
    assert_eq!(payments.len(), 1, "{said}");
    let amount = crate::nation::minor(payments[0]["amount"].as_str().unwrap());
    assert_eq!(u64::try_from(amount).unwrap(), claim.amount.minor(), "{said}");
    let text = |key: &str| payments[0][key].as_str().unwrap().to_owned();
    assert_eq!(text("terminal"), claim.terminal.to_string(), "{said}");
    assert_eq!(text("approval_code"), claim.approval.to_string(), "{said}");
    assert_eq!(text("stan"), claim.stan.to_string(), "{said}");
    assert_eq!(text("status"), "posted", "{said}");
}

/// The segments that have an index.
fn indexed(nation: &Nation) -> Vec<u64> {
    journal::index::list(&mut nation.hub_journal()).unwrap()
}

/// The segment that the hub writes.
fn in_use(nation: &Nation) -> u64 {
    journal::index::active(&mut nation.hub_journal()).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
