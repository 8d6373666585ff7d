//! `cargo xtask hostile`: 100,000 mutated frames, 20,000 connections, floods, silence and garbage
//! against a real nation, at full size and with the release binary.

use std::path::Path;
use std::process::ExitCode;

use crate::shell;

pub(crate) fn run(root: &Path) -> ExitCode {
    let mut test = shell::cargo(root);
    test.args(["test", "--release", "-p", "bongsu", "--test", "hostile", "--", "--nocapture"]);
    match shell::run(test.env("BONGSU_HOSTILE", "full")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hostile: {why}");
            ExitCode::FAILURE
        }
    }
}
