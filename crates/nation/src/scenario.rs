//! What happens to a nation: who is there, how fast people pay, and every fault with its time.
//!
//! [`Scenario::draw`] makes one from a seed alone, each knob by itself (swarm testing): a run has a
//! few kinds of fault at a time, and over many seeds every mixture comes.

mod draw;

use scheme::{Amount, Timestamp};

use crate::limits::STATIONS_MAX;

pub use parties::shop::Manners;

/// A machine of the nation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// The national hub.
    Hub,
    /// A base station, from 1.
    Station(u16),
    /// A bank's host, from 1.
    Bank(u16),
    /// A retailer's terminals: 1 to 4 at the station of the same number, 5 to 8 there too, for
    /// another acquirer.
    Shop(u16),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Station(number) => write!(f, "station {number}"),
            Self::Bank(number) => write!(f, "bank {number}"),
            Self::Shop(number) => write!(f, "shop {number}"),
        }
    }
}

/// A cable between the machine that dials and the one that is dialled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId {
    /// Who dials.
    pub from: Place,
    /// Who is dialled.
    pub to: Place,
}

impl LinkId {
    /// The cable of a machine towards the middle; the hub has none.
    pub fn of(place: Place) -> Option<Self> {
        let to = match place {
            Place::Hub => return None,
            Place::Station(_) | Place::Bank(_) => Place::Hub,
            Place::Shop(number) => Place::Station(station_of(number)),
        };
        Some(Self { from: place, to })
    }
}

/// The station at which a shop has its terminals.
pub(crate) fn station_of(shop: u16) -> u16 {
    shop.saturating_sub(1) % STATIONS_MAX + 1
}

/// Which way along a cable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// Towards the dialled machine.
    Forth,
    /// Towards the machine that dialled.
    Back,
    /// Both.
    Both,
}

impl Way {
    pub(crate) const fn indices(self) -> &'static [usize] {
        match self {
            Self::Forth => &[0],
            Self::Back => &[1],
            Self::Both => &[0, 1],
        }
    }
}

/// What goes wrong, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power goes: memory is lost, and of the disk what was not synced, by chance.
    Power {
        /// Whose.
        place: Place,
        /// For so long.
        down_ms: u64,
    },
    /// The process is killed: memory is lost, the disk stays as it was written.
    Kill {
        /// Which.
        place: Place,
        /// Until it is started again.
        down_ms: u64,
    },
    /// The power goes in the middle of a disk operation, so many from now.
    PowerInWrite {
        /// Whose.
        place: Place,
        /// Operations until then.
        ops: u64,
    },
    /// A disk operation fails, so many from now; the role stops and is started again.
    DiskError {
        /// Whose.
        place: Place,
        /// Operations until then.
        ops: u64,
    },
    /// Nothing passes a cable; what is sent waits.
    Silence {
        /// Which cable.
        link: LinkId,
        /// Which way.
        way: Way,
        /// For so long.
        ms: u64,
    },
    /// A cable is cut: connections end, calls fail.
    Cut {
        /// Which cable.
        link: LinkId,
        /// For so long.
        ms: u64,
        /// Whether most ends do not learn of it.
        half_open: bool,
    },
    /// Everything on a cable takes longer.
    Clog {
        /// Which cable.
        link: LinkId,
        /// For so long.
        ms: u64,
        /// So many times as long.
        factor: u64,
    },
    /// Calls are refused; connections stay.
    Refusal {
        /// Which cable.
        link: LinkId,
        /// For so long.
        ms: u64,
    },
    /// A wall clock jumps and stays so.
    ClockJump {
        /// Whose.
        place: Place,
        /// By so much.
        by_ms: i64,
    },
    /// A bank signs off, and on again.
    SignOff {
        /// Which.
        place: Place,
        /// For so long.
        ms: u64,
    },
    /// The ledger's cluster does nothing; what it is asked waits.
    ClusterAway {
        /// For so long.
        ms: u64,
    },
    /// A process stands still (SIGSTOP, a busy machine); time goes on.
    Pause {
        /// Which.
        place: Place,
        /// For so long.
        ms: u64,
    },
}

impl Fault {
    /// Its kind, for the coverage table.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Power { .. } => "power cut",
            Self::Kill { .. } => "kill",
            Self::PowerInWrite { .. } => "power cut in a write",
            Self::DiskError { .. } => "disk error",
            Self::Silence { way: Way::Both, .. } => "silence",
            Self::Silence { .. } => "one-way silence",
            Self::Cut { half_open: false, .. } => "cut",
            Self::Cut { half_open: true, .. } => "half-open cut",
            Self::Clog { .. } => "clog",
            Self::Refusal { .. } => "refusal",
            Self::ClockJump { .. } => "clock jump",
            Self::SignOff { .. } => "sign-off",
            Self::ClusterAway { .. } => "cluster away",
            Self::Pause { .. } => "pause",
        }
    }
}

/// A fault and when it comes, in ms since the first payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    /// When.
    pub at_ms: u64,
    /// What.
    pub fault: Fault,
}

/// What middleboxes do to frames, out of 1000.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// Frames lost.
    pub lost: u16,
    /// Frames that come twice.
    pub twice: u16,
    /// Frames that others overtake.
    pub late: u16,
    /// By how much at most, ms.
    pub late_ms: u64,
}

/// A bug planted in the world, to prove that the auditor finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cheat {
    /// Bank 1 never hears of a reversal.
    SwallowReversals,
    /// Bank 1 acknowledges reversals and undoes nothing.
    FalseAcknowledgement,
    /// Bank 1 debits each purchase twice.
    DoubleDebit,
    /// Bank 1 credits each refund twice.
    DoubleCredit,
    /// Bank 1 takes a reversal in part for a whole one.
    WholeForPart,
    /// Bank 1 acknowledges completions and debits nothing.
    FalseCompletion,
    /// Bank 1 undoes what it has been told was completed.
    ReleasedAndPosted,
}

/// A lie in what the hub publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// One posting twice.
    PostedTwice,
    /// One refund that nobody gave.
    RefundForgotten,
    /// One refund that its payment does not know of.
    ReturnForgotten,
    /// One reversal in part as a whole one.
    WholeForPart,
    /// One completed hold as released.
    CompletionForgotten,
    /// One hold that nobody completed as posted.
    HoldPosted,
}

/// A bug planted behind the world's back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// In the messages of bank 1.
    Bank(Cheat),
    /// The hub's disk says yes to every n-th sync and does nothing.
    SkippedSync(u64),
    /// In what the hub publishes.
    Published(Lie),
}

/// Whose delays and sizes a nation has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// A tenth of the rule book's delays, so that a run of seconds sees every one of them.
    Tenth,
    /// The example nation's own file; amounts are this many times its own, so that a lower rate
    /// moves as much money.
    Example {
        /// How many times.
        amounts: u64,
    },
}

/// What one simulated bank does wrong with its answers, by chance of the seed.
pub use parties::bank::BankFaults;

/// A whole run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// Where all chance comes from.
    pub seed: u64,
    /// Base stations: 1 to 4.
    pub stations: u16,
    /// Banks: 1 to 4.
    pub banks: u16,
    /// Connections of each bank to the hub.
    pub bank_connections: usize,
    /// Whether banks have terminals of their own, for which they ask on their own links.
    pub counters: bool,
    /// Whether each station has terminals of a second acquirer.
    pub second_acquirers: bool,
    /// Whether bank links and trunks have certificates, and messages of bank links MACs.
    pub macs: bool,
    /// Whose delays and sizes.
    pub measure: Measure,
    /// When it begins.
    pub start: Timestamp,
    /// Payments of the whole nation in 1000 s.
    pub rate_per_1000_s: u64,
    /// How long faults rage.
    pub fault_ms: u64,
    /// How long the healed nation goes on paying.
    pub calm_ms: u64,
    /// After the last payment, everything has ended within this.
    pub drain_ms: u64,
    /// The faults, by time.
    pub faults: Vec<Planned>,
    /// Frames on the banks' cables.
    pub bank_rates: Rates,
    /// Frames on the terminals' cables.
    pub terminal_rates: Rates,
    /// Of 1000 purchases: those with tracks, chip data and PIN blocks that nobody may keep.
    pub secrets: u16,
    /// When the hold of a pre-authorisation ends by itself, if within the run; a completion counts
    /// for as long again.
    pub hold_ms: Option<u64>,
    /// What banks do wrong, by number.
    pub bank_faults: Vec<BankFaults>,
    /// What staff do.
    pub manners: Manners,
    /// Shortest and longest way of a message, microseconds.
    pub latency_us: (u64, u64),
    /// Shortest and longest write to a journal, microseconds.
    pub disk_us: (u64, u64),
    /// Whether physical sectors of 4,096 bytes may be torn.
    pub physical_sectors: bool,
    /// Wall clocks are off by at most this, ms.
    pub clocks_off_ms: u64,
    /// Every bank's net debit cap, where it is not the example's.
    pub cap: Option<Amount>,
    /// Shortest and longest way to the ledger's cluster, and back, microseconds; none where the hub
    /// has its ledger itself.
    pub cluster_us: Option<(u64, u64)>,
    /// A planted bug.
    pub planted: Option<Planted>,
}

impl Scenario {
    /// Every machine.
    pub fn places(&self) -> Vec<Place> {
        let stations = (1..=self.stations).map(Place::Station);
        let banks = (1..=self.banks).map(Place::Bank);
        let shops = self.shops().map(Place::Shop);
        [Place::Hub].into_iter().chain(stations).chain(banks).chain(shops).collect()
    }

    /// Every shop's number.
    pub(crate) fn shops(&self) -> impl Iterator<Item = u16> {
        let second = if self.second_acquirers { self.stations } else { 0 };
        (1..=self.stations).chain((1..=second).map(|number| STATIONS_MAX + number))
    }
}
