//! Runs `cases.txt` and `expiry.txt`, whose heads say how they are written.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ledger::{
    Account, AccountFlags, AccountStatus, Engine, Transfer, TransferFlags, TransferStatus,
};
use scheme::Timestamp;

/// How long a hold that has expired may take to be released, where the engine does that by itself.
const RELEASED_WITHIN: Duration = Duration::from_secs(60);

/// Whose clock an engine goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clock {
    /// The test's.
    Ours,
    /// The engine's own: cases that set the time are left out, and a wait is a wait.
    Theirs,
}

impl Clock {
    /// Lets so much time pass for engines that go by their own clock.
    pub(crate) fn wait(self, seconds: u64) {
        if self == Self::Theirs {
            std::thread::sleep(Duration::from_secs(seconds));
        }
    }
}

/// The statuses that were answered, by number.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    accounts: BTreeSet<u32>,
    transfers: BTreeSet<u32>,
}

impl Seen {
    pub(crate) fn note_accounts(&mut self, statuses: &[AccountStatus]) {
        self.accounts.extend(statuses.iter().map(|status| status.number()));
    }

    pub(crate) fn note_transfers(&mut self, statuses: &[TransferStatus]) {
        self.transfers.extend(statuses.iter().map(|status| status.number()));
    }

    /// Every status was answered, but those that only an importing engine or one with reserved
    /// fields can give, the deprecated one, and `never`.
    pub(crate) fn all_but(&self, never: &[TransferStatus]) {
        let import = |name: &str| name.starts_with("imported_event_time");
        for status in AccountStatus::ALL {
            let absent = import(status.name()) || *status == AccountStatus::ReservedField;
            assert_eq!(self.accounts.contains(&status.number()), !absent, "an account: {status}");
        }
        for status in TransferStatus::ALL {
            let absent = import(status.name())
                || *status == TransferStatus::Deprecated18
                || never.contains(status);
            assert_eq!(self.transfers.contains(&status.number()), !absent, "a transfer: {status}");
        }
    }
}

/// The events of one batch, each with the status that it is to have.
enum Batch {
    Accounts(Vec<(Account, String)>),
    Transfers(Vec<(Transfer, String)>),
}

/// Runs every case on an engine of its own. Cases that wait do so together.
pub(crate) fn check<E: Engine>(
    mut new: impl FnMut() -> E,
    clock: Clock,
    cases: &str,
    seen: &mut Seen,
) {
    let lines: Vec<(u32, &str)> = (1..).zip(cases.lines()).collect();
    let starts = |line: &(u32, &str)| line.1.starts_with("== ");
    let own_time = |case: &[(u32, &str)]| case.iter().any(|(_, line)| line.starts_with("at "));
    let mut running: Vec<Case<'_, E>> = Vec::new();
    let mut rest = lines.as_slice();
    while let Some(from) = rest.iter().position(starts) {
        rest = &rest[from + 1..];
        let case = &rest[..rest.iter().position(starts).unwrap_or(rest.len())];
        if clock == Clock::Ours || !own_time(case) {
            let now = Timestamp(1_000_000_000);
            let mut case = Case { engine: new(), clock, now, lines: case };
            if case.run(seen) {
                running.push(case);
            }
        }
    }
    while !running.is_empty() {
        let seconds = running.iter().filter_map(Case::waits).max().unwrap();
        clock.wait(seconds);
        for case in &mut running {
            case.now = Timestamp(case.now.0 + seconds * 1_000_000_000);
        }
        running.retain_mut(|case| case.run(seen));
    }
}

/// A case under way: its engine, its time, and the lines that are still to be run.
struct Case<'a, E> {
    engine: E,
    clock: Clock,
    now: Timestamp,
    lines: &'a [(u32, &'a str)],
}

impl<E: Engine> Case<'_, E> {
    /// The seconds for which it waits.
    fn waits(&self) -> Option<u64> {
        let (_, line) = self.lines.first()?;
        line.strip_prefix("wait ").map(|seconds| seconds.trim().parse().unwrap())
    }

    /// Runs what stands before the next wait; whether there is one.
    fn run(&mut self, seen: &mut Seen) -> bool {
        if self.waits().is_some() {
            self.lines = &self.lines[1..];
        }
        let mut batch: Option<Batch> = None;
        while let Some(((number, line), rest)) = self.lines.split_first() {
            let joins = line.starts_with("+ ");
            if !joins && let Some(batch) = batch.take() {
                run(&mut self.engine, self.now, batch, *number, seen);
            }
            if self.waits().is_some() {
                return true;
            }
            self.lines = rest;
            let line = line.trim_start_matches("+ ");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first().copied() {
                None | Some("#") => {}
                Some("at") => self.now = Timestamp::from_s(words[1].parse().unwrap()),
                Some("sums") => self.check_sums(&words, *number),
                Some("moved") => {
                    let moved = self.engine.transfer(number_of(words[1])).unwrap();
                    let expected = (words[2] != "nothing").then(|| number_of(words[2]));
                    assert_eq!(moved.map(|t| t.amount), expected, "line {number}");
                }
                Some(_) => batch = Some(event(batch.take(), line, *number)),
            }
        }
        if let Some(batch) = batch {
            run(&mut self.engine, self.now, batch, 0, seen);
        }
        false
    }

    fn check_sums(&self, words: &[&str], line: u32) {
        let expected: Vec<u128> = words[2..6].iter().map(|w| number_of(w)).collect();
        let closed = words.get(6) == Some(&"closed");
        let since = Instant::now();
        loop {
            let account = self.engine.account(number_of(words[1])).unwrap().unwrap();
            let sums = [
                account.debits_pending,
                account.debits_posted,
                account.credits_pending,
                account.credits_posted,
            ];
            let found = (sums.to_vec(), account.flags.contains(AccountFlags::CLOSED));
            // An engine with a clock of its own releases what has expired when it gets to it.
            if found == (expected.clone(), closed)
                || self.clock == Clock::Ours
                || since.elapsed() > RELEASED_WITHIN
            {
                assert_eq!(found, (expected, closed), "line {line}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn run<E: Engine>(engine: &mut E, now: Timestamp, batch: Batch, before: u32, seen: &mut Seen) {
    let context = format!("the batch that ends before line {before}");
    match batch {
        Batch::Accounts(rows) => {
            let events: Vec<Account> = rows.iter().map(|(event, _)| *event).collect();
            let mut out: Vec<AccountStatus> = Vec::new();
            engine.create_accounts(now, &events, &mut out).unwrap();
            seen.note_accounts(&out);
            let names: Vec<&str> = out.iter().map(|s| s.name()).collect();
            let expected: Vec<&str> = rows.iter().map(|(_, s)| s.as_str()).collect();
            assert_eq!(names, expected, "{context}");
        }
        Batch::Transfers(rows) => {
            let events: Vec<Transfer> = rows.iter().map(|(event, _)| *event).collect();
            let mut out: Vec<TransferStatus> = Vec::new();
            engine.create_transfers(now, &events, &mut out).unwrap();
            seen.note_transfers(&out);
            let names: Vec<&str> = out.iter().map(|s| s.name()).collect();
            let expected: Vec<&str> = rows.iter().map(|(_, s)| s.as_str()).collect();
            assert_eq!(names, expected, "{context}");
        }
    }
}

fn number_of(word: &str) -> u128 {
    match word.trim_end_matches(':') {
        "max" => u128::MAX,
        word => {
            let digits = word.strip_prefix("max-").or(word.strip_prefix("2^")).unwrap_or(word);
            let number = digits.parse().unwrap_or_else(|_| panic!("a number: {word}"));
            match word {
                _ if word.starts_with("max-") => u128::MAX - number,
                _ if word.starts_with("2^") => 1u128 << number,
                _ => number,
            }
        }
    }
}

fn event(batch: Option<Batch>, line: &str, number: u32) -> Batch {
    let (event, status) = line.split_once(" -> ").unwrap_or_else(|| panic!("line {number}"));
    let words: Vec<&str> = event.split_whitespace().collect();
    let status = status.to_owned();
    match (batch, words[0]) {
        (None, "account") => Batch::Accounts(vec![(account(&words), status)]),
        (Some(Batch::Accounts(mut rows)), "account") => {
            rows.push((account(&words), status));
            Batch::Accounts(rows)
        }
        (None, _) => Batch::Transfers(vec![(transfer(&words), status)]),
        (Some(Batch::Transfers(mut rows)), "transfer" | "post" | "void") => {
            rows.push((transfer(&words), status));
            Batch::Transfers(rows)
        }
        _ => panic!("line {number}: a batch has events of one kind"),
    }
}

fn account(words: &[&str]) -> Account {
    let mut account =
        Account { id: number_of(words[1]), ledger: 408, code: 1, ..Account::default() };
    for word in &words[2..] {
        let flag = match *word {
            "linked" => AccountFlags::LINKED,
            "debits_must_not_exceed_credits" => AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            "credits_must_not_exceed_debits" => AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
            "history" => AccountFlags::HISTORY,
            "imported" => AccountFlags::IMPORTED,
            "closed" => AccountFlags::CLOSED,
            pair => {
                let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("{word}"));
                let value = number_of(value);
                match key {
                    "u128" => account.user_data_128 = value,
                    "u64" => account.user_data_64 = value.try_into().unwrap(),
                    "u32" => account.user_data_32 = value.try_into().unwrap(),
                    "ledger" => account.ledger = value.try_into().unwrap(),
                    "code" => account.code = value.try_into().unwrap(),
                    "timestamp" => account.timestamp = value.try_into().unwrap(),
                    "dp" => account.debits_pending = value,
                    "dpo" => account.debits_posted = value,
                    "cp" => account.credits_pending = value,
                    "cpo" => account.credits_posted = value,
                    "flags" => {
                        let bits = AccountFlags::from_bits(value.try_into().unwrap());
                        account.flags = account.flags | bits;
                    }
                    _ => panic!("{word}"),
                }
                AccountFlags::NONE
            }
        };
        account.flags = account.flags | flag;
    }
    account
}

fn transfer(words: &[&str]) -> Transfer {
    let mut transfer = Transfer { id: number_of(words[1]), ..Transfer::default() };
    let rest = if words[0] == "transfer" {
        let (debit, credit) = words[2].split_once('>').unwrap();
        transfer.debit_account_id = number_of(debit);
        transfer.credit_account_id = number_of(credit);
        transfer.amount = number_of(words[3]);
        transfer.ledger = 408;
        transfer.code = 1;
        &words[4..]
    } else {
        transfer.flags = match words[0] {
            "post" => TransferFlags::POST_PENDING,
            "void" => TransferFlags::VOID_PENDING,
            other => panic!("{other}"),
        };
        transfer.pending_id = number_of(words[3]);
        transfer.amount = number_of(words[4]);
        &words[5..]
    };
    for word in rest {
        let flag = match *word {
            "linked" => TransferFlags::LINKED,
            "pending" => TransferFlags::PENDING,
            "post_pending" => TransferFlags::POST_PENDING,
            "void_pending" => TransferFlags::VOID_PENDING,
            "balancing_debit" => TransferFlags::BALANCING_DEBIT,
            "balancing_credit" => TransferFlags::BALANCING_CREDIT,
            "closing_debit" => TransferFlags::CLOSING_DEBIT,
            "closing_credit" => TransferFlags::CLOSING_CREDIT,
            "imported" => TransferFlags::IMPORTED,
            pair => {
                let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("{word}"));
                set(&mut transfer, key, number_of(value));
                TransferFlags::NONE
            }
        };
        transfer.flags = transfer.flags | flag;
    }
    transfer
}

fn set(transfer: &mut Transfer, key: &str, value: u128) {
    match key {
        "flags" => {
            transfer.flags = transfer.flags | TransferFlags::from_bits(value.try_into().unwrap());
        }
        "debit" => transfer.debit_account_id = value,
        "credit" => transfer.credit_account_id = value,
        "pending_id" => transfer.pending_id = value,
        "u128" => transfer.user_data_128 = value,
        "u64" => transfer.user_data_64 = value.try_into().unwrap(),
        "u32" => transfer.user_data_32 = value.try_into().unwrap(),
        "timeout" => transfer.timeout = value.try_into().unwrap(),
        "ledger" => transfer.ledger = value.try_into().unwrap(),
        "code" => transfer.code = value.try_into().unwrap(),
        "timestamp" => transfer.timestamp = value.try_into().unwrap(),
        _ => panic!("{key}"),
    }
}
