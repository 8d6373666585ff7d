//! How much of what one peer may ask, and what is let go first when there is too much.
//!
//! A peer above its rate is told 96 with DE44 `LIMIT <name> RETRY <s>` (R-DE39). Reversals and
//! advices are never refused for load: where even they are too many, their peer is not listened to
//! until there is room, and waits in its own queue ([`crate::Action::Listen`]). Above the load of
//! the whole role status enquiries go first, then balance enquiries, then new payments.

use interchange::Limit;
use scheme::{MtiClass, MtiFunction, Timestamp, TransactionKind};
use switch::Request;
use wire::iso8583::Message;

use crate::config::{Limits, Rates};
use crate::limits::{
    BURST_MIN, IN_FLIGHT_BUSY, IN_FLIGHT_FULL, SLOW_FROM, SLOW_PER_S, SLOW_SPAN_TICKS,
    SLOW_TICK_MS, SLOW_TICKS_MAX, SLOWEST_FROM, SLOWEST_PER_S,
};

const SECOND_NS: u64 = 1_000_000_000;

/// What a message costs and may cost. In the order in which they are shed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// Network messages: echo, sign-on.
    Status,
    /// Balance enquiries (DE3 31).
    Balance,
    /// Every other request.
    Payment,
    /// Reversals and advices: what has happened already.
    Owed,
}

impl Class {
    /// The class of a request or advice.
    pub(crate) fn of(message: &Message) -> Self {
        let mti = message.mti();
        match (mti.class(), mti.function()) {
            (MtiClass::Network, _) => Self::Status,
            (MtiClass::Reversal, _) | (_, MtiFunction::Advice) => Self::Owed,
            _ if message.get(3).is_some_and(|code| code.starts_with(b"31")) => Self::Balance,
            _ => Self::Payment,
        }
    }

    /// The class of a request that came over a trunk.
    pub(crate) fn of_request(request: &Request) -> Self {
        match (request.mti.class(), request.mti.function(), request.processing.kind()) {
            (MtiClass::Reversal, _, _) | (_, MtiFunction::Advice, _) => Self::Owed,
            (_, _, Some(TransactionKind::Balance)) => Self::Balance,
            (_, _, _) => Self::Payment,
        }
    }

    /// The load of the role, per cent, from which on this class is refused.
    pub(crate) fn shed_at(self) -> Option<usize> {
        match self {
            Self::Status => Some(50),
            Self::Balance => Some(75),
            Self::Payment => Some(100),
            Self::Owed => None,
        }
    }
}

/// So many a second, with a burst's worth at once: the moment from which on the next is free.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    next_ns: u64,
}

impl Pace {
    /// How long, ns, until another is allowed; 0 = now.
    pub(crate) fn wait_ns(&self, now: Timestamp, per_s: u32, burst_ns: u64) -> u64 {
        let gap = SECOND_NS / u64::from(per_s.max(1));
        let latest = now.0.saturating_add(burst_ns.saturating_sub(gap));
        self.next_ns.saturating_sub(latest)
    }

    /// Another one came.
    pub(crate) fn spend(&mut self, now: Timestamp, per_s: u32) {
        let gap = SECOND_NS / u64::from(per_s.max(1));
        self.next_ns = self.next_ns.max(now.0).saturating_add(gap);
    }

    /// Counts another, unless that is one too many of the second's.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        per_s: u32,
        name: &'static str,
    ) -> Result<(), Limit> {
        let wait_ns = self.wait_ns(now, per_s, SECOND_NS);
        if wait_ns > 0 {
            return Err(Limit { name, retry_s: wait_ns.div_ceil(SECOND_NS) });
        }
        self.spend(now, per_s);
        Ok(())
    }
}

/// How much of a connection's messages, as a time at its rate, is heard at once: a tenth of a
/// second's, so that a flood comes evenly; of slow peers some messages, or a second's.
pub(crate) fn burst_ns(per_s: u32) -> u64 {
    let gap = SECOND_NS / u64::from(per_s.max(1));
    (SECOND_NS / 10).max(gap.saturating_mul(BURST_MIN).min(SECOND_NS))
}

/// How many requests one connection may have under way, of at most `most`, when this part of what
/// the whole role may have is under way, per cent. The fuller the role, the smaller is the share of
/// each: a flood takes from itself, and whoever asks one thing at a time is served until all that
/// the role can hold is held by such.
pub(crate) fn in_flight_share(most: usize, under_way: usize) -> usize {
    match under_way {
        0..50 => most,
        50..75 => most.min(IN_FLIGHT_BUSY),
        _ => most.min(IN_FLIGHT_FULL),
    }
}

/// What one peer has asked of late, by class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    status: Pace,
    balances: Pace,
    payments: Pace,
}

impl Asked {
    /// Counts one of this class, unless that is one too many. `waiting` requests of this peer wait
    /// for answers, of at most `waiting_max`.
    pub(crate) fn admit(
        &mut self,
        now: Timestamp,
        class: Class,
        rates: &Rates,
        waiting: usize,
        waiting_max: usize,
    ) -> Result<(), Limit> {
        let (pace, per_s, name) = match class {
            Class::Owed => return Ok(()),
            Class::Status => return self.status.take(now, rates.status, "STATUS"),
            Class::Balance => (&mut self.balances, rates.balances, "BALANCE"),
            Class::Payment => (&mut self.payments, rates.payments, "PAYMENT"),
        };
        if waiting >= waiting_max {
            return Err(Limit { name: "WAITING", retry_s: 1 });
        }
        pace.take(now, per_s, name)
    }
}

/// How fast new payments are taken while history does not keep up with them: their senders wait,
/// and nobody is refused. Time is cut into ticks, and each connection that asks has an equal share
/// of the payments of a tick; one that has had it is heard again in the next. So nobody's answers
/// or reversals wait longer than a few ticks behind payments of their own connection, and never
/// behind another's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slowed {
    /// Which of the spans in which those who ask are counted.
    span: u64,
    /// Connections that have asked in it, and in the one before.
    asking: u64,
    asked: u64,
}

/// What a connection has asked of late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    span: u64,
    tick: u64,
    /// In that tick.
    payments: u64,
}

impl Slowed {
    /// Counts a new payment of a connection, while history lacks so many payments of at most so
    /// many; when the connection is heard again, if it has had its share.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        lacks: (usize, usize),
        taken: &mut Taken,
    ) -> Option<Timestamp> {
        const TICK_NS: u64 = SLOW_TICK_MS * 1_000_000;
        let tick = now.0 / TICK_NS;
        // From 1 on: a connection that has not asked yet has asked in none.
        let span = tick / SLOW_SPAN_TICKS + 1;
        if span != self.span {
            let follows = span == self.span.saturating_add(1);
            self.asked = if follows { self.asking } else { 0 };
            (self.span, self.asking) = (span, 0);
        }
        if taken.span != span {
            self.asking = self.asking.saturating_add(1);
        }
        let before = if taken.tick == tick { taken.payments } else { 0 };
        let payments = before.saturating_add(1);
        *taken = Taken { span, tick, payments };
        let of_tick = slow_per_s(lacks)? * TICK_NS / SECOND_NS;
        let askers = self.asked.max(self.asking);
        let share = (of_tick / askers).max(1);
        let ticks = askers.div_ceil(of_tick).clamp(1, SLOW_TICKS_MAX);
        let again = Timestamp(tick.saturating_add(ticks).saturating_mul(TICK_NS));
        (payments >= share).then_some(again)
    }
}

/// New payments a second while history lacks so many, of at most so many; none = all that come.
fn slow_per_s((lacks, most): (usize, usize)) -> Option<u64> {
    let part = share(lacks.saturating_mul(100), most);
    let (from, to) = (SLOW_FROM * 100, SLOWEST_FROM * 100);
    let over = part.checked_sub(from)?.min(to - from);
    let less = (SLOW_PER_S - SLOWEST_PER_S) * over as u64 / (to - from) as u64;
    Some(SLOW_PER_S - less)
}

/// A part of a whole, per cent.
pub(crate) fn share(part: usize, whole: usize) -> usize {
    part.saturating_mul(100).checked_div(whole).unwrap_or(100)
}

impl Limits {
    /// What one connection of a terminal or retailer may ask.
    pub(crate) fn of_connection(&self) -> (&Rates, usize) {
        (&self.connection, self.connection_in_flight)
    }

    /// What one bank may ask, on all its connections together.
    pub(crate) fn of_bank(&self) -> (&Rates, usize) {
        (&self.bank, self.bank_in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scheme::Mti;

    const NOW: Timestamp = Timestamp::from_s(1_795_000_000);
    const RATES: Rates = Rates { status: 1, balances: 2, payments: 3, messages: 10 };

    fn message(mti: u16, processing: &[u8]) -> Message {
        let mut message = Message::new(Mti::new(mti).unwrap());
        message.set(3, processing);
        message
    }

    #[test]
    fn classes_are_shed_in_order_and_what_has_happened_never() {
        assert_eq!(Class::of(&message(800, b"")), Class::Status);
        assert_eq!(Class::of(&message(200, b"311000")), Class::Balance);
        for (mti, processing) in [(200, b"000000"), (100, b"000000"), (201, b"200000")] {
            assert_eq!(Class::of(&message(mti, processing)), Class::Payment);
        }
        for mti in [400, 401, 420, 421, 220, 221, 120] {
            assert_eq!(Class::of(&message(mti, b"310000")), Class::Owed, "{mti}");
        }
        let order = [Class::Status, Class::Balance, Class::Payment].map(Class::shed_at);
        assert!(order.is_sorted() && order[0] < order[2]);
        assert_eq!(Class::Owed.shed_at(), None);
    }

    #[test]
    fn a_second_holds_as_many_as_allowed_and_the_next_says_when_to_try_again() {
        let mut asked = Asked::default();
        let mut admit = |at, class| asked.admit(at, class, &RATES, 0, 9);
        for _ in 0..3 {
            assert_eq!(admit(NOW, Class::Payment), Ok(()));
        }
        let refused = admit(NOW, Class::Payment);
        assert_eq!(refused, Err(Limit { name: "PAYMENT", retry_s: 1 }));
        // Other classes have their own, and what has happened has none.
        assert_eq!(admit(NOW, Class::Balance), Ok(()));
        assert_eq!(admit(NOW, Class::Status), Ok(()));
        assert!(admit(NOW, Class::Status).is_err());
        for _ in 0..1000 {
            assert_eq!(admit(NOW, Class::Owed), Ok(()));
        }
        // A third of a second later there is room for one, and for one only.
        let later = NOW.plus_ms(334);
        assert_eq!(admit(later, Class::Payment), Ok(()));
        assert!(admit(later, Class::Payment).is_err());
        // However long it was silent, never more than one second's worth.
        let much_later = NOW.plus_ms(1_000_000);
        let admitted = (0..10).filter(|_| admit(much_later, Class::Payment).is_ok()).count();
        assert_eq!(admitted, 3);
    }

    #[test]
    fn a_flood_is_heard_evenly_and_a_slow_peer_by_the_second() {
        let heard = |per_s: u32| {
            let mut pace = Pace::default();
            let mut free = || {
                let free = pace.wait_ns(NOW, per_s, burst_ns(per_s)) == 0;
                pace.spend(NOW, per_s);
                free
            };
            (0..10_000).take_while(|_| free()).count()
        };
        assert_eq!((heard(4_000), heard(10), heard(1)), (400, 10, 1));
        assert_eq!(heard(100), 64);
    }

    #[test]
    fn the_fuller_the_role_the_smaller_is_the_share_of_one_connection() {
        let share = |under_way| in_flight_share(256, under_way);
        assert_eq!((share(0), share(49)), (256, 256));
        assert!(share(50) < 256 && share(75) < share(50) && share(100) == share(75));
        assert!(share(100) >= 2, "a terminal's reversal beside its payment");
        assert_eq!(in_flight_share(1, 100), 1);
    }

    /// What these connections are let say in a second, where each always has more to say.
    fn taken_in_a_second(connections: usize, lacks: usize) -> Vec<usize> {
        let (mut slowed, mut taken) = (Slowed::default(), vec![Taken::default(); connections]);
        let mut heard_at = vec![NOW; connections];
        let mut counts = vec![0; connections];
        // The first half of a second is to get to know them.
        for ms in 0..1_500 {
            let now = NOW.plus_ms(ms);
            for one in 0..connections {
                for _ in 0..1_000 {
                    if heard_at[one] > now {
                        break;
                    }
                    counts[one] += usize::from(ms >= 500);
                    if let Some(until) = slowed.take(now, (lacks, 1_000), &mut taken[one]) {
                        heard_at[one] = until;
                    }
                }
            }
        }
        counts
    }

    #[test]
    fn payments_that_history_lacks_slow_down_those_who_bring_more_alike() {
        // Below the mark everything is taken.
        let mut slowed = Slowed::default();
        let mut free = |lacks| slowed.take(NOW, (lacks, 1_000), &mut Taken::default()).is_none();
        assert!(free(0) && free(599) && free(600));
        for connections in [1, 3, 64, 700] {
            let mut before = usize::MAX;
            for (lacks, per_s) in [(600, 100_000), (750, 51_000), (900, 2_000), (5_000, 2_000)] {
                let counts = taken_in_a_second(connections, lacks);
                let all: usize = counts.iter().sum();
                // A connection says one at least before it waits, and waits 250 ms at most.
                let most = per_s.max(4 * connections) * 11 / 10 + connections;
                assert!(all <= most, "{connections}, {lacks}: {all}");
                assert!(all * 10 >= per_s * 5, "{connections}, {lacks}: {all}");
                let (least, greatest) = (counts.iter().min(), counts.iter().max());
                let (least, greatest) = (*least.unwrap(), *greatest.unwrap());
                assert!(greatest <= 2 * least + 2, "{connections}, {lacks}: {least} {greatest}");
                assert!(all <= before, "the further behind the slower");
                before = all;
            }
        }
    }

    #[test]
    fn who_waits_for_too_many_answers_is_refused_without_being_counted() {
        let mut asked = Asked::default();
        for _ in 0..10 {
            let refused = asked.admit(NOW, Class::Payment, &RATES, 9, 9);
            assert_eq!(refused.map_err(|limit| limit.name), Err("WAITING"));
        }
        assert_eq!(asked.admit(NOW, Class::Payment, &RATES, 8, 9), Ok(()));
        assert_eq!(asked.admit(NOW, Class::Owed, &RATES, 99, 9), Ok(()));
    }
}
