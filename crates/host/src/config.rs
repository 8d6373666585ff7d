//! The nation's configuration: one TOML file (`docs/formats/config.md`), read whole, with all its
//! errors at once.
//!
//! How it flows: text -> TOML with spans -> names of sections and keys ([`known`]) -> values of the
//! scheme's own types -> what values say together (references, duplicates, addresses) -> a
//! [`Config`], or every error with its line, its key and what to do. A `Config` is plain data: no
//! text of it is looked at again.
//! The *business part* (who takes part, caps, routes, terminals, hot cards) is journalled at the
//! first start; afterwards the journal is the truth and the file is only compared with it.
//! What bounds it: [`limits`]. Deliberately absent: secrets, card numbers, reading of files,
//! clocks. The time zone data is compiled in, so the same file means the same everywhere.

pub(crate) mod business;
mod card_number;
mod checks;
mod error;
pub mod known;
pub mod limits;
mod reader;
mod sections;
#[cfg(test)]
mod tests;
mod value;
mod zone;

use core::net::SocketAddr;

use scheme::{
    Amount, Currency, Iin, ParticipantId, Reason, RetailerId, StationId, TerminalId, Token, Zone,
};
use switch::Timers;

pub use error::{ConfigError, ConfigErrors};
pub use limits::FILE_BYTES_MAX;

/// The text of the example nation, `examples/four-stations/nation.toml`: what `bongsu up` runs
/// without a configuration.
pub const EXAMPLE: &str = include_str!("../../../examples/four-stations/nation.toml");

/// A nation, as its file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// The one currency.
    pub currency: Currency,
    /// IANA name of its local time.
    pub zone_name: String,
    /// Its local time from 2000 on, as plain data.
    pub zone: Zone,
    /// Seconds after local midnight at which the business date changes.
    pub cutover_s: u32,
    /// What is allowed on which link.
    pub profile: Profile,
    /// Whether trunks and banks' links have TLS and MACs.
    pub channels: Channels,
    /// How much is taken at once.
    pub limits: Limits,
    /// Delays and windows of the machines.
    pub timers: Timers,
    /// Delays of connections.
    pub link_timers: LinkTimers,
    /// How journals lie on the disk.
    pub journal: JournalSection,
    /// Addresses of the hub.
    pub hub: HubSection,
    /// Base stations, in order of their ids from 1.
    pub stations: Vec<StationSection>,
    /// Banks that settle, in the order of the file.
    pub participants: Vec<ParticipantSection>,
    /// Terminals, in the order of the file, ranges counted out.
    pub terminals: Vec<TerminalSection>,
    /// Retailers that may refund without naming a payment.
    pub retailers: Vec<RetailerSection>,
    /// Cards to be refused.
    pub hot_cards: Vec<HotCard>,
    /// The simulated banks and shops.
    pub simulation: Simulation,
}

/// How trunks and banks' links run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channels {
    /// Mutual TLS 1.3, and on banks' links MACs.
    Secure,
    /// Neither: for tests and measurements, in `demo` and on loopback only.
    Plain,
}

/// The security profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// On loopback only: self-made keys, plain terminals; positions are netted at cutover.
    Demo,
    /// Plaintext and unauthenticated peers are refused.
    Production,
}

/// The largest payment, and how much work is taken at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest amount of one payment.
    pub amount_max: Amount,
    /// Payments under way at the hub.
    pub in_flight: usize,
    /// Payments whose memory the hub takes before the first comes.
    pub room_payments: usize,
    /// Payments under way at one station.
    pub station_in_flight: usize,
    /// Connections of one listener.
    pub connections: usize,
    /// Connections from one remote address.
    pub connections_per_address: usize,
    /// Connections that one listener takes in a second.
    pub accepts_per_s: u32,
    /// Connections of one listener that have not yet said a whole message or who they are.
    pub strangers: usize,
    /// Requests of one terminals' connection that wait for an answer.
    pub connection_in_flight: usize,
    /// Requests of one connection of a bank that wait for an answer.
    pub bank_connection_in_flight: usize,
    /// Requests of one bank, on all its connections, that wait for an answer.
    pub bank_in_flight: usize,
    /// Payments that history has and the hub keeps in memory all the same.
    pub window_payments: usize,
    /// Payments that are open or that history does not have yet, beyond which new ones are refused.
    pub new_payments: usize,
    /// What one connection of terminals may ask.
    pub connection: Rates,
    /// Requests a second of one terminal of the register, on whatever connection.
    pub terminal_per_s: u32,
    /// What one bank may ask on all its connections; `messages` is of each connection.
    pub bank: Rates,
    /// Inputs of one peer that the role died of, within `poison_window_s`, before all of that
    /// peer's are refused.
    pub poison_deaths: usize,
    /// Seconds within which such deaths count.
    pub poison_window_s: u32,
}

/// Messages in a second, by class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// Echoes and other network messages.
    pub status: u32,
    /// Balance enquiries.
    pub balances: u32,
    /// All other requests; reversals and advices have no rate.
    pub payments: u32,
    /// Messages of any kind; beyond it the connection is not read for a while.
    pub messages: u32,
}

/// Delays of connections (R-TIME), in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkTimers {
    /// A frame begun is complete within this.
    pub half_frame_ms: u64,
    /// A terminal's connection silent for so long is closed.
    pub idle_terminal_ms: u64,
}

impl LinkTimers {
    /// The rule book's own values.
    pub const RULE_BOOK: Self = Self { half_frame_ms: 10_000, idle_terminal_ms: 600_000 };
}

/// How journals lie on the disk, from each one's next segment on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalSection {
    /// A write damages nothing outside its own blocks.
    pub block: journal::Block,
    /// Length of the hub's segments, bytes.
    pub hub_segment_bytes: u64,
    /// Length of all other roles' segments, bytes.
    pub segment_bytes: u64,
    /// Records between two snapshots of the hub.
    pub snapshot_records: u64,
    /// Days of the hub's journal that are kept; everything if none.
    pub retention_days: Option<u64>,
}

/// Addresses of the hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HubSection {
    /// Dashboard, API, metrics.
    pub http: SocketAddr,
    /// Banks' hosts.
    pub banks: SocketAddr,
    /// Stations' trunks.
    pub trunk: SocketAddr,
}

/// A base station.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StationSection {
    /// Its place in the file, from 1.
    pub id: StationId,
    /// Its name, also of its directory.
    pub name: String,
    /// Two characters of the reference numbers (DE37) that it makes.
    pub code: [u8; 2],
    /// Where terminals connect.
    pub listen: SocketAddr,
    /// Its own page and metrics.
    pub http: SocketAddr,
    /// Dialects of its terminals, in the order in which they are tried.
    pub dialects: Vec<String>,
    /// Acquirer (DE32) of its terminals that name none in the file.
    pub acquirer: Option<ParticipantId>,
}

/// A bank that settles, and its link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParticipantSection {
    /// Institution code (DE32).
    pub id: ParticipantId,
    /// Its name.
    pub name: String,
    /// Prefixes of its cards.
    pub iins: Vec<Iin>,
    /// Net debit cap.
    pub cap: Amount,
    /// What its host speaks.
    pub dialect: String,
}

/// A terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TerminalSection {
    /// Its acquirer (DE32).
    pub acquirer: ParticipantId,
    /// Its id (DE41).
    pub terminal: TerminalId,
    /// Its retailer (DE42).
    pub retailer: RetailerId,
    /// At whose listener it speaks.
    pub station: StationId,
    /// Who uses it.
    pub role: TerminalRole,
}

/// Who uses a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminalRole {
    /// A person with `bongsu pay`, or somebody else's client.
    Tester,
    /// A simulated shop.
    Shop,
    /// The synthetic probe (R-FIRES).
    Probe,
}

/// What a retailer may refund without naming a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetailerSection {
    /// Its id (DE42).
    pub id: RetailerId,
    /// Largest amount of one such refund.
    pub refund_max: Amount,
    /// Largest sum of them in one business day.
    pub refund_day_max: Amount,
}

/// A card to be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HotCard {
    /// The card, nation-wide.
    pub token: Token,
    /// [`Reason::Lost`], [`Reason::Stolen`] or [`Reason::Restricted`].
    pub reason: Reason,
}

/// The simulated banks and shops. Accounts are numbered from 1 at each bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Simulation {
    /// Accounts of each bank.
    pub accounts: u32,
    /// What an account holds at first.
    pub opening: Amount,
    /// Expiry of every card (DE14), YYMM in ASCII.
    pub expiry: [u8; 4],
    /// An account that holds `rich_opening`.
    pub rich_account: u32,
    /// What the rich account holds at first.
    pub rich_opening: Amount,
    /// An account that holds nothing (51).
    pub empty_account: u32,
    /// A blocked account (62).
    pub blocked_account: u32,
    /// An account whose card is reported lost (41).
    pub lost_account: u32,
    /// The synthetic probe's account.
    pub probe_account: u32,
    /// First and last account whose cards the simulated shops use.
    pub shop_accounts: (u32, u32),
    /// Below this a bank fills a shop card up to `opening` again, in its own book only.
    pub refill_below: Amount,
    /// Smallest amount of a simulated shop.
    pub amount_min: Amount,
    /// Largest amount of a simulated shop.
    pub amount_max: Amount,
    /// Simulated payments of the whole nation, per second.
    pub payments_per_s: u32,
    /// Connections of each simulated bank.
    pub bank_connections: usize,
    /// Payments that each simulated bank acquires on its own link, per second.
    pub bank_payments_per_s: u32,
    /// What simulated shops do beside purchases.
    pub shares: Shares,
}

/// Of 1000 payments of a simulated shop, so many are ...
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    /// Cash withdrawals.
    pub cash: u16,
    /// Refunds of its own purchases.
    pub refund: u16,
    /// Balance enquiries.
    pub balance: u16,
    /// Pre-authorisations, each completed within a minute.
    pub preauth: u16,
    /// Purchases of which a part is given back.
    pub part: u16,
}

impl Config {
    /// Reads a file's text; `file` is its name, for the errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigErrors> {
        sections::read(text).map_err(|errors| errors.within(file))
    }

    /// The example nation.
    pub fn example() -> Self {
        // The text is compiled in, and a test reads it: this cannot fail in a tested build.
        match Self::parse(EXAMPLE, "examples/four-stations/nation.toml") {
            Ok(config) => config,
            Err(errors) => unreachable!("the example nation is broken:\n{errors}"),
        }
    }

    /// The same nation with every port moved up by `port_base` (at most [`Self::port_base_max`];
    /// ports beyond the last are the last), and the hub's page at `http` if that is given.
    #[must_use]
    pub fn shifted(&self, port_base: u16, http: Option<SocketAddr>) -> Self {
        let mut config = self.clone();
        for address in config.addresses_mut() {
            address.set_port(address.port().saturating_add(port_base));
        }
        if let Some(http) = http {
            config.hub.http = http;
        }
        config
    }

    /// How far the ports can be moved up.
    pub fn port_base_max(&self) -> u16 {
        let mut config = self.clone();
        let highest = config.addresses_mut().into_iter().map(|address| address.port()).max();
        limits::PORT_MAX - highest.unwrap_or(0)
    }

    /// A station by its id.
    pub fn station(&self, id: StationId) -> Option<&StationSection> {
        self.stations.iter().find(|station| station.id == id)
    }

    /// A station by its name.
    pub fn station_named(&self, name: &str) -> Option<&StationSection> {
        self.stations.iter().find(|station| station.name == name)
    }

    /// A bank by its institution code.
    pub fn participant(&self, id: ParticipantId) -> Option<&ParticipantSection> {
        self.participants.iter().find(|participant| participant.id == id)
    }

    fn addresses_mut(&mut self) -> Vec<&mut SocketAddr> {
        let HubSection { http, banks, trunk } = &mut self.hub;
        let stations = self.stations.iter_mut();
        let of_stations = stations.flat_map(|station| [&mut station.listen, &mut station.http]);
        [http, banks, trunk].into_iter().chain(of_stations).collect()
    }
}
