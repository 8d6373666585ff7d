//! `bongsu message decode`: bytes to JSON.

use clap::Args;
use serde_json::{Map, Value, json};
use wire::iso8583::{DecodeError, DecodeErrorKind, Dialect, ElementType, Message};

use super::reading::{Brought, Found};
use crate::error::{Exit, Failure};
use crate::input::to_hex;
use crate::output::{self, Format};

/// Read a message into JSON
///
/// Prints {"mti","fields":{"2":"..."},"dialect","bytes"}; binary elements in upper-case
/// hexadecimal, `bytes` is the message's length. A message that can't be read ends with 1 and
/// {"error":{"kind","de","offset","message"}}, the offset counted from the message's first byte.
/// Values are printed as they are, card numbers included: it is your message.
/// `bongsu message explain` masks them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu message decode 0800822000000000000004000000000000001122091407000001301
  bongsu message decode --input raw @capture.bin")]
pub(super) struct Decode {
    #[command(flatten)]
    brought: Brought,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

impl Decode {
    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.brought.find(|found| {
            if found.reading.is_framed {
                output::note("note: a 2-byte length stood before the message; it is not counted");
            }
            let message = found.decoded.as_ref().map_err(|error| failure(error, &found))?;
            let length = found.reading.bytes.len();
            match self.format {
                Format::Json => output::json(&document(message, found.dialect, length))?,
                Format::Text => output::text(&table(message, found.dialect))?,
            }
            Ok(Exit::Fine)
        })
    }
}

/// A value as scripts get it: text, or upper-case hexadecimal digits for type b.
pub(super) fn shown(dialect: &Dialect, de: u8, value: &[u8]) -> String {
    match dialect.field(de).kind {
        ElementType::B => to_hex(value),
        ElementType::N | ElementType::Xn | ElementType::An | ElementType::Ans | ElementType::Z => {
            String::from_utf8_lossy(value).into_owned()
        }
    }
}

fn document(message: &Message, dialect: &Dialect, length: usize) -> Value {
    let fields: Map<String, Value> = message
        .fields()
        .map(|(de, value)| (de.to_string(), shown(dialect, de, value).into()))
        .collect();
    json!({
        "mti": message.mti().to_string(),
        "fields": fields,
        "dialect": dialect.name(),
        "bytes": length,
    })
}

fn table(message: &Message, dialect: &Dialect) -> String {
    let mut rows = vec![vec!["MTI".into(), message.mti().to_string(), String::new()]];
    for (de, value) in message.fields() {
        let name = dialect.field(de).name.clone();
        rows.push(vec![format!("DE{de}"), shown(dialect, de, value), name]);
    }
    output::columns(&rows, &[])
}

/// Why a message can't be read.
pub(super) fn failure(error: &DecodeError, found: &Found<'_>) -> Failure {
    let place = match error.de {
        Some(de @ 2..) => {
            let field = found.dialect.field(de);
            format!("DE{de} ({}, {}), byte {}", field.name, field.format(), error.offset)
        }
        Some(1) => format!("bitmap, byte {}", error.offset),
        Some(0) | None => format!("byte {}", error.offset),
    };
    let is_empty = found.reading.bytes.is_empty();
    let message = match error.kind {
        _ if is_empty => EMPTY.to_owned(),
        DecodeErrorKind::Framing => frame_words(&found.reading.bytes),
        _ => error.to_string(),
    };
    let remedy = if is_empty {
        "give a message as an argument, as @FILE, or through a pipe"
    } else {
        "`bongsu message explain` shows what could be read; --dialect names another dialect"
    };
    Failure::no(error.kind.name(), message)
        .at(place)
        .todo(remedy)
        .with("de", error.de)
        .with("offset", error.offset)
        .with("dialect", found.dialect.name())
}

/// What is wrong with no byte at all.
pub(super) const EMPTY: &str = "the input is empty";

/// What is wrong with the length before a message.
pub(super) fn frame_words(bytes: &[u8]) -> String {
    match bytes {
        [high, low, rest @ ..] => {
            let says = u16::from_be_bytes([*high, *low]);
            format!("the length before the message says {says} bytes, {} follow", rest.len())
        }
        [] | [_] => "there is no message".to_owned(),
    }
}
