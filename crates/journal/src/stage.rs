//! Nothing leaves before it is durable: the bookkeeping of group commit, without disk or clock.
//!
//! Records go into the forming batch; effects wait with the batch in which they were emitted and
//! leave when it is durable, in the order of emission. One batch is in flight. An effect without
//! a record waits for whatever came before it: the batch in flight, or nothing.
use crate::batch::{Batch, BatchError};
use crate::limits::{STAGE_BYTES, STAGE_EFFECTS};
use alloc::vec::Vec;
use core::mem;

/// When a stage calls itself full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageLimits {
    /// Bytes of the forming frame.
    pub bytes: usize,
    /// Effects that wait with it.
    pub effects: usize,
}

impl Default for StageLimits {
    fn default() -> Self {
        Self { bytes: STAGE_BYTES, effects: STAGE_EFFECTS }
    }
}

/// Records and effects between the machine and the disk. `E` is the effect.
#[derive(Clone, Debug)]
pub struct Stage<E> {
    limits: StageLimits,
    next_record: u64,
    forming: Batch,
    held: Vec<E>,
    /// Effects of the batch in flight; `None` = nothing is in flight.
    flying: Option<Vec<E>>,
    free: Vec<E>,
}

impl<E> Stage<E> {
    /// An empty stage; `next_record` is one more than the journal's last.
    #[must_use]
    pub fn new(next_record: u64, limits: StageLimits) -> Self {
        Self {
            limits,
            next_record,
            forming: Batch::new(0),
            held: Vec::new(),
            flying: None,
            free: Vec::new(),
        }
    }

    /// Puts a record into the forming batch and returns the number it will have. The first record
    /// of a batch gives the frame its time.
    pub fn record(
        &mut self,
        kind: u8,
        version: u8,
        time_ns: u64,
        payload: &[u8],
    ) -> Result<u64, BatchError> {
        if self.forming.is_empty() {
            self.forming.reset(time_ns);
            self.forming.expect_first_record(self.next_record);
        }
        self.forming.push(kind, version, time_ns, payload)?;
        let number = self.next_record;
        self.next_record = number.saturating_add(1);
        Ok(number)
    }

    /// Holds an effect until everything recorded before it is durable.
    pub fn effect(&mut self, effect: E) {
        if !self.forming.is_empty() {
            self.held.push(effect);
        } else if let Some(flying) = &mut self.flying {
            flying.push(effect);
        } else {
            self.free.push(effect);
        }
    }

    /// The effects that may leave now, in order.
    pub fn drain_free(&mut self) -> impl Iterator<Item = E> + '_ {
        self.free.drain(..)
    }

    /// Takes the forming batch to be written, when it has records and none is in flight.
    pub fn cut(&mut self) -> Option<Batch> {
        if self.flying.is_some() || self.forming.is_empty() {
            return None;
        }
        self.flying = Some(mem::take(&mut self.held));
        Some(mem::replace(&mut self.forming, Batch::new(0)))
    }

    /// The batch in flight is durable: frees its effects (see [`Stage::drain_free`]) and takes
    /// the batch back for its memory.
    pub fn committed(&mut self, batch: Batch) {
        let effects = self.flying.take();
        assert!(effects.is_some(), "a batch is committed only after it was cut");
        self.free.extend(effects.into_iter().flatten());
        if self.forming.is_empty() {
            self.forming = batch;
            self.forming.reset(0);
        }
    }

    /// Whether a batch is in flight.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.flying.is_some()
    }

    /// Whether the forming batch has reached its limit: no new work until it is cut.
    #[must_use]
    pub fn full(&self) -> bool {
        self.forming.bytes() >= self.limits.bytes || self.held.len() >= self.limits.effects
    }

    /// Records in the forming batch.
    #[must_use]
    pub fn forming(&self) -> u32 {
        self.forming.len()
    }

    /// The number that the next record will have.
    #[must_use]
    pub fn next_record(&self) -> u64 {
        self.next_record
    }

    /// Whether nothing is forming, in flight or free.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.forming.is_empty() && self.flying.is_none() && self.free.is_empty()
    }
}
