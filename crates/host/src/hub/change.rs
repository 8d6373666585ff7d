//! A change of the business part while the hub runs (`bongsu config apply`): whole or not at all.
//! With it come the MAC keys of banks that the hub has had none of: a new bank may connect at once.

use scheme::{ParticipantId, transfer_id_of_record};
use switch::hub::Input;
use switch::record::Fact;

use super::HubRole;
use crate::config::business::{self, CAP_KIND};
use crate::event::Level;
use crate::opening::LinkMacs;
use crate::pipeline::Pipeline;
use crate::view::{BusinessChange, ChangeView};

impl HubRole {
    /// What a file would change; with an author, it is changed, unless something stands in the
    /// way.
    pub(crate) fn change(&mut self, asked: &BusinessChange, pipeline: &mut Pipeline) -> ChangeView {
        let directory = self.hub.state().directory();
        let difference = business::difference(&asked.facts, asked.currency, directory);
        let (changes, mut refused) = match business::change(&asked.facts, directory) {
            Ok(changes) => (changes, Vec::new()),
            Err(refused) => (Vec::new(), refused),
        };
        refused.extend(changes.iter().filter_map(|fact| self.cap_in_use(fact)));
        refused.extend(changes.iter().filter_map(|fact| self.without_keys(fact, asked)));
        if self.cluster.is_some() {
            refused.push(
                "the ledger is a cluster, and a nation on one is not changed while it runs yet"
                    .to_owned(),
            );
        }
        let mut view = ChangeView { difference, refused, records: 0 };
        let Some(author) = asked.author.clone() else { return view };
        if !view.refused.is_empty() {
            return view;
        }
        self.take_macs(asked, pipeline);
        if changes.is_empty() {
            return view;
        }
        let before = self.hub.state().records();
        let records = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        self.drive(Input::Business(Fact::Changed { author, records }), pipeline);
        for mut fact in changes {
            if let Fact::Cap { transfer, .. } = &mut fact {
                *transfer = transfer_id_of_record(CAP_KIND, self.hub.state().records());
            }
            self.drive(Input::Business(fact), pipeline);
        }
        view.records = self.hub.state().records().saturating_sub(before);
        view
    }

    /// A bank that could not connect is not taken in.
    fn without_keys(&self, fact: &Fact, asked: &BusinessChange) -> Option<String> {
        let Fact::Participant { id, .. } = fact else { return None };
        if self.participates(*id) || !self.lacks_macs(*id) {
            return None;
        }
        match asked.macs.get(id) {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(format!("participant {id}: {why}")),
            None => Some(format!("participant {id}: its MAC keys were not given")),
        }
    }

    fn lacks_macs(&self, bank: ParticipantId) -> bool {
        match &self.macs {
            LinkMacs::Off => false,
            LinkMacs::On(macs) => !macs.contains_key(&bank),
        }
    }

    /// Keys that are in force stay in force: a link's other side has them too.
    fn take_macs(&mut self, asked: &BusinessChange, pipeline: &mut Pipeline) {
        let LinkMacs::On(macs) = &mut self.macs else { return };
        for (bank, mac) in &asked.macs {
            if let Ok(mac) = mac
                && !macs.contains_key(bank)
            {
                macs.insert(*bank, mac.clone());
                pipeline.log(Level::Info, "mac_keys_taken", vec![("bank", bank.to_string())]);
            }
        }
    }

    /// Lowering a cap takes room away, and fails while that is in use (R-ACCOUNTS).
    fn cap_in_use(&self, fact: &Fact) -> Option<String> {
        let Fact::Cap { participant, amount, .. } = fact else { return None };
        let state = self.hub.state();
        let known = state.directory().caps.get(participant).copied().unwrap_or_default();
        let fall = known.checked_sub(*amount)?;
        let room = state.position(*participant).room;
        let currency = state.directory().currency;
        (i128::from(fall.minor()) > room).then(|| {
            format!(
                "cap of participant {participant}: it falls by {}, and only {} of it is not in \
                 use; lower it by at most that, or wait for a cutover",
                currency.show(fall),
                currency.format(room.max(0)),
            )
        })
    }
}
