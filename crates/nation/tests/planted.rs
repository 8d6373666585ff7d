//! Bugs planted in the world: an auditor that finds none of them would be worth nothing.
#![expect(clippy::print_stdout, reason = "how often each is found is a figure of docs/proofs.md")]

use nation::audit::Violation;
use nation::scenario::{Cheat, Fault, Lie, Manners, Place, Planned, Planted, Scenario};
use nation::{alone, run_caught};

/// `NATION_PLANTED=N`, or so many seeds that all of this takes seconds.
fn seeds() -> u64 {
    let asked = std::env::var("NATION_PLANTED").ok();
    asked.and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

/// In how many seeds a violation of one of these kinds comes, of so many; said with `--nocapture`.
fn found(what: &str, scenario: impl Fn(u64) -> Scenario, kinds: &[&str]) -> (usize, usize) {
    let finds = |seed: &u64| {
        let outcome = run_caught(&scenario(*seed));
        outcome.broken.iter().any(|(_, broken)| kinds.contains(&broken.name()))
    };
    let seeds = seeds();
    let count = (0..seeds).filter(finds).count();
    println!("{what}: found in {count} of {seeds} seeds");
    (count, usize::try_from(seeds).unwrap_or(0))
}

fn planted(seed: u64, planted: Planted) -> Scenario {
    let scenario = alone(seed, Vec::new());
    // Every flow, often.
    let manners = Manners {
        cancel: 200,
        cash: 150,
        refund: 400,
        preauth: 400,
        cancel_part: 200,
        ..scenario.manners
    };
    // Short runs: what is planted is there from the first payment on.
    let rate_per_1000_s = 20_000;
    let (fault_ms, calm_ms, drain_ms) = (2_500, 500, 12_000);
    Scenario {
        planted: Some(planted),
        manners,
        rate_per_1000_s,
        fault_ms,
        calm_ms,
        drain_ms,
        ..scenario
    }
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
    // The next honest sync of a file brings what this one left out: the power must go between.
    let (found, all) = found("every second sync skipped", scenario, &kinds);
    assert!(found * 10 >= all * 6, "{found} of {all}");
}

#[test]
fn a_bank_that_acknowledges_reversals_and_undoes_nothing_is_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::FalseAcknowledgement));
    let (found, all) =
        found("a lost reversal: acknowledged, not undone", scenario, &["bank's book differs"]);
    assert_eq!(found, all);
}

#[test]
fn reversals_that_never_arrive_are_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::SwallowReversals));
    let (found, all) = found("reversals that never arrive", scenario, &["not drained"]);
    assert_eq!(found, all);
}

#[test]
fn a_bank_that_debits_twice_is_found() {
    let scenario = |seed| planted(seed, Planted::Bank(Cheat::DoubleDebit));
    let (found, all) = found(
        "a bank that debits twice",
        scenario,
        &["bank's book differs", "bank's book is wrong in itself"],
    );
    assert_eq!(found, all);
}

/// In how many of how many seeds a cheat of bank 1 is found; all but a few have its occasion.
fn cheat(what: &str, cheat: Cheat, kinds: &[&str]) {
    let (found, all) = found(what, |seed| planted(seed, Planted::Bank(cheat)), kinds);
    assert!(found * 10 >= all * 8, "{found} of {all}");
}

const BOOK: [&str; 2] = ["bank's book differs", "bank's book is wrong in itself"];

#[test]
fn a_refund_credited_twice_is_found() {
    cheat("a refund credited twice", Cheat::DoubleCredit, &BOOK);
}

#[test]
fn a_reversal_in_part_taken_for_a_whole_one_is_found() {
    cheat("a reversal in part taken for a whole one by a bank", Cheat::WholeForPart, &BOOK);
}

#[test]
fn a_completion_that_debits_nothing_is_found() {
    cheat("a completion acknowledged, not debited", Cheat::FalseCompletion, &BOOK);
}

#[test]
fn a_hold_released_and_posted_is_found() {
    cheat("a hold completed and undone by a bank", Cheat::ReleasedAndPosted, &BOOK);
}

#[test]
fn lies_of_the_hub_are_found() {
    let lies = [
        (Lie::PostedTwice, "a posting published twice"),
        (Lie::RefundForgotten, "a refund given and published as not"),
        (Lie::ReturnForgotten, "a payment that knows of no refund of it"),
        (Lie::WholeForPart, "a reversal in part published as a whole one"),
        (Lie::CompletionForgotten, "a completion published as released"),
        (Lie::HoldPosted, "a hold published as posted"),
    ];
    let kinds = [
        "approval not posted once",
        "wrong return",
        "wrong completion",
        "invented payment",
        "bank's book differs",
    ];
    for (lie, what) in lies {
        let scenario = |seed| {
            let scenario = planted(seed, Planted::Published(lie));
            // A hold that nobody completes is one that somebody tried to complete for too much.
            let complete_over = if lie == Lie::HoldPosted { 1_000 } else { 0 };
            Scenario { manners: Manners { complete_over, ..scenario.manners }, ..scenario }
        };
        let (found, all) = found(what, scenario, &kinds);
        assert!(found * 10 >= all * 8, "{what}: {found} of {all}");
    }
}

#[test]
fn without_a_planted_bug_nothing_is_found() {
    for seed in 0..seeds() {
        let mut honest = planted(seed, Planted::Published(Lie::PostedTwice));
        honest.planted = None;
        let broken: Vec<(u64, Violation)> = run_caught(&honest).broken;
        assert_eq!(broken, [], "seed {seed}");
    }
}
