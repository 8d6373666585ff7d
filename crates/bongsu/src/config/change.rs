//! `bongsu config diff` and `config apply`: the business part of a file and the journal's truth.

use std::path::{Path, PathBuf};

use clap::Args;
use host::Config;
use node::RoleName;
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::nation::{Place, escaped};
use crate::output::{self, Format, FormatArg};
use crate::{input, ledger};

/// Say where a file's business part differs from what the journal holds
///
/// Participants, caps, stations, terminals, routes, hot cards and the largest payment: after the
/// first start the journal is the truth for them. Asks the running hub; without one, reads its
/// files. Ends with 1 if there is a difference.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu config diff nation.toml")]
pub(super) struct Diff {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// Make the running hub's journal hold a file's business part
///
/// Journals the change and its author, whole or not at all, and answers when it is durable. A cap
/// falls only by what is not in use; a participant, the currency and the numbers of stations stay.
/// Ends with 1, and changes nothing, if something stands in the way. Stations and simulated
/// banks and shops take their own part from the file at their next start.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu config apply nation.toml --author Kim")]
pub(super) struct Apply {
    /// The file
    file: PathBuf,
    /// Who changes it, for the journal
    #[arg(long, value_name = "NAME")]
    author: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// A file that has been checked whole.
fn checked(file: &Path) -> Result<(String, Config), Failure> {
    let name = file.display().to_string();
    let text = input::text_file(file)?;
    let config = Config::parse(&text, &name).map_err(|errors| {
        Failure::new("config", errors.to_string()).at(name).todo("put right what is listed")
    })?;
    Ok((text, config))
}

impl Diff {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let (text, config) = checked(&self.file)?;
        let told = self.place.tell(&RoleName::Hub, "/api/v1/config/diff", text.as_bytes())?;
        let (difference, refused) = match told {
            Some(told) => (told["difference"].clone(), told["refused"].clone()),
            None => (ledger::offline(&self.place)?.difference(&config).into(), json!([])),
        };
        let is_same = lines(&difference).is_empty();
        match self.format.format {
            Format::Json => output::json(&json!({
                "same": is_same, "difference": difference, "refused": refused,
            }))?,
            Format::Text if is_same => {}
            Format::Text => {
                output::text(&lines(&difference).join("\n"))?;
                for line in lines(&refused) {
                    output::note(&format!("can't be applied: {line}"));
                }
            }
        }
        Ok(if is_same { Exit::Fine } else { Exit::No })
    }
}

impl Apply {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let (text, _) = checked(&self.file)?;
        let path = format!("/api/v1/config/apply?author={}", escaped(&self.author));
        let told = self.place.tell(&RoleName::Hub, &path, text.as_bytes())?.ok_or_else(|| {
            Failure::new("not_running", "no hub runs here, and only a running hub takes a change")
                .at(self.place.layout().socket(&RoleName::Hub).display().to_string())
                .todo("start it with `bongsu up`, or name the nation's directory with --dir")
        })?;
        let records = told["records"].as_u64().unwrap_or(0);
        let refused = lines(&told["refused"]);
        match self.format.format {
            Format::Json => output::json(&json!({
                "applied": records > 0,
                "author": self.author,
                "records": records,
                "difference": told["difference"],
                "refused": told["refused"],
            }))?,
            Format::Text => output::text(&self.page(&told, records))?,
        }
        if !refused.is_empty() {
            return Ok(Exit::No);
        }
        self.remind(&text)?;
        Ok(Exit::Fine)
    }

    fn page(&self, told: &Value, records: u64) -> String {
        let (difference, refused) = (lines(&told["difference"]), lines(&told["refused"]));
        if !refused.is_empty() {
            return format!("nothing was changed\n{}", refused.join("\n"));
        }
        if records == 0 {
            return "the journal holds all of it already; nothing was changed".to_owned();
        }
        format!("{}\nby {}: {records} records", difference.join("\n"), self.author)
    }

    /// The next start reads the nation's own file.
    fn remind(&self, text: &str) -> Result<(), Failure> {
        let own = self.place.layout().config();
        if input::text_file(&own)? != text {
            output::note(&format!(
                "note: {} is another file still: start with --config {} the next time",
                own.display(),
                self.file.display()
            ));
        }
        Ok(())
    }
}

fn lines(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
