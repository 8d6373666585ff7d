//! How the program ends, whatever the command.

use std::process::Stdio;

use crate::rig::{command, run};
use serde_json::{Value, json};

const ECHO: &str = r#"{"mti":"0800","fields":{"11":"000001"}}"#;

#[test]
fn exit_codes() {
    for (code, arguments) in [
        (0, &["--help"][..]),
        (0, &["--version"]),
        (0, &["help", "pay"]),
        (0, &["dialect", "list"]),
        (0, &["message", "encode", ECHO]),
        (1, &["message", "decode", "3038"]),
        (1, &["message", "explain", "3038"]),
        (2, &[]),
        (2, &["dialect"]),
        (2, &["nothing"]),
        (2, &["dialect", "list", "--nothing"]),
        (2, &["message", "decode", "--input", "hex", "3G"]),
        (2, &["message", "decode", "--input", "base64", "?"]),
        (2, &["message", "decode", "@/nowhere"]),
        (2, &["message", "decode", "--dialect", "nothing", "30"]),
        (2, &["message", "encode", "--output", "raw", "--format", "json", ECHO]),
        (2, &["pay", "--amount", "1.00"]),
        (0, &["config", "explain", "participant.cap"]),
        (0, &["config", "explain", "participant"]),
        (0, &["completions", "bash"]),
        (2, &["completions", "nothing"]),
        (2, &["man", "/nowhere"]),
        (2, &["message", "convert", "3038"]),
        (2, &["config", "explain", "participant.cup"]),
        (2, &["config", "check", "/nowhere.toml"]),
        (2, &["config", "diff", "/nowhere.toml"]),
        (2, &["config", "apply", "/nowhere.toml", "--author", "Kim"]),
        (2, &["config", "apply", "nation.toml"]),
        (2, &["ledger", "accounts"]),
        (2, &["ledger", "payment", "632609000012"]),
        (2, &["ledger", "payment"]),
        (2, &["ledger", "payment", "632609000012", "--stan", "1", "--terminal", "A"]),
        (2, &["ledger", "transfers"]),
        (2, &["ledger", "transfers", "--from", "2026-2-3"]),
        (2, &["ledger", "export"]),
        (2, &["ledger", "export", "--format", "text"]),
        (2, &["backup", "--to", "/nowhere"]),
        (2, &["backup"]),
        (2, &["restore", "--from", "/nowhere", "--dir", "/nowhere/else"]),
        (2, &["ledger", "verify"]),
        (2, &["bank", "100002", "book"]),
        (2, &["bank", "x"]),
        (2, &["hub", "--config", "/nowhere.toml"]),
        (2, &["station"]),
        (2, &["up", "--port-base", "65536"]),
        (2, &["pay", "--to", "127.0.0.1:1", "--pan", "9408020000000015", "--amount", "1.00"]),
        (2, &["pay", "--kind", "echo", "--to", "127.0.0.1:1", "--terminal", "PYO00001"]),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}\n{}", ran.err);
        // `message decode` speaks JSON unless told otherwise, so its failures do too.
        let is_json = arguments.get(1) == Some(&"decode") || arguments.contains(&"json");
        let is_silent = code == 2 && !is_json;
        assert_eq!(ran.out.is_empty(), is_silent, "{arguments:?}: data is on standard output");
        assert!(code != 2 || !ran.err.is_empty(), "{arguments:?}: failures say why");
    }
}

#[test]
fn failures_are_json_too() {
    for (kind, arguments) in [
        ("usage", &["dialect", "list", "--nothing", "--format", "json"][..]),
        ("usage", &["nothing", "--format=json"]),
        ("unreadable", &["config", "check", "/nowhere.toml", "--format", "json"]),
        ("unreadable", &["message", "decode", "@/nowhere"]),
        ("no_input", &["message", "decode", ""]),
        ("usage", &["pay", "--pan", "1234", "--amount", "1", "--terminal", "A", "--format=json"]),
        ("unreadable", &["dialect", "check", "/nowhere.toml", "--format", "json"]),
        ("file", &["hub", "--config", "/nowhere.toml", "--format", "json"]),
        ("file", &["up", "--config", "/nowhere.toml", "--format", "json"]),
        ("file", &["station", "nampo", "--config", "/nowhere.toml", "--format", "json"]),
        ("file", &["bank", "100002", "--config", "/nowhere.toml", "--format", "json"]),
        ("file", &["shops", "--config", "/nowhere.toml", "--format=json"]),
        ("no_backup", &["restore", "--from", "/nowhere", "--dir", "/never", "--format", "json"]),
        ("no_nation", &["backup", "--to", "/never", "--format", "json"]),
        ("no_nation", &["ledger", "transfers", "--format", "json"]),
        ("no_nation", &["ledger", "export", "--format", "json"]),
        ("unreadable", &["config", "diff", "/nowhere.toml", "--format", "json"]),
        ("usage", &["config", "apply", "/nowhere.toml", "--format", "json"]),
        ("usage", &["completions", "nothing", "--format", "json"]),
        ("unwritable", &["man", "/nowhere", "--format", "json"]),
        ("unknown_dialect", &["message", "decode", "--dialect", "x", "30"]),
        (
            "no_connection",
            &[
                "pay",
                "--kind",
                "echo",
                "--to",
                "127.0.0.1:1",
                "--terminal",
                "A",
                "--format",
                "json",
            ],
        ),
        ("no_terminal", &["pay", "--kind", "echo", "--to", "127.0.0.1:1", "--format", "json"]),
        (
            "usage",
            &[
                "pay",
                "--kind",
                "reversal",
                "--pan",
                "9408020000000015",
                "--amount",
                "1",
                "--terminal",
                "A",
                "--format",
                "json",
            ],
        ),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        let json = ran.json();
        assert_eq!(json["error"]["kind"], json!(kind), "{arguments:?} {json}");
        for key in ["message", "where", "do"] {
            let text = json["error"].get(key);
            let is_told = text.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            assert!(is_told, "{arguments:?} {json}");
        }
        assert!(json["error"]["message"].is_string(), "{json}");
    }
}

#[test]
fn failures_name_what_is_meant() {
    let pan = ["--pan", "9408020000000015", "--terminal", "A", "--format", "json"];
    let pay = |more: &[&'static str]| [&["pay"], more, &pan[..]].concat();
    for (part, arguments) in [
        // A colon alone says nothing: the names belong to it.
        ("were not provided: <FILE>", vec!["dialect", "check", "--format", "json"]),
        ("no month from 01 to 12", pay(&["--amount", "1", "--expiry", "1231"])),
        ("an amount is needed", pay(&[])),
        ("-1: ", pay(&["--amount", "-1"])),
        ("No such file or directory", vec!["up", "--config", "/nowhere.toml"]),
        ("No such file or directory", vec!["config", "check", "/nowhere.toml"]),
        ("no running nation found in ./bongsu-data", vec!["pay", "--kind", "echo"]),
        // Neither is a directory; that is not the same as an empty one.
        ("it can't be read", vec!["bank", "100002", "book", "--dir", "/dev/null"]),
        ("it can't be read", vec!["ledger", "verify", "--dir", "/dev/null"]),
        ("it can't be read", vec!["pay", "--kind", "echo", "--dir", "/dev/null"]),
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 2, "{arguments:?} {}", ran.err);
        let told = if ran.out.is_empty() { ran.err.clone() } else { ran.text().to_owned() };
        assert!(told.contains(part), "{arguments:?} {told}");
    }
    for action in ["decode", "explain"] {
        let ran = run(&["message", action, " \n", "--format", "json"]);
        assert!(ran.code == 2 && ran.text().contains("the input is empty"), "{}", ran.text());
    }
}

#[test]
fn the_version_is_the_commit_of_a_replay() {
    let version = run(&["--version"]);
    let release = concat!("bongsu ", env!("CARGO_PKG_VERSION"));
    let rest = version.text().strip_prefix(release).unwrap();
    let commit = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    assert!(rest.is_empty() || commit.is_some(), "{rest}");
    let commit = commit.map(|commit| commit.trim_end_matches(", modified"));
    assert!(commit.is_none_or(|c| c.bytes().all(|b| b.is_ascii_hexdigit())), "{rest}");
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    for (code, arguments) in [
        (0, &["--help"][..]),
        (0, &["dialect", "list"]),
        (0, &["message", "encode", ECHO]),
        (1, &["message", "decode", "3038"]),
        (2, &["nothing", "--format", "json"]),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked"), "{arguments:?} {err}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&["dialect", "list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("can't be written"));
}

#[test]
fn colours_are_for_terminals() {
    let ran = run(&["message", "explain", "3038"]);
    assert!(!ran.text().contains('\x1b'), "{}", ran.text());
    assert!(!ran.err.contains('\x1b'), "{}", ran.err);
}

#[test]
fn the_same_seed_is_the_same_nation() {
    let first = run(&["sim", "--seeds", "0..2", "--format", "json"]);
    assert_eq!(first.code, 0, "{}", first.err);
    let json = first.json();
    assert_eq!((&json["ok"], &json["seeds"]), (&json!(true), &json!(2)), "{json}");
    assert!(json["payments"].as_u64().is_some_and(|payments| payments > 0), "{json}");
    assert_eq!(run(&["sim", "--seeds", "0..2", "--format", "json"]).out, first.out);
    let told = run(&["sim", "--seeds", "1", "--tell"]);
    assert!(told.code == 0 && told.err.lines().count() > 10, "{}", told.err);
    assert!(told.text().contains("fine: 1 seed, "), "{}", told.text());
    assert_eq!(run(&["sim", "--seeds", "0..2", "--tell"]).code, 2);
    assert_eq!(run(&["sim", "--seeds", "2..1"]).code, 2);
}

/// Completions name the commands, and each command has its page.
#[test]
fn completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert!(script.code == 0 && script.text().contains("ledger"), "{shell} {}", script.err);
    }
    let dir = format!("{}/man-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::create_dir_all(&dir).unwrap();
    let ran = run(&["man", &dir, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let files = ran.json()["files"].as_array().unwrap().clone();
    for page in ["bongsu.1", "bongsu-ledger-payment.1", "bongsu-bank-book.1"] {
        let path = format!("{dir}/{page}");
        assert!(files.contains(&json!(path)), "{files:?}");
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), files.len());
    let hidden = |file: &&Value| file.as_str().unwrap().ends_with("generate.1");
    assert_eq!(files.iter().find(hidden), None);
    std::fs::remove_dir_all(&dir).unwrap();
    let failure = run(&["man", &dir, "--format", "json"]).json();
    assert_eq!(failure["error"]["kind"], "unwritable", "{failure}");
}
