//! A disk in memory that lies as real ones do, the same way for the same seed.
//!
//! What is written can be read at once, but is durable only after `sync` (of the file) and
//! `sync_dir` (of names). [`SimDisk::crash`] cuts the power: of the unsynced writes any sectors are
//! kept and any lost, lengths too, and of the unsynced changes of the directory a first part is
//! kept. Faults are planned by the number of the operation, so that a test can try them all.
use crate::disk::{Disk, DiskError, DiskErrorKind, DiskOp};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The sector: a write of one is never torn.
const SECTOR: usize = 512;

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

/// The faults to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The operation at which the power goes: it and all later ones fail with `Crashed` until
    /// [`SimDisk::crash`]. It may or may not have happened. Operations count from 0.
    pub crash_at: Option<u64>,
    /// The operation that fails once with `Io`. A failed sync loses some of what it should keep.
    pub fail_at: Option<u64>,
    /// Bytes of all files together, above which there is no space.
    pub capacity: Option<u64>,
    /// Syncs that do nothing.
    pub skipped_sync: SkippedSync,
    /// What a power cut does.
    pub tearing: Tearing,
}

/// The disk. Cloning it copies its whole state.
#[derive(Clone, Debug)]
pub struct SimDisk {
    /// The faults to come; may be changed at any time.
    pub plan: Plan,
    random: u64,
    ops: u64,
    syncs: u64,
    counts: BTreeMap<DiskOp, u64>,
    crashed: bool,
    next_file: u64,
    files: BTreeMap<u64, File>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    unsynced_names: Vec<NameChange>,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What is read.
    bytes: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, u64),
    Rename(String, String),
    Remove(String),
}

impl SimDisk {
    /// An empty disk whose chances come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            plan: Plan::default(),
            random: seed,
            ops: 0,
            syncs: 0,
            counts: BTreeMap::new(),
            crashed: false,
            next_file: 0,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
        }
    }

    /// Cuts the power and brings it back: what was not durable is there by chance.
    pub fn crash(&mut self) {
        let changes = core::mem::take(&mut self.unsynced_names);
        let kept = self.chance_below(changes.len().saturating_add(1));
        for change in &changes[..kept] {
            apply_name(&mut self.durable_names, change);
        }
        self.names = self.durable_names.clone();
        let names = &self.names;
        self.files.retain(|file, _| names.values().any(|named| named == file));
        let mut files = core::mem::take(&mut self.files);
        for file in files.values_mut() {
            self.tear(file);
        }
        self.files = files;
        self.crashed = false;
        self.plan.crash_at = None;
    }

    /// Ends the process but not the power: what was written stays as it is.
    pub fn kill(&mut self) {
        self.crashed = false;
        self.plan.crash_at = None;
    }

    /// Changes one durable byte behind everybody's back.
    pub fn flip(&mut self, name: &str, offset: u64, mask: u8) {
        let Some(file) = self.names.get(name).and_then(|file| self.files.get_mut(file)) else {
            return;
        };
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        for bytes in [&mut file.bytes, &mut file.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
    }

    /// The bytes of a file as they would be read.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<&[u8]> {
        Some(&self.files.get(self.names.get(name)?)?.bytes)
    }

    /// Puts a file there, durably, replacing what was.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        let file = self.names.get(name).copied().unwrap_or(self.next_file);
        self.next_file = self.next_file.max(file.saturating_add(1));
        let durable = bytes.clone();
        self.files.insert(file, File { bytes, durable, unsynced: Vec::new() });
        self.names.insert(name.into(), file);
        self.durable_names.insert(name.into(), file);
    }

    /// All names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// How many operations there were.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// How many operations of that kind there were.
    #[must_use]
    pub fn count(&self, op: DiskOp) -> u64 {
        self.counts.get(&op).copied().unwrap_or(0)
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.crashed
    }

    /// The next number of splitmix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance_below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.random().checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }

    /// Makes a file what it is after a power cut.
    fn tear(&mut self, file: &mut File) {
        let mut medium = core::mem::take(&mut file.durable);
        // Often all or nothing of a file, else every sector by itself.
        let mood = self.chance_below(4);
        for change in core::mem::take(&mut file.unsynced) {
            match (self.plan.tearing, mood) {
                (Tearing::LoseAll, _) | (Tearing::Sectors, 0) => {}
                (Tearing::KeepAll, _) | (Tearing::Sectors, 1) => apply(&mut medium, &change),
                (Tearing::Sectors | Tearing::Physical4096, _) => {
                    self.tear_change(&mut medium, change)
                }
            }
        }
        file.durable.clone_from(&medium);
        file.bytes = medium;
    }

    fn tear_change(&mut self, medium: &mut Vec<u8>, change: Change) {
        match change {
            Change::Length(_) => {
                if self.chance_below(2) == 0 {
                    apply(medium, &change);
                }
            }
            Change::Write { offset, bytes } => {
                for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                    let at = offset.saturating_add(index.saturating_mul(SECTOR));
                    if self.chance_below(2) == 0 {
                        let bytes = sector.to_vec();
                        apply(medium, &Change::Write { offset: at, bytes });
                    } else if self.plan.tearing == Tearing::Physical4096
                        && self.chance_below(3) == 0
                    {
                        self.garble(medium, at);
                    }
                }
            }
        }
    }

    /// Fills the physical sector around `at` with garbage, as far as the file reaches.
    fn garble(&mut self, medium: &mut [u8], at: usize) {
        let start = at & !4095;
        for index in start..start.saturating_add(4096) {
            let garbage = self.random().to_le_bytes()[0];
            if let Some(byte) = medium.get_mut(index) {
                *byte = garbage;
            }
        }
    }

    /// Counts an operation and says how it goes: `Ok(true)` = do it; `Ok(false)` = do it, then
    /// fail, because the power goes in the middle of it.
    fn begin(&mut self, op: DiskOp, name: &str) -> Result<bool, DiskError> {
        if self.crashed {
            return Err(error(DiskErrorKind::Crashed, op, name, ""));
        }
        let number = self.ops;
        self.ops = number.saturating_add(1);
        let count = self.counts.entry(op).or_default();
        *count = count.saturating_add(1);
        if self.plan.crash_at == Some(number) {
            self.crashed = true;
            return Ok(false);
        }
        if self.plan.fail_at == Some(number) {
            self.plan.fail_at = None;
            if op == DiskOp::Sync {
                self.fail_sync(name);
            }
            return Err(error(DiskErrorKind::Io, op, name, "planned"));
        }
        Ok(true)
    }

    /// A failed sync: the system forgets the writes it could not make, and some never were.
    fn fail_sync(&mut self, name: &str) {
        let Some(id) = self.names.get(name).copied() else {
            return;
        };
        let Some(mut file) = self.files.remove(&id) else {
            return;
        };
        self.tear(&mut file);
        self.files.insert(id, file);
    }

    fn end(&self, op: DiskOp, name: &str, going: bool) -> Result<(), DiskError> {
        if going { Ok(()) } else { Err(error(DiskErrorKind::Crashed, op, name, "")) }
    }

    fn file(&mut self, op: DiskOp, name: &str) -> Result<&mut File, DiskError> {
        self.names
            .get(name)
            .and_then(|file| self.files.get_mut(file))
            .ok_or_else(|| error(DiskErrorKind::NotFound, op, name, ""))
    }

    fn admit_space(&self, op: DiskOp, name: &str, more: u64) -> Result<(), DiskError> {
        let files = self.names.values().filter_map(|file| self.files.get(file));
        let used = files.map(|file| file.bytes.len() as u64);
        let used = used.fold(more, u64::saturating_add);
        match self.plan.capacity {
            Some(capacity) if used > capacity => Err(error(DiskErrorKind::NoSpace, op, name, "")),
            Some(_) | None => Ok(()),
        }
    }

    fn rename_or_remove(&mut self, op: DiskOp, change: NameChange) -> Result<(), DiskError> {
        let (NameChange::Create(name, _) | NameChange::Rename(name, _) | NameChange::Remove(name)) =
            change.clone();
        let going = self.begin(op, &name)?;
        self.file(op, &name)?;
        apply_name(&mut self.names, &change);
        self.unsynced_names.push(change);
        self.end(op, &name, going)
    }
}

impl Disk for SimDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let going = self.begin(DiskOp::List, "")?;
        self.end(DiskOp::List, "", going)?;
        Ok(self.names())
    }

    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        let going = self.begin(DiskOp::Len, name)?;
        self.end(DiskOp::Len, name, going)?;
        Ok(self.contents(name).map(|bytes| bytes.len() as u64))
    }

    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let op = DiskOp::Create;
        let going = self.begin(op, name)?;
        if self.names.contains_key(name) {
            return Err(error(DiskErrorKind::Exists, op, name, ""));
        }
        self.admit_space(op, name, len)?;
        let id = self.next_file;
        self.next_file = id.saturating_add(1);
        let len = to_usize(len);
        let unsynced = vec![Change::Length(len)];
        self.files.insert(id, File { bytes: vec![0; len], durable: Vec::new(), unsynced });
        self.names.insert(name.into(), id);
        self.unsynced_names.push(NameChange::Create(name.into(), id));
        self.end(op, name, going)
    }

    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        let going = self.begin(DiskOp::Read, name)?;
        self.end(DiskOp::Read, name, going)?;
        assert_aligned(offset, buf.len());
        let file = self.file(DiskOp::Read, name)?;
        let bytes = file.bytes.get(to_usize(offset)..).unwrap_or(&[]);
        let read = bytes.len().min(buf.len());
        buf[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let op = DiskOp::Write;
        let going = self.begin(op, name)?;
        assert_aligned(offset, bytes.len());
        let offset = to_usize(offset);
        let file = self.file(op, name)?;
        if offset.saturating_add(bytes.len()) > file.bytes.len() {
            return Err(error(DiskErrorKind::Io, op, name, "beyond the end of the file"));
        }
        let change = Change::Write { offset, bytes: bytes.to_vec() };
        apply(&mut file.bytes, &change);
        file.unsynced.push(change);
        self.end(op, name, going)
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let op = DiskOp::Sync;
        let going = self.begin(op, name)?;
        self.syncs = self.syncs.saturating_add(1);
        let skipped = match self.plan.skipped_sync {
            SkippedSync::None => false,
            SkippedSync::Every(n) => self.syncs.checked_rem(n) == Some(0),
        };
        let file = self.file(op, name)?;
        if going && !skipped {
            for change in file.unsynced.drain(..) {
                apply(&mut file.durable, &change);
            }
        }
        self.end(op, name, going)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.rename_or_remove(DiskOp::Rename, NameChange::Rename(from.into(), to.into()))
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.rename_or_remove(DiskOp::Remove, NameChange::Remove(name.into()))
    }

    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let op = DiskOp::Truncate;
        let going = self.begin(op, name)?;
        let old = self.file(op, name)?.bytes.len() as u64;
        self.admit_space(op, name, len.saturating_sub(old))?;
        let change = Change::Length(to_usize(len));
        let file = self.file(op, name)?;
        apply(&mut file.bytes, &change);
        file.unsynced.push(change);
        self.end(op, name, going)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let going = self.begin(DiskOp::SyncDir, "")?;
        if going {
            self.durable_names = self.names.clone();
            self.unsynced_names.clear();
        }
        self.end(DiskOp::SyncDir, "", going)
    }
}

/// Applies a change; a write behind the end leaves zeros before it.
fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => bytes.resize(*len, 0),
        Change::Write { offset, bytes: new } => {
            let end = offset.saturating_add(new.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(new);
        }
    }
}

fn apply_name(names: &mut BTreeMap<String, u64>, change: &NameChange) {
    match change {
        NameChange::Create(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
    }
}

fn error(kind: DiskErrorKind, op: DiskOp, name: &str, detail: &str) -> DiskError {
    DiskError { kind, op, name: name.into(), detail: detail.into() }
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A disk past the cache takes nothing else, so a journal that asks for it is wrong.
fn assert_aligned(offset: u64, len: usize) {
    assert!(offset.is_multiple_of(SECTOR as u64), "reads and writes begin at a block");
    assert!(len.is_multiple_of(SECTOR), "reads and writes are whole blocks");
}
