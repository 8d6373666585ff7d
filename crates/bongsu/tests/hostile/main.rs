//! Hostile peers against a running nation: mutated frames, silence, half frames, slow readers,
//! garbage, floods and reconnect storms at one station, while ten terminals of it pay. Nobody dies,
//! memory stays flat, every ordinary payment is approved. `BONGSU_HOSTILE=full` (`cargo xtask
//! hostile`) is the whole of it; without it a tenth, in less than a minute.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../host/tests/strangers/mutate.rs"]
mod mutate;
mod nation;
mod payers;
mod peers;

use std::time::{Duration, Instant};

use nation::Nation;
use payers::{Payers, Times};
use peers::Attack;

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
}

fn extent() -> Extent {
    if std::env::var("BONGSU_HOSTILE").is_ok_and(|extent| extent == "full") {
        let attack = Attack { frames: 50_000, storm: 10_000, silent: 1_000, floods: 2 };
        Extent { quiet: Duration::from_secs(20), attack }
    } else {
        let attack = Attack { frames: 4_000, storm: 1_000, silent: 200, floods: 1 };
        Extent { quiet: Duration::from_secs(4), attack }
    }
}

#[test]
fn hostile_peers_hurt_nobody_else() {
    peers::raise_file_limit();
    let extent = extent();
    let nation = Nation::start();
    let (pids, at_first) = (nation.pids(), nation.memory_kib());
    let payers = Payers::start(nation.terminals());
    std::thread::sleep(extent.quiet);
    let before = payers.times();
    let mut during = Times::default();
    let (mut after_storm, mut decided) = (Vec::new(), Vec::new());
    // The second storm shows whether the first one left anything behind.
    for round in 0..2 {
        let began = Instant::now();
        let done = extent.attack.run(nation.terminals(), round);
        during.extend(payers.times());
        let (frames, storm) = (done.frames, done.connections);
        let took = began.elapsed().as_secs_f64();
        println!("round {round}: {frames} mutated frames, {storm} connections in {took:.1} s");
        assert!(frames >= extent.attack.frames, "{frames} frames were sent");
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
        let [one, two] = [0, 1].map(|round: usize| after_storm[round][&role]);
        println!("{role}: {first} KiB, after a storm {one}, after another {two}");
        assert!(one < first + STORM_KIB, "{role} took {one} KiB, {first} at first");
        let kept = if role == "hub" { (decided[1] - decided[0]) * PAYMENT_KIB } else { 0 };
        assert!(two < one + FLAT_KIB + kept, "{role} grows with every storm: {one}, {two} KiB");
    }
    println!("{} payments, all approved; the hub decided {decided:?}", outcome.approved);
    let ratio = during.p99_ms() / before.p99_ms();
    println!("before {before}; during {during}; after {after}; p99 x {ratio:.2} (goal 2)");
    nation.stop_and_verify();
}
