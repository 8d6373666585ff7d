//! How the nation stands, for pages and scripts: stations with their fires, banks with their
//! positions, the business day.

use std::collections::BTreeSet;

use journal::RecordView;
use ledger::chart;
use scheme::{Amount, BusinessDate, Currency, ParticipantId, StationId, TerminalId, Timestamp};
use switch::Record;
use switch::hub::{Payment, Status};
use switch::record::{self, Fact, Finding, Part};
use switch::station::TrunkState;

use super::HubRole;
use super::query::trunk_state;
use crate::config::{Config, TerminalRole};
use crate::fires::{Facts, Fires, Known, Reason, SILENT_MS};
use crate::limits::{FINDINGS_SHOWN, MINUTES_SHOWN};
use crate::pipeline::{Deferred, Pipeline};
use crate::traffic::{End, Ended, Ends, Traffic, Window};
use crate::view::{
    BankView, DayView, FindingView, FiresView, MinuteView, StationView, TrunkView, WindowView,
};

/// The business day's totals, synthetic payments left out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Day {
    date: BusinessDate,
    ends: Ends,
    reversed: u64,
    amount: u64,
    returned: u64,
}

impl Day {
    fn ended(&mut self, date: BusinessDate, end: End, amount: Amount) {
        self.begin(date);
        if date == self.date {
            self.ends.add(end);
            if end == End::Approved {
                self.amount = self.amount.saturating_add(amount.minor());
            }
        }
    }

    fn completed(&mut self, amount: Amount) {
        self.amount = self.amount.saturating_add(amount.minor());
    }

    fn reversed(&mut self, returned: Amount) {
        self.reversed = self.reversed.saturating_add(1);
        self.returned = self.returned.saturating_add(returned.minor());
    }

    /// A later date begins anew; one of a day before counts no more.
    fn begin(&mut self, date: BusinessDate) {
        if date > self.date {
            *self = Self { date, ..Self::default() };
        }
    }

    pub(crate) fn view(&self, currency: Currency) -> DayView {
        let unavailable = self.ends.unavailable;
        DayView {
            date: self.date.to_string(),
            approved: self.ends.approved,
            declined: self.ends.declined.saturating_add(unavailable),
            unavailable,
            reversed: self.reversed,
            amount: currency.format(i128::from(self.amount)),
            returned: currency.format(i128::from(self.returned)),
        }
    }
}

/// Terminals whose payments are synthetic (R-FIRES).
pub(crate) fn probes(config: &Config) -> BTreeSet<(ParticipantId, TerminalId)> {
    let probes = config.terminals.iter().filter(|terminal| terminal.role == TerminalRole::Probe);
    probes.map(|terminal| (terminal.acquirer, terminal.terminal)).collect()
}

impl HubRole {
    pub(super) fn is_synthetic(&self, payment: &Payment) -> bool {
        self.probes.contains(&(payment.seen.acquirer, payment.seen.terminal))
    }

    /// The day so far, from the payments that the journal gave back.
    pub(super) fn count_day(&mut self) {
        let state = self.hub.state();
        let mut day = Day::default();
        day.begin(state.business_date());
        for payment in state.payments().iter() {
            if payment.business_date != state.business_date() || self.is_synthetic(payment) {
                continue;
            }
            let end = match payment.status {
                // A pre-authorisation that is approved and stands.
                Status::Pending if !payment.approval.is_blank() => End::Approved,
                Status::Pending => continue,
                Status::Posted | Status::Reversed => End::Approved,
                Status::Voided | Status::Declined => End::of(payment.code),
            };
            let posted = matches!(payment.status, Status::Posted | Status::Reversed);
            let amount = if posted { state.flows().posted(payment) } else { Amount::ZERO };
            day.ended(payment.business_date, end, amount);
            if payment.reversed {
                day.reversed(payment.returned);
            }
        }
        self.day = day;
    }

    /// Counts what a record ends; it is counted when the record is durable.
    pub(super) fn count_end(&mut self, record: &Record, pipeline: &mut Pipeline) {
        if let Fact::Cutover { date, .. } = &record.fact {
            self.day.begin(*date);
        }
        if let Fact::Completed(completed) = &record.fact {
            self.day.completed(completed.amount);
        }
        let id = match record.fact.part() {
            Some(part @ (Part::Closed(_) | Part::Declined(_) | Part::Reversed(_))) => part.id(),
            Some(Part::Opened(_) | Part::Completed(_) | Part::Whole(_)) | None => return,
        };
        let Some(payment) = self.hub.state().payments().get(id) else { return };
        let synthetic = self.is_synthetic(payment);
        // A pre-authorisation moves money when it is completed.
        let posted = payment.status == Status::Posted;
        let amount = if posted { payment.seen.amount } else { Amount::ZERO };
        let (date, began) = (payment.business_date, payment.at);
        let end = End::of(payment.code);
        if let Fact::Reversed(reversed) = &record.fact {
            if !synthetic && !reversed.in_flight {
                self.day.reversed(reversed.returned);
            }
            if !reversed.in_flight {
                return;
            }
        }
        if !synthetic {
            self.day.ended(date, end, amount);
        } else if began >= self.started_at {
            // The machine counts it among the others; what a restart ended is in no count.
            self.synthetic.add(end);
        }
        pipeline.defer(Deferred::Ended(Ended { end, began: Some(began), synthetic }));
    }

    /// A refusal without a record counts where it says that we cannot work.
    pub(super) fn count_refusal(&mut self, reason: scheme::Reason, pipeline: &mut Pipeline) {
        let end = End::of(reason.response_code());
        if end == End::Unavailable {
            pipeline.defer(Deferred::Ended(Ended { end, began: None, synthetic: false }));
        }
    }

    pub(super) fn keep_finding(&mut self, at: Timestamp, finding: &Finding, record: u64) {
        if self.findings.len() >= FINDINGS_SHOWN {
            self.findings.pop_front();
        }
        self.findings.push_back(FindingView {
            record,
            at,
            kind: finding.kind.name(),
            payment: finding.payment.map(|id| id.to_string()),
            participant: finding.participant.map(|id| id.to_string()),
        });
    }

    /// A record that recovery replays: a finding is shown after a restart as before it. One that a
    /// snapshot stands for is not read again.
    pub(crate) fn keep_replayed(&mut self, record: &RecordView<'_>) {
        if !record::is_finding(record.kind) {
            return;
        }
        // One that cannot be read ends the recovery elsewhere.
        if let Ok(Fact::Finding(finding)) =
            record::decode(record.kind, record.version, record.payload)
        {
            self.keep_finding(Timestamp(record.time_ns), &finding, record.number);
        }
    }

    /// Banks without a signed-on link.
    pub(super) fn banks_down(&self) -> usize {
        let banks = self.hub.state().directory().participants.keys();
        banks.filter(|bank| self.hub.lines(**bank) == 0).count()
    }

    /// What the hub itself is judged by. A hub that idles is not at fault: its stations say whether
    /// payments succeed.
    pub(super) fn own_facts(&self, no_room: bool, banks_down: usize) -> Facts {
        let oldest = self.hub.state().advices().next();
        Facts {
            banks_down: Known::Is(banks_down),
            saf_oldest_ms: oldest.map_or(0, |(_, advice)| self.now.ms_since(advice.since)),
            succeeded_ms: Some(0),
            ..self.beacon.facts(no_room)
        }
    }

    /// All stations, by their numbers.
    pub(super) fn stations(&self) -> Vec<StationView> {
        let banks_down = self.banks_down();
        let stations = &self.hub.state().directory().stations;
        let views = stations.iter();
        views.map(|(id, entry)| self.station_view(*id, &entry.name, banks_down)).collect()
    }

    fn station_view(&self, id: StationId, name: &str, banks_down: usize) -> StationView {
        let trunk = self.trunks.get(&id);
        let status = trunk.and_then(|trunk| trunk.status);
        let silent_ms = status.map(|(heard, _)| self.now.ms_since(heard));
        let heard = status.filter(|_| silent_ms.is_some_and(|ms| ms < SILENT_MS));
        let fires = match heard {
            None => Fires::of(Reason::Silent.bit()),
            // The station cannot see the banks; the hub can.
            Some((_, status)) if banks_down > 0 => {
                Fires::of(status.reasons).with(Reason::BankDown.bit())
            }
            Some((_, status)) => Fires::of(status.reasons),
        };
        let status = heard.map(|(_, status)| status);
        let registered = self.config.terminals.iter().filter(|terminal| terminal.station == id);
        let link = trunk.map_or(TrunkState::Cut, |trunk| trunk.link.state(self.now));
        StationView {
            name: name.to_owned(),
            fires: FiresView::from(fires),
            terminals_online: status.map(|status| u64::from(status.terminals)),
            terminals: registered.count() as u64,
            trunk: TrunkView {
                state: trunk_state(link),
                connections: u64::from(trunk.is_some_and(|t| t.conn.is_some())),
                unacknowledged: trunk.map_or(0, |t| t.link.unacknowledged() as u64),
                epoch: trunk.map_or(0, |t| t.link.epoch()),
            },
            window: status.map(|status| WindowView {
                approved: u64::from(status.approved),
                declined: u64::from(status.declined),
                unavailable: u64::from(status.unavailable),
                per_s_milli: u64::from(status.payments_milli),
                p99_ms: status.p99_ms,
            }),
            saf_depth: status.map(|status| u64::from(status.saf_depth)),
            saf_oldest_s: status.map(|status| u64::from(status.saf_oldest_s)),
            silent_ms,
        }
    }

    /// Banks with their links and positions.
    pub(super) fn bank_views(&self) -> Vec<BankView> {
        let state = self.hub.state();
        let mut advices = std::collections::BTreeMap::<ParticipantId, u64>::new();
        for (_, advice) in state.advices() {
            let count = advices.entry(advice.bank).or_default();
            *count = count.saturating_add(1);
        }
        let directory = state.directory();
        let participants = directory.participants.iter();
        participants
            .map(|(bank, title)| {
                let cap = directory.caps.get(bank).copied().unwrap_or_default();
                let view = BankView {
                    id: bank.to_string(),
                    title: title.clone(),
                    advices: advices.get(bank).copied().unwrap_or_default(),
                    cap: directory.currency.show(cap),
                    ..self.bank_money(*bank, cap)
                };
                let lines = self.hub.lines(*bank) as u64;
                let link = if lines > 0 { "signed_on" } else { "down" };
                BankView { state: link, connections: lines, ..view }
            })
            .collect()
    }

    fn bank_money(&self, bank: ParticipantId, cap: Amount) -> BankView {
        let currency = self.hub.state().directory().currency;
        let reckoned = self.hub.state().position(bank);
        let stations: Vec<_> = self.hub.state().directory().stations.keys().copied().collect();
        let net = chart::net_position(bank, currency, &stations, |id| self.books.account(id));
        let used = i128::from(cap.minor()).saturating_sub(reckoned.room).max(0);
        let share = used.saturating_mul(10_000).checked_div(i128::from(cap.minor()));
        BankView {
            net_position: currency.format(net),
            room: currency.format(reckoned.room),
            held: currency.format(reckoned.held),
            cap_used: u64::try_from(share.unwrap_or(0)).unwrap_or(u64::MAX),
            ..BankView::default()
        }
    }
}

pub(crate) fn window_view(window: &Window) -> WindowView {
    WindowView {
        approved: window.ends.approved,
        declined: window.ends.declined.saturating_add(window.ends.unavailable),
        unavailable: window.ends.unavailable,
        per_s_milli: window.per_s_milli(),
        p99_ms: window.p99_ms,
    }
}

pub(crate) fn minute_views(traffic: &Traffic, now: Timestamp) -> Vec<MinuteView> {
    let minutes = traffic.minutes(now, MINUTES_SHOWN).into_iter();
    minutes
        .map(|(minute, ends)| MinuteView {
            at: Timestamp::from_s(minute.saturating_mul(60)),
            approved: ends.approved,
            declined: ends.declined,
            unavailable: ends.unavailable,
        })
        .collect()
}
