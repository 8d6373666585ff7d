//! A station as a role: the machine, its terminals' connections and its trunk.

mod probe;
mod standing;
mod terminals;

use std::collections::{BTreeMap, BTreeSet};

use interchange::Register;
use interchange::trunk::payload;
use interchange::trunk::{Kind, Link, LinkEvent};
use keys::CardVault;
use scheme::{ParticipantId, StationId, TerminalId, Timestamp};
use switch::station::{Count, Effect, Input, StationConfig, StationRecord, TrunkState, record};
use switch::{PeerId, Station};

use crate::admission::Pace;
use crate::beacon::Beacon;
use crate::config::{Config, StationSection};
use crate::event::{Action, CloseReason, ConnId, Level, Peer};
use crate::fires::judge;
use crate::hub::query::{counter, gauge, trunk_state};
use crate::hub::standing::{minute_views, window_view};
use crate::identity::PeerName;
use crate::limits::{REDIAL_FIRST_MS, REDIAL_MAX_MS, STATUS_EVERY_MS};
use crate::line::Line;
use crate::pipeline::{Deferred, JournalNow, Pipeline};
use crate::poison::{Hand, Poisons};
use crate::view::{FiresView, Metric, Overview, PeerView, Query, Reply};
use crate::watch::Watch;

pub use probe::ProbeCard;

/// A station.
#[derive(Debug)]
pub(crate) struct StationRole {
    pub(crate) config: Config,
    pub(crate) section: StationSection,
    pub(crate) station: Station,
    pub(crate) vault: CardVault,
    register: Register,
    now: Timestamp,
    watch: Watch,
    terminals: BTreeMap<ConnId, Line>,
    /// Those of them that have not said a whole message, the oldest first.
    strangers: BTreeSet<ConnId>,
    /// What each terminal of the register has asked of late; only those that have asked.
    paces: BTreeMap<(ParticipantId, TerminalId), Pace>,
    /// Those whose reversals waited for room, and have some.
    roomy: Vec<ConnId>,
    /// The connection whose message is being worked on.
    pub(crate) in_hand: Option<Hand>,
    pub(crate) poisons: Poisons,
    link: Link,
    trunk_conn: Option<ConnId>,
    /// Our hello, until the next flush: nothing may overtake it.
    hello: Vec<u8>,
    dialling: bool,
    dial_at: Option<Timestamp>,
    dial_gap_ms: u64,
    /// Until when the hub must have said hello on the present connection.
    greet_by: Option<Timestamp>,
    told: TrunkState,
    next_ticket: u64,
    counts: BTreeMap<Count, u64>,
    pub(crate) beacon: Beacon,
    /// When the next report is due.
    report_at: Timestamp,
    /// Payments that wait for their answer, by ticket.
    began: BTreeMap<u64, standing::Began>,
    /// Terminals whose payments are synthetic.
    probes: BTreeSet<(ParticipantId, TerminalId)>,
    probe: probe::Probe,
}

impl StationRole {
    pub(crate) fn new(
        config: Config,
        section: StationSection,
        vault: CardVault,
        start: u64,
    ) -> Self {
        let terminals: Vec<_> = config
            .terminals
            .iter()
            .filter(|terminal| terminal.station == section.id)
            .map(|t| (t.acquirer, t.terminal, t.retailer))
            .collect();
        let machine = StationConfig {
            id: section.id,
            code: section.code,
            timers: config.timers,
            zone: config.zone.clone(),
            in_flight_max: config.limits.station_in_flight,
            terminals: terminals.clone(),
        };
        let timers = crate::hub::link_timers(&config);
        let probes = crate::hub::standing::probes(&config);
        Self {
            link: Link::new(section.id, start, 0, timers),
            probe: probe::Probe::new(&config, &section),
            station: Station::new(machine),
            register: Register::new(terminals),
            config,
            section,
            vault,
            now: Timestamp::default(),
            watch: Watch::default(),
            terminals: BTreeMap::new(),
            strangers: BTreeSet::new(),
            paces: BTreeMap::new(),
            roomy: Vec::new(),
            in_hand: None,
            poisons: Poisons::default(),
            trunk_conn: None,
            hello: Vec::new(),
            dialling: false,
            dial_at: None,
            dial_gap_ms: REDIAL_FIRST_MS,
            greet_by: None,
            told: TrunkState::Suspect,
            next_ticket: 1,
            counts: BTreeMap::new(),
            beacon: Beacon::default(),
            report_at: Timestamp::default(),
            began: BTreeMap::new(),
            probes,
        }
    }

    pub(crate) fn started(&mut self, now: Timestamp, pipeline: &mut Pipeline) {
        self.now = now;
        self.link.begin(now);
        self.probe.started(now);
        self.drive(Input::Resolve, pipeline);
        self.dial(pipeline);
    }

    pub(crate) fn at(&mut self, now: Timestamp, clock_off_ms: u64) {
        self.now = now;
        self.beacon.at(now, clock_off_ms);
    }

    pub(crate) fn timeout(&mut self, pipeline: &mut Pipeline) {
        self.drive(Input::Timeout, pipeline);
        self.tell_state(pipeline);
        while let Some(conn) = self.watch.pop(self.now) {
            self.look_at_terminal(conn, pipeline);
        }
        self.look_at_probe(pipeline);
        if self.greet_by.is_some_and(|by| by <= self.now) {
            self.greet_by = None;
            if !self.link.is_greeted() {
                self.hang_up(pipeline);
            }
        }
        if self.dial_at.is_some_and(|at| at <= self.now) {
            self.dial_at = None;
            self.dial(pipeline);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        [
            self.station.next_timeout(),
            self.watch.next(),
            self.link.next_timeout(self.now),
            self.dial_at,
            self.greet_by,
            self.link.is_greeted().then_some(self.report_at),
            self.probe.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn dial(&mut self, pipeline: &mut Pipeline) {
        if self.trunk_conn.is_none() && !self.dialling {
            self.dialling = true;
            pipeline.act(Action::Dial(Peer::HubTrunk));
        }
    }

    pub(crate) fn dial_failed(&mut self) {
        self.dialling = false;
        self.dial_at = Some(self.now.plus_ms(self.dial_gap_ms));
        self.dial_gap_ms = self.dial_gap_ms.saturating_mul(2).min(REDIAL_MAX_MS);
    }

    pub(crate) fn dialled(
        &mut self,
        conn: ConnId,
        identity: Option<PeerName>,
        pipeline: &mut Pipeline,
    ) {
        self.dialling = false;
        if let Some(other) = identity.filter(|identity| *identity != PeerName::Hub) {
            let remedy = "check hub.trunk: another role of the nation answers there";
            let values = vec![("certificate", other.to_string()), ("do", remedy.to_owned())];
            pipeline.log(Level::Error, "hub_is_another", values);
            self.dial_at = Some(self.now.plus_ms(REDIAL_MAX_MS));
            return pipeline.close(conn, CloseReason::OtherIdentity);
        }
        self.trunk_conn = Some(conn);
        self.greet_by = Some(self.now.plus_ms(self.config.timers.cut_ms));
        self.hello.clear();
        self.link.connect(self.now, &mut self.hello);
    }

    pub(crate) fn closed(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        if self.trunk_conn == Some(conn) {
            self.trunk_conn = None;
            self.link.disconnect();
            self.dial_at = Some(self.now.plus_ms(self.dial_gap_ms));
            pipeline.log(Level::Warn, "trunk_closed", Vec::new());
        } else {
            self.terminal_closed(conn);
        }
    }

    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8], pipeline: &mut Pipeline) {
        if self.trunk_conn == Some(conn) {
            self.link.push(bytes);
            self.trunk_frames(conn, pipeline);
        } else {
            self.terminal_received(conn, bytes, pipeline);
        }
    }

    fn trunk_frames(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        loop {
            match self.link.next(self.now) {
                Ok(None) => break,
                Ok(Some(LinkEvent::Hello { renewed, .. })) => {
                    self.dial_gap_ms = REDIAL_FIRST_MS;
                    self.told = TrunkState::Up { renewed: false };
                    pipeline.log(Level::Info, "trunk_up", Vec::new());
                    self.drive(Input::Trunk(TrunkState::Up { renewed }), pipeline);
                }
                // The hub says nothing of itself so far.
                Ok(Some(LinkEvent::Status(_))) => {}
                Ok(Some(LinkEvent::Deliver { sequence, kind, payload })) => {
                    if kind == Kind::Answer {
                        self.hub_answer(&payload, pipeline);
                    }
                    let (station, start) = (StationId(0), self.link.peer_start());
                    pipeline.defer(Deferred::Done { station, start, sequence });
                }
                Err(error) => {
                    pipeline.log(Level::Error, "trunk_broken", vec![("why", error.to_string())]);
                    pipeline.close(conn, CloseReason::Trunk);
                    break;
                }
            }
        }
        self.tell_state(pipeline);
    }

    fn hub_answer(&mut self, answer: &[u8], pipeline: &mut Pipeline) {
        match payload::read_answer(answer) {
            Ok((ticket, answer)) => self.drive(Input::HubAnswer { ticket, answer }, pipeline),
            Err(error) => {
                let why = vec![("why", error.to_string())];
                pipeline.log(Level::Error, "trunk_answer_unreadable", why);
            }
        }
    }

    /// Tells the machine when the trunk has become suspect, cut, or well again.
    fn tell_state(&mut self, pipeline: &mut Pipeline) {
        let state = self.link.state(self.now);
        if state != self.told {
            self.told = state;
            pipeline.log(Level::Warn, "trunk", vec![("state", trunk_state(state).to_owned())]);
            self.drive(Input::Trunk(state), pipeline);
            if state == TrunkState::Cut {
                self.hang_up(pipeline);
            }
        }
    }

    /// A connection that lets nothing through is given up for a new one.
    fn hang_up(&mut self, pipeline: &mut Pipeline) {
        if let Some(conn) = self.trunk_conn.take() {
            self.link.disconnect();
            pipeline.close(conn, CloseReason::Trunk);
            self.dial_at = Some(self.now.plus_ms(self.dial_gap_ms));
        }
    }

    fn drive(&mut self, input: Input, pipeline: &mut Pipeline) {
        let mut effects = Vec::new();
        self.station.handle(self.now, input, &mut effects);
        for effect in effects {
            self.effect(effect, pipeline);
        }
    }

    fn effect(&mut self, effect: Effect, pipeline: &mut Pipeline) {
        match effect {
            Effect::Record(StationRecord { at, fact }) => {
                pipeline.record(at, |payload| record::encode(&fact, payload));
            }
            Effect::Send { ticket, request } => {
                let tells = request.mti.tells();
                let payload = payload::write_request(ticket, &request, &self.vault);
                pipeline.defer(Deferred::Trunk {
                    station: StationId(0),
                    kind: if tells { Kind::Reversal } else { Kind::Request },
                    ticket,
                    payload,
                });
            }
            Effect::Withdraw { ticket } => pipeline.defer(Deferred::Withdraw { ticket }),
            Effect::Answer { to, answer } => {
                if let PeerId::Terminal(conn) = to.peer {
                    self.answered(to.ticket, answer.code, pipeline);
                    if conn == probe::OWN {
                        self.probe_answered(to.ticket, &answer);
                    } else {
                        self.answer_terminal(conn, to.ticket, &answer, pipeline);
                    }
                }
            }
            Effect::Count(count) => self.count(count),
        }
    }

    fn count(&mut self, count: Count) {
        let counted = self.counts.entry(count).or_default();
        *counted = counted.saturating_add(1);
    }

    pub(crate) fn trunk_send(&mut self, kind: Kind, ticket: u64, payload: Vec<u8>) {
        // The machine's own limits are lower than the link's, so that it always has room.
        let kept = self.link.send(kind, ticket, payload);
        assert!(kept, "the trunk holds more frames than the station may have under way");
    }

    pub(crate) fn trunk_done(&mut self, start: Option<u64>, sequence: u64) {
        if self.link.peer_start() == start {
            self.link.done(sequence);
        }
    }

    pub(crate) fn withdraw(&mut self, ticket: u64) {
        self.link.withdraw(ticket);
    }

    pub(crate) fn flush_trunk(&mut self, no_room: bool) -> Option<(ConnId, Vec<u8>)> {
        let conn = self.trunk_conn?;
        let mut bytes = std::mem::take(&mut self.hello);
        self.link.flush(self.now, &mut bytes);
        if self.link.is_greeted() && self.report_at <= self.now {
            self.report_at = self.now.plus_ms(STATUS_EVERY_MS);
            self.link.report(&self.status(no_room), &mut bytes);
        }
        (!bytes.is_empty()).then_some((conn, bytes))
    }

    pub(crate) fn query(&self, query: &Query, journal: JournalNow) -> Reply {
        match query {
            Query::Overview => Reply::Overview(self.overview(journal)),
            Query::Metrics => Reply::Metrics(self.metrics(journal)),
            Query::Accounts | Query::Payments(_) | Query::Change(_) => Reply::NotHere,
        }
    }

    fn overview(&self, journal: JournalNow) -> Overview {
        let sum = |which: fn(&Count) -> bool| {
            self.counts.iter().filter(|(count, _)| which(count)).map(|(_, n)| n).sum()
        };
        Overview {
            nation: self.config.name.clone(),
            role: self.section.name.clone(),
            currency: self.config.currency.alpha().to_owned(),
            records: journal.records,
            in_flight: self.station.in_flight() as u64,
            approved: sum(|count| *count == Count::Approved),
            declined: sum(|count| *count == Count::Declined),
            refused: sum(|count| matches!(count, Count::Refused(_))),
            saf_depth: self.station.owed() as u64,
            epoch: self.link.epoch(),
            peers: vec![PeerView {
                name: "hub".to_owned(),
                state: trunk_state(self.link.state(self.now)),
                connections: u64::from(self.trunk_conn.is_some()),
            }],
            fires: FiresView::from(judge(&self.facts(journal.no_room))),
            window: window_view(&self.beacon.traffic.window(self.now)),
            minutes: minute_views(&self.beacon.traffic, self.now),
            stations: vec![self.view(journal.no_room)],
            probe: Some(self.probe.view(self.now)),
            health: self.beacon.health,
            clock_off_ms: self.beacon.clock_off_ms(),
            at: self.now,
            ..Overview::default()
        }
    }

    fn metrics(&self, journal: JournalNow) -> Vec<Metric> {
        let overview = self.overview(journal);
        let fires = u64::from(overview.fires.number);
        let up = matches!(self.link.state(self.now), TrunkState::Up { .. });
        vec![
            counter("bongsu_payments_approved_total", "Approved since start", overview.approved),
            counter("bongsu_payments_declined_total", "Declined since start", overview.declined),
            counter("bongsu_refused_total", "Refused here since start", overview.refused),
            counter("bongsu_journal_records_total", "Records in the journal", journal.records),
            gauge("bongsu_payments_in_flight", "Requests on the trunk", overview.in_flight),
            gauge("bongsu_reversals_owed", "Reversals owed to the hub", overview.saf_depth),
            gauge("bongsu_terminal_connections", "Terminals", self.terminals.len() as u64),
            gauge("bongsu_fires", "Beacon fires of this station: 1 well, 5 down", fires),
            gauge("bongsu_trunk_up", "Whether the trunk is up", u64::from(up)),
        ]
    }
}
