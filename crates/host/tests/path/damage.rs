//! A hub's journal that somebody touched: every flipped byte is found, and a cut tail is told from
//! damage by what the head had acknowledged.

use journal::Disk;
use journal::sim_disk::SimDisk;

use crate::forged::Tale;
use crate::world::{World, field};

/// A nation with a few payments behind it.
fn paid(payments: u32) -> World {
    let mut world = World::start();
    let terminal = world.terminal();
    for number in 1..=payments {
        let card = world.card(2, number);
        let purchase = world.purchase(&format!("{number:06}"), &card, "000000000100");
        assert_eq!(field(&world.ask(terminal, &purchase), 39), "00");
    }
    world
}

/// Where the bytes of a file end that are not zero.
fn written(disk: &SimDisk, name: &str) -> usize {
    let bytes = disk.contents(name).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn segment(disk: &SimDisk) -> String {
    disk.names().into_iter().find(|name| name.ends_with(".seg")).unwrap()
}

#[test]
fn any_flipped_byte_of_a_stopped_journal_is_found_and_named() {
    let mut world = paid(3);
    let (mut disk, _) = world.take_hub(true);
    assert!(world.verify(&mut disk).ok);
    for name in disk.names() {
        let length = disk.contents(&name).unwrap().len();
        let end = written(&disk, &name);
        // Every written byte; of the zeros behind them, one in 61.
        let places = (0..end).chain((end..length).step_by(61));
        for (turn, at) in places.enumerate() {
            let mask = 1 << (turn % 8);
            disk.flip(&name, at as u64, mask);
            let report = world.verify(&mut disk);
            assert!(!report.ok, "{name}: byte {at} flipped by {mask:#x} is not found");
            let named = report.damage.iter().any(|damage| damage.file == name);
            assert!(named, "{name}: byte {at}: {:?}", report.damage);
            disk.flip(&name, at as u64, mask);
        }
    }
    assert!(world.verify(&mut disk).ok, "every flip was undone");
}

/// The first byte of the last frame of a segment: the last place where the frame's magic stands.
fn last_frame(disk: &SimDisk, name: &str) -> usize {
    let bytes = disk.contents(name).unwrap();
    let block = 512;
    let end = written(disk, name);
    let magic = &bytes[block..block + 4];
    (1..end.div_ceil(block))
        .rev()
        .map(|b| b * block)
        .find(|at| &bytes[*at..at + 4] == magic)
        .unwrap()
}

fn cut(disk: &SimDisk, name: &str, at: usize) -> SimDisk {
    let mut torn = disk.clone();
    let mut bytes = disk.contents(name).unwrap().to_vec();
    bytes[at..].fill(0);
    torn.put(name, bytes);
    torn
}

#[test]
fn a_tail_cut_after_a_kill_is_recovered_and_reported() {
    let mut world = paid(2);
    // The head is published once more, then one payment more is made.
    let (disk, _) = world.take_hub(false);
    let name = segment(&disk);
    let (start, end) = (last_frame(&disk, &name), written(&disk, &name));
    let whole = world.verify(&mut disk.clone()).records;
    for at in start..end {
        let mut torn = cut(&disk, &name, at);
        let report = world.verify(&mut torn);
        assert!(report.ok, "cut at {at}: {:?}", report.damage);
        assert!(report.records < whole, "cut at {at}");
        let opened = world.reopen(torn).unwrap();
        // A tail that is zero from its first byte on was never begun.
        assert_eq!(opened.recovery.cut.is_some(), at > start, "cut at {at}");
        assert_eq!(opened.recovery.records, report.records, "cut at {at}");
    }
}

#[test]
fn a_tail_cut_after_a_clean_stop_is_damage() {
    let mut world = paid(2);
    let (disk, _) = world.take_hub(true);
    let name = segment(&disk);
    let (start, end) = (last_frame(&disk, &name), written(&disk, &name));
    let whole = world.verify(&mut disk.clone()).records;
    for at in start..end {
        let mut torn = cut(&disk, &name, at);
        let report = world.verify(&mut torn);
        assert!(!report.ok, "cut at {at}");
        assert!(report.damage.iter().any(|damage| damage.file == name), "{:?}", report.damage);
        assert!(report.records > 0 && report.records < whole, "all earlier records are read");
        assert!(world.reopen(torn).is_err(), "a damaged journal is not opened");
    }
}

/// Only what was in a lost segment is lost, and of what is beside the journal nothing is.
#[test]
fn the_books_are_whole_up_to_the_segment_that_is_lost() {
    let mut world = paid(90);
    let (disk, _) = world.take_hub(true);
    let mut disk = Tale::of(&disk).in_segments(8 * 1024, None);
    let sealed = journal::index::sealed(&mut disk).unwrap();
    assert!(sealed.len() > 3, "{sealed:?}");
    let keys = host::history::HubKeys::new(&world.config);
    for one in &sealed {
        journal::index::build(&mut disk, one.number, &keys).unwrap();
    }
    let mut first = 1;
    for (at, one) in sealed.iter().enumerate() {
        let file = format!("{:010}.seg", one.number);
        let mut gone = disk.clone();
        gone.remove(&file).unwrap();
        if at > 1 {
            gone.remove(&format!("{:010}.seg", one.number - 1)).unwrap();
            first = sealed[at - 2].last_record + 1;
        }
        let mut report = world.verify(&mut gone);
        // Its index is all that is left of it.
        host::offline::check_indexes(&world.config, &mut gone, &mut report).unwrap();
        let [damage] = report.damage.as_slice() else { panic!("{report:?}") };
        assert_eq!((damage.from_record, damage.to_record), (first, Some(one.last_record)));
        assert_eq!(report.stops_before, Some(first), "{report:?}");
        assert_eq!((report.checked.records, report.first_record), (first - 1, 1));
        assert!(!report.is_complete() && report.remedies[0].contains("delete nothing"));
        assert_eq!(report.remedies.len(), 1, "{:?}", report.remedies);
        first = one.last_record + 1;
    }
}

#[test]
fn what_is_wrong_beside_the_journal_leaves_the_books_whole() {
    let mut world = paid(3);
    let (mut disk, _) = world.take_hub(true);
    let whole = world.verify(&mut disk.clone());
    assert!(whole.ok && whole.is_complete() && whole.remedies.is_empty());
    disk.put("snapshot-00000000000000000002.snap", vec![7; 8192]);
    let report = world.verify(&mut disk);
    let [damage] = report.damage.as_slice() else { panic!("{report:?}") };
    assert_eq!(damage.file, "snapshot-00000000000000000002.snap");
    assert!(damage.what.ends_with("(after record 2)"), "{}", damage.what);
    assert_eq!(report.of(damage.check), (1, whole.of(damage.check).1 + 1), "it was looked at");
    assert!(!report.ok && report.is_complete() && report.stops_before.is_none());
    assert!(report.remedies[0].starts_with("no record is lost"), "{:?}", report.remedies);
    // A whole journal whose head is lost: whether more was acknowledged nobody knows.
    disk.remove("snapshot-00000000000000000002.snap").unwrap();
    disk.remove("head").unwrap();
    let report = world.verify(&mut disk);
    let [damage] = report.damage.as_slice() else { panic!("{report:?}") };
    let next = whole.records + 1;
    assert_eq!((damage.file.as_str(), report.stops_before), ("head", Some(next)));
    assert!(!report.is_complete() && report.checked.records == whole.records);
}
