//! Limits of a simulated nation, each with its reason.

/// Stations of the example nation.
pub const STATIONS_MAX: u16 = 4;
/// Events of one run. A run of a minute takes some hundred thousand; one that takes this many is a
/// machine that talks to itself.
pub const EVENTS_MAX: u64 = 50_000_000;
/// Timeouts of one machine at one instant. A timer that is due again at once, so often, never
/// moves on.
pub const TIMEOUTS_AT_ONCE: u32 = 1_000;
/// Simulated time after the last payment in which everything must have ended (R3 asks for
/// 60 s after the heal; the largest repeat of an advice is 8 s here).
pub const DRAIN_MS: u64 = 60_000;
/// How often the drain asks whether all is quiet.
pub const DRAIN_STEP_MS: u64 = 250;
/// How often the accounts are looked at while faults rage.
pub const LOOK_EVERY_MS: u64 = 1_000;
/// The same in a nation of the rule book's own delays, whose runs are hours.
pub const LOOK_EVERY_LONG_MS: u64 = 60_000;
/// Frames of a bank's or terminal's connection (`host::limits::MESSAGE_MAX`, with room).
pub const FRAME_MAX: usize = 16 * 1024;
/// A bank that stops is gone for so long at least: its own terminals number their requests anew by
/// the second.
pub const BANK_DOWN_MS: u64 = 1_100;
/// Failures to open a journal in a row: each may be a power cut in recovery, but not so many.
pub const OPENS_IN_A_ROW: u32 = 20;
/// Payments that the auditor asks the hub's history for, one by one.
pub const HISTORY_ASKED_MAX: usize = 300;
/// How often the hub's history looks for a sealed segment, ms.
pub const HISTORY_LOOK_MS: u64 = 50;
/// The same in a nation of the rule book's own delays, whose runs are hours.
pub const HISTORY_LOOK_LONG_MS: u64 = 60_000;
/// Violations kept of one audit: the first few tell the story.
pub const VIOLATIONS_MAX: usize = 20;
/// Lines of a told run: beyond it nobody reads.
pub const STORY_LINES_MAX: usize = 2_000_000;

const _: () = assert!(DRAIN_STEP_MS < DRAIN_MS);
const _: () = assert!(FRAME_MAX <= u16::MAX as usize);
