//! One reminder per connection: when it must be looked at next.

use std::collections::{BTreeMap, BTreeSet};

use scheme::Timestamp;

use crate::event::ConnId;

/// Reminders, one for each connection.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    due: BTreeSet<(Timestamp, ConnId)>,
    of: BTreeMap<ConnId, Timestamp>,
}

impl Watch {
    /// Looks at the connection then, and no earlier.
    pub(crate) fn set(&mut self, conn: ConnId, at: Timestamp) {
        self.forget(conn);
        self.of.insert(conn, at);
        self.due.insert((at, conn));
    }

    /// Looks at the connection no later than that.
    pub(crate) fn sooner(&mut self, conn: ConnId, at: Timestamp) {
        if self.of.get(&conn).is_none_or(|known| *known > at) {
            self.set(conn, at);
        }
    }

    pub(crate) fn forget(&mut self, conn: ConnId) {
        if let Some(at) = self.of.remove(&conn) {
            self.due.remove(&(at, conn));
        }
    }

    /// The next connection whose time has come.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<ConnId> {
        let (at, conn) = self.due.first().copied()?;
        if at > now {
            return None;
        }
        self.forget(conn);
        Some(conn)
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}
