//! `bongsu message explain`: what each byte of a message means, and what is wrong with it.

use clap::Args;
use scheme::{MtiClass, MtiFunction};
use serde_json::{Value, json};
use wire::iso8583::{Dialect, Explained, Message, Part, Wrong, explain};

use super::decode::{EMPTY, frame_words};
use super::reading::{Brought, Found};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg, Paint};
use crate::words;

/// Say in words what each byte of a message means, and what is wrong
///
/// Ends with 1 if something is wrong. Card numbers are shown as first eight and last four digits,
/// other secrets (tracks, expiry, PIN, MAC, private elements) by their length, unless --unmask.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu message explain 0800822000000000000004000000000000001122091407000001301
  bongsu message explain --dialect iso87-ascii-bin @capture.bin")]
pub(super) struct Explain {
    #[command(flatten)]
    brought: Brought,
    /// Show card numbers and secrets as they are
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// A part and what people should know of it.
struct Line {
    part: Explained,
    name: String,
    value: String,
    meaning: Option<String>,
    /// What is wrong, in words.
    faults: Vec<String>,
}

impl Explain {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.brought.find(|found| {
            let Found { reading, dialect, decoded } = &found;
            let partial = match decoded {
                Ok(message) => Some(message),
                Err(error) => error.partial.as_deref(),
            };
            let parts = explain(dialect, &reading.bytes);
            let lines: Vec<Line> =
                parts.into_iter().map(|part| self.line(dialect, partial, part)).collect();
            let mut faults = decoded.as_ref().map_or_else(|_| Vec::new(), lacks);
            if reading.bytes.is_empty() {
                faults.push(EMPTY.to_owned());
            }
            if !reading.is_framed && decoded.as_ref().is_err_and(|error| error.de.is_none()) {
                faults.push(frame_words(&reading.bytes));
            }
            let is_fine = faults.is_empty() && lines.iter().all(|line| line.faults.is_empty());
            match self.format.format {
                Format::Json => output::json(&document(&found, &lines, &faults, is_fine))?,
                Format::Text => output::text(&page(&found, &lines, &faults))?,
            }
            Ok(if is_fine { Exit::Fine } else { Exit::No })
        })
    }

    fn line(&self, dialect: &Dialect, message: Option<&Message>, part: Explained) -> Line {
        let name = match part.part {
            Part::Mti => "MTI".to_owned(),
            Part::PrimaryBitmap | Part::SecondaryBitmap => "bitmap".to_owned(),
            Part::Element(de) => format!("DE{de}"),
            Part::Rest => "rest".to_owned(),
        };
        let mut value = part.value.clone();
        if let (true, Part::Element(de), None) = (self.unmask, part.part, part.wrong) {
            let canonical = message.and_then(|message| message.get(de)).unwrap_or_default();
            value = super::decode::shown(dialect, de, canonical);
        }
        let (meaning, mut faults) = match (part.wrong, part.part) {
            (None, Part::Mti) => (message.map(|message| words::mti(message.mti())), Vec::new()),
            (None, Part::Element(de)) => element(de, message),
            (None, Part::PrimaryBitmap | Part::SecondaryBitmap | Part::Rest) | (Some(_), _) => {
                (None, Vec::new())
            }
        };
        if let Some(wrong) = part.wrong {
            faults.push(self.fault(&part, wrong));
            if self.unmask {
                value = part.raw.escape_ascii().to_string();
            }
        }
        Line { part, name, value, meaning, faults }
    }

    fn fault(&self, part: &Explained, wrong: Wrong) -> String {
        let mut words = format!("{} at byte {}", wrong.kind.words(), wrong.offset);
        let at = wrong.offset.checked_sub(part.offset);
        // One byte is no secret and often says it all: a letter, a space, the high half of BCD.
        if let Some(byte) = at.and_then(|at| part.raw.get(at)) {
            words += &format!(" (0x{byte:02X} '{}')", byte.escape_ascii());
        }
        format!("{words}; here belong {}", part.rule)
    }
}

/// What a value means, and what the rule book says against it.
fn element(de: u8, message: Option<&Message>) -> (Option<String>, Vec<String>) {
    let text = |de| message.and_then(|message| message.text(de));
    let Some(value) = text(de) else {
        return (None, Vec::new());
    };
    let needed = |words: Option<String>, what: &str| match words {
        Some(words) => (Some(words), Vec::new()),
        None => (None, vec![what.to_owned()]),
    };
    let fine = |words: String| (Some(words), Vec::new());
    match de {
        2 => (None, words::pan_fault(value.as_bytes()).map(str::to_owned).into_iter().collect()),
        3 => fine(words::processing(value).into()),
        4 => needed(words::amount(value, text(49)), "no amount"),
        7 => needed(words::month_time(value), "no date and time (MMDDhhmmss)"),
        12 => needed(words::time(value).map(|w| format!("{w} local")), "no time (hhmmss)"),
        13 | 15 => needed(words::date(value), "no date (MMDD)"),
        39 => {
            let (words, next) =
                words::refusal(value, text(44)).unwrap_or_else(|| words::response(value));
            let is_answer = message.is_some_and(|message| !message.mti().is_request());
            let mti = message.map(|message| message.mti());
            if let Some(mti) = mti.filter(|mti| value == "00" && words::acknowledges(*mti)) {
                return fine(words::acknowledged(mti).into());
            }
            fine(if is_answer { format!("{words}: {}", next.words()) } else { words.into() })
        }
        49 => (
            (value == "408").then(|| "KPW, won of the example nation, 2 decimals".to_owned()),
            Vec::new(),
        ),
        54 => {
            let balances = value
                .as_bytes()
                .chunks(20)
                .map(|twenty| std::str::from_utf8(twenty).ok().and_then(words::balance));
            needed(balances.collect::<Option<Vec<_>>>().map(|b| b.join(", ")), "no balances")
        }
        70 => fine(words::network(value).into()),
        90 => needed(words::original(value), "no original data elements"),
        _ => (None, Vec::new()),
    }
}

/// What a request must carry and does not (R-FIELDS).
fn lacks(message: &Message) -> Vec<String> {
    let mti = message.mti();
    let needed: &[u8] = match (mti.class(), mti.function()) {
        (MtiClass::Authorisation | MtiClass::Financial, MtiFunction::Request) => &[3, 4, 7, 11, 41],
        (MtiClass::Network, MtiFunction::Request) => &[7, 11, 70],
        _ => &[],
    };
    let is_enquiry = message.text(3).is_some_and(|code| code.starts_with("31"));
    let lacking = |de: &&u8| !(message.has(**de) || **de == 4 && is_enquiry);
    let mut faults: Vec<String> = needed
        .iter()
        .filter(lacking)
        .map(|de| format!("a {mti} must carry DE{de} (R-FIELDS)"))
        .collect();
    if needed.contains(&3) && !message.has(2) && !message.has(35) {
        faults.insert(0, format!("a {mti} must carry DE2 or DE35 (R-FIELDS)"));
    }
    faults
}

fn document(found: &Found<'_>, lines: &[Line], faults: &[String], is_fine: bool) -> Value {
    let line = |line: &Line| {
        let de = match line.part.part {
            Part::Mti => Some(0),
            Part::PrimaryBitmap | Part::SecondaryBitmap => Some(1),
            Part::Element(de) => Some(de),
            Part::Rest => None,
        };
        json!({
            "offset": line.part.offset,
            "length": line.part.length,
            "de": de,
            "name": line.part.name,
            "rule": line.part.rule,
            "value": line.value,
            "meaning": line.meaning,
            "wrong": line.faults,
            "kind": line.part.wrong.map(|wrong| wrong.kind.name()),
            "wrong_at": line.part.wrong.map(|wrong| wrong.offset),
        })
    };
    json!({
        "ok": is_fine,
        "dialect": found.dialect.name(),
        "bytes": found.reading.bytes.len(),
        "framed": found.reading.is_framed,
        "parts": lines.iter().map(line).collect::<Vec<_>>(),
        "wrong": faults,
    })
}

fn page(found: &Found<'_>, lines: &[Line], faults: &[String]) -> String {
    let framed = if found.reading.is_framed { ", after a 2-byte length" } else { "" };
    let mut page =
        format!("{} bytes in {}{framed}\n\n", found.reading.bytes.len(), found.dialect.name());
    let mut rows: Vec<Vec<String>> =
        vec![["byte", "bytes", "part", "name", "value"].map(str::to_owned).to_vec()];
    for line in lines {
        rows.push(vec![
            line.part.offset.to_string(),
            line.part.length.to_string(),
            line.name.clone(),
            line.part.name.clone(),
            line.value.clone(),
        ]);
    }
    let table = output::columns(&rows, &[0, 1]);
    let mut printed = table.lines();
    page += printed.next().unwrap_or_default();
    for (row, line) in printed.zip(lines) {
        page += &format!("\n{row}");
        if let Some(meaning) = &line.meaning {
            page += &format!("\n               {meaning}");
        }
        for fault in &line.faults {
            page += &format!("\n               {}", output::paint(Paint::Bad, &wrong(fault)));
        }
    }
    for fault in faults {
        page += &format!("\n{}", output::paint(Paint::Bad, &wrong(fault)));
    }
    page
}

fn wrong(fault: &str) -> String {
    format!("wrong: {fault}")
}

#[cfg(test)]
mod tests {
    use scheme::Mti;

    use super::*;

    #[test]
    fn what_a_request_lacks() {
        let mut message = Message::new(Mti::parse(b"0200").unwrap());
        for de in [3, 4, 7, 41] {
            message.set(de, b"000000");
        }
        let lacking = lacks(&message);
        assert_eq!(lacking.len(), 2, "{lacking:?}");
        assert!(lacking[0].contains("DE2 or DE35") && lacking[1].contains("DE11"), "{lacking:?}");
    }
}
