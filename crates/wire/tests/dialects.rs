//! The dialects as data: what they say, and what is said of files that are wrong.

use wire::iso8583::{Dialect, Message, Mti};

fn problems(toml: &str) -> String {
    Dialect::parse(toml).err().unwrap().to_string()
}

#[test]
fn every_builtin_dialect_is_read_and_goes_by_its_name() {
    for name in Dialect::builtin_names() {
        assert_eq!(Dialect::builtin(name).unwrap().name(), *name);
    }
    assert!(Dialect::builtin("iso93").is_none());
}

#[test]
fn an_echo_as_every_packager_writes_it() {
    let mut message = Message::new(Mti::new(800).unwrap());
    message.set(70, b"301");
    message.set(7, b"1122071500");
    message.set(11, b"000001");
    let mut out = Vec::new();
    Dialect::builtin("iso87-ascii")
        .unwrap()
        .encode(&message, &mut out)
        .unwrap();
    let expected: &[u8] = b"0800822000000000000004000000000000001122071500000001301";
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}
