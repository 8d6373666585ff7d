//! What a nation's directory says to commands that stand outside of it: its configuration, what
//! runs, and the answers of running roles.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::Args;
use host::Config;
use host::config::{TerminalRole, TerminalSection};
use node::{Layout, RoleName, RunErrorKind, Running};
use scheme::{Currency, ParticipantId, RetailerId, StationId, TerminalId, Timestamp, Zone};
use serde_json::Value;

use crate::error::Failure;
use crate::input;

/// Where the nation lives.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Directory of the nation
    #[arg(long, value_name = "DIR", default_value = "bongsu-data")]
    pub(crate) dir: PathBuf,
}

impl Place {
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.dir)
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let path = self.layout().config();
        let name = path.display().to_string();
        if !path.exists() {
            return Err(Failure::new("no_nation", "there is no nation in this directory")
                .at(name)
                .todo("name its directory with --dir, or start one with `bongsu up`"));
        }
        Config::parse(&input::text_file(&path)?, &name).map_err(|errors| {
            Failure::new("config", errors.to_string())
                .at(name)
                .todo("see `bongsu config check FILE`")
        })
    }

    /// What a running role answers at this path, as JSON; `None` if it does not run.
    pub(crate) fn ask(&self, role: &RoleName, path: &str) -> Result<Option<Value>, Failure> {
        let socket = self.layout().socket(role);
        let (status, body) = match node::client::get(&socket, path) {
            Ok(answer) => answer,
            Err(error) if error.kind == RunErrorKind::NotRunning => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == 200 {
            return Ok(Some(json));
        }
        let told = |key: &str| json["error"][key].as_str().map(str::to_owned);
        let what = told("message").unwrap_or_else(|| format!("the {role} answers {status}"));
        let mut failure = Failure::new("refused", what);
        failure.place = told("where").or_else(|| Some(format!("{} {path}", socket.display())));
        failure.remedy = told("do");
        Err(failure)
    }
}

/// What may stand in a query: everything but letters and digits as %XX (RFC 3986).
pub(crate) fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escape).collect()
}

/// A terminal, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    pub(crate) terminal: TerminalId,
    pub(crate) retailer: Option<RetailerId>,
    pub(crate) acquirer: Option<ParticipantId>,
}

/// A nation as a terminal's operator sees it. Without a directory, the example's money and clock.
#[derive(Debug)]
pub(crate) struct Nation {
    place: Place,
    config: Option<Config>,
}

impl Nation {
    /// Reads the directory, if there is one.
    pub(crate) fn of(place: &Place) -> Result<Self, Failure> {
        let config = place.layout().config().exists().then(|| place.config()).transpose()?;
        Ok(Self { place: place.clone(), config })
    }

    pub(crate) fn currency(&self) -> Currency {
        self.config.as_ref().map_or(Currency::KPW, |config| config.currency)
    }

    /// The nation's local time around that moment.
    pub(crate) fn zone(&self, at: Timestamp) -> Zone {
        if let Some(config) = &self.config {
            return config.zone.clone();
        }
        let zone = jiff::tz::TimeZone::get("Asia/Pyongyang").unwrap_or(jiff::tz::TimeZone::UTC);
        let second = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
        Zone::fixed(zone.to_offset(instant).seconds())
    }

    /// The named terminal, or the first tester's one of the running station at that address.
    pub(crate) fn terminal(&self, to: &str, named: Option<&str>) -> Result<Terminal, Failure> {
        let wanted = match named {
            Some(name) => {
                Some(TerminalId::new(name.as_bytes()).map_err(Failure::unfit("--terminal"))?)
            }
            None => None,
        };
        let fits = |known: &&TerminalSection| match wanted {
            Some(wanted) => known.terminal == wanted,
            None => known.role == TerminalRole::Tester,
        };
        let station = self.station_at(to)?;
        let terminals = self.config.iter().flat_map(|config| &config.terminals);
        let known = terminals.filter(|known| Some(known.station) == station).find(fits);
        match (known, wanted) {
            (Some(known), _) => Ok(Terminal {
                terminal: known.terminal,
                retailer: Some(known.retailer),
                acquirer: Some(known.acquirer),
            }),
            (None, Some(terminal)) => Ok(Terminal { terminal, retailer: None, acquirer: None }),
            (None, None) => {
                let dir = self.place.dir.display();
                Err(Failure::new("no_terminal", format!("no nation running in {dir} has {to}"))
                    .at("--terminal")
                    .todo("name a terminal (--terminal PYO00001), or its directory (--dir)"))
            }
        }
    }

    /// The station whose terminals' door is at that address, in a nation that runs.
    fn station_at(&self, to: &str) -> Result<Option<StationId>, Failure> {
        let Some(config) = &self.config else {
            return Ok(None);
        };
        // A name that can't be resolved is reported when it is called.
        let asked: Vec<SocketAddr> = to.to_socket_addrs().into_iter().flatten().collect();
        let running = Running::read(&self.place.layout())?;
        let is_asked = |role: &&node::RunningRole| {
            let door = role.addresses.get("terminals").and_then(|address| address.parse().ok());
            door.is_some_and(|address| asked.contains(&address))
        };
        let role = running.roles.iter().find(is_asked);
        let station = role.and_then(|role| role.role.strip_prefix("station-"));
        Ok(station.and_then(|name| config.station_named(name)).map(|station| station.id))
    }

    /// The one payment with that RRN at that terminal, as the running hub knows it.
    pub(crate) fn payment(&self, rrn: &str, terminal: &str) -> Result<Option<Value>, Failure> {
        if self.config.is_none() {
            return Ok(None);
        }
        let path = format!("/api/v1/payments?rrn={}&terminal={}", escaped(rrn), escaped(terminal));
        let Some(answer) = self.place.ask(&RoleName::Hub, &path)? else {
            return Ok(None);
        };
        match answer["payments"].as_array().map(Vec::as_slice) {
            Some([payment]) => Ok(Some(payment.clone())),
            Some(_) | None => Ok(None),
        }
    }
}
