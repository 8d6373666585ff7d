//! All simulated shops in one loop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use host::{Clocks, ConnId};
use parties::{ConnId as PartyConn, Shop};
use scheme::Timestamp;

use super::party_clock::PartyClock;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::json::ShopTotals;
use crate::limits::SHOP_STOP_WAIT;

/// Shops and where each one's station listens. A shop's place is the number of its calls.
#[derive(Debug)]
pub(crate) struct ShopsDriven {
    shops: Vec<(Shop, SocketAddr)>,
    clock: PartyClock,
    open: BTreeMap<ConnId, usize>,
    wishes: Vec<parties::Action>,
    /// When a stop waits no longer for answers under way.
    stop_by: Option<Timestamp>,
    stopped: bool,
}

impl ShopsDriven {
    /// Shops that have sent nothing yet.
    pub(crate) fn new(shops: Vec<(Shop, SocketAddr)>, clocks: Clocks) -> Self {
        let clock = PartyClock::start(clocks, Timestamp::default());
        let (open, wishes) = (BTreeMap::new(), Vec::new());
        Self { shops, clock, open, wishes, stop_by: None, stopped: false }
    }

    fn tell(
        &mut self,
        place: usize,
        now: Timestamp,
        event: parties::Event<'_>,
        out: &mut Vec<Action>,
    ) {
        let Some((shop, station)) = self.shops.get_mut(place) else { return };
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
        match event {
            Event::Started | Event::Timeout => self.due(now, out),
            // Shops have no door.
            Event::Accepted { conn, .. } => out.push(Action::Close { conn, why: "shop" }),
            Event::Dialled { conn, call } => {
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
                let wait_ms = u64::try_from(SHOP_STOP_WAIT.as_millis()).unwrap_or(u64::MAX);
                self.stop_by = Some(now.plus_ms(wait_ms));
            }
        }
        self.look_stopped(now, out);
    }

    fn next_timeout(&self) -> Option<u64> {
        let shops = self.shops.iter().filter_map(|(shop, _)| shop.next_timeout());
        shops.chain(self.stop_by).min().map(|timeout| self.clock.boot_of(timeout))
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        self.all_open()
    }
}
