//! States that were kept, against those that the records make.

use ledger::Books;
use scheme::{Currency, ParticipantId};
use switch::Hub;

use super::check::{Broken, Check};
use crate::config::Config;
use crate::hub::machine_config;
use crate::hub::replay::restore;

/// What differs between a state that was kept and the one that the records up to there make.
///
/// What the hub lets go depends on its windows too, which a configuration may have changed since:
/// payments are compared where both know them, everything else as a whole.
pub(super) fn compare(config: &Config, hub: &Hub, books: &Books, kept: &[u8]) -> Vec<Broken> {
    let mut other = Hub::new(machine_config(config));
    let mut other_books = Books::new();
    let snapshots = |what: String| Broken { check: Check::Snapshots, what };
    if let Err(what) = restore(&mut other, &mut other_books, kept) {
        return vec![snapshots(format!("its state can't be read: {what}"))];
    }
    let currency = hub.state().directory().currency;
    let accounts = other_books.accounts();
    let mut wrong: Vec<Broken> = super::not_conserved(&accounts, currency).into_iter().collect();
    let mut differs = |what: String| {
        wrong.push(snapshots(format!("its state is not what its records make: {what}")));
    };
    if other_books.state_hash() != books.state_hash() {
        differs(differing_account(books, &other_books, currency));
    }
    let (ours, theirs) = (hub.state(), other.state());
    let numbers = |state: &switch::hub::State| {
        [u64::from(state.business_date().0), u64::from(state.cycle()), state.epoch()]
    };
    if numbers(ours) != numbers(theirs) {
        differs("business date, cycle or epoch".to_owned());
    }
    // Not by their fingerprints: another release's are other numbers.
    let (own, other) = (ours.directory(), theirs.directory());
    if own.facts() != other.facts() || own.caps != other.caps {
        differs("the business part".to_owned());
    }
    let participants: Vec<ParticipantId> = ours.directory().participants.keys().copied().collect();
    for participant in participants {
        if ours.position(participant) != theirs.position(participant) {
            differs(format!("the position of {participant}"));
        }
    }
    if ours.advice_count() != theirs.advice_count() {
        let (ours, theirs) = (ours.advice_count(), theirs.advice_count());
        differs(format!("{theirs} advices are owed in it, and {ours} by the records"));
    }
    let payments = theirs.payments().iter();
    let other = payments
        .filter(|payment| ours.payments().get(payment.id).is_some_and(|own| own != *payment))
        .map(|payment| payment.id)
        .next();
    if let Some(id) = other {
        differs(format!("payment {id}"));
    }
    wrong
}

fn differing_account(ours: &Books, theirs: &Books, currency: Currency) -> String {
    let other = theirs.accounts().into_iter().find(|account| {
        ours.account(account.id).is_none_or(|own| {
            let sums = |a: &ledger::Account| {
                [a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted]
            };
            sums(&own) != sums(account)
        })
    });
    let Some(account) = other else { return "its holds".to_owned() };
    let signed = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
    let balance = |a: &ledger::Account| {
        currency.format(signed(a.credits_posted).saturating_sub(signed(a.debits_posted)))
    };
    let name = ledger::chart::AccountName::of(account.id)
        .map_or_else(|| format!("{:032x}", account.id), |name| name.to_string());
    let own = ours.account(account.id).map_or_else(|| "nothing".to_owned(), |own| balance(&own));
    format!("{name} is at {} in it, and at {own} by the records", balance(&account))
}
