//! What a hub's filter is to know of its history when the hub starts.
//!
//! How it flows: [`Start::read`] reads the recent keys of all indexes, which it may do beside the
//! hub's recovery, and [`Start::warm_on`] what look-ups want, for as long as that takes;
//! [`Start::end`] hears what the hub takes to be readable, and looks at what is there once more.
//! What bounds it: [`GONE_GENERATIONS`] of [`GONE_KEYS_OF_GENERATION`], and [`KEYS_GATHERED`].

use journal::Disk;
use journal::index::IndexError;
use switch::history::{Indexed, Latest};
use switch::hub::Gone;
use switch::limits::{GONE_GENERATIONS, GONE_KEYS_OF_GENERATION};

use super::{History, HubKeys, latest_of, spoilt};
use crate::limits::KEYS_GATHERED;

/// A history, and the filter of what its indexes have.
#[derive(Debug)]
pub struct Start<D> {
    history: History<D>,
    gone: Gone,
}

impl<D: Disk> Start<D> {
    /// Reads the recent keys, as many as a filter knows. The journal may be on its way back
    /// meanwhile: an error is a reason to read again after that.
    pub fn read(disk: D, keys: HubKeys) -> Result<Self, IndexError> {
        let history = History::look(disk, keys)?;
        let mut start = Self { history, gone: Gone::default() };
        let (mut keys, mut told) = (0u64, Vec::new());
        let most = (GONE_GENERATIONS * GONE_KEYS_OF_GENERATION) as u64;
        for (number, index) in start.history.indexes.iter().rev() {
            keys = keys.saturating_add(index.summary().recent);
            if keys <= most {
                told.push(*number);
            } else {
                start.gone.and_rest(latest_of(index));
                start.history.known.insert(*number);
            }
        }
        told.reverse();
        // The journal's files are not ours alone now: `end` looks at these again.
        for (number, why) in start.take(&told)? {
            start.history.drop_index(number, why);
        }
        Ok(start)
    }

    /// Reads a part of what the history keeps in memory for look-ups, the newest first; whether it
    /// is worth to go on. What cannot be read is met again, and told, by [`History::step`].
    pub fn warm_on(&mut self) -> bool {
        self.history.warm_newest().unwrap_or(false)
    }

    /// Goes on with another disk of the same directory.
    #[must_use]
    pub fn on(self, disk: D) -> Self {
        Self { history: self.history.on(disk), ..self }
    }

    /// The filter of a hub that takes everything up to this record to be readable, and the history
    /// that goes on from there.
    pub fn end(mut self, covered: u64) -> Result<(Gone, History<D>), IndexError> {
        // The recovery may have found that more is sealed, or put something away.
        self.history.look_again()?;
        let missing = |number: &&u64| !self.history.indexes.contains_key(number);
        let missing: Vec<u64> = self.history.sealed.keys().filter(missing).copied().collect();
        let mut new = Vec::new();
        for number in missing {
            if self.history.open_index(number)? {
                new.push(number);
            }
        }
        for (_, why) in self.take(&new)? {
            self.history.give_up(why)?;
        }
        let Self { mut history, mut gone } = self;
        history.cover(covered);
        let whole = history.covered_segments();
        if whole.iter().any(|number| !history.indexes.contains_key(number)) {
            // One without an index may hold anything until it has one again.
            gone.is_not_whole();
        }
        if history.reached() < covered {
            // As long as that is so no look-up is answered either.
            gone.is_not_whole();
        }
        let removed = history.sealed.first_key_value().is_none_or(|(number, _)| *number > 1);
        if covered > 0 && removed {
            // What archives have and this disk has not any more is of no message of these days.
            gone.and_rest(Latest::default());
        }
        Ok((gone, history))
    }

    /// Puts what these segments have into the filter, the oldest first. Gives those whose keys
    /// cannot be read, and why.
    fn take(&mut self, numbers: &[u64]) -> Result<Vec<(u64, IndexError)>, IndexError> {
        let Self { history, gone } = self;
        let (mut pages, mut gathered, mut unread) = (Vec::new(), nothing(), Vec::new());
        for number in numbers {
            let Some(index) = history.indexes.get(number) else { continue };
            let latest = latest_of(index);
            match index.add_recent(&mut history.disk, &mut pages, &mut gathered.keys) {
                Ok(()) => {}
                Err(error) if spoilt(&error).is_some() => {
                    unread.push((*number, error));
                    continue;
                }
                Err(error) => return Err(error),
            }
            history.known.insert(*number);
            gathered.latest = gathered.latest.and(latest);
            if gathered.keys.len() >= KEYS_GATHERED {
                gone.add(&gathered);
                gathered.keys.clear();
                gathered.latest = Latest::default();
            }
        }
        gone.add(&gathered);
        Ok(unread)
    }
}

fn nothing() -> Indexed {
    let keys = Vec::with_capacity(KEYS_GATHERED);
    Indexed { latest: Latest::default(), keys, ..Indexed::default() }
}
