//! Indexes of sealed segments: every key is found, nothing else is, whatever rots or is cut off.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use std::collections::BTreeMap;

use journal::index::{
    Build, Index, IndexError, Keys, KeysOf, Progress, Room, Sealed, active, build, check,
    first_record, list, sealed,
};
use journal::sim_disk::{CutDisk, Cuts, Plan, Sample, SimDisk};
use journal::{Block, RecordView};
use support::{append, filled, key, options, record, reopen};

/// A record is found by its number, by its kind, and, every third, by a key that it alone has.
struct Numbers;

impl KeysOf for Numbers {
    fn version(&self) -> u16 {
        7
    }

    fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
        keys.recent(key(1, &[record.number]));
        keys.key(key(2, &[u64::from(record.kind)]));
        if record.number.is_multiple_of(3) {
            keys.key(key(3, &[record.number, 9]));
        }
        keys.span(0, record.number);
        keys.tag(u64::from(record.kind));
    }
}

/// A journal of some segments, stopped, so that all but the last are sealed.
fn journal(block: Block) -> SimDisk {
    filled(block, 150, false).stop(9_000_000).unwrap()
}

fn opened(disk: &mut SimDisk, number: u64) -> Option<Index> {
    Index::open(disk, number, 7).unwrap()
}

/// The numbers of the records in the frames where a key is.
fn found(disk: &mut SimDisk, index: &Index, key: u64) -> Result<Vec<u64>, IndexError> {
    let mut places = Vec::new();
    index.find(disk, key, usize::MAX, &mut places)?;
    let mut numbers = Vec::new();
    for place in places {
        index.frame(disk, place, &mut |record| numbers.push(record.number))?;
    }
    Ok(numbers)
}

/// Every key of a sealed segment is found in it, and in no other.
fn everything_is_found(disk: &mut SimDisk, numbers: &[u64], warm: bool) {
    let mut indexes: Vec<Index> = numbers.iter().map(|n| opened(disk, *n).unwrap()).collect();
    if warm {
        indexes.iter_mut().for_each(|index| index.warm(disk).unwrap());
    }
    let mut kinds: BTreeMap<u8, u64> = BTreeMap::new();
    let mut falsely = 0;
    for at in 0..indexes.len() {
        let (index, summary) = (&indexes[at], indexes[at].summary().clone());
        assert_eq!(summary.spans[0].first..=summary.spans[0].last, {
            summary.first_record..=summary.last_record
        });
        let mut recent = Vec::new();
        for number in summary.first_record..=summary.last_record {
            recent.push(key(1, &[number]));
            let here = found(disk, index, key(1, &[number])).unwrap();
            assert!(here.contains(&number) && here.len() <= 3, "{number} in {here:?}");
            if number % 3 == 0 {
                assert!(found(disk, index, key(3, &[number, 9])).unwrap().contains(&number));
            }
            *kinds.entry(record(number).0).or_default() += 1;
            for other in indexes.iter().filter(|other| other.summary() != &summary) {
                falsely += found(disk, other, key(1, &[number])).unwrap().len();
            }
        }
        assert_eq!(index.recent(disk).unwrap(), recent);
        for kind in 0..7 {
            let here = found(disk, index, key(2, &[kind])).unwrap();
            let all = summary.first_record..=summary.last_record;
            let of_kind = all.filter(|n| u64::from(record(*n).0) == kind);
            assert!(of_kind.clone().all(|number| here.contains(&number)));
            assert_eq!(summary.tags.contains(&kind), of_kind.count() > 0);
        }
        assert!(check(disk, summary.segment, &Numbers).unwrap());
    }
    assert_eq!(falsely, 0, "64 bits do not collide by chance");
}

#[test]
fn every_key_is_found_in_its_segment_and_nowhere_else() {
    for block in [Block::B512, Block::B4096] {
        let mut disk = journal(block);
        let numbers: Vec<u64> = sealed(&mut disk).unwrap().iter().map(|one| one.number).collect();
        assert!(numbers.len() >= 3, "{numbers:?}");
        assert!(opened(&mut disk, 1).is_none(), "not built yet");
        for number in &numbers {
            let summary = build(&mut disk, *number, &Numbers).unwrap();
            assert_eq!(summary.segment, *number);
            let sealed = sealed(&mut disk).unwrap();
            assert!(sealed.iter().any(|s| s.last_record == summary.last_record));
        }
        assert_eq!(list(&mut disk).unwrap(), numbers);
        everything_is_found(&mut disk, &numbers, false);
        everything_is_found(&mut disk, &numbers, true);
        // Other keys, or the segment of another journal, are none of ours.
        assert!(Index::open(&mut disk, 1, 8).unwrap().is_none());
        let one = disk.contents("0000000001.idx").unwrap().to_vec();
        disk.put("0000000002.idx", one);
        assert!(opened(&mut disk, 2).is_none());
    }
}

/// Its parts beside the entries are longer than what is written in one step.
#[test]
fn an_index_of_many_pages_is_written_whole() {
    struct Many;
    impl KeysOf for Many {
        fn version(&self) -> u16 {
            1
        }
        fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
            (0..OF_RECORD).for_each(|n| keys.recent(key(8, &[record.number, n])));
        }
    }
    const OF_RECORD: u64 = 6_000;
    let mut disk = journal(Block::B512);
    let summary = build(&mut disk, 2, &Many).unwrap();
    let mut index = Index::open(&mut disk, 2, 1).unwrap().unwrap();
    let records = summary.first_record..=summary.last_record;
    let recent: Vec<u64> =
        records.flat_map(|number| (0..OF_RECORD).map(move |n| key(8, &[number, n]))).collect();
    assert!(recent.len() as u64 * 10 / 8 > 64 * 4096, "{} keys", recent.len());
    assert!(index.recent(&mut disk).unwrap() == recent);
    for parts in 0..3 {
        if parts > 0 {
            let whole = index.warm_on(&mut disk).unwrap();
            assert_eq!((whole, index.is_warm()), (parts == 2, parts == 2));
        }
        for key in recent.iter().step_by(recent.len() / 300) {
            let mut places = Vec::new();
            index.find(&mut disk, *key, 2, &mut places).unwrap();
            assert_eq!(places.len(), 1);
        }
    }
    assert!(check(&mut disk, 2, &Many).unwrap());
}

/// In the memory of other builds, given up at any step or done, it makes the same bytes.
#[test]
fn nothing_of_a_build_is_left_in_its_memory() {
    let whole: Vec<_> = {
        let mut disk = journal(Block::B512);
        let mut made = |number| {
            build(&mut disk, number, &Numbers).unwrap();
            disk.contents(&format!("{number:010}.idx")).unwrap().to_vec()
        };
        (1..=3).map(&mut made).collect()
    };
    let mut disk = journal(Block::B512);
    let mut room = Room::default();
    let (mut most, mut taken) = (0, 0);
    for given_up_at in 0.. {
        let number = given_up_at % 3 + 1;
        let mut build = Build::start(&mut disk, number, &Numbers, room).unwrap();
        for _ in 0..given_up_at {
            most += u64::from(build.step(&mut disk, &Numbers).unwrap() != Progress::More);
        }
        room = build.into_room();
        if most > 0 {
            break;
        }
        let number = (given_up_at + 1) % 3 + 1;
        let mut build = Build::start(&mut disk, number, &Numbers, room).unwrap();
        while build.step(&mut disk, &Numbers).unwrap() == Progress::More {}
        let index = build.open(&mut disk).unwrap();
        let mut read = Index::open(&mut disk, number, 7).unwrap().unwrap();
        read.warm(&mut disk).unwrap();
        assert_eq!(format!("{index:?}"), format!("{read:?}"), "in memory as on the disk");
        assert_eq!(build.recent(), read.recent(&mut disk).unwrap());
        let name = format!("{number:010}.idx");
        let made = disk.contents(&name).unwrap().to_vec();
        let right = &whole[usize::try_from(number - 1).unwrap()];
        assert!(made == *right, "after one given up at step {given_up_at}");
        room = build.into_room();
        assert!(room.bytes() > 0, "kept");
        if given_up_at > 3 {
            assert_eq!(room.bytes(), taken, "and no more is taken");
        }
        taken = room.bytes();
        assert!(given_up_at < 1000);
    }
}

/// One key that most records share fills many pages, and is found in each of its frames, once.
#[test]
fn a_key_of_many_pages_is_found_everywhere() {
    struct Same;
    impl KeysOf for Same {
        fn version(&self) -> u16 {
            1
        }
        fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
            keys.key(key(9, &[1]));
            (0..80).for_each(|n| keys.key(key(8, &[record.number, n])));
        }
    }
    let mut disk = journal(Block::B512);
    let summary = build(&mut disk, 2, &Same).unwrap();
    let index = Index::open(&mut disk, 2, 1).unwrap().unwrap();
    let here = found(&mut disk, &index, key(9, &[1])).unwrap();
    assert_eq!(here, (summary.first_record..=summary.last_record).collect::<Vec<_>>());
    let mut few = Vec::new();
    index.find(&mut disk, key(9, &[1]), 3, &mut few).unwrap();
    assert_eq!(few.len(), 3, "and not more of them than asked for");
    for n in 0..80 {
        let here = found(&mut disk, &index, key(8, &[summary.last_record, n])).unwrap();
        assert!(here.contains(&summary.last_record));
    }
}

/// A segment is indexed only once the head names a frame behind it: before, a crash could make it
/// the last again, and more frames would follow.
#[test]
fn the_segment_in_use_and_the_one_before_an_unacknowledged_frame_are_not_sealed() {
    let mut writer = reopen(SimDisk::new(3), options(Block::B512)).unwrap().writer;
    while writer.disk_mut().contents("0000000002.seg").is_none_or(|s| s.starts_with(&[0; 4])) {
        append(&mut writer, 3).unwrap();
        writer.maintain().unwrap();
    }
    assert_eq!(sealed(writer.disk_mut()).unwrap(), []);
    writer.publish_head(1_000_000_000).unwrap();
    let sealed = sealed(writer.disk_mut()).unwrap();
    assert_eq!(sealed.iter().map(|one| one.number).collect::<Vec<_>>(), [1]);
}

/// Whatever the head had named, the power may go: what was sealed is sealed when the journal is
/// open again, also while nobody has entered the segment that was just taken into use.
#[test]
fn what_is_sealed_stays_sealed_over_a_power_cut_at_any_operation() {
    let (disk, cuts) = CutDisk::new(SimDisk::new(3), Sample::ALL);
    let (mut writer, _) = journal::open(disk, options(Block::B512), 0, &mut |_| Ok(())).unwrap();
    let (mut before, mut empty) = (Vec::new(), 0);
    for time in 1..60u64 {
        let cut_in = |kept: &[Sealed], cuts: &Cuts, empty: &mut u32| {
            for cut in cuts.take() {
                let mut disk = cut.disk;
                disk.crash();
                let mut opened = reopen(disk, options(Block::B512)).unwrap().writer;
                let found = sealed(opened.disk_mut()).unwrap();
                assert!(found.starts_with(kept), "{:?}: {kept:?}, then {found:?}", cut.op);
                let segments = opened.disk_mut().names();
                let last = segments.iter().filter(|name| name.ends_with(".seg")).count();
                *empty += u32::from(last as u64 > active(opened.disk_mut()).unwrap());
                assert_eq!(first_record(opened.disk_mut()).unwrap(), 1);
            }
        };
        let first = writer.mark().record + 1;
        writer.append(&mut support::batch(first, 3)).unwrap();
        cut_in(&before, &cuts, &mut empty);
        writer.publish_head(time * 1_000_000_000).unwrap();
        cut_in(&before, &cuts, &mut empty);
        before = sealed(writer.disk_mut()).unwrap();
        writer.maintain().unwrap();
        cut_in(&before, &cuts, &mut empty);
    }
    assert!(before.len() >= 3 && empty > 3, "{before:?}, {empty} that nobody had entered");
}

/// A power cut, or an error, at every operation of a build: what is there afterwards is the index,
/// or none, and the journal and the next build do not mind.
#[test]
fn a_build_that_is_cut_anywhere_leaves_a_whole_index_or_none() {
    let whole = {
        let mut disk = journal(Block::B512);
        build(&mut disk, 2, &Numbers).unwrap();
        disk.contents("0000000002.idx").unwrap().to_vec()
    };
    let ops = {
        let mut disk = journal(Block::B512);
        let before = disk.ops();
        build(&mut disk, 2, &Numbers).unwrap();
        disk.ops() - before
    };
    assert!(ops > 8, "{ops} operations");
    let mut left = [0, 0];
    for seed in 0..support::seeds(6) {
        for op in 0..ops {
            for crash in [true, false] {
                let mut disk = SimDisk::new(seed);
                let from = journal(Block::B512);
                for name in from.names() {
                    disk.put(&name, from.contents(&name).unwrap().to_vec());
                }
                let at = Some(disk.ops() + op);
                disk.plan = if crash {
                    Plan { crash_at: at, ..Plan::default() }
                } else {
                    Plan { fail_at: at, ..Plan::default() }
                };
                let built = build(&mut disk, 2, &Numbers);
                disk.plan = Plan::default();
                if crash {
                    disk.crash();
                }
                let case = format!("seed {seed} op {op} crash {crash}");
                match disk.contents("0000000002.idx") {
                    Some(bytes) => assert_eq!(bytes, whole, "{case}"),
                    None => assert!(built.is_err() || !crash, "{case}: {built:?}"),
                }
                left[usize::from(disk.contents("0000000002.idx").is_some())] += 1;
                let mut disk = reopen(disk, options(Block::B512)).unwrap().writer.into_disk();
                assert_eq!(disk.contents("index.tmp"), None, "{case}");
                build(&mut disk, 2, &Numbers).unwrap();
                assert_eq!(disk.contents("0000000002.idx").unwrap(), whole, "{case}");
            }
        }
    }
    assert!(left[0] > 0 && left[1] > 0, "{left:?}");
}

/// Any changed byte of an index is found: it is not opened, or the question fails, or its answer is
/// right all the same because the byte was not looked at.
#[test]
fn a_rotten_byte_never_makes_a_wrong_answer() {
    let mut disk = journal(Block::B512);
    let summary = build(&mut disk, 2, &Numbers).unwrap();
    let bytes = disk.contents("0000000002.idx").unwrap().to_vec();
    let wanted: Vec<u64> =
        (summary.first_record..=summary.last_record).step_by(7).map(|n| key(1, &[n])).collect();
    let right: Vec<_> = {
        let index = opened(&mut disk, 2).unwrap();
        wanted.iter().map(|key| found(&mut disk, &index, *key).unwrap()).collect()
    };
    let mut outcomes = [0u64; 3];
    for at in (0..bytes.len()).step_by(5) {
        let mut rotten = disk.clone();
        rotten.flip("0000000002.idx", at as u64, 1 << (at % 8));
        assert!(!check(&mut rotten, 2, &Numbers).unwrap(), "byte {at}");
        let Some(mut index) = opened(&mut rotten, 2) else {
            outcomes[0] += 1;
            continue;
        };
        for warm in [false, true] {
            if warm && index.warm(&mut rotten).is_err() {
                outcomes[1] += 1;
                break;
            }
            for (key, right) in wanted.iter().zip(&right) {
                match found(&mut rotten, &index, *key) {
                    Ok(numbers) => assert_eq!(&numbers, right, "byte {at}"),
                    Err(IndexError::Damaged { file, .. }) => {
                        assert_eq!(file, "0000000002.idx");
                        outcomes[2] += 1;
                    }
                    Err(error) => panic!("byte {at}: {error}"),
                }
            }
        }
    }
    assert!(outcomes.iter().all(|n| *n > 0), "{outcomes:?}");
    // The segment itself: the frame is not believed.
    let index = opened(&mut disk, 2).unwrap();
    let mut places = Vec::new();
    index.find(&mut disk, wanted[0], 9, &mut places).unwrap();
    disk.flip("0000000002.seg", places[0] + 100, 1);
    let damaged = found(&mut disk, &index, wanted[0]);
    assert!(matches!(damaged, Err(IndexError::Damaged { file, .. }) if file == "0000000002.seg"));
    assert!(build(&mut disk, 2, &Numbers).is_err(), "no index of a damaged segment");
    // Zeros where a frame was look like the segment's end.
    let (name, at) = ("0000000002.seg", usize::try_from(places[0]).unwrap());
    let mut bytes = disk.contents(name).unwrap().to_vec();
    bytes[at..at + 4096].fill(0);
    disk.put(name, bytes);
    let made = build(&mut disk, 2, &Numbers);
    let ends_at = |offset| IndexError::Damaged { file: name.to_owned(), offset };
    assert_eq!(made, Err(ends_at(places[0])));
}
