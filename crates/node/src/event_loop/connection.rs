//! One connection of the event loop.

use std::net::SocketAddr;
use std::sync::Arc;

use super::outlet::Outlet;

/// A connection, or a call on its way to become one.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) outlet: Arc<Outlet>,
    pub(super) peer: SocketAddr,
    pub(super) phase: Phase,
    pub(super) is_secure: bool,
    /// What was sent in this turn: put at its end, so that it is as few records as can be.
    pub(super) said: Vec<u8>,
    /// Whether it is in the list of those to be written to at the end of the turn.
    pub(super) dirty: bool,
    /// Whether the system may have more bytes for us than were read.
    pub(super) readable: bool,
    /// Whether it is read at all.
    pub(super) heard: bool,
    /// Whether the system has told of the peer's end.
    pub(super) ended: bool,
    /// When something must have happened, as CLOCK_BOOTTIME in ns: a call gone through, unsent
    /// bytes taken, the peer's own end.
    pub(super) deadline: Option<u64>,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The call is under way.
    Dialling {
        /// The caller's number of the call.
        call: u64,
    },
    /// Bytes go both ways.
    Open,
    /// Sends what it has, hands nothing over.
    Closing {
        /// For the log and the counters.
        why: &'static str,
    },
    /// Our end is closed and the machine knows; the peer's bytes are drained for a while, because
    /// closing on unread bytes would take from the peer what was sent last.
    Lingering,
}

impl Connection {
    pub(super) fn new(outlet: Outlet, is_secure: bool, peer: SocketAddr, phase: Phase) -> Self {
        Self {
            outlet: Arc::new(outlet),
            peer,
            phase,
            is_secure,
            said: Vec::new(),
            dirty: false,
            readable: false,
            heard: true,
            ended: false,
            deadline: None,
        }
    }

    /// Adds bytes to what is sent at the end of the turn.
    pub(super) fn say(&mut self, bytes: Vec<u8>) {
        self.outlet.count(bytes.len());
        if self.said.is_empty() && self.said.capacity() < bytes.len() {
            self.said = bytes;
        } else {
            self.said.extend_from_slice(&bytes);
        }
    }

    /// Bytes that have not been handed to the system.
    pub(super) fn unsent(&self) -> usize {
        self.outlet.unsent()
    }

    /// Whether the sender may flush it: nothing but bytes is to be looked after.
    pub(super) fn is_plain_sailing(&self) -> bool {
        self.phase == Phase::Open && self.deadline.is_none()
    }
}
