//! Messages of public test suites and packagers, `vectors/*.json`: each names its source.
//!
//! `elements` are types that differ from the dialect's in the source's specification; `*` is all.
//! `framed`: the bytes begin with a 2-byte length. `reencodes` is false where a source writes what
//! we read and never write: lower-case hexadecimal, a secondary bitmap with no bits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use wire::frame::{Deframer, Framing};
use wire::iso8583::{Dialect, ElementType, Message, explain};

const FILES: [&str; 9] = [
    include_str!("vectors/erl8583.json"),
    include_str!("vectors/iso8583-simulator.json"),
    include_str!("vectors/jpos.json"),
    include_str!("vectors/moov.json"),
    include_str!("vectors/netcore8583.json"),
    include_str!("vectors/npm-iso_8583.json"),
    include_str!("vectors/packagers.json"),
    include_str!("vectors/pyiso8583.json"),
    include_str!("vectors/rohitjoshi.json"),
];

fn vectors() -> Vec<Value> {
    let files = FILES.iter().map(|f| serde_json::from_str::<Value>(f).unwrap());
    files.flat_map(|file| file["vectors"].as_array().unwrap().clone()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// The dialect of a vector, with the types that its source has otherwise.
fn with_dialect<T>(vector: &Value, check: impl FnOnce(&Dialect) -> T) -> T {
    let name = vector["dialect"].as_str().unwrap();
    let Some(elements) = vector["elements"].as_object() else {
        return check(Dialect::builtin(name).unwrap());
    };
    let mut toml = format!("name = \"test\"\ntitle = \"test\"\nbase = \"{name}\"\n[de]\n");
    for (de, format) in elements {
        let all = if de == "*" { 2..=128 } else { de.parse().unwrap()..=de.parse().unwrap() };
        for de in all {
            toml += &format!("{de} = {{ type = {format} }}\n");
        }
    }
    check(&Dialect::parse(&toml).unwrap())
}

fn payload(vector: &Value) -> Vec<u8> {
    let bytes = bytes(vector["hex"].as_str().unwrap());
    if vector["framed"] != true {
        return bytes;
    }
    let mut deframer = Deframer::new(Framing::Be2, 4096);
    deframer.push(&bytes);
    let payload = deframer.next().unwrap().unwrap().to_vec();
    assert_eq!(deframer.buffered(), 0);
    payload
}

fn check_message(vector: &Value, dialect: &Dialect, bytes: &[u8]) {
    let id = &vector["id"];
    let message = dialect.decode(bytes).map_err(|e| format!("{id}: {e}")).unwrap();
    assert_eq!(message.mti().to_string(), vector["mti"].as_str().unwrap(), "{id}");
    let mut expected = vector["fields"].as_object().unwrap().clone();
    for (de, value) in message.fields() {
        let wanted = expected.remove(&de.to_string());
        let found = match dialect.field(de).kind {
            ElementType::B => hex(value),
            _ => String::from_utf8(value.to_vec()).unwrap(),
        };
        assert_eq!(wanted, Some(Value::from(found)), "{id} DE{de}");
    }
    assert!(expected.is_empty(), "{id}: {expected:?}");

    let mut out = Vec::new();
    dialect.encode(&message, &mut out).unwrap();
    assert_eq!(out == bytes, vector["reencodes"] != false, "{id}: {}", hex(&out));
    assert_eq!(dialect.decode(&out).as_ref(), Ok::<&Message, _>(&message), "{id}");
    assert!(explain(dialect, bytes).iter().all(|part| part.wrong.is_none()), "{id}");
}

fn check_error(vector: &Value, dialect: &Dialect, bytes: &[u8]) {
    let (id, expected) = (&vector["id"], &vector["error"]);
    let error = dialect.decode(bytes).err().unwrap();
    assert_eq!(error.kind.name(), expected["kind"], "{id}");
    assert_eq!(error.de.map(u64::from), expected["de"].as_u64(), "{id}");
    if let Some(offset) = expected["offset"].as_u64() {
        assert_eq!(error.offset as u64, offset, "{id}");
    }
    let parts = explain(dialect, bytes);
    let wrong = parts.last().unwrap().wrong.unwrap();
    assert_eq!((wrong.kind, wrong.offset), (error.kind, error.offset), "{id}");
}

#[test]
fn every_vector_is_read_as_its_source_says() {
    let (mut messages, mut errors) = (0, 0);
    for vector in vectors() {
        let bytes = payload(&vector);
        with_dialect(&vector, |dialect| {
            if vector["error"].is_null() {
                check_message(&vector, dialect, &bytes);
                messages += 1;
            } else {
                check_error(&vector, dialect, &bytes);
                errors += 1;
            }
        });
    }
    assert_eq!((messages, errors), (66, 29), "vectors went missing");
}
