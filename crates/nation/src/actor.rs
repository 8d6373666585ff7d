//! What runs on a machine: a role of the switch, a bank's host or a shop, behind one face. Nothing
//! is decided here; `host` and `parties` are what `node` runs too.

use host::booking::{Booked, Booking};
use host::history::Ask;
use host::view::{Query, Reply};
use host::{Clocks, Door, Event, Host, LogLine, Peer, PeerName};
use journal::Batch;
use parties::{Address, BankHost, ConnId, Shop};
use switch::history::Indexed;
use switch::hub::Kept;

use crate::clock::MachineClock;
use crate::net::End;
use crate::scenario::Place;

/// What runs.
#[derive(Debug)]
pub(crate) enum Actor {
    Role(Box<Host>),
    Bank(Box<BankHost>),
    Shop(Box<Shop>),
}

/// What happened.
#[derive(Debug)]
pub(crate) enum In<'a> {
    Started,
    Accepted { end: End, from: Place, identity: Option<PeerName> },
    Dialled { end: End, identity: Option<PeerName> },
    DialFailed { end: End },
    Bytes { end: End, bytes: &'a [u8] },
    Closed { end: End },
    Committed { batch: Batch, room_ahead: bool },
    DiskFailed { what: String },
    Query { ticket: u64, query: Query },
    Found { number: u64, found: Result<Vec<Kept>, String> },
    Booked { number: u64, booked: Booked },
    Indexed(Indexed),
    Timeout,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Out {
    Dial,
    Send { end: End, bytes: Vec<u8> },
    Close { end: End },
    Commit(Batch),
    Snapshot { record: u64, body: Vec<u8> },
    Find(Ask),
    Book { number: u64, booking: Booking },
    Stopped,
    Reply { ticket: u64, reply: Reply },
    Log(LogLine),
    Halt(String),
}

impl Actor {
    pub(crate) fn handle(&mut self, clock: &MachineClock, now: u64, event: In<'_>) -> Vec<Out> {
        match self {
            Self::Role(host) => role(host, clock.read(now), event),
            Self::Bank(_) | Self::Shop(_) => self.party(clock, now, &event),
        }
    }

    fn party(&mut self, clock: &MachineClock, now: u64, event: &In<'_>) -> Vec<Out> {
        let wall = clock.read(now).wall;
        let conn = |end: &End| ConnId(*end);
        let event = match event {
            In::Dialled { end, .. } => parties::Event::Connected { conn: conn(end) },
            In::DialFailed { end } | In::Closed { end } => {
                parties::Event::Closed { conn: conn(end) }
            }
            In::Bytes { end, bytes } => parties::Event::Received { conn: conn(end), bytes },
            In::Committed { .. } => parties::Event::Committed,
            In::DiskFailed { .. } => parties::Event::DiskFailed,
            In::Started | In::Timeout => parties::Event::Timeout,
            // Nobody calls a party, and a party's book is read, not asked for.
            In::Accepted { .. }
            | In::Query { .. }
            | In::Found { .. }
            | In::Booked { .. }
            | In::Indexed(_) => {
                return Vec::new();
            }
        };
        let mut actions = Vec::new();
        match self {
            Self::Bank(bank) => bank.handle(wall, event, &mut actions),
            Self::Shop(shop) => shop.handle(wall, event, &mut actions),
            Self::Role(_) => {}
        }
        let mut outs: Vec<Out> = actions.into_iter().map(of_party).collect();
        if matches!(self, Self::Bank(bank) if bank.is_halted()) {
            outs.push(Out::Halt("the bank's disk failed".to_owned()));
        }
        outs
    }

    /// When the next timeout is due, ns since the nation began.
    pub(crate) fn next_timeout(&self, clock: &MachineClock) -> Option<u64> {
        match self {
            Self::Role(host) => host.next_timeout().map(|boot| clock.of_boot(boot)),
            Self::Bank(bank) => bank.next_timeout().map(|wall| clock.of_wall(wall)),
            Self::Shop(shop) => shop.next_timeout().map(|wall| clock.of_wall(wall)),
        }
    }
}

fn role(host: &mut Host, clocks: Clocks, event: In<'_>) -> Vec<Out> {
    let event = match event {
        In::Started => Event::Started,
        In::Accepted { end, from, identity } => {
            Event::Accepted { conn: end, door: door(from), identity }
        }
        In::Dialled { end, identity } => {
            Event::Dialled { conn: end, peer: Peer::HubTrunk, identity }
        }
        In::DialFailed { .. } => Event::DialFailed { peer: Peer::HubTrunk },
        In::Bytes { end, bytes } => Event::Received { conn: end, bytes },
        In::Closed { end } => Event::Closed { conn: end },
        In::Committed { batch, room_ahead } => Event::Committed { batch, room_ahead },
        In::DiskFailed { what } => Event::DiskFailed { what },
        In::Query { ticket, query } => Event::Query { ticket, query },
        In::Found { number, found } => Event::Found { number, found },
        In::Booked { number, booked } => Event::Booked { number, booked },
        In::Indexed(indexed) => Event::Indexed(indexed),
        In::Timeout => Event::Timeout,
    };
    let mut actions = Vec::new();
    host.handle(clocks, event, &mut actions);
    host.end_turn(&mut actions);
    actions.into_iter().filter_map(of_role).collect()
}

/// The door through which this machine comes.
fn door(from: Place) -> Door {
    match from {
        Place::Bank(_) => Door::Banks,
        Place::Station(_) | Place::Hub => Door::Trunk,
        Place::Shop(_) => Door::Terminals,
    }
}

fn of_role(action: host::Action) -> Option<Out> {
    use host::Action;
    Some(match action {
        // What a cable brings is here at once: a role that does not listen keeps it itself.
        Action::Listen { .. } => return None,
        Action::Dial(Peer::HubTrunk) => Out::Dial,
        Action::Send { conn, bytes } => Out::Send { end: conn, bytes },
        Action::Close { conn, why: _ } => Out::Close { end: conn },
        Action::Commit(batch) => Out::Commit(batch),
        Action::Snapshot { record, body } => Out::Snapshot { record, body },
        Action::Find(ask) => Out::Find(ask),
        Action::Book { number, booking } => Out::Book { number, booking },
        Action::Stopped => Out::Stopped,
        Action::Reply { ticket, reply } => Out::Reply { ticket, reply: *reply },
        Action::Log(line) => Out::Log(line),
        Action::Halt { what } => Out::Halt(what),
    })
}

fn of_party(action: parties::Action) -> Out {
    use parties::Action;
    match action {
        Action::Dial(Address::Hub | Address::Station(_)) => Out::Dial,
        Action::Send { conn, bytes } => Out::Send { end: conn.0, bytes },
        Action::Close { conn } => Out::Close { end: conn.0 },
        Action::Commit(batch) => Out::Commit(batch),
    }
}
