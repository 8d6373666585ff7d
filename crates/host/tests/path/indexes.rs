//! Indexes beside a hub's journal: whatever is not what its segment makes is named, a missing one
//! is no damage.

use host::history::{Ask, History, HubKeys, Start, Step};
use host::offline::{Check, VerifyReport, check_indexes};
use journal::index::{self, Keys, KeysOf};
use journal::sim_disk::SimDisk;
use journal::{Disk, DiskErrorKind, DiskOp, RecordView};
use scheme::{PaymentId, Rrn, Timestamp};
use switch::history::{HistoryKey, KEYS_VERSION, Latest};
use switch::hub::Gone;

use crate::CARD;
use crate::forged::Tale;
use crate::shared::Shared;
use crate::world::{World, field};

/// Sixty purchases in segments of 8 KiB, each sealed one with its index.
fn indexed() -> (World, SimDisk, Vec<u64>) {
    let (world, disk, numbers, _) = with_references();
    (world, disk, numbers)
}

/// And the purchases' reference numbers.
fn with_references() -> (World, SimDisk, Vec<u64>, Vec<Rrn>) {
    let mut references = Vec::new();
    let mut world = World::start();
    let terminal = world.terminal();
    for stan in 101..161 {
        let message = world.purchase(&format!("{stan:06}"), CARD, "000000001000");
        let answer = world.ask(terminal, &message);
        assert_eq!(field(&answer, 39), "00");
        references.push(Rrn::new(field(&answer, 37).as_bytes()).unwrap());
    }
    world.pass(1000);
    let (disk, _) = world.take_hub(true);
    let mut disk = Tale::of(&disk).in_segments(8 * 1024, None);
    let keys = HubKeys::new(&world.config);
    let sealed = index::sealed(&mut disk).unwrap();
    let numbers: Vec<u64> = sealed.iter().map(|one| one.number).collect();
    let build = |number: &u64| index::build(&mut disk, *number, &keys).unwrap();
    let entries: Vec<u64> = numbers.iter().map(build).map(|summary| summary.entries).collect();
    assert!(entries.len() > 2 && entries[1..].iter().all(|entries| *entries > 50), "{entries:?}");
    (world, disk, numbers, references)
}

fn checked(world: &World, disk: &mut SimDisk) -> VerifyReport {
    let mut report = world.verify(disk);
    check_indexes(&world.config, disk, &mut report).unwrap();
    report
}

/// What is wrong is this index and nothing else.
fn only(report: &VerifyReport, number: u64, what: &str) {
    let [damage] = report.damage.as_slice() else { panic!("{what}: {report:?}") };
    let file = format!("{number:010}.idx");
    assert_eq!((damage.check, &damage.file), (Check::Indexes, &file), "{damage:?}");
    assert!(damage.what.starts_with(&file) && damage.what.contains(what), "{damage:?}");
    assert!(damage.what.contains("delete it"), "{damage:?}");
    assert!(!report.ok && report.of(Check::Indexes).0 == 1);
}

#[test]
fn a_flipped_byte_of_an_index_is_found_and_its_file_is_named() {
    let (world, mut disk, numbers) = indexed();
    let report = checked(&world, &mut disk);
    assert!(report.ok && report.of(Check::Indexes) == (0, numbers.len() as u64), "{report:?}");
    let clean = world.verify(&mut disk);
    let name = index::index_name(2);
    let own = disk.contents(&name).unwrap().to_vec();
    // Some hundred of each page; `journal --test flips` takes every byte.
    for at in (0..own.len()).step_by(41) {
        let mut other = own.clone();
        other[at] ^= 1 << (at % 8);
        disk.put(&name, other);
        // What the journal itself says is the same each time.
        let mut report = clean.clone();
        check_indexes(&world.config, &mut disk, &mut report).unwrap();
        only(&report, 2, "is not what its segment makes");
    }
    disk.put(&name, own);
    assert!(checked(&world, &mut disk).ok);
}

#[test]
fn the_records_of_a_damaged_index_are_those_of_its_segment() {
    let (world, mut disk, numbers) = indexed();
    let sealed = index::sealed(&mut disk).unwrap();
    for (place, number) in numbers.iter().enumerate() {
        let name = index::index_name(*number);
        let own = disk.contents(&name).unwrap().to_vec();
        disk.put(&name, own[..own.len() - 1].to_vec());
        let report = checked(&world, &mut disk);
        only(&report, *number, "is not what");
        let first = if place == 0 { 1 } else { sealed[place - 1].last_record + 1 };
        let damage = &report.damage[0];
        let last = Some(sealed[place].last_record);
        assert_eq!((damage.from_record, damage.to_record), (first, last));
        // A byte more than there should be.
        disk.put(&name, [&own[..], &[0]].concat());
        only(&checked(&world, &mut disk), *number, "is not what");
        disk.put(&name, own);
    }
}

#[test]
fn a_missing_index_is_no_damage_and_is_made_again() {
    let (world, mut disk, numbers) = indexed();
    let name = index::index_name(1);
    let own = disk.contents(&name).unwrap().to_vec();
    index::Index::remove(&mut disk, 1).unwrap();
    let report = checked(&world, &mut disk);
    assert!(report.ok && report.of(Check::Indexes).1 + 1 == numbers.len() as u64, "{report:?}");
    // By the hub's own history, and it is the same again.
    let keys = HubKeys::new(&world.config);
    let mut history = host::history::History::open(&mut disk, keys, 0).unwrap();
    while !matches!(history.step().unwrap(), host::history::Step::Idle) {}
    drop(history);
    assert_eq!(disk.contents(&name).unwrap(), own);
    assert_eq!(checked(&world, &mut disk).of(Check::Indexes), (0, numbers.len() as u64));
}

/// What a hub is told of its history, step by step: up to which record it can be read back, and by
/// which keys. How many steps have failed.
fn told(world: &World, disk: &mut SimDisk) -> (Vec<(u64, Vec<u64>)>, usize) {
    let keys = HubKeys::new(&world.config);
    let (mut told, mut failed) = (vec![(0, Vec::new())], 0);
    let Ok(mut history) = History::open(disk, keys, 0) else { return (told, 1) };
    loop {
        match history.step() {
            Ok(Step::Idle) => return (told, failed),
            Ok(Step::More) => {}
            Ok(Step::Indexed(part)) => {
                let before = told[told.len() - 1].1.clone();
                told.push((part.record, [before, part.keys].concat()));
            }
            Err(_) => failed += 1,
        }
        assert!(failed < 3, "one call of the disk failed");
    }
}

/// A payment of whose key the hub has not heard when it lets it go would be taken for a new one.
#[test]
fn r_match_whatever_call_fails_the_hub_hears_of_all_keys_before_they_can_be_read_back() {
    let (world, mut disk, numbers) = indexed();
    for number in &numbers {
        index::Index::remove(&mut disk, *number).unwrap();
    }
    let mut whole = disk.clone();
    let first = whole.ops();
    let (expected, failed) = told(&world, &mut whole);
    assert!(failed == 0 && expected.len() > numbers.len(), "{}", expected.len());
    let calls = whole.ops() - first;
    let mut met = 0;
    for call in 0..calls {
        let mut disk = disk.clone();
        disk.plan.fail_at = Some(disk.ops() + call);
        disk.plan.fail_kind = Some(DiskErrorKind::Io);
        let (told, failed) = told(&world, &mut disk);
        met += failed;
        for (record, keys) in &told {
            let before = expected.iter().rfind(|(known, _)| known <= record).unwrap();
            let mut missing = before.1.iter().filter(|key| !keys.contains(key));
            assert!(missing.next().is_none(), "call {call}: {record} is told without its keys");
        }
    }
    assert!(met as u64 > calls / 2, "{met} of {calls} calls failed");
}

/// A kill between the making of an index and the record that says so: the hub lets those payments
/// go some time later, and is to know their keys by then.
#[test]
fn r_match_the_hub_hears_of_an_index_that_was_made_before_it_was_killed() {
    let (world, disk, numbers) = indexed();
    let mut none = disk.clone();
    numbers.iter().for_each(|number| index::Index::remove(&mut none, *number).unwrap());
    let (expected, _) = told(&world, &mut none);
    for made in 0..=numbers.len() {
        let mut disk = disk.clone();
        for number in &numbers[made..] {
            index::Index::remove(&mut disk, *number).unwrap();
        }
        let (told, _) = told(&world, &mut disk);
        assert_eq!(told.last(), expected.last(), "{made} were there");
        for (record, keys) in &told {
            let (_, before) = expected.iter().rfind(|(known, _)| known <= record).unwrap();
            assert!(before.iter().all(|key| keys.contains(key)), "{made} were there, {record}");
        }
    }
}

/// The filter that a start makes beside the recovery, which may find more than was there: whatever
/// the hub is told, or knows by it, has every key.
#[test]
fn r_match_a_start_knows_all_keys_of_what_is_covered_whenever_it_looked() {
    let (world, disk, numbers) = indexed();
    let sealed = index::sealed(&mut disk.clone()).unwrap();
    let keys = |number: &u64| {
        let mut disk = disk.clone();
        let index = index::Index::open(&mut disk, *number, KEYS_VERSION).unwrap().unwrap();
        let [received, local, _] = index.summary().spans;
        let latest = Latest { received: received.last, local: local.last };
        index.recent(&mut disk).unwrap().into_iter().map(move |key| (key, latest))
    };
    let keys: Vec<Vec<(u64, Latest)>> = numbers.iter().map(|n| keys(n).collect()).collect();
    for before in 0..=numbers.len() {
        let disk = Shared::new(disk.clone());
        // It looks when so many have an index, and the others have one afterwards.
        let mut taken = Vec::new();
        for number in &numbers[before..] {
            let name = index::index_name(*number);
            let len = usize::try_from(disk.clone().len(&name).unwrap().unwrap()).unwrap();
            let mut bytes = vec![0; len];
            disk.clone().read(&name, 0, &mut bytes).unwrap();
            disk.clone().remove(&name).unwrap();
            taken.push((name, bytes));
        }
        let start = Start::read(disk.clone(), HubKeys::new(&world.config)).unwrap();
        for (name, bytes) in taken {
            disk.clone().create(&name, bytes.len() as u64).unwrap();
            disk.clone().write(&name, 0, &bytes).unwrap();
        }
        let covered = sealed[sealed.len() / 2].last_record;
        let (mut gone, mut history) = start.end(covered).unwrap();
        let mut until = covered;
        let all_known = |gone: &Gone, until: u64| {
            let places = sealed.iter().take_while(|one| one.last_record <= until);
            let mut known = places.zip(&keys).flat_map(|(_, keys)| keys);
            // No sooner than it is.
            known.all(|(key, of)| gone.may_hold(*key, |at| at.and(*of) == *at))
        };
        assert!(all_known(&gone, until), "{before} were there");
        assert!(!gone.may_hold(1, |_| true), "and not everything is looked up");
        loop {
            match history.step().unwrap() {
                Step::Idle => break,
                Step::More => {}
                Step::Indexed(part) => {
                    gone.add(&part);
                    until = until.max(part.record);
                    assert!(all_known(&gone, until), "{before} were there, up to {until}");
                }
            }
        }
        assert_eq!(until, sealed.last().unwrap().last_record);
    }
}

/// Whatever a start could not read of an index, or finds without one: everything is looked up until
/// the hub has heard what it would have said, and no longer.
#[test]
fn r_match_a_start_without_an_index_looks_everything_up_until_it_has_one() {
    let (world, disk, numbers) = indexed();
    let sealed = index::sealed(&mut disk.clone()).unwrap();
    let covered = sealed[sealed.len() - 2].last_record;
    let keys = |number: u64| {
        let index = index::Index::open(&mut disk.clone(), number, KEYS_VERSION).unwrap().unwrap();
        index.recent(&mut disk.clone()).unwrap()
    };
    for (number, rotten) in
        numbers[..2].iter().flat_map(|number| [(*number, true), (*number, false)])
    {
        let mut disk = disk.clone();
        let name = index::index_name(number);
        if rotten {
            // The last page has recent keys, and nothing else reads them.
            let end = disk.contents(&name).unwrap().len() as u64;
            disk.flip(&name, end - 4096, 1);
        } else {
            index::Index::remove(&mut disk, number).unwrap();
        }
        let start = Start::read(Shared::new(disk), HubKeys::new(&world.config)).unwrap();
        let (mut gone, mut history) = start.end(covered).unwrap();
        assert!(gone.may_hold(1, |_| false), "anything may be there");
        let mut whole = 0;
        loop {
            match history.step().unwrap() {
                Step::Idle => break,
                Step::More => {}
                Step::Indexed(part) => {
                    assert!(gone.may_hold(1, |_| false) || whole > 0);
                    gone.add(&part);
                    if part.whole {
                        gone.is_whole();
                        assert!(keys(number).iter().all(|key| gone.may_hold(*key, |_| true)));
                        whole += 1;
                    }
                }
            }
        }
        assert!(whole > 0 && !gone.may_hold(1, |_| true), "{number}: it is known what is there");
        for number in &numbers {
            assert!(keys(*number).iter().all(|key| gone.may_hold(*key, |_| true)), "{number}");
        }
    }
}

/// All payments, by their reference numbers, as somebody asks who does not know their acquirers.
fn all(world: &World, rrns: &[Rrn]) -> Vec<Ask> {
    let banks = || world.config.participants.iter().map(|bank| bank.id);
    let keys = |rrn: &Rrn| banks().map(|of| HistoryKey::Rrn(of, *rrn)).collect();
    let ask = |rrn| Ask { number: 1, keys: keys(rrn), since: Timestamp::default() };
    rrns.iter().map(ask).collect()
}

/// An index that is gone, rotten, or cannot be read while the hub runs is made again, and all there
/// is goes on being found.
#[test]
fn an_index_that_is_lost_while_the_hub_runs_is_made_again() {
    let (world, disk, numbers, rrns) = with_references();
    let asks = all(&world, &rrns);
    let covered = index::sealed(&mut disk.clone()).unwrap().last().unwrap().last_record;
    let open = |disk| History::open(disk, HubKeys::new(&world.config), covered).unwrap();
    let right: Vec<usize> = {
        let mut history = open(Shared::new(disk.clone()));
        asks.iter().map(|ask| history.find(ask).unwrap().len()).collect()
    };
    assert!(right.iter().sum::<usize>() > 40);
    for harm in 0..3 {
        let mut disk = Shared::new(disk.clone());
        let mut history = open(disk.clone());
        while !matches!(history.step().unwrap(), Step::Idle) {}
        let name = index::index_name(numbers[1]);
        let len = disk.len(&name).unwrap().unwrap();
        match harm {
            0 => disk.remove(&name).unwrap(),
            1 => disk.write(&name, 4096, &vec![7; usize::try_from(len).unwrap() - 4096]).unwrap(),
            _ => disk.write(&name, 0, &vec![0; usize::try_from(len).unwrap()]).unwrap(),
        }
        let found: Vec<usize> = asks.iter().map(|ask| history.find(ask).unwrap().len()).collect();
        assert_eq!((found, history.given_up()), (right.clone(), 1), "harm {harm}");
        let why = history.why_given_up().unwrap().to_string();
        assert!(why.contains(&name), "{why}");
        let made = index::check(&mut disk, numbers[1], &HubKeys::new(&world.config));
        assert_eq!(made, Ok(true), "harm {harm}");
    }
}

/// A segment that is gone, which nothing gives back: what it had is not taken for what never was.
#[test]
fn r_match_of_a_segment_that_is_lost_nothing_is_denied() {
    let (world, disk, numbers, rrns) = with_references();
    let asks = all(&world, &rrns);
    let covered = index::sealed(&mut disk.clone()).unwrap().last().unwrap().last_record;
    let keys = || HubKeys::new(&world.config);
    for header in [false, true] {
        let mut disk = Shared::new(disk.clone());
        let mut history = History::open(disk.clone(), keys(), covered).unwrap();
        let there: Vec<bool> =
            asks.iter().map(|ask| !history.find(ask).unwrap().is_empty()).collect();
        let name = format!("{:010}.seg", numbers[1]);
        if header {
            disk.write(&name, 0, &[7; 512]).unwrap();
        } else {
            disk.remove(&name).unwrap();
        }
        for (ask, there) in asks.iter().zip(&there) {
            let found = history.find(ask);
            assert!(!there || found.is_err() || !found.unwrap().is_empty(), "{ask:?}");
        }
        assert!(index::sealed(&mut disk).is_err());
        assert!(History::open(disk.clone(), keys(), covered).is_err());
        assert!(Start::read(disk, keys()).is_err(), "the hub is told, and looks everything up");
    }
}

#[test]
fn an_index_of_another_segment_or_of_none_is_named() {
    let (world, mut disk, numbers) = indexed();
    let one = disk.contents(&index::index_name(1)).unwrap().to_vec();
    let two = disk.contents(&index::index_name(2)).unwrap().to_vec();
    disk.put(&index::index_name(2), one.clone());
    only(&checked(&world, &mut disk), 2, "is not what its segment makes");
    disk.put(&index::index_name(2), two);
    let none = numbers.len() as u64 + 7;
    disk.put(&index::index_name(none), one);
    only(&checked(&world, &mut disk), none, "has no segment any more");
}

#[test]
fn an_index_of_another_version_is_made_again_and_is_no_damage() {
    struct Later(HubKeys);
    impl KeysOf for Later {
        fn version(&self) -> u16 {
            self.0.version() + 1
        }

        fn keys_of(&self, record: &RecordView<'_>, keys: &mut Keys) {
            self.0.keys_of(record, keys);
        }
    }
    let (world, mut disk, _) = indexed();
    index::build(&mut disk, 1, &Later(HubKeys::new(&world.config))).unwrap();
    assert!(checked(&world, &mut disk).ok);
    // Its own bytes do not hold either: then it is no version at all.
    let name = index::index_name(1);
    let mut own = disk.contents(&name).unwrap().to_vec();
    own[6] ^= 1;
    disk.put(&name, own);
    only(&checked(&world, &mut disk), 1, "is not what");
}

/// What a history has, and how often it reads the disk from its start on.
fn asked(
    world: &World,
    disk: &SimDisk,
    warm: bool,
    keys: Vec<HistoryKey>,
) -> (Vec<PaymentId>, u64) {
    let mut disk = disk.clone();
    let before = disk.count(DiskOp::Read);
    let mut history = History::open(&mut disk, HubKeys::new(&world.config), 0).unwrap();
    if warm {
        while !matches!(history.step().unwrap(), Step::Idle) {}
    }
    let ask = Ask { number: 1, keys, since: Timestamp::default() };
    let found = history.find(&ask).unwrap().iter().map(|kept| kept.payment.id).collect();
    drop(history);
    (found, disk.count(DiskOp::Read) - before)
}

/// However many segments there are, a payment is its entry, the frame in which it stands, the
/// entries of its records, and the frame of its end.
#[test]
fn a_look_up_by_rrn_reads_four_places_of_the_disk() {
    let (world, disk, numbers, rrns) = with_references();
    let (mut looked, mut reads, mut cold) = (0, 0, 0);
    let acquirers: Vec<_> = world.config.participants.iter().map(|bank| bank.id).collect();
    // At every acquirer, as somebody asks who does not know it.
    for rrn in rrns {
        let keys = |rrn| acquirers.iter().map(|of| HistoryKey::Rrn(*of, rrn)).collect();
        let (found, all) = asked(&world, &disk, true, keys(rrn));
        let (_, start) = asked(&world, &disk, true, Vec::new());
        let (_, cold_all) = asked(&world, &disk, false, keys(rrn));
        let (_, cold_start) = asked(&world, &disk, false, Vec::new());
        looked += found.len();
        reads += all - start;
        cold += cold_all - cold_start;
    }
    assert!(numbers.len() > 2 && looked > 40, "{looked} of {} segments", numbers.len());
    assert!(reads <= 4 * looked as u64, "{reads} of {looked}");
    assert!(cold > 4 * reads, "{cold} without filters in memory");
}

/// A card has paid at a shop again and again; a refund from any till names one of those payments,
/// and no other is read.
#[test]
fn a_refund_reads_one_payment_of_its_card_and_no_more() {
    let (world, disk, _, rrns) = with_references();
    let acquirers: Vec<_> = world.config.participants.iter().map(|bank| bank.id).collect();
    let mut own = disk.clone();
    let mut history = History::open(&mut own, HubKeys::new(&world.config), 0).unwrap();
    while !matches!(history.step().unwrap(), Step::Idle) {}
    let keys =
        rrns.iter().flat_map(|rrn| acquirers.iter().map(|of| HistoryKey::Rrn(*of, *rrn))).collect();
    let ask = Ask { number: 1, keys, since: Timestamp::default() };
    let there = history.find(&ask).unwrap();
    assert!(there.len() > 40, "{} of one card", there.len());
    drop(history);
    let (_, start) = asked(&world, &disk, true, Vec::new());
    let (mut reads, looked) = (0, there.len());
    for kept in there {
        let seen = &kept.payment.seen;
        let token = seen.card.unwrap().token;
        let card = HistoryKey::Card(seen.acquirer, seen.retailer, token, seen.stan);
        let (found, all) = asked(&world, &disk, true, vec![card]);
        assert_eq!(found, [kept.payment.id]);
        reads += all - start;
        let hold = HistoryKey::Hold(seen.acquirer, seen.retailer, token);
        assert_eq!(asked(&world, &disk, true, vec![hold]).0, [], "a purchase is none");
    }
    assert!(reads <= 4 * looked as u64, "{reads} of {looked}");
}
