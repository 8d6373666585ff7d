//! A stopped journal of 1,000 records with its head, two snapshots, the segment made ahead and the
//! indexes of its sealed segments: every byte of every file, flipped in one way and another,
//! is found, and opening never gives anything else than what was written.
//!
//! `cargo test` takes a sample, the same each time; `cargo xtask crash-matrix` all of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::index::{Keys, KeysOf, build, check as check_index, index_number, sealed};
use journal::sim_disk::SimDisk;
use journal::{Batch, Block, Extent, OpenError, Options, RecordView, Replay, Work, verify};
use support::options;

const RECORDS: u64 = 1_000;

/// The bit that is flipped, or all eight.
const MASKS: [u8; 9] = [255, 1, 2, 4, 8, 16, 32, 64, 128];

/// Every record by its number.
struct ByNumber;

impl KeysOf for ByNumber {
    fn version(&self) -> u16 {
        1
    }
    fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
        keys.key(support::key(1, &[record.number]));
        keys.span(0, record.time_ns);
        keys.tag(u64::from(record.kind));
    }
}

fn small() -> Options {
    Options { segment_bytes: 16 * 1024, ..options(Block::B512) }
}

/// Short, so that every byte is a matter of minutes.
fn payload(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(usize::try_from(number % 5).unwrap())
}

const TIME_NS: u64 = 1_700_000_000_000_000_000;

fn batch(first: u64, count: u64) -> Batch {
    let mut batch = Batch::new(TIME_NS);
    for number in first..first + count {
        batch.push(1, 1, TIME_NS + number * 1_000, &payload(number)).unwrap();
    }
    batch
}

/// What a start makes of it: the last record, after every one was held against what was written.
fn open(disk: &mut SimDisk) -> Result<u64, OpenError> {
    let mut last = 0;
    let opened = journal::open(disk, small(), 5_000, &mut |replay| {
        match replay {
            Replay::Snapshot { record, bytes } => {
                assert_eq!(bytes, vec![9; 3_000]);
                last = record;
            }
            Replay::Record(view) => {
                assert_eq!((view.number, view.payload), (last + 1, &payload(view.number)[..]));
                last = view.number;
            }
            Replay::End => {}
        }
        Ok(())
    });
    opened.map(|_| last)
}

fn journal() -> SimDisk {
    let mut writer = journal::open(SimDisk::new(3), small(), 0, &mut |_| Ok(())).unwrap().0;
    let mut frame = 0;
    while writer.mark().record < RECORDS {
        let left = RECORDS - writer.mark().record;
        let first = writer.mark().record + 1;
        writer.append(&mut batch(first, (frame % 40 + 1).min(left))).unwrap();
        writer.publish_head(frame * 10_000).unwrap();
        if [20, 25].contains(&frame) {
            let record = writer.mark().record;
            writer.write_snapshot(record, 0, vec![9; 3_000]).unwrap();
        }
        frame += 1;
    }
    while writer.maintain().unwrap() == Work::More {}
    let mut disk = writer.stop(1).unwrap();
    for segment in sealed(&mut disk).unwrap() {
        build(&mut disk, segment.number, &ByNumber).unwrap();
    }
    disk
}

/// From one byte that is flipped to the next, and whether each gets all masks or the next of them.
fn extent() -> (usize, bool) {
    match std::env::var("BONGSU_CRASH_MATRIX").as_deref() {
        Ok("full") => (1, true),
        Ok(_) | Err(_) => (31, false),
    }
}

/// Whether a check of this file of the disk finds anything.
fn is_found(disk: &mut SimDisk, name: &str) -> bool {
    if let Some(number) = index_number(name) {
        // An index that does not hold counts as none: it is built again out of its segment.
        return !matches!(check_index(disk, number, &ByNumber), Ok(true));
    }
    let report = verify(disk, Extent::All, &mut |_| Ok(())).unwrap();
    report.damage.iter().any(|damage| damage.file == name)
}

#[test]
fn every_flipped_byte_of_a_journal_of_1000_records_is_found() {
    let mut disk = journal();
    let names = disk.names();
    let of = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    assert!(of(".seg") >= 3 && of(".snap") == 2 && of(".idx") >= 1, "{names:?}");
    let whole = verify(&mut disk, Extent::All, &mut |_| Ok(())).unwrap();
    assert_eq!((whole.damage.as_slice(), whole.records, whole.stopped), (&[][..], RECORDS, true));
    assert!(names.iter().all(|name| !is_found(&mut disk, name)));
    let (step, all) = extent();
    let (mut bytes, mut flips, mut opened, mut turn) = (0u64, 0u64, 0u64, 0usize);
    for name in &names {
        eprintln!("{name}: {} bytes; {flips} flips before", disk.contents(name).unwrap().len());
        let length = disk.contents(name).unwrap().len();
        for at in (0..length).step_by(step) {
            bytes += 1;
            let first = (turn + 1) % MASKS.len();
            let masks = if all { &MASKS[..] } else { &MASKS[first..=first] };
            for mask in masks.iter().copied() {
                turn += 1;
                disk.flip(name, at as u64, mask);
                assert!(is_found(&mut disk, name), "{name}: byte {at} ^ {mask:#04x} is not found");
                // Nothing wrong is ever given to anybody.
                if turn.is_multiple_of(if all { 20 } else { 7 }) {
                    match open(&mut disk.clone()) {
                        Ok(last) => assert_eq!(last, RECORDS, "{name}: byte {at}"),
                        Err(OpenError::Damaged(_)) => {}
                        Err(other) => panic!("{name}: byte {at}: {other}"),
                    }
                    opened += 1;
                }
                disk.flip(name, at as u64, mask);
                flips += 1;
            }
        }
    }
    assert!(names.iter().all(|name| !is_found(&mut disk, name)), "every flip was undone");
    eprintln!("{bytes} bytes, {flips} flips, {opened} openings: every flip found");
}
