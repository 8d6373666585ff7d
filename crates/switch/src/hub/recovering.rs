//! A hub on its way back from its journal: it takes records, and nobody asks it anything.

use super::{Chaining, Hub, State};
use crate::Record;
use crate::legs::Implied;

/// A hub that takes the records which made it.
#[derive(Debug)]
pub struct Recovering {
    hub: Hub,
}

impl Recovering {
    /// A hub that knows nothing, or what a snapshot says.
    pub fn new(mut hub: Hub) -> Self {
        hub.state.payments_mut().leave_chains();
        Self { hub }
    }

    /// As [`Hub::apply`]; gives what the record moves.
    pub fn apply(&mut self, record: &Record) -> &[Implied] {
        self.hub.apply(record);
        self.hub.state.implied()
    }

    /// What the records have made. Payments are found by their ids alone.
    pub fn state(&self) -> &State {
        self.hub.state()
    }

    /// What nothing needed yet, in two halves: each is to be run and given to [`Self::end`].
    pub fn chains(&mut self) -> [Chaining; 2] {
        self.hub.state.payments_mut().take_chains()
    }

    /// The hub, which can be asked from now on.
    pub fn end(mut self, made: [Chaining; 2]) -> Hub {
        self.hub.state.payments_mut().put_chains(made);
        self.hub
    }
}
