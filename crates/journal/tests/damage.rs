//! Rot, cut tails, swapped, stale and missing pieces: nothing of it goes unseen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Block, Disk, Extent, Flaw, HeadFound, OpenError, Options, Writer};
use support::{append, check, options, record, reopen};

const LAST: &str = "0000000002.seg";

/// Segments of six blocks: in the first frames of 1, 1 and 2 blocks, in the second of 2 and 2.
fn tiny() -> Options {
    Options { segment_bytes: 3072, ..options(Block::B512) }
}

/// Five small frames in two segments and a third made ahead.
fn small_journal(head_behind: bool) -> Writer<SimDisk> {
    let mut writer = reopen(SimDisk::new(3), tiny()).unwrap().writer;
    for frame in 0..5 {
        if frame == 4 {
            writer.publish_head(1_000_000).unwrap();
        }
        append(&mut writer, 2).unwrap();
    }
    while writer.maintain().unwrap() == journal::Work::More {}
    if !head_behind {
        writer.publish_head(2_000_000).unwrap();
    }
    writer
}

fn stopped() -> SimDisk {
    small_journal(false).stop(0).unwrap()
}

fn killed_with_older_head() -> SimDisk {
    small_journal(true).into_disk()
}

/// The frames of a segment as (offset, end, sequence, first record), read as the format page says.
fn frames(disk: &SimDisk, name: &str) -> Vec<(usize, usize, u64, u64)> {
    let bytes = disk.contents(name).unwrap();
    let field = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let mut found = Vec::new();
    let mut at = 512;
    while bytes.get(at..at + 4) == Some(b"BgFr") {
        let length = u32::from_le_bytes(bytes[at + 80..at + 84].try_into().unwrap()) as usize;
        found.push((at, at + length, field(at + 16), field(at + 24)));
        at += length;
    }
    found
}

#[test]
fn every_flipped_byte_of_a_stopped_journal_is_found() {
    let disk = stopped();
    let names = disk.names();
    assert_eq!(names.len(), 4, "two segments in use, one ahead, the head: {names:?}");
    for name in names {
        let all = frames(&disk, &name);
        for offset in 0..disk.contents(&name).unwrap().len() {
            let case = format!("{name} byte {offset}");
            let mut rotten = disk.clone();
            rotten.flip(&name, offset as u64, 1 << (offset % 8));
            let (report, last) = check(&rotten, Extent::All);
            let damage = report.damage.first().unwrap_or_else(|| panic!("{case} is not found"));
            assert_eq!(damage.file, name, "{case}: {damage}");
            let hit = all.iter().find(|frame| (frame.0..frame.1).contains(&offset));
            if let Some((at, _, sequence, first)) = hit {
                assert_eq!((damage.frame, damage.from_record), (*sequence, *first), "{case}");
                assert_eq!(damage.offset, *at as u64, "{case}");
                assert_eq!(damage.to_record, Some(first + 1), "{case}: two records a frame");
                assert_eq!(last, first - 1, "{case}: everything before it can be read");
            }
            if offset % 5 == 0 {
                let opened = reopen(rotten, tiny()).map(|_| ());
                assert!(matches!(opened, Err(OpenError::Damaged(_))), "{case}: opened");
            }
        }
    }
}

#[test]
fn every_flipped_byte_of_a_snapshot_is_found() {
    let mut writer = small_journal(false);
    writer.write_snapshot(4, 0, b"what is open".to_vec()).unwrap();
    let disk = writer.stop(0).unwrap();
    let name = disk.names().into_iter().find(|name| name.ends_with(".snap")).unwrap();
    assert_eq!(check(&disk, Extent::All).0.damage, vec![]);
    for offset in 0..disk.contents(&name).unwrap().len() {
        let mut rotten = disk.clone();
        rotten.flip(&name, offset as u64, 1 << (offset % 8));
        let (report, _) = check(&rotten, Extent::All);
        let flaws: Vec<_> = report.damage.iter().map(|damage| damage.flaw).collect();
        assert_eq!(flaws, vec![Flaw::Snapshot], "byte {offset}");
    }
}

/// The file cut at `at`: zero from there on, or ended there.
fn cut(disk: &SimDisk, name: &str, at: usize, truncate: bool) -> SimDisk {
    let mut disk = disk.clone();
    let mut bytes = disk.contents(name).unwrap().to_vec();
    if truncate {
        bytes.truncate(at);
    } else {
        bytes[at..].fill(0);
    }
    disk.put(name, bytes);
    disk
}

#[test]
fn tail_cut_at_every_byte_behind_an_older_head_is_recovered_and_reported() {
    let disk = killed_with_older_head();
    let (start, end, sequence, first) = *frames(&disk, LAST).last().unwrap();
    for truncate in [false, true] {
        for at in start..end {
            let case = format!("cut at {at}, truncated: {truncate}");
            let broken = cut(&disk, LAST, at, truncate);
            let changed = broken.contents(LAST) != disk.contents(LAST);
            let (report, _) = check(&broken, Extent::All);
            assert_eq!(report.damage, vec![], "{case}");
            let opened = reopen(broken, tiny()).unwrap();
            assert_eq!(report.cut, opened.recovery.cut, "{case}: both see the same");
            if !changed {
                assert_eq!((opened.last, opened.recovery.cut), (first + 1, None), "{case}");
                continue;
            }
            assert_eq!(opened.last, first - 1, "{case}");
            let all_gone = at == start && !truncate;
            assert_eq!(opened.recovery.cut.is_none(), all_gone, "{case}: the cut is reported");
            if let Some(found) = &opened.recovery.cut {
                let place = (found.file.as_str(), found.offset, found.frame);
                assert_eq!(place, (LAST, start as u64, sequence), "{case}");
            }
            let mut writer = opened.writer;
            let appended = append(&mut writer, 1).unwrap();
            assert_eq!(appended.frame, sequence, "{case}: the sequence goes on");
            if at % 8 != 0 {
                continue;
            }
            let disk = writer.stop(0).unwrap();
            assert_eq!(disk.contents(LAST).unwrap().len(), 3072, "{case}");
            let (report, last) = check(&disk, Extent::All);
            assert_eq!((report.damage, last), (vec![], first), "{case}");
        }
    }
}

#[test]
fn tail_cut_at_every_byte_of_the_frame_that_the_head_names_is_refused() {
    for disk in [stopped(), small_journal(false).into_disk()] {
        let (start, end, sequence, first) = *frames(&disk, LAST).last().unwrap();
        for truncate in [false, true] {
            // Every byte where it was stopped, a sample where it was killed with the same head.
            let step = if check(&disk, Extent::All).0.stopped { 1 } else { 9 };
            for at in (start..end).step_by(step) {
                let case = format!("cut at {at}, truncated: {truncate}");
                let broken = cut(&disk, LAST, at, truncate);
                if broken.contents(LAST) == disk.contents(LAST) {
                    continue;
                }
                let (report, last) = check(&broken, Extent::All);
                assert_eq!(last, first - 1, "{case}: earlier ones are read");
                let damage = report.damage.first().unwrap_or_else(|| panic!("{case} unseen"));
                assert_eq!((damage.frame, damage.from_record), (sequence, first), "{case}");
                assert_eq!(damage.to_record, Some(first + 1), "{case}");
                let before = broken.contents(LAST).unwrap().to_vec();
                let mut broken = broken;
                let refused = journal::open(&mut broken, tiny(), 0, &mut |_| Ok(()));
                let Err(OpenError::Damaged(again)) = refused.map(|_| ()) else {
                    panic!("{case}: opened")
                };
                assert_eq!(again.frame, sequence, "{case}");
                assert_eq!(broken.contents(LAST).unwrap(), before, "{case}: nothing is touched");
            }
        }
    }
}

#[test]
fn a_whole_frame_behind_a_broken_one_is_damage_even_after_the_head() {
    let mut writer = reopen(SimDisk::new(3), options(Block::B512)).unwrap().writer;
    for _ in 0..6 {
        append(&mut writer, 1).unwrap();
    }
    let disk = writer.into_disk();
    let all = frames(&disk, "0000000001.seg");
    for (index, (start, end, sequence, first)) in all.iter().enumerate() {
        for at in (*start..*end).step_by(41) {
            let mut rotten = disk.clone();
            rotten.flip("0000000001.seg", at as u64, 0x10);
            let (report, last) = check(&rotten, Extent::All);
            assert_eq!(last, first - 1);
            if index + 1 == all.len() {
                // The last one: nothing tells it from a torn write.
                assert_eq!(report.cut.unwrap().frame, *sequence);
                assert_eq!(reopen(rotten, options(Block::B512)).unwrap().last, first - 1);
            } else {
                assert_eq!(report.damage[0].flaw, Flaw::FrameBroken);
                assert_eq!(report.damage[0].to_record, Some(*first));
                assert!(reopen(rotten, options(Block::B512)).is_err(), "frame {sequence}");
            }
        }
    }
}

#[test]
fn swapped_frames_are_found() {
    let mut writer = reopen(SimDisk::new(3), options(Block::B512)).unwrap().writer;
    for _ in 0..6 {
        append(&mut writer, 1).unwrap();
    }
    let mut disk = writer.stop(0).unwrap();
    let name = "0000000001.seg";
    let all = frames(&disk, name);
    assert_eq!(all[2].1 - all[2].0, all[3].1 - all[3].0, "of equal length");
    let mut bytes = disk.contents(name).unwrap().to_vec();
    let (left, right) = bytes.split_at_mut(all[3].0);
    left[all[2].0..all[2].1].swap_with_slice(&mut right[..512]);
    disk.put(name, bytes);
    let (report, last) = check(&disk, Extent::All);
    assert_eq!(report.damage[0].flaw, Flaw::FrameOutOfPlace);
    assert_eq!((report.damage[0].frame, report.damage[0].from_record, last), (3, 3, 2));
    assert!(matches!(reopen(disk, options(Block::B512)), Err(OpenError::Damaged(_))));
}

/// Two journals alike but for one record of frame 3: the frame of one in the other.
fn forged(count: u64, stop: bool) -> SimDisk {
    let make = |byte: u8| {
        let mut writer = reopen(SimDisk::new(3), options(Block::B512)).unwrap().writer;
        for number in 1..=count {
            let mut batch = journal::Batch::new(record(number).2);
            let payload = if number == 3 { vec![byte; 50] } else { vec![1; 50] };
            batch.push(1, 1, record(number).2, &payload).unwrap();
            writer.append(&mut batch).unwrap();
        }
        if stop { writer.stop(0).unwrap() } else { writer.into_disk() }
    };
    let (mut ours, theirs) = (make(1), make(2));
    let name = "0000000001.seg";
    let (start, end, ..) = frames(&ours, name)[2];
    let mut bytes = ours.contents(name).unwrap().to_vec();
    bytes[start..end].copy_from_slice(&theirs.contents(name).unwrap()[start..end]);
    ours.put(name, bytes);
    ours
}

#[test]
fn a_frame_rewritten_with_a_right_checksum_breaks_the_chain() {
    let verify = |disk: &SimDisk| {
        let mut disk = disk.clone();
        journal::verify(&mut disk, Extent::All, &mut |_| Ok(())).unwrap()
    };
    let report = verify(&forged(5, false));
    assert_eq!(report.damage[0].flaw, Flaw::ChainBroken);
    assert_eq!(report.damage[0].frame, 4, "the first that does not continue");
    // As the last frame only the head knows better.
    let report = verify(&forged(3, true));
    assert_eq!(report.damage[0].flaw, Flaw::HeadDisagrees);
    assert_eq!(report.damage[0].frame, 3);
}

#[test]
fn a_stale_frame_is_not_mistaken_for_a_new_one() {
    let disk = killed_with_older_head();
    let (start, end, sequence, first) = *frames(&disk, LAST).last().unwrap();
    let stale = disk.contents(LAST).unwrap()[start..end].to_vec();
    // The frame is torn and cut; another takes its place.
    let mut writer = reopen(cut(&disk, LAST, end - 500, false), tiny()).unwrap().writer;
    assert!(writer.disk_mut().contents(LAST).unwrap()[start..].iter().all(|byte| *byte == 0));
    let mut batch = journal::Batch::new(record(first).2 + 5_000);
    batch.push(9, 1, record(first).2 + 6_000, b"new").unwrap();
    writer.append(&mut batch).unwrap();
    let disk = writer.into_disk();
    let (_, end, again, _) = *frames(&disk, LAST).last().unwrap();
    assert_eq!(again, sequence);
    // The old blocks come back behind it.
    let mut bytes = disk.contents(LAST).unwrap().to_vec();
    bytes[end..end + stale.len()].copy_from_slice(&stale);
    let mut haunted = disk.clone();
    haunted.put(LAST, bytes);
    let report = journal::verify(&mut haunted, Extent::All, &mut |_| Ok(())).unwrap();
    assert_eq!(report.damage[0].flaw, Flaw::FrameOutOfPlace);
    let refused = journal::open(&mut haunted, tiny(), 0, &mut |_| Ok(()));
    assert!(matches!(refused.map(|_| ()), Err(OpenError::Damaged(_))));
}

#[test]
fn reordered_blocks_of_a_lost_frame_are_cut() {
    // The first block of the last frame is lost, the second is there.
    let mut writer = reopen(SimDisk::new(3), options(Block::B512)).unwrap().writer;
    append(&mut writer, 1).unwrap();
    append(&mut writer, 8).unwrap();
    let mut disk = writer.into_disk();
    let name = "0000000001.seg";
    let (start, end, ..) = frames(&disk, name)[1];
    assert!(end - start > 1024);
    let mut bytes = disk.contents(name).unwrap().to_vec();
    bytes[start..start + 512].fill(0);
    disk.put(name, bytes);
    let opened = reopen(disk, options(Block::B512)).unwrap();
    assert_eq!(opened.last, 1);
    let found = opened.recovery.cut.unwrap();
    assert_eq!((found.offset, found.frame), (start as u64, 2));
}

#[test]
fn a_byte_further_than_the_frame_in_flight_reached_is_damage() {
    let disk = killed_with_older_head();
    let (start, end, ..) = *frames(&disk, LAST).last().unwrap();
    let mut broken = cut(&disk, LAST, end - 500, false);
    broken.flip(LAST, end as u64 + 3, 1);
    let (report, _) = check(&broken, Extent::All);
    assert_eq!(report.damage[0].flaw, Flaw::UnwrittenNotZero, "{start}");
}

#[test]
fn a_missing_segment_is_named() {
    let writer = support::filled(Block::B512, 90, false);
    let disk = writer.stop(0).unwrap();
    let first: Vec<u64> = disk
        .names()
        .iter()
        .filter(|name| name.ends_with(".seg"))
        .filter_map(|name| frames(&disk, name).first().map(|frame| frame.3))
        .collect();
    assert!(first.len() >= 3, "it rotates");
    for (index, records) in first.windows(2).enumerate() {
        let name = format!("{:010}.seg", index + 1);
        let mut gone = disk.clone();
        gone.remove(&name).unwrap();
        let (report, _) = check(&gone, Extent::All);
        let found = report.damage.iter().find(|damage| damage.flaw == Flaw::SegmentMissing);
        let found = found.unwrap_or_else(|| panic!("{name} is not missed"));
        assert_eq!(found.file, name);
        assert_eq!(found.to_record, Some(records[1] - 1));
        assert!(reopen(gone, options(Block::B512)).is_err());
    }
}

/// Although a snapshot says what came of it: what reads the segment later would not know that it is
/// there.
#[test]
fn a_segment_whose_header_does_not_hold_stops_a_start_that_would_not_read_it() {
    let mut writer = support::filled(Block::B512, 90, false);
    let record = writer.mark().record;
    writer.write_snapshot(record, 0, vec![1]).unwrap();
    let disk = writer.stop(0).unwrap();
    let opened = reopen(disk.clone(), options(Block::B512)).unwrap();
    assert_eq!(opened.recovery.snapshot_used, Some(record));
    let used = disk.names().iter().filter(|name| !frames_of(&disk, name).is_empty()).count();
    assert!(used >= 3, "it rotates");
    for number in 1..used {
        let name = format!("{number:010}.seg");
        for at in [0, 20, 100, 511] {
            let mut rotten = disk.clone();
            rotten.flip(&name, at, 1);
            let Err(OpenError::Damaged(damage)) = reopen(rotten, options(Block::B512)) else {
                panic!("{name} at {at} is passed over");
            };
            assert_eq!((damage.file.as_str(), damage.flaw), (name.as_str(), Flaw::SegmentHeader));
        }
    }
}

fn frames_of(disk: &SimDisk, name: &str) -> Vec<(usize, usize, u64, u64)> {
    if name.ends_with(".seg") { frames(disk, name) } else { Vec::new() }
}

#[test]
fn a_lost_head_is_damage_unless_nothing_was_ever_written() {
    let mut disk = stopped();
    disk.remove("head").unwrap();
    let (report, last) = check(&disk, Extent::All);
    assert_eq!(report.damage.last().unwrap().flaw, Flaw::HeadLost);
    assert_eq!(last, 10, "the records are read all the same");
    assert!(matches!(reopen(disk, tiny()), Err(OpenError::Damaged(_))));

    let mut fresh = reopen(SimDisk::new(1), tiny()).unwrap().writer.into_disk();
    fresh.remove("head").unwrap();
    assert_eq!(reopen(fresh, tiny()).unwrap().recovery.head, HeadFound::New);
}

#[test]
fn a_torn_slot_is_tolerated_after_a_kill_and_reported() {
    let mut writer = small_journal(true);
    writer.publish_head(3_000_000).unwrap();
    let disk = writer.into_disk();
    for offset in [17, 4096 + 17] {
        let mut torn = disk.clone();
        torn.flip("head", offset, 4);
        let (report, last) = check(&torn, Extent::All);
        assert_eq!((report.damage, report.head_slot_torn, last), (vec![], true, 10));
        let found = reopen(torn, tiny()).unwrap().recovery.head;
        assert!(matches!(found, HeadFound::Running { slot_torn: true, .. }), "{found:?}");
    }
    let mut both = disk;
    both.flip("head", 17, 4);
    both.flip("head", 4096 + 17, 4);
    let refused = reopen(both, tiny()).map(|_| ());
    assert!(matches!(refused, Err(OpenError::Damaged(d)) if d.flaw == Flaw::HeadLost));
}

#[test]
fn a_damaged_snapshot_falls_back() {
    let mut writer = support::filled(Block::B512, 31, true);
    let all = writer.mark().record;
    writer.publish_head(u64::MAX).unwrap();
    let disk = writer.into_disk();
    let snapshots: Vec<String> =
        disk.names().into_iter().filter(|name| name.ends_with(".snap")).collect();
    assert_eq!(snapshots.len(), 2, "two are kept");
    let opened = reopen(disk.clone(), options(Block::B512)).unwrap();
    let (newest, bytes) = opened.snapshot.unwrap();
    assert_eq!((bytes, opened.first, opened.last), (vec![9; 5000], newest + 1, all));

    let mut one = disk.clone();
    one.flip(&snapshots[1], 4200, 1);
    let opened = reopen(one.clone(), options(Block::B512)).unwrap();
    let (older, _) = opened.snapshot.unwrap();
    assert!(older < newest);
    assert_eq!((opened.first, opened.last), (older + 1, all));
    assert_eq!(opened.recovery.snapshots_refused, vec![snapshots[1].clone()]);

    one.flip(&snapshots[0], 60, 1);
    let opened = reopen(one, options(Block::B512)).unwrap();
    assert_eq!((opened.snapshot, opened.first, opened.last), (None, 1, all));
    assert_eq!(opened.recovery.snapshots_refused.len(), 2);

    // A snapshot that the caller can't use is as good as damaged.
    let mut offered = 0;
    let (_, recovery) = journal::open(disk, options(Block::B512), 0, &mut |replay| match replay {
        journal::Replay::Snapshot { .. } => {
            offered += 1;
            Err("of another time".into())
        }
        journal::Replay::Record(_) | journal::Replay::End => Ok(()),
    })
    .unwrap();
    assert_eq!((offered, recovery.records, recovery.snapshot_used), (2, all, None));
}

#[test]
fn a_snapshot_of_records_that_are_not_there_is_damage() {
    let mut writer = support::filled(Block::B512, 6, false);
    let record = writer.mark().record;
    let ahead = writer.write_snapshot(record + 1, 0, vec![]);
    assert_eq!(ahead, Err(journal::Fault::SnapshotAhead { record: record + 1, durable: record }));
    writer.write_snapshot(record, 0, vec![1]).unwrap();
    let snapshot = writer.into_disk();
    let snapshot_name = format!("snapshot-{record:020}.snap");
    let mut shorter = support::filled(Block::B512, 3, false).into_disk();
    shorter.put(&snapshot_name, snapshot.contents(&snapshot_name).unwrap().to_vec());
    let (report, _) = check(&shorter, Extent::All);
    assert_eq!(report.damage[0].flaw, Flaw::SnapshotAhead);
    let mut replay = |_: journal::Replay<'_>| Ok(());
    let refused = journal::open(shorter, options(Block::B512), 0, &mut replay).map(|_| ());
    assert!(matches!(refused, Err(OpenError::Damaged(d)) if d.flaw == Flaw::SnapshotAhead));
}

#[test]
fn beside_a_writer_only_what_the_head_names_is_read() {
    let mut writer = support::filled(Block::B512, 20, true);
    writer.publish_head(u64::MAX).unwrap();
    let named = writer.mark().record;
    append(&mut writer, 3).unwrap();
    let mut disk = writer.into_disk();
    let (report, last) = check(&disk, Extent::UpToHead);
    assert_eq!((report.damage, last, report.stopped), (vec![], named, false));
    // What is behind the head may be half written.
    let name = disk.names().into_iter().rfind(|name| !frames(&disk, name).is_empty()).unwrap();
    let (start, ..) = *frames(&disk, &name).last().unwrap();
    disk.flip(&name, start as u64 + 100, 1);
    let (report, last) = check(&disk, Extent::UpToHead);
    assert_eq!((report.damage, last), (vec![], named));
}

#[test]
fn the_rest_of_a_sealed_segment_must_be_zero() {
    let mut writer = reopen(SimDisk::new(3), tiny()).unwrap().writer;
    append(&mut writer, 1).unwrap();
    let mut batch = journal::Batch::new(record(2).2);
    batch.push(1, 1, record(2).2, &[5; 2200]).unwrap();
    writer.append(&mut batch).unwrap();
    let disk = writer.stop(0).unwrap();
    assert_eq!(frames(&disk, "0000000001.seg").len(), 1, "four blocks are left");
    for offset in (1024..3072).step_by(7) {
        let mut rotten = disk.clone();
        rotten.flip("0000000001.seg", offset, 0x80);
        let report = journal::verify(&mut rotten, Extent::All, &mut |_| Ok(())).unwrap();
        let damage = &report.damage[0];
        assert_eq!((damage.file.as_str(), damage.frame), ("0000000001.seg", 2), "byte {offset}");
        assert_eq!((damage.from_record, damage.to_record), (2, Some(1)), "after record 1");
        let opened = journal::open(&mut rotten, tiny(), 0, &mut |_| Ok(())).map(|_| ());
        assert!(matches!(opened, Err(OpenError::Damaged(_))), "byte {offset}");
    }
}

#[test]
fn a_stopped_segment_that_lost_unwritten_space_is_damage() {
    let disk = stopped();
    let end = frames(&disk, LAST).last().unwrap().1;
    for at in [end, end + 1, 3071] {
        let short = cut(&disk, LAST, at, true);
        let (report, last) = check(&short, Extent::All);
        let flaw = Flaw::SegmentBytes { bytes: at as u64, of: 3072 };
        assert_eq!((report.damage[0].flaw, last), (flaw, 10), "ends at {at}");
        assert!(matches!(reopen(short, tiny()), Err(OpenError::Damaged(_))), "ends at {at}");
    }
}
