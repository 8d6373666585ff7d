//! Files of the hub's journal that are lost or in another's place, as an auditor meets them: what
//! is still in the books, what to do, and how each command ends.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::archive::{copy, cut};
use crate::nation::Nation;

/// Of a nation that has stopped; its journal is in the end what it was.
pub(crate) fn check_stopped(nation: &Nation, rrn: &str) {
    let (journal, own) = (nation.dir.join("hub/journal"), nation.dir.join("own"));
    copy(&journal, &own);
    cut(nation, 3);
    let small = nation.dir.join("small");
    copy(&journal, &small);
    let spoilt = |spoil: &dyn Fn(&Path)| {
        std::fs::remove_dir_all(&journal).unwrap();
        copy(&small, &journal);
        spoil(&journal);
    };
    let whole = nation.json(&["ledger", "verify"], 0);
    let firsts = firsts(nation);
    assert!(firsts.len() > 3, "{firsts:?}");
    for number in [1, 3, firsts.len()] {
        let segment = |journal: &Path| journal.join(format!("{number:010}.seg"));
        spoilt(&|journal| std::fs::remove_file(segment(journal)).unwrap());
        lost(nation, &whole, &firsts, number, "a segment is missing");
        spoilt(&|journal| {
            std::fs::remove_file(segment(journal)).unwrap();
            std::fs::create_dir(segment(journal)).unwrap();
            // What is left of it says nothing against it.
            std::fs::write(segment(journal).with_extension("idx"), [1; 4096]).unwrap();
        });
        lost(nation, &whole, &firsts, number, "this is no file");
        spoilt(&|journal| {
            std::fs::remove_file(segment(journal)).unwrap();
            std::os::unix::fs::symlink("nowhere", segment(journal)).unwrap();
        });
        lost(nation, &whole, &firsts, number, "this is no file");
    }
    spoilt(&|journal| {
        let name = "snapshot-00000000000000000003.snap";
        std::fs::write(journal.join(name), [1; 8192]).unwrap();
    });
    beside(nation, rrn);
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::remove_dir_all(&small).unwrap();
    std::fs::rename(&own, &journal).unwrap();

    let file: PathBuf = nation.dir.join("nation.toml");
    let file = file.to_str().unwrap();
    let failure = crate::rig::run(&["ledger", "verify", "--format", "json", "--dir", file]);
    assert_eq!(failure.code, 2);
    let told = failure.json()["error"]["do"].as_str().unwrap().to_owned();
    assert!(told.contains("name a directory"), "{told}");
}

/// The first record of each segment in use, and one behind the last of all.
fn firsts(nation: &Nation) -> Vec<u64> {
    let mut disk = node::disk::FileDisk::open(&nation.dir.join("hub/journal")).unwrap();
    let sealed = journal::shelf(&mut disk).unwrap().sealed;
    let last = sealed.last().unwrap().last_record + 1;
    sealed.iter().map(|one| one.first_record).chain([last]).collect()
}

/// A segment and its records are lost, and the books are whole up to it.
fn lost(nation: &Nation, whole: &Value, firsts: &[u64], number: usize, what: &str) {
    let report = nation.json(&["ledger", "verify"], 1);
    let (from, all) = (firsts[number - 1], whole["records"].as_u64().unwrap());
    let to = firsts.get(number).map_or(all, |next| next - 1);
    let [damage] = report["damage"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!(damage["file"], format!("{number:010}.seg"), "{report}");
    assert!(damage["what"].as_str().unwrap().contains(what), "{report}");
    assert_eq!((&damage["from_record"], &damage["to_record"]), (&json!(from), &json!(to)));
    assert_eq!((&report["stops_before"], &report["first_record"]), (&json!(from), &json!(1)));
    assert_eq!(
        (&report["complete"], &report["records"]),
        (&json!(false), &json!(all - (to + 1 - from)))
    );
    let told = report["do"][0].as_str().unwrap();
    assert!(told.starts_with("delete nothing"), "{told}");
    assert_eq!(told.contains("copy this one back"), number < firsts.len(), "{told}");
    let page = nation.run(&["ledger", "verify"]);
    let page = page.text();
    assert!(page.contains("\n  do: delete nothing") && !page.contains("put away"), "{page}");
    let transfers = nation.json(&["ledger", "transfers"], 1);
    let listed = transfers["transfers"].as_array().unwrap();
    assert!(listed.iter().all(|one| one["record"].as_u64().unwrap() < from), "{transfers}");
    // The first records of all are of the register: they move nothing.
    assert!(number < firsts.len() || !listed.is_empty(), "{transfers}");
}

/// A snapshot alone: every record is read, and each command ends as with a whole journal.
fn beside(nation: &Nation, rrn: &str) {
    let report = nation.json(&["ledger", "verify"], 1);
    assert_eq!((&report["stops_before"], &report["complete"]), (&Value::Null, &json!(true)));
    assert!(report["do"][0].as_str().unwrap().starts_with("no record is lost"), "{report}");
    let page = nation.run(&["ledger", "verify"]);
    assert!(page.text().contains("\nthe books are whole: "), "{}", page.text());
    for (arguments, code) in [
        (&["ledger", "accounts"][..], 0),
        (&["ledger", "transfers"], 0),
        (&["ledger", "export"], 0),
        (&["ledger", "payment", rrn], 0),
        (&["ledger", "payment", "NONE"], 1),
    ] {
        let list = nation.json(arguments, code);
        assert!(list["complete"] != false && list["damage"].is_null(), "{list}");
        assert!(list["error"].is_null(), "{list}");
        let told = nation.run(arguments).err;
        assert!(told.contains("a file beside the journal is damaged"), "{told}");
    }
}
