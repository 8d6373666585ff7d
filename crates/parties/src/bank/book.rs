//! A bank's own book: accounts with plain signed balances, the requests that it has decided, and
//! the tombstones of those that it must refuse. Changed by [`Book::apply`] alone, live and in
//! replay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use scheme::{Amount, ParticipantId, Rrn, Stan, TerminalId, Timestamp};
use sha2::{Digest, Sha256};

use crate::bank::config::{BankConfig, Special};
use crate::bank::record::{Decided, Record, RequestKey};
use crate::limits::{ACCOUNTS_MAX, ENTRIES_MAX, MEMORY_S, REQUESTS_MAX};

/// Class of the MTI of a pre-authorisation.
pub(crate) const AUTHORISATION: u8 = 1;

/// What an entry did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EntryKind {
    /// DE3 00: a debit.
    Purchase,
    /// DE3 01: a debit.
    Cash,
    /// DE3 09: a debit.
    Cashback,
    /// DE3 20: a credit.
    Refund,
    /// The completion of a pre-authorisation: a debit. The hold before it is no entry.
    Completion,
    /// The return of one of these.
    Reversal,
    /// Money that simulated shops' cards are given; no payment.
    Refill,
}

impl EntryKind {
    /// The word for it in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Cash => "cash",
            Self::Cashback => "cashback",
            Self::Refund => "refund",
            Self::Completion => "completion",
            Self::Reversal => "reversal",
            Self::Refill => "refill",
        }
    }
}

/// One line of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// DE11 as the hub sent it; a reversal shows its original's.
    pub stan: Stan,
    /// DE7 as the hub sent it, MMDDhhmmss as a number; a reversal shows its original's.
    pub sent_at: u32,
    /// DE37.
    pub rrn: Rrn,
    /// DE32.
    pub acquirer: Option<ParticipantId>,
    /// DE41.
    pub terminal: TerminalId,
    /// Minor units added to the balance; negative for a debit.
    pub effect: i64,
    /// What it was.
    pub kind: EntryKind,
    /// When it was decided.
    pub at: Timestamp,
}

/// How an account may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As ever.
    Open,
    /// DE39 62.
    Blocked,
    /// DE39 41.
    Lost,
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Minor units; a bank may be left with a negative one, by a reversed refund.
    pub balance: i64,
    /// Minor units that pre-authorisations hold.
    pub held: i64,
    /// How it may be used.
    pub standing: Standing,
    /// Its lines, oldest first, as far as they are kept.
    pub entries: VecDeque<Entry>,
}

/// A decided request and what has become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// As it was decided.
    pub decided: Decided,
    /// What its entry was; none for a hold and for what was declined.
    pub kind: Option<EntryKind>,
    /// Of a pre-authorisation.
    pub hold: Hold,
    /// What a reversal returned; nothing when none came.
    pub returned: Option<Amount>,
}

/// What has become of a pre-authorisation's hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hold {
    /// It never held anything.
    None,
    /// The amount is held.
    Standing,
    /// Reversed, or too old.
    Ended,
    /// Completed.
    Completed,
}

impl Account {
    /// What may be spent: the balance without what is held.
    pub fn available(&self) -> i64 {
        self.balance.saturating_sub(self.held)
    }
}

/// What a reversal finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Its original.
    Original(Kept),
    /// An earlier reversal of the same unknown original.
    Tombstone,
    /// Nothing.
    Nothing,
}

/// The whole book.
#[derive(Clone, Debug)]
pub struct Book {
    accounts: BTreeMap<u32, Account>,
    requests: BTreeMap<RequestKey, Kept>,
    tombstones: BTreeMap<RequestKey, Timestamp>,
    /// Standing holds by their age.
    holds: BTreeSet<(Timestamp, RequestKey)>,
    /// Requests and tombstones in the order of their coming.
    ages: VecDeque<(Timestamp, RequestKey)>,
    /// Accounts in the order of their entries, to drop the oldest.
    entry_order: VecDeque<u32>,
    entries_dropped: u64,
    approvals: u32,
    records: u64,
}

impl Book {
    /// The book of a bank that has just opened.
    pub fn new(config: &BankConfig) -> Self {
        let minor = |amount: Amount| i64::try_from(amount.minor()).unwrap_or(i64::MAX);
        let account = |balance| Account {
            balance,
            held: 0,
            standing: Standing::Open,
            entries: VecDeque::new(),
        };
        let mut accounts: BTreeMap<u32, Account> = (1..=config.accounts.min(ACCOUNTS_MAX))
            .map(|number| (number, account(minor(config.opening))))
            .collect();
        for (number, special) in &config.special {
            if let Some(account) = accounts.get_mut(number) {
                match special {
                    Special::Holds(amount) => account.balance = minor(*amount),
                    Special::Blocked => account.standing = Standing::Blocked,
                    Special::Lost => account.standing = Standing::Lost,
                }
            }
        }
        Self {
            accounts,
            requests: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            holds: BTreeSet::new(),
            ages: VecDeque::new(),
            entry_order: VecDeque::new(),
            entries_dropped: 0,
            approvals: 0,
            records: 0,
        }
    }

    /// Takes a decision in; recovery and live work use the same, and it decides nothing.
    pub fn apply(&mut self, record: &Record) {
        self.records += 1;
        match record {
            Record::Decided(decided) => self.decided(decided),
            Record::Reversed { key, returned, at } => self.reversed(*key, *returned, *at),
            Record::Tombstone { key, at } => {
                self.tombstones.insert(*key, *at);
                self.remember(*at, *key);
            }
            Record::Completed { decided, hold } => self.completed(decided, *hold),
            Record::Released { key, .. } => self.end_hold(*key, Hold::Ended),
            Record::Refilled { account, amount, at } => {
                let entry = Entry {
                    stan: Stan::default(),
                    sent_at: 0,
                    rrn: Rrn::BLANK,
                    acquirer: None,
                    terminal: TerminalId::BLANK,
                    effect: credit(*amount),
                    kind: EntryKind::Refill,
                    at: *at,
                };
                self.enter(*account, entry);
            }
        }
    }

    /// All accounts by number.
    pub fn accounts(&self) -> impl Iterator<Item = (u32, &Account)> {
        self.accounts.iter().map(|(number, a)| (*number, a))
    }

    /// One account.
    pub fn account(&self, number: u32) -> Option<&Account> {
        self.accounts.get(&number)
    }

    /// A request that was decided before.
    pub fn request(&self, key: RequestKey) -> Option<&Kept> {
        self.requests.get(&key)
    }

    /// The oldest hold that stands, and since when.
    pub fn oldest_hold(&self) -> Option<(Timestamp, RequestKey)> {
        self.holds.first().copied()
    }

    /// Whether a reversal of this request came before it.
    pub fn is_reversed_before(&self, key: RequestKey) -> bool {
        let vague = [(key.class, 0), (0, key.sent_at), (0, 0)].map(|(class, sent_at)| RequestKey {
            class,
            stan: key.stan,
            sent_at,
        });
        self.tombstones.contains_key(&key) || vague.iter().any(|v| self.tombstones.contains_key(v))
    }

    /// What a reversal is for. Zero parts of DE90 match anything; of several, the newest counts.
    pub fn original(&self, key: RequestKey) -> Found {
        let classes = if key.class == 0 { 1..=2 } else { key.class..=key.class };
        let times = match key.sent_at {
            0 => 0..=u32::MAX,
            exact => exact..=exact,
        };
        let at = |class, sent_at| RequestKey { class, stan: key.stan, sent_at };
        let newest = classes
            .flat_map(|class| {
                let range = at(class, *times.start())..=at(class, *times.end());
                self.requests.range(range)
            })
            .max_by_key(|(_, kept)| kept.decided.at);
        match newest {
            Some((_, kept)) => Found::Original(*kept),
            None if self.tombstones.contains_key(&key) => Found::Tombstone,
            None => Found::Nothing,
        }
    }

    /// The number that the next approval gets (DE38), 1 to 999999 and around.
    pub fn next_approval(&self) -> u32 {
        Stan::from_counter(u64::from(self.approvals)).get()
    }

    /// How many records made it.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Entries that are no longer kept.
    pub fn entries_dropped(&self) -> u64 {
        self.entries_dropped
    }

    /// SHA-256 over everything in the book, in order: a replayed book has the live one's.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut bytes = Vec::new();
        for (number, account) in &self.accounts {
            hash.update(number.to_le_bytes());
            hash.update(account.balance.to_le_bytes());
            hash.update(account.held.to_le_bytes());
            hash.update((account.entries.len() as u64).to_le_bytes());
            for entry in &account.entries {
                hash.update(entry.stan.get().to_le_bytes());
                hash.update(entry.sent_at.to_le_bytes());
                hash.update(entry.rrn.bytes());
                hash.update(entry.acquirer.map_or(0, ParticipantId::get).to_le_bytes());
                hash.update(entry.terminal.bytes());
                hash.update(entry.effect.to_le_bytes());
                hash.update(entry.kind.name().as_bytes());
                hash.update(entry.at.0.to_le_bytes());
            }
        }
        for kept in self.requests.values() {
            bytes.clear();
            Record::Decided(kept.decided).encode(&mut bytes);
            hash.update(&bytes);
            let returned = kept.returned.map_or(u64::MAX, Amount::minor);
            hash.update(returned.to_le_bytes());
            hash.update([kept.hold as u8]);
            hash.update(kept.kind.map_or("", EntryKind::name));
        }
        for (key, at) in &self.tombstones {
            bytes.clear();
            Record::Tombstone { key: *key, at: *at }.encode(&mut bytes);
            hash.update(&bytes);
        }
        for count in [u64::from(self.approvals), self.records, self.entries_dropped] {
            hash.update(count.to_le_bytes());
        }
        hash.finalize().into()
    }

    fn decided(&mut self, decided: &Decided) {
        let approved = decided.code.is_approved();
        let holds = approved && decided.key.class == AUTHORISATION;
        let kind = entry_kind(decided.transaction).filter(|_| approved && !holds);
        let hold = if holds { Hold::Standing } else { Hold::None };
        let kept = Kept { decided: *decided, kind, hold, returned: None };
        self.requests.insert(decided.key, kept);
        self.remember(decided.at, decided.key);
        if approved {
            self.approvals = decided.approval;
        }
        let Some(account) = decided.account else { return };
        if let Some(kind) = kind {
            self.enter(account, entry(decided, kind, effect(kind, decided.amount)));
        }
        if let Some(account) = self.accounts.get_mut(&account).filter(|_| holds) {
            account.held = account.held.saturating_add(credit(decided.amount));
            self.holds.insert((decided.at, decided.key));
        }
    }

    fn completed(&mut self, decided: &Decided, hold: RequestKey) {
        self.end_hold(hold, Hold::Completed);
        let kind = EntryKind::Completion;
        let kept = Kept { decided: *decided, kind: Some(kind), hold: Hold::None, returned: None };
        self.requests.insert(decided.key, kept);
        self.remember(decided.at, decided.key);
        if let Some(account) = decided.account {
            self.enter(account, entry(decided, kind, effect(kind, decided.amount)));
        }
    }

    fn reversed(&mut self, key: RequestKey, returned: Amount, at: Timestamp) {
        let Some(kept) = self.requests.get_mut(&key) else {
            return;
        };
        kept.returned = Some(returned);
        let (decided, kind, hold) = (kept.decided, kept.kind, kept.hold);
        if hold == Hold::Standing {
            self.end_hold(key, Hold::Ended);
        }
        if let (Some(account), Some(kind)) = (decided.account, kind) {
            let back =
                Entry { at, ..entry(&decided, EntryKind::Reversal, -effect(kind, returned)) };
            self.enter(account, back);
        }
    }

    /// Gives back what a hold still holds.
    fn end_hold(&mut self, key: RequestKey, end: Hold) {
        let Some(kept) = self.requests.get_mut(&key) else {
            return;
        };
        let stood = kept.hold == Hold::Standing;
        kept.hold = end;
        let decided = kept.decided;
        let account = decided.account.and_then(|number| self.accounts.get_mut(&number));
        if let Some(account) = account.filter(|_| stood) {
            account.held = account.held.saturating_sub(credit(decided.amount));
            self.holds.remove(&(decided.at, key));
        }
    }

    fn enter(&mut self, number: u32, entry: Entry) {
        let Some(account) = self.accounts.get_mut(&number) else {
            return;
        };
        account.balance = account.balance.saturating_add(entry.effect);
        account.entries.push_back(entry);
        self.entry_order.push_back(number);
        if self.entry_order.len() > ENTRIES_MAX
            && let Some(oldest) = self.entry_order.pop_front()
            && let Some(account) = self.accounts.get_mut(&oldest)
        {
            account.entries.pop_front();
            self.entries_dropped += 1;
        }
    }

    fn remember(&mut self, at: Timestamp, key: RequestKey) {
        self.ages.push_back((at, key));
        while let Some((first, key)) = self.ages.front().copied() {
            let old = at.seconds().saturating_sub(first.seconds()) > MEMORY_S;
            if !old && self.ages.len() <= REQUESTS_MAX {
                return;
            }
            self.ages.pop_front();
            // A key that has come again since is remembered by its later line.
            if self.requests.get(&key).is_some_and(|kept| kept.decided.at == first) {
                self.requests.remove(&key);
            }
            if self.tombstones.get(&key) == Some(&first) {
                self.tombstones.remove(&key);
            }
        }
    }
}

/// What an approved transaction is in the book; nothing for what moves no money.
pub(crate) fn entry_kind(transaction: u8) -> Option<EntryKind> {
    match transaction {
        0 => Some(EntryKind::Purchase),
        1 => Some(EntryKind::Cash),
        9 => Some(EntryKind::Cashback),
        20 => Some(EntryKind::Refund),
        _ => None,
    }
}

fn credit(amount: Amount) -> i64 {
    // An amount has twelve digits at most.
    i64::try_from(amount.minor()).unwrap_or(i64::MAX)
}

fn effect(kind: EntryKind, amount: Amount) -> i64 {
    match kind {
        EntryKind::Purchase | EntryKind::Cash | EntryKind::Cashback | EntryKind::Completion => {
            -credit(amount)
        }
        EntryKind::Refund | EntryKind::Reversal | EntryKind::Refill => credit(amount),
    }
}

fn entry(decided: &Decided, kind: EntryKind, effect: i64) -> Entry {
    Entry {
        stan: decided.key.stan,
        sent_at: decided.key.sent_at,
        rrn: decided.rrn,
        acquirer: decided.acquirer,
        terminal: decided.terminal,
        effect,
        kind,
        at: decided.at,
    }
}
