//! `bongsu sim`: the deterministic nation, seed after seed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use clap::Args;
use nation::audit::Violation;
use nation::{Outcome, SeedReport, SimOptions, Totals, run_told, simulate};
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::limits::SIM_MINUTES_MAX;
use crate::output::{self, Format, FormatArg, Paint};

/// Simulate whole nations in which cables are cut, disks lie and power fails, and audit each
///
/// The same seed always gives the same nation. Ends with 1 if an invariant broke, and names for
/// each such seed the commit and the one command that runs it again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu sim --seeds 0..100
  bongsu sim --seeds 42 --tell")]
pub(crate) struct Sim {
    /// From A, before B; or one seed
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..100")]
    seeds: Range<u64>,
    /// Let faults rage for so many simulated minutes; by default some seconds, drawn by the seed
    #[arg(long, value_name = "M")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=SIM_MINUTES_MAX))]
    minutes: Option<u64>,
    /// Tell what happens in the nation of one seed, line by line, on standard error
    #[arg(long)]
    tell: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// Which commit this program was built from.
const COMMIT: &str = env!("BONGSU_COMMIT");
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

impl Sim {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let options = SimOptions { seeds: self.seeds.clone(), minutes: self.minutes };
        if self.tell {
            self.told(&options)?;
        }
        let mut broken: Vec<SeedReport> = Vec::new();
        let (mut done, mut shown) = (0u64, Instant::now());
        let started = Instant::now();
        let all = options.seeds.end - options.seeds.start;
        let totals = simulate(&options, &mut |report| {
            done += 1;
            if !report.outcome.broken.is_empty() {
                output::note(&replay(report));
                broken.push(report.clone());
            }
            if shown.elapsed() >= PROGRESS_EVERY {
                shown = Instant::now();
                let seconds = started.elapsed().as_secs();
                output::note(&format!(
                    "{done} of {all} seeds, {} broken, {seconds} s",
                    broken.len()
                ));
            }
            true
        });
        match self.format.format {
            Format::Json => output::json(&document(&totals, &broken))?,
            Format::Text => output::text(&page(&totals, &broken))?,
        }
        Ok(if broken.is_empty() { Exit::Fine } else { Exit::No })
    }

    fn told(&self, options: &SimOptions) -> Result<(), Failure> {
        let seed = options.seeds.start;
        if options.seeds.end != seed + 1 {
            return Err(Failure::new("usage", "one nation at a time can be told")
                .at("--tell")
                .todo(format!("--seeds {seed}")));
        }
        let (_, story) = run_told(&options.scenario(seed));
        for line in story {
            output::note(&line);
        }
        Ok(())
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match text.split_once("..") {
        Some((from, before)) => number(from).zip(number(before)),
        None => number(text).and_then(|seed| Some((seed, seed.checked_add(1)?))),
    };
    let range = range.filter(|(from, before)| from < before);
    range.map(|(from, before)| from..before).ok_or_else(|| "as in 0..100, or 42".to_owned())
}

/// What a person needs to see it again.
fn replay(report: &SeedReport) -> String {
    let SeedReport { seed, replay, outcome } = report;
    let what = match outcome.broken.first() {
        Some((at_ms, violation)) => format!("{violation} (at {at_ms} ms)"),
        None => String::new(),
    };
    format!("BROKEN seed {seed}, commit {COMMIT}: {what}\n  {replay}")
}

fn page(totals: &Totals, broken: &[SeedReport]) -> String {
    let Totals { seeds, stats, coverage, .. } = totals;
    let verdict = if broken.is_empty() {
        output::paint(Paint::Good, "fine")
    } else {
        output::paint(Paint::Bad, &format!("{} BROKEN", broken.len()))
    };
    let mut page = format!(
        "{verdict}: {seeds} seed{}, {} simulated s, {} payments, {} approved, {} declined, {} \
         reversed, {} unknown to their shop, {} restarts",
        if *seeds == 1 { "" } else { "s" },
        stats.simulated_ms / 1_000,
        stats.payments,
        stats.approved,
        stats.declined,
        stats.reversed,
        stats.unknown,
        stats.restarts
    );
    let rows: Vec<Vec<String>> =
        coverage.iter().map(|(name, seeds)| vec![format!("  {name}"), seeds.to_string()]).collect();
    page += &format!("\nin how many seeds:\n{}", output::columns(&rows, &[1]));
    for report in broken {
        page += &format!("\n{}", replay(report));
    }
    page
}

fn document(totals: &Totals, broken: &[SeedReport]) -> Value {
    let stats = totals.stats;
    json!({
        "ok": broken.is_empty(),
        "commit": COMMIT,
        "seeds": totals.seeds,
        "broken": totals.broken,
        "simulated_ms": stats.simulated_ms,
        "payments": stats.payments,
        "approved": stats.approved,
        "declined": stats.declined,
        "reversed": stats.reversed,
        "unknown": stats.unknown,
        "restarts": stats.restarts,
        "coverage": totals.coverage.clone().into_iter().collect::<BTreeMap<_, _>>(),
        "failures": broken.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn failure(report: &SeedReport) -> Value {
    let Outcome { broken, .. } = &report.outcome;
    let one =
        |broken: &(u64, Violation)| json!({ "at_ms": broken.0, "what": broken.1.to_string() });
    json!({
        "seed": report.seed,
        "commit": COMMIT,
        "replay": report.replay,
        "broken": broken.iter().map(one).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_or_one() {
        assert_eq!(seeds("3..7"), Ok(3..7));
        assert_eq!(seeds("3"), Ok(3..4));
        for text in ["", "..", "7..3", "3..3", "a..b", "3...4", "-1..2", "18446744073709551615"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_seed_says_how_to_see_it_again() {
        let violation = Violation::NoWork("planted".to_owned());
        let outcome = Outcome {
            hash: 0,
            stats: nation::Stats::default(),
            coverage: BTreeMap::new(),
            broken: vec![(12, violation)],
        };
        let replay = "bongsu sim --seeds 7..8".to_owned();
        let report = SeedReport { seed: 7, outcome, replay };
        let line = super::replay(&report);
        for part in ["seed 7", COMMIT, "planted", "bongsu sim --seeds 7..8"] {
            assert!(line.contains(part), "{line}");
        }
        let json = document(&Totals::default(), &[report]);
        assert_eq!((&json["ok"], &json["failures"][0]["seed"]), (&json!(false), &json!(7)));
    }
}
