//! Many seeds (R1-R3): every one must end whole, and be the same twice.

use std::ops::Range;
use std::thread;

use nation::{SeedReport, SimOptions, Totals, simulate};

/// Seeds on two threads, for the two cores of a small machine.
fn run(seeds: Range<u64>) -> (Vec<SeedReport>, Totals) {
    let options = SimOptions { seeds: seeds.clone(), minutes: None };
    let middle = seeds.start + (seeds.end - seeds.start) / 2;
    let halves = [seeds.start..middle, middle..seeds.end];
    let mut reports = Vec::new();
    let mut totals = Totals::default();
    thread::scope(|scope| {
        let threads = halves.map(|seeds| {
            let options = SimOptions { seeds, ..options.clone() };
            scope.spawn(move || {
                let mut reports = Vec::new();
                let totals = simulate(&options, &mut |report| {
                    reports.push(report.clone());
                    true
                });
                (reports, totals)
            })
        });
        for thread in threads {
            let (some, sum) = thread.join().expect("a thread of seeds ends");
            reports.extend(some);
            totals.merge(&sum);
        }
    });
    (reports, totals)
}

/// `NATION_SEEDS=A..B`, or the first hundred.
fn seeds() -> Range<u64> {
    let text = std::env::var("NATION_SEEDS").unwrap_or_default();
    let bound = |text: &str| text.parse().ok();
    let asked = text.split_once("..").and_then(|(from, to)| Some(bound(from)?..bound(to)?));
    asked.unwrap_or(0..100)
}

#[test]
fn a_hundred_nations_end_whole() {
    let (reports, totals) = run(seeds());
    for report in &reports {
        for (at_ms, violation) in &report.outcome.broken {
            println!("seed {}: at {at_ms} ms: {violation}", report.seed);
        }
    }
    let failed: Vec<_> =
        reports.iter().filter(|report| !report.outcome.broken.is_empty()).collect();
    println!("{totals:#?}");
    let replays: Vec<_> = failed.iter().map(|report| report.replay.as_str()).collect();
    assert!(failed.is_empty(), "{} broken:\n{}", failed.len(), replays.join("\n"));
}
