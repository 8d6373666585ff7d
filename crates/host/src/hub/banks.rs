//! Banks' connections: who they are, whether they are signed on and alive (R-LINK, R-TIME).

use interchange::network::{self, Function};
use interchange::{Incoming, Place, Source, issuer, to_request};
use keys::UnsealError;
use scheme::{MtiClass, MtiFunction, ParticipantId, Reason, ResponseCode, Stan, Timestamp};
use switch::hub::{Count, Input};
use switch::{Answer, PeerId, ReplyTo};
use wire::iso8583::{Dialect, Message};

use super::HubRole;
use crate::event::{CloseReason, ConnId, Level};
use crate::line::Line;
use crate::pipeline::Pipeline;

/// Two echoes missed, and the link is down.
const ECHOES_MISSED: u8 = 2;

/// One connection of a bank.
#[derive(Debug)]
pub(crate) struct BankLine {
    wire: Line,
    /// Who it is: its DE32 at sign-on, until certificates say it.
    pub(super) bank: Option<ParticipantId>,
    pub(super) signed_on: bool,
    echo: Option<(Stan, Timestamp)>,
    missed: u8,
    echoes: u64,
}

impl HubRole {
    pub(crate) fn accept_bank(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        if self.banks.len() >= self.config.limits.connections {
            pipeline.close(conn, CloseReason::TooMany);
            return;
        }
        let dialects = Dialect::builtin_names().iter().copied();
        let line = BankLine {
            wire: Line::new(dialects, self.config.limits.connection_in_flight, self.now),
            bank: None,
            signed_on: false,
            echo: None,
            missed: 0,
            echoes: 0,
        };
        self.banks.insert(conn, line);
        self.watch.set(conn, self.now.plus_ms(self.config.timers.echo_idle_ms));
    }

    pub(crate) fn bank_closed(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        self.watch.forget(conn);
        let Some(line) = self.banks.remove(&conn) else {
            return;
        };
        if let Some(bank) = line.bank.filter(|_| line.signed_on) {
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
        // Any message proves that the bank is there.
        line.echo = None;
        line.missed = 0;
        while let Some(incoming) = self.banks.get_mut(&conn).and_then(|bank| bank.wire.take()) {
            match incoming {
                Incoming::Message(message) => self.bank_message(conn, &message, pipeline),
                Incoming::Unreadable(message) => {
                    self.refuse_bank(conn, &message, Reason::Format, pipeline);
                }
                Incoming::Close(broken) => {
                    pipeline.close(conn, crate::event::reason_of(broken));
                    return;
                }
            }
        }
        let half_frame_ms = self.config.link_timers.half_frame_ms;
        if let Some(since) = self.banks.get_mut(&conn).and_then(|bank| bank.wire.half(now)) {
            self.watch.sooner(conn, since.plus_ms(half_frame_ms));
        }
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
        let request = match network::request(message) {
            Ok(request) => request,
            Err(reason) => return self.refuse_bank(conn, message, reason, pipeline),
        };
        let known = self.banks.get(&conn).and_then(|line| line.bank);
        match request.function {
            Function::Echo => self.answer_network(conn, message, ResponseCode::APPROVED, pipeline),
            Function::SignOn => {
                self.sign_on(conn, known.or(request.institution), message, pipeline);
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
        let known =
            claimed.filter(|bank| self.hub.state().directory().participants.contains_key(bank));
        let Some(bank) = known else {
            self.answer_network(conn, message, refused, pipeline);
            pipeline.close(conn, CloseReason::UnknownIdentity);
            return;
        };
        let taken = self
            .banks
            .iter()
            .any(|(other, line)| *other != conn && line.bank == Some(bank) && line.missed == 0);
        if taken {
            // Until certificates prove who is who, the first claim stands while it is alive.
            pipeline.log(Level::Warn, "identity_taken", vec![("bank", bank.to_string())]);
            self.answer_network(conn, message, refused, pipeline);
            pipeline.close(conn, CloseReason::IdentityTaken);
            return;
        }
        if let Some(line) = self.banks.get_mut(&conn) {
            line.bank = Some(bank);
            line.signed_on = true;
        }
        pipeline.log(
            Level::Info,
            "signed_on",
            vec![("bank", bank.to_string()), ("name", self.participant_name(bank))],
        );
        self.answer_network(conn, message, ResponseCode::APPROVED, pipeline);
        self.drive(Input::Line { bank, line: conn, signed_on: true }, pipeline);
    }

    fn bank_answer(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let Some(bank) = self.banks.get(&conn).and_then(|line| line.bank) else {
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

    fn bank_request(&mut self, conn: ConnId, message: &Message, pipeline: &mut Pipeline) {
        let line = self.banks.get(&conn);
        let Some(bank) = line.filter(|line| line.signed_on).and_then(|line| line.bank) else {
            return self.refuse_bank(conn, message, Reason::IssuerDown, pipeline);
        };
        let reversal = message.mti().class() == MtiClass::Reversal;
        if !reversal && pipeline.overloaded(self.now) {
            return self.refuse_bank(conn, message, Reason::Overload, pipeline);
        }
        let place = Place {
            now: self.now,
            zone: &self.config.zone,
            currency: self.config.currency.numeric(),
            vault: &self.vault,
            source: Source::Bank(bank),
        };
        let request = match to_request(message, &place) {
            Ok(request) => request,
            Err(reason) => return self.refuse_bank(conn, message, reason, pipeline),
        };
        let ticket = self.ticket();
        let Some(line) = self.banks.get_mut(&conn) else {
            return;
        };
        if !line.wire.session.expect_answer(ticket, message, &request) {
            return self.refuse_bank(conn, message, Reason::Overload, pipeline);
        }
        let from = ReplyTo { peer: PeerId::Bank(bank), ticket };
        self.drive(Input::Request { from, request }, pipeline);
    }

    pub(super) fn answer_bank(
        &mut self,
        bank: ParticipantId,
        ticket: u64,
        answer: &Answer,
        pipeline: &mut Pipeline,
    ) {
        for (conn, line) in &mut self.banks {
            let mut bytes = Vec::new();
            if line.bank == Some(bank) && line.wire.session.answer(ticket, answer, &mut bytes) {
                pipeline.send(*conn, bytes);
                return;
            }
        }
        self.answers_dropped = self.answers_dropped.saturating_add(1);
    }

    pub(super) fn send_bank(
        &mut self,
        conn: ConnId,
        message: Result<Message, UnsealError>,
        pipeline: &mut Pipeline,
    ) {
        match message {
            Ok(message) => {
                if let Some(line) = self.banks.get(&conn) {
                    let mut bytes = Vec::new();
                    line.wire.session.frame(&message, &mut bytes);
                    pipeline.send(conn, bytes);
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
        if let Some(line) = self.banks.get(&conn) {
            let mut bytes = Vec::new();
            line.wire.session.refuse(message, reason, &mut bytes);
            pipeline.send(conn, bytes);
        }
    }

    fn count(&mut self, count: Count) {
        let counted = self.counts.entry(count).or_default();
        *counted = counted.saturating_add(1);
    }

    /// Time to look at a connection: half a frame for too long, or silence.
    pub(super) fn look_at_bank(&mut self, conn: ConnId, pipeline: &mut Pipeline) {
        let (now, timers) = (self.now, self.config.timers);
        let half_frame_ms = self.config.link_timers.half_frame_ms;
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
        }
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
        self.watch.set(conn, due);
    }
}
