//! What a pool wants done, and what the broker has to do with it before it is anybody's work.

use taskcell_wire::call::Ended;
use taskcell_wire::{ChunkId, JobId, WorkerId};

use super::due::Due;
use super::pools::PoolKind;
use super::running::WorkerState;
use super::tasks::lost;
use super::{Broker, JobKind, PoolId};
use crate::effect::{Effect, PoolEffect};
use crate::time::Duration;

/// How long a worker that was let go may take to end.
const LEAVE: Duration = Duration::from_millis(2_000);

impl Broker {
    pub(super) fn pool_effect(&mut self, id: PoolId, effect: PoolEffect) {
        match effect {
            PoolEffect::Spawn(worker) => {
                self.workers.insert(worker, WorkerState::new(id));
                self.effects.push(Effect::Spawn(worker));
            }
            PoolEffect::Send(worker, chunk) => self.send(id, worker, chunk),
            PoolEffect::TakeBack(worker, until) => self.effects.push(Effect::TakeBack(worker, until)),
            PoolEffect::Stop(worker, chunk) => {
                self.effects.push(Effect::Stop(worker, chunk));
                self.stopped(worker, chunk);
            }
            PoolEffect::Retire(worker) => {
                if let Some(state) = self.workers.get_mut(&worker) {
                    let until = self.now.plus(LEAVE);
                    self.due.change(Due::Leaving(worker), state.leaving, Some(until));
                    state.leaving = Some(until);
                }
                self.effects.push(Effect::Retire(worker));
            }
            PoolEffect::Kill(worker, reason) => {
                let running = self.workers.get_mut(&worker).and_then(|state| {
                    state.killed = true;
                    state.running.as_ref()
                });
                // It must not be given anything any more, least of all a message that nobody will ever see.
                if let Some(call) = running.and_then(|running| running.parked) {
                    self.withdraw(call);
                }
                self.effects.push(Effect::Kill(worker, reason));
            }
            PoolEffect::Lost { job, index, history } if self.owns(job) => self.task_ended(job, index, lost(&history)),
            PoolEffect::Lost { job, index, history } => {
                self.api_ended(job, index, 1);
                self.effects.push(Effect::Lost { job, index, history });
            }
            PoolEffect::Cancelled { job, first, count } if self.owns(job) => {
                (0..u64::from(count)).for_each(|at| self.task_ended(job, first.saturating_add(at), Ended::Cancelled));
            }
            PoolEffect::Cancelled { job, first, count } => {
                self.api_ended(job, first, count);
                self.effects.push(Effect::Cancelled { job, first, count });
            }
            PoolEffect::Expired { job, first, count } if self.owns(job) => {
                (0..u64::from(count)).for_each(|at| self.task_ended(job, first.saturating_add(at), Ended::TimedOut));
            }
            PoolEffect::Expired { job, first, count } => {
                self.api_ended(job, first, count);
                self.effects.push(Effect::Expired { job, first, count });
            }
            PoolEffect::Failed(why) => self.pool_failed(id, why),
        }
    }

    fn send(&mut self, id: PoolId, worker: WorkerId, chunk: ChunkId) {
        let Some(state) = self.pools.get(&id) else { return };
        let Some((flight, options)) = state.pool.flight(worker, chunk) else { return };
        let (job, first, count) = (flight.job, flight.first, flight.count);
        let attempt = u32::try_from(flight.history.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.sent(worker, job, first, count, attempt);
        if options.alone {
            self.grant_arguments(worker, job, first);
        }
        self.effects.push(Effect::Send(worker, chunk));
    }

    fn pool_failed(&mut self, id: PoolId, why: String) {
        let Some(state) = self.pools.get_mut(&id) else { return };
        state.pool.kill_workers();
        state.closing = true;
        let kind = state.kind;
        if kind == PoolKind::Api {
            let lost: Vec<(JobId, u64)> =
                self.tasks.values().filter(|task| task.pool == id).map(|task| (task.job, task.index)).collect();
            lost.into_iter().for_each(|(job, index)| self.forget(job, index, 1));
            self.effects.push(Effect::PoolFailed(id, why));
            return;
        }
        let feeds = std::mem::take(&mut state.feeds);
        self.bytes = self.bytes.saturating_sub(feeds.iter().map(|(_, feed)| feed.bytes()).sum());
        if let PoolKind::Guest(object) = kind {
            self.close_guest_pool(object);
        }
        let jobs: Vec<(JobId, JobKind)> =
            self.jobs.iter().filter(|(_, job)| job.pool == id).map(|(id, job)| (*id, job.kind)).collect();
        for (job, kind) in jobs {
            for index in self.unended(job, kind) {
                self.task_ended(job, index, Ended::Lost(why.clone()));
            }
            if let Some(job) = self.jobs.get_mut(&job) {
                // What is left is on its way from a worker that finished it, and comes too late.
                if let Some(state) = self.pools.get_mut(&id) {
                    state.open = state.open.saturating_sub(job.left);
                }
                job.left = 0;
            }
            self.end_job_if_over(job);
        }
    }
}
