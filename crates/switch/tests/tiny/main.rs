//! The rules again, on a hub that keeps next to nothing in memory: whatever is over is let go at
//! once, and read back when a message means it. Every answer is the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::AtOnce;
/// Payments that the hub keeps in memory once history has them.
pub(crate) const WINDOW: Option<usize> = Some(1);

#[path = "../rules/mod.rs"]
mod rules;

use rules::rig;
