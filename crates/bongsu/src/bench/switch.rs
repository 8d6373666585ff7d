//! `bongsu bench switch`: payments per second through a hub, or a station and its hub.

use std::io::stdout;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use node::bench::rig::{Done, Rig, RigOptions};
use node::bench::{Measured, Orders, STALL_MS, generate};
use serde_json::{Value, json};

use super::{ScratchArg, decimals, ms};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Seconds before anything is counted.
const WARM_UP_S: u64 = 1;
/// Runs with a stall that are done again, for each run that was asked for.
const AGAIN_MAX: u64 = 3;

/// Which doors payments come through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum At {
    /// Banks' hosts ask at the hub.
    Hub,
    /// Terminals ask at a station.
    Station,
}

impl At {
    fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Station => "station",
        }
    }
}

/// Payments per second of a hub, or of a station and its hub, over TCP
///
/// Starts the roles as processes of their own on free ports and a temporary directory, and one
/// more process that plays all banks and terminals on the same cores. Every payment is a purchase
/// between two banks: 0200, hold durable, 0200 to the issuer, 0210, post durable, 0210. Every
/// answer is checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench switch --at hub
  bongsu bench switch --at hub --plain --rate 10000 --seconds 10

Prints with --format json:
  {\"payments_per_s\",\"p50_ms\",\"p99_ms\",\"p999_ms\",\"max_ms\",\"connections\",\"depth\",\
\"seconds\",\"durable\",\"frames\",\"topology\",\"tls\",\"mac\",\"stalls\",\"declined\",\
\"errors\"}")]
pub(crate) struct SwitchBench {
    /// Where payments come in
    #[arg(long, value_enum, default_value_t = At::Hub)]
    at: At,
    /// Links without TLS and MAC
    #[arg(long)]
    plain: bool,
    /// Payments/s at even distances, times taken from when each was to be sent; by default as fast
    /// as answers come
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// Seconds that are counted, after one that is not
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Connections of banks and terminals, half of which ask
    #[arg(long, value_name = "C", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u64).range(2..=2000))]
    connections: u64,
    /// Payments under way on each asking connection
    #[arg(long, value_name = "D", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    depth: u64,
    /// Runs, each with a fresh nation; more than one prints all and their median
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=99))]
    runs: u64,
    #[command(flatten)]
    scratch: ScratchArg,
    #[command(flatten)]
    format: FormatArg,
}

/// One run.
struct Run {
    orders: Orders,
    measured: Measured,
    /// What the hub did in the window, and in the whole run.
    window: Done,
    whole: Done,
    medium: (String, bool),
}

impl SwitchBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut runs = Vec::new();
        let (mut good, mut again) = (0, 0);
        while good < self.runs {
            let run = self.once()?;
            let stalled = run.stalls() > 0;
            if self.runs > 1 {
                output::note(&run.line());
            }
            if stalled && self.runs > 1 && again < AGAIN_MAX * self.runs {
                again += 1;
            } else {
                good += 1;
            }
            runs.push(run);
        }
        let median = median(&runs, self.rate.is_some());
        match self.format.format {
            Format::Json => output::json(&self.json(median, &runs))?,
            Format::Text => output::text(&self.text(median, &runs))?,
        }
        let sound = runs.iter().all(|run| run.measured.errors == 0 && run.is_durable());
        Ok(if sound { Exit::Fine } else { Exit::No })
    }

    fn once(&self) -> Result<Run, Failure> {
        let rig = Rig::start(&RigOptions {
            program: super::program()?,
            scratch: self.scratch.dir(),
            station: self.at == At::Station,
            plain: self.plain,
            no_snapshots: false,
            guarded: false,
        })?;
        let connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        let orders = Orders {
            rate: self.rate,
            warm_up_ms: WARM_UP_S * 1000,
            window_ms: self.seconds * 1000,
            ..rig.orders(connections, depth)
        };
        let medium = rig.scratch().medium();
        let before = rig.done()?;
        let mut marks = Vec::new();
        let measured = rig.load(&orders, |_| {
            marks.push(rig.done()?);
            Ok(())
        })?;
        let whole = rig.done()?.since(before);
        let window = match marks.as_slice() {
            [begin, end] => end.since(*begin),
            _ => Done::default(),
        };
        Ok(Run { orders, measured, window, whole, medium })
    }

    fn json(&self, run: &Run, runs: &[Run]) -> Value {
        let mut value = self.one_json(run);
        if runs.len() > 1 {
            value["runs"] = runs.iter().map(|run| self.one_json(run)).collect();
        }
        value
    }

    fn one_json(&self, run: &Run) -> Value {
        let (m, w) = (&run.measured, &run.window);
        let per_payment = |n: u64| decimals(n as f64 / m.payments.max(1) as f64, 3);
        json!({
            "payments_per_s": decimals(run.per_s(), 1),
            "p50_ms": ms(m.p50_ns),
            "p99_ms": ms(m.p99_ns),
            "p999_ms": ms(m.p999_ns),
            "max_ms": ms(m.max_ns),
            "connections": m.connections,
            "depth": run.orders.depth,
            "seconds": m.window_ns as f64 / 1e9,
            "durable": run.is_durable(),
            "frames": w.commits,
            "topology": self.at.name(),
            "tls": !self.plain,
            "mac": !self.plain,
            "stalls": run.stalls(),
            "declined": m.declined,
            "errors": m.errors,
            "rate": self.rate,
            "payments": m.payments,
            "records": w.records,
            "bytes_per_payment": per_payment(w.bytes),
            "hub_calls_per_payment": per_payment(w.calls),
            "generator_us_per_payment": per_payment(m.cpu_ns / 1000),
            "codes": m.codes,
            "faults": m.faults,
            "disk": run.medium.0,
        })
    }

    fn text(&self, run: &Run, runs: &[Run]) -> String {
        let (m, o) = (&run.measured, &run.orders);
        let load = match self.rate {
            Some(rate) => format!("open loop, {rate} payments/s at even distances"),
            None => format!("closed loop, {} payments under way", o.asking * o.depth),
        };
        let links = match (self.plain, self.at) {
            (true, _) => "plain links (no TLS, no MAC)",
            (false, At::Hub) => "TLS 1.3 and MAC",
            (false, At::Station) => {
                "TLS 1.3 on trunk and bank links, MAC on these, terminals plain"
            }
        };
        let shape =
            format!("{} connections ask, {} deep; {} answer", o.asking, o.depth, o.answering);
        let mut text = format!(
            "method: {} and generator as processes on the same cores, loopback TCP, {links}\n\
             \x20       {load}; {shape}\n\
             \x20       {} terminals, {} s warm-up not counted, journal on {}\n\n\
             {}\n",
            match self.at {
                At::Hub => "hub",
                At::Station => "hub, station",
            },
            o.terminals * o.asking as u64,
            WARM_UP_S,
            run.medium.0,
            run.line(),
        );
        let records = run.window.records as f64 / run.window.commits.max(1) as f64;
        text += &format!(
            "p99.9 {} ms, longest {} ms; {} frames of {records:.1} records, {} bytes of journal \
             per payment",
            ms(m.p999_ns),
            ms(m.max_ns),
            run.window.commits,
            run.window.bytes / m.payments.max(1),
        );
        for (what, count) in m.codes.iter().chain(&m.faults) {
            text += &format!("\n  {count} x {what}");
        }
        if runs.len() > 1 {
            text += &format!("\nthe median of {} runs; all are above", runs.len());
        }
        text
    }
}

impl Run {
    fn per_s(&self) -> f64 {
        self.measured.payments as f64 * 1e9 / self.measured.window_ns.max(1) as f64
    }

    fn stalls(&self) -> u64 {
        self.window.stalls.max(self.measured.gaps)
    }

    /// Two records of every payment that was answered went through syncs of a disk.
    fn is_durable(&self) -> bool {
        let records = 2 * (self.measured.answered - self.measured.declined);
        self.medium.1 && self.whole.commits > 0 && self.whole.records >= records
    }

    fn line(&self) -> String {
        let m = &self.measured;
        format!(
            "{:.0} payments/s, p50 {} ms, p99 {} ms, declined {}, errors {}, durable {}, \
             stalls over {STALL_MS} ms {}",
            self.per_s(),
            ms(m.p50_ns),
            ms(m.p99_ns),
            m.declined,
            m.errors,
            self.is_durable(),
            self.stalls(),
        )
    }
}

/// The run in the middle: by payments/s, or by p99 where the rate is given; of those
/// without a stall, if there are any.
fn median(runs: &[Run], is_open: bool) -> &Run {
    let calm: Vec<&Run> = runs.iter().filter(|run| run.stalls() == 0).collect();
    let mut sorted = if calm.is_empty() { runs.iter().collect() } else { calm };
    if is_open {
        sorted.sort_by_key(|run| run.measured.p99_ns);
    } else {
        sorted.sort_by(|a, b| a.per_s().total_cmp(&b.per_s()));
    }
    sorted[sorted.len() / 2]
}

/// The other process of `bench switch`
///
/// Started by `bongsu bench switch` with its orders in a file; plays all banks and terminals.
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "\
Example:
  bongsu bench generate orders.json"
)]
pub(crate) struct Generate {
    /// What is to be done, as JSON
    orders: PathBuf,
}

impl Generate {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let place = self.orders.display().to_string();
        let text = crate::input::text_file(&self.orders)?;
        let orders: Orders = serde_json::from_str(&text)
            .map_err(|error| Failure::new("orders", error.to_string()).at(place))?;
        let measured = generate(&orders, &mut stdout())?;
        output::json(&json!(measured))?;
        Ok(Exit::Fine)
    }
}
