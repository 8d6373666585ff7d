//! The log of a process: one JSON line per event on stderr.
//!
//! A role that a supervisor runs has a file as its stderr; it is put aside when it gets long. More
//! lines in a second than the limit are counted, not written: a flood must not fill the disk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use host::{Level, LogLine};
use serde_json::{Map, Value};

use crate::limits::{LOG_BYTES, LOG_FILES, LOG_LINES_PER_S};

/// Where a process writes its log.
#[derive(Debug)]
pub struct Log {
    role: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The file that stderr is, if it is to be put aside when it is long.
    file: Option<PathBuf>,
    bytes: u64,
    second: u64,
    lines: u32,
    dropped: u64,
}

impl Log {
    /// The log of that role on stderr; `file` is what stderr is, when it is a file of ours.
    pub fn new(role: &str, file: Option<PathBuf>) -> Self {
        let bytes = file.as_deref().and_then(|path| path.metadata().ok()).map_or(0, |m| m.len());
        let state = State { file, bytes, ..State::default() };
        Self { role: role.to_owned(), state: Mutex::new(state) }
    }

    /// A log that nobody reads, for tests.
    #[cfg(test)]
    pub(crate) fn quiet() -> Self {
        let log = Self::new("test", None);
        log.state.lock().unwrap().lines = u32::MAX;
        log.state.lock().unwrap().second = u64::MAX;
        log
    }

    /// Writes a line.
    pub fn line(&self, line: &LogLine) {
        self.write(line.level, line.event, &line.values);
    }

    /// Writes a line of the shell's own.
    pub fn say(&self, level: Level, event: &str, values: &[(&'static str, String)]) {
        self.write(level, event, values);
    }

    fn write(&self, level: Level, event: &str, values: &[(&'static str, String)]) {
        let at = crate::clock::read().wall;
        // A thread that died while it wrote leaves nothing behind that a later line minds.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.second < at.seconds() {
            state.second = at.seconds();
            state.lines = 0;
            let dropped = std::mem::take(&mut state.dropped);
            if dropped > 0 {
                let values = [("lines", dropped.to_string())];
                state.put(&self.render(&at.to_string(), Level::Warn, "log_dropped", &values));
            }
        }
        if state.lines >= LOG_LINES_PER_S {
            state.dropped += 1;
            return;
        }
        state.lines += 1;
        state.put(&self.render(&at.to_string(), level, event, values));
    }

    fn render(
        &self,
        at: &str,
        level: Level,
        event: &str,
        values: &[(&'static str, String)],
    ) -> String {
        let mut line = Map::new();
        line.insert("at".to_owned(), Value::from(at));
        line.insert("level".to_owned(), Value::from(level_name(level)));
        line.insert("role".to_owned(), Value::from(self.role.as_str()));
        line.insert("event".to_owned(), Value::from(event));
        for (name, value) in values {
            line.insert((*name).to_owned(), Value::from(value.as_str()));
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
        let values = [("what", "a \"quote\"\nand a line".to_owned())];
        let text = log.render("2026-11-22T00:00:00.000Z", Level::Warn, "odd", &values);
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["at"], "2026-11-22T00:00:00.000Z");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["role"], "hub");
        assert_eq!(value["event"], "odd");
        assert_eq!(value["what"], "a \"quote\"\nand a line");
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
