//! A change of the business part while the hub runs (`bongsu config apply`): whole or not at all.

use scheme::transfer_id_of_record;
use switch::hub::Input;
use switch::record::Fact;

use super::HubRole;
use crate::config::business::{self, CAP_KIND};
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
        if self.cluster.is_some() {
            refused.push(
                "the ledger is a cluster, and a nation on one is not changed while it runs yet"
                    .to_owned(),
            );
        }
        let mut view = ChangeView { difference, refused, records: 0 };
        let Some(author) = asked.author.clone() else { return view };
        if changes.is_empty() || !view.refused.is_empty() {
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
