//! Terminals' connections. A terminal needs no sign-on; it is one of the register's, or refused.

use interchange::network::{self, Function};
use interchange::{Incoming, Limit, Place, Source, to_request};
use scheme::{MtiClass, MtiFunction, Reason, ResponseCode};
use switch::station::{Count, Input};
use switch::{Answer, PeerId, ReplyTo, Request};
use wire::iso8583::Message;

use super::StationRole;
use crate::admission::{Class, in_flight_share, share};
use crate::event::{Action, CloseReason, ConnId, Level};
use crate::identity::PeerName;
use crate::limits::MESSAGES_PER_TURN;
use crate::line::Line;
use crate::pipeline::Pipeline;
use crate::poison::{self, Hand, InHand};

/// A connection may use only the terminals that its certificate names (R-LINK).
fn may_use(identity: Option<&PeerName>, request: &Request) -> bool {
    let is = |name: &str, id: &dyn ToString| id.to_string().trim_end().eq_ignore_ascii_case(name);
    match identity {
        None => true,
        Some(PeerName::Terminal(name)) => is(name, &request.terminal),
        Some(PeerName::Retailer(name)) => is(name, &request.retailer),
        Some(PeerName::Hub | PeerName::Station(_) | PeerName::Bank(_)) => false,
    }
}

/// Whose message it is: what its certificate says, else what it says itself.
fn peer_of(line: &Line, message: Option<&Message>) -> String {
    match &line.identity {
        Some(identity) => identity.to_string(),
        None => poison::terminal_of(message),
    }
}

impl StationRole {
    pub(crate) fn accept_terminal(
        &mut self,
        conn: ConnId,
        identity: Option<PeerName>,
        pipeline: &mut Pipeline,
    ) {
        match &identity {
            None | Some(PeerName::Terminal(_) | PeerName::Retailer(_)) => {}
            Some(other @ (PeerName::Hub | PeerName::Station(_) | PeerName::Bank(_))) => {
                let remedy = "give the terminal a certificate of its own, or its retailer's";
                let values = vec![("certificate", other.to_string()), ("do", remedy.to_owned())];
                pipeline.log(Level::Warn, "unknown_identity", values);
                return pipeline.close(conn, CloseReason::UnknownIdentity);
            }
        }
        let limits = &self.config.limits;
        let full = self.terminals.len() >= limits.connections;
        if full || self.strangers.len() >= limits.strangers {
            // Whoever has waited longest without a whole message makes room, so that silent
            // connections keep nobody out.
            match self.strangers.pop_first() {
                Some(oldest) => {
                    self.terminal_closed(oldest);
                    pipeline.close(oldest, CloseReason::TooMany);
                }
                None => return pipeline.close(conn, CloseReason::TooMany),
            }
        }
        let limits = &self.config.limits;
        let dialects = self.section.dialects.iter().map(String::as_str);
        let (rates, in_flight) = limits.of_connection();
        let mut line = Line::new(dialects, in_flight, rates.messages, self.now);
        line.identity = identity;
        self.strangers.insert(conn);
        self.terminals.insert(conn, line);
        self.watch.set(conn, self.now.plus_ms(self.config.link_timers.idle_terminal_ms));
    }

    pub(super) fn terminal_closed(&mut self, conn: ConnId) {
        self.watch.forget(conn);
        self.strangers.remove(&conn);
        self.terminals.remove(&conn);
    }

    pub(super) fn terminal_received(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        pipeline: &mut Pipeline,
    ) {
        let now = self.now;
        let Some(line) = self.terminals.get_mut(&conn) else {
            return;
        };
        line.push(now, bytes);
        self.hear_terminal(conn, pipeline);
    }

    /// Takes what a connection has said, as far as it is heard now, and at most one turn's worth.
    pub(super) fn hear_terminal(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let now = self.now;
        for _ in 0..MESSAGES_PER_TURN {
            self.in_hand = Some(Hand::Reading(conn));
            let line = self.terminals.get_mut(&conn);
            let Some(incoming) = line.and_then(|line| line.take(now, &self.poisons)) else {
                return self.end_hearing(conn, pipeline);
            };
            match incoming {
                Incoming::Message(message) => {
                    self.strangers.remove(&conn);
                    self.in_hand = Some(Hand::Acting(conn));
                    if self.poisons.is_empty() || !self.is_poison(conn, &message, pipeline) {
                        self.terminal_message(conn, &message, pipeline);
                    }
                }
                Incoming::Deadly => self.deadly_came(conn, pipeline),
                Incoming::Unreadable(message) => {
                    self.refuse_terminal(conn, &message, Reason::Format, pipeline);
                }
                // Terminals have no MAC keys yet.
                Incoming::BadMac => {}
                Incoming::Close(broken) => {
                    pipeline.close(conn, crate::event::reason_of(broken));
                    self.in_hand = None;
                    return;
                }
            }
        }
        if let Some(line) = self.terminals.get_mut(&conn) {
            line.yield_turn(now);
        }
        self.end_hearing(conn, pipeline);
    }

    /// When the connection is looked at next, and whether the shell reads it until then.
    fn end_hearing(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        self.in_hand = None;
        let (now, half_frame_ms) = (self.now, self.config.link_timers.half_frame_ms);
        if let Some(since) = self.terminals.get_mut(&conn).and_then(|line| line.half(now)) {
            self.watch.sooner(conn, since.plus_ms(half_frame_ms));
        }
        if let Some(listen) = self.terminals.get_mut(&conn).map(Line::listen) {
            if let Some(on) = listen.on {
                pipeline.act(Action::Listen { conn, on });
            }
            if let Some(until) = listen.until {
                self.watch.sooner(conn, until);
            }
        }
    }

    /// What this station is working on, if it is a terminal's message.
    pub(crate) fn in_hand(&self) -> Option<InHand> {
        let hand = self.in_hand?;
        let line = self.terminals.get(&hand.conn())?;
        let bytes = Some(line.session.last_taken()).filter(|bytes| !bytes.is_empty())?;
        // What it died of while it read it must not be read here.
        let dialect = line.session.dialect().filter(|_| hand.is_read());
        let message = dialect.and_then(|dialect| dialect.decode(bytes).ok());
        let (is_read, is_certified) = (hand.is_read(), line.identity.is_some());
        let peer = peer_of(line, message.as_ref());
        Some(InHand { is_read, is_certified, ..InHand::new(peer, bytes) })
    }

    /// What this station died of while it read it came again. Nobody can be answered.
    fn deadly_came(&self, conn: ConnId, pipeline: &mut Pipeline) {
        let peer = self.terminals.get(&conn).map(|line| peer_of(line, None)).unwrap_or_default();
        let remedy = "this station died of reading it: see its directory poison, and report it";
        let values = vec![("peer", peer), ("do", remedy.to_owned())];
        pipeline.log(Level::Error, "poison_refused", values);
    }

    /// Whether the role has died of this message before, or of too many of this peer; then it has
    /// been refused.
    fn is_poison(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) -> bool {
        let Some(line) = self.terminals.get(&conn) else { return false };
        let peer = peer_of(line, Some(message));
        let poison = self.poisons.refuses(&peer, line.session.last_taken());
        if poison {
            let remedy = "this station died of it before: see its directory poison, and report it";
            let values = vec![("peer", peer), ("do", remedy.to_owned())];
            pipeline.log(Level::Error, "poison_refused", values);
            self.refuse_terminal(conn, message, Reason::Fault, pipeline);
        }
        poison
    }

    /// Those whose reversals waited for room are heard again.
    pub(crate) fn hear_waiting(&mut self, pipeline: &mut Pipeline) {
        while let Some(conn) = self.roomy.pop() {
            self.hear_terminal(conn, pipeline);
        }
    }

    fn terminal_message(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let mti = message.mti();
        match (mti.class(), mti.function()) {
            (MtiClass::Network, MtiFunction::Request) => {
                self.terminal_network(conn, message, pipeline);
            }
            (
                MtiClass::Authorisation | MtiClass::Financial | MtiClass::Reversal,
                MtiFunction::Request | MtiFunction::Advice,
            ) => self.terminal_request(conn, message, pipeline),
            (_, MtiFunction::Request | MtiFunction::Advice) => {
                self.refuse_terminal(conn, message, Reason::Unsupported, pipeline);
            }
            // Answers are never themselves answered.
            (
                _,
                MtiFunction::RequestResponse | MtiFunction::AdviceResponse | MtiFunction::Other,
            ) => self.count(Count::StrayAnswer),
        }
    }

    fn terminal_network(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        if !self.admits(conn, message, pipeline) {
            return;
        }
        match network::request(message).map(|request| request.function) {
            Ok(Function::Echo | Function::SignOn | Function::SignOff) => {
                if let Some(line) = self.terminals.get(&conn) {
                    let answer = network::answer(message, ResponseCode::APPROVED);
                    let mut bytes = Vec::new();
                    line.session.frame(&answer, &mut bytes);
                    pipeline.send(conn, bytes);
                }
            }
            Ok(Function::Unsupported) => {
                self.refuse_terminal(conn, message, Reason::Unsupported, pipeline);
            }
            Err(reason) => self.refuse_terminal(conn, message, reason, pipeline),
        }
    }

    /// Whether a message is taken now. If not, it has been refused (96), or waits for room.
    fn admits(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) -> bool {
        let class = Class::of(message);
        let under_way = share(self.station.in_flight(), self.config.limits.station_in_flight);
        if pipeline.sheds(self.now, class, under_way) {
            self.refuse_terminal(conn, message, Reason::Overload, pipeline);
            return false;
        }
        let Some(line) = self.terminals.get_mut(&conn) else { return false };
        let (rates, in_flight) = self.config.limits.of_connection();
        if class == Class::Owed && !line.has_room_for_owed(in_flight) {
            line.hold(message.clone());
            return false;
        }
        let waiting = line.session.waiting();
        let in_flight = in_flight_share(in_flight, under_way);
        match line.asked.admit(self.now, class, rates, waiting, in_flight) {
            Ok(()) => true,
            Err(limit) => {
                self.refuse_limit(conn, message, limit, pipeline);
                false
            }
        }
    }

    /// Counts a request of a terminal that may use this connection, unless it is one too many of
    /// that terminal's, whatever connections it uses.
    fn pace(&mut self, class: Class, request: &Request) -> Result<(), Limit> {
        match class {
            // Network messages name no terminal; what has happened is never refused.
            Class::Status | Class::Owed => Ok(()),
            Class::Balance | Class::Payment => {
                // The register has it, so that there are no more of them than it has.
                let pace = self.paces.entry((request.acquirer, request.terminal)).or_default();
                pace.take(self.now, self.config.limits.terminal_per_s, "TERMINAL")
            }
        }
    }

    fn refuse_limit(
        &mut self,
        conn: ConnId,
        message: &Message,
        limit: Limit,
        pipeline: &mut Pipeline,
    ) {
        self.count(Count::Refused(Reason::Overload));
        if let Some(line) = self.terminals.get(&conn) {
            let mut bytes = Vec::new();
            line.session.refuse_limit(message, limit, &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    fn terminal_request(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        if !self.admits(conn, message, pipeline) {
            return;
        }
        let place = Place {
            now: self.now,
            zone: &self.config.zone,
            currency: self.config.currency.numeric(),
            vault: &self.vault,
            source: Source::Terminal(&self.register),
        };
        let request = match to_request(message, &place) {
            Ok(request) => request,
            Err(reason) => return self.refuse_terminal(conn, message, reason, pipeline),
        };
        let line = self.terminals.get(&conn);
        if !line.is_some_and(|line| may_use(line.identity.as_ref(), &request)) {
            return self.refuse_terminal(conn, message, Reason::Terminal, pipeline);
        }
        if let Err(limit) = self.pace(Class::of(message), &request) {
            return self.refuse_limit(conn, message, limit, pipeline);
        }
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        let Some(line) = self.terminals.get_mut(&conn) else {
            return;
        };
        if !line.session.expect_answer(ticket, message, &request) {
            return self.refuse_terminal(conn, message, Reason::Overload, pipeline);
        }
        self.begin(ticket, &request);
        let from = ReplyTo { peer: PeerId::Terminal(conn), ticket };
        self.drive(Input::Request { from, request }, pipeline);
    }

    pub(super) fn answer_terminal(
        &mut self,
        conn: ConnId,
        ticket: u64,
        answer: &Answer,
        pipeline: &mut Pipeline,
    ) {
        if let Some(line) = self.terminals.get_mut(&conn) {
            let mut bytes = Vec::new();
            line.session.answer(ticket, answer, &mut bytes);
            pipeline.send(conn, bytes);
            if line.has_answered() {
                self.roomy.push(conn);
            }
        }
    }

    fn refuse_terminal(
        &mut self,
        conn: ConnId,
        message: &Message,
        reason: Reason,
        pipeline: &mut Pipeline,
    ) {
        self.count(Count::Refused(reason));
        self.refused(reason, pipeline);
        if let Some(line) = self.terminals.get(&conn) {
            let mut bytes = Vec::new();
            line.session.refuse(message, reason, &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    /// Time to look at a connection: half a frame for too long, or silence.
    pub(super) fn look_at_terminal(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let timers = self.config.link_timers;
        let Some(line) = self.terminals.get_mut(&conn) else {
            return;
        };
        if line.hears_again(self.now) {
            self.hear_terminal(conn, pipeline);
        }
        let Some(line) = self.terminals.get(&conn) else {
            return;
        };
        let half = line.half_deadline(timers.half_frame_ms);
        let idle = line.last_heard.plus_ms(timers.idle_terminal_ms);
        let due = half.map_or(idle, |half| half.min(idle));
        // A request under way keeps its connection.
        if due <= self.now
            && (line.is_half_for(self.now, timers.half_frame_ms) || line.session.waiting() == 0)
        {
            pipeline.close(conn, CloseReason::Idle);
            return;
        }
        let next = if due <= self.now { self.now.plus_ms(timers.idle_terminal_ms) } else { due };
        self.watch.sooner(conn, next);
    }
}
