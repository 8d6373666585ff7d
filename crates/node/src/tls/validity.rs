//! When a certificate ends: the one thing that is read of it here and nowhere else. A walk over the
//! outer parts of its DER (X.690) as X.509 orders them (RFC 5280, 4.1).

use scheme::{CivilDateTime, Timestamp};

/// One part of DER: its tag, its content, and what follows it.
fn part(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        // A certificate is far below 16 MiB.
        let count = usize::from(*first & 0x7f);
        if count == 0 || count > 3 || rest.len() < count {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The certificate's `notAfter`; `None` when it cannot be read.
pub(super) fn ends(certificate: &[u8]) -> Option<Timestamp> {
    let (SEQUENCE, certificate, _) = part(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = part(certificate)? else { return None };
    // Version, serial number, signature algorithm, issuer; then validity.
    if let (VERSION, _, after) = part(rest)? {
        rest = after;
    }
    for _ in 0..3 {
        rest = part(rest)?.2;
    }
    let (SEQUENCE, validity, _) = part(rest)? else { return None };
    let (_, _, after) = part(validity)?;
    let (tag, text, _) = part(after)?;
    time(tag, text)
}

/// UTCTime YYMMDDhhmmssZ until 2049, GeneralizedTime YYYYMMDDhhmmssZ from then on.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: u16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || year < 1970 {
        return None;
    }
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let civil = CivilDateTime {
        year,
        month: two(0).filter(|month| (1..=12).contains(month))?,
        day: two(2).filter(|day| (1..=31).contains(day))?,
        hour: two(4)?,
        minute: two(6)?,
        second: two(8)?,
    };
    Some(Timestamp::from_s(civil.seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read_and_nothing_else() {
        // 2026-11-22 10:00:00 UTC and 2050-01-01 00:00:00 UTC (`date -u -d ... +%s`).
        assert_eq!(time(UTC_TIME, b"261122100000Z"), Some(Timestamp::from_s(1_795_341_600)));
        let later = time(GENERALIZED_TIME, b"20500101000000Z");
        assert_eq!(later, Some(Timestamp::from_s(2_524_608_000)));
        for wrong in
            [&b"261122100000"[..], b"2611221000Z", b"261322100000Z", b"26112210000xZ", b"Z"]
        {
            assert_eq!(time(UTC_TIME, wrong), None);
        }
        assert_eq!(ends(b""), None);
        assert_eq!(ends(&[SEQUENCE, 0x84, 1, 1, 1, 1]), None);
        assert_eq!(ends(&[SEQUENCE, 0x7f, 1]), None);
    }
}
