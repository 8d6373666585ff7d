//! Between a machine and the disk: records into the forming batch, everything that tells of them
//! held until it is durable.

use journal::{Batch, Stage, StageLimits};
use scheme::{ParticipantId, StationId, Timestamp};
use wire::iso8583::Dialect;

use crate::admission::Class;
use crate::event::{Action, CloseReason, ConnId, Level, LogLine};
use crate::limits::{FRAME_RECORDS_MUCH, ROOM_RETRY_MS};
use crate::traffic::Ended;

/// What leaves when the records before it are durable.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// For the shell.
    Act(Action),
    /// A frame for a trunk; `station` is 0 at a station, whose one trunk leads to the hub.
    Trunk {
        /// Which trunk.
        station: StationId,
        /// What it is about.
        kind: interchange::trunk::Kind,
        /// The sender's number of the request.
        ticket: u64,
        /// The rest.
        payload: Vec<u8>,
    },
    /// Framed for a connection of a bank; another of its connections will do.
    Bank {
        /// The connection that it was framed for.
        conn: ConnId,
        /// Whose.
        bank: ParticipantId,
        /// What it is framed in.
        dialect: Option<&'static Dialect>,
        /// Whole frames.
        bytes: Vec<u8>,
    },
    /// A request of this trunk need not be sent again.
    Withdraw {
        /// The sender's number of the request.
        ticket: u64,
    },
    /// A payment has ended: to be counted once that is durable.
    Ended(Ended),
    /// A trunk's frame has been acted on.
    Done {
        /// Which trunk.
        station: StationId,
        /// The start of the side that sent it.
        start: Option<u64>,
        /// Its number.
        sequence: u64,
    },
}

/// What a page is told of the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalNow {
    /// Records in it.
    pub(crate) records: u64,
    /// Whether it has no space.
    pub(crate) no_room: bool,
}

/// The pipeline of a role.
#[derive(Debug)]
pub(crate) struct Pipeline {
    stage: Stage<Deferred>,
    payload: Vec<u8>,
    halted: Option<String>,
    /// When the journal last said that it has no space one segment ahead; none while it has.
    no_room_since: Option<Timestamp>,
}

impl Pipeline {
    pub(crate) fn new(next_record: u64) -> Self {
        Self {
            stage: Stage::new(next_record, StageLimits::default()),
            payload: Vec::new(),
            halted: None,
            no_room_since: None,
        }
    }

    /// Puts a record into the forming batch.
    pub(crate) fn record(
        &mut self,
        at: Timestamp,
        encode: impl FnOnce(&mut Vec<u8>) -> (u8, u8),
    ) -> u64 {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let (kind, version) = encode(&mut payload);
        let number = match self.stage.record(kind, version, at.0, &payload) {
            Ok(number) => number,
            Err(error) => {
                // Without its record nothing after it may leave: the role stops and recovers.
                self.halted = Some(format!("a record could not be staged: {error}"));
                0
            }
        };
        self.payload = payload;
        number
    }

    pub(crate) fn defer(&mut self, deferred: Deferred) {
        self.stage.effect(deferred);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.stage.effect(Deferred::Act(action));
    }

    pub(crate) fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.act(Action::Send { conn, bytes });
        }
    }

    pub(crate) fn close(&mut self, conn: ConnId, why: CloseReason) {
        self.act(Action::Close { conn, why });
    }

    pub(crate) fn log(
        &mut self,
        level: Level,
        event: &'static str,
        values: Vec<(&'static str, String)>,
    ) {
        self.act(Action::Log(LogLine { level, event, values }));
    }

    /// Whether a message of this class must be refused: the disk cannot keep up, or has no room, or
    /// this share of what may be under way is, per cent. Without room one payment a second is let
    /// through, because only a commit tells that room is back.
    pub(crate) fn sheds(&mut self, now: Timestamp, class: Class, under_way: usize) -> bool {
        let Some(at) = class.shed_at() else { return false };
        if class != Class::Payment {
            return under_way >= at || self.no_room_since.is_some() || self.stage.load() >= at;
        }
        let Some(since) = self.no_room_since else { return self.stage.full() };
        let try_again = now.ms_since(since) >= ROOM_RETRY_MS;
        if try_again {
            self.no_room_since = Some(now);
        }
        !try_again || self.stage.full()
    }

    /// Whether the journal has had no space for so long that a purchase a second is all it takes.
    pub(crate) fn has_no_room(&self) -> bool {
        self.no_room_since.is_some()
    }

    /// What the journal said of its space with the last commit.
    pub(crate) fn room_ahead(&mut self, now: Timestamp, room: bool) {
        self.no_room_since = if room { None } else { Some(self.no_room_since.unwrap_or(now)) };
    }

    /// What may leave now; `into` is empty and keeps its memory.
    pub(crate) fn take_free(&mut self, into: &mut Vec<Deferred>) {
        self.stage.take_free(into);
    }

    /// Whether what waits for the disk is worth a frame of its own in the middle of a turn.
    pub(crate) fn has_much(&self) -> bool {
        self.stage.full() || self.stage.forming() >= FRAME_RECORDS_MUCH
    }

    pub(crate) fn cut(&mut self) -> Option<Batch> {
        self.stage.cut()
    }

    pub(crate) fn committed(&mut self, batch: Batch) {
        self.stage.committed(batch);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.stage.is_idle()
    }

    pub(crate) fn next_record(&self) -> u64 {
        self.stage.next_record()
    }

    pub(crate) fn halt(&mut self, what: String) {
        self.halted = Some(what);
    }

    pub(crate) fn halted(&mut self) -> Option<String> {
        self.halted.take()
    }
}
