//! `bongsu bench`: measurements of the switch and its parts, each with its method printed.

mod codec;
mod ledger;
mod recovery;
mod switch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::error::{Exit, Failure};
use crate::output::Format;

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
    Generate(switch::Generate),
}

impl BenchCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.what {
            What::Switch(bench) => bench.format(),
            What::Ledger(bench) => bench.format(),
            What::Codec(bench) => bench.format(),
            What::Recovery(bench) => bench.format(),
            What::Generate(_) => Format::Text,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Switch(bench) => bench.run(),
            What::Ledger(bench) => bench.run(),
            What::Codec(bench) => bench.run(),
            What::Recovery(bench) => bench.run(),
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
