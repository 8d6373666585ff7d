//! One running role without a world: configuration, sessions, machine, journal pipeline and
//! staging, sans-IO.
//!
//! A shell reads its clocks and hands over an [`Event`]; the [`Host`] answers with [`Action`]s.
//! `node` does that with sockets and files, `nation` with a simulated country; both run this code
//! and nothing beside it. What a turn decides becomes records in the forming batch; everything
//! that tells the world of it waits until the batch is durable ([`journal::Stage`]).
//!
//! Bounds are in [`limits`]. Absent on purpose: threads, clocks, files, sockets.
#![forbid(unsafe_code)]

mod admission;
mod beacon;
pub mod booking;
pub mod clock;
pub mod config;
mod event;
pub mod fires;
pub mod history;
mod hub;
mod identity;
pub mod limits;
mod line;
mod look_up;
pub mod offline;
mod opening;
mod pipeline;
pub mod poison;
mod restore;
mod station;
pub mod story;
pub mod table;
mod traffic;
pub mod view;
mod watch;

pub use config::Config;
pub use event::{
    Action, Clocks, CloseReason, ConnId, Door, DoorAddress, Event, Health, Level, LogLine, Peer,
};
pub use hub::rebuild::{Aside, AtOnce, Handful, Task, Worker};
pub use identity::PeerName;
pub use opening::{Host, HostError, HostKeys, LinkMacs, Opened, Role};
pub use restore::{Restored, raise_epoch};
pub use station::ProbeCard;
