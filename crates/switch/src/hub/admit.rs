//! A first request, to its hold or its refusal, in the order of R-DE39.

use scheme::{
    BusinessDate, MtiFunction, ParticipantId, PaymentId, PaymentKind, Reason, Timestamp,
    TransactionKind,
};

use super::matching::{self, Match};
use super::payments::Status;
use super::refund::Refunded;
use super::{Count, Effect, Effects, Flight, Hub, Input, MatchKey, Next};
use crate::limits::{ENQUIRIES_PERCENT, OPEN_PREAUTHS_PER_TERMINAL_MAX, WAITERS_MAX};
use crate::record::{Declined, Fact, FindingKind, Opened, Seen};
use crate::request::{Answer, Carried, ReplyTo, Request, Trace};

/// What a request is waiting for, or why it need not.
enum Admission {
    /// Everything is in order: this issuer, on this connection.
    Ask { issuer: ParticipantId, line: u64, original: Option<PaymentId> },
    /// A refund of a payment about which something is being decided: it waits behind that.
    Wait(MatchKey),
    /// Refused.
    Refuse { reason: Reason, issuer: Option<ParticipantId> },
}

impl Hub {
    pub(super) fn admit(&mut self, from: ReplyTo, request: Request, out: &mut Effects) {
        if request.mti.function() == MtiFunction::Advice {
            self.advice_in(from, request, out);
            return;
        }
        if let Some(reason) = self.before_matching(from, &request) {
            self.refuse(from, reason, request.rrn, out);
            return;
        }
        match matching::request(&self.state, &self.config.timers, &request) {
            Match::Repeat(found) => {
                let (id, ambiguous) = (found.payment.id, found.ambiguous);
                if ambiguous {
                    self.find(FindingKind::TwoCandidates, Some(id), out);
                }
                self.answer_repeat(from, id, out);
            }
            Match::Conflict => self.refuse(from, Reason::Duplicate, request.rrn, out),
            Match::Tombstone => self.refuse(from, Reason::Reversed, request.rrn, out),
            Match::TooMany => self.refuse(from, Reason::Overload, request.rrn, out),
            Match::New if self.has_too_many_new() => {
                self.refuse(from, Reason::History, request.rrn, out);
            }
            Match::New if self.engine_is_slow() => {
                self.refuse(from, Reason::Ledger, request.rrn, out);
            }
            Match::New if self.has_too_many_holds(&request) => {
                self.refuse(from, Reason::Holds, request.rrn, out);
            }
            Match::New => self.first(from, request, out),
        }
    }

    /// Those that the engine has still to answer for count too: few, because it answers at once.
    fn has_too_many_holds(&self, request: &Request) -> bool {
        if PaymentKind::of(request.mti, request.processing) != Some(PaymentKind::PreAuthorisation) {
            return false;
        }
        let terminal = (request.acquirer, request.terminal);
        let open = self.state.flows().open_preauths(terminal);
        let room = OPEN_PREAUTHS_PER_TERMINAL_MAX.saturating_sub(open);
        if self.proposals.len() < room {
            return false;
        }
        let proposed = self.proposals.iter().filter(|proposal| {
            let Fact::Opened(Opened { seen, .. }) = &proposal.fact else { return false };
            seen.is_preauth() && (seen.acquirer, seen.terminal) == terminal
        });
        proposed.count() >= room
    }

    /// What is checked before anything is matched: 96, 30, 58.
    pub(super) fn before_matching(&self, from: ReplyTo, request: &Request) -> Option<Reason> {
        let balance = request.processing.kind() == Some(TransactionKind::Balance);
        if self.flights.len() >= self.config.in_flight_max || balance && self.enquiries_are_full() {
            return Some(Reason::Overload);
        }
        if balance && !request.amount.is_zero() {
            return Some(Reason::Format);
        }
        if !self.speaks_for(from.peer, request) {
            return Some(Reason::Terminal);
        }
        if request.has_pin {
            return Some(Reason::Pin);
        }
        None
    }

    fn first(&mut self, from: ReplyTo, request: Request, out: &mut Effects) {
        // The station has answered 91 by now, or is about to.
        if u64::from(request.age_ms) >= self.config.timers.hub_answer_ms {
            self.refuse(from, Reason::TrunkDown, request.rrn, out);
            return;
        }
        let balance = request.processing.kind() == Some(TransactionKind::Balance);
        if balance && self.join_enquiry(from, &request, out) {
            return;
        }
        match self.judge(&request) {
            Admission::Ask { issuer, line, .. } if balance => {
                self.enquire(from, request, issuer, line, out);
            }
            Admission::Ask { issuer, line, original } => {
                self.open(from, request, issuer, line, original, out);
            }
            Admission::Wait(key) => {
                self.behind.entry(key).or_default().push(Input::Request { from, request });
            }
            Admission::Refuse { reason, issuer } if reason.is_recorded() && !balance => {
                self.decline(from, &request, reason, issuer, out);
            }
            Admission::Refuse { reason, .. } => self.refuse(from, reason, request.rrn, out),
        }
    }

    fn judge(&mut self, request: &Request) -> Admission {
        let refuse = |reason| Admission::Refuse { reason, issuer: None };
        if let Some(reason) = self.of_request(request) {
            return refuse(reason);
        }
        let Some(card) = request.card.filter(|_| request.card_valid) else {
            return refuse(Reason::Card);
        };
        let Some(issuer) = self.state.directory().issuer(card.first8) else {
            return refuse(Reason::NoIssuer);
        };
        let refuse = |reason| Admission::Refuse { reason, issuer: Some(issuer) };
        if request.expiry.is_some_and(|expiry| expired(expiry, self.state.business_date())) {
            return refuse(Reason::Expired);
        }
        if let Some(reason) = self.state.directory().hot(card.token) {
            return refuse(reason);
        }
        if !self.state.directory().participants.contains_key(&issuer) {
            return refuse(Reason::NoRoute);
        }
        let mut original = None;
        let mut payer = issuer;
        if request.processing.kind() == Some(TransactionKind::Refund) {
            let refunded = self.refunded(request);
            if let Some(key) = self.refund_waits_at(refunded) {
                return Admission::Wait(key);
            }
            if let Some(reason) = self.refund_rule(request, refunded) {
                return refuse(reason);
            }
            payer = request.acquirer;
            original = match refunded {
                Refunded::Payment(id) => Some(id),
                Refunded::Nothing | Refunded::Other => None,
            };
        }
        let Some(line) = self.pick_line(issuer) else {
            return refuse(Reason::IssuerDown);
        };
        // A participant whose overcap is not repaid takes no new holds (R-ACCOUNTS).
        if issuer != request.acquirer && self.state.position(payer).overcap > 0 {
            return refuse(Reason::Cap);
        }
        Admission::Ask { issuer, line, original }
    }

    /// Enquiries give way to payments long before there is no room for those.
    fn enquiries_are_full(&self) -> bool {
        let under_way = self.flights.len().saturating_add(self.enquiries.len());
        let most = self.config.in_flight_max.saturating_mul(ENQUIRIES_PERCENT) / 100;
        under_way >= most
    }

    /// 03, 12, 13: what the request says, whoever's card it is.
    fn of_request(&self, request: &Request) -> Option<Reason> {
        let directory = self.state.directory();
        let entry = directory.terminal(request.acquirer, request.terminal);
        if entry.is_some_and(|entry| entry.retailer != request.retailer) {
            return Some(Reason::Retailer);
        }
        let supported = match PaymentKind::of(request.mti, request.processing) {
            Some(PaymentKind::Cash | PaymentKind::Cashback) => self.config.cash,
            kind => kind.is_some(),
        };
        if !supported {
            return Some(Reason::Unsupported);
        }
        if request.currency != directory.currency.numeric() {
            return Some(Reason::Currency);
        }
        if self.clock_off(request) {
            return Some(Reason::Clock);
        }
        if request.processing.kind() == Some(TransactionKind::Balance) {
            return None;
        }
        if request.amount.is_zero() {
            return Some(Reason::AmountZero);
        }
        (request.amount > directory.amount_max).then_some(Reason::AmountLimit)
    }

    fn clock_off(&self, request: &Request) -> bool {
        let received = request.first_received;
        let local = request.local.nearest(self.config.zone.local(received));
        let instant: Timestamp = self.config.zone.instant(local);
        matching::gap_ms(instant, received) > self.config.timers.clock_ms
    }

    fn open(
        &mut self,
        from: ReplyTo,
        request: Request,
        issuer: ParticipantId,
        line: u64,
        original: Option<PaymentId>,
        out: &mut Effects,
    ) {
        let key = (request.acquirer, request.terminal, request.stan);
        let opened = Opened {
            id: self.id_of(&request),
            seen: request.seen(from.peer.station()),
            issuer,
            trace: self.trace(issuer),
            business_date: self.state.business_date(),
            cycle: self.state.cycle(),
            original,
        };
        let next = Next::Ask { from, line, carried: request.carried, since: self.now };
        self.propose(Fact::Opened(opened), next, Some(key), out);
    }

    /// The hold is placed: ask the issuer as soon as it is durable.
    pub(super) fn ask(
        &mut self,
        from: ReplyTo,
        line: u64,
        carried: Carried,
        opened: Opened,
        out: &mut Effects,
    ) {
        let Opened { id, seen, issuer, trace, .. } = opened;
        let line = self.still_there(issuer, line);
        let deadline = self.now.plus_ms(self.config.timers.issuer_answer_ms);
        let flight = Flight { waiters: alloc::vec![from], deadline: Some(deadline) };
        self.flights.insert(id, flight);
        self.asked.insert((issuer, trace), id);
        self.deadlines.insert((deadline, id));
        let sealed_as = self.sealed_as(id, &seen);
        out.push(Effect::Ask { line, id, sealed_as, seen, issuer, trace, carried });
    }

    /// The engine refused the hold: the net debit cap is met.
    pub(super) fn decline_cap(&mut self, from: Option<ReplyTo>, opened: Opened, out: &mut Effects) {
        let Opened { id, mut seen, issuer, business_date, cycle, .. } = opened;
        forget_number(&mut seen);
        let reason = Reason::Cap;
        let declined = Declined { id, seen, reason, issuer: Some(issuer), business_date, cycle };
        self.commit(Fact::Declined(declined), out);
        if let Some(from) = from {
            self.answer_recorded(from, id, out);
        }
    }

    fn decline(
        &mut self,
        from: ReplyTo,
        request: &Request,
        reason: Reason,
        issuer: Option<ParticipantId>,
        out: &mut Effects,
    ) {
        let id = self.id_of(request);
        let mut seen = request.seen(from.peer.station());
        forget_number(&mut seen);
        // A blocked participant's card was not tried against the ledger, so no transfer failed.
        let reason = if reason == Reason::Cap { Reason::CapBlocked } else { reason };
        let declined = Declined {
            id,
            seen,
            reason,
            issuer,
            business_date: self.state.business_date(),
            cycle: self.state.cycle(),
        };
        self.commit(Fact::Declined(declined), out);
        self.answer_recorded(from, id, out);
    }

    fn answer_recorded(&mut self, to: ReplyTo, id: PaymentId, out: &mut Effects) {
        out.push(Effect::Count(Count::Declined));
        if let Some(answer) = self.first_answer(id) {
            out.push(Effect::Answer { to, answer });
        }
    }

    /// A repeat waits with the first, or gets its answer again.
    fn answer_repeat(&mut self, from: ReplyTo, id: PaymentId, out: &mut Effects) {
        out.push(Effect::Count(Count::Repeat));
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.waiters.retain(|waiter| *waiter != from);
            if flight.waiters.len() >= WAITERS_MAX {
                flight.waiters.remove(0);
            }
            flight.waiters.push(from);
            return;
        }
        if let Some(answer) = self.first_answer(id) {
            out.push(Effect::Answer { to: from, answer });
        }
    }

    /// The answer that a payment's record gives: the first one again, or 94 once it was undone.
    pub(super) fn first_answer(&self, id: PaymentId) -> Option<Answer> {
        let payment = self.state.payments().get(id)?;
        let rrn = payment.seen.rrn;
        Some(match payment.status {
            Status::Reversed => Answer::refusal(Reason::Reversed, rrn),
            Status::Pending | Status::Posted | Status::Voided | Status::Declined => Answer {
                code: payment.code,
                text: payment.text,
                approval: payment.approval,
                rrn,
                business_date: Some(payment.business_date),
                carried: Carried::NONE,
            },
        })
    }

    /// Those who wait for a payment get its answer.
    pub(super) fn answer_waiters(&mut self, id: PaymentId, carried: Carried, out: &mut Effects) {
        let Some(flight) = self.flights.remove(&id) else {
            return;
        };
        if let Some(deadline) = flight.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        let asked: Option<(ParticipantId, Trace)> =
            self.state.payments().get(id).and_then(|p| Some((p.issuer?, p.trace?)));
        if let Some(asked) = asked {
            self.asked.remove(&asked);
        }
        let Some(mut answer) = self.first_answer(id) else {
            return;
        };
        let approved = answer.code.is_approved();
        out.push(Effect::Count(if approved { Count::Approved } else { Count::Declined }));
        answer.carried = carried;
        for to in flight.waiters {
            out.push(Effect::Answer { to, answer: answer.clone() });
        }
    }
}

/// Nobody will be told of a refused request again, so the number itself is not kept.
fn forget_number(seen: &mut Seen) {
    if let Some(card) = &mut seen.card {
        card.sealed = scheme::Sealed::EMPTY;
    }
}

/// Whether a card of this expiry (YYMM) is past its last day on the hub's date.
fn expired(expiry: u16, today: BusinessDate) -> bool {
    let civil = today.civil();
    let month = civil.year.checked_rem(100).unwrap_or(0).saturating_mul(100);
    expiry < month.saturating_add(u16::from(civil.month))
}
