//! Which filters are in memory, where there is room for three.

use journal::sim_disk::SimDisk;
use journal::{Batch, NodeId, Options};

use super::*;

/// Sealed segments without an index, of records that an id finds.
fn journal() -> SimDisk {
    let node = NodeId::from_name("hub").unwrap();
    let options = Options { segment_bytes: 64 * 1024, ..Options::new(node) };
    let (mut writer, _) = journal::open(SimDisk::new(1), options, 1, &mut |_| Ok(())).unwrap();
    let kind = (0..=255).find(|kind| history::id_alone(*kind, &[16; 16]).is_some()).unwrap();
    for number in 1..=150u128 {
        let mut payload = [7; 4000];
        payload[..16].copy_from_slice(&(number << 64).to_le_bytes());
        let mut batch = Batch::new(1);
        batch.push(kind, 1, 1, &payload).unwrap();
        writer.append(&mut batch).unwrap();
    }
    writer.stop(2).unwrap()
}

fn three(disk: SimDisk, covered: u64) -> History<SimDisk> {
    let mut history = History::open(disk, HubKeys::new(&Config::example()), covered).unwrap();
    // Two pages each: a filter and fences.
    history.warm_most = 3 * 8192;
    history
}

/// Works until nothing is to be done, and never has more than there is room for.
fn work(history: &mut History<SimDisk>) {
    for step in 0.. {
        assert!(step < 10_000, "it never ends: {:?}", warm(history));
        if matches!(history.step().unwrap(), Step::Idle) {
            break;
        }
        let warm = history.indexes.values().filter(|index| index.is_warm());
        let bytes: u64 = warm.map(Index::warm_bytes).sum();
        assert!(bytes <= history.warm_most && bytes == history.warm, "{bytes} {}", history.warm);
    }
    assert!(!history.is_cold());
}

fn warm(history: &History<SimDisk>) -> Vec<u64> {
    let warm = history.indexes.iter().filter(|(_, index)| index.is_warm());
    warm.map(|(number, _)| *number).collect()
}

#[test]
fn the_filters_of_the_newest_are_in_memory_and_no_more_than_fit() {
    let mut history = three(journal(), 0);
    work(&mut history);
    let all: Vec<u64> = history.indexes.keys().copied().collect();
    assert!(all.len() > 6 && history.indexes.values().all(|index| index.warm_bytes() == 8192));
    let newest = &all[all.len() - 3..];
    assert_eq!(warm(&history), newest, "as they were made, the oldest gave way");

    let History { disk, covered, .. } = history;
    let mut history = three(disk, covered);
    assert_eq!(warm(&history), [0; 0]);
    work(&mut history);
    assert_eq!(warm(&history), newest, "and as they are read after a start");
}

#[test]
fn a_newer_filter_takes_the_place_of_the_oldest() {
    let mut history = three(journal(), 0);
    work(&mut history);
    let newest = warm(&history);
    // The newest is cold and an older one is in memory: as where an index was made again.
    let older = *history.indexes.keys().next().unwrap();
    history.indexes.get_mut(&newest[2]).unwrap().cool();
    let index = history.indexes.get_mut(&older).unwrap();
    while !index.is_warm() {
        index.warm_on(&mut history.disk).unwrap();
    }
    assert_eq!(warm(&history), [older, newest[0], newest[1]]);
    work(&mut history);
    assert_eq!(warm(&history), newest);
}

#[test]
fn an_index_that_is_given_up_gives_its_room_back() {
    let mut history = three(journal(), 0);
    work(&mut history);
    let newest = *warm(&history).last().unwrap();
    let file = index::index_name(newest);
    history.give_up(IndexError::Damaged { file, offset: 0 }).unwrap();
    work(&mut history);
    assert_eq!((history.given_up(), warm(&history).len()), (1, 3));
    assert!(warm(&history).contains(&newest), "made again, and in memory");
}
