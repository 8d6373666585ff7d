//! A bank that joins a running nation: its keys take effect with `config apply`, without a restart
//! of anybody.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::nation::{fresh, start};
use crate::rig::{command, eventually, run};

const BANK: &str = "
[[participant]]
id = 100005
name = \"Mountain Bank\"
iins = [\"940805\"]
cap = \"1000.00\"

[[link]]
participant = 100005
";

/// A process of the new bank; killed with the test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The one thing that stands in the way.
fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["refused"].as_array().unwrap().len(), 1, "{answer}");
    answer["refused"][0].as_str().unwrap()
}

fn names(dir: &Path, wanted: &str) -> Vec<PathBuf> {
    let list = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    list.filter(|path| path.to_str().unwrap().contains(wanted)).collect()
}

#[test]
fn a_bank_joins_and_is_paid_from_without_a_restart() {
    let mut nation = start(fresh("new-bank"), "0", 2);
    let own = std::fs::read_to_string(nation.dir.join("nation.toml")).unwrap();
    let file = nation.dir.join("joined.toml");
    std::fs::write(&file, own + BANK).unwrap();
    let file = file.to_str().unwrap();
    let apply = ["config", "apply", file, "--author", "Kim"];
    let keys = nation.dir.join("keys");

    // Without its keys it is not taken in, and nothing is changed.
    let refused = nation.json(&apply, 1);
    assert_eq!((&refused["applied"], &refused["records"]), (&json!(false), &json!(0)));
    let why = refusal(&refused);
    let missing = keys.join("mac-100005-from-bank.key");
    let told = ["participant 100005", missing.to_str().unwrap(), "bongsu init DIR --renew"];
    assert!(told.iter().all(|part| why.contains(part)), "{why}");
    assert_eq!(refusal(&nation.json(&["config", "diff", file], 1)), why);

    // Nor with a file that is no key.
    let dir = nation.dir.to_str().unwrap();
    let made = run(&["init", dir, "--renew", "--config", file, "--format", "json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let key = std::fs::read(&missing).unwrap();
    std::fs::write(&missing, "1:nonsense\n").unwrap();
    let why = nation.json(&apply, 1);
    assert!(refusal(&why).contains("mac-100005-from-bank.key:1"), "{why}");
    std::fs::write(&missing, key).unwrap();

    let told = nation.json(&apply, 0);
    assert_eq!((&told["applied"], &told["records"]), (&json!(true), &json!(4)), "{told}");
    let sale = ["pay", "--to", &nation.terminals(), "--pan", "9408050000000012", "--amount"];
    let early = nation.json(&[&sale[..], &["1.00"]].concat(), 1);
    assert_eq!(early["response_code"], "91", "it has not called yet");

    let base = nation.port_base().to_string();
    let mut bank = command(&["bank", "100005", "--dir", dir, "--config", file]);
    bank.args(["--port-base", &base]).stdout(Stdio::null()).stderr(Stdio::null());
    let _bank = Host(bank.spawn().unwrap());
    eventually("its card pays", || {
        nation.run(&[&sale[..], &["2.00", "--format", "json"]].concat()).code == 0
    });
    assert_eq!(names(&nation.dir.join("bank"), "100005").len(), 1);
    nation.stop();
    assert_eq!(nation.json(&["ledger", "verify"], 0)["ok"], true);
    drop(std::fs::remove_dir_all(&nation.dir));
}
