//! What the hub shows of itself.

use ledger::{Account, chart};
use scheme::{Amount, PaymentKind};
use switch::business::Directory;
use switch::hub::{Count, Payment, Status};
use switch::station::TrunkState;

use super::HubRole;
use super::standing::{minute_views, window_view};
use crate::fires::urgency;
use crate::pipeline::JournalNow;
use crate::view::{
    AccountView, FiresView, Metric, Overview, PaymentView, PeerView, Query, Reply, StationView,
};

impl HubRole {
    pub(crate) fn query(&self, query: &Query, journal: JournalNow) -> Reply {
        match query {
            Query::Overview => Reply::Overview(self.overview(journal)),
            Query::Accounts => Reply::Accounts(self.accounts()),
            // Either may change something, or wait, so the host takes it elsewhere.
            Query::Payments(_) | Query::Change(_) => Reply::NotHere,
            Query::Metrics => Reply::Metrics(self.metrics(journal)),
        }
    }

    fn overview(&self, journal: JournalNow) -> Overview {
        let state = self.hub.state();
        let directory = state.directory();
        let mut stations = self.stations();
        let peers = stations.iter().map(peer).collect();
        // A stable sort: stations alike stay in the order of their numbers.
        stations.sort_by_key(|station| urgency(station.fires.number));
        let banks_down = self.banks_down();
        let own = crate::fires::judge(&self.own_facts(journal.no_room, banks_down));
        let fires = stations.iter().map(|station| &station.fires);
        let own = FiresView::from(own);
        let worst = fires.chain([&own]).min_by_key(|fires| urgency(fires.number)).cloned();
        Overview {
            nation: directory.name.clone(),
            role: "hub".to_owned(),
            currency: directory.currency.alpha().to_owned(),
            business_date: state.business_date().to_string(),
            cycle: state.cycle(),
            epoch: state.epoch(),
            records: journal.records,
            in_flight: self.hub.in_flight() as u64,
            approved: self
                .counted(|count| *count == Count::Approved)
                .saturating_sub(self.synthetic.approved),
            declined: self
                .counted(|count| *count == Count::Declined)
                .saturating_sub(self.synthetic.not_approved()),
            refused: self.counted(|count| matches!(count, Count::Refused(_))),
            saf_depth: state.advice_count() as u64,
            findings: state.findings().values().sum(),
            peers,
            banks: self.bank_views(),
            fires: worst.unwrap_or_default(),
            window: window_view(&self.beacon.traffic.window(self.now)),
            minutes: minute_views(&self.beacon.traffic, self.now),
            day: self.day.view(directory.currency),
            stations,
            findings_by_kind: state.findings().iter().map(|(k, n)| (k.name(), *n)).collect(),
            latest_findings: self.findings.iter().rev().cloned().collect(),
            health: self.beacon.health,
            clock_off_ms: self.beacon.clock_off_ms(),
            at: self.now,
            probe: None,
        }
    }

    fn accounts(&self) -> Vec<AccountView> {
        let directory = self.hub.state().directory();
        self.books.accounts().into_iter().map(|account| account_view(&account, directory)).collect()
    }

    pub(super) fn payment_view(&self, payment: &Payment) -> PaymentView {
        let state = self.hub.state();
        payment_view(payment, state, state.flows().posted(payment), self.is_synthetic(payment))
    }

    fn metrics(&self, journal: JournalNow) -> Vec<Metric> {
        let overview = self.overview(journal);
        let mut metrics = vec![
            counter("bongsu_payments_approved_total", "Approved since start", overview.approved),
            counter("bongsu_payments_declined_total", "Declined since start", overview.declined),
            counter("bongsu_journal_records_total", "Records in the journal", journal.records),
            counter(
                "bongsu_answers_dropped_total",
                "Answers that no connection could take since start",
                self.answers_dropped,
            ),
            counter(
                "bongsu_bad_macs_total",
                "Messages of banks without a MAC that holds, since start",
                self.bad_macs,
            ),
            gauge("bongsu_payments_in_flight", "Payments under way", overview.in_flight),
            gauge("bongsu_advices_owed", "Advices not acknowledged", overview.saf_depth),
            gauge("bongsu_findings", "Findings of all kinds", overview.findings),
        ];
        for (count, value) in &self.counts {
            if let Count::Refused(reason) = count {
                let code = reason.response_code();
                let labels = format!("code=\"{code}\",reason=\"{}\"", reason.text());
                let help = "Refusals without a record, since start";
                let name = "bongsu_refused_total";
                metrics.push(Metric { name, help, counter: true, labels, value: *value });
            }
        }
        for bank in &overview.banks {
            let labels = format!("bank=\"{}\"", bank.id);
            let help = "Signed-on connections of a bank";
            let name = "bongsu_bank_lines";
            metrics.push(Metric { name, help, counter: false, labels, value: bank.connections });
        }
        for station in &overview.stations {
            let labels = format!("station=\"{}\"", station.name);
            let help = "Beacon fires of a station: 0 dark, 1 well, 5 down";
            let value = u64::from(station.fires.number);
            let name = "bongsu_fires";
            metrics.push(Metric { name, help, counter: false, labels, value });
        }
        for station in &overview.peers {
            let labels = format!("station=\"{}\"", station.name);
            let help = "Whether a station's trunk is up";
            let value = u64::from(station.state == "up");
            let name = "bongsu_trunk_up";
            metrics.push(Metric { name, help, counter: false, labels, value });
        }
        metrics
    }
}

fn peer(station: &StationView) -> PeerView {
    let (state, connections) = (station.trunk.state, station.trunk.connections);
    PeerView { name: station.name.clone(), state, connections }
}

pub(crate) fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, counter: true, labels: String::new(), value }
}

pub(crate) fn gauge(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, help, counter: false, labels: String::new(), value }
}

pub(crate) fn trunk_state(state: TrunkState) -> &'static str {
    match state {
        TrunkState::Up { .. } => "up",
        TrunkState::Suspect => "suspect",
        TrunkState::Cut => "cut",
    }
}

pub(crate) fn account_view(account: &Account, directory: &Directory) -> AccountView {
    let currency = directory.currency;
    let show = |minor: u128| currency.format(i128::try_from(minor).unwrap_or(i128::MAX));
    let name = chart::AccountName::of(account.id);
    let owner = match name.and_then(|name| owner(&name, directory)) {
        Some(owner) => owner,
        None => directory.name.clone(),
    };
    let posted = |minor: u128| i128::try_from(minor).unwrap_or(i128::MAX);
    let balance = posted(account.credits_posted).saturating_sub(posted(account.debits_posted));
    AccountView {
        id: format!("{:032x}", account.id),
        owner,
        kind: name.map_or("other", |name| name.kind.name()).to_owned(),
        currency: currency.alpha().to_owned(),
        debits_pending: show(account.debits_pending),
        debits_posted: show(account.debits_posted),
        credits_pending: show(account.credits_pending),
        credits_posted: show(account.credits_posted),
        balance: currency.format(balance),
    }
}

/// `100001`, or `100001@nampo` of an escrow; none for the currency's own account.
fn owner(name: &chart::AccountName, directory: &Directory) -> Option<String> {
    let participant = name.participant?;
    Some(match name.station {
        Some(station) => match directory.stations.get(&station) {
            Some(known) => format!("{participant}@{}", known.name),
            None => format!("{participant}@{}", station.0),
        },
        None => participant.to_string(),
    })
}

/// An account as the rule book writes it (R-ACCOUNTS): `position:100001`, `escrow:100001@nampo`,
/// `settlement`.
pub(crate) fn account_name(id: u128, directory: &Directory) -> String {
    let Some(name) = chart::AccountName::of(id) else { return format!("{id:032x}") };
    match owner(&name, directory) {
        Some(owner) => format!("{}:{owner}", name.kind),
        None => name.kind.to_string(),
    }
}

pub(crate) fn payment_view(
    payment: &Payment,
    state: &switch::hub::State,
    posted: Amount,
    synthetic: bool,
) -> PaymentView {
    let directory = state.directory();
    let seen = &payment.seen;
    let station = seen.station.and_then(|id| directory.stations.get(&id));
    let text = payment.text.as_str();
    // A hold that its issuer approved was answered, though nothing is posted yet.
    let unanswered = payment.status == Status::Pending && payment.approval.is_blank();
    PaymentView {
        rrn: seen.rrn.as_str().to_owned(),
        status: status_name(payment.status),
        kind: seen.kind().map_or("other", PaymentKind::name),
        amount: directory.currency.show(posted),
        currency: directory.currency.alpha().to_owned(),
        response_code: if unanswered { String::new() } else { payment.code.to_string() },
        text: (!text.is_empty()).then(|| text.to_owned()),
        approval_code: (!payment.approval.is_blank()).then(|| payment.approval.as_str().to_owned()),
        stan: seen.stan.to_string(),
        station: station.map(|station| station.name.clone()),
        terminal: seen.terminal.as_str().to_owned(),
        retailer: seen.retailer.as_str().to_owned(),
        acquirer: seen.acquirer.to_string(),
        issuer: payment.issuer.map(|issuer| issuer.to_string()),
        card: seen.card.map(|card| card.masked()),
        business_date: payment.business_date.to_string(),
        cycle: payment.cycle,
        stand_in: false,
        synthetic,
        returned: directory.currency.show(payment.returned),
        reversal_acknowledged: payment.reversal_acknowledged,
        at: payment.at,
        id: payment.id.to_string(),
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Posted => "posted",
        Status::Voided => "voided",
        Status::Reversed => "reversed",
        Status::Declined => "declined",
    }
}
