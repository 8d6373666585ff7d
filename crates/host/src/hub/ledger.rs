//! The hub's ledger: its own books, which answer at once, or a cluster, which the shell asks, one
//! batch at a time; that answers later (`docs/decisions/0012-an-engine-that-answers-later.md`).
//!
//! With a cluster the books are what the hub's records make of it. They are given each batch when
//! the cluster has answered it: so they give the first answer again where the cluster had done the
//! batch already, and a cluster that says anything else is found at once.

use ::ledger::{Account, AccountStatus, Transfer, TransferStatus};
use switch::hub::Input;

use super::HubRole;
use crate::booking::{Booked, Booking};
use crate::event::Action;
use crate::pipeline::Pipeline;

/// What the cluster is asked.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// The number of the last batch.
    number: u64,
    under_way: Option<Booking>,
}

impl Cluster {
    /// Has a batch booked once what is recorded before it is durable.
    pub(super) fn ask(&mut self, booking: Booking, pipeline: &mut Pipeline) {
        self.number = self.number.saturating_add(1);
        self.under_way = Some(booking.clone());
        pipeline.act(Action::Book { number: self.number, booking });
    }
}

impl HubRole {
    pub(super) fn create_transfers(&mut self, transfers: Vec<Transfer>, pipeline: &mut Pipeline) {
        if let Some(cluster) = &mut self.cluster {
            return cluster.ask(Booking::Transfers(transfers), pipeline);
        }
        let mut results = Vec::with_capacity(transfers.len());
        self.books.create_transfers(self.hub.now(), &transfers, &mut results);
        self.drive(Input::TransferResults(results), pipeline);
    }

    pub(super) fn create_accounts(&mut self, accounts: Vec<Account>, pipeline: &mut Pipeline) {
        if let Some(cluster) = &mut self.cluster {
            return cluster.ask(Booking::Accounts(accounts), pipeline);
        }
        let mut results = Vec::with_capacity(accounts.len());
        self.books.create_accounts(self.hub.now(), &accounts, &mut results);
        self.drive(Input::AccountResults(results), pipeline);
    }

    /// The cluster has answered. An answer that nobody waits for is passed over.
    pub(crate) fn booked(&mut self, number: u64, booked: &Booked, pipeline: &mut Pipeline) {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.number == number) else {
            return;
        };
        let Some(booking) = cluster.under_way.take() else { return };
        let first = match (&booking, booked) {
            (Booking::Accounts(accounts), Booked::Accounts(said)) => {
                let mut own = Vec::with_capacity(accounts.len());
                self.books.create_accounts(self.hub.now(), accounts, &mut own);
                let fine = |status: &AccountStatus| {
                    matches!(status, AccountStatus::Ok | AccountStatus::Exists)
                };
                let agree = said.len() == own.len() && said.iter().chain(&own).all(fine);
                agree.then_some(Input::AccountResults(own))
            }
            (Booking::Transfers(transfers), Booked::Transfers(said)) => {
                let mut own: Vec<TransferStatus> = Vec::with_capacity(transfers.len());
                self.books.create_transfers(self.hub.now(), transfers, &mut own);
                let alike = said.iter().zip(&own).all(|(said, own)| said.repeats(*own));
                (said.len() == own.len() && alike).then_some(Input::TransferResults(own))
            }
            (Booking::Accounts(_), Booked::Transfers(_))
            | (Booking::Transfers(_), Booked::Accounts(_)) => None,
        };
        match first {
            Some(input) => self.drive(input, pipeline),
            None => pipeline.halt(format!(
                "the ledger's cluster and the journal part ways: asked for {booking:?}, it says \
                 {booked:?}; see that it is the cluster of this nation, and restored from a backup \
                 no older than the journal",
            )),
        }
    }
}
