//! `bongsu dialect`, and how other commands name one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wire::iso8583::{Dialect, DialectError};

use crate::error::{Exit, Failure};
use crate::input;
use crate::output::{self, Format, FormatArg};

/// What the retailer and bank wire speaks unless configured otherwise.
pub(crate) const DEFAULT: &str = "iso87-ascii";

/// Dialects of ISO 8583: how messages are written
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Example:
  bongsu dialect list"
)]
pub(crate) struct DialectCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Check(Check),
}

/// List the dialects that are built in
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu dialect list")]
struct List {
    #[command(flatten)]
    format: FormatArg,
}

/// Check a dialect file: all that is wrong with it, each with its line
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu dialect check dialects/iso87-ascii.toml")]
struct Check {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

impl DialectCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Action::List(list) => list.format.format,
            Action::Check(check) => check.format.format,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::List(arguments) => list(arguments.format.format),
            Action::Check(arguments) => check(&arguments.file, arguments.format.format),
        }
    }
}

fn list(format: Format) -> Result<Exit, Failure> {
    let built_in = builtin();
    match format {
        Format::Json => {
            let list = built_in.iter().map(|d| json!({"name": d.name(), "title": d.title()}));
            output::json(&json!({ "dialects": list.collect::<Vec<Value>>() }))?;
        }
        Format::Text => {
            let row = |d: &&Dialect| vec![d.name().to_owned(), d.title().to_owned()];
            output::text(&output::columns(&built_in.iter().map(row).collect::<Vec<_>>(), &[]))?;
        }
    }
    Ok(Exit::Fine)
}

fn check(file: &Path, format: Format) -> Result<Exit, Failure> {
    let source = input::text_file(file)?;
    let place = file.display();
    match Dialect::parse(&source) {
        Ok(dialect) => {
            match format {
                Format::Json => output::json(&json!({
                    "ok": true, "name": dialect.name(), "title": dialect.title(), "problems": [],
                }))?,
                Format::Text => {
                    output::text(&format!("{place}: {} is fine", dialect.name()))?;
                }
            }
            Ok(Exit::Fine)
        }
        Err(error) => {
            match format {
                Format::Json => {
                    output::json(&json!({ "ok": false, "problems": problems(file, &error) }))?;
                }
                Format::Text => output::text(&listed(file, &error))?,
            }
            Ok(Exit::No)
        }
    }
}

fn problems(file: &Path, error: &DialectError) -> Vec<Value> {
    let problem = |p: &wire::iso8583::Problem| {
        json!({
            "where": format!("{}:{}:{}", file.display(), p.line, p.column),
            "message": p.what,
        })
    };
    error.problems.iter().map(problem).collect()
}

fn listed(file: &Path, error: &DialectError) -> String {
    let line = |p: &wire::iso8583::Problem| {
        format!("{}:{}:{}: {}", file.display(), p.line, p.column, p.what)
    };
    error.problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `--dialect` of a command that can recognise.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Dialect, by name or as a file; by default the first built-in one that fits
    #[arg(long, value_name = "NAME|FILE")]
    dialect: Option<String>,
}

impl Choice {
    /// The named one, or all that are built in, in the order of recognition.
    pub(crate) fn dialects(&self) -> Result<Dialects, Failure> {
        match &self.dialect {
            Some(name) => named(name),
            None => Ok(Dialects::BuiltIn(builtin())),
        }
    }
}

/// Dialects to try, in order.
pub(crate) enum Dialects {
    /// Of the program.
    BuiltIn(Vec<&'static Dialect>),
    /// Of a file.
    Own(Box<Dialect>),
}

impl Dialects {
    /// Never empty.
    pub(crate) fn list(&self) -> Vec<&Dialect> {
        match self {
            Self::BuiltIn(list) => list.clone(),
            Self::Own(dialect) => vec![dialect],
        }
    }
}

/// A dialect by its name, or a file of one: whatever has a `/` or ends with `.toml`.
pub(crate) fn named(name: &str) -> Result<Dialects, Failure> {
    let path = Path::new(name);
    if !name.contains('/') && path.extension().is_none_or(|extension| extension != "toml") {
        return Ok(Dialects::BuiltIn(vec![builtin_named(name)?]));
    }
    let dialect = Dialect::parse(&input::text_file(path)?).map_err(|error| {
        Failure::new("bad_dialect", format!("it is no dialect\n{}", listed(path, &error)))
            .at(name)
            .todo("put right what `bongsu dialect check` lists")
    })?;
    Ok(Dialects::Own(Box::new(dialect)))
}

fn builtin_named(name: &str) -> Result<&'static Dialect, Failure> {
    Dialect::builtin(name).ok_or_else(|| {
        Failure::new("unknown_dialect", format!("there is no dialect {name}"))
            .at("dialect")
            .todo(format!("one of {}, or a file", Dialect::builtin_names().join(", ")))
    })
}

fn builtin() -> Vec<&'static Dialect> {
    Dialect::builtin_names().iter().filter_map(|name| Dialect::builtin(name)).collect()
}
