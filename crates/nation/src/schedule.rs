//! What comes next: one queue for the whole nation, ordered by time and then by the order in which
//! things were put there. Nothing else decides what happens first.

use std::collections::BTreeMap;

/// The queue. Times are ns since the nation began.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    queue: BTreeMap<(u64, u64), T>,
    sequence: u64,
    now: u64,
}

impl<T> Schedule<T> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), sequence: 0, now: 0 }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// A thing for a time that has passed comes now, after what is due now already.
    pub(crate) fn at(&mut self, time: u64, what: T) {
        self.sequence += 1;
        self.queue.insert((time.max(self.now), self.sequence), what);
    }

    /// The next thing, if it is due by `until`; time moves on to it, or else to `until`.
    pub(crate) fn next(&mut self, until: u64) -> Option<T> {
        match self.queue.first_entry() {
            Some(first) if first.key().0 <= until => {
                self.now = first.key().0;
                Some(first.remove())
            }
            Some(_) | None => {
                self.now = self.now.max(until);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_by_time_and_then_by_order() {
        let mut schedule = Schedule::new();
        for (time, what) in [(20, 'c'), (10, 'a'), (20, 'd'), (10, 'b'), (31, 'e')] {
            schedule.at(time, what);
        }
        let mut seen = String::new();
        while let Some(what) = schedule.next(30) {
            seen.push(what);
            if what == 'c' {
                schedule.at(5, 'x');
            }
        }
        assert_eq!(seen, "abcdx");
        assert_eq!(schedule.now(), 30);
        assert_eq!(schedule.next(40), Some('e'));
        assert_eq!(schedule.now(), 31);
    }
}
