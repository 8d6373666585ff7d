//! The foreign clients: programs of others against a station's terminals port.
//!
//! Each lives in `clients/NAME`, is installed at the exact version (and hash) that its folder names
//! into `target/clients`, and prints `ok NAME CHECK` or `FAIL NAME CHECK: why`. A client whose
//! tools can't be had is skipped by name; one whose download has another hash than ours fails, and
//! so does a check that a client leaves out.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::shell::{self, Failure};

/// What every client does.
pub(crate) const CHECKS: &[&str] =
    &["echo", "purchase", "repeat", "reversal", "repeat-after-reversal", "declined"];

/// Six answers, each within a terminal's 35 s, and the start of a JVM.
const ENDS_WITHIN: Duration = Duration::from_secs(240);

/// Why a client can't be run.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Obstacle {
    /// A tool, or the registry that it comes from, is not there.
    Missing(String),
    /// Something is there that is not what we name.
    Wrong(String),
}

impl From<String> for Obstacle {
    fn from(why: String) -> Self {
        Self::Missing(why)
    }
}

/// How pip, npm, Maven and sha256sum say that what they got is not what was asked for.
const ALTERED: &[&str] = &[
    "DO NOT MATCH THE HASHES",
    "EINTEGRITY",
    "EUSAGE",
    "Checksum validation failed",
    "did NOT match",
];

pub(crate) struct Client {
    pub(crate) name: &'static str,
    prepare: fn(&Place) -> Result<(), Obstacle>,
    command: fn(&Place) -> Command,
}

pub(crate) const CLIENTS: &[Client] = &[
    Client { name: "pyiso8583", prepare: prepare_pyiso8583, command: pyiso8583 },
    Client { name: "npm-iso_8583", prepare: prepare_npm, command: npm },
    Client { name: "jpos", prepare: prepare_jpos, command: jpos },
];

/// Where clients are kept: their sources, and what is installed for them.
pub(crate) struct Place {
    pub(crate) sources: PathBuf,
    pub(crate) installed: PathBuf,
}

impl Client {
    /// Installs what it needs; an error names what is missing.
    pub(crate) fn prepare(&self, place: &Place) -> Result<(), Obstacle> {
        let folder = &place.installed;
        fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        (self.prepare)(place)
    }

    /// Runs it against `address`; each check with `None`, or what went wrong.
    pub(crate) fn run(&self, place: &Place, address: &str) -> Vec<(&'static str, Option<String>)> {
        match self.output(place, address) {
            Ok((fine, text)) => judge(self.name, CHECKS, fine, &text),
            Err(why) => CHECKS.iter().map(|check| (*check, Some(why.clone()))).collect(),
        }
    }

    /// Whether it ended well, and what it printed.
    fn output(&self, place: &Place, address: &str) -> Result<(bool, String), String> {
        let mut child = (self.command)(place)
            .arg(address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| why.to_string())?;
        let mut stdout = child.stdout.take().ok_or("no output")?;
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let status = shell::wait(&mut child, ENDS_WITHIN)?;
        if status.is_none() {
            child.kill().map_err(|why| why.to_string())?;
            child.wait().map_err(|why| why.to_string())?;
            return Err(format!("still ran after {ENDS_WITHIN:?}"));
        }
        let text = reader.join().map_err(|_| "its output could not be read")?;
        let text = text.map_err(|why| why.to_string())?;
        Ok((status.is_some_and(|s| s.success()), text))
    }
}

/// Every check must be reported once, and the exit status must agree.
pub(crate) fn judge(
    name: &str,
    checks: &'static [&'static str],
    fine: bool,
    text: &str,
) -> Vec<(&'static str, Option<String>)> {
    let verdict = |check: &str| {
        let ok = format!("ok {name} {check}");
        let fail = format!("FAIL {name} {check}: ");
        let said: Vec<&str> = text.lines().filter(|l| *l == ok || l.starts_with(&fail)).collect();
        match said.as_slice() {
            [line] if *line == ok => None,
            [line] => Some(line.strip_prefix(&fail).unwrap_or(line).to_string()),
            [] => Some("not reported".to_string()),
            several => Some(format!("reported {} times", several.len())),
        }
    };
    let mut all: Vec<_> = checks.iter().map(|check| (*check, verdict(check))).collect();
    if !fine && all.iter().all(|(_, why)| why.is_none()) {
        for (_, why) in &mut all {
            *why = Some("it exits with a failure".to_string());
        }
    }
    all
}

/// Downloads; a registry out of reach is a thing missing, a download with another hash is not.
pub(crate) fn fetch(command: &mut Command) -> Result<(), Obstacle> {
    shell::silently(command).map_err(|failure| obstacle(&failure))
}

fn obstacle(failure: &Failure) -> Obstacle {
    if ALTERED.iter().any(|mark| failure.text.contains(mark)) {
        Obstacle::Wrong(failure.why.clone())
    } else {
        Obstacle::Missing(failure.why.clone())
    }
}

/// Whether the last installation was made from this same text.
pub(crate) fn installed(folder: &Path, text: &str) -> bool {
    fs::read_to_string(folder.join("made-from")).is_ok_and(|made_from| made_from == text)
}

pub(crate) fn mark(folder: &Path, text: &str) -> Result<(), String> {
    fs::write(folder.join("made-from"), text).map_err(|why| format!("{}: {why}", folder.display()))
}

fn source(place: &Place, name: &str) -> Result<(PathBuf, String), String> {
    let path = place.sources.join(name);
    let text = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok((path, text))
}

fn prepare_pyiso8583(place: &Place) -> Result<(), Obstacle> {
    python(place, "pyiso8583/requirements.txt", "venv")
}

/// A Python with what a list of requirements names, in a folder of its own.
pub(crate) fn python(place: &Place, requirements: &str, folder: &str) -> Result<(), Obstacle> {
    let (requirements, text) = source(place, requirements)?;
    fs::create_dir_all(&place.installed)
        .map_err(|why| format!("{}: {why}", place.installed.display()))?;
    let venv = place.installed.join(folder);
    if installed(&venv, &text) {
        return Ok(());
    }
    shell::ensure(&["python3"], &["python3", "python3-venv"])?;
    let make =
        || shell::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    if let Err(why) = make() {
        // Debian keeps what `venv` needs in a package of its own.
        shell::install(&["python3-venv"]).map_err(|also| format!("{why}; {also}"))?;
        make()?;
    }
    fetch(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"])
            .arg(requirements),
    )?;
    Ok(mark(&venv, &text)?)
}

fn pyiso8583(place: &Place) -> Command {
    let mut command = Command::new(place.installed.join("venv/bin/python"));
    command.arg(place.sources.join("pyiso8583/client.py"));
    command
}

fn prepare_npm(place: &Place) -> Result<(), Obstacle> {
    let (_, manifest) = source(place, "npm-iso_8583/package.json")?;
    let (_, lock) = source(place, "npm-iso_8583/package-lock.json")?;
    let folder = place.installed.join("npm");
    if installed(&folder, &lock) {
        return Ok(());
    }
    shell::ensure(&["node", "npm"], &["nodejs", "npm"])?;
    let broken = |why: std::io::Error| format!("{}: {why}", folder.display());
    fs::create_dir_all(&folder).map_err(broken)?;
    fs::write(folder.join("package.json"), manifest).map_err(broken)?;
    fs::write(folder.join("package-lock.json"), &lock).map_err(broken)?;
    fetch(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder),
    )?;
    Ok(mark(&folder, &lock)?)
}

fn npm(place: &Place) -> Command {
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", place.installed.join("npm/node_modules"))
        .arg(place.sources.join("npm-iso_8583/client.js"));
    command
}

fn prepare_jpos(place: &Place) -> Result<(), Obstacle> {
    let (pom, text) = source(place, "jpos/pom.xml")?;
    let (sums, expected) = source(place, "jpos/sha256sums")?;
    let folder = place.installed.join("jpos");
    let made_from = format!("{text}{expected}");
    if installed(&folder, &made_from) {
        return Ok(());
    }
    shell::ensure(&["javac", "mvn"], &["default-jdk-headless", "maven"])?;
    fetch(
        Command::new("mvn")
            .args(["--quiet", "--batch-mode", "--strict-checksums", "--file"])
            .arg(pom)
            .arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", folder.display())),
    )?;
    // Maven compares with what the same server says; this compares with what we ran first.
    let sums = fs::canonicalize(&sums).map_err(|why| format!("{}: {why}", sums.display()))?;
    fetch(Command::new("sha256sum").args(["--check", "--strict"]).arg(sums).current_dir(&folder))?;
    Ok(mark(&folder, &made_from)?)
}

fn jpos(place: &Place) -> Command {
    let mut command = Command::new("java");
    command
        .arg("-cp")
        .arg(place.installed.join("jpos/*"))
        .arg(place.sources.join("jpos/Client.java"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(change: impl Fn(&str) -> String) -> String {
        CHECKS.iter().map(|check| change(check)).collect()
    }

    #[test]
    fn a_download_with_another_hash_is_not_skipped() {
        let fetched = |script: &str| fetch(Command::new("sh").args(["-c", script]));
        assert_eq!(fetched("exit 0"), Ok(()));
        assert!(matches!(fetched("echo no route; exit 1"), Err(Obstacle::Missing(_))));
        assert!(matches!(fetched("echo npm error EINTEGRITY; exit 1"), Err(Obstacle::Wrong(_))));
    }

    #[test]
    fn a_client_must_report_every_check_once() {
        let fine = report(|check| format!("ok c {check}\n"));
        assert!(judge("c", CHECKS, true, &fine).iter().all(|(_, why)| why.is_none()));
        assert!(judge("d", CHECKS, true, &fine).iter().all(|(_, why)| why.is_some()));

        let wrong = |text: &str, exit: bool| -> Vec<String> {
            let all = judge("c", CHECKS, exit, text).into_iter();
            all.filter_map(|(check, why)| Some(format!("{check}: {}", why?))).collect()
        };
        let failed = fine.replace("ok c repeat\n", "FAIL c repeat: expected 00 got 94\n");
        assert_eq!(wrong(&failed, false), ["repeat: expected 00 got 94"]);
        assert_eq!(wrong(&fine.replace("ok c echo\n", ""), true), ["echo: not reported"]);
        assert_eq!(wrong(&format!("{fine}ok c echo\n"), true), ["echo: reported 2 times"]);
        assert_eq!(wrong(&fine, false).len(), CHECKS.len());
        assert_eq!(wrong("", true).len(), CHECKS.len());
    }
}
