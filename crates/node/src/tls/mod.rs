//! Mutual TLS 1.3 below every trunk and bank link, and the private authority that says who is who.
//!
//! How things flow: [`files`] names the files below `DIR/keys`, [`authority`] makes what is not
//! there, [`Material`] is what one role reads of them. [`Handshakes`] brings new connections as far
//! as their first byte, on a thread of its own, and hands over a [`Channel`] with the name that the
//! peer's certificate proves. From then on the event loop opens what it reads and seals one
//! connection's turn at once.
//! What bounds it: [`crate::limits`]: connections in a handshake, its time, how many wait for it.
//! Deliberately absent: TLS 1.2 (not compiled in), renegotiation (TLS 1.3 has none), session
//! tickets, revocation lists: a certificate that must go is replaced together with its authority.

pub mod authority;
mod channel;
pub mod files;
mod handshakes;
mod material;
mod refusal;
#[cfg(test)]
mod tests;
mod validity;

pub use channel::{Channel, Opened};
pub use handshakes::{Handshakes, Outcome, Setting, Work};
pub use material::{ClientSide, Material, bank_mac};
pub use refusal::Refusal;
