//! What every role's process does before and after its loop.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use host::{Config, Level};
use rustix::process::{Resource, Signal, getppid, setrlimit};

use crate::error::RunError;
use crate::layout::Layout;
use crate::limits::PREDECESSOR_WAIT;
use crate::lock::Lock;
use crate::logging::Log;
use crate::options::RunOptions;
use crate::role::RoleName;
use crate::running::{Running, RunningRole};
use crate::signals::stop_signals;

/// The environment variable by which a supervisor tells a child its own process number.
pub(crate) const SUPERVISOR: &str = "BONGSU_SUPERVISOR";

/// A role's process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: RoleName,
    pub(crate) layout: Layout,
    pub(crate) config: Config,
    pub(crate) log: Arc<Log>,
    version: String,
    supervised: bool,
    signals: UnixStream,
    _lock: Lock,
}

impl Process {
    /// Binds itself to its supervisor, if it has one, takes the role's lock and reads the
    /// configuration.
    pub(crate) fn begin(role: RoleName, options: &RunOptions) -> Result<Self, RunError> {
        let supervised = obey_supervisor()?;
        let signals = stop_signals()?;
        raise_file_limit();
        let layout = options.layout();
        layout.make(&role)?;
        let file = supervised.then(|| layout.log(&role));
        let log = Arc::new(Log::new(&role.to_string(), file));
        let lock = Lock::take(&layout.role_lock(&role), &role.to_string(), PREDECESSOR_WAIT)?;
        let config = options.configuration()?;
        let values = [("version", options.version.clone())];
        log.say(Level::Info, "starting", &values);
        let version = options.version.clone();
        Ok(Self { role, layout, config, log, version, supervised, signals, _lock: lock })
    }

    /// The end of the stop signals, for the loop.
    pub(crate) fn signals(&self) -> Result<UnixStream, RunError> {
        self.signals.try_clone().map_err(|error| RunError::system("take signals", error))
    }

    /// Enters the process into `run/nation.json`.
    pub(crate) fn enter(&self, addresses: &BTreeMap<String, String>) -> Result<(), RunError> {
        let entry = RunningRole::of_this_process(&self.role, addresses.clone(), &self.version);
        Running::put(&self.layout, entry)
    }

    /// What is done once the role does its work: says so on stdout, to the supervisor as JSON.
    pub(crate) fn announce(&self, addresses: &BTreeMap<String, String>) -> Box<dyn FnOnce()> {
        let shown: Vec<_> = addresses.iter().map(|(name, at)| format!(" {name}={at}")).collect();
        let text = if self.supervised {
            let ready = serde_json::json!({
                "ready": self.role.to_string(), "addresses": addresses,
            });
            format!("{ready}\n")
        } else {
            format!("ready {}{}\n", self.role, shown.concat())
        };
        let log = Arc::clone(&self.log);
        Box::new(move || {
            log.say(Level::Info, "ready", &[]);
            let mut stdout = std::io::stdout().lock();
            // Nobody may listen any more.
            let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        })
    }

    /// Takes the process out of `run/nation.json`.
    pub(crate) fn leave(&self) {
        // The next start writes it anew.
        let _ = Running::remove(&self.layout, &self.role, std::process::id());
    }
}

/// Dies with the supervisor: by the parent-death signal, and should that be lost, by the end of
/// the pipe that is this process's stdin. Returns whether there is a supervisor.
fn obey_supervisor() -> Result<bool, RunError> {
    let Ok(supervisor) = std::env::var(SUPERVISOR) else {
        return Ok(false);
    };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| RunError::system("ask for the parent's death signal", errno))?;
    // A supervisor that died before the line above sends no signal any more.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.as_deref() != Some(supervisor.as_str()) {
        return Err(RunError::system("start under a supervisor", "it is gone already"));
    }
    let watch = || {
        let mut byte = [0; 16];
        loop {
            match std::io::stdin().lock().read(&mut byte) {
                Ok(0) | Err(_) => std::process::exit(1),
                Ok(_) => {}
            }
        }
    };
    std::thread::Builder::new()
        .name("supervisor".to_owned())
        .spawn(watch)
        .map_err(|error| RunError::system("watch the supervisor", error))?;
    Ok(true)
}

/// Passes the result on; a supervisor also gets an error as a line of JSON on stdout.
pub(crate) fn tell_supervisor(result: Result<(), RunError>) -> Result<(), RunError> {
    if let Err(error) = &result
        && std::env::var_os(SUPERVISOR).is_some()
    {
        let line = format!("{}\n", serde_json::json!({ "error": error }));
        let mut stdout = std::io::stdout().lock();
        // Nobody may listen any more.
        let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    }
    result
}

/// As many open files as the system lets this user have. A refusal leaves the limit as it was, and
/// doors say so when they meet it.
fn raise_file_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
