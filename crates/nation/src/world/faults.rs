//! Faults as they strike.

use super::{MS, What, World};
use crate::actor::{Actor, In};
use crate::scenario::{BankFaults, Fault, Place, Way};

impl World {
    pub(super) fn strike(&mut self, fault: Fault) {
        self.count(fault.name());
        let now = self.schedule.now();
        self.story.tell(now, || format!("FAULT {fault:?}"));
        let mut wakes = Vec::new();
        match fault {
            Fault::Power { place, down_ms } => self.stop(place, false, down_ms),
            Fault::Kill { place, down_ms } => self.stop(place, true, down_ms),
            Fault::PowerInWrite { place, ops } => {
                if let Some(machine) = self.machines.get(&place) {
                    machine.disk.with(|disk| disk.plan.crash_at = Some(disk.ops() + ops));
                }
            }
            Fault::DiskError { place, ops } => {
                if let Some(machine) = self.machines.get(&place) {
                    machine.disk.with(|disk| disk.plan.fail_at = Some(disk.ops() + ops));
                }
            }
            Fault::Silence { link, way, ms } => {
                self.net.block(link, way);
                self.schedule.at(now + ms * MS, What::Unblock(link, way));
            }
            Fault::Cut { link, ms, half_open } => {
                self.net.cut(now, link, half_open, &mut wakes);
                if half_open {
                    // The cable is whole again at once; only the connections are gone.
                    self.count("half open");
                } else {
                    self.net.block(link, Way::Both);
                    self.schedule.at(now + ms * MS, What::Unblock(link, Way::Both));
                }
            }
            Fault::Clog { link, ms, factor } => {
                self.net.slow(link, factor);
                self.schedule.at(now + ms * MS, What::Unslow(link));
            }
            Fault::Refusal { link, ms } => {
                self.net.refuse_calls(link, true);
                self.schedule.at(now + ms * MS, What::Unrefuse(link));
            }
            Fault::ClockJump { place, by_ms } => {
                if let Some(machine) = self.machines.get_mut(&place) {
                    machine.clock.jump(by_ms);
                }
                self.arm(place);
            }
            Fault::SignOff { place, ms } => {
                self.sign_off(place, true);
                self.schedule.at(now + ms * MS, What::SignOn(place));
            }
            Fault::ClusterAway { ms } => self.cluster_goes_away(ms),
            Fault::Pause { place, ms } => {
                if let Some(machine) = self.machines.get_mut(&place) {
                    machine.paused_until = now + ms * MS;
                }
            }
        }
        self.post(wakes);
    }

    /// A bank's operator signs it off, or on again.
    pub(super) fn sign_off(&mut self, place: Place, signed_off: bool) {
        let Some(machine) = self.machines.get_mut(&place) else { return };
        let life = machine.life;
        if let Some(Actor::Bank(bank)) = machine.actor.as_mut() {
            let faults = bank.config().faults;
            bank.set_faults(BankFaults { signed_off, ..faults });
            self.tell(place, life, In::Timeout);
        }
    }
}
