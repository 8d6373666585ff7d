//! The rules, one test each (`R-...`), on the machines with real books.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

mod accounts;
mod balance;
mod calendar;
mod crash;
mod matching;
mod preauth;
mod random;
mod refunds;
mod refusals;
mod reversals;
mod rig;
mod station;
mod timing;
mod tombstones;
