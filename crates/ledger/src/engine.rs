//! What every engine of a ledger offers, whether in this process, on a disk or in a cluster.

use alloc::vec::Vec;
use core::convert::Infallible;

use scheme::Timestamp;

use crate::{Account, AccountStatus, Books, Transfer, TransferStatus};

/// An engine. All of them give the same statuses and the same balances for the same sequence of
/// batches; they differ in where the books are, in what can fail, and in whose clock counts: an
/// engine in this process takes `now` from its caller, a cluster has a clock of its own and
/// ignores it.
pub trait Engine {
    /// What can go wrong besides a refusal: a disk, a connection.
    type Error: core::error::Error;

    /// Creates accounts, at most `limits::BATCH_MAX`. `out` then holds one status per event, in
    /// their order. On an error nothing is known about what happened.
    fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), Self::Error>;

    /// Creates transfers, at most `limits::BATCH_MAX`. `out` then holds one status per event, in
    /// their order. On an error nothing is known about what happened; the same batch may be sent
    /// again, its ids make it safe.
    fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), Self::Error>;

    /// An account as it stands.
    fn account(&self, id: u128) -> Result<Option<Account>, Self::Error>;

    /// A transfer as it happened; `None` also for one that was refused. An engine may have to
    /// read its disk for it.
    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, Self::Error>;
}

impl Engine for Books {
    type Error = Infallible;

    fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), Infallible> {
        Books::create_accounts(self, now, events, out);
        Ok(())
    }

    fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), Infallible> {
        Books::create_transfers(self, now, events, out);
        Ok(())
    }

    fn account(&self, id: u128) -> Result<Option<Account>, Infallible> {
        Ok(Books::account(self, id))
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, Infallible> {
        Ok(Books::transfer(self, id))
    }
}
