//! R-TRUNK, R-STANDIN: a station without escrow.

use scheme::{ParticipantId, Reason, Rrn, StationId, Timestamp, Zone};
use switch::station::{
    Count, Effect, Input, StationConfig, StationFact, StationRecord, TrunkState, record,
};
use switch::{Answer, PeerId, ReplyTo, Request, Station, Timers};

use crate::rig::{A, DAY, MINUTE, MORNING, Rig, SECOND, amount, bank, card, code, mti, terminal};

const UP: TrunkState = TrunkState::Up { renewed: false };

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Record(StationFact),
    Send(u64),
    Withdraw(u64),
    Answer(u64),
}

struct Post {
    station: Station,
    now: Timestamp,
    records: Vec<StationRecord>,
    events: Vec<Event>,
    sent: Vec<(u64, Request)>,
    answers: Vec<(u64, Answer)>,
    counts: Vec<Count>,
    tickets: u64,
    /// Makes messages.
    pen: Rig,
}

fn config() -> StationConfig {
    let registered: (ParticipantId, _, _) = (bank(A), terminal("PYO00001"), crate::rig::shop(A));
    StationConfig {
        id: StationId(1),
        code: *b"PY",
        timers: Timers::RULE_BOOK,
        zone: Zone::fixed(9 * 3600),
        in_flight_max: 8,
        terminals: vec![registered],
    }
}

impl Post {
    fn new() -> Self {
        let mut post = Self {
            station: Station::new(config()),
            now: MORNING,
            records: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            counts: Vec::new(),
            tickets: 0,
            pen: Rig::new(),
        };
        post.drive(Input::Resolve);
        post.drive(Input::Trunk(UP));
        post.events.clear();
        post
    }

    fn drive(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.station.handle(self.now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Record(record) => {
                    self.events.push(Event::Record(record.fact.clone()));
                    self.records.push(record);
                }
                Effect::Send { ticket, request } => {
                    self.events.push(Event::Send(ticket));
                    self.sent.push((ticket, request));
                }
                Effect::Withdraw { ticket } => self.events.push(Event::Withdraw(ticket)),
                Effect::Answer { to, answer } => {
                    self.events.push(Event::Answer(to.ticket));
                    self.answers.push((to.ticket, answer));
                }
                Effect::Count(count) => self.counts.push(count),
            }
        }
    }

    fn crash(&mut self) {
        self.station = self.replayed();
        self.events.clear();
        self.drive(Input::Resolve);
    }

    fn replayed(&self) -> Station {
        let mut again = Station::new(config());
        for made in &self.records {
            let mut payload = Vec::new();
            let (kind, version) = record::encode(&made.fact, &mut payload);
            let fact = record::decode(kind, version, &payload).unwrap();
            assert_eq!(fact, made.fact);
            again.apply(&StationRecord { at: made.at, fact });
        }
        again
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now.plus_ms(ms);
        while let Some(at) = self.station.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.drive(Input::Timeout);
        }
        self.now = until;
        self.pen.now = until;
    }

    fn purchase(&mut self) -> Request {
        Request { rrn: Rrn::default(), ..self.pen.purchase() }
    }

    fn reversal(&mut self, request: &Request) -> Request {
        self.pen.reversal(request)
    }

    fn ask(&mut self, request: Request) -> u64 {
        self.tickets += 1;
        let from = ReplyTo { peer: PeerId::Terminal(1), ticket: self.tickets };
        self.drive(Input::Request { from, request });
        self.tickets
    }

    fn hub_says(&mut self, ticket: u64, said: &str) {
        let mut answer = Answer::acknowledgement(Rrn::default());
        answer.code = code(said);
        self.drive(Input::HubAnswer { ticket, answer });
    }

    fn said(&self, ticket: u64) -> String {
        let mut found = self.answers.iter().filter(|(to, _)| *to == ticket);
        let said = found.next().map_or("nothing".into(), |(_, answer)| {
            format!("{} {}", answer.code, answer.text).trim_end().to_owned()
        });
        assert!(found.next().is_none(), "ticket {ticket} was answered twice");
        said
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let again = self.replayed();
            assert_eq!(self.station.state_hash(), again.state_hash());
            assert_eq!(self.station.owed(), again.owed());
        }
    }
}

#[test]
fn r_trunk_an_online_request_writes_nothing() {
    let mut post = Post::new();
    let request = post.purchase();
    let one = post.ask(request.clone());
    assert_eq!(post.events, [Event::Send(1)]);
    let sent = &post.sent[0].1;
    assert!(!sent.rrn_sent && sent.rrn.as_str() == "6326PY000000", "{:?}", sent.rrn);
    // A repeat waits with the first.
    let two = post.ask(Request { mti: mti(201), ..request });
    assert_eq!(post.sent.len(), 1);
    post.hub_says(1, "00");
    assert_eq!((post.said(one), post.said(two)), ("00".into(), "00".into()));
    post.hub_says(1, "00");
    post.hub_says(77, "00");
    assert_eq!(post.counts, [Count::Approved, Count::StrayAnswer, Count::StrayAnswer]);
}

#[test]
fn r_match_a_sent_de37_is_kept() {
    let mut post = Post::new();
    let rrn = Rrn::new(b"TERMINAL0001").unwrap();
    let request = Request { rrn, rrn_sent: true, ..post.purchase() };
    post.ask(request);
    assert_eq!((post.sent[0].1.rrn, post.sent[0].1.rrn_sent), (rrn, true));
}

#[test]
fn r_de39_a_station_refuses_strangers_pins_and_overload() {
    let mut post = Post::new();
    let stranger = Request { terminal: terminal("PYO00002"), ..post.purchase() };
    let ticket = post.ask(stranger);
    assert_eq!(post.said(ticket), "58 TERMINAL");
    let pin = Request { has_pin: true, ..post.purchase() };
    let ticket = post.ask(pin);
    assert_eq!(post.said(ticket), "58 NO PIN");
    for _ in 0..config().in_flight_max {
        let request = post.purchase();
        post.ask(request);
    }
    let request = post.purchase();
    let ticket = post.ask(request.clone());
    assert_eq!(post.said(ticket), "96 OVERLOAD");
    // A reversal is never refused for that: it is kept, acknowledged, and goes up when it can.
    let undo = post.reversal(&request);
    let ticket = post.ask(undo);
    assert_eq!((post.said(ticket).as_str(), post.station.owed()), ("00", 1));
}

/// Thousands of reversals meet a bound of their terminal's own, and nothing else does.
#[test]
fn r_trunk_a_terminal_that_reverses_without_end_is_bounded() {
    let mut post = Post::new();
    post.drive(Input::Trunk(TrunkState::Cut));
    let original = post.purchase();
    let bound = switch::limits::OWED_PER_TERMINAL_MAX;
    let mut said = std::collections::BTreeMap::<String, usize>::new();
    for stan in 1..=u32::try_from(bound).unwrap() + 10 {
        let stan = scheme::Stan::new(stan).unwrap();
        let undo = Request { stan, original: None, ..post.reversal(&original) };
        let ticket = post.ask(undo);
        *said.entry(post.said(ticket)).or_default() += 1;
    }
    let expected = [("00".to_owned(), bound), ("96 OVERLOAD".to_owned(), 10)];
    assert_eq!(said, expected.into());
    assert_eq!(post.station.owed(), bound);
}

/// The deadline of 25 s: to the microsecond, and the reversal is durable before the 91.
#[test]
fn r_time_a_station_gives_up_after_25_seconds() {
    let mut post = Post::new();
    let request = post.purchase();
    let one = post.ask(request.clone());
    post.pass(25 * SECOND - 1);
    assert_eq!(post.said(one), "nothing");
    post.events.clear();
    post.pass(1);
    assert_eq!(post.said(one), "91 TRUNK DOWN");
    let [
        Event::Withdraw(1),
        Event::Record(StationFact::Owed(owed)),
        Event::Send(2),
        Event::Answer(_),
    ] = &post.events[..]
    else {
        panic!("{:?}", post.events);
    };
    assert_eq!((owed.ours, owed.reason), (true, Some(code("68"))));
    let named = owed.original.unwrap();
    assert_eq!((named.mti, named.stan), (200, request.stan.get()));
    assert_eq!(named.transmitted, request.transmitted.number());
    let sent = &post.sent[1].1;
    assert_eq!((sent.mti, sent.first_received), (mti(420), request.first_received));
    // Its approval comes too late.
    post.hub_says(1, "00");
    assert_eq!(post.counts.last(), Some(&Count::StrayAnswer));
    assert_eq!(post.station.owed(), 1);
    post.hub_says(2, "00");
    assert_eq!((post.station.owed(), post.answers.len()), (0, 1));
}

#[test]
fn r_standin_a_repeat_of_a_request_answered_91_gets_91() {
    let mut post = Post::new();
    let request = post.purchase();
    post.ask(request.clone());
    post.drive(Input::Trunk(TrunkState::Cut));
    post.pass(MINUTE);
    post.drive(Input::Trunk(UP));
    let sent = post.sent.len();
    let again = |number: u16, change: fn(&mut Request)| {
        let mut again = Request { mti: mti(number), ..request.clone() };
        change(&mut again);
        again
    };
    let other_time =
        |r: &mut Request| r.local = scheme::LocalTime::new(r.local.number() + 5).unwrap();
    for repeat in
        [again(200, |_| ()), again(201, |_| ()), again(201, other_time), again(200, other_time)]
    {
        let ticket = post.ask(Request { first_received: post.now, ..repeat });
        assert_eq!(post.said(ticket), "91 TRUNK DOWN");
    }
    // Its own reversal is covered by ours.
    let undo = post.reversal(&request);
    let ticket = post.ask(undo);
    assert_eq!((post.said(ticket).as_str(), post.sent.len()), ("00", sent));
    // Another payment under the same number is another payment.
    let other = Request { amount: amount(77), ..again(200, other_time) };
    post.ask(Request { card: Some(card(A, 9)), ..other });
    assert_eq!(post.sent.len(), sent + 1);
    // After five minutes the same content in a plain 0200 is new.
    post.pass(5 * MINUTE + 1);
    let later = Request { first_received: post.now, ..again(200, other_time) };
    let ticket = post.ask(later);
    assert_eq!(post.said(ticket), "nothing");
}

#[test]
fn r_trunk_cut_answers_91_with_the_reversal_durable_first() {
    let mut post = Post::new();
    let request = post.purchase();
    let one = post.ask(request.clone());
    post.drive(Input::Trunk(TrunkState::Suspect));
    assert_eq!(post.said(one), "nothing");
    post.events.clear();
    post.drive(Input::Trunk(TrunkState::Cut));
    assert!(matches!(
        &post.events[..],
        [Event::Withdraw(1), Event::Record(StationFact::Owed(_)), Event::Answer(_)]
    ));
    assert_eq!(post.said(one), "91 TRUNK DOWN");
    let next = post.purchase();
    let two = post.ask(next);
    assert_eq!(post.said(two), "91 TRUNK DOWN");
    assert_eq!(post.station.owed(), 1, "a request that never left is not reversed");
    post.crash();
    assert_eq!(post.events.len(), 1);
    post.drive(Input::Trunk(UP));
    let (ticket, reversal) = post.sent.last().unwrap().clone();
    assert_eq!(reversal.original.unwrap().stan, request.stan.get());
    post.hub_says(ticket, "00");
    assert_eq!(post.station.owed(), 0);
}

#[test]
fn r_trunk_a_terminals_reversal_is_accepted_while_cut() {
    let mut post = Post::new();
    let request = post.purchase();
    post.drive(Input::Trunk(TrunkState::Cut));
    let undo = Request { actual: Some(amount(5)), ..post.reversal(&request) };
    post.events.clear();
    let one = post.ask(undo.clone());
    assert!(matches!(&post.events[..], [Event::Record(StationFact::Owed(_)), Event::Answer(_)]));
    let two = post.ask(Request { mti: mti(421), ..undo.clone() });
    assert_eq!((post.said(one), post.said(two)), ("00".into(), "00".into()));
    assert_eq!(post.station.owed(), 1);
    let received = post.now;
    post.pass(3 * MINUTE);
    post.drive(Input::Trunk(UP));
    let (ticket, sent) = post.sent.last().unwrap().clone();
    assert_eq!((sent.original, sent.actual), (undo.original, undo.actual));
    assert_eq!(sent.first_received, received);
    // Silence: it goes again until the hub answers.
    post.pass(26 * SECOND);
    assert_eq!(post.sent.len(), 2);
    post.hub_says(ticket, "00");
    assert_eq!(post.station.owed(), 1, "the answer to a number that was given up");
    post.hub_says(post.sent[1].0, "00");
    assert_eq!(post.station.owed(), 0);
}

#[test]
fn r_trunk_a_renewed_hub_is_asked_again() {
    let mut post = Post::new();
    let request = post.purchase();
    let one = post.ask(request.clone());
    post.pass(5 * SECOND);
    post.drive(Input::Trunk(TrunkState::Suspect));
    post.drive(Input::Trunk(UP));
    assert_eq!(post.sent.len(), 1, "the same hub still knows");
    post.drive(Input::Trunk(TrunkState::Up { renewed: true }));
    assert_eq!(post.sent.len(), 2);
    assert_eq!((post.sent[1].0, post.sent[1].1.age_ms), (post.sent[0].0, 5000));
    post.hub_says(post.sent[1].0, "00");
    assert_eq!(post.said(one), "00");
}

/// A long cut: everything owed goes up in order, a part at a time, and nothing is left.
#[test]
fn r_trunk_what_is_owed_goes_up_in_order_and_within_bounds() {
    let mut post = Post::new();
    post.drive(Input::Trunk(TrunkState::Cut));
    let many = switch::limits::OWED_IN_FLIGHT_MAX + 50;
    let mut expected = Vec::new();
    for _ in 0..many {
        let request = post.purchase();
        let undo = post.reversal(&request);
        expected.push(undo.stan);
        post.ask(undo);
    }
    post.drive(Input::Trunk(UP));
    assert_eq!(post.station.in_flight(), switch::limits::OWED_IN_FLIGHT_MAX);
    let mut next = 0;
    while next < post.sent.len() {
        let ticket = post.sent[next].0;
        post.hub_says(ticket, "00");
        next += 1;
    }
    let sent: Vec<_> = post.sent.iter().map(|(_, request)| request.stan).collect();
    assert_eq!(sent, expected);
    assert_eq!((post.station.owed(), post.station.in_flight()), (0, 0));
}

#[test]
fn r_match_reference_numbers_are_never_made_twice() {
    let mut post = Post::new();
    let mut made = std::collections::BTreeSet::new();
    for round in 0..3 {
        for _ in 0..5 {
            let request = post.purchase();
            post.ask(request);
            let rrn = post.sent.last().unwrap().1.rrn;
            assert!(made.insert(rrn), "{rrn} twice, round {round}");
            let ticket = post.sent.last().unwrap().0;
            post.hub_says(ticket, "51");
        }
        post.crash();
        post.drive(Input::Trunk(UP));
    }
    // A crash after the very last number of a block.
    for _ in 0..switch::limits::RRN_BLOCK {
        let request = post.purchase();
        post.ask(request);
        let (ticket, sent) = post.sent.last().unwrap().clone();
        post.hub_says(ticket, "51");
        assert!(made.insert(sent.rrn));
    }
    post.crash();
    post.drive(Input::Trunk(UP));
    let request = post.purchase();
    post.ask(request);
    assert!(made.insert(post.sent.last().unwrap().1.rrn), "twice over a full block");
    // At the end of a block the next is reserved before its first number leaves.
    let mut last = post.records.len();
    for _ in 0..switch::limits::RRN_BLOCK + 1 {
        post.events.clear();
        let request = post.purchase();
        post.ask(Request { rrn: Rrn::default(), ..request });
        let ticket = post.sent.last().unwrap().0;
        post.hub_says(ticket, "51");
        assert!(made.insert(post.sent.last().unwrap().1.rrn));
        if post.records.len() > last {
            assert!(matches!(post.events[0], Event::Record(StationFact::RrnBlock { .. })));
            last = post.records.len();
        }
    }
    assert_eq!(post.counts.iter().filter(|c| **c == Count::Refused(Reason::TrunkDown)).count(), 0);
    post.pass(DAY);
}

#[test]
fn r_match_a_copy_of_an_answered_request_gets_the_same_answer_without_the_hub() {
    let mut post = Post::new();
    let request = post.purchase();
    post.ask(request.clone());
    let (ticket, _) = post.sent.last().unwrap().clone();
    post.hub_says(ticket, "00");
    let sent = post.sent.len();
    for trunk in [UP, TrunkState::Suspect, TrunkState::Cut] {
        post.drive(Input::Trunk(trunk));
        let copy = post.ask(request.clone());
        assert_eq!(post.said(copy), "00", "{trunk:?}");
    }
    assert_eq!((post.sent.len(), post.station.owed()), (sent, 0), "nothing was asked or undone");
    // After its reversal only the hub knows what the payment has become. Many terminals give a
    // reversal its original's own trace number and time.
    post.drive(Input::Trunk(UP));
    let undo = Request { stan: request.stan, local: request.local, ..post.reversal(&request) };
    let ticket = post.ask(undo);
    assert_eq!(post.said(ticket), "nothing");
    let (ticket, _) = post.sent.last().unwrap().clone();
    post.hub_says(ticket, "00");
    let copy = post.ask(request);
    assert_eq!(post.said(copy), "nothing");
    assert_eq!(post.sent.len(), sent + 2);
}

#[test]
fn r_trunk_a_copy_of_a_request_that_was_turned_away_stays_turned_away() {
    let mut post = Post::new();
    post.drive(Input::Trunk(TrunkState::Cut));
    let request = post.purchase();
    let first = post.ask(request.clone());
    assert_eq!(post.said(first), "91 TRUNK DOWN");
    post.drive(Input::Trunk(UP));
    let copy = post.ask(request);
    assert_eq!(post.said(copy), "91 TRUNK DOWN");
    assert!(post.sent.is_empty(), "its shop has been told no");
}

#[test]
fn r_time_a_repeat_that_nobody_knows_is_undone_before_it_is_answered_91() {
    let mut post = Post::new();
    post.drive(Input::Trunk(TrunkState::Cut));
    let request = post.purchase();
    let repeat = Request { mti: request.mti.repeat(), ..request };
    let ticket = post.ask(repeat);
    assert_eq!(post.said(ticket), "91 TRUNK DOWN");
    assert_eq!(post.station.owed(), 1, "its first request may have gone up before a restart");
}

#[test]
fn r_trunk_a_station_that_has_just_started_lets_requests_wait_for_the_trunk() {
    let mut post = Post::new();
    post.crash();
    let request = post.purchase();
    let ticket = post.ask(request);
    assert_eq!(post.said(ticket), "nothing");
    post.drive(Input::Trunk(TrunkState::Cut));
    assert_eq!(post.said(ticket), "91 TRUNK DOWN");
}

/// A reversal that names its payment by DE37 alone: the station no longer knows what became of it.
#[test]
fn r_match_a_repeat_after_a_reversal_by_k3_asks_the_hub() {
    let mut post = Post::new();
    let rrn = Rrn::new(b"TERMINAL0001").unwrap();
    let request = Request { rrn, rrn_sent: true, ..post.purchase() };
    post.ask(request.clone());
    post.hub_says(post.sent[0].0, "00");
    let undo = Request { original: None, ..post.reversal(&request) };
    post.ask(undo);
    post.hub_says(post.sent[1].0, "00");
    let again = post.ask(Request { mti: mti(201), ..request });
    assert_eq!((post.said(again).as_str(), post.sent.len()), ("nothing", 3));
}

/// A completion of a pre-authorisation, as a terminal sends it.
fn completion(post: &mut Post, of: &Request, minor: u64) -> Request {
    post.pen.completion(of, minor)
}

#[test]
fn r_trunk_an_advice_is_kept_while_the_trunk_is_cut_and_goes_up_in_order() {
    let mut post = Post::new();
    let first = Request { mti: mti(100), ..post.purchase() };
    let ticket = post.ask(first.clone());
    post.hub_says(1, "00");
    assert_eq!(post.said(ticket), "00");
    post.drive(Input::Trunk(TrunkState::Cut));
    post.events.clear();
    let approval = scheme::ApprovalCode::new(b"A1B2C3").unwrap();
    let done = Request { approval, ..completion(&mut post, &first, 400) };
    let one = post.ask(done.clone());
    // Durable before it is acknowledged.
    let [Event::Record(StationFact::Owed(owed)), Event::Answer(answered)] = &post.events[..] else {
        panic!("{:?}", post.events);
    };
    assert_eq!((owed.approval, owed.is_advice(), *answered), (approval, true, one));
    assert_eq!(post.said(one), "00");
    // A copy is acknowledged again and owed once.
    let two = post.ask(Request { mti: mti(221), ..done.clone() });
    assert_eq!((post.said(two).as_str(), post.station.owed()), ("00", 1));
    // Its reversal is no copy of a reversal, and goes up behind it.
    let undo = post.reversal(&done);
    let three = post.ask(undo);
    assert_eq!((post.said(three).as_str(), post.station.owed()), ("00", 2));
    post.sent.clear();
    post.drive(Input::Trunk(UP));
    let sent: Vec<u16> = post.sent.iter().map(|(_, request)| request.mti.number()).collect();
    assert_eq!(sent, [220, 420]);
    let (at, request) = post.sent[0].clone();
    assert_eq!((request.approval, request.original), (approval, done.original));
    assert_eq!(request.first_received, done.first_received);
    post.hub_says(at, "00");
    assert_eq!(post.station.owed(), 1);
}

/// 0221 when it may have been sent before: after no answer, and after a restart.
#[test]
fn r_trunk_an_advice_sent_before_goes_up_as_a_repeat() {
    let mut post = Post::new();
    let first = Request { mti: mti(100), ..post.purchase() };
    let done = completion(&mut post, &first, 400);
    let one = post.ask(done);
    assert_eq!((post.sent[0].1.mti, post.said(one).as_str()), (mti(220), "nothing"));
    // Sent up, not answered: it becomes durable, then it is acknowledged, then it goes again.
    post.events.clear();
    post.pass(25 * SECOND);
    assert_eq!((post.said(one).as_str(), post.station.owed()), ("00", 1));
    assert!(matches!(post.events[1], Event::Record(StationFact::Owed(_))), "{:?}", post.events);
    assert_eq!(post.sent.last().unwrap().1.mti, mti(221));
    post.crash();
    post.sent.clear();
    post.drive(Input::Trunk(UP));
    assert_eq!(post.sent[0].1.mti, mti(221));
    let ticket = post.sent[0].0;
    // Whatever the hub says of it, it is settled.
    post.hub_says(ticket, "13");
    assert_eq!(post.station.owed(), 0);
}

/// While an advice is owed, what speaks of its payment stays behind it, trunk or no trunk.
#[test]
fn r_trunk_a_reversal_never_overtakes_an_owed_advice() {
    let mut post = Post::new();
    let bound = switch::limits::OWED_IN_FLIGHT_MAX;
    // There is room for more than what is owed.
    post.station = Station::new(StationConfig { in_flight_max: 2 * bound, ..config() });
    post.records.clear();
    post.drive(Input::Resolve);
    post.drive(Input::Trunk(TrunkState::Cut));
    let mut last = None;
    for _ in 0..=bound {
        let first = Request { mti: mti(100), ..post.purchase() };
        let done = completion(&mut post, &first, 400);
        post.ask(done.clone());
        last = Some(done);
    }
    post.sent.clear();
    post.drive(Input::Trunk(UP));
    assert_eq!(post.sent.len(), bound, "the last one waits for room");
    let undo = post.reversal(&last.unwrap());
    let ticket = post.ask(undo);
    assert_eq!((post.said(ticket).as_str(), post.sent.len()), ("00", bound));
    let tickets: Vec<u64> = post.sent.iter().map(|(ticket, _)| *ticket).collect();
    for ticket in tickets {
        post.hub_says(ticket, "00");
    }
    let rest: Vec<u16> = post.sent[bound..].iter().map(|(_, r)| r.mti.number()).collect();
    assert_eq!(rest, [220, 420]);
}

/// A completion may use its pre-authorisation's own trace number and amount.
#[test]
fn r_match_a_completion_is_no_copy_of_its_preauthorisation() {
    let mut post = Post::new();
    let first = Request { mti: mti(100), ..post.purchase() };
    post.ask(first.clone());
    post.hub_says(1, "00");
    let done = Request { mti: mti(220), ..first.clone() };
    let ticket = post.ask(done);
    assert_eq!((post.said(ticket).as_str(), post.sent.len()), ("nothing", 2));
    // Nor is a purchase, which the hub refuses as one.
    let purchase = Request { mti: mti(200), ..first };
    post.ask(purchase);
    assert_eq!(post.sent.len(), 3);
}

/// A reversal of a completion is no copy of its pre-authorisation's, under one trace number.
#[test]
fn r_reversal_of_another_kind_under_one_trace_number_is_kept_too() {
    let mut post = Post::new();
    post.drive(Input::Trunk(TrunkState::Cut));
    let first = Request { mti: mti(100), ..post.purchase() };
    for (number, owed) in [(100, 1), (220, 2), (100, 2)] {
        let original = Request { mti: mti(number), ..first.clone() };
        let undo = post.reversal(&original);
        let ticket = post.ask(undo);
        assert_eq!((post.said(ticket).as_str(), post.station.owed()), ("00", owed));
    }
}

/// Every kind of request that gets no answer is undone, but for an enquiry, which moves nothing.
#[test]
fn r_time_what_is_answered_for_lack_of_an_answer_is_undone() {
    let kinds = [(100, 0, 1), (200, 10_000, 1), (200, 200_000, 1), (200, 310_000, 0)];
    for (number, processing, owed) in kinds {
        for cut in [true, false] {
            let mut post = Post::new();
            let processing = scheme::Processing::new(processing).unwrap();
            let request = Request { mti: mti(number), processing, ..post.purchase() };
            let ticket = post.ask(request.clone());
            if cut {
                post.drive(Input::Trunk(TrunkState::Cut));
            } else {
                post.pass(25 * SECOND);
            }
            assert_eq!((post.said(ticket).as_str(), post.station.owed()), ("91 TRUNK DOWN", owed));
            let mut post = Post::new();
            post.drive(Input::Trunk(TrunkState::Cut));
            let ticket = post.ask(Request { mti: mti(number + 1), ..request });
            assert_eq!((post.said(ticket).as_str(), post.station.owed()), ("91 TRUNK DOWN", owed));
        }
    }
}

#[test]
fn r_de39_a_station_refuses_enquiries_before_purchases() {
    let mut post = Post::new();
    for _ in 0..config().in_flight_max / 2 {
        let request = post.purchase();
        post.ask(request);
    }
    let balance = post.pen.balance_of();
    let ticket = post.ask(balance);
    assert_eq!(post.said(ticket), "96 OVERLOAD");
    let request = post.purchase();
    let ticket = post.ask(request);
    assert_eq!(post.said(ticket), "nothing");
}
