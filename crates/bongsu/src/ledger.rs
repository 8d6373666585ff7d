//! `bongsu ledger`: the hub's ledger, asked of the running hub or read from its files.

mod archive;
mod file;
mod look;
mod transfers;
mod verify;

use std::path::Path;

use clap::{Args, Subcommand};
use host::Config;
use host::offline::{DamageView, Offline, Step, VerifyReport};
use host::view::PaymentFilter;
use node::disk::FileDisk;
use node::json::{AccountsJson, PaymentsJson};
use node::{Layout, RoleName};
use scheme::{BusinessDate, CivilDateTime, TerminalId};
use serde_json::{Value, json};

use self::look::{Look, steadily};
use crate::error::{Exit, Failure};
use crate::limits::PAYMENTS_MAX;
use crate::nation::{Place, escaped};
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
    Payment(Payment),
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

/// Find a payment, by its RRN or by trace number and terminal
///
/// Prints all that fit of the last 50 hours, newest first, and ends with 0 for one, 1 for none, 2
/// for several: an RRN is unique only within an acquirer. Refusals 03, 12, 30, 58, 94 and 96 are
/// only counted, so they are never found. Of a damaged journal, or where the hub can't read its
/// history, one ends with 1, none with 2.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger payment 6326PY00005T
  bongsu ledger payment --stan 12 --terminal PYO00001 --date 2026-11-22")]
struct Payment {
    /// Retrieval reference number (DE37), as the receipt has it
    #[arg(required_unless_present = "stan", conflicts_with = "stan")]
    rrn: Option<String>,
    /// Trace number (DE11)
    #[arg(long, requires = "terminal", value_parser = clap::value_parser!(u32).range(..=999_999))]
    stan: Option<u32>,
    /// Terminal (DE41)
    #[arg(long)]
    terminal: Option<String>,
    /// Business date, YYYY-MM-DD
    #[arg(long, value_parser = date)]
    date: Option<BusinessDate>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

impl LedgerCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Action::Accounts(accounts) => accounts.format.format,
            Action::Payment(payment) => payment.format.format,
            Action::Transfers(transfers) => transfers.format(),
            Action::Verify(verify) => verify.format(),
            Action::Export(export) => export.format(),
            Action::Archive(archive) => archive.format(),
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Accounts(arguments) => accounts(&arguments),
            Action::Payment(arguments) => payment(&arguments),
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

fn payment(arguments: &Payment) -> Result<Exit, Failure> {
    let Payment { rrn, stan, terminal, date, place, .. } = arguments;
    let mut query = vec![format!("limit={PAYMENTS_MAX}")];
    query.extend(rrn.iter().map(|rrn| format!("rrn={}", escaped(rrn))));
    query.extend(stan.iter().map(|stan| format!("stan={stan}")));
    query.extend(terminal.iter().map(|terminal| format!("terminal={}", escaped(terminal))));
    query.extend(date.iter().map(|date| format!("date={date}")));
    let path = format!("/api/v1/payments?{}", query.join("&"));
    let (list, damage) = match place.ask(&RoleName::Hub, &path)? {
        Some(first) => (whole(&pages(place, &path, first)?), None),
        None => {
            let terminal = terminal.as_ref().map(|name| TerminalId::new(name.as_bytes()));
            let filter = PaymentFilter {
                rrn: rrn.clone(),
                stan: *stan,
                terminal: terminal.transpose().map_err(Failure::unfit("--terminal"))?,
                date: *date,
                limit: PAYMENTS_MAX,
                ..PaymentFilter::default()
            };
            let offline = offline(place)?;
            let payments = offline.payments(&filter).into_iter().map(Into::into).collect();
            let list =
                shape(serde_json::to_value(PaymentsJson { payments, next: None, complete: true }))?;
            let list = whole(&list);
            incomplete(list, offline.report())
        }
    };
    let payments = list["payments"].as_array().map_or(&[][..], Vec::as_slice);
    let is_cut = damage.is_some() || list["complete"] == false;
    let unclear = unclear(arguments, payments, damage, is_cut);
    if let Some(failure) = &unclear {
        output::note(&failure.text());
    }
    match arguments.format.format {
        Format::Json => {
            let mut list = list.clone();
            if let Some(failure) = &unclear {
                list["error"] = failure.json()["error"].take();
            }
            output::json(&list)?;
        }
        Format::Text if payments.is_empty() => {}
        Format::Text => {
            let pages: Vec<String> = payments.iter().map(details).collect();
            output::text(&pages.join("\n\n"))?;
        }
    }
    Ok(match (payments.len(), is_cut) {
        (0, false) => {
            output::note(
                "no payment fits; refusals 03, 12, 30, 58, 94 and 96 are only counted, not \
                 recorded (R-RECORD)",
            );
            Exit::No
        }
        (0, true) => Exit::Failed,
        (1, false) => Exit::Fine,
        // What became of it, or another one, may stand in the part that can't be read.
        (1, true) => Exit::No,
        (_, _) => Exit::Failed,
    })
}

/// What the pages after the first hold too: the hub looks through a part of its payments at a time.
fn pages(place: &Place, path: &str, mut list: Value) -> Result<Value, Failure> {
    let mut payments = list["payments"].as_array().cloned().unwrap_or_default();
    let mut complete = list["complete"] != false;
    while payments.len() < PAYMENTS_MAX
        && let Some(next) = list["next"].as_str()
    {
        let page = place.ask(&RoleName::Hub, &format!("{path}&cursor={next}"))?;
        let page = page.ok_or_else(|| {
            Failure::new("lost", "the hub ended before the whole list was read").todo("ask again")
        })?;
        payments.extend(page["payments"].as_array().into_iter().flatten().cloned());
        complete &= page["complete"] != false;
        list = page;
    }
    payments.truncate(PAYMENTS_MAX);
    Ok(json!({ "payments": payments, "complete": complete }))
}

/// Why what was found is no answer, if it is none.
fn unclear(asked: &Payment, found: &[Value], damage: Option<u64>, is_cut: bool) -> Option<Failure> {
    match (found, damage) {
        ([], Some(record)) => {
            let what = format!(
                "not found in the readable part: the journal is damaged at record {record}"
            );
            let remedy =
                "see `bongsu ledger verify`; ask again in a directory restored of a backup";
            Some(Failure::new("damaged", what).at(asked.named()).todo(remedy))
        }
        ([] | [_], None) if is_cut => {
            let what = "the hub could not read its history: older payments may be missing";
            let remedy = "ask again; if it stays so, see `history_unreadable` in the hub's log";
            Some(Failure::new("incomplete", what).at(asked.named()).todo(remedy))
        }
        ([] | [_], _) => None,
        _ => {
            let what = format!("{} payments fit", found.len());
            Some(Failure::new("several", what).at(asked.named()).todo(asked.narrower(found)))
        }
    }
}

impl Payment {
    /// What was asked for.
    fn named(&self) -> String {
        let stan = self.stan.map(|stan| format!("--stan {stan}"));
        self.rrn.clone().or(stan).unwrap_or_default()
    }

    /// What tells these apart.
    fn narrower(&self, found: &[Value]) -> String {
        let differs = |key: &str| found.iter().any(|payment| payment[key] != found[0][key]);
        let mut names = Vec::new();
        if self.terminal.is_none() && differs("terminal") {
            names.push("--terminal TERMINAL");
        }
        if self.date.is_none() && differs("business_date") {
            names.push("--date DATE");
        }
        if self.stan.is_none() && differs("stan") {
            names.push("--stan STAN --terminal TERMINAL instead of the RRN");
        }
        if names.is_empty() {
            return "all are listed; their kind, time and id tell them apart".to_owned();
        }
        format!("name {}; all are listed", names.join(", or "))
    }
}

/// A list of payments that needs no word on where it goes on; only one that is not all there is
/// says so.
fn whole(list: &Value) -> Value {
    let mut whole = json!({ "payments": list["payments"] });
    if list["complete"] == false {
        whole["complete"] = false.into();
    }
    whole
}

/// What a damaged journal's list says of itself, and the first damaged record.
fn incomplete(mut list: Value, report: &VerifyReport) -> (Value, Option<u64>) {
    if report.is_complete() {
        return (list, None);
    }
    list["complete"] = false.into();
    list["damage"] = damage(report);
    let first = report.damage.iter().map(|damage| damage.from_record).min();
    (list, Some(report.stops_before.or(first).unwrap_or(0)))
}

/// The hub's files, no hub answering.
pub(crate) fn offline(place: &Place) -> Result<Offline, Failure> {
    let offline = steadily(|| read(place, &Look::at(place)?))?;
    note_damage(offline.report(), "note: ", "this can still be read");
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
    let mut progress = Progress::new("records read");
    read_steps(place, &place.config()?, look, None, &mut |step| {
        progress.at(step.number());
        Ok(())
    })
}

/// Reads the journal, and before it what was put away of it; `visit` is given each record, and its
/// error ends the reading.
fn read_steps(
    place: &Place,
    config: &Config,
    look: &Look,
    archive: Option<&Path>,
    visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
) -> Result<Offline, Failure> {
    let journal = place.layout().journal(&RoleName::Hub);
    let disk = disk(&place.layout(), &journal)?;
    let offline = match archive {
        Some(archive) => {
            let disk = archive::layered(disk, archive)?;
            Offline::read_steps(config, disk, look.is_running(), visit)
        }
        None => Offline::read_steps(config, disk, look.is_running(), visit),
    };
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

/// Every key of a payment and its value.
fn details(payment: &Value) -> String {
    let row = |(key, value): (&String, &Value)| vec![key.replace('_', " "), cell(value)];
    let rows: Vec<Vec<String>> = payment.as_object().into_iter().flatten().map(row).collect();
    output::columns(&rows, &[])
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
