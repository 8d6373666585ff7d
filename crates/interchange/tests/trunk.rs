//! R-TRUNK: the trunk's bytes (`docs/formats/trunk.md`), and two links on a bad line.
#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::collections::BTreeMap;

use interchange::limits::TRUNK_CREDIT;
use interchange::trunk::payload::{Heartbeat, Hello, StationStatus};
use interchange::trunk::{Frame, Kind, Link, LinkEvent, LinkTimers, TrunkError};
use scheme::{StationId, Timestamp};
use switch::station::TrunkState;

const TIMERS: LinkTimers = LinkTimers { heartbeat_ms: 1000, suspect_ms: 3000, cut_ms: 8000 };
const NOW: Timestamp = Timestamp::from_s(1_795_000_000);

fn status() -> StationStatus {
    StationStatus {
        fires: 3,
        reasons: 0x1_0040,
        sent: NOW,
        terminals: 17,
        payments_milli: 5_250,
        approved: 310,
        declined: 5,
        unavailable: 4,
        p99_ms: 63,
        saf_depth: 2,
        saf_oldest_s: 41,
    }
}

fn frames() -> Vec<(&'static str, Frame)> {
    let hello = Hello {
        station: StationId(2),
        start: 7,
        heard_start: 9,
        heard: 3,
        next: 4,
        credit: 16_387,
    };
    let heartbeat = Heartbeat { count: 5, heard: 6, credit: 16_384 };
    let of = |kind, sequence, payload| Frame { kind, epoch: 1, sequence, acknowledged: 3, payload };
    vec![
        ("hello", of(Kind::Hello, 0, hello.write())),
        ("request", of(Kind::Request, 4, b"request".to_vec())),
        ("answer", of(Kind::Answer, 5, b"answer".to_vec())),
        ("acknowledge", of(Kind::Acknowledge, 0, heartbeat.write())),
        ("heartbeat", of(Kind::Heartbeat, 0, heartbeat.write())),
        ("reversal", of(Kind::Reversal, 6, b"reversal".to_vec())),
        ("withdraw", of(Kind::Withdraw, 7, Vec::new())),
        ("station_status", of(Kind::StationStatus, 0, status().write())),
    ]
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_frames_of_version_1() {
    let golden = include_str!("golden/trunk-1.hex");
    let lines: BTreeMap<&str, &str> = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|l| l.split_once(' '))
        .collect();
    assert_eq!(lines.len(), frames().len());
    for (name, frame) in frames() {
        assert_eq!(hex(&bytes(&frame)), lines[name], "{name}");
    }
}

#[test]
fn every_truncated_frame_waits_and_every_flipped_one_is_an_error_or_waits() {
    for (name, frame) in frames() {
        let whole = bytes(&frame);
        assert_eq!(Frame::read(&whole), Ok(Some((Some(frame), whole.len()))), "{name}");
        for end in 0..whole.len() {
            assert_eq!(Frame::read(&whole[..end]), Ok(None), "{name} cut at {end}");
        }
        for at in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            let read = Frame::read(&flipped);
            assert!(matches!(read, Err(_) | Ok(None)), "{name}, bit {at}: {read:?}");
        }
    }
}

/// A frame of a kind or version that this program does not know.
fn strange(at: usize, value: u16) -> Vec<u8> {
    let mut whole = bytes(&frames()[1].1);
    whole[at..at + 2].copy_from_slice(&value.to_le_bytes());
    let end = whole.len() - 4;
    let crc = crc32c::crc32c(&whole[..end]);
    whole[end..].copy_from_slice(&crc.to_le_bytes());
    whole
}

#[test]
fn unknown_kinds_and_versions() {
    assert_eq!(Frame::read(&strange(4, 2)), Err(TrunkError::Version(2)));
    assert_eq!(Frame::read(&strange(6, 4)), Err(TrunkError::Kind(4)));
    assert_eq!(Frame::read(&strange(6, 0x7fff)), Err(TrunkError::Kind(0x7fff)));
    let ignored = strange(6, 0x8064);
    assert_eq!(Frame::read(&ignored), Ok(Some((None, ignored.len()))));
    for length in [0u32, 31, 70_000, u32::MAX] {
        assert_eq!(Frame::read(&length.to_le_bytes()), Err(TrunkError::Length(length)));
    }
    let mut long = frames()[0].1.payload.clone();
    long.push(0);
    assert!(Hello::read(&long).is_err() && Hello::read(&long[..41]).is_err());
    let status = status().write();
    assert_eq!(StationStatus::read(&status).unwrap().write(), status);
    assert!(StationStatus::read(&[&status[..], &[0]].concat()).is_err());
    assert!(StationStatus::read(&status[..44]).is_err());
    assert!(StationStatus::read(&[&[6], &status[1..]].concat()).is_err(), "six fires");
    assert!(Heartbeat::read(&[0; 25]).is_err() && Heartbeat::read(&[0; 23]).is_err());
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// One side: its link, what its program has sent since it started, and what it took in.
struct Side {
    id: u16,
    start: u64,
    link: Link,
    sent: u64,
    /// By the other side's start: the numbers that were delivered.
    heard: BTreeMap<u64, Vec<u64>>,
    undone: Vec<u64>,
    wire: Vec<u8>,
}

impl Side {
    fn new(id: u16, start: u64) -> Self {
        let epoch = u64::from(id == 0);
        let link = Link::new(StationId(id), start, epoch, TIMERS);
        Self {
            id,
            start,
            link,
            sent: 0,
            heard: BTreeMap::new(),
            undone: Vec::new(),
            wire: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8], now: Timestamp) {
        self.link.push(bytes);
        while let Some(event) = self.link.next(now).expect("a healthy line") {
            match event {
                LinkEvent::Hello { .. } => self.undone.clear(),
                LinkEvent::Status(_) => {}
                LinkEvent::Deliver { sequence, kind, payload } => {
                    self.undone.push(sequence);
                    if kind != Kind::Withdraw {
                        let number = u64::from_le_bytes(payload[8..16].try_into().unwrap());
                        let start = u64::from_le_bytes(payload[..8].try_into().unwrap());
                        self.heard.entry(start).or_default().push(number);
                    }
                }
            }
        }
    }

    fn send(&mut self) {
        self.sent += 1;
        let payload = [self.start.to_le_bytes(), self.sent.to_le_bytes()].concat();
        let kind = if self.id == 0 { Kind::Answer } else { Kind::Request };
        assert!(self.link.send(kind, self.sent, payload));
    }
}

fn cut(sides: &mut [Side; 2]) {
    for side in sides {
        side.wire.clear();
        side.link.disconnect();
    }
}

fn join(sides: &mut [Side; 2], now: Timestamp) {
    cut(sides);
    for side in sides {
        side.link.connect(now, &mut side.wire);
    }
}

/// Bytes on their way arrive, the other side's after them; `some` of them only.
fn carry(sides: &mut [Side; 2], now: Timestamp, some: impl Fn(usize) -> usize) {
    for from in 0..2 {
        let length = some(sides[from].wire.len());
        let bytes: Vec<u8> = sides[from].wire.drain(..length).collect();
        sides[1 - from].take(&bytes, now);
    }
}

/// Every frame that was sent while both starts lived is delivered exactly once and in order.
#[test]
fn r_trunk_exactly_once_in_order_per_start() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut now = NOW;
        let mut starts = 10;
        let mut sides = [Side::new(0, 1), Side::new(3, 2)];
        join(&mut sides, now);
        carry(&mut sides, now, |length| length);
        // Since the last restart of either side.
        let mut since = [0, 0];
        for _ in 0..200 {
            let one = dice.below(2) as usize;
            match dice.below(20) {
                0..=7 => sides[one].send(),
                8..=11 => {
                    let share = dice.below(5) as usize;
                    carry(&mut sides, now, |length| length * share / 4);
                }
                12..=14 => {
                    let done: Vec<u64> = sides[one].undone.drain(..).collect();
                    done.into_iter().for_each(|sequence| sides[one].link.done(sequence));
                }
                15 => now = now.plus_ms(700),
                16..=17 => join(&mut sides, now),
                18 if dice.below(4) == 0 => {
                    starts += 1;
                    let heard = std::mem::take(&mut sides[one].heard);
                    sides[one] = Side::new(sides[one].id, starts);
                    sides[one].heard = heard;
                    sides[one].heard.clear();
                    join(&mut sides, now);
                    carry(&mut sides, now, |length| length);
                    since = [sides[0].sent, sides[1].sent];
                }
                _ => {}
            }
            for side in &mut sides {
                side.link.flush(now, &mut side.wire);
            }
        }
        join(&mut sides, now);
        for _ in 0..4 {
            for side in &mut sides {
                side.link.flush(now, &mut side.wire);
                let done: Vec<u64> = side.undone.drain(..).collect();
                done.into_iter().for_each(|sequence| side.link.done(sequence));
            }
            carry(&mut sides, now, |length| length);
            now = now.plus_ms(1000);
        }
        for from in 0..2 {
            let Side { start, sent, .. } = sides[from];
            let heard = sides[1 - from].heard.get(&start).cloned().unwrap_or_default();
            assert!(heard.is_sorted_by(|a, b| a < b), "seed {seed}: twice or out of order");
            let expected: Vec<u64> = (since[from] + 1..=sent).collect();
            assert_eq!(heard, expected, "seed {seed}, side {from}");
        }
    }
}

fn greeted() -> [Side; 2] {
    let mut sides = [Side::new(0, 1), Side::new(3, 2)];
    join(&mut sides, NOW);
    carry(&mut sides, NOW, |length| length);
    carry(&mut sides, NOW, |length| length);
    sides
}

fn flush(side: &mut Side, now: Timestamp) -> usize {
    let before = side.wire.len();
    side.link.flush(now, &mut side.wire);
    let mut numbered = 0;
    let mut rest = &side.wire[before..];
    while let Some((frame, length)) = Frame::read(rest).unwrap() {
        numbered += usize::from(frame.unwrap().kind.is_sequenced());
        rest = &rest[length..];
    }
    numbered
}

#[test]
fn r_trunk_credit_is_never_exceeded() {
    let credit = usize::try_from(TRUNK_CREDIT).unwrap();
    let mut sides = greeted();
    for _ in 0..credit + 10 {
        sides[1].send();
    }
    assert_eq!(flush(&mut sides[1], NOW), credit);
    carry(&mut sides, NOW, |length| length);
    // A new connection grants no more than what is done makes free.
    let done: Vec<u64> = sides[0].undone.drain(..100).collect();
    done.into_iter().for_each(|sequence| sides[0].link.done(sequence));
    join(&mut sides, NOW);
    carry(&mut sides, NOW, |length| length);
    assert_eq!(flush(&mut sides[1], NOW), 10);
    carry(&mut sides, NOW, |length| length);
    assert_eq!(sides[0].heard[&2].len(), credit + 10);
    // A station that has restarted may not live on the credit of its former self.
    for sequence in 0..=credit as u64 + 10 {
        sides[0].link.done(sequence);
    }
    sides[1] = Side::new(3, 3);
    for _ in 0..credit + 10 {
        sides[1].send();
    }
    join(&mut sides, NOW);
    carry(&mut sides, NOW, |length| length);
    for round in 0..3 {
        let now = NOW.plus_ms(1000 * round);
        flush(&mut sides[0], now);
        flush(&mut sides[1], now);
        carry(&mut sides, now, |length| length);
    }
    assert_eq!(sides[0].heard[&3].len(), credit);
}

#[test]
fn r_trunk_what_is_withdrawn_unsent_leaves_nothing() {
    let mut sides = greeted();
    for _ in 0..3 {
        sides[1].send();
    }
    sides[1].link.withdraw(2);
    flush(&mut sides[1], NOW);
    carry(&mut sides, NOW, |length| length);
    assert_eq!((sides[0].heard[&2].clone(), sides[0].undone.clone()), (vec![1, 3], vec![1, 2]));
}

#[test]
fn r_trunk_what_is_withdrawn_after_it_was_sent_keeps_only_its_number() {
    let mut sides = greeted();
    for _ in 0..3 {
        sides[1].send();
    }
    // The connection takes the frames with it.
    flush(&mut sides[1], NOW);
    join(&mut sides, NOW);
    sides[1].link.withdraw(2);
    sides[1].link.withdraw(77);
    for _ in 0..2 {
        carry(&mut sides, NOW, |length| length);
        flush(&mut sides[1], NOW);
    }
    carry(&mut sides, NOW, |length| length);
    assert_eq!((sides[0].heard[&2].clone(), sides[0].undone.clone()), (vec![1, 3], vec![1, 2, 3]));
}

#[test]
fn r_trunk_epochs() {
    // A station that knows a newer epoch refuses an old hub, again and again.
    let mut station = Link::new(StationId(3), 2, 5, TIMERS);
    let mut hub = Link::new(StationId(0), 1, 4, TIMERS);
    for _ in 0..2 {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        station.connect(NOW, &mut up);
        hub.connect(NOW, &mut down);
        hub.push(&up);
        station.push(&down);
        assert_eq!(hub.next(NOW), Err(TrunkError::Epoch { theirs: 5, ours: 4 }));
        assert_eq!(station.next(NOW), Err(TrunkError::Epoch { theirs: 4, ours: 5 }));
    }
    // One that has just started learns the epoch from the hub.
    let sides = greeted();
    assert_eq!((sides[0].link.epoch(), sides[1].link.epoch()), (1, 1));
}

/// R-TIME: suspect at 3 s, cut at 8 s, and a one-way cut shows on the side that still hears.
#[test]
fn r_time_silence_and_a_one_way_cut() {
    let mut sides = greeted();
    let state = |side: &Side, ms| side.link.state(NOW.plus_ms(ms));
    let up = TrunkState::Up { renewed: false };
    let at = [
        (2999, up),
        (3000, TrunkState::Suspect),
        (7999, TrunkState::Suspect),
        (8000, TrunkState::Cut),
    ];
    for (ms, expected) in at {
        assert_eq!(state(&sides[1], ms), expected, "{ms} ms");
    }
    // The station hears the hub, but nothing of its own arrives.
    for second in 0..=9 {
        let now = NOW.plus_ms(1000 * second);
        for side in &mut sides {
            side.link.flush(now, &mut side.wire);
        }
        sides[1].wire.clear();
        carry(&mut sides, now, |length| length);
    }
    assert_eq!(state(&sides[1], 9000), TrunkState::Cut);
}

#[test]
fn r_trunk_a_frame_that_comes_twice_is_dropped() {
    let mut sides = greeted();
    for _ in 0..2 {
        sides[1].send();
    }
    flush(&mut sides[1], NOW);
    let twice = sides[1].wire.clone();
    for _ in 0..2 {
        sides[0].take(&twice, NOW);
    }
    assert_eq!(sides[0].heard[&2], [1, 2]);
}

/// Answers that flow carry acknowledgements but no credit: without any heartbeat a busy station
/// must still never wait for leave to send.
#[test]
fn r_trunk_a_busy_line_never_runs_out_of_credit() {
    let mut sides = greeted();
    for side in &mut sides {
        flush(side, NOW);
    }
    carry(&mut sides, NOW, |length| length);
    let each = TRUNK_CREDIT / 16;
    for round in 1..=64 {
        for _ in 0..each {
            sides[1].send();
        }
        let went = flush(&mut sides[1], NOW);
        assert_eq!(went as u64, each, "round {round} waits for credit");
        for from in [1, 0] {
            let bytes = std::mem::take(&mut sides[from].wire);
            let receiver = &mut sides[1 - from];
            receiver.take(&bytes, NOW);
            let done = std::mem::take(&mut receiver.undone);
            done.into_iter().for_each(|sequence| receiver.link.done(sequence));
            if from == 1 {
                (0..each).for_each(|_| receiver.send());
                assert_eq!(flush(receiver, NOW) as u64, each, "round {round}: its answers wait");
            }
        }
    }
}
