//! What the running nation's directory says to commands that stand outside of it.

use std::path::PathBuf;

use clap::Args;
use scheme::{Currency, ParticipantId, RetailerId, TerminalId, Timestamp, Zone};

use crate::error::Failure;

/// Where the nation lives.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Directory of the nation
    #[arg(long, value_name = "DIR", default_value = "bongsu-data")]
    pub(crate) dir: PathBuf,
}

/// A terminal, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) terminal: TerminalId,
    pub(crate) retailer: Option<RetailerId>,
    pub(crate) acquirer: Option<ParticipantId>,
}

/// What its configuration says, if there is one.
#[derive(Debug)]
pub(crate) struct Nation {}

impl Nation {
    pub(crate) fn of(_place: &Place) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(crate) fn currency(&self) -> Currency {
        Currency::KPW
    }

    pub(crate) fn zone(&self, at: Timestamp) -> Result<Zone, Failure> {
        let zone = jiff::tz::TimeZone::get("Asia/Pyongyang").ok();
        let second = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
        Ok(Zone::fixed(
            zone.map_or(0, |zone| zone.to_offset(instant).seconds()),
        ))
    }

    pub(crate) fn terminal(&self, to: &str, named: Option<&str>) -> Result<Terminal, Failure> {
        let Some(named) = named else {
            return Err(
                Failure::new("no_terminal", format!("no running nation has {to}"))
                    .at("--terminal")
                    .todo(
                        "name a terminal (--terminal PYO00001), or the nation's directory (--dir)",
                    ),
            );
        };
        let terminal =
            TerminalId::new(named.as_bytes()).map_err(crate::pay::unfit("--terminal"))?;
        Ok(Terminal {
            terminal,
            retailer: None,
            acquirer: None,
        })
    }
}
