//! The rules again, on a hub whose engine is a cluster that answers later, with a memory of next to
//! nothing: every decision is a record before the cluster is asked about it, the cluster may have
//! done what it was asked when the hub dies, and every answer is the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

use switch::hub::Answers;

/// When the engine answers.
pub(crate) const ENGINE: Answers = Answers::Later;
/// Payments that the hub keeps in memory once history has them.
pub(crate) const WINDOW: Option<usize> = Some(1);

mod delayed;
mod proposals;
#[path = "../rules/mod.rs"]
mod rules;

use rules::rig;
