//! The log of a process: one JSON line per event on stderr, or, where stderr is a terminal, a few
//! words for whoever sits there.
//!
//! A role that a supervisor runs has a file as its stderr; it is put aside when it gets long. More
//! lines in a second than the limit are counted, not written: a flood must not fill the disk.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use host::{Level, LogLine};
use serde_json::{Map, Value};

use crate::limits::{LOG_BYTES, LOG_FILES, LOG_LINES_PER_S};

/// A value with its name. Numbers are numbers; ids are text.
pub type Named = (&'static str, Value);

/// Where a process writes its log.
#[derive(Debug)]
pub struct Log {
    role: String,
    style: Style,
    state: Mutex<State>,
}

/// Who reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    /// A file or a program.
    Json,
    /// A person.
    Words,
}

#[derive(Debug, Default)]
struct State {
    /// The file that stderr is, if it is to be put aside when it is long.
    file: Option<PathBuf>,
    bytes: u64,
    second: u64,
    budget: Budget,
}

/// Lines of the present second: a flood of one level drowns no other, and an error is always
/// written.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    infos: u32,
    warnings: u32,
    dropped: u64,
}

impl Budget {
    fn admits(&mut self, level: Level) -> bool {
        let lines = match level {
            Level::Info => &mut self.infos,
            Level::Warn => &mut self.warnings,
            Level::Error => return true,
        };
        let room = *lines < LOG_LINES_PER_S;
        if room {
            *lines += 1;
        } else {
            self.dropped += 1;
        }
        room
    }
}

impl Log {
    /// The log of that role on stderr; `file` is what stderr is, when it is a file of ours.
    pub fn new(role: &str, file: Option<PathBuf>) -> Self {
        let people = file.is_none() && std::io::stderr().is_terminal();
        let style = if people { Style::Words } else { Style::Json };
        let bytes = file.as_deref().and_then(|path| path.metadata().ok()).map_or(0, |m| m.len());
        let state = State { file, bytes, ..State::default() };
        Self { role: role.to_owned(), style, state: Mutex::new(state) }
    }

    /// A log that nobody reads, for tests.
    #[cfg(test)]
    pub(crate) fn quiet() -> Self {
        let log = Self::new("test", None);
        let spent = Budget { infos: u32::MAX, warnings: u32::MAX, dropped: 0 };
        log.state.lock().unwrap().budget = spent;
        log.state.lock().unwrap().second = u64::MAX;
        log
    }

    /// Writes a line.
    pub fn line(&self, line: &LogLine) {
        let values = line.values.iter().map(|(name, value)| (*name, Value::from(value.as_str())));
        self.write(line.level, line.event, &values.collect::<Vec<_>>());
    }

    /// Writes a line of the shell's own.
    pub fn say(&self, level: Level, event: &str, values: &[Named]) {
        self.write(level, event, values);
    }

    /// Something that a person must read; `role` has noticed it. In a log of JSON lines it is one
    /// too; the role itself has said its own already.
    pub fn notice(&self, role: &str, what: &str) {
        let text = match self.style {
            Style::Json if role == self.role => return,
            Style::Json => {
                let values = [("child", role.into()), ("what", what.into())];
                return self.say(Level::Warn, "notice", &values);
            }
            Style::Words => format!("notice: {}\n", printable(&format!("{role}: {what}"))),
        };
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).put(&text);
    }

    fn write(&self, level: Level, event: &str, values: &[Named]) {
        let at = crate::clock::read().wall;
        // A thread that died while it wrote leaves nothing behind that a later line minds.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.second < at.seconds() {
            state.second = at.seconds();
            let Budget { dropped, .. } = std::mem::take(&mut state.budget);
            if dropped > 0 {
                let values = [("lines", dropped.into())];
                state.put(&self.render(&at.to_string(), Level::Warn, "log_dropped", &values));
            }
        }
        if state.budget.admits(level) {
            state.put(&self.render(&at.to_string(), level, event, values));
        }
    }

    fn render(&self, at: &str, level: Level, event: &str, values: &[Named]) -> String {
        match self.style {
            Style::Json => self.json(at, level, event, values),
            Style::Words => words(level, event, values),
        }
    }

    fn json(&self, at: &str, level: Level, event: &str, values: &[Named]) -> String {
        let mut line = Map::new();
        line.insert("at".to_owned(), Value::from(at));
        line.insert("level".to_owned(), Value::from(level_name(level)));
        line.insert("role".to_owned(), Value::from(self.role.as_str()));
        line.insert("event".to_owned(), Value::from(event));
        for (name, value) in values {
            line.insert((*name).to_owned(), value.clone());
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        text
    }
}

impl State {
    fn put(&mut self, text: &str) {
        // A log that cannot be written stops nothing.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        if self.bytes > LOG_BYTES
            && let Some(path) = self.file.clone()
        {
            self.bytes = 0;
            // Without room for another file the log goes on in this one.
            if let Ok(file) = put_aside(&path) {
                let _ = rustix::stdio::dup2_stderr(&file);
            }
        }
    }
}

/// Opens a log file for appending, putting a long one aside first.
pub(crate) fn open_log(path: &Path) -> std::io::Result<std::fs::File> {
    if path.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
        return put_aside(path);
    }
    append(path)
}

/// Renames `x.log` to `x.log.1`, `x.log.1` to `x.log.2` and so on, and begins a new one.
fn put_aside(path: &Path) -> std::io::Result<std::fs::File> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..LOG_FILES).rev() {
        // One that is not there yet has nothing to rename.
        let _ = std::fs::rename(numbered(number), numbered(number + 1));
    }
    std::fs::rename(path, numbered(1))?;
    append(path)
}

fn append(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::File::options().append(true).create(true).mode(0o600).open(path)
}

/// A line for a person; none for what only a log needs. `child` and `what` stand for themselves.
fn words(level: Level, event: &str, values: &[Named]) -> String {
    let value = |wanted: &str| {
        let found = values.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| plain(value)).unwrap_or_default()
    };
    let child = value("child");
    let text = match event {
        "child_started" | "notice" => return String::new(),
        "child_ready" => format!("{child} ready"),
        "child_stopped" => format!("{child} stopped"),
        "child_died" => {
            format!("{child} ended ({}); again in {} ms", value("status"), value("again_in_ms"))
        }
        other => {
            let event = other.replace('_', " ");
            let told = values.iter().map(|(name, value)| match *name {
                "what" | "why" | "child" => plain(value),
                name => format!("{} {}", name.replace('_', " "), plain(value)),
            });
            let told: Vec<String> = told.collect();
            if told.is_empty() { event } else { format!("{event}: {}", told.join(", ")) }
        }
    };
    let mark = match level {
        Level::Info => "",
        Level::Warn => "warning: ",
        Level::Error => "error: ",
    };
    format!("{mark}{}\n", printable(&text))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Without what would move a terminal's cursor or colour its text.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_it_holds() {
        let log = Log::new("hub", None);
        let values = [
            ("what", "a \"quote\"\nand a line".into()),
            ("pid", 7.into()),
            ("snapshot", None::<u64>.into()),
        ];
        let text = log.json("2026-11-22T00:00:00.000Z", Level::Warn, "odd", &values);
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["at"], "2026-11-22T00:00:00.000Z");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["role"], "hub");
        assert_eq!(value["event"], "odd");
        assert_eq!(value["what"], "a \"quote\"\nand a line");
        assert!(text.contains(r#""pid":7,"snapshot":null"#), "{text}");
    }

    #[test]
    fn a_flood_drops_neither_errors_nor_the_other_level() {
        let mut budget = Budget::default();
        let written = (0..2 * LOG_LINES_PER_S).filter(|_| budget.admits(Level::Info)).count();
        assert_eq!((written, budget.dropped), (LOG_LINES_PER_S as usize, LOG_LINES_PER_S.into()));
        assert!(budget.admits(Level::Warn));
        assert!((0..2 * LOG_LINES_PER_S).all(|_| budget.admits(Level::Error)));
    }

    #[test]
    fn a_person_reads_words() {
        let child = ("child", Value::from("hub"));
        assert_eq!(words(Level::Info, "child_ready", std::slice::from_ref(&child)), "hub ready\n");
        assert_eq!(words(Level::Info, "child_started", std::slice::from_ref(&child)), "");
        let died = [child, ("status", "signal: 9".into()), ("again_in_ms", 0.into())];
        let said = words(Level::Error, "child_died", &died);
        assert_eq!(said, "error: hub ended (signal: 9); again in 0 ms\n");
        let demo = words(Level::Warn, "profile_demo", &[("what", "plain\u{1b}[2J links".into())]);
        assert_eq!(demo, "warning: profile demo: plain [2J links\n");
        assert_eq!(words(Level::Info, "stopped", &[]), "stopped\n");
    }

    #[test]
    fn a_long_log_is_put_aside_and_the_oldest_goes() {
        let dir = crate::testing::temp_dir("log");
        let path = dir.join("x.log");
        for round in 0..=LOG_FILES + 1 {
            std::fs::write(&path, format!("{round}")).unwrap();
            put_aside(&path).unwrap();
        }
        let mut names: Vec<_> =
            std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["x.log", "x.log.1", "x.log.2", "x.log.3", "x.log.4"]);
        assert_eq!(std::fs::read_to_string(dir.join("x.log.1")).unwrap(), "5");
        assert_eq!(std::fs::read_to_string(dir.join("x.log.4")).unwrap(), "2");
    }
}
