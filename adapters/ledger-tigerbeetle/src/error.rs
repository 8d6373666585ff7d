//! What can go wrong besides a refusal.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ledger::limits::BATCH_MAX;

/// Why the engine gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TigerBeetleError {
    /// The batch has more events than `ledger::limits::BATCH_MAX`; nothing happened.
    BatchTooLong {
        /// How many it has.
        events: usize,
    },
    /// The client did not start: the addresses are wrong, or the system gave it no thread.
    Start {
        /// Where the cluster was to be.
        addresses: String,
        /// What the client says.
        why: String,
    },
    /// Nobody answered in time. What was asked may still happen.
    NoAnswer {
        /// How long it was waited for.
        after: Duration,
    },
    /// The client gave the request up: the cluster threw its session out, or speaks another
    /// release.
    GivenUp {
        /// What the client says.
        why: String,
    },
    /// The cluster's answer is none that 0.16.78 gives.
    Answer {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An earlier error: connect again.
    Stopped,
}

impl fmt::Display for TigerBeetleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BatchTooLong { events } => {
                write!(f, "a batch of {events} events; at most {BATCH_MAX} are taken")
            }
            Self::Start { addresses, why } => {
                write!(f, "no client for the cluster at {addresses}: {why}")
            }
            Self::NoAnswer { after } => write!(
                f,
                "the cluster has not answered for {} s: see that a majority of its replicas runs",
                after.as_secs()
            ),
            Self::GivenUp { why } => write!(f, "the cluster refused the request: {why}"),
            Self::Answer { what } => {
                write!(f, "the cluster's answer {what}: see that it is TigerBeetle 0.16.78")
            }
            Self::Stopped => {
                f.write_str("the engine stopped at an earlier error: connect it again")
            }
        }
    }
}

impl std::error::Error for TigerBeetleError {}

/// Why there is no local server.
#[derive(Debug)]
pub enum ServerError {
    /// Its folder could not be made or read.
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The program could not be started.
    Program {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// It made no data file.
    Format {
        /// The end of what it wrote.
        said: String,
    },
    /// It did not say its port.
    Start {
        /// The end of what it wrote.
        said: String,
    },
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Program { path, why } => {
                write!(f, "{}: {why}: build it with `cargo xtask tigerbeetle`", path.display())
            }
            Self::Format { said } => write!(f, "the server made no data file: {said}"),
            Self::Start { said } => write!(f, "the server did not start: {said}"),
        }
    }
}

impl std::error::Error for ServerError {}
