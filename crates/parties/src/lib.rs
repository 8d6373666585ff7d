//! The simulated parties of a nation: bank hosts and shops, each with books of its own.
//!
//! What they are: machines without a world, as the hosts of the switch are. Events come in (bytes,
//! closed, committed, timeout), actions go out (dial, send, close, commit); no clock, no socket, no
//! file, and chance only from a seed. `node` drives them as processes, `nation` inside a simulated
//! country.
//! How things flow: a bank decides a request, commits its record, and answers once that is durable;
//! a shop sends, waits, and then repeats, reverses or walks away, and writes down what it saw.
//! What bounds them: [`limits`].
//! Deliberately absent: everything of the switch's own. A bank that shared our mapping or our
//! ledger could not find their bugs; both read and write ISO 8583 field by field, and a bank's
//! balances are plain signed numbers.
#![forbid(unsafe_code)]

pub mod bank;
mod iso;
pub mod limits;
mod line;
mod random;
pub mod shop;
mod till;

pub use bank::BankHost;
pub use shop::Shop;

use std::fmt;

use scheme::StationId;

/// One connection, numbered by whoever drives the party; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// Whom to dial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// The hub's listener for bank hosts.
    Hub,
    /// A station's listener for terminals.
    Station(StationId),
}

/// What happens to a party.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A dial succeeded.
    Connected {
        /// The new connection.
        conn: ConnId,
    },
    /// Bytes came, cut anywhere.
    Received {
        /// On this connection.
        conn: ConnId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A connection is gone; for a number never connected, a dial failed.
    Closed {
        /// The connection.
        conn: ConnId,
    },
    /// The batch in flight is durable.
    Committed,
    /// The disk failed; nothing more will ever become durable.
    DiskFailed,
    /// The time of [`BankHost::next_timeout`] or [`Shop::next_timeout`] has come.
    Timeout,
}

/// What a party wants done.
pub enum Action {
    /// Connect; ends in one `Connected` or one `Closed`.
    Dial(Address),
    /// Send these bytes, after all earlier ones of this connection.
    Send {
        /// On this connection.
        conn: ConnId,
        /// The bytes, framed.
        bytes: Vec<u8>,
    },
    /// Close; a `Closed` may follow or not.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Make this batch durable, then say `Committed`. One is in flight at a time.
    Commit(journal::Batch),
}

impl fmt::Debug for Event<'_> {
    /// Bytes are counted, not shown: there are cards in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { conn } => write!(f, "Connected {}", conn.0),
            Self::Received { conn, bytes } => write!(f, "Received {} {}", conn.0, bytes.len()),
            Self::Closed { conn } => write!(f, "Closed {}", conn.0),
            Self::Committed => f.write_str("Committed"),
            Self::DiskFailed => f.write_str("DiskFailed"),
            Self::Timeout => f.write_str("Timeout"),
        }
    }
}

impl fmt::Debug for Action {
    /// Bytes are counted, not shown: there are cards in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(address) => write!(f, "Dial {address:?}"),
            Self::Send { conn, bytes } => write!(f, "Send {} {}", conn.0, bytes.len()),
            Self::Close { conn } => write!(f, "Close {}", conn.0),
            Self::Commit(batch) => write!(f, "Commit {}", batch.len()),
        }
    }
}
