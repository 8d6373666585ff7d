//! Limits of the ledger, each with its reason.

/// Most events of one batch. TigerBeetle 0.16.78 takes 8,189 events of 128 bytes in its 1 MiB
/// message; an engine that accepts more could not be exchanged for it.
pub const BATCH_MAX: usize = 8_189;

/// The last instant that a timestamp may name: TigerBeetle keeps the 64th bit for itself.
/// It is in the year 2262.
pub const TIMESTAMP_MAX: u64 = u64::MAX >> 1;

/// Parts of a map that must not pause to grow: with five million entries a part has 20,000, which
/// move in under a millisecond.
pub const SPREAD_PARTS: usize = 256;

/// What a part of a map has room for at least once it has been looked through for rows that are
/// over: 256 of them are 16,384 rows, 150 KB.
pub const PART_ROWS_MIN: usize = 64;

/// Rows that are looked at before an index: eight times what a busy hub has under way, 256 KiB.
pub const RECENT_ROWS: usize = 32_768;

/// Rows of one piece of a table that grows without being moved: 64 KiB of 64-byte rows.
pub const ROWS_OF_PIECE: usize = 1_024;

/// Ids of transfers that a hub's books remember beside those that are open, at some 76 bytes each:
/// 2.5 MB, which is near the processor. A batch and what is asked again after it are far fewer;
/// what is older the hub's own matching knows (R-MATCH).
pub const WINDOW_TRANSFERS: usize = 32_768;

/// Ids of transfers that an embedded ledger remembers besides those of segments that have no index
/// yet, at some 76 bytes each. A batch is asked about most often a moment after it was made.
pub const WINDOW_EMBEDDED: usize = 500_000;

/// Filters of an embedded ledger's indexes that are kept in memory, bytes: those of some
/// 70,000,000 transfers. A look into another costs a read of the disk.
pub const INDEX_WARM_BYTES: u64 = 96 << 20;

/// Rows replayed from one look at what may be forgotten to the next.
pub const ROWS_OF_LOOK: u64 = 1_024;

/// Sealed segments without an index from which on the ledger waits for one with each segment more:
/// their transfers stay in memory, some 35 MB of a segment of 64 MiB.
pub const UNINDEXED_MAX: usize = 2;

/// How much faster the ledger builds the index of a segment itself than the next segment is filled:
/// so it is done when that is half full.
pub const INDEX_PACE: u64 = 2;

/// Pieces of an index beside those that the length of its segment makes: parts of entries, which
/// are 64, and the ends.
pub const INDEX_PIECES: u64 = 70;

/// Nanoseconds of a second, the unit of a transfer's timeout.
pub const NS_PER_S: u64 = 1_000_000_000;

/// Rows that one table of `Books` may hold: rows are named by 32 bits. Memory ends long before:
/// at 64 bytes a remembered transfer this is 256 GiB.
pub const ROWS_MAX: u32 = u32::MAX - 1;

// The longest timeout alone must not overflow a timestamp, so that only the sum has to be checked.
const _: () = assert!(u32::MAX as u64 <= TIMESTAMP_MAX / NS_PER_S);
