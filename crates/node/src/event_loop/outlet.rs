//! What is on its way to one peer, and the cipher of both ways.
//!
//! Two threads use it: the event loop, and the sender of a busy turn ([`super::sender`]). Bytes are
//! put in order by the loop alone; whoever flushes sends all that was put before, so that their
//! order holds whichever thread it is. Neither waits for the other for longer than one write takes.

use std::io::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;

use super::write_queue::{Flushed, WriteQueue};
use crate::limits::PLAINTEXT_KEPT;
use crate::tls::{Channel, Opened};

/// The way to one peer.
#[derive(Debug)]
pub(super) struct Outlet {
    stream: TcpStream,
    /// Plain bytes that nobody has sealed or queued yet.
    waiting: Mutex<Vec<u8>>,
    wire: Mutex<Wire>,
    /// Bytes put and not yet handed to the system, sealed or not.
    unsent: AtomicUsize,
    /// The same of all connections together.
    unsent_of_all: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Wire {
    queue: WriteQueue,
    /// None where bytes go as they are.
    channel: Option<Channel>,
    /// What was waiting, about to be sealed.
    plain: Vec<u8>,
    has_ended: bool,
    /// The connection is no more: what is left is nobody's.
    is_gone: bool,
}

/// What came of opening bytes.
pub(super) struct Reading {
    pub(super) opened: std::result::Result<Opened, rustls::Error>,
    /// Whether TLS itself has something to say now.
    pub(super) has_to_send: bool,
}

impl Outlet {
    /// A way to a peer, over TLS if there is a channel; `unsent_of_all` counts with others' bytes.
    pub(super) fn new(
        stream: TcpStream,
        channel: Option<Channel>,
        unsent_of_all: Arc<AtomicUsize>,
    ) -> Self {
        let wire = Mutex::new(Wire { channel, ..Wire::default() });
        let (waiting, unsent) = (Mutex::default(), AtomicUsize::new(0));
        Self { stream, waiting, wire, unsent, unsent_of_all }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Opens what came, behind what is in `plain`; nothing to open without TLS.
    pub(super) fn open(&self, bytes: &[u8], plain: &mut Vec<u8>) -> Option<Reading> {
        let mut wire = lock(&self.wire);
        let channel = wire.channel.as_mut()?;
        let opened = channel.open(bytes, plain);
        Some(Reading { opened, has_to_send: channel.has_to_send() })
    }

    /// Adds bytes that will be put; they count from now on.
    pub(super) fn count(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Ordering::AcqRel);
        self.unsent_of_all.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Puts bytes, counted before, behind the others.
    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        let mut waiting = lock(&self.waiting);
        if waiting.is_empty() {
            std::mem::swap(&mut *waiting, bytes);
        } else {
            waiting.append(bytes);
        }
    }

    /// Bytes that have not been handed to the system.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Acquire)
    }

    /// Writes all that was put, and what TLS itself has to say, as far as the system takes it;
    /// `ends`: nothing more follows. `written` counts the bytes.
    pub(super) fn flush(&self, ends: bool, written: &mut usize) -> Result<Flushed> {
        let mut wire = lock(&self.wire);
        let mut plain = std::mem::take(&mut wire.plain);
        std::mem::swap(&mut *lock(&self.waiting), &mut plain);
        if wire.is_gone {
            return Ok(Flushed::All);
        }
        let before = wire.queue.unsent() + plain.len();
        wire.seal(&mut plain, ends);
        plain.clear();
        plain.shrink_to(PLAINTEXT_KEPT);
        wire.plain = plain;
        // Records are longer than what they hold; but TLS that is over takes bytes and makes none.
        let after = wire.queue.unsent();
        self.count(after.saturating_sub(before));
        self.uncount(before.saturating_sub(after));
        let flushed = wire.queue.flush(&mut &self.stream, written);
        self.uncount(*written);
        flushed
    }

    /// The connection is no more: nothing of it is sent, or counted, from now on.
    pub(super) fn give_up(&self) {
        let mut wire = lock(&self.wire);
        wire.is_gone = true;
        self.uncount(self.unsent());
    }

    fn uncount(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes, Ordering::AcqRel);
        self.unsent_of_all.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Wire {
    /// Moves plain bytes into the queue, as records where there is a cipher.
    fn seal(&mut self, plain: &mut Vec<u8>, ends: bool) {
        let Some(channel) = &mut self.channel else {
            return self.queue.push(plain);
        };
        // TLS sends nothing behind its own end.
        if !plain.is_empty() {
            channel.seal(plain, self.queue.tail());
        }
        if ends && !self.has_ended {
            channel.end();
            self.has_ended = true;
        }
        if channel.has_to_send() {
            channel.seal(&[], self.queue.tail());
        }
    }
}

/// A thread that died while it held the lock has ended the process or was the sender, and what it
/// left is whole enough to be given up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::testing::PATIENCE;

    fn say(outlet: &Outlet, bytes: &[u8]) {
        outlet.count(bytes.len());
        outlet.put(&mut bytes.to_vec());
    }

    #[test]
    fn what_is_said_when_tls_is_over_counts_for_nobody() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = listener.accept().unwrap().0;
        stream.set_nonblocking(true).unwrap();
        let [ours, mut theirs] = Channel::pair("outlet");
        // Seven bytes are another connection's.
        let all = Arc::new(AtomicUsize::new(7));
        let outlet = Outlet::new(TcpStream::from_std(stream), Some(ours), Arc::clone(&all));
        let unsent = || (outlet.unsent(), all.load(Ordering::Acquire));

        say(&outlet, b"last words");
        assert_eq!(unsent(), (10, 17));
        let mut written = 0;
        assert_eq!(outlet.flush(false, &mut written).unwrap(), Flushed::All);
        assert!(written > 10, "a record");
        assert_eq!(unsent(), (0, 7));

        // Bytes that are no record end TLS; it says so, and seals nothing from then on.
        let reading = outlet.open(&[0xff; 64], &mut Vec::new()).unwrap();
        assert!(reading.opened.is_err() && reading.has_to_send);
        let mut alert = 0;
        assert_eq!(outlet.flush(false, &mut alert).unwrap(), Flushed::All);
        assert!(alert > 0);
        say(&outlet, b"one word more");
        let mut more = 0;
        assert_eq!(outlet.flush(true, &mut more).unwrap(), Flushed::All);
        assert_eq!((more, unsent()), (0, (0, 7)));

        let (mut bytes, mut plain) = (vec![0; written], Vec::new());
        peer.read_exact(&mut bytes).unwrap();
        assert_eq!(theirs.open(&bytes, &mut plain).unwrap(), Opened::Open);
        assert_eq!(plain, b"last words");
    }
}
