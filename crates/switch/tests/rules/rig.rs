//! A hub with its books, driven as `host` drives it, and what every scenario must leave behind.
//!
//! Dropping the rig ends the scenario: its records are replayed into a fresh hub and fresh books,
//! whole and through snapshots, and everything that must be equal is compared.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use ledger::{Account, AccountStatus, Books, Transfer, TransferStatus, chart};
use scheme::{
    Amount, ApprovalCode, BusinessDate, CardRef, Currency, Iin, LocalTime, Mti, ParticipantId,
    PaymentId, PaymentSeed, Processing, ResponseCode, RetailerId, Rrn, Sealed, Stan, StationId,
    TerminalId, Timestamp, Token, Zone, transfer_id_of_record,
};
use switch::history::{self, Gather, HistoryKey, Indexed, Mark};
use switch::hub::{
    AdviceKind, Answers, Count, Effect, HubConfig, Input, IssuerAnswer, Kept, Payment, Status,
};
use switch::record::{self, Fact, FindingKind, Seen};
use switch::{
    Answer, Carried, Hub, OriginalRef, PeerId, Record, ReplyTo, Request, Text25, Timers, Trace,
    legs,
};

pub(crate) const A: u64 = 100_001;
pub(crate) const B: u64 = 100_002;
pub(crate) const C: u64 = 100_003;
pub(crate) const CAP: u64 = 1_000_000;
pub(crate) const AMOUNT_MAX: u64 = 2_000_000;
pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// 2026-11-22 10:00:00 local time of a nation nine hours east (day 20,779).
pub(crate) const MORNING: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600);

pub(crate) fn bank(code: u64) -> ParticipantId {
    ParticipantId::new(code).unwrap()
}

pub(crate) fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

pub(crate) fn code(text: &str) -> ResponseCode {
    ResponseCode::new(text.as_bytes()).unwrap()
}

pub(crate) fn mti(number: u16) -> Mti {
    Mti::new(number).unwrap()
}

/// A card of a bank: the bank's last digit routes it, `account` makes its token.
pub(crate) fn card(issuer: u64, account: u64) -> CardRef {
    CardRef {
        first8: u32::try_from(940_800 + issuer % 10).unwrap() * 100,
        last4: 1,
        pan_len: 16,
        token: Token(u128::from(issuer) * 1000 + u128::from(account)),
        sealed: Sealed::new(&[7; 28]).unwrap(),
    }
}

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
    /// Inputs so far: history covers what there is after every third.
    inputs: u64,
    /// What the snapshot that is under way must come to: one begins with every fifth input.
    copied: Option<Vec<u8>>,
}

thread_local! {
    /// How long a hold stands in this test, and how long after its end it can be completed.
    static PREAUTH_MS: Cell<u64> = const { Cell::new(Timers::RULE_BOOK.preauth_ms) };
    /// What the hub keeps in memory once history has it; none: history has none.
    static WINDOW: Cell<Option<usize>> = const { Cell::new(crate::WINDOW) };
}

/// Gives all rigs of this test another window than the others have.
pub(crate) fn keep(window: Option<usize>) {
    WINDOW.set(window);
}

/// Scales the seven days of a pre-authorisation, and the one after, for all rigs of this test.
pub(crate) fn scale_preauth(ms: u64) {
    PREAUTH_MS.set(ms);
}

pub(crate) fn config() -> HubConfig {
    let preauth_ms = PREAUTH_MS.get();
    let late_completion_ms = preauth_ms / 7;
    HubConfig {
        timers: Timers { preauth_ms, late_completion_ms, ..Timers::RULE_BOOK },
        zone: Zone::fixed(9 * 3600),
        cutover_s: 22 * 3600,
        net_at_cutover: true,
        in_flight_max: 100,
        window_payments: WINDOW.get().unwrap_or(usize::MAX),
        new_payments_max: usize::MAX,
        cash: true,
        engine: crate::ENGINE,
    }
}

fn business() -> Vec<Fact> {
    let mut facts = vec![Fact::Nation {
        name: "Three banks".into(),
        currency: Currency::KPW,
        amount_max: amount(AMOUNT_MAX),
    }];
    for (n, name) in [(1u16, "pyongyang"), (2, "nampo")] {
        facts.push(Fact::Station { id: StationId(n), code: *b"PY", name: name.into() });
    }
    for (n, id) in [(0, A), (1, B), (2, C)] {
        facts.push(Fact::Participant { id: bank(id), name: format!("Bank {id}") });
        let iin = Iin::new(&format!("{}", 940_800 + id % 10)).unwrap();
        facts.push(Fact::Route { iin, issuer: bank(id) });
        let transfer = transfer_id_of_record(6, n);
        facts.push(Fact::Cap { participant: bank(id), amount: amount(CAP), transfer });
    }
    for (acquirer, name, station) in
        [(A, "PYO00001", 1), (A, "PYO00002", 1), (B, "NAM00001", 2), (C, "PSG00001", 1)]
    {
        facts.push(Fact::Terminal {
            acquirer: bank(acquirer),
            terminal: terminal(name),
            station: StationId(station),
            retailer: shop(acquirer),
        });
    }
    let iin = Iin::new("940809").unwrap();
    facts.push(Fact::Route { iin, issuer: bank(100_009) });
    facts.push(Fact::HotCard { token: card(B, 100).token, reason: scheme::Reason::Lost });
    facts.push(Fact::Epoch { epoch: 1 });
    facts
}

/// What a request's card is sealed under.
pub(crate) fn candidate(seen: &Seen) -> PaymentId {
    let Seen { acquirer, terminal, stan, local, .. } = *seen;
    PaymentSeed { acquirer, terminal, stan, local }.id(config().zone.local(seen.first_received))
}

pub(crate) fn terminal(name: &str) -> TerminalId {
    TerminalId::new(name.as_bytes()).unwrap()
}

pub(crate) fn shop(acquirer: u64) -> RetailerId {
    RetailerId::new(format!("SHOP-{acquirer}").as_bytes()).unwrap()
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

    /// What was asked of history is answered when everything before it has been dealt with.
    fn answer_look_ups(&mut self) {
        self.depth += 1;
        while let Some((number, keys, since)) = self.look_ups.pop_front() {
            let found = Some(self.in_history(&keys, since));
            self.drive(Input::FoundInHistory { number, found });
        }
        self.depth -= 1;
    }

    /// History has everything up to now.
    fn cover(&mut self) {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut indexed = Indexed { record: self.records.len() as u64, ..Indexed::default() };
        for record in &self.records[covered..] {
            history::marks(&record.fact, |at| config().zone.local(at), &mut |mark| match mark {
                Mark::Recent(key) => indexed.keys.push(key.hash()),
                Mark::At(latest) => indexed.latest = indexed.latest.and(latest),
                Mark::Key(_) | Mark::Participant(_) => {}
            });
        }
        self.depth += 1;
        self.drive(Input::Indexed(indexed));
        self.depth -= 1;
    }

    /// What history has by one of these keys, through the bytes of its records.
    fn in_history(&self, keys: &[HistoryKey], since: Timestamp) -> Vec<Kept> {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for record in self.records[..covered].iter().filter(|record| record.at >= since) {
            let mut wanted = false;
            history::marks(&record.fact, |at| config().zone.local(at), &mut |mark| {
                if let Mark::Key(key) | Mark::Recent(key) = mark {
                    wanted |= keys.contains(&key);
                }
            });
            if wanted && let Some(part) = record.fact.part() {
                ids.insert(part.id());
            }
        }
        let found = ids.into_iter().filter_map(|id| self.gathered(id));
        found.filter(|kept| keys.iter().any(|key| key.is_of(kept))).collect()
    }

    /// All that there is of this terminal and trace number, in memory and in history.
    pub(crate) fn by_stan(&self, key: (ParticipantId, TerminalId, Stan)) -> Vec<Kept> {
        let (acquirer, terminal, stan) = key;
        let state = self.hub.state();
        let here = state.payments().by_stan(acquirer, terminal, stan);
        let mut all: Vec<_> = here.filter_map(|payment| state.kept(payment.id)).collect();
        let key = HistoryKey::Stan(acquirer, terminal, stan);
        for kept in self.in_history(&[key], Timestamp::default()) {
            let own = kept.payment.seen.stan == stan;
            if own && all.iter().all(|known| known.payment.id != kept.payment.id) {
                all.push(kept);
            }
        }
        all
    }

    fn gathered(&self, id: PaymentId) -> Option<Kept> {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut gather = Gather::default();
        for (n, record) in self.records[..covered].iter().enumerate().rev() {
            let own = record.fact.part().is_some_and(|part| part.id() == id);
            if own && gather.take(n as u64 + 1, record.clone()) {
                break;
            }
        }
        gather.finish()
    }

    pub(crate) fn create_accounts(&mut self, accounts: &[Account]) -> Vec<AccountStatus> {
        let now = self.hub.now();
        let mut statuses = Vec::new();
        for books in self.mirror.iter_mut().chain([&mut self.books]) {
            books.create_accounts(now, accounts, &mut statuses);
        }
        statuses
    }

    /// What the engine says, as `host` tells the hub: what it said the first time.
    pub(crate) fn create_transfers(&mut self, transfers: &[Transfer]) -> Vec<TransferStatus> {
        let now = self.hub.now();
        let mut statuses = Vec::new();
        self.books.create_transfers(now, transfers, &mut statuses);
        let Some(mirror) = &mut self.mirror else { return statuses };
        let mut first = Vec::new();
        mirror.create_transfers(now, transfers, &mut first);
        for (n, (said, first)) in statuses.iter().zip(&first).enumerate() {
            assert!(said.repeats(*first), "{said:?}, not {first:?}: {:?}", transfers[n]);
        }
        first
    }

    /// What is decided when the engine answers later is decided although time goes on meanwhile.
    fn meanwhile(&mut self) {
        if self.mirror.is_some() {
            let mut effects = Vec::new();
            self.hub.handle(self.now, Input::Timeout, &mut effects);
            let asks = |effect: &Effect| matches!(effect, Effect::Transfers(_));
            assert!(!effects.iter().any(asks), "one batch at a time");
            for effect in effects {
                self.effect(effect);
            }
        }
    }

    /// The engine has done what it was asked before the hub died.
    pub(crate) fn engine_did(&mut self) {
        let proposed: Vec<Fact> = self.hub.state().proposed().cloned().collect();
        for fact in proposed {
            let (mut accounts, mut implied) = (Vec::new(), Vec::new());
            legs::accounts(self.hub.state(), &fact, &mut accounts);
            legs::transfers(self.hub.state(), &fact, &mut implied);
            let (mut made, mut moved) = (Vec::new(), Vec::new());
            self.books.create_accounts(self.now, &accounts, &mut made);
            let asked = implied.iter().filter(|leg| !leg.refused).map(|leg| leg.transfer);
            self.books.create_transfers(self.now, &asked.collect::<Vec<_>>(), &mut moved);
        }
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

    /// All that left the hub so far, and what it decided.
    pub(crate) fn all_said(&self) -> Vec<String> {
        let mut said: Vec<String> = self.answers.iter().map(|one| format!("{one:?}")).collect();
        said.extend(self.asks.iter().map(|one| format!("{one:?}")));
        said.extend(self.advices.iter().map(|one| format!("{one:?}")));
        said.extend(self.counts.iter().map(|one| format!("{one:?}")));
        said.extend(self.records.iter().map(|record| format!("{record:?}")));
        said
    }

    pub(crate) fn sign_on(&mut self, id: u64) {
        self.drive(Input::Line { bank: bank(id), line: id, signed_on: true });
    }

    pub(crate) fn sign_off(&mut self, id: u64) {
        self.drive(Input::Line { bank: bank(id), line: id, signed_on: false });
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

    /// A purchase of 10.00 by a card of B at a shop of A, now, with a trace number of its own.
    pub(crate) fn purchase(&mut self) -> Request {
        let stan = Stan::new(self.next_stan).unwrap();
        self.next_stan += 1;
        Request {
            mti: mti(200),
            acquirer: bank(A),
            terminal: terminal("PYO00001"),
            retailer: shop(A),
            stan,
            transmitted: self.now.month_time(),
            local: self.local(),
            rrn: Rrn::new(format!("6326PY{:06}", stan.get()).as_bytes()).unwrap(),
            rrn_sent: false,
            processing: Processing::new(0).unwrap(),
            amount: amount(1000),
            currency: 408,
            card: Some(card(B, 1)),
            card_valid: true,
            expiry: Some(3112),
            forwarding: 0,
            has_pin: false,
            original: None,
            actual: None,
            reason: None,
            approval: ApprovalCode::BLANK,
            first_received: self.now,
            age_ms: 0,
            candidate: PaymentId::default(),
            carried: Carried::NONE,
        }
    }

    /// The terminal's clock.
    pub(crate) fn local(&self) -> LocalTime {
        config().zone.local(self.now).month_time()
    }

    /// The same message, sent again now.
    pub(crate) fn again(&self, request: &Request) -> Request {
        Request { first_received: self.now, ..request.clone() }
    }

    /// The 0420 of a request, made now: DE90, a trace number and times of its own.
    pub(crate) fn reversal(&mut self, request: &Request) -> Request {
        let fresh = self.purchase();
        Request {
            mti: mti(420),
            stan: fresh.stan,
            transmitted: fresh.transmitted,
            local: fresh.local,
            original: Some(OriginalRef {
                mti: request.mti.first().number(),
                stan: request.stan.get(),
                transmitted: request.transmitted.number(),
                acquirer: 0,
                forwarding: 0,
            }),
            first_received: self.now,
            ..request.clone()
        }
    }

    /// A refund of a part of a payment, now, from its own till, by DE90.
    pub(crate) fn refund(&mut self, of: &Request, minor: u64) -> Request {
        Request {
            mti: mti(200),
            processing: Processing::new(200_000).unwrap(),
            amount: amount(minor),
            rrn: self.purchase().rrn,
            rrn_sent: false,
            ..self.reversal(of)
        }
    }

    /// A pre-authorisation of 10.00, as `purchase` is one.
    pub(crate) fn preauth(&mut self) -> Request {
        Request { mti: mti(100), ..self.purchase() }
    }

    /// The completion of a pre-authorisation, by DE90.
    pub(crate) fn completion(&mut self, of: &Request, minor: u64) -> Request {
        Request { mti: mti(220), amount: amount(minor), ..self.reversal(of) }
    }

    /// A balance enquiry.
    pub(crate) fn balance_of(&mut self) -> Request {
        let processing = Processing::new(310_000).unwrap();
        Request { processing, amount: Amount::ZERO, ..self.purchase() }
    }

    /// Sends a request from the station of the first terminals; the ticket finds its answer.
    pub(crate) fn send(&mut self, request: Request) -> u64 {
        let station = if request.terminal == terminal("NAM00001") { 2 } else { 1 };
        self.send_from(PeerId::Station(StationId(station)), request)
    }

    pub(crate) fn send_from(&mut self, peer: PeerId, request: Request) -> u64 {
        let input = self.input(peer, request);
        self.drive(input);
        self.next_ticket - 1
    }

    /// A request as an input, under the next ticket.
    pub(crate) fn input(&mut self, peer: PeerId, mut request: Request) -> Input {
        let seed = PaymentSeed {
            acquirer: request.acquirer,
            terminal: request.terminal,
            stan: request.stan,
            local: request.local,
        };
        request.candidate = seed.id(config().zone.local(request.first_received));
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        Input::Request { from: ReplyTo { peer, ticket }, request }
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

    pub(crate) fn answered(&self, ticket: u64) -> Option<&Answer> {
        let found: Vec<_> = self.answers.iter().filter(|(to, _)| to.ticket == ticket).collect();
        assert!(found.len() <= 1, "ticket {ticket} was answered {} times", found.len());
        found.first().map(|(_, answer)| answer)
    }

    /// DE39 and DE44 of an answer, as in `91 CAP`.
    pub(crate) fn said(&self, ticket: u64) -> String {
        self.answered(ticket).map_or("nothing".into(), |answer| {
            format!("{} {}", answer.code, answer.text).trim_end().to_owned()
        })
    }

    /// The issuer's answer to what it was asked.
    pub(crate) fn answer_to(&self, ask: &Ask, code_: &str) -> IssuerAnswer {
        let approval = if code_ == "00" { "A1B2C3" } else { "" };
        IssuerAnswer {
            bank: ask.issuer,
            trace: ask.trace,
            processing: ask.seen.processing,
            amount: ask.seen.amount,
            terminal: ask.seen.terminal,
            code: code(code_),
            approval: ApprovalCode::new(approval.as_bytes()).unwrap(),
            text: Text25::BLANK,
            carried: Carried::NONE,
        }
    }

    /// The issuer answers the last thing that it was asked.
    pub(crate) fn issuer_says(&mut self, code: &str) {
        let ask = self.asks.last().unwrap().clone();
        let answer = self.answer_to(&ask, code);
        self.drive(Input::IssuerAnswer(answer));
    }

    /// A request, approved.
    pub(crate) fn pay(&mut self, request: &Request) -> PaymentId {
        let asked = self.asks.len();
        let ticket = self.send(request.clone());
        assert_eq!(self.asks.len(), asked + 1, "not asked: {}", self.said(ticket));
        self.issuer_says("00");
        assert_eq!(self.said(ticket), "00");
        self.asks.last().unwrap().id
    }

    /// The bank acknowledges an advice.
    pub(crate) fn acknowledge(&mut self, advice: &Advised, code_: &str) {
        let Advised { issuer, trace, .. } = *advice;
        self.drive(Input::AdviceAnswer { bank: issuer, trace, code: code(code_) });
    }

    /// A payment, wherever it is.
    pub(crate) fn payment(&self, id: PaymentId) -> Payment {
        let here = self.hub.state().payments().get(id).cloned();
        here.or_else(|| self.gathered(id).map(|kept| kept.payment)).unwrap()
    }

    pub(crate) fn status(&self, id: PaymentId) -> Status {
        self.payment(id).status
    }

    /// How often something was found.
    pub(crate) fn found(&self, kind: FindingKind) -> u64 {
        self.hub.state().findings().get(&kind).copied().unwrap_or(0)
    }

    pub(crate) fn findings(&self) -> u64 {
        self.hub.state().findings().values().sum()
    }

    /// Net positions of A, B and C, by the ledger.
    pub(crate) fn nets(&self) -> [i128; 3] {
        [A, B, C].map(|id| {
            chart::net_position(bank(id), Currency::KPW, &[], |id| self.books.account(id))
        })
    }

    pub(crate) fn balance(&self, account: u128) -> i128 {
        self.books.account(account).unwrap().balance()
    }

    /// Lowers or raises a cap.
    pub(crate) fn cap(&mut self, id: u64, minor: u64) {
        let transfer = transfer_id_of_record(6, 1000 + self.records.len() as u64);
        let fact = Fact::Cap { participant: bank(id), amount: amount(minor), transfer };
        self.drive(Input::Business(fact));
    }

    pub(crate) fn date(&self) -> BusinessDate {
        self.hub.state().business_date()
    }

    /// How many decisions were recorded, without what history itself needs.
    pub(crate) fn written(&self) -> usize {
        let own = |fact: &Fact| {
            matches!(
                fact,
                Fact::Covered { .. }
                    | Fact::Recalled(_)
                    | Fact::Retired(_)
                    | Fact::Proposed(_)
                    | Fact::Dropped
            )
        };
        self.records.iter().filter(|record| !own(&record.fact)).count()
    }

    /// Everything that holds after any scenario.
    pub(crate) fn verify(&self) {
        sound(&self.hub, &self.books);
        let (hub, books) = replay(&self.records);
        same(&self.hub, &self.books, &hub, &books, "replay");
        let end = self.records.len();
        for cut in [end / 2, end] {
            let (hub, books) = replay(&self.records[..cut]);
            let (mut again, mut ledger) = restored(&hub, &books);
            same(&hub, &books, &again, &ledger, "snapshot");
            for record in &self.records[cut..] {
                apply(&mut again, &mut ledger, record);
            }
            same(&self.hub, &self.books, &again, &ledger, "snapshot and replay");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.verify();
        }
    }
}

/// Zero-sum, nothing below zero, and the hub's reckoning is the ledger's.
pub(crate) fn sound(hub: &Hub, books: &Books) {
    let accounts = books.accounts();
    let sum = |of: fn(&ledger::Account) -> u128| accounts.iter().map(of).sum::<u128>();
    assert_eq!(sum(|a| a.debits_posted), sum(|a| a.credits_posted), "posted");
    assert_eq!(sum(|a| a.debits_pending), sum(|a| a.credits_pending), "pending");
    for id in hub.state().directory().participants.keys() {
        let at = |account: u128| books.account(account).unwrap();
        let account = at(chart::position(*id, Currency::KPW));
        let reckoned = hub.state().position(*id);
        let pending = i128::try_from(account.debits_pending).unwrap();
        assert_eq!(reckoned.room, account.balance() - pending, "room of {id}");
        assert_eq!(reckoned.held, pending, "held of {id}");
        assert!(reckoned.room >= 0, "{id} is beyond its cap");
        let overcap = at(chart::overcap(*id, Currency::KPW)).balance();
        assert_eq!(reckoned.overcap, -overcap, "overcap of {id}");
        let net = chart::net_position(*id, Currency::KPW, &[], |id| books.account(id));
        assert_eq!(hub.net(*id), net, "net position of {id}");
    }
    let pending = hub.state().payments().iter().filter(|p| p.status == Status::Pending).count();
    assert_eq!(u64::try_from(pending).unwrap(), books.open_pending(), "open holds");
    let mut open = BTreeMap::<_, usize>::new();
    for payment in hub.state().payments().iter().filter(|p| p.seen.is_preauth()) {
        let count = open.entry((payment.seen.acquirer, payment.seen.terminal)).or_default();
        *count += usize::from(payment.status == Status::Pending);
    }
    for (terminal, count) in open {
        assert_eq!(hub.state().flows().open_preauths(terminal), count, "open pre-authorisations");
    }
}

fn same(hub: &Hub, books: &Books, other: &Hub, others: &Books, how: &str) {
    assert_eq!(hub.state_hash(), other.state_hash(), "hub after {how}");
    assert_eq!(books.state_hash(), others.state_hash(), "books after {how}");
    let (mut one, mut two) = (Vec::new(), Vec::new());
    hub.snapshot(&mut one);
    other.snapshot(&mut two);
    assert!(one == two, "snapshots after {how}");
    sound(other, others);
}

fn snapshot(hub: &Hub) -> Vec<u8> {
    let mut body = Vec::new();
    hub.snapshot(&mut body);
    body
}

pub(crate) fn bytes_of(books: &Books) -> Vec<u8> {
    let mut bytes = Vec::new();
    books.encode(&mut bytes);
    bytes
}

fn restored(hub: &Hub, books: &Books) -> (Hub, Books) {
    let mut machine = Vec::new();
    hub.snapshot(&mut machine);
    let ledger = bytes_of(books);
    let mut again = Hub::new(config());
    again.restore(&machine).unwrap();
    (again, Books::decode(&ledger).unwrap())
}

/// A fresh hub and books, made by records alone, through their bytes.
pub(crate) fn replay(records: &[Record]) -> (Hub, Books) {
    let (mut hub, mut books) = (Hub::new(config()), Books::new());
    for record in records {
        apply(&mut hub, &mut books, record);
    }
    (hub, books)
}

fn apply(hub: &mut Hub, books: &mut Books, record: &Record) {
    let mut payload = Vec::new();
    let (kind, version) = record::encode(&record.fact, &mut payload);
    let fact = record::decode(kind, version, &payload).unwrap();
    assert_eq!(fact, record.fact, "bytes of a record");
    let record = Record { at: record.at, fact };
    make_accounts(hub, books, &record);
    let mut implied = Vec::new();
    legs::transfers(hub.state(), &record.fact, &mut implied);
    for leg in implied {
        let mut statuses = Vec::new();
        books.create_transfers(record.at, &[leg.transfer], &mut statuses);
        let expected =
            if leg.refused { TransferStatus::ExceedsCredits } else { TransferStatus::Ok };
        assert_eq!(statuses, [expected], "{:?}", record.fact);
    }
    hub.apply(&record);
}

fn make_accounts(hub: &Hub, books: &mut Books, record: &Record) {
    let mut accounts = Vec::new();
    legs::accounts(hub.state(), &record.fact, &mut accounts);
    let mut statuses = Vec::new();
    books.create_accounts(record.at, &accounts, &mut statuses);
    assert!(statuses.iter().all(|status| *status == AccountStatus::Ok), "{statuses:?}");
}
