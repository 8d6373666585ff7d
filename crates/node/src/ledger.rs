//! The thread beside an embedded ledger that makes the indexes of its full segments, so that a
//! batch waits for its own frame alone.
//!
//! How things flow: the ledger names a segment through a queue of one, the thread makes its index
//! through files of its own and hands it back through another. What bounds it: the ledger waits
//! once `ledger::limits::UNINDEXED_MAX` segments are without one. An error of the thread, or its
//! end, stops the ledger as one of its journal does; no space is tried again with the next segment.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use journal::index::{Index, IndexError, index_name};
use journal::{Disk, DiskError, DiskErrorKind, DiskOp};
use ledger::{IndexMaker, Indexer};

/// The thread, from the ledger's end.
#[derive(Debug)]
pub struct IndexThread {
    wanted: Option<SyncSender<u64>>,
    made: Receiver<Result<Index, IndexError>>,
    /// The segment that it was asked for.
    asked: Option<u64>,
    thread: Option<JoinHandle<()>>,
}

impl IndexThread {
    /// Starts the thread. `disk` is the ledger's directory once more, by files of its own.
    pub fn spawn<D: Disk + Send + 'static>(disk: D) -> std::io::Result<Self> {
        let (wanted, asked) = sync_channel(1);
        let (sender, made) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("indexes".to_owned())
            .spawn(move || make(disk, &asked, &sender))?;
        Ok(Self { wanted: Some(wanted), made, asked: None, thread: Some(thread) })
    }
}

impl<D: Disk> Indexer<D> for IndexThread {
    fn make(&mut self, _: &mut D, segment: u64, wait: bool) -> Result<Option<Index>, IndexError> {
        if self.asked != Some(segment) {
            let sent = self.wanted.as_ref().is_some_and(|wanted| wanted.send(segment).is_ok());
            if !sent {
                return Err(gone(segment));
            }
            self.asked = Some(segment);
        }
        let made = match wait {
            true => self.made.recv().map_err(|_| gone(segment))?,
            false => match self.made.try_recv() {
                Ok(made) => made,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(gone(segment)),
            },
        };
        self.asked = None;
        made.map(Some)
    }
}

impl Drop for IndexThread {
    fn drop(&mut self) {
        // It looks for its asker between two pieces of an index, and never waits for room to tell.
        self.wanted = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing to add.
            let _ = thread.join();
        }
    }
}

/// The thread: one index after another, until nobody asks any more.
fn make<D: Disk>(mut disk: D, asked: &Receiver<u64>, made: &SyncSender<Result<Index, IndexError>>) {
    let mut maker = IndexMaker::default();
    while let Ok(segment) = asked.recv() {
        let index = loop {
            if asked.try_recv() == Err(TryRecvError::Disconnected) {
                return;
            }
            match maker.make(&mut disk, segment, false) {
                Ok(None) => {}
                Ok(Some(index)) => break Ok(index),
                Err(error) => break Err(error),
            }
        };
        if made.send(index).is_err() {
            return;
        }
    }
}

fn gone(segment: u64) -> IndexError {
    IndexError::Disk(DiskError {
        kind: DiskErrorKind::Io,
        op: DiskOp::Create,
        name: index_name(segment),
        detail: "the thread that makes indexes has ended".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use journal::sim_disk::SimDisk;
    use journal::{NodeId, Options};
    use ledger::{Account, Embedded, EmbeddedError, Engine, Transfer, TransferStatus};
    use scheme::Timestamp;

    use super::*;
    use crate::disk::FileDisk;

    const WINDOW: usize = 50;
    const SEGMENT: u64 = 64 << 10;
    const COUNT: u128 = 20_000;

    fn options() -> Options {
        let node = NodeId::from_name("ledger").unwrap();
        Options { segment_bytes: SEGMENT, head_every_ns: 0, ..Options::new(node) }
    }

    fn open<D: Disk>(disk: D, indexer: IndexThread) -> Embedded<D, IndexThread> {
        Embedded::open_with(disk, options(), WINDOW, indexer, Timestamp(1)).unwrap().0
    }

    fn accounts<D: Disk>(ledger: &mut Embedded<D, IndexThread>) {
        let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
        let accounts = [account(1), account(2)];
        ledger.create_accounts(Timestamp(2), &accounts, &mut Vec::new()).unwrap();
    }

    /// Scattered, so that an id that came before may be in any segment.
    fn transfer(n: u128) -> Transfer {
        Transfer {
            id: (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            debit_account_id: 1,
            credit_account_id: 2,
            amount: 1,
            ledger: 1,
            code: 1,
            ..Transfer::default()
        }
    }

    fn give<D: Disk>(
        ledger: &mut Embedded<D, IndexThread>,
        from: u128,
        count: u128,
    ) -> Result<Vec<TransferStatus>, EmbeddedError> {
        let events: Vec<Transfer> = (from..from + count).map(transfer).collect();
        let mut statuses = Vec::new();
        let now = ledger.books().last();
        ledger.create_transfers(now, &events, &mut statuses).map(|()| statuses)
    }

    /// Memory stays within what the thread may be behind, nothing of what left it happens again,
    /// and a ledger that is left in the middle of an index finds everything.
    #[test]
    fn a_ledger_whose_indexes_another_makes_forgets_nothing() {
        let dir = crate::testing::temp_dir("ledger");
        let files = || FileDisk::open(&dir).unwrap();
        let mut ledger = open(files(), IndexThread::spawn(files()).unwrap());
        accounts(&mut ledger);
        for n in (0..COUNT).step_by(100) {
            let statuses = give(&mut ledger, n, 100).unwrap();
            assert!(statuses.iter().all(|status| status.is_ok()), "{n}");
            // Those without an index, the one in use, one that was sealed with this frame, and one
            // that is not known to be sealed until the head says so.
            let of_segment = usize::try_from(SEGMENT / 128).unwrap();
            let most = WINDOW + (ledger::limits::UNINDEXED_MAX + 3) * of_segment;
            assert!(ledger.books().remembered() <= most, "{}", ledger.books().remembered());
        }
        drop(ledger.into_disk());
        let mut ledger = open(files(), IndexThread::spawn(files()).unwrap());
        for n in (0..COUNT).step_by(1_000) {
            let statuses = give(&mut ledger, n, 1_000).unwrap();
            assert!(statuses.iter().all(|status| *status == TransferStatus::Exists), "{n}");
        }
        assert_eq!(ledger.account(2).unwrap().unwrap().credits_posted, COUNT);
        ledger.stop(Timestamp(9)).unwrap();
    }

    fn error_of(indexer: IndexThread) -> EmbeddedError {
        let mut ledger = open(SimDisk::new(1), indexer);
        accounts(&mut ledger);
        let given = (0..COUNT).step_by(100).map(|n| give(&mut ledger, n, 100));
        let error = given.filter_map(Result::err).next().unwrap();
        assert_eq!(give(&mut ledger, COUNT, 1), Err(EmbeddedError::Stopped));
        error
    }

    #[test]
    fn an_error_of_the_thread_stops_the_ledger() {
        let mut broken = SimDisk::new(2);
        broken.plan.fail_at = Some(0);
        let error = error_of(IndexThread::spawn(broken).unwrap());
        let EmbeddedError::History(IndexError::Disk(error)) = error else { panic!("{error}") };
        assert_eq!(error.kind, DiskErrorKind::Io);
    }

    #[test]
    fn a_thread_that_is_gone_stops_the_ledger() {
        let (wanted, _) = sync_channel(1);
        let (_, made) = sync_channel(1);
        let gone = IndexThread { wanted: Some(wanted), made, asked: None, thread: None };
        assert!(error_of(gone).to_string().contains("thread"));
    }
}
