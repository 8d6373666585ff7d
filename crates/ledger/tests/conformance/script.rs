//! Runs `cases.txt`, whose head says how it is written.

use ledger::{
    Account, AccountFlags, AccountStatus, Engine, Transfer, TransferFlags, TransferStatus,
};
use scheme::Timestamp;

/// The events of one batch, each with the status that it is to have.
enum Batch {
    Accounts(Vec<(Account, String)>),
    Transfers(Vec<(Transfer, String)>),
}

/// Runs every case on an engine of its own.
pub(crate) fn check<E: Engine>(new: impl Fn() -> E, cases: &str) {
    let mut engine = new();
    let mut now = Timestamp(1_000_000_000);
    let mut batch: Option<Batch> = None;
    for (number, line) in (1..).zip(cases.lines()) {
        let joins = line.starts_with("+ ");
        if !joins && let Some(batch) = batch.take() {
            run(&mut engine, now, batch, number);
        }
        let line = line.trim_start_matches("+ ");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.first().copied() {
            None | Some("#") => {}
            Some("==") => {
                engine = new();
                now = Timestamp(1_000_000_000);
            }
            Some("at") => now = Timestamp::from_s(words[1].parse().unwrap()),
            Some("sums") => check_sums(&engine, &words, number),
            Some("moved") => {
                let moved = engine.transfer(number_of(words[1])).unwrap().map(|t| t.amount);
                let expected = (words[2] != "nothing").then(|| number_of(words[2]));
                assert_eq!(moved, expected, "line {number}");
            }
            Some(_) => batch = Some(event(batch.take(), line, number)),
        }
    }
    if let Some(batch) = batch {
        run(&mut engine, now, batch, 0);
    }
}

fn run<E: Engine>(engine: &mut E, now: Timestamp, batch: Batch, before: u32) {
    let context = format!("cases.txt, the batch that ends before line {before}");
    match batch {
        Batch::Accounts(rows) => {
            let events: Vec<Account> = rows.iter().map(|(event, _)| *event).collect();
            let mut out: Vec<AccountStatus> = Vec::new();
            engine.create_accounts(now, &events, &mut out).unwrap();
            let names: Vec<&str> = out.iter().map(|s| s.name()).collect();
            let expected: Vec<&str> = rows.iter().map(|(_, s)| s.as_str()).collect();
            assert_eq!(names, expected, "{context}");
        }
        Batch::Transfers(rows) => {
            let events: Vec<Transfer> = rows.iter().map(|(event, _)| *event).collect();
            let mut out: Vec<TransferStatus> = Vec::new();
            engine.create_transfers(now, &events, &mut out).unwrap();
            let names: Vec<&str> = out.iter().map(|s| s.name()).collect();
            let expected: Vec<&str> = rows.iter().map(|(_, s)| s.as_str()).collect();
            assert_eq!(names, expected, "{context}");
        }
    }
}

fn check_sums<E: Engine>(engine: &E, words: &[&str], line: u32) {
    let account = engine.account(number_of(words[1])).unwrap().unwrap();
    let sums = [
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
    ];
    let expected: Vec<u128> = words[2..6].iter().map(|w| number_of(w)).collect();
    assert_eq!(sums.as_slice(), expected, "line {line}");
    let closed = words.get(6) == Some(&"closed");
    assert_eq!(account.flags.contains(AccountFlags::CLOSED), closed, "line {line}");
}

fn number_of(word: &str) -> u128 {
    match word.trim_end_matches(':') {
        "max" => u128::MAX,
        "max-1" => u128::MAX - 1,
        digits => digits.parse().unwrap_or_else(|_| panic!("a number: {word}")),
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
                    "code" => account.code = value.try_into().unwrap(),
                    "timestamp" => account.timestamp = value.try_into().unwrap(),
                    "dp" => account.debits_pending = value,
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
            "balancing_debit" => TransferFlags::BALANCING_DEBIT,
            "balancing_credit" => TransferFlags::BALANCING_CREDIT,
            "closing_debit" => TransferFlags::CLOSING_DEBIT,
            "closing_credit" => TransferFlags::CLOSING_CREDIT,
            "imported" => TransferFlags::IMPORTED,
            "flags=0x200" => TransferFlags::from_bits(0x200),
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
