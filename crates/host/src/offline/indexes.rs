//! Indexes beside sealed segments against what their segments make, byte for byte.
//!
//! A missing one is no damage, nor one of another version: it says nothing that its segment does
//! not, and the hub makes it again. Where the chain names the segment, lost or not believed,
//! nothing is said here: its index may be all that is left of it.

use journal::index::{self, IndexError};
use journal::{Disk, DiskError, DiskErrorKind};
use switch::history::KEYS_VERSION;

use super::check::Check;
use super::{DamageView, VerifyReport};
use crate::config::Config;
use crate::history::HubKeys;

/// Looks at every index there is, and adds what is wrong to a report of the same journal. Beside a
/// running hub too: an index that it takes away or makes again meanwhile is not judged by halves.
pub fn check_indexes<D: Disk>(
    config: &Config,
    disk: &mut D,
    report: &mut VerifyReport,
) -> Result<(), DiskError> {
    let keys = HubKeys::new(config);
    let names = disk.list()?;
    for number in index::list(disk)? {
        report.checked.indexes = report.checked.indexes.saturating_add(1);
        if is_named(report, number, &names) {
            continue;
        }
        if wrong(disk, number, &keys)?.is_none() {
            continue;
        }
        // Once more, for one that was being replaced.
        let Some(what) = wrong(disk, number, &keys)? else { continue };
        let (from_record, to_record) = records(disk, number, report.first_record)?;
        let file = index::index_name(number);
        let remedy = "delete it while the hub stands still, and the hub makes it again";
        report.add(DamageView {
            check: Check::Indexes,
            what: format!("{file} {what}; {remedy}"),
            file,
            from_record,
            to_record,
        });
    }
    Ok(())
}

/// Whether the segment of an index is damaged: by itself, or as one of several that are missing, of
/// which only the first is named.
fn is_named(report: &VerifyReport, number: u64, names: &[String]) -> bool {
    let chain = report.damage.iter().filter(|damage| damage.check == Check::Chain);
    let own = segment_name(number);
    chain.filter(|damage| damage.file.ends_with(".seg") && damage.file <= own).any(|damage| {
        damage.file == own || !names.iter().any(|name| is_between(name, &damage.file, &own))
    })
}

/// Ten digits each: their order is that of the numbers.
fn is_between(name: &str, first: &str, last: &str) -> bool {
    name.ends_with(".seg") && (first..=last).contains(&name)
}

fn segment_name(number: u64) -> String {
    format!("{number:010}.seg")
}

fn wrong<D: Disk>(
    disk: &mut D,
    number: u64,
    keys: &HubKeys,
) -> Result<Option<&'static str>, DiskError> {
    let what = match index::check(disk, number, keys) {
        Ok(true) => return Ok(None),
        Ok(false) => "is not what its segment makes",
        Err(IndexError::Disk(error)) if error.kind == DiskErrorKind::NotFound => {
            "has no segment any more"
        }
        // Its segment: indexes are only compared here.
        Err(IndexError::Damaged { .. }) => return Ok(None),
        Err(IndexError::Disk(error)) => return Err(error),
    };
    let is_there = disk.len(&index::index_name(number))?.is_some();
    let is_judged = is_there && !index::is_other(disk, number, KEYS_VERSION)?;
    Ok(is_judged.then_some(what))
}

/// The records of a segment, as far as its neighbours tell.
fn records<D: Disk>(
    disk: &mut D,
    number: u64,
    first: u64,
) -> Result<(u64, Option<u64>), DiskError> {
    let sealed = match index::sealed(disk) {
        Ok(sealed) => sealed,
        // A neighbour, or itself: the chain names that.
        Err(IndexError::Damaged { .. }) => Vec::new(),
        Err(IndexError::Disk(error)) => return Err(error),
    };
    let before = sealed.iter().rev().find(|one| one.number < number);
    let own = sealed.iter().find(|one| one.number == number);
    let from = before.map_or(first.max(1), |one| one.last_record.saturating_add(1));
    Ok((from, own.map(|one| one.last_record)))
}
