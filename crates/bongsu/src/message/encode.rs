//! `bongsu message encode`: JSON to bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use scheme::Mti;
use serde_json::{Value, json};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, ElementType, EncodeError, EncodeErrorKind, Message};

use crate::dialect;
use crate::error::{Exit, Failure};
use crate::input::{self, from_hex, to_hex};
use crate::output::{self, Format};

/// Write a message from JSON
///
/// Takes what `bongsu message decode` prints: {"mti":"0800","fields":{"11":"000001"}}, binary
/// elements in hexadecimal. The dialect is --dialect, else the one that the JSON names, else
/// iso87-ascii. A value that does not fit ends with 1 and names its element.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu message encode '{\"mti\":\"0800\",\"fields\":{\"11\":\"000001\",\"70\":\"301\"}}'
  bongsu message decode @in.hex | bongsu message encode --dialect iso87-ascii-bin --output raw")]
pub(super) struct Encode {
    /// The JSON; @FILE reads a file, - or nothing reads standard input
    message: Option<String>,
    /// Dialect, by name or as a file
    #[arg(long, value_name = "NAME|FILE")]
    dialect: Option<String>,
    #[command(flatten)]
    written: Written,
}

/// How bytes are printed.
#[derive(Debug, Args)]
pub(super) struct Written {
    /// How to write the bytes
    #[arg(long, value_enum, default_value_t = Output::Hex)]
    output: Output,
    /// Put the 2-byte length of the wire before the message
    #[arg(long)]
    frame: bool,
    /// How to print it; json is {"message","output","dialect","bytes"}
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Output {
    /// Hexadecimal digits and a line end
    Hex,
    /// Base64 and a line end
    Base64,
    /// The bytes themselves
    Raw,
}

impl Encode {
    pub(super) fn format(&self) -> Format {
        self.written.format
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.written.check()?;
        let given = input::read(self.message.as_deref())?;
        let json: Value = serde_json::from_slice(&given.bytes).map_err(|error| {
            Failure::new("bad_json", error.to_string())
                .at(format!("{}:{}:{}", given.place, error.line(), error.column()))
                .todo("{\"mti\":\"0800\",\"fields\":{\"11\":\"000001\"}}")
        })?;
        let named = json.get("dialect").and_then(Value::as_str).unwrap_or(dialect::DEFAULT);
        let dialects = dialect::named(self.dialect.as_deref().unwrap_or(named))?;
        let dialect = dialects.list()[0];
        self.written.print(dialect, &message(dialect, &json)?)
    }
}

impl Written {
    /// Whether what was asked for can be printed at all.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.format == Format::Json && self.output == Output::Raw {
            return Err(Failure::new("usage", "raw bytes can't stand in JSON")
                .at("--output raw --format json")
                .todo("--output hex or base64, or --format text"));
        }
        Ok(())
    }

    /// Encodes a message and prints it.
    pub(super) fn print(&self, dialect: &Dialect, message: &Message) -> Result<Exit, Failure> {
        let mut bytes = encode(dialect, message)?;
        let length = bytes.len();
        if self.frame {
            let mut framed = Vec::with_capacity(length + 2);
            write_frame(Framing::Be2, &bytes, &mut framed)
                .map_err(|error| Failure::no("too_long", error.to_string()))?;
            bytes = framed;
        }
        let text = match self.output {
            Output::Raw => {
                output::raw(&bytes)?;
                return Ok(Exit::Fine);
            }
            Output::Hex => to_hex(&bytes),
            Output::Base64 => STANDARD.encode(&bytes),
        };
        match self.format {
            Format::Text => output::text(&text)?,
            Format::Json => output::json(&json!({
                "message": text,
                "output": if self.output == Output::Hex { "hex" } else { "base64" },
                "dialect": dialect.name(),
                "bytes": length,
            }))?,
        }
        Ok(Exit::Fine)
    }
}

fn encode(dialect: &Dialect, message: &Message) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    dialect.encode(message, &mut bytes).map_err(|error| failure(dialect, error))?;
    Ok(bytes)
}

fn failure(dialect: &Dialect, error: EncodeError) -> Failure {
    let (kind, offset) = match error.kind {
        EncodeErrorKind::TooLong { .. } => ("too_long", None),
        EncodeErrorKind::TooShort { .. } => ("too_short", None),
        EncodeErrorKind::InvalidContent { at } => ("invalid_content", Some(at)),
    };
    unfit(dialect, error.de, kind, offset, error.to_string())
}

fn unfit(
    dialect: &Dialect,
    de: u8,
    kind: &'static str,
    offset: Option<usize>,
    message: String,
) -> Failure {
    let field = dialect.field(de);
    Failure::no(kind, message)
        .at(format!("DE{de} ({})", field.name))
        .todo(format!("{} is {} in {}", field.name, field.format(), dialect.name()))
        .with("de", de)
        .with("offset", offset)
}

/// The message that the JSON describes.
fn message(dialect: &Dialect, json: &Value) -> Result<Message, Failure> {
    let shape = |place: String, what: &str| {
        Failure::new("bad_shape", what)
            .at(place)
            .todo("{\"mti\":\"0800\",\"fields\":{\"11\":\"000001\"}}")
    };
    let object = json.as_object().ok_or_else(|| shape("$".into(), "an object is needed"))?;
    let known = ["mti", "fields", "dialect", "bytes"];
    if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(shape(format!("$.{key}"), "there is no such key"));
    }
    let mti = object
        .get("mti")
        .and_then(Value::as_str)
        .and_then(|mti| Mti::parse(mti.as_bytes()))
        .ok_or_else(|| shape("$.mti".into(), "the message type is four digits in a string"))?;
    let mut message = Message::new(mti);
    let fields = match object.get("fields") {
        Some(Value::Object(fields)) => Some(fields),
        None => None,
        Some(_) => return Err(shape("$.fields".into(), "an object is needed")),
    };
    for (key, value) in fields.into_iter().flatten() {
        let place = format!("$.fields.{key}");
        let de = key
            .parse()
            .ok()
            .filter(|de| (2..=128).contains(de))
            .ok_or_else(|| shape(place.clone(), "a data element is a number from 2 to 128"))?;
        let value = value.as_str().ok_or_else(|| shape(place, "a value is a string"))?;
        message.set(de, &canonical(dialect, de, value)?);
    }
    Ok(message)
}

fn canonical(dialect: &Dialect, de: u8, value: &str) -> Result<Vec<u8>, Failure> {
    match dialect.field(de).kind {
        ElementType::B => from_hex(value.as_bytes()).map_err(|at| {
            let what = format!("DE{de} is not pairs of hexadecimal digits at {at}");
            unfit(dialect, de, "invalid_content", Some(at), what)
        }),
        ElementType::N | ElementType::Xn | ElementType::An | ElementType::Ans | ElementType::Z => {
            Ok(value.as_bytes().to_vec())
        }
    }
}
