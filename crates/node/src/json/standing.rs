//! How a role stands, as JSON: `GET /api/v1/overview` and `GET /api/v1/stations`.

use host::fires::{Known, state};
use host::view::{
    BankView, DayView, FindingView, FiresView, MinuteView, Overview, PeerView, StationView,
    TrunkView, WindowView,
};
use serde::Serialize;

/// `GET /api/v1/overview`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OverviewJson {
    /// The nation's name.
    pub nation: String,
    /// `hub`, or the station's name.
    pub role: String,
    /// RFC 3339, UTC: when all this was true.
    pub at: String,
    /// 0 to 5: the role's own; at the hub the nation's, the first in the order 0, 5, 4, 3, 2, 1.
    pub fires: u8,
    /// The word for it.
    pub state: &'static str,
    /// Why, the deciding one first.
    pub reasons: Vec<&'static str>,
    /// ISO 4217 letters.
    pub currency: String,
    /// Hub: YYYY-MM-DD; null at a station, which knows of no business day.
    pub business_date: Option<String>,
    /// Settlement cycle.
    pub cycle: u32,
    /// Epoch.
    pub epoch: u64,
    /// Records in the journal.
    pub records: u64,
    /// Payments under way.
    pub in_flight: u64,
    /// Approved since the role started.
    pub approved: u64,
    /// Declined since the role started.
    pub declined: u64,
    /// Refused without a record since the role started.
    pub refused: u64,
    /// Terminals connected, as far as stations say so.
    pub terminals_online: u64,
    /// Payments answered a second, over the last minute.
    pub payments_per_s: f64,
    /// Approved of all in the last minute, 0 to 1; null without payments.
    pub approval_rate: Option<f64>,
    /// The p99 of the last minute, ms.
    pub p99_ms: u32,
    /// Advices or reversals owed and not acknowledged.
    pub saf_depth: u64,
    /// Findings of all kinds.
    pub findings: u64,
    /// Hub: stations. Station: the hub.
    pub peers: Vec<PeerJson>,
    /// Hub: all stations, the most urgent first. Station: itself.
    pub stations: Vec<StationJson>,
    /// Hub: banks.
    pub banks: Vec<BankJson>,
    /// The last minutes, oldest first.
    pub minutes: Vec<MinuteJson>,
    /// Hub: the business day; null at a station.
    pub day: Option<DayJson>,
    /// Hub: the last findings since the role started, newest first.
    pub latest_findings: Vec<FindingJson>,
    /// Free space of the journal's disk, percent; null if not known.
    pub disk_free_percent: Option<u8>,
    /// Days that the certificate is still good; null if not known or if there is none.
    pub certificate_days: Option<i64>,
    /// How far the clock is off, ms.
    pub clock_off_ms: u64,
}

/// `GET /api/v1/stations`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StationsJson {
    /// The most urgent first: 0, 5, 4, 3, 2, 1 fires.
    pub stations: Vec<StationJson>,
}

/// A station.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StationJson {
    /// Its name.
    pub name: String,
    /// 0 to 5.
    pub fires: u8,
    /// `well`, `watch`, `impaired`, `isolated`, `down`, `dark`.
    pub state: &'static str,
    /// Why, the deciding one first.
    pub reasons: Vec<&'static str>,
    /// Terminals connected; null where nothing was heard, as all below.
    pub terminals_online: Option<u64>,
    /// Terminals of the register.
    pub terminals: u64,
    /// The banks' links that it depends on; none at the station's own page.
    pub links: Vec<LinkJson>,
    /// Its trunk.
    pub trunk: TrunkJson,
    /// Payments answered a second, over the last minute.
    pub payments_per_s: Option<f64>,
    /// Approved of all in the last minute, 0 to 1; null without payments.
    pub approval_rate: Option<f64>,
    /// The p99 of the last minute, ms.
    pub p99_ms: Option<u32>,
    /// Reversals and advices that it owes the hub.
    pub saf_depth: Option<u64>,
    /// For how long the oldest, s.
    pub saf_oldest_s: Option<u64>,
    /// How long ago it last spoke, ms; null if never.
    pub silent_ms: Option<u64>,
}

/// A trunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrunkJson {
    /// `up`, `suspect`, `cut`.
    pub state: &'static str,
    /// Connections.
    pub connections: u64,
    /// Frames that the other side has not acknowledged.
    pub unacknowledged: u64,
    /// The epoch in force.
    pub epoch: u64,
}

/// A bank's link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkJson {
    /// DE32.
    pub name: String,
    /// `signed_on`, `down`.
    pub state: &'static str,
    /// Signed-on connections.
    pub connections: u64,
}

/// One peer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PeerJson {
    /// Its name.
    pub name: String,
    /// `up`, `suspect`, `cut`.
    pub state: &'static str,
    /// Connections.
    pub connections: u64,
}

/// A bank, its link and its position.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BankJson {
    /// DE32.
    pub name: String,
    /// Its name in words.
    pub title: String,
    /// `signed_on`, `down`.
    pub state: &'static str,
    /// Signed-on connections.
    pub connections: u64,
    /// Decimal, signed.
    pub net_position: String,
    /// Decimal.
    pub cap: String,
    /// What new holds may still take, decimal.
    pub room: String,
    /// Decimal.
    pub held: String,
    /// Advices that it has not acknowledged.
    pub advices: u64,
}

/// A minute of payments that have ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MinuteJson {
    /// RFC 3339, UTC: when it began.
    pub at: String,
    /// 00.
    pub approved: u64,
    /// Neither 00 nor 91 nor 96.
    pub declined: u64,
    /// 91 and 96.
    pub unavailable: u64,
}

/// A business day.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DayJson {
    /// YYYY-MM-DD.
    pub date: String,
    /// Posted.
    pub approved: u64,
    /// Refused.
    pub declined: u64,
    /// Reversals that counted.
    pub reversed: u64,
    /// What was posted, decimal.
    pub amount: String,
    /// What went back, decimal.
    pub returned: String,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FindingJson {
    /// Its journal record.
    pub record: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// What.
    pub kind: &'static str,
    /// Which payment.
    pub payment: Option<String>,
    /// Which participant.
    pub participant: Option<String>,
}

impl From<&Overview> for OverviewJson {
    fn from(view: &Overview) -> Self {
        Self {
            nation: view.nation.clone(),
            role: view.role.clone(),
            at: view.at.to_string(),
            fires: view.fires.number,
            state: state(view.fires.number),
            reasons: reasons(&view.fires),
            currency: view.currency.clone(),
            business_date: (!view.business_date.is_empty()).then(|| view.business_date.clone()),
            cycle: view.cycle,
            epoch: view.epoch,
            records: view.records,
            in_flight: view.in_flight,
            approved: view.approved,
            declined: view.declined,
            refused: view.refused,
            terminals_online: view.stations.iter().filter_map(|s| s.terminals_online).sum(),
            payments_per_s: per_s(&view.window),
            approval_rate: approval_rate(&view.window),
            p99_ms: view.window.p99_ms,
            saf_depth: view.saf_depth,
            findings: view.findings,
            peers: view.peers.iter().map(PeerJson::from).collect(),
            stations: StationsJson::from(view).stations,
            banks: view.banks.iter().map(BankJson::from).collect(),
            minutes: view.minutes.iter().map(MinuteJson::from).collect(),
            day: (!view.day.date.is_empty()).then(|| DayJson::from(&view.day)),
            latest_findings: view.latest_findings.iter().map(FindingJson::from).collect(),
            disk_free_percent: is(view.health.disk_free_percent),
            certificate_days: is(view.health.certificate_days),
            clock_off_ms: view.clock_off_ms,
        }
    }
}

impl From<&Overview> for StationsJson {
    fn from(view: &Overview) -> Self {
        let links: Vec<_> = view.banks.iter().map(LinkJson::from).collect();
        let with_links =
            |station| StationJson { links: links.clone(), ..StationJson::from(station) };
        Self { stations: view.stations.iter().map(with_links).collect() }
    }
}

impl From<&StationView> for StationJson {
    fn from(view: &StationView) -> Self {
        let window = view.window.as_ref();
        Self {
            name: view.name.clone(),
            fires: view.fires.number,
            state: state(view.fires.number),
            reasons: reasons(&view.fires),
            terminals_online: view.terminals_online,
            terminals: view.terminals,
            links: Vec::new(),
            trunk: TrunkJson::from(&view.trunk),
            payments_per_s: window.map(per_s),
            approval_rate: window.and_then(approval_rate),
            p99_ms: window.map(|window| window.p99_ms),
            saf_depth: view.saf_depth,
            saf_oldest_s: view.saf_oldest_s,
            silent_ms: view.silent_ms,
        }
    }
}

impl From<&TrunkView> for TrunkJson {
    fn from(view: &TrunkView) -> Self {
        let TrunkView { state, connections, unacknowledged, epoch } = *view;
        Self { state, connections, unacknowledged, epoch }
    }
}

impl From<&BankView> for LinkJson {
    fn from(view: &BankView) -> Self {
        Self { name: view.id.clone(), state: view.state, connections: view.connections }
    }
}

impl From<&PeerView> for PeerJson {
    fn from(view: &PeerView) -> Self {
        Self { name: view.name.clone(), state: view.state, connections: view.connections }
    }
}

impl From<&BankView> for BankJson {
    fn from(view: &BankView) -> Self {
        Self {
            name: view.id.clone(),
            title: view.title.clone(),
            state: view.state,
            connections: view.connections,
            net_position: view.net_position.clone(),
            cap: view.cap.clone(),
            room: view.room.clone(),
            held: view.held.clone(),
            advices: view.advices,
        }
    }
}

impl From<&MinuteView> for MinuteJson {
    fn from(view: &MinuteView) -> Self {
        let MinuteView { at, approved, declined, unavailable } = *view;
        Self { at: at.to_string(), approved, declined, unavailable }
    }
}

impl From<&DayView> for DayJson {
    fn from(view: &DayView) -> Self {
        Self {
            date: view.date.clone(),
            approved: view.approved,
            declined: view.declined,
            reversed: view.reversed,
            amount: view.amount.clone(),
            returned: view.returned.clone(),
        }
    }
}

impl From<&FindingView> for FindingJson {
    fn from(view: &FindingView) -> Self {
        Self {
            record: view.record,
            at: view.at.to_string(),
            kind: view.kind,
            payment: view.payment.clone(),
            participant: view.participant.clone(),
        }
    }
}

fn reasons(fires: &FiresView) -> Vec<&'static str> {
    fires.reasons.iter().map(|reason| reason.name()).collect()
}

fn is<T>(known: Known<T>) -> Option<T> {
    match known {
        Known::Is(value) => Some(value),
        Known::NotKnown | Known::NotHere => None,
    }
}

/// Thousandths are exact in a float far beyond any rate.
fn per_s(window: &WindowView) -> f64 {
    u32::try_from(window.per_s_milli).map_or(f64::MAX, |milli| f64::from(milli) / 1000.0)
}

fn approval_rate(window: &WindowView) -> Option<f64> {
    let share = u32::try_from(window.approved_of_10_000()?).ok()?;
    Some(f64::from(share) / 10_000.0)
}
