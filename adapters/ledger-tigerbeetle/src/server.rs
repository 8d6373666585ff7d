//! A cluster of one replica on this machine, for tests and measurements: a real server on a free
//! port of the loopback interface, whose data vanish with it.
//!
//! Nothing stays behind, however this process ends: the data file has no name once the server has
//! opened it, and the server ends when its standard input does.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use crate::ServerError;
use crate::limits::{QUOTED_MAX, START_WITHIN, STOP_WITHIN};

/// Told from other servers of this process.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How much memory a server takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// As little as it can with whole batches, 1.9 GB, and a disk without direct access will do: to
    /// test with.
    Little,
    /// Its own defaults, about 3 GiB, and direct access to the disk: to measure with.
    Much,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: String,
}

impl Server {
    /// Starts the server `program` with an empty cluster of number 0 in a new folder below
    /// `folder`, where it takes 1.1 GB to begin with.
    pub fn start(program: &Path, folder: &Path, memory: Memory) -> Result<Self, ServerError> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let own = folder.join(format!("tigerbeetle-{}-{number}", std::process::id()));
        let broken = |why| ServerError::Folder { path: own.clone(), why };
        fs::create_dir_all(&own).map_err(broken)?;
        let started = start_in(program, &own, memory);
        let removed = fs::remove_dir_all(&own).map_err(broken);
        let server = started?;
        removed?;
        Ok(server)
    }

    /// Where it listens, as `TigerBeetle::connect` takes it.
    pub fn address(&self) -> &str {
        &self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let until = Instant::now() + STOP_WITHIN;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Both fail only if it has ended in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_in(program: &Path, folder: &Path, memory: Memory) -> Result<Server, ServerError> {
    let absent = |why| ServerError::Program { path: program.to_owned(), why };
    let data = folder.join("0_0.tigerbeetle");
    let mut format = Command::new(program);
    format.args(["format", "--cluster=0", "--replica=0", "--replica-count=1"]);
    format.args(development(memory)).arg(&data);
    let formatted = format.output().map_err(absent)?;
    if !formatted.status.success() {
        return Err(ServerError::Format { said: end_of(&formatted.stderr) });
    }
    let log = folder.join("log");
    let broken = |why| ServerError::Folder { path: log.clone(), why };
    let mut start = Command::new(program);
    // Port 0: it takes a free one, prints it, and ends when its standard input is closed.
    start.args(["start", "--addresses=0"]).args(development(memory));
    if memory == Memory::Little {
        start.args(["--experimental", "--limit-request=1MiB", "--cache-grid=128MiB"]);
    }
    start.arg(&data).stdin(Stdio::piped()).stdout(Stdio::piped());
    start.stderr(File::create(&log).map_err(broken)?);
    let mut child = start.spawn().map_err(absent)?;
    let port = child.stdout.take().map(BufReader::new).and_then(port_of);
    let Some(port) = port else {
        drop(Server { child, port: String::new() });
        return Err(ServerError::Start { said: end_of(&fs::read(&log).map_err(broken)?) });
    };
    Ok(Server { child, port })
}

/// What makes a server frugal.
fn development(memory: Memory) -> Option<&'static str> {
    (memory == Memory::Little).then_some("--development")
}

/// The first line of what it prints, if that comes in time.
fn port_of<R: BufRead + Send + 'static>(mut printed: R) -> Option<String> {
    let (sender, port) = sync_channel(1);
    // Ends with the server at the latest, which closes what it prints to.
    std::thread::spawn(move || {
        let mut line = String::new();
        if printed.read_line(&mut line).is_ok() {
            // Nobody waits any longer.
            let _ = sender.send(line);
        }
    });
    let line = port.recv_timeout(START_WITHIN).ok()?;
    let port = line.trim();
    port.parse::<u16>().is_ok().then(|| port.to_owned())
}

fn end_of(said: &[u8]) -> String {
    let from = said.len().saturating_sub(QUOTED_MAX);
    String::from_utf8_lossy(&said[from..]).trim().to_owned()
}
