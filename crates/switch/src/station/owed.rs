//! The reversals and advices that a station owes the hub, in order, and where to find them: a cut
//! of days may gather tens of thousands.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scheme::{ParticipantId, Stan, TerminalId};

use super::record::Owed;

type Terminal = (ParticipantId, TerminalId);

/// What is owed, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct OwedList {
    items: BTreeMap<u64, Owed>,
    /// By the DE11 of the original, within its terminal.
    by_original: HashMap<(Terminal, Stan), Vec<u64>, FixedState>,
    of_terminal: HashMap<Terminal, usize, FixedState>,
    /// Advices alone: few terminals have any.
    advices: BTreeMap<Terminal, usize>,
}

impl OwedList {
    pub(super) fn insert(&mut self, number: u64, owed: Owed) {
        let (terminal, stan) = place(&owed);
        self.by_original.entry((terminal, stan)).or_default().push(number);
        let count = self.of_terminal.entry(terminal).or_default();
        *count = count.saturating_add(1);
        if owed.is_advice() {
            let count = self.advices.entry(terminal).or_default();
            *count = count.saturating_add(1);
        }
        self.items.insert(number, owed);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Owed> {
        let owed = self.items.remove(&number)?;
        let (terminal, stan) = place(&owed);
        if let Some(numbers) = self.by_original.get_mut(&(terminal, stan)) {
            numbers.retain(|known| *known != number);
            if numbers.is_empty() {
                self.by_original.remove(&(terminal, stan));
            }
        }
        if let Some(count) = self.of_terminal.get_mut(&terminal) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_terminal.remove(&terminal);
            }
        }
        if owed.is_advice()
            && let Some(count) = self.advices.get_mut(&terminal)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.advices.remove(&terminal);
            }
        }
        Some(owed)
    }

    /// In the order in which they came to be owed.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Owed)> {
        self.items.iter().map(|(number, owed)| (*number, owed))
    }

    /// Those that speak of a request of this terminal with this DE11.
    pub(super) fn of(
        &self,
        acquirer: ParticipantId,
        terminal: TerminalId,
        stan: Stan,
    ) -> impl Iterator<Item = &Owed> {
        let numbers = self.by_original.get(&((acquirer, terminal), stan));
        numbers.into_iter().flatten().filter_map(|number| self.items.get(number))
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many advices of one terminal there are.
    pub(super) fn advices_of(&self, acquirer: ParticipantId, terminal: TerminalId) -> usize {
        if self.advices.is_empty() {
            return 0;
        }
        self.advices.get(&(acquirer, terminal)).copied().unwrap_or(0)
    }

    /// How many one terminal has made.
    pub(super) fn of_terminal(&self, acquirer: ParticipantId, terminal: TerminalId) -> usize {
        self.of_terminal.get(&(acquirer, terminal)).copied().unwrap_or(0)
    }
}

fn place(owed: &Owed) -> (Terminal, Stan) {
    let seen = &owed.seen;
    let named = owed.original.and_then(|original| Stan::new(original.stan));
    let stan = named.filter(|stan| stan.get() != 0).unwrap_or(seen.stan);
    ((seen.acquirer, seen.terminal), stan)
}
