//! `config diff` and `config apply` beside a nation.

use serde_json::{Value, json};

use crate::nation::Nation;

const HOT: &str =
    "\n[[hot_card]]\ntoken = \"0123456789abcdef0123456789abcdef\"\nreason = \"lost\"\n";

/// The nation's own file, with some of it replaced and some added, beside it.
fn file(nation: &Nation, changes: &[(&str, &str)], more: &str) -> String {
    let mut text = std::fs::read_to_string(nation.dir.join("nation.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let path = nation.dir.join("changed.toml");
    std::fs::write(&path, text + more).unwrap();
    path.to_str().unwrap().to_owned()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// With nothing of any cap in use but 12.50 of 100002's: what it has earned elsewhere is none.
pub(crate) fn check(nation: &Nation) {
    let own = nation.dir.join("nation.toml");
    let same = nation.json(&["config", "diff", own.to_str().unwrap()], 0);
    assert_eq!(same, json!({ "same": true, "difference": [], "refused": [] }));
    let nothing = ["config", "apply", own.to_str().unwrap(), "--author", "Kim"];
    assert_eq!(nation.json(&nothing, 0)["applied"], false);

    // A cap falls by no more than what is not in use, and then nothing else changes either.
    let harbour = "\"Harbour Bank\"\niins = [\"940802\"]\ncap = ";
    let (was, low) = (format!("{harbour}\"5000000.00\""), format!("{harbour}\"12.49\""));
    let path = file(nation, &[(&was, &low)], HOT);
    let apply = ["config", "apply", &path, "--author", "Kim Chol, desk 4"];
    let refused = nation.json(&apply, 1);
    assert_eq!((&refused["applied"], &refused["records"]), (&json!(false), &json!(0)));
    let why = texts(&refused["refused"]);
    assert!(why.len() == 1 && why[0].contains("only 4999987.50 of it is not in use"), "{why:?}");
    let difference = nation.json(&["config", "diff", &path], 1);
    assert_eq!(texts(&difference["difference"]).len(), 2, "{difference}");

    // To the last unit it does, together with the rest.
    let exact = format!("{harbour}\"12.50\"");
    let terminals = ("from = \"SAR00001\"\ncount = 20", "from = \"SAR00001\"\ncount = 21");
    let path = file(nation, &[(&was, &exact), terminals], HOT);
    let apply = ["config", "apply", &path, "--author", "Kim Chol, desk 4"];
    let told = nation.json(&apply, 0);
    assert_eq!((&told["applied"], &told["author"]), (&json!(true), &json!("Kim Chol, desk 4")));
    let lines = [
        "terminal SAR00021 of acquirer 100004: retailer SAR-SHOP-000001 at station 4 in the file, \
         not in the journal",
        "cap of participant 100002: 12.50 in the file, 5000000.00 in the journal",
        "hot card 0123456789abcdef0123456789abcdef: lost in the file, not in the journal",
    ];
    assert_eq!(texts(&told["difference"]), lines);
    // Its head, and one for each line.
    assert_eq!(told["records"], 4);
    assert_eq!(nation.run(&["config", "diff", &path]).code, 0);
    let caps = nation.json(&["ledger", "accounts"], 0);
    let cap = caps["accounts"].as_array().unwrap().iter();
    let mut cap = cap.filter(|a| a["kind"] == "cap" && a["owner"] == "100002");
    assert_eq!(cap.next().unwrap()["balance"], "-12.50");
    let sale = nation.pay(&["--amount", "0.01"], 1);
    assert_eq!((&sale["response_code"], &sale["text"]), (&json!("91"), &json!("CAP")));

    // And back, with fewer terminals than at first.
    let path = file(nation, &[], "");
    let told = nation.json(&["config", "apply", &path, "--author", "Kim"], 0);
    assert_eq!((&told["applied"], &told["records"]), (&json!(true), &json!(4)));

    for (author, kind) in [("", "refused"), ("a\u{7}b", "refused")] {
        let apply = ["config", "apply", &path, "--author", author];
        assert_eq!(nation.json(&apply, 2)["error"]["kind"], kind);
    }
    std::fs::write(&path, "nonsense").unwrap();
    for command in [&["config", "diff", &path][..], &["config", "apply", &path, "--author", "K"]] {
        assert_eq!(nation.json(command, 2)["error"]["kind"], "config");
    }
    std::fs::remove_file(&path).unwrap();
}

/// The same of a nation that has stopped.
pub(crate) fn check_stopped(nation: &Nation) {
    let own = nation.dir.join("nation.toml");
    assert_eq!(nation.json(&["config", "diff", own.to_str().unwrap()], 0)["same"], true);
    let path = file(nation, &[("amount_max = \"10000000.00\"", "amount_max = \"9.00\"")], HOT);
    let difference = nation.json(&["config", "diff", &path], 1);
    let lines = texts(&difference["difference"]).len();
    assert_eq!(lines, 2, "{difference}");
    let apply = nation.json(&["config", "apply", &path, "--author", "Kim"], 2);
    assert_eq!(apply["error"]["kind"], "not_running");
    std::fs::remove_file(&path).unwrap();
}
