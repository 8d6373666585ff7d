//! What the journal's tests share: a small journal on a simulated disk.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]

use journal::sim_disk::SimDisk;
use journal::{
    Appended, Batch, Block, Extent, Fault, NodeId, OpenError, Options, Recovery, Replay, Report,
    Writer, open, verify,
};

pub(crate) const SEGMENT: u64 = 16 * 1024;

/// What one record is to a test: kind, version, time, payload.
pub(crate) type Plain = (u8, u8, u64, Vec<u8>);

pub(crate) fn options(block: Block) -> Options {
    Options {
        block,
        segment_bytes: if block == Block::B512 { SEGMENT } else { 8 * SEGMENT },
        head_every_ns: 1_000,
        ..Options::new(NodeId::from_name("hub").unwrap())
    }
}

/// The record of that number, the same in every run. Lengths vary so that frames take one to a few
/// blocks.
pub(crate) fn record(number: u64) -> Plain {
    let length = usize::try_from(number * 37 % 390).unwrap();
    let byte = u8::try_from(number % 251).unwrap() | 1;
    let time_ns = 1_700_000_000_000_000_000 + number * 1_000;
    (u8::try_from(number % 7).unwrap(), 1, time_ns, vec![byte; length])
}

/// A batch of `count` records from `first` on.
pub(crate) fn batch(first: u64, count: u64) -> Batch {
    let mut batch = Batch::new(record(first).2);
    batch.expect_first_record(first);
    for number in first..first + count {
        let (kind, version, time_ns, payload) = record(number);
        batch.push(kind, version, time_ns, &payload).unwrap();
    }
    batch
}

/// Appends the next `count` records.
pub(crate) fn append(writer: &mut Writer<SimDisk>, count: u64) -> Result<Appended, Fault> {
    let first = writer.mark().record + 1;
    writer.append(&mut batch(first, count))
}

pub(crate) struct Opened {
    pub(crate) writer: Writer<SimDisk>,
    pub(crate) recovery: Recovery,
    pub(crate) snapshot: Option<(u64, Vec<u8>)>,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Opens a journal and checks that every record replayed is the one that belongs there.
pub(crate) fn reopen(disk: SimDisk, options: Options) -> Result<Opened, OpenError> {
    let mut snapshot = None;
    let (mut first, mut last) = (0, 0);
    let mut ended = 0;
    let (writer, recovery) = open(disk, options, 5_000, &mut |replay| {
        match replay {
            Replay::Snapshot { record, bytes } => {
                snapshot = Some((record, bytes.to_vec()));
                last = record;
            }
            Replay::Record(view) => {
                assert_eq!(view.number, last + 1, "records come in order, without gaps");
                let (kind, version, time_ns, payload) = record(view.number);
                assert_eq!((view.kind, view.version, view.time_ns), (kind, version, time_ns));
                assert_eq!(view.payload, payload, "record {}", view.number);
                last = view.number;
                if first == 0 {
                    first = last;
                }
            }
            Replay::End => ended += 1,
        }
        Ok(())
    })?;
    assert_eq!(writer.mark().record, last);
    let is_new = recovery.head == journal::HeadFound::New;
    assert_eq!(ended, usize::from(!is_new), "the end is told once");
    Ok(Opened { writer, recovery, snapshot, first, last })
}

/// Verifies without changing, and checks the records given.
pub(crate) fn check(disk: &SimDisk, extent: Extent) -> (Report, u64) {
    let mut disk = disk.clone();
    let mut last = 0;
    let report = verify(&mut disk, extent, &mut |view| {
        assert_eq!(view.number, last + 1);
        assert_eq!(view.payload, record(view.number).3);
        last = view.number;
        Ok(())
    })
    .unwrap();
    (report, last)
}

/// A journal of `frames` frames of one to three records, with a snapshot or without.
pub(crate) fn filled(block: Block, frames: u64, snapshots: bool) -> Writer<SimDisk> {
    let mut writer = reopen(SimDisk::new(7), options(block)).unwrap().writer;
    for frame in 0..frames {
        append(&mut writer, frame % 3 + 1).unwrap();
        writer.publish_head(10_000 * frame).unwrap();
        writer.maintain().unwrap();
        if snapshots && frame % 10 == 9 {
            let record = writer.mark().record;
            writer.write_snapshot(record, 0, vec![9; 5000]).unwrap();
        }
    }
    writer
}

/// How many seeds to try: `few`, or more where `JOURNAL_SEEDS` says so.
pub(crate) fn seeds(few: u64) -> u64 {
    std::env::var("JOURNAL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

/// A key of an index as the first release of `scheme::key_hash` makes it: fixtures hold such keys.
pub(crate) fn key(kind: u8, words: &[u64]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 32)
    };
    let hash = words.iter().fold(mix(MULTIPLIER, u64::from(kind)), |hash, word| mix(hash, *word));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
