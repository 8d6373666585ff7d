//! Web pages as pure functions of a view: plain data in, HTML out. No clock, no socket, no query.

#![forbid(unsafe_code)]
