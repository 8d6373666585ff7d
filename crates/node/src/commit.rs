//! The commit thread: the one owner of a role's journal files.
//!
//! How things flow: the event loop sends a batch, the thread appends and syncs it and sends it
//! back with a wake-up. Between batches it keeps the head at most 100 ms behind, fills the next
//! segment and writes a snapshot, one bounded piece at a time, so that a batch waits for one piece
//! at most. The first fault of the disk ends it: nothing is retried as if it had not happened.
//! What bounds it: one batch in flight by contract, [`crate::limits::COMMIT_ORDERS`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host::Level;
use journal::{Batch, Disk, Fault, Work, Writer};
use mio::Waker;

use crate::clock::SteadyClock;
use crate::error::RunError;
use crate::limits::{COMMIT_ORDERS, COMMIT_STALL, HEAD_EVERY, SPACE_RETRY, SPACE_WAIT};
use crate::logging::Log;

/// What the loop wants of the journal.
#[derive(Debug)]
enum Order {
    Commit(Batch),
    Snapshot { record: u64, body: Vec<u8> },
    Stop,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The batch is durable.
    Committed {
        /// The batch, back for its memory.
        batch: Batch,
        /// Whether the journal has space one segment ahead.
        room_ahead: bool,
    },
    /// A snapshot is written: its memory, for the next one.
    Memory(Vec<u8>),
    /// The journal has failed; nothing more will become durable.
    DiskFailed {
        /// The journal's own words.
        what: String,
    },
}

/// What the thread has counted; written by it alone, read by `/metrics`.
#[derive(Debug, Default)]
pub struct CommitCounts {
    /// Batches made durable.
    pub commits: AtomicU64,
    /// Records in them.
    pub records: AtomicU64,
    /// Bytes of their frames, padding included.
    pub bytes: AtomicU64,
    /// Time of writing and syncing, ns in all.
    pub busy_ns: AtomicU64,
    /// The longest of them, ns.
    pub longest_ns: AtomicU64,
    /// Those longer than [`COMMIT_STALL`].
    pub stalls: AtomicU64,
    /// Heads written.
    pub heads: AtomicU64,
    /// Snapshots begun.
    pub snapshots: AtomicU64,
    /// Whether there is no space one segment ahead.
    pub no_room: AtomicBool,
}

/// The loop's end of the commit thread.
#[derive(Debug)]
pub struct Committer {
    orders: SyncSender<Order>,
    outcomes: Receiver<Outcome>,
    counts: Arc<CommitCounts>,
    thread: JoinHandle<Result<(), Fault>>,
}

impl Committer {
    /// Starts the thread. `waker` tells the loop that an outcome waits.
    pub fn spawn<D: Disk + Send + 'static>(
        mut writer: Writer<D>,
        clock: SteadyClock,
        waker: Arc<Waker>,
        log: Arc<Log>,
    ) -> Result<Self, RunError> {
        let (orders, receiver) = sync_channel(COMMIT_ORDERS);
        let (sender, outcomes) = sync_channel(COMMIT_ORDERS);
        let counts = Arc::new(CommitCounts::default());
        writer.keep_snapshot_memory();
        let scribe = Scribe {
            writer,
            clock,
            outcomes: sender,
            waker,
            log,
            counts: Arc::clone(&counts),
            head_at: clock.now_ns(),
            behind: false,
            more: true,
            looked: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || scribe.run(&receiver))
            .map_err(|error| RunError::system("start the commit thread", error))?;
        Ok(Self { orders, outcomes, counts, thread })
    }

    /// Hands over the next batch. `false`: the thread is gone, or a batch is in flight already.
    pub fn commit(&self, batch: Batch) -> bool {
        self.orders.try_send(Order::Commit(batch)).is_ok()
    }

    /// Begins a snapshot. `false`: the thread is gone or has too much to do.
    pub fn snapshot(&self, record: u64, body: Vec<u8>) -> bool {
        self.orders.try_send(Order::Snapshot { record, body }).is_ok()
    }

    /// What has come back, if anything. A thread that died without a word is a failed disk.
    pub fn take(&self) -> Option<Outcome> {
        match self.outcomes.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) if self.thread.is_finished() => {
                // It may have spoken between the look and the end.
                let last = self.outcomes.try_recv().ok();
                let what = "the commit thread has died".to_owned();
                Some(last.unwrap_or(Outcome::DiskFailed { what }))
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// What the thread has counted.
    pub fn counts(&self) -> Arc<CommitCounts> {
        Arc::clone(&self.counts)
    }

    /// Stops the journal cleanly, once what was ordered before is durable.
    pub fn stop(self) -> Result<(), String> {
        // A thread that is gone has left its fault in the handle.
        let _ = self.orders.send(Order::Stop);
        drop(self.orders);
        match self.thread.join() {
            Ok(result) => result.map_err(|fault| fault.to_string()),
            Err(_) => Err("the commit thread has died".to_owned()),
        }
    }
}

/// The thread itself.
struct Scribe<D> {
    writer: Writer<D>,
    clock: SteadyClock,
    outcomes: SyncSender<Outcome>,
    waker: Arc<Waker>,
    log: Arc<Log>,
    counts: Arc<CommitCounts>,
    /// No later than the writer's own time of its last head.
    head_at: u64,
    /// Whether frames are durable that the head does not name.
    behind: bool,
    /// Whether maintenance has more to do.
    more: bool,
    /// When space was last looked for.
    looked: Instant,
}

impl<D: Disk> Scribe<D> {
    fn run(mut self, orders: &Receiver<Order>) -> Result<(), Fault> {
        loop {
            let done = match self.next(orders) {
                Ok(Order::Commit(batch)) => self.commit(batch),
                Ok(Order::Snapshot { record, body }) => self.snapshot(record, body),
                Ok(Order::Stop) => {
                    let now = self.clock.now_ns();
                    return self.writer.stop(now).map(|_| ());
                }
                Err(RecvTimeoutError::Timeout) => self.idle(),
                // The loop is gone without a stop: the journal stays as a kill leaves it.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if let Err(fault) = done {
                self.tell(Outcome::DiskFailed { what: fault.to_string() });
                return Err(fault);
            }
        }
    }

    /// The next order, or `Timeout` when there is something else to do first.
    fn next(&self, orders: &Receiver<Order>) -> Result<Order, RecvTimeoutError> {
        if self.more {
            return orders.recv_timeout(Duration::ZERO);
        }
        if self.behind {
            let due = self.head_at.saturating_add(nanoseconds(HEAD_EVERY));
            let wait = Duration::from_nanos(due.saturating_sub(self.clock.now_ns()));
            return orders.recv_timeout(wait);
        }
        if !self.writer.has_room_ahead() {
            return orders.recv_timeout(SPACE_RETRY);
        }
        orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    fn commit(&mut self, mut batch: Batch) -> Result<(), Fault> {
        let began = Instant::now();
        let appended = self.append(&mut batch)?;
        let took = nanoseconds(began.elapsed());
        let counts = &self.counts;
        counts.commits.fetch_add(1, Ordering::Relaxed);
        counts.records.fetch_add(u64::from(batch.len()), Ordering::Relaxed);
        counts.bytes.fetch_add(appended.bytes, Ordering::Relaxed);
        counts.busy_ns.fetch_add(took, Ordering::Relaxed);
        counts.longest_ns.fetch_max(took, Ordering::Relaxed);
        counts.stalls.fetch_add(u64::from(took > nanoseconds(COMMIT_STALL)), Ordering::Relaxed);
        let room_ahead = self.writer.has_room_ahead();
        self.tell(Outcome::Committed { batch, room_ahead });
        self.behind = true;
        self.more = true;
        self.publish()
    }

    /// Appends, waiting a while for space when there is none at all: nothing was written then.
    fn append(&mut self, batch: &mut Batch) -> Result<journal::Appended, Fault> {
        let until = Instant::now() + SPACE_WAIT;
        loop {
            match self.writer.append(batch) {
                Err(Fault::NoSpace) if Instant::now() < until => {
                    self.note_room();
                    std::thread::sleep(Duration::from_millis(100));
                }
                result => return result,
            }
        }
    }

    fn snapshot(&mut self, record: u64, body: Vec<u8>) -> Result<(), Fault> {
        match self.writer.begin_snapshot(record, self.clock.now_ns(), body) {
            Ok(()) => {
                self.counts.snapshots.fetch_add(1, Ordering::Relaxed);
                self.more = true;
                Ok(())
            }
            Err(fault) => self.forgive(fault),
        }
    }

    /// What can wait.
    fn idle(&mut self) -> Result<(), Fault> {
        if self.behind {
            self.publish()?;
        }
        let room = self.writer.has_room_ahead();
        if !self.more && (room || self.looked.elapsed() < SPACE_RETRY) {
            return Ok(());
        }
        self.looked = Instant::now();
        match self.writer.maintain() {
            Ok(work) => self.more = work == Work::More && self.writer.has_room_ahead(),
            Err(fault) => {
                self.more = false;
                self.forgive(fault)?;
            }
        }
        if let Some(memory) = self.writer.take_snapshot_memory() {
            self.tell(Outcome::Memory(memory));
        }
        self.note_room();
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Fault> {
        let now = self.clock.now_ns();
        if now.saturating_sub(self.head_at) < nanoseconds(HEAD_EVERY) {
            return Ok(());
        }
        self.writer.publish_head(now)?;
        self.counts.heads.fetch_add(1, Ordering::Relaxed);
        self.head_at = now;
        self.behind = false;
        Ok(())
    }

    /// A snapshot that cannot be taken costs recovery time, nothing else.
    fn forgive(&self, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::NoSpace
            | Fault::SnapshotAhead { .. }
            | Fault::SnapshotTooLarge
            | Fault::SnapshotBusy => {
                let values = [("why", fault.to_string().into())];
                self.log.say(Level::Warn, "snapshot_not_taken", &values);
                Ok(())
            }
            Fault::Disk(_)
            | Fault::Refused(_)
            | Fault::EmptyBatch
            | Fault::FrameTooLarge
            | Fault::OutOfTurn { .. }
            | Fault::EpochBack { .. }
            | Fault::SegmentsExhausted => Err(fault),
        }
    }

    fn note_room(&self) {
        let none = !self.writer.has_room_ahead();
        if self.counts.no_room.swap(none, Ordering::Relaxed) != none {
            let (level, event, what, remedy) = match none {
                true => (
                    Level::Error,
                    "journal_no_room_ahead",
                    "no space for the journal's next segment: new purchases are refused (96)",
                    "make room on its disk (`df -h`); nothing else is needed",
                ),
                false => (
                    Level::Info,
                    "journal_room_ahead",
                    "there is space again: purchases are taken",
                    "nothing",
                ),
            };
            self.log.say(level, event, &[("what", what.into()), ("do", remedy.into())]);
        }
    }

    fn tell(&self, outcome: Outcome) {
        // A loop that is gone needs no answer, and a loop that cannot be woken finds it later.
        let _ = self.outcomes.try_send(outcome);
        let _ = self.waker.wake();
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FileDisk;
    use crate::testing::{PATIENCE, eventually, temp_dir};
    use journal::{NodeId, Options, Replay};
    use mio::{Events, Poll, Token};
    use std::path::Path;

    struct Rig {
        committer: Committer,
        poll: Poll,
        /// Of the last snapshot.
        memory: Vec<u8>,
        /// As the loop does: a waker that is gone with its thread would take its wake along.
        _waker: Arc<Waker>,
    }

    fn open(dir: &Path, replay: &mut Vec<u8>) -> (Writer<FileDisk>, journal::HeadFound) {
        let node = NodeId::from_name("test").unwrap();
        let options = Options { segment_bytes: 64 * 1024, ..Options::new(node) };
        let mut take = |item: Replay<'_>| {
            match item {
                Replay::Record(record) => replay.extend_from_slice(record.payload),
                Replay::Snapshot { bytes, .. } => replay.extend_from_slice(bytes),
                Replay::End => {}
            }
            Ok(())
        };
        let now = crate::clock::read().wall.0;
        let disk = FileDisk::open(dir).unwrap();
        let (writer, recovery) = journal::open(disk, options, now, &mut take).unwrap();
        (writer, recovery.head)
    }

    impl Rig {
        fn start(dir: &Path) -> Self {
            let poll = Poll::new().unwrap();
            let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
            let (writer, _) = open(dir, &mut Vec::new());
            let clock = SteadyClock::start(crate::clock::read());
            let log = Arc::new(Log::quiet());
            let end = Arc::clone(&waker);
            let committer = Committer::spawn(writer, clock, end, log).unwrap();
            Self { committer, poll, memory: Vec::new(), _waker: waker }
        }

        fn commit(&self, payload: u8) {
            let mut batch = Batch::new(crate::clock::read().wall.0);
            batch.push(1, 1, batch.time_ns(), &[payload]).unwrap();
            assert!(self.committer.commit(batch));
        }

        /// Sleeps until woken, as the loop does.
        fn next(&mut self) -> Outcome {
            let mut events = Events::with_capacity(4);
            loop {
                match self.committer.take() {
                    Some(Outcome::Memory(memory)) => {
                        self.memory = memory;
                        continue;
                    }
                    Some(outcome) => return outcome,
                    None => {}
                }
                self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
                assert!(!events.is_empty(), "an outcome wakes the loop");
            }
        }
    }

    #[test]
    fn batches_are_durable_in_order_and_a_stop_says_so() {
        let dir = temp_dir("commit");
        let mut rig = Rig::start(&dir);
        for n in 0..100 {
            rig.commit(n);
            assert!(matches!(rig.next(), Outcome::Committed { room_ahead: true, .. }));
        }
        // A batch ordered before the stop is durable after it.
        rig.commit(100);
        let counts = rig.committer.counts();
        rig.committer.stop().unwrap();
        assert_eq!(counts.commits.load(Ordering::Relaxed), 101);
        let mut found = Vec::new();
        let (_, head) = open(&dir, &mut found);
        assert_eq!(found, (0..=100).collect::<Vec<u8>>());
        assert_eq!(head, journal::HeadFound::Stopped);
    }

    #[test]
    fn the_head_follows_though_nothing_more_happens() {
        let dir = temp_dir("commit");
        let mut rig = Rig::start(&dir);
        rig.commit(1);
        rig.next();
        rig.commit(2);
        rig.next();
        // As a kill leaves it at any moment: files as they are.
        let copy = temp_dir("commit");
        eventually("the head names the last frame", || {
            for file in std::fs::read_dir(&dir).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
            let (_, head) = open(&copy, &mut Vec::new());
            head == journal::HeadFound::Running { frame: 2, slot_torn: false }
        });
    }

    #[test]
    fn a_snapshot_is_written_between_commits() {
        let dir = temp_dir("commit");
        let mut rig = Rig::start(&dir);
        rig.commit(1);
        rig.next();
        assert!(rig.committer.snapshot(1, vec![77; 3_000_000]));
        for n in 2..20 {
            rig.commit(n);
            rig.next();
        }
        // A snapshot of what is not durable yet is refused and stops nothing.
        assert!(rig.committer.snapshot(1000, Vec::new()));
        let snapshot = || {
            let names = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().ends_with(".snap")).count()
        };
        eventually("a snapshot", || snapshot() > 0);
        // The next one is made in its memory.
        let mut memory = std::mem::take(&mut rig.memory);
        eventually("the memory of it", || {
            if let Some(Outcome::Memory(back)) = rig.committer.take() {
                memory = back;
            }
            memory.capacity() >= 3_000_000
        });
        rig.committer.stop().unwrap();
        let mut found = Vec::new();
        open(&dir, &mut found);
        let expected: Vec<u8> = vec![77; 3_000_000].into_iter().chain(2..20).collect();
        assert!(found == expected, "{}", found.len());
    }

    #[test]
    fn a_fault_is_final_and_told() {
        let dir = temp_dir("commit");
        let mut rig = Rig::start(&dir);
        rig.commit(1);
        rig.next();
        let mut batch = Batch::new(crate::clock::read().wall.0);
        batch.push(1, 1, batch.time_ns(), &[1]).unwrap();
        // Made for another place in the journal: a broken invariant of the caller.
        batch.expect_first_record(77);
        assert!(rig.committer.commit(batch));
        let Outcome::DiskFailed { what } = rig.next() else { panic!("it went through") };
        assert!(what.contains("77"), "{what}");
        assert!(rig.committer.stop().is_err());
    }
}
