//! Time as the scheme writes it: UTC instants, DE7 (UTC month and time), DE12/13 (local month and
//! time, without a year), business dates, and a nation's zone as plain data.

use alloc::vec::Vec;
use core::fmt;

use crate::digits::number;

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub u64);

/// Seconds from 1970-01-01 to 2000-01-01, the origin of payment ids.
const EPOCH_2000: u64 = 946_684_800;
const DAY_S: u64 = 86_400;

/// Why a date or time was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date or time")
    }
}

impl core::error::Error for TimeError {}

impl Timestamp {
    /// From whole seconds since 1970.
    pub const fn from_s(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// This many milliseconds later.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// Milliseconds from `earlier` to this; zero when it is not earlier.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }

    /// DE7 of this instant: UTC.
    pub fn month_time(self) -> MonthTime {
        CivilDateTime::from_seconds(self.seconds()).month_time()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with milliseconds, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = CivilDateTime::from_seconds(self.seconds());
        let ms = (self.0 / 1_000_000) % 1000;
        write!(f, "{civil}.{ms:03}Z")
    }
}

/// A calendar date and a time of day, in whatever zone the context says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CivilDateTime {
    /// Year.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "calendar arithmetic on years 1970 to 9999 stays far inside its integers"
)]
impl CivilDateTime {
    /// The date and time that many seconds after 1970-01-01T00:00:00.
    pub fn from_seconds(seconds: u64) -> Self {
        let (year, month, day) = civil_of_day(seconds / DAY_S);
        let rest = seconds % DAY_S;
        Self {
            year,
            month,
            day,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }

    /// Seconds after 1970-01-01T00:00:00.
    pub fn seconds(self) -> u64 {
        day_of_civil(self.year, self.month, self.day) * DAY_S
            + u64::from(self.hour) * 3600
            + u64::from(self.minute) * 60
            + u64::from(self.second)
    }

    /// Month, day and time without the year.
    pub fn month_time(self) -> MonthTime {
        let date = u32::from(self.month) * 100 + u32::from(self.day);
        let time =
            u32::from(self.hour) * 10_000 + u32::from(self.minute) * 100 + u32::from(self.second);
        MonthTime(date * 1_000_000 + time)
    }
}

impl fmt::Display for CivilDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// Howard Hinnant's `civil_from_days`, for days since 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "days up to the year 9999 keep every intermediate below 2^32"
)]
fn civil_of_day(day: u64) -> (u16, u8, u8) {
    let z = day + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (year as u16, month as u8, (doy - (153 * mp + 2) / 5 + 1) as u8)
}

/// Howard Hinnant's `days_from_civil`, for dates from 1970-03-01 on (and January, February 1970).
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years up to 9999 keep every intermediate below 2^32"
)]
fn day_of_civil(year: u16, month: u8, day: u8) -> u64 {
    let (m, d) = (u64::from(month), u64::from(day));
    let y = u64::from(year) - u64::from(m <= 2);
    let (era, yoe) = (y / 400, y % 400);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// Month, day, hour, minute, second without a year: DE7 (UTC), or DE13 followed by DE12 (local).
/// Held as the ten digits read as one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MonthTime(u32);

/// DE13 and DE12 together: the terminal's own clock.
pub type LocalTime = MonthTime;

impl MonthTime {
    /// Ten digits MMDDhhmmss, each part in its range.
    pub fn new(number: u32) -> Option<Self> {
        let (month, day) = (number / 100_000_000, number / 1_000_000 % 100);
        let (hour, minute, second) = (number / 10_000 % 100, number / 100 % 100, number % 100);
        let days = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        let valid = (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60;
        valid.then_some(Self(number))
    }

    /// Ten ASCII digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let number = number(text).filter(|_| text.len() == 10)?;
        u32::try_from(number).ok().and_then(Self::new)
    }

    /// From DE13 (MMDD) and DE12 (hhmmss).
    pub fn from_parts(date: &[u8], time: &[u8]) -> Option<Self> {
        let mut digits = [0; 10];
        digits.get_mut(..4)?.copy_from_slice(date.get(..4).filter(|_| date.len() == 4)?);
        digits.get_mut(4..)?.copy_from_slice(time.get(..6).filter(|_| time.len() == 6)?);
        Self::parse(&digits)
    }

    /// The ten digits as a number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// MMDD: DE13.
    pub const fn date(self) -> u16 {
        // Four digits: at most 1231.
        (self.0 / 1_000_000) as u16
    }

    /// hhmmss: DE12.
    pub const fn time(self) -> u32 {
        self.0 % 1_000_000
    }

    /// The instant in the year that brings it nearest to `near`, both read in the same zone.
    /// 29 February outside a leap year becomes 1 March.
    pub fn nearest(self, near: CivilDateTime) -> CivilDateTime {
        CivilDateTime::from_seconds(self.nearest_seconds(near))
    }

    /// The same in seconds after 1970-01-01T00:00:00.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "digits of a valid date, years near a real clock"
    )]
    pub fn nearest_seconds(self, near: CivilDateTime) -> u64 {
        let in_year = |year: u16| {
            let parsed = CivilDateTime {
                year,
                month: (self.0 / 100_000_000) as u8,
                day: (self.0 / 1_000_000 % 100) as u8,
                hour: (self.0 / 10_000 % 100) as u8,
                minute: (self.0 / 100 % 100) as u8,
                second: (self.0 % 100) as u8,
            };
            parsed.seconds()
        };
        let target = near.seconds();
        let year = near.year.max(1971);
        let same = in_year(year);
        // One in another year is 365 days from this one, or more.
        if same.abs_diff(target) <= 182 * DAY_S {
            return same;
        }
        [in_year(year - 1), same, in_year(year + 1)]
            .into_iter()
            .min_by_key(|candidate| candidate.abs_diff(target))
            .unwrap_or(target)
    }
}

impl fmt::Display for MonthTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// A business date: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BusinessDate(pub u16);

impl BusinessDate {
    /// The day of a civil date and time.
    #[expect(clippy::cast_possible_truncation, reason = "days fit 16 bits until 2149")]
    pub fn of(civil: CivilDateTime) -> Self {
        Self((civil.seconds() / DAY_S) as u16)
    }

    /// Midnight of the day, as a civil date and time.
    pub fn civil(self) -> CivilDateTime {
        CivilDateTime::from_seconds(u64::from(self.0).saturating_mul(DAY_S))
    }

    /// MMDD: DE15.
    pub fn month_day(self) -> u16 {
        self.civil().month_time().date()
    }

    /// The day after.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.civil();
        write!(f, "{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
    }
}

/// One change of a zone's offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneChange {
    /// From this instant on.
    pub from: Timestamp,
    /// Seconds east of UTC.
    pub offset_s: i32,
}

/// A nation's local time, as plain data: an offset and its coming changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    first_offset_s: i32,
    changes: Vec<ZoneChange>,
}

impl Zone {
    /// One offset for ever.
    pub const fn fixed(offset_s: i32) -> Self {
        Self { first_offset_s: offset_s, changes: Vec::new() }
    }

    /// An offset until the first of `changes`, which are in order of time.
    pub fn new(first_offset_s: i32, changes: Vec<ZoneChange>) -> Self {
        Self { first_offset_s, changes }
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_s(&self, at: Timestamp) -> i32 {
        let passed = self.changes.partition_point(|change| change.from <= at);
        match passed.checked_sub(1).and_then(|last| self.changes.get(last)) {
            Some(change) => change.offset_s,
            None => self.first_offset_s,
        }
    }

    /// Local date and time at an instant.
    pub fn local(&self, at: Timestamp) -> CivilDateTime {
        let shifted = at.seconds().saturating_add_signed(i64::from(self.offset_s(at)));
        CivilDateTime::from_seconds(shifted)
    }

    /// The instant of a local date and time; in a repeated hour, the earlier one.
    pub fn instant(&self, local: CivilDateTime) -> Timestamp {
        let wall = local.seconds();
        let guess = |offset: i32| wall.saturating_sub_signed(i64::from(offset));
        let offset = self.offset_s(Timestamp::from_s(guess(self.first_offset_s)));
        let once = self.offset_s(Timestamp::from_s(guess(offset)));
        Timestamp::from_s(guess(once))
    }
}

/// Seconds since 2000-01-01 of a local time in the year nearest to `near`: the head of an id.
pub(crate) fn seconds_since_2000(local: LocalTime, near: CivilDateTime) -> u32 {
    let seconds = local.nearest_seconds(near);
    u32::try_from(seconds.saturating_sub(EPOCH_2000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_round_trip_over_every_day_to_2199() {
        for day in 0..84_000 {
            let civil = CivilDateTime::from_seconds(day * DAY_S + 3661);
            assert_eq!(civil.seconds(), day * DAY_S + 3661);
        }
        // 2026-11-22 is day 20,779 (GNU date: `date -ud 2026-11-22 +%s` / 86400).
        assert_eq!(CivilDateTime::from_seconds(20_779 * DAY_S).month_time().date(), 1122);
        assert_eq!(BusinessDate(20_779).next().month_day(), 1123);
    }

    #[test]
    fn the_year_nearest_to_the_clock() {
        let new_year = CivilDateTime::from_seconds(
            CivilDateTime { year: 2027, month: 1, day: 1, hour: 0, minute: 0, second: 5 }.seconds(),
        );
        let old = MonthTime::new(1_231_235_959).unwrap().nearest(new_year);
        assert_eq!((old.year, old.day), (2026, 31));
        let leap = MonthTime::new(229_120_000).unwrap().nearest(new_year);
        assert_eq!((leap.month, leap.day), (3, 1));
    }

    /// Every day of a leap year and of the next, against clocks of every tenth day.
    #[test]
    fn no_other_year_is_nearer() {
        let begin = 20_088 * DAY_S; // 2025-01-01
        for day in (0..1_500).step_by(10) {
            let clock = CivilDateTime::from_seconds(begin + day * DAY_S + 43_200);
            for other in 0..366 {
                // 2024 has a 29 February.
                let local = CivilDateTime::from_seconds((19_723 + other) * DAY_S + 43_199);
                let local = local.month_time();
                let found = local.nearest(clock);
                let distance = found.seconds().abs_diff(clock.seconds());
                for year in 2023..2031 {
                    let (number, mut civil) = (local.number(), found);
                    civil.year = year;
                    civil.month = (number / 100_000_000) as u8;
                    civil.day = (number / 1_000_000 % 100) as u8;
                    let there = civil.seconds().abs_diff(clock.seconds());
                    assert!(distance <= there, "{local} at {clock}: {found}, not {year}");
                    if year == found.year {
                        assert_eq!(civil.seconds(), found.seconds(), "{local} at {clock}");
                    }
                }
            }
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        for number in [0, 1_300_000_000, 431_000_000, 101_240_000, 101_006_000, 101_000_060] {
            assert_eq!(MonthTime::new(number), None, "{number}");
        }
    }

    #[test]
    fn a_zone_with_a_change() {
        let change = ZoneChange { from: Timestamp::from_s(1_000_000), offset_s: 7200 };
        let zone = Zone::new(3600, alloc::vec![change]);
        for seconds in [0, 999_999, 1_000_000, 2_000_000] {
            let at = Timestamp::from_s(seconds);
            assert_eq!(zone.instant(zone.local(at)), at, "{seconds}");
        }
    }
}
