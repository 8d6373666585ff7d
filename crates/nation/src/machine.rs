//! One machine: what runs on it, its disk, its clock. It loses its memory when the power goes, and
//! finds itself again in its journal.

use host::config::Config;
use host::history::{History, HubKeys};
use host::{Host, HostError};
use journal::sim_disk::{SimDisk, Tearing};
use journal::{Batch, DiskErrorKind, Fault, OpenError, Recovery, Replay, Writer};
use parties::{BankHost, Shop};

use crate::actor::Actor;
use crate::clock::MachineClock;
use crate::disk::SharedDisk;
use crate::roster;
use crate::scenario::{Place, Scenario};

/// A batch on its way to the disk.
#[derive(Debug)]
pub(crate) struct Flying {
    pub(crate) batch: Batch,
    /// The disk's word, where it has been written already and only the word is on its way.
    pub(crate) written: Option<Result<(), Fault>>,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) place: Place,
    pub(crate) actor: Option<Actor>,
    pub(crate) writer: Option<Writer<SharedDisk>>,
    /// The hub's history; none while its disk cannot be read.
    pub(crate) history: Option<History<SharedDisk>>,
    pub(crate) disk: SharedDisk,
    pub(crate) clock: MachineClock,
    /// Which start this is: what belongs to an earlier one is forgotten.
    pub(crate) life: u32,
    /// Whether its boot clock begins anew at the next start.
    pub(crate) rebooted: bool,
    /// When the timer that is set comes.
    pub(crate) armed: Option<u64>,
    pub(crate) flying: Option<Flying>,
    pub(crate) maintaining: bool,
    pub(crate) paused_until: u64,
    /// Timeouts at one instant, and that instant.
    pub(crate) timeouts: (u64, u32),
    pub(crate) opens_failed: u32,
    /// What its state was when it died with nothing on its way to the disk.
    pub(crate) died_with: Option<u128>,
}

/// What runs on a machine once it has started.
pub(crate) struct Started {
    pub(crate) actor: Actor,
    pub(crate) writer: Option<Writer<SharedDisk>>,
    pub(crate) recovery: Recovery,
    /// As far as it was read for the hub.
    history: Option<History<()>>,
}

/// Why a machine did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The disk failed meanwhile; another try may do.
    Disk(DiskErrorKind),
    /// The journal cannot be believed, or not be read.
    Journal(String),
}

impl Machine {
    pub(crate) fn new(place: Place, scenario: &Scenario, clock: MachineClock) -> Self {
        let at = match place {
            Place::Hub => 0,
            Place::Station(number) => u64::from(number) << 8,
            Place::Bank(number) => u64::from(number) << 16,
            Place::Shop(number) => u64::from(number) << 24,
        };
        let mut disk = SimDisk::new(scenario.seed ^ at);
        if scenario.physical_sectors && role_or_bank(place) {
            disk.plan.tearing = Tearing::Physical4096;
        }
        Self {
            place,
            actor: None,
            writer: None,
            history: None,
            disk: SharedDisk::new(disk),
            clock,
            life: 0,
            rebooted: false,
            armed: None,
            flying: None,
            maintaining: false,
            paused_until: 0,
            timeouts: (0, 0),
            opens_failed: 0,
            died_with: None,
        }
    }

    /// Opens what runs here on a disk. The machine itself is unchanged.
    pub(crate) fn open(
        &self,
        config: &Config,
        scenario: &Scenario,
        raging: bool,
        now: u64,
        disk: SharedDisk,
    ) -> Result<Started, StartError> {
        let clocks = self.clock.read(now);
        let unknown = || StartError::Journal(format!("{} is nobody", self.place));
        match self.place {
            Place::Hub | Place::Station(_) => {
                let role = roster::role(self.place).ok_or_else(unknown)?;
                let keys = roster::keys(config, scenario, self.place).map_err(of_host)?;
                let opened = if self.place == Place::Hub && scenario.cluster_us.is_some() {
                    Host::open_on_cluster(config, keys, disk, clocks)
                } else {
                    Host::open(role, config, keys, disk, clocks)
                };
                let opened = opened.map_err(of_host)?;
                Ok(Started {
                    actor: Actor::Role(Box::new(opened.host)),
                    writer: Some(opened.writer),
                    recovery: opened.recovery,
                    history: opened.history,
                })
            }
            Place::Bank(number) => {
                let bank = roster::bank(config, scenario, number, raging).ok_or_else(unknown)?;
                let mut bank = BankHost::new(bank);
                let options = roster::bank_options(scenario, number);
                let replay = &mut |replay: Replay<'_>| match replay {
                    Replay::Record(record) => bank.replay(&record).map_err(|e| e.to_string()),
                    Replay::Snapshot { .. } => Err("a bank takes no snapshots".to_owned()),
                    Replay::End => Ok(()),
                };
                let (writer, recovery) =
                    journal::open(disk, options, clocks.wall.0, replay).map_err(of_journal)?;
                let (actor, writer) = (Actor::Bank(Box::new(bank)), Some(writer));
                Ok(Started { actor, writer, recovery, history: None })
            }
            Place::Shop(number) => {
                let shop = roster::shop(config, scenario, number).ok_or_else(unknown)?;
                let (actor, recovery) =
                    (Actor::Shop(Box::new(Shop::new(shop))), Recovery::default());
                Ok(Started { actor, writer: None, recovery, history: None })
            }
        }
    }

    /// Runs what has started, with what reads the hub's history. Gives what recovery found.
    pub(crate) fn run(&mut self, started: Started, config: &Config) -> Recovery {
        let Started { actor, writer, recovery, history } = started;
        let covered = match &actor {
            Actor::Role(host) => host.covered(),
            Actor::Bank(_) | Actor::Shop(_) => None,
        };
        let disk = self.disk.clone();
        self.history = covered.and_then(|covered| match history {
            Some(history) => Some(history.on(disk)),
            None => History::open(disk, HubKeys::new(config), covered).ok(),
        });
        (self.actor, self.writer) = (Some(actor), writer);
        recovery
    }

    /// The hash of the durable state, when nothing is on its way to the disk.
    pub(crate) fn durable_hash(&self) -> Option<u128> {
        if self.flying.is_some() {
            return None;
        }
        self.actor.as_ref().and_then(state_hash)
    }
}

/// The hash of what a journal must bring back; a shop has none.
pub(crate) fn state_hash(actor: &Actor) -> Option<u128> {
    match actor {
        Actor::Role(host) => Some(host.state_hash()),
        Actor::Bank(bank) => {
            let hash = bank.book().state_hash();
            let (first, _) = hash.split_first_chunk::<16>()?;
            Some(u128::from_le_bytes(*first))
        }
        Actor::Shop(_) => None,
    }
}

fn role_or_bank(place: Place) -> bool {
    !matches!(place, Place::Shop(_))
}

fn of_host(error: HostError) -> StartError {
    match error {
        HostError::Journal(error) => of_journal(error),
        HostError::Epoch(Fault::Disk(error) | Fault::Refused(error)) => {
            StartError::Disk(error.kind)
        }
        HostError::Epoch(_) | HostError::UnknownRole => StartError::Journal(error.to_string()),
    }
}

fn of_journal(error: OpenError) -> StartError {
    match error {
        OpenError::Disk(error)
            if matches!(error.kind, DiskErrorKind::Crashed | DiskErrorKind::Io) =>
        {
            StartError::Disk(error.kind)
        }
        OpenError::Disk(_)
        | OpenError::Damaged(_)
        | OpenError::Absent
        | OpenError::WrongNode { .. }
        | OpenError::Newer { .. }
        | OpenError::Refused { .. }
        | OpenError::Options => StartError::Journal(error.to_string()),
    }
}
