//! What an engine that answers later is asked about: decisions that a crash may not forget, because
//! the engine may have done what they need.
//!
//! They are answered in their order, so that a record which moves money, or makes accounts, is what
//! has come of the oldest. A payment that one of them changes is open meanwhile.

use alloc::collections::{BTreeMap, VecDeque};

use scheme::PaymentId;

use super::State;
use crate::fingerprint::Fingerprint;
use crate::record::{Fact, Part};

/// Payments that a decision changes.
type Changed = [Option<PaymentId>; 2];

/// Decisions under way, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposed {
    facts: VecDeque<(Fact, Changed)>,
    /// How many of them change each payment.
    changed: BTreeMap<PaymentId, usize>,
}

impl Proposed {
    pub(super) fn changes(&self, id: PaymentId) -> bool {
        !self.changed.is_empty() && self.changed.contains_key(&id)
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut all = Fingerprint::default();
        for (place, (fact, _)) in self.facts.iter().enumerate() {
            all.add(&(place as u64, fact));
        }
        all
    }

    fn push(&mut self, fact: Fact, changed: Changed) {
        for id in changed.into_iter().flatten() {
            let count = self.changed.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        self.facts.push_back((fact, changed));
    }

    fn pop(&mut self) -> Option<Changed> {
        let (_, changed) = self.facts.pop_front()?;
        for id in changed.into_iter().flatten() {
            if let Some(count) = self.changed.get_mut(&id) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.changed.remove(&id);
                }
            }
        }
        Some(changed)
    }
}

impl State {
    /// Decisions that the engine is asked about, the oldest first.
    pub fn proposed(&self) -> impl Iterator<Item = &Fact> {
        self.proposed.facts.iter().map(|(fact, _)| fact)
    }

    /// The engine is asked about one more.
    pub(super) fn propose(&mut self, fact: &Fact) {
        if goes_by_overcap(fact) {
            self.answered();
        }
        let changed = self.changed_by(fact);
        self.proposed.push(fact.clone(), changed);
        for id in changed.into_iter().flatten() {
            if self.payments.get(id).is_some() {
                self.payments.set_open(id, true);
            }
        }
    }

    /// Payments that the oldest changes, if the engine agrees.
    pub(in crate::hub) fn answered_next(&self) -> Changed {
        self.proposed.facts.front().map(|(_, changed)| *changed).unwrap_or_default()
    }

    /// It has answered for the oldest.
    pub(super) fn answered(&mut self) {
        let changed = self.proposed.pop().unwrap_or_default();
        for id in changed.into_iter().flatten() {
            self.settle(id);
        }
    }
}

/// Whether this is the second way of what the engine refused the first time.
pub(in crate::hub) fn goes_by_overcap(fact: &Fact) -> bool {
    match fact.part() {
        Some(Part::Reversed(reversed)) => reversed.overcap,
        Some(Part::Completed(completed)) => completed.overcap,
        Some(Part::Opened(_) | Part::Declined(_) | Part::Closed(_) | Part::Whole(_)) | None => {
            false
        }
    }
}
