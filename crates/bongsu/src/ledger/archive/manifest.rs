//! What a part of an archive says of itself (`docs/formats/archive.md`), and nothing else: what is
//! unknown, missing, doubled or in another form is refused. What it says is believed only as far as
//! it is compared ([`super::compare`]).

use std::path::{Path, PathBuf};

use journal::{Hash, NodeId};
use scheme::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Failure;
use crate::input;

/// Its file.
pub(super) const MANIFEST: &str = "manifest.json";
/// The version of the manifest, which is the archive's.
pub(super) const FORMAT: u64 = 1;
/// Whose journal is put away.
pub(super) const NODE: &str = "hub";
/// Names of a program and its version, and of nations, are not longer, bytes.
const TEXT_MAX: usize = 200;

/// A range of numbers, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    fn holds(self) -> bool {
        (1..=self.last).contains(&self.first)
    }
}

/// A SHA-256, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Sum(pub(super) Hash);

impl TryFrom<String> for Sum {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = input::from_hex(text.as_bytes()).ok();
        let sum = bytes.and_then(|bytes| bytes.try_into().ok()).map(|bytes| Self(Hash(bytes)));
        sum.filter(|sum| sum.0.to_string() == text)
            .ok_or_else(|| "a SHA-256 is 64 lower-case hexadecimal digits".to_owned())
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        sum.0.to_string()
    }
}

/// A file of a part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Listed {
    /// A segment.
    Segment {
        file: String,
        bytes: u64,
        sha256: Sum,
        records: Span,
        frames: Span,
        last_frame_sha256: Sum,
    },
    /// The state after a record.
    Anchor { file: String, bytes: u64, sha256: Sum, record: u64 },
    /// A table in one of its forms.
    Table { file: String, bytes: u64, sha256: Sum, table: String, rows: u64 },
}

impl Listed {
    pub(super) fn file(&self) -> &str {
        match self {
            Self::Segment { file, .. } | Self::Anchor { file, .. } | Self::Table { file, .. } => {
                file
            }
        }
    }

    /// Its length, and what its bytes hash to.
    pub(super) fn content(&self) -> (u64, Hash) {
        match self {
            Self::Segment { bytes, sha256, .. }
            | Self::Anchor { bytes, sha256, .. }
            | Self::Table { bytes, sha256, .. } => (*bytes, sha256.0),
        }
    }

    pub(super) fn is_segment(&self) -> bool {
        matches!(self, Self::Segment { .. })
    }

    fn is_anchor(&self) -> bool {
        matches!(self, Self::Anchor { .. })
    }
}

/// What `manifest.json` holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u64,
    pub(super) made_by: String,
    pub(super) made_at: String,
    pub(super) nation: String,
    pub(super) node: String,
    pub(super) segments: Span,
    pub(super) records: Span,
    pub(super) frames: Span,
    /// Of the frame before its first.
    pub(super) previous_frame_sha256: Sum,
    /// Of its last frame.
    pub(super) last_frame_sha256: Sum,
    /// When its first segment was taken into use.
    pub(super) from: String,
    /// When the one behind its last was.
    pub(super) until: String,
    pub(super) tables_version: u64,
    /// Terminals of its synthetic payments, in their order.
    pub(super) probes: Vec<String>,
    pub(super) files: Vec<Listed>,
}

/// The tables of a part, in their order.
pub(super) const TABLES: [(&str, &str); 4] = [
    ("transfers", "transfers.csv"),
    ("transfers", "transfers.parquet"),
    ("payments", "payments.csv"),
    ("payments", "payments.parquet"),
];

impl Manifest {
    /// The part of a manifest that is not of its form.
    fn malformed(&self, segments: Span) -> Option<&'static str> {
        let is_text = |text: &str| {
            (1..=TEXT_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        [
            (self.format == FORMAT, "format"),
            (is_text(&self.made_by) && self.made_by.starts_with("bongsu "), "made_by"),
            (is_time(&self.made_at), "made_at"),
            (is_text(&self.nation), "nation"),
            (self.node == NODE, "node"),
            (self.segments.holds() && self.segments == segments, "segments"),
            (self.records.holds(), "records"),
            (self.frames.holds(), "frames"),
            (is_time(&self.from), "from"),
            (is_time(&self.until), "until"),
            (self.tables_version > 0, "tables_version"),
            (self.probes.iter().all(|till| is_text(till) && till.contains('/')), "probes"),
            (self.probes.is_sorted_by(|one, next| one < next), "probes"),
            (self.lists_what_it_must(), "files"),
        ]
        .into_iter()
        .find_map(|(holds, name)| (!holds).then_some(name))
    }

    /// Each file once, in the order in which they are written.
    fn lists_what_it_must(&self) -> bool {
        let Span { first, last } = self.segments;
        let Some(segments) = last.checked_sub(first).and_then(|more| more.checked_add(1)) else {
            return false;
        };
        let anchors = 1 + usize::from(first > 1);
        let files = self.files.len();
        if files as u64 != segments.saturating_add((anchors + TABLES.len()) as u64) {
            return false;
        }
        let (head, tables) = self.files.split_at(files - TABLES.len());
        let (own, states) = head.split_at(head.len() - anchors);
        let records = [self.records.first.saturating_sub(1), self.records.last];
        (first..=last).zip(own).all(|(number, listed)| {
            listed.is_segment() && listed.file() == format!("{number:010}.seg")
        }) && records[2 - anchors..].iter().zip(states).all(|(record, listed)| {
            listed.is_anchor() && listed.file() == journal::anchor_name(*record)
        }) && TABLES.iter().zip(tables).all(|((name, file), listed)| match listed {
            Listed::Table { table, .. } => table == name && listed.file() == *file,
            Listed::Segment { .. } | Listed::Anchor { .. } => false,
        })
    }
}

/// RFC 3339 as we write it.
fn is_time(text: &str) -> bool {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let nanoseconds = parsed.and_then(|at| u64::try_from(at.as_nanosecond()).ok());
    nanoseconds.is_some_and(|at| Timestamp(at).to_string() == text)
}

/// A part of an archive: sealed segments that follow each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

impl Part {
    /// The directory of these segments.
    pub(super) fn name(segments: Span) -> String {
        format!("{:010}-{:010}", segments.first, segments.last)
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &Listed> {
        self.manifest.files.iter().filter(|listed| listed.is_segment())
    }
}

/// A directory that is a part by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) segments: Span,
}

impl Place {
    /// Reads its manifest: `damaged` where that does not hold.
    pub(super) fn read(&self) -> Result<Part, Failure> {
        let file = self.path.join(MANIFEST);
        let place = file.display().to_string();
        if !file.exists() {
            return Err(wrong(&place, "is not there"));
        }
        let manifest = parse(&input::text_file(&file)?, self.segments, &place)?;
        Ok(Part { path: self.path.clone(), manifest })
    }
}

fn wrong(place: &str, what: &str) -> Failure {
    Failure::no("damaged", format!("the manifest {what}"))
        .at(place)
        .todo("take this part of the archive from a copy of it")
}

/// Reads the manifest of a part of these segments.
fn parse(text: &str, segments: Span, place: &str) -> Result<Manifest, Failure> {
    let no_json = |error: serde_json::Error| wrong(place, &format!("is not one: {error}"));
    // A later form has other keys, and is told by its number alone.
    let value: Value = serde_json::from_str(text).map_err(no_json)?;
    newer("format", value["format"].as_u64(), FORMAT, place)?;
    let tables = u64::from(host::table::TABLES_VERSION);
    newer("tables_version", value["tables_version"].as_u64(), tables, place)?;
    let manifest: Manifest = serde_json::from_str(text).map_err(no_json)?;
    match manifest.malformed(segments) {
        Some(key) => Err(wrong(place, &format!("is not one: {key} is not what it can be"))),
        None => Ok(manifest),
    }
}

fn newer(key: &str, found: Option<u64>, known: u64, place: &str) -> Result<(), Failure> {
    match found {
        Some(found) if found > known => {
            let what = format!("this archive has {key} {found}, this program reads {known}");
            Err(Failure::new("newer", what).at(place).todo("use a newer release"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The parts of an archive by their names, in order. A directory that a killed run left half made
/// is none.
pub(super) fn places(dir: &Path) -> Result<Vec<Place>, Failure> {
    let place = dir.display().to_string();
    let unreadable = |error: std::io::Error| Failure::unreadable(place.clone(), &error);
    let mut places = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if let Some(segments) = named(&entry.file_name().to_string_lossy()) {
            places.push(Place { path: entry.path(), segments });
        }
    }
    places.sort_by_key(|place| (place.segments.first, place.segments.last));
    Ok(places)
}

/// The segments that a directory's name names.
fn named(name: &str) -> Option<Span> {
    let (first, last) = name.split_once('-')?;
    let span = Span { first: first.parse().ok()?, last: last.parse().ok()? };
    (span.holds() && Part::name(span) == name).then_some(span)
}

/// The parts of an archive, in order, with what they say.
pub(super) fn parts(dir: &Path) -> Result<Vec<Part>, Failure> {
    places(dir)?.iter().map(Place::read).collect()
}

/// The journal's owner, as its files name it.
pub(super) fn node() -> NodeId {
    NodeId::from_name(NODE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one() -> Value {
        let sum = "0123456789abcdef".repeat(4);
        let file = |name: &str, kind: &str, more: Value| {
            let mut file = json!({"kind": kind, "file": name, "bytes": 4096, "sha256": sum});
            for (key, value) in more.as_object().unwrap() {
                file[key] = value.clone();
            }
            file
        };
        let segment = |name: &str, first: u64, last: u64| {
            let span = json!({"first": first, "last": last});
            let more = json!({"records": span, "frames": span, "last_frame_sha256": sum});
            file(name, "segment", more)
        };
        let table =
            |(table, name): (&str, &str)| file(name, "table", json!({"table": table, "rows": 7}));
        let mut files = vec![
            segment("0000000003.seg", 10, 19),
            segment("0000000004.seg", 20, 29),
            file("anchor-00000000000000000009.anc", "anchor", json!({"record": 9})),
            file("anchor-00000000000000000029.anc", "anchor", json!({"record": 29})),
        ];
        files.extend(TABLES.map(table));
        json!({
            "format": 1, "made_by": "bongsu 0.1.0", "made_at": "2026-11-23T08:00:00.000Z",
            "nation": "Four stations", "node": "hub", "segments": {"first": 3, "last": 4},
            "records": {"first": 10, "last": 29}, "frames": {"first": 10, "last": 29},
            "previous_frame_sha256": sum, "last_frame_sha256": sum,
            "from": "2026-11-22T08:00:00.000Z", "until": "2026-11-23T07:00:00.123Z",
            "tables_version": host::table::TABLES_VERSION,
            "probes": ["100001/PYO00020"], "files": files,
        })
    }

    fn read(text: &str) -> Result<Manifest, &'static str> {
        let segments = Span { first: 3, last: 4 };
        parse(text, segments, "manifest.json").map_err(|failure| failure.kind)
    }

    /// Every object of a document, by its pointer.
    fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
        if let Some(list) = value.as_array() {
            (0..list.len()).for_each(|i| objects(&list[i], &format!("{at}/{i}"), found));
        }
        if let Some(object) = value.as_object() {
            found.push(at.to_owned());
            object.iter().for_each(|(key, value)| objects(value, &format!("{at}/{key}"), found));
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = read(&one().to_string()).unwrap();
        let text = serde_json::to_string_pretty(&manifest).unwrap();
        assert_eq!(read(&text), Ok(manifest));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), one());
    }

    /// In every object: a key too many, a key twice, a key too few, a key of another kind.
    #[test]
    fn nothing_but_a_manifest_is_one() {
        let mut found = Vec::new();
        objects(&one(), "", &mut found);
        assert_eq!(found.len(), 1 + 3 + 8 + 4);
        for at in found {
            let mut more = one();
            more.pointer_mut(&at).unwrap()["comment"] = json!(1);
            assert_eq!(read(&more.to_string()), Err("damaged"), "{at} comment");
            let object = one().pointer(&at).unwrap().as_object().unwrap().clone();
            for key in object.keys() {
                let mut less = one();
                less.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(key);
                assert_eq!(read(&less.to_string()), Err("damaged"), "{at} without {key}");
                let mut other = one();
                other.pointer_mut(&at).unwrap()[key] = Value::Null;
                assert_eq!(read(&other.to_string()), Err("damaged"), "{at} {key} null");
                let mut twice = one();
                twice.pointer_mut(&at).unwrap()["twice"] = object[key].clone();
                let twice = twice.to_string().replace("\"twice\":", &format!("\"{key}\":"));
                assert_eq!(read(&twice), Err("damaged"), "{at} {key} twice");
            }
        }
    }

    #[test]
    fn what_a_key_cannot_be_is_refused() {
        let long = format!("bongsu {}", "1".repeat(TEXT_MAX));
        let sum = "0123456789abcdef".repeat(4);
        for (at, value) in [
            ("/format", json!(0)),
            ("/format", json!("1")),
            ("/made_by", json!("somebody")),
            ("/made_by", json!(long)),
            ("/made_at", json!("2026-11-23")),
            ("/made_at", json!("2026-11-23T08:00:00.000000Z")),
            ("/from", json!("2026-11-22T17:00:00.000+09:00")),
            ("/until", json!("")),
            ("/nation", json!("")),
            ("/nation", json!("Four\nstations")),
            ("/node", json!("pyongyang")),
            ("/tables_version", json!(0)),
            ("/probes/0", json!("PYO00020")),
            ("/probes", json!("100001/PYO00020")),
            ("/probes", json!(["100001/PYO00020", "100001/PYO00020"])),
            ("/segments/last", json!(5)),
            ("/segments/first", json!(0)),
            ("/segments/first", json!(-3)),
            ("/records/first", json!(0)),
            ("/records/first", json!(30)),
            ("/frames/last", json!(1e300)),
            ("/frames/last", json!(29.0)),
            ("/last_frame_sha256", json!(format!("{sum}0"))),
            ("/last_frame_sha256", json!(sum[1..])),
            ("/last_frame_sha256", json!(sum.to_uppercase())),
            ("/previous_frame_sha256", json!(format!(" {sum}"))),
            ("/previous_frame_sha256", json!(format!("{}g", &sum[1..]))),
            ("/files/0/sha256", json!(format!("{sum}{sum}"))),
            ("/files/0/file", json!("0000000004.seg")),
            ("/files/0/file", json!("../0000000003.seg")),
            ("/files/2/file", json!("anchor-00000000000000000010.anc")),
            ("/files/0/kind", json!("anchor")),
            ("/files/4/table", json!("payments")),
            ("/files", json!([])),
            ("", json!([])),
        ] {
            let mut other = one();
            *other.pointer_mut(at).unwrap() = value.clone();
            assert_eq!(read(&other.to_string()), Err("damaged"), "{at} {value}");
        }
        let mut fewer = one();
        fewer["files"].as_array_mut().unwrap().remove(2);
        assert_eq!(read(&fewer.to_string()), Err("damaged"));
        let mut again = one();
        let file = again["files"][7].clone();
        again["files"].as_array_mut().unwrap().push(file);
        assert_eq!(read(&again.to_string()), Err("damaged"));
        assert_eq!(read(&format!("{} x", one())), Err("damaged"));
    }

    /// What a later release wrote is told as that, whatever keys it has.
    #[test]
    fn a_later_manifest_is_named() {
        for key in ["format", "tables_version"] {
            let mut later = one();
            later[key] = json!(later[key].as_u64().unwrap() + 1);
            later["more"] = json!(true);
            assert_eq!(read(&later.to_string()), Err("newer"));
        }
    }

    #[test]
    fn a_part_is_named_after_its_segments() {
        let span = Span { first: 3, last: 4 };
        assert_eq!(named(&Part::name(span)), Some(span));
        for name in [
            "3-4",
            "0000000004-0000000003",
            ".0000000003-0000000004.7.tmp",
            "+000000003-0000000004",
            "0000000000-0000000004",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
