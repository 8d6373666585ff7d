//! The hub as a role: the machine, its books, its banks' connections and its stations' trunks.

mod banks;
mod change;
mod history;
mod ledger;
pub(crate) mod query;
pub(crate) mod rebuild;
pub(crate) mod replay;
pub(crate) mod standing;
mod trunks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ::ledger::Books;
use ::ledger::limits::WINDOW_TRANSFERS;
use interchange::Echo;
use interchange::issuer;
use keys::CardVault;
use scheme::{ParticipantId, PaymentId, Rrn, Stan, StationId, TerminalId, Timestamp};
use switch::hub::{AdviceKind, Answers, Count, Effect, HubConfig, Input};
use switch::record::{Fact, Finding, FindingKind, Seen};
use switch::{Hub, PeerId, Record, ReplyTo, Request, Trace};

use self::ledger::Cluster;
use crate::admission::{Asked, Slowed};
use crate::beacon::Beacon;
use crate::config::{Config, Profile};
use crate::event::{Action, CloseReason, ConnId, Level};
use crate::history::Ask;
use crate::opening::{HostKeys, LinkMacs};
use crate::pipeline::{Deferred, Pipeline};
use crate::poison::{self, Poisons};
use crate::traffic::Ends;
use crate::view::FindingView;
use crate::watch::Watch;
use banks::BankLine;
use standing::Day;
pub(crate) use trunks::link_timers;
use trunks::{Stranger, Trunk};

/// Whose a request is.
#[derive(Debug)]
struct About {
    acquirer: ParticipantId,
    terminal: TerminalId,
    stan: Stan,
    rrn: Rrn,
}

/// The hub.
#[derive(Debug)]
pub(crate) struct HubRole {
    pub(crate) config: Config,
    pub(crate) hub: Hub,
    /// The ledger; where that is a cluster, what the records make of it.
    pub(crate) books: Books,
    /// The ledger, where it is not `books`.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) vault: CardVault,
    macs: LinkMacs,
    /// New at every start of the process.
    start: u64,
    now: Timestamp,
    watch: Watch,
    banks: BTreeMap<ConnId, BankLine>,
    /// On which connection a bank's request came, by ticket.
    askers: BTreeMap<u64, ConnId>,
    /// What each bank asks, on all its connections.
    asking: BTreeMap<ParticipantId, Asking>,
    /// Banks' connections that have not signed on, the oldest first.
    bank_strangers: BTreeSet<ConnId>,
    /// How fast new payments are taken while history is behind.
    slowed: Slowed,
    /// Those whose reversals waited for room, and have some.
    roomy: Vec<ConnId>,
    /// Whose message is being worked on.
    pub(crate) in_hand: Hand,
    pub(crate) poisons: Poisons,
    /// Banks' requests whose connection is gone.
    orphans: BTreeMap<u64, (ParticipantId, Echo)>,
    /// The last number from which a DE37 was made.
    last_rrn_us: u64,
    /// Connections that came through the trunk door and have not said who they are.
    strangers: BTreeMap<ConnId, Stranger>,
    trunks: BTreeMap<StationId, Trunk>,
    next_ticket: u64,
    counts: BTreeMap<Count, u64>,
    /// Answers that no connection could take; a repeat gets them again.
    answers_dropped: u64,
    /// Messages of banks without a MAC that holds.
    bad_macs: u64,
    pub(crate) beacon: Beacon,
    /// The business day's totals.
    day: Day,
    /// Lists of payments that wait for history.
    lists: history::Lists,
    /// The last findings, oldest first.
    findings: VecDeque<FindingView>,
    /// Terminals whose payments are synthetic.
    probes: BTreeSet<(ParticipantId, TerminalId)>,
    /// Synthetic payments that ended since the start, which no total holds.
    synthetic: Ends,
    started_at: Timestamp,
    /// Of the request that the machine is working on: what a finding tells of it.
    about: Option<About>,
    /// Lists of effects that are not in use: as many as drives were ever nested.
    spare_effects: Vec<Vec<Effect>>,
}

/// What is being worked on. The bytes of a station's request are copied here, which costs less than
/// reading them; those of a bank are with its connection.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pub(super) bank: Option<poison::Hand>,
    pub(super) station: Option<StationId>,
    pub(super) payload: Vec<u8>,
}

/// What a bank asks as an acquirer.
#[derive(Debug, Default)]
struct Asking {
    asked: Asked,
    /// Its requests that wait for answers.
    waiting: usize,
}

/// What the machine is told of the configuration.
pub(crate) fn machine_config(config: &Config) -> HubConfig {
    HubConfig {
        timers: config.timers,
        zone: config.zone.clone(),
        cutover_s: config.cutover_s,
        net_at_cutover: config.profile == Profile::Demo,
        in_flight_max: config.limits.in_flight,
        window_payments: config.limits.window_payments,
        new_payments_max: config.limits.new_payments,
        // Without PINs nobody but a demo pays out cash.
        cash: config.profile == Profile::Demo,
        engine: Answers::AtOnce,
    }
}

impl HubRole {
    pub(crate) fn new(config: Config, keys: HostKeys, start: u64) -> Self {
        Self {
            hub: Hub::new(machine_config(&config)),
            books: Books::with_window(WINDOW_TRANSFERS),
            cluster: None,
            lists: history::Lists::default(),
            beacon: Beacon::default(),
            day: Day::default(),
            findings: VecDeque::new(),
            probes: standing::probes(&config),
            synthetic: Ends::default(),
            started_at: Timestamp::default(),
            config,
            vault: keys.vault,
            macs: keys.macs,
            start,
            now: Timestamp::default(),
            watch: Watch::default(),
            banks: BTreeMap::new(),
            askers: BTreeMap::new(),
            asking: BTreeMap::new(),
            bank_strangers: BTreeSet::new(),
            slowed: Slowed::default(),
            roomy: Vec::new(),
            in_hand: Hand::default(),
            poisons: Poisons::default(),
            orphans: BTreeMap::new(),
            last_rrn_us: 0,
            strangers: BTreeMap::new(),
            trunks: BTreeMap::new(),
            next_ticket: 1,
            counts: BTreeMap::new(),
            answers_dropped: 0,
            bad_macs: 0,
            spare_effects: Vec::new(),
            about: None,
        }
    }

    /// The first batch: the business part of a new nation, then what was left open.
    pub(crate) fn started(&mut self, now: Timestamp, pipeline: &mut Pipeline) {
        self.now = now;
        self.started_at = now;
        // The epoch is the last of a new nation's records, which may have come in several frames.
        if self.hub.state().epoch() == 0 {
            for fact in self.config.facts() {
                self.drive(Input::Business(fact), pipeline);
            }
            self.drive(Input::Business(Fact::Epoch { epoch: 1 }), pipeline);
        }
        self.count_day();
        self.drive(Input::Resolve, pipeline);
    }

    /// Something that the role itself has noticed, and that a person must look at.
    pub(crate) fn find(&mut self, kind: FindingKind, pipeline: &mut Pipeline) {
        let finding = Finding { kind, payment: None, participant: None, original: None };
        self.drive(Input::Business(Fact::Finding(finding)), pipeline);
    }

    pub(crate) fn is_bank(&self, conn: ConnId) -> bool {
        self.banks.contains_key(&conn)
    }

    pub(crate) fn at(&mut self, now: Timestamp, clock_off_ms: u64) {
        self.now = now;
        self.beacon.at(now, clock_off_ms);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn timeout(&mut self, pipeline: &mut Pipeline) {
        self.drive(Input::Timeout, pipeline);
        self.tell_trunks(pipeline);
        while let Some(conn) = self.watch.pop(self.now) {
            if self.strangers.remove(&conn).is_some() {
                pipeline.close(conn, CloseReason::Idle);
            } else if !self.hear_trunk_again(conn, pipeline) {
                self.look_at_bank(conn, pipeline);
            }
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let trunks = self.trunks.values().filter_map(|trunk| trunk.next_timeout(self.now)).min();
        [self.hub.next_timeout(), self.watch.next(), trunks].into_iter().flatten().min()
    }

    /// A request through the machine. A finding that it makes tells whose it was.
    fn request(&mut self, from: ReplyTo, request: Request, pipeline: &mut Pipeline) {
        let (acquirer, terminal) = (request.acquirer, request.terminal);
        self.about = Some(About { acquirer, terminal, stan: request.stan, rrn: request.rrn });
        self.drive(Input::Request { from, request }, pipeline);
        self.about = None;
    }

    /// One input through the machine; an engine in this process answers in the same turn.
    fn drive(&mut self, input: Input, pipeline: &mut Pipeline) {
        // An effect may drive the machine again, which then has a list of its own.
        let mut effects = self.spare_effects.pop().unwrap_or_default();
        self.hub.handle(self.now, input, &mut effects);
        for effect in effects.drain(..) {
            self.effect(effect, pipeline);
        }
        self.spare_effects.push(effects);
    }

    fn effect(&mut self, effect: Effect, pipeline: &mut Pipeline) {
        match effect {
            Effect::Transfers(transfers) => self.create_transfers(transfers, pipeline),
            Effect::Accounts(accounts) => self.create_accounts(accounts, pipeline),
            Effect::Record(record) => self.record(&record, pipeline),
            Effect::Answer { to, answer } => match to.peer {
                PeerId::Station(station) => {
                    let payload = interchange::trunk::payload::write_answer(to.ticket, &answer);
                    pipeline.defer(Deferred::Trunk {
                        station,
                        kind: interchange::trunk::Kind::Answer,
                        ticket: to.ticket,
                        payload,
                    });
                }
                PeerId::Bank(bank) => self.answer_bank(bank, to.ticket, &answer, pipeline),
                PeerId::Terminal(_) => {}
            },
            Effect::Ask { line, id, sealed_as, seen, trace, carried, .. } => {
                let vault = &self.vault;
                let mut message = issuer::ask(vault, sealed_as, &seen, trace, &carried);
                if let (Ok(message), Some((original, trace))) = (&mut message, self.refunded(id)) {
                    issuer::name_original(message, &original, trace);
                }
                self.send_bank(line, message, pipeline);
            }
            Effect::Advise {
                kind,
                line,
                sealed_as,
                seen,
                original,
                trace,
                code,
                actual,
                approval,
                repeat,
                ..
            } => {
                let (vault, id, seen) = (&self.vault, sealed_as, &seen);
                let message = match kind {
                    AdviceKind::Reversal => issuer::advise(
                        vault,
                        &issuer::Advice { id, seen, original, trace, code, actual, repeat },
                    ),
                    AdviceKind::Completion => issuer::complete(
                        vault,
                        &issuer::Completion { id, seen, original, trace, approval, repeat },
                    ),
                };
                self.send_bank(line, message, pipeline);
            }
            Effect::FindInHistory { number, keys, since } => {
                pipeline.act(Action::Find(Ask { number, keys, since }));
            }
            Effect::Count(count) => {
                if let Count::Refused(reason) = count {
                    self.count_refusal(reason, pipeline);
                }
                let counted = self.counts.entry(count).or_default();
                *counted = counted.saturating_add(1);
            }
        }
    }

    /// What a linked refund returns, as its issuer knows it.
    fn refunded(&self, refund: PaymentId) -> Option<(Seen, Trace)> {
        let original = self.hub.state().flows().original_of(refund)?;
        let payment = self.hub.state().payments().get(original)?;
        Some((payment.seen, payment.trace?))
    }

    fn record(&mut self, record: &Record, pipeline: &mut Pipeline) {
        let number =
            pipeline.record(record.at, |payload| switch::record::encode(&record.fact, payload));
        self.count_end(record, pipeline);
        if let Fact::Finding(finding) = &record.fact {
            self.keep_finding(record.at, finding, number);
            let values = self.finding_values(finding, number);
            pipeline.log(Level::Warn, "finding", values);
        }
    }

    /// What a person needs to look a finding up.
    fn finding_values(&self, finding: &Finding, record: u64) -> Vec<(&'static str, String)> {
        let mut values =
            vec![("kind", finding.kind.name().to_owned()), ("record", record.to_string())];
        if let Some(participant) = finding.participant {
            values.push(("participant", participant.to_string()));
        }
        if let Some(payment) = finding.payment.and_then(|id| self.hub.state().payments().get(id)) {
            let posted = self.hub.state().flows().posted(payment);
            let amount = self.config.currency.show(posted);
            values.push(("payment", payment.id.to_string()));
            values.push(("rrn", payment.seen.rrn.to_string()));
            values.push(("terminal", payment.seen.terminal.to_string()));
            values.push(("amount", amount));
        }
        // Without a payment it is about the message itself, if one is at hand: a timer's that falls
        // due in the same turn names a payment, or nobody.
        let about = self.about.as_ref().filter(|about| {
            finding.payment.is_none() && finding.participant == Some(about.acquirer)
        });
        if let Some(About { terminal, stan, rrn, .. }) = about {
            values.push(("terminal", terminal.to_string()));
            values.push(("stan", stan.to_string()));
            if *rrn != Rrn::BLANK {
                values.push(("rrn", rrn.to_string()));
            }
        }
        if let Some(original) = finding.original {
            values.push(("original_stan", format!("{:06}", original.stan)));
        }
        values
    }

    fn ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        ticket
    }

    /// The hash of the machine and its books.
    pub(crate) fn state_hash(&self) -> u128 {
        self.hub.state_hash().0 ^ self.books.state_hash()
    }

    fn counted(&self, which: impl Fn(&Count) -> bool) -> u64 {
        self.counts.iter().filter(|(count, _)| which(count)).map(|(_, n)| n).sum()
    }

    fn participant_name(&self, bank: ParticipantId) -> String {
        self.hub.state().directory().participants.get(&bank).cloned().unwrap_or_default()
    }
}
