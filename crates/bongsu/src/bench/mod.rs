//! `bongsu bench`: measurements of the switch and its parts, each with its method printed.

mod codec;
mod history;
mod hostile;
mod ledger;
mod recovery;
mod switch;

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use clap::{Args, Subcommand};

use crate::error::{Exit, Failure};
use crate::limits::PROGRESS_EVERY;
use crate::output::{Format, Progress};

/// Measure the switch and its parts, on this machine
///
/// Every measurement says what was done and prints what was seen, stalls of the disk included.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench switch --at hub")]
pub(crate) struct BenchCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Switch(switch::SwitchBench),
    Ledger(ledger::LedgerBench),
    Codec(codec::CodecBench),
    Recovery(recovery::RecoveryBench),
    History(history::HistoryBench),
    Hostile(hostile::HostileBench),
    Generate(switch::Generate),
}

impl BenchCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.what {
            What::Switch(bench) => bench.format(),
            What::Ledger(bench) => bench.format(),
            What::Codec(bench) => bench.format(),
            What::Recovery(bench) => bench.format(),
            What::History(bench) => bench.format(),
            What::Hostile(bench) => bench.format(),
            What::Generate(_) => Format::Text,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Switch(bench) => watched(|| bench.run()),
            What::Ledger(bench) => watched(|| bench.run()),
            What::Codec(bench) => watched(|| bench.run()),
            What::Recovery(bench) => watched(|| bench.run()),
            What::History(bench) => watched(|| bench.run()),
            What::Hostile(bench) => watched(|| bench.run()),
            What::Generate(generate) => generate.run(),
        }
    }
}

/// Where measurements write.
#[derive(Clone, Debug, Args)]
struct ScratchArg {
    /// Where the temporary directory is made; by default the system's place for such
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

impl ScratchArg {
    fn dir(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Does it, and says on standard error how long it has been at it.
fn watched<T>(work: impl FnOnce() -> T) -> T {
    let (done, over) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let started = Instant::now();
            let mut progress = Progress::new("s of measuring");
            while over.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
                progress.at(started.elapsed().as_secs());
            }
        });
        let made = work();
        drop(done);
        made
    })
}

/// This program, whose subcommands are what is measured.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new("system", error.to_string()).at("own program"))
}

/// A number with `places` decimals, as JSON has it.
fn decimals(number: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    (number * scale).round() / scale
}

/// Milliseconds.
fn ms(ns: u64) -> f64 {
    decimals(ns as f64 / 1e6, 3)
}
