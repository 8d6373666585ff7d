//! One connection that speaks ISO 8583, as either role keeps it: its session, and since when it
//! has been silent or in the middle of a frame.

use interchange::{Incoming, Session};
use keys::LinkMac;
use scheme::Timestamp;
use wire::iso8583::{Dialect, Message};

use crate::admission::{Asked, Pace, Taken, burst_ns};
use crate::identity::PeerName;
use crate::limits::{DEAF_MIN_MS, OWED_PER_CONNECTION_MAX};
use crate::poison::Poisons;

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) session: Session,
    pub(crate) last_heard: Timestamp,
    half_since: Option<Timestamp>,
    /// Whom its certificate names; none on a plain door.
    pub(crate) identity: Option<PeerName>,
    /// What this connection has asked of late.
    pub(crate) asked: Asked,
    /// What it has asked while history is behind.
    pub(crate) taken: Taken,
    messages: Pace,
    messages_per_s: u32,
    /// A message that must not be refused, for which there was no room.
    held: Option<Box<Message>>,
    deaf: Deaf,
    /// What the shell was told last: whether it reads this connection.
    listening: bool,
}

/// Whether a connection is heard. What it says meanwhile stays with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deaf {
    No,
    /// It said too much, or others have their turn; from then on it is heard again.
    Until(Timestamp),
    /// What it says next may not be refused, and there is no room before an answer leaves.
    UntilRoom,
}

/// What the shell is to do about a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listen {
    /// Whether to read it; none if the shell knows.
    pub(crate) on: Option<bool>,
    /// When it is heard again, if that is known.
    pub(crate) until: Option<Timestamp>,
}

impl Line {
    /// A connection on which any of these dialects may be spoken, and so many messages a second.
    /// `waiting_max` requests wait for answers, and beside them some reversals and advices.
    pub(crate) fn new<'n>(
        dialects: impl IntoIterator<Item = &'n str>,
        waiting_max: usize,
        messages_per_s: u32,
        now: Timestamp,
    ) -> Self {
        let dialects = dialects.into_iter().filter_map(Dialect::builtin).collect();
        let room = waiting_max.saturating_add(OWED_PER_CONNECTION_MAX);
        Self {
            session: Session::new(dialects, room),
            last_heard: now,
            half_since: None,
            identity: None,
            asked: Asked::default(),
            taken: Taken::default(),
            messages: Pace::default(),
            messages_per_s,
            held: None,
            deaf: Deaf::No,
            listening: true,
        }
    }

    /// From here on every message of the connection has a MAC.
    pub(crate) fn authenticate(&mut self, mac: LinkMac) {
        self.session.authenticate(mac);
    }

    /// Takes bytes as they came.
    pub(crate) fn push(&mut self, now: Timestamp, bytes: &[u8]) {
        self.last_heard = now;
        self.session.push(bytes);
    }

    /// The next thing that they say, if it is heard now; what is poison to read is not
    /// read. A whole frame ends whatever half had been waiting.
    pub(crate) fn take(&mut self, now: Timestamp, poisons: &Poisons) -> Option<Incoming> {
        if self.deaf != Deaf::No || (self.held.is_none() && !self.session.is_half_read()) {
            return None;
        }
        let burst_ns = burst_ns(self.messages_per_s);
        let wait_ns = self.messages.wait_ns(now, self.messages_per_s, burst_ns);
        if wait_ns > 0 {
            let wait_ms = wait_ns.div_ceil(1_000_000).max(DEAF_MIN_MS);
            self.deaf = Deaf::Until(now.plus_ms(wait_ms));
            return None;
        }
        let held = self.held.take().map(Incoming::Message);
        let incoming = held.or_else(|| self.session.take_unless(|bytes| poisons.is_deadly(bytes)));
        if incoming.is_some() {
            self.half_since = None;
            self.messages.spend(now, self.messages_per_s);
        }
        incoming
    }

    /// It has had its turn: what it has said beyond is heard in the next one.
    pub(crate) fn yield_turn(&mut self, now: Timestamp) {
        if self.deaf == Deaf::No && self.session.is_half_read() {
            self.deaf = Deaf::Until(Timestamp(now.0.saturating_add(1)));
        }
    }

    /// It is heard again then, and not before.
    pub(crate) fn wait_until(&mut self, until: Timestamp) {
        if self.deaf == Deaf::No {
            self.deaf = Deaf::Until(until);
        }
    }

    /// Whether a reversal or advice can still wait for its answer here.
    pub(crate) fn has_room_for_owed(&self, waiting_max: usize) -> bool {
        self.session.waiting() < waiting_max.saturating_add(OWED_PER_CONNECTION_MAX)
    }

    /// Keeps a message that may not be refused until an answer has left.
    pub(crate) fn hold(&mut self, message: Message) {
        self.held = Some(Box::new(message));
        self.deaf = Deaf::UntilRoom;
    }

    /// An answer has left: `true` if it is what was waited for.
    pub(crate) fn has_answered(&mut self) -> bool {
        let waited = self.deaf == Deaf::UntilRoom;
        if waited {
            self.deaf = Deaf::No;
        }
        waited
    }

    /// The time has come to look at the connection: `true` if it is heard again.
    pub(crate) fn hears_again(&mut self, now: Timestamp) -> bool {
        let heard = matches!(self.deaf, Deaf::Until(until) if until <= now);
        if heard {
            self.deaf = Deaf::No;
        }
        heard
    }

    /// What the shell must be told, and when to look again.
    pub(crate) fn listen(&mut self) -> Listen {
        let until = match self.deaf {
            Deaf::No | Deaf::UntilRoom => None,
            Deaf::Until(until) => Some(until),
        };
        let on = self.deaf == Deaf::No;
        let changed = on != self.listening;
        self.listening = on;
        Listen { on: changed.then_some(on), until }
    }

    /// After everything was taken: since when half a frame has been waiting, if one is.
    pub(crate) fn half(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.deaf == Deaf::No && self.session.is_half_read() {
            self.half_since.get_or_insert(now);
        } else {
            self.half_since = None;
        }
        self.half_since
    }

    /// Whether half a frame has been waiting for so long.
    pub(crate) fn is_half_for(&self, now: Timestamp, ms: u64) -> bool {
        self.half_since.is_some_and(|since| now >= since.plus_ms(ms))
    }

    /// When half a frame will have been waiting for so long.
    pub(crate) fn half_deadline(&self, ms: u64) -> Option<Timestamp> {
        self.half_since.map(|since| since.plus_ms(ms))
    }
}
