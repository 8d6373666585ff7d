//! The rules again, on a hub that keeps next to nothing in memory: whatever is over is let go at
//! once, and read back when a message means it. Every answer is the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::AtOnce;
/// Payments that the hub keeps in memory once history has them.
pub(crate) const WINDOW: Option<usize> = Some(1);

#[path = "../rules/accounts.rs"]
mod accounts;
#[path = "../rules/balance.rs"]
mod balance;
#[path = "../rules/calendar.rs"]
mod calendar;
#[path = "../rules/crash.rs"]
mod crash;
#[path = "../rules/matching.rs"]
mod matching;
#[path = "../rules/preauth.rs"]
mod preauth;
#[path = "../rules/random.rs"]
mod random;
#[path = "../rules/refunds.rs"]
mod refunds;
#[path = "../rules/refusals.rs"]
mod refusals;
#[path = "../rules/reversals.rs"]
mod reversals;
#[path = "../rules/rig.rs"]
mod rig;
#[path = "../rules/timing.rs"]
mod timing;
#[path = "../rules/tombstones.rs"]
mod tombstones;
