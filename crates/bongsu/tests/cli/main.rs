//! The program from outside: arguments in, exit code, standard output and standard error out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod archive;
mod archive_forged;
mod archive_killed;
mod archive_lost;
mod backup;
mod bench;
mod change;
mod config;
mod exit;
mod init;
mod kinds;
mod lost;
mod message;
mod nation;
mod new_bank;
mod pay;
mod rig;
mod transfers;
