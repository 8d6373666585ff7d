//! `bongsu message` and `bongsu dialect` from outside, over `data/messages.json`.

use crate::rig::{run, run_with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

fn data() -> Value {
    serde_json::from_str(include_str!("data/messages.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    (0..hex.len() / 2).map(pair).collect()
}

fn check_decoded(what: &str, vector: &Value, ran: &crate::rig::Ran) {
    assert_eq!(ran.code, 0, "{what}: {}", ran.err);
    let decoded = ran.json();
    for key in ["mti", "fields", "dialect"] {
        assert_eq!(decoded[key], vector[key], "{what} {key}");
    }
    let length = vector["hex"].as_str().unwrap().len() / 2;
    assert_eq!(decoded["bytes"], json!(length), "{what}");
}

#[test]
fn every_way_to_bring_a_message() {
    for vector in data()["messages"].as_array().unwrap() {
        let hex = vector["hex"].as_str().unwrap();
        let raw = bytes(hex);
        let framed = [&(raw.len() as u16).to_be_bytes()[..], &raw].concat();
        let (b64, framed_hex) = (STANDARD.encode(&raw), format!("{:04X}{hex}", raw.len()));
        let path = format!("{}/{}-{}", env!("CARGO_TARGET_TMPDIR"), vector["name"], raw.len());
        std::fs::write(&path, &raw).unwrap();
        let decode = ["message", "decode"];
        let with = |more: &[&'static str]| [&decode[..], more].concat();
        let argument = |text: &str| run(&["message", "decode", text]);
        check_decoded("hex", vector, &argument(hex));
        check_decoded("lower", vector, &argument(&hex.to_lowercase()));
        check_decoded("base64", vector, &argument(&b64));
        check_decoded("framed", vector, &argument(&framed_hex));
        check_decoded("file", vector, &argument(&format!("@{path}")));
        check_decoded("stdin", vector, &run_with(&decode, hex.as_bytes()));
        check_decoded("-", vector, &run_with(&with(&["-"]), &framed));
        check_decoded("raw line", vector, &run_with(&decode, &[&raw[..], b"\n"].concat()));
        check_decoded("raw", vector, &run_with(&with(&["--input", "raw"]), &raw));
        check_decoded("forced", vector, &run_with(&with(&["--input", "hex"]), hex.as_bytes()));
        let named = ["message", "decode", "--dialect", vector["dialect"].as_str().unwrap(), hex];
        check_decoded("named", vector, &run(&named));
    }
}

#[test]
fn decode_then_encode_is_the_same_message() {
    for vector in data()["messages"].as_array().unwrap() {
        let hex = vector["hex"].as_str().unwrap();
        let decoded = run(&["message", "decode", hex]);
        let encode =
            |more: &[&str]| run_with(&[&["message", "encode"], more].concat(), &decoded.out);
        assert_eq!(encode(&[]).text(), hex);
        assert_eq!(encode(&["--output", "raw"]).out, bytes(hex));
        assert_eq!(encode(&["--output", "base64"]).text(), STANDARD.encode(bytes(hex)));
        assert_eq!(encode(&["--frame"]).text(), format!("{:04X}{hex}", hex.len() / 2));
        let json = encode(&["--format", "json"]).json();
        assert_eq!((&json["message"], &json["dialect"]), (&hex.into(), &vector["dialect"]));
    }
    let other = run_with(
        &["message", "encode", "--dialect", "iso87-ascii-bin"],
        &run(&["message", "decode", data()["messages"][0]["hex"].as_str().unwrap()]).out,
    );
    assert_eq!(other.text(), data()["messages"][1]["hex"].as_str().unwrap());
}

#[test]
fn what_is_malformed_says_where() {
    for vector in data()["malformed"].as_array().unwrap() {
        let hex = vector["hex"].as_str().unwrap();
        let ran = run(&["message", "decode", hex]);
        let what = format!("{} {}", vector["name"], ran.err);
        if hex.is_empty() {
            // No message is no malformed one.
            assert_eq!((ran.code, &ran.json()["error"]["kind"]), (2, &json!("no_input")), "{what}");
            continue;
        }
        assert_eq!(ran.code, 1, "{what}");
        let error = &ran.json()["error"];
        for key in ["kind", "de", "offset"] {
            assert_eq!(error[key], vector["error"][key], "{what} {key}");
        }
        for key in ["message", "where", "do"] {
            assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{what} {key}");
        }
        assert!(ran.err.contains(error["message"].as_str().unwrap()), "{what}");

        let explained = run(&["message", "explain", "--format", "json", hex]);
        assert_eq!(explained.code, 1, "{what}");
        let explained = explained.json();
        assert_eq!(explained["ok"], json!(false), "{what}");
        if vector["error"]["kind"] == "framing" {
            assert!(explained["wrong"][0].as_str().unwrap().contains("153 bytes"), "{explained}");
        } else {
            let last = explained["parts"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(last["kind"], vector["error"]["kind"], "{what}");
            assert_eq!(last["wrong_at"], vector["error"]["offset"], "{what}");
        }
    }
}

#[test]
fn encode_names_the_element() {
    for (json, code, kind, de) in [
        (r#"{"mti":"0800","fields":{"11":"1"}}"#, 1, "too_short", json!(11)),
        (r#"{"mti":"0800","fields":{"11":"1234567"}}"#, 1, "too_long", json!(11)),
        (r#"{"mti":"0800","fields":{"11":"12345x"}}"#, 1, "invalid_content", json!(11)),
        (r#"{"mti":"0800","fields":{"64":"0G"}}"#, 1, "invalid_content", json!(64)),
        (r#"{"mti":"0800","fields":{"64":"00"}}"#, 1, "too_short", json!(64)),
        (r#"{"mti":"0800","fields":{"1":"00"}}"#, 2, "bad_shape", Value::Null),
        (r#"{"mti":"0800","fields":{"129":"00"}}"#, 2, "bad_shape", Value::Null),
        (r#"{"mti":"0800","fields":{"11":1}}"#, 2, "bad_shape", Value::Null),
        (r#"{"mti":"080","fields":{}}"#, 2, "bad_shape", Value::Null),
        (r#"{"mti":"0800","field":{}}"#, 2, "bad_shape", Value::Null),
        (r#"{"mti":"0800","#, 2, "bad_json", Value::Null),
    ] {
        let ran = run(&["message", "encode", "--format", "json", json]);
        let error = &ran.json()["error"];
        assert_eq!((ran.code, &error["kind"]), (code, &json!(kind)), "{json} {error}");
        assert_eq!(error["de"], de, "{json}");
    }
}

#[test]
fn explain_masks_unless_told() {
    let hex = data()["messages"][0]["hex"].as_str().unwrap().to_owned();
    for format in ["text", "json"] {
        let masked = run(&["message", "explain", "--format", format, &hex]);
        assert_eq!(masked.code, 0, "{}", masked.err);
        for secret in ["9408020000000015", "3112", "0123456789ABCDEF"] {
            assert!(!masked.text().contains(secret), "{secret}: {}", masked.text());
        }
        for words in ["purchase", "12.50 KPW", "22 November 09:14:07 UTC", "18:14:07 local"] {
            assert!(masked.text().contains(words), "{words}: {}", masked.text());
        }
        let open = run(&["message", "explain", "--unmask", "--format", format, &hex]);
        for secret in ["9408020000000015", "3112", "0123456789ABCDEF"] {
            assert!(open.text().contains(secret), "{secret}: {}", open.text());
        }
    }
    // Cut inside DE3 and inside DE2: what is left of the card stays hidden.
    for (length, card) in [(80, "9408020000000015"), (70, "940802")] {
        let cut = run(&["message", "explain", &hex[..length]]);
        assert_eq!(cut.code, 1);
        assert!(!cut.text().contains(card), "{}", cut.text());
        let open = run(&["message", "explain", "--unmask", &hex[..length]]);
        assert!(open.text().contains(card), "{}", open.text());
    }
    let cut = run(&["message", "explain", &hex[..80]]);
    assert!(cut.text().contains("the message ends inside the element"), "{}", cut.text());
}

#[test]
fn explain_holds_the_message_against_the_rules() {
    let encode = |json: &str| run(&["message", "encode", json]).text().to_owned();
    let wrong = r#"{"mti":"0200","fields":{"2":"9408020000000016","3":"000000","7":"1322091407"}}"#;
    let ran = run(&["message", "explain", &encode(wrong)]);
    assert_eq!(ran.code, 1);
    for words in
        ["Luhn", "must carry DE4", "must carry DE11", "must carry DE41", "no date and time"]
    {
        assert!(ran.text().contains(words), "{words}: {}", ran.text());
    }
}

#[test]
fn dialects_are_listed_and_checked() {
    let list = run(&["dialect", "list", "--format", "json"]).json();
    let names: Vec<&str> =
        list["dialects"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["iso87-ascii", "iso87-ascii-bin"]);
    assert!(run(&["dialect", "list"]).text().starts_with("iso87-ascii "));

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dialects");
    for name in names {
        let file = format!("{root}/{name}.toml");
        let ran = run(&["dialect", "check", &file]);
        assert_eq!(ran.code, 0, "{}", ran.text());
        // As a file it reads what it reads by name.
        let vectors = data();
        let vector =
            vectors["messages"].as_array().unwrap().iter().find(|v| v["dialect"] == name).unwrap();
        let hex = vector["hex"].as_str().unwrap();
        check_decoded("file", vector, &run(&["message", "decode", "--dialect", &file, hex]));
    }
    let broken = format!("{}/broken.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = "name = \"x\"\ntitle = \"x\"\nbase = \"iso87-ascii\"\n[de]\n\
                4 = { type = \"n200\", colour = 1 }\n";
    std::fs::write(&broken, text).unwrap();
    let ran = run(&["dialect", "check", &broken]);
    assert_eq!(ran.code, 1);
    assert!(ran.text().contains(&format!("{broken}:5:")), "{}", ran.text());
    let json = run(&["dialect", "check", &broken, "--format", "json"]).json();
    assert_eq!(json["ok"], json!(false));
    assert!(!json["problems"].as_array().unwrap().is_empty());
    assert_eq!(run(&["dialect", "check", "/nowhere.toml"]).code, 2);
}

#[test]
fn the_manual_names_every_refusal() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/clients.md");
    let page = std::fs::read_to_string(page).unwrap();
    for reason in scheme::Reason::ALL {
        let row = format!("\n| {} | `{}` | ", reason.response_code().as_str(), reason.text());
        assert_eq!(page.matches(&row).count(), 1, "{row}");
    }
}

#[test]
fn a_message_in_another_dialect() {
    let ascii = "0800822000000000000004000000000000001122091407000001301";
    let convert = |to: &str, message: &str| {
        run(&["message", "convert", "--to", to, "--format", "json", message])
    };
    let there = convert("iso87-ascii-bin", ascii);
    assert_eq!(there.code, 0, "{}", there.err);
    let there = there.json();
    // Its bitmaps are 16 bytes instead of 32 characters (ISO 8583:1987, 3.2).
    assert_eq!(there["dialect"], "iso87-ascii-bin", "{there}");
    let bytes = ascii.len() as u64 - 16;
    assert_eq!(there["bytes"], bytes, "{there}");
    let hex = there["message"].as_str().unwrap();
    assert_eq!(&hex[8..40], "82200000000000000400000000000000", "{there}");
    let back = convert("iso87-ascii", hex).json();
    let original: String = ascii.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(back["message"], original.as_str(), "{back}");

    let unread = convert("iso87-ascii", "3038");
    assert_eq!(unread.code, 1, "{}", unread.err);
    assert!(unread.json()["error"]["offset"].is_u64());
    let unknown = convert("nothing", ascii);
    assert_eq!((unknown.code, &unknown.json()["error"]["kind"]), (2, &"unknown_dialect".into()));
    let framed = run(&["message", "convert", "--to", "iso87-ascii", "--frame", ascii]);
    assert!(framed.text().starts_with("0037303830303832"), "{}", framed.text());
}
