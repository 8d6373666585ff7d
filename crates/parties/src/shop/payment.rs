//! One payment as its terminal sees it, from the first request to what the shop writes down.

use scheme::{
    Amount, ApprovalCode, Iin, LocalTime, Pan, ResponseCode, Rrn, Stan, TerminalId, Timestamp,
};
use wire::iso8583::Message;

use crate::iso;
use crate::shop::config::ShopConfig;

/// How a payment ended, as far as the shop knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// 0210 with 00.
    Approved,
    /// 0210 with this code.
    Declined(ResponseCode),
    /// No answer, and the customer was let go.
    Unknown,
    /// A reversal was acknowledged, with this code.
    Reversed(ResponseCode),
    /// A reversal is being sent and has no acknowledgement yet.
    ReversalOwed,
}

/// What a shop saw of one payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
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
    /// 0210; so many 0201 have been sent.
    Answer { repeats: u8 },
    /// 0430 to the reversal with this DE11 and local time; DE39 says why.
    Acknowledgement { stan: Stan, local: LocalTime, sent_at: u32, why: &'static str },
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
}

impl Payment {
    /// 0200 or 0201; a repeat may carry a DE7, DE12 and DE13 of its own.
    pub(crate) fn request(
        &self,
        config: &ShopConfig,
        repeat: bool,
        sent_at: u32,
        local: LocalTime,
    ) -> Message {
        let mti = if repeat { iso::FINANCIAL_REPEAT } else { iso::FINANCIAL };
        let mut message = iso::message(mti);
        self.common(config, &mut message);
        iso::put(&mut message, 7, &format!("{sent_at:010}"));
        iso::put(&mut message, 11, &self.seen.stan.to_string());
        put_local(&mut message, local);
        message.set(14, &config.expiry);
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
        let original = iso::original(iso::FINANCIAL, self.seen.stan, self.sent_at, config.acquirer);
        iso::put(&mut message, 90, &original);
        Some(message)
    }

    /// DE2, 3, 4, 32, 41, 42, 49.
    fn common(&self, config: &ShopConfig, message: &mut Message) {
        message.set(2, self.pan.digits());
        iso::put(message, 3, "000000");
        iso::put(message, 4, &format!("{:012}", self.seen.amount.minor()));
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
