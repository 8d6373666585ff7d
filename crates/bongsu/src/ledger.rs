//! `bongsu ledger`: the hub's ledger, asked of the running hub or read from its files.

mod archive;
mod file;
mod look;
mod payment;
mod transfers;
mod verify;

use std::path::Path;

use clap::{Args, Subcommand};
use host::Config;
use host::offline::{DamageView, Offline, Step, VerifyReport};
use journal::Disk;
use node::disk::FileDisk;
use node::json::AccountsJson;
use node::{Layout, RoleName};
use scheme::{BusinessDate, CivilDateTime};
use serde_json::{Value, json};

use self::look::{Look, steadily};
use crate::error::{Exit, Failure};
use crate::nation::Place;
use crate::output::{self, Format, FormatArg, Progress};

/// Read the national ledger
///
/// `accounts` and `payment` ask the running hub, and without one read its files; the others always
/// read the files.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Example:
  bongsu ledger verify"
)]
pub(crate) struct LedgerCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Accounts(Accounts),
    Payment(payment::Payment),
    Transfers(transfers::Transfers),
    Verify(verify::Verify),
    Export(transfers::Export),
    Archive(archive::Archive),
}

/// List every account and its balance
///
/// A balance is credits less debits posted. A position's includes the room that its cap gives:
/// net position = position + cap + overcap. Ends with 1 if it is read from a damaged journal.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger accounts --format json")]
struct Accounts {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

impl LedgerCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Action::Accounts(accounts) => accounts.format.format,
            Action::Payment(payment) => payment.format(),
            Action::Transfers(transfers) => transfers.format(),
            Action::Verify(verify) => verify.format(),
            Action::Export(export) => export.format(),
            Action::Archive(archive) => archive.format(),
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Accounts(arguments) => accounts(&arguments),
            Action::Payment(arguments) => arguments.run(),
            Action::Transfers(arguments) => arguments.run(),
            Action::Verify(arguments) => arguments.run(),
            Action::Export(arguments) => arguments.run(),
            Action::Archive(arguments) => arguments.run(),
        }
    }
}

fn accounts(arguments: &Accounts) -> Result<Exit, Failure> {
    let place = &arguments.place;
    let (list, damage) = match place.ask(&RoleName::Hub, "/api/v1/accounts")? {
        Some(list) => (list, None),
        None => {
            let offline = offline(place)?;
            let accounts = offline.accounts().into_iter().map(Into::into).collect();
            let list = shape(serde_json::to_value(AccountsJson { accounts }))?;
            incomplete(list, offline.report())
        }
    };
    match arguments.format.format {
        Format::Json => output::json(&list)?,
        Format::Text => {
            let keys = [
                "owner",
                "kind",
                "currency",
                "debits_posted",
                "credits_posted",
                "balance",
                "debits_pending",
            ];
            output::text(&table(&list["accounts"], &keys, &[3, 4, 5, 6]))?;
        }
    }
    Ok(if damage.is_some() { Exit::No } else { Exit::Fine })
}

/// What a damaged journal's list says of itself, and the first damaged record.
fn incomplete(mut list: Value, report: &VerifyReport) -> (Value, Option<u64>) {
    if report.is_complete() {
        return (list, None);
    }
    list["complete"] = false.into();
    list["as_of_record"] = report.last_in_books().into();
    list["damage"] = damage(report);
    let first = report.damage.iter().map(|damage| damage.from_record).min();
    (list, Some(report.stops_before.or(first).unwrap_or(0)))
}

/// The hub's files, no hub answering.
pub(crate) fn offline(place: &Place) -> Result<Offline, Failure> {
    offline_of(place, None)
}

/// The hub's files, and before them what was put away; beside a hub what it has published.
fn offline_of(place: &Place, archive: Option<&Path>) -> Result<Offline, Failure> {
    let offline = steadily(|| read_all(place, &Look::at(place)?, archive))?;
    let report = offline.report();
    let said = format!("this is what it says up to record {}", report.last_in_books());
    note_damage(report, "note: ", &said);
    Ok(offline)
}

/// Says that not all is well, and whether what is shown is all there is.
fn note_damage(report: &VerifyReport, note: &str, else_said: &str) {
    let (what, said) = match (report.ok, report.is_complete()) {
        (true, _) => return,
        (false, true) => ("a file beside the journal is damaged", "every record was read"),
        (false, false) => ("the journal is damaged", else_said),
    };
    output::note(&format!("{note}{what}, see `bongsu ledger verify`; {said}"));
}

fn read(place: &Place, look: &Look) -> Result<Offline, Failure> {
    read_all(place, look, None)
}

fn read_all(place: &Place, look: &Look, archive: Option<&Path>) -> Result<Offline, Failure> {
    let mut progress = Progress::new("records read");
    read_steps(place, &place.config()?, look, archive, &mut |step| {
        progress.at(step.number());
        Ok(())
    })
}

/// Reads the journal, and before it what was put away of it, of which no segment may be lost;
/// `visit` is given each record, and its error ends the reading.
fn read_steps(
    place: &Place,
    config: &Config,
    look: &Look,
    archive: Option<&Path>,
    visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
) -> Result<Offline, Failure> {
    let disk = disk(&place.layout(), &place.layout().journal(&RoleName::Hub))?;
    match archive {
        Some(archive) => read_disk(place, config, look, archive::whole(disk, archive)?, visit),
        None => read_disk(place, config, look, disk, visit),
    }
}

/// The same of what has been opened.
fn read_disk(
    place: &Place,
    config: &Config,
    look: &Look,
    disk: impl Disk,
    visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
) -> Result<Offline, Failure> {
    let journal = place.layout().journal(&RoleName::Hub);
    let offline = Offline::read_steps(config, disk, look.is_running(), visit);
    if offline.as_ref().map_or(true, |offline| !offline.report().ok) {
        look.still_holds(place)?;
    }
    offline.map_err(|error| {
        Failure::new("journal", error.to_string())
            .at(journal.display().to_string())
            .todo("use the release that wrote it, or restore the directory from a backup")
    })
}

fn disk(layout: &Layout, journal: &Path) -> Result<FileDisk, Failure> {
    let place = journal.display().to_string();
    // Opening would make the directory, and a look must leave nothing behind.
    let there = journal.try_exists().map_err(|error| Failure::unreadable(&*place, &error))?;
    if !there {
        let dir = layout.dir().display();
        return Err(Failure::new("no_ledger", "no hub has ever run in this directory")
            .at(place)
            .todo(format!("start one with `bongsu up --dir {dir}`, or name another --dir")));
    }
    FileDisk::open(journal).map_err(|error| Failure::unreadable(place, &error))
}

/// Our own shapes always are JSON.
fn shape(value: serde_json::Result<Value>) -> Result<Value, Failure> {
    value.map_err(|error| Failure::new("internal", error.to_string()))
}

fn date(text: &str) -> Result<BusinessDate, String> {
    let parsed: Option<jiff::civil::Date> = text.parse().ok();
    let civil = parsed.and_then(|date| {
        Some(CivilDateTime {
            year: u16::try_from(date.year()).ok().filter(|year| (1970..2149).contains(year))?,
            month: u8::try_from(date.month()).ok()?,
            day: u8::try_from(date.day()).ok()?,
            hour: 0,
            minute: 0,
            second: 0,
        })
    });
    civil.map(BusinessDate::of).ok_or_else(|| "a date is YYYY-MM-DD, as in 2026-11-22".to_owned())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn table(list: &Value, keys: &[&str], right: &[usize]) -> String {
    let head = keys.iter().map(|key| key.replace('_', " ")).collect();
    let row = |value: &Value| keys.iter().map(|key| cell(&value[*key])).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(head).chain(list.as_array().into_iter().flatten().map(row)).collect();
    output::columns(&rows, right)
}

fn damage(report: &VerifyReport) -> Value {
    let one = |damage: &DamageView| {
        json!({
            "check": damage.check.name(),
            "file": damage.file,
            "from_record": damage.from_record,
            "to_record": damage.to_record,
            "what": damage.what,
        })
    };
    report.damage.iter().map(one).collect()
}
