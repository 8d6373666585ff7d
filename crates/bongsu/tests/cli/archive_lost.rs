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
        // Which segments a part has says its name, too.
        std::fs::remove_file(&manifest).unwrap();
        refused(nation, dir, rrn, &part.join(&lost[0]));
        std::fs::write(&manifest, &said).unwrap();
        away.put_back();
    }
    let first = part.join(&segments[0]);
    let own = std::fs::read(&first).unwrap();
    std::fs::write(&first, &own[..own.len() - 4096]).unwrap();
    refused(nation, dir, rrn, &first);
    std::fs::write(&first, own).unwrap();
    nation.json(&["ledger", "payment", rrn, "--archive", dir], 0);
}

/// What the journal still has is read there.
pub(crate) fn kept(nation: &Nation, to: &Path) {
    let archived = ["ledger", "export", "--table", "payments", "--archive", to.to_str().unwrap()];
    let whole = nation.json(&archived, 0);
    let away = Away::take(&the_part(to), &["0000000001.seg".to_owned()]);
    assert_eq!(nation.json(&archived, 0), whole);
    away.put_back();
}
