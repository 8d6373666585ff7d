//! Tells the program which commit it was built from, for the line that replays a failure.

use std::process::Command;

fn main() {
    // Changes with every commit and checkout; absent outside of a repository.
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    println!("cargo::rerun-if-changed=build.rs");
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = output.ok().filter(|output| output.status.success());
    let commit = commit.and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo::rustc-env=BONGSU_COMMIT={}", commit.as_deref().unwrap_or("unknown").trim());
}
