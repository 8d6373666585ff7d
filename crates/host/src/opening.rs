//! A role, opened on its journal and driven by events.

use std::collections::BTreeMap;
use std::fmt;

use journal::index::IndexError;
use journal::{Disk, NodeId, Options, Recovery, Replay, Writer};
use keys::{CardVault, LinkMac};
use scheme::{ParticipantId, StationId, Timestamp};
use switch::hub::{Answers, Gone, HubConfig};
use switch::record::FindingKind;

use crate::booking::Booked;
use crate::clock::RoleClock;
use crate::config::Config;
use crate::event::{Action, Clocks, CloseReason, ConnId, Door, DoorAddress, Event, Level, Peer};
use crate::history::{History, HubKeys, Start};
use crate::hub::HubRole;
use crate::hub::rebuild::{Aside, AtOnce, Rebuild};
use crate::hub::replay;
use crate::limits::{SNAPSHOT_MAX, SNAPSHOT_PATIENCE, SNAPSHOT_PAYMENTS, SNAPSHOT_SMALL};
use crate::pipeline::{Deferred, JournalNow, Pipeline};
use crate::poison::{InHand, Poisons};
use crate::station::{ProbeCard, StationRole};
use crate::view::{Query, Reply};

/// Which role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The national hub.
    Hub,
    /// A base station.
    Station(StationId),
}

/// The keys that a role works with.
#[derive(Debug)]
pub struct HostKeys {
    /// The nation's token key and this node's own card keys.
    pub vault: CardVault,
    /// The hub's MAC keys of its banks' links; a station has none.
    pub macs: LinkMacs,
}

/// Whether messages of bank links carry MACs (R-MAC).
#[derive(Clone, Debug)]
pub enum LinkMacs {
    /// Links are plain, in `demo` and on loopback only.
    Off,
    /// Every bank's link has keys of its own; a bank without keys here is refused.
    On(BTreeMap<ParticipantId, LinkMac>),
}

/// Why a role cannot be opened.
#[derive(Debug)]
pub enum HostError {
    /// The journal.
    Journal(journal::OpenError),
    /// The journal's epoch could not be set.
    Epoch(journal::Fault),
    /// The configuration does not know this role.
    UnknownRole,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Epoch(fault) => write!(f, "the epoch cannot be written: {fault:?}"),
            Self::UnknownRole => f.write_str("the configuration does not know this station"),
        }
    }
}

impl std::error::Error for HostError {}

/// An opened role.
#[derive(Debug)]
pub struct Opened<D> {
    /// The role.
    pub host: Host,
    /// Its journal, for the thread that commits.
    pub writer: Writer<D>,
    /// What recovery found.
    pub recovery: Recovery,
    /// What a person should read: a difference between file and journal, a cut tail.
    pub notices: Vec<String>,
    /// A hub's history, as far as it was read for the hub: it goes on from there, on a disk of its
    /// own ([`History::on`]). Without one it is opened ([`History::open`]).
    pub history: Option<History<()>>,
}

/// What a hub's recovery may use.
struct Means<'a> {
    aside: &'a mut dyn Aside,
    /// Payments to take memory for.
    room: usize,
    /// When its engine answers.
    engine: Answers,
}

#[derive(Debug)]
enum Core {
    Hub(Box<HubRole>),
    Station(Box<StationRole>),
}

/// A running role.
#[derive(Debug)]
pub struct Host {
    core: Core,
    clock: RoleClock,
    pipeline: Pipeline,
    /// The memory of [`Self::release`].
    free: Vec<Deferred>,
    doors: Vec<DoorAddress>,
    /// The last record of the last snapshot.
    snapshot: u64,
    /// What history had then.
    snapshot_covered: u64,
    snapshot_every: u64,
    /// The books' part of the snapshot under way, which is that of [`Self::snapshot`].
    snapshot_books: Option<Vec<u8>>,
    /// The memory of the last one.
    snapshot_memory: Vec<u8>,
    stopping: bool,
    stopped: bool,
    cut: bool,
}

impl Host {
    /// Opens (or creates) the journal on `disk`, replays it, and is ready for [`Event::Started`].
    pub fn open<D: Disk>(
        role: Role,
        config: &Config,
        keys: HostKeys,
        disk: D,
        clocks: Clocks,
    ) -> Result<Opened<D>, HostError> {
        let engine = Answers::AtOnce;
        let means = Means { aside: &mut AtOnce::default(), room: 0, engine };
        Self::open_as(role, config, keys, disk, clocks, means)
    }

    /// The same for a hub whose ledger is a cluster: [`Action::Book`] and [`Event::Booked`].
    pub fn open_on_cluster<D: Disk>(
        config: &Config,
        keys: HostKeys,
        disk: D,
        clocks: Clocks,
    ) -> Result<Opened<D>, HostError> {
        let engine = Answers::Later;
        let means = Means { aside: &mut AtOnce::default(), room: 0, engine };
        Self::open_as(Role::Hub, config, keys, disk, clocks, means)
    }

    /// The same, with what a machine of its own can do for a hub: a part of the replay is run
    /// aside, and the memory that the configuration asks for is taken now.
    pub fn open_beside<D: Disk>(
        role: Role,
        config: &Config,
        keys: HostKeys,
        disk: D,
        clocks: Clocks,
        aside: &mut dyn Aside,
    ) -> Result<Opened<D>, HostError> {
        let engine = Answers::AtOnce;
        let means = Means { aside, room: config.limits.room_payments, engine };
        Self::open_as(role, config, keys, disk, clocks, means)
    }

    fn open_as<D: Disk>(
        role: Role,
        config: &Config,
        keys: HostKeys,
        disk: D,
        clocks: Clocks,
        means: Means<'_>,
    ) -> Result<Opened<D>, HostError> {
        // Another number at every start: the boot clock does not go back while the machine is up,
        // and the wall clock tells two boots apart.
        let start = clocks.wall.0 ^ clocks.boot.rotate_left(32);
        match role {
            Role::Hub => open_hub(config, keys, disk, clocks, start, means),
            Role::Station(id) => {
                let section = config.station(id).cloned().ok_or(HostError::UnknownRole)?;
                let role = StationRole::new(config.clone(), section, keys.vault, start);
                open_station(role, disk, clocks)
            }
        }
    }

    /// The last record that can be read back ([`crate::history::History::open`]); none where there
    /// is no history.
    pub fn covered(&self) -> Option<u64> {
        match &self.core {
            Core::Hub(hub) => Some(hub.hub.state().payments().covered()),
            Core::Station(_) => None,
        }
    }

    /// Doors to open before `Started`.
    pub fn doors(&self) -> Vec<DoorAddress> {
        self.doors.clone()
    }

    /// What is refused from here on, because the role died of it.
    pub fn refuse(&mut self, poisons: Poisons) {
        match &mut self.core {
            Core::Hub(hub) => hub.poisons = poisons,
            Core::Station(station) => station.poisons = poisons,
        }
    }

    /// A station makes synthetic payments with these cards (R-FIRES); without any it makes none.
    pub fn probe_with(&mut self, cards: Vec<ProbeCard>) {
        match &mut self.core {
            Core::Hub(_) => {}
            Core::Station(station) => station.probe_with(cards),
        }
    }

    /// What the role is working on: for its shell, when the role has died of it.
    pub fn in_hand(&self) -> Option<InHand> {
        match &self.core {
            Core::Hub(hub) => hub.in_hand(),
            Core::Station(station) => station.in_hand(),
        }
    }

    /// Takes one event. What it decides waits for [`Host::end_turn`] to go to the disk.
    pub fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        let reading = self.clock.read(clocks);
        let now = reading.now;
        if reading.jumped {
            let values = vec![("wall", clocks.wall.to_string()), ("kept", now.to_string())];
            self.pipeline.log(Level::Warn, "clock_off", values);
            if let Core::Hub(hub) = &mut self.core {
                hub.find(FindingKind::Clock, &mut self.pipeline);
            }
        }
        match &mut self.core {
            Core::Hub(hub) => hub.at(now, self.clock.off_ms()),
            Core::Station(station) => station.at(now, self.clock.off_ms()),
        }
        let committed = matches!(event, Event::Committed { .. });
        self.take(now, event);
        // Much that gathered meanwhile goes at once: the disk works while the loop does. Little
        // waits for the end of the turn, or a busy loop would pay for many small frames.
        if committed
            && self.pipeline.has_much()
            && let Some(batch) = self.pipeline.cut()
        {
            out.push(Action::Commit(batch));
        }
        match &mut self.core {
            Core::Hub(hub) => hub.hear_waiting(&mut self.pipeline),
            Core::Station(station) => station.hear_waiting(&mut self.pipeline),
        }
        self.release(out);
        if let Some(what) = self.pipeline.halted() {
            out.push(Action::Halt { what });
        }
    }

    fn take(&mut self, now: Timestamp, event: Event<'_>) {
        let pipeline = &mut self.pipeline;
        match event {
            Event::Started => match &mut self.core {
                Core::Hub(hub) => {
                    if self.cut {
                        hub.find(FindingKind::TornTail, pipeline);
                    }
                    hub.started(now, pipeline);
                }
                Core::Station(station) => station.started(now, pipeline),
            },
            Event::Accepted { conn, .. } if self.stopping => {
                pipeline.close(conn, CloseReason::TooMany);
            }
            Event::Accepted { conn, door, identity } => match (&mut self.core, door) {
                (Core::Hub(hub), Door::Banks) => hub.accept_bank(conn, identity, pipeline),
                (Core::Hub(hub), Door::Trunk) => hub.accept_trunk(conn, identity, pipeline),
                (Core::Station(station), Door::Terminals) => {
                    station.accept_terminal(conn, identity, pipeline);
                }
                (Core::Hub(_), Door::Terminals) | (Core::Station(_), Door::Banks | Door::Trunk) => {
                    pipeline.close(conn, CloseReason::UnknownIdentity);
                }
            },
            Event::Dialled { conn, peer: Peer::HubTrunk, identity } => match &mut self.core {
                Core::Station(station) => station.dialled(conn, identity, pipeline),
                Core::Hub(_) => pipeline.close(conn, CloseReason::UnknownIdentity),
            },
            Event::DialFailed { peer: Peer::HubTrunk } => {
                if let Core::Station(station) = &mut self.core {
                    station.dial_failed();
                }
            }
            Event::Received { conn, bytes } => self.received(conn, bytes),
            Event::Closed { conn } => match &mut self.core {
                Core::Hub(hub) => {
                    hub.bank_closed(conn, pipeline);
                    hub.trunk_closed(conn, pipeline);
                }
                Core::Station(station) => station.closed(conn, pipeline),
            },
            Event::Committed { batch, room_ahead } => {
                pipeline.room_ahead(now, room_ahead);
                pipeline.committed(batch);
            }
            Event::DiskFailed { what } => pipeline.halt(what),
            Event::Health(health) => match &mut self.core {
                Core::Hub(hub) => hub.beacon.health = health,
                Core::Station(station) => station.beacon.health = health,
            },
            Event::Query { ticket, query } => self.query(ticket, &query),
            Event::Found { number, found } => {
                if let Core::Hub(hub) = &mut self.core {
                    hub.found(number, found, pipeline);
                }
            }
            Event::Booked { number, booked } => self.booked(number, &booked),
            Event::Indexed(indexed) => {
                if let Core::Hub(hub) = &mut self.core {
                    hub.indexed(indexed, pipeline);
                }
            }
            Event::Timeout => match &mut self.core {
                Core::Hub(hub) => hub.timeout(pipeline),
                Core::Station(station) => station.timeout(pipeline),
            },
            Event::Stop => self.stopping = true,
        }
    }

    fn booked(&mut self, number: u64, booked: &Booked) {
        match &mut self.core {
            Core::Hub(hub) => hub.booked(number, booked, &mut self.pipeline),
            Core::Station(_) => {}
        }
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let pipeline = &mut self.pipeline;
        match &mut self.core {
            Core::Hub(hub) if hub.is_bank(conn) => hub.bank_received(conn, bytes, pipeline),
            Core::Hub(hub) => hub.trunk_received(conn, bytes, pipeline),
            Core::Station(station) => station.received(conn, bytes, pipeline),
        }
    }

    fn query(&mut self, ticket: u64, query: &Query) {
        if let (Core::Hub(hub), Query::Change(change)) = (&mut self.core, query) {
            let reply = Reply::Change(hub.change(change, &mut self.pipeline));
            // Leaves behind the records of the change, when they are durable.
            self.pipeline.act(Action::Reply { ticket, reply: Box::new(reply) });
            return;
        }
        if let (Core::Hub(hub), Query::Payments(filter)) = (&mut self.core, query) {
            return hub.list(ticket, filter, &mut self.pipeline);
        }
        let records = self.pipeline.next_record().saturating_sub(1);
        let journal = JournalNow { records, no_room: self.pipeline.has_no_room() };
        let reply: Reply = match &self.core {
            Core::Hub(hub) => hub.query(query, journal),
            Core::Station(station) => station.query(query, journal),
        };
        self.pipeline.act(Action::Reply { ticket, reply: Box::new(reply) });
    }

    /// What is durable may leave.
    fn release(&mut self, out: &mut Vec<Action>) {
        let mut free = std::mem::take(&mut self.free);
        self.pipeline.take_free(&mut free);
        for deferred in free.drain(..) {
            match (deferred, &mut self.core) {
                (Deferred::Act(action), _) => out.push(action),
                (Deferred::Trunk { station, kind, ticket, payload }, Core::Hub(hub)) => {
                    hub.trunk_send(station, kind, ticket, payload);
                }
                (Deferred::Trunk { kind, ticket, payload, .. }, Core::Station(station)) => {
                    station.trunk_send(kind, ticket, payload);
                }
                (Deferred::Bank { conn, bank, dialect, bytes }, Core::Hub(hub)) => {
                    let conn = hub.bank_conn(conn, bank, dialect);
                    out.extend(conn.map(|conn| Action::Send { conn, bytes }));
                }
                (Deferred::Bank { .. }, Core::Station(_)) => {}
                (Deferred::Withdraw { ticket }, Core::Station(station)) => {
                    station.withdraw(ticket);
                }
                (Deferred::Withdraw { .. }, Core::Hub(_)) => {}
                (Deferred::Ended(ended), Core::Hub(hub)) => hub.beacon.ended(ended),
                (Deferred::Ended(ended), Core::Station(station)) => station.beacon.ended(ended),
                (Deferred::Done { station, start, sequence }, Core::Hub(hub)) => {
                    hub.trunk_done(station, start, sequence);
                }
                (Deferred::Done { start, sequence, .. }, Core::Station(station)) => {
                    station.trunk_done(start, sequence);
                }
            }
        }
        self.free = free;
        match &mut self.core {
            Core::Hub(hub) => {
                let ready = hub.flush_trunks();
                out.extend(ready.into_iter().map(|(conn, bytes)| Action::Send { conn, bytes }));
            }
            Core::Station(station) => {
                let ready = station.flush_trunk(self.pipeline.has_no_room());
                out.extend(ready.map(|(conn, bytes)| Action::Send { conn, bytes }));
            }
        }
    }

    /// No more events for now: what they decided goes to the disk as one frame, so that a shell
    /// with much to hand over pays for one sync and not for one an event.
    pub fn end_turn(&mut self, out: &mut Vec<Action>) {
        self.take_snapshot();
        if let Some(batch) = self.pipeline.cut() {
            out.push(Action::Commit(batch));
        }
        if self.stopping && !self.stopped && self.pipeline.is_idle() {
            self.stopped = true;
            out.push(Action::Stopped);
        }
    }

    /// A snapshot whenever more of history can be read back, which it leaves out, and every so many
    /// records; if it is small enough, else the journal is replayed from the older one.
    fn take_snapshot(&mut self) {
        let Core::Hub(hub) = &mut self.core else { return };
        if let Some(ledger) = &self.snapshot_books {
            if let Some(body) = hub.hub.copy_on(SNAPSHOT_PAYMENTS) {
                let (record, body) = (self.snapshot, replay::end_snapshot(body, ledger));
                self.snapshot_books = None;
                self.pipeline.act(Action::Snapshot { record, body });
            }
            return;
        }
        let record = self.pipeline.next_record().saturating_sub(1);
        let covered = hub.hub.state().payments().covered();
        let since = record.saturating_sub(self.snapshot);
        if since < self.snapshot_every && covered <= self.snapshot_covered {
            return;
        }
        let bytes = replay::snapshot_bytes_about(&hub.hub, &hub.books);
        let patience = self.snapshot_every.saturating_mul(SNAPSHOT_PATIENCE);
        if bytes > SNAPSHOT_SMALL && covered <= self.snapshot_covered && since < patience {
            return;
        }
        (self.snapshot, self.snapshot_covered) = (record, covered);
        if bytes <= SNAPSHOT_MAX {
            let memory = std::mem::take(&mut self.snapshot_memory);
            let books = replay::begin_snapshot(&mut hub.hub, &hub.books, memory);
            self.snapshot_books = Some(books);
        }
    }

    /// The memory of a snapshot that has been written, for the next: the first touch of memory is
    /// the system's work, and payments would wait for it.
    pub fn take_back(&mut self, memory: Vec<u8>) {
        self.snapshot_memory = memory;
    }

    /// When [`Event::Timeout`] is due, as CLOCK_BOOTTIME in ns.
    pub fn next_timeout(&self) -> Option<u64> {
        let at = match &self.core {
            // A snapshot under way goes on at once.
            Core::Hub(hub) if self.snapshot_books.is_some() => Some(hub.now()),
            Core::Hub(hub) => hub.next_timeout(),
            Core::Station(station) => station.next_timeout(),
        }?;
        Some(self.clock.boot_of(at))
    }

    /// The hash of the durable state; equal for a live role and its replay.
    pub fn state_hash(&self) -> u128 {
        match &self.core {
            Core::Hub(hub) => hub.state_hash(),
            Core::Station(station) => station.station.state_hash().0,
        }
    }
}

/// The journal's options for a role.
pub(crate) fn options(config: &Config, role: &str, segment_bytes: u64) -> Options {
    // Names of roles are checked by the configuration: at most 16 bytes.
    let node = NodeId::from_name(role).unwrap_or_default();
    Options { block: config.journal.block, segment_bytes, ..Options::new(node) }
}

fn open_hub<D: Disk>(
    config: &Config,
    keys: HostKeys,
    disk: D,
    clocks: Clocks,
    start: u64,
    means: Means<'_>,
) -> Result<Opened<D>, HostError> {
    let mut role = HubRole::new(config.clone(), keys, start);
    let mut last = Timestamp::default();
    let mut snapshot = 0;
    let options = options(config, "hub", config.journal.hub_segment_bytes);
    let fresh = HubConfig { engine: means.engine, ..crate::hub::machine_config(config) };
    role.cluster = (means.engine == Answers::Later).then(Default::default);
    let new = || switch::Hub::new(fresh.clone());
    let mut rebuild = Rebuild::new(means.aside, new(), means.room);
    let opened = journal::open(disk, options, clocks.wall.0, &mut |replayed| match replayed {
        Replay::Snapshot { record, bytes } => {
            snapshot = record;
            rebuild.restore(new(), bytes)
        }
        Replay::Record(record) => {
            last = Timestamp(record.time_ns);
            role.keep_replayed(&record);
            rebuild.record(&record)
        }
        Replay::End => rebuild.end(),
    });
    let (mut writer, recovery) =
        opened.map_err(|error| HostError::Journal(rebuild.named(error)))?;
    let read;
    (role.hub, role.books, read) = rebuild.into_parts();
    let snapshot_covered = role.hub.state().payments().covered();
    let epoch = role.hub.state().epoch().max(writer.mark().epoch).max(1);
    writer.start_epoch(epoch, clocks.wall.0).map_err(HostError::Epoch)?;
    let mut notices = notices(&recovery);
    let mut history = None;
    match read.map_or_else(|| remember(config, &role.hub, writer.disk_mut()), |read| Ok(Some(read)))
    {
        Ok(None) => {}
        Ok(Some((gone, read))) => {
            role.hub.remember(gone);
            history = Some(read);
        }
        Err(error) => notices.push(format!(
            "the indexes of the journal cannot be read, so that payments are looked up that need \
             not be: {error}"
        )),
    }
    notices.extend(difference(config, &role.hub));
    let doors = vec![
        DoorAddress { door: Door::Banks, address: config.hub.banks },
        DoorAddress { door: Door::Trunk, address: config.hub.trunk },
    ];
    let next_record = writer.mark().record.saturating_add(1);
    let host = Host {
        core: Core::Hub(Box::new(role)),
        clock: RoleClock::start(clocks, last),
        pipeline: Pipeline::new(next_record),
        free: Vec::new(),
        doors,
        snapshot,
        snapshot_covered,
        snapshot_every: config.journal.snapshot_records,
        snapshot_books: None,
        snapshot_memory: Vec::new(),
        stopping: false,
        stopped: false,
        cut: recovery.cut.is_some(),
    };
    Ok(Opened { host, writer, recovery, notices, history })
}

/// What the file says otherwise than the journal, which holds.
fn difference(config: &Config, hub: &switch::Hub) -> Vec<String> {
    let directory = hub.state().directory();
    let mut found =
        if directory.is_empty() { Vec::new() } else { config.business_difference(directory) };
    if !found.is_empty() {
        let what = "the file's business part differs from the journal's, which holds (`bongsu \
                    config diff FILE` shows it, `bongsu config apply FILE` puts the file into the \
                    journal):";
        found.insert(0, what.to_owned());
    }
    found
}

/// Which payments history has, for a hub; nothing where it has none yet.
fn remember<D: Disk>(
    config: &Config,
    hub: &switch::Hub,
    disk: &mut D,
) -> Result<Option<(Gone, History<()>)>, IndexError> {
    let covered = hub.state().payments().covered();
    if covered == 0 {
        return Ok(None);
    }
    let (gone, history) = Start::read(disk, HubKeys::new(config))?.end(covered)?;
    Ok(Some((gone, history.on(()))))
}

fn open_station<D: Disk>(
    mut role: StationRole,
    disk: D,
    clocks: Clocks,
) -> Result<Opened<D>, HostError> {
    let mut last = Timestamp::default();
    let options = options(&role.config, &role.section.name, role.config.journal.segment_bytes);
    let (mut writer, recovery) =
        journal::open(disk, options, clocks.wall.0, &mut |replayed| match replayed {
            Replay::Snapshot { .. } => Err("a station takes no snapshots".to_owned()),
            Replay::End => Ok(()),
            Replay::Record(record) => {
                last = Timestamp(record.time_ns);
                let fact =
                    switch::station::record::decode(record.kind, record.version, record.payload)
                        .map_err(|e| e.to_string())?;
                role.station.apply(&switch::station::StationRecord { at: last, fact });
                Ok(())
            }
        })
        .map_err(HostError::Journal)?;
    let epoch = writer.mark().epoch.max(1);
    writer.start_epoch(epoch, clocks.wall.0).map_err(HostError::Epoch)?;
    let doors = vec![DoorAddress { door: Door::Terminals, address: role.section.listen }];
    let next_record = writer.mark().record.saturating_add(1);
    let host = Host {
        core: Core::Station(Box::new(role)),
        clock: RoleClock::start(clocks, last),
        pipeline: Pipeline::new(next_record),
        free: Vec::new(),
        doors,
        snapshot: 0,
        snapshot_covered: 0,
        snapshot_every: u64::MAX,
        snapshot_books: None,
        snapshot_memory: Vec::new(),
        stopping: false,
        stopped: false,
        cut: recovery.cut.is_some(),
    };
    let notices = notices(&recovery);
    Ok(Opened { host, writer, recovery, notices, history: None })
}

fn notices(recovery: &Recovery) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(cut) = &recovery.cut {
        notices.push(format!("a torn tail was cut: {cut}"));
    }
    for snapshot in &recovery.snapshots_refused {
        notices.push(format!(
            "{snapshot} is damaged or of a newer release and was passed over; its records were \
             read instead, nothing is lost"
        ));
    }
    notices
}
