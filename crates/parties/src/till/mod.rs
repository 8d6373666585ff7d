//! Tills: what asks for payments. A shop's terminals, and those that a bank's own host speaks for.
//!
//! How things flow: a schedule starts payments of all kinds; each waits for its answer, a reversal
//! is sent until its 0430 comes, a completion until its 0230. What is to be sent collects in `out`
//! and leaves over whatever lines the owner has. What has an outcome becomes a [`Seen`].
//! Owed reversals and completions live in memory alone, as in a terminal without a battery.

mod follow;
mod payment;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use scheme::{
    Amount, ApprovalCode, Iin, LocalTime, MtiClass, Pan, ResponseCode, Rrn, Stan, TerminalId,
    Timestamp,
};
use wire::iso8583::Message;

pub use payment::{Kind, Outcome, Seen};

use crate::bank::pan;
use crate::iso;
use crate::limits::{CATCH_UP_MS, SEEN_MAX, UNFINISHED_MAX, UNSENT_WAIT_MS};
use crate::random::Dice;
use crate::shop::{Manners, ShopConfig, ShopCounts};
use follow::{Hold, Receipt};
use payment::{IN_PART, Named, Payment, Phase};

/// DE39 of a reversal: the customer's wish.
const CUSTOMER: &str = "17";
/// DE39 of a reversal: no or late answer.
const NO_ANSWER: &str = "68";

/// Tills with one schedule.
#[derive(Debug)]
pub(crate) struct Till {
    pub(crate) config: ShopConfig,
    dice: Dice,
    /// By order of their start.
    payments: BTreeMap<u64, Payment>,
    /// What finds a payment for an answer: DE41 and DE11 of what was sent last.
    by_trace: BTreeMap<(TerminalId, Stan), u64>,
    due: BTreeSet<(Timestamp, u64)>,
    /// Approved purchases, the newest last.
    receipts: VecDeque<Receipt>,
    /// Approved pre-authorisations, by the time and order of their completion.
    holds: BTreeMap<(Timestamp, u64), Hold>,
    /// Payments that wait for their 0210 or 0110.
    unanswered: usize,
    started: u64,
    /// The next DE11.
    next_trace: u64,
    next_start: Option<Timestamp>,
    seen: VecDeque<Seen>,
    now: Timestamp,
    begun: bool,
    stopped: bool,
    /// Whether there is a line to send on.
    open: bool,
    out: Vec<Message>,
    counts: ShopCounts,
}

/// What a payment is of, before it has a trace number.
struct Wish {
    kind: Kind,
    terminal: TerminalId,
    issuer: Iin,
    account: u32,
    pan: Pan,
    amount: Amount,
    original: Option<(TerminalId, Stan)>,
    named: Option<Named>,
}

impl Till {
    pub(crate) fn new(config: ShopConfig) -> Self {
        Self {
            dice: Dice::new(config.seed),
            payments: BTreeMap::new(),
            by_trace: BTreeMap::new(),
            due: BTreeSet::new(),
            receipts: VecDeque::new(),
            holds: BTreeMap::new(),
            unanswered: 0,
            started: 0,
            next_trace: 0,
            next_start: None,
            seen: VecDeque::new(),
            now: Timestamp::default(),
            begun: false,
            stopped: false,
            open: false,
            out: Vec::new(),
            counts: ShopCounts::default(),
            config,
        }
    }

    /// Time, and whether there is a line, before anything else of a turn.
    pub(crate) fn at(&mut self, now: Timestamp, open: bool) {
        self.now = self.now.max(now);
        self.open = open;
        self.begin();
    }

    /// Does all that is due, and starts what the schedule wants.
    pub(crate) fn work(&mut self, open: bool) {
        self.open = open;
        self.overdue();
        self.complete_due();
        self.start_due();
    }

    /// What is to be sent now, in order.
    pub(crate) fn take_out(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn next_timeout(&self, open: bool) -> Option<Timestamp> {
        let waiting = self.due.first().map(|(due, _)| *due);
        let hold = self.holds.keys().next().map(|(due, _)| *due).filter(|_| self.has_room());
        let start = self.next_start.filter(|_| open);
        [waiting, hold, start].into_iter().flatten().min()
    }

    pub(crate) fn drain_seen(&mut self) -> impl Iterator<Item = Seen> + '_ {
        self.seen.drain(..)
    }

    pub(crate) fn owed(&self) -> impl Iterator<Item = Seen> + '_ {
        let owed = |p: &&Payment| !matches!(p.phase, Phase::Answer { .. });
        self.payments.values().filter(owed).map(|p| p.seen)
    }

    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Seen> + '_ {
        self.payments.values().map(|p| p.seen)
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.payments.is_empty() && self.holds.is_empty()
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.next_start = None;
    }

    pub(crate) fn set_rate(&mut self, rate_per_1000_s: u64) {
        self.config.rate_per_1000_s = rate_per_1000_s;
        self.next_start = None;
    }

    pub(crate) fn set_manners(&mut self, manners: Manners) {
        self.config.manners = manners;
    }

    pub(crate) fn counts(&self) -> ShopCounts {
        self.counts
    }

    pub(crate) fn malformed(&mut self) {
        self.counts.malformed += 1;
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

    /// An answer: finds its payment by DE41 and DE11; both DE4 must agree.
    pub(crate) fn answer(&mut self, message: &Message) {
        let terminal = message.get(41).and_then(|t| TerminalId::new(t).ok());
        let trace = terminal.zip(iso::stan(message));
        let number = trace.and_then(|trace| self.by_trace.get(&trace)).copied();
        let code = message.get(39).and_then(ResponseCode::new);
        let payment = number.and_then(|number| self.payments.get_mut(&number));
        let (Some(number), Some(code), Some(payment)) = (number, code, payment) else {
            self.counts.unmatched += 1;
            return;
        };
        let (mti, kind) = (message.mti().number(), payment.seen.kind);
        let same = kind == Kind::Balance || iso::amount(message) == Some(payment.seen.amount);
        let fits = match payment.phase {
            Phase::Answer { .. } => mti == kind.answered_by() && same,
            // R-REVERSAL: any well-formed acknowledgement ends it.
            Phase::Acknowledgement { .. } => matches!(mti, 410 | 430),
            Phase::Advice => mti == kind.answered_by(),
        };
        if !fits {
            self.counts.unmatched += 1;
            return;
        }
        if let Some(rrn) = message.get(37).and_then(|r| Rrn::new(r).ok()) {
            payment.seen.rrn = rrn;
        }
        if message.mti().class() == MtiClass::Reversal {
            self.acknowledged(number, code);
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
        self.approved(number, kind);
    }

    fn approved(&mut self, number: u64, kind: Kind) {
        let manners = self.config.manners;
        let (whole, part) = match kind {
            Kind::Purchase | Kind::Cash => (manners.cancel, manners.cancel_part),
            Kind::Refund | Kind::Preauth => (manners.cancel, 0),
            Kind::Balance | Kind::Completion => (0, 0),
        };
        if self.dice.per_mille(whole) {
            self.reverse(number, CUSTOMER);
        } else if self.dice.per_mille(part) {
            self.reverse(number, IN_PART);
        } else {
            self.finish(number, Outcome::Approved);
        }
    }

    fn acknowledged(&mut self, number: u64, code: ResponseCode) {
        let Some(payment) = self.payments.get(&number) else { return };
        let part = matches!(payment.phase, Phase::Acknowledgement { why: IN_PART, .. });
        if self.dice.per_mille(self.config.manners.reverse_twice) {
            // Whoever gets it has to know it already; its answer finds nobody.
            if let Some(message) = payment.reversal(&self.config, true) {
                self.counts.reversals += 1;
                self.out.push(message);
            }
        }
        let outcome = if part { Outcome::ReversedInPart(code) } else { Outcome::Reversed(code) };
        self.finish(number, outcome);
    }

    /// Does what is due for payments whose answer did not come.
    fn overdue(&mut self) {
        while let Some((due, number)) = self.due.first().copied() {
            if due > self.now {
                return;
            }
            self.due.remove(&(due, number));
            let phase = self.payments.get(&number).map(|payment| payment.phase);
            match phase {
                Some(Phase::Answer { repeats }) => self.unheard(number, repeats),
                Some(Phase::Acknowledgement { .. }) => self.send_reversal(number, true),
                Some(Phase::Advice) => self.send_advice(number, true),
                None => {}
            }
        }
    }

    fn unheard(&mut self, number: u64, repeats: u8) {
        let manners = self.config.manners;
        if repeats == 0 && self.dice.per_mille(manners.walk_away) {
            self.finish(number, Outcome::Unknown);
            return;
        }
        let repeat = repeats > 0 || self.dice.per_mille(manners.repeat);
        if !repeat || repeats >= manners.repeats_max {
            let kind = self.payments.get(&number).map(|payment| payment.seen.kind);
            if kind == Some(Kind::Balance) {
                // There is nothing to undo.
                self.finish(number, Outcome::Unknown);
            } else {
                self.reverse(number, NO_ANSWER);
            }
            return;
        }
        let new_time = self.dice.per_mille(manners.new_time_in_repeat);
        let new_local = self.dice.per_mille(manners.new_local_in_repeat);
        let now_local = self.local();
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        payment.phase = Phase::Answer { repeats: repeats + 1 };
        let now_at = self.now.month_time().number();
        let sent_at = if new_time { now_at } else { payment.sent_at };
        let local = if new_local { now_local } else { payment.seen.local };
        let message = payment.request(&self.config, true, sent_at, local);
        self.counts.repeats += 1;
        self.send(number, message, self.config.times.answer_wait_ms);
    }

    /// Turns a payment into one whose reversal is owed, and sends it.
    fn reverse(&mut self, number: u64, why: &'static str) {
        let own_trace = self.dice.per_mille(self.config.manners.new_stan_in_reversal);
        let Some(seen) = self.payments.get(&number).map(|payment| payment.seen) else {
            return;
        };
        let terminal = seen.terminal;
        let (stan, local) = if own_trace {
            (self.next_stan(terminal), self.local())
        } else {
            (seen.stan, seen.local)
        };
        let sent_at = self.now.month_time().number();
        // Something goes back and something stays.
        let last = seen.amount.minor().saturating_sub(1).max(1);
        let kept = if why == IN_PART { self.dice.between(1, last) } else { 0 };
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        payment.seen.outcome = Outcome::ReversalOwed;
        payment.seen.kept = Amount::new(kept).unwrap_or_default();
        payment.seen.at = self.now;
        payment.phase = Phase::Acknowledgement { stan, local, sent_at, why };
        self.due.remove(&(payment.due, number));
        self.by_trace.remove(&(terminal, payment.seen.stan));
        self.by_trace.insert((terminal, stan), number);
        self.unanswered -= 1;
        self.send_reversal(number, false);
    }

    fn send_reversal(&mut self, number: u64, repeat: bool) {
        let payment = self.payments.get(&number);
        if let Some(message) = payment.and_then(|p| p.reversal(&self.config, repeat)) {
            self.counts.reversals += 1;
            self.send(number, message, self.config.times.reversal_wait_ms);
        }
    }

    fn send_advice(&mut self, number: u64, repeat: bool) {
        let Some(payment) = self.payments.get(&number) else { return };
        let (sent_at, local) = (payment.sent_at, payment.seen.local);
        let message = payment.request(&self.config, repeat, sent_at, local);
        self.counts.repeats += u64::from(repeat);
        self.send(number, message, self.config.times.reversal_wait_ms);
    }

    /// Sends, and begins to wait.
    fn send(&mut self, number: u64, message: Message, wait_ms: u64) {
        let Some(payment) = self.payments.get_mut(&number) else {
            return;
        };
        // What could not be sent at all is tried again soon.
        let wait_ms = if self.open { wait_ms } else { wait_ms.min(UNSENT_WAIT_MS) };
        payment.due = self.now.plus_ms(wait_ms);
        self.due.insert((payment.due, number));
        if self.open {
            self.out.push(message);
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
            Phase::Advice => payment.seen.stan,
            Phase::Acknowledgement { stan, .. } => stan,
        };
        self.by_trace.remove(&(terminal, stan));
        self.due.remove(&(payment.due, number));
        let counts = &mut self.counts;
        match outcome {
            Outcome::Approved => counts.approved += 1,
            Outcome::Declined(_) => counts.declined += 1,
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Reversed(_) | Outcome::ReversedInPart(_) => counts.reversed += 1,
            Outcome::ReversalOwed => {}
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.pop_front();
            counts.seen_dropped += 1;
        }
        self.seen.push_back(Seen { at: self.now, outcome, ..payment.seen });
        if outcome == Outcome::Approved {
            self.follow(&payment);
        }
    }

    /// Starts what the schedule wants. What can't start is skipped, never made up in a burst.
    fn start_due(&mut self) {
        let rate = self.config.rate_per_1000_s;
        if rate == 0 || self.stopped {
            return;
        }
        let interval_ns = (1_000_000_000_000 / rate).max(1);
        if !self.open {
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
            let wish = if waiting || !self.has_room() { None } else { self.wish() };
            match wish {
                Some(wish) => self.start(wish),
                None => self.counts.skipped += 1,
            }
            next = next.saturating_add(interval_ns);
        }
        self.next_start = Some(Timestamp(next));
    }

    fn has_room(&self) -> bool {
        self.payments.len() < UNFINISHED_MAX
    }

    /// Who comes next, and what for.
    fn wish(&mut self) -> Option<Wish> {
        let manners = self.config.manners;
        let kind = if self.dice.per_mille(manners.refund) {
            Kind::Refund
        } else if self.dice.per_mille(manners.cash) {
            Kind::Cash
        } else if self.dice.per_mille(manners.balance) {
            Kind::Balance
        } else if self.dice.per_mille(manners.preauth) {
            Kind::Preauth
        } else {
            Kind::Purchase
        };
        if kind == Kind::Refund
            && let Some(wish) = self.refund()
        {
            return Some(wish);
        }
        // A refund without a purchase to return is a purchase.
        let kind = if kind == Kind::Refund { Kind::Purchase } else { kind };
        self.customer(kind)
    }

    /// Any customer with any card.
    fn customer(&mut self, kind: Kind) -> Option<Wish> {
        let config = &self.config;
        let (first, last) = (config.account_first, config.account_last);
        let account = self.dice.between(u64::from(first), u64::from(last));
        let account = u32::try_from(account).unwrap_or(first);
        let minor = self.dice.between(config.amount_min_minor, config.amount_max_minor);
        let issuer = self.dice.one_of(&config.issuers).copied();
        let terminal = self.dice.one_of(&config.terminals).copied();
        let (issuer, terminal) = issuer.zip(terminal)?;
        let minor = if kind == Kind::Balance { 0 } else { minor };
        Some(Wish {
            kind,
            terminal,
            issuer,
            account,
            pan: pan(issuer, account)?,
            amount: Amount::new(minor).unwrap_or_default(),
            original: None,
            named: None,
        })
    }

    fn start(&mut self, wish: Wish) {
        let Wish { kind, terminal, issuer, account, pan, amount, original, named } = wish;
        let stan = self.next_stan(terminal);
        let sent_at = self.now.month_time().number();
        let advice = kind == Kind::Completion;
        let seen = Seen {
            acquirer: self.config.acquirer,
            kind,
            original,
            stan,
            local: self.local(),
            terminal,
            rrn: Rrn::BLANK,
            approval: ApprovalCode::BLANK,
            amount,
            kept: Amount::ZERO,
            issuer,
            account,
            sent: self.now,
            at: self.now,
            approved: false,
            outcome: if advice { Outcome::ReversalOwed } else { Outcome::Unknown },
        };
        let phase = if advice { Phase::Advice } else { Phase::Answer { repeats: 0 } };
        let payment = Payment { seen, pan, sent_at, phase, due: self.now, named };
        let number = self.started;
        self.started += 1;
        self.counts.started += 1;
        self.unanswered += usize::from(!advice);
        self.by_trace.insert((terminal, stan), number);
        self.payments.insert(number, payment);
        let wait_ms = match phase {
            Phase::Answer { .. } => self.config.times.answer_wait_ms,
            Phase::Acknowledgement { .. } | Phase::Advice => self.config.times.reversal_wait_ms,
        };
        let message = self
            .payments
            .get(&number)
            .map(|payment| payment.request(&self.config, false, sent_at, payment.seen.local));
        if let Some(message) = message {
            self.send(number, message, wait_ms);
        }
    }

    fn local(&self) -> LocalTime {
        self.config.zone.local(self.now).month_time()
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
