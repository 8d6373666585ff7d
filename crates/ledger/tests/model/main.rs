//! `Books` against `NaiveModel`: the same batches, every status, every balance, every hold.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod swarm;

use std::collections::BTreeMap;

use ledger::{
    Account, AccountFlags, AccountStatus, Books, NaiveModel, Transfer, TransferFlags,
    TransferStatus,
};
use proptest::prelude::*;
use scheme::Timestamp;
use swarm::{Batch, Swarm};

/// Seeds of one run, and transfers of each: 100,000 together.
const SEEDS: u64 = 250;
const TRANSFERS: usize = 400;

/// Both engines, side by side, and what they answered.
#[derive(Default)]
struct Pair {
    books: Books,
    model: NaiveModel,
    account_statuses: Vec<AccountStatus>,
    statuses: Vec<TransferStatus>,
}

impl Pair {
    /// Gives both the same accounts.
    fn accounts(&mut self, now: u64, events: &[Account], context: &str) {
        let now = Timestamp(now);
        self.books.create_accounts(now, events, &mut self.account_statuses);
        let expected = self.model.create_accounts(now, events);
        assert_eq!(self.account_statuses, expected, "{context}: {events:#?}");
        self.compare(context);
    }

    /// Gives both the same transfers.
    fn transfers(&mut self, now: u64, events: &[Transfer], context: &str) {
        let now = Timestamp(now);
        let before = (self.books.accounts(), self.model.pending(), self.books.state_hash());
        self.books.create_transfers(now, events, &mut self.statuses);
        let expected = self.model.create_transfers(now, events);
        assert_eq!(self.statuses, expected, "{context}: {events:#?}");
        self.compare(context);
        for event in events {
            let there = self.books.transfer(event.id);
            assert_eq!(there, self.model.transfer(event.id), "{context}");
        }
        let same = before.0 == self.books.accounts() && before.1 == self.model.pending();
        assert_eq!(same, before.2 == self.books.state_hash(), "{context}: hash follows state");
    }

    /// What holds after every batch: both have the same books, what is owed is owed to someone,
    /// no limit is passed, no sum is beyond what a post can still move.
    fn compare(&self, context: &str) {
        let accounts = self.books.accounts();
        assert_eq!(accounts, self.model.accounts(), "{context}");
        let pending: Vec<Transfer> = self.books.pending().collect();
        assert_eq!(pending, self.model.pending(), "{context}");
        assert_eq!(self.books.open_pending(), pending.len() as u64, "{context}");
        let total = |of: fn(&Account) -> u128| {
            accounts.iter().map(of).fold((0u128, 0u64), |(sum, carry), part| {
                let (sum, over) = sum.overflowing_add(part);
                (sum, carry + u64::from(over))
            })
        };
        assert_eq!(total(|a| a.debits_posted), total(|a| a.credits_posted), "{context}: posted");
        assert_eq!(total(|a| a.debits_pending), total(|a| a.credits_pending), "{context}: held");
        for account in &accounts {
            let debits = account.debits_pending.checked_add(account.debits_posted);
            let credits = account.credits_pending.checked_add(account.credits_posted);
            let (debits, credits) = (debits.unwrap(), credits.unwrap());
            if account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
                assert!(debits <= account.credits_posted, "{context}: {account:?}");
            }
            if account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS) {
                assert!(credits <= account.debits_posted, "{context}: {account:?}");
            }
        }
    }

    /// The books read back from their bytes are the same books.
    fn reopen(&mut self, context: &str) {
        let mut bytes = Vec::new();
        self.books.encode(&mut bytes);
        let read = Books::decode(&bytes).unwrap_or_else(|e| panic!("{context}: {e}"));
        assert_eq!(read.state_hash(), self.books.state_hash(), "{context}: hash from scratch");
        assert_eq!(read.next_expiry(), self.books.next_expiry(), "{context}");
        let mut again = Vec::new();
        read.encode(&mut again);
        assert_eq!(again, bytes, "{context}");
        self.books = read;
    }
}

/// Runs one seed and counts what was answered.
fn run(seed: u64, seen: &mut [BTreeMap<u32, u64>; 2]) {
    let mut swarm = Swarm::new(seed);
    let mut pair = Pair::default();
    let mut transfers = 0;
    for n in 0.. {
        let context = format!("LEDGER_SEED={seed} cargo test -p ledger --test model, batch {n}");
        let due = pair.model.pending();
        let now = swarm.now(
            due.iter()
                .filter(|t| t.timeout > 0)
                .map(|t| t.timestamp.saturating_add(u64::from(t.timeout) * 1_000_000_000)),
        );
        match swarm.batch(n == 0) {
            Batch::Accounts(events) => {
                pair.accounts(now, &events, &context);
                for status in &pair.account_statuses {
                    *seen[0].entry(status.number()).or_default() += 1;
                }
            }
            Batch::Transfers(events) => {
                pair.transfers(now, &events, &context);
                for status in &pair.statuses {
                    *seen[1].entry(status.number()).or_default() += 1;
                }
                transfers += events.len();
            }
        }
        if n % 16 == 15 {
            pair.reopen(&context);
        }
        if transfers >= TRANSFERS {
            return;
        }
    }
}

/// 100,000 transfers; every status that `Books` can give is given.
#[test]
fn books_and_model_agree() {
    let seeds = match std::env::var("LEDGER_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).collect(),
    };
    let mut seen = [BTreeMap::new(), BTreeMap::new()];
    for seed in &seeds {
        run(*seed, &mut seen);
    }
    if seeds.len() > 1 {
        // What only an importing engine, or one with reserved fields, can say.
        let never = [24, 25, 26, 4];
        for status in AccountStatus::ALL.iter().filter(|s| !never.contains(&s.number())) {
            assert!(seen[0].contains_key(&status.number()), "no account was answered {status}");
        }
        let never = [18, 58, 59, 60, 61, 62, 63];
        for status in TransferStatus::ALL.iter().filter(|s| !never.contains(&s.number())) {
            assert!(seen[1].contains_key(&status.number()), "no transfer was answered {status}");
        }
    }
    println!("{seen:?}");
}

/// The same events in smaller batches, cut between chains: the same statuses, the same books to the
/// nanosecond. So a replay need not know the batches. (With timeouts it would have to: within a
/// batch nothing is released.)
#[test]
fn batches_may_be_cut_between_chains() {
    for seed in 0..60 {
        let mut swarm = Swarm::new(seed);
        let (mut whole, mut cut) = (Books::new(), Books::new());
        for n in 0..40 {
            let now = Timestamp(swarm.now(core::iter::empty()));
            let mut events = match swarm.batch(n == 0) {
                Batch::Accounts(events) => {
                    whole.create_accounts(now, &events, &mut Vec::new());
                    cut.create_accounts(now, &events, &mut Vec::new());
                    continue;
                }
                Batch::Transfers(events) => events,
            };
            // What a first event that imports means for the others is the batch's, not the chain's.
            events.retain(|event| !event.flags.contains(TransferFlags::IMPORTED));
            events.iter_mut().for_each(|event| event.timeout = 0);
            let (mut expected, mut statuses, mut answered) = (Vec::new(), Vec::new(), Vec::new());
            whole.create_transfers(now, &events, &mut expected);
            for chain in events.split_inclusive(|e| !e.flags.contains(TransferFlags::LINKED)) {
                cut.create_transfers(now, chain, &mut statuses);
                answered.append(&mut statuses);
            }
            assert_eq!(answered, expected, "seed {seed}, batch {n}");
        }
        assert_eq!(cut.accounts(), whole.accounts(), "seed {seed}");
        assert!(cut.pending().eq(whole.pending()), "seed {seed}");
        assert_eq!(cut.state_hash(), whole.state_hash(), "seed {seed}");
    }
}

fn any_transfer() -> impl Strategy<Value = Transfer> {
    let flags = prop_oneof![
        4 => Just(0u16),
        4 => Just(TransferFlags::PENDING.bits()),
        3 => Just(TransferFlags::POST_PENDING.bits()),
        2 => Just(TransferFlags::VOID_PENDING.bits()),
        2 => 0u16..0x400,
    ];
    let amount = prop_oneof![4 => 0u128..9, 1 => Just(u128::MAX), 1 => Just(1 << 127)];
    let who = (1u128..8, 0u128..5, 0u128..5, 0u128..8);
    let extra = (0u128..2, 0u32..2, prop_oneof![9 => Just(408u32), 1 => Just(0)], 0u16..3);
    (who, flags, amount, extra, any::<bool>()).prop_map(|(who, flags, amount, extra, linked)| {
        let (id, debit_account_id, credit_account_id, pending_id) = who;
        let flags = TransferFlags::from_bits(flags);
        let resolves = flags.intersects(TransferFlags::POST_PENDING | TransferFlags::VOID_PENDING);
        let (user_data_128, timeout, ledger, code) = extra;
        let link = if linked { TransferFlags::LINKED } else { TransferFlags::NONE };
        Transfer {
            id,
            debit_account_id: if resolves { 0 } else { debit_account_id },
            credit_account_id: if resolves { 0 } else { credit_account_id },
            amount,
            pending_id: if resolves { pending_id } else { 0 },
            user_data_128,
            timeout: if flags.contains(TransferFlags::PENDING) { timeout } else { 0 },
            ledger: if resolves { 0 } else { ledger },
            code: if resolves { 0 } else { code },
            flags: flags.union(link),
            ..Transfer::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same in small, so that a difference shrinks to the few events that make it.
    #[test]
    fn books_and_model_agree_in_small(
        limits in proptest::collection::vec(0u16..3, 4),
        batches in proptest::collection::vec(
            (0u64..700_000_000, proptest::collection::vec(any_transfer(), 1..6)), 1..12),
    ) {
        let mut pair = Pair::default();
        let accounts: Vec<Account> = (1..).zip(limits).map(|(id, limit)| Account {
            id,
            ledger: 408,
            code: 1,
            flags: AccountFlags::from_bits(limit << 1),
            ..Account::default()
        }).collect();
        pair.accounts(1, &accounts, "accounts");
        let mut now = 1;
        for (step, events) in batches {
            now += step;
            pair.transfers(now, &events, "transfers");
        }
        pair.reopen("end");
    }

    /// No bytes make reading panic, and what reads is a ledger that works.
    #[test]
    fn damaged_snapshots_are_refused_or_sound(
        seed in 0u64..40,
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut swarm = Swarm::new(seed);
        let mut books = Books::new();
        let mut now = 0;
        for n in 0..12 {
            now = swarm.now(core::iter::empty());
            match swarm.batch(n == 0) {
                Batch::Accounts(events) => {
                    books.create_accounts(Timestamp(now), &events, &mut Vec::new());
                }
                Batch::Transfers(events) => {
                    books.create_transfers(Timestamp(now), &events, &mut Vec::new());
                }
            }
        }
        let mut bytes = Vec::new();
        books.encode(&mut bytes);
        let cut = at.index(bytes.len());
        prop_assert!(Books::decode(&bytes[..cut]).is_err());
        bytes[cut] = byte;
        if let Ok(mut books) = Books::decode(&bytes) {
            books.expire(Timestamp(u64::MAX));
            for n in 0..12 {
                if let Batch::Transfers(events) = swarm.batch(n == 0) {
                    books.create_transfers(Timestamp(now), &events, &mut Vec::new());
                }
            }
        }
    }
}
