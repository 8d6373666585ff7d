//! Business dates: the hub alone sets them (R-TIME). In the demo, where no settlement exists yet,
//! positions are netted to zero at each cutover.

use alloc::vec::Vec;

use scheme::{Amount, BusinessDate, ParticipantId, Timestamp};

use super::state::Position;
use super::{Effects, Hub, Next};
use crate::record::Fact;

/// Record kinds of transfers without a payment (R-MATCH).
const OVERCAP_REPAID: u8 = 23;
const NETTED: u8 = 25;

impl Hub {
    /// Sets the first business date, or catches up after days without power.
    pub(super) fn begin_calendar(&mut self, out: &mut Effects) {
        if self.state.directory().is_empty() {
            return;
        }
        let current = self.date_at(self.now);
        if self.state.cycle() == 0 {
            self.next_cycle(current, out);
        }
        self.cutover_at = Some(self.end_of(self.state.business_date()));
        self.between_batches(out);
    }

    pub(super) fn cut_over(&mut self, out: &mut Effects) {
        let date = self.state.business_date().next().max(self.date_at(self.now));
        if self.config.net_at_cutover {
            self.net_positions(out);
        }
        self.next_cycle(date, out);
        self.cutover_at = Some(self.end_of(date));
    }

    fn next_cycle(&mut self, date: BusinessDate, out: &mut Effects) {
        let cycle = self.state.cycle().saturating_add(1);
        self.commit(Fact::Cutover { cycle, date }, out);
    }

    /// The business date at an instant: tomorrow's after the cutover.
    fn date_at(&self, at: Timestamp) -> BusinessDate {
        let today = BusinessDate::of(self.config.zone.local(at));
        if self.end_of(today) <= at { today.next() } else { today }
    }

    fn end_of(&self, date: BusinessDate) -> Timestamp {
        let seconds = date.civil().seconds().saturating_add(u64::from(self.config.cutover_s));
        self.config.zone.instant(scheme::CivilDateTime::from_seconds(seconds))
    }

    /// Every net position to zero against `settlement`, all or none: one that cannot move because
    /// of its holds would leave `settlement` open.
    fn net_positions(&mut self, out: &mut Effects) {
        let nets: Vec<(ParticipantId, i128, Position)> = self
            .state
            .directory()
            .participants
            .keys()
            .map(|participant| {
                let position = self.state.position(*participant);
                (*participant, self.net(*participant), position)
            })
            .collect();
        if nets.iter().any(|(_, net, position)| *net > position.room) {
            return;
        }
        let waiting = self.proposals.len();
        for (participant, net, _) in nets {
            let minor = u64::try_from(net.unsigned_abs()).ok();
            let Some(amount) = minor.and_then(Amount::new).filter(|a| !a.is_zero()) else {
                continue;
            };
            let transfer = self.own_transfer_id(NETTED);
            let fact = Fact::Netted { participant, amount, paid_out: net > 0, transfer };
            self.propose(fact, Next::Nothing, None, out);
        }
        // What waits has not moved what was netted.
        self.put_first(waiting);
    }

    /// Net position = position + cap + overcap (R-ACCOUNTS), from the hub's own reckoning.
    pub fn net(&self, participant: ParticipantId) -> i128 {
        let position = self.state.position(participant);
        let cap = self.state.directory().caps.get(&participant).map_or(0, |cap| cap.minor());
        position
            .room
            .saturating_add(position.held)
            .saturating_sub(i128::from(cap))
            .saturating_sub(position.overcap)
    }

    /// Room has appeared: as much of the overcap as fits moves back to the position.
    pub(super) fn repay_overcap(&mut self, participant: ParticipantId, out: &mut Effects) {
        // One that is proposed already is not in the state yet; the next follows it.
        let proposed = |proposal: &super::Proposal| {
            let Fact::OvercapRepaid { participant: owner, .. } = &proposal.fact else {
                return false;
            };
            *owner == participant
        };
        if self.proposals.iter().any(proposed) {
            return;
        }
        let Position { room, overcap, .. } = self.state.position(participant);
        let minor = u64::try_from(room.min(overcap)).ok();
        let Some(amount) = minor.and_then(Amount::new).filter(|a| !a.is_zero()) else {
            return;
        };
        let transfer = self.own_transfer_id(OVERCAP_REPAID);
        let fact = Fact::OvercapRepaid { participant, amount, transfer };
        self.propose(fact, Next::Nothing, None, out);
    }
}
