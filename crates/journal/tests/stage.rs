//! The stage: no effect leaves before the records it depends on are durable, and none is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Batch, BatchError, Block, Stage, StageLimits, Writer};
use proptest::prelude::*;

fn free(stage: &mut Stage<u32>) -> Vec<u32> {
    stage.drain_free().collect()
}

#[test]
fn an_effect_without_records_leaves_at_once() {
    let mut stage = Stage::new(1, StageLimits::default());
    stage.effect(1);
    assert_eq!(free(&mut stage), vec![1]);
    assert!(stage.cut().is_none(), "nothing to write");
    assert!(stage.is_idle());
}

#[test]
fn an_effect_waits_for_the_batch_it_was_emitted_with() {
    let mut stage = Stage::new(41, StageLimits::default());
    assert_eq!(stage.record(1, 1, 5_000, b"hold"), Ok(41));
    stage.effect(1);
    assert_eq!(free(&mut stage), vec![]);
    let first = stage.cut().unwrap();
    assert_eq!((first.len(), first.time_ns()), (1, 5_000));
    // Nothing new recorded: it may rest on what is in flight, so it waits for that.
    stage.effect(2);
    assert_eq!(stage.record(1, 1, 6_000, b"post"), Ok(42));
    stage.effect(3);
    assert_eq!(free(&mut stage), vec![]);
    assert!(stage.cut().is_none(), "one in flight");
    stage.committed(first);
    assert_eq!(free(&mut stage), vec![1, 2]);
    let second = stage.cut().unwrap();
    assert_eq!((second.len(), second.time_ns()), (1, 6_000));
    stage.committed(second);
    assert_eq!(free(&mut stage), vec![3]);
    assert_eq!(stage.next_record(), 43);
}

#[test]
fn it_says_when_it_is_full() {
    let mut stage =
        Stage::<u32>::new(1, StageLimits { bytes: 1000, effects: 3, ..StageLimits::default() });
    while !stage.full() {
        stage.record(1, 1, 0, &[0; 100]).unwrap();
    }
    assert_eq!(stage.forming(), 9, "96 + 9 * 108 bytes");
    stage.record(1, 1, 0, &[0; 100]).unwrap();
    let mut stage =
        Stage::new(1, StageLimits { bytes: 1000, effects: 3, ..StageLimits::default() });
    stage.record(1, 1, 0, &[]).unwrap();
    (0..3).for_each(|effect| stage.effect(effect));
    assert!(stage.full());
}

#[test]
fn a_batch_refuses_what_does_not_fit_and_stays_as_it_was() {
    let mut batch = Batch::new(5_999);
    assert_eq!(batch.time_ns(), 5_000, "whole microseconds");
    batch.push(1, 1, 5_001, b"x").unwrap();
    let bytes = batch.bytes();
    assert_eq!(batch.push(1, 1, 4_999, b""), Err(BatchError::TimeBeforeFrame));
    assert_eq!(batch.push(1, 1, u64::MAX, b""), Err(BatchError::TimeTooLate));
    assert_eq!(batch.push(1, 1, 6_000, &[0; 65_536]), Err(BatchError::RecordTooLong));
    assert_eq!((batch.len(), batch.bytes()), (1, bytes));
    while batch.push(1, 1, 6_000, &[7; 65_535]).is_ok() {}
    assert_eq!(batch.push(1, 1, 6_000, &[7; 65_535]), Err(BatchError::Full));
    assert!(batch.bytes() <= journal::limits::FRAME_BYTES_MAX);
    batch.reset(0);
    assert!(batch.is_empty());
}

/// Frames of at most 600 bytes, three of which may wait.
const TINY: StageLimits = StageLimits { bytes: 300, effects: 8, frame_bytes: 600, waiting: 3 };

/// A frame's header and a record's envelope, bytes (`docs/formats/journal.md`).
const HEADER: usize = 96;
const ENVELOPE: usize = 8;

#[test]
fn a_record_without_room_closes_the_batch_until_too_many_wait() {
    let limits = StageLimits { waiting: 2, ..StageLimits::default() };
    let mut stage = Stage::<u32>::new(1, limits);
    stage.record(1, 1, 0, b"first").unwrap();
    let flying = stage.cut().unwrap();
    let (mut next, mut error) = (2, None);
    while error.is_none() && next < 1_000 {
        match stage.record(1, 1, 0, &[7; 65_535]) {
            Ok(number) => {
                assert_eq!(number, next);
                next += 1;
            }
            Err(refusal) => error = Some(refusal),
        }
    }
    assert_eq!(error, Some(BatchError::Full));
    // 63 records of 65,543 bytes and a header are the most below 4 MiB.
    assert_eq!(next, 2 + 3 * 63, "two batches wait, one forms");
    assert_eq!(stage.next_record(), next);
    let mut batch = Some(flying);
    let mut lengths = Vec::new();
    while let Some(cut) = batch {
        lengths.push(cut.len());
        stage.committed(cut);
        batch = stage.cut();
    }
    assert_eq!(lengths, vec![1, 63, 63, 63]);
    assert!(stage.is_idle());
}

#[test]
fn a_record_that_no_batch_takes_changes_nothing() {
    let mut stage = Stage::new(1, TINY);
    assert_eq!(stage.record(1, 1, 0, &[0; 497]), Err(BatchError::Full));
    assert!(stage.is_idle());
    stage.record(1, 1, 5_000, b"r").unwrap();
    stage.effect(1);
    assert_eq!(stage.record(1, 1, 5_000, &[0; 497]), Err(BatchError::Full));
    assert_eq!(stage.record(1, 1, 5_000, &[0; 65_536]), Err(BatchError::RecordTooLong));
    assert_eq!(stage.record(1, 1, u64::MAX, &[0; 65_536]), Err(BatchError::RecordTooLong));
    assert_eq!(stage.record(1, 1, 0, b"r"), Err(BatchError::TimeBeforeFrame));
    assert!(!stage.full(), "nothing waits");
    assert_eq!((stage.forming(), stage.next_record()), (1, 2));
    // A disk that stands for over 71 minutes: the record begins a frame of its own time.
    assert_eq!(stage.record(1, 1, u64::MAX, &[0; 496]), Ok(2));
    let first = stage.cut().unwrap();
    stage.committed(first);
    assert_eq!(free(&mut stage), vec![1]);
    assert_eq!(stage.cut().unwrap().time_ns(), u64::MAX / 1000 * 1000);
}

#[test]
fn the_records_of_one_turn_stay_in_one_batch() {
    let mut stage = Stage::<u32>::new(1, TINY);
    stage.record(1, 1, 0, b"first").unwrap();
    let mut batch = stage.cut();
    // Each turn is three records of 48 bytes, less than half a frame.
    for _ in 0..6 {
        for _ in 0..3 {
            stage.record(1, 1, 0, &[0; 40]).unwrap();
        }
        assert!(stage.cut().is_none());
    }
    let mut lengths = Vec::new();
    while let Some(cut) = batch {
        lengths.push(cut.len());
        stage.committed(cut);
        batch = stage.cut();
    }
    assert_eq!(lengths.iter().sum::<u32>(), 19);
    assert!(lengths[1..].iter().all(|length| length % 3 == 0), "{lengths:?}");
    assert!(lengths.len() > 3, "several waited: {lengths:?}");
}

/// Writes one batch and says what it made durable.
fn write(writer: &mut Writer<SimDisk>, stage: &mut Stage<u64>, mut batch: Batch) -> u64 {
    let appended = writer.append(&mut batch).unwrap();
    writer.maintain().unwrap();
    stage.committed(batch);
    appended.last_record
}

#[test]
fn what_overflows_is_written_in_order_and_recovered() {
    let options = support::options(Block::B512);
    let limits = StageLimits { frame_bytes: 4096, waiting: 16, ..StageLimits::default() };
    for most in 1..=16 {
        let mut writer = support::reopen(SimDisk::new(7), options).unwrap().writer;
        let mut stage = Stage::new(1, limits);
        let mut flying = None;
        for number in 1..=200 {
            let (kind, version, time_ns, payload) = support::record(number);
            assert_eq!(stage.record(kind, version, time_ns, &payload), Ok(number));
            // Each effect is the number of the record that it tells of.
            stage.effect(number);
            if flying.is_none() {
                flying = stage.cut();
            }
        }
        assert!(stage.full());
        let (mut durable, mut left, mut frames) = (0, 0, 0);
        while let Some(batch) = flying.take() {
            durable = write(&mut writer, &mut stage, batch);
            frames += 1;
            for effect in stage.drain_free() {
                assert_eq!(effect, left + 1);
                left = effect;
            }
            assert_eq!(left, durable, "all that is durable is told, and no more");
            if frames == most {
                break;
            }
            flying = stage.cut();
        }
        if most == 16 {
            assert!((11..16).contains(&frames), "40 KB in frames of 4 KB: {frames}");
            assert_eq!((durable, stage.is_idle()), (200, true));
        }
        let mut disk = writer.into_disk();
        disk.crash();
        assert_eq!(support::reopen(disk, options).unwrap().last, durable);
    }
}

/// What a stage promises, told without batches of effects: each effect with the number of the
/// last record before it.
#[derive(Default)]
struct Model {
    recorded: u64,
    durable: u64,
    emitted: Vec<u64>,
    left: usize,
    /// Records of the batch in flight.
    flying: Option<u64>,
    /// Records of the waiting batches.
    waiting: Vec<u64>,
    /// Records, effects and bytes of the forming one.
    forming: (u64, usize, usize),
}

impl Model {
    fn record(&mut self, length: usize) -> Result<u64, BatchError> {
        let needed = ENVELOPE + length;
        let (records, _, bytes) = self.forming;
        if HEADER + needed > TINY.frame_bytes {
            return Err(BatchError::Full);
        }
        if records > 0 && HEADER + bytes + needed > TINY.frame_bytes {
            if self.waiting.len() == TINY.waiting {
                return Err(BatchError::Full);
            }
            self.close();
        }
        self.forming.0 += 1;
        self.forming.2 += needed;
        self.recorded += 1;
        Ok(self.recorded)
    }

    fn effect(&mut self) -> usize {
        self.emitted.push(self.recorded);
        self.forming.1 += usize::from(self.forming.0 > 0);
        self.emitted.len() - 1
    }

    fn close(&mut self) {
        self.waiting.push(self.forming.0);
        self.forming = (0, 0, 0);
    }

    fn cut(&mut self) -> Option<u64> {
        let mut cut = None;
        if self.flying.is_none() {
            if !self.waiting.is_empty() {
                cut = Some(self.waiting.remove(0));
            } else if self.forming.0 > 0 {
                cut = Some(self.forming.0);
                self.forming = (0, 0, 0);
            }
            self.flying = cut;
        }
        let long = self.forming.0 > 0 && HEADER + self.forming.2 >= TINY.frame_bytes / 2;
        if long && self.waiting.len() < TINY.waiting {
            self.close();
        }
        cut
    }

    fn committed(&mut self) {
        self.durable += self.flying.take().unwrap();
    }

    /// The effects whose records are durable, in order.
    fn free(&mut self) -> Vec<usize> {
        let first = self.left;
        while self.emitted.get(self.left).is_some_and(|needs| *needs <= self.durable) {
            self.left += 1;
        }
        (first..self.left).collect()
    }

    fn full(&self) -> bool {
        let (_, effects, bytes) = self.forming;
        !self.waiting.is_empty() || HEADER + bytes >= TINY.bytes || effects >= TINY.effects
    }

    fn is_idle(&self) -> bool {
        self.recorded == self.durable && self.left == self.emitted.len()
    }
}

/// The same cases each time, and more of them where `JOURNAL_SEEDS` says so.
fn cases() -> ProptestConfig {
    let cases = 200 * u32::try_from(support::seeds(1)).unwrap();
    let rng_seed = proptest::test_runner::RngSeed::Fixed(2);
    ProptestConfig { failure_persistence: None, cases, rng_seed, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// Whatever the order of records, effects, cuts and commits: each effect leaves once, in
    /// order, and never before every record emitted before it is durable.
    #[test]
    fn effects_leave_in_order_and_never_early(steps in prop::collection::vec(0u8..4, 1..80)) {
        let mut stage = Stage::new(1, StageLimits::default());
        let (mut durable, mut recorded, mut emitted) = (0u64, 0u64, 0u32);
        let mut needs: Vec<u64> = Vec::new();
        let mut left: u32 = 0;
        let mut flying: Option<Batch> = None;
        for step in steps.iter().chain([2, 3, 2, 3, 2, 3].iter()) {
            match step {
                0 => recorded = stage.record(1, 1, 0, b"r").unwrap(),
                1 => {
                    stage.effect(emitted);
                    needs.push(recorded);
                    emitted += 1;
                }
                2 => {
                    if let Some(batch) = stage.cut() {
                        prop_assert!(flying.is_none(), "one in flight");
                        flying = Some(batch);
                    }
                }
                _ => {
                    if let Some(batch) = flying.take() {
                        durable += u64::from(batch.len());
                        stage.committed(batch);
                    }
                }
            }
            for effect in stage.drain_free() {
                prop_assert_eq!(effect, left, "in order, once");
                prop_assert!(needs[effect as usize] <= durable, "not before its records");
                left += 1;
            }
        }
        prop_assert_eq!(left, emitted, "none is lost");
        prop_assert_eq!(durable, recorded);
    }

    /// Whatever the order, with batches that overflow and wait: the stage does what the model
    /// does, and a journal takes the batches, whose numbers it checks.
    #[test]
    fn a_stage_that_overflows_is_as_its_model(
        steps in prop::collection::vec((0u8..12, 0usize..220), 1..150),
    ) {
        let options = support::options(Block::B512);
        let mut writer = support::reopen(SimDisk::new(7), options).unwrap().writer;
        let mut stage = Stage::new(1, TINY);
        let mut model = Model::default();
        let mut flying: Option<Batch> = None;
        let mut payload_at = 0u8;
        let drain = [(9, 0), (11, 0)].repeat(6);
        for (step, length) in steps.iter().chain(&drain) {
            match step {
                0..6 => {
                    // Now and then one that no batch takes.
                    let length = if *length == 0 { 600 } else { *length };
                    payload_at = payload_at.wrapping_add(1);
                    let staged = stage.record(1, 1, 0, &vec![payload_at; length]);
                    prop_assert_eq!(staged, model.record(length));
                }
                6..9 => stage.effect(model.effect()),
                9..11 => {
                    let batch = stage.cut();
                    let records = batch.as_ref().map(|batch| u64::from(batch.len()));
                    prop_assert_eq!(records, model.cut());
                    flying = flying.or(batch);
                }
                _ => {
                    if let Some(mut batch) = flying.take() {
                        let appended = writer.append(&mut batch);
                        stage.committed(batch);
                        model.committed();
                        prop_assert_eq!(appended.map(|to| to.last_record), Ok(model.durable));
                    }
                }
            }
            prop_assert_eq!(stage.full(), model.full());
            prop_assert_eq!(stage.in_flight(), model.flying.is_some());
            prop_assert_eq!(stage.next_record(), model.recorded + 1);
            prop_assert_eq!(u64::from(stage.forming()), model.forming.0);
            prop_assert_eq!(stage.drain_free().collect::<Vec<_>>(), model.free());
            prop_assert_eq!(stage.is_idle(), model.is_idle());
        }
        prop_assert!(stage.is_idle(), "all is written, none is lost");
    }
}
