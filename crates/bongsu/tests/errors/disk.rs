//! A disk that is full, or cannot be written. Needs `unshare` and the right to mount in a mount
//! namespace of its own; where there is none these tests say that they were skipped.

use std::path::Path;
use std::process::{Command, Stdio};

use node::RoleName;

use crate::rig::{CARD, EXAMPLE, PROGRAM, Place, count, eventually, goes_on, refusal, says};

/// How a mount of one's own is made here, if it can be.
fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["-m"], &["-rm"]];
    let can = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**way).args(["mount", "-t", "tmpfs", "none", "/mnt"]);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let way = ways.iter().find(can).copied();
    if way.is_none() {
        eprintln!("skipped: this machine lets nobody mount in a namespace of his own");
    }
    way
}

/// `script` with a file system of its own at `mounted`, `$@` is the program and its arguments.
fn mounted(way: &[&str], options: &str, at: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    let mount = format!("mount -t tmpfs -o {options} tmpfs '{}' && {script}", at.display());
    command.args(way).args(["sh", "-c", &mount, "sh", PROGRAM]).stdin(Stdio::null());
    command
}

fn metric(dir: &Path, name: &str) -> u64 {
    let socket = node::Layout::new(dir).socket(&RoleName::Hub);
    let (_, body) = node::client::get(&socket, "/metrics").unwrap();
    let text = String::from_utf8(body).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| unreachable!("{name}: {text}"))
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let Some(way) = unshare() else { return };
    let place = Place::new("readonly");
    let dir = place.dir.join("n");
    std::fs::create_dir(&dir).unwrap();
    for role in [&["up"][..], &["hub"], &["station", "nampo"], &["bank", "100001"], &["shops"]] {
        for (options, kind) in [("ro", "file"), ("size=2m", "")] {
            if kind.is_empty() && (role == ["shops"] || role == ["up"]) {
                // The one keeps no journal, the other's first child is the hub.
                continue;
            }
            let mut command = mounted(way, options, &dir, "exec \"$@\"");
            command.args(role).arg("--dir").arg(&dir);
            command.args(["--port-base", &place.base.to_string(), "--format", "json"]);
            let error = refusal(command);
            says(&error, "where", &[dir.to_str().unwrap()]);
            if options == "ro" {
                assert_eq!(error["kind"], "file", "{error}");
                says(&error, "do", &["writable", "--dir"]);
            } else {
                assert_eq!(error["kind"], "journal", "{error}");
                says(&error, "do", &["make room", "df -h"]);
            }
        }
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

/// Every frame fills 4 KiB, so that a segment is soon full; a bank may take its time meanwhile,
/// however slow this machine is.
const SOON_FULL: &str = "
[journal]
hub_segment_mib = 8
block = 4096
[timers]
issuer_answer_ms = 900000
hub_answer_ms = 1000000
echo_idle_ms = 900000
";

/// Two segments of 8 MiB and no third: new purchases get 96, all else goes on.
#[test]
fn a_full_disk_refuses_purchases_one_segment_ahead() {
    let Some(way) = unshare() else { return };
    let place = Place::new("full");
    let dir = place.dir.join("n");
    let (disk, kept) = (dir.join("hub"), place.dir.join("kept"));
    std::fs::create_dir_all(&disk).unwrap();
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(dir.join("nation.toml"), format!("{EXAMPLE}{SOON_FULL}")).unwrap();
    // What was mounted goes with its last process: a copy stays for the auditor.
    let script = format!(
        "trap : INT && {{ \"$@\"; code=$?; cp -a '{}/.' '{}' && exit $code; }}",
        disk.display(),
        kept.display()
    );
    let mut hub = mounted(way, "size=27m,mode=700", &disk, &script);
    hub.args(["hub", "--dir", dir.to_str().unwrap()]);
    hub.args(["--port-base", &place.base.to_string()]);
    let hub = place.start_command("hub", hub);
    let station = place.start("n", &["station", "pyongyang"]);
    let banks = ["100001", "100002"].map(|bank| place.start("n", &["bank", bank]));
    let sale = place.paid("n", CARD);
    let (code, held) = place.pay("n", &["--kind", "preauth", "--pan", CARD, "--amount", "80"]);
    assert_eq!(code, 0, "{held}");

    // Somebody else's file takes what is left; the shops fill the rest of the first segment.
    let filler = format!("/proc/{}/root{}/filler", hub.child.id(), disk.display());
    eventually("the second segment", || metric(&dir, "bongsu_journal_no_room ") == 0);
    std::fs::write(&filler, vec![1; 8 << 20]).unwrap();
    // A payment is under way while the disk becomes full: its bank takes its time.
    banks[1].signal("-STOP");
    let mut under_way = place.payer("n", &["--pan", CARD, "--amount", "3.00"]);
    let under_way = under_way.args(["--timeout", "1800"]).spawn().unwrap();
    eventually("it is under way", || count(&dir, &RoleName::Hub, "in_flight") == Some(1));
    // The shops' cards are of every bank but that one.
    let others = place.path("shops.toml");
    std::fs::write(&others, EXAMPLE.replace("\"940802\"", "\"940892\"")).unwrap();
    let shops = place.shops("n", &["--traffic", "400", "--config", &others]);
    let written = || metric(&dir, "bongsu_commit_bytes_total ");
    goes_on("no room", || (metric(&dir, "bongsu_journal_no_room ") == 1, written()));
    banks[1].signal("-CONT");
    let finished = under_way.wait_with_output().unwrap();
    assert!(finished.status.success(), "{finished:?}");
    shops.stop();

    for amount in ["4.00", "5.00"] {
        let (code, refused) = place.pay("n", &["--pan", CARD, "--amount", amount]);
        assert_eq!((code, &refused["response_code"]), (1, &"96".into()), "{refused}");
    }
    let original = |said: &serde_json::Value| said["rrn"].as_str().unwrap().to_owned();
    let undo = ["--kind", "reversal", "--pan", CARD, "--original", &original(&sale)];
    let (code, undone) = place.pay("n", &undo);
    assert_eq!((code, &undone["acknowledged"]), (0, &true.into()), "{undone}");
    let complete = ["--kind", "complete", "--pan", CARD, "--original", &original(&held)];
    let (code, completed) = place.pay("n", &[&complete[..], &["--amount", "70"]].concat());
    assert_eq!(code, 0, "{completed}");
    assert_eq!(metric(&dir, "bongsu_journal_no_room "), 1, "and all that without new room");

    std::fs::remove_file(&filler).unwrap();
    eventually("approved again", || place.pay("n", &["--pan", CARD, "--amount", "6.00"]).0 == 0);
    assert_eq!(metric(&dir, "bongsu_journal_no_room "), 0);
    let log = hub.log();
    let at = |event: &str| log.find(&format!("\"{event}\""));
    assert!(at("journal_no_room_ahead").is_some() && at("journal_room_ahead").is_some(), "{log}");
    assert!(log.contains("make room on its disk"), "{log}");
    station.stop();
    banks.into_iter().for_each(crate::rig::Role::stop);
    hub.stop();

    std::fs::remove_dir(&disk).unwrap();
    std::fs::rename(&kept, &disk).unwrap();
    let (code, report) = place.verify("n");
    assert_eq!((code, &report["ok"]), (0, &true.into()), "{report}");
    ends_as(&place, &sale, "reversed");
    ends_as(&place, &held, "posted");
}

/// What a stopped hub's journal says of a payment.
fn ends_as(place: &Place, said: &serde_json::Value, status: &str) {
    let find = ["ledger", "payment", said["rrn"].as_str().unwrap(), "--format", "json"];
    let output = place.command("n", &find).output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["payments"][0]["status"], status, "{found}");
}
