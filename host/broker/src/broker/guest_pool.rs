//! Pools that tasks made.
//!
//! The failures that this prevents: a pool whose maker is dead and whose tasks run on; a map that holds all outcomes in memory before anybody
//! sees that they are too many; a caller that fills the host with tasks faster than they run.
//!
//! A worker serves one component for its whole life, so a pool has an inner pool for each component that it was given tasks of, each with
//! as many workers as the pool was made with. A pool belongs to one task, which makes one call at a time: at most one call waits
//! on it.

use std::collections::BTreeMap;

use taskcell_wire::call::{CallError, CallId, HandleId, ObjectId, PoolCall, PoolReply, PoolSettings, Reply, Timeout};

use super::calls::{Answered, Site};
use super::handles::Grant;
use super::objects::Body;
use super::pools::PoolKind;
use super::{Answer, Broker, Caller, ModuleId, PoolId, WorkerSpec};
use crate::object::Label;
use crate::options::{PoolOptions, RetryBudget};
use crate::waiters::deadline;

/// What a handle of a pool is of.
#[derive(Debug)]
pub(super) struct GuestPool {
    label: Label,
    settings: PoolSettings,
    workers: u32,
    memory_bytes: Option<u64>,
    inner: BTreeMap<ModuleId, PoolId>,
    closed: bool,
    /// The call that waits for room, or for the end of all tasks.
    pub(super) waiter: Option<CallId>,
}

impl GuestPool {
    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn workers(&self) -> u32 {
        self.workers
    }

    /// The run time of one attempt of its tasks, in nanoseconds.
    pub(super) fn timeout(&self) -> Option<u64> {
        self.settings.timeout
    }

    /// Whether tasks of a module run in this inner pool.
    pub(super) fn has_inner(&self, module: ModuleId, inner: PoolId) -> bool {
        self.inner.get(&module) == Some(&inner)
    }
}

impl Broker {
    pub(super) fn create_pool(&mut self, caller: &Caller, settings: PoolSettings) -> Answer {
        let workers = settings.workers.unwrap_or(self.options.cpus.max(1));
        if workers == 0 {
            return Err(CallError::Invalid("a pool of 0 workers".into()));
        }
        if settings.max_tasks_per_worker == Some(0) {
            return Err(CallError::Invalid("workers that are replaced after 0 tasks".into()));
        }
        self.check_handles(caller.worker, 1)?;
        self.check_objects(1)?;
        let most = self.options.limits.pools;
        if self.guest_pools >= most {
            return Err(CallError::Quota(format!("{most} pools that tasks made")));
        }
        self.check_processes(workers)?;
        self.check_depth(caller)?;
        let id = ObjectId(self.next.object());
        let label = Label::new("pool", id, settings.name.as_deref());
        let memory_bytes = self.memory_of(caller.worker, settings.memory_bytes);
        let pool = GuestPool { label, settings, workers, memory_bytes, inner: BTreeMap::new(), closed: false, waiter: None };
        self.guest_pools += 1;
        self.add_object(id, Body::Pool(Box::new(pool)));
        // So that its workers are counted; none starts before there is a task.
        let own = self.spec(caller.worker).map_or(ModuleId(0), |spec| spec.module);
        if let Err(error) = self.inner_pool(id, own) {
            self.release_object(id);
            return Err(error);
        }
        self.grant(caller.worker, id, Grant::Pool).map(Reply::Handle).ok_or(CallError::Closed)
    }

    pub(super) fn guest_pool(&self, id: ObjectId) -> Option<&GuestPool> {
        let body = self.objects.get(&id).map(|object| &object.body)?;
        if let Body::Pool(pool) = body { Some(pool) } else { None }
    }

    pub(super) fn guest_pool_mut(&mut self, id: ObjectId) -> Option<&mut GuestPool> {
        let body = self.objects.get_mut(&id).map(|object| &mut object.body)?;
        if let Body::Pool(pool) = body { Some(pool) } else { None }
    }

    /// The inner pools of a pool.
    fn inner_pools(&self, id: ObjectId) -> Vec<PoolId> {
        self.guest_pool(id).map_or_else(Vec::new, |pool| pool.inner.values().copied().collect())
    }

    /// The inner pool for tasks of a module, made if it is the first.
    pub(super) fn inner_pool(&mut self, id: ObjectId, module: ModuleId) -> Result<PoolId, CallError> {
        let pool = self.guest_pool(id).filter(|pool| !pool.closed).ok_or(CallError::Closed)?;
        if let Some(inner) = pool.inner.get(&module) {
            return Ok(*inner);
        }
        let (workers, retries) = (pool.workers, pool.settings.retries);
        let spec = WorkerSpec { module, isolation: pool.settings.isolation, memory_bytes: pool.memory_bytes, program: false };
        let options = PoolOptions {
            grace: self.options.grace,
            budget: RetryBudget { deaths: retries, timeouts: retries, ..RetryBudget::default() },
            retries: Some(retries),
            max_tasks_per_worker: pool.settings.max_tasks_per_worker,
            on_demand: true,
            ..PoolOptions::new(workers)
        };
        self.check_processes(workers)?;
        let inner = self.new_pool_id()?;
        self.start_pool(inner, spec, options, PoolKind::Guest(id));
        if let Some(pool) = self.guest_pool_mut(id) {
            pool.inner.insert(module, inner);
        }
        Ok(inner)
    }

    /// An inner pool ended.
    pub(super) fn inner_pool_gone(&mut self, id: ObjectId, inner: PoolId) {
        if let Some(pool) = self.guest_pool_mut(id) {
            pool.inner.retain(|_, pool| *pool != inner);
        }
    }

    pub(super) fn pool_call(&mut self, caller: &Caller, handle: HandleId, call: PoolCall<'_>) -> Answered {
        let id = match self.object_of(caller.worker, handle, &Grant::Pool) {
            Ok(object) => object,
            Err(error) => {
                // The ends of pipes that it carries are used up all the same.
                if let PoolCall::Submit(invocation) = call
                    && let Ok(prepared) = self.prepare(caller, invocation)
                {
                    self.drop_prepared(prepared);
                }
                return error.into();
            }
        };
        match call {
            PoolCall::Submit(invocation) => self.submit_task(caller, id, invocation),
            PoolCall::Map { task, values } => self.map(caller, id, task, &values.0),
            PoolCall::Imap { task, ordered, window } => self.imap(caller, id, task, ordered, window).into(),
            PoolCall::Drain { timeout } => self.drain(caller, id, timeout),
            PoolCall::Shutdown { cancel_pending } => {
                if cancel_pending {
                    for inner in self.inner_pools(id) {
                        self.cancel_feeds(inner, None);
                        if let Some(state) = self.pools.get_mut(&inner) {
                            state.pool.drain_all();
                        }
                    }
                }
                self.close_guest_pool(id);
                Ok(Reply::Pool(PoolReply::Done)).into()
            }
            PoolCall::Kill => {
                self.kill_guest_pool(id);
                Ok(Reply::Pool(PoolReply::Done)).into()
            }
        }
    }

    /// The pool takes no more tasks.
    pub(super) fn close_guest_pool(&mut self, id: ObjectId) {
        let inner = self.inner_pools(id);
        let Some(pool) = self.guest_pool_mut(id) else { return };
        pool.closed = true;
        let waiter = pool.waiter;
        for inner in inner {
            if let Some(state) = self.pools.get_mut(&inner) {
                state.closing = true;
                self.dirty.insert(inner);
            }
        }
        if let Some(call) = waiter
            && self.calls.get(&call).is_some_and(|parked| matches!(parked.site, Site::Submit(..)))
        {
            self.give_up(call, CallError::Closed);
        }
    }

    /// The pool takes no more tasks, cancels those that wait and kills those that run.
    pub(super) fn kill_guest_pool(&mut self, id: ObjectId) {
        for inner in self.inner_pools(id) {
            self.cancel_feeds(inner, None);
            if let Some(state) = self.pools.get_mut(&inner) {
                state.pool.kill_all(self.now);
            }
        }
        self.close_guest_pool(id);
    }

    /// The last handle of a pool is gone: what has not ended is cancelled.
    pub(super) fn guest_pool_dropped(&mut self, pool: &GuestPool) {
        self.guest_pools = self.guest_pools.saturating_sub(1);
        for inner in pool.inner.values() {
            self.cancel_feeds(*inner, None);
            if let Some(state) = self.pools.get_mut(inner) {
                state.pool.cancel_all(self.now);
                state.closing = true;
                self.dirty.insert(*inner);
            }
        }
    }

    fn drain(&mut self, caller: &Caller, id: ObjectId, timeout: Timeout) -> Answered {
        self.close_guest_pool(id);
        if self.is_drained(id) {
            return Ok(Reply::Pool(PoolReply::Done)).into();
        }
        if timeout == Some(0) {
            return CallError::TimedOut.into();
        }
        if let Some(pool) = self.guest_pool_mut(id) {
            pool.waiter = Some(caller.call);
        }
        Answered::Later(Site::Drain(id), deadline(self.now, timeout))
    }

    /// Whether every task of a pool has ended.
    fn is_drained(&self, id: ObjectId) -> bool {
        self.inner_pools(id).iter().all(|inner| self.pools.get(inner).is_none_or(|state| state.open == 0))
    }

    /// A task of a pool ended: a call that waited for the last of them goes on.
    pub(super) fn guest_pool_task_ended(&mut self, id: ObjectId) {
        let Some(call) = self.guest_pool(id).and_then(|pool| pool.waiter) else { return };
        let drains = self.calls.get(&call).is_some_and(|parked| matches!(parked.site, Site::Drain(_)));
        if drains && self.is_drained(id) {
            if let Some(pool) = self.guest_pool_mut(id) {
                pool.waiter = None;
            }
            self.answer(call, Ok(Reply::Pool(PoolReply::Done)));
        }
    }
}
