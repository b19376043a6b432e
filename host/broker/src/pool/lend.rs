//! Chunks that a worker has for a moment only.
//!
//! The failure that this prevents: a task that may wait for so long and no longer stands in a worker's line behind one that turned out to
//! be slow, where it can neither expire nor go to a worker that is idle.
//!
//! A chunk of tasks with [`queue_timeout`](crate::JobOptions::queue_timeout) goes to a worker that has nothing else, and its worker claims each
//! task but the first in shared memory before it begins with it. What was not claimed after [`LENT`] is taken back: claims are closed, which
//! also tells how many there were, and the rest is in line again, as old as before. So a task has begun when it was claimed, or
//! when it was given to an idle worker as the first of its chunk; all others are in line, or are there again before their time is over.
//!
//! The roads not taken: one task at a time is a journey for each (200,000 trivial tasks took 3 to 8 s instead of 1); a worker that
//! looks at a clock would tell of what expired only when the slow task ended, and by a clock that goes on while the supervisor is stopped.

use taskcell_wire::{ChunkId, WorkerId};

use super::{Flight, Pool, Slot};
use crate::chunk::Chunk;
use crate::effect::PoolEffect;
use crate::time::{Duration, Now};

/// How long: eight times what a chunk is made for, so that few are taken back for nothing.
const LENT: Duration = Duration::from_millis(2);

/// How many tasks that have to begin by `start_by` may go together, of `tasks` that others would be. What has to begin sooner than it
/// would be taken back goes alone.
pub(super) fn most(now: Now, start_by: Now, tasks: u32) -> u32 {
    if start_by > now.plus(LENT) { tasks } else { 1 }
}

/// When a chunk that is sent now is taken back, if its tasks may not wait for ever and there are some that would.
pub(super) fn until(now: Now, chunk: &Chunk) -> Option<Now> {
    chunk.start_by.filter(|_| chunk.count > 1).map(|_| now.plus(LENT))
}

impl Flight {
    /// When it is taken back; `None` once its last task runs, or all are to stop.
    fn taken_back_at(&self) -> Option<Now> {
        self.lent_until.filter(|_| self.stop_sent.is_none() && self.chunk.count - self.done > 1)
    }
}

impl Pool {
    /// Whether a worker has to claim each task of a chunk, since it may be taken back.
    #[must_use]
    pub fn is_lent(&self, id: WorkerId, chunk: ChunkId) -> bool {
        self.worker(id).is_some_and(|worker| worker.flights.iter().any(|it| it.id == chunk && it.lent_until.is_some()))
    }

    /// When the next chunk is taken back. A lent one was given to a worker that had nothing else, so it stands at the front.
    pub(super) fn next_taken_back(&self) -> Option<Now> {
        let front = |slot: &Slot| match slot {
            Slot::Ready(worker) if worker.killed.is_none() => worker.flights.front()?.taken_back_at(),
            Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => None,
        };
        self.slots.iter().filter_map(front).min()
    }

    /// Asks for what was lent for long enough.
    pub(super) fn take_back_due(&mut self, now: Now) {
        for slot in &mut self.slots {
            let Slot::Ready(worker) = slot else { continue };
            let Some(flight) = worker.flights.front_mut().filter(|_| worker.killed.is_none()) else { continue };
            if flight.taken_back_at().is_some_and(|at| at <= now) {
                flight.lent_until = None;
                self.effects.push(PoolEffect::TakeBack(worker.id, flight.id));
            }
        }
    }

    /// A worker can't begin with more of a chunk that was lent to it, and has begun with `begun` tasks, in its own words. They are
    /// believed within what it has: one that says less can't give their results, and one that says more has more to do.
    pub fn taken_back(&mut self, now: Now, id: WorkerId, chunk: ChunkId, begun: u32) {
        let Some(worker) = self.worker_mut(id).filter(|worker| worker.killed.is_none()) else { return };
        let Some(flight) = worker.flights.iter_mut().find(|flight| flight.id == chunk) else { return };
        let begun = begun.max(flight.done).max(1);
        let Some(rest) = flight.chunk.part(begun, flight.chunk.count) else { return };
        // More than one task, so there is no history to lose.
        flight.chunk = flight.chunk.part(0, begun).unwrap_or_else(|| flight.chunk.clone());
        let (stopped, over) = (flight.stop_sent.is_some(), flight.done >= begun);
        worker.tasks = worker.tasks.saturating_sub(rest.count);
        if over {
            self.next_flight(now, id);
        }
        if self.failed {
            // Lost with the pool, which was told.
        } else if !stopped && self.is_open(rest.job) {
            self.put_back(rest);
        } else {
            self.cancelled(&rest);
        }
        self.pending.offer();
        self.assign(now);
    }
}
