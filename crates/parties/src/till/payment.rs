//! One payment as its terminal sees it, from the first request to what is written down of it.

use scheme::{
    Amount, ApprovalCode, Iin, LocalTime, Mti, Pan, ParticipantId, ResponseCode, Rrn, Stan,
    TerminalId, Timestamp,
};
use wire::iso8583::Message;

use crate::iso;
use crate::shop::ShopConfig;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// 0200, DE3 00.
    Purchase,
    /// 0200, DE3 01.
    Cash,
    /// 0200, DE3 20: money for the cardholder.
    Refund,
    /// 0200, DE3 31: moves nothing.
    Balance,
    /// 0100, DE3 00: holds the amount.
    Preauth,
    /// 0220, DE3 00: takes what an earlier pre-authorisation holds, or a part of it.
    Completion,
}

impl Kind {
    /// The word for it in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Cash => "cash",
            Self::Refund => "refund",
            Self::Balance => "balance",
            Self::Preauth => "preauth",
            Self::Completion => "completion",
        }
    }

    fn mti(self, repeat: bool) -> Mti {
        match (self, repeat) {
            (Self::Purchase | Self::Cash | Self::Refund | Self::Balance, false) => iso::FINANCIAL,
            (Self::Purchase | Self::Cash | Self::Refund | Self::Balance, true) => {
                iso::FINANCIAL_REPEAT
            }
            (Self::Preauth, false) => iso::AUTHORISATION,
            (Self::Preauth, true) => iso::AUTHORISATION_REPEAT,
            (Self::Completion, false) => iso::ADVICE,
            (Self::Completion, true) => iso::ADVICE_REPEAT,
        }
    }

    /// MTI of the answer to it.
    pub(crate) const fn answered_by(self) -> u16 {
        match self {
            Self::Purchase | Self::Cash | Self::Refund | Self::Balance => 210,
            Self::Preauth => 110,
            Self::Completion => 230,
        }
    }

    fn processing(self) -> &'static str {
        match self {
            Self::Purchase | Self::Preauth | Self::Completion => "000000",
            Self::Cash => "010000",
            Self::Refund => "200000",
            Self::Balance => "310000",
        }
    }
}

/// How a payment ended, as far as the shop knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Answered with 00.
    Approved,
    /// Answered with this code.
    Declined(ResponseCode),
    /// No answer, and the customer was let go.
    Unknown,
    /// A reversal was acknowledged, with this code.
    Reversed(ResponseCode),
    /// A reversal in part was acknowledged, with this code; [`Seen::kept`] was to stay.
    ReversedInPart(ResponseCode),
    /// A reversal or a completion is being sent and has no acknowledgement yet.
    ReversalOwed,
}

/// What a shop saw of one payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// DE32.
    pub acquirer: ParticipantId,
    /// What was asked for.
    pub kind: Kind,
    /// What it refunds or completes: DE41 and DE11 of that request. None for what names nothing
    /// that is known.
    pub original: Option<(TerminalId, Stan)>,
    /// DE11 of the request.
    pub stan: Stan,
    /// DE13 and DE12 of the request.
    pub local: LocalTime,
    /// DE41.
    pub terminal: TerminalId,
    /// DE37 of the answer; blank when none came.
    pub rrn: Rrn,
    /// DE38 of the answer; blank when none came.
    pub approval: ApprovalCode,
    /// DE4.
    pub amount: Amount,
    /// What a reversal in part leaves (DE95); zero otherwise.
    pub kept: Amount,
    /// The card's issuer.
    pub issuer: Iin,
    /// The card's account.
    pub account: u32,
    /// When the request was first sent.
    pub sent: Timestamp,
    /// When the outcome was known, or the request last sent.
    pub at: Timestamp,
    /// Whether an approval was seen, whatever came after.
    pub approved: bool,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a payment waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// 0210 or 0110; so many repeats have been sent.
    Answer { repeats: u8 },
    /// 0430 to the reversal with this DE11 and local time; DE39 says why.
    Acknowledgement { stan: Stan, local: LocalTime, sent_at: u32, why: &'static str },
    /// 0230 to a completion, which is repeated until it comes.
    Advice,
}

/// By what a refund or a completion names its original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NamedBy {
    /// DE90.
    Data,
    /// DE37.
    Reference,
    /// DE38, with the card.
    Approval,
}

/// What a refund or a completion names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) by: NamedBy,
    pub(crate) mti: Mti,
    pub(crate) stan: Stan,
    /// DE7.
    pub(crate) sent_at: u32,
    pub(crate) rrn: Rrn,
    pub(crate) approval: ApprovalCode,
}

/// A payment without an outcome.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) seen: Seen,
    pub(crate) pan: Pan,
    /// DE7 of the first request.
    pub(crate) sent_at: u32,
    pub(crate) phase: Phase,
    pub(crate) due: Timestamp,
    pub(crate) named: Option<Named>,
}

/// DE39 of a reversal in part.
pub(crate) const IN_PART: &str = "32";

impl Payment {
    /// What a later message needs to name this one.
    pub(crate) fn named(&self, by: NamedBy) -> Named {
        let Seen { kind, stan, rrn, approval, .. } = self.seen;
        Named { by, mti: kind.mti(false), stan, sent_at: self.sent_at, rrn, approval }
    }

    /// 0200, 0100 or 0220, or a repeat of one; a repeat may carry a DE7, DE12 and DE13 of its own.
    pub(crate) fn request(
        &self,
        config: &ShopConfig,
        repeat: bool,
        sent_at: u32,
        local: LocalTime,
    ) -> Message {
        let mut message = iso::message(self.seen.kind.mti(repeat));
        self.common(config, &mut message);
        iso::put(&mut message, 7, &format!("{sent_at:010}"));
        iso::put(&mut message, 11, &self.seen.stan.to_string());
        put_local(&mut message, local);
        message.set(14, &config.expiry);
        if let Some(named) = self.named {
            match named.by {
                NamedBy::Data => {
                    let Named { mti, stan, sent_at, .. } = named;
                    let data = iso::original(mti, stan, sent_at, config.acquirer);
                    iso::put(&mut message, 90, &data);
                }
                NamedBy::Reference => message.set(37, named.rrn.bytes()),
                NamedBy::Approval => message.set(38, named.approval.bytes()),
            }
        }
        message
    }

    /// 0420 or 0421, when the phase is one of reversal.
    pub(crate) fn reversal(&self, config: &ShopConfig, repeat: bool) -> Option<Message> {
        let Phase::Acknowledgement { stan, local, sent_at, why } = self.phase else {
            return None;
        };
        let mti = if repeat { iso::REVERSAL_REPEAT } else { iso::REVERSAL };
        let mut message = iso::message(mti);
        self.common(config, &mut message);
        iso::put(&mut message, 7, &format!("{sent_at:010}"));
        iso::put(&mut message, 11, &stan.to_string());
        put_local(&mut message, local);
        if !self.seen.rrn.is_blank() {
            message.set(37, self.seen.rrn.bytes());
        }
        iso::put(&mut message, 39, why);
        if why == IN_PART {
            let kept = self.seen.kept.minor();
            iso::put(&mut message, 95, &format!("{kept:012}{:012}C{:08}C{:08}", 0, 0, 0));
        }
        let mti = self.seen.kind.mti(false);
        let original = iso::original(mti, self.seen.stan, self.sent_at, config.acquirer);
        iso::put(&mut message, 90, &original);
        Some(message)
    }

    /// DE2, 3, 4, 32, 41, 42, 49.
    fn common(&self, config: &ShopConfig, message: &mut Message) {
        message.set(2, self.pan.digits());
        iso::put(message, 3, self.seen.kind.processing());
        if self.seen.kind != Kind::Balance {
            iso::put(message, 4, &format!("{:012}", self.seen.amount.minor()));
        }
        iso::put(message, 32, &config.acquirer.to_string());
        message.set(41, self.seen.terminal.bytes());
        message.set(42, config.retailer.bytes());
        iso::put(message, 49, &format!("{:03}", config.currency.numeric()));
    }
}

fn put_local(message: &mut Message, local: LocalTime) {
    iso::put(message, 12, &format!("{:06}", local.time()));
    iso::put(message, 13, &format!("{:04}", local.date()));
}
