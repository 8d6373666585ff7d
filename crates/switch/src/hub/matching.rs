//! Which payment a message speaks of (R-MATCH): found by matching, never recomputed, because
//! repeats and reversals do not carry what the id was made of.

use scheme::{CivilDateTime, MonthTime, Mti, MtiClass, Stan, Timestamp};

use super::payments::Payment;
use super::state::State;
use crate::limits::{SAME_REFERENCE_MAX, SAME_STAN_MAX};
use crate::record::{Seen, Tombstone};
use crate::request::{OriginalRef, Request};
use crate::timers::Timers;

/// What a request turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Match<'a> {
    /// A first request.
    New,
    /// A repeat of this payment's request.
    Repeat(Original<'a>),
    /// The same key with other content: 94.
    Conflict,
    /// Its reversal came first: 94 `REVERSED`.
    Tombstone,
    /// The terminal has used this trace number too often.
    TooMany,
}

/// The payment that a repeat or a reversal means.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The newest that fits.
    pub payment: &'a Payment,
    /// Whether another one fits too.
    pub ambiguous: bool,
}

/// DE11 of the payment that a message speaks of: DE90's where a reversal has one.
pub fn stan_of(request: &Request) -> Stan {
    let named = request.original.and_then(|original| Stan::new(original.stan));
    named.filter(|stan| stan.get() != 0).unwrap_or(request.stan)
}

/// DE11 of the payment that a message waits behind while something is decided about it.
pub fn waits_at(request: &Request) -> Stan {
    if request.mti.tells() { stan_of(request) } else { request.stan }
}

/// Finds out what a 0100, 0200, 0101 or 0201 is.
pub fn request<'a>(state: &'a State, timers: &Timers, request: &Request) -> Match<'a> {
    let (acquirer, terminal) = (request.acquirer, request.terminal);
    let payments = state.payments();
    let candidates = payments.by_stan(acquirer, terminal, request.stan);
    if let Some(first) = same_moment(state, timers, request) {
        return if same_request(&first.seen, request) {
            Match::Repeat(Original { payment: first, ambiguous: false })
        } else {
            Match::Conflict
        };
    }
    let window = if request.mti.is_repeat() { timers.repeat_ms } else { timers.same_content_ms };
    let by_content = newest(candidates.filter(|payment| {
        let seen = &payment.seen;
        let apart = gap_ms(seen.first_received, request.first_received);
        let day =
            seen.local.date() == request.local.date() || apart <= timers.same_content_other_day_ms;
        day && apart <= window && same_request(seen, request)
    }));
    if let Some(found) = by_content {
        return Match::Repeat(found);
    }
    if is_buried(state, timers, request) {
        return Match::Tombstone;
    }
    let alike = payments.by_stan(acquirer, terminal, request.stan);
    let recent = |payment: &&Payment| {
        gap_ms(payment.seen.first_received, request.first_received) <= timers.window_ms
    };
    if alike.take_while(recent).take(SAME_STAN_MAX).count() >= SAME_STAN_MAX {
        return Match::TooMany;
    }
    Match::New
}

/// K1: the payment of the same terminal, trace number, local date and time, within the window in
/// which both can be.
pub(super) fn same_moment<'a>(
    state: &'a State,
    timers: &Timers,
    request: &Request,
) -> Option<&'a Payment> {
    let alike = state.payments().by_stan(request.acquirer, request.terminal, request.stan);
    let same = |payment: &&Payment| {
        payment.seen.local == request.local && is_of_now(state, timers, request, payment)
    };
    alike.into_iter().find(same)
}

/// Whether a message's reversal came first (R-TOMB).
pub fn is_buried(state: &State, timers: &Timers, request: &Request) -> bool {
    let (acquirer, terminal) = (request.acquirer, request.terminal);
    let by_stan = state.tombstones_by_stan(acquirer, terminal, request.stan);
    let by_rrn = request.rrn_sent.then(|| state.tombstones_by_rrn(acquirer, terminal, request.rrn));
    let mut alike = by_stan.chain(by_rrn.into_iter().flatten());
    alike.any(|tombstone| buries(tombstone, timers, request))
}

/// The same content in the same kind of message: a pre-authorisation is no repeat of a purchase.
fn same_request(seen: &Seen, request: &Request) -> bool {
    seen.mti.class() == request.mti.class() && same_content(seen, request)
}

/// K4 (without its time conditions): the card, what is asked for, and the amount; never between
/// two messages whose sent DE37 differ.
fn same_content(seen: &Seen, request: &Request) -> bool {
    let other_rrn = seen.rrn_sent && request.rrn_sent && seen.rrn != request.rrn;
    !other_rrn
        && seen.card.map(|card| card.token) == request.card.map(|card| card.token)
        && seen.processing.transaction() == request.processing.transaction()
        && seen.amount == request.amount
}

/// Finds the original of a reversal: DE90 by K2, else K3, else K4 within 24 h.
pub fn original<'a>(state: &'a State, timers: &Timers, reversal: &Request) -> Option<Original<'a>> {
    let (acquirer, terminal) = (reversal.acquirer, reversal.terminal);
    let payments = state.payments();
    let stan = stan_of(reversal);
    let found = named_original(state, timers, reversal);
    if found.is_some() {
        return found;
    }
    if reversal.rrn_sent {
        let fits = |payment: &&Payment| {
            reverses(reversal, &payment.seen) && is_of_now(state, timers, reversal, payment)
        };
        let found = newest(of_rrn(state, reversal).filter(fits));
        if found.is_some() {
            return found;
        }
    }
    newest(payments.by_stan(acquirer, terminal, stan).filter(|payment| {
        let seen = &payment.seen;
        let apart = gap_ms(seen.first_received, reversal.first_received);
        let day =
            seen.local.date() == reversal.local.date() || apart <= timers.same_content_other_day_ms;
        day && apart <= timers.repeat_ms && reversal.card.is_some() && same_content(seen, reversal)
    }))
}

/// K2: what DE90 of a reversal names, or the pre-authorisation whose completion it names.
pub(super) fn named_original<'a>(
    state: &'a State,
    timers: &Timers,
    reversal: &Request,
) -> Option<Original<'a>> {
    let named = reversal.original.filter(|original| original.stan != 0)?;
    let fits = |payment: &&Payment| {
        is_named(&named, &payment.seen, payment.seen.transmitted)
            && reverses(reversal, &payment.seen)
            && is_of_now(state, timers, reversal, payment)
    };
    let alike = state.payments().by_stan(reversal.acquirer, reversal.terminal, stan_of(reversal));
    newest(alike.filter(fits)).or_else(|| completed(state, timers, reversal, &named))
}

/// Whether a reversal is of such a message: the same DE3(1-2), and the class that DE90 names.
fn reverses(reversal: &Request, seen: &Seen) -> bool {
    let mti = reversal.original.map_or(0, |original| original.mti);
    seen.processing.transaction() == reversal.processing.transaction()
        && (mti == 0 || scheme::Mti::new(mti).is_some_and(|m| m.class() == seen.mti.class()))
}

/// Whether a payment is of the days that a message may speak of: those of the match window, or as
/// long as a pre-authorisation may be completed and reversed.
fn is_of_now(state: &State, timers: &Timers, message: &Request, payment: &Payment) -> bool {
    gap_ms(payment.seen.first_received, message.first_received) <= timers.window_ms
        || state
            .flows()
            .preauth(payment.id)
            .is_some_and(|preauth| preauth.keep_until >= message.first_received)
}

/// K2: what DE90 says of DE7, DE32 and DE33; all-zero parts match anything.
pub(super) fn is_named(named: &OriginalRef, seen: &Seen, transmitted: MonthTime) -> bool {
    (named.transmitted == 0 || named.transmitted == transmitted.number())
        && (named.acquirer == 0 || named.acquirer == seen.acquirer.get())
        && (named.forwarding == 0 || named.forwarding == seen.forwarding)
}

/// The class of the message that DE90 names, if it says one.
pub(crate) fn named_class(original: Option<OriginalRef>) -> Option<MtiClass> {
    let mti = original.map(|original| original.mti).filter(|mti| *mti != 0)?;
    Mti::new(mti).map(Mti::class)
}

/// The pre-authorisation whose completion DE90 names.
fn completed<'a>(
    state: &'a State,
    timers: &Timers,
    reversal: &Request,
    named: &OriginalRef,
) -> Option<Original<'a>> {
    if named_class(reversal.original).is_some_and(|class| class != MtiClass::Financial) {
        return None;
    }
    let flows = state.flows();
    let terminal = (reversal.acquirer, reversal.terminal);
    let ids = flows.by_completion(terminal, stan_of(reversal));
    newest_of(ids.iter().filter_map(|id| {
        let payment = state.payments().get(*id)?;
        let completion = flows.completion(*id)?;
        let same = payment.seen.processing.transaction() == reversal.processing.transaction();
        let now = is_of_now(state, timers, reversal, payment);
        (same && now && is_named(named, &payment.seen, completion.transmitted)).then_some(payment)
    }))
}

/// Finds the pre-authorisation that a completion completes: DE90 by K2, else DE37, else DE38 with
/// the card, else DE90's trace number with the card, within acquirer and terminal.
pub fn preauth<'a>(state: &'a State, advice: &Request) -> Option<Original<'a>> {
    let (acquirer, terminal) = (advice.acquirer, advice.terminal);
    let payments = state.payments();
    let alike = |seen: &Seen| {
        seen.is_preauth() && seen.processing.transaction() == advice.processing.transaction()
    };
    let found = named_preauth(state, advice);
    if found.is_some() {
        return found;
    }
    if advice.rrn_sent {
        let fits = |payment: &&Payment| alike(&payment.seen);
        let found = newest(of_rrn(state, advice).filter(fits));
        if found.is_some() {
            return found;
        }
    }
    let token = advice.card.map(|card| card.token)?;
    let fits = |payment: &&Payment| {
        alike(&payment.seen) && payment.seen.card.is_some_and(|card| card.token == token)
    };
    if !advice.approval.is_blank() {
        let ids = state.flows().by_approval((acquirer, terminal), advice.approval);
        let found = newest_of(ids.iter().filter_map(|id| payments.get(*id)).filter(fits));
        if found.is_some() {
            return found;
        }
    }
    // A repeat has a DE7 of its own, and the terminal cannot know by which it is known here.
    let named = OriginalRef { transmitted: 0, ..advice.original? };
    let fits = |payment: &&Payment| {
        let authorisation =
            named_class(Some(named)).is_none_or(|class| class == MtiClass::Authorisation);
        authorisation
            && named.stan != 0
            && is_named(&named, &payment.seen, payment.seen.transmitted)
            && fits(payment)
    };
    newest(payments.by_stan(acquirer, terminal, stan_of(advice)).filter(fits))
}

/// K2: the pre-authorisation that DE90 of a completion names.
pub(super) fn named_preauth<'a>(state: &'a State, advice: &Request) -> Option<Original<'a>> {
    let named = advice.original.filter(|original| original.stan != 0)?;
    let authorisation =
        named_class(advice.original).is_none_or(|class| class == MtiClass::Authorisation);
    let fits = |payment: &&Payment| {
        let seen = &payment.seen;
        let alike = seen.processing.transaction() == advice.processing.transaction();
        let preauth = authorisation && seen.is_preauth() && alike;
        preauth && is_named(&named, seen, seen.transmitted)
    };
    let alike = state.payments().by_stan(advice.acquirer, advice.terminal, stan_of(advice));
    newest(alike.filter(fits))
}

/// Those of the message's terminal under its DE37, newest first.
fn of_rrn<'a>(state: &'a State, request: &Request) -> impl Iterator<Item = &'a Payment> {
    let alike = state.payments().by_rrn(request.acquirer, request.terminal, request.rrn);
    alike.take(SAME_REFERENCE_MAX)
}

/// The newest of payments in any order.
fn newest_of<'a>(fitting: impl Iterator<Item = &'a Payment>) -> Option<Original<'a>> {
    let mut count = 0usize;
    let payment = fitting.inspect(|_| count = count.saturating_add(1)).max_by_key(|p| (p.at, p.id));
    payment.map(|payment| Original { payment, ambiguous: count > 1 })
}

fn newest<'a>(mut fitting: impl Iterator<Item = &'a Payment>) -> Option<Original<'a>> {
    let payment = fitting.next()?;
    Some(Original { payment, ambiguous: fitting.next().is_some() })
}

/// Whether a tombstone of the same terminal is this reversal's own: a repeat, or a second reversal
/// of the unknown. It needs the same DE11, by which they are looked up.
pub fn same_reversal(tombstone: &Tombstone, reversal: &Request) -> bool {
    let named = reversal.original.filter(|original| original.stan != 0);
    tombstone.stan == stan_of(reversal)
        && tombstone.transmitted == named.map_or(0, |original| original.transmitted)
        && tombstone.transaction == reversal.processing.transaction()
        && tombstone.amount == reversal.amount
        && (tombstone.token.is_none()
            || reversal.card.is_none()
            || tombstone.token == reversal.card.map(|card| card.token))
}

/// Whether a tombstone of the same terminal is the reversal of this request, which arrived first
/// (R-TOMB). Each of its ways needs the same DE11 or the same sent DE37: that is how they are
/// looked up.
fn buries(tombstone: &Tombstone, timers: &Timers, request: &Request) -> bool {
    let class = scheme::Mti::new(tombstone.mti).filter(|mti| mti.number() != 0);
    let alike = tombstone.transaction == request.processing.transaction()
        && class.is_none_or(|mti| mti.class() == request.mti.class());
    let before = !sent_after(request, tombstone);
    // A DE90 without DE7 matches any message that was sent before the reversal came; with an MTI
    // it was a DE90.
    let unsaid = tombstone.transmitted == 0 && tombstone.mti != 0 && before;
    let by_k2 = tombstone.stan == request.stan
        && (unsaid || tombstone.transmitted == request.transmitted.number());
    let by_k3 = request.rrn_sent && tombstone.rrn == Some(request.rrn);
    let apart = gap_ms(tombstone.first_received, request.first_received);
    let day =
        tombstone.local.date() == request.local.date() || apart <= timers.same_content_other_day_ms;
    let other_rrn = request.rrn_sent && tombstone.rrn.is_some_and(|rrn| rrn != request.rrn);
    let by_k4 = tombstone.stan == request.stan
        && tombstone.token.is_some()
        && tombstone.token == request.card.map(|card| card.token)
        && tombstone.amount == request.amount
        && day
        && !other_rrn
        && apart <= timers.repeat_ms
        && before;
    // One that is past its time may still be there until the next payment lets it go.
    alike && apart <= timers.tombstone_ms && (by_k2 || by_k3 || by_k4)
}

/// Whether the request's DE7 is later than the reversal's receipt.
fn sent_after(request: &Request, tombstone: &Tombstone) -> bool {
    let near = CivilDateTime::from_seconds(tombstone.first_received.seconds());
    request.transmitted.nearest_seconds(near) > tombstone.first_received.seconds()
}

/// The time between two first receipts, whichever came first.
pub(crate) fn gap_ms(one: Timestamp, other: Timestamp) -> u64 {
    one.ms_since(other).max(other.ms_since(one))
}
