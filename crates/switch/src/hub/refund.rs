//! What a refund (DE3 20) may return (R-ACCOUNTS). A linked one names its payment by DE90 or DE37,
//! from any till of the shop, with the same card; together with reversals it never returns more
//! than was posted. An unlinked one needs limits of its retailer. Refunds in flight count in both.

use scheme::{Amount, PaymentId, PaymentKind, Reason};

use super::flows::Completion;
use super::matching::{self, is_named, named_class};
use super::payments::{Payment, Status};
use super::{Hub, MatchKey};
use crate::limits::{SAME_CARD_MAX, SAME_REFERENCE_MAX};
use crate::record::{Fact, Seen};
use crate::request::{OriginalRef, Request};

/// Kind of the records that open a payment, the head of a refund's id (R-MATCH).
const OPENED: u8 = 16;

/// What a refund names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refunded {
    /// Nothing that is known: limits of its retailer decide.
    Nothing,
    /// This payment.
    Payment(PaymentId),
    /// A payment that it may not return: of another card, or no purchase.
    Other,
}

/// How a refund names its payment, in the order in which they are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// DE90 by K2.
    De90,
    /// DE37.
    De37,
    /// The trace number in DE90, with the card.
    De11,
}

impl Hub {
    /// The payment that a refund names.
    pub(super) fn refunded(&self, request: &Request) -> Refunded {
        if request.processing.kind() != Some(scheme::TransactionKind::Refund) {
            return Refunded::Nothing;
        }
        let by = |way| match self.named(request, way) {
            Refunded::Nothing => None,
            found => Some(found),
        };
        if let Some(found) = by(Way::De90).or_else(|| by(Way::De37)) {
            return found;
        }
        // What names a payment that is not found is not unlinked: it may have been refunded before.
        let named = request.original.is_some_and(|original| original.stan != 0);
        by(Way::De11).unwrap_or(if named { Refunded::Other } else { Refunded::Nothing })
    }

    /// What a refund names, at any till of the shop: of its card's payments there, which are few.
    /// Those are found whether or not a register knows the till (R-LINK).
    fn named(&self, request: &Request, way: Way) -> Refunded {
        let (payments, acquirer) = (self.state.payments(), request.acquirer);
        let of_shop = |payment: &&Payment| payment.seen.retailer == request.retailer;
        if let Some(token) = request.card.map(|card| card.token) {
            let of_card = payments.by_card(acquirer, request.retailer, token);
            let found = of_card
                .take(SAME_CARD_MAX)
                .filter(|payment| self.is_named_by(payment, request, way))
                .find(|payment| is_refundable(&payment.seen));
            if let Some(payment) = found {
                return Refunded::Payment(payment.id);
            }
        }
        let other = match way {
            // It says which message of this till it means, whatever that was.
            Way::De90 => payments
                .by_stan(acquirer, request.terminal, matching::stan_of(request))
                .filter(of_shop)
                .any(|payment| self.is_named_by(payment, request, way)),
            // A shop may number its messages by itself.
            Way::De37 if request.rrn_sent => payments
                .by_reference(acquirer, request.rrn)
                .take(SAME_REFERENCE_MAX)
                .filter(of_shop)
                .any(|payment| is_refundable(&payment.seen)),
            Way::De37 | Way::De11 => false,
        };
        if other { Refunded::Other } else { Refunded::Nothing }
    }

    /// Whether DE90, or DE37, of a refund fits a payment; card and till are looked at elsewhere.
    fn is_named_by(&self, payment: &Payment, request: &Request, way: Way) -> bool {
        let seen = &payment.seen;
        if way == Way::De37 {
            return request.rrn_sent && seen.rrn == request.rrn;
        }
        let Some(named) = request.original.filter(|original| original.stan != 0) else {
            return false;
        };
        // A repeat has a DE7 of its own, and the terminal cannot know by which it is known here.
        let transmitted = if way == Way::De11 { 0 } else { named.transmitted };
        let named = OriginalRef { transmitted, ..named };
        let stan = matching::stan_of(request);
        let class = named_class(request.original);
        let asked = seen.stan == stan
            && class.is_none_or(|class| class == seen.mti.class())
            && is_named(&named, seen, seen.transmitted);
        let completed =
            |done: &Completion| done.stan == stan && is_named(&named, seen, done.transmitted);
        asked || self.state.flows().completion(payment.id).is_some_and(completed)
    }

    /// 57, unless what it names has so much left, or its retailer may refund so much.
    pub(super) fn refund_rule(&self, request: &Request, refunded: Refunded) -> Option<Reason> {
        let allowed = match refunded {
            Refunded::Other => false,
            Refunded::Payment(id) => self.state.payments().get(id).is_some_and(|payment| {
                payment.status == Status::Posted
                    && self.refundable(payment).is_some_and(|rest| request.amount <= rest)
            }),
            Refunded::Nothing => self.is_within_limits(request),
        };
        (!allowed).then_some(Reason::Refund)
    }

    /// What reversals and refunds, those in flight too, have left of a payment.
    pub(super) fn refundable(&self, payment: &Payment) -> Option<Amount> {
        let posted = self.state.flows().posted(payment);
        posted.checked_sub(payment.returned)?.checked_sub(self.refunding(payment.id)?)
    }

    /// What refunds in flight, those proposed too, are returning of a payment.
    pub(super) fn refunding(&self, id: PaymentId) -> Option<Amount> {
        let proposed = self.proposed_refunds(|original, _| original == Some(id));
        self.state.flows().refunding(id).checked_add(proposed?)
    }

    fn is_within_limits(&self, request: &Request) -> bool {
        let Some(limits) = self.state.directory().refund_limits(request.retailer) else {
            return false;
        };
        let till = (request.acquirer, request.retailer);
        let before = self.state.flows().refunded_on(till, self.state.business_date());
        let proposed = self.proposed_refunds(|original, seen| {
            original.is_none() && (seen.acquirer, seen.retailer) == till
        });
        let sum = proposed
            .and_then(|proposed| before.checked_add(proposed))
            .and_then(|sum| sum.checked_add(request.amount));
        request.amount <= limits.each && sum.is_some_and(|sum| sum <= limits.day)
    }

    /// Refunds that the engine has still to answer for; few, because it answers at once.
    fn proposed_refunds(&self, which: impl Fn(Option<PaymentId>, &Seen) -> bool) -> Option<Amount> {
        self.proposals.iter().try_fold(Amount::ZERO, |sum, proposal| {
            if let Fact::Opened(opened) = &proposal.fact
                && opened.seen.is_refund()
                && which(opened.original, &opened.seen)
            {
                sum.checked_add(opened.seen.amount)
            } else {
                Some(sum)
            }
        })
    }

    /// The id of a first request: a refund's is its own, not made of what it carries (R-MATCH).
    pub(super) fn id_of(&mut self, request: &Request) -> PaymentId {
        if request.processing.kind() == Some(scheme::TransactionKind::Refund) {
            return PaymentId::of_transfer(self.own_transfer_id(OPENED));
        }
        request.candidate
    }

    /// Where a refund waits while something is decided about its payment.
    pub(super) fn refund_waits_at(&self, refunded: Refunded) -> Option<MatchKey> {
        let Refunded::Payment(id) = refunded else { return None };
        let seen = &self.state.payments().get(id)?.seen;
        let key = (seen.acquirer, seen.terminal, seen.stan);
        if self.behind.contains_key(&key) { Some(key) } else { self.ending_refund(id) }
    }

    /// Where what speaks of a payment waits while the end of one of its refunds is being decided:
    /// whether that counts is known only then.
    pub(super) fn ending_refund(&self, id: PaymentId) -> Option<MatchKey> {
        let flows = self.state.flows();
        let of = |fact: &Fact| fact.payment().and_then(|refund| flows.original_of(refund));
        let ending = self.proposals.iter().find(|proposal| of(&proposal.fact) == Some(id));
        ending?.key.filter(|key| self.behind.contains_key(key))
    }
}

fn is_refundable(seen: &Seen) -> bool {
    match seen.kind() {
        Some(PaymentKind::Purchase | PaymentKind::Cashback | PaymentKind::PreAuthorisation) => true,
        Some(PaymentKind::Cash | PaymentKind::Refund | PaymentKind::Balance) | None => false,
    }
}
