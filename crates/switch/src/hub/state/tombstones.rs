//! Reversals of unknown originals (R-TOMB), under each key by which an original is looked for.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scheme::{ParticipantId, Rrn, Stan, TerminalId, Timestamp};

use crate::record::Tombstone;

type TerminalKey = (ParticipantId, TerminalId);
type StanKey = (ParticipantId, TerminalId, Stan);
type RrnKey = (ParticipantId, TerminalId, Rrn);

/// Entries under a match key, each behind its number, which counts up.
type Index<K, T> = HashMap<K, VecDeque<(u64, T)>, FixedState>;

/// Reversals whose original has not come. They are numbered as they come; the numbers are not
/// durable, their order is.
#[derive(Clone, Debug, Default)]
pub(super) struct Tombstones {
    by_stan: Index<StanKey, Tombstone>,
    by_rrn: Index<RrnKey, Stan>,
    by_terminal: Index<TerminalKey, Stan>,
    by_time: BTreeSet<(Timestamp, u64, StanKey)>,
    next: u64,
}

impl Tombstones {
    pub(super) fn by_stan(&self, key: StanKey) -> impl Iterator<Item = &Tombstone> {
        self.by_stan.get(&key).into_iter().flatten().map(|(_, tombstone)| tombstone)
    }

    pub(super) fn by_rrn(
        &self,
        (acquirer, terminal, rrn): RrnKey,
    ) -> impl Iterator<Item = &Tombstone> {
        let named = self.by_rrn.get(&(acquirer, terminal, rrn)).into_iter().flatten();
        named.filter_map(move |(number, stan)| {
            let alike = self.by_stan.get(&(acquirer, terminal, *stan))?;
            let place = alike.binary_search_by_key(number, |(number, _)| *number).ok()?;
            alike.get(place).map(|(_, tombstone)| tombstone)
        })
    }

    pub(super) fn count(&self, terminal: TerminalKey) -> usize {
        self.by_terminal.get(&terminal).map_or(0, VecDeque::len)
    }

    pub(super) fn in_order(&self) -> Vec<&Tombstone> {
        let mut all: Vec<_> = self.by_stan.values().flatten().collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, tombstone)| tombstone).collect()
    }

    pub(super) fn push(&mut self, tombstone: Tombstone) {
        let (acquirer, terminal, stan) = (tombstone.acquirer, tombstone.terminal, tombstone.stan);
        let (key, number) = ((acquirer, terminal, stan), self.next);
        self.next = number.saturating_add(1);
        self.by_time.insert((tombstone.first_received, number, key));
        self.by_terminal.entry((acquirer, terminal)).or_default().push_back((number, stan));
        if let Some(rrn) = tombstone.rrn {
            self.by_rrn.entry((acquirer, terminal, rrn)).or_default().push_back((number, stan));
        }
        self.by_stan.entry(key).or_default().push_back((number, tombstone));
    }

    /// Takes out one that was received before `horizon`.
    pub(super) fn pop_before(&mut self, horizon: Timestamp) -> Option<Tombstone> {
        let (since, number, key) = self.by_time.first().copied()?;
        if since < horizon { self.remove(number, key) } else { None }
    }

    /// Takes out the terminal's that came first. Not the one received first: what a station sends
    /// late, after a cut, must be known again when it is repeated.
    pub(super) fn pop_of(&mut self, (acquirer, terminal): TerminalKey) -> Option<Tombstone> {
        let (number, stan) = self.by_terminal.get(&(acquirer, terminal))?.front().copied()?;
        self.remove(number, (acquirer, terminal, stan))
    }

    fn remove(&mut self, number: u64, key: StanKey) -> Option<Tombstone> {
        let (acquirer, terminal, _) = key;
        let tombstone = take(&mut self.by_stan, &key, number)?;
        take(&mut self.by_terminal, &(acquirer, terminal), number);
        if let Some(rrn) = tombstone.rrn {
            take(&mut self.by_rrn, &(acquirer, terminal, rrn), number);
        }
        self.by_time.remove(&(tombstone.first_received, number, key));
        Some(tombstone)
    }
}

fn take<K: Hash + Eq, T>(index: &mut Index<K, T>, key: &K, number: u64) -> Option<T> {
    let entries = index.get_mut(key)?;
    let place = entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
    let (_, taken) = entries.remove(place)?;
    if entries.is_empty() {
        index.remove(key);
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use scheme::{Amount, LocalTime};

    use super::*;

    /// What is let go is let go under every key: an index that kept numbers would only grow.
    #[test]
    fn r_tomb_no_index_keeps_what_is_forgotten() {
        let terminal = (ParticipantId::new(7).unwrap(), TerminalId::new(b"PYO00001").unwrap());
        let mut tombstones = Tombstones::default();
        for n in 1..=4u32 {
            tombstones.push(Tombstone {
                acquirer: terminal.0,
                terminal: terminal.1,
                stan: Stan::new(n % 2).unwrap(),
                transmitted: n,
                mti: 200,
                rrn: Rrn::new(b"000000000077").ok(),
                transaction: 0,
                amount: Amount::ZERO,
                token: None,
                first_received: Timestamp::from_s(u64::from(5 - n)),
                local: LocalTime::default(),
            });
        }
        let sent = |t: Option<Tombstone>| t.map(|t| t.transmitted);
        assert_eq!(sent(tombstones.pop_of(terminal)), Some(1), "came first");
        assert_eq!(sent(tombstones.pop_before(Timestamp::from_s(9))), Some(4), "received first");
        assert_eq!(sent(tombstones.pop_before(Timestamp::from_s(2))), None);
        assert_eq!(sent(tombstones.pop_of(terminal)), Some(2));
        assert_eq!(sent(tombstones.pop_before(Timestamp::from_s(9))), Some(3));
        let Tombstones { by_stan, by_rrn, by_terminal, by_time, next } = tombstones;
        assert!(by_stan.is_empty() && by_rrn.is_empty() && by_terminal.is_empty());
        assert!(by_time.is_empty());
        assert_eq!(next, 4);
    }
}
