//! A bank over a real journal on a simulated disk: a power cut at every operation, an error at
//! every call, and records that are not a bank's.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod rig;

use std::collections::BTreeMap;

use journal::sim_disk::{CutDisk, FailedSync, Sample, SimDisk, Tearing};
use journal::{Disk, DiskErrorKind, Fault, NodeId, OpenError, Options, RecordView, Replay, Writer};
use parties::bank::{BankHost, Record, RecordError};
use parties::{Action, ConnId, Event};
use rig::{START, config, dialect, mti, purchase, reversal};
use wire::frame::{Framing, write_frame};
use wire::iso8583::Message;

const CONN: ConnId = ConnId(1);
/// What survives a cut, drawn so often.
const SEEDS: u64 = 20;

/// DE11 and DE39 of an answer that left.
type Answer = (String, String);

struct Power<D> {
    host: BankHost,
    writer: Writer<D>,
    answers: Vec<Answer>,
}

fn power_on<D: Disk>(disk: D) -> Result<Power<D>, OpenError> {
    let mut host = BankHost::new(config(|c| c.connections = 1));
    let options = Options {
        segment_bytes: 8 * 1024,
        ..Options::new(NodeId::from_name("bank-100002").unwrap())
    };
    let (writer, _) = journal::open(disk, options, START.0, &mut |replay| match replay {
        Replay::Record(view) => host.replay(&view).map_err(|e| e.to_string()),
        Replay::Snapshot { .. } => Err("a bank writes no snapshots".to_owned()),
        Replay::End => Ok(()),
    })?;
    let mut out = Vec::new();
    host.handle(START, Event::Timeout, &mut out);
    host.handle(START, Event::Connected { conn: CONN }, &mut out);
    Ok(Power { host, writer, answers: Vec::new() })
}

impl<D: Disk> Power<D> {
    /// The bank is asked, and writes; `look` is called after every write, before anybody is told.
    fn ask(&mut self, message: &Message, look: &mut dyn FnMut(&[Answer])) -> Result<(), Fault> {
        let (mut payload, mut bytes) = (Vec::new(), Vec::new());
        dialect().encode(message, &mut payload).unwrap();
        write_frame(Framing::Be2, &payload, &mut bytes).unwrap();
        let bytes = &bytes[..];
        let mut out = Vec::new();
        self.host.handle(START, Event::Received { conn: CONN, bytes }, &mut out);
        while !out.is_empty() {
            let mut next = Vec::new();
            for action in out {
                match action {
                    Action::Commit(mut batch) => {
                        let appended = self.writer.append(&mut batch);
                        look(&self.answers);
                        if let Err(fault) = appended {
                            self.host.handle(START, Event::DiskFailed, &mut next);
                            let sends = |action: &Action| matches!(action, Action::Send { .. });
                            assert!(!next.iter().any(sends), "nothing leaves after {fault}");
                            return Err(fault);
                        }
                        self.host.handle(START, Event::Committed, &mut next);
                    }
                    Action::Send { bytes, .. } => {
                        let answer = dialect().decode(&bytes[2..]).unwrap();
                        let text = |de| answer.text(de).unwrap().to_owned();
                        self.answers.push((text(11), text(39)));
                    }
                    Action::Dial(_) | Action::Close { .. } => {}
                }
            }
            out = next;
        }
        let kept = self.writer.publish_head(START.0);
        let kept = kept.and_then(|()| self.writer.maintain().map(|_| ()));
        look(&self.answers);
        match kept {
            Err(Fault::NoSpace) => Ok(()),
            other => other,
        }
    }

    fn balance(&self) -> i64 {
        self.host.book().account(1).unwrap().balance
    }
}

/// In each round 1, 2, 3 bought; 2 reversed; 4 reversed before it comes.
fn traffic(rounds: u32) -> Vec<Message> {
    let round = |round: u32| {
        let bought = |number| purchase(round * 20 + number, 1);
        let undone = |number| reversal(&bought(number), round * 20 + 10 + number);
        [bought(1), bought(2), undone(2), undone(4), bought(3), bought(4)]
    };
    (0..rounds).flat_map(round).collect()
}

fn rounds() -> u32 {
    match std::env::var("BONGSU_CRASH_MATRIX").as_deref() {
        Ok("full") => 50,
        Ok(_) | Err(_) => 3,
    }
}

/// A bank after a crash: asked everything again, as its peers would, it says what it said, and has
/// booked everything once.
fn judge(disk: SimDisk, rounds: u32, answered: &[Answer], case: &str) {
    let second = power_on(disk);
    let mut second = second.unwrap_or_else(|error| unreachable!("{case}: {error}"));
    for message in traffic(rounds) {
        second.ask(&message, &mut |_| {}).unwrap();
    }
    let again: BTreeMap<_, _> = second.answers.iter().cloned().collect();
    for (stan, code) in answered {
        // 2 was approved before the cut, and is refused once its reversal is durable.
        let reversed_since = stan.parse::<u32>().unwrap() % 20 == 2 && again[stan] == "94";
        assert!(again[stan] == *code || reversed_since, "{case}: {stan}");
    }
    let bought = i64::from(rounds) * 2 * 1250;
    assert_eq!(second.balance(), 10_000_000 - bought, "{case}");
    let entries = &second.host.book().account(1).unwrap().entries;
    assert_eq!(entries.len(), 4 * rounds as usize, "{case}");
}

#[test]
fn r_crash_a_power_cut_at_any_operation_loses_no_answer_and_books_nothing_twice() {
    let rounds = rounds();
    let (disk, cuts) = CutDisk::new(SimDisk::new(7), Sample::ALL);
    let (mut judged, mut recoveries) = (0u64, 0u64);
    let mut look = |answered: &[Answer]| {
        for cut in cuts.take() {
            judged += 1;
            for seed in 0..SEEDS {
                let case = format!("cut in {:?}, operation {}, seed {seed}", cut.op, cut.number);
                let mut disk = cut.disk.clone();
                disk.reseed(seed << 32 ^ cut.number);
                if seed % 4 == 3 {
                    disk.plan.tearing = Tearing::TornSectors;
                }
                disk.crash();
                judge(disk, rounds, answered, &case);
                recoveries += 1;
            }
        }
    };
    let mut bank = power_on(disk).unwrap();
    look(&[]);
    for message in traffic(rounds) {
        bank.ask(&message, &mut look).unwrap();
    }
    bank.writer.stop(START.0).unwrap();
    look(&bank.answers);
    let changes = cuts.changes();
    eprintln!("a bank: {changes} operations, {judged} cut, {recoveries} recoveries");
    assert!(changes > 40 && judged == changes, "{changes} {judged}");
}

#[test]
fn r_crash_an_error_of_any_call_stops_a_bank_and_loses_no_answer() {
    let rounds = rounds();
    let mut whole = SimDisk::new(1);
    let mut bank = power_on(&mut whole).unwrap();
    for message in traffic(rounds) {
        bank.ask(&message, &mut |_| {}).unwrap();
    }
    drop(bank);
    let (mut tried, mut told) = (0, 0);
    for number in 0..whole.ops() * 2 {
        let (call, even) = (number / 2, number.is_multiple_of(2));
        let kind = if even { DiskErrorKind::Io } else { DiskErrorKind::NoSpace };
        let case = format!("{kind:?} at call {call}");
        let mut disk = SimDisk::new(number);
        (disk.plan.fail_at, disk.plan.fail_kind) = (Some(call), Some(kind));
        if number % 3 == 0 {
            disk.plan.failed_sync = FailedSync::Cache;
        }
        tried += 1;
        let mut answered = Vec::new();
        let ended = match power_on(&mut disk) {
            Ok(mut bank) => {
                let traffic = traffic(rounds);
                let ended = traffic.iter().try_for_each(|message| bank.ask(message, &mut |_| {}));
                answered = bank.answers;
                ended.is_err()
            }
            Err(OpenError::Disk(_)) => true,
            Err(other) => unreachable!("{case}: {other}"),
        };
        told += u64::from(ended);
        assert!(ended || kind == DiskErrorKind::NoSpace, "{case}: passed over");
        if number % 4 < 2 {
            disk.kill()
        } else {
            disk.crash()
        }
        judge(disk, rounds, &answered, &case);
    }
    eprintln!("a bank: {tried} errors, {told} told");
    assert!(told > 40, "{tried} {told}");
}

#[test]
fn records_that_are_not_a_banks_are_refused() {
    let mut payload = Vec::new();
    let key = parties::bank::RequestKey {
        class: 2,
        stan: scheme::Stan::new(7).unwrap(),
        sent_at: 921_100_000,
    };
    let record = Record::Tombstone { key, at: START };
    record.encode(&mut payload);
    assert_eq!(Record::decode(record.kind(), &payload), Ok(record));
    let kind = record.kind();
    for len in 0..payload.len() {
        let cut = Record::decode(kind, &payload[..len]);
        assert_eq!(cut, Err(RecordError::Content(kind)), "{len}");
    }
    payload.push(0);
    let long = Record::decode(kind, &payload);
    assert_eq!(long, Err(RecordError::Content(kind)));
    assert_eq!(Record::decode(99, &[]), Err(RecordError::Kind(99)));
    let mut host = BankHost::new(config(|_| {}));
    let newer = RecordView {
        number: 1,
        frame: 1,
        epoch: 1,
        time_ns: 0,
        kind,
        version: 2,
        payload: &payload[..payload.len() - 1],
    };
    assert_eq!(host.replay(&newer), Err(RecordError::Kind(kind)));
    assert_eq!(host.book().records(), 0);
    assert_eq!(mti(420).answer(), Some(mti(430)));
}

/// Records as released versions wrote them: kind and bytes, a line each; all of version 1.
const FIXTURE: &str = include_str!("bank_records.txt");

fn one_of_each() -> Vec<Record> {
    let stan = scheme::Stan::new(999_999).unwrap();
    let key = parties::bank::RequestKey { class: 2, stan, sent_at: 1_122_081_500 };
    let decided = parties::bank::Decided {
        key,
        account: Some(7),
        amount: scheme::Amount::new(123_456_789_012).unwrap(),
        transaction: 1,
        terminal: scheme::TerminalId::new(b"PYO00001").unwrap(),
        acquirer: scheme::ParticipantId::new(100_001),
        rrn: scheme::Rrn::new(b"6326PY00010Z").unwrap(),
        code: scheme::ResponseCode::of(b"00"),
        approval: 258,
        at: START,
    };
    let amount = scheme::Amount::new(1250).unwrap();
    vec![
        Record::Decided(decided),
        Record::Reversed { key, returned: amount, at: START },
        Record::Tombstone { key, at: START },
        Record::Refilled { account: 7, amount, at: START },
        Record::Completed { decided, hold: key },
        Record::Released { key, at: START },
    ]
}

#[test]
fn every_kind_is_as_a_released_version_wrote_it() {
    let mut lines = String::new();
    for record in one_of_each() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!(Record::decode(record.kind(), &bytes), Ok(record));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        lines += &format!("{} {hex}\n", record.kind());
    }
    assert_eq!(lines, FIXTURE, "a changed layout is a new kind; a new kind needs its line");
    for kind in 0..=u8::MAX {
        let known = Record::decode(kind, &[]) != Err(RecordError::Kind(kind));
        let has_line = FIXTURE.lines().any(|line| line.starts_with(&format!("{kind} ")));
        assert_eq!(known, has_line, "kind {kind}: readable, and in the fixture");
    }
}
