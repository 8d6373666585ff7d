//! Opening a role on its journal.

use journal::{Disk, Recovery, Writer};
use keys::CardVault;
use scheme::StationId;

use crate::config::Config;
use crate::event::{Action, Clocks, DoorAddress, Event};

/// Which role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The national hub.
    Hub,
    /// A base station.
    Station(StationId),
}

/// The keys that a role works with.
#[derive(Debug)]
pub struct HostKeys {
    /// The nation's token key and this node's own card keys.
    pub vault: CardVault,
}

/// Why a role cannot be opened.
#[derive(Debug)]
pub enum HostError {
    /// The journal.
    Journal(journal::OpenError),
    /// The configuration does not know this role.
    UnknownRole,
}

/// An opened role.
#[derive(Debug)]
pub struct Opened<D> {
    /// The role.
    pub host: Host,
    /// Its journal, for the thread that commits.
    pub writer: Writer<D>,
    /// What recovery found.
    pub recovery: Recovery,
    /// What a person should read: a difference between file and journal, a cut tail.
    pub notices: Vec<String>,
}

/// A running role.
#[derive(Debug)]
pub struct Host {}

impl Host {
    /// Opens (or creates) the journal on `disk`, replays it, and is ready for [`Event::Started`].
    pub fn open<D: Disk>(
        _role: Role,
        _config: &Config,
        _keys: HostKeys,
        _disk: D,
        _clocks: Clocks,
    ) -> Result<Opened<D>, HostError> {
        Err(HostError::UnknownRole)
    }

    /// Doors to open before `Started`.
    pub fn doors(&self) -> Vec<DoorAddress> {
        Vec::new()
    }

    /// Takes one event.
    pub fn handle(&mut self, _clocks: Clocks, _event: Event<'_>, _out: &mut Vec<Action>) {}

    /// When [`Event::Timeout`] is due, as CLOCK_BOOTTIME in ns.
    pub fn next_timeout(&self) -> Option<u64> {
        None
    }

    /// The hash of the durable state; equal for a live role and its replay.
    pub fn state_hash(&self) -> u128 {
        0
    }
}
