//! The sender: the thread that seals and writes what a busy turn has to say.
//!
//! How things flow: the loop hands over the connections of a turn as one list; the thread flushes
//! each and tells only of those that the system or the peer would not take all from. A turn with
//! few connections is flushed by the loop itself: waking a thread costs as much as a few writes.
//! What bounds it: [`SENDER_TURNS`]; a turn that finds no place is flushed by the loop.

use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use host::ConnId;
use mio::Waker;

use super::counts::LoopCounts;
use super::outlet::Outlet;
use super::write_queue::Flushed;
use crate::error::RunError;
use crate::limits::SENDER_TURNS;

/// A connection to be flushed.
pub(super) type Job = (ConnId, Arc<Outlet>);

/// What the sender could not finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The system takes no more now.
    Blocked {
        /// Whether it took something.
        some: bool,
    },
    /// The connection is broken.
    Broken,
}

type Troubles = Arc<Mutex<Vec<(ConnId, Trouble)>>>;

/// The loop's end of the thread. Dropped, the thread sends what it has and ends.
#[derive(Debug)]
pub(super) struct Sender {
    jobs: Option<SyncSender<Vec<Job>>>,
    troubles: Troubles,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    pub(super) fn start(counts: Arc<LoopCounts>, waker: Arc<Waker>) -> Result<Self, RunError> {
        let (jobs, turns) = sync_channel(SENDER_TURNS);
        let troubles = Troubles::default();
        let told = Arc::clone(&troubles);
        let thread = std::thread::Builder::new()
            .name("sender".to_owned())
            .spawn(move || run(&turns, &counts, &told, &waker))
            .map_err(|error| RunError::system("start the sender", error))?;
        Ok(Self { jobs: Some(jobs), troubles, thread: Some(thread) })
    }

    /// Hands a turn over; gives it back when the thread has too many already, or is gone.
    pub(super) fn hand(&self, turn: Vec<Job>) -> Result<(), Vec<Job>> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match &self.jobs {
            None => Err(turn),
            Some(jobs) => jobs.try_send(turn).map_err(|(Full(turn) | Disconnected(turn))| turn),
        }
    }

    /// What could not be finished since the last look.
    pub(super) fn troubles(&self) -> Vec<(ConnId, Trouble)> {
        mem::take(&mut *self.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // One that died has left its bytes unsent, as a cut would.
            let _ = thread.join();
        }
    }
}

fn run(turns: &Receiver<Vec<Job>>, counts: &LoopCounts, troubles: &Troubles, waker: &Waker) {
    while let Ok(turn) = turns.recv() {
        let mut found = Vec::new();
        for (conn, outlet) in turn {
            let mut written = 0;
            let flushed = outlet.flush(false, &mut written);
            counts.flushed(written);
            match flushed {
                Ok(Flushed::All) => {}
                Ok(Flushed::Blocked) => found.push((conn, Trouble::Blocked { some: written > 0 })),
                Err(_) => found.push((conn, Trouble::Broken)),
            }
        }
        if !found.is_empty() {
            troubles.lock().unwrap_or_else(PoisonError::into_inner).append(&mut found);
            // A loop that cannot be woken looks within its longest sleep.
            let _ = waker.wake();
        }
    }
}
