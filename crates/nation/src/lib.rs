//! nation.
#![forbid(unsafe_code)]
