//! A thread for what a hub's recovery runs aside.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use host::limits::REPLAY_HANDFULS;
use host::{Aside, Task, Worker};

use crate::error::RunError;

/// The thread. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Beside {
    work: Option<SyncSender<Task>>,
    done: Receiver<Task>,
    thread: Option<JoinHandle<()>>,
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
        Ok(Self { work: Some(work), done, thread: Some(thread) })
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
