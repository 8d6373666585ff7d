//! What the event loop drives: a machine without a world, behind one trait. Its implementers are
//! the adapters of [`host::Host`] and of the simulated parties.

use std::net::SocketAddr;

use host::poison::InHand;
use host::view::{Query, Reply};
use host::{Clocks, ConnId, LogLine, PeerName};
use journal::Batch;

use crate::json::{BankBook, ShopTotals};

/// A machine, its bytes and its timers. Run to completion, no callbacks.
pub trait Driven {
    /// Takes one event and appends what is to be done.
    fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>);

    /// Nothing more happens for now: what gathered may go to the disk in one piece.
    fn end_turn(&mut self, _out: &mut Vec<Action>) {}

    /// The memory of the last [`Action::Snapshot`], which is written, for the next.
    fn take_back(&mut self, _memory: Vec<u8>) {}

    /// When [`Event::Timeout`] is due, as CLOCK_BOOTTIME in ns.
    fn next_timeout(&self) -> Option<u64>;

    /// What it is working on, for the shell that must say what it died of.
    fn in_hand(&self) -> Option<InHand> {
        None
    }

    /// Whether the role does its work: links up, signed on. Asked now and then until it is.
    fn is_ready(&mut self, clocks: Clocks, out: &mut Vec<Action>) -> bool;
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The loop runs and the doors are open. Once, first.
    Started,
    /// Somebody came through a door.
    Accepted {
        /// Its number from now on, never used twice.
        conn: ConnId,
        /// The place of the door in the list that the loop was given.
        door: usize,
        /// Who its certificate says it is; none where the door is plain.
        identity: Option<PeerName>,
    },
    /// A call went through.
    Dialled {
        /// Its number from now on.
        conn: ConnId,
        /// The caller's number of the call.
        call: u64,
        /// Who its certificate says it is; none where the call was plain.
        identity: Option<PeerName>,
    },
    /// A call did not go through.
    DialFailed {
        /// The caller's number of the call.
        call: u64,
    },
    /// Bytes came, as the system handed them over.
    Received {
        /// From whom.
        conn: ConnId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The connection is gone, whoever closed it. Nothing comes from it any more.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// The batch in flight is durable.
    Committed {
        /// The batch, back for its memory.
        batch: Batch,
        /// Whether the journal has space one segment ahead.
        room_ahead: bool,
    },
    /// The batch in flight could not be made durable; nothing is known about it.
    DiskFailed {
        /// The journal's own words.
        what: String,
    },
    /// Somebody asks.
    Asked {
        /// The loop's number of the question.
        ticket: u64,
        /// What is asked.
        question: Question,
    },
    /// [`Driven::next_timeout`] has come.
    Timeout,
    /// Stop cleanly, then say [`Action::Stopped`].
    Stop,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Call this address; ends in one `Dialled` or one `DialFailed`.
    Dial {
        /// The caller's number of the call.
        call: u64,
        /// Whom to call.
        to: SocketAddr,
    },
    /// Send bytes; those of one connection stay in order, and those of one turn are one write.
    Send {
        /// To whom.
        conn: ConnId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close a connection once everything sent before has been handed to the system.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, for the log and the counters.
        why: &'static str,
    },
    /// Read this connection, or leave what comes with the system, so that its peer waits.
    Listen {
        /// Which.
        conn: ConnId,
        /// Whether to read it.
        on: bool,
    },
    /// Append this batch to the journal and sync. One at a time.
    Commit(Batch),
    /// Write a snapshot of the state after this record, between commits.
    Snapshot {
        /// The last record that the state holds.
        record: u64,
        /// The state.
        body: Vec<u8>,
    },
    /// Everything is durable and nothing more will come.
    Stopped,
    /// Answer a question.
    Reply {
        /// The loop's number of the question.
        ticket: u64,
        /// The answer.
        answer: Answer,
    },
    /// Write a line to the log.
    Log(LogLine),
    /// The role cannot go on.
    Halt {
        /// What happened and what to do.
        what: String,
    },
}

/// What pages and commands ask a running role.
#[derive(Clone, Debug)]
pub enum Question {
    /// Hub and stations.
    Host(Query),
    /// A simulated bank's own book.
    Book,
    /// What simulated shops have counted.
    Shops,
    /// Whether the role does its work.
    Ready,
}

/// The answer to a [`Question`].
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// To `Host`.
    Host(Box<Reply>),
    /// To `Book`.
    Book(BankBook),
    /// To `Shops`.
    Shops(ShopTotals),
    /// To `Ready`.
    Ready(bool),
    /// This role does not know such things.
    NotHere,
}
