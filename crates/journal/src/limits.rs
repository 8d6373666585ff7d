//! Every limit of the journal, each with its reason.

/// Longest payload of one record, bytes: its length is a `u16` in the envelope.
pub const RECORD_BYTES_MAX: usize = 65_535;

/// Largest frame on disk, bytes, header and padding included. Holds 8,189 transfers (the largest
/// batch of a ledger) of 500 bytes each; hashing it takes about 2.5 ms, the longest stall of an
/// append by its own work.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

/// Bytes at which a stage calls itself full: one turn of the machine, whatever it decides, must
/// still fit between this and [`FRAME_BYTES_MAX`].
pub const STAGE_BYTES: usize = 1 << 20;

/// Effects at which a stage calls itself full: they wait in memory for one disk write.
pub const STAGE_EFFECTS: usize = 16_384;

/// Batches that wait behind the one in flight: what must not be refused while one sync takes
/// seconds. A turn's end closes a batch from half of [`FRAME_BYTES_MAX`] on, so 32 hold at least
/// 64 MiB: 1,000 bytes for each of the about 65,000 frames that trunk credit lets peers send
/// before theirs are durable. At most 128 MiB of frames in memory.
pub const STAGE_WAITING_MAX: usize = 32;

/// Default length of a segment file, bytes (the hub's; other roles take 8 MiB).
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Largest segment, bytes: recovery reads the last one whole, and 1 GiB takes about a second.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Fewest blocks of a segment: its header and one frame of a few blocks.
pub const SEGMENT_BLOCKS_MIN: u64 = 4;

/// Largest segment number: file names have ten digits.
pub const SEGMENT_NUMBER_MAX: u64 = 9_999_999_999;

/// One piece of zero-filling or of a snapshot, bytes: a commit may wait for one, and 256 KiB take a
/// quarter of a millisecond on a busy machine where 1 MiB took 3 ms now and then.
pub const PIECE_BYTES: usize = 256 << 10;

/// What of a segment is read at once for its index, bytes: on a busy machine each read costs a wait
/// for the processor beside that for the disk, and 64 of them are 64 times a few milliseconds.
pub const INDEX_READ_BYTES: usize = 1 << 20;

/// Memory of an index's build that is kept for the next, bytes: one of a segment of
/// [`SEGMENT_BYTES`] takes about 32 MiB.
pub const INDEX_ROOM_BYTES: usize = 64 << 20;

/// What a recovery reads of a segment at once, bytes: it waits for each read, and with 256 KiB it
/// waited 0.4 of 1.5 s.
pub const RECOVERY_READ_BYTES: usize = 1 << 20;

/// What is read at most of a frame before its length is known, bytes: beyond it a second read costs
/// no more than the bytes that were too many.
pub const FRAME_READ_BYTES: usize = 128 << 10;

/// What a verification reads at once where it looks for the last frame of a sealed segment, bytes:
/// what is left behind that frame is less than the next one, and most are shorter.
pub const SEAM_READ_BYTES: usize = 64 << 10;

/// Segments of one gap that are looked for by name, to tell one that is no file from one that is
/// not there: a file's name may say that thousands of millions are missing before it.
pub const HOLE_NAMES_MAX: usize = 1_000;

/// Largest snapshot, bytes: it is copied in one turn and held in memory once.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 << 20;

/// Largest state of an anchor, bytes. Unlike a snapshot no payment waits for it: it is written
/// while the role stands still, and read once when both snapshots are lost.
pub const ANCHOR_BYTES_MAX: u64 = 1 << 30;

/// Snapshots kept: the newest, and one to fall back to.
pub const SNAPSHOTS_KEPT: usize = 2;

/// The head may be this much older than the last durable frame, nanoseconds.
pub const HEAD_EVERY_NS: u64 = 100_000_000;

const _: () = assert!(STAGE_BYTES < FRAME_BYTES_MAX / 2);
const _: () = assert!(STAGE_WAITING_MAX * (FRAME_BYTES_MAX / 2) >= 65_536 * 1000);
const _: () = assert!(RECORD_BYTES_MAX < FRAME_BYTES_MAX / 2);
const _: () = assert!(SEGMENT_BYTES >= 2 * FRAME_BYTES_MAX as u64);
const _: () = assert!(PIECE_BYTES.is_multiple_of(4096));
const _: () = assert!(SEAM_READ_BYTES.is_multiple_of(4096));
const _: () = assert!(SEGMENT_BYTES <= SEGMENT_BYTES_MAX);

/// Pages of a filter that are read at once where a question may wait meanwhile: a quarter of a
/// millisecond from memory, two from a slow disk.
pub const WARM_PAGES: u64 = 64;
