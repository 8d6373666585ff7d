//! What a message says, in the switch's words. `interchange` makes these from ISO 8583 messages
//! and trunk frames, and turns answers back.

use alloc::vec::Vec;
use core::fmt;

use scheme::{
    Amount, ApprovalCode, BusinessDate, CardRef, FixedText, LocalTime, MonthTime, Mti,
    ParticipantId, PaymentId, Processing, Reason, ResponseCode, RetailerId, Rrn, Stan, StationId,
    TerminalId, Timestamp,
};

use crate::limits::CARRIED_ROOM;
use crate::record::Seen;

/// DE44, ans..25.
pub type Text25 = FixedText<25>;

/// Who is at the other end of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerId {
    /// A base station, on its trunk.
    Station(StationId),
    /// A bank, on its link.
    Bank(ParticipantId),
    /// A terminal connection at a station, by the connection's number.
    Terminal(u64),
}

impl PeerId {
    /// The station, if it is one.
    pub fn station(self) -> Option<StationId> {
        match self {
            Self::Station(station) => Some(station),
            Self::Bank(_) | Self::Terminal(_) => None,
        }
    }
}

/// Where an answer goes: a peer, and the number that the peer's session gave the request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyTo {
    /// Who asked.
    pub peer: PeerId,
    /// The asker's own number of the request.
    pub ticket: u64,
}

/// Fields that pass through unchanged (R-FIELDS). They ride beside inputs and effects, are in no
/// record and no state hash, and are gone after a crash (R-SECRETS).
///
/// One buffer for all of them, each as its number (1 byte), its length (2) and its value: most
/// requests carry some, and each would else be an allocation.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Carried(Vec<u8>);

impl Carried {
    /// Nothing carried.
    pub const NONE: Self = Self(Vec::new());

    /// Adds a data element. None is longer than 65,535 bytes: a message is not.
    pub fn push(&mut self, de: u8, value: &[u8]) {
        if self.0.is_empty() {
            self.0.reserve(CARRIED_ROOM);
        }
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        let [low, high] = length.to_le_bytes();
        self.0.extend_from_slice(&[de, low, high]);
        self.0.extend_from_slice(value);
    }

    /// Data elements in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = self.0.as_slice();
        core::iter::from_fn(move || {
            let ([de, low, high], after) = rest.split_first_chunk()?;
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let (value, after) = after.split_at_checked(length)?;
            rest = after;
            Some((*de, value))
        })
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(de, _)| de)).finish()
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // Best effort: these may hold tracks and PIN blocks.
        self.0.fill(0);
    }
}

/// DE90: what a reversal says of its original. Zero means "not said" and matches anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OriginalRef {
    /// MTI of the original.
    pub mti: u16,
    /// DE11 of the original.
    pub stan: u32,
    /// DE7 of the original, as a number of ten digits.
    pub transmitted: u32,
    /// DE32 of the original.
    pub acquirer: u64,
    /// DE33 of the original.
    pub forwarding: u64,
}

/// A request or advice, from a terminal, an acquirer's host, or a station on their behalf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Message type as sent, repeat flag included.
    pub mti: Mti,
    /// DE32.
    pub acquirer: ParticipantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE42; blank only where nobody knows it.
    pub retailer: RetailerId,
    /// DE11.
    pub stan: Stan,
    /// DE7, UTC.
    pub transmitted: MonthTime,
    /// DE13 and DE12, local.
    pub local: LocalTime,
    /// DE37.
    pub rrn: Rrn,
    /// Whether the sender gave DE37 itself.
    pub rrn_sent: bool,
    /// DE3.
    pub processing: Processing,
    /// DE4 in minor units of `currency`.
    pub amount: Amount,
    /// DE49, ISO 4217 numeric.
    pub currency: u16,
    /// The card; absent in some reversals, and when the number is too short to be one.
    pub card: Option<CardRef>,
    /// Whether PAN length and check digit are right (DE39 14 otherwise).
    pub card_valid: bool,
    /// DE14 or the track's expiry, YYMM.
    pub expiry: Option<u16>,
    /// DE33; zero when absent.
    pub forwarding: u64,
    /// DE52 was present (and has been wiped).
    pub has_pin: bool,
    /// DE90.
    pub original: Option<OriginalRef>,
    /// DE95: what was really paid out, for a partial reversal.
    pub actual: Option<Amount>,
    /// DE39 of a reversal: why.
    pub reason: Option<ResponseCode>,
    /// DE38 of a completion: which pre-authorisation; blank when absent.
    pub approval: ApprovalCode,
    /// First receipt at our first hop, by that hop's clock.
    pub first_received: Timestamp,
    /// How long the request had waited when the trunk frame left, in milliseconds.
    pub age_ms: u32,
    /// What the payment's id will be if this is its first request; also seals the card.
    pub candidate: PaymentId,
    /// Fields that pass through.
    pub carried: Carried,
}

impl Request {
    /// What is kept of it: all that repeats and reversals are matched against, and that the issuer
    /// may have to be told again. `station` is the one that it came through.
    pub fn seen(&self, station: Option<StationId>) -> Seen {
        Seen {
            mti: self.mti.first(),
            acquirer: self.acquirer,
            terminal: self.terminal,
            retailer: self.retailer,
            stan: self.stan,
            transmitted: self.transmitted,
            local: self.local,
            rrn: self.rrn,
            rrn_sent: self.rrn_sent,
            processing: self.processing,
            amount: self.amount,
            currency: self.currency,
            card: self.card,
            forwarding: self.forwarding,
            station,
            first_received: self.first_received,
        }
    }
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// DE39.
    pub code: ResponseCode,
    /// DE44; blank when absent.
    pub text: Text25,
    /// DE38; blank when absent.
    pub approval: ApprovalCode,
    /// DE37 of the payment.
    pub rrn: Rrn,
    /// DE15.
    pub business_date: Option<BusinessDate>,
    /// Fields of the issuer that pass through.
    pub carried: Carried,
}

impl Answer {
    /// A refusal of ours.
    pub fn refusal(reason: Reason, rrn: Rrn) -> Self {
        Self {
            code: reason.response_code(),
            text: text25(reason.text()),
            approval: ApprovalCode::BLANK,
            rrn,
            business_date: None,
            carried: Carried::NONE,
        }
    }

    /// An acknowledgement: 00 and nothing else.
    pub fn acknowledgement(rrn: Rrn) -> Self {
        Self {
            code: ResponseCode::APPROVED,
            text: Text25::BLANK,
            approval: ApprovalCode::BLANK,
            rrn,
            business_date: None,
            carried: Carried::NONE,
        }
    }
}

/// DE44 of a text of ours.
pub fn text25(text: &str) -> Text25 {
    Text25::new(text.as_bytes()).unwrap_or_default()
}

/// What names one message between the hub and an issuer: DE11 and DE7, both the hub's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Trace {
    /// DE11.
    pub stan: Stan,
    /// DE7, UTC.
    pub transmitted: MonthTime,
}

/// The id under which the card of a message is sealed at this node.
pub(crate) fn candidate(seen: &Seen, clock: scheme::CivilDateTime) -> PaymentId {
    scheme::PaymentSeed {
        acquirer: seen.acquirer,
        terminal: seen.terminal,
        stan: seen.stan,
        local: seen.local,
    }
    .id(clock)
}
