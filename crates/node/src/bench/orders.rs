//! What the generator is told, and what it tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A gap between answers, or a commit, that is longer than this is a stall, ms.
pub const STALL_MS: u64 = 40;

/// The fault that a reversal came, by its name in [`Measured::faults`].
pub const REVERSALS: &str = "reversals";
/// The fault that a message came of a kind that the generator's payments do not lead to.
pub const NOT_EXPECTED: &str = "not expected";

/// A bank to play.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bank {
    /// Institution code (DE32).
    pub id: u64,
    /// First digits of its cards.
    pub iin: String,
}

/// What is to be generated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// The hub's door for banks.
    pub banks_at: SocketAddr,
    /// A station's door for terminals; without one the banks ask as acquirers.
    pub terminals_at: Option<SocketAddr>,
    /// The nation's keys, for TLS and MACs on banks' connections; without them they are plain.
    pub keys: Option<PathBuf>,
    /// Retailer of these terminals (DE42).
    pub retailer: String,
    /// Banks; the first is the acquirer of terminals.
    pub banks: Vec<Bank>,
    /// Connections that ask.
    pub asking: usize,
    /// Connections that only answer.
    pub answering: usize,
    /// Payments under way on each asking connection, in closed loop.
    pub depth: usize,
    /// The number of each connection's first payment: a second load on the same nation goes on
    /// where the first ended, or its payments would be taken for repeats.
    pub first: u64,
    /// Terminals of one asking connection.
    pub terminals: u64,
    /// Payments/s in open loop.
    pub rate: Option<u64>,
    /// Time before anything is counted, ms.
    pub warm_up_ms: u64,
    /// Time in which payments are counted, ms.
    pub window_ms: u64,
    /// Ends earlier, once so many payments have been asked.
    pub payments: Option<u64>,
    /// Currency (DE49).
    pub currency: u16,
    /// Local time less UTC, seconds.
    pub utc_offset_s: i64,
}

/// What was seen in the window.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Payments answered, approved or not.
    pub payments: u64,
    /// Length of the window, ns.
    pub window_ns: u64,
    /// Time that half of the payments did not exceed, ns.
    pub p50_ns: u64,
    /// Time that 99 % did not exceed, ns.
    pub p99_ns: u64,
    /// Time that 99.9 % did not exceed, ns.
    pub p999_ns: u64,
    /// The longest time, ns.
    pub max_ns: u64,
    /// Answers other than approvals, of the whole run.
    pub declined: u64,
    /// The same by DE39.
    pub codes: BTreeMap<String, u64>,
    /// Answers that do not fit their request, reversals, payments never answered.
    pub errors: u64,
    /// The same by what was wrong.
    pub faults: BTreeMap<String, u64>,
    /// Gaps longer than [`STALL_MS`] in which something was under way and nothing was answered.
    pub gaps: u64,
    /// Payments answered in the whole run, before and after the window too.
    pub answered: u64,
    /// The first number that no connection has used.
    pub next: u64,
    /// Connections.
    pub connections: usize,
    /// Processor time of the generator in the window, ns.
    pub cpu_ns: u64,
}
