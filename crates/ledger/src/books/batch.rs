//! What accounts and transfers have in common: a batch of events, each with its own timestamp,
//! some of them linked into chains that succeed or fail as one.

use alloc::vec::Vec;

use scheme::Timestamp;

use super::Books;
use super::memory::State;
use crate::limits::TIMESTAMP_MAX;
use crate::{Account, AccountFlags, AccountStatus, Transfer, TransferFlags, TransferStatus};

/// How to take back one step of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) enum Undo {
    /// An account was changed.
    Account { row: u32, before: Account },
    /// An account was added.
    NewAccount,
    /// A transfer was remembered.
    NewTransfer,
    /// A pending transfer was posted or voided.
    Resolved { row: u32 },
}

/// The statuses that a batch itself gives.
pub(super) struct BatchStatuses<S> {
    ok: S,
    chain_failed: S,
    chain_open: S,
    import_expected: S,
    import_refused: S,
    timestamp_set: S,
}

/// An event of a batch.
pub(super) trait Event {
    /// What becomes of it.
    type Status: Copy + PartialEq + 'static;
    /// The statuses that a batch itself gives.
    const STATUSES: BatchStatuses<Self::Status>;
    /// Whether the next event belongs to its chain.
    fn is_linked(&self) -> bool;
    /// Whether it would bring its own timestamp.
    fn is_imported(&self) -> bool;
    /// The timestamp that the caller set.
    fn timestamp(&self) -> u64;
    /// Lets it happen, if it may.
    fn apply(&self, books: &mut Books, timestamp: u64) -> Self::Status;
    /// Notes that it was refused.
    fn refuse(&self, books: &mut Books, status: Self::Status);
}

impl Event for Account {
    type Status = AccountStatus;
    const STATUSES: BatchStatuses<AccountStatus> = BatchStatuses {
        ok: AccountStatus::Ok,
        chain_failed: AccountStatus::LinkedEventFailed,
        chain_open: AccountStatus::LinkedEventChainOpen,
        import_expected: AccountStatus::ImportedEventExpected,
        import_refused: AccountStatus::ImportedEventNotExpected,
        timestamp_set: AccountStatus::TimestampMustBeZero,
    };

    fn is_linked(&self) -> bool {
        self.flags.contains(AccountFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.contains(AccountFlags::IMPORTED)
    }

    fn timestamp(&self) -> u64 {
        self.timestamp
    }

    fn apply(&self, books: &mut Books, timestamp: u64) -> AccountStatus {
        match books.open_account(self, timestamp) {
            Ok(()) => AccountStatus::Ok,
            Err(status) => status,
        }
    }

    fn refuse(&self, _books: &mut Books, _status: AccountStatus) {
        // No refusal of an account depends on the moment, so no id of one is ever poisoned.
    }
}

impl Event for Transfer {
    type Status = TransferStatus;
    const STATUSES: BatchStatuses<TransferStatus> = BatchStatuses {
        ok: TransferStatus::Ok,
        chain_failed: TransferStatus::LinkedEventFailed,
        chain_open: TransferStatus::LinkedEventChainOpen,
        import_expected: TransferStatus::ImportedEventExpected,
        import_refused: TransferStatus::ImportedEventNotExpected,
        timestamp_set: TransferStatus::TimestampMustBeZero,
    };

    fn is_linked(&self) -> bool {
        self.flags.contains(TransferFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.contains(TransferFlags::IMPORTED)
    }

    fn timestamp(&self) -> u64 {
        self.timestamp
    }

    fn apply(&self, books: &mut Books, timestamp: u64) -> TransferStatus {
        match books.transfer_event(self, timestamp) {
            Ok(()) => TransferStatus::Ok,
            Err(status) => status,
        }
    }

    fn refuse(&self, books: &mut Books, status: TransferStatus) {
        if status.is_transient() {
            books.memory.fail(self.id);
        }
    }
}

/// The chain that a batch is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// None.
    Outside,
    /// Begun at that event, whole so far.
    Whole(usize),
    /// An event of it was refused; the rest of it fails.
    Broken,
}

impl Books {
    /// Runs a batch. An empty one is nothing: it does not even move the clock.
    pub(super) fn run<E: Event>(&mut self, now: Timestamp, events: &[E], out: &mut Vec<E::Status>) {
        out.clear();
        let Some(first) = events.first() else { return };
        let statuses = E::STATUSES;
        self.advance(now);
        let mut chain = Chain::Outside;
        for (index, event) in events.iter().enumerate() {
            self.last = self.last.saturating_add(1).min(TIMESTAMP_MAX);
            let linked = event.is_linked();
            if linked && chain == Chain::Outside {
                chain = Chain::Whole(index);
                self.in_chain = true;
            }
            let is_last = index.saturating_add(1) == events.len();
            let status = if linked && is_last {
                statuses.chain_open
            } else if chain == Chain::Broken {
                statuses.chain_failed
            } else {
                self.admit(event, first.is_imported())
            };
            out.push(status);
            if status != statuses.ok {
                if let Chain::Whole(start) = chain {
                    self.take_back();
                    out[start..index].fill(statuses.chain_failed);
                    chain = Chain::Broken;
                }
                event.refuse(self, status);
            }
            if !linked {
                chain = Chain::Outside;
                self.in_chain = false;
                self.undo.clear();
            }
        }
        self.in_chain = false;
        self.undo.clear();
        self.memory.forget();
    }

    /// What a batch asks of each event before the event's own rules. An import is refused as if
    /// this engine had been told not to expect one.
    fn admit<E: Event>(&mut self, event: &E, batch_imports: bool) -> E::Status {
        let statuses = E::STATUSES;
        if event.is_imported() {
            return statuses.import_refused;
        }
        if batch_imports {
            return statuses.import_expected;
        }
        if event.timestamp() != 0 {
            return statuses.timestamp_set;
        }
        event.apply(self, self.last)
    }

    /// Moves the clock to `now`, never back, and lets expire what is due.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.last = self.last.max(now.0.min(TIMESTAMP_MAX));
        self.expire_due();
    }

    /// Takes back all that the chain did, the newest step first.
    fn take_back(&mut self) {
        self.in_chain = false;
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Account { row, before } => self.change(row, |account| *account = before),
                Undo::NewAccount => {
                    if let Some(row) = self.accounts.pop() {
                        self.rows.remove(&row.id);
                    }
                }
                Undo::NewTransfer => self.forget_newest(),
                Undo::Resolved { row } => {
                    self.memory.set_state(row, State::Pending);
                    self.hold(row);
                }
            }
        }
    }

    /// Forgets the newest transfer.
    fn forget_newest(&mut self) {
        let newest = self.memory.newest();
        let entry = *self.memory.get(newest);
        if entry.state == State::Pending {
            self.release(newest, &entry);
        }
        self.memory.pop();
    }
}
