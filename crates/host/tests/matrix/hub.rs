//! A whole hub on a simulated disk, driven as its shell drives it: turns of the loop, between them
//! the commit thread's writes and the history thread's indexes and look-ups.
#![allow(dead_code, reason = "each test that has it uses its own part")]

use std::collections::{BTreeMap, VecDeque};

use host::booking::{Booked, Booking};
use host::history::{Ask, History, HubKeys, Step};
use host::view::{AccountView, PaymentFilter, PaymentPage, PaymentView, Query, Reply};
use host::{
    Action, Clocks, Config, Door, Event, Host, HostError, HostKeys, LinkMacs, Opened, Role,
};
use journal::index::IndexError;
use journal::{Batch, Disk, Fault, OpenError, Recovery, Work, Writer};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use scheme::Timestamp;

use crate::outside::{BANKS, Outside};
use crate::shared::Shared;

/// One turn of the loop to the next.
const TURN_NS: u64 = 40_000_000;

pub(crate) fn config() -> Config {
    let mut config = Config::example();
    config.journal.hub_segment_bytes = 64 * 1024;
    config.journal.snapshot_records = 400;
    config
}

/// Hash of the state after each record that ended a batch.
pub(crate) type Hashes = BTreeMap<u64, u128>;

/// What history has told, and the loop has not heard yet.
enum Told {
    Found(u64, Result<Vec<switch::hub::Kept>, String>),
    Indexed(switch::history::Indexed),
}

/// The hub.
pub(crate) struct Hub<D> {
    host: Host,
    writer: Writer<Shared<D>>,
    pub(crate) history: History<Shared<D>>,
    asks: VecDeque<Ask>,
    told: Vec<Told>,
    /// Segments indexed, questions answered, payments found.
    pub(crate) read_back: [u64; 3],
    /// Errors of the disk that history has met, and that are no end of the role.
    pub(crate) forgiven: u64,
    pub(crate) recovery: Recovery,
    /// The batch whose commit the host has asked for.
    flying: Option<Batch>,
    snapshot: Option<(u64, Vec<u8>)>,
    pub(crate) halted: Option<String>,
    replies: Vec<Reply>,
    /// What the ledger's cluster is asked, and what it has done and nobody has heard yet.
    asked: Option<(u64, Booking)>,
    booked: Option<(u64, Booked)>,
    turn: u64,
    maintaining: bool,
}

/// What one write of the journal was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    /// The last record that is durable before it.
    pub(crate) durable: u64,
    /// The last one that is once it has gone well.
    pub(crate) tried: u64,
}

fn clocks(now: u64) -> Clocks {
    Clocks { wall: Timestamp(now), boot: now }
}

fn keys() -> HostKeys {
    let key = |byte: u8| Key128::from_random([byte; 16]);
    let ring = CardRing::new(vec![CardKey::new(KeyId(1), key(2))]).unwrap();
    let vault = CardVault::new(TokenKey::new(key(1)), ring);
    HostKeys { vault, macs: LinkMacs::Off }
}

impl<D: Disk> Hub<D> {
    pub(crate) fn open(disk: D, config: &Config, now: u64) -> Result<Self, HostError> {
        let disk = Shared::new(disk);
        let opened = Host::open(Role::Hub, config, keys(), disk.clone(), clocks(now))?;
        Self::opened(opened, disk, config)
    }

    /// Its ledger is where it is.
    pub(crate) fn open_in(disk: D, config: &Config, outside: &Outside) -> Result<Self, HostError> {
        let open = if outside.cluster.is_some() { Self::open_on_cluster } else { Self::open };
        open(disk, config, outside.now)
    }

    /// The same on the cluster that is outside.
    pub(crate) fn open_on_cluster(disk: D, config: &Config, now: u64) -> Result<Self, HostError> {
        let disk = Shared::new(disk);
        let opened = Host::open_on_cluster(config, keys(), disk.clone(), clocks(now))?;
        Self::opened(opened, disk, config)
    }

    fn opened(
        opened: Opened<Shared<D>>,
        disk: Shared<D>,
        config: &Config,
    ) -> Result<Self, HostError> {
        let Opened { host, writer, recovery, notices, history } = opened;
        let covered = host.covered().expect("a hub has a history");
        let history = match history {
            Some(history) => history.on(disk),
            None => {
                History::open(disk, HubKeys::new(config), covered).map_err(|error| match error {
                    IndexError::Disk(error) => HostError::Journal(OpenError::Disk(error)),
                    IndexError::Damaged { .. } => panic!("{error}"),
                })?
            }
        };
        let unread = notices.iter().filter(|notice| notice.contains("indexes of the journal"));
        Ok(Self {
            host,
            history,
            asks: VecDeque::new(),
            told: Vec::new(),
            read_back: [0; 3],
            forgiven: unread.count() as u64,
            writer,
            recovery,
            flying: None,
            snapshot: None,
            halted: None,
            replies: Vec::new(),
            asked: None,
            booked: None,
            turn: 0,
            maintaining: true,
        })
    }

    /// The last durable record.
    pub(crate) fn durable(&self) -> u64 {
        self.writer.mark().record
    }

    /// Up to which record history can be read back.
    pub(crate) fn covered(&self) -> u64 {
        self.host.covered().expect("a hub has a history")
    }

    pub(crate) fn state_hash(&self) -> u128 {
        self.host.state_hash()
    }

    pub(crate) fn stop(self, now: u64) -> Result<D, Fault> {
        drop(self.history);
        self.writer.stop(now).map(Shared::into_disk)
    }

    /// The shell runs, and the banks call: on a cluster once what is under way there is over, the
    /// founding of the nation too.
    pub(crate) fn start(&mut self, outside: &mut Outside) {
        let mut actions = Vec::new();
        self.host.handle(clocks(outside.now), Event::Started, &mut actions);
        if outside.cluster.is_none() {
            self.connect(outside, &mut actions);
        }
        self.end_turn(actions, outside);
    }

    fn connect(&mut self, outside: &mut Outside, actions: &mut Vec<Action>) {
        for bank in 0..BANKS {
            let conn = bank as u64 + 1;
            let event = Event::Accepted { conn, door: Door::Banks, identity: None };
            self.host.handle(clocks(outside.now), event, actions);
            outside.connected(conn, bank);
        }
    }

    /// One turn: what came is handled, what is free leaves.
    pub(crate) fn turn(&mut self, outside: &mut Outside) {
        outside.now += TURN_NS;
        self.turn += 1;
        let now = outside.now;
        let mut actions = Vec::new();
        if !outside.is_connected() && !self.is_busy() {
            self.connect(outside, &mut actions);
        }
        for told in std::mem::take(&mut self.told) {
            let event = match told {
                Told::Found(number, found) => Event::Found { number, found },
                Told::Indexed(indexed) => Event::Indexed(indexed),
            };
            self.host.handle(clocks(now), event, &mut actions);
        }
        for (conn, bytes) in outside.reads() {
            let event = Event::Received { conn, bytes: &bytes };
            self.host.handle(clocks(now), event, &mut actions);
        }
        // A batch of the cluster's that was not done at once is now, a turn after it was asked for.
        let done = self.asked.take().map(|(number, batch)| (number, outside.book(&batch)));
        if let Some((number, booked)) = self.booked.take().or(done) {
            self.host.handle(clocks(now), Event::Booked { number, booked }, &mut actions);
        }
        if self.host.next_timeout().is_some_and(|at| at <= now) {
            self.host.handle(clocks(now), Event::Timeout, &mut actions);
        }
        self.end_turn(actions, outside);
    }

    fn end_turn(&mut self, mut actions: Vec<Action>, outside: &mut Outside) {
        self.host.end_turn(&mut actions);
        for action in actions {
            match action {
                Action::Send { conn, bytes } => {
                    assert!(self.halted.is_none(), "nothing leaves a role that has stopped");
                    outside.hear(conn, &bytes);
                }
                Action::Commit(batch) => {
                    assert!(self.flying.is_none(), "one batch at a time");
                    self.flying = Some(batch);
                }
                Action::Snapshot { record, body } => self.snapshot = Some((record, body)),
                Action::Reply { reply, .. } => self.replies.push(*reply),
                Action::Halt { what } => self.halted = Some(what),
                Action::Close { conn, why } => panic!("connection {conn} is closed: {why:?}"),
                Action::Book { number, booking } => {
                    assert!(self.asked.is_none() && self.booked.is_none(), "one batch at a time");
                    // If the hub dies now, every other batch was done and nobody has heard of it.
                    match number % 2 {
                        0 => self.booked = Some((number, outside.book(&booking))),
                        _ => self.asked = Some((number, booking)),
                    }
                }
                Action::Find(ask) => self.asks.push_back(ask),
                Action::Dial(_) | Action::Listen { .. } | Action::Log(_) | Action::Stopped => {}
            }
        }
    }

    /// What the next write of the journal would be, with the state that belongs to it: the batch
    /// that is asked for. Every third waits a turn, in which more is decided.
    pub(crate) fn batch(&mut self, hashes: &mut Hashes) -> Option<Write> {
        let batch = self.flying.as_ref()?;
        let durable = self.durable();
        let tried = durable + u64::from(batch.len());
        // Cut at the end of a turn: the state holds all of the batch and nothing more.
        hashes.entry(tried).or_insert_with(|| self.host.state_hash());
        Some(Write { durable, tried })
    }

    /// Makes the batch durable, without telling anybody.
    pub(crate) fn append(&mut self) -> Result<Batch, Fault> {
        let mut batch = self.flying.take().expect("a batch was asked for");
        self.writer.append(&mut batch)?;
        Ok(batch)
    }

    pub(crate) fn committed(&mut self, batch: Batch, outside: &mut Outside) {
        let room_ahead = self.writer.has_room_ahead();
        let mut actions = Vec::new();
        let event = Event::Committed { batch, room_ahead };
        self.host.handle(clocks(outside.now), event, &mut actions);
        self.end_turn(actions, outside);
    }

    pub(crate) fn disk_failed(&mut self, fault: &Fault, outside: &mut Outside) {
        let mut actions = Vec::new();
        let event = Event::DiskFailed { what: fault.to_string() };
        self.host.handle(clocks(outside.now), event, &mut actions);
        let told = actions.iter().any(|action| matches!(action, Action::Halt { .. }));
        assert!(told, "the role stops: {fault}");
        let left = actions.iter().filter(|action| matches!(action, Action::Send { .. })).count();
        assert_eq!(left, 0, "nothing leaves after the disk has failed");
        self.end_turn(actions, outside);
    }

    /// A turn, the write behind it and what can wait; nothing goes wrong.
    pub(crate) fn serve(
        &mut self,
        outside: &mut Outside,
        hashes: &mut Hashes,
    ) -> Result<(), Fault> {
        outside.open_doors();
        if self.batch(hashes).is_some() {
            let batch = self.append()?;
            self.committed(batch, outside);
            self.wake();
        }
        self.keep(outside.now)?;
        self.turn(outside);
        Ok(())
    }

    /// What can wait, as the commit thread does it: head, next segment, snapshot.
    pub(crate) fn keep(&mut self, now: u64) -> Result<(), Fault> {
        if let Some((record, body)) = self.snapshot.take() {
            forgive(self.writer.begin_snapshot(record, now, body))?;
            self.maintaining = true;
        }
        self.writer.publish_head(now)?;
        if self.maintaining {
            let more = self.writer.maintain();
            self.maintaining = matches!(more, Ok(Work::More));
            forgive(more.map(|_| ()))?;
        }
        self.read_back();
        Ok(())
    }

    /// What the history thread does meanwhile: questions first, then an index. An error costs a
    /// look-up or a while, never a payment.
    fn read_back(&mut self) {
        while let Some(ask) = self.asks.pop_front() {
            let found = self.history.find(&ask);
            self.forgiven += u64::from(found.is_err());
            self.read_back[1] += 1;
            self.read_back[2] += found.as_ref().map_or(0, Vec::len) as u64;
            let found = found.map_err(|error| error.to_string());
            self.told.push(Told::Found(ask.number, found));
        }
        loop {
            match self.history.step() {
                Ok(Step::More) => {}
                Ok(Step::Idle) => return,
                Ok(Step::Indexed(indexed)) => {
                    self.read_back[0] += 1;
                    return self.told.push(Told::Indexed(indexed));
                }
                Err(_) => {
                    self.forgiven += 1;
                    return;
                }
            }
        }
    }

    /// After a commit there may be something to do again.
    pub(crate) fn wake(&mut self) {
        self.maintaining = true;
    }

    /// Whether a batch is under way, or something from history.
    pub(crate) fn is_busy(&self) -> bool {
        let books = self.asked.is_some() || self.booked.is_some();
        self.flying.is_some() || books || !self.asks.is_empty() || !self.told.is_empty()
    }

    fn ask(&mut self, query: Query, outside: &mut Outside) -> Reply {
        let mut actions = Vec::new();
        let event = Event::Query { ticket: 1, query };
        self.host.handle(clocks(outside.now), event, &mut actions);
        self.end_turn(actions, outside);
        self.replies.pop().expect("an idle hub answers at once")
    }

    /// What the hub says of its accounts.
    pub(crate) fn accounts(&mut self, outside: &mut Outside) -> Vec<AccountView> {
        match self.ask(Query::Accounts, outside) {
            Reply::Accounts(accounts) => accounts,
            other => panic!("{other:?}"),
        }
    }

    /// And of the newest of its payments.
    pub(crate) fn payments(&mut self, outside: &mut Outside) -> Vec<PaymentView> {
        let filter = PaymentFilter { limit: 200, ..PaymentFilter::default() };
        match self.ask(Query::Payments(filter), outside) {
            Reply::Payments(page) => page.payments,
            other => panic!("{other:?}"),
        }
    }

    /// What the hub says when it is asked for a payment by its DE37, and whether history was asked.
    pub(crate) fn find(
        &mut self,
        rrn: &str,
        readable: bool,
        outside: &mut Outside,
    ) -> (PaymentPage, bool) {
        let filter =
            PaymentFilter { rrn: Some(rrn.to_owned()), limit: 9, ..PaymentFilter::default() };
        let mut actions = Vec::new();
        let event = Event::Query { ticket: 1, query: Query::Payments(filter) };
        self.host.handle(clocks(outside.now), event, &mut actions);
        self.end_turn(actions, outside);
        let asked = self.asks.pop_front();
        if let Some(ask) = &asked {
            let found = self.history.find(ask).map_err(|error| error.to_string());
            let found = if readable { found } else { Err("the disk is gone".to_owned()) };
            let mut actions = Vec::new();
            let event = Event::Found { number: ask.number, found };
            self.host.handle(clocks(outside.now), event, &mut actions);
            self.end_turn(actions, outside);
        }
        match self.replies.pop() {
            Some(Reply::Payments(page)) => (page, asked.is_some()),
            other => panic!("{other:?}"),
        }
    }

    /// The hub's books against everybody else's.
    pub(crate) fn audit(&mut self, outside: &mut Outside, case: &str) {
        let expected = outside.positions(case);
        assert_eq!(outside.holds(), 0, "{case}: holds stand at issuers");
        let Reply::Overview(overview) = self.ask(Query::Overview, outside) else { panic!() };
        assert_eq!((overview.saf_depth, overview.in_flight), (0, 0), "{case}");
        let accounts = self.accounts(outside);
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let mut sum = 0;
        for account in &accounts {
            sum += minor(&account.balance);
            let pending = (account.debits_pending.as_str(), account.credits_pending.as_str());
            assert_eq!(pending, ("0.00", "0.00"), "{case}: {account:?}");
        }
        assert_eq!(sum, 0, "{case}: money is conserved");
        for (owner, position) in expected {
            let own = accounts.iter().filter(|account| account.owner == owner);
            let own = own.filter(|account| ["position", "cap"].contains(&account.kind.as_str()));
            let found: i64 = own.map(|account| minor(&account.balance)).sum();
            assert_eq!(found, position, "{case}: position of {owner}");
        }
        let mut own: Vec<i64> = accounts.iter().map(|account| minor(&account.balance)).collect();
        let Some(mut theirs) = outside.at_cluster() else { return };
        own.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(own, theirs, "{case}: the hub's books and the cluster's");
    }
}

/// What the commit thread forgives: no room for what can wait.
fn forgive(done: Result<(), Fault>) -> Result<(), Fault> {
    match done {
        Err(Fault::NoSpace | Fault::SnapshotAhead { .. } | Fault::SnapshotBusy) => Ok(()),
        other => other,
    }
}
