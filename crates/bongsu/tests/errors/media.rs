//! Disks that fail under a running role: the system's own calls return errors, put there by
//! `strace`. Where there is none, or it may not trace, these tests say that they were skipped.
//!
//! An error of a sync is final: the role says so and ends, no further sync of its journal follows,
//! and the next start finds everything that was acknowledged.

use std::process::{Command, Stdio};

use crate::rig::{CARD, EXAMPLE, PROGRAM, Place, Role, eventually, refusal, says};

/// A command that runs the program, of which the `when`-th such call of each thread fails.
fn failing(place: &Place, call: &str, error: &str, when: u32) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(place.dir.join("calls"));
    command.args(["-e", "trace=fdatasync,fsync,pwrite64", "-e"]);
    command.arg(format!("inject={call}:error={error}:when={when}")).arg(PROGRAM);
    command.stdin(Stdio::null());
    command
}

fn can_trace(place: &Place) -> bool {
    let mut try_it = failing(place, "fsync", "EIO", 1);
    let done = try_it.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = done.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: strace is not here, or may not trace");
    }
    can
}

/// What the thread whose call failed has synced after that.
fn syncs_after(place: &Place) -> Vec<String> {
    let calls = std::fs::read_to_string(place.dir.join("calls")).unwrap();
    let mut lines = calls.lines();
    let failed = lines.find(|line| line.contains("(INJECTED)"));
    let failed = failed.unwrap_or_else(|| unreachable!("no call failed: {calls}"));
    let thread = failed.split_whitespace().next().unwrap();
    let later = lines.filter(|line| line.starts_with(thread) && line.contains("sync("));
    later.map(str::to_owned).collect()
}

/// Ends by itself, with status 2.
fn ended(role: &mut Role) -> String {
    let mut status = None;
    eventually("the role ends", || {
        status = role.child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(2), "{}", role.log());
    role.log()
}

/// Pays until somebody says no; the reference numbers of what was approved.
fn pay_until_it_fails(place: &Place, approved: &mut Vec<String>) {
    for _ in 0..2_000 {
        let (code, said) = place.pay("n", &["--pan", CARD, "--amount", "1.00"]);
        if code != 0 {
            return;
        }
        approved.push(said["rrn"].as_str().unwrap().to_owned());
    }
    unreachable!("nothing ever failed");
}

#[test]
fn a_failed_sync_or_write_ends_the_hub_and_nothing_approved_is_lost() {
    let place = Place::new("media");
    if !can_trace(&place) {
        return;
    }
    std::fs::create_dir_all(place.dir.join("n")).unwrap();
    let text = format!("{EXAMPLE}\n[journal]\nhub_segment_mib = 8\n");
    std::fs::write(place.dir.join("n/nation.toml"), text).unwrap();
    let hub = place.start("n", &["hub"]);
    let station = place.start("n", &["station", "pyongyang"]);
    let banks = ["100001", "100002"].map(|bank| place.start("n", &["bank", bank]));
    hub.stop();
    let mut approved = Vec::new();
    let cases = [("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("pwrite64", "EIO")];
    for (call, error) in cases {
        let mut command = failing(&place, call, error, 60);
        command.arg("hub").arg("--dir").arg(place.dir.join("n"));
        command.args(["--port-base", &place.base.to_string()]);
        let mut hub = place.start_command(&format!("hub {call} {error}"), command);
        place.paid("n", CARD);
        pay_until_it_fails(&place, &mut approved);
        let log = ended(&mut hub);
        let words = if call == "pwrite64" { "Write of" } else { "Sync of" };
        assert!(log.contains(words), "{call} {error}: {log}");
        assert_eq!(syncs_after(&place), Vec::<String>::new(), "{call} {error}");
    }
    let hub = place.start("n", &["hub"]);
    place.paid("n", CARD);
    assert!(approved.len() > 20, "{}", approved.len());
    station.stop();
    banks.into_iter().for_each(Role::stop);
    hub.stop();
    let (code, report) = place.verify("n");
    assert_eq!((code, &report["ok"]), (0, &true.into()), "{report}");
    for rrn in &approved {
        let find = ["ledger", "payment", rrn.as_str(), "--format", "json"];
        let output = place.command("n", &find).output().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["payments"][0]["status"], "posted", "{rrn}: {found}");
    }
}

#[test]
fn a_bank_and_a_station_end_too_and_come_back() {
    let place = Place::new("media2");
    if !can_trace(&place) {
        return;
    }
    let hub = place.start("n", &["hub"]);
    let station = place.start("n", &["station", "pyongyang"]);
    let first = place.start("n", &["bank", "100001"]);
    let mut command = failing(&place, "fdatasync", "EIO", 30);
    command.args(["bank", "100002", "--dir"]).arg(place.dir.join("n"));
    command.args(["--port-base", &place.base.to_string()]);
    let mut bank = place.start_command("bank", command);
    place.paid("n", CARD);
    pay_until_it_fails(&place, &mut Vec::new());
    let log = ended(&mut bank);
    assert!(log.contains("Sync of"), "{log}");
    assert_eq!(syncs_after(&place), Vec::<String>::new());
    let bank = place.start("n", &["bank", "100002"]);
    place.paid("n", CARD);
    station.stop();

    // A station whose disk fails while it starts.
    let mut command = failing(&place, "fdatasync", "EIO", 1);
    command.args(["station", "pyongyang", "--format", "json", "--dir"]).arg(place.dir.join("n"));
    command.args(["--port-base", &place.base.to_string()]);
    let error = refusal(command);
    assert_eq!(error["kind"], "journal", "{error}");
    says(&error, "message", &["Sync of"]);
    says(&error, "where", &["station/pyongyang/journal"]);
    says(&error, "do", &["dmesg"]);
    let station = place.start("n", &["station", "pyongyang"]);
    place.paid("n", CARD);
    for role in [station, bank, first, hub] {
        role.stop();
    }
    assert_eq!(place.verify("n").0, 0);
}
