//! `bongsu ledger verify`: everything recomputed from the journal alone.

use std::path::{Path, PathBuf};

use clap::Args;
use host::offline::{Check, DamageView, Step, VerifyReport, check_indexes};
use journal::Disk;
use node::RoleName;
use serde_json::{Map, Value, json};

use super::archive::{Proof, layered};
use super::look::{Look, steadily};
use super::{damage, disk, read, read_disk};
use crate::error::{Exit, Failure};
use crate::nation::Place;
use crate::output::{self, Format, FormatArg, Paint, Progress};

/// Recompute every balance from the journal, and check every invariant
///
/// Chain (checksums, hashes, segments, head), records, conservation of money by two reckonings,
/// limits at every transfer, pairing of holds with their ends, what each payment has come to,
/// snapshots against what the records make, and indexes against their segments. Beside a running
/// hub it reads what the hub has published as durable. Ends with 1 if anything is wrong, and names
/// check, file and record.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu ledger verify --dir /tmp/nation")]
pub(super) struct Verify {
    /// Where older segments were put away: archive and journal are proved as one chain, and the
    /// archive's tables from its records
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: FormatArg,
}

impl Verify {
    pub(super) fn format(&self) -> Format {
        self.format.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let layout = self.place.layout();
        let journal = disk(&layout, &layout.journal(&RoleName::Hub))?;
        let report = match &self.archive {
            Some(archive) => {
                let report = steadily(|| self.with_archive(archive))?;
                self.with_indexes(report, layered(journal, archive)?)
            }
            None => {
                let read = || read(&self.place, &Look::at(&self.place)?);
                self.with_indexes(steadily(read)?.report().clone(), journal)
            }
        };
        let report = &report?;
        match self.format.format {
            Format::Json => output::json(&verdict(report))?,
            Format::Text => output::text(&page(report))?,
        }
        Ok(if report.ok { Exit::Fine } else { Exit::No })
    }
}

impl Verify {
    fn with_archive(&self, archive: &Path) -> Result<VerifyReport, Failure> {
        let config = self.place.config()?;
        let look = Look::at(&self.place)?;
        let layout = self.place.layout();
        let mut journal = disk(&layout, &layout.journal(&RoleName::Hub))?;
        let mut proof = Proof::start(&config, &mut journal, archive)?;
        let mut progress = Progress::new("records read");
        let visit = &mut |step: &Step<'_>| {
            progress.at(step.number());
            proof.step(step)
        };
        let offline = read_disk(&self.place, &config, &look, layered(journal, archive)?, visit)?;
        let mut report = offline.report().clone();
        proof.finish(&mut report)?;
        Ok(report)
    }
}

impl Verify {
    fn with_indexes(
        &self,
        mut report: VerifyReport,
        mut disk: impl Disk,
    ) -> Result<VerifyReport, Failure> {
        let checked = check_indexes(&self.place.config()?, &mut disk, &mut report);
        checked.map_err(|error| {
            Failure::new("unreadable", error.to_string())
                .at(self.place.layout().journal(&RoleName::Hub).display().to_string())
                .todo("check the disk (`dmesg`); no file was changed")
        })?;
        Ok(report)
    }
}

/// Those that have something to look at, or have found something.
fn checks(report: &VerifyReport) -> impl Iterator<Item = (Check, usize, u64)> {
    let all = Check::ALL.into_iter().map(|check| {
        let (wrong, seen) = report.of(check);
        (check, wrong, seen)
    });
    all.filter(|(check, wrong, seen)| *wrong > 0 || *seen > 0 || *check != Check::Archive)
}

fn verdict(report: &VerifyReport) -> Value {
    let sums: Map<String, Value> =
        report.sums.iter().map(|(currency, sum)| (currency.clone(), sum.clone().into())).collect();
    let one = |(check, wrong, seen): (Check, usize, u64)| {
        let (name, of) = (check.name(), check.counted());
        json!({ "check": name, "of": of, "looked_at": seen, "wrong": wrong })
    };
    json!({
        "ok": report.ok,
        "records": report.records,
        "first_record": report.first_record,
        "transfers": report.transfers,
        "payments": report.payments,
        "sums": sums,
        "checks": checks(report).map(one).collect::<Vec<_>>(),
        "unjudged": report.checked.unjudged,
        "complete": report.is_complete(),
        "stops_before": report.stops_before,
        "damage": damage(report),
        "do": report.remedies,
    })
}

fn page(report: &VerifyReport) -> String {
    let verdict = if report.ok {
        output::paint(Paint::Good, "fine")
    } else {
        output::paint(Paint::Bad, "DAMAGED")
    };
    let VerifyReport { records, transfers, payments, first_record, .. } = report;
    let mut page =
        format!("{verdict}: {records} records read, {transfers} transfers, {payments} payments");
    // Records were read behind those that are lost, and not behind damage.
    let is_behind = |stops: &u64| stops < first_record && report.checked.records > 0;
    let unread = report.stops_before.filter(is_behind);
    if let Some(stops) = unread {
        page += &format!(
            "\nrecords {stops} to {} were not read: what tells them is lost or damaged. All that \
             is said is of record {first_record} on",
            first_record - 1
        );
    } else if *first_record > 1 {
        page += &format!("\nfrom record {first_record} on: those before it were put away");
    }
    if let (Some(first), None) = (report.stops_before, unread) {
        page +=
            &format!("\nthe books stop before record {first}: nothing from there on is in them");
    } else if report.is_complete() && !report.ok {
        page += "\nthe books are whole: every record is in them, and what is wrong is beside them";
    }
    for (currency, sum) in &report.sums {
        page += &format!("\nsum of all accounts: {sum} {currency}");
    }
    let rows: Vec<Vec<String>> = checks(report)
        .map(|(check, wrong, seen)| {
            let verdict = if wrong > 0 { "WRONG" } else { "fine" };
            let name = check.name().to_owned();
            vec![name, verdict.to_owned(), seen.to_string(), check.counted().to_owned()]
        })
        .collect();
    page += &format!("\n{}", output::columns(&rows, &[2]));
    if report.checked.unjudged > 0 {
        let unjudged = report.checked.unjudged;
        page += &format!("\n{unjudged} records are about payments that ended long before");
    }
    for damage in &report.damage {
        page += &format!("\n{}", line(damage));
    }
    for remedy in &report.remedies {
        page += &format!("\n  do: {remedy}");
    }
    page
}

fn line(damage: &DamageView) -> String {
    // The journal's own words begin with the file, and name byte and record.
    if damage.what.starts_with(&damage.file) {
        return damage.what.clone();
    }
    let to = match damage.to_record {
        Some(to) if to <= damage.from_record => String::new(),
        Some(to) => format!(" to {to}"),
        None => " on".to_owned(),
    };
    let DamageView { check, file, from_record, what, .. } = damage;
    format!("{file}: record {from_record}{to}: {}: {what}", check.name())
}
