//! `bongsu message convert`: a message of one dialect, written in another.

use clap::Args;

use super::decode;
use super::encode::Written;
use super::reading::Brought;
use crate::dialect;
use crate::error::{Exit, Failure};
use crate::output::{self, Format};

/// The elements that hold a MAC (ISO 8583): it is over the bytes, so no other bytes have it.
const MACS: [u8; 2] = [64, 128];

/// Write a message of one dialect in another
///
/// The dialect that it comes in is recognised, or named with --dialect. What can't be read, and a
/// value that does not fit the other dialect, ends with 1 and names the element.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu message convert --to iso87-ascii-bin @in.hex
  bongsu message convert --to iso87-ascii --dialect own.toml --output raw @in.bin")]
pub(super) struct Convert {
    #[command(flatten)]
    brought: Brought,
    /// Dialect to write it in, by name or as a file
    #[arg(long, value_name = "NAME|FILE")]
    to: String,
    #[command(flatten)]
    written: Written,
}

impl Convert {
    pub(super) fn format(&self) -> Format {
        self.written.format
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.written.check()?;
        let wanted = dialect::named(&self.to)?;
        self.brought.find(|found| {
            let message = found.decoded.as_ref().map_err(|error| decode::failure(error, &found))?;
            if message.fields().any(|(de, _)| MACS.contains(&de)) {
                output::note("note: its MAC is over the bytes as they came, and fits no others");
            }
            self.written.print(wanted.list()[0], message)
        })
    }
}
