//! A simulated shop: terminals of one retailer that pay at a steady rate over a station's port,
//! and staff who repeat, reverse or walk away when no answer comes.
//!
//! How things flow: the tills of the shop ([`crate::till`]) say what is to be sent, and it leaves
//! on the shop's connections in turn. What has an outcome becomes a [`Seen`], which
//! [`Shop::drain_seen`] hands out.

mod config;

use scheme::Timestamp;

pub use crate::till::{Kind, Outcome, Seen};
pub use config::{Manners, ShopConfig, ShopTimes};

use crate::iso::Codec;
use crate::line::{Lines, Redial};
use crate::till::Till;
use crate::{Action, Address, ConnId, Event};

/// What a shop has counted since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShopCounts {
    /// Payments begun.
    pub started: u64,
    /// Payments that the schedule wanted, but nothing was connected or too many waited.
    pub skipped: u64,
    /// Approvals.
    pub approved: u64,
    /// Refusals.
    pub declined: u64,
    /// Walked away from.
    pub unknown: u64,
    /// Reversals acknowledged.
    pub reversed: u64,
    /// 0201 sent.
    pub repeats: u64,
    /// 0420 and 0421 sent.
    pub reversals: u64,
    /// Answers that fit no waiting payment.
    pub unmatched: u64,
    /// Connections closed because of bytes that are no message.
    pub malformed: u64,
    /// Finished payments dropped because nobody drained them.
    pub seen_dropped: u64,
}

/// One simulated shop.
#[derive(Debug)]
pub struct Shop {
    codec: Codec,
    lines: Lines,
    till: Till,
    turn: u64,
    now: Timestamp,
}

impl Shop {
    /// A shop that has sent nothing yet.
    pub fn new(config: ShopConfig) -> Self {
        let redial =
            Redial { min_ms: config.times.redial_min_ms, max_ms: config.times.redial_max_ms };
        Self {
            codec: Codec::new(None),
            lines: Lines::new(Address::Station(config.station), config.connections, redial),
            till: Till::new(config),
            turn: 0,
            now: Timestamp::default(),
        }
    }

    /// Takes an event at `now` and appends what is to be done.
    pub fn handle(&mut self, now: Timestamp, event: Event<'_>, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.till.at(self.now, self.is_open());
        match event {
            Event::Connected { conn } => {
                self.lines.connected(conn, out);
            }
            Event::Received { conn, bytes } => self.received(conn, bytes, out),
            Event::Closed { conn } => self.lines.closed(self.now, conn),
            // A shop keeps nothing on disk.
            Event::Committed | Event::DiskFailed | Event::Timeout => {}
        }
        // What an answer led to goes before anything that a timer or the schedule wants.
        self.send(out);
        self.lines.tick(self.now, out);
        self.till.work(self.is_open());
        self.send(out);
    }

    /// When `Timeout` is due; at once before the first event.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let times = [self.till.next_timeout(self.is_open()), self.lines.next_timeout()];
        times.into_iter().flatten().min()
    }

    /// Takes the finished payments, in the order of their end.
    pub fn drain_seen(&mut self) -> impl Iterator<Item = Seen> + '_ {
        self.till.drain_seen()
    }

    /// Payments whose reversal, and completions which themselves, are sent again and again until
    /// they are acknowledged.
    pub fn owed(&self) -> impl Iterator<Item = Seen> + '_ {
        self.till.owed()
    }

    /// Payments that wait for their first answer.
    pub fn unanswered(&self) -> usize {
        self.till.unanswered()
    }

    /// Whether nothing is under way or owed, and no pre-authorisation waits for its completion.
    pub fn is_idle(&self) -> bool {
        self.till.is_idle()
    }

    /// No new payments from here on; what is under way goes on.
    pub fn stop(&mut self) {
        self.till.stop();
    }

    /// Changes the rate, payments per 1000 s.
    pub fn set_rate(&mut self, rate_per_1000_s: u64) {
        self.till.set_rate(rate_per_1000_s);
    }

    /// Changes what staff do from here on.
    pub fn set_manners(&mut self, manners: Manners) {
        self.till.set_manners(manners);
    }

    /// What has been counted.
    pub fn counts(&self) -> ShopCounts {
        self.till.counts()
    }

    /// The configuration.
    pub fn config(&self) -> &ShopConfig {
        &self.till.config
    }

    fn is_open(&self) -> bool {
        self.lines.open().next().is_some()
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8], out: &mut Vec<Action>) {
        let frames = match self.lines.frames(conn, bytes) {
            Ok(frames) => frames,
            Err(_) => return self.malformed(conn, out),
        };
        for frame in frames {
            match self.codec.read(&frame) {
                Ok(message) => {
                    self.lines.healthy();
                    self.till.answer(&message);
                }
                Err(_) => return self.malformed(conn, out),
            }
        }
    }

    fn malformed(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        self.till.malformed();
        self.lines.close(self.now, conn, out);
    }

    /// Sends on the connections in turn.
    fn send(&mut self, out: &mut Vec<Action>) {
        let messages = self.till.take_out();
        if messages.is_empty() {
            return;
        }
        let open: Vec<ConnId> = self.lines.open().collect();
        for message in messages {
            self.turn = self.turn.wrapping_add(1);
            let place = self.turn.checked_rem(open.len() as u64).unwrap_or(0);
            let conn = usize::try_from(place).ok().and_then(|at| open.get(at));
            if let (Some(conn), Some(bytes)) = (conn, self.codec.write(&message)) {
                out.push(Action::Send { conn: *conn, bytes });
            }
        }
    }
}
