//! A snapshot taken a few payments at a time, so that no payment waits for it.
//!
//! It is of the state after one record. What is small is written at once; of the payments it is
//! noted where they stand, and each is written when its turn comes, or before a record changes it.
//! Until then nothing is let go. What bounds it: what is not cold when it begins.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{put_head, put_hot, put_tail};
use crate::bytes::Writer;
use crate::hub::Hub;
use crate::hub::state::State;
use crate::record::Fact;

/// Snapshots of a hub: one that is under way, and how many there were.
#[derive(Clone, Debug, Default)]
pub(in crate::hub) struct Copies {
    under_way: Option<Box<Copying>>,
    begun: u32,
}

impl Copies {
    /// Whether one is under way.
    pub(in crate::hub) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

/// A snapshot under way.
#[derive(Clone, Debug)]
struct Copying {
    /// Payments that it has carry this number.
    number: u32,
    /// The record that it follows, and what was covered then.
    record: u64,
    covered: u64,
    /// Rows of those that may not have been cold, some more than once.
    rows: Vec<u32>,
    next: usize,
    body: Vec<u8>,
    /// Where in it the number of payments stands.
    count_at: usize,
    count: u32,
    /// What comes behind the payments.
    tail: Vec<u8>,
}

impl Hub {
    /// Begins a snapshot of the state as it is now, behind what `body` holds; [`Self::copy_on`]
    /// makes it.
    pub fn begin_copy(&mut self, mut body: Vec<u8>) {
        let rows = self.state.payments().hot_rows();
        put_head(&mut Writer(&mut body), &self.state);
        let count_at = body.len();
        Writer(&mut body).u32(0);
        let mut tail = Vec::new();
        put_tail(&mut Writer(&mut tail), &self.state);
        let (record, covered) = (self.state.records(), self.state.payments().covered());
        let copies = &mut self.state.copies;
        copies.begun = copies.begun.checked_add(1).unwrap_or(1);
        let number = copies.begun;
        let (next, count) = (0, 0);
        let copying = Copying { number, record, covered, rows, next, body, count_at, count, tail };
        self.state.copies.under_way = Some(Box::new(copying));
    }

    /// Whether a snapshot is under way.
    pub fn is_copying(&self) -> bool {
        self.state.copies.is_under_way()
    }

    /// Looks at so many more payments for the snapshot under way; all of it, once it is whole.
    pub fn copy_on(&mut self, payments: usize) -> Option<Vec<u8>> {
        let mut copying = self.state.copies.under_way.take()?;
        for _ in 0..payments {
            let Some(row) = copying.rows.get(copying.next).copied() else { break };
            copying.next = copying.next.saturating_add(1);
            self.state.copy_row(&mut copying, row);
        }
        if copying.next < copying.rows.len() {
            self.state.copies.under_way = Some(copying);
            return None;
        }
        let Copying { mut body, count_at, count, tail, .. } = *copying;
        let place = body.get_mut(count_at..).and_then(<[u8]>::first_chunk_mut);
        *place.expect("it was written at the beginning") = count.to_le_bytes();
        body.extend_from_slice(&tail);
        Some(body)
    }
}

impl State {
    /// Before a record changes payments: a snapshot under way has them as they were.
    pub(in crate::hub) fn copy_before(&mut self, fact: &Fact) {
        let Some(mut copying) = self.copies.under_way.take() else { return };
        let ids = match fact {
            Fact::Opened(_) | Fact::Closed(_) | Fact::Reversed(_) | Fact::Completed(_) => {
                self.changed_by(fact)
            }
            // What was to change is in use no more.
            Fact::Declined(_) | Fact::Dropped => self.answered_next(),
            Fact::Recalled(kept) | Fact::Retired(kept) => [Some(kept.payment.id), None],
            Fact::Discharged { bank, trace, .. } => {
                let number = self.advice_number(*bank, *trace);
                [number.and_then(|number| self.advice(number)).map(|a| a.payment), None]
            }
            Fact::Covered { .. }
            | Fact::Proposed(_)
            | Fact::Tombstone(_)
            | Fact::Finding(_)
            | Fact::Epoch { .. }
            | Fact::Cutover { .. }
            | Fact::Nation { .. }
            | Fact::Station { .. }
            | Fact::Participant { .. }
            | Fact::Route { .. }
            | Fact::Terminal { .. }
            | Fact::Cap { .. }
            | Fact::HotCard { .. }
            | Fact::Changed { .. }
            | Fact::Removed(_)
            | Fact::Retailer { .. }
            | Fact::OvercapRepaid { .. }
            | Fact::Netted { .. } => [None, None],
        };
        for id in ids.into_iter().flatten() {
            if let Some(row) = self.payments().row_of(id) {
                self.copy_row(&mut copying, row);
            }
        }
        self.copies.under_way = Some(copying);
    }

    /// A payment that was not cold when the snapshot began, and that it does not have yet.
    fn copy_row(&mut self, copying: &mut Copying, row: u32) {
        let Some((payment, life)) = self.payments().at_row(row) else { return };
        if life.copied == copying.number || life.opened > copying.record {
            return;
        }
        // One that was cold is marked too: a record is about to make it hot.
        if life.open || life.last > copying.covered {
            let kept = self.kept_of(payment, life);
            put_hot(&mut Writer(&mut copying.body), &kept, (life.retired, life.told));
            copying.count = copying.count.saturating_add(1);
        }
        self.payments_mut().set_copied(row, copying.number);
    }
}
