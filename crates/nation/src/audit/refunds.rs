//! Refunds: what goes back never exceeds what was paid, and what names no payment keeps to its
//! retailer's limits.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::evidence::{Ask, Claim, Trace};
use super::index::{Index, amount, returned, stands};

pub(super) fn judge(index: &Index<'_>, found: &mut Vec<Violation>) {
    let all = index.claims.values().filter(|claim| claim.ask == Ask::Refund);
    let (linked, unlinked): (Vec<_>, Vec<_>) = all.partition(|claim| claim.of.is_some());
    let originals: BTreeSet<Trace> =
        linked.iter().filter_map(|claim: &&&Claim| claim.of_trace()).collect();
    for original in originals {
        one_original(index, &original, found);
    }
    limits(index, &unlinked, found);
}

/// A payment and all that refunds returned of it.
fn one_original(index: &Index<'_>, original: &Trace, found: &mut Vec<Violation>) {
    let refunded = index.refunded(original);
    let payments = index.of(original);
    let paid: i128 = payments
        .iter()
        .filter(|payment| matches!(payment.status, "posted" | "reversed"))
        .map(|payment| amount(payment))
        .sum();
    let (_, terminal, stan) = original;
    if refunded > paid {
        let what = format!("{terminal} {stan}: {refunded} refunded of {paid}");
        found.push(Violation::Returns(what));
    }
    let shown: i128 = payments.iter().map(|payment| returned(payment)).sum();
    if refunded > shown {
        let what = format!("{terminal} {stan}: {refunded} refunded, {shown} shown as returned");
        found.push(Violation::Returns(what));
    }
}

/// Per refund, and per retailer and day.
fn limits(index: &Index<'_>, unlinked: &[&&Claim], found: &mut Vec<Violation>) {
    let rules = index.evidence.rules;
    let mut days: BTreeMap<(&str, &str, &str), i128> = BTreeMap::new();
    for payment in unlinked.iter().flat_map(|claim| index.of(&claim.trace())) {
        let moved = stands(payment);
        if moved > 0 && amount(payment) > i128::from(rules.refund_max) {
            let what = format!("a refund of nothing over the limit: {payment:?}");
            found.push(Violation::Returns(what));
        }
        *days.entry((&payment.acquirer, &payment.retailer, &payment.business_date)).or_default() +=
            moved;
    }
    for ((_, retailer, day), sum) in days {
        if sum > i128::from(rules.refund_day_max) {
            let what = format!("{retailer} refunded {sum} of nothing on {day}");
            found.push(Violation::Returns(what));
        }
    }
}
