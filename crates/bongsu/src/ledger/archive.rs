//! `bongsu ledger archive`: old sealed segments of the hub's journal, put away where they can be
//! proved.
//!
//! How things flow: the whole journal is verified; what is old, sealed and closed is copied into a
//! new part of the archive, with the state that it leads to and its tables; the part is synced and
//! read back; then, of a hub that stands still, the anchor is put into the journal and the segments
//! go. Whatever is cut short is gone on with by the same command. Nothing is removed that the
//! archive does not hold, file by file.

mod age;
mod compare;
mod manifest;
mod proof;
mod tables;
mod whose;

use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use host::Config;
use host::table::TABLES_VERSION;
use journal::{Hash, RetireError, Sealed};
use node::disk::FileDisk;
use node::limits::PREDECESSOR_WAIT;
use node::{Lock, RoleName};
use scheme::{BusinessDate, Timestamp};
use serde_json::{Value, json};

use self::age::{Age, old_enough};
use self::manifest::{FORMAT, Listed, MANIFEST, Manifest, NODE, Part, Span, Sum, parts, places};
use self::tables::{Probes, Tables, Written};
use super::look::Look;
use super::{date, disk, read_steps};
use crate::error::{Exit, Failure};
use crate::nation::Place;
use crate::output::{self, Format, FormatArg, Progress};

pub(super) use self::proof::{Proof, layered, whole};

/// Put old segments of the journal away, where they can be proved
///
/// Verifies the journal, copies sealed segments that are old and closed into the archive, with
/// their transfers and payments as CSV and Parquet, reads all of it back, and removes them here.
/// The hub must stand still for the removal; beside a running one --keep makes the archive alone,
/// and the same command finishes it later. What is old says --before, or `journal.retention_days`.
/// `bongsu ledger verify --archive DIR` proves archive and journal as one chain.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger archive --to /archive/hub
  bongsu ledger archive --to /archive/hub --before 2026-01-01 --keep")]
pub(super) struct Archive {
    /// Directory of the archive: a new one, or the one that it was put into so far
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Only what is older than this local date, YYYY-MM-DD. The last 16 days stay: only profile
    /// demo puts younger away
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Option<BusinessDate>,
    /// Remove nothing here
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    /// A part that was made.
    made: Option<Part>,
    /// Segments that were removed.
    removed: u64,
    /// Why not more.
    why: Option<String>,
}

/// The tables of a part, and what its records come to.
struct Tabled {
    written: Vec<Written<BufWriter<File>>>,
    /// Behind its last record.
    state: Vec<u8>,
    /// The nation's name there.
    nation: String,
    /// Terminals of its synthetic payments.
    probes: Probes,
}

impl Archive {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let config = self.place.config()?;
        let asked = self.before.map(|date| config.zone.instant(date.civil()));
        let age = Age::of(asked, &config, node::backup::now())?;
        let mut look = Look::at(&self.place)?;
        if look.is_running() && !self.keep {
            let what = "the hub runs, and what it writes may not be removed beside it";
            return Err(Failure::new("running", what)
                .at(self.place.dir.display().to_string())
                .todo("stop it, or make the archive now with --keep and finish it later"));
        }
        let layout = self.place.layout();
        let mut source = disk(&layout, &layout.journal(&RoleName::Hub))?;
        let lock_path = layout.role_lock(&RoleName::Hub);
        let lock = (!look.is_running())
            .then(|| Lock::take(&lock_path, "ledger archive", PREDECESSOR_WAIT))
            .transpose()?;
        if lock.is_some() {
            look = Look::locked();
        }
        let done = self.put_away(&config, &mut source, age, &look)?;
        drop(lock);
        match self.format.format {
            Format::Json => output::json(&told(&done))?,
            Format::Text => output::text(&page(&done, &self.to))?,
        }
        Ok(Exit::Fine)
    }

    fn put_away(
        &self,
        config: &Config,
        source: &mut FileDisk,
        age: Age,
        look: &Look,
    ) -> Result<Done, Failure> {
        let shelf = journal::shelf(source).map_err(|error| self.unshelved(&error))?;
        if !shelf.stopped && !self.keep {
            return Err(Failure::new("not_stopped", "the hub did not stop cleanly")
                .at(self.place.dir.display().to_string())
                .todo("start it and stop it once, so that its journal is whole; then again"));
        }
        let (newest, open_since) = self.verified(config, look)?;
        let old = old_enough(&shelf.sealed, age.before(newest), open_since);
        let there = self.there(source)?;
        let covered = there.last().map_or(shelf.oldest - 1, |part| part.manifest.segments.last);
        let mut done = Done { why: old.why, ..Done::default() };
        if old.through > covered {
            let wanted = |s: &&Sealed| s.number > covered && s.number <= old.through;
            let sealed: Vec<&Sealed> = shelf.sealed.iter().filter(wanted).collect();
            let part = self.make(config, source, look, &sealed, there.last())?;
            done.made = Some(part);
        }
        if !self.keep {
            done.removed = self.remove(source, shelf.oldest, old.through)?;
        }
        Ok(done)
    }

    /// When its last record was written, and since when something is open; a journal that does not
    /// hold is not touched.
    fn verified(
        &self,
        config: &Config,
        look: &Look,
    ) -> Result<(Timestamp, Option<Timestamp>), Failure> {
        let mut progress = Progress::new("records read");
        let mut newest = Timestamp(0);
        let offline = read_steps(&self.place, config, look, None, &mut |step| {
            progress.at(step.number());
            newest = newest.max(step.at());
            Ok(())
        })?;
        match offline.report().damage.first() {
            None => Ok((newest, offline.open_since())),
            Some(damage) => Err(Failure::no("damaged", damage.what.clone())
                .at(self.place.layout().journal(&RoleName::Hub).display().to_string())
                .todo("nothing was put away; see `bongsu ledger verify`")),
        }
    }

    fn unshelved(&self, error: &RetireError) -> Failure {
        Failure::new("journal", error.to_string())
            .at(self.place.layout().journal(&RoleName::Hub).display().to_string())
            .todo("see `bongsu ledger verify`")
    }

    /// The parts that the archive has: in one row with what the journal begins with.
    fn there(&self, source: &mut FileDisk) -> Result<Vec<Part>, Failure> {
        if !self.to.exists() {
            return Ok(Vec::new());
        }
        whose::check(source, &places(&self.to)?, &self.to)?;
        parts(&self.to)
    }

    fn other(&self, what: &str) -> Failure {
        Failure::new("other_archive", what)
            .at(self.to.display().to_string())
            .todo("name the directory that the earlier segments are in, or an empty one")
    }

    /// Makes a part of these segments, reads it back, and gives it its name.
    fn make(
        &self,
        config: &Config,
        source: &mut FileDisk,
        look: &Look,
        sealed: &[&Sealed],
        last_part: Option<&Part>,
    ) -> Result<Part, Failure> {
        let (Some(first), Some(last)) = (sealed.first(), sealed.last()) else {
            return Err(self.other("the archive holds segments that the journal has not"));
        };
        let segments = Span { first: first.number, last: last.number };
        let records = Span { first: first.first_record, last: last.last_record };
        let staged = Staged::new(&self.to, &Part::name(segments))?;
        let mut target = self.open(&staged.path)?;
        let mut files = self.copy(source, &mut target, sealed)?;
        if segments.first > 1 {
            let before = records.first - 1;
            files.push(self.base(source, &mut target, before, last_part)?);
        }
        let Tabled { written, state, nation, probes } =
            self.tables(config, look, &staged.path, records)?;
        let anchor = journal::anchor_beside(source, &mut target, segments.last, &state);
        let anchor = anchor.map_err(|error| self.unshelved(&error))?;
        files.push(self.anchor(&mut target, anchor, records.last)?);
        for table in written {
            files.push(self.table(&mut target, table)?);
        }
        let manifest = Manifest {
            format: FORMAT,
            made_by: format!("bongsu {}", env!("CARGO_PKG_VERSION")),
            made_at: node::backup::now().to_string(),
            nation,
            node: NODE.to_owned(),
            segments,
            records,
            frames: Span { first: first.first_frame, last: last.last_frame },
            previous_frame_sha256: Sum(first.previous),
            last_frame_sha256: Sum(last.last),
            from: Timestamp(first.from_ns).to_string(),
            until: Timestamp(last.until_ns).to_string(),
            tables_version: u64::from(TABLES_VERSION),
            probes: probes.into_iter().collect(),
            files,
        };
        // Our own shape always is JSON.
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|error| Failure::new("internal", error.to_string()))?;
        node::backup::write_file(&staged.path.join(MANIFEST), format!("{text}\n").as_bytes())?;
        staged.finish()?;
        Ok(Part { path: self.to.join(Part::name(segments)), manifest })
    }

    /// A state of the part, as it is read back.
    fn anchor(&self, target: &mut FileDisk, file: String, record: u64) -> Result<Listed, Failure> {
        let (bytes, sha256) = self.read_back(target, &file)?;
        Ok(Listed::Anchor { file, bytes, sha256: Sum(sha256), record })
    }

    /// A table of the part, which is read back as it was written.
    fn table<W>(&self, target: &mut FileDisk, table: Written<W>) -> Result<Listed, Failure> {
        let Written { name, file, rows, bytes, sha256, .. } = table;
        if self.read_back(target, &file)? != (bytes, sha256) {
            return Err(self.misread(&file));
        }
        Ok(Listed::Table { file, bytes, sha256: Sum(sha256), table: name.to_owned(), rows })
    }

    fn open(&self, path: &Path) -> Result<FileDisk, Failure> {
        FileDisk::open(path).map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &std::io::Error) -> Failure {
        Failure::new("unwritable", format!("the archive can't be written: {error}"))
            .at(self.to.display().to_string())
            .todo("name a directory that may be written and has room; nothing was removed")
    }

    fn misread(&self, file: &str) -> Failure {
        Failure::new("unwritable", format!("{file} is not read back as it was written"))
            .at(self.to.display().to_string())
            .todo("nothing was removed; check the disk that the archive is on")
    }

    /// Segment by segment, each read back.
    fn copy(
        &self,
        source: &mut FileDisk,
        target: &mut FileDisk,
        sealed: &[&Sealed],
    ) -> Result<Vec<Listed>, Failure> {
        let mut progress = Progress::new("segments copied");
        let mut files = Vec::new();
        for sealed in sealed {
            progress.at(files.len() as u64);
            let hash = journal::copy_whole(source, target, &sealed.file).map_err(|error| {
                Failure::new("unwritable", error.to_string())
                    .at(self.to.display().to_string())
                    .todo("nothing was removed; check the disks and their room")
            })?;
            files.push(Listed::Segment {
                file: sealed.file.clone(),
                bytes: sealed.bytes,
                sha256: Sum(hash),
                records: Span { first: sealed.first_record, last: sealed.last_record },
                frames: Span { first: sealed.first_frame, last: sealed.last_frame },
                last_frame_sha256: Sum(sealed.last),
            });
        }
        Ok(files)
    }

    /// The anchor that the part stands on: the journal's own, or what the part before ends with.
    fn base(
        &self,
        source: &mut FileDisk,
        target: &mut FileDisk,
        record: u64,
        last_part: Option<&Part>,
    ) -> Result<Listed, Failure> {
        let unreadable = |error: journal::DiskError| {
            Failure::new("unreadable", error.to_string()).at(self.to.display().to_string())
        };
        let name = journal::anchored(source, record).map_err(unreadable)?.map(|(name, _)| name);
        let copied = match (name, last_part) {
            (Some(name), _) => journal::copy_whole(source, target, &name).map(|_| name),
            (None, Some(part)) => {
                let mut before = self.open(&part.path)?;
                let found = journal::anchored(&mut before, record).map_err(unreadable)?;
                let name = found.map(|(name, _)| name).unwrap_or_default();
                journal::copy_whole(&mut before, target, &name).map(|_| name)
            }
            (None, None) => return Err(self.other("nothing holds the state before it")),
        };
        let name = copied.map_err(|error| {
            Failure::new("unwritable", error.to_string()).at(self.to.display().to_string())
        })?;
        self.anchor(target, name, record)
    }

    /// The length and hash of a file of the part as it is read back.
    fn read_back(&self, target: &mut FileDisk, file: &str) -> Result<(u64, Hash), Failure> {
        let found = compare::read_back(target, file).map_err(|_| self.misread(file))?;
        found.ok_or_else(|| self.misread(file))
    }

    /// Writes the tables of these records, and gives the state behind them.
    fn tables(
        &self,
        config: &Config,
        look: &Look,
        path: &Path,
        records: Span,
    ) -> Result<Tabled, Failure> {
        let exponent = config.currency.exponent();
        let unwritable = |error: std::io::Error| self.unwritable(&error);
        let mut tables = Tables::new(exponent, None, &mut |name| {
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o600);
            Ok(BufWriter::new(options.open(path.join(name))?))
        })
        .map_err(unwritable)?;
        let (mut state, mut failed, mut is_done) = (None, None, false);
        let mut progress = Progress::new("records written as tables");
        let read = read_steps(&self.place, config, look, None, &mut |step| {
            progress.at(step.number());
            if step.number() < records.first {
                return Ok(());
            }
            if let Err(error) = tables.step(step) {
                failed = Some(error);
                return Err("stopped".to_owned());
            }
            if step.number() == records.last {
                state = Some((step.state(), step.nation().to_owned()));
                is_done = true;
                return Err("done".to_owned());
            }
            Ok(())
        });
        if let Some(error) = failed {
            return Err(unwritable(error));
        }
        if let (Err(failure), false) = (read, is_done) {
            return Err(failure);
        }
        let (state, nation) =
            state.ok_or_else(|| self.other("the journal ends before its segments"))?;
        let (written, probes) = tables.finish().map_err(unwritable)?;
        for table in &written {
            table.to.get_ref().sync_all().map_err(unwritable)?;
        }
        Ok(Tabled { written, state, nation, probes })
    }

    /// Removes what the archive holds: part by part, after every file of it was read again and
    /// found to be the journal's own.
    fn remove(&self, source: &mut FileDisk, oldest: u64, through: u64) -> Result<u64, Failure> {
        // What a killed run was removing: its head no longer counts it, the archive has it.
        let mut removed = match oldest.checked_sub(1) {
            Some(begun) if begun > 0 => {
                journal::retire(source, begun).map_err(|error| self.unshelved(&error))?
            }
            Some(_) | None => 0,
        };
        if !self.to.exists() {
            return Ok(removed);
        }
        let wanted = |part: &Part| (oldest..=through).contains(&part.manifest.segments.last);
        for part in parts(&self.to)?.into_iter().filter(wanted) {
            proof::is_of(&part, source)?;
            let mut archived = self.open(&part.path)?;
            let anchor = journal::anchored(&mut archived, part.manifest.records.last);
            let (_, state) = anchor.ok().flatten().ok_or_else(|| self.misread("the anchor"))?;
            let last = part.manifest.segments.last;
            journal::anchor(source, last, &state).map_err(|error| self.unshelved(&error))?;
            let gone = journal::retire(source, last).map_err(|error| self.unshelved(&error))?;
            removed += gone;
        }
        Ok(removed)
    }
}

/// A part that is being made: a directory beside its place, gone unless it is finished.
struct Staged {
    path: PathBuf,
    target: PathBuf,
    parent: PathBuf,
}

impl Staged {
    fn new(to: &Path, name: &str) -> Result<Self, Failure> {
        let path = to.join(format!(".{name}.{}.tmp", std::process::id()));
        Ok(Self { path, target: to.join(name), parent: to.to_owned() })
    }

    /// Everything in it is synced; so is its name now.
    fn finish(self) -> Result<(), Failure> {
        let named = sync(&self.path)
            .and_then(|()| std::fs::rename(&self.path, &self.target))
            .and_then(|()| sync(&self.parent));
        named.map_err(|error| {
            Failure::new("unwritable", format!("it can't get its name: {error}"))
                .at(self.target.display().to_string())
                .todo("nothing was removed; check the directory")
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Under its own name it is gone from here; half of it helps nobody.
        drop(std::fs::remove_dir_all(&self.path));
    }
}

fn sync(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn told(done: &Done) -> Value {
    let made = done.made.as_ref().map(|part| {
        json!({
            "part": Part::name(part.manifest.segments),
            "segments": part.manifest.segments,
            "records": part.manifest.records,
            "bytes": part.manifest.files.iter().map(|listed| listed.content().0).sum::<u64>(),
        })
    });
    json!({ "made": made, "removed_segments": done.removed, "why_not_more": done.why })
}

fn page(done: &Done, to: &Path) -> String {
    let mut lines = Vec::new();
    match &done.made {
        Some(part) => {
            let Span { first, last } = part.manifest.segments;
            let Span { first: from, last: until } = part.manifest.records;
            lines.push(format!(
                "segments {first} to {last}, records {from} to {until}: {}, read back",
                part.path.display()
            ));
        }
        None => lines.push("nothing new to put away".to_owned()),
    }
    match done.removed {
        0 => lines.push("nothing was removed here".to_owned()),
        count => lines.push(format!(
            "{count} segments were removed here; `bongsu ledger verify --archive {}` proves all \
             of it",
            to.display()
        )),
    }
    lines.extend(done.why.as_ref().map(|why| format!("not more: {why}")));
    lines.join("\n")
}
