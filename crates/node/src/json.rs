//! The JSON shapes that scripts rely on (interfaces: "JSON shapes"). Amounts are decimal strings,
//! ids are strings; keys are added, never renamed.

mod standing;
mod story;

use host::view::{AccountView, ChangeView, PaymentView};
use serde::Serialize;

pub use standing::{
    BankJson, DayJson, FindingJson, LinkJson, MinuteJson, OverviewJson, PeerJson, StationJson,
    StationsJson, TrunkJson,
};
pub use story::{MoveJson, StepJson, StoryJson};

/// `GET /api/v1/accounts`, `bongsu ledger accounts`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccountsJson {
    /// All accounts.
    pub accounts: Vec<AccountJson>,
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccountJson {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Participant, or the nation.
    pub owner: String,
    /// `position`, `cap`, ...
    pub kind: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// Decimal.
    pub debits_pending: String,
    /// Decimal.
    pub debits_posted: String,
    /// Decimal.
    pub credits_pending: String,
    /// Decimal.
    pub credits_posted: String,
    /// Credits posted less debits posted.
    pub balance: String,
}

/// `GET /api/v1/payments`, `bongsu ledger payment`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PaymentsJson {
    /// Newest first.
    pub payments: Vec<PaymentJson>,
    /// `cursor` of the next page; null when this is the last one.
    pub next: Option<String>,
    /// False if history could not be read: older payments may be missing.
    pub complete: bool,
}

/// A payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PaymentJson {
    /// DE37.
    pub rrn: String,
    /// `posted`, `voided`, `reversed`, `declined`, `pending`.
    pub status: &'static str,
    /// `purchase`, ...
    pub kind: &'static str,
    /// Decimal.
    pub amount: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// DE39.
    pub response_code: String,
    /// DE44, if any.
    pub text: Option<String>,
    /// DE38, if approved.
    pub approval_code: Option<String>,
    /// DE11, six digits.
    pub stan: String,
    /// Station's name; null for an acquirer's host.
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
    /// Whether somebody stood in for the issuer.
    pub stand_in: bool,
    /// Whether it is synthetic: a station's probe of the whole path, in no total.
    pub synthetic: bool,
    /// Decimal.
    pub returned: String,
    /// Whether the issuer has acknowledged the reversal.
    pub reversal_acknowledged: bool,
    /// RFC 3339, UTC.
    pub at: String,
    /// 32 hexadecimal digits.
    pub id: String,
}

/// `GET /book` of a simulated bank, `bongsu bank ID book`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BankBook {
    /// By number.
    pub accounts: Vec<BookAccount>,
}

/// An account of a simulated bank.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BookAccount {
    /// Nine digits.
    pub account: String,
    /// Decimal, signed.
    pub balance: String,
    /// Oldest first.
    pub entries: Vec<BookEntry>,
}

/// A line of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BookEntry {
    /// DE11 as the hub sent it, six digits.
    pub stan: String,
    /// DE37.
    pub rrn: String,
    /// DE32; null where it was absent.
    pub acquirer: Option<String>,
    /// DE41.
    pub terminal: String,
    /// Decimal, signed: what was added to the balance.
    pub amount: String,
    /// `purchase`, `cash`, `cashback`, `refund`, `reversal`, `refill`.
    pub kind: &'static str,
    /// RFC 3339, UTC.
    pub at: String,
}

/// `GET /api/v1/overview` of the simulated shops: all of them together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ShopTotals {
    /// Shops.
    pub shops: u64,
    /// Payments begun.
    pub started: u64,
    /// Payments that the schedule wanted and that could not start.
    pub skipped: u64,
    /// Approved.
    pub approved: u64,
    /// Declined.
    pub declined: u64,
    /// Walked away from.
    pub unknown: u64,
    /// Reversals acknowledged.
    pub reversed: u64,
    /// 0201 sent.
    pub repeats: u64,
    /// 0420 and 0421 sent.
    pub reversals: u64,
    /// Answers that fit no waiting payment.
    pub unmatched: u64,
    /// Connections closed because of bytes that are no message.
    pub malformed: u64,
    /// Payments that wait for their first answer.
    pub unanswered: u64,
}

/// `POST /api/v1/config/diff` and `apply`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChangeJson {
    /// Where the file differed from the journal, a line each.
    pub difference: Vec<String>,
    /// What can't be changed so, a line each.
    pub refused: Vec<String>,
    /// Records that were journalled.
    pub records: u64,
}

impl From<ChangeView> for ChangeJson {
    fn from(view: ChangeView) -> Self {
        let ChangeView { difference, refused, records } = view;
        Self { difference, refused, records }
    }
}

impl From<AccountView> for AccountJson {
    fn from(view: AccountView) -> Self {
        Self {
            id: view.id,
            owner: view.owner,
            kind: view.kind,
            currency: view.currency,
            debits_pending: view.debits_pending,
            debits_posted: view.debits_posted,
            credits_pending: view.credits_pending,
            credits_posted: view.credits_posted,
            balance: view.balance,
        }
    }
}

impl From<PaymentView> for PaymentJson {
    fn from(view: PaymentView) -> Self {
        Self {
            rrn: view.rrn,
            status: view.status,
            kind: view.kind,
            amount: view.amount,
            currency: view.currency,
            response_code: view.response_code,
            text: view.text,
            approval_code: view.approval_code,
            stan: view.stan,
            station: view.station,
            terminal: view.terminal,
            retailer: view.retailer,
            acquirer: view.acquirer,
            issuer: view.issuer,
            card: view.card,
            business_date: view.business_date,
            cycle: view.cycle,
            stand_in: view.stand_in,
            synthetic: view.synthetic,
            returned: view.returned,
            reversal_acknowledged: view.reversal_acknowledged,
            at: view.at.to_string(),
            id: view.id,
        }
    }
}
