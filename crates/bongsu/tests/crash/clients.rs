//! Clients at one station: ten terminals, each a thread with its own connection. When something
//! breaks they do what terminals do: repeat, reverse, or walk away.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use scheme::{Mti, Timestamp, Zone};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

const TERMINALS: u64 = 10;
const ANSWER: Duration = Duration::from_secs(35);

/// What a client knows of one payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) terminal: String,
    pub(crate) stan: String,
    pub(crate) amount: i64,
    pub(crate) rrn: String,
    pub(crate) approval: String,
    pub(crate) end: End,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Approved,
    Declined(String),
    /// A reversal was acknowledged with 00.
    Reversed,
    /// The customer left before an answer came.
    Unknown,
}

pub(crate) struct Clients {
    threads: Vec<JoinHandle<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    approved: Arc<AtomicU64>,
}

impl Clients {
    pub(crate) fn start(station: SocketAddr, rate: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let approved = Arc::new(AtomicU64::new(0));
        let threads = (1..=TERMINALS)
            .map(|number| {
                let client = Client {
                    station,
                    terminal: format!("PYO{number:05}"),
                    account: u32::try_from(number).unwrap(),
                    connection: None,
                    next_stan: 1,
                    approved: Arc::clone(&approved),
                };
                let stop = Arc::clone(&stop);
                let gap = Duration::from_micros(1_000_000 * TERMINALS / rate.max(1));
                std::thread::spawn(move || client.run(&stop, gap))
            })
            .collect();
        Self { threads, stop, approved }
    }

    pub(crate) fn approved(&self) -> u64 {
        self.approved.load(Ordering::Relaxed)
    }

    pub(crate) fn wait_for_approvals(&self, wanted: u64, limit: Duration) {
        let began = Instant::now();
        while self.approved() < wanted {
            assert!(began.elapsed() < limit, "no payments for {limit:?} after a kill");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

struct Client {
    station: SocketAddr,
    terminal: String,
    account: u32,
    connection: Option<TcpStream>,
    next_stan: u32,
    approved: Arc<AtomicU64>,
}

impl Client {
    fn run(mut self, stop: &AtomicBool, gap: Duration) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut next = Instant::now();
        self.try_a_pin();
        while !stop.load(Ordering::Relaxed) {
            seen.push(self.pay());
            next = (next + gap).max(Instant::now() - gap);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        seen
    }

    fn pay(&mut self) -> Seen {
        let stan = self.next_stan;
        self.next_stan += 1;
        let amount = i64::from(100 + stan % 5000);
        let purchase = self.purchase(stan, amount);
        let mut seen = Seen {
            terminal: self.terminal.clone(),
            stan: format!("{stan:06}"),
            amount,
            rrn: String::new(),
            approval: String::new(),
            end: End::Unknown,
        };
        let answer = match self.exchange(&purchase) {
            Some(answer) => answer,
            None => match stan % 3 {
                0 => return seen,
                1 => return self.reverse(&purchase, seen),
                _ => self.insist(&repeat_of(&purchase)),
            },
        };
        let text = |de: u8| answer.text(de).unwrap_or("").trim().to_owned();
        if text(39) == "00" {
            seen.rrn = text(37);
            seen.approval = text(38);
            seen.end = End::Approved;
            self.approved.fetch_add(1, Ordering::Relaxed);
            // Some customers change their minds.
            if stan.is_multiple_of(10) {
                return self.reverse(&purchase, seen);
            }
        } else {
            seen.end = End::Declined(text(39));
        }
        seen
    }

    fn reverse(&mut self, purchase: &Message, mut seen: Seen) -> Seen {
        let stan = self.next_stan;
        self.next_stan += 1;
        let mut reversal = self.base(420, stan);
        for de in [2, 3, 4, 32, 41, 42, 49] {
            reversal.set(de, purchase.get(de).unwrap());
        }
        reversal.set(39, b"17");
        let field = |de: u8| purchase.text(de).unwrap();
        let data = format!("0200{}{}{:0>11}{:011}", field(11), field(7), field(32), 0);
        reversal.set(90, data.as_bytes());
        let answer = self.insist(&reversal);
        assert_eq!(answer.text(39), Some("00"), "a reversal is always acknowledged");
        seen.end = End::Reversed;
        seen
    }

    /// Sends until an answer comes: a repeat or a reversal never gives up.
    fn insist(&mut self, message: &Message) -> Message {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut message = message.clone();
        loop {
            assert!(Instant::now() < deadline, "no answer for two minutes");
            if let Some(answer) = self.exchange(&message) {
                return answer;
            }
            message = repeat_of(&message);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn exchange(&mut self, message: &Message) -> Option<Message> {
        let answer = self.try_exchange(message);
        if answer.is_none() {
            self.connection = None;
        }
        answer
    }

    fn try_exchange(&mut self, message: &Message) -> Option<Message> {
        let dialect = Dialect::builtin("iso87-ascii")?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let timeout = Duration::from_secs(2);
                let connection = TcpStream::connect_timeout(&self.station, timeout).ok()?;
                connection.set_nodelay(true).ok()?;
                connection.set_read_timeout(Some(ANSWER)).ok()?;
                connection
            }
        };
        let (mut payload, mut framed) = (Vec::new(), Vec::new());
        dialect.encode(message, &mut payload).unwrap();
        write_frame(Framing::Be2, &payload, &mut framed).unwrap();
        connection.write_all(&framed).ok()?;
        loop {
            let mut length = [0; 2];
            connection.read_exact(&mut length).ok()?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            connection.read_exact(&mut answer).ok()?;
            let answer = dialect.decode(&answer).unwrap();
            if answer.text(11) == message.text(11) {
                self.connection = Some(connection);
                return Some(answer);
            }
        }
    }

    fn base(&self, mti: u16, stan: u32) -> Message {
        let mut message = Message::new(Mti::new(mti).unwrap());
        message.set(7, now().month_time().to_string().as_bytes());
        message.set(11, format!("{stan:06}").as_bytes());
        message.set(41, self.terminal.as_bytes());
        message
    }

    fn purchase(&self, stan: u32, amount: i64) -> Message {
        let local = Zone::fixed(9 * 3600).local(now()).month_time().to_string();
        let mut message = self.base(200, stan);
        // Every third payment is on-us, the others go to two other banks.
        let iin = scheme::Iin::new(["940801", "940802", "940803"][stan as usize % 3]).unwrap();
        let pan = parties::bank::pan(iin, self.account).unwrap();
        message.set(2, pan.digits());
        message.set(3, b"000000");
        message.set(4, format!("{amount:012}").as_bytes());
        message.set(12, &local.as_bytes()[4..]);
        message.set(13, &local.as_bytes()[..4]);
        message.set(14, b"3112");
        message.set(32, b"100001");
        message.set(42, b"PYO-SHOP-000001");
        message.set(49, b"408");
        if stan.is_multiple_of(7) {
            let track = format!("{}=31121015432100", pan_of(&message));
            message.set(35, track.as_bytes());
            for de in [45, 48, 55, 62] {
                message.set(de, planted(de).as_bytes());
            }
        }
        message
    }

    /// A PIN block is refused, wiped, and goes nowhere.
    fn try_a_pin(&mut self) {
        let mut message = self.purchase(999_999, 100);
        message.set(52, &PIN_BLOCK);
        let answer = self.insist(&message);
        assert_eq!((answer.text(39), answer.text(44)), (Some("58"), Some("NO PIN")));
    }
}

/// What no file may ever hold: card numbers, tracks, and the fields that only pass through.
pub(crate) fn secrets() -> Vec<Vec<u8>> {
    let mut secrets: Vec<Vec<u8>> = [45, 48, 55, 62].map(|de| planted(de).into_bytes()).into();
    secrets.push(b"=31121015432100".to_vec());
    secrets.push(PIN_BLOCK.to_vec());
    secrets.push(b"C0FFEE0DDBA11E55".to_vec());
    for iin in ["940801", "940802", "940803"] {
        for account in 1..=u32::try_from(TERMINALS).unwrap() {
            let pan = parties::bank::pan(scheme::Iin::new(iin).unwrap(), account).unwrap();
            secrets.push(pan.digits().to_vec());
        }
    }
    secrets
}

const PIN_BLOCK: [u8; 8] = [0xc0, 0xff, 0xee, 0x0d, 0xdb, 0xa1, 0x1e, 0x55];

fn planted(de: u8) -> String {
    format!("PLANTED IN DE{de}")
}

fn pan_of(message: &Message) -> String {
    message.text(2).unwrap().to_owned()
}

fn repeat_of(message: &Message) -> Message {
    let mut repeat = message.clone();
    repeat.set_mti(message.mti().repeat());
    repeat
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_nanos()).unwrap())
}
