//! How a station stands: what it counts at its terminals, its own fires, its report to the hub.

use interchange::trunk::payload::StationStatus;
use scheme::{MtiClass, Reason, ResponseCode, Timestamp};
use switch::Request;
use switch::station::TrunkState;

use super::StationRole;
use crate::fires::{Facts, Known, judge};
use crate::hub::query::trunk_state;
use crate::hub::standing::window_view;
use crate::pipeline::{Deferred, Pipeline};
use crate::traffic::{End, Ended};
use crate::view::{FiresView, StationView, TrunkView};

/// A payment that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    at: Timestamp,
    synthetic: bool,
}

impl StationRole {
    /// A request came in. Repeats and reversals are no payments of their own.
    pub(super) fn begin(&mut self, ticket: u64, request: &Request) {
        if request.mti.class() == MtiClass::Reversal || request.mti.is_repeat() {
            return;
        }
        // Every request is answered in its time; this only bounds what a fault would leave.
        if self.began.len() >= self.config.limits.station_in_flight {
            self.began.pop_first();
        }
        let synthetic = self.probes.contains(&(request.acquirer, request.terminal));
        self.began.insert(ticket, Began { at: self.now, synthetic });
    }

    /// The answer to a request; it counts when what it says is durable.
    pub(super) fn answered(&mut self, ticket: u64, code: ResponseCode, pipeline: &mut Pipeline) {
        if let Some(Began { at, synthetic }) = self.began.remove(&ticket) {
            let end = End::of(code);
            pipeline.defer(Deferred::Ended(Ended { end, began: Some(at), synthetic }));
        }
    }

    /// Refused before it became a request: counts where it says that the station cannot work.
    pub(super) fn refused(&mut self, reason: Reason, pipeline: &mut Pipeline) {
        let end = End::of(reason.response_code());
        if end == End::Unavailable {
            pipeline.defer(Deferred::Ended(Ended { end, began: None, synthetic: false }));
        }
    }

    /// What the station judges itself by. It does not see the banks' links.
    pub(super) fn facts(&self, no_room: bool) -> Facts {
        Facts {
            trunk_cut: self.link.state(self.now) == TrunkState::Cut,
            banks_down: Known::NotHere,
            saf_oldest_ms: self.owed_ms(),
            ..self.beacon.facts(no_room)
        }
    }

    /// For how long the oldest reversal has been owed, ms.
    fn owed_ms(&self) -> u64 {
        self.station.owed_since().map_or(0, |since| self.now.ms_since(since))
    }

    /// The report to the hub.
    pub(super) fn status(&self, no_room: bool) -> StationStatus {
        let fires = judge(&self.facts(no_room));
        let window = window_view(&self.beacon.traffic.window(self.now));
        // Far below 2^32, all of them.
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        StationStatus {
            fires: fires.number,
            reasons: fires.reasons,
            sent: self.now,
            terminals: short(self.terminals.len() as u64),
            payments_milli: short(window.per_s_milli),
            approved: short(window.approved),
            declined: short(window.declined),
            unavailable: short(window.unavailable),
            p99_ms: window.p99_ms,
            saf_depth: short(self.station.owed() as u64),
            saf_oldest_s: short(self.owed_ms() / 1000),
        }
    }

    /// The station as its own page shows it.
    pub(super) fn view(&self, no_room: bool) -> StationView {
        let registered = self.config.terminals.iter();
        let registered = registered.filter(|terminal| terminal.station == self.section.id);
        StationView {
            name: self.section.name.clone(),
            fires: FiresView::from(judge(&self.facts(no_room))),
            terminals_online: Some(self.terminals.len() as u64),
            terminals: registered.count() as u64,
            trunk: TrunkView {
                state: trunk_state(self.link.state(self.now)),
                connections: u64::from(self.trunk_conn.is_some()),
                unacknowledged: self.link.unacknowledged() as u64,
                epoch: self.link.epoch(),
            },
            window: Some(window_view(&self.beacon.traffic.window(self.now))),
            saf_depth: Some(self.station.owed() as u64),
            saf_oldest_s: Some(self.owed_ms() / 1000),
            silent_ms: Some(0),
        }
    }
}
