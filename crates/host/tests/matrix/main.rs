//! The crash matrix: a script of 2,000 payments through a whole hub, the power cut at every
//! operation of its disk with 20 seeds each, an error at every call of the disk. After each
//! the hub starts again, holds exactly what was durable, and the books of all agree once whoever
//! waited has repeated or reversed.
//!
//! `cargo test` takes a sample, the same each time; `cargo xtask crash-matrix` all of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
#![expect(clippy::print_stderr, reason = "the whole matrix takes minutes and says how far it is")]

mod cluster;
mod hub;
mod outside;
mod put_away;
mod shared;
mod station;

use std::collections::BTreeSet;

use host::{Config, HostError};
use journal::sim_disk::{Cut, CutDisk, Cuts, FailedSync, Sample, SimDisk, Tearing};
use journal::{Disk, DiskErrorKind, DiskOp, Fault, OpenError};

use crate::hub::{Hashes, Hub, Write, config};
use crate::outside::Outside;

/// Payments of the script.
const PAYMENTS: usize = 2_000;

/// How much of the matrix is run.
#[derive(Clone, Copy, Debug)]
struct Extent {
    cuts: Sample,
    seeds: u64,
    /// One call of the disk in so many fails.
    errors: u64,
    /// Of the calls that change nothing, most of them reads of a start's indexes, one in so many is
    /// looked at.
    reads: u64,
}

fn extent() -> Extent {
    match std::env::var("BONGSU_CRASH_MATRIX").as_deref() {
        Ok("full") => Extent { cuts: Sample::ALL, seeds: 20, errors: 1, reads: 1 },
        Ok(other) => panic!("BONGSU_CRASH_MATRIX is full or not there, not {other}"),
        Err(_) => {
            let cuts = Sample { often: 151, seldom: 29 };
            Extent { cuts, seeds: 4, errors: 331, reads: 5 }
        }
    }
}

/// What was tried, for the report.
#[derive(Default, Debug)]
struct Figures {
    cuts: std::collections::BTreeMap<DiskOp, u64>,
    recoveries: u64,
    /// Those of them that read, byte by byte, what one before them had read.
    alike: u64,
    /// Torn tails that were cut.
    torn: u64,
    /// Batches that nobody had been told of and that were whole.
    kept: u64,
    /// Worlds that went on to their end.
    lives: u64,
    /// Openings that were themselves cut at every operation, one in so many, and those cuts.
    again: u64,
    twice: u64,
}

/// The script, with what each cut of its disk must come back as.
struct Script {
    config: Config,
    extent: Extent,
    figures: Figures,
    /// What the cuts behind one write have left so far, and the last record that a hub found there.
    left: Vec<(SimDisk, u64)>,
}

/// A hub that lets almost everything go, as soon as it can be read back.
fn forgetful(segment_bytes: u64) -> Config {
    let mut config = config();
    config.journal.hub_segment_bytes = segment_bytes;
    config.limits.window_payments = 2;
    config
}

impl Script {
    fn new(segment_bytes: u64) -> Self {
        let config = forgetful(segment_bytes);
        Self { config, extent: extent(), figures: Figures::default(), left: Vec::new() }
    }

    /// Everything that a cut of this disk may become.
    fn judge(&mut self, cuts: &Cuts, hashes: &Hashes, write: Write, outside: &Outside) {
        self.left.clear();
        for cut in cuts.take() {
            *self.figures.cuts.entry(cut.op).or_default() += 1;
            let mut found = BTreeSet::new();
            for seed in 0..self.extent.seeds {
                let last = self.recover(&cut, seed, (hashes, write), outside, &mut found);
                self.figures.kept += u64::from(last > write.durable);
            }
            let judged: u64 = self.figures.cuts.values().sum();
            if judged.is_multiple_of(500) {
                eprintln!("{judged} cuts, {} recoveries, all right", self.figures.recoveries);
            }
        }
    }

    /// One power cut: the hub comes back with what was durable. For each different end that it may
    /// come back with, life goes on once, and the books are held against each other.
    fn recover(
        &mut self,
        cut: &Cut,
        seed: u64,
        meant: (&Hashes, Write),
        outside: &Outside,
        found: &mut BTreeSet<u64>,
    ) -> u64 {
        let case = format!("power cut in {:?}, operation {}, seed {seed}", cut.op, cut.number);
        let mut disk = cut.disk.clone();
        disk.reseed(seed << 32 ^ cut.number);
        if seed % 4 == 3 {
            disk.plan.tearing = Tearing::TornSectors;
        }
        disk.crash();
        let mut world = outside.clone();
        world.now += 200_000_000;
        // A start is a function of what it reads and of the time: from the same bytes, behind the
        // same write, everything would be the same again.
        if let Some((_, last)) = self.left.iter().find(|(left, _)| left.reads_as(&disk)) {
            self.figures.recoveries += 1;
            self.figures.alike += 1;
            return *last;
        }
        let left = disk.clone();
        let again = (seed == 0).then(|| disk.clone());
        let hub = match Hub::open_in(disk, &self.config, &world) {
            Ok(hub) => hub,
            Err(error) => panic!("{case}: {error}"),
        };
        let last = self.check(&hub, meant, &case);
        self.left.push((left, last));
        let torn = hub.recovery.cut.is_some();
        self.figures.torn += u64::from(torn);
        if let Some(disk) = again.filter(|_| torn || self.figures.again.is_multiple_of(16)) {
            self.cut_again(disk, (meant.0, Write { durable: last, tried: last }), world, &case);
        }
        self.figures.again += u64::from(seed == 0);
        if found.insert(last) {
            self.figures.lives += 1;
            live_on(hub, outside.clone(), &case);
        }
        last
    }

    /// The power goes once more while the hub starts: at every operation of that, too.
    fn cut_again(
        &mut self,
        disk: SimDisk,
        meant: (&Hashes, Write),
        mut world: Outside,
        case: &str,
    ) {
        let (disk, cuts) = CutDisk::new(disk, Sample::ALL);
        drop(Hub::open_in(disk, &self.config, &world).unwrap());
        world.now += 200_000_000;
        for cut in cuts.take() {
            let case = format!("{case}, then in {:?}, operation {}", cut.op, cut.number);
            let mut disk = cut.disk;
            disk.reseed(cut.number);
            disk.crash();
            let hub = Hub::open_in(disk, &self.config, &world);
            let hub = hub.unwrap_or_else(|error| panic!("{case}: {error}"));
            self.check(&hub, meant, &case);
            self.figures.twice += 1;
        }
    }

    /// What a hub has come back with: nothing acknowledged is lost, nothing else is there than what
    /// was decided, and the state is the one that the hub had then.
    fn check<D: Disk>(&mut self, hub: &Hub<D>, meant: (&Hashes, Write), case: &str) -> u64 {
        self.figures.recoveries += 1;
        let last = hub.durable();
        let (hashes, Write { durable, tried }) = meant;
        assert!(last == durable || last == tried, "{case}: {durable} durable, {last} found");
        assert_eq!(hashes.get(&last), Some(&hub.state_hash()), "{case}: live = replay");
        last
    }
}

/// Whoever waited repeats or reverses, a few more come; then the books of all agree.
fn live_on<D: Disk>(mut hub: Hub<D>, mut outside: Outside, case: &str) {
    outside.close();
    outside.hub_died();
    outside.more(3);
    hub.start(&mut outside);
    let mut hashes = Hashes::new();
    for _ in 0..400 {
        if let Err(fault) = step(&mut hub, &mut outside, &mut hashes, &mut |_, _, _| {}) {
            panic!("{case}: {fault}");
        }
        if outside.is_quiet() && !hub.is_busy() {
            hub.audit(&mut outside, case);
            return;
        }
    }
    panic!("{case}: somebody still waits");
}

/// One turn and the writes behind it. `look` is called after every write of the journal, before
/// anybody is told of it.
fn step<D: Disk>(
    hub: &mut Hub<D>,
    outside: &mut Outside,
    hashes: &mut Hashes,
    look: &mut dyn FnMut(&Hashes, Write, &Outside),
) -> Result<(), Fault> {
    outside.open_doors();
    if let Some(write) = hub.batch(hashes) {
        let third = write.tried.is_multiple_of(3);
        if third {
            // More is decided while the batch is on its way.
            hub.turn(outside);
            outside.open_doors();
        }
        let appended = hub.append();
        look(hashes, write, outside);
        match appended {
            Ok(batch) => hub.committed(batch, outside),
            Err(fault) => {
                hub.disk_failed(&fault, outside);
                return Err(fault);
            }
        }
        hub.wake();
        hub.batch(hashes);
    }
    let durable = hub.durable();
    let kept = hub.keep(outside.now);
    look(hashes, Write { durable, tried: durable }, outside);
    if let Err(fault) = kept {
        hub.disk_failed(&fault, outside);
        return Err(fault);
    }
    hub.turn(outside);
    hub.batch(hashes);
    Ok(())
}

/// From an opened hub until nobody waits.
fn run<D: Disk>(
    hub: &mut Hub<D>,
    outside: &mut Outside,
    hashes: &mut Hashes,
    look: &mut dyn FnMut(&Hashes, Write, &Outside),
) -> Result<(), Fault> {
    hub.start(outside);
    hub.batch(hashes);
    for _ in 0..100_000 {
        step(hub, outside, hashes, look)?;
        if outside.is_quiet() && !hub.is_busy() {
            return Ok(());
        }
    }
    panic!("the script never ends");
}

#[test]
fn r_crash_a_power_cut_at_any_operation_of_2000_payments() {
    let mut script = Script::new(32 * 1024);
    let (disk, cuts) = CutDisk::new(SimDisk::new(5), script.extent.cuts);
    let mut outside = Outside::new(&script.config, PAYMENTS);
    let mut hub = Hub::open(disk, &script.config, outside.now).unwrap();
    let mut hashes = Hashes::from([(0, hub.state_hash())]);
    script.judge(&cuts, &hashes, Write { durable: 0, tried: 0 }, &outside);
    run(&mut hub, &mut outside, &mut hashes, &mut |hashes, write, outside| {
        script.judge(&cuts, hashes, write, outside);
    })
    .unwrap();
    hub.audit(&mut outside, "at the end");
    let (durable, hash) = (hub.durable(), hub.state_hash());
    let [indexed, asked, found] = hub.read_back;
    let disk = hub.stop(outside.now).unwrap();
    script.judge(&cuts, &hashes, Write { durable, tried: durable }, &outside);
    let hub = Hub::open(disk.into_disk(), &script.config, outside.now).unwrap();
    assert_eq!((hub.durable(), hub.state_hash()), (durable, hash));
    let figures = &script.figures;
    eprintln!(
        "{PAYMENTS} payments, {} approvals told, {durable} records, {indexed} segments indexed, \
         {asked} look-ups, {found} payments read back, {} operations that change something: \
         {figures:?}",
        outside.approved,
        cuts.changes(),
    );
    assert!(indexed > 30 && found > 250 && outside.came_back() > 250, "{indexed} {found}");
    assert!(cuts.changes() > 4_000 && outside.approved > 2_000);
    assert!(figures.torn > 0 && figures.kept > 0, "{figures:?}");
}

/// A part of the script: what there was before it, and which of its calls of the disk fail.
struct Part {
    disk: SimDisk,
    outside: Outside,
    calls: Vec<u64>,
}

/// How a part ended in which a call of the disk failed.
struct Ended {
    fault: Option<String>,
    /// Errors that history has met.
    forgiven: u64,
    write: Write,
    hashes: Hashes,
}

/// The hub opens, serves its customers and stops, on a disk that may fail it.
fn serve(disk: &mut impl Disk, outside: &mut Outside, config: &Config) -> Result<Ended, OpenError> {
    let mut hub = match Hub::open(disk, config, outside.now) {
        Ok(hub) => hub,
        Err(HostError::Journal(error)) => return Err(error),
        Err(HostError::Epoch(Fault::Disk(error))) => return Err(OpenError::Disk(error)),
        Err(other) => panic!("{other}"),
    };
    let durable = hub.durable();
    let mut write = Write { durable, tried: durable };
    let mut hashes = Hashes::from([(durable, hub.state_hash())]);
    let ran = run(&mut hub, outside, &mut hashes, &mut |_, now, _| write = now);
    let forgiven = hub.forgiven + hub.history.given_up();
    let ran = match ran {
        Ok(()) => {
            let durable = hub.durable();
            write = Write { durable, tried: durable };
            hub.stop(outside.now).map(|_| ())
        }
        Err(fault) => {
            assert!(hub.halted.is_some(), "the role has stopped");
            // What was acknowledged is what the writer says is durable.
            assert!([write.durable, write.tried].contains(&hub.durable()));
            write.durable = hub.durable();
            Err(fault)
        }
    };
    Ok(Ended { fault: ran.err().map(|fault| fault.to_string()), forgiven, write, hashes })
}

/// The script in parts, each with a stop behind it, and one in four with a kill.
fn parts(config: &Config, payments: usize, reads: u64) -> Vec<Part> {
    const CUSTOMERS: usize = 40;
    let mut disk = SimDisk::new(9);
    let mut outside = Outside::new(config, 0);
    let mut parts = Vec::new();
    for number in 0..payments / CUSTOMERS {
        outside.more(CUSTOMERS);
        let before = (disk.clone(), outside.clone());
        let first = disk.ops();
        let (mut watched, cuts) = CutDisk::new(disk, Sample::ALL);
        let ended = serve(&mut watched, &mut outside, config).unwrap();
        assert_eq!(ended.fault, None);
        disk = watched.into_disk();
        let changes: BTreeSet<u64> = cuts.take().iter().map(|cut| cut.number).collect();
        let fails = |call: &u64| changes.contains(call) || call.is_multiple_of(reads);
        let calls = (first..disk.ops()).filter(fails).map(|call| call - first).collect();
        parts.push(Part { disk: before.0, outside: before.1, calls });
        if number % 4 == 3 {
            // As a kill leaves it: in the middle of the next customers.
            outside.more(1);
            let mut hub = Hub::open(&mut disk, config, outside.now).unwrap();
            hub.start(&mut outside);
            let mut hashes = Hashes::new();
            for _ in 0..3 {
                step(&mut hub, &mut outside, &mut hashes, &mut |_, _, _| {}).unwrap();
            }
            outside.hub_died();
        }
    }
    parts
}

/// R-CRASH and the media: whatever call fails, the role says so and stops, nothing leaves it any
/// more, and what it had acknowledged is there at the next start.
#[test]
fn r_crash_an_error_of_any_call_of_the_disk_stops_the_role_and_loses_nothing() {
    let mut script = Script::new(16 * 1024);
    let every = script.extent.errors;
    let kinds = [DiskErrorKind::Io, DiskErrorKind::NoSpace];
    let (mut tried, mut told, mut in_opening, mut forgiven, mut number) = (0, 0, 0, 0, 0u64);
    for (at, part) in parts(&script.config, PAYMENTS, script.extent.reads).into_iter().enumerate() {
        let calls = part.calls.iter().flat_map(|call| kinds.map(|kind| (*call, kind)));
        for (call, kind) in calls {
            number += 1;
            if !number.is_multiple_of(every) {
                continue;
            }
            let case = format!("part {at}: {kind:?} at call {call}");
            let (mut disk, mut outside) = (part.disk.clone(), part.outside.clone());
            disk.reseed(number);
            disk.plan.fail_at = Some(disk.ops() + call);
            disk.plan.fail_kind = Some(kind);
            if number / 2 % 2 == 0 {
                disk.plan.failed_sync = FailedSync::Cache;
            }
            tried += 1;
            let opened = serve(&mut disk, &mut outside, &script.config);
            let ended = match opened {
                Ok(ended) => ended,
                Err(OpenError::Disk(error)) => {
                    assert_eq!((error.kind, error.detail.as_str()), (kind, "planned"), "{case}");
                    in_opening += 1;
                    // Nothing was done: it is as it was before.
                    serve_again(&mut script, part.disk.clone(), disk, &outside, number, &case);
                    continue;
                }
                Err(other) => panic!("{case}: {other}"),
            };
            told += u64::from(ended.fault.is_some());
            forgiven += ended.forgiven;
            let met = ended.fault.is_some() || ended.forgiven > 0;
            assert!(met || kind == DiskErrorKind::NoSpace, "{case}: passed over");
            power_or_process_ends(&mut disk, number);
            let hub = Hub::open(disk, &script.config, outside.now + 200_000_000);
            let hub = hub.unwrap_or_else(|error| panic!("{case}: {error}"));
            script.check(&hub, (&ended.hashes, ended.write), &case);
            live_on(hub, outside, &case);
        }
        if every == 1 {
            eprintln!("part {at}: {tried} errors, {told} told, all right");
        }
    }
    eprintln!(
        "{tried} errors: {told} stopped the role, {in_opening} its start, {forgiven} were \
         history's alone; {:?}",
        script.figures
    );
    assert!(told > 10 && in_opening > 2, "{told} told, {in_opening} in an opening");
}

fn power_or_process_ends(disk: &mut SimDisk, number: u64) {
    if number.is_multiple_of(3) { disk.crash() } else { disk.kill() }
}

/// An opening that failed has lost nothing of what was there before it.
fn serve_again(
    script: &mut Script,
    before: SimDisk,
    mut disk: SimDisk,
    outside: &Outside,
    number: u64,
    case: &str,
) {
    let untouched = Hub::open(before, &script.config, outside.now).unwrap();
    let durable = untouched.durable();
    let hashes = Hashes::from([(durable, untouched.state_hash())]);
    power_or_process_ends(&mut disk, number);
    let hub = Hub::open(disk, &script.config, outside.now);
    let hub = hub.unwrap_or_else(|error| panic!("{case}: {error}"));
    script.check(&hub, (&hashes, Write { durable, tried: durable }), case);
    live_on(hub, outside.clone(), case);
}

/// Whoever asks for a payment that only history has gets it, or is told that it may be missing.
#[test]
fn a_list_says_when_history_could_not_be_read() {
    let config = forgetful(8 * 1024);
    let mut outside = Outside::new(&config, 120);
    let mut hub = Hub::open(SimDisk::new(5), &config, outside.now).unwrap();
    run(&mut hub, &mut outside, &mut Hashes::new(), &mut |_, _, _| {}).unwrap();
    let mut cold = 0;
    for number in 0..120 {
        let rrn = format!("{number:012}");
        let (whole, asked) = hub.find(&rrn, true, &mut outside);
        assert!(!whole.payments.is_empty() && !whole.incomplete, "{rrn}: {whole:?}");
        let (cut, _) = hub.find(&rrn, false, &mut outside);
        assert_eq!(cut.incomplete, asked, "{rrn}: {cut:?}");
        cold += u64::from(cut.payments.is_empty());
        assert!(cut.payments.len() <= whole.payments.len());
    }
    assert!(cold > 40, "{cold} were in history alone");
}
