//! The business part of the configuration as the journal knows it: who takes part, which cards are
//! whose, which terminals stand where. It is only ever changed by records.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;
use scheme::{
    Amount, Currency, Iin, ParticipantId, Reason, RetailerId, StationId, TerminalId, Token,
};

use crate::fingerprint::Fingerprint;
use crate::record::{Fact, Removed};

/// A base station.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StationEntry {
    /// Its name.
    pub name: String,
    /// Two characters in the reference numbers that it makes (R-MATCH).
    pub code: [u8; 2],
}

/// A terminal's place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TerminalEntry {
    /// The station at whose port it speaks.
    pub station: StationId,
    /// The retailer that it belongs to.
    pub retailer: RetailerId,
}

/// What a retailer may refund without naming a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RefundLimits {
    /// At a time.
    pub each: Amount,
    /// In one business day.
    pub day: Amount,
}

/// Everything that is known of the nation before the first payment.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The nation's name.
    pub name: String,
    /// The one currency.
    pub currency: Currency,
    /// Largest amount of one payment.
    pub amount_max: Amount,
    /// Stations by number.
    pub stations: BTreeMap<StationId, StationEntry>,
    /// Names of participants by institution code.
    pub participants: BTreeMap<ParticipantId, String>,
    /// Net debit caps.
    pub caps: BTreeMap<ParticipantId, Amount>,
    routes: Vec<(Iin, ParticipantId)>,
    terminals: HashMap<(ParticipantId, TerminalId), TerminalEntry, foldhash::fast::FixedState>,
    hot: BTreeMap<Token, Reason>,
    refunds: BTreeMap<RetailerId, RefundLimits>,
    fingerprint: Fingerprint,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            name: String::new(),
            currency: Currency::KPW,
            amount_max: Amount::ZERO,
            stations: BTreeMap::new(),
            participants: BTreeMap::new(),
            caps: BTreeMap::new(),
            routes: Vec::new(),
            terminals: HashMap::default(),
            hot: BTreeMap::new(),
            refunds: BTreeMap::new(),
            fingerprint: Fingerprint::default(),
        }
    }
}

impl Directory {
    /// Takes a business record; any other is none of the directory's concern.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Nation { name, currency, amount_max } => {
                self.name.clone_from(name);
                self.currency = *currency;
                self.amount_max = *amount_max;
            }
            Fact::Station { id, code, name } => {
                self.stations.insert(*id, StationEntry { name: name.clone(), code: *code });
            }
            Fact::Participant { id, name } => {
                self.participants.insert(*id, name.clone());
            }
            Fact::Route { iin, issuer } => {
                self.routes.retain(|(known, _)| known != iin);
                self.routes.push((*iin, *issuer));
                // Longest prefix first (R-LINK); equal lengths in a fixed order.
                self.routes.sort_by_key(|(iin, _)| (core::cmp::Reverse(iin.len()), *iin));
            }
            Fact::Terminal { acquirer, terminal, station, retailer } => {
                let entry = TerminalEntry { station: *station, retailer: *retailer };
                self.terminals.insert((*acquirer, *terminal), entry);
            }
            Fact::Cap { participant, amount, .. } => {
                self.caps.insert(*participant, *amount);
            }
            Fact::HotCard { token, reason } => {
                self.hot.insert(*token, *reason);
            }
            Fact::Removed(removed) => self.remove(removed),
            Fact::Retailer { retailer, refund_max, refund_day_max } => {
                let limits = RefundLimits { each: *refund_max, day: *refund_day_max };
                self.refunds.insert(*retailer, limits);
            }
            Fact::Epoch { .. }
            | Fact::Changed { .. }
            | Fact::Opened(_)
            | Fact::Declined(_)
            | Fact::Closed(_)
            | Fact::Reversed(_)
            | Fact::Completed(_)
            | Fact::Tombstone(_)
            | Fact::Discharged { .. }
            | Fact::Finding(_)
            | Fact::OvercapRepaid { .. }
            | Fact::Cutover { .. }
            | Fact::Proposed(_)
            | Fact::Dropped
            | Fact::Covered { .. }
            | Fact::Recalled(_)
            | Fact::Retired(_)
            | Fact::Netted { .. } => return,
        }
        self.fingerprint.add(fact);
    }

    fn remove(&mut self, removed: &Removed) {
        match removed {
            Removed::Station { id } => {
                self.stations.remove(id);
            }
            Removed::Terminal { acquirer, terminal } => {
                self.terminals.remove(&(*acquirer, *terminal));
            }
            Removed::Route { iin } => self.routes.retain(|(known, _)| known != iin),
            Removed::HotCard { token } => {
                self.hot.remove(token);
            }
            Removed::Retailer { retailer } => {
                self.refunds.remove(retailer);
            }
        }
    }

    /// Whether the first start has already journalled the business part.
    pub fn is_empty(&self) -> bool {
        self.participants.is_empty()
    }

    /// The issuer of a card, by longest prefix of its first eight digits.
    pub fn issuer(&self, first8: u32) -> Option<ParticipantId> {
        self.routes.iter().find(|(iin, _)| iin.matches(first8)).map(|(_, issuer)| *issuer)
    }

    /// All routes, longest prefix first.
    pub fn routes(&self) -> &[(Iin, ParticipantId)] {
        &self.routes
    }

    /// A terminal of an acquirer.
    pub fn terminal(&self, acquirer: ParticipantId, id: TerminalId) -> Option<&TerminalEntry> {
        self.terminals.get(&(acquirer, id))
    }

    /// All terminals, in order of acquirer and terminal.
    pub fn terminals(&self) -> Vec<(ParticipantId, TerminalId, TerminalEntry)> {
        let mut all: Vec<_> = self.terminals.iter().map(|((a, t), e)| (*a, *t, *e)).collect();
        all.sort_by_key(|(acquirer, terminal, _)| (*acquirer, *terminal));
        all
    }

    /// Whether a card is hot, and why.
    pub fn hot(&self, token: Token) -> Option<Reason> {
        self.hot.get(&token).copied()
    }

    /// What a retailer may refund without naming a payment; nothing if absent.
    pub fn refund_limits(&self, retailer: RetailerId) -> Option<RefundLimits> {
        self.refunds.get(&retailer).copied()
    }

    /// Every record that would make this directory anew, for a snapshot.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.fingerprint == Fingerprint::default() {
            return facts;
        }
        facts.push(Fact::Nation {
            name: self.name.clone(),
            currency: self.currency,
            amount_max: self.amount_max,
        });
        facts.extend(self.stations.iter().map(|(id, station)| Fact::Station {
            id: *id,
            code: station.code,
            name: station.name.clone(),
        }));
        facts.extend(
            self.participants
                .iter()
                .map(|(id, name)| Fact::Participant { id: *id, name: name.clone() }),
        );
        facts.extend(
            self.routes.iter().map(|(iin, issuer)| Fact::Route { iin: *iin, issuer: *issuer }),
        );
        facts.extend(self.terminals().into_iter().map(|(acquirer, terminal, entry)| {
            Fact::Terminal { acquirer, terminal, station: entry.station, retailer: entry.retailer }
        }));
        facts.extend(
            self.hot.iter().map(|(token, reason)| Fact::HotCard { token: *token, reason: *reason }),
        );
        facts.extend(self.refunds.iter().map(|(retailer, limits)| Fact::Retailer {
            retailer: *retailer,
            refund_max: limits.each,
            refund_day_max: limits.day,
        }));
        facts
    }

    /// The set of business records taken so far.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Puts back a fingerprint that a snapshot kept.
    pub(crate) fn restore_fingerprint(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = fingerprint;
    }
}
