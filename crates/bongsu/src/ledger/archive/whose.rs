//! Whether an archive is of this journal: its parts follow each other and lead to the journal, and
//! where two of them know the same place they say the same of it.

use std::collections::BTreeMap;
use std::path::Path;

use node::disk::FileDisk;

use super::manifest::{Part, Place};
use super::proof::opened;
use crate::error::Failure;

/// Refuses what is no one row of segments with the journal. Reads headers alone.
pub(super) fn check(
    journal: &mut FileDisk,
    parts: &[Place],
    archive: &Path,
) -> Result<(), Failure> {
    let wrong = |what: String| {
        Failure::no("other_archive", what)
            .at(archive.display().to_string())
            .todo("name the directory that this journal's earlier segments are in, all of them")
    };
    let unreadable = |error: journal::DiskError| Failure::new("unreadable", error.to_string());
    for (part, next) in parts.iter().zip(parts.iter().skip(1)) {
        let (last, first) = (part.segments.last, next.segments.first);
        if last.checked_add(1) != Some(first) {
            let what = if last >= first { "overlap" } else { "have a gap between them" };
            let [part, next] = [part, next].map(|place| Part::name(place.segments));
            return Err(wrong(format!("the archive's parts {part} and {next} {what}")));
        }
    }
    let oldest = journal::oldest(journal).map_err(unreadable)?;
    let last = parts.last().map(|place| place.segments.last);
    if let (Some(oldest), Some(last)) = (oldest, last)
        && last < oldest - 1
    {
        return Err(wrong(format!(
            "the journal does not go on from this archive's end: it begins with segment {oldest}, \
             the archive ends with {last}"
        )));
    }
    let mut known = BTreeMap::new();
    note(&mut known, journal::places(journal).map_err(unreadable)?);
    for part in parts.iter().rev() {
        let mut disk = opened(&part.path)?;
        let mut own = journal::places(&mut disk).map_err(unreadable)?;
        own.extend(journal::stands(&mut disk).map_err(unreadable)?);
        let common: Vec<(u64, bool)> = own
            .iter()
            .filter_map(|place| Some((place.segment, known.get(&place.segment)? == place)))
            .collect();
        // One place that is the same tells whose it is: what else differs is damage.
        if let (Some((segment, _)), false) = (common.first(), common.iter().any(|(_, same)| *same))
        {
            return Err(wrong(format!(
                "this archive is not of this journal: behind segment {segment} the part {} goes \
                 on with another frame",
                Part::name(part.segments)
            )));
        }
        note(&mut known, own);
    }
    Ok(())
}

fn note(known: &mut BTreeMap<u64, journal::Place>, places: Vec<journal::Place>) {
    for place in places {
        known.entry(place.segment).or_insert(place);
    }
}
