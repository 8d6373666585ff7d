//! Clients at one station: its terminals, each a thread with its own connection, which do every
//! everyday flow in turn, or pay. When something breaks they do what terminals do: repeat, reverse,
//! or walk away.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::nation::audit::{Ask, Claim, End};
use scheme::{
    Amount, ApprovalCode, Iin, Mti, ParticipantId, Rrn, Stan, TerminalId, Timestamp, Zone,
};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

const ACQUIRER: u64 = 100_001;
const ISSUERS: [&str; 3] = ["940801", "940802", "940803"];
const ANSWER: Duration = Duration::from_secs(35);

pub(crate) struct Clients {
    threads: Vec<JoinHandle<Vec<Claim>>>,
    stop: Arc<AtomicBool>,
    approved: Arc<AtomicU64>,
}

impl Clients {
    pub(crate) fn start(station: SocketAddr, load: Load) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let approved = Arc::new(AtomicU64::new(0));
        let threads = (1..=load.terminals)
            .map(|number| {
                let client = Client {
                    station,
                    flows: load.flows,
                    terminal: format!("PYO{number:05}"),
                    account: u32::try_from(number).unwrap(),
                    connection: None,
                    stan: load.stan,
                    // Each begins with another flow.
                    customers: 7 * u32::try_from(number).unwrap(),
                    claims: Vec::new(),
                    approved: Arc::clone(&approved),
                };
                let stop = Arc::clone(&stop);
                let gap = Duration::from_micros(1_000_000 * load.terminals / load.rate.max(1));
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

    pub(crate) fn stop(self) -> Vec<Claim> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

/// A request that was approved.
struct Paid {
    request: Message,
    rrn: String,
    approval: String,
}

/// What customers do.
#[derive(Clone, Copy)]
pub(crate) enum Flows {
    /// Each of twenty things in turn.
    Every,
    /// They pay, and some change their minds.
    Purchases,
}

/// How much they do.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) terminals: u64,
    pub(crate) flows: Flows,
    /// Of all of them, a second.
    pub(crate) rate: u64,
    /// Their trace numbers are those after this one.
    pub(crate) stan: u32,
}

impl Load {
    pub(crate) const ORDINARY: Self =
        Self { terminals: 10, flows: Flows::Every, rate: 200, stan: 0 };
}

struct Client {
    station: SocketAddr,
    flows: Flows,
    terminal: String,
    account: u32,
    connection: Option<TcpStream>,
    stan: u32,
    customers: u32,
    claims: Vec<Claim>,
    approved: Arc<AtomicU64>,
}

impl Client {
    fn run(mut self, stop: &AtomicBool, gap: Duration) -> Vec<Claim> {
        let mut next = Instant::now();
        self.try_a_pin();
        while !stop.load(Ordering::Relaxed) {
            self.serve();
            next = (next + gap).max(Instant::now() - gap);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        self.claims
    }

    /// One customer, and one flow or a chain of them.
    fn serve(&mut self) {
        self.customers += 1;
        let amount = u64::from(100 + self.customers % 5000);
        let flow = match self.flows {
            Flows::Every => self.customers % 20,
            Flows::Purchases => 0,
        };
        match flow {
            0..=7 => drop(self.pay(Ask::Purchase, amount)),
            8 | 9 => drop(self.pay(Ask::Cash, amount)),
            10 => drop(self.pay(Ask::Balance, 0)),
            11 | 12 => self.refunds(amount, &[amount / 2]),
            // The rest, and then more than was paid.
            13 => self.refunds(amount, &[amount / 3, amount - amount / 3, amount / 4]),
            14 => drop(self.pay(Ask::Refund, 100)),
            15 => self.hold(amount, &[amount / 2]),
            // Completed twice: the second moves nothing.
            16 => self.hold(amount, &[amount, amount]),
            // More than is held: refused, and the hold stands.
            17 => self.hold(amount, &[amount + 1]),
            18 => drop(self.pay(Ask::Hold, amount)),
            _ => self.dispense(amount),
        }
    }

    /// A payment and refunds of it.
    fn refunds(&mut self, amount: u64, refunds: &[u64]) {
        let Some(paid) = self.pay(Ask::Purchase, amount) else { return };
        for refund in refunds {
            let request = self.request(Ask::Refund, *refund, Some(&paid));
            self.ask(Ask::Refund, &request, Some(&paid));
        }
    }

    /// A pre-authorisation and completions of it, each sent until it is acknowledged.
    fn hold(&mut self, amount: u64, completions: &[u64]) {
        let Some(held) = self.pay(Ask::Hold, amount) else { return };
        for completion in completions {
            let request = self.request(Ask::Completion, *completion, Some(&held));
            let answer = self.insist(&request);
            let end = if code(&answer) == "00" { End::Approved } else { End::Declined };
            self.write_down(Ask::Completion, &request, Some(&answer), Some(&held), end);
        }
    }

    /// Cash of which the machine gave a part only.
    fn dispense(&mut self, amount: u64) {
        let kept = amount / 4;
        if let Some(paid) = self.pay(Ask::Cash, amount) {
            self.reverse(&paid.request, Some(kept));
            self.last().end = End::Kept(Amount::new(kept).unwrap());
        }
    }

    fn pay(&mut self, ask: Ask, amount: u64) -> Option<Paid> {
        let request = self.request(ask, amount, None);
        let paid = self.ask(ask, &request, None)?;
        // Some customers change their minds.
        let stays = matches!(ask, Ask::Balance) || !self.customers.is_multiple_of(9);
        if !stays {
            self.reverse(&request, None);
            self.last().end = End::Reversed;
        }
        stays.then_some(paid)
    }

    /// Asks; without an answer it repeats, reverses or walks away. What was approved comes back.
    fn ask(&mut self, ask: Ask, request: &Message, of: Option<&Paid>) -> Option<Paid> {
        let answer = match self.exchange(request) {
            Some(answer) => answer,
            None => match self.customers % 3 {
                _ if ask == Ask::Balance => {
                    self.write_down(ask, request, None, of, End::Unknown);
                    return None;
                }
                0 => {
                    self.write_down(ask, request, None, of, End::Unknown);
                    return None;
                }
                1 => {
                    self.reverse(request, None);
                    self.write_down(ask, request, None, of, End::Reversed);
                    return None;
                }
                _ => self.insist(&repeat_of(request)),
            },
        };
        let approved = code(&answer) == "00";
        let end = if approved { End::Approved } else { End::Declined };
        self.write_down(ask, request, Some(&answer), of, end);
        if !approved {
            return None;
        }
        self.approved.fetch_add(1, Ordering::Relaxed);
        Some(Paid { request: request.clone(), rrn: text(&answer, 37), approval: text(&answer, 38) })
    }

    fn write_down(
        &mut self,
        ask: Ask,
        request: &Message,
        answer: Option<&Message>,
        of: Option<&Paid>,
        end: End,
    ) {
        let rrn = answer.map_or(String::new(), |answer| text(answer, 37));
        let approval = answer.map_or(String::new(), |answer| text(answer, 38));
        let of = of.map(|paid| (terminal_of(&paid.request), stan_of(&paid.request)));
        self.claims.push(Claim {
            acquirer: ParticipantId::new(ACQUIRER).unwrap(),
            terminal: terminal_of(request),
            stan: stan_of(request),
            ask,
            of,
            rrn: Rrn::new(rrn.as_bytes()).unwrap_or(Rrn::BLANK),
            approval: ApprovalCode::new(approval.as_bytes()).unwrap_or(ApprovalCode::BLANK),
            amount: Amount::new(text(request, 4).parse().unwrap()).unwrap(),
            issuer: Iin::new(&text(request, 2)[..6]).unwrap(),
            approved: end == End::Approved,
            end,
        });
    }

    fn last(&mut self) -> &mut Claim {
        self.claims.last_mut().unwrap()
    }

    /// A reversal, sent until it is acknowledged; `kept`: what was really paid out (DE95).
    fn reverse(&mut self, request: &Message, kept: Option<u64>) {
        let stan = self.next_stan();
        let mut reversal = self.base(420, stan);
        for de in [2, 3, 4, 32, 41, 42, 49] {
            reversal.set(de, request.get(de).unwrap());
        }
        reversal.set(39, if kept.is_some() { b"32" } else { b"17" });
        reversal.set(90, original(request).as_bytes());
        if let Some(kept) = kept {
            let parts = format!("{kept:012}{:012}C{:08}C{:08}", 0, 0, 0);
            reversal.set(95, parts.as_bytes());
        }
        let answer = self.insist(&reversal);
        assert_eq!(answer.text(39), Some("00"), "a reversal is always acknowledged");
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

    fn next_stan(&mut self) -> u32 {
        self.stan += 1;
        self.stan
    }

    fn request(&mut self, ask: Ask, amount: u64, of: Option<&Paid>) -> Message {
        let stan = self.next_stan();
        let (mti, processing) = match ask {
            Ask::Purchase => (200, "000000"),
            Ask::Cash => (200, "010000"),
            Ask::Refund => (200, "200000"),
            Ask::Balance => (200, "310000"),
            Ask::Hold => (100, "000000"),
            Ask::Completion => (220, "000000"),
        };
        let local = Zone::fixed(9 * 3600).local(now()).month_time().to_string();
        let mut message = self.base(mti, stan);
        // Every third payment is on-us, the others go to two other banks.
        let iin = Iin::new(ISSUERS[self.customers as usize % 3]).unwrap();
        let pan = parties::bank::pan(iin, self.account).unwrap();
        message.set(2, pan.digits());
        message.set(3, processing.as_bytes());
        message.set(4, format!("{amount:012}").as_bytes());
        message.set(12, &local.as_bytes()[4..]);
        message.set(13, &local.as_bytes()[..4]);
        message.set(14, b"3112");
        message.set(32, ACQUIRER.to_string().as_bytes());
        message.set(42, b"PYO-SHOP-000001");
        message.set(49, b"408");
        if let Some(paid) = of {
            message.set(90, original(&paid.request).as_bytes());
        }
        if let (Ask::Completion, Some(paid)) = (ask, of) {
            message.set(37, paid.rrn.as_bytes());
            message.set(38, paid.approval.as_bytes());
            message.set(39, b"00");
        } else if stan.is_multiple_of(7) {
            let track = format!("{}=31121015432100", text(&message, 2));
            message.set(35, track.as_bytes());
            for de in [45, 48, 55, 62] {
                message.set(de, planted(de).as_bytes());
            }
        }
        message
    }

    /// A PIN block is refused, wiped, and goes nowhere.
    fn try_a_pin(&mut self) {
        let mut message = self.request(Ask::Purchase, 100, None);
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
    for iin in ISSUERS {
        for account in 1..=u32::try_from(Load::ORDINARY.terminals).unwrap() {
            let pan = parties::bank::pan(Iin::new(iin).unwrap(), account).unwrap();
            secrets.push(pan.digits().to_vec());
        }
    }
    secrets
}

const PIN_BLOCK: [u8; 8] = [0xc0, 0xff, 0xee, 0x0d, 0xdb, 0xa1, 0x1e, 0x55];

fn planted(de: u8) -> String {
    format!("PLANTED IN DE{de}")
}

/// A field without its padding; empty when absent.
fn text(message: &Message, de: u8) -> String {
    message.text(de).unwrap_or("").trim().to_owned()
}

fn code(answer: &Message) -> String {
    text(answer, 39)
}

fn terminal_of(request: &Message) -> TerminalId {
    TerminalId::new(request.get(41).unwrap()).unwrap()
}

fn stan_of(request: &Message) -> Stan {
    Stan::new(text(request, 11).parse().unwrap()).unwrap()
}

/// DE90: MTI, DE11, DE7, DE32, DE33 of the original.
fn original(request: &Message) -> String {
    let field = |de: u8| text(request, de);
    let mti = request.mti();
    format!("{mti}{}{}{:0>11}{:011}", field(11), field(7), field(32), 0)
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
