//! Pre-authorisations: a hold ends in one completion, in its reversal, or by its time.

use host::view::PaymentView;

use super::Violation;
use super::evidence::{Ask, Claim, End, Rules};
use super::index::{Index, amount};
use super::payments::as_seen;

/// What a hold that can be completed is published as.
pub(super) const PREAUTHORISATION: &str = "preauth";

/// What an asker saw of a hold.
pub(super) fn one_hold(index: &Index<'_>, claim: &Claim, found: &mut Vec<Violation>) {
    let trace = claim.trace();
    let payments = index.of(&trace);
    let posted: Vec<_> = payments.iter().filter(|payment| payment.status == "posted").collect();
    if posted.len() > 1 {
        found.push(Violation::Approval(format!("{claim}: posted {} times", posted.len())));
    }
    match claim.end {
        End::Reversed | End::Declined => {
            let stands = payments.iter().any(|p| matches!(p.status, "posted" | "pending"));
            if stands {
                found.push(Violation::NotUndone(claim.to_string()));
            }
        }
        End::Approved | End::Kept(_) | End::Unknown => {
            let completions: Vec<&Claim> = index.naming(&trace, Ask::Completion).collect();
            completed(index, claim, &completions, payments, found);
        }
        End::ReversalRefused => found.push(Violation::ReversalRefused(claim.to_string())),
        End::Owed => found.push(Violation::Pending(claim.to_string())),
    }
}

/// A hold is posted when one completion of it counted, by what that one said.
fn completed(
    index: &Index<'_>,
    claim: &Claim,
    completions: &[&Claim],
    payments: &[&PaymentView],
    found: &mut Vec<Violation>,
) {
    let posted = payments.iter().find(|payment| payment.status == "posted");
    let Some(payment) = posted else {
        // A completion that came too late is acknowledged too.
        let sure = claim.approved && index.evidence.rules.holds_stand;
        let counts = |completion: &&&Claim| {
            sure && completion.end == End::Approved && completion.amount <= claim.amount
        };
        if let Some(completion) = completions.iter().find(counts) {
            let what = format!("{completion} of {claim}: not posted, {payments:?}");
            found.push(Violation::Completion(what));
        }
        return;
    };
    if claim.approved {
        as_seen(index, claim, payment, found);
    }
    if amount(payment) > claim.minor() {
        found.push(Violation::Completion(format!("{claim}: more than was held, {payment:?}")));
    }
    let said = |completion: &&Claim| {
        completion.minor() == amount(payment) && completion.end != End::Declined
    };
    if !completions.iter().any(said) {
        let what = format!("{claim}: posted as no completion said, {payment:?}");
        found.push(Violation::Completion(what));
    }
}

/// What an asker saw of a completion.
pub(super) fn one_completion(index: &Index<'_>, claim: &Claim, found: &mut Vec<Violation>) {
    // It has a trace number of its own and is no payment of its own.
    if let Some(payment) = index.of(&claim.trace()).first() {
        found.push(Violation::Completion(format!("{claim} became a payment: {payment:?}")));
    }
    match claim.end {
        End::Reversed | End::Kept(_) | End::ReversalRefused => {
            found.push(Violation::Completion(format!("{claim}: an advice was reversed")));
        }
        End::Owed => found.push(Violation::Pending(claim.to_string())),
        End::Approved | End::Declined | End::Unknown => {}
    }
}

/// What still stands is a hold whose time has not come.
pub(super) fn pending(payments: &[PaymentView], rules: Rules) -> Option<String> {
    let mut all = payments.iter().filter(|payment| payment.status == "pending");
    let stands = |payment: &PaymentView| rules.holds_stand && payment.kind == PREAUTHORISATION;
    all.find(|payment| !stands(payment)).map(|payment| format!("{} is pending", payment.rrn))
}

/// Debits and credits that standing holds keep on an account, minor units.
pub(super) fn stands(payments: &[PaymentView], owner: &str, kind: &str) -> [i128; 2] {
    let mut held = [0; 2];
    for payment in payments.iter().filter(|payment| payment.status == "pending") {
        let issuer = payment.issuer.as_deref().unwrap_or_default();
        let on_us = issuer == payment.acquirer;
        let (from, to) =
            if on_us { ("onus_issued", "onus_acquired") } else { ("position", "position") };
        if (issuer, from) == (owner, kind) {
            held[0] += amount(payment);
        }
        if (payment.acquirer.as_str(), to) == (owner, kind) {
            held[1] += amount(payment);
        }
    }
    held
}
