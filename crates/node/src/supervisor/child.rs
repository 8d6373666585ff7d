//! One child process, from start to end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::back_off::BackOff;
use crate::error::{RunError, RunErrorKind};
use crate::logging::open_log;
use crate::process::SUPERVISOR;

/// Longest line that a child may say on its stdout, bytes: its addresses or its error.
const LINE_BYTES: u64 = 64 * 1024;

/// What is to run.
#[derive(Clone, Debug)]
pub(crate) struct ChildSpec {
    /// Its name, for the log.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Where its stderr goes.
    pub(crate) log: PathBuf,
    /// Children of a lower stage are stopped first.
    pub(crate) stop_stage: u8,
    /// Children of a higher stage wait a moment for this one to be ready.
    pub(crate) start_stage: u8,
}

/// What is heard of a child.
#[derive(Debug)]
pub(super) enum Note {
    /// It does its work.
    Ready {
        place: usize,
        pid: u32,
        addresses: BTreeMap<String, String>,
        /// What a person must read.
        notices: Vec<String>,
    },
    /// It could not run, and says why.
    Failed { place: usize, error: RunError },
    /// It has closed its stdout: it has ended, or is about to.
    Ended,
    /// We are told to stop.
    Stop,
}

/// A child, running or not.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) spec: ChildSpec,
    pub(super) ready: Option<BTreeMap<String, String>>,
    /// When it is to be started, while it does not run.
    pub(super) start_at: Instant,
    process: Option<Process>,
    back_off: BackOff,
}

#[derive(Debug)]
struct Process {
    child: std::process::Child,
    began: Instant,
    /// Its end tells the child that we are gone.
    _stdin: Option<ChildStdin>,
}

/// How a child ended.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) pid: u32,
    pub(super) status: ExitStatus,
    pub(super) wait: Duration,
}

impl Child {
    pub(super) fn new(spec: ChildSpec, start_at: Instant) -> Self {
        Self { spec, ready: None, start_at, process: None, back_off: BackOff::default() }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.child.id())
    }

    /// Starts it in a process group of its own, so that Ctrl-C in a terminal reaches only us.
    pub(super) fn start(&mut self, place: usize, notes: &Sender<Note>) -> Result<(), RunError> {
        let spec = &self.spec;
        let log = open_log(&spec.log)
            .map_err(|error| RunError::file("open the log", &spec.log, &error))?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.arguments)
            .env(SUPERVISOR, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        let mut child = command.spawn().map_err(|error| {
            let program = spec.program.display();
            let message = format!("cannot start {program} for {}: {error}", spec.name);
            RunError::new(RunErrorKind::Child, message, spec.name.clone(), "check the program")
        })?;
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            let (pid, notes) = (child.id(), notes.clone());
            std::thread::Builder::new()
                .name(format!("hear-{place}"))
                .spawn(move || hear(place, pid, stdout, &notes))
                .map_err(|error| RunError::system("listen to a child", error))?;
        }
        self.ready = None;
        self.process = Some(Process { child, began: Instant::now(), _stdin: stdin });
        Ok(())
    }

    /// Whether it has ended since the last look, and how long to wait before the next start.
    pub(super) fn look(&mut self) -> Option<Death> {
        let process = self.process.as_mut()?;
        // An error means that it is not ours to wait for any more: ended.
        let status = match process.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status,
            Err(_) => ExitStatus::default(),
        };
        let pid = process.child.id();
        let wait = self.back_off.died(process.began.elapsed());
        self.process = None;
        self.ready = None;
        self.start_at = Instant::now() + wait;
        Some(Death { pid, status, wait })
    }

    /// Asks it to stop.
    pub(super) fn terminate(&self) {
        if let Some(process) = &self.process {
            // One that has just ended is still ours until it is waited for: never a stranger.
            let _ = kill_process(Pid::from_child(&process.child), Signal::TERM);
        }
    }

    /// Ends it.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Reads what a child says, line by line, until its end.
fn hear(place: usize, pid: u32, stdout: ChildStdout, notes: &Sender<Note>) {
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    loop {
        line.clear();
        match lines.by_ref().take(LINE_BYTES).read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        // Whatever else a child says is nobody's.
        if let Some(note) = understand(place, pid, &line)
            && notes.send(note).is_err()
        {
            return;
        }
    }
    let _ = notes.send(Note::Ended);
}

fn understand(place: usize, pid: u32, line: &str) -> Option<Note> {
    let value: Value = serde_json::from_str(line).ok()?;
    if let Some(error) = value.get("error") {
        let error = serde_json::from_value(error.clone()).ok()?;
        return Some(Note::Failed { place, error });
    }
    value.get("ready")?;
    let addresses = value.get("addresses").cloned().unwrap_or_default();
    let addresses = serde_json::from_value(addresses).unwrap_or_default();
    let notices = value.get("notices").cloned().unwrap_or_default();
    let notices = serde_json::from_value(notices).unwrap_or_default();
    Some(Note::Ready { place, pid, addresses, notices })
}
