//! What must hold for every message, every byte string and every stream.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use wire::frame::{Deframer, FrameError, Framing, write_frame};
use wire::iso8583::{
    DecodeErrorKind, Dialect, ElementType, Length, Message, Mti, explain, recognise,
};

type Elements = BTreeMap<u8, Vec<u8>>;

fn dialects() -> Vec<&'static Dialect> {
    Dialect::builtin_names().iter().map(|name| Dialect::builtin(name).unwrap()).collect()
}

/// Makes the value of a type out of any bytes.
fn shaped(kind: ElementType, raw: &[u8]) -> Vec<u8> {
    let digit = |b: &u8| b'0' + b % 10;
    match kind {
        ElementType::N => raw.iter().map(digit).collect(),
        ElementType::Xn => {
            let digits = raw[1..].iter().map(digit);
            std::iter::once(b"CD"[usize::from(raw[0] % 2)]).chain(digits).collect()
        }
        ElementType::An | ElementType::Ans => raw.iter().map(|b| b' ' + b % 95).collect(),
        ElementType::Z => raw.iter().map(|b| b"0123456789=D"[usize::from(b % 12)]).collect(),
        ElementType::B => raw.to_vec(),
    }
}

/// Valid elements, all as long as a decoded message has them.
fn elements() -> impl Strategy<Value = Elements> {
    let element = (2u8..=128, vec(any::<u8>(), 60), any::<u16>());
    vec(element, 0..24).prop_map(|elements| {
        let dialect = Dialect::builtin("iso87-ascii").unwrap();
        let fitted = elements.into_iter().map(|(de, raw, length)| {
            let field = dialect.field(de);
            let length = match field.length {
                Length::Fixed => field.max,
                Length::Variable { .. } => length % (field.max + 1),
            };
            let raw: Vec<u8> = raw.into_iter().cycle().take(length.into()).collect();
            (de, shaped(field.kind, &raw))
        });
        fitted.collect()
    })
}

fn message_of(mti: u16, elements: &Elements) -> Message {
    let mut message = Message::new(Mti::new(mti).unwrap());
    for (de, value) in elements {
        message.set(*de, value);
    }
    message
}

fn encode(dialect: &Dialect, message: &Message) -> Vec<u8> {
    let mut out = b"before".to_vec();
    dialect.encode(message, &mut out).unwrap();
    out.split_off(6)
}

/// Whether two messages on the wire differ only in what is read and never written: lower-case
/// hexadecimal digits.
fn same_but_case(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// Bytes that decode must write themselves back, but for an empty secondary bitmap.
fn check_accepted(dialect: &Dialect, bytes: &[u8], message: &Message) {
    let out = encode(dialect, message);
    let again = dialect.decode(&out);
    assert_eq!(again.as_ref(), Ok(message), "{}", out.escape_ascii());
    let empty_secondary = message.fields().all(|(de, _)| de <= 64);
    if !(empty_secondary && out.len() < bytes.len()) {
        assert!(same_but_case(&out, bytes), "{}", bytes.escape_ascii());
    }
}

fn check_any_bytes(bytes: &[u8]) {
    for dialect in dialects() {
        let parts = explain(dialect, bytes);
        let covered: Vec<u8> = parts.iter().flat_map(|p| p.raw.clone()).collect();
        assert_eq!(covered, bytes);
        let mut at = 0;
        for part in &parts {
            assert_eq!((part.offset, part.raw.len()), (at, part.length));
            at += part.length;
        }
        let wrong = parts.last().and_then(|p| p.wrong);
        match dialect.decode(bytes) {
            Ok(message) => {
                assert_eq!(wrong, None);
                check_accepted(dialect, bytes, &message);
            }
            Err(error) => {
                let wrong = wrong.unwrap();
                assert_eq!((wrong.kind, wrong.offset), (error.kind, error.offset));
                assert!(error.offset <= bytes.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn decode_undoes_encode(mti in 0u16..=9999, elements in elements()) {
        let message = message_of(mti, &elements);
        for dialect in dialects() {
            let bytes = encode(dialect, &message);
            prop_assert_eq!(dialect.decode(&bytes), Ok(message.clone()));
        }
    }

    #[test]
    fn a_dialect_is_recognised_by_its_first_frame(elements in elements()) {
        let message = message_of(200, &elements);
        let all = dialects();
        for dialect in &all {
            let bytes = encode(dialect, &message);
            let (found, read) = recognise(&all, &bytes).unwrap();
            prop_assert_eq!((found.name(), read), (dialect.name(), message.clone()));
        }
    }

    #[test]
    fn every_truncation_is_an_error_that_keeps_what_was_read(elements in elements()) {
        let message = message_of(420, &elements);
        for dialect in dialects() {
            let bytes = encode(dialect, &message);
            // Long messages: every byte of the first 200, then every 7th.
            for cut in (0..bytes.len()).filter(|cut| *cut < 200 || cut % 7 == 0) {
                let error = dialect.decode(&bytes[..cut]).err().unwrap();
                prop_assert!(error.offset <= cut);
                prop_assert!(error.kind.name().starts_with("truncated_"), "{}", error.kind);
                prop_assert_eq!(error.partial.is_some(), cut >= 4);
                if let Some(partial) = error.partial {
                    let before: Elements = elements
                        .iter()
                        .filter(|(de, _)| Some(**de) < error.de)
                        .map(|(de, value)| (*de, value.clone()))
                        .collect();
                    prop_assert_eq!(*partial, message_of(420, &before));
                }
            }
        }
    }

    #[test]
    fn trailing_bytes_are_an_error(elements in elements(), extra in vec(any::<u8>(), 1..4)) {
        for dialect in dialects() {
            let mut bytes = encode(dialect, &message_of(200, &elements));
            let length = bytes.len();
            bytes.extend(&extra);
            let error = dialect.decode(&bytes).err().unwrap();
            let last = elements.keys().copied().max().unwrap_or(1);
            prop_assert_eq!(error.kind, DecodeErrorKind::TrailingData);
            prop_assert_eq!((error.de, error.offset), (Some(last), length));
        }
    }

    #[test]
    fn any_mutation_is_refused_or_read_and_written_back(
        elements in elements(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
    ) {
        for dialect in dialects() {
            let mut bytes = encode(dialect, &message_of(200, &elements));
            for (at, byte, how) in &changes {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = *byte,
                    1 => bytes.insert(at, *byte),
                    _ if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            check_any_bytes(&bytes);
        }
    }

    #[test]
    fn no_bytes_do_harm(
        bytes in vec(any::<u8>(), 0..80),
        mti in "[0-9]{4}",
        bitmap in "[0-9A-Fa-f]{16,32}",
        text in "[ -~]{0,120}",
    ) {
        check_any_bytes(&bytes);
        check_any_bytes(&[mti.as_bytes(), &bytes].concat());
        check_any_bytes(&[mti.as_bytes(), bitmap.as_bytes(), text.as_bytes()].concat());
        check_any_bytes(&[mti.as_bytes(), bitmap.as_bytes(), &bytes].concat());
    }

    #[test]
    fn a_message_is_a_map_of_its_elements(
        steps in vec((2u8..=128, 0u8..6, vec(any::<u8>(), 0..40)), 0..60),
    ) {
        let mut message = Message::new(Mti::new(200).unwrap());
        let mut model = Elements::new();
        for (de, how, value) in steps {
            // Few elements, so that they meet again.
            let de = if de.is_multiple_of(3) { de } else { de % 8 + 2 };
            match how {
                0 => {
                    prop_assert_eq!(message.remove(de), model.remove(&de).is_some());
                }
                1 => {
                    message.wipe(de);
                    model.remove(&de);
                }
                _ => {
                    message.set(de, &value);
                    model.insert(de, value);
                }
            }
            let found: Elements = message.fields().map(|(de, v)| (de, v.to_vec())).collect();
            prop_assert_eq!(&found, &model);
            for de in 0..=255 {
                prop_assert_eq!(message.has(de), model.contains_key(&de));
                prop_assert_eq!(message.get(de), model.get(&de).map(Vec::as_slice));
            }
            prop_assert_eq!(&message, &message_of(200, &model));
            let odd: Elements = model.clone().into_iter().filter(|(de, _)| de % 2 == 1).collect();
            prop_assert_eq!(message.only(|de| de % 2 == 1), message_of(200, &odd));
        }
    }

    #[test]
    fn a_stream_is_cut_where_it_was_framed(
        payloads in vec(vec(any::<u8>(), 1..300), 0..12),
        pieces in vec(1usize..90, 1..20),
    ) {
        let mut stream = Vec::new();
        for payload in &payloads {
            write_frame(Framing::Be2, payload, &mut stream).unwrap();
        }
        let mut deframer = Deframer::new(Framing::Be2, 300);
        let (mut found, mut rest) = (Vec::new(), stream.as_slice());
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            deframer.push(now);
            while let Some(payload) = deframer.next().unwrap() {
                found.push(payload.to_vec());
            }
            prop_assert!(deframer.buffered() < 302);
            rest = later;
        }
        prop_assert_eq!(deframer.buffered(), 0);
        prop_assert_eq!(found, payloads);
    }

    #[test]
    fn any_map_of_values_is_written_as_it_reads_or_refused(
        elements in btree_map(2u8..=128, vec(any::<u8>(), 0..20), 0..4),
    ) {
        let message = message_of(200, &elements);
        for dialect in dialects() {
            let mut out = b"before".to_vec();
            match dialect.encode(&message, &mut out) {
                Ok(()) => {
                    let read = dialect.decode(&out[6..]).unwrap();
                    for (de, value) in message.fields() {
                        let got = read.get(de).unwrap();
                        prop_assert!(got.starts_with(value));
                        prop_assert!(got[value.len()..].iter().all(|b| *b == b' '));
                    }
                }
                Err(error) => {
                    prop_assert!(message.has(error.de));
                    prop_assert_eq!(&out[..], b"before");
                }
            }
        }
    }
}

#[test]
fn a_length_of_zero_or_above_the_limit_ends_the_stream() {
    for (header, error) in
        [([0, 0], FrameError::Empty), ([1, 1], FrameError::TooLong { length: 257, max: 256 })]
    {
        let mut deframer = Deframer::new(Framing::Be2, 256);
        deframer.push(&[0, 1, b'x']);
        deframer.push(&header);
        assert_eq!(deframer.next(), Ok(Some(b"x".as_slice())));
        assert_eq!(deframer.next(), Err(error));
        deframer.push(&[0, 1, b'y']);
        assert_eq!(deframer.next(), Err(error));
        assert_eq!(deframer.buffered(), 0);
    }
    let mut out = vec![7];
    assert_eq!(write_frame(Framing::Be2, &[], &mut out), Err(FrameError::Empty));
    assert!(write_frame(Framing::Be2, &[0; 65_536], &mut out).is_err());
    assert_eq!(out, [7]);
    write_frame(Framing::Be2, &[1; 65_535], &mut out).unwrap();
    assert_eq!((out.len(), &out[..3]), (65_538, [7, 255, 255].as_slice()));
}
