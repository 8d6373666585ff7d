//! Stations' trunks at the hub (R-TRUNK). A station is whom its certificate names, and its hello
//! must say the same; on a plain door it is who its hello says, and a second claim to a live
//! identity is refused.

use interchange::trunk::payload::{self, Hello, StationStatus};
use interchange::trunk::{Frame, Kind, Link, LinkEvent, LinkTimers};
use scheme::{Reason, Rrn, StationId, Timestamp};
use switch::hub::Count;
use switch::station::TrunkState;
use switch::{Answer, PeerId, ReplyTo};

use super::HubRole;
use super::query::trunk_state;
use crate::admission::{Class, Taken, share};
use crate::config::Config;
use crate::event::{Action, CloseReason, ConnId, Level};
use crate::identity::PeerName;
use crate::limits::STRANGER_BYTES_MAX;
use crate::pipeline::{Deferred, Pipeline};

/// A station's trunk.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(super) link: Link,
    pub(super) conn: Option<ConnId>,
    /// What the log was told last of how it is.
    told: TrunkState,
    /// Our hello, until the next flush: nothing may overtake it.
    hello: Vec<u8>,
    /// What it has asked while history is behind, and until when it is not heard for that.
    taken: Taken,
    deaf_until: Option<Timestamp>,
    /// What the station last said of itself, and when.
    pub(super) status: Option<(Timestamp, StationStatus)>,
}

/// A connection that has not said its hello.
#[derive(Debug, Default)]
pub(super) struct Stranger {
    bytes: Vec<u8>,
    /// Which station its certificate names; none on a plain door.
    station: Option<StationId>,
}

impl Trunk {
    pub(super) fn next_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        self.conn.and_then(|_| self.link.next_timeout(now))
    }
}

/// The trunk's delays of a configuration.
pub(crate) fn link_timers(config: &Config) -> LinkTimers {
    LinkTimers {
        heartbeat_ms: config.timers.heartbeat_ms,
        suspect_ms: config.timers.suspect_ms,
        cut_ms: config.timers.cut_ms,
    }
}

impl HubRole {
    pub(crate) fn accept_trunk(
        &mut self,
        conn: ConnId,
        identity: Option<PeerName>,
        pipeline: &mut Pipeline,
    ) {
        let station = match identity {
            None => None,
            Some(PeerName::Station(name)) => match self.config.station_named(&name) {
                Some(section) => Some(section.id),
                None => return self.unknown_peer(conn, &PeerName::Station(name), pipeline),
            },
            Some(
                other @ (PeerName::Hub
                | PeerName::Bank(_)
                | PeerName::Terminal(_)
                | PeerName::Retailer(_)),
            ) => return self.unknown_peer(conn, &other, pipeline),
        };
        // Every station may have one connection that it is about to replace.
        if self.strangers.len() > self.config.stations.len().saturating_mul(4) {
            // Whoever has waited longest without a word makes room, so that silent connections
            // cannot keep a station out.
            if let Some((oldest, _)) = self.strangers.pop_first() {
                self.watch.forget(oldest);
                pipeline.close(oldest, CloseReason::TooMany);
            }
        }
        self.strangers.insert(conn, Stranger { bytes: Vec::new(), station });
        self.watch.set(conn, self.now.plus_ms(self.config.link_timers.half_frame_ms));
    }

    pub(crate) fn trunk_closed(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        self.strangers.remove(&conn);
        self.watch.forget(conn);
        for (station, trunk) in &mut self.trunks {
            if trunk.conn == Some(conn) {
                trunk.conn = None;
                trunk.deaf_until = None;
                trunk.link.disconnect();
                let station = self.config.station(*station).map(|s| s.name.clone());
                let name = station.unwrap_or_default();
                pipeline.log(Level::Warn, "trunk_closed", vec![("station", name)]);
            }
        }
    }

    /// Tells the log of each connected trunk that has become suspect, cut, or well again.
    pub(super) fn tell_trunks(&mut self, pipeline: &mut Pipeline) {
        for (station, trunk) in &mut self.trunks {
            let state = trunk.link.state(self.now);
            if trunk.conn.is_none() || state == trunk.told {
                continue;
            }
            trunk.told = state;
            let name = self.config.station(*station).map(|s| s.name.clone()).unwrap_or_default();
            let values = vec![("station", name), ("state", trunk_state(state).to_owned())];
            pipeline.log(Level::Warn, "trunk", values);
        }
    }

    pub(crate) fn trunk_received(&mut self, conn: ConnId, bytes: &[u8], pipeline: &mut Pipeline) {
        if let Some(mut waiting) = self.strangers.remove(&conn) {
            waiting.bytes.extend_from_slice(bytes);
            self.introduce(conn, waiting, pipeline);
            return;
        }
        let owner = self.trunks.iter().find(|(_, trunk)| trunk.conn == Some(conn));
        if let Some(station) = owner.map(|(station, _)| *station) {
            self.trunk_bytes(station, conn, bytes, pipeline);
        }
    }

    /// The first frame must be a hello of a station that we know.
    fn introduce(&mut self, conn: ConnId, stranger: Stranger, pipeline: &mut Pipeline) {
        let Stranger { bytes, station: named } = &stranger;
        let hello = match Frame::read(bytes) {
            Ok(None) if bytes.len() <= STRANGER_BYTES_MAX => {
                self.strangers.insert(conn, stranger);
                return;
            }
            Ok(Some((Some(frame), _))) if frame.kind == Kind::Hello => Hello::read(&frame.payload),
            Ok(_) => return pipeline.close(conn, CloseReason::Trunk),
            Err(error) => Err(error),
        };
        let station = match hello {
            Ok(hello) => hello.station,
            Err(error) => {
                pipeline.log(Level::Warn, "trunk_refused", vec![("why", error.to_string())]);
                return pipeline.close(conn, CloseReason::Trunk);
            }
        };
        if !self.hub.state().directory().stations.contains_key(&station) {
            return pipeline.close(conn, CloseReason::UnknownIdentity);
        }
        if named.is_some_and(|named| named != station) {
            let named = named.and_then(|named| self.config.station(named)).map(|s| s.name.clone());
            let values = vec![
                ("certificate", named.unwrap_or_default()),
                ("claims", station.0.to_string()),
                ("do", "give the station its own certificate and configuration".to_owned()),
            ];
            pipeline.log(Level::Warn, "other_identity", values);
            return pipeline.close(conn, CloseReason::OtherIdentity);
        }
        let epoch = self.hub.state().epoch();
        let timers = link_timers(&self.config);
        let (start, now) = (self.start, self.now);
        let trunk = self.trunks.entry(station).or_insert_with(|| Trunk {
            link: Link::new(StationId(0), start, epoch, timers),
            conn: None,
            told: TrunkState::Suspect,
            hello: Vec::new(),
            taken: Taken::default(),
            deaf_until: None,
            status: None,
        });
        let alive = matches!(trunk.link.state(now), TrunkState::Up { .. });
        match trunk.conn {
            Some(_) if alive => {
                pipeline.log(
                    Level::Warn,
                    "identity_taken",
                    vec![("station", station.0.to_string())],
                );
                return pipeline.close(conn, CloseReason::IdentityTaken);
            }
            Some(old) => pipeline.close(old, CloseReason::Replaced),
            None => {}
        }
        trunk.conn = Some(conn);
        trunk.deaf_until = None;
        // Until its hello has been read, which is told as `trunk_up`.
        trunk.told = TrunkState::Suspect;
        trunk.hello.clear();
        trunk.link.connect(now, &mut trunk.hello);
        self.trunk_bytes(station, conn, &stranger.bytes, pipeline);
    }

    fn trunk_bytes(
        &mut self,
        station: StationId,
        conn: ConnId,
        bytes: &[u8],
        pipeline: &mut Pipeline,
    ) {
        if let Some(trunk) = self.trunks.get_mut(&station) {
            trunk.link.push(bytes);
            if trunk.deaf_until.is_none() {
                self.hear_trunk(station, conn, pipeline);
            }
        }
    }

    /// The time has come to hear a trunk that had its share of payments; whether it is a trunk's.
    pub(super) fn hear_trunk_again(&mut self, conn: ConnId, pipeline: &mut Pipeline) -> bool {
        let mut trunks = self.trunks.iter_mut();
        let found = trunks.find(|(_, trunk)| trunk.conn == Some(conn));
        let Some((station, trunk)) = found else { return false };
        match trunk.deaf_until {
            Some(until) if until <= self.now => {
                trunk.deaf_until = None;
                pipeline.act(Action::Listen { conn, on: true });
                let station = *station;
                self.hear_trunk(station, conn, pipeline);
            }
            Some(until) => self.watch.sooner(conn, until),
            None => {}
        }
        true
    }

    /// Takes what a trunk has said, as far as it is heard now.
    fn hear_trunk(&mut self, station: StationId, conn: ConnId, pipeline: &mut Pipeline) {
        loop {
            let Some(trunk) = self.trunks.get_mut(&station) else {
                return;
            };
            if let Some(until) = trunk.deaf_until {
                pipeline.act(Action::Listen { conn, on: false });
                return self.watch.sooner(conn, until);
            }
            match trunk.link.next(self.now) {
                Ok(None) => return,
                Ok(Some(LinkEvent::Hello { .. })) => {
                    trunk.told = TrunkState::Up { renewed: false };
                    let name =
                        self.config.station(station).map(|s| s.name.clone()).unwrap_or_default();
                    pipeline.log(Level::Info, "trunk_up", vec![("station", name)]);
                }
                Ok(Some(LinkEvent::Status(status))) => trunk.status = Some((self.now, status)),
                Ok(Some(LinkEvent::Deliver { sequence, kind, payload })) => {
                    let start = trunk.link.peer_start();
                    self.deliver(station, kind, &payload, pipeline);
                    pipeline.defer(Deferred::Done { station, start, sequence });
                }
                Err(error) => {
                    pipeline.log(Level::Error, "trunk_broken", vec![("why", error.to_string())]);
                    trunk.conn = None;
                    trunk.link.disconnect();
                    pipeline.close(conn, CloseReason::Trunk);
                    return;
                }
            }
        }
    }

    fn deliver(&mut self, station: StationId, kind: Kind, payload: &[u8], pipeline: &mut Pipeline) {
        self.in_hand.station = Some(station);
        self.in_hand.payload.clear();
        self.in_hand.payload.extend_from_slice(payload);
        self.act_on(station, kind, payload, pipeline);
        self.in_hand.station = None;
    }

    fn act_on(&mut self, station: StationId, kind: Kind, payload: &[u8], pipeline: &mut Pipeline) {
        let peer = || format!("station {}", station.0);
        let poison = !self.poisons.is_empty() && self.poisons.refuses(&peer(), payload);
        if poison {
            self.poison_came(peer(), pipeline);
        }
        match kind {
            Kind::Request | Kind::Reversal if poison => {
                // Its number comes first; the rest is not looked at.
                if let Some(ticket) = payload.first_chunk() {
                    let (ticket, reason) = (u64::from_le_bytes(*ticket), Reason::Fault);
                    self.refuse_station(station, ticket, reason, Rrn::BLANK, pipeline);
                }
            }
            Kind::Request | Kind::Reversal => {
                match payload::read_request(payload, &self.config.zone, &self.vault) {
                    Ok((ticket, request)) => {
                        let from = ReplyTo { peer: PeerId::Station(station), ticket };
                        let limits = &self.config.limits;
                        let under_way = share(self.hub.in_flight(), limits.in_flight);
                        let class = Class::of_request(&request);
                        if pipeline.sheds(self.now, class, under_way) {
                            let reason = Reason::Overload;
                            self.refuse_station(station, ticket, reason, request.rrn, pipeline);
                            return;
                        }
                        let lacks = (self.hub.state().payments().unindexed(), limits.new_payments);
                        if class == Class::Payment
                            && let Some(trunk) = self.trunks.get_mut(&station)
                        {
                            let taken = &mut trunk.taken;
                            trunk.deaf_until = self.slowed.take(self.now, lacks, taken);
                        }
                        self.request(from, request, pipeline);
                    }
                    Err(error) => {
                        let why = vec![("why", error.to_string())];
                        pipeline.log(Level::Error, "trunk_request_unreadable", why);
                    }
                }
            }
            Kind::Withdraw
            | Kind::Answer
            | Kind::Hello
            | Kind::Acknowledge
            | Kind::Heartbeat
            | Kind::StationStatus => {}
        }
    }

    fn refuse_station(
        &mut self,
        station: StationId,
        ticket: u64,
        reason: Reason,
        rrn: Rrn,
        pipeline: &mut Pipeline,
    ) {
        self.count(Count::Refused(reason));
        self.count_refusal(reason, pipeline);
        let answer = Answer::refusal(reason, rrn);
        pipeline.defer(Deferred::Trunk {
            station,
            kind: Kind::Answer,
            ticket,
            payload: payload::write_answer(ticket, &answer),
        });
    }

    /// What was deferred for a trunk may go.
    pub(crate) fn trunk_send(
        &mut self,
        station: StationId,
        kind: Kind,
        ticket: u64,
        payload: Vec<u8>,
    ) {
        // A station that does not listen loses answers: its terminals repeat or reverse.
        let trunk = self.trunks.get_mut(&station);
        if !trunk.is_some_and(|trunk| trunk.link.send(kind, ticket, payload)) {
            self.answers_dropped = self.answers_dropped.saturating_add(1);
        }
    }

    /// A trunk's frame has been acted on durably.
    pub(crate) fn trunk_done(&mut self, station: StationId, start: Option<u64>, sequence: u64) {
        if let Some(trunk) = self.trunks.get_mut(&station)
            && trunk.link.peer_start() == start
        {
            trunk.link.done(sequence);
        }
    }

    /// Everything that the trunks have to say now.
    pub(crate) fn flush_trunks(&mut self) -> Vec<(ConnId, Vec<u8>)> {
        let mut ready = Vec::new();
        for trunk in self.trunks.values_mut() {
            let Some(conn) = trunk.conn else { continue };
            let mut bytes = std::mem::take(&mut trunk.hello);
            trunk.link.flush(self.now, &mut bytes);
            if !bytes.is_empty() {
                ready.push((conn, bytes));
            }
        }
        ready
    }
}
