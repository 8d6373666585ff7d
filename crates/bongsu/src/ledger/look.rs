//! How a hub's files are read: to their end where no hub is, up to what it has published beside
//! one. A hub that starts under a reader mends the end of its journal, which then looks damaged.

use node::{Holder, RoleName, RunErrorKind};

use crate::error::Failure;
use crate::limits::LOOKS_MAX;
use crate::nation::Place;

/// A hub that came while its files were read as if there were none.
const CAME: &str = "hub_came";

/// What is known of the hub as its files begin to be read.
#[derive(Clone, Debug)]
pub(super) struct Look {
    is_running: bool,
    /// Who had the lock, where the files are read to their end and it may be taken meanwhile.
    before: Option<Holder>,
}

impl Look {
    /// Now. A hub that is being started does not answer yet, but has its lock.
    pub(super) fn at(place: &Place) -> Result<Self, Failure> {
        let holder = holder(place)?;
        let is_running = holder.is_there() || answers(place)?;
        Ok(Self { is_running, before: (!is_running).then_some(holder) })
    }

    /// Of a reader that has the hub's lock, so that no hub can come.
    pub(super) fn locked() -> Self {
        Self { is_running: false, before: None }
    }

    /// Whether a hub is there, well or not.
    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Fails if a hub has come since.
    pub(super) fn still_holds(&self, place: &Place) -> Result<(), Failure> {
        match &self.before {
            Some(before) if *before != holder(place)? => {
                Err(Failure::new(CAME, "the hub was started while its journal was read")
                    .at(place.dir.display().to_string())
                    .todo("ask again, when the hub runs or stands still"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Reads again if a hub came meanwhile.
pub(super) fn steadily<T>(mut read: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    for _ in 1..LOOKS_MAX {
        match read() {
            Err(failure) if failure.kind == CAME => {}
            other => return other,
        }
    }
    read()
}

fn holder(place: &Place) -> Result<Holder, Failure> {
    Ok(Holder::of(&place.layout().role_lock(&RoleName::Hub))?)
}

fn answers(place: &Place) -> Result<bool, Failure> {
    match place.ask(&RoleName::Hub, "/healthz") {
        Ok(answer) => Ok(answer.is_some()),
        // Whether it runs can't be seen, and what it is writing must not pass for damage.
        Err(failure) if failure.kind == RunErrorKind::File.name() => Err(failure),
        Err(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use node::Lock;

    use super::*;

    /// A directory of its own, with the hub's in it.
    struct Dir(Place);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("bongsu-{name}-{}", std::process::id()));
            let place = Place { dir };
            let lock = place.layout().role_lock(&RoleName::Hub);
            std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
            Self(place)
        }

        fn hub(&self, who: &str) -> Lock {
            Lock::take(&self.0.layout().role_lock(&RoleName::Hub), who, Duration::ZERO).unwrap()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0.dir));
        }
    }

    #[test]
    fn a_hub_that_starts_is_seen_before_it_answers() {
        let dir = Dir::new("look-starts");
        assert!(!Look::at(&dir.0).unwrap().is_running());
        let hub = dir.hub("hub");
        assert!(Look::at(&dir.0).unwrap().is_running());
        drop(hub);
        assert!(!Look::at(&dir.0).unwrap().is_running());
    }

    #[test]
    fn what_was_read_while_a_hub_came_or_came_and_went_is_read_again() {
        let dir = Dir::new("look-comes");
        let (mut hub, mut looks) = (None, 0);
        let seen = steadily(|| {
            let look = Look::at(&dir.0)?;
            looks += 1;
            match looks {
                1 => drop(dir.hub("one that goes again")),
                2 => hub = Some(dir.hub("one that stays")),
                _ => {}
            }
            look.still_holds(&dir.0)?;
            Ok(look.is_running())
        });
        assert_eq!((seen.unwrap(), looks), (true, 3));
    }

    #[test]
    fn one_that_starts_again_and_again_is_told_of_in_the_end() {
        let dir = Dir::new("look-again");
        let mut looks = 0;
        let seen = steadily(|| {
            let look = Look::at(&dir.0)?;
            looks += 1;
            drop(dir.hub(&format!("start {looks}")));
            look.still_holds(&dir.0)
        });
        assert_eq!((seen.unwrap_err().kind, looks), (CAME, LOOKS_MAX));
    }

    #[test]
    fn other_failures_and_what_is_fine_are_told_at_once() {
        let mut looks = 0;
        let failed: Result<(), Failure> = steadily(|| {
            looks += 1;
            Err(Failure::new("journal", "unreadable"))
        });
        assert_eq!((failed.unwrap_err().kind, looks), ("journal", 1));
        assert_eq!(steadily(|| Ok(7)).unwrap(), 7);
    }
}
