//! Random days against a tiny model that knows nothing of matching, timers or legs: it keeps, for
//! every payment that the driver itself started, what must have become of the money in the end.

use std::collections::BTreeMap;

use scheme::{Processing, Timestamp};
use switch::Request;
use switch::hub::{Input, Payment, Status};
use switch::record::Fact;

use crate::rig::{
    A, B, C, MINUTE, Rig, SECOND, amount, bank, card, config, keep, mti, scale_preauth, shop,
    sound, terminal,
};

const SEEDS: u64 = 200;
const STEPS: u64 = 70;
/// A hold stands for seven minutes, and can be completed for one more.
const HOLD_MS: u64 = 7 * MINUTE;
/// What a shop may refund without naming a payment, at a time and in a day.
const UNLINKED: (u64, u64) = (800, 2000);

/// SplitMix64 (Vigna, public domain).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// What the driver knows of a payment.
#[derive(Clone, Debug)]
struct Known {
    request: Request,
    issuer: u64,
    kind: Kind,
    end: End,
    /// Given back by its reversal.
    back: u64,
    /// The completion of a pre-authorisation.
    done: Option<Request>,
    /// Its last answer to the terminal.
    heard: Option<String>,
    tickets: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Purchase,
    PreAuth,
    /// Of this payment, or of none.
    Refund(Option<usize>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Its reversal came first; the payment never happened.
    Buried,
    /// Refused without a hold.
    Refused,
    Asked,
    /// Approved, to be completed; since then.
    Held(Timestamp),
    /// Not completed in time.
    Expired(Timestamp),
    Posted(u64),
    Undone,
}

impl Known {
    /// What is posted and was not given back by its reversal.
    fn stays(&self) -> u64 {
        match self.end {
            End::Posted(minor) => minor - self.back,
            _ => 0,
        }
    }

    /// What a refund takes from what is left of its payment.
    fn takes(&self) -> u64 {
        if self.end == End::Asked { self.request.amount.minor() } else { self.stays() }
    }
}

struct Day {
    rig: Rig,
    dice: Dice,
    known: BTreeMap<usize, Known>,
    /// Payments that the issuer has been asked about, by place in `rig.asks`.
    open: BTreeMap<usize, usize>,
}

impl Day {
    fn new(seed: u64) -> Self {
        scale_preauth(HOLD_MS);
        let mut rig = Rig::new();
        let mut dice = Dice(seed);
        for id in [A, B, C] {
            let cap = 1000 + dice.below(20_000);
            rig.cap(id, cap);
        }
        for id in [A, B, C] {
            let (refund_max, refund_day_max) = (amount(UNLINKED.0), amount(UNLINKED.1));
            let fact = Fact::Retailer { retailer: shop(id), refund_max, refund_day_max };
            rig.drive(Input::Business(fact));
        }
        Self { rig, dice, known: BTreeMap::new(), open: BTreeMap::new() }
    }

    fn request(&mut self) -> (Request, u64) {
        let issuer = [A, B, C][self.dice.below(3) as usize];
        let acquirer = [A, B, C][self.dice.below(3) as usize];
        let place = match acquirer {
            A => "PYO00001",
            B => "NAM00001",
            _ => "PSG00001",
        };
        let minor = 1 + self.dice.below(4000);
        let account = self.dice.below(3);
        let request = Request {
            acquirer: bank(acquirer),
            terminal: terminal(place),
            retailer: shop(acquirer),
            card: Some(card(issuer, account)),
            amount: amount(minor),
            ..self.rig.purchase()
        };
        (request, issuer)
    }

    fn step(&mut self) {
        match self.dice.below(16) {
            0..=2 => self.begin(),
            3 => self.refund(),
            4..=6 => self.answer(),
            7 => self.repeat(),
            8..=9 => self.reverse(),
            10..=11 => self.complete(),
            12 => {
                let ms = self.dice.below(20) * SECOND + self.dice.below(2);
                if self.dice.below(2) == 0 { self.rig.pass(ms) } else { self.rig.jump(ms) }
            }
            13 => self.line(),
            _ => match self.dice.below(7) {
                0 => self.crash(),
                1 => self.acknowledge(),
                2 => self.buried(),
                3 => self.enquire(),
                _ => self.rig.pass(MINUTE),
            },
        }
        self.settle();
    }

    fn begin(&mut self) {
        let (mut request, issuer) = self.request();
        let kind = match self.dice.below(4) {
            0 => {
                request.mti = mti(100);
                Kind::PreAuth
            }
            1 => {
                request.processing = Processing::new(10_000).unwrap();
                Kind::Purchase
            }
            _ => Kind::Purchase,
        };
        self.first(request, issuer, kind);
    }

    /// Sends a first request; whether the issuer was asked.
    fn first(&mut self, request: Request, issuer: u64, kind: Kind) -> bool {
        let asked = self.rig.asks.len();
        let ticket = self.rig.send(request.clone());
        // The turn may have begun with deadlines that passed.
        let is_asked = self.rig.asks.len() > asked;
        let end = if is_asked { End::Asked } else { End::Refused };
        let key = self.known.len();
        if is_asked {
            self.open.insert(asked, key);
        }
        let tickets = vec![ticket];
        let (back, done, heard) = (0, None, None);
        self.known.insert(key, Known { request, issuer, kind, end, back, done, heard, tickets });
        is_asked
    }

    /// What refunds of a payment, those in flight too, take.
    fn refunded(&self, of: usize) -> u64 {
        let refunds = self.known.values().filter(|known| known.kind == Kind::Refund(Some(of)));
        refunds.map(Known::takes).sum()
    }

    fn unlinked(&self, acquirer: u64) -> u64 {
        let refunds = self.known.values().filter(|known| {
            known.kind == Kind::Refund(None) && known.request.acquirer == bank(acquirer)
        });
        refunds.map(Known::takes).sum()
    }

    fn refund(&mut self) {
        self.lapse();
        if self.dice.below(4) == 0 {
            let (request, issuer) = self.request();
            let minor = 1 + self.dice.below(1000);
            let request = Request { original: None, ..self.rig.refund(&request, minor) };
            let acquirer = request.acquirer.get();
            let before = self.unlinked(acquirer);
            if self.first(request, issuer, Kind::Refund(None)) {
                assert!(minor <= UNLINKED.0 && before + minor <= UNLINKED.1, "{before} {minor}");
            }
            return;
        }
        let Some((key, known)) = self.pick() else { return };
        let full = known.request.amount.minor();
        let minor = 1 + self.dice.below(full);
        let named = match (&known.done, self.dice.below(2)) {
            (Some(done), 0) => done.clone(),
            _ => known.request.clone(),
        };
        let mut request = self.rig.refund(&named, minor);
        let cash = known.request.processing.transaction() == 1;
        let good = (known.kind == Kind::Purchase || known.kind == Kind::PreAuth) && !cash;
        // The DE37 of a refund that named its payment by it is that payment's.
        let by_de37 = self.dice.below(3) == 0 && !known.request.rrn_sent;
        if by_de37 {
            (request.original, request.rrn) = (None, known.request.rrn);
            request.rrn_sent = true;
        }
        // A DE37 that nobody knows, or that only happens to be another's, names nothing.
        let unknown = matches!(known.end, End::Buried | End::Refused);
        if by_de37 && (unknown || !good) {
            let before = self.unlinked(request.acquirer.get());
            if self.first(request, known.issuer, Kind::Refund(None)) {
                assert!(minor <= UNLINKED.0 && before + minor <= UNLINKED.1, "{before} {minor}");
            }
            return;
        }
        let posted = if let End::Posted(minor) = known.end { minor } else { 0 };
        let rest = (posted - known.back).checked_sub(self.refunded(key));
        let kind = Kind::Refund(Some(key));
        if self.first(request, known.issuer, kind) {
            assert!(good, "refunded: {known:?}");
            assert!(rest.is_some_and(|rest| minor <= rest), "{minor} of {rest:?}: {known:?}");
        }
    }

    fn answer(&mut self) {
        if self.rig.asks.is_empty() {
            return;
        }
        let at = self.dice.below(self.rig.asks.len() as u64) as usize;
        let code = ["00", "00", "00", "51", "10"][self.dice.below(5) as usize];
        let ask = self.rig.asks[at].clone();
        if ask.id.get() == 0 {
            return;
        }
        let mut answer = self.rig.answer_to(&ask, code);
        if self.dice.below(8) == 0 {
            answer.amount = amount(answer.amount.minor() + 1);
        }
        self.lapse();
        let good = answer.amount == ask.seen.amount;
        self.rig.drive(Input::IssuerAnswer(answer));
        let now = self.rig.hub.now();
        if let Some(key) = self.open.get(&at).copied().filter(|_| good) {
            let known = self.known.get_mut(&key).unwrap();
            if known.end == End::Asked {
                known.end = match (code, known.kind) {
                    ("00", Kind::PreAuth) => End::Held(now),
                    ("00", Kind::Purchase | Kind::Refund(_)) => {
                        End::Posted(known.request.amount.minor())
                    }
                    _ => End::Undone,
                };
            }
        }
    }

    fn deadline(&self, at: usize) -> Timestamp {
        self.rig.payment(self.rig.asks[at].id).at.plus_ms(15 * SECOND)
    }

    fn repeat(&mut self) {
        let Some((key, known)) = self.pick() else { return };
        let number = known.request.mti.number() + self.dice.below(2) as u16;
        let again = Request { mti: mti(number), ..self.rig.again(&known.request) };
        let asked = self.rig.asks.len();
        let ticket = self.rig.send(again);
        assert_eq!(self.rig.asks.len(), asked, "a repeat asked the issuer: {known:?}");
        self.known.get_mut(&key).unwrap().tickets.push(ticket);
    }

    /// A completion of a pre-authorisation, the first, another, or a copy.
    fn complete(&mut self) {
        let holds = self.known.iter().filter(|(_, known)| known.kind == Kind::PreAuth);
        let holds: Vec<usize> = holds.map(|(key, _)| *key).collect();
        if holds.is_empty() {
            return;
        }
        let key = holds[self.dice.below(holds.len() as u64) as usize];
        self.lapse();
        let known = self.known[&key].clone();
        if let Some(done) = known.done.clone().filter(|_| self.dice.below(2) == 0) {
            let again = Request { mti: mti(221), ..self.rig.again(&done) };
            let ticket = self.rig.send(again);
            let whole = known.stays() > 0 || known.back == 0;
            assert_eq!(self.rig.said(ticket), if whole { "00" } else { "94 REVERSED" });
            return;
        }
        let full = known.request.amount.minor();
        let minor = 1 + self.dice.below(full + full / 5);
        let mut done = self.rig.completion(&known.request, minor);
        if self.dice.below(3) == 0 {
            (done.original, done.rrn_sent) = (None, true);
        }
        let late = config().timers.late_completion_ms;
        let posts = minor <= full
            && match known.end {
                End::Held(_) => true,
                End::Expired(at) => self.rig.now.ms_since(at) <= late,
                _ => false,
            };
        let ticket = self.rig.send(done.clone());
        let said = if minor > full { "13 AMOUNT LIMIT" } else { "00" };
        let refused = matches!(known.end, End::Refused | End::Buried);
        assert!(self.rig.said(ticket) == said || refused, "{:?}", self.rig.answered(ticket));
        if posts {
            let known = self.known.get_mut(&key).unwrap();
            (known.end, known.done) = (End::Posted(minor), Some(done));
        }
    }

    fn reverse(&mut self) {
        let Some((key, known)) = self.pick() else { return };
        self.lapse();
        let known = self.known.get(&key).cloned().unwrap_or(known);
        let of_completion = known.done.is_some() && self.dice.below(3) > 0;
        let named = known.done.clone().filter(|_| of_completion).unwrap_or(known.request.clone());
        let mut undo = self.rig.reversal(&named);
        let part = self.dice.below(named.amount.minor());
        match self.dice.below(4) {
            0 if part > 0 => undo.actual = Some(amount(part)),
            // Refunds that named their payment by its DE37 share it; of two the newest is meant.
            1 if !of_completion && !named.rrn_sent && !self.is_shared(key) => {
                (undo.original, undo.rrn_sent) = (None, true);
            }
            2 if !of_completion => {
                (undo.original, undo.stan, undo.rrn_sent) = (None, known.request.stan, false);
            }
            _ => {}
        }
        let kept = undo.actual.map(|a| a.minor());
        // Of a completed pre-authorisation only the completion can be reversed: by name, or by its
        // amount where nothing is named.
        let by_name = undo.original.is_some();
        let fits = match (&known.done, by_name) {
            (None, _) => true,
            (Some(_), true) => of_completion,
            (Some(done), false) => done.amount == undo.amount,
        };
        let taken = self.refunded(key);
        let ticket = self.rig.send(undo);
        assert_eq!(self.rig.said(ticket), "00");
        let known = self.known.get_mut(&key).unwrap();
        match known.end {
            End::Asked => known.end = End::Undone,
            End::Held(_) if kept.is_none() => known.end = End::Undone,
            End::Posted(posted) if fits && known.back == 0 => {
                known.back = (posted - kept.unwrap_or(0)).min(posted - taken);
            }
            _ => {}
        }
    }

    /// Whether a later request of the same kind bears the same DE37.
    fn is_shared(&self, key: usize) -> bool {
        let named = &self.known[&key].request;
        let mut later = self.known.range(key + 1..).map(|(_, known)| &known.request);
        later.any(|other| {
            other.rrn == named.rrn
                && other.terminal == named.terminal
                && other.processing.transaction() == named.processing.transaction()
        })
    }

    /// A reversal, then its original.
    fn buried(&mut self) {
        let (request, issuer) = self.request();
        let undo = self.rig.reversal(&request);
        self.rig.send(undo);
        let ticket = self.rig.send(request.clone());
        assert_eq!(self.rig.said(ticket), "94 REVERSED");
        let (key, kind, end, back) = (self.known.len(), Kind::Purchase, End::Buried, 0);
        let (done, heard, tickets) = (None, None, vec![]);
        self.known.insert(key, Known { request, issuer, kind, end, back, done, heard, tickets });
    }

    /// Nothing comes of an enquiry.
    fn enquire(&mut self) {
        let balance = self.rig.balance_of();
        let records = self.rig.written();
        let due = self.rig.hub.next_timeout().is_some_and(|at| at <= self.rig.now);
        self.rig.send(balance);
        assert!(due || self.rig.written() == records);
    }

    fn acknowledge(&mut self) {
        if !self.rig.advices.is_empty() {
            let at = self.dice.below(self.rig.advices.len() as u64) as usize;
            let code = ["00", "12"][self.dice.below(2) as usize];
            self.rig.acknowledge(&self.rig.advices[at].clone(), code);
        }
    }

    fn line(&mut self) {
        let id = [A, B, C][self.dice.below(3) as usize];
        if self.dice.below(3) == 0 { self.rig.sign_off(id) } else { self.rig.sign_on(id) }
    }

    /// Everything durable, or everything but what a prefix keeps: the driver forgets what is lost.
    fn crash(&mut self) {
        self.settle();
        self.lapse();
        self.rig.crash();
        self.open.clear();
        for known in self.known.values_mut() {
            known.tickets.clear();
            if known.end == End::Asked {
                known.end = End::Undone;
            }
        }
        for id in [A, B, C] {
            self.rig.sign_on(id);
        }
    }

    fn pick(&mut self) -> Option<(usize, Known)> {
        let any = self.dice.below(self.known.len().max(1) as u64) as usize;
        self.known.get(&any).map(|known| (any, known.clone()))
    }

    /// What the clock alone has ended.
    fn lapse(&mut self) {
        for (at, key) in self.open.clone() {
            let late = self.rig.now >= self.deadline(at);
            let known = self.known.get_mut(&key).unwrap();
            if late && known.end == End::Asked {
                known.end = End::Undone;
            }
        }
        for known in self.known.values_mut() {
            if let End::Held(since) = known.end {
                let until = since.plus_ms(HOLD_MS);
                if until <= self.rig.now {
                    known.end = End::Expired(until);
                }
            }
        }
    }

    /// Answers heard so far never contradict each other.
    fn settle(&mut self) {
        self.lapse();
        for known in self.known.values_mut() {
            known.tickets.retain(|ticket| {
                let said = self.rig.said(*ticket);
                if said == "nothing" {
                    return true;
                }
                if let Some(before) = known.heard.as_ref().filter(|before| **before != said) {
                    let undone = before == "00" && said == "94 REVERSED";
                    // One that had expired and was completed late is an approval again.
                    let late = known.done.is_some() && before == "94 REVERSED" && said == "00";
                    assert!(undone || late, "{before}, then {said}: {:?}", known.request);
                }
                known.heard = Some(said);
                false
            });
        }
        sound(&self.rig.hub, &self.rig.books);
    }

    /// All that was said and decided, the hash of the state, how many payments were brought back.
    fn ends(mut self) -> (Vec<String>, u128, usize) {
        self.rig.pass(30 * SECOND);
        let records = self.rig.records.iter();
        let recalled = records.filter(|record| matches!(record.fact, Fact::Recalled(_))).count();
        (self.rig.all_said(), self.rig.hub.state_hash().0, recalled)
    }

    /// Every payment ended as the model says, and the money is where it says.
    fn judge(mut self) {
        self.rig.pass(30 * SECOND);
        self.settle();
        let mut nets: BTreeMap<u64, i128> = [(A, 0), (B, 0), (C, 0)].into();
        for (key, known) in &self.known {
            let request = &known.request;
            let trace = (request.acquirer, request.terminal, request.stan);
            let all = self.rig.by_stan(trace);
            let found: Vec<_> = all.iter().map(|kept| &kept.payment).collect();
            let posted_of = |payment: &Payment| {
                let done = all[0].preauth.and_then(|preauth| preauth.completion);
                done.map_or(payment.seen.amount, |done| done.amount).minor()
            };
            let left = known.stays() - self.refunded(*key);
            match (known.end, &found[..]) {
                (End::Buried, []) | (End::Refused, []) => {}
                (End::Refused, [payment]) if payment.status == Status::Declined => {}
                (End::Held(_), [payment]) if payment.status == Status::Pending => {}
                (End::Expired(_), [payment]) if payment.status == Status::Voided => {}
                (End::Posted(posted), [payment])
                    if posted_of(payment) == posted
                        && posted - payment.returned.minor() == left
                        && (payment.status == Status::Posted
                            || payment.status == Status::Reversed
                                && left == 0
                                && known.back > 0) => {}
                (End::Undone, [payment])
                    if matches!(
                        payment.status,
                        Status::Voided | Status::Declined | Status::Reversed
                    ) => {}
                (end, found) => panic!("{end:?}, {left} left, but {found:?}: {request:?}"),
            }
            let stays = i128::from(known.stays());
            let refund = matches!(known.kind, Kind::Refund(_));
            let paid = if refund { -stays } else { stays };
            *nets.get_mut(&known.issuer).unwrap() -= paid;
            *nets.get_mut(&request.acquirer.get()).unwrap() += paid;
        }
        let expected: Vec<i128> = nets.into_values().collect();
        assert_eq!(self.rig.nets().to_vec(), expected);
    }
}

#[test]
fn any_day_ends_as_the_model_says() {
    for seed in 1..=SEEDS {
        let outcome = std::panic::catch_unwind(|| {
            let mut day = Day::new(seed);
            for _ in 0..STEPS {
                day.step();
            }
            day.judge();
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

/// Two hubs with a history, one that forgets nothing, one that keeps a payment or two: the same
/// days, and every answer, question, advice and record is the same, and so is the state in the end.
#[test]
fn a_hub_that_forgets_says_what_one_says_that_does_not() {
    let day = |seed: u64, window: usize| {
        keep(Some(window));
        let mut day = Day::new(seed);
        for _ in 0..STEPS {
            day.step();
        }
        day.ends()
    };
    let mut recalled = 0;
    for seed in 1..=SEEDS / 8 {
        let (whole, hash, _) = day(seed, usize::MAX);
        for window in [1, 2] {
            let (said, own, again) = day(seed, window);
            recalled += again;
            for (one, other) in whole.iter().zip(&said) {
                assert_eq!(one, other, "seed {seed}, window {window}");
            }
            assert_eq!(whole.len(), said.len(), "seed {seed}, window {window}");
            assert_eq!(hash, own, "seed {seed}, window {window}: the state");
        }
    }
    assert!(recalled > 20, "{recalled} were recalled");
}

/// After a crash at any record of a random day nothing but approved holds is pending, and the books
/// balance.
#[test]
fn r_crash_any_prefix_of_any_day() {
    for seed in 1..=20 {
        let mut day = Day::new(seed);
        for _ in 0..STEPS {
            day.step();
        }
        for kept in (0..=day.rig.records.len()).step_by(3) {
            let mut after = day.rig.recovered(kept, day.rig.now);
            after.drive(Input::Resolve);
            let state = after.hub.state();
            let mut pending = state.payments().iter().filter(|p| p.status == Status::Pending);
            assert!(
                pending.all(|payment| state.flows().preauth(payment.id).is_some()),
                "seed {seed}, kept {kept}"
            );
            sound(&after.hub, &after.books);
        }
    }
}
