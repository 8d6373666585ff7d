//! The rules again, on a hub whose engine is a cluster that answers later, with a memory of next to
//! nothing: every decision is a record before the cluster is asked about it, the cluster may have
//! done what it was asked when the hub dies, and every answer is the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::Later;
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
mod delayed;
#[path = "../rules/matching.rs"]
mod matching;
#[path = "../rules/preauth.rs"]
mod preauth;
mod proposals;
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
