//! What is known of single tasks: their numbers, names and parents, what they were given, and who is told of their end.
//!
//! The failures that this prevents: a task that ends twice, or never, for the one who waits for it; a map of a million tasks that takes
//! a record for each. A task has a record from the start if a guest started it by itself, and otherwise from the first time
//! that somebody asks for its number: when it makes a call, or when a person looks.

use taskcell_wire::call::{Ended, ObjectId, TaskId, TaskState, TaskValue};
use taskcell_wire::{ChunkId, JobId, TaskIndex, WorkerId};

use super::invocation::Given;
use super::objects::Body;
use super::{Broker, JobKind, ModuleId, PoolId};
use crate::chunk::{Attempt, Cause};
use crate::pool::Place;
use crate::time::Now;

/// How far a task is, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// So much is done.
    pub done: u64,
    /// Of so much.
    pub total: Option<u64>,
    /// For people; as hostile as the guest.
    pub note: String,
}

/// What a task is doing, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Its number.
    pub id: TaskId,
    /// Its name: what it was spawned as, or its export's.
    pub name: String,
    /// Who started it, if a task did.
    pub parent: Option<TaskId>,
    /// The module that it is of; empty for the first.
    pub module: String,
    /// What it does.
    pub state: TaskState,
    /// The worker that runs it.
    pub worker: Option<WorkerId>,
    /// That worker's process.
    pub pid: Option<u32>,
    /// When it was submitted, or given to its worker.
    pub since: Now,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How far it is, if it told.
    pub progress: Option<Progress>,
}

/// A task that has not ended.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) module: ModuleId,
    pub(super) parent: Option<TaskId>,
    pub(super) depth: u32,
    pub(super) pool: PoolId,
    pub(super) job: JobId,
    pub(super) index: u64,
    pub(super) since: Now,
    /// The worker that it was given to last; it may be gone, or the task may have been taken back.
    pub(super) worker: Option<WorkerId>,
    pub(super) attempt: u32,
    pub(super) progress: Option<Progress>,
    /// What it was given, if there are handles among it; otherwise it is in its chunk.
    pub(super) arguments: Vec<Given>,
    /// Whether an attempt was given the handles: ends of pipes are its own then.
    pub(super) granted: bool,
    /// What its arguments count for of all bytes.
    pub(super) bytes: u64,
    /// The process or the future that is told of its end.
    pub(super) watcher: Option<ObjectId>,
}

/// The task that a worker ran, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// Its job and its place there; `None` for a task of a guest's.
    pub place: Option<(u64, u64)>,
    /// Its number, if it has one.
    pub number: Option<u64>,
    /// The export.
    pub function: String,
}

impl Broker {
    /// The number of the task that a worker runs, given now if it has none.
    pub(super) fn number(&mut self, worker: WorkerId, place: Place) -> TaskId {
        let key = (place.job, place.index);
        if let Some(id) = self.places.get(&key) {
            let id = *id;
            if let Some(task) = self.tasks.get_mut(&id) {
                task.worker = Some(worker);
            }
            return id;
        }
        let id = TaskId(self.next.task());
        let state = self.workers.get(&worker).and_then(|state| Some((state.pool, self.pools.get(&state.pool)?)));
        let (pool, module, index, attempt, since) = match state {
            Some((id, state)) => {
                let chunk = state.pool.flight(worker, place.chunk);
                let index = chunk.map_or(TaskIndex(0), |(_, options)| options.task);
                let attempts = chunk.map_or(0, |(chunk, _)| chunk.history.len());
                let since = state.pool.since(worker).unwrap_or(self.now);
                (id, state.spec.module, index, u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1), since)
            }
            None => (PoolId(0), ModuleId(0), TaskIndex(0), 1, self.now),
        };
        let (parent, depth) = self.jobs.get(&place.job).map_or((None, 0), |job| (job.parent, job.depth));
        let name = self.signature(module, index).map_or_else(String::new, |signature| signature.name.clone());
        let task = Task {
            name,
            module,
            parent,
            depth,
            pool,
            job: place.job,
            index: place.index,
            since,
            worker: Some(worker),
            attempt,
            progress: None,
            arguments: Vec::new(),
            granted: false,
            bytes: 0,
            watcher: None,
        };
        self.tasks.insert(id, task);
        self.places.insert(key, id);
        id
    }

    /// The task that a worker runs or ran last, for people: the one that it names (`said`) if it was given that, and else the front
    /// of its line. Also for one that is to be killed.
    #[must_use]
    pub fn running_task(&self, worker: WorkerId, said: Option<(ChunkId, u32)>) -> Option<RunningTask> {
        let state = self.pool_state(worker)?;
        let (chunk, at, options) = state.pool.blamed(worker, said)?;
        let index = chunk.first.saturating_add(u64::from(at));
        let function = self.signature(state.spec.module, options.task).map_or_else(String::new, |task| task.name.clone());
        let place = (!self.owns(chunk.job)).then_some((chunk.job.0, index));
        Some(RunningTask { place, number: self.places.get(&(chunk.job, index)).map(|id| id.0), function })
    }

    /// The task that a worker runs.
    pub fn running(&mut self, worker: WorkerId) -> Option<TaskId> {
        self.attempt(worker).ok().map(|running| running.task)
    }

    /// Every task that runs, and every one that a guest started by itself and that waits for a worker, in the order of their numbers.
    pub fn tasks(&mut self) -> Vec<TaskView> {
        let busy: Vec<WorkerId> = self.pools.values().flat_map(|state| state.pool.busy()).collect();
        for worker in busy {
            // One that is to be killed shows what it ran, if that has a number.
            let _ = self.attempt(worker);
        }
        self.tasks.iter().map(|(id, task)| self.view(*id, task)).collect()
    }

    fn view(&self, id: TaskId, task: &Task) -> TaskView {
        TaskView {
            id,
            name: task.name.clone(),
            parent: task.parent,
            module: self.options.modules.get(usize::from(task.module.0)).map_or_else(String::new, |module| module.name.clone()),
            state: self.state_of(task),
            worker: self.worker_of(task),
            pid: self.pid_of(task),
            since: task.since,
            attempt: task.attempt,
            progress: task.progress.clone(),
        }
    }

    /// The worker that runs a task: the one that it was given to last, if it has come to it.
    pub(super) fn worker_of(&self, task: &Task) -> Option<WorkerId> {
        let worker = task.worker?;
        let place = self.pools.get(&task.pool)?.pool.running(worker)?;
        (place.job == task.job && place.index == task.index).then_some(worker)
    }

    /// The process that runs a task.
    pub(super) fn pid_of(&self, task: &Task) -> Option<u32> {
        self.workers.get(&self.worker_of(task)?)?.pid
    }

    /// What a task that has not ended is doing.
    pub(super) fn state_of(&self, task: &Task) -> TaskState {
        let Some(worker) = self.worker_of(task) else { return TaskState::Ready };
        let parked = self.workers.get(&worker).and_then(|state| state.running.as_ref()).and_then(|running| running.parked);
        match parked.and_then(|call| self.describe(call)) {
            Some(what) => TaskState::Waiting(what),
            None => TaskState::Running,
        }
    }

    /// Tasks of a job were given to a worker.
    pub(super) fn sent(&mut self, worker: WorkerId, job: JobId, first: u64, count: u32, attempt: u32) {
        if self.places.is_empty() {
            return;
        }
        let known = self.places.range((job, first)..(job, first.saturating_add(u64::from(count))));
        let pid = self.workers.get(&worker).and_then(|state| state.pid);
        for id in known.map(|(_, id)| *id).collect::<Vec<_>>() {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.worker = Some(worker);
                task.since = self.now;
                task.attempt = attempt;
                let watcher = task.watcher.and_then(|object| self.objects.get_mut(&object));
                if let Some(Body::Process(process)) = watcher.map(|object| &mut object.body) {
                    process.pid = pid;
                }
            }
        }
    }

    /// Tasks of a job ended: their records go.
    pub(super) fn forget(&mut self, job: JobId, first: u64, count: u32) {
        if self.places.is_empty() {
            return;
        }
        let known = self.places.range((job, first)..(job, first.saturating_add(u64::from(count))));
        for (index, id) in known.map(|((_, index), id)| (*index, *id)).collect::<Vec<_>>() {
            self.places.remove(&(job, index));
            if let Some(task) = self.tasks.remove(&id) {
                self.give_back_arguments(task);
            }
        }
    }

    /// Tasks of the API ended.
    pub(super) fn api_ended(&mut self, job: JobId, first: u64, count: u32) {
        if let Some(state) = self.jobs.get_mut(&job) {
            state.left = state.left.saturating_sub(u64::from(count));
        }
        self.forget(job, first, count);
    }

    fn give_back_arguments(&mut self, task: Task) {
        self.bytes = self.bytes.saturating_sub(task.bytes);
        for given in task.arguments {
            let Given::Handle(object, grant) = given else { continue };
            if task.granted {
                // An end of a pipe was its attempt's, and was closed with it.
                self.release_object(object);
            } else {
                self.release(object, &grant);
            }
        }
    }

    /// Nobody asks for the end of this task any more.
    pub(super) fn forget_watcher(&mut self, task: TaskId) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.watcher = None;
        }
    }

    /// The outcome of a task of a job that [`owns`](Self::owns) is true of: right after [`finished`](Self::finished) gave its place, or
    /// [`attempt_failed`](Self::attempt_failed) with the verdict that it was the last.
    pub fn ended(&mut self, now: Now, job: JobId, index: u64, ended: Ended<'static>) {
        self.at(now);
        self.owed = self.owed.saturating_sub(1);
        let ended = match (ended, self.jobs.get(&job).is_some_and(|job| job.is_silent)) {
            (Ended::Ok(_), true) => Ended::Ok(TaskValue::None),
            (ended, _) => ended,
        };
        self.task_ended(job, index, ended);
        self.settle();
    }

    /// A guest's task ended.
    pub(super) fn task_ended(&mut self, job: JobId, index: u64, ended: Ended<'static>) {
        let watcher = self.places.get(&(job, index)).and_then(|id| self.tasks.get(id)).and_then(|task| task.watcher);
        self.forget(job, index, 1);
        let Some(state) = self.jobs.get_mut(&job) else { return };
        state.left = state.left.saturating_sub(1);
        let pool = state.pool;
        match state.kind {
            JobKind::Api | JobKind::Forgotten => {}
            JobKind::Single => {
                if let Some(watcher) = watcher {
                    self.tell_end(watcher, ended);
                }
            }
            JobKind::Map => self.map_ended(job, index, ended),
            JobKind::Mapping(mapping) => self.mapping_ended(mapping, index, ended),
        }
        self.end_job_if_over(job);
        self.pool_task_ended(pool);
    }

    /// The end of its task comes to a process or a future.
    fn tell_end(&mut self, watcher: ObjectId, ended: Ended<'static>) {
        let ended = self.fitting(ended);
        let Some(body) = self.objects.get_mut(&watcher).map(|object| &mut object.body) else { return };
        let is_process = matches!(body, Body::Process(_));
        let waiter = body.end_mut().and_then(|end| end.end(ended.clone()));
        self.looked_at(watcher);
        if let Some(call) = waiter {
            self.answer(call, Ok(super::process::end_reply(is_process, ended)));
        }
        self.tell_watchers(watcher);
    }

    /// An outcome that is kept, or that it does not fit.
    pub(super) fn fitting(&self, ended: Ended<'static>) -> Ended<'static> {
        match self.check_bytes(ended.len() as u64) {
            Ok(()) => ended,
            Err(error) => Ended::OverLimit(format!("the outcome is too much to keep: {error}")),
        }
    }
}

/// How a task ended whose last attempt left no outcome.
pub(super) fn lost(history: &[Attempt]) -> Ended<'static> {
    let Some(last) = history.last() else { return Ended::Lost("its worker ended".into()) };
    let how = match &last.cause {
        Cause::Timeout => return Ended::TimedOut,
        Cause::Death(how) => how.as_str(),
        Cause::Trap => "the guest trapped",
        Cause::Error => "it returned an error",
    };
    let attempts = history.len();
    let s = if attempts == 1 { "" } else { "s" };
    Ended::Lost(format!("its worker {how} ({attempts} attempt{s})"))
}
