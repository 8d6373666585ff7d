//! A hub with its books, driven as `host` drives it, and what every scenario must leave behind.
//!
//! Dropping the rig ends the scenario: its records are replayed into a fresh hub and fresh books,
//! whole and through snapshots, and everything that must be equal is compared.

mod engine;
mod messages;
mod nation;
mod past;
mod proof;
mod shown;

use std::collections::VecDeque;

use ledger::Books;
use scheme::{
    Amount, ApprovalCode, ParticipantId, PaymentId, ResponseCode, Timestamp, transfer_id_of_record,
};
use switch::history::HistoryKey;
use switch::hub::{AdviceKind, Answers, Count, Effect, HubConfig, Input};
use switch::record::{Fact, Seen};
use switch::{Answer, Hub, Record, ReplyTo, Trace};

pub(crate) use nation::{
    A, AMOUNT_MAX, B, C, CAP, DAY, HOUR, MINUTE, MORNING, SECOND, amount, bank, candidate, card,
    code, config, keep, mti, scale_preauth, shop, terminal,
};
use nation::{WINDOW, business};
use proof::snapshot;
pub(crate) use proof::{bytes_of, replay, sound};

/// What was asked of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) line: u64,
    pub(crate) id: PaymentId,
    pub(crate) seen: Seen,
    pub(crate) issuer: ParticipantId,
    pub(crate) trace: Trace,
}

/// What an issuer was told.
#[derive(Clone, Debug)]
pub(crate) struct Advised {
    pub(crate) at: Timestamp,
    pub(crate) kind: AdviceKind,
    pub(crate) line: u64,
    pub(crate) id: PaymentId,
    pub(crate) seen: Seen,
    pub(crate) approval: ApprovalCode,
    pub(crate) issuer: ParticipantId,
    pub(crate) original: Trace,
    pub(crate) trace: Trace,
    pub(crate) code: ResponseCode,
    pub(crate) actual: Option<Amount>,
    pub(crate) repeat: bool,
}

/// One effect, for its place among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Record,
    Answer(u64),
    Ask,
    Advise,
}

pub(crate) struct Rig {
    pub(crate) hub: Hub,
    /// The engine's.
    pub(crate) books: Books,
    /// What the records make of them, where the engine is not in this process.
    pub(crate) mirror: Option<Books>,
    /// What the engine is asked, where a test says when it answers.
    pub(crate) held: Option<VecDeque<Effect>>,
    pub(crate) now: Timestamp,
    pub(crate) records: Vec<Record>,
    pub(crate) answers: Vec<(ReplyTo, Answer)>,
    pub(crate) asks: Vec<Ask>,
    pub(crate) advices: Vec<Advised>,
    pub(crate) counts: Vec<Count>,
    pub(crate) events: Vec<Event>,
    next_ticket: u64,
    next_stan: u32,
    /// How many inputs are being worked on, one within the other.
    depth: u32,
    /// What was asked of history.
    look_ups: VecDeque<(u64, Vec<HistoryKey>, Timestamp)>,
    /// How often.
    pub(crate) looked_up: u64,
    /// Inputs so far: history covers what there is after every third.
    inputs: u64,
    /// What the snapshot that is under way must come to: one begins with every fifth input.
    copied: Option<Vec<u8>>,
}

impl Rig {
    /// A running nation at ten in the morning, all banks signed on.
    pub(crate) fn new() -> Self {
        let mut rig = Self::begun(MORNING);
        for id in [A, B, C] {
            rig.sign_on(id);
        }
        rig
    }

    /// A nation that has just been founded; nobody is signed on.
    pub(crate) fn begun(now: Timestamp) -> Self {
        let mut rig = Self::empty(now);
        for fact in business() {
            rig.drive(Input::Business(fact));
        }
        rig.drive(Input::Resolve);
        rig
    }

    /// The same where nobody pays out cash.
    pub(crate) fn without_cash() -> Self {
        let mut rig = Self::new();
        let (mut machine, now) = (Vec::new(), rig.now);
        rig.hub.snapshot(&mut machine);
        let mut hub = Hub::new(HubConfig { cash: false, ..config() });
        hub.restore(&machine).unwrap();
        rig.hub = hub;
        rig.drive(Input::Resolve);
        for id in [A, B, C] {
            rig.sign_on(id);
        }
        assert_eq!(rig.now, now);
        rig
    }

    fn empty(now: Timestamp) -> Self {
        Self {
            hub: Hub::new(config()),
            books: Books::new(),
            held: None,
            mirror: (crate::ENGINE == Answers::Later).then(Books::new),
            now,
            records: Vec::new(),
            answers: Vec::new(),
            asks: Vec::new(),
            advices: Vec::new(),
            counts: Vec::new(),
            events: Vec::new(),
            next_ticket: 1,
            next_stan: 1,
            depth: 0,
            copied: None,
            look_ups: VecDeque::new(),
            looked_up: 0,
            inputs: 0,
        }
    }

    /// What comes up after a crash that kept the first `kept` records, at `now`; not resolved yet.
    pub(crate) fn recovered(&self, kept: usize, now: Timestamp) -> Self {
        let (hub, books) = replay(&self.records[..kept]);
        let mut rig = Self::empty(now);
        if let Some(mirror) = &mut rig.mirror {
            *mirror = Books::decode(&bytes_of(&books)).unwrap();
        }
        (rig.hub, rig.books) = (hub, books);
        // Half of the time the engine has done what the records say it was asked.
        if kept.is_multiple_of(2) {
            rig.engine_did();
        }
        rig.records = self.records[..kept].to_vec();
        (rig.next_ticket, rig.next_stan) = (self.next_ticket, self.next_stan);
        rig
    }

    /// A crash after everything was durable, and recovery: nobody is signed on.
    pub(crate) fn crash(&mut self) {
        let next = self.recovered(self.records.len(), self.now);
        let old = std::mem::replace(self, next);
        drop(old);
        self.drive(Input::Resolve);
    }

    /// One input, as `host` does it: the engine is asked at once, in the order of effects.
    pub(crate) fn drive(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.depth += 1;
        self.hub.handle(self.now, input, &mut effects);
        for effect in effects {
            self.effect(effect);
        }
        self.depth -= 1;
        if self.depth == 0 {
            self.answer_look_ups();
            self.inputs += 1;
            if WINDOW.get().is_some() && self.inputs.is_multiple_of(3) {
                self.cover();
            }
            self.copy();
        }
    }

    /// A snapshot that is taken one payment at a time, while others are made and change, is the
    /// one of the moment at which it began.
    fn copy(&mut self) {
        let Some(expected) = self.copied.take().filter(|_| self.hub.is_copying()) else {
            // Not of thousands of messages, or a long test takes minutes.
            if self.inputs.is_multiple_of(5) && self.inputs < 200 {
                self.copied = Some(snapshot(&self.hub));
                self.hub.begin_copy(Vec::new());
            }
            return;
        };
        match self.hub.copy_on(1) {
            Some(body) => {
                let mut again = Hub::new(config());
                again.restore(&body).unwrap();
                assert!(snapshot(&again) == expected, "a snapshot taken in parts");
            }
            None => self.copied = Some(expected),
        }
    }

    /// Several inputs before the engine answers the first, as with an engine that is far away.
    pub(crate) fn drive_together(&mut self, inputs: Vec<Input>) {
        let mut effects = Vec::new();
        for input in inputs {
            self.hub.handle(self.now, input, &mut effects);
        }
        self.follow(effects);
    }

    /// Effects that a test has collected by itself.
    pub(crate) fn follow(&mut self, effects: Vec<Effect>) {
        let asks_engine =
            |effect: &Effect| matches!(effect, Effect::Transfers(_) | Effect::Accounts(_));
        // The engine answers when all the inputs have been taken.
        let (last, first): (Vec<_>, Vec<_>) = effects.into_iter().partition(asks_engine);
        for effect in first.into_iter().chain(last) {
            self.effect(effect);
        }
        self.answer_look_ups();
    }

    fn effect(&mut self, effect: Effect) {
        let asks = matches!(effect, Effect::Transfers(_) | Effect::Accounts(_));
        if let Some(held) = self.held.as_mut().filter(|_| asks) {
            assert!(held.is_empty(), "one batch at a time");
            return held.push_back(effect);
        }
        match effect {
            Effect::Accounts(accounts) => {
                let statuses = self.create_accounts(&accounts);
                self.meanwhile();
                self.drive(Input::AccountResults(statuses));
            }
            Effect::Transfers(transfers) => {
                let statuses = self.create_transfers(&transfers);
                self.meanwhile();
                self.drive(Input::TransferResults(statuses));
            }
            Effect::Record(record) => {
                let covered =
                    matches!(record.fact, Fact::Covered { .. } | Fact::Proposed(_) | Fact::Dropped);
                self.records.push(record);
                if !covered {
                    self.events.push(Event::Record);
                }
            }
            Effect::Answer { to, answer } => {
                self.events.push(Event::Answer(to.ticket));
                self.answers.push((to, answer));
            }
            Effect::Ask { line, id, sealed_as, seen, issuer, trace, .. } => {
                assert_eq!(sealed_as, candidate(&seen), "what the card is sealed under");
                self.events.push(Event::Ask);
                self.asks.push(Ask { line, id, seen, issuer, trace });
            }
            Effect::Advise {
                kind,
                line,
                id,
                sealed_as,
                seen,
                issuer,
                original,
                trace,
                code,
                actual,
                approval,
                repeat,
            } => {
                assert_eq!(sealed_as, candidate(&seen), "what the card is sealed under");
                self.events.push(Event::Advise);
                let at = self.hub.now();
                self.advices.push(Advised {
                    at,
                    kind,
                    line,
                    id,
                    seen,
                    approval,
                    issuer,
                    original,
                    trace,
                    code,
                    actual,
                    repeat,
                });
            }
            Effect::FindInHistory { number, keys, since } => {
                self.look_ups.push_back((number, keys, since));
            }
            Effect::Count(count) => self.counts.push(count),
        }
    }

    pub(crate) fn sign_on(&mut self, id: u64) {
        self.drive(Input::Line { bank: bank(id), line: id, signed_on: true });
    }

    pub(crate) fn sign_off(&mut self, id: u64) {
        self.drive(Input::Line { bank: bank(id), line: id, signed_on: false });
    }

    /// Lowers or raises a cap.
    pub(crate) fn cap(&mut self, id: u64, minor: u64) {
        let transfer = transfer_id_of_record(6, 1000 + self.records.len() as u64);
        let fact = Fact::Cap { participant: bank(id), amount: amount(minor), transfer };
        self.drive(Input::Business(fact));
    }

    /// Time passes, and the hub acts whenever it asked to.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now.plus_ms(ms);
        while let Some(at) = self.hub.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.drive(Input::Timeout);
        }
        self.now = until;
    }

    /// Time passes, and nobody tells the hub before the next input.
    pub(crate) fn jump(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }
}
