//! A thread for what a hub's recovery runs aside.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use host::{Applying, Aside};

use crate::error::RunError;

/// The thread. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Beside {
    work: Option<SyncSender<Box<Applying>>>,
    done: Receiver<Box<Applying>>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    pub(crate) fn start() -> Result<Self, RunError> {
        // One thing is aside at a time.
        let (work, todo) = sync_channel::<Box<Applying>>(1);
        let (back, done) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("recovery".to_owned())
            .spawn(move || {
                for mut work in todo {
                    work.run();
                    if back.send(work).is_err() {
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
    fn begin(&mut self, work: Box<Applying>) {
        let taken = self.work.as_ref().map(|thread| thread.send(work));
        if !matches!(taken, Some(Ok(()))) {
            self.died();
        }
    }

    fn finish(&mut self) -> Box<Applying> {
        match self.done.recv() {
            Ok(work) => work,
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
