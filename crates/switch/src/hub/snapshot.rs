//! The hub's durable state as bytes: the body of a journal snapshot
//! (`docs/formats/records.md`, "Snapshot").


use crate::bytes::Corrupt;

/// Why a snapshot's body was refused.
pub type SnapshotError = Corrupt;

