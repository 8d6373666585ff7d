//! The world's clocks, read together.

use std::time::Duration;

use host::Clocks;
use rustix::time::{ClockId, Timespec, clock_gettime};
use scheme::Timestamp;

/// Reads CLOCK_REALTIME and CLOCK_BOOTTIME.
pub fn read() -> Clocks {
    Clocks {
        wall: Timestamp(nanoseconds(clock_gettime(ClockId::Realtime))),
        boot: nanoseconds(clock_gettime(ClockId::Boottime)),
    }
}

/// CLOCK_BOOTTIME alone, ns.
pub fn boot() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

/// The time from `boot` to `deadline`, both of CLOCK_BOOTTIME; zero when it has passed.
pub fn until(boot: u64, deadline: u64) -> Duration {
    Duration::from_nanos(deadline.saturating_sub(boot))
}

/// `deadline` of CLOCK_BOOTTIME that is `wait` from now.
pub fn after(boot: u64, wait: Duration) -> u64 {
    boot.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}

/// Wall time that never goes back and follows CLOCK_BOOTTIME: what the journal's files are given,
/// so that a clock that is set back does not keep the head from being written.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    wall: u64,
    boot: u64,
}

impl SteadyClock {
    /// Starts at these readings.
    pub fn start(clocks: Clocks) -> Self {
        Self { wall: clocks.wall.0, boot: clocks.boot }
    }

    /// Nanoseconds since 1970.
    pub fn now_ns(&self) -> u64 {
        self.wall.saturating_add(boot().saturating_sub(self.boot))
    }
}

/// A clock before 1970 reads as 1970.
fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
