//! The command line about itself: completions for shells, pages for `man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu completions bash > bongsu.bash")]
pub(crate) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bongsu", &mut script);
        output::raw(&script)?;
        Ok(Exit::Fine)
    }
}

/// Write a man page for every command
///
/// Prints the name of each file that it wrote; files of the same names are replaced.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Directory to write them to; it must be there
    dir: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

impl Man {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut written = Vec::new();
        self.write(&command, &mut written)?;
        match self.format.format {
            Format::Json => {
                let files: Vec<Value> = written.into_iter().map(Value::String).collect();
                output::json(&json!({ "files": files }))?;
            }
            Format::Text => output::text(&written.join("\n"))?,
        }
        Ok(Exit::Fine)
    }

    /// The page of a command, then those of its parts.
    fn write(&self, command: &clap::Command, written: &mut Vec<String>) -> Result<(), Failure> {
        // A built command knows its whole name, `bongsu ledger payment`.
        let name = command.get_bin_name().unwrap_or("bongsu").replace(' ', "-");
        let path = self.dir.join(format!("{name}.1"));
        let mut page = Vec::new();
        let of = clap_mangen::Man::new(command.clone()).title(name.to_uppercase());
        let made = of.render(&mut page).and_then(|()| std::fs::write(&path, page));
        made.map_err(|error| {
            Failure::new("unwritable", format!("the page can't be written: {error}"))
                .at(path.display().to_string())
                .todo("name a directory that is there and may be written")
        })?;
        written.push(path.display().to_string());
        // What is hidden is a process of another command.
        let mut shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        shown.try_for_each(|sub| self.write(sub, written))
    }
}
