//! All pools: those of the embedding API, one for each process, and those inside the pools that tasks made.
//!
//! The failures that this prevents: nested pools that starve because each waits for the other's workers; a guest that starts processes until the
//! machine has none left.
//!
//! Every pool's workers are counted before it is made, so one that was made can have them all. What is left is lent: a pool whose
//! tasks wait for tasks may have as many workers more as tasks wait so.

use std::collections::VecDeque;

use taskcell_wire::call::{CallError, Holder, ObjectId, TaskId};
use taskcell_wire::{JobId, WorkerId};

use super::due::Due;
use super::feed::Feed;
use super::{Broker, WorkerSpec};
use crate::chunk::Chunk;
use crate::effect::Effect;
use crate::options::{JobOptions, PoolOptions};
use crate::pool::Pool;
use crate::time::Now;

/// A pool of one kind of workers; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u32);

/// Jobs of guests are numbered from here, those of the API from 0.
pub(super) const GUEST_JOBS: u64 = 1 << 63;

/// Whose a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PoolKind {
    Api,
    /// One process, and the attempt that it ends with.
    Process {
        parent: Option<(WorkerId, Holder)>,
    },
    /// A part of a pool that a task made.
    Guest(ObjectId),
}

/// One pool.
#[derive(Debug)]
pub(super) struct PoolState {
    pub(super) pool: Pool,
    pub(super) spec: WorkerSpec,
    pub(super) kind: PoolKind,
    /// Jobs whose values wait to be made chunks, in turn.
    pub(super) feeds: VecDeque<(JobId, Feed)>,
    /// Tasks of guests that did not end.
    pub(super) open: u64,
    /// Its tasks that wait for tasks.
    pub(super) away: u32,
    /// Workers that were counted for it.
    reserved: u32,
    /// Workers that it has beside those.
    surplus: u32,
    /// It takes no more tasks once its feeds are empty.
    pub(super) closing: bool,
    due: Option<Now>,
}

/// What kind of job a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobKind {
    Api,
    /// One task with a process or a future.
    Single,
    /// A map, which a call waits for.
    Map,
    /// A part of a mapping.
    Mapping(ObjectId),
    /// Nobody asks any more.
    Forgotten,
}

/// A job, of the API or of a guest.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobState {
    pub(super) pool: super::PoolId,
    pub(super) kind: JobKind,
    /// Tasks that did not end.
    pub(super) left: u64,
    /// Its task has no result.
    pub(super) is_silent: bool,
    pub(super) parent: Option<TaskId>,
    pub(super) depth: u32,
}

impl Broker {
    /// A pool of the embedding API. Its workers are asked for at once.
    pub fn add_pool(&mut self, now: Now, spec: WorkerSpec, options: PoolOptions) -> PoolId {
        self.at(now);
        let id = self.new_pool_id().unwrap_or(PoolId(u32::MAX));
        self.start_pool(id, spec, options, PoolKind::Api);
        self.settle();
        id
    }

    pub(super) fn new_pool_id(&mut self) -> Result<PoolId, CallError> {
        let id = self.next.pool();
        id.map(PoolId).ok_or_else(|| CallError::Quota(format!("{} pools and processes in one run", u32::MAX)))
    }

    /// Begins a pool whose workers were checked to be there.
    pub(super) fn start_pool(&mut self, id: PoolId, spec: WorkerSpec, mut options: PoolOptions, kind: PoolKind) {
        options.workers = options.workers.max(1);
        let mut pool = Pool::numbered(options, u64::from(id.0) << 32);
        pool.start(self.now);
        self.reserved = self.reserved.saturating_add(options.workers);
        let state = PoolState {
            pool,
            spec,
            kind,
            feeds: VecDeque::new(),
            open: 0,
            away: 0,
            reserved: options.workers,
            surplus: 0,
            closing: false,
            due: None,
        };
        self.pools.insert(id, state);
        self.dirty.insert(id);
    }

    /// Whether so many more workers may be counted.
    pub(super) fn check_processes(&self, more: u32) -> Result<(), CallError> {
        let most = self.options.limits.processes;
        let taken = self.reserved.saturating_add(self.lent);
        // Those that were let go and did not end yet are not counted, but there is a bound to how many there may be.
        let alive = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        if taken.saturating_add(more) > most || alive >= most.saturating_mul(2) {
            return Err(CallError::Quota(format!("{most} worker processes of this job")));
        }
        Ok(())
    }

    /// A job of the API begins. Its chunks come with [`submit`](Self::submit).
    pub fn open_job(&mut self, pool: PoolId, job: JobId, options: JobOptions) {
        let Some(state) = self.pools.get_mut(&pool) else { return };
        state.pool.open_job(job, options);
        let (kind, parent) = (JobKind::Api, None);
        self.jobs.insert(job, JobState { pool, kind, left: 0, is_silent: false, parent, depth: 0 });
    }

    /// The same for a job of a guest.
    pub(super) fn open_guest_job(&mut self, job: JobId, state: JobState, options: JobOptions) {
        if let Some(pool) = self.pools.get_mut(&state.pool) {
            pool.pool.open_job(job, options);
            pool.open = pool.open.saturating_add(state.left);
        }
        self.jobs.insert(job, state);
    }

    /// Whether a job is a guest's: then its outcomes come to [`ended`](Self::ended).
    #[must_use]
    pub fn owns(&self, job: JobId) -> bool {
        job.0 >= GUEST_JOBS
    }

    /// Tasks of the API to run.
    pub fn submit(&mut self, now: Now, chunk: Chunk) {
        self.at(now);
        let Some(job) = self.jobs.get_mut(&chunk.job) else {
            self.effects.push(Effect::Cancelled { job: chunk.job, first: chunk.first, count: chunk.count });
            return;
        };
        job.left = job.left.saturating_add(u64::from(chunk.count));
        let id = job.pool;
        if let Some(state) = self.pools.get_mut(&id) {
            state.pool.submit(self.now, chunk);
            self.dirty.insert(id);
        }
        self.settle();
    }

    fn with_job(&mut self, now: Now, job: JobId, act: impl FnOnce(&mut Pool, Now)) {
        self.at(now);
        let Some(id) = self.jobs.get(&job).map(|job| job.pool) else { return };
        if let Some(state) = self.pools.get_mut(&id) {
            act(&mut state.pool, self.now);
            self.dirty.insert(id);
        }
        self.settle();
    }

    /// Cancels every task of a job that has not ended; those that run are told to stop.
    pub fn cancel_job(&mut self, now: Now, job: JobId) {
        self.with_job(now, job, |pool, now| pool.cancel_job(now, job));
    }

    /// Cancels the tasks of a job that no worker has; nothing of it is started any more.
    pub fn drain_job(&mut self, now: Now, job: JobId) {
        self.with_job(now, job, |pool, _| pool.drain_job(job));
    }

    /// Nobody waits for the job any more.
    pub fn close_job(&mut self, now: Now, job: JobId) {
        // What has nothing left needs no look at what workers have: that is the common end of a future.
        let over = self.jobs.get(&job).is_none_or(|job| job.left == 0);
        self.with_job(now, job, |pool, now| if over { pool.end_job(job) } else { pool.close_job(now, job) });
        self.jobs.remove(&job);
    }

    /// Whether a caller with many tasks should submit another chunk now.
    #[must_use]
    pub fn wants_more(&self, pool: PoolId) -> bool {
        self.pools.get(&pool).is_some_and(|state| state.pool.wants_more())
    }

    /// How many tasks the next chunk of this export should have.
    #[must_use]
    pub fn chunk_tasks(&self, pool: PoolId, task: taskcell_wire::TaskIndex) -> u32 {
        self.pools.get(&pool).map_or(1, |state| state.pool.chunk_tasks(task))
    }

    /// The pool takes no more tasks, and lets its workers go when they have nothing more to do.
    pub fn retire(&mut self, now: Now, pool: PoolId) {
        self.at(now);
        if let Some(state) = self.pools.get_mut(&pool) {
            state.closing = true;
            self.dirty.insert(pool);
        }
        self.settle();
    }

    /// Whether the pool gave up, or is not there any more.
    #[must_use]
    pub fn has_failed(&self, pool: PoolId) -> bool {
        self.pools.get(&pool).is_none_or(|state| state.pool.has_failed())
    }

    /// Whether a guest made the pool.
    #[must_use]
    pub fn is_guests(&self, pool: PoolId) -> bool {
        self.pools.get(&pool).is_some_and(|state| state.kind != PoolKind::Api)
    }

    /// Gives up a pool, or all of them: nothing more is started there, and its workers are killed. Tasks of guests there are lost, with
    /// `why` for their callers.
    pub fn fail(&mut self, now: Now, pool: Option<PoolId>, why: String) {
        self.at(now);
        let failed: Vec<PoolId> = pool.map_or_else(|| self.pools.keys().copied().collect(), |pool| vec![pool]);
        for id in failed {
            if let Some(state) = self.pools.get_mut(&id) {
                state.pool.fail(why.clone());
                self.dirty.insert(id);
            }
        }
        self.settle();
    }

    /// Does what follows from an event, until nothing does.
    pub(super) fn settle(&mut self) {
        while let Some(id) = self.dirty.pop_first() {
            self.settle_pool(id);
        }
    }

    fn settle_pool(&mut self, id: PoolId) {
        loop {
            self.feed(id);
            self.lend(id);
            let Some(state) = self.pools.get_mut(&id) else { return };
            if state.closing && state.feeds.is_empty() {
                state.pool.retire();
                if state.open == 0 && state.pool.is_idle() {
                    self.reserved = self.reserved.saturating_sub(std::mem::take(&mut state.reserved));
                }
            }
            let mut effects = std::mem::take(&mut self.pool_effects);
            state.pool.take_effects(&mut effects);
            let done = effects.is_empty();
            effects.drain(..).for_each(|effect| self.pool_effect(id, effect));
            self.pool_effects = effects;
            if done {
                break;
            }
        }
        self.admit_submitter(id);
        let Some(state) = self.pools.get_mut(&id) else { return };
        let due = state.pool.next_tick();
        self.due.change(Due::Pool(id), state.due, due);
        state.due = due;
        if state.kind != PoolKind::Api && state.open == 0 && state.pool.is_over() {
            self.remove_pool(id);
        }
    }

    fn remove_pool(&mut self, id: PoolId) {
        let Some(state) = self.pools.remove(&id) else { return };
        self.due.change(Due::Pool(id), state.due, None);
        self.reserved = self.reserved.saturating_sub(state.reserved);
        self.lent = self.lent.saturating_sub(state.surplus);
        match state.kind {
            PoolKind::Process { parent: Some((worker, holder)) } => {
                let running = self.workers.get_mut(&worker).and_then(|state| state.running.as_mut());
                if let Some(running) = running.filter(|running| running.holder == holder) {
                    running.children.remove(&id);
                }
            }
            PoolKind::Guest(object) => self.inner_pool_gone(object, id),
            PoolKind::Process { parent: None } | PoolKind::Api => {}
        }
    }

    /// Lends a pool workers for its tasks that wait for tasks, as far as there are any to lend and others wait there for one.
    fn lend(&mut self, id: PoolId) {
        let Some(state) = self.pools.get_mut(&id) else { return };
        if state.away == 0 && state.surplus == 0 && state.pool.extra() == 0 {
            return;
        }
        let taken = self.reserved.saturating_add(self.lent);
        let free = self.options.limits.processes.saturating_sub(taken);
        let wanted = u32::try_from(state.pool.unstaffed()).unwrap_or(u32::MAX);
        // What is lent is started at once, so nothing is promised that another takes meanwhile.
        state.pool.set_extra(self.now, state.away.min(state.pool.surplus().saturating_add(free.min(wanted))));
        let surplus = state.pool.surplus();
        self.lent = self.lent.saturating_sub(state.surplus).saturating_add(surplus);
        state.surplus = surplus;
    }

    /// A guest's task of a pool ended.
    pub(super) fn pool_task_ended(&mut self, id: PoolId) {
        let Some(state) = self.pools.get_mut(&id) else { return };
        state.open = state.open.saturating_sub(1);
        self.dirty.insert(id);
        if let PoolKind::Guest(object) = state.kind {
            self.guest_pool_task_ended(object);
        }
    }

    /// A guest's job whose tasks have all ended, and of which no more will come, goes.
    pub(super) fn end_job_if_over(&mut self, job: JobId) {
        let Some(state) = self.jobs.get(&job) else { return };
        let more = match state.kind {
            JobKind::Api => true,
            JobKind::Mapping(mapping) => self.takes_more(mapping),
            JobKind::Single | JobKind::Map | JobKind::Forgotten => false,
        };
        if state.left > 0 || more {
            return;
        }
        if let Some(pool) = self.pools.get_mut(&state.pool) {
            pool.pool.end_job(job);
            self.dirty.insert(state.pool);
        }
        self.jobs.remove(&job);
    }

    /// Whether no task of any pool waits or runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.owed == 0 && self.pools.values().all(|state| state.pool.is_idle() && state.feeds.is_empty())
    }
}
