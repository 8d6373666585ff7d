//! The ledger's answers, case by case (`cases.txt`) and rule before rule (`precedence`), for every
//! engine that is in this crate.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod precedence;
mod script;

use ledger::{AccountStatus, Books, NaiveModel, TransferStatus};

#[test]
fn books_conform() {
    script::check(Books::new, include_str!("cases.txt"));
}

#[test]
fn naive_model_conforms() {
    script::check(NaiveModel::new, include_str!("cases.txt"));
}

#[test]
fn books_keep_precedence() {
    precedence::check(Books::new);
}

#[test]
fn naive_model_keeps_precedence() {
    precedence::check(NaiveModel::new);
}

/// TigerBeetle 0.16.78: 27 and 69 statuses, numbered without gaps, named in snake case.
#[test]
fn statuses_have_their_numbers_and_names() {
    let mut numbers: Vec<u32> = AccountStatus::ALL.iter().map(|s| s.number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..27).collect::<Vec<u32>>());
    let mut numbers: Vec<u32> = TransferStatus::ALL.iter().map(|s| s.number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..69).collect::<Vec<u32>>());
    let snake = |name: &str| {
        let mut out = String::new();
        let mut before = 'A';
        for c in name.chars() {
            if c.is_ascii_uppercase() || c.is_ascii_digit() && !before.is_ascii_digit() {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
            before = c;
        }
        out.trim_start_matches('_').to_owned()
    };
    for status in TransferStatus::ALL {
        assert_eq!(status.name(), snake(&format!("{status:?}")));
        assert_eq!(TransferStatus::from_number(status.number()), Some(*status));
    }
    for status in AccountStatus::ALL {
        assert_eq!(status.name(), snake(&format!("{status:?}")));
        assert_eq!(AccountStatus::from_number(status.number()), Some(*status));
    }
    assert_eq!(TransferStatus::from_number(69), None);
    assert_eq!(AccountStatus::from_number(27), None);
}
