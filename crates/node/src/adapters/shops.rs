//! All simulated shops in one loop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use host::{Clocks, ConnId, Level, LogLine};
use parties::{ConnId as PartyConn, Shop};
use scheme::Timestamp;

use super::party_clock::PartyClock;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::json::ShopTotals;
use crate::limits::{SHOP_STOP_WAIT, STATION_WAIT_MS};

/// A shop's station, as the log names it, and where it listens.
pub(crate) type Station = (String, SocketAddr);

/// Shops and where each one's station is. A shop's place is the number of its calls.
#[derive(Debug)]
pub(crate) struct ShopsDriven {
    shops: Vec<(Shop, Station)>,
    clock: PartyClock,
    open: BTreeMap<ConnId, usize>,
    wishes: Vec<parties::Action>,
    /// When a stop waits no longer for answers under way.
    stop_by: Option<Timestamp>,
    stopped: bool,
    /// When stations that are not there are named, once.
    missed_at: Option<Timestamp>,
}

impl ShopsDriven {
    /// Shops that have sent nothing yet.
    pub(crate) fn new(shops: Vec<(Shop, Station)>, clocks: Clocks) -> Self {
        let clock = PartyClock::start(clocks, Timestamp::default());
        let (open, wishes) = (BTreeMap::new(), Vec::new());
        Self { shops, clock, open, wishes, stop_by: None, stopped: false, missed_at: None }
    }

    fn tell(
        &mut self,
        place: usize,
        now: Timestamp,
        event: parties::Event<'_>,
        out: &mut Vec<Action>,
    ) {
        let Some((shop, (_, station))) = self.shops.get_mut(place) else { return };
        shop.handle(now, event, &mut self.wishes);
        // What shops saw is theirs; here nobody keeps it.
        shop.drain_seen().for_each(drop);
        for wish in self.wishes.drain(..) {
            match wish {
                parties::Action::Dial(_) => {
                    out.push(Action::Dial { call: place as u64, to: *station });
                }
                parties::Action::Send { conn, bytes } => {
                    out.push(Action::Send { conn: conn.0, bytes });
                }
                parties::Action::Close { conn } => {
                    self.open.remove(&conn.0);
                    out.push(Action::Close { conn: conn.0, why: "shop" });
                }
                // A shop keeps nothing on disk.
                parties::Action::Commit(_) => {}
            }
        }
    }

    fn due(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        for place in 0..self.shops.len() {
            let due = self.shops.get(place).and_then(|(shop, _)| shop.next_timeout());
            if due.is_some_and(|due| due <= now) {
                self.tell(place, now, parties::Event::Timeout, out);
            }
        }
    }

    /// Names the stations that no shop has reached, when it is time to.
    fn look_missed(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        if self.missed_at.is_none_or(|at| now < at) {
            return;
        }
        self.missed_at = None;
        let reached = |place: &usize| self.open.values().any(|open| open == place);
        let missed = self.shops.iter().enumerate().filter(|(place, _)| !reached(place));
        let missed: BTreeSet<String> =
            missed.map(|(_, (_, (name, at)))| format!("{name} {at}")).collect();
        if !missed.is_empty() {
            let names = missed.into_iter().collect::<Vec<_>>().join(", ");
            let values = vec![("stations", names), ("do", "start them; we go on".to_owned())];
            let event = "stations_not_reached";
            out.push(Action::Log(LogLine { level: Level::Warn, event, values }));
        }
    }

    fn look_stopped(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        let Some(by) = self.stop_by else { return };
        let waiting = self.shops.iter().any(|(shop, _)| shop.unanswered() > 0);
        if !self.stopped && (!waiting || by <= now) {
            self.stopped = true;
            out.push(Action::Stopped);
        }
    }

    /// Whether every shop has a connection.
    fn all_open(&self) -> bool {
        let connected: BTreeSet<usize> = self.open.values().copied().collect();
        connected.len() == self.shops.len()
    }

    fn totals(&self) -> ShopTotals {
        let mut totals = ShopTotals { shops: self.shops.len() as u64, ..ShopTotals::default() };
        for (shop, _) in &self.shops {
            let counts = shop.counts();
            totals.started += counts.started;
            totals.skipped += counts.skipped;
            totals.approved += counts.approved;
            totals.declined += counts.declined;
            totals.unknown += counts.unknown;
            totals.reversed += counts.reversed;
            totals.repeats += counts.repeats;
            totals.reversals += counts.reversals;
            totals.unmatched += counts.unmatched;
            totals.malformed += counts.malformed;
            totals.unanswered += shop.unanswered() as u64;
        }
        totals
    }

    fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Shops => Answer::Shops(self.totals()),
            Question::Ready => Answer::Ready(self.all_open()),
            Question::Host(_) | Question::Book => Answer::NotHere,
        }
    }
}

impl Driven for ShopsDriven {
    fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        let now = self.clock.read(clocks);
        if matches!(event, Event::Started) {
            self.missed_at = Some(now.plus_ms(STATION_WAIT_MS));
        }
        match event {
            Event::Started | Event::Timeout => self.due(now, out),
            // Shops have no door.
            Event::Accepted { conn, .. } => out.push(Action::Close { conn, why: "shop" }),
            Event::Dialled { conn, call, .. } => {
                let place = usize::try_from(call).unwrap_or(usize::MAX);
                self.open.insert(conn, place);
                let conn = PartyConn(conn);
                self.tell(place, now, parties::Event::Connected { conn }, out);
            }
            Event::DialFailed { call } => {
                let place = usize::try_from(call).unwrap_or(usize::MAX);
                // The loop's numbers begin with 1: this one was never connected.
                self.tell(place, now, parties::Event::Closed { conn: PartyConn(0) }, out);
            }
            Event::Received { conn, bytes } => {
                if let Some(place) = self.open.get(&conn).copied() {
                    let conn = PartyConn(conn);
                    self.tell(place, now, parties::Event::Received { conn, bytes }, out);
                }
            }
            Event::Closed { conn } => {
                // What a shop has closed itself it does not await any more.
                if let Some(place) = self.open.remove(&conn) {
                    let conn = PartyConn(conn);
                    self.tell(place, now, parties::Event::Closed { conn }, out);
                }
            }
            // Shops commit nothing.
            Event::Committed { .. } | Event::DiskFailed { .. } => {}
            Event::Asked { ticket, question } => {
                out.push(Action::Reply { ticket, answer: self.answer(&question) });
            }
            Event::Stop => {
                self.shops.iter_mut().for_each(|(shop, _)| shop.stop());
                self.missed_at = None;
                let wait_ms = u64::try_from(SHOP_STOP_WAIT.as_millis()).unwrap_or(u64::MAX);
                self.stop_by = Some(now.plus_ms(wait_ms));
            }
        }
        self.look_missed(now, out);
        self.look_stopped(now, out);
    }

    fn next_timeout(&self) -> Option<u64> {
        let shops = self.shops.iter().filter_map(|(shop, _)| shop.next_timeout());
        let own = self.stop_by.into_iter().chain(self.missed_at);
        shops.chain(own).min().map(|timeout| self.clock.boot_of(timeout))
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        self.all_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::shop_configs;

    #[test]
    fn stations_that_are_not_there_are_named_once_after_three_seconds() {
        let config = host::Config::example();
        let shops: Vec<_> = shop_configs(&config, 20)
            .into_iter()
            .map(|(shop, station)| (Shop::new(shop), station))
            .collect();
        let stations = shops.len();
        let at = |ms: u64| Clocks {
            wall: Timestamp::from_s(1_795_305_600).plus_ms(ms),
            boot: ms * 1_000_000,
        };
        let mut driven = ShopsDriven::new(shops, at(0));
        let lines = |driven: &mut ShopsDriven, ms: u64, event: Event<'_>| {
            let mut out = Vec::new();
            driven.handle(at(ms), event, &mut out);
            let lines = out.into_iter().filter_map(|action| match action {
                Action::Log(line) => Some(line),
                _ => None,
            });
            lines.collect::<Vec<_>>()
        };
        assert!(lines(&mut driven, 0, Event::Started).is_empty());
        // All but the second and the last are there.
        for call in (0..stations as u64).filter(|call| ![1, stations as u64 - 1].contains(call)) {
            let dialled = Event::Dialled { conn: call + 1, call, identity: None };
            assert!(lines(&mut driven, 5, dialled).is_empty());
        }
        assert!(lines(&mut driven, 2_900, Event::Timeout).is_empty());
        assert!(driven.next_timeout().is_some_and(|at| at <= 3_000_000_000));
        let said = lines(&mut driven, 3_000, Event::Timeout);
        assert_eq!(said.len(), 1, "{said:?}");
        let names = "station-nampo 127.0.0.1:8584, station-sariwon 127.0.0.1:8586";
        assert_eq!(said[0].values[0], ("stations", names.to_owned()));
        assert!(lines(&mut driven, 6_000, Event::Timeout).is_empty(), "once");
    }
}
