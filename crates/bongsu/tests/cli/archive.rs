//! `ledger archive`: what was put away and what stays are one ledger, and prove it.

use std::path::{Path, PathBuf};

use journal::{Batch, Extent, NodeId, Options};
use node::disk::FileDisk;
use serde_json::{Value, json};

use crate::nation::Nation;

/// Records of a journal: kind, version, time, payload.
type Plain = (u8, u8, u64, Vec<u8>);

fn records(nation: &Nation) -> Vec<Plain> {
    let mut records = Vec::new();
    let disk = FileDisk::open(&nation.dir.join("hub/journal")).unwrap();
    journal::verify(disk, Extent::All, &mut |record| {
        let payload = record.payload.to_vec();
        records.push((record.kind, record.version, record.time_ns, payload));
        Ok(())
    })
    .unwrap();
    records
}

/// Goes on with the hub's journal, in segments of 8 KiB, so that a small one has many; so many
/// records are a frame.
fn write(nation: &Nation, records: &[Plain], frame: usize, epoch: u64) {
    let node = NodeId::from_name("hub").unwrap();
    let options = Options { segment_bytes: 8 * 1024, ..Options::new(node) };
    let disk = FileDisk::open(&nation.dir.join("hub/journal")).unwrap();
    let (mut writer, _) = journal::open(disk, options, frame as u64, &mut |_| Ok(())).unwrap();
    writer.start_epoch(epoch, frame as u64).unwrap();
    for frame in records.chunks(frame) {
        let mut batch = Batch::new(frame[0].2);
        for (kind, version, time, payload) in frame {
            batch.push(*kind, *version, *time, payload).unwrap();
        }
        writer.append(&mut batch).unwrap();
    }
    writer.stop(2).unwrap();
}

/// Writes the hub's journal again.
pub(crate) fn cut(nation: &Nation, frame: usize) {
    let records = records(nation);
    std::fs::remove_dir_all(nation.dir.join("hub/journal")).unwrap();
    write(nation, &records, frame, 1);
}

/// A journal that is put away as it grows: what happens in one part to a payment of another is in
/// the tables, which were made from the anchor on, what it is when all is read from the beginning.
fn in_parts(nation: &Nation) {
    let (journal, kept) = (nation.dir.join("hub/journal"), nation.dir.join("kept"));
    let (before, records) = (nation.json(&["ledger", "verify"], 0), records(nation));
    let whole = nation.json(&["ledger", "export", "--table", "payments"], 0);
    copy(&journal, &kept);
    let mut most = 0;
    for pieces in [2, 3, 5] {
        let to = nation.dir.join(format!("in-{pieces}"));
        let dir = to.to_str().unwrap();
        std::fs::remove_dir_all(&journal).unwrap();
        for (piece, epoch) in records.chunks(records.len() / pieces + 1).zip(1..) {
            write(nation, piece, 3, epoch);
            nation.json(&["ledger", "archive", "--before", "2140-01-01", "--to", dir], 0);
        }
        let report = nation.json(&["ledger", "verify", "--archive", dir], 0);
        for key in ["ok", "records", "first_record", "transfers", "payments", "sums"] {
            assert_eq!(report[key], before[key], "{pieces}: {key}");
        }
        let paid = ["ledger", "export", "--table", "payments", "--archive", dir];
        assert_eq!(nation.json(&paid, 0), whole, "{pieces}");
        most = most.max(std::fs::read_dir(&to).unwrap().count());
        std::fs::remove_dir_all(&to).unwrap();
    }
    assert!(most > 2, "{most} parts");
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::rename(&kept, &journal).unwrap();
}

pub(crate) fn segments(nation: &Nation) -> usize {
    let files = std::fs::read_dir(nation.dir.join("hub/journal")).unwrap();
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "seg"))
        .count()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

/// Of a nation that has stopped; its journal is in the end what it was.
pub(crate) fn check_stopped(nation: &Nation) {
    let (journal, own) = (nation.dir.join("hub/journal"), nation.dir.join("own"));
    copy(&journal, &own);
    cut(nation, 3);
    in_parts(nation);
    crate::archive_forged::probes(nation);
    crate::archive_forged::of_another(nation);
    crate::archive_killed::check(nation);
    put_away(nation);
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::rename(&own, &journal).unwrap();
}

fn put_away(nation: &Nation) {
    let before = nation.json(&["ledger", "verify"], 0);
    let accounts = nation.json(&["ledger", "accounts"], 0);
    let transfers = nation.json(&["ledger", "transfers"], 0);
    let paid = nation.json(&["ledger", "export", "--table", "payments"], 0);
    let rrn = paid["payments"][0]["rrn"].as_str().unwrap();
    let payment = nation.json(&["ledger", "payment", rrn], 0);
    let to: PathBuf = nation.dir.join("archive");
    let dir = to.to_str().unwrap();
    let archive = |more: &[&str], code| {
        nation.json(&[&["ledger", "archive", "--to", dir], more].concat(), code)
    };
    assert_eq!(archive(&[], 2)["error"]["kind"], "usage", "nothing says what is old");
    // Of what was made now nothing is that old.
    let young = archive(&["--before", "2020-01-01"], 0);
    assert_eq!((&young["made"], &young["removed_segments"]), (&Value::Null, &json!(0)));
    assert!(!to.exists(), "nothing was made");

    young_stays(nation, &to);
    // An archive alone, and then, by the same command, the removal.
    let all = segments(nation);
    let kept = archive(&["--before", "2140-01-01", "--keep"], 0);
    let last = kept["made"]["segments"]["last"].as_u64().unwrap();
    assert!(last > 2 && (last as usize) < all, "{kept} of {all}");
    assert_eq!((segments(nation), &kept["removed_segments"]), (all, &json!(0)));
    assert_eq!(nation.json(&["ledger", "verify", "--archive", dir], 0)["ok"], true);
    indexes(nation, dir);
    crate::archive_forged::copies(nation, &to);
    crate::archive_lost::kept(nation, &to);
    // What a killed run left beside it means nothing.
    std::fs::create_dir(to.join(".0000000001-0000000002.7.tmp")).unwrap();
    let gone = archive(&["--before", "2140-01-01"], 0);
    assert_eq!((&gone["made"], &gone["removed_segments"]), (&Value::Null, &json!(last)), "{gone}");
    assert_eq!(segments(nation) as u64, all as u64 - last);

    // What stays goes on from there, and with the archive all is as it was.
    let alone = nation.json(&["ledger", "verify"], 0);
    let first = kept["made"]["records"]["last"].as_u64().unwrap() + 1;
    assert_eq!((&alone["ok"], &alone["first_record"]), (&json!(true), &json!(first)), "{alone}");
    assert_eq!(nation.json(&["ledger", "accounts"], 0), accounts);
    looked_up(nation, rrn, first, dir, &payment);
    let whole = nation.json(&["ledger", "verify", "--archive", dir], 0);
    for key in ["ok", "records", "first_record", "transfers", "payments", "sums"] {
        assert_eq!(whole[key], before[key], "{key}");
    }
    assert!(check(&whole, "archive")["looked_at"].as_u64().unwrap() > last);
    let listed = nation.json(&["ledger", "transfers", "--archive", dir], 0);
    assert_eq!(listed, transfers);
    let rest = nation.json(&["ledger", "transfers"], 0);
    assert_eq!((&rest["first_record"], &rest["complete"]), (&json!(first), &json!(true)));
    tables(&to, &transfers, first);
    crate::archive_lost::check(nation, &to, rrn);
    crate::archive_forged::manifest(nation, &to);
    altered(nation, &to);
}

/// What is not found may have been put away, which is said; and there it is found.
fn looked_up(nation: &Nation, rrn: &str, first: u64, dir: &str, payment: &Value) {
    let none = nation.json(&["ledger", "payment", "NONE"], 1);
    assert_eq!(none, json!({ "payments": [], "first_record": first }));
    let ran = nation.run(&["ledger", "payment", "NONE"]);
    let told = format!("records before {first} were put away");
    assert!(ran.err.contains(&told) && ran.err.contains("--archive"), "{}", ran.err);
    assert_eq!(nation.json(&["ledger", "payment", rrn, "--archive", dir], 0), *payment);
    let none = nation.json(&["ledger", "payment", "NONE", "--archive", dir], 1);
    assert_eq!(none, json!({ "payments": [] }));
}

/// What reversals may still come for goes in a trial nation alone, and it is told.
fn young_stays(nation: &Nation, to: &Path) {
    let path = nation.dir.join("nation.toml");
    let own = std::fs::read_to_string(&path).unwrap();
    let archive = ["ledger", "archive", "--before", "2140-01-01", "--to", to.to_str().unwrap()];
    for (from, into) in [
        ("profile = \"demo\"", "profile = \"production\""),
        ("[security]", "[journal]\nretention_days = 16\n\n[security]"),
    ] {
        std::fs::write(&path, own.replacen(from, into, 1)).unwrap();
        let failure = nation.json(&archive, 2);
        assert_eq!(failure["error"]["kind"], "too_young", "{failure}");
    }
    std::fs::write(&path, &own).unwrap();
    assert!(!to.exists(), "nothing was made");
    let told = nation.run(&[&archive[..], &["--keep"]].concat());
    assert!(told.code == 0 && told.err.contains("of the last 16 days"), "{}", told.err);
    std::fs::remove_dir_all(to).unwrap();
}

/// An index that is not what its segment makes is named, beside the journal and in an archive, and
/// none is none the worse.
fn indexes(nation: &Nation, archive: &str) {
    let config = std::fs::read_to_string(nation.dir.join("nation.toml")).unwrap();
    let config = host::Config::parse(&config, "nation.toml").unwrap();
    let mut disk = FileDisk::open(&nation.dir.join("hub/journal")).unwrap();
    let sealed = journal::index::sealed(&mut disk).unwrap();
    let number = sealed.last().unwrap().number;
    let keys = host::history::HubKeys::new(&config);
    journal::index::build(&mut disk, number, &keys).unwrap();
    let name = journal::index::index_name(number);
    let path = nation.dir.join("hub/journal").join(&name);
    let own = std::fs::read(&path).unwrap();
    for arguments in [&["ledger", "verify"][..], &["ledger", "verify", "--archive", archive]] {
        let whole = nation.json(arguments, 0);
        assert_eq!(check(&whole, "indexes")["looked_at"], 1, "{whole}");
        let mut other = own.clone();
        other[own.len() - 9] ^= 1;
        std::fs::write(&path, &other).unwrap();
        let report = nation.json(arguments, 1);
        let [damage] = report["damage"].as_array().unwrap().as_slice() else { panic!("{report}") };
        let named = (damage["check"].as_str(), damage["file"].as_str());
        assert_eq!(named, (Some("indexes"), Some(name.as_str())), "{report}");
        let page = nation.run(arguments);
        assert!(page.text().contains("WRONG") && page.text().contains("delete it"), "{report}");
        std::fs::write(&path, &own).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    let report = nation.json(&["ledger", "verify"], 0);
    assert_eq!(check(&report, "indexes")["looked_at"], 0, "{report}");
}

pub(crate) fn the_part(to: &Path) -> PathBuf {
    let mut parts = std::fs::read_dir(to).unwrap().map(|entry| entry.unwrap().path());
    parts.find(|path| path.join("manifest.json").exists()).unwrap()
}

/// The archive's tables hold the same, and no card number.
fn tables(to: &Path, transfers: &Value, first: u64) {
    let part = the_part(to);
    let csv = std::fs::read_to_string(part.join("transfers.csv")).unwrap();
    let ids: Vec<&str> = csv.lines().skip(1).map(|line| &line[..32]).collect();
    let list = transfers["transfers"].as_array().unwrap().iter();
    let old = list.filter(|transfer| transfer["record"].as_u64().unwrap() < first);
    assert!(ids.len() > 5 && old.map(|t| &t["id"]).eq(ids.iter().copied()), "{ids:?}");
    for entry in std::fs::read_dir(&part).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |pan: &[u8]| bytes.windows(pan.len()).any(|window| window == pan);
        assert!(!holds(b"9408020000000015") && !holds(b"9408020000000981"));
    }
    let parquet = std::fs::read(part.join("payments.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

/// Whatever is done to an archive is found, and named.
fn altered(nation: &Nation, to: &Path) {
    let dir = to.to_str().unwrap();
    let part = the_part(to);
    let mut names: Vec<String> = std::fs::read_dir(&part)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "manifest.json")
        .collect();
    names.sort();
    for name in &names {
        let path = part.join(name);
        let own = std::fs::read(&path).unwrap();
        let mut other = own.clone();
        other[own.len() / 2] ^= 2;
        std::fs::write(&path, &other).unwrap();
        let report = nation.json(&["ledger", "verify", "--archive", dir], 1);
        let damage = report["damage"].as_array().unwrap();
        let is_named = |damage: &Value| {
            damage["check"] == "archive" && damage["file"].as_str().unwrap().ends_with(name)
        };
        assert!(damage.iter().any(is_named), "{name}: {report}");
        std::fs::write(&path, &own).unwrap();
    }
    // A table of other words, with a manifest that agrees: its records say something else.
    let path = part.join("transfers.csv");
    let own = std::fs::read_to_string(&path).unwrap();
    let manifest = std::fs::read_to_string(part.join("manifest.json")).unwrap();
    let hash = |text: &str| {
        let mut disk = FileDisk::open(&part).unwrap();
        std::fs::write(&path, text).unwrap();
        journal::file_hash(&mut disk, "transfers.csv").unwrap().unwrap().to_string()
    };
    let (true_hash, forged_hash) = (hash(&own), hash(&own.replacen("12.50", "12.51", 1)));
    assert!(manifest.contains(&true_hash) && true_hash != forged_hash);
    let forged = manifest.replace(&true_hash, &forged_hash);
    std::fs::write(part.join("manifest.json"), forged).unwrap();
    let report = nation.json(&["ledger", "verify", "--archive", dir], 1);
    let what = report["damage"][0]["what"].as_str().unwrap();
    assert_eq!(
        (report["damage"].as_array().unwrap().len(), what.contains("records say")),
        (1, true)
    );
    std::fs::write(&path, own).unwrap();
    std::fs::write(part.join("manifest.json"), manifest).unwrap();
    // A segment that is not there.
    let path = part.join(&names[1]);
    let own = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let report = nation.json(&["ledger", "verify", "--archive", dir], 1);
    assert!(check(&report, "chain")["wrong"].as_u64().unwrap() > 0, "{report}");
    std::fs::write(&path, own).unwrap();
    assert_eq!(nation.json(&["ledger", "verify", "--archive", dir], 0)["ok"], true);
    let failure = nation.json(&["ledger", "verify", "--archive", "/nowhere"], 2);
    assert_eq!(failure["error"]["kind"], "no_archive");
    // Another archive than the one that the journal goes on from.
    let other = nation.dir.join("other");
    std::fs::create_dir(&other).unwrap();
    copy(&part, &other.join(part.file_name().unwrap()));
    std::fs::remove_dir_all(&part).unwrap();
    let manifest = other.join(part.file_name().unwrap()).join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let other = other.to_str().unwrap();
    let failure = nation.json(&["ledger", "verify", "--archive", other], 2);
    assert_eq!(failure["error"]["kind"], "newer", "{failure}");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
