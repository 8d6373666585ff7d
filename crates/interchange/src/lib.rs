//! interchange.
#![forbid(unsafe_code)]
