//! `DIR/run/nation.json`: what runs now, with which process and at which addresses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};
use crate::limits::PREDECESSOR_WAIT;
use crate::lock::Lock;
use crate::role::RoleName;

/// The file. Every role keeps its own entry; each change is one step.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Running {
    /// The program's version that wrote it last.
    pub version: String,
    /// What runs, by role.
    pub roles: Vec<RunningRole>,
}

/// One process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunningRole {
    /// `hub`, `station-NAME`, `bank-ID`, `shops`.
    pub role: String,
    /// Its process.
    pub pid: u32,
    /// Door or page -> address: `http`, `banks`, `trunk`, `terminals`.
    pub addresses: BTreeMap<String, String>,
    /// Its socket for questions, below `DIR/run`.
    pub socket: String,
    /// The program's version.
    pub version: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
}

impl RunningRole {
    /// The entry of this process.
    pub(crate) fn of_this_process(
        role: &RoleName,
        addresses: BTreeMap<String, String>,
        version: &str,
    ) -> Self {
        Self {
            role: role.to_string(),
            pid: std::process::id(),
            addresses,
            socket: format!("{role}.sock"),
            version: version.to_owned(),
            started_at: crate::clock::read().wall.to_string(),
        }
    }
}

impl Running {
    /// What runs in that directory; nothing, if nothing ever ran.
    pub fn read(layout: &Layout) -> Result<Self, RunError> {
        let path = layout.nation();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(RunError::file("read what runs", &path, &error)),
        };
        serde_json::from_slice(&text).map_err(|error| {
            let place = path.display().to_string();
            let remedy = "remove it while nothing runs; the next start writes it anew";
            RunError::new(RunErrorKind::File, error.to_string(), place, remedy)
        })
    }

    /// Puts or replaces the entry of a role.
    pub(crate) fn put(layout: &Layout, entry: RunningRole) -> Result<(), RunError> {
        change(layout, |running| {
            running.version.clone_from(&entry.version);
            running.roles.retain(|role| role.role != entry.role);
            running.roles.push(entry);
            running.roles.sort_by(|a, b| a.role.cmp(&b.role));
        })
    }

    /// Removes the entry of a role, if it is that process's.
    pub(crate) fn remove(layout: &Layout, role: &RoleName, pid: u32) -> Result<(), RunError> {
        let role = role.to_string();
        change(layout, |running| running.roles.retain(|r| r.role != role || r.pid != pid))
    }

    /// Forgets everything: what a killed nation left behind.
    pub(crate) fn clear(layout: &Layout) -> Result<(), RunError> {
        change(layout, |running| running.roles.clear())
    }
}

fn change(layout: &Layout, work: impl FnOnce(&mut Running)) -> Result<(), RunError> {
    let run = layout.run();
    make_dir(&run).map_err(|error| RunError::file("make the directory", &run, &error))?;
    let _lock = Lock::take(&run.join("nation.lock"), "nation.json", PREDECESSOR_WAIT)?;
    // What cannot be read is written anew: it is no truth, only a list of what runs.
    let mut running = Running::read(layout).unwrap_or_default();
    work(&mut running);
    let path = layout.nation();
    let text = serde_json::to_vec_pretty(&running);
    let text = text.map_err(|error| RunError::system("write what runs", error))?;
    write_whole(&path, &text).map_err(|error| RunError::file("write what runs", &path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_and_go_side_by_side() {
        let layout = Layout::new(&crate::testing::temp_dir("running"));
        assert_eq!(Running::read(&layout).unwrap(), Running::default());
        let roles: Vec<_> = (0..8).map(|n| RoleName::Station(format!("s{n}"))).collect();
        std::thread::scope(|scope| {
            for role in &roles {
                let layout = &layout;
                scope.spawn(move || {
                    let entry = RunningRole::of_this_process(role, BTreeMap::new(), "0.1.0");
                    Running::put(layout, entry).unwrap();
                });
            }
        });
        let running = Running::read(&layout).unwrap();
        let names: Vec<_> = running.roles.iter().map(|role| role.role.as_str()).collect();
        let expected: Vec<_> = (0..8).map(|n| format!("station-s{n}")).collect();
        assert_eq!(names, expected);
        Running::remove(&layout, &roles[3], 1).unwrap();
        assert_eq!(Running::read(&layout).unwrap().roles.len(), 8, "another process's entry");
        Running::remove(&layout, &roles[3], std::process::id()).unwrap();
        assert_eq!(Running::read(&layout).unwrap().roles.len(), 7);
    }
}
