//! The hub's history on a disk: makes the indexes of sealed segments, and reads payments back.
//!
//! Driven by a shell on a thread of its own, beside the one that writes the journal; never by the
//! event loop. [`History::step`] does one bounded piece of what is to be done, [`History::find`]
//! answers one question. What bounds it: [`WARM_BYTES`], and the limits of a look-up in `switch`.
//! It only reads the journal; what it writes are indexes, which are made again if they are lost.

mod start;

use std::collections::{BTreeMap, BTreeSet};

use journal::index::{self, Build, Frame, Index, IndexError, Keys, KeysOf, Progress, Room};
use journal::{Disk, DiskError, DiskErrorKind, DiskOp, RecordView};
use scheme::{PaymentId, Timestamp, Zone};
use switch::Record;
use switch::history::{self, Gather, HistoryKey, Indexed, KEYS_VERSION, Latest, Mark};
use switch::hub::Kept;
use switch::limits::FOUND_BY_LOOK_UP_MAX;
use switch::record;

pub use self::start::Start;
use crate::config::Config;
use crate::limits::{FRAMES_KEPT, KEYS_TOLD, WARM_BYTES};

/// What the records of a hub are found by.
#[derive(Clone, Debug)]
pub struct HubKeys {
    zone: Zone,
}

impl HubKeys {
    /// Those of a nation.
    pub fn new(config: &Config) -> Self {
        Self { zone: config.zone.clone() }
    }
}

impl KeysOf for HubKeys {
    fn version(&self) -> u16 {
        KEYS_VERSION
    }

    fn keys_of(&self, view: &RecordView<'_>, keys: &mut Keys) {
        if let Some(id) = history::id_alone(view.kind, view.payload) {
            return keys.key(HistoryKey::Id(id).hash());
        }
        // One that cannot be read is found by nothing; `ledger verify` names it.
        let Ok(fact) = record::decode(view.kind, view.version, view.payload) else { return };
        history::marks(&fact, |at| self.zone.local(at), &mut |mark| match mark {
            Mark::Key(key) => keys.key(key.hash()),
            Mark::Recent(key) => keys.recent(key.hash()),
            Mark::At(latest) => {
                keys.span(0, latest.received);
                keys.span(1, latest.local);
            }
            Mark::Participant(participant) => keys.tag(participant.get()),
        });
    }
}

/// What is asked of history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The asker's number of the question.
    pub number: u64,
    /// By any of these.
    pub keys: Vec<HistoryKey>,
    /// Among what was recorded at this time or later.
    pub since: Timestamp,
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Nothing is to be done until another segment is sealed.
    Idle,
    /// There is more to do.
    More,
    /// To be told to the hub: a part of what a segment adds, and with the last part that it can be
    /// read back.
    Indexed(Indexed),
}

/// The history of one hub.
#[derive(Debug)]
pub struct History<D> {
    disk: D,
    keys: HubKeys,
    /// The segment in use, when it was last looked at.
    active: u64,
    /// Sealed segments and the last record of each.
    sealed: BTreeMap<u64, u64>,
    indexes: BTreeMap<u64, Index>,
    build: Option<Build>,
    /// The memory for the next build.
    room: Room,
    /// Keys of a new index that the hub is not told yet, the last part first.
    untold: Vec<Indexed>,
    /// Segments that had an index before, and of which the hub has not heard.
    unheard: BTreeSet<u64>,
    /// Segments whose keys the hub's filter has.
    known: BTreeSet<u64>,
    warm: u64,
    /// As much as that may become: [`WARM_BYTES`].
    warm_most: u64,
    /// What the hub was told can be read back.
    covered: u64,
    /// Indexes that were given up, and why the last one was.
    given_up: u64,
    why: Option<IndexError>,
    /// The first record that the journal still has.
    first: u64,
}

impl<D> History<D> {
    /// Goes on with another disk of the same directory.
    #[must_use]
    pub fn on<E>(self, disk: E) -> History<E> {
        History {
            disk,
            keys: self.keys,
            active: self.active,
            sealed: self.sealed,
            indexes: self.indexes,
            build: self.build,
            room: self.room,
            untold: self.untold,
            unheard: self.unheard,
            known: self.known,
            warm: self.warm,
            warm_most: self.warm_most,
            covered: self.covered,
            given_up: self.given_up,
            why: self.why,
            first: self.first,
        }
    }
}

impl<D: Disk> History<D> {
    /// Looks at what there is. `covered`: the last record that the hub takes to be readable.
    pub fn open(disk: D, keys: HubKeys, covered: u64) -> Result<Self, IndexError> {
        let mut history = Self::look(disk, keys)?;
        history.cover(covered);
        Ok(history)
    }

    /// The same, before it is known what the hub takes to be readable.
    fn look(disk: D, keys: HubKeys) -> Result<Self, IndexError> {
        let mut history = Self {
            disk,
            keys,
            active: 0,
            sealed: BTreeMap::new(),
            indexes: BTreeMap::new(),
            build: None,
            room: Room::default(),
            untold: Vec::new(),
            unheard: BTreeSet::new(),
            known: BTreeSet::new(),
            warm: 0,
            warm_most: WARM_BYTES,
            covered: 0,
            given_up: 0,
            why: None,
            first: 0,
        };
        history.refresh()?;
        for number in history.sealed.keys().copied().collect::<Vec<_>>() {
            history.open_index(number)?;
        }
        Ok(history)
    }

    /// Takes the index of a segment, if there is one that can be read; whether there was.
    fn open_index(&mut self, number: u64) -> Result<bool, IndexError> {
        let opened = Index::open(&mut self.disk, number, KEYS_VERSION).map_err(IndexError::Disk);
        match opened {
            Ok(Some(index)) => {
                self.indexes.insert(number, index);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if spoilt(&error).is_some() => {
                self.drop_index(number, error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// How many indexes did not hold or could not be read so far: each is made again.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// What was wrong with the last of them.
    pub fn why_given_up(&self) -> Option<&IndexError> {
        self.why.as_ref()
    }

    /// The hub takes this to be readable. It is to hear of what has an index beyond that: the last
    /// run ended between the two.
    fn cover(&mut self, covered: u64) {
        self.covered = covered;
        let beyond = |number: &&u64| self.sealed.get(number).is_some_and(|last| *last > covered);
        self.unheard = self.indexes.keys().filter(beyond).copied().collect();
    }

    /// The sealed segments that the hub takes to be readable, the oldest first.
    fn covered_segments(&self) -> Vec<u64> {
        let sealed = self.sealed.iter();
        sealed.take_while(|(_, last)| **last <= self.covered).map(|(number, _)| *number).collect()
    }

    /// Up to which record there are sealed segments, or were before they were put away.
    fn reached(&self) -> u64 {
        let covered = self.covered_segments();
        let last = covered.last().and_then(|number| self.sealed.get(number));
        last.copied().unwrap_or(0).max(self.first.saturating_sub(1))
    }

    /// Whether more than one segment waited for an index when it was last looked.
    pub fn is_behind(&self) -> bool {
        let waits = |number: &&u64| !self.indexes.contains_key(*number);
        self.sealed.keys().filter(waits).nth(1).is_some()
    }

    /// Whether filters are to be read for which there is memory: after a start that did not wait
    /// for all of them, and looks at each segment's pages until then.
    pub fn is_cold(&self) -> bool {
        let cold = self.indexes.values().rev().find(|index| !index.is_warm());
        let room = |index: &Index| self.warm.saturating_add(index.warm_bytes()) <= self.warm_most;
        cold.is_some_and(room)
    }

    /// Does one bounded piece of what is to be done.
    pub fn step(&mut self) -> Result<Step, IndexError> {
        if let Some(part) = self.untold.pop() {
            self.covered = self.covered.max(part.record);
            return Ok(Step::Indexed(part));
        }
        if let Some(number) = self.unheard.first().copied() {
            return self.announce_again(number);
        }
        self.advance()
    }

    /// The same, but for what the hub is to be told.
    fn advance(&mut self) -> Result<Step, IndexError> {
        if let Some(mut build) = self.build.take() {
            let progress = build.step(&mut self.disk, &self.keys);
            if progress == Ok(Progress::More) {
                self.build = Some(build);
                return Ok(Step::More);
            }
            let made = progress.and_then(|_| build.open(&mut self.disk));
            let step = made.map(|index| {
                self.built(index, build.recent());
                Step::More
            });
            self.room = build.into_room();
            return step;
        }
        self.refresh()?;
        let missing = self.sealed.keys().find(|number| !self.indexes.contains_key(number));
        if let Some(number) = missing.copied() {
            let room = core::mem::take(&mut self.room);
            self.build = Some(Build::start(&mut self.disk, number, &self.keys, room)?);
            return Ok(Step::More);
        }
        self.warm_one()
    }

    /// One that was just made, and its recent keys. Its filter is in memory already, before anybody
    /// asks for what it has: a busy hub has no idle moment for it later.
    fn built(&mut self, index: Index, keys: &[u64]) {
        let (number, latest) = (index.summary().segment, latest_of(&index));
        self.warm = self.warm.saturating_add(index.warm_bytes());
        self.indexes.insert(number, index);
        self.announce(number, latest, if self.known.contains(&number) { &[] } else { keys });
        while self.warm > self.warm_most && self.cool_oldest() {}
    }

    /// The hub is to hear of an index that was there before.
    fn announce_again(&mut self, number: u64) -> Result<Step, IndexError> {
        let Some(index) = self.indexes.get(&number) else {
            // It is made again.
            self.unheard.remove(&number);
            return Ok(Step::More);
        };
        let latest = latest_of(index);
        let known = self.known.contains(&number);
        let keys = if known { Ok(Vec::new()) } else { index.recent(&mut self.disk) };
        let keys = match keys {
            Ok(keys) => keys,
            Err(error) => {
                self.give_up(error)?;
                return Ok(Step::More);
            }
        };
        self.unheard.remove(&number);
        self.announce(number, latest, &keys);
        Ok(Step::More)
    }

    /// The hub is to hear of these keys of a segment, and then of what can be read back.
    fn announce(&mut self, number: u64, latest: Latest, keys: &[u64]) {
        self.known.insert(number);
        // Segments are indexed in their order, but for one that was lost: then more is readable.
        let heard =
            |number: &u64| self.indexes.contains_key(number) && !self.unheard.contains(number);
        let whole = self.sealed.iter().take_while(|(number, _)| heard(number));
        let record = whole.last().map_or(0, |(_, last)| *last);
        // Before the last part the hub hears of nothing new that can be read back.
        let part = |keys: &[u64]| Indexed {
            record: self.covered,
            latest,
            keys: keys.to_vec(),
            whole: false,
        };
        let mut parts: Vec<_> = keys.chunks(KEYS_TOLD).map(part).collect();
        if parts.is_empty() {
            parts.push(part(keys));
        }
        if let Some(last) = parts.last_mut() {
            last.record = record;
            last.whole = self.is_told(record.max(self.covered));
        }
        parts.reverse();
        // Behind those of the index before.
        parts.append(&mut self.untold);
        self.untold = parts;
    }

    /// Whether the hub's filter has the keys of everything up to a record, once it has heard what
    /// it is to be told.
    fn is_told(&self, record: u64) -> bool {
        let mut until = self.sealed.iter().take_while(|(_, last)| **last <= record);
        self.reached() >= self.covered && until.all(|(number, _)| self.known.contains(number))
    }

    /// Filters of the newest stay in memory.
    fn warm_one(&mut self) -> Result<Step, IndexError> {
        match self.warm_newest() {
            Ok(true) => return Ok(Step::More),
            Ok(false) => {}
            Err(error) => {
                self.give_up(error)?;
                return Ok(Step::More);
            }
        }
        // A newer one takes the place of the oldest.
        let cold = self.indexes.iter().rev().find(|(_, index)| !index.is_warm());
        let oldest = self.indexes.iter().find(|(_, index)| index.is_warm());
        let (Some((cold, _)), Some((oldest, _))) = (cold, oldest) else { return Ok(Step::Idle) };
        if oldest > cold {
            return Ok(Step::Idle);
        }
        self.cool_oldest();
        Ok(Step::More)
    }

    /// Reads a part of the newest filter that is not in memory, if there is room for it; whether
    /// there was such a one.
    fn warm_newest(&mut self) -> Result<bool, IndexError> {
        let cold = self.indexes.values_mut().rev().find(|index| !index.is_warm());
        let Some(index) = cold else { return Ok(false) };
        let warm = self.warm.saturating_add(index.warm_bytes());
        if warm > self.warm_most {
            // What was read of it, when there was room.
            index.cool();
            return Ok(false);
        }
        if index.warm_on(&mut self.disk)? {
            self.warm = warm;
        }
        Ok(true)
    }

    /// Gives the memory of the oldest filter back; whether there was one.
    fn cool_oldest(&mut self) -> bool {
        let oldest = self.indexes.values_mut().find(|index| index.is_warm());
        let Some(oldest) = oldest else { return false };
        self.warm = self.warm.saturating_sub(oldest.warm_bytes());
        oldest.cool();
        true
    }

    /// Takes an index away that does not hold or cannot be read: it is made again. Any other error
    /// stays one.
    fn give_up(&mut self, error: IndexError) -> Result<(), IndexError> {
        let Some(number) = spoilt(&error) else { return Err(error) };
        self.drop_index(number, error);
        Ok(Index::remove(&mut self.disk, number)?)
    }

    /// The same, and leaves the file where it is.
    fn drop_index(&mut self, number: u64, why: IndexError) {
        self.given_up = self.given_up.saturating_add(1);
        self.why = Some(why);
        if let Some(index) = self.indexes.remove(&number).filter(Index::is_warm) {
            self.warm = self.warm.saturating_sub(index.warm_bytes());
        }
    }

    /// Sees which segments are sealed, whichever is in use.
    fn look_again(&mut self) -> Result<(), IndexError> {
        self.active = 0;
        self.refresh()
    }

    /// Sees which segments are sealed, if another one is in use.
    fn refresh(&mut self) -> Result<(), IndexError> {
        let active = index::active(&mut self.disk)?;
        if active != self.active {
            // Whatever fails of these, what was known stays known.
            let sealed = index::sealed(&mut self.disk)?;
            let first = index::first_record(&mut self.disk)?;
            self.sealed = sealed.iter().map(|one| (one.number, one.last_record)).collect();
            (self.active, self.first) = (active, first);
            let sealed = &self.sealed;
            self.indexes.retain(|number, _| sealed.contains_key(number));
            self.known.retain(|number| sealed.contains_key(number));
            self.warm = self.indexes.values().filter(|i| i.is_warm()).map(Index::warm_bytes).sum();
        }
        Ok(())
    }

    /// The payments that a question means, those that came last first, so many at most. An index
    /// that does not hold is made again, once.
    pub fn find(&mut self, ask: &Ask) -> Result<Vec<Kept>, IndexError> {
        self.mend()?;
        let error = match self.answer(ask) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let is_gone =
            matches!(&error, IndexError::Disk(error) if error.kind == DiskErrorKind::NotFound);
        if is_gone {
            // With its segment, to the archive, or alone.
            self.look_again()?;
        }
        if spoilt(&error).is_some() || !is_gone {
            self.give_up(error)?;
        }
        self.mend()?;
        self.answer(ask)
    }

    /// Makes what is missing among what the hub takes to be readable: before that no answer is
    /// whole.
    fn mend(&mut self) -> Result<(), IndexError> {
        if self.reached() < self.covered {
            self.look_again()?;
            self.is_whole()?;
        }
        while self.covered_segments().iter().any(|number| !self.indexes.contains_key(number)) {
            self.advance()?;
        }
        Ok(())
    }

    /// An answer of less than the hub takes to be readable would let a payment be made twice.
    fn is_whole(&self) -> Result<(), IndexError> {
        let (reached, covered) = (self.reached(), self.covered);
        if reached >= covered {
            return Ok(());
        }
        let detail = format!("it names segments up to record {reached}, and {covered} is covered");
        let (kind, op, name) = (DiskErrorKind::Io, DiskOp::Read, "head".to_owned());
        Err(IndexError::Disk(DiskError { kind, op, name, detail }))
    }

    fn answer(&mut self, ask: &Ask) -> Result<Vec<Kept>, IndexError> {
        let (mut ids, mut frames) = (Vec::new(), Frames::default());
        for index in self.indexes.values().rev() {
            if index.summary().times.last < ask.since.0 || ids.len() >= FOUND_BY_LOOK_UP_MAX {
                break;
            }
            for key in &ask.keys {
                ids_of(&mut self.disk, index, key, &mut frames, &mut ids)?;
            }
        }
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.gather(id, &mut frames)?);
        }
        found.retain(|kept| ask.keys.iter().any(|key| key.is_of(kept)));
        Ok(found)
    }

    /// A payment out of its records, the newest first.
    fn gather(&mut self, id: PaymentId, frames: &mut Frames) -> Result<Option<Kept>, IndexError> {
        let (mut gather, key) = (Gather::default(), HistoryKey::Id(id).hash());
        for index in self.indexes.values().rev() {
            let mut places = Vec::new();
            index.find(&mut self.disk, key, usize::MAX, &mut places)?;
            for place in places.into_iter().rev() {
                let mut records = Vec::new();
                for view in frames.read(&mut self.disk, index, place)?.records() {
                    if history::speaks_of(view.kind, view.payload, id)
                        && let Ok(fact) = record::decode(view.kind, view.version, view.payload)
                    {
                        let at = Timestamp(view.time_ns);
                        records.push((view.number, Record { at, fact }));
                    }
                }
                for (number, record) in records.into_iter().rev() {
                    if gather.take(number, record) {
                        return Ok(gather.finish());
                    }
                }
            }
        }
        Ok(gather.finish())
    }
}

/// The frames that were read last for a question: what names a payment is also what it is put
/// together of.
#[derive(Debug, Default)]
struct Frames {
    /// By segment and place, the last read last.
    kept: Vec<((u64, u64), Frame)>,
}

impl Frames {
    fn read<D: Disk>(
        &mut self,
        disk: &mut D,
        index: &Index,
        place: u64,
    ) -> Result<&Frame, IndexError> {
        let which = (index.summary().segment, place);
        let at = match self.kept.iter().position(|(kept, _)| *kept == which) {
            Some(at) => at,
            None => {
                let frame = index.read_frame(disk, place)?;
                if self.kept.len() >= FRAMES_KEPT {
                    self.kept.remove(0);
                }
                self.kept.push((which, frame));
                self.kept.len() - 1
            }
        };
        Ok(&self.kept[at].1)
    }
}

/// Adds the payments that a segment has by a key, the newest first.
fn ids_of<D: Disk>(
    disk: &mut D,
    index: &Index,
    key: &HistoryKey,
    frames: &mut Frames,
    ids: &mut Vec<PaymentId>,
) -> Result<(), IndexError> {
    let mut places = Vec::new();
    index.find(disk, key.hash(), usize::MAX, &mut places)?;
    for place in places.into_iter().rev() {
        if ids.len() >= FOUND_BY_LOOK_UP_MAX {
            return Ok(());
        }
        let mut here = Vec::new();
        for view in frames.read(disk, index, place)?.records() {
            if let HistoryKey::Id(id) = key {
                if history::speaks_of(view.kind, view.payload, *id) {
                    here.push(*id);
                }
            } else if history::says_keys(view.kind)
                && let Ok(fact) = record::decode(view.kind, view.version, view.payload)
                && let Some(id) = history::named_by(&fact, key)
            {
                here.push(id);
            }
        }
        for id in here.into_iter().rev() {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(())
}

/// The segment whose index an error is of, where that is made again: it does not hold, is gone, or
/// cannot be read.
fn spoilt(error: &IndexError) -> Option<u64> {
    match error {
        IndexError::Damaged { file, .. } => index::index_number(file),
        IndexError::Disk(error) if error.op == DiskOp::Read => index::index_number(&error.name),
        IndexError::Disk(_) => None,
    }
}

fn latest_of(index: &Index) -> Latest {
    let [received, local, _] = index.summary().spans;
    Latest { received: received.last, local: local.last }
}

#[cfg(test)]
mod tests;
