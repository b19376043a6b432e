//! Single tasks of a pool: from a submission to a future.
//!
//! The failure that this prevents: a caller that fills the host with tasks faster than they run. Who submits more than may wait,
//! waits himself.

use taskcell_wire::WorkerId;
use taskcell_wire::call::{CallError, CallId, Invocation, ObjectId, Reply};

use super::calls::{Answered, Site};
use super::guest_pool::GuestPool;
use super::handles::Grant;
use super::invocation::Prepared;
use super::objects::Body;
use super::pools::PoolKind;
use super::process::Future;
use super::{Answer, Broker, Caller, ModuleId, PoolId};
use crate::object::Label;

impl Broker {
    pub(super) fn submit_task(&mut self, caller: &Caller, id: ObjectId, invocation: Invocation<'_>) -> Answered {
        let prepared = match self.prepare(caller, invocation) {
            Ok(prepared) => prepared,
            Err(error) => return error.into(),
        };
        let checked = self.check_submit(caller, id, prepared.module);
        let inner = match checked {
            Ok(inner) => inner,
            Err(error) => {
                self.drop_prepared(prepared);
                return error.into();
            }
        };
        if self.is_full(inner) {
            if let Some(pool) = self.guest_pool_mut(id) {
                pool.waiter = Some(caller.call);
            }
            return Answered::Later(Site::Submit(id, Box::new(prepared)), None);
        }
        self.start_submitted(caller, id, inner, prepared).into()
    }

    fn check_submit(&mut self, caller: &Caller, id: ObjectId, module: ModuleId) -> Result<PoolId, CallError> {
        self.check_handles(caller.worker, 1)?;
        self.check_objects(1)?;
        self.inner_pool(id, module)
    }

    fn is_full(&self, inner: PoolId) -> bool {
        self.pools.get(&inner).is_some_and(|state| state.pool.waiting() >= self.options.limits.waiting_tasks as usize)
    }

    fn start_submitted(&mut self, caller: &Caller, id: ObjectId, inner: PoolId, mut prepared: Prepared) -> Answer {
        let depth = self.tasks.get(&caller.task).map_or(0, |task| task.depth).saturating_add(1);
        let timeout = self.guest_pool(id).and_then(GuestPool::timeout);
        let name = self.signature(prepared.module, prepared.task).map_or_else(String::new, |signature| signature.name.clone());
        let object = ObjectId(self.next.object());
        let task = self.start_single(caller, inner, &mut prepared, timeout, depth, &name, object);
        let label = Label::new("task", ObjectId(task.0), Some(&name));
        self.add_object(object, Body::Future(Box::new(Future::new(label, task))));
        let handle = self.grant(caller.worker, object, Grant::Future).ok_or(CallError::Closed)?;
        Ok(Reply::Started(handle, task))
    }

    /// If a task waits for room in the pool that this one is a part of, and there is room now, it goes on.
    pub(super) fn admit_submitter(&mut self, inner: PoolId) {
        let Some(PoolKind::Guest(id)) = self.pools.get(&inner).map(|state| state.kind) else { return };
        let Some(call) = self.guest_pool(id).and_then(|pool| pool.waiter) else { return };
        let Some(parked) = self.calls.get_mut(&call) else { return };
        let worker = parked.worker;
        let Site::Submit(_, prepared) = &mut parked.site else { return };
        let module = prepared.module;
        if !self.guest_pool(id).is_some_and(|pool| pool.has_inner(module, inner)) || self.is_full(inner) {
            return;
        }
        let Some(caller) = self.caller_of(worker, call) else { return };
        let Some(Site::Submit(_, prepared)) = self.calls.get_mut(&call).map(|parked| &mut parked.site) else { return };
        let prepared = std::mem::take(&mut **prepared);
        let answer = self.start_submitted(&caller, id, inner, prepared);
        if let Some(pool) = self.guest_pool_mut(id) {
            pool.waiter = None;
        }
        self.answer(call, answer);
    }

    /// The caller of a call that waits.
    fn caller_of(&self, worker: WorkerId, call: CallId) -> Option<Caller> {
        let running = self.workers.get(&worker)?.running.as_ref()?;
        Some(Caller { worker, holder: running.holder, task: running.task, call })
    }
}
