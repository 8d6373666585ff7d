//! Payments that somebody asks for, the newest first: through an index where what is asked for has
//! one, else a part of the window at a time. A question is answered between payments, which wait
//! for it: what it looks at is bounded, and the next question goes on where it ended.

use scheme::{PaymentId, Rrn, Stan, Timestamp};
use switch::hub::{Payment, State};
use switch::limits::{SAME_REFERENCE_MAX, SAME_STAN_MAX};

use crate::limits::{QUERY_PAYMENTS_MAX, QUERY_ROWS_MAX};
use crate::view::PaymentFilter;

/// What was found.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// The newest first.
    pub(crate) payments: Vec<&'a Payment>,
    /// After which payment there may be more: not always one of those found.
    pub(crate) next: Option<(Timestamp, PaymentId)>,
    /// How many payments were looked at.
    pub(crate) looked_at: usize,
}

/// Answers one question.
pub(crate) fn look_up<'a>(state: &'a State, filter: &PaymentFilter) -> Found<'a> {
    let payments = state.payments();
    if let Some(id) = filter.id {
        let found = payments.get(id).filter(|payment| fits(payment, filter));
        return Found { payments: found.into_iter().collect(), next: None, looked_at: 1 };
    }
    let acquirers = state.directory().participants.keys();
    if let Some(rrn) = &filter.rrn {
        // One that is longer than the field is nobody's.
        let rrn = Rrn::new(rrn.trim().as_bytes()).ok();
        let alike = rrn.into_iter().flat_map(|rrn| {
            let of = acquirers.clone();
            of.flat_map(move |of| payments.by_reference(*of, rrn).take(SAME_REFERENCE_MAX))
        });
        return of_index(alike, filter);
    }
    if let (Some(terminal), Some(stan)) = (filter.terminal, filter.stan) {
        let alike = Stan::new(stan).into_iter().flat_map(|stan| {
            let of = acquirers.clone();
            of.flat_map(move |of| payments.by_stan(*of, terminal, stan).take(SAME_STAN_MAX))
        });
        return of_index(alike, filter);
    }
    walk(state, filter)
}

/// Out of a few that an index gives, which are in the order of no time.
fn of_index<'a>(alike: impl Iterator<Item = &'a Payment>, filter: &PaymentFilter) -> Found<'a> {
    let mut looked_at = 0;
    let looked = alike.inspect(|_| looked_at += 1);
    let mut payments: Vec<_> = looked.filter(|payment| fits(payment, filter)).collect();
    payments.sort_unstable_by_key(|payment| std::cmp::Reverse((payment.at, payment.id)));
    let limit = limit(filter);
    let more = payments.len() > limit;
    payments.truncate(limit);
    let next = payments.last().filter(|_| more).map(|last| (last.at, last.id));
    Found { payments, next, looked_at }
}

/// Back through the window, from where the question begins.
fn walk<'a>(state: &'a State, filter: &PaymentFilter) -> Found<'a> {
    let came = |payment: &Payment| {
        filter.to.is_none_or(|to| payment.at < to)
            && filter.after.is_none_or(|(at, _)| payment.at <= at)
            && filter.date.is_none_or(|date| payment.business_date <= date)
    };
    let mut found = Found { payments: Vec::new(), next: None, looked_at: 0 };
    let mut shown = 0;
    for payment in state.payments().latest(came) {
        let before = filter.from.is_some_and(|from| payment.at < from)
            || filter.date.is_some_and(|date| payment.business_date < date);
        if before {
            break;
        }
        found.looked_at += 1;
        // Of those that came at once with the last of the page before, which are counted apart so
        // that a page goes on whatever their number.
        if filter.after.is_some_and(|after| (payment.at, payment.id) >= after) {
            shown += 1;
            continue;
        }
        if fits(payment, filter) {
            found.payments.push(payment);
        }
        let walked = found.looked_at - shown;
        if found.payments.len() >= limit(filter) || walked >= QUERY_ROWS_MAX {
            found.next = Some((payment.at, payment.id));
            break;
        }
    }
    found
}

pub(crate) fn limit(filter: &PaymentFilter) -> usize {
    filter.limit.clamp(1, QUERY_PAYMENTS_MAX)
}

pub(crate) fn fits(payment: &Payment, filter: &PaymentFilter) -> bool {
    let seen = &payment.seen;
    filter.rrn.as_ref().is_none_or(|rrn| seen.rrn.as_str() == rrn.trim())
        && filter.stan.is_none_or(|stan| seen.stan.get() == stan)
        && filter.terminal.is_none_or(|terminal| seen.terminal == terminal)
        && filter.date.is_none_or(|date| payment.business_date == date)
        && filter.from.is_none_or(|from| payment.at >= from)
        && filter.to.is_none_or(|to| payment.at < to)
        && filter.after.is_none_or(|after| (payment.at, payment.id) < after)
}

#[cfg(test)]
mod tests {
    use scheme::{
        Amount, BusinessDate, LocalTime, MonthTime, Mti, ParticipantId, Processing, Reason,
        RetailerId, TerminalId, Zone,
    };
    use switch::Hub;
    use switch::hub::HubConfig;
    use switch::record::{Declined, Fact, Record, Seen};

    use super::*;

    const PAYMENTS: u64 = 12_000;
    /// Payments of one business date.
    const OF_DATE: u64 = 5_000;

    /// Payment `n`: of one of two banks and of one of seven terminals of each, four at once; of 500
    /// in a row every bank has a DE37 once.
    fn declined(n: u64) -> Record {
        let seen = Seen {
            mti: Mti::new(200).unwrap(),
            acquirer: ParticipantId::new(1 + n % 2).unwrap(),
            terminal: TerminalId::new(format!("T{}", n % 7).as_bytes()).unwrap(),
            retailer: RetailerId::default(),
            stan: Stan::new(u32::try_from(n / 7).unwrap()).unwrap(),
            transmitted: MonthTime::default(),
            local: LocalTime::default(),
            rrn: Rrn::new(format!("{:012}", n / 2 % 500).as_bytes()).unwrap(),
            rrn_sent: true,
            processing: Processing::new(0).unwrap(),
            amount: Amount::ZERO,
            currency: 408,
            card: None,
            forwarding: 0,
            station: None,
            first_received: Timestamp::from_s(1_795_305_600 + n / 4),
        };
        // The highest id is the first of the four.
        let id = PaymentId::of_transfer(u128::from(n ^ 3) << 4);
        let business_date = BusinessDate(20_779 + u16::try_from(n / OF_DATE).unwrap());
        let (issuer, reason) = (None, Reason::NoIssuer);
        let declined = Declined { id, seen, reason, issuer, business_date, cycle: 1 };
        Record { at: seen.first_received, fact: Fact::Declined(declined) }
    }

    fn hub() -> Hub {
        let mut hub = Hub::new(HubConfig {
            timers: switch::Timers::default(),
            zone: Zone::fixed(0),
            cutover_s: 0,
            net_at_cutover: false,
            in_flight_max: 1,
            engine: switch::hub::Answers::AtOnce,
            window_payments: 1,
            new_payments_max: usize::MAX,
            cash: false,
        });
        for bank in [1, 2] {
            let id = ParticipantId::new(bank).unwrap();
            let fact = Fact::Participant { id, name: String::new() };
            hub.apply(&Record { at: Timestamp::from_s(1_795_305_600), fact });
        }
        (0..PAYMENTS).for_each(|n| hub.apply(&declined(n)));
        hub
    }

    /// What a filter lets through, by the filter alone.
    fn all(hub: &Hub, filter: &PaymentFilter) -> Vec<PaymentId> {
        let mut all: Vec<_> =
            hub.state().payments().iter().filter(|payment| fits(payment, filter)).collect();
        all.sort_by_key(|payment| std::cmp::Reverse((payment.at, payment.id)));
        all.iter().map(|payment| payment.id).collect()
    }

    /// Every page, and the most that one of them looked at.
    fn paged(hub: &Hub, filter: &PaymentFilter) -> (Vec<PaymentId>, usize, usize) {
        let (mut ids, mut most, mut pages) = (vec![], 0, 0);
        let mut filter = filter.clone();
        loop {
            let found = look_up(hub.state(), &filter);
            assert!(found.payments.len() <= filter.limit);
            ids.extend(found.payments.iter().map(|payment| payment.id));
            (most, pages) = (most.max(found.looked_at), pages + 1);
            filter.after = found.next;
            if found.next.is_none() {
                return (ids, most, pages);
            }
        }
    }

    #[test]
    fn every_page_together_is_the_list_and_no_question_looks_at_all() {
        let hub = hub();
        assert_eq!(hub.state().payments().len() as u64, PAYMENTS);
        let at = |n: u64| Some(declined(n).at);
        let any = PaymentFilter { limit: 500, ..PaymentFilter::default() };
        let terminal = TerminalId::new(b"T3").ok();
        let rrn = Some("000000000123".to_owned());
        let date = |days: u16| Some(BusinessDate(20_779 + days));
        for (what, filter, looks) in [
            ("all", any.clone(), 500),
            ("odd pages", PaymentFilter { limit: 7, to: at(400), ..any.clone() }, 7),
            ("from", PaymentFilter { from: at(11_000), ..any.clone() }, 500),
            ("to", PaymentFilter { to: at(900), ..any.clone() }, 500),
            ("between", PaymentFilter { from: at(400), to: at(900), ..any.clone() }, 500),
            ("terminal", PaymentFilter { terminal, ..any.clone() }, 3_500),
            (
                "none of a terminal",
                PaymentFilter { terminal: TerminalId::new(b"X").ok(), ..any.clone() },
                4_096,
            ),
            ("first day", PaymentFilter { date: date(0), ..any.clone() }, 500),
            (
                "second day of a terminal",
                PaymentFilter { date: date(1), terminal, ..any.clone() },
                3_500,
            ),
            ("DE37", PaymentFilter { rrn: rrn.clone(), ..any.clone() }, 24),
            ("DE37, few at a time", PaymentFilter { rrn, limit: 5, ..any.clone() }, 24),
            ("no DE37", PaymentFilter { rrn: Some("1234567890123".into()), ..any.clone() }, 0),
            ("DE11", PaymentFilter { terminal, stan: Some(77), ..any.clone() }, 1),
        ] {
            let (ids, most, _) = paged(&hub, &filter);
            assert_eq!(ids, all(&hub, &filter), "{what}");
            // And up to four that came at once with the last of the page before.
            assert!(most <= looks + 4, "{what}: looked at {most}");
        }
        let nobody = PaymentFilter { terminal: TerminalId::new(b"X").ok(), ..any };
        let (ids, most, pages) = paged(&hub, &nobody);
        assert_eq!((ids, pages), (vec![], 3));
        assert!((QUERY_ROWS_MAX..=QUERY_ROWS_MAX + 4).contains(&most), "{most}");
    }
}
