//! The book of original entry: frames of records, checksummed, chained, safe against torn writes.
//!
//! How things flow: a machine's records go through a [`Stage`] into a [`Batch`]; [`Writer::append`]
//! makes the batch one frame on the [`Disk`] and returns when it is durable; the stage then frees
//! the effects that waited for it. [`open`] finds the newest good snapshot, replays what follows,
//! cuts a torn tail and hands back the writer. [`verify`] reads everything and changes nothing;
//! [`copy`] makes a backup; [`index`] finds records of sealed segments by their keys; [`retire`]
//! removes sealed segments that were copied away, behind an [`anchor()`].
//!
//! What bounds it: `limits`. The byte layouts and the assumptions about media are in
//! `docs/formats/journal.md`. Deliberately absent: what the records mean, clocks (`now` is an
//! argument in nanoseconds), threads, buffers' alignment (the disk's business), replication.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

extern crate alloc;

mod anchor;
mod batch;
mod copy;
mod damage;
mod disk;
mod format;
pub mod index;
mod layered;
pub mod limits;
mod open;
mod retire;
mod scan;
pub mod sim_disk;
mod snapshot;
mod stage;
mod tail;
mod verify;
mod walk;
mod writer;

pub use anchor::{Place, anchor_name};
pub use batch::{Batch, BatchError};
pub use copy::{Copied, CopyError, Until, copy};
pub use damage::{Cut, Damage, Flaw};
pub use disk::{Disk, DiskError, DiskErrorKind, DiskOp};
pub use format::{Block, FrameHeader, Hash, NodeId, RecordView};
pub use layered::Layered;
pub use open::{HeadFound, OpenError, Recovery, Replay, open};
pub use retire::{
    RetireError, Sealed, Shelf, anchor, anchor_beside, anchored, copy_whole, file_hash, oldest,
    places, retire, shelf, stands,
};
pub use scan::{Next, scan};
pub use stage::{Stage, StageLimits};
pub use verify::{Extent, Report, Verified, VerifyError, verify, verify_states};
pub use writer::{Appended, Fault, Mark, Options, Work, Writer};
