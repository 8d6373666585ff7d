//! One connection of the event loop.

use std::net::SocketAddr;

use mio::net::TcpStream;

use super::write_queue::WriteQueue;

/// A connection, or a call on its way to become one.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) phase: Phase,
    pub(super) queue: WriteQueue,
    /// Whether it is in the list of those to be written to at the end of the turn.
    pub(super) dirty: bool,
    /// Whether the system may have more bytes for us than were read.
    pub(super) readable: bool,
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
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, phase: Phase) -> Self {
        Self {
            stream,
            peer,
            phase,
            queue: WriteQueue::default(),
            dirty: false,
            readable: false,
            ended: false,
            deadline: None,
        }
    }
}
