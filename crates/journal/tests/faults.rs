//! Disks that lie: writes that go astray, reads that give a wrong bit, errors of every kind at
//! every call, a cache that shows what a failed sync lost. One fault at a time, at every operation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::{Astray, FailedSync, SimDisk};
use journal::{Block, Disk, DiskError, DiskErrorKind, DiskOp, Extent, Fault, OpenError, Work};
use support::{Opened, append, check, options, reopen};

/// Appends over several segments, with heads and snapshots between; stops where `stop` says so.
/// Returns the disk, the last record acknowledged and the last tried, and how it ended.
fn script(mut disk: SimDisk, stop: bool) -> (SimDisk, u64, u64, Result<(), Fault>) {
    let (mut acknowledged, mut tried) = (0, 0);
    let mut run = |disk: &mut SimDisk| -> Result<(), Fault> {
        let opened = journal::open(disk, options(Block::B512), 0, &mut |_| Ok(()));
        let mut writer = match opened {
            Ok((writer, _)) => writer,
            Err(OpenError::Disk(error)) => return Err(Fault::Disk(error)),
            Err(other) => panic!("{other}"),
        };
        // The last frame is one that no head names.
        for index in 0..41 {
            let (first, count) = (acknowledged + 1, index % 4 + 1);
            tried = first + count - 1;
            acknowledged = writer.append(&mut support::batch(first, count))?.last_record;
            if index % 3 == 0 {
                writer.publish_head(index * 10_000)?;
            }
            if index % 13 == 12 {
                forgive(writer.begin_snapshot(acknowledged, 0, vec![1; 3000]))?;
            }
            forgive(writer.maintain().map(|_: Work| ()))?;
        }
        if stop { writer.stop(1).map(|_| ()) } else { Ok(()) }
    };
    let ended = run(&mut disk);
    (disk, acknowledged, tried, ended)
}

/// What the commit thread forgives: no space for what can wait.
fn forgive(done: Result<(), Fault>) -> Result<(), Fault> {
    match done {
        Err(Fault::NoSpace | Fault::SnapshotBusy) => Ok(()),
        other => other,
    }
}

fn recovered(disk: SimDisk, acknowledged: u64, tried: u64, case: &str) -> Opened {
    let opened = reopen(disk, options(Block::B512)).unwrap_or_else(|e| panic!("{case}: {e}"));
    let last = opened.last;
    assert!(last == acknowledged || last == tried, "{case}: {acknowledged}, {tried}: {last}");
    opened
}

#[test]
fn a_write_that_goes_astray_is_found_or_harmless() {
    let (whole, ..) = script(SimDisk::new(0), true);
    let (mut found, mut harmless) = (0, 0);
    for how in [Astray::SameFile, Astray::OtherFile, Astray::Nowhere] {
        for op in 0..whole.ops() {
            let mut disk = SimDisk::new(op);
            disk.plan.astray = Some((op, how));
            let (disk, acknowledged, _, ended) = script(disk, true);
            let Some(strayed) = disk.strayed() else { continue };
            let case = format!("{how:?} at operation {op}: {strayed:?}");
            assert_eq!(ended, Ok(()), "{case}: nobody is told");
            if disk.contents("head").is_none() {
                panic!("{case}: no head");
            }
            let (report, last) = check(&disk, Extent::All);
            match reopen(disk, options(Block::B512)) {
                Ok(opened) => {
                    assert_eq!(opened.last, acknowledged, "{case}: opened, and lost");
                    // What opening did not read, or read past, verification names.
                    let whole = report.damage.is_empty() && last == acknowledged;
                    let passed = opened.recovery.snapshots_refused.len();
                    assert!(whole || !report.damage.is_empty(), "{case}");
                    assert!(passed == 0 || !report.damage.is_empty(), "{case}");
                    harmless += usize::from(whole);
                    found += usize::from(!whole);
                }
                Err(OpenError::Damaged(damage)) => {
                    assert!(!report.damage.is_empty(), "{case}: {damage}, and verify sees nothing");
                    found += 1;
                }
                Err(other) => panic!("{case}: {other}"),
            }
        }
    }
    assert!(found > 100 && harmless > 20, "{found} found, {harmless} harmless");
}

/// The same with a kill at the end: a lost last frame is found unless nothing was built on it.
#[test]
fn a_lost_frame_is_found_once_anything_was_built_on_it() {
    let (whole, ..) = script(SimDisk::new(0), false);
    for op in 0..whole.ops() {
        let mut disk = SimDisk::new(op);
        disk.plan.astray = Some((op, Astray::Nowhere));
        let (mut disk, acknowledged, ..) = script(disk, false);
        let Some(strayed) = disk.strayed().cloned() else { continue };
        disk.crash();
        let case = format!("operation {op}: {strayed:?}");
        match reopen(disk, options(Block::B512)) {
            Ok(opened) if opened.last == acknowledged => {}
            Ok(opened) => {
                // Only the very last frame, which no head names.
                assert!(op + 12 > whole.ops(), "{case}: {} of {acknowledged}", opened.last);
            }
            Err(OpenError::Damaged(_)) => {}
            Err(other) => panic!("{case}: {other}"),
        }
    }
}

#[test]
fn a_wrong_bit_on_any_read_loses_nothing() {
    let stops = [true, false];
    let mut refused = 0;
    for stop in stops {
        let (disk, acknowledged, ..) = script(SimDisk::new(3), stop);
        let whole = reopen(disk.clone(), options(Block::B512)).unwrap();
        let reads = whole.writer.into_disk().ops() - disk.ops();
        for op in 0..reads {
            for seed in 0..10 {
                let case = format!("read of operation {op}, seed {seed}, stopped: {stop}");
                let mut again = disk.clone();
                again.reseed(seed);
                again.plan.rot_read_at = Some(again.ops() + op);
                let ended = journal::open(&mut again, options(Block::B512), 5_000, &mut |_| Ok(()));
                match ended.map(|(writer, _)| writer.mark().record) {
                    Ok(last) => assert_eq!(last, acknowledged, "{case}"),
                    Err(OpenError::Damaged(_)) => refused += 1,
                    Err(other) => panic!("{case}: {other}"),
                }
                // The next reading is right.
                again.plan.rot_read_at = None;
                recovered(again, acknowledged, acknowledged, &case);
            }
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn every_kind_of_error_at_every_call_is_told_and_loses_nothing() {
    let (whole, _, all, _) = script(SimDisk::new(0), true);
    let kinds = [DiskErrorKind::Io, DiskErrorKind::NoSpace];
    for (kind, cached) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let mut went_on = 0;
        for op in 0..whole.ops() {
            let case = format!("{kind:?} at operation {op}, cached: {cached}");
            let mut disk = SimDisk::new(op);
            disk.plan.fail_at = Some(op);
            disk.plan.fail_kind = Some(kind);
            disk.plan.failed_sync = if cached { FailedSync::Cache } else { FailedSync::Medium };
            let (mut disk, acknowledged, tried, ended) = script(disk, true);
            match ended {
                Ok(()) => {
                    assert_eq!(kind, DiskErrorKind::NoSpace, "{case}: passed over");
                    assert_eq!(acknowledged, all, "{case}");
                    went_on += 1;
                }
                Err(Fault::Disk(error) | Fault::Refused(error)) => {
                    assert_eq!(error.kind, kind, "{case}");
                    assert_eq!(error.detail, "planned", "{case}: {error}");
                }
                Err(Fault::NoSpace) => assert_eq!(kind, DiskErrorKind::NoSpace, "{case}"),
                Err(other) => panic!("{case}: {other}"),
            }
            disk.kill();
            recovered(disk.clone(), acknowledged, tried, &case);
            disk.crash();
            recovered(disk, acknowledged, tried, &case);
        }
        assert_eq!(went_on > 10, kind == DiskErrorKind::NoSpace, "{went_on}");
    }
}

/// A full disk is met again and again; a sync that failed, whatever it says, never.
#[test]
fn a_sync_that_says_no_space_is_final_too() {
    let mut seen = 0;
    for op in 0..200 {
        let mut writer = support::filled(Block::B512, 1, false);
        let from = writer.disk_mut().ops();
        let syncs =
            writer.disk_mut().count(DiskOp::Sync) + writer.disk_mut().count(DiskOp::SyncDir);
        writer.disk_mut().plan.fail_at = Some(from + op);
        writer.disk_mut().plan.fail_kind = Some(DiskErrorKind::NoSpace);
        let mut failed = None;
        for _ in 0..200 {
            let now = writer.disk_mut().plan.fail_at.is_none();
            if let Err(fault) = writer.maintain() {
                failed = Some(fault);
                break;
            }
            let disk = writer.disk_mut();
            let more = disk.count(DiskOp::Sync) + disk.count(DiskOp::SyncDir) > syncs;
            if more && now {
                break;
            }
        }
        let Some(Fault::Disk(DiskError { op: failing, .. })) = failed else { continue };
        assert!(matches!(failing, DiskOp::Sync | DiskOp::SyncDir | DiskOp::Remove | DiskOp::Len));
        seen += u32::from(matches!(failing, DiskOp::Sync | DiskOp::SyncDir));
        assert!(matches!(append(&mut writer, 1), Err(Fault::Refused(_))));
        assert!(!writer.has_room_ahead());
    }
    assert_eq!(seen, 2, "the segment's sync and the directory's");
}

#[test]
fn an_error_at_every_call_of_an_opening_changes_nothing_for_the_next() {
    for torn in [false, true] {
        let mut disk = SimDisk::new(11);
        if torn {
            disk.plan.crash_at = Some(180);
        }
        let (mut disk, acknowledged, tried, _) = script(disk, false);
        disk.crash();
        let last = recovered(disk.clone(), acknowledged, tried, "at first").last;
        let whole = reopen(disk.clone(), options(Block::B512)).unwrap();
        let ops = whole.writer.into_disk().ops() - disk.ops();
        assert!(ops > 10);
        for op in 0..ops {
            for (kind, seed) in [(DiskErrorKind::Io, 1), (DiskErrorKind::NoSpace, 2)] {
                let case = format!("{kind:?} at operation {op} of an opening, torn: {torn}");
                let mut again = disk.clone();
                again.reseed(op ^ seed);
                again.plan.fail_at = Some(again.ops() + op);
                again.plan.fail_kind = Some(kind);
                let opened = journal::open(&mut again, options(Block::B512), 0, &mut |_| Ok(()));
                let Err(OpenError::Disk(error)) = opened.map(|_| ()) else {
                    panic!("{case}: not told")
                };
                assert_eq!((error.kind, error.detail.as_str()), (kind, "planned"), "{case}");
                let mut cut = again.clone();
                again.kill();
                assert_eq!(recovered(again, acknowledged, tried, &case).last, last, "{case}");
                cut.crash();
                assert_eq!(recovered(cut, acknowledged, tried, &case).last, last, "{case}");
            }
        }
    }
}

#[test]
fn the_disk_does_what_was_planned() {
    let mut disk = SimDisk::new(1);
    disk.create("a", 4096).unwrap();
    disk.create("b", 4096).unwrap();
    for (how, landed) in [(Astray::SameFile, Some("a")), (Astray::OtherFile, Some("b"))] {
        disk.plan.astray = Some((disk.ops(), how));
        disk.write("a", 512, &[7; 512]).unwrap();
        let strayed = disk.strayed().unwrap();
        assert_eq!(strayed.landed.as_ref().map(|(name, _)| name.as_str()), landed);
        assert_eq!(disk.contents("a").unwrap()[512..1024], [0; 512]);
        let (name, at) = disk.strayed().unwrap().landed.clone().unwrap();
        let at = usize::try_from(at).unwrap();
        assert_eq!(disk.contents(&name).unwrap()[at..at + 512], [7; 512]);
    }
    disk.sync("a").unwrap();
    disk.plan.rot_read_at = Some(disk.ops());
    let (mut once, mut twice) = ([0; 512], [0; 512]);
    disk.read("a", 512, &mut once).unwrap();
    disk.read("a", 512, &mut twice).unwrap();
    let wrong: u32 = once.iter().zip(&twice).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((wrong, twice), (1, [0; 512]));
    // A cache that has marked clean what the medium never got.
    disk.plan.failed_sync = FailedSync::Cache;
    disk.plan.tearing = journal::sim_disk::Tearing::LoseAll;
    disk.write("a", 0, &[9; 512]).unwrap();
    disk.plan.fail_at = Some(disk.ops());
    disk.sync("a").unwrap_err();
    disk.sync("a").unwrap();
    disk.read("a", 0, &mut once).unwrap();
    assert_eq!(once, [9; 512], "the same process sees it");
    disk.kill();
    disk.read("a", 0, &mut once).unwrap();
    assert_ne!(once, [9; 512], "the next one does not");
}
