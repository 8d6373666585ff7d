//! A simulated shop: terminals of one retailer that pay at a steady rate over a station's port,
//! and staff who repeat, reverse or walk away when no answer comes.
//!
//! How things flow: a schedule starts payments; each waits for its 0210, and a reversal is sent
//! until its 0430 comes. What has an outcome becomes a [`Seen`], which [`Shop::drain_seen`] hands
//! out. Owed reversals live in memory alone, as in a terminal without a battery ([`Shop::owed`]).

mod config;
mod payment;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use scheme::{Amount, ApprovalCode, MtiClass, ResponseCode, Rrn, Stan, TerminalId, Timestamp};
use wire::iso8583::Message;

pub use config::{Manners, ShopConfig, ShopTimes};
pub use payment::{Outcome, Seen};

use crate::bank::pan;
use crate::iso::{self, Codec};
use crate::limits::{CATCH_UP_MS, SEEN_MAX, UNFINISHED_MAX, UNSENT_WAIT_MS};
use crate::line::{Lines, Redial};
use crate::random::Dice;
use crate::{Action, Address, ConnId, Event};
use payment::{Payment, Phase};

/// DE39 of a reversal: the customer's wish.
const CUSTOMER: &str = "17";
/// DE39 of a reversal: no or late answer.
const NO_ANSWER: &str = "68";

/// What a shop has counted since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShopCounts {
    /// Payments begun.
    pub started: u64,
    /// Payments that the schedule wanted, but nothing was connected or too many waited.
    pub skipped: u64,
    /// Approvals.
    pub approved: u64,
    /// Refusals.
    pub declined: u64,
    /// Walked away from.
    pub unknown: u64,
    /// Reversals acknowledged.
    pub reversed: u64,
    /// 0201 sent.
    pub repeats: u64,
    /// 0420 and 0421 sent.
    pub reversals: u64,
    /// Answers that fit no waiting payment.
    pub unmatched: u64,
    /// Connections closed because of bytes that are no message.
    pub malformed: u64,
    /// Finished payments dropped because nobody drained them.
    pub seen_dropped: u64,
}

/// One simulated shop.
#[derive(Debug)]
pub struct Shop {
    config: ShopConfig,
    codec: Codec,
    lines: Lines,
    dice: Dice,
    /// By order of their start.
    payments: BTreeMap<u64, Payment>,
    /// What finds a payment for an answer: DE41 and DE11 of what was sent last.
    by_trace: BTreeMap<(TerminalId, Stan), u64>,
    due: BTreeSet<(Timestamp, u64)>,
    /// Payments that wait for their 0210.
    unanswered: usize,
    started: u64,
    /// The next DE11.
    next_trace: u64,
    next_start: Option<Timestamp>,
    turn: u64,
    seen: VecDeque<Seen>,
    now: Timestamp,
    begun: bool,
    stopped: bool,
    counts: ShopCounts,
}

impl Shop {
    /// A shop that has sent nothing yet.
    pub fn new(config: ShopConfig) -> Self {
        let redial =
            Redial { min_ms: config.times.redial_min_ms, max_ms: config.times.redial_max_ms };
        Self {
            codec: Codec::new(None),
            lines: Lines::new(Address::Station(config.station), config.connections, redial),
            dice: Dice::new(config.seed),
            payments: BTreeMap::new(),
            by_trace: BTreeMap::new(),
            due: BTreeSet::new(),
            unanswered: 0,
            started: 0,
            next_trace: 0,
            begun: false,
            next_start: None,
            turn: 0,
            seen: VecDeque::new(),
            now: Timestamp::default(),
            stopped: false,
            counts: ShopCounts::default(),
            config,
        }
    }

    /// Takes an event at `now` and appends what is to be done.
    pub fn handle(&mut self, now: Timestamp, event: Event<'_>, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.begin();
        match event {
            Event::Connected { conn } => {
                self.lines.connected(conn, out);
            }
            Event::Received { conn, bytes } => self.received(conn, bytes, out),
            Event::Closed { conn } => self.lines.closed(self.now, conn),
            // A shop keeps nothing on disk.
            Event::Committed | Event::DiskFailed | Event::Timeout => {}
        }
        self.lines.tick(self.now, out);
        self.overdue(out);
        self.start_due(out);
    }

    /// When `Timeout` is due; at once before the first event.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let waiting = self.due.first().map(|(due, _)| *due);
        let start = self.next_start.filter(|_| self.is_open());
        let times = [waiting, start, self.lines.next_timeout()];
        times.into_iter().flatten().min()
    }

    /// Takes the finished payments, in the order of their end.
    pub fn drain_seen(&mut self) -> impl Iterator<Item = Seen> + '_ {
        self.seen.drain(..)
    }

    /// Payments whose reversal is sent again and again until it is acknowledged.
    pub fn owed(&self) -> impl Iterator<Item = Seen> + '_ {
        let reversing = |p: &&Payment| matches!(p.phase, Phase::Acknowledgement { .. });
        self.payments.values().filter(reversing).map(|p| p.seen)
    }

    /// Payments that wait for their first answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Whether nothing is under way or owed.
    pub fn is_idle(&self) -> bool {
        self.payments.is_empty()
    }

    /// No new payments from here on; what is under way goes on.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.next_start = None;
    }

    /// Changes the rate, payments per 1000 s.
    pub fn set_rate(&mut self, rate_per_1000_s: u64) {
        self.config.rate_per_1000_s = rate_per_1000_s;
        self.next_start = None;
    }

    /// Changes what staff do from here on.
    pub fn set_manners(&mut self, manners: Manners) {
        self.config.manners = manners;
    }

    /// What has been counted.
    pub fn counts(&self) -> ShopCounts {
        self.counts
    }

    /// The configuration.
    pub fn config(&self) -> &ShopConfig {
        &self.config
    }

    /// Trace numbers and choices begin where the clock says, so that a shop that starts again does
    /// not repeat itself: at 50 payments a second it stays ahead of its earlier runs for hours, and
    /// above that card and amount would have to agree as well.
    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.next_trace = self.now.seconds().wrapping_mul(50);
            self.dice = Dice::new(self.config.seed ^ self.now.0);
        }
    }

    fn is_open(&self) -> bool {
        self.lines.open().next().is_some()
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8], out: &mut Vec<Action>) {
        let frames = match self.lines.frames(conn, bytes) {
            Ok(frames) => frames,
            Err(_) => return self.malformed(conn, out),
        };
        for frame in frames {
            match self.codec.read(&frame) {
                Ok(message) => self.answer(&message, out),
                Err(_) => return self.malformed(conn, out),
            }
        }
    }

    fn malformed(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        self.counts.malformed += 1;
        self.lines.close(self.now, conn, out);
    }

    /// 0210 or 0410/0430: finds its payment by DE41 and DE11; both DE4 must agree.
    fn answer(&mut self, message: &Message, out: &mut Vec<Action>) {
        self.lines.healthy();
        let terminal = message.get(41).and_then(|t| TerminalId::new(t).ok());
        let trace = terminal.zip(iso::stan(message));
        let number = trace.and_then(|trace| self.by_trace.get(&trace)).copied();
        let code = message.get(39).and_then(ResponseCode::new);
        let payment = number.and_then(|number| self.payments.get_mut(&number));
        let (Some(number), Some(code), Some(payment)) = (number, code, payment) else {
            self.counts.unmatched += 1;
            return;
        };
        let amount = iso::amount(message);
        let fits = match (message.mti().number(), payment.phase) {
            (210, Phase::Answer { .. }) => amount == Some(payment.seen.amount),
            // R-REVERSAL: any well-formed acknowledgement ends it.
            (410 | 430, Phase::Acknowledgement { .. }) => true,
            (_, Phase::Answer { .. } | Phase::Acknowledgement { .. }) => false,
        };
        if !fits {
            self.counts.unmatched += 1;
            return;
        }
        if let Some(rrn) = message.get(37).and_then(|r| Rrn::new(r).ok()) {
            payment.seen.rrn = rrn;
        }
        if message.mti().class() == MtiClass::Reversal {
            self.finish(number, Outcome::Reversed(code));
            return;
        }
        if !code.is_approved() {
            self.finish(number, Outcome::Declined(code));
            return;
        }
        payment.seen.approved = true;
        if let Some(approval) = message.get(38).and_then(|a| ApprovalCode::new(a).ok()) {
            payment.seen.approval = approval;
        }
        if self.dice.per_mille(self.config.manners.cancel) {
            self.reverse(number, CUSTOMER, out);
        } else {
            self.finish(number, Outcome::Approved);
        }
    }

    /// Does what is due for payments whose answer did not come.
    fn overdue(&mut self, out: &mut Vec<Action>) {
        while let Some((due, number)) = self.due.first().copied() {
            if due > self.now {
                return;
            }
            self.due.remove(&(due, number));
            let phase = self.payments.get(&number).map(|payment| payment.phase);
            match phase {
                Some(Phase::Answer { repeats }) => self.unheard(number, repeats, out),
                Some(Phase::Acknowledgement { .. }) => self.send_reversal(number, true, out),
                None => {}
            }
        }
    }

    fn unheard(&mut self, number: u64, repeats: u8, out: &mut Vec<Action>) {
        let manners = self.config.manners;
        if repeats == 0 && self.dice.per_mille(manners.walk_away) {
            self.finish(number, Outcome::Unknown);
            return;
        }
        let repeat = repeats > 0 || self.dice.per_mille(manners.repeat);
        if !repeat || repeats >= manners.repeats_max {
            self.reverse(number, NO_ANSWER, out);
            return;
        }
        let new_time = self.dice.per_mille(manners.new_time_in_repeat);
        let new_local = self.dice.per_mille(manners.new_local_in_repeat);
        let now_local = self.config.zone.local(self.now).month_time();
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        payment.phase = Phase::Answer { repeats: repeats + 1 };
        let now_at = self.now.month_time().number();
        let sent_at = if new_time { now_at } else { payment.sent_at };
        let local = if new_local { now_local } else { payment.seen.local };
        let message = payment.request(&self.config, true, sent_at, local);
        self.counts.repeats += 1;
        self.send(number, &message, self.config.times.answer_wait_ms, out);
    }

    /// Turns a payment into one whose reversal is owed, and sends it.
    fn reverse(&mut self, number: u64, why: &'static str, out: &mut Vec<Action>) {
        let own_trace = self.dice.per_mille(self.config.manners.new_stan_in_reversal);
        let Some(seen) = self.payments.get(&number).map(|payment| payment.seen) else {
            return;
        };
        let terminal = seen.terminal;
        let (stan, local) = if own_trace {
            let local = self.config.zone.local(self.now).month_time();
            (self.next_stan(terminal), local)
        } else {
            (seen.stan, seen.local)
        };
        let sent_at = self.now.month_time().number();
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        payment.seen.outcome = Outcome::ReversalOwed;
        payment.seen.at = self.now;
        payment.phase = Phase::Acknowledgement { stan, local, sent_at, why };
        self.due.remove(&(payment.due, number));
        self.by_trace.remove(&(terminal, payment.seen.stan));
        self.by_trace.insert((terminal, stan), number);
        self.unanswered -= 1;
        self.send_reversal(number, false, out);
    }

    fn send_reversal(&mut self, number: u64, repeat: bool, out: &mut Vec<Action>) {
        let payment = self.payments.get(&number);
        if let Some(message) = payment.and_then(|p| p.reversal(&self.config, repeat)) {
            self.counts.reversals += 1;
            self.send(number, &message, self.config.times.reversal_wait_ms, out);
        }
    }

    /// Sends on the connections in turn, and begins to wait.
    fn send(&mut self, number: u64, message: &Message, wait_ms: u64, out: &mut Vec<Action>) {
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        let open: Vec<ConnId> = self.lines.open().collect();
        // What could not be sent at all is tried again soon.
        let wait_ms = if open.is_empty() { wait_ms.min(UNSENT_WAIT_MS) } else { wait_ms };
        payment.due = self.now.plus_ms(wait_ms);
        self.due.insert((payment.due, number));
        self.turn = self.turn.wrapping_add(1);
        let place = self.turn.checked_rem(open.len() as u64).unwrap_or(0);
        let conn = usize::try_from(place).ok().and_then(|at| open.get(at));
        if let (Some(conn), Some(bytes)) = (conn, self.codec.write(message)) {
            out.push(Action::Send { conn: *conn, bytes });
        }
    }

    fn finish(&mut self, number: u64, outcome: Outcome) {
        let Some(payment) = self.payments.remove(&number) else {
            return;
        };
        let terminal = payment.seen.terminal;
        let stan = match payment.phase {
            Phase::Answer { .. } => {
                self.unanswered -= 1;
                payment.seen.stan
            }
            Phase::Acknowledgement { stan, .. } => stan,
        };
        self.by_trace.remove(&(terminal, stan));
        self.due.remove(&(payment.due, number));
        let counts = &mut self.counts;
        match outcome {
            Outcome::Approved => counts.approved += 1,
            Outcome::Declined(_) => counts.declined += 1,
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Reversed(_) => counts.reversed += 1,
            Outcome::ReversalOwed => {}
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.pop_front();
            counts.seen_dropped += 1;
        }
        self.seen.push_back(Seen { at: self.now, outcome, ..payment.seen });
    }

    /// Starts what the schedule wants. What can't start is skipped, never made up in a burst.
    fn start_due(&mut self, out: &mut Vec<Action>) {
        let rate = self.config.rate_per_1000_s;
        if rate == 0 || self.stopped {
            return;
        }
        let interval_ns = (1_000_000_000_000 / rate).max(1);
        if !self.is_open() {
            self.next_start = None;
            return;
        }
        let now = self.now.0;
        let mut next = self.next_start.map_or(now, |at| at.0);
        // Held up for longer than this, a shop has lost the customers of that time.
        let earliest = now.saturating_sub(CATCH_UP_MS * 1_000_000);
        if next < earliest {
            let lost = (earliest - next).div_ceil(interval_ns);
            self.counts.skipped += lost;
            next = next.saturating_add(lost.saturating_mul(interval_ns));
        }
        while next <= now {
            let waiting = self.unanswered >= self.config.in_flight_max;
            if waiting || self.payments.len() >= UNFINISHED_MAX {
                self.counts.skipped += 1;
            } else {
                self.start(out);
            }
            next = next.saturating_add(interval_ns);
        }
        self.next_start = Some(Timestamp(next));
    }

    fn start(&mut self, out: &mut Vec<Action>) {
        let config = &self.config;
        let (first, last) = (config.account_first, config.account_last);
        let account = self.dice.between(u64::from(first), u64::from(last));
        let account = u32::try_from(account).unwrap_or(first);
        let minor = self.dice.between(config.amount_min_minor, config.amount_max_minor);
        let issuer = self.dice.one_of(&config.issuers).copied();
        let terminal = self.dice.one_of(&config.terminals).copied();
        let card = issuer.and_then(|issuer| pan(issuer, account));
        let (Some(issuer), Some(terminal), Some(pan)) = (issuer, terminal, card) else {
            self.counts.skipped += 1;
            return;
        };
        let stan = self.next_stan(terminal);
        let sent_at = self.now.month_time().number();
        let seen = Seen {
            stan,
            local: self.config.zone.local(self.now).month_time(),
            terminal,
            rrn: Rrn::BLANK,
            approval: ApprovalCode::BLANK,
            amount: Amount::new(minor).unwrap_or_default(),
            issuer,
            account,
            sent: self.now,
            at: self.now,
            approved: false,
            outcome: Outcome::Unknown,
        };
        let payment =
            Payment { seen, pan, sent_at, phase: Phase::Answer { repeats: 0 }, due: self.now };
        let number = self.started;
        self.started += 1;
        self.counts.started += 1;
        self.unanswered += 1;
        self.by_trace.insert((terminal, stan), number);
        let message = payment.request(&self.config, false, sent_at, seen.local);
        self.payments.insert(number, payment);
        self.send(number, &message, self.config.times.answer_wait_ms, out);
    }

    /// DE11s count through all terminals of the shop; one whose answer is awaited is passed over.
    fn next_stan(&mut self, terminal: TerminalId) -> Stan {
        loop {
            let stan = Stan::from_counter(self.next_trace);
            self.next_trace = self.next_trace.wrapping_add(1);
            // Ends: fewer payments wait than there are numbers.
            if !self.by_trace.contains_key(&(terminal, stan)) {
                return stan;
            }
        }
    }
}
