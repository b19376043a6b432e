//! The owner of everything that tasks share: pools, processes, queues and the like, and who may reach what.
//!
//! ```text
//!  events: a worker is ready, calls, finished, is gone; time passed
//!     │
//!     ▼
//!  Broker ── calls ──> handles ──> objects (queue, pipe, map, lock, ...)
//!     │         └────> pools, processes, futures, mappings ──> Pool
//!     ▼
//!  effects: start a worker, send it work, answer its call, ask it to stop, kill it
//! ```
//!
//! The failure that this prevents: state in two places. Whatever a task holds is here, and its end is an event like any other, so no death
//! at any instruction leaves a lock that nobody can take, a queue that is half written, or a child that nobody knows of.
//!
//! Each event runs to its end: all answers and all that follows from them are found before the next one. What one call costs does not
//! grow with how much there is of anything. `tests/broker_model.rs` plays random programs against this.

use std::collections::{BTreeMap, BTreeSet};

use taskcell_wire::call::{CallId, Holder, ObjectId, TaskId};
use taskcell_wire::{CallRights, ChunkId, Encoding, JobId, Run, Turn, WorkerId};

use crate::effect::{Effect, PoolEffect};
use crate::options::{JobOptions, RetryBudget};
use crate::time::Now;
use crate::waiting::Waiting;

mod answers;
mod calls;
mod create;
mod deadlock;
mod due;
mod events;
mod feed;
mod guest_pool;
mod handles;
mod invocation;
mod loans;
mod map;
mod mapping;
mod objects;
mod options;
mod pool_effects;
mod pools;
mod primitives;
mod process;
mod resolve;
mod results;
mod running;
mod submit;
mod tasks;
mod wait_any;

use answers::{Answer, Answers};
use calls::{Caller, Parked};
use due::Book;
use objects::Object;
pub use options::{BrokerOptions, CheckArguments, CheckInput, HostLimits, Module, ModuleId, OnDeadlock, WorkerSpec};
pub use pools::PoolId;
use pools::{GUEST_JOBS, JobKind, JobState, PoolState};
pub use results::{Finished, ResultCheck, Results};
use running::WorkerState;
use tasks::Task;
pub use tasks::{Progress, RunningTask, TaskView};

/// Work for a worker: a chunk, its job's options, and its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work<'a> {
    /// Whose tasks.
    pub job: JobId,
    /// What they have in common.
    pub options: JobOptions,
    /// The first one's place in the job.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// Their inputs, as [`ItemWriter`](taskcell_wire::ItemWriter) writes them.
    pub items: std::borrow::Cow<'a, [u8]>,
    /// The first one's turn at its worker.
    pub turn: Turn,
    /// Whether the worker had nothing else, so that the first ones are its own, and can't be taken back ([`Effect::TakeBack`]).
    pub claimed: bool,
}

impl Work<'_> {
    /// As its worker is told it.
    #[must_use]
    pub fn run(&self, chunk: ChunkId) -> Run<'_> {
        Run {
            chunk,
            task: self.options.task,
            input: self.options.input,
            output: self.options.output,
            timeout: self.options.timeout.map(|timeout| timeout.0),
            timed: self.options.timed,
            turn: self.turn,
            together: self.options.together.max(1),
            claimed: self.claimed,
            count: self.count,
            items: &self.items,
        }
    }
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Queues, pipes, maps and the like, and what tasks hold of each other.
    pub objects: usize,
    /// Handles of all attempts.
    pub handles: usize,
    /// Attempts that made a call or were given handles.
    pub attempts: usize,
    /// Calls that wait.
    pub calls: usize,
    /// Tasks that have a number.
    pub tasks: usize,
    /// Jobs, those of the API included.
    pub jobs: usize,
    /// Pools, those of the API and one for each process included.
    pub pools: usize,
    /// Worker processes that did not end.
    pub workers: usize,
    /// Bytes of all objects, of inputs that wait and outcomes that nobody took.
    pub bytes: u64,
    /// Workers that pools may have.
    pub places: u32,
    /// What is lent to tasks: room or messages.
    pub loans: usize,
}

/// Numbers that are used once.
#[derive(Debug, Default)]
struct Numbers {
    pool: u32,
    job: u64,
    holder: u64,
    object: u64,
    task: u64,
    call: u64,
}

impl Numbers {
    /// `None` when there are no more; pools are numbered within a worker's number.
    fn pool(&mut self) -> Option<u32> {
        let id = self.pool;
        self.pool = self.pool.checked_add(1)?;
        Some(id)
    }

    fn job(&mut self) -> JobId {
        self.job += 1;
        JobId(GUEST_JOBS | self.job)
    }

    fn holder(&mut self) -> u64 {
        self.holder += 1;
        self.holder
    }

    fn object(&mut self) -> u64 {
        self.object += 1;
        self.object
    }

    fn task(&mut self) -> u64 {
        self.task += 1;
        self.task
    }

    fn call(&mut self) -> u64 {
        self.call += 1;
        self.call
    }
}

/// The owner of everything that tasks share.
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    /// Calls that workers of each module may make.
    rights: Vec<CallRights>,
    now: Now,
    next: Numbers,
    effects: Vec<Effect>,
    pools: BTreeMap<PoolId, PoolState>,
    /// Pools that something was done to.
    dirty: BTreeSet<PoolId>,
    /// Kept from step to step for their memory.
    pool_effects: Vec<PoolEffect>,
    answers: Answers,
    jobs: BTreeMap<JobId, JobState>,
    maps: BTreeMap<JobId, map::MapRun>,
    workers: BTreeMap<WorkerId, WorkerState>,
    /// Where each attempt runs.
    holders: BTreeMap<Holder, WorkerId>,
    tasks: BTreeMap<TaskId, Task>,
    /// Numbers of tasks by job and place.
    places: BTreeMap<(JobId, u64), TaskId>,
    objects: BTreeMap<ObjectId, Object>,
    borrowers: loans::Borrowers,
    /// Bytes for which room is lent.
    promised: u64,
    /// Calls that wait, in the order in which they began to.
    calls: BTreeMap<CallId, Parked>,
    waiting: Waiting,
    waiting_tick: Option<Now>,
    due: Book,
    /// Of all objects, of inputs that wait and outcomes that nobody took.
    bytes: u64,
    /// Workers that pools were made with, and those that are lent beside them.
    reserved: u32,
    lent: u32,
    /// Pools that tasks made and hold.
    guest_pools: u32,
    /// Calls that wait for the standard input.
    inputs: usize,
    /// Outcomes of guests' tasks that were announced and are still to come.
    owed: u64,
    /// The last call of the deadlock that was last told of.
    told: Option<CallId>,
}

impl Broker {
    /// A broker without pools.
    #[must_use]
    pub fn new(options: BrokerOptions) -> Self {
        Self {
            rights: options.modules.iter().map(|module| CallRights::of(&module.interface)).collect(),
            options,
            now: Now::default(),
            next: Numbers::default(),
            effects: Vec::new(),
            pools: BTreeMap::new(),
            dirty: BTreeSet::new(),
            pool_effects: Vec::new(),
            answers: Answers::default(),
            jobs: BTreeMap::new(),
            maps: BTreeMap::new(),
            workers: BTreeMap::new(),
            holders: BTreeMap::new(),
            tasks: BTreeMap::new(),
            places: BTreeMap::new(),
            objects: BTreeMap::new(),
            borrowers: BTreeMap::new(),
            promised: 0,
            calls: BTreeMap::new(),
            waiting: Waiting::default(),
            waiting_tick: None,
            due: Book::default(),
            bytes: 0,
            reserved: 0,
            lent: 0,
            guest_pools: 0,
            inputs: 0,
            owed: 0,
            told: None,
        }
    }

    /// Takes what is to be done; to be called after every event, until there is nothing. Deadlocks are searched for here, when all that
    /// the event brought is known.
    pub fn take_effects(&mut self, into: &mut Vec<Effect>) {
        self.search_standstill();
        into.append(&mut self.effects);
    }

    /// How much there is of everything.
    #[must_use]
    pub fn census(&self) -> Census {
        let running = || self.workers.values().filter_map(|state| state.running.as_ref());
        Census {
            objects: self.objects.len(),
            handles: running().map(|running| running.handles.len()).sum(),
            attempts: running().count(),
            calls: self.calls.len(),
            tasks: self.tasks.len(),
            jobs: self.jobs.len(),
            pools: self.pools.len(),
            workers: self.workers.len(),
            bytes: self.bytes,
            places: self.reserved.saturating_add(self.lent),
            loans: self.borrowers.values().map(Vec::len).sum(),
        }
    }

    /// What a worker is to be.
    #[must_use]
    pub fn spec(&self, worker: WorkerId) -> Option<&WorkerSpec> {
        self.pool_state(worker).map(|state| &state.spec)
    }

    /// The pool of a worker.
    #[must_use]
    pub fn pool_of(&self, worker: WorkerId) -> Option<PoolId> {
        self.workers.get(&worker).map(|state| state.pool)
    }

    /// Calls that the tasks of a worker may make.
    fn rights_of(&self, worker: WorkerId) -> CallRights {
        let module = self.spec(worker).map(|spec| usize::from(spec.module.0));
        module.and_then(|module| self.rights.get(module)).copied().unwrap_or_default()
    }

    fn pool_state(&self, worker: WorkerId) -> Option<&PoolState> {
        self.pools.get(&self.pool_of(worker)?)
    }

    /// How often a worker's tasks may be tried again, by cause.
    #[must_use]
    pub fn budget(&self, worker: WorkerId) -> RetryBudget {
        self.pool_state(worker).map_or_else(RetryBudget::default, |state| state.pool.options().budget)
    }

    /// How the results of a chunk are written.
    #[must_use]
    pub fn output(&self, worker: WorkerId, chunk: ChunkId) -> Option<Encoding> {
        Some(self.pool_state(worker)?.pool.flight(worker, chunk)?.1.output)
    }
}
