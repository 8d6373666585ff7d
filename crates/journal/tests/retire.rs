//! Segments that are put away: what was archived and what stays are one chain, and no crash loses a
//! record of either.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::{Plan, SimDisk};
use journal::{
    Block, Disk, Extent, Flaw, Layered, RetireError, Verified, anchor, copy_whole, file_hash,
    oldest, places, retire, shelf, stands, verify_states,
};
use support::{append, filled, options, record, reopen};

/// A caller's state after a record.
fn state(record: u64) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(record % 251).unwrap(); 5000];
    bytes.extend_from_slice(&record.to_le_bytes());
    bytes
}

/// A stopped journal of several segments, with indexes or what looks like them.
fn stopped() -> SimDisk {
    let mut disk = filled(Block::B512, 90, true).stop(0).unwrap();
    for number in 1..4 {
        disk.put(&format!("{number:010}.idx"), vec![1; 4096]);
    }
    disk
}

/// The last record of a sealed segment.
fn last_record(disk: &SimDisk, number: u64) -> u64 {
    let shelf = shelf(&mut disk.clone()).unwrap();
    shelf.sealed.iter().find(|sealed| sealed.number == number).unwrap().last_record
}

/// Copies what is to go, and what stands for it.
fn archived(source: &mut SimDisk, target: &mut SimDisk, through: u64) {
    let last = last_record(source, through);
    let file = anchor(source, through, &state(last)).unwrap();
    for sealed in shelf(source).unwrap().sealed.iter().filter(|s| s.number <= through) {
        let hash = copy_whole(source, target, &sealed.file).unwrap();
        assert_eq!(file_hash(target, &sealed.file).unwrap(), Some(hash));
    }
    copy_whole(source, target, &file).unwrap();
    target.sync_dir().unwrap();
}

/// Reads all of it, and returns the first and the last record, and what is wrong.
fn read(disk: impl Disk) -> (u64, u64, Vec<(String, Flaw)>) {
    let (mut first, mut last) = (0, 0);
    let report = verify_states(disk, Extent::All, &mut |item| {
        match item {
            Verified::Base { record, bytes, .. } => {
                assert_eq!((first, bytes), (0, &state(record)[..]));
                last = record;
            }
            Verified::Record(view) => {
                assert!(first == 0 && last == 0 || view.number == last + 1, "{}", view.number);
                assert_eq!(view.payload, record(view.number).3);
                last = view.number;
                first = if first == 0 { last } else { first };
            }
            Verified::State { record, file, bytes } => {
                assert_eq!(record, last, "{file}");
                let own = if file.ends_with(".anc") { state(record) } else { vec![9; 5000] };
                assert_eq!(bytes, own, "{file}");
            }
        }
        Ok(())
    })
    .unwrap();
    let damage = report.damage.into_iter().map(|damage| (damage.file, damage.flaw));
    (first, last, damage.collect())
}

#[test]
fn what_was_put_away_and_what_stays_are_one_chain() {
    let (mut disk, mut away) = (stopped(), SimDisk::new(1));
    let (_, last, _) = read(&mut disk.clone());
    let mut first = 1;
    for through in [2, 3] {
        let before = last_record(&disk, through);
        archived(&mut disk, &mut away, through);
        let gone = retire(&mut disk, through).unwrap();
        assert_eq!(gone, if through == 2 { 2 } else { 1 });
        let names = disk.names();
        assert!(names.iter().all(|name| *name > format!("{through:010}.seg")), "{names:?}");
        assert_eq!(names.iter().filter(|name| name.ends_with(".anc")).count(), 1, "{names:?}");
        first = before + 1;
        assert_eq!(read(&mut disk.clone()), (first, last, vec![]));
        let whole = Layered(vec![disk.clone(), away.clone()]);
        assert_eq!(read(whole), (1, last, vec![]));
        // Done is done.
        assert_eq!(retire(&mut disk, through).unwrap(), 0);
    }
    // It is opened, goes on and is copied like any other.
    let mut opened = reopen(disk, options(Block::B512)).unwrap();
    assert_eq!((opened.last, opened.recovery.snapshots_refused.len()), (last, 0));
    append(&mut opened.writer, 3).unwrap();
    let mut disk = opened.writer.stop(3).unwrap();
    assert_eq!(read(&mut disk.clone()), (first, last + 3, vec![]));
    let mut copy = SimDisk::new(2);
    let until = journal::Until::all(Extent::All);
    journal::copy(&mut disk, &mut copy, until).unwrap();
    assert_eq!(read(&mut copy), (first, last + 3, vec![]));
    // Of the archive's last part alone, what it stood on is known too.
    for name in ["0000000001.seg", "0000000002.seg"] {
        away.remove(name).unwrap();
    }
    let part = Layered(vec![disk, away]);
    let (from, to, damage) = read(part);
    assert_eq!((to, damage), (last + 3, vec![]));
    assert!(from > 1 && from < first, "{from}");
}

/// Runs the removal on a disk that fails, and says how.
fn removed(plan: Plan) -> (SimDisk, Result<u64, RetireError>) {
    let mut disk = stopped();
    disk.sync_dir().unwrap();
    let last = last_record(&disk, 3);
    let start = disk.ops();
    let shift = |at: Option<u64>| at.map(|at| at + start);
    disk.plan = Plan { crash_at: shift(plan.crash_at), fail_at: shift(plan.fail_at), ..plan };
    let done = anchor(&mut disk, 3, &state(last)).and_then(|_| retire(&mut disk, 3));
    disk.plan = Plan::default();
    (disk, done)
}

#[test]
fn a_power_cut_or_an_error_at_any_step_leaves_the_segments_or_what_stands_for_them() {
    let mut whole = stopped();
    let mut away = SimDisk::new(1);
    let (_, last, _) = read(&mut whole.clone());
    archived(&mut whole, &mut away, 3);
    let kept = last_record(&whole, 3) + 1;
    let (mut steps, mut anchored, mut begun, mut swept) = (0u64, 0, 0, 0);
    'steps: for at in 0.. {
        for crash in [true, false] {
            let case = format!("{} at operation {at}", if crash { "power cut" } else { "error" });
            let cut = if crash { Some(at) } else { None };
            let fail = if crash { None } else { Some(at) };
            let plan = Plan { crash_at: cut, fail_at: fail, ..Plan::default() };
            let (mut disk, done) = removed(plan);
            if done.is_ok() {
                steps = at;
                break 'steps;
            }
            if crash {
                disk.crash();
            }
            // Alone it begins at the first record or behind the anchor; with the archive all is
            // there.
            let (first, to, damage) = read(&mut disk.clone());
            assert_eq!((to, &damage), (last, &vec![]), "{case}");
            assert!(first == 1 || first == kept, "{case}: {first}");
            let layers = Layered(vec![disk.clone(), away.clone()]);
            assert_eq!(read(layers), (1, last, vec![]), "{case}");
            let has = |name: &str| disk.names().iter().any(|known| known.starts_with(name));
            anchored += usize::from(has("anchor-"));
            begun += usize::from(has("0000000002.seg") && !has("0000000001.seg"));
            swept += usize::from(!has("0000000003."));
            // A start ends what was begun, or nothing was; then it can be done again.
            let opened = reopen(disk, options(Block::B512)).unwrap();
            assert_eq!(opened.last, last, "{case}");
            let mut disk = opened.writer.stop(9).unwrap();
            let names = disk.names();
            let left = names.iter().filter(|name| **name < format!("{:010}", 4)).count();
            assert!(left == 0 || left == 6, "{case}: {names:?}");
            if left > 0 {
                anchor(&mut disk, 3, &state(kept - 1)).unwrap();
            }
            retire(&mut disk, 3).unwrap();
            assert_eq!(read(&mut disk), (kept, last, vec![]), "{case}");
        }
    }
    assert!(steps > 20 && anchored > 10 && begun > 0 && swept > 0, "{steps} {anchored} {begun}");
}

#[test]
fn what_is_not_sealed_or_not_stopped_stays() {
    let mut disk = stopped();
    let names = disk.names();
    let last = shelf(&mut disk).unwrap().sealed.last().unwrap().number;
    for segment in [0, last + 1, last + 9] {
        let refused = RetireError::NotSealed { segment };
        assert_eq!(anchor(&mut disk, segment, &[]), Err(refused.clone()));
        assert_eq!(retire(&mut disk, segment), Err(refused));
    }
    // Without an anchor, or with another's.
    assert_eq!(retire(&mut disk, 2), Err(RetireError::NotWritten));
    let first = last_record(&disk, 1);
    anchor(&mut disk, 1, &state(first)).unwrap();
    assert_eq!(retire(&mut disk, 2), Err(RetireError::NotWritten));
    let running = reopen(disk.clone(), options(Block::B512)).unwrap().writer;
    let mut running = running.into_disk();
    assert!(!shelf(&mut running).unwrap().stopped);
    assert_eq!(retire(&mut running, 1), Err(RetireError::NotStopped));
    let segments = |names: &[String]| names.iter().filter(|n| n.ends_with(".seg")).count();
    assert_eq!(segments(&disk.names()), segments(&names));
}

#[test]
fn what_stands_for_segments_is_needed_and_every_byte_of_it_is_checked() {
    let mut disk = stopped();
    let last = last_record(&disk, 3);
    let file = anchor(&mut disk, 3, &state(last)).unwrap();
    retire(&mut disk, 3).unwrap();
    let (first, end, _) = read(&mut disk.clone());
    let length = disk.contents(&file).unwrap().len();
    for at in (0..200).chain((200..length).step_by(97)) {
        disk.flip(&file, at as u64, 1 << (at % 8));
        let (_, _, damage) = read_any(&disk);
        assert!(damage.contains(&(file.clone(), Flaw::AnchorLost)), "byte {at}: {damage:?}");
        disk.flip(&file, at as u64, 1 << (at % 8));
    }
    // An anchor that holds, of another journal with the same records.
    let mut other = reopen(SimDisk::new(7), options(Block::B512)).unwrap().writer;
    other.start_epoch(4, 0).unwrap();
    for frame in 0..90 {
        append(&mut other, frame % 3 + 1).unwrap();
    }
    let mut other = other.stop(0).unwrap();
    assert_eq!(anchor(&mut other, 3, &state(last)).unwrap(), file);
    let mut moved = disk.clone();
    moved.put(&file, other.contents(&file).unwrap().to_vec());
    let (_, _, damage) = read_any(&moved);
    assert!(damage.contains(&(file.clone(), Flaw::AnchorLost)), "{damage:?}");
    // Snapshots that do not hold are passed over, down to the anchor.
    let snapshots = |disk: &SimDisk| -> Vec<String> {
        disk.names().into_iter().filter(|name| name.ends_with(".snap")).collect()
    };
    let mut bare = disk.clone();
    for name in snapshots(&disk) {
        bare.flip(&name, 5000, 1);
    }
    let opened = reopen(bare.clone(), options(Block::B512)).unwrap();
    assert_eq!(opened.snapshot, Some((first - 1, state(first - 1))));
    assert_eq!((opened.first, opened.last), (first, end));
    // With it gone too, nobody knows what the records that stay stand on.
    bare.remove(&file).unwrap();
    let refused = reopen(bare.clone(), options(Block::B512)).map(|opened| opened.last);
    assert!(format!("{refused:?}").contains("HistoryMissing"), "{refused:?}");
    let (_, _, damage) = read_any(&bare);
    assert!(damage.contains(&(file, Flaw::AnchorLost)), "{damage:?}");
}

/// What is wrong, whatever is read.
fn read_any(disk: &SimDisk) -> (u64, u64, Vec<(String, Flaw)>) {
    let report = verify_states(disk.clone(), Extent::All, &mut |_| Ok(())).unwrap();
    let damage = report.damage.into_iter().map(|damage| (damage.file, damage.flaw));
    (report.first_record, report.last_record, damage.collect())
}

#[test]
fn an_archive_with_another_segment_or_without_one_is_no_part_of_the_chain() {
    let (mut disk, mut away) = (stopped(), SimDisk::new(1));
    archived(&mut disk, &mut away, 3);
    retire(&mut disk, 3).unwrap();
    let layers = |away: &SimDisk| {
        let report =
            verify_states(Layered(vec![disk.clone(), away.clone()]), Extent::All, &mut |_| Ok(()));
        report.unwrap().damage.into_iter().map(|damage| damage.flaw).collect::<Vec<_>>()
    };
    assert_eq!(layers(&away), []);
    let mut gap = away.clone();
    gap.remove("0000000002.seg").unwrap();
    assert!(!layers(&gap).is_empty());
    // A whole segment of another journal in its place.
    let mut other = away.clone();
    let mut stranger = reopen(SimDisk::new(5), options(Block::B512)).unwrap().writer;
    for _ in 0..90 {
        append(&mut stranger, 2).unwrap();
    }
    let stranger = stranger.stop(0).unwrap();
    other.put("0000000002.seg", stranger.contents("0000000002.seg").unwrap().to_vec());
    assert!(!layers(&other).is_empty());
    let mut rotten = away;
    rotten.flip("0000000001.seg", 700, 4);
    assert!(layers(&rotten).contains(&Flaw::FrameBroken));
}

/// What headers and anchors say of where they stand is what the chain is, and one that does not
/// hold says nothing.
#[test]
fn places_are_told_by_headers_and_anchors() {
    let (mut disk, mut away) = (stopped(), SimDisk::new(1));
    archived(&mut disk, &mut away, 2);
    let sealed = shelf(&mut disk).unwrap().sealed;
    let told = places(&mut disk).unwrap();
    assert_eq!(told.len(), sealed.len() + 1);
    for (sealed, place) in sealed.iter().zip(&told) {
        let before = (sealed.number - 1, sealed.first_record - 1, sealed.first_frame - 1);
        assert_eq!((place.segment, place.record, place.frame), before);
        assert_eq!((place.hash, place.time_ns), (sealed.previous, sealed.from_ns));
    }
    assert_eq!(stands(&mut away).unwrap(), [told[2]], "the anchor, and the header behind it");
    assert_eq!(places(&mut away).unwrap(), told[..2]);
    retire(&mut disk, 2).unwrap();
    assert_eq!(oldest(&mut disk).unwrap(), Some(3));
    assert_eq!(places(&mut disk).unwrap(), told[2..]);
    let anchor = journal::anchor_name(told[2].record);
    for (name, at) in [(anchor, 100), ("0000000001.seg".to_owned(), 20)] {
        away.flip(&name, at, 1);
    }
    assert_eq!(stands(&mut away).unwrap(), []);
    assert_eq!(places(&mut away).unwrap(), told[1..2]);
}
