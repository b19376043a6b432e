//! What time brings: attempts that were put off, workers to start again, and workers to kill because something did not end.

use taskcell_wire::WorkerId;

use super::{Pool, Slot, Worker};
use crate::effect::{KillReason, PoolEffect};
use crate::time::{Duration, Now};

/// How long a worker may take to get ready. Its guest's start functions run then, and it stops those itself after 20 seconds; this is
/// for one that does not.
const BOOT: Duration = Duration::from_millis(30_000);

impl Pool {
    /// Time passed: delayed attempts become due, what waited too long expires, workers are started again, tasks that did not stop lose their worker.
    pub fn tick(&mut self, now: Now) {
        if self.failed {
            return;
        }
        while let Some(chunk) = self.delayed.pop_due(now) {
            self.put_back(chunk);
        }
        self.expire(now);
        self.pending.offer();
        self.let_go();
        self.staff(now);
        let overdue: Vec<(WorkerId, KillReason)> =
            self.deadlines().filter(|(at, _, _)| *at <= now).map(|(_, id, reason)| (id, reason)).collect();
        for (id, reason) in overdue {
            self.kill(id, reason);
        }
        self.assign(now);
        self.take_back_due(now);
    }

    /// Ends what waited too long for its first attempt.
    pub(super) fn expire(&mut self, now: Now) {
        while let Some((place, chunk)) = self.pending.pop_due(now) {
            if let Some(job) = self.jobs.get_mut(&chunk.job) {
                job.lane.remove(place);
            }
            self.effects.push(PoolEffect::Expired { job: chunk.job, first: chunk.first, count: chunk.count });
        }
    }

    /// When [`tick`](Self::tick) has something to do; `None`: only after another event.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        if self.failed {
            return None;
        }
        let respawn = |slot: &Slot| if let Slot::Empty { respawn } = slot { Some(*respawn) } else { None };
        let respawn = if self.wants_staff() { self.slots.iter().filter_map(respawn).min() } else { None };
        let deadline = self.deadlines().map(|(at, _, _)| at).min();
        [self.delayed.next_due(), self.pending.next_due(), self.next_taken_back(), respawn, deadline].into_iter().flatten().min()
    }

    /// When the front task of each worker has to have ended, with its grace, and when a starting one has to be ready.
    fn deadlines(&self) -> impl Iterator<Item = (Now, WorkerId, KillReason)> + '_ {
        let grace = self.options.grace;
        self.slots.iter().filter_map(move |slot| {
            let worker = match slot {
                Slot::Ready(worker) => worker,
                Slot::Starting { id, since } => return Some((since.plus(BOOT), *id, KillReason::NotReady)),
                Slot::Empty { .. } | Slot::Leaving(_) | Slot::Closed(_) => return None,
            };
            let flight = worker.flights.front().filter(|_| !worker.is_dying())?;
            if let Some(stop) = flight.stop_sent {
                return Some((stop.max(flight.since).plus(grace), worker.id, KillReason::Cancelled));
            }
            let timeout = self.jobs.get(&flight.chunk.job)?.options.timeout?;
            Some((flight.since.plus(timeout).plus(grace), worker.id, KillReason::Timeout))
        })
    }

    pub(super) fn kill(&mut self, id: WorkerId, reason: KillReason) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.id() == Some(id)) else { return };
        match slot {
            Slot::Ready(worker) if worker.killed.is_some() => return,
            Slot::Ready(worker) => worker.killed = Some(reason.clone()),
            // It will not be ready any more.
            Slot::Starting { .. } => {
                *slot = Slot::Ready(Worker { killed: Some(reason.clone()), ..Worker::new(id) });
            }
            Slot::Leaving(_) | Slot::Closed(_) | Slot::Empty { .. } => {}
        }
        self.effects.push(PoolEffect::Kill(id, reason));
    }
}
