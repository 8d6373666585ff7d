//! Who makes the indexes of sealed segments: the ledger itself, a bounded piece now and then, or a
//! thread of its owner's, which a crate without threads can only name.

use core::fmt::Debug;

use journal::Disk;
use journal::index::{Build, Index, IndexError, Progress, Room};

use super::records::{KEYS_VERSION, LedgerKeys};

/// Makes indexes of sealed segments, one at a time.
pub trait Indexer<D: Disk>: Debug {
    /// Goes on with the index of a segment, whose `disk` is the ledger's own: gives it once it is
    /// durable, `None` as long as it is not, which it never says when it is to `wait`. The caller
    /// asks for one segment until it has its index or an error.
    fn make(&mut self, disk: &mut D, segment: u64, wait: bool)
    -> Result<Option<Index>, IndexError>;
}

/// Makes them itself: each call does one bounded piece, or all that is left.
#[derive(Debug, Default)]
pub struct IndexMaker {
    build: Option<Build>,
    /// The memory for the next.
    room: Room,
}

impl<D: Disk> Indexer<D> for IndexMaker {
    fn make(
        &mut self,
        disk: &mut D,
        segment: u64,
        wait: bool,
    ) -> Result<Option<Index>, IndexError> {
        loop {
            let made = self.piece(disk, segment)?;
            if made.is_some() || !wait {
                return Ok(made);
            }
        }
    }
}

impl IndexMaker {
    /// One piece. After an error the index is begun anew.
    fn piece<D: Disk>(&mut self, disk: &mut D, number: u64) -> Result<Option<Index>, IndexError> {
        let mut build = match self.build.take().filter(|build| build.segment() == number) {
            Some(build) => build,
            None => match Index::open(disk, number, KEYS_VERSION)? {
                Some(index) => return Ok(Some(index)),
                None => {
                    let room = core::mem::take(&mut self.room);
                    Build::start(disk, number, &LedgerKeys, room)?
                }
            },
        };
        let progress = build.step(disk, &LedgerKeys);
        if matches!(progress, Ok(Progress::More | Progress::Differs)) {
            self.build = Some(build);
            return Ok(None);
        }
        let index = progress.and_then(|_| build.open(disk));
        self.room = build.into_room();
        index.map(Some)
    }
}

/// Lets pass what building an index again may mend.
pub(super) fn repairable(error: IndexError) -> Result<(), IndexError> {
    match error {
        IndexError::Damaged { .. } => Ok(()),
        IndexError::Disk(error) => Err(IndexError::Disk(error)),
    }
}
