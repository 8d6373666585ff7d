//! What a station's journal holds (`docs/formats/records.md`, "Station").

use alloc::vec::Vec;

use scheme::{Amount, ApprovalCode, MtiClass, ResponseCode, Timestamp};

use crate::bytes::{Corrupt, Reader, Writer};
use crate::record::{Seen, get_original, get_seen, put_original, put_seen};
use crate::request::OriginalRef;

const VERSION: u8 = 1;
/// `owed` of an advice that carries DE38.
const VERSION_2: u8 = 2;
const RRN_BLOCK: u8 = 64;
const OWED: u8 = 65;
const SETTLED: u8 = 66;

/// A decision of a station, and when it was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StationRecord {
    /// When, in whole microseconds.
    pub at: Timestamp,
    /// What was decided.
    pub fact: StationFact,
}

/// What a station decided.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StationFact {
    /// Reference numbers below this counter may have been used.
    RrnBlock {
        /// The counter.
        reserved: u64,
    },
    /// The hub is owed a reversal or an advice.
    Owed(Owed),
    /// The hub has answered what it was owed.
    Settled {
        /// Which, counted from 0.
        number: u64,
    },
}

/// What a station owes the hub: the reversal of a request that it answered 91 itself, or a
/// terminal's reversal or advice that it accepted while the trunk was cut.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Owed {
    /// The message, as a terminal sent it or would have sent it.
    pub seen: Seen,
    /// DE90.
    pub original: Option<OriginalRef>,
    /// DE95.
    pub actual: Option<Amount>,
    /// DE39: why.
    pub reason: Option<ResponseCode>,
    /// DE38 of an advice; blank when absent.
    pub approval: ApprovalCode,
    /// Whether it undoes a request that this station answered 91.
    pub ours: bool,
}

impl Owed {
    /// Whether it is an advice and no reversal.
    pub fn is_advice(&self) -> bool {
        self.seen.mti.class() != MtiClass::Reversal
    }
}

/// Appends a fact's payload; returns its kind and version for the envelope.
pub fn encode(fact: &StationFact, out: &mut Vec<u8>) -> (u8, u8) {
    let mut w = Writer(out);
    let kind = match fact {
        StationFact::RrnBlock { reserved } => {
            w.u64(*reserved);
            RRN_BLOCK
        }
        StationFact::Owed(owed) => {
            put_seen(&mut w, &owed.seen);
            let flags = u8::from(owed.original.is_some())
                | (u8::from(owed.actual.is_some()) << 1)
                | (u8::from(owed.ours) << 2);
            w.u8(flags).bytes(&owed.reason.map_or(*b"  ", ResponseCode::bytes));
            if let Some(original) = &owed.original {
                put_original(&mut w, original);
            }
            if let Some(actual) = owed.actual {
                w.u40(actual.minor());
            }
            if !owed.approval.is_blank() {
                w.text(&owed.approval);
                return (OWED, VERSION_2);
            }
            OWED
        }
        StationFact::Settled { number } => {
            w.u64(*number);
            SETTLED
        }
    };
    (kind, VERSION)
}

/// Reads the payload of a record of this kind and version.
pub fn decode(kind: u8, version: u8, payload: &[u8]) -> Result<StationFact, Corrupt> {
    let mut r = Reader::new(payload);
    let newest = if kind == OWED { VERSION_2 } else { VERSION };
    if !(VERSION..=newest).contains(&version) {
        return Err(r.corrupt("a record of a newer version"));
    }
    let fact = match kind {
        RRN_BLOCK => StationFact::RrnBlock { reserved: r.u64("counter")? },
        OWED => {
            let seen = get_seen(&mut r)?;
            let flags = r.u8("flags")?;
            let reason = ResponseCode::new(r.take(2, "reason")?);
            let original = if flags & 1 != 0 { Some(get_original(&mut r)?) } else { None };
            let actual = if flags & 2 != 0 {
                Some(r.checked("amount", Reader::u40, Amount::new)?)
            } else {
                None
            };
            let approval = match version {
                VERSION_2 => r.text("approval code")?,
                _ => ApprovalCode::BLANK,
            };
            let ours = flags & 4 != 0;
            StationFact::Owed(Owed { seen, original, actual, reason, approval, ours })
        }
        SETTLED => StationFact::Settled { number: r.u64("number")? },
        _ => return Err(r.corrupt("a record of an unknown kind")),
    };
    r.finish()?;
    Ok(fact)
}
