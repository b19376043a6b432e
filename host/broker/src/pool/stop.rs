//! What is not to go on: jobs that are cancelled or drained, tasks that are killed, and those that stand behind one that waits.

use taskcell_wire::{JobId, WorkerId};

use super::{Lane, Phase, Pool, Slot};
use crate::chunk::Chunk;
use crate::effect::{KillReason, PoolEffect, Violation};
use crate::time::{Duration, Now};

impl Pool {
    /// Cancels every task of a job that has not ended; those that run are told to stop.
    pub fn cancel_job(&mut self, now: Now, job: JobId) {
        match self.jobs.get_mut(&job) {
            Some(state) if state.phase != Phase::Cancelled => state.phase = Phase::Cancelled,
            Some(_) | None => return,
        }
        self.cancel_waiting(job);
        for slot in &mut self.slots {
            let Slot::Ready(worker) = slot else { continue };
            for (place, flight) in worker.flights.iter_mut().enumerate().filter(|(_, flight)| flight.chunk.job == job) {
                flight.stop_sent = Some(now);
                // A worker can be told of one chunk at a time; the others' turn comes when they are at the front.
                if place == 0 {
                    self.effects.push(PoolEffect::Stop(worker.id, flight.id));
                }
            }
        }
    }

    /// Cancels the tasks of a job that no worker has yet; those that workers have go on. From now on nothing of the job is started or
    /// tried again: an attempt that fails is the last, and what a worker leaves behind when it dies is cancelled.
    pub fn drain_job(&mut self, job: JobId) {
        if let Some(state) = self.jobs.get_mut(&job).filter(|state| state.phase == Phase::Open) {
            state.phase = Phase::Draining;
        }
        self.cancel_waiting(job);
    }

    fn cancel_waiting(&mut self, job: JobId) {
        let waiting = self.jobs.get_mut(&job).map_or_else(Vec::new, |job| self.pending.take_lane(&mut job.lane));
        for chunk in waiting.iter().chain(&self.delayed.take_job(job)) {
            self.cancelled(chunk);
        }
    }

    /// The worker broke the protocol: it is to be killed, and its running task ends with that.
    pub fn violated(&mut self, id: WorkerId, violation: Violation) {
        self.kill(id, KillReason::Violation(violation));
    }

    /// How long a task may go on after it was told to stop, from now on.
    pub fn set_grace(&mut self, grace: Duration) {
        self.options.grace = grace;
    }

    /// Cancels all tasks; those that run are told to stop.
    pub fn cancel_all(&mut self, now: Now) {
        self.cancel_all_waiting();
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        jobs.into_iter().for_each(|job| self.cancel_job(now, job));
    }

    /// Cancels the tasks that no worker has.
    pub fn cancel_all_waiting(&mut self) {
        self.take_waiting().iter().for_each(|chunk| self.cancelled(chunk));
    }

    /// Takes all that no worker has: what is in line, then what would come later.
    pub(super) fn take_waiting(&mut self) -> Vec<Chunk> {
        self.jobs.values_mut().for_each(|job| job.lane = Lane::default());
        self.pending.drain().chain(self.delayed.drain()).collect()
    }

    /// Cancels the tasks that no worker has; nothing is started or tried again.
    pub fn drain_all(&mut self) {
        self.cancel_all_waiting();
        for job in self.jobs.values_mut().filter(|job| job.phase == Phase::Open) {
            job.phase = Phase::Draining;
        }
    }

    /// Cancels all tasks, and kills the workers of those that run.
    pub fn kill_all(&mut self, now: Now) {
        self.cancel_all_waiting();
        for job in self.jobs.values_mut() {
            job.phase = Phase::Cancelled;
        }
        let mut killed = Vec::new();
        for slot in &mut self.slots {
            match slot {
                Slot::Ready(worker) if !worker.flights.is_empty() => {
                    worker.flights.iter_mut().for_each(|flight| flight.stop_sent = Some(now));
                    killed.push(worker.id);
                }
                Slot::Starting { id, .. } => killed.push(*id),
                Slot::Ready(_) | Slot::Empty { .. } | Slot::Leaving(_) | Slot::Closed(_) => {}
            }
        }
        killed.into_iter().for_each(|id| self.kill(id, KillReason::Killed));
    }

    /// Kills every worker, for a pool that failed.
    pub fn kill_workers(&mut self) {
        let workers: Vec<WorkerId> = self.slots.iter().filter_map(Slot::id).collect();
        workers.into_iter().for_each(|id| self.kill(id, KillReason::Stopped));
    }

    /// The running task of a worker waits in a call: until it goes on, nothing is given to that worker, and what was to
    /// follow it there is asked for.
    pub fn waits(&mut self, id: WorkerId) {
        let Some(worker) = self.worker_mut(id).filter(|worker| !worker.is_dying()) else { return };
        worker.waits = true;
        let Some(task) = worker.flights.front().map(|front| front.options.task) else { return };
        let ask = (worker.tasks > 1).then(|| worker.ask_back());
        self.effects.extend(ask);
        // What waits once will wait again, and each time that costs a way there and back.
        self.estimates.entry(task).or_default().waited();
    }

    /// The call that the running task of a worker waited in was answered.
    pub fn goes_on(&mut self, now: Now, id: WorkerId) {
        let Some(worker) = self.worker_mut(id).filter(|worker| worker.waits) else { return };
        worker.waits = false;
        if worker.tasks > 1 {
            self.take_back_due(now);
        }
        if !self.pending.is_empty() {
            self.pending.offer();
            self.assign(now);
        }
    }
}
