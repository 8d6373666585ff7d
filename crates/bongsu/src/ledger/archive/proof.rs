//! Proving an archive: every file is what was made, its segments and the journal are one chain, and
//! its tables are what its records say.

use std::io;
use std::path::Path;

use host::Config;
use host::offline::{Check, DamageView, Step, VerifyReport};
use host::table::TABLES_VERSION;
use journal::{Disk, DiskError, Layered};
use node::disk::FileDisk;

use super::manifest::{Listed, Part, parts};
use super::tables::Tables;
use crate::error::Failure;
use crate::output::Progress;

/// The length and SHA-256 of a file; `None` if it is not there.
pub(super) fn read_back(
    disk: &mut FileDisk,
    file: &str,
) -> Result<Option<(u64, String)>, DiskError> {
    let Some(bytes) = disk.len(file)? else { return Ok(None) };
    Ok(journal::file_hash(disk, file)?.map(|hash| (bytes, hash.to_string())))
}

/// Whether every file of a part is there, and its segments are the journal's own: only then may
/// those be removed.
pub(super) fn is_of(part: &Part, journal: &mut FileDisk) -> Result<(), Failure> {
    let place = part.path.display().to_string();
    let wrong = |what: String| {
        Failure::no("damaged", what)
            .at(place.clone())
            .todo("nothing was removed; move this part of the archive away and archive again")
    };
    let mut disk = opened(&part.path)?;
    for listed in &part.files {
        if let Some(what) = differs(&mut disk, listed) {
            return Err(wrong(what));
        }
    }
    for listed in part.of_kind("segment") {
        let own = read_back(journal, &listed.file).map_err(|error| wrong(error.to_string()))?;
        // One that an earlier run has removed is in the archive alone.
        if own.is_some_and(|own| own != (listed.bytes, listed.sha256.clone())) {
            return Err(wrong(format!("{} is not the journal's own", listed.file)));
        }
    }
    Ok(())
}

fn opened(path: &Path) -> Result<FileDisk, Failure> {
    FileDisk::open(path).map_err(|error| Failure::unreadable(path.display().to_string(), &error))
}

/// What is wrong with a file of a part.
fn differs(disk: &mut FileDisk, listed: &Listed) -> Option<String> {
    match read_back(disk, &listed.file) {
        Err(error) => Some(error.to_string()),
        Ok(None) => Some(format!("{} is not there", listed.file)),
        Ok(Some(found)) if found != (listed.bytes, listed.sha256.clone()) => {
            Some(format!("{} is not what was archived (SHA-256)", listed.file))
        }
        Ok(Some(_)) => None,
    }
}

/// The journal and an archive's parts as one directory.
pub(in crate::ledger) fn layered(
    journal: FileDisk,
    archive: &Path,
) -> Result<Layered<FileDisk>, Failure> {
    let mut layers = vec![journal];
    for part in found(archive)? {
        layers.push(opened(&part.path)?);
    }
    Ok(Layered(layers))
}

fn found(archive: &Path) -> Result<Vec<Part>, Failure> {
    let place = archive.display().to_string();
    let none = |what: &str| {
        Failure::new("no_archive", what)
            .at(place.clone())
            .todo("name a directory that `bongsu ledger archive` has made")
    };
    if !archive.is_dir() {
        return Err(none("there is no such directory"));
    }
    match parts(archive)? {
        parts if parts.is_empty() => Err(none("there is no archive in it")),
        parts => Ok(parts),
    }
}

/// What is reckoned of an archive while its records are read.
pub(in crate::ledger) struct Proof {
    parts: Vec<Rebuilt>,
    report: Vec<DamageView>,
    files: u64,
}

/// A part, and its tables made anew.
struct Rebuilt {
    part: Part,
    tables: Option<Tables<io::Sink>>,
}

impl Proof {
    /// Reads every file of an archive.
    pub(in crate::ledger) fn start(config: &Config, archive: &Path) -> Result<Self, Failure> {
        let mut progress = Progress::new("files of the archive read");
        let mut proof = Self { parts: Vec::new(), report: Vec::new(), files: 0 };
        for part in found(archive)? {
            let mut disk = opened(&part.path)?;
            for listed in &part.files {
                proof.files += 1;
                progress.at(proof.files);
                if let Some(what) = differs(&mut disk, listed) {
                    proof.report.push(damage(&part, &listed.file, what));
                }
            }
            let is_known = part.tables_version == u64::from(TABLES_VERSION);
            let exponent = config.currency.exponent();
            let nowhere = |_: &str| Ok(io::sink());
            let tables = is_known.then(|| Tables::new(exponent, &mut { nowhere }));
            let tables = tables.transpose().map_err(internal)?;
            proof.parts.push(Rebuilt { part, tables });
        }
        Ok(proof)
    }

    /// Takes the next record.
    pub(in crate::ledger) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        let number = step.number();
        let of = self.parts.iter_mut().find(|rebuilt| {
            let records = rebuilt.part.records;
            (records.first..=records.last).contains(&number)
        });
        match of.and_then(|rebuilt| rebuilt.tables.as_mut()) {
            Some(tables) => tables.step(step).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Adds what was found to a report; tables can be judged only where all records hold.
    pub(in crate::ledger) fn finish(mut self, report: &mut VerifyReport) -> Result<(), Failure> {
        report.checked.files = self.files;
        let holds = report.stops_before.is_none();
        for Rebuilt { part, tables } in self.parts {
            let Some(tables) = tables.filter(|_| holds) else { continue };
            for table in tables.finish().map_err(internal)? {
                let listed = part.files.iter().find(|listed| listed.file == table.file);
                if listed.is_none_or(|listed| listed.sha256 != table.sha256) {
                    let what = format!("{} is not what its records say", table.file);
                    self.report.push(damage(&part, &table.file, what));
                }
            }
        }
        for damage in self.report {
            report.add(damage);
        }
        Ok(())
    }
}

fn damage(part: &Part, file: &str, what: String) -> DamageView {
    DamageView {
        check: Check::Archive,
        file: format!("{}/{file}", Part::name(part.segments)),
        from_record: part.records.first,
        to_record: Some(part.records.last),
        what,
    }
}

/// What is written into nothing can't fail.
fn internal(error: io::Error) -> Failure {
    Failure::new("internal", error.to_string())
}
