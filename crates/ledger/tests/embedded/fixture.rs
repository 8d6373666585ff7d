//! Journals of embedded ledgers that earlier releases wrote: they open, with a snapshot and
//! without, and hold what they held. `tests/embedded/journal-N` is one with a snapshot whose books
//! are of version N, and in `told.txt` what it held then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use journal::Disk;
use journal::sim_disk::SimDisk;
use ledger::{Books, Embedded, Engine, Transfer, TransferFlags, TransferStatus};
use scheme::Timestamp;

use super::matrix::Script;
use super::options;

const PAYMENTS: u128 = 70;
const SECOND: u64 = 1_000_000_000;

fn small() -> journal::Options {
    journal::Options { segment_bytes: 16 << 10, ..options() }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedded")
}

/// Every fixture: its name, its disk, what it held.
fn fixtures() -> Vec<(String, SimDisk, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let (mut disk, mut told) = (SimDisk::new(1), String::new());
        for file in std::fs::read_dir(&path).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            match name.as_str() {
                "told.txt" => told = std::fs::read_to_string(&file).unwrap(),
                _ => disk.put(&name, std::fs::read(&file).unwrap()),
            }
        }
        all.push((path.file_name().unwrap().to_str().unwrap().to_owned(), disk, told));
    }
    all
}

/// A hold that expires by itself; every other kind of record is in the script.
fn expiring() -> Transfer {
    Transfer {
        id: 7,
        debit_account_id: 1,
        credit_account_id: 2,
        amount: 9,
        timeout: 1,
        ledger: 408,
        code: 1,
        flags: TransferFlags::PENDING,
        ..Transfer::default()
    }
}

fn late(seconds: u64) -> Timestamp {
    Timestamp(100 * SECOND + seconds * SECOND)
}

/// A journal of this version, with records behind its snapshot.
fn written() -> SimDisk {
    let script = Script::new(PAYMENTS);
    let (mut ledger, _) = Embedded::open(SimDisk::new(1), small(), Timestamp(1)).unwrap();
    assert_eq!(script.run(&mut ledger, 0, &mut |_| {}).1, None);
    let open = Transfer { id: 8, timeout: 0, ..expiring() };
    ledger.create_transfers(late(0), &[expiring(), open], &mut Vec::new()).unwrap();
    ledger.snapshot(late(1)).unwrap();
    let more = Transfer { id: 9, timeout: 0, ..expiring() };
    ledger.create_transfers(late(3), &[more], &mut Vec::new()).unwrap();
    ledger.stop(late(4)).unwrap()
}

/// What it holds, a line for each account and each hold.
fn held(books: &Books) -> String {
    let mut lines = Vec::new();
    for account in books.accounts() {
        let (debits, credits) = (account.debits_posted, account.credits_posted);
        let pending = (account.debits_pending, account.credits_pending);
        let (id, flags) = (account.id, account.flags.bits());
        lines.push(format!("{id} {debits} {credits} {} {} {flags}", pending.0, pending.1));
    }
    for hold in books.pending() {
        lines.push(format!("hold {} {} {}", hold.id, hold.amount, hold.timestamp));
    }
    lines.join("\n") + "\n"
}

fn version(disk: &SimDisk) -> u16 {
    let names = disk.names();
    let snapshot = names.iter().rfind(|name| name.ends_with(".snap")).unwrap();
    let books = &disk.contents(snapshot).unwrap()[4096..];
    assert_eq!(&books[..4], b"BOOK");
    u16::from_le_bytes(books[4..6].try_into().unwrap())
}

/// Run by hand, once per version: `cargo test -p ledger --test embedded -- --ignored`.
#[test]
#[ignore = "writes the fixture of a new version"]
fn write_fixture() {
    let disk = written();
    let there = directory().join(format!("journal-{}", version(&disk)));
    std::fs::create_dir(&there).unwrap();
    for name in disk.names() {
        std::fs::write(there.join(&name), disk.contents(&name).unwrap()).unwrap();
    }
    let (ledger, _) = Embedded::open(disk, small(), late(5)).unwrap();
    std::fs::write(there.join("told.txt"), held(ledger.books())).unwrap();
}

#[test]
fn every_version_of_the_books_has_its_fixture() {
    let newest = version(&written());
    let kept: BTreeSet<u16> = fixtures().iter().map(|(_, disk, _)| version(disk)).collect();
    let all = (1..=newest).collect();
    assert_eq!(kept, all, "`cargo test -p ledger --test embedded -- --ignored` writes the newest");
}

#[test]
fn every_fixture_opens_and_holds_what_it_held() {
    let script = Script::new(PAYMENTS);
    for (name, disk, told) in fixtures() {
        let names = disk.names();
        let snapshots: Vec<&String> = names.iter().filter(|name| name.ends_with(".snap")).collect();
        for gone in 0..=snapshots.len() {
            let mut disk = disk.clone();
            for snapshot in snapshots.iter().rev().take(gone) {
                disk.remove(snapshot).unwrap();
            }
            let (mut ledger, found) = Embedded::open(disk, small(), late(5)).unwrap();
            assert_eq!(found.snapshot_used.is_some(), gone < snapshots.len(), "{name}");
            assert_eq!(held(ledger.books()), told, "{name}, {gone} snapshots removed");
            // What happened is not forgotten: nothing of it happens twice.
            for batch in &script.batches {
                let mut again = Vec::new();
                ledger.create_transfers(late(6), batch, &mut again).unwrap();
                let there = [TransferStatus::Exists, TransferStatus::IdAlreadyFailed];
                let nothing = |status: &TransferStatus| !status.is_ok();
                assert!(again.iter().all(nothing), "{name}: {again:?}");
                assert!(again.iter().any(|status| there.contains(status)), "{name}: {again:?}");
            }
            assert_eq!(held(ledger.books()), told, "{name}");
        }
    }
}
