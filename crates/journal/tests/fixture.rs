//! Journals written by released versions of the format stay readable, and this version writes what
//! `docs/formats/journal.md` says, byte for byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::index::{Index, Keys, KeysOf, build, check as check_index};
use journal::sim_disk::SimDisk;
use journal::{Block, Disk, Extent, HeadFound, Options, RecordView, Replay, anchor, retire};
use std::path::{Path, PathBuf};
use support::{append, check, key, options, reopen};

/// One fixture: `v1` is a journal, `v1-away` one of whose segments the first was put away behind an
/// anchor, with the index that it had.
fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn tiny() -> Options {
    Options { segment_bytes: 3072, ..options(Block::B512) }
}

fn load() -> SimDisk {
    load_from("v1")
}

fn load_from(name: &str) -> SimDisk {
    let mut disk = SimDisk::new(0);
    for entry in std::fs::read_dir(directory(name)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        disk.put(&name, std::fs::read(&path).unwrap());
    }
    disk
}

/// What the fixture was written by.
fn script() -> SimDisk {
    let mut writer = reopen(SimDisk::new(0), tiny()).unwrap().writer;
    for frame in 0..5 {
        append(&mut writer, 2).unwrap();
        writer.publish_head(1_000_000 * (frame + 1)).unwrap();
        if frame == 1 {
            writer.start_epoch(3, 2_500_000).unwrap();
        }
    }
    while writer.maintain().unwrap() == journal::Work::More {}
    writer.write_snapshot(6, 7_000_000, b"open: nothing".to_vec()).unwrap();
    writer.stop(9_000_000).unwrap()
}

/// Every record by its kind.
struct ByKind;

impl KeysOf for ByKind {
    fn version(&self) -> u16 {
        3
    }
    fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
        keys.recent(key(1, &[u64::from(record.kind)]));
        keys.span(1, record.number);
        keys.tag(u64::from(record.kind));
    }
}

/// The same journal without its first segment, whose index stays for the test.
fn script_away() -> SimDisk {
    let mut disk = script();
    build(&mut disk, 1, &ByKind).unwrap();
    let index = disk.contents("0000000001.idx").unwrap().to_vec();
    anchor(&mut disk, 1, b"the state after record 6").unwrap();
    retire(&mut disk, 1).unwrap();
    disk.put("0000000001.idx", index);
    disk
}

/// Run by hand, once per format version: `cargo test -p journal --test fixture -- --ignored`.
#[test]
#[ignore = "writes the fixtures of a format version"]
fn write_fixture() {
    for (name, disk) in [("v1", script()), ("v1-away", script_away())] {
        // A released fixture is never rewritten.
        if directory(name).exists() {
            continue;
        }
        std::fs::create_dir_all(directory(name)).unwrap();
        for file in disk.names() {
            std::fs::write(directory(name).join(&file), disk.contents(&file).unwrap()).unwrap();
        }
    }
}

/// Whoever writes a new version of any of the files adds its fixtures.
#[test]
fn every_version_has_its_fixtures() {
    let disk = script_away();
    let mut kinds = 0;
    for name in disk.names() {
        let version = |at: usize| {
            u16::from_le_bytes(disk.contents(&name).unwrap()[at..at + 2].try_into().unwrap())
        };
        let mut versions = vec![version(4)];
        if name == "0000000002.seg" {
            versions.push(version(512 + 4));
        }
        // The one made ahead was never used.
        versions.retain(|version| name != "0000000003.seg" || *version != 0);
        for version in versions {
            kinds += 1;
            for number in 1..=version {
                let whole = directory(&format!("v{number}"));
                let away = directory(&format!("v{number}-away"));
                assert!(whole.is_dir() && away.is_dir(), "{name}: version {number}");
            }
        }
    }
    assert_eq!(kinds, 6, "segment, frame, head, snapshot, anchor, index: {:?}", disk.names());
}

#[test]
fn version_1_of_anchor_and_index_is_readable_and_written_as_it_was() {
    let (old, new) = (load_from("v1-away"), script_away());
    assert_eq!(old.names(), new.names());
    for name in old.names() {
        assert!(old.contents(&name) == new.contents(&name), "{name} differs");
    }
    // Without its snapshot it begins with what stands for the first segment.
    let mut disk = old.clone();
    disk.remove("snapshot-00000000000000000006.snap").unwrap();
    let (mut base, mut records) = (None, Vec::new());
    let (_, recovery) = journal::open(&mut disk, tiny(), 0, &mut |replay| {
        match replay {
            Replay::Snapshot { record, bytes } => base = Some((record, bytes.to_vec())),
            Replay::Record(view) => records.push(view.number),
            Replay::End => {}
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(base, Some((6, b"the state after record 6".to_vec())));
    assert_eq!((records, recovery.cut), ((7..=10).collect(), None));
    // The index is that of the segment as version 1 has it.
    let mut whole = load();
    whole.put("0000000001.idx", old.contents("0000000001.idx").unwrap().to_vec());
    assert_eq!(check_index(&mut whole, 1, &ByKind), Ok(true));
    let index = Index::open(&mut whole, 1, 3).unwrap().unwrap();
    let mut places = Vec::new();
    index.find(&mut whole, key(1, &[4]), usize::MAX, &mut places).unwrap();
    let mut kinds = Vec::new();
    for place in places {
        index.frame(&mut whole, place, &mut |view| kinds.push(view.kind)).unwrap();
    }
    assert!(kinds.contains(&4), "{kinds:?}");
}

#[test]
fn version_1_is_readable() {
    let disk = load();
    let (report, last) = check(&disk, Extent::All);
    assert_eq!((report.damage, report.cut, report.stopped), (vec![], None, true));
    assert_eq!((report.records, report.frames, last), (10, 5, 10));
    let opened = reopen(disk, tiny()).unwrap();
    assert_eq!(opened.recovery.head, HeadFound::Stopped);
    assert_eq!(opened.snapshot, Some((6, b"open: nothing".to_vec())));
    assert_eq!((opened.first, opened.last), (7, 10));
    assert_eq!(opened.writer.mark().epoch, 3);
}

#[test]
fn version_1_is_written_as_it_was() {
    let (old, new) = (load(), script());
    assert_eq!(old.names(), new.names());
    for name in old.names() {
        assert!(old.contents(&name) == new.contents(&name), "{name} differs");
    }
}

/// Reads the fixture by the offsets of the format page, not by our code.
#[test]
fn version_1_is_what_the_format_page_says() {
    let disk = load();
    let segment = disk.contents("0000000002.seg").unwrap();
    let at = |from: usize, bytes: usize| {
        segment[from..from + bytes].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let crc = |from: usize, hole: usize, to: usize| {
        let sum = crc32c::crc32c(&segment[from..from + hole]);
        u64::from(crc32c::crc32c_append(sum, &segment[from + hole + 4..to]))
    };
    assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283, "RFC 3720's polynomial");
    // Segment header.
    assert_eq!(&segment[..4], b"BgSg");
    assert_eq!((at(4, 2), at(8, 4), at(16, 8), at(24, 8)), (1, 512, 2, 3072));
    assert_eq!((at(32, 8), at(40, 8), at(48, 8)), (4, 7, 3), "frame 4, record 7, epoch 3");
    assert_eq!(&segment[64..80], b"hub\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(at(124, 4), crc(0, 124, 512));
    // Its first frame, of two records in two blocks.
    assert_eq!(&segment[512..516], b"BgFr");
    assert_eq!((at(516, 2), at(520, 8), at(528, 8), at(536, 8)), (1, 3, 4, 7));
    let (_, _, time_ns, payload) = support::record(7);
    assert_eq!((at(544, 8), at(552, 4)), (time_ns, 2));
    assert_eq!(&segment[560..592], &segment[80..112], "both name frame 3");
    assert_eq!((at(592, 4), at(604, 4)), (1024, crc(512, 92, 1536)));
    assert_eq!(at(556, 4), 8 + 259 + 8 + 296);
    // Its first record.
    assert_eq!((at(608, 2), at(610, 1), at(611, 1), at(612, 4)), (259, 0, 1, 0));
    assert_eq!(&segment[616..616 + 259], &payload[..]);
    // The second: one microsecond later.
    assert_eq!((at(875, 2), at(877, 1), at(878, 1), at(879, 4)), (296, 1, 1, 1));
}
