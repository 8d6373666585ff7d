//! A part of an archive against what its manifest says: every file, and every number that its
//! segments and anchors say themselves. What records say (tables, the nation's name) is compared
//! while they are read ([`super::proof`]).

use journal::{Disk, DiskError, Hash};
use node::disk::FileDisk;
use scheme::Timestamp;

use super::manifest::{self, Listed, MANIFEST, Manifest, Part, Span, Sum};

/// Something that is wrong: the file, and what.
pub(super) type Wrong = (String, String);

/// The length and SHA-256 of a file; `None` if it is not there.
pub(super) fn read_back(disk: &mut FileDisk, file: &str) -> Result<Option<(u64, Hash)>, DiskError> {
    let Some(bytes) = disk.len(file)? else { return Ok(None) };
    Ok(journal::file_hash(disk, file)?.map(|hash| (bytes, hash)))
}

/// Everything that is wrong with a part. `read` is told each file that was read.
pub(super) fn compare(
    part: &Part,
    disk: &mut FileDisk,
    read: &mut dyn FnMut(),
) -> Result<Vec<Wrong>, DiskError> {
    let mut wrong = Vec::new();
    for listed in &part.manifest.files {
        wrong.extend(differs(disk, listed).map(|what| (listed.file().to_owned(), what)));
        read();
    }
    let mut names = disk.list()?;
    names.sort_unstable();
    let is_listed = |name: &str| part.manifest.files.iter().any(|listed| listed.file() == name);
    let unknown = |name: &String| !name.starts_with('.') && name != MANIFEST && !is_listed(name);
    let names = names.into_iter().filter(unknown);
    wrong.extend(names.map(|name| (name, "the manifest does not list it".to_owned())));
    let anew = Anew::read(disk)?.compare(&part.manifest);
    // One that is not what was archived is named once, and what it alone could tell of another is
    // not that one's fault.
    let is_changed = |file: &str| wrong.iter().any(|(name, _)| name == file);
    let told: Vec<Wrong> = anew
        .into_iter()
        .filter(|(file, what)| {
            let is_blind = what == UNREAD && is_changed(&behind(&part.manifest, file));
            !is_changed(file) && !is_blind
        })
        .collect();
    wrong.extend(told);
    Ok(wrong)
}

/// Of a segment whose places nothing tells.
const UNREAD: &str = "where it begins or ends can't be read";

/// The file of a part that tells where a segment ends: the next one, or the anchor.
fn behind(manifest: &Manifest, segment: &str) -> String {
    let mut files = manifest.files.iter().filter(|listed| listed.is_segment());
    let next = files.by_ref().skip_while(|listed| listed.file() != segment).nth(1);
    next.map_or_else(
        || journal::anchor_name(manifest.records.last),
        |listed| listed.file().to_owned(),
    )
}

/// What is wrong with a file.
fn differs(disk: &mut FileDisk, listed: &Listed) -> Option<String> {
    let file = listed.file();
    match read_back(disk, file) {
        Err(error) => Some(error.to_string()),
        Ok(None) => Some(format!("{file} is not there")),
        Ok(Some(found)) if found != listed.content() => {
            Some(format!("{file} is not what was archived (SHA-256)"))
        }
        Ok(Some(_)) => None,
    }
}

/// Where segments begin, and where anchors stand, as they say themselves.
struct Anew {
    segments: Vec<journal::Place>,
    anchors: Vec<journal::Place>,
}

impl Anew {
    fn read(disk: &mut FileDisk) -> Result<Self, DiskError> {
        Ok(Self { segments: journal::places(disk)?, anchors: journal::stands(disk)? })
    }

    /// The place before a segment.
    fn before(&self, segment: u64) -> Option<&journal::Place> {
        self.segments.iter().find(|place| place.segment.checked_add(1) == Some(segment))
    }

    /// The place behind a segment, as the next one or the anchor there says.
    fn behind(&self, segment: u64) -> Option<&journal::Place> {
        let next = segment.checked_add(1).and_then(|next| self.before(next));
        next.or_else(|| self.anchors.iter().find(|place| place.segment == segment))
    }

    fn compare(&self, manifest: &Manifest) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for listed in &manifest.files {
            if let Some(what) = self.listed(manifest, listed) {
                wrong.push((listed.file().to_owned(), what.to_owned()));
            }
        }
        let Span { first, last } = manifest.segments;
        let (Some(from), Some(until)) = (self.before(first), self.behind(last)) else {
            return wrong;
        };
        let said = [
            ("records", manifest.records == between(from.record, until.record)),
            ("frames", manifest.frames == between(from.frame, until.frame)),
            ("previous_frame_sha256", manifest.previous_frame_sha256 == Sum(from.hash)),
            ("last_frame_sha256", manifest.last_frame_sha256 == Sum(until.hash)),
            ("from", manifest.from == Timestamp(from.time_ns).to_string()),
            ("until", manifest.until == Timestamp(until.time_ns).to_string()),
            ("node", [from, until].iter().all(|place| place.node == manifest::node())),
        ];
        let lies = said.into_iter().filter(|(_, holds)| !holds);
        wrong.extend(lies.map(|(key, _)| untrue(key)));
        wrong
    }

    /// What a segment or an anchor says otherwise than the manifest of it, or does not say at all.
    fn listed(&self, manifest: &Manifest, listed: &Listed) -> Option<&'static str> {
        match listed {
            Listed::Table { .. } => None,
            Listed::Anchor { record, file, .. } => {
                let is_base = *record < manifest.records.first;
                let anchor = self.anchors.iter().find(|place| place.record == *record);
                let place = match is_base {
                    true => self.before(manifest.segments.first),
                    // The segment behind it is in the next part, or in the journal.
                    false => anchor.filter(|place| place.segment == manifest.segments.last),
                };
                if anchor.is_none() || anchor != place {
                    return Some("it does not hold, or does not stand where the manifest says");
                }
                (*file != journal::anchor_name(*record))
                    .then_some("the manifest says another record of it than its name")
            }
            Listed::Segment { file, records, frames, last_frame_sha256, .. } => {
                let number = file.strip_suffix(".seg").and_then(|digits| digits.parse().ok())?;
                let (Some(from), Some(until)) = (self.before(number), self.behind(number)) else {
                    return Some(UNREAD);
                };
                let is_said = *records == between(from.record, until.record)
                    && *frames == between(from.frame, until.frame)
                    && *last_frame_sha256 == Sum(until.hash);
                (!is_said).then_some("the manifest says other records or frames of it than it has")
            }
        }
    }
}

/// What lies between two places.
fn between(from: u64, until: u64) -> Span {
    Span { first: from.saturating_add(1), last: until }
}

/// A key of the manifest that says something else than what was read.
pub(super) fn untrue(key: &str) -> Wrong {
    (MANIFEST.to_owned(), format!("{key} is not what the part itself says"))
}
