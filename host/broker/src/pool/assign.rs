//! Who gets what waits.

use taskcell_wire::{ChunkId, Turn};

use super::{Flight, Pool, Slot, Worker, take_back, together};
use crate::effect::PoolEffect;
use crate::time::Now;

impl Pool {
    /// Gives what waits to workers with room, the emptiest first, and starts workers for the rest. In a pool that failed nothing waits.
    pub(super) fn assign(&mut self, now: Now) {
        self.fill(now);
        self.let_go();
        if self.options.on_demand || self.slots.len() > self.options.workers.max(1) as usize || self.extra > 0 {
            self.staff(now);
        }
    }

    fn fill(&mut self, now: Now) {
        self.expire(now);
        if self.pending.is_refused() {
            return;
        }
        self.replace_used_up(None);
        while let Some(chunk) = self.pending.front() {
            let (count, start_by, bytes) = (chunk.count, chunk.start_by, chunk.items.len());
            let Some(job) = self.jobs.get_mut(&chunk.job) else {
                if let Some(chunk) = self.pending.pop_front(None) {
                    self.cancelled(&chunk);
                }
                continue;
            };
            let estimate = self.estimates.get(&job.options.task).copied().unwrap_or_default();
            let options = job.options;
            let most = together(&self.options, &estimate).max(options.together);
            let count = match start_by {
                Some(by) => count.min(take_back::most(now, by, most)),
                // More is known of its tasks than when it was made.
                None if estimate.is_long(count) => count.min(most),
                None => count,
            };
            let alone = options.alone || options.queue_timeout.is_some();
            let most = self.options.max_tasks_per_worker;
            let free = self.slots.iter_mut().filter_map(|slot| match slot {
                Slot::Ready(worker)
                    if !worker.is_dying()
                        && !worker.waits
                        && !worker.is_late(now)
                        && estimate.has_room(worker.flights.len(), worker.tasks)
                        && worker.may_carry(bytes)
                        && (!alone || worker.flights.is_empty())
                        && may_serve(worker, count, most) =>
                {
                    Some(worker)
                }
                Slot::Ready(_) | Slot::Empty { .. } | Slot::Starting { .. } | Slot::Leaving(_) | Slot::Closed(_) => None,
            });
            let Some(worker) = free.min_by_key(|worker| (worker.tasks, worker.id)) else {
                self.replace_used_up(Some(count));
                self.pending.refuse();
                return;
            };
            let Some(mut chunk) = self.pending.pop_front(Some(&mut job.lane)) else { return };
            if count < chunk.count
                && let (Some(first), Some(rest)) = (chunk.part(0, count), chunk.part(count, chunk.count))
            {
                chunk = first;
                self.pending.push_front(&mut job.lane, rest);
            }
            let id = ChunkId(self.next_chunk);
            self.next_chunk += 1;
            worker.tasks = worker.tasks.saturating_add(chunk.count);
            let (turn, claimed, hurried) = (worker.next, worker.flights.is_empty(), take_back::until(now, &chunk));
            worker.next = Turn(turn.0.saturating_add(u64::from(chunk.count)));
            worker.flights.push_back(Flight { id, chunk, options, done: 0, since: now, stop_sent: None, turn, claimed, hurried });
            self.effects.push(PoolEffect::Send(worker.id, id));
        }
    }

    /// Lets go of workers that have nothing to do and ran as many tasks as one may, or can't run so many more.
    fn replace_used_up(&mut self, count: Option<u32>) {
        let Some(most) = self.options.max_tasks_per_worker else { return };
        for slot in &mut self.slots {
            if let Slot::Ready(worker) = slot
                && worker.is_idle()
                && (worker.served >= most || count.is_some_and(|count| !may_serve(worker, count, Some(most))))
            {
                self.effects.push(PoolEffect::Retire(worker.id));
                *slot = Slot::Leaving(worker.id);
            }
        }
    }
}

/// Whether a worker may run so many more tasks. One that ran none may, or nobody could.
fn may_serve(worker: &Worker, count: u32, most: Option<u32>) -> bool {
    let sum = worker.served.saturating_add(worker.tasks).saturating_add(count);
    most.is_none_or(|most| sum <= most || (worker.served == 0 && worker.tasks == 0))
}
