//! What an archive says of itself, and whose it is, is believed of nobody.

use std::path::Path;

use serde_json::{Value, json};

use crate::archive::{copy, cut, the_part};
use crate::nation::Nation;

/// The names of the files that are wrong, as the check of archives has them.
fn wrong(nation: &Nation, dir: &str) -> Vec<String> {
    let report = nation.json(&["ledger", "verify", "--archive", dir], 1);
    assert_eq!(report["ok"], false);
    let damage = report["damage"].as_array().unwrap().iter();
    let archive = damage.filter(|damage| damage["check"] == "archive");
    archive.map(|damage| damage["file"].as_str().unwrap().to_owned()).collect()
}

/// Every value of a document that is none of values, by its pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            (0..list.len()).for_each(|i| leaves(&list[i], &format!("{at}/{i}"), found));
        }
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(at.to_owned());
        }
    }
}

/// Another value of the same form.
fn other(value: &Value) -> Value {
    if let Some(number) = value.as_u64() {
        return json!(if number > 1 { number - 1 } else { number + 1 });
    }
    let text = value.as_str().unwrap();
    match text.rfind(|c: char| c.is_ascii_digit()) {
        Some(at) => {
            let digit = if &text[at..=at] == "1" { "2" } else { "1" };
            json!(format!("{}{digit}{}", &text[..at], &text[at + 1..]))
        }
        None => json!(format!("{text}s")),
    }
}

/// Each value of a manifest, changed: of the whole, and of the first file of each kind.
pub(crate) fn manifest(nation: &Nation, to: &Path) {
    let dir = to.to_str().unwrap();
    let part = the_part(to);
    let name = part.file_name().unwrap().to_str().unwrap();
    let path = part.join("manifest.json");
    let own = std::fs::read_to_string(&path).unwrap();
    let whole: Value = serde_json::from_str(&own).unwrap();
    let files = whole["files"].as_array().unwrap();
    let first = |kind| files.iter().position(|file| file["kind"] == kind).unwrap();
    let wanted = ["segment", "anchor", "table"].map(|kind| format!("/files/{}/", first(kind)));
    let mut found = Vec::new();
    leaves(&whole, "", &mut found);
    // Nothing else knows who made it, and when; a format of 2 is a later one.
    let unproved = ["/made_by", "/made_at", "/format"];
    found.retain(|at| {
        let of_file = at.starts_with("/files/");
        !unproved.contains(&at.as_str()) && (!of_file || wanted.iter().any(|w| at.starts_with(w)))
    });
    assert!(found.len() > 30, "{found:?}");
    for at in &found {
        let mut forged = whole.clone();
        let value = forged.pointer_mut(at).unwrap();
        *value = other(value);
        std::fs::write(&path, format!("{forged:#}\n")).unwrap();
        let files = wrong(nation, dir);
        assert!(files.iter().all(|file| file.starts_with(name)), "{at}: {files:?}");
        assert!(!files.is_empty(), "{at}: {}", forged.pointer(at).unwrap());
    }
    // Longer by a digit, and twice: the manifest is none.
    let sum = whole["last_frame_sha256"].as_str().unwrap();
    for (from, into) in [
        (format!("\"{sum}\""), format!("\"{sum}0\"")),
        ("\"node\": \"hub\",".to_owned(), "\"node\": \"hub\", \"node\": \"hub\",".to_owned()),
    ] {
        assert!(own.contains(&from));
        std::fs::write(&path, own.replace(&from, &into)).unwrap();
        assert_eq!(wrong(nation, dir), [format!("{name}/manifest.json")]);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(wrong(nation, dir), [format!("{name}/manifest.json")]);
    std::fs::write(&path, &own).unwrap();
    // What is not listed is not of the part, and could be read as the journal's.
    std::fs::write(part.join("snapshot-00000000000000000007.snap"), b"").unwrap();
    assert_eq!(wrong(nation, dir), [format!("{name}/snapshot-00000000000000000007.snap")]);
    std::fs::remove_file(part.join("snapshot-00000000000000000007.snap")).unwrap();
    // The anchor that stands for what is in the archive is the journal's own affair.
    let segments = &whole["segments"];
    let last = whole["records"]["last"].as_u64().unwrap();
    assert!(segments["last"].as_u64().unwrap() > 1);
    let anchor = format!("anchor-{last:020}.anc");
    let here = nation.dir.join("hub/journal").join(&anchor);
    std::fs::remove_file(&here).unwrap();
    for arguments in [&["ledger", "verify"][..], &["ledger", "verify", "--archive", dir]] {
        let report = nation.json(arguments, 1);
        let damage = report["damage"].as_array().unwrap();
        let named = damage.iter().find(|damage| damage["file"] == *anchor).unwrap();
        assert_eq!(named["check"], "snapshots", "{report}");
        let told = named["what"].as_str().unwrap();
        let has_it = told.contains(&format!("the archive's {name} has it"));
        assert_eq!(has_it, arguments.len() > 2, "{told}");
        let [remedy] = report["do"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert!(remedy.as_str().unwrap().contains("copy the anchor back"), "{report}");
    }
    std::fs::copy(part.join(&anchor), &here).unwrap();
    assert_eq!(nation.json(&["ledger", "verify"], 0)["ok"], true);
    assert_eq!(nation.json(&["ledger", "verify", "--archive", dir], 0)["ok"], true);
}

/// A copy of what the journal still has, changed with its manifest: the journal is what is read,
/// and the copy must be the same all the same, and is not removed for.
pub(crate) fn copies(nation: &Nation, to: &Path) {
    let part = the_part(to);
    let path = part.join("manifest.json");
    let (segment, file) = (part.join("0000000001.seg"), "0000000001.seg");
    let (own, bytes) = (std::fs::read_to_string(&path).unwrap(), std::fs::read(&segment).unwrap());
    let mut forged = bytes.clone();
    forged[bytes.len() / 2] ^= 1;
    let hash = |bytes: &[u8]| journal::Hash::of(bytes).to_string();
    assert!(own.contains(&hash(&bytes)));
    std::fs::write(&segment, &forged).unwrap();
    std::fs::write(&path, own.replace(&hash(&bytes), &hash(&forged))).unwrap();
    let name = part.file_name().unwrap().to_str().unwrap();
    assert_eq!(wrong(nation, to.to_str().unwrap()), [format!("{name}/{file}")]);
    let archive = ["ledger", "archive", "--before", "2140-01-01", "--to", to.to_str().unwrap()];
    let refused = nation.json(&archive, 1);
    assert_eq!(refused["error"]["kind"], "damaged", "{refused}");
    std::fs::write(&segment, &bytes).unwrap();
    std::fs::write(&path, &own).unwrap();
}

/// Which payments are synthetic says the configuration alone, and it may have changed since.
pub(crate) fn probes(nation: &Nation) {
    let (path, to) = (nation.dir.join("nation.toml"), nation.dir.join("probed"));
    let dir = to.to_str().unwrap();
    let own = std::fs::read_to_string(&path).unwrap();
    let probed = own.replacen("shops = [11, 19]\n", "shops = [11, 19]\nprobe = 1\n", 1);
    for (then, now, tills) in [(&own, &probed, json!([])), (&probed, &own, json!([TILL]))] {
        std::fs::write(&path, then).unwrap();
        let archive = ["ledger", "archive", "--before", "2140-01-01", "--keep", "--to", dir];
        nation.json(&archive, 0);
        let manifest = the_part(&to).join("manifest.json");
        let text = std::fs::read_to_string(&manifest).unwrap();
        let made: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(made["probes"], tills);
        std::fs::write(&path, now).unwrap();
        assert_eq!(nation.json(&["ledger", "verify", "--archive", dir], 0)["ok"], true);
        for forged in [json!([]), json!([TILL]), json!(["1/A", TILL]), json!(["1/A"])] {
            if forged == made["probes"] {
                continue;
            }
            let mut other = made.clone();
            other["probes"] = forged;
            std::fs::write(&manifest, other.to_string()).unwrap();
            assert!(!wrong(nation, dir).is_empty(), "{other}");
        }
        std::fs::remove_dir_all(&to).unwrap();
    }
    std::fs::write(&path, own).unwrap();
}

/// A till of the first station, which has paid.
const TILL: &str = "100001/PYO00001";

/// The archive of another journal, beside one of which nothing was put away and one of which as
/// much was: neither is blamed, and nothing is put to it. Ends with the journal as it was.
pub(crate) fn of_another(nation: &Nation) {
    let journal = nation.dir.join("hub/journal");
    let (kept, to) = (nation.dir.join("kept"), nation.dir.join("foreign"));
    let dir = to.to_str().unwrap();
    let archive = ["ledger", "archive", "--before", "2140-01-01", "--to"];
    copy(&journal, &kept);
    // The same records in other frames: another journal.
    cut(nation, 2);
    let made = nation.json(&[&archive[..], &[dir, "--keep"]].concat(), 0);
    let last = made["made"]["segments"]["last"].as_u64().unwrap();
    let put_back = || {
        std::fs::remove_dir_all(&journal).unwrap();
        copy(&kept, &journal);
    };
    let refused = || {
        for arguments in [
            &["ledger", "verify", "--archive", dir][..],
            &["ledger", "export", "--archive", dir],
            &["ledger", "transfers", "--archive", dir],
            &[&archive[..], &[dir, "--keep"]].concat(),
            &[&archive[..], &[dir]].concat(),
        ] {
            let error = &nation.json(arguments, 1)["error"];
            assert_eq!((&error["kind"], &error["where"]), (&json!("other_archive"), &json!(dir)));
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("is not of this journal"), "{arguments:?}: {message}");
        }
    };
    put_back();
    refused();
    let own = nation.dir.join("own-archive");
    let put = nation.json(&[&archive[..], &[own.to_str().unwrap()]].concat(), 0);
    let begins = put["made"]["segments"]["last"].as_u64().unwrap() + 1;
    assert!(begins > 2 && begins <= last + 1, "{put}: the other one leads as far, {last}");
    let file = the_part(&own);
    refused();
    // A part less than the journal goes on from, and one more.
    std::fs::rename(&file, own.join("moved")).unwrap();
    let error = nation.json(&["ledger", "verify", "--archive", own.to_str().unwrap()], 2);
    assert_eq!(error["error"]["kind"], "no_archive");
    for (name, what) in [
        ("0000000001-0000000001", "begins with segment"),
        (&*format!("0000000002-{:010}", begins - 1), "not there"),
    ] {
        let part = own.join(name);
        copy(&own.join("moved"), &part);
        std::fs::remove_file(part.join("manifest.json")).unwrap();
        let ran = nation.run(&["ledger", "verify", "--archive", own.to_str().unwrap()]);
        let told = format!("{}{}", ran.text(), ran.err);
        assert!(ran.code == 1 && told.contains(what), "{name}: {told}");
        std::fs::remove_dir_all(part).unwrap();
    }
    put_back();
    for dir in [kept, to, own] {
        std::fs::remove_dir_all(dir).unwrap();
    }
}
