//! Peers that mean harm, or are broken.

use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::mutate::Mutator;
use crate::payers::{framed, purchase};

/// How long a hostile peer waits for anything.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two connections of one that connects and goes: all of them take half of the door.
const PAUSE: Duration = Duration::from_millis(4);
/// Threads that send mutated frames, and as many that connect and go.
const SENDERS: usize = 4;
/// Frames that are sent at once.
const BURST: usize = 8;
/// A terminal that none of the payers is; the flood's.
const FLOODER: u32 = 15;

/// One storm.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    /// Random and mutated frames that the station hears.
    pub(crate) frames: usize,
    /// Connections that come at once and stay a moment.
    pub(crate) storm: usize,
    /// Connections that stay and say nothing, and as many with half a frame.
    pub(crate) silent: usize,
    /// Connections that send payments as fast as they can.
    pub(crate) floods: usize,
}

/// What was done.
pub(crate) struct Done {
    pub(crate) frames: usize,
    pub(crate) connections: usize,
}

/// One way to do harm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Random and mutated frames.
    Frames,
    /// Connections that come at once and stay until the last is there.
    Storm,
    /// Connections that come, say a word and go, without end.
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
    pub(crate) const ALL: [Self; 7] = [
        Self::Frames,
        Self::Storm,
        Self::Churn,
        Self::Silence,
        Self::Deafness,
        Self::Garbage,
        Self::Flood,
    ];

    /// As `BONGSU_HOSTILE` and the output have it.
    pub(crate) fn name(self) -> &'static str {
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

impl Attack {
    /// All of these at once, for so long at least; returns when the frames and the connections are
    /// through.
    pub(crate) fn run(
        &self,
        station: SocketAddr,
        harms: &[Harm],
        round: u64,
        least: Duration,
    ) -> Done {
        let over = AtomicBool::new(false);
        let until = Instant::now() + least;
        std::thread::scope(|scope| {
            let over = &over;
            // Also when something here fails: the others must come to an end.
            let end = End(over);
            let does = |harm| harms.contains(&harm);
            for number in 0..if does(Harm::Flood) { self.floods } else { 0 } {
                scope.spawn(move || {
                    stand_back(|| flood(station, over, round * 100 + number as u64))
                });
            }
            for _ in 0..if does(Harm::Deafness) { 4 } else { 0 } {
                scope.spawn(move || stand_back(|| read_nothing(station, over)));
            }
            if does(Harm::Garbage) {
                scope.spawn(move || stand_back(|| garbage(station, over, round)));
            }
            let held = if does(Harm::Silence) { hold(station, self.silent) } else { Vec::new() };
            for _ in 0..if does(Harm::Churn) { SENDERS } else { 0 } {
                // Together with others it leaves them a share of the door: who is not let in
                // within his patience does no harm.
                let pause = if does(Harm::Frames) { PAUSE } else { Duration::ZERO };
                scope.spawn(move || stand_back(|| churn(station, over, pause)));
            }
            let part = if does(Harm::Frames) { self.frames / SENDERS + 1 } else { 0 };
            let storms = if does(Harm::Storm) { self.storm } else { 0 };
            let senders = std::array::from_fn::<_, SENDERS, _>(|number| {
                let seed = round * 10 + number as u64 + 77;
                let harm = move || mutated(station, part, seed);
                scope.spawn(move || stand_back(|| again(until, harm)))
            });
            let harm = move || storm(station, storms);
            let storm = scope.spawn(move || stand_back(|| again(until, harm)));
            let connections = storm.join().unwrap();
            let frames = senders.map(|sender| sender.join().unwrap()).iter().sum();
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            drop((end, held));
            Done { frames, connections }
        })
    }
}

/// Does harm, and again if it is through before the time is; how much of it was done.
fn again(until: Instant, mut harm: impl FnMut() -> usize) -> usize {
    let mut sum = 0;
    loop {
        let done = harm();
        sum += done;
        if done == 0 || Instant::now() >= until {
            return sum;
        }
    }
}

/// What harms from a machine of its own does not take processor time from the nation: here it gets
/// what the nation and the payers leave.
fn stand_back<T>(harm: impl FnOnce() -> T) -> T {
    // Of this thread alone.
    rustix::process::setpriority_process(None, 19).unwrap();
    harm()
}

/// The end of a storm.
struct End<'o>(&'o AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As many open files as this user may have: a storm is one process here.
pub(crate) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

fn connect(station: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&station, Duration::from_secs(10)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// Frames out of the fuzz targets' corpus, whole frames around changed messages, in bursts; when
/// the station closes the connection, the next one. A random one is framed too: a station that
/// closes at once would see little of them else. What is counted is what the station has heard for
/// certain: a burst when a later one is answered, one frame when it closes.
fn mutated(station: SocketAddr, count: usize, seed: u64) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/decoder");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.into_iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut mutator = Mutator::new(&seeds, seed);
    let mut answers = vec![0; 64 * 1024];
    let (mut stream, mut heard, mut unsure) = (None, 0, 0);
    while heard < count {
        let Some(open) = stream.take().or_else(|| connect(station)) else { continue };
        let mut open: TcpStream = open;
        let mut bytes = Vec::new();
        for _ in 0..BURST {
            let frame = mutator.next();
            bytes.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        // One that closes on unread bytes resets the connection, and may do so while we write.
        let written = open.write_all(&bytes);
        match written.and_then(|()| open.read(&mut answers)) {
            Ok(1..) => {
                heard += std::mem::replace(&mut unsure, BURST);
                stream = Some(open);
                continue;
            }
            Ok(0) => heard += 1,
            Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe) => heard += 1,
            // It says nothing to any of them, or does not read.
            Err(_) => {}
        }
        unsure = 0;
    }
    heard
}

/// Connects, says a word and goes; without a pause as fast as the station's door lets it.
fn churn(station: SocketAddr, over: &AtomicBool, pause: Duration) {
    let word = framed(&purchase(FLOODER, 1));
    while !over.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(station) else { continue };
        let _ = stream.write_all(&word[..word.len() / 2]);
        std::thread::sleep(pause);
    }
}

/// Connections that say nothing, half a frame, or nothing any more.
fn hold(station: SocketAddr, count: usize) -> Vec<TcpStream> {
    let whole = framed(&purchase(FLOODER, 1));
    let mut held = Vec::new();
    for number in 0..2 * count {
        let Some(mut stream) = connect(station) else { continue };
        // The station may close any of them at any time: it has better ones.
        let _ = match number % 4 {
            0 | 2 => Ok(()),
            1 => stream.write_all(&whole[..whole.len() / 2]),
            _ => stream.shutdown(Shutdown::Write),
        };
        held.push(stream);
    }
    held
}

/// Sends questions and never reads an answer.
fn read_nothing(station: SocketAddr, over: &AtomicBool) {
    let mut echo = purchase(FLOODER, 7);
    echo.set_mti(scheme::Mti::new(800).unwrap());
    for de in [2, 3, 4, 12, 13, 14, 32, 41, 42, 49] {
        echo.remove(de);
    }
    echo.set(70, b"301");
    let bytes = framed(&echo).repeat(100);
    while !over.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(station) else { continue };
        while !over.load(Ordering::Relaxed) && stream.write_all(&bytes).is_ok() {}
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Bytes that are nothing: another protocol, noise, a length without end.
fn garbage(station: SocketAddr, over: &AtomicBool, seed: u64) {
    let noise =
        vec![vec![0xff; 4000], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), vec![0; 4000]];
    let mut mutator = Mutator::new(&noise, seed);
    while !over.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(station) else { continue };
        let _ = stream.write_all(mutator.next());
        let _ = stream.read(&mut [0; 64]);
    }
}

/// Payments as fast as the station takes them; the answers are read and not looked at.
fn flood(station: SocketAddr, over: &AtomicBool, seed: u64) {
    let Some(mut stream) = connect(station) else { return };
    let mut reader = stream.try_clone().unwrap();
    let (mut stan, mut answers) = (u32::try_from(seed % 1000).unwrap() * 1000, vec![0; 64 * 1024]);
    while !over.load(Ordering::Relaxed) {
        let mut bytes = Vec::new();
        for _ in 0..50 {
            stan += 1;
            bytes.extend_from_slice(&framed(&purchase(FLOODER, stan)));
        }
        let sent = stream.write_all(&bytes).is_ok();
        reader.set_nonblocking(true).unwrap();
        while matches!(reader.read(&mut answers), Ok(count) if count > 0) {}
        reader.set_nonblocking(false).unwrap();
        if !sent {
            // Its write stood still because it is not read any more; what is left of the frame is
            // lost with the connection.
            let Some(next) = connect(station) else { return };
            reader = next.try_clone().unwrap();
            stream = next;
        }
    }
}

/// Many connections at once, each with a word or without; then all of them go.
fn storm(station: SocketAddr, count: usize) -> usize {
    let began = Instant::now();
    let mut open = Vec::new();
    for _ in 0..count {
        open.extend(connect(station));
        assert!(began.elapsed() < Duration::from_secs(300), "the storm is stuck");
    }
    open.len()
}
