//! Data on standard output, as text or JSON; everything else on standard error.
//!
//! Whoever closes the pipe has seen enough: that is no failure. Colours only where a person looks
//! at a terminal and `NO_COLOR` is not set.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Instant;

use clap::ValueEnum;
use serde_json::Value;

use crate::error::{Exit, Failure};
use crate::limits::{PROGRESS_AFTER, PROGRESS_EVERY};

/// How data is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For scripts: one JSON document.
    Json,
}

/// `--format`, for a command whose data is text by nature.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FormatArg {
    /// How to print data
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Writes bytes to standard output.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new("unwritable", format!("standard output can't be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes text and a line end to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    raw(format!("{text}\n").as_bytes())
}

/// Writes a JSON document to standard output: indented on a terminal, else on one line.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    if io::stdout().is_terminal() { text(&format!("{value:#}")) } else { text(&value.to_string()) }
}

/// Writes a line to standard error.
pub(crate) fn note(line: &str) {
    // Nobody to tell if standard error is gone.
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Reports a failure and says how to end.
pub(crate) fn failure(failure: &Failure, format: Format) -> Exit {
    note(&failure.text());
    match format {
        Format::Text => {}
        Format::Json => {
            if let Err(unwritable) = json(&failure.json()) {
                note(&unwritable.text());
                return Exit::Failed;
            }
        }
    }
    failure.exit
}

/// What is done so far, on standard error: from two seconds on, once a second for a person, every
/// ten seconds for a log.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    next: Instant,
    is_line: bool,
}

impl Progress {
    /// Of something that is counted in these words.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, next: Instant::now() + PROGRESS_AFTER, is_line: false }
    }

    /// So much is done.
    pub(crate) fn at(&mut self, count: u64) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let mut err = io::stderr().lock();
        // Nobody to tell if standard error is gone.
        if err.is_terminal() {
            self.next = now + PROGRESS_EVERY;
            self.is_line = true;
            drop(write!(err, "\r{count} {}", self.what).and_then(|()| err.flush()));
        } else {
            self.next = now + PROGRESS_EVERY * 10;
            drop(writeln!(err, "{count} {}", self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_line {
            note("");
        }
    }
}

/// What a word is worth a colour for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paint {
    /// Green.
    Good,
    /// Red.
    Bad,
}

/// The text, coloured if standard output is for eyes.
pub(crate) fn paint(paint: Paint, text: &str) -> String {
    if !is_coloured() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Good => 32,
        Paint::Bad => 31,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

fn is_coloured() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// Columns of text: as wide as their widest cell, two spaces between, nothing after the last.
pub(crate) fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|at| width(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            if right.contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
