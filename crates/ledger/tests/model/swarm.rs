//! Random batches. Each seed draws its own distribution first (swarm testing): what one seed never
//! does, another does all the time, so that rare orders of events come up.

use ledger::{Account, AccountFlags, Transfer, TransferFlags};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// How often a seed does what, in percent, and how small its world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) accounts: u128,
    pub(crate) ids: u128,
    pub(crate) batch: usize,
    repeat: u32,
    change: u32,
    link: u32,
    pending: u32,
    pub(crate) resolve: u32,
    balance: u32,
    close: u32,
    timeout: u32,
    user_data: u32,
    spoil: u32,
    huge: u32,
    limits: u32,
    account_batches: u32,
    pub(crate) step_ns: u64,
}

/// One batch.
#[derive(Clone, Debug)]
pub(crate) enum Batch {
    /// To create accounts.
    Accounts(Vec<Account>),
    /// To create transfers.
    Transfers(Vec<Transfer>),
}

/// A source of batches.
pub(crate) struct Swarm {
    rng: Pcg64Mcg,
    pub(crate) habits: Habits,
    past: Vec<Transfer>,
    past_accounts: Vec<Account>,
    pub(crate) now: u64,
}

impl Swarm {
    /// The swarm of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut often = || [0, 0, 3, 20, 60][rng.random_range(0..5)];
        let habits = Habits {
            repeat: often(),
            change: 70,
            link: often(),
            pending: often(),
            resolve: often(),
            balance: often(),
            close: often() / 6,
            timeout: often(),
            user_data: often(),
            spoil: often() / 3,
            huge: often(),
            limits: often(),
            account_batches: 10,
            accounts: [2, 3, 5, 12][rng.random_range(0..4)],
            ids: [8, 200, 100_000, 1_000_000][rng.random_range(0..4)],
            batch: [1, 3, 10, 40][rng.random_range(0..4)],
            step_ns: [0, 1, 400_000_000, 5_000_000_000][rng.random_range(0..4)],
        };
        let now = [0, 1_800_000_000_000_000_000, 9_000_000_000_000_000_000];
        let now = now[rng.random_range(0..3)];
        Self { rng, habits, past: Vec::new(), past_accounts: Vec::new(), now }
    }

    /// The time of the next batch: a step further, at times a step back, at times just before or
    /// at the instant at which one of `due` expires.
    pub(crate) fn now(&mut self, due: impl Iterator<Item = u64>) -> u64 {
        let step = self.rng.random_range(0..=self.habits.step_ns);
        self.now = match self.rng.random_range(0..10) {
            0 => self.now.saturating_sub(step),
            1..4 => match due.min() {
                Some(at) => at - self.rng.random_range(0..4).min(at),
                None => self.now,
            },
            _ => self.now + step,
        };
        self.now
    }

    /// The next batch.
    pub(crate) fn batch(&mut self, first: bool) -> Batch {
        let len = self.rng.random_range(1..=self.habits.batch);
        if first || self.percent(self.habits.account_batches) {
            let len = if first { self.habits.accounts as usize } else { len };
            return Batch::Accounts((0..len).map(|n| self.account(first, n)).collect());
        }
        Batch::Transfers((0..len).map(|_| self.transfer()).collect())
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    /// Mostly 0, else one of three values, so that equal ones meet.
    fn small(&mut self) -> u32 {
        let percent = self.habits.user_data;
        if self.percent(percent) { self.rng.random_range(0..3) } else { 0 }
    }

    fn account(&mut self, first: bool, place: usize) -> Account {
        if !first && !self.past_accounts.is_empty() && self.percent(50) {
            let mut account =
                self.past_accounts[self.rng.random_range(0..self.past_accounts.len())];
            self.spoil_account(&mut account);
            return account;
        }
        let mut flags = AccountFlags::NONE;
        for flag in [
            AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
        ] {
            if self.percent(self.habits.limits) {
                flags = flags | flag;
            }
        }
        if flags
            == (AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
                | AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
            && first
        {
            flags = AccountFlags::HISTORY;
        }
        if !first && self.percent(self.habits.link) {
            flags = flags | AccountFlags::LINKED;
        }
        let id = if first {
            place as u128 + 1
        } else {
            self.rng.random_range(1..=self.habits.accounts + 2)
        };
        let account = Account {
            id,
            user_data_128: self.small().into(),
            user_data_64: self.small().into(),
            user_data_32: self.small(),
            ledger: if self.percent(98) { 408 } else { 840 },
            code: if self.percent(90) { 1 } else { 2 },
            flags,
            ..Account::default()
        };
        self.past_accounts.push(account);
        account
    }

    fn spoil_account(&mut self, account: &mut Account) {
        let sum = self.pick(&[1, u128::MAX]);
        match self.rng.random_range(0..18) {
            0 => account.user_data_128 += 1,
            1 => account.user_data_64 += 1,
            2 => account.user_data_32 += 1,
            3 => account.ledger = self.pick(&[0, 7]),
            4 => account.code = self.pick(&[0, 7]),
            5 => account.flags = account.flags | AccountFlags::HISTORY,
            6 => account.flags = account.flags | AccountFlags::from_bits(1 << 9),
            7 => account.flags = AccountFlags::IMPORTED,
            8 => account.timestamp = 1,
            9 => account.id = self.pick(&[0, u128::MAX]),
            10 => account.debits_pending = sum,
            11 => account.debits_posted = sum,
            12 => account.credits_pending = sum,
            13 => account.credits_posted = sum,
            14 => account.flags = account.flags | AccountFlags::CLOSED,
            15 => account.flags = account.flags | AccountFlags::LINKED,
            _ => {}
        }
        if self.percent(20) {
            account.id = account.id.saturating_add(2);
        }
    }

    fn transfer(&mut self) -> Transfer {
        let mut transfer = if !self.past.is_empty() && self.percent(self.habits.repeat) {
            let mut again = self.past[self.rng.random_range(0..self.past.len())];
            if self.percent(self.habits.change) {
                self.spoil(&mut again);
            }
            again
        } else if self.percent(self.habits.resolve) {
            self.resolution()
        } else {
            self.movement()
        };
        if self.percent(self.habits.spoil) {
            self.spoil(&mut transfer);
        }
        if self.percent(self.habits.link) {
            transfer.flags = transfer.flags | TransferFlags::LINKED;
        } else if self.percent(50) {
            transfer.flags = transfer.flags.without(TransferFlags::LINKED);
        }
        self.past.push(transfer);
        transfer
    }

    fn amount(&mut self) -> u128 {
        let huge = self.percent(self.habits.huge);
        match self.rng.random_range(0..6) {
            0 => 0,
            1..4 if huge => self.pick(&[u128::MAX, u128::MAX - 1, u128::MAX / 2, 1 << 127]),
            1 => self.rng.random_range(0..10_000),
            _ => self.rng.random_range(0..20),
        }
    }

    fn movement(&mut self) -> Transfer {
        let mut flags = TransferFlags::NONE;
        if self.percent(self.habits.pending) {
            flags = flags | TransferFlags::PENDING;
        }
        if self.percent(self.habits.balance) {
            flags = flags
                | self.pick(&[
                    TransferFlags::BALANCING_DEBIT,
                    TransferFlags::BALANCING_CREDIT,
                    TransferFlags::BALANCING_CREDIT | TransferFlags::BALANCING_DEBIT,
                ]);
        }
        if self.percent(self.habits.close) {
            flags = flags
                | self.pick(&[
                    TransferFlags::CLOSING_DEBIT,
                    TransferFlags::CLOSING_CREDIT,
                    TransferFlags::CLOSING_CREDIT | TransferFlags::CLOSING_DEBIT,
                ]);
        }
        let may_wait = flags.contains(TransferFlags::PENDING) || self.percent(2);
        let timeout = if may_wait && self.percent(self.habits.timeout) {
            self.pick(&[1, 1, 2, 30, u32::MAX])
        } else {
            0
        };
        let debit_account_id = self.rng.random_range(1..=self.habits.accounts);
        let mut credit_account_id = self.rng.random_range(1..=self.habits.accounts);
        if credit_account_id == debit_account_id && self.percent(95) {
            credit_account_id = credit_account_id % self.habits.accounts + 1;
        }
        Transfer {
            id: self.rng.random_range(1..=self.habits.ids),
            debit_account_id,
            credit_account_id,
            amount: self.amount(),
            user_data_128: self.small().into(),
            user_data_64: self.small().into(),
            user_data_32: self.small(),
            timeout,
            ledger: 408,
            code: 1,
            flags,
            ..Transfer::default()
        }
    }

    fn resolution(&mut self) -> Transfer {
        let id = self.rng.random_range(1..=self.habits.ids);
        let newest = self.past.len().saturating_sub(60);
        let pending: Vec<Transfer> = self.past[newest..]
            .iter()
            .filter(|t| t.flags.contains(TransferFlags::PENDING) || t.id % 11 == 0)
            .copied()
            .collect();
        let hold = if pending.is_empty() || self.percent(5) {
            Transfer { id: self.rng.random_range(1..=self.habits.ids), ..Transfer::default() }
        } else {
            self.pick(&pending)
        };
        let repeats = self.percent(30);
        let post = self.percent(60);
        let amount = match self.rng.random_range(0..6) {
            0 => hold.amount,
            1 => hold.amount.saturating_add(1),
            2 => hold.amount / 2,
            3 => 0,
            _ if post => u128::MAX,
            _ => 0,
        };
        let mut named = if repeats { hold } else { Transfer::default() };
        if self.percent(10) {
            match self.rng.random_range(0..4) {
                0 => named.ledger = 7,
                1 => named.code = 7,
                2 => named.debit_account_id = 1,
                _ => named.credit_account_id = 1,
            }
        }
        Transfer {
            id,
            pending_id: hold.id,
            amount,
            debit_account_id: named.debit_account_id,
            credit_account_id: named.credit_account_id,
            ledger: named.ledger,
            code: named.code,
            user_data_128: self.small().into(),
            user_data_64: self.small().into(),
            user_data_32: self.small(),
            flags: if post { TransferFlags::POST_PENDING } else { TransferFlags::VOID_PENDING },
            ..Transfer::default()
        }
    }

    /// Changes one field.
    fn spoil(&mut self, t: &mut Transfer) {
        let edge = self.pick(&[0, 0, u128::MAX, 1, 2, self.habits.accounts + 1]);
        let number = self.pick(&[0, 0, 1, 2]);
        let flag = 1 << self.rng.random_range(0..10);
        match self.rng.random_range(0..15) {
            0 => t.id = self.pick(&[0, u128::MAX]),
            1 => t.debit_account_id = edge,
            2 => t.credit_account_id = edge,
            3 => t.amount = self.amount(),
            4 => t.amount = t.amount.saturating_add(1),
            5 => t.pending_id = self.pick(&[0, u128::MAX, t.id, edge]),
            6 => t.user_data_128 = number.into(),
            7 => t.user_data_64 = number.into(),
            8 => t.user_data_32 = number,
            9 => t.timeout = number,
            10 => t.ledger = self.pick(&[0, 408, 840, 7]),
            11 => t.code = self.pick(&[0, 1, 2]),
            12 => t.flags = TransferFlags::from_bits(t.flags.bits() ^ flag),
            13 => t.flags = t.flags | TransferFlags::from_bits(flag),
            _ => t.timestamp = 1,
        }
    }
}
