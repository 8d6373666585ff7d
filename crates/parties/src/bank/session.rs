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
    /// Signed off on purpose.
    away: bool,
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
            away: false,
            asked: Some((sign_on, now.plus_ms(times.network_wait_ms))),
            misses: 0,
            heard: now,
        }
    }

    pub(crate) fn is_signed_on(&self) -> bool {
        self.signed_on
    }

    /// A new connection, on which the bank does not sign on.
    pub(crate) fn away(now: Timestamp) -> Self {
        Self { signed_on: false, away: true, asked: None, misses: 0, heard: now }
    }

    /// Whether it is signed on or off other than it should be.
    pub(crate) fn differs(&self, away: bool) -> bool {
        self.away != away && (self.signed_on || self.away)
    }

    /// A sign-off was sent, which needs no answer.
    pub(crate) fn signed_off(&mut self) {
        (self.signed_on, self.away, self.asked) = (false, true, None);
    }

    /// A sign-on was sent again.
    pub(crate) fn signing_on(&mut self, now: Timestamp, stan: Stan, times: &BankTimes) {
        self.away = false;
        self.echoed(now, stan, times);
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
        if !self.signed_on && !self.away {
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
