//! The hub's history beside its journal: what `node` has a thread for.

use host::history::{Ask, Step};
use journal::DiskErrorKind;
use journal::index::IndexError;

use super::{MS, What, World};
use crate::actor::In;
use crate::limits::{HISTORY_LOOK_LONG_MS, HISTORY_LOOK_MS};
use crate::scenario::{Measure, Place};

impl World {
    /// One piece of its work; the next comes soon, or when another segment may be sealed.
    pub(super) fn history_works(&mut self, life: u32) {
        let hub = self.machines.get_mut(&Place::Hub).filter(|hub| hub.life == life);
        let Some(history) = hub.and_then(|hub| hub.history.as_mut()) else { return };
        let soon = match history.step() {
            Ok(Step::Indexed(indexed)) => {
                self.count("segment indexed");
                self.tell(Place::Hub, life, In::Indexed(indexed));
                true
            }
            Ok(Step::More) => true,
            Ok(Step::Idle) => false,
            Err(error) => {
                if self.disk_of_history_failed(&error) {
                    return;
                }
                false
            }
        };
        let pause_ms = match self.scenario.measure {
            _ if soon => 1,
            Measure::Tenth => HISTORY_LOOK_MS,
            Measure::Example { .. } => HISTORY_LOOK_LONG_MS,
        };
        self.schedule.at(self.schedule.now() + pause_ms * MS, What::History { life });
    }

    /// It is asked, and answers.
    pub(super) fn history_is_asked(&mut self, life: u32, ask: &Ask) {
        let hub = self.machines.get_mut(&Place::Hub).filter(|hub| hub.life == life);
        let Some(hub) = hub else { return };
        let found = match hub.history.as_mut().map(|history| history.find(ask)) {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                if self.disk_of_history_failed(&error) {
                    return;
                }
                Err(error.to_string())
            }
            None => Err("no history".to_owned()),
        };
        match &found {
            Ok(found) if found.is_empty() => self.count("history had nothing"),
            Ok(_) => self.count("history found"),
            Err(_) => self.count("history failed"),
        }
        self.tell(Place::Hub, life, In::Found { number: ask.number, found });
    }

    /// Whether the power went with it.
    fn disk_of_history_failed(&mut self, error: &IndexError) -> bool {
        let crashed = matches!(error, IndexError::Disk(e) if e.kind == DiskErrorKind::Crashed);
        if crashed {
            self.power_went(Place::Hub);
        }
        crashed
    }
}
