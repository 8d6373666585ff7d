//! Connections of one party to one address: dialling with back-off, and frames out of bytes.

use std::collections::{BTreeMap, BTreeSet};

use scheme::Timestamp;
use wire::frame::{Deframer, Framing};

use crate::limits::{CONNECTIONS_MAX, DIAL_WAIT_MS, MESSAGE_MAX};
use crate::{Action, Address, ConnId};

/// How long to wait between dials, in ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Redial {
    pub(crate) min_ms: u64,
    pub(crate) max_ms: u64,
}

/// The connections of one party.
#[derive(Debug)]
pub(crate) struct Lines {
    address: Address,
    wanted: usize,
    redial: Redial,
    open: BTreeMap<ConnId, Deframer>,
    /// Closed from this side; a `Closed` of one of these is no failed dial.
    closing: BTreeSet<ConnId>,
    /// When each dial without a result yet began.
    dialling: Vec<Timestamp>,
    next_dial: Timestamp,
    wait_ms: u64,
}

/// The peer sent what can't be framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadFrame;

impl Lines {
    pub(crate) fn new(address: Address, wanted: usize, redial: Redial) -> Self {
        Self {
            address,
            wanted: wanted.clamp(1, CONNECTIONS_MAX),
            redial,
            open: BTreeMap::new(),
            closing: BTreeSet::new(),
            dialling: Vec::new(),
            next_dial: Timestamp::default(),
            wait_ms: redial.min_ms,
        }
    }

    /// Takes a new connection; one too many is closed again.
    pub(crate) fn connected(&mut self, conn: ConnId, out: &mut Vec<Action>) -> bool {
        if !self.dialling.is_empty() {
            self.dialling.remove(0);
        }
        if self.open.len() >= self.wanted || self.open.contains_key(&conn) {
            self.hang_up(conn, out);
            return false;
        }
        self.open.insert(conn, Deframer::new(Framing::Be2, MESSAGE_MAX));
        true
    }

    /// A connection or a dial has ended, from whichever side.
    pub(crate) fn closed(&mut self, now: Timestamp, conn: ConnId) {
        if self.closing.remove(&conn) {
            return;
        }
        if self.open.remove(&conn).is_none() && !self.dialling.is_empty() {
            self.dialling.remove(0);
        }
        self.next_dial = now.plus_ms(self.wait_ms);
        self.wait_ms = (2 * self.wait_ms).min(self.redial.max_ms);
    }

    /// Closes from this side.
    pub(crate) fn close(&mut self, now: Timestamp, conn: ConnId, out: &mut Vec<Action>) {
        if self.open.contains_key(&conn) {
            self.closed(now, conn);
            self.hang_up(conn, out);
        }
    }

    fn hang_up(&mut self, conn: ConnId, out: &mut Vec<Action>) {
        out.push(Action::Close { conn });
        self.closing.insert(conn);
        if self.closing.len() > CONNECTIONS_MAX {
            self.closing.pop_first();
        }
    }

    /// The peer does its work: the next cut is dialled again at once.
    pub(crate) fn healthy(&mut self) {
        self.wait_ms = self.redial.min_ms;
    }

    /// Whole frames out of received bytes.
    pub(crate) fn frames(&mut self, conn: ConnId, bytes: &[u8]) -> Result<Vec<Vec<u8>>, BadFrame> {
        let mut frames = Vec::new();
        let Some(deframer) = self.open.get_mut(&conn) else {
            return Ok(frames);
        };
        deframer.push(bytes);
        while let Some(frame) = deframer.next().map_err(|_| BadFrame)? {
            frames.push(frame.to_vec());
        }
        Ok(frames)
    }

    /// Gives up dials without a result and dials what is missing.
    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        self.dialling.retain(|began| now.ms_since(*began) < DIAL_WAIT_MS);
        if now < self.next_dial {
            return;
        }
        while self.open.len() + self.dialling.len() < self.wanted {
            self.dialling.push(now);
            out.push(Action::Dial(self.address));
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let given_up = self.dialling.first().map(|at| at.plus_ms(DIAL_WAIT_MS));
        let missing = self.open.len() + self.dialling.len() < self.wanted;
        let dial = missing.then_some(self.next_dial);
        given_up.into_iter().chain(dial).min()
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.open.keys().copied()
    }

    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.open.contains_key(&conn)
    }
}
