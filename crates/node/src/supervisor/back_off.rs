//! How long a child that died stays down.

use std::time::Duration;

use crate::limits::{HEALTHY, RESTART_MAX, RESTART_MIN};

/// Deaths since the child was last healthy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    deaths: u32,
}

impl BackOff {
    /// The wait after a death; `lived` is how long the child ran.
    pub(super) fn died(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            0 | 1 => Duration::ZERO,
            deaths => {
                let doubled = 1u32.checked_shl(deaths - 2).unwrap_or(u32::MAX);
                RESTART_MIN.saturating_mul(doubled).min(RESTART_MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_1_2_4_to_30_seconds_until_it_is_healthy_again() {
        let mut back_off = BackOff::default();
        let short = Duration::from_millis(5);
        let waits: Vec<_> = (0..9).map(|_| back_off.died(short).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        (0..100).for_each(|_| assert_eq!(back_off.died(short).as_secs(), 30));
        assert_eq!(back_off.died(HEALTHY), Duration::ZERO);
        assert_eq!(back_off.died(short).as_secs(), 1);
    }
}
