//! Key files: one key a line, `id:hex32`, oldest first; blank lines and lines from `#` on are
//! skipped. The file is the only place where a clear key is written; its mode is the caller's care.

use core::fmt;
use core::fmt::Write as _;

use zeroize::Zeroizing;

use crate::key::{Key128, KeyId};
use crate::limits::{KEY_FILE_MAX, RING_MAX};

/// What is wrong with a key file. Never repeats what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFileError {
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Byte in the line, from 1; 0 for the line as a whole.
    pub column: usize,
    /// What was wrong.
    pub fault: KeyFileFault,
}

/// A fault of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileFault {
    /// Longer than [`KEY_FILE_MAX`] bytes.
    TooLong,
    /// More than [`RING_MAX`] keys.
    TooManyKeys,
    /// No key at all.
    NoKey,
    /// No colon between id and key.
    NoColon,
    /// The id is not a number from 0 to 65535.
    Id,
    /// The id stands on an earlier line, too.
    Twice(KeyId),
    /// The key has this many characters, not 32.
    KeyLength(usize),
    /// Not a hexadecimal digit.
    NotHex,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => {}
            (line, 0) => write!(f, "{line}: ")?,
            (line, column) => write!(f, "{line}:{column}: ")?,
        }
        match self.fault {
            KeyFileFault::TooLong => write!(f, "a key file has at most {KEY_FILE_MAX} bytes"),
            KeyFileFault::TooManyKeys => write!(f, "a key file has at most {RING_MAX} keys"),
            KeyFileFault::NoKey => f.write_str("no key in the file"),
            KeyFileFault::NoColon => f.write_str("a key line is id:key, as in 1:00112233..."),
            KeyFileFault::Id => f.write_str("a key id is a number from 0 to 65535"),
            KeyFileFault::Twice(id) => write!(f, "key {id} stands on an earlier line"),
            KeyFileFault::KeyLength(len) => {
                write!(f, "a key has 32 hexadecimal digits, here are {len}")
            }
            KeyFileFault::NotHex => f.write_str("not a hexadecimal digit"),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Reads a key file: at least one key, every id once.
pub fn parse(text: &str) -> Result<Vec<(KeyId, Key128)>, KeyFileError> {
    let whole = |fault| KeyFileError { line: 0, column: 0, fault };
    if text.len() > KEY_FILE_MAX {
        return Err(whole(KeyFileFault::TooLong));
    }
    let mut keys: Vec<(KeyId, Key128)> = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line_number = place + 1;
        let at = |column, fault| KeyFileError { line: line_number, column, fault };
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (id, key) = key_line(line).map_err(|(column, fault)| at(column, fault))?;
        if keys.iter().any(|(earlier, _)| *earlier == id) {
            return Err(at(0, KeyFileFault::Twice(id)));
        }
        if keys.len() == RING_MAX {
            return Err(at(0, KeyFileFault::TooManyKeys));
        }
        keys.push((id, key));
    }
    if keys.is_empty() {
        return Err(whole(KeyFileFault::NoKey));
    }
    Ok(keys)
}

/// Writes keys as [`parse`] reads them. The text is wiped when dropped.
pub fn print<'a>(keys: impl IntoIterator<Item = (KeyId, &'a Key128)>) -> Zeroizing<String> {
    // Room for a whole ring at once: a string that grows leaves unwiped copies behind.
    let mut text = Zeroizing::new(String::with_capacity(RING_MAX * LINE_MAX));
    for (id, key) in keys {
        // Writing to a string can't fail.
        let _ = write!(text, "{id}:");
        for byte in key.bytes() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

/// Five digits of id, a colon, 32 digits of key, a newline.
const LINE_MAX: usize = 5 + 1 + 32 + 1;

fn key_line(line: &str) -> Result<(KeyId, Key128), (usize, KeyFileFault)> {
    let line = line.trim_end();
    let (id, key) = line.split_once(':').ok_or((0, KeyFileFault::NoColon))?;
    let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let number: u16 =
        Some(id).filter(|_| digits).and_then(|id| id.parse().ok()).ok_or((1, KeyFileFault::Id))?;
    let key_column = id.len() + 2;
    if let Some(at) = key.bytes().position(|b| !b.is_ascii_hexdigit()) {
        return Err((key_column + at, KeyFileFault::NotHex));
    }
    let mut bytes = Zeroizing::new([0; 16]);
    if key.len() != 2 * bytes.len() {
        return Err((key_column, KeyFileFault::KeyLength(key.len())));
    }
    for (byte, pair) in bytes.iter_mut().zip(key.as_bytes().chunks(2)) {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(text, 16).map_err(|_| (key_column, KeyFileFault::NotHex))?;
    }
    Ok((KeyId(number), Key128::from_random(*bytes)))
}
