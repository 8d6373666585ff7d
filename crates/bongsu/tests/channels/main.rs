//! A nation in profile `production`, role by role as on machines of their own, and peers that share
//! no code with it: Python's `ssl` and `openssl mac`. Needs `python3` and `openssl` 3.
#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

const EXAMPLE: &str = include_str!("../../../../examples/four-stations/nation.toml");

fn bongsu(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Roles that end with the test.
struct Roles(Vec<Child>);

impl Drop for Roles {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Roles {
    fn start(&mut self, dir: &Path, base: u16, role: &[&str]) {
        let (dir_text, base) = (dir.to_str().unwrap(), base.to_string());
        let log = std::fs::File::create(dir.join(format!("{}.log", role.concat()))).unwrap();
        let options = ["--dir", dir_text, "--port-base", base.as_str()];
        let mut child = bongsu(&[role, &options].concat()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.0.push(child);
        assert!(line.starts_with("ready"), "{role:?}: {line}");
    }
}

/// Tests of one process look for ports at the same time.
fn nth() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    NEXT.fetch_add(3, Ordering::Relaxed)
}

/// Ports of the hub and the first station, all free when moved up by this.
fn free_base() -> u16 {
    let ports = [7583, 8080, 8081, 8583, 9583];
    // Below the ports that the system gives to outgoing connections (from 32,768).
    let first = 10_000 + (std::process::id() % 500) as u16 * 20 + nth();
    let is_free =
        |base: &u16| ports.iter().all(|p| TcpListener::bind(("127.0.0.1", p + base)).is_ok());
    (0..100).map(|step| first + step * 7).find(is_free).unwrap()
}

fn production(dir: &Path) {
    let config = dir.with_extension("toml");
    let text = EXAMPLE.replace("profile = \"demo\"", "profile = \"production\"");
    std::fs::write(&config, text).unwrap();
    let (path, config) = (dir.to_str().unwrap(), config.to_str().unwrap());
    let ran = bongsu(&["init", path, "--config", config]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    for name in ["pyo00001.terminal.bongsu.internal", "pyo-shop-000001.retailer.bongsu.internal"] {
        assert!(bongsu(&["init", path, "--for", name]).output().unwrap().status.success());
    }
}

fn temp(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Of an earlier run.
    drop(std::fs::remove_dir_all(&dir));
    dir
}

#[test]
fn r_mac_r_link_other_peoples_tls_and_macs_in_production() {
    let dir = temp("channels");
    production(&dir);
    let base = free_base();
    let mut roles = Roles(Vec::new());
    roles.start(&dir, base, &["hub"]);
    roles.start(&dir, base, &["station", "pyongyang"]);
    roles.start(&dir, base, &["bank", "100002"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/peer.py");
    let ports = [9583 + base, 8583 + base].map(|port| port.to_string());
    let ran = Command::new("python3")
        .arg(script)
        .arg(dir.join("keys"))
        .args(ports)
        .output()
        .unwrap_or_else(|error| panic!("this test needs python3: {error}"));
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && !out.contains("FAIL"), "{out}{err}");
    // All that the script looks at, the MAC of each answer among it.
    assert_eq!(out.lines().filter(|line| line.starts_with("ok ")).count(), 18, "{out}");
    // Each refusal is in the hub's log with what to do.
    let log = std::fs::read_to_string(dir.join("hub.log")).unwrap();
    for why in ["tls_version", "tls_no_certificate", "tls_garbage", "unknown_identity", "bad_mac"] {
        let line = log.lines().find(|line| line.contains(why));
        assert!(line.is_some_and(|line| line.contains("\"do\":")), "{why}: {log}");
    }
}

#[test]
fn production_makes_no_keys_and_runs_no_simulated_shops() {
    let dir = temp("channels-bare");
    std::fs::create_dir(&dir).unwrap();
    let text = EXAMPLE.replace("profile = \"demo\"", "profile = \"production\"");
    std::fs::write(dir.join("nation.toml"), text).unwrap();
    let base = free_base().to_string();
    let run = |role: &[&str]| {
        let options = ["--dir", dir.to_str().unwrap(), "--port-base", base.as_str()];
        let ran = bongsu(&[role, &options].concat()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{ran:?}");
        String::from_utf8(ran.stderr).unwrap()
    };
    let error = run(&["hub"]);
    assert!(error.contains("bongsu init"), "{error}");
    assert!(!dir.join("keys/ca.key").exists());
    let error = run(&["shops"]);
    assert!(error.contains("demo"), "{error}");
}

/// New certificates serve new connections after SIGHUP, and those that are there go on.
#[test]
fn r_link_certificates_are_renewed_without_a_restart() {
    let dir = temp("channels-renewed");
    production(&dir);
    let base = free_base();
    let mut roles = Roles(Vec::new());
    // One bank's keys are not there yet: the others do not wait for them.
    std::fs::remove_file(dir.join("keys/mac-100004-to-bank.key")).unwrap();
    roles.start(&dir, base, &["hub"]);
    roles.start(&dir, base, &["bank", "100002"]);
    let log = dir.join("hub.log");
    let read = || std::fs::read_to_string(&log).unwrap();
    let wait = |what: &str, count: usize| {
        let until = Instant::now() + Duration::from_secs(90);
        while read().lines().filter(|line| line.contains(what)).count() < count {
            assert!(Instant::now() < until, "{what}: {}", read());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("\"no_mac_keys\"", 1);
    wait("\"signed_on\"", 1);
    let path = dir.to_str().unwrap();
    let made = bongsu(&["init", path, "--for", "hub.bongsu.internal"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let hub = roles.0[0].id().to_string();
    assert!(Command::new("kill").args(["-HUP", &hub]).status().unwrap().success());
    wait("\"certificate_loaded\"", 1);
    // A file that cannot be used changes nothing.
    std::fs::write(dir.join("keys/tls-hub.crt"), "nothing").unwrap();
    wait("\"certificate_not_loaded\"", 1);
    roles.start(&dir, base, &["bank", "100003"]);
    wait("\"signed_on\"", 2);
    assert!(!read().contains("bank_link_closed"), "{}", read());
}
