//! Hostile peers against a running nation: mutated frames, silence, half frames, slow readers,
//! garbage, floods, churn and reconnect storms at one station, while ten terminals of it pay.
//! Nobody dies, memory stays flat, every ordinary payment is approved. `BONGSU_HOSTILE=full`
//! (`cargo xtask hostile`) is the whole of it; without it a tenth, in less than a minute. How much
//! the payers notice of it is measured by `bongsu bench hostile`; here it is only told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod nation;
mod payers;

use std::path::Path;
use std::time::{Duration, Instant};

use nation::Nation;
use node::bench::hostile::{Attack, Done, Harm, raise_file_limit};
use payers::{Payers, Times};

/// Memory that a role may take for a storm, KiB: 20,000 connections' sessions, the write queues of
/// slow readers, the allocator's own.
const STORM_KIB: u64 = 192 * 1024;
/// And that a second storm may add to the first, KiB: nothing but noise, beside the payments.
const FLAT_KIB: u64 = 32 * 1024;

/// What the hub keeps of a payment for the 50 hours in which it can be matched, KiB, with the room
/// that its tables grow ahead.
const PAYMENT_KIB: u64 = 2;

/// A terminal that none of the payers is.
const TERMINAL: &str = "PYO00015";
/// How long a storm may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much of everything.
struct Extent {
    quiet: Duration,
    /// Mutated frames of a storm that the station has heard, at least.
    frames: u64,
    storm: usize,
    silent: usize,
    floods: usize,
}

fn extent() -> Extent {
    match std::env::var("BONGSU_HOSTILE").ok().as_deref() {
        None => {
            let quiet = Duration::from_secs(4);
            Extent { quiet, frames: 4_000, storm: 1_000, silent: 200, floods: 1 }
        }
        Some("full") => {
            let quiet = Duration::from_secs(10);
            Extent { quiet, frames: 50_000, storm: 10_000, silent: 1_000, floods: 2 }
        }
        Some(other) => panic!("BONGSU_HOSTILE is `full` or is not there: {other}"),
    }
}

fn attack(nation: &Nation, extent: &Extent) -> Attack {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/decoder");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    Attack {
        station: nation.terminals(),
        acquirer: 100_001,
        retailer: "PYO-SHOP-000001".to_owned(),
        terminal: TERMINAL.to_owned(),
        iins: payers::ISSUERS.map(str::to_owned).to_vec(),
        currency: 408,
        utc_offset_s: 9 * 3600,
        corpus: files.into_iter().map(|file| std::fs::read(file).unwrap()).collect(),
        // As fast as they are heard.
        frames_per_s: 1_000_000,
        storm: extent.storm,
        silent: extent.silent,
        floods: extent.floods,
        // On a busy machine they would never be heard.
        idle: false,
    }
}

/// All kinds at once, until enough was heard and a storm was whole.
fn storm(attack: &Attack, extent: &Extent, round: u64) -> Done {
    let began = Instant::now();
    let running = attack.start(&Harm::ALL, round).unwrap();
    loop {
        let done = running.done();
        if done.frames >= extent.frames && done.storms > 0 {
            return running.stop();
        }
        assert!(began.elapsed() < PATIENCE, "stuck: {done:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn hostile_peers_hurt_nobody_else() {
    raise_file_limit().unwrap();
    let extent = extent();
    let nation = Nation::start();
    let (pids, at_first) = (nation.pids(), nation.memory_kib());
    let attack = attack(&nation, &extent);
    let payers = Payers::start(nation.terminals());
    std::thread::sleep(extent.quiet);
    let before = payers.times();
    let mut during = Times::default();
    let (mut after_storm, mut decided) = (Vec::new(), Vec::new());
    // The second storm shows whether the first one left anything behind.
    for round in 0..2 {
        let began = Instant::now();
        let done = storm(&attack, &extent, round);
        during.extend(payers.times());
        eprintln!("round {round}: {done:?} in {:.1} s", began.elapsed().as_secs_f64());
        std::thread::sleep(extent.quiet / 2);
        after_storm.push(nation.memory_kib());
        decided.push(nation.decided());
    }
    let outcome = payers.stop();
    assert_eq!(outcome.refused, Vec::<String>::new(), "of {} payments", outcome.approved);
    assert!(outcome.approved > 100, "{}", outcome.approved);
    assert_eq!(nation.pids(), pids, "a role died and was started again");
    for (role, first) in at_first {
        let (one, two) = (after_storm[0][&role], after_storm[1][&role]);
        eprintln!("{role}: {first} KiB, after a storm {one}, after another {two}");
        assert!(one < first + STORM_KIB, "{role} took {one} KiB, {first} at first");
        let kept = if role == "hub" { (decided[1] - decided[0]) * PAYMENT_KIB } else { 0 };
        assert!(two < one + FLAT_KIB + kept, "{role} grows with every storm: {one}, {two} KiB");
    }
    eprintln!("{} payments, all approved; the hub decided {decided:?}", outcome.approved);
    eprintln!("before {before}; during {during}");
    nation.stop_and_verify();
}
