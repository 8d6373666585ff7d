//! The synthetic payment (R-FIRES): one minor unit from a probe card at the station's probe
//! terminal, reversed at once. It goes the whole way of a terminal's payment, so that a station
//! where nobody shops still knows whether it works.

use interchange::{Place, Source, to_request};
use keys::Expiry;
use scheme::{Mti, Pan, ParticipantId, RetailerId, TerminalId, Timestamp};
use switch::station::{Input, TrunkState};
use switch::{PeerId, ReplyTo, Request};
use wire::iso8583::Message;

use super::StationRole;
use crate::admission::{Class, share};
use crate::config::{Config, StationSection, TerminalRole};
use crate::event::ConnId;
use crate::limits::{PROBE_EVERY_MS, PROBE_FIRST_MS, PROBE_PASS_OVER_MS, PROBE_RETRY_MS};
use crate::pipeline::Pipeline;
use crate::view::ProbeView;

/// The station itself, among the connections of its terminals; no shell counts so far.
pub(super) const OWN: ConnId = ConnId::MAX;

/// A card that synthetic payments are made with.
#[derive(Clone, Debug)]
pub struct ProbeCard {
    /// Whose card it is.
    pub issuer: ParticipantId,
    /// Its number.
    pub pan: Pan,
    /// Until when it is good (DE14), YYMM.
    pub expiry: Expiry,
}

/// A card, and when it last failed.
#[derive(Debug)]
struct Tried {
    card: ProbeCard,
    failed: Option<Timestamp>,
}

/// The station's synthetic payments.
#[derive(Debug, Default)]
pub(super) struct Probe {
    terminal: Option<(ParticipantId, TerminalId, RetailerId)>,
    cards: Vec<Tried>,
    /// The card whose turn it is.
    turn: usize,
    /// When the next one may be due.
    due: Timestamp,
    /// The one under way: its ticket and its card.
    under_way: Option<(u64, usize)>,
    succeeded: Option<Timestamp>,
    failed: Option<(Timestamp, String)>,
}

impl Probe {
    pub(super) fn new(config: &Config, section: &StationSection) -> Self {
        let mut terminals = config.terminals.iter();
        let probe = terminals.find(|t| t.station == section.id && t.role == TerminalRole::Probe);
        let terminal = probe.map(|probe| (probe.acquirer, probe.terminal, probe.retailer));
        Self { terminal, ..Self::default() }
    }

    pub(super) fn started(&mut self, now: Timestamp) {
        self.due = now.plus_ms(PROBE_FIRST_MS);
    }

    /// When time alone makes the next one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let able = self.terminal.is_some() && !self.cards.is_empty() && self.under_way.is_none();
        able.then_some(self.due)
    }

    /// The next card in turn; those that failed lately only where no other is left.
    fn choose(&mut self, now: Timestamp) -> Option<usize> {
        let count = self.cards.len();
        let turns = (0..count).map(|step| self.turn.saturating_add(step) % count.max(1));
        let lately = |at: &usize| {
            let failed = self.cards.get(*at).and_then(|tried| tried.failed);
            failed.is_some_and(|failed| now.ms_since(failed) < PROBE_PASS_OVER_MS)
        };
        let chosen = turns.clone().find(|at| !lately(at)).or_else(|| turns.clone().next())?;
        self.turn = chosen.saturating_add(1);
        Some(chosen)
    }

    pub(super) fn view(&self, now: Timestamp) -> ProbeView {
        let failed = self.failed.as_ref().filter(|(at, _)| Some(*at) > self.succeeded);
        ProbeView {
            terminal: self.terminal.map(|(_, terminal, _)| terminal.as_str().to_owned()),
            cards: self.cards.len() as u64,
            succeeded_ms: self.succeeded.map(|at| now.ms_since(at)),
            failed: failed.map(|(_, code)| code.clone()),
        }
    }
}

impl StationRole {
    /// Makes synthetic payments with these cards from here on.
    pub(crate) fn probe_with(&mut self, cards: Vec<ProbeCard>) {
        self.probe.cards = cards.into_iter().map(|card| Tried { card, failed: None }).collect();
    }

    /// Makes a synthetic payment if it is time.
    pub(super) fn look_at_probe(&mut self, pipeline: &mut Pipeline) {
        if self.probe.next().is_none_or(|due| due > self.now) {
            return;
        }
        let real = self.beacon.traffic.really_succeeded();
        let quiet = real.map(|at| at.plus_ms(PROBE_EVERY_MS)).filter(|until| *until > self.now);
        if let Some(until) = quiet {
            self.probe.due = until;
            return;
        }
        let up = matches!(self.station.trunk(), TrunkState::Up { .. });
        let under_way = share(self.station.in_flight(), self.config.limits.station_in_flight);
        if !up || pipeline.sheds(self.now, Class::Payment, under_way) {
            self.probe.due = self.now.plus_ms(PROBE_RETRY_MS);
            return;
        }
        self.probe.due = self.now.plus_ms(PROBE_EVERY_MS);
        let Some(card) = self.probe.choose(self.now) else { return };
        let Some(request) = self.synthetic(card) else { return };
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        self.probe.under_way = Some((ticket, card));
        self.begin(ticket, &request);
        let from = ReplyTo { peer: PeerId::Terminal(OWN), ticket };
        self.drive(Input::Synthetic { from, request }, pipeline);
    }

    /// A purchase of one minor unit, as the probe terminal would send it.
    fn synthetic(&self, card: usize) -> Option<Request> {
        let (acquirer, terminal, retailer) = self.probe.terminal?;
        let ProbeCard { pan, expiry, .. } = &self.probe.cards.get(card)?.card;
        // Another one at every second of eleven days, also after a restart.
        let stan = self.now.seconds() % 999_999;
        let mut message = Message::new(Mti::new(200)?);
        message.set(2, pan.digits());
        message.set(3, b"000000");
        message.set(4, b"000000000001");
        message.set(7, self.now.month_time().to_string().as_bytes());
        message.set(11, format!("{:06}", stan.saturating_add(1)).as_bytes());
        message.set(14, expiry);
        message.set(32, acquirer.to_string().as_bytes());
        message.set(41, terminal.bytes());
        message.set(42, retailer.bytes());
        let place = Place {
            now: self.now,
            zone: &self.config.zone,
            currency: self.config.currency.numeric(),
            vault: &self.vault,
            source: Source::Terminal(&self.register),
        };
        to_request(&message, &place).ok()
    }

    /// How a synthetic payment ended; its reversal is the machine's.
    pub(super) fn probe_answered(&mut self, ticket: u64, answer: &switch::Answer) {
        let Some((_, card)) = self.probe.under_way.take_if(|(known, _)| *known == ticket) else {
            return;
        };
        let approved = answer.code.is_approved();
        let Some(tried) = self.probe.cards.get_mut(card) else { return };
        tried.failed = if approved { None } else { Some(self.now) };
        if approved {
            self.probe.succeeded = Some(self.now);
        } else {
            let said = format!("{}: {} {}", tried.card.issuer, answer.code, answer.text);
            self.probe.failed = Some((self.now, said.trim_end().to_owned()));
        }
    }
}
