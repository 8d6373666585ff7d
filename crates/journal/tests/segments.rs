//! Whole segments that are lost, cut, swapped or another journal's: which file it is, exactly the
//! records that went with it, and every record before it is given.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Batch, Block, Damage, Disk, Extent, Flaw, Report, Verified, anchor, retire, shelf};
use support::{SEGMENT, append, check, filled, options, record, reopen};

fn name(number: u64) -> String {
    format!("{number:010}.seg")
}

/// The records of a segment in use, from its header and that of the next, or the last of all.
struct Used {
    number: u64,
    first: u64,
    last: u64,
}

fn used(disk: &SimDisk) -> Vec<Used> {
    let field = |name: &str, at: usize| {
        let bytes = disk.contents(name).unwrap();
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    };
    let names = disk.names();
    let segments = names.iter().filter(|name| name.ends_with(".seg"));
    let firsts: Vec<(u64, u64)> = segments
        .filter(|name| field(name, 16) > 0)
        .map(|name| (field(name, 16), field(name, 40)))
        .collect();
    let end = check(disk, Extent::All).1;
    let lasts = firsts.iter().skip(1).map(|(_, first)| first - 1).chain([end]);
    firsts
        .iter()
        .zip(lasts)
        .map(|((number, first), last)| Used { number: *number, first: *first, last })
        .collect()
}

/// A stopped journal of several segments; the last one is in use.
fn stopped() -> SimDisk {
    let disk = filled(Block::B512, 200, false).stop(0).unwrap();
    assert!(used(&disk).len() >= 6, "it rotates");
    disk
}

/// Another journal of as many segments, of the same role, in which no record is as here.
fn stranger() -> SimDisk {
    let mut writer = reopen(SimDisk::new(5), options(Block::B512)).unwrap().writer;
    for frame in 0..300 {
        let first = writer.mark().record + 1;
        let mut batch = Batch::new(record(first).2);
        for number in first..=first + frame % 5 {
            let (kind, version, time_ns, mut payload) = record(number);
            payload.push(0);
            batch.push(kind, version, time_ns, &payload).unwrap();
        }
        writer.append(&mut batch).unwrap();
    }
    writer.stop(0).unwrap()
}

/// The flaws by file.
fn flaws(report: &Report) -> Vec<(&str, Flaw)> {
    report.damage.iter().map(|damage| (damage.file.as_str(), damage.flaw)).collect()
}

/// Exactly these files are blamed, exactly these records are lost, and all before them are given.
fn only(disk: &SimDisk, case: &str, wrong: &[(u64, Flaw)], from: u64, to: u64) {
    let all = check(&stopped(), Extent::All).1;
    for extent in [Extent::All, Extent::UpToHead] {
        let (report, given) = check(disk, extent);
        let names: Vec<String> = wrong.iter().map(|(number, _)| name(*number)).collect();
        let expected: Vec<(&str, Flaw)> =
            names.iter().zip(wrong).map(|(name, (_, flaw))| (name.as_str(), *flaw)).collect();
        assert_eq!(flaws(&report), expected, "{case}, {extent:?}");
        for Damage { from_record, to_record, .. } in &report.damage {
            assert_eq!((*from_record, *to_record), (from, Some(to)), "{case}, {extent:?}");
        }
        assert_eq!(given, from - 1, "{case}, {extent:?}: all before it are given");
        assert_eq!(report.records, all - (to + 1 - from), "{case}, {extent:?}: all others hold");
        assert_eq!(report.first_record, 1, "{case}: nothing was put away");
    }
}

#[test]
fn a_lost_segment_takes_its_own_records_and_no_others() {
    let disk = stopped();
    let other = stranger();
    for Used { number, first, last } in used(&disk) {
        let file = name(number);
        let spoiled = |spoil: &dyn Fn(&mut SimDisk)| {
            let mut spoilt = disk.clone();
            spoil(&mut spoilt);
            spoilt
        };
        let gone = spoiled(&|disk| disk.remove(&file).unwrap());
        only(&gone, "gone", &[(number, Flaw::SegmentMissing)], first, last);
        let flipped = spoiled(&|disk| disk.flip(&file, 40, 1));
        only(&flipped, "flipped", &[(number, Flaw::SegmentHeader)], first, last);
        let empty = spoiled(&|disk| disk.put(&file, Vec::new()));
        let of = Flaw::SegmentBytes { bytes: 0, of: SEGMENT };
        only(&empty, "empty", &[(number, of)], first, last);
        let foreign = spoiled(&|disk| disk.put(&file, other.contents(&file).unwrap().to_vec()));
        only(&foreign, "foreign", &[(number, Flaw::SegmentForeign)], first, last);
    }
}

#[test]
fn segments_that_are_lost_together_bound_each_other() {
    let disk = stopped();
    let used = used(&disk);
    let count = used.len();
    for (at, pair) in used.windows(2).enumerate() {
        let [one, two] = pair else { unreachable!() };
        let (from, to) = (one.first, two.last);
        let mut gone = disk.clone();
        gone.remove(&name(one.number)).unwrap();
        gone.flip(&name(two.number), 100, 4);
        let wrong = [(one.number, Flaw::SegmentMissing), (two.number, Flaw::SegmentHeader)];
        only(&gone, "one gone, one flipped", &wrong, from, to);
        gone.remove(&name(two.number)).unwrap();
        let both = Flaw::SegmentsMissing { last: two.number };
        only(&gone, "both gone", &[(one.number, both)], from, to);
        let mut swapped = disk.clone();
        swapped.put(&name(one.number), disk.contents(&name(two.number)).unwrap().to_vec());
        swapped.put(&name(two.number), disk.contents(&name(one.number)).unwrap().to_vec());
        let wrong = [
            (one.number, Flaw::SegmentOf { number: two.number }),
            (two.number, Flaw::SegmentOf { number: one.number }),
        ];
        only(&swapped, "swapped", &wrong, from, to);
        if at + 2 < count {
            let other = stranger();
            let mut foreign = disk.clone();
            for one in pair {
                let bytes = other.contents(&name(one.number)).unwrap().to_vec();
                foreign.put(&name(one.number), bytes);
            }
            let wrong = [one, two].map(|one| (one.number, Flaw::SegmentForeign));
            only(&foreign, "both foreign", &wrong, from, to);
        }
    }
    let mut none = disk.clone();
    for one in &used {
        none.remove(&name(one.number)).unwrap();
    }
    let all = Flaw::SegmentsMissing { last: used[count - 1].number };
    only(&none, "all gone", &[(1, all)], 1, used[count - 1].last);
}

/// The head says which of two rows is this journal's, however few its segments are.
#[test]
fn a_longer_row_of_strangers_is_not_believed_against_the_head() {
    let (mut disk, other) = (stopped(), stranger());
    let used = used(&disk);
    let own = used.len() - 2;
    for Used { number, .. } in &used[..own] {
        disk.put(&name(*number), other.contents(&name(*number)).unwrap().to_vec());
    }
    let wrong: Vec<(u64, Flaw)> =
        used[..own].iter().map(|one| (one.number, Flaw::SegmentForeign)).collect();
    assert!(own > 2, "the longer row");
    only(&disk, "most are foreign", &wrong, 1, used[own - 1].last);
}

/// Nobody can tell which of two the stranger is, or the head's frame is lost as well: then nothing
/// is given that may be a stranger's.
#[test]
fn where_strangers_and_damage_meet_nothing_false_is_given() {
    let (whole, other) = (stopped(), stranger());
    let foreign = |disk: &mut SimDisk, number: u64| {
        disk.put(&name(number), other.contents(&name(number)).unwrap().to_vec());
    };
    let mut around = whole.clone();
    foreign(&mut around, 1);
    foreign(&mut around, 3);
    let (report, given) = check(&around, Extent::All);
    let wrong = [name(1), name(3)];
    let wrong = wrong.each_ref().map(|file| (file.as_str(), Flaw::SegmentForeign));
    assert_eq!((flaws(&report), given), (wrong.to_vec(), 0));
    let last = used(&whole).last().unwrap().number;
    let mut short = whole.clone();
    foreign(&mut short, 1);
    short.put(&name(last), whole.contents(&name(last)).unwrap()[..1024].to_vec());
    let (report, given) = check(&short, Extent::All);
    let bytes = Flaw::SegmentBytes { bytes: 1024, of: SEGMENT };
    let (one, end) = (name(1), name(last));
    let wrong = [(one.as_str(), Flaw::SegmentForeign), (end.as_str(), bytes)];
    assert_eq!((flaws(&report), given), (wrong.to_vec(), 0));
}

/// What `ledger verify` advises: a segment that others follow is the same in every copy.
#[test]
fn a_lost_segment_can_be_put_back_out_of_an_older_copy() {
    let mut writer = filled(Block::B512, 120, false);
    writer.publish_head(u64::MAX).unwrap();
    let mut copy = SimDisk::new(9);
    let until = journal::Until::all(Extent::UpToHead);
    journal::copy(writer.disk_mut(), &mut copy, until).unwrap();
    for frame in 0..80 {
        append(&mut writer, frame % 3 + 1).unwrap();
        writer.maintain().unwrap();
    }
    let disk = writer.stop(0).unwrap();
    let in_both = used(&copy).len() - 1;
    assert!(in_both > 2 && used(&disk).len() > in_both + 1);
    for Used { number, .. } in used(&disk).into_iter().take(in_both + 1) {
        let mut mended = disk.clone();
        mended.remove(&name(number)).unwrap();
        mended.put(&name(number), copy.contents(&name(number)).unwrap().to_vec());
        let (report, _) = check(&mended, Extent::All);
        // The copy's last segment was not full yet, and is no segment that others follow.
        let expected: Vec<(String, Flaw)> = if number as usize > in_both {
            vec![(name(number), Flaw::FramesMissing)]
        } else {
            vec![]
        };
        let found: Vec<(String, Flaw)> =
            report.damage.into_iter().map(|damage| (damage.file, damage.flaw)).collect();
        assert_eq!(found, expected, "segment {number}");
    }
}

/// What stands before the cut is given, and the file's length is told.
#[test]
fn a_segment_that_is_cut_off_is_short() {
    let disk = stopped();
    for Used { number, first, last } in used(&disk) {
        let bytes = disk.contents(&name(number)).unwrap().to_vec();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for at in (512..written).step_by(739) {
            let mut short = disk.clone();
            short.put(&name(number), bytes[..at].to_vec());
            let (report, given) = check(&short, Extent::All);
            let flaw = Flaw::SegmentBytes { bytes: at as u64, of: SEGMENT };
            assert_eq!(flaws(&report), [(name(number).as_str(), flaw)], "segment {number} at {at}");
            let damage = &report.damage[0];
            assert_eq!((damage.from_record, damage.to_record), (given + 1, Some(last)));
            assert!((first - 1..last).contains(&given), "segment {number} at {at}: {given}");
        }
    }
}

/// Zeros where the last frames of a sealed segment were: it is that one, and not its neighbours.
#[test]
fn a_sealed_segment_that_lost_its_last_frames_is_named() {
    let disk = stopped();
    for Used { number, last, .. } in used(&disk).into_iter().rev().skip(1) {
        let mut bytes = disk.contents(&name(number)).unwrap().to_vec();
        let starts: Vec<usize> = (512..bytes.len())
            .step_by(512)
            .filter(|at| bytes[*at..].starts_with(b"BgFr"))
            .collect();
        let at = starts[starts.len() - 2];
        let first = u64::from_le_bytes(bytes[at + 24..at + 32].try_into().unwrap());
        bytes[at..].fill(0);
        let mut spoilt = disk.clone();
        spoilt.put(&name(number), bytes);
        only(&spoilt, "no end", &[(number, Flaw::FramesMissing)], first, last);
    }
}

/// Without the head only what stands behind it is unknown.
#[test]
fn without_a_head_all_the_rest_is_judged_as_before() {
    let mut writer = filled(Block::B512, 200, true);
    let all = writer.mark().record;
    let stops = writer.disk_mut().clone();
    let disk = writer.stop(0).unwrap();
    for (mut disk, case) in [(disk, "stopped"), (stops, "killed")] {
        disk.remove("head").unwrap();
        let (report, given) = check(&disk, Extent::All);
        assert_eq!(flaws(&report), [("head", Flaw::HeadLost)], "{case}");
        assert_eq!((report.damage[0].from_record, given), (all + 1, all), "{case}");
        let used = used(&disk);
        let lost = &used[2];
        disk.remove(&name(lost.number)).unwrap();
        let (report, given) = check(&disk, Extent::All);
        let missing = name(lost.number);
        let expected = [(missing.as_str(), Flaw::SegmentMissing), ("head", Flaw::HeadLost)];
        assert_eq!((flaws(&report), given), (expected.to_vec(), lost.first - 1), "{case}");
        assert_eq!(report.damage[0].to_record, Some(lost.last), "{case}");
    }
}

/// Of what was put away the anchor still says everything.
#[test]
fn behind_an_anchor_the_first_segment_that_stays_may_be_lost() {
    let mut disk = stopped();
    let last = shelf(&mut disk).unwrap().sealed[1].last_record;
    anchor(&mut disk, 2, b"all before").unwrap();
    retire(&mut disk, 2).unwrap();
    let third = &used_behind(&disk, 3);
    disk.remove(&name(3)).unwrap();
    let mut base = Vec::new();
    let report = journal::verify_states(disk, Extent::All, &mut |item| {
        match item {
            Verified::Base { record, bytes, .. } => base.push((record, bytes.to_vec())),
            Verified::Record(view) => panic!("record {} is given", view.number),
            Verified::State { .. } => {}
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(base, [(last, b"all before".to_vec())]);
    assert_eq!(flaws(&report), [(name(3).as_str(), Flaw::SegmentMissing)]);
    let damage = &report.damage[0];
    assert_eq!((damage.from_record, damage.to_record), (last + 1, Some(*third)));
    assert_eq!(report.first_record, last + 1);
}

/// The last record of a segment.
fn used_behind(disk: &SimDisk, number: u64) -> u64 {
    let shelf = shelf(&mut disk.clone()).unwrap();
    shelf.sealed.iter().find(|sealed| sealed.number == number).unwrap().last_record
}

/// A file beside the journal that does not hold is named, with the record that it is of, and
/// nothing of the journal is.
#[test]
fn a_snapshot_is_named_by_its_record_and_no_frame() {
    let mut disk = filled(Block::B512, 60, true).stop(0).unwrap();
    let names = disk.names();
    let file = names.iter().find(|name| name.ends_with(".snap")).unwrap();
    disk.flip(file, 4200, 1);
    let (report, given) = check(&disk, Extent::All);
    assert_eq!(given, check(&disk, Extent::UpToHead).1);
    assert_eq!((flaws(&report), given), (vec![(file.as_str(), Flaw::Snapshot)], record_count(60)));
    let text = report.damage[0].to_string();
    let of: u64 = file[9..29].parse().unwrap();
    assert!(text.ends_with(&format!("(after record {of})")), "{text}");
}

fn record_count(frames: u64) -> u64 {
    (0..frames).map(|frame| frame % 3 + 1).sum()
}

/// Several things wrong at once, of every kind: nothing but what was written is ever given, all of
/// it up to the first record that is said to be lost, and something is always found.
#[test]
fn whatever_is_wrong_together_nothing_false_is_given() {
    let (whole, other) = (stopped(), stranger());
    let names: Vec<String> = used(&whole).iter().map(|one| name(one.number)).collect();
    for seed in 0..support::seeds(300) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound
        };
        let mut disk = whole.clone();
        let mut done = Vec::new();
        for _ in 0..=below(4) {
            let file = &names[below(names.len())];
            let bytes = disk.contents(file).map(<[u8]>::to_vec).unwrap_or_default();
            let kind = below(7);
            // Of a stranger only its neighbours tell.
            let at = names.iter().position(|name| name == file).unwrap();
            let is_near = |(other, known): &(usize, usize)| {
                other.abs_diff(at) < 2 && (*known == 3 || kind == 3)
            };
            if done.iter().any(is_near) {
                continue;
            }
            done.push((at, kind));
            match kind {
                0 => drop(disk.remove(file)),
                1 | 2 if bytes.is_empty() => {}
                1 => disk.flip(file, below(bytes.len()) as u64, 1 << below(8)),
                2 => disk.put(file, bytes[..below(bytes.len())].to_vec()),
                3 => disk.put(file, other.contents(file).unwrap().to_vec()),
                4 => {
                    let from = &names[below(names.len())];
                    disk.put(file, whole.contents(from).unwrap().to_vec());
                }
                5 => disk.put(file, vec![0; bytes.len()]),
                _ => drop(disk.remove("head")),
            }
        }
        let changed = disk.names() != whole.names()
            || whole.names().iter().any(|name| disk.contents(name) != whole.contents(name));
        // Every record that is given is held against what was written.
        let (report, given) = check(&disk, Extent::All);
        assert_eq!(
            report.damage.is_empty(),
            !changed,
            "seed {seed}: {done:?}: {:?}",
            report.damage
        );
        let lost = report.damage.iter().filter(|damage| {
            damage.to_record.is_none_or(|to| to >= damage.from_record)
                || report.last_record >= damage.from_record
        });
        let first = lost.map(|damage| damage.from_record).min();
        let end = first.map_or(report.last_record, |first| first - 1);
        assert_eq!(given, end, "seed {seed}: {done:?}: {:?}", report.damage);
    }
}
