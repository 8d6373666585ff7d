//! `cargo xtask crash-matrix`: every cut and every error of the disk, and every flipped bit of a
//! journal, where `cargo test` takes a sample. Minutes; a line now and then says how far it is.

use std::path::Path;
use std::process::ExitCode;

use crate::shell;

/// Packages and their tests, in which the whole matrix is behind one variable.
const TESTS: [[&str; 4]; 4] = [
    ["-p", "journal", "--test", "flips"],
    ["-p", "ledger", "--test", "embedded"],
    ["-p", "parties", "--test", "bank_journal"],
    ["-p", "host", "--test", "matrix"],
];

pub(crate) fn run(root: &Path) -> ExitCode {
    for test in TESTS {
        let mut cargo = shell::cargo(root);
        cargo.args(["test", "--release"]).args(test).args(["--", "--nocapture"]);
        if let Err(why) = shell::run(cargo.env("BONGSU_CRASH_MATRIX", "full")) {
            eprintln!("crash-matrix: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
