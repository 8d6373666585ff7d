//! `bongsu bench`: every measurement runs, says what scripts rely on, and leaves nothing behind.
//! How fast anything is, is no matter here.

use std::path::PathBuf;

use serde_json::Value;

use crate::rig::run;

/// Runs a measurement that writes below a directory of its own.
fn measured(name: &str, arguments: &[&str]) -> Value {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
    std::fs::create_dir_all(&scratch).unwrap();
    let place = scratch.display().to_string();
    let mut all = vec!["bench"];
    all.extend(arguments);
    all.extend(["--scratch", &place, "--format", "json"]);
    let ran = run(&all);
    assert_eq!(ran.code, 0, "{} {}", ran.err, String::from_utf8_lossy(&ran.out));
    let left: Vec<_> = std::fs::read_dir(&scratch).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    ran.json()
}

fn check_switch(name: &str, topology: &str, tls: bool, arguments: &[&str]) {
    let mut all = vec!["switch", "--at", topology, "--seconds", "1", "--connections", "8"];
    all.extend(arguments);
    let seen = measured(name, &all);
    for key in ["p50_ms", "p99_ms", "p999_ms", "max_ms", "seconds", "frames", "stalls"] {
        assert!(seen[key].is_number(), "{key}: {seen}");
    }
    assert!(seen["payments_per_s"].as_f64().unwrap() > 0.0, "{seen}");
    assert!(seen["frames"].as_u64().unwrap() > 0, "{seen}");
    assert_eq!((&seen["connections"], &seen["depth"]), (&8.into(), &2.into()));
    assert_eq!((&seen["tls"], &seen["mac"]), (&tls.into(), &tls.into()));
    assert_eq!(seen["topology"], topology);
    assert_eq!((&seen["durable"], &seen["errors"]), (&true.into(), &0.into()), "{seen}");
    assert_eq!(seen["declined"], 0, "{seen}");
}

#[test]
fn bench_switch_measures_a_hub_and_a_station() {
    check_switch("hub", "hub", true, &["--depth", "2"]);
    check_switch("hub-rate", "hub", false, &["--plain", "--depth", "2", "--rate", "100"]);
    check_switch("station", "station", true, &["--depth", "2"]);
}

#[test]
fn bench_ledger_codec_and_recovery_say_what_they_measured() {
    let seen = measured("ledger", &["ledger", "--batch", "64", "--seconds", "1"]);
    let rows = seen["rows"].as_array().unwrap();
    let shapes: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::json!([row["engine"], row["submitters"], row["accounts"]]))
        .collect();
    let expected = serde_json::json!([
        ["embedded", 1, 1000],
        ["embedded", 1, 10],
        ["embedded", 16, 1000],
        ["embedded", 16, 10]
    ]);
    assert_eq!(Value::from(shapes), expected);
    assert!(rows[0]["of_many_accounts"].is_null() && rows[0]["of_tigerbeetle"].is_null());
    assert!(rows[1]["of_many_accounts"].is_number(), "{rows:?}");
    for row in rows {
        let (transfers, frames) = (&row["transfers_per_s"], &row["frames"]);
        assert!(transfers.as_f64().unwrap() > 0.0 && frames.as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["batch"], 64);
    }
    let seen = measured("recovery", &["recovery", "--payments", "300"]);
    assert!(seen["payments"].as_u64().unwrap() >= 300, "{seen}");
    assert!(seen["records"].as_u64().unwrap() >= 600, "{seen}");
    assert!(seen["seconds_to_ready"].as_f64().unwrap() > 0.0, "{seen}");
    let ran = run(&["bench", "codec", "--seconds", "4", "--format", "json"]);
    assert!(ran.err.contains(" s of measuring\n"), "{}", ran.err);
    let codec = ran.json();
    let (messages, bytes) = (&codec["messages_per_s"], &codec["bytes_per_s"]);
    assert!(bytes.as_f64().unwrap() > 200.0 * messages.as_f64().unwrap(), "{codec}");
}

#[test]
fn bench_hostile_harms_a_station_and_says_what_its_payers_noticed() {
    let small = ["--seconds", "1", "--runs", "1", "--rate", "50", "--storm", "20"];
    let mut all = vec!["hostile", "--harm", "frames", "--harm", "storm"];
    all.extend(small);
    let seen = measured("hostile", &all);
    let rows = seen["rows"].as_array().unwrap();
    let kinds: Vec<&str> = rows.iter().map(|row| row["harm"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["frames", "storm"]);
    for row in rows {
        assert!(row["ratio"].is_number() && row["payments"].as_u64().unwrap() > 0, "{row}");
        assert_eq!((&row["declined"], &row["errors"]), (&0.into(), &0.into()), "{row}");
        for role in ["hub_bytes", "station_bytes"] {
            assert!(row[role]["after"].as_u64().unwrap() > 0, "{row}");
        }
    }
}
