//! What the event loop counts; written by its thread alone, read by `/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use scheme::Timestamp;

/// Counters of a loop.
#[derive(Debug, Default)]
pub struct LoopCounts {
    /// Turns of the loop.
    pub turns: AtomicU64,
    /// Connections now.
    pub connections: AtomicU64,
    /// Connections that came through doors.
    pub accepted: AtomicU64,
    /// Callers that the pace of their door let wait before they were taken.
    pub accepts_waited: AtomicU64,
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
    /// When the role's own certificate ends, seconds since 1970; 0 without one.
    certificate_ends_s: AtomicU64,
    /// Connections closed, by reason.
    closed: Mutex<BTreeMap<&'static str, u64>>,
}

impl LoopCounts {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A connection was flushed.
    pub(super) fn flushed(&self, written: usize) {
        Self::add(&self.writes, usize::from(written > 0));
        Self::add(&self.written_bytes, written);
    }

    /// Shows when the role's own certificate ends.
    pub(crate) fn certificate_ends(&self, at: Option<Timestamp>) {
        self.certificate_ends_s.store(at.map_or(0, Timestamp::seconds), Ordering::Relaxed);
    }

    /// Whole days until the role's own certificate ends, negative once it has; `None` without one.
    /// Below 30 somebody should renew it (R-FIRES).
    pub fn certificate_days(&self, now: Timestamp) -> Option<i64> {
        let ends = self.certificate_ends_s.load(Ordering::Relaxed);
        let left = ends.cast_signed() - now.seconds().cast_signed();
        (ends > 0).then(|| left.div_euclid(86_400))
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
