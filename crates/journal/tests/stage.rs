//! The stage: no effect leaves before the records it depends on are durable, and none is lost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::{Batch, BatchError, Stage, StageLimits};
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
    let mut stage = Stage::<u32>::new(1, StageLimits { bytes: 1000, effects: 3 });
    while !stage.full() {
        stage.record(1, 1, 0, &[0; 100]).unwrap();
    }
    assert_eq!(stage.forming(), 9, "96 + 9 * 108 bytes");
    stage.record(1, 1, 0, &[0; 100]).unwrap();
    let mut stage = Stage::new(1, StageLimits { bytes: 1000, effects: 3 });
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
}
