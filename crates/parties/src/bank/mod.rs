//! A simulated bank: dials the hub, signs on, answers as the issuer of its cards, and keeps a
//! durable book of its own.
//!
//! How things flow: a request is decided (module `decide`) against the [`Book`], its records are
//! applied and staged, and the answer waits until they are durable. Replayed records go through
//! the same [`Book::apply`]. Faults touch only how answers leave, never what is booked.
//! Not yet: stand-in advices (0120, answered 12).

mod book;
mod config;
mod decide;
mod record;
mod session;

use std::collections::BTreeMap;
use std::fmt;

use journal::{Batch, RecordView, Stage, StageLimits};
use scheme::{MtiClass, MtiFunction, Stan, Timestamp};
use wire::iso8583::Message;

pub use book::{Account, Book, Entry, EntryKind, Found, Hold, Kept, Standing};
pub use config::{BankConfig, BankFaults, BankTimes, Refill, Special, pan};
pub use decide::Oddity;
pub use record::{Decided, Record, RecordError, RequestKey};

use crate::iso::{self, Codec, Unread};
use crate::limits::{ANSWERS_MAX, BATCH_RECORDS_MAX};
use crate::line::{Lines, Redial};
use crate::random::Dice;
use crate::shop::{Manners, Seen, ShopCounts};
use crate::till::Till;
use crate::{Action, Address, ConnId, Event};
use decide::Verdict;
use session::{Due, Session};

/// The version of every record kind so far.
const RECORD_VERSION: u8 = 1;

/// What a bank has counted since it started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BankCounts {
    /// Requests and reversals answered or meant to be.
    pub decided: u64,
    /// Of these, not answered by configuration.
    pub dropped: u64,
    /// Messages refused unread because too much waited.
    pub overload: u64,
    /// Connections closed because of bytes that are no message.
    pub malformed: u64,
    /// Messages without a MAC that holds.
    pub bad_macs: u64,
    /// Answers that came, other than 0810: nothing was asked.
    pub unasked: u64,
    /// Oddities, by kind.
    pub oddities: BTreeMap<Oddity, u64>,
}

/// An answer on its way out.
#[derive(Clone)]
struct Answer {
    conn: ConnId,
    due: Timestamp,
    bytes: Vec<u8>,
}

impl fmt::Debug for Answer {
    /// Bytes are counted, not shown: there is a card in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.len();
        write!(f, "{bytes} bytes to {} at {}", self.conn.0, self.due)
    }
}

/// One simulated bank.
#[derive(Debug)]
pub struct BankHost {
    config: BankConfig,
    codec: Codec,
    book: Book,
    stage: Stage<Answer>,
    lines: Lines,
    sessions: BTreeMap<ConnId, Session>,
    /// Durable answers that wait for their delay, in order.
    delayed: BTreeMap<(Timestamp, u64), Answer>,
    waiting: usize,
    answers: u64,
    freed: u64,
    network_requests: u64,
    dice: Dice,
    /// Its own terminals, whose acquirer it is.
    till: Option<Till>,
    turn: u64,
    now: Timestamp,
    halted: bool,
    counts: BankCounts,
}

impl BankHost {
    /// A bank whose journal is empty or is about to be replayed.
    pub fn new(config: BankConfig) -> Self {
        let redial =
            Redial { min_ms: config.times.redial_min_ms, max_ms: config.times.redial_max_ms };
        Self {
            codec: Codec::new(config.mac.clone()),
            book: Book::new(&config),
            stage: Stage::new(1, StageLimits::default()),
            lines: Lines::new(Address::Hub, config.connections, redial),
            sessions: BTreeMap::new(),
            delayed: BTreeMap::new(),
            waiting: 0,
            answers: 0,
            freed: 0,
            network_requests: 0,
            dice: Dice::new(config.seed),
            till: config.counter.as_deref().cloned().map(Till::new),
            turn: 0,
            now: Timestamp::default(),
            halted: false,
            counts: BankCounts::default(),
            config,
        }
    }

    /// Takes a record of the bank's journal in, before the first event.
    pub fn replay(&mut self, record: &RecordView<'_>) -> Result<(), RecordError> {
        if record.version != RECORD_VERSION {
            return Err(RecordError::Kind(record.kind));
        }
        self.book.apply(&Record::decode(record.kind, record.payload)?);
        self.stage = Stage::new(record.number + 1, StageLimits::default());
        // After a restart other choices are made, and the same ones in every run.
        self.dice = Dice::new(self.config.seed ^ record.number.rotate_left(32));
        Ok(())
    }

    /// Takes an event at `now` and appends what is to be done.
    pub fn handle(&mut self, now: Timestamp, event: Event<'_>, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        if self.halted {
            return;
        }
        let signed_on = self.signed_on() > 0;
        if let Some(till) = &mut self.till {
            till.at(self.now, signed_on);
        }
        match event {
            Event::Connected { conn } => self.connected(conn, out),
            Event::Received { conn, bytes } => self.received(conn, bytes, out),
            Event::Closed { conn } => {
                self.sessions.remove(&conn);
                self.lines.closed(self.now, conn);
            }
            Event::Committed => {
                if self.stage.in_flight() {
                    self.stage.committed(Batch::new(0));
                }
            }
            Event::DiskFailed => self.halt(out),
            Event::Timeout => {}
        }
        if self.halted {
            return;
        }
        self.acquire(out);
        self.end_holds(out);
        self.keep_signed(out);
        self.sessions_due(out);
        self.lines.tick(self.now, out);
        self.release(out);
    }

    /// When `Timeout` is due; at once before the first event.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        if self.halted {
            return None;
        }
        let away = self.config.faults.signed_off;
        if self.sessions.values().any(|session| session.differs(away)) {
            return Some(self.now);
        }
        let answers = self.delayed.keys().next().map(|(due, _)| *due);
        let sessions = self.sessions.values().map(|s| s.next_timeout(&self.config.times));
        let hold = self.book.oldest_hold();
        let hold = hold.map(|(since, _)| since.plus_ms(self.config.times.hold_ms));
        let till = self.till.as_ref().and_then(|till| till.next_timeout(self.signed_on() > 0));
        sessions.chain(answers).chain(hold).chain(till).chain(self.lines.next_timeout()).min()
    }

    /// The book as decided; up to one batch of it may not be durable yet.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Whether everything decided is durable.
    pub fn is_durable(&self) -> bool {
        !self.stage.in_flight() && self.stage.forming() == 0
    }

    /// Whether the disk failed; only a new bank over the same journal goes on.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Connections that are signed on.
    pub fn signed_on(&self) -> usize {
        self.sessions.values().filter(|s| s.is_signed_on()).count()
    }

    /// What has been counted.
    pub fn counts(&self) -> &BankCounts {
        &self.counts
    }

    /// The configuration.
    pub fn config(&self) -> &BankConfig {
        &self.config
    }

    /// Changes what goes wrong from here on.
    pub fn set_faults(&mut self, faults: BankFaults) {
        self.config.faults = faults;
    }

    /// Takes the finished requests of its own terminals, in the order of their end.
    pub fn drain_seen(&mut self) -> Vec<Seen> {
        self.till.iter_mut().flat_map(Till::drain_seen).collect()
    }

    /// Requests of its own terminals whose reversal, or completion, is not acknowledged yet.
    pub fn owed(&self) -> impl Iterator<Item = Seen> + '_ {
        self.till.iter().flat_map(Till::owed)
    }

    /// Requests of its own terminals without an end: what is forgotten when the bank stops now.
    pub fn unfinished(&self) -> impl Iterator<Item = Seen> + '_ {
        self.till.iter().flat_map(Till::unfinished)
    }

    /// Requests of its own terminals that wait for their first answer.
    pub fn unanswered(&self) -> usize {
        self.till.as_ref().map_or(0, Till::unanswered)
    }

    /// Whether nothing of its own terminals is under way or owed.
    pub fn is_idle(&self) -> bool {
        self.till.as_ref().is_none_or(Till::is_idle)
    }

    /// Its own terminals begin no new requests from here on.
    pub fn stop(&mut self) {
        self.till.iter_mut().for_each(Till::stop);
    }

    /// Changes what the staff at its own terminals do from here on.
    pub fn set_manners(&mut self, manners: Manners) {
        self.till.iter_mut().for_each(|till| till.set_manners(manners));
    }

    /// What its own terminals have counted.
    pub fn acquired(&self) -> ShopCounts {
        self.till.as_ref().map(Till::counts).unwrap_or_default()
    }

    /// Lets its own terminals work, over signed-on connections in turn.
    fn acquire(&mut self, out: &mut Vec<Action>) {
        let lines: Vec<ConnId> =
            self.sessions.iter().filter(|(_, s)| s.is_signed_on()).map(|(conn, _)| *conn).collect();
        let Some(till) = &mut self.till else { return };
        till.work(!lines.is_empty());
        for message in till.take_out() {
            self.turn = self.turn.wrapping_add(1);
            let place = self.turn.checked_rem(lines.len() as u64).unwrap_or(0);
            let conn = usize::try_from(place).ok().and_then(|at| lines.get(at));
            if let (Some(conn), Some(bytes)) = (conn, self.codec.write(&message)) {
                out.push(Action::Send { conn: *conn, bytes });
            }
        }
    }

    fn halt(&mut self, out: &mut Vec<Action>) {
        self.halted = true;
        self.sessions.clear();
        out.extend(self.lines.open().map(|conn| Action::Close { conn }));
    }

    fn connected(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        if self.lines.connected(conn, out) {
            let session = if self.config.faults.signed_off {
                Session::away(self.now)
            } else {
                let stan = self.ask_hub(conn, session::SIGN_ON, out);
                Session::new(self.now, stan, &self.config.times)
            };
            self.sessions.insert(conn, session);
        }
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8], out: &mut Vec<Action>) {
        let Ok(frames) = self.lines.frames(conn, bytes) else {
            return self.malformed(conn, out);
        };
        for frame in frames {
            if self.halted || !self.lines.is_open(conn) {
                return;
            }
            match self.codec.read(&frame) {
                Ok(message) => self.message(conn, &message, out),
                Err(Unread::Malformed(partial)) => self.unreadable(conn, partial.as_deref(), out),
                // It says nothing: not booked, not answered, and no answer to us.
                Err(Unread::Mac) => self.counts.bad_macs += 1,
            }
        }
    }

    /// 30 where a request's type and trace number could be read, else the end of the connection.
    fn unreadable(&mut self, conn: ConnId, partial: Option<&Message>, out: &mut Vec<Action>) {
        let request = partial.filter(|m| m.mti().is_request() && iso::stan(m).is_some());
        match request.and_then(|r| self.answer(r, &decide::malformed())) {
            Some(bytes) => out.push(Action::Send { conn, bytes }),
            None => self.malformed(conn, out),
        }
    }

    fn malformed(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        self.counts.malformed += 1;
        self.close(conn, out);
    }

    fn message(&mut self, conn: ConnId, message: &Message, out: &mut Vec<Action>) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.heard(self.now);
        }
        let mti = message.mti();
        let asks = mti.is_request();
        match (mti.class(), mti.function()) {
            (MtiClass::Network, MtiFunction::RequestResponse) => {
                self.network_answer(conn, message, out);
            }
            (MtiClass::Network, _) if asks => self.network_request(conn, message, out),
            (MtiClass::Authorisation | MtiClass::Financial, MtiFunction::Request) => {
                let unlucky = self.dice.per_mille(self.config.faults.decline_per_mille);
                let (book, config) = (&self.book, &self.config);
                let verdict = decide::request(book, config, unlucky, self.now, message);
                self.carry_out(conn, message, &verdict, out);
            }
            (MtiClass::Financial, MtiFunction::Advice) => {
                let verdict = decide::completion(&self.book, self.now, message);
                self.carry_out(conn, message, &verdict, out);
            }
            (MtiClass::Reversal, _) if asks => {
                let verdict = decide::reversal(&self.book, self.now, message);
                self.carry_out(conn, message, &verdict, out);
            }
            (
                MtiClass::Authorisation
                | MtiClass::Financial
                | MtiClass::Reconciliation
                | MtiClass::Other,
                _,
            ) if asks => self.carry_out(conn, message, &decide::unsupported(), out),
            // Answers are never answered. Its own terminals may have asked.
            (
                MtiClass::Authorisation
                | MtiClass::Financial
                | MtiClass::Reversal
                | MtiClass::Reconciliation
                | MtiClass::Network
                | MtiClass::Other,
                _,
            ) => match &mut self.till {
                Some(till) if !matches!(mti.class(), MtiClass::Network) => till.answer(message),
                Some(_) | None => self.counts.unasked += 1,
            },
        }
    }

    /// Applies and stages the records of a verdict, and holds its answer until they are durable.
    fn carry_out(
        &mut self,
        conn: ConnId,
        request: &Message,
        verdict: &Verdict,
        out: &mut Vec<Action>,
    ) {
        let records = self.stage.forming() as usize + verdict.records.len();
        let full = self.stage.full() || records > BATCH_RECORDS_MAX;
        if full || self.waiting >= ANSWERS_MAX {
            self.counts.overload += 1;
            return;
        }
        for record in &verdict.records {
            if !self.keep(record) {
                return self.halt(out);
            }
        }
        self.counts.decided += 1;
        if let Some(oddity) = verdict.oddity {
            *self.counts.oddities.entry(oddity).or_default() += 1;
        }
        if let Some(bytes) = self.answer(request, verdict) {
            self.hold(conn, bytes);
        }
    }

    /// Applies and stages a record; `false` only with a disk that has answered nothing for over an
    /// hour.
    fn keep(&mut self, record: &Record) -> bool {
        let mut payload = Vec::with_capacity(64);
        record.encode(&mut payload);
        let staged = self.stage.record(record.kind(), RECORD_VERSION, self.now.0, &payload);
        self.book.apply(record);
        staged.is_ok()
    }

    /// Ends holds that are too old, as many as a batch has room for.
    fn end_holds(&mut self, out: &mut Vec<Action>) {
        while !self.stage.full() && (self.stage.forming() as usize) < BATCH_RECORDS_MAX {
            let hold_ms = self.config.times.hold_ms;
            let Some(record) = decide::overdue(&self.book, hold_ms, self.now) else { return };
            if !self.keep(&record) {
                return self.halt(out);
            }
        }
    }

    fn answer(&self, request: &Message, verdict: &Verdict) -> Option<Vec<u8>> {
        let mut answer = iso::message(request.mti().answer()?);
        let echoed = [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
        iso::echo(request, &mut answer, &echoed);
        if let Some(number) = verdict.approval {
            iso::put(&mut answer, 38, &format!("{number:06}"));
        }
        iso::put(&mut answer, 39, verdict.code.as_str());
        if let Some(balance) = verdict.balance {
            iso::put(&mut answer, 54, &self.additional_amount(request, balance));
        }
        self.codec.write(&answer)
    }

    /// DE54: account 2, type 2 (02 = available), currency 3, C or D, amount 12.
    fn additional_amount(&self, request: &Message, balance: i64) -> String {
        let account = request.text(3).and_then(|code| code.get(2..4));
        format!(
            "{}02{:03}{}{:012}",
            account.unwrap_or("00"),
            self.config.currency.numeric(),
            if balance < 0 { 'D' } else { 'C' },
            balance.unsigned_abs()
        )
    }

    /// Lets an answer leave by the faults' rules, once what it says is durable.
    fn hold(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.answers += 1;
        let faults = self.config.faults;
        let nth = |every: u32| every > 0 && self.answers.is_multiple_of(u64::from(every));
        if faults.silent || nth(faults.drop_every) {
            self.counts.dropped += 1;
            return;
        }
        let late_ms = if nth(faults.late_every) { faults.late_ms } else { 0 };
        let twice = nth(faults.twice_every);
        let delay_ms = self.dice.between(faults.delay_min_ms, faults.delay_max_ms);
        let answer =
            Answer { conn, due: self.now.plus_ms(delay_ms.saturating_add(late_ms)), bytes };
        if twice {
            self.waiting += 1;
            self.stage.effect(answer.clone());
        }
        self.waiting += 1;
        self.stage.effect(answer);
    }

    /// Cuts a batch, and lets go what is durable and due.
    fn release(&mut self, out: &mut Vec<Action>) {
        if let Some(batch) = self.stage.cut() {
            out.push(Action::Commit(batch));
        }
        let free: Vec<Answer> = self.stage.drain_free().collect();
        for answer in free {
            self.freed += 1;
            self.delayed.insert((answer.due, self.freed), answer);
        }
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > self.now {
                return;
            }
            let answer = first.remove();
            self.waiting = self.waiting.saturating_sub(1);
            if let Some(conn) = self.way_out(answer.conn) {
                let bytes = answer.bytes;
                out.push(Action::Send { conn, bytes });
            }
        }
    }

    /// R-LINK: an answer may take any signed-on connection; without one it is lost.
    fn way_out(&self, conn: ConnId) -> Option<ConnId> {
        if self.lines.is_open(conn) {
            return Some(conn);
        }
        let mut others = self.sessions.iter();
        others.find(|(_, s)| s.is_signed_on()).map(|(c, _)| *c)
    }

    /// Signs off or on again where that was asked for.
    fn keep_signed(&mut self, out: &mut Vec<Action>) {
        let away = self.config.faults.signed_off;
        let differ = self.sessions.iter().filter(|(_, session)| session.differs(away));
        for conn in differ.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            let information = if away { session::SIGN_OFF } else { session::SIGN_ON };
            let stan = self.ask_hub(conn, information, out);
            let (now, times) = (self.now, self.config.times);
            match self.sessions.get_mut(&conn) {
                Some(session) if away => session.signed_off(),
                Some(session) => session.signing_on(now, stan, &times),
                None => {}
            }
        }
    }

    fn sessions_due(&mut self, out: &mut Vec<Action>) {
        let times = self.config.times;
        let now = self.now;
        let due: Vec<(ConnId, Due)> = self
            .sessions
            .iter_mut()
            .filter_map(|(conn, session)| session.due(now, &times).map(|due| (*conn, due)))
            .collect();
        for (conn, due) in due {
            match due {
                Due::Echo => {
                    let stan = self.ask_hub(conn, session::ECHO, out);
                    if let Some(session) = self.sessions.get_mut(&conn) {
                        session.echoed(now, stan, &times);
                    }
                }
                Due::Close => self.close(conn, out),
            }
        }
    }

    fn close(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        self.sessions.remove(&conn);
        self.lines.close(self.now, conn, out);
    }

    /// Sends a 0800 of our own and returns its DE11.
    fn ask_hub(&mut self, conn: ConnId, information: u16, out: &mut Vec<Action>) -> Stan {
        let stan = Stan::from_counter(self.network_requests);
        self.network_requests += 1;
        let request = iso::network(self.now, stan, self.config.id, information);
        if let Some(bytes) = self.codec.write(&request) {
            out.push(Action::Send { conn, bytes });
        }
        stan
    }

    fn network_answer(&mut self, conn: ConnId, message: &Message, out: &mut Vec<Action>) {
        let approved = message.get(39) == Some(b"00");
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        if !session.answered(iso::stan(message), approved) {
            self.close(conn, out);
        } else if approved {
            self.lines.healthy();
        }
    }

    fn network_request(&mut self, conn: ConnId, request: &Message, out: &mut Vec<Action>) {
        let information = iso::number(request, 70).and_then(|n| u16::try_from(n).ok());
        let code = match information {
            Some(session::SIGN_ON | session::SIGN_OFF | session::CUTOVER | session::ECHO) => "00",
            Some(_) => "12",
            None => "30",
        };
        let Some(mti) = request.mti().answer() else {
            return;
        };
        let mut answer = iso::message(mti);
        iso::echo(request, &mut answer, &[7, 11, 70]);
        iso::put(&mut answer, 39, code);
        if let Some(bytes) = self.codec.write(&answer) {
            out.push(Action::Send { conn, bytes });
        }
    }
}
