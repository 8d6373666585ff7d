//! One time for a role out of two clocks (R-TIME): CLOCK_BOOTTIME measures, the wall clock says
//! what date it is, and a disagreement moves no timer.

use scheme::Timestamp;

use crate::event::Clocks;

/// A wall clock that is further off than this is a finding (R-FIRES uses the same bound).
const OFF_NS: u64 = 500_000_000;
/// How fast the role's time follows a wall clock that differs less: 1 part in 2,000.
const SLEW: u64 = 2000;

/// The role's time.
#[derive(Clone, Copy, Debug)]
pub struct RoleClock {
    last: Timestamp,
    boot: u64,
    off: bool,
    gap: u64,
}

/// What a reading gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The role's time: never earlier than the last.
    pub now: Timestamp,
    /// Whether the wall clock has just gone off by more than 500 ms.
    pub jumped: bool,
}

impl RoleClock {
    /// Starts with the wall clock, but never before the last time that the journal knows.
    pub fn start(clocks: Clocks, journal: Timestamp) -> Self {
        Self { last: clocks.wall.max(journal), boot: clocks.boot, off: false, gap: 0 }
    }

    /// The boot clock at a coming moment of the role's time.
    pub fn boot_of(&self, at: Timestamp) -> u64 {
        self.boot.saturating_add(at.0.saturating_sub(self.last.0))
    }

    /// How far the wall clock was from the role's time at the last reading, ms (R-FIRES).
    pub fn off_ms(&self) -> u64 {
        self.gap / 1_000_000
    }

    /// Reads both clocks.
    pub fn read(&mut self, clocks: Clocks) -> Reading {
        let passed = clocks.boot.saturating_sub(self.boot);
        self.boot = self.boot.max(clocks.boot);
        let expected = self.last.0.saturating_add(passed);
        let gap = expected.abs_diff(clocks.wall.0);
        let jumped = gap > OFF_NS && !self.off;
        self.off = gap > OFF_NS;
        self.gap = gap;
        let step = gap.min(passed / SLEW);
        let slewed = match (self.off, clocks.wall.0 > expected) {
            (true, _) => expected,
            (false, true) => expected.saturating_add(step),
            (false, false) => expected.saturating_sub(step),
        };
        self.last = self.last.max(Timestamp(slewed));
        Reading { now: self.last, jumped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn at(wall: u64, boot: u64) -> Clocks {
        Clocks { wall: Timestamp(wall), boot }
    }

    #[test]
    fn a_wall_jump_moves_no_timer_and_is_told_once() {
        let mut clock = RoleClock::start(at(1000 * S, 0), Timestamp(0));
        assert_eq!(
            clock.read(at(1001 * S, S)),
            Reading { now: Timestamp(1001 * S), jumped: false }
        );
        let back = clock.read(at(700 * S, 2 * S));
        assert_eq!(back, Reading { now: Timestamp(1002 * S), jumped: true });
        assert_eq!(clock.off_ms(), 302_000);
        assert!(!clock.read(at(701 * S, 3 * S)).jumped);
    }

    #[test]
    fn a_pause_that_boot_time_confirms_is_taken_at_once() {
        let mut clock = RoleClock::start(at(1000 * S, 0), Timestamp(0));
        let woke = clock.read(at(4600 * S, 3600 * S));
        assert_eq!(woke, Reading { now: Timestamp(4600 * S), jumped: false });
    }

    #[test]
    fn time_never_goes_behind_the_journal() {
        let mut clock = RoleClock::start(at(1000 * S, 0), Timestamp(2000 * S));
        assert_eq!(clock.read(at(1001 * S, S)).now, Timestamp(2001 * S));
    }
}
