//! `bongsu bench ledger`: durable transfers per second of the embedded ledger, with many accounts
//! and with few, empty and with many transfers stored, and beside it of a TigerBeetle.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use journal::{NodeId, Options};
use ledger::limits::{BATCH_MAX, WINDOW_EMBEDDED};
use ledger::{Account, Embedded, Engine, Transfer, TransferStatus};
use node::bench::Histogram;
use node::bench::rig::Scratch;
use node::disk::FileDisk;
use node::ledger::IndexThread;
use scheme::Timestamp;
use serde_json::{Value, json};

use super::{ScratchArg, decimals, ms};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Transfers of one batch, and who submits batches at the same time.
const SHAPES: [(usize, usize); 8] =
    [(1, 1), (1, 16), (64, 1), (64, 16), (1_000, 1), (1_000, 16), (BATCH_MAX, 1), (BATCH_MAX, 16)];
/// Accounts between which money moves, as a rule, and where few of them are hot.
const ACCOUNTS: u64 = 1_000;
const HOT: u64 = 10;
/// Currency, and code, of every account and transfer.
const LEDGER: u32 = 408;
const CODE: u16 = 1;
/// Scatters ids: an odd number without a pattern.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Durable transfers per second of the ledger alone
///
/// Submitters hand over batches and wait until each is durable. One thread owns the embedded
/// ledger: batches that wait together become one frame with one sync; another beside it makes the
/// indexes of full segments. A TigerBeetle server is asked through one session of its own client,
/// which all submitters share and which packs what waits together into one request, and through a
/// session for each submitter. Engines take turns, row by row, each on an empty ledger; every
/// second run begins with the last row.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench ledger --format json

Prints with --format json:
  {\"rows\":[{\"engine\",\"sessions\",\"accounts\",\"batch\",\"submitters\",\"transfers_per_s\",
    \"p50_ms\",\"p99_ms\",\"max_ms\",\"frames\",\"stored\",\"memory_mib\",\"restart_ms\",
    \"of_many_accounts\",\"of_empty\",\"of_tigerbeetle\",\"of_tigerbeetle_sessions\"}],\"disk\"}")]
pub(crate) struct LedgerBench {
    /// Only batches of so many transfers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=8189))]
    batch: Option<u64>,
    /// Only so many submitters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    submitters: Option<u64>,
    /// Measure the embedded ledger also with so many transfers in it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    stored: Option<u64>,
    /// Transfer ids: growing with time, or scattered over all of them
    #[arg(long, value_name = "HOW", default_value = "growing")]
    ids: Ids,
    /// Seconds of each row
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Times that each row is measured; the median is shown
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=50))]
    runs: u64,
    /// Measure this TigerBeetle server beside it, one replica (a build with its engine only)
    #[arg(long, value_name = "PROGRAM")]
    tigerbeetle: Option<PathBuf>,
    #[command(flatten)]
    scratch: ScratchArg,
    #[command(flatten)]
    format: FormatArg,
}

/// One batch on its way to the ledger, and who waits for it.
struct Order {
    events: Vec<Transfer>,
    since: Instant,
    done: Sender<()>,
}

/// How transfers are numbered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Ids {
    Growing,
    Scattered,
}

/// Who is measured, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Setting {
    engine: &'static str,
    /// Sessions of the submitters with a server; none with the embedded ledger.
    sessions: usize,
    accounts: u64,
    batch: usize,
    submitters: usize,
    stored: u64,
    ids: Ids,
}

/// What was seen of it.
struct Row {
    setting: Setting,
    transfers: u64,
    time: Duration,
    times: Histogram,
    /// Syncs of the embedded ledger; what a server does is not seen.
    frames: Option<u64>,
    /// Resident memory of this process, bytes, and how long the ledger took to be opened again.
    memory: Option<u64>,
    restart: Option<Duration>,
}

const EMBEDDED: &str = "embedded";
const TIGERBEETLE: &str = "tigerbeetle";

impl LedgerBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        if self.tigerbeetle.is_some() && !cfg!(feature = "tigerbeetle") {
            return Err(Failure::new(
                "usage",
                "this program is built without TigerBeetle's engine",
            )
            .at("--tigerbeetle")
            .todo("build it as `cargo xtask tigerbeetle` says"));
        }
        let scratch = Scratch::new(&self.scratch.dir())?;
        let mut rows = Vec::new();
        for (batch, submitters) in self.shapes() {
            rows.extend(self.measure(&scratch, batch, submitters)?);
        }
        match self.format.format {
            Format::Json => {
                let said: Vec<Value> = rows.iter().map(|row| row.json(&rows)).collect();
                output::json(&json!({ "rows": said, "disk": scratch.medium().0 }))?;
            }
            Format::Text => output::text(&page(&rows, &scratch.medium().0))?,
        }
        Ok(Exit::Fine)
    }

    fn shapes(&self) -> Vec<(usize, usize)> {
        let shapes = match self.batch.and_then(|batch| usize::try_from(batch).ok()) {
            Some(batch) => vec![(batch, 1), (batch, 16)],
            None => SHAPES.to_vec(),
        };
        let Some(submitters) = self.submitters.and_then(|n| usize::try_from(n).ok()) else {
            return shapes;
        };
        let mut shapes: Vec<(usize, usize)> =
            shapes.into_iter().map(|(batch, _)| (batch, submitters)).collect();
        shapes.dedup();
        shapes
    }

    /// What is measured of one shape.
    fn settings(&self, batch: usize, submitters: usize) -> Vec<Setting> {
        let ids = self.ids;
        let of = |accounts, stored| {
            let engine = EMBEDDED;
            Setting { engine, sessions: 0, accounts, batch, submitters, stored, ids }
        };
        let mut settings = vec![of(ACCOUNTS, 0), of(HOT, 0)];
        settings.extend(self.stored.map(|stored| of(ACCOUNTS, stored)));
        if self.tigerbeetle.is_some() {
            let with =
                |sessions, accounts| Setting { engine: TIGERBEETLE, sessions, ..of(accounts, 0) };
            settings.extend([with(1, ACCOUNTS), with(1, HOT)]);
            settings.extend((submitters > 1).then(|| with(submitters, ACCOUNTS)));
        }
        settings
    }

    /// The rows of one shape: every engine in turn, as often as asked, and the median of each.
    fn measure(
        &self,
        scratch: &Scratch,
        batch: usize,
        submitters: usize,
    ) -> Result<Vec<Row>, Failure> {
        let settings = self.settings(batch, submitters);
        let mut runs: Vec<Vec<Row>> = settings.iter().map(|_| Vec::new()).collect();
        for run in 0..self.runs {
            let mut turns: Vec<_> = settings.iter().zip(&mut runs).enumerate().collect();
            if run % 2 == 1 {
                // What a row leaves to the disk is not always the next one's to bear.
                turns.reverse();
            }
            for (place, (setting, runs)) in turns {
                let folder = scratch.path().join(format!("{place}-{batch}-{submitters}-{run}"));
                let time = Duration::from_secs(self.seconds);
                runs.push(match &self.tigerbeetle {
                    Some(program) if setting.engine == TIGERBEETLE => {
                        tigerbeetle(program, &folder, *setting, time)?
                    }
                    Some(_) | None => embedded(&folder, *setting, time)?,
                });
                // Gigabytes, which the next ones would share the disk with.
                let removed = std::fs::remove_dir_all(&folder);
                removed.or_else(absent).map_err(|error| failed(&error.to_string()))?;
            }
        }
        Ok(runs.into_iter().filter_map(median).collect())
    }
}

/// A folder that is not there any more need not be removed.
fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The run in the middle.
fn median(mut runs: Vec<Row>) -> Option<Row> {
    runs.sort_by(|a, b| a.per_s().total_cmp(&b.per_s()));
    let middle = runs.len() / 2;
    runs.into_iter().nth(middle)
}

impl Row {
    fn of(setting: Setting) -> Self {
        Self {
            setting,
            transfers: 0,
            time: Duration::ZERO,
            times: Histogram::default(),
            frames: None,
            memory: None,
            restart: None,
        }
    }

    /// A batch was durable.
    fn took(&mut self, since: Instant, transfers: usize) {
        self.transfers += transfers as u64;
        self.times.add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    fn per_s(&self) -> f64 {
        self.transfers as f64 / self.time.as_secs_f64()
    }

    /// How many times as many transfers as the row that is the same but for `change`.
    fn times(&self, rows: &[Row], change: impl Fn(&mut Setting)) -> Option<f64> {
        let mut setting = self.setting;
        change(&mut setting);
        let other = rows.iter().find(|row| row.setting == setting)?;
        (setting != self.setting).then(|| decimals(self.per_s() / other.per_s(), 2))
    }

    fn of_many_accounts(&self, rows: &[Row]) -> Option<f64> {
        self.times(rows, |setting| setting.accounts = ACCOUNTS)
    }

    fn of_empty(&self, rows: &[Row]) -> Option<f64> {
        self.times(rows, |setting| setting.stored = 0)
    }

    /// Through one session that all submitters share, or one for each.
    fn of_tigerbeetle(&self, rows: &[Row], sessions: usize) -> Option<f64> {
        let server = |setting: &mut Setting| {
            (setting.engine, setting.sessions) = (TIGERBEETLE, sessions);
        };
        let is_ours = self.setting.engine == EMBEDDED;
        self.times(rows, server).filter(|_| is_ours)
    }

    fn json(&self, rows: &[Row]) -> Value {
        json!({
            "engine": self.setting.engine,
            "sessions": self.setting.sessions,
            "accounts": self.setting.accounts,
            "batch": self.setting.batch,
            "submitters": self.setting.submitters,
            "transfers_per_s": decimals(self.per_s(), 0),
            "p50_ms": ms(self.times.per_mille(500)),
            "p99_ms": ms(self.times.per_mille(990)),
            "max_ms": ms(self.times.max()),
            "frames": self.frames,
            "stored": self.setting.stored,
            "memory_mib": self.memory.map(|bytes| bytes >> 20),
            "restart_ms": self.restart.map(|time| decimals(time.as_secs_f64() * 1e3, 0)),
            "of_many_accounts": self.of_many_accounts(rows),
            "of_empty": self.of_empty(rows),
            "of_tigerbeetle": self.of_tigerbeetle(rows, 1),
            "of_tigerbeetle_sessions": self.of_tigerbeetle(rows, self.setting.submitters),
        })
    }
}

fn page(rows: &[Row], medium: &str) -> String {
    let head = [
        "batch",
        "submitters",
        "engine",
        "sessions",
        "accounts",
        "stored",
        "transfers/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "frames",
        "MiB",
        "restart ms",
        "x many accounts",
        "x empty",
        "x tigerbeetle",
        "x its sessions",
    ];
    let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        vec![
            row.setting.batch.to_string(),
            row.setting.submitters.to_string(),
            row.setting.engine.to_owned(),
            number(Some(row.setting.sessions as u64).filter(|sessions| *sessions > 0)),
            row.setting.accounts.to_string(),
            row.setting.stored.to_string(),
            format!("{:.0}", row.per_s()),
            ms(row.times.per_mille(500)).to_string(),
            ms(row.times.per_mille(990)).to_string(),
            ms(row.times.max()).to_string(),
            number(row.frames),
            number(row.memory.map(|bytes| bytes >> 20)),
            row.restart.map_or(String::new(), |time| format!("{:.0}", time.as_secs_f64() * 1e3)),
            ratio(row.of_many_accounts(rows)),
            ratio(row.of_empty(rows)),
            ratio(row.of_tigerbeetle(rows, 1)),
            ratio(row.of_tigerbeetle(rows, row.setting.submitters)),
        ]
    }));
    format!(
        "method: each submitter waits until its batch is durable, on {medium}. Embedded: one \
         thread makes one frame, with one sync, of all batches that wait, {BATCH_MAX} transfers at \
         most; another makes indexes. TigerBeetle: one replica with its own defaults, direct \
         access to the same disk, one session of its own client, which all submitters share and \
         which packs as many, or a session for each of them. Each row begins with an empty \
         ledger, or one with so many transfers stored. Times are of whole batches. MiB is of this \
         process; restart is the embedded ledger opened again after it was left as by a kill. x \
         is how many times the transfers/s of the same row with {ACCOUNTS} accounts, with nothing \
         stored, of TigerBeetle through one session, through one for each submitter\n\n{}",
        output::columns(&cells, &[0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
    )
}

/// Measures an embedded ledger in a new directory.
fn embedded(folder: &Path, setting: Setting, wanted: Duration) -> Result<Row, Failure> {
    let disk = FileDisk::open(folder).map_err(|error| failed(&error.to_string()))?;
    let open = |disk| {
        let node = NodeId::from_name("bench").unwrap_or_default();
        let beside = FileDisk::open(folder).and_then(IndexThread::spawn);
        let beside = beside.map_err(|error| failed(&error.to_string()))?;
        let options = Options::new(node);
        let opened = Embedded::open_with(disk, options, WINDOW_EMBEDDED, beside, now());
        opened.map(|(ledger, _)| ledger).map_err(|error| failed(&error.to_string()))
    };
    let mut ledger = open(disk)?;
    let numbers = Numbers::new(setting.ids);
    prepare(&mut ledger, setting, &numbers)?;
    let mut row = measure(&mut ledger, setting, &numbers, wanted)?;
    row.memory = resident();
    let disk = ledger.into_disk();
    let since = Instant::now();
    drop(open(disk)?);
    row.restart = Some(since.elapsed());
    Ok(row)
}

/// Resident memory of this process, bytes, where the system says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Measures a new cluster of one replica: submitters ask it themselves.
#[cfg(feature = "tigerbeetle")]
fn tigerbeetle(
    program: &Path,
    folder: &Path,
    setting: Setting,
    wanted: Duration,
) -> Result<Row, Failure> {
    use ledger_tigerbeetle::{Memory, Server, TigerBeetle};

    let server =
        Server::start(program, folder, Memory::Much).map_err(|error| failed(&error.to_string()))?;
    let connect = || TigerBeetle::connect(0, server.address());
    let sessions: Result<Vec<_>, _> = (0..setting.sessions.max(1)).map(|_| connect()).collect();
    let mut sessions = sessions.map_err(|error| failed(&error.to_string()))?;
    let numbers = Numbers::new(setting.ids);
    if let Some(engine) = sessions.first_mut() {
        prepare(engine, setting, &numbers)?;
    }
    let numbers = &numbers;
    let began = Instant::now();
    let rows: Result<Vec<Row>, Failure> = std::thread::scope(|scope| {
        let submitter = move |engine: &TigerBeetle| {
            let mut row = Row::of(setting);
            while began.elapsed() < wanted {
                let events = batch(setting, numbers);
                let since = Instant::now();
                let statuses = engine.create_transfers(&events);
                accepted(&statuses.map_err(|error| failed(&error.to_string()))?)?;
                row.took(since, events.len());
            }
            row.time = began.elapsed();
            Ok(row)
        };
        let engines = sessions.iter().cycle().take(setting.submitters);
        let asking: Vec<_> = engines.map(|engine| scope.spawn(move || submitter(engine))).collect();
        let ended = asking.into_iter().map(|thread| thread.join());
        ended.map(|row| row.unwrap_or_else(|_| Err(failed("a submitter panicked")))).collect()
    });
    let mut all = Row::of(setting);
    for row in rows? {
        all.transfers += row.transfers;
        all.time = all.time.max(row.time);
        all.times.merge(&row.times);
    }
    Ok(all)
}

/// `run` has said that this build can't.
#[cfg(not(feature = "tigerbeetle"))]
fn tigerbeetle(_: &Path, _: &Path, _: Setting, _: Duration) -> Result<Row, Failure> {
    Err(failed("this program is built without TigerBeetle's engine"))
}

/// The numbers of batches, which ids are made of.
struct Numbers {
    next: AtomicU64,
    ids: Ids,
}

impl Numbers {
    fn new(ids: Ids) -> Self {
        Self { next: AtomicU64::new(1), ids }
    }

    /// The ids of the next batch.
    fn batch(&self) -> impl Iterator<Item = u128> + use<> {
        let number = u128::from(self.next.fetch_add(1, Ordering::Relaxed));
        let ids = self.ids;
        (1..).map(move |place| match ids {
            // As ids of payments, and those that TigerBeetle asks for: later ones are higher.
            Ids::Growing => number << 64 | place,
            // An odd factor: no two are alike.
            Ids::Scattered => (number << 14 | place).wrapping_mul(SPREAD),
        })
    }
}

/// The accounts of a setting, and the transfers that are to be stored before it.
fn prepare<E: Engine>(ledger: &mut E, setting: Setting, numbers: &Numbers) -> Result<(), Failure> {
    let accounts: Vec<Account> = (1..=u128::from(setting.accounts))
        .map(|id| Account { id, ledger: LEDGER, code: CODE, ..Account::default() })
        .collect();
    let created = ledger.create_accounts(now(), &accounts, &mut Vec::new());
    created.map_err(|error| failed(&error.to_string()))?;
    let whole = Setting { batch: BATCH_MAX, ..setting };
    let mut statuses = Vec::new();
    for _ in 0..setting.stored.div_ceil(BATCH_MAX as u64) {
        let stored = ledger.create_transfers(now(), &batch(whole, numbers), &mut statuses);
        stored.map_err(|error| failed(&error.to_string()))?;
        accepted(&statuses)?;
    }
    Ok(())
}

fn accepted(statuses: &[TransferStatus]) -> Result<(), Failure> {
    match statuses.iter().find(|status| !status.is_ok()) {
        Some(refused) => Err(failed(&format!("a transfer was refused: {refused}"))),
        None => Ok(()),
    }
}

/// Measures one setting.
fn measure<E: Engine + Send>(
    ledger: &mut E,
    setting: Setting,
    numbers: &Numbers,
    wanted: Duration,
) -> Result<Row, Failure> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (orders, waiting) = channel();
        for _ in 0..setting.submitters {
            let (orders, over) = (orders.clone(), &over);
            scope.spawn(move || submit(setting, numbers, &orders, over));
        }
        drop(orders);
        let row = serve(ledger, setting, &waiting, wanted);
        over.store(true, Ordering::Relaxed);
        drop(waiting);
        row
    })
}

/// Hands over batch after batch, each once the one before is durable.
fn submit(setting: Setting, numbers: &Numbers, orders: &Sender<Order>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let events = batch(setting, numbers);
        // An order that is dropped without an answer ends its channel, and with it the wait.
        let (done, answer) = channel();
        if orders.send(Order { events, since: Instant::now(), done }).is_err() {
            return;
        }
        if answer.recv().is_err() {
            return;
        }
    }
}

/// The next batch.
fn batch(setting: Setting, numbers: &Numbers) -> Vec<Transfer> {
    let ids = numbers.batch().take(setting.batch);
    ids.enumerate().map(|(place, id)| transfer(setting.accounts, id, place as u64)).collect()
}

fn transfer(accounts: u64, id: u128, place: u64) -> Transfer {
    // One of the accounts; never the same for a number and seven of it and one, as there is an
    // even number of them.
    let number = ((id >> 64) as u64).wrapping_mul(BATCH_MAX as u64).wrapping_add(place);
    let account = |number: u64| u128::from(1 + number % accounts);
    Transfer {
        id,
        debit_account_id: account(number),
        credit_account_id: account(number.wrapping_mul(7).wrapping_add(1)),
        amount: 100,
        ledger: LEDGER,
        code: CODE,
        ..Transfer::default()
    }
}

/// The ledger's own thread: what waits together becomes one batch.
fn serve<E: Engine>(
    ledger: &mut E,
    setting: Setting,
    waiting: &Receiver<Order>,
    wanted: Duration,
) -> Result<Row, Failure> {
    let mut row = Row::of(setting);
    let (mut events, mut orders): (Vec<Transfer>, Vec<Order>) = Default::default();
    let mut statuses: Vec<TransferStatus> = Vec::new();
    let mut left_over: Option<Order> = None;
    let began = Instant::now();
    while row.time < wanted {
        events.clear();
        let Some(first) = left_over.take().or_else(|| waiting.recv().ok()) else { break };
        events.extend_from_slice(&first.events);
        orders.push(first);
        while let Ok(order) = waiting.try_recv() {
            if events.len() + order.events.len() > BATCH_MAX {
                left_over = Some(order);
                break;
            }
            events.extend_from_slice(&order.events);
            orders.push(order);
        }
        let durable = ledger.create_transfers(now(), &events, &mut statuses);
        durable.map_err(|error| failed(&error.to_string()))?;
        accepted(&statuses)?;
        row.frames = row.frames.map(|frames| frames + 1).or(Some(1));
        for order in orders.drain(..) {
            row.took(order.since, order.events.len());
            // A submitter that has stopped needs no answer.
            let _ = order.done.send(());
        }
        row.time = began.elapsed();
    }
    Ok(row)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn failed(what: &str) -> Failure {
    Failure::new("ledger", what.to_owned())
}
