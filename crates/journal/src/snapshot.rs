//! Snapshots: the caller's opaque bytes, which record they follow, and a hash over all of it.
use crate::disk::{Disk, DiskError};
use crate::format::{
    FORMAT_VERSION, Hash, NodeId, number_of, put, put_u16, put_u64, round_up, take, u64_at,
};
use crate::limits::{PIECE_BYTES, SNAPSHOT_BYTES_MAX, SNAPSHOTS_KEPT};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The name while it is written.
pub(crate) const SNAPSHOT_TEMP: &str = "snapshot.tmp";

/// Length of the header; the payload is padded to a multiple of it.
const HEADER_BYTES: usize = 4096;
const _: () = assert!(SNAPSHOT_BYTES_MAX.is_multiple_of(HEADER_BYTES as u64));
const MAGIC: [u8; 4] = *b"BgSn";
const VERSION: usize = 4;
const RECORD: usize = 8;
const EPOCH: usize = 16;
const TIME: usize = 24;
const LENGTH: usize = 32;
const NODE: usize = 40;
const HASH: usize = 56;

/// The file of a snapshot after `record`.
pub(crate) fn snapshot_name(record: u64) -> String {
    format!("snapshot-{record:020}.snap")
}

/// The record in a snapshot's file name, if it is one.
pub(crate) fn snapshot_record(name: &str) -> Option<u64> {
    number_of(name.strip_prefix("snapshot-")?.strip_suffix(".snap")?, 20)
}

/// A snapshot that was read and whose hash holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) record: u64,
    bytes: Vec<u8>,
    length: usize,
}

impl Snapshot {
    /// The caller's bytes.
    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..HEADER_BYTES.saturating_add(self.length)).unwrap_or(&[])
    }

    /// Reads the snapshot after `record`; `None` if it does not hold.
    pub(crate) fn read<D: Disk>(
        disk: &mut D,
        node: NodeId,
        record: u64,
    ) -> Result<Option<Self>, DiskError> {
        let name = snapshot_name(record);
        let file_bytes = disk.len(&name)?.unwrap_or(0);
        let most = SNAPSHOT_BYTES_MAX.saturating_add(HEADER_BYTES as u64);
        let whole = file_bytes.is_multiple_of(HEADER_BYTES as u64);
        let (true, true, Ok(file_bytes)) =
            (whole, (1..=most).contains(&file_bytes), usize::try_from(file_bytes))
        else {
            return Ok(None);
        };
        let mut bytes = vec![0; file_bytes];
        if disk.read(&name, 0, &mut bytes)? != file_bytes {
            return Ok(None);
        }
        Ok(check(bytes, node, record))
    }
}

fn check(bytes: Vec<u8>, node: NodeId, record: u64) -> Option<Snapshot> {
    let length = usize::try_from(u64_at(&bytes, LENGTH)).ok()?;
    let expected = header(node, record, u64_at(&bytes, EPOCH), u64_at(&bytes, TIME), length);
    let mut found = bytes.get(..HEADER_BYTES)?.to_vec();
    let hash: [u8; 32] = take(&found, HASH);
    put(&mut found, HASH, &[0; 32]);
    let mut sum = Sha256::new();
    sum.update(&found);
    sum.update(&bytes[HEADER_BYTES..]);
    let holds = <[u8; 32]>::from(sum.finalize()) == hash
        && found == expected
        && bytes.len() == HEADER_BYTES.saturating_add(round_up(length, HEADER_BYTES));
    holds.then_some(Snapshot { record, bytes, length })
}

/// The header with the hash's place zero, as it is hashed.
fn header(node: NodeId, record: u64, epoch: u64, time_ns: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    put(&mut bytes, 0, &MAGIC);
    put_u16(&mut bytes, VERSION, FORMAT_VERSION);
    put_u64(&mut bytes, RECORD, record);
    put_u64(&mut bytes, EPOCH, epoch);
    put_u64(&mut bytes, TIME, time_ns);
    put_u64(&mut bytes, LENGTH, length as u64);
    put(&mut bytes, NODE, &node.0);
    bytes
}

/// What a step of a job left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotStep {
    More,
    Done,
}

/// A snapshot being written, a piece at a time: payload, then header, then its name.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotJob {
    record: u64,
    header: Vec<u8>,
    /// The payload, padded.
    payload: Vec<u8>,
    written: usize,
    sum: Sha256,
}

impl SnapshotJob {
    /// `None` if the payload is over its limit.
    pub(crate) fn new(
        node: NodeId,
        record: u64,
        epoch: u64,
        time_ns: u64,
        mut payload: Vec<u8>,
    ) -> Option<Self> {
        if payload.len() as u64 > SNAPSHOT_BYTES_MAX {
            return None;
        }
        let header = header(node, record, epoch, time_ns, payload.len());
        payload.resize(round_up(payload.len(), HEADER_BYTES), 0);
        let mut sum = Sha256::new();
        sum.update(&header);
        Some(Self { record, header, payload, written: 0, sum })
    }

    /// Its memory, for the next one.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.payload
    }

    /// Makes the file that is to be filled.
    pub(crate) fn create<D: Disk>(&self, disk: &mut D) -> Result<(), DiskError> {
        if disk.len(SNAPSHOT_TEMP)?.is_some() {
            disk.remove(SNAPSHOT_TEMP)?;
        }
        let bytes = HEADER_BYTES.saturating_add(self.payload.len());
        disk.create(SNAPSHOT_TEMP, bytes as u64)
    }

    /// One piece.
    pub(crate) fn step<D: Disk>(&mut self, disk: &mut D) -> Result<SnapshotStep, DiskError> {
        if self.written < self.payload.len() {
            let end = self.written.saturating_add(PIECE_BYTES).min(self.payload.len());
            let piece = &self.payload[self.written..end];
            let at = HEADER_BYTES.saturating_add(self.written);
            disk.write(SNAPSHOT_TEMP, at as u64, piece)?;
            self.sum.update(piece);
            self.written = end;
            return Ok(SnapshotStep::More);
        }
        let hash = Hash(self.sum.clone().finalize().into());
        put(&mut self.header, HASH, &hash.0);
        disk.write(SNAPSHOT_TEMP, 0, &self.header)?;
        disk.sync(SNAPSHOT_TEMP)?;
        disk.rename(SNAPSHOT_TEMP, &snapshot_name(self.record))?;
        disk.sync_dir()?;
        prune(disk)?;
        Ok(SnapshotStep::Done)
    }
}

/// The records of all snapshots, newest first.
pub(crate) fn newest_first(names: &[String]) -> Vec<u64> {
    let mut records: Vec<u64> = names.iter().filter_map(|name| snapshot_record(name)).collect();
    records.sort_unstable_by(|a, b| b.cmp(a));
    records
}

/// Removes all but the newest. The directory was synced before: the newest is there.
fn prune<D: Disk>(disk: &mut D) -> Result<(), DiskError> {
    for record in newest_first(&disk.list()?).into_iter().skip(SNAPSHOTS_KEPT) {
        disk.remove(&snapshot_name(record))?;
    }
    Ok(())
}
