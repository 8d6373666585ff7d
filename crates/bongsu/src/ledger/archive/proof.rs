//! Proving an archive: every file is what was made, its segments and the journal are one chain, and
//! its tables are what its records say.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use host::Config;
use host::offline::{Check, DamageView, Step, VerifyReport};
use host::table::TABLES_VERSION;
use journal::{Disk, DiskError, Flaw, Hash, Layered};
use node::disk::FileDisk;

use super::compare::{Wrong, compare, read_back, untrue};
use super::manifest::{Listed, MANIFEST, Part, Place, Span, places};
use super::tables::Tables;
use super::whose;
use crate::error::Failure;
use crate::output::Progress;

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
    let found = compare(part, &mut disk, &mut || ()).map_err(|error| wrong(error.to_string()))?;
    if let Some((file, what)) = found.first() {
        return Err(wrong(format!("{file}: {what}")));
    }
    for listed in part.segments() {
        let own = read_back(journal, listed.file()).map_err(|error| wrong(error.to_string()))?;
        // One that an earlier run has removed is in the archive alone.
        if own.is_some_and(|own| own != listed.content()) {
            return Err(wrong(format!("{} is not the journal's own", listed.file())));
        }
    }
    Ok(())
}

pub(super) fn opened(path: &Path) -> Result<FileDisk, Failure> {
    FileDisk::open(path).map_err(|error| Failure::unreadable(path.display().to_string(), &error))
}

/// The journal and an archive's parts as one directory, each part with its segments. Without one
/// of them what is read would begin later and seem whole.
pub(in crate::ledger) fn whole(
    mut journal: FileDisk,
    archive: &Path,
) -> Result<Layered<FileDisk>, Failure> {
    let places = found(archive)?;
    whose::check(&mut journal, &places, archive)?;
    for place in &places {
        if let Some((file, what)) = lost(&mut journal, place)? {
            return Err(Failure::no("damaged", what)
                .at(place.path.join(file).display().to_string())
                .todo("take this file from another copy of the archive; nothing was read"));
        }
    }
    layered(journal, archive)
}

/// The first segment of a part that the journal has not either, and that is not there or has not
/// its length.
fn lost(journal: &mut FileDisk, place: &Place) -> Result<Option<Wrong>, Failure> {
    let unreadable = |error: DiskError| {
        Failure::new("unreadable", error.to_string()).at(place.path.display().to_string())
    };
    let part = match place.read() {
        Ok(part) => Some(part),
        // Its name still says which segments it has.
        Err(failure) if failure.kind == "damaged" => None,
        Err(failure) => return Err(failure),
    };
    let mut disk = opened(&place.path)?;
    for number in place.segments.first..=place.segments.last {
        let file = format!("{number:010}.seg");
        if journal.len(&file).map_err(unreadable)?.is_some() {
            continue;
        }
        let listed = part.iter().flat_map(Part::segments).find(|listed| listed.file() == file);
        let listed = listed.map(|listed| listed.content().0);
        let what = match (disk.len(&file).map_err(unreadable)?, listed) {
            (None, _) => format!("{file} is not there"),
            (Some(bytes), Some(of)) if bytes != of => {
                format!("{file} has {bytes} bytes and should have {of}")
            }
            (Some(_), _) => continue,
        };
        return Ok(Some((file, what)));
    }
    Ok(None)
}

/// The journal and an archive's parts as one directory, whatever they lack.
pub(in crate::ledger) fn layered(
    journal: FileDisk,
    archive: &Path,
) -> Result<Layered<FileDisk>, Failure> {
    let mut layers = vec![journal];
    let parts = found(archive)?;
    whose::check(&mut layers[0], &parts, archive)?;
    for part in parts {
        // What is wrong with its manifest is `verify`'s to say; a later release's is no part.
        part.read().map(drop).or_else(|failure| match failure.kind {
            "damaged" => Ok(()),
            _ => Err(failure),
        })?;
        layers.push(opened(&part.path)?);
    }
    Ok(Layered(layers))
}

fn found(archive: &Path) -> Result<Vec<Place>, Failure> {
    let place = archive.display().to_string();
    let none = |what: &str| {
        Failure::new("no_archive", what)
            .at(place.clone())
            .todo("name a directory that `bongsu ledger archive` has made")
    };
    if !archive.is_dir() {
        return Err(none("there is no such directory"));
    }
    match places(archive)? {
        parts if parts.is_empty() => Err(none("there is no archive in it")),
        parts => Ok(parts),
    }
}

/// What is reckoned of an archive while its records are read.
pub(in crate::ledger) struct Proof {
    parts: Vec<Rebuilt>,
    report: Vec<DamageView>,
    files: u64,
    /// The journal's anchor, if it is lost.
    anchor: Option<DamageView>,
    /// Segments and anchors that the archive alone holds, and their part.
    archived: BTreeMap<String, String>,
    /// Files of which the journal has others: either may be the damaged one.
    disagree: Vec<(String, DamageView)>,
    /// The first record that the archive has or should have.
    begins: u64,
}

/// A part, and what its records say of it.
struct Rebuilt {
    part: Part,
    /// Its tables made anew.
    tables: Option<Tables<io::Sink>>,
    /// The nation's name at its end.
    nation: Option<String>,
}

impl Proof {
    /// Reads every file of an archive.
    pub(in crate::ledger) fn start(
        config: &Config,
        journal: &mut FileDisk,
        archive: &Path,
    ) -> Result<Self, Failure> {
        let mut proof = Self {
            parts: Vec::new(),
            report: Vec::new(),
            files: 0,
            anchor: None,
            archived: BTreeMap::new(),
            disagree: Vec::new(),
            begins: 1,
        };
        let mut states = BTreeMap::new();
        let places = found(archive)?;
        whose::check(journal, &places, archive)?;
        if let Some(first) = places.first() {
            proof.begins = begins(first)?;
        }
        let mut progress = Progress::new("files of the archive read");
        for place in &places {
            let part = match place.read() {
                Ok(part) => part,
                Err(failure) if failure.kind == "damaged" => {
                    proof.files += 1;
                    proof.report.push(unlisted(place, MANIFEST, failure.message));
                    let lost = lost(journal, place)?;
                    proof.report.extend(lost.map(|(file, what)| unlisted(place, &file, what)));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let files = &mut proof.files;
            let mut read = || {
                *files += 1;
                progress.at(*files);
            };
            let wrong = compare(&part, &mut opened(&part.path)?, &mut read)
                .map_err(|error| unreadable(&part, &error))?;
            proof.report.extend(wrong.into_iter().map(|(file, what)| damage(&part, &file, what)));
            proof
                .against(journal, &part, &mut states)
                .map_err(|error| unreadable(&part, &error))?;
            let (exponent, probes) = (config.currency.exponent(), part.manifest.probes.iter());
            let tables =
                Tables::new(exponent, Some(probes.cloned().collect()), &mut |_| Ok(io::sink()));
            let is_known = part.manifest.tables_version == u64::from(TABLES_VERSION);
            let tables = if is_known { Some(tables.map_err(internal)?) } else { None };
            proof.parts.push(Rebuilt { part, tables, nation: None });
        }
        proof.stands(journal).map_err(|error| {
            Failure::new("unreadable", error.to_string()).at("the hub's journal")
        })?;
        Ok(proof)
    }

    /// What journal and archive both hold, or two parts, is the same: only one of them is read.
    fn against(
        &mut self,
        journal: &mut FileDisk,
        part: &Part,
        states: &mut BTreeMap<String, Hash>,
    ) -> Result<(), DiskError> {
        for listed in &part.manifest.files {
            let file = listed.file();
            let own = match listed {
                Listed::Table { .. } => continue,
                Listed::Segment { .. } | Listed::Anchor { .. } => read_back(journal, file)?,
            };
            if own.is_some_and(|own| own != listed.content()) {
                let what = format!("{file} is not the journal's own");
                self.disagree.push((file.to_owned(), damage(part, file, what)));
            }
            if own.is_none() {
                let part = Part::name(part.manifest.segments);
                self.archived.entry(file.to_owned()).or_insert(part);
            }
            let (_, sha256) = listed.content();
            if *states.entry(file.to_owned()).or_insert(sha256) != sha256 {
                let what = format!("{file} is not that of the part before");
                self.report.push(damage(part, file, what));
            }
        }
        Ok(())
    }

    /// The journal itself has the anchor that it begins with: an archive beside it is no part of
    /// it, and without the anchor nothing but its snapshots tells what it goes on from.
    fn stands(&mut self, journal: &mut FileDisk) -> Result<(), DiskError> {
        let Some(oldest) = journal::oldest(journal)? else { return Ok(()) };
        let places = journal::places(journal)?;
        let first = places.iter().find(|place| place.segment.checked_add(1) == Some(oldest));
        let Some(first) = first.filter(|place| place.record > 0) else { return Ok(()) };
        let name = journal::anchor_name(first.record);
        // One that is there and does not hold is named by whoever reads it.
        if journal.len(&name)?.is_some() {
            return Ok(());
        }
        let segments = self.parts.iter().map(|rebuilt| rebuilt.part.manifest.segments);
        let part = segments.into_iter().find(|segments| segments.last == first.segment);
        let has = match part.map(Part::name) {
            Some(part) => format!("the archive's {part} has it"),
            None => "no part of the archive ends with it".to_owned(),
        };
        self.anchor = Some(DamageView {
            check: Check::Snapshots,
            file: name,
            from_record: first.record.saturating_add(1),
            to_record: Some(first.record),
            what: format!("the anchor that stands for older segments is not there; {has}"),
        });
        Ok(())
    }

    /// Takes the next record.
    pub(in crate::ledger) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        let number = step.number();
        let of = self.parts.iter_mut().find(|rebuilt| {
            let records = rebuilt.part.manifest.records;
            (records.first..=records.last).contains(&number)
        });
        let Some(Rebuilt { part, tables, nation }) = of else { return Ok(()) };
        if number == part.manifest.records.last {
            *nation = Some(step.nation().to_owned());
        }
        match tables {
            Some(tables) => tables.step(step).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Adds what was found to a report; what records say of a part can be judged only where all of
    /// them up to its end hold.
    pub(in crate::ledger) fn finish(mut self, report: &mut VerifyReport) -> Result<(), Failure> {
        report.checked.files = self.files;
        let read = report.first_record..report.stops_before.unwrap_or(u64::MAX);
        self.name(report);
        if self.begins < report.first_record {
            report.ok = false;
            let stops = report.stops_before.unwrap_or(u64::MAX);
            report.stops_before = Some(stops.min(self.begins));
        }
        for Rebuilt { part, tables, nation } in self.parts {
            let Span { first, last } = part.manifest.records;
            if !read.contains(&first) || !read.contains(&last) {
                continue;
            }
            let mut wrong = Vec::new();
            if nation.is_some_and(|nation| nation != part.manifest.nation) {
                wrong.push(untrue("nation"));
            }
            match tables {
                Some(tables) => wrong.extend(differing(&part, tables).map_err(internal)?),
                None => wrong.push((MANIFEST.to_owned(), unknown_version(&part))),
            }
            self.report.extend(wrong.into_iter().map(|(file, what)| damage(&part, &file, what)));
        }
        for damage in self.report {
            report.add(damage);
        }
        if let Some(anchor) = self.anchor {
            report.add_file(anchor, Flaw::AnchorLost);
        }
        Ok(())
    }
}

impl Proof {
    /// Tells apart whose files are wrong, for who reads journal and archive knows no directories.
    fn name(&mut self, report: &mut VerifyReport) {
        for (file, damage) in std::mem::take(&mut self.disagree) {
            let is_journals = report.damage.iter().any(|known| known.file == file);
            let is_named = self.report.iter().any(|known| known.file == damage.file);
            if !is_journals && !is_named {
                self.report.push(damage);
            }
        }
        let mut is_archived = true;
        for damage in &mut report.damage {
            let Some(part) = self.archived.get(&damage.file) else {
                is_archived = false;
                continue;
            };
            damage.what = damage.what.replace(&damage.file, &format!("{part}/{}", damage.file));
            damage.file = format!("{part}/{}", damage.file);
        }
        // An anchor that is not what was archived says nothing more by not holding.
        let named: Vec<&str> = self.report.iter().map(|damage| damage.file.as_str()).collect();
        report.damage.retain(|damage| {
            damage.check != Check::Snapshots || !named.contains(&damage.file.as_str())
        });
        // What is advised of a journal is wrong advice where all that is damaged is archived.
        if is_archived && !named.is_empty() {
            report.remedies.clear();
        }
    }
}

/// The record that a part begins with: what it says in its files goes before its manifest.
fn begins(place: &Place) -> Result<u64, Failure> {
    let first = place.segments.first;
    if first == 1 {
        return Ok(1);
    }
    let unreadable = |error: DiskError| {
        Failure::new("unreadable", error.to_string()).at(place.path.display().to_string())
    };
    let mut disk = opened(&place.path)?;
    let mut known = journal::places(&mut disk).map_err(unreadable)?;
    known.extend(journal::stands(&mut disk).map_err(unreadable)?);
    let before = known.iter().find(|before| before.segment.checked_add(1) == Some(first));
    Ok(match (before, place.read()) {
        (Some(before), _) => before.record.saturating_add(1),
        (None, Ok(part)) => part.manifest.records.first,
        // Nobody says.
        (None, Err(_)) => 1,
    })
}

/// Tables, and what is said of them, that their records do not say.
fn differing(part: &Part, tables: Tables<io::Sink>) -> io::Result<Vec<Wrong>> {
    let mut wrong = Vec::new();
    let (tables, probes) = tables.finish()?;
    if !probes.iter().eq(&part.manifest.probes) {
        wrong.push(untrue("probes"));
    }
    for table in tables {
        let listed = part.manifest.files.iter().find(|listed| listed.file() == table.file);
        let what = match listed {
            Some(listed) if listed.content() != (table.bytes, table.sha256) => {
                "is not what its records say"
            }
            Some(Listed::Table { rows, .. }) if *rows == table.rows => continue,
            Some(_) | None => "has other rows than the manifest says",
        };
        wrong.push((table.file.clone(), format!("{} {what}", table.file)));
    }
    Ok(wrong)
}

fn unknown_version(part: &Part) -> String {
    let found = part.manifest.tables_version;
    format!(
        "tables_version is {found}, and no release made such tables: they can't be proved (this \
         program makes {TABLES_VERSION})"
    )
}

fn damage(part: &Part, file: &str, what: String) -> DamageView {
    DamageView {
        check: Check::Archive,
        file: format!("{}/{file}", Part::name(part.manifest.segments)),
        from_record: part.manifest.records.first,
        to_record: Some(part.manifest.records.last),
        what,
    }
}

/// Of a part without a manifest that holds: which records it has nobody says.
fn unlisted(place: &Place, file: &str, what: String) -> DamageView {
    let file = format!("{}/{file}", Part::name(place.segments));
    DamageView { check: Check::Archive, file, from_record: 1, to_record: None, what }
}

fn unreadable(part: &Part, error: &DiskError) -> Failure {
    Failure::new("unreadable", error.to_string()).at(part.path.display().to_string())
}

/// What is written into nothing can't fail.
fn internal(error: io::Error) -> Failure {
    Failure::new("internal", error.to_string())
}
