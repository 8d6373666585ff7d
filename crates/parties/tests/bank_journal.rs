//! A bank over a real journal on a simulated disk: power cuts at every write, and records that are
//! not a bank's.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod rig;

use journal::sim_disk::{Plan, SimDisk};
use journal::{NodeId, Options, RecordView, Replay, Writer, open};
use parties::bank::{BankHost, Record, RecordError};
use parties::{Action, ConnId, Event};
use rig::{START, config, dialect, mti, purchase, reversal};
use wire::frame::{Framing, write_frame};
use wire::iso8583::Message;

const CONN: ConnId = ConnId(1);

struct Power {
    host: BankHost,
    writer: Writer<SimDisk>,
    /// DE11 and DE39 of every answer that left.
    answers: Vec<(String, String)>,
}

fn power_on(disk: SimDisk) -> Option<Power> {
    let mut host = BankHost::new(config(|c| c.connections = 1));
    let options = Options {
        segment_bytes: 64 * 1024,
        ..Options::new(NodeId::from_name("bank-100002").unwrap())
    };
    let opened = open(disk, options, START.0, &mut |replay| match replay {
        Replay::Record(view) => host.replay(&view).map_err(|e| e.to_string()),
        Replay::Snapshot { .. } => Err("a bank writes no snapshots".to_owned()),
        Replay::End => Ok(()),
    });
    let (writer, _) = opened.ok()?;
    let mut out = Vec::new();
    host.handle(START, Event::Timeout, &mut out);
    host.handle(START, Event::Connected { conn: CONN }, &mut out);
    Some(Power { host, writer, answers: Vec::new() })
}

impl Power {
    /// False when the power went.
    fn ask(&mut self, message: &Message) -> bool {
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
                    Action::Commit(mut batch) => match self.writer.append(&mut batch) {
                        Ok(_) => self.host.handle(START, Event::Committed, &mut next),
                        Err(_) => return false,
                    },
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
        true
    }

    fn balance(&self) -> i64 {
        self.host.book().account(1).unwrap().balance
    }
}

/// 1, 2, 3 bought; 2 reversed; 4 reversed before it comes.
fn traffic() -> Vec<Message> {
    let unknown = purchase(4, 1);
    vec![
        purchase(1, 1),
        purchase(2, 1),
        reversal(&purchase(2, 1), 12),
        reversal(&unknown, 14),
        purchase(3, 1),
        unknown,
    ]
}

#[test]
fn r_crash_a_power_cut_at_any_write_loses_no_answer_and_books_nothing_twice() {
    let mut cuts = 0;
    for crash_at in 0..10_000 {
        let mut disk = SimDisk::new(crash_at);
        disk.plan = Plan { crash_at: Some(crash_at), ..Plan::default() };
        let Some(mut first) = power_on(disk) else {
            // The power went before the bank was there at all.
            continue;
        };
        let survived = traffic().iter().all(|message| first.ask(message));
        let answered = first.answers.clone();
        let mut disk = first.writer.into_disk();
        disk.crash();
        disk.plan = Plan::default();
        let Some(mut second) = power_on(disk) else {
            unreachable!("a crashed journal opens again, cut at {crash_at}");
        };
        // Everything is asked again, as its peers would.
        assert!(traffic().iter().all(|message| second.ask(message)));
        for (stan, code) in answered {
            let again = second.answers.iter().find(|(s, _)| *s == stan);
            // 2 was approved before the cut, and is refused once its reversal is durable.
            let again = &again.unwrap().1;
            let reversed_since = stan == "000002" && again == "94";
            assert!(*again == code || reversed_since, "{stan} at {crash_at}");
        }
        assert_eq!(second.balance(), 10_000_000 - 2 * 1250, "cut at {crash_at}");
        let entries = &second.host.book().account(1).unwrap().entries;
        assert_eq!(entries.len(), 4, "cut at {crash_at}");
        if survived {
            assert!(cuts > 5, "{cuts} cuts");
            return;
        }
        cuts += 1;
    }
    unreachable!("the traffic never survives");
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
