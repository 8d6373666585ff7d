//! Copies of a nation's journals and key files, file by file: what `bongsu backup` and `restore`
//! are made of. A copy is believed only after it has been read back.

use std::path::Path;

use host::{Config, Restored};
use journal::{CopyError, Extent, Until};
use scheme::Timestamp;

use crate::clock;
use crate::disk::FileDisk;
use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};
use crate::role::RoleName;

/// A journal that was copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleCopy {
    /// Whose it is.
    pub role: RoleName,
    /// Its last record.
    pub records: u64,
    /// Its last frame.
    pub frames: u64,
    /// When that was begun.
    pub at: Timestamp,
    /// Bytes that were copied.
    pub bytes: u64,
}

/// Every role of a configuration that has a journal: stations, banks, the hub.
pub fn roles(config: &Config) -> Vec<RoleName> {
    let stations = config.stations.iter().map(|station| RoleName::Station(station.name.clone()));
    let banks = config.participants.iter().map(|bank| RoleName::Bank(bank.id));
    stations.chain(banks).chain([RoleName::Hub]).collect()
}

/// The wall clock, by which journals are cut to one moment.
pub fn now() -> Timestamp {
    clock::read().wall
}

/// Copies a role's journal, beside its running role if `is_running`, up to `until`; `None` if it
/// has none.
///
/// Journals that are copied up to one moment of one machine's clock fit each other. Nothing leaves
/// a role before the frame that it is in is durable, so a role acts on another's word later than
/// any record of that word's frame: where the acting is in its copy, the word is in the other's.
pub fn copy_journal(
    from: &Layout,
    to: &Layout,
    role: &RoleName,
    is_running: bool,
    until: Option<Timestamp>,
) -> Result<Option<RoleCopy>, RunError> {
    let (source, target) = (from.journal(role), to.journal(role));
    let there = source.try_exists();
    if !there.map_err(|error| RunError::file("read the journal", &source, &error))? {
        return Ok(None);
    }
    let open = |path: &Path| {
        FileDisk::open(path).map_err(|error| RunError::file("open the journal", path, &error))
    };
    let mut cut = Until::all(if is_running { Extent::UpToHead } else { Extent::All });
    if let Some(at) = until {
        cut.record_ns = at.0;
    }
    match journal::copy(open(&source)?, open(&target)?, cut) {
        Ok(copied) => Ok(Some(RoleCopy {
            role: role.clone(),
            records: copied.record,
            frames: copied.frame,
            at: Timestamp(copied.time_ns),
            bytes: copied.bytes,
        })),
        Err(error) => Err(failed(&error, &source, &target)),
    }
}

fn failed(error: &CopyError, source: &Path, target: &Path) -> RunError {
    let (kind, place, remedy) = match error {
        CopyError::Damaged(_) => (
            RunErrorKind::JournalDamaged,
            source,
            "nothing was changed; `bongsu ledger verify` reads all that holds",
        ),
        CopyError::Source(_) => (RunErrorKind::Journal, source, "check the disk and its files"),
        CopyError::Target(_) | CopyError::Differs { .. } => {
            (RunErrorKind::Journal, target, "check the disk and its space")
        }
        CopyError::NotEmpty => (RunErrorKind::Journal, target, "name an empty directory"),
    };
    RunError::new(kind, error.to_string(), place.display().to_string(), remedy)
}

/// Reads a copied journal back, whole: every checksum, every link of the chain, its end.
pub fn read_back(layout: &Layout, copy: &RoleCopy) -> Result<(), RunError> {
    let path = layout.journal(&copy.role);
    let disk =
        FileDisk::open(&path).map_err(|error| RunError::file("open the journal", &path, &error))?;
    let place = path.display().to_string();
    let bad = |what: String| {
        let remedy = "the copy is no good: check the disk that it is on, and make another";
        RunError::new(RunErrorKind::JournalDamaged, what, place.clone(), remedy)
    };
    let report = journal::verify(disk, Extent::All, &mut |_| Ok(()));
    let report = report.map_err(|error| bad(error.to_string()))?;
    if let Some(damage) = report.damage.first() {
        return Err(bad(damage.to_string()));
    }
    if report.last_record != copy.records || report.cut.is_some() {
        let (has, should) = (report.last_record, copy.records);
        return Err(bad(format!("it ends with record {has} instead of {should}")));
    }
    Ok(())
}

/// Raises the epoch of the hub's journal in a directory that nobody uses yet.
pub fn raise_epoch(layout: &Layout, config: &Config) -> Result<Restored, RunError> {
    let path = layout.journal(&RoleName::Hub);
    let disk =
        FileDisk::open(&path).map_err(|error| RunError::file("open the journal", &path, &error))?;
    host::raise_epoch(config, disk, now()).map_err(|error| {
        let place = path.display().to_string();
        RunError::new(RunErrorKind::Journal, error.to_string(), place, "check the disk")
    })
}

/// Copies every file of a directory of keys, below it too, each readable by its owner alone;
/// returns how many.
pub fn copy_keys(from: &Path, to: &Path) -> Result<u64, RunError> {
    let unread = |error: std::io::Error| RunError::file("read the keys", from, &error);
    make_dir(to).map_err(|error| RunError::file("make the directory", to, &error))?;
    let mut count = 0;
    for entry in std::fs::read_dir(from).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(unread)?.is_dir() {
            count += copy_keys(&path, &target)?;
            continue;
        }
        copy_file(&path, &target)?;
        count += 1;
    }
    Ok(count)
}

/// Copies one file as one step, readable by its owner alone.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), RunError> {
    let content =
        std::fs::read(from).map_err(|error| RunError::file("read the file", from, &error))?;
    write_file(to, &content)
}

/// Writes one file as one step, readable by its owner alone, and the directories above it.
pub fn write_file(to: &Path, content: &[u8]) -> Result<(), RunError> {
    let parent = to.parent().unwrap_or(to);
    make_dir(parent)
        .and_then(|()| write_whole(to, content))
        .map_err(|error| RunError::file("write the file", to, &error))
}
