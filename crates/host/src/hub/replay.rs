//! Records back into a hub and its books: what recovery does, and what `ledger verify` does with
//! a stranger's journal. Decides nothing; every transfer must end as its record says.

use journal::RecordView;
use ledger::{Books, TransferStatus};
use scheme::{PaymentId, Timestamp};
use switch::record::{self, Fact};
use switch::{Hub, Record, legs};

use crate::offline::{Audit, Broken, Check, Probes, Step};

/// A hub and its books, rebuilt.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    pub(crate) hub: &'a mut Hub,
    pub(crate) books: &'a mut Books,
    /// A second reckoning that each record must agree with.
    pub(crate) audit: Option<Audit>,
    /// Which payments may be said to have been opened by another record.
    pub(crate) afresh: Afresh,
    implied: Vec<legs::Implied>,
    accounts: Vec<ledger::Account>,
    statuses: Vec<TransferStatus>,
}

/// Snapshots of the first versions did not say by which record a payment was opened. A hub that
/// began with one has numbered its payments afresh, from 1: all before anything was covered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Afresh {
    /// Opened by this record or an earlier one.
    pub(crate) until: u64,
    /// So many, at most.
    pub(crate) payments: u64,
}

impl<'a> Replay<'a> {
    /// Goes on from what it is given, of which nobody knows how it was numbered.
    pub(crate) fn new(hub: &'a mut Hub, books: &'a mut Books) -> Self {
        let (implied, accounts, statuses) = Default::default();
        let afresh = Afresh { until: u64::MAX, payments: u64::MAX };
        Self { hub, books, audit: None, afresh, implied, accounts, statuses }
    }

    /// The last record, which was this one, and what it moved.
    pub(crate) fn step<'s>(
        &'s self,
        number: u64,
        at: Timestamp,
        fact: &'s Fact,
        probes: &'s Probes,
    ) -> Step<'s> {
        Step::new(number, at, fact, &self.implied, self.hub, self.books, probes)
    }

    /// Transfers that the last record moved.
    pub(crate) fn moved(&self) -> u64 {
        self.implied.iter().filter(|leg| !leg.refused).count() as u64
    }

    /// Takes one record; an error says why it cannot be.
    pub(crate) fn record(&mut self, view: &RecordView<'_>) -> Result<Fact, Broken> {
        let fact = record::decode(view.kind, view.version, view.payload)
            .map_err(|error| broken(error.to_string()))?;
        let at = Timestamp(view.time_ns);
        self.accounts.clear();
        legs::accounts(self.hub.state(), &fact, &mut self.accounts);
        self.implied.clear();
        legs::transfers(self.hub.state(), &fact, &mut self.implied);
        if let Some(audit) = &mut self.audit {
            audit.take((view.number, at), &fact, &self.accounts, &self.implied)?;
        }
        self.is_true(&fact)?;
        self.move_books(at)?;
        let record = Record { at, fact };
        self.hub.apply(&record);
        let is_new = matches!(record.fact, Fact::Opened(_) | Fact::Declined(_));
        if is_new && self.hub.state().payments().covered() == 0 {
            let Afresh { until, payments } = &mut self.afresh;
            *until = view.number.max(*until);
            *payments = payments.saturating_add(1);
        }
        Ok(record.fact)
    }

    fn move_books(&mut self, at: Timestamp) -> Result<(), Broken> {
        if !self.accounts.is_empty() {
            book_accounts(self.books, at, &self.accounts).map_err(broken)?;
        }
        for leg in &self.implied {
            book_leg(self.books, at, leg, &mut self.statuses).map_err(broken)?;
        }
        Ok(())
    }
}

/// Makes the accounts of a record.
pub(super) fn book_accounts(
    books: &mut Books,
    at: Timestamp,
    accounts: &[ledger::Account],
) -> Result<(), String> {
    let mut statuses = Vec::new();
    books.create_accounts(at, accounts, &mut statuses);
    // A nation or participant whose record came again has its accounts already.
    let fine = [ledger::AccountStatus::Ok, ledger::AccountStatus::Exists];
    match statuses.iter().find(|status| !fine.contains(status)) {
        Some(bad) => Err(format!("its account cannot be made: {bad:?}")),
        None => Ok(()),
    }
}

/// Books a transfer of a record; it must end as the record says.
pub(super) fn book_leg(
    books: &mut Books,
    at: Timestamp,
    leg: &legs::Implied,
    statuses: &mut Vec<TransferStatus>,
) -> Result<(), String> {
    statuses.clear();
    books.create_transfers(at, &[leg.transfer], statuses);
    let expected = if leg.refused { TransferStatus::ExceedsCredits } else { TransferStatus::Ok };
    let found = statuses.first().copied();
    if found == Some(expected) {
        return Ok(());
    }
    let id = leg.transfer.id;
    Err(format!("its transfer {id:032x} must end as {expected:?} and ends as {found:?}"))
}

fn broken(what: String) -> Broken {
    Broken { check: Check::Records, what }
}

impl Replay<'_> {
    /// What a record says of a whole payment is what its records have made of it, where that is
    /// known; and whatever only history had was recalled before it changes.
    fn is_true(&self, fact: &Fact) -> Result<(), Broken> {
        let wrong = |id: PaymentId, what: &str| {
            let what = format!("payment {id} {what}");
            Err(Broken { check: Check::Payments, what })
        };
        let state = self.hub.state();
        let is_cold = |id: PaymentId| state.payments().is_cold(id);
        if let Fact::Recalled(said) | Fact::Retired(said) = fact {
            let id = said.payment.id;
            let Some(made) = state.kept(id) else { return Ok(()) };
            let same = (&made.payment, made.preauth, made.original)
                == (&said.payment, said.preauth, said.original);
            let Afresh { until, payments } = self.afresh;
            let most = if made.opened <= until { payments.min(made.opened) } else { 0 };
            if !same || said.opened != made.opened && said.opened > most {
                return wrong(id, "was another");
            }
            let is_recalled = matches!(fact, Fact::Recalled(_));
            if is_recalled != is_cold(id) {
                return wrong(id, "is recalled while in hand, or retired while it is not");
            }
        }
        let changed = state.changed_by(fact);
        match changed.into_iter().flatten().find(|id| is_cold(*id)) {
            Some(id) => wrong(id, "changes, and was not recalled"),
            None => Ok(()),
        }
    }
}

/// How long a snapshot would be, without making one: a little more than what its parts take.
pub(crate) fn snapshot_bytes_about(hub: &Hub, books: &Books) -> usize {
    const PAYMENT: usize = 360;
    const TRANSFER: usize = 80;
    let payments = hub.state().payments().new_ones().saturating_mul(PAYMENT);
    let holds = usize::try_from(books.open_pending()).unwrap_or(usize::MAX);
    payments.saturating_add(holds.saturating_mul(TRANSFER))
}

/// Bytes of the length that a snapshot begins with.
const LENGTH: usize = 8;

/// Begins a snapshot that is made a few payments at a time, in the `memory` of an older one; gives
/// the books' part of it.
pub(crate) fn begin_snapshot(hub: &mut Hub, books: &Books, memory: Vec<u8>) -> Vec<u8> {
    // Not moved later; what is new of it is first touched when it is written to. The journal fills
    // up its last block.
    const BLOCK: usize = 8192;
    let mut body = memory;
    body.clear();
    body.reserve(snapshot_bytes_about(hub, books).saturating_add(BLOCK));
    body.extend_from_slice(&[0; LENGTH]);
    hub.begin_copy(body);
    let mut ledger = Vec::new();
    books.encode_open(&mut ledger);
    ledger
}

/// The whole body, out of what the hub has made behind the length, and the books' part.
pub(crate) fn end_snapshot(mut body: Vec<u8>, ledger: &[u8]) -> Vec<u8> {
    let length = body.len().saturating_sub(LENGTH) as u64;
    body[..LENGTH].copy_from_slice(&length.to_le_bytes());
    body.extend_from_slice(ledger);
    body
}

/// The body of a hub's snapshot: the machine's, behind its length, then the books'.
pub(crate) fn snapshot(hub: &Hub, books: &Books) -> Vec<u8> {
    let mut machine = Vec::new();
    hub.snapshot(&mut machine);
    let mut body = Vec::with_capacity(machine.len() + 8);
    body.extend_from_slice(&(machine.len() as u64).to_le_bytes());
    body.append(&mut machine);
    // Which ids were used the hub knows by its payments; what is open the books must know.
    books.encode_open(&mut body);
    body
}

/// What [`snapshot`] wrote.
pub(crate) fn restore(hub: &mut Hub, books: &mut Books, body: &[u8]) -> Result<(), String> {
    let (length, rest) = body.split_first_chunk::<8>().ok_or("a snapshot without a length")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|e| e.to_string())?;
    let (machine, ledger) = rest.split_at_checked(length).ok_or("a snapshot that ends early")?;
    let restored = Books::decode(ledger).map_err(|e| e.to_string())?;
    hub.restore(machine).map_err(|e| e.to_string())?;
    *books = restored;
    Ok(())
}
