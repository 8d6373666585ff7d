//! Many seeds, one after the other: what `bongsu sim` calls.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::audit::Violation;
use crate::run::{Outcome, Stats, run};
use crate::scenario::Scenario;

/// What to simulate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimOptions {
    /// `--seeds A..B`: from A, before B.
    pub seeds: Range<u64>,
    /// `--minutes M`: faults rage for so many simulated minutes; `None` = some seconds, drawn from
    /// the seed.
    pub minutes: Option<u64>,
}

impl SimOptions {
    /// The scenario of one of the seeds.
    pub fn scenario(&self, seed: u64) -> Scenario {
        match self.minutes {
            None => Scenario::draw(seed),
            Some(minutes) => Scenario::draw_for(seed, minutes.saturating_mul(60_000)),
        }
    }

    /// The arguments of the one command that runs a seed again.
    pub fn replay(&self, seed: u64) -> String {
        let minutes = self.minutes.map(|minutes| format!(" --minutes {minutes}"));
        let after = seed.saturating_add(1);
        format!("bongsu sim --seeds {seed}..{after}{}", minutes.unwrap_or_default())
    }
}

/// One seed and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The command that runs it again.
    pub replay: String,
}

/// All seeds together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Seeds that were run.
    pub seeds: u64,
    /// Of these, broken.
    pub broken: u64,
    /// Sums; of the drains, the longest; of positions, the furthest.
    pub stats: Stats,
    /// In how many seeds each fault and each rare thing came.
    pub coverage: BTreeMap<&'static str, u64>,
}

/// Runs the seeds in order. `progress` is told of each as it ends; when it says `false`, no more
/// are run.
pub fn simulate(options: &SimOptions, progress: &mut dyn FnMut(&SeedReport) -> bool) -> Totals {
    let mut totals = Totals::default();
    for seed in options.seeds.clone() {
        let outcome = run_caught(&options.scenario(seed));
        totals.add(&outcome);
        let report = SeedReport { seed, outcome, replay: options.replay(seed) };
        if !progress(&report) {
            break;
        }
    }
    totals
}

/// Runs a scenario; a broken invariant inside a machine is an outcome like any other.
pub fn run_caught(scenario: &Scenario) -> Outcome {
    // The world is dropped with the panic: nothing of it is looked at again.
    match catch_unwind(AssertUnwindSafe(|| run(scenario))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let what = format!("panicked: {}", text.unwrap_or("without a word"));
            Outcome {
                hash: 0,
                stats: Stats::default(),
                coverage: BTreeMap::new(),
                broken: vec![(0, Violation::Machine(what))],
            }
        }
    }
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        let one = Self {
            seeds: 1,
            broken: u64::from(!outcome.broken.is_empty()),
            stats: outcome.stats,
            coverage: outcome.coverage.keys().map(|name| (*name, 1)).collect(),
        };
        self.merge(&one);
    }

    /// Takes the totals of other seeds in.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.broken += other.broken;
        let (sum, one) = (&mut self.stats, &other.stats);
        sum.events += one.events;
        sum.simulated_ms += one.simulated_ms;
        sum.drain_ms = sum.drain_ms.max(one.drain_ms);
        sum.payments += one.payments;
        sum.approved += one.approved;
        sum.declined += one.declined;
        sum.reversed += one.reversed;
        sum.unknown += one.unknown;
        sum.purchases += one.purchases;
        sum.purchases_approved += one.purchases_approved;
        sum.restarts += one.restarts;
        sum.furthest_minor = sum.furthest_minor.max(one.furthest_minor);
        for (name, seeds) in &other.coverage {
            *self.coverage.entry(name).or_default() += seeds;
        }
    }
}
