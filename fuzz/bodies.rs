//! What each fuzz target does with its bytes, and what must hold whatever they are. Without a
//! fuzzer: `cargo test` runs the same bodies on the committed corpus and on millions of mutations.

use std::sync::OnceLock;

use interchange::limits::MESSAGE_MAX;
use interchange::trunk::{Frame, Kind, Link, LinkEvent, LinkTimers, payload};
use interchange::{Incoming, Place, Register, Session, Source, issuer, network, to_request};
use journal::sim_disk::SimDisk;
use journal::{Extent, NodeId, Options, Replay};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use scheme::{ParticipantId, Reason, RetailerId, StationId, TerminalId, Timestamp, Zone};
use switch::{Answer, Request};
use wire::iso8583::{Dialect, Message, explain, recognise};

/// 2026-11-22 10:00:00 nine hours east.
const NOW: Timestamp = Timestamp::from_s(20_779 * 86_400 + 3600);
/// Elements that may never reach a request (R-SECRETS: PIN block).
const NEVER_CARRIED: u8 = 52;
/// The segment of the fixture in `crates/journal/tests/fixtures`, whose files are the first corpus.
const SEGMENT: u64 = 3072;

/// A frame's payload, read by every dialect: no panic; what decodes encodes again and decodes to
/// the same; what is wrong is said alike by those that look at each element and those that do not.
pub(crate) fn decoder(bytes: &[u8]) {
    for dialect in dialects() {
        let wrong = explain(dialect, bytes).last().and_then(|part| part.wrong);
        let wrong = wrong.map(|wrong| (wrong.kind, wrong.offset));
        let read = dialect.decode(bytes);
        let error = read.as_ref().err().map(|error| (error.kind, error.offset));
        // But for length: no frame is as long as what an explanation may be asked of.
        assert!(error == wrong || bytes.len() > usize::from(u16::MAX), "{error:?}, {wrong:?}");
        let Ok(message) = read else { continue };
        let mut out = Vec::new();
        let encoded = dialect.encode(&message, &mut out);
        assert!(encoded.is_ok(), "what decodes encodes: {encoded:?}");
        assert_eq!(dialect.decode(&out).as_ref(), Ok(&message), "and decodes to the same");
    }
    let _ = recognise(&dialects(), bytes);
}

/// A connection's bytes, through framing, dialect, mapping and refusal. The first byte says how
/// they are cut; the cut changes nothing.
pub(crate) fn session(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let whole = said(bytes, bytes.len().max(1));
    if *cut > 0 {
        assert_eq!(said(bytes, usize::from(*cut)), whole, "however the bytes are cut");
    }
}

/// What a session makes of bytes that come in pieces of that length.
fn said(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut session = Session::new(dialects(), 4);
    let (mut heard, mut ticket) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        session.push(piece);
        while let Some(incoming) = session.take() {
            let (message, fits) = match incoming {
                Incoming::Message(message) => (message, true),
                Incoming::Unreadable(message) => (message, false),
                // This session has no key, so that it asks for none.
                Incoming::Deadly => unreachable!("nothing is poison here"),
                Incoming::BadMac => unreachable!("a MAC is looked at only with a key"),
                Incoming::Close(broken) => {
                    heard.push(format!("{broken:?}"));
                    return heard;
                }
            };
            heard.push(format!("{message:?}"));
            if fits {
                ticket += 1;
                act_on(&mut session, &message, ticket);
            }
            let mut out = Vec::new();
            session.refuse(&message, Reason::Format, &mut out);
        }
    }
    // Half a frame, read to the end, is all that may stay behind.
    assert!(session.waiting() <= 4, "more wait than may");
    assert!(!session.is_half_read() || bytes.len() <= MESSAGE_MAX + 2 || !heard.is_empty());
    heard
}

fn act_on(session: &mut Session, message: &Message, ticket: u64) {
    let _ = network::request(message);
    let _ = network::answered(message);
    let _ = issuer::acknowledgement(message);
    let bank = participant(100_001);
    let _ = issuer::answer(bank, message);
    for source in [Source::Terminal(world().register()), Source::Bank(bank)] {
        let Ok(request) = world().request(message, source) else { continue };
        check_request(&request);
        if session.expect_answer(ticket, message, &request) && ticket.is_multiple_of(2) {
            let mut out = Vec::new();
            let answer = Answer::refusal(Reason::IssuerDown, request.rrn);
            assert!(session.answer(ticket, &answer, &mut out), "it waits for this answer");
        }
    }
}

/// No PIN block is carried, and a trunk brings a request over as it is.
fn check_request(request: &Request) {
    assert!(request.carried.iter().all(|(de, _)| de != NEVER_CARRIED), "a PIN block is carried");
    let world = world();
    let wire = payload::write_request(7, request, &world.vault);
    let Ok((ticket, again)) = payload::read_request(&wire, &world.zone, &world.vault) else {
        unreachable!("a station's own request cannot be read: {request:?}");
    };
    assert_eq!(ticket, 7);
    assert_eq!(
        (again.mti, again.amount, again.terminal, again.stan, again.candidate),
        (request.mti, request.amount, request.terminal, request.stan, request.candidate)
    );
}

/// A trunk's bytes, at the hub. A first byte of 0: as they are; else they are cut into payloads
/// whose frames are whole, because no fuzzer guesses a checksum.
pub(crate) fn trunk(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    let sent = if *mode == 0 { bytes.to_vec() } else { framed(bytes) };
    let timers = LinkTimers { heartbeat_ms: 1000, suspect_ms: 3000, cut_ms: 8000 };
    let mut link = Link::new(StationId(0), 1, 1, timers);
    let mut out = Vec::new();
    link.begin(NOW);
    link.connect(NOW, &mut out);
    for piece in sent.chunks(4096) {
        link.push(piece);
        loop {
            match link.next(NOW) {
                Ok(Some(event)) => delivered(&mut link, event),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        out.clear();
        link.flush(NOW, &mut out);
    }
    let _ = (link.state(NOW), link.next_timeout(NOW), link.unacknowledged());
}

fn delivered(link: &mut Link, event: LinkEvent) {
    let LinkEvent::Deliver { sequence, payload, .. } = event else { return };
    let world = world();
    if let Ok((_, request)) = payload::read_request(&payload, &world.zone, &world.vault) {
        assert!(request.carried.iter().all(|(de, _)| de != NEVER_CARRIED));
        // It would go back with an answer.
        let answer = payload::write_answer(1, &Answer::refusal(Reason::Overload, request.rrn));
        assert!(payload::read_answer(&answer).is_ok(), "our own answer");
        let _ = link.send(Kind::Answer, 1, answer);
    }
    let _ = payload::read_answer(&payload);
    link.done(sequence);
}

/// Frames whose kind, number and length come from the bytes: a hello first.
fn framed(bytes: &[u8]) -> Vec<u8> {
    const KINDS: [Kind; 7] = [
        Kind::Request,
        Kind::Reversal,
        Kind::Answer,
        Kind::Withdraw,
        Kind::Hello,
        Kind::Heartbeat,
        Kind::Acknowledge,
    ];
    let hello = payload::Hello {
        station: StationId(2),
        start: 7,
        heard_start: 0,
        heard: 0,
        next: 1,
        credit: 64,
    };
    let mut out = Vec::new();
    let frame =
        |kind, sequence, payload| Frame { kind, epoch: 1, sequence, acknowledged: 0, payload };
    frame(Kind::Hello, 0, hello.write()).write(&mut out);
    let (mut rest, mut sequence) = (bytes, 0);
    while let [head, length, tail @ ..] = rest {
        let (payload, after) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = after;
        let kind = KINDS[usize::from(head & 15) % KINDS.len()];
        if kind.is_sequenced() && head & 128 == 0 {
            sequence += 1;
        }
        let number = if kind.is_sequenced() { sequence } else { 0 };
        frame(kind, number, payload.to_vec()).write(&mut out);
    }
    out
}

/// The first segment of a journal: reading never panics and changes nothing; what opens is sound.
pub(crate) fn journal(bytes: &[u8]) {
    let Some(node) = NodeId::from_name("hub") else { return };
    let mut segment = bytes.to_vec();
    segment.resize(SEGMENT as usize, 0);
    let mut disk = SimDisk::new(1);
    disk.put("0000000001.seg", segment.clone());
    let verified = journal::verify(&mut disk, Extent::All, &mut |_| Ok(()));
    assert_eq!(disk.contents("0000000001.seg"), Some(&*segment), "verify changes nothing");
    let options = Options { segment_bytes: SEGMENT, ..Options::new(node) };
    let mut replayed = 0;
    let mut replay = |item: Replay<'_>| {
        replayed += u64::from(matches!(item, Replay::Record(_)));
        Ok(())
    };
    let opened = journal::open(disk, options, NOW.0, &mut replay);
    if let (Ok(report), Ok((writer, recovery))) = (&verified, opened) {
        // A segment without a frame and without a head is a journal whose making was cut short.
        let sound = report.damage.is_empty() || report.frames == 0;
        assert!(sound, "a damaged journal was opened: {report:?}");
        assert_eq!((recovery.records, report.records), (replayed, replayed));
        drop(writer);
    }
}

/// One record: role (hub or station), kind, version, payload. What decodes encodes to the same.
pub(crate) fn records(bytes: &[u8]) {
    let [role, kind, version, payload @ ..] = bytes else { return };
    let mut out = Vec::new();
    let same = if role.is_multiple_of(2) {
        let Ok(fact) = switch::record::decode(*kind, *version, payload) else { return };
        let written = switch::record::encode(&fact, &mut out);
        switch::record::decode(written.0, written.1, &out) == Ok(fact)
    } else {
        use switch::station::record;
        let Ok(fact) = record::decode(*kind, *version, payload) else { return };
        let written = record::encode(&fact, &mut out);
        record::decode(written.0, written.1, &out) == Ok(fact)
    };
    assert!(same, "a record that is read is not the one that was written");
}

/// A configuration file: it is a nation, or a bounded list of errors that can be shown.
pub(crate) fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match host::Config::parse(&text, "nation.toml") {
        Ok(config) => assert!(!config.stations.is_empty()),
        Err(errors) => assert!(errors.to_string().len() < 1 << 20, "an endless list of errors"),
    }
}

pub(crate) fn dialects() -> Vec<&'static Dialect> {
    Dialect::builtin_names().iter().filter_map(|name| Dialect::builtin(name)).collect()
}

struct World {
    zone: Zone,
    vault: CardVault,
    register: Register,
}

impl World {
    fn register(&self) -> &Register {
        &self.register
    }

    fn request(&self, message: &Message, source: Source<'_>) -> Result<Request, Reason> {
        let place = Place { now: NOW, zone: &self.zone, currency: 408, vault: &self.vault, source };
        to_request(message, &place)
    }
}

/// Made once: keys, a register of two terminals, a zone.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = CardKey::new(KeyId(1), Key128::from_random([7; 16]));
        let Ok(ring) = CardRing::new(vec![key]) else { unreachable!("one key is a ring") };
        let terminals = [(100_001, b"PYO00001"), (100_002, b"PYO00002")];
        let register = terminals.into_iter().filter_map(|(bank, terminal)| {
            let retailer = RetailerId::new(b"PYO-SHOP-000001").ok()?;
            Some((participant(bank), TerminalId::new(terminal).ok()?, retailer))
        });
        World {
            zone: Zone::fixed(9 * 3600),
            vault: CardVault::new(TokenKey::new(Key128::from_random([9; 16])), ring),
            register: Register::new(register),
        }
    })
}

fn participant(code: u64) -> ParticipantId {
    let Some(id) = ParticipantId::new(code) else { unreachable!("six digits are a code") };
    id
}
