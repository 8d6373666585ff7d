//! The one crate that knows both message formats and the switch's words.
//!
//! - [`session`] one connection that speaks ISO 8583: frames, dialect, what waits for an answer
//! - [`request`] a terminal's or acquirer's message to a [`switch::Request`] (R-FIELDS)
//! - [`reply`] a [`switch::Answer`] to the message that answers it
//! - [`issuer`] what the hub and an issuer say to each other
//! - [`network`] 0800 and 0810
//! - [`trunk`] the station's link to the hub: its format and its session (R-TRUNK)
//!
//! Clear PANs pass through here and nowhere deeper: on the way in they become a `CardRef`, on the
//! way out they are unsealed (R-SECRETS). Absent on purpose: sockets, clocks, decisions.
#![forbid(unsafe_code)]

mod digits;
mod elements;
pub mod issuer;
pub mod limits;
pub mod network;
pub mod reply;
pub mod request;
pub mod session;
pub mod trunk;

pub use request::{Place, Register, Source, to_request};
pub use session::{Echo, Incoming, Limit, Session};

/// Record kind under which cards are sealed: the record that opens a payment.
pub const SEAL_KIND: u8 = 16;
