//! A copy is a journal of its own, equal up to where it was to end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Block, CopyError, Extent, Options, Until, Work, Writer, copy, verify};
use support::{append, options, reopen};

fn tiny() -> Options {
    Options { segment_bytes: 3072, ..options(Block::B512) }
}

/// Frames in several segments; the head is `behind` frames old.
fn journal(frames: usize, behind: usize) -> Writer<SimDisk> {
    let mut writer = reopen(SimDisk::new(3), tiny()).unwrap().writer;
    for frame in 0..frames {
        if frame == frames - behind {
            while writer.maintain().unwrap() == Work::More {}
            writer.publish_head(1_000_000_000).unwrap();
        }
        append(&mut writer, 2).unwrap();
        while writer.maintain().unwrap() == Work::More {}
    }
    if behind == 0 {
        writer.publish_head(1_000_000_000).unwrap();
    }
    writer
}

type Record = (u64, u64, u8, Vec<u8>);

fn records(disk: &mut SimDisk) -> Vec<Record> {
    let mut found = Vec::new();
    let report = verify(disk, Extent::All, &mut |record| {
        found.push((record.number, record.time_ns, record.kind, record.payload.to_vec()));
        Ok(())
    });
    let report = report.unwrap();
    assert!(report.damage.is_empty() && report.cut.is_none(), "{report:?}");
    found
}

/// Copies, checks the copy and goes on writing on it; returns how many records it has.
fn check(source: &mut SimDisk, until: Until) -> usize {
    let all = records(source);
    let mut target = SimDisk::new(4);
    let copied = copy(&mut *source, &mut target, until).unwrap();
    let own = records(&mut target);
    assert_eq!(own, all[..own.len()], "the same records from the first on");
    assert_eq!(copied.record, own.len() as u64);
    target.crash();
    let mut opened = reopen(target, tiny()).unwrap();
    assert_eq!(opened.writer.mark().record, copied.record);
    for _ in 0..6 {
        append(&mut opened.writer, 2).unwrap();
        while opened.writer.maintain().unwrap() == Work::More {}
    }
    let mut target = opened.writer.stop(0).unwrap();
    assert_eq!(records(&mut target).len(), own.len() + 12);
    own.len()
}

#[test]
fn a_copy_is_a_journal_up_to_its_moment() {
    let mut stopped = journal(7, 0).stop(0).unwrap();
    let all = records(&mut stopped);
    assert_eq!(check(&mut stopped, Until::all(Extent::All)), all.len());
    assert_eq!(check(&mut stopped, Until::all(Extent::UpToHead)), all.len());
    // Frames of two: record 4 ends the second of them.
    for (number, time_ns, ..) in &all {
        let record = Until { record_ns: *time_ns, ..Until::all(Extent::All) };
        assert_eq!(check(&mut stopped, record) as u64, number / 2 * 2);
    }
}

#[test]
fn a_killed_journal_is_copied_whole_and_a_running_one_up_to_its_head() {
    let mut killed = journal(7, 3).into_disk();
    assert_eq!(check(&mut killed, Until::all(Extent::All)), 14);
    assert_eq!(check(&mut killed, Until::all(Extent::UpToHead)), 8);
}

#[test]
fn damage_is_not_copied() {
    let mut disk = journal(7, 0).stop(0).unwrap();
    disk.flip("0000000001.seg", 700, 1);
    let failed = copy(&mut disk, SimDisk::new(4), Until::all(Extent::All)).unwrap_err();
    assert!(matches!(failed, CopyError::Damaged(_)), "{failed}");
    let mut target = journal(1, 0).stop(0).unwrap();
    let failed = copy(SimDisk::new(5), &mut target, Until::all(Extent::All)).unwrap_err();
    assert_eq!(failed, CopyError::NotEmpty);
    let failed = copy(SimDisk::new(5), SimDisk::new(6), Until::all(Extent::All)).unwrap_err();
    assert!(matches!(failed, CopyError::Source(journal::VerifyError::Absent)), "{failed}");
}
