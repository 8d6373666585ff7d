//! Bytes to typed messages and back, and nothing else: no policy, no clock, no socket.
//!
//! [`frame`] cuts a stream of bytes into frames; [`iso8583`] reads a frame as a message by a
//! dialect (a file in `dialects/`, see `docs/formats/dialects.md`) and writes it back. Sizes are
//! bounded by [`limits`]; every error names the data element and the byte where it stands.
//! What a field means, which fields a message must carry and who may send it is decided elsewhere.
#![forbid(unsafe_code)]

pub mod frame;
pub mod iso8583;
pub mod limits;
