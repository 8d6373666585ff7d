//! The ledger's engine on a TigerBeetle 0.16.78 cluster.
//!
//! [`TigerBeetle`] is an `Engine`: a batch goes to the cluster through TigerBeetle's own client,
//! which is a thread of its own and sends it again until it is answered; the caller waits. What
//! comes back has the same numbers as `Books` gives (`wire`), so nothing is mapped but one thing:
//! batches that import are refused here, as `Books` refuses them (decision 0002). [`Server`] runs
//! a cluster of one replica on this machine, for tests and measurements.
//!
//! Bounded by `limits`. Absent on purpose: queries, the history of balances, imports; the cluster
//! as the ledger of a running hub. The engine needs the feature `client`, which is off in a plain
//! build: it takes Zig to compile (`cargo xtask tigerbeetle`).
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
mod engine;
mod error;
pub mod limits;
mod server;
pub mod wire;

#[cfg(feature = "client")]
pub use engine::TigerBeetle;
pub use error::{ServerError, TigerBeetleError};
pub use server::{Memory, Server};
