//! The one list of chores: `cargo xtask tidy`, `cargo xtask test`, `cargo xtask fuzz`.
//!
//! `tidy` holds what a compiler can't say: the dependency table of ARCHITECTURE.md, purity, sizes,
//! headers, licences, doors. `test` runs everything that must pass before a change goes in, and
//! ends with one line of counts. `fuzz` looks for inputs that break something. Each exits 0 (fine),
//! 1 (the answer is no), 2 (could not run).
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore's answer goes to the terminal"
)]

mod clients;
mod fuzz;
mod hostile;
mod matrix;
mod nation;
mod pages;
mod shell;
mod suite;
mod tables;
mod tidy;
mod tigerbeetle;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Chores of this workspace.

usage: cargo xtask <chore>

  tidy            dependency rules, purity, sizes, headers, licences, named pages
  test            build, fmt, clippy, tidy, cargo test, then foreign clients and a
                  browser against real nations, and the ledger against a real TigerBeetle
  pages           screenshots of a nation's pages in Chromium, and what must stand on them; takes
                  the release build
  test --quick    fmt, tidy and cargo test only
  fuzz [TARGET] [--seconds N]
                  every target of fuzz/, or one, under libFuzzer; 60 s each
  crash-matrix    every power cut and every error of the disk in 2,000 payments; some minutes
  tigerbeetle     a real TigerBeetle server, and what its client is built with; some minutes, once
  differential [--transfers N] [--from SEED] [--seed SEED]
                  a million random transfers through TigerBeetle and every engine of the ledger;
                  one seed alone, if a failure named it
  hostile         hostile peers against a real nation, at full size; some minutes

example: cargo xtask test --quick
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy_chore(root()),
        ["pages"] => suite::pages_alone(root()),
        ["test"] => suite::run(root(), suite::Extent::Full),
        ["test", "--quick"] => suite::run(root(), suite::Extent::Quick),
        ["crash-matrix"] => matrix::run(root()),
        ["tigerbeetle"] => tigerbeetle::run(root()),
        ["differential", rest @ ..] => tigerbeetle::differential(root(), rest),
        ["hostile"] => hostile::run(root()),
        ["fuzz", rest @ ..] => fuzz::run(root(), rest),
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("xtask: no such chore: {}\n\n{USAGE}", words.join(" "));
            ExitCode::from(2)
        }
    }
}

fn tidy_chore(root: &Path) -> ExitCode {
    match tidy::run(root) {
        Ok(violations) if violations.is_empty() => {
            println!("tidy: nothing to do");
            ExitCode::SUCCESS
        }
        Ok(violations) => {
            for violation in &violations {
                println!("{violation}");
            }
            println!("tidy: {} to do", violations.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("tidy: {why}");
            ExitCode::from(2)
        }
    }
}

/// The workspace: the directory above this crate.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
