//! What drives a party in a test: connections, a journal in memory, a clock.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use journal::{Batch, RecordView};
use parties::bank::{self, BankConfig, BankHost};
use parties::{Action, ConnId, Event, Shop};
use scheme::{Iin, Mti, ParticipantId, Timestamp};
use wire::frame::{Deframer, Framing, write_frame};
use wire::iso8583::{Dialect, Message};

pub const START: Timestamp = Timestamp::from_s(1_790_000_000);

pub enum Party {
    Bank(Box<BankHost>),
    Shop(Box<Shop>),
}

/// One journalled record: kind, version, payload.
pub type Kept = (u8, u8, Vec<u8>);

pub struct Rig {
    pub party: Party,
    pub now: Timestamp,
    pub journal: Vec<Kept>,
    /// The batch that the disk has not confirmed.
    pub in_flight: Option<Vec<Kept>>,
    /// Whether the disk confirms at once.
    pub disk_works: bool,
    /// Whether dials succeed.
    pub peer_is_up: bool,
    /// Whether the peer answers sign-ons and echoes.
    pub peer_answers: bool,
    pub dials: Vec<Timestamp>,
    pub closed: Vec<ConnId>,
    pub sent: Vec<(Timestamp, ConnId, Message)>,
    pub lines: BTreeMap<ConnId, Deframer>,
    next_conn: u64,
}

impl Rig {
    pub fn new(party: Party) -> Self {
        Self {
            party,
            now: START,
            journal: Vec::new(),
            in_flight: None,
            disk_works: true,
            peer_is_up: true,
            peer_answers: true,
            dials: Vec::new(),
            closed: Vec::new(),
            sent: Vec::new(),
            lines: BTreeMap::new(),
            next_conn: 1,
        }
    }

    /// A signed-on bank of the example nation.
    pub fn bank(change: impl FnOnce(&mut BankConfig)) -> Self {
        let mut rig = Self::new(Party::Bank(Box::new(BankHost::new(config(change)))));
        rig.advance(1);
        rig.sent.clear();
        rig
    }

    /// The same bank after a crash: what was durable is replayed, the rest is gone.
    pub fn crashed(&self) -> Self {
        let mut host = BankHost::new(self.host().config().clone());
        for (place, (kind, version, payload)) in self.journal.iter().enumerate() {
            let view = RecordView {
                number: place as u64 + 1,
                frame: 1,
                epoch: 1,
                time_ns: 0,
                kind: *kind,
                version: *version,
                payload,
            };
            host.replay(&view).unwrap();
        }
        let mut rig = Self::new(Party::Bank(Box::new(host)));
        rig.now = self.now;
        rig.journal = self.journal.clone();
        rig.advance(1);
        rig.sent.clear();
        rig
    }

    pub fn host(&self) -> &BankHost {
        match &self.party {
            Party::Bank(host) => host,
            Party::Shop(_) => panic!("not a bank"),
        }
    }

    pub fn host_mut(&mut self) -> &mut BankHost {
        match &mut self.party {
            Party::Bank(host) => host,
            Party::Shop(_) => panic!("not a bank"),
        }
    }

    pub fn shop(&mut self) -> &mut Shop {
        match &mut self.party {
            Party::Shop(shop) => shop,
            Party::Bank(_) => panic!("not a shop"),
        }
    }

    pub fn balance(&self, account: u32) -> i64 {
        self.host().book().account(account).unwrap().balance
    }

    pub fn event(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        match &mut self.party {
            Party::Bank(host) => host.handle(self.now, event, &mut out),
            Party::Shop(shop) => shop.handle(self.now, event, &mut out),
        }
        for action in out {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial(_) => {
                self.dials.push(self.now);
                let conn = ConnId(self.next_conn);
                self.next_conn += 1;
                if self.peer_is_up {
                    let deframer = Deframer::new(Framing::Be2, 65_535);
                    self.lines.insert(conn, deframer);
                    self.event(Event::Connected { conn });
                } else {
                    self.event(Event::Closed { conn });
                }
            }
            Action::Send { conn, bytes } => self.take(conn, &bytes),
            Action::Close { conn } => {
                self.lines.remove(&conn);
                self.closed.push(conn);
            }
            Action::Commit(batch) => {
                assert!(self.in_flight.is_none(), "two batches in flight");
                self.in_flight = Some(records(&batch));
                if self.disk_works {
                    self.commit();
                }
            }
        }
    }

    /// The disk confirms the batch in flight.
    pub fn commit(&mut self) {
        self.journal.extend(self.in_flight.take().unwrap());
        self.event(Event::Committed);
    }

    fn take(&mut self, conn: ConnId, bytes: &[u8]) {
        let line = self.lines.get_mut(&conn).expect("sent on an open line");
        line.push(bytes);
        let payload = line.next().unwrap().unwrap().to_vec();
        let message = dialect().decode(&payload).unwrap();
        let asks = message.mti() == mti(800);
        self.sent.push((self.now, conn, message.clone()));
        if asks && self.peer_answers {
            self.receive_on(conn, &network_answer(&message, "00"));
        }
    }

    pub fn receive_on(&mut self, conn: ConnId, message: &Message) {
        let mut payload = Vec::new();
        dialect().encode(message, &mut payload).unwrap();
        let mut bytes = Vec::new();
        write_frame(Framing::Be2, &payload, &mut bytes).unwrap();
        // Bytes come cut anywhere.
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        for bytes in [head, tail] {
            self.event(Event::Received { conn, bytes });
        }
    }

    pub fn first_line(&self) -> ConnId {
        *self.lines.keys().next().expect("a line is open")
    }

    pub fn receive(&mut self, message: &Message) {
        self.receive_on(self.first_line(), message);
    }

    /// Sends it and takes everything that leaves at once.
    pub fn ask(&mut self, message: &Message) -> Vec<Message> {
        self.sent.clear();
        self.receive(message);
        self.taken()
    }

    /// As [`Rig::ask`], for exactly one answer; its DE39.
    pub fn code(&mut self, message: &Message) -> String {
        let answers = self.ask(message);
        assert_eq!(answers.len(), 1, "one answer");
        answers[0].text(39).unwrap().to_owned()
    }

    pub fn taken(&mut self) -> Vec<Message> {
        self.sent.drain(..).map(|(_, _, m)| m).collect()
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        match &self.party {
            Party::Bank(host) => host.next_timeout(),
            Party::Shop(shop) => shop.next_timeout(),
        }
    }

    /// Lets time pass, stopping at every timer.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        let mut still = 0;
        while let Some(at) = self.next_timeout().filter(|at| *at <= end) {
            still = if at > self.now { 0 } else { still + 1 };
            assert!(still < 100, "a timer that does not move on: {at}");
            self.now = self.now.max(at);
            self.event(Event::Timeout);
        }
        self.now = end;
    }
}

/// The records of a batch that no writer has sealed: the buffer holds the room for a frame's header
/// (96 bytes), then length u16, kind, version, time u32 and payload of each (docs/formats/journal).
fn records(batch: &Batch) -> Vec<Kept> {
    let mut rest = &batch.frame()[96..batch.bytes()];
    let mut records = Vec::new();
    while let [l0, l1, kind, version, _, _, _, _, more @ ..] = rest {
        let (payload, next) = more.split_at(usize::from(u16::from_le_bytes([*l0, *l1])));
        records.push((*kind, *version, payload.to_vec()));
        rest = next;
    }
    assert_eq!(records.len(), batch.len() as usize);
    records
}

pub fn dialect() -> &'static Dialect {
    Dialect::builtin("iso87-ascii").unwrap()
}

pub fn mti(number: u16) -> Mti {
    Mti::new(number).unwrap()
}

pub fn iin() -> Iin {
    Iin::new("940802").unwrap()
}

pub fn config(change: impl FnOnce(&mut BankConfig)) -> BankConfig {
    let mut config = BankConfig::example(ParticipantId::new(100_002).unwrap(), iin(), 7);
    change(&mut config);
    config
}

pub fn build(number: u16, fields: &[(u8, &str)]) -> Message {
    let mut message = Message::new(mti(number));
    for (de, value) in fields {
        message.set(*de, value.as_bytes());
    }
    message
}

pub fn with(mut message: Message, fields: &[(u8, &str)]) -> Message {
    for (de, value) in fields {
        message.set(*de, value.as_bytes());
    }
    message
}

/// 0200 for 12.50 on this account, as the hub sends it at 10:00:00 UTC.
pub fn purchase(stan: u32, account: u32) -> Message {
    let card = bank::pan(iin(), account).unwrap();
    let mut message = build(
        200,
        &[
            (3, "000000"),
            (4, "000000001250"),
            (7, "0921100000"),
            (11, &format!("{stan:06}")),
            (12, "183000"),
            (13, "0921"),
            (14, "3112"),
            (32, "100001"),
            (37, &format!("R{stan:011}")),
            (41, "PYO00001"),
            (42, "PYO-SHOP-000001"),
            (49, "408"),
        ],
    );
    message.set(2, card.digits());
    message
}

/// 0420 for a request, with a DE11 and DE7 of the hub's own.
pub fn reversal(of: &Message, stan: u32) -> Message {
    let mut message = of.clone();
    message.set_mti(mti(420));
    message.remove(14);
    let original =
        format!("0200{}{}{:011}{:011}", of.text(11).unwrap(), of.text(7).unwrap(), 100_001, 0);
    let own = format!("{stan:06}");
    with(message, &[(7, "0921100020"), (11, &own), (39, "68"), (90, &original)])
}

pub fn network_answer(request: &Message, code: &str) -> Message {
    let mut answer = Message::new(mti(810));
    for de in [7, 11, 70] {
        answer.set(de, request.get(de).unwrap());
    }
    with(answer, &[(39, code)])
}

pub fn elements(message: &Message) -> Vec<u8> {
    message.fields().map(|(de, _)| de).collect()
}
