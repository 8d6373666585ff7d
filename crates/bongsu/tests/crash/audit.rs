//! Three books held against each other: the clients', the hub's and the banks'.

use std::collections::{BTreeMap, BTreeSet};

use host::view::PaymentView;

use crate::clients::{End, Seen};
use crate::nation::{BankBook, HubBooks, minor};

pub(crate) fn check(seen: &[Seen], hub: &HubBooks, banks: &BTreeMap<String, BankBook>) {
    let mut wrong = Vec::new();
    let mut by_trace: BTreeMap<(&str, &str), Vec<&PaymentView>> = BTreeMap::new();
    for payment in &hub.payments {
        by_trace.entry((&payment.terminal, &payment.stan)).or_default().push(payment);
    }
    for one in seen {
        let payments = by_trace.get(&(one.terminal.as_str(), one.stan.as_str()));
        wrong.extend(client(one, payments.map_or(&[][..], Vec::as_slice)));
    }
    wrong.extend(hub.payments.iter().filter_map(|payment| bank(payment, banks)));
    wrong.extend(unknown_lines(hub, banks));
    wrong.extend(zero_sum(hub));
    let count = |end: fn(&End) -> bool| seen.iter().filter(|one| end(&one.end)).count();
    eprintln!(
        "{} payments: {} approved, {} reversed, {} declined, {} unknown; {} in the hub's books",
        seen.len(),
        count(|end| *end == End::Approved),
        count(|end| *end == End::Reversed),
        count(|end| matches!(end, End::Declined(_))),
        count(|end| *end == End::Unknown),
        hub.payments.len()
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What one client saw is what the hub has.
fn client(one: &Seen, payments: &[&PaymentView]) -> Option<String> {
    let posted: Vec<_> = payments.iter().filter(|payment| payment.status == "posted").collect();
    let fine = match (&one.end, posted.as_slice()) {
        (End::Approved, [payment]) => {
            payment.rrn == one.rrn
                && payment.approval_code.as_deref() == Some(&one.approval)
                && minor(&payment.amount) == one.amount
        }
        (End::Approved, _) => false,
        (End::Declined(_) | End::Reversed, posted) => posted.is_empty(),
        (End::Unknown, posted) => posted.len() <= 1,
    };
    (!fine).then(|| format!("a client saw {one:?}, the hub has {payments:?}"))
}

/// The issuer's book moves the same money, once.
fn bank(payment: &PaymentView, banks: &BTreeMap<String, BankBook>) -> Option<String> {
    if payment.status == "pending" {
        return Some(format!("still pending: {payment:?}"));
    }
    let issuer = payment.issuer.as_ref()?;
    let Some(book) = banks.get(issuer) else {
        return Some(format!("bank {issuer} has no book"));
    };
    let key = (payment.acquirer.clone(), payment.terminal.clone(), payment.rrn.clone());
    let (sum, lines) = book.get(&key).copied().unwrap_or_default();
    let moved = match payment.status {
        "posted" => minor(&payment.amount) - minor(&payment.returned),
        _ => 0,
    };
    (sum != -moved || lines > 2)
        .then(|| format!("the issuer's book has {sum} in {lines} lines for {payment:?}"))
}

/// Nothing in a bank's book that the hub does not know.
fn unknown_lines(hub: &HubBooks, banks: &BTreeMap<String, BankBook>) -> Vec<String> {
    let known: BTreeSet<(&str, &str, &str, &str)> = hub
        .payments
        .iter()
        .filter_map(|p| Some((p.issuer.as_deref()?, &*p.acquirer, &*p.terminal, &*p.rrn)))
        .collect();
    let mut wrong = Vec::new();
    for (bank, book) in banks {
        for ((acquirer, terminal, rrn), (sum, _)) in book {
            let key = (bank.as_str(), acquirer.as_str(), terminal.as_str(), rrn.as_str());
            if !known.contains(&key) && *sum != 0 {
                wrong.push(format!("the bank has {sum} for {key:?}, which the hub has not"));
            }
        }
    }
    wrong
}

fn zero_sum(hub: &HubBooks) -> Option<String> {
    let sum: i64 = hub.accounts.iter().map(|account| minor(&account.balance)).sum();
    let pending = hub.accounts.iter().any(|account| minor(&account.debits_pending) != 0);
    (sum != 0 || pending).then(|| format!("the accounts sum to {sum}, pending: {pending}"))
}
