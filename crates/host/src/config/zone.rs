//! A nation's local time by its IANA name, from the time zone data that is compiled in: the same
//! on every machine, and plain data afterwards.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use scheme::{Timestamp, Zone, ZoneChange};

use super::known::nearest;
use super::limits::{ZONE_FIRST_YEAR, ZONE_LAST_YEAR};

/// The zone and its canonical name; `Err` has the nearest name that exists, if one is near.
pub(super) fn by_name(name: &str) -> Result<(String, Zone), Option<String>> {
    let database = TimeZoneDatabase::bundled();
    let zone = database.get(name).map_err(|_| {
        let names: Vec<String> = database.available().map(|known| known.to_string()).collect();
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    })?;
    let canonical = zone.iana_name().unwrap_or(name).to_owned();
    Ok((canonical, plain(&zone)))
}

fn plain(zone: &TimeZone) -> Zone {
    let year_begins = |year| jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC);
    let begin = year_begins(ZONE_FIRST_YEAR).map_or(jiff::Timestamp::UNIX_EPOCH, |z| z.timestamp());
    let end = year_begins(ZONE_LAST_YEAR + 1).map_or(jiff::Timestamp::MAX, |z| z.timestamp());
    let first_offset_s = zone.to_offset(begin).seconds();
    let mut changes: Vec<ZoneChange> = Vec::new();
    for transition in zone.following(begin).take_while(|t| t.timestamp() < end) {
        let offset_s = transition.offset().seconds();
        let before = changes.last().map_or(first_offset_s, |change| change.offset_s);
        let Ok(seconds) = u64::try_from(transition.timestamp().as_second()) else {
            continue;
        };
        if offset_s != before {
            changes.push(ZoneChange { from: Timestamp::from_s(seconds), offset_s });
        }
    }
    Zone::new(first_offset_s, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(name: &str, seconds: u64) -> String {
        let (_, zone) = by_name(name).unwrap();
        zone.local(Timestamp::from_s(seconds)).to_string()
    }

    /// Source: GNU date, `TZ=Asia/Pyongyang date -d @SECONDS`; the changes of 2015-08-15 (to
    /// +08:30) and 2018-05-05 (back to +09:00) are in the IANA data.
    #[test]
    fn pyongyang_with_both_its_changes() {
        for (seconds, expected) in [
            (946_684_800, "2000-01-01T09:00:00"),
            (1_439_564_399, "2015-08-14T23:59:59"),
            (1_439_564_400, "2015-08-14T23:30:00"),
            (1_525_446_000, "2018-05-05T00:00:00"),
            (1_795_338_099, "2026-11-22T18:01:39"),
        ] {
            assert_eq!(local("Asia/Pyongyang", seconds), expected);
        }
    }

    #[test]
    fn summer_time_goes_on_for_twenty_years() {
        // Source: GNU date with TZ=Europe/Berlin.
        assert_eq!(local("Europe/Berlin", 2_415_182_400), "2046-07-14T14:00:00");
        assert_eq!(local("Europe/Berlin", 2_399_284_800), "2046-01-11T13:00:00");
        assert_eq!(by_name("utc").unwrap().1, Zone::fixed(0));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        assert_eq!(by_name("Asia/Pyongjang"), Err(Some("Asia/Pyongyang".to_owned())));
        assert_eq!(by_name("Nowhere/At-All-Whatever"), Err(None));
    }
}
