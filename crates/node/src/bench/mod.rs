//! The load generator and the nation it loads, for `bongsu bench`.
//!
//! How things flow: [`rig`] starts a hub (and a station) as processes of their own in a temporary
//! directory; a further process runs [`generate`]: one thread that plays all banks and terminals
//! over TCP, reads whole buffers, patches prepared frames and writes once per connection and turn,
//! so that it takes as little as possible of the cores that it shares with what it measures;
//! [`hostile`] harms the nation meanwhile.
//! What bounds it: the orders it is given; it ends by itself. Deliberately absent: any code of the
//! switch's own codec or sessions, so that a mistake there is not answered by the same mistake.

mod asker;
mod generator;
mod histogram;
pub mod hostile;
mod iso;
mod line;
mod mutate;
mod orders;
pub mod rig;

pub use generator::generate;
pub use histogram::Histogram;
pub use orders::{Bank, Measured, NOT_EXPECTED, Orders, REVERSALS, STALL_MS};
