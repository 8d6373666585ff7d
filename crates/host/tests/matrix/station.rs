//! The same for a station: its trunk is cut, terminals reverse, and what it acknowledges it owes
//! the hub from then on, whatever becomes of its disk.

use std::collections::BTreeMap;

use host::view::{Query, Reply};
use host::{
    Action, Clocks, Config, Door, Event, Host, HostError, HostKeys, LinkMacs, Opened, Peer, Role,
};
use journal::sim_disk::{CutDisk, Sample, SimDisk, Tearing};
use journal::{Disk, DiskErrorKind, Fault, OpenError, Writer};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use scheme::{Mti, StationId, Timestamp};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

use crate::extent;

/// Reversals that terminals send.
const REVERSALS: usize = 200;
const TERMINALS: usize = 10;
const TURN_NS: u64 = 40_000_000;

struct Station<D> {
    host: Host,
    writer: Writer<D>,
    now: u64,
    acknowledged: usize,
    owed: Option<u64>,
}

/// What one write of the journal was: the last durable record before it and after it, and how many
/// reversals had been acknowledged.
#[derive(Clone, Copy, Debug)]
struct Write {
    durable: u64,
    tried: u64,
    acknowledged: usize,
}

fn config() -> Config {
    let mut config = Config::example();
    config.journal.segment_bytes = 16 * 1024;
    config
}

fn reversal(config: &Config, number: usize, now: u64) -> Message {
    let mut message = Message::new(Mti::new(420).unwrap());
    let sent = Timestamp(now).month_time().to_string();
    let terminal = format!("PYO{:05}", number % TERMINALS + 1);
    let pan = parties::bank::pan(config.participants[1].iins[0], 7).unwrap();
    message.set(2, pan.digits());
    message.set(3, b"000000");
    message.set(4, format!("{:012}", 100 + number).as_bytes());
    message.set(7, sent.as_bytes());
    message.set(11, format!("{:06}", number + 1).as_bytes());
    message.set(32, b"100001");
    message.set(39, b"17");
    message.set(41, terminal.as_bytes());
    message.set(42, b"PYO-SHOP-000001");
    message.set(49, b"408");
    let named = format!("0200{:06}{sent}{:0>11}{:011}", 500_000 + number, "100001", 0);
    message.set(90, named.as_bytes());
    message
}

impl<D: Disk> Station<D> {
    fn open(disk: D, config: &Config, now: u64) -> Result<Self, HostError> {
        let key = |byte: u8| Key128::from_random([byte; 16]);
        let ring = CardRing::new(vec![CardKey::new(KeyId(1), key(2))]).unwrap();
        let vault = CardVault::new(TokenKey::new(key(1)), ring);
        let keys = HostKeys { vault, macs: LinkMacs::Off };
        let clocks = Clocks { wall: Timestamp(now), boot: now };
        let role = Role::Station(StationId(1));
        let Opened { host, writer, .. } = Host::open(role, config, keys, disk, clocks)?;
        Ok(Self { host, writer, now, acknowledged: 0, owed: None })
    }

    /// Hands over events, writes what they decided, and tells it, until nothing is left. `look` is
    /// called behind each write, before anybody is told of it.
    fn turn(
        &mut self,
        events: Vec<Event<'_>>,
        look: &mut dyn FnMut(u128, Write),
    ) -> Result<(), Fault> {
        self.now += TURN_NS;
        let clocks = Clocks { wall: Timestamp(self.now), boot: self.now };
        let mut actions = Vec::new();
        for event in events {
            self.host.handle(clocks, event, &mut actions);
        }
        if self.host.next_timeout().is_some_and(|at| at <= self.now) {
            self.host.handle(clocks, Event::Timeout, &mut actions);
        }
        self.host.end_turn(&mut actions);
        while !actions.is_empty() {
            let mut next = Vec::new();
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Commit(mut batch) => {
                        let durable = self.writer.mark().record;
                        let tried = durable + u64::from(batch.len());
                        let write = Write { durable, tried, acknowledged: self.acknowledged };
                        let hash = self.host.state_hash();
                        let appended = self.writer.append(&mut batch);
                        look(hash, write);
                        self.told(appended.map(|_| ()))?;
                        let event = Event::Committed { batch, room_ahead: true };
                        self.host.handle(clocks, event, &mut next);
                    }
                    Action::Dial(peer @ Peer::HubTrunk) => {
                        self.host.handle(clocks, Event::DialFailed { peer }, &mut next);
                    }
                    Action::Send { bytes, .. } => self.hear(&bytes),
                    Action::Reply { reply, .. } => {
                        let Reply::Overview(overview) = *reply else { panic!("{reply:?}") };
                        self.owed = Some(overview.saf_depth);
                    }
                    Action::Halt { what } => panic!("{what}"),
                    Action::Close { why, .. } => panic!("closed: {why:?}"),
                    Action::Book { .. } => panic!("a station has no ledger"),
                    Action::Find(ask) => panic!("a station has no history: {ask:?}"),
                    Action::Listen { .. }
                    | Action::Log(_)
                    | Action::Stopped
                    | Action::Snapshot { .. } => {}
                }
            }
            self.host.end_turn(&mut next);
            actions = next;
        }
        let kept = self.writer.publish_head(self.now);
        let kept = kept.and_then(|()| self.writer.maintain().map(|_| ()));
        let durable = self.writer.mark().record;
        let write = Write { durable, tried: durable, acknowledged: self.acknowledged };
        look(self.host.state_hash(), write);
        match kept {
            Err(Fault::NoSpace) => Ok(()),
            other => self.told(other),
        }
    }

    /// The role hears of an error of its disk; it stops, and nothing leaves it any more.
    fn told(&mut self, done: Result<(), Fault>) -> Result<(), Fault> {
        let Err(fault) = done else { return Ok(()) };
        let clocks = Clocks { wall: Timestamp(self.now), boot: self.now };
        let mut actions = Vec::new();
        let event = Event::DiskFailed { what: fault.to_string() };
        self.host.handle(clocks, event, &mut actions);
        self.host.end_turn(&mut actions);
        assert!(actions.iter().any(|action| matches!(action, Action::Halt { .. })), "{fault}");
        assert!(!actions.iter().any(|action| matches!(action, Action::Send { .. })));
        Err(fault)
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        let dialect = Dialect::builtin("iso87-ascii").unwrap();
        while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
            let (frame, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
            let answer = dialect.decode(frame).unwrap();
            assert_eq!((answer.mti().number(), answer.text(39)), (430, Some("00")), "{answer:?}");
            self.acknowledged += 1;
            bytes = rest;
        }
    }

    /// How much it says that it owes the hub.
    fn owes(&mut self) -> u64 {
        let event = Event::Query { ticket: 1, query: Query::Overview };
        self.turn(vec![event], &mut |_, _| {}).unwrap();
        self.owed.take().unwrap()
    }

    /// The trunk is found to be cut; then terminals reverse, some at once.
    fn run(&mut self, config: &Config, look: &mut dyn FnMut(u128, Write)) -> Result<(), Fault> {
        self.turn(vec![Event::Started], look)?;
        for _ in 0..(12_000_000_000 / TURN_NS) {
            self.turn(Vec::new(), look)?;
        }
        let accept = Event::Accepted { conn: 1, door: Door::Terminals, identity: None };
        self.turn(vec![accept], look)?;
        let mut sent = 0;
        for turn in 0.. {
            let more = (turn % 5 + 1).min(REVERSALS - sent);
            let mut bytes = Vec::new();
            for number in sent..sent + more {
                let mut payload = Vec::new();
                let message = reversal(config, number, self.now);
                let dialect = Dialect::builtin("iso87-ascii").unwrap();
                dialect.encode(&message, &mut payload).unwrap();
                write_frame(Framing::Be2, &payload, &mut bytes).unwrap();
            }
            sent += more;
            self.turn(vec![Event::Received { conn: 1, bytes: &bytes }], look)?;
            if sent == REVERSALS && self.acknowledged == sent {
                return Ok(());
            }
            assert!(turn < 10_000, "{} of {sent} acknowledged", self.acknowledged);
        }
        Ok(())
    }
}

/// What a crash left of a station.
fn check(disk: SimDisk, hashes: &BTreeMap<u64, u128>, write: Write, now: u64, case: &str) {
    let station = Station::open(disk, &config(), now);
    let mut station = station.unwrap_or_else(|error| panic!("{case}: {error}"));
    let last = station.writer.mark().record;
    assert!(last == write.durable || last == write.tried, "{case}: {write:?}, {last} found");
    assert_eq!(hashes.get(&last), Some(&station.host.state_hash()), "{case}: live = replay");
    let owed = station.owes();
    assert!(owed >= write.acknowledged as u64, "{case}: {write:?}, owes {owed}");
}

#[test]
fn r_crash_a_station_owes_what_it_acknowledged_after_a_power_cut_at_any_operation() {
    let extent = extent();
    let config = config();
    let (disk, cuts) = CutDisk::new(SimDisk::new(5), Sample::ALL);
    let now = 1_795_330_800_000_000_000;
    let mut station = Station::open(disk, &config, now).unwrap();
    let mut hashes = BTreeMap::new();
    let (mut judged, mut recoveries) = (0u64, 0u64);
    let mut look = |hash: u128, write: Write| {
        hashes.insert(write.tried, hash);
        for cut in cuts.take() {
            judged += 1;
            for seed in 0..extent.seeds {
                let case = format!("cut in {:?}, operation {}, seed {seed}", cut.op, cut.number);
                let mut disk = cut.disk.clone();
                disk.reseed(seed << 32 ^ cut.number);
                if seed % 4 == 3 {
                    disk.plan.tearing = Tearing::TornSectors;
                }
                disk.crash();
                check(disk, &hashes, write, now + 60_000_000_000, &case);
                recoveries += 1;
            }
        }
    };
    let nothing = station.host.state_hash();
    look(nothing, Write { durable: 0, tried: 0, acknowledged: 0 });
    station.run(&config, &mut look).unwrap();
    assert_eq!((station.acknowledged, station.owes()), (REVERSALS, REVERSALS as u64));
    let changes = cuts.changes();
    eprintln!("a station: {changes} operations, {judged} cut, {recoveries} recoveries");
    assert!(changes > 150 && judged == changes, "{changes} {judged}");
}

#[test]
fn r_crash_an_error_of_any_call_stops_a_station_and_it_owes_what_it_acknowledged() {
    let config = config();
    let now = 1_795_330_800_000_000_000;
    let mut whole = SimDisk::new(1);
    let mut station = Station::open(&mut whole, &config, now).unwrap();
    station.run(&config, &mut |_, _| {}).unwrap();
    drop(station);
    let (mut tried, mut told) = (0, 0);
    // Odd, so that both kinds of errors come up.
    let every = extent().errors.div_ceil(64) | 1;
    for number in (0..whole.ops() * 2).filter(|number| number.is_multiple_of(every)) {
        let (call, even) = (number / 2, number.is_multiple_of(2));
        let kind = if even { DiskErrorKind::Io } else { DiskErrorKind::NoSpace };
        let case = format!("{kind:?} at call {call}");
        let mut disk = SimDisk::new(number);
        (disk.plan.fail_at, disk.plan.fail_kind) = (Some(call), Some(kind));
        let mut hashes = BTreeMap::new();
        let mut last = Write { durable: 0, tried: 0, acknowledged: 0 };
        tried += 1;
        match Station::open(&mut disk, &config, now) {
            Ok(mut station) => {
                hashes.insert(0, station.host.state_hash());
                let ran = station.run(&config, &mut |hash, write| {
                    hashes.insert(write.tried, hash);
                    last = write;
                });
                told += u64::from(ran.is_err());
                assert!(ran.is_err() || kind == DiskErrorKind::NoSpace, "{case}: passed over");
                last.acknowledged = station.acknowledged;
            }
            Err(HostError::Journal(OpenError::Disk(_)) | HostError::Epoch(Fault::Disk(_))) => {
                let fresh = Station::open(SimDisk::new(1), &config, now).unwrap();
                hashes.insert(0, fresh.host.state_hash());
                told += 1;
            }
            Err(other) => panic!("{case}: {other}"),
        }
        if number % 4 < 2 {
            disk.kill();
        } else {
            disk.crash();
        }
        check(disk, &hashes, last, now + 60_000_000_000, &case);
    }
    eprintln!("a station: {tried} errors, {told} told");
    assert!(told > 5, "{tried} {told}");
}
