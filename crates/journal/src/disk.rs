//! One directory of a disk, as the journal needs it. Two implementers: the node's files and
//! [`SimDisk`](crate::sim_disk::SimDisk).
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One directory, synchronous. Offsets and lengths of `read` and `write` are always multiples of
/// the block of the file (512 or 4,096 bytes); the alignment of buffers in memory is the
/// implementer's business. Names hold no separators.
///
/// `read` must return what the medium holds, never what a failed `sync` left in a cache: files are
/// opened past the cache (O_DIRECT), or their cached pages are dropped when they are opened.
pub trait Disk {
    /// The names of all files, in any order.
    fn list(&mut self) -> Result<Vec<String>, DiskError>;

    /// The length of a file in bytes, or `None` if there is no such file.
    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError>;

    /// Makes a new file of `len` bytes that read as zero, with its space allocated. On
    /// [`DiskErrorKind::NoSpace`] no file is left. Durable after `sync` and `sync_dir`.
    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError>;

    /// Reads into `buf` from `offset` on and returns how many bytes there were: fewer than asked
    /// only at the end of the file.
    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes all of `bytes` at `offset`, within the file's length. Durable after `sync`.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes all earlier writes to this file and its length durable. After an error nothing is
    /// known about them, and it must not be repeated as if it had not happened.
    fn sync(&mut self, name: &str) -> Result<(), DiskError>;

    /// Renames a file, replacing `to` if it exists, as one step. Durable after `sync_dir`.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file. Durable after `sync_dir`.
    fn remove(&mut self, name: &str) -> Result<(), DiskError>;

    /// Sets the length of a file; new bytes read as zero. Durable after `sync`.
    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError>;

    /// Makes all earlier `create`, `rename` and `remove` durable.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        (**self).list()
    }
    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        (**self).len(name)
    }
    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        (**self).create(name, len)
    }
    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        (**self).read(name, offset, buf)
    }
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        (**self).write(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        (**self).sync(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        (**self).rename(from, to)
    }
    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        (**self).remove(name)
    }
    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        (**self).truncate(name, len)
    }
    fn sync_dir(&mut self) -> Result<(), DiskError> {
        (**self).sync_dir()
    }
}

/// What went wrong with a disk operation, on which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The class of error, which decides what the journal does.
    pub kind: DiskErrorKind,
    /// The operation that failed.
    pub op: DiskOp,
    /// The file, or empty for the directory.
    pub name: String,
    /// The system's own words.
    pub detail: String,
}

impl DiskError {
    /// Whether space ran out where space is taken: nothing was done, and it may be tried again. A
    /// sync that says so has failed like any other, and nothing is known any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let takes_space = match self.op {
            DiskOp::Create | DiskOp::Write | DiskOp::Truncate | DiskOp::Rename => true,
            DiskOp::List
            | DiskOp::Len
            | DiskOp::Read
            | DiskOp::Sync
            | DiskOp::Remove
            | DiskOp::SyncDir => false,
        };
        self.kind == DiskErrorKind::NoSpace && takes_space
    }
}

/// The class of a disk error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// The file system or quota is full.
    NoSpace,
    /// No such file.
    NotFound,
    /// A file of that name is there already.
    Exists,
    /// The medium or the system failed.
    Io,
    /// The simulated machine has lost power.
    Crashed,
}

/// An operation of [`Disk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskOp {
    /// `list`.
    List,
    /// `len`.
    Len,
    /// `create`.
    Create,
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `sync`.
    Sync,
    /// `rename`.
    Rename,
    /// `remove`.
    Remove,
    /// `truncate`.
    Truncate,
    /// `sync_dir`.
    SyncDir,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DiskErrorKind::NoSpace => "no space left",
            DiskErrorKind::NotFound => "no such file",
            DiskErrorKind::Exists => "file exists",
            DiskErrorKind::Io => "input/output error",
            DiskErrorKind::Crashed => "the disk has lost power",
        };
        write!(f, "{:?} of {:?}: {kind}", self.op, self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl core::error::Error for DiskError {}
