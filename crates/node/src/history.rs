//! The thread of a hub's history: it makes the indexes of sealed segments and reads payments back.
//!
//! How things flow: the loop's adapter asks through a bounded queue, the thread answers through
//! another and wakes the loop; between questions it does one bounded piece of work, and rests
//! after it while it is not behind, and has all filters in memory that fit. It only reads the
//! journal; an error costs look-ups and memory, never a payment.
//! What bounds it: [`crate::limits::HISTORY_ASKED`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host::Level;
use host::history::{Ask, History, Step};
use journal::Disk;
use journal::index::IndexError;
use mio::Waker;
use switch::history::Indexed;
use switch::hub::Kept;

use crate::error::RunError;
use crate::limits::{HISTORY_ASKED, HISTORY_LOOK, HISTORY_REST, HISTORY_REST_MAX, HISTORY_RETRY};
use crate::logging::Log;

/// What the thread tells the loop.
#[derive(Debug)]
pub(crate) enum Told {
    /// The answer to a question.
    Found {
        /// Its number.
        number: u64,
        /// What was found, or why nothing can be.
        found: Result<Vec<Kept>, String>,
    },
    /// A segment can be read back.
    Indexed(Indexed),
}

/// The loop's end of the thread.
#[derive(Debug)]
pub(crate) struct Historian {
    asks: Option<SyncSender<Ask>>,
    told: Receiver<Told>,
    /// Nobody waits for answers any more.
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Historian {
    /// Starts the thread. `waker` tells the loop that something was told.
    pub(crate) fn spawn<D: Disk + Send + 'static>(
        history: History<D>,
        waker: Arc<Waker>,
        log: Arc<Log>,
    ) -> Result<Self, RunError> {
        Self::with_room(HISTORY_ASKED, HISTORY_ASKED, history, waker, log)
    }

    /// With room for so many questions and so many answers.
    fn with_room<D: Disk + Send + 'static>(
        questions: usize,
        answers: usize,
        history: History<D>,
        waker: Arc<Waker>,
        log: Arc<Log>,
    ) -> Result<Self, RunError> {
        let (asks, receiver) = sync_channel(questions);
        let (sender, told) = sync_channel(answers);
        let ends = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            history,
            told: sender,
            ends: Arc::clone(&ends),
            waker,
            log,
            failed: false,
            record: 0,
            given_up: 0,
        };
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || reader.run(&receiver))
            .map_err(|error| RunError::system("start the history thread", error))?;
        Ok(Self { asks: Some(asks), told, ends, thread: Some(thread) })
    }

    /// Asks; an error if the thread has too much to do, or is gone.
    pub(crate) fn ask(&self, ask: Ask) -> Result<(), String> {
        match self.asks.as_ref().map(|asks| asks.try_send(ask)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => {
                Err("more questions wait for it than it has room for".to_owned())
            }
            Some(Err(TrySendError::Disconnected(_))) | None => {
                Err("the history thread is gone".to_owned())
            }
        }
    }

    /// What was told, if anything.
    pub(crate) fn told(&self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

impl Historian {
    /// Ends the thread behind the answer that it is at, and returns how many were heard until then:
    /// without room to tell it would wait.
    fn end(&mut self) -> usize {
        self.ends.store(true, Ordering::Relaxed);
        self.asks = None;
        let heard = self.told.iter().count();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        heard
    }
}

impl Drop for Historian {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whose turn it is: that of questions until work is due, and then of both alike, so that neither
/// holds the other up, however many questions come and however long one takes.
struct Turns {
    /// When the next piece of work is due.
    due: Instant,
    /// What the last piece took.
    worked: Duration,
    /// What questions have taken since.
    answered: Duration,
}

impl Turns {
    fn new(now: Instant) -> Self {
        Self { due: now, worked: Duration::ZERO, answered: Duration::ZERO }
    }

    /// How long a question is waited for; not at all where it is the work's turn.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let left = self.due.saturating_duration_since(now);
        let is_works = left.is_zero() && self.answered >= self.worked;
        (!is_works).then_some(left)
    }

    fn has_answered(&mut self, took: Duration) {
        self.answered += took;
    }

    fn has_worked(&mut self, took: Duration, rest: Duration, now: Instant) {
        *self = Self { due: now + rest, worked: took, answered: Duration::ZERO };
    }
}

/// What a piece of work came to.
#[derive(Clone, Copy)]
enum Worked {
    Nothing,
    Part,
    Told,
    Failed,
}

struct Reader<D> {
    history: History<D>,
    told: SyncSender<Told>,
    ends: Arc<AtomicBool>,
    waker: Arc<Waker>,
    log: Arc<Log>,
    failed: bool,
    /// What can be read back, as it was said last.
    record: u64,
    /// Indexes that were given up, as it was said last.
    given_up: u64,
}

impl<D: Disk> Reader<D> {
    fn run(mut self, asks: &Receiver<Ask>) {
        let mut turns = Turns::new(Instant::now());
        while !self.ends.load(Ordering::Relaxed) {
            let began = Instant::now();
            let next = match turns.wait(began) {
                Some(wait) => asks.recv_timeout(wait),
                None => Err(RecvTimeoutError::Timeout),
            };
            let began = Instant::now();
            match next {
                Ok(ask) => {
                    let found = self.history.find(&ask).map_err(|error| error.to_string());
                    if !self.tell(Told::Found { number: ask.number, found }) {
                        return;
                    }
                    turns.has_answered(began.elapsed());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let Some(step) = self.work() else { return };
                    let took = began.elapsed();
                    turns.has_worked(took, self.rest(step, took), Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.say_given_up();
        }
    }

    /// One piece. None when nobody listens any more.
    fn work(&mut self) -> Option<Worked> {
        match self.history.step() {
            Ok(Step::Idle) => Some(Worked::Nothing),
            Ok(Step::More) => Some(Worked::Part),
            Ok(Step::Indexed(indexed)) => {
                self.failed = false;
                let record = indexed.record;
                if record > self.record {
                    self.record = record;
                    self.log.say(Level::Info, "segment_indexed", &[("record", record.into())]);
                }
                self.tell(Told::Indexed(indexed)).then_some(Worked::Told)
            }
            Err(error) => {
                self.say(&error);
                Some(Worked::Failed)
            }
        }
    }

    /// How long until the next piece.
    fn rest(&self, worked: Worked, took: Duration) -> Duration {
        match worked {
            Worked::Nothing => HISTORY_LOOK,
            Worked::Part if self.history.is_behind() || self.history.is_cold() => Duration::ZERO,
            Worked::Part => (took * HISTORY_REST).min(HISTORY_REST_MAX),
            Worked::Told => Duration::ZERO,
            Worked::Failed => HISTORY_RETRY,
        }
    }

    /// That an index is made again, and why: a disk that spoils one may spoil more.
    fn say_given_up(&mut self) {
        let given_up = self.history.given_up();
        if given_up > self.given_up
            && let Some(why) = self.history.why_given_up()
        {
            let values = [("count", given_up.into()), ("why", why.to_string().into())];
            self.log.say(Level::Warn, "index_given_up", &values);
            self.given_up = given_up;
        }
    }

    /// Said once, until it goes on.
    fn say(&mut self, error: &IndexError) {
        if !std::mem::replace(&mut self.failed, true) {
            let values = [("why", error.to_string().into())];
            self.log.say(Level::Error, "segment_not_indexed", &values);
        }
    }

    fn tell(&self, told: Told) -> bool {
        let heard = self.told.send(told).is_ok();
        // A loop that cannot be woken finds it later.
        let _ = self.waker.wake();
        heard
    }
}

#[cfg(test)]
mod tests {
    use host::Config;
    use host::history::HubKeys;
    use journal::{Batch, NodeId, Options};
    use mio::{Poll, Token};
    use scheme::{PaymentId, Timestamp};
    use switch::history::HistoryKey;

    use super::*;
    use crate::disk::FileDisk;
    use crate::testing::{PATIENCE, eventually, temp_dir};

    /// With more questions than it has room for answers: a thread that waits for room, and an owner
    /// that waits for the thread, would wait for ever; and one that answers all of them first keeps
    /// a stop waiting for as long as a slow disk likes.
    #[test]
    fn it_ends_whatever_was_asked_and_not_heard() {
        let disk = FileDisk::open(&temp_dir("history")).unwrap();
        let history = History::open(disk, HubKeys::new(&Config::example()), 0).unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let log = Arc::new(Log::quiet());
        let mut historian = Historian::with_room(256, 1, history, waker, log).unwrap();
        for number in 0..256 {
            historian.ask(Ask { number, keys: Vec::new(), since: Timestamp::default() }).unwrap();
        }
        let ending = std::thread::spawn(move || historian.end());
        eventually("it ends", || ending.is_finished());
        // One that is told, one that waits to be, and the one that it is at.
        let heard = ending.join().unwrap();
        assert!(heard <= 3, "{heard} of 256 were still answered");
    }

    /// Some sealed segments without an index, of records that no key finds.
    fn journal(dir: &std::path::Path) -> FileDisk {
        let node = NodeId::from_name("hub").unwrap();
        let options = Options { segment_bytes: 64 * 1024, ..Options::new(node) };
        let disk = FileDisk::open(dir).unwrap();
        let (mut writer, _) = journal::open(disk, options, 1, &mut |_| Ok(())).unwrap();
        for _ in 0..60 {
            let mut batch = Batch::new(1);
            batch.push(255, 1, 1, &[7; 4000]).unwrap();
            writer.append(&mut batch).unwrap();
        }
        writer.stop(2).unwrap()
    }

    /// There is always one more question, until all indexes are made.
    #[test]
    fn questions_without_end_do_not_keep_indexes_back() {
        let mut disk = journal(&temp_dir("history"));
        let sealed = journal::index::sealed(&mut disk).unwrap().len();
        assert!(sealed > 2);
        let history = History::open(disk, HubKeys::new(&Config::example()), 0).unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let historian = Historian::spawn(history, waker, Arc::new(Log::quiet())).unwrap();
        // Answering takes longer than asking, so that none is ever the last.
        let keys: Vec<_> = (1..=256).filter_map(PaymentId::new).map(HistoryKey::Id).collect();
        let ask = Ask { number: 0, keys, since: Timestamp::default() };
        let until = Instant::now() + PATIENCE;
        let mut indexed = 0;
        while indexed < sealed {
            assert!(Instant::now() < until, "{indexed} of {sealed}");
            while historian.ask(ask.clone()).is_ok() {}
            while let Some(told) = historian.told() {
                indexed += usize::from(matches!(told, Told::Indexed(_)));
            }
        }
    }

    /// A piece is due at its time, however many questions come before it, and gets as long as they.
    #[test]
    fn questions_put_no_work_off() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let mut turns = Turns::new(start);
        assert_eq!(turns.wait(start), None, "work first");
        turns.has_worked(ms(3), ms(50), start);
        for passed in 0..50 {
            assert_eq!(turns.wait(start + ms(passed)), Some(ms(50 - passed)));
            turns.has_answered(Duration::from_micros(50));
        }
        let due = start + ms(50);
        assert_eq!(turns.wait(due), Some(Duration::ZERO), "2.5 ms of questions for 3 ms of work");
        turns.has_answered(ms(1));
        assert_eq!(turns.wait(due), None);
        turns.has_worked(ms(1), Duration::ZERO, due);
        assert_eq!(turns.wait(due), Some(Duration::ZERO), "then theirs");
        turns.has_answered(ms(20));
        assert_eq!(turns.wait(due), None, "a long one, and work again");
    }
}
