//! Random minutes of a hub whose engine answers after other inputs came, and sometimes only to the
//! hub that comes after a crash. Judged by what issuers and terminals know by themselves, and by
//! the engine's own books.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::Books;
use scheme::{PaymentId, Timestamp};
use switch::Request;
use switch::hub::{AdviceKind, Effect, Input, Kept, Status};
use switch::limits::WAITERS_MAX;
use switch::record::Fact;

use crate::rig::{
    A, B, C, MORNING, Rig, SECOND, amount, bank, bytes_of, card, mti, shop, sound, terminal,
};

const SEEDS: u64 = 100;
const STEPS: u64 = 120;
/// A minute before the cutover.
const EVENING: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600 + 11 * 3600 + 59 * 60);

/// SplitMix64 (Vigna, public domain).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

impl Rig {
    /// A crash after everything was durable, of a hub whose engine is elsewhere and has done what
    /// it was asked, or not; it is resolved.
    pub(crate) fn crash_beside_engine(&mut self, did: bool) {
        let mut next = self.recovered(self.records.len(), self.now);
        next.books = Books::decode(&bytes_of(&self.books)).unwrap();
        if did {
            next.engine_did();
        }
        next.held = Some(VecDeque::new());
        let old = std::mem::replace(self, next);
        // It was verified as often as it was crashed.
        std::mem::forget(old);
        self.drive(Input::Resolve);
    }

    /// The engine answers what it was asked, if anything.
    pub(crate) fn engine_answers(&mut self) -> bool {
        let Some(effect) = self.held.as_mut().and_then(VecDeque::pop_front) else { return false };
        match effect {
            Effect::Accounts(accounts) => {
                let statuses = self.create_accounts(&accounts);
                self.drive(Input::AccountResults(statuses));
            }
            Effect::Transfers(transfers) => {
                let statuses = self.create_transfers(&transfers);
                self.drive(Input::TransferResults(statuses));
            }
            other => panic!("nothing for an engine: {other:?}"),
        }
        true
    }
}

/// A first request and what was heard of it.
struct Sent {
    request: Request,
    /// Of it and its repeats.
    tickets: Vec<u64>,
    /// Of its reversals.
    undone: Vec<u64>,
    /// Whether the terminal heard that it was approved.
    approved: bool,
    /// Whether it ever sent a reversal, and heard that it was taken.
    reversal: Option<bool>,
}

struct Minutes {
    rig: Rig,
    dice: Dice,
    sent: Vec<Sent>,
    /// Tickets since the last crash: each must be answered.
    waiting: BTreeSet<u64>,
    /// The place in `rig.asks` of what issuers have not answered, and of what they have not heard.
    open: VecDeque<usize>,
    heard: usize,
    /// Advices that were heard of.
    advised: usize,
    /// What issuers' books hold of each payment, but for what they were told to undo.
    booked: BTreeMap<PaymentId, u64>,
    undone: BTreeSet<PaymentId>,
    told: BTreeSet<(u64, u32, u32)>,
    counts: Counts,
}

#[derive(Default, Debug)]
struct Counts {
    late_answers: u64,
    crashes: u64,
    crashes_under_way: u64,
    slow: u64,
    netted: u64,
}

impl Minutes {
    fn new(seed: u64) -> Self {
        let mut rig = Rig::begun(if seed.is_multiple_of(2) { MORNING } else { EVENING });
        for id in [A, B, C] {
            rig.sign_on(id);
        }
        let mut dice = Dice(seed);
        for id in [A, B, C] {
            let cap = 3000 + dice.below(30_000);
            rig.cap(id, cap);
        }
        rig.held = Some(VecDeque::new());
        Self {
            rig,
            dice,
            sent: Vec::new(),
            waiting: BTreeSet::new(),
            open: VecDeque::new(),
            heard: 0,
            advised: 0,
            booked: BTreeMap::new(),
            undone: BTreeSet::new(),
            told: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    fn step(&mut self) {
        match self.dice.below(24) {
            0..=5 => self.begin(),
            6..=9 => self.issuer(),
            10..=11 => self.repeat(),
            12..=14 => self.reverse(),
            15 => self.complete(),
            16 => {
                let ms = self.dice.below(3) * SECOND + self.dice.below(2);
                self.rig.pass(ms);
            }
            17 if self.dice.below(4) == 0 => self.rig.pass(11 * SECOND),
            18 if self.dice.below(3) == 0 => self.crash(),
            _ => {
                self.counts.late_answers += u64::from(self.rig.engine_answers());
            }
        }
        self.hear();
    }

    /// Sends; the ticket must be answered unless the hub dies.
    fn send(&mut self, request: Request) -> u64 {
        let ticket = self.rig.send(request);
        self.waiting.insert(ticket);
        ticket
    }

    fn begin(&mut self) {
        let banks = [A, B, C];
        let issuer = banks[self.dice.below(3) as usize];
        let (acquirer, place) =
            [(A, "PYO00001"), (B, "NAM00001"), (C, "PSG00001")][self.dice.below(3) as usize];
        let minor = 1 + self.dice.below(4000);
        let account = self.dice.below(4);
        let mut request = Request {
            acquirer: bank(acquirer),
            terminal: terminal(place),
            retailer: shop(acquirer),
            card: Some(card(issuer, account)),
            amount: amount(minor),
            rrn_sent: self.dice.below(2) == 0,
            ..self.rig.purchase()
        };
        if self.dice.below(4) == 0 {
            request.mti = mti(100);
        }
        let ticket = self.send(request.clone());
        self.sent.push(Sent {
            request,
            tickets: vec![ticket],
            undone: Vec::new(),
            approved: false,
            reversal: None,
        });
    }

    fn pick(&mut self) -> Option<usize> {
        let of = self.sent.len() as u64;
        (of > 0).then(|| (of - 1 - self.dice.below(of).min(self.dice.below(of))) as usize)
    }

    fn repeat(&mut self) {
        let Some(at) = self.pick().filter(|at| self.sent[*at].tickets.len() < WAITERS_MAX) else {
            return;
        };
        let request = &self.sent[at].request;
        let number = request.mti.number() + 1;
        let again = Request { mti: mti(number), ..self.rig.again(request) };
        let ticket = self.send(again);
        self.sent[at].tickets.push(ticket);
    }

    /// By DE90, or by DE37 alone.
    fn reverse(&mut self) {
        let Some(at) = self.pick() else { return };
        let request = self.sent[at].request.clone();
        let mut undo = self.rig.reversal(&request);
        if request.rrn_sent && self.dice.below(2) == 0 {
            undo.original = None;
        }
        let ticket = self.send(undo);
        self.sent[at].undone.push(ticket);
        self.sent[at].reversal.get_or_insert(false);
    }

    fn complete(&mut self) {
        let Some(at) = self.pick() else { return };
        let request = self.sent[at].request.clone();
        if request.mti.number() != 100 {
            return;
        }
        let minor = 1 + self.dice.below(request.amount.minor());
        let done = self.rig.completion(&request, minor);
        self.send(done);
    }

    /// An issuer answers, and books what it approves: unless it was told before that it is undone.
    fn issuer(&mut self) {
        let Some(at) = self.open.pop_front() else { return };
        let ask = self.rig.asks[at].clone();
        let code = ["00", "00", "00", "51"][self.dice.below(4) as usize];
        let code = if self.undone.contains(&ask.id) { "51" } else { code };
        if code == "00" && ask.seen.mti.number() == 200 {
            let twice = self.booked.insert(ask.id, ask.seen.amount.minor());
            assert!(twice.is_none(), "asked twice: {ask:?}");
        }
        let answer = self.rig.answer_to(&ask, code);
        self.rig.drive(Input::IssuerAnswer(answer));
    }

    /// What issuers were asked and told, and what terminals were answered.
    fn hear(&mut self) {
        self.open.extend(self.heard..self.rig.asks.len());
        self.heard = self.rig.asks.len();
        let advised = self.rig.advices.iter().skip(self.advised);
        self.advised = self.rig.advices.len();
        for advice in advised {
            let (stan, transmitted) = (advice.trace.stan.get(), advice.trace.transmitted.number());
            let mark = (advice.issuer.get(), stan, transmitted);
            if !self.told.insert(mark) {
                continue;
            }
            match advice.kind {
                AdviceKind::Completion => {
                    let twice = self.booked.insert(advice.id, advice.seen.amount.minor());
                    assert!(twice.is_none(), "completed twice: {advice:?}");
                }
                AdviceKind::Reversal => {
                    let again = !self.undone.insert(advice.id);
                    assert!(!again, "undone twice: {advice:?}");
                }
            }
        }
        let rig = &self.rig;
        self.waiting.retain(|ticket| rig.answered(*ticket).is_none());
        for sent in &mut self.sent {
            let heard = |ticket: &u64| rig.answered(*ticket).is_some_and(|a| a.code.is_approved());
            sent.approved |= sent.tickets.iter().any(heard);
            if sent.undone.iter().any(heard) {
                sent.reversal = Some(true);
            }
        }
    }

    fn crash(&mut self) {
        self.counts.crashes += 1;
        let under_way = self.rig.held.as_ref().is_some_and(|held| !held.is_empty());
        self.counts.crashes_under_way += u64::from(under_way);
        let did = self.dice.below(2) == 0;
        self.rig.crash_beside_engine(did);
        self.open.clear();
        (self.heard, self.advised) = (0, 0);
        self.waiting.clear();
        for sent in &mut self.sent {
            sent.tickets.clear();
            sent.undone.clear();
        }
        for id in [A, B, C] {
            self.rig.sign_on(id);
        }
    }

    /// Everything that is under way comes to its end.
    fn drain(&mut self) {
        for id in [A, B, C] {
            self.rig.sign_on(id);
        }
        for _ in 0..20 {
            self.rig.pass(2 * SECOND);
            while self.rig.engine_answers() {}
            self.hear();
        }
        assert_eq!(self.rig.hub.in_flight(), 0, "all has ended");
        assert_eq!(self.waiting, BTreeSet::new(), "never answered");
    }

    fn judge(mut self) -> Counts {
        self.drain();
        let mut nets: BTreeMap<u64, i128> = [(A, 0), (B, 0), (C, 0)].into();
        for sent in &self.sent {
            let request = &sent.request;
            let trace = (request.acquirer, request.terminal, request.stan);
            let all = self.rig.by_stan(trace);
            let stays = all.iter().map(|kept| self.stays(kept)).sum::<u64>();
            assert!(all.len() <= 1, "{all:?}");
            if request.mti.number() == 200 && sent.approved && sent.reversal.is_none() {
                assert_eq!(stays, request.amount.minor(), "approved and lost: {all:?}");
            }
            if request.mti.number() == 200 && sent.reversal == Some(true) {
                assert_eq!(stays, 0, "reversed and kept: {all:?}");
            }
            for kept in all {
                let issuer = kept.payment.issuer.unwrap().get();
                *nets.get_mut(&issuer).unwrap() -= i128::from(stays);
                *nets.get_mut(&request.acquirer.get()).unwrap() += i128::from(stays);
            }
        }
        for record in &self.rig.records {
            if let Fact::Netted { participant, amount, paid_out, .. } = record.fact {
                let minor = i128::from(amount.minor());
                let net = nets.get_mut(&participant.get()).unwrap();
                *net += if paid_out { -minor } else { minor };
                self.counts.netted += 1;
            }
        }
        assert_eq!(self.rig.nets().to_vec(), nets.into_values().collect::<Vec<_>>(), "the money");
        sound(&self.rig.hub, &self.rig.books);
        let slow = |answer: &switch::Answer| answer.text.as_str().starts_with("LIMIT LEDGER");
        self.counts.slow += self.rig.answers.iter().filter(|(_, one)| slow(one)).count() as u64;
        std::mem::take(&mut self.counts)
    }

    /// What is left of a payment, which its issuer's book must agree with.
    fn stays(&self, kept: &Kept) -> u64 {
        let payment = &kept.payment;
        let done = kept.preauth.and_then(|preauth| preauth.completion);
        let posted = done.map_or(payment.seen.amount, |done| done.amount);
        let stays = match payment.status {
            Status::Posted => posted.minor() - payment.returned.minor(),
            Status::Pending | Status::Voided | Status::Reversed | Status::Declined => 0,
        };
        let undone = self.undone.contains(&payment.id);
        let booked = self.booked.get(&payment.id).copied().filter(|_| !undone).unwrap_or(0);
        assert_eq!(booked, stays, "the issuer has another amount: {kept:?}");
        stays
    }
}

#[test]
fn r_crash_an_engine_that_answers_later_loses_and_doubles_nothing() {
    let mut all = Counts::default();
    for seed in 1..=SEEDS {
        let outcome = std::panic::catch_unwind(|| {
            let mut minutes = Minutes::new(seed);
            for _ in 0..STEPS {
                minutes.step();
            }
            minutes.judge()
        });
        let Ok(counts) = outcome else { panic!("seed {seed}") };
        all.late_answers += counts.late_answers;
        all.crashes += counts.crashes;
        all.crashes_under_way += counts.crashes_under_way;
        all.slow += counts.slow;
        all.netted += counts.netted;
    }
    let rare = [all.late_answers, all.crashes, all.crashes_under_way, all.slow, all.netted];
    assert!(rare.iter().all(|count| *count > 30), "{all:?}");
}
