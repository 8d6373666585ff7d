//! The ledger: double entry with the semantics of TigerBeetle 0.16.78.
//!
//! A caller hands batches of [`Account`]s and [`Transfer`]s to an [`Engine`] and gets one status
//! per event. [`Books`] is the engine in memory: exact, deterministic, nothing but integers; what
//! it answers depends on the sequence of batches and their times alone. [`Embedded`] adds the
//! journal. [`NaiveModel`] says the same rules a second time, slowly, so that the two can be
//! compared. [`chart`] is how the scheme numbers its accounts (R-ACCOUNTS).
//!
//! Statuses, their precedence and the byte layouts: `docs/formats/ledger.md`; why, and where
//! `Books` deliberately differs: `docs/decisions/0002-ledger-semantics.md`. Absent on purpose:
//! imports, queries, the history of balances.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

extern crate alloc;

mod account;
mod books;
pub mod chart;
mod codec;
mod embedded;
mod engine;
mod flags;
pub mod limits;
mod naive;
mod spread;
mod status;
mod transfer;

pub use account::{Account, AccountFlags};
pub use books::{Books, Capacity, SnapshotError};
pub use embedded::{Embedded, EmbeddedError, IndexMaker, Indexer};
pub use engine::Engine;
pub use naive::NaiveModel;
pub use spread::{Recent, SpreadTable};
pub use status::{AccountStatus, TransferStatus};
pub use transfer::{Transfer, TransferFlags};
