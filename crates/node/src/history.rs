//! The thread of a hub's history: it makes the indexes of sealed segments and reads payments back.
//!
//! How things flow: the loop's adapter asks through a bounded queue, the thread answers through
//! another and wakes the loop; between questions it does one bounded piece of work, and rests
//! after it while it is not behind, and has all filters in memory that fit. It only reads the
//! journal; an error costs look-ups and memory, never a payment.
//! What bounds it: [`crate::limits::HISTORY_ASKED`].

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
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
use crate::limits::{
    HISTORY_ANSWERS, HISTORY_ANSWERS_IDLE, HISTORY_ASKED, HISTORY_LOOK, HISTORY_REST,
    HISTORY_REST_MAX, HISTORY_RETRY,
};
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
        let (failed, record) = (false, 0);
        let reader = Reader { history, told: sender, waker, log, failed, record };
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || reader.run(&receiver))
            .map_err(|error| RunError::system("start the history thread", error))?;
        Ok(Self { asks: Some(asks), told, thread: Some(thread) })
    }

    /// Asks; an error if the thread has too much to do, or is gone.
    pub(crate) fn ask(&self, ask: Ask) -> Result<(), String> {
        let sent = self.asks.as_ref().map(|asks| asks.try_send(ask));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the history thread is gone".to_owned()),
        }
    }

    /// What was told, if anything.
    pub(crate) fn told(&self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

impl Drop for Historian {
    fn drop(&mut self) {
        // Without its asker it answers what was asked and ends: heard until then, or it would wait
        // for room to tell.
        self.asks = None;
        while self.told.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whose turn it is while questions come without end.
#[derive(Default)]
struct Turn {
    /// Questions answered since the last piece of work.
    answered: u32,
}

impl Turn {
    /// The work's: now and then, and more often where it is known that there is some.
    fn is_of_work(&self, at_work: bool) -> bool {
        self.answered >= if at_work { HISTORY_ANSWERS } else { HISTORY_ANSWERS_IDLE }
    }
}

struct Reader<D> {
    history: History<D>,
    told: SyncSender<Told>,
    waker: Arc<Waker>,
    log: Arc<Log>,
    failed: bool,
    /// What can be read back, as it was said last.
    record: u64,
}

impl<D: Disk> Reader<D> {
    fn run(mut self, asks: &Receiver<Ask>) {
        let (mut pause, mut turn) = (Duration::ZERO, Turn::default());
        loop {
            let next = if turn.is_of_work(self.history.is_at_work()) {
                Err(RecvTimeoutError::Timeout)
            } else {
                asks.recv_timeout(pause)
            };
            match next {
                Ok(ask) => {
                    turn.answered += 1;
                    let found = self.history.find(&ask).map_err(|error| error.to_string());
                    if !self.tell(Told::Found { number: ask.number, found }) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => match self.work() {
                    Some(next) => (pause, turn) = (next, Turn::default()),
                    None => return,
                },
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One piece; how long until the next. None when nobody listens any more.
    fn work(&mut self) -> Option<Duration> {
        let began = Instant::now();
        match self.history.step() {
            Ok(Step::Idle) => Some(HISTORY_LOOK),
            Ok(Step::More) if self.history.is_behind() || self.history.is_cold() => {
                Some(Duration::ZERO)
            }
            Ok(Step::More) => Some((began.elapsed() * HISTORY_REST).min(HISTORY_REST_MAX)),
            Ok(Step::Indexed(indexed)) => {
                self.failed = false;
                let record = indexed.record;
                if record > self.record {
                    self.record = record;
                    self.log.say(Level::Info, "segment_indexed", &[("record", record.into())]);
                }
                self.tell(Told::Indexed(indexed)).then_some(Duration::ZERO)
            }
            Err(error) => {
                self.say(&error);
                Some(HISTORY_RETRY)
            }
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
    use scheme::Timestamp;

    use super::*;
    use crate::disk::FileDisk;
    use crate::testing::{eventually, temp_dir};

    /// With more questions than it has room for answers: a thread that waits for room, and an owner
    /// that waits for the thread, would wait for ever.
    #[test]
    fn it_ends_whatever_was_asked_and_not_heard() {
        let disk = FileDisk::open(&temp_dir("history")).unwrap();
        let history = History::open(disk, HubKeys::new(&Config::example()), 0).unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let log = Arc::new(Log::quiet());
        let historian = Historian::with_room(256, 1, history, waker, log).unwrap();
        for number in 0..256 {
            historian.ask(Ask { number, keys: Vec::new(), since: Timestamp::default() }).unwrap();
        }
        let dropping = std::thread::spawn(move || drop(historian));
        eventually("it ends", || dropping.is_finished());
        dropping.join().unwrap();
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

    /// Ten thousand questions are there before it begins, and it ends with them.
    #[test]
    fn questions_without_end_do_not_keep_indexes_back() {
        let mut disk = journal(&temp_dir("history"));
        let sealed = journal::index::sealed(&mut disk).unwrap().len();
        let history = History::open(disk, HubKeys::new(&Config::example()), 0).unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (asks, receiver) = sync_channel(10_000);
        let (told, heard) = sync_channel(20_000);
        for number in 0..10_000 {
            let ask = Ask { number, keys: Vec::new(), since: Timestamp::default() };
            asks.send(ask).unwrap();
        }
        drop(asks);
        let log = Arc::new(Log::quiet());
        let reader = Reader { history, told, waker, log, failed: false, record: 0 };
        reader.run(&receiver);
        let heard: Vec<Told> = heard.try_iter().collect();
        let indexed = heard.iter().filter(|told| matches!(told, Told::Indexed(_))).count();
        assert!(sealed > 2 && indexed == sealed, "{indexed} of {sealed}");
        let last = heard.last().unwrap();
        assert!(matches!(last, Told::Found { number: 9_999, .. }), "and none is left");
    }
}
