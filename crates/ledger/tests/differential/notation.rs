//! Batches as `conformance/cases.txt` writes them, so that a difference can be kept as a case.

use ledger::{Account, AccountFlags, AccountStatus, Transfer, TransferFlags, TransferStatus};

use crate::swarm::Batch;

const ACCOUNT_WORDS: [(AccountFlags, &str); 6] = [
    (AccountFlags::LINKED, "linked"),
    (AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS, "debits_must_not_exceed_credits"),
    (AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS, "credits_must_not_exceed_debits"),
    (AccountFlags::HISTORY, "history"),
    (AccountFlags::IMPORTED, "imported"),
    (AccountFlags::CLOSED, "closed"),
];

const TRANSFER_WORDS: [(TransferFlags, &str); 9] = [
    (TransferFlags::LINKED, "linked"),
    (TransferFlags::PENDING, "pending"),
    (TransferFlags::POST_PENDING, "post_pending"),
    (TransferFlags::VOID_PENDING, "void_pending"),
    (TransferFlags::BALANCING_DEBIT, "balancing_debit"),
    (TransferFlags::BALANCING_CREDIT, "balancing_credit"),
    (TransferFlags::CLOSING_DEBIT, "closing_debit"),
    (TransferFlags::CLOSING_CREDIT, "closing_credit"),
    (TransferFlags::IMPORTED, "imported"),
];

/// A batch with the numbers of its statuses.
pub(crate) fn batch(batch: &Batch, statuses: &[u32]) -> String {
    let lines: Vec<String> = match batch {
        Batch::Accounts(events) => events.iter().map(account).collect(),
        Batch::Transfers(events) => events.iter().map(transfer).collect(),
    };
    let name = |number: &u32| match batch {
        Batch::Accounts(_) => AccountStatus::from_number(*number).map_or("?", |s| s.name()),
        Batch::Transfers(_) => TransferStatus::from_number(*number).map_or("?", |s| s.name()),
    };
    let answered = lines.iter().zip(statuses);
    let lines: Vec<String> =
        answered.map(|(line, status)| format!("{line} -> {}\n", name(status))).collect();
    lines.join("+ ")
}

fn account(event: &Account) -> String {
    let mut words = format!("account {}", number(event.id));
    for (flag, word) in ACCOUNT_WORDS {
        if event.flags.contains(flag) {
            words += &format!(" {word}");
        }
    }
    let reserved = event.flags.bits() & !AccountFlags::ALL.bits();
    let pairs: [(&str, u128, u128); 11] = [
        ("flags", reserved.into(), 0),
        ("ledger", event.ledger.into(), 408),
        ("code", event.code.into(), 1),
        ("u128", event.user_data_128, 0),
        ("u64", event.user_data_64.into(), 0),
        ("u32", event.user_data_32.into(), 0),
        ("dp", event.debits_pending, 0),
        ("dpo", event.debits_posted, 0),
        ("cp", event.credits_pending, 0),
        ("cpo", event.credits_posted, 0),
        ("timestamp", event.timestamp.into(), 0),
    ];
    words + &said(&pairs)
}

fn transfer(event: &Transfer) -> String {
    let post = event.flags.contains(TransferFlags::POST_PENDING);
    let void = event.flags.contains(TransferFlags::VOID_PENDING);
    let own = if post { TransferFlags::POST_PENDING } else { TransferFlags::VOID_PENDING };
    let mut words = if post || void {
        let verb = if post { "post" } else { "void" };
        let (id, of) = (number(event.id), number(event.pending_id));
        format!("{verb} {id} of {of} {}", number(event.amount))
    } else {
        let (debit, credit) = (number(event.debit_account_id), number(event.credit_account_id));
        format!("transfer {} {debit}>{credit} {}", number(event.id), number(event.amount))
    };
    for (flag, word) in TRANSFER_WORDS {
        if event.flags.contains(flag) && flag != own {
            words += &format!(" {word}");
        }
    }
    let usual = |number: u128| if post || void { 0 } else { number };
    let named = |id: u128| if post || void { id } else { 0 };
    let reserved = event.flags.bits() & !TransferFlags::ALL.bits();
    let pairs: [(&str, u128, u128); 11] = [
        ("flags", reserved.into(), 0),
        ("debit", named(event.debit_account_id), 0),
        ("credit", named(event.credit_account_id), 0),
        ("pending_id", if post || void { 0 } else { event.pending_id }, 0),
        ("ledger", event.ledger.into(), usual(408)),
        ("code", event.code.into(), usual(1)),
        ("timeout", event.timeout.into(), 0),
        ("u128", event.user_data_128, 0),
        ("u64", event.user_data_64.into(), 0),
        ("u32", event.user_data_32.into(), 0),
        ("timestamp", event.timestamp.into(), 0),
    ];
    words + &said(&pairs)
}

/// The pairs that are not as usual.
fn said(pairs: &[(&str, u128, u128)]) -> String {
    let unusual = pairs.iter().filter(|(_, value, usual)| value != usual);
    unusual.map(|(key, value, _)| format!(" {key}={}", number(*value))).collect()
}

fn number(value: u128) -> String {
    match u128::MAX - value {
        0 => "max".to_owned(),
        below @ 1..1000 => format!("max-{below}"),
        _ => value.to_string(),
    }
}
