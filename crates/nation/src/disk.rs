//! A disk that outlives the machine in front of it: a role that dies while it opens or writes its
//! journal leaves the disk to the next one.

use std::cell::RefCell;
use std::rc::Rc;

use journal::sim_disk::SimDisk;
use journal::{Disk, DiskError};

/// One simulated disk, shared by the machine and by the world that plans its faults.
#[derive(Clone, Debug)]
pub(crate) struct SharedDisk(Rc<RefCell<SimDisk>>);

impl SharedDisk {
    pub(crate) fn new(disk: SimDisk) -> Self {
        Self(Rc::new(RefCell::new(disk)))
    }

    /// The disk itself, for what the world does to it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut SimDisk) -> T) -> T {
        work(&mut self.0.borrow_mut())
    }

    /// Another disk with the same content.
    pub(crate) fn copy(&self) -> Self {
        Self::new(self.0.borrow().clone())
    }
}

impl Disk for SharedDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.with(SimDisk::list)
    }
    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        self.with(|disk| disk.len(name))
    }
    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.with(|disk| disk.create(name, len))
    }
    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        self.with(|disk| disk.read(name, offset, buf))
    }
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.with(|disk| disk.write(name, offset, bytes))
    }
    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.with(|disk| disk.sync(name))
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.with(|disk| disk.rename(from, to))
    }
    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.with(|disk| disk.remove(name))
    }
    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.with(|disk| disk.truncate(name, len))
    }
    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.with(SimDisk::sync_dir)
    }
}
