//! What every scenario must leave behind: sound books, and the same hub again from its records.

use std::collections::BTreeMap;

use ledger::{AccountStatus, Books, TransferStatus, chart};
use scheme::Currency;
use switch::hub::Status;
use switch::record;
use switch::{Hub, Record, legs};

use super::{Rig, config};

impl Rig {
    /// Everything that holds after any scenario.
    pub(crate) fn verify(&self) {
        sound(&self.hub, &self.books);
        let (hub, books) = replay(&self.records);
        same(&self.hub, &self.books, &hub, &books, "replay");
        let end = self.records.len();
        for cut in [end / 2, end] {
            let (hub, books) = replay(&self.records[..cut]);
            let (mut again, mut ledger) = restored(&hub, &books);
            same(&hub, &books, &again, &ledger, "snapshot");
            for record in &self.records[cut..] {
                apply(&mut again, &mut ledger, record);
            }
            same(&self.hub, &self.books, &again, &ledger, "snapshot and replay");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.verify();
        }
    }
}

/// Zero-sum, nothing below zero, and the hub's reckoning is the ledger's.
pub(crate) fn sound(hub: &Hub, books: &Books) {
    let accounts = books.accounts();
    let sum = |of: fn(&ledger::Account) -> u128| accounts.iter().map(of).sum::<u128>();
    assert_eq!(sum(|a| a.debits_posted), sum(|a| a.credits_posted), "posted");
    assert_eq!(sum(|a| a.debits_pending), sum(|a| a.credits_pending), "pending");
    for id in hub.state().directory().participants.keys() {
        let at = |account: u128| books.account(account).unwrap();
        let account = at(chart::position(*id, Currency::KPW));
        let reckoned = hub.state().position(*id);
        let pending = i128::try_from(account.debits_pending).unwrap();
        assert_eq!(reckoned.room, account.balance() - pending, "room of {id}");
        assert_eq!(reckoned.held, pending, "held of {id}");
        assert!(reckoned.room >= 0, "{id} is beyond its cap");
        let overcap = at(chart::overcap(*id, Currency::KPW)).balance();
        assert_eq!(reckoned.overcap, -overcap, "overcap of {id}");
        let net = chart::net_position(*id, Currency::KPW, &[], |id| books.account(id));
        assert_eq!(hub.net(*id), net, "net position of {id}");
    }
    let pending = hub.state().payments().iter().filter(|p| p.status == Status::Pending).count();
    assert_eq!(u64::try_from(pending).unwrap(), books.open_pending(), "open holds");
    let mut open = BTreeMap::<_, usize>::new();
    for payment in hub.state().payments().iter().filter(|p| p.seen.is_preauth()) {
        let count = open.entry((payment.seen.acquirer, payment.seen.terminal)).or_default();
        *count += usize::from(payment.status == Status::Pending);
    }
    for (terminal, count) in open {
        assert_eq!(hub.state().flows().open_preauths(terminal), count, "open pre-authorisations");
    }
}

fn same(hub: &Hub, books: &Books, other: &Hub, others: &Books, how: &str) {
    assert_eq!(hub.state_hash(), other.state_hash(), "hub after {how}");
    assert_eq!(books.state_hash(), others.state_hash(), "books after {how}");
    let (mut one, mut two) = (Vec::new(), Vec::new());
    hub.snapshot(&mut one);
    other.snapshot(&mut two);
    assert!(one == two, "snapshots after {how}");
    sound(other, others);
}

pub(super) fn snapshot(hub: &Hub) -> Vec<u8> {
    let mut body = Vec::new();
    hub.snapshot(&mut body);
    body
}

pub(crate) fn bytes_of(books: &Books) -> Vec<u8> {
    let mut bytes = Vec::new();
    books.encode(&mut bytes);
    bytes
}

fn restored(hub: &Hub, books: &Books) -> (Hub, Books) {
    let mut machine = Vec::new();
    hub.snapshot(&mut machine);
    let ledger = bytes_of(books);
    let mut again = Hub::new(config());
    again.restore(&machine).unwrap();
    (again, Books::decode(&ledger).unwrap())
}

/// A fresh hub and books, made by records alone, through their bytes.
pub(crate) fn replay(records: &[Record]) -> (Hub, Books) {
    let (mut hub, mut books) = (Hub::new(config()), Books::new());
    for record in records {
        apply(&mut hub, &mut books, record);
    }
    (hub, books)
}

fn apply(hub: &mut Hub, books: &mut Books, record: &Record) {
    let mut payload = Vec::new();
    let (kind, version) = record::encode(&record.fact, &mut payload);
    let fact = record::decode(kind, version, &payload).unwrap();
    assert_eq!(fact, record.fact, "bytes of a record");
    let record = Record { at: record.at, fact };
    make_accounts(hub, books, &record);
    let mut implied = Vec::new();
    legs::transfers(hub.state(), &record.fact, &mut implied);
    for leg in implied {
        let mut statuses = Vec::new();
        books.create_transfers(record.at, &[leg.transfer], &mut statuses);
        let expected =
            if leg.refused { TransferStatus::ExceedsCredits } else { TransferStatus::Ok };
        assert_eq!(statuses, [expected], "{:?}", record.fact);
    }
    hub.apply(&record);
}

fn make_accounts(hub: &Hub, books: &mut Books, record: &Record) {
    let mut accounts = Vec::new();
    legs::accounts(hub.state(), &record.fact, &mut accounts);
    let mut statuses = Vec::new();
    books.create_accounts(record.at, &accounts, &mut statuses);
    assert!(statuses.iter().all(|status| *status == AccountStatus::Ok), "{statuses:?}");
}
