//! `Embedded` over a disk that loses power: what was answered is there, and nothing else but
//! perhaps the one batch that was not answered.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod fixture;
mod history;
mod matrix;
#[path = "../model/swarm.rs"]
mod swarm;

use journal::sim_disk::SimDisk;
use journal::{Disk, NodeId, OpenError, Options, Recovery};
use ledger::limits::BATCH_MAX;
use ledger::{Account, Books, Embedded, EmbeddedError, Engine, Transfer};
use scheme::Timestamp;
use swarm::{Batch, Swarm};

fn options() -> Options {
    Options { segment_bytes: 64 << 10, ..Options::new(NodeId::from_name("ledger").unwrap()) }
}

/// Few ids stay in memory, so that most answers need the indexes of sealed segments.
const WINDOW: usize = 8;

fn open<D: Disk>(disk: D, now: Timestamp) -> Result<(Embedded<D>, Recovery), OpenError> {
    Embedded::open_with_window(disk, options(), WINDOW, now)
}

/// All that the books say, but for the clock and for what history knows.
fn told(books: &Books) -> (Vec<Account>, Vec<Transfer>, u128) {
    (books.accounts(), books.pending().collect(), books.state_hash())
}

fn give<E: Engine>(engine: &mut E, now: Timestamp, batch: &Batch) -> Result<String, E::Error> {
    match batch {
        Batch::Accounts(events) => {
            let mut out = Vec::new();
            engine.create_accounts(now, events, &mut out)?;
            Ok(format!("{out:?}"))
        }
        Batch::Transfers(events) => {
            let mut out = Vec::new();
            engine.create_transfers(now, events, &mut out)?;
            Ok(format!("{out:?}"))
        }
    }
}

fn next(swarm: &mut Swarm, books: &Books, first: bool) -> (Timestamp, Batch) {
    let due = books.next_expiry().map(|at| at.0);
    let now = Timestamp(swarm.now(due.into_iter()));
    // Never before the newest timestamp: batches that did nothing moved the clock of the books
    // that were not restarted, and of them alone.
    (now.max(books.last()), swarm.batch(first))
}

/// Power is lost at some operation of the disk; then again; between, snapshots are written.
#[test]
fn what_was_answered_survives_a_power_cut() {
    let (mut cuts, mut kept, mut snapshots) = (0, 0, 0);
    for seed in 0..24 {
        let mut disk = SimDisk::new(seed);
        let mut swarm = Swarm::new(seed);
        let mut truth = Books::new();
        for life in 0..4 {
            disk.plan.crash_at = Some(disk.ops() + 20 + (seed * 7 + life * 31) % 120);
            let Ok((mut embedded, found)) = open(&mut disk, Timestamp(1)) else {
                disk.crash();
                continue;
            };
            snapshots += u32::from(found.snapshot_used.is_some());
            assert_eq!(told(embedded.books()), told(&truth), "seed {seed}, life {life}");
            let mut unanswered = truth.clone();
            let mut durable = embedded.last_record();
            for n in 0..60 {
                let (now, batch) = next(&mut swarm, &truth, truth.accounts().is_empty());
                if n % 23 == 22 && embedded.snapshot(now).is_err() {
                    break;
                }
                let expected = give(&mut unanswered, now, &batch).unwrap();
                match give(&mut embedded, now, &batch) {
                    Ok(answer) => assert_eq!(answer, expected, "seed {seed}"),
                    Err(_) => break,
                }
                truth = unanswered.clone();
                durable = embedded.last_record();
            }
            drop(embedded);
            disk.crash();
            cuts += 1;
            let (found, _) = open(&mut disk, Timestamp(1)).unwrap();
            if found.last_record() > durable {
                kept += 1;
                truth = unanswered;
            }
            assert_eq!(
                told(found.books()),
                told(&truth),
                "seed {seed}, life {life}: after the cut"
            );
        }
    }
    assert!(cuts > 60 && kept > 5 && snapshots > 10, "{cuts} {kept} {snapshots}");
}

/// Stopped and opened again, the ledger answers as if it had never stopped: failed ids, posts of
/// old holds, duplicates, expiries.
#[test]
fn a_restart_changes_no_answer() {
    for seed in 0..20 {
        let mut disk = SimDisk::new(seed);
        let mut swarm = Swarm::new(seed);
        let mut truth = Books::new();
        for life in 0..4 {
            let opened = open(disk, Timestamp(1));
            let (mut embedded, _) = opened.unwrap();
            for n in 0..25 {
                let (now, batch) = next(&mut swarm, &truth, truth.accounts().is_empty());
                let expected = give(&mut truth, now, &batch).unwrap();
                let answer = give(&mut embedded, now, &batch).unwrap();
                assert_eq!(answer, expected, "seed {seed}, life {life}, batch {n}");
                assert_eq!(told(embedded.books()), told(&truth), "seed {seed}");
            }
            if life == 2 {
                embedded.snapshot(truth.last()).unwrap();
            }
            disk = embedded.stop(truth.last()).unwrap();
        }
    }
}

#[test]
fn a_batch_that_does_nothing_writes_nothing() {
    let (mut embedded, _) = open(SimDisk::new(1), Timestamp(1)).unwrap();
    let mut statuses = Vec::new();
    let account = Account { id: 1, ledger: 1, code: 1, ..Account::default() };
    embedded.create_accounts(Timestamp(2), &[account], &mut statuses).unwrap();
    let disk = embedded.stop(Timestamp(3)).unwrap();
    let (mut embedded, found) = open(disk, Timestamp(4)).unwrap();
    assert_eq!(found.records, 1);
    embedded.create_accounts(Timestamp(5), &[account], &mut statuses).unwrap();
    assert_eq!(statuses[0].name(), "exists");
    let nothing = [Transfer::default(); 3];
    embedded.create_transfers(Timestamp(6), &nothing, &mut Vec::new()).unwrap();
    embedded.create_transfers(Timestamp(7), &[], &mut Vec::new()).unwrap();
    let disk = embedded.stop(Timestamp(8)).unwrap();
    let (mut embedded, found) = open(disk, Timestamp(9)).unwrap();
    assert_eq!(found.records, 1);

    let too_many = vec![Transfer::default(); BATCH_MAX + 1];
    let refused = embedded.create_transfers(Timestamp(10), &too_many, &mut Vec::new());
    assert_eq!(refused, Err(EmbeddedError::BatchTooLong { events: BATCH_MAX + 1 }));
    embedded.create_transfers(Timestamp(11), &too_many[1..], &mut Vec::new()).unwrap();
}

/// After an error of the disk nothing more is answered.
#[test]
fn a_failed_disk_stops_the_ledger() {
    let mut disk = SimDisk::new(1);
    disk.plan.fail_at = Some(60);
    let (mut embedded, _) = open(disk, Timestamp(1)).unwrap();
    let mut failed = false;
    for id in 1..100 {
        let account = Account { id, ledger: 1, code: 1, ..Account::default() };
        let done = embedded.create_accounts(Timestamp(2), &[account], &mut Vec::new());
        assert!(done.is_err() || !failed, "an answer after an error");
        assert!(!failed || done == Err(EmbeddedError::Stopped));
        failed |= done.is_err();
        assert_eq!(embedded.account(id).is_err(), failed);
    }
    assert!(failed);
}

/// Also where it was a snapshot that the disk failed: not even what would change nothing is
/// answered.
#[test]
fn a_disk_that_fails_a_snapshot_stops_the_ledger() {
    let account = Account { id: 1, ledger: 1, code: 1, ..Account::default() };
    for call in 0..8 {
        let mut disk = SimDisk::new(call);
        let (mut embedded, _) = open(&mut disk, Timestamp(1)).unwrap();
        embedded.create_accounts(Timestamp(2), &[account], &mut Vec::new()).unwrap();
        drop(embedded);
        disk.kill();
        let (mut embedded, _) = open(&mut disk, Timestamp(3)).unwrap();
        drop(embedded.snapshot(Timestamp(4)));
        drop(embedded);
        let calls = disk.ops();
        // The same again, and one call of the snapshot fails.
        let mut disk = SimDisk::new(call);
        let (mut embedded, _) = open(&mut disk, Timestamp(1)).unwrap();
        embedded.create_accounts(Timestamp(2), &[account], &mut Vec::new()).unwrap();
        drop(embedded);
        disk.kill();
        disk.plan.fail_at = Some(calls - 1 - call);
        let Ok((mut embedded, _)) = open(&mut disk, Timestamp(3)) else {
            continue;
        };
        assert!(embedded.snapshot(Timestamp(4)).is_err(), "call {call} from its end");
        assert_eq!(embedded.account(1), Err(EmbeddedError::Stopped));
        let again = embedded.create_accounts(Timestamp(5), &[account], &mut Vec::new());
        assert_eq!(again, Err(EmbeddedError::Stopped), "call {call} from its end");
    }
}
