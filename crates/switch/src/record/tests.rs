//! Every kind of record comes back as it was written, and damage is an error, never a panic.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use scheme::{
    Amount, ApprovalCode, BusinessDate, CardRef, CivilDateTime, Currency, Iin, LocalTime,
    MonthTime, Mti, ParticipantId, PaymentId, Processing, Reason, ResponseCode, RetailerId, Rrn,
    Sealed, Stan, StationId, TerminalId, Timestamp, Token,
};

use super::{
    Closed, Completed, Declined, Fact, Finding, FindingKind, Opened, Outcome, Removed, Reversed,
    Seen, Tombstone, decode, encode,
};
use crate::history::{self, HistoryKey, Mark};
use crate::hub::flows::{Completion, PreAuth};
use crate::hub::{Kept, Payment, Status};
use crate::request::{OriginalRef, Text25, Trace};

fn bank(code: u64) -> ParticipantId {
    ParticipantId::new(code).unwrap()
}

fn seen() -> Seen {
    Seen {
        mti: Mti::new(200).unwrap(),
        acquirer: bank(100_001),
        terminal: TerminalId::new(b"PYO00001").unwrap(),
        retailer: RetailerId::new(b"PYO-SHOP-000001").unwrap(),
        stan: Stan::new(999_999).unwrap(),
        transmitted: MonthTime::new(1_231_235_959).unwrap(),
        local: LocalTime::new(101_000_000).unwrap(),
        rrn: Rrn::new(b"6326PY00010Z").unwrap(),
        rrn_sent: true,
        processing: Processing::new(123).unwrap(),
        amount: Amount::new(999_999_999_999).unwrap(),
        currency: 408,
        card: Some(CardRef {
            first8: 94_080_200,
            last4: 15,
            pan_len: 16,
            token: Token(u128::MAX),
            sealed: Sealed::new(&[7; 29]).unwrap(),
        }),
        forwarding: 99_999_999_999,
        station: Some(StationId(4)),
        first_received: Timestamp(1_795_000_000_000_000_000),
    }
}

fn trace(stan: u32) -> Trace {
    Trace { stan: Stan::new(stan).unwrap(), transmitted: MonthTime::new(1_122_081_500).unwrap() }
}

fn kept(preauth: Option<PreAuth>, original: Option<PaymentId>) -> Kept {
    let issuer = bank(100_002);
    let opened = Opened {
        id: id(),
        seen: seen(),
        issuer,
        trace: trace(1),
        business_date: DATE,
        cycle: 9,
        original: None,
    };
    let mut payment = Payment::opened(&opened, Timestamp(1_795_000_000_000_001_000));
    payment.status = Status::Reversed;
    (payment.reversed, payment.returned) = (true, Amount::new(5).unwrap());
    Kept { payment, preauth, original, opened: 1 << 33, last: 1 << 33 }
}

fn preauth(completed: bool) -> PreAuth {
    let completion = completed.then(|| Completion {
        amount: seen().amount,
        stan: seen().stan,
        transmitted: seen().transmitted,
        rrn: seen().rrn,
        first_received: seen().first_received,
        advice: trace(5),
    });
    PreAuth { expires: Timestamp(7), keep_until: Timestamp(8), completion }
}

const DATE: BusinessDate = BusinessDate(20_779);

fn one_of_each() -> Vec<Fact> {
    let mut all = business();
    all.extend(payments());
    all.extend(others());
    all
}

fn business() -> Vec<Fact> {
    vec![
        Fact::Nation {
            name: "Four stations".into(),
            currency: Currency::KPW,
            amount_max: Amount::new(1).unwrap(),
        },
        Fact::Station { id: StationId(1), code: *b"PY", name: "pyongyang".into() },
        Fact::Participant { id: bank(100_001), name: "First Bank".into() },
        Fact::Route { iin: Iin::new("940801").unwrap(), issuer: bank(100_001) },
        Fact::Terminal {
            acquirer: bank(100_001),
            terminal: seen().terminal,
            station: StationId(1),
            retailer: seen().retailer,
        },
        Fact::Cap { participant: bank(1), amount: seen().amount, transfer: u128::MAX - 1 },
        Fact::HotCard { token: Token(5), reason: Reason::Lost },
        Fact::Changed { author: "Kim, settlement desk".into(), records: 5 },
        Fact::Removed(Removed::Station { id: StationId(4) }),
        Fact::Removed(Removed::Terminal { acquirer: bank(1), terminal: seen().terminal }),
        Fact::Removed(Removed::Route { iin: Iin::new("940801").unwrap() }),
        Fact::Removed(Removed::HotCard { token: Token(6) }),
        Fact::Removed(Removed::Retailer { retailer: seen().retailer }),
        Fact::Epoch { epoch: u64::MAX },
        Fact::Retailer {
            retailer: seen().retailer,
            refund_max: seen().amount,
            refund_day_max: Amount::new(1).unwrap(),
        },
        Fact::OvercapRepaid { participant: bank(1), amount: seen().amount, transfer: 3 },
        Fact::Cutover { cycle: 2, date: DATE },
        Fact::Netted { participant: bank(1), amount: seen().amount, paid_out: true, transfer: 4 },
    ]
}

fn id() -> PaymentId {
    PaymentId::new(0x3295_df94_2c8d_198e_750a_abc1_4ca3_d9d0).unwrap()
}

fn payments() -> Vec<Fact> {
    let id = id();
    let text = Text25::new(b"NOT SUFFICIENT").unwrap();
    let code = ResponseCode::of(b"51");
    let without_card = Seen { card: None, station: None, rrn_sent: false, ..seen() };
    vec![
        Fact::Opened(Opened {
            id,
            seen: seen(),
            issuer: bank(100_002),
            trace: trace(1),
            business_date: DATE,
            cycle: 9,
            original: None,
        }),
        Fact::Opened(Opened {
            id,
            seen: seen(),
            issuer: bank(100_002),
            trace: trace(1),
            business_date: DATE,
            cycle: 9,
            original: Some(PaymentId::new(0x70).unwrap()),
        }),
        Fact::Declined(Declined {
            id,
            seen: without_card,
            reason: Reason::Card,
            issuer: None,
            business_date: DATE,
            cycle: 9,
        }),
        Fact::Closed(Closed {
            id,
            outcome: Outcome::Posted { approval: ApprovalCode::new(b"A1B2C3").unwrap(), text },
        }),
        Fact::Closed(Closed {
            id,
            outcome: Outcome::Held { approval: ApprovalCode::new(b"A1B2C3").unwrap(), text },
        }),
        Fact::Completed(Completed {
            id,
            amount: seen().amount,
            late: true,
            overcap: false,
            stan: seen().stan,
            transmitted: seen().transmitted,
            rrn: seen().rrn,
            first_received: seen().first_received,
            advice: trace(5),
        }),
        Fact::Closed(Closed { id, outcome: Outcome::Declined { code, text } }),
        Fact::Closed(Closed {
            id,
            outcome: Outcome::Voided { reason: Reason::IssuerLate, advice: trace(2) },
        }),
        Fact::Reversed(Reversed {
            id,
            returned: seen().amount,
            overcap: true,
            in_flight: false,
            code: ResponseCode::of(b"17"),
            advice: trace(3),
        }),
    ]
}

fn others() -> Vec<Fact> {
    let code = ResponseCode::of(b"51");
    vec![
        Fact::Tombstone(Tombstone {
            acquirer: bank(100_001),
            terminal: seen().terminal,
            stan: seen().stan,
            transmitted: 0,
            mti: 200,
            rrn: None,
            transaction: 20,
            amount: Amount::ZERO,
            token: None,
            first_received: seen().first_received,
            local: seen().local,
        }),
        Fact::Discharged { bank: bank(100_002), trace: trace(4), code },
        Fact::Covered { record: 1 << 40 },
        Fact::Recalled(Box::new(kept(None, None))),
        Fact::Recalled(Box::new(kept(None, PaymentId::new(0x70)))),
        Fact::Retired(Box::new(kept(Some(preauth(false)), None))),
        Fact::Retired(Box::new(kept(Some(preauth(true)), None))),
        Fact::Proposed(Box::new(Fact::OvercapRepaid {
            participant: bank(7),
            amount: Amount::new(1234).unwrap(),
            transfer: 9,
        })),
        Fact::Dropped,
        Fact::Finding(Finding {
            kind: FindingKind::Overcap,
            payment: Some(id()),
            participant: Some(bank(7)),
            original: Some(OriginalRef {
                mti: 200,
                stan: 1,
                transmitted: 1_122_081_500,
                acquirer: 100_001,
                forwarding: 0,
            }),
        }),
    ]
}

#[test]
fn every_kind_comes_back() {
    for fact in one_of_each() {
        let mut payload = Vec::new();
        let (kind, version) = encode(&fact, &mut payload);
        assert_eq!(decode(kind, version, &payload), Ok(fact));
    }
}

/// Records as released versions wrote them: kind, version and payload, a line each.
const FIXTURE: &str = include_str!("fixture.txt");

/// Those that are read by their id alone have no other mark, and the same id.
#[test]
fn an_id_alone_is_all_that_such_a_record_is_found_by() {
    let mut alone = [0; 3];
    for fact in one_of_each() {
        let mut payload = Vec::new();
        let (kind, _) = encode(&fact, &mut payload);
        let mut marked = Vec::new();
        let local = |at: Timestamp| CivilDateTime::from_seconds(at.seconds());
        history::marks(&fact, local, &mut |mark| marked.push(mark));
        let found = history::id_alone(kind, &payload);
        let which = match fact {
            Fact::Closed(_) => 0,
            Fact::Reversed(_) => 1,
            Fact::Completed(_) => 2,
            _ => {
                assert_eq!(found, None, "{fact:?}");
                continue;
            }
        };
        alone[which] += 1;
        assert!(
            matches!(marked[..], [Mark::Key(HistoryKey::Id(id))] if Some(id) == found),
            "{fact:?}: {marked:?}, {found:?}"
        );
        assert_eq!(history::id_alone(kind, &payload[..15]), None);
    }
    assert!(alone.iter().all(|n| *n > 0), "{alone:?}");
}

fn lines() -> Vec<(u8, u8, Vec<u8>)> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        let (kind, version) = (number(), number());
        (kind, version, bytes(words.next().unwrap_or("")))
    };
    FIXTURE.lines().map(line).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from((byte as char).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn what_released_versions_wrote_is_read() {
    for (kind, version, payload) in lines() {
        let fact = decode(kind, version, &payload);
        let fact = fact.unwrap_or_else(|why| unreachable!("{kind} {version}: {why}"));
        let mut again = Vec::new();
        let (as_kind, as_version) = encode(&fact, &mut again);
        assert_eq!(as_kind, kind, "{fact:?}");
        // What has had no newer version since is written as it was.
        assert!(as_version >= version, "{fact:?}");
        assert!(as_version > version || again == payload, "{fact:?} is written differently");
    }
}

/// A new kind or version comes with its line in the fixture, and with its row in the format page.
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
        let known = decode(kind, version, &[]).err().is_none_or(|why| !unknown.contains(&why.what));
        let has_line = lines.iter().any(|line| (line.0, line.1) == (kind, version));
        assert_eq!(known, has_line, "kind {kind}, version {version}: readable, and in the fixture");
        let row = format!("\n| {kind} | ");
        assert!(!known || page.contains(&row), "kind {kind} is not in docs/formats/records.md");
    }
}

/// What version 1 could say is still written as version 1, and every version is read.
#[test]
fn old_versions_stay_readable() {
    for fact in one_of_each() {
        let mut payload = Vec::new();
        let (kind, version) = encode(&fact, &mut payload);
        let newer = match &fact {
            Fact::Opened(opened) => opened.original.is_some(),
            Fact::Closed(closed) => matches!(closed.outcome, Outcome::Held { .. }),
            _ => false,
        };
        assert_eq!(version, if newer { 2 } else { 1 }, "{fact:?}");
        if let Fact::Opened(opened) = &fact {
            // A linked refund is a payment of version 1 and the 16 bytes of what it returns.
            payload.truncate(payload.len() - if newer { 16 } else { 0 });
            let first = Fact::Opened(Opened { original: None, ..opened.clone() });
            assert_eq!(decode(kind, 1, &payload), Ok(first));
        }
    }
}

#[test]
fn damage_is_an_error() {
    for fact in one_of_each() {
        let mut payload = Vec::new();
        let (kind, version) = encode(&fact, &mut payload);
        for end in 0..payload.len() {
            assert!(decode(kind, version, &payload[..end]).is_err(), "{fact:?} cut at {end}");
        }
        payload.push(0);
        assert!(decode(kind, version, &payload).is_err(), "{fact:?} with a leftover");
        assert!(decode(kind, version + 1, &payload).is_err(), "a newer version");
        for at in 0..payload.len() {
            let mut flipped = payload.clone();
            flipped[at] ^= 0xff;
            // It may read as something else, but it may not panic.
            let _read = decode(kind, version, &flipped);
        }
    }
}

/// R-RECORD: an approved payment is two records. With a frame's share of header and padding at 64
/// records a frame (96 + 511 bytes at worst over 32 payments) it stays within 300 bytes.
#[test]
fn an_approved_payment_fits_its_budget() {
    let facts = one_of_each();
    let opened = facts.iter().find(|fact| matches!(fact, Fact::Opened(_))).unwrap();
    let posted = facts.iter().find(|fact| matches!(fact, Fact::Closed(_))).unwrap();
    let size = |fact: &Fact| {
        let mut payload = Vec::new();
        encode(fact, &mut payload);
        payload.len() + 8
    };
    let share = (96 + 511usize).div_ceil(32);
    let total = size(opened) + size(posted) + share;
    assert!(total <= 300, "{} + {} + {share} = {total}", size(opened), size(posted));
}
