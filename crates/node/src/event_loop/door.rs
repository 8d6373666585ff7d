//! Doors: where others connect, and how fast they are let in.
//!
//! How it flows: the system makes the connections and keeps them in its queue; the loop takes them
//! out, so many a second ([`Pace`]). Whoever is not taken yet has a connection all the same and may
//! say what it has to say; where the queue is full, the system lets the caller's own try again.
//! What bounds it: [`ACCEPT_BACKLOG`], `limits.accepts_per_s` of the configuration.
//! Deliberately absent: a pace for each remote address. The queue is the system's and in order: who
//! a caller is shows when it has been taken, and then the work has been done.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpListener;

use crate::clock;
use crate::error::RunError;
use crate::limits::{
    ACCEPT_BACKLOG, ACCEPT_BURST_PART, ACCEPT_WAIT, PREDECESSOR_LOOK, WAITED_TOLD,
};
use crate::ports;

/// A door that is open: bound, not yet accepting.
#[derive(Debug)]
pub struct OpenDoor {
    name: String,
    listener: std::net::TcpListener,
    address: SocketAddr,
    is_secure: bool,
}

impl OpenDoor {
    /// Listens at `address`, waiting at most `wait` for a predecessor to let go of it. `what` names
    /// the door in errors and in the log.
    pub fn bind(what: &str, address: SocketAddr, wait: Duration) -> Result<Self, RunError> {
        let until = Instant::now() + wait;
        loop {
            let error = match std::net::TcpListener::bind(address) {
                Ok(listener) => {
                    return Self::of(what, listener).map_err(|e| ports::refused(what, address, &e));
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::AddrInUse if Instant::now() < until => {
                    std::thread::sleep(PREDECESSOR_LOOK);
                }
                ErrorKind::AddrInUse => return Err(ports::in_use(&format!("{what} {address}"))),
                _ => return Err(ports::refused(what, address, &error)),
            }
        }
    }

    fn of(name: &str, listener: std::net::TcpListener) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        // The standard library has asked for a queue of 128: who listens again gets another one.
        rustix::net::listen(&listener, ACCEPT_BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { name: name.to_owned(), listener, address, is_secure: false })
    }

    /// The same door with TLS behind it.
    #[must_use]
    pub fn secured(self, is_secure: bool) -> Self {
        Self { is_secure, ..self }
    }

    /// Where it listens, its port chosen by the system if it was 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener, for somebody else's loop.
    pub(crate) fn into_listener(self) -> std::net::TcpListener {
        self.listener
    }
}

/// A door of a loop.
pub(super) struct Door {
    pub(super) name: String,
    pub(super) listener: TcpListener,
    pub(super) is_secure: bool,
    /// Whether the system may have more callers than were taken.
    pub(super) pending: bool,
    /// Not before this, CLOCK_BOOTTIME in ns: the system had no room, or it is not their turn yet.
    pub(super) retry_at: u64,
    pace: Pace,
    /// Whether callers may be there whose turn had not come when they were.
    waits: bool,
    /// How many those were since it was last told.
    waited: u64,
    /// When it is to be told, CLOCK_BOOTTIME in ns.
    tell_at: u64,
}

impl Door {
    pub(super) fn of(door: OpenDoor, per_s: u32) -> Self {
        Self {
            name: door.name,
            listener: TcpListener::from_std(door.listener),
            is_secure: door.is_secure,
            pending: false,
            retry_at: 0,
            pace: Pace::new(per_s),
            waits: false,
            waited: 0,
            tell_at: 0,
        }
    }

    /// Whether the next caller may be taken now; if not, it is looked for in a while.
    pub(super) fn may_take(&mut self, boot: u64) -> bool {
        if !self.pending || self.retry_at > boot {
            return false;
        }
        self.retry_at = 0;
        let may = self.pace.has_room(boot);
        if !may {
            self.waits = true;
            self.retry_at = clock::after(boot, ACCEPT_WAIT);
        }
        may
    }

    /// A caller was taken; whether it has waited for its turn.
    pub(super) fn taken(&mut self, boot: u64) -> bool {
        self.pace.take(boot);
        if self.waits && self.waited == 0 {
            self.tell_at = clock::after(boot, WAITED_TOLD);
        }
        self.waited += u64::from(self.waits);
        self.waits
    }

    /// Nobody is there any more.
    pub(super) fn emptied(&mut self) {
        (self.pending, self.waits) = (false, false);
    }

    /// How many have waited, if it is time to tell.
    pub(super) fn take_waited(&mut self, boot: u64) -> Option<u64> {
        let due = self.waited > 0 && self.tell_at <= boot;
        due.then(|| std::mem::take(&mut self.waited))
    }
}

/// So many a second, and a part of them at once after a quiet time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    gap_ns: u64,
    /// How far ahead of even distances they may come, ns.
    ahead_ns: u64,
    /// When the next one is due, had they come at even distances.
    due: u64,
}

impl Pace {
    fn new(per_s: u32) -> Self {
        let per_s = u64::from(per_s.max(1));
        let gap_ns = 1_000_000_000 / per_s;
        let ahead_ns = gap_ns * (per_s / ACCEPT_BURST_PART).saturating_sub(1);
        Self { gap_ns, ahead_ns, due: 0 }
    }

    fn has_room(&self, now: u64) -> bool {
        self.due.saturating_sub(now) <= self.ahead_ns
    }

    fn take(&mut self, now: u64) {
        self.due = self.due.max(now).saturating_add(self.gap_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn take_all(pace: &mut Pace, now: u64) -> u64 {
        let mut taken = 0;
        while pace.has_room(now) {
            pace.take(now);
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_burst_and_then_so_many_a_second_whenever_one_looks() {
        for step in [1_000_000, 10_000_000, 70_000_000] {
            let (mut pace, mut taken) = (Pace::new(2_000), 0);
            let looks = 10 * SECOND / step;
            for look in 0..=looks {
                taken += take_all(&mut pace, 5 * SECOND + look * step);
            }
            assert_eq!(taken, 500 + looks * step * 2_000 / SECOND, "in steps of {step}");
        }
        // A quiet time gives no more than one burst.
        let mut pace = Pace::new(2_000);
        assert_eq!(take_all(&mut pace, SECOND), 500);
        assert_eq!(take_all(&mut pace, 3600 * SECOND), 500);
        // The slowest door takes one.
        assert_eq!(take_all(&mut Pace::new(1), SECOND), 1);
    }

    #[test]
    fn that_callers_wait_is_told_once_in_a_while_and_none_is_left_out() {
        let open = OpenDoor::bind("test", ([127, 0, 0, 1], 0).into(), Duration::ZERO).unwrap();
        let mut door = Door::of(open, 100);
        let (mut told, mut lines, mut waited) = (0, 0, 0);
        let second = |look: u64| 7 * SECOND + look * 10_000_000;
        // A storm of five seconds, looked at a hundred times a second.
        for look in 0..2_500 {
            door.pending = look < 500;
            while door.may_take(second(look)) {
                waited += u64::from(door.taken(second(look)));
            }
            if look == 500 {
                door.emptied();
            }
            let line = door.take_waited(second(look));
            (told, lines) = (told + line.unwrap_or(0), lines + u64::from(line.is_some()));
        }
        assert_eq!(told, waited);
        assert!((400..500).contains(&waited), "{waited}: all but the burst");
        assert_eq!(lines, 1, "in 25 s, after a storm of five");
        // Whoever calls after a quiet time does not wait.
        door.pending = true;
        assert!(door.may_take(second(2_600)));
        assert!(!door.taken(second(2_600)));
    }
}
