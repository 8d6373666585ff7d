//! Threads for what a hub's recovery runs aside, and for its history, which is read meanwhile.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use host::history::{History, HubKeys, Start};
use host::limits::REPLAY_HANDFULS;
use host::{Aside, Task, Worker};
use journal::index::IndexError;
use switch::hub::Gone;

use crate::disk::FileDisk;
use crate::error::RunError;

/// What reads a history: one start.
type Reading = JoinHandle<Result<Start<FileDisk>, IndexError>>;

/// The threads. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Beside {
    work: Option<SyncSender<Task>>,
    done: Receiver<Task>,
    thread: Option<JoinHandle<()>>,
    reading: Option<Reading>,
    history: Option<History<FileDisk>>,
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
        let (reading, history) = (None, None);
        Ok(Self { work: Some(work), done, thread: Some(thread), reading, history })
    }

    /// Begins to read the history of a hub, on a disk of its own.
    pub(crate) fn read_history(&mut self, disk: FileDisk, keys: HubKeys) -> Result<(), RunError> {
        let reading = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || Start::read(disk, keys))
            .map_err(|error| RunError::system("start a thread for the history", error))?;
        self.reading = Some(reading);
        Ok(())
    }

    /// The history that was read, if it could be.
    pub(crate) fn into_history(mut self) -> Option<History<FileDisk>> {
        self.history.take()
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

    fn remembered(&mut self, covered: u64) -> Option<Gone> {
        let read = match self.reading.take()?.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What cannot be read now is read again by the caller, who says why if it still cannot be:
        // the recovery may have put something away under the reader's eyes.
        let (gone, history) = read.and_then(|start| start.end(covered)).ok()?;
        self.history = Some(history);
        Some(gone)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // What it died of was told by `died`, or nobody waits for it any more.
            let _ = thread.join();
        }
    }
}
