//! Random journals, random power cuts: what is recovered is a beginning of what was written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::{SimDisk, Tearing};
use journal::{Batch, Block, Extent, NodeId, Options, Replay, open, verify};
use proptest::prelude::*;

fn options(block: Block, blocks: u64) -> Options {
    let segment_bytes = blocks * block.bytes() as u64;
    Options { block, segment_bytes, ..Options::new(NodeId::default()) }
}

/// The same cases each time, and more of them where `JOURNAL_SEEDS` says so.
fn cases() -> ProptestConfig {
    let cases = 64 * u32::try_from(support::seeds(1)).unwrap();
    let rng_seed = proptest::test_runner::RngSeed::Fixed(2);
    ProptestConfig { failure_persistence: None, cases, rng_seed, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_power_cut_leaves_a_beginning(
        lengths in prop::collection::vec(prop::collection::vec(0usize..500, 1..4), 1..24),
        cut in 0u64..150,
        seed in any::<u64>(),
        large in any::<bool>(),
    ) {
        let block = if large { Block::B4096 } else { Block::B512 };
        let options = options(block, 8);
        let mut disk = SimDisk::new(seed);
        disk.plan.tearing = if large { Tearing::Physical4096 } else { Tearing::Sectors };
        disk.plan.crash_at = Some(cut);
        let mut written: Vec<Vec<u8>> = Vec::new();
        let mut acknowledged = 0;
        if let Ok((mut writer, _)) = open(&mut disk, options, 0, &mut |_| Ok(())) {
            for (index, frame) in lengths.iter().enumerate() {
                let mut batch = Batch::new(0);
                for length in frame {
                    let payload = vec![u8::try_from(index).unwrap(); *length];
                    batch.push(3, 1, 0, &payload).unwrap();
                    written.push(payload);
                }
                match writer.append(&mut batch) {
                    Ok(appended) => acknowledged = appended.last_record,
                    Err(_) => break,
                }
            }
        }
        disk.crash();
        let mut found: Vec<Vec<u8>> = Vec::new();
        let opened = open(&mut disk, options, 0, &mut |replay| {
            if let Replay::Record(record) = replay {
                found.push(record.payload.to_vec());
            }
            Ok(())
        });
        let writer = opened.map_err(|error| TestCaseError::fail(error.to_string()))?.0;
        prop_assert!(found.len() as u64 >= acknowledged);
        prop_assert_eq!(&written[..found.len()], &found[..]);
        writer.stop(0).unwrap();
        let report = verify(&mut disk, Extent::All, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(report.damage, vec![]);
        prop_assert_eq!(report.records, found.len() as u64);
    }

    /// Any bytes in any file: an answer, never a panic, and no write.
    #[test]
    fn arbitrary_bytes_are_never_believed(
        segment in prop::collection::vec(any::<u8>(), 0..5000),
        head in prop::collection::vec(any::<u8>(), 0..9000),
    ) {
        let mut disk = SimDisk::new(0);
        disk.put("0000000001.seg", segment);
        disk.put("head", head);
        let report = verify(&mut disk, Extent::All, &mut |_| Ok(())).unwrap();
        prop_assert!(!report.damage.is_empty());
        prop_assert_eq!(report.records, 0);
        let opened = open(&mut disk, options(Block::B512, 8), 0, &mut |_| Ok(()));
        prop_assert!(opened.is_err());
    }
}
