//! The engine: in this process, or elsewhere and answering later, with a mirror of its books here.

use ledger::{Account, AccountStatus, Transfer, TransferStatus};
use switch::hub::{Effect, Input};
use switch::legs;
use switch::record::Fact;

use super::Rig;

impl Rig {
    pub(crate) fn create_accounts(&mut self, accounts: &[Account]) -> Vec<AccountStatus> {
        let now = self.hub.now();
        let mut statuses = Vec::new();
        for books in self.mirror.iter_mut().chain([&mut self.books]) {
            books.create_accounts(now, accounts, &mut statuses);
        }
        statuses
    }

    /// What the engine says, as `host` tells the hub: what it said the first time.
    pub(crate) fn create_transfers(&mut self, transfers: &[Transfer]) -> Vec<TransferStatus> {
        let now = self.hub.now();
        let mut statuses = Vec::new();
        self.books.create_transfers(now, transfers, &mut statuses);
        let Some(mirror) = &mut self.mirror else { return statuses };
        let mut first = Vec::new();
        mirror.create_transfers(now, transfers, &mut first);
        for (n, (said, first)) in statuses.iter().zip(&first).enumerate() {
            assert!(said.repeats(*first), "{said:?}, not {first:?}: {:?}", transfers[n]);
        }
        first
    }

    /// What is decided when the engine answers later is decided although time goes on meanwhile.
    pub(super) fn meanwhile(&mut self) {
        if self.mirror.is_some() {
            let mut effects = Vec::new();
            self.hub.handle(self.now, Input::Timeout, &mut effects);
            let asks = |effect: &Effect| matches!(effect, Effect::Transfers(_));
            assert!(!effects.iter().any(asks), "one batch at a time");
            for effect in effects {
                self.effect(effect);
            }
        }
    }

    /// The engine has done what it was asked before the hub died.
    pub(crate) fn engine_did(&mut self) {
        let proposed: Vec<Fact> = self.hub.state().proposed().cloned().collect();
        for fact in proposed {
            let (mut accounts, mut implied) = (Vec::new(), Vec::new());
            legs::accounts(self.hub.state(), &fact, &mut accounts);
            legs::transfers(self.hub.state(), &fact, &mut implied);
            let (mut made, mut moved) = (Vec::new(), Vec::new());
            self.books.create_accounts(self.now, &accounts, &mut made);
            let asked = implied.iter().filter(|leg| !leg.refused).map(|leg| leg.transfer);
            self.books.create_transfers(self.now, &asked.collect::<Vec<_>>(), &mut moved);
        }
    }
}
