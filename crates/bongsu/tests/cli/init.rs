//! `bongsu init`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::rig::run;

fn empty(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Of an earlier run.
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

#[test]
fn a_starter_nation_holds_and_takes_no_ones_place() {
    let dir = empty("init");
    let path = dir.to_str().unwrap();
    let ran = run(&["init", path, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let made = ran.json()["made"].clone();
    for file in ["nation.toml", "keys/ca.crt", "keys/tls-hub.crt", "keys/tls-bank-100001.crt"] {
        assert!(made.as_array().unwrap().iter().any(|name| name == file), "{file}: {made}");
    }
    let config = dir.join("nation.toml");
    assert_eq!(run(&["config", "check", config.to_str().unwrap()]).code, 0);
    let mut keys = 0;
    for entry in std::fs::read_dir(dir.join("keys")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        keys += 1;
    }
    // Authority, nine peers, four banks' MAC keys, the lock.
    assert_eq!(keys, 2 + 2 * 9 + 2 * 4 + 1);
    // It is not empty any more.
    let ran = run(&["init", path]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("not empty") && ran.err.contains("--renew"), "{}", ran.err);
    let ran = run(&["init", path, "--renew"]);
    assert!(ran.code == 0 && ran.text().contains("nothing"), "{}", ran.text());
    // One more peer, by its name; a name that is none.
    let ran = run(&["init", path, "--for", "PYO00001.terminal.bongsu.internal"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(dir.join("keys/tls-terminal-pyo00001.crt").exists());
    let ran = run(&["init", path, "--for", "pyo00001"]);
    assert!(ran.code == 2 && ran.err.contains("names no peer"), "{}", ran.err);
    // Nothing to renew where nothing is.
    let nowhere = empty("init-nowhere");
    let ran = run(&["init", nowhere.to_str().unwrap(), "--renew"]);
    assert!(ran.code == 2 && ran.err.contains("no nation here"), "{}", ran.err);
    assert!(!nowhere.exists());
}
