//! Ledger against the banks' own books.

use std::collections::BTreeMap;

use host::view::PaymentView;

use super::Violation;
use super::evidence::{BankEvidence, Line};
use super::index::{Index, amount, returned, trace};

/// DE32, DE41, DE37, and whether money goes to the cardholder: what finds a payment in a book.
type Reference = (u64, String, String, bool);

/// What one bank's book, or the ledger, says of one reference.
#[derive(Clone, Copy, Default)]
struct Sum {
    moves: u32,
    returns: u32,
    net: i128,
}

/// Every payment moves the same money in the ledger and in its issuer's book; nothing else does.
pub(super) fn judge(index: &Index<'_>, found: &mut Vec<Violation>) {
    for bank in &index.evidence.banks {
        let mut kept: BTreeMap<Reference, Sum> = BTreeMap::new();
        for line in &bank.lines {
            let sum = kept.entry(reference(line)).or_default();
            sum.net += i128::from(line.effect);
            *(if line.back { &mut sum.returns } else { &mut sum.moves }) += 1;
        }
        let own = bank.id.to_string();
        let mut ledger: BTreeMap<Reference, (Sum, Vec<&PaymentView>)> = BTreeMap::new();
        let mine = index.evidence.payments.iter().filter(|p| p.issuer.as_ref() == Some(&own));
        for payment in mine {
            let (sum, payments) = ledger.entry(of_payment(payment)).or_default();
            sum.net += expected(index, payment);
            sum.moves += 1;
            payments.push(payment);
        }
        for (reference, (expected, payments)) in &ledger {
            let book = kept.remove(reference).unwrap_or_default();
            compare(bank, *expected, payments, book, found);
        }
        for ((acquirer, terminal, rrn, _), sum) in kept {
            let (net, moves) = (sum.net, sum.moves);
            let what = format!(
                "{own} booked {net} ({moves} lines) for {acquirer} {terminal} {rrn}, which the \
                 ledger does not have"
            );
            found.push(Violation::Book(what));
        }
    }
}

fn compare(
    bank: &BankEvidence,
    expected: Sum,
    payments: &[&PaymentView],
    book: Sum,
    found: &mut Vec<Violation>,
) {
    if book.net != expected.net {
        let (has, moved) = (book.net, expected.net);
        let what = format!("{} has {has}, the ledger {moved}: {payments:?}", bank.id);
        found.push(Violation::Book(what));
    }
    if book.moves > expected.moves || book.returns > book.moves {
        let (moves, returns) = (book.moves, book.returns);
        let what = format!("{}: {moves} moves, {returns} returns of {payments:?}", bank.id);
        found.push(Violation::Bank(what));
    }
}

/// What the issuer must have added to the cardholder's balance for this payment alone; refunds of
/// it are payments of their own.
fn expected(index: &Index<'_>, payment: &PaymentView) -> i128 {
    let refunded = index.refunded(&trace(payment));
    let paid = match payment.status {
        "posted" => amount(payment) - returned(payment) + refunded,
        "reversed" => refunded,
        _ => 0,
    };
    if payment.kind == "refund" { paid } else { -paid }
}

fn of_payment(payment: &PaymentView) -> Reference {
    let (acquirer, terminal, _) = trace(payment);
    (acquirer, terminal, payment.rrn.trim().to_owned(), payment.kind == "refund")
}

fn reference(line: &Line) -> Reference {
    // What takes a credit back is a debit.
    let credit = (line.effect > 0) != line.back;
    (line.acquirer, line.terminal.to_string(), line.rrn.to_string(), credit)
}
