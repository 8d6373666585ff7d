//! A hub on its way back from its journal: it takes records, and nobody asks it anything.

use super::{Hub, State};
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

    /// The hub, which can be asked from now on.
    pub fn end(mut self) -> Hub {
        self.hub.state.payments_mut().make_chains();
        self.hub
    }
}
