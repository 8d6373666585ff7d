//! What a scenario can ask of the hub, its books and its history.

use ledger::chart;
use scheme::{BusinessDate, Currency, PaymentId};
use switch::Answer;
use switch::hub::{Payment, Status};
use switch::record::{Fact, FindingKind};

use super::{A, B, C, Rig, bank};

impl Rig {
    pub(crate) fn answered(&self, ticket: u64) -> Option<&Answer> {
        let found: Vec<_> = self.answers.iter().filter(|(to, _)| to.ticket == ticket).collect();
        assert!(found.len() <= 1, "ticket {ticket} was answered {} times", found.len());
        found.first().map(|(_, answer)| answer)
    }

    /// DE39 and DE44 of an answer, as in `91 CAP`.
    pub(crate) fn said(&self, ticket: u64) -> String {
        self.answered(ticket).map_or("nothing".into(), |answer| {
            format!("{} {}", answer.code, answer.text).trim_end().to_owned()
        })
    }

    /// All that left the hub so far, and what it decided.
    pub(crate) fn all_said(&self) -> Vec<String> {
        let mut said: Vec<String> = self.answers.iter().map(|one| format!("{one:?}")).collect();
        said.extend(self.asks.iter().map(|one| format!("{one:?}")));
        said.extend(self.advices.iter().map(|one| format!("{one:?}")));
        said.extend(self.counts.iter().map(|one| format!("{one:?}")));
        said.extend(self.records.iter().map(|record| format!("{record:?}")));
        said
    }

    /// A payment, wherever it is.
    pub(crate) fn payment(&self, id: PaymentId) -> Payment {
        let here = self.hub.state().payments().get(id).cloned();
        here.or_else(|| self.gathered(id).map(|kept| kept.payment)).unwrap()
    }

    pub(crate) fn status(&self, id: PaymentId) -> Status {
        self.payment(id).status
    }

    /// How often something was found.
    pub(crate) fn found(&self, kind: FindingKind) -> u64 {
        self.hub.state().findings().get(&kind).copied().unwrap_or(0)
    }

    pub(crate) fn findings(&self) -> u64 {
        self.hub.state().findings().values().sum()
    }

    /// Net positions of A, B and C, by the ledger.
    pub(crate) fn nets(&self) -> [i128; 3] {
        [A, B, C].map(|id| {
            chart::net_position(bank(id), Currency::KPW, &[], |id| self.books.account(id))
        })
    }

    pub(crate) fn balance(&self, account: u128) -> i128 {
        self.books.account(account).unwrap().balance()
    }

    pub(crate) fn date(&self) -> BusinessDate {
        self.hub.state().business_date()
    }

    /// How many decisions were recorded, without what history itself needs.
    pub(crate) fn written(&self) -> usize {
        let own = |fact: &Fact| {
            matches!(
                fact,
                Fact::Covered { .. }
                    | Fact::Recalled(_)
                    | Fact::Retired(_)
                    | Fact::Proposed(_)
                    | Fact::Dropped
            )
        };
        self.records.iter().filter(|record| !own(&record.fact)).count()
    }
}
