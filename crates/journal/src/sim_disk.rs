//! A disk in memory that lies as real ones do, the same way for the same seed.
//!
//! What is written can be read at once, but is durable only after `sync` (of the file) and
//! `sync_dir` (of names). [`SimDisk::crash`] cuts the power: of the unsynced writes any sectors are
//! kept and any lost, lengths too, and of the unsynced changes of the directory a first part is
//! kept. Faults ([`Plan`]) are planned by the number of the operation, so that a test can try them
//! all: errors of any call, writes that go astray, reads that give a wrong bit; rot of the medium
//! is [`SimDisk::flip`].
mod cuts;
mod plan;

pub use cuts::{Cut, CutDisk, Cuts, Sample};
pub use plan::{Astray, FailedSync, Plan, SkippedSync, Tearing};

use crate::disk::{Disk, DiskError, DiskErrorKind, DiskOp};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// The sector: a write of one is never torn.
const SECTOR: usize = 512;

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
    strayed: Option<Strayed>,
    next_file: u64,
    /// A clone of the disk shares what neither changes.
    files: BTreeMap<u64, Arc<File>>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    unsynced_names: Vec<NameChange>,
}

/// A write that went astray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strayed {
    /// The file that it was for.
    pub name: String,
    /// Where in it, bytes.
    pub offset: u64,
    /// Its length, bytes.
    pub len: usize,
    /// Where it landed, if anywhere: a file, and where in it.
    pub landed: Option<(String, u64)>,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What is read.
    bytes: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Whether a sync of it has failed since the process began.
    failed: bool,
}

/// How an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    Well,
    /// The power goes in the middle of it.
    PowerOff,
    /// It fails.
    Fails(DiskErrorKind),
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
            strayed: None,
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
        for file in files.values_mut().filter(|file| file.failed || !file.unsynced.is_empty()) {
            self.tear(Arc::make_mut(file));
        }
        self.files = files;
        self.crashed = false;
        self.plan.crash_at = None;
    }

    /// Ends the process but not the power: what was written stays as it is, but for what a cache
    /// showed after a failed sync.
    pub fn kill(&mut self) {
        self.crashed = false;
        self.plan.crash_at = None;
        for file in self.files.values_mut().filter(|file| file.failed) {
            let file = Arc::make_mut(file);
            file.failed = false;
            file.bytes.clone_from(&file.durable);
            for change in &file.unsynced {
                apply(&mut file.bytes, change);
            }
        }
    }

    /// Changes one durable byte behind everybody's back.
    pub fn flip(&mut self, name: &str, offset: u64, mask: u8) {
        let Some(file) = self.names.get(name).and_then(|file| self.files.get_mut(file)) else {
            return;
        };
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let file = Arc::make_mut(file);
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
        let content = File { bytes, durable, ..File::default() };
        self.files.insert(file, Arc::new(content));
        self.names.insert(name.into(), file);
        self.durable_names.insert(name.into(), file);
    }

    /// Whether whoever reads both finds the same files with the same bytes.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        let same = |(name, id): (&String, &u64)| {
            let (Some(ours), Some(theirs)) =
                (self.files.get(id), other.names.get(name).and_then(|id| other.files.get(id)))
            else {
                return false;
            };
            Arc::ptr_eq(ours, theirs) || ours.bytes == theirs.bytes
        };
        self.names.len() == other.names.len() && self.names.iter().all(same)
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

    /// The write that went astray last, if one did.
    #[must_use]
    pub fn strayed(&self) -> Option<&Strayed> {
        self.strayed.as_ref()
    }

    /// Chances from here on come from another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.random = seed;
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
                (Tearing::Sectors | Tearing::TornSectors | Tearing::Physical4096, _) => {
                    self.tear_change(&mut medium, change)
                }
            }
        }
        file.durable.clone_from(&medium);
        file.bytes = medium;
        file.failed = false;
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
                        continue;
                    }
                    let tearing = self.plan.tearing;
                    match tearing {
                        Tearing::TornSectors => {
                            let new = self.chance_below(sector.len());
                            let bytes = sector[..new].to_vec();
                            apply(medium, &Change::Write { offset: at, bytes });
                        }
                        Tearing::Physical4096 if self.chance_below(3) == 0 => {
                            self.garble(medium, at);
                        }
                        Tearing::Sectors
                        | Tearing::LoseAll
                        | Tearing::KeepAll
                        | Tearing::Physical4096 => {}
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

    /// Counts an operation and says how it goes.
    fn begin(&mut self, op: DiskOp, name: &str) -> Result<Going, DiskError> {
        if self.crashed {
            return Err(error(DiskErrorKind::Crashed, op, name, ""));
        }
        let number = self.ops;
        self.ops = number.saturating_add(1);
        let count = self.counts.entry(op).or_default();
        *count = count.saturating_add(1);
        if self.plan.crash_at == Some(number) {
            self.crashed = true;
            return Ok(Going::PowerOff);
        }
        if self.plan.fail_at == Some(number) {
            self.plan.fail_at = None;
            return Ok(Going::Fails(self.plan.fail_kind.unwrap_or(DiskErrorKind::Io)));
        }
        Ok(Going::Well)
    }

    /// The same for an operation that changes nothing.
    fn begin_look(&mut self, op: DiskOp, name: &str) -> Result<(), DiskError> {
        let going = self.begin(op, name)?;
        self.end(op, name, going)
    }

    /// Whether the operation just begun is the one that this names.
    fn is_now(&self, number: Option<u64>) -> bool {
        number.is_some_and(|number| number.saturating_add(1) == self.ops)
    }

    /// Whether a change happens at all: one that fails may have happened.
    fn happens(&mut self, going: Going) -> bool {
        match going {
            Going::Well | Going::PowerOff => true,
            Going::Fails(_) => self.chance_below(2) == 0,
        }
    }

    fn end(&self, op: DiskOp, name: &str, going: Going) -> Result<(), DiskError> {
        match going {
            Going::Well => Ok(()),
            Going::PowerOff => Err(error(DiskErrorKind::Crashed, op, name, "")),
            Going::Fails(kind) => Err(error(kind, op, name, "planned")),
        }
    }

    /// A failed sync: the system forgets the writes it could not make, and some never were.
    fn fail_sync(&mut self, name: &str) {
        let Some(id) = self.names.get(name).copied() else {
            return;
        };
        let Some(mut file) = self.files.remove(&id) else {
            return;
        };
        let shown = file.bytes.clone();
        let torn = Arc::make_mut(&mut file);
        self.tear(torn);
        if self.plan.failed_sync == FailedSync::Cache {
            torn.bytes = shown;
            torn.failed = true;
        }
        self.files.insert(id, file);
    }

    /// A write that is said to be done and is not, or not there.
    fn go_astray(&mut self, name: &str, offset: usize, bytes: &[u8], how: Astray) {
        let landed = self.elsewhere(name, offset, bytes.len(), how);
        self.strayed = Some(Strayed {
            name: name.into(),
            offset: offset as u64,
            len: bytes.len(),
            landed: landed.as_ref().map(|(to, at)| (to.clone(), *at as u64)),
        });
        let file = landed.and_then(|(to, at)| Some((*self.names.get(&to)?, at)));
        if let Some((file, at)) = file.and_then(|(id, at)| Some((self.files.get_mut(&id)?, at))) {
            // Nobody will sync that place: it is on the medium now.
            let file = Arc::make_mut(file);
            let change = Change::Write { offset: at, bytes: bytes.to_vec() };
            apply(&mut file.bytes, &change);
            apply(&mut file.durable, &change);
        }
    }

    /// A place for a write that goes astray, in whole sectors, never its own.
    fn elsewhere(
        &mut self,
        name: &str,
        offset: usize,
        len: usize,
        how: Astray,
    ) -> Option<(String, usize)> {
        let has_room = |file: &Arc<File>| file.bytes.len() >= len;
        let others = self.names.iter().filter(|(other, _)| *other != name);
        let others = others.filter(|(_, id)| self.files.get(id).is_some_and(has_room));
        let others: Vec<String> = others.map(|(other, _)| other.clone()).collect();
        let to = match how {
            Astray::Nowhere => return None,
            Astray::OtherFile if !others.is_empty() => {
                let pick = self.chance_below(others.len());
                others.get(pick)?.clone()
            }
            Astray::OtherFile | Astray::SameFile => name.into(),
        };
        let room = self.contents(&to)?.len().saturating_sub(len);
        let places = (0..=room).step_by(SECTOR).filter(|at| to != name || *at != offset);
        let places: Vec<usize> = places.collect();
        let pick = self.chance_below(places.len());
        Some((to, *places.get(pick)?))
    }

    fn file(&mut self, op: DiskOp, name: &str) -> Result<&mut File, DiskError> {
        self.names
            .get(name)
            .and_then(|file| self.files.get_mut(file))
            .map(Arc::make_mut)
            .ok_or_else(|| error(DiskErrorKind::NotFound, op, name, ""))
    }

    /// A file that is only looked at.
    fn seen(&self, op: DiskOp, name: &str) -> Result<&File, DiskError> {
        let file = self.names.get(name).and_then(|file| self.files.get(file));
        file.map(Arc::as_ref).ok_or_else(|| error(DiskErrorKind::NotFound, op, name, ""))
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
        self.seen(op, &name)?;
        if self.happens(going) {
            apply_name(&mut self.names, &change);
            self.unsynced_names.push(change);
        }
        self.end(op, &name, going)
    }
}

impl Disk for SimDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.begin_look(DiskOp::List, "")?;
        Ok(self.names())
    }

    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        self.begin_look(DiskOp::Len, name)?;
        Ok(self.contents(name).map(|bytes| bytes.len() as u64))
    }

    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let op = DiskOp::Create;
        let going = self.begin(op, name)?;
        if self.names.contains_key(name) {
            return Err(error(DiskErrorKind::Exists, op, name, ""));
        }
        self.admit_space(op, name, len)?;
        let full = going == Going::Fails(DiskErrorKind::NoSpace);
        if full || !self.happens(going) {
            return self.end(op, name, going);
        }
        let id = self.next_file;
        self.next_file = id.saturating_add(1);
        let len = to_usize(len);
        let unsynced = vec![Change::Length(len)];
        let file = File { bytes: vec![0; len], unsynced, ..File::default() };
        self.files.insert(id, Arc::new(file));
        self.names.insert(name.into(), id);
        self.unsynced_names.push(NameChange::Create(name.into(), id));
        self.end(op, name, going)
    }

    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        self.begin_look(DiskOp::Read, name)?;
        assert_aligned(offset, buf.len());
        let file = self.seen(DiskOp::Read, name)?;
        let bytes = file.bytes.get(to_usize(offset)..).unwrap_or(&[]);
        let read = bytes.len().min(buf.len());
        buf[..read].copy_from_slice(&bytes[..read]);
        if self.is_now(self.plan.rot_read_at) {
            let (at, bit) = (self.chance_below(read), self.chance_below(8));
            if let Some(byte) = buf[..read].get_mut(at) {
                *byte ^= 1u8.wrapping_shl(u32::try_from(bit).unwrap_or(0));
            }
        }
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
        if let Some((_, how)) = self.plan.astray.filter(|(number, _)| self.is_now(Some(*number))) {
            self.go_astray(name, offset, bytes, how);
            return self.end(op, name, going);
        }
        let written = match going {
            Going::Well | Going::PowerOff => bytes.len(),
            // As far as it came, in whole sectors.
            Going::Fails(_) => {
                let sectors = self.chance_below((bytes.len() / SECTOR).saturating_add(1));
                sectors.saturating_mul(SECTOR)
            }
        };
        let change = Change::Write { offset, bytes: bytes[..written].to_vec() };
        let file = self.file(op, name)?;
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
        match going {
            Going::Well if !skipped => {
                for change in file.unsynced.drain(..) {
                    apply(&mut file.durable, &change);
                }
            }
            Going::Well | Going::PowerOff => {}
            Going::Fails(_) => self.fail_sync(name),
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
        let old = self.seen(op, name)?.bytes.len() as u64;
        self.admit_space(op, name, len.saturating_sub(old))?;
        if self.happens(going) {
            let change = Change::Length(to_usize(len));
            let file = self.file(op, name)?;
            apply(&mut file.bytes, &change);
            file.unsynced.push(change);
        }
        self.end(op, name, going)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let going = self.begin(DiskOp::SyncDir, "")?;
        if going == Going::Well {
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
