//! `bongsu bench ledger`: durable transfers per second of the embedded ledger.

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
const ROWS: [(usize, usize); 8] =
    [(1, 1), (1, 16), (64, 1), (64, 16), (1_000, 1), (1_000, 16), (BATCH_MAX, 1), (BATCH_MAX, 16)];
/// Accounts between which money moves.
const ACCOUNTS: u64 = 1_000;
/// Currency, and code, of every account and transfer.
const LEDGER: u32 = 408;
const CODE: u16 = 1;

/// Durable transfers per second of the ledger alone
///
/// One thread owns the ledger; submitters hand it batches and wait until each is durable. Batches
/// that wait together become one frame with one sync.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench ledger --format json

Prints with --format json:
  {\"rows\":[{\"engine\",\"batch\",\"submitters\",\"transfers_per_s\",\"p50_ms\",\"p99_ms\"}]}")]
pub(crate) struct LedgerBench {
    /// Only batches of so many transfers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=8189))]
    batch: Option<u64>,
    /// Seconds of each row
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
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

/// What was seen of one row.
struct Row {
    batch: usize,
    submitters: usize,
    transfers: u64,
    time: Duration,
    times: Histogram,
    frames: u64,
}

impl LedgerBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let scratch = Scratch::new(&self.scratch.dir())?;
        let wanted = self.batch.and_then(|batch| usize::try_from(batch).ok());
        let mut shapes: Vec<_> = ROWS.to_vec();
        if let Some(wanted) = wanted {
            shapes = vec![(wanted, 1), (wanted, 16)];
        }
        let mut rows = Vec::new();
        for (place, (batch, submitters)) in shapes.into_iter().enumerate() {
            let disk = FileDisk::open(&scratch.path().join(place.to_string()))
                .map_err(|error| failed(&error.to_string()))?;
            let row = measure(disk, batch, submitters, Duration::from_secs(self.seconds))?;
            rows.push(row);
        }
        match self.format.format {
            Format::Json => {
                let rows: Vec<Value> = rows.iter().map(Row::json).collect();
                output::json(&json!({ "rows": rows, "disk": scratch.medium().0 }))?;
            }
            Format::Text => output::text(&page(&rows, &scratch.medium().0))?,
        }
        Ok(Exit::Fine)
    }
}

impl Row {
    fn per_s(&self) -> f64 {
        self.transfers as f64 / self.time.as_secs_f64()
    }

    fn json(&self) -> Value {
        json!({
            "engine": "embedded",
            "batch": self.batch,
            "submitters": self.submitters,
            "transfers_per_s": decimals(self.per_s(), 0),
            "p50_ms": ms(self.times.per_mille(500)),
            "p99_ms": ms(self.times.per_mille(990)),
            "max_ms": ms(self.times.max()),
            "frames": self.frames,
        })
    }
}

fn page(rows: &[Row], medium: &str) -> String {
    let head = ["batch", "submitters", "transfers/s", "p50 ms", "p99 ms", "max ms", "frames"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        vec![
            row.batch.to_string(),
            row.submitters.to_string(),
            format!("{:.0}", row.per_s()),
            ms(row.times.per_mille(500)).to_string(),
            ms(row.times.per_mille(990)).to_string(),
            ms(row.times.max()).to_string(),
            row.frames.to_string(),
        ]
    }));
    format!(
        "method: embedded ledger, {ACCOUNTS} accounts, journal on {medium}; every transfer durable \
         before its answer; times are of whole batches\n\n{}",
        output::columns(&cells, &[0, 1, 2, 3, 4, 5, 6])
    )
}

/// Runs one row on an empty ledger.
fn measure(
    disk: FileDisk,
    batch: usize,
    submitters: usize,
    wanted: Duration,
) -> Result<Row, Failure> {
    let node = NodeId::from_name("bench").unwrap_or_default();
    let (mut ledger, _) = Embedded::open(disk, Options::new(node), now())
        .map_err(|error| failed(&error.to_string()))?;
    let accounts: Vec<Account> = (1..=u128::from(ACCOUNTS))
        .map(|id| Account { id, ledger: LEDGER, code: CODE, ..Account::default() })
        .collect();
    let created = ledger.create_accounts(now(), &accounts, &mut Vec::new());
    created.map_err(|error| failed(&error.to_string()))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (orders, waiting) = channel();
        for submitter in 0..submitters {
            let (orders, over) = (orders.clone(), &over);
            scope.spawn(move || submit(submitter, batch, &orders, over));
        }
        drop(orders);
        let row = serve(&mut ledger, &waiting, wanted);
        over.store(true, Ordering::Relaxed);
        drop(waiting);
        let mut row = row?;
        row.batch = batch;
        row.submitters = submitters;
        Ok(row)
    })
}

/// Hands over batch after batch, each once the one before is durable.
fn submit(submitter: usize, batch: usize, orders: &Sender<Order>, over: &AtomicBool) {
    let mut events = Vec::with_capacity(batch);
    let mut next = (submitter as u128) << 64;
    while !over.load(Ordering::Relaxed) {
        events.clear();
        events.extend((0..batch as u128).map(|place| transfer(next + place + 1)));
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

fn transfer(id: u128) -> Transfer {
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

/// One of the accounts; never the same for a number and seven of it and one.
fn account(number: u64) -> u128 {
    u128::from(1 + number % ACCOUNTS)
}

/// The ledger's own thread: what waits together becomes one batch.
fn serve(
    ledger: &mut Embedded<FileDisk>,
    waiting: &Receiver<Order>,
    wanted: Duration,
) -> Result<Row, Failure> {
    let mut row = Row {
        batch: 0,
        submitters: 0,
        transfers: 0,
        time: Duration::ZERO,
        times: Histogram::default(),
        frames: 0,
    };
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
