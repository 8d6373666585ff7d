//! A nation of real processes, started, killed and asked from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ::nation::audit::Line;
use scheme::{Rrn, TerminalId};
use serde_json::Value;

/// How long anything may take before it counts as never: machines are busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);
const BANKS: [&str; 4] = ["100001", "100002", "100003", "100004"];

/// The program whose processes are killed: `BONGSU_BINARY` (an optimised one), or what cargo has
/// built.
fn program() -> PathBuf {
    let given = std::env::var_os("BONGSU_BINARY");
    given.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_bongsu")), PathBuf::from)
}

pub(crate) struct Nation {
    dir: PathBuf,
    port_base: u16,
    up: Child,
}

/// What the hub's journal says after the end.
pub(crate) struct HubBooks {
    pub(crate) payments: Vec<host::view::PaymentView>,
    pub(crate) accounts: Vec<host::view::AccountView>,
}

impl Nation {
    /// In a directory of that name.
    pub(crate) fn start(name: &str, config: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("nation.toml"), config).unwrap();
        let port_base = free_port_base();
        let up = spawn(&dir, port_base);
        Self { dir, port_base, up }
    }

    pub(crate) fn terminals(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8583 + self.port_base))
    }

    fn running(&self) -> Value {
        let text = std::fs::read(self.dir.join("run/nation.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn pid(&self, role: &str) -> Option<u64> {
        let running = self.running();
        let roles = running["roles"].as_array().unwrap();
        roles.iter().find(|entry| entry["role"] == role)?["pid"].as_u64()
    }

    /// kill -9 of one role; the supervisor starts it again. Who verifies the hub's journal in these
    /// moments finds no damage.
    pub(crate) fn kill(&self, role: &str) {
        let pid = self.pid(role).unwrap();
        kill(pid);
        let deadline = Instant::now() + PATIENCE;
        while self.pid(role).is_none_or(|now| now == pid) {
            assert!(Instant::now() < deadline, "{role} was not started again");
            if role == "hub" {
                self.verify();
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn verify(&self) {
        let verify = Command::new(program())
            .args(["ledger", "verify", "--format", "json", "--dir"])
            .arg(&self.dir)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&verify.stdout);
        let errors = String::from_utf8_lossy(&verify.stderr);
        assert!(verify.status.success(), "ledger verify: {text}{errors}");
    }

    /// kill -9 of the supervisor, which takes everything with it.
    pub(crate) fn kill_everything(&mut self) {
        let roles: Vec<u64> = self.running()["roles"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| entry["pid"].as_u64())
            .collect();
        self.up.kill().unwrap();
        self.up.wait().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while roles.iter().any(|pid| is_alive(*pid)) {
            assert!(Instant::now() < deadline, "children outlive their supervisor");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn restart(&mut self) {
        self.up = spawn(&self.dir, self.port_base);
    }

    fn overview(&self, role: &str) -> Value {
        self.get(role, "/api/v1/overview")
    }

    /// What a role answers through its socket.
    fn get(&self, role: &str, path: &str) -> Value {
        let socket = self.dir.join("run").join(format!("{role}.sock"));
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, body) = node::client::get(&socket, path).unwrap();
            if status == 200 {
                return serde_json::from_slice(&body).unwrap();
            }
            // A busy machine may be late with its answer.
            assert!(status == 503 && Instant::now() < until, "{status}");
        }
    }

    /// What the hub finds by a reference number.
    pub(crate) fn look_up(&self, rrn: Rrn) -> Value {
        self.get("hub", &format!("/api/v1/payments?rrn={rrn}"))
    }

    /// The hub's journal, as its files lie there now.
    pub(crate) fn hub_journal(&self) -> node::disk::FileDisk {
        node::disk::FileDisk::open(&self.dir.join("hub/journal")).unwrap()
    }

    pub(crate) fn wait_until_nothing_is_owed(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let roles = ["hub", "station-pyongyang"];
            let open: u64 = roles
                .iter()
                .map(|role| {
                    let overview = self.overview(role);
                    overview["saf_depth"].as_u64().unwrap()
                        + overview["in_flight"].as_u64().unwrap()
                })
                .sum();
            if open == 0 {
                return began.elapsed();
            }
            assert!(began.elapsed() < limit, "{open} things are still open after {limit:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn bank_books(&self) -> BTreeMap<String, Vec<Line>> {
        BANKS.iter().map(|bank| ((*bank).to_owned(), self.bank_book(bank))).collect()
    }

    fn bank_book(&self, bank: &str) -> Vec<Line> {
        let output = Command::new(program())
            .args(["bank", bank, "book", "--format", "json", "--dir"])
            .arg(&self.dir)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let book: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut lines = Vec::new();
        for account in book["accounts"].as_array().unwrap() {
            for entry in account["entries"].as_array().unwrap() {
                if entry["kind"] == "refill" {
                    continue;
                }
                let text = |name: &str| entry[name].as_str().unwrap_or("").trim().to_owned();
                lines.push(Line {
                    acquirer: text("acquirer").parse().unwrap(),
                    terminal: TerminalId::new(text("terminal").as_bytes()).unwrap(),
                    rrn: Rrn::new(text("rrn").as_bytes()).unwrap(),
                    effect: minor(&text("amount")),
                    back: entry["kind"] == "reversal",
                });
            }
        }
        lines
    }

    /// Stops cleanly, has `ledger verify` look at the journal, and reads it.
    pub(crate) fn stop_and_read(mut self) -> HubBooks {
        interrupt(u64::from(self.up.id()));
        let status = self.up.wait().unwrap();
        assert!(status.success(), "the supervisor ended with {status}");
        self.verify();
        let config = host::Config::example();
        let offline = host::offline::Offline::read(&config, self.hub_journal(), false).unwrap();
        assert!(offline.report().ok, "{:?}", offline.report());
        let books = HubBooks { payments: offline.all_payments(), accounts: offline.accounts() };
        let kept = files_with(&self.dir, &crate::clients::secrets());
        assert!(kept.is_empty(), "secrets are kept in {kept:?}");
        std::fs::remove_dir_all(&self.dir).unwrap();
        books
    }

    /// Ends it, and nothing of it stays.
    pub(crate) fn remove(mut self) {
        self.kill_everything();
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

impl Drop for Nation {
    fn drop(&mut self) {
        // Only after a failed assertion: the supervisor takes its children with it.
        if matches!(self.up.try_wait(), Ok(None)) {
            drop(self.up.kill());
            drop(self.up.wait());
        }
    }
}

/// Files below a directory that hold one of these, and which.
fn files_with(dir: &Path, secrets: &[Vec<u8>]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, secrets));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            // What is not zero is what was written; segments are mostly zeros.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let holds = |secret: &&Vec<u8>| {
                bytes[..end].windows(secret.len()).any(|window| window == secret.as_slice())
            };
            let held = secrets.iter().find(holds);
            found.extend(held.map(|secret| (path, String::from_utf8_lossy(secret).into_owned())));
        }
    }
    found
}

pub(crate) fn minor(decimal: &str) -> i64 {
    decimal.replace('.', "").parse().unwrap()
}

fn spawn(dir: &Path, port_base: u16) -> Child {
    let mut up = Command::new(program())
        .args(["up", "--traffic", "0", "--port-base", &port_base.to_string(), "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (ready, told) = mpsc::channel();
    let lines = BufReader::new(up.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if line.contains("ready") {
                // The test may have given up waiting.
                ready.send(()).unwrap_or_default();
            }
        }
    });
    if told.recv_timeout(PATIENCE).is_err() {
        drop(up.kill());
        panic!("not ready within {PATIENCE:?}");
    }
    up
}

/// A shift at which every port of the example nation is free, each time another.
fn free_port_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ports = [8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583, 7583];
    let seed = u16::try_from(std::process::id() % 120).unwrap();
    // Below the ports that the system gives to outgoing connections (from 32,768).
    (0..100u16)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed))
        .map(|step| 10_000 + (seed + step * 7) % 120 * 100)
        .find(|base| ports.iter().all(|port| TcpListener::bind(("127.0.0.1", port + base)).is_ok()))
        .unwrap()
}

fn signal(pid: u64, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill {name} {pid}");
}

fn kill(pid: u64) {
    signal(pid, "-KILL");
}

fn interrupt(pid: u64) {
    signal(pid, "-INT");
}

fn is_alive(pid: u64) -> bool {
    // A zombie waits for whoever inherited it, and does nothing any more.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}
