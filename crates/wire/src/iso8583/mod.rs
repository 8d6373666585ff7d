//! ISO 8583:1987 messages: bytes -> [`Message`] -> bytes, by a [`Dialect`].
//!
//! A [`Message`] is canonical, the same in every dialect: text elements are their ASCII
//! characters, binary elements (type b) their raw bytes. [`Dialect::decode`] checks length and
//! content of every element and refuses leftovers, so whoever holds a decoded message need not
//! check form again. [`Dialect::encode`] checks the same on the way out.
//! [`recognise`] finds the dialect of a connection from its first frame, [`explain`] puts a
//! message into words. Deliberately absent: which elements a message must carry.

mod content;
mod decode;
mod dialect;
mod dialect_file;
mod encode;
mod explain;
mod mac;
mod mask;
mod message;
mod sound;

pub use decode::{DecodeError, DecodeErrorKind, recognise};
pub use dialect::{Dialect, ElementType, Encoding, Field, Length};
pub use dialect_file::{DialectError, Problem};
pub use encode::{EncodeError, EncodeErrorKind};
pub use explain::{Explained, Part, Wrong, explain};
pub use mac::MAC_BYTES;
pub use message::Message;
pub use scheme::Mti;
