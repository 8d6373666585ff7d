//! The ledger's cluster beside the hub: it does what it is asked, later, whether the hub that asked
//! is still there or not.

use std::convert::Infallible;
use std::fmt;

use host::booking::{Booked, Booking};
use ledger::{Books, Engine};
use scheme::Timestamp;

use super::{MS, What, World};
use crate::actor::In;
use crate::audit::Violation;
use crate::dice::Dice;
use crate::scenario::{Place, Scenario};

/// An engine that cannot fail: where it can, whoever lends it to the nation stops.
pub type Ledger = Box<dyn Engine<Error = Infallible>>;

/// The cluster, with chance of its own.
pub(crate) struct Cluster {
    engine: Ledger,
    dice: Dice,
    way_us: (u64, u64),
    away_until: u64,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("away_until", &self.away_until).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Where the scenario has one.
    pub(super) fn of(scenario: &Scenario, engine: Option<Ledger>) -> Option<Self> {
        let way_us = scenario.cluster_us?;
        let engine = engine.unwrap_or_else(|| Box::new(Books::new()));
        let dice = Dice::new(scenario.seed, "cluster");
        Some(Self { engine, dice, way_us, away_until: 0 })
    }

    fn takes(&mut self) -> u64 {
        let (low, high) = self.way_us;
        self.dice.between(low, high) * 1_000
    }
}

impl World {
    /// The hub asks; its request is on its way.
    pub(super) fn cluster_is_asked(&mut self, life: u32, number: u64, booking: Booking) {
        let now = self.schedule.now();
        match self.cluster.as_mut().map(Cluster::takes) {
            Some(takes) => self.schedule.at(now + takes, What::Book { life, number, booking }),
            None => {
                let what = "the hub asks for a cluster, and there is none".to_owned();
                self.violation(Violation::Machine(what));
            }
        }
    }

    /// A request has come. Of a hub that has died meanwhile it may have been lost on the way.
    pub(super) fn cluster_books(&mut self, life: u32, number: u64, booking: Booking) {
        let now = self.schedule.now();
        let here = self.machines.get(&Place::Hub).is_some_and(|hub| hub.life == life);
        let Some(cluster) = self.cluster.as_mut() else { return };
        if cluster.away_until > now {
            let back = cluster.away_until;
            return self.schedule.at(back, What::Book { life, number, booking });
        }
        if !here && cluster.dice.per_mille(500) {
            return self.count("batch lost with its hub");
        }
        let booked = book(&mut cluster.engine, Timestamp(now), &booking);
        let takes = cluster.takes();
        self.schedule.at(now + takes, What::Booked { life, number, booked });
        self.count(if here { "batch booked" } else { "batch booked after its hub died" });
    }

    /// Its answer has come, to the hub that asked or to nobody.
    pub(super) fn cluster_answers(&mut self, life: u32, number: u64, booked: Booked) {
        self.tell(Place::Hub, life, In::Booked { number, booked });
    }

    /// It does nothing for so long; what is asked waits.
    pub(super) fn cluster_goes_away(&mut self, ms: u64) {
        let until = self.schedule.now() + ms * MS;
        if let Some(cluster) = &mut self.cluster {
            cluster.away_until = cluster.away_until.max(until);
        }
    }

    pub(super) fn cluster_comes_back(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            cluster.away_until = 0;
        }
    }

    /// The debits and credits of an account at the cluster, pending and posted, as text.
    pub(crate) fn at_cluster(&mut self, id: u128) -> Option<[String; 4]> {
        let currency = self.config.currency;
        let Ok(account) = self.cluster.as_mut()?.engine.account(id);
        let account = account?;
        let show = |minor: u128| currency.format(i128::try_from(minor).unwrap_or(i128::MAX));
        let pending = [account.debits_pending, account.credits_pending];
        let posted = [account.debits_posted, account.credits_posted];
        let [[a, b], [c, d]] = [pending, posted].map(|pair| pair.map(show));
        Some([a, b, c, d])
    }
}

fn book(engine: &mut Ledger, now: Timestamp, booking: &Booking) -> Booked {
    match booking {
        Booking::Accounts(accounts) => {
            let mut statuses = Vec::new();
            let Ok(()) = engine.create_accounts(now, accounts, &mut statuses);
            Booked::Accounts(statuses)
        }
        Booking::Transfers(transfers) => {
            let mut statuses = Vec::new();
            let Ok(()) = engine.create_transfers(now, transfers, &mut statuses);
            Booked::Transfers(statuses)
        }
    }
}
