//! Many ledgers on one cluster: each lane has ids of its own, which it takes apart from everybody
//! else's and puts back in what it answers. 0 and `u128::MAX` stay what they are.

use std::sync::atomic::{AtomicU32, Ordering};

use ledger::limits::BATCH_MAX;
use ledger::{Account, AccountStatus, Engine, Transfer, TransferStatus};
use ledger_tigerbeetle::{TigerBeetle, TigerBeetleError};
use scheme::Timestamp;

use crate::rivals::Rival;
use crate::swarm::Batch;

/// Numbers of lanes, above the ids that tests use; bits 64 to 95 of an id.
static NEXT: AtomicU32 = AtomicU32::new(1 << 20);

/// A ledger of its own.
pub(crate) struct Lane {
    engine: &'static TigerBeetle,
    mask: u128,
}

impl Lane {
    pub(crate) fn new(engine: &'static TigerBeetle) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { engine, mask: u128::from(number) << 64 }
    }

    /// An id as the cluster knows it, and back.
    fn id(&self, id: u128) -> u128 {
        if id == 0 || id == u128::MAX { id } else { id ^ self.mask }
    }

    fn account(&self, account: &Account) -> Account {
        Account { id: self.id(account.id), ..*account }
    }

    fn transfer(&self, transfer: &Transfer) -> Transfer {
        Transfer {
            id: self.id(transfer.id),
            debit_account_id: self.id(transfer.debit_account_id),
            credit_account_id: self.id(transfer.credit_account_id),
            pending_id: self.id(transfer.pending_id),
            ..*transfer
        }
    }

    fn accounts(&self, ids: &[u128]) -> Result<Vec<Account>, TigerBeetleError> {
        let ids: Vec<u128> = ids.iter().map(|id| self.id(*id)).collect();
        let found = self.engine.accounts(&ids)?;
        Ok(found.iter().map(|account| self.account(account)).collect())
    }

    fn transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, TigerBeetleError> {
        let ids: Vec<u128> = ids.iter().map(|id| self.id(*id)).collect();
        let found = self.engine.transfers(&ids)?;
        Ok(found.iter().map(|transfer| self.transfer(transfer)).collect())
    }

    fn create_accounts(&self, events: &[Account]) -> Result<Vec<AccountStatus>, TigerBeetleError> {
        let events: Vec<Account> = events.iter().map(|event| self.account(event)).collect();
        self.engine.create_accounts(&events)
    }

    fn create_transfers(
        &self,
        events: &[Transfer],
    ) -> Result<Vec<TransferStatus>, TigerBeetleError> {
        let events: Vec<Transfer> = events.iter().map(|event| self.transfer(event)).collect();
        self.engine.create_transfers(&events)
    }
}

impl Engine for Lane {
    type Error = TigerBeetleError;

    fn create_accounts(
        &mut self,
        _now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), TigerBeetleError> {
        *out = Lane::create_accounts(self, events)?;
        Ok(())
    }

    fn create_transfers(
        &mut self,
        _now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), TigerBeetleError> {
        *out = Lane::create_transfers(self, events)?;
        Ok(())
    }

    fn account(&self, id: u128) -> Result<Option<Account>, TigerBeetleError> {
        Ok(self.accounts(&[id])?.first().copied())
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, TigerBeetleError> {
        Ok(Lane::transfers(self, &[id])?.first().copied())
    }
}

impl Rival for Lane {
    fn name(&self) -> &'static str {
        "TigerBeetle"
    }

    fn give(&mut self, _now: Timestamp, batch: &Batch) -> Vec<u32> {
        match batch {
            Batch::Accounts(events) => {
                let statuses = Lane::create_accounts(self, events).unwrap();
                statuses.iter().map(|status| status.number()).collect()
            }
            Batch::Transfers(events) => {
                let statuses = Lane::create_transfers(self, events).unwrap();
                statuses.iter().map(|status| status.number()).collect()
            }
        }
    }

    fn accounts(&mut self, ids: &[u128]) -> Vec<Account> {
        let found = ids.chunks(BATCH_MAX).map(|ids| Lane::accounts(self, ids).unwrap());
        found.flatten().collect()
    }

    fn transfers(&mut self, ids: &[u128]) -> Vec<Transfer> {
        let found = ids.chunks(BATCH_MAX).map(|ids| Lane::transfers(self, ids).unwrap());
        found.flatten().collect()
    }
}
