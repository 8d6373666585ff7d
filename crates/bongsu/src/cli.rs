//! The list of commands, and how the program starts and ends.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::error::{Exit, Failure};
use crate::output::{self, Format};
use crate::{backup, bench, config, dialect, init, ledger, message, pages, pay, roles, sim};

/// A national retail-payment switch: the whole nation, its roles, and tools for people who run it
#[derive(Debug, Parser)]
#[command(name = "bongsu", version = VERSION, arg_required_else_help = true, after_help = EXAMPLE)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The release and, built in its repository, the commit.
const VERSION: &str = env!("BONGSU_VERSION");
const EXAMPLE: &str = "\
Example:
  bongsu up
  bongsu pay --pan 9408020000000015 --amount 12.50

Exit: 0 fine, 1 the answer is \"no\", 2 it could not run.";

#[derive(Debug, Subcommand)]
enum Command {
    Up(roles::Up),
    Init(init::Init),
    Pay(Box<pay::Pay>),
    Ledger(ledger::LedgerCommand),
    Config(config::ConfigCommand),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Message(message::MessageCommand),
    Dialect(dialect::DialectCommand),
    Sim(sim::Sim),
    Bench(bench::BenchCommand),
    Hub(roles::HubCommand),
    Station(roles::StationCommand),
    Bank(roles::BankCommand),
    Shops(roles::ShopsCommand),
    Completions(pages::Completions),
    Man(pages::Man),
}

impl Command {
    fn format(&self) -> Format {
        match self {
            Self::Pay(pay) => pay.format(),
            Self::Message(message) => message.format(),
            Self::Dialect(dialect) => dialect.format(),
            Self::Ledger(ledger) => ledger.format(),
            Self::Config(config) => config.format(),
            Self::Backup(backup) => backup.format(),
            Self::Restore(restore) => restore.format(),
            Self::Bank(bank) => bank.format(),
            Self::Sim(sim) => sim.format(),
            Self::Bench(bench) => bench.format(),
            Self::Init(init) => init.format(),
            Self::Man(man) => man.format(),
            Self::Up(up) => up.format(),
            Self::Hub(hub) => hub.format(),
            Self::Station(station) => station.format(),
            Self::Shops(shops) => shops.format(),
            Self::Completions(_) => Format::Text,
        }
    }

    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Pay(pay) => pay.run(),
            Self::Message(message) => message.run(),
            Self::Dialect(dialect) => dialect.run(),
            Self::Ledger(ledger) => ledger.run(),
            Self::Config(config) => config.run(),
            Self::Backup(backup) => backup.run(),
            Self::Restore(restore) => restore.run(),
            Self::Up(up) => up.run(),
            Self::Init(init) => init.run(),
            Self::Sim(sim) => sim.run(),
            Self::Bench(bench) => bench.run(),
            Self::Hub(hub) => hub.run(),
            Self::Station(station) => station.run(),
            Self::Bank(bank) => bank.run(),
            Self::Shops(shops) => shops.run(),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}

/// Runs the program; the first argument is its name.
pub(crate) fn run(arguments: Vec<OsString>) -> Exit {
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let format = cli.command.format();
            cli.command.run().unwrap_or_else(|failure| output::failure(&failure, format))
        }
        Err(error) => misused(&error, &arguments),
    }
}

/// Help is data; anything else that stops the parser is a failure.
fn misused(error: &clap::Error, arguments: &[OsString]) -> Exit {
    // A closed pipe is the reader's choice.
    let printed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match printed {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::Failed,
            Ok(()) | Err(_) => Exit::Fine,
        },
        _ => {
            if asks_for_json(arguments) {
                let failure = Failure::new("usage", sentence(&error.render().to_string()))
                    .at("command line")
                    .todo("run the command with --help; it ends with an example");
                // The words are on standard error already.
                drop(output::json(&failure.json()));
            }
            Exit::Failed
        }
    }
}

/// The parser's first paragraph on one line: `what is wrong: NAME, NAME`.
fn sentence(rendered: &str) -> String {
    let mut lines = rendered.lines().map(str::trim).take_while(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let names: Vec<&str> = lines.collect();
    match first.trim_end_matches(':') {
        what if names.is_empty() => what.to_owned(),
        what => format!("{what}: {}", names.join(", ")),
    }
}

/// What the parser can't say of a command line that it refused.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let joined = arguments.iter().any(|argument| argument == "--format=json");
    joined || arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn after_help(command: &clap::Command) -> String {
        command.get_after_help().map(ToString::to_string).unwrap_or_default()
    }

    fn check_help(command: &clap::Command, path: &str, checked: &mut usize) {
        let help = after_help(command);
        assert!(command.get_about().is_some(), "{path}: no line on what it does");
        // A bank's number stands between its words.
        let words = path.replace("bank book", "bank 100002 book");
        assert!(help.contains(&format!("Example:\n  {words}")), "{path}: no example\n{help}");
        *checked += 1;
        for sub in command.get_subcommands() {
            check_help(sub, &format!("{path} {}", sub.get_name()), checked);
        }
    }

    #[test]
    fn every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        let mut checked = 0;
        for sub in command.get_subcommands() {
            check_help(sub, &format!("bongsu {}", sub.get_name()), &mut checked);
        }
        assert!(checked > 20, "{checked}");
    }

    /// Commands that do something themselves, by the words that call them.
    fn leaves(command: &clap::Command, path: &str, out: &mut Vec<String>) {
        if !command.is_subcommand_required_set() && !command.is_arg_required_else_help_set() {
            out.push(path.to_owned());
        }
        // What is hidden is a process of another command.
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            leaves(sub, format!("{path} {}", sub.get_name()).trim_start(), out);
        }
    }

    /// Of `docs/manual/commands.md`: a row or an example for each command.
    #[test]
    fn the_manual_has_every_command() {
        const PAGE: &str = include_str!("../../../docs/manual/commands.md");
        let command = Cli::command();
        let mut paths = Vec::new();
        command.get_subcommands().for_each(|sub| leaves(sub, sub.get_name(), &mut paths));
        assert!(paths.len() > 15, "{paths:?}");
        for path in paths {
            let path = path.replace("bank book", "bank ID book");
            let shown = [format!("| `{path}"), format!("\nbongsu {path} ")];
            assert!(shown.iter().any(|words| PAGE.contains(words)), "no `{path}` in commands.md");
        }
    }

    #[test]
    fn examples_parse() {
        fn examples(command: &clap::Command, out: &mut Vec<String>) {
            let help = after_help(command);
            let lines = help.lines().skip_while(|line| *line != "Example:").skip(1);
            out.extend(lines.take_while(|line| line.starts_with("  bongsu")).map(str::to_owned));
            command.get_subcommands().for_each(|sub| examples(sub, out));
        }
        let mut lines = Vec::new();
        examples(&Cli::command(), &mut lines);
        for line in lines {
            let command = line.split('|').next().unwrap_or_default();
            let command = command.split(" <").next().unwrap_or_default();
            let command = command.split(" >").next().unwrap_or_default();
            let words = command.split_whitespace().map(|word| word.trim_matches('\''));
            Cli::try_parse_from(words).map_err(|error| format!("{line}: {error}")).unwrap();
        }
    }
}
