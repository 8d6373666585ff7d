//! `bongsu bench recovery`: how soon a killed hub is ready again.

use clap::Args;
use node::bench::Orders;
use node::bench::rig::{End, Rig, RigOptions};
use serde_json::json;

use super::{ScratchArg, decimals};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Connections of the generator, and payments under way on each that asks.
const LOAD: (usize, usize) = (64, 64);
/// The longest that the payments may take, seconds.
const SECONDS_MAX: u64 = 600;

/// How soon a killed hub is ready again
///
/// A hub takes N payments over TCP (two records each), is killed, and is started again without a
/// snapshot: every record is read, checked and applied. The time runs from the start of the process
/// until it says that it is ready.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench recovery --payments 1000000

Prints with --format json:
  {\"payments\",\"seconds_to_ready\"}")]
pub(crate) struct RecoveryBench {
    /// Payments before the kill
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=4_000_000))]
    payments: u64,
    #[command(flatten)]
    scratch: ScratchArg,
    #[command(flatten)]
    format: FormatArg,
}

impl RecoveryBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut rig = Rig::start(&RigOptions {
            program: super::program()?,
            scratch: self.scratch.dir(),
            station: false,
            plain: true,
            no_snapshots: true,
            guarded: false,
        })?;
        let orders = Orders {
            window_ms: SECONDS_MAX * 1000,
            payments: Some(self.payments),
            ..rig.orders(LOAD.0, LOAD.1)
        };
        let measured = rig.load(&orders, |_| Ok(()))?;
        let done = rig.done()?;
        let seconds = rig.hub_again(End::KilledWithoutSnapshots)?.as_secs_f64();
        let per_s = done.records as f64 / seconds.max(1e-9);
        let (medium, _) = rig.scratch().medium();
        match self.format.format {
            Format::Json => output::json(&json!({
                "payments": measured.answered,
                "seconds_to_ready": decimals(seconds, 3),
                "records": done.records,
                "records_per_s": decimals(per_s, 0),
                "journal_bytes": done.bytes,
                "disk": medium,
            }))?,
            Format::Text => output::text(&format!(
                "method: {} payments through a hub, journal on {medium}; killed; from the start \
                 of its process until ready, no snapshot\n\n\
                 {seconds:.3} s for {} records: {per_s:.0} records/s, {:.0} MB/s",
                measured.answered,
                done.records,
                done.bytes as f64 / 1e6 / seconds.max(1e-9),
            ))?,
        }
        Ok(if measured.errors == 0 { Exit::Fine } else { Exit::No })
    }
}
