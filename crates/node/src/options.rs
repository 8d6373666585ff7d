//! What the command line says to a process, and the configuration that follows from it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use host::Config;
use host::config::EXAMPLE;

use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};

/// How one role is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunOptions {
    /// The nation's directory.
    pub dir: PathBuf,
    /// A configuration file; without one `DIR/nation.toml`, and without that the example nation.
    pub config: Option<PathBuf>,
    /// All ports of the configuration are shifted by this.
    pub port_base: u16,
    /// Where the hub's pages are, if not as configured.
    pub http: Option<SocketAddr>,
    /// Payments per second of the simulated shops, if not as configured.
    pub traffic: Option<u32>,
    /// The program's version, for `run/nation.json`.
    pub version: String,
}

impl RunOptions {
    /// The layout below the directory.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.dir)
    }

    /// Reads the configuration in force and shifts its ports. A file that is given becomes
    /// `DIR/nation.toml`; at the first start without one the example does.
    pub fn configuration(&self) -> Result<Config, RunError> {
        let layout = self.layout();
        let kept = layout.config();
        let (path, text) = match (&self.config, read(&kept)?) {
            (Some(given), old) => {
                let text = read(given)?.ok_or_else(|| absent(given))?;
                check(&text, given)?;
                if old.as_ref() != Some(&text) {
                    keep(&layout, &text)?;
                }
                (given.clone(), text)
            }
            (None, Some(text)) => (kept, text),
            (None, None) => {
                keep(&layout, EXAMPLE)?;
                (kept, EXAMPLE.to_owned())
            }
        };
        let config = check(&text, &path)?;
        let most = config.port_base_max();
        if self.port_base > most {
            let message = format!("--port-base {} takes a port above 65535", self.port_base);
            let remedy = format!("choose at most {most}");
            return Err(RunError::new(RunErrorKind::Config, message, "--port-base", remedy));
        }
        Ok(config.shifted(self.port_base, self.http))
    }
}

fn check(text: &str, path: &Path) -> Result<Config, RunError> {
    let name = path.display().to_string();
    Config::parse(text, &name).map_err(|errors| {
        let remedy = "see `bongsu config check FILE`";
        RunError::new(RunErrorKind::Config, errors.to_string(), name, remedy)
    })
}

fn read(path: &Path) -> Result<Option<String>, RunError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RunError::file("read the configuration", path, &error)),
    }
}

fn absent(path: &Path) -> RunError {
    let error = std::io::ErrorKind::NotFound.into();
    RunError::file("read the configuration", path, &error)
}

fn keep(layout: &Layout, text: &str) -> Result<(), RunError> {
    let path = layout.config();
    make_dir(layout.dir())
        .and_then(|()| write_whole(&path, text.as_bytes()))
        .map_err(|error| RunError::file("write the configuration", &path, &error))
}
