//! One connection that speaks ISO 8583, as either role keeps it: its session, and since when it
//! has been silent or in the middle of a frame.

use interchange::{Incoming, Session};
use keys::LinkMac;
use scheme::Timestamp;
use wire::iso8583::Dialect;

use crate::identity::PeerName;

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) session: Session,
    pub(crate) last_heard: Timestamp,
    half_since: Option<Timestamp>,
    /// Whom its certificate names; none on a plain door.
    pub(crate) identity: Option<PeerName>,
}

impl Line {
    /// A connection on which any of these dialects may be spoken.
    pub(crate) fn new<'n>(
        dialects: impl IntoIterator<Item = &'n str>,
        waiting_max: usize,
        now: Timestamp,
    ) -> Self {
        let dialects = dialects.into_iter().filter_map(Dialect::builtin).collect();
        let session = Session::new(dialects, waiting_max);
        Self { session, last_heard: now, half_since: None, identity: None }
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

    /// The next thing that they say. A whole frame ends whatever half had been waiting.
    pub(crate) fn take(&mut self) -> Option<Incoming> {
        let incoming = self.session.take();
        if incoming.is_some() {
            self.half_since = None;
        }
        incoming
    }

    /// After everything was taken: since when half a frame has been waiting, if one is.
    pub(crate) fn half(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.session.is_half_read() {
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
