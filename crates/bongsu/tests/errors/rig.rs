//! Roles, each a process of its own, and what they say when they can't run.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_bongsu");
pub(crate) const EXAMPLE: &str = include_str!("../../../../examples/four-stations/nation.toml");
/// Far longer than anything takes: a machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// A card of the second bank (interfaces, "The example nation").
pub(crate) const CARD: &str = "9408020000000015";
/// One of the third.
pub(crate) const OTHER_CARD: &str = "9408030000000014";

/// A directory of one test's, removed with it.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) base: u16,
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a failed test left is of use to nobody on a machine of continuous integration.
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("errors-{name}-{}", std::process::id());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(std::fs::remove_dir_all(&dir));
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir, base: free_base() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// The program in a directory below this one.
    pub(crate) fn command(&self, dir: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--dir").arg(self.dir.join(dir)).stdin(Stdio::null());
        command
    }

    fn role(&self, dir: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(dir, arguments);
        command.args(["--port-base", &self.base.to_string()]);
        command
    }

    /// Starts a role that must become ready.
    pub(crate) fn start(&self, dir: &str, arguments: &[&str]) -> Role {
        self.start_command(&arguments.concat(), self.role(dir, arguments))
    }

    /// The same, from a command line that ends in a role's.
    pub(crate) fn start_command(&self, name: &str, command: Command) -> Role {
        let mut role = self.spawn(name, command);
        let mut stdout = BufReader::new(role.child.stdout.take().unwrap());
        let (sender, said) = std::sync::mpsc::channel();
        // Ends with the role.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            drop(sender.send(read.map(|_| line)));
        });
        let line = said.recv_timeout(PATIENCE).map(Result::unwrap);
        let ready = line.as_ref().is_ok_and(|line| line.starts_with("ready"));
        assert!(ready, "{name}: {line:?} {}", role.log());
        role
    }

    /// Starts the shops, which are not ready before all their stations are there.
    pub(crate) fn shops(&self, dir: &str, arguments: &[&str]) -> Role {
        self.spawn("shops", self.role(dir, &[&["shops"], arguments].concat()))
    }

    fn spawn(&self, name: &str, mut command: Command) -> Role {
        let log = self.dir.join(format!("{}.log", name.replace(['/', '-'], "")));
        let stderr = std::fs::File::options().append(true).create(true).open(&log).unwrap();
        let command = command.stdout(Stdio::piped()).stderr(stderr).process_group(0);
        Role { child: command.spawn().unwrap(), log }
    }

    /// What a role says that must not become ready: exit status 2, text, and the JSON object.
    pub(crate) fn refusal(&self, dir: &str, arguments: &[&str]) -> Value {
        let mut command = self.role(dir, arguments);
        command.args(["--format", "json"]);
        refusal(command)
    }

    /// `bongsu pay` at the first station; its exit status and its JSON.
    pub(crate) fn pay(&self, dir: &str, arguments: &[&str]) -> (i32, Value) {
        let mut command = self.payer(dir, arguments);
        let output = command.output().unwrap();
        let code = output.status.code().unwrap();
        (code, json(&output))
    }

    /// The command of [`Self::pay`].
    pub(crate) fn payer(&self, dir: &str, arguments: &[&str]) -> Command {
        let to = format!("127.0.0.1:{}", 8583 + self.base);
        let fixed = ["pay", "--to", &to, "--format", "json"];
        let mut command = self.command(dir, &[&fixed[..], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Pays, and must get an approval; tries anew while a link is (still) down.
    pub(crate) fn paid(&self, dir: &str, card: &str) -> Value {
        let mut said = Value::Null;
        eventually("an approval", || {
            let (code, answer) = self.pay(dir, &["--pan", card, "--amount", "12.50"]);
            said = answer;
            let down = said["response_code"] == "91";
            assert!(down || (code, &said["approved"]) == (0, &Value::Bool(true)), "{said}");
            !down
        });
        said
    }

    /// `bongsu ledger verify`: its exit status and its JSON.
    pub(crate) fn verify(&self, dir: &str) -> (i32, Value) {
        let output = self.command(dir, &["ledger", "verify", "--format", "json"]).output().unwrap();
        (output.status.code().unwrap(), json(&output))
    }
}

/// A process, ended with its test.
pub(crate) struct Role {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Drop for Role {
    fn drop(&mut self) {
        self.signal("-KILL");
        drop(self.child.wait());
    }
}

impl Role {
    /// To it and whatever it has started.
    pub(crate) fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let mut kill = Command::new("kill");
        drop(kill.args([signal, "--", &group]).stderr(Stdio::null()).status());
    }

    /// Stops cleanly.
    pub(crate) fn stop(mut self) {
        self.signal("-INT");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status} {}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// Runs a command with `--format json` that must fail: the object is whole, and the text says it.
pub(crate) fn refusal(mut command: Command) -> Value {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?} {text}");
    let error = json(&output)["error"].clone();
    for key in ["kind", "message", "where", "do"] {
        let part = error[key].as_str().unwrap_or_default();
        assert!(!part.is_empty(), "{key}: {error}");
        assert!(key == "kind" || text.contains(part), "{key} for people: {text}");
    }
    error
}

/// Whether the parts are in the error at this key.
pub(crate) fn says(error: &Value, key: &str, parts: &[&str]) {
    let text = error[key].as_str().unwrap_or_default();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {key}: {error}");
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| unreachable!("{error}: {output:?}"))
}

/// A number of `/api/v1/overview` on a role's own socket; `None` if it does not answer now.
pub(crate) fn count(dir: &Path, role: &node::RoleName, key: &str) -> Option<u64> {
    let socket = node::Layout::new(dir).socket(role);
    let (status, body) = node::client::get(&socket, "/api/v1/overview").ok()?;
    let page: Value = serde_json::from_slice(&body).unwrap();
    (status == 200).then(|| page[key].as_u64().unwrap_or_else(|| unreachable!("{key}: {page}")))
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits as long as a count goes on changing.
pub(crate) fn goes_on(what: &str, mut holds: impl FnMut() -> (bool, u64)) {
    let mut last = holds();
    while !last.0 {
        let before = last.1;
        eventually(what, || {
            last = holds();
            last.0 || last.1 != before
        });
    }
}

/// A shift at which the example's ports are free; each test of this process looks elsewhere.
fn free_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ports = [7583, 8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583];
    // Below the ports that the system gives to outgoing connections (from 32,768).
    let first = 15_000 + (std::process::id() % 30) as u16 * 200;
    let first = first + NEXT.fetch_add(1, Ordering::Relaxed) * 20;
    let is_free =
        |base: &u16| ports.iter().all(|p| TcpListener::bind(("127.0.0.1", p + base)).is_ok());
    (0..10).map(|step| first + step * 11).find(is_free).unwrap()
}
