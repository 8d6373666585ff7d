//! The two machines of the network: the national [`Hub`] and the regional [`Station`].
//!
//! Each is a pure state machine: [`hub::Input`] in, [`hub::Effect`]s out, with the time as an
//! argument. A turn *decides*, then *applies* the decision as a [`Record`]; recovery applies the
//! same records and decides nothing. What a turn decides depends on two things kept apart in the
//! code: durable state, which only `apply` changes and whose hash after a replay equals the live
//! one, and volatile state (who waits for what, which links are up), which a crash forgets.
//!
//! The machines call no engine: they emit transfers and receive their results. They never see a
//! clear PAN or PIN. Bounds are in [`limits`]. Absent on purpose: sockets, bytes, dialects, clocks.
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

extern crate alloc;

pub mod business;
mod bytes;
mod fingerprint;
pub mod history;
pub mod hub;
pub mod legs;
pub mod limits;
pub mod record;
pub mod request;
pub mod station;
pub mod timers;

pub use bytes::{Corrupt, Reader, Writer};
pub use fingerprint::{Fingerprint, Fingerprinted};
pub use hub::Hub;
pub use record::Record;
pub use request::{Answer, Carried, OriginalRef, PeerId, ReplyTo, Request, Text25, Trace};
pub use station::Station;
pub use timers::Timers;
