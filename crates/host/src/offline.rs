//! A hub's journal without a hub: what `bongsu ledger` reads when nothing runs, and what
//! `ledger verify` recomputes. Changes nothing on the disk.

mod transfers;

use std::collections::BTreeSet;
use std::fmt;

use journal::{Disk, Extent, VerifyError};
use ledger::{Account, Books, chart};
use scheme::{Currency, ParticipantId, TerminalId, Timestamp};
use switch::Hub;
use switch::hub::{Payment, Status};
use switch::record::Fact;

use crate::config::Config;
use crate::hub::machine_config;
use crate::hub::query::{account_view, payment_view};
use crate::hub::replay::Replay;
use crate::hub::standing::probes;
use crate::limits::QUERY_PAYMENTS_MAX;
use crate::look_up::look_up;
use crate::view::{AccountView, PaymentFilter, PaymentView};

pub use transfers::{Step, TransferView, account_id};

/// A hub as its journal tells it.
#[derive(Debug)]
pub struct Offline {
    hub: Hub,
    books: Books,
    /// Terminals whose payments are synthetic.
    probes: BTreeSet<(ParticipantId, TerminalId)>,
    report: VerifyReport,
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Records that hold.
    pub records: u64,
    /// Transfers that they imply, refused ones apart.
    pub transfers: u64,
    /// Payments among them.
    pub payments: u64,
    /// Per currency: all credits posted less all debits posted; 0 when money is conserved.
    pub sums: Vec<(String, String)>,
    /// Everything that is wrong.
    pub damage: Vec<DamageView>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamageView {
    /// The file, or `ledger` for what the records say together.
    pub file: String,
    /// First record that cannot be believed.
    pub from_record: u64,
    /// Last one; as `from_record` where only one, `None` where nobody can know.
    pub to_record: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// Why a journal could not be read at all.
#[derive(Debug)]
pub struct OfflineError(VerifyError);

impl fmt::Display for OfflineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for OfflineError {}

impl Offline {
    /// Reads everything and recomputes every balance from the records alone. `running`: beside a
    /// live hub, only what it has published as durable is read.
    pub fn read<D: Disk>(config: &Config, disk: D, running: bool) -> Result<Self, OfflineError> {
        Self::read_steps(config, disk, running, &mut |_| Ok(()))
    }

    /// The same, and `visit` is given each record as it is taken, up to the first that does not
    /// hold; its error ends the reading.
    pub fn read_steps<D: Disk>(
        config: &Config,
        disk: D,
        running: bool,
        visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
    ) -> Result<Self, OfflineError> {
        let mut hub = Hub::new(machine_config(config));
        let mut books = Books::new();
        let mut report = VerifyReport::default();
        let mut refused: Option<DamageView> = None;
        let extent = if running { Extent::UpToHead } else { Extent::All };
        let found = {
            let mut replay = Replay::new(&mut hub, &mut books);
            journal::verify(disk, extent, &mut |record| {
                if refused.is_some() {
                    return Ok(());
                }
                match replay.record(record.kind, record.version, record.time_ns, record.payload) {
                    Ok(fact) => {
                        count(&fact, replay.moved(), &mut report);
                        let at = Timestamp(record.time_ns);
                        visit(&replay.step(record.number, at, &fact))?;
                    }
                    Err(what) => {
                        let number = record.number;
                        refused = Some(damage("ledger", number, Some(number), what));
                    }
                }
                Ok(())
            })
            .map_err(OfflineError)?
        };
        report.records = found.records;
        report.damage = found
            .damage
            .iter()
            .map(|d| damage(&d.file, d.from_record, d.to_record, d.to_string()))
            .collect();
        report.damage.extend(refused);
        let probes = probes(config);
        let mut offline = Self { hub, books, probes, report };
        offline.check_books();
        offline.report.ok = offline.report.damage.is_empty();
        Ok(offline)
    }

    /// What was found.
    pub fn report(&self) -> &VerifyReport {
        &self.report
    }

    /// Where a file's business part differs from the journal's, a line each.
    pub fn difference(&self, config: &Config) -> Vec<String> {
        config.business_difference(self.hub.state().directory())
    }

    /// Every account.
    pub fn accounts(&self) -> Vec<AccountView> {
        let directory = self.hub.state().directory();
        let accounts = self.books.accounts();
        accounts.iter().map(|account| account_view(account, directory)).collect()
    }

    /// Payments of the match window that fit, newest first.
    pub fn payments(&self, filter: &PaymentFilter) -> Vec<PaymentView> {
        let state = self.hub.state();
        let limit = filter.limit.clamp(1, QUERY_PAYMENTS_MAX);
        let mut all = Vec::new();
        let mut after = filter.after;
        loop {
            let found = look_up(state, &PaymentFilter { after, ..filter.clone() });
            let left = limit.saturating_sub(all.len());
            let payments = found.payments.into_iter().take(left);
            all.extend(payments.map(|payment| self.payment_view(payment)));
            after = found.next;
            if after.is_none() || all.len() >= limit {
                return all;
            }
        }
    }

    /// Every payment of the match window, oldest first.
    pub fn all_payments(&self) -> Vec<PaymentView> {
        let state = self.hub.state();
        state.payments().iter().map(|payment| self.payment_view(payment)).collect()
    }

    fn payment_view(&self, payment: &Payment) -> PaymentView {
        let till = (payment.seen.acquirer, payment.seen.terminal);
        payment_view(payment, self.hub.state(), self.probes.contains(&till))
    }

    /// The hash of machine and books, to be compared with a live hub's.
    pub fn state_hash(&self) -> u128 {
        self.hub.state_hash().0 ^ self.books.state_hash()
    }

    /// What the records say together: conservation, limits, holds, and the hub's own reckoning.
    fn check_books(&mut self) {
        let currency = self.hub.state().directory().currency;
        let accounts = self.books.accounts();
        let mut wrong = Vec::new();
        let posted = sum(&accounts, |a| (a.credits_posted, a.debits_posted));
        let pending = sum(&accounts, |a| (a.credits_pending, a.debits_pending));
        if posted != 0 || pending != 0 {
            wrong.push(format!(
                "money is not conserved: posted {}, pending {}",
                currency.format(posted),
                currency.format(pending)
            ));
        }
        self.report.sums = vec![(currency.alpha().to_owned(), currency.format(posted))];
        wrong.extend(accounts.iter().filter_map(|account| over_limit(account, currency)));
        wrong.extend(self.holds_without_payment());
        wrong.extend(self.positions_that_differ());
        let records = self.report.records;
        self.report
            .damage
            .extend(wrong.into_iter().map(|what| damage("ledger", records, Some(records), what)));
    }

    /// Every open hold belongs to a payment under way, and the other way round.
    fn holds_without_payment(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut open = 0u64;
        for hold in self.books.pending() {
            open = open.saturating_add(1);
            let id = scheme::PaymentId::of_transfer(hold.id);
            let payment = self.hub.state().payments().get(id);
            if payment.is_none_or(|payment| payment.status != Status::Pending) {
                wrong.push(format!("hold {:032x} belongs to no payment under way", hold.id));
            }
        }
        let payments = self.hub.state().payments().iter();
        let under_way = payments.filter(|payment| payment.status == Status::Pending).count();
        if under_way as u64 != open {
            wrong.push(format!("{under_way} payments under way, but {open} holds"));
        }
        wrong
    }

    /// The hub reckons each participant's room beside the ledger; the two must agree.
    fn positions_that_differ(&self) -> Vec<String> {
        let state = self.hub.state();
        let currency = state.directory().currency;
        let mut wrong = Vec::new();
        for participant in state.directory().participants.keys() {
            let reckoned = state.position(*participant);
            let id = chart::position(*participant, currency);
            let Some(account) = self.books.account(id) else {
                wrong.push(format!("participant {participant} has no position"));
                continue;
            };
            let signed = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
            let held = signed(account.debits_pending);
            let room = signed(account.credits_posted) - signed(account.debits_posted) - held;
            let overcap = self.books.account(chart::overcap(*participant, currency));
            let overcap = overcap.map_or(0, |a| signed(a.debits_posted) - signed(a.credits_posted));
            if (room, held, overcap) != (reckoned.room, reckoned.held, reckoned.overcap) {
                let show = |amounts: [i128; 3]| amounts.map(|a| currency.format(a)).join(", ");
                wrong.push(format!(
                    "participant {participant}: free, held and overcap are {} by the hub's \
                     reckoning and {} in the ledger",
                    show([reckoned.room, reckoned.held, reckoned.overcap]),
                    show([room, held, overcap])
                ));
            }
        }
        wrong
    }
}

fn count(fact: &Fact, moved: u64, report: &mut VerifyReport) {
    report.transfers = report.transfers.saturating_add(moved);
    if matches!(fact, Fact::Opened(_) | Fact::Declined(_)) {
        report.payments = report.payments.saturating_add(1);
    }
}

fn sum(accounts: &[Account], sides: impl Fn(&Account) -> (u128, u128)) -> i128 {
    accounts.iter().fold(0i128, |total, account| {
        let (credits, debits) = sides(account);
        let signed = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
        total.saturating_add(signed(credits)).saturating_sub(signed(debits))
    })
}

fn over_limit(account: &Account, currency: Currency) -> Option<String> {
    let limited = account.flags.contains(ledger::AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS);
    let debits = account.debits_posted.saturating_add(account.debits_pending);
    (limited && debits > account.credits_posted).then(|| {
        let name = chart::AccountName::of(account.id)
            .map_or_else(|| format!("{:032x}", account.id), |name| name.to_string());
        let over = i128::try_from(debits - account.credits_posted).unwrap_or(i128::MAX);
        format!("{name} is {} beyond its limit", currency.format(over))
    })
}

fn damage(file: &str, from_record: u64, to_record: Option<u64>, what: String) -> DamageView {
    DamageView { file: file.to_owned(), from_record, to_record, what }
}
