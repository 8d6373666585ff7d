//! `SimLink`: the nation's cables. Connections carry bytes in order, cut anywhere; links between
//! two machines clog, go silent one way, are cut, refuse; frames of banks and terminals pass a
//! [`Middlebox`] that loses, doubles and delays them.
//!
//! How things flow: [`Net::send`] and [`Net::dial`] put [`Wake`]s into a list for the schedule; a
//! wake that comes back gives what a machine is to be told.
//! Deliberately absent: loss on trunks. A trunk is one stream whose own protocol resends, so only
//! cuts, clogs and silence reach it.

mod middlebox;

use std::collections::{BTreeMap, BTreeSet};

use wire::frame::{Deframer, Framing, write_frame};

use crate::dice::Dice;
use crate::limits::FRAME_MAX;
use crate::scenario::{LinkId, Place, Way};
pub(crate) use middlebox::{CHIP, Middlebox, PIN_BLOCK, Passed, TRACK_TAIL};

/// One end of a connection: the number that its machine knows it by.
pub(crate) type End = u64;

/// What comes back to the net at its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// A dial reaches the other machine.
    Knock(u64),
    /// The dialler learns that it went through.
    Through(u64),
    /// The dialler learns that it did not.
    Failed(u64),
    /// Something reaches this end.
    Arrive(End),
}

/// What a machine is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// A call is to be taken, with [`Net::accept`], or not.
    Knocks { end: End, from: Place },
    /// A call went through.
    Dialled,
    /// A call failed.
    DialFailed,
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The connection is gone.
    Closed,
}

/// Whom to tell what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Telling {
    pub(crate) place: Place,
    pub(crate) life: u32,
    pub(crate) end: End,
    pub(crate) told: Told,
}

/// Wakes for the schedule, with their times.
pub(crate) type Wakes = Vec<(u64, Wake)>;

/// How long things take on every link, ns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Latency {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The dial is under way.
    Waiting,
    Open,
    Closed,
}

/// Whether a connection carries nothing any more, without its ends knowing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lost {
    No,
    /// The other machine has forgotten it and resets it when it is up again.
    Forgotten,
    /// The cable has; nobody says so.
    Silent,
}

#[derive(Debug)]
enum Parcel {
    Bytes(Vec<u8>),
    Gone,
}

#[derive(Debug)]
struct Side {
    place: Place,
    life: u32,
    state: State,
    /// On the way to this side, by time.
    inbound: BTreeMap<(u64, u64), Parcel>,
    /// Nothing sent later and in order arrives here before this.
    arrived_by: u64,
    /// What this side has sent and is no whole frame yet.
    outbound: Deframer,
}

#[derive(Debug)]
struct Conn {
    link: LinkId,
    sides: [Side; 2],
    lost: Lost,
}

#[derive(Debug, Default)]
struct Link {
    /// Towards the dialled machine, and back.
    blocked: [u32; 2],
    held: Vec<Wake>,
    refused: u32,
    slow: u64,
    boxed: Option<Middlebox>,
}

/// All cables and connections.
#[derive(Debug)]
pub(crate) struct Net {
    dice: Dice,
    latency: Latency,
    dial_wait: u64,
    links: BTreeMap<LinkId, Link>,
    conns: BTreeMap<u64, Conn>,
    up: BTreeSet<Place>,
    next: u64,
    sequence: u64,
    /// What has happened, by name.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

const fn number(end: End) -> u64 {
    end >> 1
}

const fn side(end: End) -> usize {
    (end & 1) as usize
}

impl Net {
    /// `dial_wait`: how long a dial into silence takes to fail, ns.
    pub(crate) fn new(dice: Dice, latency: Latency, dial_wait: u64) -> Self {
        Self {
            dice,
            latency,
            dial_wait,
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            up: BTreeSet::new(),
            next: 0,
            sequence: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Lays a cable; with a middlebox, frames pass one by one.
    pub(crate) fn lay(&mut self, link: LinkId, boxed: Option<Middlebox>) {
        self.links.insert(link, Link { boxed, slow: 1, ..Link::default() });
    }

    /// All middleboxes.
    pub(crate) fn middleboxes(&mut self) -> impl Iterator<Item = &mut Middlebox> {
        self.links.values_mut().filter_map(|link| link.boxed.as_mut())
    }

    /// A machine runs.
    pub(crate) fn power_on(&mut self, place: Place) {
        self.up.insert(place);
    }

    /// A machine stops. Politely: its system closes its connections. Else nobody hears of it until
    /// somebody sends.
    pub(crate) fn power_off(&mut self, now: u64, place: Place, politely: bool, wakes: &mut Wakes) {
        self.up.remove(&place);
        let mut goodbyes = Vec::new();
        for (number, conn) in &mut self.conns {
            for at in 0..2 {
                if conn.sides[at].place != place || conn.sides[at].state == State::Closed {
                    continue;
                }
                conn.sides[at].state = State::Closed;
                conn.sides[at].inbound.clear();
                match (politely, conn.lost) {
                    (true, Lost::No) => goodbyes.push(2 * number + (1 - at as u64)),
                    (false, Lost::No) => conn.lost = Lost::Forgotten,
                    (_, Lost::Forgotten | Lost::Silent) => {}
                }
            }
        }
        for end in goodbyes {
            self.put(now, end, Parcel::Gone, wakes);
        }
        self.sweep();
    }

    /// Dials. The connection's number is known at once; whether it comes to be, later.
    pub(crate) fn dial(&mut self, now: u64, link: LinkId, lives: u32, wakes: &mut Wakes) -> End {
        let number = self.next;
        self.next += 1;
        let side = |place, life| Side {
            place,
            life,
            state: State::Waiting,
            inbound: BTreeMap::new(),
            arrived_by: 0,
            outbound: Deframer::new(Framing::Be2, FRAME_MAX),
        };
        let sides = [side(link.from, lives), side(link.to, 0)];
        self.conns.insert(number, Conn { link, sides, lost: Lost::No });
        let takes = self.takes(link);
        wakes.push((now + takes, Wake::Knock(number)));
        2 * number
    }

    /// Takes a call.
    pub(crate) fn accept(&mut self, now: u64, end: End, life: u32, wakes: &mut Wakes) {
        let Some(link) = self.conns.get(&number(end)).map(|conn| conn.link) else { return };
        let through = now + self.takes(link);
        if let Some(conn) = self.conns.get_mut(&number(end)) {
            conn.sides[1].state = State::Open;
            conn.sides[1].life = life;
            // The accepting side may speak at once; it is not heard before the dial is through.
            conn.sides[0].arrived_by = through;
            wakes.push((through, Wake::Through(number(end))));
        }
    }

    /// Refuses a call.
    pub(crate) fn refuse(&mut self, now: u64, end: End, wakes: &mut Wakes) {
        let Some(link) = self.conns.get(&number(end)).map(|conn| conn.link) else { return };
        wakes.push((now + self.takes(link), Wake::Failed(number(end))));
    }

    /// Sends bytes from this end.
    pub(crate) fn send(&mut self, now: u64, end: End, bytes: &[u8], wakes: &mut Wakes) {
        let Some(conn) = self.conns.get_mut(&number(end)) else { return };
        if conn.sides[side(end)].state != State::Open {
            return;
        }
        let (link, other) = (conn.link, conn.sides[1 - side(end)].place);
        match conn.lost {
            Lost::No => {}
            Lost::Forgotten if self.up.contains(&other) => {
                return self.put(now, end, Parcel::Gone, wakes);
            }
            Lost::Forgotten | Lost::Silent => return,
        }
        if self.links.get(&link).is_some_and(|link| link.boxed.is_some()) {
            self.send_frames(now, end, link, bytes, wakes);
        } else {
            for piece in self.pieces(bytes) {
                self.put(now, end ^ 1, Parcel::Bytes(piece), wakes);
            }
        }
    }

    /// A machine closes its end. It hears of it, as from its own system, and so does the other.
    pub(crate) fn close(&mut self, now: u64, end: End, wakes: &mut Wakes) -> bool {
        let Some(conn) = self.conns.get_mut(&number(end)) else { return false };
        let this = &mut conn.sides[side(end)];
        if this.state != State::Open {
            return false;
        }
        this.state = State::Closed;
        this.inbound.clear();
        if conn.lost == Lost::No {
            self.put(now, end ^ 1, Parcel::Gone, wakes);
        }
        self.sweep();
        true
    }

    /// What a wake means now.
    pub(crate) fn wake(&mut self, now: u64, wake: Wake, wakes: &mut Wakes) -> Option<Telling> {
        match wake {
            Wake::Knock(number) => self.knock(now, number, wakes),
            Wake::Through(number) => {
                let side = &mut self.conns.get_mut(&number)?.sides[0];
                if side.state != State::Waiting {
                    return None;
                }
                side.state = State::Open;
                Some(side.telling(2 * number, Told::Dialled))
            }
            Wake::Failed(number) => {
                let conn = self.conns.remove(&number)?;
                let side = &conn.sides[0];
                let waits = side.state == State::Waiting;
                waits.then(|| side.telling(2 * number, Told::DialFailed))
            }
            Wake::Arrive(end) => self.arrive(wake, end),
        }
    }

    /// Whom a wake concerns.
    pub(crate) fn target(&self, wake: Wake) -> Option<Place> {
        let (number, at) = match wake {
            Wake::Knock(number) => (number, 1),
            Wake::Through(number) | Wake::Failed(number) => (number, 0),
            Wake::Arrive(end) => (number(end), side(end)),
        };
        Some(self.conns.get(&number)?.sides[at].place)
    }

    fn knock(&mut self, now: u64, number: u64, wakes: &mut Wakes) -> Option<Telling> {
        let conn = self.conns.get(&number)?;
        let link = self.links.get(&conn.link)?;
        if link.blocked != [0, 0] {
            *self.counts.entry("dial into silence").or_default() += 1;
            wakes.push((now + self.dial_wait, Wake::Failed(number)));
            return None;
        }
        let to = &conn.sides[1];
        if link.refused > 0 || !self.up.contains(&to.place) {
            *self.counts.entry("dial refused").or_default() += 1;
            let back = now + self.latency.min;
            wakes.push((back, Wake::Failed(number)));
            return None;
        }
        let end = 2 * number + 1;
        Some(to.telling(end, Told::Knocks { end, from: conn.link.from }))
    }

    fn arrive(&mut self, wake: Wake, end: End) -> Option<Telling> {
        let conn = self.conns.get_mut(&number(end))?;
        let link = self.links.get_mut(&conn.link)?;
        // Way 0 leads to side 1. A cut connection has nothing on the way but the word of its end,
        // which comes from the system's own timers.
        if link.blocked[1 - side(end)] > 0 && conn.lost != Lost::Silent {
            link.held.push(wake);
            return None;
        }
        let this = &mut conn.sides[side(end)];
        let (_, parcel) = this.inbound.pop_first()?;
        if this.state != State::Open {
            return None;
        }
        let told = match parcel {
            Parcel::Bytes(bytes) => Told::Bytes(bytes),
            Parcel::Gone => {
                this.state = State::Closed;
                this.inbound.clear();
                Told::Closed
            }
        };
        let telling = this.telling(end, told);
        self.sweep_one(number(end));
        Some(telling)
    }

    /// Silence on a link, one way or both; what is sent waits.
    pub(crate) fn block(&mut self, link: LinkId, way: Way) {
        if let Some(link) = self.links.get_mut(&link) {
            for at in way.indices() {
                link.blocked[*at] += 1;
            }
        }
    }

    /// The end of one `block`: what waited comes, in order.
    pub(crate) fn unblock(&mut self, now: u64, link: LinkId, way: Way, wakes: &mut Wakes) {
        if let Some(link) = self.links.get_mut(&link) {
            for at in way.indices() {
                link.blocked[*at] = link.blocked[*at].saturating_sub(1);
            }
            // Those of the other way are held again.
            wakes.extend(link.held.drain(..).map(|wake| (now, wake)));
        }
    }

    /// Cuts all connections of a link. What is on the way is lost. Each end learns of it soon, or
    /// not at all.
    pub(crate) fn cut(&mut self, now: u64, link: LinkId, half_open: bool, wakes: &mut Wakes) {
        let mut told = Vec::new();
        for (number, conn) in &mut self.conns {
            if conn.link != link || conn.sides[1].state == State::Waiting {
                continue;
            }
            conn.lost = Lost::Silent;
            for at in 0..2 {
                conn.sides[at].inbound.clear();
                let hears = !half_open || self.dice.per_mille(300);
                if hears && conn.sides[at].state == State::Open {
                    told.push(2 * number + at as u64);
                }
            }
        }
        for end in told {
            self.put(now, end, Parcel::Gone, wakes);
        }
    }

    /// Calls on this link are refused, or no longer.
    pub(crate) fn refuse_calls(&mut self, link: LinkId, refuse: bool) {
        if let Some(link) = self.links.get_mut(&link) {
            let now = link.refused;
            link.refused = if refuse { now + 1 } else { now.saturating_sub(1) };
        }
    }

    /// Everything on this link takes so many times as long.
    pub(crate) fn slow(&mut self, link: LinkId, factor: u64) {
        if let Some(link) = self.links.get_mut(&link) {
            link.slow = factor.max(1);
        }
    }

    /// The end of all faults: links are as new, and ends of lost connections learn of it.
    pub(crate) fn heal(&mut self, now: u64, wakes: &mut Wakes) {
        for link in self.links.values_mut() {
            link.blocked = [0, 0];
            link.refused = 0;
            link.slow = 1;
            wakes.extend(link.held.drain(..).map(|wake| (now, wake)));
            if let Some(middlebox) = &mut link.boxed {
                middlebox.calm();
            }
        }
        let lost = self.conns.iter().filter(|(_, conn)| conn.lost != Lost::No);
        let ends = lost.flat_map(|(number, conn)| {
            let open = |at: &u64| conn.sides[side(*at)].state == State::Open;
            [2 * number, 2 * number + 1].into_iter().filter(open).collect::<Vec<_>>()
        });
        for end in ends.collect::<Vec<_>>() {
            self.put(now, end, Parcel::Gone, wakes);
        }
    }

    fn send_frames(&mut self, now: u64, end: End, link: LinkId, bytes: &[u8], wakes: &mut Wakes) {
        let Some(conn) = self.conns.get_mut(&number(end)) else { return };
        let deframer = &mut conn.sides[side(end)].outbound;
        deframer.push(bytes);
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = deframer.next() {
            frames.push(frame.to_vec());
        }
        let (mut prompt, mut tardy, mut back) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(middlebox) = self.links.get_mut(&link).and_then(|link| link.boxed.as_mut()) {
            for frame in &frames {
                for passed in middlebox.pass(&mut self.dice, side(end) == 0, frame) {
                    // What was a frame is one.
                    let fits = |payload: &[u8], out: &mut Vec<u8>| {
                        let _ = write_frame(Framing::Be2, payload, out);
                    };
                    match passed {
                        Passed::On(payload) => fits(&payload, &mut prompt),
                        Passed::Later(delay, payload) => {
                            let mut framed = Vec::new();
                            fits(&payload, &mut framed);
                            tardy.push((delay, framed));
                        }
                        Passed::Back(payload) => fits(&payload, &mut back),
                    }
                }
            }
        }
        self.put_whole(now, end ^ 1, prompt, wakes);
        self.put_whole(now, end, back, wakes);
        for (delay, framed) in tardy {
            let at = now + delay + self.takes(link);
            self.put_at(at, end ^ 1, Parcel::Bytes(framed), wakes);
        }
    }

    /// Whole frames, in pieces that nothing can come between.
    fn put_whole(&mut self, now: u64, end: End, bytes: Vec<u8>, wakes: &mut Wakes) {
        if bytes.is_empty() {
            return;
        }
        let Some(at) = self.arrival(now, end) else { return };
        for piece in self.pieces(&bytes) {
            self.put_at(at, end, Parcel::Bytes(piece), wakes);
        }
    }

    fn put(&mut self, now: u64, end: End, parcel: Parcel, wakes: &mut Wakes) {
        if let Some(at) = self.arrival(now, end) {
            self.put_at(at, end, parcel, wakes);
        }
    }

    fn put_at(&mut self, at: u64, end: End, parcel: Parcel, wakes: &mut Wakes) {
        self.sequence += 1;
        let key = (at, self.sequence);
        if let Some(conn) = self.conns.get_mut(&number(end)) {
            conn.sides[side(end)].inbound.insert(key, parcel);
            wakes.push((at, Wake::Arrive(end)));
        }
    }

    /// When what is sent now in order arrives at this end.
    fn arrival(&mut self, now: u64, end: End) -> Option<u64> {
        let link = self.conns.get(&number(end))?.link;
        let at = now + self.takes(link);
        let to = &mut self.conns.get_mut(&number(end))?.sides[side(end)];
        to.arrived_by = to.arrived_by.max(at);
        Some(to.arrived_by)
    }

    fn takes(&mut self, link: LinkId) -> u64 {
        let slow = self.links.get(&link).map_or(1, |link| link.slow);
        self.dice.between(self.latency.min, self.latency.max).saturating_mul(slow)
    }

    /// Bytes as they might come out of a socket: often whole, else cut anywhere.
    fn pieces(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = bytes;
        let mut pieces = Vec::new();
        while rest.len() > 1 && pieces.len() < 4 && self.dice.per_mille(150) {
            let (piece, more) = rest.split_at(1 + self.dice.below(rest.len() - 1));
            pieces.push(piece.to_vec());
            rest = more;
        }
        pieces.push(rest.to_vec());
        pieces
    }

    fn sweep(&mut self) {
        self.conns.retain(|_, conn| !conn.over());
    }

    fn sweep_one(&mut self, number: u64) {
        if self.conns.get(&number).is_some_and(Conn::over) {
            self.conns.remove(&number);
        }
    }
}

impl Conn {
    fn over(&self) -> bool {
        self.sides.iter().all(|side| side.state == State::Closed)
    }
}

impl Side {
    fn telling(&self, end: End, told: Told) -> Telling {
        Telling { place: self.place, life: self.life, end, told }
    }
}

#[cfg(test)]
mod tests;
