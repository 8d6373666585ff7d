//! One connection of a bank to the hub: sign-on, echo, silence (R-LINK, R-TIME).

use scheme::{Stan, Timestamp};

use crate::bank::config::BankTimes;
use crate::limits::ECHO_MISSES;

/// DE70: sign-on.
pub(crate) const SIGN_ON: u16 = 1;
/// DE70: sign-off.
pub(crate) const SIGN_OFF: u16 = 2;
/// DE70: cutover.
pub(crate) const CUTOVER: u16 = 201;
/// DE70: echo.
pub(crate) const ECHO: u16 = 301;

/// What to do about a connection whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Ask whether the hub is there.
    Echo,
    /// Give it up.
    Close,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    signed_on: bool,
    /// The network request without an answer, and when its answer is due.
    asked: Option<(Stan, Timestamp)>,
    misses: u8,
    heard: Timestamp,
}

impl Session {
    /// A new connection, on which the sign-on has just been sent.
    pub(crate) fn new(now: Timestamp, sign_on: Stan, times: &BankTimes) -> Self {
        Self {
            signed_on: false,
            asked: Some((sign_on, now.plus_ms(times.network_wait_ms))),
            misses: 0,
            heard: now,
        }
    }

    pub(crate) fn is_signed_on(&self) -> bool {
        self.signed_on
    }

    /// Anything came.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.heard = now;
    }

    /// 0810 came; `false` when the hub refuses the sign-on.
    pub(crate) fn answered(&mut self, stan: Option<Stan>, approved: bool) -> bool {
        let Some((asked, _)) = self.asked.filter(|(asked, _)| Some(*asked) == stan) else {
            return true;
        };
        debug_assert_eq!(Some(asked), stan);
        self.asked = None;
        self.misses = 0;
        if !self.signed_on {
            self.signed_on = approved;
            return approved;
        }
        true
    }

    /// An echo was sent.
    pub(crate) fn echoed(&mut self, now: Timestamp, stan: Stan, times: &BankTimes) {
        self.asked = Some((stan, now.plus_ms(times.network_wait_ms)));
    }

    /// What is due at `now`.
    pub(crate) fn due(&mut self, now: Timestamp, times: &BankTimes) -> Option<Due> {
        match self.asked {
            Some((_, until)) if now >= until => {
                self.misses += 1;
                let down = !self.signed_on || self.misses >= ECHO_MISSES;
                Some(if down { Due::Close } else { Due::Echo })
            }
            Some(_) => None,
            None if now >= self.heard.plus_ms(times.echo_after_ms) => Some(Due::Echo),
            None => None,
        }
    }

    pub(crate) fn next_timeout(&self, times: &BankTimes) -> Timestamp {
        match self.asked {
            Some((_, until)) => until,
            None => self.heard.plus_ms(times.echo_after_ms),
        }
    }
}
