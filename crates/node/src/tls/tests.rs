//! Who gets in and who does not, under storms and without; what a reload changes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host::{Clocks, Config, PeerName};
use rcgen::{CertificateParams, Issuer, KeyPair};
use scheme::Timestamp;

use super::*;
use crate::clock;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::error::RunError;
use crate::event_loop::{EventLoop, LoopCounts, OpenDoor, Parts, Reactor};
use crate::layout::Layout;
use crate::limits::HANDSHAKE_WAIT;
use crate::logging::Log;
use crate::questions::Desk;
use crate::testing::{PATIENCE, eventually};

/// Answers whatever comes with itself, and notes who came.
struct Echo {
    seen: Arc<Mutex<Vec<String>>>,
    dial: Option<SocketAddr>,
}

impl Driven for Echo {
    fn handle(&mut self, _clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        let note = match event {
            Event::Started => {
                out.extend(self.dial.map(|to| Action::Dial { call: 7, to }));
                return;
            }
            Event::Accepted { identity, .. } => format!("accepted {}", named(identity)),
            Event::Dialled { conn, identity, .. } => {
                out.push(Action::Send { conn, bytes: b"hello".to_vec() });
                format!("dialled {}", named(identity))
            }
            Event::DialFailed { .. } => "failed".to_owned(),
            Event::Received { conn, bytes } => {
                if bytes == b"bye" {
                    out.push(Action::Send { conn, bytes: b"last words".to_vec() });
                    out.push(Action::Close { conn, why: "test" });
                } else {
                    // One send a byte: the loop makes as few records as can be of them.
                    let pieces = bytes.iter().map(|b| Action::Send { conn, bytes: vec![*b] });
                    out.extend(pieces);
                }
                return;
            }
            Event::Closed { .. } => "closed".to_owned(),
            Event::Asked { ticket, .. } => {
                out.push(Action::Reply { ticket, answer: Answer::Ready(true) });
                return;
            }
            Event::Stop => {
                out.push(Action::Stopped);
                return;
            }
            Event::Committed { .. } | Event::DiskFailed { .. } | Event::Timeout => return,
        };
        self.seen.lock().unwrap().push(note);
    }

    fn next_timeout(&self) -> Option<u64> {
        None
    }

    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        true
    }
}

fn named(identity: Option<PeerName>) -> String {
    identity.map_or("nobody".to_owned(), |name| name.to_string())
}

fn now() -> Timestamp {
    clock::read().wall
}

/// The keys of the example nation, made once for a test.
fn nation(name: &str) -> PathBuf {
    let layout = Layout::new(&crate::testing::temp_dir(name));
    authority::ensure(&layout, &Config::example(), now()).unwrap();
    layout.keys()
}

impl Channel {
    /// Both ends of a channel, the hub's and a bank's, after a handshake in memory.
    pub(crate) fn pair(name: &str) -> [Self; 2] {
        let keys = nation(name);
        let material = |role| Material::load(&keys, role).unwrap();
        let mut ends = [
            material("hub").answer().unwrap(),
            material("bank-100001").call(&PeerName::Hub).unwrap(),
        ];
        while ends.iter().any(|end| end.is_handshaking() || end.wants_write()) {
            for from in [0, 1] {
                let mut bytes = Vec::new();
                while ends[from].wants_write() {
                    ends[from].write_tls(&mut bytes).unwrap();
                }
                let mut bytes = bytes.as_slice();
                while !bytes.is_empty() {
                    ends[1 - from].read_tls(&mut bytes).unwrap();
                    ends[1 - from].process_new_packets().unwrap();
                }
            }
        }
        ends.map(Self::new)
    }
}

struct Rig {
    address: SocketAddr,
    keys: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
    signals: StdUnixStream,
    counts: Arc<LoopCounts>,
    reload: Arc<AtomicBool>,
    desk: Desk,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Rig {
    /// The hub's loop with one secure door.
    fn start(keys: &Path) -> Self {
        Self::of(keys, "hub", None)
    }

    /// A loop on which no handshake is late.
    fn of(keys: &Path, role: &str, dial: Option<SocketAddr>) -> Self {
        Self::with_wait(keys, role, dial, 2 * PATIENCE)
    }

    fn with_wait(keys: &Path, role: &str, dial: Option<SocketAddr>, wait: Duration) -> Self {
        let reactor = Reactor::new().unwrap();
        let door = OpenDoor::bind("test", ([127, 0, 0, 1], 0).into(), Duration::ZERO).unwrap();
        let address = door.address();
        let (reader, signals) = StdUnixStream::pair().unwrap();
        let (counts, desk) = (reactor.counts(), reactor.desk());
        let (seen, reload) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let setting = Setting {
            material: Material::load(keys, role).unwrap(),
            keys: keys.to_owned(),
            role: role.to_owned(),
            wait,
            reload: Arc::clone(&reload),
            event_loop: reactor.waker(),
            counts: Arc::clone(&counts),
            log: Arc::new(Log::quiet()),
        };
        let driven = Echo { seen: Arc::clone(&seen), dial };
        let handshakes = Some(Handshakes::start(setting).unwrap());
        let thread = std::thread::spawn(move || {
            let parts = Parts {
                driven,
                doors: vec![door.secured(true)],
                committer: None,
                handshakes,
                calls_are_secure: true,
                per_address: usize::MAX,
                accepts_per_s: u32::MAX,
                poison: crate::poison::Graveyard::at("/nonexistent".into()),
                signals: reader,
                log: Arc::new(Log::quiet()),
                on_ready: Box::new(|| ()),
            };
            EventLoop::new(reactor, parts).unwrap().run()
        });
        let (keys, thread) = (keys.to_owned(), Some(thread));
        Self { address, keys, seen, signals, counts, reload, desk, thread }
    }

    fn wait(&self, what: impl Fn(&Self) -> bool, name: &str) {
        let until = Instant::now() + PATIENCE;
        while !what(self) {
            let closed = self.counts.closed_by_reason();
            assert!(Instant::now() < until, "{name}: {:?} {closed:?}", self.seen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_for(&self, note: &str) {
        self.wait(|rig| rig.seen.lock().unwrap().iter().any(|seen| seen == note), note);
    }

    fn wait_for_close(&self, why: &str, count: u64) {
        let closed = |rig: &Self| rig.counts.closed_by_reason().get(why).copied().unwrap_or(0);
        self.wait(|rig| closed(rig) >= count, why);
        assert_eq!(closed(self), count, "{why}");
    }

    /// A peer that is in: it has had an answer. It calls once, as its handshakes are counted.
    fn client(&self, role: &str) -> Client {
        self.call(role).unwrap()
    }

    /// A peer that calls again until it is in, as every real one does.
    fn persistent_client(&self, role: &str) -> Client {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.call(role) {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < until, "never let in: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn call(&self, role: &str) -> std::io::Result<Client> {
        let side = ClientSide::load(&self.keys, role, PeerName::Hub).unwrap();
        let (stream, channel) = side.connect_within(self.address, PATIENCE)?;
        let mut client = Client { stream, channel, plain: Vec::new() };
        // TLS 1.3 tells a client of its refusal behind its own handshake.
        client.try_send(b"in")?;
        client.try_read(2)?;
        client.plain.clear();
        Ok(client)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.signals.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.unwrap().is_ok());
        }
    }
}

/// A peer with a channel and a blocking stream.
struct Client {
    stream: StdTcpStream,
    channel: Channel,
    plain: Vec<u8>,
}

impl Client {
    fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut sealed = Vec::new();
        self.channel.seal(bytes, &mut sealed);
        self.stream.write_all(&sealed)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// Reads until so many bytes have come; what `open` said last.
    fn try_read(&mut self, count: usize) -> std::io::Result<Opened> {
        let mut buffer = [0; 16 * 1024];
        let mut opened = self.channel.open(&[], &mut self.plain).map_err(std::io::Error::other)?;
        while self.plain.len() < count && opened == Opened::Open {
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let more = self.channel.open(&buffer[..read], &mut self.plain);
            opened = more.map_err(std::io::Error::other)?;
        }
        Ok(opened)
    }

    fn read(&mut self, count: usize) -> Opened {
        self.try_read(count).unwrap_or_else(|e| panic!("{e} after {} bytes", self.plain.len()))
    }

    fn echo(&mut self, bytes: &[u8]) {
        self.plain.clear();
        self.send(bytes);
        self.read(bytes.len());
        assert!(self.plain == bytes);
    }
}

#[test]
fn a_peer_is_who_its_certificate_says_and_bytes_go_both_ways() {
    let rig = Rig::start(&nation("tls-echo"));
    let mut bank = rig.client("bank-100002");
    bank.echo(b"abc");
    rig.wait_for("accepted 100002.bank.bongsu.internal");
    let mut station = rig.client("station-nampo");
    rig.wait_for("accepted nampo.station.bongsu.internal");
    // More than a record, more than a read buffer.
    let long: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    station.echo(&long);
    bank.echo(b"still here");
    // The last words come, then the end in order.
    bank.plain.clear();
    bank.send(b"bye");
    assert_eq!(bank.read(11), Opened::Ended, "close_notify");
    assert_eq!(bank.plain, b"last words");
    rig.wait_for_close("test", 1);
}

#[test]
fn a_turn_is_one_write_and_few_records() {
    let rig = Rig::start(&nation("tls-records"));
    let mut bank = rig.client("bank-100002");
    bank.echo(b"abc");
    // The hub sends each of these bytes by itself; a record costs 22 bytes.
    bank.echo(&[b'x'; 10_000]);
    // A write is counted after its bytes are on their way.
    let plain = 2 + 3 + 10_000;
    let written = || rig.counts.written_bytes.load(Ordering::Acquire);
    rig.wait(
        |rig| {
            let writes = rig.counts.writes.load(Ordering::Acquire);
            written() >= plain + 22 * writes && writes >= 3
        },
        "counted",
    );
    let (written, writes) = (written(), rig.counts.writes.load(Ordering::Acquire));
    assert!(written == plain + 22 * writes && writes < 7, "{written} bytes, {writes} writes");
}

#[test]
fn calls_are_secure_too() {
    let keys = nation("tls-call");
    let hub = Rig::start(&keys);
    let station = Rig::of(&keys, "station-nampo", Some(hub.address));
    station.wait_for("dialled hub.bongsu.internal");
    hub.wait_for("accepted nampo.station.bongsu.internal");
    // A peer of the nation that is not the hub is not taken for it.
    let bank = Rig::of(&keys, "bank-100001", None);
    let lost = Rig::of(&keys, "station-nampo", Some(bank.address));
    lost.wait_for("failed");
    lost.wait_for_close("tls_wrong_name", 1);
    // Nobody there at all.
    // At an address that no other test has a port of.
    let nobody = std::net::TcpListener::bind("127.0.0.81:0").unwrap().local_addr().unwrap();
    Rig::of(&keys, "station-nampo", Some(nobody)).wait_for("failed");
}

/// Files of a role `x` beside the nation's `ca.crt`: what somebody wrong would show.
fn forge(name: &str, hub: &Path, make: impl FnOnce(&KeyPair) -> rcgen::Certificate) -> PathBuf {
    let keys = crate::testing::temp_dir(name);
    std::fs::copy(files::authority_certificate(hub), files::authority_certificate(&keys)).unwrap();
    let pair = KeyPair::generate().unwrap();
    std::fs::write(files::certificate(&keys, "x"), make(&pair).pem()).unwrap();
    std::fs::write(files::private_key(&keys, "x"), pair.serialize_pem()).unwrap();
    keys
}

fn params(name: &str, from: u64, days: u64) -> CertificateParams {
    let mut params = authority::peer_params(name).unwrap();
    authority::within(&mut params, Timestamp::from_s(from), days);
    params
}

/// Shows the certificate and tries to say something; TLS 1.3 tells a client of its refusal late.
fn knock(keys: &Path, to: SocketAddr) -> bool {
    let side = ClientSide::load(keys, "x", PeerName::Hub).unwrap();
    let Ok((mut stream, mut channel)) = side.connect_within(to, PATIENCE) else { return false };
    let (mut sealed, mut plain, mut buffer) = (Vec::new(), Vec::new(), [0; 1000]);
    channel.seal(b"abc", &mut sealed);
    if stream.write_all(&sealed).is_err() {
        return false;
    }
    match stream.read(&mut buffer) {
        Ok(0) | Err(_) => false,
        Ok(read) => channel.open(&buffer[..read], &mut plain).is_ok() && plain == b"abc",
    }
}

#[test]
fn wrong_certificates_are_refused_and_each_refusal_says_why() {
    let hub = nation("tls-wrong");
    let rig = Rig::start(&hub);
    let name = "100001.bank.bongsu.internal";
    let today = now().seconds();
    let authority = |keys: &Path| {
        let pem = std::fs::read_to_string(files::authority_key(keys)).unwrap();
        Issuer::new(authority::authority_params(now()), KeyPair::from_pem(&pem).unwrap())
    };
    let (own, other) = (authority(&hub), authority(&nation("tls-other")));
    let signed = |params: CertificateParams, by: &Issuer<'static, KeyPair>| {
        let params = params.clone();
        let by = by.key().serialize_pem();
        move |pair: &KeyPair| {
            let by =
                Issuer::new(authority::authority_params(now()), KeyPair::from_pem(&by).unwrap());
            params.signed_by(pair, &by).unwrap()
        }
    };
    let year = 365 * 86_400;
    let mut two = params(name, today, 30);
    two.subject_alt_names.push(rcgen::SanType::DnsName("hub.bongsu.internal".try_into().unwrap()));
    let mut none = params(name, today, 30);
    none.subject_alt_names.clear();
    let mut server_only = params(name, today, 30);
    server_only.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let table: Vec<(&str, PathBuf)> = vec![
        ("tls_wrong_ca", forge("f1", &hub, signed(params(name, today, 30), &other))),
        ("tls_expired", forge("f2", &hub, signed(params(name, today - year, 30), &own))),
        ("tls_not_yet", forge("f3", &hub, signed(params(name, today + year, 30), &own))),
        ("tls_wrong_name", forge("f4", &hub, signed(params("bank.example", today, 30), &own))),
        ("tls_wrong_name", forge("f5", &hub, signed(two, &own))),
        ("tls_wrong_name", forge("f6", &hub, signed(none, &own))),
        (
            "tls_wrong_ca",
            forge("f7", &hub, |pair| params(name, today, 30).self_signed(pair).unwrap()),
        ),
        ("tls_certificate", forge("f8", &hub, signed(server_only, &own))),
    ];
    let mut expected = std::collections::BTreeMap::<&str, u64>::new();
    for (why, keys) in table {
        assert!(!knock(&keys, rig.address), "{why} {}", keys.display());
        let count = expected.entry(why).or_default();
        *count += 1;
        rig.wait_for_close(why, *count);
    }
    assert!(knock(&forge("f9", &hub, signed(params(name, today, 30), &own)), rig.address));
    assert_eq!(rig.seen.lock().unwrap().iter().filter(|s| s.starts_with("accepted")).count(), 1);
}

#[test]
fn whoever_does_not_speak_our_tls_is_refused() {
    let rig = Rig::start(&nation("tls-garbage"));
    let connect = || {
        let stream = StdTcpStream::connect(rig.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    // A plain 0800 of a bank.
    let mut plain = connect();
    plain.write_all(b"\x00\x1f0800822000000000000004000000").unwrap();
    rig.wait_for_close("tls_garbage", 1);
    // The hello of a client that knows nothing above TLS 1.2.
    let mut old = connect();
    old.write_all(&tls12_hello()).unwrap();
    rig.wait_for_close("tls_version", 1);
    // A record longer than any may be.
    let mut long = connect();
    long.write_all(&[22, 3, 1, 0xff, 0xff]).unwrap();
    long.write_all(&[1; 0xffff]).ok();
    rig.wait_for_close("tls_garbage", 2);
    // No certificate at all.
    let mut nameless = connect();
    nameless.write_all(&[]).unwrap();
    drop(nameless);
    rig.wait_for_close("tls_ended", 1);
}

/// RFC 5246: version 1.2 and one of its suites; a signature scheme and a group, as all have.
fn tls12_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    body.extend([0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 0x1d]);
    let length = u8::try_from(body.len()).unwrap();
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

#[test]
fn a_cut_and_a_broken_record_end_the_connection_and_no_other() {
    let rig = Rig::start(&nation("tls-cut"));
    let mut well = rig.client("bank-100001");
    let cut = rig.client("bank-100002");
    let mut broken = rig.client("bank-100003");
    let mut ended = rig.client("bank-100004");
    well.echo(b"abc");
    drop(cut);
    rig.wait_for_close("tls_cut", 1);
    let mut sealed = Vec::new();
    broken.channel.seal(b"abc", &mut sealed);
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    broken.stream.write_all(&sealed).unwrap();
    rig.wait_for_close("tls_error", 1);
    ended.channel.end();
    ended.send(b"");
    rig.wait_for_close("peer", 1);
    well.echo(b"still here");
}

#[test]
fn silent_callers_keep_nobody_out_and_are_told_apart() {
    let rig = Rig::with_wait(&nation("tls-silent"), "hub", None, HANDSHAKE_WAIT);
    let silent: Vec<_> = (0..50).map(|_| StdTcpStream::connect(rig.address).unwrap()).collect();
    let mut bank = rig.persistent_client("bank-100001");
    bank.echo(b"abc");
    // Each in its own time; the bank goes on meanwhile.
    let closed = |rig: &Rig| rig.counts.closed_by_reason().get("tls_timeout").copied();
    rig.wait(|rig| closed(rig) >= Some(50), "tls_timeout");
    bank.echo(b"still here");
    drop(silent);
}

#[test]
fn a_storm_of_callers_does_not_stand_before_those_who_are_there() {
    let rig = Rig::start(&nation("tls-storm"));
    let mut bank = rig.client("bank-100001");
    bank.echo(b"abc");
    let address = rig.address;
    // Far more than may be in a handshake at once would need more files than tests may open.
    let storm = std::thread::spawn(move || {
        let hello = [22, 3, 1, 0, 200, 1];
        let mut open = Vec::new();
        for round in 0..3000 {
            if let Ok(mut stream) = StdTcpStream::connect(address) {
                let _ = stream.write_all(&hello[..round % 6]);
                open.push(stream);
            }
            if open.len() > 400 {
                open.clear();
            }
        }
    });
    let mut rounds = 0;
    while !storm.is_finished() {
        bank.echo(b"a payment");
        rounds += 1;
    }
    storm.join().unwrap();
    assert!(rounds > 0);
    bank.echo(b"still here");
    // And a new peer gets in behind it, if it calls again while what the storm left is in the way.
    rig.persistent_client("bank-100002").echo(b"abc");
}

#[test]
fn new_files_serve_new_handshakes_and_bad_ones_change_nothing() {
    let keys = nation("tls-reload");
    let rig = Rig::start(&keys);
    let days = rig.counts.certificate_days(now()).unwrap();
    assert!((395..=397).contains(&days), "{days}");
    let mut before = rig.client("bank-100001");
    before.echo(b"abc");
    // A bad file: the old certificate stays in force.
    let good = std::fs::read(files::certificate(&keys, "hub")).unwrap();
    std::fs::write(files::certificate(&keys, "hub"), "nothing").unwrap();
    rig.reload.store(true, Ordering::Release);
    rig.wait(|rig| !rig.reload.load(Ordering::Acquire), "asked for");
    rig.client("bank-100001").echo(b"abc");
    // Another authority altogether: who was signed by the first is refused from now on.
    std::fs::write(files::certificate(&keys, "hub"), good).unwrap();
    let old = crate::testing::temp_dir("tls-reload-old");
    for file in std::fs::read_dir(&keys).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), old.join(file.file_name())).unwrap();
    }
    let other = nation("tls-reload-other");
    for path in [files::authority_certificate, files::authority_key] {
        std::fs::copy(path(&other), path(&keys)).unwrap();
    }
    for role in ["hub", "bank-100002"] {
        std::fs::copy(files::certificate(&other, role), files::certificate(&keys, role)).unwrap();
        std::fs::copy(files::private_key(&other, role), files::private_key(&keys, role)).unwrap();
    }
    // Nobody says so: the files are looked at.
    let side = ClientSide::load(&keys, "bank-100002", PeerName::Hub).unwrap();
    let until = Instant::now() + PATIENCE;
    while side.connect_within(rig.address, PATIENCE).is_err() {
        assert!(Instant::now() < until, "the new files are never read");
        std::thread::sleep(Duration::from_millis(50));
    }
    let side = ClientSide::load(&old, "bank-100001", PeerName::Hub).unwrap();
    assert!(side.connect_within(rig.address, PATIENCE).is_err(), "the old authority's hub is gone");
    before.echo(b"still here");
}

#[test]
fn what_is_there_is_kept_and_what_ends_soon_is_renewed() {
    let layout = Layout::new(&crate::testing::temp_dir("tls-ensure"));
    let config = Config::example();
    let made = authority::ensure(&layout, &config, now()).unwrap();
    assert!(made.contains(&"ca.crt".to_owned()), "{made:?}");
    let count = 1 + 1 + config.stations.len() + 2 * config.participants.len();
    assert_eq!(made.len(), count, "{made:?}");
    assert_eq!(authority::ensure(&layout, &config, now()).unwrap(), Vec::<String>::new());
    // A year later all certificates are renewed under the same authority, and no MAC key.
    let later = Timestamp::from_s(now().seconds() + 370 * 86_400);
    let before = std::fs::read(files::authority_certificate(&layout.keys())).unwrap();
    let made = authority::ensure(&layout, &config, later).unwrap();
    assert_eq!(made.len(), 1 + config.stations.len() + config.participants.len(), "{made:?}");
    assert_eq!(std::fs::read(files::authority_certificate(&layout.keys())).unwrap(), before);
    // A directory with the authority's certificate alone got its files from elsewhere.
    std::fs::remove_file(files::authority_key(&layout.keys())).unwrap();
    std::fs::remove_file(files::certificate(&layout.keys(), "hub")).unwrap();
    assert_eq!(authority::ensure(&layout, &config, later).unwrap(), Vec::<String>::new());
    let error = Material::load(&layout.keys(), "hub").unwrap_err();
    assert!(
        error.place.ends_with("tls-hub.crt") && error.remedy.contains("bongsu init"),
        "{error}"
    );
}

/// The calling side against another program's server; needs `openssl` 3.
#[test]
fn calls_are_taken_by_openssl() {
    let keys = nation("tls-openssl");
    // At an address that no other test has a port of.
    let port = std::net::TcpListener::bind("127.0.0.82:0").unwrap().local_addr().unwrap();
    let mut server = std::process::Command::new("openssl")
        .args(["s_server", "-accept", &port.to_string(), "-tls1_3", "-rev"])
        .args(["-Verify", "1", "-verify_return_error", "-CAfile"])
        .arg(files::authority_certificate(&keys))
        .arg("-cert")
        .arg(files::certificate(&keys, "hub"))
        .arg("-key")
        .arg(files::private_key(&keys, "hub"))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap_or_else(|error| unreachable!("this test needs openssl: {error}"));
    let until = Instant::now() + PATIENCE;
    let side = ClientSide::load(&keys, "bank-100001", PeerName::Hub).unwrap();
    let connected = loop {
        match side.connect_within(port, PATIENCE) {
            Ok(connected) => break Some(connected),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => break None,
        }
    };
    let answer = connected.map(|(stream, channel)| {
        let mut client = Client { stream, channel, plain: Vec::new() };
        // It sends each line back to front, and session tickets, which nobody here wants.
        client.send(b"abc\n");
        client.read(4);
        client.plain
    });
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(answer.as_deref(), Some(&b"cba\n"[..]));
}

/// The desk answers while handshakes go on: the loop is never in one.
#[test]
fn questions_are_answered_during_handshakes() {
    let rig = Rig::start(&nation("tls-desk"));
    let _silent = StdTcpStream::connect(rig.address).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // One that is late on a busy machine is asked again.
    eventually("an answer", || {
        runtime.block_on(rig.desk.ask(Question::Ready)) == Ok(Answer::Ready(true))
    });
}
