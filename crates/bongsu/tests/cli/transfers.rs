//! `ledger transfers` and `ledger export`: every sum is an account's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::nation::Nation;
use crate::rig::PATIENCE;

/// Debits and credits pending, debits and credits posted, in minor units.
type Sums = [i64; 4];

fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// What a list of transfers makes of every account, by the rules of double entry alone.
fn reckoned(transfers: &Value) -> BTreeMap<String, Sums> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    let mut holds = BTreeMap::new();
    for transfer in transfers.as_array().unwrap() {
        let amount = minor(&transfer["amount"]);
        let id = transfer["id"].as_str().unwrap().to_owned();
        let held = transfer["hold"].as_str().map(|hold| *holds.get(hold).unwrap());
        let state = transfer["state"].as_str().unwrap();
        for (side, pending) in [("debit", 0), ("credit", 1)] {
            let of = sums.entry(transfer[side].as_str().unwrap().to_owned()).or_default();
            of[pending] -= held.unwrap_or(0);
            match state {
                "pending" => of[pending] += amount,
                "posted" => of[pending + 2] += amount,
                "voided" => {}
                other => panic!("{other}: {transfer}"),
            }
        }
        if state == "pending" {
            holds.insert(id, amount);
        }
    }
    sums
}

/// The same of `ledger accounts`, accounts that nothing touched apart.
fn listed(accounts: &Value) -> BTreeMap<String, Sums> {
    let sums = accounts["accounts"].as_array().unwrap().iter().map(|account| {
        let kind = account["kind"].as_str().unwrap();
        let name = match kind {
            "settlement" => kind.to_owned(),
            _ => format!("{kind}:{}", account["owner"].as_str().unwrap()),
        };
        let keys = ["debits_pending", "credits_pending", "debits_posted", "credits_posted"];
        (name, keys.map(|key| minor(&account[key])))
    });
    sums.filter(|(_, sums)| *sums != Sums::default()).collect()
}

/// All transfers, once what is published as durable is as new as `accounts`. A hold and its release
/// show in no sum: what is published must also have stood still for longer than it may lag behind.
fn agreeing(nation: &Nation, accounts: &Value) -> Value {
    let until = Instant::now() + PATIENCE;
    let mut before = Value::Null;
    loop {
        let list = nation.json(&["ledger", "transfers"], 0);
        let (ours, theirs) = (reckoned(&list["transfers"]), listed(accounts));
        if ours == theirs && list == before {
            return list;
        }
        assert!(Instant::now() < until, "{ours:?}\n{theirs:?}");
        before = list;
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// `--from` and `--to` name the first and the last business date; `transfer` is of this one.
fn dated(nation: &Nation, all: &Value, transfer: &Value, day: &str) {
    let of_day = nation.json(&["ledger", "transfers", "--from", day, "--to", day], 0);
    assert!(of_day["transfers"].as_array().unwrap().contains(transfer), "{of_day}");
    assert_eq!(nation.json(&["ledger", "export", "--from", day, "--to", day], 0), of_day);
    for days in [["--from", "2140-01-01"], ["--to", "2020-01-01"]] {
        let list = nation.json(&[&["ledger", "transfers"], &days[..]].concat(), 0);
        assert_eq!(list["transfers"], json!([]), "{days:?}");
    }
    // The caps of a new nation, which stand before its first business date, belong to that.
    let cap = all["transfers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|transfer| transfer["leg"] == "cap")
        .unwrap();
    let first = cap["business_date"].as_str().unwrap();
    assert_eq!(cap["cycle"], 0);
    let from_first = nation.json(&["ledger", "transfers", "--from", first], 0);
    assert_eq!(from_first["transfers"], all["transfers"]);
    let of_first = nation.json(&["ledger", "transfers", "--from", first, "--to", first], 0);
    assert!(of_first["transfers"].as_array().unwrap().contains(cap), "{of_first}");
}

/// One account's list is what touches it, by whatever name it is asked for.
fn of_one(nation: &Nation, accounts: &Value, issuer: &str, transfers: &[Value]) {
    let position = ["ledger", "transfers", "--account", issuer];
    let list = nation.json(&position, 0)["transfers"].as_array().unwrap().clone();
    let touches = |t: &&Value| t["debit"] == issuer || t["credit"] == issuer;
    assert_eq!(list, transfers.iter().filter(touches).cloned().collect::<Vec<_>>());
    let account = accounts["accounts"].as_array().unwrap().iter();
    let by_id = account.clone().find(|a| a["kind"] == "position" && a["owner"] == "100002");
    let by_id = by_id.unwrap()["id"].as_str().unwrap();
    let by_id = nation.json(&["ledger", "transfers", "--account", by_id], 0);
    assert_eq!(by_id["transfers"].as_array().unwrap(), &list);
    // As the list of accounts has it: kind and owner.
    let own = account.clone().find(|account| account["kind"] == "settlement").unwrap();
    let own = format!("settlement:{}", own["owner"].as_str().unwrap());
    let by_owner = nation.json(&["ledger", "transfers", "--account", &own], 0);
    assert_eq!(by_owner, nation.json(&["ledger", "transfers", "--account", "settlement"], 0));
    for unknown in ["position:999999", "position", "cash:100001"] {
        let failure = nation.json(&["ledger", "transfers", "--account", unknown], 2);
        assert_eq!(failure["error"]["kind"], "unknown_account", "{failure}");
    }
}

/// A file is written as its name ends.
fn named(nation: &Nation) {
    for (name, first, is_known) in [
        ("e.json", "{\"tran", true),
        ("e.parquet", "PAR1", true),
        ("e.PARQUET", "PAR1", true),
        ("e.csv", "id,paym", true),
        ("e", "id,paym", true),
        ("e.xlsx", "id,paym", false),
    ] {
        let file = nation.dir.join(name);
        let ran = nation.run(&["ledger", "export", "--file", file.to_str().unwrap()]);
        let bytes = std::fs::read(&file).unwrap();
        assert!(ran.code == 0 && bytes.starts_with(first.as_bytes()), "{name}: {}", ran.err);
        assert_ne!(ran.err.contains("CSV is written"), is_known, "{name}: {}", ran.err);
        std::fs::remove_file(&file).unwrap();
    }
}

/// Of a nation in which `rrn` was paid at a terminal of 100001 by a card of 100002, and reversed.
pub(crate) fn check(nation: &Nation, accounts: &Value, payment: &Value) {
    let all = agreeing(nation, accounts);
    assert_eq!(all["complete"], true);
    let transfers = all["transfers"].as_array().unwrap();
    let id = &payment["id"];
    let of_payment: Vec<[&str; 5]> = transfers
        .iter()
        .filter(|transfer| transfer["payment"] == *id)
        .map(|t| ["leg", "debit", "credit", "amount", "state"].map(|key| t[key].as_str().unwrap()))
        .collect();
    let (issuer, acquirer) = ("position:100002", "position:100001");
    assert_eq!(
        of_payment,
        [
            ["hold", issuer, acquirer, "12.50", "pending"],
            ["post", issuer, acquirer, "12.50", "posted"],
            ["reverse", acquirer, issuer, "12.50", "posted"],
        ]
    );
    let first = transfers.iter().find(|transfer| transfer["payment"] == *id).unwrap();
    assert_eq!(first["business_date"], payment["business_date"]);
    assert_eq!(first["cycle"], payment["cycle"]);

    of_one(nation, accounts, issuer, transfers);
    dated(nation, &all, first, payment["business_date"].as_str().unwrap());
    // Every way to write them is the same list.
    assert_eq!(nation.run(&["ledger", "transfers"]).text().lines().count(), transfers.len());
    let json = nation.json(&["ledger", "export"], 0);
    assert_eq!(json, all);
    let file = nation.dir.join("export.csv");
    let ran = nation.run(&["ledger", "export", "--file", file.to_str().unwrap()]);
    assert!(ran.code == 0 && ran.out.is_empty(), "{}", ran.err);
    let csv = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut lines = csv.split_terminator("\r\n");
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    for (line, transfer) in lines.clone().zip(transfers) {
        for (name, cell) in names.iter().zip(line.split(',')) {
            let text = match &transfer[*name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, text, "{name} {line}");
        }
    }
    assert_eq!(lines.count(), transfers.len());
    named(nation);
    let nowhere = nation.run(&["ledger", "export", "--format", "json", "--file", "/nowhere/x"]);
    assert_eq!((nowhere.code, &nowhere.json()["error"]["kind"]), (2, &json!("unwritable")));
}
