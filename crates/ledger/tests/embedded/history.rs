//! Ids older than the window: memory does not grow with them, nothing of them happens twice, and
//! that holds when indexes are lost, damaged or can't be written.

use journal::index::{Index, IndexError};
use journal::sim_disk::SimDisk;
use journal::{Disk, NodeId, Options};
use ledger::limits::UNINDEXED_MAX;
use ledger::{Account, Embedded, EmbeddedError, Engine, IndexMaker, Indexer};
use ledger::{Transfer, TransferFlags, TransferStatus};
use scheme::Timestamp;

const WINDOW: usize = 50;
const SEGMENT: u64 = 16 << 10;
/// Transfers of a segment, at most.
const OF_SEGMENT: usize = SEGMENT as usize / 128;
/// Odd, so that holds and their ends are not always of one batch.
const BATCH: usize = 21;

fn options() -> Options {
    let node = NodeId::from_name("ledger").unwrap();
    Options { segment_bytes: SEGMENT, head_every_ns: 0, ..Options::new(node) }
}

fn open<D: Disk>(disk: D) -> Embedded<D> {
    Embedded::open_with_window(disk, options(), WINDOW, Timestamp(1)).unwrap().0
}

/// Ids that grow with time, and ids that don't.
fn growing(n: u128) -> u128 {
    (n << 70) + 1
}

fn scattered(n: u128) -> u128 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// The nth: a hold, its end, or a transfer that fails, with user data of its own.
fn nth(n: u128, id: fn(u128) -> u128) -> Transfer {
    let transfer = Transfer {
        id: id(n),
        debit_account_id: 1 + n % 3,
        credit_account_id: 1 + (n + 1) % 3,
        amount: 1 + n % 9,
        user_data_128: n,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    };
    match n % 4 {
        0 => Transfer { flags: TransferFlags::PENDING, ..transfer },
        1 => Transfer {
            id: id(n),
            pending_id: id(n - 1),
            amount: if n % 8 == 1 { u128::MAX } else { 0 },
            flags: match n % 8 {
                1 => TransferFlags::POST_PENDING,
                _ => TransferFlags::VOID_PENDING,
            },
            ..Transfer::default()
        },
        2 => Transfer { debit_account_id: 77, ..transfer },
        _ => transfer,
    }
}

fn expected(n: u128) -> TransferStatus {
    if n % 4 == 2 { TransferStatus::IdAlreadyFailed } else { TransferStatus::Exists }
}

/// A ledger with this many of them.
fn filled<D: Disk>(disk: D, count: u128, id: fn(u128) -> u128) -> Embedded<D> {
    let mut ledger = open(disk);
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    let accounts = [account(1), account(2), account(3)];
    ledger.create_accounts(Timestamp(2), &accounts, &mut Vec::new()).unwrap();
    let mut statuses = Vec::new();
    let all: Vec<Transfer> = (0..count).map(|n| nth(n, id)).collect();
    for batch in all.chunks(BATCH) {
        let now = ledger.books().last();
        ledger.create_transfers(now, batch, &mut statuses).unwrap();
        let most = WINDOW + 3 * OF_SEGMENT + BATCH;
        assert!(ledger.books().remembered() <= most, "{} ids", ledger.books().remembered());
    }
    ledger
}

/// Each of them again, many at once: nothing happens.
fn nothing_twice<D: Disk>(ledger: &mut Embedded<D>, count: u128, id: fn(u128) -> u128) {
    let before = ledger.books().state_hash();
    let mut statuses = Vec::new();
    let all: Vec<u128> = (0..count).collect();
    for batch in all.chunks(500) {
        let events: Vec<Transfer> = batch.iter().map(|n| nth(*n, id)).collect();
        ledger.create_transfers(ledger.books().last(), &events, &mut statuses).unwrap();
        for (n, status) in batch.iter().zip(&statuses) {
            assert_eq!(*status, expected(*n), "{n}");
        }
    }
    assert_eq!(ledger.books().state_hash(), before);
}

#[test]
fn memory_does_not_grow_and_nothing_is_forgotten() {
    for id in [growing, scattered] {
        let mut ledger = filled(SimDisk::new(1), 8_000, id);
        assert!(ledger.books().remembered() < 1_000);
        for n in (0..8_000).step_by(37) {
            let there = ledger.transfer(id(n)).unwrap();
            assert_eq!(there.is_none(), n % 4 == 2, "{n}");
            let user_data = if n % 4 == 1 { n - 1 } else { n };
            assert!(there.is_none_or(|t| t.id == id(n) && t.user_data_128 == user_data), "{n}");
        }
        assert_eq!(ledger.transfer(id(9_000)).unwrap(), None);
        nothing_twice(&mut ledger, 8_000, id);
        // What was brought back goes again.
        for n in 9_000..9_600 {
            let other = Transfer { id: id(4 * n + 3), ..nth(3, id) };
            let now = ledger.books().last();
            ledger.create_transfers(now, &[other], &mut Vec::new()).unwrap();
        }
        assert!(ledger.books().remembered() < 1_000, "{}", ledger.books().remembered());
    }
}

/// A start reads a snapshot and the last segments, however long the history is.
#[test]
fn a_start_reads_the_last_segments_only() {
    for kill in [false, true] {
        let ledger = filled(SimDisk::new(1), 8_000, scattered);
        let last = ledger.last_record();
        let state = ledger.books().state_hash();
        let disk = if kill { ledger.into_disk() } else { ledger.stop(Timestamp(9)).unwrap() };
        let opened = Embedded::open_with_window(disk, options(), WINDOW, Timestamp(1));
        let (mut ledger, found) = opened.unwrap();
        assert_eq!(found.snapshots_refused, Vec::<String>::new());
        assert!(found.snapshot_used.is_some() && found.records < 3 * OF_SEGMENT as u64);
        assert_eq!((ledger.last_record(), ledger.books().state_hash()), (last, state));
        nothing_twice(&mut ledger, 8_000, scattered);
    }
}

/// Also where a segment is made ahead in many pieces, and a snapshot waits for them.
#[test]
fn a_snapshot_is_written_for_each_segment() {
    let options = Options { segment_bytes: 4 << 20, ..options() };
    let opened = Embedded::open_with_window(SimDisk::new(1), options, WINDOW, Timestamp(1));
    let mut ledger = opened.unwrap().0;
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    let accounts = [account(1), account(2), account(3)];
    ledger.create_accounts(Timestamp(2), &accounts, &mut Vec::new()).unwrap();
    let all: Vec<Transfer> = (0..90_000).map(|n| nth(4 * n + 3, growing)).collect();
    for batch in all.chunks(500) {
        let now = ledger.books().last();
        ledger.create_transfers(now, batch, &mut Vec::new()).unwrap();
    }
    let last = ledger.last_record();
    let opened = Embedded::open(ledger.into_disk(), options, Timestamp(1));
    let (ledger, found) = opened.unwrap();
    assert_eq!(ledger.last_record(), last);
    // Two segments of three.
    assert!(found.records < 62_000, "{} of {last} records read", found.records);
}

/// Indexes say nothing that segments do not: lost or damaged, they are made again.
#[test]
fn lost_and_damaged_indexes_are_made_again() {
    let whole = filled(SimDisk::new(1), 2_400, scattered).stop(Timestamp(9)).unwrap();
    let indexes: Vec<String> = names(&whole, ".idx");
    assert!(indexes.len() > 10);
    for (n, name) in indexes.iter().enumerate() {
        let mut disk = whole.clone();
        let pages = disk.contents(name).unwrap().len() as u64 / 4096;
        match n % 3 {
            0 => disk.remove(name).unwrap(),
            // A page that is read when it is opened; one that is read when it is asked.
            page => disk.flip(name, (page as u64 - 1) * (pages - 1) * 4096 + 100, 1),
        }
        let mut ledger = open(disk);
        nothing_twice(&mut ledger, 2_400, scattered);
        let now = ledger.books().last();
        ledger.create_transfers(now, &[nth(2_403, scattered)], &mut Vec::new()).unwrap();
        assert_eq!(ledger.into_disk().contents(name), whole.contents(name), "{name}");
    }
    // All of them, and all snapshots.
    let mut disk = whole.clone();
    let snapshots = names(&whole, ".snap");
    assert_eq!(snapshots.len(), 2);
    for name in indexes.iter().chain(&snapshots) {
        disk.remove(name).unwrap();
    }
    nothing_twice(&mut open(disk), 2_400, scattered);
}

fn names(disk: &SimDisk, end: &str) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(end)).collect()
}

/// One that has nothing ready unless it is waited for.
#[derive(Debug, Default)]
struct Slow(IndexMaker);

impl<D: Disk> Indexer<D> for Slow {
    fn make(&mut self, disk: &mut D, of: u64, wait: bool) -> Result<Option<Index>, IndexError> {
        if wait { self.0.make(disk, of, true) } else { Ok(None) }
    }
}

/// Whoever makes the indexes, no more than so many segments are without.
#[test]
fn the_ledger_waits_for_an_indexer_that_is_behind() {
    let now = Timestamp(1);
    let opened = Embedded::open_with(SimDisk::new(1), options(), WINDOW, Slow::default(), now);
    let mut ledger = opened.unwrap().0;
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    ledger.create_accounts(now, &[account(1), account(2)], &mut Vec::new()).unwrap();
    let pair = Transfer { debit_account_id: 1, credit_account_id: 2, ..Transfer::default() };
    let transfer = |n| Transfer { id: growing(n), amount: 1, ledger: 1, code: 1, ..pair };
    let all: Vec<Transfer> = (0..8_000).map(transfer).collect();
    let mut statuses = Vec::new();
    for batch in all.chunks(BATCH) {
        ledger.create_transfers(ledger.books().last(), batch, &mut statuses).unwrap();
        assert!(statuses.iter().all(|status| status.is_ok()));
        // Besides those: the one in use, and one that goes with the next batch.
        let most = WINDOW + (UNINDEXED_MAX + 2) * OF_SEGMENT;
        assert!(ledger.books().remembered() <= most, "{} ids", ledger.books().remembered());
    }
    for batch in all.chunks(BATCH) {
        ledger.create_transfers(ledger.books().last(), batch, &mut statuses).unwrap();
        assert!(statuses.iter().all(|status| *status == TransferStatus::Exists));
    }
}

/// An index is mended while another is being made, under the same temporary name.
#[test]
fn an_index_is_mended_beside_one_that_is_made() {
    let mut ledger = filled(SimDisk::new(1), 2_400, scattered);
    let under_way =
        |ledger: &mut Embedded<SimDisk>| ledger.disk_mut().contents("index.tmp").is_some();
    let mut n = 2_403;
    while !under_way(&mut ledger) {
        let now = ledger.books().last();
        ledger.create_transfers(now, &[nth(n, scattered)], &mut Vec::new()).unwrap();
        n += 4;
    }
    let index = names(ledger.disk_mut(), ".idx")[2].clone();
    let pages = ledger.disk_mut().contents(&index).unwrap().len() as u64 / 4096;
    for page in 3..pages {
        ledger.disk_mut().flip(&index, page * 4096 + 100, 1);
    }
    nothing_twice(&mut ledger, 2_400, scattered);
    let count = names(ledger.disk_mut(), ".idx").len();
    while names(ledger.disk_mut(), ".idx").len() < count + 2 {
        let now = ledger.books().last();
        ledger.create_transfers(now, &[nth(n, scattered)], &mut Vec::new()).unwrap();
        n += 4;
    }
    nothing_twice(&mut ledger, 2_400, scattered);
}

/// An index that is damaged while the ledger runs, and then its segment too.
#[test]
fn damage_under_a_running_ledger() {
    let mut disk = filled(SimDisk::new(1), 2_400, scattered).stop(Timestamp(9)).unwrap();
    let index = names(&disk, ".idx")[2].clone();
    let segment = index.replace("idx", "seg");
    let mut ledger = open(&mut disk);
    for page in 3..ledger.disk_mut().contents(&index).unwrap().len() as u64 / 4096 {
        ledger.disk_mut().flip(&index, page * 4096 + 100, 1);
    }
    nothing_twice(&mut ledger, 2_400, scattered);
    // What was brought back is in memory; another start knows nothing of it.
    drop(ledger);
    let mut ledger = open(&mut disk);
    for at in (600..SEGMENT - 600).step_by(512) {
        ledger.disk_mut().flip(&segment, at, 1);
    }
    let again: Vec<Transfer> = (0..2_400).map(|n| nth(n, scattered)).collect();
    let mut refused = None;
    for batch in again.chunks(BATCH) {
        let mut statuses = Vec::new();
        match ledger.create_transfers(Timestamp(9), batch, &mut statuses) {
            Ok(()) => assert!(statuses.iter().all(|status| !status.is_ok())),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(EmbeddedError::History(_))), "{refused:?}");
    assert_eq!(ledger.transfer(1), Err(EmbeddedError::Stopped));
}
