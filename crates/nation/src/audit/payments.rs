//! Item by item: shops against ledger, ledger against the banks' books.

use std::collections::BTreeMap;

use host::view::PaymentView;
use parties::bank::{Entry, EntryKind};
use parties::shop::{Outcome, Seen};

use super::{BankEvidence, Evidence, Violation, minor};

/// DE41 and DE11: one payment of one shop, as long as a run is shorter than a million payments.
type Trace = (String, u32);
/// DE32, DE41, DE37: what finds a payment in a bank's book.
type Reference = (u64, String, String);

/// Every rule about single payments.
pub(super) fn judge(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut ledger: BTreeMap<Trace, Vec<&PaymentView>> = BTreeMap::new();
    for payment in &evidence.payments {
        let stan = payment.stan.parse().unwrap_or(0);
        ledger.entry((payment.terminal.trim().to_owned(), stan)).or_default().push(payment);
    }
    for seen in evidence.shops.iter().flat_map(|shop| &shop.seen) {
        let trace = (seen.terminal.to_string(), seen.stan.get());
        let payments = ledger.get(&trace).map_or(&[][..], Vec::as_slice);
        one_shop_payment(evidence, seen, payments, found);
    }
    invented(evidence, &ledger, found);
    books(evidence, found);
}

fn one_shop_payment(
    evidence: &Evidence,
    seen: &Seen,
    payments: &[&PaymentView],
    found: &mut Vec<Violation>,
) {
    let posted: Vec<_> = payments.iter().filter(|payment| payment.status == "posted").collect();
    let name = || format!("{} {} {:?}", seen.terminal, seen.stan, seen.outcome);
    match seen.outcome {
        Outcome::Approved => match posted.as_slice() {
            [payment] => as_seen(evidence, seen, payment, found),
            other => {
                let states: Vec<_> = payments.iter().map(|payment| payment.status).collect();
                let what = format!("{}: posted {} times {states:?}", name(), other.len());
                found.push(Violation::Approval(what));
            }
        },
        Outcome::Reversed(code) => {
            if !code.is_approved() {
                found.push(Violation::ReversalRefused(name()));
            } else if !posted.is_empty() {
                found.push(Violation::NotUndone(name()));
            }
        }
        Outcome::Declined(_) if !posted.is_empty() => found.push(Violation::NotUndone(name())),
        // Nobody saw how it ended: either end is right, alike in both books.
        Outcome::Unknown if posted.len() > 1 => found.push(Violation::Approval(name())),
        Outcome::Declined(_) | Outcome::Unknown => {}
        Outcome::ReversalOwed => found.push(Violation::Pending(name())),
    }
}

/// What is posted is what the shop's receipt says.
fn as_seen(evidence: &Evidence, seen: &Seen, payment: &PaymentView, found: &mut Vec<Violation>) {
    let issuer = evidence.banks.iter().find(|bank| bank.iin == seen.issuer);
    let issuer = issuer.map(|bank| bank.id.to_string());
    let differs = [
        ("amount", minor(&payment.amount) != Some(i128::from(seen.amount.minor()))),
        ("returned", minor(&payment.returned) != Some(0)),
        ("DE37", payment.rrn.trim() != seen.rrn.as_str()),
        ("DE38", payment.approval_code.as_deref() != Some(seen.approval.as_str())),
        ("issuer", payment.issuer != issuer),
    ];
    for (what, differs) in differs {
        if differs {
            let what = format!("{} {}: {what} in {payment:?}", seen.terminal, seen.stan);
            found.push(Violation::Approval(what));
        }
    }
}

/// Payments that no shop made; one request that became two; two under one DE37.
fn invented(
    evidence: &Evidence,
    ledger: &BTreeMap<Trace, Vec<&PaymentView>>,
    found: &mut Vec<Violation>,
) {
    let shops = evidence.shops.iter();
    let made: std::collections::BTreeSet<Trace> = shops
        .flat_map(|shop| shop.seen.iter().chain(&shop.owed))
        .map(|seen| (seen.terminal.to_string(), seen.stan.get()))
        .collect();
    for (trace, payments) in ledger {
        let (terminal, stan) = trace;
        if !made.contains(trace) {
            found.push(Violation::Invented(format!("{terminal} {stan}: no shop made it")));
        }
        let moved = |payment: &&&PaymentView| matches!(payment.status, "posted" | "reversed");
        if payments.iter().filter(moved).count() > 1 {
            found
                .push(Violation::Invented(format!("{terminal} {stan}: one request, two payments")));
        }
    }
    let mut references: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for payment in &evidence.payments {
        *references.entry((&payment.acquirer, &payment.rrn)).or_default() += 1;
    }
    for ((acquirer, rrn), count) in references {
        if count > 1 {
            let what = format!("{count} payments of {acquirer} have DE37 {rrn}");
            found.push(Violation::Invented(what));
        }
    }
}

/// What one bank's book says of one payment.
#[derive(Default)]
struct Lines {
    debits: u32,
    returns: u32,
    net: i128,
}

/// Every payment moves the same money in the ledger and in its issuer's book; nothing else does.
fn books(evidence: &Evidence, found: &mut Vec<Violation>) {
    for bank in &evidence.banks {
        let mut lines: BTreeMap<Reference, Lines> = BTreeMap::new();
        for entry in &bank.entries {
            add(lines.entry(reference(entry)).or_default(), entry);
        }
        let own = bank.id.to_string();
        let mine = evidence.payments.iter().filter(|payment| payment.issuer.as_ref() == Some(&own));
        for payment in mine {
            let key = (
                payment.acquirer.parse().unwrap_or(0),
                payment.terminal.trim().to_owned(),
                payment.rrn.trim().to_owned(),
            );
            let kept = lines.remove(&key).unwrap_or_default();
            one_book_payment(bank, payment, &kept, found);
        }
        for ((acquirer, terminal, rrn), kept) in lines {
            let what = format!(
                "{own} booked {} for {acquirer} {terminal} {rrn}, which the ledger does not have",
                kept.net
            );
            found.push(Violation::Book(what));
        }
    }
}

fn one_book_payment(
    bank: &BankEvidence,
    payment: &PaymentView,
    kept: &Lines,
    found: &mut Vec<Violation>,
) {
    let amount = minor(&payment.amount).unwrap_or(0);
    let returned = minor(&payment.returned).unwrap_or(0);
    let moved = if payment.status == "posted" { amount - returned } else { 0 };
    if kept.net != -moved {
        let (rrn, status) = (&payment.rrn, payment.status);
        let what = format!("{} has {} for {rrn}, {status} {moved}", bank.id, kept.net);
        found.push(Violation::Book(what));
    }
    if kept.debits > 1 || kept.returns > kept.debits {
        let (debits, returns, rrn) = (kept.debits, kept.returns, &payment.rrn);
        let what = format!("{}: {debits} debits, {returns} returns of {rrn}", bank.id);
        found.push(Violation::Bank(what));
    }
}

fn reference(entry: &Entry) -> Reference {
    let acquirer = entry.acquirer.map_or(0, |acquirer| acquirer.get());
    (acquirer, entry.terminal.to_string(), entry.rrn.to_string())
}

fn add(lines: &mut Lines, entry: &Entry) {
    lines.net += i128::from(entry.effect);
    match entry.kind {
        EntryKind::Purchase | EntryKind::Cash | EntryKind::Cashback | EntryKind::Refund => {
            lines.debits += 1;
        }
        EntryKind::Reversal => lines.returns += 1,
        EntryKind::Refill => {}
    }
}
