//! Hub, one station and the example's four banks, wired in memory.

use std::collections::{BTreeMap, VecDeque};

use host::offline::{Offline, VerifyReport};
use host::poison::Poisons;
use host::story::{Gatherer, Story};
use host::view::{Overview, PaymentFilter, PaymentView, Query, Reply};
use host::{
    Action, Clocks, Config, Door, Event, Health, Host, HostError, HostKeys, LinkMacs, LogLine,
    Opened, Peer, PeerName, ProbeCard, Role,
};
use interchange::Session;
use journal::Writer;
use journal::sim_disk::SimDisk;
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, LinkMac, TokenKey};
use parties::BankHost;
use parties::bank::BankConfig;
use scheme::{Mti, ParticipantId, StationId, Timestamp};
use switch::history::Indexed;
use wire::frame::{Deframer, Framing, write_frame};
use wire::iso8583::{Dialect, Message};

const HUB: usize = 0;
const STATION: usize = 1;
const FIRST_BANK: usize = 2;

enum Machine {
    Host { host: Box<Host>, writer: Writer<SimDisk> },
    Bank { bank: Box<BankHost> },
    Terminal { deframer: Deframer, answers: VecDeque<Message> },
}

/// A pipe between two machines; each side knows it by the same number.
struct Pipe {
    ends: [usize; 2],
}

pub(crate) struct World {
    pub(crate) config: Config,
    now: u64,
    machines: Vec<Option<Machine>>,
    pipes: BTreeMap<u64, Pipe>,
    next_pipe: u64,
    wire: VecDeque<(usize, u64, Vec<u8>)>,
    muted: bool,
    stifled: bool,
    /// What a role was told last of each connection that it was told of: whether to read it.
    listening: BTreeMap<u64, bool>,
    no_room: bool,
    /// Every line of every role's log, with whose it is.
    logs: Vec<(usize, LogLine)>,
    replies: Vec<Reply>,
    /// Links of banks have MACs and identities, as behind TLS.
    secured: bool,
    /// So many frames of banks' hosts lose a bit on their way to the hub.
    pub(crate) to_damage: u32,
}

/// The two sides of a bank's link.
fn macs(bank: ParticipantId) -> (LinkMac, LinkMac) {
    let key = |direction: u8| {
        let mut key = [direction; 16];
        key[..8].copy_from_slice(&bank.get().to_be_bytes());
        Key128::from_random(key)
    };
    (LinkMac::hub_side(&key(1), &key(2)), LinkMac::bank_side(&key(1), &key(2)))
}

pub(crate) fn vault() -> CardVault {
    let key = |byte: u8| Key128::from_random([byte; 16]);
    let ring = CardRing::new(vec![CardKey::new(KeyId(1), key(2))]).unwrap();
    CardVault::new(TokenKey::new(key(1)), ring)
}

pub(crate) fn field(message: &Message, de: u8) -> &str {
    message.text(de).unwrap_or("")
}

impl World {
    pub(crate) fn start() -> Self {
        Self::begin(false, |_| {}, |_| {})
    }

    /// With a configuration changed in this way.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::begin(false, change, |_| {})
    }

    /// With certificates and MACs on trunk and bank links.
    pub(crate) fn secured() -> Self {
        Self::begin(true, |_| {}, |_| {})
    }

    /// With banks changed in this way.
    pub(crate) fn with_banks(change: impl Fn(&mut BankConfig)) -> Self {
        Self::begin(false, |_| {}, change)
    }

    fn begin(
        secured: bool,
        change: impl FnOnce(&mut Config),
        of_bank: impl Fn(&mut BankConfig),
    ) -> Self {
        let mut config = Config::example();
        change(&mut config);
        config.journal.hub_segment_bytes = 64 * 1024;
        config.journal.segment_bytes = 64 * 1024;
        let mut world = Self {
            config,
            now: 1_795_330_800_000_000_000,
            machines: Vec::new(),
            pipes: BTreeMap::new(),
            next_pipe: 1,
            wire: VecDeque::new(),
            muted: false,
            stifled: false,
            listening: BTreeMap::new(),
            no_room: false,
            logs: Vec::new(),
            replies: Vec::new(),
            secured,
            to_damage: 0,
        };
        for role in [Role::Hub, Role::Station(StationId(1))] {
            let machine = world.open(role, SimDisk::new(7));
            world.machines.push(Some(machine));
        }
        let banks: Vec<_> = world.config.participants.iter().map(|p| (p.id, p.iins[0])).collect();
        for (id, iin) in banks {
            let mac = secured.then(|| macs(id).1);
            let mut config = BankConfig { connections: 1, mac, ..BankConfig::example(id, iin, 1) };
            of_bank(&mut config);
            let bank = Box::new(BankHost::new(config));
            world.machines.push(Some(Machine::Bank { bank }));
        }
        world.event(HUB, Event::Started);
        world.event(STATION, Event::Started);
        world.pass(5000);
        let overview = world.overview();
        assert!(overview.banks.iter().all(|bank| bank.state == "signed_on"), "{overview:?}");
        assert_eq!(overview.peers[0].state, "up");
        world
    }

    fn clocks(&self) -> Clocks {
        Clocks { wall: Timestamp(self.now), boot: self.now }
    }

    fn keys(&self) -> HostKeys {
        let banks = self.config.participants.iter().map(|bank| (bank.id, macs(bank.id).0));
        let macs = if self.secured { LinkMacs::On(banks.collect()) } else { LinkMacs::Off };
        HostKeys { vault: vault(), macs }
    }

    fn open(&self, role: Role, disk: SimDisk) -> Machine {
        let keys = self.keys();
        let Opened { host, writer, notices, .. } =
            Host::open(role, &self.config, keys, disk, self.clocks()).unwrap();
        assert!(notices.iter().all(|notice| !notice.contains("differs")), "{notices:?}");
        Machine::Host { host: Box::new(host), writer }
    }

    fn event(&mut self, at: usize, event: Event<'_>) {
        let clocks = self.clocks();
        let Some(Machine::Host { host, .. }) = self.machines[at].as_mut() else { return };
        let mut actions = Vec::new();
        host.handle(clocks, event, &mut actions);
        host.end_turn(&mut actions);
        for action in actions {
            self.act(at, action);
        }
    }

    fn act(&mut self, at: usize, action: Action) {
        match action {
            Action::Dial(Peer::HubTrunk) => {
                let pipe = self.pipe(at, HUB);
                self.event(HUB, Event::Accepted { conn: pipe, door: Door::Trunk, identity: None });
                self.event(at, Event::Dialled { conn: pipe, peer: Peer::HubTrunk, identity: None });
            }
            Action::Send { conn, bytes } => self.wire.push_back((at, conn, bytes)),
            Action::Close { conn, .. } => self.cut(conn),
            // What is sent is here at once: a role that does not listen keeps it itself.
            Action::Listen { conn, on } => {
                self.listening.insert(conn, on);
            }
            Action::Commit(mut batch) => {
                if let Some(Machine::Host { writer, .. }) = self.machines[at].as_mut() {
                    writer.append(&mut batch).unwrap();
                    self.event(at, Event::Committed { batch, room_ahead: !self.no_room });
                }
            }
            Action::Reply { reply, .. } => self.replies.push(*reply),
            Action::Halt { what } => panic!("{what}"),
            Action::Log(line) => self.logs.push((at, line)),
            Action::Find(ask) => panic!("no segment was indexed, so nothing is looked up: {ask:?}"),
            Action::Book { .. } => panic!("the ledger is the hub's own"),
            Action::Snapshot { .. } | Action::Stopped => {}
        }
    }

    fn pipe(&mut self, one: usize, other: usize) -> u64 {
        let pipe = self.next_pipe;
        self.next_pipe += 1;
        self.pipes.insert(pipe, Pipe { ends: [one, other] });
        pipe
    }

    pub(crate) fn cut(&mut self, pipe: u64) {
        let Some(Pipe { ends }) = self.pipes.remove(&pipe) else { return };
        for end in ends {
            self.event(end, Event::Closed { conn: pipe });
            self.bank_event(end, parties::Event::Closed { conn: parties::ConnId(pipe) });
        }
    }

    fn bank_event(&mut self, at: usize, event: parties::Event<'_>) {
        let now = Timestamp(self.now);
        let Some(Machine::Bank { bank }) = self.machines[at].as_mut() else { return };
        let mut actions = Vec::new();
        bank.handle(now, event, &mut actions);
        for action in actions {
            match action {
                parties::Action::Dial(_) => {
                    let pipe = self.pipe(at, HUB);
                    let bank = self.config.participants[at - FIRST_BANK].id;
                    let identity = self.secured.then_some(PeerName::Bank(bank));
                    self.event(HUB, Event::Accepted { conn: pipe, door: Door::Banks, identity });
                    let conn = parties::ConnId(pipe);
                    self.bank_event(at, parties::Event::Connected { conn });
                }
                parties::Action::Send { conn, bytes } => {
                    self.wire.push_back((at, conn.0, bytes));
                }
                parties::Action::Close { conn } => self.cut(conn.0),
                parties::Action::Commit(_) => self.bank_event(at, parties::Event::Committed),
            }
        }
    }

    /// Everything on the wire arrives.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some((from, pipe, bytes)) = self.wire.pop_front() else { return };
            let Some(ends) = self.pipes.get(&pipe).map(|p| p.ends) else { continue };
            let to = if ends[0] == from { ends[1] } else { ends[0] };
            if self.muted && matches!(self.machines[to], Some(Machine::Bank { .. })) {
                continue;
            }
            let mut bytes = bytes;
            if self.to_damage > 0 && matches!(self.machines[from], Some(Machine::Bank { .. })) {
                self.to_damage -= 1;
                // A digit of the MAC: the message itself stays readable.
                let last = bytes.len() - 1;
                bytes[last] = if bytes[last] == b'0' { b'1' } else { b'0' };
            }
            if self.stifled && from < FIRST_BANK && to < FIRST_BANK {
                continue;
            }
            self.event(to, Event::Received { conn: pipe, bytes: &bytes });
            let conn = parties::ConnId(pipe);
            self.bank_event(to, parties::Event::Received { conn, bytes: &bytes });
            if let Some(Machine::Terminal { deframer, answers }) = self.machines[to].as_mut() {
                deframer.push(&bytes);
                let dialect = Dialect::builtin("iso87-ascii").unwrap();
                while let Some(frame) = deframer.next().unwrap() {
                    answers.push_back(dialect.decode(frame).unwrap());
                }
            }
        }
        panic!("the wire never falls silent");
    }

    /// Time passes, in steps of 10 ms.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += 10_000_000;
            for at in 0..self.machines.len() {
                let due = match self.machines[at].as_ref() {
                    Some(Machine::Host { host, .. }) => host.next_timeout(),
                    Some(Machine::Bank { bank }) => bank.next_timeout().map(|at| at.0),
                    Some(Machine::Terminal { .. }) | None => None,
                };
                if due.is_some_and(|due| due <= self.now) {
                    self.event(at, Event::Timeout);
                    self.bank_event(at, parties::Event::Timeout);
                }
            }
            self.settle();
        }
    }

    pub(crate) fn terminal(&mut self) -> u64 {
        let at = self.machines.len();
        let deframer = Deframer::new(Framing::Be2, 8192);
        self.machines.push(Some(Machine::Terminal { deframer, answers: VecDeque::new() }));
        let pipe = self.pipe(at, STATION);
        self.event(STATION, Event::Accepted { conn: pipe, door: Door::Terminals, identity: None });
        pipe
    }

    /// A connection at the banks' door, worked by the test itself.
    pub(crate) fn bank_line(&mut self) -> u64 {
        self.bank_line_at(Door::Banks, None)
    }

    /// A connection of the test's own at any door of the hub, under a certificate.
    pub(crate) fn under_certificate(&mut self, door: Door, identity: PeerName) -> u64 {
        let pipe = self.bank_line_at(door, Some(identity));
        self.settle();
        pipe
    }

    fn bank_line_at(&mut self, door: Door, identity: Option<PeerName>) -> u64 {
        let at = self.machines.len();
        let deframer = Deframer::new(Framing::Be2, 8192);
        self.machines.push(Some(Machine::Terminal { deframer, answers: VecDeque::new() }));
        let role = if door == Door::Terminals { STATION } else { HUB };
        let pipe = self.pipe(at, role);
        self.event(role, Event::Accepted { conn: pipe, door, identity });
        pipe
    }

    /// The message as that bank signs it, framed.
    pub(crate) fn signed(&self, bank: ParticipantId, message: &Message) -> Vec<u8> {
        let mut session = Session::new(vec![Dialect::builtin("iso87-ascii").unwrap()], 1);
        session.authenticate(macs(bank).1);
        let mut bytes = Vec::new();
        session.frame(message, &mut bytes);
        bytes
    }

    /// What comes on a connection of the test's own is not looked at from here on.
    pub(crate) fn deafen(&mut self, line: u64) {
        let at = self.pipes[&line].ends[0];
        self.machines[at] = None;
    }

    /// A counter of the hub.
    pub(crate) fn metric(&mut self, name: &str) -> u64 {
        match self.query(Query::Metrics) {
            Reply::Metrics(metrics) => {
                metrics.iter().find(|metric| metric.name == name).unwrap().value
            }
            other => panic!("{other:?}"),
        }
    }

    /// The same, signed on as a bank.
    pub(crate) fn signed_on(&mut self, bank: &str) -> u64 {
        let line = self.bank_line();
        let answer = self.ask(line, &self.sign_on(bank));
        assert_eq!(field(&answer, 39), "00", "{answer:?}");
        line
    }

    pub(crate) fn sign_on(&self, bank: &str) -> Message {
        let mut message = self.base(800, "000001");
        message.set(32, bank.as_bytes());
        message.set(70, b"001");
        message
    }

    /// The next message on a connection of the test's own, if one came.
    pub(crate) fn next(&mut self, line: u64) -> Option<Message> {
        let at = self.pipes.get(&line)?.ends[0];
        match self.machines[at].as_mut() {
            Some(Machine::Terminal { answers, .. }) => answers.pop_front(),
            Some(Machine::Host { .. } | Machine::Bank { .. }) | None => None,
        }
    }

    pub(crate) fn framed(&self, message: &Message) -> Vec<u8> {
        let (mut payload, mut framed) = (Vec::new(), Vec::new());
        Dialect::builtin("iso87-ascii").unwrap().encode(message, &mut payload).unwrap();
        write_frame(Framing::Be2, &payload, &mut framed).unwrap();
        framed
    }

    pub(crate) fn send(&mut self, terminal: u64, message: &Message) {
        let framed = self.framed(message);
        self.raw(terminal, &framed);
    }

    /// Bytes as they are, from a terminal.
    pub(crate) fn raw(&mut self, terminal: u64, bytes: &[u8]) {
        let from = self.pipes[&terminal].ends[0];
        self.wire.push_back((from, terminal, bytes.to_vec()));
    }

    /// Answers that a terminal has not looked at.
    pub(crate) fn answered(&self, terminal: u64) -> usize {
        let at = self.pipes[&terminal].ends[0];
        match &self.machines[at] {
            Some(Machine::Terminal { answers, .. }) => answers.len(),
            Some(Machine::Host { .. } | Machine::Bank { .. }) | None => 0,
        }
    }

    pub(crate) fn is_open(&self, pipe: u64) -> bool {
        self.pipes.contains_key(&pipe)
    }

    pub(crate) fn ask(&mut self, terminal: u64, message: &Message) -> Message {
        self.send(terminal, message);
        self.settle();
        let at = self.pipes[&terminal].ends[0];
        for _ in 0..100 {
            if let Some(Machine::Terminal { answers, .. }) = self.machines[at].as_mut()
                && let Some(answer) = answers.pop_front()
            {
                return answer;
            }
            self.pass(100);
        }
        panic!("no answer to {message:?}");
    }

    fn base(&self, mti: u16, stan: &str) -> Message {
        let now = Timestamp(self.now);
        let mut message = Message::new(Mti::new(mti).unwrap());
        message.set(7, now.month_time().to_string().as_bytes());
        message.set(11, stan.as_bytes());
        message
    }

    pub(crate) fn echo(&self, stan: &str) -> Message {
        let mut message = self.base(800, stan);
        message.set(70, b"301");
        message
    }

    pub(crate) fn purchase(&self, stan: &str, pan: &str, amount: &str) -> Message {
        let local = self.config.zone.local(Timestamp(self.now)).month_time().to_string();
        let mut message = self.base(200, stan);
        message.set(2, pan.as_bytes());
        message.set(3, b"000000");
        message.set(4, amount.as_bytes());
        message.set(12, &local.as_bytes()[4..]);
        message.set(13, &local.as_bytes()[..4]);
        message.set(14, b"3112");
        message.set(32, b"100001");
        message.set(41, b"PYO00001");
        message.set(42, b"PYO-SHOP-000001");
        message.set(49, b"408");
        message
    }

    pub(crate) fn reversal_of(&self, original: &Message, stan: &str) -> Message {
        let mut reversal = self.base(420, stan);
        for de in [2, 3, 4, 32, 41, 42, 49] {
            reversal.set(de, original.get(de).unwrap());
        }
        reversal.set(39, b"17");
        let data = format!(
            "0200{}{}{:0>11}{:011}",
            field(original, 11),
            field(original, 7),
            field(original, 32),
            0
        );
        reversal.set(90, data.as_bytes());
        reversal
    }

    pub(crate) fn card(&self, bank: usize, account: u32) -> String {
        let iin = self.config.participants[bank - 1].iins[0];
        let pan = parties::bank::pan(iin, account).unwrap();
        String::from_utf8(pan.digits().to_vec()).unwrap()
    }

    fn query(&mut self, query: Query) -> Reply {
        self.event(HUB, Event::Query { ticket: 1, query });
        self.replies.pop().unwrap()
    }

    /// What the shell knows of the machines of hub and station.
    pub(crate) fn health(&mut self, health: Health) {
        self.event(HUB, Event::Health(health));
        self.event(STATION, Event::Health(health));
    }

    /// The trunk carries nothing any more, in neither direction, and nobody is told.
    pub(crate) fn stifle_trunk(&mut self, stifled: bool) {
        self.stifled = stifled;
    }

    /// The station's process stands still: it hears and says nothing, and no connection closes.
    pub(crate) fn freeze_station(&mut self) {
        self.machines[STATION] = None;
    }

    /// Values of the hub's log lines of an event, in order.
    pub(crate) fn logged(&self, event: &str) -> Vec<&[(&'static str, String)]> {
        let lines = self.logs.iter().filter(|(at, line)| *at == HUB && line.event == event);
        lines.map(|(_, line)| line.values.as_slice()).collect()
    }

    /// What the station says of itself.
    pub(crate) fn station_overview(&mut self) -> Overview {
        self.event(STATION, Event::Query { ticket: 1, query: Query::Overview });
        match self.replies.pop().unwrap() {
            Reply::Overview(overview) => overview,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn overview(&mut self) -> Overview {
        match self.query(Query::Overview) {
            Reply::Overview(overview) => overview,
            other => panic!("{other:?}"),
        }
    }

    /// The own book of a bank: 1 is First Bank.
    pub(crate) fn book(&self, bank: usize) -> &parties::bank::Book {
        match &self.machines[STATION + bank] {
            Some(Machine::Bank { bank }) => bank.book(),
            Some(Machine::Host { .. } | Machine::Terminal { .. }) | None => panic!("no bank"),
        }
    }

    /// A bank is taken off the wire for good.
    pub(crate) fn cut_bank(&mut self, bank: usize) {
        let at = STATION + bank;
        let own = self.pipes.iter().filter(|(_, pipe)| pipe.ends.contains(&at));
        let pipes: Vec<u64> = own.map(|(pipe, _)| *pipe).collect();
        self.machines[at] = None;
        for pipe in pipes {
            self.cut(pipe);
        }
    }

    pub(crate) fn bank(&mut self, bank: usize) -> &mut BankHost {
        match &mut self.machines[STATION + bank] {
            Some(Machine::Bank { bank }) => bank,
            Some(Machine::Host { .. } | Machine::Terminal { .. }) | None => panic!("no bank"),
        }
    }

    pub(crate) fn findings(&mut self) -> u64 {
        self.overview().findings
    }

    pub(crate) fn owed(&mut self) -> u64 {
        self.overview().saf_depth
    }

    /// What an account holds, a position without its cap.
    pub(crate) fn balance(&mut self, owner: &str, kind: &str) -> String {
        let Reply::Accounts(accounts) = self.query(Query::Accounts) else { panic!() };
        let minor = |kind: &str| {
            let account = accounts.iter().find(|a| a.owner == owner && a.kind == kind).unwrap();
            account.balance.replace('.', "").parse::<i128>().unwrap()
        };
        self.config.currency.format(minor(kind) + minor("cap"))
    }

    pub(crate) fn pending(&mut self, owner: &str) -> String {
        let Reply::Accounts(accounts) = self.query(Query::Accounts) else { panic!() };
        let position = accounts.iter().find(|a| a.owner == owner && a.kind == "position");
        position.unwrap().debits_pending.clone()
    }

    /// What the station died of.
    pub(crate) fn refuse_at_station(&mut self, poisons: Poisons) {
        self.refuse(STATION, poisons);
    }

    /// What the hub died of.
    pub(crate) fn refuse_at_hub(&mut self, poisons: Poisons) {
        self.refuse(HUB, poisons);
    }

    fn refuse(&mut self, at: usize, poisons: Poisons) {
        match self.machines[at].as_mut() {
            Some(Machine::Host { host, .. }) => host.refuse(poisons),
            Some(Machine::Bank { .. } | Machine::Terminal { .. }) | None => panic!("no role"),
        }
    }

    /// The station makes synthetic payments with these cards.
    pub(crate) fn probe_with(&mut self, cards: Vec<ProbeCard>) {
        match self.machines[STATION].as_mut() {
            Some(Machine::Host { host, .. }) => host.probe_with(cards),
            Some(Machine::Bank { .. } | Machine::Terminal { .. }) | None => panic!("no role"),
        }
    }

    /// The station loses its memory and its connections, and starts again on its disk.
    pub(crate) fn restart_station(&mut self) {
        self.restart(STATION, Role::Station(StationId(1)));
    }

    /// What the shell was told last of a connection, if anything.
    pub(crate) fn listening(&self, line: u64) -> Option<bool> {
        self.listening.get(&line).copied()
    }

    /// An index tells the hub that all there is can be read back.
    pub(crate) fn indexed(&mut self) {
        let record = self.metric("bongsu_journal_records_total");
        self.event(HUB, Event::Indexed(Indexed { record, ..Indexed::default() }));
    }

    /// Whether the journals have no space one segment ahead.
    pub(crate) fn no_room_ahead(&mut self, none: bool) {
        self.no_room = none;
    }

    pub(crate) fn mute_banks(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// A bank's host dies, and its connections with it.
    pub(crate) fn kill_bank(&mut self, bank: usize) {
        let at = FIRST_BANK + bank - 1;
        self.machines[at] = None;
        let pipes = self.pipes.iter().filter(|(_, pipe)| pipe.ends.contains(&at));
        for pipe in pipes.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.cut(pipe);
        }
    }

    /// The hub loses its memory and its connections, and starts again on its disk.
    pub(crate) fn restart_hub(&mut self) {
        self.restart(HUB, Role::Hub);
        self.pass(3000);
    }

    fn restart(&mut self, at: usize, role: Role) {
        let Some(Machine::Host { writer, .. }) = self.machines[at].take() else { panic!() };
        let pipes: Vec<u64> =
            self.pipes.iter().filter(|(_, p)| p.ends.contains(&at)).map(|(n, _)| *n).collect();
        self.machines[at] = Some(self.open(role, writer.into_disk()));
        for pipe in pipes {
            self.cut(pipe);
        }
        self.event(at, Event::Started);
    }

    /// The hub's disk after a clean stop, or after a kill, and the hash of its last state.
    pub(crate) fn take_hub(&mut self, cleanly: bool) -> (SimDisk, u128) {
        let Some(Machine::Host { host, mut writer }) = self.machines[HUB].take() else { panic!() };
        let live = host.state_hash();
        let disk = if cleanly {
            writer.stop(self.now).unwrap()
        } else {
            // The head is older than the last frame, as it is up to 100 ms after every frame.
            writer.disk_mut().kill();
            writer.into_disk()
        };
        (disk, live)
    }

    /// Payments that the hub knows, newest first.
    pub(crate) fn payments(&mut self) -> Vec<PaymentView> {
        self.payments_that(PaymentFilter { limit: 50, ..PaymentFilter::default() })
    }

    /// Payments that fit, newest first.
    pub(crate) fn payments_that(&mut self, filter: PaymentFilter) -> Vec<PaymentView> {
        match self.query(Query::Payments(filter)) {
            Reply::Payments(page) => page.payments,
            other => panic!("{other:?}"),
        }
    }

    /// A payment's story, out of the journal of the hub, which is stopped for it.
    pub(crate) fn story(&mut self, payment: PaymentView) -> Story {
        let (mut disk, _) = self.take_hub(true);
        let mut gatherer = Gatherer::new(payment, self.config.currency).unwrap();
        journal::scan(&mut disk, gatherer.from_ns(), &mut |record| gatherer.take(&record)).unwrap();
        gatherer.finish()
    }

    /// What a verification of a disk finds.
    pub(crate) fn verify(&self, disk: &mut SimDisk) -> VerifyReport {
        self.read(disk).report().clone()
    }

    pub(crate) fn read(&self, disk: &mut SimDisk) -> Offline {
        Offline::read(&self.config, disk, false).unwrap()
    }

    /// The state that the records up to this one make, as a snapshot would hold it.
    pub(crate) fn state_after(&self, disk: &mut SimDisk, record: u64) -> Vec<u8> {
        let mut state = Vec::new();
        Offline::read_steps(&self.config, disk, false, &mut |step| {
            if step.number() == record {
                state = step.state();
            }
            Ok(())
        })
        .unwrap();
        state
    }

    /// Opens a hub on a disk, as a start does.
    pub(crate) fn reopen(&self, disk: SimDisk) -> Result<Opened<SimDisk>, HostError> {
        let keys = self.keys();
        Host::open(Role::Hub, &self.config, keys, disk, self.clocks())
    }

    /// The journal alone gives the same state as the live hub has, and nothing is wrong with it.
    pub(crate) fn audit(&mut self) {
        let (mut disk, live) = self.take_hub(true);
        let offline = self.read(&mut disk);
        assert!(offline.report().ok, "{:?}", offline.report());
        assert_eq!(offline.state_hash(), live, "live state and replayed state differ");
    }
}
