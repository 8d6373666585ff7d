//! An archive that lacks a segment: nothing that is read from it may seem whole.

use std::path::Path;

use serde_json::{Value, json};

use crate::archive::the_part;
use crate::nation::Nation;

/// Segments of a part that are moved away, and how they are put back.
struct Away {
    moved: Vec<(std::path::PathBuf, Vec<u8>)>,
}

impl Away {
    fn take(part: &Path, files: &[String]) -> Self {
        let take = |file: &String| {
            let path = part.join(file);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            (path, bytes)
        };
        Self { moved: files.iter().map(take).collect() }
    }

    fn put_back(self) {
        for (path, bytes) in self.moved {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Every command that reads it refuses it, by the name of the file.
fn refused(nation: &Nation, dir: &str, rrn: &str, file: &Path) {
    for arguments in [
        &["ledger", "export", "--table", "payments"][..],
        &["ledger", "export", "--table", "findings"],
        &["ledger", "transfers"],
        &["ledger", "payment", rrn],
    ] {
        let failure = nation.json(&[arguments, &["--archive", dir]].concat(), 1);
        let [(key, error)] = failure.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
            panic!("{failure}")
        };
        assert_eq!((key.as_str(), &error["kind"]), ("error", &json!("damaged")), "{failure}");
        assert_eq!(error["where"], *file.to_str().unwrap(), "{arguments:?}: {failure}");
        assert!(error["do"].as_str().unwrap().contains("another copy"), "{failure}");
    }
}

/// Of an archive of one part, whose segments the journal has no more.
pub(crate) fn check(nation: &Nation, to: &Path, rrn: &str) {
    let dir = to.to_str().unwrap();
    let part = the_part(to);
    let manifest = part.join("manifest.json");
    let said = std::fs::read_to_string(&manifest).unwrap();
    let whole: Value = serde_json::from_str(&said).unwrap();
    let files = whole["files"].as_array().unwrap().iter();
    let segments: Vec<String> = files
        .filter(|file| file["kind"] == "segment")
        .map(|file| file["file"].as_str().unwrap().to_owned())
        .collect();
    let all = segments.len();
    for lost in [&segments[..1], &segments[..2], &segments[1..2], &segments[all - 1..], &segments] {
        let away = Away::take(&part, lost);
        refused(nation, dir, rrn, &part.join(&lost[0]));
        let first = &whole["files"][segments.iter().position(|s| *s == lost[0]).unwrap()];
        verified(nation, to, lost, &first["records"]["first"]);
        // Which segments a part has says its name, too.
        std::fs::remove_file(&manifest).unwrap();
        refused(nation, dir, rrn, &part.join(&lost[0]));
        let report = nation.json(&["ledger", "verify", "--archive", dir], 1);
        assert_eq!(report["complete"], false, "{report}");
        assert!(report.to_string().contains(&lost[0]), "{report}");
        std::fs::write(&manifest, &said).unwrap();
        away.put_back();
    }
    let first = part.join(&segments[0]);
    let own = std::fs::read(&first).unwrap();
    std::fs::write(&first, &own[..own.len() - 4096]).unwrap();
    refused(nation, dir, rrn, &first);
    std::fs::write(&first, own).unwrap();
    nation.json(&["ledger", "payment", rrn, "--archive", dir], 0);
    blamed(nation, to, &whole["records"]["last"], &segments[0]);
}

fn files(report: &Value) -> Vec<&str> {
    let damage = report["damage"].as_array().unwrap().iter();
    damage.map(|damage| damage["file"].as_str().unwrap()).collect()
}

/// That all is the archive's, and of these files.
fn is_of(report: &Value, part: &str, named: &[String]) {
    let named: Vec<String> = named.iter().map(|file| format!("{part}/{file}")).collect();
    let found = files(report);
    assert!(found.iter().all(|file| named.iter().any(|named| named == file)), "{report}");
    assert!(named.iter().all(|file| found.contains(&file.as_str())), "{report}");
    let [remedy] = report["do"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert!(remedy.as_str().unwrap().contains("another copy of the archive"), "{report}");
}

/// `verify` goes on, says up to where the books are whole, and blames nothing else.
fn verified(nation: &Nation, to: &Path, lost: &[String], first: &Value) {
    let verify = ["ledger", "verify", "--archive", to.to_str().unwrap()];
    let report = nation.json(&verify, 1);
    let said = (&report["ok"], &report["complete"], &report["stops_before"]);
    assert_eq!(said, (&json!(false), &json!(false), first), "{report}");
    is_of(&report, the_part(to).file_name().unwrap().to_str().unwrap(), lost);
    let page = nation.run(&verify);
    assert!(!page.text().contains("the books are whole"), "{}", page.text());
    let begins = report["first_record"].as_u64().unwrap();
    let told = format!("records 1 to {} were not read", begins - 1);
    assert_eq!(page.text().contains(&told), begins > 1, "{}", page.text());
    assert_eq!(begins > 1, *first == 1, "{report}");
}

/// Of one byte that is another, its own file is named, and no intact one.
fn blamed(nation: &Nation, to: &Path, last: &Value, segment: &str) {
    let verify = ["ledger", "verify", "--archive", to.to_str().unwrap()];
    let part = the_part(to);
    let name = part.file_name().unwrap().to_str().unwrap();
    let anchor = format!("anchor-{:020}.anc", last.as_u64().unwrap());
    let flipped = |path: &Path| {
        let own = std::fs::read(path).unwrap();
        let mut other = own.clone();
        other[own.len() / 2] ^= 1;
        std::fs::write(path, other).unwrap();
        let report = nation.json(&verify, 1);
        std::fs::write(path, own).unwrap();
        report
    };
    let here = nation.dir.join("hub/journal").join(&anchor);
    let report = flipped(&here);
    assert_eq!(files(&report), [&anchor], "{report}");
    assert_eq!(report["damage"][0]["check"], "snapshots", "{report}");
    let report = flipped(&part.join(&anchor));
    assert_eq!(files(&report), [format!("{name}/{anchor}")], "{report}");
    is_of(&report, name, std::slice::from_ref(&anchor));
    // The archive's alone.
    let own = std::fs::read(&here).unwrap();
    std::fs::remove_file(&here).unwrap();
    let report = flipped(&part.join(&anchor));
    std::fs::write(&here, own).unwrap();
    assert!(files(&report).contains(&format!("{name}/{anchor}").as_str()), "{report}");
    let report = flipped(&part.join(segment));
    assert_eq!(report["complete"], false, "{report}");
    is_of(&report, name, &[segment.to_owned()]);
}

/// What the journal still has is read there.
pub(crate) fn kept(nation: &Nation, to: &Path) {
    let archived = ["ledger", "export", "--table", "payments", "--archive", to.to_str().unwrap()];
    let whole = nation.json(&archived, 0);
    let away = Away::take(&the_part(to), &["0000000001.seg".to_owned()]);
    assert_eq!(nation.json(&archived, 0), whole);
    away.put_back();
}
