//! How long a task takes, learned from what came back.
//!
//! Two decisions need it. How many tasks make a chunk: a frame costs a few microseconds whatever is in it, so short tasks travel
//! by the hundred and long ones alone. And how many chunks wait at a worker: enough to hide the way there and back, but as
//! little as possible, since a task behind a long one can't run elsewhere.

use taskcell_wire::limits;

/// A chunk aims at this run time, in nanoseconds: a frame's fixed cost (about 5 us on both sides together) is then 2 %, and
/// two workers end within a quarter of a millisecond of each other.
const CHUNK_NS: u64 = 250_000;
/// Work that waits at a worker aims at this, in nanoseconds: a supervisor that loses its CPU for a scheduler's slice finds the
/// workers still busy.
const QUEUE_NS: u64 = 2_000_000;
/// Until something came back, one task at a time: the first may take an hour.
const MOST_CHUNKS: usize = 64;

/// The mean run time of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Nanoseconds; `None` before anything came back.
    mean: Option<u64>,
}

impl Estimate {
    /// `count` tasks took `nanoseconds` together.
    pub fn learn(&mut self, count: u32, nanoseconds: u64) {
        if count == 0 {
            return;
        }
        let sample = (nanoseconds / u64::from(count)).max(1);
        self.mean = Some(match self.mean {
            None => sample,
            // Slower at once, faster by and by: a wrong guess of "short" makes others wait, one of "long" only costs frames.
            Some(mean) if sample > mean => mean.saturating_add(sample) / 2,
            Some(mean) => (mean.saturating_mul(3).saturating_add(sample)) / 4,
        });
    }

    /// `count` tasks ran for `nanoseconds` together, and not all of them have ended.
    pub fn at_least(&mut self, count: u32, nanoseconds: u64) {
        if nanoseconds / u64::from(count.max(1)) > self.mean.unwrap_or(0) {
            self.learn(count, nanoseconds);
        }
    }

    /// A task waited for something, so it may take long: until others came back quickly, they travel alone.
    pub fn waited(&mut self) {
        self.mean = Some(self.mean.unwrap_or(0).max(2 * QUEUE_NS));
    }

    /// How many tasks the next chunk should have.
    #[must_use]
    pub fn chunk_tasks(&self) -> u32 {
        match self.mean {
            None => 1,
            Some(mean) => u32::try_from(CHUNK_NS / mean.max(1)).unwrap_or(u32::MAX).clamp(1, limits::CHUNK_TASKS),
        }
    }

    /// What `count` tasks will take, in nanoseconds.
    #[must_use]
    pub fn run_time(&self, count: u32) -> u64 {
        self.mean.map_or(u64::MAX, |mean| mean.saturating_mul(u64::from(count)))
    }

    /// Whether `count` tasks are known to take longer than what waits at a worker should.
    #[must_use]
    pub fn is_long(&self, count: u32) -> bool {
        self.mean.is_some() && self.run_time(count) > QUEUE_NS
    }

    /// Whether a worker that has `chunks` with `tasks` tasks before it should get another chunk.
    #[must_use]
    pub fn has_room(&self, chunks: usize, tasks: u32) -> bool {
        chunks == 0 || (chunks < MOST_CHUNKS && self.run_time(tasks) < QUEUE_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_tasks_go_one_by_one() {
        let estimate = Estimate::default();
        assert_eq!(estimate.chunk_tasks(), 1);
        assert!(estimate.has_room(0, 0));
        assert!(!estimate.has_room(1, 1));
    }

    #[test]
    fn short_tasks_travel_together_and_long_ones_alone() {
        let mut estimate = Estimate::default();
        estimate.learn(1, 1000);
        assert_eq!(estimate.chunk_tasks(), 250);
        assert!(estimate.has_room(4, 1000));
        assert!(!estimate.has_room(8, 2000));
        estimate.learn(1, 1_000_000_000);
        assert_eq!(estimate.chunk_tasks(), 1);
        assert!(!estimate.has_room(1, 1));
    }

    #[test]
    fn what_is_known_of_tasks_that_still_run_makes_them_slower_and_never_faster() {
        let mut estimate = Estimate::default();
        assert!(!estimate.is_long(u32::MAX), "nothing is known");
        estimate.learn(1, 1000);
        estimate.at_least(10, 5_000);
        assert_eq!((estimate.chunk_tasks(), estimate.is_long(2000), estimate.is_long(2001)), (250, false, true));
        estimate.at_least(1, QUEUE_NS);
        assert_eq!((estimate.chunk_tasks(), estimate.is_long(2)), (1, true));
    }

    #[test]
    fn extreme_times_overflow_nothing() {
        let mut estimate = Estimate::default();
        for ns in [0, u64::MAX, 0, u64::MAX] {
            estimate.learn(1, ns);
            assert!(estimate.chunk_tasks() >= 1);
        }
        assert_eq!(Estimate::default().run_time(7), u64::MAX);
    }
}
