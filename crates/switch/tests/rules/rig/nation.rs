//! The nation that every scenario is played in: three banks, their shops and cards, and the clock.

use std::cell::Cell;

use scheme::{
    Amount, CardRef, Currency, Iin, Mti, ParticipantId, PaymentId, PaymentSeed, ResponseCode,
    RetailerId, Sealed, StationId, TerminalId, Timestamp, Token, Zone, transfer_id_of_record,
};
use switch::Timers;
use switch::hub::HubConfig;
use switch::record::{Fact, Seen};

pub(crate) const A: u64 = 100_001;
pub(crate) const B: u64 = 100_002;
pub(crate) const C: u64 = 100_003;
pub(crate) const CAP: u64 = 1_000_000;
pub(crate) const AMOUNT_MAX: u64 = 2_000_000;
pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// 2026-11-22 10:00:00 local time of a nation nine hours east (day 20,779).
pub(crate) const MORNING: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600);

pub(crate) fn bank(code: u64) -> ParticipantId {
    ParticipantId::new(code).unwrap()
}

pub(crate) fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

pub(crate) fn code(text: &str) -> ResponseCode {
    ResponseCode::new(text.as_bytes()).unwrap()
}

pub(crate) fn mti(number: u16) -> Mti {
    Mti::new(number).unwrap()
}

/// A card of a bank: the bank's last digit routes it, `account` makes its token.
pub(crate) fn card(issuer: u64, account: u64) -> CardRef {
    CardRef {
        first8: u32::try_from(940_800 + issuer % 10).unwrap() * 100,
        last4: 1,
        pan_len: 16,
        token: Token(u128::from(issuer) * 1000 + u128::from(account)),
        sealed: Sealed::new(&[7; 28]).unwrap(),
    }
}

thread_local! {
    /// How long a hold stands in this test, and how long after its end it can be completed.
    static PREAUTH_MS: Cell<u64> = const { Cell::new(Timers::RULE_BOOK.preauth_ms) };
    /// What the hub keeps in memory once history has it; none: history has none.
    pub(super) static WINDOW: Cell<Option<usize>> = const { Cell::new(crate::WINDOW) };
}

/// Gives all rigs of this test another window than the others have.
pub(crate) fn keep(window: Option<usize>) {
    WINDOW.set(window);
}

/// Scales the seven days of a pre-authorisation, and the one after, for all rigs of this test.
pub(crate) fn scale_preauth(ms: u64) {
    PREAUTH_MS.set(ms);
}

pub(crate) fn config() -> HubConfig {
    let preauth_ms = PREAUTH_MS.get();
    let late_completion_ms = preauth_ms / 7;
    HubConfig {
        timers: Timers { preauth_ms, late_completion_ms, ..Timers::RULE_BOOK },
        zone: Zone::fixed(9 * 3600),
        cutover_s: 22 * 3600,
        net_at_cutover: true,
        in_flight_max: 100,
        window_payments: WINDOW.get().unwrap_or(usize::MAX),
        new_payments_max: usize::MAX,
        cash: true,
        engine: crate::ENGINE,
    }
}

pub(super) fn business() -> Vec<Fact> {
    let mut facts = vec![Fact::Nation {
        name: "Three banks".into(),
        currency: Currency::KPW,
        amount_max: amount(AMOUNT_MAX),
    }];
    for (n, name) in [(1u16, "pyongyang"), (2, "nampo")] {
        facts.push(Fact::Station { id: StationId(n), code: *b"PY", name: name.into() });
    }
    for (n, id) in [(0, A), (1, B), (2, C)] {
        facts.push(Fact::Participant { id: bank(id), name: format!("Bank {id}") });
        let iin = Iin::new(&format!("{}", 940_800 + id % 10)).unwrap();
        facts.push(Fact::Route { iin, issuer: bank(id) });
        let transfer = transfer_id_of_record(6, n);
        facts.push(Fact::Cap { participant: bank(id), amount: amount(CAP), transfer });
    }
    for (acquirer, name, station) in
        [(A, "PYO00001", 1), (A, "PYO00002", 1), (B, "NAM00001", 2), (C, "PSG00001", 1)]
    {
        facts.push(Fact::Terminal {
            acquirer: bank(acquirer),
            terminal: terminal(name),
            station: StationId(station),
            retailer: shop(acquirer),
        });
    }
    let iin = Iin::new("940809").unwrap();
    facts.push(Fact::Route { iin, issuer: bank(100_009) });
    facts.push(Fact::HotCard { token: card(B, 100).token, reason: scheme::Reason::Lost });
    facts.push(Fact::Epoch { epoch: 1 });
    facts
}

/// What a request's card is sealed under.
pub(crate) fn candidate(seen: &Seen) -> PaymentId {
    let Seen { acquirer, terminal, stan, local, .. } = *seen;
    PaymentSeed { acquirer, terminal, stan, local }.id(config().zone.local(seen.first_received))
}

pub(crate) fn terminal(name: &str) -> TerminalId {
    TerminalId::new(name.as_bytes()).unwrap()
}

pub(crate) fn shop(acquirer: u64) -> RetailerId {
    RetailerId::new(format!("SHOP-{acquirer}").as_bytes()).unwrap()
}
