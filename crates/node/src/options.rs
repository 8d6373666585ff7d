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

    /// Reads the configuration in force and shifts its ports. Writes nothing.
    pub fn configuration(&self) -> Result<Config, RunError> {
        Ok(self.decide()?.0)
    }

    /// The configuration in force, its ports shifted, and what [`Self::keep`] is to write once
    /// nothing stands in the way of a start: a file that is given becomes `DIR/nation.toml`; at
    /// the first start without one the example does.
    pub(crate) fn decide(&self) -> Result<(Config, Option<String>), RunError> {
        let kept = self.layout().config();
        let (path, text, new) = match (&self.config, read(&kept)?) {
            (Some(given), old) => {
                let text = read(given)?.ok_or_else(|| absent(given))?;
                let new = old.as_ref() != Some(&text);
                (given.clone(), text, new)
            }
            (None, Some(text)) => (kept, text, false),
            (None, None) => (kept, EXAMPLE.to_owned(), true),
        };
        let config = check(&text, &path)?;
        let most = config.port_base_max();
        if self.port_base > most {
            let message = format!("--port-base {} takes a port above 65535", self.port_base);
            let remedy = format!("choose at most {most}");
            return Err(RunError::new(RunErrorKind::Config, message, "--port-base", remedy));
        }
        self.secure()?;
        Ok((config.shifted(self.port_base, self.http), new.then_some(text)))
    }

    /// Writes what [`Self::decide`] has found to be `DIR/nation.toml` from now on.
    pub(crate) fn keep(&self, text: Option<&str>) -> Result<(), RunError> {
        let path = self.layout().config();
        let Some(text) = text else { return Ok(()) };
        // Another role of this nation may have been first; the example takes nobody's place.
        if self.config.is_none() && path.exists() {
            return Ok(());
        }
        make_dir(&self.dir)
            .and_then(|()| write_whole(&path, text.as_bytes()))
            .map_err(|error| RunError::file("write the configuration", &path, &error))
    }

    /// Pages are plain: nobody but this machine sees them. The file's own addresses have been
    /// checked with the file.
    fn secure(&self) -> Result<(), RunError> {
        match self.http {
            Some(http) if !http.ip().is_loopback() => Err(RunError::new(
                RunErrorKind::Config,
                format!("pages have no TLS and {http} is open to others"),
                "--http",
                "give a loopback address, as in 127.0.0.1:8080, and put a proxy with TLS before it",
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn check(text: &str, path: &Path) -> Result<Config, RunError> {
    let name = path.display().to_string();
    Config::parse(text, &name).map_err(|errors| {
        let remedy = "correct these places (`bongsu config explain SECTION.KEY` says what a key \
                      takes), try with `bongsu config check FILE`, start again";
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
    let error = rustix::io::Errno::NOENT.into();
    RunError::file("read the configuration", path, &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::config::Profile;

    fn options(dir: &Path) -> RunOptions {
        RunOptions {
            dir: dir.to_owned(),
            config: None,
            port_base: 0,
            http: None,
            traffic: None,
            version: "0".to_owned(),
        }
    }

    #[test]
    fn the_example_is_kept_and_a_given_file_takes_its_place() {
        let dir = crate::testing::temp_dir("options");
        let plain = options(&dir);
        let settle = |options: &RunOptions| {
            let (config, text) = options.decide().unwrap();
            options.keep(text.as_deref()).unwrap();
            config
        };
        assert_eq!(plain.configuration().unwrap(), Config::example());
        assert!(!dir.join("nation.toml").exists(), "asking writes nothing");
        assert_eq!(settle(&plain), Config::example());
        assert_eq!(std::fs::read_to_string(dir.join("nation.toml")).unwrap(), EXAMPLE);
        let given = dir.join("given.toml");
        std::fs::write(&given, EXAMPLE.replace("Four stations", "Another")).unwrap();
        let with = RunOptions { config: Some(given.clone()), ..plain.clone() };
        assert_eq!(with.configuration().unwrap().name, "Another");
        assert_eq!(plain.configuration().unwrap().name, Config::example().name);
        assert_eq!(settle(&with).name, "Another");
        assert_eq!(plain.configuration().unwrap().name, "Another");
        // One that does not hold takes nobody's place.
        std::fs::write(&given, "[nation]").unwrap();
        assert_eq!(with.configuration().unwrap_err().kind, RunErrorKind::Config);
        assert_eq!(plain.configuration().unwrap().name, "Another");
        let shifted = RunOptions { port_base: 1000, ..plain.clone() };
        assert_eq!(shifted.configuration().unwrap().hub.banks.port(), 10_583);
        let beyond = RunOptions { port_base: 60_000, ..plain };
        assert_eq!(beyond.configuration().unwrap_err().place, "--port-base");
    }

    #[test]
    fn plain_links_stay_on_this_machine() {
        let dir = crate::testing::temp_dir("options");
        let open = RunOptions { http: Some(([0, 0, 0, 0], 80).into()), ..options(&dir) };
        assert_eq!(open.configuration().unwrap_err().place, "--http");
        let home = RunOptions { http: Some(([127, 0, 0, 2], 80).into()), ..options(&dir) };
        assert_eq!(home.configuration().unwrap().hub.http.to_string(), "127.0.0.2:80");
        let text = EXAMPLE.replace("profile = \"demo\"", "profile = \"production\"");
        std::fs::write(dir.join("nation.toml"), text).unwrap();
        assert_eq!(options(&dir).configuration().unwrap().profile, Profile::Production);
        let open = RunOptions { http: Some(([0, 0, 0, 0], 80).into()), ..options(&dir) };
        assert_eq!(open.configuration().unwrap_err().place, "--http");
    }
}
