//! What a station's journal holds (`docs/formats/records.md`, "Station").

use alloc::vec::Vec;

use scheme::{Amount, ResponseCode, Timestamp};

use crate::bytes::{Corrupt, Reader, Writer};
use crate::record::{Seen, get_original, get_seen, put_original, put_seen};
use crate::request::OriginalRef;

const VERSION: u8 = 1;
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
    /// The hub is owed a reversal.
    Owed(Owed),
    /// The hub has answered an owed reversal.
    Settled {
        /// Which, counted from 0.
        number: u64,
    },
}

/// A reversal that a station owes the hub: of a request that it answered 91 itself, or of a
/// terminal's that it accepted while the trunk was cut.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Owed {
    /// The reversal, as a terminal would have sent it.
    pub seen: Seen,
    /// DE90.
    pub original: Option<OriginalRef>,
    /// DE95.
    pub actual: Option<Amount>,
    /// DE39: why.
    pub reason: Option<ResponseCode>,
    /// Whether it undoes a request that this station answered 91.
    pub ours: bool,
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
    if version != VERSION {
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
            StationFact::Owed(Owed { seen, original, actual, reason, ours: flags & 4 != 0 })
        }
        SETTLED => StationFact::Settled { number: r.u64("number")? },
        _ => return Err(r.corrupt("a record of an unknown kind")),
    };
    r.finish()?;
    Ok(fact)
}
