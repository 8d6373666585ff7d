//! Journals that are damaged, or of another release: the role does not start, the others go on.

use std::path::{Path, PathBuf};

use crate::rig::{CARD, EXAMPLE, OTHER_CARD, Place, Role, says};

/// A nation of hub, one station and two banks, after payments with both banks' cards.
fn nation(place: &Place) -> Vec<(Vec<&'static str>, Role)> {
    let roles =
        [vec!["hub"], vec!["station", "pyongyang"], vec!["bank", "100002"], vec!["bank", "100003"]];
    // Few records between snapshots: some are there.
    std::fs::create_dir_all(place.dir.join("n")).unwrap();
    let text = format!("{EXAMPLE}\n[journal]\nsnapshot_records = 100\n");
    std::fs::write(place.dir.join("n/nation.toml"), text).unwrap();
    let running = roles.map(|role| (role.clone(), place.start("n", &role)));
    for _ in 0..3 {
        place.paid("n", CARD);
        place.paid("n", OTHER_CARD);
    }
    running.into()
}

fn segment(place: &Place, role: &str) -> PathBuf {
    place.dir.join("n").join(role).join("journal/0000000001.seg")
}

/// Flips a bit in the middle of what was written.
fn damage(segment: &Path) {
    let mut bytes = std::fs::read(segment).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // Behind the first block, which is the header.
    let at = 512 + (last - 512) / 2;
    bytes[at] ^= 1;
    std::fs::write(segment, bytes).unwrap();
}

/// Says that the format is of version 99, checksums and all (journal.md: a u16 at byte 4, and
/// CRC-32C around its own four bytes at 124, over the block).
fn make_newer(segment: &Path, block: usize) {
    let mut bytes = std::fs::read(segment).unwrap();
    let sum = |header: &[u8]| crc32c(&[&header[..124], &header[128..]].concat()).to_le_bytes();
    assert_eq!(sum(&bytes[..block]), bytes[124..128], "the test knows the format");
    bytes[4..6].copy_from_slice(&99u16.to_le_bytes());
    let sum = sum(&bytes[..block]);
    bytes[124..128].copy_from_slice(&sum);
    std::fs::write(segment, bytes).unwrap();
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// Ends one role, changes its journal; it then refuses to start and changes nothing. Gives its
/// error and its journal as it was.
fn spoiled(
    place: &Place,
    nation: &mut Vec<(Vec<&'static str>, Role)>,
    at: usize,
    path: &str,
    spoil: impl Fn(&Path),
) -> (serde_json::Value, Vec<u8>) {
    let (role, running) = nation.remove(at);
    running.stop();
    let segment = segment(place, path);
    let whole = std::fs::read(&segment).unwrap();
    spoil(&segment);
    let spoiled = std::fs::read(&segment).unwrap();
    let error = place.refusal("n", &role);
    assert!(std::fs::read(&segment).unwrap() == spoiled, "{role:?} changes nothing");
    let journal = place.path(&format!("n/{path}/journal"));
    assert_eq!(error["where"], journal.as_str(), "{error}");
    (error, whole)
}

fn restored(place: &Place, nation: &mut Vec<(Vec<&'static str>, Role)>, path: &str, whole: &[u8]) {
    std::fs::write(segment(place, path), whole).unwrap();
    let (kind, name) = path.split_once('/').unwrap();
    let role = if kind == "bank" { ["bank", name] } else { ["station", name] };
    let (kept, name) = match name {
        "pyongyang" => ("station", "pyongyang"),
        _ => ("bank", "100002"),
    };
    assert_eq!(role[0], kept);
    nation.push((vec![kept, name], place.start("n", &role)));
}

#[test]
fn a_damaged_journal_stops_its_role_alone() {
    let place = Place::new("damage");
    let mut nation = nation(&place);
    // A bank's: its cards get 91, the other bank's are approved.
    let (error, whole) = spoiled(&place, &mut nation, 2, "bank/100002", damage);
    assert_eq!(error["kind"], "journal_damaged", "{error}");
    says(&error, "message", &["0000000001.seg at byte ", "(record"]);
    says(&error, "do", &["nothing was changed", "bongsu restore", "the other roles go on"]);
    let (code, said) = place.pay("n", &["--pan", CARD, "--amount", "1.00"]);
    assert_eq!((code, &said["response_code"]), (1, &"91".into()), "{said}");
    place.paid("n", OTHER_CARD);
    restored(&place, &mut nation, "bank/100002", &whole);
    place.paid("n", CARD);
    // A station's: the hub and the banks go on.
    let (error, whole) = spoiled(&place, &mut nation, 1, "station/pyongyang", damage);
    assert_eq!(error["kind"], "journal_damaged", "{error}");
    says(&error, "message", &["0000000001.seg at byte ", "(record"]);
    assert!(nation.iter_mut().all(|(_, role)| role.child.try_wait().unwrap().is_none()));
    let nampo = place.start("n", &["station", "nampo"]);
    let to = format!("127.0.0.1:{}", 8584 + place.base);
    let pay = ["pay", "--to", &to, "--pan", CARD, "--amount", "2.00", "--format", "json"];
    let output = place.command("n", &pay).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    nampo.stop();
    restored(&place, &mut nation, "station/pyongyang", &whole);
    place.paid("n", CARD);
    // The hub's: what is before can be read.
    let (error, whole) = spoiled(&place, &mut nation, 0, "hub", damage);
    assert_eq!(error["kind"], "journal_damaged", "{error}");
    says(&error, "message", &["0000000001.seg at byte ", "(record"]);
    says(&error, "do", &["nothing was changed", "bongsu ledger verify", "bongsu restore"]);
    let (code, report) = place.verify("n");
    assert_eq!((code, &report["ok"]), (1, &false.into()), "{report}");
    let before = report["damage"][0]["from_record"].as_u64().unwrap();
    assert!(before > 1 && report["records"].as_u64().unwrap() + 1 >= before, "{report}");
    assert!(nation.iter_mut().all(|(_, role)| role.child.try_wait().unwrap().is_none()));
    // Its trunk is cut, and the station says so.
    let (code, said) = place.pay("n", &["--pan", CARD, "--amount", "1.00"]);
    assert_eq!((code, &said["response_code"]), (1, &"91".into()), "{said}");
    std::fs::write(segment(&place, "hub"), whole).unwrap();
    let hub = place.start("n", &["hub"]);
    crate::rig::eventually("approved again", || {
        place.pay("n", &["--pan", CARD, "--amount", "1.00"]).0 == 0
    });
    nation.into_iter().for_each(|(_, role)| role.stop());
    hub.stop();
    assert_eq!(place.verify("n").0, 0);
}

#[test]
fn a_journal_of_a_newer_release_is_refused_with_its_version() {
    let place = Place::new("newer");
    let mut nation = nation(&place);
    for (at, path) in [(2, "bank/100002"), (1, "station/pyongyang"), (0, "hub")] {
        let (error, whole) = spoiled(&place, &mut nation, at, path, |s| make_newer(s, 512));
        assert_eq!(error["kind"], "journal", "{error}");
        says(&error, "message", &["0000000001.seg has format version 99", "reads up to 1"]);
        says(&error, "do", &["nothing was changed", "the release that wrote it"]);
        if path == "hub" {
            let mut verify = place.command("n", &["ledger", "verify"]);
            verify.args(["--format", "json"]);
            let error = crate::rig::refusal(verify);
            says(&error, "message", &["format version 99"]);
        }
        std::fs::write(segment(&place, path), whole).unwrap();
    }
    nation.into_iter().for_each(|(_, role)| role.stop());
    assert_eq!(place.verify("n").0, 0);
}
