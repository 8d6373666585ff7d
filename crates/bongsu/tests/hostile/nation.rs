//! The nation under attack, seen from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// The program under attack: `BONGSU_BINARY` (an optimised one), or what cargo has built.
fn program() -> PathBuf {
    let given = std::env::var_os("BONGSU_BINARY");
    given.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_bongsu")), PathBuf::from)
}
/// The station that is attacked, and whoever could suffer with it.
const ROLES: [&str; 3] = ["hub", "station-pyongyang", "station-nampo"];

pub(crate) struct Nation {
    dir: PathBuf,
    port_base: u16,
    up: Child,
}

impl Nation {
    pub(crate) fn start() -> Self {
        let name = format!("hostile-{}", std::process::id());
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let port_base = free_port_base();
        let mut up = Command::new(program())
            .args(["up", "--traffic", "0", "--port-base", &port_base.to_string(), "--dir"])
            .arg(&dir)
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
        if told.recv_timeout(Duration::from_secs(90)).is_err() {
            drop(up.kill());
            panic!("not ready within 90 s");
        }
        Self { dir, port_base, up }
    }

    pub(crate) fn terminals(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8583 + self.port_base))
    }

    /// Every role's process: the same ones at the end, or something died.
    pub(crate) fn pids(&self) -> BTreeMap<String, u64> {
        let text = std::fs::read(self.dir.join("run/nation.json")).unwrap();
        let running: Value = serde_json::from_slice(&text).unwrap();
        let roles = running["roles"].as_array().unwrap();
        let pid = |role: &Value| {
            (role["role"].as_str().unwrap().to_owned(), role["pid"].as_u64().unwrap())
        };
        roles.iter().map(pid).collect()
    }

    /// Resident memory of the roles that matter, KiB.
    pub(crate) fn memory_kib(&self) -> BTreeMap<&'static str, u64> {
        let pids = self.pids();
        let resident = |role: &&'static str| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", pids[*role])).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            (*role, line.split_whitespace().nth(1).unwrap().parse().unwrap())
        };
        ROLES.iter().map(resident).collect()
    }

    /// Payments that the hub has approved or declined, the flood's among them.
    pub(crate) fn decided(&self) -> u64 {
        let hub = SocketAddr::from(([127, 0, 0, 1], 8080 + self.port_base));
        let mut stream = TcpStream::connect(hub).unwrap();
        let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let names = ["bongsu_payments_approved_total ", "bongsu_payments_declined_total "];
        let counter =
            |name| said.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
        names.map(|name| counter(name).unwrap()).iter().sum()
    }

    pub(crate) fn stop_and_verify(mut self) {
        let id = self.up.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let status = self.up.wait().unwrap();
        assert!(status.success(), "the supervisor ended with {status}");
        let verify =
            Command::new(program()).args(["ledger", "verify", "--dir"]).arg(&self.dir).output();
        let verify = verify.unwrap();
        assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
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

/// A shift at which every port of the example nation is free.
fn free_port_base() -> u16 {
    let ports = [8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583, 7583];
    let seed = u16::try_from(std::process::id() % 120).unwrap();
    // Below the ports that the system gives to outgoing connections (from 32,768).
    (0..100u16)
        .map(|step| 10_000 + (seed + step * 11) % 120 * 100)
        .find(|base| ports.iter().all(|port| TcpListener::bind(("127.0.0.1", port + base)).is_ok()))
        .unwrap()
}
