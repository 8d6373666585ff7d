//! Running other programs: what is there, what a run took, how one is stopped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a child that should end is looked at.
const POLL: Duration = Duration::from_millis(50);

/// The cargo that runs this chore.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.current_dir(root);
    command
}

/// Where cargo builds.
pub(crate) fn target(root: &Path) -> Result<PathBuf, String> {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .map(|metadata| metadata.target_directory.into_std_path_buf())
        .map_err(|why| format!("cargo metadata: {why}"))
}

/// Runs it with this terminal's streams.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|why| format!("{name}: {why}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{name}: {status}"))
}

/// Runs it in silence; one line of what it wrote is the reason if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<(), String> {
    silently(command).map_err(|failure| failure.why)
}

/// A command that did not end well.
pub(crate) struct Failure {
    /// In one line.
    pub(crate) why: String,
    /// All that it wrote.
    pub(crate) text: String,
}

/// Runs it in silence, and keeps all that it wrote if it fails.
pub(crate) fn silently(command: &mut Command) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = match command.stdin(Stdio::null()).output() {
        Ok(out) if out.status.success() => return Ok(()),
        Ok(out) => out,
        Err(why) => {
            return Err(Failure { why: format!("{name}: {why}"), text: String::new() });
        }
    };
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let says = lines().find(|line| line.to_ascii_lowercase().contains("error"));
    let line = says.or_else(|| lines().next_back()).unwrap_or("no word why");
    Err(Failure { why: format!("{name}: {}: {line}", out.status), text })
}

/// Makes sure that these commands are there; as root on a Debian it installs their packages.
pub(crate) fn ensure(commands: &[&str], packages: &[&str]) -> Result<(), String> {
    let missing = || -> Vec<&str> {
        let absent = |c: &&&str| quietly(Command::new(c).arg("--version")).is_err();
        commands.iter().filter(absent).copied().collect()
    };
    if missing().is_empty() {
        return Ok(());
    }
    let told = format!("no {}; apt-get install {}", missing().join(", "), packages.join(" "));
    install(packages).map_err(|why| format!("{told} ({why})"))?;
    if missing().is_empty() { Ok(()) } else { Err(told) }
}

/// `apt-get install`, as root only.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    let id = Command::new("id").arg("-u").output().map_err(|why| format!("id: {why}"))?;
    if id.stdout.trim_ascii() != b"0" {
        return Err("not root".into());
    }
    quietly(Command::new("apt-get").args(["update", "-qq"]))?;
    quietly(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages),
    )
}

/// Asks a child to stop as Ctrl-C does.
pub(crate) fn interrupt(child: &Child) -> Result<(), String> {
    let id = child.id().to_string();
    quietly(Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &id]))
}

/// Waits for a child to end; `None` if it still runs after `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if start.elapsed() < limit => std::thread::sleep(POLL),
            Ok(status) => return Ok(status),
            Err(why) => return Err(why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn says_why_a_command_failed() {
        assert!(ensure(&["cargo"], &[]).is_ok());
        assert!(quietly(Command::new("sh").args(["-c", "exit 0"])).is_ok());
        let why = quietly(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 3"]));
        assert_eq!(why, Err("sh: exit status: 3: b".to_string()));
        let why = quietly(Command::new("sh").args(["-c", "echo Error: a; echo b; exit 1"]));
        assert_eq!(why, Err("sh: exit status: 1: Error: a".to_string()));
        assert!(quietly(&mut Command::new("no-such-command-of-bongsu")).is_err());
    }

    #[test]
    fn interrupts_and_waits() {
        // Whoever started this test may ignore SIGINT, and a child inherits that. It says a word
        // once it does not.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", "sh", "-c", "echo here; exec sleep 600"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut word = [0; 5];
        child.stdout.take().unwrap().read_exact(&mut word).unwrap();
        assert_eq!(wait(&mut child, Duration::ZERO).unwrap(), None);
        interrupt(&child).unwrap();
        let status = wait(&mut child, Duration::from_secs(60)).unwrap();
        assert!(status.is_some_and(|s| !s.success()));
    }
}
