//! A nation under traffic is backed up, restored elsewhere, and goes on there.

use std::path::Path;

use serde_json::{Value, json};

use crate::nation::{Nation, fresh, start};
use crate::rig::{eventually, run};

const EXAMPLE: &str = include_str!("../../../../examples/four-stations/nation.toml");

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn listed(dir: &Path) -> Vec<Value> {
    let ran = run(&["ledger", "transfers", "--format", "json", "--dir", text(dir)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()["transfers"].as_array().unwrap().clone()
}

#[test]
fn a_nation_under_traffic_is_restored_elsewhere() {
    // Purchases and their reversals alone: whose money a transfer was is seen from its accounts.
    let dir = fresh("live");
    let others = ["cash_share", "refund_share", "balance_share", "preauth_share"];
    let plain = |line: &str| match others.iter().find(|name| line.starts_with(*name)) {
        Some(name) => format!("{name} = 0\n"),
        None => format!("{line}\n"),
    };
    let config: String = EXAMPLE.lines().map(plain).collect();
    assert_eq!(config.matches("_share = 0\n").count(), others.len());
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("nation.toml"), config).unwrap();
    let mut nation = start(dir, "100", 1);
    let posted = |list: &[Value]| list.iter().filter(|t| t["leg"] == "post").count();
    eventually("something is paid", || posted(&listed(&nation.dir)) > 50);

    let (target, keys, new) = (fresh("backup"), fresh("backup-keys"), fresh("restored"));
    let inside = target.join("keys");
    let failure = nation.json(&["backup", "--to", text(&target), "--keys-to", text(&inside)], 2);
    assert_eq!(failure["error"]["kind"], "usage", "{failure}");
    let arguments = ["backup", "--to", text(&target), "--keys-to", text(&keys)];
    let made = nation.json(&arguments, 0);
    assert_eq!(made["verified"], true, "{made}");
    // The hub, four stations, four banks; only key files hold keys.
    let roles = made["roles"].as_array().unwrap();
    assert_eq!(roles.len(), 9, "{made}");
    assert!(made["key_files"].as_u64().unwrap() > 5 && !target.join("keys").exists());
    let again = nation.json(&arguments, 2);
    assert_eq!(again["error"]["kind"], "not_empty", "{again}");

    eventually("more is paid", || posted(&listed(&nation.dir)) > posted(&listed(&target)) + 50);
    nation.stop();
    let (live, copy) = (listed(&nation.dir), listed(&target));
    assert!(posted(&copy) > 50, "the copy is of a nation under traffic");
    assert_eq!(copy, live[..copy.len()], "the copy is what was, up to its moment");

    let restore = ["restore", "--from", text(&target), "--dir", text(&new)];
    let with_keys = [&restore[..], &["--keys", text(&keys), "--format", "json"]].concat();
    let told = run(&with_keys);
    assert_eq!(told.code, 0, "{}", told.err);
    let told = told.json();
    assert_eq!((&told["epoch_before"], &told["epoch"]), (&json!(1), &json!(2)), "{told}");
    assert_eq!(run(&with_keys).json()["error"]["kind"], "not_empty");
    let verdict = run(&["ledger", "verify", "--format", "json", "--dir", text(&new)]);
    assert_eq!((verdict.code, &verdict.json()["ok"]), (0, &json!(true)), "{}", verdict.err);
    assert_eq!(listed(&new), copy);
    let holds = copy.iter().filter(|t| t["state"] == "pending").count();
    let ended = copy.iter().filter(|t| t["hold"].is_string()).count();
    assert_eq!(told["in_flight"], (holds - ended) as u64, "{told}");

    let mut restored = start(new, "0", 1);
    let sale = restored.pay(&["--amount", "12.50"], 0);
    assert_eq!(sale["approved"], true, "{sale}");
    let list = listed(&restored.dir);
    assert_eq!(list[..copy.len()], copy);
    let held: Vec<&Value> = copy.iter().filter(|t| t["state"] == "pending").collect();
    for hold in held {
        let ends = list.iter().filter(|t| t["hold"] == hold["id"]).count();
        assert_eq!(ends, 1, "what was in flight is voided at the start: {hold}");
    }
    assert_eq!(restored.json(&["ledger", "verify"], 0)["ok"], true);
    books_agree(&restored);
    restored.stop();
    // A second start is as good as the first.
    let mut restored = start(restored.dir.clone(), "0", 1);
    restored.stop();
    damaged(&nation, &target);
    for dir in [&nation.dir, &restored.dir, &target, &keys] {
        std::fs::remove_dir_all(dir).unwrap();
    }
}

fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// What the ledger has taken from an issuer's cards: posts less returns.
fn taken(transfers: &[Value], issuer: &str) -> i64 {
    let accounts = [format!("position:{issuer}"), format!("onus_issued:{issuer}")];
    let is_own = |account: &Value| accounts.iter().any(|own| account == own);
    let of = |transfer: &Value| match transfer["leg"].as_str().unwrap() {
        "post" if is_own(&transfer["debit"]) => minor(&transfer["amount"]),
        "reverse" if is_own(&transfer["credit"]) => -minor(&transfer["amount"]),
        _ => 0,
    };
    transfers.iter().map(of).sum()
}

/// The same in the issuer's own book.
fn booked(nation: &Nation, issuer: &str) -> i64 {
    let book = nation.json(&["bank", issuer, "book"], 0);
    let accounts = book["accounts"].as_array().unwrap().iter();
    let entries = accounts.flat_map(|account| account["entries"].as_array().unwrap());
    let of = |entry: &Value| match entry["kind"].as_str().unwrap() {
        "purchase" => minor(&entry["amount"]).abs(),
        "reversal" => -minor(&entry["amount"]).abs(),
        _ => 0,
    };
    entries.map(of).sum()
}

/// Ledger and banks were copied as of one moment: what was in flight is undone on both sides, and
/// then each book is what the ledger says.
fn books_agree(nation: &Nation) {
    for issuer in ["100001", "100002", "100003", "100004"] {
        let both = || (taken(&listed(&nation.dir), issuer), booked(nation, issuer));
        eventually("a bank's book is the ledger's", || both().0 == both().1);
        assert!(both().0 > 0, "{issuer} took part");
    }
}

/// One byte of a backup is another: nothing is made of it.
fn damaged(nation: &Nation, target: &Path) {
    let segment = target.join("hub/journal/0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let new = fresh("never");
    let restore = ["restore", "--from", text(target), "--dir", text(&new), "--format", "json"];
    let failed = run(&restore);
    assert_eq!((failed.code, &failed.json()["error"]["kind"]), (2, &json!("journal_damaged")));
    assert!(!new.exists(), "nothing is left");
    let nothing = ["restore", "--from", text(&nation.dir), "--dir", text(&new), "--format", "json"];
    assert_eq!(run(&nothing).json()["error"]["kind"], "no_backup");
}
