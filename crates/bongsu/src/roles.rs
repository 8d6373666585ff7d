//! `bongsu up`, and its parts one by one: `hub`, `station`, `bank`, `shops`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use node::{RoleName, RunOptions};
use scheme::ParticipantId;
use serde_json::Value;

use crate::error::{Exit, Failure};
use crate::nation::Place;
use crate::output::{self, Format, FormatArg};

/// What every process is told.
#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// Configuration; by default the one in DIR, at the first start the example nation
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Added to every port; 1-4, 497-506, 997-1003, 1499-1503 and 2000 collide with an unmoved
    /// nation beside it
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_base: u16,
    /// How to print a failure; what a running role says stays text
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Common {
    fn options(self) -> RunOptions {
        RunOptions {
            dir: self.place.dir,
            config: self.config,
            port_base: self.port_base,
            http: None,
            traffic: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Run the whole nation on this machine: hub, stations, simulated banks and shops
///
/// Ready when it prints `ready` and every address. Ctrl-C stops it cleanly; started again on the
/// same directory it carries on. Self-made keys and plain terminals, on this machine alone: never
/// for real money.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu up
  bongsu up --dir /tmp/nation --traffic 0 --port-base 100")]
pub(crate) struct Up {
    #[command(flatten)]
    common: Common,
    /// Payments per second of simulated shops, 0 for none; by default as configured (20)
    #[arg(long, value_name = "N")]
    traffic: Option<u32>,
    /// Address of the hub's pages
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

impl Up {
    pub(crate) fn format(&self) -> Format {
        self.common.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { common, traffic, http } = self;
        node::up(&RunOptions { traffic, http, ..common.options() })?;
        Ok(Exit::Fine)
    }
}

/// Run the national hub alone
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu hub --dir /tmp/nation")]
pub(crate) struct HubCommand {
    #[command(flatten)]
    common: Common,
    /// Address of its pages
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

impl HubCommand {
    pub(crate) fn format(&self) -> Format {
        self.common.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { common, http } = self;
        node::run_hub(&RunOptions { http, ..common.options() })?;
        Ok(Exit::Fine)
    }
}

/// Run one base station alone
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu station pyongyang --dir /tmp/nation")]
pub(crate) struct StationCommand {
    /// Its name in the configuration
    name: String,
    #[command(flatten)]
    common: Common,
}

impl StationCommand {
    pub(crate) fn format(&self) -> Format {
        self.common.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        node::run_station(&self.name, &self.common.options())?;
        Ok(Exit::Fine)
    }
}

/// Run the simulated shops alone
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu shops --dir /tmp/nation --traffic 50")]
pub(crate) struct ShopsCommand {
    #[command(flatten)]
    common: Common,
    /// Payments per second of all shops together; by default as configured
    #[arg(long, value_name = "N")]
    traffic: Option<u32>,
}

impl ShopsCommand {
    pub(crate) fn format(&self) -> Format {
        self.common.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self { common, traffic } = self;
        node::run_shops(&RunOptions { traffic, ..common.options() })?;
        Ok(Exit::Fine)
    }
}

/// Run one simulated bank alone, or read the book of one that runs
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = false,
    after_help = "\
Example:
  bongsu bank 100002 --dir /tmp/nation
  bongsu bank 100002 book --format json"
)]
pub(crate) struct BankCommand {
    /// Its institution code (DE32)
    #[arg(value_parser = participant)]
    id: ParticipantId,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Option<BankAction>,
}

#[derive(Debug, Subcommand)]
enum BankAction {
    Book(Book),
}

/// Read the bank's own book: every account and its entries
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bank 100002 book --dir /tmp/nation --format json")]
struct Book {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

impl BankCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Some(BankAction::Book(book)) => book.format.format,
            None => self.common.format,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Some(BankAction::Book(book)) => read_book(self.id, &book),
            None => {
                node::run_bank(self.id, &self.common.options())?;
                Ok(Exit::Fine)
            }
        }
    }
}

fn participant(text: &str) -> Result<ParticipantId, String> {
    let parsed = text.parse().ok().and_then(ParticipantId::new);
    parsed.ok_or_else(|| "an institution code has up to 11 digits, as in 100002".to_owned())
}

fn read_book(id: ParticipantId, arguments: &Book) -> Result<Exit, Failure> {
    let role = RoleName::Bank(id);
    let book = arguments.place.ask(&role, "/book")?.ok_or_else(|| {
        Failure::new("not_running", format!("the bank {id} does not run here"))
            .at(arguments.place.layout().socket(&role).display().to_string())
            .todo("start it with `bongsu up`, or name the nation's directory with --dir")
    })?;
    match arguments.format.format {
        Format::Json => output::json(&book)?,
        Format::Text => output::text(&page(&book))?,
    }
    Ok(Exit::Fine)
}

fn page(book: &Value) -> String {
    let cell = |value: &Value, key: &str| value[key].as_str().unwrap_or("-").to_owned();
    let mut lines = Vec::new();
    for account in book["accounts"].as_array().into_iter().flatten() {
        lines.push(format!("{}  {}", cell(account, "account"), cell(account, "balance")));
        let row = |entry: &Value| {
            let keys = ["at", "kind", "amount", "stan", "rrn", "acquirer", "terminal"];
            keys.map(|key| cell(entry, key)).to_vec()
        };
        let entries = account["entries"].as_array().into_iter().flatten();
        let rows: Vec<Vec<String>> = entries.map(row).collect();
        let entries = output::columns(&rows, &[2]);
        lines.extend(entries.lines().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}
