//! `bongsu bench hostile`: what terminals that pay notice of peers that do harm.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use node::bench::hostile::{Attack, Done, Harm, raise_file_limit};
use node::bench::rig::{Memory, Rig, RigOptions};
use node::bench::{Measured, NOT_EXPECTED, Orders, REVERSALS};
use serde_json::{Value, json};

use super::{ScratchArg, decimals, ms};
use crate::error::{Exit, Failure};
use crate::output::{self, Format, FormatArg};

/// Milliseconds of payments before a window.
const WARM_UP_MS: u64 = 500;
/// Connections of terminals and banks, half each.
const CONNECTIONS: usize = 64;
/// Connections that stay silent, and as many with half a frame or one end closed.
const SILENT: usize = 1_000;
/// Connections that send payments without end.
const FLOODS: usize = 2;
/// After a harm the callers whom the door has not taken yet are gone: it keeps 4,096, two seconds'
/// worth.
const CALM: Duration = Duration::from_secs(3);

/// Kinds of harm, and all of them at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Random and mutated frames.
    Frames,
    /// Connections that come at once, go, and come again.
    Storm,
    /// Connections that come, say half a word and go.
    Churn,
    /// Connections that say nothing, half a frame, or nothing any more.
    Silence,
    /// Peers that ask and never read.
    Deafness,
    /// Bytes that are nothing.
    Garbage,
    /// Well-formed payments without end.
    Flood,
    /// All of these at once.
    All,
}

impl Kind {
    fn harms(self) -> Vec<Harm> {
        match self {
            Self::Frames => vec![Harm::Frames],
            Self::Storm => vec![Harm::Storm],
            Self::Churn => vec![Harm::Churn],
            Self::Silence => vec![Harm::Silence],
            Self::Deafness => vec![Harm::Deafness],
            Self::Garbage => vec![Harm::Garbage],
            Self::Flood => vec![Harm::Flood],
            Self::All => Harm::ALL.to_vec(),
        }
    }

    fn name(self) -> &'static str {
        match self.harms().as_slice() {
            [harm] => harm.name(),
            _ => "all",
        }
    }
}

/// What terminals that pay notice of peers that do harm
///
/// Starts a hub and a station with the limits that every nation has, and a process that plays
/// banks and terminals at an even rate. For each kind of harm, windows without it and windows with
/// it take turns; the figure is the p99 of the payments in each, medians of the windows. Hostile
/// peers are threads that run when nothing else wants a processor (`chrt --idle`), as those on
/// machines of their own would not take one from the nation.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu bench hostile
  bongsu bench hostile --harm frames --harm storm --seconds 5 --runs 3

Prints with --format json:
  {\"rows\":[{\"harm\",\"ratio\",\"p99_ms_normal\",\"p99_ms_harmed\",\"windows\",\"frames\",\
\"connections\",\"storms\",\"messages\",\"declined\",\"errors\",\"hub_bytes\",\
\"station_bytes\"}],\"rate\",\"seconds\",\"stands_back\"}")]
pub(crate) struct HostileBench {
    /// A kind of harm, may be repeated; by default each, and then all at once
    #[arg(long, value_enum, value_name = "NAME")]
    harm: Vec<Kind>,
    /// Payments/s of the terminals that pay
    #[arg(long, value_name = "N", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,
    /// Seconds of a window
    #[arg(long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Windows without and windows with each harm
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=99))]
    runs: u64,
    /// Mutated frames a second that the station hears, at most
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    frames_per_s: u64,
    /// Connections of a reconnect storm
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=20_000))]
    storm: u64,
    #[command(flatten)]
    scratch: ScratchArg,
    #[command(flatten)]
    format: FormatArg,
}

/// What went wrong with the payments that are measured; banks are also asked about hostile peers'
/// payments, holds and reversals.
fn errors(measured: &Measured) -> u64 {
    let others = [REVERSALS, NOT_EXPECTED].map(|what| measured.faults.get(what));
    measured.errors - others.into_iter().flatten().sum::<u64>()
}

/// What was seen of one kind of harm.
struct Row {
    kind: Kind,
    /// Windows without and with it, pairs in the order in which they were.
    windows: Vec<(Measured, Measured)>,
    done: Done,
    /// Of hub and station, before and after.
    hub: (Memory, Memory),
    station: (Memory, Memory),
    stands_back: bool,
}

impl HostileBench {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        raise_file_limit()?;
        let rig = Rig::start(&RigOptions {
            program: super::program()?,
            scratch: self.scratch.dir(),
            station: true,
            plain: false,
            no_snapshots: false,
            guarded: true,
        })?;
        let attack = rig.attack().ok_or_else(|| Failure::new("system", "no station runs"))?;
        let attack = Attack {
            frames_per_s: self.frames_per_s,
            storm: usize::try_from(self.storm).unwrap_or(usize::MAX),
            silent: SILENT,
            floods: FLOODS,
            ..attack
        };
        let kinds = if self.harm.is_empty() { Kind::value_variants() } else { &self.harm };
        // The first payments of a nation take memory and time that later ones do not.
        let mut first = self.window(&rig, 0, &mut |_| Ok(()))?.next;
        let mut rows = Vec::new();
        for kind in kinds {
            let row = self.row(&rig, &attack, *kind, &mut first)?;
            output::note(&row.line());
            rows.push(row);
        }
        match self.format.format {
            Format::Json => output::json(&self.json(&rows))?,
            Format::Text => output::text(&self.text(&rows))?,
        }
        Ok(if rows.iter().all(Row::is_sound) { Exit::Fine } else { Exit::No })
    }

    fn row(&self, rig: &Rig, attack: &Attack, kind: Kind, first: &mut u64) -> Result<Row, Failure> {
        let memories = || Ok::<_, Failure>((rig.memory()?, rig.station_memory()?));
        let before = memories()?;
        let (mut windows, mut done, mut stands_back) = (Vec::new(), Done::default(), true);
        for run in 0..self.runs {
            let normal = self.window(rig, *first, &mut |_| Ok(()))?;
            let mut running = None;
            let harmed = self.window(rig, normal.next, &mut |mark| {
                if mark == "begin" {
                    running = Some(attack.start(&kind.harms(), run)?);
                } else if let Some(running) = running.take() {
                    stands_back &= running.stands_back();
                    done = done.and(running.stop());
                }
                Ok(())
            })?;
            *first = harmed.next;
            windows.push((normal, harmed));
            // Or the next window's terminals would wait at the door behind them.
            std::thread::sleep(CALM);
        }
        let after = memories()?;
        let (hub, station) = ((before.0, after.0), (before.1, after.1));
        Ok(Row { kind, windows, done, hub, station, stands_back })
    }

    /// Payments of a window; `at` is told of its begin and its end.
    fn window(
        &self,
        rig: &Rig,
        first: u64,
        at: &mut dyn FnMut(&str) -> Result<(), node::RunError>,
    ) -> Result<Measured, Failure> {
        let orders = Orders {
            first,
            rate: Some(self.rate),
            warm_up_ms: WARM_UP_MS,
            window_ms: self.seconds * 1000,
            ..rig.orders(CONNECTIONS, 1)
        };
        Ok(rig.load(&orders, at)?)
    }

    fn json(&self, rows: &[Row]) -> Value {
        json!({
            "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
            "rate": self.rate,
            "seconds": self.seconds,
            "stands_back": rows.iter().all(|row| row.stands_back),
        })
    }

    fn text(&self, rows: &[Row]) -> String {
        let mut text = format!(
            "method: hub, station, generator and hostile peers on the same cores, loopback TCP; \
             {} payments/s of\n        {} terminals' connections, open loop; {} windows of {} s \
             without and {} with each harm,\n        in turns; p99 of each, medians; peers at the \
             lowest priority{}\n\n",
            self.rate,
            CONNECTIONS / 2,
            self.runs,
            self.seconds,
            self.runs,
            if rows.iter().all(|row| row.stands_back) {
                ""
            } else {
                ", but not idle ones: `chrt` (util-linux) is missing, and part of the harm is \
                 that they share the cores"
            },
        );
        for row in rows {
            text += &row.line();
            text.push('\n');
        }
        text
    }
}

impl Row {
    fn json(&self) -> Value {
        let windows: Vec<Value> = self
            .windows
            .iter()
            .map(|(n, h)| json!({"p99_ms_normal": ms(n.p99_ns), "p99_ms_harmed": ms(h.p99_ns)}))
            .collect();
        let of = |memory: (Memory, Memory)| json!({"before": memory.0.now, "after": memory.1.now});
        let (normal, harmed) = self.p99();
        json!({
            "harm": self.kind.name(),
            "ratio": decimals(harmed as f64 / normal.max(1) as f64, 2),
            "p99_ms_normal": ms(normal),
            "p99_ms_harmed": ms(harmed),
            "p50_ms_normal": ms(self.median(|(normal, _)| normal.p50_ns)),
            "p50_ms_harmed": ms(self.median(|(_, harmed)| harmed.p50_ns)),
            "max_ms_normal": ms(self.median(|(normal, _)| normal.max_ns)),
            "max_ms_harmed": ms(self.median(|(_, harmed)| harmed.max_ns)),
            "windows": windows,
            "frames": self.done.frames,
            "connections": self.done.connections,
            "storms": self.done.storms,
            "messages": self.done.messages,
            "payments": self.all().map(|m| m.payments).sum::<u64>(),
            "declined": self.all().map(|m| m.declined).sum::<u64>(),
            "errors": self.all().map(errors).sum::<u64>(),
            "faults": self.faults(),
            "hub_bytes": of(self.hub),
            "station_bytes": of(self.station),
        })
    }

    fn all(&self) -> impl Iterator<Item = &Measured> {
        self.windows.iter().flat_map(|(normal, harmed)| [normal, harmed])
    }

    /// Every payment of the terminals that pay was approved.
    fn is_sound(&self) -> bool {
        self.all().all(|measured| errors(measured) == 0 && measured.declined == 0)
    }

    fn faults(&self) -> BTreeMap<&str, u64> {
        let mut all = BTreeMap::new();
        for (what, count) in self.all().flat_map(|measured| &measured.faults) {
            *all.entry(what.as_str()).or_default() += count;
        }
        all
    }

    fn median(&self, of: impl Fn(&(Measured, Measured)) -> u64) -> u64 {
        let mut sorted: Vec<u64> = self.windows.iter().map(of).collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    }

    /// Without the harm and with it, ns.
    fn p99(&self) -> (u64, u64) {
        (self.median(|(normal, _)| normal.p99_ns), self.median(|(_, harmed)| harmed.p99_ns))
    }

    fn line(&self) -> String {
        let (normal, harmed) = self.p99();
        let mib = |memory: Memory| memory.now / (1024 * 1024);
        let Done { frames, connections, messages, .. } = self.done;
        let bad: u64 = self.all().map(|m| m.declined + errors(m)).sum();
        format!(
            "{:<9} p99 {} ms, harmed {} ms, ratio {:.2}; {frames} frames, {connections} \
             connections, {messages} messages; hub {} -> {} MiB, station {} -> {} MiB; {} \
             payments, {bad} not approved",
            self.kind.name(),
            ms(normal),
            ms(harmed),
            harmed as f64 / normal.max(1) as f64,
            mib(self.hub.0),
            mib(self.hub.1),
            mib(self.station.0),
            mib(self.station.1),
            self.all().map(|m| m.payments).sum::<u64>(),
        )
    }
}
