//! `ledger archive` killed between any two of its steps: before each call of the system that
//! changes a file, put there by `strace`. Nothing is lost, archive and journal prove each other,
//! and the same command ends what was begun. Where there is no `strace`, or it may not trace, this
//! says that it was skipped.
//!
//! `cargo test` takes some of the calls; with `BONGSU_ARCHIVE_CUTS=all` all of them.

#![expect(clippy::print_stderr, reason = "it says that it was skipped, or how much was tried")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::archive::{copy, segments};
use crate::nation::Nation;
use crate::rig::command;

/// Calls that change a file or a directory; an `openat` does when it makes one.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,mkdir,mkdirat,\
                     rename,renameat,renameat2,unlink,unlinkat,rmdir";
const OLD: [&str; 2] = ["--before", "2140-01-01"];

/// The command under `strace`: its calls go to that file, and before one of them it is killed.
fn traced(nation: &Nation, to: &Path, calls: &Path, kill: Option<&(String, usize)>) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-y", "-s", "0", "-o"]).arg(calls);
    strace.args(["-e", &format!("trace={CALLS}")]);
    if let Some((call, when)) = kill {
        strace.args(["-e", &format!("inject={call}:signal=KILL:when={when}")]);
    }
    strace.arg(command(&[]).get_program()).args(["ledger", "archive", "--to"]).arg(to);
    strace.args(OLD).arg("--dir").arg(&nation.dir);
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

/// Each call that changes something, and the how many-th of its kind it is.
fn steps(calls: &Path, nation: &Path) -> Vec<(String, usize)> {
    let (mut counts, mut steps) = (BTreeMap::new(), Vec::new());
    for line in std::fs::read_to_string(calls).unwrap().lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        let count = counts.entry(call.to_owned()).or_insert(0);
        *count += 1;
        // What it says to the one who called it is no step.
        let is_here = rest.contains(nation.to_str().unwrap());
        if is_here && (call != "openat" || rest.contains("O_CREAT")) {
            steps.push((call.to_owned(), *count));
        }
    }
    steps
}

/// What must be as it was, whatever happened.
fn proved(nation: &Nation, to: &str, before: &Value, case: &str) {
    let whole = nation.json(&["ledger", "verify", "--archive", to], 0);
    for key in ["ok", "records", "first_record", "transfers", "payments", "sums"] {
        assert_eq!(whole[key], before[key], "{case}: {key}");
    }
}

/// Of a nation that has stopped; its journal is in the end what it was.
pub(crate) fn check(nation: &Nation) {
    let (journal, own) = (nation.dir.join("hub/journal"), nation.dir.join("own-2"));
    let (to, calls) = (nation.dir.join("killed"), nation.dir.join("calls"));
    let dir = to.to_str().unwrap();
    copy(&journal, &own);
    let put_back = || {
        drop(std::fs::remove_dir_all(&to));
        std::fs::remove_dir_all(&journal).unwrap();
        copy(&own, &journal);
    };
    let before = nation.json(&["ledger", "verify"], 0);
    let transfers = nation.json(&["ledger", "transfers"], 0);
    let all = segments(nation);
    if !traced(nation, &to, &calls, None) {
        eprintln!("skipped: strace is not here, or may not trace");
        put_back();
        return std::fs::remove_dir_all(&own).unwrap();
    }
    let (steps, left) = (steps(&calls, &nation.dir), segments(nation));
    assert!(steps.len() > 40 && left + 2 < all, "{} steps, {left} of {all}", steps.len());
    let wanted: Vec<&(String, usize)> = match std::env::var("BONGSU_ARCHIVE_CUTS").as_deref() {
        Ok("all") => steps.iter().collect(),
        // Where a part gets its name, where the head leaves segments out, and some others.
        Ok(_) | Err(_) => {
            let renames = steps.iter().filter(|(call, _)| call.starts_with("rename"));
            renames.chain(steps.iter().skip(11).step_by(steps.len() / 6)).collect()
        }
    };
    let (mut made, mut begun) = (0, 0);
    for step in &wanted {
        put_back();
        let case = format!("killed before {} {}", step.0, step.1);
        assert!(!traced(nation, &to, &calls, Some(step)), "{case}: it lives");
        // The journal alone is whole, and with what the archive has of it too.
        assert_eq!(nation.json(&["ledger", "verify"], 0)["ok"], true, "{case}");
        let has_part = |to: &PathBuf| {
            let parts = std::fs::read_dir(to).into_iter().flatten();
            parts.flatten().any(|part| !part.file_name().to_string_lossy().starts_with('.'))
        };
        if has_part(&to) {
            made += 1;
            proved(nation, dir, &before, &case);
        }
        begun += usize::from(segments(nation) < all);
        // The same command ends it.
        nation.json(&[&["ledger", "archive", "--to", dir], &OLD[..]].concat(), 0);
        assert_eq!(segments(nation), left, "{case}");
        proved(nation, dir, &before, &case);
        let listed = nation.json(&["ledger", "transfers", "--archive", dir], 0);
        assert_eq!(listed, transfers, "{case}");
    }
    eprintln!(
        "ledger archive: {} steps, killed before {}, {made} after its part was named, {begun} \
         after a segment went",
        steps.len(),
        wanted.len()
    );
    assert!(made > 1 && made < wanted.len(), "{made} of {}", wanted.len());
    put_back();
    std::fs::remove_dir_all(&own).unwrap();
}
