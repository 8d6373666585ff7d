//! The ledger's answers, case by case (`cases.txt`, `expiry.txt`) and rule before rule
//! (`precedence`), for every engine that is in this crate. The same on a real server:
//! `adapters/ledger-tigerbeetle/tests/server`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod precedence;
mod script;

use journal::sim_disk::SimDisk;
use journal::{NodeId, Options};
use ledger::{
    Account, AccountStatus, Books, Embedded, EmbeddedError, Engine, NaiveModel, Transfer,
    TransferFlags, TransferStatus,
};
use scheme::Timestamp;
use script::{Clock, Seen};

/// All of it, on one engine.
fn conforms<E: Engine>(new: fn() -> E) {
    let mut seen = Seen::default();
    script::check(new, Clock::Ours, include_str!("cases.txt"), &mut seen);
    script::check(new, Clock::Ours, include_str!("expiry.txt"), &mut seen);
    precedence::check(new, 16, Clock::Ours, &mut seen);
    seen.all_but(&[]);
}

#[test]
fn naive_model_conforms() {
    conforms(NaiveModel::new);
}

#[test]
fn books_conform() {
    conforms(Books::new);
}

fn options(segment_bytes: u64) -> Options {
    let node = NodeId::from_name("ledger").unwrap();
    Options { segment_bytes, head_every_ns: 0, ..Options::new(node) }
}

#[test]
fn embedded_conforms() {
    conforms(|| Embedded::open(SimDisk::new(1), options(64 << 10), Timestamp(1)).unwrap().0);
}

/// An embedded ledger that has nothing in memory but what is open: before each batch so much else
/// happens, between accounts of nobody, that the batch before is in a sealed segment and its index.
struct Forgetful {
    ledger: Embedded<SimDisk>,
    /// The ids of the batch before.
    before: Vec<u128>,
    others: u128,
}

/// Ids of nobody's accounts and transfers.
const NOBODY: u128 = 1 << 100;

impl Forgetful {
    fn new() -> Self {
        let opened = Embedded::open_with_window(SimDisk::new(1), options(4 << 10), 0, Timestamp(1));
        let mut ledger = opened.unwrap().0;
        let account = |id: u128| Account { id, ledger: 1, code: 1, ..Account::default() };
        let accounts = [account(NOBODY), account(NOBODY + 1)];
        ledger.create_accounts(Timestamp(0), &accounts, &mut Vec::new()).unwrap();
        Self { ledger, before: Vec::new(), others: NOBODY }
    }

    /// Lets so much happen that the batch before is history, but for what is open.
    fn go_by(&mut self) {
        let ids = core::mem::take(&mut self.before);
        let in_memory = |ledger: &Embedded<SimDisk>| {
            let books = ledger.books();
            let open: Vec<u128> = books.pending().map(|hold| hold.id).collect();
            ids.iter().any(|id| books.transfer(*id).is_some() && !open.contains(id))
        };
        let mut rounds = 0;
        while in_memory(&self.ledger) {
            rounds += 1;
            assert!(rounds < 20, "{ids:?} do not become history");
            let first = self.others + 1;
            self.others += 16;
            let other = |id: u128| Transfer {
                id,
                debit_account_id: NOBODY,
                credit_account_id: NOBODY + 1,
                ledger: 1,
                code: 1,
                ..Transfer::default()
            };
            let others: Vec<Transfer> = (first..=self.others).map(other).collect();
            let now = self.ledger.books().last();
            self.ledger.create_transfers(now, &others, &mut Vec::new()).unwrap();
        }
    }
}

impl Engine for Forgetful {
    type Error = EmbeddedError;

    fn create_accounts(
        &mut self,
        now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), EmbeddedError> {
        self.go_by();
        self.ledger.create_accounts(now, events, out)
    }

    fn create_transfers(
        &mut self,
        now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), EmbeddedError> {
        self.go_by();
        self.before.extend(events.iter().map(|event| event.id));
        self.ledger.create_transfers(now, events, out)
    }

    fn account(&self, id: u128) -> Result<Option<Account>, EmbeddedError> {
        self.ledger.account(id)
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, EmbeddedError> {
        self.ledger.transfer(id)
    }
}

#[test]
fn embedded_conforms_when_all_is_history() {
    conforms(Forgetful::new);
}

/// TigerBeetle 0.16.78: 27 and 69 statuses, numbered without gaps, named in snake case.
#[test]
fn statuses_have_their_numbers_and_names() {
    let mut numbers: Vec<u32> = AccountStatus::ALL.iter().map(|s| s.number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..27).collect::<Vec<u32>>());
    let mut numbers: Vec<u32> = TransferStatus::ALL.iter().map(|s| s.number()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..69).collect::<Vec<u32>>());
    let snake = |name: &str| {
        let mut out = String::new();
        let mut before = 'A';
        for c in name.chars() {
            if c.is_ascii_uppercase() || c.is_ascii_digit() && !before.is_ascii_digit() {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
            before = c;
        }
        out.trim_start_matches('_').to_owned()
    };
    for status in TransferStatus::ALL {
        assert_eq!(status.name(), snake(&format!("{status:?}")));
        assert_eq!(TransferStatus::from_number(status.number()), Some(*status));
    }
    for status in AccountStatus::ALL {
        assert_eq!(status.name(), snake(&format!("{status:?}")));
        assert_eq!(AccountStatus::from_number(status.number()), Some(*status));
    }
    assert_eq!(TransferStatus::from_number(69), None);
    assert_eq!(AccountStatus::from_number(27), None);
}

/// A broken chain leaves nothing behind but the clock (bytes 8 to 16 of a snapshot): no row, no
/// user data, no share of the state hash.
#[test]
fn a_broken_chain_leaves_no_trace() {
    let mut books = Books::new();
    let account = |id: u128| Account { id, ledger: 1, code: 1, ..Account::default() };
    books.create_accounts(Timestamp(1), &[account(1), account(2)], &mut Vec::new());
    let transfer = |id: u128, flags: TransferFlags| Transfer {
        id,
        debit_account_id: 1,
        credit_account_id: 2,
        amount: 5,
        user_data_128: id,
        ledger: 1,
        code: 1,
        flags,
        ..Transfer::default()
    };
    let hold = transfer(1, TransferFlags::PENDING);
    books.create_transfers(Timestamp(2), &[hold], &mut Vec::new());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    books.encode(&mut before);
    let hash = books.state_hash();
    let linked = TransferFlags::LINKED;
    let post = Transfer {
        id: 4,
        pending_id: 1,
        amount: 3,
        user_data_64: 9,
        flags: TransferFlags::POST_PENDING | linked,
        ..Transfer::default()
    };
    let wrong = Transfer { code: 0, ..transfer(5, TransferFlags::NONE) };
    let chain = [
        transfer(2, linked),
        transfer(3, TransferFlags::PENDING | TransferFlags::CLOSING_CREDIT | linked),
        Transfer { flags: TransferFlags::VOID_PENDING | linked, pending_id: 3, ..post },
        Transfer { id: 6, ..post },
        wrong,
    ];
    let mut statuses = Vec::new();
    books.create_transfers(Timestamp(3), &chain, &mut statuses);
    assert_eq!(statuses[2].name(), "pending_transfer_has_different_amount");
    let chain = [chain[0], chain[1], Transfer { amount: 0, ..chain[2] }, chain[3], wrong];
    books.create_transfers(Timestamp(3), &chain, &mut statuses);
    assert_eq!(statuses[4].name(), "code_must_not_be_zero");
    books.encode(&mut after);
    assert_eq!(before[16..], after[16..]);
    assert_eq!(hash, books.state_hash());
}
