//! What a simulated bank is told: who it is, its accounts, its timers, and its faults.

use keys::LinkMac;
use scheme::{Amount, Currency, Iin, Pan, ParticipantId};

use crate::limits::{ECHO_AFTER_MS, HOLD_MS, NETWORK_WAIT_MS, REDIAL_MAX_MS, REDIAL_MIN_MS};
use crate::shop::ShopConfig;

/// A bank. The book follows from it and from the journal: a change of accounts needs a new book.
#[derive(Clone, Debug)]
pub struct BankConfig {
    /// Its institution code (DE32).
    pub id: ParticipantId,
    /// The prefix of its cards; account (9 digits) and check digit follow.
    pub iin: Iin,
    /// The one currency of its accounts.
    pub currency: Currency,
    /// Accounts are numbered from 1 to this.
    pub accounts: u32,
    /// What an account holds at first.
    pub opening: Amount,
    /// Accounts that differ.
    pub special: Vec<(u32, Special)>,
    /// Expiry of every card, YYMM (DE14).
    pub expiry: [u8; 4],
    /// Cards of simulated shops that are kept filled.
    pub refill: Option<Refill>,
    /// Connections to the hub.
    pub connections: usize,
    /// Where chance comes from.
    pub seed: u64,
    /// Timers.
    pub times: BankTimes,
    /// What goes wrong.
    pub faults: BankFaults,
    /// Terminals of its own, for which it asks on the same link; `station` and `connections` are
    /// not looked at.
    pub counter: Option<Box<ShopConfig>>,
    /// The keys of its link to the hub (R-MAC); without them messages have no MAC.
    pub mac: Option<LinkMac>,
}

/// How an account differs from the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// It holds another amount at first.
    Holds(Amount),
    /// It is blocked: DE39 62.
    Blocked,
    /// Its card is reported lost: DE39 41.
    Lost,
}

/// Accounts that are filled up again, in the bank's own book only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refill {
    /// First account.
    pub first: u32,
    /// Last account.
    pub last: u32,
    /// Below this ...
    pub below: Amount,
    /// ... it is filled up to this.
    pub to: Amount,
}

/// Timers of a bank's link, in ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BankTimes {
    /// Silence before an echo.
    pub echo_after_ms: u64,
    /// Wait for the answer to an echo or a sign-on.
    pub network_wait_ms: u64,
    /// First wait before dialling again.
    pub redial_min_ms: u64,
    /// Longest wait before dialling again.
    pub redial_max_ms: u64,
    /// A hold that nobody ended stands for so long.
    pub hold_ms: u64,
}

impl Default for BankTimes {
    fn default() -> Self {
        Self {
            echo_after_ms: ECHO_AFTER_MS,
            network_wait_ms: NETWORK_WAIT_MS,
            redial_min_ms: REDIAL_MIN_MS,
            redial_max_ms: REDIAL_MAX_MS,
            hold_ms: HOLD_MS,
        }
    }
}

/// What a simulated bank does wrong with answers that concern money (0210, 0410, 0430). It decides
/// and books as ever. "Every nth" counts answers from 1; zero means never.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BankFaults {
    /// Shortest delay of an answer, in ms.
    pub delay_min_ms: u64,
    /// Longest delay of an answer, in ms.
    pub delay_max_ms: u64,
    /// Every nth answer is lost.
    pub drop_every: u32,
    /// No answer is sent.
    pub silent: bool,
    /// Every nth answer is sent twice.
    pub twice_every: u32,
    /// Every nth answer is late ...
    pub late_every: u32,
    /// ... by this many ms.
    pub late_ms: u64,
    /// This many of 1000 requests are declined with 05.
    pub decline_per_mille: u16,
    /// The bank signs off everywhere, and on again when this ends.
    pub signed_off: bool,
}

impl BankConfig {
    /// A bank of the example nation; `seed` drives its faults, of which it has none at first.
    pub fn example(id: ParticipantId, iin: Iin, seed: u64) -> Self {
        const {
            assert!(10_000_000_000 <= scheme::limits::AMOUNT_MAX);
        }
        let won = |amount: u64| Amount::new(amount * 100).unwrap_or_default();
        Self {
            id,
            iin,
            currency: Currency::KPW,
            accounts: 100,
            opening: won(100_000),
            special: vec![
                (97, Special::Holds(won(100_000_000))),
                (98, Special::Holds(Amount::ZERO)),
                (99, Special::Blocked),
                (100, Special::Lost),
            ],
            expiry: *b"3112",
            refill: Some(Refill { first: 21, last: 95, below: won(1_000), to: won(100_000) }),
            connections: 2,
            seed,
            times: BankTimes::default(),
            faults: BankFaults::default(),
            counter: None,
            mac: None,
        }
    }

    /// The account behind a card of this bank: right prefix, length and check digit.
    pub(crate) fn account(&self, pan: &Pan) -> Option<u32> {
        let digits = std::str::from_utf8(pan.digits()).ok()?;
        let account = digits.strip_prefix(&self.iin.to_string())?;
        if account.len() != 10 || pan.check().is_err() {
            return None;
        }
        let number = account.get(..9)?.parse().ok()?;
        (1..=self.accounts).contains(&number).then_some(number)
    }
}

/// The PAN of an account: prefix, nine digits of account, Luhn digit (ISO/IEC 7812-1).
///
/// `None` when prefix or account is too long.
pub fn pan(iin: Iin, account: u32) -> Option<Pan> {
    if account > 999_999_999 {
        return None;
    }
    let body = format!("{iin}{account:09}");
    (0..10).find_map(|digit| {
        let pan = Pan::parse(format!("{body}{digit}").as_bytes()).ok()?;
        pan.check().is_ok().then_some(pan)
    })
}
