//! Everybody but the hub: the cluster that may be its ledger, and four banks that ask on behalf of
//! customers and answer for cardholders, in a memory that can be cloned, so that every cut of a
//! disk has a world of its own that goes on.
#![allow(dead_code, reason = "each test that has it uses its own part")]

use std::collections::{BTreeMap, VecDeque};

use host::booking::{Booked, Booking};
use host::{Config, ConnId};
use ledger::Books;
use scheme::{Mti, Timestamp};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

/// Banks, and connections: one each.
pub(crate) const BANKS: usize = 4;
/// Terminals that customers share.
const TERMINALS: usize = 60;
/// Customers that are served at once, at most.
const AT_ONCE: usize = 7;
/// So many customers after him one comes back who comes late.
const LATE: usize = 160;

/// A message of a bank to an issuer: which bank, DE11 and DE7 on its link.
type Key = (usize, String, String);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    Purchase,
    Cash,
    Declined,
    Refused,
    Repeated,
    Reversed,
    ReversedInPart,
    Refunded,
    Completed,
    HoldReversed,
    /// The same long after, when the hub has let the payment go.
    LateRepeated,
    LateReversed,
    LateRefunded,
}

/// One customer: what he asks for, what his bank waits for, what he believes he has paid.
#[derive(Clone, Debug)]
struct Customer {
    number: usize,
    flow: Flow,
    acquirer: usize,
    issuer: usize,
    amount: u64,
    /// The first request, once it was sent.
    first: Option<Message>,
    /// What waits for an answer.
    waits: Option<Message>,
    /// What his bank has charged him, minor units.
    kept: u64,
    done: bool,
    /// He comes back when there are so many customers.
    late: Option<usize>,
}

/// What an issuer has booked for a request of the hub's.
#[derive(Clone, Debug)]
struct Entry {
    rrn: String,
    amount: i64,
    /// A hold moves nothing until it is completed.
    held: bool,
}

/// The world around the hub.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    pub(crate) now: u64,
    config: Config,
    lines: BTreeMap<ConnId, usize>,
    to_hub: VecDeque<(usize, Message)>,
    customers: Vec<Customer>,
    to_come: usize,
    stan: u32,
    booked: BTreeMap<Key, Entry>,
    /// Approvals that customers have been told.
    pub(crate) approved: u64,
    /// A ledger that is not the hub's own.
    pub(crate) cluster: Option<Books>,
}

fn dialect() -> &'static Dialect {
    Dialect::builtin("iso87-ascii").unwrap()
}

fn text(message: &Message, de: u8) -> String {
    message.text(de).unwrap_or("").to_owned()
}

fn minor(message: &Message, de: u8) -> i64 {
    text(message, de).get(..12).map_or(0, |digits| digits.parse().unwrap())
}

fn typed(mut message: Message, mti: u16) -> Message {
    message.set_mti(Mti::new(mti).unwrap());
    message
}

impl Outside {
    pub(crate) fn new(config: &Config, customers: usize) -> Self {
        Self {
            now: 1_795_330_800_000_000_000,
            config: config.clone(),
            lines: BTreeMap::new(),
            to_hub: VecDeque::new(),
            customers: Vec::new(),
            to_come: customers,
            stan: 0,
            booked: BTreeMap::new(),
            approved: 0,
            cluster: None,
        }
    }

    /// The cluster does a batch, which it may have done before.
    pub(crate) fn book(&mut self, batch: &Booking) -> Booked {
        let now = Timestamp(self.now);
        let Some(books) = &mut self.cluster else { panic!("the ledger is the hub's own") };
        match batch {
            Booking::Accounts(accounts) => {
                let mut statuses = Vec::new();
                books.create_accounts(now, accounts, &mut statuses);
                Booked::Accounts(statuses)
            }
            Booking::Transfers(transfers) => {
                let mut statuses = Vec::new();
                books.create_transfers(now, transfers, &mut statuses);
                Booked::Transfers(statuses)
            }
        }
    }

    /// The balances of all accounts there, minor units.
    pub(crate) fn at_cluster(&self) -> Option<Vec<i64>> {
        let accounts = self.cluster.as_ref()?.accounts();
        let balance = |posted: u128| i64::try_from(posted).unwrap();
        let each = |one: &ledger::Account| {
            assert_eq!((one.debits_pending, one.credits_pending), (0, 0), "{one:?}");
            balance(one.credits_posted) - balance(one.debits_posted)
        };
        Some(accounts.iter().map(each).collect())
    }

    /// The hub has taken a bank's connection: the bank signs on.
    pub(crate) fn connected(&mut self, conn: ConnId, bank: usize) {
        self.lines.insert(conn, bank);
        let mut message = self.base(800);
        message.set(32, self.config.participants[bank].id.to_string().as_bytes());
        message.set(70, b"001");
        // Before whatever waited for the hub.
        self.to_hub.push_front((bank, message));
    }

    /// The hub is gone, and what was on the wire. Whoever waits will ask again, or reverse.
    pub(crate) fn hub_died(&mut self) {
        self.lines.clear();
        self.to_hub.clear();
        self.now += 200_000_000;
        for index in 0..self.customers.len() {
            let Some(waits) = self.customers[index].waits.take() else { continue };
            let class = waits.mti().number() / 10 % 10;
            let asks = matches!(class, 0 | 1) && waits.mti().number() < 300;
            let again = if asks && index % 2 == 1 && class == 0 && !waits.has(90) {
                // He walks away; the till undoes what may have been.
                self.customers[index].flow = Flow::Reversed;
                self.undo(&waits, None)
            } else {
                let repeat = waits.mti().repeat();
                let mut message = waits;
                message.set_mti(repeat);
                message
            };
            self.send(index, again);
        }
    }

    /// Nobody comes any more.
    pub(crate) fn close(&mut self) {
        self.to_come = 0;
    }

    /// So many more come.
    pub(crate) fn more(&mut self, customers: usize) {
        self.to_come += customers;
    }

    /// Whether nobody waits and nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.to_come == 0 && self.to_hub.is_empty() && self.customers.iter().all(|one| one.done)
    }

    /// Customers come in, a few at once, now more and now fewer.
    pub(crate) fn open_doors(&mut self) {
        self.come_back();
        let here = |one: &&Customer| !one.done && one.late.is_none();
        let busy = self.customers.iter().rev().take(64).filter(here).count();
        let room = (self.customers.len() / 10 % AT_ONCE + 1).saturating_sub(busy);
        for _ in 0..room.min(self.to_come) {
            self.to_come -= 1;
            let number = self.customers.len();
            let flow = match number % 19 {
                0..=5 => Flow::Purchase,
                6 => Flow::Cash,
                7 => Flow::Declined,
                8 => Flow::Refused,
                9 => Flow::Repeated,
                10 | 11 => Flow::Reversed,
                12 => Flow::ReversedInPart,
                13 => Flow::Refunded,
                14 => Flow::Completed,
                15 => Flow::LateRepeated,
                16 => Flow::LateReversed,
                17 => Flow::LateRefunded,
                _ => Flow::HoldReversed,
            };
            let cents = if flow == Flow::Declined { 51 } else { 20 };
            self.customers.push(Customer {
                number,
                flow,
                acquirer: number % BANKS,
                issuer: (number / BANKS + number) % BANKS,
                amount: (number as u64 % 37 + 2) * 100 + cents,
                first: None,
                waits: None,
                kept: 0,
                done: false,
                late: None,
            });
            let request = self.request(number, flow == Flow::Cash);
            self.send(number, request);
        }
    }

    /// Those who come late: when enough others have come, or nobody comes any more.
    fn come_back(&mut self) {
        let (count, closed) = (self.customers.len(), self.to_come == 0);
        for index in 0..count {
            let due = |at: &mut usize| *at <= count || closed;
            if self.customers[index].late.take_if(due).is_none() {
                continue;
            }
            let one = &self.customers[index];
            let (first, amount, flow) = (one.first.clone().unwrap(), one.amount, one.flow);
            let message = match flow {
                Flow::LateRepeated => typed(first, 201),
                Flow::LateReversed => self.undo(&first, None),
                Flow::LateRefunded => self.refund(index, &first, amount / 2),
                other => panic!("{other:?} is not late"),
            };
            self.send(index, message);
        }
    }

    /// How many have come back so far.
    pub(crate) fn came_back(&self) -> usize {
        let late = |one: &&Customer| {
            matches!(one.flow, Flow::LateRepeated | Flow::LateReversed | Flow::LateRefunded)
        };
        self.customers.iter().filter(late).filter(|one| one.done).count()
    }

    /// Whether the banks have called since the hub started.
    pub(crate) fn is_connected(&self) -> bool {
        !self.lines.is_empty()
    }

    /// What banks have for the hub: of each connection all of it, as one read of a socket.
    pub(crate) fn reads(&mut self) -> Vec<(ConnId, Vec<u8>)> {
        if !self.is_connected() {
            return Vec::new();
        }
        let mut reads: BTreeMap<ConnId, Vec<u8>> = BTreeMap::new();
        for (bank, message) in std::mem::take(&mut self.to_hub) {
            let line = self.lines.iter().find(|(_, of)| **of == bank);
            let (conn, _) = line.expect("a bank is connected while the hub lives");
            let mut payload = Vec::new();
            dialect().encode(&message, &mut payload).unwrap();
            write_frame(Framing::Be2, &payload, reads.entry(*conn).or_default()).unwrap();
        }
        reads.into_iter().collect()
    }

    /// Bytes of the hub.
    pub(crate) fn hear(&mut self, conn: ConnId, mut bytes: &[u8]) {
        let bank = self.lines[&conn];
        while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
            let (frame, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
            bytes = rest;
            self.hear_message(bank, dialect().decode(frame).unwrap());
        }
    }

    fn hear_message(&mut self, bank: usize, message: Message) {
        let number = message.mti().number();
        match number {
            810 => assert_eq!(text(&message, 39), "00", "{message:?}"),
            800 => {
                let mut answer = typed(message, 810);
                answer.set(39, b"00");
                self.to_hub.push_back((bank, answer));
            }
            110 | 210 | 230 | 430 => self.answered(bank, &message),
            100 | 200 => self.issue(bank, message),
            220 | 221 => self.complete(bank, message),
            420 | 421 => self.take_back(bank, message),
            other => panic!("an {other} from the hub"),
        }
    }

    /// An issuer decides.
    fn issue(&mut self, bank: usize, message: Message) {
        let refund = text(&message, 3).starts_with("20");
        let amount = minor(&message, 4) * if refund { -1 } else { 1 };
        let code = if amount % 100 == 51 { "51" } else { "00" };
        if code == "00" {
            let held = message.mti().number() == 100;
            let booked = Entry { rrn: text(&message, 37), amount, held };
            let twice = self.booked.insert(key(bank, &message), booked);
            assert!(twice.is_none(), "an issuer is asked once: {message:?}");
        }
        let answering = message.mti().answer().unwrap().number();
        let mut answer = typed(message, answering);
        answer.remove(14);
        answer.set(39, code.as_bytes());
        if code == "00" {
            answer.set(38, b"A00001");
        }
        self.to_hub.push_back((bank, answer));
    }

    /// An issuer is told that a hold was completed.
    fn complete(&mut self, bank: usize, message: Message) {
        let named = original(bank, &message);
        let booked = self.booked.get_mut(&named).expect("a hold that was approved");
        (booked.amount, booked.held) = (minor(&message, 4), false);
        self.acknowledge(bank, message);
    }

    /// An issuer is told that something is undone: again and again, it is undone once.
    fn take_back(&mut self, bank: usize, message: Message) {
        let kept = if message.has(95) { minor(&message, 95) } else { 0 };
        if let Some(booked) = self.booked.get_mut(&original(bank, &message)) {
            (booked.amount, booked.held) = (kept, false);
        }
        self.acknowledge(bank, message);
    }

    fn acknowledge(&mut self, bank: usize, message: Message) {
        let answering = message.mti().answer().unwrap().number();
        let mut answer = typed(message, answering);
        answer.remove(14);
        answer.set(39, b"00");
        self.to_hub.push_back((bank, answer));
    }

    /// A customer's bank has its answer.
    fn answered(&mut self, bank: usize, answer: &Message) {
        let stan = text(answer, 11);
        let mine = |one: &Customer| {
            one.acquirer == bank && one.waits.as_ref().is_some_and(|waits| text(waits, 11) == stan)
        };
        let Some(index) = self.customers.iter().rposition(mine) else {
            panic!("nobody waits for {answer:?}");
        };
        let asked = self.customers[index].waits.take().unwrap();
        let approved = text(answer, 39) == "00";
        self.approved += u64::from(approved);
        let next = self.take_answer(index, &asked, &text(answer, 39));
        match next {
            Some(message) => self.send(index, message),
            None => self.customers[index].done = self.customers[index].late.is_none(),
        }
    }

    /// What an answer means to a customer; what he asks next, if anything.
    fn take_answer(&mut self, index: usize, asked: &Message, code: &str) -> Option<Message> {
        let one = &self.customers[index];
        let (flow, amount) = (one.flow, one.amount);
        let first = one.first.clone().unwrap();
        let number = asked.mti().number();
        if code == "96" {
            // The hub takes nothing now, as while its disk is full: the bank asks again.
            let repeat = asked.mti().repeat().number();
            return Some(typed(asked.clone(), repeat));
        }
        match number {
            420 | 421 => {
                assert_eq!(code, "00", "a reversal is acknowledged");
                self.customers[index].kept = minor_or_nothing(asked, 95);
                return None;
            }
            220 | 221 => {
                assert_eq!(code, "00", "a completion of what is held: {asked:?}");
                self.customers[index].kept = u64::try_from(minor(asked, 4)).unwrap();
                return None;
            }
            200 | 201 if text(asked, 3).starts_with("20") => {
                // After a crash it may have been voided.
                assert!(matches!(code, "00" | "91"), "{code}");
                if code == "00" {
                    self.customers[index].kept -= u64::try_from(minor(asked, 4)).unwrap();
                }
                return None;
            }
            100 | 101 | 200 | 201 => {}
            other => panic!("nobody asks with an {other}"),
        }
        let expected = match flow {
            Flow::Declined => "51",
            Flow::Refused => "13",
            _ => "00",
        };
        assert!(code == expected || code == "91", "{flow:?}: {code}");
        if code != "00" {
            assert_eq!(self.customers[index].kept, 0, "an approval is not taken back by a repeat");
            return None;
        }
        let held = matches!(flow, Flow::Completed | Flow::HoldReversed);
        let before = std::mem::replace(&mut self.customers[index].kept, amount * u64::from(!held));
        match flow {
            Flow::Purchase | Flow::Cash | Flow::Declined | Flow::Refused => None,
            // His bank asks once more although it knows.
            Flow::Repeated if before == 0 => Some(typed(first, 201)),
            Flow::Repeated => None,
            Flow::Reversed | Flow::HoldReversed => Some(self.undo(&first, None)),
            Flow::ReversedInPart => Some(self.undo(&first, Some(amount / 4))),
            Flow::Refunded => Some(self.refund(index, &first, amount / 2)),
            // His second answer is that of the first request again.
            Flow::LateRepeated if before > 0 => None,
            Flow::LateRepeated | Flow::LateReversed | Flow::LateRefunded => {
                self.customers[index].late = Some(self.customers.len() + LATE);
                None
            }
            Flow::Completed => {
                let mut advice = typed(self.request(index, false), 220);
                advice.set(4, format!("{:012}", amount / 2).as_bytes());
                advice.set(90, names(&first).as_bytes());
                Some(advice)
            }
        }
    }

    fn send(&mut self, index: usize, message: Message) {
        let one = &mut self.customers[index];
        one.first.get_or_insert_with(|| message.clone());
        one.waits = Some(message.clone());
        self.to_hub.push_back((one.acquirer, message));
    }

    fn base(&mut self, mti: u16) -> Message {
        self.stan += 1;
        let mut message = Message::new(Mti::new(mti).unwrap());
        message.set(7, Timestamp(self.now).month_time().to_string().as_bytes());
        message.set(11, format!("{:06}", self.stan).as_bytes());
        message
    }

    fn request(&mut self, index: usize, cash: bool) -> Message {
        let local = self.config.zone.local(Timestamp(self.now)).month_time().to_string();
        let one = self.customers[index].clone();
        let held = matches!(one.flow, Flow::Completed | Flow::HoldReversed);
        let mut message = self.base(if held { 100 } else { 200 });
        let iin = self.config.participants[one.issuer].iins[0];
        let account = u32::try_from(one.number % 90 + 1).unwrap();
        let pan = parties::bank::pan(iin, account).unwrap();
        message.set(2, pan.digits());
        message.set(3, if cash { b"010000" } else { b"000000" });
        let amount = if one.flow == Flow::Refused { 0 } else { one.amount };
        message.set(4, format!("{amount:012}").as_bytes());
        message.set(12, &local.as_bytes()[4..]);
        message.set(13, &local.as_bytes()[..4]);
        message.set(14, b"3112");
        message.set(32, self.config.participants[one.acquirer].id.to_string().as_bytes());
        message.set(37, format!("{:012}", one.number).as_bytes());
        message.set(41, format!("T{:07}", one.number % TERMINALS).as_bytes());
        message.set(42, b"MATRIX-SHOP-001");
        message.set(49, b"408");
        message
    }

    fn refund(&mut self, index: usize, first: &Message, amount: u64) -> Message {
        let mut refund = self.request(index, false);
        refund.set(3, b"200000");
        refund.set(4, format!("{amount:012}").as_bytes());
        refund.set(90, names(first).as_bytes());
        refund
    }

    fn undo(&mut self, first: &Message, kept: Option<u64>) -> Message {
        let mut reversal = self.base(420);
        for de in [2, 3, 4, 32, 37, 41, 42, 49] {
            reversal.set(de, first.get(de).unwrap());
        }
        reversal.set(39, if kept.is_some() { b"32" } else { b"17" });
        reversal.set(90, names(first).as_bytes());
        if let Some(kept) = kept {
            let parts = format!("{kept:012}{:012}C{:08}C{:08}", 0, 0, 0);
            reversal.set(95, parts.as_bytes());
        }
        reversal
    }

    /// What each bank's net position must be from customers and issuers alone, after they have been
    /// held against each other: nobody lost anything, nobody pays twice.
    pub(crate) fn positions(&self, case: &str) -> Vec<(String, i64)> {
        let mut issued: BTreeMap<&str, i64> = BTreeMap::new();
        for booked in self.booked.values().filter(|booked| !booked.held) {
            *issued.entry(&booked.rrn).or_default() += booked.amount;
        }
        let mut positions = vec![0; BANKS];
        for one in &self.customers {
            let kept = i64::try_from(one.kept).unwrap();
            let rrn = format!("{:012}", one.number);
            let booked = issued.get(rrn.as_str()).copied().unwrap_or(0);
            assert_eq!(booked, kept, "{case}: the issuer's book and customer {one:?}");
            if one.acquirer != one.issuer {
                positions[one.acquirer] += kept;
                positions[one.issuer] -= kept;
            }
        }
        let ids = self.config.participants.iter().map(|bank| bank.id.to_string());
        ids.zip(positions).collect()
    }

    /// Holds that customers have not ended.
    pub(crate) fn holds(&self) -> usize {
        self.booked.values().filter(|booked| booked.held).count()
    }
}

fn minor_or_nothing(message: &Message, de: u8) -> u64 {
    if message.has(de) { u64::try_from(minor(message, de)).unwrap() } else { 0 }
}

fn key(bank: usize, message: &Message) -> Key {
    (bank, text(message, 11), text(message, 7))
}

/// Which request of the hub's an advice of its names (DE90).
fn original(bank: usize, message: &Message) -> Key {
    let named = text(message, 90);
    (bank, named[4..10].to_owned(), named[10..20].to_owned())
}

/// DE90 that names a request of a bank's own.
fn names(first: &Message) -> String {
    let number = typed(first.clone(), first.mti().number() / 10 * 10).mti();
    format!("{number}{}{}{:0>11}{:011}", text(first, 11), text(first, 7), text(first, 32), 0)
}
