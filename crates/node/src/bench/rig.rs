//! A nation of real processes to be measured: in a temporary directory, on free ports, with limits
//! and caps so high that nothing is declined. Everything ends and is removed with the [`Rig`].

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::hostile::Attack;
use super::orders::{Bank, Measured, Orders};
use crate::client;
use crate::error::{RunError, RunErrorKind};
use crate::layout::Layout;
use crate::process::SUPERVISOR;
use crate::role::RoleName;
use crate::signals::stop_signals;

/// Banks of the bench: institution code, prefix of cards.
const BANKS: [(u64, &str); 4] =
    [(100_001, "940801"), (100_002, "940802"), (100_003, "940803"), (100_004, "940804")];
/// Retailer of the station's terminals.
const RETAILER: &str = "BENCH-SHOP-0001";
/// The nation's file.
const CONFIG: &str = "bench.toml";
/// The one station.
const STATION: &str = "bench";
/// Payments whose memory the measured hub takes at its start: those of a run of a few seconds, as a
/// hub under such a load would be given the memory of its day.
const ROOM: usize = 400_000;
/// Terminals of a run.
const TERMINALS: u64 = 65_536;
/// How long a role may take to be ready.
const READY_WAIT: Duration = Duration::from_secs(30);
/// How long a role may take to stop.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// What is to run.
#[derive(Clone, Debug)]
pub struct RigOptions {
    /// The program whose subcommands are the roles.
    pub program: PathBuf,
    /// Where the temporary directory is made.
    pub scratch: PathBuf,
    /// Whether a station runs too.
    pub station: bool,
    /// Whether links are without TLS and MAC.
    pub plain: bool,
    /// Whether the hub writes no snapshots, so that a start reads every record.
    pub no_snapshots: bool,
    /// Whether peers are held to the limits that every nation has.
    pub guarded: bool,
}

/// How a hub ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// As somebody stops it.
    Stopped,
    /// As a power cut ends it.
    Killed,
    /// The same, and its snapshots are lost, so that every record is read.
    KilledWithoutSnapshots,
}

/// Memory of a process, bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Resident now.
    pub now: u64,
    /// Resident at most since its start.
    pub most: u64,
}

/// What a hub's journal has on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OnDisk {
    /// Segments.
    pub segments: u64,
    /// Those that have an index.
    pub indexes: u64,
    /// Bytes of the indexes.
    pub index_bytes: u64,
}

/// What a running nation has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// Frames made durable by a sync.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Commits longer than a stall.
    pub stalls: u64,
    /// Reads and writes of sockets.
    pub calls: u64,
}

impl Done {
    /// What was done after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            commits: self.commits.saturating_sub(earlier.commits),
            records: self.records.saturating_sub(earlier.records),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            stalls: self.stalls.saturating_sub(earlier.stalls),
            calls: self.calls.saturating_sub(earlier.calls),
        }
    }
}

/// A nation that runs.
#[derive(Debug)]
pub struct Rig {
    dir: Scratch,
    roles: Vec<(RoleName, Child)>,
    banks_at: SocketAddr,
    terminals_at: Option<SocketAddr>,
    program: PathBuf,
    plain: bool,
}

/// A directory that is removed with this.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new directory below that one.
    pub fn new(below: &Path) -> Result<Self, RunError> {
        let path = below.join(format!("bongsu-bench-{}", std::process::id()));
        crate::layout::make_dir(&path)
            .map_err(|error| RunError::file("make the directory", &path, &error))?;
        let mut signals = stop_signals()?;
        let doomed = path.clone();
        std::thread::spawn(move || {
            // Ctrl-C: whatever runs here dies with this process, and nothing of it stays.
            if signals.read(&mut [0; 1]).is_ok_and(|count| count > 0) {
                let _ = std::fs::remove_dir_all(&doomed);
                std::process::exit(2);
            }
        });
        Ok(Self(path))
    }

    /// A directory in this one, which must outlive it.
    fn within(&self, name: &str) -> Result<Self, RunError> {
        let path = self.0.join(name);
        crate::layout::make_dir(&path)
            .map_err(|error| RunError::file("make the directory", &path, &error))?;
        Ok(Self(path))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it lies on, and whether that is a disk.
    pub fn medium(&self) -> (String, bool) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        medium(&mounts, &self.0.canonicalize().unwrap_or_else(|_| self.0.clone()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left for a person.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// File system and device of a path, from the text of `/proc/self/mountinfo`.
fn medium(mounts: &str, path: &Path) -> (String, bool) {
    let mut best: Option<(usize, String, bool)> = None;
    for line in mounts.lines() {
        let Some((head, tail)) = line.split_once(" - ") else { continue };
        let Some(point) = head.split(' ').nth(4) else { continue };
        let mut tail = tail.split(' ');
        let (Some(kind), Some(device)) = (tail.next(), tail.next()) else { continue };
        let nearer = best.as_ref().is_none_or(|(length, _, _)| point.len() >= *length);
        if path.starts_with(point) && nearer {
            let memory = matches!(kind, "tmpfs" | "ramfs");
            best = Some((point.len(), format!("{kind} on {device}"), !memory));
        }
    }
    best.map_or_else(|| ("an unknown file system".to_owned(), true), |(_, what, disk)| (what, disk))
}

impl Rig {
    /// Starts the nation and waits until it is ready.
    pub fn start(options: &RigOptions) -> Result<Self, RunError> {
        Self::start_in(Scratch::new(&options.scratch)?, options)
    }

    /// Another nation on the same disk, in this one's directory, and gone before it.
    pub fn start_beside(&self, options: &RigOptions) -> Result<Self, RunError> {
        Self::start_in(self.dir.within("beside")?, options)
    }

    fn start_in(dir: Scratch, options: &RigOptions) -> Result<Self, RunError> {
        let addresses = free_addresses()?;
        let text = configuration(options, &addresses);
        let config = dir.path().join(CONFIG);
        std::fs::write(&config, text)
            .map_err(|error| RunError::file("write the configuration", &config, &error))?;
        let mut rig = Self {
            dir,
            roles: Vec::new(),
            banks_at: addresses[1],
            terminals_at: options.station.then_some(addresses[4]),
            program: options.program.clone(),
            plain: options.plain,
        };
        rig.role(RoleName::Hub, &config)?;
        if options.station {
            rig.role(RoleName::Station(STATION.to_owned()), &config)?;
        }
        Ok(rig)
    }

    /// The directory.
    pub fn scratch(&self) -> &Scratch {
        &self.dir
    }

    fn role(&mut self, role: RoleName, config: &Path) -> Result<(), RunError> {
        let errors = self.dir.path().join(format!("{role}.err"));
        let file =
            File::create(&errors).map_err(|error| RunError::file("write to", &errors, &error))?;
        let mut child = Command::new(&self.program)
            .args(role.arguments())
            .arg("--dir")
            .arg(self.dir.path())
            .arg("--config")
            .arg(config)
            .env(SUPERVISOR, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|error| RunError::system(&format!("start {role}"), error))?;
        let stdout = child.stdout.take();
        self.roles.push((role.clone(), child));
        let Some(stdout) = stdout else { return Ok(()) };
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let until = Instant::now() + READY_WAIT;
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(error) = value.get("error") {
                return Err(serde_json::from_value(error.clone())
                    .unwrap_or_else(|_| RunError::system("start a role", line)));
            }
            if value.get("ready").is_some() {
                return Ok(());
            }
        }
        let log = std::fs::read_to_string(&errors).unwrap_or_default();
        let message = format!("{role} was not ready in time: {log}");
        Err(RunError::new(RunErrorKind::Child, message, role.to_string(), "see its words above"))
    }

    /// Ends the hub, starts it again, and says how long it took from the start of the process
    /// until it was ready.
    pub fn hub_again(&mut self, end: End) -> Result<Duration, RunError> {
        let Some(place) = self.roles.iter().position(|(role, _)| *role == RoleName::Hub) else {
            return Ok(Duration::ZERO);
        };
        let (role, mut child) = self.roles.remove(place);
        if end == End::Stopped {
            stop(&mut child);
        }
        drop(Ending(child));
        if end == End::KilledWithoutSnapshots {
            self.remove_snapshots(&role)
                .map_err(|error| RunError::system("take the snapshots away", error))?;
        }
        let began = Instant::now();
        self.role(role, &self.dir.path().join(CONFIG))?;
        Ok(began.elapsed())
    }

    fn remove_snapshots(&self, role: &RoleName) -> std::io::Result<()> {
        for file in std::fs::read_dir(Layout::new(self.dir.path()).journal(role))? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "snap") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Bytes of the hub's journal, and of the indexes beside it, in whole files.
    pub fn on_disk(&self) -> Result<OnDisk, RunError> {
        let journal = Layout::new(self.dir.path()).journal(&RoleName::Hub);
        let measure = || -> std::io::Result<OnDisk> {
            let mut found = OnDisk::default();
            for file in std::fs::read_dir(&journal)? {
                let file = file?;
                match file.path().extension().and_then(|extension| extension.to_str()) {
                    Some("seg") => found.segments += 1,
                    Some("idx") => {
                        found.indexes += 1;
                        found.index_bytes += file.metadata()?.len();
                    }
                    _ => {}
                }
            }
            Ok(found)
        };
        measure().map_err(|error| RunError::file("look into", &journal, &error))
    }

    /// What the hub's process holds of memory.
    pub fn memory(&self) -> Result<Memory, RunError> {
        self.memory_of(&RoleName::Hub)
    }

    /// What the station's process holds of memory.
    pub fn station_memory(&self) -> Result<Memory, RunError> {
        self.memory_of(&RoleName::Station(STATION.to_owned()))
    }

    fn memory_of(&self, wanted: &RoleName) -> Result<Memory, RunError> {
        let found = self.roles.iter().find(|(role, _)| role == wanted);
        let Some((_, child)) = found else { return Ok(Memory::default()) };
        let status = format!("/proc/{}/status", child.id());
        let text = std::fs::read_to_string(&status)
            .map_err(|error| RunError::file("read", Path::new(&status), &error))?;
        Ok(Memory { now: kib(&text, "VmRSS:") * 1024, most: kib(&text, "VmHWM:") * 1024 })
    }

    /// Processor time that the threads of the hub have taken, ns.
    pub fn processor_ns(&self) -> Result<u64, RunError> {
        let found = self.roles.iter().find(|(role, _)| *role == RoleName::Hub);
        let Some((_, child)) = found else { return Ok(0) };
        let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
        let add_up = || -> std::io::Result<u64> {
            let mut sum = 0;
            for task in std::fs::read_dir(&tasks)? {
                let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
                let spent = text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok());
                sum += spent.unwrap_or(0);
            }
            Ok(sum)
        };
        add_up().map_err(|error| RunError::file("look into", &tasks, &error))
    }

    /// Its processes stand still, and take nothing of the processor's time, for as long as this is
    /// held.
    pub fn hold(&self) -> Held<'_> {
        self.signal(Signal::STOP);
        Held(self)
    }

    fn signal(&self, signal: Signal) {
        for (_, child) in &self.roles {
            // One that has ended is past caring.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Asks the hub at its socket, as `bongsu` does, and gives its answer's body.
    pub fn ask(&self, path: &str) -> Result<Value, RunError> {
        let socket = Layout::new(self.dir.path()).socket(&RoleName::Hub);
        let (status, body) = client::get(&socket, path)?;
        let text = String::from_utf8_lossy(&body);
        if status != 200 {
            return Err(RunError::system(path, text));
        }
        serde_json::from_str(&text).map_err(|error| RunError::system(path, error))
    }

    /// Orders for a generator at this nation: half of the connections ask, half answer.
    pub fn orders(&self, connections: usize, depth: usize) -> Orders {
        let half = (connections / 2).max(1);
        Orders {
            banks_at: self.banks_at,
            terminals_at: self.terminals_at,
            keys: (!self.plain).then(|| Layout::new(self.dir.path()).keys()),
            retailer: RETAILER.to_owned(),
            banks: BANKS.map(|(id, iin)| Bank { id, iin: iin.to_owned() }).to_vec(),
            asking: half,
            answering: half,
            depth,
            first: 0,
            terminals: terminals_each(half),
            rate: None,
            warm_up_ms: 0,
            window_ms: 0,
            payments: None,
            currency: 408,
            // Asia/Pyongyang has no summer time.
            utc_offset_s: 9 * 3600,
        }
    }

    /// An attack on this nation's station, by a terminal that no generator plays.
    pub fn attack(&self) -> Option<Attack> {
        Some(Attack {
            station: self.terminals_at?,
            acquirer: BANKS[0].0,
            retailer: RETAILER.to_owned(),
            terminal: format!("BEN{TERMINALS:05}"),
            // Never the acquirer's own.
            iins: BANKS[1..].iter().map(|(_, iin)| (*iin).to_owned()).collect(),
            currency: 408,
            utc_offset_s: 9 * 3600,
            corpus: Vec::new(),
            frames_per_s: 1,
            storm: 0,
            silent: 0,
            floods: 0,
            idle: true,
        })
    }

    /// What the hub has done so far, by its own counters.
    pub fn done(&self) -> Result<Done, RunError> {
        let socket = Layout::new(self.dir.path()).socket(&RoleName::Hub);
        let (status, body) = client::get(&socket, "/metrics")?;
        let text = String::from_utf8_lossy(&body);
        if status != 200 {
            return Err(RunError::system("read the hub's counters", text));
        }
        let value = |name: &str| -> u64 {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(known, _)| *known == name).and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
        };
        Ok(Done {
            commits: value("bongsu_commits_total"),
            records: value("bongsu_commit_records_total"),
            bytes: value("bongsu_commit_bytes_total"),
            stalls: value("bongsu_commit_stalls_total"),
            calls: value("bongsu_reads_total") + value("bongsu_writes_total"),
        })
    }

    /// Runs a generator as a process of its own; `at` is told of `begin` and `end`.
    pub fn load(
        &self,
        orders: &Orders,
        mut at: impl FnMut(&str) -> Result<(), RunError>,
    ) -> Result<Measured, RunError> {
        let path = self.dir.path().join("orders.json");
        let text = serde_json::to_vec(orders).map_err(|e| RunError::system("write orders", e))?;
        std::fs::write(&path, text).map_err(|e| RunError::file("write orders", &path, &e))?;
        let errors = self.dir.path().join("generator.err");
        let file = File::create(&errors).map_err(|e| RunError::file("write to", &errors, &e))?;
        let child = Command::new(&self.program)
            .args(["bench", "generate"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|error| RunError::system("start the generator", error))?;
        let mut child = Ending(child);
        let mut measured = None;
        if let Some(stdout) = child.0.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                match line.as_str() {
                    "begin" | "end" => at(&line)?,
                    json => measured = serde_json::from_str(json).ok(),
                }
            }
        }
        let status = child.0.wait().map_err(|e| RunError::system("wait for the generator", e))?;
        measured.filter(|_| status.success()).ok_or_else(|| {
            let log = std::fs::read_to_string(&errors).unwrap_or_default();
            RunError::new(RunErrorKind::Child, log, "generator", "see its words above")
        })
    }
}

/// Terminals of each asking connection: together less than the five digits of their names count.
fn terminals_each(asking: usize) -> u64 {
    (TERMINALS / asking.max(1) as u64).clamp(1, 1024)
}

/// A nation that stands still.
#[derive(Debug)]
pub struct Held<'a>(&'a Rig);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// A child that does not outlive this.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // One that has ended is past caring.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // In turn, stations before the hub, so that nobody misses anybody.
        while let Some((_, mut child)) = self.roles.pop() {
            stop(&mut child);
            drop(Ending(child));
        }
    }
}

/// Asks a role to stop and waits until it has, a while at most.
fn stop(child: &mut Child) {
    let pid = Pid::from_child(child);
    // One that has ended is past caring.
    let _ = kill_process(pid, Signal::TERM);
    let until = Instant::now() + STOP_WAIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A number of KiB out of `/proc/PID/status`.
fn kib(status: &str, name: &str) -> u64 {
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
    lines.next().and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Addresses on this machine that nobody listens at now: trunk, banks, the hub's pages, the
/// station's, its terminals'.
fn free_addresses() -> Result<[SocketAddr; 5], RunError> {
    let failed = |error| RunError::system("find free ports", error);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?);
    }
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 5];
    for (place, listener) in addresses.iter_mut().zip(&held) {
        *place = listener.local_addr().map_err(failed)?;
    }
    Ok(addresses)
}

fn configuration(options: &RigOptions, addresses: &[SocketAddr; 5]) -> String {
    let [trunk, banks, http, pages, terminals] = addresses;
    let channels = if options.plain { "channels = \"plain\"\n" } else { "" };
    // As many as can be said.
    let snapshots = if options.no_snapshots { "snapshot_records = 10000000\n" } else { "" };
    let limits = if options.guarded {
        String::new()
    } else {
        format!(
            "[limits]\nin_flight = 65536\nroom_payments = {ROOM}\n\
             connection_payments_per_s = 100000\nconnection_messages_per_s = 100000\n\
             terminal_requests_per_s = 100000\n"
        )
    };
    let mut text = format!(
        "[nation]\nname = \"Bench\"\ncurrency = \"KPW\"\ncurrency_numeric = 408\n\
         currency_exponent = 2\nzone = \"Asia/Pyongyang\"\n\
         [security]\nprofile = \"demo\"\n{channels}\
         {limits}[journal]\n{snapshots}\
         [hub]\nhttp = \"{http}\"\nbanks = \"{banks}\"\ntrunk = \"{trunk}\"\n\
         [[station]]\nname = \"{STATION}\"\ncode = \"BE\"\nhttp = \"{pages}\"\n\
         acquirer = 100001\n\
         [[listener]]\nstation = \"{STATION}\"\naddress = \"{terminals}\"\n"
    );
    for (id, iin) in BANKS {
        text += &format!(
            "[[participant]]\nid = {id}\nname = \"Bank {id}\"\niins = [\"{iin}\"]\n\
             cap = \"9999999999.99\"\n[[link]]\nparticipant = {id}\n"
        );
    }
    if options.station {
        text += &format!(
            "[[terminal]]\nstation = \"{STATION}\"\nretailer = \"{RETAILER}\"\n\
             from = \"BEN00001\"\ncount = {TERMINALS}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_holds() {
        for station in [false, true] {
            let options = RigOptions {
                program: PathBuf::new(),
                scratch: PathBuf::new(),
                station,
                plain: true,
                no_snapshots: station,
                guarded: station,
            };
            let text = configuration(&options, &free_addresses().unwrap());
            let config = host::Config::parse(&text, "bench.toml").unwrap();
            assert_eq!(config.participants.len(), BANKS.len());
            assert_eq!(config.terminals.len(), if station { TERMINALS as usize } else { 0 });
        }
    }

    #[test]
    fn memory_is_read_by_its_name() {
        let status = "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t  1234 kB\nVmRSS:\t 7 kB\n";
        assert_eq!((kib(status, "VmHWM:"), kib(status, "VmRSS:")), (1234, 7));
        assert_eq!(kib(status, "VmSwap:"), 0);
    }

    #[test]
    fn the_medium_is_that_of_the_nearest_mount() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      30 22 0:26 / /dev/shm rw - tmpfs none rw\n\
                      31 22 0:27 / /devil rw - xfs /dev/vdb rw\n";
        let of = |path| medium(mounts, Path::new(path));
        assert_eq!(of("/tmp/a"), ("ext4 on /dev/vda".to_owned(), true));
        assert_eq!(of("/dev/shm/a"), ("tmpfs on none".to_owned(), false));
        assert_eq!(of("/devil/a"), ("xfs on /dev/vdb".to_owned(), true));
        assert_eq!(medium("", Path::new("/a")).0, "an unknown file system");
    }
}
