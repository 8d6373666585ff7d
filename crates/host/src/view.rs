//! What a role shows of itself: plain values, filled from durable state, for pages, commands and
//! metrics. Amounts are decimal strings in the nation's currency.

use std::collections::BTreeMap;

use keys::LinkMac;
use scheme::{BusinessDate, Currency, ParticipantId, PaymentId, TerminalId, Timestamp};
use switch::record::Fact;

use crate::config::Config;
use crate::event::Health;
use crate::fires::{Fires, Reason};
use crate::limits::AUTHOR_MAX;

/// What may be asked of a running role.
#[derive(Clone, Debug)]
pub enum Query {
    /// Totals.
    Overview,
    /// Every account.
    Accounts,
    /// Payments that fit, newest first.
    Payments(PaymentFilter),
    /// Counters for `/metrics`.
    Metrics,
    /// What a file's business part would change, and perhaps that it be changed.
    Change(BusinessChange),
}

/// The business part of a configuration file, held against the journal's.
#[derive(Clone, Debug)]
pub struct BusinessChange {
    /// What the file says.
    pub(crate) facts: Vec<Fact>,
    /// In which money.
    pub(crate) currency: Currency,
    /// Who changes it; without one nothing is changed.
    pub(crate) author: Option<String>,
    /// MAC keys of the file's banks, as they lie beside the hub.
    pub(crate) macs: MacsRead,
}

/// The MAC keys of each bank, or why they cannot be read.
pub type MacsRead = BTreeMap<ParticipantId, Result<LinkMac, String>>;

impl BusinessChange {
    /// Of this file.
    pub fn of(config: &Config) -> Self {
        let (facts, currency) = (config.facts(), config.currency);
        Self { facts, currency, author: None, macs: BTreeMap::new() }
    }

    /// With these MAC keys for banks that the hub has none of yet.
    #[must_use]
    pub fn with_macs(self, macs: MacsRead) -> Self {
        Self { macs, ..self }
    }

    /// To be made by somebody; `None` if that is no name of 1 to [`AUTHOR_MAX`] bytes without
    /// control characters.
    pub fn by(mut self, author: &str) -> Option<Self> {
        let author = author.trim();
        let fits = !author.is_empty() && author.len() <= AUTHOR_MAX;
        self.author = Some(author.to_owned());
        (fits && !author.chars().any(char::is_control)).then_some(self)
    }
}

/// The answer to [`Query::Change`]; it leaves when the change is durable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChangeView {
    /// Where the file differed from the journal, a line each.
    pub difference: Vec<String>,
    /// What can't be changed so, a line each; with any of them nothing is changed.
    pub refused: Vec<String>,
    /// Records that were journalled; 0 if nothing was changed.
    pub records: u64,
}

/// Which payments are asked for; everything given must fit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PaymentFilter {
    /// DE37.
    pub rrn: Option<String>,
    /// DE11.
    pub stan: Option<u32>,
    /// DE41.
    pub terminal: Option<TerminalId>,
    /// Business date.
    pub date: Option<BusinessDate>,
    /// The payment's id.
    pub id: Option<PaymentId>,
    /// Taken in at or after this.
    pub from: Option<Timestamp>,
    /// Taken in before this.
    pub to: Option<Timestamp>,
    /// Only what comes after this payment in the list: when it was taken in, and its id.
    pub after: Option<(Timestamp, PaymentId)>,
    /// At most so many.
    pub limit: usize,
}

/// Payments that fit, or those of them that one answer holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PaymentPage {
    /// The newest first.
    pub payments: Vec<PaymentView>,
    /// Where the list goes on, for [`PaymentFilter::after`]; none if it ends here. There may be
    /// more even after a page without payments: a part of the window was looked through.
    pub next: Option<(Timestamp, PaymentId)>,
    /// Whether payments may be missing: history could not be read, and only what is in memory is
    /// here.
    pub incomplete: bool,
}

/// The answer to a [`Query`].
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// To `Overview`.
    Overview(Overview),
    /// To `Accounts`.
    Accounts(Vec<AccountView>),
    /// To `Payments`.
    Payments(PaymentPage),
    /// To `Metrics`: name, labels in Prometheus form (without braces, empty if none), value.
    Metrics(Vec<Metric>),
    /// To `Change`.
    Change(ChangeView),
    /// This role does not know such things.
    NotHere,
}

/// One counter or gauge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Documented name, `bongsu_...`.
    pub name: &'static str,
    /// What it counts, one line.
    pub help: &'static str,
    /// Whether it only rises.
    pub counter: bool,
    /// `name="value",...`, or empty.
    pub labels: String,
    /// The value.
    pub value: u64,
}

/// Totals of a role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overview {
    /// The nation's name.
    pub nation: String,
    /// `hub`, or the station's name.
    pub role: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// YYYY-MM-DD.
    pub business_date: String,
    /// Settlement cycle.
    pub cycle: u32,
    /// Epoch.
    pub epoch: u64,
    /// Records in the journal.
    pub records: u64,
    /// Payments under way.
    pub in_flight: u64,
    /// Payments since the role started, by end.
    pub approved: u64,
    /// Declined since the role started.
    pub declined: u64,
    /// Requests refused without a record since the role started.
    pub refused: u64,
    /// Advices or reversals owed and not acknowledged.
    pub saf_depth: u64,
    /// Findings of all kinds.
    pub findings: u64,
    /// Hub: stations. Station: the hub.
    pub peers: Vec<PeerView>,
    /// Hub: banks.
    pub banks: Vec<BankView>,
    /// The role's own fires; at the hub the nation's, the first in the order of lists.
    pub fires: FiresView,
    /// The last minute.
    pub window: WindowView,
    /// The last minutes, oldest first, the present one last.
    pub minutes: Vec<MinuteView>,
    /// Hub: the business day.
    pub day: DayView,
    /// Station: its synthetic payments.
    pub probe: Option<ProbeView>,
    /// Hub: all stations, in the order of R-FIRES. Station: itself.
    pub stations: Vec<StationView>,
    /// Hub: findings by kind.
    pub findings_by_kind: Vec<(&'static str, u64)>,
    /// Hub: the last findings of which records were read or written since the start, newest first.
    pub latest_findings: Vec<FindingView>,
    /// What only the shell knows.
    pub health: Health,
    /// How far the role's clock is off, ms.
    pub clock_off_ms: u64,
    /// When this was true.
    pub at: Timestamp,
}

/// Fires and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FiresView {
    /// 0 to 5.
    pub number: u8,
    /// All that holds, the deciding one first.
    pub reasons: Vec<Reason>,
}

impl From<Fires> for FiresView {
    fn from(fires: Fires) -> Self {
        Self { number: fires.number, reasons: fires.all().collect() }
    }
}

/// A minute of payments that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MinuteView {
    /// When it began.
    pub at: Timestamp,
    /// 00.
    pub approved: u64,
    /// Any other answer than 00, 91 and 96.
    pub declined: u64,
    /// 91 and 96.
    pub unavailable: u64,
}

/// The last sixty seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowView {
    /// 00.
    pub approved: u64,
    /// Any other answer, 91 and 96 included.
    pub declined: u64,
    /// 91 and 96.
    pub unavailable: u64,
    /// Answers a second, thousandths.
    pub per_s_milli: u64,
    /// The p99 of their latency, ms; 0 without any.
    pub p99_ms: u32,
}

impl WindowView {
    /// Approved of all, of 10,000; none without payments.
    pub fn approved_of_10_000(&self) -> Option<u64> {
        let all = self.approved.saturating_add(self.declined);
        self.approved.saturating_mul(10_000).checked_div(all)
    }
}

/// A business day, synthetic payments left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DayView {
    /// YYYY-MM-DD.
    pub date: String,
    /// Posted.
    pub approved: u64,
    /// Refused, by us or the issuer, 91 included.
    pub declined: u64,
    /// Those of the declined that were 91.
    pub unavailable: u64,
    /// Reversals that counted.
    pub reversed: u64,
    /// What was posted, decimal.
    pub amount: String,
    /// What went back, decimal.
    pub returned: String,
}

/// A station, as the hub or it itself sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StationView {
    /// Its name.
    pub name: String,
    /// Its fires.
    pub fires: FiresView,
    /// Terminals connected; none where nothing was heard.
    pub terminals_online: Option<u64>,
    /// Terminals of the register.
    pub terminals: u64,
    /// Its trunk.
    pub trunk: TrunkView,
    /// The last minute at its terminals; none where nothing was heard.
    pub window: Option<WindowView>,
    /// What it owes the hub.
    pub saf_depth: Option<u64>,
    /// For how long the oldest, s.
    pub saf_oldest_s: Option<u64>,
    /// How long ago it last spoke, ms; none if never.
    pub silent_ms: Option<u64>,
}

/// A station's synthetic payments (R-FIRES).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProbeView {
    /// DE41 of the probe terminal; none if the station has none.
    pub terminal: Option<String>,
    /// Cards that it makes them with.
    pub cards: u64,
    /// How long ago one last succeeded, ms.
    pub succeeded_ms: Option<u64>,
    /// The issuer of the last one and what it was answered, if it failed.
    pub failed: Option<String>,
}

/// A trunk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrunkView {
    /// `up`, `suspect` or `cut`.
    pub state: &'static str,
    /// Connections.
    pub connections: u64,
    /// Frames that the other side has not acknowledged.
    pub unacknowledged: u64,
    /// The epoch in force.
    pub epoch: u64,
}

/// A bank, its link and its position.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BankView {
    /// DE32.
    pub id: String,
    /// Its name.
    pub title: String,
    /// `signed_on` or `down`.
    pub state: &'static str,
    /// Signed-on connections.
    pub connections: u64,
    /// Net position, decimal, signed.
    pub net_position: String,
    /// Net debit cap, decimal.
    pub cap: String,
    /// What new holds may still take, decimal.
    pub room: String,
    /// Held for payments under way, decimal.
    pub held: String,
    /// The part of the cap that is in use, of 10,000; 0 with a credit position.
    pub cap_used: u64,
    /// Advices that it has not acknowledged.
    pub advices: u64,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FindingView {
    /// Its record.
    pub record: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: &'static str,
    /// Which payment.
    pub payment: Option<String>,
    /// Which participant.
    pub participant: Option<String>,
}

/// A trunk's other side and whether it is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerView {
    /// Its name or number.
    pub name: String,
    /// `up`, `suspect` or `cut`.
    pub state: &'static str,
    /// Connections.
    pub connections: u64,
}

/// An account (`docs/formats/ledger.md`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Participant, or the nation for `settlement`.
    pub owner: String,
    /// `position`, `cap`, ...
    pub kind: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// Decimal string.
    pub debits_pending: String,
    /// Decimal string.
    pub debits_posted: String,
    /// Decimal string.
    pub credits_pending: String,
    /// Decimal string.
    pub credits_posted: String,
    /// Credits posted less debits posted.
    pub balance: String,
}

/// A payment (interfaces: `bongsu ledger payment`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentView {
    /// DE37.
    pub rrn: String,
    /// `posted`, `voided`, `reversed`, `declined` or `pending`.
    pub status: &'static str,
    /// `purchase`, ...
    pub kind: &'static str,
    /// Decimal string.
    pub amount: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// DE39.
    pub response_code: String,
    /// DE44 of our refusal or the issuer's, if any.
    pub text: Option<String>,
    /// DE38, if approved.
    pub approval_code: Option<String>,
    /// DE11, six digits.
    pub stan: String,
    /// Station's name; none for an acquirer's host.
    pub station: Option<String>,
    /// DE41.
    pub terminal: String,
    /// DE42.
    pub retailer: String,
    /// DE32.
    pub acquirer: String,
    /// The issuer, where known.
    pub issuer: Option<String>,
    /// First eight digits, stars, last four.
    pub card: Option<String>,
    /// YYYY-MM-DD.
    pub business_date: String,
    /// Settlement cycle.
    pub cycle: u32,
    /// Whether a station or the hub stood in for the issuer.
    pub stand_in: bool,
    /// Whether it is synthetic, and in no total (R-FIRES).
    pub synthetic: bool,
    /// Decimal string.
    pub returned: String,
    /// Whether the issuer has acknowledged the reversal.
    pub reversal_acknowledged: bool,
    /// When the hub took it in.
    pub at: Timestamp,
    /// The payment's id, 32 hexadecimal digits.
    pub id: String,
}
