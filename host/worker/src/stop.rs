//! Why the running task has to stop: its deadline, or a request in the shared page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};
use taskcell_engine::{Stop, StopReason};
use taskcell_sandbox::SharedMemory;
use taskcell_wire::ChunkId;

use crate::page;

/// Nanoseconds of the monotonic clock, which suspends and steps of the wall clock do not move.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The running task's bounds. Written by the main thread, read where the guest looks up.
#[derive(Debug)]
pub struct TaskStop {
    page: Arc<SharedMemory>,
    /// The running chunk plus one; 0: none.
    chunk: AtomicU64,
    /// In nanoseconds of [`now`]; 0: none.
    deadline: AtomicU64,
}

impl TaskStop {
    /// Nothing runs.
    #[must_use]
    pub fn new(page: Arc<SharedMemory>) -> Self {
        Self { page, chunk: AtomicU64::new(0), deadline: AtomicU64::new(0) }
    }

    /// Tasks of `chunk` run from now on.
    pub fn set_chunk(&self, chunk: Option<ChunkId>) {
        self.chunk.store(chunk.map_or(0, |chunk| chunk.0.wrapping_add(1)), Ordering::Relaxed);
    }

    /// The running task has to end by `deadline`.
    pub fn set_deadline(&self, deadline: Option<u64>) {
        self.deadline.store(deadline.unwrap_or(0), Ordering::Relaxed);
    }

    /// When the running task has to end, in nanoseconds of [`now`].
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        Some(self.deadline.load(Ordering::Relaxed)).filter(|deadline| *deadline != 0)
    }

    /// Whether the running chunk was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self.chunk.load(Ordering::Relaxed).checked_sub(1) {
            Some(chunk) => page::should_stop(&self.page, ChunkId(chunk)),
            None => false,
        }
    }
}

impl Stop for TaskStop {
    /// The deadline goes first: a guest that was told of a cancellation may clean up, but not for ever.
    fn reason(&self) -> Option<StopReason> {
        if self.deadline().is_some_and(|deadline| now() >= deadline) {
            return Some(StopReason::TimedOut);
        }
        self.is_cancelled().then_some(StopReason::Cancelled)
    }

    fn is_asked(&self) -> bool {
        self.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_task_stops_for_its_deadline_or_its_cancellation() {
        let (page, _fd) = SharedMemory::create().unwrap();
        let page = Arc::new(page);
        let stop = TaskStop::new(Arc::clone(&page));
        stop.set_chunk(Some(ChunkId(4)));
        assert_eq!(stop.reason(), None);
        stop.set_deadline(Some(1));
        assert_eq!(stop.reason(), Some(StopReason::TimedOut));
        stop.set_deadline(Some(u64::MAX));
        page::ask_to_stop(&page, ChunkId(4));
        assert_eq!(stop.reason(), Some(StopReason::Cancelled));
        stop.set_chunk(Some(ChunkId(5)));
        assert_eq!(stop.reason(), None);
    }
}
