//! Where everything of a nation lives below its directory (`docs/formats/directory.md`).

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::RunError;
use crate::role::RoleName;

/// The directory of a nation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The directory as it was given.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `DIR/nation.toml`.
    pub fn config(&self) -> PathBuf {
        self.dir.join("nation.toml")
    }

    /// `DIR/keys`.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// `DIR/lock`: the supervisor's.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// `DIR/run`.
    pub fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// `DIR/run/nation.json`.
    pub fn nation(&self) -> PathBuf {
        self.run().join("nation.json")
    }

    /// `DIR/run/ROLE.sock`.
    pub fn socket(&self, role: &RoleName) -> PathBuf {
        self.run().join(format!("{role}.sock"))
    }

    /// `DIR/hub`, `DIR/station/NAME`, `DIR/bank/ID`, `DIR/shops`.
    pub fn role(&self, role: &RoleName) -> PathBuf {
        match role {
            RoleName::Hub => self.dir.join("hub"),
            RoleName::Station(name) => self.stations().join(name),
            RoleName::Bank(id) => self.dir.join("bank").join(id.to_string()),
            RoleName::Shops => self.dir.join("shops"),
        }
    }

    /// `DIR/station`: one directory for each station.
    pub(crate) fn stations(&self) -> PathBuf {
        self.dir.join("station")
    }

    /// The lock of a role.
    pub fn role_lock(&self, role: &RoleName) -> PathBuf {
        self.role(role).join("lock")
    }

    /// The journal of a role.
    pub fn journal(&self, role: &RoleName) -> PathBuf {
        self.role(role).join("journal")
    }

    /// What a role died of.
    pub fn poison(&self, role: &RoleName) -> PathBuf {
        self.role(role).join("poison")
    }

    /// The log of a role that a supervisor runs.
    pub fn log(&self, role: &RoleName) -> PathBuf {
        self.role(role).join("log").join(format!("{role}.log"))
    }

    /// Makes the directories that a role needs, each readable by its owner alone.
    pub fn make(&self, role: &RoleName) -> Result<(), RunError> {
        for path in [self.run(), self.role(role), self.role(role).join("log")] {
            make_dir(&path).map_err(|error| RunError::file("make the directory", &path, &error))?;
        }
        Ok(())
    }
}

/// Makes a directory and those above it, mode 0700, if they are not there.
pub(crate) fn make_dir(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file of mode 0600 as one step: whoever reads it sees the old content or the new.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut temp = path.as_os_str().to_owned();
    temp.push(format!(".{}.tmp", std::process::id()));
    let temp = PathBuf::from(temp);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temp)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temp, path)?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
