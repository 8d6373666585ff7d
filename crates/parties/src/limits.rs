//! Limits, each with its reason. Times are defaults of configuration where one names them.

/// Bytes of one message: the largest that a 2-byte frame of the bank wire is expected to carry.
pub const MESSAGE_MAX: usize = 8 * 1024;
/// Connections of one party: a bank's link and a shop's till line need a handful.
pub const CONNECTIONS_MAX: usize = 16;
/// First wait before dialling again.
pub const REDIAL_MIN_MS: u64 = 200;
/// Longest wait before dialling again: a hub that comes back must find its banks soon.
pub const REDIAL_MAX_MS: u64 = 5_000;
/// A dial without a result counts as failed after this.
pub const DIAL_WAIT_MS: u64 = 10_000;
/// R-TIME: echo after 30 s of silence.
pub const ECHO_AFTER_MS: u64 = 30_000;
/// R-TIME: an echo or sign-on is answered in 10 s.
pub const NETWORK_WAIT_MS: u64 = 10_000;
/// R-TIME: two missed echoes = the connection is down.
pub const ECHO_MISSES: u8 = 2;
/// Requests and tombstones are remembered for 10 days: R-TOMB wants 7, a pre-authorisation may be
/// completed for 8, and clocks differ.
pub const MEMORY_S: u64 = 10 * 86_400;
/// A hold that nobody has completed or reversed ends after this: a day after the hub must have
/// ended it, so that the bank's own clock never takes what the hub still counts on.
pub const HOLD_MS: u64 = 9 * 86_400_000;
/// Requests and tombstones remembered at most (about 150 bytes each).
pub const REQUESTS_MAX: usize = 2_000_000;
/// Book entries kept at most over all accounts (about 120 bytes each); older ones leave a count.
pub const ENTRIES_MAX: usize = 2_000_000;
/// Answers that wait for the disk or for their delay; beyond it the bank falls silent, as a real
/// one would, and the hub's timers take over.
pub const ANSWERS_MAX: usize = 65_536;
/// Records in one batch: with about 80 bytes each, well below a journal's frame.
pub const BATCH_RECORDS_MAX: usize = 8_192;
/// Accounts of a simulated bank (the example nation has 100).
pub const ACCOUNTS_MAX: u32 = 1_000_000;
/// Payments of a shop that are not finished, owed reversals included.
pub const UNFINISHED_MAX: usize = 65_536;
/// Purchases that a shop remembers for a refund: the receipts of its last hour or so.
pub const REFUNDABLE_MAX: usize = 256;
/// Finished payments that nobody has drained; older ones leave a count.
pub const SEEN_MAX: usize = 262_144;
/// A shop that was held up makes up for this long at most: its rate is steady, not bursts.
pub const CATCH_UP_MS: u64 = 20;
/// A message that found no connection is tried again after this.
pub const UNSENT_WAIT_MS: u64 = 1_000;

const _: () = assert!(UNFINISHED_MAX < scheme::Stan::MAX as usize);
const _: () = assert!(REDIAL_MIN_MS < REDIAL_MAX_MS);
const _: () = assert!(MESSAGE_MAX <= u16::MAX as usize);
