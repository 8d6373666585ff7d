//! The rules that every hub obeys, however much it remembers and whenever its engine answers. Who
//! runs them says both at its root: `ENGINE` and `WINDOW`.

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
pub(crate) mod rig;
mod timing;
mod tombstones;
