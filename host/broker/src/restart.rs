//! When a worker that ended is replaced, and when the pool gives up.
//!
//! A component that kills every worker must not become a loop of spawns at full speed, and one bad task among millions must not
//! stop a pool. What tells the two apart is progress: the count of deaths goes back to zero whenever a task ends, well or badly.
//!
//! A worker that could not be started for want of processes, descriptors, threads or memory is nobody's death. Beside others it is
//! merely missing, however long; a pool that has none at all waits a little, since a want may pass, and then gives up.

use crate::time::Duration;

/// Tries in a row to start a worker for a pool that has none. With their pauses they take about a second.
const TRIES: u32 = 11;
/// Until the next try for a pool that has others.
const MISSING: Duration = Duration::from_millis(1000);

/// Counts deaths without progress.
#[derive(Debug, Clone)]
pub struct RestartPolicy {
    barren: u32,
    /// Workers in a row that could not be started while there was no other.
    wanting: u32,
    most: u32,
}

/// What to do about a worker that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Start another after this time.
    After(Duration),
    /// Stop the pool.
    GiveUp,
}

impl RestartPolicy {
    /// `workers` run at a time and a task may take down `attempts` of them before it is given up; so many deaths in a row are
    /// no reason to stop.
    #[must_use]
    pub fn new(workers: u32, attempts: u32) -> Self {
        Self { barren: 0, wanting: 0, most: workers.saturating_mul(attempts.max(1)).saturating_add(4) }
    }

    /// A task ended.
    pub fn progressed(&mut self) {
        self.barren = 0;
    }

    /// A worker ended that should not have.
    pub fn died(&mut self) -> Restart {
        self.barren = self.barren.saturating_add(1);
        if self.barren > self.most {
            return Restart::GiveUp;
        }
        // The first is replaced at once.
        Restart::After(if self.barren == 1 { Duration(0) } else { pause(self.barren - 1) })
    }

    /// A worker got ready.
    pub fn started(&mut self) {
        self.wanting = 0;
    }

    /// A worker could not be started; `alone` if the pool has no other.
    pub fn wanting(&mut self, alone: bool) -> Restart {
        if !alone {
            return Restart::After(MISSING);
        }
        self.wanting = self.wanting.saturating_add(1);
        if self.wanting >= TRIES { Restart::GiveUp } else { Restart::After(pause(self.wanting)) }
    }

    /// Tries in a row to start a worker for a pool that has none.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.wanting
    }

    /// Deaths since a task last ended.
    #[must_use]
    pub fn deaths(&self) -> u32 {
        self.barren
    }
}

/// 1, 2, 4 .. 256 ms.
fn pause(step: u32) -> Duration {
    Duration::from_millis(1 << step.saturating_sub(1).min(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_without_progress_end_the_pool() {
        let mut policy = RestartPolicy::new(2, 1);
        let answers: Vec<Restart> = (0..7).map(|_| policy.died()).collect();
        assert_eq!(answers.first(), Some(&Restart::After(Duration(0))));
        assert_eq!(answers.iter().filter(|a| **a == Restart::GiveUp).count(), 1);
        assert_eq!(answers.last(), Some(&Restart::GiveUp));
    }

    #[test]
    fn progress_forgives() {
        let mut policy = RestartPolicy::new(1, 1);
        for _ in 0..1000 {
            assert_ne!(policy.died(), Restart::GiveUp);
            policy.progressed();
        }
    }

    #[test]
    fn a_want_ends_only_a_pool_that_has_no_worker() {
        let mut policy = RestartPolicy::new(4, 1);
        assert!((0..10_000).all(|_| policy.wanting(false) == Restart::After(MISSING)));
        let pauses: Vec<Restart> = (1..TRIES).map(|_| policy.wanting(true)).collect();
        let total: u64 = pauses.iter().map(|pause| if let Restart::After(pause) = pause { pause.0 } else { 0 }).sum();
        assert!((500_000_000..2_000_000_000).contains(&total), "{pauses:?}");
        let mut forgiven = policy.clone();
        assert_eq!(policy.wanting(true), Restart::GiveUp);
        forgiven.started();
        assert_ne!(forgiven.wanting(true), Restart::GiveUp);
        assert_eq!(forgiven.deaths(), 0, "nobody died");
    }
}
