//! History, as `host` keeps it: what the hub let go is found in the records.

use std::collections::BTreeSet;

use scheme::{ParticipantId, PaymentId, Stan, TerminalId, Timestamp};
use switch::history::{self, Gather, HistoryKey, Indexed, Mark};
use switch::hub::{Input, Kept};

use super::{Rig, config};

impl Rig {
    /// What was asked of history is answered when everything before it has been dealt with.
    pub(super) fn answer_look_ups(&mut self) {
        self.depth += 1;
        while let Some((number, keys, since)) = self.look_ups.pop_front() {
            self.looked_up += 1;
            let found = Some(self.in_history(&keys, since));
            self.drive(Input::FoundInHistory { number, found });
        }
        self.depth -= 1;
    }

    /// History has everything up to now.
    pub(super) fn cover(&mut self) {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut indexed = Indexed { record: self.records.len() as u64, ..Indexed::default() };
        for record in &self.records[covered..] {
            history::marks(&record.fact, |at| config().zone.local(at), &mut |mark| match mark {
                Mark::Recent(key) => indexed.keys.push(key.hash()),
                Mark::At(latest) => indexed.latest = indexed.latest.and(latest),
                Mark::Key(_) | Mark::Participant(_) => {}
            });
        }
        self.depth += 1;
        self.drive(Input::Indexed(indexed));
        self.depth -= 1;
    }

    /// What history has by one of these keys, through the bytes of its records.
    fn in_history(&self, keys: &[HistoryKey], since: Timestamp) -> Vec<Kept> {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut ids = BTreeSet::new();
        for record in self.records[..covered].iter().filter(|record| record.at >= since) {
            let mut wanted = false;
            history::marks(&record.fact, |at| config().zone.local(at), &mut |mark| {
                if let Mark::Key(key) | Mark::Recent(key) = mark {
                    wanted |= keys.contains(&key);
                }
            });
            if wanted && let Some(part) = record.fact.part() {
                ids.insert(part.id());
            }
        }
        let found = ids.into_iter().filter_map(|id| self.gathered(id));
        found.filter(|kept| keys.iter().any(|key| key.is_of(kept))).collect()
    }

    /// All that there is of this terminal and trace number, in memory and in history.
    pub(crate) fn by_stan(&self, key: (ParticipantId, TerminalId, Stan)) -> Vec<Kept> {
        let (acquirer, terminal, stan) = key;
        let state = self.hub.state();
        let here = state.payments().by_stan(acquirer, terminal, stan);
        let mut all: Vec<_> = here.filter_map(|payment| state.kept(payment.id)).collect();
        let key = HistoryKey::Stan(acquirer, terminal, stan);
        for kept in self.in_history(&[key], Timestamp::default()) {
            let own = kept.payment.seen.stan == stan;
            if own && all.iter().all(|known| known.payment.id != kept.payment.id) {
                all.push(kept);
            }
        }
        all
    }

    pub(super) fn gathered(&self, id: PaymentId) -> Option<Kept> {
        let covered = usize::try_from(self.hub.state().payments().covered()).unwrap();
        let mut gather = Gather::default();
        for (n, record) in self.records[..covered].iter().enumerate().rev() {
            let own = record.fact.part().is_some_and(|part| part.id() == id);
            if own && gather.take(n as u64 + 1, record.clone()) {
                break;
            }
        }
        gather.finish()
    }
}
