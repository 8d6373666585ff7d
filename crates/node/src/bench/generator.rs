//! The generator's one thread: sockets, the pace, and what is counted.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use host::PeerName;
use keys::LinkMac;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use scheme::ParticipantId;

use super::asker::{Asker, Moment, Settled, Who, cards};
use super::histogram::Histogram;
use super::iso::{Fields, Table, approve, is_signed};
use super::line::{Line, Protection};
use super::orders::{Bank, Measured, NOT_EXPECTED, Orders, REVERSALS, STALL_MS};
use crate::error::RunError;
use crate::role::RoleName;
use crate::tls::{ClientSide, bank_mac};

/// How long banks have to sign on.
const SIGN_ON_WAIT: Duration = Duration::from_secs(10);
/// How long answers may take after the last payment was sent: longer than the hub takes to give up
/// an issuer.
const DRAIN_WAIT: Duration = Duration::from_secs(27);
/// Payments under way on one connection in open loop, at most: later ones wait, and their time
/// runs from when they were to be sent.
const OPEN_DEPTH: u16 = 1_000;
/// In open loop the generator wakes at most so often.
const WAKE_NS: u64 = 200_000;
/// Token of the pace's timer.
const PACE: Token = Token(usize::MAX - 1);

/// Runs one load and says what was seen. Writes `begin` and `end` of the window to `told`.
pub fn generate(orders: &Orders, told: &mut impl Write) -> Result<Measured, RunError> {
    let failed = |what| move |error: io::Error| RunError::system(what, error);
    let protections = protections(orders)?;
    let mut generator =
        Generator::connect(orders, &protections).map_err(failed("connect the generator"))?;
    generator.sign_on().map_err(failed("sign on at the hub"))?;
    generator.run(told).map_err(failed("generate load"))
}

/// The keys of each bank; nothing where links are plain.
fn protections(orders: &Orders) -> Result<Vec<Protection>, RunError> {
    let Some(keys) = &orders.keys else { return Ok(Vec::new()) };
    let of_bank = |bank: &Bank| {
        let unknown = || RunError::system("find a bank's keys", bank.id);
        let id = ParticipantId::new(bank.id).ok_or_else(unknown)?;
        let role = RoleName::Bank(id).to_string();
        let tls = ClientSide::load(keys, &role, PeerName::Hub)?;
        Ok(Protection { tls, mac: bank_mac(keys, id)? })
    };
    orders.banks.iter().map(of_bank).collect()
}

struct Generator<'o> {
    orders: &'o Orders,
    table: Table,
    poll: Poll,
    lines: Vec<Line>,
    /// By line; empty where a line only answers.
    askers: Vec<Option<Asker>>,
    banks: Vec<Option<usize>>,
    dirty: Vec<usize>,
    unsigned: usize,
    began: Instant,
    moment: Moment,
    moment_s: u64,
    seen: Seen,
}

/// What is counted.
#[derive(Default)]
struct Seen {
    /// Begin and end of the window, ns after the generator's begin.
    window: (u64, u64),
    times: Histogram,
    codes: BTreeMap<[u8; 2], u64>,
    faults: BTreeMap<&'static str, u64>,
    gaps: u64,
    /// When something was answered last, or began to be under way.
    moved_at: u64,
    under_way: usize,
    answered: u64,
}

impl Seen {
    fn fault(&mut self, what: &'static str) {
        *self.faults.entry(what).or_default() += 1;
    }

    fn sent(&mut self, now: u64) {
        if self.under_way == 0 {
            self.moved_at = now;
        }
        self.under_way += 1;
    }

    fn settled(&mut self, settled: Settled, now: u64) {
        let since = match settled {
            Settled::Approved(since) => since,
            Settled::Declined(since, code) => {
                *self.codes.entry(code).or_default() += 1;
                since
            }
            Settled::Wrong(what) => return self.fault(what),
        };
        let in_window = (self.window.0..self.window.1).contains(&since);
        if in_window {
            self.times.add(now.saturating_sub(since));
            if now.saturating_sub(self.moved_at) > STALL_MS * 1_000_000 {
                self.gaps += 1;
            }
        }
        self.moved_at = now;
        self.under_way -= 1;
        self.answered += 1;
    }
}

impl<'o> Generator<'o> {
    /// All connections, and a sign-on of each that is a bank's.
    fn connect(orders: &'o Orders, protections: &[Protection]) -> io::Result<Self> {
        let table = Table::new().ok_or(ErrorKind::Unsupported)?;
        let poll = Poll::new()?;
        let mut generator = Self {
            orders,
            table,
            poll,
            lines: Vec::new(),
            askers: Vec::new(),
            banks: Vec::new(),
            dirty: Vec::new(),
            unsigned: 0,
            began: Instant::now(),
            moment: Moment::default(),
            moment_s: 0,
            seen: Seen::default(),
        };
        let cards: Vec<_> = orders.banks.iter().map(|bank| cards(&bank.iin)).collect();
        let count = orders.banks.len();
        for place in 0..orders.asking {
            let at_station = orders.terminals_at.is_some();
            let bank = if at_station { 0 } else { place % count };
            let issuers = generator.issuers(bank).into_iter().map(|bank| cards[bank].clone());
            let who = Who {
                acquirer: orders.banks[bank].id,
                retailer: &orders.retailer,
                currency: orders.currency,
                first_terminal: 1 + place as u64 * orders.terminals,
                terminals: orders.terminals,
                mac: protections.get(bank).map(|known| &known.mac).filter(|_| !at_station),
            };
            let depth = u16::try_from(orders.depth).unwrap_or(OPEN_DEPTH);
            let depth = if orders.rate.is_some() { OPEN_DEPTH } else { depth };
            let slots = (depth, orders.first);
            let asker = Asker::new(&generator.table, &who, issuers.collect(), slots);
            generator.open(Some(asker), (!at_station).then_some(bank), protections)?;
        }
        for place in 0..orders.answering {
            generator.open(None, Some((place + 1) % count), protections)?;
        }
        Ok(generator)
    }

    /// The banks that may be asked about cards, for an acquirer: those that answer, and never
    /// itself, so that every payment is between two banks.
    fn issuers(&self, acquirer: usize) -> Vec<usize> {
        let (orders, count) = (self.orders, self.orders.banks.len());
        let answers = |bank| (0..orders.answering).any(|place| (place + 1) % count == bank);
        (0..count).filter(|bank| *bank != acquirer && answers(*bank)).collect()
    }

    fn open(
        &mut self,
        asker: Option<Asker>,
        bank: Option<usize>,
        protections: &[Protection],
    ) -> io::Result<()> {
        let place = self.lines.len();
        let to = match (bank, self.orders.terminals_at) {
            (None, Some(station)) => station,
            (Some(_), _) | (None, None) => self.orders.banks_at,
        };
        let protection = bank.and_then(|bank| protections.get(bank));
        let mut line = Line::connect(to, protection)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut line.stream, Token(place), interest)?;
        self.lines.push(line);
        self.askers.push(asker);
        self.banks.push(bank);
        Ok(())
    }

    /// Every bank's connection says who it is, and is answered.
    fn sign_on(&mut self) -> io::Result<()> {
        self.tick();
        for place in 0..self.lines.len() {
            let Some(bank) = self.banks[place] else { continue };
            let id = self.orders.banks[bank].id.to_string();
            let stan = format!("{:06}", place + 1);
            let fields: [(usize, &[u8]); 4] =
                [(7, &self.moment.utc), (11, stan.as_bytes()), (32, id.as_bytes()), (70, b"001")];
            let mut frame = Vec::new();
            self.table.frame("0800", &fields, self.lines[place].mac(), &mut frame);
            self.lines[place].output.extend_from_slice(&frame);
            self.touch(place);
            self.unsigned += 1;
        }
        let until = Instant::now() + SIGN_ON_WAIT;
        let mut events = Events::with_capacity(1024);
        while self.unsigned > 0 {
            if Instant::now() > until {
                return Err(io::Error::new(ErrorKind::TimedOut, "not every bank could sign on"));
            }
            self.turn(&mut events, Duration::from_millis(100))?;
        }
        Ok(())
    }

    fn run(mut self, told: &mut impl Write) -> io::Result<Measured> {
        let warm_up = self.now() + self.orders.warm_up_ms * 1_000_000;
        let end = warm_up + self.orders.window_ms * 1_000_000;
        self.seen.window = (warm_up, end);
        let mut pace = Pace::new(self.orders.rate, self.now(), self.lines.len())?;
        if let Some(timer) = &pace.timer {
            let fd = timer.as_raw_fd();
            self.poll.registry().register(&mut SourceFd(&fd), PACE, Interest::READABLE)?;
        } else {
            (0..self.lines.len()).for_each(|place| self.refill(place));
        }
        let mut events = Events::with_capacity(1024);
        let (mut begun, mut cpu) = (false, 0);
        loop {
            let now = self.now();
            if !begun && now >= warm_up {
                begun = true;
                cpu = cpu_ns();
                writeln!(told, "begin")?;
            }
            let all = self.seen.answered + self.seen.under_way as u64;
            if self.orders.payments.is_some_and(|most| all >= most) {
                self.seen.window.1 = now;
            }
            if now >= self.seen.window.1 {
                break;
            }
            pace.ask(&mut self, now.min(end));
            let next = if begun { end } else { warm_up };
            let wait = Duration::from_nanos(next - now) + Duration::from_micros(100);
            self.turn(&mut events, wait)?;
            pace.woke();
        }
        let cpu = cpu_ns().saturating_sub(cpu);
        writeln!(told, "end")?;
        let until = Instant::now() + DRAIN_WAIT;
        while self.seen.under_way > 0 && Instant::now() < until {
            self.turn(&mut events, Duration::from_millis(50))?;
        }
        Ok(self.measured(cpu))
    }

    fn measured(mut self, cpu_ns: u64) -> Measured {
        for _ in 0..self.seen.under_way {
            self.seen.fault("never answered");
        }
        let seen = &self.seen;
        let words = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
        Measured {
            payments: seen.times.total(),
            window_ns: seen.window.1 - seen.window.0,
            p50_ns: seen.times.per_mille(500),
            p99_ns: seen.times.per_mille(990),
            p999_ns: seen.times.per_mille(999),
            max_ns: seen.times.max(),
            declined: seen.codes.values().sum(),
            codes: seen.codes.iter().map(|(code, count)| (words(code), *count)).collect(),
            errors: seen.faults.values().sum(),
            faults: seen.faults.iter().map(|(what, n)| ((*what).to_owned(), *n)).collect(),
            gaps: seen.gaps,
            answered: seen.answered,
            next: self.askers.iter().flatten().map(Asker::next).max().unwrap_or(0),
            connections: self.lines.len(),
            cpu_ns,
        }
    }

    /// Waits once, reads whatever came, writes once to each connection that has something to say.
    fn turn(&mut self, events: &mut Events, wait: Duration) -> io::Result<()> {
        self.flush()?;
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.tick();
        for event in events.iter() {
            let place = event.token().0;
            if place >= self.lines.len() {
                continue;
            }
            if event.is_writable() && self.lines[place].has_unsent() {
                self.touch(place);
            }
            if event.is_readable() {
                while self.lines[place].read()? {
                    self.take(place);
                }
                self.take(place);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for place in dirty.drain(..) {
            self.lines[place].dirty = false;
            self.lines[place].flush()?;
        }
        self.dirty = dirty;
        Ok(())
    }

    /// Everything that a connection has brought.
    fn take(&mut self, place: usize) {
        let now = self.now();
        let mut fields = Fields::new();
        let mut spoke = false;
        while let Some(message) = self.lines[place].next() {
            let (message, mac, out) = self.lines[place].parts(message);
            if mac.is_some_and(|mac| !is_signed(message, mac)) {
                self.seen.fault("bad MAC");
                continue;
            }
            if !self.table.scan(message, &mut fields) {
                self.seen.fault("unreadable");
                continue;
            }
            match fields.mti {
                210 => {
                    let settled = match &mut self.askers[place] {
                        Some(asker) => asker.settle(message, &fields),
                        None => Settled::Wrong("answers nothing"),
                    };
                    self.seen.settled(settled, now);
                }
                200 => approve(message, &fields, mac, out),
                810 => match fields.value(message, 39) {
                    Some(b"00") => self.unsigned = self.unsigned.saturating_sub(1),
                    Some(_) | None => self.seen.fault("sign-on refused"),
                },
                420 | 421 => {
                    self.seen.fault(REVERSALS);
                    approve(message, &fields, mac, out);
                }
                800 => answer_echo(&self.table, message, &fields, mac, out),
                _ => self.seen.fault(NOT_EXPECTED),
            }
            spoke |= !out.is_empty();
        }
        if self.orders.rate.is_none() && !self.is_over() {
            self.refill(place);
        }
        if spoke {
            self.touch(place);
        }
    }

    /// Whether nothing more is to be asked.
    fn is_over(&self) -> bool {
        self.seen.window.1 == 0 || self.now() >= self.seen.window.1
    }

    /// Closed loop: as many payments as may be under way.
    fn refill(&mut self, place: usize) {
        let now = self.now();
        while self.ask(place, now) {}
    }

    /// One payment that was to be sent then.
    fn ask(&mut self, place: usize, since: u64) -> bool {
        let Some(asker) = &mut self.askers[place] else { return false };
        let (_, mac, out) = self.lines[place].parts(0..0);
        if !asker.ask(since, &self.moment, mac, out) {
            return false;
        }
        self.seen.sent(since);
        self.touch(place);
        true
    }

    fn touch(&mut self, place: usize) {
        if !std::mem::replace(&mut self.lines[place].dirty, true) {
            self.dirty.push(place);
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// The time of day, made anew once a second.
    fn tick(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if now != self.moment_s {
            self.moment_s = now;
            self.moment = Moment::at(now, self.orders.utc_offset_s);
        }
    }
}

/// 0810 to the hub's echo.
fn answer_echo(
    table: &Table,
    message: &[u8],
    fields: &Fields,
    mac: Option<&LinkMac>,
    out: &mut Vec<u8>,
) {
    let value = |de| fields.value(message, de).unwrap_or_default();
    let answer = [(7, value(7)), (11, value(11)), (39, &b"00"[..]), (70, value(70))];
    table.frame("0810", &answer, mac, out);
}

/// Processor time of this process, ns.
fn cpu_ns() -> u64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(spent.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(spent.tv_nsec).unwrap_or(0)
}

/// Open loop: payments at even distances, on the asking connections in turn.
struct Pace {
    timer: Option<std::os::fd::OwnedFd>,
    rate: u64,
    from: u64,
    /// Payments asked so far.
    asked: u64,
    lines: usize,
}

impl Pace {
    fn new(rate: Option<u64>, from: u64, lines: usize) -> io::Result<Self> {
        let Some(rate) = rate.filter(|rate| *rate > 0) else {
            return Ok(Self { timer: None, rate: 0, from, asked: 0, lines });
        };
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let every = (1_000_000_000 / rate).max(WAKE_NS);
        let every = Timespec {
            tv_sec: i64::try_from(every / 1_000_000_000).unwrap_or(1),
            tv_nsec: i64::try_from(every % 1_000_000_000).unwrap_or(0),
        };
        let spec = Itimerspec { it_interval: every, it_value: every };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(Self { timer: Some(timer), rate, from, asked: 0, lines })
    }

    /// Asks for all that is due by now. What finds no room on its connection waits, and so does
    /// all that comes after it.
    fn ask(&mut self, generator: &mut Generator<'_>, now: u64) {
        if self.timer.is_none() {
            return;
        }
        let asking = generator.orders.asking.min(self.lines) as u64;
        loop {
            let due =
                self.from + (u128::from(self.asked) * 1_000_000_000 / u128::from(self.rate)) as u64;
            if due > now || !generator.ask((self.asked % asking) as usize, due) {
                return;
            }
            self.asked += 1;
        }
    }

    /// Takes the timer's expirations, so that it can wake again.
    fn woke(&self) {
        if let Some(timer) = &self.timer {
            let mut count = [0; 8];
            // Nothing to take is fine.
            let _ = rustix::io::read(timer, &mut count);
        }
    }
}
