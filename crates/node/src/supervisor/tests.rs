//! A supervisor with shells for children.

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::error::RunErrorKind;
use crate::testing::{PATIENCE, eventually, temp_dir};

/// Says that it is ready, writes down its start, and then does `then`.
fn shell(name: &str, dir: &Path, then: &str, stop_stage: u8) -> ChildSpec {
    let dir_name = dir.display();
    let ready = format!("{{\"ready\":\"{name}\",\"addresses\":{{\"http\":\"x\"}}}}");
    let script = format!(
        "trap 'echo {name} >> {dir_name}/stops; exit 0' TERM; \
         echo $$ >> {dir_name}/{name}.starts; echo '{ready}'; {then}"
    );
    ChildSpec {
        name: name.to_owned(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script],
        log: dir.join(format!("{name}.log")),
        stop_stage,
        start_stage: 0,
    }
}

/// Waits on a pipe that ends with the supervisor, a shell's builtin, so that traps run at once.
const WAIT: &str = "read x";

fn supervise(specs: Vec<ChildSpec>, deaths: &Mutex<Vec<String>>) -> (Supervisor<'_>, UnixStream) {
    let (reader, writer) = UnixStream::pair().unwrap();
    let log = Arc::new(Log::quiet());
    let on_death = |name: &str, _| deaths.lock().unwrap().push(name.to_owned());
    let mut supervisor = Supervisor::new(specs, reader, log, on_death).unwrap();
    // No child is too slow unless that is the test.
    supervisor.stage_wait = 2 * PATIENCE;
    supervisor.stop_wait = 2 * PATIENCE;
    (supervisor, writer)
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn ready_once_restarted_stopped_in_order() {
    let dir = temp_dir("supervisor");
    let deaths = Mutex::new(Vec::new());
    let specs = vec![shell("b", &dir, WAIT, 1), shell("a", &dir, WAIT, 0)];
    let (mut supervisor, mut stop) = supervise(specs, &deaths);
    let ready = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let (dir, ready) = (&dir, &ready);
        scope.spawn(move || {
            eventually("ready", || !ready.lock().unwrap().is_empty());
            let first = lines(&dir.join("b.starts"))[0].clone();
            let pid = rustix::process::Pid::from_raw(first.parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            eventually("a restart", || lines(&dir.join("b.starts")).len() == 2);
            stop.write_all(b"x").unwrap();
        });
        supervisor
            .run(|list| {
                let names = list.iter().map(|(name, at)| format!("{name} {}", at["http"]));
                ready.lock().unwrap().extend(names);
            })
            .unwrap();
    });
    drop(supervisor);
    assert_eq!(*ready.lock().unwrap(), ["b x", "a x"]);
    assert_eq!(*deaths.lock().unwrap(), ["b", "a", "b"]);
    assert_eq!(lines(&dir.join("stops")), ["a", "b"]);
    for pid in lines(&dir.join("b.starts")).iter().chain(&lines(&dir.join("a.starts"))) {
        assert!(!alive(pid));
    }
}

#[test]
fn a_child_that_cannot_run_ends_the_start_with_its_own_words() {
    let dir = temp_dir("supervisor");
    let deaths = Mutex::new(Vec::new());
    let mut bad = shell("bad", &dir, WAIT, 0);
    let error = r#"{"error":{"kind":"port_in_use","message":"m","where":"w","do":"d"}}"#;
    bad.start_stage = 1;
    bad.arguments = vec!["-c".to_owned(), format!("echo '{error}'; exit 2")];
    let (mut supervisor, _stop) = supervise(vec![shell("good", &dir, WAIT, 0), bad], &deaths);
    let error = supervisor.run(|_| ()).unwrap_err();
    assert_eq!(error, RunError::new(RunErrorKind::PortInUse, "m", "w", "d"));
    let pid = lines(&dir.join("good.starts"))[0].clone();
    assert!(alive(&pid));
    drop(supervisor);
    assert!(!alive(&pid), "no child is left");
}

#[test]
fn one_that_ignores_its_stop_is_killed_at_the_second_signal() {
    let dir = temp_dir("supervisor");
    let deaths = Mutex::new(Vec::new());
    let mut deaf = shell("deaf", &dir, "while :; do read x || sleep 1; done", 0);
    deaf.arguments[1] = deaf.arguments[1].replace("trap 'echo", "trap '' TERM; : 'echo");
    let (mut supervisor, mut stop) = supervise(vec![deaf], &deaths);
    let began = Instant::now();
    supervisor.run(|_| stop.write_all(b"xx").unwrap()).unwrap();
    // Whoever does not hear the second signal waits twice as long.
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert!(!alive(&lines(&dir.join("deaf.starts"))[0]));
}

#[test]
fn a_later_stage_waits_for_the_earlier() {
    let dir = temp_dir("supervisor");
    let deaths = Mutex::new(Vec::new());
    let mut slow = shell("slow", &dir, WAIT, 0);
    slow.arguments[1] = format!("sleep 0.3; {}", slow.arguments[1]);
    let mut last = shell("last", &dir, WAIT, 0);
    last.start_stage = 2;
    let ready = run_until_ready(vec![last, slow], &deaths, 2 * PATIENCE);
    assert_eq!(ready, ["last", "slow"]);
    assert!(started(&dir, "slow") < started(&dir, "last"));
}

#[test]
fn a_later_stage_waits_for_the_earlier_but_not_for_ever() {
    let dir = temp_dir("supervisor");
    let deaths = Mutex::new(Vec::new());
    let mut mute = shell("mute", &dir, WAIT, 0);
    // Says nothing before the last one is there; gives up when nobody is patient any more.
    let awaited = format!("[ -e {}/last.starts ] || sleep 0.05", dir.display());
    let patient = format!("for i in $(seq 1200); do {awaited}; done");
    mute.arguments[1] = format!("{patient}; {}", mute.arguments[1]);
    let mut last = shell("last", &dir, WAIT, 0);
    last.start_stage = 1;
    run_until_ready(vec![last, mute], &deaths, Duration::from_millis(100));
    assert!(started(&dir, "last") < started(&dir, "mute"));
}

/// Who was ready, in order, when all were; they are stopped.
fn run_until_ready(
    specs: Vec<ChildSpec>,
    deaths: &Mutex<Vec<String>>,
    stage_wait: Duration,
) -> Vec<String> {
    let (mut supervisor, mut stop) = supervise(specs, deaths);
    supervisor.stage_wait = stage_wait;
    let mut ready = Vec::new();
    supervisor
        .run(|list| {
            ready.extend(list.iter().map(|(name, _)| (*name).to_owned()));
            stop.write_all(b"xx").unwrap();
        })
        .unwrap();
    ready
}

fn started(dir: &Path, name: &str) -> std::time::SystemTime {
    dir.join(format!("{name}.starts")).metadata().unwrap().created().unwrap()
}
