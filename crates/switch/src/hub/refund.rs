//! What a refund (DE3 20) may return (R-ACCOUNTS). A linked one names its payment by DE90 or DE37,
//! from any till of the shop, with the same card; together with reversals it never returns more
//! than was posted. An unlinked one needs limits of its retailer. Refunds in flight count in both.

use scheme::{Amount, PaymentId, PaymentKind, Reason};

use super::matching::{self, is_named, named_class};
use super::payments::{Payment, Status};
use super::{Hub, MatchKey};
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

    /// What a refund names, at any till of the shop.
    fn named(&self, request: &Request, way: Way) -> Refunded {
        let others = self.state.directory().tills(request.acquirer, request.retailer);
        let tills = core::iter::once(request.terminal)
            .chain(others.filter(|till| *till != request.terminal));
        let mut found: Option<&Payment> = None;
        let mut other = false;
        let mut look_at = |payment: &'_ Payment| -> Option<bool> {
            if payment.seen.retailer != request.retailer {
                return None;
            }
            // A shop may number its messages by itself (DE37), but DE90 means what it says.
            if !is_refundable(&payment.seen) {
                other |= way == Way::De90;
                return None;
            }
            let token = payment.seen.card.map(|card| card.token);
            let same = token.is_some() && token == request.card.map(|card| card.token);
            other |= !same && way != Way::De11;
            Some(same)
        };
        for till in tills {
            for payment in self.named_at(till, request, way) {
                let newer =
                    found.is_none_or(|known| (known.at, known.id) < (payment.at, payment.id));
                if look_at(payment) == Some(true) && newer {
                    found = Some(payment);
                }
            }
        }
        match found {
            Some(payment) => Refunded::Payment(payment.id),
            None if other => Refunded::Other,
            None => Refunded::Nothing,
        }
    }

    /// Payments of a till that DE90, or DE37, of a refund fits; its card is looked at elsewhere.
    fn named_at<'a>(
        &'a self,
        till: scheme::TerminalId,
        request: &'a Request,
        way: Way,
    ) -> impl Iterator<Item = &'a Payment> {
        let (payments, flows) = (self.state.payments(), self.state.flows());
        let acquirer = request.acquirer;
        let named = request.original.filter(|original| way != Way::De37 && original.stan != 0);
        let class = named_class(request.original);
        // A repeat has a DE7 of its own, and the terminal cannot know by which it is known here.
        let named = named.map(|named| match way {
            Way::De11 => OriginalRef { transmitted: 0, ..named },
            Way::De90 | Way::De37 => named,
        });
        let by_k2 = named.into_iter().flat_map(move |named| {
            let stan = matching::stan_of(request);
            let requests = payments.by_stan(acquirer, till, stan).filter(move |payment| {
                class.is_none_or(|class| class == payment.seen.mti.class())
                    && is_named(&named, &payment.seen, payment.seen.transmitted)
            });
            let completions =
                flows.by_completion((acquirer, till), stan).iter().filter_map(move |id| {
                    let payment = payments.get(*id)?;
                    let sent = flows.completion(*id)?.transmitted;
                    is_named(&named, &payment.seen, sent).then_some(payment)
                });
            requests.chain(completions)
        });
        let sent = (request.rrn_sent && way == Way::De37).then_some(request.rrn);
        let by_k3 = sent.into_iter().flat_map(move |rrn| payments.by_rrn(acquirer, till, rrn));
        by_k2.chain(by_k3)
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
        self.proposals.iter().try_fold(Amount::ZERO, |sum, proposal| match &proposal.fact {
            Fact::Opened(opened)
                if opened.seen.is_refund() && which(opened.original, &opened.seen) =>
            {
                sum.checked_add(opened.seen.amount)
            }
            _ => Some(sum),
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
        let of = |fact: &Fact| super::payment_of(fact).and_then(|refund| flows.original_of(refund));
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
