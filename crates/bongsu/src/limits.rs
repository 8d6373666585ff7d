//! Sizes and times that bound this crate.

use std::time::Duration;

/// Largest input that is read for one message, in bytes: the longest frame (65,535 bytes) as
/// spaced hexadecimal digits, or as JSON with every byte escaped, fits several times.
pub(crate) const INPUT_MAX: u64 = 1 << 20;

/// Largest configuration or dialect file, in bytes: a nation with 100,000 terminals has some ten.
pub(crate) const FILE_MAX: u64 = 64 << 20;

/// What a terminal waits for an answer at least, in seconds (R-TIME).
pub(crate) const TERMINAL_WAIT_S: u32 = 35;

/// Longest wait that may be asked for, in seconds: an hour is more than any answer takes.
pub(crate) const TERMINAL_WAIT_MAX_S: u32 = 3_600;

/// Longest payload of an answer, in bytes: what a 2-byte length can say.
pub(crate) const ANSWER_MAX: usize = wire::limits::BE2_FRAME_MAX;

const _: () = assert!(INPUT_MAX > 8 * wire::limits::BE2_FRAME_MAX as u64);
const _: () = assert!(TERMINAL_WAIT_S < TERMINAL_WAIT_MAX_S);

/// Payments that one look-up lists: what the hub answers at once.
pub(crate) const PAYMENTS_MAX: usize = host::limits::QUERY_PAYMENTS_MAX;

/// How often a journal is read again because a hub came meanwhile: who starts again and again waits
/// longer each time.
pub(crate) const LOOKS_MAX: u32 = 5;

/// Simulated minutes of one seed: a week, beyond which a nation only repeats itself.
pub(crate) const SIM_MINUTES_MAX: u64 = 7 * 24 * 60;

/// What a person waits without a word.
pub(crate) const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// How often a person is told how far it is; a log ten times less.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// What a backup waits until every role has named its last durable frame: they do so every 100 ms
/// (`node::limits::HEAD_EVERY`), and a commit on a slow disk takes as long again and more.
pub(crate) const HEAD_WAIT: Duration = Duration::from_millis(500);

const _: () = assert!(HEAD_WAIT.as_millis() >= 4 * node::limits::HEAD_EVERY.as_millis());
