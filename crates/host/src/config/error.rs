//! What is wrong with a configuration file: all of it at once, each with its place, its key, and
//! what to do.

use std::fmt;

use super::card_number;
use super::limits::{ERRORS_MAX, SHOWN_CHARS_MAX};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The key as `bongsu config explain` takes it, `section.key`; empty when the file as a whole
    /// is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// All that is wrong with a file, in its order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file, as it was named.
    pub file: String,
    /// At most [`ERRORS_MAX`].
    pub errors: Vec<ConfigError>,
    /// How many more there are.
    pub unlisted: usize,
}

impl fmt::Display for ConfigErrors {
    /// One line each: `nation.toml:12:7: participant.cap: what is wrong; what to do`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            let ConfigError { line, column, key, what, fix } = error;
            write!(f, "{line_end}{}:{line}:{column}: ", self.file)?;
            if !key.is_empty() {
                write!(f, "{key}: ")?;
            }
            write!(f, "{what}; {fix}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n{}: {} more errors", self.file, self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects errors by byte offset while a file is read.
#[derive(Debug)]
pub(super) struct Errors<'s> {
    source: &'s str,
    found: Vec<(usize, String, String, String)>,
}

impl<'s> Errors<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        at: usize,
        key: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.found.push((at, key.into(), what.into(), fix.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        place(self.source, at).0
    }

    /// In the order of the file. A card number that somebody wrote into it is not repeated.
    pub(super) fn within(mut self, file: &str) -> ConfigErrors {
        self.found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let unlisted = self.found.len().saturating_sub(ERRORS_MAX);
        self.found.truncate(ERRORS_MAX);
        let source = self.source;
        let errors = self.found.into_iter().map(|(at, key, what, fix)| {
            let (line, column) = place(source, at);
            let [key, what, fix] = [key, what, fix].map(|text| shown(&text));
            ConfigError { line, column, key, what, fix }
        });
        ConfigErrors { file: file.to_owned(), errors: errors.collect(), unlisted }
    }
}

/// As people may see it on their terminals: no card number, no control character, not too long.
fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let masked = card_number::mask(text);
    if masked.chars().count() <= SHOWN_CHARS_MAX {
        return masked.chars().map(plain).collect();
    }
    let head = masked.chars().take(SHOWN_CHARS_MAX).map(plain);
    head.chain(std::iter::once('\u{2026}')).collect()
}

fn place(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
