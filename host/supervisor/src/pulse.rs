//! Workers that stand still: stopped by a signal, or by whatever else keeps a process from running.
//!
//! The failure that this prevents: a task that never ends because somebody stopped its worker, in a job without a time limit. A worker that
//! runs a task shows it in the page that both share; one that has a task and shows nothing for five looks in a row, a second apart,
//! is killed, and its task is lost like that of any worker that dies.
//!
//! Looks are counted, not time: a supervisor that was stopped itself (with its whole job, from a terminal) finds after its return that
//! much time has passed and nothing has moved, and must not conclude anything from that.

use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks in a row without a sign of life. With 64 endless tasks on two CPUs for 25 seconds, no worker was taken for one that
/// stands still.
const STILL: u32 = 5;

/// When to look.
#[derive(Debug)]
pub(crate) struct Looks {
    next: Instant,
}

/// What was seen of one worker.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pulse {
    beats: u64,
    still: u32,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self { next: Instant::now() + LOOK }
    }

    /// How long until the next look.
    pub(crate) fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Whether it is time for one; the next is then a whole pause away, however late this one is.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.next;
        if due {
            self.next = now + LOOK;
        }
        due
    }
}

impl Pulse {
    /// A look at a worker that has a task to run or not. Whether it stands still.
    pub(crate) fn look(&mut self, at_work: bool, beats: u64) -> bool {
        self.still = if at_work && beats == self.beats { self.still + 1 } else { 0 };
        self.beats = beats;
        self.still >= STILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_that_has_work_and_shows_nothing_stands_still() {
        let mut pulse = Pulse::default();
        assert!((0..100).all(|_| !pulse.look(false, 7)), "an idle worker shows nothing");
        assert!((0..100).all(|beat| !pulse.look(true, beat)));
        let seen: Vec<bool> = (0..STILL).map(|_| pulse.look(true, 99)).collect();
        assert_eq!(seen.iter().filter(|still| **still).count(), 1, "at the last of the looks: {seen:?}");
        assert!(!pulse.look(true, 100), "one sign of life is enough");
    }
}
