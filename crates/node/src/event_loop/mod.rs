//! The event loop of a role: one thread, one poll, no decisions.
//!
//! How things flow: a turn waits for the system, hands over whole read buffers, commits that came
//! back, questions and timers, carries out what the machine wants, and at its end writes once to
//! each connection that has something to send, by [`sender`] if they are many. Commits run on their
//! own thread.
//! What bounds it: [`crate::limits`]: reads and accepts of a turn, unsent bytes of a connection and
//! of all, connections, the time that a peer may leave bytes unread; [`door`]: callers of a second.
//! Where a door or a call is secure, handshakes happen on a thread of their own ([`crate::tls`]);
//! after them the loop opens what it reads and seals what a turn sends.
//! Deliberately absent: decisions about a payment.

mod connection;
mod counts;
mod door;
mod outlet;
mod sender;
mod sockets;
mod write_queue;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use host::{ConnId, Level};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};

pub use counts::LoopCounts;
pub use door::OpenDoor;

use crate::clock;
use crate::commit::{Committer, Outcome};
use crate::driven::{Action, Driven, Event};
use crate::error::{RunError, RunErrorKind};
use crate::limits::{ENDS_PER_TURN, EVENTS_PER_TURN, READ_BYTES, READY_LOOK, SLEEP_MAX, STOP_WAIT};
use crate::logging::Log;
use crate::poison::Graveyard;
use crate::questions::{Desk, Tray};
use crate::tls::Handshakes;
use connection::{Connection, Phase};
use door::Door;
use sender::Sender;

const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
const DOORS: usize = 2;
/// Connections have the tokens from here on: their number plus this.
const CONNECTIONS: usize = 1024;

/// What exists before the machine does: the poll, its waker, the desk for questions.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    waker: Arc<Waker>,
    desk: Desk,
    tray: Tray,
    ready: Arc<AtomicBool>,
    counts: Arc<LoopCounts>,
}

impl Reactor {
    /// A poll of its own.
    pub fn new() -> Result<Self, RunError> {
        let failed = |error| RunError::system("make an event loop", error);
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let (desk, tray) = Desk::new(Arc::clone(&waker));
        let (ready, counts) = (Arc::default(), Arc::default());
        Ok(Self { poll, waker, desk, tray, ready, counts })
    }

    /// Wakes the loop from other threads.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Where questions are put.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// What the loop counts.
    pub fn counts(&self) -> Arc<LoopCounts> {
        Arc::clone(&self.counts)
    }
}

/// What a loop is given.
pub struct Parts<D> {
    /// The machine.
    pub driven: D,
    /// Its doors, in the order of their numbers.
    pub doors: Vec<OpenDoor>,
    /// The thread that owns its journal, if it has one.
    pub committer: Option<Committer>,
    /// The thread of TLS handshakes, if a door or a call is secure.
    pub handshakes: Option<Handshakes>,
    /// Whether calls are made over TLS.
    pub calls_are_secure: bool,
    /// Connections through doors from one remote address.
    pub per_address: usize,
    /// Connections that one door takes in a second.
    pub accepts_per_s: u32,
    /// Where is kept what the machine dies of.
    pub poison: Graveyard,
    /// A byte here asks for a stop; a second one for an end at once.
    pub signals: StdUnixStream,
    /// Where to log.
    pub log: Arc<Log>,
    /// Called once, when the role does its work.
    pub on_ready: Box<dyn FnOnce()>,
}

impl<D> std::fmt::Debug for Parts<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("doors", &self.doors).finish_non_exhaustive()
    }
}

/// What the machine is still to be told of this turn's own doing.
enum Owed {
    Closed(ConnId),
    DialFailed(u64),
}

/// The loop. See the module's header.
pub struct EventLoop<D> {
    driven: D,
    reactor: Reactor,
    doors: Vec<Door>,
    committer: Option<Committer>,
    signals: UnixStream,
    log: Arc<Log>,
    on_ready: Option<Box<dyn FnOnce()>>,
    ready_look: u64,
    conns: BTreeMap<ConnId, Connection>,
    /// How many connections there are to and from each address.
    addresses: BTreeMap<IpAddr, usize>,
    per_address: usize,
    poison: Graveyard,
    next_conn: ConnId,
    deadlines: BTreeSet<(u64, ConnId)>,
    /// Connections with something to send, in the order of their first bytes.
    dirty: Vec<ConnId>,
    /// Connections that had more to read than one turn allows.
    readable: VecDeque<ConnId>,
    /// Bytes of all connections that have not been handed to the system.
    unsent: Arc<AtomicUsize>,
    sender: Sender,
    owed: VecDeque<Owed>,
    out: Vec<Action>,
    buffer: Vec<u8>,
    handshakes: Option<Handshakes>,
    calls_are_secure: bool,
    /// More handshakes may be through than one turn takes in.
    more_hands: bool,
    /// Plaintext of what was read last.
    plain: Vec<u8>,
    /// Longest sleep.
    sleep_max: Duration,
    signalled: u32,
    stop_by: Option<u64>,
    stopped: bool,
    halted: Option<String>,
}

impl<D> std::fmt::Debug for EventLoop<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLoop").field("connections", &self.conns.len()).finish_non_exhaustive()
    }
}

impl<D: Driven> EventLoop<D> {
    /// Puts the parts together.
    pub fn new(reactor: Reactor, parts: Parts<D>) -> Result<Self, RunError> {
        let failed = |error| RunError::system("watch sockets", error);
        let registry = reactor.poll.registry();
        let mut doors = Vec::new();
        for (place, door) in parts.doors.into_iter().enumerate() {
            let mut door = Door::of(door, parts.accepts_per_s);
            registry
                .register(&mut door.listener, Token(DOORS + place), Interest::READABLE)
                .map_err(failed)?;
            doors.push(door);
        }
        parts.signals.set_nonblocking(true).map_err(failed)?;
        let mut signals = UnixStream::from_std(parts.signals);
        registry.register(&mut signals, SIGNALS, Interest::READABLE).map_err(failed)?;
        Ok(Self {
            driven: parts.driven,
            doors,
            committer: parts.committer,
            signals,
            log: parts.log,
            on_ready: Some(parts.on_ready),
            ready_look: 0,
            conns: BTreeMap::new(),
            addresses: BTreeMap::new(),
            per_address: parts.per_address,
            poison: parts.poison,
            next_conn: 1,
            deadlines: BTreeSet::new(),
            dirty: Vec::new(),
            readable: VecDeque::new(),
            unsent: Arc::default(),
            sender: Sender::start(reactor.counts(), reactor.waker())?,
            owed: VecDeque::new(),
            out: Vec::new(),
            buffer: vec![0; READ_BYTES],
            handshakes: parts.handshakes,
            calls_are_secure: parts.calls_are_secure,
            more_hands: false,
            plain: Vec::new(),
            sleep_max: SLEEP_MAX,
            signalled: 0,
            stop_by: None,
            stopped: false,
            halted: None,
            reactor,
        })
    }

    /// Whether the role does its work, for `/readyz`.
    pub fn ready(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.reactor.ready)
    }

    /// Runs until the machine has stopped or cannot go on.
    pub fn run(mut self) -> Result<(), RunError> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.tell(Event::Started);
        self.end_of_turn();
        while !self.stopped && self.halted.is_none() {
            let sleep = self.sleep();
            match self.reactor.poll.poll(&mut events, Some(sleep)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(RunError::system("wait for events", error)),
            }
            LoopCounts::add(&self.reactor.counts.turns, 1);
            self.turn(&events);
            self.end_of_turn();
        }
        self.finish()
    }

    /// The machine's last word, and the journal's.
    fn finish(mut self) -> Result<(), RunError> {
        let committer = self.committer.take();
        if let Some(what) = self.halted {
            self.log.say(Level::Error, "halted", &[("why", what.as_str().into())]);
            // The journal is left as a kill would leave it: the next start finds what is durable.
            let remedy = "the next start recovers what is durable; if it halts again, see the log";
            return Err(RunError::new(RunErrorKind::Halted, what, "journal", remedy));
        }
        if let Some(committer) = committer {
            committer.stop().map_err(|what| {
                let remedy = "check the disk; the next start recovers what is durable";
                RunError::new(RunErrorKind::Journal, what, "journal", remedy)
            })?;
        }
        self.log.say(Level::Info, "stopped", &[]);
        Ok(())
    }

    /// How long the system may let us sleep.
    fn sleep(&self) -> Duration {
        let pending = |door: &Door| door.pending && door.retry_at == 0;
        if self.more_hands {
            return Duration::ZERO;
        }
        if !self.readable.is_empty() || self.doors.iter().any(pending) || !self.owed.is_empty() {
            return Duration::ZERO;
        }
        let boot = clock::boot();
        let retries = self.doors.iter().filter(|door| door.pending).map(|door| door.retry_at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let ready = self.on_ready.as_ref().map(|_| self.ready_look);
        let times = [self.driven.next_timeout(), deadline, ready, self.stop_by];
        let next = times.into_iter().flatten().chain(retries).min();
        next.map_or(self.sleep_max, |next| clock::until(boot, next).min(self.sleep_max))
    }

    fn turn(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKER => {}
                SIGNALS => self.signal(),
                Token(token) if token < CONNECTIONS => {
                    if let Some(door) = self.doors.get_mut(token - DOORS) {
                        door.pending = true;
                    }
                }
                Token(token) => {
                    let conn = (token - CONNECTIONS) as ConnId;
                    if event.is_writable() || event.is_error() || event.is_write_closed() {
                        self.writable(conn);
                    }
                    let ended = event.is_read_closed() || event.is_error();
                    if event.is_readable() || ended {
                        self.queue_read(conn, ended);
                    }
                }
            }
        }
        self.troubles();
        if self.outcomes() {
            self.flush_many();
        }
        self.read_all();
        self.accept_all();
        self.adopt_all();
        while let Some((ticket, question)) = self.reactor.tray.next() {
            LoopCounts::add(&self.reactor.counts.questions, 1);
            self.tell(Event::Asked { ticket, question });
        }
        let boot = clock::boot();
        if self.driven.next_timeout().is_some_and(|at| at <= boot) {
            self.tell(Event::Timeout);
        }
        self.overdue(boot);
        self.look_ready(boot);
    }

    /// Reads whoever has something to say. Of those that have gone only some: they can wait.
    fn read_all(&mut self) {
        let mut ends = 0;
        for _ in 0..self.readable.len() {
            let Some(conn) = self.readable.pop_front() else { return };
            let ended = self.conns.get(&conn).is_some_and(|connection| connection.ended);
            ends += usize::from(ended);
            if ended && ends > ENDS_PER_TURN {
                self.readable.push_back(conn);
                continue;
            }
            self.read(conn);
            // Neither the disk nor those it has answered need wait for the end of a long turn.
            if self.outcomes() {
                self.flush_many();
            }
        }
    }

    /// One write to each connection that has something to send; then the machine is told what
    /// that and its own wishes led to.
    fn end_of_turn(&mut self) {
        self.close_turn();
        self.flush_all();
        // What these lead to is carried out in the next turn, which follows at once.
        for _ in 0..self.owed.len() {
            match self.owed.pop_front() {
                Some(Owed::Closed(conn)) => self.tell(Event::Closed { conn }),
                Some(Owed::DialFailed(call)) => self.tell(Event::DialFailed { call }),
                None => {}
            }
        }
        self.close_turn();
        self.flush_all();
        let counts = &self.reactor.counts;
        counts.connections.store(self.conns.len() as u64, Ordering::Relaxed);
    }

    /// Before anything is sent: the disk has the longer way to go.
    fn close_turn(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        self.driven.end_turn(&mut out);
        self.carry_out(&mut out);
        self.out = out;
    }

    /// Hands an event over and carries out what the machine wants.
    fn tell(&mut self, event: Event<'_>) {
        let mut out = std::mem::take(&mut self.out);
        let driven = &mut self.driven;
        let handle = AssertUnwindSafe(|| driven.handle(clock::read(), event, &mut out));
        if let Err(panic) = catch_unwind(handle) {
            // A broken invariant: nothing that it decided is carried out, and nothing goes on.
            self.poison.died(&self.log, || self.driven.in_hand(), panic.as_ref());
            resume_unwind(panic);
        }
        self.carry_out(&mut out);
        self.out = out;
    }

    fn carry_out(&mut self, out: &mut Vec<Action>) {
        for action in out.drain(..) {
            match action {
                Action::Dial { call, to } => self.dial(call, to),
                Action::Send { conn, bytes } => self.send(conn, bytes),
                Action::Close { conn, why } => self.close(conn, why),
                Action::Listen { conn, on } => self.listen(conn, on),
                Action::Commit(batch) => {
                    let taken = self.committer.as_ref().is_some_and(|c| c.commit(batch));
                    if !taken {
                        let what = "a batch found no commit thread to take it";
                        self.halted = Some(what.to_owned());
                    }
                }
                Action::Snapshot { record, body } => {
                    let taken = self.committer.as_ref().is_some_and(|c| c.snapshot(record, body));
                    if !taken {
                        self.log.say(Level::Warn, "snapshot_not_taken", &[]);
                    }
                }
                Action::Stopped => self.stopped = true,
                Action::Reply { ticket, answer } => {
                    // Whoever asked may have given up.
                    let _ = self.reactor.tray.answer(ticket, answer);
                }
                Action::Log(line) => self.log.line(&line),
                Action::Halt { what } => self.halted = Some(what),
            }
        }
    }

    fn signal(&mut self) {
        let mut bytes = [0; 64];
        while let Ok(count) = self.signals.read(&mut bytes) {
            if count == 0 {
                break;
            }
            self.signalled += u32::try_from(count).unwrap_or(u32::MAX);
        }
        match (self.signalled, self.stop_by) {
            (0, _) => {}
            (_, None) => {
                self.log.say(Level::Info, "stopping", &[]);
                self.stop_by = Some(clock::after(clock::boot(), STOP_WAIT));
                self.signalled = 1;
                self.tell(Event::Stop);
            }
            (1, Some(_)) => {}
            (_, Some(_)) => self.halted = Some("told twice to stop".to_owned()),
        }
    }

    /// What the commit thread has to tell; whether it told of something.
    fn outcomes(&mut self) -> bool {
        let mut any = false;
        while let Some(outcome) = self.committer.as_ref().and_then(Committer::take) {
            any = true;
            match outcome {
                Outcome::Committed { batch, room_ahead } => {
                    self.tell(Event::Committed { batch, room_ahead });
                }
                Outcome::Memory(memory) => self.driven.take_back(memory),
                Outcome::DiskFailed { what } => {
                    self.committer = None;
                    self.tell(Event::DiskFailed { what: what.clone() });
                    // A machine that goes on without its disk does not exist.
                    self.halted.get_or_insert(what);
                }
            }
        }
        any
    }

    fn look_ready(&mut self, boot: u64) {
        if self.on_ready.is_none() || self.ready_look > boot {
            return;
        }
        self.ready_look = clock::after(boot, READY_LOOK);
        let mut out = std::mem::take(&mut self.out);
        let ready = self.driven.is_ready(clock::read(), &mut out);
        self.carry_out(&mut out);
        self.out = out;
        if ready && let Some(on_ready) = self.on_ready.take() {
            self.reactor.ready.store(true, Ordering::Release);
            on_ready();
        }
    }

    fn overdue(&mut self, boot: u64) {
        if self.stop_by.is_some_and(|by| by <= boot) {
            self.halted.get_or_insert("the stop took too long".to_owned());
        }
        for _ in 0..ENDS_PER_TURN {
            let Some((at, conn)) = self.deadlines.first().copied() else { return };
            if at > boot {
                return;
            }
            self.deadlines.remove(&(at, conn));
            let Some(connection) = self.conns.get_mut(&conn) else { continue };
            connection.deadline = None;
            match connection.phase {
                Phase::Dialling { .. } => self.gone(conn, "dial_late"),
                Phase::Open | Phase::Closing { .. } => self.last_chance(conn),
                Phase::Lingering => self.gone(conn, "lingered"),
            }
        }
    }

    fn set_deadline(&mut self, conn: ConnId, deadline: Option<u64>) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        if let Some(old) = std::mem::replace(&mut connection.deadline, deadline) {
            self.deadlines.remove(&(old, conn));
        }
        if let Some(new) = deadline {
            self.deadlines.insert((new, conn));
        }
    }
}

#[cfg(test)]
mod tests;
