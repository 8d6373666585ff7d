//! The world: machines, cables, disks, one queue of what comes next. It decides nothing about a
//! payment; it only carries out what machines want, and what a scenario's faults want.
//!
//! How things flow: [`World::run_until`] takes the next thing from the schedule, tells a machine,
//! and carries out its answers, which are again things of the schedule.

pub(crate) mod cluster;
mod faults;
mod history;
mod power;

use std::collections::{BTreeMap, BTreeSet};

use host::booking::{Booked, Booking};
use host::config::Config;
use host::history::Ask;
use host::view::{Query, Reply};
use journal::{Batch, DiskErrorKind, Fault as JournalFault, Work};
use parties::shop::Seen;

use crate::actor::{Actor, In, Out};
use crate::audit::secrets::Secrets;
use crate::audit::{Violation, accounts};
use crate::clock::MachineClock;
use crate::dice::Dice;
use crate::limits::{EVENTS_MAX, TIMEOUTS_AT_ONCE, VIOLATIONS_MAX};
use crate::machine::{Flying, Machine};
use crate::net::{End, Latency, Middlebox, Net, Told, Wake, Wakes};
use crate::roster;
use crate::scenario::{LinkId, Place, Planned, Planted, Scenario, Way};
use crate::schedule::Schedule;
use crate::story::{self, Story};
use crate::trace::Trace;
use cluster::{Cluster, Ledger};

/// One ms in ns.
pub(crate) const MS: u64 = 1_000_000;
/// A dial into silence fails after this.
const DIAL_WAIT: u64 = 500 * MS;
/// Between a commit and the keeping of the journal.
const MAINTAIN_AFTER: u64 = 20 * MS;

/// What comes next.
#[derive(Debug)]
pub(crate) enum What {
    Net(Wake),
    Timer {
        place: Place,
        life: u32,
        at: u64,
    },
    Disk {
        place: Place,
        life: u32,
    },
    Closed {
        place: Place,
        life: u32,
        end: End,
    },
    Maintain {
        place: Place,
        life: u32,
    },
    /// The hub's history does a piece of work.
    History {
        life: u32,
    },
    /// The hub's history is asked.
    Find {
        life: u32,
        ask: Ask,
    },
    /// A batch comes to the ledger's cluster.
    Book {
        life: u32,
        number: u64,
        booking: Booking,
    },
    /// Its answer comes to the hub.
    Booked {
        life: u32,
        number: u64,
        booked: Booked,
    },
    Start(Place),
    SignOn(Place),
    Fault(Planned),
    Unblock(LinkId, Way),
    Unrefuse(LinkId),
    Unslow(LinkId),
}

/// A whole country.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) config: Config,
    pub(crate) machines: BTreeMap<Place, Machine>,
    pub(crate) net: Net,
    pub(crate) schedule: Schedule<What>,
    pub(crate) trace: Trace,
    pub(crate) coverage: BTreeMap<&'static str, u64>,
    pub(crate) broken: Vec<(u64, Violation)>,
    pub(crate) seen: BTreeMap<Place, Vec<Seen>>,
    pub(crate) secrets: Secrets,
    pub(crate) raging: bool,
    /// Approvals since everything was healed.
    pub(crate) worked: u64,
    pub(crate) events: u64,
    /// Purchases that ended, and of these, approved.
    pub(crate) purchases: (u64, u64),
    /// How far from zero a net position was seen.
    pub(crate) furthest_minor: u64,
    pub(crate) story: Story,
    disk_dice: Dice,
    replies: BTreeMap<u64, Reply>,
    looks: BTreeSet<u64>,
    next_ticket: u64,
    /// When the last answer of history comes that is on its way.
    find_at: u64,
    cluster: Option<Cluster>,
}

impl World {
    /// A nation whose machines are switched on one after the other.
    pub(crate) fn new(scenario: &Scenario, ledger: Option<Ledger>) -> Self {
        let config = roster::config(scenario);
        let latency =
            Latency { min: scenario.latency_us.0 * 1_000, max: scenario.latency_us.1 * 1_000 };
        let net = Net::new(Dice::new(scenario.seed, "net"), latency, DIAL_WAIT);
        let mut world = Self {
            secrets: Secrets::new(&roster::iins(&config)),
            config,
            machines: BTreeMap::new(),
            net,
            schedule: Schedule::new(),
            trace: Trace::new(),
            coverage: BTreeMap::new(),
            broken: Vec::new(),
            seen: BTreeMap::new(),
            raging: true,
            worked: 0,
            events: 0,
            purchases: (0, 0),
            furthest_minor: 0,
            story: Story::default(),
            disk_dice: Dice::new(scenario.seed, "disks"),
            replies: BTreeMap::new(),
            looks: BTreeSet::new(),
            next_ticket: 1,
            find_at: 0,
            cluster: Cluster::of(scenario, ledger),
            scenario: scenario.clone(),
        };
        world.build();
        world
    }

    fn build(&mut self) {
        let mut clocks = Dice::new(self.scenario.seed, "clocks");
        for place in self.scenario.places() {
            let off_ms = clocks.signed(self.scenario.clocks_off_ms);
            let clock = MachineClock::new(self.scenario.start, off_ms);
            let machine = Machine::new(place, &self.scenario, clock);
            if let (Place::Hub, Some(Planted::SkippedSync(every))) = (place, self.scenario.planted)
            {
                let skipped = journal::sim_disk::SkippedSync::Every(every);
                machine.disk.with(|disk| disk.plan.skipped_sync = skipped);
            }
            self.machines.insert(place, machine);
            if let Some(link) = LinkId::of(place) {
                self.net.lay(link, self.middlebox(place));
            }
            let at = self.disk_dice.between(0, 50) * MS;
            self.schedule.at(at, What::Start(place));
        }
        for planned in self.scenario.faults.clone() {
            self.schedule.at(planned.at_ms * MS, What::Fault(planned));
        }
    }

    fn middlebox(&self, place: Place) -> Option<Middlebox> {
        let scenario = &self.scenario;
        match place {
            Place::Hub | Place::Station(_) => None,
            Place::Bank(number) => {
                let cheat = match scenario.planted {
                    Some(Planted::Bank(cheat)) if number == 1 => Some(cheat),
                    Some(Planted::Bank(_) | Planted::SkippedSync(_) | Planted::Published(_))
                    | None => None,
                };
                Middlebox::new(scenario.bank_rates, 0, cheat)
            }
            Place::Shop(_) => Middlebox::new(scenario.terminal_rates, scenario.secrets, None),
        }
    }

    /// Lets time pass. Ends early when something broke for good.
    pub(crate) fn run_until(&mut self, until: u64) {
        while self.broken.len() < VIOLATIONS_MAX && self.events < EVENTS_MAX {
            let Some(what) = self.schedule.next(until) else { return };
            self.events += 1;
            self.happen(what);
        }
        if self.events >= EVENTS_MAX {
            self.violation(Violation::Machine(format!("{EVENTS_MAX} events and no end")));
        }
    }

    pub(crate) fn violation(&mut self, violation: Violation) {
        if self.broken.len() < VIOLATIONS_MAX {
            self.broken.push((self.schedule.now(), violation));
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    fn happen(&mut self, what: What) {
        if let Some(until) = self.held_up(&what) {
            return self.schedule.at(until, what);
        }
        let now = self.schedule.now();
        match what {
            What::Net(wake) => self.net_wakes(now, wake),
            What::Timer { place, life, at } => self.timer(place, life, at),
            What::Disk { place, life } => self.disk_speaks(place, life),
            What::Closed { place, life, end } => self.tell(place, life, In::Closed { end }),
            What::Maintain { place, life } => self.maintain(place, life),
            What::History { life } => self.history_works(life),
            What::Find { life, ask } => self.history_is_asked(life, &ask),
            What::Book { life, number, booking } => self.cluster_books(life, number, booking),
            What::Booked { life, number, booked } => self.cluster_answers(life, number, booked),
            What::Start(place) => self.start(place),
            What::SignOn(place) => self.sign_off(place, false),
            What::Fault(planned) => self.strike(planned.fault),
            What::Unblock(link, way) => {
                let mut wakes = Vec::new();
                self.net.unblock(now, link, way, &mut wakes);
                self.post(wakes);
            }
            What::Unrefuse(link) => self.net.refuse_calls(link, false),
            What::Unslow(link) => self.net.slow(link, 1),
        }
    }

    /// Until when a standing process lets this wait.
    fn held_up(&self, what: &What) -> Option<u64> {
        let place = match what {
            What::Net(wake) => self.net.target(*wake)?,
            What::Timer { place, .. }
            | What::Disk { place, .. }
            | What::Closed { place, .. }
            | What::Maintain { place, .. } => *place,
            What::History { .. } | What::Find { .. } | What::Booked { .. } => Place::Hub,
            What::Book { .. }
            | What::Start(_)
            | What::SignOn(_)
            | What::Fault(_)
            | What::Unblock(..)
            | What::Unrefuse(_)
            | What::Unslow(_) => return None,
        };
        let until = self.machines.get(&place)?.paused_until;
        (until > self.schedule.now()).then_some(until)
    }

    pub(crate) fn post(&mut self, wakes: Wakes) {
        for (at, wake) in wakes {
            self.schedule.at(at, What::Net(wake));
        }
    }

    fn net_wakes(&mut self, now: u64, wake: Wake) {
        let mut wakes = Vec::new();
        let telling = self.net.wake(now, wake, &mut wakes);
        self.post(wakes);
        let Some(telling) = telling else { return };
        let (place, life, end) = (telling.place, telling.life, telling.end);
        match telling.told {
            Told::Knocks { end, from } => {
                let mut wakes = Vec::new();
                match self.machines.get(&place).filter(|machine| machine.actor.is_some()) {
                    Some(machine) => {
                        let life = machine.life;
                        self.net.accept(now, end, life, &mut wakes);
                        self.post(wakes);
                        let identity = roster::identity(&self.config, &self.scenario, from);
                        self.tell(place, life, In::Accepted { end, from, identity });
                    }
                    None => {
                        self.net.refuse(now, end, &mut wakes);
                        self.post(wakes);
                    }
                }
            }
            Told::Dialled => {
                let hub = roster::identity(&self.config, &self.scenario, Place::Hub);
                self.tell(place, life, In::Dialled { end, identity: hub });
            }
            Told::DialFailed => self.tell(place, life, In::DialFailed { end }),
            Told::Bytes(bytes) => self.tell(place, life, In::Bytes { end, bytes: &bytes }),
            Told::Closed => self.tell(place, life, In::Closed { end }),
        }
    }

    fn timer(&mut self, place: Place, life: u32, at: u64) {
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place) else { return };
        if machine.armed != Some(at) || machine.life != life {
            return;
        }
        machine.armed = None;
        machine.timeouts = match machine.timeouts {
            (then, count) if then == now => (now, count + 1),
            _ => (now, 1),
        };
        if machine.timeouts.1 > TIMEOUTS_AT_ONCE {
            let what = format!("a timer of {place} that does not move on");
            machine.armed = Some(u64::MAX);
            self.violation(Violation::Machine(what));
            return;
        }
        self.tell(place, life, In::Timeout);
    }

    /// Tells a machine and carries out what it wants, if it still is in that life.
    fn tell(&mut self, place: Place, life: u32, event: In<'_>) {
        let now = self.schedule.now();
        self.note(now, place, &event);
        self.story.tell(now, || heard(place, &event));
        let Some(machine) = self.machines.get_mut(&place).filter(|m| m.life == life) else {
            return;
        };
        let Some(actor) = machine.actor.as_mut() else { return };
        let outs = actor.handle(&machine.clock, now, event);
        for out in outs {
            self.carry_out(place, life, out);
        }
        self.drain(place);
        self.arm(place);
    }

    fn note(&mut self, now: u64, place: Place, event: &In<'_>) {
        self.trace.word(now);
        let (kind, number) = match place {
            Place::Hub => (0, 0),
            Place::Station(number) => (1, number),
            Place::Bank(number) => (2, number),
            Place::Shop(number) => (3, number),
        };
        self.trace.word(kind << 32 | u64::from(number));
        match event {
            In::Started => self.trace.word(1),
            In::Accepted { end, .. } => self.trace.word(2 ^ (end << 8)),
            In::Dialled { end, .. } => self.trace.word(3 ^ (end << 8)),
            In::DialFailed { end } => self.trace.word(4 ^ (end << 8)),
            In::Bytes { end, bytes } => {
                self.trace.word(5 ^ (end << 8));
                self.trace.bytes(bytes);
            }
            In::Closed { end } => self.trace.word(6 ^ (end << 8)),
            In::Committed { .. } => self.trace.word(7),
            In::DiskFailed { .. } => self.trace.word(8),
            In::Query { ticket, .. } => self.trace.word(9 ^ (ticket << 8)),
            In::Timeout => self.trace.word(10),
            In::Found { number, found } => {
                self.trace.word(11 ^ (number << 8));
                self.trace.word(found.as_ref().map_or(u64::MAX, |found| found.len() as u64));
            }
            In::Indexed(indexed) => self.trace.word(12 ^ (indexed.record << 8)),
            In::Booked { number, .. } => self.trace.word(13 ^ (number << 8)),
        }
    }

    /// Sets the machine's timer anew.
    fn arm(&mut self, place: Place) {
        let Some(machine) = self.machines.get_mut(&place) else { return };
        let next = machine.actor.as_ref().and_then(|actor| actor.next_timeout(&machine.clock));
        let next = next.map(|at| at.max(self.schedule.now()));
        if machine.armed == next || machine.armed == Some(u64::MAX) {
            return;
        }
        machine.armed = next;
        let life = machine.life;
        if let Some(at) = next {
            self.schedule.at(at, What::Timer { place, life, at });
        }
    }

    /// Writes down what ended at the terminals of a shop or a bank.
    fn drain(&mut self, place: Place) {
        let Some(machine) = self.machines.get_mut(&place) else { return };
        let ended: Vec<Seen> = match machine.actor.as_mut() {
            Some(Actor::Shop(shop)) => shop.drain_seen().collect(),
            Some(Actor::Bank(bank)) => bank.drain_seen(),
            Some(Actor::Role(_)) | None => return,
        };
        for seen in &ended {
            self.count(flow_name(seen));
        }
        for seen in ended.iter().filter(|seen| seen.kind == parties::shop::Kind::Purchase) {
            self.purchases.0 += 1;
            self.purchases.1 += u64::from(seen.approved);
        }
        if !self.raging {
            self.worked += ended.iter().filter(|seen| seen.approved).count() as u64;
        }
        self.seen.entry(place).or_default().extend(ended);
    }

    fn carry_out(&mut self, place: Place, life: u32, out: Out) {
        // One action of a turn may have cut the power: what would have followed it is gone.
        if self.machines.get(&place).is_none_or(|machine| machine.life != life) {
            return;
        }
        let now = self.schedule.now();
        let mut wakes = Vec::new();
        match out {
            Out::Dial => {
                if let Some(link) = LinkId::of(place) {
                    self.net.dial(now, link, life, &mut wakes);
                }
            }
            Out::Send { end, bytes } => {
                self.trace.bytes(&bytes);
                self.story.tell(now, || sent(place, end, &bytes));
                self.net.send(now, end, &bytes, &mut wakes);
            }
            Out::Close { end } => {
                if self.net.close(now, end, &mut wakes) {
                    self.count("closed by a role");
                    self.schedule.at(now, What::Closed { place, life, end });
                }
            }
            Out::Commit(batch) => self.commit(place, life, batch),
            Out::Snapshot { record, body } => self.snapshot(place, record, body),
            Out::Find(ask) => {
                // On a thread of its own: answers to several come in their order.
                let takes = self.disk_dice.between(100, 3_000) * 1_000;
                let at = self.find_at.max(now + takes);
                self.find_at = at;
                self.count("history asked");
                self.schedule.at(at, What::Find { life, ask });
            }
            Out::Book { number, booking } => self.cluster_is_asked(life, number, booking),
            Out::Stopped => {}
            Out::Reply { ticket, reply } => self.replied(ticket, reply),
            Out::Log(line) => self.logged(place, &line),
            Out::Halt(what) => self.halted(place, &what),
        }
        self.post(wakes);
    }

    fn replied(&mut self, ticket: u64, reply: Reply) {
        if !self.looks.remove(&ticket) {
            self.replies.insert(ticket, reply);
            return;
        }
        if let Reply::Accounts(accounts) = reply {
            let mut found = Vec::new();
            accounts::sums(&accounts, &mut found);
            accounts::caps(&accounts, &mut found);
            self.furthest_minor = self.furthest_minor.max(accounts::furthest(&accounts));
            self.count("accounts looked at");
            for violation in found {
                self.violation(violation);
            }
        }
    }

    fn logged(&mut self, place: Place, line: &host::LogLine) {
        let now = self.schedule.now();
        self.story.tell(now, || format!("{place}: log {} {:?}", line.event, line.values));
        for (name, value) in &line.values {
            if let Some(what) = self.secrets.find(value.as_bytes()) {
                let what = format!("{what} in {name} of {} in the log of {place}", line.event);
                self.violation(Violation::Secret(what));
            }
        }
        *self.coverage.entry(line.event).or_default() += 1;
        if line.event == "finding"
            && let Some((_, kind)) = line.values.iter().find(|(name, _)| *name == "kind")
        {
            self.trace.bytes(kind.as_bytes());
        }
    }

    fn commit(&mut self, place: Place, life: u32, mut batch: Batch) {
        let (low, high) = self.scenario.disk_us;
        let takes = self.disk_dice.between(low, high) * 1_000;
        // Written at once and told later, or written later: a cut may fall between.
        let at_once = self.disk_dice.per_mille(500);
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place) else { return };
        if machine.flying.is_some() {
            let what = format!("{place} has two batches in flight");
            return self.violation(Violation::Machine(what));
        }
        let written = match (at_once, machine.writer.as_mut()) {
            (true, Some(writer)) => Some(writer.append(&mut batch).map(|_| ())),
            (false, _) | (_, None) => None,
        };
        machine.flying = Some(Flying { batch, written });
        if machine.disk.with(|disk| disk.is_crashed()) {
            return self.power_went(place);
        }
        self.schedule.at(now + takes, What::Disk { place, life });
    }

    fn disk_speaks(&mut self, place: Place, life: u32) {
        let Some(machine) = self.machines.get_mut(&place).filter(|m| m.life == life) else {
            return;
        };
        let (Some(writer), Some(flying)) = (machine.writer.as_mut(), machine.flying.take()) else {
            return;
        };
        let mut batch = flying.batch;
        let written = flying.written.unwrap_or_else(|| writer.append(&mut batch).map(|_| ()));
        let room_ahead = writer.has_room_ahead();
        match written {
            Ok(()) => {
                let maintaining = std::mem::replace(&mut machine.maintaining, true);
                if !maintaining {
                    let at = self.schedule.now() + MAINTAIN_AFTER;
                    self.schedule.at(at, What::Maintain { place, life });
                }
                self.tell(place, life, In::Committed { batch, room_ahead });
            }
            Err(fault) => self.disk_failed(place, life, &fault),
        }
    }

    fn disk_failed(&mut self, place: Place, life: u32, fault: &JournalFault) {
        match fault {
            JournalFault::Disk(error) | JournalFault::Refused(error)
                if error.kind == DiskErrorKind::Crashed =>
            {
                self.power_went(place);
            }
            JournalFault::Disk(_) | JournalFault::Refused(_) => {
                self.count("disk failed");
                self.tell(place, life, In::DiskFailed { what: fault.to_string() });
            }
            JournalFault::NoSpace
            | JournalFault::EmptyBatch
            | JournalFault::FrameTooLarge
            | JournalFault::OutOfTurn { .. }
            | JournalFault::EpochBack { .. }
            | JournalFault::SnapshotAhead { .. }
            | JournalFault::SnapshotTooLarge
            | JournalFault::SnapshotBusy
            | JournalFault::SegmentsExhausted => {
                let what = format!("the journal of {place}: {fault}");
                self.violation(Violation::Machine(what));
            }
        }
    }

    fn snapshot(&mut self, place: Place, record: u64, body: Vec<u8>) {
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place) else { return };
        let (life, wall) = (machine.life, machine.clock.read(now).wall.0);
        let Some(writer) = machine.writer.as_mut() else { return };
        match writer.begin_snapshot(record, wall, body) {
            Ok(()) => self.count("snapshot"),
            Err(JournalFault::SnapshotBusy) => self.count("snapshot not taken"),
            Err(fault) => self.disk_failed(place, life, &fault),
        }
    }

    /// What can wait: the head, the next segment, a snapshot.
    fn maintain(&mut self, place: Place, life: u32) {
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place).filter(|m| m.life == life) else {
            return;
        };
        let wall = machine.clock.read(now).wall.0;
        let Some(writer) = machine.writer.as_mut() else { return };
        machine.maintaining = false;
        let done = writer.publish_head(wall).and_then(|()| writer.maintain());
        match done {
            Ok(Work::More) => {
                machine.maintaining = true;
                self.schedule.at(now + MS, What::Maintain { place, life });
            }
            Ok(Work::Idle) => {}
            Err(fault) => {
                if machine.flying.is_none() {
                    self.disk_failed(place, life, &fault);
                }
                // Else the batch in flight meets the same fault.
            }
        }
    }

    /// Asks the hub for its accounts; the answer is judged when it comes.
    pub(crate) fn look(&mut self) {
        let ticket = self.ask_soon(Place::Hub, Query::Accounts);
        self.looks.insert(ticket);
        // An answer that was there at once.
        if let Some(reply) = self.replies.remove(&ticket) {
            self.replied(ticket, reply);
        }
    }

    fn ask_soon(&mut self, place: Place, query: Query) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(life) = self.machines.get(&place).map(|machine| machine.life) {
            self.tell(place, life, In::Query { ticket, query });
        }
        ticket
    }

    /// Asks a role and lets time pass until it answers, a second at most.
    pub(crate) fn ask(&mut self, place: Place, query: Query) -> Option<Reply> {
        let ticket = self.ask_soon(place, query);
        for _ in 0..100 {
            if let Some(reply) = self.replies.remove(&ticket) {
                return Some(reply);
            }
            self.run_until(self.schedule.now() + 10 * MS);
        }
        None
    }

    /// The end of all faults, and of bad manners among banks.
    pub(crate) fn heal(&mut self) {
        self.raging = false;
        let mut wakes = Vec::new();
        self.net.heal(self.schedule.now(), &mut wakes);
        self.cluster_comes_back();
        self.post(wakes);
        for machine in self.machines.values_mut() {
            machine.disk.with(|disk| {
                disk.plan.crash_at = None;
                disk.plan.fail_at = None;
            });
            if let Some(Actor::Bank(bank)) = machine.actor.as_mut() {
                bank.set_faults(parties::bank::BankFaults::default());
            }
        }
    }

    /// No new payments.
    pub(crate) fn close_shops(&mut self) {
        for machine in self.machines.values_mut() {
            match machine.actor.as_mut() {
                Some(Actor::Shop(shop)) => shop.stop(),
                Some(Actor::Bank(bank)) => bank.stop(),
                Some(Actor::Role(_)) | None => {}
            }
        }
    }
}

/// What ended, and whether well, for the coverage table.
fn flow_name(seen: &Seen) -> &'static str {
    use parties::shop::{Kind, Outcome};
    let well = matches!(seen.outcome, Outcome::Approved);
    match (seen.kind, well) {
        _ if matches!(seen.outcome, Outcome::ReversedInPart(_)) => "reversed in part",
        (Kind::Purchase, true) => "purchase",
        (Kind::Purchase, false) => "purchase not approved or reversed",
        (Kind::Cash, true) => "cash",
        (Kind::Cash, false) => "cash not approved or reversed",
        (Kind::Refund, true) if seen.original.is_none() => "refund of nothing named",
        (Kind::Refund, true) => "refund",
        (Kind::Refund, false) => "refund not approved or reversed",
        (Kind::Balance, true) => "balance enquiry",
        (Kind::Balance, false) => "balance enquiry not answered",
        (Kind::Preauth, true) => "pre-authorisation",
        (Kind::Preauth, false) => "pre-authorisation not approved or reversed",
        (Kind::Completion, true) if seen.original.is_none() => "completion of nothing known",
        (Kind::Completion, true) => "completion",
        (Kind::Completion, false) => "completion refused",
    }
}

fn sent(place: Place, end: End, bytes: &[u8]) -> String {
    match place {
        Place::Bank(_) | Place::Shop(_) => format!("{place}: #{end} <- {}", story::messages(bytes)),
        // A role's bytes are told where they arrive; a trunk's are its own business.
        Place::Hub | Place::Station(_) => format!("{place}: #{end} <- {} bytes", bytes.len()),
    }
}

fn heard(place: Place, event: &In<'_>) -> String {
    match event {
        In::Bytes { end, bytes } if matches!(place, Place::Bank(_) | Place::Shop(_)) => {
            format!("{place}: #{end} -> {}", story::messages(bytes))
        }
        In::Bytes { end, bytes } => format!("{place}: #{end} -> {} bytes", bytes.len()),
        In::Committed { batch, .. } => format!("{place}: committed {}", batch.len()),
        In::Indexed(indexed) => format!("{place}: indexed to {}", indexed.record),
        In::Started
        | In::Accepted { .. }
        | In::Dialled { .. }
        | In::DialFailed { .. }
        | In::Closed { .. }
        | In::DiskFailed { .. }
        | In::Query { .. }
        | In::Found { .. }
        | In::Booked { .. }
        | In::Timeout => format!("{place}: {event:?}"),
    }
}
