//! `bongsu ledger transfers` and `ledger export`: every transfer that the journal implies, one at a
//! time. What is kept in memory is what a hub keeps, however long the journal is.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use host::Config;
use host::offline::{Offline, Step, TransferView, account_id};
use host::table::{
    Cell, Column, FINDINGS, PAYMENTS, Parquet, TRANSFERS, csv_line, finding_row, payment_row,
    transfer_row,
};
use scheme::BusinessDate;
use serde_json::{Value, json};

use super::file::{to_file, unwritable};
use super::look::Look;
use super::{damage, date, note_damage, read_steps};
use crate::error::{Exit, Failure};
use crate::nation::Place;
use crate::output::{self, Format, FormatArg, Progress};

/// List the transfers of an account
///
/// Read from the journal: beside a running hub up to what it has published as durable. A payment
/// is a hold (pending) and its post (posted) or void (voided); what the engine refused moved
/// nothing and is not listed. Ends with 1 if the journal is damaged.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger transfers --account position:100001
  bongsu ledger transfers --account position:100001 --from 2026-11-22 --format json")]
pub(super) struct Transfers {
    /// The account: its name, as in position:100001, or its id; without it, all of them
    #[arg(long, value_name = "ID|NAME")]
    account: Option<String>,
    #[command(flatten)]
    days: Days,
    /// Where older segments were put away: begin with what is in it
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// Write every transfer, payment or finding, for auditors and other programs
///
/// CSV as RFC 4180 has it, Apache Parquet, or JSON as `ledger transfers` prints it. A payment is a
/// row for each record that answered or changed it, as it stood then: the last one is how it
/// stands. Read from the journal: beside a running hub up to what it has published as durable.
/// Ends with 1 if the journal is damaged. A file is written as a whole or not at all, also one that
/// a link leads to; a pipe or a device is written to as it is, everything else is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger export --file transfers.csv
  bongsu ledger export --table payments --file payments.parquet
  bongsu ledger export --table findings
  bongsu ledger export --format json --from 2026-11-22 --to 2026-11-22 > day.json")]
pub(super) struct Export {
    /// What is written
    #[arg(long, value_enum, default_value_t = What::Transfers)]
    table: What,
    #[command(flatten)]
    days: Days,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where older segments were put away: begin with what is in it
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// How to write them; without it, as the file's name ends (.csv, .json, .parquet), else csv
    #[arg(long, value_enum)]
    format: Option<Form>,
}

/// Which business dates.
#[derive(Clone, Copy, Debug, Args)]
struct Days {
    /// The first business date, YYYY-MM-DD; without it, from the beginning
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<BusinessDate>,
    /// The last business date, YYYY-MM-DD, which is listed too; without it, up to now
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Option<BusinessDate>,
}

impl Days {
    /// A last date before the first holds nothing, which nobody means.
    fn in_order(self) -> Result<Self, Failure> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to < from => {
                let what = format!("{to} is before {from}, the first business date");
                let remedy = "write the earlier date after --from, the later after --to";
                Err(Failure::new("usage", what).at("--to").todo(remedy))
            }
            _ => Ok(self),
        }
    }

    /// What no business date has begun for is of no day.
    fn hold(self, day: Option<BusinessDate>) -> bool {
        self.from.is_none_or(|from| day.is_some_and(|day| day >= from))
            && self.to.is_none_or(|to| day.is_some_and(|day| day <= to))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// One line for each, under a line of names
    Csv,
    /// One document
    Json,
    /// Apache Parquet, uncompressed
    Parquet,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    /// Every transfer
    Transfers,
    /// Every payment, as each record left it
    Payments,
    /// Every finding
    Findings,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Payments => "payments",
            Self::Findings => "findings",
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Transfers => TRANSFERS,
            Self::Payments => PAYMENTS,
            Self::Findings => FINDINGS,
        }
    }
}

/// How one list is written.
enum Shape {
    Text,
    Csv,
    Json,
    Parquet(Box<Parquet>),
}

impl Transfers {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let days = self.days.in_order()?;
        let config = self.place.config()?;
        let account = match &self.account {
            Some(text) => Some((text.as_str(), named(text, &config)?)),
            None => None,
        };
        let shape = match self.format.format {
            Format::Text => Shape::Text,
            Format::Json => Shape::Json,
        };
        let wanted = Wanted { table: What::Transfers, account, days };
        let out = BufWriter::new(std::io::stdout().lock());
        let archive = self.archive.as_deref();
        List::new(out, shape, wanted).write(&self.place, &config, archive).map(|(exit, _)| exit)
    }
}

impl Export {
    fn form(&self) -> Form {
        self.format.or(self.by_name()).unwrap_or(Form::Csv)
    }

    /// What the file's name says, if it says anything that is known.
    fn by_name(&self) -> Option<Form> {
        let ending = self.file.as_ref()?.extension()?.to_str()?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Form::Csv),
            "json" => Some(Form::Json),
            "parquet" => Some(Form::Parquet),
            _ => None,
        }
    }

    /// A name that says something else than what is written.
    fn misnamed(&self) -> Option<String> {
        let ending = self.file.as_ref()?.extension()?.display();
        let is_said = self.format.is_some() || self.by_name().is_some();
        (!is_said).then(|| format!("note: .{ending} is not known: CSV is written; see --format"))
    }

    /// CSV has no place for a failure, so it is for people.
    pub(super) fn format(&self) -> Format {
        match self.form() {
            Form::Csv | Form::Parquet => Format::Text,
            Form::Json => Format::Json,
        }
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let days = self.days.in_order()?;
        let config = self.place.config()?;
        if let Some(note) = self.misnamed() {
            output::note(&note);
        }
        let table = self.table;
        let wanted = Wanted { table, account: None, days };
        let shape = match self.form() {
            Form::Csv => Shape::Csv,
            Form::Json => Shape::Json,
            Form::Parquet => {
                let exponent = config.currency.exponent();
                Shape::Parquet(Box::new(Parquet::new(table.columns(), exponent)))
            }
        };
        let archive = self.archive.as_deref();
        let (exit, count) = match &self.file {
            Some(path) => {
                let written = to_file(path, |out| {
                    List::new(out, shape, wanted).write(&self.place, &config, archive)
                });
                written.map_err(|failure| match failure.place {
                    Some(_) => failure,
                    None => failure.at(path.display().to_string()),
                })?
            }
            None => {
                let out = BufWriter::new(std::io::stdout().lock());
                List::new(out, shape, wanted).write(&self.place, &config, archive)?
            }
        };
        let rows = if table == What::Payments { "rows of payments" } else { table.name() };
        output::note(&format!("{count} {rows}"));
        Ok(exit)
    }
}

fn named(text: &str, config: &Config) -> Result<u128, Failure> {
    let station = |name: &str| config.station_named(name).map(|station| station.id);
    account_id(text, &config.name, config.currency, station).ok_or_else(|| {
        Failure::new("unknown_account", format!("{text} is no account")).at("--account").todo(
            "name kind and owner as `bongsu ledger accounts` has them, as in position:100001 \
                 (the nation's own is settlement), or an id",
        )
    })
}

/// Which rows are written.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    table: What,
    account: Option<(&'a str, u128)>,
    days: Days,
}

/// A list that is being written.
struct List<'a, W> {
    out: W,
    shape: Shape,
    wanted: Wanted<'a>,
    count: u64,
    /// Whether whoever read it has seen enough.
    is_left: bool,
}

impl<'a, W: Write> List<'a, W> {
    fn new(out: W, shape: Shape, wanted: Wanted<'a>) -> Self {
        Self { out, shape, wanted, count: 0, is_left: false }
    }

    /// Writes all that fit; returns how to end, and how many.
    fn write(
        mut self,
        place: &Place,
        config: &Config,
        archive: Option<&Path>,
    ) -> Result<(Exit, u64), Failure> {
        let mut failed = None;
        let mut progress = Progress::new("records read");
        let read = read_steps(place, config, &Look::at(place)?, archive, &mut |step| {
            progress.at(step.number());
            self.step(step).map_err(|error| {
                failed = Some(error);
                "stopped".to_owned()
            })
        });
        drop(progress);
        if let Some(error) = failed {
            self.left(&error)?;
            return Ok((Exit::Fine, self.count));
        }
        match read {
            Ok(offline) => self.end(&offline),
            // What has been written can't be taken back: the list says itself that it is cut.
            Err(failure) if self.count > 0 && matches!(self.shape, Shape::Json) => {
                output::note(&failure.text());
                let error = failure.json()["error"].clone();
                self.tail(&json!({ "complete": false, "error": error }))?;
                Ok((failure.exit, self.count))
            }
            Err(failure) => Err(failure),
        }
    }

    /// What a record has moved or changed.
    fn step(&mut self, step: &Step<'_>) -> std::io::Result<()> {
        let Wanted { table, account, days } = self.wanted;
        match table {
            What::Payments => {
                let payment = step.payment();
                match payment.filter(|row| days.hold(Some(row.business_date))) {
                    Some(row) => self.row(&payment_row(&row), None),
                    None => Ok(()),
                }
            }
            What::Findings => {
                match step.finding().filter(|row| days.hold(Some(row.business_date))) {
                    Some(row) => self.row(&finding_row(&row), None),
                    None => Ok(()),
                }
            }
            What::Transfers => {
                for transfer in step.transfers() {
                    let touches = |id| transfer.debit_id == id || transfer.credit_id == id;
                    let is_wanted = account.is_none_or(|(_, id)| touches(id));
                    if is_wanted && days.hold(transfer.business_date) {
                        self.row(&transfer_row(&transfer), Some(&transfer))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Whoever closes the pipe has seen enough: that is no failure.
    fn left(&mut self, error: &std::io::Error) -> Result<(), Failure> {
        self.is_left = true;
        if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(unwritable(error)) }
    }

    fn row(&mut self, row: &[Cell<'_>], transfer: Option<&TransferView>) -> std::io::Result<()> {
        if self.count == 0 {
            self.head()?;
        }
        let first = self.count == 0;
        self.count += 1;
        let columns = self.wanted.table.columns();
        match (&mut self.shape, transfer) {
            (Shape::Text, Some(transfer)) => {
                let TransferView { record, at, leg, state, debit, credit, id, .. } = transfer;
                let amount = transfer.currency.format(signed(transfer.amount));
                writeln!(
                    self.out,
                    "{record:>9}  {at}  {leg:<9} {state:<7} {amount:>16}  {debit} -> {credit}  {id}"
                )
            }
            (Shape::Text, None) => Ok(()),
            (Shape::Csv, _) => self.out.write_all(csv_line(columns, Some(row)).as_bytes()),
            (Shape::Json, _) => {
                let names = columns.iter().map(|column| column.name.to_owned());
                let one = Value::Object(names.zip(row.iter().map(value)).collect());
                write!(self.out, "{}{one}", if first { "\n" } else { ",\n" })
            }
            (Shape::Parquet(parquet), _) => {
                parquet.row(row);
                self.out.write_all(&parquet.take())
            }
        }
    }

    fn head(&mut self) -> std::io::Result<()> {
        let table = self.wanted.table;
        match self.shape {
            Shape::Text | Shape::Parquet(_) => Ok(()),
            Shape::Csv => self.out.write_all(csv_line(table.columns(), None).as_bytes()),
            Shape::Json => write!(self.out, "{{\"{}\":[", table.name()),
        }
    }

    fn end(mut self, offline: &Offline) -> Result<(Exit, u64), Failure> {
        let account = self.wanted.account;
        let known = |id: u128| {
            let id = format!("{id:032x}");
            offline.accounts().iter().any(|known| known.id == id)
        };
        let report = offline.report();
        if let Some((text, id)) = account.filter(|_| self.count == 0 && report.is_complete())
            && !known(id)
        {
            return Err(Failure::new("unknown_account", format!("there is no account {text}"))
                .at("--account")
                .todo("`bongsu ledger accounts` has all of them"));
        }
        if self.count == 0
            && let Err(error) = self.head()
        {
            self.left(&error)?;
        }
        let mut tail = json!({
            "records": report.records,
            "first_record": report.first_record,
            "complete": report.is_complete(),
        });
        if report.first_record > 1 {
            output::note(&format!(
                "records before {} were put away; --archive DIR begins with them",
                report.first_record
            ));
        }
        let is_complete = report.is_complete();
        note_damage(report, "", "what holds is here");
        if !is_complete {
            tail["damage"] = damage(report);
        }
        self.tail(&tail)?;
        Ok((if is_complete { Exit::Fine } else { Exit::No }, self.count))
    }

    /// Closes the document with these keys.
    fn tail(&mut self, tail: &Value) -> Result<(), Failure> {
        if self.is_left {
            return Ok(());
        }
        let tail = tail.to_string();
        let tail = tail.strip_prefix('{').unwrap_or_default();
        let shape = std::mem::replace(&mut self.shape, Shape::Text);
        let ended = match shape {
            Shape::Text | Shape::Csv => Ok(()),
            Shape::Json => writeln!(self.out, "],{tail}"),
            Shape::Parquet(parquet) => self.out.write_all(&parquet.finish()),
        };
        match ended.and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            Err(error) => self.left(&error),
        }
    }
}

fn signed(minor: u128) -> i128 {
    i128::try_from(minor).unwrap_or(i128::MAX)
}

fn value(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Number(number) => (*number).into(),
        Cell::Flag(flag) => (*flag).into(),
        Cell::Text(_) | Cell::Amount(..) | Cell::Time(_) | Cell::Date(_) => cell.text().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: [u16; 3] = [99, 100, 101];

    fn held(from: Option<u16>, to: Option<u16>) -> (Vec<u16>, bool) {
        let days = Days { from: from.map(BusinessDate), to: to.map(BusinessDate) };
        let days = days.in_order().unwrap();
        let holds = |day: &u16| days.hold(Some(BusinessDate(*day)));
        (DAYS.into_iter().filter(holds).collect(), days.hold(None))
    }

    /// Both dates are named: first and last. What has none is of no day.
    #[test]
    fn both_dates_are_listed() {
        assert_eq!(held(None, None), (vec![99, 100, 101], true));
        assert_eq!(held(Some(100), None), (vec![100, 101], false));
        assert_eq!(held(None, Some(100)), (vec![99, 100], false));
        assert_eq!(held(Some(100), Some(100)), (vec![100], false));
        assert_eq!(held(Some(99), Some(100)), (vec![99, 100], false));
        assert_eq!(held(Some(102), None), (vec![], false));
        assert_eq!(held(None, Some(98)), (vec![], false));
    }

    #[test]
    fn dates_the_wrong_way_round_are_refused() {
        let days = Days { from: Some(BusinessDate(101)), to: Some(BusinessDate(100)) };
        let failure = days.in_order().unwrap_err();
        assert_eq!((failure.kind, failure.exit), ("usage", Exit::Failed));
        assert_eq!(failure.place.as_deref(), Some("--to"));
    }
}
