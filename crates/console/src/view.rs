//! What pages show, as plain values. Amounts are decimal strings, times RFC 3339 in UTC.

/// What stands around every page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// The nation's name.
    pub nation: String,
    /// `hub`, or the station's name.
    pub role: String,
    /// Version of the program.
    pub version: String,
    /// When what is shown was true.
    pub at: String,
    /// Seconds after which the page asks anew.
    pub refresh_s: Option<u32>,
}

/// Beacon fires and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fires {
    /// 0 to 5.
    pub number: u8,
    /// Names of the reasons, the deciding one first.
    pub reasons: Vec<&'static str>,
}

/// Sixty seconds of payments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Approved.
    pub approved: u64,
    /// Answered otherwise.
    pub declined: u64,
    /// Those of the declined that were 91 or 96.
    pub unavailable: u64,
    /// Answers a second, decimal.
    pub per_s: String,
    /// Approved of all, percent; none without payments.
    pub approval: Option<String>,
    /// The p99 of the latency, ms.
    pub p99_ms: u32,
}

/// A minute of payments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Minute {
    /// When it began.
    pub at: String,
    /// Approved.
    pub approved: u64,
    /// Declined, 91 and 96 apart.
    pub declined: u64,
    /// 91 and 96.
    pub unavailable: u64,
}

/// A business day.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Day {
    /// YYYY-MM-DD.
    pub date: String,
    /// Its settlement cycle.
    pub cycle: u32,
    /// Approved.
    pub approved: u64,
    /// Declined.
    pub declined: u64,
    /// Reversed.
    pub reversed: u64,
    /// What was posted.
    pub amount: String,
    /// What went back.
    pub returned: String,
}

/// A station.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Station {
    /// Its name.
    pub name: String,
    /// Its fires.
    pub fires: Fires,
    /// Terminals connected, if known.
    pub online: Option<u64>,
    /// Terminals of the register.
    pub terminals: u64,
    /// `up`, `suspect`, `cut`.
    pub trunk: &'static str,
    /// Frames that the other side has not acknowledged.
    pub unacknowledged: u64,
    /// The last minute, if known.
    pub window: Option<Window>,
    /// Items owed to the hub, if known.
    pub saf_depth: Option<u64>,
    /// Age of the oldest, s.
    pub saf_oldest_s: Option<u64>,
    /// How long ago it last spoke, ms; none if never.
    pub silent_ms: Option<u64>,
}

/// A bank.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bank {
    /// DE32.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Whether it is signed on.
    pub signed_on: bool,
    /// Signed-on connections.
    pub connections: u64,
    /// Net position.
    pub net_position: String,
    /// Net debit cap.
    pub cap: String,
    /// Held for payments under way.
    pub held: String,
    /// What new holds may take.
    pub room: String,
    /// The part of the cap in use, of 10,000.
    pub cap_used: u64,
    /// Advices not acknowledged.
    pub advices: u64,
}

/// A payment in a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payment {
    /// 32 hexadecimal digits.
    pub id: String,
    /// DE37.
    pub rrn: String,
    /// DE11.
    pub stan: String,
    /// When the hub took it in.
    pub at: String,
    /// `posted`, `voided`, ...
    pub status: &'static str,
    /// `purchase`, ...
    pub kind: &'static str,
    /// The amount.
    pub amount: String,
    /// ISO 4217 letters.
    pub currency: String,
    /// DE39; empty while it is pending.
    pub code: String,
    /// DE44.
    pub text: Option<String>,
    /// DE38.
    pub approval: Option<String>,
    /// The station's name, if it came through one.
    pub station: Option<String>,
    /// DE41.
    pub terminal: String,
    /// DE42.
    pub retailer: String,
    /// The acquirer's name and DE32.
    pub acquirer: (String, String),
    /// The issuer's name and code, if known.
    pub issuer: Option<(String, String)>,
    /// First eight digits, stars, last four.
    pub card: Option<String>,
    /// Business date.
    pub business_date: String,
    /// Settlement cycle.
    pub cycle: u32,
    /// What went back.
    pub returned: String,
    /// Whether anything went back.
    pub has_returned: bool,
    /// Whether the issuer has acknowledged the reversal.
    pub reversal_acknowledged: bool,
    /// Whether it is synthetic: a station's probe, in no total.
    pub synthetic: bool,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Finding {
    /// Its record.
    pub record: u64,
    /// When.
    pub at: String,
    /// Its kind.
    pub kind: &'static str,
    /// Which payment.
    pub payment: Option<String>,
    /// Which participant.
    pub participant: Option<String>,
}

/// What is known of a role's machine; none is not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Free space, percent.
    pub disk_free_percent: Option<u8>,
    /// Days of the certificate; the inner is none where channels are plain.
    pub certificate_days: Option<Option<i64>>,
    /// How far the clock is off, ms.
    pub clock_off_ms: u64,
}

/// The hub's front page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overview {
    /// Around it.
    pub frame: Frame,
    /// The nation's fires.
    pub fires: Fires,
    /// ISO 4217 letters.
    pub currency: String,
    /// The last minute.
    pub window: Window,
    /// The last minutes, oldest first.
    pub minutes: Vec<Minute>,
    /// The business day.
    pub day: Day,
    /// Payments under way.
    pub in_flight: u64,
    /// Advices owed to banks.
    pub owed: u64,
    /// Records in the journal.
    pub records: u64,
    /// The most urgent first.
    pub stations: Vec<Station>,
    /// Banks.
    pub banks: Vec<Bank>,
    /// The latest payments, newest first.
    pub latest: Vec<Payment>,
    /// Findings of all kinds.
    pub findings: u64,
    /// By kind.
    pub findings_by_kind: Vec<(&'static str, u64)>,
    /// The latest, newest first.
    pub latest_findings: Vec<Finding>,
    /// The hub's machine.
    pub health: Health,
}

/// A station's synthetic payments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Probe {
    /// It makes none: no terminal or no card is there for them.
    #[default]
    Absent,
    /// None has been answered yet.
    Expected,
    /// The last one succeeded so long ago, ms.
    Succeeded(u64),
    /// The last one failed: what it was answered.
    Failed(String),
}

/// A station's own page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnPage {
    /// Around it.
    pub frame: Frame,
    /// The station.
    pub station: Station,
    /// The last minutes.
    pub minutes: Vec<Minute>,
    /// Requests on the trunk.
    pub in_flight: u64,
    /// Records in its journal.
    pub records: u64,
    /// Epoch of its trunk.
    pub epoch: u64,
    /// Its synthetic payments.
    pub probe: Probe,
    /// Its machine.
    pub health: Health,
}

/// What a list of payments was asked for, as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// DE37.
    pub rrn: String,
    /// DE11.
    pub stan: String,
    /// DE41.
    pub terminal: String,
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub to: String,
}

/// A list of payments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PaymentList {
    /// Around it.
    pub frame: Frame,
    /// What was asked for.
    pub filters: Filters,
    /// Newest first.
    pub payments: Vec<Payment>,
    /// The query of the next page, if there is one.
    pub next: Option<String>,
    /// Whether older payments may be missing, because history could not be read.
    pub incomplete: bool,
}

/// What happened in a step of a payment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StepKind {
    /// Our first hop took it in.
    Received,
    /// Held; the issuer is asked.
    Opened,
    /// Refused by us.
    Refused,
    /// A pre-authorisation was approved.
    Held,
    /// Approved and posted.
    Posted,
    /// Declined by the issuer.
    Declined,
    /// No usable answer.
    Voided,
    /// Completed.
    Completed,
    /// Completed after its hold had expired.
    CompletedLate,
    /// Reversed.
    Reversed,
    /// Reversed while it was under way.
    ReversedInFlight,
    /// A refund of it.
    Refund,
    /// An advice was acknowledged.
    Acknowledged,
    /// A finding.
    Finding,
}

/// Money that moved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Move {
    /// `hold`, `post`, `void`, `return`, `completion`.
    pub leg: &'static str,
    /// Account that is debited.
    pub debit: String,
    /// Account that is credited.
    pub credit: String,
    /// How much.
    pub amount: String,
}

/// A step of a payment's story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What.
    pub kind: StepKind,
    /// When.
    pub at: String,
    /// How long after the first step, ms.
    pub after_ms: u64,
    /// Journal record and frame, if it is one.
    pub record: Option<(u64, u64)>,
    /// DE39 where one was given.
    pub code: Option<String>,
    /// DE44 where one was given.
    pub text: Option<String>,
    /// DE38 where one was given.
    pub approval: Option<String>,
    /// An amount where one was given.
    pub amount: Option<String>,
    /// Another payment that it names.
    pub other: Option<String>,
    /// The kind of a finding.
    pub finding: Option<&'static str>,
    /// DE11 and DE7 towards the issuer.
    pub trace: Option<(String, String)>,
    /// What moved.
    pub moves: Vec<Move>,
}

/// A payment's story.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Story {
    /// Around it.
    pub frame: Frame,
    /// Where it stands.
    pub payment: Payment,
    /// Oldest first.
    pub steps: Vec<Step>,
    /// Whether the whole journal was read for it.
    pub complete: bool,
    /// The payment that this one refunds.
    pub refunds: Option<String>,
}

/// What went wrong, for a person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trouble {
    /// Around it.
    pub frame: Frame,
    /// HTTP status.
    pub status: u16,
    /// What.
    pub message: String,
    /// Where.
    pub place: String,
    /// What to do.
    pub remedy: String,
}
