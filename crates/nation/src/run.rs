//! One run: faults rage, the nation heals and goes on paying, shops close, everything drains, and
//! the auditor judges.

use std::collections::{BTreeMap, BTreeSet};

use host::offline::Offline;
use host::view::{AccountView, Overview, PaymentFilter, PaymentPage, PaymentView, Query, Reply};

use scheme::PaymentId;

use crate::actor::Actor;
use crate::audit::{self, Evidence, Violation};
use crate::gather;
use crate::limits::{DRAIN_STEP_MS, HISTORY_ASKED_MAX, LOOK_EVERY_LONG_MS, LOOK_EVERY_MS};
use crate::machine::state_hash;
use crate::scenario::{Measure, Place, Planned, Planted, Scenario};
use crate::world::cluster::Ledger;
use crate::world::{MS, World};

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Over everything that every machine was told and wanted, and over all final states: equal
    /// for equal scenarios, on every machine.
    pub hash: u128,
    /// What it did.
    pub stats: Stats,
    /// How often each fault struck and each rare thing happened, by name.
    pub coverage: BTreeMap<&'static str, u64>,
    /// Everything that must not be, with the simulated time of its finding in ms.
    pub broken: Vec<(u64, Violation)>,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Simulated time, ms.
    pub simulated_ms: u64,
    /// From the close of the shops until all was quiet, ms.
    pub drain_ms: u64,
    /// Payments that shops began.
    pub payments: u64,
    /// Approvals that shops saw.
    pub approved: u64,
    /// Refusals that shops saw.
    pub declined: u64,
    /// Reversals that were acknowledged to shops.
    pub reversed: u64,
    /// Payments that shops walked away from.
    pub unknown: u64,
    /// Purchases that ended, one way or another.
    pub purchases: u64,
    /// Of these, approved, whatever came after.
    pub purchases_approved: u64,
    /// Starts of machines after the first.
    pub restarts: u64,
    /// The furthest that any bank's net position was seen from zero, minor units.
    pub furthest_minor: u64,
}

/// Runs a scenario to its end.
pub fn run(scenario: &Scenario) -> Outcome {
    live(World::new(scenario, None)).0
}

/// Runs a scenario that has a cluster with this one, which nobody else has used.
pub fn run_on(scenario: &Scenario, ledger: Ledger) -> Outcome {
    live(World::new(scenario, Some(ledger))).0
}

/// Runs a scenario and tells what happened, line by line.
pub fn run_told(scenario: &Scenario) -> (Outcome, Vec<String>) {
    let mut world = World::new(scenario, None);
    world.story.wanted = true;
    live(world)
}

fn live(mut world: World) -> (Outcome, Vec<String>) {
    rage(&mut world);
    world.heal();
    let healed = world.schedule.now();
    let calm = healed + world.scenario.calm_ms * MS;
    world.run_until(calm);
    world.close_shops();
    let drain_ms = drain(&mut world, calm);
    let evidence = evidence(&mut world);
    if world.broken.is_empty() {
        judge(&mut world, &evidence);
    }
    let story = std::mem::take(&mut world.story.lines);
    (finish(world, drain_ms), story)
}

/// Until the faults end, with a look at the accounts now and then.
fn rage(world: &mut World) {
    let end = world.scenario.fault_ms * MS;
    let every = match world.scenario.measure {
        Measure::Tenth => LOOK_EVERY_MS,
        Measure::Example { .. } => LOOK_EVERY_LONG_MS,
    };
    let mut at = 0;
    while at < end && world.broken.is_empty() {
        at = end.min(at + every * MS);
        world.run_until(at);
        world.look();
    }
}

/// Until nothing is under way or owed; how long that took, ms.
fn drain(world: &mut World, from: u64) -> u64 {
    let until = from + world.scenario.drain_ms * MS;
    loop {
        let now = world.schedule.now();
        if !world.broken.is_empty() || now >= until || is_quiet(world) {
            return (now - from) / MS;
        }
        world.run_until(now + DRAIN_STEP_MS * MS);
    }
}

fn is_quiet(world: &mut World) -> bool {
    let busy = world.machines.values().any(|machine| match &machine.actor {
        Some(Actor::Shop(shop)) => !shop.is_idle(),
        Some(Actor::Bank(bank)) => !bank.is_durable() || !bank.is_idle() || bank.signed_on() == 0,
        Some(Actor::Role(_)) => machine.flying.is_some(),
        None => true,
    });
    if busy {
        return false;
    }
    let roles: Vec<Place> = roles(world);
    let overviews: Vec<_> = roles.into_iter().map(|place| overview(world, place)).collect();
    overviews.iter().all(|role| {
        role.in_flight == 0
            && role.saf_depth == 0
            && role.peers.iter().all(|peer| peer.state == "up")
            && role.banks.iter().all(|bank| bank.state == "signed_on")
    }) && world.machines.values().all(|machine| machine.flying.is_none())
        && (world.scenario.hold_ms.is_none() || holds_nothing(&accounts(world)))
}

/// Whether every hold has come to its end.
fn holds_nothing(accounts: &[AccountView]) -> bool {
    accounts.iter().all(|account| account.debits_pending == "0.00")
}

fn roles(world: &World) -> Vec<Place> {
    let all = world.machines.keys().copied();
    all.filter(|place| matches!(place, Place::Hub | Place::Station(_))).collect()
}

/// A role's totals; of one that does not answer, something that is never quiet.
fn overview(world: &mut World, place: Place) -> Overview {
    match world.ask(place, Query::Overview) {
        Some(Reply::Overview(overview)) => overview,
        Some(
            Reply::Accounts(_)
            | Reply::Payments(_)
            | Reply::Metrics(_)
            | Reply::Change(_)
            | Reply::NotHere,
        )
        | None => Overview { role: place.to_string(), in_flight: u64::MAX, ..Overview::default() },
    }
}

fn evidence(world: &mut World) -> Evidence {
    let hub = overview(world, Place::Hub);
    let stations = (1..=world.scenario.stations)
        .map(|number| overview(world, Place::Station(number)))
        .collect();
    let accounts = accounts(world);
    let mut payments = payments(world);
    if let Some(Planted::Published(lie)) = world.scenario.planted {
        gather::lie(lie, &mut payments);
    }
    let (banks, askers) = (gather::banks(world), gather::askers(world));
    Evidence { hub, stations, accounts, payments, banks, askers, rules: gather::rules(world) }
}

fn accounts(world: &mut World) -> Vec<AccountView> {
    match world.ask(Place::Hub, Query::Accounts) {
        Some(Reply::Accounts(accounts)) => accounts,
        Some(
            Reply::Overview(_)
            | Reply::Payments(_)
            | Reply::Metrics(_)
            | Reply::Change(_)
            | Reply::NotHere,
        )
        | None => Vec::new(),
    }
}

/// Every payment of the hub, page by page, as a bank's back office would download them; those that
/// it keeps in its history alone, one by one, as its journal has them.
fn payments(world: &mut World) -> Vec<PaymentView> {
    let limit = host::limits::QUERY_PAYMENTS_MAX;
    let mut filter = PaymentFilter { limit, ..PaymentFilter::default() };
    let mut all = Vec::new();
    loop {
        let page = page(world, filter.clone());
        all.extend(page.payments);
        filter.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let Some(disk) = world.machines.get(&Place::Hub).map(|hub| hub.disk.copy()) else { return all };
    let Ok(journal) = Offline::read(&world.config, disk, true) else { return all };
    let known: BTreeSet<String> = all.iter().map(|payment| payment.id.clone()).collect();
    let unknown = journal.all_payments().into_iter().filter(|one| !known.contains(&one.id));
    for (n, payment) in unknown.enumerate() {
        // Each takes its time; of a long run the journal's own word must do for the rest.
        if n >= HISTORY_ASKED_MAX {
            all.push(payment);
            continue;
        }
        let id = u128::from_str_radix(&payment.id, 16).ok().and_then(PaymentId::new);
        let one = page(world, PaymentFilter { id, limit, ..PaymentFilter::default() });
        world.count("payment of history asked for");
        if one.payments != [payment.clone()] {
            let what = format!("history has {:?} for {payment:?}", one.payments);
            world.violation(Violation::Machine(what));
        }
        all.extend(one.payments);
    }
    all
}

fn page(world: &mut World, filter: PaymentFilter) -> PaymentPage {
    match world.ask(Place::Hub, Query::Payments(filter)) {
        Some(Reply::Payments(page)) => page,
        Some(
            Reply::Overview(_)
            | Reply::Accounts(_)
            | Reply::Metrics(_)
            | Reply::Change(_)
            | Reply::NotHere,
        )
        | None => PaymentPage::default(),
    }
}

fn judge(world: &mut World, evidence: &Evidence) {
    for violation in audit::judge(evidence) {
        world.violation(violation);
    }
    if world.worked == 0 && world.scenario.cap.is_none() && world.scenario.calm_ms > 2_000 {
        let what = "no approval after everything was healed".to_owned();
        world.violation(Violation::NoWork(what));
    }
    cluster(world, evidence);
    replays(world);
    disks(world);
}

/// The ledger's cluster has what the hub says that the ledger has.
fn cluster(world: &mut World, evidence: &Evidence) {
    if world.scenario.cluster_us.is_none() {
        return;
    }
    for account in &evidence.accounts {
        let there = u128::from_str_radix(&account.id, 16).ok().and_then(|id| world.at_cluster(id));
        let AccountView { debits_pending, credits_pending, .. } = account.clone();
        let AccountView { debits_posted, credits_posted, .. } = account.clone();
        if there != Some([debits_pending, credits_pending, debits_posted, credits_posted]) {
            let what = format!("the cluster has {there:?} for {account:?}");
            world.violation(Violation::Positions(what));
        }
    }
    world.count("cluster compared");
}

/// Every journal, opened again on a copy of its disk, gives the state that the live machine has.
fn replays(world: &mut World) {
    let now = world.schedule.now();
    let mut found = Vec::new();
    for machine in world.machines.values() {
        let live = machine.actor.as_ref().and_then(state_hash);
        let Some(live) = live.filter(|_| machine.flying.is_none()) else { continue };
        let disk = machine.disk.copy();
        match machine.open(&world.config, &world.scenario, false, now, disk) {
            Ok(started) if state_hash(&started.actor) == Some(live) => {}
            Ok(_) => found.push(Violation::Replay(format!("{} at the end", machine.place))),
            Err(error) => {
                found.push(Violation::Damage(format!("{} at the end: {error:?}", machine.place)));
            }
        }
    }
    for violation in found {
        world.violation(violation);
    }
}

fn disks(world: &mut World) {
    let mut found = Vec::new();
    for machine in world.machines.values() {
        let secret = machine.disk.with(|disk| world.secrets.on_disk(disk));
        if let Some((file, what)) = secret {
            found.push(Violation::Secret(format!("{what} in {file} of {}", machine.place)));
        }
    }
    for violation in found {
        world.violation(violation);
    }
}

fn finish(mut world: World, drain_ms: u64) -> Outcome {
    let mut stats = Stats { drain_ms, ..Stats::default() };
    let mut hash = world.trace;
    for machine in world.machines.values() {
        hash.wide(machine.actor.as_ref().and_then(state_hash).unwrap_or(0));
        stats.restarts += u64::from(machine.life);
        let counts = match &machine.actor {
            Some(Actor::Shop(shop)) => Some(shop.counts()),
            Some(Actor::Bank(bank)) => Some(bank.acquired()),
            Some(Actor::Role(_)) | None => None,
        };
        if let Some(counts) = counts {
            stats.payments += counts.started;
            stats.approved += counts.approved;
            stats.declined += counts.declined;
            stats.reversed += counts.reversed;
            stats.unknown += counts.unknown;
            *world.coverage.entry("terminal repeats").or_default() += counts.repeats;
            *world.coverage.entry("terminal reversals").or_default() += counts.reversals;
        }
        if let Some(Actor::Bank(bank)) = &machine.actor {
            for (oddity, count) in &bank.counts().oddities {
                *world.coverage.entry(oddity_name(*oddity)).or_default() += count;
            }
        }
    }
    for (name, count) in &world.net.counts {
        *world.coverage.entry(name).or_default() += count;
    }
    let names = ["frame lost", "frame twice", "frame late", "secrets planted", "cheated"];
    for middlebox in world.net.middleboxes() {
        for (name, count) in names.iter().zip(middlebox.counts) {
            *world.coverage.entry(name).or_default() += count;
        }
    }
    stats.events = world.events;
    (stats.purchases, stats.purchases_approved) = world.purchases;
    stats.furthest_minor = world.furthest_minor;
    stats.simulated_ms = world.schedule.now() / MS;
    world.coverage.retain(|_, count| *count > 0);
    let broken = world.broken.into_iter().map(|(at, broken)| (at / MS, broken)).collect();
    Outcome { hash: hash.value(), stats, coverage: world.coverage, broken }
}

fn oddity_name(oddity: parties::bank::Oddity) -> &'static str {
    use parties::bank::Oddity;
    match oddity {
        Oddity::OtherContent => "bank: other content",
        Oddity::AfterItsReversal => "bank: original after its reversal",
        Oddity::UnknownOriginal => "bank: reversal of the unknown",
        Oddity::SecondReversal => "bank: second reversal",
        Oddity::OtherAmount => "bank: other amount",
        Oddity::SecondCompletion => "bank: second completion",
    }
}

/// A scenario with one fault and peace around it.
pub fn alone(seed: u64, faults: Vec<Planned>) -> Scenario {
    Scenario { faults, ..Scenario::peaceful(seed) }
}
