//! `cargo xtask test`: everything that must pass before a change goes in.
//!
//! Sections run in order, each with its time; a failed one does not stop the others. The last line
//! is `N passed, N failed, N skipped`: tests of `cargo test`, one for each chore, one for each
//! check of a foreign client. Only what `MAY_SKIP` names may be skipped; any other skip fails.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::clients::{self, CLIENTS, Obstacle, Place};
use crate::nation::Nation;
use crate::{pages, shell, tables, tidy, tigerbeetle};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    /// Without clippy and the foreign clients.
    Quick,
}

/// What a machine may lack: the clients' tools or the registry that they come from, a browser, what
/// TigerBeetle is built with.
const MAY_SKIP: &[&str] = &["pyiso8583", "npm-iso_8583", "jpos", "duckdb", "pages", "tigerbeetle"];

/// What `--quick` leaves out.
const QUICK_SKIPS: &[&str] =
    &["build", "clippy", "pyiso8583", "npm-iso_8583", "jpos", "duckdb", "pages", "tigerbeetle"];

/// Tests that may be `#[ignore]`d, by the name that `cargo test` prints.
///
/// `write_fixture` makes the fixture of a journal format, once per version and by hand.
const MAY_IGNORE: &[&str] = &["write_fixture", "fixture::write_fixture"];

#[derive(Default)]
struct Tally {
    passed: usize,
    failures: Vec<String>,
    skipped: usize,
    skips: Vec<String>,
    /// Failures that have no line of their own.
    unnamed_failures: usize,
}

impl Tally {
    fn pass(&mut self, count: usize) {
        self.passed += count;
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    fn note(&mut self, what: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.pass(1),
            Err(why) => self.fail(format!("{what}: {why}")),
        }
    }

    /// Skips `count` checks of `what`, if that is listed.
    fn skip(&mut self, listed: &[&str], what: &str, count: usize, why: &str) {
        if listed.contains(&what) {
            self.skipped += count;
            self.skips.push(format!("{what}: {why}"));
        } else {
            self.fail(format!("{what} was skipped, and is not on the list: {why}"));
        }
    }

    fn failed(&self) -> usize {
        self.failures.len() + self.unnamed_failures
    }

    fn last_line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed(), self.skipped)
    }
}

pub(crate) fn run(root: &Path, extent: Extent) -> ExitCode {
    let mut tally = Tally::default();
    let start = Instant::now();
    match extent {
        Extent::Full => {
            build(root, &mut tally);
            chore("fmt", &mut tally, || fmt(root));
            chore("clippy", &mut tally, || clippy(root));
        }
        Extent::Quick => {
            for what in QUICK_SKIPS {
                let count = match *what {
                    "pages" => pages::CHECKS.len(),
                    "tigerbeetle" => 1,
                    "duckdb" => tables::CHECKS.len(),
                    what if MAY_SKIP.contains(&what) => clients::CHECKS.len(),
                    _ => 1,
                };
                tally.skip(QUICK_SKIPS, what, count, "--quick");
            }
            chore("fmt", &mut tally, || fmt(root));
        }
    }
    chore("tidy", &mut tally, || tidy_chore(root));
    section("cargo test", &mut tally, |tally| cargo_test(root, tally));
    if extent == Extent::Full {
        section("foreign clients", &mut tally, |tally| foreign_clients(root, tally));
        section("pages", &mut tally, |tally| browse(root, tally));
        section("tigerbeetle", &mut tally, |tally| against_tigerbeetle(root, tally));
    }

    finish(&tally, start)
}

/// The pages alone, of the release build that there is.
pub(crate) fn pages_alone(root: &Path) -> ExitCode {
    let mut tally = Tally::default();
    let start = Instant::now();
    section("pages", &mut tally, |tally| browse(root, tally));
    finish(&tally, start)
}

fn finish(tally: &Tally, start: Instant) -> ExitCode {
    println!("\n== all in {:.1} s", start.elapsed().as_secs_f64());
    for skip in &tally.skips {
        println!("skipped {skip}");
    }
    for failure in &tally.failures {
        println!("FAILED {failure}");
    }
    println!("{}", tally.last_line());
    if tally.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn section(name: &str, tally: &mut Tally, run: impl FnOnce(&mut Tally)) {
    println!("\n== {name}");
    let start = Instant::now();
    let before = tally.failed();
    run(tally);
    let word = if tally.failed() == before { "ok" } else { "FAILED" };
    println!("-- {name}: {word} in {:.1} s", start.elapsed().as_secs_f64());
}

fn chore(name: &str, tally: &mut Tally, run: impl FnOnce() -> Result<(), String>) {
    section(name, tally, |tally| tally.note(name, run()));
}

/// The seconds of a build from nothing are a figure that we watch.
fn build(root: &Path, tally: &mut Tally) {
    let cold = shell::target(root).is_ok_and(|target| !target.join("release/bongsu").exists());
    let name = if cold { "build (cold)" } else { "build (warm)" };
    chore(name, tally, || {
        shell::run(shell::cargo(root).args(["build", "--release", "--workspace"]))
    });
}

fn fmt(root: &Path) -> Result<(), String> {
    shell::run(shell::cargo(root).args(["fmt", "--all", "--check"]))
}

fn clippy(root: &Path) -> Result<(), String> {
    shell::run(shell::cargo(root).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--release",
        "--",
        "-D",
        "warnings",
    ]))
}

fn tidy_chore(root: &Path) -> Result<(), String> {
    let found = tidy::run(root)?;
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() { Ok(()) } else { Err(format!("{} to do", found.len())) }
}

/// What the lines of `cargo test` say.
#[derive(Default, PartialEq, Eq, Debug)]
struct Results {
    passed: usize,
    failed: usize,
    ignored: usize,
    failed_names: Vec<String>,
    ignored_names: BTreeSet<String>,
}

impl Results {
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.ignored += count(counts, "ignored");
        } else if let Some((name, end)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        {
            if end.starts_with("FAILED") {
                self.failed_names.push(name.to_string());
            } else if end.starts_with("ignored") {
                self.ignored_names.insert(name.to_string());
            }
        }
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; ...`.
fn count(counts: &str, word: &str) -> usize {
    let mut words = counts.split([' ', ';', '.']).filter(|w| !w.is_empty());
    let mut before = "";
    words
        .find_map(|w| {
            let found = (w == word).then(|| before.parse().ok()).flatten();
            before = w;
            found
        })
        .unwrap_or(0)
}

fn cargo_test(root: &Path, tally: &mut Tally) {
    let mut command = shell::cargo(root);
    command
        .args(["test", "--release", "--workspace", "--no-fail-fast"])
        // Plain `cargo test` kills each victim three times, the suite twenty times.
        .env("BONGSU_CRASH_ROUNDS", "20")
        // Plain `cargo test`, without optimisation, tries 10,000 random and mutated frames.
        .env("BONGSU_MUTATIONS", "1000000");
    run_tests("cargo test", command, tally);
}

/// Runs a `cargo test` and takes what it says.
fn run_tests(name: &str, command: Command, tally: &mut Tally) {
    match results_of(command) {
        Ok((results, ended_well)) => take(tally, results, ended_well, MAY_IGNORE),
        Err(why) => tally.fail(format!("{name}: {why}")),
    }
}

fn results_of(mut command: Command) -> Result<(Results, bool), String> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| why.to_string())?;
    let mut results = Results::default();
    let stdout = child.stdout.take().ok_or("no output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|why| why.to_string())?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        results.read(line.trim_end());
    }
    let status = child.wait().map_err(|why| why.to_string())?;
    Ok((results, status.success()))
}

fn take(tally: &mut Tally, results: Results, ended_well: bool, may_ignore: &[&str]) {
    tally.pass(results.passed);
    tally.unnamed_failures += results.failed.saturating_sub(results.failed_names.len());
    if !ended_well && results.failed == 0 {
        tally.fail("cargo test: a test did not build, or died");
    }
    for name in results.failed_names {
        tally.fail(name);
    }
    let mut ignored = results.ignored;
    for name in &results.ignored_names {
        let times = 1.min(ignored);
        ignored -= times;
        tally.skip(may_ignore, name, times, "#[ignore]");
    }
    // Tests of one name in two crates: the listed name stands for both.
    tally.skipped += ignored;
}

fn foreign_clients(root: &Path, tally: &mut Tally) {
    let target = match shell::target(root) {
        Ok(target) => target,
        Err(why) => return tally.fail(why),
    };
    let place = Place { sources: root.join("clients"), installed: target.join("clients") };
    let mut ready = Vec::new();
    for client in CLIENTS {
        match client.prepare(&place) {
            Ok(()) => ready.push(client),
            Err(Obstacle::Missing(why)) => {
                tally.skip(MAY_SKIP, client.name, clients::CHECKS.len(), &why);
            }
            Err(Obstacle::Wrong(why)) => tally.fail(format!("{}: {why}", client.name)),
        }
    }
    let directory = place.installed.join(format!("nation-{}", std::process::id()));
    let nation = match Nation::start(&target.join("release/bongsu"), &directory) {
        Ok(nation) => nation,
        Err(why) => {
            println!("{why}");
            let first = why.lines().next().unwrap_or("bongsu up failed");
            for client in ready {
                for check in clients::CHECKS {
                    tally.fail(format!("{} {check}: {first}", client.name));
                }
            }
            return tally.fail(format!("nation: {first}"));
        }
    };
    let before = tally.failed();
    for client in ready {
        for (check, why) in client.run(&place, &nation.terminals()) {
            match why {
                None => println!("ok {} {check}", client.name),
                Some(ref why) => println!("FAIL {} {check}: {why}", client.name),
            }
            tally.note(&format!("{} {check}", client.name), why.map_or(Ok(()), Err));
        }
    }
    tally.note("nation stops on SIGINT", nation.stop());
    exported(&place, &target.join("release/bongsu"), &directory, tally);
    if tally.failed() > before {
        println!("the nation's directory is kept: {}", directory.display());
    } else if let Err(why) = std::fs::remove_dir_all(&directory) {
        println!("{}: {why}", directory.display());
    }
}

/// What the clients have done, as tables that another program reads.
fn exported(place: &Place, binary: &Path, nation: &Path, tally: &mut Tally) {
    match tables::prepare(place) {
        Ok(()) => {}
        Err(Obstacle::Missing(why)) => {
            return tally.skip(MAY_SKIP, "duckdb", tables::CHECKS.len(), &why);
        }
        Err(Obstacle::Wrong(why)) => return tally.fail(format!("duckdb: {why}")),
    }
    for (check, why) in tables::read(place, binary, nation) {
        match why {
            None => println!("ok duckdb {check}"),
            Some(ref why) => println!("FAIL duckdb {check}: {why}"),
        }
        tally.note(&format!("duckdb {check}"), why.map_or(Ok(()), Err));
    }
}

/// A nation's pages in a browser.
fn browse(root: &Path, tally: &mut Tally) {
    if let Err(why) = pages::prepare() {
        return tally.skip(MAY_SKIP, "pages", pages::CHECKS.len(), &why);
    }
    let target = match shell::target(root) {
        Ok(target) => target,
        Err(why) => return tally.fail(why),
    };
    let binary = std::env::var_os("BONGSU_BINARY").map(PathBuf::from);
    let binary = binary.unwrap_or_else(|| target.join("release/bongsu"));
    let pictures = target.join("screenshots");
    let directory = pictures.join(format!("nation-{}", std::process::id()));
    let nation = match Nation::start(&binary, &directory) {
        Ok(nation) => nation,
        Err(why) => return tally.fail(format!("pages: {why}")),
    };
    for (check, why) in pages::run(&binary, &nation, &directory, &pictures) {
        match &why {
            None => println!("ok page {check}"),
            Some(why) => println!("FAIL page {check}: {why}"),
        }
        tally.note(&format!("page {check}"), why.map_or(Ok(()), Err));
    }
    tally.note("the pages' nation stops on SIGINT", nation.stop());
    println!("screenshots are in {}", pictures.display());
    if let Err(why) = std::fs::remove_dir_all(&directory) {
        println!("{}: {why}", directory.display());
    }
}

/// The ledger's engine on a real TigerBeetle, and the ledger beside it.
fn against_tigerbeetle(root: &Path, tally: &mut Tally) {
    let tools = match tigerbeetle::prepare(root) {
        Ok(tools) => tools,
        Err(Obstacle::Missing(why)) => return tally.skip(MAY_SKIP, "tigerbeetle", 1, &why),
        Err(Obstacle::Wrong(why)) => return tally.fail(format!("tigerbeetle: {why}")),
    };
    let clippy = shell::run(&mut tigerbeetle::clippy(root, &tools));
    tally.note("clippy of what only the engine needs", clippy);
    run_tests("tigerbeetle", tigerbeetle::tests(root, &tools), tally);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Results {
        let mut results = Results::default();
        text.lines().for_each(|line| results.read(line));
        results
    }

    const OUTPUT: &str = "\
running 3 tests
test a::b ... ok
test a::c ... ignored, slow
test a::d ... FAILED
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s
test result: ok. 41 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn reads_what_cargo_test_prints() {
        let expected = Results {
            passed: 42,
            failed: 1,
            ignored: 1,
            failed_names: vec!["a::d".to_string()],
            ignored_names: BTreeSet::from(["a::c".to_string()]),
        };
        assert_eq!(read(OUTPUT), expected);
    }

    fn last_line(text: &str, ended_well: bool, may_ignore: &[&str]) -> String {
        let mut tally = Tally::default();
        take(&mut tally, read(text), ended_well, may_ignore);
        tally.last_line()
    }

    #[test]
    fn only_listed_skips_are_skips() {
        assert_eq!(last_line(OUTPUT, false, &["a::c"]), "42 passed, 1 failed, 1 skipped");
        assert_eq!(last_line(OUTPUT, false, &[]), "42 passed, 2 failed, 0 skipped");
        let mut tally = Tally::default();
        tally.skip(MAY_SKIP, "jpos", 6, "no mvn");
        tally.skip(MAY_SKIP, "tidy", 1, "no time");
        assert_eq!(tally.last_line(), "0 passed, 1 failed, 6 skipped");
    }

    #[test]
    fn a_run_that_counts_no_failure_can_still_fail() {
        assert_eq!(last_line("", false, &[]), "0 passed, 1 failed, 0 skipped");
        assert_eq!(last_line("", true, &[]), "0 passed, 0 failed, 0 skipped");
        let unnamed = "test result: FAILED. 0 passed; 2 failed; 0 ignored; finished in 0s\n";
        assert_eq!(last_line(unnamed, false, &[]), "0 passed, 2 failed, 0 skipped");
    }
}
