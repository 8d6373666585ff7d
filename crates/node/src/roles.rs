//! The processes of a nation, each from its options to its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use host::config::{Channels, ParticipantSection, Profile, Shares, TerminalRole};
use host::history::{History, HubKeys};
use host::{Config, Door, Host, HostError, HostKeys, Level, LinkMacs, Role};
use journal::index::IndexError;
use journal::{DiskErrorKind, HeadFound, NodeId, OpenError, Options, Recovery, Replay, Writer};
use parties::bank::{BankConfig, BankFaults, BankTimes, Refill, Special};
use parties::shop::{Manners, ShopConfig, ShopTimes};
use parties::{BankHost, Shop};
use scheme::{Amount, ParticipantId, RetailerId, StationId, TerminalId, Timestamp};

use crate::adapters::{BankDriven, HostDriven, ShopsDriven, Station};
use crate::beside::Beside;
use crate::channels;
use crate::clock;
use crate::commit::Committer;
use crate::disk::FileDisk;
use crate::driven::Driven;
use crate::error::{RunError, RunErrorKind};
use crate::event_loop::{EventLoop, OpenDoor, Parts, Reactor};
use crate::history::Historian;
use crate::http::{Archive, Server};
use crate::key_files;
use crate::limits::{BANK_REDIAL_MAX_MS, NAMES_SHOWN, PREDECESSOR_WAIT};
use crate::machine::Machine;
use crate::options::RunOptions;
use crate::poison::{self, Graveyard};
use crate::probe_cards;
use crate::process::{Process, tell_supervisor};
use crate::role::RoleName;
use crate::tls;

/// Runs the hub until it is told to stop.
pub fn run_hub(options: &RunOptions) -> Result<(), RunError> {
    tell_supervisor(hub(options))
}

/// Runs the station of that name until it is told to stop.
pub fn run_station(name: &str, options: &RunOptions) -> Result<(), RunError> {
    tell_supervisor(station(name, options))
}

/// Runs a simulated bank until it is told to stop.
pub fn run_bank(id: ParticipantId, options: &RunOptions) -> Result<(), RunError> {
    tell_supervisor(bank(id, options))
}

/// Runs the simulated shops of all stations until they are told to stop.
pub fn run_shops(options: &RunOptions) -> Result<(), RunError> {
    tell_supervisor(shops(options))
}

fn hub(options: &RunOptions) -> Result<(), RunError> {
    let mut process = Process::begin(RoleName::Hub, options)?;
    let http = process.config.hub.http;
    run_host(&mut process, Role::Hub, http)
}

fn station(name: &str, options: &RunOptions) -> Result<(), RunError> {
    let role = RoleName::Station(name.to_owned());
    let known = options.configuration()?;
    let station = known.station_named(name).ok_or_else(|| unknown(&known, &role))?;
    let mut process = Process::begin(role, options)?;
    run_host(&mut process, Role::Station(station.id), station.http)
}

fn bank(id: ParticipantId, options: &RunOptions) -> Result<(), RunError> {
    let role = RoleName::Bank(id);
    let known = options.configuration()?;
    let participant = known.participant(id).ok_or_else(|| unknown(&known, &role))?;
    let bank = bank_config(&known, participant)?;
    let process = Process::begin(role, options)?;
    channels::prepare(&process.layout, &process.config)?;
    let mac = match known.channels {
        Channels::Secure => Some(tls::bank_mac(&process.layout.keys(), id)?),
        Channels::Plain => None,
    };
    let mut bank = BankHost::new(BankConfig { mac, ..bank });
    let clocks = clock::read();
    let (writer, recovery) = open_bank(&process, &mut bank, clocks.wall)?;
    report(&process, &recovery);
    let last = Timestamp(writer.mark().time_ns);
    let driven = BankDriven::new(bank, known.hub.banks, clocks, last);
    let reactor = Reactor::new()?;
    let steady = clock::SteadyClock::start(clocks);
    let log = Arc::clone(&process.log);
    let committer = Committer::spawn(writer, steady, reactor.waker(), log)?;
    run(&process, reactor, driven, Vec::new(), Some(committer), None)
}

fn shops(options: &RunOptions) -> Result<(), RunError> {
    if options.configuration()?.profile != Profile::Demo {
        let message = "the simulated shops have no certificates: stations refuse them";
        let remedy =
            "use `profile = \"demo\"`, or terminals with certificates (`bongsu init --for`)";
        return Err(RunError::new(RunErrorKind::Config, message, "security.profile", remedy));
    }
    let process = Process::begin(RoleName::Shops, options)?;
    let config = &process.config;
    let rate = options.traffic.unwrap_or(config.simulation.payments_per_s);
    let shops = shop_configs(config, rate);
    let shops = shops.into_iter().map(|(shop, at)| (Shop::new(shop), at)).collect();
    let driven = ShopsDriven::new(shops, clock::read());
    run(&process, Reactor::new()?, driven, Vec::new(), None, None)
}

fn run_host(process: &mut Process, role: Role, http: SocketAddr) -> Result<(), RunError> {
    let vault = key_files::vault(&process.layout, &process.role)?;
    channels::prepare(&process.layout, &process.config)?;
    let macs = match role {
        Role::Hub => channels::macs(process)?,
        Role::Station(_) => LinkMacs::Off,
    };
    let disk = open_disk(process)?;
    let clocks = clock::read();
    let keys = HostKeys { vault, macs };
    let mut beside = Beside::start()?;
    if role == Role::Hub {
        let keys = HubKeys::new(&process.config);
        beside.read_history(open_disk(process)?, open_disk(process)?, keys)?;
    }
    let mut opened = Host::open_beside(role, &process.config, keys, disk, clocks, &mut beside)
        .map_err(|error| host_error(process, error))?;
    drop(beside);
    report(process, &opened.recovery);
    let mut doors = Vec::new();
    let mut kinds = Vec::new();
    for door in opened.host.doors() {
        let name = door_name(door.door);
        let open = OpenDoor::bind(name, door.address, PREDECESSOR_WAIT)?;
        doors.push((name, open.secured(channels::is_secure(&process.config, door.door))));
        kinds.push(door.door);
    }
    let http = OpenDoor::bind("http", http, PREDECESSOR_WAIT)?;
    let reactor = Reactor::new()?;
    let steady = clock::SteadyClock::start(clocks);
    let log = Arc::clone(&process.log);
    let committer = Committer::spawn(opened.writer, steady, reactor.waker(), log)?;
    let machine = Arc::new(Machine::new(&process.layout.journal(&process.role)));
    let trunk = process.config.hub.trunk;
    let limits = &process.config.limits;
    let graves = Graveyard::at(process.layout.poison(&process.role)).read()?;
    let (poisons, deaths) = poison::judge(&graves, limits.poison_deaths, limits.poison_window_s);
    opened.host.refuse(poisons);
    if let Role::Station(_) = role {
        opened.host.probe_with(probe_cards::cards(&process.layout, &process.config)?);
    }
    process.note([opened.notices, deaths].concat());
    let historian = historian(process, &opened.host, opened.history, &reactor)?;
    let driven = HostDriven::new(opened.host, role, kinds, trunk, Arc::clone(&machine));
    let driven = driven.reading(historian);
    let journal = process.layout.journal(&process.role);
    let archive = Archive::new(journal, process.config.currency);
    let archive = (role == Role::Hub).then_some(archive);
    let secure = role == Role::Hub && process.config.channels == Channels::Secure;
    let keys = secure.then(|| process.layout.keys());
    let shown = Shown { http, machine, archive, keys };
    run(process, reactor, driven, doors, Some(committer), Some(shown))
}

/// A hub's reader of its history.
fn historian(
    process: &Process,
    host: &Host,
    history: Option<History<()>>,
    reactor: &Reactor,
) -> Result<Option<Historian>, RunError> {
    let Some(covered) = host.covered() else { return Ok(None) };
    let failed = |error: IndexError| {
        let place = process.layout.journal(&process.role).display().to_string();
        let remedy = "check that this directory can be written, and the disk (`dmesg`)";
        RunError::new(RunErrorKind::Journal, error.to_string(), place, remedy)
    };
    // One of which nothing is open: the recovery has put a new head in the old one's place.
    let disk = open_disk(process)?;
    let history = match history {
        Some(history) => history.on(disk),
        None => History::open(disk, HubKeys::new(&process.config), covered).map_err(failed)?,
    };
    Historian::spawn(history, reactor.waker(), Arc::clone(&process.log)).map(Some)
}

/// What a role with pages on TCP shows beside its loop's answers.
struct Shown {
    http: OpenDoor,
    machine: Arc<Machine>,
    /// Hub: where stories are read.
    archive: Option<Archive>,
    /// Hub: where banks' MAC keys are.
    keys: Option<PathBuf>,
}

/// The loop of any role, with its pages beside it.
fn run<D: Driven>(
    process: &Process,
    reactor: Reactor,
    driven: D,
    doors: Vec<(&'static str, OpenDoor)>,
    committer: Option<Committer>,
    shown: Option<Shown>,
) -> Result<(), RunError> {
    let named = doors.iter().map(|(name, door)| (*name, door.address()));
    let pages = shown.iter().map(|shown| ("http", shown.http.address()));
    let addresses: BTreeMap<String, String> =
        named.chain(pages).map(|(name, at)| (name.to_owned(), at.to_string())).collect();
    let commits = committer.as_ref().map(Committer::counts);
    let pages = process.pages(reactor.desk(), reactor.counts(), commits);
    let (http, pages) = match shown {
        Some(Shown { http, machine, archive, keys }) => {
            (Some(http), pages.about(Some(machine)).reading(archive).with_keys(keys))
        }
        None => (None, pages),
    };
    let socket = process.layout.socket(&process.role);
    let server = Server::start(pages, http, &socket, Arc::clone(&process.log))?;
    process.enter(&addresses)?;
    let handshakes = match process.role {
        RoleName::Shops => None,
        RoleName::Hub | RoleName::Station(_) | RoleName::Bank(_) => {
            channels::handshakes(process, &reactor)?
        }
    };
    let parts = Parts {
        driven,
        doors: doors.into_iter().map(|(_, door)| door).collect(),
        committer,
        calls_are_secure: handshakes.is_some(),
        handshakes,
        poison: Graveyard::at(process.layout.poison(&process.role)),
        per_address: process.config.limits.connections_per_address,
        accepts_per_s: process.config.limits.accepts_per_s,
        signals: process.signals()?,
        log: Arc::clone(&process.log),
        on_ready: process.announce(&addresses),
    };
    let result = EventLoop::new(reactor, parts)?.run();
    server.stop();
    process.leave();
    result
}

fn door_name(door: Door) -> &'static str {
    match door {
        Door::Terminals => "terminals",
        Door::Banks => "banks",
        Door::Trunk => "trunk",
    }
}

fn open_disk(process: &Process) -> Result<FileDisk, RunError> {
    let path = process.layout.journal(&process.role);
    FileDisk::open(&path).map_err(|error| RunError::file("open the journal", &path, &error))
}

fn open_bank(
    process: &Process,
    bank: &mut BankHost,
    now: Timestamp,
) -> Result<(Writer<FileDisk>, Recovery), RunError> {
    let disk = open_disk(process)?;
    // `bank-` and at most eleven digits: 16 bytes.
    let node = NodeId::from_name(&process.role.to_string()).unwrap_or_default();
    let journal = process.config.journal;
    let segment_bytes = journal.segment_bytes;
    let options = Options { block: journal.block, segment_bytes, ..Options::new(node) };
    let mut replay = |item: Replay<'_>| match item {
        Replay::Snapshot { .. } => Err("a bank writes no snapshots".to_owned()),
        Replay::Record(record) => bank.replay(&record).map_err(|error| error.to_string()),
        Replay::End => Ok(()),
    };
    journal::open(disk, options, now.0, &mut replay).map_err(|error| journal_error(process, error))
}

fn report(process: &Process, recovery: &Recovery) {
    let cut = recovery.cut.as_ref();
    let (head, head_frame, slot_torn) = match recovery.head {
        HeadFound::New => ("new", None, false),
        HeadFound::Stopped => ("stopped", None, false),
        HeadFound::Running { frame, slot_torn } => ("running", Some(frame), slot_torn),
    };
    let values = [
        ("records", recovery.records.into()),
        ("frames", recovery.frames.into()),
        ("head", head.into()),
        ("head_frame", head_frame.into()),
        ("head_slot_torn", slot_torn.into()),
        ("cut_bytes", cut.map_or(0, |cut| cut.bytes).into()),
        ("snapshot", recovery.snapshot_used.into()),
    ];
    let odd = cut.is_some() || !recovery.snapshots_refused.is_empty();
    let level = if odd { Level::Warn } else { Level::Info };
    process.log.say(level, "recovered", &values);
    for file in &recovery.snapshots_refused {
        process.log.say(Level::Warn, "snapshot_refused", &[("file", file.as_str().into())]);
    }
}

pub(crate) fn unknown(config: &Config, role: &RoleName) -> RunError {
    let message = "the configuration does not know this role";
    let (what, mut names): (_, Vec<String>) = match role {
        RoleName::Bank(_) => {
            ("banks", config.participants.iter().map(|p| p.id.to_string()).collect())
        }
        RoleName::Hub | RoleName::Station(_) | RoleName::Shops => {
            ("stations", config.stations.iter().map(|s| s.name.clone()).collect())
        }
    };
    if names.len() > NAMES_SHOWN {
        names.truncate(NAMES_SHOWN);
        names.push("...".to_owned());
    }
    let remedy = format!("give one of its {what}: {}", names.join(", "));
    RunError::new(RunErrorKind::UnknownRole, message, role.to_string(), remedy)
}

fn host_error(process: &Process, error: HostError) -> RunError {
    match error {
        HostError::Journal(error) => journal_error(process, error),
        HostError::UnknownRole => unknown(&process.config, &process.role),
        HostError::Epoch(_) => {
            let place = process.layout.journal(&process.role).display().to_string();
            RunError::new(RunErrorKind::Journal, error.to_string(), place, "check the disk")
        }
    }
}

fn journal_error(process: &Process, error: OpenError) -> RunError {
    let place = process.layout.journal(&process.role).display().to_string();
    let kind = match &error {
        OpenError::Damaged(_) => RunErrorKind::JournalDamaged,
        OpenError::Disk(_)
        | OpenError::WrongNode { .. }
        | OpenError::Newer { .. }
        | OpenError::Absent
        | OpenError::Refused { .. }
        | OpenError::Options => RunErrorKind::Journal,
    };
    RunError::new(kind, error.to_string(), place, journal_remedy(&process.role, &error))
}

fn journal_remedy(role: &RoleName, error: &OpenError) -> &'static str {
    match error {
        OpenError::Damaged(_) => match role {
            RoleName::Hub => {
                "nothing was changed: delete nothing; `bongsu ledger verify` reads all that holds; \
                 `bongsu restore` brings a backup back; see \"The journal is damaged\" in the \
                 manual"
            }
            RoleName::Station(_) | RoleName::Bank(_) | RoleName::Shops => {
                "nothing was changed: delete nothing; the other roles go on; `bongsu restore` \
                 brings a backup back; see \"The journal is damaged\" in the manual"
            }
        },
        OpenError::Disk(error) => match error.kind {
            DiskErrorKind::NoSpace => {
                "make room on the disk, `df -h` shows which is full, and start again"
            }
            DiskErrorKind::NotFound
            | DiskErrorKind::Exists
            | DiskErrorKind::Io
            | DiskErrorKind::Crashed => {
                "check that this directory can be written, and the disk (`dmesg`)"
            }
        },
        OpenError::WrongNode { .. } => "put back this role's own journal",
        OpenError::Newer { .. } => {
            "nothing was changed: run the release that wrote it, or a later one"
        }
        OpenError::Refused { .. } => {
            "nothing was changed: a later release may have written this record, run that one; if \
             it was this one, report it"
        }
        OpenError::Absent | OpenError::Options => "see `bongsu ledger verify`",
    }
}

pub(crate) fn bank_config(
    config: &Config,
    section: &ParticipantSection,
) -> Result<BankConfig, RunError> {
    let simulation = &config.simulation;
    let iin = section.iins.first().copied().ok_or_else(|| {
        let message = "a simulated bank needs a card prefix";
        let place = format!("participant {}", section.id);
        RunError::new(RunErrorKind::Config, message, place, "give it `iins`")
    })?;
    let (first, last) = simulation.shop_accounts;
    let (below, to) = (simulation.refill_below, simulation.opening);
    Ok(BankConfig {
        id: section.id,
        iin,
        currency: config.currency,
        accounts: simulation.accounts,
        opening: simulation.opening,
        special: vec![
            (simulation.rich_account, Special::Holds(simulation.rich_opening)),
            (simulation.empty_account, Special::Holds(Amount::ZERO)),
            (simulation.blocked_account, Special::Blocked),
            (simulation.lost_account, Special::Lost),
        ],
        expiry: simulation.expiry,
        refill: Some(Refill { first, last, below, to }),
        connections: simulation.bank_connections,
        seed: section.id.get(),
        times: BankTimes { redial_max_ms: BANK_REDIAL_MAX_MS, ..BankTimes::default() },
        faults: BankFaults::default(),
        mac: None,
        counter: counter(config, section.id).map(Box::new),
    })
}

/// Where a simulated bank's own terminals are: nine of them, in no register (R-LINK).
fn counter(config: &Config, bank: ParticipantId) -> Option<ShopConfig> {
    let rate = config.simulation.bank_payments_per_s;
    let issuers = config.participants.iter().filter_map(|p| p.iins.first().copied()).collect();
    let zone = config.zone.clone();
    // The station is not looked at.
    let usual = ShopConfig::example(StationId(0), "HST", bank, issuers, zone, bank.get())?;
    let rate_per_1000_s = u64::from(rate) * 1000;
    (rate > 0).then(|| ShopConfig { rate_per_1000_s, ..with_customers(config, usual) })
}

/// The same shop with the customers of the configuration.
fn with_customers(config: &Config, shop: ShopConfig) -> ShopConfig {
    let simulation = &config.simulation;
    ShopConfig {
        account_first: simulation.shop_accounts.0,
        account_last: simulation.shop_accounts.1,
        expiry: simulation.expiry,
        amount_min_minor: simulation.amount_min.minor(),
        amount_max_minor: simulation.amount_max.minor(),
        currency: config.currency,
        manners: manners(config),
        ..shop
    }
}

/// The staff of a simulated shop, and what customers come for.
fn manners(config: &Config) -> Manners {
    let Shares { cash, refund, balance, preauth, part } = config.simulation.shares;
    // Without PINs nobody but a demo pays out cash.
    let cash = if config.profile == Profile::Demo { cash } else { 0 };
    Manners { cash, refund, balance, preauth, cancel_part: part, ..Manners::everyday() }
}

/// One shop for each retailer's shop terminals at each station; the rate is shared by terminals.
pub(crate) fn shop_configs(config: &Config, rate_per_s: u32) -> Vec<(ShopConfig, Station)> {
    type Key = (StationId, ParticipantId, RetailerId);
    let mut shops: BTreeMap<Key, Vec<TerminalId>> = BTreeMap::new();
    for terminal in config.terminals.iter().filter(|t| t.role == TerminalRole::Shop) {
        let key = (terminal.station, terminal.acquirer, terminal.retailer);
        shops.entry(key).or_default().push(terminal.terminal);
    }
    let all: usize = shops.values().map(Vec::len).sum();
    let simulation = &config.simulation;
    let issuers: Vec<_> = config.participants.iter().filter_map(|p| p.iins.first()).collect();
    let mut list = Vec::new();
    for ((station, acquirer, retailer), terminals) in shops {
        let Some(section) = config.station(station) else { continue };
        let at = (RoleName::Station(section.name.clone()).to_string(), section.listen);
        let share = u64::from(rate_per_s) * 1000 * terminals.len() as u64;
        let shop = ShopConfig {
            station,
            retailer,
            acquirer,
            issuers: issuers.iter().map(|iin| **iin).collect(),
            account_first: simulation.shop_accounts.0,
            account_last: simulation.shop_accounts.1,
            expiry: simulation.expiry,
            amount_min_minor: simulation.amount_min.minor(),
            amount_max_minor: simulation.amount_max.minor(),
            currency: config.currency,
            zone: config.zone.clone(),
            rate_per_1000_s: share.checked_div(all as u64).unwrap_or(0),
            connections: terminals.len().clamp(1, 3),
            in_flight_max: 256,
            seed: u64::from(station.0),
            times: ShopTimes::default(),
            manners: manners(config),
            terminals,
        };
        list.push((shop, at));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_of_the_example_share_the_rate_and_use_their_own_terminals() {
        let config = Config::example();
        let shops = shop_configs(&config, 20);
        assert_eq!(shops.len(), config.stations.len());
        let rate: u64 = shops.iter().map(|(shop, _)| shop.rate_per_1000_s).sum();
        assert_eq!(rate, 20_000);
        let (first, at) = &shops[0];
        let names: Vec<_> = first.terminals.iter().map(ToString::to_string).collect();
        assert_eq!(names.first().map(String::as_str), Some("PYO00011"));
        assert_eq!(names.last().map(String::as_str), Some("PYO00019"));
        assert_eq!(names.len(), 9);
        assert_eq!((at.0.as_str(), at.1.port()), ("station-pyongyang", 8583));
        assert_eq!(shop_configs(&config, 0)[0].0.rate_per_1000_s, 0);
    }
}
