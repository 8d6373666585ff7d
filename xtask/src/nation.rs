//! A private nation for foreign clients and a browser: `bongsu up` on free ports and an empty
//! directory.
//!
//! It is ready when it prints a line that starts with `ready`, and stops on SIGINT; when this value
//! is dropped in any other way it is killed.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::shell;

/// Every port of the example nation without `--port-base`.
const PORTS: &[u16] = &[7583, 8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583];

/// The one port of these ranges to which browsers do not go (blocked ports of the Fetch standard).
const BLOCKED: u16 = 10_080;

/// Terminals of the station `pyongyang`.
const TERMINALS: u16 = 8583;

/// A debug build on a busy machine; the goal is 5 s.
const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(90);

/// Lines of its output that are shown if it does not get ready.
const LINES_SHOWN: usize = 20;

pub(crate) struct Nation {
    child: Child,
    port_base: u16,
}

impl Nation {
    /// Starts it and waits until it is ready; an error says what it printed last.
    pub(crate) fn start(binary: &Path, directory: &Path) -> Result<Self, String> {
        let port_base = free_ports()?;
        let mut child = Command::new(binary)
            .args(["up", "--traffic", "0", "--port-base", &port_base.to_string(), "--dir"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("{}: {why}", binary.display()))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            follow(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, sender);
        }
        let nation = Self { child, port_base };
        let start = Instant::now();
        let mut seen: Vec<String> = Vec::new();
        let why = loop {
            match lines.recv_timeout(READY_WITHIN.saturating_sub(start.elapsed())) {
                Ok(line) if is_ready(&line) => return Ok(nation),
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => break format!("not ready in {READY_WITHIN:?}"),
                Err(RecvTimeoutError::Disconnected) => break "ended before it was ready".into(),
            }
        };
        let last = seen.split_off(seen.len().saturating_sub(LINES_SHOWN));
        Err(format!("bongsu up: {why}\n{}", last.join("\n")))
    }

    /// Address of the terminals' port of the first station.
    pub(crate) fn terminals(&self) -> String {
        format!("127.0.0.1:{}", TERMINALS + self.port_base)
    }

    /// Address of the pages at this port of the example nation.
    pub(crate) fn http(&self, port: u16) -> String {
        format!("127.0.0.1:{}", port + self.port_base)
    }

    /// Stops it as Ctrl-C does; an error if it does not end in time, or with a failure.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        shell::interrupt(&self.child)?;
        match shell::wait(&mut self.child, STOPPED_WITHIN)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("ended with {status}")),
            None => Err(format!("still runs {STOPPED_WITHIN:?} after SIGINT")),
        }
    }
}

impl Drop for Nation {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill and nothing to report.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_ready(line: &str) -> bool {
    let word = line.trim_start().split(|c: char| !c.is_alphanumeric()).next();
    word == Some("ready")
}

/// Passes lines on until the stream ends; goes on reading when nobody listens, so that the child
/// never blocks on a full pipe.
fn follow(stream: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            drop(lines.send(text));
            line.clear();
        }
    });
}

/// A `--port-base` whose ports are all free now, below the ports that clients are given.
fn free_ports() -> Result<u16, String> {
    let free = |base: u16| PORTS.iter().all(|p| TcpListener::bind(("127.0.0.1", p + base)).is_ok());
    let first = u16::try_from(std::process::id() % 200).unwrap_or(0);
    bases(first)
        .find(|base| free(*base))
        .ok_or_else(|| "no free ports for a nation between 8583 and 31000".to_string())
}

/// Every base once, and none that puts a page where no browser goes.
fn bases(first: u16) -> impl Iterator<Item = u16> {
    let bases = (0..200u16).map(move |n| 1000 + (first + n) % 200 * 100);
    bases.filter(|base| PORTS.iter().all(|port| port + base != BLOCKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_is_where_no_browser_goes() {
        let all: Vec<u16> = bases(7).collect();
        assert!(all.len() > 190 && !all.contains(&2000) && all.contains(&2100), "{}", all.len());
    }

    #[test]
    fn knows_the_word_ready() {
        for (line, expected) in [
            ("ready", true),
            ("  ready: http://127.0.0.1:8080", true),
            ("ready\thub 127.0.0.1:8080", true),
            ("already running", false),
            ("readying", false),
            ("{\"event\":\"ready\"}", false),
            ("", false),
        ] {
            assert_eq!(is_ready(line), expected, "{line}");
        }
    }

    #[test]
    fn ports_stay_below_the_ephemeral_range() {
        let base = free_ports().unwrap();
        assert!(base >= 1000 && base + 9583 < 32_768, "{base}");
    }
}
