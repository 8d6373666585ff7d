//! Item by item: what was seen at counters against the ledger.

use std::collections::BTreeMap;

use host::view::PaymentView;

use super::evidence::{Ask, Claim, End, Evidence};
use super::index::{Index, amount, returned, trace};
use super::{Violation, books, holds, minor, refunds};

/// Every rule about single payments.
pub(super) fn judge(evidence: &Evidence, found: &mut Vec<Violation>) {
    let index = Index::new(evidence);
    for claim in evidence.askers.iter().flat_map(|asker| &asker.claims) {
        match claim.ask {
            Ask::Purchase | Ask::Cash | Ask::Refund => one_payment(&index, claim, found),
            Ask::Balance => one_enquiry(&index, claim, found),
            Ask::Hold => holds::one_hold(&index, claim, found),
            Ask::Completion => holds::one_completion(&index, claim, found),
        }
    }
    invented(&index, found);
    refunds::judge(&index, found);
    books::judge(&index, found);
}

fn one_payment(index: &Index<'_>, claim: &Claim, found: &mut Vec<Violation>) {
    let payments = index.of(&claim.trace());
    let posted: Vec<_> = payments.iter().filter(|payment| payment.status == "posted").collect();
    let refunded = index.refunded(&claim.trace());
    let back = match claim.end {
        End::Kept(kept) => claim.minor() - i128::from(kept.minor()),
        End::Approved
        | End::Declined
        | End::Unknown
        | End::Reversed
        | End::ReversalRefused
        | End::Owed => 0,
    };
    match claim.end {
        End::Approved | End::Kept(_) if claim.approved => match posted.as_slice() {
            [payment] => {
                as_seen(index, claim, payment, found);
                // Returns stop where nothing is left.
                let expected = (refunded + back).min(claim.minor());
                if returned(payment) != expected {
                    let what = format!("{claim}: {expected} went back, {payment:?}");
                    found.push(Violation::Returns(what));
                }
            }
            // A reversal in part that returns the last of it ends the payment.
            [] if refunded + back >= claim.minor() && back > 0 => {}
            other => {
                let states: Vec<_> = payments.iter().map(|payment| payment.status).collect();
                let what = format!("{claim}: posted {} times {states:?}", other.len());
                found.push(Violation::Approval(what));
            }
        },
        End::Reversed | End::Declined if !posted.is_empty() => {
            found.push(Violation::NotUndone(claim.to_string()));
        }
        // Nobody saw how it ended: either end is right, alike in both books.
        End::Unknown | End::Approved | End::Kept(_) if posted.len() > 1 => {
            found.push(Violation::Approval(claim.to_string()));
        }
        End::ReversalRefused => found.push(Violation::ReversalRefused(claim.to_string())),
        End::Owed => found.push(Violation::Pending(claim.to_string())),
        End::Approved | End::Kept(_) | End::Reversed | End::Declined | End::Unknown => {}
    }
}

/// What is posted is what the receipt says.
pub(super) fn as_seen(
    index: &Index<'_>,
    claim: &Claim,
    payment: &PaymentView,
    found: &mut Vec<Violation>,
) {
    let issuer = index.evidence.banks.iter().find(|bank| bank.iin == claim.issuer);
    let issuer = issuer.map(|bank| bank.id.to_string());
    let kind = match claim.ask {
        Ask::Purchase => "purchase",
        Ask::Cash => "cash",
        Ask::Refund => "refund",
        Ask::Balance => "balance",
        Ask::Hold | Ask::Completion => holds::PREAUTHORISATION,
    };
    // What a completion leaves of a hold is its own affair.
    let amount_differs = claim.ask != Ask::Hold && minor(&payment.amount) != Some(claim.minor());
    let differs = [
        ("amount", amount_differs),
        ("kind", payment.kind != kind),
        ("DE37", payment.rrn.trim() != claim.rrn.as_str()),
        ("DE38", payment.approval_code.as_deref() != Some(claim.approval.as_str())),
        ("issuer", payment.issuer != issuer),
    ];
    for (what, differs) in differs {
        if differs {
            found.push(Violation::Approval(format!("{claim}: {what} in {payment:?}")));
        }
    }
}

/// Asking for a balance moves nothing and is kept nowhere.
fn one_enquiry(index: &Index<'_>, claim: &Claim, found: &mut Vec<Violation>) {
    if let Some(payment) = index.of(&claim.trace()).iter().find(|p| p.status != "declined") {
        found.push(Violation::Invented(format!("{claim}: an enquiry became {payment:?}")));
    }
    match claim.end {
        End::Reversed | End::Kept(_) | End::ReversalRefused => {
            found.push(Violation::Invented(format!("{claim}: an enquiry was reversed")));
        }
        End::Owed => found.push(Violation::Pending(claim.to_string())),
        End::Approved | End::Declined | End::Unknown => {}
    }
}

/// Payments that nobody asked for; one request that became two; two under one DE37.
fn invented(index: &Index<'_>, found: &mut Vec<Violation>) {
    for (trace, payments) in &index.payments {
        let (acquirer, terminal, stan) = trace;
        if payments.iter().all(|payment| payment.synthetic) {
            // A station asked for it, and must have taken it back.
            let stands = payments.iter().filter(|p| matches!(p.status, "posted" | "pending"));
            let what = |payment| format!("a synthetic payment stands: {payment:?}");
            found.extend(stands.map(|payment| Violation::NotUndone(what(payment))));
        } else if !index.claims.contains_key(trace) {
            let what = format!("{acquirer} {terminal} {stan}: nobody asked for it");
            found.push(Violation::Invented(what));
        }
        let moved = |payment: &&&PaymentView| matches!(payment.status, "posted" | "reversed");
        if payments.iter().filter(moved).count() > 1 {
            let what = format!("{acquirer} {terminal} {stan}: one request, two payments");
            found.push(Violation::Invented(what));
        }
    }
    let mut references: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    // A refund may name its payment by carrying its DE37.
    for payment in index.evidence.payments.iter().filter(|payment| payment.kind != "refund") {
        *references.entry((&payment.acquirer, &payment.rrn)).or_default() += 1;
    }
    for ((acquirer, rrn), count) in references {
        if count > 1 {
            let what = format!("{count} payments of {acquirer} have DE37 {rrn}");
            found.push(Violation::Invented(what));
        }
    }
    for payment in &index.evidence.payments {
        if returned(payment) > amount(payment) || returned(payment) < 0 {
            let what = format!("more went back than was paid: {:?} {payment:?}", trace(payment));
            found.push(Violation::Returns(what));
        }
    }
}
