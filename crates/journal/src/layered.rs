//! Several directories as one that can be read: an archive's bundles and the journal that goes on
//! from them. Of a name that stands in several, the first has it.
use crate::disk::{Disk, DiskError, DiskErrorKind, DiskOp};
use alloc::string::String;
use alloc::vec::Vec;

/// The directories, in order. Nothing can be changed through it.
#[derive(Clone, Debug, Default)]
pub struct Layered<D>(pub Vec<D>);

impl<D: Disk> Layered<D> {
    fn of(&mut self, name: &str) -> Result<Option<&mut D>, DiskError> {
        for disk in &mut self.0 {
            if disk.len(name)?.is_some() {
                return Ok(Some(disk));
            }
        }
        Ok(None)
    }
}

fn refused(op: DiskOp, name: &str) -> Result<(), DiskError> {
    let detail = "only to be read".into();
    Err(DiskError { kind: DiskErrorKind::Io, op, name: name.into(), detail })
}

impl<D: Disk> Disk for Layered<D> {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for disk in &mut self.0 {
            names.append(&mut disk.list()?);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        match self.of(name)? {
            Some(disk) => disk.len(name),
            None => Ok(None),
        }
    }

    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        let missing = DiskError {
            kind: DiskErrorKind::NotFound,
            op: DiskOp::Read,
            name: name.into(),
            detail: String::new(),
        };
        self.of(name)?.ok_or(missing)?.read(name, offset, buf)
    }

    fn create(&mut self, name: &str, _: u64) -> Result<(), DiskError> {
        refused(DiskOp::Create, name)
    }

    fn write(&mut self, name: &str, _: u64, _: &[u8]) -> Result<(), DiskError> {
        refused(DiskOp::Write, name)
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        refused(DiskOp::Sync, name)
    }

    fn rename(&mut self, from: &str, _: &str) -> Result<(), DiskError> {
        refused(DiskOp::Rename, from)
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        refused(DiskOp::Remove, name)
    }

    fn truncate(&mut self, name: &str, _: u64) -> Result<(), DiskError> {
        refused(DiskOp::Truncate, name)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        refused(DiskOp::SyncDir, "")
    }
}
