//! A hub's journal without a hub: what `bongsu ledger` reads when nothing runs, and what
//! `ledger verify` recomputes. Changes nothing on the disk.

mod audit;
mod check;
mod indexes;
mod remedy;
mod state;
mod transfers;

use std::collections::BTreeSet;
use std::fmt;

use journal::{Disk, Extent, Flaw, RecordView, Verified, VerifyError};
use ledger::{Account, Books, chart};
use scheme::{BusinessDate, Currency, ParticipantId, TerminalId, Timestamp};
use switch::Hub;
use switch::hub::{HubConfig, Payment, Status};

use crate::config::Config;
use crate::hub::machine_config;
use crate::hub::query::{account_view, payment_view};
use crate::hub::replay::{self, Afresh, Replay};
use crate::hub::standing::probes;
use crate::limits::QUERY_PAYMENTS_MAX;
use crate::look_up::look_up;
use crate::view::{AccountView, PaymentFilter, PaymentView};

pub(crate) use audit::Audit;
pub(crate) use check::Broken;
pub use check::{Check, Checked};
pub use indexes::check_indexes;
pub use transfers::{FindingRow, PaymentRow, Step, TransferView, account_id};

/// A hub as its journal tells it.
#[derive(Debug)]
pub struct Offline {
    hub: Hub,
    books: Books,
    probes: Probes,
    report: VerifyReport,
}

/// Terminals whose payments are synthetic.
pub(crate) type Probes = BTreeSet<(ParticipantId, TerminalId)>;

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The first record that was read; those before it were put away.
    pub first_record: u64,
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
    /// What to do about it, each once.
    pub remedies: Vec<&'static str>,
    /// The first record that is not in the books, because it or one before it can't be believed;
    /// `None` if all of them are.
    pub stops_before: Option<u64>,
    /// How much was looked at.
    pub checked: Checked,
}

impl VerifyReport {
    /// The last record that is in the books.
    pub fn last_in_books(&self) -> u64 {
        let next = self.first_record.max(1).saturating_add(self.records);
        self.stops_before.unwrap_or(next).saturating_sub(1)
    }

    /// What a check has found, and how much it has looked at.
    pub fn of(&self, check: Check) -> (usize, u64) {
        let found = self.damage.iter().filter(|damage| damage.check == check).count();
        (found, self.checked.of(check))
    }

    /// Adds something that is wrong.
    pub fn add(&mut self, damage: DamageView) {
        self.ok = false;
        self.advise(remedy::of_check(damage.check));
        self.damage.push(damage);
    }

    /// Adds a file of the journal that is wrong in this way.
    pub fn add_file(&mut self, damage: DamageView, flaw: Flaw) {
        self.ok = false;
        self.advise(Some(remedy::of_flaw(flaw, true)));
        if damage.check == Check::Snapshots {
            self.checked.snapshots = self.checked.snapshots.saturating_add(1);
        }
        self.damage.push(damage);
    }

    /// Whether every record is in the books, and the books hold: what is wrong then is beside them.
    pub fn is_complete(&self) -> bool {
        let is_beside = |damage: &DamageView| match damage.check {
            Check::Chain | Check::Snapshots | Check::Indexes | Check::Archive => true,
            Check::Records
            | Check::Conservation
            | Check::Limits
            | Check::Pairing
            | Check::Payments => false,
        };
        self.stops_before.is_none() && self.damage.iter().all(is_beside)
    }

    fn advise(&mut self, remedy: Option<&'static str>) {
        if let Some(remedy) = remedy.filter(|remedy| !self.remedies.contains(remedy)) {
            self.remedies.push(remedy);
        }
    }

    /// Takes over what the journal says of its files.
    fn files(&mut self, found: &journal::Report) {
        let of_records = self.damage.split_off(0);
        for damage in &found.damage {
            let journal::Damage { from_record, to_record, flaw, .. } = *damage;
            let check = check_of(flaw);
            let is_followed = found.last_record >= from_record;
            self.advise(Some(remedy::of_flaw(flaw, is_followed)));
            if matches!(flaw, Flaw::Snapshot | Flaw::SnapshotAhead | Flaw::AnchorLost) {
                self.checked.snapshots = self.checked.snapshots.saturating_add(1);
            }
            let is_touched = to_record.is_none_or(|to| to >= from_record);
            if is_touched || (check == Check::Chain && is_followed) {
                let first = self.stops_before.map_or(from_record, |first| first.min(from_record));
                self.stops_before = Some(first);
            }
            let (file, what) = (damage.file.clone(), damage.to_string());
            self.damage.push(DamageView { check, file, from_record, to_record, what });
        }
        for damage in of_records {
            self.add(damage);
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamageView {
    /// Which check has found it.
    pub check: Check,
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
        mut disk: D,
        running: bool,
        visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
    ) -> Result<Self, OfflineError> {
        // Everything is kept: what is asked for may be of any time.
        let mut hub = Hub::new(HubConfig { window_payments: usize::MAX, ..machine_config(config) });
        let mut books = Books::new();
        let probes = probes(config);
        let extent = if running { Extent::UpToHead } else { Extent::All };
        let (found, mut report) = {
            let replay = Replay::new(&mut hub, &mut books);
            let mut reading = Reading::new(config, replay, &probes);
            reading.first_date = transfers::first_date(config, &mut disk, extent);
            let found = journal::verify_states(disk, extent, &mut |item| match item {
                Verified::Base { file, bytes, .. } => reading.begin_at(file, bytes),
                Verified::Record(record) => reading.record(&record, visit),
                Verified::State { record, file, bytes } => {
                    reading.state(record, file, bytes);
                    Ok(())
                }
            })
            .map_err(OfflineError)?;
            (found, reading.end())
        };
        report.records = found.records;
        report.first_record = found.first_record;
        report.checked.frames = found.frames;
        report.files(&found);
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

    /// Payments that fit, newest first.
    pub fn payments(&self, filter: &PaymentFilter) -> Vec<PaymentView> {
        let state = self.hub.state();
        let limit = filter.limit.clamp(1, QUERY_PAYMENTS_MAX);
        let mut all = Vec::new();
        let mut after = filter.after;
        loop {
            let found = look_up(state, &PaymentFilter { after, ..filter.clone() });
            let left = limit.saturating_sub(all.len());
            let payments = found.payments.into_iter().take(left);
            all.extend(payments.map(|payment| shown(payment, &self.hub, &self.probes)));
            after = found.next;
            if after.is_none() || all.len() >= limit {
                return all;
            }
        }
    }

    /// Every payment, oldest first.
    pub fn all_payments(&self) -> Vec<PaymentView> {
        let state = self.hub.state();
        state.payments().iter().map(|payment| shown(payment, &self.hub, &self.probes)).collect()
    }

    /// When the oldest payment came that is still under way, or of which an issuer is still to be
    /// told: what came before that is closed.
    pub fn open_since(&self) -> Option<Timestamp> {
        let state = self.hub.state();
        let payments = state.payments();
        let under_way = payments.iter().filter(|payment| payment.status == Status::Pending);
        let owed = state.advices().map(|(_, advice)| {
            payments.get(advice.payment).map_or(advice.since, |payment| payment.at)
        });
        under_way.map(|payment| payment.at).chain(owed).min()
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
        wrong.extend(not_conserved(&accounts, currency));
        self.report.sums = vec![(currency.alpha().to_owned(), currency.format(posted))];
        self.report.checked.accounts = accounts.len() as u64;
        let of = |check| move |what| Broken { check, what };
        let limits = accounts.iter().filter_map(|account| over_limit(account, currency));
        wrong.extend(limits.map(of(Check::Limits)));
        wrong.extend(self.holds_without_payment().into_iter().map(of(Check::Pairing)));
        wrong.extend(self.positions_that_differ().into_iter().map(of(Check::Conservation)));
        let end = self.report.records.saturating_add(self.report.first_record.max(1));
        // What was read behind damage is not in the books.
        let last = self.report.stops_before.unwrap_or(end).saturating_sub(1);
        for broken in wrong {
            self.report.add(damage("ledger", last, broken));
        }
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

/// A payment as it stands.
fn shown(payment: &Payment, hub: &Hub, probes: &Probes) -> PaymentView {
    let till = (payment.seen.acquirer, payment.seen.terminal);
    let posted = hub.state().flows().posted(payment);
    payment_view(payment, hub.state(), posted, probes.contains(&till))
}

/// Everything, record by record.
struct Reading<'a> {
    config: &'a Config,
    replay: Replay<'a>,
    probes: &'a Probes,
    first_date: Option<BusinessDate>,
    report: VerifyReport,
    /// The last record that was taken.
    last: u64,
    /// Whether a record did not hold: nothing behind it can be judged.
    is_refused: bool,
}

impl<'a> Reading<'a> {
    fn new(config: &'a Config, mut replay: Replay<'a>, probes: &'a Probes) -> Self {
        replay.audit = Some(Audit::default());
        replay.afresh = Afresh { until: 0, payments: 0 };
        let report = VerifyReport::default();
        let first_date = None;
        Self { config, replay, probes, first_date, report, last: 0, is_refused: false }
    }

    /// What was before the first record that is kept is in this state.
    fn begin_at(&mut self, file: &str, bytes: &[u8]) -> Result<(), String> {
        let Replay { hub, books, audit, afresh, .. } = &mut self.replay;
        if let Err(what) = replay::restore(hub, books, bytes) {
            let what = format!("its state can't be read: {what}");
            let broken = Broken { check: Check::Snapshots, what };
            self.report.damage.push(damage(file, 1, broken));
            self.report.stops_before = Some(1);
            self.is_refused = true;
            return Ok(());
        }
        *audit = Some(Audit::from_state(hub, books));
        *afresh = Afresh { until: hub.state().records(), payments: u64::MAX };
        self.report.checked.snapshots += 1;
        let accounts = books.accounts();
        let wrong = not_conserved(&accounts, hub.state().directory().currency);
        self.report.damage.extend(wrong.map(|broken| damage(file, 1, broken)));
        Ok(())
    }

    fn record(
        &mut self,
        record: &RecordView<'_>,
        visit: &mut dyn FnMut(&Step<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.is_refused {
            return Ok(());
        }
        self.last = record.number;
        match self.replay.record(record) {
            Ok(fact) => {
                self.report.transfers = self.report.transfers.saturating_add(self.replay.moved());
                self.report.checked.records = self.report.checked.records.saturating_add(1);
                let at = Timestamp(record.time_ns);
                let step = self.replay.step(record.number, at, &fact, self.probes);
                visit(&step.beginning(self.first_date))
            }
            Err(broken) => {
                self.is_refused = true;
                self.report.stops_before = Some(record.number);
                self.report.damage.push(damage("ledger", record.number, broken));
                Ok(())
            }
        }
    }

    /// A state that was kept after the last record.
    fn state(&mut self, record: u64, file: &str, bytes: &[u8]) {
        if self.is_refused {
            return;
        }
        self.report.checked.snapshots = self.report.checked.snapshots.saturating_add(1);
        let wrong = state::compare(self.config, self.replay.hub, self.replay.books, bytes);
        let wrong = wrong.into_iter().map(|broken| damage(file, record, broken));
        self.report.damage.extend(wrong);
    }

    fn end(mut self) -> VerifyReport {
        let Replay { hub, books, audit, .. } = &self.replay;
        if let Some(audit) = audit {
            let Checked { records, snapshots, .. } = self.report.checked;
            self.report.checked = Checked { records, snapshots, ..audit.counts };
            self.report.payments = audit.counts.payments;
            if !self.is_refused {
                let wrong = audit.compare(hub, books).into_iter();
                let last = self.last;
                let wrong = wrong.map(|broken| damage("ledger", last, broken));
                self.report.damage.extend(wrong);
            }
        }
        self.report
    }
}

/// Which check a flaw of the files belongs to.
fn check_of(flaw: Flaw) -> Check {
    match flaw {
        Flaw::Snapshot | Flaw::SnapshotAhead | Flaw::AnchorLost => Check::Snapshots,
        Flaw::FrameBroken
        | Flaw::FrameOutOfPlace
        | Flaw::ChainBroken
        | Flaw::EpochBack
        | Flaw::FramesMissing
        | Flaw::HeadDisagrees
        | Flaw::UnwrittenNotZero
        | Flaw::SegmentHeader
        | Flaw::SegmentOutOfPlace
        | Flaw::SegmentForeign
        | Flaw::SegmentOf { .. }
        | Flaw::SegmentMissing
        | Flaw::SegmentsMissing { .. }
        | Flaw::SegmentNoFile
        | Flaw::SegmentLength
        | Flaw::SegmentBytes { .. }
        | Flaw::HeadLost
        | Flaw::HeadSlot
        | Flaw::HistoryMissing => Check::Chain,
    }
}

/// All credits must be all debits, posted and pending.
fn not_conserved(accounts: &[Account], currency: Currency) -> Option<Broken> {
    let posted = sum(accounts, |a| (a.credits_posted, a.debits_posted));
    let pending = sum(accounts, |a| (a.credits_pending, a.debits_pending));
    (posted != 0 || pending != 0).then(|| Broken {
        check: Check::Conservation,
        what: format!(
            "money is not conserved: posted {}, pending {}",
            currency.format(posted),
            currency.format(pending)
        ),
    })
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

fn damage(file: &str, record: u64, Broken { check, what }: Broken) -> DamageView {
    DamageView { check, file: file.to_owned(), from_record: record, to_record: Some(record), what }
}
