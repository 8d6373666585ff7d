//! The national hub.
//!
//! [`Hub::handle`] lets due timers fire, then takes one input. A decision that moves money is
//! *proposed*: its transfers go to the engine, and the result comes back as an input; one that
//! moves none is committed at once. Committing applies the record and hands it out; effects that
//! follow it leave the host when the record is durable.
//!
//! - [`state`] durable state and [`payments`], the table in it
//! - [`matching`] which payment a message speaks of (R-MATCH, R-TOMB)
//! - `admit` a first request to its hold or refusal (R-DE39)
//! - `close` the issuer's answer, or none (R-TIME, R-CRASH)
//! - `reverse` reversals (R-REVERSAL)
//! - `refund` what a refund may return; `preauth` completions and expiry; `balance` enquiries
//! - `engine` what the ledger is asked, and when it answers
//! - [`flows`] what refunds and pre-authorisations have beyond other payments
//! - `advise` what issuers are owed (store and forward)
//! - `look_up`, `gone`: what only history has
//! - `calendar` cutover and, in the demo, netting
//! - `snapshot` the durable state as bytes

mod admit;
mod advise;
mod balance;
mod calendar;
mod close;
mod engine;
pub mod flows;
mod gone;
pub(crate) mod kept;
mod look_up;
pub mod matching;
pub mod payments;
mod preauth;
mod recovering;
mod refund;
mod reverse;
mod snapshot;
pub mod state;
mod table;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ledger::{Account, AccountStatus, Transfer, TransferStatus};
use scheme::{
    Amount, ApprovalCode, ParticipantId, PaymentId, Processing, Reason, ResponseCode, Rrn, Stan,
    TerminalId, Timestamp, Zone, transfer_id_of_record,
};

pub use engine::Answers;
use engine::Proposal;
pub use gone::Gone;
pub use kept::Kept;
pub use payments::{Payment, Payments, Status};
pub use recovering::Recovering;
pub use snapshot::SnapshotError;
pub use state::{Advice, Position, State, Told};
pub use table::Chaining;

use crate::fingerprint::Fingerprint;
use crate::history::{HistoryKey, Indexed};
use crate::legs;
use crate::limits::TRACE_GAP;
use crate::record::{Fact, Finding, FindingKind, Outcome, Part, Record, Seen};
use crate::request::{Answer, Carried, PeerId, ReplyTo, Request, Text25, Trace};
use crate::timers::Timers;

/// What the hub is told once.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Delays and windows.
    pub timers: Timers,
    /// The nation's local time.
    pub zone: Zone,
    /// Seconds after local midnight at which the business date changes.
    pub cutover_s: u32,
    /// Whether positions are netted to zero at cutover without settlement (profile `demo`).
    pub net_at_cutover: bool,
    /// Payments under way at once, at most [`crate::limits::IN_FLIGHT_MAX`].
    pub in_flight_max: usize,
    /// Payments that history has too and that are kept in memory all the same.
    pub window_payments: usize,
    /// Payments that are open or that history does not have yet, beyond which new ones are refused.
    pub new_payments_max: usize,
    /// Whether cash may be paid out without a PIN (profile `demo`; R-SECRETS).
    pub cash: bool,
    /// When the engine answers.
    pub engine: Answers,
}

/// What may happen to the hub.
#[derive(Clone, Debug)]
pub enum Input {
    /// A payment request, an advice or a reversal.
    Request {
        /// Who waits for the answer.
        from: ReplyTo,
        /// What it says.
        request: Request,
    },
    /// An issuer's answer to a request of ours.
    IssuerAnswer(IssuerAnswer),
    /// An issuer's acknowledgement of an advice of ours.
    AdviceAnswer {
        /// The issuer.
        bank: ParticipantId,
        /// DE11 and DE7, as sent.
        trace: Trace,
        /// DE39.
        code: ResponseCode,
    },
    /// A bank signed on or off on one of its connections, or the connection is gone.
    Line {
        /// The bank.
        bank: ParticipantId,
        /// The host's number of the connection.
        line: u64,
        /// Whether requests may be sent on it.
        signed_on: bool,
    },
    /// What the engine made of the accounts, in the order in which they were asked for.
    AccountResults(Vec<AccountStatus>),
    /// What the engine made of the transfers, in the order in which they were asked for.
    TransferResults(Vec<TransferStatus>),
    /// What history has of what [`Effect::FindInHistory`] asked for, none if it cannot be read.
    FoundInHistory {
        /// The number of the question.
        number: u64,
        /// Each payment once, in any order.
        found: Option<Vec<Kept>>,
    },
    /// A segment of the journal can be read back.
    Indexed(Indexed),
    /// A business record of the first start or of a change.
    Business(Fact),
    /// Recovery is over; decide what was left open (R-CRASH).
    Resolve,
    /// Time has passed.
    Timeout,
}

/// An issuer's 0210.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuerAnswer {
    /// The issuer.
    pub bank: ParticipantId,
    /// DE11 and DE7, as sent.
    pub trace: Trace,
    /// DE3.
    pub processing: Processing,
    /// DE4.
    pub amount: Amount,
    /// DE41.
    pub terminal: TerminalId,
    /// DE39.
    pub code: ResponseCode,
    /// DE38; blank when absent.
    pub approval: ApprovalCode,
    /// DE44; blank when absent.
    pub text: Text25,
    /// Fields that pass through to the acquirer.
    pub carried: Carried,
}

/// What the hub wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the engine; answer with [`Input::AccountResults`].
    Accounts(Vec<Account>),
    /// Ask the engine; answer with [`Input::TransferResults`].
    Transfers(Vec<Transfer>),
    /// Journal this decision. Everything after it leaves only when it is durable.
    Record(Record),
    /// Answer a request.
    Answer {
        /// Whose.
        to: ReplyTo,
        /// How.
        answer: Answer,
    },
    /// Ask an issuer: 0100 or 0200, as `seen.mti` says.
    Ask {
        /// The connection.
        line: u64,
        /// The payment; 0 for a balance enquiry, which is none.
        id: PaymentId,
        /// The id under which its card is sealed.
        sealed_as: PaymentId,
        /// The request.
        seen: Seen,
        /// The issuer.
        issuer: ParticipantId,
        /// The hub's DE11 and DE7.
        trace: Trace,
        /// Fields that pass through.
        carried: Carried,
    },
    /// Tell an issuer that a payment is undone (0420, repeated as 0421), or completed (0220, 0221).
    Advise {
        /// Which of the two.
        kind: AdviceKind,
        /// The connection.
        line: u64,
        /// The payment.
        id: PaymentId,
        /// The id under which its card is sealed.
        sealed_as: PaymentId,
        /// The message that it speaks of, as DE90 names it: the request, or for the reversal of a
        /// completion that completion. Its amount is DE4.
        seen: Seen,
        /// The issuer.
        issuer: ParticipantId,
        /// DE11 and DE7 of the message that it speaks of.
        original: Trace,
        /// DE11 and DE7 of the advice.
        trace: Trace,
        /// DE39.
        code: ResponseCode,
        /// DE95.
        actual: Option<Amount>,
        /// DE38 of a completion; blank in a reversal.
        approval: ApprovalCode,
        /// Whether it was sent before.
        repeat: bool,
    },
    /// Look for payments that are not in memory; answer with [`Input::FoundInHistory`].
    FindInHistory {
        /// The number of the question.
        number: u64,
        /// By any of these.
        keys: Vec<HistoryKey>,
        /// Among what was recorded at this time or later.
        since: Timestamp,
    },
    /// Something that is only counted (R-RECORD).
    Count(Count),
}

/// What an issuer is told by an advice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AdviceKind {
    /// 0420: a payment, or a part of it, is undone.
    Reversal,
    /// 0220: a pre-authorisation is completed.
    Completion,
}

/// Things that are counted and traced, not journalled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Count {
    /// A refusal that is no record.
    Refused(Reason),
    /// An answer that matched nothing: late, foreign or disagreeing.
    StrayAnswer,
    /// An acknowledgement of no advice.
    StrayAcknowledgement,
    /// A repeat that found its payment.
    Repeat,
    /// A purchase was approved.
    Approved,
    /// A purchase was declined, by us or by the issuer.
    Declined,
    /// A balance enquiry was answered.
    Enquiry,
}

/// What the hub wants done, in order.
pub type Effects = Vec<Effect>;

type MatchKey = (ParticipantId, TerminalId, Stan);

/// A payment that is under way, as far as a crash may forget it.
#[derive(Clone, Debug, Default)]
struct Flight {
    waiters: Vec<ReplyTo>,
    /// Until when the issuer may answer; none while the engine is asked.
    deadline: Option<Timestamp>,
}

/// What follows when a proposal is committed.
#[derive(Clone, Debug)]
enum Next {
    /// Nothing.
    Nothing,
    /// Ask the issuer; this one waits for the answer, `since` then.
    Ask { from: ReplyTo, line: u64, carried: Carried, since: Timestamp },
    /// Nobody waits any more for what was proposed before the hub was started again.
    Restarted,
    /// What waits in [`Hub::business`].
    Business,
    /// Answer those who wait.
    AnswerWaiters { carried: Carried },
    /// Acknowledge a reversal.
    Acknowledge { to: ReplyTo, rrn: Rrn },
    /// Acknowledge a completion.
    Confirm { to: ReplyTo, rrn: Rrn },
}

/// The connections of one bank on which it has signed on.
#[derive(Clone, Debug, Default)]
struct BankLink {
    lines: Vec<u64>,
    turn: usize,
}

/// The hub.
#[derive(Clone, Debug)]
pub struct Hub {
    config: HubConfig,
    state: State,
    now: Timestamp,
    flights: HashMap<PaymentId, Flight, FixedState>,
    asked: HashMap<(ParticipantId, Trace), PaymentId, FixedState>,
    deadlines: BTreeSet<(Timestamp, PaymentId)>,
    enquiries: balance::Enquiries,
    proposals: VecDeque<Proposal>,
    /// The transfers of all proposals, in their order.
    proposed: VecDeque<Transfer>,
    implied: Vec<legs::Implied>,
    /// How many proposals, from the front, the engine has been asked about.
    asked_engine: usize,
    /// Since when.
    asked_at: Timestamp,
    /// What follows a change of the business part that is proposed.
    business: VecDeque<Input>,
    /// Messages that share a key with a proposal wait behind it, in order.
    behind: BTreeMap<MatchKey, Vec<Input>>,
    look_ups: look_up::LookUps,
    gone: gone::Gone,
    links: BTreeMap<ParticipantId, BankLink>,
    next_trace: BTreeMap<ParticipantId, u64>,
    schedule: advise::Schedule,
    cutover_at: Option<Timestamp>,
    own_transfers: u64,
}

impl Hub {
    /// A hub without a past.
    pub fn new(config: HubConfig) -> Self {
        Self {
            state: State::new(config.timers),
            config,
            now: Timestamp::default(),
            flights: HashMap::default(),
            asked: HashMap::default(),
            deadlines: BTreeSet::new(),
            enquiries: balance::Enquiries::default(),
            proposals: VecDeque::new(),
            proposed: VecDeque::new(),
            implied: Vec::new(),
            asked_engine: 0,
            asked_at: Timestamp::default(),
            business: VecDeque::new(),
            behind: BTreeMap::new(),
            look_ups: look_up::LookUps::default(),
            gone: gone::Gone::default(),
            links: BTreeMap::new(),
            next_trace: BTreeMap::new(),
            schedule: advise::Schedule::default(),
            cutover_at: None,
            own_transfers: 0,
        }
    }

    /// Takes one input: decides, then applies.
    pub fn handle(&mut self, now: Timestamp, input: Input, out: &mut Effects) {
        // Whole microseconds, because records keep their time so (`docs/formats/records.md`).
        let whole = now.0.saturating_sub(now.0.checked_rem(1000).unwrap_or(0));
        self.now = self.now.max(Timestamp(whole));
        self.fire(out);
        self.take(input, out);
        self.retire(out);
        self.forget();
        self.ask_engine(out);
    }

    fn take(&mut self, input: Input, out: &mut Effects) {
        match input {
            Input::Request { from, request } => self.request(from, request, out),
            Input::IssuerAnswer(answer) => self.issuer_answer(answer, out),
            Input::AdviceAnswer { bank, trace, code } => {
                self.advice_answer(bank, trace, code, out);
            }
            Input::Line { bank, line, signed_on } => self.line(bank, line, signed_on, out),
            Input::AccountResults(results) => self.account_results(&results, out),
            Input::TransferResults(results) => self.transfer_results(&results, out),
            Input::FoundInHistory { number, found } => self.found_in_history(number, found, out),
            Input::Indexed(indexed) => self.indexed(&indexed, out),
            Input::Business(_) | Input::Resolve => self.business(input, out),
            Input::Timeout => {}
        }
    }

    /// Takes memory for so many more payments before they come: the first touch of memory is the
    /// system's work, milliseconds at a time, and belongs to a start and not to a payment.
    pub fn make_room(&mut self, payments: usize) {
        self.state.make_room(payments);
    }

    /// Takes a record: what recovery does, and `handle` after it has decided.
    pub fn apply(&mut self, record: &Record) {
        self.now = self.now.max(record.at);
        self.state.apply(record);
        if !self.gone.is_told() && self.state.payments().covered() > 0 {
            self.gone = gone::Gone::unknown();
        }
        self.state.forget(self.config.window_payments, |_| false);
    }

    /// When time alone will make the hub act.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        // What needs the engine waits for its answer first.
        let free = self.asked_engine == 0;
        let expiry = self.state.flows().next_expiry().map(|(at, _)| at).filter(|_| free);
        let others = [expiry, self.enquiries.next_deadline(), self.look_ups.next_deadline()];
        let cutover = self.cutover_at.filter(|_| free);
        [deadline, self.schedule.next(), self.schedule.next_stuck(), cutover]
            .into_iter()
            .chain(others)
            .flatten()
            .min()
    }

    /// The hash of the durable state: equal for a live hub and its replay.
    pub fn state_hash(&self) -> Fingerprint {
        self.state.fingerprint()
    }

    /// The durable state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The hub's time: that of its last input, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Payments under way, and decisions that the engine has still to answer for.
    pub fn in_flight(&self) -> usize {
        self.flights.len().saturating_add(self.proposals.len())
    }

    /// Connections on which a bank is signed on.
    pub fn lines(&self, bank: ParticipantId) -> usize {
        self.links.get(&bank).map_or(0, |link| link.lines.len())
    }

    fn fire(&mut self, out: &mut Effects) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > self.now {
                break;
            }
            self.deadlines.remove(&(at, id));
            self.issuer_late(id, out);
        }
        self.enquiries_late(out);
        self.look_ups_late(out);
        self.advise_due(out);
        self.advise_stuck(out);
        self.between_batches(out);
    }

    fn request(&mut self, from: ReplyTo, request: Request, out: &mut Effects) {
        let key = (request.acquirer, request.terminal, matching::waits_at(&request));
        if let Some(waiting) = self.behind.get_mut(&key) {
            waiting.push(Input::Request { from, request });
            return;
        }
        self.decide(from, request, (&[], &[]), out);
    }

    /// Decides about a message that nothing is in the way of, but what history may have: `before`
    /// are the keys by which that was asked, and what it had.
    fn decide(
        &mut self,
        from: ReplyTo,
        request: Request,
        before: (&[HistoryKey], &[Kept]),
        out: &mut Effects,
    ) {
        if self.looks_up(from, &request, before, out) {
            return;
        }
        match request.mti.class() {
            scheme::MtiClass::Reversal => self.reversal(from, &request, out),
            scheme::MtiClass::Authorisation
            | scheme::MtiClass::Financial
            | scheme::MtiClass::Reconciliation
            | scheme::MtiClass::Network
            | scheme::MtiClass::Other => self.admit(from, request, out),
        }
    }

    /// Commits a fact and does what follows from it.
    fn settle(&mut self, fact: Fact, next: Next, out: &mut Effects) {
        let touched = credited(&fact, &self.state);
        let id = fact.payment();
        let opened = if let Fact::Opened(opened) = &fact { Some(opened.clone()) } else { None };
        self.recall_for(&fact, out);
        self.commit(fact, out);
        match (next, opened, id) {
            (Next::Ask { from, since, .. }, Some(opened), _) if self.is_too_late(since) => {
                self.release_late(from, opened.id, out);
            }
            (Next::Ask { from, line, carried, .. }, Some(opened), _) => {
                self.ask(from, line, carried, opened, out);
            }
            (Next::Restarted, _, Some(id)) => self.close_restarted(id, out),
            (Next::AnswerWaiters { carried }, _, Some(id)) => {
                self.answer_waiters(id, carried, out);
            }
            (Next::Acknowledge { to, rrn }, _, id) => {
                if let Some(id) = id {
                    self.answer_waiters(id, Carried::NONE, out);
                }
                out.push(Effect::Answer { to, answer: Answer::acknowledgement(rrn) });
            }
            (Next::Confirm { to, rrn }, _, Some(id)) => self.confirm(to, rrn, id, out),
            (
                Next::Nothing
                | Next::Ask { .. }
                | Next::Restarted
                | Next::Business
                | Next::AnswerWaiters { .. }
                | Next::Confirm { .. },
                _,
                _,
            ) => {}
        }
        self.advise_new(out);
        for participant in touched.into_iter().flatten() {
            self.repay_overcap(participant, out);
        }
    }

    fn commit(&mut self, fact: Fact, out: &mut Effects) {
        let record = Record { at: self.now, fact };
        self.state.apply(&record);
        out.push(Effect::Record(record));
    }

    fn find(&mut self, kind: FindingKind, payment: Option<PaymentId>, out: &mut Effects) {
        let payment_found = payment.and_then(|id| self.state.payments().get(id));
        let participant = payment_found.and_then(|payment| {
            let acquirer = payment.seen.acquirer;
            if kind.is_about_issuer() { payment.issuer } else { Some(acquirer) }
        });
        let finding = Finding { kind, payment, participant, original: None };
        self.commit(Fact::Finding(finding), out);
    }

    /// Somebody had to pay beyond its cap.
    fn find_overcap(
        &mut self,
        id: PaymentId,
        participant: Option<ParticipantId>,
        out: &mut Effects,
    ) {
        let kind = FindingKind::Overcap;
        let finding = Finding { kind, payment: Some(id), participant, original: None };
        self.commit(Fact::Finding(finding), out);
    }

    /// The id under which a request's card is sealed: refunds have ids of their own.
    fn sealed_as(&self, id: PaymentId, seen: &Seen) -> PaymentId {
        if seen.is_refund() {
            return crate::request::candidate(seen, self.config.zone.local(seen.first_received));
        }
        id
    }

    /// The next DE11 and DE7 of a message to a bank.
    fn trace(&mut self, bank: ParticipantId) -> Trace {
        let last = self.state.last_stan(bank);
        let next = self.next_trace.entry(bank).or_insert_with(|| match last {
            Some(stan) => u64::from(stan.get()).saturating_add(TRACE_GAP),
            None => 0,
        });
        let stan = Stan::from_counter(*next);
        *next = next.saturating_add(1);
        Trace { stan, transmitted: self.now.month_time() }
    }

    /// The ledger id of a transfer that belongs to no payment: of the record's kind and its number
    /// in the journal, or the next number after one that is still proposed.
    fn own_transfer_id(&mut self, kind: u8) -> u128 {
        let number = self.own_transfers.max(self.state.records());
        self.own_transfers = number.saturating_add(1);
        transfer_id_of_record(kind, number)
    }

    fn line(&mut self, bank: ParticipantId, line: u64, signed_on: bool, out: &mut Effects) {
        let link = self.links.entry(bank).or_default();
        link.lines.retain(|known| *known != line);
        if signed_on {
            link.lines.push(line);
            self.advise_all(bank, out);
        } else if link.lines.is_empty() {
            self.schedule.pause(bank);
        }
    }

    /// A connection on which to send to a bank, taken in turn.
    fn pick_line(&mut self, bank: ParticipantId) -> Option<u64> {
        let link = self.links.get_mut(&bank)?;
        link.turn = link.turn.wrapping_add(1);
        let at = link.turn.checked_rem(link.lines.len())?;
        link.lines.get(at).copied()
    }

    /// The connection that was picked before the engine was asked, or another of the bank's.
    fn still_there(&mut self, bank: ParticipantId, line: u64) -> u64 {
        let there = |link: &BankLink| link.lines.contains(&line);
        let gone =
            self.config.engine == Answers::Later && !self.links.get(&bank).is_some_and(there);
        if gone { self.pick_line(bank).unwrap_or(line) } else { line }
    }

    fn refuse(&mut self, to: ReplyTo, reason: Reason, rrn: Rrn, out: &mut Effects) {
        out.push(Effect::Count(Count::Refused(reason)));
        out.push(Effect::Answer { to, answer: Answer::refusal(reason, rrn) });
    }

    /// Whether the peer may speak for this terminal (58 otherwise).
    fn speaks_for(&self, peer: PeerId, request: &Request) -> bool {
        let entry = self.state.directory().terminal(request.acquirer, request.terminal);
        match peer {
            PeerId::Station(station) => entry.is_some_and(|entry| entry.station == station),
            PeerId::Bank(bank) => request.acquirer == bank,
            PeerId::Terminal(_) => false,
        }
    }
}

/// The participant to whom a fact that is of no payment may give room.
fn credited_apart(fact: &Fact) -> Option<ParticipantId> {
    if let Fact::Cap { participant, .. }
    | Fact::OvercapRepaid { participant, .. }
    | Fact::Netted { participant, paid_out: false, .. } = fact
    {
        Some(*participant)
    } else {
        None
    }
}

/// The participants to whom a fact gives room, if they owe on their overcap accounts.
fn credited(fact: &Fact, state: &State) -> [Option<ParticipantId>; 2] {
    let payment = fact.payment().and_then(|id| state.payments().get(id));
    let payer = payment.and_then(|p| Some(p.seen.payer(p.issuer?)));
    let payee = payment.and_then(|p| Some(p.seen.payee(p.issuer?)));
    let candidates = match fact.part() {
        Some(Part::Closed(closed)) => match closed.outcome {
            Outcome::Posted { .. } => [payee, None],
            Outcome::Declined { .. } | Outcome::Voided { .. } => [payer, None],
            Outcome::Held { .. } => [None, None],
        },
        Some(Part::Reversed(_)) => [payer, None],
        // What was held beyond the completion is the payer's again.
        Some(Part::Completed(_)) => [payee, payer],
        Some(Part::Opened(_) | Part::Declined(_) | Part::Whole(_)) => [None, None],
        None => [credited_apart(fact), None],
    };
    candidates.map(|one| one.filter(|participant| state.position(*participant).overcap > 0))
}
