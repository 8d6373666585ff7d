//! Engines side by side: the same batches, and after each of them the same statuses, the same
//! balances; in the end the same transfers. What differs is shrunk to the few events that make it.

use std::collections::{BTreeMap, BTreeSet};

use journal::sim_disk::SimDisk;
use journal::{NodeId, Options};
use ledger::limits::{BATCH_MAX, WINDOW_EMBEDDED};
use ledger::{Account, Books, Embedded, Engine, NaiveModel, Transfer};
use scheme::Timestamp;

use crate::notation;
use crate::swarm::{Batch, Swarm};

/// An engine as the comparison needs it: numbers of statuses, many accounts at once.
pub(crate) trait Rival {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// Gives it a batch: one status per event, by number.
    fn give(&mut self, now: Timestamp, batch: &Batch) -> Vec<u32>;
    /// Those of these accounts that are there, in the order of the ids.
    fn accounts(&mut self, ids: &[u128]) -> Vec<Account>;
    /// Those of these transfers that happened, in the order of the ids.
    fn transfers(&mut self, ids: &[u128]) -> Vec<Transfer>;
}

/// Bytes of journal that a transfer may take, its envelope included.
const BYTES_OF_TRANSFER: u64 = 152;

/// An engine in this process.
pub(crate) struct Local<E> {
    name: &'static str,
    engine: E,
}

impl<E: Engine> Rival for Local<E> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn give(&mut self, now: Timestamp, batch: &Batch) -> Vec<u32> {
        match batch {
            Batch::Accounts(events) => {
                let mut out = Vec::new();
                self.engine.create_accounts(now, events, &mut out).unwrap();
                out.iter().map(|status| status.number()).collect()
            }
            Batch::Transfers(events) => {
                let mut out = Vec::new();
                self.engine.create_transfers(now, events, &mut out).unwrap();
                out.iter().map(|status| status.number()).collect()
            }
        }
    }

    fn accounts(&mut self, ids: &[u128]) -> Vec<Account> {
        ids.iter().filter_map(|id| self.engine.account(*id).unwrap()).collect()
    }

    fn transfers(&mut self, ids: &[u128]) -> Vec<Transfer> {
        ids.iter().filter_map(|id| self.engine.transfer(*id).unwrap()).collect()
    }
}

/// The embedded ledger, stopped or killed and opened again now and then: what it answers must not
/// depend on that, nor on how much of it is in memory.
struct Reopened {
    name: &'static str,
    ledger: Option<Local<Embedded<SimDisk>>>,
    batches: u64,
    last: Timestamp,
    segment_bytes: u64,
    window: usize,
}

impl Reopened {
    /// One that keeps all ids in memory. `widest` is the most events of a batch: a frame is smaller
    /// than a segment.
    fn new(widest: usize) -> Self {
        let segment_bytes = if widest > 100 { 2 << 20 } else { 64 << 10 };
        Self::begin("embedded", segment_bytes, WINDOW_EMBEDDED)
    }

    /// One that keeps as few as it can, with segments as small as its batches allow.
    fn forgetful(widest: usize) -> Self {
        let frame = (widest as u64 * BYTES_OF_TRANSFER).next_multiple_of(1 << 10);
        Self::begin("embedded with history", frame + (3 << 10), 0)
    }

    fn begin(name: &'static str, segment_bytes: u64, window: usize) -> Self {
        let last = Timestamp(1);
        let mut reopened = Self { name, ledger: None, batches: 0, last, segment_bytes, window };
        reopened.open(SimDisk::new(1));
        reopened
    }

    fn open(&mut self, disk: SimDisk) {
        let node = NodeId::from_name("ledger").unwrap();
        let options = Options {
            segment_bytes: self.segment_bytes,
            // So that a segment is sealed by the first frame of the next.
            head_every_ns: 0,
            ..Options::new(node)
        };
        let opened = Embedded::open_with_window(disk, options, self.window, self.last);
        let (engine, _) = opened.unwrap();
        self.ledger = Some(Local { name: self.name, engine });
    }
}

impl Rival for Reopened {
    fn name(&self) -> &'static str {
        self.name
    }

    fn give(&mut self, now: Timestamp, batch: &Batch) -> Vec<u32> {
        let statuses = self.ledger.as_mut().unwrap().give(now, batch);
        self.batches += 1;
        self.last = self.last.max(now);
        if self.batches.is_multiple_of(13) {
            let engine = self.ledger.take().unwrap().engine;
            let disk = if self.batches.is_multiple_of(2) {
                engine.stop(self.last).unwrap()
            } else {
                engine.into_disk()
            };
            self.open(disk);
        }
        statuses
    }

    fn accounts(&mut self, ids: &[u128]) -> Vec<Account> {
        self.ledger.as_mut().unwrap().accounts(ids)
    }

    fn transfers(&mut self, ids: &[u128]) -> Vec<Transfer> {
        self.ledger.as_mut().unwrap().transfers(ids)
    }
}

/// The engines of this crate, new, for batches of so many events at most.
pub(crate) fn ours(widest: usize) -> Vec<Box<dyn Rival>> {
    vec![
        Box::new(Local { name: "naive model", engine: NaiveModel::new() }),
        Box::new(Local { name: "books", engine: Books::new() }),
        Box::new(Reopened::new(widest)),
        Box::new(Reopened::forgetful(widest)),
    ]
}

/// Transfers of a seed, at least.
const TRANSFERS: usize = 400;

/// How often a failing script is made smaller.
const SHRINK_ROUNDS: u32 = 3;

/// A batch and its instant.
pub(crate) type Step = (Timestamp, Batch);

/// How often each status was answered, by number: to accounts, to transfers.
pub(crate) type Seen = [BTreeMap<u32, u64>; 2];

/// A difference: at which batch, and what.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) at: usize,
    pub(crate) what: String,
}

/// What a seed asks. Nothing expires in it, whoever's clock counts: every timeout is an hour at
/// least, and the clock moves by microseconds. Some worlds are wide: whole batches, many accounts.
pub(crate) fn script(seed: u64) -> Vec<Step> {
    let mut swarm = Swarm::new(seed);
    swarm.now = 1_800_000_000_000_000_000;
    swarm.habits.step_ns = 1_000;
    if seed % 100 == 99 {
        swarm.habits.batch = BATCH_MAX;
        swarm.habits.accounts = 300;
        swarm.habits.ids = 1 << 40;
    } else if seed % 10 == 9 {
        swarm.habits.batch = 400;
    }
    let wanted = TRANSFERS.max(2 * swarm.habits.batch);
    let mut steps: Vec<Step> = Vec::new();
    let mut transfers = 0;
    while transfers < wanted {
        let now = Timestamp(swarm.now(core::iter::empty()));
        let mut batch = swarm.batch(steps.is_empty());
        patient(&mut batch);
        transfers += transfers_of(&batch);
        steps.push((now, batch));
    }
    steps
}

/// Makes every timeout an hour at least.
pub(crate) fn patient(batch: &mut Batch) {
    if let Batch::Transfers(events) = batch {
        for event in events.iter_mut().filter(|event| (1..3_600).contains(&event.timeout)) {
            event.timeout += 3_600;
        }
    }
}

/// How many transfers it has.
fn transfers_of(batch: &Batch) -> usize {
    match batch {
        Batch::Accounts(_) => 0,
        Batch::Transfers(events) => events.len(),
    }
}

/// How many events it has.
fn length(batch: &Batch) -> usize {
    match batch {
        Batch::Accounts(events) => events.len(),
        Batch::Transfers(events) => events.len(),
    }
}

/// Plays a script to all of them; the first one is right.
pub(crate) fn play(
    steps: &[Step],
    rivals: &mut Vec<Box<dyn Rival>>,
    seen: &mut Seen,
) -> Result<(), Difference> {
    let mut game = Game::new(core::mem::take(rivals));
    for (at, step) in steps.iter().enumerate() {
        let played = game.statuses(step, seen).and_then(|()| game.accounts());
        played.map_err(|what| Difference { at, what })?;
    }
    game.transfers().map_err(|what| Difference { at: steps.len(), what })
}

/// Rivals in the middle of a script, and the ids that they were given.
pub(crate) struct Game {
    rivals: Vec<Box<dyn Rival>>,
    accounts: BTreeSet<u128>,
    transfers: BTreeSet<u128>,
}

impl Game {
    pub(crate) fn new(rivals: Vec<Box<dyn Rival>>) -> Self {
        Self { rivals, accounts: BTreeSet::new(), transfers: BTreeSet::new() }
    }

    /// Gives a batch to all of them and compares the statuses.
    pub(crate) fn statuses(&mut self, (now, batch): &Step, seen: &mut Seen) -> Result<(), String> {
        match batch {
            Batch::Accounts(events) => self.accounts.extend(events.iter().map(|event| event.id)),
            Batch::Transfers(events) => self.transfers.extend(events.iter().map(|event| event.id)),
        }
        let statuses = same(&mut self.rivals, |rival| rival.give(*now, batch))
            .map_err(|what| format!("statuses: {what}"))?;
        let kind = usize::from(matches!(batch, Batch::Transfers(_)));
        for status in statuses {
            *seen[kind].entry(status).or_default() += 1;
        }
        Ok(())
    }

    /// Compares all accounts, but for when they were created.
    pub(crate) fn accounts(&mut self) -> Result<(), String> {
        let ids: Vec<u128> = self.accounts.iter().copied().collect();
        let timeless = |account: Account| Account { timestamp: 0, ..account };
        same(&mut self.rivals, |rival| rival.accounts(&ids).into_iter().map(timeless).collect())
            .map(|_| ())
            .map_err(|what| format!("accounts: {what}"))
    }

    /// Compares all transfers, but for when they happened.
    pub(crate) fn transfers(&mut self) -> Result<(), String> {
        let ids: Vec<u128> = self.transfers.iter().copied().collect();
        let timeless = |transfer: Transfer| Transfer { timestamp: 0, ..transfer };
        for ids in ids.chunks(BATCH_MAX) {
            same(&mut self.rivals, |rival| {
                rival.transfers(ids).into_iter().map(timeless).collect()
            })
            .map_err(|what| format!("transfers: {what}"))?;
        }
        Ok(())
    }
}

/// Asks all of them; what the first one says, or how the others differ.
fn same<T: PartialEq + core::fmt::Debug>(
    rivals: &mut [Box<dyn Rival>],
    mut ask: impl FnMut(&mut dyn Rival) -> Vec<T>,
) -> Result<Vec<T>, String> {
    let (right, others) = rivals.split_first_mut().unwrap();
    let expected = ask(right.as_mut());
    for other in others {
        let found = ask(other.as_mut());
        if found == expected {
            continue;
        }
        let place = (0..).find(|n| found.get(*n) != expected.get(*n)).unwrap();
        return Err(format!(
            "at {place}, {} has {:?}, {} has {:?}",
            right.name(),
            expected.get(place),
            other.name(),
            found.get(place)
        ));
    }
    Ok(expected)
}

/// The smallest script found that still fails.
pub(crate) fn shrink(mut steps: Vec<Step>, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    // What a plainer event no longer needs goes in the next round.
    for _ in 0..SHRINK_ROUNDS {
        steps = smaller(steps, fails);
    }
    steps
}

fn smaller(steps: Vec<Step>, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut steps = fewer(steps, fails);
    for at in (0..steps.len()).rev() {
        let (now, batch) = steps[at].clone();
        let mut with = |batch: Batch| {
            let mut shorter = steps.clone();
            shorter[at] = (now, batch);
            fails(&shorter)
        };
        let kept = match batch {
            Batch::Accounts(events) => {
                let mut fails = |events: &[Account]| with(Batch::Accounts(events.to_vec()));
                Batch::Accounts(fewer(events, &mut fails))
            }
            Batch::Transfers(events) => {
                let mut fails = |events: &[Transfer]| with(Batch::Transfers(events.to_vec()));
                Batch::Transfers(plainer(fewer(events, &mut fails), &mut fails))
            }
        };
        steps[at] = (now, kept);
    }
    fewer(steps, fails)
}

/// Leaves out what is not needed: halves first, then smaller and smaller parts.
fn fewer<T: Clone>(mut items: Vec<T>, fails: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    let mut part = items.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < items.len() && items.len() > 1 {
            let mut rest = items.clone();
            rest.drain(from..items.len().min(from + part));
            if !rest.is_empty() && fails(&rest) {
                items = rest;
            } else {
                from += part;
            }
        }
        part /= 2;
    }
    items
}

/// Sets to nothing what need not be something.
fn plainer(mut events: Vec<Transfer>, fails: &mut dyn FnMut(&[Transfer]) -> bool) -> Vec<Transfer> {
    let changes: [fn(&mut Transfer); 6] = [
        |t| t.user_data_128 = 0,
        |t| t.user_data_64 = 0,
        |t| t.user_data_32 = 0,
        |t| t.timeout = 0,
        |t| t.flags = t.flags.without(ledger::TransferFlags::LINKED),
        |t| t.amount = t.amount.min(1),
    ];
    for at in 0..events.len() {
        for change in changes {
            let mut plain = events.clone();
            change(&mut plain[at]);
            if plain != events && fails(&plain) {
                events = plain;
            }
        }
    }
    events
}

/// Runs one seed. A difference is shrunk and told as a case of `cases.txt`, with what the first
/// engine answers and how to run the seed again.
pub(crate) fn run(
    seed: u64,
    new: &dyn Fn(usize) -> Vec<Box<dyn Rival>>,
    seen: &mut Seen,
) -> Result<usize, String> {
    let steps = script(seed);
    let count = steps.iter().map(|(_, batch)| transfers_of(batch)).sum();
    let widest = steps.iter().map(|(_, batch)| length(batch)).max().unwrap_or(0);
    let new = || new(widest);
    let Err(first) = play(&steps, &mut new(), seen) else { return Ok(count) };
    let events = steps.len();
    let mut unseen = Seen::default();
    let small = shrink(steps, &mut |steps| play(steps, &mut new(), &mut unseen).is_err());
    let mut right = new().swap_remove(0);
    let told: String =
        small.iter().map(|(now, batch)| notation::batch(batch, &right.give(*now, batch))).collect();
    let last = match play(&small, &mut new(), &mut unseen) {
        Err(difference) => difference.what,
        Ok(()) => "did not differ again".to_owned(),
    };
    Err(format!(
        "seed {seed} (DIFFERENTIAL_SEED={seed}), batch {} of {events}: {}\n\
         the same in small: {last}\n\n== seed {seed}\n{told}",
        first.at, first.what
    ))
}
