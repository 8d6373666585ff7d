//! A nation of real processes, small: `up` with its children, killed and stopped.
//!
//! Not a test harness: the supervisor starts this very program again as `hub`, `station NAME` and
//! so on, as it does with `bongsu`. Ports are moved to where this machine has free ones.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is its own harness says what it does and fails by panics"
)]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use node::{Layout, RoleName, RunOptions, Running};
use rustix::process::{Pid, Signal, kill_process};
use scheme::ParticipantId;
use serde_json::Value;

/// How long anything may take before it counts as never: machines are busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map(String::as_str).unwrap_or_default();
    if ["up", "hub", "station", "bank", "shops"].contains(&first) {
        if let Err(error) = run(&arguments) {
            eprintln(&error);
            std::process::exit(2);
        }
        return;
    }
    // Filtered and listed as a harness would, for `cargo test NAME` and tools.
    let wanted = |name: &str| !arguments.iter().any(|a| !a.starts_with('-') && !name.contains(a));
    let tests = TESTS.iter().filter(|(name, _)| wanted(name));
    if arguments.iter().any(|argument| argument == "--list") {
        tests.for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    // Side by side: they mostly wait.
    let running: Vec<_> = tests
        .map(|(name, test)| {
            let began = Instant::now();
            (name, began, std::thread::spawn(test))
        })
        .collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, began, test) in running {
        if test.join().is_ok() {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED");
        }
        println!("({} ms)", began.elapsed().as_millis());
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         0 filtered out"
    );
    if failed > 0 {
        std::process::exit(101);
    }
}

const TESTS: [(&str, fn()); 4] = [
    (
        "a_taken_port_and_a_wrong_name_leave_nothing_behind",
        a_taken_port_and_a_wrong_name_leave_nothing_behind,
    ),
    ("up_kill_stop_and_up_again", up_kill_stop_and_up_again),
    ("a_child_dies_with_its_pipe", a_child_dies_with_its_pipe),
    ("up_says_why_it_cannot_run", up_says_why_it_cannot_run),
];

fn eprintln(error: &node::RunError) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{error}");
}

/// What `bongsu` does with these arguments.
fn run(arguments: &[String]) -> Result<(), node::RunError> {
    let flag = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let options = RunOptions {
        dir: flag("--dir").unwrap().into(),
        config: flag("--config").map(PathBuf::from),
        port_base: flag("--port-base").map_or(0, |n| n.parse().unwrap()),
        http: flag("--http").map(|at| at.parse().unwrap()),
        traffic: flag("--traffic").map(|n| n.parse().unwrap()),
        version: "test".to_owned(),
    };
    match arguments[0].as_str() {
        "up" => node::up(&options),
        "hub" => node::run_hub(&options),
        "station" => node::run_station(&arguments[1], &options),
        "bank" => {
            let id = ParticipantId::new(arguments[1].parse().unwrap()).unwrap();
            node::run_bank(id, &options)
        }
        _ => node::run_shops(&options),
    }
}

struct Up {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
    log: PathBuf,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn up(dir: &Path, port_base: u16) -> Up {
    let log = dir.join("up.log");
    let stderr = std::fs::File::options().append(true).create(true).open(&log).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["up", "--traffic", "40", "--port-base", &port_base.to_string(), "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    Up { child, said, log }
}

impl Up {
    /// Waits for `ready` and the addresses.
    fn ready(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        while self.said.read_line(&mut line).unwrap() > 0 {
            lines.push(line.trim().to_owned());
            // Hub and four stations have addresses.
            if lines.len() == 6 {
                return lines;
            }
            line.clear();
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        panic!("it ended before it was ready: {lines:?}\n{log}");
    }
}

fn get(layout: &Layout, role: &RoleName, path: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, body) = node::client::get(&layout.socket(role), path).unwrap();
        let said = String::from_utf8_lossy(&body);
        if status == 200 {
            return serde_json::from_slice(&body).unwrap();
        }
        // A busy machine may be late with its answer.
        assert!(status == 503 && Instant::now() < until, "{role} {path}: {said}");
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn pid_of(layout: &Layout, role: &RoleName) -> Option<u32> {
    let running = Running::read(layout).unwrap();
    running.roles.iter().find(|entry| entry.role == role.to_string()).map(|entry| entry.pid)
}

/// A shift of the example's ports to where nobody listens now.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let used = [8080, 8081, 8082, 8083, 8084, 8583, 8584, 8585, 8586, 9583, 7583];
    // Below 32,768: from there on the system gives ports to whoever dials.
    let start = 1_000 + (std::process::id() % 150) as u16 * 110;
    let mut bases = (0..40).map(|_| start + NEXT.fetch_add(1, Ordering::Relaxed) * 131);
    let free =
        |base: &u16| used.iter().all(|port| TcpListener::bind(("127.0.0.1", base + port)).is_ok());
    bases.find(free).expect("some ports of this machine are free")
}

fn approved(layout: &Layout) -> u64 {
    get(layout, &RoleName::Shops, "/api/v1/overview")["approved"].as_u64().unwrap()
}

fn temp_dir(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let dir = exe.parent().unwrap().join(format!("tmp-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Also without the parent-death signal: here the parent lives on.
fn a_child_dies_with_its_pipe() {
    let dir = temp_dir("pipe");
    let start = |supervisor: u32| {
        Command::new(std::env::current_exe().unwrap())
            .args(["hub", "--port-base", &free_ports().to_string(), "--dir"])
            .arg(&dir)
            .env("BONGSU_SUPERVISOR", supervisor.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut child = start(std::process::id());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with(r#"{"ready":"hub","addresses":{"banks":"127.0.0.1:"#), "{line}");
    drop(child.stdin.take());
    let took = eventually("the child's end", || !alive(child.id()));
    println!("dead {} ms after its pipe", took.as_millis());
    child.wait().unwrap();
    // A supervisor that was gone before the child could ask for its death signal.
    let output = start(1).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is gone already"));
    std::fs::remove_dir_all(&dir).unwrap();
}

/// What `up` says when it cannot run.
fn fails(dir: &Path, base: u16) -> String {
    let mut up = up(dir, base);
    let mut said = String::new();
    up.said.read_to_string(&mut said).unwrap();
    assert_eq!(up.child.wait().unwrap().code(), Some(2), "{said}");
    assert_eq!(said, "");
    let log = std::fs::read_to_string(dir.join("up.log")).unwrap();
    log.lines().last().unwrap().to_owned()
}

fn a_taken_port_and_a_wrong_name_leave_nothing_behind() {
    let dir = temp_dir("taken");
    let base = free_ports();
    let taken = [9583, 8082].map(|port| TcpListener::bind(("127.0.0.1", base + port)).unwrap());
    let why = fails(&dir, base);
    let (banks, page) = (base + 9583, base + 8082);
    let places = format!("hub banks 127.0.0.1:{banks}, station-nampo http 127.0.0.1:{page}: ");
    assert!(why.starts_with(&places), "{why}");
    leaves_nothing(&dir, base);
    drop(taken);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn up_says_why_it_cannot_run() {
    let dir = temp_dir("why");
    let base = free_ports();
    let fails = || fails(&dir, base);
    let mut first = up(&dir, base);
    first.ready();
    let second = fails();
    assert!(second.contains("(up) is the writer of this directory"), "{second}");
    stopped_cleanly(&mut first, &all_pids(&Layout::new(&dir)));
    let given = dir.join("given.toml");
    let text = std::fs::read_to_string(dir.join("nation.toml")).unwrap();
    std::fs::write(&given, text.replacen("5000000.00", "4000000.00", 1)).unwrap();
    notices_are_told(&dir, base, &given);
    keys_are_asked_for(&dir, &fails);
    let segment = dir.join("hub/journal/0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let why = fails();
    assert!(why.contains("hub/journal: the journal is damaged"), "{why}");
    std::fs::write(dir.join("nation.toml"), "[nation]\n").unwrap();
    let why = fails();
    assert!(why.contains("bongsu config check"), "{why}");
    std::fs::remove_dir_all(&dir).unwrap();
}

/// What cannot run makes nothing, alone or with all others.
fn leaves_nothing(dir: &Path, base: u16) {
    let list = |dir: &Path| {
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list(dir), ["up.log"]);
    let new = dir.join("new");
    let base = base.to_string();
    for (arguments, why) in [
        (vec!["hub", "--port-base", &base], "hub banks 127.0.0.1:"),
        (vec!["station", "nowhere"], "station-nowhere: "),
        (vec!["bank", "999999"], "bank-999999: "),
        (vec!["shops", "--config", "/nowhere.toml"], "/nowhere.toml: "),
        (vec!["up", "--port-base", "65000"], "--port-base: "),
        (vec!["up", "--http", "0.0.0.0:1"], "--http: "),
    ] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(&arguments).arg("--dir").arg(&new).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with(why), "{arguments:?}: {said}");
        assert!(!new.exists(), "{arguments:?}");
    }
}

/// A file whose business part differs changes nothing, and whoever starts is told.
fn notices_are_told(dir: &Path, base: u16, given: &Path) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["up", "--traffic", "0", "--port-base", &base.to_string(), "--dir"])
        .arg(dir)
        .arg("--config")
        .arg(given)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(dir.join("notices.log")).unwrap())
        .spawn();
    let mut child = child.unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let mut up = Up { child, said, log: dir.join("notices.log") };
    up.ready();
    stopped_cleanly(&mut up, &[]);
    let told = std::fs::read_to_string(&up.log).unwrap();
    let lines: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let is_notice = |line: &&Value| line["event"] == "notice" && line["child"] == "hub";
    let notices = lines.iter().filter(is_notice).map(|line| line["what"].as_str().unwrap());
    let notices: Vec<&str> = notices.collect();
    assert!(notices.len() > 1 && notices[0].contains("business part differs"), "{told}");
    assert!(notices[0].contains("config diff") && notices[0].contains("config apply"), "{told}");
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("4,000,000.00") || notice.contains("4000000.00")),
        "{notices:?}"
    );
    let started = told.lines().find(|line| line.contains("child_started")).unwrap();
    let started: Value = serde_json::from_str(started).unwrap();
    assert!(started["pid"].is_u64(), "{started}");
}

fn keys_are_asked_for(dir: &Path, fails: &dyn Fn() -> String) {
    let kept = dir.join("kept");
    for file in ["keys/cards-station-nampo.key", "keys/token.key", "keys"] {
        std::fs::rename(dir.join(file), &kept).unwrap();
        let why = fails();
        assert!(why.contains(file) && why.contains("put it back"), "{why}");
        assert!(!dir.join(file).exists(), "nothing is made");
        std::fs::rename(&kept, dir.join(file)).unwrap();
    }
}

fn up_kill_stop_and_up_again() {
    let dir = temp_dir("nation");
    let layout = Layout::new(&dir);
    let base = free_ports();
    let began = Instant::now();
    let mut first = up(&dir, base);
    let lines = first.ready();
    println!("ready in {} ms", began.elapsed().as_millis());
    assert_eq!(lines[0], "ready");
    assert!(lines[1].contains(&format!("http http://127.0.0.1:{}", base + 8080)), "{lines:?}");
    eventually("payments", || approved(&layout) > 20);
    second_writer_is_refused(&dir, base);
    let banks = [100_001u64, 100_002].map(|id| RoleName::Bank(ParticipantId::new(id).unwrap()));
    let book = get(&layout, &banks[0], "/book");
    assert_eq!(book["accounts"][0]["account"], "000000001");
    restarted_after_a_kill(&layout);
    let before = approved(&layout);
    eventually("payments after kills", || approved(&layout) > before + 20);
    let pids = all_pids(&layout);
    stopped_cleanly(&mut first, &pids);
    assert!(Running::read(&layout).unwrap().roles.is_empty());

    let mut second = up(&dir, base);
    second.ready();
    let records = get(&layout, &RoleName::Hub, "/api/v1/overview")["records"].as_u64().unwrap();
    assert!(records > 40, "it carries on: {records}");
    let pids = all_pids(&layout);
    signal(second.child.id(), Signal::KILL);
    second.child.wait().unwrap();
    let took =
        eventually("children die with their supervisor", || !pids.iter().any(|pid| alive(*pid)));
    println!("all dead {} ms after the supervisor", took.as_millis());

    // And up again on what a kill left.
    let mut third = up(&dir, base);
    third.ready();
    let pids = all_pids(&layout);
    stopped_cleanly(&mut third, &pids);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn all_pids(layout: &Layout) -> Vec<u32> {
    let running = Running::read(layout).unwrap();
    let pids: Vec<u32> = running.roles.iter().map(|entry| entry.pid).collect();
    assert_eq!(pids.len(), 10, "hub, four stations, four banks, shops");
    assert!(pids.iter().all(|pid| alive(*pid)));
    pids
}

fn second_writer_is_refused(dir: &Path, base: u16) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["hub", "--port-base", &base.to_string(), "--dir"])
        .arg(dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("(hub) is the writer of this directory"), "{text}");
}

fn restarted_after_a_kill(layout: &Layout) {
    let bank = RoleName::Bank(ParticipantId::new(100_002).unwrap());
    for role in [RoleName::Station("nampo".to_owned()), bank, RoleName::Hub] {
        let pid = pid_of(layout, &role).unwrap();
        signal(pid, Signal::KILL);
        let back = || pid_of(layout, &role).is_some_and(|new| new != pid);
        let took = eventually("a restart", back);
        println!("{role} entered again {} ms after its kill", took.as_millis());
        eventually("work", || {
            node::client::get(&layout.socket(&role), "/readyz").is_ok_and(|(s, _)| s == 200)
        });
    }
}

fn stopped_cleanly(up: &mut Up, pids: &[u32]) {
    signal(up.child.id(), Signal::TERM);
    let began = Instant::now();
    let mut rest = String::new();
    up.said.read_to_string(&mut rest).unwrap();
    let status = up.child.wait().unwrap();
    println!("stopped in {} ms", began.elapsed().as_millis());
    assert!(status.success(), "{status}");
    assert!(!pids.iter().any(|pid| alive(*pid)));
}
