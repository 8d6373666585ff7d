//! `bongsu config` from outside.

use serde_json::json;

use crate::rig::run;

const EXAMPLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/four-stations/nation.toml");

#[test]
fn the_example_is_fine() {
    let ran = run(&["config", "check", EXAMPLE]);
    assert_eq!(ran.code, 0, "{}", ran.text());
    let json = run(&["config", "check", EXAMPLE, "--format", "json"]).json();
    assert_eq!((&json["ok"], &json["stations"]), (&json!(true), &json!(4)), "{json}");
    assert_eq!((&json["participants"], &json["terminals"]), (&json!(4), &json!(80)), "{json}");
}

#[test]
fn production_is_fine_too() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let file = format!("{}/production-nation.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, text.replace("\"demo\"", "\"production\"")).unwrap();
    let ran = run(&["config", "check", &file]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    // A key that is not there is told in the system's words.
    let dir = crate::nation::fresh("no-keys");
    let dir = dir.to_str().unwrap();
    let base = crate::nation::free_base(2).to_string();
    let hub = run(&["hub", "--config", &file, "--dir", dir, "--port-base", &base]);
    let told = "cannot read the file: No such file or directory";
    assert!(hub.code == 2 && hub.err.contains(told) && !hub.err.contains("Os {"), "{}", hub.err);
    drop(std::fs::remove_dir_all(dir));
}

#[test]
fn every_error_at_once_with_its_line() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let broken = format!("{text}\n[nonsense]\na = 1\n").replacen("[nation]", "[nation]\nx = 1", 1);
    let line = |what: &str| 1 + broken.lines().position(|line| line == what).unwrap();
    let (first, second) = (line("x = 1"), line("[nonsense]"));
    let file = format!("{}/broken-nation.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, &broken).unwrap();
    let ran = run(&["config", "check", &file]);
    assert_eq!(ran.code, 1, "{}", ran.text());
    for line in [first, second] {
        assert!(ran.text().contains(&format!("{file}:{line}:")), "{line}: {}", ran.text());
    }
    let json = run(&["config", "check", &file, "--format", "json"]).json();
    assert_eq!((&json["ok"], json["errors"].as_array().unwrap().len()), (&json!(false), 2));
    let place = json["errors"][0]["where"].as_str().unwrap();
    assert!(place.starts_with(&format!("{file}:{first}:")), "{place}");
}

#[test]
fn a_key_is_explained() {
    let ran = run(&["config", "explain", "participant.cap"]);
    assert!(ran.text().starts_with("participant.cap\n"), "{}", ran.text());
    let section = run(&["config", "explain", "participant", "--format", "json"]).json();
    let keys = section["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["key"] == "participant.cap"), "{section}");
    let ran = run(&["config", "explain", "participant.cup"]);
    assert!(ran.code == 2 && ran.err.contains("is participant.cap meant?"), "{}", ran.err);
    let ran = run(&["config", "explain", "cap"]);
    assert!(ran.code == 2 && ran.err.contains("is participant.cap meant?"), "{}", ran.err);
}
