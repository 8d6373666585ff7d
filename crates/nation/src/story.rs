//! A run told line by line, for whoever looks for the cause of what broke. Cards are masked.

use scheme::Pan;
use wire::frame::{Deframer, Framing};
use wire::iso8583::Dialect;

use crate::limits::{FRAME_MAX, STORY_LINES_MAX};

/// The lines, when they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) wanted: bool,
    pub(crate) lines: Vec<String>,
}

impl Story {
    /// Adds a line; `now` in ns. The text is made only when it is wanted.
    pub(crate) fn tell(&mut self, now: u64, text: impl FnOnce() -> String) {
        if self.wanted && self.lines.len() < STORY_LINES_MAX {
            let (ms, rest) = (now / 1_000_000, now % 1_000_000 / 1_000);
            self.lines.push(format!("{ms:>7}.{rest:03} {}", text()));
        }
    }
}

/// The messages in some bytes of a bank's or terminal's connection.
pub(crate) fn messages(bytes: &[u8]) -> String {
    let mut deframer = Deframer::new(Framing::Be2, FRAME_MAX);
    deframer.push(bytes);
    let mut texts = Vec::new();
    while let Ok(Some(frame)) = deframer.next() {
        texts.push(message(frame).unwrap_or_else(|| format!("{} bytes", frame.len())));
    }
    if deframer.buffered() > 0 {
        texts.push(format!("... {} bytes", deframer.buffered()));
    }
    texts.join("; ")
}

fn message(frame: &[u8]) -> Option<String> {
    let message = Dialect::builtin("iso87-ascii")?.decode(frame).ok()?;
    let mut text = message.mti().to_string();
    for de in [4, 7, 11, 12, 37, 39, 41, 44, 70, 90] {
        if let Some(value) = message.text(de) {
            text.push_str(&format!(" {de}={}", value.trim_start_matches('0')));
        }
    }
    if let Some(pan) = message.get(2).and_then(|pan| Pan::parse(pan).ok()) {
        text.push_str(&format!(" card *{:04}", pan.last4()));
    }
    Some(text)
}
