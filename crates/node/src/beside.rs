//! Threads for what a hub's recovery runs aside, and for its history, which is read meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use host::history::{History, HubKeys, Start};
use host::limits::REPLAY_HANDFULS;
use host::{Aside, Task, Worker};
use journal::index::IndexError;
use switch::hub::Gone;

use crate::disk::FileDisk;
use crate::error::RunError;
use crate::limits::FILTERS_WAIT;

/// What reads a history: one start.
type Reading = JoinHandle<Result<Start<FileDisk>, IndexError>>;

/// The threads. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Beside {
    work: Option<SyncSender<Task>>,
    done: Receiver<Task>,
    thread: Option<JoinHandle<()>>,
    reading: Option<Reading>,
    /// Where it is looked at once more after the recovery, which has put a new head in the place of
    /// that which the reader has open.
    later: Option<FileDisk>,
    /// Whether the recovery waits for what was read.
    wanted: Arc<AtomicBool>,
}

impl Beside {
    pub(crate) fn start() -> Result<Self, RunError> {
        // There is room for all that may be under way: the thread never waits to give back.
        let (work, todo) = sync_channel::<Task>(REPLAY_HANDFULS);
        let (back, done) = sync_channel(REPLAY_HANDFULS);
        let thread = std::thread::Builder::new()
            .name("recovery".to_owned())
            .spawn(move || {
                let mut worker = Worker::default();
                for task in todo {
                    if back.send(worker.run(task)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| RunError::system("start the recovery's thread", error))?;
        let (work, thread, wanted) = (Some(work), Some(thread), Arc::default());
        Ok(Self { work, done, thread, reading: None, later: None, wanted })
    }

    /// Begins to read the history of a hub, on a disk of its own: what it must know, and then of
    /// its filters as many as it can, until [`FILTERS_WAIT`] after it is wanted. `later` is the
    /// same once more, of which nothing is open.
    pub(crate) fn read_history(
        &mut self,
        disk: FileDisk,
        later: FileDisk,
        keys: HubKeys,
    ) -> Result<(), RunError> {
        let wanted = Arc::clone(&self.wanted);
        let read = move || {
            let mut start = Start::read(disk, keys)?;
            let mut since = None;
            while start.warm_on() {
                if wanted.load(Ordering::Relaxed) {
                    let since = *since.get_or_insert_with(Instant::now);
                    if since.elapsed() > FILTERS_WAIT {
                        break;
                    }
                }
            }
            Ok(start)
        };
        let reading = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(read)
            .map_err(|error| RunError::system("start a thread for the history", error))?;
        (self.reading, self.later) = (Some(reading), Some(later));
        Ok(())
    }

    /// The thread is gone: what it died of goes on here.
    fn died(&mut self) -> ! {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(())) | None => unreachable!("the thread lives as long as it has work"),
        }
    }
}

impl Aside for Beside {
    fn give(&mut self, task: Task) {
        let taken = self.work.as_ref().map(|thread| thread.send(task));
        if !matches!(taken, Some(Ok(()))) {
            self.died();
        }
    }

    fn take(&mut self) -> Task {
        match self.done.recv() {
            Ok(task) => task,
            Err(_) => self.died(),
        }
    }

    fn remembered(&mut self, covered: u64) -> Option<(Gone, History<()>)> {
        self.wanted.store(true, Ordering::Relaxed);
        let read = match self.reading.take()?.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What cannot be read now is read again by the caller, who says why if it still cannot be:
        // the recovery may have put something away under the reader's eyes.
        let start = read.ok()?.on(self.later.take()?);
        let (gone, history) = start.end(covered).ok()?;
        Some((gone, history.on(())))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.work = None;
        self.wanted.store(true, Ordering::Relaxed);
        if let Some(reading) = self.reading.take() {
            // The recovery has failed before it asked for it.
            let _ = reading.join();
        }
        if let Some(thread) = self.thread.take() {
            // What it died of was told by `died`, or nobody waits for it any more.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use host::Config;
    use host::history::Step;
    use journal::{Batch, NodeId, Options, index};

    use super::*;
    use crate::testing::{eventually, temp_dir};

    /// The recovery puts another head in the place of that which was read, and more may be sealed
    /// by then: it is seen all the same, and so is what is sealed after that.
    #[test]
    fn a_history_that_was_read_before_the_recovery_sees_what_is_sealed_later() {
        let dir = temp_dir("beside");
        let disk = || FileDisk::open(&dir).unwrap();
        let keys = || HubKeys::new(&Config::example());
        let node = NodeId::from_name("hub").unwrap();
        let options = Options { segment_bytes: 64 * 1024, ..Options::new(node) };
        let open = |time| journal::open(disk(), options, time, &mut |_| Ok(())).unwrap().0;
        let fill = |writer: &mut journal::Writer<FileDisk>, batches, time| {
            for _ in 0..batches {
                let mut batch = Batch::new(1);
                batch.push(255, 1, 1, &[7; 4000]).unwrap();
                writer.append(&mut batch).unwrap();
            }
            writer.publish_head(time).unwrap();
        };
        let sealed = || index::sealed(&mut disk()).unwrap();
        let with_indexes = || {
            let all = sealed();
            let missing = |number: &u64| !index::list(&mut disk()).unwrap().contains(number);
            for number in all.iter().map(|one| one.number).filter(missing) {
                index::build(&mut disk(), number, &keys()).unwrap();
            }
            (all.len(), all.last().unwrap().last_record)
        };
        let mut writer = open(1);
        // So few that the reader still has the head open.
        fill(&mut writer, 20, 2_000_000_000);
        drop(writer);
        let (before, _) = with_indexes();
        let mut beside = Beside::start().unwrap();
        beside.read_history(disk(), disk(), keys()).unwrap();
        let reading = |beside: &Beside| beside.reading.as_ref().unwrap().is_finished();
        eventually("it has read", || reading(&beside));
        let mut writer = open(3_000_000_000);
        fill(&mut writer, 60, 4_000_000_000);
        let (meanwhile, covered) = with_indexes();
        let (gone, history) = beside.remembered(covered).unwrap();
        assert!(!gone.may_hold(1, |_| true), "it has seen everything that is covered");
        let mut history = history.on(disk());
        fill(&mut writer, 60, 6_000_000_000);
        let mut indexed = 0;
        loop {
            match history.step().unwrap() {
                Step::Idle => break,
                Step::More => {}
                Step::Indexed(_) => indexed += 1,
            }
        }
        let after = sealed().len();
        assert!(
            0 < before && before < meanwhile && meanwhile + 1 < after,
            "{before} {meanwhile} {after}"
        );
        assert_eq!(indexed, after - meanwhile);
        drop(history);
        let mut again = Beside::start().unwrap();
        again.read_history(disk(), disk(), keys()).unwrap();
        eventually("it has read, filters too", || reading(&again));
        let (_, history) = again.remembered(0).unwrap();
        assert!(!history.on(disk()).is_cold());
    }
}
