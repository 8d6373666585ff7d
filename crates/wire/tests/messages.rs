//! Rules of encoding, decoding and showing a message, one by one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use wire::iso8583::{
    DecodeErrorKind, Dialect, EncodeError, EncodeErrorKind, Message, Mti, Part, explain,
};

fn ascii() -> &'static Dialect {
    Dialect::builtin("iso87-ascii").unwrap()
}

fn message(elements: &[(u8, &[u8])]) -> Message {
    let mut message = Message::new(Mti::new(800).unwrap());
    for (de, value) in elements {
        message.set(*de, value);
    }
    message
}

fn check_encoded(elements: &[(u8, &[u8])], expected: &str) {
    let mut out = Vec::new();
    ascii().encode(&message(elements), &mut out).unwrap();
    assert_eq!(out.escape_ascii().to_string(), expected);
}

fn check_refused(de: u8, value: &[u8], kind: EncodeErrorKind) {
    let mut out = vec![1];
    let error = ascii().encode(&message(&[(de, value)]), &mut out).err().unwrap();
    assert_eq!((error.de, error.kind, out), (de, kind, vec![1]));
}

fn check_decode_error(bytes: &str, expected: &str) {
    let error = ascii().decode(bytes.as_bytes()).err().unwrap();
    let kind = error.kind;
    let found = format!("{kind} {:?} {}", error.de.unwrap(), error.offset);
    assert_eq!(found, expected, "{bytes}");
}

#[test]
fn text_is_padded_and_a_short_number_is_refused() {
    // As jPOS pads IF_CHAR; pyiso8583 refuses all that is short.
    check_encoded(&[(38, b"AB1")], "08000000000004000000AB1   ");
    check_encoded(&[(39, b"")], "08000000000002000000  ");
    check_refused(3, b"12345", EncodeErrorKind::TooShort { length: 5, fixed: 6 });
    check_refused(28, b"C123", EncodeErrorKind::TooShort { length: 4, fixed: 9 });
    check_refused(52, &[1; 7], EncodeErrorKind::TooShort { length: 7, fixed: 8 });
}

#[test]
fn what_a_type_does_not_allow_is_refused() {
    check_refused(3, b"12345x", EncodeErrorKind::InvalidContent { at: 5 });
    check_refused(3, b" 12345", EncodeErrorKind::InvalidContent { at: 0 });
    check_refused(28, b"E00000000", EncodeErrorKind::InvalidContent { at: 0 });
    check_refused(28, b"C0000000C", EncodeErrorKind::InvalidContent { at: 8 });
    check_refused(35, b"94^1", EncodeErrorKind::InvalidContent { at: 2 });
    check_refused(44, b"a\tb", EncodeErrorKind::InvalidContent { at: 1 });
    check_refused(44, b"a\x7f", EncodeErrorKind::InvalidContent { at: 1 });
    check_refused(44, &[b'a'; 26], EncodeErrorKind::TooLong { length: 26, max: 25 });
    check_refused(3, b"1234567", EncodeErrorKind::TooLong { length: 7, max: 6 });
    check_encoded(
        &[(35, b"94080=3112?;:<>D")],
        "0800000000002000000016 94080=3112?;:<>D".replace(' ', "").as_str(),
    );
}

/// The bytes just beside what a type allows.
#[test]
fn types_end_where_they_should() {
    let wrong = EncodeErrorKind::InvalidContent { at: 0 };
    for (de, others) in
        [(27, &b"/:"[..]), (38, b"\x1f\x7f\x80"), (44, b"\x1f\x7f\x80"), (35, b"/@CEd")]
    {
        for other in others {
            check_refused(de, &[*other], wrong);
        }
    }
    for sign in b"0BEcd+- " {
        check_refused(28, &[&[*sign][..], b"00000000"].concat(), wrong);
    }
    check_refused(28, b"", wrong);
    check_decode_error("080040000000000000000:", "bad_length 2 20");
    check_decode_error("080040000000000000000/", "bad_length 2 20");
}

#[test]
fn errors_name_element_and_byte() {
    check_decode_error("080", "truncated_mti 0 0");
    check_decode_error("08x0", "bad_mti 0 2");
    check_decode_error("0800000000000000000", "truncated_bitmap 1 4");
    check_decode_error("0800000000000000000g", "bad_bitmap 1 19");
    check_decode_error("08002000000000000000 2345x", "invalid_content 3 20");
    check_decode_error("08002000000000000000123 56", "invalid_content 3 23");
    check_decode_error("0800200000000000000012345", "truncated_field 3 20");
    check_decode_error("08004000000000000000+1", "bad_length 2 20");
    check_decode_error("080040000000000000002", "truncated_length 2 20");
    check_decode_error("0800400000000000000020", "length_over_max 2 20");
    // With all of its digits there.
    let with_pan = |length, digits| format!("08004000000000000000{length}{:0<digits$}", "9408");
    check_decode_error(&with_pan(20, 20), "length_over_max 2 20");
    check_decode_error(&with_pan(19, 18), "truncated_field 2 22");
    assert!(ascii().decode(with_pan(19, 19).as_bytes()).is_ok());
    check_decode_error("08004000000000000000039408", "trailing_data 2 25");
    check_decode_error("08000000000000001000010203040506070g", "invalid_content 52 35");
}

#[test]
fn the_secondary_bitmap_is_written_only_when_needed() {
    check_encoded(&[(11, b"000001")], "08000020000000000000000001");
    let both = "080080200000000000000400000000000000000001301";
    check_encoded(&[(70, b"301"), (11, b"000001")], both);
    let empty = "080080200000000000000000000000000000000001";
    let read = ascii().decode(empty.as_bytes()).unwrap();
    assert_eq!(read, message(&[(11, b"000001")]));
    assert!(!read.has(1));
}

#[test]
fn hexadecimal_is_read_in_either_case_and_written_in_upper() {
    let value = [0x00, 0xca, 0xfe, 0xba, 0x00, 0x00, 0x00, 0x0b];
    let elements = message(&[(37, b"326071000123"), (39, b"a0"), (52, &value)]);
    let lower = "0800000000000a001000326071000123a000cafeba0000000b";
    assert_eq!(ascii().decode(lower.as_bytes()), Ok(elements));
    let upper = "0800000000000A001000326071000123a000CAFEBA0000000B";
    let found: &[_] = &[(37, &b"326071000123"[..]), (39, b"a0"), (52, &value)];
    check_encoded(found, upper);
}

#[test]
fn an_empty_variable_element_is_present() {
    let read = ascii().decode(b"0800400000000000000000").unwrap();
    assert_eq!((read.has(2), read.get(2)), (true, Some(&b""[..])));
    check_encoded(&[(2, b"")], "0800400000000000000000");
}

/// Every element that R-SECRETS names holds the same planted word; none may show it.
#[test]
fn debug_and_explain_mask_what_is_secret() {
    let secret: Vec<u8> = [14, 34, 35, 36, 45, 46, 47, 48, 52, 53]
        .into_iter()
        .chain(55..=64)
        .chain(105..=128)
        .collect();
    let mut planted = message(&[(2, b"9408019876543216"), (11, b"000123"), (41, b"PYO00001")]);
    for de in &secret {
        planted.set(*de, b"7777777777777777");
    }
    let shown = format!("{planted:?}");
    assert!(!shown.contains("777"), "{shown}");
    assert!(!shown.contains("98765432"), "{shown}");
    assert!(shown.starts_with("0800 {2: 94080198..3216, 11: 000123, 14: [16], "), "{shown}");
    assert!(shown.contains("41: PYO00001"), "{shown}");
    let short = message(&[(2, b"940801987654"), (35, b"x")]);
    assert_eq!(format!("{short:?}"), "0800 {2: [12], 35: [1]}");

    for name in Dialect::builtin_names() {
        let dialect = Dialect::builtin(name).unwrap();
        for de in &secret {
            let field = dialect.field(*de);
            planted.set(*de, &b"7777777777777777"[..usize::from(field.max.min(16))]);
        }
        let mut bytes = Vec::new();
        dialect.encode(&planted, &mut bytes).unwrap();
        for part in explain(dialect, &bytes) {
            let shown = format!("{part:?}{}", part.value);
            let seven = shown.contains("777") || shown.contains("3737");
            assert!(!seven && !shown.contains("98765432"), "{shown}");
        }
        bytes.push(b'!');
        let error = dialect.decode(&bytes).err().unwrap();
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains("777") && !shown.contains("98765432"), "{shown}");
    }
}

#[test]
fn a_wiped_element_is_gone_and_others_stay() {
    let mut message = message(&[(2, b"94080100"), (52, &[9; 8]), (41, b"PYO00001")]);
    message.wipe(52);
    message.wipe(52);
    assert_eq!((message.has(52), message.get(52)), (false, None));
    assert_eq!(message.text(41), Some("PYO00001"));
    assert!(!message.remove(52));
    assert!(message.remove(2));
    assert_eq!(message.fields().collect::<Vec<_>>(), [(41, &b"PYO00001"[..])]);
}

#[test]
fn a_message_is_explained_part_by_part() {
    let bytes = b"0800C0200000000000000400000000000000049408000001X01";
    let found: Vec<String> = explain(ascii(), bytes)
        .iter()
        .map(|part| {
            let wrong = part.wrong.map(|w| format!("{} at {}", w.kind, w.offset));
            let (at, length) = (part.offset, part.length);
            format!(
                "{at}+{length} {} ({}): {} {}",
                part.name,
                part.rule,
                part.value,
                wrong.unwrap_or_default()
            )
        })
        .collect();
    let bitmap = "16 hexadecimal characters, one bit for each element";
    let expected = [
        "0+4 Message type indicator (4 digits): 0800 ".to_owned(),
        format!("4+16 Bitmap, primary ({bitmap}): secondary bitmap, DE2, DE11 "),
        format!("20+16 Bitmap, secondary ({bitmap}): DE70 "),
        "36+6 Primary account number (up to 19 digits, after their count in 2 digits): [4] "
            .to_owned(),
        "42+6 System trace audit number (6 digits): 000001 ".to_owned(),
        "48+3 Network management information code (3 digits):  invalid_content at 48".to_owned(),
    ];
    assert_eq!(found, expected);
    let rest = explain(ascii(), b"08000000000000000000!!");
    assert_eq!(rest.last().map(|p| (p.part, p.length)), Some((Part::Rest, 2)));
}

#[test]
fn a_message_longer_than_any_frame_is_refused_whole() {
    let dialect = Dialect::builtin("iso87-ascii").unwrap();
    let mut message = Message::new(Mti::new(200).unwrap());
    for de in 105..=110 {
        message.set(de, &[b'7'; 9_999]);
    }
    message.set(48, &[b'5'; 6_000]);
    assert_eq!(message.fields().map(|(_, value)| value.len()).sum::<usize>(), 59_994);
    assert!(!message.has(48));
    let kind = EncodeErrorKind::TooLong { length: 6_000, max: 65_535 - 59_994 };
    let mut out = vec![1];
    assert_eq!(dialect.encode(&message, &mut out), Err(EncodeError { de: 48, kind }));
    assert_eq!(out, [1]);
    // With a value that fits it is a message again; its private fields are still too long.
    message.set(48, b"5");
    assert_eq!(message.get(48), Some(&b"5"[..]));
    assert_eq!(message.get(110), Some(&[b'7'; 9_999][..]));
    let kind = EncodeErrorKind::TooLong { length: 9_999, max: 999 };
    assert_eq!(dialect.encode(&message, &mut out), Err(EncodeError { de: 105, kind }));
    let long = [b'0'; 65_536];
    assert_eq!(dialect.decode(&long).unwrap_err().kind, DecodeErrorKind::Framing);
    assert_ne!(dialect.decode(&long[1..]).unwrap_err().kind, DecodeErrorKind::Framing);
}
