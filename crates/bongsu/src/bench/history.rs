//! `bongsu bench history`: what a long past costs a hub.

use std::time::{Duration, Instant};

use clap::Args;
use node::bench::rig::{Done, End, Memory, OnDisk, Rig, RigOptions};
use node::bench::{Measured, Orders};
use serde_json::{Value, json};

use super::{ScratchArg, decimals, ms};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Connections of the generator, and payments under way on each that asks, while it is measured.
const LOAD: (usize, usize) = (64, 16);
/// Payments under way on each that asks while the hub is filled.
const FILL_DEPTH: usize = 64;
/// Parts in which it is filled: of each some payments are remembered, to be looked up.
const PARTS: u64 = 20;
/// Payments of a part that are remembered.
const REMEMBERED: usize = 5;
/// The longest that a part may take, seconds.
const PART_S_MAX: u64 = 600;
/// How long a hub is measured at a time, and what goes before it uncounted.
const MOMENT_MS: u64 = 1000;
const WARM_UP_MS: u64 = 300;
/// Times that each payment is looked up.
const LOOK_UPS: usize = 5;
/// How long the last indexes may take.
const INDEX_WAIT: Duration = Duration::from_secs(60);

/// What a long past costs a hub
///
/// A hub takes N payments over TCP. Then it and a new one are measured in turns, a pair at a time:
/// payments/s with a past by those without one. Then it is killed and started again, and stopped
/// and started again, and payments from the whole of its past are looked up by their reference
/// numbers. Memory is what its process held at most.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench history --payments 1000000 --pairs 3

Prints with --format json:
  {\"payments\",\"fill_per_s\",\"ratio\",\"past_per_s\",\"empty_per_s\",\"processor_ratio\",\
\"pairs\",\"memory_bytes\",\"memory_bytes_most\",\"restarts\",\"look_ups\",\
\"journal_bytes_per_payment\",\"index_bytes_per_payment\",\"records_per_frame\",\"durable\",\
\"declined\",\"errors\"}")]
pub(crate) struct HistoryBench {
    /// Payments of the past
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1_000..=40_000_000))]
    payments: u64,
    /// Pairs of measurements, one with the past and one without
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=99))]
    pairs: u64,
    /// Seconds that are counted of each hub of a pair, one at a time, in turns
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Restarts after a kill, and as many after a stop
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=99))]
    restarts: u64,
    /// Links without TLS and MAC
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    scratch: ScratchArg,
    #[command(flatten)]
    format: FormatArg,
}

/// A payment that is looked up.
#[derive(Debug)]
struct Remembered {
    part: u64,
    rrn: String,
    id: String,
}

/// A hub with a past.
struct Past {
    rig: Rig,
    /// Where the next load goes on.
    next: u64,
    measured: Totals,
    remembered: Vec<Remembered>,
    most: u64,
}

/// What must hold of all loads together.
#[derive(Default)]
struct Totals {
    answered: u64,
    declined: u64,
    errors: u64,
}

impl Totals {
    fn add(&mut self, measured: &Measured) {
        self.answered += measured.answered;
        self.declined += measured.declined;
        self.errors += measured.errors;
    }
}

/// A moment's measurement.
struct Window {
    payments: u64,
    ns: u64,
    p99_ns: u64,
    max_ns: u64,
    stalls: u64,
    /// Processor time of the hub's process.
    processor_ns: u64,
}

/// The moments of one hub.
#[derive(Default)]
struct Side(Vec<Window>);

impl Side {
    fn sum(&self, what: impl Fn(&Window) -> u64) -> u64 {
        self.0.iter().map(what).sum()
    }

    fn per_s(&self) -> f64 {
        self.sum(|window| window.payments) as f64 * 1e9 / self.sum(|window| window.ns).max(1) as f64
    }

    /// Processor time of a payment, microseconds.
    fn processor_us(&self) -> f64 {
        let payments = self.sum(|window| window.payments).max(1);
        self.sum(|window| window.processor_ns) as f64 / 1e3 / payments as f64
    }

    fn json(&self) -> Value {
        json!({
            "payments_per_s": decimals(self.per_s(), 1),
            "processor_us_per_payment": decimals(self.processor_us(), 2),
            "p99_ms": ms(self.p99_ns()),
            "max_ms": ms(self.0.iter().map(|window| window.max_ns).max().unwrap_or(0)),
            "stalls": self.sum(|window| window.stalls),
        })
    }

    /// The median of the moments'.
    fn p99_ns(&self) -> u64 {
        let mut times: Vec<u64> = self.0.iter().map(|window| window.p99_ns).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }
}

#[derive(Default)]
struct Pair {
    past: Side,
    empty: Side,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.past.per_s() / self.empty.per_s().max(1.0)
    }

    fn json(&self) -> Value {
        json!({
            "ratio": decimals(self.ratio(), 3),
            "past": self.past.json(),
            "empty": self.empty.json(),
        })
    }
}

/// A start of the hub.
struct Restart {
    after: End,
    seconds: f64,
}

/// Look-ups of payments of one age.
struct LookUps {
    age: &'static str,
    times: Vec<Duration>,
}

impl LookUps {
    fn median_ms(&self) -> f64 {
        ms(nanoseconds(self.times[self.times.len() / 2]))
    }

    fn longest_ms(&self) -> f64 {
        ms(self.times.last().copied().map_or(0, nanoseconds))
    }

    fn json(&self) -> Value {
        json!({
            "age": self.age,
            "count": self.times.len(),
            "median_ms": self.median_ms(),
            "max_ms": self.longest_ms(),
        })
    }
}

/// All that was seen.
struct Seen {
    fill_per_s: f64,
    pairs: Vec<Pair>,
    /// After the pairs, before the first restart.
    memory: Memory,
    done: Done,
    on_disk: OnDisk,
    restarts: Vec<Restart>,
    look_ups: Vec<LookUps>,
    medium: (String, bool),
}

impl HistoryBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let rig = Rig::start(&self.options()?)?;
        let mut past =
            Past { rig, next: 0, measured: Totals::default(), remembered: Vec::new(), most: 0 };
        let fill_per_s = self.fill(&mut past)?;
        let mut pairs = Vec::new();
        for _ in 0..self.pairs {
            pairs.push(self.pair(&mut past)?);
        }
        let on_disk = indexed(&past.rig)?;
        let (memory, done) = (past.rig.memory()?, past.rig.done()?);
        past.most = memory.most;
        let mut restarts = Vec::new();
        let ends = [End::Killed, End::Stopped];
        for after in (0..self.restarts).flat_map(|_| ends) {
            let seconds = past.rig.hub_again(after)?.as_secs_f64();
            past.most = past.most.max(past.rig.memory()?.most);
            output::note(&format!("ready {seconds:.3} s after {}", name_of(after)));
            restarts.push(Restart { after, seconds });
        }
        let look_ups = past.look_up()?;
        past.most = past.most.max(past.rig.memory()?.most);
        let medium = past.rig.scratch().medium();
        let seen = Seen { fill_per_s, pairs, memory, done, on_disk, restarts, look_ups, medium };
        match self.format.format {
            Format::Json => output::json(&self.json(&past, &seen))?,
            Format::Text => output::text(&self.text(&past, &seen))?,
        }
        let Totals { declined, errors, .. } = past.measured;
        let sound = declined == 0 && errors == 0 && seen.is_durable(&past);
        Ok(if sound { Exit::Fine } else { Exit::No })
    }

    fn options(&self) -> Result<RigOptions, Failure> {
        Ok(RigOptions {
            program: super::program()?,
            scratch: self.scratch.dir(),
            station: false,
            plain: self.plain,
            no_snapshots: false,
            guarded: false,
        })
    }

    /// Payments/s.
    fn fill(&self, past: &mut Past) -> Result<f64, Failure> {
        let began = Instant::now();
        for part in 0..PARTS {
            let payments = self.payments * (part + 1) / PARTS - self.payments * part / PARTS;
            let orders = Orders {
                window_ms: PART_S_MAX * 1000,
                payments: Some(payments),
                first: past.next,
                ..past.rig.orders(LOAD.0, FILL_DEPTH)
            };
            let measured = past.rig.load(&orders, |_| Ok(()))?;
            past.next = measured.next;
            past.measured.add(&measured);
            past.remember(part)?;
            let per_s = measured.payments as f64 * 1e9 / measured.window_ns.max(1) as f64;
            let memory = past.rig.memory()?;
            for (code, count) in &measured.codes {
                output::note(&format!("{count} x {code}"));
            }
            output::note(&format!(
                "{} of {} payments, {per_s:.0}/s, memory {} MB, {} MB at most",
                past.measured.answered,
                self.payments,
                memory.now / 1_000_000,
                memory.most / 1_000_000,
            ));
        }
        Ok(past.measured.answered as f64 / began.elapsed().as_secs_f64())
    }

    /// The hub with a past and a new one, a moment each in turns, each first as often as the other:
    /// whatever else goes on in the machine goes on for both.
    fn pair(&self, past: &mut Past) -> Result<Pair, Failure> {
        let new = past.rig.start_beside(&self.options()?)?;
        let mut pair = Pair::default();
        let mut next = 0;
        for moment in 0..2 * self.seconds {
            if moment % 4 == 1 || moment % 4 == 2 {
                let held = new.hold();
                let (window, measured) = measure(&past.rig, past.next)?;
                drop(held);
                past.next = measured.next;
                past.measured.add(&measured);
                pair.past.0.push(window);
            } else {
                let held = past.rig.hold();
                let (window, measured) = measure(&new, next)?;
                drop(held);
                next = measured.next;
                past.measured.errors += measured.errors;
                pair.empty.0.push(window);
            }
        }
        output::note(&format!("{}; ratio {:.3}", told_of(&pair), pair.ratio()));
        Ok(pair)
    }

    fn json(&self, past: &Past, seen: &Seen) -> Value {
        let restarts = seen.restarts.iter().map(|restart| {
            json!({"after": name_of(restart.after), "seconds": decimals(restart.seconds, 3)})
        });
        json!({
            "payments": past.measured.answered,
            "fill_per_s": decimals(seen.fill_per_s, 0),
            "ratio": decimals(seen.ratio(), 3),
            "past_per_s": decimals(seen.median_of(|pair| pair.past.per_s()), 0),
            "empty_per_s": decimals(seen.median_of(|pair| pair.empty.per_s()), 0),
            "processor_ratio": decimals(seen.processor_ratio(), 3),
            "pairs": seen.pairs.iter().map(Pair::json).collect::<Value>(),
            "memory_bytes": seen.memory.now,
            "memory_bytes_most": past.most,
            "restarts": restarts.collect::<Value>(),
            "look_ups": seen.look_ups.iter().map(LookUps::json).collect::<Value>(),
            "journal_bytes_per_payment": decimals(seen.journal_bytes(past), 1),
            "index_bytes_per_payment": decimals(seen.index_bytes(past), 1),
            "records_per_frame": decimals(seen.records_per_frame(), 1),
            "segments": seen.on_disk.segments,
            "indexes": seen.on_disk.indexes,
            "durable": seen.is_durable(past),
            "declined": past.measured.declined,
            "errors": past.measured.errors,
            "tls": !self.plain,
            "mac": !self.plain,
            "disk": seen.medium.0,
        })
    }

    fn text(&self, past: &Past, seen: &Seen) -> String {
        let mut text = format!(
            "method: {} payments through a hub, {}; journal on {}; then pairs of it and a new hub, \
             a second each in turns\n        while the other stands still, closed loop, \
             {} payments under way, {} s of each\n\n\
             filled at {:.0} payments/s; {} segments, {} of them with an index\n\
             {:.0} payments/s with the past, {:.0} without: ratio {:.3}, the median of {} pairs;\n\
             processor time of a payment by that of one without: {:.3}\n\
             memory {} MB after that, {} MB at most\n\
             {:.1} bytes of journal a payment at {:.0} records a frame, {:.1} bytes of indexes\n",
            past.measured.answered,
            if self.plain { "plain links (no TLS, no MAC)" } else { "TLS 1.3 and MAC" },
            seen.medium.0,
            LOAD.0 / 2 * LOAD.1,
            self.seconds,
            seen.fill_per_s,
            seen.on_disk.segments,
            seen.on_disk.indexes,
            seen.median_of(|pair| pair.past.per_s()),
            seen.median_of(|pair| pair.empty.per_s()),
            seen.ratio(),
            seen.pairs.len(),
            seen.processor_ratio(),
            seen.memory.now / 1_000_000,
            past.most / 1_000_000,
            seen.journal_bytes(past),
            seen.records_per_frame(),
            seen.index_bytes(past),
        );
        for after in [End::Killed, End::Stopped] {
            let times = seen.restarts.iter().filter(|restart| restart.after == after);
            let times: Vec<_> = times.map(|restart| format!("{:.3}", restart.seconds)).collect();
            text += &format!("ready {} s after {}\n", times.join(", "), name_of(after));
        }
        for look_ups in &seen.look_ups {
            text += &format!(
                "look-up by DE37, {} payments: {} ms, {} ms at most, of {}\n",
                look_ups.age,
                look_ups.median_ms(),
                look_ups.longest_ms(),
                look_ups.times.len(),
            );
        }
        let Totals { declined, errors, .. } = past.measured;
        text += &format!("declined {declined}, errors {errors}, durable {}", seen.is_durable(past));
        text
    }
}

impl Past {
    /// Some of the newest payments.
    fn remember(&mut self, part: u64) -> Result<(), Failure> {
        let page = self.rig.ask(&format!("/api/v1/payments?limit={REMEMBERED}"))?;
        let payments = page["payments"].as_array().into_iter().flatten();
        self.remembered.extend(payments.filter_map(|payment| {
            let text = |name: &str| payment[name].as_str().map(str::to_owned);
            Some(Remembered { part, rrn: text("rrn")?, id: text("id")? })
        }));
        Ok(())
    }

    /// Looks up payments of the first, the middle and the last part: each must be found.
    fn look_up(&self) -> Result<Vec<LookUps>, Failure> {
        let ages = [("the oldest", 0), ("middle", PARTS / 2), ("the newest", PARTS - 1)];
        ages.into_iter()
            .map(|(age, part)| {
                let mut times = Vec::new();
                let of_part = self.remembered.iter().filter(|one| one.part == part);
                for payment in of_part.flat_map(|one| std::iter::repeat_n(one, LOOK_UPS)) {
                    let began = Instant::now();
                    let page = self.rig.ask(&format!("/api/v1/payments?rrn={}", payment.rrn))?;
                    times.push(began.elapsed());
                    let mut found = page["payments"].as_array().into_iter().flatten();
                    if !found.any(|found| found["id"] == payment.id.as_str()) {
                        let what = format!("payment {} is not found by DE37", payment.id);
                        return Err(Failure::new("history", what).at(payment.rrn.clone()));
                    }
                }
                if times.is_empty() {
                    let what = "the hub showed none of its newest payments";
                    return Err(Failure::new("history", what));
                }
                times.sort_unstable();
                Ok(LookUps { age, times })
            })
            .collect()
    }
}

impl Seen {
    fn ratio(&self) -> f64 {
        self.median_of(Pair::ratio)
    }

    /// Processor time of a payment with a past, by that of one without.
    fn processor_ratio(&self) -> f64 {
        self.median_of(|pair| pair.past.processor_us() / pair.empty.processor_us().max(0.001))
    }

    fn median_of(&self, what: impl Fn(&Pair) -> f64) -> f64 {
        let mut values: Vec<f64> = self.pairs.iter().map(what).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    fn journal_bytes(&self, past: &Past) -> f64 {
        self.done.bytes as f64 / past.measured.answered.max(1) as f64
    }

    fn index_bytes(&self, past: &Past) -> f64 {
        let share = self.on_disk.indexes as f64 / self.on_disk.segments.max(1) as f64;
        self.on_disk.index_bytes as f64 / (past.measured.answered.max(1) as f64 * share).max(1.0)
    }

    fn records_per_frame(&self) -> f64 {
        self.done.records as f64 / self.done.commits.max(1) as f64
    }

    /// Two records of every payment that was answered went through syncs of a disk.
    fn is_durable(&self, past: &Past) -> bool {
        let Totals { answered, declined, .. } = past.measured;
        self.medium.1 && self.done.commits > 0 && self.done.records >= 2 * (answered - declined)
    }
}

/// A moment of full load.
fn measure(rig: &Rig, first: u64) -> Result<(Window, Measured), Failure> {
    let orders = Orders {
        warm_up_ms: WARM_UP_MS,
        window_ms: MOMENT_MS,
        first,
        ..rig.orders(LOAD.0, LOAD.1)
    };
    let mut marks = Vec::new();
    let measured = rig.load(&orders, |_| {
        marks.push((rig.processor_ns()?, rig.done()?));
        Ok(())
    })?;
    let (processor_ns, done) = match marks.as_slice() {
        [(before, begin), (after, end)] => (after.saturating_sub(*before), end.since(*begin)),
        _ => (0, Done::default()),
    };
    let window = Window {
        payments: measured.payments,
        ns: measured.window_ns,
        p99_ns: measured.p99_ns,
        max_ns: measured.max_ns,
        stalls: done.stalls.max(measured.gaps),
        processor_ns,
    };
    Ok((window, measured))
}

fn told_of(pair: &Pair) -> String {
    let of = |side: &Side| {
        format!(
            "{:.0}/s, {:.1} us of processor each, p99 {} ms, stalls {}",
            side.per_s(),
            side.processor_us(),
            ms(side.p99_ns()),
            side.sum(|window| window.stalls),
        )
    };
    format!("with a past {}; without {}", of(&pair.past), of(&pair.empty))
}

/// Waits until every segment that is sealed has its index, a while at most.
fn indexed(rig: &Rig) -> Result<OnDisk, Failure> {
    let until = Instant::now() + INDEX_WAIT;
    loop {
        let found = rig.on_disk()?;
        // The one in use and the one made ahead have none.
        if found.indexes + 2 >= found.segments || Instant::now() > until {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn name_of(end: End) -> &'static str {
    match end {
        End::Stopped => "a stop",
        End::Killed => "a kill",
        End::KilledWithoutSnapshots => "a kill without its snapshots",
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
