//! The clocks of one machine: a wall clock that may be wrong, and the time since its start.

use host::Clocks;
use scheme::Timestamp;

/// Turns the nation's time (ns since it began) into what a machine reads, and back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MachineClock {
    start: Timestamp,
    /// How far the wall clock is off, ns.
    off: i64,
    /// When the machine was switched on.
    boot: u64,
}

/// What CLOCK_BOOTTIME shows when a role is first started: a machine takes a while.
const BOOTED: u64 = 9_000_000_000;

impl MachineClock {
    pub(crate) fn new(start: Timestamp, off_ms: i64) -> Self {
        Self { start, off: off_ms.saturating_mul(1_000_000), boot: 0 }
    }

    pub(crate) fn read(&self, now: u64) -> Clocks {
        Clocks { wall: self.wall(now), boot: now.saturating_sub(self.boot) + BOOTED }
    }

    fn wall(&self, now: u64) -> Timestamp {
        Timestamp(self.start.0.saturating_add(now).saturating_add_signed(self.off))
    }

    pub(crate) fn of_boot(&self, boot: u64) -> u64 {
        boot.saturating_sub(BOOTED).saturating_add(self.boot)
    }

    pub(crate) fn of_wall(&self, wall: Timestamp) -> u64 {
        wall.0.saturating_add_signed(self.off.saturating_neg()).saturating_sub(self.start.0)
    }

    pub(crate) fn jump(&mut self, by_ms: i64) {
        self.off = self.off.saturating_add(by_ms.saturating_mul(1_000_000));
    }

    /// The machine is switched on again.
    pub(crate) fn booted(&mut self, now: u64) {
        self.boot = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_and_their_inverses_agree() {
        let mut clock = MachineClock::new(Timestamp::from_s(1_000_000), -500);
        clock.booted(7_000_000_000);
        clock.jump(2_000);
        let now = 9_500_000_000;
        let read = clock.read(now);
        assert_eq!(read.wall, Timestamp(1_000_011_000_000_000));
        assert_eq!(read.boot, 11_500_000_000);
        assert_eq!((clock.of_wall(read.wall), clock.of_boot(read.boot)), (now, now));
    }
}
