//! The loop with a machine that echoes, over real sockets on ports of the system's choice.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use host::Clocks;
use host::poison::InHand;

use super::*;
use crate::driven::{Answer, Question};
use crate::limits::SENDER_FROM;
use crate::testing::{PATIENCE, eventually};

/// What the machine saw, and what it is told to do.
#[derive(Default)]
struct Script {
    events: Vec<String>,
    /// Bytes received, by connection.
    received: BTreeMap<ConnId, Vec<u8>>,
    /// Timers, CLOCK_BOOTTIME ns; each fires once.
    timers: Vec<u64>,
    fired: Vec<(u64, u64)>,
    dial: Option<SocketAddr>,
    /// How often everybody was told something.
    rounds: u8,
    /// Connections that were looked after before the mark was.
    marked: Option<u64>,
}

/// What everybody is told in a round: more than a small window takes, each round its own.
fn said_in(round: u8) -> Vec<u8> {
    vec![round; 20_000 + usize::from(round) * 400]
}

struct Echo {
    script: Arc<Mutex<Script>>,
    /// Told when a nap begins.
    naps: SyncSender<()>,
    /// Ends a nap.
    wake: Receiver<()>,
    counts: Arc<LoopCounts>,
}

impl Driven for Echo {
    fn handle(&mut self, clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        if matches!(event, Event::Received { bytes: b"nap", .. }) {
            // As long as the test likes: others do several things before the next turn.
            self.naps.send(()).unwrap();
            self.wake.recv_timeout(PATIENCE).unwrap();
        }
        let mut script = self.script.lock().unwrap();
        let note = match event {
            Event::Started => {
                out.extend(script.dial.map(|to| Action::Dial { call: 7, to }));
                "started".to_owned()
            }
            Event::Accepted { conn, door, .. } => format!("accepted {conn} at {door}"),
            Event::Dialled { conn, call, .. } => {
                out.push(Action::Send { conn, bytes: b"hello".to_vec() });
                format!("dialled {conn} for {call}")
            }
            Event::DialFailed { call } => format!("failed {call}"),
            Event::Received { conn, bytes } => {
                script.received.entry(conn).or_default().extend_from_slice(bytes);
                match bytes {
                    // More than any peer's window and than the queue may hold.
                    b"flood" => {
                        for _ in 0..64 {
                            out.push(Action::Send { conn, bytes: vec![b'x'; 1 << 20] });
                        }
                    }
                    b"nap" | b"mute" => {}
                    b"mark" => {
                        let closed = self.counts.closed_by_reason();
                        script.marked = Some(closed.values().sum());
                    }
                    b"round" => {
                        script.rounds += 1;
                        let bytes = said_in(script.rounds);
                        let all = script.received.keys();
                        out.extend(all.map(|&conn| Action::Send { conn, bytes: bytes.clone() }));
                    }
                    b"bye" => {
                        out.push(Action::Send { conn, bytes: b"last words".to_vec() });
                        out.push(Action::Close { conn, why: "test" });
                        out.push(Action::Send { conn, bytes: b"too late".to_vec() });
                    }
                    // One send a byte: the loop makes one write of them.
                    bytes => out
                        .extend(bytes.iter().map(|byte| Action::Send { conn, bytes: vec![*byte] })),
                }
                return;
            }
            Event::Closed { conn } => format!("closed {conn}"),
            Event::Committed { .. } => "committed".to_owned(),
            Event::DiskFailed { what } => what,
            Event::Asked { ticket, .. } => {
                out.push(Action::Reply { ticket, answer: Answer::Ready(true) });
                "asked".to_owned()
            }
            Event::Timeout => {
                let due = script.timers.iter().position(|at| *at <= clocks.boot);
                let Some(due) = due else { return script.events.push("early".to_owned()) };
                let at = script.timers.remove(due);
                script.fired.push((at, clocks.boot));
                return;
            }
            Event::Stop => {
                out.push(Action::Stopped);
                "stop".to_owned()
            }
        };
        script.events.push(note);
    }

    fn next_timeout(&self) -> Option<u64> {
        self.script.lock().unwrap().timers.iter().min().copied()
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        true
    }
}

struct Rig {
    script: Arc<Mutex<Script>>,
    address: SocketAddr,
    signals: StdUnixStream,
    counts: Arc<LoopCounts>,
    desk: Desk,
    naps: Receiver<()>,
    wake: SyncSender<()>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Rig {
    fn start(script: Script) -> Self {
        Self::with(script, |_| ())
    }

    /// A loop that reads only so many bytes at once.
    fn with_buffer(script: Script, read_bytes: usize) -> Self {
        Self::with(script, move |event_loop| event_loop.buffer = vec![0; read_bytes])
    }

    /// A loop whose door takes so many callers a second.
    fn with_pace(script: Script, accepts_per_s: u32) -> Self {
        Self::with_parts(script, accepts_per_s, |_| ())
    }

    fn with(script: Script, change: impl FnOnce(&mut EventLoop<Echo>) + Send + 'static) -> Self {
        Self::with_parts(script, u32::MAX, change)
    }

    fn with_parts(
        script: Script,
        accepts_per_s: u32,
        change: impl FnOnce(&mut EventLoop<Echo>) + Send + 'static,
    ) -> Self {
        let reactor = Reactor::new().unwrap();
        let any = ([127, 0, 0, 1], 0).into();
        let door = OpenDoor::bind("test", any, Duration::ZERO).unwrap();
        let address = door.address();
        let (reader, signals) = StdUnixStream::pair().unwrap();
        let script = Arc::new(Mutex::new(script));
        let (counts, desk) = (reactor.counts(), reactor.desk());
        let ((naps, told), (wake, woken)) = (sync_channel(1), sync_channel(1));
        let echo_counts = Arc::clone(&counts);
        let echo = Echo { script: Arc::clone(&script), naps, wake: woken, counts: echo_counts };
        let thread = std::thread::spawn(move || {
            let parts = Parts {
                driven: echo,
                doors: vec![door],
                committer: None,
                handshakes: None,
                calls_are_secure: false,
                per_address: usize::MAX,
                accepts_per_s,
                poison: crate::poison::Graveyard::at("/nonexistent".into()),
                signals: reader,
                log: Arc::new(Log::quiet()),
                on_ready: Box::new(|| ()),
            };
            let mut event_loop = EventLoop::new(reactor, parts).unwrap();
            change(&mut event_loop);
            event_loop.run()
        });
        Self { script, address, signals, counts, desk, naps: told, wake, thread: Some(thread) }
    }

    fn connect(&self) -> StdTcpStream {
        let stream = StdTcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn saw(&self, what: &str) -> bool {
        self.script.lock().unwrap().events.iter().any(|event| event == what)
    }

    fn wait_for(&self, what: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.saw(what) {
            assert!(Instant::now() < until, "{what}: {:?}", self.script.lock().unwrap().events);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Does something while the loop is in the middle of a turn.
    fn during_a_nap(&self, mut busy: StdTcpStream, what: impl FnOnce()) {
        busy.write_all(b"nap").unwrap();
        self.naps.recv_timeout(PATIENCE).unwrap();
        what();
        self.wake.send(()).unwrap();
    }

    fn stop(mut self) -> Script {
        self.signals.write_all(b"x").unwrap();
        self.thread.take().unwrap().join().unwrap().unwrap();
        assert!(self.saw("stop"));
        std::mem::take(&mut *self.script.lock().unwrap())
    }
}

fn read_exactly(stream: &mut StdTcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn whole_buffers_in_and_one_write_a_turn_out() {
    let rig = Rig::start(Script::default());
    let mut one = rig.connect();
    let mut two = rig.connect();
    one.write_all(b"abc").unwrap();
    assert_eq!(read_exactly(&mut one, 3), b"abc");
    let before = rig.counts.writes.load(Ordering::Relaxed);
    let reads = rig.counts.reads.load(Ordering::Relaxed);
    let message: Vec<u8> = (0..50_000u32).map(|n| (n % 251) as u8).collect();
    two.write_all(&message).unwrap();
    assert_eq!(read_exactly(&mut two, message.len()), message);
    // 50,000 sends of one byte: as many writes as the kernel's cutting of the stream made reads.
    let writes = rig.counts.writes.load(Ordering::Relaxed) - before;
    let reads = rig.counts.reads.load(Ordering::Relaxed) - reads;
    assert!(writes <= reads + 2 && reads < 40, "{writes} writes for {reads} reads");
    drop(one);
    rig.wait_for("closed 1");
    drop(two);
    rig.wait_for("closed 2");
    let mut three = rig.connect();
    three.write_all(b"z").unwrap();
    assert_eq!(read_exactly(&mut three, 1), b"z");
    let script = rig.stop();
    let expected = ["started", "accepted 1 at 0", "accepted 2 at 0"];
    assert_eq!(script.events[..3], expected);
    assert!(script.events.contains(&"accepted 3 at 0".to_owned()), "numbers are not used again");
    assert_eq!(script.received[&2], message);
}

/// Whether the peer's system has all that was written.
fn has_arrived(stream: &StdTcpStream) -> bool {
    let port = format!(":{:04X}", stream.local_addr().unwrap().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // Number, own address, the other's, state, bytes without an acknowledgement and unread ones.
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| line[1].ends_with(&port)).unwrap();
    line[4].starts_with("00000000:")
}

#[test]
fn who_goes_keeps_nobody_waiting() {
    let rig = Rig::start(Script::default());
    let (busy, mut asker) = (rig.connect(), rig.connect());
    let crowd: Vec<_> = (0..8 * ENDS_PER_TURN).map(|_| rig.connect()).collect();
    let last = crowd.len() as ConnId + 2;
    rig.wait_for(&format!("accepted {last} at 0"));
    rig.during_a_nap(busy, || {
        drop(crowd);
        asker.write_all(b"mark").unwrap();
        let until = Instant::now() + PATIENCE;
        while !has_arrived(&asker) {
            assert!(Instant::now() < until, "loopback brings nothing");
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    for conn in 3..=last {
        rig.wait_for(&format!("closed {conn}"));
    }
    let marked = rig.stop().marked.unwrap();
    assert!(marked <= ENDS_PER_TURN as u64, "{marked} were looked after first");
}

#[test]
fn a_flood_larger_than_a_turn_arrives_whole() {
    let rig = Rig::start(Script::default());
    let mut one = rig.connect();
    let mut reader = one.try_clone().unwrap();
    let message: Vec<u8> = (0..3_000_000u32).map(|n| (n % 241) as u8).collect();
    let expected = message.clone();
    let writer = std::thread::spawn(move || {
        one.write_all(&message).unwrap();
        one
    });
    assert!(read_exactly(&mut reader, expected.len()) == expected);
    drop((writer.join().unwrap(), reader));
    rig.wait_for("closed 1");
    assert!(rig.stop().received[&1] == expected);
}

#[test]
fn a_peer_that_does_not_read_is_closed_with_a_reason() {
    let rig = Rig::start(Script::default());
    let mut slow = rig.connect();
    let mut well = rig.connect();
    slow.write_all(b"flood").unwrap();
    rig.wait_for("closed 1");
    assert_eq!(rig.counts.closed_by_reason().get("slow_reader"), Some(&1));
    well.write_all(b"ok").unwrap();
    assert_eq!(read_exactly(&mut well, 2), b"ok");
    rig.stop();
}

/// Many connections in a turn: the sender's part. Some bytes go by it and some, where a window is
/// full, by the loop.
#[test]
fn what_a_busy_turn_says_arrives_whole_and_in_order() {
    const PEERS: usize = SENDER_FROM * 4;
    let rig = Rig::start(Script::default());
    let mut peers: Vec<_> = (0..PEERS).map(|_| rig.connect()).collect();
    for peer in &mut peers {
        rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 32 * 1024).unwrap();
        peer.write_all(b"k").unwrap();
        assert_eq!(read_exactly(peer, 1), b"k");
    }
    for peer in &mut peers {
        peer.write_all(b"round").unwrap();
    }
    let rounds = || rig.script.lock().unwrap().rounds;
    let until = Instant::now() + Duration::from_secs(20);
    while usize::from(rounds()) < PEERS {
        assert!(Instant::now() < until, "{} rounds", rounds());
        std::thread::sleep(Duration::from_millis(2));
    }
    let all: Vec<u8> = (1..=rounds()).flat_map(said_in).collect();
    for peer in &mut peers {
        assert!(read_exactly(peer, all.len()) == all);
    }
    // One that goes in the middle takes nothing from the others.
    drop(peers.pop());
    peers[0].write_all(b"round").unwrap();
    for peer in &mut peers {
        let last = said_in(u8::try_from(PEERS).unwrap() + 1);
        assert!(read_exactly(peer, last.len()) == last);
    }
    rig.stop();
}

#[test]
fn a_close_comes_after_what_was_sent_before_and_survives_unread_bytes() {
    let rig = Rig::with_buffer(Script::default(), 3);
    let mut one = rig.connect();
    // Bytes that nobody will read: closing on them would reset the connection.
    let mut message = b"bye".to_vec();
    message.resize(1000, b'y');
    one.write_all(&message).unwrap();
    rig.wait_for("closed 1");
    let mut text = Vec::new();
    one.read_to_end(&mut text).unwrap();
    assert_eq!(text, b"last words");
    assert_eq!(rig.counts.closed_by_reason().get("test"), Some(&1));
    let script = rig.stop();
    assert_eq!(script.received[&1], b"bye");
    assert_eq!(script.events.iter().filter(|event| *event == "closed 1").count(), 1);
}

#[test]
fn bytes_and_end_that_come_together_are_both_seen() {
    let rig = Rig::start(Script::default());
    let (busy, mut brief) = (rig.connect(), rig.connect());
    rig.wait_for("accepted 2 at 0");
    rig.during_a_nap(busy, || {
        // Nothing goes back, so nothing else tells of the end.
        brief.write_all(b"mute").unwrap();
        drop(brief);
    });
    rig.wait_for("closed 2");
    assert_eq!(rig.stop().received[&2], b"mute");
}

#[test]
fn what_is_more_than_a_turn_allows_is_read_in_the_next_turns() {
    let rig = Rig::with_buffer(Script::default(), 1000);
    let (busy, mut much) = (rig.connect(), rig.connect());
    rig.wait_for("accepted 2 at 0");
    // Lies there whole when the loop wakes: the system tells of it once.
    let message: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
    rig.during_a_nap(busy, || much.write_all(&message).unwrap());
    assert!(read_exactly(&mut much, message.len()) == message);
    rig.stop();
}

#[test]
fn calls_go_through_or_fail() {
    // At an address that no other test has a port of.
    let listener = std::net::TcpListener::bind("127.0.0.83:0").unwrap();
    let to = listener.local_addr().unwrap();
    let rig = Rig::start(Script { dial: Some(to), ..Script::default() });
    let (mut peer, _) = listener.accept().unwrap();
    assert_eq!(read_exactly(&mut peer, 5), b"hello");
    rig.wait_for("dialled 1 for 7");
    peer.write_all(b"abc").unwrap();
    assert_eq!(read_exactly(&mut peer, 3), b"abc");
    rig.stop();
    // Nobody listens there any more.
    drop((peer, listener));
    let rig = Rig::start(Script { dial: Some(to), ..Script::default() });
    rig.wait_for("failed 7");
    rig.stop();
}

#[test]
fn timers_fire_when_due_and_not_before() {
    let now = clock::boot();
    let timers = [40, 5, 120].map(|ms| clock::after(now, Duration::from_millis(ms))).to_vec();
    let rig = Rig::start(Script { timers, ..Script::default() });
    let mut chat = rig.connect();
    eventually("all have fired", || {
        // The loop is awake all the time, and fires nothing for that.
        chat.write_all(b"x").unwrap();
        rig.script.lock().unwrap().fired.len() == 3
    });
    let script = rig.stop();
    assert!(!script.events.contains(&"early".to_owned()));
    let mut order: Vec<u64> = script.fired.iter().map(|(at, _)| *at).collect();
    order.sort_unstable();
    assert_eq!(order, script.fired.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    for (at, fired) in script.fired {
        // A busy machine may be late, never early.
        assert!(fired >= at, "{at} fired at {fired}");
    }
}

#[test]
fn a_timer_wakes_the_loop() {
    let timers = vec![clock::after(clock::boot(), Duration::from_millis(5))];
    // Nothing else wakes it while this test is patient.
    let rig = Rig::with(Script { timers, ..Script::default() }, |event_loop| {
        event_loop.sleep_max = 2 * PATIENCE;
        event_loop.on_ready = None;
    });
    eventually("it fires", || !rig.script.lock().unwrap().fired.is_empty());
    rig.stop();
}

#[test]
fn a_question_wakes_the_loop_and_a_stopped_loop_says_so() {
    // Nothing else wakes it while this test is patient.
    let rig = Rig::with(Script::default(), |event_loop| event_loop.sleep_max = 2 * PATIENCE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // One that is late on a busy machine is asked again.
    eventually("an answer", || {
        runtime.block_on(rig.desk.ask(Question::Ready)) == Ok(Answer::Ready(true))
    });
    let desk = rig.desk.clone();
    rig.stop();
    let answer = runtime.block_on(desk.ask(Question::Ready));
    assert_eq!(answer, Err(crate::questions::NoAnswer::Stopping));
}

#[test]
fn a_taken_port_is_named() {
    // At an address that no other test has a port of.
    let taken = std::net::TcpListener::bind("127.0.0.84:0").unwrap();
    let at = taken.local_addr().unwrap();
    let error = OpenDoor::bind("banks", at, Duration::from_millis(60)).unwrap_err();
    assert_eq!(error.kind, RunErrorKind::PortInUse);
    assert_eq!(error.place, format!("banks {at}"));
    let waiter = std::thread::spawn(move || OpenDoor::bind("banks", at, PATIENCE).map(|_| ()));
    // However far it is.
    std::thread::sleep(Duration::from_millis(100));
    drop(taken);
    waiter.join().unwrap().unwrap();
}

/// Dies of one input; says what it had in hand.
struct Mortal {
    in_hand: Vec<u8>,
}

impl Driven for Mortal {
    fn handle(&mut self, _clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        let Event::Received { conn, bytes } = event else { return };
        self.in_hand = bytes.to_vec();
        assert!(bytes != b"hemlock", "planted: this input breaks an invariant");
        out.push(Action::Send { conn, bytes: bytes.to_vec() });
        self.in_hand.clear();
    }

    fn next_timeout(&self) -> Option<u64> {
        None
    }

    fn in_hand(&self) -> Option<InHand> {
        Some(InHand::new("terminal PYO00001".to_owned(), &self.in_hand))
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        true
    }
}

#[test]
fn callers_wait_for_their_turn_and_all_of_them_get_it() {
    let rig = Rig::with_pace(Script::default(), 40);
    let began = Instant::now();
    let mut callers: Vec<_> = (0..30).map(|_| rig.connect()).collect();
    for caller in &mut callers {
        caller.write_all(b"here").unwrap();
    }
    let accepted = || rig.counts.accepted.load(Ordering::Relaxed);
    eventually("the first ten are in", || accepted() >= 10);
    // Ten at once, and then no more than 40 a second, however slow this machine is.
    let (taken, ms) = (accepted(), began.elapsed().as_millis());
    assert!(u128::from(taken) <= 10 + 1 + ms * 40 / 1000, "{taken} within {ms} ms");
    // Whoever is in is served while others wait.
    for _ in 0..3 {
        callers[0].write_all(b"more").unwrap();
    }
    assert_eq!(read_exactly(&mut callers[0], 16), b"heremoremoremore");
    for caller in callers.iter_mut().skip(1) {
        assert_eq!(read_exactly(caller, 4), b"here");
    }
    assert!(rig.counts.accepts_waited.load(Ordering::Relaxed) > 0);
    rig.stop();
}

#[test]
fn what_a_machine_dies_of_is_written_down_and_the_loop_dies_with_it() {
    let yard = Graveyard::at(crate::testing::temp_dir("mortal").join("poison"));
    for deaths in 1..=3 {
        let reactor = Reactor::new().unwrap();
        let door = OpenDoor::bind("test", ([127, 0, 0, 1], 0).into(), Duration::ZERO).unwrap();
        let address = door.address();
        let (signals, _end) = StdUnixStream::pair().unwrap();
        let poison = yard.clone();
        let thread = std::thread::spawn(move || {
            let parts = Parts {
                driven: Mortal { in_hand: Vec::new() },
                doors: vec![door],
                committer: None,
                handshakes: None,
                calls_are_secure: false,
                per_address: usize::MAX,
                accepts_per_s: u32::MAX,
                poison,
                signals,
                log: Arc::new(Log::quiet()),
                on_ready: Box::new(|| ()),
            };
            EventLoop::new(reactor, parts).unwrap().run()
        });
        let mut stream = StdTcpStream::connect(address).unwrap();
        stream.write_all(b"water").unwrap();
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(yard.read().unwrap().len(), deaths - 1, "nobody died of water");
        stream.write_all(b"hemlock").unwrap();
        assert!(thread.join().is_err(), "the loop ends as its machine does");
        let graves = yard.read().unwrap();
        assert_eq!(graves.len(), deaths);
        let grave = graves.last().unwrap();
        assert_eq!((grave.peer.as_str(), grave.shape.as_str()), ("terminal PYO00001", "aaaaaaa"));
        assert!(grave.why.contains("planted"), "{grave:?}");
        // What the next start makes of it.
        let (poisons, notices) = crate::poison::judge(&graves, 3, 60);
        let hash = InHand::new(String::new(), b"hemlock").hash;
        assert!(poisons.inputs.contains(&("terminal PYO00001".to_owned(), hash)));
        assert_eq!(poisons.fenced.len(), usize::from(deaths == 3), "{notices:?}");
    }
}
