//! The names of the processes of a nation.

use std::fmt;

use scheme::ParticipantId;

/// One process.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RoleName {
    /// The national hub.
    Hub,
    /// A base station, by its name.
    Station(String),
    /// A simulated bank.
    Bank(ParticipantId),
    /// All simulated shops.
    Shops,
}

impl RoleName {
    /// The arguments of the subcommand that runs it.
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Hub => vec!["hub".to_owned()],
            Self::Station(name) => vec!["station".to_owned(), name.clone()],
            Self::Bank(id) => vec!["bank".to_owned(), id.to_string()],
            Self::Shops => vec!["shops".to_owned()],
        }
    }
}

impl fmt::Display for RoleName {
    /// As in `DIR/run/ROLE.sock`: `hub`, `station-NAME`, `bank-ID`, `shops`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Station(name) => write!(f, "station-{name}"),
            Self::Bank(id) => write!(f, "bank-{id}"),
            Self::Shops => f.write_str("shops"),
        }
    }
}
