//! What may be put away: what is old enough that nothing is matched with it any more, and closed.

use host::Config;
use host::config::Profile;
use host::config::limits::RETENTION_DAYS_MIN;
use journal::Sealed;
use scheme::Timestamp;

use crate::error::Failure;
use crate::output;

const DAY_NS: u64 = 86_400_000_000_000;

/// How far back something is old.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Age {
    /// What is older may go.
    before: Timestamp,
    /// Days of the journal that stay; none where a trial nation gives up what is younger.
    days: Option<u64>,
}

impl Age {
    /// Of what the command and the configuration say. Reversals, completions and refunds are
    /// matched with payments of the last [`RETENTION_DAYS_MIN`] days: without them money that was
    /// taken is not given back, so they stay in every profile but `demo`, where none is real.
    pub(super) fn of(
        asked: Option<Timestamp>,
        config: &Config,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let retention = config.journal.retention_days;
        let days = retention.unwrap_or(RETENTION_DAYS_MIN);
        let kept = days_before(now, days);
        let Some(before) = asked.or(retention.map(|_| kept)) else {
            return Err(Failure::new("usage", "nothing says what is old")
                .at("--before")
                .todo("name a date with --before, or set journal.retention_days"));
        };
        match (before > kept, retention, config.profile) {
            (true, Some(days), _) => {
                let what = format!("the configuration keeps the last {days} days");
                Err(Failure::new("too_young", what)
                    .at("--before")
                    .todo("name an earlier date, or lower journal.retention_days"))
            }
            (true, None, Profile::Production) => {
                let what = format!(
                    "the last {days} days stay: a reversal or completion that comes for a payment \
                     of them must find it"
                );
                Err(Failure::new("too_young", what).at("--before").todo("name an earlier date"))
            }
            (true, None, Profile::Demo) => {
                output::note(&format!(
                    "note: this puts away some of the last {days} days, as only profile demo \
                     may: a reversal of what goes is acknowledged and gives nothing back"
                ));
                Ok(Self { before, days: None })
            }
            (false, _, _) => Ok(Self { before, days: Some(days) }),
        }
    }

    /// What is older may go, of a journal whose last record is of this time. A clock that runs
    /// ahead must not make young what the journal knows to be.
    pub(super) fn before(self, newest: Timestamp) -> Timestamp {
        self.days.map_or(self.before, |days| self.before.min(days_before(newest, days)))
    }
}

fn days_before(at: Timestamp, days: u64) -> Timestamp {
    Timestamp(at.0.saturating_sub(days.saturating_mul(DAY_NS)))
}

/// How far it is old and closed.
pub(super) struct Old {
    /// The last segment that is, 0 = none.
    pub(super) through: u64,
    /// Why not the next.
    pub(super) why: Option<String>,
}

pub(super) fn old_enough(
    sealed: &[Sealed],
    before: Timestamp,
    open_since: Option<Timestamp>,
) -> Old {
    let mut through = 0;
    for segment in sealed {
        let until = Timestamp(segment.until_ns);
        if until > before {
            let why = format!("segment {} holds what is younger than {before}", segment.number);
            return Old { through, why: Some(why) };
        }
        if let Some(since) = open_since.filter(|since| *since <= until) {
            let why = format!(
                "segment {} may hold a payment that is under way, or of which an issuer is still \
                 to be told, since {since}",
                segment.number
            );
            return Old { through, why: Some(why) };
        }
        through = segment.number;
    }
    Old { through, why: Some("the next segment is the one that the hub writes to".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000 * DAY_NS);

    fn config(profile: &str, retention: Option<u64>) -> Config {
        let text = include_str!("../../../../../examples/four-stations/nation.toml");
        let mut config = Config::parse(text, "nation.toml").unwrap();
        config.profile = match profile {
            "demo" => Profile::Demo,
            _ => Profile::Production,
        };
        config.journal.retention_days = retention;
        config
    }

    fn day(day: u64) -> Timestamp {
        Timestamp(day * DAY_NS)
    }

    fn age(profile: &str, retention: Option<u64>, asked: Option<u64>) -> Result<Age, &'static str> {
        let age = Age::of(asked.map(day), &config(profile, retention), NOW);
        age.map_err(|failure| failure.kind)
    }

    /// Sixteen days are matched with what comes: nobody but a trial nation gives them up, and none
    /// that has said how much it keeps.
    #[test]
    fn what_may_still_be_reversed_stays() {
        for profile in ["demo", "production"] {
            assert_eq!(age(profile, None, None), Err("usage"));
            assert_eq!(age(profile, Some(30), Some(971)), Err("too_young"));
            let kept = Age { before: day(970), days: Some(30) };
            assert_eq!(age(profile, Some(30), None), Ok(kept));
            assert_eq!(age(profile, Some(30), Some(970)), Ok(kept));
            let kept = Age { before: day(984), days: Some(16) };
            assert_eq!(age(profile, None, Some(984)), Ok(kept));
        }
        for young in [985, 1_000, 1_001, 60_000] {
            assert_eq!(age("production", None, Some(young)), Err("too_young"));
            let gone = Age { before: day(young), days: None };
            assert_eq!(age("demo", None, Some(young)), Ok(gone));
            assert_eq!(gone.before(day(900)), day(young));
        }
    }

    /// A clock that is months ahead: the journal's own last days stay all the same.
    #[test]
    fn the_journals_own_time_counts_too() {
        let age = age("production", Some(30), None).unwrap();
        assert_eq!(age.before(day(1_000)), day(970));
        assert_eq!(age.before(day(1_001)), day(970));
        assert_eq!(age.before(day(900)), day(870));
        assert_eq!(age.before(day(1)), day(0));
    }
}
