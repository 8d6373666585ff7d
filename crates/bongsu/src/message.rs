//! `bongsu message`: messages in a file, a log or a capture, read, written and explained.

mod convert;
mod decode;
mod encode;
mod explain;
mod reading;

use clap::{Args, Subcommand};

use crate::error::{Exit, Failure};
use crate::output::Format;

/// Read, write and explain ISO 8583 messages
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Example:
  bongsu message explain 0800822000000000000004000000000000001122091407000001301

Which way a message is written (its dialect) is recognised; `bongsu dialect list` has them."
)]
pub(crate) struct MessageCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Decode(decode::Decode),
    Encode(encode::Encode),
    Explain(explain::Explain),
    Convert(convert::Convert),
}

impl MessageCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Action::Decode(decode) => decode.format(),
            Action::Encode(encode) => encode.format(),
            Action::Explain(explain) => explain.format(),
            Action::Convert(convert) => convert.format(),
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Decode(decode) => decode.run(),
            Action::Encode(encode) => encode.run(),
            Action::Explain(explain) => explain.run(),
            Action::Convert(convert) => convert.run(),
        }
    }
}
