//! A party's one time, out of the two clocks that the loop reads.

use host::Clocks;
use host::clock::RoleClock;
use scheme::Timestamp;

/// The party's time, and how its timers become the loop's.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartyClock {
    clock: RoleClock,
    boot: u64,
    now: Timestamp,
}

impl PartyClock {
    /// Starts no earlier than the last time that the party's journal knows.
    pub(super) fn start(clocks: Clocks, journal: Timestamp) -> Self {
        let mut clock = RoleClock::start(clocks, journal);
        let now = clock.read(clocks).now;
        Self { clock, boot: clocks.boot, now }
    }

    /// The time of an event.
    pub(super) fn read(&mut self, clocks: Clocks) -> Timestamp {
        self.now = self.clock.read(clocks).now;
        self.boot = self.boot.max(clocks.boot);
        self.now
    }

    /// A party's timeout as CLOCK_BOOTTIME, ns.
    pub(super) fn boot_of(&self, timeout: Timestamp) -> u64 {
        self.boot.saturating_add(timeout.0.saturating_sub(self.now.0))
    }
}
