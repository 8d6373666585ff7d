//! `bongsu bench`: measurements of the switch and its parts, each with its method printed.

mod switch;

use clap::{Args, Subcommand};

use crate::error::{Exit, Failure};
use crate::output::Format;

/// Measure the switch and its parts, on this machine
///
/// Every measurement says what was done and prints what was seen, stalls of the disk included.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench switch --at hub --plain")]
pub(crate) struct BenchCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Switch(switch::SwitchBench),
    Generate(switch::Generate),
}

impl BenchCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.what {
            What::Switch(bench) => bench.format(),
            What::Generate(_) => Format::Text,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Switch(bench) => bench.run(),
            What::Generate(generate) => generate.run(),
        }
    }
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
