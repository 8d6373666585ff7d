//! What the event loop counts; written by its thread alone, read by `/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a loop.
#[derive(Debug, Default)]
pub struct LoopCounts {
    /// Turns of the loop.
    pub turns: AtomicU64,
    /// Connections now.
    pub connections: AtomicU64,
    /// Connections that came through doors.
    pub accepted: AtomicU64,
    /// Calls that went through.
    pub dialled: AtomicU64,
    /// Calls that did not.
    pub dials_failed: AtomicU64,
    /// System calls that read.
    pub reads: AtomicU64,
    /// Bytes read.
    pub read_bytes: AtomicU64,
    /// Flushes of one connection, each one write unless the system takes less.
    pub writes: AtomicU64,
    /// Bytes written.
    pub written_bytes: AtomicU64,
    /// Questions answered.
    pub questions: AtomicU64,
    /// Connections closed, by reason.
    closed: Mutex<BTreeMap<&'static str, u64>>,
}

impl LoopCounts {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, why: &'static str) {
        let mut closed = self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *closed.entry(why).or_default() += 1;
    }

    /// Connections closed so far, by reason.
    pub fn closed_by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
