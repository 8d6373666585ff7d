//! A disk that also keeps what it would be if the power went at each of its operations, so that one
//! run of a script gives every cut of it.
use crate::disk::{Disk, DiskError, DiskOp};
use crate::sim_disk::SimDisk;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

/// The disk as the power goes in the middle of an operation, before [`SimDisk::crash`] decides what
/// is left of it.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The operation.
    pub op: DiskOp,
    /// Its number on its disk.
    pub number: u64,
    /// The disk.
    pub disk: SimDisk,
}

/// Which operations are cut, of those that change something: of each kind the first and every so
/// many-th behind it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Of writes and syncs of files, which are most of all.
    pub often: u64,
    /// Of every other kind.
    pub seldom: u64,
}

impl Sample {
    /// Every operation.
    pub const ALL: Self = Self { often: 1, seldom: 1 };

    fn takes(self, op: DiskOp, before: u64) -> bool {
        let step = match op {
            DiskOp::Write | DiskOp::Sync => self.often,
            DiskOp::List
            | DiskOp::Len
            | DiskOp::Create
            | DiskOp::Read
            | DiskOp::Rename
            | DiskOp::Remove
            | DiskOp::Truncate
            | DiskOp::SyncDir => self.seldom,
        };
        before.checked_rem(step) == Some(0)
    }
}

#[derive(Debug)]
struct Kept {
    sample: Sample,
    changes: BTreeMap<DiskOp, u64>,
    cuts: Vec<Cut>,
}

/// The cuts that a [`CutDisk`] has kept and nobody has taken yet.
#[derive(Clone, Debug)]
pub struct Cuts(Rc<RefCell<Kept>>);

impl Cuts {
    /// Takes them, the oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Cut> {
        core::mem::take(&mut self.0.borrow_mut().cuts)
    }

    /// How many operations could have been cut so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.0.borrow().changes.values().sum()
    }
}

/// A [`SimDisk`] which keeps its cuts. One process uses it, in one thread.
#[derive(Clone, Debug)]
pub struct CutDisk {
    disk: SimDisk,
    cuts: Cuts,
}

impl CutDisk {
    /// Around a disk; what it keeps is in the other half.
    #[must_use]
    pub fn new(disk: SimDisk, sample: Sample) -> (Self, Cuts) {
        let kept = Kept { sample, changes: BTreeMap::new(), cuts: Vec::new() };
        let cuts = Cuts(Rc::new(RefCell::new(kept)));
        (Self { disk, cuts: cuts.clone() }, cuts)
    }

    /// The disk itself.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The disk without what keeps its cuts.
    #[must_use]
    pub fn into_disk(self) -> SimDisk {
        self.disk
    }

    /// Keeps what a power cut in the middle of `change` leaves, then lets it happen.
    fn cut<T>(
        &mut self,
        op: DiskOp,
        mut change: impl FnMut(&mut SimDisk) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut kept = self.cuts.0.borrow_mut();
        let count = kept.changes.entry(op).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        if kept.sample.takes(op, before) {
            let mut disk = self.disk.clone();
            let number = disk.ops();
            disk.plan.crash_at = Some(number);
            let went = change(&mut disk);
            assert!(went.is_err(), "the power is gone");
            kept.cuts.push(Cut { op, number, disk });
        }
        drop(kept);
        change(&mut self.disk)
    }
}

impl Disk for CutDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.disk.list()
    }
    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        self.disk.len(name)
    }
    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.cut(DiskOp::Create, |disk| disk.create(name, len))
    }
    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        self.disk.read(name, offset, buf)
    }
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.cut(DiskOp::Write, |disk| disk.write(name, offset, bytes))
    }
    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.cut(DiskOp::Sync, |disk| disk.sync(name))
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.cut(DiskOp::Rename, |disk| disk.rename(from, to))
    }
    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.cut(DiskOp::Remove, |disk| disk.remove(name))
    }
    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.cut(DiskOp::Truncate, |disk| disk.truncate(name, len))
    }
    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.cut(DiskOp::SyncDir, SimDisk::sync_dir)
    }
}
