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

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use scheme::ApprovalCode;

    use super::*;
    use crate::record::{Fact, decode as decode_hub};

    /// Records as released versions wrote them: kind, version and payload, a line each.
    const FIXTURE: &str = include_str!("fixture.txt");

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |byte: u8| u8::try_from((byte as char).to_digit(16).unwrap()).unwrap();
        hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    fn lines() -> Vec<(u8, u8, Vec<u8>)> {
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            (words[0].parse().unwrap(), words[1].parse().unwrap(), bytes(words[2]))
        };
        FIXTURE.lines().map(line).collect()
    }

    fn one_of_each() -> Vec<StationFact> {
        // A request as the hub's fixture has it.
        let opened = include_str!("../record/fixture.txt").lines();
        let opened = opened.clone().find_map(|line| line.strip_prefix("16 1 ")).unwrap();
        let Ok(Fact::Opened(opened)) = decode_hub(16, 1, &bytes(opened)) else {
            unreachable!("the hub's fixture has an opened payment")
        };
        let original = OriginalRef {
            mti: 200,
            stan: 7,
            transmitted: 1_122_081_500,
            acquirer: 100_001,
            forwarding: 0,
        };
        let bare = Owed {
            seen: opened.seen,
            original: None,
            actual: None,
            reason: None,
            approval: ApprovalCode::BLANK,
            ours: true,
        };
        let full = Owed {
            original: Some(original),
            actual: Amount::new(1250),
            reason: Some(ResponseCode::of(b"32")),
            ours: false,
            ..bare.clone()
        };
        let advice = Owed { approval: ApprovalCode::new(b"A1B2C3").unwrap(), ..full.clone() };
        let settled = StationFact::Settled { number: 258 };
        let mut all = alloc::vec![StationFact::RrnBlock { reserved: 65_536 }, settled];
        all.extend([bare, full, advice].map(StationFact::Owed));
        all
    }

    #[test]
    fn what_released_versions_wrote_is_read() {
        for (kind, version, payload) in lines() {
            let fact = decode(kind, version, &payload);
            let fact = fact.unwrap_or_else(|why| unreachable!("{kind} {version}: {why}"));
            let mut again = Vec::new();
            let (as_kind, as_version) = encode(&fact, &mut again);
            assert!(as_kind == kind && as_version >= version, "{fact:?}");
            assert!(as_version > version || again == payload, "{fact:?} is written differently");
        }
    }

    /// A new kind or version comes with its line in the fixture, and its row in the format page.
    #[test]
    fn every_kind_and_version_has_its_line() {
        let page = include_str!("../../../../docs/formats/records.md");
        let lines = lines();
        let mut missing = String::new();
        for fact in one_of_each() {
            let mut payload = Vec::new();
            let (kind, version) = encode(&fact, &mut payload);
            let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            if !lines.contains(&(kind, version, payload)) {
                missing += &format!("{kind} {version} {hex}\n");
            }
        }
        assert_eq!(missing, "", "not as a released version wrote it, or missing in fixture.txt");
        for (kind, version) in (0..=u8::MAX).flat_map(|kind| [1, 2, 3, 4].map(|v| (kind, v))) {
            let unknown = ["a record of a newer version", "a record of an unknown kind"];
            let why = decode(kind, version, &[]).err();
            let known = why.is_none_or(|why| !unknown.contains(&why.what));
            let has_line = lines.iter().any(|line| (line.0, line.1) == (kind, version));
            assert_eq!(known, has_line, "kind {kind}, version {version}: readable, in the fixture");
            let row = format!("\n| {kind} | ");
            assert!(!known || page.contains(&row), "kind {kind} is not in docs/formats/records.md");
        }
    }
}
