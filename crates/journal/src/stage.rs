//! Nothing leaves before it is durable: the bookkeeping of group commit, without disk or clock.
//!
//! Records go into the forming batch; effects wait with the batch in which they were emitted and
//! leave when it is durable, in the order of emission. One batch is in flight. What the forming
//! batch can no longer take closes it: it waits, with its effects, for its turn to be written. An
//! effect without a record waits for whatever came before it: the newest batch that is not
//! durable, or nothing.
//!
//! [`Stage::cut`] is called between turns of the machine, and closes a batch that has half its
//! room left or less, so that the records of one turn stay in one frame unless the turn alone is
//! longer than that half.
use crate::batch::{Batch, BatchError};
use crate::limits::{FRAME_BYTES_MAX, STAGE_BYTES, STAGE_EFFECTS, STAGE_WAITING_MAX};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

/// When a stage calls itself full, and how much it takes nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageLimits {
    /// Bytes of the forming frame at which the stage is full.
    pub bytes: usize,
    /// Effects that wait with it at which the stage is full.
    pub effects: usize,
    /// Longest frame, bytes, header included; [`FRAME_BYTES_MAX`] binds too.
    pub frame_bytes: usize,
    /// Batches that may wait behind the one in flight.
    pub waiting: usize,
}

impl Default for StageLimits {
    fn default() -> Self {
        Self {
            bytes: STAGE_BYTES,
            effects: STAGE_EFFECTS,
            frame_bytes: FRAME_BYTES_MAX,
            waiting: STAGE_WAITING_MAX,
        }
    }
}

/// Records and effects between the machine and the disk. `E` is the effect.
#[derive(Clone, Debug)]
pub struct Stage<E> {
    limits: StageLimits,
    next_record: u64,
    forming: Batch,
    held: Vec<E>,
    /// Closed batches with their effects, the oldest first.
    waiting: VecDeque<(Batch, Vec<E>)>,
    /// Effects of the batch in flight; `None` = nothing is in flight.
    flying: Option<Vec<E>>,
    free: Vec<E>,
    /// Memory of a batch and of a list that have done their work: a busy stage cuts thousands of
    /// frames a second and would else grow each of them anew.
    spare_batch: Option<Batch>,
    spare_list: Vec<E>,
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
            waiting: VecDeque::new(),
            flying: None,
            free: Vec::new(),
            spare_batch: None,
            spare_list: Vec::new(),
        }
    }

    /// Puts a record into the forming batch and returns the number it will have. The first record
    /// of a batch gives the frame its time. A batch that has no room for it, or began too long
    /// before it, is closed and waits; the record begins the next. After an error the stage is as
    /// before.
    pub fn record(
        &mut self,
        kind: u8,
        version: u8,
        time_ns: u64,
        payload: &[u8],
    ) -> Result<u64, BatchError> {
        let longest = self.limits.frame_bytes;
        let push = |batch: &mut Batch| {
            batch.push_within(longest, kind, version, time_ns, |to| to.extend_from_slice(payload))
        };
        let number = self.next_record;
        if self.forming.is_empty() {
            self.forming.reset(time_ns);
            self.forming.expect_first_record(number);
            push(&mut self.forming)?;
        } else if let Err(error) = push(&mut self.forming) {
            let closes = matches!(error, BatchError::Full | BatchError::TimeTooLate);
            if !closes || self.waiting.len() >= self.limits.waiting {
                return Err(error);
            }
            let mut next = self.fresh_batch();
            next.reset(time_ns);
            next.expect_first_record(number);
            push(&mut next)?;
            self.close(next);
        }
        self.next_record = number.saturating_add(1);
        Ok(number)
    }

    /// Holds an effect until everything recorded before it is durable.
    pub fn effect(&mut self, effect: E) {
        if !self.forming.is_empty() {
            self.held.push(effect);
        } else if let Some((_, newest)) = self.waiting.back_mut() {
            newest.push(effect);
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

    /// The same into a list of the caller's, which is empty and keeps its memory.
    pub fn take_free(&mut self, into: &mut Vec<E>) {
        assert!(into.is_empty(), "what was taken before has been dealt with");
        mem::swap(&mut self.free, into);
    }

    /// Takes the oldest batch to be written, when there is one with records and none is in flight.
    /// Called between turns: see the module.
    pub fn cut(&mut self) -> Option<Batch> {
        let cut = if self.flying.is_some() { None } else { self.take_oldest() };
        let half = self.limits.frame_bytes.min(FRAME_BYTES_MAX).wrapping_div(2);
        let long = !self.forming.is_empty() && self.forming.bytes() >= half;
        if long && self.waiting.len() < self.limits.waiting {
            let next = self.fresh_batch();
            self.close(next);
        }
        cut
    }

    /// The batch in flight is durable: frees its effects (see [`Stage::drain_free`]) and takes
    /// the batch back for its memory.
    pub fn committed(&mut self, batch: Batch) {
        let effects = self.flying.take();
        assert!(effects.is_some(), "a batch is committed only after it was cut");
        let mut effects = effects.unwrap_or_default();
        if self.free.is_empty() {
            mem::swap(&mut self.free, &mut effects);
        } else {
            self.free.append(&mut effects);
        }
        if self.spare_list.capacity() < effects.capacity() {
            self.spare_list = effects;
        }
        self.spare_batch = Some(batch);
    }

    /// Whether a batch is in flight.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.flying.is_some()
    }

    /// Whether the forming batch has reached its limit, or a batch waits: no new work until the
    /// disk has caught up.
    #[must_use]
    pub fn full(&self) -> bool {
        !self.waiting.is_empty()
            || self.forming.bytes() >= self.limits.bytes
            || self.held.len() >= self.limits.effects
    }

    /// How much of what makes it full there is, per cent; at 100 it is full.
    #[must_use]
    pub fn load(&self) -> usize {
        if self.full() {
            return 100;
        }
        let share =
            |part: usize, whole: usize| part.saturating_mul(100).checked_div(whole).unwrap_or(100);
        let bytes = share(self.forming.bytes(), self.limits.bytes);
        bytes.max(share(self.held.len(), self.limits.effects)).min(99)
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

    /// Whether nothing is forming, waiting, in flight or free.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.forming.is_empty()
            && self.waiting.is_empty()
            && self.flying.is_none()
            && self.free.is_empty()
    }

    /// The forming batch waits, with its effects; `next` forms.
    fn close(&mut self, next: Batch) {
        let closed = mem::replace(&mut self.forming, next);
        let held = self.take_held();
        self.waiting.push_back((closed, held));
    }

    fn take_oldest(&mut self) -> Option<Batch> {
        if let Some((batch, effects)) = self.waiting.pop_front() {
            self.flying = Some(effects);
            return Some(batch);
        }
        if self.forming.is_empty() {
            return None;
        }
        self.flying = Some(self.take_held());
        let next = self.fresh_batch();
        Some(mem::replace(&mut self.forming, next))
    }

    fn take_held(&mut self) -> Vec<E> {
        mem::replace(&mut self.held, mem::take(&mut self.spare_list))
    }

    fn fresh_batch(&mut self) -> Batch {
        match self.spare_batch.take() {
            Some(mut batch) => {
                batch.reset(0);
                batch
            }
            None => Batch::new(0),
        }
    }
}
