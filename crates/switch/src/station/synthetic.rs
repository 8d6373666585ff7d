//! The station's own synthetic payments (R-FIRES). Their reversal is durable before they go up and
//! is held back while they are under way, so that it follows whatever becomes of the station.

use super::{Effect, Effects, Flight, State, Station, StationFact, TrunkState, undo};
use crate::limits::STATION_OWED_MAX;
use crate::request::{Answer, ReplyTo, Request};
use scheme::{Reason, ResponseCode, Timestamp};

impl Station {
    /// Sends a synthetic payment up, its reversal durable before it.
    pub(super) fn synthetic(&mut self, to: ReplyTo, mut request: Request, out: &mut Effects) {
        let owing = self.state.owed.len() >= STATION_OWED_MAX;
        let reason = match self.trunk {
            TrunkState::Cut | TrunkState::Suspect => Some(Reason::TrunkDown),
            TrunkState::Up { .. } if owing || self.flights.len() >= self.config.in_flight_max => {
                Some(Reason::Overload)
            }
            TrunkState::Up { .. } => None,
        };
        if let Some(reason) = reason {
            out.push(Effect::Answer { to, answer: Answer::refusal(reason, request.rrn) });
            return;
        }
        request.rrn = self.make_rrn(out);
        let number = self.state.owed_made;
        self.owed_fresh.insert(number);
        self.owed_held.insert(number);
        // Who pays takes it back: 17, a cancellation by the customer.
        let reversal = super::Owed { reason: Some(ResponseCode::of(b"17")), ..undo(&request) };
        self.commit(StationFact::Owed(reversal), out);
        self.send(request, alloc::vec![to], None, out);
        let sent = self.flights.last_entry();
        if let Some(mut flight) = sent {
            flight.get_mut().undo = Some(number);
        }
    }

    /// The end of a synthetic payment: what may have moved money is reversed at once, and what did
    /// not is forgotten. `None`: nothing answered in time.
    pub(super) fn end_synthetic(
        &mut self,
        flight: Flight,
        number: u64,
        answer: Option<Answer>,
        out: &mut Effects,
    ) {
        self.owed_held.remove(&number);
        let refused = answer.as_ref().is_some_and(|answer| !answer.code.is_approved());
        if refused {
            self.commit(StationFact::Settled { number }, out);
        } else {
            self.send_owed(out);
        }
        let rrn = flight.request.rrn;
        let answer = answer.unwrap_or_else(|| Answer::refusal(Reason::TrunkDown, rrn));
        for to in flight.waiters {
            out.push(Effect::Answer { to, answer: answer.clone() });
        }
    }

    /// Reversals and advices that the hub has not answered yet.
    pub fn owed(&self) -> usize {
        self.state.owed.len().saturating_sub(self.owed_held.len())
    }

    /// Since when the oldest of them has been owed: when its request first came.
    pub fn owed_since(&self) -> Option<Timestamp> {
        let State { owed, .. } = &self.state;
        let mut due = owed.iter().filter(|(number, _)| !self.owed_held.contains(number));
        due.next().map(|(_, owed)| owed.seen.first_received)
    }
}
