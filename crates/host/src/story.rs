//! A payment's story: every record that tells of it, in order, as plain data.
//!
//! The shell reads the journal, record by record, outside the event loop; a [`Gatherer`] keeps what
//! belongs to the payment and says when nothing more can come. What bounds it:
//! [`crate::limits::STORY_RECORDS_MAX`]. Deliberately absent: words (`console` has them).

use ledger::chart::AccountName;
use scheme::{Amount, Currency, ParticipantId, PaymentId, Timestamp};
use switch::Trace;
use switch::legs;
use switch::record::{
    self, Closed, Completed, Declined, Fact, Opened, Outcome, Part, Reversed, Seen,
};

use crate::limits::{STORY_RECORDS_MAX, STORY_STEPS_MAX};
use crate::view::PaymentView;

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Taken in; the money is held; the issuer is asked.
    Opened,
    /// Refused before the issuer was asked.
    Refused {
        /// DE39.
        code: String,
        /// DE44.
        text: String,
    },
    /// The issuer approved a pre-authorisation: the hold stays.
    Held {
        /// DE38.
        approval: String,
    },
    /// The issuer approved: posted.
    Posted {
        /// DE38.
        approval: String,
    },
    /// The issuer declined: the hold is released.
    Declined {
        /// DE39.
        code: String,
        /// DE44.
        text: String,
    },
    /// No usable answer: released, and a reversal is owed.
    Voided {
        /// DE39.
        code: String,
        /// DE44.
        text: String,
    },
    /// A completion posted a pre-authorisation; an advice is owed.
    Completed {
        /// How much, decimal.
        amount: String,
        /// Whether the hold had expired.
        late: bool,
    },
    /// A reversal counted; an advice is owed.
    Reversed {
        /// How much went back, decimal.
        amount: String,
        /// DE39 of the advice.
        code: String,
        /// Whether the payment was still under way.
        in_flight: bool,
    },
    /// A refund of it was opened; that one's id.
    Refund {
        /// 32 hexadecimal digits.
        id: String,
        /// How much, decimal.
        amount: String,
    },
    /// The issuer acknowledged an advice.
    Acknowledged {
        /// DE39 of the acknowledgement.
        code: String,
    },
    /// A finding about it.
    Finding {
        /// Its kind.
        kind: &'static str,
    },
}

/// Money that a step moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// `hold`, `post`, `void`, `return`, `completion`.
    pub leg: &'static str,
    /// The account that is debited, as the rule book names it.
    pub debit: String,
    /// The account that is credited.
    pub credit: String,
    /// Decimal.
    pub amount: String,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoryStep {
    /// Journal record.
    pub record: u64,
    /// Journal frame.
    pub frame: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
    /// DE11 and DE7 towards the issuer: of the request that was sent, or the advice that is owed.
    pub trace: Option<(String, String)>,
    /// What it moved.
    pub moves: Vec<Move>,
}

/// A payment and all that is recorded of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Story {
    /// Where it stands.
    pub payment: PaymentView,
    /// Oldest first.
    pub steps: Vec<StoryStep>,
    /// Whether the journal was read as far as it may tell of it.
    pub complete: bool,
    /// When our first hop took the request in, if the record was read.
    pub first_received: Option<Timestamp>,
    /// The payment that this one refunds.
    pub refunds: Option<String>,
}

/// Keeps the records of one payment.
#[derive(Debug)]
pub struct Gatherer {
    id: PaymentId,
    currency: Currency,
    seen: Option<(Seen, Option<ParticipantId>)>,
    owed: Vec<(ParticipantId, Trace)>,
    records: u64,
    full: bool,
    story: Story,
}

impl Gatherer {
    /// For this payment; `None` if its id is none.
    pub fn new(payment: PaymentView, currency: Currency) -> Option<Self> {
        let id = u128::from_str_radix(&payment.id, 16).ok()?;
        let (steps, complete, first_received, refunds) = (Vec::new(), false, None, None);
        let story = Story { payment, steps, complete, first_received, refunds };
        let id = PaymentId::of_transfer(id);
        let owed = Vec::new();
        Some(Self { id, currency, seen: None, owed, records: 0, full: false, story })
    }

    /// From when on the journal tells of it, ns.
    pub fn from_ns(&self) -> u64 {
        self.story.payment.at.0
    }

    /// Takes a record; whether more may come. A record that cannot be read tells nothing here:
    /// `ledger verify` names it.
    pub fn take(&mut self, view: &journal::RecordView<'_>) -> journal::Next {
        self.records = self.records.saturating_add(1);
        if let Ok(fact) = record::decode(view.kind, view.version, view.payload)
            && let Some(step) = self.step(view, &fact)
        {
            self.story.steps.push(step);
        }
        self.full = self.records >= STORY_RECORDS_MAX || self.story.steps.len() >= STORY_STEPS_MAX;
        if self.full { journal::Next::Enough } else { journal::Next::More }
    }

    /// The story, once everything was read.
    pub fn finish(mut self) -> Story {
        self.story.complete = !self.full && self.seen.is_some();
        self.story
    }

    fn step(&mut self, view: &journal::RecordView<'_>, fact: &Fact) -> Option<StoryStep> {
        let (what, trace, moves) = self.told(fact)?;
        Some(StoryStep {
            record: view.number,
            frame: view.frame,
            at: Timestamp(view.time_ns),
            what,
            trace: trace.map(|trace| (trace.stan.to_string(), trace.transmitted.to_string())),
            moves,
        })
    }

    fn told(&mut self, fact: &Fact) -> Option<(What, Option<Trace>, Vec<Move>)> {
        if let Some(part) = fact.part() {
            return self.part(part);
        }
        if let Fact::Discharged { bank, trace, code } = fact {
            let place = self.owed.iter().position(|owed| *owed == (*bank, *trace))?;
            self.owed.remove(place);
            let what = What::Acknowledged { code: code.to_string() };
            return Some((what, Some(*trace), Vec::new()));
        }
        if let Fact::Finding(finding) = fact
            && finding.payment == Some(self.id)
        {
            return Some((What::Finding { kind: finding.kind.name() }, None, Vec::new()));
        }
        None
    }

    fn part(&mut self, part: Part<'_>) -> Option<(What, Option<Trace>, Vec<Move>)> {
        let own = part.id() == self.id;
        match part {
            // A refund of it is another payment.
            Part::Opened(opened) => self.opened(opened),
            Part::Declined(declined) => own.then(|| self.declined(declined)),
            Part::Closed(closed) => own.then(|| self.closed(closed)),
            Part::Reversed(reversed) => own.then(|| self.reversed(reversed)),
            Part::Completed(completed) => own.then(|| self.completed(completed)),
            Part::Whole(_) => None,
        }
    }

    fn declined(&mut self, declined: &Declined) -> (What, Option<Trace>, Vec<Move>) {
        self.seen = Some((declined.seen, declined.issuer));
        self.story.first_received = Some(declined.seen.first_received);
        let (code, text) = (declined.reason.response_code(), declined.reason.text());
        (What::Refused { code: code.to_string(), text: text.to_owned() }, None, Vec::new())
    }

    fn completed(&mut self, completed: &Completed) -> (What, Option<Trace>, Vec<Move>) {
        self.owe(completed.advice);
        let amount = self.currency.show(completed.amount);
        let moves = self.moves("completion", completed.amount, false);
        (What::Completed { amount, late: completed.late }, Some(completed.advice), moves)
    }

    fn opened(&mut self, opened: &Opened) -> Option<(What, Option<Trace>, Vec<Move>)> {
        if opened.original == Some(self.id) {
            let amount = self.currency.show(opened.seen.amount);
            return Some((What::Refund { id: opened.id.to_string(), amount }, None, Vec::new()));
        }
        if opened.id != self.id {
            return None;
        }
        self.seen = Some((opened.seen, Some(opened.issuer)));
        self.story.first_received = Some(opened.seen.first_received);
        self.story.refunds = opened.original.map(|id| id.to_string());
        let moves = self.moves("hold", opened.seen.amount, false);
        Some((What::Opened, Some(opened.trace), moves))
    }

    fn closed(&mut self, closed: &Closed) -> (What, Option<Trace>, Vec<Move>) {
        let amount = self.seen.map_or(Amount::ZERO, |(seen, _)| seen.amount);
        match closed.outcome {
            Outcome::Held { approval, .. } => {
                (What::Held { approval: approval.as_str().to_owned() }, None, Vec::new())
            }
            Outcome::Posted { approval, .. } => {
                let what = What::Posted { approval: approval.as_str().to_owned() };
                (what, None, self.moves("post", amount, false))
            }
            Outcome::Declined { code, text } => {
                let (code, text) = (code.to_string(), text.as_str().to_owned());
                (What::Declined { code, text }, None, self.moves("void", amount, false))
            }
            Outcome::Voided { reason, advice } => {
                self.owe(advice);
                let code = reason.response_code().to_string();
                let what = What::Voided { code, text: reason.text().to_owned() };
                (what, Some(advice), self.moves("void", amount, false))
            }
        }
    }

    fn reversed(&mut self, reversed: &Reversed) -> (What, Option<Trace>, Vec<Move>) {
        self.owe(reversed.advice);
        let what = What::Reversed {
            amount: self.currency.show(reversed.returned),
            code: reversed.code.to_string(),
            in_flight: reversed.in_flight,
        };
        let moves = if reversed.in_flight {
            let held = self.seen.map_or(Amount::ZERO, |(seen, _)| seen.amount);
            self.moves("void", held, false)
        } else {
            self.moves("return", reversed.returned, true)
        };
        (what, Some(reversed.advice), moves)
    }

    fn owe(&mut self, trace: Trace) {
        if let Some((_, Some(issuer))) = self.seen {
            self.owed.push((issuer, trace));
        }
    }

    /// The way of the money of this payment, there or back.
    fn moves(&self, leg: &'static str, amount: Amount, back: bool) -> Vec<Move> {
        let Some((seen, Some(issuer))) = self.seen else { return Vec::new() };
        let there = legs::route(&seen, issuer, self.currency);
        let route = if back { there.back() } else { there };
        let name = |id: u128| {
            AccountName::of(id).map_or_else(|| format!("{id:032x}"), |name| name.to_string())
        };
        let (debit, credit) = (name(route.from), name(route.to));
        vec![Move { leg, debit, credit, amount: self.currency.show(amount) }]
    }
}
