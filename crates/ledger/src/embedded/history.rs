//! What is older than the window of ids: found by the indexes beside the sealed segments.
//!
//! The index of a sealed segment is made by an [`Indexer`] while the next one is filled; the ledger
//! waits for it where too many segments are without. Only what an index can find again leaves the
//! window. A question costs nothing for ids that
//! are above all those of the past, which ids that grow with time are; else a look at each filter.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use journal::Disk;
use journal::index::{self, Index, IndexError, Sealed, Span};

use super::indexer::{Indexer, repairable};
use super::records::{Entered, KEYS_VERSION, LedgerKeys, by_id, by_pending_id, read};
use super::records::{resolved_by, upper};
use crate::limits::{INDEX_WARM_BYTES, UNINDEXED_MAX};

/// Places of one key that are looked at: a key has one, but for hashes that meet.
const PLACES_MAX: usize = 8;

/// The sealed segments of a ledger.
#[derive(Debug)]
pub(super) struct History<I> {
    indexer: I,
    /// Of all segments up to the first that has none yet, oldest first.
    indexes: Vec<Index>,
    /// Sealed segments without one, in order.
    waiting: VecDeque<Sealed>,
    /// The last segment known to be sealed.
    known: u64,
    /// Whether the indexer is at work on the first that waits, and its index if it is done already.
    begun: bool,
    ready: Option<Index>,
    /// There was no space for it; with the next segment it is tried again.
    no_space: bool,
    warm: u64,
    /// The lowest and highest upper half of all ids there.
    ids: Span,
}

impl<I> History<I> {
    /// Looks at what there is, and changes nothing.
    pub(super) fn open<D: Disk>(disk: &mut D, indexer: I) -> Result<Self, IndexError>
    where
        I: Indexer<D>,
    {
        let mut history = Self {
            indexer,
            indexes: Vec::new(),
            waiting: VecDeque::new(),
            known: 0,
            begun: false,
            ready: None,
            no_space: false,
            warm: 0,
            ids: Span::default(),
        };
        history.refresh(disk)?;
        while let Some(sealed) = history.waiting.front() {
            let Some(index) = Index::open(disk, sealed.number, KEYS_VERSION)? else { break };
            history.add(disk, index)?;
        }
        Ok(history)
    }

    /// Looks which segments are sealed.
    pub(super) fn refresh<D: Disk>(&mut self, disk: &mut D) -> Result<(), IndexError> {
        self.no_space = false;
        for sealed in index::sealed(disk)? {
            if sealed.number > self.known {
                self.known = sealed.number;
                self.waiting.push_back(sealed);
            }
        }
        Ok(())
    }

    /// Whether there are segments that it should know of, when this one is in use: all before it
    /// but the last, which may be written to again where nobody has entered the one in use.
    pub(super) fn knows_less_than(&self, segment: u64) -> bool {
        self.known.saturating_add(2) < segment
    }

    /// Has made what is missing of segments up to this record.
    pub(super) fn complete<D: Disk>(&mut self, disk: &mut D, record: u64) -> Result<(), IndexError>
    where
        I: Indexer<D>,
    {
        self.refresh(disk)?;
        while self.waiting.front().is_some_and(|sealed| sealed.last_record <= record) {
            if let Some(index) = self.make(disk, true)? {
                self.add(disk, index)?;
            }
        }
        Ok(())
    }

    /// The last record that can be found, and with it all before.
    pub(super) fn covered(&self) -> u64 {
        self.indexes.last().map_or(0, |index| index.summary().last_record)
    }

    /// Whether there is something that can be done now.
    pub(super) fn is_behind(&self) -> bool {
        !self.no_space && !self.waiting.is_empty()
    }

    /// Whether so many segments are without an index that the ledger has to wait for one.
    pub(super) fn is_late(&self) -> bool {
        self.is_behind() && self.waiting.len() > UNINDEXED_MAX
    }

    /// Has one bounded piece done, or waits for an index; whether more can be found by it than
    /// before.
    pub(super) fn step<D: Disk>(&mut self, disk: &mut D, wait: bool) -> Result<bool, IndexError>
    where
        I: Indexer<D>,
    {
        match self.make(disk, wait) {
            Ok(None) => Ok(false),
            Ok(Some(index)) => {
                self.add(disk, index)?;
                Ok(true)
            }
            Err(IndexError::Disk(error)) if error.is_full() => {
                self.no_space = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The index of the first segment that waits, once it is made.
    fn make<D: Disk>(&mut self, disk: &mut D, wait: bool) -> Result<Option<Index>, IndexError>
    where
        I: Indexer<D>,
    {
        let Some(Sealed { number, .. }) = self.waiting.front().copied() else { return Ok(None) };
        if let Some(index) = self.ready.take() {
            return Ok(Some(index));
        }
        let made = self.indexer.make(disk, number, wait);
        self.begun = matches!(made, Ok(None));
        made
    }

    /// Takes the index of the first segment that waits.
    fn add<D: Disk>(&mut self, disk: &mut D, mut index: Index) -> Result<(), IndexError> {
        self.waiting.pop_front();
        let [ids, ..] = index.summary().spans;
        if ids.first <= ids.last {
            self.ids.take(ids.first);
            self.ids.take(ids.last);
        }
        self.warm = self.warm.saturating_add(index.warm_bytes());
        if let Err(error) = index.warm(disk) {
            repairable(error)?;
        }
        self.indexes.push(index);
        for index in &mut self.indexes {
            if self.warm <= INDEX_WARM_BYTES {
                break;
            }
            if index.is_warm() {
                self.warm = self.warm.saturating_sub(index.warm_bytes());
                index.cool();
            }
        }
        Ok(())
    }

    /// Whether an id may be there: no for what is above or below all of them.
    pub(super) fn may_hold(&self, id: u128) -> bool {
        (self.ids.first..=self.ids.last).contains(&upper(id))
    }

    /// Gives what became of these ids, and the posts and voids of these pending transfers. Both are
    /// sorted.
    pub(super) fn find<D: Disk>(
        &mut self,
        disk: &mut D,
        ids: &[u128],
        pending_ids: &[u128],
        visit: &mut dyn FnMut(Entered),
    ) -> Result<(), IndexError>
    where
        I: Indexer<D>,
    {
        for at in 0..self.indexes.len() {
            let mut found = Vec::new();
            let asked = ask(&self.indexes[at], disk, ids, pending_ids, &mut found);
            if let Err(error) = asked {
                repairable(error)?;
                // It says nothing that its segment does not: it is made again, once. Not beside
                // the one being made, which has the same name until it is done.
                if self.begun {
                    self.ready = self.make(disk, true)?;
                }
                let number = self.indexes[at].summary().segment;
                Index::remove(disk, number)?;
                index::build(disk, number, &LedgerKeys)?;
                if let Some(index) = Index::open(disk, number, KEYS_VERSION)? {
                    self.indexes[at] = index;
                }
                found.clear();
                ask(&self.indexes[at], disk, ids, pending_ids, &mut found)?;
            }
            found.into_iter().for_each(&mut *visit);
        }
        Ok(())
    }
}

/// Asks one index, and reads each frame that it names once.
fn ask<D: Disk>(
    index: &Index,
    disk: &mut D,
    ids: &[u128],
    pending_ids: &[u128],
    found: &mut Vec<Entered>,
) -> Result<(), IndexError> {
    let [of_ids, of_pending_ids, _] = index.summary().spans;
    let within = |span: Span, id: u128| (span.first..=span.last).contains(&upper(id));
    let mut places = Vec::new();
    for id in ids.iter().filter(|id| within(of_ids, **id)) {
        index.find(disk, by_id(*id), PLACES_MAX, &mut places)?;
    }
    for id in pending_ids.iter().filter(|id| within(of_pending_ids, **id)) {
        index.find(disk, by_pending_id(*id), PLACES_MAX, &mut places)?;
    }
    places.sort_unstable();
    places.dedup();
    for place in places {
        index.frame(disk, place, &mut |record| {
            // What can't be read has no key.
            let Ok(entered) = read(record) else { return };
            let is_it = match &entered {
                Entered::Transfer(transfer) => {
                    let hold = resolved_by(transfer);
                    ids.binary_search(&transfer.id).is_ok()
                        || hold.is_some_and(|hold| pending_ids.binary_search(&hold).is_ok())
                }
                Entered::Failed(id) => ids.binary_search(id).is_ok(),
                Entered::Account(_) | Entered::Expired(_) => false,
            };
            if is_it {
                found.push(entered);
            }
        })?;
    }
    Ok(())
}
