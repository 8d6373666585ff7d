//! Tells the program which commit it was built from, for `--version` and for the line that replays
//! a failure.

use std::path::Path;
use std::process::Command;

/// What the program is made of, below the repository's root.
const SOURCES: [&str; 5] = ["crates", "dialects", "examples", "Cargo.toml", "Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = commit();
    let version = match &commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=BONGSU_VERSION={version}");
    println!("cargo::rustc-env=BONGSU_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

/// The commit, and whether the sources differ from it; none outside of our own repository.
fn commit() -> Option<String> {
    if !Path::new("../../.git").exists() {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // Changes with every commit and checkout.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    for path in std::iter::once(log).chain(SOURCES.map(|source| format!("../../{source}"))) {
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}, modified") })
}

/// What git prints, run at the root; it takes no locks that somebody else may want.
fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["--no-optional-locks", "-C", "../.."]).args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(text).ok()?.trim().to_owned())
}
