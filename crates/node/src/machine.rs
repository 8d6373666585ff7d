//! What the shell knows of the machine that a role runs on (R-FIRES): free space, certificate.
//!
//! How it flows: the pages' thread looks now and then, the event loop reads plain numbers. What
//! bounds it: two atomics. Deliberately absent: any judgement.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use host::Health;
use host::fires::Known;

/// Nobody has said.
const NOT_KNOWN: i64 = i64::MIN;
/// There is no such thing here.
const NOT_HERE: i64 = i64::MIN + 1;

/// The facts, shared by threads.
#[derive(Debug)]
pub struct Machine {
    journal: PathBuf,
    disk_free_percent: AtomicI64,
    certificate_days: AtomicI64,
}

impl Machine {
    /// The machine whose disk holds this journal. Without a word on certificates there are none:
    /// channels are plain.
    pub fn new(journal: &Path) -> Self {
        let machine = Self {
            journal: journal.to_owned(),
            disk_free_percent: AtomicI64::new(NOT_KNOWN),
            certificate_days: AtomicI64::new(NOT_HERE),
        };
        machine.look();
        machine
    }

    /// Looks at the disk. May wait for it.
    pub fn look(&self) {
        let percent = rustix::fs::statvfs(&self.journal).ok().and_then(|found| {
            // As `df` reckons: of what those who are not root may use.
            let used = found.f_blocks.saturating_sub(found.f_bfree);
            let usable = used.saturating_add(found.f_bavail);
            let free = u128::from(found.f_bavail) * 100;
            i64::try_from(free.checked_div(u128::from(usable))?).ok()
        });
        self.disk_free_percent.store(percent.unwrap_or(NOT_KNOWN), Ordering::Relaxed);
    }

    /// How many days the role's certificate is still good; `None` if that cannot be read.
    pub fn set_certificate_days(&self, days: Option<i64>) {
        self.certificate_days.store(days.unwrap_or(NOT_KNOWN), Ordering::Relaxed);
    }

    /// What is known now.
    pub fn health(&self) -> Health {
        let percent = known(self.disk_free_percent.load(Ordering::Relaxed));
        Health {
            disk_free_percent: match percent {
                Known::Is(percent) => u8::try_from(percent).map_or(Known::NotKnown, Known::Is),
                Known::NotKnown => Known::NotKnown,
                Known::NotHere => Known::NotHere,
            },
            certificate_days: known(self.certificate_days.load(Ordering::Relaxed)),
        }
    }
}

fn known(value: i64) -> Known<i64> {
    match value {
        NOT_KNOWN => Known::NotKnown,
        NOT_HERE => Known::NotHere,
        value => Known::Is(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_not_known() {
        let machine = Machine::new(Path::new("/"));
        assert!(matches!(machine.health().disk_free_percent, Known::Is(0..=100)));
        assert_eq!(machine.health().certificate_days, Known::NotHere);
        machine.set_certificate_days(Some(-3));
        assert_eq!(machine.health().certificate_days, Known::Is(-3));
        machine.set_certificate_days(None);
        assert_eq!(machine.health().certificate_days, Known::NotKnown);
        let nowhere = Machine::new(Path::new("/no/such/place"));
        assert_eq!(nowhere.health().disk_free_percent, Known::NotKnown);
    }
}
