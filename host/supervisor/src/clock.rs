//! The time that the broker is told. It stands still while this process does.
//!
//! The failure that this prevents: a job that was stopped and continued (Ctrl-Z, a debugger) finds that all its deadlines passed meanwhile, and
//! kills workers whose results have been waiting for it in their sockets.

use std::cell::Cell;
use std::time::{Duration, Instant};

use taskcell_broker::Now;

/// A gap between two looks at the clock that no work of ours explains.
const GAP: Duration = Duration::from_millis(500);

/// Time since it was made, without the gaps.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// All gaps together.
    stood: Cell<Duration>,
    /// The last look.
    seen: Cell<Instant>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let began = Instant::now();
        Self { began, stood: Cell::default(), seen: Cell::new(began) }
    }

    /// The time now. Since the last look this process worked, or did not run.
    pub(crate) fn now(&self) -> Now {
        self.look(Some(Duration::ZERO))
    }

    /// The time after a wait of at most `asked`; without a bound it took as long as it took.
    pub(crate) fn waited(&self, asked: Option<Duration>) -> Now {
        self.look(asked)
    }

    fn look(&self, explained: Option<Duration>) -> Now {
        let now = Instant::now();
        let passed = now.duration_since(self.seen.replace(now));
        if explained.is_some_and(|explained| passed.saturating_sub(explained) > GAP) {
            // The wait too: what happened during it was not looked at yet, and a moment that passes with it would pass too early.
            self.stood.set(self.stood.get() + passed);
        }
        let run = now.duration_since(self.began).saturating_sub(self.stood.get());
        Now(u64::try_from(run.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_no_time() {
        let clock = Clock::new();
        let first = clock.now();
        std::thread::sleep(GAP + Duration::from_millis(100));
        let second = clock.now();
        assert!(second >= first && second.0 - first.0 < 400_000_000, "{first:?} {second:?}");
        // Waits that were asked for are time, with whatever they lasted beside.
        std::thread::sleep(GAP + Duration::from_millis(100));
        let third = clock.waited(Some(GAP + Duration::from_millis(100)));
        assert!(third.0 - second.0 >= 600_000_000, "{second:?} {third:?}");
        std::thread::sleep(GAP + Duration::from_millis(100));
        let fourth = clock.waited(None);
        assert!(fourth.0 - third.0 >= 600_000_000, "{third:?} {fourth:?}");
        std::thread::sleep(GAP + Duration::from_millis(200));
        let fifth = clock.waited(Some(Duration::from_millis(100)));
        assert!(fifth.0 - fourth.0 < 100_000_000, "a wait with a gap in it is none: {fourth:?} {fifth:?}");
    }
}
