//! Answers that the station has passed on lately, so that a copy of a request gets the same one
//! again (R-MATCH), whether the trunk is up or not.
//!
//! Without it a copy of a request that the station answered 91 by itself would be a first request
//! to the hub, and a copy of an approved one, caught by a cut, would be undone. The memory is
//! bounded and is lost with the process; the connections on which copies come are lost with it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scheme::{Amount, LocalTime, MtiClass, ParticipantId, Rrn, Stan, TerminalId, Timestamp, Token};

use crate::limits::{ANSWERS_MAX, ANSWERS_MS};
use crate::request::{Answer, Carried, Request};
use crate::timers::Timers;

type Key = (ParticipantId, TerminalId, Stan);

#[derive(Clone, Debug)]
struct Given {
    since: Timestamp,
    local: LocalTime,
    first_received: Timestamp,
    class: MtiClass,
    transaction: u8,
    amount: Amount,
    token: Option<Token>,
    rrn_sent: Option<Rrn>,
    answer: Answer,
}

/// The memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    given: HashMap<(ParticipantId, TerminalId), BTreeMap<Stan, Vec<Given>>, FixedState>,
    order: VecDeque<(Timestamp, Key)>,
}

impl Answers {
    /// Keeps the answer to a request, where the hub would know it again too.
    pub(super) fn remember(&mut self, now: Timestamp, request: &Request, answer: &Answer) {
        if !is_kept(answer) {
            return;
        }
        self.forget(now);
        let key = (request.acquirer, request.terminal, request.stan);
        let given = Given {
            since: now,
            local: request.local,
            first_received: request.first_received,
            class: request.mti.class(),
            transaction: request.processing.transaction(),
            amount: request.amount,
            token: request.card.map(|card| card.token),
            rrn_sent: request.rrn_sent.then_some(request.rrn),
            answer: Answer { carried: Carried::NONE, ..answer.clone() },
        };
        let of_terminal = self.given.entry((key.0, key.1)).or_default();
        let copies = of_terminal.entry(key.2).or_default();
        // Nearly always the only one: what a vector grows by first is four times as much, for each
        // of so many.
        copies.reserve_exact(1);
        copies.push(given);
        self.order.push_back((now, key));
    }

    /// The answer that was given to this request before.
    pub(super) fn find(&self, request: &Request, timers: &Timers) -> Option<&Answer> {
        let of_terminal = self.given.get(&(request.acquirer, request.terminal))?;
        let given = of_terminal.get(&request.stan)?.iter().rev();
        given.filter(|given| given.is_for(request, timers)).map(|given| &given.answer).next()
    }

    /// A reversal of these payments was acknowledged: only the hub knows what they are now.
    pub(super) fn drop(&mut self, key: Key) {
        if let Some(of_terminal) = self.given.get_mut(&(key.0, key.1)) {
            of_terminal.remove(&key.2);
        }
    }

    /// The same where the reversal names no trace number, so that any of its terminal's may be it.
    pub(super) fn drop_terminal(&mut self, acquirer: ParticipantId, terminal: TerminalId) {
        self.given.remove(&(acquirer, terminal));
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.order.front().copied() {
            if self.order.len() < ANSWERS_MAX && now.ms_since(at) < ANSWERS_MS {
                return;
            }
            self.order.pop_front();
            let Some(of_terminal) = self.given.get_mut(&(key.0, key.1)) else { continue };
            if let Some(given) = of_terminal.get_mut(&key.2) {
                given.retain(|given| given.since > at);
                if given.is_empty() {
                    of_terminal.remove(&key.2);
                }
            }
            if of_terminal.is_empty() {
                self.given.remove(&(key.0, key.1));
            }
        }
    }
}

impl Given {
    /// K1 and K4, or K4 alone within its window; never between different sent DE37.
    fn is_for(&self, request: &Request, timers: &Timers) -> bool {
        let rrn = request.rrn_sent.then_some(request.rrn);
        let other_rrn = matches!((self.rrn_sent, rrn), (Some(one), Some(other)) if one != other);
        let apart = request.first_received.ms_since(self.first_received);
        let window =
            if request.mti.is_repeat() { timers.repeat_ms } else { timers.same_content_ms };
        !other_rrn
            && self.class == request.mti.class()
            && self.transaction == request.processing.transaction()
            && self.amount == request.amount
            && self.token == request.card.map(|card| card.token)
            && (self.local == request.local || apart <= window)
    }
}

/// Refusals that are no record are asked anew (R-RECORD); a 94 never names a payment's own answer.
fn is_kept(answer: &Answer) -> bool {
    let code = answer.code.bytes();
    ![*b"30", *b"58", *b"03", *b"12", *b"96", *b"94"].contains(&code)
}
