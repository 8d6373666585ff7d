//! What a list of payments may be narrowed by, out of a query of a URL.

use host::limits::QUERY_PAYMENTS_MAX;
use host::view::PaymentFilter;
use scheme::{BusinessDate, CivilDateTime, PaymentId, Stan, TerminalId, Timestamp};

use super::refusal::Refusal;
use crate::limits::PAYMENTS_DEFAULT;

/// `rrn=|stan=|terminal=|date=|from=|to=|cursor=|limit=`, each at most once, all of them to fit.
pub(super) fn filter(parameters: &[(String, String)]) -> Result<PaymentFilter, Refusal> {
    let mut filter = PaymentFilter { limit: PAYMENTS_DEFAULT, ..PaymentFilter::default() };
    for (place, (name, value)) in parameters.iter().enumerate() {
        if parameters[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(Refusal::query(name, "given twice", "give it once"));
        }
        let bad = |remedy| Refusal::query(name, format!("`{value}` does not fit"), remedy);
        match name.as_str() {
            "rrn" => {
                let fits = !value.is_empty() && value.len() <= 12 && value.is_ascii();
                let rrn = fits.then(|| value.clone());
                filter.rrn = Some(rrn.ok_or_else(|| bad("up to 12 characters (DE37)"))?);
            }
            "stan" => {
                let stan = value.parse().ok().and_then(Stan::new);
                filter.stan = Some(stan.ok_or_else(|| bad("a number up to 999999 (DE11)"))?.get());
            }
            "terminal" => {
                let terminal = TerminalId::new(value.as_bytes());
                filter.terminal = Some(terminal.map_err(|_| bad("up to 8 characters (DE41)"))?);
            }
            "from" | "to" => {
                let at = instant(value).ok_or_else(|| {
                    bad("a time as 2026-11-22T09:00:00Z (RFC 3339), or a date in UTC")
                })?;
                *(if name == "from" { &mut filter.from } else { &mut filter.to }) = Some(at);
            }
            "cursor" => {
                let after = cursor(value).ok_or_else(|| bad("`next` of the answer before"))?;
                filter.after = Some(after);
            }
            "date" => {
                let date = date(value).ok_or_else(|| bad("a business date YYYY-MM-DD"))?;
                filter.date = Some(date);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|n| (1..=QUERY_PAYMENTS_MAX).contains(n));
                filter.limit = limit.ok_or_else(|| bad("a number from 1 to 500"))?;
            }
            _ => {
                let known = "known are rrn, stan, terminal, date, from, to, cursor, limit";
                return Err(Refusal::query(name, "unknown parameter", known));
            }
        }
    }
    Ok(filter)
}

/// Where the next page goes on, as a URL has it.
pub(super) fn cursor_of((at, id): (Timestamp, PaymentId)) -> String {
    format!("{:x}-{id}", at.0)
}

/// What [`cursor_of`] wrote.
fn cursor(text: &str) -> Option<(Timestamp, PaymentId)> {
    let (at, id) = text.split_once('-')?;
    Some((Timestamp(u64::from_str_radix(at, 16).ok()?), payment_id(id)?))
}

/// 32 hexadecimal digits.
pub(super) fn payment_id(text: &str) -> Option<PaymentId> {
    let hexadecimal = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = u128::from_str_radix(text, 16).ok().filter(|_| hexadecimal)?;
    Some(PaymentId::of_transfer(id))
}

/// RFC 3339, to the second, or a date: its midnight in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let day = date(text.get(..10)?)?.civil();
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Timestamp::from_s(day.seconds()));
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let two = |from: usize, below: u8| {
        let part = clock.get(from..from + 2)?;
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u8>().ok().filter(|number| digits && *number < below)
    };
    let (hour, minute, second) = (two(0, 24)?, two(3, 60)?, two(6, 60)?);
    let colons = clock.get(2..3)? == ":" && clock.get(5..6)? == ":";
    let civil = CivilDateTime { hour, minute, second, ..day };
    let tail = clock.get(8..)?;
    let fraction = tail
        .strip_prefix('.')
        .map_or(0, |digits| 1 + digits.bytes().take_while(u8::is_ascii_digit).count());
    let offset_s = offset(tail.get(fraction..)?).filter(|_| colons && fraction != 1)?;
    Some(Timestamp::from_s(civil.seconds().checked_add_signed(-offset_s)?))
}

/// `Z`, or `+08:30`, in seconds.
fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| digits)
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// YYYY-MM-DD, a day that exists, within the 16 bits of a business date.
fn date(text: &str) -> Option<BusinessDate> {
    let digits = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
    };
    let civil = CivilDateTime {
        year: digits(0, 4).filter(|year| (1970..2149).contains(year))?,
        month: u8::try_from(digits(5, 7)?).ok().filter(|month| (1..=12).contains(month))?,
        day: u8::try_from(digits(8, 10)?).ok().filter(|day| (1..=31).contains(day))?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let date = BusinessDate::of(civil);
    (date.to_string() == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &[(&str, &str)]) -> Result<PaymentFilter, Refusal> {
        let owned: Vec<_> = query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        filter(&owned)
    }

    #[test]
    fn a_filter_takes_what_fits_and_names_what_does_not() {
        let all = [("rrn", "632600000001"), ("stan", "42"), ("terminal", "PYO00001")];
        let filter = of(&all).unwrap();
        assert_eq!(filter.rrn.as_deref(), Some("632600000001"));
        assert_eq!((filter.stan, filter.limit), (Some(42), PAYMENTS_DEFAULT));
        assert_eq!(filter.terminal.unwrap().to_string(), "PYO00001");
        let date = of(&[("date", "2026-11-22"), ("limit", "500")]).unwrap();
        // 2026-11-22 is day 20,779 (GNU date: `date -ud 2026-11-22 +%s` / 86400).
        assert_eq!((date.date, date.limit), (Some(BusinessDate(20_779)), 500));
        for (name, value) in [
            ("rrn", ""),
            ("rrn", "1234567890123"),
            ("stan", "1000000"),
            ("stan", "-1"),
            ("terminal", "123456789"),
            ("date", "2026-02-30"),
            ("date", "2026-2-3"),
            ("date", "2026-11-22x"),
            ("date", "+026-11-22"),
            ("date", "9999-01-01"),
            ("limit", "0"),
            ("limit", "501"),
            ("cursor", "1"),
            ("cursor", "zz-00"),
            ("from", "2026-11-22T24:00:00Z"),
            ("from", "2026-11-22T09:00:00"),
            ("from", "2026-11-22T09:00:00.Z"),
            ("to", "2026-11-22T09-00-00Z"),
            ("to", "now"),
            ("page", "1"),
        ] {
            assert!(of(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert!(of(&[("stan", "1"), ("stan", "1")]).is_err());
    }

    #[test]
    fn times_and_cursors_come_back_as_they_were_meant() {
        let from = |text: &str| of(&[("from", text)]).unwrap().from.unwrap().seconds();
        // GNU date: `date -ud 2026-11-22T00:00:00Z +%s`.
        assert_eq!(from("2026-11-22"), 1_795_305_600);
        assert_eq!(from("2026-11-22T09:00:00Z"), 1_795_305_600 + 9 * 3600);
        assert_eq!(from("2026-11-22T09:00:00.25+09:00"), 1_795_305_600);
        assert_eq!(from("2026-11-21T23:30:00-00:30"), 1_795_305_600);
        let id = PaymentId::of_transfer(0x0123_4567_89ab_cdef_0123_4567_89ab_cdf0);
        let last = (Timestamp(1_795_305_600_123_456_000), id);
        assert_eq!(of(&[("cursor", &cursor_of(last))]).unwrap().after, Some(last));
    }
}
