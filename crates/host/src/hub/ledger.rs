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

#[cfg(test)]
mod tests {
    use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
    use scheme::Timestamp;

    use super::*;
    use crate::{Config, HostKeys, LinkMacs};

    const NOW: Timestamp = Timestamp(1_795_330_800_000_000_000);
    const LATER: Timestamp = Timestamp(NOW.0 + 1_000_000_000);

    fn hub() -> (HubRole, Pipeline) {
        let key = |byte: u8| Key128::from_random([byte; 16]);
        let ring = CardRing::new(vec![CardKey::new(KeyId(1), key(2))]).unwrap();
        let vault = CardVault::new(TokenKey::new(key(1)), ring);
        let keys = HostKeys { vault, macs: LinkMacs::Off };
        let (mut hub, mut pipeline) = (HubRole::new(Config::example(), keys, 1), Pipeline::new(1));
        at(NOW, &mut hub, &mut pipeline);
        (hub, pipeline)
    }

    fn at(now: Timestamp, hub: &mut HubRole, pipeline: &mut Pipeline) {
        hub.at(now, 0);
        hub.drive(Input::Timeout, pipeline);
    }

    fn accounts() -> Vec<Account> {
        [1, 2].map(|id| Account { id, ledger: 1, code: 1, ..Account::default() }).to_vec()
    }

    fn transfers() -> Vec<Transfer> {
        let (debit_account_id, credit_account_id) = (1, 2);
        let (amount, ledger, code) = (5, 1, 1);
        let id = 3;
        let default = Transfer::default();
        vec![Transfer { id, debit_account_id, credit_account_id, amount, ledger, code, ..default }]
    }

    /// What the books have is of the turn's time, whoever the ledger is.
    #[test]
    fn what_is_booked_is_booked_now() {
        for on_cluster in [false, true] {
            let (mut hub, mut pipeline) = hub();
            hub.cluster = on_cluster.then(Cluster::default);
            hub.create_accounts(accounts(), &mut pipeline);
            let said = vec![AccountStatus::Ok; 2];
            hub.booked(1, &Booked::Accounts(said), &mut pipeline);
            at(LATER, &mut hub, &mut pipeline);
            hub.create_transfers(transfers(), &mut pipeline);
            hub.booked(2, &Booked::Transfers(vec![TransferStatus::Ok]), &mut pipeline);
            assert_eq!(pipeline.halted(), None);
            let account = hub.books.account(1).unwrap().timestamp;
            assert!((NOW.0..NOW.0 + 10).contains(&account), "{account}");
            let transfer = hub.books.transfer(3).unwrap().timestamp;
            assert!((LATER.0..LATER.0 + 10).contains(&transfer), "{transfer}");
        }
    }

    /// The books may not have another account under the id either.
    #[test]
    fn the_cluster_says_well_and_the_books_do_not() {
        let (mut hub, mut pipeline) = hub();
        let other = Account { code: 2, ..accounts()[0] };
        hub.books.create_accounts(NOW, &[other], &mut Vec::new());
        hub.cluster = Some(Cluster::default());
        hub.create_accounts(accounts(), &mut pipeline);
        let said = vec![AccountStatus::Ok; 2];
        hub.booked(1, &Booked::Accounts(said), &mut pipeline);
        assert!(pipeline.halted().is_some_and(|what| what.contains("part ways")));
    }
}
