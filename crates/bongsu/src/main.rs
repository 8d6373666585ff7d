//! The one program: a thin command line over the crates that do the work.
//!
//! Data goes to standard output, everything else to standard error. It ends with 0 (fine), 1 (the
//! answer is "no") or 2 (it could not run). One file or folder per command; `error` and `output`
//! say how all of them speak. Bounds are in `limits`.
#![forbid(unsafe_code)]

mod backup;
mod bench;
mod cli;
mod config;
mod dialect;
mod error;
mod init;
mod input;
mod ledger;
mod limits;
mod message;
mod nation;
mod output;
mod pages;
mod pay;
mod roles;
mod sim;
mod words;

use std::process::ExitCode;

/// Faster than the system's own with many small pieces, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cli::run(std::env::args_os().collect()).code())
}
