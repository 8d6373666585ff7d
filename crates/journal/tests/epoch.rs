//! Epochs, turns, whose journal it is, and formats of the future.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside test functions")]
mod support;

use journal::sim_disk::SimDisk;
use journal::{Block, Extent, Fault, Flaw, NodeId, OpenError, Options};
use support::{append, check, filled, options, reopen};

#[test]
fn an_epoch_is_durable_and_never_goes_back() {
    let mut writer = filled(Block::B512, 3, false);
    assert_eq!(writer.mark().epoch, 0);
    writer.start_epoch(7, 0).unwrap();
    assert_eq!(writer.start_epoch(6, 0), Err(Fault::EpochBack { given: 6, current: 7 }));
    // Durable although no frame carries it yet.
    let mut disk = writer.into_disk();
    disk.crash();
    let mut writer = reopen(disk, options(Block::B512)).unwrap().writer;
    assert_eq!(writer.mark().epoch, 7);
    append(&mut writer, 1).unwrap();
    let opened = reopen(writer.into_disk(), options(Block::B512)).unwrap();
    assert_eq!(opened.writer.mark().epoch, 7);
}

#[test]
fn a_frame_of_an_ended_epoch_is_refused() {
    let name = "0000000001.seg";
    // An old writer goes on in epoch 0 while a new one has started epoch 7.
    let mut old = filled(Block::B512, 3, false);
    let mut new = old.clone();
    append(&mut old, 1).unwrap();
    new.start_epoch(7, 0).unwrap();
    let mut disk = new.into_disk();
    disk.put(name, old.into_disk().contents(name).unwrap().to_vec());
    let (report, last) = check(&disk, Extent::All);
    assert_eq!(report.damage[0].flaw, Flaw::EpochBack);
    assert_eq!(report.damage[0].from_record, last + 1);
    assert!(matches!(reopen(disk, options(Block::B512)), Err(OpenError::Damaged(_))));
}

#[test]
fn a_batch_out_of_turn_is_refused() {
    let mut writer = filled(Block::B512, 2, false);
    let next = writer.mark().record + 1;
    let mut batch = support::batch(next + 1, 1);
    let fault = writer.append(&mut batch).unwrap_err();
    assert_eq!(fault, Fault::OutOfTurn { expected: next + 1, next });
    assert_eq!(writer.append(&mut journal::Batch::new(0)), Err(Fault::EmptyBatch));
    append(&mut writer, 1).unwrap();
}

#[test]
fn another_nodes_journal_is_refused() {
    let disk = filled(Block::B512, 2, false).stop(0).unwrap();
    let found = NodeId::from_name("hub").unwrap();
    let theirs = NodeId::from_name("nampo").unwrap();
    let refused = reopen(disk, Options { node: theirs, ..options(Block::B512) });
    assert!(matches!(refused, Err(OpenError::WrongNode { found: id }) if id == found));
    assert_eq!(NodeId::from_name("a name of more than 16 bytes"), None);
}

#[test]
fn nothing_is_made_unless_asked_for() {
    let mut disk = SimDisk::new(0);
    let options = Options { create: false, ..options(Block::B512) };
    let absent = journal::open(&mut disk, options, 0, &mut |_| Ok(())).map(|_| ());
    assert_eq!(absent, Err(OpenError::Absent));
    assert!(disk.names().is_empty());
    let absent = journal::verify(&mut disk, Extent::All, &mut |_| Ok(()));
    assert_eq!(absent, Err(journal::VerifyError::Absent));
}

#[test]
fn a_newer_format_is_refused_by_name_and_a_broken_one_is_damage() {
    let name = "0000000001.seg";
    let disk = filled(Block::B512, 2, false).stop(0).unwrap();
    let (crc, length) = (512 + 92, 512);
    let mut bytes = disk.contents(name).unwrap().to_vec();
    bytes[512 + 4] = 2;
    let mut newer = disk.clone();
    newer.put(name, bytes.clone());
    assert_eq!(check(&newer, Extent::All).0.damage[0].flaw, Flaw::FrameBroken);
    // With a checksum that holds it is not rot.
    let frame = &bytes[512..512 + length];
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..92]), &frame[96..]);
    bytes[crc..crc + 4].copy_from_slice(&sum.to_le_bytes());
    newer.put(name, bytes);
    let refused = reopen(newer, options(Block::B512)).map(|_| ());
    assert_eq!(refused.err(), Some(OpenError::Newer { file: name.into(), version: 2 }));
}

#[test]
fn the_block_may_change_from_one_segment_to_the_next() {
    let mut writer = filled(Block::B512, 4, false);
    let large = Options { segment_bytes: support::SEGMENT, ..options(Block::B4096) };
    for frame in 0..30 {
        if frame == 10 {
            writer = reopen(writer.stop(0).unwrap(), large).unwrap().writer;
        }
        append(&mut writer, 3).unwrap();
    }
    let last = writer.mark().record;
    let disk = writer.stop(0).unwrap();
    let (report, read) = check(&disk, Extent::All);
    assert_eq!((report.damage, read), (vec![], last));
    assert_eq!(reopen(disk, large).unwrap().last, last);
}
