//! Pages, API and metrics of a role: its own thread, on TCP and on `DIR/run/ROLE.sock`.
//!
//! How things flow: a request becomes a question, the question goes through the bounded desk into
//! the event loop, and the answer, durable state as plain values, becomes JSON here. Totals are
//! kept for 250 ms, so that any number of pages costs four questions a second.
//! What bounds it: connections, idle time, the desk, the time of an answer ([`crate::limits`]).
//! Deliberately absent: anything that a payment waits for.

mod commands;
mod filter;
mod listener;
mod metrics;
mod openapi;
mod pages;
mod refusal;
mod routes;
mod shown;
mod story;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use host::Level;
use host::view::{Overview, PaymentView};
use tokio::sync::{Mutex, oneshot};

use crate::commit::CommitCounts;
use crate::error::RunError;
use crate::event_loop::{LoopCounts, OpenDoor};
use crate::limits::MACHINE_LOOK;
use crate::logging::Log;
use crate::machine::Machine;
use crate::questions::Desk;
use crate::role::RoleName;
use crate::socket_path;
use listener::Bounded;
pub(crate) use story::Archive;

/// What pages are made of.
#[derive(Debug)]
pub struct Pages {
    role: RoleName,
    version: String,
    desk: Desk,
    turns: Arc<LoopCounts>,
    commits: Option<Arc<CommitCounts>>,
    machine: Option<Arc<Machine>>,
    /// The last totals of a hub or station, and when they were asked for.
    overview: Mutex<Option<(Instant, Arc<Overview>)>>,
    /// The latest payments of a hub, and when they were asked for.
    latest: Mutex<Option<(Instant, Arc<[PaymentView]>)>>,
    /// Where a hub's stories are read.
    archive: Option<Archive>,
    /// Where a hub's MAC keys are, if links have them.
    keys: Option<PathBuf>,
}

impl Pages {
    /// Pages of this role, run by this version of the program.
    pub fn new(
        role: RoleName,
        version: &str,
        desk: Desk,
        turns: Arc<LoopCounts>,
        commits: Option<Arc<CommitCounts>>,
    ) -> Self {
        let version = version.to_owned();
        let (machine, archive, keys) = (None, None, None);
        let (overview, latest) = (Mutex::new(None), Mutex::new(None));
        Self { role, version, desk, turns, commits, machine, overview, latest, archive, keys }
    }

    /// With the machine that is looked at now and then.
    #[must_use]
    pub fn about(self, machine: Option<Arc<Machine>>) -> Self {
        Self { machine, ..self }
    }

    /// With the journal in which stories are read.
    #[must_use]
    pub(crate) fn reading(self, archive: Option<Archive>) -> Self {
        Self { archive, ..self }
    }

    /// With the directory of keys in which those of new banks are looked for.
    #[must_use]
    pub(crate) fn with_keys(self, keys: Option<PathBuf>) -> Self {
        Self { keys, ..self }
    }
}

/// The running thread. Stops when this is dropped or [`Server::stop`] is called.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Server {
    /// Serves `pages` on a socket of mode 0600 and, if given, at an address.
    pub fn start(
        pages: Pages,
        door: Option<OpenDoor>,
        socket: &Path,
        log: Arc<Log>,
    ) -> Result<Self, RunError> {
        let failed = |error| RunError::system("serve pages", error);
        let unix = socket_path::listen(socket)?;
        unix.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let work = async move {
            if let Err(error) = serve(pages, door, unix, stopped).await {
                log.say(Level::Error, "pages_failed", &[("why", error.to_string().into())]);
            }
        };
        let thread = std::thread::Builder::new()
            .name("pages".to_owned())
            .spawn(move || runtime.block_on(work))
            .map_err(failed)?;
        Ok(Self { stop: Some(stop), thread: Some(thread), socket: socket.to_owned() })
    }

    /// Ends it, open connections included, and removes the socket.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A page that panicked has been logged by the runtime; nothing waits for it.
            let _ = thread.join();
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

async fn serve(
    pages: Pages,
    door: Option<OpenDoor>,
    unix: std::os::unix::net::UnixListener,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let (machine, turns) = (pages.machine.clone(), Arc::clone(&pages.turns));
    let looking = async move {
        let Some(machine) = machine else { return std::future::pending::<()>().await };
        loop {
            // A role whose channels are plain has none, and says nothing.
            if let Some(days) = turns.certificate_days(crate::clock::read().wall) {
                machine.set_certificate_days(Some(days));
            }
            tokio::time::sleep(MACHINE_LOOK).await;
            let machine = Arc::clone(&machine);
            // A disk that does not answer keeps no page waiting; the last figure stands.
            let _ = tokio::task::spawn_blocking(move || machine.look()).await;
        }
    };
    let pages = Arc::new(pages);
    let router = routes::router(Arc::clone(&pages));
    let local = Bounded::new(tokio::net::UnixListener::from_std(unix)?);
    let local = axum::serve(local, router.clone().merge(commands::router(pages)));
    let remote = match door {
        Some(door) => {
            let listener = tokio::net::TcpListener::from_std(door.into_listener())?;
            Some(axum::serve(Bounded::new(listener), router))
        }
        None => None,
    };
    let remote = async {
        match remote {
            Some(remote) => remote.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = async { local.await } => result,
        result = remote => result,
        () = looking => Ok(()),
        _ = stopped => Ok(()),
    }
}

#[cfg(test)]
mod tests;
