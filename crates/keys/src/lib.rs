//! Secrets of a node: message authentication, card tokens, sealed cards.
//!
//! What it is: every key of a role as a type that can do one thing, and nothing that gives a clear
//! key away but [`file::print`], which a key file's writer calls.
//! How things flow: random bytes come in as an argument, keys come from key files, and only MACs,
//! tokens and [`scheme::Sealed`] bytes go out. The same key and input give the same output.
//! What bounds it: [`limits`].
//! Deliberately absent until the keys-and-defence work: PIN blocks, key blocks, the HSM interface.
#![forbid(unsafe_code)]

mod card;
pub mod file;
mod key;
pub mod limits;
mod mac;
mod token;
mod vault;

pub use card::{CardKey, CardRing, Expiry, RingError, UnsealError};
pub use key::{Key128, KeyId};
pub use mac::{LinkMac, Mac, MacCode};
pub use token::TokenKey;
pub use vault::CardVault;
