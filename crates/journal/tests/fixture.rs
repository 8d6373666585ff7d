//! Journals written by released versions of the format stay readable, and this version writes what
//! `docs/formats/journal.md` says, byte for byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Block, Extent, HeadFound, Options};
use std::path::{Path, PathBuf};
use support::{append, check, options, reopen};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn tiny() -> Options {
    Options { segment_bytes: 3072, ..options(Block::B512) }
}

fn load() -> SimDisk {
    let mut disk = SimDisk::new(0);
    for entry in std::fs::read_dir(directory()).unwrap() {
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

/// Run by hand, once per format version: `cargo test -p journal --test fixture -- --ignored`.
#[test]
#[ignore = "writes the fixture of a format version"]
fn write_fixture() {
    assert!(!directory().exists(), "a released fixture is never rewritten");
    std::fs::create_dir_all(directory()).unwrap();
    let disk = script();
    for name in disk.names() {
        std::fs::write(directory().join(&name), disk.contents(&name).unwrap()).unwrap();
    }
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
