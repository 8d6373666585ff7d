//! Hostile peers against a running nation: mutated frames, silence, half frames, slow readers,
//! garbage, floods, churn and reconnect storms at one station, while ten terminals of it pay.
//! Nobody dies, memory stays flat, every ordinary payment is approved. `BONGSU_HOSTILE=full`
//! (`cargo xtask hostile`) is the whole of it; without it a tenth, in less than a minute;
//! `BONGSU_HOSTILE=frames` (or another kind of harm) shows what payers notice of that one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; a long run says what it saw"
)]

#[path = "../../../host/tests/strangers/mutate.rs"]
mod mutate;
mod nation;
mod payers;
mod peers;

use std::time::{Duration, Instant};

use nation::Nation;
use payers::{Payers, Times};
use peers::{Attack, Harm};

/// Memory that a role may take for a storm, KiB: 20,000 connections' sessions, the write queues of
/// slow readers, the allocator's own.
const STORM_KIB: u64 = 192 * 1024;
/// And that a second storm may add to the first, KiB: nothing but noise, beside the payments.
const FLAT_KIB: u64 = 32 * 1024;

/// What the hub keeps of a payment for the 50 hours in which it can be matched, KiB, with the room
/// that its tables grow ahead.
const PAYMENT_KIB: u64 = 2;

/// How much of everything.
struct Extent {
    quiet: Duration,
    attack: Attack,
    /// Each of these kinds of harm by itself, for so long, before all of them together.
    each: (Vec<Harm>, Duration),
    /// How often all of them come together.
    rounds: u64,
}

fn extent() -> Extent {
    let attack = Attack { frames: 50_000, storm: 10_000, silent: 1_000, floods: 2 };
    let ten = Duration::from_secs(10);
    match std::env::var("BONGSU_HOSTILE").ok().as_deref() {
        None => {
            let attack = Attack { frames: 4_000, storm: 1_000, silent: 200, floods: 1 };
            let each = (Vec::new(), Duration::ZERO);
            Extent { quiet: Duration::from_secs(4), attack, each, rounds: 2 }
        }
        Some("full") => Extent { quiet: ten, attack, each: (Harm::ALL.to_vec(), ten), rounds: 2 },
        Some(named) => {
            let harm = Harm::ALL.into_iter().find(|harm| harm.name() == named);
            let harm = harm.unwrap_or_else(|| panic!("no kind of harm is named {named}"));
            Extent { quiet: ten, attack, each: (vec![harm; 3], ten), rounds: 0 }
        }
    }
}

/// What the payers notice of a harm: beside the quiet just before and just after, as machines have
/// other things to do.
fn told(what: &str, before: &Times, during: &Times, after: &Times) {
    let normal = f64::midpoint(before.p99_ms(), after.p99_ms());
    let ratio = during.p99_ms() / normal;
    println!("{what}: p99 x {ratio:.2} (goal 2); before {before}; during {during}; after {after}");
}

/// Each harm by itself, between two quiet times.
fn one_by_one(nation: &Nation, payers: &Payers, extent: &Extent) {
    let (harms, each) = &extent.each;
    drop(payers.times());
    std::thread::sleep(extent.quiet);
    let mut before = payers.times();
    for (number, harm) in harms.iter().enumerate() {
        extent.attack.run(nation.terminals(), &[*harm], 10 + number as u64, *each);
        let during = payers.times();
        std::thread::sleep(extent.quiet);
        let after = payers.times();
        told(harm.name(), &before, &during, &after);
        before = after;
    }
}

#[test]
fn hostile_peers_hurt_nobody_else() {
    peers::raise_file_limit();
    let extent = extent();
    let nation = Nation::start();
    let (pids, at_first) = (nation.pids(), nation.memory_kib());
    let payers = Payers::start(nation.terminals());
    if !extent.each.0.is_empty() {
        one_by_one(&nation, &payers, &extent);
    }
    drop(payers.times());
    std::thread::sleep(extent.quiet);
    let before = payers.times();
    let mut during = Times::default();
    let (mut after_storm, mut decided) = (Vec::new(), Vec::new());
    // The second storm shows whether the first one left anything behind.
    for round in 0..extent.rounds {
        let began = Instant::now();
        let done = extent.attack.run(nation.terminals(), &Harm::ALL, round, Duration::ZERO);
        during.extend(payers.times());
        let (frames, storm) = (done.frames, done.connections);
        let took = began.elapsed().as_secs_f64();
        println!("round {round}: {frames} mutated frames, {storm} connections in {took:.1} s");
        assert!(frames >= extent.attack.frames, "{frames} frames were heard");
        std::thread::sleep(extent.quiet / 2);
        after_storm.push(nation.memory_kib());
        decided.push(nation.decided());
    }
    drop(payers.times());
    std::thread::sleep(extent.quiet);
    let after = payers.times();
    let outcome = payers.stop();
    assert_eq!(outcome.refused, Vec::<String>::new(), "of {} payments", outcome.approved);
    assert!(outcome.approved > 100, "{}", outcome.approved);
    assert_eq!(nation.pids(), pids, "a role died and was started again");
    for (role, first) in at_first {
        let [one, two] = after_storm.as_slice() else { break };
        let (one, two) = (one[&role], two[&role]);
        println!("{role}: {first} KiB, after a storm {one}, after another {two}");
        assert!(one < first + STORM_KIB, "{role} took {one} KiB, {first} at first");
        let kept = if role == "hub" { (decided[1] - decided[0]) * PAYMENT_KIB } else { 0 };
        assert!(two < one + FLAT_KIB + kept, "{role} grows with every storm: {one}, {two} KiB");
    }
    println!("{} payments, all approved; the hub decided {decided:?}", outcome.approved);
    if extent.rounds > 0 {
        told("all at once", &before, &during, &after);
    }
    nation.stop_and_verify();
}
