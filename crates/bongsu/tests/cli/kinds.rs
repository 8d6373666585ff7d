//! Every kind of `bongsu pay` at a nation that runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::nation::Nation;
use crate::rig::PATIENCE;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

/// What the hub says of a payment. Refunds that name it by its RRN are found too: behind it, and in
/// JSON, where the newest is first, before it.
fn known(nation: &Nation, rrn: &str, kind: &str, count: usize) -> Value {
    let found = nation.json(&["ledger", "payment", rrn], 0);
    let payments = found["payments"].as_array().unwrap();
    let kinds: Vec<&str> = payments.iter().map(|payment| text(payment, "kind")).collect();
    assert_eq!(kinds, [&vec!["refund"; count - 1][..], &[kind]].concat(), "{found}");
    let page = nation.run(&["ledger", "payment", rrn]);
    let told = page.text().lines().filter_map(|line| line.strip_prefix("kind "));
    let told: Vec<&str> = told.map(str::trim).collect();
    assert_eq!((page.code, told), (0, kinds.into_iter().rev().collect()));
    payments.iter().find(|payment| payment["kind"] == kind).unwrap().clone()
}

/// Waits until the journal's list of findings, as far as it is published, has this one.
fn finding(nation: &Nation, kind: &str, payment: &Value, amount: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let list = nation.json(&["ledger", "export", "--table", "findings"], 0);
        assert_eq!(list["complete"], true);
        let found = list["findings"].as_array().unwrap();
        if let Some(found) = found.iter().find(|found| found["kind"] == kind) {
            assert_eq!(found["payment"], payment["id"]);
            assert_eq!(found["amount"], amount);
            for key in ["rrn", "terminal", "currency"] {
                assert_eq!(found[key], payment[key], "{key}");
            }
            dated(nation, found);
            return;
        }
        assert!(Instant::now() < until, "{list}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// `--from` and `--to` name the first and the last business date.
fn dated(nation: &Nation, finding: &Value) {
    let day: jiff::civil::Date = text(finding, "business_date").parse().unwrap();
    let days = [day.yesterday().unwrap(), day, day.tomorrow().unwrap()];
    let [before, day, after] = &days.map(|day| day.to_string());
    let export = ["ledger", "export", "--table", "findings"];
    for (days, is_listed) in [
        (&["--from", day, "--to", day][..], true),
        (&["--from", day], true),
        (&["--to", day], true),
        (&["--from", after], false),
        (&["--to", before], false),
    ] {
        let list = nation.json(&[&export[..], days].concat(), 0);
        let listed = list["findings"].as_array().unwrap().contains(finding);
        assert_eq!(listed, is_listed, "{days:?}: {list}");
    }
    for command in [&export[..], &["ledger", "transfers"]] {
        let days = ["--from", day, "--to", before];
        let refused = nation.json(&[command, &days].concat(), 2);
        assert_eq!(refused["error"]["kind"], "usage", "{refused}");
        assert_eq!(refused["error"]["where"], "--to", "{refused}");
    }
}

/// With a card of the first bank's second account.
pub(crate) fn check(nation: &Nation) {
    let to = nation.terminals();
    let usual = ["pay", "--to", &to, "--pan", "9408010000000024"];
    let pay = |more: &[&str], code| nation.json(&[&usual[..], more].concat(), code);

    let sale = pay(&["--amount", "30"], 0);
    let rrn = text(&sale, "rrn");
    let refund = pay(&["--kind", "refund", "--original", rrn, "--amount", "10"], 0);
    assert_eq!((&refund["mti"], &refund["kind"]), (&json!("0210"), &json!("refund")));
    assert_eq!(known(nation, rrn, "purchase", 2)["returned"], "10.00");
    let over = pay(&["--kind", "refund", "--original", rrn, "--amount", "20.01"], 1);
    assert_eq!(over["response_code"], "57", "{over}");
    // Three have that RRN now; the purchase is meant, and 20.00 of it are left.
    let undone = pay(&["--kind", "reversal", "--original", rrn], 0);
    assert_eq!((&undone["mti"], &undone["amount"]), (&json!("0430"), &json!("30.00")));
    assert_eq!(known(nation, rrn, "purchase", 3)["returned"], "30.00");

    let cash = pay(&["--kind", "cash", "--amount", "20"], 0);
    let rrn = text(&cash, "rrn");
    let part = pay(&["--kind", "reversal", "--original", rrn, "--keep", "5"], 0);
    assert_eq!((&part["mti"], &part["amount"]), (&json!("0430"), &json!("20.00")));
    let cash = known(nation, rrn, "cash", 1);
    assert_eq!((&cash["status"], &cash["returned"]), (&json!("posted"), &json!("15.00")));

    let hold = pay(&["--kind", "preauth", "--amount", "80"], 0);
    let rrn = text(&hold, "rrn");
    assert_eq!(
        (&hold["mti"], &known(nation, rrn, "preauth", 1)["status"]),
        (&json!("0110"), &json!("pending"))
    );
    let complete = ["--kind", "complete", "--original", rrn, "--amount"];
    let over = pay(&[&complete[..], &["80.01"]].concat(), 1);
    assert_eq!((&over["mti"], &over["response_code"]), (&json!("0230"), &json!("13")));
    let held = known(nation, rrn, "preauth", 1);
    assert_eq!((&held["status"], &held["response_code"]), (&json!("pending"), &json!("00")));
    finding(nation, "over_completion", &held, "80.00");
    let done = pay(&[&complete[..], &["64.30"]].concat(), 0);
    assert_eq!((&done["acknowledged"], &done["amount"]), (&json!(true), &json!("64.30")));
    let hold = known(nation, rrn, "preauth", 1);
    assert_eq!((&hold["status"], &hold["amount"]), (&json!("posted"), &json!("64.30")));
    // The reversal of what was completed: its amount comes from the running hub.
    let undone = pay(&["--kind", "reversal", "--original", rrn], 0);
    assert_eq!(undone["amount"], "64.30");
    assert_eq!(known(nation, rrn, "preauth", 1)["status"], "reversed");

    // 100,000.00 less 20.00, of which 15.00 came back; all else was returned in full.
    let balance = pay(&["--kind", "balance"], 0);
    let available =
        json!({ "account": "00", "type": "available", "currency": "KPW", "amount": "99995.00" });
    assert_eq!(balance["balances"], json!([available]), "{balance}");
}
