//! What the hub's journal holds: decisions, never inputs (`docs/formats/records.md`).
//!
//! A record is an envelope (kind, version, time) that the journal keeps, and a payload that is laid
//! out here, little-endian. A payment's records imply its transfers ([`crate::legs`]). Numbers of
//! kinds are never reused; a kind grows by a new version, and old versions stay readable.

mod codec;
mod part;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::string::String;

use scheme::{
    Amount, ApprovalCode, BusinessDate, CardRef, Currency, Iin, LocalTime, MonthTime, Mti,
    MtiClass, ParticipantId, PaymentId, PaymentKind, Processing, Reason, ResponseCode, RetailerId,
    Rrn, Stan, StationId, TerminalId, Timestamp, Token, TransactionKind,
};

use crate::hub::Kept;
use crate::request::{OriginalRef, Text25, Trace};

pub use codec::{decode, encode, is_finding};
pub(crate) use codec::{get_original, get_seen, put_original, put_seen};
pub(crate) use codec::{is_of_payment, says_id_alone, says_request};
pub use part::Part;

/// A decision, and when it was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// When, in whole microseconds.
    pub at: Timestamp,
    /// What was decided.
    pub fact: Fact,
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Fact {
    /// The nation and its one currency. Implies the settlement account.
    Nation {
        /// Name.
        name: String,
        /// Currency of every account.
        currency: Currency,
        /// Largest amount of one payment.
        amount_max: Amount,
    },
    /// A base station.
    Station {
        /// Number.
        id: StationId,
        /// Two characters of its reference numbers.
        code: [u8; 2],
        /// Name.
        name: String,
    },
    /// A bank that settles. Implies its accounts.
    Participant {
        /// Institution code (DE32).
        id: ParticipantId,
        /// Name.
        name: String,
    },
    /// Cards that begin with `iin` are `issuer`'s.
    Route {
        /// Leading digits.
        iin: Iin,
        /// The bank.
        issuer: ParticipantId,
    },
    /// A terminal, by (acquirer, DE41).
    Terminal {
        /// DE32.
        acquirer: ParticipantId,
        /// DE41.
        terminal: TerminalId,
        /// At whose port it speaks.
        station: StationId,
        /// DE42.
        retailer: RetailerId,
    },
    /// A net debit cap. Implies one transfer between cap and position, of the difference.
    Cap {
        /// The bank.
        participant: ParticipantId,
        /// The cap from now on.
        amount: Amount,
        /// Ledger id of the transfer (R-MATCH: record kind and journal record number).
        transfer: u128,
    },
    /// A card to be refused.
    HotCard {
        /// The card.
        token: Token,
        /// Lost, stolen or restricted.
        reason: Reason,
    },
    /// A change of the business part, and who made it. The records that it consists of follow;
    /// each of them replaces what was known of its subject.
    Changed {
        /// Who, as `bongsu config apply` was told.
        author: String,
        /// How many records follow.
        records: u32,
    },
    /// Something is no part of the nation any more.
    Removed(Removed),
    /// What a retailer may refund without naming a payment, from now on.
    Retailer {
        /// DE42.
        retailer: RetailerId,
        /// Largest amount of one such refund.
        refund_max: Amount,
        /// Largest sum of them in one business day.
        refund_day_max: Amount,
    },
    /// The hub works in this epoch from now on.
    Epoch {
        /// Number, only rising.
        epoch: u64,
    },
    /// A payment exists: its hold stands. Implies the hold.
    Opened(Opened),
    /// Refused by us before the issuer was asked. With `Reason::Cap`, implies the refused hold.
    Declined(Declined),
    /// The issuer's answer, or its absence. Implies the post or the void.
    Closed(Closed),
    /// Returned by reversal. Implies the return, or the void of a payment in flight.
    Reversed(Reversed),
    /// A pre-authorisation was completed. Implies the post, or the payment of one that had expired.
    Completed(Completed),
    /// A reversal whose original is unknown (R-TOMB).
    Tombstone(Tombstone),
    /// An issuer acknowledged an advice of ours.
    Discharged {
        /// The issuer.
        bank: ParticipantId,
        /// DE11 and DE7 of the advice.
        trace: Trace,
        /// DE39 of its acknowledgement.
        code: ResponseCode,
    },
    /// Everything up to this record can be read back from indexed segments.
    Covered {
        /// The record.
        record: u64,
    },
    /// A payment that had become cold is in hand again, as it stands: what follows changes it.
    Recalled(Box<Kept>),
    /// A payment that was more than opened and closed is over, as it stands: it may become cold.
    Retired(Box<Kept>),
    /// An engine that answers later is asked about this decision. The next record that moves money
    /// or makes accounts is what has come of the oldest such; the second way of the oldest, by an
    /// overcap account, takes its place.
    Proposed(Box<Fact>),
    /// The engine refused the oldest decision that is proposed, and nothing follows.
    Dropped,
    /// Something that a person must look at.
    Finding(Finding),
    /// Room appeared on a position: this much of the overcap is repaid. Implies the transfer.
    OvercapRepaid {
        /// The bank.
        participant: ParticipantId,
        /// How much.
        amount: Amount,
        /// Ledger id of the transfer.
        transfer: u128,
    },
    /// A new business date and cycle.
    Cutover {
        /// The cycle that begins.
        cycle: u32,
        /// Its business date.
        date: BusinessDate,
    },
    /// A position was netted to zero against settlement. Implies the transfer.
    Netted {
        /// The bank.
        participant: ParticipantId,
        /// How much.
        amount: Amount,
        /// Whether the bank is paid (its position falls) or pays.
        paid_out: bool,
        /// Ledger id of the transfer.
        transfer: u128,
    },
}

/// What was taken out of the business part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Removed {
    /// A station, at which no terminal is left.
    Station {
        /// Number.
        id: StationId,
    },
    /// A terminal.
    Terminal {
        /// DE32.
        acquirer: ParticipantId,
        /// DE41.
        terminal: TerminalId,
    },
    /// A route: cards that begin so have no issuer any more.
    Route {
        /// Leading digits.
        iin: Iin,
    },
    /// A hot card, which may pay again.
    HotCard {
        /// The card.
        token: Token,
    },
    /// A retailer's leave to refund without naming a payment.
    Retailer {
        /// DE42.
        retailer: RetailerId,
    },
}

/// A request as it was first received: what repeats and reversals are matched against, and what
/// the issuer will be told again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Message type, without its repeat flag.
    pub mti: Mti,
    /// DE32.
    pub acquirer: ParticipantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE42.
    pub retailer: RetailerId,
    /// DE11.
    pub stan: Stan,
    /// DE7.
    pub transmitted: MonthTime,
    /// DE13 and DE12.
    pub local: LocalTime,
    /// DE37.
    pub rrn: Rrn,
    /// Whether the sender gave DE37 itself.
    pub rrn_sent: bool,
    /// DE3.
    pub processing: Processing,
    /// DE4.
    pub amount: Amount,
    /// DE49.
    pub currency: u16,
    /// The card; absent when its number was too short to be one.
    pub card: Option<CardRef>,
    /// DE33; zero when absent.
    pub forwarding: u64,
    /// The station it came through; none for an acquirer's host.
    pub station: Option<StationId>,
    /// First receipt at our first hop.
    pub first_received: Timestamp,
}

/// A payment whose hold stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Opened {
    /// Its id.
    pub id: PaymentId,
    /// The request.
    pub seen: Seen,
    /// Who is asked.
    pub issuer: ParticipantId,
    /// DE11 and DE7 of the request to the issuer.
    pub trace: Trace,
    /// The hub's business date.
    pub business_date: BusinessDate,
    /// The settlement cycle.
    pub cycle: u32,
    /// The payment that a linked refund returns.
    pub original: Option<PaymentId>,
}

/// A request that we refused.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Declined {
    /// Its id.
    pub id: PaymentId,
    /// The request.
    pub seen: Seen,
    /// Why.
    pub reason: Reason,
    /// Whose card it was, where that was known.
    pub issuer: Option<ParticipantId>,
    /// The hub's business date.
    pub business_date: BusinessDate,
    /// The settlement cycle.
    pub cycle: u32,
}

/// The end of a payment that was under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Closed {
    /// Which payment.
    pub id: PaymentId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a payment that was under way ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Approved and posted.
    Posted {
        /// DE38.
        approval: ApprovalCode,
        /// DE44 of the issuer.
        text: Text25,
    },
    /// A pre-authorisation, approved: the hold stays for its completion.
    Held {
        /// DE38.
        approval: ApprovalCode,
        /// DE44 of the issuer.
        text: Text25,
    },
    /// Declined by the issuer; the hold is released.
    Declined {
        /// DE39.
        code: ResponseCode,
        /// DE44 of the issuer.
        text: Text25,
    },
    /// No usable answer: the hold is released and the issuer is owed a reversal advice.
    Voided {
        /// Why.
        reason: Reason,
        /// DE11 and DE7 of the advice.
        advice: Trace,
    },
}

/// A reversal that counted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reversed {
    /// Which payment.
    pub id: PaymentId,
    /// How much went back (DE4, or DE4 less DE95).
    pub returned: Amount,
    /// Whether the acquirer had no room, so that its overcap account paid.
    pub overcap: bool,
    /// Whether the payment was still under way, so that its hold is released instead.
    pub in_flight: bool,
    /// DE39 of the advice: 17, 22, 32 or 68.
    pub code: ResponseCode,
    /// DE11 and DE7 of the advice owed to the issuer.
    pub advice: Trace,
}

/// A completion that counted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Completed {
    /// The pre-authorisation.
    pub id: PaymentId,
    /// How much is posted (DE4 of the completion).
    pub amount: Amount,
    /// Whether the hold had expired, so that the money moves without it.
    pub late: bool,
    /// Whether the issuer had no room then, so that its overcap account pays.
    pub overcap: bool,
    /// DE11 of the completion, as the terminal sent it.
    pub stan: Stan,
    /// DE7 of the completion, as the terminal sent it.
    pub transmitted: MonthTime,
    /// DE37 of the completion.
    pub rrn: Rrn,
    /// First receipt of the completion at our first hop.
    pub first_received: Timestamp,
    /// DE11 and DE7 of the advice (0220) owed to the issuer.
    pub advice: Trace,
}

/// A reversal without an original.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tombstone {
    /// DE32.
    pub acquirer: ParticipantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE11 of the original, from DE90; its own without one.
    pub stan: Stan,
    /// DE7 of the original, from DE90; zero matches any.
    pub transmitted: u32,
    /// MTI of the original, from DE90; zero matches any.
    pub mti: u16,
    /// DE37, when sent.
    pub rrn: Option<Rrn>,
    /// First two digits of DE3.
    pub transaction: u8,
    /// DE4.
    pub amount: Amount,
    /// The card, when sent.
    pub token: Option<Token>,
    /// First receipt of the reversal.
    pub first_received: Timestamp,
    /// DE13 and DE12 of the reversal.
    pub local: LocalTime,
}

/// What a person must look at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Which payment, if one.
    pub payment: Option<PaymentId>,
    /// Which participant, if one.
    pub participant: Option<ParticipantId>,
    /// DE90 of the message, if it had one.
    pub original: Option<OriginalRef>,
}

/// Kinds of findings; numbers are never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum FindingKind {
    /// A reversal whose original nobody knows.
    UnknownOriginal = 1,
    /// A reversal more than 24 h after its original.
    LateReversal = 2,
    /// A reversal whose DE4 is not the original's.
    AmountMismatch = 3,
    /// Two originals fit; the newest was taken.
    TwoCandidates = 4,
    /// An issuer answered with a code that only a switch may use, or an unknown one.
    IssuerCode = 5,
    /// An advice has not been acknowledged for ten minutes.
    AdviceStuck = 6,
    /// An issuer acknowledged an advice with something other than 00.
    AdviceRefused = 7,
    /// A return did not fit under the cap.
    Overcap = 8,
    /// An advice that completes nothing: acknowledged, not posted.
    UnmatchedAdvice = 9,
    /// The wall clock went back or jumped without cause.
    Clock = 10,
    /// A torn tail was cut at recovery.
    TornTail = 11,
    /// A reversal that shows another card than its original.
    CardMismatch = 12,
    /// A terminal has so many reversals of the unknown that each new one pushes out its oldest.
    TooManyTombstones = 13,
    /// A reversal came after a refund: only the rest went back.
    ReversalAfterRefund = 14,
    /// A completion of more than was held: refused.
    OverCompletion = 15,
    /// A completion more than 24 h after its hold had expired: acknowledged, not posted.
    LateCompletion = 16,
    /// A second completion, or a reversal of a pre-authorisation that was completed.
    CompletedAlready = 17,
    /// An input that the hub died of came again, and was refused.
    Poison = 18,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::UnknownOriginal,
        Self::LateReversal,
        Self::AmountMismatch,
        Self::TwoCandidates,
        Self::IssuerCode,
        Self::AdviceStuck,
        Self::AdviceRefused,
        Self::Overcap,
        Self::UnmatchedAdvice,
        Self::Clock,
        Self::TornTail,
        Self::CardMismatch,
        Self::TooManyTombstones,
        Self::ReversalAfterRefund,
        Self::OverCompletion,
        Self::LateCompletion,
        Self::CompletedAlready,
        Self::Poison,
    ];

    /// Whether it is the issuer who must look, not the acquirer.
    pub const fn is_about_issuer(self) -> bool {
        matches!(self, Self::IssuerCode | Self::AdviceStuck | Self::AdviceRefused)
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownOriginal => "unknown_original",
            Self::LateReversal => "late_reversal",
            Self::AmountMismatch => "amount_mismatch",
            Self::TwoCandidates => "two_candidates",
            Self::IssuerCode => "issuer_code",
            Self::AdviceStuck => "advice_stuck",
            Self::AdviceRefused => "advice_refused",
            Self::Overcap => "overcap",
            Self::UnmatchedAdvice => "unmatched_advice",
            Self::Clock => "clock",
            Self::TornTail => "torn_tail",
            Self::CardMismatch => "card_mismatch",
            Self::TooManyTombstones => "too_many_tombstones",
            Self::ReversalAfterRefund => "reversal_after_refund",
            Self::OverCompletion => "over_completion",
            Self::LateCompletion => "late_completion",
            Self::CompletedAlready => "completed_already",
            Self::Poison => "poison",
        }
    }
}

impl Seen {
    /// What it asks for.
    pub fn kind(&self) -> Option<PaymentKind> {
        PaymentKind::of(self.mti, self.processing)
    }

    /// Whether the acquirer pays and the card's holder is paid (DE3 20).
    pub fn is_refund(&self) -> bool {
        self.processing.kind() == Some(TransactionKind::Refund)
    }

    /// Whether it only reserves money (0100).
    pub fn is_preauth(&self) -> bool {
        self.mti.class() == MtiClass::Authorisation
    }

    /// Who pays: the issuer, or for a refund the acquirer.
    pub fn payer(&self, issuer: ParticipantId) -> ParticipantId {
        if self.is_refund() { self.acquirer } else { issuer }
    }

    /// Who is paid: the acquirer, or for a refund the issuer.
    pub fn payee(&self, issuer: ParticipantId) -> ParticipantId {
        if self.is_refund() { issuer } else { self.acquirer }
    }
}

impl core::hash::Hash for Seen {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.mti, self.acquirer, self.terminal, self.retailer, self.stan).hash(state);
        (self.transmitted, self.local, self.rrn, self.rrn_sent, self.processing).hash(state);
        (self.amount, self.currency, self.forwarding, self.station).hash(state);
        self.first_received.hash(state);
        if let Some(card) = &self.card {
            (card.first8, card.last4, card.pan_len, card.token, card.sealed.bytes()).hash(state);
        }
    }
}
