//! The dialects as data: what they say, and what is said of files that are wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use wire::iso8583::{Dialect, ElementType, Length};

const ASCII: &str = include_str!("../../../dialects/iso87-ascii.toml");

fn problems(toml: &str) -> String {
    Dialect::parse(toml).err().unwrap().to_string()
}

/// The dialect file with one line replaced, and what is said of it.
fn spoilt(line: &str, by: &str) -> String {
    assert_eq!(ASCII.matches(line).count(), 1, "{line}");
    problems(&ASCII.replace(line, by))
}

#[test]
fn every_builtin_dialect_is_read_and_goes_by_its_name() {
    for name in Dialect::builtin_names() {
        assert_eq!(Dialect::builtin(name).unwrap().name(), *name);
    }
    assert!(Dialect::builtin("iso93").is_none());
}

/// `vectors/lengths.json`: digits of length and characters on the wire, read out of the packagers.
/// Where they differ from each other, `docs/formats/dialects.md` says which one we follow.
#[test]
fn elements_are_as_long_as_the_packagers_have_them() {
    let lengths: Value = serde_json::from_str(include_str!("vectors/lengths.json")).unwrap();
    for (packager, differs) in [
        ("PyPI pyiso8583 4.0.1, specs.default_ascii", vec![54, 55, 65]),
        ("org.jpos:jpos 2.1.10, ISO87APackager", vec![93, 96]),
    ] {
        for name in Dialect::builtin_names() {
            let dialect = Dialect::builtin(name).unwrap();
            let others = (2..=128u8).filter(|de| {
                let field = dialect.field(*de);
                let digits = match field.length {
                    Length::Fixed => 0,
                    Length::Variable { digits } => digits,
                };
                let is_hex = field.kind == ElementType::B;
                let ours = [u16::from(digits), field.max * if is_hex { 2 } else { 1 }];
                lengths[packager][de.to_string()] != Value::from(ours.to_vec())
            });
            assert_eq!(others.collect::<Vec<_>>(), differs, "{packager}, {name}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let toml = "name = \"My Dialect\"\n\
        colour = 1\n\
        base = \"iso87-ascii\"\n\
        [encoding]\n\
        bitmap = \"ebcdic\"\n\
        q = \"ascii\"\n\
        [de]\n\
        1 = { type = \"b8\" }\n\
        02 = { type = \"n6\" }\n\
        129 = { type = \"n6\" }\n\
        3 = { type = \"n6\", size = 6 }\n\
        4 = { name = \"Amount\" }\n\
        5 = { type = \"q12\" }\n\
        6 = { type = \"n..100\" }\n\
        7 = { type = \"n\" }\n\
        8 = { type = \"n0\" }\n\
        9 = { type = \"n.....1\" }\n\
        10 = { type = \"n+6\" }\n\
        11 = \"n6\"\n\
        52 = { type = \"b8\", encoding = \"ascii\" }\n";
    let found = problems(toml);
    let expected = [
        "1:1: the file needs title = \"...\"",
        "1:8: a name has lower case letters, digits and - alone",
        "2:1: unknown key colour; known are name, title, base, encoding, de",
        "5:10: ebcdic can't be used here; known are hex, binary",
        "6:1: unknown key q; known are mti, length, bitmap, n, x+n, an, ans, z, b",
        "8:1: 1 is no data element; they are 2 to 128",
        "9:1: 02 is no data element; they are 2 to 128",
        "10:1: 129 is no data element; they are 2 to 128",
        "11:20: unknown key size; known are name, type, encoding",
        "12:5: the element needs type = \"...\", such as n6 or ans..25",
        "13:14: q12: the type must be one of n, x+n, an, ans, z, b",
        "14:14: n..100: 2 digits of length say at most 99",
        "15:14: n: the type ends with a length, such as n6 or ans..25",
        "16:14: n0: the length must be 1 to 9999",
        "17:14: n.....1: at most 4 digits of length",
        "18:15: n+6: the type must be one of n, x+n, an, ans, z, b",
        "19:6: a table is needed here",
        "20:32: ascii can't be used here; known are hex, binary",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_file_without_a_base_must_say_everything() {
    let line = "70 = { name = \"Network management information code\", type = \"n3\" }\n";
    assert_eq!(spoilt(line, ""), "1:1: data element 70 is missing from [de]");
    assert_eq!(spoilt("z = \"ascii\"\n", ""), "1:1: [encoding] needs z");
    assert_eq!(spoilt("mti = \"ascii\"\n", ""), "1:1: [encoding] needs mti");
    let nameless = "70 = { type = \"n3\" }\n";
    assert_eq!(spoilt(line, nameless), "86:6: the element needs name = \"...\"");
    // 127 elements, nine encodings, name and title.
    assert_eq!(problems("").lines().count(), 127 + 9 + 2);
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let found = problems("name = \"a\"\ntitle = \"b\"\n[de]\n2 = { name = }\n");
    assert!(found.starts_with("4:"), "{found}");
    let twice = ASCII.replace("\n4 = {", "\n3 = {");
    assert!(problems(&twice).starts_with("20:1: "), "{}", problems(&twice));
}

#[test]
fn an_unknown_base_is_refused() {
    let toml = "name = \"a\"\ntitle = \"b\"\nbase = \"iso93\"\n";
    let first = "3:8: there is no dialect iso93; known are iso87-ascii, iso87-ascii-bin";
    assert!(problems(toml).lines().any(|line| line == first));
}
