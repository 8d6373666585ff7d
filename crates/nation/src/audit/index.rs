//! Evidence in an order in which single payments are found.

use std::collections::BTreeMap;

use host::view::PaymentView;

use super::evidence::{Ask, Claim, Evidence, Trace};
use super::minor;

/// What belongs to one request.
pub(super) struct Index<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) payments: BTreeMap<Trace, Vec<&'a PaymentView>>,
    pub(super) claims: BTreeMap<Trace, &'a Claim>,
    /// Requests that name another one, under that one's trace.
    named_by: BTreeMap<Trace, Vec<&'a Claim>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut payments: BTreeMap<Trace, Vec<&PaymentView>> = BTreeMap::new();
        for payment in &evidence.payments {
            payments.entry(trace(payment)).or_default().push(payment);
        }
        let all =
            || evidence.askers.iter().flat_map(|asker| asker.claims.iter().chain(&asker.owed));
        let mut named_by: BTreeMap<Trace, Vec<&Claim>> = BTreeMap::new();
        for claim in all() {
            if let Some(of) = claim.of_trace() {
                named_by.entry(of).or_default().push(claim);
            }
        }
        let claims = all().map(|claim| (claim.trace(), claim)).collect();
        Self { evidence, payments, claims, named_by }
    }

    /// The payments under a trace.
    pub(super) fn of(&self, trace: &Trace) -> &[&'a PaymentView] {
        self.payments.get(trace).map_or(&[], Vec::as_slice)
    }

    /// Requests of this sort that name that one.
    pub(super) fn naming(&self, trace: &Trace, ask: Ask) -> impl Iterator<Item = &'a Claim> {
        let all = self.named_by.get(trace).into_iter().flatten().copied();
        all.filter(move |claim| claim.ask == ask)
    }

    /// What refunds returned of a payment, as far as they still stand.
    pub(super) fn refunded(&self, trace: &Trace) -> i128 {
        let refunds = self.naming(trace, Ask::Refund);
        refunds.flat_map(|claim| self.of(&claim.trace())).map(|payment| stands(payment)).sum()
    }
}

pub(super) fn trace(payment: &PaymentView) -> Trace {
    let acquirer = payment.acquirer.parse().unwrap_or(0);
    let stan = payment.stan.parse().unwrap_or(0);
    (acquirer, payment.terminal.trim().to_owned(), stan)
}

/// What a payment moves in the end.
pub(super) fn stands(payment: &PaymentView) -> i128 {
    match payment.status {
        "posted" => amount(payment) - returned(payment),
        _ => 0,
    }
}

pub(super) fn amount(payment: &PaymentView) -> i128 {
    minor(&payment.amount).unwrap_or(0)
}

pub(super) fn returned(payment: &PaymentView) -> i128 {
    minor(&payment.returned).unwrap_or(0)
}
