//! What a nation's directory says to commands that stand outside of it: its configuration, what
//! runs, and the answers of running roles.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::Args;
use host::Config;
use host::config::{Profile, StationSection, TerminalRole, TerminalSection};
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

    /// Whether there is a configuration. That it may not be looked for is an answer of its own.
    fn has_nation(&self) -> Result<bool, Failure> {
        let path = self.layout().config();
        path.try_exists().map_err(|error| Failure::unreadable(path.display().to_string(), &error))
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let path = self.layout().config();
        let name = path.display().to_string();
        if !self.has_nation()? {
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
        self.answer(role, path, |socket| node::client::get(socket, path))
    }

    /// What a running role answers to this at this path, as JSON; `None` if it does not run.
    pub(crate) fn tell(
        &self,
        role: &RoleName,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Value>, Failure> {
        self.answer(role, path, |socket| node::client::post(socket, path, body))
    }

    fn answer(
        &self,
        role: &RoleName,
        path: &str,
        ask: impl FnOnce(&Path) -> Result<(u16, Vec<u8>), node::RunError>,
    ) -> Result<Option<Value>, Failure> {
        // Where nobody may look, "it does not run" would be a guess.
        self.has_nation()?;
        let socket = self.layout().socket(role);
        let (status, body) = match ask(&socket) {
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
        let config = place.has_nation()?.then(|| place.config()).transpose()?;
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
        let running = self.running()?;
        let station = self.station_at(to, &running);
        let terminals = self.config.iter().flat_map(|config| &config.terminals);
        let known = terminals.filter(|known| Some(known.station) == station).find(fits);
        match (known, wanted) {
            (Some(known), _) => Ok(Terminal {
                terminal: known.terminal,
                retailer: Some(known.retailer),
                acquirer: Some(known.acquirer),
            }),
            (None, Some(terminal)) => Ok(Terminal { terminal, retailer: None, acquirer: None }),
            (None, None) => Err(self.no_terminal(to, station, &running)),
        }
    }

    /// Why no terminal can be chosen, and what to do instead.
    fn no_terminal(&self, to: &str, station: Option<StationId>, running: &Running) -> Failure {
        let dir = self.place.dir.display();
        let dir = if self.place.dir.is_absolute() { dir.to_string() } else { format!("./{dir}") };
        let doors: Vec<String> = running
            .roles
            .iter()
            .filter_map(|role| {
                let address = role.addresses.get("terminals")?;
                let name = role.role.strip_prefix("station-").unwrap_or(&role.role);
                Some(format!("{address} ({name})"))
            })
            .collect();
        let (what, remedy) = if doors.is_empty() {
            let remedy = "run this where you started `bongsu up`, or give --dir DIR; at a station \
                          elsewhere name a terminal, as in --terminal PYO00001";
            (format!("no running nation found in {dir}"), remedy.to_owned())
        } else if station.is_none() {
            let what = format!("{to} is no terminals' address of the nation in {dir}");
            (what, format!("use one of its own with --to: {}", doors.join(", ")))
        } else {
            let what = format!("the station at {to} has no terminal for testers");
            (what, "name one of its terminals with --terminal".to_owned())
        };
        Failure::new("no_terminal", what).at("--to").todo(remedy)
    }

    /// What runs; nothing without a directory.
    fn running(&self) -> Result<Running, Failure> {
        match &self.config {
            Some(_) => Ok(Running::read(&self.place.layout())?),
            None => Ok(Running::default()),
        }
    }

    /// Terminals' door of the first station that runs, in the order of the configuration.
    pub(crate) fn first_door(&self) -> Result<Option<String>, Failure> {
        let running = self.running()?;
        let door = |station: &StationSection| {
            let name = RoleName::Station(station.name.clone()).to_string();
            let role = running.roles.iter().find(|role| role.role == name)?;
            role.addresses.get("terminals").cloned()
        };
        Ok(self.config.iter().flat_map(|config| &config.stations).find_map(door))
    }

    /// Whether a payment can be sent in clear to that address: not to this nation's own stations
    /// outside of `demo`.
    pub(crate) fn check_door(&self, to: &str) -> Result<(), Failure> {
        let Some(Profile::Production) = self.config.as_ref().map(|config| config.profile) else {
            return Ok(());
        };
        if self.station_at(to, &self.running()?).is_none() {
            return Ok(());
        }
        let what = "terminals speak TLS in profile production, and this command does not";
        Err(Failure::new("tls_needed", what)
            .at(to)
            .todo("nothing was sent; pay at a terminal, or in a nation of profile demo")
            .with("sent", false))
    }

    /// The station whose terminals' door is at that address, in a nation that runs.
    fn station_at(&self, to: &str, running: &Running) -> Option<StationId> {
        let config = self.config.as_ref()?;
        // A name that can't be resolved is reported when it is called.
        let asked: Vec<SocketAddr> = to.to_socket_addrs().into_iter().flatten().collect();
        let is_asked = |role: &&node::RunningRole| {
            let door = role.addresses.get("terminals").and_then(|address| address.parse().ok());
            door.is_some_and(|address| asked.contains(&address))
        };
        let name = running.roles.iter().find(is_asked)?.role.strip_prefix("station-")?;
        config.station_named(name).map(|station| station.id)
    }

    /// Payments with that RRN at that terminal, as the running hub knows them; none where none
    /// runs. A refund may have its purchase's RRN.
    pub(crate) fn payments(&self, rrn: &str, terminal: &str) -> Result<Vec<Value>, Failure> {
        if self.config.is_none() {
            return Ok(Vec::new());
        }
        let path = format!("/api/v1/payments?rrn={}&terminal={}", escaped(rrn), escaped(terminal));
        let answer = self.place.ask(&RoleName::Hub, &path)?;
        Ok(answer.and_then(|answer| answer["payments"].as_array().cloned()).unwrap_or_default())
    }
}
