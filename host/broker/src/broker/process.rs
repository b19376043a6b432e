//! Processes, and futures of a pool's tasks: what one task holds of another that it started.
//!
//! The failures that this prevents: a child that lives on when its parent is dead and nobody asked for that; an outcome that is told
//! once and lost; a parent that waits for its own child, which waits for it.
//!
//! A process is a pool of one worker for one task, which starts at once and ends with it. It ends with the attempt that started it, unless it is
//! detached.

use taskcell_wire::call::{
    CallError, CallId, Ended, FutureCall, HandleId, Invocation, ObjectId, PoolReply, ProcessCall, ProcessOptions, ProcessReply,
    Reply, TaskId, TaskState,
};
use taskcell_wire::{Isolation, WorkerId};

use super::calls::{Answered, Site};
use super::handles::Grant;
use super::objects::Body;
use super::pools::PoolKind;
use super::tasks::Task;
use super::{Answer, Broker, Caller, JobKind, JobState, PoolId, WorkerSpec};
use crate::object::Label;
use crate::options::PoolOptions;
use crate::time::{Duration, Now};
use crate::waiters::deadline;

/// A task whose end somebody may wait for: what a handle of a future is of.
#[derive(Debug)]
pub(super) struct Future {
    label: Label,
    task: TaskId,
    ended: Option<Ended<'static>>,
    pub(super) waiter: Option<CallId>,
}

/// What a handle of a process is of.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) end: Future,
    pool: PoolId,
    /// The last process that it was given to.
    pub(super) pid: Option<u32>,
    /// When it was first asked to stop, and how long it had from then.
    stopped: Option<(Now, Duration)>,
}

impl Future {
    pub(super) fn new(label: Label, task: TaskId) -> Self {
        Self { label, task, ended: None, waiter: None }
    }

    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn task(&self) -> TaskId {
        self.task
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub(super) fn ended_bytes(&self) -> u64 {
        self.ended.as_ref().map_or(0, |ended| ended.len() as u64)
    }

    /// Its task ended; gives the call that waits for that.
    pub(super) fn end(&mut self, ended: Ended<'static>) -> Option<CallId> {
        self.ended = Some(ended);
        self.waiter.take()
    }
}

/// The answer to a join, or to a future's result.
pub(super) fn end_reply(is_process: bool, ended: Ended<'static>) -> Reply<'static> {
    if is_process { Reply::Process(ProcessReply::Ended(ended)) } else { Reply::Pool(PoolReply::Ended(ended)) }
}

impl Broker {
    /// Starts a process.
    pub(super) fn spawn(&mut self, caller: &Caller, invocation: Invocation<'_>, options: ProcessOptions) -> Answer {
        let mut prepared = self.prepare(caller, invocation)?;
        let checked = self.check_spawn(caller).and_then(|depth| Ok((depth, self.new_pool_id()?)));
        let (depth, pool) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                self.drop_prepared(prepared);
                return Err(error);
            }
        };
        let name = options.name.unwrap_or_else(|| {
            self.signature(prepared.module, prepared.task).map_or_else(String::new, |signature| signature.name.clone())
        });
        let spec = WorkerSpec {
            module: prepared.module,
            isolation: Isolation::Fresh,
            memory_bytes: self.memory_of(caller.worker, options.memory_bytes),
            program: false,
        };
        let object = ObjectId(self.next.object());
        let parent = (!options.detached).then_some((caller.worker, caller.holder));
        let pool_options = PoolOptions { grace: self.options.grace, ..PoolOptions::new(1) };
        self.start_pool(pool, spec, pool_options, PoolKind::Process { parent });
        let task = self.start_single(caller, pool, &mut prepared, options.timeout, depth, &name, object);
        if let Some(state) = self.pools.get_mut(&pool) {
            // It has its one task: once that ended, or can't be kept alive, nothing more is started.
            state.closing = true;
        }
        let label = Label::new("process", ObjectId(task.0), Some(&name));
        let process = Process { end: Future::new(label, task), pool, pid: None, stopped: None };
        self.add_object(object, Body::Process(Box::new(process)));
        if parent.is_some()
            && let Some(running) = self.workers.get_mut(&caller.worker).and_then(|state| state.running.as_mut())
        {
            running.children.insert(pool);
        }
        let handle = self.grant(caller.worker, object, Grant::Process).ok_or(CallError::Closed)?;
        Ok(Reply::Started(handle, task))
    }

    /// Whether a task may start another and have a handle of it; gives the depth of the new one.
    pub(super) fn check_spawn(&self, caller: &Caller) -> Result<u32, CallError> {
        let depth = self.check_depth(caller)?;
        self.check_handles(caller.worker, 1)?;
        self.check_objects(1)?;
        self.check_processes(1)?;
        Ok(depth)
    }

    /// How deep a task would be that this one starts.
    pub(super) fn check_depth(&self, caller: &Caller) -> Result<u32, CallError> {
        let depth = self.tasks.get(&caller.task).map_or(0, |task| task.depth).saturating_add(1);
        let most = self.options.limits.depth;
        if depth > most { Err(CallError::Quota(format!("{most} tasks that started each other"))) } else { Ok(depth) }
    }

    /// The smaller of what is asked for and what the caller itself may use.
    pub(super) fn memory_of(&self, caller: WorkerId, asked: Option<u64>) -> Option<u64> {
        let own = self.spec(caller).and_then(|spec| spec.memory_bytes);
        match (own, asked) {
            (Some(own), Some(asked)) => Some(own.min(asked)),
            (own, asked) => own.or(asked),
        }
    }

    /// Submits one task to a pool as a job of its own; `watcher` is told of its end.
    #[expect(clippy::too_many_arguments, reason = "all that a task is made of")]
    pub(super) fn start_single(
        &mut self,
        caller: &Caller,
        pool: PoolId,
        prepared: &mut super::invocation::Prepared,
        timeout: Option<u64>,
        depth: u32,
        name: &str,
        watcher: ObjectId,
    ) -> TaskId {
        let job = self.next.job();
        let (options, chunk, arguments) = self.single(job, prepared, timeout);
        let id = TaskId(self.next.task());
        let is_silent = self.signature(prepared.module, prepared.task).is_some_and(|signature| signature.result.is_none());
        let task = Task {
            name: name.chars().take(crate::quotas::NAME_CHARS).collect(),
            module: prepared.module,
            parent: Some(caller.task),
            depth,
            pool,
            job,
            index: 0,
            since: self.now,
            worker: None,
            attempt: 1,
            progress: None,
            arguments,
            granted: false,
            bytes: prepared.bytes,
            watcher: Some(watcher),
        };
        self.tasks.insert(id, task);
        self.places.insert((job, 0), id);
        let state = JobState { pool, kind: JobKind::Single, left: 1, is_silent, parent: Some(caller.task), depth };
        self.open_guest_job(job, state, options);
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.submit(self.now, chunk);
            self.dirty.insert(pool);
        }
        id
    }

    pub(super) fn process_call(&mut self, caller: &Caller, handle: HandleId, call: ProcessCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Process) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let Some(Body::Process(process)) = self.objects.get_mut(&object).map(|object| &mut object.body) else {
            return CallError::Closed.into();
        };
        let pool = process.pool;
        let task = self.tasks.get(&process.end.task);
        match call {
            ProcessCall::Pid => Ok(Reply::Process(ProcessReply::Pid(process.pid))).into(),
            ProcessCall::State => {
                let state = task.map_or(TaskState::Ended, |task| self.state_of(task));
                Ok(Reply::Process(ProcessReply::State(state))).into()
            }
            ProcessCall::Join { timeout } => match &process.end.ended {
                Some(ended) => Ok(end_reply(true, ended.clone())).into(),
                None if timeout == Some(0) => CallError::TimedOut.into(),
                None => {
                    process.end.waiter = Some(caller.call);
                    Answered::Later(Site::Ended(object), deadline(self.now, timeout))
                }
            },
            ProcessCall::Terminate { grace } => {
                if process.end.ended.is_none() {
                    let asked = self.now.plus(Duration(grace));
                    let (since, until) = match process.stopped {
                        Some((since, grace)) => (since, asked.min(since.plus(grace))),
                        None => (self.now, asked),
                    };
                    process.stopped = Some((since, until.since(since)));
                    if let Some(state) = self.pools.get_mut(&pool) {
                        state.pool.set_grace(until.since(since));
                        state.pool.cancel_all(self.now);
                        self.dirty.insert(pool);
                    }
                }
                Ok(Reply::Process(ProcessReply::Done)).into()
            }
            ProcessCall::Kill => {
                self.kill_process(pool);
                Ok(Reply::Process(ProcessReply::Done)).into()
            }
        }
    }

    /// Ends a process at once. One that ended before is not there any more.
    pub(super) fn kill_process(&mut self, pool: PoolId) {
        if let Some(state) = self.pools.get_mut(&pool) {
            state.pool.kill_all(self.now);
            self.dirty.insert(pool);
        }
    }

    pub(super) fn future_call(&mut self, caller: &Caller, handle: HandleId, call: FutureCall) -> Answered {
        let object = match self.object_of(caller.worker, handle, &Grant::Future) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let Some(Body::Future(future)) = self.objects.get_mut(&object).map(|object| &mut object.body) else {
            return CallError::Closed.into();
        };
        let task = self.tasks.get(&future.task);
        match call {
            FutureCall::State => {
                let state = task.map_or(TaskState::Ended, |task| self.state_of(task));
                Ok(Reply::Pool(PoolReply::State(state))).into()
            }
            FutureCall::Result { timeout } => match &future.ended {
                Some(ended) => Ok(end_reply(false, ended.clone())).into(),
                None if timeout == Some(0) => CallError::TimedOut.into(),
                None => {
                    future.waiter = Some(caller.call);
                    Answered::Later(Site::Ended(object), deadline(self.now, timeout))
                }
            },
            FutureCall::Cancel => {
                let running = future.ended.is_none();
                if let Some(task) = task.filter(|_| running)
                    && let Some(state) = self.pools.get_mut(&task.pool)
                {
                    state.pool.cancel_job(self.now, task.job);
                    self.dirty.insert(task.pool);
                }
                Ok(Reply::Pool(PoolReply::Cancelled(running))).into()
            }
        }
    }
}
