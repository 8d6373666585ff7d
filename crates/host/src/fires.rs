//! The beacon fires of a station (R-FIRES): plain facts in, a number of fires and every reason for
//! it out.
//!
//! A pure function, so that a station, the hub and a test judge alike. Its bounds are the rule's
//! own numbers, named below. A fact that is not known is never taken for a good one. Deliberately
//! absent: where the facts come from ([`crate::traffic`], the shell) and how they are shown.

/// Silence after which the hub shows no fire, ms.
pub const SILENT_MS: u64 = 10_000;
/// The window of shares, latencies and the last success, ms.
pub const WINDOW_MS: u64 = 60_000;
/// Answers 91 and 96 of 1,000 from which on three fires burn.
pub const UNAVAILABLE_PER_MILLE: u64 = 10;
/// The p99 of an answer above which three fires burn, ms.
pub const SLOW_MS: u32 = 2_000;
/// Age of an item of the store-and-forward above which two fires burn, ms.
pub const SAF_OLD_MS: u64 = 60_000;
/// A certificate with fewer days than this lights two fires.
pub const CERTIFICATE_DAYS: i64 = 30;
/// Free space of the journal's disk below which two fires burn, percent.
pub const DISK_FREE_PERCENT: u8 = 20;
/// A clock further off than this lights two fires, ms.
pub const CLOCK_OFF_MS: u64 = 500;

/// A fact that may be missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Known<T> {
    /// Nobody has said, or it could not be measured: never well.
    #[default]
    NotKnown,
    /// There is no such thing here: a certificate, where channels are plain.
    NotHere,
    /// It is this.
    Is(T),
}

/// What a station is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// How long nothing was heard of it, ms; 0 for a station that judges itself.
    pub silent_ms: u64,
    /// It takes no new payment.
    pub refuses_all: bool,
    /// Somebody has shut it out.
    pub fenced: bool,
    /// Its journal takes no records.
    pub journal_unwritable: bool,
    /// Nothing goes over its trunk.
    pub trunk_cut: bool,
    /// Banks without a signed-on link; a station itself does not see them.
    pub banks_down: Known<usize>,
    /// Answers of the window.
    pub answered: u64,
    /// Those of them that were 91 or 96.
    pub unavailable: u64,
    /// The p99 of their latency, ms; 0 without answers.
    pub p99_ms: u32,
    /// Age of the oldest item owed, ms; 0 when nothing is.
    pub saf_oldest_ms: u64,
    /// Days that its certificate is still good.
    pub certificate_days: Known<i64>,
    /// Free space of the journal's disk, percent.
    pub disk_free_percent: Known<u8>,
    /// How far its clock is off, ms.
    pub clock_off_ms: Known<u64>,
    /// How long ago a payment, real or synthetic, last succeeded, ms.
    pub succeeded_ms: Option<u64>,
}

/// One line of the rule that holds. Its number is its bit on the trunk and is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// No word for ten seconds.
    Silent = 0,
    /// It refuses everything.
    RefusesAll = 1,
    /// It is fenced.
    Fenced = 2,
    /// Its journal cannot be written.
    JournalUnwritable = 3,
    /// Its trunk is cut.
    TrunkCut = 4,
    /// A bank's link is down.
    BankDown = 5,
    /// One answer in a hundred or more is 91 or 96.
    Unavailable = 6,
    /// One answer in a hundred takes more than two seconds.
    Slow = 7,
    /// It has owed something for more than a minute.
    SafOld = 8,
    /// Its certificate ends within 30 days.
    Certificate = 9,
    /// Its disk is nearly full.
    Disk = 10,
    /// Its clock is off.
    Clock = 11,
    /// Nobody knows how long its certificate is good.
    CertificateNotKnown = 12,
    /// Nobody knows how full its disk is.
    DiskNotKnown = 13,
    /// Nobody knows whether its clock is right.
    ClockNotKnown = 14,
    /// No payment has succeeded within a minute.
    NoPayment = 15,
    /// A payment has succeeded within a minute.
    Payment = 16,
}

impl Reason {
    /// Every reason, in the rule's order.
    pub const ALL: [Self; 17] = [
        Self::Silent,
        Self::RefusesAll,
        Self::Fenced,
        Self::JournalUnwritable,
        Self::TrunkCut,
        Self::BankDown,
        Self::Unavailable,
        Self::Slow,
        Self::SafOld,
        Self::Certificate,
        Self::Disk,
        Self::Clock,
        Self::CertificateNotKnown,
        Self::DiskNotKnown,
        Self::ClockNotKnown,
        Self::NoPayment,
        Self::Payment,
    ];

    /// How many fires it lights.
    pub const fn fires(self) -> u8 {
        match self {
            Self::Silent => 0,
            Self::RefusesAll | Self::Fenced | Self::JournalUnwritable => 5,
            Self::TrunkCut => 4,
            Self::BankDown | Self::Unavailable | Self::Slow => 3,
            Self::SafOld
            | Self::Certificate
            | Self::Disk
            | Self::Clock
            | Self::CertificateNotKnown
            | Self::DiskNotKnown
            | Self::ClockNotKnown
            | Self::NoPayment => 2,
            Self::Payment => 1,
        }
    }

    /// Its name in answers to scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::RefusesAll => "refuses_all",
            Self::Fenced => "fenced",
            Self::JournalUnwritable => "journal_unwritable",
            Self::TrunkCut => "trunk_cut",
            Self::BankDown => "bank_down",
            Self::Unavailable => "unavailable",
            Self::Slow => "slow",
            Self::SafOld => "saf_old",
            Self::Certificate => "certificate",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::CertificateNotKnown => "certificate_not_known",
            Self::DiskNotKnown => "disk_not_known",
            Self::ClockNotKnown => "clock_not_known",
            Self::NoPayment => "no_payment",
            Self::Payment => "payment",
        }
    }

    /// Its bit.
    pub const fn bit(self) -> u32 {
        1 << (self as u8)
    }
}

/// How many fires burn, and everything that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fires {
    /// 0 to 5.
    pub number: u8,
    /// [`Reason::bit`]s of all that holds; the first in the rule's order decides.
    pub reasons: u32,
}

impl Fires {
    /// The fires that these reasons light: the first in the rule's order decides, and without any
    /// nothing is known.
    pub fn of(reasons: u32) -> Self {
        let first = Reason::ALL.into_iter().find(|reason| reasons & reason.bit() != 0);
        Self { number: first.map_or(0, Reason::fires), reasons }
    }

    /// What holds, the deciding reason first.
    pub fn all(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.reasons & reason.bit() != 0)
    }

    /// With what somebody else knows too: a success counts only where nothing else holds.
    pub fn with(self, reasons: u32) -> Self {
        Self::of(self.reasons | reasons)
    }

    /// The word for the number (interfaces: `GET /api/v1/stations`).
    pub const fn state(self) -> &'static str {
        state(self.number)
    }
}

/// The word for a number of fires.
pub const fn state(fires: u8) -> &'static str {
    match fires {
        1 => "well",
        2 => "watch",
        3 => "impaired",
        4 => "isolated",
        5 => "down",
        _ => "dark",
    }
}

/// The place of a number of fires in a list: 0, 5, 4, 3, 2, 1.
pub const fn urgency(fires: u8) -> u8 {
    match fires {
        1..=5 => 6 - fires,
        _ => 0,
    }
}

/// Judges a station.
pub fn judge(facts: &Facts) -> Fires {
    let succeeded = facts.succeeded_ms.is_some_and(|ms| ms < WINDOW_MS);
    let unavailable = facts.answered > 0
        && facts.unavailable.saturating_mul(1000)
            >= facts.answered.saturating_mul(UNAVAILABLE_PER_MILLE)
        && facts.unavailable > 0;
    let holds = |reason: Reason| match reason {
        Reason::Silent => facts.silent_ms >= SILENT_MS,
        Reason::RefusesAll => facts.refuses_all,
        Reason::Fenced => facts.fenced,
        Reason::JournalUnwritable => facts.journal_unwritable,
        Reason::TrunkCut => facts.trunk_cut,
        Reason::BankDown => matches!(facts.banks_down, Known::Is(down) if down > 0),
        Reason::Unavailable => unavailable,
        Reason::Slow => facts.p99_ms > SLOW_MS,
        Reason::SafOld => facts.saf_oldest_ms > SAF_OLD_MS,
        Reason::Certificate => {
            matches!(facts.certificate_days, Known::Is(days) if days < CERTIFICATE_DAYS)
        }
        Reason::Disk => {
            matches!(facts.disk_free_percent, Known::Is(free) if free < DISK_FREE_PERCENT)
        }
        Reason::Clock => matches!(facts.clock_off_ms, Known::Is(off) if off > CLOCK_OFF_MS),
        Reason::CertificateNotKnown => facts.certificate_days == Known::NotKnown,
        Reason::DiskNotKnown => facts.disk_free_percent == Known::NotKnown,
        Reason::ClockNotKnown => facts.clock_off_ms == Known::NotKnown,
        Reason::NoPayment => !succeeded,
        Reason::Payment => succeeded,
    };
    let reasons = Reason::ALL.into_iter().filter(|reason| holds(*reason));
    Fires::of(reasons.fold(0, |bits, reason| bits | reason.bit()))
}

#[cfg(test)]
mod tests;
