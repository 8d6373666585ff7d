//! What a bank's journal holds: decisions, never messages. No PAN: the account's number stands for
//! the card. All numbers little-endian; a kind is never reused, a changed layout is a new kind.

use scheme::{Amount, ParticipantId, ResponseCode, Rrn, Stan, TerminalId, Timestamp};

use crate::iso::OriginalKey;

/// What finds a request again: MTI class, DE11 and DE7, as the hub sent them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestKey {
    /// Second digit of the MTI: 1 or 2; 0 in a tombstone whose DE90 did not say.
    pub class: u8,
    /// DE11.
    pub stan: Stan,
    /// DE7, MMDDhhmmss as a number; 0 in a tombstone whose DE90 did not say.
    pub sent_at: u32,
}

impl From<OriginalKey> for RequestKey {
    fn from(key: OriginalKey) -> Self {
        Self { class: key.class, stan: key.stan, sent_at: key.sent_at }
    }
}

/// One request as it was decided, approved or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decided {
    /// What finds it again.
    pub key: RequestKey,
    /// The account, when the card is one of ours.
    pub account: Option<u32>,
    /// DE4.
    pub amount: Amount,
    /// First two digits of DE3.
    pub transaction: u8,
    /// DE41.
    pub terminal: TerminalId,
    /// DE32.
    pub acquirer: Option<ParticipantId>,
    /// DE37.
    pub rrn: Rrn,
    /// DE39 of the answer.
    pub code: ResponseCode,
    /// Number of the approval (DE38); 0 when declined.
    pub approval: u32,
    /// When it was decided.
    pub at: Timestamp,
}

/// One decision of a bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// A request was decided.
    Decided(Decided),
    /// A request that had been approved was reversed, wholly or in part.
    Reversed {
        /// Which.
        key: RequestKey,
        /// What went back.
        returned: Amount,
        /// When.
        at: Timestamp,
    },
    /// A reversal came for a request that is not known; it is refused should it still come.
    Tombstone {
        /// Which.
        key: RequestKey,
        /// When.
        at: Timestamp,
    },
    /// A pre-authorisation was completed: its hold ends, and the amount is debited.
    Completed {
        /// The advice, under its own key; `amount` is what was completed.
        decided: Decided,
        /// The pre-authorisation.
        hold: RequestKey,
    },
    /// A hold that nobody completed or reversed in time ended.
    Released {
        /// Which.
        key: RequestKey,
        /// When.
        at: Timestamp,
    },
    /// An account of the simulated shops was filled up.
    Refilled {
        /// Which.
        account: u32,
        /// By how much.
        amount: Amount,
        /// When.
        at: Timestamp,
    },
}

/// Why a record could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    /// A kind that this version does not know.
    Kind(u8),
    /// Not as many bytes as its kind has, or a value out of its range.
    Content(u8),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "record kind {kind} is not a bank's, or newer than this"),
            Self::Content(kind) => write!(f, "record of kind {kind} with impossible content"),
        }
    }
}

impl std::error::Error for RecordError {}

const DECIDED: u8 = 1;
const REVERSED: u8 = 2;
const TOMBSTONE: u8 = 3;
const REFILLED: u8 = 4;
const COMPLETED: u8 = 5;
const RELEASED: u8 = 6;

impl Record {
    /// The number of its kind in the journal.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Decided(_) => DECIDED,
            Self::Reversed { .. } => REVERSED,
            Self::Tombstone { .. } => TOMBSTONE,
            Self::Refilled { .. } => REFILLED,
            Self::Completed { .. } => COMPLETED,
            Self::Released { .. } => RELEASED,
        }
    }

    /// Appends its bytes, without the kind.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Decided(decided) => put_decided(out, decided),
            Self::Completed { decided, hold } => {
                put_decided(out, decided);
                put_key(out, *hold);
            }
            Self::Reversed { key, returned, at } => {
                put_key(out, *key);
                out.extend(at.0.to_le_bytes());
                out.extend(returned.minor().to_le_bytes());
            }
            Self::Tombstone { key, at } | Self::Released { key, at } => {
                put_key(out, *key);
                out.extend(at.0.to_le_bytes());
            }
            Self::Refilled { account, amount, at } => {
                out.extend(at.0.to_le_bytes());
                out.extend(amount.minor().to_le_bytes());
                out.extend(account.to_le_bytes());
            }
        }
    }

    /// Reads a record of this kind, to its last byte.
    pub fn decode(kind: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        let mut rest = Reader(bytes);
        let record = match kind {
            DECIDED => rest.decided().map(Self::Decided),
            REVERSED => rest.reversed(),
            TOMBSTONE => rest.tombstone(),
            REFILLED => rest.refilled(),
            COMPLETED => rest.completed(),
            RELEASED => rest.released(),
            other => return Err(RecordError::Kind(other)),
        };
        record.filter(|_| rest.0.is_empty()).ok_or(RecordError::Content(kind))
    }
}

fn put_decided(out: &mut Vec<u8>, decided: &Decided) {
    put_key(out, decided.key);
    out.extend(decided.at.0.to_le_bytes());
    out.extend(decided.amount.minor().to_le_bytes());
    out.extend(decided.account.unwrap_or(0).to_le_bytes());
    out.extend(decided.approval.to_le_bytes());
    out.extend(decided.acquirer.map_or(0, ParticipantId::get).to_le_bytes());
    out.push(decided.transaction);
    out.extend(decided.code.bytes());
    out.extend(decided.terminal.bytes());
    out.extend(decided.rrn.bytes());
}

fn put_key(out: &mut Vec<u8>, key: RequestKey) {
    out.push(key.class);
    out.extend(key.stan.get().to_le_bytes());
    out.extend(key.sent_at.to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Option<RequestKey> {
        let [class] = self.bytes()?;
        Some(RequestKey { class, stan: Stan::new(self.u32()?)?, sent_at: self.u32()? })
    }

    fn at(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp)
    }

    fn amount(&mut self) -> Option<Amount> {
        self.u64().and_then(Amount::new)
    }

    fn decided(&mut self) -> Option<Decided> {
        let key = self.key()?;
        let at = self.at()?;
        let amount = self.amount()?;
        let account = self.u32()?;
        let approval = self.u32()?;
        let acquirer = self.u64()?;
        let [transaction] = self.bytes()?;
        let code = ResponseCode::new(&self.bytes::<2>()?)?;
        if acquirer > scheme::limits::INSTITUTION_MAX {
            return None;
        }
        Some(Decided {
            key,
            account: (account != 0).then_some(account),
            amount,
            transaction,
            terminal: TerminalId::new(&self.bytes::<8>()?).ok()?,
            acquirer: ParticipantId::new(acquirer),
            rrn: Rrn::new(&self.bytes::<12>()?).ok()?,
            code,
            approval,
            at,
        })
    }

    fn reversed(&mut self) -> Option<Record> {
        Some(Record::Reversed { key: self.key()?, at: self.at()?, returned: self.amount()? })
    }

    fn tombstone(&mut self) -> Option<Record> {
        Some(Record::Tombstone { key: self.key()?, at: self.at()? })
    }

    fn completed(&mut self) -> Option<Record> {
        Some(Record::Completed { decided: self.decided()?, hold: self.key()? })
    }

    fn released(&mut self) -> Option<Record> {
        Some(Record::Released { key: self.key()?, at: self.at()? })
    }

    fn refilled(&mut self) -> Option<Record> {
        let at = self.at()?;
        let amount = self.amount()?;
        Some(Record::Refilled { account: self.u32()?, amount, at })
    }
}
