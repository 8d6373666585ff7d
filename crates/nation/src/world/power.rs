//! Machines that stop and start.

use journal::DiskErrorKind;
use parties::shop::{Outcome, Seen};

use super::{MS, What, World};
use crate::actor::{Actor, In};
use crate::audit::Violation;
use crate::limits::{BANK_DOWN_MS, OPENS_IN_A_ROW};
use crate::machine::{StartError, state_hash};
use crate::scenario::Place;

impl World {
    /// Takes the memory of a machine. `politely`: its system lives on and closes its connections.
    pub(super) fn stop(&mut self, place: Place, politely: bool, down_ms: u64) {
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place) else { return };
        if machine.actor.is_none() {
            return;
        }
        self.story.tell(now, || format!("{place}: stops"));
        let mut down_ms = down_ms;
        if let Some(Actor::Bank(bank)) = machine.actor.as_mut() {
            down_ms = down_ms.max(BANK_DOWN_MS);
            // What its own terminals had under way is in nobody's memory any more.
            let seen = self.seen.entry(place).or_default();
            seen.extend(bank.drain_seen());
            seen.extend(bank.unfinished().map(|seen| Seen { outcome: Outcome::Unknown, ..seen }));
        }
        // A bank's answer may wait without a record; its book is durable all the same.
        machine.died_with = machine.durable_hash();
        machine.actor = None;
        machine.writer = None;
        machine.flying = None;
        machine.armed = None;
        machine.maintaining = false;
        machine.paused_until = 0;
        machine.life += 1;
        machine.rebooted = !politely;
        machine.history = None;
        if politely {
            machine.disk.with(journal::sim_disk::SimDisk::kill);
        } else {
            machine.disk.with(journal::sim_disk::SimDisk::crash);
        }
        let mut wakes = Vec::new();
        self.net.power_off(now, place, politely, &mut wakes);
        self.post(wakes);
        self.schedule.at(now + down_ms * MS, What::Start(place));
    }

    /// The power has gone in the middle of a disk operation.
    pub(super) fn power_went(&mut self, place: Place) {
        self.count("power went in a write");
        let down_ms = self.disk_dice.between(20, 1_500);
        self.stop(place, false, down_ms);
        // What was being written may be there or not.
        if let Some(machine) = self.machines.get_mut(&place) {
            machine.died_with = None;
        }
    }

    /// A role has stopped by itself, after a fault of its disk or an invariant.
    pub(super) fn halted(&mut self, place: Place, what: &str) {
        let failed = self.machines.get(&place).and_then(|machine| machine.writer.as_ref());
        let disk_failed = failed.is_some_and(|writer| writer.failed().is_some());
        if !disk_failed {
            self.violation(Violation::Machine(format!("{place} halted: {what}")));
        }
        self.count("role halted");
        let down_ms = self.disk_dice.between(20, 1_500);
        self.stop(place, true, down_ms);
        if let Some(machine) = self.machines.get_mut(&place) {
            machine.died_with = None;
        }
    }

    pub(super) fn start(&mut self, place: Place) {
        let now = self.schedule.now();
        let Some(machine) = self.machines.get_mut(&place) else { return };
        if machine.actor.is_some() {
            return;
        }
        if std::mem::take(&mut machine.rebooted) {
            machine.clock.booted(now);
        }
        let disk = machine.disk.clone();
        match machine.open(&self.config, &self.scenario, self.raging, now, disk) {
            Ok(started) => {
                machine.opens_failed = 0;
                let (before, after) = (machine.died_with.take(), state_hash(&started.actor));
                let recovery = machine.run(started, &self.config);
                if machine.history.is_some() {
                    self.schedule.at(now + MS, What::History { life: machine.life });
                }
                let life = machine.life;
                if let (Some(before), Some(after)) = (before, after) {
                    self.count("replay compared");
                    if before != after {
                        let what = format!("{place} after its restart");
                        self.violation(Violation::Replay(what));
                    }
                }
                self.recovered(life, &recovery);
                self.net.power_on(place);
                self.tell(place, life, In::Started);
            }
            Err(StartError::Disk(kind)) => {
                machine.opens_failed += 1;
                let too_often = machine.opens_failed > OPENS_IN_A_ROW;
                machine.died_with = None;
                machine.disk.with(|disk| match kind {
                    DiskErrorKind::Crashed => disk.crash(),
                    DiskErrorKind::NoSpace
                    | DiskErrorKind::NotFound
                    | DiskErrorKind::Exists
                    | DiskErrorKind::Io => disk.kill(),
                });
                self.count("disk failed in recovery");
                if too_often {
                    let what = format!("{place} cannot be opened: {kind:?}");
                    self.violation(Violation::Damage(what));
                } else {
                    self.schedule.at(now + 50 * MS, What::Start(place));
                }
            }
            Err(StartError::Journal(what)) => {
                self.violation(Violation::Damage(format!("{place}: {what}")));
            }
        }
    }

    fn recovered(&mut self, life: u32, recovery: &journal::Recovery) {
        if life > 0 {
            self.count("restart");
        }
        if recovery.cut.is_some() {
            self.count("torn tail cut");
        }
        if recovery.snapshot_used.is_some() {
            self.count("recovered from a snapshot");
        }
    }
}
