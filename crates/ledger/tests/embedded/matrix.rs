//! The crash matrix of an embedded ledger: 2,000 payments of a hold and its post or void, the power
//! cut at every operation of the disk with 20 seeds each, an error at every call.
//!
//! `cargo test` takes a sample, the same each time; `cargo xtask crash-matrix` all of it.

use journal::sim_disk::{CutDisk, FailedSync, Sample, SimDisk, Tearing};
use journal::{Disk, DiskErrorKind, OpenError};
use ledger::{Account, AccountFlags, Books, Embedded, EmbeddedError, Engine, Transfer};
use ledger::{TransferFlags, TransferStatus};
use scheme::Timestamp;

use super::{open, told};

const PAYMENTS: u128 = 2_000;
const ACCOUNTS: u128 = 12;
/// Batches from one snapshot to the next.
const SNAPSHOT_EVERY: usize = 170;

/// A state that a ledger may be found in: accounts, pending transfers, hash.
type Told = (Vec<Account>, Vec<Transfer>, u128);

pub(crate) struct Script {
    accounts: Vec<Account>,
    /// Holds, then what ends them, some payments at a time.
    pub(crate) batches: Vec<Vec<Transfer>>,
    /// What each batch is answered with.
    answers: Vec<Vec<TransferStatus>>,
    /// The state before the first batch, after it, after the second, ...
    states: Vec<Told>,
}

fn now(batch: usize) -> Timestamp {
    Timestamp(1_000_000_000 + batch as u64 * 10_000_000)
}

impl Script {
    pub(crate) fn new(payments: u128) -> Self {
        let limit = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
        let accounts = (1..=ACCOUNTS).map(|id| {
            // The first pays for all and has no limit.
            let flags = if id == 1 { AccountFlags::default() } else { limit };
            Account { id, ledger: 408, code: 1, flags, ..Account::default() }
        });
        let accounts: Vec<Account> = accounts.collect();
        let mut batches = Vec::new();
        let (mut next, mut size) = (1, 1);
        while next <= payments {
            let last = (next + size % 7).min(payments);
            batches.push((next..=last).map(hold).collect());
            batches.push((next..=last).map(end).collect());
            (next, size) = (last + 1, size + 1);
        }
        let mut truth = Books::new();
        truth.create_accounts(now(0), &accounts, &mut Vec::new());
        let mut script =
            Self { accounts, batches, answers: Vec::new(), states: vec![told(&truth)] };
        for (at, batch) in script.batches.iter().enumerate() {
            let mut answer = Vec::new();
            truth.create_transfers(now(at + 1), batch, &mut answer);
            script.answers.push(answer);
            script.states.push(told(&truth));
        }
        script
    }

    /// Opens a ledger and gives it the batches from `from` on. Returns how many of all have been
    /// answered, and why it ended.
    pub(crate) fn run<D: Disk>(
        &self,
        ledger: &mut Embedded<D>,
        from: usize,
        look: &mut dyn FnMut(usize),
    ) -> (usize, Option<EmbeddedError>) {
        if from == 0 {
            let mut out = Vec::new();
            if let Err(error) = ledger.create_accounts(now(0), &self.accounts, &mut out) {
                return (0, Some(error));
            }
            look(0);
        }
        for (at, batch) in self.batches.iter().enumerate().skip(from) {
            let mut answer = Vec::new();
            let given = ledger.create_transfers(now(at + 1), batch, &mut answer);
            look(at);
            if let Err(error) = given {
                return (at, Some(error));
            }
            assert_eq!(answer, self.answers[at], "batch {at}");
            if at % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1 {
                let taken = ledger.snapshot(now(at + 1));
                look(at + 1);
                if let Err(error) = taken
                    && error != EmbeddedError::Journal(journal::Fault::NoSpace)
                {
                    return (at + 1, Some(error));
                }
            }
        }
        (self.batches.len(), None)
    }

    /// What a crash left: all that was answered, and the batch in flight wholly or not at all; it
    /// is given again, as whoever waited would, and happens once. Returns which it was.
    fn judge(&self, disk: SimDisk, answered: usize, case: &str) -> usize {
        let mut disk = disk;
        if answered.is_multiple_of(2) {
            // Opened for nothing before: the head may name a segment without any frame then.
            let opened = open(&mut disk, now(0));
            drop(opened.unwrap_or_else(|error| unreachable!("{case}: {error}")));
            disk.kill();
        }
        let opened = open(disk, now(0));
        let (mut ledger, _) = opened.unwrap_or_else(|error| unreachable!("{case}: {error}"));
        let found = told(ledger.books());
        if answered == 0 && found.0.is_empty() {
            return 0;
        }
        let after = self.states.get(answered + 1).filter(|state| **state == found);
        let at = if after.is_some() { answered + 1 } else { answered };
        assert_eq!(found, self.states[at], "{case}: {answered} batches were answered");
        // What happened before is not forgotten, whether memory has it or history: given again, it
        // happens no second time, and is there as it happened.
        for old in [0, answered / 2, answered * 7 / 11].into_iter().filter(|old| *old < answered) {
            let mut again = Vec::new();
            ledger.create_transfers(now(answered), &self.batches[old], &mut again).unwrap();
            for (event, (status, answer)) in
                self.batches[old].iter().zip(again.iter().zip(&self.answers[old]))
            {
                let there = if answer.is_ok() {
                    TransferStatus::Exists
                } else {
                    TransferStatus::IdAlreadyFailed
                };
                // An end of a hold that failed is refused as such the second time too.
                assert_eq!(*status, there, "{case}: batch {old} again");
                let kept = ledger.transfer(event.id).unwrap();
                assert_eq!(kept.is_some(), answer.is_ok(), "{case}: batch {old}");
            }
        }
        let Some(batch) = self.batches.get(answered) else { return at };
        let mut again = Vec::new();
        ledger.create_transfers(now(answered + 1), batch, &mut again).unwrap();
        let there = |status: &TransferStatus| {
            *status == TransferStatus::Exists || *status == TransferStatus::IdAlreadyFailed
        };
        let happened = again.iter().all(there);
        let is_first = again == self.answers[answered];
        // Of one that was refused whole the books do not tell whether it had come.
        let shows = self.states[answered] != self.states[answered + 1];
        match (shows, at == answered) {
            (true, true) => assert!(is_first, "{case}: {again:?}"),
            (true, false) => assert!(happened, "{case}: {again:?}"),
            (false, _) => assert!(is_first || happened, "{case}: {again:?}"),
        }
        assert_eq!(told(ledger.books()), self.states[answered + 1], "{case}: given again");
        at
    }
}

/// From the first account to one with a limit, or from there to another.
fn hold(payment: u128) -> Transfer {
    let from = if payment.is_multiple_of(3) { 2 + payment % (ACCOUNTS - 1) } else { 1 };
    let to = 2 + (payment + 5) % (ACCOUNTS - 1);
    Transfer {
        id: payment << 4 | 1,
        debit_account_id: from,
        credit_account_id: to,
        // Now and then more than is there: refused, and the id is used up.
        amount: 100 + payment % 41 * if payment.is_multiple_of(51) { 100_000 } else { 1 },
        ledger: 408,
        code: 1,
        flags: TransferFlags::PENDING,
        ..Transfer::default()
    }
}

fn end(payment: u128) -> Transfer {
    let void = payment.is_multiple_of(5);
    Transfer {
        id: payment << 4 | if void { 3 } else { 2 },
        pending_id: payment << 4 | 1,
        amount: if void { 0 } else { u128::MAX },
        flags: match void {
            true => TransferFlags::VOID_PENDING,
            false => TransferFlags::POST_PENDING,
        },
        ..Transfer::default()
    }
}

/// Which cuts, how many seeds, one error of the disk in so many calls.
fn extent() -> (Sample, u64, u64) {
    match std::env::var("BONGSU_CRASH_MATRIX").as_deref() {
        Ok("full") => (Sample::ALL, 20, 1),
        Ok(_) | Err(_) => (Sample { often: 89, seldom: 7 }, 3, 131),
    }
}

#[test]
fn a_power_cut_at_any_operation_of_2000_payments() {
    let script = Script::new(PAYMENTS);
    let (sample, seeds, _) = extent();
    let (disk, cuts) = CutDisk::new(SimDisk::new(3), sample);
    let (mut ledger, _) = open(disk, now(0)).unwrap();
    let (mut judged, mut kept, mut recoveries) = (0u64, 0u64, 0u64);
    let mut look = |answered: usize| {
        for cut in cuts.take() {
            judged += 1;
            for seed in 0..seeds {
                let mut disk = cut.disk.clone();
                disk.reseed(seed << 32 ^ cut.number);
                if seed % 4 == 3 {
                    disk.plan.tearing = Tearing::TornSectors;
                }
                disk.crash();
                let case = format!("cut in {:?}, operation {}, seed {seed}", cut.op, cut.number);
                kept += u64::from(script.judge(disk, answered, &case) > answered);
                recoveries += 1;
            }
            if judged.is_multiple_of(500) {
                eprintln!("{judged} cuts, {recoveries} recoveries, all right");
            }
        }
    };
    look(0);
    let (answered, error) = script.run(&mut ledger, 0, &mut look);
    assert_eq!((answered, error), (script.batches.len(), None));
    let last = told(ledger.books());
    let disk = ledger.stop(now(answered)).unwrap();
    look(answered);
    let changes = cuts.changes();
    eprintln!(
        "{PAYMENTS} payments in {answered} batches, {changes} operations that change something: \
         {judged} cut, {recoveries} recoveries, {kept} with the batch in flight"
    );
    assert!(changes > 1_500 && judged > 20 && kept > 5, "{changes} {judged} {kept}");
    let (ledger, _) = open(disk.into_disk(), now(0)).unwrap();
    assert_eq!(told(ledger.books()), last);
}

#[test]
fn an_error_of_any_call_stops_the_ledger_and_loses_nothing() {
    let script = Script::new(PAYMENTS);
    let (_, _, every) = extent();
    let mut whole = SimDisk::new(3);
    let (mut ledger, _) = open(&mut whole, now(0)).unwrap();
    script.run(&mut ledger, 0, &mut |_| {});
    drop(ledger);
    let (mut tried, mut told) = (0, 0);
    for number in (0..whole.ops() * 2).filter(|number| number.is_multiple_of(every)) {
        let (call, kind) = match number.is_multiple_of(2) {
            true => (number / 2, DiskErrorKind::Io),
            false => (number / 2, DiskErrorKind::NoSpace),
        };
        let case = format!("{kind:?} at call {call}");
        let mut disk = SimDisk::new(number);
        (disk.plan.fail_at, disk.plan.fail_kind) = (Some(call), Some(kind));
        if number % 3 == 0 {
            disk.plan.failed_sync = FailedSync::Cache;
        }
        tried += 1;
        let answered = match open(&mut disk, now(0)) {
            Err(OpenError::Disk(error)) => {
                assert_eq!(error.kind, kind, "{case}");
                told += 1;
                0
            }
            Err(other) => unreachable!("{case}: {other}"),
            Ok((mut ledger, _)) => {
                let (answered, error) = script.run(&mut ledger, 0, &mut |_| {});
                assert!(error.is_some() || kind == DiskErrorKind::NoSpace, "{case}: passed over");
                told += u64::from(error.is_some());
                if error.is_some() {
                    let batch = &script.batches[0];
                    let more = ledger.create_transfers(now(9), batch, &mut Vec::new());
                    assert!(more.is_err(), "{case}: an answer after an error");
                }
                answered
            }
        };
        if number % 4 < 2 {
            disk.kill();
        } else {
            disk.crash();
        }
        script.judge(disk, answered, &case);
    }
    eprintln!("{tried} errors, {told} told");
    assert!(told > 20, "{tried} {told}");
}
