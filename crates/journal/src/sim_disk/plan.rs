//! What a simulated disk will do wrong, and when.
use crate::disk::DiskErrorKind;

/// What a power cut does to unsynced writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tearing {
    /// Each sector of each unsynced write is kept or lost by itself.
    #[default]
    Sectors,
    /// All unsynced writes are lost.
    LoseAll,
    /// All unsynced writes are kept.
    KeepAll,
    /// As `Sectors`, and a sector may also be new up to some byte and old from there on.
    TornSectors,
    /// As `Sectors`, and a physical sector of 4,096 bytes that was being written may be garbage.
    Physical4096,
}

/// Which syncs say yes and do nothing: a planted bug for others to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SkippedSync {
    /// None: every sync is honest.
    #[default]
    None,
    /// Every n-th sync of a file.
    Every(u64),
}

/// What is read after a failed sync, until the process ends. The medium holds some of what was to
/// be kept, whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedSync {
    /// What the medium holds.
    #[default]
    Medium,
    /// What was written, from a cache that has marked it clean: a second sync says yes to it, and
    /// it is gone with the process.
    Cache,
}

/// What becomes of one write that the disk says it has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Astray {
    /// It lands at another place of the same file.
    SameFile,
    /// It lands in another file; where there is none, at another place of its own.
    OtherFile,
    /// It never reaches the medium.
    Nowhere,
}

/// The faults to come. Operations count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The operation at which the power goes: it and all later ones fail with `Crashed` until
    /// [`super::SimDisk::crash`]. It may or may not have happened.
    pub crash_at: Option<u64>,
    /// The operation that fails once, with [`Plan::fail_kind`]. A change may have happened, a write
    /// in part. A failed sync loses some of what it should keep.
    pub fail_at: Option<u64>,
    /// What that operation says: `Io` where nothing is said here.
    pub fail_kind: Option<DiskErrorKind>,
    /// What is read after a failed sync.
    pub failed_sync: FailedSync,
    /// The operation which, if it is a write, goes astray, and how. Nobody is told.
    pub astray: Option<(u64, Astray)>,
    /// The operation which, if it is a read, gives one wrong bit. The medium is fine.
    pub rot_read_at: Option<u64>,
    /// Bytes of all files together, above which there is no space.
    pub capacity: Option<u64>,
    /// Syncs that do nothing.
    pub skipped_sync: SkippedSync,
    /// What a power cut does.
    pub tearing: Tearing,
}
