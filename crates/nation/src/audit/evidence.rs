//! What an auditor may see: plain values that shops, banks and the hub publish.

use host::view::{AccountView, Overview, PaymentView};
use scheme::{Amount, ApprovalCode, Iin, ParticipantId, Rrn, Stan, TerminalId};

/// What is known of a nation at rest.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The hub's totals.
    pub hub: Overview,
    /// The stations' totals.
    pub stations: Vec<Overview>,
    /// The hub's accounts, as published.
    pub accounts: Vec<AccountView>,
    /// The hub's payments, as published.
    pub payments: Vec<PaymentView>,
    /// The banks' own books.
    pub banks: Vec<BankEvidence>,
    /// What shops, and banks' own terminals, saw.
    pub askers: Vec<Asker>,
    /// What the scheme's rules have as numbers.
    pub rules: Rules,
}

/// Numbers that the rules leave to configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Whether no pre-authorisation is old enough to end by itself: what nobody completed stands.
    pub holds_stand: bool,
    /// The largest refund that names no payment, minor units; 0 = none.
    pub refund_max: u64,
    /// All such refunds of a retailer in a day, minor units.
    pub refund_day_max: u64,
}

/// One bank.
#[derive(Clone, Debug)]
pub struct BankEvidence {
    /// Its institution code (DE32).
    pub id: ParticipantId,
    /// The prefix of its cards.
    pub iin: Iin,
    /// Its net debit cap.
    pub cap: Amount,
    /// Every line of its book, refills apart.
    pub lines: Vec<Line>,
}

/// A line of a bank's book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// DE32; 0 where the request named none.
    pub acquirer: u64,
    /// DE41.
    pub terminal: TerminalId,
    /// DE37.
    pub rrn: Rrn,
    /// Minor units added to the cardholder's balance.
    pub effect: i64,
    /// Whether it takes another line back.
    pub back: bool,
}

/// Somebody who asks for payments and writes down what came of them.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Who, for a reader.
    pub name: String,
    /// Requests that ended.
    pub claims: Vec<Claim>,
    /// Requests whose reversal or completion nobody has acknowledged.
    pub owed: Vec<Claim>,
    /// Requests without an answer.
    pub unanswered: usize,
}

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ask {
    /// 0200, DE3 00.
    Purchase,
    /// 0200, DE3 01.
    Cash,
    /// 0200, DE3 20.
    Refund,
    /// 0200, DE3 31.
    Balance,
    /// 0100.
    Hold,
    /// 0220 that names an earlier 0100.
    Completion,
}

/// How a request ended, as far as its asker knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Answered 00.
    Approved,
    /// Answered with anything else.
    Declined,
    /// Nobody waited for the answer.
    Unknown,
    /// Its reversal was acknowledged.
    Reversed,
    /// Its reversal in part was acknowledged; so much was to stay.
    Kept(Amount),
    /// Its reversal was answered with anything but 00.
    ReversalRefused,
    /// Nobody has acknowledged its reversal.
    Owed,
}

/// DE32, DE41 and DE11: one request, as long as a run is shorter than a million of them.
pub(crate) type Trace = (u64, String, u32);

/// What an asker saw of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// DE32.
    pub acquirer: ParticipantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE11 of the first request.
    pub stan: Stan,
    /// What it asked for.
    pub ask: Ask,
    /// The request that it refunds or completes: DE41 and DE11.
    pub of: Option<(TerminalId, Stan)>,
    /// DE37 of the answer.
    pub rrn: Rrn,
    /// DE38 of the answer.
    pub approval: ApprovalCode,
    /// DE4.
    pub amount: Amount,
    /// The card's issuer.
    pub issuer: Iin,
    /// Whether an approval was seen, whatever came after.
    pub approved: bool,
    /// How it ended.
    pub end: End,
}

impl Claim {
    pub(crate) fn trace(&self) -> Trace {
        (self.acquirer.get(), self.terminal.to_string(), self.stan.get())
    }

    /// The trace of what it refunds or completes.
    pub(crate) fn of_trace(&self) -> Option<Trace> {
        self.of.map(|(terminal, stan)| (self.acquirer.get(), terminal.to_string(), stan.get()))
    }

    pub(crate) fn minor(&self) -> i128 {
        i128::from(self.amount.minor())
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {} {:?}", self.ask, self.terminal, self.stan, self.end)
    }
}
