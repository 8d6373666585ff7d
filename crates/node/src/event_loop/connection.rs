//! One connection of the event loop.

use std::net::SocketAddr;

use mio::net::TcpStream;

use super::write_queue::WriteQueue;
use crate::limits::PLAINTEXT_KEPT;
use crate::tls::Channel;

/// A connection, or a call on its way to become one.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) phase: Phase,
    pub(super) queue: WriteQueue,
    /// Its cipher; none where bytes go as they are.
    pub(super) secure: Option<Box<Secure>>,
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

/// A connection's cipher, and what it has to seal.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) channel: Channel,
    /// What was sent in this turn: sealed at its end, in as few records as can be.
    plain: Vec<u8>,
    is_ended: bool,
}

impl Secure {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, plain: Vec::new(), is_ended: false }
    }
}

impl Connection {
    /// Adds bytes to what is sent at the end of the turn.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        match &mut self.secure {
            None => self.queue.push(bytes),
            Some(secure) if secure.plain.capacity() < bytes.len() && secure.plain.is_empty() => {
                secure.plain = bytes;
            }
            Some(secure) => secure.plain.extend_from_slice(&bytes),
        }
    }

    /// Bytes that have not been handed to the system.
    pub(super) fn unsent(&self) -> usize {
        self.queue.unsent() + self.secure.as_ref().map_or(0, |secure| secure.plain.len())
    }

    /// Puts what was sent, and what TLS itself has to say, into the queue as records.
    pub(super) fn seal(&mut self) {
        let Some(secure) = &mut self.secure else { return };
        let ends = matches!(self.phase, Phase::Closing { .. }) && !secure.is_ended;
        if !secure.plain.is_empty() || secure.channel.has_to_send() || ends {
            let Secure { channel, plain, is_ended } = secure.as_mut();
            // TLS sends nothing behind its own end.
            if !plain.is_empty() {
                channel.seal(plain, self.queue.tail());
            }
            if ends {
                channel.end();
                *is_ended = true;
            }
            channel.seal(&[], self.queue.tail());
            plain.clear();
            plain.shrink_to(PLAINTEXT_KEPT);
        }
    }

    pub(super) fn new(stream: TcpStream, peer: SocketAddr, phase: Phase) -> Self {
        Self {
            stream,
            peer,
            phase,
            queue: WriteQueue::default(),
            secure: None,
            dirty: false,
            readable: false,
            heard: true,
            ended: false,
            deadline: None,
        }
    }
}
