//! Where input comes from: an argument, `-` (standard input), or `@FILE`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use crate::error::Failure;
use crate::limits::{FILE_MAX, INPUT_MAX};

/// What was given, and where it came from.
pub(crate) struct Given {
    /// As it came.
    pub(crate) bytes: Vec<u8>,
    /// For messages about it.
    pub(crate) place: String,
}

/// Reads the argument, standard input or the file that the argument names.
pub(crate) fn read(argument: Option<&str>) -> Result<Given, Failure> {
    match argument {
        None | Some("-") => {
            let stdin = io::stdin();
            if argument.is_none() && stdin.is_terminal() {
                return Err(Failure::new("no_input", "there is no input")
                    .at("standard input")
                    .todo("give it as an argument, as @FILE, or through a pipe"));
            }
            let bytes = bounded(stdin.lock(), INPUT_MAX, "standard input")?;
            Ok(Given { bytes, place: "standard input".into() })
        }
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                Ok(Given { bytes: file(Path::new(path), INPUT_MAX)?, place: path.into() })
            }
            None => Ok(Given { bytes: text.as_bytes().to_vec(), place: "the argument".into() }),
        },
    }
}

/// Reads a whole text file.
pub(crate) fn text_file(path: &Path) -> Result<String, Failure> {
    let bytes = file(path, FILE_MAX)?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::new("unreadable", "the file is not UTF-8 text")
            .at(format!("{}:{line}", path.display()))
            .todo("save it as UTF-8")
    })
}

fn file(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let place = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::unreadable(&*place, &error))?;
    bounded(file, max, &place)
}

fn bounded(from: impl Read, max: u64, place: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::unreadable(place, &error))?;
    if bytes.len() as u64 > max {
        return Err(Failure::new("too_long", format!("more than {max} bytes")).at(place));
    }
    Ok(bytes)
}

/// Bytes from hexadecimal digits of either case; white space between them is skipped. The error
/// is the place of the first character that is none, or the length where one digit is missing.
pub(crate) fn from_hex(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    for (at, character) in text.iter().enumerate() {
        let digit = match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            b'A'..=b'F' => character - b'A' + 10,
            white if white.is_ascii_whitespace() => continue,
            _ => return Err(at),
        };
        half = match half {
            None => Some(digit),
            Some(high) => {
                bytes.push(high << 4 | digit);
                None
            }
        };
    }
    if half.is_some() { Err(text.len()) } else { Ok(bytes) }
}

/// Upper-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        assert_eq!(from_hex(b"0a FF\n1"), Err(7), "a digit is missing");
        assert_eq!(from_hex(b"0a FF\n10"), Ok(vec![0x0a, 0xff, 0x10]));
        assert_eq!(from_hex(b"0x10"), Err(1));
        assert_eq!(to_hex(&[0x0a, 0xff]), "0AFF");
    }
}
