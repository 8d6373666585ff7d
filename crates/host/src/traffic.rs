//! What a role counts of its payments: the last minute second by second, the last hour minute by
//! minute, the business day. Fed from what is durable, one cheap call per payment.
//!
//! Bounds: 60 seconds of fixed buckets, 60 minutes, one day. Deliberately absent: anything that a
//! payment waits for, and anything that survives a restart but the day, which the role counts
//! anew from its state.

use scheme::Timestamp;

/// Seconds of the sliding window.
const SECONDS: usize = 60;
/// Minutes that are kept.
const MINUTES: usize = 60;
/// Upper bounds of the buckets of latency, ms: a tenth of a decade each, with R-FIRES' two
/// seconds among them; what is above the last is told as [`LONGEST_MS`].
const BOUNDS_MS: [u32; 42] = [
    1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 79, 100, 126, 158, 200, 251, 316, 398,
    501, 631, 794, 1000, 1259, 1585, 2000, 2512, 3162, 3981, 5012, 6310, 7943, 10_000, 12_589,
    15_849, 19_953, 25_119,
];
/// Buckets: one for each bound, and one above.
const BUCKETS: usize = BOUNDS_MS.len() + 1;
/// What the last bucket is told as, ms: longer than any answer may take (R-TIME).
const LONGEST_MS: u32 = 60_000;

/// How a payment was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// DE39 00.
    Approved,
    /// Another code than 00, 91 and 96.
    Declined,
    /// 91 or 96.
    Unavailable,
}

impl End {
    /// What a response code (DE39) is.
    pub(crate) fn of(code: scheme::ResponseCode) -> Self {
        match code.as_str() {
            "00" => Self::Approved,
            "91" | "96" => Self::Unavailable,
            _ => Self::Declined,
        }
    }
}

/// A payment's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    /// How.
    pub(crate) end: End,
    /// When it came in; none where nothing was measured.
    pub(crate) began: Option<Timestamp>,
    /// Whether it was synthetic: a sign of life, and in no total.
    pub(crate) synthetic: bool,
}

/// How many ended how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) approved: u64,
    pub(crate) declined: u64,
    pub(crate) unavailable: u64,
}

impl Ends {
    pub(crate) fn add(&mut self, end: End) {
        let count = match end {
            End::Approved => &mut self.approved,
            End::Declined => &mut self.declined,
            End::Unavailable => &mut self.unavailable,
        };
        *count = count.saturating_add(1);
    }

    /// All that were not approved.
    pub(crate) fn not_approved(self) -> u64 {
        self.declined.saturating_add(self.unavailable)
    }

    pub(crate) fn all(self) -> u64 {
        self.approved.saturating_add(self.declined).saturating_add(self.unavailable)
    }
}

#[derive(Clone, Copy, Debug)]
struct Second {
    /// Since 1970.
    at: u64,
    ends: Ends,
    latencies: [u32; BUCKETS],
}

const NEVER: Second = Second {
    at: 0,
    ends: Ends { approved: 0, declined: 0, unavailable: 0 },
    latencies: [0; BUCKETS],
};

/// The counters.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    seconds: Vec<Second>,
    /// By minute since 1970, modulo [`MINUTES`].
    minutes: Vec<(u64, Ends)>,
    succeeded: Option<Timestamp>,
    /// When one that is not synthetic did.
    really: Option<Timestamp>,
}

/// The last minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Window {
    pub(crate) ends: Ends,
    /// The upper bound of the bucket of the p99, ms; 0 without any.
    pub(crate) p99_ms: u32,
}

impl Window {
    /// Payments answered per second, thousandths.
    pub(crate) fn per_s_milli(&self) -> u64 {
        self.ends.all().saturating_mul(1000) / SECONDS as u64
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            seconds: vec![NEVER; SECONDS],
            minutes: vec![(0, Ends::default()); MINUTES],
            succeeded: None,
            really: None,
        }
    }
}

impl Traffic {
    /// A payment has ended.
    pub(crate) fn ended(&mut self, now: Timestamp, ended: Ended) {
        if ended.end == End::Approved {
            self.succeeded = Some(now);
        }
        if ended.synthetic {
            return;
        }
        if ended.end == End::Approved {
            self.really = Some(now);
        }
        let at = now.seconds();
        let second = &mut self.seconds[place(at, SECONDS)];
        if second.at != at {
            *second = Second { at, ..NEVER };
        }
        second.ends.add(ended.end);
        if let Some(began) = ended.began {
            let ms = now.ms_since(began);
            let bucket = BOUNDS_MS.partition_point(|bound| u64::from(*bound) < ms);
            let count = &mut second.latencies[bucket];
            *count = count.saturating_add(1);
        }
        let minute = &mut self.minutes[place(at / 60, MINUTES)];
        if minute.0 != at / 60 {
            *minute = (at / 60, Ends::default());
        }
        minute.1.add(ended.end);
    }

    /// The last 60 seconds, the present one included.
    pub(crate) fn window(&self, now: Timestamp) -> Window {
        let mut ends = Ends::default();
        let mut latencies = [0u64; BUCKETS];
        let first = now.seconds().saturating_sub(SECONDS as u64 - 1);
        for second in self.seconds.iter().filter(|second| second.at >= first) {
            ends.approved = ends.approved.saturating_add(second.ends.approved);
            ends.declined = ends.declined.saturating_add(second.ends.declined);
            ends.unavailable = ends.unavailable.saturating_add(second.ends.unavailable);
            for (sum, count) in latencies.iter_mut().zip(second.latencies) {
                *sum = sum.saturating_add(u64::from(count));
            }
        }
        Window { ends, p99_ms: p99(&latencies) }
    }

    /// The last `count` minutes, oldest first, the present one last: minute since 1970 and ends.
    pub(crate) fn minutes(&self, now: Timestamp, count: usize) -> Vec<(u64, Ends)> {
        let present = now.seconds() / 60;
        let count = count.min(MINUTES) as u64;
        let first = present.saturating_sub(count.saturating_sub(1));
        let of = |minute: u64| {
            let kept = self.minutes[place(minute, MINUTES)];
            (minute, if kept.0 == minute { kept.1 } else { Ends::default() })
        };
        (first..=present).map(of).collect()
    }

    /// How long ago a payment last succeeded, ms; a synthetic one counts.
    pub(crate) fn succeeded_ms(&self, now: Timestamp) -> Option<u64> {
        self.succeeded.map(|at| now.ms_since(at))
    }

    /// When a payment that is not synthetic last succeeded.
    pub(crate) fn really_succeeded(&self) -> Option<Timestamp> {
        self.really
    }
}

/// The place of a second or minute in its ring.
fn place(at: u64, of: usize) -> usize {
    // A remainder of a number of places is a place.
    usize::try_from(at % of as u64).unwrap_or(0)
}

fn p99(latencies: &[u64; BUCKETS]) -> u32 {
    let all: u64 = latencies.iter().sum();
    if all == 0 {
        return 0;
    }
    // The rank of the p99: the smallest that has 99 of 100 at or below it.
    let rank = all.saturating_mul(99).div_ceil(100);
    let mut seen = 0;
    let bucket = latencies.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    bucket.and_then(|bucket| BOUNDS_MS.get(bucket)).copied().unwrap_or(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp::from_s(1_795_000_020);

    fn ended(end: End, began: Timestamp) -> Ended {
        Ended { end, began: Some(began), synthetic: false }
    }

    #[test]
    fn the_window_is_sixty_seconds_and_forgets() {
        let mut traffic = Traffic::default();
        for s in 0..100 {
            let now = T.plus_ms(s * 1000);
            traffic.ended(now, ended(End::Approved, now));
        }
        let last = T.plus_ms(99_000);
        assert_eq!(traffic.window(last).ends.approved, 60);
        assert_eq!(traffic.window(last).per_s_milli(), 1000);
        assert_eq!(traffic.window(last.plus_ms(30_000)).ends.approved, 30);
        assert_eq!(traffic.window(last.plus_ms(60_000)), Window::default());
        let minutes = traffic.minutes(last, 3);
        let counts: Vec<_> = minutes.iter().map(|(_, ends)| ends.approved).collect();
        // T is second 0 of a minute: 1,795,000,020 = 60 x 29,916,667.
        assert_eq!(counts, [0, 60, 40]);
        assert_eq!(traffic.minutes(last, 1000).len(), MINUTES);
    }

    #[test]
    fn p99_is_the_bucket_that_has_99_of_100_at_or_below() {
        let mut traffic = Traffic::default();
        let end = |traffic: &mut Traffic, ms: u64| {
            traffic.ended(T.plus_ms(ms), ended(End::Declined, T));
        };
        assert_eq!(traffic.window(T).p99_ms, 0);
        for _ in 0..99 {
            end(&mut traffic, 7);
        }
        end(&mut traffic, 2001);
        assert_eq!(traffic.window(T).p99_ms, 8);
        end(&mut traffic, 2001);
        assert_eq!(traffic.window(T).p99_ms, 2512);
        let mut slow = Traffic::default();
        end(&mut slow, 2000);
        assert_eq!(slow.window(T.plus_ms(2000)).p99_ms, 2000, "two seconds are not over two");
        end(&mut slow, 40_000);
        assert_eq!(slow.window(T.plus_ms(40_000)).p99_ms, LONGEST_MS);
    }

    #[test]
    fn ends_are_told_apart_and_a_synthetic_one_is_only_a_sign_of_life() {
        let mut traffic = Traffic::default();
        for code in [b"00", b"05", b"51", b"91", b"96"] {
            traffic.ended(T, ended(End::of(scheme::ResponseCode::of(code)), T));
        }
        let expected = Ends { approved: 1, declined: 2, unavailable: 2 };
        assert_eq!(traffic.window(T).ends, expected);
        let late = T.plus_ms(70_000);
        traffic.ended(late, Ended { synthetic: true, ..ended(End::Approved, T) });
        assert_eq!(traffic.window(late).ends.all(), 0);
        assert_eq!(traffic.succeeded_ms(late), Some(0));
        traffic.ended(late.plus_ms(5), ended(End::Declined, T));
        assert_eq!(traffic.succeeded_ms(late.plus_ms(9)), Some(9));
    }
}
