//! Power cuts at every operation, errors at every operation: nothing acknowledged is ever lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::{Plan, SimDisk, SkippedSync, Tearing};
use journal::{Block, DiskErrorKind, DiskOp, Extent, Fault, HeadFound, OpenError};
use support::{Opened, append, check, options, reopen, seeds};

const APPENDS: u64 = 60;

/// The scripted run: opens, appends with rotation, publishes the head, writes snapshots, stops.
/// Returns the disk, the last record that was acknowledged and the last that was tried.
fn script(disk: SimDisk, block: Block) -> (SimDisk, u64, u64) {
    let mut survivor = disk.clone();
    let opened = journal::open(&mut survivor, options(block), 0, &mut |_| Ok(()));
    let Ok((mut writer, _)) = opened else {
        return (survivor, 0, 0);
    };
    let (mut acknowledged, mut tried) = (0, 0);
    let mut run = || -> Result<(), Fault> {
        for index in 0..APPENDS {
            let first = writer.mark().record + 1;
            let count = index % 3 + 1;
            tried = first + count - 1;
            let appended = writer.append(&mut support::batch(first, count))?;
            acknowledged = appended.last_record;
            if index % 3 == 0 {
                writer.publish_head(index * 10_000)?;
            }
            if index % 2 == 0 {
                writer.maintain()?;
            }
            if index % 25 == 24 {
                writer.write_snapshot(acknowledged, 0, vec![1; 3000])?;
            }
            if index == 30 {
                writer.start_epoch(4, 0)?;
            }
        }
        Ok(())
    };
    let result = run();
    if result.is_ok() {
        let _ = writer.stop(1);
    }
    (survivor, acknowledged, tried)
}

/// Opens what a crash left and checks what must hold whatever happened.
fn recovered(disk: SimDisk, block: Block, acknowledged: u64, tried: u64, case: &str) -> Opened {
    let (report, _) = check_or_empty(&disk);
    assert!(report, "{case}: verify calls a torn tail damage");
    let opened = reopen(disk, options(block)).unwrap_or_else(|error| panic!("{case}: {error}"));
    let last = opened.last;
    assert!(last >= acknowledged, "{case}: {acknowledged} acknowledged, {last} recovered");
    assert!(last == acknowledged || last == tried, "{case}: {last} is neither end of a frame");
    opened
}

/// Whether verify finds no damage, where there is a journal to verify.
fn check_or_empty(disk: &SimDisk) -> (bool, u64) {
    if disk.contents("head").is_none() {
        return (true, 0);
    }
    let (report, last) = check(disk, Extent::All);
    (report.damage.is_empty(), last)
}

#[test]
fn the_script_is_what_it_is_meant_to_be() {
    let (disk, _, tried) = script(SimDisk::new(0), Block::B512);
    let segments = disk.names().iter().filter(|name| name.ends_with(".seg")).count();
    assert!(segments >= 4, "it rotates");
    assert_eq!(tried, 120, "it runs to its end");
    assert!(disk.ops() > 200, "{} operations", disk.ops());
}

fn crash_everywhere(block: Block, tearing: Tearing, seeds: core::ops::Range<u64>, step: usize) {
    let (whole, ..) = script(SimDisk::new(0), block);
    assert!(whole.names().len() > 5, "the script rotates and writes snapshots");
    for seed in seeds {
        for op in (0..whole.ops()).skip(usize::try_from(seed).unwrap() % step).step_by(step) {
            let case = format!("seed {seed}, power cut at operation {op}");
            let mut disk = SimDisk::new(seed);
            disk.plan = Plan { crash_at: Some(op), tearing, ..Plan::default() };
            let (mut disk, acknowledged, tried) = script(disk, block);
            assert!(disk.is_crashed(), "{case}");
            disk.crash();
            let mut opened = recovered(disk, block, acknowledged, tried, &case);
            // Life goes on or ends at once; both are durable, and verify finds all in order.
            let more = if op % 2 == 0 { 2 } else { 0 };
            if more > 0 {
                append(&mut opened.writer, more).unwrap();
            }
            let mut disk = opened.writer.stop(2).unwrap();
            disk.crash();
            let (report, last) = check(&disk, Extent::All);
            assert_eq!((report.damage, report.cut), (vec![], None), "{case}");
            assert_eq!(last, opened.last + more, "{case}");
        }
    }
}

#[test]
fn power_cut_at_every_operation_loses_nothing_acknowledged() {
    crash_everywhere(Block::B512, Tearing::Sectors, 0..seeds(2), 1);
}

#[test]
fn power_cut_with_torn_sectors() {
    crash_everywhere(Block::B512, Tearing::TornSectors, 0..seeds(2), 2);
}

#[test]
fn power_cut_with_large_physical_sectors_and_large_blocks() {
    crash_everywhere(Block::B4096, Tearing::Physical4096, 0..seeds(3), 5);
}

#[test]
fn power_cut_during_recovery_is_recovered_too() {
    for seed in 0..seeds(6) {
        let mut disk = SimDisk::new(seed);
        disk.plan.crash_at = Some(150 + seed * 17);
        let (mut disk, acknowledged, tried) = script(disk, Block::B512);
        disk.crash();
        for op in 0..40 {
            let mut again = disk.clone();
            again.plan.crash_at = Some(again.ops() + op);
            if reopen(again.clone(), options(Block::B512)).is_ok() {
                continue;
            }
            let _ = journal::open(&mut again, options(Block::B512), 0, &mut |_| Ok(()));
            again.crash();
            let case = format!("seed {seed}, second cut at {op}");
            recovered(again, Block::B512, acknowledged, tried, &case);
        }
    }
}

#[test]
fn an_error_at_every_operation_is_never_passed_over() {
    let (whole, _, all) = script(SimDisk::new(0), Block::B512);
    for op in 0..whole.ops() {
        let case = format!("error at operation {op}");
        let mut disk = SimDisk::new(op);
        disk.plan.fail_at = Some(op);
        let (mut disk, acknowledged, tried) = script(disk, Block::B512);
        assert!(acknowledged < all || op + 20 > whole.ops(), "{case}: the run went on");
        disk.kill();
        recovered(disk.clone(), Block::B512, acknowledged, tried, &case);
        disk.crash();
        recovered(disk, Block::B512, acknowledged, tried, &case);
    }
}

#[test]
fn a_failed_sync_is_final_for_the_writer() {
    let mut writer = support::filled(Block::B512, 5, false);
    let next = writer.disk_mut().ops() + 1;
    writer.disk_mut().plan.fail_at = Some(next);
    let before = writer.mark();
    let Err(Fault::Disk(error)) = append(&mut writer, 1) else { panic!("the sync failed") };
    assert_eq!(error.kind, DiskErrorKind::Io);
    for _ in 0..3 {
        assert_eq!(append(&mut writer, 1), Err(Fault::Refused(error.clone())));
    }
    assert_eq!(writer.maintain(), Err(Fault::Refused(error.clone())));
    assert_eq!(writer.publish_head(u64::MAX), Err(Fault::Refused(error.clone())));
    assert_eq!(writer.mark(), before, "what was not synced is not durable");
    assert!(!writer.has_room_ahead());
    assert_eq!(writer.clone().stop(0).err(), Some(Fault::Refused(error)));
    reopen(writer.into_disk(), options(Block::B512)).unwrap();
}

#[test]
fn a_skipped_sync_loses_acknowledged_records_and_recovery_says_so_or_the_test_sees_it() {
    let mut seen = 0;
    for seed in 0..20 {
        let mut disk = SimDisk::new(seed);
        disk.plan.skipped_sync = SkippedSync::Every(3);
        disk.plan.tearing = Tearing::LoseAll;
        disk.plan.crash_at = Some(150 + seed * 9);
        let (mut disk, acknowledged, _) = script(disk, Block::B512);
        disk.crash();
        match reopen(disk, options(Block::B512)) {
            Err(OpenError::Damaged(_)) => seen += 1,
            Ok(opened) if opened.last < acknowledged => seen += 1,
            Ok(_) | Err(_) => {}
        }
    }
    assert!(seen >= 5, "a disk that lies about sync is found: {seen} of 20");
}

#[test]
fn a_clean_stop_is_known_as_one() {
    let (disk, acknowledged, _) = script(SimDisk::new(1), Block::B512);
    let opened = reopen(disk, options(Block::B512)).unwrap();
    assert_eq!(opened.recovery.head, HeadFound::Stopped);
    assert_eq!(opened.recovery.cut, None);
    assert_eq!(opened.last, acknowledged);
}

#[test]
fn out_of_space_is_met_one_segment_ahead() {
    let mut writer = support::filled(Block::B512, 3, false);
    while writer.maintain().unwrap() == journal::Work::More {}
    // Room for the two segments that exist, the head and nothing more.
    writer.disk_mut().plan.capacity = Some(3 * support::SEGMENT);
    let mut refused_ahead = false;
    let fault = loop {
        match append(&mut writer, 3) {
            Ok(_) => {
                writer.maintain().unwrap();
                refused_ahead |= !writer.has_room_ahead();
            }
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault, Fault::NoSpace);
    assert!(refused_ahead, "the caller was warned before appends failed");
    let durable = writer.mark().record;
    writer.disk_mut().plan.capacity = None;
    append(&mut writer, 3).unwrap();
    assert!(writer.has_room_ahead());
    let opened = reopen(writer.into_disk(), options(Block::B512)).unwrap();
    assert_eq!(opened.last, durable + 3);
}

#[test]
fn a_head_written_while_the_new_segment_is_still_empty_is_understood() {
    // Found by the random test: the last frame ended its segment, the next one was in use.
    for op in 30..60 {
        let tiny = journal::Options { segment_bytes: 4096, ..options(Block::B512) };
        let mut disk = SimDisk::new(op);
        disk.plan.crash_at = Some(op);
        if let Ok((mut writer, _)) = journal::open(&mut disk, tiny, 0, &mut |_| Ok(())) {
            while writer.append(&mut journal_batch()).is_ok() {}
        }
        disk.crash();
        let writer = journal::open(&mut disk, tiny, 0, &mut |_| Ok(())).unwrap().0;
        writer.stop(0).unwrap();
        let report = journal::verify(&mut disk, Extent::All, &mut |_| Ok(())).unwrap();
        assert_eq!(report.damage, vec![], "cut at {op}");
        journal::open(&mut disk, tiny, 0, &mut |_| Ok(())).unwrap();
    }
}

fn journal_batch() -> journal::Batch {
    let mut batch = journal::Batch::new(0);
    batch.push(1, 1, 0, &[]).unwrap();
    batch
}

#[test]
fn what_recovery_showed_survives_the_next_power_cut() {
    // The process dies between write and sync: the frame is whole, but not durable.
    for seed in 0..20 {
        let mut writer = support::filled(Block::B512, 5, false);
        let sync = writer.disk_mut().ops() + 1;
        writer.disk_mut().plan.crash_at = Some(sync);
        append(&mut writer, 1).unwrap_err();
        let mut disk = writer.into_disk();
        disk.kill();
        let opened = reopen(disk, options(Block::B512)).unwrap();
        let mut disk = opened.writer.into_disk();
        disk.plan.tearing = Tearing::LoseAll;
        disk.crash();
        let again = reopen(disk, options(Block::B512)).unwrap();
        assert_eq!(again.last, opened.last, "seed {seed}");
    }
}

/// A frame must never stand behind a header that is not there.
#[test]
fn power_cut_while_a_segment_is_taken_into_use() {
    let mut writer = support::filled(Block::B512, 3, false);
    let full = loop {
        while writer.maintain().unwrap() == journal::Work::More {}
        let mut before = writer.clone();
        append(&mut writer, 1).unwrap();
        let writes = |of: &mut journal::Writer<SimDisk>| of.disk_mut().count(DiskOp::Write);
        // Its header and its frame are two writes; every other append is one.
        if writes(&mut writer) == writes(&mut before) + 2 {
            break before;
        }
    };
    let (durable, from) = (full.mark().record, full.clone().disk_mut().ops());
    for op in 0..4 {
        for seed in 0..40 {
            let mut cut = full.clone();
            cut.disk_mut().reseed(seed);
            cut.disk_mut().plan.crash_at = Some(from + op);
            append(&mut cut, 1).unwrap_err();
            let mut disk = cut.into_disk();
            disk.crash();
            let case = format!("seed {seed}, power cut at operation {op} of the append");
            recovered(disk, Block::B512, durable, durable + 1, &case);
        }
    }
}
