//! keys.
#![forbid(unsafe_code)]
