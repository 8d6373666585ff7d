//! What a role is judged by (R-FIRES): its own traffic, and what the shell says of its machine.

use scheme::Timestamp;

use crate::event::Health;
use crate::fires::{Facts, Known};
use crate::traffic::{Ended, Traffic};

/// A role's own facts.
#[derive(Debug, Default)]
pub(crate) struct Beacon {
    pub(crate) health: Health,
    pub(crate) traffic: Traffic,
    now: Timestamp,
    clock_off_ms: Known<u64>,
}

impl Beacon {
    pub(crate) fn at(&mut self, now: Timestamp, clock_off_ms: u64) {
        self.now = now;
        self.clock_off_ms = Known::Is(clock_off_ms);
    }

    /// A payment's end is durable.
    pub(crate) fn ended(&mut self, ended: Ended) {
        self.traffic.ended(self.now, ended);
    }

    /// How far the clock is off, ms.
    pub(crate) fn clock_off_ms(&self) -> u64 {
        match self.clock_off_ms {
            Known::Is(ms) => ms,
            Known::NotKnown | Known::NotHere => 0,
        }
    }

    /// What any role knows of itself; trunk, banks and what it owes are for the role to add.
    pub(crate) fn facts(&self, no_room: bool) -> Facts {
        let window = self.traffic.window(self.now);
        Facts {
            journal_unwritable: no_room,
            answered: window.ends.all(),
            unavailable: window.ends.unavailable,
            p99_ms: window.p99_ms,
            certificate_days: self.health.certificate_days,
            disk_free_percent: self.health.disk_free_percent,
            clock_off_ms: self.clock_off_ms,
            succeeded_ms: self.traffic.succeeded_ms(self.now),
            ..Facts::default()
        }
    }
}
