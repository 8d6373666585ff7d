//! Ten terminals that pay as ever, each with its own connection, and what they notice.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use scheme::{Iin, Mti, Timestamp, Zone};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

/// Not the first terminal of the station: frames of the corpus name it, and on a plain port, which
/// only `demo` has, whoever says its name uses up its rate.
const FIRST: u32 = 2;
const TERMINALS: u32 = 10;
const GAP: Duration = Duration::from_millis(50);
/// R-TIME: terminals wait so long.
const ANSWER: Duration = Duration::from_secs(35);
pub(crate) const ISSUERS: [&str; 3] = ["940801", "940802", "940803"];

/// How long answers took.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn at(&self, per_cent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let place = (sorted.len() * per_cent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, p50, p99, most) = (self.0.len(), self.at(50), self.at(99), self.at(100));
        write!(f, "p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.0} ms of {count}")
    }
}

#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) approved: usize,
    /// DE39 and DE44 of everything else, or what went wrong.
    pub(crate) refused: Vec<String>,
}

pub(crate) struct Payers {
    stop: Arc<AtomicBool>,
    times: Arc<Mutex<Times>>,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Payers {
    pub(crate) fn start(station: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let times = Arc::new(Mutex::new(Times::default()));
        let threads = (FIRST..FIRST + TERMINALS).map(|number| {
            let (stop, times) = (Arc::clone(&stop), Arc::clone(&times));
            std::thread::spawn(move || pay(station, number, &stop, &times))
        });
        let threads = threads.collect();
        Self { stop, times, threads }
    }

    /// The times since the last call.
    pub(crate) fn times(&self) -> Times {
        std::mem::take(&mut self.times.lock().unwrap())
    }

    pub(crate) fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome::default();
        for thread in self.threads {
            let one = thread.join().unwrap();
            all.approved += one.approved;
            all.refused.extend(one.refused);
        }
        all
    }
}

fn pay(station: SocketAddr, number: u32, stop: &AtomicBool, times: &Mutex<Times>) -> Outcome {
    let mut stream = TcpStream::connect(station).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    let mut outcome = Outcome::default();
    let mut stan = 0;
    while !stop.load(Ordering::Relaxed) {
        stan += 1;
        let began = Instant::now();
        let answer = exchange(&mut stream, &purchase(number, stan));
        times.lock().unwrap().0.push(began.elapsed());
        match answer {
            Ok(answer) if answer.get(39) == Some(b"00") => outcome.approved += 1,
            Ok(answer) => {
                let text = |de| answer.text(de).unwrap_or("").to_owned();
                outcome.refused.push(format!("{} {}", text(39), text(44)));
            }
            Err(why) => {
                outcome.refused.push(format!("terminal {number}: {why}"));
                return outcome;
            }
        }
        std::thread::sleep(GAP.saturating_sub(began.elapsed()));
    }
    outcome
}

fn exchange(stream: &mut TcpStream, request: &Message) -> std::io::Result<Message> {
    stream.write_all(&framed(request))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut payload)?;
    Ok(dialect().decode(&payload).unwrap())
}

fn dialect() -> &'static Dialect {
    Dialect::builtin("iso87-ascii").unwrap()
}

fn framed(message: &Message) -> Vec<u8> {
    let (mut payload, mut bytes) = (Vec::new(), Vec::new());
    dialect().encode(message, &mut payload).unwrap();
    write_frame(Framing::Be2, &payload, &mut bytes).unwrap();
    bytes
}

/// A purchase of a few units, with a card of its own for each terminal.
fn purchase(number: u32, stan: u32) -> Message {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp(u64::try_from(now.as_nanos()).unwrap());
    let local = Zone::fixed(9 * 3600).local(now).month_time().to_string();
    let issuer = Iin::new(ISSUERS[stan as usize % ISSUERS.len()]).unwrap();
    let card = parties::bank::pan(issuer, number).unwrap();
    let mut message = Message::new(Mti::new(200).unwrap());
    message.set(2, card.digits());
    message.set(3, b"000000");
    message.set(4, format!("{:012}", 100 + stan % 900).as_bytes());
    message.set(7, now.month_time().to_string().as_bytes());
    message.set(11, format!("{:06}", stan % 1_000_000).as_bytes());
    message.set(12, &local.as_bytes()[4..]);
    message.set(13, &local.as_bytes()[..4]);
    message.set(14, b"3112");
    message.set(32, b"100001");
    message.set(41, format!("PYO{number:05}").as_bytes());
    message.set(42, b"PYO-SHOP-000001");
    message.set(49, b"408");
    message
}
