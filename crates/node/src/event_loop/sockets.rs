//! The loop's connections: coming, going, reading, writing.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};

use host::{ConnId, Level};
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connection::{Connection, Phase};
use super::write_queue::Flushed;
use super::{CONNECTIONS, EventLoop, LoopCounts, Owed};
use crate::clock;
use crate::driven::{Driven, Event};
use crate::limits::{
    ACCEPT_PAUSE, ACCEPTS_PER_TURN, CONNECTIONS_MAX, DIAL_WAIT, LINGER, READS_PER_TURN,
    WRITE_QUEUE_BYTES, WRITE_QUEUES_BYTES, WRITE_STALL,
};

impl<D: Driven> EventLoop<D> {
    pub(super) fn accept_all(&mut self) {
        for place in 0..self.doors.len() {
            self.accept(place);
        }
    }

    fn accept(&mut self, place: usize) {
        let boot = clock::boot();
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(door) = self.doors.get_mut(place) else { return };
            if !door.pending || door.retry_at > boot {
                return;
            }
            door.retry_at = 0;
            match door.listener.accept() {
                Ok((stream, peer)) => self.take_in(place, stream, peer),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => door.pending = false,
                    // That caller is gone again; the next may be there.
                    ErrorKind::Interrupted
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset => {}
                    _ => {
                        door.retry_at = clock::after(boot, ACCEPT_PAUSE);
                        let values = [("why", error.to_string().into())];
                        self.log.say(Level::Error, "accept_failed", &values);
                    }
                },
            }
        }
    }

    fn take_in(&mut self, place: usize, stream: TcpStream, peer: SocketAddr) {
        if self.conns.len() >= CONNECTIONS_MAX {
            // Dropping the stream closes it: refused before it costs anything.
            self.reactor.counts.closed("too_many");
            return;
        }
        LoopCounts::add(&self.reactor.counts.accepted, 1);
        if let Some(conn) = self.add(stream, peer, Phase::Open) {
            self.tell(Event::Accepted { conn, door: place, identity: None });
        }
    }

    fn add(&mut self, mut stream: TcpStream, peer: SocketAddr, phase: Phase) -> Option<ConnId> {
        let conn = self.next_conn;
        self.next_conn += 1;
        // One write per turn holds everything there is to send: waiting for more gains nothing.
        let _ = stream.set_nodelay(true);
        let token = usize::try_from(conn).ok().and_then(|conn| conn.checked_add(CONNECTIONS));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.reactor.poll.registry();
        match token.map(|token| stream.register(registry, Token(token), interest)) {
            Some(Ok(())) => {
                self.conns.insert(conn, Connection::new(stream, peer, phase));
                Some(conn)
            }
            Some(Err(_)) | None => {
                self.reactor.counts.closed("not_watched");
                None
            }
        }
    }

    pub(super) fn dial(&mut self, call: u64, to: SocketAddr) {
        let conn = match TcpStream::connect(to) {
            Ok(stream) => self.add(stream, to, Phase::Dialling { call }),
            Err(_) => None,
        };
        match conn {
            Some(conn) => {
                let by = clock::after(clock::boot(), DIAL_WAIT);
                self.set_deadline(conn, Some(by));
            }
            None => {
                LoopCounts::add(&self.reactor.counts.dials_failed, 1);
                self.owed.push_back(Owed::DialFailed(call));
            }
        }
    }

    pub(super) fn writable(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        match connection.phase {
            Phase::Dialling { call } => self.dialled(conn, call),
            Phase::Open | Phase::Closing { .. } => {
                if connection.queue.unsent() > 0 && !connection.dirty {
                    connection.dirty = true;
                    self.dirty.push(conn);
                }
            }
            Phase::Lingering => {}
        }
    }

    /// The call has an end, unless the system woke us for nothing.
    fn dialled(&mut self, conn: ConnId, call: u64) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let failed = !matches!(connection.stream.take_error(), Ok(None));
        let through = connection.stream.peer_addr();
        match through {
            Ok(_) if !failed => {
                connection.phase = Phase::Open;
                self.set_deadline(conn, None);
                LoopCounts::add(&self.reactor.counts.dialled, 1);
                self.tell(Event::Dialled { conn, call, identity: None });
                self.queue_read(conn, false);
            }
            Err(error) if !failed && error.kind() == ErrorKind::NotConnected => {}
            Ok(_) | Err(_) => self.gone(conn, "dial_failed"),
        }
    }

    pub(super) fn queue_read(&mut self, conn: ConnId, ended: bool) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.ended |= ended;
        if !connection.readable {
            connection.readable = true;
            self.readable.push_back(conn);
        }
    }

    /// Hands over what the system has, a bounded number of whole buffers.
    pub(super) fn read(&mut self, conn: ConnId) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.conns.get_mut(&conn) else { break };
            connection.readable = false;
            if matches!(connection.phase, Phase::Dialling { .. }) {
                self.buffer = buffer;
                return;
            }
            match connection.stream.read(&mut buffer) {
                Ok(0) => {
                    self.gone(conn, "peer");
                    break;
                }
                Ok(count) => {
                    LoopCounts::add(&self.reactor.counts.reads, 1);
                    LoopCounts::add(&self.reactor.counts.read_bytes, count);
                    // Less than a whole buffer: there was no more, and the system tells of what
                    // comes from now on. An end that it has told of already is still to be read.
                    let drained = count < buffer.len() && !connection.ended;
                    // Bytes behind a decision to close are nobody's.
                    if connection.phase == Phase::Open {
                        self.tell(Event::Received { conn, bytes: &buffer[..count] });
                    }
                    if drained {
                        self.buffer = buffer;
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.buffer = buffer;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone(conn, "error");
                    break;
                }
            }
        }
        self.buffer = buffer;
        // The system tells of new bytes only once it has been read empty.
        self.queue_read(conn, false);
    }

    pub(super) fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        if connection.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        self.unsent += bytes.len();
        connection.queue.push(bytes);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(conn);
        }
        let queued = connection.queue.unsent();
        if queued > WRITE_QUEUE_BYTES || self.unsent > WRITE_QUEUES_BYTES {
            self.overfull(conn);
        }
    }

    /// Too much waits: the system may still take it; if not, the peer does not read.
    fn overfull(&mut self, conn: ConnId) {
        self.flush(conn);
        let unsent = self.conns.get(&conn).map_or(0, |c| c.queue.unsent());
        if unsent > WRITE_QUEUE_BYTES || (unsent > 0 && self.unsent > WRITE_QUEUES_BYTES) {
            self.gone(conn, "slow_reader");
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, why: &'static str) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        if connection.phase == Phase::Open {
            connection.phase = Phase::Closing { why };
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(conn);
            }
        }
    }

    pub(super) fn flush_all(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            if let Some(connection) = self.conns.get_mut(&conn) {
                connection.dirty = false;
                self.flush(conn);
            }
        }
        // Nothing becomes dirty while it is flushed; the list keeps its memory.
        self.dirty = dirty;
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let mut written = 0;
        let had = connection.queue.unsent();
        let flushed = connection.queue.flush(&mut connection.stream, &mut written);
        self.unsent -= written;
        LoopCounts::add(&self.reactor.counts.writes, usize::from(had > 0));
        LoopCounts::add(&self.reactor.counts.written_bytes, written);
        match (flushed, connection.phase) {
            (Ok(Flushed::All), Phase::Closing { why }) => self.linger(conn, why),
            (Ok(Flushed::All), Phase::Open) => self.set_deadline(conn, None),
            (Ok(Flushed::All), Phase::Dialling { .. } | Phase::Lingering) => {}
            (Ok(Flushed::Blocked), _) => {
                // The clock runs anew whenever the peer has taken something.
                if written > 0 || connection.deadline.is_none() {
                    let by = clock::after(clock::boot(), WRITE_STALL);
                    self.set_deadline(conn, Some(by));
                }
            }
            (Err(_), _) => self.gone(conn, "error"),
        }
    }

    /// Ends our side; the machine is told that it is over.
    fn linger(&mut self, conn: ConnId, why: &'static str) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.phase = Phase::Lingering;
        let peer = connection.peer;
        // A peer that is gone already needs no end.
        let _ = connection.stream.shutdown(Shutdown::Write);
        self.reactor.counts.closed(why);
        let values = [("why", why.into()), ("peer", peer.to_string().into())];
        self.log.say(Level::Info, "connection_closed", &values);
        self.owed.push_back(Owed::Closed(conn));
        let by = clock::after(clock::boot(), LINGER);
        self.set_deadline(conn, Some(by));
        self.queue_read(conn, false);
    }

    /// The connection is no more, for a reason of the peer's, the system's or the loop's.
    pub(super) fn gone(&mut self, conn: ConnId, why: &'static str) {
        self.set_deadline(conn, None);
        let Some(mut connection) = self.conns.remove(&conn) else { return };
        self.unsent -= connection.queue.unsent();
        // The system forgets a closed descriptor anyway.
        let _ = self.reactor.poll.registry().deregister(&mut connection.stream);
        match connection.phase {
            Phase::Dialling { call } => {
                LoopCounts::add(&self.reactor.counts.dials_failed, 1);
                self.owed.push_back(Owed::DialFailed(call));
            }
            Phase::Open | Phase::Closing { .. } => {
                self.reactor.counts.closed(why);
                if why == "slow_reader" {
                    let peer = connection.peer.to_string().into();
                    let values = [("why", why.into()), ("peer", peer)];
                    self.log.say(Level::Warn, "connection_closed", &values);
                }
                self.owed.push_back(Owed::Closed(conn));
            }
            Phase::Lingering => {}
        }
    }
}
