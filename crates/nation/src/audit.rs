//! The auditor. It believes nobody: it holds what shops saw against what the hub publishes and
//! both against the banks' own books, after all has come to rest. It knows the rule book, not the
//! switch.
//!
//! How things flow: the world gathers [`Evidence`], plain values that any bank's back office could
//! download; [`judge`] gives every [`Violation`], in a fixed order.
//! Absent on purpose: anything of `switch`, `ledger` or `interchange`.

pub(crate) mod accounts;
mod books;
mod evidence;
mod holds;
mod index;
mod payments;
mod refunds;
pub(crate) mod secrets;
#[cfg(test)]
mod tests;

use std::fmt;

pub use evidence::{Ask, Asker, BankEvidence, Claim, End, Evidence, Line, Rules};

use crate::limits::VIOLATIONS_MAX;

/// What must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// Something is still under way, or owed.
    Pending(String),
    /// The accounts do not sum to zero.
    NotZeroSum(String),
    /// An account below what it may be.
    CapPassed(String),
    /// Positions in the ledger differ from those that follow from the banks' books.
    Positions(String),
    /// A shop saw an approval that is not posted, exactly once, as it saw it.
    Approval(String),
    /// A shop saw a refusal or a reversal of what is posted.
    NotUndone(String),
    /// A reversal was refused.
    ReversalRefused(String),
    /// A bank's book differs from the ledger.
    Book(String),
    /// More, or less, went back than was asked for or paid.
    Returns(String),
    /// A completion that counts was not posted, or a hold as no completion said.
    Completion(String),
    /// A payment that no shop made, or two under one reference.
    Invented(String),
    /// A bank undid what it may not, or twice.
    Bank(String),
    /// A file holds what may never be stored.
    Secret(String),
    /// A role and its replay differ.
    Replay(String),
    /// A journal could not be read.
    Damage(String),
    /// A machine broke a contract, or panicked.
    Machine(String),
    /// The healed nation does no useful work.
    NoWork(String),
}

impl Violation {
    /// Its kind in a few words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending(_) => "not drained",
            Self::NotZeroSum(_) => "not zero-sum",
            Self::CapPassed(_) => "cap passed",
            Self::Positions(_) => "positions differ",
            Self::Approval(_) => "approval not posted once",
            Self::NotUndone(_) => "refused or reversed, yet posted",
            Self::ReversalRefused(_) => "reversal refused",
            Self::Book(_) => "bank's book differs",
            Self::Returns(_) => "wrong return",
            Self::Completion(_) => "wrong completion",
            Self::Invented(_) => "invented payment",
            Self::Bank(_) => "bank's book is wrong in itself",
            Self::Secret(_) => "secret stored",
            Self::Replay(_) => "replay differs",
            Self::Damage(_) => "journal damaged",
            Self::Machine(_) => "machine failed",
            Self::NoWork(_) => "no useful work",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Pending(text)
            | Self::NotZeroSum(text)
            | Self::CapPassed(text)
            | Self::Positions(text)
            | Self::Approval(text)
            | Self::NotUndone(text)
            | Self::ReversalRefused(text)
            | Self::Book(text)
            | Self::Returns(text)
            | Self::Completion(text)
            | Self::Invented(text)
            | Self::Bank(text)
            | Self::Secret(text)
            | Self::Replay(text)
            | Self::Damage(text)
            | Self::Machine(text)
            | Self::NoWork(text) => text,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.text())
    }
}

/// Everything that is wrong, the first [`VIOLATIONS_MAX`] of it.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let mut found = pending(evidence);
    accounts::judge(evidence, &mut found);
    payments::judge(evidence, &mut found);
    found.truncate(VIOLATIONS_MAX);
    found
}

/// What is still under way or owed.
pub fn pending(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut tell = |what: String| found.push(Violation::Pending(what));
    for role in [&evidence.hub].into_iter().chain(&evidence.stations) {
        if role.in_flight > 0 {
            tell(format!("{} payments under way at {}", role.in_flight, role.role));
        }
        if role.saf_depth > 0 {
            tell(format!("{} advices owed by {}", role.saf_depth, role.role));
        }
    }
    for asker in &evidence.askers {
        if asker.unanswered > 0 {
            tell(format!("{} requests of {} without an answer", asker.unanswered, asker.name));
        }
        for claim in &asker.owed {
            tell(format!("{claim}: not acknowledged"));
        }
    }
    if let Some(payment) = holds::pending(&evidence.payments, evidence.rules) {
        tell(format!("payment {payment}"));
    }
    found
}

/// Minor units of a decimal string with two places, as the hub prints them.
fn minor(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "00"));
    let part = (part.len() == 2).then_some(part)?;
    let whole: i128 = whole.parse().ok()?;
    Some(sign * (whole * 100 + part.parse::<i128>().ok()?))
}
