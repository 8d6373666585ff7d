//! The business part of a configuration: as the records of the first start, and compared with
//! what the journal says later.

use std::collections::BTreeMap;

use scheme::{Currency, Reason, transfer_id_of_record};
use switch::business::Directory;
use switch::record::{Fact, Removed};

use super::Config;

/// Kind of the record that a cap is (`docs/formats/records.md`), the head of its transfer's id.
pub(crate) const CAP_KIND: u8 = 6;

impl Config {
    /// The business part as the records of the first start: nation, stations, participants,
    /// routes, terminals, caps, hot cards, retailers. They are the first records of a journal: a
    /// cap's transfer id is made of its place among them.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![Fact::Nation {
            name: self.name.clone(),
            currency: self.currency,
            amount_max: self.limits.amount_max,
        }];
        facts.extend(self.stations.iter().map(|station| Fact::Station {
            id: station.id,
            code: station.code,
            name: station.name.clone(),
        }));
        let banks = &self.participants;
        facts.extend(
            banks.iter().map(|bank| Fact::Participant { id: bank.id, name: bank.name.clone() }),
        );
        facts.extend(banks.iter().flat_map(|bank| {
            bank.iins.iter().map(|iin| Fact::Route { iin: *iin, issuer: bank.id })
        }));
        facts.extend(self.terminals.iter().map(|terminal| Fact::Terminal {
            acquirer: terminal.acquirer,
            terminal: terminal.terminal,
            station: terminal.station,
            retailer: terminal.retailer,
        }));
        for bank in banks {
            let transfer = transfer_id_of_record(CAP_KIND, facts.len() as u64);
            facts.push(Fact::Cap { participant: bank.id, amount: bank.cap, transfer });
        }
        facts.extend(
            self.hot_cards
                .iter()
                .map(|card| Fact::HotCard { token: card.token, reason: card.reason }),
        );
        facts.extend(self.retailers.iter().map(|retailer| Fact::Retailer {
            retailer: retailer.id,
            refund_max: retailer.refund_max,
            refund_day_max: retailer.refund_day_max,
        }));
        facts
    }

    /// Where the file's business part differs from the journal's, a line each for people; empty
    /// when they are equal.
    pub fn business_difference(&self, directory: &Directory) -> Vec<String> {
        difference(&self.facts(), self.currency, directory)
    }
}

/// Where these facts differ from the journal's, a line each for people.
pub(crate) fn difference(facts: &[Fact], money: Currency, directory: &Directory) -> Vec<String> {
    let in_file = described(facts, money);
    let in_journal = described(&known(directory), directory.currency);
    let mut lines = Vec::new();
    for (what, value) in &in_file {
        match in_journal.get(what) {
            Some(known) if known == value => {}
            Some(known) => {
                lines.push((what, format!("{value} in the file, {known} in the journal")));
            }
            None => lines.push((what, format!("{value} in the file, not in the journal"))),
        }
    }
    for (what, known) in &in_journal {
        if !in_file.contains_key(what) {
            lines.push((what, format!("not in the file, {known} in the journal")));
        }
    }
    lines.sort();
    let told = |(kind, what): &(u8, String)| match kind {
        2 => what.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => what.clone(),
    };
    lines.into_iter().map(|(what, line)| format!("{}: {line}", told(what))).collect()
}

/// Everything that the journal holds, caps included.
fn known(directory: &Directory) -> Vec<Fact> {
    let mut known = directory.facts();
    known.extend(directory.caps.iter().map(|(participant, amount)| Fact::Cap {
        participant: *participant,
        amount: *amount,
        transfer: 0,
    }));
    known
}

/// The records that make the journal's business part these facts, in the order in which each one
/// finds what it needs; a cap's transfer has no id yet. An error says all that can't be changed so.
pub(crate) fn change(facts: &[Fact], directory: &Directory) -> Result<Vec<Fact>, Vec<String>> {
    let keyed = |facts: Vec<Fact>| -> BTreeMap<Subject, Fact> {
        facts.into_iter().filter_map(|fact| Some((subject(&fact)?, fact))).collect()
    };
    let (wanted, known) = (keyed(facts.to_vec()), keyed(known(directory)));
    let mut refused = Vec::new();
    let mut changes = Vec::new();
    for (subject, fact) in known.iter().rev() {
        if wanted.contains_key(subject) {
            continue;
        }
        match removal(fact) {
            Ok(removed) => changes.extend(removed.map(Fact::Removed)),
            Err(why) => refused.push(why),
        }
    }
    for (subject, fact) in wanted {
        match known.get(&subject) {
            Some(known) if same(known, &fact) => {}
            Some(known) => match fixed(known, &fact) {
                Some(why) => refused.push(why),
                None => changes.push(fact),
            },
            None => changes.push(fact),
        }
    }
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

/// What a fact is about: its kind's place in the order of records, and which one of the kind.
type Subject = (u8, u128, String);

fn subject(fact: &Fact) -> Option<Subject> {
    let number = |kind: u8, number: u64| Some((kind, u128::from(number), String::new()));
    match fact {
        Fact::Nation { .. } => number(1, 0),
        Fact::Station { id, .. } => number(2, u64::from(id.0)),
        Fact::Participant { id, .. } => number(3, id.get()),
        Fact::Route { iin, .. } => Some((4, 0, iin.to_string())),
        Fact::Terminal { acquirer, terminal, .. } => {
            Some((5, u128::from(acquirer.get()), terminal.as_str().to_owned()))
        }
        Fact::Cap { participant, .. } => number(CAP_KIND, participant.get()),
        Fact::HotCard { token, .. } => Some((7, token.0, String::new())),
        Fact::Retailer { retailer, .. } => Some((8, 0, retailer.as_str().to_owned())),
        Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Epoch { .. }
        | Fact::Opened(_)
        | Fact::Declined(_)
        | Fact::Closed(_)
        | Fact::Completed(_)
        | Fact::Reversed(_)
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
        | Fact::Netted { .. } => None,
    }
}

/// Whether two facts about the same thing say the same.
fn same(known: &Fact, wanted: &Fact) -> bool {
    // The transfer of a cap says how it came to be, not what it is.
    if let (Fact::Cap { amount: before, .. }, Fact::Cap { amount: after, .. }) = (known, wanted) {
        before == after
    } else {
        known == wanted
    }
}

/// Why what is known can't become what is wanted.
fn fixed(known: &Fact, wanted: &Fact) -> Option<String> {
    match (known, wanted) {
        (Fact::Nation { currency: known, .. }, Fact::Nation { currency: wanted, .. }) => {
            let (known, wanted) = (known.alpha(), wanted.alpha());
            (known != wanted).then(|| {
                format!("currency: every account is in {known}, and can't be made one in {wanted}")
            })
        }
        (Fact::Station { id, name: known, .. }, Fact::Station { name: wanted, .. }) => {
            Some(format!(
                "station {}: it is \"{known}\" with its code, and can't become \"{wanted}\"; \
                 stations are numbered by their place in the file: add new ones at its end",
                id.0
            ))
        }
        _ => None,
    }
}

/// The record by which something leaves the nation, if it needs one; an error says why it stays.
fn removal(fact: &Fact) -> Result<Option<Removed>, String> {
    Ok(match fact {
        Fact::Station { id, .. } => Some(Removed::Station { id: *id }),
        Fact::Route { iin, .. } => Some(Removed::Route { iin: *iin }),
        Fact::Terminal { acquirer, terminal, .. } => {
            Some(Removed::Terminal { acquirer: *acquirer, terminal: *terminal })
        }
        Fact::HotCard { token, .. } => Some(Removed::HotCard { token: *token }),
        Fact::Retailer { retailer, .. } => Some(Removed::Retailer { retailer: *retailer }),
        Fact::Participant { id, .. } => {
            return Err(format!(
                "participant {id}: its accounts stay, so it does; lower its cap and take its \
                 terminals away instead"
            ));
        }
        // A cap goes with its participant, which does not; the rest is no part of a file.
        Fact::Nation { .. }
        | Fact::Cap { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
        | Fact::Epoch { .. }
        | Fact::Opened(_)
        | Fact::Declined(_)
        | Fact::Closed(_)
        | Fact::Completed(_)
        | Fact::Reversed(_)
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
        | Fact::Netted { .. } => None,
    })
}

/// What each fact is about, in the order of their kinds, and what it says in words.
fn described(facts: &[Fact], currency: Currency) -> BTreeMap<(u8, String), String> {
    let mut all = BTreeMap::new();
    for fact in facts {
        describe(fact, currency, &mut |kind, what, value| {
            all.insert((kind, what), value);
        });
    }
    all
}

fn describe(fact: &Fact, money: Currency, say: &mut dyn FnMut(u8, String, String)) {
    match fact {
        Fact::Nation { name, currency, amount_max } => {
            let mut say = |what: &str, value| say(1, what.to_owned(), value);
            say("nation's name", format!("\"{name}\""));
            say("currency", format!("{currency:?}"));
            say("largest payment", currency.show(*amount_max));
        }
        Fact::Station { id, code, name } => {
            let code = String::from_utf8_lossy(code);
            // As wide as the widest, so that they stand in order; `difference` undoes it.
            let what = format!("station {:>3}", id.0);
            say(2, what, format!("\"{name}\" with code {code}"));
        }
        Fact::Participant { id, name } => {
            let what = format!("name of participant {id}");
            say(3, what, format!("\"{name}\""));
        }
        Fact::Route { iin, issuer } => {
            let what = format!("cards of {iin}");
            say(4, what, format!("participant {issuer}'s"));
        }
        Fact::Terminal { acquirer, terminal, station, retailer } => say(
            5,
            format!("terminal {terminal} of acquirer {acquirer}"),
            format!("retailer {retailer} at station {}", station.0),
        ),
        Fact::Cap { participant, amount, .. } => {
            let what = format!("cap of participant {participant}");
            say(6, what, money.show(*amount));
        }
        Fact::HotCard { token, reason } => {
            let what = format!("hot card {:032x}", token.0);
            say(7, what, words(*reason).to_owned());
        }
        Fact::Retailer { retailer, refund_max, refund_day_max } => {
            let what = format!("unlinked refunds of retailer {retailer}");
            let (each, day) = (money.show(*refund_max), money.show(*refund_day_max));
            say(8, what, format!("{each} at a time, {day} a day"));
        }
        Fact::Epoch { .. }
        | Fact::Changed { .. }
        | Fact::Removed(_)
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
        | Fact::Netted { .. } => {}
    }
}

fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Lost => "lost",
        Reason::Stolen => "stolen",
        Reason::Restricted => "restricted",
        other => other.text(),
    }
}
