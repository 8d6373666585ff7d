//! Web pages as pure functions of a view: plain data in, HTML out.
//!
//! How it flows: the shell fills a view with plain values, a page of [`pages`] turns it into HTML
//! with the words of a [`Messages`], and [`STYLE`] gives it its look. Pages read without a script;
//! what a colour says stands beside it in words. What bounds it: the lists that the shell hands
//! over. Deliberately absent: clocks, sockets, questions, and any knowledge of where values are
//! from.

#![forbid(unsafe_code)]

mod messages;
pub mod pages;
mod pictures;
mod text;
pub mod view;

pub use messages::{ENGLISH, Messages, StepWords};

/// The one style sheet.
pub const STYLE: &str = include_str!("style.css");
