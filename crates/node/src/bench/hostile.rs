//! Peers that mean harm, or are broken, at a station's door for terminals.
//!
//! How things flow: [`Attack::start`] begins the kinds of harm that are asked for, each on threads
//! of its own that run when nothing else wants a processor; [`Running::stop`] ends them and says
//! what they did. What the nation's payers notice of it is for others to measure.
//! What bounds it: the attack's own numbers, and the system's limit of open files.
//! Deliberately absent: anything that needs a key. On a plain door everybody is a terminal.

use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit, setpriority_process, setrlimit};

use super::asker::{Moment, cards};
use super::iso::{Table, put_digits};
use super::mutate::Mutator;
use crate::error::RunError;

/// How long a hostile peer waits for anything.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it tries to connect: its door may have a queue.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How often one that only waits looks whether it is over.
const LOOK: Duration = Duration::from_millis(10);
/// Between two connections of one that comes and goes, while others want a share of the door.
const PAUSE: Duration = Duration::from_millis(4);
/// Threads that send mutated frames, and as many that come and go.
const SENDERS: u64 = 4;
/// Frames that are sent at once.
const BURST: usize = 8;
/// Threads that ask and never read.
const DEAF: usize = 4;
/// Payments or echoes of one write.
const AT_ONCE: u64 = 50;

/// One way to do harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harm {
    /// Random and mutated frames.
    Frames,
    /// Connections that come at once and stay until the last is there, again and again.
    Storm,
    /// Connections that come, say half a word and go, without end.
    Churn,
    /// Connections that say nothing, half a frame, or nothing any more.
    Silence,
    /// Peers that ask and never read.
    Deafness,
    /// Bytes that are nothing.
    Garbage,
    /// Well-formed payments without end.
    Flood,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Frames,
        Self::Storm,
        Self::Churn,
        Self::Silence,
        Self::Deafness,
        Self::Garbage,
        Self::Flood,
    ];

    /// As commands and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Storm => "storm",
            Self::Churn => "churn",
            Self::Silence => "silence",
            Self::Deafness => "deafness",
            Self::Garbage => "garbage",
            Self::Flood => "flood",
        }
    }
}

/// Whom to harm, and how much.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The station's door for terminals.
    pub station: SocketAddr,
    /// Its acquirer (DE32).
    pub acquirer: u64,
    /// A retailer of it (DE42).
    pub retailer: String,
    /// A terminal of that retailer which nobody else uses (DE41).
    pub terminal: String,
    /// First digits of the cards.
    pub iins: Vec<String>,
    /// Currency (DE49).
    pub currency: u16,
    /// Local time less UTC, seconds.
    pub utc_offset_s: i64,
    /// Messages to be changed, beside one of each kind that a terminal sends.
    pub corpus: Vec<Vec<u8>>,
    /// Random and mutated frames a second that the station hears, at most.
    pub frames_per_s: u64,
    /// Connections that come at once.
    pub storm: usize,
    /// Connections that stay and say nothing, and as many with half a frame or one end closed.
    pub silent: usize,
    /// Connections that send payments as fast as they can.
    pub floods: usize,
    /// Whether peers run only when nothing else wants a processor.
    pub idle: bool,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// Random and mutated frames that the station has heard for certain.
    pub frames: u64,
    /// Connections made.
    pub connections: u64,
    /// Storms that were whole.
    pub storms: u64,
    /// Well-formed payments and echoes, and pieces of garbage, sent.
    pub messages: u64,
}

impl Done {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            connections: self.connections + other.connections,
            storms: self.storms + other.storms,
            messages: self.messages + other.messages,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    frames: AtomicU64,
    connections: AtomicU64,
    storms: AtomicU64,
    messages: AtomicU64,
    over: AtomicBool,
    /// Whether some thread does not stand back as it should.
    pushes: AtomicBool,
}

impl Counts {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn wait(&self) {
        while !self.is_over() {
            std::thread::sleep(LOOK);
        }
    }
}

/// An attack under way; it ends with this.
#[derive(Debug)]
pub struct Running {
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// What was done so far.
    pub fn done(&self) -> Done {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { frames, connections, storms, messages, .. } = &*self.counts;
        Done {
            frames: read(frames),
            connections: read(connections),
            storms: read(storms),
            messages: read(messages),
        }
    }

    /// Whether the peers leave a processor at once to whoever else wants it. They do not without
    /// `chrt`, and then they harm by sharing two processors with the nation, as no peer on a
    /// machine of its own does.
    pub fn stands_back(&self) -> bool {
        !self.counts.pushes.load(Ordering::Relaxed)
    }

    /// Ends it, and says what was done.
    pub fn stop(mut self) -> Done {
        self.end();
        self.done()
    }

    fn end(&mut self) {
        self.counts.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that died has done its harm.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// As many open files as this user may have: a storm is one process here.
pub fn raise_file_limit() -> Result<(), RunError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).map_err(|e| RunError::system("open more files", e))
}

impl Attack {
    /// Begins these kinds of harm, all at once. The same `seed` makes the same frames.
    pub fn start(&self, harms: &[Harm], seed: u64) -> Result<Running, RunError> {
        let table =
            Table::new().ok_or_else(|| RunError::system("find a dialect", "iso87-ascii"))?;
        let peer = Peer {
            attack: self.clone(),
            table,
            cards: self.iins.iter().map(|iin| cards(iin)).collect(),
            // Together with frames it leaves them a share of the door: who is not let in within
            // his patience does no harm.
            pause: if harms.contains(&Harm::Frames) { PAUSE } else { Duration::ZERO },
            counts: Arc::default(),
        };
        let peer = Arc::new(peer);
        let mut running = Running { counts: Arc::clone(&peer.counts), threads: Vec::new() };
        for harm in harms {
            for number in 0..peer.threads(*harm) {
                let (peer, harm) = (Arc::clone(&peer), *harm);
                let work = move || {
                    peer.stand_back();
                    peer.harm(harm, seed.wrapping_mul(100).wrapping_add(number));
                };
                let thread = std::thread::Builder::new().name(harm.name().to_owned()).spawn(work);
                let thread = thread.map_err(|error| RunError::system("start a peer", error))?;
                running.threads.push(thread);
            }
        }
        Ok(running)
    }
}

/// All that the threads of an attack share.
struct Peer {
    attack: Attack,
    table: Table,
    /// Of each bank.
    cards: Vec<Vec<[u8; 16]>>,
    pause: Duration,
    counts: Arc<Counts>,
}

impl Peer {
    fn threads(&self, harm: Harm) -> u64 {
        match harm {
            Harm::Frames | Harm::Churn => SENDERS,
            Harm::Deafness => DEAF as u64,
            Harm::Flood => self.attack.floods as u64,
            Harm::Storm | Harm::Silence | Harm::Garbage => 1,
        }
    }

    fn harm(&self, harm: Harm, seed: u64) {
        match harm {
            Harm::Frames => self.frames(seed),
            Harm::Storm => self.storm(),
            Harm::Churn => self.churn(),
            Harm::Silence => self.silence(),
            Harm::Deafness => self.deafness(),
            Harm::Garbage => self.garbage(seed),
            Harm::Flood => self.flood(seed),
        }
    }

    /// What harms from a machine of its own does not take processor time from the nation: here it
    /// gets what others leave, and leaves at once. `nice` alone does not do that: with it Linux
    /// lets a thread finish its slice (4 ms with 250 ticks a second) at each of a payment's wakes.
    fn stand_back(&self) {
        // Both of this thread alone.
        let is_nice = setpriority_process(None, 19).is_ok();
        let is_idle = self.attack.idle
            && std::fs::read_link("/proc/thread-self").is_ok_and(|own| {
                let thread = own.file_name().unwrap_or_default().to_owned();
                let status =
                    Command::new("chrt").args(["--idle", "--pid", "0"]).arg(thread).status();
                status.is_ok_and(|status| status.success())
            });
        if !is_nice || !is_idle {
            self.counts.pushes.store(true, Ordering::Relaxed);
        }
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.attack.station, CONNECT_WAIT).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        Some(stream)
    }

    fn said(&self, messages: u64) {
        self.counts.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// A frame of the terminal's.
    fn framed(&self, mti: &str, processing: &[u8; 6], stan: u64) -> Vec<u8> {
        let attack = &self.attack;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let moment = Moment::at(now, attack.utc_offset_s);
        let (mut trace, mut amount) = ([0; 6], [0; 12]);
        put_digits(&mut trace, stan % 1_000_000);
        put_digits(&mut amount, 100 + stan % 900);
        let bank = &self.cards[(stan % self.cards.len() as u64) as usize];
        let acquirer = attack.acquirer.to_string();
        let retailer = format!("{:<15}", attack.retailer);
        let currency = format!("{:03}", attack.currency);
        let original = format!("0200{stan:06}{}{:022}", String::from_utf8_lossy(&moment.utc), 0);
        let fields: [(usize, &[u8]); 13] = [
            (2, &bank[(stan % bank.len() as u64) as usize]),
            (3, processing),
            (4, &amount),
            (7, &moment.utc),
            (11, &trace),
            (12, &moment.time),
            (13, &moment.date),
            (14, b"3112"),
            (32, acquirer.as_bytes()),
            (41, attack.terminal.as_bytes()),
            (42, retailer.as_bytes()),
            (49, currency.as_bytes()),
            (90, original.as_bytes()),
        ];
        // Requests name no original; an echo has next to nothing, and says what it is.
        let mut frame = Vec::new();
        match mti {
            "0800" => {
                let echo = [(7, &moment.utc[..]), (11, &trace), (70, b"301")];
                self.table.frame(mti, &echo, None, &mut frame);
            }
            "0100" | "0200" => self.table.frame(mti, &fields[..12], None, &mut frame),
            _ => self.table.frame(mti, &fields, None, &mut frame),
        }
        frame
    }

    fn purchase(&self, stan: u64) -> Vec<u8> {
        self.framed("0200", b"000000", stan)
    }

    /// Whole frames around random and changed messages, in bursts; when the station closes the
    /// connection, the next one. Random ones are framed too: a station that closes at once would
    /// see little of them else. What is counted is what the station has heard for certain: a burst
    /// when a later one is answered, one frame when it closes.
    fn frames(&self, seed: u64) {
        let kinds: [(&str, &[u8; 6]); 8] = [
            ("0200", b"000000"),
            ("0200", b"010000"),
            ("0200", b"200000"),
            ("0200", b"310000"),
            ("0100", b"000000"),
            ("0220", b"000000"),
            ("0420", b"000000"),
            ("0800", b"000000"),
        ];
        let kind = |(mti, processing)| self.framed(mti, processing, seed).split_off(2);
        let mut seeds: Vec<Vec<u8>> = kinds.map(kind).into();
        seeds.extend(self.attack.corpus.iter().cloned());
        let mut mutator = Mutator::new(&seeds, seed.wrapping_add(77));
        let mut answers = vec![0; 64 * 1024];
        let (mut stream, mut unsure) = (None, 0);
        let (began, mut heard) = (Instant::now(), 0);
        while !self.counts.is_over() {
            let due = began + Duration::from_secs(heard * SENDERS) / self.per_s();
            std::thread::sleep(due.saturating_duration_since(Instant::now()).min(PATIENCE));
            let Some(open) = stream.take().or_else(|| self.connect()) else { continue };
            let mut open: TcpStream = open;
            let mut bytes = Vec::new();
            for _ in 0..BURST {
                put_framed(mutator.next(), &mut bytes);
            }
            // One that closes on unread bytes resets the connection, and may do so while we write.
            let written = open.write_all(&bytes);
            let certain = match written.and_then(|()| open.read(&mut answers)) {
                Ok(1..) => {
                    stream = Some(open);
                    std::mem::replace(&mut unsure, BURST as u64)
                }
                Ok(0) => 1,
                Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe) => 1,
                // It says nothing to any of them, or does not read.
                Err(_) => 0,
            };
            if stream.is_none() {
                unsure = 0;
            }
            heard += certain;
            self.counts.frames.fetch_add(certain, Ordering::Relaxed);
        }
    }

    fn per_s(&self) -> u32 {
        u32::try_from(self.attack.frames_per_s).unwrap_or(u32::MAX).max(1)
    }

    /// Many connections at once; then all of them go, and come again: once together with frames.
    fn storm(&self) {
        while !self.counts.is_over() {
            let mut open = Vec::new();
            while open.len() < self.attack.storm && !self.counts.is_over() {
                open.extend(self.connect());
            }
            let whole = u64::from(open.len() >= self.attack.storm);
            self.counts.storms.fetch_add(whole, Ordering::Relaxed);
            drop(open);
            if !self.pause.is_zero() {
                // Another one would leave no share of the door.
                self.counts.wait();
            }
        }
    }

    /// Connects, says half a word and goes; without a pause as fast as the station's door lets it.
    fn churn(&self) {
        let word = self.purchase(1);
        while !self.counts.is_over() {
            let Some(mut stream) = self.connect() else { continue };
            // Whoever is not heard has come and gone all the same.
            let _ = stream.write_all(&word[..word.len() / 2]);
            std::thread::sleep(self.pause);
        }
    }

    /// Connections that say nothing, half a frame, or nothing any more.
    fn silence(&self) {
        let whole = self.purchase(1);
        let mut held = Vec::new();
        for number in 0..2 * self.attack.silent {
            if self.counts.is_over() {
                return;
            }
            let Some(mut stream) = self.connect() else { continue };
            // The station may close any of them at any time: it has better ones.
            let _ = match number % 4 {
                0 | 2 => Ok(()),
                1 => stream.write_all(&whole[..whole.len() / 2]),
                _ => stream.shutdown(Shutdown::Write),
            };
            held.push(stream);
        }
        self.counts.wait();
    }

    /// Sends questions and never reads an answer.
    fn deafness(&self) {
        let bytes = self.framed("0800", b"000000", 7).repeat(AT_ONCE as usize);
        while !self.counts.is_over() {
            let Some(mut stream) = self.connect() else { continue };
            while !self.counts.is_over() && stream.write_all(&bytes).is_ok() {
                self.said(AT_ONCE);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Bytes that are nothing: another protocol, noise, a length without end.
    fn garbage(&self, seed: u64) {
        let noise =
            vec![vec![0xff; 4000], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), vec![0; 4000]];
        let mut mutator = Mutator::new(&noise, seed);
        while !self.counts.is_over() {
            let Some(mut stream) = self.connect() else { continue };
            self.said(u64::from(stream.write_all(mutator.next()).is_ok()));
            // Whatever it says.
            let _ = stream.read(&mut [0; 64]);
        }
    }

    /// Payments as fast as the station takes them; the answers are read and not looked at.
    fn flood(&self, seed: u64) {
        let (mut stan, mut answers) = (seed % 1000 * 1000, vec![0; 64 * 1024]);
        while !self.counts.is_over() {
            let Some(mut stream) = self.connect() else { continue };
            loop {
                let mut bytes = Vec::new();
                for _ in 0..AT_ONCE {
                    stan += 1;
                    bytes.extend_from_slice(&self.purchase(stan));
                }
                // A write that stood still because it is not read any more leaves half a frame,
                // which is lost with the connection.
                if self.counts.is_over() || stream.write_all(&bytes).is_err() {
                    break;
                }
                self.said(AT_ONCE);
                if take_all(&mut stream, &mut answers).is_err() {
                    break;
                }
            }
        }
    }
}

/// Reads what is there, without waiting for more.
fn take_all(stream: &mut TcpStream, answers: &mut [u8]) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    while matches!(stream.read(answers), Ok(count) if count > 0) {}
    stream.set_nonblocking(false)
}

/// Two bytes of length, and the message: one of the mutator's is shorter than they can say.
fn put_framed(message: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&message[..usize::from(length)]);
}
