//! Reads a payment's story out of the hub's journal: on a thread of its own, one at a time, never
//! in the event loop.

use std::path::PathBuf;

use host::story::{Gatherer, Story};
use host::view::{PaymentFilter, PaymentView, Query, Reply};
use scheme::{Currency, PaymentId};
use tokio::sync::Semaphore;

use super::Pages;
use super::refusal::Refusal;
use crate::disk::FileDisk;

/// Where stories are read.
#[derive(Debug)]
pub(crate) struct Archive {
    journal: PathBuf,
    currency: Currency,
    /// One reader: a story costs a disk's and a core's time, which payments need.
    reading: Semaphore,
}

impl Archive {
    pub(crate) fn new(journal: PathBuf, currency: Currency) -> Self {
        Self { journal, currency, reading: Semaphore::new(1) }
    }
}

impl Pages {
    /// The story of a payment that the hub still knows.
    pub(super) async fn story(&self, id: PaymentId, path: &str) -> Result<Story, Refusal> {
        let archive = self.archive.as_ref().ok_or_else(|| Refusal::not_here(path))?;
        let payment = self.payment(id).await?.ok_or_else(|| Refusal::no_payment(path))?;
        let gatherer = Gatherer::new(payment, archive.currency);
        let mut gatherer = gatherer.ok_or_else(|| Refusal::no_payment(path))?;
        let _turn = archive.reading.acquire().await;
        let journal = archive.journal.clone();
        let read = tokio::task::spawn_blocking(move || {
            let disk = FileDisk::open(&journal).map_err(|error| error.to_string())?;
            journal::scan(disk, gatherer.from_ns(), &mut |record| gatherer.take(&record))
                .map_err(|error| error.to_string())?;
            Ok(gatherer.finish())
        });
        let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
        read.map_err(|why: String| Refusal::unreadable(path, why))
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<PaymentView>, Refusal> {
        let filter = PaymentFilter { id: Some(id), limit: 1, ..PaymentFilter::default() };
        match self.ask_host(Query::Payments(filter)).await? {
            Reply::Payments(page) => Ok(page.payments.into_iter().next()),
            _ => Ok(None),
        }
    }
}
