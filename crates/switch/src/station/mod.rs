//! station
/// x
pub struct Station;
