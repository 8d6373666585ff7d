//! What a shell and a role say to each other: events in, actions out. The same for sockets and
//! files (`node`'s loop) and for a simulated country (`nation`).

use core::net::SocketAddr;

use journal::Batch;
use scheme::Timestamp;
use switch::history::Indexed;
use switch::hub::Kept;

use crate::booking::{Booked, Booking};
use crate::fires::Known;
use crate::history::Ask;
use crate::identity::PeerName;
use crate::view::{Query, Reply};

/// The shell's number of a connection; never used twice by one shell.
pub type ConnId = u64;

/// The two clocks that a shell reads together before every event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clocks {
    /// CLOCK_REALTIME.
    pub wall: Timestamp,
    /// CLOCK_BOOTTIME, ns since some fixed moment; never goes back, counts through suspension.
    pub boot: u64,
}

/// A door that others knock at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Door {
    /// Terminals, at a station.
    Terminals,
    /// Banks' hosts, at the hub.
    Banks,
    /// Stations' trunks, at the hub.
    Trunk,
}

/// Somebody whom a role calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Peer {
    /// The hub's trunk door.
    HubTrunk,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The shell runs: recovery is over, doors are open. Once, first.
    Started,
    /// Somebody came through a door.
    Accepted {
        /// Its number from now on.
        conn: ConnId,
        /// Which door.
        door: Door,
        /// Who its certificate says it is; none where the door is plain.
        identity: Option<PeerName>,
    },
    /// A call that [`Action::Dial`] asked for went through.
    Dialled {
        /// Its number from now on.
        conn: ConnId,
        /// Who was called.
        peer: Peer,
        /// Who its certificate says it is; none where the call was plain.
        identity: Option<PeerName>,
    },
    /// The call did not go through; ask again when it is time.
    DialFailed {
        /// Who was called.
        peer: Peer,
    },
    /// Bytes came, as the system handed them over: any cut, many messages at once.
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
    /// The batch of the last [`Action::Commit`] is durable; it comes back for its memory.
    Committed {
        /// The batch.
        batch: Batch,
        /// Whether the journal has space one segment ahead.
        room_ahead: bool,
    },
    /// The batch could not be made durable. Nothing is known about it: the role stops.
    DiskFailed {
        /// The journal's own words.
        what: String,
    },
    /// Somebody asks; the answer is durable state.
    Query {
        /// The shell's number of the question.
        ticket: u64,
        /// What is asked.
        query: Query,
    },
    /// What the shell knows of the machine that the role runs on. Once in some seconds.
    Health(Health),
    /// What history has of what an [`Action::Find`] asked for; an error says why it cannot be read.
    Found {
        /// The number of the question.
        number: u64,
        /// Each payment once.
        found: Result<Vec<Kept>, String>,
    },
    /// The ledger's cluster has answered an [`Action::Book`].
    Booked {
        /// The number of the batch.
        number: u64,
        /// One status for each event.
        booked: Booked,
    },
    /// A segment can be read back ([`crate::history::Step::Indexed`]).
    Indexed(Indexed),
    /// [`crate::Host::next_timeout`] has come.
    Timeout,
    /// Stop cleanly: take no new work, finish what is being written, then say `Stopped`.
    Stop,
}

/// What only a shell can know of a role's machine (R-FIRES).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Free space of the disk that holds the journal, percent.
    pub disk_free_percent: Known<u8>,
    /// Days that the role's certificate is still good; not here where channels are plain.
    pub certificate_days: Known<i64>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Call somebody; answer with `Dialled` or `DialFailed`.
    Dial(Peer),
    /// Send bytes; those of one connection stay in order. One write per connection and turn.
    Send {
        /// To whom.
        conn: ConnId,
        /// Whole frames.
        bytes: Vec<u8>,
    },
    /// Close a connection once everything sent before has been handed to the system.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, for the log and the counters.
        why: CloseReason,
    },
    /// Read this connection, or leave what comes with the system, so that its peer waits. Every
    /// connection is read at first.
    Listen {
        /// Which.
        conn: ConnId,
        /// Whether to read it.
        on: bool,
    },
    /// Append this batch to the journal and sync; answer with `Committed` or `DiskFailed`.
    /// One at a time.
    Commit(Batch),
    /// Write a snapshot of the state after this record (durable already), bit by bit, between
    /// commits: [`journal::Writer::begin_snapshot`], then `maintain`.
    Snapshot {
        /// The last record that the state holds.
        record: u64,
        /// The state.
        body: Vec<u8>,
    },
    /// Ask history ([`crate::history::History::find`]), on another thread; answer with `Found`.
    Find(Ask),
    /// Have the ledger's cluster do this, and answer with `Booked`; after an error of the client's
    /// the same again, until it answers. One at a time, and only of a role that was opened for a
    /// cluster.
    Book {
        /// The role's number of the batch.
        number: u64,
        /// The batch.
        booking: Booking,
    },
    /// Everything is durable and nothing more will come: stop the writer and the process.
    Stopped,
    /// Answer a query. Boxed, because actions are many and replies are few.
    Reply {
        /// The shell's number of the question.
        ticket: u64,
        /// The answer.
        reply: Box<Reply>,
    },
    /// Write an event to the log (one JSON line). Never holds a PAN or a secret.
    Log(LogLine),
    /// The role cannot go on: stop the process (or the simulated machine) with this message.
    Halt {
        /// What happened and what to do.
        what: String,
    },
}

/// Why a role closed a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloseReason {
    /// The first frame fits no dialect of the door (R-LINK).
    NoDialect,
    /// A frame that cannot be parsed, without MTI and trace number to answer to.
    Malformed,
    /// A length that no frame may have.
    Frame,
    /// Half a frame for too long, or silence for too long.
    Idle,
    /// Somebody else holds this identity.
    IdentityTaken,
    /// An identity that the configuration does not know.
    UnknownIdentity,
    /// A bank link that missed two echoes.
    EchoMissed,
    /// A trunk frame that breaks the protocol.
    Trunk,
    /// More connections than the door has room for.
    TooMany,
    /// A newer connection of the same peer took its place.
    Replaced,
    /// It claims to be another than its certificate says.
    OtherIdentity,
    /// The bank has no MAC keys here.
    NoMacKeys,
    /// Three bad MACs within a minute (R-MAC).
    BadMac,
}

impl CloseReason {
    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoDialect => "no_dialect",
            Self::Malformed => "malformed",
            Self::Frame => "frame",
            Self::Idle => "idle",
            Self::IdentityTaken => "identity_taken",
            Self::UnknownIdentity => "unknown_identity",
            Self::EchoMissed => "echo_missed",
            Self::Trunk => "trunk",
            Self::TooMany => "too_many",
            Self::Replaced => "replaced",
            Self::OtherIdentity => "other_identity",
            Self::NoMacKeys => "no_mac_keys",
            Self::BadMac => "bad_mac",
        }
    }
}

/// One event for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    /// What happened, one word or a few joined by underscores.
    pub event: &'static str,
    /// Names and values, already masked.
    pub values: Vec<(&'static str, String)>,
}

/// How grave a log line is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// For the record.
    Info,
    /// Somebody should look when there is time.
    Warn,
    /// Somebody should look now.
    Error,
}

/// Where a role's doors are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DoorAddress {
    /// Which door.
    pub door: Door,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The reason for closing a connection whose bytes are broken.
pub(crate) fn reason_of(broken: interchange::session::Broken) -> CloseReason {
    use interchange::session::Broken;
    match broken {
        Broken::NoDialect => CloseReason::NoDialect,
        Broken::Malformed => CloseReason::Malformed,
        Broken::Frame => CloseReason::Frame,
    }
}
