//! parties.
#![forbid(unsafe_code)]
