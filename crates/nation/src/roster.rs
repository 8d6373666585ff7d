//! Who a nation is made of: the example nation cut down to a scenario, its timers a tenth of the
//! rule book's, so that a run of seconds sees every one of them.

use std::collections::BTreeMap;

use host::config::{Config, TerminalRole};
use host::{HostError, HostKeys, LinkMacs, PeerName, Role};
use journal::{Block, NodeId, Options};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, LinkMac, TokenKey};
use parties::bank::{BankConfig, BankTimes, Refill};
use parties::shop::{ShopConfig, ShopTimes};
use scheme::{Amount, Iin, ParticipantId, RetailerId, StationId, TerminalId};
use switch::Timers;

use crate::limits::STATIONS_MAX;
use crate::scenario::{Measure, Place, Scenario, station_of};

/// A tenth of the rule book's delays (R-TIME); the windows of matching stay.
pub(crate) const TIMERS: Timers = Timers {
    issuer_answer_ms: 1_500,
    hub_answer_ms: 2_500,
    advice_repeat_ms: [1_500, 3_000, 4_000, 5_000, 5_000],
    advice_finding_ms: 60_000,
    echo_idle_ms: 3_000,
    echo_answer_ms: 1_000,
    heartbeat_ms: 100,
    suspect_ms: 300,
    cut_ms: 800,
    ..Timers::RULE_BOOK
};

/// Terminals wait this long, a tenth of 35 s.
const TERMINAL_TIMES: ShopTimes = ShopTimes {
    answer_wait_ms: 3_500,
    reversal_wait_ms: 3_500,
    complete_within_ms: 3_000,
    redial_min_ms: 50,
    redial_max_ms: 500,
};
/// Small segments, so that a run changes them now and then.
const SEGMENT_BYTES: u64 = 64 * 1024;
/// Next to nothing: what is over is let go and read back.
const WINDOW_PAYMENTS: usize = 2;
/// Records between two snapshots of the hub: several in every run.
const SNAPSHOT_RECORDS: u64 = 100;

/// The nation's configuration.
pub(crate) fn config(scenario: &Scenario) -> Config {
    let mut config = Config::example();
    let banks = usize::from(scenario.banks);
    config.timers = timers(scenario);
    config.simulation.bank_connections = scenario.bank_connections;
    config.journal.hub_segment_bytes = 2 * SEGMENT_BYTES;
    // The delays of the rule book mean a run of hours, which is about other things.
    if matches!(scenario.measure, Measure::Tenth) {
        config.limits.window_payments = WINDOW_PAYMENTS;
        config.journal.hub_segment_bytes = SEGMENT_BYTES / 2;
    }
    config.journal.snapshot_records = SNAPSHOT_RECORDS;
    config.journal.segment_bytes = SEGMENT_BYTES;
    config.journal.block = block(scenario);
    config.participants.truncate(banks);
    config.stations.truncate(usize::from(scenario.stations));
    let ids: Vec<_> = config.participants.iter().map(|bank| bank.id).collect();
    let nth = |place: usize| ids.get(place % banks.max(1)).copied();
    let acquirer = |station: StationId| nth(usize::from(station.0).saturating_sub(1));
    let second = |station: StationId| nth(usize::from(station.0));
    for station in &mut config.stations {
        station.acquirer = acquirer(station.id);
    }
    config.terminals.retain(|terminal| terminal.station.0 <= scenario.stations);
    for terminal in &mut config.terminals {
        let own = match terminal.role {
            TerminalRole::Tester if scenario.second_acquirers => second(terminal.station),
            TerminalRole::Tester | TerminalRole::Shop | TerminalRole::Probe => {
                acquirer(terminal.station)
            }
        };
        terminal.acquirer = own.unwrap_or(terminal.acquirer);
    }
    if let Some(cap) = scenario.cap {
        for bank in &mut config.participants {
            bank.cap = cap;
        }
    }
    config
}

fn timers(scenario: &Scenario) -> Timers {
    let mut timers = match scenario.measure {
        Measure::Tenth => TIMERS,
        Measure::Example { .. } => Config::example().timers,
    };
    if let Some(hold_ms) = scenario.hold_ms {
        (timers.preauth_ms, timers.late_completion_ms) = (hold_ms, hold_ms);
    }
    timers
}

/// How many times the file's own amounts shops ask for.
fn amounts(scenario: &Scenario) -> u64 {
    match scenario.measure {
        Measure::Tenth => 1,
        Measure::Example { amounts } => amounts,
    }
}

/// A disk that tears what lies beside a write needs blocks of its physical sectors.
fn block(scenario: &Scenario) -> Block {
    if scenario.physical_sectors { Block::B4096 } else { Block::B512 }
}

/// The role at a place; none where a party is.
pub(crate) fn role(place: Place) -> Option<Role> {
    match place {
        Place::Hub => Some(Role::Hub),
        Place::Station(number) => Some(Role::Station(StationId(number))),
        Place::Bank(_) | Place::Shop(_) => None,
    }
}

/// The same token key everywhere, card keys of its own at each place.
pub(crate) fn keys(
    config: &Config,
    scenario: &Scenario,
    place: Place,
) -> Result<HostKeys, HostError> {
    let own = match place {
        Place::Hub => 0,
        Place::Station(number) | Place::Bank(number) | Place::Shop(number) => number,
    };
    let [high, low] = own.to_be_bytes();
    let mut key = [0x42; 16];
    (key[0], key[1]) = (high, low);
    let card = CardKey::new(KeyId(1), Key128::from_random(key));
    let ring = CardRing::new(vec![card]).map_err(|_| HostError::UnknownRole)?;
    let token = TokenKey::new(Key128::from_random([0x17; 16]));
    let macs = link_macs(config, scenario);
    Ok(HostKeys { vault: CardVault::new(token, ring), macs })
}

/// The prefixes of all banks' cards.
pub(crate) fn iins(config: &Config) -> Vec<Iin> {
    config.participants.iter().filter_map(|bank| bank.iins.first().copied()).collect()
}

/// A bank's host. `raging`: with the scenario's faults.
pub(crate) fn bank(
    config: &Config,
    scenario: &Scenario,
    number: u16,
    raging: bool,
) -> Option<BankConfig> {
    let at = usize::from(number).checked_sub(1)?;
    let section = config.participants.get(at)?;
    let seed = scenario.seed.wrapping_mul(31).wrapping_add(u64::from(number));
    let mut bank = BankConfig::example(section.id, *section.iins.first()?, seed);
    let simulation = &config.simulation;
    let (first, last) = simulation.shop_accounts;
    bank.connections = simulation.bank_connections;
    bank.opening = simulation.opening;
    // No card may be too empty for one payment and too full for a refill.
    let most = Amount::new(2 * simulation.amount_max.minor() * amounts(scenario));
    let below = simulation.refill_below.max(most?);
    bank.refill = Some(Refill { first, last, below, to: simulation.opening });
    bank.times = BankTimes {
        echo_after_ms: config.timers.echo_idle_ms,
        network_wait_ms: config.timers.echo_answer_ms,
        redial_min_ms: 50,
        redial_max_ms: 500,
        ..BankTimes::default()
    };
    bank.mac = macs(scenario, number).map(|(from, to)| LinkMac::bank_side(&from, &to));
    bank.counter = counter(config, scenario, number).map(Box::new);
    if raging {
        bank.faults = scenario.bank_faults.get(at).copied().unwrap_or_default();
    }
    Some(bank)
}

/// How a bank's journal lies on its disk.
pub(crate) fn bank_options(scenario: &Scenario, number: u16) -> Options {
    let node = NodeId::from_name(&format!("bank-{number}")).unwrap_or_default();
    Options { segment_bytes: SEGMENT_BYTES, block: block(scenario), ..Options::new(node) }
}

/// The terminals of a shop.
pub(crate) fn shop(config: &Config, scenario: &Scenario, number: u16) -> Option<ShopConfig> {
    let station = StationId(station_of(number));
    let role = if number > STATIONS_MAX { TerminalRole::Tester } else { TerminalRole::Shop };
    let all = config.terminals.iter();
    let own = all.filter(|terminal| terminal.station == station && terminal.role == role);
    let first = own.clone().next()?;
    let seed = scenario.seed.wrapping_mul(37).wrapping_add(u64::from(number));
    let till = till(config, scenario, station, first.acquirer, seed)?;
    let terminals = own.map(|terminal| terminal.terminal).collect();
    Some(ShopConfig { terminals, retailer: first.retailer, ..till })
}

/// A bank's own terminals, which nobody registers.
fn counter(config: &Config, scenario: &Scenario, number: u16) -> Option<ShopConfig> {
    let section = config.participants.get(usize::from(number).checked_sub(1)?)?;
    let seed = scenario.seed.wrapping_mul(41).wrapping_add(u64::from(number));
    let till = till(config, scenario, StationId(1), section.id, seed)?;
    let terminal = |at: u16| TerminalId::new(format!("ATM{number:02}{at:03}").as_bytes()).ok();
    let terminals = (1..=3).map(terminal).collect::<Option<_>>()?;
    let retailer = RetailerId::new(format!("ATM-BANK-{number:06}").as_bytes()).ok()?;
    scenario.counters.then_some(ShopConfig { terminals, retailer, ..till })
}

fn till(
    config: &Config,
    scenario: &Scenario,
    station: StationId,
    acquirer: ParticipantId,
    seed: u64,
) -> Option<ShopConfig> {
    let example =
        ShopConfig::example(station, "PYO", acquirer, iins(config), config.zone.clone(), seed)?;
    let simulation = &config.simulation;
    let times = match scenario.measure {
        Measure::Tenth => TERMINAL_TIMES,
        Measure::Example { .. } => ShopTimes::default(),
    };
    let counters = if scenario.counters { u64::from(scenario.banks) } else { 0 };
    let tills = scenario.shops().count() as u64 + counters;
    Some(ShopConfig {
        account_first: simulation.shop_accounts.0,
        account_last: simulation.shop_accounts.1,
        amount_min_minor: simulation.amount_min.minor() * amounts(scenario),
        amount_max_minor: simulation.amount_max.minor() * amounts(scenario),
        rate_per_1000_s: scenario.rate_per_1000_s / tills.max(1),
        times,
        manners: scenario.manners,
        ..example
    })
}

/// The name in a machine's certificate, where channels have certificates; terminals are plain.
pub(crate) fn identity(config: &Config, scenario: &Scenario, place: Place) -> Option<PeerName> {
    let at = |number: u16| usize::from(number).checked_sub(1);
    let name = match place {
        Place::Hub => PeerName::Hub,
        Place::Station(number) => {
            PeerName::Station(config.stations.get(at(number)?)?.name.as_str().into())
        }
        Place::Bank(number) => PeerName::Bank(config.participants.get(at(number)?)?.id),
        Place::Shop(_) => return None,
    };
    scenario.macs.then_some(name)
}

/// The two keys of a bank's link.
fn macs(scenario: &Scenario, number: u16) -> Option<(Key128, Key128)> {
    let [high, low] = number.to_be_bytes();
    let key = |way| {
        let mut bytes = [way; 16];
        (bytes[0], bytes[1]) = (high, low);
        Key128::from_random(bytes)
    };
    scenario.macs.then(|| (key(0x61), key(0x62)))
}

/// The keys of all banks' links, as the hub holds them.
fn link_macs(config: &Config, scenario: &Scenario) -> LinkMacs {
    let mut all = BTreeMap::new();
    for (section, number) in config.participants.iter().zip(1..) {
        let Some((from, to)) = macs(scenario, number) else { return LinkMacs::Off };
        all.insert(section.id, LinkMac::hub_side(&from, &to));
    }
    LinkMacs::On(all)
}
