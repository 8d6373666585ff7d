//! What a simulated shop is told: where its terminals are, whose cards come, how fast, and how its
//! staff behave when no answer comes.

use scheme::{Currency, Iin, ParticipantId, RetailerId, StationId, TerminalId, Zone};

use crate::limits::{REDIAL_MAX_MS, REDIAL_MIN_MS};

/// The terminals of one retailer at one station.
#[derive(Clone, Debug)]
pub struct ShopConfig {
    /// Whose terminals port is dialled.
    pub station: StationId,
    /// DE41 of each terminal.
    pub terminals: Vec<TerminalId>,
    /// DE42.
    pub retailer: RetailerId,
    /// DE32.
    pub acquirer: ParticipantId,
    /// Prefixes of the cards that come.
    pub issuers: Vec<Iin>,
    /// First account of each issuer that shops.
    pub account_first: u32,
    /// Last account of each issuer that shops.
    pub account_last: u32,
    /// DE14 of every card, YYMM.
    pub expiry: [u8; 4],
    /// Smallest amount, minor units.
    pub amount_min_minor: u64,
    /// Largest amount, minor units.
    pub amount_max_minor: u64,
    /// Currency of every amount (DE49).
    pub currency: Currency,
    /// The terminals' clock (DE12, DE13).
    pub zone: Zone,
    /// Payments per 1000 s; 0 = none.
    pub rate_per_1000_s: u64,
    /// Connections over which the terminals share their traffic.
    pub connections: usize,
    /// Payments without an outcome at most; while so many wait, no new one starts.
    pub in_flight_max: usize,
    /// Where chance comes from.
    pub seed: u64,
    /// Timers.
    pub times: ShopTimes,
    /// What staff do.
    pub manners: Manners,
}

/// Timers of a shop, in ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShopTimes {
    /// R-TIME: a terminal waits at least 35 s for its answer.
    pub answer_wait_ms: u64,
    /// Between a 0420 or 0220 and its repeats.
    pub reversal_wait_ms: u64,
    /// Longest time between a pre-authorisation and its completion.
    pub complete_within_ms: u64,
    /// First wait before dialling again.
    pub redial_min_ms: u64,
    /// Longest wait before dialling again.
    pub redial_max_ms: u64,
}

impl Default for ShopTimes {
    fn default() -> Self {
        Self {
            answer_wait_ms: 35_000,
            reversal_wait_ms: 35_000,
            complete_within_ms: 60_000,
            redial_min_ms: REDIAL_MIN_MS,
            redial_max_ms: REDIAL_MAX_MS,
        }
    }
}

/// What staff and terminals do, out of 1000 times. After no answer: walk away, or repeat, or else
/// reverse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// No answer: the customer is let go, and nothing more is sent.
    pub walk_away: u16,
    /// No answer: 0201 is sent, at most [`Manners::repeats_max`] times, then a reversal.
    pub repeat: u16,
    /// How often one payment is repeated.
    pub repeats_max: u8,
    /// Of approved payments: the customer changes his mind (0420, DE39 17).
    pub cancel: u16,
    /// Of repeats: those that carry a new DE7.
    pub new_time_in_repeat: u16,
    /// Of repeats: those that carry a new DE12 and DE13, as if they were another payment's.
    pub new_local_in_repeat: u16,
    /// Of reversals: those of terminals that give them a DE11, DE12 and DE13 of their own.
    pub new_stan_in_reversal: u16,
    /// Of new payments: cash withdrawals.
    pub cash: u16,
    /// Of new payments: refunds of an earlier purchase; without one it is a purchase.
    pub refund: u16,
    /// Of new payments: balance enquiries.
    pub balance: u16,
    /// Of new payments: pre-authorisations, each completed for a part or the whole of its amount.
    pub preauth: u16,
    /// Of approved purchases and withdrawals: a part is returned (0420 with DE95).
    pub cancel_part: u16,
    /// Of refunds and completions: those that name their original by DE37, or else ...
    pub by_reference: u16,
    /// ... (completions) by DE38 and the card alone; the others by DE90.
    pub by_approval: u16,
    /// Of refunds: more than is left of the purchase.
    pub refund_over: u16,
    /// Of refunds: those that name no purchase.
    pub refund_unlinked: u16,
    /// Of completions: more than is held.
    pub complete_over: u16,
    /// Of completions: sent once more, as another message, after its acknowledgement.
    pub complete_twice: u16,
    /// Of completions: one that names nothing known comes before it.
    pub complete_nothing: u16,
    /// Of acknowledged reversals: sent once more.
    pub reverse_twice: u16,
}

impl Manners {
    /// Purchases alone, and staff as they are.
    pub const PURCHASES: Self = Self {
        walk_away: 100,
        repeat: 450,
        repeats_max: 2,
        cancel: 10,
        new_time_in_repeat: 500,
        new_local_in_repeat: 300,
        new_stan_in_reversal: 500,
        cash: 0,
        refund: 0,
        balance: 0,
        preauth: 0,
        cancel_part: 0,
        by_reference: 0,
        by_approval: 0,
        refund_over: 0,
        refund_unlinked: 0,
        complete_over: 0,
        complete_twice: 0,
        complete_nothing: 0,
        reverse_twice: 0,
    };

    /// What a well-kept retailer's day looks like: mostly purchases.
    pub fn everyday() -> Self {
        Self {
            cash: 60,
            refund: 60,
            balance: 40,
            preauth: 80,
            cancel_part: 10,
            by_reference: 300,
            by_approval: 100,
            ..Self::default()
        }
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self::PURCHASES
    }
}

impl ShopConfig {
    /// A shop of the example nation: terminals 11 to 19 of `prefix` (`PYO`), its retailer, cards of
    /// all `issuers`. `None` when `prefix` is not three printable characters.
    pub fn example(
        station: StationId,
        prefix: &str,
        acquirer: ParticipantId,
        issuers: Vec<Iin>,
        zone: Zone,
        seed: u64,
    ) -> Option<Self> {
        if prefix.len() != 3 {
            return None;
        }
        let terminal = |n| TerminalId::new(format!("{prefix}{n:05}").as_bytes()).ok();
        Some(Self {
            station,
            terminals: (11..=19).map(terminal).collect::<Option<_>>()?,
            retailer: RetailerId::new(format!("{prefix}-SHOP-000001").as_bytes()).ok()?,
            acquirer,
            issuers,
            account_first: 21,
            account_last: 95,
            expiry: *b"3112",
            amount_min_minor: 100,
            amount_max_minor: 6_000,
            currency: Currency::KPW,
            zone,
            rate_per_1000_s: 5_000,
            connections: 3,
            in_flight_max: 256,
            seed,
            times: ShopTimes::default(),
            manners: Manners::default(),
        })
    }
}
