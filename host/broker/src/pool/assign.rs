//! Who gets what waits.

use taskcell_wire::ChunkId;

use super::{Flight, Pool, Slot};
use crate::effect::Effect;
use crate::time::Now;

impl Pool {
    /// Gives what waits to workers with room, the emptiest first. In a pool that failed nothing waits.
    pub(super) fn assign(&mut self, now: Now) {
        self.fill(now);
        self.let_go();
    }

    fn fill(&mut self, now: Now) {
        while let Some(chunk) = self.pending.front() {
            let Some(job) = self.jobs.get(&chunk.job) else {
                if let Some(chunk) = self.pending.pop_front() {
                    self.cancelled(&chunk);
                }
                continue;
            };
            let estimate = self.estimates.get(&job.options.task).copied().unwrap_or_default();
            let free = self.slots.iter_mut().filter_map(|slot| match slot {
                Slot::Ready(worker) if worker.killed.is_none() && estimate.has_room(worker.flights.len(), worker.tasks) => {
                    Some(worker)
                }
                Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Closed(_) => None,
            });
            let Some(worker) = free.min_by_key(|worker| (worker.tasks, worker.id)) else { return };
            let Some(chunk) = self.pending.pop_front() else { return };
            let id = ChunkId(self.next_chunk);
            self.next_chunk += 1;
            worker.tasks = worker.tasks.saturating_add(chunk.count);
            worker.flights.push_back(Flight { id, chunk, done: 0, since: now, stop_sent: None });
            self.effects.push(Effect::Send(worker.id, id));
        }
    }
}
