//! The ledger's tables, read by a program of others: CSV and Parquet by DuckDB, which is installed
//! at the exact version and hash that `clients/duckdb` names.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::clients::{self, Obstacle, Place};
use crate::shell;

/// What the reader checks.
pub(crate) const CHECKS: &[&str] =
    &["parquet-is-csv", "sums-are-accounts", "payments-are-transfers"];

/// Installs the reader.
pub(crate) fn prepare(place: &Place) -> Result<(), Obstacle> {
    clients::python(place, "duckdb/requirements.txt", "duckdb")
}

/// Exports the tables of the nation that has stopped on `nation`, and has them read; each check
/// with `None`, or what went wrong.
pub(crate) fn read(
    place: &Place,
    binary: &Path,
    nation: &Path,
) -> Vec<(&'static str, Option<String>)> {
    match output(place, binary, nation) {
        Ok((fine, text)) => clients::judge("duckdb", CHECKS, fine, &text),
        Err(why) => CHECKS.iter().map(|check| (*check, Some(why.clone()))).collect(),
    }
}

fn output(place: &Place, binary: &Path, nation: &Path) -> Result<(bool, String), String> {
    let to = nation.join("tables");
    fs::create_dir_all(&to).map_err(|why| format!("{}: {why}", to.display()))?;
    for table in ["transfers", "payments"] {
        for format in ["csv", "parquet"] {
            let file = to.join(format!("{table}.{format}"));
            let mut export = Command::new(binary);
            export.args(["ledger", "export", "--table", table, "--format", format, "--dir"]);
            shell::quietly(export.arg(nation).arg("--file").arg(file))?;
        }
    }
    let mut accounts = Command::new(binary);
    accounts.args(["ledger", "accounts", "--format", "json", "--dir"]).arg(nation);
    let accounts = accounts.stderr(Stdio::null()).output().map_err(|why| why.to_string())?;
    let file = to.join("accounts.json");
    fs::write(&file, accounts.stdout).map_err(|why| format!("{}: {why}", file.display()))?;
    let mut reader = Command::new(place.installed.join("duckdb/bin/python"));
    reader.arg(place.sources.join("duckdb/read.py")).arg(&to);
    let read = reader.output().map_err(|why| why.to_string())?;
    print!("{}", String::from_utf8_lossy(&read.stderr));
    Ok((read.status.success(), String::from_utf8_lossy(&read.stdout).into_owned()))
}
