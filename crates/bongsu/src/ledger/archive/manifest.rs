//! What a part of an archive says of itself (`docs/formats/archive.md`).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Failure;
use crate::input;

/// Its file.
pub(super) const MANIFEST: &str = "manifest.json";
/// The version of the manifest, which is the archive's.
const FORMAT: u64 = 1;

/// A range of numbers, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    fn json(self) -> Value {
        json!({ "first": self.first, "last": self.last })
    }

    fn of(value: &Value) -> Option<Self> {
        let span = Self { first: value["first"].as_u64()?, last: value["last"].as_u64()? };
        (span.first <= span.last).then_some(span)
    }
}

/// A file of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    pub(super) file: String,
    /// `segment`, `anchor` or `table`.
    pub(super) kind: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// What else is said of it.
    pub(super) more: Value,
}

/// A part of an archive: sealed segments that follow each other.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) segments: Span,
    pub(super) records: Span,
    pub(super) frames: Span,
    /// SHA-256 of the frame before its first, and of its last.
    pub(super) chain: [String; 2],
    /// When its first segment was taken into use, and when the one behind its last was.
    pub(super) time: [String; 2],
    pub(super) tables_version: u64,
    pub(super) files: Vec<Listed>,
}

impl Part {
    /// The directory of these segments.
    pub(super) fn name(segments: Span) -> String {
        format!("{:010}-{:010}", segments.first, segments.last)
    }

    /// The files of one kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Listed> {
        self.files.iter().filter(move |listed| listed.kind == kind)
    }

    pub(super) fn json(&self, nation: &str, node: &str) -> Value {
        let file = |listed: &Listed| {
            let mut one = json!({
                "file": listed.file,
                "kind": listed.kind,
                "bytes": listed.bytes,
                "sha256": listed.sha256,
            });
            for (key, value) in listed.more.as_object().into_iter().flatten() {
                one[key] = value.clone();
            }
            one
        };
        json!({
            "format": FORMAT,
            "made_by": format!("bongsu {}", env!("CARGO_PKG_VERSION")),
            "made_at": node::backup::now().to_string(),
            "nation": nation,
            "node": node,
            "segments": self.segments.json(),
            "records": self.records.json(),
            "frames": self.frames.json(),
            "previous_frame_sha256": self.chain[0],
            "last_frame_sha256": self.chain[1],
            "from": self.time[0],
            "until": self.time[1],
            "tables_version": self.tables_version,
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }

    /// Reads the manifest of a part.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.join(MANIFEST);
        let place = file.display().to_string();
        let text = input::text_file(&file)?;
        let wrong = |what: &str| {
            Failure::no("damaged", format!("the manifest {what}"))
                .at(place.clone())
                .todo("take this part of the archive from a copy of it")
        };
        let value: Value =
            serde_json::from_str(&text).map_err(|error| wrong(&format!("is no JSON: {error}")))?;
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                let what = format!("this archive has format {newer}, this program reads {FORMAT}");
                return Err(Failure::new("newer", what).at(place).todo("use a newer release"));
            }
            Some(_) | None => return Err(wrong("names no format")),
        }
        Self::of(path, &value).ok_or_else(|| wrong("is not whole"))
    }

    fn of(path: &Path, value: &Value) -> Option<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let mut files = Vec::new();
        for one in value["files"].as_array()? {
            let text = |key: &str| one[key].as_str().map(str::to_owned);
            files.push(Listed {
                file: text("file").filter(|name| is_plain(name))?,
                kind: text("kind")?,
                bytes: one["bytes"].as_u64()?,
                sha256: text("sha256")?,
                more: one.clone(),
            });
        }
        let part = Self {
            path: path.to_owned(),
            segments: Span::of(&value["segments"])?,
            records: Span::of(&value["records"])?,
            frames: Span::of(&value["frames"])?,
            chain: [text("previous_frame_sha256")?, text("last_frame_sha256")?],
            time: [text("from")?, text("until")?],
            tables_version: value["tables_version"].as_u64()?,
            files,
        };
        let is_named = path.file_name().is_some_and(|name| name == &*Self::name(part.segments));
        let count = part.segments.last - part.segments.first + 1;
        (is_named && part.of_kind("segment").count() as u64 == count).then_some(part)
    }
}

/// A file of this directory, and of no other.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

/// The parts of an archive, in order. A directory that a killed run left half made is none.
pub(super) fn parts(dir: &Path) -> Result<Vec<Part>, Failure> {
    let place = dir.display().to_string();
    let unreadable = |error: std::io::Error| Failure::unreadable(place.clone(), &error);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_part = name.len() == 21 && name.bytes().all(|b| b == b'-' || b.is_ascii_digit());
        if is_part {
            parts.push(Part::read(&entry.path())?);
        }
    }
    parts.sort_by_key(|part| part.segments.first);
    Ok(parts)
}
