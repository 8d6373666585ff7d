//! `bongsu config`: a configuration file, checked, held against the journal and applied to it; a
//! key of it, explained.

mod change;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use host::Config;
use host::config::known::{self, Absent, Key, SectionInfo, Shape};
use host::config::{ConfigError, ConfigErrors};
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::input;
use crate::output::{self, Format, FormatArg};

/// Check, explain, compare and apply the nation's configuration
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Example:
  bongsu config check nation.toml"
)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(Check),
    Explain(Explain),
    Diff(change::Diff),
    Apply(change::Apply),
}

/// Check a configuration file: all that is wrong with it, each with its line
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu config check examples/four-stations/nation.toml")]
struct Check {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

/// Say what a key or section means, in which unit, and what holds without it
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu config explain participant.cap
  bongsu config explain participant")]
struct Explain {
    /// SECTION.KEY, or SECTION for all of its keys
    key: String,
    #[command(flatten)]
    format: FormatArg,
}

impl ConfigCommand {
    pub(crate) fn format(&self) -> Format {
        match &self.action {
            Action::Check(check) => check.format.format,
            Action::Explain(explain) => explain.format.format,
            Action::Diff(diff) => diff.format(),
            Action::Apply(apply) => apply.format(),
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(arguments) => check(&arguments.file, arguments.format.format),
            Action::Explain(arguments) => explain(&arguments.key, arguments.format.format),
            Action::Diff(arguments) => arguments.run(),
            Action::Apply(arguments) => arguments.run(),
        }
    }
}

fn check(file: &Path, format: Format) -> Result<Exit, Failure> {
    let name = file.display().to_string();
    match Config::parse(&input::text_file(file)?, &name) {
        Ok(config) => {
            let counts = [
                ("stations", config.stations.len()),
                ("participants", config.participants.len()),
                ("terminals", config.terminals.len()),
            ];
            match format {
                Format::Json => {
                    let mut fine = json!({ "ok": true, "name": config.name, "errors": [] });
                    for (what, count) in counts {
                        fine[what] = count.into();
                    }
                    output::json(&fine)?;
                }
                Format::Text => {
                    let counts = counts.map(|(what, count)| format!("{count} {what}")).join(", ");
                    output::text(&format!("{name}: {} is fine: {counts}", config.name))?;
                }
            }
            Ok(Exit::Fine)
        }
        Err(errors) => {
            match format {
                Format::Json => output::json(&listed(&errors))?,
                Format::Text => output::text(&errors.to_string())?,
            }
            Ok(Exit::No)
        }
    }
}

fn listed(errors: &ConfigErrors) -> Value {
    let error = |error: &ConfigError| {
        json!({
            "where": format!("{}:{}:{}", errors.file, error.line, error.column),
            "key": error.key,
            "message": error.what,
            "do": error.fix,
        })
    };
    json!({
        "ok": false,
        "errors": errors.errors.iter().map(error).collect::<Vec<_>>(),
        "unlisted": errors.unlisted,
    })
}

fn explain(name: &str, format: Format) -> Result<Exit, Failure> {
    let (section, keys): (Option<&SectionInfo>, Vec<&Key>) =
        match (known::explain(name), known::section(name)) {
            (Some(key), _) => (None, vec![key]),
            (None, Some(section)) => (Some(section), known::keys_of(section.name).collect()),
            (None, None) => return Err(unknown(name)),
        };
    match format {
        Format::Json => output::json(&json!({
            "section": section.map(|section| json!({
                "name": section.name, "meaning": section.meaning,
            })),
            "keys": keys.iter().map(|key| document(key)).collect::<Vec<_>>(),
        }))?,
        Format::Text => {
            let head = section.iter().map(|section| heading(section));
            let page: Vec<String> = head.chain(keys.iter().map(|key| words(key))).collect();
            output::text(&page.join("\n\n"))?;
        }
    }
    Ok(Exit::Fine)
}

fn unknown(name: &str) -> Failure {
    let sections = known::SECTIONS.iter();
    let keys = sections.clone().flat_map(|section| known::keys_of(section.name));
    let mut names: Vec<String> = keys.map(|key| format!("{}.{}", key.section, key.name)).collect();
    names.extend(sections.map(|section| section.name.to_owned()));
    let of_section = |full: &&String| full.split_once('.').is_some_and(|(_, key)| key == name);
    let homes: Vec<&str> = names.iter().filter(of_section).map(String::as_str).collect();
    let remedy = match known::nearest(name, names.iter().map(String::as_str)) {
        _ if !homes.is_empty() => format!("is {} meant?", homes.join(", or ")),
        Some(nearest) => format!("is {nearest} meant?"),
        None => "`bongsu config explain SECTION` lists the keys of a section".to_owned(),
    };
    Failure::new("unknown_key", format!("there is no key or section {name}")).at("KEY").todo(remedy)
}

fn heading(section: &SectionInfo) -> String {
    let name = section.name;
    match section.shape {
        Shape::Once => format!("[{name}] {}", section.meaning),
        Shape::Many => format!("[[{name}]] {}", section.meaning),
        Shape::Reserved => format!("[{name}] {}; kept for a later release", section.meaning),
    }
}

fn words(key: &Key) -> String {
    let absent = match key.absent {
        Absent::Required(example) => format!("must be there, as in {} = {example}", key.name),
        Absent::Value(value) => format!("without it: {} = {value}", key.name),
        Absent::Says(words) => format!("without it: {words}"),
    };
    let Key { section, name, meaning, unit, since, .. } = key;
    format!("{section}.{name}\n  {meaning}\n  {unit}\n  {absent}\n  since {since}")
}

fn document(key: &Key) -> Value {
    let (required, value, says) = match key.absent {
        Absent::Required(example) => (true, Some(example), None),
        Absent::Value(value) => (false, Some(value), None),
        Absent::Says(words) => (false, None, Some(words)),
    };
    json!({
        "key": format!("{}.{}", key.section, key.name),
        "meaning": key.meaning,
        "unit": key.unit,
        "required": required,
        "default": value.filter(|_| !required),
        "example": value.filter(|_| required),
        "without": says,
        "since": key.since,
    })
}
