//! The rules, one test each (`R-...`), on the machines with real books.

mod accounts;
mod calendar;
mod crash;
mod matching;
mod random;
mod refusals;
mod reversals;
mod rig;
mod station;
mod timing;
mod tombstones;
