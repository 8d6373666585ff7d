//! Handshakes, on a thread of their own: public-key arithmetic is a thousand times what a message
//! costs, and a storm of callers must not stand before a payment.
//!
//! How it flows: the event loop hands over a fresh connection through a bounded queue; the thread
//! brings many of them forward at once, each within its time; what comes of each goes back through
//! a second queue, and the loop is woken. The thread also looks after the certificates' files: what
//! has changed serves the handshakes that begin from then on.
//! What bounds it: the queue ([`HANDSHAKES_QUEUED`]), connections in a handshake
//! ([`HANDSHAKES_MAX`]: whoever has waited longest makes room), their time ([`Setting::wait`]).

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use host::{Level, PeerName};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::Connection;
use webpki::EndEntityCert;

use super::channel::Channel;
use super::material::{self, Material};
use super::refusal::Refusal;
use crate::clock;
use crate::error::RunError;
use crate::event_loop::LoopCounts;
use crate::limits::{
    EVENTS_PER_TURN, FILES_LOOK, HANDSHAKE_NICE, HANDSHAKES_MAX, HANDSHAKES_QUEUED,
};
use crate::logging::Log;

const WAKER: Token = Token(0);

/// What a handshake is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Somebody came through this door.
    Door(usize),
    /// A call of this number went through.
    Call(u64),
}

/// What came of a handshake.
#[derive(Debug)]
pub struct Outcome {
    /// What it was for.
    pub work: Work,
    /// The other side.
    pub peer: SocketAddr,
    /// The connection, its cipher and who the peer is; or why there is none.
    pub result: Result<(TcpStream, Channel, PeerName), Refusal>,
}

struct Job {
    work: Work,
    peer: SocketAddr,
    stream: TcpStream,
}

/// The event loop's end of the thread. Dropped, the thread ends.
#[derive(Debug)]
pub struct Handshakes {
    jobs: SyncSender<Job>,
    outcomes: Receiver<Outcome>,
    waker: Arc<Waker>,
}

/// What the thread is given.
#[derive(Debug)]
pub struct Setting {
    /// What was read at the start.
    pub material: Material,
    /// `DIR/keys`, to read it again.
    pub keys: PathBuf,
    /// The role's name, as its files have it.
    pub role: String,
    /// How long a handshake may take.
    pub wait: Duration,
    /// Set: read the files again now.
    pub reload: Arc<AtomicBool>,
    /// Wakes the event loop.
    pub event_loop: Arc<Waker>,
    /// Where the certificate's end is shown.
    pub counts: Arc<LoopCounts>,
    /// Where to log.
    pub log: Arc<Log>,
}

impl Handshakes {
    /// Starts the thread.
    pub fn start(setting: Setting) -> Result<Self, RunError> {
        let failed = |error: std::io::Error| RunError::system("start the handshake thread", error);
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let (jobs, queue) = sync_channel(HANDSHAKES_QUEUED);
        let (done, outcomes) = sync_channel(HANDSHAKES_QUEUED);
        setting.counts.certificate_ends(setting.material.ends());
        let files = material::changed(&setting.keys, &setting.role);
        let worker = Worker {
            setting,
            files,
            look_at: Instant::now() + FILES_LOOK,
            poll,
            queue,
            done,
            pending: BTreeMap::new(),
            next: 1,
        };
        std::thread::Builder::new()
            .name("handshakes".to_owned())
            .spawn(|| worker.run())
            .map_err(failed)?;
        Ok(Self { jobs, outcomes, waker })
    }

    /// Hands a connection over; `false`, and it is closed, when too many wait already.
    #[must_use]
    pub fn begin(&self, work: Work, peer: SocketAddr, stream: TcpStream) -> bool {
        let taken = self.jobs.try_send(Job { work, peer, stream }).is_ok();
        // A thread that cannot be woken finds it within its next look.
        let _ = self.waker.wake();
        taken
    }

    /// What came of the next one that is through.
    pub fn take(&self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        let _ = self.waker.wake();
    }
}

struct Pending {
    work: Work,
    peer: SocketAddr,
    stream: TcpStream,
    tls: Connection,
    by: Instant,
}

struct Worker {
    setting: Setting,
    files: [Option<std::time::SystemTime>; 3],
    look_at: Instant,
    poll: Poll,
    queue: Receiver<Job>,
    done: SyncSender<Outcome>,
    /// By token, which are given in order: the first has waited longest.
    pending: BTreeMap<usize, Pending>,
    next: usize,
}

/// How far a step brought a handshake.
enum Step {
    Waits,
    Through(PeerName),
    Refused(Refusal),
}

impl Worker {
    fn run(mut self) {
        // Whoever pays goes first. A refusal leaves the thread as eager as the others.
        let _ = rustix::process::setpriority_process(None, HANDSHAKE_NICE);
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            let now = Instant::now();
            let first = self.pending.values().next().map_or(self.look_at, |first| first.by);
            let sleep = first.min(self.look_at).saturating_duration_since(now);
            let sleep = sleep.max(Duration::from_millis(1));
            match self.poll.poll(&mut events, Some(sleep)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            for event in &events {
                if event.token() != WAKER && !self.forward(event.token().0) {
                    return;
                }
            }
            loop {
                match self.queue.try_recv() {
                    Ok(job) => {
                        if !self.begin(job) {
                            return;
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            if !self.expire() {
                return;
            }
            self.look_after_files();
        }
    }

    /// Takes a connection in; `false` when nobody waits for its outcome any more.
    fn begin(&mut self, job: Job) -> bool {
        let Job { work, peer, mut stream } = job;
        if self.pending.len() >= HANDSHAKES_MAX
            && let Some((_, oldest)) = self.pending.pop_first()
            && !self.tell(oldest, Err(Refusal::busy()))
        {
            return false;
        }
        let tls = match work {
            Work::Door(_) => self.setting.material.answer(),
            Work::Call(_) => self.setting.material.call(&PeerName::Hub),
        };
        let tls = match tls {
            Ok(tls) => tls,
            Err(error) => {
                return self.send(Outcome { work, peer, result: Err(Refusal::of(&error)) });
            }
        };
        let token = self.next;
        self.next += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, Token(token), interest) {
            return self.send(Outcome { work, peer, result: Err(Refusal::system(&error)) });
        }
        let by = Instant::now() + self.setting.wait;
        self.pending.insert(token, Pending { work, peer, stream, tls, by });
        self.forward(token)
    }

    fn forward(&mut self, token: usize) -> bool {
        let Some(pending) = self.pending.get_mut(&token) else { return true };
        let result = match step(pending) {
            Step::Waits => return true,
            Step::Through(name) => Ok(name),
            Step::Refused(refusal) => Err(refusal),
        };
        match self.pending.remove(&token) {
            Some(pending) => self.tell(pending, result),
            None => true,
        }
    }

    /// Those whose time is over.
    fn expire(&mut self) -> bool {
        let now = Instant::now();
        while let Some(first) = self.pending.first_entry() {
            if first.get().by > now {
                return true;
            }
            let late = first.remove();
            if !self.tell(late, Err(Refusal::late())) {
                return false;
            }
        }
        true
    }

    fn tell(&self, pending: Pending, result: Result<PeerName, Refusal>) -> bool {
        let Pending { work, peer, mut stream, tls, .. } = pending;
        // The event loop watches it with a poll of its own.
        let _ = self.poll.registry().deregister(&mut stream);
        let result = result.map(|name| (stream, Channel::new(tls), name));
        self.send(Outcome { work, peer, result })
    }

    fn send(&self, outcome: Outcome) -> bool {
        let heard = self.done.send(outcome).is_ok();
        // A loop that cannot be woken looks within a second.
        let _ = self.setting.event_loop.wake();
        heard
    }

    /// Reads the certificate anew when its files have changed or somebody asks for it. What cannot
    /// be read leaves the old one in force.
    fn look_after_files(&mut self) {
        let asked = self.setting.reload.swap(false, Ordering::AcqRel);
        let now = Instant::now();
        if !asked && now < self.look_at {
            return;
        }
        self.look_at = now + FILES_LOOK;
        let files = material::changed(&self.setting.keys, &self.setting.role);
        if !asked && files == self.files {
            return;
        }
        self.files = files;
        let log = &self.setting.log;
        match Material::load(&self.setting.keys, &self.setting.role) {
            Ok(material) => {
                self.setting.counts.certificate_ends(material.ends());
                let days = material.days_left(clock::read().wall);
                log.say(Level::Info, "certificate_loaded", &[("days_left", days.into())]);
                self.setting.material = material;
            }
            Err(error) => {
                let values = [
                    ("why", error.message.into()),
                    ("where", error.place.into()),
                    ("do", "the certificate before stays in force; put the files right".into()),
                ];
                log.say(Level::Error, "certificate_not_loaded", &values);
            }
        }
    }
}

/// As far as the system lets it go now.
fn step(pending: &mut Pending) -> Step {
    let Pending { stream, tls, .. } = pending;
    loop {
        while tls.wants_write() {
            match tls.write_tls(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A call that is not through yet cannot be written to.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Step::Waits,
                Err(error) => return Step::Refused(Refusal::system(&error)),
            }
        }
        if !tls.is_handshaking() {
            return match name_of(tls) {
                Ok(name) => Step::Through(name),
                Err(refusal) => Step::Refused(refusal),
            };
        }
        match tls.read_tls(stream) {
            Ok(0) => return Step::Refused(Refusal::ended()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Step::Refused(Refusal::system(&error)),
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why, if the system takes it at once.
            let _ = tls.write_tls(stream);
            return Step::Refused(Refusal::of(&error));
        }
    }
}

/// The one name in the peer's certificate, whose signature and time have been checked.
pub(super) fn name_of(tls: &Connection) -> Result<PeerName, Refusal> {
    let own = tls.peer_certificates().and_then(|chain| chain.first());
    let own = own.ok_or_else(|| Refusal::of(&rustls::Error::NoCertificatesPresented))?;
    let own = EndEntityCert::try_from(own).map_err(Refusal::nameless)?;
    let names: Vec<&str> = own.valid_dns_names().collect();
    match names[..] {
        [name] => PeerName::parse(name)
            .ok_or_else(|| Refusal::nameless(format!("\"{name}\" names no peer of a nation"))),
        _ => Err(Refusal::nameless(format!("the certificate has {} names, not one", names.len()))),
    }
}
