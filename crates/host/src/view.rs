//! What a role shows of itself: plain values, filled from durable state, for pages, commands and
//! metrics. Amounts are decimal strings in the nation's currency.

use scheme::{BusinessDate, TerminalId, Timestamp};

/// What may be asked of a running role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Totals.
    Overview,
    /// Every account.
    Accounts,
    /// Payments that fit, newest first.
    Payments(PaymentFilter),
    /// Counters for `/metrics`.
    Metrics,
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
    /// At most so many.
    pub limit: usize,
}

/// The answer to a [`Query`].
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// To `Overview`.
    Overview(Overview),
    /// To `Accounts`.
    Accounts(Vec<AccountView>),
    /// To `Payments`.
    Payments(Vec<PaymentView>),
    /// To `Metrics`: name, labels in Prometheus form (without braces, empty if none), value.
    Metrics(Vec<Metric>),
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
    pub banks: Vec<PeerView>,
}

/// One peer and whether it is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerView {
    /// Its name or number.
    pub name: String,
    /// `up`, `suspect` or `cut` for a trunk; `signed_on` or `down` for a bank.
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
    /// Decimal string.
    pub returned: String,
    /// Whether the issuer has acknowledged the reversal.
    pub reversal_acknowledged: bool,
    /// When the hub took it in.
    pub at: Timestamp,
    /// The payment's id, 32 hexadecimal digits.
    pub id: String,
}
