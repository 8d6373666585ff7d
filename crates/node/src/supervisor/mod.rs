//! A supervisor: child processes that live and die with it.
//!
//! How things flow: one thread starts, watches and stops the children; one thread for each running
//! child reads its stdout, where it says that it is ready or why it could not run. A child that
//! dies is started again at once, then after 1, 2, 4 ... 30 s. A child that cannot run before all
//! were ready once ends the whole start with its own words.
//! What bounds it: [`crate::limits`]. Deliberately absent: any process that it did not start.

mod back_off;
mod child;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use host::Level;

use crate::error::RunError;
use crate::limits::{STAGE_WAIT, STOP_WAIT, WATCH_EVERY};
use crate::logging::Log;
use child::{Child, Note};

pub(crate) use child::ChildSpec;

/// The children and what is heard of them.
pub(crate) struct Supervisor<'a> {
    children: Vec<Child>,
    notes: Receiver<Note>,
    sender: Sender<Note>,
    log: Arc<Log>,
    on_death: OnDeath<'a>,
    /// Children of later stages are not started yet.
    stage: u8,
    /// Since when.
    stage_at: Instant,
    /// How long a stage may take before the next one starts all the same.
    stage_wait: Duration,
    /// How long children of one stage have to stop.
    stop_wait: Duration,
    announced: bool,
    stop: bool,
}

/// Called with a child's name and process when it has ended.
type OnDeath<'a> = Box<dyn FnMut(&str, u32) + 'a>;

/// Every child's name and addresses, in the order of their starts.
pub(crate) type Ready<'a> = Vec<(&'a str, &'a BTreeMap<String, String>)>;

impl<'a> Supervisor<'a> {
    /// Children that do not run yet. `stop` is where stop signals come as bytes.
    pub(crate) fn new(
        specs: Vec<ChildSpec>,
        stop: UnixStream,
        log: Arc<Log>,
        on_death: impl FnMut(&str, u32) + 'a,
    ) -> Result<Self, RunError> {
        let (sender, notes) = channel();
        hear_stop(stop, sender.clone())?;
        let now = Instant::now();
        let children: Vec<Child> = specs.into_iter().map(|spec| Child::new(spec, now)).collect();
        Ok(Self {
            children,
            notes,
            sender,
            log,
            on_death: Box::new(on_death),
            stage: 0,
            stage_at: now,
            stage_wait: STAGE_WAIT,
            stop_wait: STOP_WAIT,
            announced: false,
            stop: false,
        })
    }

    /// Runs the children until it is told to stop, and stops them. `on_ready` is called once, when
    /// all of them are ready. Must be called by the thread that outlives everything: the system
    /// takes the end of the starting thread for the death of the parent.
    pub(crate) fn run(&mut self, on_ready: impl FnOnce(&Ready<'_>)) -> Result<(), RunError> {
        let mut on_ready = Some(on_ready);
        while !self.stop {
            self.next_stage();
            self.start_due()?;
            let wait = self.wait();
            match self.notes.recv_timeout(wait) {
                Ok(note) => self.note(note)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.look();
            if !self.announced && self.children.iter().all(|child| child.ready.is_some()) {
                self.announced = true;
                if let Some(on_ready) = on_ready.take() {
                    on_ready(&self.ready());
                }
            }
        }
        self.stop_all();
        Ok(())
    }

    fn ready(&self) -> Ready<'_> {
        let ready = |child: &'_ Child| child.ready.is_some();
        let children = self.children.iter().filter(|child| ready(child));
        children
            .filter_map(|child| Some((child.spec.name.as_str(), child.ready.as_ref()?)))
            .collect()
    }

    /// Goes on to the next stage once all of the earlier ones are ready, or have had their time.
    fn next_stage(&mut self) {
        let started = |child: &&Child| child.spec.start_stage <= self.stage;
        let ready = self.children.iter().filter(started).all(|child| child.ready.is_some());
        let later = self.children.iter().any(|child| child.spec.start_stage > self.stage);
        if later && (ready || self.stage_at.elapsed() >= self.stage_wait) {
            self.stage += 1;
            self.stage_at = Instant::now();
        }
    }

    /// Until the next start or the next look.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let idle = |child: &&Child| child.pid().is_none() && child.spec.start_stage <= self.stage;
        let idle = self.children.iter().filter(idle);
        let next = idle.map(|child| child.start_at.saturating_duration_since(now)).min();
        next.map_or(WATCH_EVERY, |next| next.min(WATCH_EVERY))
    }

    fn start_due(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        for (place, child) in self.children.iter_mut().enumerate() {
            let later = child.spec.start_stage > self.stage;
            if later || child.pid().is_some() || child.start_at > now {
                continue;
            }
            match child.start(place, &self.sender) {
                Ok(()) => {
                    let name = child.spec.name.as_str();
                    let values = [("child", name.into()), ("pid", child.pid().into())];
                    self.log.say(Level::Info, "child_started", &values);
                }
                // What never ran is an error of the whole; what did is tried again.
                Err(error) if !self.announced => return Err(error),
                Err(error) => {
                    child.start_at = now + crate::limits::RESTART_MAX;
                    self.log.say(
                        Level::Error,
                        "child_not_started",
                        &[("why", error.to_string().into())],
                    );
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, note: Note) -> Result<(), RunError> {
        match note {
            Note::Ready { place, pid, addresses, notices } => {
                self.is_ready(place, pid, addresses, &notices);
            }
            Note::Failed { error, .. } if !self.announced => return Err(error),
            Note::Failed { place, error } => {
                let name = self.children.get(place).map(|child| child.spec.name.clone());
                let values = [("child", name.into()), ("why", error.to_string().into())];
                self.log.say(Level::Error, "child_failed", &values);
            }
            Note::Ended => {}
            Note::Stop => self.stop = true,
        }
        Ok(())
    }

    fn is_ready(
        &mut self,
        place: usize,
        pid: u32,
        addresses: BTreeMap<String, String>,
        notices: &[String],
    ) {
        // A word of one that has died since is none of its successor's.
        let Some(child) = self.children.get_mut(place).filter(|c| c.pid() == Some(pid)) else {
            return;
        };
        child.ready = Some(addresses);
        let values = [("child", child.spec.name.as_str().into())];
        self.log.say(Level::Info, "child_ready", &values);
        notices.iter().for_each(|what| self.log.notice(&child.spec.name, what));
    }

    /// Finds those that have ended.
    fn look(&mut self) {
        for child in &mut self.children {
            let Some(death) = child.look() else { continue };
            (self.on_death)(&child.spec.name, death.pid);
            let values = [
                ("child", child.spec.name.as_str().into()),
                ("pid", death.pid.into()),
                ("status", death.status.to_string().into()),
                ("again_in_ms", milliseconds(death.wait).into()),
            ];
            self.log.say(Level::Error, "child_died", &values);
        }
    }

    /// Stage by stage: asked first, waited for, killed last. A second stop signal waits no longer.
    fn stop_all(&mut self) {
        let mut stages: Vec<u8> = self.children.iter().map(|child| child.spec.stop_stage).collect();
        stages.sort_unstable();
        stages.dedup();
        let mut hurry = false;
        for stage in stages {
            let of_stage = |child: &&mut Child| child.spec.stop_stage == stage;
            self.children.iter_mut().filter(of_stage).for_each(|child| child.terminate());
            let until = Instant::now() + self.stop_wait;
            while !hurry && Instant::now() < until {
                let mut running = 0;
                for child in self.children.iter_mut().filter(of_stage) {
                    if let Some(death) = child.look() {
                        (self.on_death)(&child.spec.name, death.pid);
                        let name = child.spec.name.as_str().into();
                        let status = death.status.to_string().into();
                        let values = [("child", name), ("status", status)];
                        self.log.say(Level::Info, "child_stopped", &values);
                    }
                    running += usize::from(child.pid().is_some());
                }
                if running == 0 {
                    break;
                }
                match self.notes.recv_timeout(Duration::from_millis(10)) {
                    Ok(Note::Stop) => hurry = true,
                    Ok(Note::Ready { .. } | Note::Failed { .. } | Note::Ended) | Err(_) => {}
                }
            }
            for child in self.children.iter_mut().filter(of_stage) {
                if let Some(pid) = child.pid() {
                    let values = [("child", child.spec.name.as_str().into()), ("pid", pid.into())];
                    self.log.say(Level::Warn, "child_killed", &values);
                    child.kill();
                    (self.on_death)(&child.spec.name, pid);
                }
            }
        }
    }
}

impl Drop for Supervisor<'_> {
    /// However it ends, no child is left.
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn hear_stop(mut stop: UnixStream, notes: Sender<Note>) -> Result<(), RunError> {
    let work = move || {
        let mut byte = [0; 1];
        while let Ok(1) = stop.read(&mut byte) {
            if notes.send(Note::Stop).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(work);
    thread.map(|_| ()).map_err(|error| RunError::system("take signals", error))
}

#[cfg(test)]
mod tests;
