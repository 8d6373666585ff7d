//! The commands beside a nation that runs, and on the files of one that has stopped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::rig::{Ran, command, eventually, run};

/// A nation of this test's own; killed with it, children and all (they watch their supervisor).
pub(crate) struct Nation {
    pub(crate) dir: PathBuf,
    port_base: u16,
    child: Child,
}

impl Drop for Nation {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ports of the example nation, all free when moved up by this. Each of the nations that run at
/// once looks in its own range.
pub(crate) fn free_base(range: u16) -> u16 {
    let ports = [7583, 8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583];
    // Below the ports that the system gives to outgoing connections (from 32,768).
    let first = 10_000 + range * 4_000 + (std::process::id() % 150) as u16 * 20;
    let bases = (0..100).map(|step| first + step * 7);
    let is_free =
        |base: &u16| ports.iter().all(|p| TcpListener::bind(("127.0.0.1", p + base)).is_ok());
    bases.into_iter().find(is_free).unwrap()
}

/// A directory of this run's own, not there.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&dir));
    dir
}

/// Starts a nation on a directory, the `range`th of those that run at once.
pub(crate) fn start(dir: PathBuf, traffic: &str, range: u16) -> Nation {
    let port_base = free_base(range);
    let mut child = command(&["up", "--traffic", traffic])
        .arg("--dir")
        .arg(&dir)
        .arg("--port-base")
        .arg(port_base.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Nation { dir, port_base, child }
}

impl Nation {
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&[arguments, &["--dir", self.dir.to_str().unwrap()]].concat())
    }

    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(ran.code, code, "{arguments:?} {}", ran.err);
        ran.json()
    }

    /// Where the first station's terminals connect.
    pub(crate) fn terminals(&self) -> String {
        format!("127.0.0.1:{}", 8583 + self.port_base)
    }

    pub(crate) fn port_base(&self) -> u16 {
        self.port_base
    }

    /// At the first station, without naming a terminal.
    pub(crate) fn pay(&self, arguments: &[&str], code: i32) -> Value {
        let to = self.terminals();
        self.json(&[&["pay", "--to", &to, "--pan", "9408020000000015"], arguments].concat(), code)
    }

    /// The reversed payment, once its issuer knows of it: nothing of it changes any more.
    fn acknowledged(&self, rrn: &str) -> Value {
        let mut found = Value::Null;
        eventually("the issuer acknowledges", || {
            found = self.json(&["ledger", "payment", rrn], 0);
            found["payments"][0]["reversal_acknowledged"] == true
        });
        found
    }

    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        eventually("it stops", || self.child.try_wait().unwrap().is_some());
    }
}

#[test]
fn beside_a_nation_and_after_it() {
    let dir = fresh("up");
    // Nothing happens in this nation but what the test does.
    let config = include_str!("../../../../examples/four-stations/nation.toml");
    assert!(config.contains("probe = 20\n"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("nation.toml"), config.replace("probe = 20\n", "")).unwrap();
    let mut nation = start(dir, "0", 0);
    let sale = nation.pay(&["--amount", "12.50"], 0);
    assert_eq!((&sale["terminal"], &sale["approved"]), (&json!("PYO00001"), &json!(true)));
    let (rrn, stan) = (sale["rrn"].as_str().unwrap(), sale["stan"].as_str().unwrap());
    let again = ["--amount", "12.50", "--repeat", "--stan", stan, "--at"];
    let again = nation.pay(&[&again[..], &[sale["at"].as_str().unwrap()]].concat(), 0);
    assert_eq!((&again["rrn"], &again["approval_code"]), (&sale["rrn"], &sale["approval_code"]));

    crate::change::check(&nation);
    crate::kinds::check(&nation);

    // The amount and the trace number of the original come from the running hub.
    let reversal = nation.pay(&["--kind", "reversal", "--original", rrn], 0);
    assert_eq!((&reversal["amount"], &reversal["acknowledged"]), (&json!("12.50"), &json!(true)));
    assert!(sale.get("acknowledged").is_none(), "{sale}");
    let found = nation.acknowledged(rrn);
    let payment = &found["payments"][0];
    assert_eq!((&payment["status"], &payment["returned"]), (&json!("reversed"), &json!("12.50")));
    let by_stan = ["ledger", "payment", "--stan", stan, "--terminal", "PYO00001"];
    assert_eq!(nation.json(&by_stan, 0), found);
    assert_eq!(nation.json(&["ledger", "payment", "NONE"], 1), json!({ "payments": [] }));
    let small = nation.run(&["ledger", "payment", &rrn.to_ascii_lowercase()]);
    assert!(small.code == 1 && small.err.contains(&format!("{rrn} is another")), "{}", small.err);

    // Account 98 is empty. Two payments of one trace number, told apart by their time.
    let empty = ["--pan", "9408020000000981", "--amount", "1.00", "--stan", "77", "--at"];
    let to = format!("127.0.0.1:{}", 8583 + nation.port_base);
    for (amount, minute) in [("1.00", "00"), ("2.00", "01")] {
        let at = time_today(minute);
        let mut arguments = vec!["pay", "--to", &to];
        arguments.extend(empty);
        arguments[6] = amount;
        arguments.push(&at);
        assert_eq!(nation.json(&arguments, 1)["response_code"], "51");
    }
    let several = ["ledger", "payment", "--stan", "77", "--terminal", "PYO00001"];
    let several = nation.json(&several, 2);
    assert_eq!(several["payments"].as_array().unwrap().len(), 2);
    let told = several["error"]["do"].as_str().unwrap();
    assert!(several["error"]["kind"] == "several" && !told.contains("--terminal"), "{several}");

    let accounts = nation.json(&["ledger", "accounts"], 0);
    assert!(accounts["accounts"].as_array().unwrap().iter().any(|a| a["kind"] == "position"));
    crate::transfers::check(&nation, &accounts, payment);
    let report = nation.json(&["ledger", "verify"], 0);
    assert_eq!((&report["ok"], &report["sums"]["KPW"]), (&json!(true), &json!("0.00")));
    let book = nation.json(&["bank", "100002", "book"], 0);
    let entries = book["accounts"][0]["entries"].as_array().unwrap();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["purchase", "reversal"]);
    assert_eq!(entries[0]["rrn"], *rrn);

    // Without an address: the first station of the nation, which is not at 8583.
    let echo = nation.json(&["pay", "--kind", "echo"], 0);
    assert_eq!(echo["terminal"], "PYO00001", "{echo}");
    let elsewhere = ["pay", "--to", "127.0.0.1:1", "--kind", "echo"];
    let failure = nation.json(&elsewhere, 2)["error"].clone();
    assert_eq!(failure["kind"], "no_terminal", "{failure}");
    assert!(failure["do"].as_str().unwrap().contains(&format!("{to} (pyongyang)")), "{failure}");
    let page = nation.run(&["ledger", "accounts"]);
    assert!(page.text().contains("debits posted  credits posted"), "{}", page.text());

    nation.stop();
    assert_eq!(nation.json(&["ledger", "accounts"], 0), accounts);
    assert!(accounts.get("complete").is_none(), "keys of a whole journal stay as they are");
    assert_eq!(nation.json(&["ledger", "payment", rrn], 0), found);
    crate::transfers::check(&nation, &accounts, payment);
    assert_eq!(nation.json(&["ledger", "verify"], 0)["ok"], true);
    crate::change::check_stopped(&nation);
    assert_eq!(nation.json(&["bank", "100002", "book"], 2)["error"]["kind"], "not_running");
    crate::archive::check_stopped(&nation);
    crate::lost::check_stopped(&nation, rrn);
    damaged(&nation, rrn);
    drop(std::fs::remove_dir_all(&nation.dir));
}

/// Noon UTC of the day, and that minute: within 24 h of any time of that day.
fn time_today(minute: &str) -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().unwrap();
    let day = String::from_utf8(output.stdout).unwrap();
    format!("{}T12:{minute}:00Z", day.trim())
}

/// One byte of a stopped journal is another: `verify` names file and record, and ends with 1.
fn damaged(nation: &Nation, rrn: &str) {
    let journal = nation.dir.join("hub/journal");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| std::cmp::Reverse(std::fs::metadata(path).unwrap().len()));
    let segment = &files[0];
    let mut bytes = std::fs::read(segment).unwrap();
    // The middle of what was written.
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[last / 2] ^= 1;
    std::fs::write(segment, &bytes).unwrap();
    let report = nation.json(&["ledger", "verify"], 1);
    assert_eq!(report["ok"], false);
    let damage = &report["damage"][0];
    assert!(damage["from_record"].is_u64() && damage["file"].is_string(), "{report}");
    let page = nation.run(&["ledger", "verify"]);
    assert!(page.text().starts_with("DAMAGED") && page.text().contains(" records read"));
    let stop = format!("\nthe books stop before record {}: ", damage["from_record"]);
    assert!(page.text().contains(&stop), "{}", page.text());
    let file = damage["file"].as_str().unwrap();
    for line in page.text().lines() {
        assert!(line.matches(file).count() < 2 && line.matches("record ").count() < 2, "{line}");
    }

    // Part of the truth does not pass for all of it.
    let first = format!("damaged at record {}", damage["from_record"]);
    for (arguments, code, note) in [
        (&["ledger", "accounts"][..], 1, "the journal is damaged"),
        (&["ledger", "transfers"], 1, "the journal is damaged"),
        (&["ledger", "export"], 1, "the journal is damaged"),
        (&["ledger", "payment", "NONE"], 2, first.as_str()),
    ] {
        let list = nation.json(arguments, code);
        assert_eq!(list["complete"], false, "{list}");
        assert_eq!(list["damage"], report["damage"], "{list}");
        assert_eq!(list["error"]["kind"] == "damaged", code == 2, "{list}");
        if ["accounts", "payment"].contains(&arguments[1]) {
            assert_eq!(list["as_of_record"], damage["from_record"].as_u64().unwrap() - 1);
        }
        let ran = nation.run(arguments);
        assert!(ran.code == code && ran.err.contains(note), "{} {}", ran.code, ran.err);
    }
    assert_ne!(nation.run(&["ledger", "payment", rrn]).code, 0);
}
