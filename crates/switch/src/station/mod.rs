//! The regional base station.
//!
//! A station promises little. A request passes through to the hub without a disk wait; only what
//! the station itself has to bring to an end is durable here: the reversal of a request that it
//! answered 91 for lack of an answer, and a reversal or an advice that it accepted while the trunk
//! was cut. Those are sent up, in order, until the hub has answered them (R-TRUNK).
//!
//! Deliberately absent until escrow exists: standing in for the hub. Without a trunk a purchase is
//! refused with 91.

mod answers;
mod owed;
pub mod record;
mod synthetic;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scheme::{
    ApprovalCode, MtiClass, MtiFunction, ParticipantId, Reason, ResponseCode, RetailerId, Rrn,
    Stan, StationId, TerminalId, Timestamp, TransactionKind, Zone,
};

pub use record::{Owed, StationFact, StationRecord};

use crate::fingerprint::Fingerprint;
use crate::hub::matching::{gap_ms, named_class, stan_of};
use crate::limits::{
    ENQUIRIES_PERCENT, OWED_IN_FLIGHT_MAX, OWED_PER_TERMINAL_MAX, RRN_BLOCK, STATION_OWED_MAX,
    WAITERS_MAX,
};
use crate::record::Seen;
use crate::request::{Answer, Carried, OriginalRef, ReplyTo, Request, candidate};
use crate::timers::Timers;

/// What the station is told once.
#[derive(Clone, Debug)]
pub struct StationConfig {
    /// Which station.
    pub id: StationId,
    /// Its two characters in reference numbers.
    pub code: [u8; 2],
    /// Delays and windows.
    pub timers: Timers,
    /// The nation's local time.
    pub zone: Zone,
    /// Requests under way at once, at most [`crate::limits::STATION_IN_FLIGHT_MAX`].
    pub in_flight_max: usize,
    /// Its terminals and their retailers.
    pub terminals: Vec<(ParticipantId, TerminalId, RetailerId)>,
}

/// How the trunk is, as its session sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TrunkState {
    /// Heard from the hub within 3 s. `renewed`: the hub has restarted since, so everything that
    /// is under way must be asked again.
    Up {
        /// Whether this hub has forgotten who waits.
        renewed: bool,
    },
    /// Silent for 3 s: requests wait.
    Suspect,
    /// Silent for 8 s.
    Cut,
}

/// What may happen to a station.
#[derive(Clone, Debug)]
pub enum Input {
    /// A terminal asks.
    Request {
        /// Who waits for the answer.
        from: ReplyTo,
        /// What it says; DE37 is blank where the terminal sent none.
        request: Request,
    },
    /// A synthetic payment of the station's own (R-FIRES); it is reversed whatever comes of it.
    Synthetic {
        /// Whom to tell how it ended.
        from: ReplyTo,
        /// The payment.
        request: Request,
    },
    /// The hub answers.
    HubAnswer {
        /// The station's number of the request.
        ticket: u64,
        /// The answer.
        answer: Answer,
    },
    /// The trunk changed.
    Trunk(TrunkState),
    /// Recovery is over.
    Resolve,
    /// Time has passed.
    Timeout,
}

/// What a station wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Journal this. Everything after it leaves only when it is durable.
    Record(StationRecord),
    /// Send a request up the trunk.
    Send {
        /// The station's number of it.
        ticket: u64,
        /// The request.
        request: Request,
    },
    /// Nobody waits for this request any more: do not send it again.
    Withdraw {
        /// The station's number of it.
        ticket: u64,
    },
    /// Answer a terminal.
    Answer {
        /// Whose request.
        to: ReplyTo,
        /// How.
        answer: Answer,
    },
    /// Something that is only counted.
    Count(Count),
}

/// Things that are counted, not journalled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Count {
    /// A refusal of the station's own.
    Refused(Reason),
    /// An approval passed on to a terminal.
    Approved,
    /// Any other answer passed on.
    Declined,
    /// An answer that nobody waits for.
    StrayAnswer,
}

/// What a station wants done, in order.
pub type Effects = Vec<Effect>;

type MatchKey = (ParticipantId, TerminalId, Stan);

#[derive(Clone, Debug)]
struct Flight {
    request: Request,
    waiters: Vec<ReplyTo>,
    deadline: Timestamp,
    /// The owed reversal that this is, if it is one.
    owed: Option<u64>,
    /// The reversal that is held back until this synthetic payment has ended.
    undo: Option<u64>,
}

/// The station's durable state.
#[derive(Clone, Debug, Default)]
struct State {
    records: u64,
    rrn_reserved: u64,
    owed_made: u64,
    owed: owed::OwedList,
    fingerprint: Fingerprint,
}

/// The station.
#[derive(Clone, Debug)]
pub struct Station {
    config: StationConfig,
    register: HashMap<(ParticipantId, TerminalId), RetailerId, FixedState>,
    state: State,
    now: Timestamp,
    trunk: TrunkState,
    next_ticket: u64,
    next_rrn: u64,
    flights: BTreeMap<u64, Flight>,
    by_key: HashMap<MatchKey, Vec<u64>, FixedState>,
    deadlines: BTreeSet<(Timestamp, u64)>,
    /// What is owed and under way.
    owed_sent: BTreeSet<u64>,
    /// What is owed and has never been sent up, by this process or one before it.
    owed_fresh: BTreeSet<u64>,
    /// What is owed for a synthetic payment that is under way.
    owed_held: BTreeSet<u64>,
    answers: answers::Answers,
}

impl Station {
    /// A station without a past.
    pub fn new(config: StationConfig) -> Self {
        let register =
            config.terminals.iter().map(|(a, t, retailer)| ((*a, *t), *retailer)).collect();
        Self {
            config,
            register,
            state: State::default(),
            now: Timestamp::default(),
            // Nobody knows yet: what comes now waits for the trunk, or for the cut to be found.
            trunk: TrunkState::Suspect,
            next_ticket: 1,
            next_rrn: 0,
            flights: BTreeMap::new(),
            by_key: HashMap::default(),
            deadlines: BTreeSet::new(),
            owed_sent: BTreeSet::new(),
            owed_fresh: BTreeSet::new(),
            owed_held: BTreeSet::new(),
            answers: answers::Answers::default(),
        }
    }

    /// Takes one input: decides, then applies.
    pub fn handle(&mut self, now: Timestamp, input: Input, out: &mut Effects) {
        // Whole microseconds, because records keep their time so (`docs/formats/records.md`).
        let whole = now.0.saturating_sub(now.0.checked_rem(1000).unwrap_or(0));
        self.now = self.now.max(Timestamp(whole));
        self.fire(out);
        match input {
            Input::Request { from, request } => self.request(from, request, out),
            Input::Synthetic { from, request } => self.synthetic(from, request, out),
            Input::HubAnswer { ticket, answer } => self.hub_answer(ticket, answer, out),
            Input::Trunk(state) => self.trunk_changed(state, out),
            Input::Resolve => {
                self.next_rrn = self.state.rrn_reserved;
                self.reserve_rrns(out);
            }
            Input::Timeout => {}
        }
    }

    /// Takes a record: what recovery does, and `handle` after it has decided.
    pub fn apply(&mut self, record: &StationRecord) {
        self.now = self.now.max(record.at);
        let state = &mut self.state;
        state.records = state.records.saturating_add(1);
        match &record.fact {
            StationFact::RrnBlock { reserved } => {
                state.fingerprint.remove(&("rrn", state.rrn_reserved));
                state.rrn_reserved = *reserved;
                state.fingerprint.add(&("rrn", state.rrn_reserved));
            }
            StationFact::Owed(owed) => {
                state.fingerprint.add(&(state.owed_made, owed));
                state.owed.insert(state.owed_made, owed.clone());
                state.owed_made = state.owed_made.saturating_add(1);
            }
            StationFact::Settled { number } => {
                self.owed_fresh.remove(number);
                if let Some(owed) = state.owed.remove(*number) {
                    state.fingerprint.remove(&(*number, &owed));
                }
            }
        }
    }

    /// When time alone will make the station act.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The hash of the durable state: equal for a live station and its replay.
    pub fn state_hash(&self) -> Fingerprint {
        self.state.fingerprint
    }

    /// Requests under way on the trunk.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// How the trunk is.
    pub fn trunk(&self) -> TrunkState {
        self.trunk
    }

    /// The station's time: that of its last input, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Records in the journal.
    pub fn records(&self) -> u64 {
        self.state.records
    }

    fn fire(&mut self, out: &mut Effects) {
        while let Some((at, ticket)) = self.deadlines.first().copied() {
            if at > self.now {
                return;
            }
            self.deadlines.remove(&(at, ticket));
            self.give_up(ticket, out);
        }
    }

    fn request(&mut self, from: ReplyTo, mut request: Request, out: &mut Effects) {
        if !self.register.contains_key(&(request.acquirer, request.terminal)) {
            self.refuse(from, Reason::Terminal, request.rrn, out);
            return;
        }
        if request.has_pin {
            self.refuse(from, Reason::Pin, request.rrn, out);
            return;
        }
        let reversal = request.mti.class() == MtiClass::Reversal;
        let tells = request.mti.tells();
        if request.rrn.is_blank() && !reversal {
            request.rrn = self.make_rrn(out);
        }
        if let Some(answer) = self.own(&request) {
            out.push(Effect::Answer { to: from, answer });
            return;
        }
        // A reversal or completion may carry its original's own DE11; it is no copy of it.
        let copy = self.answers.find(&request, &self.config.timers).filter(|_| !tells);
        if let Some(answer) = copy.cloned() {
            out.push(Effect::Answer { to: from, answer });
            return;
        }
        if self.join(from, &request) {
            return;
        }
        // What tells of something that has happened is never refused for lack of room: what cannot
        // go up now goes later, and what comes after an advice that is owed goes after it.
        let full = self.flights.len() >= self.room_for(&request);
        let owing = self.state.owed.len() >= STATION_OWED_MAX;
        let after = self.state.owed.advices_of(request.acquirer, request.terminal) > 0;
        match self.trunk {
            TrunkState::Cut if tells => self.accept(from, request, out),
            TrunkState::Cut => self.turn_away(from, &request, out),
            TrunkState::Up { .. } | TrunkState::Suspect if tells && (full || after) => {
                self.accept(from, request, out);
            }
            TrunkState::Up { .. } | TrunkState::Suspect if !tells && (full || owing) => {
                self.refuse(from, Reason::Overload, request.rrn, out);
            }
            TrunkState::Up { .. } | TrunkState::Suspect => {
                self.send(request, alloc::vec![from], None, out);
            }
        }
    }

    /// Balance enquiries give way to payments.
    fn room_for(&self, request: &Request) -> usize {
        let room = self.config.in_flight_max;
        let balance = request.processing.kind() == Some(TransactionKind::Balance);
        if balance { room.saturating_mul(ENQUIRIES_PERCENT) / 100 } else { room }
    }

    /// What the station answers from what it owes the hub (R-STANDIN: it matches first against its
    /// own, and answers those itself).
    fn own(&self, request: &Request) -> Option<Answer> {
        let reversal = request.mti.class() == MtiClass::Reversal;
        let advice = !reversal && request.mti.function() == MtiFunction::Advice;
        let class = named_class(request.original).filter(|_| reversal);
        let known = &self.state.owed;
        known.of(request.acquirer, request.terminal, stan_of(request)).find_map(|owed| {
            let seen = &owed.seen;
            if owed.is_advice() {
                let same = advice && seen.mti == request.mti.first() && seen.stan == request.stan;
                let same = same && seen.amount == request.amount;
                return same.then(|| Answer::acknowledgement(seen.rrn));
            }
            // Another kind of message under the same trace number is another payment.
            let named = named_class(owed.original);
            let other = class.is_some_and(|class| named.is_some_and(|named| named != class))
                || !reversal && named.is_some_and(|named| named != request.mti.class());
            if advice || other {
                return None;
            }
            let content = seen.amount == request.amount
                && seen.processing.transaction() == request.processing.transaction()
                && (request.card.is_none()
                    || seen.card.map(|c| c.token) == request.card.map(|c| c.token));
            if !content {
                return None;
            }
            match (reversal, owed.ours) {
                (true, _) => Some(Answer::acknowledgement(request.rrn)),
                (false, true) if self.repeats(seen, request) => {
                    Some(Answer::refusal(Reason::TrunkDown, seen.rrn))
                }
                (false, _) => None,
            }
        })
    }

    /// Whether a request of the same content repeats one that was answered 91 (K1 or K4).
    fn repeats(&self, seen: &Seen, request: &Request) -> bool {
        let timers = &self.config.timers;
        let apart = gap_ms(seen.first_received, request.first_received);
        let window =
            if request.mti.is_repeat() { timers.repeat_ms } else { timers.same_content_ms };
        let day =
            seen.local.date() == request.local.date() || apart <= timers.same_content_other_day_ms;
        seen.local == request.local || (day && apart <= window)
    }

    /// A repeat of a request under way waits with it.
    fn join(&mut self, from: ReplyTo, request: &Request) -> bool {
        let key = (request.acquirer, request.terminal, request.stan);
        let same = |flight: &Flight| {
            let known = &flight.request;
            let other_rrn = known.rrn_sent && request.rrn_sent && known.rrn != request.rrn;
            !other_rrn
                && flight.owed.is_none()
                && flight.undo.is_none()
                && known.mti.first() == request.mti.first()
                && known.processing.transaction() == request.processing.transaction()
                && known.amount == request.amount
                && known.card.map(|c| c.token) == request.card.map(|c| c.token)
                && known.original == request.original
        };
        let tickets = self.by_key.get(&key).into_iter().flatten().copied();
        let found = tickets.into_iter().find(|ticket| self.flights.get(ticket).is_some_and(same));
        let Some(flight) = found.and_then(|ticket| self.flights.get_mut(&ticket)) else {
            return false;
        };
        if flight.waiters.len() >= WAITERS_MAX {
            flight.waiters.remove(0);
        }
        flight.waiters.push(from);
        true
    }

    fn send(
        &mut self,
        request: Request,
        waiters: Vec<ReplyTo>,
        owed: Option<u64>,
        out: &mut Effects,
    ) {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        let deadline = self.now.plus_ms(self.config.timers.hub_answer_ms);
        let key = (request.acquirer, request.terminal, request.stan);
        self.by_key.entry(key).or_default().push(ticket);
        self.deadlines.insert((deadline, ticket));
        out.push(Effect::Send { ticket, request: self.aged(&request) });
        self.flights.insert(ticket, Flight { request, waiters, deadline, owed, undo: None });
    }

    /// The request with its waiting time in it.
    fn aged(&self, request: &Request) -> Request {
        let age = self.now.ms_since(request.first_received);
        Request { age_ms: u32::try_from(age).unwrap_or(u32::MAX), ..request.clone() }
    }

    fn end(&mut self, ticket: u64) -> Option<Flight> {
        let flight = self.flights.remove(&ticket)?;
        self.deadlines.remove(&(flight.deadline, ticket));
        let request = &flight.request;
        let key = (request.acquirer, request.terminal, request.stan);
        if let Some(tickets) = self.by_key.get_mut(&key) {
            tickets.retain(|known| *known != ticket);
            if tickets.is_empty() {
                self.by_key.remove(&key);
            }
        }
        Some(flight)
    }

    fn hub_answer(&mut self, ticket: u64, answer: Answer, out: &mut Effects) {
        let Some(flight) = self.end(ticket) else {
            out.push(Effect::Count(Count::StrayAnswer));
            return;
        };
        if let Some(number) = flight.owed {
            self.owed_sent.remove(&number);
            self.commit(StationFact::Settled { number }, out);
            self.send_owed(out);
            return;
        }
        if let Some(number) = flight.undo {
            self.end_synthetic(flight, number, Some(answer), out);
            return;
        }
        let approved = answer.code.is_approved();
        out.push(Effect::Count(if approved { Count::Approved } else { Count::Declined }));
        self.remember(&flight.request, &answer);
        for to in flight.waiters {
            out.push(Effect::Answer { to, answer: answer.clone() });
        }
    }

    /// No answer in time, or the trunk is cut: the reversal becomes durable first, then 91.
    fn give_up(&mut self, ticket: u64, out: &mut Effects) {
        let Some(flight) = self.end(ticket) else {
            return;
        };
        out.push(Effect::Withdraw { ticket });
        if let Some(number) = flight.owed {
            self.owed_sent.remove(&number);
            self.send_owed(out);
            return;
        }
        if let Some(number) = flight.undo {
            self.end_synthetic(flight, number, None, out);
            return;
        }
        let request = flight.request;
        let tells = request.mti.tells();
        if tells {
            self.owe(owed_of(&request), out);
        } else if request.processing.kind() != Some(TransactionKind::Balance) {
            self.owe(undo(&request), out);
        }
        let answer = if tells {
            Answer::acknowledgement(request.rrn)
        } else {
            Answer::refusal(Reason::TrunkDown, request.rrn)
        };
        self.remember(&request, &answer);
        for to in flight.waiters {
            if !tells {
                out.push(Effect::Count(Count::Refused(Reason::TrunkDown)));
            }
            out.push(Effect::Answer { to, answer: answer.clone() });
        }
    }

    /// The trunk is cut, and this was not sent up. A repeat may be of a request that was, before
    /// this station restarted: then it is answered for lack of an answer, and undone first.
    fn turn_away(&mut self, from: ReplyTo, request: &Request, out: &mut Effects) {
        let balance = request.processing.kind() == Some(TransactionKind::Balance);
        if request.mti.is_repeat() && !balance {
            self.owe(undo(request), out);
        }
        self.remember(request, &Answer::refusal(Reason::TrunkDown, request.rrn));
        self.refuse(from, Reason::TrunkDown, request.rrn, out);
    }

    /// Copies of a payment's request get its answer again, until a reversal has been acknowledged:
    /// then the hub says what it has become of it.
    fn remember(&mut self, request: &Request, answer: &Answer) {
        if request.mti.class() == MtiClass::Reversal {
            let key = (request.acquirer, request.terminal, stan_of(request));
            self.answers.drop(key);
            if request.original.is_none_or(|original| original.stan == 0) {
                self.answers.drop_terminal(request.acquirer, request.terminal);
            }
        } else if request.mti.function() == MtiFunction::Request
            && request.processing.kind() != Some(TransactionKind::Balance)
        {
            self.answers.remember(self.now, request, answer);
        }
    }

    /// A reversal or an advice that cannot go up now: durable here, acknowledged, sent up later.
    /// Only a terminal that has made thousands of them meets a bound.
    fn accept(&mut self, from: ReplyTo, request: Request, out: &mut Effects) {
        let made = self.state.owed.of_terminal(request.acquirer, request.terminal);
        if made >= OWED_PER_TERMINAL_MAX {
            self.refuse(from, Reason::Overload, request.rrn, out);
            return;
        }
        let answer = Answer::acknowledgement(request.rrn);
        self.remember(&request, &answer);
        self.owed_fresh.insert(self.state.owed_made);
        self.owe(owed_of(&request), out);
        out.push(Effect::Answer { to: from, answer });
    }

    fn owe(&mut self, owed: Owed, out: &mut Effects) {
        self.commit(StationFact::Owed(owed), out);
        self.send_owed(out);
    }

    /// Sends what is owed, in order, as much of it at a time as may be under way.
    fn send_owed(&mut self, out: &mut Effects) {
        if self.trunk == TrunkState::Cut {
            return;
        }
        let room = OWED_IN_FLIGHT_MAX.saturating_sub(self.owed_sent.len());
        let idle = |n: &u64| !self.owed_sent.contains(n) && !self.owed_held.contains(n);
        let waiting = self.state.owed.iter().filter(|(n, _)| idle(n));
        let next: Vec<(u64, Request)> = waiting
            .take(room)
            .map(|(number, owed)| {
                let clock = self.config.zone.local(owed.seen.first_received);
                let again = !self.owed_fresh.contains(&number);
                (number, request_of(owed, clock, again))
            })
            .collect();
        for (number, request) in next {
            self.owed_sent.insert(number);
            self.owed_fresh.remove(&number);
            self.send(request, Vec::new(), Some(number), out);
        }
    }

    fn trunk_changed(&mut self, state: TrunkState, out: &mut Effects) {
        self.trunk = state;
        match state {
            TrunkState::Cut => {
                let under_way: Vec<u64> = self.flights.keys().copied().collect();
                for ticket in under_way {
                    self.give_up(ticket, out);
                }
            }
            TrunkState::Up { renewed } => {
                if renewed {
                    // Who waited at the old hub is forgotten there; the ids keep it harmless.
                    for (ticket, flight) in &self.flights {
                        let request = self.aged(&flight.request);
                        out.push(Effect::Send { ticket: *ticket, request });
                    }
                }
                self.send_owed(out);
            }
            TrunkState::Suspect => {}
        }
    }

    fn refuse(&mut self, to: ReplyTo, reason: Reason, rrn: Rrn, out: &mut Effects) {
        out.push(Effect::Count(Count::Refused(reason)));
        out.push(Effect::Answer { to, answer: Answer::refusal(reason, rrn) });
    }

    fn commit(&mut self, fact: StationFact, out: &mut Effects) {
        let record = StationRecord { at: self.now, fact };
        self.apply(&record);
        out.push(Effect::Record(record));
    }

    /// DE37 (R-MATCH): YDDD, two characters of the station, six base-36 digits of a counter that is
    /// reserved in blocks, so that a crash never makes a number twice.
    fn make_rrn(&mut self, out: &mut Effects) -> Rrn {
        if self.next_rrn >= self.state.rrn_reserved {
            self.reserve_rrns(out);
        }
        let counter = self.next_rrn;
        self.next_rrn = counter.saturating_add(1);
        rrn(self.config.zone.local(self.now), self.config.code, counter)
    }

    fn reserve_rrns(&mut self, out: &mut Effects) {
        let reserved = self.next_rrn.saturating_add(RRN_BLOCK);
        self.commit(StationFact::RrnBlock { reserved }, out);
    }
}

fn rrn(local: scheme::CivilDateTime, code: [u8; 2], counter: u64) -> Rrn {
    let new_year =
        scheme::CivilDateTime { month: 1, day: 1, hour: 0, minute: 0, second: 0, ..local };
    let day = local.seconds().saturating_sub(new_year.seconds()) / 86_400;
    let mut text = [b'0'; 12];
    let year_digit = u64::from(local.year);
    let date = (year_digit % 10).saturating_mul(1000).saturating_add(day.saturating_add(1));
    let mut rest = date;
    for place in (0..4).rev() {
        text[place] = digit36(rest % 10);
        rest /= 10;
    }
    text[4..6].copy_from_slice(&code);
    let mut rest = counter;
    for place in (6..12).rev() {
        text[place] = digit36(rest % 36);
        rest /= 36;
    }
    Rrn::new(&text).unwrap_or_default()
}

fn digit36(value: u64) -> u8 {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    usize::try_from(value).ok().and_then(|at| digits.get(at)).copied().unwrap_or(b'0')
}

/// A terminal's own reversal or advice, to be kept.
fn owed_of(request: &Request) -> Owed {
    Owed {
        seen: request.seen(None),
        original: request.original,
        actual: request.actual,
        reason: request.reason,
        approval: request.approval,
        ours: false,
    }
}

/// The reversal of a request that this station answers 91.
fn undo(request: &Request) -> Owed {
    let reversal = scheme::Mti::new(420).unwrap_or(request.mti);
    Owed {
        seen: Seen { mti: reversal, rrn_sent: true, ..request.seen(None) },
        original: Some(OriginalRef {
            mti: request.mti.first().number(),
            stan: request.stan.get(),
            transmitted: request.transmitted.number(),
            acquirer: request.acquirer.get(),
            forwarding: request.forwarding,
        }),
        actual: None,
        reason: Some(ResponseCode::of(b"68")),
        approval: ApprovalCode::BLANK,
        ours: true,
    }
}

/// What is owed as a request for the trunk; `again` when it may have been sent before.
fn request_of(owed: &Owed, local: scheme::CivilDateTime, again: bool) -> Request {
    let seen = &owed.seen;
    Request {
        mti: if again && owed.is_advice() { seen.mti.repeat() } else { seen.mti },
        acquirer: seen.acquirer,
        terminal: seen.terminal,
        retailer: seen.retailer,
        stan: seen.stan,
        transmitted: seen.transmitted,
        local: seen.local,
        rrn: seen.rrn,
        rrn_sent: seen.rrn_sent,
        processing: seen.processing,
        amount: seen.amount,
        currency: seen.currency,
        card: seen.card,
        card_valid: true,
        expiry: None,
        forwarding: seen.forwarding,
        has_pin: false,
        original: owed.original,
        actual: owed.actual,
        reason: owed.reason,
        approval: owed.approval,
        first_received: seen.first_received,
        age_ms: 0,
        candidate: candidate(seen, local),
        carried: Carried::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-MATCH: YDDD + station + six base-36 digits.
    #[test]
    fn reference_numbers() {
        let local = scheme::CivilDateTime::from_seconds(1_795_330_800); // 2026-11-22
        assert_eq!(rrn(local, *b"PY", 0).as_str(), "6326PY000000");
        assert_eq!(rrn(local, *b"PY", 36 * 36 + 35).as_str(), "6326PY00010Z");
    }
}
