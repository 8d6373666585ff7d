//! One side of a trunk, over however many connections it takes.
//!
//! Frames that must arrive are numbered since this side's start and kept until the other side has
//! acknowledged them; after a new connection they are sent again, and the receiver drops what it
//! has heard. A side that has restarted says so by a new start number: the other then knows that
//! everything under way is forgotten there. A side sends only within the other's credit.

use std::collections::{BTreeMap, VecDeque};

use scheme::{StationId, Timestamp};
use switch::station::TrunkState;

use super::payload::{Heartbeat, Hello, StationStatus};
use super::{Frame, Kind, TrunkError};
use crate::limits::{HEARTBEATS_REMEMBERED, TRUNK_CREDIT, TRUNK_UNACKNOWLEDGED_MAX};

/// Delays of a trunk (R-TIME).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkTimers {
    /// Between heartbeats.
    pub heartbeat_ms: u64,
    /// Silence after which the trunk is suspect.
    pub suspect_ms: u64,
    /// Silence after which it is cut.
    pub cut_ms: u64,
}

/// What a received frame means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// The other side has introduced itself. `renewed`: it has restarted since we last spoke.
    Hello {
        /// Who it is; 0 for the hub.
        station: StationId,
        /// Whether it has forgotten what was under way.
        renewed: bool,
    },
    /// How the other side is, in its own judgement.
    Status(StationStatus),
    /// A frame to act on; say [`Link::done`] with its number when what it decided is durable.
    Deliver {
        /// Its number.
        sequence: u64,
        /// What it is about.
        kind: Kind,
        /// The rest.
        payload: Vec<u8>,
    },
}

/// A frame that no connection has been given yet, and that has no number yet.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: u64,
    kind: Kind,
    payload: Vec<u8>,
}

/// Where a frame is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Waiting(u64),
    Numbered(u64),
}

/// A numbered frame that the other side has not acknowledged.
#[derive(Clone, Debug)]
struct Outgoing {
    sequence: u64,
    ticket: u64,
    kind: Kind,
    payload: Vec<u8>,
}

impl Outgoing {
    /// Leaves nothing but the number.
    fn empty(&mut self) {
        self.kind = Kind::Withdraw;
        self.payload.clear();
    }
}

/// One side of a trunk.
#[derive(Debug)]
pub struct Link {
    station: StationId,
    start: u64,
    epoch: u64,
    timers: LinkTimers,
    peer_start: Option<u64>,
    connected: bool,
    greeted: bool,
    inbox: Vec<u8>,
    outgoing: VecDeque<Outgoing>,
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    arrivals: u64,
    /// Where the frame of a ticket is.
    places: BTreeMap<u64, Place>,
    next: u64,
    /// The last frame handed to the present connection.
    sent: u64,
    credit: u64,
    heard: u64,
    done: u64,
    /// What was done when the other side was last told its credit. Numbered frames carry what is
    /// done and no credit.
    told: u64,
    count: u64,
    peer_count: u64,
    heartbeat_at: Timestamp,
    sent_counts: VecDeque<(u64, Timestamp)>,
    last_heard: Option<Timestamp>,
    last_confirmed: Option<Timestamp>,
}

impl Link {
    /// A side that has just started. `station` is who speaks: 0 for the hub. `start` is new at
    /// every start of the process.
    pub fn new(station: StationId, start: u64, epoch: u64, timers: LinkTimers) -> Self {
        Self {
            station,
            start,
            epoch,
            timers,
            peer_start: None,
            connected: false,
            greeted: false,
            inbox: Vec::new(),
            outgoing: VecDeque::new(),
            waiting: BTreeMap::new(),
            arrivals: 0,
            places: BTreeMap::new(),
            next: 1,
            sent: 0,
            credit: 0,
            heard: 0,
            done: 0,
            told: 0,
            count: 0,
            peer_count: 0,
            heartbeat_at: Timestamp::default(),
            sent_counts: VecDeque::new(),
            last_heard: None,
            last_confirmed: None,
        }
    }

    /// Time begins: silence counts from here, so that a side that has just started is suspect at
    /// first, and cut only when nobody was heard for the whole time.
    pub fn begin(&mut self, now: Timestamp) {
        self.last_heard = Some(now);
        self.last_confirmed = Some(now);
    }

    /// A connection is there: introduces this side.
    pub fn connect(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        self.connected = true;
        self.greeted = false;
        self.inbox.clear();
        self.sent_counts.clear();
        let first = self.outgoing.front().map_or(self.next, |frame| frame.sequence);
        let hello = Hello {
            station: self.station,
            start: self.start,
            heard_start: self.peer_start.unwrap_or(0),
            heard: self.heard,
            next: first,
            credit: self.done.saturating_add(TRUNK_CREDIT),
        };
        self.write(Kind::Hello, 0, hello.write(), out);
        self.heartbeat_at = now;
    }

    /// The connection is gone. Not yet a cut.
    pub fn disconnect(&mut self) {
        self.connected = false;
        self.greeted = false;
        self.inbox.clear();
    }

    /// Whether both sides have introduced themselves on the present connection.
    pub fn is_greeted(&self) -> bool {
        self.connected && self.greeted
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// The next event in what was pushed; an error is final for the connection.
    pub fn next(&mut self, now: Timestamp) -> Result<Option<LinkEvent>, TrunkError> {
        while let Some((frame, length)) = Frame::read(&self.inbox)? {
            self.inbox.drain(..length);
            if let Some(frame) = frame
                && let Some(event) = self.receive(now, frame)?
            {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn receive(&mut self, now: Timestamp, frame: Frame) -> Result<Option<LinkEvent>, TrunkError> {
        // A station takes the epoch from the hub, and a newer one for ever; a hub has its own. A
        // station that has only just started does not know it yet.
        let hub = self.station.0 == 0;
        let unknown = hub && frame.kind == Kind::Hello && frame.epoch < self.epoch;
        let stale = frame.epoch < self.epoch && !unknown;
        if stale || (hub && frame.epoch > self.epoch) {
            return Err(TrunkError::Epoch { theirs: frame.epoch, ours: self.epoch });
        }
        self.epoch = self.epoch.max(frame.epoch);
        if frame.kind == Kind::Hello {
            let hello = Hello::read(&frame.payload)?;
            self.last_heard = Some(now);
            return Ok(Some(self.hello(now, hello)));
        }
        if !self.greeted {
            return Err(TrunkError::NoHello);
        }
        self.last_heard = Some(now);
        self.acknowledged(frame.acknowledged);
        match frame.kind {
            Kind::Hello => Ok(None),
            Kind::Heartbeat | Kind::Acknowledge => {
                let heartbeat = Heartbeat::read(&frame.payload)?;
                self.credit = self.credit.max(heartbeat.credit);
                self.peer_count = self.peer_count.max(heartbeat.count);
                self.confirm(heartbeat.heard);
                Ok(None)
            }
            Kind::StationStatus => {
                Ok(Some(LinkEvent::Status(StationStatus::read(&frame.payload)?)))
            }
            Kind::Request | Kind::Answer | Kind::Reversal | Kind::Withdraw => {
                if frame.sequence <= self.heard {
                    return Ok(None);
                }
                let expected = self.heard.saturating_add(1);
                if frame.sequence != expected {
                    return Err(TrunkError::Gap { expected, found: frame.sequence });
                }
                if frame.sequence > self.done.saturating_add(TRUNK_CREDIT) {
                    return Err(TrunkError::Credit);
                }
                self.heard = frame.sequence;
                let (sequence, kind, payload) = (frame.sequence, frame.kind, frame.payload);
                Ok(Some(LinkEvent::Deliver { sequence, kind, payload }))
            }
        }
    }

    fn hello(&mut self, now: Timestamp, hello: Hello) -> LinkEvent {
        self.greeted = true;
        self.last_confirmed = Some(now);
        let renewed = self.peer_start.is_some_and(|known| known != hello.start);
        if self.peer_start != Some(hello.start) {
            self.peer_start = Some(hello.start);
            self.heard = hello.next.saturating_sub(1);
            self.done = self.heard;
            self.told = self.heard;
            self.peer_count = 0;
            if renewed {
                // It has forgotten who waited: the machine asks again what still matters. The
                // numbers stay, because our hello has named the first of them.
                for frame in &mut self.outgoing {
                    frame.empty();
                }
                self.waiting.clear();
                self.places.clear();
            }
        }
        if hello.heard_start == self.start {
            self.acknowledged(hello.heard);
        }
        // One that counts the frames of a start of ours before this one says nothing. The other
        // side will have a true one in its first heartbeat, once it has heard our hello.
        let ours = hello.heard_start == self.start || hello.heard_start == 0;
        self.credit = if ours { hello.credit } else { 0 };
        self.sent =
            self.outgoing.front().map_or(self.next, |frame| frame.sequence).saturating_sub(1);
        LinkEvent::Hello { station: hello.station, renewed }
    }

    fn acknowledged(&mut self, sequence: u64) {
        while self.outgoing.front().is_some_and(|frame| frame.sequence <= sequence) {
            if let Some(gone) = self.outgoing.pop_front()
                && self.places.get(&gone.ticket) == Some(&Place::Numbered(gone.sequence))
            {
                self.places.remove(&gone.ticket);
            }
        }
    }

    fn confirm(&mut self, count: u64) {
        while let Some((sent, at)) = self.sent_counts.front().copied() {
            if sent > count {
                return;
            }
            self.sent_counts.pop_front();
            self.last_confirmed = self.last_confirmed.max(Some(at));
        }
    }

    /// Takes a frame for sending. `false` when too many wait: the machine's own limits are lower,
    /// so that this is a peer that does not listen.
    #[must_use]
    pub fn send(&mut self, kind: Kind, ticket: u64, payload: Vec<u8>) -> bool {
        let room = self.unacknowledged() < TRUNK_UNACKNOWLEDGED_MAX;
        if room {
            self.waiting.insert(self.arrivals, Waiting { ticket, kind, payload });
            self.places.insert(ticket, Place::Waiting(self.arrivals));
            self.arrivals = self.arrivals.saturating_add(1);
        }
        room
    }

    /// Nobody waits for this any more. Once it has a number, that stays.
    pub fn withdraw(&mut self, ticket: u64) {
        match self.places.remove(&ticket) {
            Some(Place::Waiting(arrival)) => drop(self.waiting.remove(&arrival)),
            Some(Place::Numbered(sequence)) => {
                let first = self.outgoing.front().map_or(sequence, |frame| frame.sequence);
                // Numbers are without gaps from the first that is not acknowledged.
                let at = usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX);
                if let Some(frame) = self.outgoing.get_mut(at) {
                    frame.empty();
                }
            }
            None => {}
        }
    }

    /// What this frame of the other side decided is durable.
    pub fn done(&mut self, sequence: u64) {
        self.done = self.done.max(sequence);
    }

    /// Appends everything that may go now: frames within credit, a heartbeat that is due, new
    /// credit once a quarter of the last is used up.
    pub fn flush(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        if !self.is_greeted() {
            return;
        }
        self.number_what_may_go();
        let oldest = self.outgoing.front().map_or(self.next, |frame| frame.sequence);
        let given = usize::try_from(self.sent.saturating_add(1).saturating_sub(oldest));
        let given = given.unwrap_or(usize::MAX).min(self.outgoing.len());
        let ready = self.outgoing.range(given..).take_while(|frame| frame.sequence <= self.credit);
        let mut sent = self.sent;
        for frame in ready {
            let Outgoing { sequence, kind, payload, .. } = frame;
            Frame {
                kind: *kind,
                epoch: self.epoch,
                sequence: *sequence,
                acknowledged: self.done,
                payload: payload.clone(),
            }
            .write(out);
            sent = *sequence;
        }
        self.sent = sent;
        if now >= self.heartbeat_at {
            self.heartbeat_at = now.plus_ms(self.timers.heartbeat_ms);
            self.count = self.count.saturating_add(1);
            if self.sent_counts.len() >= HEARTBEATS_REMEMBERED {
                self.sent_counts.pop_front();
            }
            self.sent_counts.push_back((self.count, now));
            self.tell(Kind::Heartbeat, out);
        } else if self.done.saturating_sub(self.told) >= TRUNK_CREDIT / 4 {
            self.tell(Kind::Acknowledge, out);
        }
    }

    /// Appends how this side is. Not numbered: the next one replaces it.
    pub fn report(&self, status: &StationStatus, out: &mut Vec<u8>) {
        if self.is_greeted() {
            self.write(Kind::StationStatus, 0, status.write(), out);
        }
    }

    /// Frames get their numbers when the other side's credit lets them go, so that one withdrawn
    /// before leaves nothing behind.
    fn number_what_may_go(&mut self) {
        while self.next <= self.credit {
            let Some((_, Waiting { ticket, kind, payload })) = self.waiting.pop_first() else {
                return;
            };
            let sequence = self.next;
            self.next = sequence.saturating_add(1);
            self.places.insert(ticket, Place::Numbered(sequence));
            self.outgoing.push_back(Outgoing { sequence, ticket, kind, payload });
        }
    }

    fn tell(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let heartbeat = Heartbeat {
            count: self.count,
            heard: self.peer_count,
            credit: self.done.saturating_add(TRUNK_CREDIT),
        };
        self.told = self.done;
        self.write(kind, 0, heartbeat.write(), out);
    }

    fn write(&self, kind: Kind, sequence: u64, payload: Vec<u8>, out: &mut Vec<u8>) {
        let (epoch, acknowledged) = (self.epoch, self.done);
        Frame { kind, epoch, sequence, acknowledged, payload }.write(out);
    }

    /// How the trunk is: silent is one from which nothing came, or at which nothing of ours
    /// arrives, so that a one-way cut shows too.
    pub fn state(&self, now: Timestamp) -> TrunkState {
        let Some(silent) = self.silent_ms(now) else {
            return TrunkState::Cut;
        };
        match silent {
            ms if ms >= self.timers.cut_ms => TrunkState::Cut,
            ms if ms >= self.timers.suspect_ms || self.peer_start.is_none() => TrunkState::Suspect,
            _ => TrunkState::Up { renewed: false },
        }
    }

    fn silent_ms(&self, now: Timestamp) -> Option<u64> {
        let heard = now.ms_since(self.last_heard?);
        let confirmed = now.ms_since(self.last_confirmed?);
        Some(heard.max(confirmed.saturating_sub(self.timers.heartbeat_ms)))
    }

    /// When the state or a heartbeat will need attention by time alone.
    pub fn next_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let heartbeat = self.is_greeted().then_some(self.heartbeat_at);
        let silent = self.silent_ms(now);
        let state = silent.and_then(|silent| match silent {
            ms if ms < self.timers.suspect_ms => Some(self.timers.suspect_ms.saturating_sub(ms)),
            ms if ms < self.timers.cut_ms => Some(self.timers.cut_ms.saturating_sub(ms)),
            _ => None,
        });
        let state = state.map(|ms| now.plus_ms(ms.max(1)));
        [heartbeat, state].into_iter().flatten().min()
    }

    /// The start number of the other side, once it has introduced itself.
    pub fn peer_start(&self) -> Option<u64> {
        self.peer_start
    }

    /// The epoch in force on this trunk.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Frames that the other side has not acknowledged, sent or not.
    pub fn unacknowledged(&self) -> usize {
        self.outgoing.len().saturating_add(self.waiting.len())
    }
}
