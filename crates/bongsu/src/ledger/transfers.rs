//! `bongsu ledger transfers` and `ledger export`: every transfer that the journal implies, one at a
//! time. What is kept in memory is what a hub keeps, however long the journal is.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use host::Config;
use host::offline::{Offline, TransferView, account_id};
use scheme::BusinessDate;
use serde_json::{Value, json};

use super::{damage, date, is_running, read_steps};
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
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// Write every transfer of the ledger, for auditors and other programs
///
/// CSV as RFC 4180 has it, or JSON as `ledger transfers` prints it. Read from the journal: beside
/// a running hub up to what it has published as durable. Ends with 1 if the journal is damaged;
/// a file is written as a whole or not at all.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger export --file transfers.csv
  bongsu ledger export --format json --from 2026-11-22 --to 2026-11-22 > day.json")]
pub(super) struct Export {
    #[command(flatten)]
    days: Days,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// How to write them
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
}

/// Which business dates.
#[derive(Clone, Copy, Debug, Args)]
struct Days {
    /// The first business date, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<BusinessDate>,
    /// The last business date, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Option<BusinessDate>,
}

impl Days {
    /// What came before the first business date is older than any day.
    fn hold(self, day: Option<BusinessDate>) -> bool {
        self.from.is_none_or(|from| day.is_some_and(|day| day >= from))
            && self.to.is_none_or(|to| day.is_none_or(|day| day <= to))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// One line for each, under a line of names
    Csv,
    /// One document
    Json,
}

/// How one list is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Csv,
    Json,
}

/// Names of the columns, and the keys in JSON.
const KEYS: [&str; 13] = [
    "id",
    "payment",
    "leg",
    "debit",
    "credit",
    "amount",
    "currency",
    "state",
    "hold",
    "at",
    "business_date",
    "cycle",
    "record",
];

impl Transfers {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let config = self.place.config()?;
        let account = match &self.account {
            Some(text) => Some((text.as_str(), named(text, &config)?)),
            None => None,
        };
        let shape = match self.format.format {
            Format::Text => Shape::Text,
            Format::Json => Shape::Json,
        };
        let out = std::io::stdout().lock();
        let list = List::new(BufWriter::new(out), shape);
        list.write(&self.place, &config, account, self.days).map(|(exit, _)| exit)
    }
}

impl Export {
    /// CSV has no place for a failure, so it is for people.
    pub(super) fn format(&self) -> Format {
        match self.format {
            Form::Csv => Format::Text,
            Form::Json => Format::Json,
        }
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let config = self.place.config()?;
        let shape = match self.format {
            Form::Csv => Shape::Csv,
            Form::Json => Shape::Json,
        };
        let (exit, count) = match &self.file {
            Some(path) => {
                let written = to_file(path, |out| {
                    List::new(out, shape).write(&self.place, &config, None, self.days)
                });
                written.map_err(|failure| match failure.place {
                    Some(_) => failure,
                    None => failure.at(path.display().to_string()),
                })?
            }
            None => {
                let out = BufWriter::new(std::io::stdout().lock());
                List::new(out, shape).write(&self.place, &config, None, self.days)?
            }
        };
        output::note(&format!("{count} transfers"));
        Ok(exit)
    }
}

/// Writes a file beside its place and puts it there when it is whole.
fn to_file<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<std::fs::File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let unwritable = |error: std::io::Error| {
        unwritable(&error)
            .at(path.display().to_string())
            .todo("name a file in a directory that is there and may be written")
    };
    let mut out = BufWriter::new(std::fs::File::create(&beside).map_err(unwritable)?);
    let done = write(&mut out).and_then(|value| {
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(unwritable)?;
        std::fs::rename(&beside, path).map_err(unwritable)?;
        Ok(value)
    });
    if done.is_err() {
        // What is left of it helps nobody, and the failure is told.
        drop(std::fs::remove_file(&beside));
    }
    done
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::new("unwritable", format!("it can't be written: {error}"))
}

fn named(text: &str, config: &Config) -> Result<u128, Failure> {
    let station = |name: &str| config.station_named(name).map(|station| station.id);
    account_id(text, config.currency, station).ok_or_else(|| {
        Failure::new("unknown_account", format!("{text} is no account"))
            .at("--account")
            .todo("as `bongsu ledger accounts` has them: KIND:OWNER, position:100001, or an id")
    })
}

/// A list that is being written.
struct List<W> {
    out: W,
    shape: Shape,
    count: u64,
    /// Whether whoever read it has seen enough.
    is_left: bool,
}

impl<W: Write> List<W> {
    fn new(out: W, shape: Shape) -> Self {
        Self { out, shape, count: 0, is_left: false }
    }

    /// Writes all that fit; returns how to end, and how many.
    fn write(
        mut self,
        place: &Place,
        config: &Config,
        account: Option<(&str, u128)>,
        days: Days,
    ) -> Result<(Exit, u64), Failure> {
        let mut failed = None;
        let mut progress = Progress::new("records read");
        let read = read_steps(place, config, is_running(place)?, &mut |step| {
            progress.at(step.number());
            for transfer in step.transfers() {
                let touches = |id| transfer.debit_id == id || transfer.credit_id == id;
                if account.is_some_and(|(_, id)| !touches(id)) || !days.hold(transfer.business_date)
                {
                    continue;
                }
                if let Err(error) = self.row(&transfer) {
                    failed = Some(error);
                    return Err("stopped".to_owned());
                }
            }
            Ok(())
        });
        drop(progress);
        if let Some(error) = failed {
            self.left(&error)?;
            return Ok((Exit::Fine, self.count));
        }
        match read {
            Ok(offline) => self.end(&offline, account),
            // What has been written can't be taken back: the list says itself that it is cut.
            Err(failure) if self.count > 0 && self.shape == Shape::Json => {
                output::note(&failure.text());
                let error = failure.json()["error"].clone();
                self.tail(&json!({ "complete": false, "error": error }))?;
                Ok((failure.exit, self.count))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whoever closes the pipe has seen enough: that is no failure.
    fn left(&mut self, error: &std::io::Error) -> Result<(), Failure> {
        self.is_left = true;
        if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(unwritable(error)) }
    }

    fn row(&mut self, transfer: &TransferView) -> std::io::Result<()> {
        if self.count == 0 {
            self.head()?;
        }
        let first = self.count == 0;
        self.count += 1;
        let values = values(transfer);
        match self.shape {
            Shape::Text => {
                let TransferView { record, at, leg, state, amount, debit, credit, id, .. } =
                    transfer;
                writeln!(
                    self.out,
                    "{record:>9}  {at}  {leg:<9} {state:<7} {amount:>16}  {debit} -> {credit}  {id}"
                )
            }
            Shape::Csv => {
                let cells: Vec<String> = values.iter().map(csv).collect();
                write!(self.out, "{}\r\n", cells.join(","))
            }
            Shape::Json => {
                let pairs = KEYS.iter().map(|key| (*key).to_owned()).zip(values);
                let one = Value::Object(pairs.collect());
                write!(self.out, "{}{one}", if first { "\n" } else { ",\n" })
            }
        }
    }

    fn head(&mut self) -> std::io::Result<()> {
        match self.shape {
            Shape::Text => Ok(()),
            Shape::Csv => write!(self.out, "{}\r\n", KEYS.join(",")),
            Shape::Json => self.out.write_all(b"{\"transfers\":["),
        }
    }

    fn end(
        mut self,
        offline: &Offline,
        account: Option<(&str, u128)>,
    ) -> Result<(Exit, u64), Failure> {
        let known = |id: u128| {
            let id = format!("{id:032x}");
            offline.accounts().iter().any(|known| known.id == id)
        };
        let report = offline.report();
        if let Some((text, id)) = account.filter(|_| self.count == 0 && report.ok)
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
        let mut tail = json!({ "records": report.records, "complete": report.ok });
        if !report.ok {
            output::note("the journal is damaged, see `bongsu ledger verify`; what holds is here");
            tail["damage"] = damage(report);
        }
        self.tail(&tail)?;
        Ok((if report.ok { Exit::Fine } else { Exit::No }, self.count))
    }

    /// Closes the document with these keys.
    fn tail(&mut self, tail: &Value) -> Result<(), Failure> {
        if self.is_left {
            return Ok(());
        }
        let tail = tail.to_string();
        let tail = tail.strip_prefix('{').unwrap_or_default();
        let ended = match self.shape {
            Shape::Text | Shape::Csv => Ok(()),
            Shape::Json => writeln!(self.out, "],{tail}"),
        };
        match ended.and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            Err(error) => self.left(&error),
        }
    }
}

/// In the order of [`KEYS`].
fn values(transfer: &TransferView) -> [Value; 13] {
    let TransferView {
        id,
        payment,
        leg,
        debit,
        credit,
        amount,
        amount_minor: _,
        currency,
        state,
        hold,
        at,
        business_date,
        cycle,
        record,
        debit_id: _,
        credit_id: _,
    } = transfer;
    [
        id.as_str().into(),
        payment.as_deref().into(),
        (*leg).into(),
        debit.as_str().into(),
        credit.as_str().into(),
        amount.as_str().into(),
        currency.as_str().into(),
        (*state).into(),
        hold.as_deref().into(),
        at.to_string().into(),
        business_date.map(|day| day.to_string()).into(),
        (*cycle).into(),
        (*record).into(),
    ]
}

/// A cell as RFC 4180 has it.
fn csv(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
