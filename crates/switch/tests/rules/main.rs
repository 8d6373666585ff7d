//! The rules, one test each (`R-...`), on the machines with real books.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::AtOnce;
/// Payments that the hub keeps in memory once history has them; none: history has none.
pub(crate) const WINDOW: Option<usize> = None;

#[path = "mod.rs"]
mod rules;
mod station;

use rules::rig;
