//! Banks' connections: who they are, whether they are signed on and alive (R-LINK, R-TIME).

use interchange::network::{self, Function};
use interchange::{Incoming, Limit, Place, Source, issuer, to_request};
use keys::UnsealError;
use scheme::{
    CivilDateTime, MtiClass, MtiFunction, ParticipantId, Reason, ResponseCode, Rrn, Stan,
    Timestamp, Zone,
};
use switch::hub::{Count, Input};
use switch::record::FindingKind;
use switch::{Answer, PeerId, ReplyTo};
use wire::iso8583::{Dialect, Message};

use super::HubRole;
use crate::admission::{Class, share};
use crate::config::Channels;
use crate::event::{Action, CloseReason, ConnId, Level};
use crate::identity::PeerName;
use crate::limits::{BAD_MAC_WINDOW_MS, BAD_MACS_MAX, BANK_CONNECTIONS_MAX, ORPHANS_MAX};
use crate::line::Line;
use crate::opening::LinkMacs;
use crate::pipeline::{Deferred, Pipeline};
use crate::poison::{Hand, InHand};

/// Two echoes missed, and the link is down.
const ECHOES_MISSED: u8 = 2;

/// One connection of a bank.
#[derive(Debug)]
pub(crate) struct BankLine {
    wire: Line,
    /// Whom its certificate names; none on a plain door.
    certified: Option<ParticipantId>,
    /// Who it is, from its sign-on on: what its certificate says, on a plain door its DE32.
    pub(super) bank: Option<ParticipantId>,
    pub(super) signed_on: bool,
    echo: Option<(Stan, Timestamp)>,
    missed: u8,
    echoes: u64,
    /// When the last messages with a bad MAC came, oldest first.
    bad_macs: Vec<Timestamp>,
}

impl BankLine {
    /// Whether this bank is signed on here.
    fn is_of(&self, bank: ParticipantId) -> bool {
        self.signed_on && self.bank == Some(bank)
    }
}

/// Which bank it is, as far as that is known.
fn peer_of(line: &BankLine) -> String {
    let bank = line.certified.or(line.bank);
    bank.map_or_else(|| "unknown".to_owned(), |bank| format!("bank {bank}"))
}

impl HubRole {
    pub(crate) fn accept_bank(
        &mut self,
        conn: ConnId,
        identity: Option<PeerName>,
        pipeline: &mut Pipeline,
    ) {
        if !self.has_room_for_bank(pipeline) {
            return pipeline.close(conn, CloseReason::TooMany);
        }
        let certified = match identity {
            None => None,
            Some(PeerName::Bank(bank)) if self.participates(bank) => Some(bank),
            Some(
                other @ (PeerName::Hub
                | PeerName::Bank(_)
                | PeerName::Station(_)
                | PeerName::Terminal(_)
                | PeerName::Retailer(_)),
            ) => return self.unknown_peer(conn, &other, pipeline),
        };
        let dialects = Dialect::builtin_names().iter().copied();
        let limits = &self.config.limits;
        let (waiting_max, rates) = (limits.bank_connection_in_flight, limits.of_bank().0);
        let mut wire = Line::new(dialects, waiting_max, rates.messages, self.now);
        if let LinkMacs::On(macs) = &self.macs {
            // Without a certificate nobody knows which keys to verify with.
            let Some(mac) = certified.and_then(|bank| macs.get(&bank)) else {
                let bank = certified.map(|bank| bank.to_string()).unwrap_or_default();
                let remedy =
                    "put the bank's MAC key files into DIR/keys and apply its configuration again";
                let values = vec![("bank", bank), ("do", remedy.to_owned())];
                pipeline.log(Level::Error, "no_mac_keys", values);
                return pipeline.close(conn, CloseReason::NoMacKeys);
            };
            wire.authenticate(mac.clone());
        }
        let line = BankLine {
            wire,
            certified,
            bank: None,
            signed_on: false,
            echo: None,
            missed: 0,
            echoes: 0,
            bad_macs: Vec::new(),
        };
        self.banks.insert(conn, line);
        self.bank_strangers.insert(conn);
        self.watch.set(conn, self.now.plus_ms(self.config.timers.echo_idle_ms));
    }

    /// Whether another connection fits. Where none does, whoever has waited longest without signing
    /// on makes room.
    fn has_room_for_bank(&mut self, pipeline: &mut Pipeline) -> bool {
        let limits = &self.config.limits;
        let full = self.banks.len() >= limits.connections;
        if !full && self.bank_strangers.len() < limits.strangers {
            return true;
        }
        let Some(oldest) = self.bank_strangers.first().copied() else { return false };
        self.bank_closed(oldest, pipeline);
        pipeline.close(oldest, CloseReason::TooMany);
        true
    }

    pub(crate) fn bank_closed(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        self.watch.forget(conn);
        self.bank_strangers.remove(&conn);
        let Some(line) = self.banks.remove(&conn) else {
            return;
        };
        let Some(bank) = line.bank else { return };
        for (ticket, echo) in line.wire.session.into_waiting() {
            self.askers.remove(&ticket);
            if self.orphans.len() >= ORPHANS_MAX {
                // The one that has waited longest; its terminal repeats or reverses.
                self.orphans.pop_first();
                self.answers_dropped = self.answers_dropped.saturating_add(1);
            }
            self.orphans.insert(ticket, (bank, echo));
        }
        if line.signed_on {
            pipeline.log(Level::Warn, "bank_link_closed", vec![("bank", bank.to_string())]);
            self.drive(Input::Line { bank, line: conn, signed_on: false }, pipeline);
        }
    }

    pub(crate) fn bank_received(&mut self, conn: ConnId, bytes: &[u8], pipeline: &mut Pipeline) {
        let now = self.now;
        let Some(line) = self.banks.get_mut(&conn) else {
            return;
        };
        line.wire.push(now, bytes);
        self.hear_bank(conn, pipeline);
    }

    /// Takes what a connection has said, as far as it is heard now.
    fn hear_bank(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let now = self.now;
        loop {
            self.in_hand.bank = Some(Hand::Reading(conn));
            let line = self.banks.get_mut(&conn);
            let Some(incoming) = line.and_then(|bank| bank.wire.take(now, &self.poisons)) else {
                break;
            };
            match incoming {
                Incoming::Message(message) => {
                    self.bank_is_there(conn, pipeline);
                    self.in_hand.bank = Some(Hand::Acting(conn));
                    if self.poisons.is_empty() || !self.is_poison(conn, &message, pipeline) {
                        self.bank_message(conn, &message, pipeline);
                    }
                }
                Incoming::Deadly => {
                    let peer = self.banks.get(&conn).map(peer_of).unwrap_or_default();
                    self.poison_came(peer, pipeline);
                }
                Incoming::Unreadable(message) => {
                    self.bank_is_there(conn, pipeline);
                    self.refuse_bank(conn, &message, Reason::Format, pipeline);
                }
                Incoming::BadMac => {
                    if self.bad_mac(conn, pipeline) {
                        self.in_hand.bank = None;
                        return;
                    }
                }
                Incoming::Close(broken) => {
                    pipeline.close(conn, crate::event::reason_of(broken));
                    self.in_hand.bank = None;
                    return;
                }
            }
        }
        self.in_hand.bank = None;
        let half_frame_ms = self.config.link_timers.half_frame_ms;
        if let Some(since) = self.banks.get_mut(&conn).and_then(|bank| bank.wire.half(now)) {
            self.watch.sooner(conn, since.plus_ms(half_frame_ms));
        }
        if let Some(listen) = self.banks.get_mut(&conn).map(|bank| bank.wire.listen()) {
            if let Some(on) = listen.on {
                pipeline.act(Action::Listen { conn, on });
            }
            if let Some(until) = listen.until {
                self.watch.sooner(conn, until);
            }
        }
    }

    /// What the hub is working on, if it is a bank's message or a station's request.
    pub(crate) fn in_hand(&self) -> Option<InHand> {
        if let Some(station) = self.in_hand.station {
            let is_certified = self.config.channels == Channels::Secure;
            let hand = InHand::new(format!("station {}", station.0), &self.in_hand.payload);
            return Some(InHand { is_certified, ..hand });
        }
        let hand = self.in_hand.bank?;
        let line = self.banks.get(&hand.conn())?;
        let bytes = line.wire.session.last_taken();
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty())?;
        let (is_read, is_certified) = (hand.is_read(), line.certified.is_some());
        Some(InHand { is_read, is_certified, ..InHand::new(peer_of(line), bytes) })
    }

    /// Whether the role has died of this message before, or of too many of this peer; then it has
    /// been refused, and a person must look.
    fn is_poison(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) -> bool {
        let Some(line) = self.banks.get(&conn) else { return false };
        let peer = peer_of(line);
        let poison = self.poisons.refuses(&peer, line.wire.session.last_taken());
        if poison {
            self.poison_came(peer, pipeline);
            self.refuse_bank(conn, message, Reason::Fault, pipeline);
        }
        poison
    }

    /// What the hub died of came again.
    pub(super) fn poison_came(&mut self, peer: String, pipeline: &mut Pipeline) {
        let remedy = "the hub died of it before: see its directory poison, and report it";
        let values = vec![("peer", peer), ("do", remedy.to_owned())];
        pipeline.log(Level::Error, "poison_refused", values);
        self.find(FindingKind::Poison, pipeline);
    }

    /// Those whose reversals waited for room are heard again.
    pub(crate) fn hear_waiting(&mut self, pipeline: &mut Pipeline) {
        while let Some(conn) = self.roomy.pop() {
            self.hear_bank(conn, pipeline);
        }
    }

    /// Any message whose MAC holds proves that the bank is there.
    fn bank_is_there(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let Some(line) = self.banks.get_mut(&conn) else { return };
        line.echo = None;
        if std::mem::take(&mut line.missed) > 0 {
            self.take_turns_again(conn, pipeline);
        }
    }

    /// Counts a message that nobody answers and nothing believes; the third within a minute closes
    /// the connection, and then it is `true` (R-MAC).
    fn bad_mac(&mut self, conn: ConnId, pipeline: &mut Pipeline) -> bool {
        self.bad_macs = self.bad_macs.saturating_add(1);
        let now = self.now;
        let Some(line) = self.banks.get_mut(&conn) else { return true };
        line.bad_macs.retain(|at| now.ms_since(*at) < BAD_MAC_WINDOW_MS);
        line.bad_macs.push(now);
        let close = line.bad_macs.len() >= BAD_MACS_MAX;
        let bank = line.certified.map(|bank| bank.to_string()).unwrap_or_default();
        let remedy = "compare the MAC key files of the bank and the hub";
        let values = vec![("bank", bank), ("do", remedy.to_owned())];
        pipeline.log(Level::Warn, "bad_mac", values);
        if close {
            pipeline.close(conn, CloseReason::BadMac);
        }
        close
    }

    pub(super) fn participates(&self, bank: ParticipantId) -> bool {
        self.hub.state().directory().participants.contains_key(&bank)
    }

    /// Closes on a peer whose certificate is good, and whom this door does not know.
    pub(super) fn unknown_peer(&self, conn: ConnId, who: &PeerName, pipeline: &mut Pipeline) {
        let remedy = "name the peer in the configuration, or send it to its own door";
        let values = vec![("certificate", who.to_string()), ("do", remedy.to_owned())];
        pipeline.log(Level::Warn, "unknown_identity", values);
        pipeline.close(conn, CloseReason::UnknownIdentity);
    }

    fn bank_message(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let mti = message.mti();
        match (mti.class(), mti.function()) {
            (MtiClass::Network, MtiFunction::Request) => {
                self.bank_network(conn, message, pipeline);
            }
            (MtiClass::Network, _) => {
                if let (Some(line), Some(stan)) =
                    (self.banks.get_mut(&conn), network::answered(message))
                    && line.echo.is_some_and(|(sent, _)| sent == stan)
                {
                    line.echo = None;
                }
            }
            (_, MtiFunction::RequestResponse | MtiFunction::AdviceResponse) => {
                self.bank_answer(conn, message, pipeline);
            }
            (_, MtiFunction::Request | MtiFunction::Advice) => {
                self.bank_request(conn, message, pipeline);
            }
            (_, MtiFunction::Other) => self.count(Count::StrayAnswer),
        }
    }

    fn bank_network(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let (now, (rates, _)) = (self.now, self.config.limits.of_bank());
        let Some(line) = self.banks.get_mut(&conn) else { return };
        // Not shed for load: a link that gets no echo is given up, which costs more.
        if let Err(limit) = line.wire.asked.admit(now, Class::Status, rates, 0, 1) {
            return self.refuse_bank_limit(conn, message, limit, pipeline);
        }
        let request = match network::request(message) {
            Ok(request) => request,
            Err(reason) => return self.refuse_bank(conn, message, reason, pipeline),
        };
        let known = self.banks.get(&conn).and_then(|line| line.bank);
        match request.function {
            Function::Echo => self.answer_network(conn, message, ResponseCode::APPROVED, pipeline),
            Function::SignOn => {
                self.sign_on(conn, request.institution, message, pipeline);
            }
            Function::SignOff => {
                self.answer_network(conn, message, ResponseCode::APPROVED, pipeline);
                if let (Some(bank), Some(line)) = (known, self.banks.get_mut(&conn)) {
                    line.signed_on = false;
                    pipeline.log(Level::Info, "signed_off", vec![("bank", bank.to_string())]);
                    self.drive(Input::Line { bank, line: conn, signed_on: false }, pipeline);
                }
            }
            Function::Unsupported => {
                self.refuse_bank(conn, message, Reason::Unsupported, pipeline);
            }
        }
    }

    fn sign_on(
        &mut self,
        conn: ConnId,
        claimed: Option<ParticipantId>,
        message: &Message,
        pipeline: &mut Pipeline,
    ) {
        let refused = Reason::Terminal.response_code();
        let line = self.banks.get(&conn);
        let (certified, earlier) = line.map_or((None, None), |line| (line.certified, line.bank));
        if let Some(certified) = certified
            && let Some(claimed) = claimed
            && certified != claimed
        {
            let remedy = "the bank's host must sign on with the DE32 that its certificate names";
            let values = vec![
                ("certificate", certified.to_string()),
                ("claims", claimed.to_string()),
                ("do", remedy.to_owned()),
            ];
            pipeline.log(Level::Warn, "other_identity", values);
            self.answer_network(conn, message, refused, pipeline);
            pipeline.close(conn, CloseReason::OtherIdentity);
            return;
        }
        let known = certified.or(earlier).or(claimed).filter(|bank| self.participates(*bank));
        let Some(bank) = known else {
            self.answer_network(conn, message, refused, pipeline);
            pipeline.close(conn, CloseReason::UnknownIdentity);
            return;
        };
        let others = self
            .banks
            .iter()
            .filter(|(other, line)| **other != conn && line.bank == Some(bank) && line.missed == 0)
            .count();
        if others >= BANK_CONNECTIONS_MAX {
            pipeline.log(Level::Warn, "too_many_connections", vec![("bank", bank.to_string())]);
            let overload = Reason::Overload.response_code();
            self.answer_network(conn, message, overload, pipeline);
            pipeline.close(conn, CloseReason::TooMany);
            return;
        }
        if let Some(line) = self.banks.get_mut(&conn) {
            line.bank = Some(bank);
            line.signed_on = true;
        }
        self.bank_strangers.remove(&conn);
        pipeline.log(
            Level::Info,
            "signed_on",
            vec![("bank", bank.to_string()), ("name", self.participant_name(bank))],
        );
        self.answer_network(conn, message, ResponseCode::APPROVED, pipeline);
        self.drive(Input::Line { bank, line: conn, signed_on: true }, pipeline);
    }

    fn bank_answer(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        // Only a signed-on connection can answer (R-LINK).
        let Some(bank) = self.signed_on(conn) else {
            return self.count(Count::StrayAnswer);
        };
        let reversal = message.mti().class() == MtiClass::Reversal;
        let advice = message.mti().function() == MtiFunction::AdviceResponse;
        if reversal || advice {
            match issuer::acknowledgement(message) {
                Some((trace, code)) => {
                    self.drive(Input::AdviceAnswer { bank, trace, code }, pipeline);
                }
                None => self.count(Count::StrayAcknowledgement),
            }
            return;
        }
        match issuer::answer(bank, message) {
            Some(answer) => self.drive(Input::IssuerAnswer(answer), pipeline),
            None => self.count(Count::StrayAnswer),
        }
    }

    /// Whether a request is taken now. If not, it has been refused (96), or waits for room.
    fn admits(
        &mut self,
        conn: ConnId,
        bank: ParticipantId,
        message: &Message,
        pipeline: &mut Pipeline,
    ) -> bool {
        let class = Class::of(message);
        let limits = &self.config.limits;
        let under_way = share(self.hub.in_flight(), limits.in_flight);
        if pipeline.sheds(self.now, class, under_way) {
            self.refuse_bank(conn, message, Reason::Overload, pipeline);
            return false;
        }
        let Some(line) = self.banks.get_mut(&conn) else { return false };
        if class == Class::Owed && !line.wire.has_room_for_owed(limits.bank_connection_in_flight) {
            line.wire.hold(message.clone());
            return false;
        }
        let (rates, in_flight) = limits.of_bank();
        let asking = self.asking.entry(bank).or_default();
        let full = line.wire.session.waiting() >= limits.bank_connection_in_flight;
        let waiting = if full { in_flight } else { asking.waiting };
        match asking.asked.admit(self.now, class, rates, waiting, in_flight) {
            Ok(()) => {
                let lacks = (self.hub.state().payments().unindexed(), limits.new_payments);
                if class == Class::Payment
                    && let Some(until) = self.slowed.take(self.now, lacks, &mut line.wire.taken)
                {
                    line.wire.wait_until(until);
                }
                true
            }
            Err(limit) => {
                self.refuse_bank_limit(conn, message, limit, pipeline);
                false
            }
        }
    }

    fn refuse_bank_limit(
        &mut self,
        conn: ConnId,
        message: &Message,
        limit: Limit,
        pipeline: &mut Pipeline,
    ) {
        self.count(Count::Refused(Reason::Overload));
        if let Some(line) = self.banks.get(&conn) {
            let mut bytes = Vec::new();
            line.wire.session.refuse_limit(message, limit, &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    fn bank_request(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let Some(bank) = self.signed_on(conn) else {
            return self.refuse_bank(conn, message, Reason::IssuerDown, pipeline);
        };
        if !self.admits(conn, bank, message, pipeline) {
            return;
        }
        let place = Place {
            now: self.now,
            zone: &self.config.zone,
            currency: self.config.currency.numeric(),
            vault: &self.vault,
            source: Source::Bank(bank),
        };
        let mut request = match to_request(message, &place) {
            Ok(request) => request,
            Err(reason) => return self.refuse_bank(conn, message, reason, pipeline),
        };
        if !request.rrn_sent {
            request.rrn = self.make_rrn();
        }
        let ticket = self.ticket();
        let Some(line) = self.banks.get_mut(&conn) else {
            return;
        };
        if !line.wire.session.expect_answer(ticket, message, &request) {
            return self.refuse_bank(conn, message, Reason::Overload, pipeline);
        }
        self.askers.insert(ticket, conn);
        let asking = self.asking.entry(bank).or_default();
        asking.waiting = asking.waiting.saturating_add(1);
        let from = ReplyTo { peer: PeerId::Bank(bank), ticket };
        self.request(from, request, pipeline);
    }

    pub(super) fn answer_bank(
        &mut self,
        bank: ParticipantId,
        ticket: u64,
        answer: &Answer,
        pipeline: &mut Pipeline,
    ) {
        let mut bytes = Vec::new();
        if let Some(asking) = self.asking.get_mut(&bank) {
            asking.waiting = asking.waiting.saturating_sub(1);
        }
        let asker = self.askers.remove(&ticket);
        if let Some((conn, line)) = asker.and_then(|conn| Some((conn, self.banks.get_mut(&conn)?)))
            && line.wire.session.answer(ticket, answer, &mut bytes)
        {
            if line.wire.has_answered() {
                self.roomy.push(conn);
            }
            self.defer_bank(conn, bank, bytes, pipeline);
            return;
        }
        // Its connection is gone: another one of the same bank will do (R-LINK). The newest is the
        // likeliest to be well.
        let orphan = self.orphans.remove(&ticket);
        let other = self.banks.iter().rfind(|(_, line)| line.is_of(bank));
        if let (Some((_, echo)), Some((conn, line))) = (orphan, other) {
            line.wire.session.answer_for(&echo, answer, &mut bytes);
            let conn = *conn;
            self.defer_bank(conn, bank, bytes, pipeline);
            return;
        }
        self.answers_dropped = self.answers_dropped.saturating_add(1);
    }

    /// Holds what is framed for a connection until it may go.
    fn defer_bank(&self, conn: ConnId, bank: ParticipantId, bytes: Vec<u8>, to: &mut Pipeline) {
        let dialect = self.banks.get(&conn).and_then(|line| line.wire.session.dialect());
        to.defer(Deferred::Bank { conn, bank, dialect, bytes });
    }

    /// Where what was framed for a connection of a bank can go now: there, or to another of its
    /// connections that speaks alike.
    pub(crate) fn bank_conn(
        &mut self,
        conn: ConnId,
        bank: ParticipantId,
        dialect: Option<&'static Dialect>,
    ) -> Option<ConnId> {
        if self.banks.contains_key(&conn) {
            return Some(conn);
        }
        let alike = |line: &BankLine| match (line.wire.session.dialect(), dialect) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (Some(_) | None, _) => false,
        };
        let mut others = self.banks.iter().filter(|(_, line)| line.is_of(bank) && alike(line));
        let other = others.next_back().map(|(conn, _)| *conn);
        if other.is_none() {
            self.answers_dropped = self.answers_dropped.saturating_add(1);
        }
        other
    }

    /// The bank that is signed on here.
    fn signed_on(&self, conn: ConnId) -> Option<ParticipantId> {
        self.banks.get(&conn).filter(|line| line.signed_on).and_then(|line| line.bank)
    }

    /// DE37 for a bank that sent none (R-MATCH): YDDD and the microseconds of the local day in
    /// eight base-36 digits, each used once. The role's time never goes back, over a restart
    /// either, so no number comes twice.
    fn make_rrn(&mut self) -> Rrn {
        self.last_rrn_us = (self.now.0 / 1000).max(self.last_rrn_us.saturating_add(1));
        rrn(&self.config.zone, self.last_rrn_us)
    }

    pub(super) fn send_bank(
        &mut self,
        conn: ConnId,
        message: Result<Message, UnsealError>,
        pipeline: &mut Pipeline,
    ) {
        match message {
            Ok(message) => {
                if let Some((line, bank)) = self.banks.get(&conn).and_then(|l| Some((l, l.bank?))) {
                    let mut bytes = Vec::new();
                    line.wire.session.frame(&message, &mut bytes);
                    self.defer_bank(conn, bank, bytes, pipeline);
                }
            }
            // The key that sealed the card is gone: nobody can be asked or told.
            Err(error) => {
                pipeline.log(Level::Error, "card_unreadable", vec![("why", error.to_string())]);
            }
        }
    }

    fn answer_network(
        &mut self,
        conn: ConnId,
        request: &Message,
        code: ResponseCode,
        pipeline: &mut Pipeline,
    ) {
        if let Some(line) = self.banks.get(&conn) {
            let mut bytes = Vec::new();
            line.wire.session.frame(&network::answer(request, code), &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    fn refuse_bank(
        &mut self,
        conn: ConnId,
        message: &Message,
        reason: Reason,
        pipeline: &mut Pipeline,
    ) {
        self.count(Count::Refused(reason));
        self.count_refusal(reason, pipeline);
        if let Some(line) = self.banks.get(&conn) {
            let mut bytes = Vec::new();
            line.wire.session.refuse(message, reason, &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    pub(super) fn count(&mut self, count: Count) {
        let counted = self.counts.entry(count).or_default();
        *counted = counted.saturating_add(1);
    }

    /// Time to look at a connection: half a frame for too long, or silence.
    pub(super) fn look_at_bank(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let (now, timers) = (self.now, self.config.timers);
        let half_frame_ms = self.config.link_timers.half_frame_ms;
        if self.banks.get_mut(&conn).is_some_and(|line| line.wire.hears_again(now)) {
            self.hear_bank(conn, pipeline);
        }
        let Some(line) = self.banks.get_mut(&conn) else {
            return;
        };
        if line.wire.is_half_for(now, half_frame_ms) {
            pipeline.close(conn, CloseReason::Idle);
            return;
        }
        if let Some((_, deadline)) = line.echo
            && now >= deadline
        {
            line.echo = None;
            line.missed = line.missed.saturating_add(1);
            if line.missed >= ECHOES_MISSED {
                pipeline.close(conn, CloseReason::EchoMissed);
                return;
            }
            self.pass_over(conn, pipeline);
        }
        let Some(line) = self.banks.get_mut(&conn) else {
            return;
        };
        let quiet_until = line.wire.last_heard.plus_ms(timers.echo_idle_ms);
        let due = match line.echo {
            Some((_, deadline)) => deadline,
            None if now < quiet_until && line.missed == 0 => quiet_until,
            None if !line.signed_on => {
                // It has had its time to sign on.
                pipeline.close(conn, CloseReason::Idle);
                return;
            }
            None => {
                line.echoes = line.echoes.wrapping_add(1);
                let stan = Stan::from_counter(line.echoes);
                let deadline = now.plus_ms(timers.echo_answer_ms);
                line.echo = Some((stan, deadline));
                if let Some(echo) = network::echo(now, stan) {
                    let mut bytes = Vec::new();
                    line.wire.session.frame(&echo, &mut bytes);
                    pipeline.send(conn, bytes);
                }
                deadline
            }
        };
        self.watch.sooner(conn, due);
    }
    /// A connection that missed an echo takes no turns while its bank has another.
    fn pass_over(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        if let Some(bank) = self.signed_on(conn).filter(|bank| self.hub.lines(*bank) > 1) {
            self.drive(Input::Line { bank, line: conn, signed_on: false }, pipeline);
        }
    }

    /// It speaks again.
    fn take_turns_again(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        if let Some(bank) = self.signed_on(conn) {
            self.drive(Input::Line { bank, line: conn, signed_on: true }, pipeline);
        }
    }
}

/// YDDD, and the microseconds since local midnight in base 36. A day of 25 hours has room.
fn rrn(zone: &Zone, at_us: u64) -> Rrn {
    let local = zone.local(Timestamp(at_us.saturating_mul(1000)));
    let midnight = CivilDateTime { hour: 0, minute: 0, second: 0, ..local };
    let new_year = CivilDateTime { month: 1, day: 1, ..midnight };
    let day = midnight.seconds().saturating_sub(new_year.seconds()) / 86_400 + 1;
    let date = u64::from(local.year) % 10 * 1000 + day;
    let mut rest = at_us.saturating_sub(zone.instant(midnight).0 / 1000);
    let mut text = [b'0'; 12];
    text[..4].copy_from_slice(format!("{date:04}").as_bytes());
    for place in text[4..].iter_mut().rev() {
        *place = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % 36) as usize];
        rest /= 36;
    }
    Rrn::new(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_match_a_reference_number_of_ours_names_its_day_and_microsecond() {
        let zone = Zone::fixed(9 * 3600);
        // 2026-11-22 00:00:01.000035 local: day 326.
        let at = 1_795_273_200_000_000 + 1_000_035;
        assert_eq!(rrn(&zone, at).as_str(), "63260000LFMR");
        assert_eq!(rrn(&zone, at + 1).as_str(), "63260000LFMS");
        // The last one of a day is above every other.
        assert!(rrn(&zone, at + 86_398_000_000).as_str() > rrn(&zone, at).as_str());
    }
}
