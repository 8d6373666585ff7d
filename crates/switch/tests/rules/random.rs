//! Random days against a tiny model that knows nothing of matching, timers or legs: it keeps, for
//! every payment that the driver itself started, what must have become of the money in the end.

use std::collections::BTreeMap;

use switch::Request;
use switch::hub::{Input, Status};

use crate::rig::{A, B, C, MINUTE, Rig, SECOND, amount, bank, card, mti, shop, sound, terminal};

const SEEDS: u64 = 200;
const STEPS: u64 = 60;

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
    end: End,
    /// Its last answer to the terminal.
    heard: Option<String>,
    tickets: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Its reversal came first; the payment never happened.
    Buried,
    /// Refused without a hold.
    Refused,
    Asked,
    Posted,
    Undone,
    /// This much stays posted.
    Part(u64),
}

struct Day {
    rig: Rig,
    dice: Dice,
    known: BTreeMap<usize, Known>,
    /// Payments that the issuer has been asked about, by place in `rig.asks`.
    open: BTreeMap<usize, usize>,
    netted: bool,
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut rig = Rig::new();
        let mut dice = Dice(seed);
        for id in [A, B, C] {
            let cap = 1000 + dice.below(20_000);
            rig.cap(id, cap);
        }
        Self { rig, dice, known: BTreeMap::new(), open: BTreeMap::new(), netted: false }
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
        match self.dice.below(12) {
            0..=3 => self.begin(),
            4..=5 => self.answer(),
            6 => self.repeat(),
            7..=8 => self.reverse(),
            9 => {
                let ms = self.dice.below(20) * SECOND + self.dice.below(2);
                if self.dice.below(2) == 0 { self.rig.pass(ms) } else { self.rig.jump(ms) }
            }
            10 => self.line(),
            _ => match self.dice.below(6) {
                0 => self.crash(),
                1 => self.acknowledge(),
                2 => self.buried(),
                _ => self.rig.pass(MINUTE),
            },
        }
        self.settle();
    }

    fn begin(&mut self) {
        let (request, issuer) = self.request();
        let asked = self.rig.asks.len();
        let ticket = self.rig.send(request.clone());
        // The turn may have begun with deadlines that passed.
        let end = if self.rig.asks.len() > asked { End::Asked } else { End::Refused };
        let key = self.known.len();
        if end == End::Asked {
            self.open.insert(asked, key);
        }
        let known = Known { request, issuer, end, heard: None, tickets: vec![ticket] };
        self.known.insert(key, known);
    }

    fn answer(&mut self) {
        if self.rig.asks.is_empty() {
            return;
        }
        let at = self.dice.below(self.rig.asks.len() as u64) as usize;
        let code = ["00", "00", "00", "51", "10"][self.dice.below(5) as usize];
        let ask = self.rig.asks[at].clone();
        let mut answer = self.rig.answer_to(&ask, code);
        if self.dice.below(8) == 0 {
            answer.amount = amount(answer.amount.minor() + 1);
        }
        let late = self.rig.now >= self.deadline(at);
        let good = answer.amount == ask.seen.amount;
        self.rig.drive(Input::IssuerAnswer(answer));
        if let Some(key) = self.open.get(&at).copied().filter(|_| good && !late) {
            let known = self.known.get_mut(&key).unwrap();
            if known.end == End::Asked {
                known.end = if code == "00" { End::Posted } else { End::Undone };
            }
        }
    }

    fn deadline(&self, at: usize) -> scheme::Timestamp {
        self.rig.payment(self.rig.asks[at].id).at.plus_ms(15 * SECOND)
    }

    fn repeat(&mut self) {
        let Some((key, known)) = self.pick() else { return };
        let number = 200 + self.dice.below(2) as u16;
        let again = Request { mti: mti(number), ..self.rig.again(&known.request) };
        let asked = self.rig.asks.len();
        let ticket = self.rig.send(again);
        assert_eq!(self.rig.asks.len(), asked, "a repeat asked the issuer: {known:?}");
        self.known.get_mut(&key).unwrap().tickets.push(ticket);
    }

    fn reverse(&mut self) {
        let Some((key, known)) = self.pick() else { return };
        let mut undo = self.rig.reversal(&known.request);
        let full = known.request.amount.minor();
        let part = self.dice.below(full);
        match self.dice.below(4) {
            0 if part > 0 => undo.actual = Some(amount(part)),
            1 => (undo.original, undo.rrn_sent) = (None, true),
            2 => (undo.original, undo.stan) = (None, known.request.stan),
            _ => {}
        }
        self.lapse();
        let kept = undo.actual.map(|a| a.minor());
        let ticket = self.rig.send(undo);
        assert_eq!(self.rig.said(ticket), "00");
        let known = self.known.get_mut(&key).unwrap();
        known.end = match (known.end, kept) {
            (End::Posted, Some(kept)) => End::Part(kept),
            (End::Asked | End::Posted, _) => End::Undone,
            (end, _) => end,
        };
    }

    /// A reversal, then its original.
    fn buried(&mut self) {
        let (request, issuer) = self.request();
        let undo = self.rig.reversal(&request);
        self.rig.send(undo);
        let ticket = self.rig.send(request.clone());
        assert_eq!(self.rig.said(ticket), "94 REVERSED");
        let key = self.known.len();
        let known = Known { request, issuer, end: End::Buried, heard: None, tickets: vec![] };
        self.known.insert(key, known);
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
                    assert!(undone, "{before}, then {said}: {:?}", known.request);
                }
                known.heard = Some(said);
                false
            });
        }
        sound(&self.rig.hub, &self.rig.books);
    }

    /// Every payment ended as the model says, and the money is where it says.
    fn judge(mut self) {
        self.rig.pass(30 * SECOND);
        self.settle();
        let mut nets: BTreeMap<u64, i128> = [(A, 0), (B, 0), (C, 0)].into();
        for known in self.known.values() {
            let request = &known.request;
            let full = request.amount.minor();
            let payments = self.rig.hub.state().payments();
            let found: Vec<_> = payments
                .by_stan(request.acquirer, request.terminal, request.stan)
                .map(|payment| {
                    (payment.status, payment.seen.amount.minor() - payment.returned.minor())
                })
                .collect();
            let stays = match (known.end, &found[..]) {
                (End::Buried, []) => 0,
                (End::Refused, [] | [(Status::Declined, _)]) => 0,
                (End::Posted, [(Status::Posted, stays)]) if *stays == full => full,
                (End::Part(kept), [(Status::Posted, stays)]) if *stays == kept => kept,
                (End::Undone, [(Status::Voided | Status::Declined | Status::Reversed, _)]) => 0,
                (end, found) => panic!("{end:?} but {found:?}: {request:?}"),
            };
            *nets.get_mut(&known.issuer).unwrap() -= i128::from(stays);
            *nets.get_mut(&request.acquirer.get()).unwrap() += i128::from(stays);
        }
        let expected: Vec<i128> = nets.into_values().collect();
        if !self.netted {
            assert_eq!(self.rig.nets().to_vec(), expected);
        }
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

/// After a crash at any record of a random day nothing is pending and the books balance.
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
            assert_eq!(after.books.open_pending(), 0, "seed {seed}, kept {kept}");
            sound(&after.hub, &after.books);
        }
    }
}
