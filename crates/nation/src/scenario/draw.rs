//! A scenario out of a seed.

use host::config::{Config, Shares};
use scheme::{Amount, Timestamp};

use super::{BankFaults, Fault, LinkId, Manners, Measure, Place, Planned, Rates, Scenario, Way};
use crate::dice::Dice;
use crate::limits::DRAIN_MS;

/// 2026-09-22 12:00:00 UTC: an hour before the example nation's cutover.
const NOON: Timestamp = Timestamp::from_s(1_790_078_400);
const HOUR_S: u64 = 3_600;

/// Kinds of faults; which ones a seed has is drawn first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Power,
    Kill,
    PowerInWrite,
    DiskError,
    Silence,
    OneWay,
    Cut,
    HalfOpen,
    Clog,
    Refusal,
    ClockJump,
    SignOff,
    Pause,
}

const KINDS: [Kind; 13] = [
    Kind::Power,
    Kind::Kill,
    Kind::PowerInWrite,
    Kind::DiskError,
    Kind::Silence,
    Kind::OneWay,
    Kind::Cut,
    Kind::HalfOpen,
    Kind::Clog,
    Kind::Refusal,
    Kind::ClockJump,
    Kind::SignOff,
    Kind::Pause,
];

impl Scenario {
    /// A nation at peace: nothing goes wrong.
    pub fn peaceful(seed: u64) -> Self {
        Self {
            seed,
            stations: 2,
            banks: 2,
            bank_connections: 1,
            counters: false,
            second_acquirers: false,
            macs: false,
            measure: Measure::Tenth,
            start: NOON,
            rate_per_1000_s: 10_000,
            fault_ms: 5_000,
            calm_ms: 2_000,
            drain_ms: DRAIN_MS,
            faults: Vec::new(),
            bank_rates: Rates::default(),
            terminal_rates: Rates::default(),
            secrets: 0,
            hold_ms: None,
            bank_faults: vec![BankFaults::default(); 2],
            manners: Manners::default(),
            latency_us: (500, 3_000),
            disk_us: (100, 1_000),
            physical_sectors: false,
            clocks_off_ms: 0,
            cap: None,
            cluster_us: None,
            planted: None,
        }
    }

    /// The example nation at peace for so long, at this rate: amounts are such that as much money
    /// moves as at the rate of `bongsu up`.
    pub fn example(seed: u64, hours: u64, rate_per_1000_s: u64) -> Self {
        let config = Config::example();
        let Shares { cash, refund, balance, preauth, part: cancel_part } = config.simulation.shares;
        let own_rate = 1_000 * u64::from(config.simulation.payments_per_s);
        Self {
            stations: 4,
            banks: 4,
            measure: Measure::Example { amounts: own_rate / rate_per_1000_s.max(1) },
            rate_per_1000_s,
            fault_ms: hours * HOUR_S * 1_000,
            bank_faults: vec![BankFaults::default(); 4],
            manners: Manners { cash, refund, balance, preauth, cancel_part, ..Manners::everyday() },
            ..Self::peaceful(seed)
        }
    }

    /// The scenario of a seed, some seconds long: the same for ever, as long as this stands.
    pub fn draw(seed: u64) -> Self {
        let fault_ms = Dice::new(seed, "length").between(6_000, 14_000);
        Self::draw_for(seed, fault_ms)
    }

    /// The scenario of a seed in which faults rage for so long.
    pub fn draw_for(seed: u64, fault_ms: u64) -> Self {
        let fault_ms = fault_ms.max(2_000);
        let mut dice = Dice::new(seed, "scenario");
        let dice = &mut dice;
        let stations = small(dice.between(1, 4));
        let banks = small(dice.between(2, 4));
        let latency_min = dice.between(50, 2_000);
        let disk_min = dice.between(20, 500);
        let near_cutover = dice.per_mille(300);
        let before_s = if near_cutover { dice.between(0, 8) } else { dice.between(60, HOUR_S) };
        let mut scenario = Self {
            stations,
            banks,
            bank_connections: dice.below(3) + 1,
            counters: dice.per_mille(400),
            second_acquirers: dice.per_mille(300),
            macs: dice.per_mille(500),
            // Cutover is an hour after noon UTC.
            start: Timestamp::from_s(NOON.seconds() + HOUR_S - before_s),
            rate_per_1000_s: dice.between(4_000, 14_000),
            fault_ms,
            calm_ms: dice.between(2_500, 4_000),
            bank_rates: rates(dice),
            terminal_rates: rates(dice),
            secrets: if dice.per_mille(500) { 60 } else { 0 },
            hold_ms: dice.per_mille(500).then(|| dice.between(500, 8_000)),
            bank_faults: (0..banks).map(|_| bank_faults(dice)).collect(),
            manners: manners(dice),
            latency_us: (latency_min, latency_min + dice.between(10, 20_000)),
            disk_us: (disk_min, disk_min + dice.between(10, 10_000)),
            physical_sectors: dice.per_mille(300),
            clocks_off_ms: if dice.per_mille(300) { dice.between(1, 2_000) } else { 0 },
            cap: dice.per_mille(150).then(|| amount(dice.between(2_000, 60_000))),
            ..Self::peaceful(seed)
        };
        scenario.faults = faults(dice, &scenario);
        clusters(&mut scenario);
        scenario
    }
}

/// In a third of the nations the hub's ledger is a cluster, up to 200 ms away, which is sometimes
/// not there.
fn clusters(scenario: &mut Scenario) {
    let mut dice = Dice::new(scenario.seed, "ledger");
    if !dice.per_mille(330) {
        return;
    }
    let least = dice.between(50, 2_000);
    let most = dice.one_of(&[3_000, 20_000, 100_000]).unwrap_or(3_000);
    scenario.cluster_us = Some((least, most));
    for _ in 0..dice.between(0, 3) {
        let at_ms = dice.between(300, scenario.fault_ms - 500);
        let fault = Fault::ClusterAway { ms: dice.between(20, 3_500) };
        scenario.faults.push(Planned { at_ms, fault });
    }
    scenario.faults.sort_by_key(|planned| planned.at_ms);
}

fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(1)
}

fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap_or_default()
}

fn rates(dice: &mut Dice) -> Rates {
    if dice.per_mille(400) {
        return Rates::default();
    }
    let mut rate = |most: u64| if dice.per_mille(500) { small(dice.between(1, most)) } else { 0 };
    Rates { lost: rate(80), twice: rate(100), late: rate(150), late_ms: dice.between(1, 2_000) }
}

fn bank_faults(dice: &mut Dice) -> BankFaults {
    let mut faults = BankFaults { delay_max_ms: dice.between(0, 60), ..BankFaults::default() };
    let every = |dice: &mut Dice| u32::try_from(dice.between(7, 40)).unwrap_or(7);
    if dice.per_mille(250) {
        faults.drop_every = every(dice);
    }
    if dice.per_mille(250) {
        faults.twice_every = every(dice);
    }
    if dice.per_mille(350) {
        faults.late_every = every(dice);
        // R17: around the deadline of 1,500 ms and of 2,500 ms, and far beyond.
        let around = [1_400, 1_499, 1_500, 1_501, 2_499, 2_500, 4_000];
        faults.late_ms = dice.one_of(&around).unwrap_or(1_500);
    }
    if dice.per_mille(300) {
        faults.decline_per_mille = small(dice.between(10, 200));
    }
    faults
}

fn manners(dice: &mut Dice) -> Manners {
    Manners {
        walk_away: small(dice.between(0, 400)),
        repeat: small(dice.between(0, 900)),
        repeats_max: u8::try_from(dice.between(1, 3)).unwrap_or(1),
        cancel: small(dice.between(0, 120)),
        new_time_in_repeat: small(dice.between(0, 1_000)),
        new_local_in_repeat: small(dice.between(0, 1_000)),
        new_stan_in_reversal: small(dice.between(0, 1_000)),
        ..everyday(dice)
    }
}

/// Each flow by itself, in half of the nations; misbehaviour rarer.
fn everyday(dice: &mut Dice) -> Manners {
    let mut rate = |seldom: u16, most: u64| {
        if dice.per_mille(seldom) { small(dice.between(1, most)) } else { 0 }
    };
    Manners {
        cash: rate(500, 300),
        refund: rate(600, 500),
        balance: rate(400, 200),
        preauth: rate(600, 500),
        cancel_part: rate(500, 200),
        by_reference: rate(500, 1_000),
        by_approval: rate(500, 1_000),
        refund_over: rate(400, 300),
        refund_unlinked: rate(400, 400),
        complete_over: rate(400, 300),
        complete_twice: rate(500, 500),
        complete_nothing: rate(300, 300),
        reverse_twice: rate(300, 300),
        ..Manners::default()
    }
}

fn faults(dice: &mut Dice, scenario: &Scenario) -> Vec<Planned> {
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| dice.per_mille(400)).collect();
    if kinds.is_empty() {
        kinds.push(Kind::Power);
    }
    let machines: Vec<Place> =
        scenario.places().into_iter().filter(|place| !matches!(place, Place::Shop(_))).collect();
    let links: Vec<LinkId> = scenario.places().into_iter().filter_map(LinkId::of).collect();
    let mut planned = Vec::new();
    // About one a second and a half.
    for _ in 0..dice.between(3, 12) * scenario.fault_ms.div_ceil(10_000) {
        let kind = kinds[dice.below(kinds.len())];
        let at_ms = dice.between(300, scenario.fault_ms - 500);
        let (Some(place), Some(link)) = (machine(dice, &machines), dice.one_of(&links)) else {
            continue;
        };
        planned.push(Planned { at_ms, fault: fault(dice, kind, place, link, scenario.banks) });
    }
    if dice.per_mille(120) {
        swizzle(dice, scenario, &mut planned);
    }
    planned.sort_by_key(|planned| planned.at_ms);
    planned
}

/// The hub comes as often as all others together: it has most to lose.
fn machine(dice: &mut Dice, machines: &[Place]) -> Option<Place> {
    if dice.per_mille(400) { Some(Place::Hub) } else { dice.one_of(machines) }
}

fn fault(dice: &mut Dice, kind: Kind, place: Place, link: LinkId, banks: u16) -> Fault {
    let down_ms = dice.between(20, 2_500);
    let ms = dice.between(20, 3_500);
    let ops = dice.between(0, 25);
    match kind {
        Kind::Power => Fault::Power { place, down_ms },
        Kind::Kill => Fault::Kill { place, down_ms },
        Kind::PowerInWrite => Fault::PowerInWrite { place, ops },
        Kind::DiskError => Fault::DiskError { place, ops },
        Kind::Silence => Fault::Silence { link, way: Way::Both, ms },
        Kind::OneWay => {
            let way = if dice.per_mille(500) { Way::Forth } else { Way::Back };
            Fault::Silence { link, way, ms }
        }
        Kind::Cut => Fault::Cut { link, ms, half_open: false },
        Kind::HalfOpen => Fault::Cut { link, ms, half_open: true },
        Kind::Clog => Fault::Clog { link, ms, factor: dice.between(5, 100) },
        Kind::Refusal => Fault::Refusal { link, ms },
        Kind::ClockJump => {
            // Parties have one clock, which is also their timer.
            let place = if matches!(place, Place::Bank(_)) { Place::Hub } else { place };
            let reach = dice.one_of(&[400, 3_000, 300_000]).unwrap_or(400);
            Fault::ClockJump { place, by_ms: dice.signed(reach) }
        }
        Kind::SignOff => {
            let bank = small(dice.between(1, u64::from(banks)));
            Fault::SignOff { place: Place::Bank(bank), ms }
        }
        Kind::Pause => Fault::Pause { place, ms },
    }
}

/// R13: the stations' cables go one by one, and come back in another order.
fn swizzle(dice: &mut Dice, scenario: &Scenario, planned: &mut Vec<Planned>) {
    let first = dice.between(500, scenario.fault_ms / 2);
    for station in 1..=scenario.stations {
        let Some(link) = LinkId::of(Place::Station(station)) else { continue };
        let at_ms = first + 200 * u64::from(station);
        let ms = dice.between(300, scenario.fault_ms / 2);
        planned.push(Planned { at_ms, fault: Fault::Silence { link, way: Way::Both, ms } });
    }
}
