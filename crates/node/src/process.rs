//! What every role's process does before and after its loop.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use host::{Config, Level};
use rustix::process::{Resource, Signal, getppid, setrlimit};

use crate::commit::CommitCounts;
use crate::error::RunError;
use crate::event_loop::LoopCounts;
use crate::http::Pages;
use crate::layout::Layout;
use crate::limits::{NOTICE_CHARS, NOTICES_SHOWN, PREDECESSOR_WAIT};
use crate::lock::Lock;
use crate::logging::Log;
use crate::options::RunOptions;
use crate::ports;
use crate::questions::Desk;
use crate::role::RoleName;
use crate::roles::unknown;
use crate::running::{Running, RunningRole};
use crate::signals::{reload_signal, stop_signals};

/// The environment variable by which a supervisor tells a child its own process number.
pub(crate) const SUPERVISOR: &str = "BONGSU_SUPERVISOR";

/// A role's process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: RoleName,
    pub(crate) layout: Layout,
    pub(crate) config: Config,
    pub(crate) log: Arc<Log>,
    /// What its supervisor's reader must know, for the ready line.
    notices: Vec<String>,
    version: String,
    supervised: bool,
    signals: UnixStream,
    reload: Arc<AtomicBool>,
    _lock: Lock,
}

impl Process {
    /// Binds itself to its supervisor, if it has one, takes the role's lock and reads the
    /// configuration.
    pub(crate) fn begin(role: RoleName, options: &RunOptions) -> Result<Self, RunError> {
        let supervised = obey_supervisor()?;
        let signals = stop_signals()?;
        let reload = reload_signal()?;
        raise_file_limit();
        let layout = options.layout();
        let (config, to_keep) = options.decide()?;
        let doors = ports::of(&config, &role).ok_or_else(|| unknown(&config, &role))?;
        // Of a role that runs here already its lock says more than its ports. A supervisor has
        // looked at the ports of all its children.
        let lock_path = layout.role_lock(&role);
        let take = || Lock::take(&lock_path, &role.to_string(), PREDECESSOR_WAIT);
        let known = lock_path.exists().then(take).transpose()?;
        if !supervised {
            ports::all_free(&doors, PREDECESSOR_WAIT)?;
        }
        // Whatever could be wrong with what was asked has been looked at: only now files change.
        layout.make(&role)?;
        let lock = known.map_or_else(take, Ok)?;
        options.keep(to_keep.as_deref())?;
        let file = supervised.then(|| layout.log(&role));
        let log = Arc::new(Log::new(&role.to_string(), file));
        let values = [("version", options.version.as_str().into())];
        log.say(Level::Info, "starting", &values);
        let version = options.version.clone();
        let notices = Vec::new();
        Ok(Self {
            role,
            layout,
            config,
            log,
            notices,
            version,
            supervised,
            signals,
            reload,
            _lock: lock,
        })
    }

    /// Takes what a person must read: into the log, and to the person or the supervisor's.
    pub(crate) fn note(&mut self, notices: Vec<String>) {
        for what in &notices {
            self.log.say(Level::Warn, "notice", &[("what", what.as_str().into())]);
        }
        self.notices = shown(notices);
        if !self.supervised {
            let role = self.role.to_string();
            self.notices.iter().for_each(|what| self.log.notice(&role, what));
        }
    }

    /// The role's pages.
    pub(crate) fn pages(
        &self,
        desk: Desk,
        turns: Arc<LoopCounts>,
        commits: Option<Arc<CommitCounts>>,
    ) -> Pages {
        Pages::new(self.role.clone(), &self.version, desk, turns, commits)
    }

    /// The end of the stop signals, for the loop.
    pub(crate) fn signals(&self) -> Result<UnixStream, RunError> {
        self.signals.try_clone().map_err(|error| RunError::system("take signals", error))
    }

    /// Set when somebody asks for the certificates to be read again.
    pub(crate) fn reload(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.reload)
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
                "ready": self.role.to_string(),
                "addresses": addresses,
                "notices": self.notices,
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

/// As many notices, and of each as much, as fit a ready line.
fn shown(mut notices: Vec<String>) -> Vec<String> {
    let more = notices.len().saturating_sub(NOTICES_SHOWN);
    notices.truncate(NOTICES_SHOWN);
    for notice in &mut notices {
        if let Some((end, _)) = notice.char_indices().nth(NOTICE_CHARS) {
            notice.truncate(end);
            notice.push_str("...");
        }
    }
    if more > 0 {
        notices.push(format!("and {more} more, see the log"));
    }
    notices
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_fit_the_ready_line_whatever_they_hold() {
        let few = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(shown(few.clone()), few);
        let many = vec!["\"\u{10ffff}".repeat(NOTICE_CHARS); NOTICES_SHOWN + 7];
        let shown = shown(many);
        assert_eq!(shown.len(), NOTICES_SHOWN + 1);
        assert_eq!(shown.last().map(String::as_str), Some("and 7 more, see the log"));
        let line = serde_json::json!({ "ready": "hub", "notices": shown }).to_string();
        assert!(line.len() < 48 * 1024, "{}", line.len());
    }
}
