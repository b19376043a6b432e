//! When a worker that ended is replaced, and when the pool gives up.
//!
//! A component that kills every worker must not become a loop of spawns at full speed, and one bad task among millions must not
//! stop a pool. What tells the two apart is progress: the count of deaths goes back to zero whenever a task ends, well or badly.

use crate::time::Duration;

/// Counts deaths without progress.
#[derive(Debug, Clone)]
pub struct RestartPolicy {
    barren: u32,
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
        Self { barren: 0, most: workers.saturating_mul(attempts.max(1)).saturating_add(4) }
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
        // The first is replaced at once; then 1, 2, 4 .. 256 ms.
        let step = self.barren.saturating_sub(1).min(9);
        Restart::After(Duration::from_millis(if step == 0 { 0 } else { 1 << (step - 1) }))
    }

    /// Deaths since a task last ended.
    #[must_use]
    pub fn deaths(&self) -> u32 {
        self.barren
    }
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
}
