//! A whole country in one thread, on a fake clock, with lying disks and cut cables.
//!
//! What it is: the same [`host::Host`] that `node` runs, the simulated banks and shops of
//! [`parties`], cables, disks and power, and an auditor that believes none of them.
//! How things flow: a [`Scenario`] says who is there and what goes wrong; [`run()`] lets it happen
//! and gives an [`Outcome`]: a hash of all that happened, what it covered, and what broke. A run
//! has three parts: faults rage; everything heals and people go on paying; shops close, and all
//! that is under way must end. Then the auditor judges.
//! What bounds it: [`limits`].
//! Deliberately absent: threads, sockets, files, real time, and chance that is not of the seed.
#![forbid(unsafe_code)]

mod actor;
pub mod audit;
mod clock;
mod dice;
mod disk;
mod gather;
pub mod limits;
mod machine;
mod net;
mod roster;
mod run;
pub mod scenario;
mod schedule;
mod simulate;
mod story;
mod trace;
mod world;

pub use run::{Outcome, Stats, alone, run, run_on, run_told};
pub use scenario::Scenario;
pub use simulate::{SeedReport, SimOptions, Totals, run_caught, simulate};
pub use world::cluster::Ledger;
