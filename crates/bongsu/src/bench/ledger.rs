//! `bongsu bench ledger`: durable transfers per second of the embedded ledger, with many accounts
//! and with few, and beside it of a TigerBeetle.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use journal::{NodeId, Options};
use ledger::limits::BATCH_MAX;
use ledger::{Account, Embedded, Engine, Transfer, TransferStatus};
use node::bench::Histogram;
use node::bench::rig::Scratch;
use node::disk::FileDisk;
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

/// Durable transfers per second of the ledger alone
///
/// One thread owns the ledger; submitters hand it batches and wait until each is durable. Batches
/// that wait together become one frame with one sync. Engines take turns, row by row, each on an
/// empty ledger.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench ledger --format json

Prints with --format json:
  {\"rows\":[{\"engine\",\"accounts\",\"batch\",\"submitters\",\"transfers_per_s\",\"p50_ms\",
    \"p99_ms\",\"of_many_accounts\",\"of_tigerbeetle\"}]}")]
pub(crate) struct LedgerBench {
    /// Only batches of so many transfers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=8189))]
    batch: Option<u64>,
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
    done: Sender<Vec<Transfer>>,
}

/// Who is measured, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Setting {
    engine: &'static str,
    accounts: u64,
    batch: usize,
    submitters: usize,
}

/// What was seen of it.
struct Row {
    setting: Setting,
    transfers: u64,
    time: Duration,
    times: Histogram,
    frames: u64,
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
        match self.batch.and_then(|batch| usize::try_from(batch).ok()) {
            Some(batch) => vec![(batch, 1), (batch, 16)],
            None => SHAPES.to_vec(),
        }
    }

    /// The rows of one shape: every engine in turn, as often as asked, and the median of each.
    fn measure(
        &self,
        scratch: &Scratch,
        batch: usize,
        submitters: usize,
    ) -> Result<Vec<Row>, Failure> {
        let setting = |engine, accounts| Setting { engine, accounts, batch, submitters };
        let mut settings = vec![setting(EMBEDDED, ACCOUNTS), setting(EMBEDDED, HOT)];
        if self.tigerbeetle.is_some() {
            settings.extend([setting(TIGERBEETLE, ACCOUNTS), setting(TIGERBEETLE, HOT)]);
        }
        let mut runs: Vec<Vec<Row>> = settings.iter().map(|_| Vec::new()).collect();
        for run in 0..self.runs {
            for (setting, runs) in settings.iter().zip(&mut runs) {
                let folder =
                    format!("{}-{}-{batch}-{submitters}-{run}", setting.engine, setting.accounts);
                let folder = scratch.path().join(folder);
                let time = Duration::from_secs(self.seconds);
                runs.push(match &self.tigerbeetle {
                    Some(program) if setting.engine == TIGERBEETLE => {
                        tigerbeetle(program, &folder, *setting, time)?
                    }
                    Some(_) | None => embedded(&folder, *setting, time)?,
                });
            }
        }
        Ok(runs.into_iter().filter_map(median).collect())
    }
}

/// The run in the middle.
fn median(mut runs: Vec<Row>) -> Option<Row> {
    runs.sort_by(|a, b| a.per_s().total_cmp(&b.per_s()));
    let middle = runs.len() / 2;
    runs.into_iter().nth(middle)
}

impl Row {
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

    fn of_tigerbeetle(&self, rows: &[Row]) -> Option<f64> {
        self.times(rows, |setting| setting.engine = TIGERBEETLE)
    }

    fn json(&self, rows: &[Row]) -> Value {
        json!({
            "engine": self.setting.engine,
            "accounts": self.setting.accounts,
            "batch": self.setting.batch,
            "submitters": self.setting.submitters,
            "transfers_per_s": decimals(self.per_s(), 0),
            "p50_ms": ms(self.times.per_mille(500)),
            "p99_ms": ms(self.times.per_mille(990)),
            "max_ms": ms(self.times.max()),
            "frames": self.frames,
            "of_many_accounts": self.of_many_accounts(rows),
            "of_tigerbeetle": self.of_tigerbeetle(rows),
        })
    }
}

fn page(rows: &[Row], medium: &str) -> String {
    let head = [
        "batch",
        "submitters",
        "engine",
        "accounts",
        "transfers/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "frames",
        "x many accounts",
        "x tigerbeetle",
    ];
    let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        vec![
            row.setting.batch.to_string(),
            row.setting.submitters.to_string(),
            row.setting.engine.to_owned(),
            row.setting.accounts.to_string(),
            format!("{:.0}", row.per_s()),
            ms(row.times.per_mille(500)).to_string(),
            ms(row.times.per_mille(990)).to_string(),
            ms(row.times.max()).to_string(),
            row.frames.to_string(),
            ratio(row.of_many_accounts(rows)),
            ratio(row.of_tigerbeetle(rows)),
        ]
    }));
    format!(
        "method: one thread owns the ledger, which begins each row empty, on {medium}; every \
         transfer durable before its answer; times are of whole batches; x is how many times the \
         transfers/s of the same row with {ACCOUNTS} accounts, of TigerBeetle\n\n{}",
        output::columns(&cells, &[0, 1, 3, 4, 5, 6, 7, 8, 9, 10])
    )
}

/// Measures an embedded ledger in a new directory.
fn embedded(folder: &Path, setting: Setting, wanted: Duration) -> Result<Row, Failure> {
    let disk = FileDisk::open(folder).map_err(|error| failed(&error.to_string()))?;
    let node = NodeId::from_name("bench").unwrap_or_default();
    let (mut ledger, _) = Embedded::open(disk, Options::new(node), now())
        .map_err(|error| failed(&error.to_string()))?;
    measure(&mut ledger, setting, wanted)
}

/// Measures a new cluster of one replica.
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
    let mut engine =
        TigerBeetle::connect(0, server.address()).map_err(|error| failed(&error.to_string()))?;
    measure(&mut engine, setting, wanted)
}

/// `run` has said that this build can't.
#[cfg(not(feature = "tigerbeetle"))]
fn tigerbeetle(_: &Path, _: &Path, _: Setting, _: Duration) -> Result<Row, Failure> {
    Err(failed("this program is built without TigerBeetle's engine"))
}

/// Measures one setting on an empty ledger.
fn measure<E: Engine + Send>(
    ledger: &mut E,
    setting: Setting,
    wanted: Duration,
) -> Result<Row, Failure> {
    let accounts: Vec<Account> = (1..=u128::from(setting.accounts))
        .map(|id| Account { id, ledger: LEDGER, code: CODE, ..Account::default() })
        .collect();
    let created = ledger.create_accounts(now(), &accounts, &mut Vec::new());
    created.map_err(|error| failed(&error.to_string()))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (orders, waiting) = channel();
        for submitter in 0..setting.submitters {
            let (orders, over) = (orders.clone(), &over);
            scope.spawn(move || submit(submitter, setting, &orders, over));
        }
        drop(orders);
        let row = serve(ledger, setting, &waiting, wanted);
        over.store(true, Ordering::Relaxed);
        drop(waiting);
        row
    })
}

/// Hands over batch after batch, each once the one before is durable.
fn submit(submitter: usize, setting: Setting, orders: &Sender<Order>, over: &AtomicBool) {
    let Setting { accounts, batch, .. } = setting;
    let mut events = Vec::with_capacity(batch);
    let mut next = (submitter as u128) << 64;
    while !over.load(Ordering::Relaxed) {
        events.clear();
        events.extend((0..batch as u128).map(|place| transfer(accounts, next + place + 1)));
        next += batch as u128;
        // An order that is dropped without an answer ends its channel, and with it the wait.
        let (done, answer) = channel();
        if orders.send(Order { events, since: Instant::now(), done }).is_err() {
            return;
        }
        match answer.recv() {
            Ok(back) => events = back,
            Err(_) => return,
        }
    }
}

fn transfer(accounts: u64, id: u128) -> Transfer {
    // One of the accounts; never the same for a number and seven of it and one, as there is an
    // even number of them.
    let account = |number: u64| u128::from(1 + number % accounts);
    Transfer {
        id,
        debit_account_id: account(id as u64),
        credit_account_id: account(id as u64 * 7 + 1),
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
    let mut row =
        Row { setting, transfers: 0, time: Duration::ZERO, times: Histogram::default(), frames: 0 };
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
        if let Some(refused) = statuses.iter().find(|status| !status.is_ok()) {
            return Err(failed(&format!("a transfer was refused: {refused}")));
        }
        row.frames += 1;
        row.transfers += events.len() as u64;
        for order in orders.drain(..) {
            row.times.add(u64::try_from(order.since.elapsed().as_nanos()).unwrap_or(u64::MAX));
            // A submitter that has stopped needs no answer.
            let _ = order.done.send(order.events);
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
