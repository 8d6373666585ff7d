//! One disk for the journal's writer and for what reads its history beside it.
#![allow(dead_code, reason = "each test that has it uses its own part")]

use std::cell::RefCell;
use std::rc::Rc;

use journal::{Disk, DiskError};

/// The disk, in several hands of one thread.
#[derive(Debug)]
pub(crate) struct Shared<D>(Rc<RefCell<D>>);

impl<D> Clone for Shared<D> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<D> Shared<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self(Rc::new(RefCell::new(disk)))
    }

    /// The disk, when no other hand is left.
    pub(crate) fn into_disk(self) -> D {
        let last = Rc::try_unwrap(self.0);
        last.unwrap_or_else(|_| panic!("somebody still holds the disk")).into_inner()
    }
}

impl<D: Disk> Disk for Shared<D> {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.0.borrow_mut().list()
    }
    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        self.0.borrow_mut().len(name)
    }
    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.0.borrow_mut().create(name, len)
    }
    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        self.0.borrow_mut().read(name, offset, buf)
    }
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().write(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.0.borrow_mut().sync(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.0.borrow_mut().rename(from, to)
    }
    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.0.borrow_mut().remove(name)
    }
    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.0.borrow_mut().truncate(name, len)
    }
    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.0.borrow_mut().sync_dir()
    }
}
