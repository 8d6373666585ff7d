//! What people have in hand - hexadecimal, base64 or raw, with or without its 2-byte length - as
//! the bytes of one message.
//!
//! Every way to read the input is tried; the first that a dialect decodes whole is taken. If none
//! is, the most likely one is kept, so that its error names the right byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use wire::iso8583::{DecodeError, DecodeErrorKind, Dialect, Message};

use crate::dialect::Choice;
use crate::error::Failure;
use crate::input::{self, Given};

/// How the input stands for bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Input {
    /// Whatever decodes
    Auto,
    /// Hexadecimal digits; white space is skipped
    Hex,
    /// Base64 (RFC 4648 section 4)
    Base64,
    /// The bytes themselves
    Raw,
}

/// A message that somebody brings.
#[derive(Debug, Args)]
pub(crate) struct Brought {
    /// The message: in hexadecimal, base64 or raw; @FILE reads a file, - or nothing reads
    /// standard input
    #[arg(allow_hyphen_values = true)]
    message: Option<String>,
    /// How the input stands for bytes
    #[arg(long, value_enum, default_value_t = Input::Auto)]
    input: Input,
    #[command(flatten)]
    choice: Choice,
}

/// One way to read the input.
#[derive(Clone)]
pub(crate) struct Reading {
    /// The message, without its frame.
    pub(crate) bytes: Vec<u8>,
    /// Whether a 2-byte length stood before it.
    pub(crate) is_framed: bool,
}

/// What the input was found to be.
pub(crate) struct Found<'d> {
    /// The bytes.
    pub(crate) reading: Reading,
    /// In which dialect.
    pub(crate) dialect: &'d Dialect,
    /// The message, or the error of the most likely reading.
    pub(crate) decoded: Result<Message, DecodeError>,
}

impl Brought {
    /// Reads the input and finds the dialect, in which `use_found` then gets it.
    pub(crate) fn find<T>(
        &self,
        use_found: impl FnOnce(Found<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let dialects = self.choice.dialects()?;
        let dialects = dialects.list();
        let given = input::read(self.message.as_deref())?;
        if given.bytes.trim_ascii().is_empty() {
            return Err(Failure::new("no_input", "the input is empty")
                .at(given.place)
                .todo("give a message as an argument, as @FILE, or through a pipe"));
        }
        let readings = readings(self.input, &given)?;
        use_found(find(&dialects, readings))
    }
}

fn find<'d>(dialects: &[&'d Dialect], readings: Vec<Reading>) -> Found<'d> {
    for reading in &readings {
        for dialect in dialects {
            if let Ok(message) = dialect.decode(&reading.bytes) {
                return Found { reading: reading.clone(), dialect, decoded: Ok(message) };
            }
        }
    }
    let reading = readings
        .iter()
        .find(|reading| is_message_like(&reading.bytes))
        .or(readings.first())
        .cloned()
        .unwrap_or(Reading { bytes: Vec::new(), is_framed: false });
    let dialect = likely(dialects, &reading.bytes);
    let decoded = match wrong_frame(&reading) {
        Some(error) => Err(error),
        None => dialect.decode(&reading.bytes),
    };
    Found { reading, dialect, decoded }
}

/// Whether it begins as a message of 1987 does, perhaps behind a length that is not its own.
fn is_message_like(bytes: &[u8]) -> bool {
    has_type(bytes) || is_behind_length(bytes)
}

fn has_type(bytes: &[u8]) -> bool {
    matches!(bytes, [b'0', b'1'..=b'8', b'0'..=b'9', b'0'..=b'9', ..])
}

fn is_behind_length(bytes: &[u8]) -> bool {
    let digits = |four: &[u8]| four.iter().all(u8::is_ascii_digit);
    bytes.get(2..).is_some_and(has_type) && !bytes.get(..4).is_some_and(digits)
}

/// A bitmap in characters means a dialect of characters, which stand first in the list.
fn likely<'d>(dialects: &[&'d Dialect], bytes: &[u8]) -> &'d Dialect {
    let bitmap = bytes.iter().skip(4).take(8);
    let is_text = bitmap.clone().all(|byte| (0x20..0x7f).contains(byte));
    let place = if is_text { 0 } else { dialects.len() - 1 };
    dialects[place]
}

/// A message behind a length that is not its own.
fn wrong_frame(reading: &Reading) -> Option<DecodeError> {
    let wrong = !reading.is_framed && is_behind_length(&reading.bytes);
    wrong.then_some(DecodeError {
        kind: DecodeErrorKind::Framing,
        de: None,
        offset: 0,
        partial: None,
    })
}

/// Ways to read the input, the likeliest first; never empty.
fn readings(input: Input, given: &Given) -> Result<Vec<Reading>, Failure> {
    let mut found = Vec::new();
    match input {
        Input::Hex => framed_or_not(hex(given)?, &mut found),
        Input::Base64 => framed_or_not(base64(given)?, &mut found),
        Input::Raw => framed_or_not(given.bytes.clone(), &mut found),
        Input::Auto => {
            for bytes in [hex(given), base64(given)].into_iter().flatten() {
                framed_or_not(bytes, &mut found);
            }
            framed_or_not(given.bytes.clone(), &mut found);
            // An editor or `echo` ends a file with a line end that is no part of the message.
            if let Some(line) = given.bytes.strip_suffix(b"\n") {
                framed_or_not(line.strip_suffix(b"\r").unwrap_or(line).to_vec(), &mut found);
            }
        }
    }
    Ok(found)
}

fn framed_or_not(bytes: Vec<u8>, found: &mut Vec<Reading>) {
    let inner = match bytes.as_slice() {
        [high, low, inner @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            (length == inner.len() && length > 0).then(|| inner.to_vec())
        }
        [] | [_] => None,
    };
    found.push(Reading { bytes, is_framed: false });
    found.extend(inner.map(|bytes| Reading { bytes, is_framed: true }));
}

fn hex(given: &Given) -> Result<Vec<u8>, Failure> {
    input::from_hex(&given.bytes).map_err(|at| {
        let what = match given.bytes.get(at) {
            Some(wrong) => format!("'{}' is not a hexadecimal digit", wrong.escape_ascii()),
            None => "the last hexadecimal digit lacks its pair".to_owned(),
        };
        Failure::new("bad_hex", what)
            .at(format!("{}, character {at} from 0", given.place))
            .todo("two digits for each byte, or say how it is written with --input")
    })
}

fn base64(given: &Given) -> Result<Vec<u8>, Failure> {
    let plain: Vec<u8> =
        given.bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).map_err(|error| {
        Failure::new("bad_base64", format!("it is not base64: {error}"))
            .at(given.place.clone())
            .todo("base64 of RFC 4648 section 4 with padding, or say another --input")
    })
}
