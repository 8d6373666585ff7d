//! Why a process could not run, in words for people and for scripts.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Why a role, or the whole nation, did not run or could not go on.
///
/// The command line prints it as text, or as `{"error":{"kind","message","where","do"}}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunError {
    /// The class of error, one word.
    pub kind: RunErrorKind,
    /// What was wrong.
    pub message: String,
    /// The file, address or role that it concerns.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub remedy: String,
}

/// The class of a [`RunError`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunErrorKind {
    /// Another process is the writer of this directory.
    Locked,
    /// Another process listens at this address.
    PortInUse,
    /// An address that cannot be listened at.
    Address,
    /// The configuration does not hold.
    Config,
    /// A name that the configuration does not know.
    UnknownRole,
    /// Acknowledged records are damaged.
    JournalDamaged,
    /// The journal cannot be opened for another reason.
    Journal,
    /// A key file is missing or does not hold.
    Keys,
    /// A file or directory cannot be read or written.
    File,
    /// The role stopped itself.
    Halted,
    /// The system refused something that every process needs.
    System,
    /// A child process could not be started or kept alive.
    Child,
    /// No such role runs here.
    NotRunning,
    /// What came over a socket was no answer.
    Answer,
}

impl RunErrorKind {
    /// Its name in `error.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::PortInUse => "port_in_use",
            Self::Address => "address",
            Self::Config => "config",
            Self::UnknownRole => "unknown_role",
            Self::JournalDamaged => "journal_damaged",
            Self::Journal => "journal",
            Self::Keys => "keys",
            Self::File => "file",
            Self::Halted => "halted",
            Self::System => "system",
            Self::Child => "child",
            Self::NotRunning => "not_running",
            Self::Answer => "answer",
        }
    }
}

impl RunError {
    /// An error of this class.
    pub fn new(
        kind: RunErrorKind,
        message: impl Into<String>,
        place: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { kind, message: message.into(), place: place.into(), remedy: remedy.into() }
    }

    /// A file or directory that the system refused, in the system's words.
    pub fn file(what: &str, path: &Path, error: &std::io::Error) -> Self {
        let remedy = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "run as the owner, or choose another --dir",
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::NotADirectory => {
                "a part of this path is a file, not a directory: choose another path"
            }
            std::io::ErrorKind::ReadOnlyFilesystem => {
                "mount this file system writable (after an error of the disk the system makes it \
                 read-only: see `dmesg`), or choose another --dir"
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "make room on the disk, `df -h` shows which is full, and start again"
            }
            _ => "see the system's message; `dmesg` may say more of the disk",
        };
        let place = path.display().to_string();
        Self::new(RunErrorKind::File, format!("cannot {what}: {error}"), place, remedy)
    }

    /// Something that every process needs and the system refused.
    pub fn system(what: &str, error: impl fmt::Display) -> Self {
        let remedy = "see the system's message";
        Self::new(RunErrorKind::System, format!("cannot {what}: {error}"), "", remedy)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for RunError {}
