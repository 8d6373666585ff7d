//! The loop's connections: coming, going, reading, writing.

use std::collections::btree_map::Entry;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use host::{ConnId, Level, PeerName};
use mio::event::Source;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::connection::{Connection, Phase};
use super::outlet::{Outlet, Reading};
use super::sender::Trouble;
use super::write_queue::Flushed;
use super::{CONNECTIONS, EventLoop, LoopCounts, Owed};
use crate::clock;
use crate::driven::{Driven, Event};
use crate::limits::{
    ACCEPT_PAUSE, ACCEPTS_PER_TURN, CONNECTIONS_MAX, DIAL_WAIT, LINGER, READ_BYTES, READS_PER_TURN,
    SENDER_FROM, WAITED_TOLD, WRITE_QUEUE_BYTES, WRITE_QUEUES_BYTES, WRITE_STALL,
};
use crate::tls::{Channel, Handshakes, Opened, Outcome, Refusal, Work};

impl<D: Driven> EventLoop<D> {
    pub(super) fn accept_all(&mut self) {
        let boot = clock::boot();
        for place in 0..self.doors.len() {
            self.accept(place, boot);
            self.tell_waited(place, boot);
        }
    }

    fn accept(&mut self, place: usize, boot: u64) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(door) = self.doors.get_mut(place) else { return };
            if !door.may_take(boot) {
                return;
            }
            match door.listener.accept() {
                Ok((stream, peer)) => {
                    let waited = usize::from(door.taken(boot));
                    LoopCounts::add(&self.reactor.counts.accepts_waited, waited);
                    self.take_in(place, stream, peer);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => door.emptied(),
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

    /// Says, once in a while, that callers come faster than they are taken.
    fn tell_waited(&mut self, place: usize, boot: u64) {
        let Some(door) = self.doors.get_mut(place) else { return };
        if let Some(waited) = door.take_waited(boot) {
            let values = [
                ("door", door.name.as_str().into()),
                ("waited", waited.into()),
                ("within_s", WAITED_TOLD.as_secs().into()),
                ("do", "find who connects so often; `limits.accepts_per_s` is the bound".into()),
            ];
            self.log.say(Level::Warn, "callers_waited", &values);
        }
    }

    fn take_in(&mut self, place: usize, stream: TcpStream, peer: SocketAddr) {
        if self.conns.len() >= CONNECTIONS_MAX {
            // Dropping the stream closes it: refused before it costs anything.
            self.reactor.counts.closed("too_many");
            return;
        }
        if self.addresses.get(&peer.ip()).is_some_and(|count| *count >= self.per_address) {
            self.reactor.counts.closed("too_many_from_address");
            let values = [("peer", peer.ip().to_string().into())];
            self.log.say(Level::Warn, "too_many_from_address", &values);
            return;
        }
        let is_secure = self.doors.get(place).is_some_and(|door| door.is_secure);
        if is_secure {
            return self.shake_hands(Work::Door(place), stream, peer);
        }
        LoopCounts::add(&self.reactor.counts.accepted, 1);
        if let Some(conn) = self.add(stream, None, peer, Phase::Open) {
            self.tell(Event::Accepted { conn, door: place, identity: None });
        }
    }

    fn add(
        &mut self,
        mut stream: TcpStream,
        channel: Option<Channel>,
        peer: SocketAddr,
        phase: Phase,
    ) -> Option<ConnId> {
        let conn = self.next_conn;
        self.next_conn += 1;
        // One write per turn holds everything there is to send: waiting for more gains nothing.
        let _ = stream.set_nodelay(true);
        let token = usize::try_from(conn).ok().and_then(|conn| conn.checked_add(CONNECTIONS));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.reactor.poll.registry();
        match token.map(|token| stream.register(registry, Token(token), interest)) {
            Some(Ok(())) => {
                let is_secure = channel.is_some();
                let outlet = Outlet::new(stream, channel, Arc::clone(&self.unsent));
                self.conns.insert(conn, Connection::new(outlet, is_secure, peer, phase));
                *self.addresses.entry(peer.ip()).or_default() += 1;
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
            Ok(stream) => self.add(stream, None, to, Phase::Dialling { call }),
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
                if connection.unsent() > 0 && !connection.dirty {
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
        let failed = !matches!(connection.outlet.stream().take_error(), Ok(None));
        let through = connection.outlet.stream().peer_addr();
        match through {
            Ok(_) if !failed && self.calls_are_secure => {
                self.set_deadline(conn, None);
                let Some(connection) = self.conns.remove(&conn) else { return };
                let outlet = Arc::into_inner(connection.outlet);
                let mut stream = outlet.expect("the sender has none but open ones").into_stream();
                // The handshake thread watches it with a poll of its own.
                let _ = self.reactor.poll.registry().deregister(&mut stream);
                self.shake_hands(Work::Call(call), stream, connection.peer);
            }
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

    /// The machine hears a connection, or does not for a while: then its bytes stay with the
    /// system, and its peer waits.
    pub(super) fn listen(&mut self, conn: ConnId, on: bool) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.heard = on;
        if on {
            self.queue_read(conn, false);
        }
    }

    /// Hands over what the system has, a bounded number of whole buffers.
    pub(super) fn read(&mut self, conn: ConnId) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.conns.get_mut(&conn) else { break };
            connection.readable = false;
            let unheard = connection.phase == Phase::Open && !connection.heard;
            if unheard || matches!(connection.phase, Phase::Dialling { .. }) {
                self.buffer = buffer;
                return;
            }
            match connection.outlet.stream().read(&mut buffer) {
                Ok(0) => {
                    // A peer that ends TLS in order has said so before.
                    let cut = connection.is_secure && connection.phase == Phase::Open;
                    self.gone(conn, if cut { "tls_cut" } else { "peer" });
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
                        if !connection.is_secure {
                            self.tell(Event::Received { conn, bytes: &buffer[..count] });
                        } else if !self.open(conn, &buffer[..count]) {
                            break;
                        }
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
        connection.say(bytes);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(conn);
        }
        let queued = connection.unsent();
        if queued > WRITE_QUEUE_BYTES || self.unsent() > WRITE_QUEUES_BYTES {
            self.overfull(conn);
        }
    }

    /// Too much waits: the system may still take it; if not, the peer does not read.
    fn overfull(&mut self, conn: ConnId) {
        self.flush(conn);
        let unsent = self.conns.get(&conn).map_or(0, Connection::unsent);
        if unsent > WRITE_QUEUE_BYTES || (unsent > 0 && self.unsent() > WRITE_QUEUES_BYTES) {
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

    /// Bytes of all connections that have not been handed to the system.
    fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Acquire)
    }

    /// Everything that was said goes on its way: by the sender if it is much.
    pub(super) fn flush_all(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        let is_busy = dirty.len() >= SENDER_FROM;
        let mut turn = Vec::with_capacity(if is_busy { dirty.len() } else { 0 });
        for conn in dirty.drain(..) {
            let Some(connection) = self.conns.get_mut(&conn) else { continue };
            connection.dirty = false;
            if is_busy && connection.is_plain_sailing() {
                connection.outlet.put(&mut connection.said);
                turn.push((conn, Arc::clone(&connection.outlet)));
            } else {
                self.flush(conn);
            }
        }
        // Nothing becomes dirty while it is flushed; the list keeps its memory.
        self.dirty = dirty;
        if !turn.is_empty()
            && let Err(turn) = self.sender.hand(turn)
        {
            for (conn, _) in turn {
                self.flush(conn);
            }
        }
    }

    /// In the middle of a turn: what was said goes on its way if it is the sender's.
    pub(super) fn flush_many(&mut self) {
        if self.dirty.len() >= SENDER_FROM {
            self.flush_all();
        }
    }

    /// Looks after what the sender could not finish.
    pub(super) fn troubles(&mut self) {
        for (conn, trouble) in self.sender.troubles() {
            match trouble {
                // Once it can be written to, the loop itself goes on with it.
                Trouble::Blocked { some } => self.blocked(conn, some),
                Trouble::Broken => self.gone(conn, "error"),
            }
        }
    }

    fn flush(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let mut written = 0;
        let outlet = &connection.outlet;
        outlet.put(&mut connection.said);
        let ends = matches!(connection.phase, Phase::Closing { .. });
        let flushed = outlet.flush(ends, &mut written);
        self.reactor.counts.flushed(written);
        match (flushed, connection.phase) {
            (Ok(Flushed::All), Phase::Closing { why }) => self.linger(conn, why),
            (Ok(Flushed::All), Phase::Open) => self.set_deadline(conn, None),
            (Ok(Flushed::All), Phase::Dialling { .. } | Phase::Lingering) => {}
            (Ok(Flushed::Blocked), _) => self.blocked(conn, written > 0),
            (Err(_), _) => self.gone(conn, "error"),
        }
    }

    /// The peer does not read: its clock runs anew whenever it has taken something.
    fn blocked(&mut self, conn: ConnId, some: bool) {
        let Some(connection) = self.conns.get(&conn) else { return };
        if connection.unsent() > 0 && (some || connection.deadline.is_none()) {
            let by = clock::after(clock::boot(), WRITE_STALL);
            self.set_deadline(conn, Some(by));
        }
    }

    /// The time for what was unsent is over. The sender may have sent it meanwhile.
    pub(super) fn last_chance(&mut self, conn: ConnId) {
        let unsent = |loops: &Self| loops.conns.get(&conn).map_or(0, Connection::unsent);
        let before = unsent(self);
        self.flush(conn);
        if before > 0 && unsent(self) >= before {
            self.gone(conn, "slow_reader");
        }
    }

    /// Hands a connection to the handshake thread.
    fn shake_hands(&mut self, work: Work, stream: TcpStream, peer: SocketAddr) {
        let taken = self.handshakes.as_ref().is_some_and(|h| h.begin(work, peer, stream));
        if !taken {
            self.not_shaken(work, peer, &Refusal::busy());
        }
    }

    /// Takes in connections whose handshake is through, a bounded number a turn.
    pub(super) fn adopt_all(&mut self) {
        self.more_hands = false;
        for _ in 0..ACCEPTS_PER_TURN {
            let outcome = self.handshakes.as_ref().and_then(Handshakes::take);
            let Some(Outcome { work, peer, result }) = outcome else { return };
            match result {
                Ok((stream, channel, name)) => self.adopt(work, stream, peer, channel, name),
                Err(refusal) => self.not_shaken(work, peer, &refusal),
            }
        }
        self.more_hands = true;
    }

    fn adopt(
        &mut self,
        work: Work,
        stream: TcpStream,
        peer: SocketAddr,
        channel: Channel,
        name: PeerName,
    ) {
        let is_full = self.conns.len() >= CONNECTIONS_MAX;
        let add = |stream| self.add(stream, Some(channel), peer, Phase::Open);
        let conn = if is_full { None } else { add(stream) };
        let Some(conn) = conn else {
            return self.not_shaken(work, peer, &Refusal::busy());
        };
        let identity = Some(name);
        match work {
            Work::Door(door) => {
                LoopCounts::add(&self.reactor.counts.accepted, 1);
                self.tell(Event::Accepted { conn, door, identity });
            }
            Work::Call(call) => {
                LoopCounts::add(&self.reactor.counts.dialled, 1);
                self.tell(Event::Dialled { conn, call, identity });
            }
        }
        // What came right behind the handshake is in the channel already.
        if self.open(conn, &[]) {
            self.queue_read(conn, false);
        }
    }

    fn not_shaken(&mut self, work: Work, peer: SocketAddr, refusal: &Refusal) {
        self.reactor.counts.closed(refusal.why);
        self.tell_refusal(peer, refusal);
        if let Work::Call(call) = work {
            LoopCounts::add(&self.reactor.counts.dials_failed, 1);
            self.owed.push_back(Owed::DialFailed(call));
        }
    }

    fn tell_refusal(&self, peer: SocketAddr, refusal: &Refusal) {
        let values = [
            ("why", refusal.why.into()),
            ("peer", peer.to_string().into()),
            ("what", refusal.what.as_str().into()),
            ("do", refusal.remedy.into()),
        ];
        self.log.say(Level::Warn, "channel_refused", &values);
    }

    /// Opens what came and hands its plaintext over as one buffer; `false` when the connection is
    /// no more.
    fn open(&mut self, conn: ConnId, bytes: &[u8]) -> bool {
        let Some(connection) = self.conns.get_mut(&conn) else { return false };
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        let reading = connection.outlet.open(bytes, &mut plain);
        let Some(Reading { opened, has_to_send }) = reading else { return true };
        if has_to_send && !connection.dirty {
            connection.dirty = true;
            self.dirty.push(conn);
        }
        if connection.phase == Phase::Open && !plain.is_empty() {
            self.tell(Event::Received { conn, bytes: &plain });
        }
        plain.shrink_to(READ_BYTES);
        self.plain = plain;
        match opened {
            Ok(Opened::Open) => return true,
            Ok(Opened::Ended) => {
                // What was answered to its last bytes may still reach a peer that only ended its
                // own side.
                self.flush(conn);
                self.gone(conn, "peer");
            }
            Err(error) => {
                let refusal = Refusal::of(&error);
                if let Some(connection) = self.conns.get(&conn) {
                    self.tell_refusal(connection.peer, &refusal);
                }
                // The alert that tells the peer why.
                self.flush(conn);
                self.gone(conn, refusal.why);
            }
        }
        false
    }

    /// Ends our side; the machine is told that it is over.
    fn linger(&mut self, conn: ConnId, why: &'static str) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.phase = Phase::Lingering;
        let peer = connection.peer;
        // A peer that is gone already needs no end.
        let _ = connection.outlet.stream().shutdown(Shutdown::Write);
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
        let Some(connection) = self.conns.remove(&conn) else { return };
        connection.outlet.give_up();
        if let Entry::Occupied(mut count) = self.addresses.entry(connection.peer.ip()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        let descriptor = connection.outlet.stream().as_raw_fd();
        // The system forgets a closed descriptor anyway; the sender may still hold this one.
        let _ = self.reactor.poll.registry().deregister(&mut SourceFd(&descriptor));
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
